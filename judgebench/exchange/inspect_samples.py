"""A sample of Inspect's: what was asked, what came back, what the scorers said of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.errors import InputError
from judgebench.exchange.evaluations import Answer, Mark, Sample
from judgebench.exchange.inspect_logs import Raw, each_sample
from judgebench.records import (
    MOST_TOKENS,
    Item,
    JsonObject,
    Message,
    ResponseStatus,
    Role,
    Usage,
)
from judgebench.secret import redact
from judgebench.template import MOST_OPTIONS, letters, reference_to
from judgebench.workers.backends import Generated
from judgebench.workers.final_answer import read_answer

GRADES: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Correct, incorrect, partially correct, no answer: as Inspect's accuracy counts them."""
_WORDS: Mapping[str, float] = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_CUT = frozenset({"max_tokens", "model_length"})
_REFUSED = "content_filter"
_ATTACHED = "attachment://"
_LONGEST_NAME = 200
_LONGEST_MESSAGE = 2000
_ROLES: Mapping[str, Role] = {"system": "system", "assistant": "assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """A log's samples, and as what they are read; ``judges`` tells a scorer's name as a judge."""

    path: Path
    benchmark: str
    version: str
    judges: Mapping[str, str]

    def __call__(self) -> Iterator[Sample]:
        for where, raw in each_sample(self.path):
            yield self._sample(where, raw)

    def _sample(self, where: str, raw: Raw) -> Sample:
        epoch = raw.get("epoch", 1)
        if isinstance(epoch, bool) or not isinstance(epoch, int) or not 1 <= epoch < 2**31:
            raise InputError(f"{where}: epoch: a whole number from 1, not {epoch!r:.40}")
        number = epoch - 1
        item = self._item(where, raw)
        error = raw.get("error")
        if error is not None and not raw.get("scores"):  # some are scored all the same
            return Sample(where=where, item=item, sample=number, failure=_message(error))
        return Sample(
            where=where,
            item=item,
            sample=number,
            answers=_answers(raw, number),
            marks=dict(self._marks(where, raw)),
        )

    def _item(self, where: str, raw: Raw) -> Item:
        item_id = _id(raw.get("id"))
        if item_id is None:
            raise InputError(f"{where}: id: a text or a number has to stand here")
        options = _texts(raw.get("choices"))
        metadata = _metadata(raw.get("metadata"))
        return Item(
            benchmark=self.benchmark,
            version=self.version,
            id=item_id,
            turns=_turns(where, raw),
            references=_references(raw.get("target"), options),
            category=metadata.pop("category", None),
            options=options,
            metadata=metadata,
        )

    def _marks(self, where: str, raw: Raw) -> Iterator[tuple[str, Mark]]:
        scores = raw.get("scores")
        if scores is None:
            return
        if not isinstance(scores, dict):
            raise InputError(f"{where}: scores: an object has to stand here")
        for scorer, score in scores.items():
            if not isinstance(score, dict):
                raise InputError(f"{where}: scores: {scorer!r:.60}: an object has to stand here")
            judge = self.judges.get(scorer) or judge_name(scorer)
            value, reason = score.get("value"), score.get("reason")
            if isinstance(value, dict):
                for part, one in value.items():
                    yield f"{judge}/{part}", _mark(one, reason)
            else:
                yield judge, _mark(value, reason)


def judge_name(scorer: str, grader: str | None = None) -> str:
    """Who a scorer's scores are kept under: the model that graded, where the log names it."""
    return f"inspect/{scorer}" if grader is None else f"{grader} (inspect/{scorer})"


def _mark(value: Any, reason: Any) -> Mark:
    """A score as a number, as Inspect's own metrics read it; what they could not is unreadable."""
    if isinstance(value, str):
        if value in GRADES:
            return Mark(value=GRADES[value], unit=True)
        if (word := value.strip().lower()) in _WORDS:
            return Mark(value=_WORDS[word], unit=True)
    number = math.nan
    if isinstance(value, (bool, int, float, str)):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if math.isfinite(number):
        return Mark(value=number)
    said = f"{reason:.200}: " if isinstance(reason, str) and reason else ""
    return Mark(value=None, reason=f"{said}{value!r:.40} is no number")


def _message(error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return redact((said if isinstance(said, str) else repr(said))[:_LONGEST_MESSAGE])


# what was asked ---------------------------------------------------------------------------------


def _turns(where: str, raw: Raw) -> tuple[Message, ...]:
    given = raw.get("input")
    if isinstance(given, str):
        return (Message(role="user", content=_attached(given, raw)),)
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise InputError(f"{where}: input: a text or a list of messages has to stand here")
    turns = tuple(
        Message(
            role=_ROLES.get(str(one.get("role")), "user"),
            content=_attached(_content(one.get("content"))[0], raw),
        )
        for one in given
    )
    if any(turn.role == "user" for turn in turns):
        return turns
    return (Message(role="user", content="\n\n".join(turn.content for turn in turns)),)


def _content(given: Any) -> tuple[str, str | None]:
    """The text of a message, and what was thought aloud before it.

    What is no text is named: ``[image]``.
    """
    if isinstance(given, str):
        return given, None
    texts, thoughts = [], []
    for part in given if isinstance(given, list) else ():
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        said = part.get(kind) if kind in ("text", "reasoning") else None
        if kind == "reasoning":
            thoughts.append(said if isinstance(said, str) else "")
        else:
            texts.append(said if isinstance(said, str) else f"[{kind}]")
    return "\n".join(texts), "\n".join(thoughts) if thoughts else None


def _attached(text: str, raw: Raw) -> str:
    """Inspect keeps a long text once, and names it where it stood."""
    if not text.startswith(_ATTACHED):
        return text
    kept = raw.get("attachments")
    found = kept.get(text.removeprefix(_ATTACHED)) if isinstance(kept, dict) else None
    return found if isinstance(found, str) else text


def _references(target: Any, options: Sequence[str]) -> tuple[str, ...]:
    """The target; of options it is the letter of the right one."""
    targets = (target,) if isinstance(target, str) else _texts(target)
    if not 0 < len(options) <= MOST_OPTIONS:
        return tuple(text for text in targets if text)
    known = letters(len(options))
    return tuple(
        reference_to(options, known.index(text)) if len(text) == 1 and text in known else text
        for text in targets
        if text
    )


def _texts(given: Any) -> tuple[str, ...]:
    return tuple(one for one in given if isinstance(one, str)) if isinstance(given, list) else ()


def _metadata(given: Any) -> dict[str, str]:
    """What items can be grouped by: short texts."""
    if not isinstance(given, dict):
        return {}
    return {name: value for name, value in given.items() if _is_name(name) and _is_name(value)}


def _id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if _is_name(value) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST_NAME


# what came back ---------------------------------------------------------------------------------


def _answers(raw: Raw, number: int) -> tuple[Answer, ...]:
    """The last output; nothing where the model was never asked."""
    output = raw.get("output")
    choices = output.get("choices") if isinstance(output, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return ()
    message = choices[0].get("message")
    said, thought = _content(message.get("content") if isinstance(message, dict) else None)
    said = _attached(said, raw)
    reason = choices[0].get("stop_reason")
    reason = reason if isinstance(reason, str) else None
    cut = reason in _CUT
    ended = "length" if cut else None if reason == _REFUSED else reason
    final = read_answer(Generated(raw=said, finish_reason=ended), prompt="")
    status: ResponseStatus = "refused" if reason == _REFUSED else final.status
    return (
        Answer(
            text=final.text,
            raw=said,
            sample=number,
            status=status,
            reasoning=final.reasoning or thought,
            finish_reason="length" if cut else reason,
            usage=_usage(output.get("usage") if isinstance(output, dict) else None),
        ),
    )


def _usage(given: Any) -> Usage:
    """Inspect counts what was read from a cache apart from the input."""
    said: JsonObject = given if isinstance(given, dict) else {}
    read, written = (
        _count(said, "input_tokens_cache_read"),
        _count(said, "input_tokens_cache_write"),
    )
    asked = _count(said, "input_tokens")
    whole = None if asked is None else asked + (read or 0) + (written or 0)
    return Usage(
        prompt_tokens=None if whole is None or whole > MOST_TOKENS else whole,
        completion_tokens=_count(said, "output_tokens"),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=_count(said, "reasoning_tokens"),
    )


def _count(said: JsonObject, name: str) -> int | None:
    found = said.get(name)
    whole = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MOST_TOKENS
    return found if whole else None
