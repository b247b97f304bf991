"""Judge drift: does a judge still say of its anchors what it said when they were pinned?

Anchors are answers that a judge has judged, about which it is asked again every night.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from judgebench.columns import grouped, latest
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.registry import OF_VERDICTS
from judgebench.metrics.verdict_table import verdict_values
from judgebench.plain_text import day
from judgebench.records import CONFIDENCES, HUMAN, JudgeSpec, Unreadable, Verdict, VerdictSlot
from judgebench.reports.boards import BenchmarkRef, benchmark_ref
from judgebench.reports.document import (
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.reports.estimates import UNDEFINED, number
from judgebench.stats.judge_drift import ALPHA, Drift, drift
from judgebench.stats.resample import content_seed
from judgebench.store.catalog import StoredJudge
from judgebench.store.read import PINNED, StoredAnchors
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

ANSWERS = 100
"""How many answers are pinned unless somebody says otherwise."""

_Said = Mapping[VerdictSlot, tuple[bytes, Verdict]]
_Answer = tuple[bytes, bytes, str]
"""Model, opponent (empty without one) and item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftCheck:
    """One look at the anchors, beside what was pinned.

    at
        When it began, in seconds.
    answers, unreadable
        About which the judge was asked, and of these those whose reply could not be read.
    changed
        The share of answers on which its verdict is another one (of comparisons: another winner);
        nan where it was asked about none.
    shift
        Mean of its verdicts minus that of those pinned, on the same answers; nan likewise.
    served
        The models that served its replies, where that is known.
    """

    at: float
    answers: int
    unreadable: int
    changed: float
    shift: float
    served: tuple[str, ...]


_NO_LOOK = DriftCheck(
    at=math.nan, answers=0, unreadable=0, changed=math.nan, shift=math.nan, served=()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDrift(OfBenchmark):
    """A judge's anchors on a benchmark, every look at them, and what they say together.

    pinned_at
        When the anchors were pinned, in seconds.
    looks
        The first one first.
    unit
        What figures of verdicts are multiplied with to be shown: 100 for shares.
    pinned_served
        The models that served what was pinned.
    """

    judge: str
    judge_id: str
    pinned_at: float
    answers: int
    looks: tuple[DriftCheck, ...]
    unit: float = json_field(hidden=True)
    pinned_served: tuple[str, ...] = json_field(hidden=True)
    evidence: Drift = json_field(hidden=True)

    @property
    def last(self) -> DriftCheck:
        """The last look; one at nothing where there is none."""
        return self.looks[-1] if self.looks else _NO_LOOK

    @property
    @json_after("answers")
    def p_value(self) -> float:
        """Always valid; nan before there is a second look."""
        return self.evidence.p_value

    @property
    @json_after("p_value")
    def drift(self) -> bool:
        return self.evidence.called

    @property
    @json_after("drift")
    def since(self) -> float | None:
        """When drift was first called, in seconds; None while it is not."""
        return None if (at := self.evidence.since) is None else self.looks[at - 1].at

    @property
    @json_after("since")
    def state(self) -> str:
        """What is known of the judge, in a word or two."""
        if not self.looks:
            return "not asked again yet"
        if self.served_alarm is not None:
            return "another model serves it"
        return "steady" if self.since is None else f"drift since {day(self.since)}"

    @property
    @json_after("state")
    def alarm(self) -> str | None:
        """That the judge drifted, or that another model serves it; None for neither."""
        return self.served_alarm or self.drift_alarm

    @property
    def alarm_since(self) -> float:
        """From when on the judge is not the one that it was, in seconds; inf without an alarm."""
        if self.alarm is None:
            return math.inf
        return self.last.at if self.since is None else self.since

    @property
    def drift_alarm(self) -> str | None:
        if self.since is None:
            return None
        moved = f"{self.unit * self.last.shift:+.2f}" + (" points" if self.unit > 1.0 else "")
        return (
            f"judge drift since {day(self.since)}: of {self.answers} anchors "
            f"{100 * self.last.changed:.1f} % are now judged otherwise than when they were pinned, "
            f"by {moved} in the mean (always-valid p {self.p_value:.2g})"
        )

    @property
    def served_alarm(self) -> str | None:
        """That the provider reports another model than it did when the anchors were pinned."""
        now = self.last
        if not now.served or not self.pinned_served or now.served == self.pinned_served:
            return None
        return (
            f"another model serves the judge: {', '.join(now.served)} on {day(now.at)}, and "
            f"{', '.join(self.pinned_served)} when its anchors were pinned"
        )


DriftOf: TypeAlias = Callable[[str], JudgeDrift | None]
"""What the anchors of a judge, as it is shown, say; None where it has none on a benchmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport(Report):
    """All anchors of a store, those pinned last of each judge and benchmark."""

    ROWS: ClassVar = (
        Rows(
            of="anchors",
            row=(
                *("benchmark", "version", "judge", "judge_id", "pinned_at", "answers"),
                *("p_value", "drift", "since", "state", "alarm"),
            ),
        ),
    )

    anchors: tuple[JudgeDrift, ...]

    def tables(self, *, looks: bool = False) -> list[Table]:
        """A row for each set of anchors; with ``looks`` a further table of every look at each."""
        found = [self._overview()]
        return found + [_looks(one) for one in self.anchors if looks and one.looks]

    def _overview(self) -> Table:
        notes = [f"{one.benchmark}: {one.alarm}" for one in self.anchors if one.alarm is not None]
        if any(len(one.looks) == 1 for one in self.anchors):
            notes.append(
                "after one look only a shift of the mean can be told; from the second on also "
                "verdicts that change in both directions, since a judge's own noise is known by "
                "then"
            )
        if not self.anchors:
            notes = ["none yet; `judgebench anchors pin BENCHMARK --judge JUDGE` pins some"]
        return table(
            "anchors",
            self.anchors,
            [
                column("benchmark", lambda one: one.place, wraps=True),
                column("judge", lambda one: one.judge, wraps=True),
                column("pinned", lambda one: day(one.pinned_at), align="right"),
                column("answers", lambda one: str(one.answers), align="right"),
                column("looks", lambda one: str(len(one.looks)), align="right"),
                column(
                    "last", lambda one: day(one.last.at) if one.looks else UNDEFINED, align="right"
                ),
                column("otherwise", lambda one: _changed(one.last), align="right"),
                column(
                    "shift", lambda one: number(one.unit * one.last.shift, "+.2f"), align="right"
                ),
                column("p", lambda one: number(one.p_value, ".2g"), align="right"),
                column("state", lambda one: one.state, wraps=True),
            ],
            subtitle=(
                "answers a judge is asked about again; otherwise: the share that it judges "
                "otherwise at its last look; p: always valid, of a judge that has not changed"
            ),
            notes=notes,
        )


def _looks(one: JudgeDrift) -> Table:
    return table(
        f"{one.place}, {one.judge}: every look",
        list(zip_longest(one.looks, one.evidence.shift, one.evidence.unlike)),
        [
            column("look", lambda row: day(row[0].at), align="right"),
            column("answers", lambda row: str(row[0].answers), align="right"),
            column("unreadable", lambda row: str(row[0].unreadable), align="right"),
            column("otherwise", lambda row: _changed(row[0]), align="right"),
            column("shift", lambda row: number(one.unit * row[0].shift, "+.2f"), align="right"),
            column("evidence: mean", lambda row: number(row[1], ".3g"), align="right"),
            column("verdicts", lambda row: number(row[2], ".3g"), align="right"),
            column("served by", lambda row: ", ".join(row[0].served) or UNDEFINED, wraps=True),
        ],
        subtitle=f"evidence of {2.0 / ALPHA:g} in either column is called drift, and ends the bets",
    )


def _changed(look: DriftCheck) -> str:
    return number(100 * look.changed, ".1f", " %")


def drift_report(store: Store) -> DriftReport:
    """Of every judge on each benchmark that has anchors there."""
    last: dict[tuple[str, str, str], StoredAnchors] = {}
    for one in store.anchors():
        last[one.benchmark, one.version, one.judge_id] = one
    return DriftReport(
        anchors=tuple(
            _drift_of(store, benchmark_ref(store, f"{benchmark}@{version}"), anchors)
            for (benchmark, version, _), anchors in last.items()
        )
    )


def drifts_of(data: PairData) -> DriftOf:
    """What the anchors of each judge of a benchmark say; each is looked at once."""

    @cache
    def found(judge: str) -> JudgeDrift | None:
        which, judge_id = data.which, data.judge_id(judge)
        its = [
            one
            for one in data.board.store.anchors()
            if (one.benchmark, one.version, one.judge_id) == (which.name, which.version, judge_id)
        ]
        return _drift_of(data.board.store, which, its[-1]) if its else None

    return found


def _drift_of(store: Store, which: BenchmarkRef, anchors: StoredAnchors) -> JudgeDrift:
    said = store.looks(anchors)

    def by_occasion(name: str) -> dict[str, list[Any]]:
        return grouped(zip(said["occasion"], said[name], strict=True))

    # What was pinned first, then as they came.
    first = {one: min(at) for one, at in by_occasion("at").items()}
    occasions = sorted(first, key=lambda one: (one != PINNED, first[one], one))
    columns = zip(said["model_key"], said["opponent_key"], said["item_id"], strict=True)
    of_row: list[_Answer] = [(model, other or b"", item) for model, other, item in columns]
    answers = sorted(set(of_row))

    compares = "preference" in said["kind"]
    kind = "preference" if compares else "score" if "score" in said["kind"] else "label"
    numbers = verdict_values(said, kind, which.labels)
    row_of = {one: row for row, one in enumerate(occasions)}
    column_of = {one: place for place, one in enumerate(answers)}
    at = [row_of[one] for one in said["occasion"]], [column_of[one] for one in of_row]
    total, count = np.zeros((2, len(occasions), len(answers)))
    lost = np.zeros(total.shape, dtype=np.bool_)
    np.add.at(total, at, numbers)
    np.add.at(count, at, 1.0)
    np.logical_or.at(lost, at, np.isnan(numbers))
    # As many orders as were pinned; an answer seen in one order only is not seen yet.
    whole = (count == count[0]) & (count > 0.0)
    values = np.where(whole & ~lost, total / np.maximum(count, 1.0), np.nan)
    lost &= whole

    def checked(place: int) -> DriftCheck:
        asked = ~np.isnan(values[place]) | lost[place]
        both = values[[0, place]]
        before, now = both[:, ~np.isnan(both).any(axis=0)]
        other = np.sign(before - 0.5) != np.sign(now - 0.5) if compares else before != now
        changed = other.sum() + lost[place].sum()
        return DriftCheck(
            at=first[occasions[place]],
            answers=int(asked.sum()),
            unreadable=int(lost[place].sum()),
            changed=float(changed / asked.sum()) if asked.any() else math.nan,
            shift=float((now - before).mean()) if len(now) else math.nan,
            served=served[occasions[place]],
        )

    served = {
        one: tuple(sorted(set(names) - {None, ""}))
        for one, names in by_occasion("served_model").items()
    }
    seed = content_seed(*(f"{model.hex()} {item}" for model, _, item in answers))
    names = {judge.id: judge.name for judge in store.judges()}
    return JudgeDrift(
        benchmark=anchors.benchmark,
        version=anchors.version,
        judge=names.get(anchors.judge_id, anchors.judge_id),
        judge_id=anchors.judge_id,
        pinned_at=anchors.at,
        answers=len(answers),
        looks=tuple(map(checked, range(1, len(occasions)))),
        unit=100.0 if OF_VERDICTS[kind].in_points else 1.0,
        pinned_served=served.get(PINNED, ()),
        evidence=drift(values, lost, seed=seed),
    )


# pinning ------------------------------------------------------------------------------------------


def pin(
    store: Store,
    benchmark: str,
    judge: str,
    *,
    models: Collection[str] = (),
    answers: int = ANSWERS,
    seed: int = 0,
) -> StoredAnchors:
    """Pin what a judge has said, as the last set of anchors of this judge and benchmark.

    The answers are drawn at random, of as many different items as there are; models take turns. Of
    an answer that was judged in both orders both are pinned. Only first answers, first repeats, and
    verdicts that could be read are.

    Parameters
    ----------
    judge
        By name or id; of several of a name the one that judged last.
    models
        Whose answers; of all that the judge has judged if not given.
    answers
        How many at most.

    Raises
    ------
    UsageError
        For a judge or model that is not there, a judge that asks nobody, and where nothing is left
        to be pinned.
    """
    which = benchmark_ref(store, benchmark)
    said = store.current(which.name, which.version)
    meant_judge = _judge_called(store, which, judge, said)
    wanted = _models_called(store, which, models)
    its = {
        place: key
        for place, (key, verdict) in said.items()
        if place.judge_key == meant_judge.key
        and not (place.sample or place.turn or place.repeat)
        and not isinstance(verdict, Unreadable)
        and (wanted is None or place.model_key in wanted)
    }
    if not its:
        on = f" on {' or '.join(sorted(models))}" if models else ""
        raise UsageError(f"{which}: {judge} has no readable verdict{on} that could be pinned")
    of_answer = grouped(
        ((place.model_key, place.opponent_key or b"", place.item_id), place) for place in its
    )
    whole = max(len(places) for places in of_answer.values())  # one order, or both
    complete = [answer for answer, places in of_answer.items() if len(places) == whole]
    chosen = _drawn(complete, answers, seed)
    return store.put_anchors([(place, its[place]) for one in chosen for place in of_answer[one]])


def _drawn(answers: Sequence[_Answer], n: int, seed: int) -> list[_Answer]:
    """One answer of every item, models taking turns, then another one, until there are enough."""
    generator = random.Random(seed)
    by_item = grouped((one[2], one) for one in sorted(answers, key=lambda one: (one[2], *one[:2])))
    items = sorted(by_item)
    generator.shuffle(items)
    turned = []
    for turn, its in enumerate(map(by_item.__getitem__, items)):
        first = turn % len(its)
        turned.append(its[first:] + its[:first])
    rounds = chain.from_iterable(zip_longest(*turned))
    return [answer for answer in rounds if answer is not None][:n]


def _judge_called(store: Store, which: BenchmarkRef, name: str, said: _Said) -> StoredJudge:
    here = {place.judge_key for place in said}
    known = [one for one in store.judges() if one.key in here]
    called = [one for one in known if name in (one.id, one.name, *one.names)]
    if not called:
        raise UsageError(f"{which}: {unknown_name('judge', name, [one.name for one in known])}")
    when: dict[str, float] = {}
    if len(called) > 1:
        judged = store.verdicts(which.name, which.version, judges=[one.key for one in called])
        when = latest(judged["at"], judged["judge_id"])
    found = max(called, key=lambda one: when.get(one.id, 0.0))
    if (why := _never_again(found.spec)) is not None:
        raise UsageError(f"{which}: {found.name} cannot have anchors: {why}")
    return found


def _never_again(spec: JudgeSpec) -> str | None:
    """Why a judge is not asked about the same twice; None for one that can be."""
    if spec.kind == HUMAN:
        return "it is a person"
    if spec.kind in CONFIDENCES:
        return "it says how sure a model is, and is on no board"
    if spec.model is None:
        return "it goes by a rule and asks nobody, so it says the same every time"
    return None


def _models_called(store: Store, which: BenchmarkRef, names: Collection[str]) -> set[bytes] | None:
    if not names:
        return None
    known = store.models()
    found = set()
    for name in names:
        called = {one.key for one in known if name in (one.id, one.name, *one.names)}
        if not called:
            raise UsageError(f"{which}: {unknown_name('model', name, [m.name for m in known])}")
        found |= called
    return found
