"""One judge's fitted ranking as estimates, ranks and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from judgebench.metrics.intervals import ALL_EQUAL, Floats, all_equal
from judgebench.metrics.pairs import Pairs
from judgebench.records import Estimate
from judgebench.reports.board_warnings import few
from judgebench.reports.ranking_control import Covariates
from judgebench.stats.bradley_terry import bradley_terry, davidson, win_probability
from judgebench.stats.comparisons import Comparisons, Sums, win_rates
from judgebench.stats.ranking import Ranking as Fit
from judgebench.stats.ranking import Ties

STRENGTH, EXPECTED = "strength", "expected_win_rate"
PERCENT = 100.0
FEW_WINS = 5
"""With fewer wins, or losses, an interval of a log-odds is rough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """Two models, the better placed one first.

    ``probability_above`` is None where no replicate can say; ``difference`` then says why.
    """

    model: str
    opponent: str
    version: str
    win_rate: Estimate
    difference: Estimate
    probability_above: float | None

    @property
    def metrics(self) -> dict[str, Estimate]:
        """By name, as those of a model."""
        return {"win_rate": self.win_rate, "difference": self.difference}


class RankAmong(NamedTuple):
    """A rank among models that comparisons connect, of whatever outcome."""

    rank: int | None = None
    low: int | None = None
    high: int | None = None


def places_of(fit: Fit) -> list[RankAmong]:
    """Of every model that comparisons connect with the ranked ones; no ranks for the others."""
    sizes = np.bincount(fit.component)
    ranked = np.flatnonzero(fit.group == 0)
    main = fit.component[ranked[0]] if len(ranked) else sizes.argmax()
    here, apart = fit.component == main, len(fit.component) - sizes[main]
    found = []
    for m in range(len(fit.component)):
        better = here & ((fit.difference[m] < 0) | fit.above[:, m])
        known = ~np.isnan(fit.difference[m]) | fit.above[:, m] | fit.above[m]
        found.append(
            RankAmong(
                rank=1 + int(better.sum()) if known[here].all() else None,
                low=_whole(fit.rank_low[m]),
                high=_whole(fit.rank_high[m] - apart),
            )
            if here[m]
            else RankAmong()
        )
    return found


def order_of(fit: Fit, places: Sequence[RankAmong], m: int) -> tuple[float, ...]:
    """Best first; what has no rank comes last, each group by itself."""
    rank = places[m].rank
    first = (0.0, float(rank)) if rank is not None else (1.0, float(fit.group[m]))
    return (*first, -float(np.nansum(fit.difference[m])), m)


def estimate(
    value: float,
    low: float,
    high: float,
    fit: Fit,
    *,
    undefined: str,
    n: int,
    units: int,
    missing: int = 0,
    worst: Floats | None = None,
) -> Estimate:
    """An estimate of the fit, without interval where all draws are equal."""
    known = not math.isnan(value)
    there = known and not _still(value, low, high)
    return Estimate(
        value=float(value),
        low=float(low) if there else math.nan,
        high=float(high) if there else math.nan,
        n=n,
        units=units,
        missing=missing,
        level=fit.level,
        method=_method(fit, value, float(low), float(high)) if known else "",
        undefined=None if known else undefined or "no reference",
        worst_low=None if worst is None or not known else float(worst[0]),
        worst_high=None if worst is None or not known else float(worst[1]),
    )


def _still(value: float, low: float, high: float) -> bool:
    return bool(all_equal(np.asarray(low), np.asarray(high), np.asarray(value)))


def _method(fit: Fit, value: float, low: float, high: float) -> str:
    if not fit.n_replicates:
        return "no interval, a single prompt"
    said = f"BCa bootstrap over prompts, {fit.n_replicates} replicates"
    if math.isnan(low) or math.isnan(high):
        return f"{said}; no interval, too many replicates undefined"
    if _still(value, low, high):
        return f"{said}; {ALL_EQUAL}"
    sides = [side for side, end in (("lower", low), ("upper", high)) if math.isinf(end)]
    return f"{said}; no {' or '.join(sides)} bound" if sides else said


def expected_win_rate(strength: Estimate, fit: Fit) -> Estimate:
    """The expected win rate against the reference: strength on another scale.

    Davidson's nu is that of the data in the interval's ends too.
    """

    def rate(at: float) -> float:
        return PERCENT * float(win_probability(at, fit.tie_strength))

    return replace(
        strength,
        value=rate(strength.value),
        low=rate(strength.low),
        high=rate(strength.high),
        worst_low=None if strength.worst_low is None else rate(strength.worst_low),
        worst_high=None if strength.worst_high is None else rate(strength.worst_high),
    )


def coefficients(fit: Fit, c: Comparisons, looks: Covariates) -> dict[str, Estimate]:
    """By name, in the order of the fit; then what could not be fitted, with the reason."""
    n, units, nothing = len(c.prompt), len(np.unique(c.prompt)), (math.nan, math.nan, math.nan)
    ends = zip(fit.coefficients, fit.coefficients_low, fit.coefficients_high, strict=True)
    fitted = dict(zip(looks.names, ends, strict=True)) | dict.fromkeys(looks.left_out, nothing)
    found = {}
    for name, (value, low, high) in fitted.items():
        why = looks.left_out.get(name, "the fit has no finite answer")
        one = estimate(value, low, high, fit, undefined=why, n=n, units=units)
        unit = f"; {looks.unit}" if looks.unit and one.method else ""
        found[name] = replace(one, method=one.method + unit)
    return found


def pair_rows(
    pairs: Pairs, c: Comparisons, fit: Fit, order: Sequence[int], *, version: str
) -> list[PairRow]:
    rates, missing = win_rates(c, level=fit.level), pairs.all_missing
    found = []
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            n = int(rates.n[i, j])
            apart = "above" if fit.above[i, j] else "below" if fit.above[j, i] else ""
            difference = estimate(
                fit.difference[i, j], fit.difference_low[i, j], fit.difference_high[i, j], fit,
                undefined=f"{apart} by no known amount" if apart else "nothing connects them",
                n=n, units=n, missing=int(missing[i, j]),
            )  # fmt: skip
            win_rate = Estimate(
                value=PERCENT * float(rates.rate[i, j]),
                low=PERCENT * float(rates.low[i, j]),
                high=PERCENT * float(rates.high[i, j]),
                n=n,
                units=n,
                missing=int(missing[i, j]),
                level=fit.level,
                method="wilson" if n else "",
                undefined=None if n else "never compared",
            )
            found.append(
                PairRow(
                    model=pairs.models[i],
                    opponent=pairs.models[j],
                    version=version,
                    win_rate=win_rate,
                    difference=difference,
                    probability_above=finite(fit.probability_above[i, j]),
                )
            )
    return found


def groups_of(pairs: Pairs, fit: Fit, order: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(pairs.models[m] for m in order if fit.group[m] == group)
        for group in sorted(set(fit.group.tolist()))
    )


def few_wins(pairs: Pairs, c: Comparisons, fit: Fit, order: Sequence[int]) -> list[str]:
    """Of the ranked models, those whose wins or losses are few. In the fit as many are expected."""
    won, tied = Sums(c).of_data
    half = won + tied / 2.0
    wins, losses = half.sum(axis=1), half.sum(axis=0)
    rough = [
        f"{pairs.models[m]} ({min(wins[m], losses[m]):.1f} "
        f"{'won' if wins[m] <= losses[m] else 'lost'} of {wins[m] + losses[m]:.0f})"
        for m in order
        if fit.group[m] == 0 and min(wins[m], losses[m]) < FEW_WINS
    ]
    if not rough:
        return []
    return [f"fewer than {FEW_WINS} wins or losses, their intervals are rough: {few(rough)}"]


def worst_cases(
    pairs: Pairs, c: Comparisons, data: Fit, ties: Ties, reference: int | None
) -> Floats | None:
    """Strengths over the reference with a model's missing verdicts lost and the reference's won,
    then the other way round; shape (2, n_models), nan where nothing connects the two."""
    if reference is None:
        return None
    won, tied = Sums(c).of_data
    missing = pairs.all_missing
    found = np.tile(data.strength, (2, 1))
    for m in range(len(won)):
        if m == reference or not missing[[m, reference]].any():
            continue
        for side, (better, worse) in enumerate(((reference, m), (m, reference))):
            filled = won.copy()
            filled[better] += missing[better]
            filled[:, worse] += missing[:, worse]
            filled[better, worse] -= missing[better, worse]
            fit = davidson(filled, tied) if ties == "davidson" else bradley_terry(filled + tied / 2)
            up, down = fit.reaches[m, reference], fit.reaches[reference, m]
            if up and down:
                found[side, m] = fit.strength[m] - fit.strength[reference]
            else:
                found[side, m] = math.inf if up else -math.inf if down else math.nan
    return found


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _whole(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None
