"""Is one of two models worse than the other on the same items: differences, bounds, p-values.

The unit is what varies independently (an item, or items of one source). Of each unit there is one
difference, candidate minus baseline, summed over its items; units may have different numbers of
items. Higher is better.

A decision and the bound beside it come from one test. The upper end of `PairedTest.bounds` calls a
regression, either end a comparison; `PairedTest.passing`, a lower bound that also holds where rare
losses have not been seen yet, lets pass. Bounds are one-sided: each holds with probability
1 - alpha, and two of them with 1 - 2 alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

EXACT_UNITS = 16
"""Up to so many units all half-subsets are taken; beyond, some are drawn."""

DRAWS = 20_000

MOST_DRAWS = 2_000_000
"""Where many tests are made, and one is so clear that `DRAWS` do not tell how clear."""

_TOLD = 10
"""Fewer draws beyond a value do not tell how seldom it is."""

_ALIKE = 128
"""Of so many units that are alike it is drawn how many are taken, not which: that is quicker."""

_BLOCK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """How a candidate compares with a baseline.

    Parameters
    ----------
    difference : float
        Candidate minus baseline, a mean over items; nan without any.
    alpha : float
        At which it was asked; bounds are known at this level and at stricter ones.
    bounds : callable
        Of a one-sided alpha, both ends of the test that decides: 0 lies outside exactly when that
        side's p-value is at most alpha. An end is infinite where no difference can be excluded.
    passing : callable
        Of a one-sided alpha, the lower bound that lets a candidate pass.
    p_worse, p_better : float
        Of a candidate that is no worse (no better) to look at least as bad (good) as this one.
    spread : float
        Standard deviation of the difference times the square root of the number of units, so that
        ``spread / sqrt(n)`` is the standard error with n units.
    reach : float
        The largest difference that a unit can have, on the scale of ``spread``: where the two
        further units of `student_bound` stand; nan for a test that has none.
    unit : str
        What more of would tell more.
    units : int
        How many the difference rests on.
    binary : bool
        Whether single items were won or lost, and Tango's score test was made.
    method : str
        How bounds and p-values were made.
    """

    difference: float
    alpha: float
    bounds: Callable[[float], tuple[float, float]] = field(compare=False)
    passing: Callable[[float], float] = field(compare=False)
    p_worse: float
    p_better: float
    spread: float
    units: int
    binary: bool
    method: str
    reach: float = math.nan
    unit: str = "item"

    @property
    def low(self) -> float:
        """The bound that lets pass, at ``alpha``."""
        return self.passing(self.alpha)

    @property
    def high(self) -> float:
        """The bound that calls a regression, at ``alpha``."""
        return self.bounds(self.alpha)[1]

    @property
    def p_differs(self) -> float:
        """Of models that are alike to look at least as different, in either direction."""
        either = 2.0 * min(self.p_worse, self.p_better)
        return 1.0 if either > 1.0 else either  # nan stays nan


def paired_test(
    differences: ArrayLike,
    items: ArrayLike | None = None,
    *,
    alpha: float,
    width: float = math.inf,
    spread: float | None = None,
    reach: float | None = None,
    seed: int = 0,
    finest: float | None = None,
    draws: int = DRAWS,
) -> PairedTest:
    """Compare on units that both models have.

    Whether single items were won or lost: Tango's score test and its bounds. Anything else, also
    scores that happen to differ by one at most: signs flipped at random [1]_ and the bounds that
    this test has (`SignFlips`); what lets pass is Student's t, in whose spread two further units
    stand that differ as far as can be, one to either side (`student_bound`). Where losses are rare,
    plain Student's t lets 17 to 35 % of candidates pass at 20 items that are worse by the margin.
    Where no unit differs, nothing is known of the spread: both bounds are then of that kind.

    Parameters
    ----------
    differences : float array, shape (n_units,)
        Of each unit the sum of its items' differences.
    items : float array, shape (n_units,), optional
        How many items each unit has; one if not given. A unit of none is left out.
    alpha : float
        In (0, 0.5).
    width : float
        The largest difference that an item can have; where that is infinite, the largest that there
        is takes its place in Student's bound.
    spread : float, optional
        `PairedTest.spread`, where it does not follow from the differences alone, as where strata
        have weights of their own.
    reach : float, optional
        The largest difference that a unit can have, on the scale of ``spread``, where that does not
        follow from the width and the items either: a unit of a stratum with few counts more.
    seed : int
        Of the signs that are drawn.
    finest : float, optional
        The strictest level at which bounds will be asked for, as where many tests are adjusted
        together; ``alpha`` if not given.
    draws : int
        Of signs, where they are drawn.

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
    d, n = d[n > 0.0], n[n > 0.0]
    if not len(d):
        return untested(math.nan, units=0, alpha=alpha, method="no unit that both have")
    total, units = float(d.sum()), len(d)
    # Sums that are equal in another order of adding differ by nothing.
    difference = 0.0 if abs(total) <= 1e-12 * np.abs(d).sum() else total / float(n.sum())
    binary = spread is None and won_or_lost(d, n, width)
    spread = spread_over_units(d, n) if spread is None else spread
    if reach is None:
        # The unit with most items moves the mean most.
        most = float((n / n.mean()).max())
        reach = width * most if math.isfinite(width) else float(np.abs(d / n.mean()).max())

    def student(level: float) -> float:
        return max(-width, student_bound(difference, spread, units, alpha=level, reach=reach))

    bounds: Callable[[float], tuple[float, float]]
    if binary:
        won, lost = int((d == 1.0).sum()), int((d == -1.0).sum())
        worse, better = score_worse(won, lost), score_worse(lost, won)
        method = "Tango's score test"

        def bounds(level: float) -> tuple[float, float]:
            return tango_bounds(won, lost, units, alpha=level)

        def passing(level: float) -> float:
            return bounds(level)[0]
    elif not d.any():
        worse = better = 1.0
        passing, method = student, "no unit differs: Student's t with two that do"

        def bounds(level: float) -> tuple[float, float]:
            return student(level), -student(level)
    else:
        wanted = math.ceil(_TOLD / (alpha if finest is None else finest))
        flips = SignFlips(d, n, alpha=alpha, seed=seed, draws=draws, most=min(wanted, MOST_DRAWS))
        worse, better = flips.p_worse, flips.p_better
        signs = "all" if units <= EXACT_UNITS else f"{flips.draws:,} draws of the"
        passing, method = student, f"{signs} signs flipped; a pass by Student's t"

        def bounds(level: float) -> tuple[float, float]:
            low, high = flips.bounds(level)
            return max(low, -width), min(high, width)

    return PairedTest(
        difference=difference,
        alpha=alpha,
        bounds=bounds,
        passing=passing,
        p_worse=worse,
        p_better=better,
        spread=spread,
        units=units,
        binary=binary,
        method=method,
        reach=reach,
    )


def untested(difference: float, *, units: int, alpha: float, method: str) -> PairedTest:
    """A difference, if any, of which no bound is known: all else is nan."""
    return PairedTest(
        difference=difference,
        alpha=alpha,
        bounds=lambda level: (math.nan, math.nan),
        passing=lambda level: math.nan,
        p_worse=math.nan,
        p_better=math.nan,
        spread=math.nan,
        units=units,
        binary=False,
        method=method,
    )


class SignFlips:
    """The sign-flip test of every hypothetical difference at once [1]_.

    Flipping the signs of some units' distances from ``theta`` leaves their sum as low or lower
    exactly when the mean of the flipped units is at least ``theta``. So the difference is found too
    high for ``theta`` by as many patterns as there are subsets of a mean of at least ``theta``: the
    test's upper bound is an order statistic of the means of random half-subsets, and no search is
    needed. The pattern that was seen, which flips none, counts among them, so that no p-value is 0.

    Parameters
    ----------
    differences, items : float array, shape (n_units,)
        As in `paired_test`.
    alpha : float
        The largest at which `bounds` will be asked for.
    seed, draws, most : int
        With more than `EXACT_UNITS` units, subsets are drawn: more than ``draws`` only where of
        these fewer than ten are as extreme as what was seen, on either side.

    Attributes
    ----------
    p_worse, p_better : float
        One-sided p-values of no difference.
    draws : int
        Subsets beside the empty one.

    References
    ----------
    .. [1] J. A. Hartigan (1969), Using subsample values as typical values, Journal of the American
       Statistical Association 64(328), 1303-1317.
    """

    def __init__(
        self,
        differences: Floats,
        items: Floats,
        *,
        alpha: float,
        seed: int,
        draws: int = DRAWS,
        most: int = 0,
    ) -> None:
        exact = len(differences) <= EXACT_UNITS
        generator = None if exact else np.random.default_rng(seed)
        self.draws = 2 ** len(differences) - 1 if exact else max(draws, most)
        kept, looked = max(1, self._place(alpha)), 0
        slack = 1e-9 * np.abs(differences).sum()  # equal sums in another order of adding are equal
        lows: list[Floats] = []
        highs: list[Floats] = []
        not_below = not_above = 0
        ends = [*range(_BLOCK, draws, _BLOCK), *range(draws, self.draws, _BLOCK), self.draws]
        for sums, counts in _subsets(differences, items, ends, generator):
            near = np.where(np.abs(sums) <= slack, 0.0, sums)
            with np.errstate(divide="ignore", invalid="ignore"):
                means = near / counts
            empty = counts == 0.0  # flips nothing: as extreme as what was seen, on either side
            not_below += int((near >= 0.0).sum())
            not_above += int((near <= 0.0).sum())
            lows.append(_smallest(np.where(empty, -math.inf, means), kept))
            highs.append(_smallest(np.where(empty, -math.inf, -means), kept))
            looked += len(sums)
            if not exact and looked == draws and min(not_below, not_above) >= _TOLD:
                self.draws = draws
                break
        kept = max(1, self._place(alpha))
        self.p_worse = (1 + not_below) / (1 + self.draws)
        self.p_better = (1 + not_above) / (1 + self.draws)
        self._alpha = alpha
        self._lows = np.sort(_smallest(np.concatenate(lows), kept))
        self._highs = -np.sort(_smallest(np.concatenate(highs), kept))

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The least and the greatest difference that is not rejected on its side at alpha.

        Infinite where so few patterns cannot reject anything.

        Raises
        ------
        ValueError
            For a larger alpha than was said.
        """
        if alpha > self._alpha * (1.0 + 1e-9):
            raise ValueError(f"bounds are known up to alpha {self._alpha}, not at {alpha}")
        place = self._place(alpha)
        if place < 1:
            return -math.inf, math.inf
        return float(self._lows[place - 1]), float(self._highs[place - 1])

    def _place(self, alpha: float) -> int:
        """So many patterns, the one that was seen among them, may be as extreme at alpha."""
        return math.floor(alpha * (1 + self.draws) * (1.0 + 1e-12))


def _smallest(values: Floats, most: int) -> Floats:
    return values if len(values) <= most else np.partition(values, most - 1)[:most]


def _subsets(
    d: Floats, n: Floats, ends: Sequence[int], generator: np.random.Generator | None
) -> Iterator[tuple[Floats, Floats]]:
    """Sums of differences and of items over subsets, so many by the end of each time; all of them
    at once if none is drawn, without the empty one."""
    both = d + 1j * n  # one complex number, which is added as both are
    if generator is None:
        sums = np.zeros(1, dtype=np.complex128)
        for one in both:
            sums = np.concatenate([sums, sums + one])
        yield sums[1:].real, sums[1:].imag
        return
    kinds, of, units = np.unique(both, return_inverse=True, return_counts=True)
    many = units >= _ALIKE
    rest = both[~many[of]]
    # Of eight units the sums of all their subsets are known before.
    eights = -(-len(rest) // 8)
    padded = np.pad(rest, (0, 8 * eights - len(rest))).reshape(eights, 8)
    of_subsets = padded @ np.unpackbits(np.arange(256, dtype=np.uint8)[None], axis=0, count=8)
    for size in np.diff(ends, prepend=0).tolist():
        sums = generator.binomial(units[many], 0.5, (size, many.sum())) @ kinds[many]
        drawn = generator.integers(0, 256, (size, eights), dtype=np.uint8)
        for subsets, which in zip(of_subsets, np.ascontiguousarray(drawn.T), strict=True):
            sums += subsets.take(which)
        yield sums.real, sums.imag


def won_or_lost(differences: Floats, items: Floats, width: float) -> bool:
    """Whether every unit is one item that was won, lost or neither, and could be nothing else."""
    return bool(
        not 1.0 < width < math.inf
        and (items == 1.0).all()
        and np.isin(differences, (-1.0, 0.0, 1.0)).all()
    )


def score_worse(won: int, lost: int) -> float:
    """McNemar's score test, one-sided: the level at which Tango's upper bound comes to lie at 0.

    Parameters
    ----------
    won, lost : int
        Items that only the candidate has right, and only the baseline.

    Returns
    -------
    float
        1 where nothing differs.
    """
    from scipy.special import ndtr

    return float(ndtr((won - lost) / math.sqrt(won + lost))) if won + lost else 1.0


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
    from scipy.special import ndtri

    z = -float(ndtri(alpha))
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


def student_bound(
    difference: float, spread: float, units: int, *, alpha: float, reach: float
) -> float:
    """Student's lower bound, with two further units in its spread that differ as far as can be.

    With the squared standard error ``((n - 1) s^2 + 2 reach^2) / (n (n + 1))``: that of n units of
    the standard deviation s, and two more about their mean at ``reach`` to either side, as Agresti
    and Min add two pairs to a table of wins and losses [1]_. The mean stays as it is.

    Parameters
    ----------
    difference, spread, units
        As in `PairedTest`.
    alpha : float
        One-sided.
    reach : float
        The largest difference that a unit can have.

    Returns
    -------
    float
        -inf for fewer than two units.

    References
    ----------
    .. [1] A. Agresti, Y. Min (2005), Simple improved confidence intervals for comparing matched
       proportions, Statistics in Medicine 24(5), 729-740.
    """
    from scipy.special import stdtrit

    if units < 2:
        return -math.inf
    squared = ((units - 1) * spread**2 + 2.0 * reach**2) / (units * (units + 1))
    return difference + float(stdtrit(units - 1, alpha)) * math.sqrt(squared)


def share_of_none(n: int, alpha: float) -> float:
    """Wilson's one-sided upper bound of a share of which there was none."""
    from scipy.special import ndtri

    z2 = float(ndtri(alpha)) ** 2
    return z2 / (n + z2)


def holm(p_values: Sequence[float], *, of: int | None = None) -> list[float]:
    """p-values adjusted so that the chance of any false alarm among them stays at alpha [1]_.

    Parameters
    ----------
    p_values : sequence of float
        nan for a test that was not made: it stays nan and is not counted.
    of : int, optional
        How many tests there are, where these were chosen by looking at the data: those that are not
        given count as not significant, so that the rate holds whatever the choice.

    Raises
    ------
    ValueError
        Where there are more p-values than tests.

    References
    ----------
    .. [1] S. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
       Journal of Statistics 6(2), 65-70.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    found = np.full(len(p), np.nan)
    factors = _tests(len(order), of) - np.arange(len(order))
    found[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return [float(one) for one in found]


def _tests(made: int, of: int | None) -> int:
    if of is not None and of < made:
        raise ValueError(f"{made} p-values of {of} tests")
    return made if of is None else of


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


def adjust(p_values: Sequence[float], correction: str, *, of: int | None = None) -> list[float]:
    """p-values adjusted by `holm`, or by `benjamini_hochberg` for ``bh``."""
    return holm(p_values, of=of) if correction == "holm" else benjamini_hochberg(p_values)


def deciding_levels(
    p_values: Sequence[float],
    *,
    alpha: float,
    correction: str = "holm",
    of: int | None = None,
) -> list[float]:
    """At which level each test is decided where several are adjusted together.

    A test is significant exactly when its own p-value is at most this level, so that a bound at
    this level says what the adjusted p-value says.

    Parameters
    ----------
    p_values : sequence of float
        nan for a test that was not made, whose level is alpha.
    alpha : float
        Of all of them.
    correction : {"holm", "bh"}
        As `holm` adjusts, or `benjamini_hochberg`.
    of : int, optional
        As for `holm`.

    Returns
    -------
    list of float
        With Holm's, the test of rank r of m is decided at ``alpha / (m - r)`` as long as all before
        it are significant, and those behind at the level of the first that is not.

    Raises
    ------
    ValueError
        For another correction, and where there are more p-values than tests.
    """
    if correction not in ("holm", "bh"):
        raise ValueError(f"the correction is 'holm' or 'bh', not {correction!r}")
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    found, m = np.full(len(p), alpha), _tests(len(order), of)
    if correction == "holm":
        for rank, at in enumerate(order):
            level = alpha / (m - rank)
            found[at] = level
            if p[at] > level:
                found[order[rank:]] = level
                break
    elif m:
        steps = alpha * (np.arange(1, m + 1) / m)
        significant = np.flatnonzero(p[order] <= steps)
        last = int(significant[-1]) if len(significant) else -1
        found[order] = np.where(np.arange(m) <= last, steps[max(last, 0)], steps)
    return [float(one) for one in found]
