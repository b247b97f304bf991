"""Two models, or several beside one, in the eyes of a judge, until it is decided who is better.

A plan says beforehand on which items at most, in which order, at which error rate; a run keeps it
with its manifest and goes by it. What it says of an interval is that of
`judgebench.stats.sequential`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from judgebench.metrics.paired import PairedModels, over_units, seen
from judgebench.metrics.verdict_table import Ints
from judgebench.stats import sequential
from judgebench.stats.gate_rule import Direction
from judgebench.stats.resample import content_seed
from judgebench.stats.sequential import SHAPE, SHAPE_WITH_STRATA, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialPlan:
    """What has to be said before the first verdict is looked at.

    baseline, candidates
        Short ids; the candidates share ``alpha``.
    sizes
        How many items there are at most; of an open plan also how many there were before items
        were added, in ascending order.
    strata
        A digit for each item, in the benchmark's order; empty without covariates.
    """

    baseline: str
    candidates: tuple[str, ...]
    sizes: tuple[int, ...]
    alpha: float
    seed: int
    open_ended: bool = False
    covariates: bool = False
    strata: str = ""

    @property
    def looks(self) -> Ints:
        """After how many items it is looked."""
        return sequential.looks(self.sizes[-1], open_ended=self.open_ended)

    def bounds(self, level: float) -> Floats:
        """At each look, in standard errors."""
        if self.open_ended:
            return sequential.confidence_sequence(self.looks, alpha=level)
        shape = SHAPE_WITH_STRATA if self.strata else SHAPE
        return sequential.wang_tsiatis(self.looks, alpha=level, shape=shape)

    def order(self, items: Sequence[str]) -> list[int]:
        """The places of the items in the order in which they are judged; added ones come after."""
        found: list[int] = []
        for start, end in zip((0, *self.sizes), self.sizes, strict=False):
            its = items[start:end]
            draws = np.random.default_rng(content_seed(*its, seed=self.seed)).random(len(its))
            codes = [int(one) for one in self.strata[start:end]] or None
            found += (start + sequential.random_order(draws, codes)).tolist()
        return found

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"candidates": [*self.candidates], "sizes": [*self.sizes]}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> SequentialPlan:
        """What `as_json` said; what a run added about its end is left out."""
        its = {one.name: told[one.name] for one in fields(cls) if one.name in told}
        return cls(**its | {n: tuple(its[n]) for n in ("candidates", "sizes")})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyDecision:
    """Where a comparison stopped, or how far it came.

    items, of
        Looked at until then, and planned.
    difference, low, high, level
        Candidate minus baseline in the metric's units, with the repeated confidence interval.
    """

    items: int
    of: int
    decision: Direction
    difference: float
    low: float
    high: float
    level: float

    @property
    def early(self) -> bool:
        return self.decision != "undecided" and self.items < self.of

    @property
    def interval(self) -> str:
        """In words."""
        return (
            f"{100.0 * self.level:.4g} % repeated confidence interval "
            f"[{self.low:.4g}, {self.high:.4g}]"
        )


def early_decisions(
    plan: SequentialPlan, pairs: Sequence[PairedModels], items: Sequence[str], reached: int
) -> list[EarlyDecision]:
    """What each of several pairs comes to, which share the plan's alpha.

    Parameters
    ----------
    items
        All that are planned, in the benchmark's order.
    reached
        How many of them, in the plan's order, are judged, or cannot be.
    """
    order = plan.order(items)
    place = {items[one]: number for number, one in enumerate(order)}
    strata = {item: int(code) for item, code in zip(items, plan.strata, strict=False)}
    at = plan.looks
    found = [_estimates(pair, place, strata, at[at <= reached]) for pair in pairs]
    tests = sequential.sequential_tests(found, plan.bounds, alpha=plan.alpha)
    return [
        EarlyDecision(
            items=int(at[test.look]) if test.look >= 0 else 0,
            of=plan.sizes[-1],
            decision=test.decision,
            difference=test.difference * pair.shown,
            low=test.low * pair.shown,
            high=test.high * pair.shown,
            level=test.level,
        )
        for test, pair in zip(tests, pairs, strict=True)
    ]


def _estimates(
    pair: PairedModels, place: Mapping[str, int], strata: Mapping[str, int], at: Ints
) -> list[tuple[float, float, int]]:
    """What is known of a pair at each look."""
    number = np.array([place.get(item, len(place)) for item in pair.questions], dtype=np.int64)
    codes = np.array([strata.get(item, 0) for item in pair.questions], dtype=np.int64)
    d, both = seen(pair, "observed")
    found = []
    for look in at:
        kept = both & (number < look)
        of_units, items, _ = over_units(pair, d[kept], kept)
        first = np.unique(pair.unit_of[kept], return_index=True)[1]
        its = codes[kept][first] if strata else None
        found.append(sequential.estimate(of_units, items, its))
    return found
