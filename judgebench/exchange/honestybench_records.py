"""HonestyBench's own record of a model on a set: one question a row, with everything said of it.

A record has the greedy answer with its log-probabilities, twenty samples, whether each of these is
correct, and whether each sample says the same as the greedy answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgebench.errors import InputError
from judgebench.rows import Row, each_row

DOMAINS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("nq", "tq", "hq", "2wiki", "pararel"), "in-domain")
    | dict.fromkeys(("squad", "webq", "cwq", "musique", "popqa"), "ood")
)
"""The sets, and whether each belongs to those that heads are trained on."""

_CALLED: Mapping[str, str] = MappingProxyType(
    {name: name for name in DOMAINS}
    | {
        "triviaqa": "tq",
        "hotpotqa": "hq",
        "2wikimultihopqa": "2wiki",
        "pararel_patterns": "pararel",
        "web_questions": "webq",
        "webquestions": "webq",
        "complex_web_questions": "cwq",
    }
)
_NAMES = sorted(_CALLED, key=len, reverse=True)
_A_SET = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, _NAMES))})(?![a-z0-9])")

REQUIRED = ("question", "answer", "greedy_response")
_CLOSE = 1e-2  # a sum of logarithms of low precision may be so far off, relative to itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One question with what a model answered, and what was said of that.

    logprob, tokens
        Of the greedy answer; None where the file does not say.
    correct
        Of the greedy answer and then of each sample; None where nobody said.
    consistent
        Of each sample.
    """

    row: Row
    question: str
    accepted: tuple[str, ...]
    greedy: str
    samples: tuple[str, ...]
    logprob: float | None
    tokens: int | None
    correct: tuple[bool | None, ...]
    consistent: tuple[bool | None, ...]


def read_records(path: Path) -> list[Record]:
    """All records of a file.

    Raises
    ------
    InputError
        Naming row and field of what cannot be used.
    """
    return [_record(row) for row in each_row(path, REQUIRED)]


def model_and_set(path: Path, model: str | None, set_name: str | None) -> tuple[str, str]:
    """Whose answers a file has to which set: as told, else as the file and its folders are called.

    The set is named by the file or one of the two folders above it; the folder above what names
    the set is called like the model.

    Raises
    ------
    InputError
        Where the names do not say; with the option that does.
    """
    folders = [folder.name for folder in path.resolve().parents]
    found, above = set_name, 0
    if found is None:
        places = [path.stem, *folders[:2]]
        found, above = _named_set(places)
    if found is None:
        raise InputError(
            f"{path}: neither the file nor the folders above it are called like one of "
            f"HonestyBench's sets ({', '.join(DOMAINS)}); --set NAME says which one it is"
        )
    if model is not None:
        return model, found
    if len(folders) <= above or not folders[above]:
        raise InputError(
            f"{path}: no folder is called like the model; --model NAME says whose answers these are"
        )
    return folders[above], found


def _named_set(places: Sequence[str]) -> tuple[str | None, int]:
    """The set that the first of some names, upwards, is called like, and which of them it was."""
    for place, called in enumerate(places):
        named = {_CALLED[name] for name in _A_SET.findall(called.lower())}
        if len(named) == 1:
            return named.pop(), place
    return None, 0


def _record(row: Row) -> Record:
    samples = tuple(_texts(row, "sampling_response"))
    n = len(samples)
    logprob, tokens = _logprob(row)
    return Record(
        row=Row(row.where, {}),  # what else stands there would be held as well
        question=row.text("question"),
        accepted=_accepted(row),
        greedy=row.long_text("greedy_response"),
        samples=samples,
        logprob=logprob,
        tokens=tokens,
        correct=(
            _yes_or_no(row, "greedy_correctness", row.values.get("greedy_correctness")),
            *_of_samples(row, "sampling_correctness", n),
        ),
        consistent=_of_samples(row, "consistency_judgement", n),
    )


def _accepted(row: Row) -> tuple[str, ...]:
    found = _texts(row, "answer")
    if not found:
        raise row.wrong("answer", "a list of accepted answers has to stand here")
    return tuple(found)


def _texts(row: Row, field: str) -> list[str]:
    values = _values(row, field)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise row.wrong(field, f"element {i}: a text has to stand here, not {value!r:.60}")
    return values


def _values(row: Row, field: str) -> list[Any]:
    values = row.values.get(field)
    if values is None:
        return []
    if not isinstance(values, list):
        raise row.wrong(field, f"a list has to stand here, not {values!r:.60}")
    return values


def _of_samples(row: Row, field: str, n: int) -> tuple[bool | None, ...]:
    values = _values(row, field)
    if not values:
        return (None,) * n
    if len(values) != n:
        raise row.wrong(field, f"{len(values)} verdicts about {n} samples (sampling_response)")
    return tuple(_yes_or_no(row, field, value, i) for i, value in enumerate(values))


def _yes_or_no(row: Row, field: str, value: Any, place: int | None = None) -> bool | None:
    if value is None:
        return None
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    where = "" if place is None else f"element {place}: "
    raise row.wrong(field, f"{where}0 or 1 has to stand here, not {value!r:.60}")


def _logprob(row: Row) -> tuple[float | None, int | None]:
    """Of the greedy answer, the log-probability and how many tokens it is of."""
    each = _values(row, "greedy_logprobs")
    tokens = row.values.get("greedy_tokens")
    if isinstance(tokens, list):
        n: int | None = len(tokens)
    else:
        n = row.whole("greedy_tokens") if row.has("greedy_tokens") else None
    if each and n is None:
        n = len(each)
    if each and n != len(each):
        raise row.wrong("greedy_logprobs", f"{len(each)} numbers for {n} tokens (greedy_tokens)")
    for i, one in enumerate(each):
        if isinstance(one, bool) or not isinstance(one, (int, float)) or not one <= _CLOSE:
            raise row.wrong(
                "greedy_logprobs", f"element {i}: a number of at most 0, not {one!r:.60}"
            )
    if not row.has("greedy_cumulative_logprobs"):
        return (min(math.fsum(each), 0.0) if each else None), n
    total = row.number("greedy_cumulative_logprobs")
    if total > _CLOSE:
        raise row.wrong("greedy_cumulative_logprobs", f"at most 0, not {total:g}")
    if each and not math.isclose(math.fsum(each), total, rel_tol=_CLOSE, abs_tol=_CLOSE):
        raise row.wrong(
            "greedy_cumulative_logprobs",
            f"{total:g}, but greedy_logprobs sum to {math.fsum(each):g}",
        )
    return min(total, 0.0), n
