"""Several models in the eyes of one judge, over draws of items that all of them share.

Values, draws and intervals are those of the judge's board; what a board does not keep is the draws
themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist

import numpy as np

from judgebench.benchmarks.description import Weighted
from judgebench.columns import Bools, marked
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.paired import (
    JudgeMeans,
    PairedModels,
    compare,
    difference,
    paired_models,
)
from judgebench.metrics.verdict_table import Columns, Ints
from judgebench.records import Estimate
from judgebench.stats.resample import wilson_interval
from judgebench.stats.winner import Band, Winner, alpha_together, best_of, best_share_of, sup_t_band

FEWEST = 10
"""Of won and of lost units, for a share that was picked to have an interval of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDraws:
    """What one judge says of some models.

    metric
        As the board names it.
    estimates
        As the board has them, each with an interval of its own.
    draws : float array, shape (1 + n_replicates, models)
        The estimates, then what they are on each draw of the units; in the metric's units.
    step
        The smallest difference that two means of items can have; 0 where values are no steps.
    shares
        Whether they are shares of items that are right, or won; or of what clear wins weigh.
    weighted
        Whether they are the latter: one without an interval on the board, as too few items are won,
        or lost, has none here.
    pair
        Lines two of them up.
    why_missing
        Of each model in words; empty where no verdict is missing.
    """

    metric: str
    models: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    draws: Floats
    step: float
    unit: float
    shares: bool
    weighted: bool = False
    pair: Callable[[str, str], PairedModels] | None = None
    why_missing: tuple[str, ...]

    def among(self, kept: Sequence[bool]) -> SharedDraws:
        """Some of the models alone."""
        places = [place for place, wanted in enumerate(kept) if wanted]
        return replace(
            self,
            models=tuple(self.models[place] for place in places),
            estimates=tuple(self.estimates[place] for place in places),
            draws=self.draws[:, places],
            why_missing=tuple(self.why_missing[place] for place in places),
        )

    def band(self, *, level: float) -> tuple[Band, list[tuple[float, float]]]:
        """Intervals of all models that hold at once, with a probability of ``level``.

        Shares have Wilson's interval in place of the value and its errors either way, which is too
        narrow near 0 and 1. One that does not vary over the draws has it at Bonferroni's level, and
        the others' leave it what that takes. Of weighted shares nan where the board has none; the
        others' are as wide as if it had, as which have one is by chance.
        """
        n = max(1, len(self.models))
        still = self.shares & np.isclose(np.nanstd(self.draws[1:], axis=0), 0.0, atol=1e-9)
        moving = np.flatnonzero(~still)
        rest = 1.0 - (1.0 - level) * max(1, len(moving)) / n
        band = sup_t_band(self.draws[:, moving], units=self.units, level=rest)
        ends = iter(zip(*self._around(moving, band), strict=True))
        each = 1.0 - (1.0 - level) / n
        found = [self._wilson(place, 1.0, each) if alone else next(ends)
                 for place, alone in enumerate(still)]  # fmt: skip
        nothing = math.nan, math.nan
        return band, [nothing if few else its for few, its in zip(self.few, found, strict=True)]

    def _around(self, places: Ints, band: Band) -> tuple[list[float], list[float]]:
        if not self.shares or math.isnan(band.critical):
            return band.low.tolist(), band.high.tolist()
        level = 1.0 - 2.0 * NormalDist().cdf(-band.critical)
        found = []
        for place, error in zip(places.tolist(), band.standard_error.tolist(), strict=True):
            p = float(self.draws[0, place]) / self.unit
            plain = p * (1.0 - p) / self.estimates[place].units
            # An item that is partly won varies less than one that is won or lost.
            found.append(self._wilson(place, (error / self.unit) ** 2 / plain, level))
        return [low for low, _ in found], [high for _, high in found]

    def _wilson(self, place: int, dispersion: float, level: float) -> tuple[float, float]:
        n = self.estimates[place].units / dispersion
        low, high = wilson_interval(float(self.draws[0, place]) / self.unit * n, n, level=level)
        return float(low) * self.unit, float(high) * self.unit

    def above_last(self, *, level: float) -> dict[str, Estimate]:
        """By how much each model is above the last one, where that is known.

        As where the two are compared, at the level at which all these intervals hold at once.
        """
        if self.pair is None or len(self.models) < 2 or self.units < 2:
            return {}
        apart: Floats = self.draws[:, :-1] - self.draws[:, -1:]
        alpha, last = alpha_together(apart, units=self.units, level=level), self.models[-1]
        found = {}
        for model in self.models[:-1]:
            pair = self.pair(model, last)
            tests = compare(pair, alpha=alpha, ends=False)
            found[model] = difference(pair, tests, tests.observed.bounds(alpha), level=level)
        return {model: one for model, one in found.items() if not math.isnan(one.low)}

    def best(self, *, level: float) -> Winner:
        """The best of the models, corrected for having been picked.

        A share with fewer than `FEWEST` units won, or lost, has its interval of the band, which
        holds whichever is picked. A weighted one that the board has no interval of has none.
        """
        values, covariance = self.draws[0], self.covariance()
        place = int(np.argmax(values))
        if self.few[place]:
            nan, picked = math.nan, float(values[place])
            return Winner(place=place, picked=picked, value=nan, low=nan, high=nan)
        if not self.shares:
            return best_of(values, covariance, level=level, step=self.step)
        found = best_share_of(
            values / self.unit,
            covariance / self.unit**2,
            units=self.units,
            level=level,
            step=self.step / self.unit,
        )
        low, high = found.low * self.unit, found.high * self.unit
        if min(found.picked, 1.0 - found.picked) * self.units < FEWEST:
            low, high = self.band(level=level)[1][found.place]
        return replace(
            found,
            picked=found.picked * self.unit,
            value=min(max(found.value * self.unit, low), high),
            low=low,
            high=high,
        )

    @property
    def few(self) -> Bools:
        """Of which too little is won, or lost, for an interval of a weighted share."""
        return np.array([self.weighted and math.isnan(one.low) for one in self.estimates], np.bool_)

    @property
    def units(self) -> int:
        """How many units speak for the one that has the fewest."""
        return min((one.units for one in self.estimates), default=0)

    def covariance(self) -> Floats:
        """Of the estimates, shape (models, models), from the draws in which all are defined."""
        drawn = self.draws[1:]
        found = np.atleast_2d(np.cov(drawn[~np.isnan(drawn).any(axis=1)], rowvar=False))
        return np.asarray(found * self.units / max(1, self.units - 1))


def shared_draws(
    columns: Columns,
    kind: BoardKind,
    judge: str,
    models: Sequence[str],
    *,
    labels: Sequence[str],
    balance: Balance | None = None,
    weighted: Weighted | None = None,
    intervals: Intervals | None = None,
) -> SharedDraws:
    """Line up models of one judge's board.

    Parameters
    ----------
    columns
        As for the boards of this kind, with names that mean one model or judge.
    models
        In the order wanted; those without a row of this judge are left out.
    labels
        The declared ones, the positive one last.
    balance
        How categories make up the whole, where they count equally.
    weighted
        How much clear wins count more, where they do; as on the board all count alike where no
        verdict says how clear a win is.
    """
    whole_board = board(columns, kind)
    rows = np.flatnonzero(marked(whole_board["judge"], lambda one: one == judge))
    judged = JudgeMeans(whole_board, kind, judge, labels, balance, rows=rows, weighted=weighted)
    if weighted is not None and not judged.cells:
        weighted, judged = None, JudgeMeans(whole_board, kind, judge, labels, balance, rows=rows)
    table = judged.table
    there = {table.models[m] for m in np.unique(table.models_of(rows)).tolist()}
    named = tuple(model for model in models if model in there)
    places = [table.models.index(model) for model in named]
    measure, whole = judged.over_draws(intervals or Intervals())
    found = [whole.estimates[place] for place in places]
    return SharedDraws(
        metric=judged.metric,
        models=named,
        estimates=tuple(found),
        draws=whole.scores[:, places] * measure.unit,
        step=0.0 if weighted else _step(judged.means.mean[:, places]) * measure.unit,
        unit=measure.unit,
        shares=measure.proportion or measure.weighted,
        weighted=measure.weighted,
        pair=partial(
            paired_models, columns, kind, judge, labels=labels, balance=balance, weighted=weighted
        ),
        why_missing=tuple(map(judged.why_missing, named)),
    )


def _step(mean: Floats) -> float:
    """Between two means of items: the smallest between two items, over how many there are."""
    known = np.unique(np.round(mean[~np.isnan(mean)], 9))
    if len(known) < 2:
        return 0.0
    return float(np.diff(known).min()) / float((~np.isnan(mean)).sum(axis=0).max())
