"""What a backend of lm-eval is asked, what it gives back, and which one a name means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from judgebench.errors import ConfigError, unknown_name
from judgebench.records import Runtime, TokenLogprob

AUTO_BATCH = 256
"""How many answers are one chunk where the backend batches by itself."""

_PARALLEL = ("tensor_parallel_size", "data_parallel_size", "tp_size", "dp_size", "num_concurrent")
_TAKES_SEED = ("vllm", "local-", "openai-")  # the others sample, and cannot be told how


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTokens:
    """How prompts become tokens by a benchmark's preset, where that is not lm-eval's way.

    lm-eval adds the special tokens of a tokenizer, except to a text that begins with BOS already,
    and cuts on the left or not at all. Some benchmarks' own code does otherwise, and published
    numbers are of what it does.

    ``special_tokens`` are added ``once``, as lm-eval does, or ``always``: a text that begins with
    BOS then has it twice. Prompt and answer are at most ``max_length`` tokens together, and never
    more than the model takes: the prompt is cut to the rest on its ``truncation_side``. Without
    ``max_length`` nothing is cut.
    """

    special_tokens: Literal["once", "always"] = "once"
    max_length: int | None = None
    truncation_side: Literal["left", "right"] = "left"

    def of(self, lm: Any, prompts: Sequence[str], *, max_gen_toks: int) -> list[list[int]]:
        """Ids of each prompt, not padded.

        Parameters
        ----------
        lm
            lm-eval's object, for its tokenizer and what its model takes.
        max_gen_toks
            Room that is left for the answer, in tokens.
        """
        if self.special_tokens == "always":
            encoded = [lm.tokenizer(text, add_special_tokens=True)["input_ids"] for text in prompts]
        else:
            encoded = [list(lm.tok_encode(text)) for text in prompts]
        if self.max_length is None:
            return encoded
        room = max(0, min(self.max_length, int(lm.max_length)) - max_gen_toks)
        right = self.truncation_side == "right"
        return [
            tokens[:room] if right else tokens[max(0, len(tokens) - room) :] for tokens in encoded
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One answer as the model gave it, up to what ended it.

    ``finish_reason`` is ``stop`` (the model or a stop sequence ended it), ``length`` (it was cut
    off), or None where the backend does not say. Token counts are None where it does not count.
    ``tokens`` are those of ``raw``, where they were asked for and the backend gives them.
    ``logprob`` is the log-probability (nats) of the whole answer, of all ``completion_tokens`` and
    so with the token that ended it; None where it was not asked for.
    """

    raw: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprob: float | None = None
    tokens: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihoods:
    """Log-probabilities (nats) of texts as the beginning of an answer, in the order asked for."""

    values: tuple[float, ...]
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How a batch is generated.

    ``stops`` are those that the backend itself obeys; ``sampling`` holds ``do_sample``,
    ``temperature`` and whatever else the suite says, under lm-eval's names.

    ``seed`` is one for the whole batch: its draws depend on what is in it. ``seeds``, one for each
    prompt, take its place where that must not be so. ``logprobs`` asks for the tokens, each with
    so many of its alternatives, ``weighed`` for the log-probability of greedy answers: the model's
    own, before temperature and penalties. ``prompt_tokens`` is how prompts become tokens, where
    that is not lm-eval's way.
    """

    stops: tuple[str, ...]
    max_gen_toks: int
    sampling: Mapping[str, Any]
    seed: int = 0
    seeds: tuple[int, ...] = ()
    logprobs: int | None = None
    weighed: bool = False
    prompt_tokens: PromptTokens | None = None

    @property
    def samples(self) -> bool:
        """Whether the seed can change the answer."""
        return bool(self.sampling.get("do_sample"))


class Backend:
    """A loaded model of any backend of lm-eval, by its name there: text goes in and comes out.

    lm-eval's ``generate_until`` says neither why an answer ended nor how many tokens it took, so
    both are None here, and an answer that was cut off cannot be told from a whole one.

    ``lm`` is lm-eval's object, which knows its chat template. ``batch`` is how many prompts it
    takes at once, ``think_end`` what ends its reasoning where it is known to reason. What of a
    `Decoding` it cannot be told is ``unsupported``: ``seed``, ``logprobs``, ``prompt_tokens``.
    """

    lm: Any
    batch: int
    think_end: str | None
    unsupported: frozenset[str] = frozenset()

    def __init__(
        self,
        name: str,
        model_args: Mapping[str, Any],
        batch_size: int | str,
        device: str | None,
    ) -> None:
        from lm_eval.api.registry import get_model

        self.lm = get_model(name).create_from_arg_obj(
            dict(model_args), {"batch_size": batch_size, "device": device}
        )
        self._name = name
        self._model_args = model_args
        self._device = device
        adaptive = str(batch_size).startswith("auto")
        self._batch_size = str(batch_size)
        self.batch = AUTO_BATCH if adaptive else int(batch_size)
        # The reasoning is ours to split off: told of its end, lm-eval throws it away.
        self.think_end = getattr(self.lm, "think_end_token", None)
        if self.think_end is not None:
            self.lm.think_end_token = None
        if name != "vllm":
            told = {"seed"} if name.startswith(_TAKES_SEED) else set()
            self.unsupported = frozenset({"seed", "logprobs", "prompt_tokens"} - told)

    def stack(self) -> Runtime:
        package = "vllm" if self._name.startswith("vllm") else self._name.partition("-")[0]
        parallel = [
            f"{name}={self._model_args[name]}" for name in _PARALLEL if name in self._model_args
        ]
        return Runtime(
            backend=self._name,
            versions=versions("lm_eval", "transformers", "torch", package),
            dtype=self._dtype(),
            batch_size=self._batch_size,
            parallelism=", ".join(parallel) or None,
            device=self.device(),
        )

    def refusal(self, prompt: Any, decoding: Decoding) -> str | None:
        """Why this prompt cannot be answered; None if it can."""
        return None

    def generate(self, prompts: Sequence[Any], decoding: Decoding) -> list[Generated]:
        """Answer one batch, in its order."""
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

    def measured(self, asked: Sequence[Sequence[tuple[Any, str]]]) -> list[Generated]:
        """How likely, by lm-eval itself, each context goes on so, as `workers.lm_eval_task` has it.

        The log-probability of the answer is that of the likeliest text.
        """
        found = iter(self._loglikelihoods([pair for pairs in asked for pair in pairs]))
        rows = [[[text, *map(_plain, next(found))] for _, text in pairs] for pairs in asked]
        return [
            Generated(
                raw=json.dumps(row, ensure_ascii=False),
                finish_reason="stop",
                logprob=max(value for _, value, _ in row),
            )
            for row in rows
        ]

    def _loglikelihoods(self, pairs: Sequence[tuple[Any, str]]) -> list[tuple[float, bool]]:
        from lm_eval.api.instance import Instance

        found: list[tuple[float, bool]] = self.lm.loglikelihood(
            [
                Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=n)
                for n, pair in enumerate(pairs)
            ]
        )
        return found

    def likelihoods(self, asked: Sequence[tuple[Any, Sequence[str]]]) -> list[Likelihoods]:
        """How likely each prompt is to be answered with each of its texts."""
        found = self._loglikelihoods(
            [(prompt, text) for prompt, candidates in asked for text in candidates]
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


def _plain(value: Any) -> Any:
    """A number of numpy as JSON has it."""
    return value.item() if hasattr(value, "item") else value


def versions(*packages: str) -> dict[str, str]:
    """Of those that are installed; some backends do without one."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package.replace("_", "-")] = version(package)
    return found


def load(job: Mapping[str, Any]) -> Backend:
    """The model of a job, by the name that lm-eval gives its backend.

    Raises
    ------
    ConfigError
        For a chat template that the tokenizer does not have.
    """
    name, how = job["model"], (job["model_args"], job["batch_size"], job["device"])
    backend: Backend
    if name in {"hf", "hf-auto", "huggingface"}:
        from judgebench.workers.backends.hf import HuggingFace

        backend = HuggingFace(*how)
    elif name == "vllm":
        from judgebench.workers.backends.vllm import Vllm

        backend = Vllm(name, *how)
    else:
        backend = Backend(name, *how)
    if isinstance(job["apply_chat_template"], str):
        _choose_template(backend.lm, job["apply_chat_template"])
    return backend


def _choose_template(lm: Any, name: str) -> None:
    """Make a named chat template the one that is applied: lm-eval itself only logs the name."""
    templates = getattr(getattr(lm, "tokenizer", None), "chat_template", None)
    if not isinstance(templates, dict) or name not in templates:
        known = sorted(templates) if isinstance(templates, dict) else []
        raise ConfigError(
            unknown_name("chat template", name, known)
            + "; apply_chat_template: true takes the model's only one"
        )
    lm.tokenizer.chat_template = templates[name]
    if hasattr(lm, "hf_chat_template"):  # vllm passes its own choice along
        lm.hf_chat_template = templates[name]


def too_long(lm: Any, prompt: str, decoding: Decoding, *, most: int, instead: str) -> str | None:
    """Why a prompt does not fit; None if it does: lm-eval would cut it and say nothing.

    Parameters
    ----------
    most
        Tokens that the prompt may have.
    instead
        What a suite may say to have it answered all the same.
    """
    rule, answer = decoding.prompt_tokens, decoding.max_gen_toks
    if rule is None:
        length = len(lm.tok_encode(prompt))
    elif (length := len(rule.of(lm, [prompt], max_gen_toks=answer)[0])) == 0:
        return f"{answer} tokens for the answer leave none for the prompt"
    if length <= most:
        return None
    return (
        f"the prompt has {length} tokens, and the model takes {lm.max_length} less "
        f"{answer} for the answer; shorten the prompt (fewer examples, a "
        f"judge's max_answer_chars) or the answer, or {instead}"
    )
