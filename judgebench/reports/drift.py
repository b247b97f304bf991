"""Judge drift: does a judge still say of its anchors what it said when they were pinned?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from judgebench.metrics.verdict_values import label_values, preference_values, score_values
from judgebench.reports.boards import Columns, Meant, where
from judgebench.stats.judge_drift import Bools, Drift, Floats, drift
from judgebench.stats.resample import content_seed
from judgebench.store import Store
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
