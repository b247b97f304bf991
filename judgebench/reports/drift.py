"""Judge drift: does a judge still say of its anchors what it said when they were pinned?

Anchors are answers that a judge has judged, about which it is asked again every night.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.verdict_values import label_values, preference_values, score_values
from judgebench.records import CONFIDENCES, HUMAN, JudgeSpec, Unreadable, Verdict, VerdictSlot
from judgebench.reports.boards import Columns, Meant, meant, where
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import UNDEFINED, finite
from judgebench.stats.judge_drift import ALPHA, Bools, Drift, Floats, drift
from judgebench.stats.resample import content_seed
from judgebench.store import Store
from judgebench.store.catalog import StoredJudge
from judgebench.store.read import PINNED, StoredAnchors


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBack:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDrift:
    """A judge's anchors on a benchmark, every look at them, and what they say together.

    unit
        What figures of verdicts are multiplied with to be shown: 100 for shares.
    pinned_served
        The models that served what was pinned.
    looks
        The later ones, the first one first.
    """

    anchors: StoredAnchors
    answers: int
    unit: float
    pinned_served: tuple[str, ...]
    looks: tuple[LookBack, ...]
    drift: Drift

    @property
    def since(self) -> LookBack | None:
        """The look at which drift was first called; None while it is not."""
        return None if self.drift.since is None else self.looks[self.drift.since - 1]

    @property
    def alarm(self) -> str | None:
        """That the judge drifted, or that another model serves it; None for neither."""
        return self.served_alarm or self.drift_alarm

    @property
    def drift_alarm(self) -> str | None:
        if (since := self.since) is None:
            return None
        last = self.looks[-1]
        moved = f"{self.unit * last.shift:+.2f}" + (" points" if self.unit > 1.0 else "")
        return (
            f"judge drift since {day(since.at)}: of {self.answers} anchors "
            f"{100 * last.changed:.1f} % are now judged otherwise than when they were pinned, by "
            f"{moved} in the mean (always-valid p {self.drift.p_value:.2g})"
        )

    @property
    def served_alarm(self) -> str | None:
        """That the provider reports another model than it did when the anchors were pinned."""
        if not self.looks or not self.looks[-1].served or not self.pinned_served:
            return None
        now = self.looks[-1]
        if now.served == self.pinned_served:
            return None
        return (
            f"another model serves the judge: {', '.join(now.served)} on {day(now.at)}, and "
            f"{', '.join(self.pinned_served)} when its anchors were pinned"
        )


def judge_drift(store: Store, which: Meant, judge_id: str) -> JudgeDrift | None:
    """What the anchors of a judge on a benchmark say; None where none are pinned."""
    its = [
        one
        for one in store.anchors()
        if (one.benchmark, one.version, one.judge_id) == (which.name, which.version, judge_id)
    ]
    return _drift_of(store, which, its[-1]) if its else None


def every_drift(store: Store, meant: Sequence[Meant]) -> list[JudgeDrift]:
    """Of every judge on each of these benchmarks that has anchors there."""
    last: dict[tuple[str, str, str], StoredAnchors] = {}
    for one in store.anchors():
        last[one.benchmark, one.version, one.judge_id] = one
    of = {(which.name, which.version): which for which in meant}
    return [
        _drift_of(store, of[benchmark, version], anchors)
        for (benchmark, version, _), anchors in last.items()
        if (benchmark, version) in of
    ]


def day(at: float) -> str:
    """A time in seconds as its day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _drift_of(store: Store, which: Meant, anchors: StoredAnchors) -> JudgeDrift:
    said = store.looks(anchors)
    occasions = _in_time(said)
    answers = sorted(set(_answers(said)))
    values, lost, unit = _tables(said, occasions, answers, which)
    asked = ~np.isnan(values) | lost
    back = []
    for place, occasion in enumerate(occasions[1:], start=1):
        of_it = where(said, (one == occasion for one in said["occasion"]))
        back.append(_look_back(of_it, values[[0, place]], lost[place], asked[place]))
    pinned = where(said, (one == PINNED for one in said["occasion"]))
    seed = content_seed(*(f"{model.hex()} {item}" for model, _, item in answers))
    return JudgeDrift(
        anchors=anchors,
        answers=len(answers),
        unit=unit,
        pinned_served=_served(pinned),
        looks=tuple(back),
        drift=drift(values, lost, seed=seed),
    )


def _look_back(of_it: Columns, both: Floats, lost: Bools, asked: Bools) -> LookBack:
    compares = "preference" in of_it["kind"]
    said = ~np.isnan(both).any(axis=0)
    before, now = both[:, said]
    other = np.sign(before - 0.5) != np.sign(now - 0.5) if compares else before != now
    return LookBack(
        at=min(of_it["at"]),
        answers=int(asked.sum()),
        unreadable=int(lost.sum()),
        changed=float((other.sum() + lost.sum()) / asked.sum()) if asked.any() else math.nan,
        shift=float((now - before).mean()) if said.any() else math.nan,
        served=_served(of_it),
    )


def _tables(
    said: Columns,
    occasions: Sequence[str],
    answers: Sequence[tuple[bytes, bytes, str]],
    which: Meant,
) -> tuple[Floats, Bools, float]:
    """Verdicts by occasion and answer, both orders averaged; where one was unreadable; the unit."""
    kinds = set(said["kind"])
    if "preference" in kinds:
        numbers, unit = preference_values(said), 100.0
    elif "score" in kinds:
        numbers, unit = score_values(said), 1.0
    else:
        numbers, unit = label_values(said, which.labels), 100.0
    row_of = {one: row for row, one in enumerate(occasions)}
    column_of = {one: column for column, one in enumerate(answers)}
    shape = len(occasions), len(answers)
    total, count = np.zeros(shape), np.zeros(shape)
    lost = np.zeros(shape, dtype=np.bool_)
    for occasion, answer, value in zip(said["occasion"], _answers(said), numbers, strict=True):
        at = row_of[occasion], column_of[answer]
        lost[at] |= math.isnan(value)
        total[at] += value
        count[at] += 1.0
    orders = count[0]  # as many as were pinned; an answer seen in one order only is not seen yet
    whole = (count == orders) & (count > 0.0)
    values = np.where(whole & ~lost, total / np.maximum(count, 1.0), np.nan)
    return values, lost & whole, unit


def _in_time(said: Columns) -> list[str]:
    """The occasions, what was pinned first, then as they came."""
    first: dict[str, float] = {}
    for occasion, at in zip(said["occasion"], said["at"], strict=True):
        first[occasion] = min(first.get(occasion, at), at)
    return sorted(first, key=lambda one: (one != PINNED, first[one], one))


def _answers(said: Columns) -> list[tuple[bytes, bytes, str]]:
    columns = (said[name] for name in ("model_key", "opponent_key", "item_id"))
    return [(model, other or b"", item) for model, other, item in zip(*columns, strict=True)]


def _served(of_it: Columns) -> tuple[str, ...]:
    return tuple(sorted({name for name in of_it["served_model"] if name}))


ANSWERS = 100
"""How many answers are pinned unless somebody says otherwise."""

_Said = Mapping[VerdictSlot, tuple[bytes, Verdict]]
_Answer = tuple[bytes, bytes | None, str]


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
    which = meant(store, benchmark)
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
        raise UsageError(
            f"{which}: {judge} has no readable verdict"
            f"{f' on {_said(sorted(models))}' if models else ''} that could be pinned"
        )
    of_answer: dict[_Answer, list[VerdictSlot]] = {}
    for place in its:
        answer = (place.model_key, place.opponent_key, place.item_id)
        of_answer.setdefault(answer, []).append(place)
    whole = max(len(places) for places in of_answer.values())  # one order, or both
    complete = [answer for answer, places in of_answer.items() if len(places) == whole]
    chosen = _drawn(complete, answers, seed)
    return store.put_anchors([(place, its[place]) for one in chosen for place in of_answer[one]])


def _drawn(answers: Sequence[_Answer], n: int, seed: int) -> list[_Answer]:
    """One answer of every item, models taking turns, then another one, until there are enough."""
    generator = random.Random(seed)
    by_item: dict[str, list[_Answer]] = {}
    for answer in sorted(answers, key=lambda one: (one[2], one[0], one[1] or b"")):
        by_item.setdefault(answer[2], []).append(answer)
    items = sorted(by_item)
    generator.shuffle(items)
    turned = []
    for turn, item in enumerate(items):
        its = by_item[item]
        first = turn % len(its)
        turned.append(its[first:] + its[:first])
    rounds = chain.from_iterable(zip_longest(*turned))
    return [answer for answer in rounds if answer is not None][:n]


def _judge_called(store: Store, which: Meant, name: str, said: _Said) -> StoredJudge:
    here = {place.judge_key for place in said}
    known = [one for one in store.judges() if one.key in here]
    called = [one for one in known if name in (one.id, one.name, *one.names)]
    if not called:
        raise UsageError(f"{which}: {unknown_name('judge', name, [one.name for one in known])}")
    found = called[-1]
    if len(called) > 1:
        last = store.verdicts(which.name, which.version, judges=[one.key for one in called])
        when = dict(zip(last["judge_id"], last["at"], strict=True))
        for judge, at in zip(last["judge_id"], last["at"], strict=True):
            when[judge] = max(when[judge], at)
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


def _models_called(store: Store, which: Meant, names: Collection[str]) -> set[bytes] | None:
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


def _said(names: Sequence[str]) -> str:
    return " or ".join(names)


def document(found: Sequence[JudgeDrift], store: Store, *, looks: bool) -> Document:
    """A row for each set of anchors; with ``looks`` a further table of every look at each."""
    names = {judge.id: judge.name for judge in store.judges()}
    tables = [_overview(found, names)]
    if looks:
        tables += [_looks(one, names) for one in found if one.looks]
    records = [_record(one, names) for one in found]
    data = [
        record | {"looks": [_look(look) for look in one.looks]}
        for record, one in zip(records, found, strict=True)
    ]
    return Document(tables=tables, records=records, data={"anchors": data})


def state(one: JudgeDrift) -> str:
    """What is known of the judge, in a word or two."""
    if not one.looks:
        return "not asked again yet"
    if one.served_alarm is not None:
        return "another model serves it"
    return "steady" if one.since is None else f"drift since {day(one.since.at)}"


def _overview(found: Sequence[JudgeDrift], names: dict[str, str]) -> Table:
    columns = (
        "benchmark",
        "judge",
        "pinned",
        "answers",
        "looks",
        "last",
        "otherwise",
        "shift",
        "p",
    )
    wide = {"benchmark", "judge"}
    return Table(
        title="anchors",
        subtitle=(
            "answers a judge is asked about again; otherwise: the share that it judges otherwise "
            "at its last look; p: always valid, of a judge that has not changed"
        ),
        columns=[
            *(
                Column(title=name, wraps=name in wide, align="left" if name in wide else "right")
                for name in columns
            ),
            Column(title="state", wraps=True),
        ],
        rows=[_row(one, names) for one in found],
        notes=_notes(found),
    )


def _notes(found: Sequence[JudgeDrift]) -> list[str]:
    if not found:
        return ["none yet; `judgebench anchors pin BENCHMARK --judge JUDGE` pins some"]
    notes = [f"{one.anchors.benchmark}: {one.alarm}" for one in found if one.alarm is not None]
    if any(len(one.looks) == 1 for one in found):
        notes.append(
            "after one look only a shift of the mean can be told; from the second on also verdicts "
            "that change in both directions, since a judge's own noise is known by then"
        )
    return notes


def _row(one: JudgeDrift, names: dict[str, str]) -> list[str]:
    last = one.looks[-1] if one.looks else None
    return [
        f"{one.anchors.benchmark}@{one.anchors.version}",
        names.get(one.anchors.judge_id, one.anchors.judge_id),
        day(one.anchors.at),
        str(one.answers),
        str(len(one.looks)),
        UNDEFINED if last is None else day(last.at),
        UNDEFINED if last is None else _percent(last.changed),
        UNDEFINED if last is None else _shift(last, one.unit),
        UNDEFINED if math.isnan(one.drift.p_value) else f"{one.drift.p_value:.2g}",
        state(one),
    ]


def _looks(one: JudgeDrift, names: dict[str, str]) -> Table:
    evidence = zip_longest(one.looks, one.drift.shift, one.drift.unlike)
    rows = [
        [
            day(look.at),
            str(look.answers),
            str(look.unreadable),
            _percent(look.changed),
            _shift(look, one.unit),
            UNDEFINED if shift is None else f"{shift:.3g}",
            UNDEFINED if unlike is None else f"{unlike:.3g}",
            ", ".join(look.served) or UNDEFINED,
        ]
        for look, shift, unlike in evidence
    ]
    judge = names.get(one.anchors.judge_id, one.anchors.judge_id)
    titles = ("look", "answers", "unreadable", "otherwise", "shift", "evidence: mean", "verdicts")
    return Table(
        title=f"{one.anchors.benchmark}@{one.anchors.version}, {judge}: every look",
        subtitle=f"evidence of {2.0 / ALPHA:g} in either column is called drift, and ends the bets",
        columns=[
            *(Column(title=title, align="right") for title in titles),
            Column(title="served by", wraps=True),
        ],
        rows=rows,
        notes=[],
    )


def _record(one: JudgeDrift, names: dict[str, str]) -> dict[str, Any]:
    return {
        "benchmark": one.anchors.benchmark,
        "version": one.anchors.version,
        "judge": names.get(one.anchors.judge_id, one.anchors.judge_id),
        "judge_id": one.anchors.judge_id,
        "pinned_at": one.anchors.at,
        "answers": one.answers,
        "p_value": finite(one.drift.p_value),
        "drift": one.since is not None,
        "since": None if one.since is None else one.since.at,
        "state": state(one),
        "alarm": one.alarm,
    }


def _look(look: LookBack) -> dict[str, Any]:
    return {
        "at": look.at,
        "answers": look.answers,
        "unreadable": look.unreadable,
        "changed": finite(look.changed),
        "shift": finite(look.shift),
        "served": list(look.served),
    }


def _percent(share: float) -> str:
    return UNDEFINED if math.isnan(share) else f"{100 * share:.1f} %"


def _shift(look: LookBack, unit: float) -> str:
    return UNDEFINED if math.isnan(look.shift) else f"{unit * look.shift:+.2f}"
