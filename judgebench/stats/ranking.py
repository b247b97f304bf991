"""Rankings of models from pairs compared on prompts, with intervals that resample prompts.

Strengths and what is known of them where they have no finite value come from
`judgebench.stats.bradley_terry`, and so do the sums over prompts that make all bootstrap replicates
one matrix product. Here replicates become intervals, ranks and the chance that one model is above
another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.bradley_terry import (
    Bools,
    Comparisons,
    Floats,
    Ints,
    Strengths,
    Sums,
    bradley_terry,
    controlled,
    davidson,
    outcome_chances,
    prompts_met,
    who_reaches_whom,
)
from judgebench.stats.resample import MAX_UNDEFINED

Ties: TypeAlias = Literal["half", "davidson"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """Strengths, their differences and ranks, with intervals from replicates.

    An infinite end means that no bound is known on that side: in so many replicates one of the
    two won everything. nan means undefined. Without replicates, or with fewer than two prompts,
    every interval is nan.

    Attributes
    ----------
    strength, low, high : float array, shape (n_models,)
        Log-odds over the mean of the ranked models, or over the reference. nan outside the
        ranked models, see ``reason``.
    reason : tuple of str
        For each model why it has no strength, and what is known instead; empty where it has one.
    group : int array, shape (n_models,)
        Models of one group have finite differences. The ranked models are group 0, if any.
    component : int array, shape (n_models,)
        Models of one component are connected by comparisons, of whatever outcome.
    above : bool array, shape (n_models, n_models)
        The first is above the second by an unknown amount: chains of wins lead down, none up.
    difference, difference_low, difference_high : float array, shape (n_models, n_models)
        Strength of the first less that of the second; nan between groups.
    probability_above : float array, shape (n_models, n_models)
        Share of replicates in which the first is above the second. 1 among ``n_replicates`` says
        more than ``1 - 1 / n_replicates``, no more.
    undefined : float array, shape (n_models, n_models)
        Share of replicates in which the two could not be compared.
    rank, rank_low, rank_high : float array, shape (n_models,)
        1 is best. ``rank`` is nan where a model cannot be compared with some other. The true ranks
        of all models lie between the other two at once, with the confidence of ``level``.
    tie_strength : float
        Davidson's nu, 0 in the other models.
    coefficients, coefficients_low, coefficients_high : float array, shape (n_covariates,)
    n_replicates : int
    level : float
    """

    strength: Floats
    low: Floats
    high: Floats
    reason: tuple[str, ...]
    group: Ints
    component: Ints
    above: Bools
    difference: Floats
    difference_low: Floats
    difference_high: Floats
    probability_above: Floats
    undefined: Floats
    rank: Floats
    rank_low: Floats
    rank_high: Floats
    tie_strength: float
    coefficients: Floats
    coefficients_low: Floats
    coefficients_high: Floats
    n_replicates: int
    level: float


def rank_models(
    comparisons: Comparisons,
    *,
    draws: ArrayLike | None = None,
    ties: Ties = "half",
    covariates: ArrayLike | None = None,
    reference: int | None = None,
    level: float = 0.95,
) -> Ranking:
    """Rank models by Bradley-Terry strengths, with intervals over prompts.

    Replicates in which wins no longer lead from every model to every other are kept: there, one
    of two models is above the other without bound (their difference is infinite), or nothing
    connects them (undefined). An interval's end among infinite replicates is infinite; above
    `MAX_UNDEFINED` undefined replicates there is no interval. Where already the data leave a
    difference without bound, resampling them would only repeat that: no interval, no
    probability. Such a pair counts as settled for ranks only if the two met on so many prompts
    that winning all of them by chance is excluded (sign test at the level of the interval).

    Intervals are BCa, with each prompt's influence for the acceleration: the log-odds of models
    that win seldom are skewed.

    Strengths are centred on the ranked models. In replicates that lose some of these, the others
    keep the mean that they have in the data.

    Sets of ranks hold for all models at once: they follow from simultaneous intervals of all
    differences [1]_. Percentiles of ranks are too narrow for models of nearly equal strength.

    Parameters
    ----------
    comparisons : Comparisons
    draws : float array, shape (n_replicates, n_prompts), optional
        How often each prompt is drawn in each replicate, as from
        `judgebench.stats.resample.multinomial_weights`; share them between judges and metrics.
    ties : {"half", "davidson"}
        A tie as half a win of each, or as an outcome of its own.
    covariates : float array, shape (n, n_covariates), optional
        Differences of style, first less second (see `relative_difference`), of each comparison.
    reference : int, optional
        The model of strength 0; the mean of the ranked models by default.
    level : float
        Coverage aimed at, in (0, 1).

    Returns
    -------
    Ranking

    Raises
    ------
    ValueError
        When draws or covariates do not fit the comparisons, covariates are not finite or are
        asked for with Davidson's ties, or the reference is no model.

    References
    ----------
    .. [1] M. Mogstad, J. P. Romano, A. M. Shaikh, D. Wilhelm (2024), Inference for ranks with
       applications to mobility across neighbourhoods and academic achievement across countries,
       The Review of Economic Studies 91(1), 476-518.
    """
    c = comparisons
    drawn = _draws(draws, c.n_prompts)
    units = len(np.unique(c.prompt[c.weights > 0]))
    if units < 2:
        drawn = drawn[:0]
    styles = _styles(covariates, len(c.prompt), ties)
    if reference is not None and not 0 <= reference < c.n_models:
        raise ValueError(f"the reference must be one of the models 0 .. {c.n_models - 1}")
    sums = Sums(c)
    data = _fit(c, sums, None, ties, styles, None)
    won, tied = sums.of_data
    half = won + tied / 2.0
    here = _View(data, 0)
    group = _groups(here.same, half)
    ranked = group == 0
    skew = _Skew(c, data, here.same, styles)
    replicates = _Replicates(c, sums, drawn, ties, styles, data, ranked)

    n = c.n_models
    square = np.full((n, n), np.nan)
    difference, low, high = square.copy(), square.copy(), square.copy()
    rank, sets, joint = np.full(n, np.nan), np.full((2, n), np.nan), _Joint(n, len(drawn))
    probability, undefined = square.copy(), square.copy()
    above = here.reaches & ~here.same
    met = prompts_met(c) if above.any() else np.zeros((n, n), dtype=np.int64)
    for i in range(n):
        difference[i] = np.where(here.same[i], here.differences(i), np.nan)
        finite = ~np.isnan(difference[i])
        rank[i] = _rank(here.differences(i))
        if not len(drawn):
            continue
        found = replicates.differences(i)
        undefined[i] = np.isnan(found).mean(axis=0)
        with np.errstate(invalid="ignore"):
            ahead = (found > 0) + 0.5 * (found == 0)
            share = ahead.sum(axis=0) / (~np.isnan(found)).sum(axis=0)
        others = finite & (np.arange(n) != i)
        probability[i] = np.where(others & (undefined[i] <= MAX_UNDEFINED), share, np.nan)
        ends = extended_interval(
            found, level=level, value=difference[i], acceleration=skew.between(i)
        )
        low[i], high[i] = np.where(finite, ends, np.nan)
        joint.add(i, found[:, i + 1 :], np.where(others, difference[i], np.nan)[i + 1 :])

    if len(drawn):
        # Who won all that the two met on is above where chance is excluded (sign test).
        swept = above & (0.5**met <= (1.0 - level) / max(n * (n - 1), 1)) & ((won + tied).T == 0)
        sets = _sets(joint.surely(level, units) | swept, np.ones(n, dtype=np.bool_))
    strength, strength_low, strength_high = np.full((3, n), np.nan)
    if reference is None:
        strength = np.where(ranked, here.strength, np.nan)
        if len(drawn):
            ends = extended_interval(
                replicates.centred(here.strength, ranked), level=level, value=strength,
                acceleration=skew.over_mean(ranked),
            )  # fmt: skip
            strength_low, strength_high = np.where(ranked, ends, np.nan)
    elif ranked[reference]:
        strength = difference[:, reference]
        strength_low, strength_high = low[:, reference], high[:, reference]
    coefficients = data.coefficients[0]
    styles_low, styles_high = np.full((2, len(coefficients)), np.nan)
    if len(drawn) and len(coefficients):
        styles_low, styles_high = extended_interval(
            replicates.coefficients, level=level, value=coefficients,
            acceleration=skew.of_coefficients,
        )  # fmt: skip
    component = _numbered(who_reaches_whom(half + half.T))
    return Ranking(
        strength=strength,
        low=strength_low,
        high=strength_high,
        reason=_reasons(half, here, group, component, reference, bool(data.found[0])),
        group=group,
        component=component,
        above=above,
        difference=difference,
        difference_low=low,
        difference_high=high,
        probability_above=probability,
        undefined=undefined,
        rank=rank,
        rank_low=sets[0],
        rank_high=sets[1],
        tie_strength=float(data.tie_strength[0]),
        coefficients=coefficients,
        coefficients_low=styles_low,
        coefficients_high=styles_high,
        n_replicates=len(drawn),
        level=level,
    )


def rank_sets(
    values: ArrayLike,
    covariance: ArrayLike,
    *,
    units: ArrayLike,
    width: float,
    level: float = 0.95,
    n_draws: int = 2000,
    seed: int = 0,
) -> Floats:
    """Sets of ranks that hold the true ranks of all models at once [1]_.

    A model is surely above another where their difference is more than ``c`` standard errors;
    what follows from such relations is sure as well. With ``k`` models surely above one and ``m``
    surely below it, its set is ``1 + k .. n_models - m``. ``c`` is the quantile of the largest
    deviation among all pairs,

        ``max_ij |(x_i - x_j) - (v_i - v_j)| / se_ij``

    over draws ``x`` from a normal with the values and their covariance, moved to Student's with
    one degree of freedom fewer than units. Correlations of many models on few units scatter, which
    lowers that quantile: they are drawn towards their mean by as much as chance explains of their
    spread [2]_.

    Differences on few items vary less in the data than in truth, and often not at all: two
    pseudo-items, one a whole scale better and one a whole scale worse, are in the spread that a
    difference is held against,

        ``se*^2 = (n (n - 1) se^2 + 2 width^2) / (n (n + 1))``.

    A pair whose difference is the same on all items has no part in ``c``, and is held against its
    share of the error by Bonferroni.

    Parameters
    ----------
    values : float array, shape (n_models,)
        Higher is better; nan has no rank.
    covariance : float array, shape (n_models, n_models)
        Of the values. nan in the row and column of a model whose spread is not known: nothing is
        sure of it.
    units : float array, shape (n_models,) or ()
        How many units of equal weight speak for each model (see
        `judgebench.stats.resample.effective_n`). A pair has the smaller number; nothing is
        sure with fewer than two.
    width : float
        From the lowest to the highest value that a unit can have; for a scale without ends, that
        it has.
    level : float
        Probability aimed at that all sets hold, in (0, 1).
    n_draws, seed : int
        Of the draws from the normal.

    Returns
    -------
    float array, shape (2, n_models)
        The lowest and the highest rank in each set; nan where the value is. A set holds every rank
        that a model shares with those that are as good in truth.

    Raises
    ------
    ValueError
        For a width that is negative or not finite.

    References
    ----------
    .. [1] M. Mogstad, J. P. Romano, A. M. Shaikh, D. Wilhelm (2024), Inference for ranks with
       applications to mobility across neighbourhoods and academic achievement across countries,
       The Review of Economic Studies 91(1), 476-518.
    .. [2] O. Ledoit, M. Wolf (2004), Honey, I Shrunk the Sample Covariance Matrix, The Journal of
       Portfolio Management 30(4), 110-119: the target of constant correlation.
    """
    if not 0.0 <= width < np.inf:
        raise ValueError(f"the width of a scale is finite and not negative, not {width}")
    value, spread = np.asarray(values, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    n = np.broadcast_to(np.asarray(units, dtype=np.float64), value.shape)
    ranked = ~np.isnan(value)
    known = np.flatnonzero(ranked & (n >= 2) & ~np.isnan(np.diag(spread)))
    sure = np.zeros((len(value), len(value)), dtype=np.bool_)
    if len(known) > 1:
        among, n_pairs = np.ix_(known, known), len(known) * (len(known) - 1) / 2
        gap = np.subtract.outer(value[known], value[known])
        gap[np.abs(gap) <= _EQUAL * width] = 0.0
        own = np.add.outer(np.diag(spread)[known], np.diag(spread)[known])
        variance = np.maximum(own - 2.0 * spread[among], 0.0)
        varies = variance > _ROUNDING * own
        both = np.minimum.outer(n[known], n[known])
        pseudo = 2.0 * width**2 / (both * (both + 1.0))
        error = np.sqrt(variance * (both - 1.0) / (both + 1.0) + pseudo)
        t = np.divide(gap, error, out=np.zeros_like(gap), where=error > 0)
        still = (~varies & (gap > 0)).sum() / n_pairs
        smooth = _smoothed(spread[among], n[known].min())
        largest = _largest_deviations(smooth, varies, n_draws, seed)
        multiple = np.where(
            varies,
            _order_statistic(largest, 1.0 - (1.0 - level) * (1.0 - still)),
            -NormalDist().inv_cdf((1.0 - level) / (2.0 * n_pairs)),
        )
        sure[among] = _rarer(t, both - 1.0, multiple)
    return _sets(sure, ranked)


def _rarer(t: Floats, free: Floats, multiple: Floats) -> Bools:
    """Where Student's t, with so many degrees of freedom, is rarer than a normal's deviation.

    Bounds of the deviation that is as rare [1]_ tell nearly all apart, without what takes longer to
    load than most boards to compute.

    References
    ----------
    .. [1] D. L. Wallace (1959), Bounds on Normal Approximations to Student's and the Chi-Square
       Distributions, The Annals of Mathematical Statistics 30(4), 1121-1130.
    """
    most = np.sqrt(free * np.log1p(np.square(np.maximum(t, 0.0)) / free))
    least = most * np.sqrt(1.0 - 0.5 / free)
    rarer = least > multiple
    close = (most > multiple * (1.0 - _ROUNDING)) & (least < multiple * (1.0 + _ROUNDING))
    if close.any():
        from scipy.special import ndtri, stdtr

        rarer[close] = -ndtri(stdtr(free[close], -t[close])) > multiple[close]
    return np.asarray(rarer)


def _smoothed(covariance: Floats, units: float) -> Floats:
    """The covariance with correlations drawn towards their mean by the part of their spread that
    chance alone would give them."""
    error = np.sqrt(np.diag(covariance))
    scale = np.outer(error, error)
    found = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    others = found[(scale > 0) & ~np.eye(len(found), dtype=np.bool_)]
    if not len(others):
        return covariance
    mean, spread = others.mean(), others.var()
    chance = (1.0 - mean**2) ** 2 / (units - 1.0)
    share = chance / spread if spread > chance else 1.0
    alike = np.where(np.eye(len(found), dtype=np.bool_), 1.0, mean)
    return np.asarray(scale * ((1.0 - share) * found + share * alike))


def _largest_deviations(covariance: Floats, varies: Bools, n_draws: int, seed: int) -> Floats:
    """Of each draw, the largest deviation of a pair that varies, in its standard errors."""
    own = np.add.outer(np.diag(covariance), np.diag(covariance))
    variance = np.maximum(own - 2.0 * covariance, 0.0)
    varies = varies & (variance > _ROUNDING * own)
    root, vectors = np.linalg.eigh(covariance)
    # The symmetric root of a matrix is one: equal data have equal draws on every machine.
    scaled = vectors * np.sqrt(np.maximum(root, 0.0)) @ vectors.T
    inverse = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=varies)
    drawn = scaled @ np.random.default_rng(seed).standard_normal((n_draws, len(scaled))).T
    largest = np.zeros(n_draws)
    for i in range(len(drawn) - 1):
        apart = drawn[i + 1 :] - drawn[i]
        apart *= inverse[i + 1 :, i, np.newaxis]
        np.maximum(largest, np.abs(apart, out=apart).max(axis=0), out=largest)
    return largest


def _order_statistic(values: Floats, level: float) -> float:
    """The least of the values that as many reach as the level asks for; infinite with too few."""
    place = ceil(level * (len(values) + 1)) - 1
    return float(np.sort(values)[place]) if place < len(values) else float("inf")


def _sets(sure: Bools, ranked: Bools) -> Floats:
    """The lowest and the highest rank of each model, from who is surely above whom."""
    above = sure.astype(np.float64)
    while True:  # who is above one that is above another is above that one
        further = np.minimum(above + above @ above, 1.0)
        if (further == above).all():
            break
        above = further
    ends = np.stack([1.0 + above.sum(axis=0), ranked.sum() - above.sum(axis=1)])
    return np.where(ranked, ends, np.nan)


def extended_interval(
    replicates: ArrayLike,
    *,
    level: float = 0.95,
    max_undefined: float = MAX_UNDEFINED,
    value: ArrayLike | None = None,
    acceleration: ArrayLike = 0.0,
) -> tuple[Floats, Floats]:
    """Bootstrap interval from replicates some of which are infinite: percentile, or BCa [1]_.

    Parameters
    ----------
    replicates : float array, shape (n_replicates, ...)
        Undefined replicates (nan) are left out. Between a finite and an infinite one the end is
        the outer of the two.
    level, max_undefined
        As in `judgebench.stats.resample.percentile_interval`, which this equals where all is
        finite and no value is given.
    value : float array, shape (...), optional
        The statistic on the data: then percentiles are corrected for bias and acceleration, except
        where all replicates lie on one side of it.
    acceleration : float array, shape (...)
        Sixth of the skewness of the influences of the units.

    Returns
    -------
    low, high : float array, shape (...)
        Infinite where there is no bound; nan where more than ``max_undefined`` are undefined.

    References
    ----------
    .. [1] B. Efron (1987), Better bootstrap confidence intervals, Journal of the American
       Statistical Association 82(397), 171-185.
    """
    from scipy.special import ndtr, ndtri

    values = np.asarray(replicates, dtype=np.float64)
    middle = np.asarray(0.0 if value is None else value, dtype=np.float64)
    bend = np.asarray(acceleration, dtype=np.float64)
    gone = np.isnan(values).sum(axis=0)
    known = (gone <= max_undefined * len(values)) & (gone < len(values))
    ordered, last = np.sort(values, axis=0), np.maximum(len(values) - gone - 1, 0)
    ends = []
    for tail, outer in (((1.0 - level) / 2.0, 0), ((1.0 + level) / 2.0, 1)):
        share: Any = tail
        if value is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                below = (values < middle).sum(axis=0) + 0.5 * (values == middle).sum(axis=0)
                bias = ndtri(below / (last + 1))
                shifted = bias + ndtri(tail)
                corrected = ndtr(bias + shifted / (1.0 - bend * shifted))
            share = np.where(np.isfinite(bias) & np.isfinite(corrected), corrected, tail)
        place = share * last
        lower, upper = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
        near = [np.take_along_axis(ordered, at[np.newaxis], axis=0)[0] for at in (lower, upper)]
        with np.errstate(invalid="ignore"):
            between = near[0] + (place - lower) * (near[1] - near[0])
        end = np.where(np.isfinite(near[0]) & np.isfinite(near[1]), between, near[outer])
        ends.append(np.where(known, end, np.nan))
    return ends[0], ends[1]


def relative_difference(first: ArrayLike, second: ArrayLike, *, floor: float = 0.0) -> Floats:
    """``(first - second) / (first + second + floor)``: style as Arena-Hard compares it [1]_.

    Lengths in tokens or characters go without floor; densities (headers, list marks or bold marks
    per token) with a floor of 1, so that one mark against none is not everything against nothing.

    Parameters
    ----------
    first, second : float array, shape (n,)
        Not negative.
    floor : float

    Returns
    -------
    float array, shape (n,)
        In [-1, 1]; 0 where both are 0: two empty answers do not differ in length.

    References
    ----------
    .. [1] https://github.com/lmarena/arena-hard-auto, README, "Style Control".
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    total = a + b + floor
    return np.asarray(np.divide(a - b, total, out=np.zeros(np.shape(total)), where=total > 0))


_EQUAL = 1e-9
"""Strengths that differ by less are equal: fits are no more exact."""

_ROUNDING = 1e-10
"""Share of two variances under which their difference has none: sums are no more exact."""

_BLOCK = 2**23
"""Numbers that are worked on at a time."""


class _View:
    """One fit among those of a stack, as relations between its models."""

    def __init__(self, fits: Strengths, place: int) -> None:
        self.strength, self.reaches = fits.strength[place], fits.reaches[place]
        self.same = self.reaches & self.reaches.T

    def differences(self, model: int) -> Floats:
        """Finite within its group, infinite above and below, nan where nothing is known."""
        stack = self.strength[np.newaxis], self.reaches[np.newaxis]
        return np.asarray(_differences(*stack, model)[0])


class _Skew:
    """A sixth of the skewness of the prompts' influences: BCa's acceleration.

    A prompt's influence is its part of the likelihood's slope times the inverse information: the
    jackknife without fitting again.
    """

    def __init__(self, c: Comparisons, data: Strengths, same: Bools, styles: Floats | None) -> None:
        self._c, self._data, self._same, self._styles = c, data, same, styles

    def between(self, model: int) -> Floats:
        """Of one model's differences from all."""
        _, _, squares, skewed = self._moments
        own = squares[model, model] - 2.0 * squares[model] + np.diag(squares)
        cube = np.diag(skewed)
        third = cube[model] - 3.0 * skewed[model] + 3.0 * skewed[:, model] - cube
        return _acceleration(own, third)

    def over_mean(self, ranked: Bools) -> Floats:
        x = self._moments[0]
        x = x - x[:, ranked].mean(axis=1, keepdims=True) if ranked.any() else x
        return _acceleration(np.square(x).sum(axis=0), (x**3).sum(axis=0))

    @property
    def of_coefficients(self) -> Floats:
        x = self._moments[1]
        return _acceleration(np.square(x).sum(axis=0), (x**3).sum(axis=0))

    @cached_property
    def _moments(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Influences on strengths and coefficients; sums of ``x_i x_j`` and of ``x_i^2 x_j``."""
        n = self._c.n_models
        nothing = np.zeros((1, n + self._data.coefficients.shape[-1]))
        x = self._influences() if self._data.found[0] else nothing
        models = x[:, :n]
        return models, x[:, n:], models.T @ models, np.square(models).T @ models

    def _influences(self) -> Floats:
        from scipy.sparse import csr_array

        c, n = self._c, self._c.n_models
        rows = np.flatnonzero(self._same[c.first, c.second] & (c.weights > 0))
        one, two, weights = c.first[rows], c.second[rows], c.weights[rows]
        strength, nu = self._data.strength[0], float(self._data.tie_strength[0])
        gap = strength[one] - strength[two]
        styles = np.zeros((len(rows), 0)) if self._styles is None else self._styles[rows]
        gap = gap + styles @ self._data.coefficients[0]
        win, tie = outcome_chances(gap, nu)
        loss = 1.0 - win - tie
        place = np.arange(len(rows))
        width = styles.shape[1]
        entries = np.r_[np.ones(len(rows)), -np.ones(len(rows)), styles.ravel()]
        across = np.r_[one, two, np.tile(np.arange(n, n + width), len(rows))]
        down = np.r_[place, place, np.repeat(place, width)]
        design = csr_array((entries, (down, across)), shape=(len(rows), n + width))

        def by_prompt(values: Floats) -> Any:
            return csr_array((values, (c.prompt[rows], place)), shape=(c.n_prompts, len(rows)))

        def diagonal(values: Floats) -> Any:
            return csr_array((values, (place, place)), shape=(len(rows), len(rows)))

        taken = c.wins[rows] + c.ties[rows] / 2.0 - win - tie / 2.0
        slopes = (by_prompt(weights * taken) @ design).toarray()
        spread = weights * (win * loss + tie * (win + loss) / 4.0)
        information = (design.T @ (diagonal(spread) @ design)).toarray()
        information[:n, :n] += self._same
        if nu > 0:
            excess = by_prompt(weights * (c.ties[rows] - tie)).sum(axis=1)
            cross = design.T @ (weights * tie * (loss - win) / 2.0)
            own = (weights * tie * (1.0 - tie)).sum()
            slopes = np.c_[slopes, excess]
            information = np.block(
                [[information, cross[:, None]], [cross[None], np.array([[own]])]]
            )
        return np.asarray(np.linalg.solve(information, slopes.T).T[:, : n + width])


def _acceleration(second: Floats, third: Floats) -> Floats:
    """What no prompt moves has no skew."""
    scale = 6.0 * np.maximum(second, 0.0) ** 1.5
    return np.asarray(np.divide(third, scale, out=np.zeros_like(third), where=scale > 0))


class _Replicates:
    """The fits of all replicates."""

    def __init__(
        self,
        comparisons: Comparisons,
        sums: Sums,
        draws: Floats,
        ties: Ties,
        styles: Floats | None,
        data: Strengths,
        ranked: Bools,
    ) -> None:
        # A fit with covariates passes over its comparisons many times: they should stay in cache.
        cells, rows = comparisons.n_models**2, 16 * len(comparisons.prompt)
        size = cells if styles is None else max(cells, rows)
        start = data.strength[0] if data.found[0] else None
        fits = [
            _fit(comparisons, sums, block, ties, styles, start)
            for block in _blocks(draws, max(1, _BLOCK // max(size, 1)))
        ]
        n, n_styles = comparisons.n_models, data.coefficients.shape[-1]
        self.strength = np.concatenate([np.zeros((0, n)), *(f.strength for f in fits)])
        self._reaches = np.concatenate([np.zeros((0, n, n), np.bool_), *(f.reaches for f in fits)])
        self.coefficients = np.concatenate(
            [np.zeros((0, n_styles)), *(f.coefficients for f in fits)]
        )

    def differences(self, model: int) -> Floats:
        return _differences(self.strength, self._reaches, model)

    def centred(self, strength: Floats, ranked: Bools) -> Floats:
        """Strengths of all replicates, shape (n_replicates, n_models), on the scale of the data:
        the largest part of the ranked models that stays together has the mean it has there."""
        same = self._reaches & self._reaches.swapaxes(-1, -2)
        replicates = np.arange(len(same))
        core = (same & ranked).sum(axis=-1)
        chosen = np.where(ranked, core, -1).argmax(axis=-1)
        kept = same[replicates, chosen] & ranked
        moved = np.where(kept, self.strength - np.where(ranked, strength, 0.0), 0.0)
        offset = moved.sum(axis=-1) / np.maximum(kept.sum(axis=-1), 1)
        level = self.strength - offset[:, np.newaxis]
        to_core = self._reaches[replicates, :, chosen]
        from_core = self._reaches[replicates, chosen, :]
        return _extended(level, to_core, from_core)


def _fit(
    c: Comparisons,
    sums: Sums,
    draws: Floats | None,
    ties: Ties,
    styles: Floats | None,
    start: Floats | None,
) -> Strengths:
    """One fit for each weighting of the prompts, or the data's own."""
    if styles is not None:
        weights = c.weights * (1.0 if draws is None else draws[:, c.prompt])
        return controlled(
            c.first, c.second, c.wins + c.ties / 2.0, styles, np.atleast_2d(weights),
            n_models=c.n_models, start=start,
        )  # fmt: skip
    if draws is None:
        won, tied = (found[np.newaxis] for found in sums.of_data)
    else:
        won, tied = sums.of(draws)
    if ties == "davidson":
        return davidson(won, tied, start=start)
    return bradley_terry(won + tied / 2.0, start=start)


def _differences(strength: Floats, reaches: Bools, model: int) -> Floats:
    gap = strength[:, model, np.newaxis] - strength
    gap = np.where(np.abs(gap) < _EQUAL, 0.0, gap)
    return _extended(gap, reaches[:, model, :], reaches[:, :, model])


def _extended(values: Floats, over: Bools, under: Bools) -> Floats:
    """Finite where both reach each other, else infinite, else nan."""
    one_way = np.where(over, np.inf, np.where(under, -np.inf, np.nan))
    return np.asarray(np.where(over & under, values, one_way))


def _rank(differences: Floats) -> float:
    if np.isnan(differences).any():
        return float("nan")
    return 1.0 + int((differences < 0).sum())


class _Joint:
    """Who is surely above whom, by intervals of all differences that hold at once.

    The intervals are the data's differences and a common multiple of each one's spread; the
    multiple is the level's quantile of the largest deviation in a replicate. The spread is half
    the distance of the 16 % and 84 % points, or one of its parts where the other is infinite.
    Nothing is sure of a difference without spread, or with fewer than ``1 / (1 - level)``
    replicates.
    """

    def __init__(self, n_models: int, n_replicates: int) -> None:
        self._data, self._spread = np.full((2, n_models, n_models), np.nan)
        self._largest = np.zeros(n_replicates)

    def add(self, model: int, replicates: Floats, data: Floats) -> None:
        """The differences of a model from those after it; nan where there is none."""
        low, high = extended_interval(replicates, level=0.6827)
        with np.errstate(invalid="ignore"):
            parts = np.array([data - low, high - data])
            one_sided = np.where(np.isfinite(parts[0]), parts[0], parts[1])
            spread = np.where(np.isfinite(parts).all(axis=0), parts.mean(axis=0), one_sided)
            known = np.isfinite(spread) & (spread > _EQUAL)
            deviation = np.abs(replicates[:, known] - data[known]) / spread[known]
        # Infinite replicates lie on the side where the difference is clear already.
        finite = np.where(np.isfinite(deviation), deviation, 0.0)
        np.maximum(self._largest, finite.max(axis=1, initial=0.0), out=self._largest)
        others = model + 1 + np.flatnonzero(known)
        self._data[model, others], self._spread[model, others] = data[known], spread[known]

    def surely(self, level: float, units: int) -> Bools:
        """The first above the second, shape (n_models, n_models).

        The multiple is moved from a normal's quantile to Student's with one degree of freedom
        fewer than units, and the spread to that of a sample.
        """
        from scipy.special import ndtr, stdtrit

        normal = _order_statistic(self._largest, level)
        if np.isinf(normal):
            return np.zeros(self._data.shape, dtype=np.bool_)
        multiple = -stdtrit(units - 1.0, ndtr(-normal)) * np.sqrt(units / (units - 1.0))
        with np.errstate(invalid="ignore"):
            reach = multiple * self._spread
            return np.asarray((self._data - reach > 0) | (self._data + reach < 0).T)


def _groups(same: Bools, half: Floats) -> Ints:
    """Numbers of the groups: 0 the largest (of more than one model; of equals the one with most
    comparisons), the others in the order of their first model, from 1."""
    size, met = same.sum(axis=-1), same @ (half + half.T).sum(axis=-1)
    order = np.lexsort((np.arange(len(same)), -met, -size))
    main = same[order[0]] if len(order) and size[order[0]] > 1 else np.zeros(len(same), np.bool_)
    rest = _numbered(same) + 1
    names = np.unique(rest[~main])
    found = np.zeros(len(same), dtype=np.int64)
    found[~main] = np.searchsorted(names, rest[~main]) + 1
    return found


def _numbered(same: Bools) -> Ints:
    leader = same.argmax(axis=-1) if len(same) else np.zeros(0, np.int64)
    return np.unique(leader, return_inverse=True)[1].astype(np.int64)


def _reasons(
    half: Floats, here: _View, group: Ints, component: Ints, reference: int | None, found: bool
) -> tuple[str, ...]:
    main = np.flatnonzero(group == 0)
    reasons = []
    for model in range(len(half)):
        outside = ~here.same[model]
        won, lost = half[model, outside].sum() > 0, half[outside, model].sum() > 0
        alone = here.same[model].sum() == 1
        if group[model] == 0:
            text = ""
            if not found:
                text = "the fit has no finite answer"
            elif reference is not None and group[reference] != 0:
                text = "the reference is not among the ranked models"
        elif alone and not won and not lost:
            text = "never compared"
        elif alone and not lost:
            text = "won every comparison: above all it met, by no known amount"
        elif alone and not won:
            text = "lost every comparison: below all it met, by no known amount"
        elif not len(main):
            text = "no two models beat each other, directly or through others"
        elif here.reaches[model, main[0]]:
            text = "above the ranked models by no known amount: nothing below beat it"
        elif here.reaches[main[0], model]:
            text = "below the ranked models by no known amount: it beat nothing above"
        elif component[model] == component[main[0]]:
            text = "not comparable with the ranked models: only one-sided results connect them"
        else:
            text = "not connected with the ranked models by any comparison"
        reasons.append(text)
    return tuple(reasons)


def _blocks(draws: Floats, size: int) -> Iterator[Floats]:
    for start in range(0, len(draws), size):
        yield draws[start : start + size]


def _draws(draws: ArrayLike | None, n_prompts: int) -> NDArray[np.float64]:
    if draws is None:
        return np.zeros((0, n_prompts))
    found = np.asarray(draws, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != n_prompts:
        raise ValueError(f"draws weigh {n_prompts} prompts in each replicate, not {found.shape}")
    if not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError("draws must be finite and not negative")
    return found


def _styles(covariates: ArrayLike | None, n: int, ties: Ties) -> Floats | None:
    if ties not in ("half", "davidson"):
        raise ValueError(f"ties are counted by 'half' or 'davidson', not {ties!r}")
    if covariates is None:
        return None
    styles = np.asarray(covariates, dtype=np.float64)
    if styles.ndim != 2 or len(styles) != n or not np.isfinite(styles).all():
        raise ValueError(f"covariates are finite numbers, a row for each of {n} comparisons")
    if ties == "davidson":
        raise ValueError("covariates are fitted with ties as half wins")
    return styles
