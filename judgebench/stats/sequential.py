"""Deciding early which of two is better, with the error rate of a test that is made once.

Differences come in a random order and are looked at now and then. Where it is known how many there
will be at most, the bounds are Wang's and Tsiatis' [1]_: the chance that any look crosses its bound
though there is no difference is alpha, over all looks together. Where it is not known, they are
those of a confidence sequence [2]_, which holds at every number of items at once, for large ones
(asymptotically). The interval at a look is the repeated confidence interval [3]_: it leaves 0 out
exactly where the look decides, and holds whenever and for whatever reason one stops.

References
----------
.. [1] S. K. Wang, A. A. Tsiatis (1987), Approximately optimal one-parameter boundaries for group
   sequential trials, Biometrics 43(1), 193-199.
.. [2] I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas (2024), Time-uniform central
   limit theory and asymptotic confidence sequences, Annals of Statistics 52(6), 2613-2640.
.. [3] C. Jennison, B. W. Turnbull (1989), Interim analyses: the repeated confidence interval
   approach, Journal of the Royal Statistical Society B 51(3), 305-361.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.gate_rule import FEWEST_TO_CALL, Direction
from judgebench.stats.paired_tests import spread_over_units

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

SHAPE, SHAPE_WITH_STRATA = 0.3, 0.35
"""Between O'Brien's and Fleming's bounds, 0, which hardly stop early, and Pocock's, 0.5."""

EVERY, FIRST = 0.025, 20
"""The share of the items from one look to the next, and how many the first look has at least."""

OPEN_EVERY, TUNED = 10, 200
"""Items from one look to the next where their number is open, and where bounds are tightest."""

STRATA, OF_EACH = 10, 15
"""Of a covariate, and from how many items of each on the spread is that within them."""

_NODES = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """What came of one comparison.

    look : int
        The place of the look that decided, or of the last that there was; -1 before the first.
    difference, low, high : float
        At that look, with its repeated confidence interval; nan without one.
    level : float
        With which the interval, and the decision, holds.
    """

    look: int
    decision: Direction
    difference: float
    low: float
    high: float
    level: float


def looks(n: int, *, open_ended: bool = False) -> Ints:
    """After how many of ``n`` items it is looked, in ascending order; the last is all of them."""
    if open_ended:
        steps = np.arange(FIRST, n, OPEN_EVERY)
    else:
        steps = np.ceil(np.arange(1, round(1.0 / EVERY)) * EVERY * n - 1e-9).astype(np.int64)
    return np.unique(np.append(steps[(steps >= FIRST) & (steps < n)], n))


def wang_tsiatis(at: ArrayLike, *, alpha: float, shape: float = SHAPE) -> Floats:
    """The bounds of a two-sided test, in standard errors.

    Parameters
    ----------
    at : int array, shape (n_looks,)
        Ascending numbers of items; the last is all there will be.
    alpha : float
        The chance that any look crosses its bound, if there is no difference.
    shape : float
        The bound falls as ``t ** (shape - 1/2)`` with the share ``t`` of the items.

    Returns
    -------
    float array, shape (n_looks,)
    """
    share: Floats = np.asarray(at, dtype=np.float64) / np.asarray(at)[-1]
    return _constant(tuple(share.tolist()), alpha, shape) * share ** (shape - 0.5)


@lru_cache(maxsize=256)
def _constant(share: tuple[float, ...], alpha: float, shape: float) -> float:
    from scipy.optimize import brentq

    t = np.array(share)
    return float(brentq(lambda c: crossing(t, c * t ** (shape - 0.5)) - alpha, 0.5, 15.0))


def crossing(share: Floats, bounds: Floats) -> float:
    """The chance that a Brownian motion leaves between two-sided bounds at some of the looks.

    By the recursion of Armitage, McPherson and Rowe [1]_: the density of the sum among those that
    have crossed nothing is carried from look to look, by Gauss' and Legendre's quadrature.

    Parameters
    ----------
    share : float array, shape (n_looks,)
        Of the information, ascending, above 0.
    bounds : float array, shape (n_looks,)
        In standard errors.

    References
    ----------
    .. [1] P. Armitage, C. K. McPherson, B. C. Rowe (1969), Repeated significance tests on
       accumulating data, Journal of the Royal Statistical Society A 132(2), 235-244.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    at, mass, before = np.zeros(1), np.ones(1), 0.0
    for now, bound in zip(share.tolist(), (bounds * np.sqrt(share)).tolist(), strict=True):
        sd = math.sqrt(now - before)
        steps = (bound * nodes[:, None] - at) / sd
        density = np.exp(-0.5 * steps**2) @ mass / (sd * math.sqrt(2.0 * math.pi))
        at, mass, before = bound * nodes, density * bound * weights, now
    return 1.0 - float(mass.sum())


def confidence_sequence(at: ArrayLike, *, alpha: float) -> Floats:
    """Bounds in standard errors that hold after any number of items, `TUNED` of them best.

    Parameters
    ----------
    at, alpha
        As in `wang_tsiatis`, but that the last number is of no account.
    """
    n, log = np.asarray(at, dtype=np.float64), -2.0 * math.log(alpha)
    mixed = n * (log + math.log(log + 1.0)) / TUNED
    found: Floats = np.sqrt(2.0 * (mixed + 1.0) / mixed * np.log(np.sqrt(mixed + 1.0) / alpha))
    return found


def strata_of(first: ArrayLike, second: ArrayLike | None = None) -> Ints:
    """`STRATA` groups of equal size by what is known of items before any difference is.

    Parameters
    ----------
    first : float array, shape (n_items,)
        One that is not known, nan, is put in the middle.
    second : float array, shape (n_items,), optional
        Half as many groups by the first, and in each two by this one.
    """
    if second is None:
        return _ranks(first) * STRATA // max(1, np.size(first))
    codes = _ranks(first) * (STRATA // 2) // max(1, np.size(first)) * 2
    other = np.asarray(second, dtype=np.float64)
    for one in np.unique(codes):
        its = np.flatnonzero(codes == one)
        codes[its] += _ranks(other[its]) * 2 // len(its)
    return codes


def _ranks(values: ArrayLike) -> Ints:
    x = np.asarray(values, dtype=np.float64)
    known = x[~np.isnan(x)]
    middle = float(np.median(known)) if len(known) else 0.0
    return np.argsort(np.argsort(np.where(np.isnan(x), middle, x), kind="stable"))


def random_order(draws: ArrayLike, strata: ArrayLike | None = None) -> Ints:
    """The items in a random order, in which strata take turns: each has its share at any time.

    Parameters
    ----------
    draws : float array, shape (n_items,)
        Uniform, in [0, 1).
    strata : int array, shape (n_items,), optional
    """
    u = np.asarray(draws, dtype=np.float64)
    if strata is None:
        return np.argsort(u, kind="stable")
    turn, codes = np.empty(len(u)), np.asarray(strata)
    for one in np.unique(codes):
        its = np.flatnonzero(codes == one)
        turn[its] = (np.argsort(np.argsort(u[its])) + u[its]) / len(its)
    return np.argsort(turn, kind="stable")


def estimate(
    differences: ArrayLike, items: ArrayLike, strata: ArrayLike | None = None
) -> tuple[float, float, int]:
    """The mean difference over items, its standard error, and the degrees of freedom of that.

    Parameters
    ----------
    differences, items : float array, shape (n_units,)
        As in `judgebench.stats.paired_tests.paired_test`.
    strata : int array, shape (n_units,), optional
        As the units were ordered by. With `OF_EACH` units a stratum, the spread is that within
        them.

    Returns
    -------
    (float, float, int)
        nan for fewer units than any decision needs.
    """
    d, n = np.asarray(differences, dtype=np.float64), np.asarray(items, dtype=np.float64)
    units = len(d)
    if units < FEWEST_TO_CALL:
        return math.nan, math.nan, 0
    mean, spread, free = float(d.sum() / n.sum()), spread_over_units(d, n), units - 1
    if strata is not None:
        _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
        if units >= OF_EACH * len(sizes) and sizes.min() > 1:
            residual = (d - mean * n) / n.mean()
            within = (residual**2).sum() - (np.bincount(codes, residual) ** 2 / sizes).sum()
            free = units - len(sizes)
            spread = math.sqrt(max(float(within), 0.0) / free)
    return mean, spread / math.sqrt(units), free


def sequential_tests(
    estimates: Sequence[Sequence[tuple[float, float, int]]],
    bounds: Callable[[float], Floats],
    *,
    alpha: float,
) -> list[SequentialTest]:
    """Comparisons that share one alpha, look by look [1]_.

    Each is decided at alpha over the number of those that are open (Holm), so that the chance of
    any false decision is alpha; with one comparison that is alpha itself. Bounds are turned from a
    normal's into Student's of the same tail.

    Parameters
    ----------
    estimates
        Of each comparison and look what `estimate` says; a comparison may have fewer looks.
    bounds
        Of a level, the bounds of all looks in standard errors: `wang_tsiatis`, or
        `confidence_sequence`.

    References
    ----------
    .. [1] W. Maurer, F. Bretz (2013), Multiple testing in group sequential trials using graphical
       approaches, Statistics in Biopharmaceutical Research 5(4), 311-320.
    """
    ended: dict[int, SequentialTest] = {}
    bounds = cache(bounds)
    for look in range(max(map(len, estimates), default=0)):
        while still := [p for p in range(len(estimates)) if p not in ended]:
            level = alpha / len(still)
            found = {p: _test(estimates[p], look, bounds(level), level) for p in still}
            decided = {p: test for p, test in found.items() if test.decision != "undecided"}
            if not decided:
                break
            ended |= decided
    level = alpha / max(1, len(estimates) - len(ended))
    return [
        ended.get(p) or _test(its, len(its) - 1, bounds(level), level)
        for p, its in enumerate(estimates)
    ]


def _test(
    its: Sequence[tuple[float, float, int]], look: int, bounds: Floats, alpha: float
) -> SequentialTest:
    from scipy.special import ndtr, stdtrit

    mean, error, free = its[look] if 0 <= look < len(its) else (math.nan, math.nan, 0)
    reach = -float(stdtrit(free, ndtr(-bounds[look]))) * error if free else math.nan
    low, high = mean - reach, mean + reach
    decision: Direction = "better" if low > 0.0 else "worse" if high < 0.0 else "undecided"
    return SequentialTest(
        look=look, decision=decision, difference=mean, low=low, high=high, level=1.0 - alpha
    )
