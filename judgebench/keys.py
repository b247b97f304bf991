"""Content keys: equal content, equal key. Cache, resume and de-duplication are this one idea.

A key is the SHA-256 of a kind and the canonical JSON of everything that could change the answer.
``tests/changes/test_keys.py`` holds a few of them, so that none changes unnoticed: a changed key
means that everything already paid for is asked again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from judgebench.records import (
    Case,
    ChatRequest,
    Item,
    JudgeSpec,
    Message,
    ModelSpec,
    Request,
    Runtime,
)


def canonical_json(value: Any) -> str:
    """JSON with one spelling for equal content.

    Fields of a record that stand at their default are left out, so that a field added by a later
    release changes no key that exists; so are hints that are no part of what the record says.
    Names are sorted, nothing is padded, text stays as it is (no Unicode normalisation: other text
    is another question), and a float without a fraction is written as an integer, since YAML's
    ``0`` and ``0.0`` mean the same temperature.

    Raises
    ------
    TypeError
        For a value that JSON has no place for.
    ValueError
        For nan and infinity.
    """
    return _CANONICAL.encode(_plain(value))


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


_AS_IT_IS = frozenset((str, int, bool, type(None)))


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _AS_IT_IS:
        return value
    if (told := _told(kind)) is not None:
        return {
            name: element if type(element) in _AS_IT_IS else _plain(element)
            for name, default in told
            if (element := getattr(value, name)) != default
        }
    # Plain lists and objects first: to ask what else something is takes longer than to write it.
    if kind is list or kind is tuple or isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    if kind is dict or isinstance(value, Mapping):
        if named := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"a key's names are text, not {type(named[0]).__name__}")
        return {key: _plain(element) for key, element in value.items()}
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be part of a key")
        return int(value) if value.is_integer() else value
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} cannot be part of a key")


@cache
def _told(kind: type[Any]) -> tuple[tuple[str, Any], ...] | None:
    """Names and defaults of the fields of a record that say something; None of what is none."""
    if not is_dataclass(kind):
        return None
    said: list[tuple[str, Any]] = []
    for field in (field for field in fields(kind) if field.compare):
        makes = field.default_factory
        said.append((field.name, makes() if callable(makes) else field.default))
    return tuple(said)


def content_key(kind: str, value: Any) -> bytes:
    """SHA-256 (32 bytes) of a kind and a value's canonical JSON."""
    text = f"{kind}\n{canonical_json(value)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def list_key(kind: str, values: Iterable[Any]) -> bytes:
    """`content_key` of a list, without a copy of all of it: for a hundred thousand answers, say."""
    digest = hashlib.sha256(f"{kind}\n[".encode())
    for number, value in enumerate(values):
        text = f",{canonical_json(value)}" if number else canonical_json(value)
        digest.update(text.encode("utf-8", "surrogatepass"))
    digest.update(b"]")
    return digest.digest()


def text_sha(text: str) -> str:
    """SHA-256 of a text as 64 hex digits; how prompts are known."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def model_key(spec: ModelSpec) -> bytes:
    return content_key("model", spec)


def judge_key(spec: JudgeSpec) -> bytes:
    return content_key("judge", spec)


def stack_key(stack: Runtime) -> bytes:
    return content_key("stack", stack)


def response_key(
    model: bytes, turns: tuple[Message, ...], prompt: str | None, *, sample: int = 0, turn: int = 0
) -> bytes:
    """The key of one answer: who answers, what is asked up to this turn, which repeat."""
    asked = {"model": model, "turns": turns, "prompt": prompt, "sample": sample, "turn": turn}
    return content_key("response", asked)


def answer_keys(model: bytes, item: Item, *, sample: int = 0) -> tuple[bytes, ...]:
    """The keys of a model's answers to an item, one for each turn that it answers."""
    return tuple(
        response_key(model, item.turns, item.prompt, sample=sample, turn=turn)
        for turn in range(item.n_answers)
    )


def request_key(request: Request) -> bytes:
    """The key of a recorded reply: all that is in the question, nothing of how it is read."""
    return asked(request)[0]


def asked(request: Request) -> tuple[bytes, str]:
    """The key of a question's reply, and the canonical JSON that it is made of."""
    kind = "request" if isinstance(request, ChatRequest) else "score request"
    text = _CANONICAL.encode(_plain(request))
    return hashlib.sha256(f"{kind}\n{text}".encode("utf-8", "surrogatepass")).digest(), text


def case_key(case: Case) -> bytes:
    """The key of what a judge sees. Two identical questions of two benchmarks are one case."""
    seen: dict[str, Any] = {
        "turns": case.item.turns,
        "references": case.item.references,
        "category": case.item.category,
        "language": case.item.language,
        "answers": [[r.text, r.status, r.turn, *r.before] for r in case.responses],
        "instructions": case.instructions,
    }
    if case.item.options:  # left out elsewhere, so that they changed no key when they came
        seen["options"] = case.item.options
    if case.item.subcategory is not None:
        seen["subcategory"] = case.item.subcategory
    if case.fields:
        seen["fields"] = case.fields
    return content_key("case", seen)


def judgment_key(
    judge: bytes, case: bytes, *, repeat: int = 0, occasion: str | None = None
) -> bytes:
    """The key of an elementary judgment. The order shown is part of the case.

    ``occasion`` is when it was asked afresh; left out elsewhere, so that it changed no key.
    """
    asked: dict[str, Any] = {"judge": judge, "case": case, "sample": repeat}
    if occasion is not None:
        asked["occasion"] = occasion
    return content_key("judgment", asked)
