"""What lm-eval's results say about a run: which model it was, how it ran, what it printed.

Releases differ in what they write; what is not there is not known, and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from judgebench.records import ModelSpec, Runtime
from judgebench.responses.identity import LOADED_AS
from judgebench.secret import redact

_NAMED_BY = ("pretrained", "model", "path", "engine")
_PARTS = ("peft", "delta", "lora_local_path", "tokenizer", *LOADED_AS)
_PROMPTED_BY = ("enable_thinking", "think_end_token", "add_bos_token", "max_length", "truncation")
_PARALLEL = ("tensor_parallel_size", "data_parallel_size", "parallelize", "tp_plan")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_TORCH = re.compile(r"^PyTorch version: (\S+)", re.MULTILINE)
_STDERR = re.compile(r"_stderr,")


class Results:
    """One file of results; an empty one says nothing."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said
        self._config = _mapping(said.get("config"))
        self._args = _arguments(self._config.get("model_args"))

    @property
    def model(self) -> str | None:
        """What the model is called."""
        named = (self._args.get(name) for name in _NAMED_BY)
        found = next((name for name in named if isinstance(name, str) and name), None)
        found = found or self._said.get("model_name")
        return redact(found) if isinstance(found, str) and found.strip() else None

    @property
    def think_end(self) -> str | None:
        """What ends the reasoning of a model that thinks aloud, where lm-eval was told."""
        found = self._args.get("think_end_token")
        return found if isinstance(found, str) and found else None

    def version(self, task: str) -> str | None:
        """None where the task states none."""
        found = _mapping(self._said.get("versions")).get(task)
        if isinstance(found, bool) or not isinstance(found, (int, float, str)):
            return None
        text = f"{found:g}" if isinstance(found, float) else str(found).strip()
        return None if text in ("", "Yaml", "N/A") else text

    def documents(self, task: str) -> int | None:
        """How many documents were measured, at the least; None in results of earlier releases."""
        found = _mapping(_mapping(self._said.get("results")).get(task)).get("sample_len")
        return found if isinstance(found, int) else None

    def printed(self, task: str) -> dict[str, float]:
        """What lm-eval printed, by ``metric,filter``."""
        return {
            name: float(value)
            for name, value in _mapping(_mapping(self._said.get("results")).get(task)).items()
            if "," in name and not _STDERR.search(name) and _is_finite(value)
        }

    def spec(self, task: str, model: str, generation: Mapping[str, Any]) -> ModelSpec:
        """Which model it was, as far as the results say.

        Parameters
        ----------
        model
            What it is to be called.
        generation
            The arguments of its generation; empty where nothing was generated.
        """
        prompting = {
            "fewshot": _mapping(self._said.get("n-shot")).get(task),
            "chat_template_sha": self._said.get("chat_template_sha"),
            "system_sha": self._said.get("system_instruction_sha"),
            "fewshot_as_multiturn": self._said.get("fewshot_as_multiturn") or None,
            **{name: self._args.get(name) for name in _PROMPTED_BY},
        }
        decoding = _kept(generation)
        seed = self._config.get("torch_seed")
        if decoding.get("do_sample") or decoding.get("temperature"):
            decoding.setdefault("seed", seed)
        return ModelSpec(
            weights=self._weights(model), prompting=_kept(prompting), decoding=_kept(decoding)
        )

    @property
    def stack(self) -> Runtime | None:
        """How it ran; None where nothing is said of it."""
        backend = self._config.get("model") or self._said.get("model_source")
        if not isinstance(backend, str):
            return None
        torch = _TORCH.search(str(self._said.get("pretty_env_info")))
        versions = {
            "lm_eval": self._said.get("lm_eval_version"),
            "transformers": self._said.get("transformers_version"),
            "torch": torch and torch[1],
        }
        parallel = [f"{name}={self._args[name]}" for name in _PARALLEL if self._args.get(name)]
        return Runtime(
            backend=backend,
            versions=_kept(versions),
            dtype=_text(self._config.get("model_dtype") or self._args.get("dtype")),
            batch_size=_text(self._config.get("batch_size")),
            parallelism=", ".join(parallel) or None,
            device=_text(self._config.get("device")),
        )

    def _weights(self, model: str) -> str:
        """The commit on the Hub where lm-eval found it, else the name; and what is laid over it."""
        main, sha = self._args.get("pretrained"), self._config.get("model_sha")
        named = f"name:{model}"
        if isinstance(main, str) and isinstance(sha, str) and _COMMIT.fullmatch(sha):
            named = f"hub:{main}@{sha}" if _HUB_ID.fullmatch(main) else named
        parts = [f"{name}={self._args[name]}" for name in _PARTS if self._args.get(name)]
        return redact(" ".join([named, *parts]))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _arguments(given: Any) -> dict[str, Any]:
    """The arguments of a model: an object, or in earlier releases ``name=value,name=value``."""
    if isinstance(given, str):
        pairs = (part.partition("=") for part in given.split(","))
        return {name.strip(): value for name, _, value in pairs if name.strip()}
    return dict(_mapping(given))


def _kept(said: Mapping[str, Any]) -> dict[str, Any]:
    """What can be part of a key; what is not said is left out."""
    return {name: value for name, value in said.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, (str, bool)) or _is_finite(value)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and (isinstance(value, int) or math.isfinite(value))


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)
