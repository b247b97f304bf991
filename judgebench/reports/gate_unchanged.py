"""How often a gate passes a model that is as good as its baseline, and what would make it more.

*Unchanged* is one of two things, and it is said which. Where the baseline was asked several times
(several answers to an item, or on several nights), it is that very model asked again: how much its
answers to one item vary is known. Else it is a candidate whose verdicts and the baseline's have
changed hands at random, item by item: its differences are as large as the two models' own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import grouped
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.correction import CORRECTED
from judgebench.metrics.paired import (
    BASELINE,
    CANDIDATE,
    PairedModels,
    PairedTests,
    why_no_difference,
)
from judgebench.metrics.registry import CONFIDENCE_METRICS, HEAD_TO_HEAD
from judgebench.metrics.verdict_spread import average_nights, repeat_spread
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WEIGHTED
from judgebench.reports.pair_tests import Meaning, Unchanged
from judgebench.stats.unchanged import (
    MOST_TOGETHER,
    Seen,
    correlations,
    even_chance,
    joint_chance,
    margin_every_view,
    not_called,
    of_spread,
    passes_every_view,
    spread_again,
    units_every_view,
    views_exchanged,
)

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

LEAST_ITEMS = 20
"""Items with several answers from which it is taken how much answers vary."""


def too_little_there(pair: PairedModels, side: int, model: str, floor: float) -> str | None:
    """That less than the floor is there of a model's verdicts, and why; None where enough is."""
    have = "to" if pair.confidence else "to be"
    return pair.too_few(side, model, floor, needed=f", and {100 * floor:g} % have {have}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the chance of one test rests on, without the unit.

    question
        Equal ones are one and the same test, whatever drop is allowed; the benchmark comes first.
    views
        As observed, and with what is missing at its ends; none where nothing is known.
    width, scale
        The largest difference that a unit can have (`PairedTest.reach`), and that an item can have.
    units
        On which both have a readable verdict.
    answers, nights
        Answers to an item of the candidate, and of the baseline over all its nights.
    max_drop, strict_drop, min_n, floor
        What the policy says of the test, in the metric's units; the floor is of readable verdicts.
    differences
        By item, for how tests on one benchmark hang together.
    too_few
        That less than a floor is there of the verdicts on a model, as of an unchanged one.
    undefined
        Why nothing is known; None where it is.
    unbounded
        Why nothing passes, whatever its difference; None where that is not so.
    """

    question: tuple[str, ...]
    unit: float
    views: tuple[Seen, ...] = ()
    units: int
    width: float
    scale: float
    meaning: Meaning = "exchanged"
    answers: float = 1.0
    nights: float = 1.0
    differences: dict[str, float] = field(default_factory=dict, repr=False)
    too_few: Callable[[float], str | None] = field(repr=False)
    undefined: str | None = None
    unbounded: str | None = None
    max_drop: float = math.nan
    strict_drop: float | None = None
    min_n: int = 1
    floor: float = 0.0

    @property
    def never(self) -> str | None:
        """Why an unchanged model does not pass whatever drop is allowed; None where it may."""
        if self.undefined is not None:
            return None
        return self.too_few(self.floor) or self.unbounded

    def passes(self, alpha: float, called_at: float) -> float:
        """The chance that the test passes an unchanged model.

        Parameters
        ----------
        alpha, called_at
            Of a pass, and of a regression among the tests of the policy.
        """
        if self.undefined is not None:
            return math.nan
        if self.units < self.min_n or self.never is not None:
            return 0.0
        return passes_every_view(
            self.views,
            self.max_drop / self.unit,
            alpha=alpha,
            width=self.width,
            strict=None if self.strict_drop is None else self.strict_drop / self.unit,
            called_at=called_at,
        )

    def units_to_pass(self, alpha: float, called_at: float, each: float) -> float:
        """How many units it takes; those of the strict drop where that alone holds it back."""
        found = partial(units_every_view, self.views, alpha=alpha, chance=each, width=self.width)
        items = found(self.max_drop / self.unit)
        if self.strict_drop is None or not math.isfinite(items):
            return items
        scale = items / max(1, self.units)
        there = tuple(replace(one, units=math.ceil(one.units * scale)) for one in self.views)
        enough = not_called(there, called_at) >= each
        return items if enough else found(self.strict_drop / self.unit)


def basis_of(
    data: PairData,
    kind: BoardKind | None,
    two: tuple[str, str],
    pair: PairedModels,
    compared: PairedTests,
    again: Sequence[str] = (),
) -> Basis:
    """What is known of an unchanged model, from a baseline asked again or from the two models.

    Parameters
    ----------
    kind
        The board; None for what is not tested by the verdicts of one.
    again
        The baseline's other nights.
    """
    observed, metric = compared.observed, pair.metric.partition("/")[0]
    basis = partial(
        Basis,
        question=(
            str(data.which),
            *two,
            pair.judge,
            pair.metric,
            pair.confidence or "",
            "" if kind is None else kind.opponent or "",
        ),
        unit=pair.unit,
        units=observed.units,
        width=pair.width if math.isnan(observed.reach) else observed.reach,
        scale=pair.width,
        too_few=partial(
            too_little_there,
            pair,
            BASELINE if metric != HEAD_TO_HEAD else CANDIDATE,
            two[1] if metric != HEAD_TO_HEAD else two[0],
        ),
        unbounded=None if compared.bounded else compared.why_unbounded,
        floor=data.which.coverage_floor,
    )
    corrected = pair.metric.endswith(f"/{CORRECTED}")
    if (
        corrected
        or metric == LENGTH_CONTROLLED
        or (metric in CONFIDENCE_METRICS and metric != "brier")
    ):
        what = "corrected scores" if corrected else metric.replace("_", " ")
        said = f"how often a test by {what} passes an unchanged model was not measured"
        return basis(undefined=said)
    if math.isnan(observed.difference):
        return basis(undefined=pair.why_not or why_no_difference(pair))
    if math.isnan(observed.spread):
        said = pair.why_not or "too few items to know how far the two differ"
        return basis(undefined=said)
    views = views_exchanged(observed, compared.worst, compared.best)
    kept = ~np.isnan(pair.mean).any(axis=1) & (pair.stratum >= 0)
    by_item = pair.weight * (pair.mean[:, CANDIDATE] - pair.mean[:, BASELINE])
    items = [item for item, there in zip(pair.items, kept.tolist(), strict=True) if there]
    differences = dict(zip(items, by_item[kept].tolist(), strict=True))
    plain = kind is not None and kind.opponent != two[1] and not (pair.stratum != 0).any()
    plain = plain and metric != WEIGHTED  # answers asked again vary in how clear a win is as well
    asked = {one for one, there in zip(pair.questions, kept.tolist(), strict=True) if there}
    if plain and kind is not None and observed.units == len(asked) and "/" not in pair.metric:
        verdicts = data.board.verdicts[kind]
        mine, labels = average_nights(verdicts, pair.judge, two, again), data.which.labels
        theirs = repeat_spread(mine, kind, pair.judge, two[1], labels)
        if theirs.items >= LEAST_ITEMS:
            candidate = repeat_spread(mine, kind, pair.judge, two[0], labels)
            spread = spread_again(theirs.within, candidate.answers, theirs.answers)
            return basis(
                views=of_spread(views, spread), meaning="asked again",
                answers=candidate.answers, nights=theirs.answers, differences=differences,
            )  # fmt: skip
    return basis(views=views, differences=differences)


def unchanged(tests: Sequence[Basis], *, alpha: float) -> tuple[list[Unchanged], float]:
    """Of each test, and the chance that all of them pass.

    Tests on one benchmark hang together as their items' differences do; those on different ones
    are independent. Tests that ask the same count once, the strictest of them. A regression is
    called at the level of the first of so many tests.
    """
    called_at = alpha / max(1, len(tests))
    chances = [one.passes(alpha, called_at) for one in tests]
    strictest: dict[tuple[str, ...], int] = {}
    for place, one in enumerate(tests):
        first = strictest.setdefault(one.question, place)
        if chances[place] < chances[first]:
            strictest[one.question] = place
    places = sorted(strictest.values())
    blocks = _blocks([tests[place] for place in places])
    each = even_chance(len(places), blocks)
    found = [
        _of_one(one, chance, each=each, alpha=alpha, called_at=called_at)
        for one, chance in zip(tests, chances, strict=True)
    ]
    return found, joint_chance([chances[place] for place in places], blocks)


def _of_one(one: Basis, chance: float, *, each: float, alpha: float, called_at: float) -> Unchanged:
    margin = items = math.nan
    if one.undefined is None and one.never is None:
        margin = one.unit * margin_every_view(one.views, alpha=alpha, chance=each, width=one.width)
        items = one.units_to_pass(alpha, called_at, each)
        called = one.strict_drop is not None and not_called(one.views, called_at) < each
        if one.units < one.min_n or called or margin >= one.unit * one.scale:
            margin = math.nan
        items = max(items, one.min_n)
    return Unchanged(
        meaning=one.meaning,
        chance=chance,
        margin=margin,
        items=items,
        answers=one.answers,
        nights=one.nights,
        undefined=one.undefined,
        never=one.never,
    )


def _blocks(tests: Sequence[Basis]) -> list[tuple[list[int], NDArray[np.float64]]]:
    """Tests on one benchmark, and how their differences correlate; those alone there are none."""
    on = grouped((one.question[0], place) for place, one in enumerate(tests) if one.differences)
    found = []
    for places in on.values():
        if 1 < len(places) <= MOST_TOGETHER:
            items = sorted({item for place in places for item in tests[place].differences})
            rows = [
                np.array([tests[place].differences.get(item, math.nan) for item in items])
                for place in places
            ]
            found.append((places, correlations(rows)))
    return found
