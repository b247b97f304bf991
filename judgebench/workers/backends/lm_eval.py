"""Every backend of lm-eval that has no file of its own: text goes in, text comes out.

lm-eval's ``generate_until`` says neither why an answer ended nor how many tokens it took, so
both are None here, and an answer that was cut off cannot be told from a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from judgebench.records import Runtime
from judgebench.workers.backends import Decoding, Generated, Likelihoods

AUTO_BATCH = 256
"""How many answers are one chunk where the backend batches by itself."""

_PARALLEL = ("tensor_parallel_size", "data_parallel_size", "tp_size", "dp_size", "num_concurrent")
_TAKES_SEED = ("vllm", "local-", "openai-")  # the others sample, and cannot be told how


class AnyBackend:
    """A backend by its lm-eval name."""

    def __init__(
        self,
        name: str,
        model_args: Mapping[str, Any],
        batch_size: int | str,
        device: str | None,
    ) -> None:
        from lm_eval.api.registry import get_model

        self.lm: Any = get_model(name).create_from_arg_obj(
            dict(model_args), {"batch_size": batch_size, "device": device}
        )
        self._name = name
        self._model_args = model_args
        self._device = device
        adaptive = str(batch_size).startswith("auto")
        self._batch_size = str(batch_size)
        self.batch = AUTO_BATCH if adaptive else int(batch_size)
        # The reasoning is ours to split off: told of its end, lm-eval throws it away.
        self.think_end: str | None = getattr(self.lm, "think_end_token", None)
        if self.think_end is not None:
            self.lm.think_end_token = None

    @property
    def deaf_to(self) -> frozenset[str]:
        deaf = frozenset({"logprobs", "prompt_tokens"})
        return deaf if self._name.startswith(_TAKES_SEED) else deaf | {"seed"}

    def stack(self) -> Runtime:
        parallel = [
            f"{name}={self._model_args[name]}" for name in _PARALLEL if name in self._model_args
        ]
        return Runtime(
            backend=self._name,
            versions=_installed(("lm_eval", "transformers", "torch", *_packages(self._name))),
            dtype=self._dtype(),
            batch_size=self._batch_size,
            parallelism=", ".join(parallel) or None,
            device=self.device(),
        )

    def refusal(self, prompt: Any, decoding: Decoding) -> str | None:
        return None

    def generate(self, prompts: Sequence[Any], decoding: Decoding) -> list[Generated]:
        from lm_eval.api.instance import Instance

        requests = [
            Instance(
                request_type="generate_until",
                doc={},
                arguments=(prompt, self.gen_kwargs(decoding, n)),
                idx=n,
            )
            for n, prompt in enumerate(prompts)
        ]
        return [Generated(raw=text) for text in self.lm.generate_until(requests)]

    def likelihoods(self, asked: Sequence[tuple[Any, Sequence[str]]]) -> list[Likelihoods]:
        from lm_eval.api.instance import Instance

        pairs = [(prompt, text) for prompt, candidates in asked for text in candidates]
        found = self.lm.loglikelihood(
            [
                Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=n)
                for n, pair in enumerate(pairs)
            ]
        )
        values = iter([value for value, _ in found])
        return [
            Likelihoods(values=tuple(next(values) for _ in candidates)) for _, candidates in asked
        ]

    def gen_kwargs(self, decoding: Decoding, number: int = 0) -> dict[str, Any]:
        """What lm-eval is told for a prompt of the batch, under its own names."""
        told = {**decoding.sampling, "max_gen_toks": decoding.max_gen_toks}
        told["until"] = list(decoding.stops)  # backends append to it
        if decoding.samples and self._name.startswith(_TAKES_SEED):
            told["seed"] = decoding.seeds[number] if decoding.seeds else decoding.seed
        return told

    def device(self) -> str | None:
        return self._device

    def _dtype(self) -> str | None:
        engine = getattr(getattr(self.lm, "model", None), "llm_engine", None)
        loaded = getattr(getattr(engine, "model_config", None), "dtype", None)
        given = loaded if loaded is not None else self._model_args.get("dtype")
        return None if given is None else str(given).removeprefix("torch.")


def _packages(backend: str) -> tuple[str, ...]:
    return ("vllm",) if backend.startswith("vllm") else (backend.partition("-")[0],)


def _installed(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package.replace("_", "-")] = version(package)
        except PackageNotFoundError:
            continue  # a backend that does without it
    return found
