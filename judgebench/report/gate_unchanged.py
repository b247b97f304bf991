"""How often a gate passes a model that is as good as its baseline, and what would make it more.

*Unchanged* is one of two things, and it is said which. Where the baseline was asked several times
(several answers to an item, or on several nights), it is that very model asked again: how much its
answers to one item vary is known. Else it is a candidate whose verdicts and the baseline's have
changed hands at random, item by item: its differences are as large as the two models' own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.asked_again import asked_again, averaged
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired_confidences import CONFIDENCE_METRICS
from judgebench.metrics.paired_models import BASELINE, CANDIDATE, Compared, PairedModels
from judgebench.report.metric_words import digits, in_percent
from judgebench.report.model_pairs import PairData
from judgebench.stats.unchanged import (
    CHANCE,
    MOST_TOGETHER,
    correlations,
    even_chance,
    joint_chance,
    margin_to_pass,
    passes_unchanged,
    spread_again,
    units_to_pass,
)

Meaning = Literal["exchanged", "asked again"]
"""What an unchanged model is: verdicts changed hands item by item, or one model asked again."""

MEANS: dict[Meaning, str] = {
    "exchanged": "unchanged: the two models' verdicts exchanged at random, item by item (one model "
    "asked twice can differ less, by up to √2, and pass more often)",
    "asked again": "unchanged: the baseline itself asked again, whose answers vary as they did",
}

LEAST_ITEMS = 20
"""Items with several answers from which it is taken how much answers vary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the chance of one test rests on, without the unit.

    question
        Equal ones are one and the same test, whatever drop is allowed.
    spread, units, width, binary
        As in `judgebench.stats.unchanged.passes_unchanged`.
    answers, nights
        Answers to an item of the candidate, and of the baseline over all its nights.
    max_drop, min_n
        What the policy says of the test, in the metric's units.
    differences
        By item, for how tests on one benchmark hang together.
    undefined
        Why nothing is known; None where it is.
    """

    benchmark: str
    question: tuple[str, ...]
    unit: float
    spread: float
    units: int
    width: float
    binary: bool
    meaning: Meaning = "exchanged"
    answers: float = 1.0
    nights: float = 1.0
    differences: dict[str, float] = field(default_factory=dict, repr=False)
    undefined: str | None = None
    max_drop: float = math.nan
    min_n: int = 1

    def passes(self, alpha: float) -> float:
        """The chance that the test passes an unchanged model."""
        if self.undefined is not None:
            return math.nan
        if self.units < self.min_n:
            return 0.0
        return passes_unchanged(
            self.spread, self.units, self.max_drop / self.unit,
            alpha=alpha, width=self.width, binary=self.binary,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """How often one test passes an unchanged model; figures are in the metric's units.

    chance
        nan where it is not known, and then ``undefined`` says why.
    margin, items
        The allowed drop, and the number of items, with which an unchanged model would pass the
        whole policy on 80 % of nights, were it so with each of its tests; nan for none.
    """

    meaning: Meaning
    chance: float
    margin: float
    items: float
    answers: float
    nights: float
    undefined: str | None = None


def basis_of(
    data: PairData,
    kind: BoardKind | None,
    two: tuple[str, str],
    pair: PairedModels,
    compared: Compared,
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
        benchmark=str(data.which),
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
        width=pair.width,
    )
    if metric == LENGTH_CONTROLLED or (metric in CONFIDENCE_METRICS and metric != "brier"):
        said = f"how often a {metric.replace('_', ' ')} passes an unchanged model was not measured"
        return basis(spread=math.nan, binary=False, undefined=said)
    if math.isnan(observed.spread):
        said = pair.why_not or "too few items to know how far the two differ"
        return basis(spread=math.nan, binary=False, undefined=said)
    kept = ~np.isnan(pair.mean).any(axis=1) & (pair.stratum >= 0)
    by_item = pair.weight * (pair.mean[:, CANDIDATE] - pair.mean[:, BASELINE])
    items = [item for item, there in zip(pair.items, kept.tolist(), strict=True) if there]
    differences = dict(zip(items, by_item[kept].tolist(), strict=True))
    if math.isinf(pair.width):  # as the bound: the largest there is, where a scale has no ends
        basis = partial(basis, width=float(np.abs(by_item[kept]).max(initial=0.0)))
    plain = kind is not None and kind.opponent != two[1] and not (pair.stratum != 0).any()
    if plain and kind is not None and observed.units == int(kept.sum()) and "/" not in pair.metric:
        verdicts = data.board.verdicts[kind]
        mine, labels = averaged(verdicts, pair.judge, two, again), data.which.labels
        theirs = asked_again(mine, kind, pair.judge, two[1], labels)
        if theirs.items >= LEAST_ITEMS:
            candidate = asked_again(mine, kind, pair.judge, two[0], labels)
            spread = spread_again(theirs.within, candidate.answers, theirs.answers)
            return basis(
                spread=spread, binary=False, meaning="asked again",
                answers=candidate.answers, nights=theirs.answers, differences=differences,
            )  # fmt: skip
    spread = math.hypot(observed.spread, observed.difference)
    return basis(spread=spread, binary=observed.binary, differences=differences)


def unchanged(tests: Sequence[Basis], *, alpha: float) -> tuple[list[Unchanged], float]:
    """Of each test, and the chance that all of them pass.

    Tests on one benchmark hang together as their items' differences do; those on different ones
    are independent. Tests that ask the same count once, the strictest of them.
    """
    chances = [one.passes(alpha) for one in tests]
    strictest: dict[tuple[str, ...], int] = {}
    for place, one in enumerate(tests):
        first = strictest.setdefault(one.question, place)
        if chances[place] < chances[first]:
            strictest[one.question] = place
    places = sorted(strictest.values())
    blocks = _blocks([tests[place] for place in places])
    each = even_chance(len(places), blocks)
    found = [
        _of_one(one, chance, each=each, alpha=alpha)
        for one, chance in zip(tests, chances, strict=True)
    ]
    return found, joint_chance([chances[place] for place in places], blocks)


def _of_one(one: Basis, chance: float, *, each: float, alpha: float) -> Unchanged:
    margin = items = math.nan
    if one.undefined is None:
        margin = one.unit * margin_to_pass(
            one.spread, one.units, alpha=alpha, chance=each, width=one.width, binary=one.binary
        )
        items = units_to_pass(
            one.spread, one.max_drop / one.unit,
            alpha=alpha, chance=each, width=one.width, binary=one.binary,
        )  # fmt: skip
        if one.units < one.min_n:
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
    )


def _blocks(tests: Sequence[Basis]) -> list[tuple[list[int], NDArray[np.float64]]]:
    """Tests on one benchmark, and how their differences correlate; those alone there are none."""
    on: dict[str, list[int]] = {}
    for place, one in enumerate(tests):
        if one.differences:
            on.setdefault(one.benchmark, []).append(place)
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


# in words ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the sentence needs of one test."""

    about: str
    metric: str
    max_drop: float
    units: int
    unchanged: Unchanged
    higher_is_better: bool = True


_MOST_SAID = 4


def in_words(tests: Sequence[Said], chance: float) -> list[str]:
    """``An unchanged model passes this gate with 22 % chance; 80 % needs …``, and what it means."""
    if not tests:
        return []
    why = list(dict.fromkeys(one.unchanged.undefined for one in tests if one.unchanged.undefined))
    if math.isnan(chance):
        return [f"how often this gate passes an unchanged model is not known: {'; '.join(why)}"]
    of = "this gate" if len(tests) == 1 else f"this gate's {len(tests):,} tests together"
    said = f"an unchanged model passes {of} with {percent(chance)} chance"
    if chance < CHANCE:
        short = [one for one in tests if _short(one)]
        needs = [_needs(one, alone=len(tests) == 1) for one in short[:_MOST_SAID]]
        if len(short) > _MOST_SAID:
            needs.append(f"and {len(short) - _MOST_SAID:,} more tests")
        said += f"; {100 * CHANCE:g} % needs {'; '.join(needs)}" if needs else ""
    meanings = dict.fromkeys(one.unchanged.meaning for one in tests)
    return [said, *(MEANS[meaning] + _asked(tests, meaning) for meaning in meanings)]


def _asked(tests: Sequence[Said], meaning: Meaning) -> str:
    if meaning == "exchanged":
        return ""
    each = {
        f"{one.unchanged.answers:.3g} answers an item against {one.unchanged.nights:.3g}"
        for one in tests
        if one.unchanged.meaning == meaning
    }
    return f" ({', '.join(sorted(each))})"


def _short(one: Said) -> bool:
    """Whether this test alone holds the whole back."""
    margin = one.unchanged.margin
    return math.isnan(margin) or margin > one.max_drop


def _needs(one: Said, *, alone: bool) -> str:
    about = "" if alone else f"{one.about}: "
    ways = []
    if math.isfinite(one.unchanged.margin):
        what = "drop" if one.higher_is_better else "rise"
        ways.append(f"an allowed {what} of {drop_words(one.unchanged.margin, one.metric)}")
    if math.isfinite(one.unchanged.items) and one.unchanged.items > one.units:
        ways.append(f"{math.ceil(one.unchanged.items):,} items")
    return about + (" or ".join(ways) or "more items than there can be")


def drop_words(drop: float, metric: str) -> str:
    """A drop as people say it: points of a share or a percentage, else in the scale's own units."""
    if metric.partition("/")[0] == "score":
        return f"{drop:.{digits(metric)}f} on the scale"
    percent_of = drop if in_percent(metric) else 100.0 * drop
    # Rounded up: what is said suffices.
    points = math.ceil(10.0 * percent_of - 1e-9) / 10.0
    return f"{points:g} points"


def percent(chance: float) -> str:
    """A chance in whole percent, never a bare 0 or 100 unless it is one."""
    if 0.0 < chance < 0.005:
        return "under 1 %"
    if 0.995 <= chance < 1.0:
        return "over 99 %"
    return f"{100 * chance:.0f} %"
