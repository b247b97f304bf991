"""What changed between two runs, and what moved: metrics, answers, and verdicts that flipped.

Two runs side by side: what either judged of a benchmark, who corresponds to whom, what differs.

Who corresponds to whom is told by identity, and only then by name. A name finds the counterpart of
what changed, as tonight's checkpoint is that of last night's. That the two are the same is never
told by it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from judgebench.columns import coded, counted, grouped, marked, paired, select_rows
from judgebench.metrics.accuracy import of_rate
from judgebench.metrics.board_kinds import BoardKind, by_board
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import by_turn, tags
from judgebench.metrics.paired import before_and_after
from judgebench.metrics.registry import metric
from judgebench.metrics.scores import with_parts
from judgebench.metrics.verdict_table import verdict_values
from judgebench.metrics.win_rate import NEAR, WEIGHTED, outcome
from judgebench.plain_text import counted as in_words
from judgebench.records import CONFIDENCES, HUMAN, Estimate, Item, RunManifest
from judgebench.reports.board_data import IMPORTED, balance_of, figures, groups_of
from judgebench.reports.boards import BenchmarkRef, Columns, benchmark_ref, where
from judgebench.reports.document import (
    OfBenchmark,
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.reports.estimates import UNDEFINED, finite, text
from judgebench.secret import redact
from judgebench.store.catalog import StoredJudge, StoredModel, distinct_names
from judgebench.store.store import Store

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
        said = counted(self.verdicts["judge_id"], self.verdicts["served_model"])
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
    on_boards = marked(
        paired(verdicts["judge_kind"], verdicts["sample"]),
        lambda one: one[0] not in CONFIDENCES and not (which.first_only and one[1]),
    )
    its = with_parts(where(verdicts, on_boards))
    boards = by_board({**its, "judge": its["judge_id"], "opponent": its["opponent_id"]})
    return Side(
        verdicts,
        {kind: select_rows(its, rows) for kind, rows in boards.items()},
        len(verdicts["item_id"]) - len(its["item_id"]),
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
    for *place, said, status, stack, at in zip(*(answers[name] for name in columns), strict=True):
        there = AnswerPlace(*place)
        if there in wanted:
            texts.setdefault(there, set()).add((said, status))
            rank = (at <= ended, at if at <= ended else -at)
            if there not in found or rank > found[there][0]:
                found[there] = rank, Answer(said, status, stack)
    return (
        {place: answer for place, (_, answer) in found.items()},
        frozenset(place for place, ways in texts.items() if len(ways) > 1),
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


THERE, NOT_THERE = "there", "not there"
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}")
_Place = tuple[str, int, int]  # item, sample, turn

Models = Counterparts[StoredModel]
Judges = Counterparts[StoredJudge]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Of the verdicts that both runs have, how many say something else, and on which answers.

    A label flips to another label, a comparison to another winner; a score flips when it is another
    number. On the same answer it was the judge who moved; of other answers one at least differs;
    unknown ones the store lacks. ``unreadable_a`` says how many of them could not be read in the
    first run, ``unreadable_b`` in the second.
    """

    verdicts: int
    on_same_answer: int = 0
    on_other_answer: int = 0
    on_unknown_answer: int = 0
    unreadable_a: int = 0
    unreadable_b: int = 0

    @property
    @json_after("verdicts")
    def flipped(self) -> int:
        return self.on_same_answer + self.on_other_answer + self.on_unknown_answer

    @property
    def unreadable(self) -> str:
        before, after = self.unreadable_a, self.unreadable_b
        return f"{before} to {after}" if before or after else ""


class Items(NamedTuple):
    """How many items both runs have of a benchmark, the first alone, and the second alone."""

    both: int
    a_alone: int
    b_alone: int


class Answers(NamedTuple):
    """Answers that both runs judged and that can be compared, and those of them that differ.

    Those of an opponent are not counted.
    """

    compared: int
    differ: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange(OfBenchmark):
    """One model before one judge, in both runs.

    opponent
        Whose answers the model's are compared with; None where it stands alone.
    metric
        What its board ranks by: ``accuracy``, ``score`` or, in percent, ``win_rate``; of refusal
        and harm, of which no number ranks, each of their figures.
    a, b, difference
        Of the items that both have, and the second less the first.
    """

    judge: Judges
    model: Models
    opponent: Models | None
    metric: str
    items: Items
    a: Estimate
    b: Estimate
    difference: Estimate
    answers: Answers
    flips: Flips

    row: ClassVar[str] = "moved"

    @property
    def board(self) -> tuple[str, str, str]:
        return self.benchmark, self.version, self.metric

    @property
    def pairs(self) -> list[Counterparts[Any]]:
        return [self.judge, self.model, *([] if self.opponent is None else [self.opponent])]

    @property
    def anything(self) -> bool:
        """Whether anything is not as it was."""
        flips = self.flips
        otherwise = flips.flipped or self.answers.differ or self.difference.value
        return bool(otherwise or flips.unreadable_a != flips.unreadable_b)


def _ids(who: str) -> tuple[tuple[str, str], ...]:
    return (who, f"{who}.name"), (f"{who}_id_a", f"{who}.id_a"), (f"{who}_id_b", f"{who}.id_b")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff(Report):
    """Two runs: what was set up otherwise, and what came out otherwise.

    changed
        Fields of the configuration as written, versions, commit, data and seeds; who is in one run
        alone; and of models and judges that both have what they are, by whom they were served and
        what they ran on.
    moved
        Every model before every judge that both runs have, on each benchmark.
    left_out
        How many verdicts say how sure a model is, which have no board.
    """

    ROWS: ClassVar = (
        Rows(of="changed", row=("row", "part", "field", "in_a", "in_b")),
        Rows(
            of="moved",
            row=(
                "row", "benchmark", "version", *_ids("judge"), *_ids("model"), *_ids("opponent"),
                "metric", ("in_a", "a.value"), ("in_b", "b.value"),
                Spread("difference", prefix="difference_"), ("items", "items.both"),
                ("answers", "answers.compared"), ("answers_differ", "answers.differ"),
                Spread("flips"),
            ),
        ),
    )  # fmt: skip

    first: RunManifest = json_field(hidden=True)
    second: RunManifest = json_field(hidden=True)
    changed: tuple[Change, ...]
    moved: tuple[ModelChange, ...]
    left_out: int = 0

    @property
    @json_after("")
    def a(self) -> dict[str, Any]:
        return _run(self.first)

    @property
    @json_after("a")
    def b(self) -> dict[str, Any]:
        return _run(self.second)

    def tables(self) -> list[Table]:
        """What changed between the runs, and for each benchmark what moved."""
        return [self._changed(), *self._moved()]

    def _changed(self) -> Table:
        def shown(value: str | None) -> str:
            """Hashes are cut to what tells them apart; JSON and CSV have all of them."""
            return UNDEFINED if value is None else _HASH.sub(r"\1…", value)

        nothing = (
            "nothing changed: A and B are one and the same run"
            if self.first.id == self.second.id
            else "nothing changed: configuration, versions, commit, data, seeds, models, judges "
            "and what they ran on are the same"
        )
        return table(
            "what changed",
            self.changed,
            [
                column("part", lambda one: one.part, wraps=True),
                column("field", lambda one: one.field, wraps=True),
                column("in A", lambda one: shown(one.in_a), wraps=True),
                column("in B", lambda one: shown(one.in_b), wraps=True),
            ],
            subtitle=f"A: {_told(self.first)}; B: {_told(self.second)}",
            notes=[
                *([] if self.changed else [nothing]),
                *_troubles("A", self.first),
                *_troubles("B", self.second),
            ],
        )

    def _moved(self) -> list[Table]:
        left = (
            f"{in_words(self.left_out, 'verdict')} on how sure models are of their answers are not "
            "compared here; `judgebench confidence` reports them"
        )
        rest = [left] if self.left_out else []
        if not self.moved:
            said = "; ".join(
                [
                    "nothing can be compared: no benchmark has verdicts of one judge on one model "
                    "in both runs",
                    *rest,
                ]
            )
            return [Table(title="what moved", columns=[], rows=[], notes=[said])]
        if not any(moved.anything for moved in self.moved):
            n = sum(moved.flips.verdicts for moved in self.moved)
            said = (
                f"nothing moved: {in_words(n, 'verdict')} and the answers under them are the same"
            )
            return [Table(title="what moved", columns=[], rows=[], notes=[said, *rest])]
        boards = grouped((moved.board, moved) for moved in self.moved)
        last = next(reversed(boards))
        return [_board_table(rows, rest if board == last else []) for board, rows in boards.items()]


def _run(run: RunManifest) -> dict[str, Any]:
    names = ("id", "name", "state", "started", "ended", "counts")
    return {name: getattr(run, name) for name in names}


def _told(run: RunManifest) -> str:
    started = datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    state = "" if run.state == "done" else f", {run.state}"
    return f"{run.id} ({run.name}, {started}{state})"


def _troubles(which: str, run: RunManifest) -> list[str]:
    """What may be missing of a run."""
    said = [f"{n} {name}" for name in ("failed", "waiting") if (n := run.counts.get(name))]
    if run.state != "done":
        said.append(f"the run is {run.state}")
    return [f"warning: {which}: {', '.join(said)}; what is missing has not moved"] if said else []


def _board_table(rows: Sequence[ModelChange], rest: Sequence[str]) -> Table:
    one, about = rows[0], metric(rows[0].metric)
    digits, unit = about.digits, f" {about.unit}".rstrip()
    on = ["same", "other", *(["unknown"] if any(r.flips.on_unknown_answer for r in rows) else [])]

    def value(estimate: Estimate) -> str:
        return UNDEFINED if finite(estimate.value) is None else f"{estimate.value:.{digits}f}"

    def flips(row: ModelChange) -> str:
        its = row.flips
        counts = (its.on_same_answer, its.on_other_answer, its.on_unknown_answer)[: len(on)]
        return f"{'/'.join(map(str, counts))} of {its.verdicts}"

    def new_answers(row: ModelChange) -> str:
        return f"{row.answers.differ} of {row.answers.compared}" if row.answers.compared else ""

    def missing(row: ModelChange) -> str:
        return f"{row.difference.missing:,}" if row.difference.missing else ""

    spare: Any = {"optional": True, "spare": True, "align": "right"}
    return table(
        f"what moved on {one.place}: {one.metric.replace('_', ' ')}{unit}",
        rows,
        [
            column("judge", lambda row: row.judge.shown, wraps=True),
            column("model", lambda row: row.model.shown, wraps=True),
            column(
                "against",
                lambda row: "" if row.opponent is None else row.opponent.shown,
                optional=True,
                wraps=True,
            ),
            column("A", lambda row: value(row.a), align="right"),
            column("B", lambda row: value(row.b), align="right"),
            column(
                f"B - A [{one.difference.level:.0%}]",
                lambda row: text(row.difference, digits=digits, signed=True),
                align="right",
            ),
            column("new answers", new_answers, **spare),
            column(f"flips {'/'.join(on)}", flips, align="right"),
            column("missing", missing, **spare),
            column("unreadable", lambda row: row.flips.unreadable, **spare),
        ],
        subtitle="on the items that both runs have, paired by item",
        notes=[*_notes(rows), *rest],
    )


def _notes(rows: Sequence[ModelChange]) -> Iterator[str]:
    if any(row.flips.flipped for row in rows):
        unknown = any(row.flips.on_unknown_answer for row in rows)
        yield (
            "flips: verdicts that say something else in B, on the same answer (the judge moved) "
            "and on another one (the model may have)"
            f"{'; unknown: the store lacks an answer' if unknown else ''}"
        )
    if any(not pair.same for row in rows for pair in row.pairs):
        yield "*: of the same name, and not the same thing; `what changed` says how it differs"
    for both, first, second in sorted({row.items for row in rows}):
        if first or second:
            yield (
                f"{in_words(both, 'item')} are in both runs, {first:,} in A alone and {second:,} "
                "in B alone"
            )
    undefined = {row.difference.undefined: row for row in rows if row.difference.undefined}
    for reason, row in undefined.items():
        yield f"{UNDEFINED} {row.model.label}, judged by {row.judge.label}: {reason}"


# two runs ---------------------------------------------------------------------------------------


class _Sides(NamedTuple):
    """What two runs have of one benchmark; one of them at least has something."""

    which: BenchmarkRef
    first: Side | None
    second: Side | None


def run_diff(
    store: Store, first: RunManifest, second: RunManifest, *, intervals: Intervals | None = None
) -> RunDiff:
    """Compare two runs of a store.

    Each run's own verdicts are compared, whatever other runs came later. Who corresponds to whom is
    told by what they are: a model or a judge that goes by another name is the same, and one that
    only has the same name is compared as a changed one.
    """
    sides = [pair for name in store.benchmarks() if (pair := _sides(store, name, first, second))]
    before = [one.first for one in sides if one.first is not None]
    after = [one.second for one in sides if one.second is not None]

    def both(known: Sequence[Stored], part: str) -> Correspondence[Stored]:
        one, other = (
            [one for one in known if any(one.id in getattr(its, part) for its in run)]
            for run in (before, after)
        )
        return correspondence(one, other, (_named(first, part), _named(second, part)))

    models, judges = both(store.models(), "models"), both(store.judges(), "judges")
    return RunDiff(
        first=first,
        second=second,
        changed=(
            *_manifest_changes(first, second),
            *_benchmark_changes(sides),
            *_who_changed("model", models, before, after, _model_facts),
            *_who_changed("judge", judges, before, after, _judge_facts),
        ),
        moved=tuple(
            moved
            for one in sides
            for moved in _moves(store, one, models, judges, intervals or Intervals())
        ),
        left_out=sum(its.left_out for its in (*before, *after)),
    )


def _sides(
    store: Store, benchmark: tuple[str, str], first: RunManifest, second: RunManifest
) -> _Sides | None:
    judged = [store.run_verdicts(run.id, *benchmark) for run in (first, second)]
    if not any(verdicts["item_id"] for verdicts in judged):
        return None
    which = benchmark_ref(store, "@".join(benchmark))
    answers = store.responses_table(*benchmark)
    contents = store.item_contents(*benchmark)
    its = (
        side(run, which, verdicts, answers, contents) if verdicts["item_id"] else None
        for run, verdicts in zip((first, second), judged, strict=True)
    )
    return _Sides(which, *its)


# what changed -----------------------------------------------------------------------------------


def _manifest_changes(first: RunManifest, second: RunManifest) -> list[Change]:
    imports = all("import" in run.configuration for run in (first, second))
    found = changes("import" if imports else "suite", first.configuration, second.configuration)
    found += changes("git", {"commit": first.git_sha}, {"commit": second.git_sha})
    for part in ("versions", "data_sha", "seeds"):
        found += changes(part.removesuffix("_sha"), getattr(first, part), getattr(second, part))
    return found


def _benchmark_changes(sides: Sequence[_Sides]) -> Iterator[Change]:
    """Benchmarks that one run alone has, and how many items either judged."""
    for which, first, second in sides:
        if first is None or second is None:
            there = (NOT_THERE, THERE) if first is None else (THERE, NOT_THERE)
            yield Change("benchmark", str(which), *there)
        else:
            judged = (
                {"items judged": len(set(one.verdicts["item_id"]))} for one in (first, second)
            )
            yield from changes(str(which), *judged)


def _named(run: RunManifest, part: str) -> list[str]:
    """What a suite calls its models, or its judges; an import names none."""
    listed = run.configuration.get(part)
    if not isinstance(listed, list):
        return []
    return [str(one["name"]) for one in listed if isinstance(one, Mapping) and "name" in one]


def _who_changed(
    what: str,
    found: Correspondence[Stored],
    before: Sequence[Side],
    after: Sequence[Side],
    facts: Callable[[Stored, Sequence[Side]], Mapping[str, Any]],
) -> Iterator[Change]:
    """What differs of those in both runs, and who is in one of them alone."""
    for pair in found.both:
        one, other = facts(pair.first, before), facts(pair.second, after)
        yield from changes(f"{what} {pair.label}", one, other)
    yield from (Change(what, label, THERE, NOT_THERE) for label in found.first_alone)
    yield from (Change(what, label, NOT_THERE, THERE) for label in found.second_alone)


def _model_facts(model: StoredModel, sides: Sequence[Side]) -> dict[str, Any]:
    """What a model is, and its stack; several one after the other."""
    stacks = sorted({stack for one in sides for stack in one.stacks(model.id)})
    read = [json.loads(stack) for stack in stacks]
    several = {f"{n}": stack for n, stack in enumerate(read, 1)}
    return asdict(model.spec) | {"stack": read[0] if len(read) == 1 else several}


def _judge_facts(judge: StoredJudge, sides: Sequence[Side]) -> dict[str, Any]:
    spec = asdict(judge.spec)
    prompt = {None: None, True: "official", False: "own"}[spec.pop("official_prompt")]
    served = sorted({name for one in sides for name in one.served(judge.id)})
    return spec | {"prompt": prompt, "served by": ", ".join(served) or None}


# what moved -------------------------------------------------------------------------------------


def _moves(
    store: Store,
    sides: _Sides,
    models: Correspondence[StoredModel],
    judges: Correspondence[StoredJudge],
    intervals: Intervals,
) -> Iterator[ModelChange]:
    """Every model before every judge that both runs have, in order of their names."""
    which, first, second = sides
    if first is None or second is None:
        return
    items = store.items(which.name, which.version)
    balance = balance_of(which, items)
    opponents = {pair.second.id: pair for pair in models.both}
    in_group = groups_of(items, which.report.apart) if which.report.apart is not None else {}
    for kind, figure in _figures(which, items, second.boards):
        after = second.boards[kind]
        opponent = None if kind.opponent is None else opponents.get(kind.opponent)
        known = kind.opponent if opponent is None else opponent.first.id
        before = first.boards.get(BoardKind(kind.kind, known))
        if before is None or (kind.opponent is not None and opponent is None):
            continue
        labels: Sequence[str] = which.labels
        if figure not in (None, WEIGHTED):
            name, _, group = (figure or "").partition("/")
            inside = {item for item, of in in_group.items() if group in tags(of)}
            (before, labels), (after, _) = (
                of_rate(
                    where(one, (not group or item in inside for item in one["item_id"])),
                    which.labels, which.report.rates[name], name,
                )
                for one in (before, after)
            )  # fmt: skip
        shared = set(before["item_id"]) & set(after["item_id"])
        alone = [len(set(one["item_id"]) - shared) for one in (before, after)]
        judged = _by_who(before), _by_who(after)
        for judge, model in product(judges.both, models.both):
            one = judged[0].get((judge.first.id, model.first.id))
            other = judged[1].get((judge.second.id, model.second.id))
            if one is None or other is None:
                continue
            places, differs = _differing((first, second), (one, other), judge)
            answers = [differs(model, place) for place in places]
            seen = [model] if opponent is None else [model, opponent]
            found = before_and_after(
                _by_turn(which, one, first.contents), _by_turn(which, other, first.contents),
                shared, kind, judge.label,
                labels=labels, balance=balance,
                weighted=which.weighted if figure == WEIGHTED else None,
                units=first.contents, intervals=intervals,
            )  # fmt: skip
            if figure == WEIGHTED and found.difference.undefined is not None:
                continue  # as where the two are compared
            yield ModelChange(
                benchmark=which.name,
                version=which.version,
                judge=judge,
                model=model,
                opponent=opponent,
                metric=figure or kind.metric.name,
                items=Items(len(shared), *alone),
                a=found.first,
                b=found.second,
                difference=found.difference,
                answers=Answers(len(answers) - answers.count(None), answers.count(True)),
                flips=_flips(labels, kind, (one, other), partial(_any_differs, differs, seen)),
            )


def _figures(
    which: BenchmarkRef, items: Sequence[Item], boards: Iterable[BoardKind]
) -> Iterator[tuple[BoardKind, str | None]]:
    """Each board, by its one number, or by each of the figures that stand in its place."""
    for kind in boards:
        named: Sequence[str | None] = figures(which, items) if kind.kind == "label" else ()
        if kind.kind == "preference" and which.weighted is not None:
            named = (WEIGHTED, None)
        yield from ((kind, figure) for figure in named or (None,))


def _by_turn(which: BenchmarkRef, its: Columns, contents: Mapping[str, str | None]) -> Columns:
    """Verdicts as boards count them: of conversations by turn, where each turn counts once."""
    if not which.report.turns:
        return its
    return by_turn({**its, "unit": coded(its["item_id"]).mapped(contents.get)}, [])[0]


def _by_who(columns: Columns) -> dict[tuple[str, str], Columns]:
    """The rows of each judge and model, by their ids."""
    both = paired(columns["judge_id"], columns["model_id"])
    return {
        who: select_rows(columns, np.flatnonzero(marked(both, who.__eq__))) for who in counted(both)
    }


def _says(labels: Sequence[str], kind: BoardKind, columns: Columns) -> list[Any]:
    """What each verdict says, equal where none has flipped; None where it is unreadable."""
    if kind.kind == "label":
        return [
            label if said == "label" and label in labels else None
            for said, label in zip(columns["kind"], columns["label"], strict=True)
        ]
    values = verdict_values(columns, kind.kind, labels)
    shown = outcome(values) if kind.kind == "preference" else values
    return [None if math.isnan(value) else float(value) for value in shown]


def _differing(
    sides: tuple[Side, Side], judged: tuple[Columns, Columns], judge: Judges
) -> tuple[set[_Place], Callable[[Models, _Place], bool | None]]:
    """Of which answers both runs have verdicts, and whether a model's answer differs there.

    None where the store lacks one of them.
    """
    before, after = map(_cases, judged)
    both = before.keys() & after.keys()
    kinds = {judge.first.spec.kind, judge.second.spec.kind}
    seen = kinds.isdisjoint((HUMAN, IMPORTED))  # what others judged, nobody here has seen

    def differs(who: Models, place: _Place) -> bool | None:
        at = AnswerPlace(who.first.id, *place), AnswerPlace(who.second.id, *place)
        one, other = (side.answers.get(there) for side, there in zip(sides, at, strict=True))
        known = one is not None and other is not None
        if place in both and before[place] & after[place] and (known or seen):
            return False
        if one is None or other is None:
            return None
        if (one.text, one.status) != (other.text, other.status):
            return True
        # Equal as far as time tells; but of several, judges saw different ones.
        return any(there in side.several for side, there in zip(sides, at, strict=True))

    return both, differs


def _cases(columns: Columns) -> dict[_Place, set[bytes]]:
    """The keys of what the judge saw of each answer, in whatever order it was shown."""
    found: dict[_Place, set[bytes]] = {}
    names = ("item_id", "sample", "turn", "case")
    for *place, case in zip(*(columns[name] for name in names), strict=True):
        found.setdefault((place[0], place[1], place[2]), set()).add(case)
    return found


def _any_differs(
    differs: Callable[[Models, _Place], bool | None], seen: Sequence[Models], place: _Place
) -> bool | None:
    """Whether any answer that the judge saw differs; None where one is not in the store."""
    told = {differs(who, place) for who in seen}
    return True if True in told else None if None in told else False


def _flips(
    labels: Sequence[str],
    kind: BoardKind,
    judged: tuple[Columns, Columns],
    on_other_answer: Callable[[_Place], bool | None],
) -> Flips:
    names = ("item_id", "sample", "turn", "order", "repeat")
    before, after = (
        dict(zip(zip(*(one[n] for n in names), strict=True), _says(labels, kind, one), strict=True))
        for one in judged
    )
    both = before.keys() & after.keys()
    flipped = Counter(
        on_other_answer(place[:3]) for place in both if _differ(before[place], after[place])
    )
    return Flips(
        verdicts=len(both),
        on_same_answer=flipped[False],
        on_other_answer=flipped[True],
        on_unknown_answer=flipped[None],
        unreadable_a=sum(before[place] is None for place in both),
        unreadable_b=sum(after[place] is None for place in both),
    )


def _differ(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > NEAR
    return bool(one != other)
