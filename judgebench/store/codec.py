"""How values become rows and rows become values again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from judgebench.errors import InputError
from judgebench.records import (
    HUMAN,
    ChatRequest,
    How,
    Item,
    JudgeSpec,
    Label,
    Message,
    ModelSpec,
    Order,
    Preference,
    Purpose,
    Request,
    RunManifest,
    Runtime,
    Score,
    ScoreRequest,
    TokenLogprob,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.secret import MASKED, masked, masked_tokens

ORDERS: tuple[Order, ...] = ("single", "model_first", "opponent_first")
KINDS = ("preference", "score", "label", "unreadable")
HOWS: tuple[How, ...] = ("live", "batch", "recorded", "retried", "wasted")
REQUESTS: tuple[type[ChatRequest], type[ScoreRequest]] = (ChatRequest, ScoreRequest)
TOKENS = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens",
    "reasoning_tokens",
)  # fmt: skip
VERDICT = ("winner", "kind", "value", "p", "low", "high", "label", "parts", "reason")
"""A verdict as columns; ``label`` and ``reason`` are numbers in a table, and texts here."""

_Spec = TypeVar("_Spec", ModelSpec, JudgeSpec, Runtime, RunManifest)


# text -------------------------------------------------------------------------------------------


def stored_text(body: str, exact: bytes | None) -> str:
    return body if exact is None else exact.decode("utf-8", "surrogatepass")


def readable(text: str) -> str:
    """The text with NUL characters and lone surrogates replaced by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNREADABLE.sub("\ufffd", text)


_UNREADABLE = re.compile("[\0\ud800-\udfff]")


def word(said: str | None) -> str | None:
    """A word of a provider's: short, and nothing of ours hangs on its being exact."""
    return None if said is None else _UNREADABLE.sub("\ufffd", masked(said))


def plain(what: str, text: str) -> str:
    """An identifier, which must be storable as it is."""
    if _UNREADABLE.search(text):
        raise InputError(
            f"{what} {text!r} holds a NUL character or half a surrogate pair, which no name may;"
            " correct it where it comes from"
        )
    return text


# json -------------------------------------------------------------------------------------------


def to_json(value: Any) -> str:
    """JSON that `json.loads` reads back: ASCII only, mappings of any class, nan allowed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_as_json)


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def spec_json(spec: ModelSpec | JudgeSpec | Runtime | RunManifest) -> str:
    return masked(to_json({field.name: getattr(spec, field.name) for field in fields(spec)}))


def read_spec(kind: type[_Spec], text: str) -> _Spec:
    return kind(**json.loads(text))


@lru_cache(maxsize=1024)  # the same few, over and over
def read_names(text: str) -> tuple[str, ...]:
    """Names that were kept as JSON: marks, and parameters that were left out."""
    return tuple(json.loads(text))


# items ------------------------------------------------------------------------------------------


def question(item: Item) -> dict[str, Any]:
    """What is asked and what is right; hashes are made of it, so what is not said is left out."""
    said = {
        "turns": [(turn.role, turn.content) for turn in item.turns],
        "references": item.references,
        "options": item.options or None,
        "subcategory": item.subcategory,
    }
    return {name: value for name, value in said.items() if value is not None}


def item_json(item: Item) -> str:
    more = {"language": item.language, "prompt": item.prompt, "metadata": item.metadata}
    try:
        return to_json(question(item) | more)
    except TypeError as error:
        raise InputError(f"item {item.id!r} of {item.benchmark}: {error}") from error


def read_item(benchmark: str, version: str, item_id: str, category: str | None, text: str) -> Item:
    content = json.loads(text) if text else {"turns": [], "references": [], "metadata": {}}
    return Item(
        benchmark=benchmark,
        version=version,
        id=item_id,
        category=category,
        turns=tuple(Message(role=role, content=said) for role, said in content.pop("turns")),
        references=tuple(content.pop("references")),
        options=tuple(content.pop("options", ())),
        **content,
    )


# replies and responses --------------------------------------------------------------------------


tokens_of = attrgetter(*TOKENS)
"""Of a `Usage`, in their order."""


def logprobs_json(logprobs: Sequence[TokenLogprob]) -> str:
    """Without the tokens of a key, of which none is one by itself, nor what else was likely."""
    hidden = masked_tokens(entry.token for entry in logprobs)
    return to_json(
        [
            (MASKED, entry.logprob, ()) if hides else (entry.token, entry.logprob, entry.top)
            for entry, hides in zip(logprobs, hidden, strict=True)
        ]
    )


def read_logprobs(text: str) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(token=token, logprob=logprob, top=tuple((t, p) for t, p in top))
        for token, logprob, top in json.loads(text)
    )


# requests ---------------------------------------------------------------------------------------


def read_request(kind: int, canonical: str, purpose: str | None) -> Request:
    """A request from its canonical JSON, which is what its key is made of, and its purpose.

    What is no part of the key is lost but for the purpose: hints for caches of prompts. A tuple
    among the parameters comes back as a list.
    """
    said = json.loads(canonical)
    said["messages"] = tuple(Message(**message) for message in said["messages"])
    if "candidates" in said:
        said["candidates"] = tuple(said["candidates"])
    meant = None if purpose is None else read_purpose(purpose)
    return REQUESTS[kind](**said, purpose=meant)


def purpose_json(purpose: Purpose) -> str:
    said = ((field.name, getattr(purpose.place, field.name)) for field in fields(purpose.place))
    place = {name: one.hex() if isinstance(one, bytes) else one for name, one in said}
    return to_json({"run_id": purpose.run_id, "place": place})


def read_purpose(text: str) -> Purpose:
    said = json.loads(text)
    place: dict[str, Any] = {
        name: bytes.fromhex(value) if value is not None and name.endswith("_key") else value
        for name, value in said["place"].items()
    }
    return Purpose(run_id=said["run_id"], place=VerdictSlot(**place))


# verdicts ---------------------------------------------------------------------------------------


_SAYS_NOTHING: dict[str, Any] = dict.fromkeys(VERDICT)


def store_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as `VERDICT` says."""
    match verdict:
        case Preference(winner=winner, p_first=p_first, label=label):
            return {
                **_SAYS_NOTHING,
                "kind": 0,
                "value": _real(p_first),
                "winner": winner,
                "label": None if label is None else masked(label),
            }
        case Score(value=value, low=low, high=high, parts=parts):
            return {
                **_SAYS_NOTHING,
                "kind": 1,
                "value": _real(value),
                "low": _real(low),
                "high": _real(high),
                "parts": to_json(parts) if parts else None,
            }
        case Label(name=name, p=p):
            return {**_SAYS_NOTHING, "kind": 2, "label": masked(name), "p": p}
        case Unreadable(reason=reason):
            return {**_SAYS_NOTHING, "kind": 3, "reason": reason}


def read_verdict(
    winner: int | None,
    kind: int,
    value: float | None,
    p: float | None,
    low: float | None,
    high: float | None,
    label: str | None,
    parts: str | None,
    reason: str | None,
) -> Verdict:
    """A verdict of what `VERDICT` names."""
    match KINDS[kind]:
        case "preference":
            return Preference(winner=winner, p_first=_number(value), label=label)  # type: ignore[arg-type]  # 0, 1 or None was stored
        case "score":
            return Score(
                value=_number(value),
                low=_number(low),
                high=_number(high),
                parts=read_parts(parts) or {},
            )
        case "label":
            return Label(name=label or "", p=p)
        case _:
            return Unreadable(reason=reason or "")


def _real(value: float) -> float | None:
    """SQLite knows no nan: it is NULL in a store, whatever the engine."""
    return None if value != value else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


JUDGED_ELSEWHERE = frozenset({HUMAN, "imported"})


def read_parts(text: str | None) -> dict[str, float] | None:
    return None if text is None else json.loads(text)


def reply_keys(blob: bytes) -> tuple[bytes, ...]:
    return tuple(blob[start : start + 32] for start in range(0, len(blob), 32))
