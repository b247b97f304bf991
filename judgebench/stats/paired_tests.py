"""Is one of two models worse than the other on the same items: differences, bounds, p-values.

The unit is what varies independently (an item, or items of one source). Of each unit there is one
difference, candidate minus baseline, summed over its items; units may have different numbers of
items. Higher is better.

A gate asks whether the candidate is worse: its null is that it is not, and its p-value is
one-sided. A comparison asks whether the two differ, with a p-value of both sides. Bounds are
one-sided: each holds with probability 1 - alpha, and both of them with 1 - 2 alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

EXACT_UNITS = 20
"""Up to so many units that differ all signs are tried; beyond, some are drawn."""

DRAWS = 20_000
_FEW_SIZES = 10
"""Where units are so many times as many as sizes of their differences, each size is drawn once."""

_BLOCK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """How a candidate compares with a baseline.

    Parameters
    ----------
    difference : float
        Candidate minus baseline, a mean over items; nan without any.
    low, high : float
        One-sided bounds, each at 1 - alpha.
    p_worse : float
        Of a candidate that is no worse to look at least as bad as this one.
    p_differs : float
        Of models that are alike to look at least as different as these, in either direction.
    spread : float
        Standard deviation of the difference times the square root of the number of units, so that
        ``spread / sqrt(n)`` is the standard error with n units.
    units : int
        How many the difference rests on.
    binary : bool
        Whether single items were won or lost, and McNemar's test was made.
    method : str
        How bounds and p-value were made.
    """

    difference: float
    low: float
    high: float
    p_worse: float
    p_differs: float
    spread: float
    units: int
    binary: bool
    method: str


def paired_test(
    differences: ArrayLike,
    items: ArrayLike | None = None,
    *,
    alpha: float,
    width: float = math.inf,
    spread: float | None = None,
    seed: int = 0,
) -> PairedTest:
    """Compare on units that both models have.

    Whether single items were won or lost: McNemar's exact test and Tango's score bounds. Anything
    else: signs flipped at random [1]_, and Student's t with a standard error over units. Where no
    unit differs, nothing is known of the spread: the bounds are then those of a share of zero
    (Wilson's), times the largest difference there can be.

    Parameters
    ----------
    differences : float array, shape (n_units,)
        Of each unit the sum of its items' differences.
    items : float array, shape (n_units,), optional
        How many items each unit has; one if not given.
    alpha : float
        In (0, 0.5).
    width : float
        The largest difference that an item can have, for units that do not differ.
    spread : float, optional
        `PairedTest.spread`, where it does not follow from the differences alone, as where strata
        have weights of their own.
    seed : int
        Of the signs that are drawn.

    Raises
    ------
    ValueError
        For an alpha out of range, or lengths that differ.

    References
    ----------
    .. [1] M. D. Ernst (2004), Permutation methods: a basis for exact inference, Statistical
       Science 19(4), 676-685.
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha lies between 0 and 0.5, not at {alpha}")
    d = np.asarray(differences, dtype=np.float64)
    n = np.ones(len(d)) if items is None else np.asarray(items, dtype=np.float64)
    if d.shape != n.shape:
        raise ValueError(f"{len(d)} differences of {len(n)} units")
    if not len(d):
        return PairedTest(
            difference=math.nan, low=math.nan, high=math.nan, p_worse=math.nan, p_differs=math.nan,
            spread=math.nan, units=0, binary=False, method="no unit that both have",
        )  # fmt: skip
    difference = float(d.sum() / n.sum())
    binary = spread is None and won_or_lost(d, n)
    spread = spread_over_units(d, n) if spread is None else spread
    if binary:
        won, lost = int((d == 1.0).sum()), int((d == -1.0).sum())
        low, high = tango_bounds(won, lost, len(d), alpha=alpha)
        worse, differs = mcnemar_worse(won, lost), mcnemar_differs(won, lost)
        method = "McNemar's exact test, Tango's bounds"
    elif not d.any():
        end = width * share_of_none(len(d), alpha)
        low, high, worse, differs = -end, end, 1.0, 1.0
        method = "no unit differs: Wilson's bounds of none"
    else:
        low, high = _t_bounds(difference, spread, len(d), alpha)
        worse, differs = _sign_flips(d, seed, DRAWS)
        signs = "all" if np.count_nonzero(d) <= EXACT_UNITS else f"{DRAWS:,} draws of the"
        method = f"{signs} signs flipped, Student's t over units"
    return PairedTest(
        difference=difference,
        low=max(low, -width),
        high=min(high, width),
        p_worse=worse,
        p_differs=differs,
        spread=spread,
        units=len(d),
        binary=binary,
        method=method,
    )


def won_or_lost(differences: Floats, items: Floats) -> bool:
    """Whether every unit is one item that was won, lost or neither."""
    return bool((items == 1.0).all() and np.isin(differences, (-1.0, 0.0, 1.0)).all())


def mcnemar_worse(won: int, lost: int) -> float:
    """McNemar's exact test, one-sided: the chance of so many losses among what differs [1]_.

    Parameters
    ----------
    won, lost : int
        Items that only the candidate has right, and only the baseline.

    Returns
    -------
    float
        1 where nothing differs.

    References
    ----------
    .. [1] Q. McNemar (1947), Note on the sampling error of the difference between correlated
       proportions or percentages, Psychometrika 12(2), 153-157.
    """
    from scipy.stats import binom

    return float(binom.sf(lost - 1, won + lost, 0.5))


def mcnemar_differs(won: int, lost: int) -> float:
    """McNemar's exact test, two-sided: twice the smaller of both one-sided p-values, 1 at most.

    Parameters
    ----------
    won, lost : int
        As in `mcnemar_worse`.
    """
    return min(1.0, 2.0 * min(mcnemar_worse(won, lost), mcnemar_worse(lost, won)))


def sign_flip_worse(differences: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> float:
    """One-sided permutation test of differences that are as likely to have the other sign.

    Parameters
    ----------
    differences : float array, shape (n_units,)
    seed, draws : int
        With more than `EXACT_UNITS` units that differ, signs are drawn.

    Returns
    -------
    float
        The share of sign patterns whose sum is as low or lower; where they are drawn, with the one
        that was seen counted among them, so that it is never 0.
    """
    return _sign_flips(np.asarray(differences, dtype=np.float64), seed, draws)[0]


def sign_flip_differs(differences: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Two-sided permutation test: the share of sign patterns whose sum is as far from 0 or farther.

    Parameters
    ----------
    differences, seed, draws
        As in `sign_flip_worse`.
    """
    return _sign_flips(np.asarray(differences, dtype=np.float64), seed, draws)[1]


def _sign_flips(d: Floats, seed: int, draws: int) -> tuple[float, float]:
    """How many sign patterns have a sum as low, and how many one as far from 0, in shares."""
    d = d[d != 0.0]
    if not len(d):
        return 1.0, 1.0
    slack = 1e-9 * np.abs(d).sum()  # equal sums in another order of adding are equal
    low, far = d.sum() + slack, abs(d.sum()) - slack
    if len(d) <= EXACT_UNITS:
        sums = np.zeros(1)
        for one in np.abs(d):
            sums = np.concatenate([sums - one, sums + one])
        return float((sums <= low).mean()), float((np.abs(sums) >= far).mean())
    generator = np.random.default_rng(seed)
    sizes, units = np.unique(np.abs(d), return_counts=True)
    as_low = as_far = 0
    for start in range(0, draws, _BLOCK):
        n = min(_BLOCK, draws - start)
        if _FEW_SIZES * len(sizes) <= len(d):  # how many units of a size keep their sign, at once
            sums = (2.0 * generator.binomial(units, 0.5, (n, len(sizes))) - units) @ sizes
        else:
            eights = generator.integers(0, 256, (n, -(-len(d) // 8)), dtype=np.uint8)
            sums = 2.0 * (np.unpackbits(eights, axis=1, count=len(d)) @ d) - d.sum()
        as_low += int((sums <= low).sum())
        as_far += int((np.abs(sums) >= far).sum())
    return (1 + as_low) / (1 + draws), (1 + as_far) / (1 + draws)


def tango_bounds(won: int, lost: int, n: int, *, alpha: float) -> tuple[float, float]:
    """One-sided bounds of the difference of two paired proportions, by Tango's score test [1]_.

    They hold their level with few items and where nothing differs, unlike Wald's.

    Parameters
    ----------
    won, lost, n : int
        Items that only the candidate has right, only the baseline, and all there are.
    alpha : float

    Returns
    -------
    (float, float)
        In [-1, 1].

    References
    ----------
    .. [1] T. Tango (1998), Equivalence test and confidence interval for the difference in
       proportions for the paired-sample design, Statistics in Medicine 17(8), 891-908.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = float(norm.isf(alpha))
    seen = (won - lost) / n

    def apart(delta: float) -> float:
        return _tango_z(won, lost, n, delta)

    low = -1.0 if apart(-1.0) <= z else brentq(lambda t: apart(t) - z, -1.0, seen)
    high = 1.0 if apart(1.0) >= -z else brentq(lambda t: apart(t) + z, seen, 1.0)
    return float(low), float(high)


def _tango_z(won: int, lost: int, n: int, delta: float) -> float:
    """How many standard errors the difference lies above ``delta``, under ``delta``."""
    a = 2.0 * n
    b = -won - lost + (2.0 * n - won + lost) * delta
    c = -lost * delta * (1.0 - delta)
    p_lost = (math.sqrt(max(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
    variance = n * max(2.0 * p_lost + delta * (1.0 - delta), 0.0)
    distance = won - lost - n * delta
    if variance <= 0.0:
        return 0.0 if distance == 0.0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def spread_over_units(differences: ArrayLike, items: ArrayLike) -> float:
    """`PairedTest.spread`: the linearised standard error of a ratio, times the root of the units.

    Parameters
    ----------
    differences, items : float array, shape (n_units,)
        As in `paired_test`.

    Returns
    -------
    float
        nan for fewer than two units.
    """
    d, n = np.asarray(differences, dtype=np.float64), np.asarray(items, dtype=np.float64)
    if len(d) < 2:
        return math.nan
    residual = (d - d.sum() / n.sum() * n) / n.mean()
    return float(residual.std(ddof=1))


def _t_bounds(difference: float, spread: float, units: int, alpha: float) -> tuple[float, float]:
    from scipy.stats import t

    if units < 2:
        return -math.inf, math.inf
    half = float(t.isf(alpha, units - 1)) * spread / math.sqrt(units)
    return difference - half, difference + half


def share_of_none(n: int, alpha: float) -> float:
    """Wilson's one-sided upper bound of a share of which there was none."""
    from scipy.stats import norm

    z2 = float(norm.isf(alpha)) ** 2
    return z2 / (n + z2)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm among them stays at alpha [1]_.

    Parameters
    ----------
    p_values : sequence of float
        nan for a test that was not made: it stays nan and is not counted.

    References
    ----------
    .. [1] S. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
       Journal of Statistics 6(2), 65-70.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    found = np.full(len(p), np.nan)
    factors = len(order) - np.arange(len(order))
    found[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return [float(one) for one in found]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that alpha bounds the share of false alarms among the alarms [1]_.

    Parameters
    ----------
    p_values : sequence of float
        As in `holm`.

    References
    ----------
    .. [1] Y. Benjamini, Y. Hochberg (1995), Controlling the false discovery rate, Journal of the
       Royal Statistical Society B 57(1), 289-300.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p_values, dtype=np.float64)
    made = ~np.isnan(p)
    found = np.full(len(p), np.nan)
    if made.any():
        found[made] = false_discovery_control(p[made])
    return [float(one) for one in found]
