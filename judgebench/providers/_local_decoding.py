"""How a local model is told to write: chat completions' words into those of its worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.errors import CallError, ConfigError, unknown_name
from judgebench.keys import request_key
from judgebench.records import ChatRequest, JsonObject

DEFAULT_MAX_TOKENS = 1024
"""Of a reply, where neither the question nor ``gen_kwargs`` say."""

_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
_TAKEN = (*_SAMPLING, "max_tokens", "stop", "seed")
_OTHER_NAMES = {
    "until": "stop",
    **dict.fromkeys(("max_gen_toks", "max_new_tokens", "max_completion_tokens"), "max_tokens"),
}


def decoding_of(said: JsonObject) -> JsonObject:
    """Without what is said to be nothing, and with one name for one thing."""
    return {
        _OTHER_NAMES.get(name, name): value for name, value in said.items() if value is not None
    }


def in_chat_words(gen_kwargs: Mapping[str, Any]) -> JsonObject:
    """A suite's ``gen_kwargs`` in the words of chat completions.

    Raises
    ------
    ConfigError
        For a setting that is not known here, or two that contradict each other.
    """
    said = dict(decoding_of(gen_kwargs))
    do_sample = said.pop("do_sample", None)
    if do_sample is not None:
        temperature = said.setdefault("temperature", 1.0 if do_sample else 0.0)
        if bool(do_sample) != bool(temperature):
            raise ConfigError(
                f"lm_eval: gen_kwargs: do_sample {do_sample} with temperature {temperature} "
                "contradict each other; for sampling say a temperature above 0"
            )
    for name in said:
        if name not in _TAKEN:
            raise ConfigError(f"lm_eval: gen_kwargs: {unknown_name('setting', name, _TAKEN)}")
    return said


def for_worker(decoding: JsonObject, logprobs: int | None) -> dict[str, Any]:
    """What the worker is told of `decoding_of`, and how many alternatives of each token it gives.

    Greedy where no temperature is said.

    Raises
    ------
    CallError
        For a setting that no model could follow.
    """
    return {
        "max_gen_toks": _max_tokens(decoding.get("max_tokens", DEFAULT_MAX_TOKENS)),
        "stops": _stops(decoding.get("stop", ())),
        "sampling": _sampling(decoding),
        "logprobs": logprobs,
    }


def seed_of(decoding: JsonObject, request: ChatRequest) -> int:
    """The seed of a draw: as said, else another for another question and the same for the same."""
    seed = decoding.get("seed")
    if seed is None:
        return int.from_bytes(request_key(request)[:4], "big")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise _cannot_be("seed", "a whole number below 2 ** 63", seed)
    return seed


def left_out(request: ChatRequest, decoding: JsonObject) -> list[str]:
    """What was asked for and has no meaning here."""
    named = {"response_format": request.response_format, "reasoning": request.reasoning}
    return [
        *(name for name in decoding if name not in _TAKEN),
        *(name for name, value in named.items() if value is not None),
        *request.extra,
    ]


def _max_tokens(said: Any) -> int:
    if isinstance(said, bool) or not isinstance(said, int) or said < 1:
        raise _cannot_be("max_tokens", "a number above 0", said)
    return said


def _stops(said: Any) -> list[str]:
    stops = [said] if isinstance(said, str) else said
    if not isinstance(stops, list | tuple) or not all(isinstance(s, str) and s for s in stops):
        raise _cannot_be("stop", "a text or several", said)
    return list(stops)


def _sampling(decoding: JsonObject) -> dict[str, Any]:
    said = {name: decoding[name] for name in _SAMPLING if name in decoding}
    for name, value in said.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise _cannot_be(name, "a number that is not negative", value)
    return said


def _cannot_be(name: str, what: str, given: Any) -> CallError:
    return CallError(
        f"{name} is {what}, not {given!r}; mend the judge's sampling",
        retriable=False,
        kind="request",
    )
