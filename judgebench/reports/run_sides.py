"""Two runs side by side: what either judged of a benchmark, who corresponds to whom, what differs.

Who corresponds to whom is told by identity, and only then by name. A name finds the counterpart of
what changed, as tonight's checkpoint is that of last night's. That the two are the same is never
told by it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from judgebench.columns import taken as rows_of
from judgebench.metrics.board_kinds import BoardKind, by_board
from judgebench.metrics.scores import with_parts
from judgebench.records import CONFIDENCES, RunManifest
from judgebench.reports.boards import BenchmarkRef, Columns, where
from judgebench.reports.document import json_after, json_field
from judgebench.secret import redact
from judgebench.store.catalog import StoredJudge, StoredModel, distinct_names

# what a run judged ------------------------------------------------------------------------------


class AnswerPlace(NamedTuple):
    """Where an answer stands within a benchmark."""

    model_id: str
    item_id: str
    sample: int
    turn: int


class Answer(NamedTuple):
    """What a model answered: the final text, how it ended, and what it was made with."""

    text: str
    status: str
    stack: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """A run's verdicts on one benchmark.

    boards
        By what is said and, under its id, of comparisons with whom. How sure models are of their
        answers is no board, and left out.
    answers
        The answers that were judged, where the store has them.
    left_out
        How many verdicts are on no board.
    several
        Places with several texts in the store, of which the newest of the run's time was taken.
    contents
        What each item is but for its id; None where only the id is known.
    """

    verdicts: Columns
    boards: Mapping[BoardKind, Columns]
    left_out: int
    answers: Mapping[AnswerPlace, Answer] = field(repr=False)
    several: frozenset[AnswerPlace] = field(repr=False)
    contents: Mapping[str, str | None] = field(repr=False)

    @property
    def models(self) -> set[str]:
        """The ids of those who answered, or were compared with."""
        return {*self.verdicts["model_id"], *self.verdicts["opponent_id"]} - {None}

    @property
    def judges(self) -> set[str]:
        return set(self.verdicts["judge_id"])

    def stacks(self, model_id: str) -> set[str]:
        """What a model's answers were made with."""
        its = (one for place, one in self.answers.items() if place.model_id == model_id)
        return {answer.stack for answer in its if answer.stack is not None}

    def served(self, judge_id: str) -> set[str]:
        """The models that served a judge's replies."""
        said = zip(self.verdicts["judge_id"], self.verdicts["served_model"], strict=True)
        return {served for judge, served in said if judge == judge_id and served}


def side(
    run: RunManifest,
    which: BenchmarkRef,
    verdicts: Columns,
    answers: Columns,
    contents: Mapping[str, str | None],
) -> Side:
    """What a run judged of a benchmark.

    Parameters
    ----------
    verdicts
        Those of the run, as `Store.run_verdicts` gives them.
    answers
        Those of the benchmark, as `Store.responses_table` gives them.
    contents
        What each item is, as `Store.item_contents` says: equal ones are one question.
    """
    kinds = zip(verdicts["judge_kind"], verdicts["sample"], strict=True)
    on_boards = (
        kind not in CONFIDENCES and not (which.first_only and sample) for kind, sample in kinds
    )
    counted = with_parts(where(verdicts, on_boards))
    boards = by_board({**counted, "judge": counted["judge_id"], "opponent": counted["opponent_id"]})
    return Side(
        verdicts,
        {
            kind: {name: rows_of(values, rows) for name, values in counted.items()}
            for kind, rows in boards.items()
        },
        len(verdicts["item_id"]) - len(counted["item_id"]),
        *_answers_of(run, answers, verdicts),
        contents,
    )


def _answers_of(
    run: RunManifest, answers: Columns, verdicts: Columns
) -> tuple[dict[AnswerPlace, Answer], frozenset[AnswerPlace]]:
    """Of several answers at one place the newest that was there when the run ended.

    Which one a run took is not recorded: it never mixes stacks, and takes the newest it can have.
    """
    wanted: set[Any] = set()
    for who in ("model_id", "opponent_id"):
        names = (who, "item_id", "sample", "turn")
        wanted.update(zip(*(verdicts[name] for name in names), strict=True))
    ended = math.inf if run.ended is None else run.ended
    found: dict[AnswerPlace, tuple[tuple[bool, float], Answer]] = {}
    texts: dict[AnswerPlace, set[tuple[str, str]]] = {}
    columns = (*AnswerPlace._fields, "text", "status", "stack", "at")
    for *place, text, status, stack, at in zip(*(answers[name] for name in columns), strict=True):
        there = AnswerPlace(*place)
        if there in wanted:
            texts.setdefault(there, set()).add((text, status))
            rank = (at <= ended, at if at <= ended else -at)
            if there not in found or rank > found[there][0]:
                found[there] = rank, Answer(text, status, stack)
    return (
        {place: answer for place, (_, answer) in found.items()},
        frozenset(place for place, said in texts.items() if len(said) > 1),
    )


# who corresponds to whom ------------------------------------------------------------------------

Stored = TypeVar("Stored", StoredModel, StoredJudge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparts(Generic[Stored]):
    """One in the first run and one in the second; ``label`` means no other pair."""

    label: str = json_field(name="name")
    first: Stored = json_field(hidden=True)
    second: Stored = json_field(hidden=True)

    @property
    @json_after("name")
    def id_a(self) -> str:
        return self.first.id

    @property
    @json_after("id_a")
    def id_b(self) -> str:
        return self.second.id

    @property
    @json_after("id_b")
    def same(self) -> bool:
        """Whether they are one and the same."""
        return self.first.key == self.second.key

    @property
    def shown(self) -> str:
        """The name, marked where the two are not the same."""
        return self.label if self.same else f"{self.label}*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondence(Generic[Stored]):
    """Those of two runs that correspond, and the labels of those that have no counterpart."""

    both: tuple[Counterparts[Stored], ...]
    first_alone: Sequence[str]
    second_alone: Sequence[str]


def correspondence(
    first: Sequence[Stored],
    second: Sequence[Stored],
    names: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Correspondence[Stored]:
    """Match what two runs had.

    Parameters
    ----------
    first, second
        The models, or the judges, of either run.
    names
        What things were called in either run: of several names of one thing, that one counts.
    """
    after = {one.key: one for one in second}
    pairs = [(one, after[one.key]) for one in first if one.key in after]
    known: set[bytes] = {one.key for one, _ in pairs}

    def name(one: Stored, called: Sequence[str]) -> str:
        return next((own for own in one.names if own in called), one.name)

    def by_name(some: Sequence[Stored], called: Sequence[str]) -> dict[str, Stored]:
        """Those that alone go by their name and have no counterpart."""
        left = [(name(one, called), one) for one in some if one.key not in known]
        times = Counter(own for own, _ in left)
        return {own: one for own, one in left if times[own] == 1}

    left, right = by_name(first, names[0]), by_name(second, names[1])
    pairs += [(one, right[own]) for own, one in left.items() if own in right]
    known |= {one.key for pair in pairs for one in pair}
    labels: dict[str, str] = distinct_names(
        {one.id: name(one, names[1]) for _, one in pairs}
        | {one.id: name(one, names[0]) for one in first if one.key not in known}
        | {one.id: name(one, names[1]) for one in second if one.key not in known}
    )
    both = [Counterparts(label=labels[b.id], first=a, second=b) for a, b in pairs]
    first_alone, second_alone = (
        sorted(labels[one.id] for one in some if one.key not in known) for some in (first, second)
    )
    return Correspondence(
        both=tuple(sorted(both, key=lambda pair: pair.label)),
        first_alone=first_alone,
        second_alone=second_alone,
    )


# what differs -----------------------------------------------------------------------------------


class Change(NamedTuple):
    """A field that differs, of which part of a run; both values as text, None where absent."""

    part: str
    field: str
    in_a: str | None
    in_b: str | None

    @property
    def row(self) -> str:
        """Which kind of row it is, beside what moved."""
        return "changed"


def changes(part: str, first: Any, second: Any) -> list[Change]:
    """The fields in which two values differ, in the order of the first.

    Lists of things with a ``name`` are compared name by name, so that one more of them is one
    difference; other lists as wholes. What is empty is as if it were absent. What looks like a key
    is not shown.
    """
    before, after = dict(_fields(first)), dict(_fields(second))
    found = []
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name) or None, after.get(name) or None
        if one != other:
            hidden, shown = (text and redact(text) for text in (one, other))
            shown = f"{shown} (another one)" if hidden == shown else shown
            found.append(Change(part, name, hidden, shown))
    return found


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}" if path else str(name))
    elif (named := _by_name(value)) is not None:
        for name, inner in named.items():
            yield from _fields(inner, f"{path}[{name}]")
    elif value is not None and value != []:
        text = isinstance(value, str)
        yield path, value if text else json.dumps(value, ensure_ascii=False, default=str)


def _by_name(value: Any) -> dict[str, Any] | None:
    """The elements of a list by their names, without these; None where it is not such a list."""
    if not isinstance(value, list | tuple) or not value:
        return None
    if not all(isinstance(one, Mapping) and "name" in one for one in value):
        return None
    found = {
        str(one["name"]): {k: v for k, v in one.items() if k != "name"} or "there" for one in value
    }
    return found if len(found) == len(value) else None
