"""Intervals by resampling units, never rows.

The unit is what varies independently: the item. Whatever shares an item moves with it, so a
statistic is written on *sums over units* and a replicate is a weighting of the units: all
replicates of all tables are one matrix product, ``weights @ contributions``.

Beside them stand intervals of a share: Wilson's, and the exact one, however few draws were seen.

Also here: such products on the cores that there are, and means over several sets, with what a mean
over rows is worth where items repeat.

A set weighs its size, its rounded mean is averaged by its rows, or every category counts equally,
however many items it has. A published mean may be one over rows. The unit of chance is the distinct
item: rows that are the same move together, so that a mean over 1000 rows of 446 items is less
certain than its rows suggest.

MixEval publishes [1]_ the mean of each split over its rows, rounded to three decimals, weighted
with the rows of the split and not rounded again. AlignBench's score [2]_ is the mean of two sides
(reasoning, language), a side the mean of its categories, a category the mean of its items: 204
items of reasoning weigh as much as 479 of language.

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; ``compute_metrics.py`` of Psycoy/MixEval at 7c52b41.
.. [2] X. Liu et al. (2023), AlignBench: Benchmarking Chinese Alignment of Large Language Models,
   arXiv 2311.18743; ``show_result.py`` of THUDM/AlignBench at 5b79d4a.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from statistics import NormalDist
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

MOST = 4
"""Threads at most: what is shared out here is done by then."""

SideBySide: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
"""What is made of each of several, in the order given; where one raises, what it raised."""


@contextmanager
def side_by_side(most: int) -> Iterator[SideBySide]:
    """Threads for so many at once, which are begun once and end with the block."""
    threads = min(MOST, os.cpu_count() or 1, most)
    if threads < 2:
        yield lambda work, given: [work(one) for one in given]
        return
    with ThreadPoolExecutor(threads) as pool:
        yield lambda work, given: list(pool.map(work, given))


Floats: TypeAlias = NDArray[np.float64]
_T = TypeVar("_T")

MAX_UNDEFINED = 0.2
"""Share of undefined replicates above which no interval is given: what is left of them is the
distribution of another statistic, the one given that it is defined."""


def quotient(top: ArrayLike, bottom: ArrayLike) -> Floats:
    """nan where there is nothing to divide by."""
    above, below = np.broadcast_arrays(np.asarray(top, np.float64), np.asarray(bottom, np.float64))
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))


def content_seed(*parts: str | bytes | NDArray[np.generic], seed: int = 0) -> int:
    """A random seed that follows from the data, so that equal data give equal intervals.

    Parameters
    ----------
    *parts : str, bytes or array
        The data; where one part ends and the next begins matters, and so does an array's shape.
    seed : int
        The user's seed, for another draw from the same data.

    Returns
    -------
    int
        In ``0 .. 2**64 - 1``: the first eight bytes of a SHA-256.
    """
    digest = hashlib.sha256(f"{seed}\n".encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            kind, data = f"{part.dtype.str}{part.shape}", np.ascontiguousarray(part).tobytes()
        else:
            kind, data = "text", part.encode() if isinstance(part, str) else part
        digest.update(f"{kind} {len(data)}\n".encode())
        digest.update(data)
    return int.from_bytes(digest.digest()[:8], "big")


def multinomial_weights(n_units: int, n_replicates: int, *, seed: int) -> Floats:
    """How often each unit is drawn in each bootstrap replicate.

    Parameters
    ----------
    n_units, n_replicates : int
    seed : int

    Returns
    -------
    float array, shape (n_replicates, n_units)
        Whole numbers; each row sums to ``n_units``. Without units there are no columns.
    """
    generator = np.random.default_rng(seed)
    return _draws(generator, n_units, n_replicates).astype(np.float64)


MANY_UNITS = 10_000
"""From so many units on each draw of a unit is made by itself, in a tenth of the time."""


def _draws(generator: np.random.Generator, n_units: int, n_replicates: int) -> NDArray[Any]:
    """How often each unit is drawn in the replicates that are next in the generator's stream."""
    if n_units == 0:
        return np.zeros((n_replicates, 0), dtype=np.int64)
    if n_units < MANY_UNITS:
        evenly = np.full(n_units, 1.0 / n_units)
        return generator.multinomial(n_units, evenly, size=n_replicates)
    found = np.empty((n_replicates, n_units), dtype=np.uint8)  # a unit is drawn once in the mean
    for times in found:
        drawn = generator.integers(n_units, size=n_units, dtype=np.uint32)
        times[:] = np.bincount(drawn, minlength=n_units)
    return found


def weighted_sums(weights: Floats, contributions: Floats) -> Floats:
    """Sums over units, one for each weighting.

    Parameters
    ----------
    weights : float array, shape (n_replicates, n_units)
    contributions : float array, shape (n_units, ...)

    Returns
    -------
    float array, shape (n_replicates, ...)
    """
    # The width is said, since without units it cannot be told from the size.
    flat = contributions.reshape(len(contributions), math.prod(contributions.shape[1:]))
    return np.asarray((weights @ flat).reshape(len(weights), *contributions.shape[1:]))


class Contributions:
    """What units contribute to sums, in columns that are summed in half the bytes where that does.

    Whole numbers while their sums are small, whose sums are then exact, and equal ones only once;
    of many units also how far other numbers lie off their mean, by the column of whole numbers that
    follows theirs where one does (how many they are the sum of), so that what is missing does not
    lie far off: such sums, in four bytes, are within a millionth of an interval's width.

    Parameters
    ----------
    values : float array, shape (n_units, ...)
    """

    def __init__(self, values: Floats) -> None:
        self.shape, n = values.shape, len(values)
        flat = np.ascontiguousarray(values.reshape(n, math.prod(values.shape[1:])).T)
        units = np.array([_unit_of(column) for column in flat])
        self._counts, self._unit = units > 0, units[units > 0]
        short: dict[bytes, int] = {}
        self._place = [
            short.setdefault((column / unit).astype(np.float32).tobytes(), len(short))
            for column, unit in zip(flat[self._counts], self._unit, strict=True)
        ]
        self._many = n >= MANY_UNITS
        ones = short.setdefault(np.ones(n, np.float32).tobytes(), len(short)) if self._many else 0
        after = dict(zip((np.flatnonzero(self._counts) - 1).tolist(), self._place, strict=True))
        self._beside = [after.get(at, ones) for at in np.flatnonzero(~self._counts).tolist()]
        self._short = np.frombuffer(b"".join(short), np.float32).reshape(len(short), n)
        self._long: NDArray[Any] = flat[~self._counts]
        self._mean: Floats = np.zeros((len(self._long), 1))
        of_data = np.ones((1, n)) @ self._long.T
        if self._many:
            others = ((self._short[self._beside] == 0.0) & (self._long != 0.0)).any(axis=1).tolist()
            self._beside = [ones if of else at for at, of in zip(self._beside, others, strict=True)]
            counted = self._short[self._beside]
            total = counted.sum(axis=1, keepdims=True, dtype=np.float64)
            np.divide(of_data.T, total, out=self._mean, where=total != 0.0)
            self._long -= self._mean * counted
            self._both = np.concatenate([self._short, self._long], dtype=np.float32)
            self._short, self._long = np.split(self._both, [len(short)])
        once = np.ones((1, n), np.float32)
        self.of_data: Floats = self._made(once @ self._short.T, of_data)[0]
        """The sums themselves, to the last digit."""

    @property
    def values(self) -> Floats:
        """As they were given; of many units to seven digits of how far they lie off their mean."""
        found = np.empty((len(self._counts), self.shape[0]))
        found[~self._counts] = self._long
        if self._many:
            found[~self._counts] += self._mean * self._short[self._beside]
        found[self._counts] = self._short[self._place]
        found[self._counts] *= self._unit[:, np.newaxis]
        return found.T.reshape(self.shape)

    def sums(self, block: NDArray[Any], short: NDArray[np.float32]) -> Floats:
        """One for each weighting by whole numbers, which are given in four bytes too."""
        if not self._many:
            return self._made(short @ self._short.T, block @ self._long.T)
        counts, off = np.split(short @ self._both.T, [len(self._short)], axis=1)
        return self._made(counts, off + self._mean.T * counts[:, self._beside])

    def _made(self, counts: NDArray[np.float32], others: Floats) -> Floats:
        found = np.empty((len(counts), len(self._counts)))
        found[:, self._counts] = counts[:, self._place] * self._unit
        found[:, ~self._counts] = others
        return found.reshape(len(counts), *self.shape[1:])


def _unit_of(column: Floats) -> float:
    """What all are whole multiples of, if four bytes hold weighted sums of these exactly; else 0.

    That is 1; of many units also the least of them, which is all that some columns have.
    """
    some = np.abs(column[:_SOME])
    least = some.min(where=some > 0, initial=np.inf)
    for unit in (1.0, least) if len(column) >= MANY_UNITS and least < np.inf else (1.0,):
        # Most columns that are none are known by their first numbers.
        if all((its == np.rint(its / unit) * unit).all() for its in (column[:_SOME], column)):
            most = np.abs(column).max(initial=0.0) / unit
            return unit if len(column) * most < _EXACT else 0.0
    return 0.0


class Resamples:
    """The data as they are, and bootstrap replicates of them, as weightings of the units.

    The weights are those of `multinomial_weights` and drawn some replicates at a time, so that a
    hundred thousand units need no more memory than a thousand. Where they are few they are kept.

    Parameters
    ----------
    n_units, n_replicates : int
    seed : int
    """

    def __init__(self, n_units: int, n_replicates: int, *, seed: int) -> None:
        self._n_units, self._n_replicates, self._seed = n_units, n_replicates, seed
        self._portion = max(1, _BLOCK // max(1, n_units))
        self._kept: list[Future[NDArray[Any]]] = []

    def begin(self) -> None:
        """Draw beside what else is to be done before the sums, if what is drawn can be kept."""
        kind = np.uint8 if self._n_units >= MANY_UNITS else np.min_scalar_type(self._n_units)
        size = (1 + self._n_replicates) * self._n_units * np.dtype(kind).itemsize
        if self._kept or size > _KEPT_BYTES:
            return
        blocks, beside = self._drawn(), ThreadPoolExecutor(1)
        n = 1 + -(-self._n_replicates // self._portion)
        self._kept = [beside.submit(lambda: next(blocks).astype(kind)) for _ in range(n)]
        beside.shutdown(wait=False)

    def sums(self, contributions: Sequence[Floats | Contributions]) -> list[Floats]:
        """Sums over units, one for each weighting; of several contributions over the same draws.

        Parameters
        ----------
        contributions : sequence of float array, shape (n_units, ...), or of `Contributions`

        Returns
        -------
        list of float array, shape (1 + n_replicates, ...)
            The sums of the data themselves stand first.
        """
        held = [
            one if isinstance(one, Contributions) else Contributions(one) for one in contributions
        ]
        found = [np.empty((1 + self._n_replicates, *one.shape[1:])) for one in held]
        for sums, one in zip(found, held, strict=True):
            sums[0] = one.of_data
        at, blocks = 1, self._blocks()
        next(blocks)
        with side_by_side(len(held)) as each:
            for block in blocks:
                short = block.astype(np.float32, copy=False)
                whole = short if self._n_units >= MANY_UNITS else block.astype(np.float64)
                made = each(lambda one: one.sums(whole, short), held)  # noqa: B023 - done here
                for sums, some in zip(found, made, strict=True):
                    sums[at : at + len(block)] = some
                at += len(block)
        return found

    def weights(self, kind: DTypeLike = np.float64) -> Iterator[NDArray[Any]]:
        """The replicates' weights, some at a time, for what cannot be written on sums.

        Parameters
        ----------
        kind
            What the whole numbers are held in.

        Yields
        ------
        array, shape (some replicates, n_units)
            In the order of `sums`, without the weights of the data themselves.
        """
        blocks = self._blocks()
        next(blocks)
        while some := [*islice(blocks, _TOGETHER)]:
            yield np.concatenate(some, dtype=kind, casting="unsafe")

    def _blocks(self) -> Iterator[NDArray[Any]]:
        """All weightings, that of the data themselves alone in the first block."""
        self.begin()
        if self._kept:
            return (block.result() for block in self._kept)
        return _ahead(self._drawn())

    def _drawn(self) -> Iterator[NDArray[Any]]:
        """The same draws as all at once: they follow each other in the generator's stream."""
        n = self._n_units
        yield np.ones((1, n), dtype=np.int64)
        generator = np.random.default_rng(self._seed)
        for start in range(0, self._n_replicates, self._portion):
            yield _draws(generator, n, min(self._portion, self._n_replicates - start))


def _ahead(blocks: Iterator[_T]) -> Iterator[_T]:
    """The same, each made beside the work on the one before; drawing lets other threads go on."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = beside.submit(next, blocks, None)
            yield block


_SOME, _EXACT = 64, 2.0**24
"""Numbers that are looked at before all are; up to where four bytes hold all whole ones."""

_BLOCK = 2**19
"""Weights that are drawn at a time; in more, sums take no less time."""

_TOGETHER = 4
"""So many of those for what is fitted, where each step is of small products."""

_KEPT_BYTES = 24 << 20
"""Weights that take no more are not drawn again."""


def percentile_interval(
    replicates: ArrayLike, *, level: float = 0.95, max_undefined: float = MAX_UNDEFINED
) -> tuple[Floats, Floats]:
    """Equal-tailed percentiles of the replicates [1]_, interpolated linearly.

    Parameters
    ----------
    replicates : float array, shape (n_replicates, ...)
        Undefined replicates (nan) are left out.
    level : float
        Coverage aimed at, in (0, 1).
    max_undefined : float
        Share of undefined replicates above which there is no interval.

    Returns
    -------
    low, high : float array, shape (...)
        nan where more than ``max_undefined`` of the replicates are undefined.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    ordered, defined = _ordered(replicates, max_undefined)
    tail = (1.0 - level) / 2.0
    return _quantile(ordered, defined, tail), _quantile(ordered, defined, 1.0 - tail)


def expanded_level(level: float, n_units: int, *, n_parameters: int = 1) -> float:
    """The level at which percentiles hold what was aimed at with few units [1]_.

    A bootstrap's spread is too small by ``(n - p) / n``, and a normal's tails are too thin for a
    spread that is estimated. Percentiles at the level

        ``2 Phi(sqrt(n / (n - p)) t_(n - p)((1 + level) / 2)) - 1``

    make up for both: 0.953 for 0.95 at 200 units and three parameters.

    Parameters
    ----------
    level : float
        In (0, 1).
    n_units, n_parameters : int
        Units resampled, and parameters fitted to them.

    Returns
    -------
    float
        ``level`` itself where there are no more units than parameters.

    References
    ----------
    .. [1] T. C. Hesterberg (2015), What Teachers Should Know About the Bootstrap, The American
       Statistician 69(4), 371-386, section 5.
    """
    free = n_units - n_parameters
    if free < 1:
        return level
    return math.erf(math.sqrt(n_units / (2.0 * free)) * _student(free, level))


@lru_cache(1024)
def _student(free: int, level: float) -> float:
    """How far Student's t, with whole degrees of freedom, lies from 0 with so much probability.

    By Newton's method on the finite series [1]_, unless that is long: scipy takes longer to load
    than most boards to make.

    References
    ----------
    .. [1] M. Abramowitz, I. A. Stegun (1964), Handbook of Mathematical Functions, 26.7.3, 26.7.4.
    """
    if free > _LONG:
        from scipy.special import stdtrit

        return float(stdtrit(free, (1.0 + level) / 2.0))
    odd, t = free % 2, NormalDist().inv_cdf((1.0 + level) / 2.0)
    k = np.arange(2.0 + odd, free - 1.0, 2.0)
    gammas = math.lgamma((free + 1) / 2.0) - math.lgamma(free / 2.0)
    for _ in range(_NEWTON_STEPS):
        angle = math.atan(t / math.sqrt(free))
        cosine = math.cos(angle)
        within = math.sin(angle) * (1.0 + float(np.cumprod((1.0 - 1.0 / k) * cosine**2).sum()))
        if odd:
            within = 2.0 / math.pi * (angle + (within * cosine if free > 1 else 0.0))
        density = math.exp(gammas - (free + 1) / 2.0 * math.log1p(t * t / free))
        step = (within - level) * math.sqrt(math.pi * free) / (2.0 * density)
        t -= step
        if abs(step) <= 1e-14 * abs(t):
            break
    return t


_LONG, _NEWTON_STEPS = 10_000, 100
"""Steps grow to a quantile from below, and are a handful but for few degrees and high levels."""


def bca_interval(
    value: ArrayLike,
    replicates: ArrayLike,
    leave_one_out: ArrayLike,
    *,
    level: float = 0.95,
    max_undefined: float = MAX_UNDEFINED,
) -> tuple[Floats, Floats]:
    """Bias-corrected and accelerated bootstrap interval, for skewed statistics [1]_.

    Parameters
    ----------
    value : float array, shape (...)
        The statistic on the data themselves.
    replicates : float array, shape (n_replicates, ...)
    leave_one_out : float array, shape (n_units, ...)
        The statistic without each unit in turn, from which the acceleration is taken.
    level, max_undefined
        As in `percentile_interval`.

    Returns
    -------
    low, high : float array, shape (...)
        nan where the percentile interval is, and where all replicates lie on one side of the
        value (the bias correction is then infinite) or some leave-one-out value is undefined.

    References
    ----------
    .. [1] B. Efron (1987), Better bootstrap confidence intervals, Journal of the American
       Statistical Association 82(397), 171-185.
    """
    from scipy.special import ndtr, ndtri

    point = np.asarray(value, dtype=np.float64)
    ordered, defined = _ordered(replicates, max_undefined)
    # A replicate equal to the value counts half: statistics of labels are discrete.
    below = (ordered < point).sum(axis=0) + 0.5 * (ordered == point).sum(axis=0)
    left_out = np.asarray(leave_one_out, dtype=np.float64)
    deviation = left_out.mean(axis=0) - left_out
    spread = np.square(deviation).sum(axis=0) ** 1.5
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = ndtri(below / defined)
        # A statistic that no single unit moves has no skew to correct.
        acceleration = np.where(spread == 0, 0.0, (deviation**3).sum(axis=0) / (6.0 * spread))
        ends = []
        for tail in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
            shifted = bias + ndtri(tail)
            corrected = ndtr(bias + shifted / (1.0 - acceleration * shifted))
            corrected = np.where(np.isfinite(bias), corrected, np.nan)
            ends.append(_quantile(ordered, defined, corrected))
    return ends[0], ends[1]


def wilson_interval(
    successes: ArrayLike, n: ArrayLike, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Wilson's score interval of a plain proportion [1]_.

    Parameters
    ----------
    successes, n : float array, shape (...)
        Fractional successes are allowed (repeats of an item averaged first); the interval is then
        wider than need be, since a mean of shares varies less than one of zeros and ones.
    level : float
        Coverage aimed at, in (0, 1).

    Returns
    -------
    low, high : float array, shape (...)
        In [0, 1]; nan where ``n`` is 0.

    References
    ----------
    .. [1] E. B. Wilson (1927), Probable inference, the law of succession, and statistical
       inference, Journal of the American Statistical Association 22(158), 209-212.
    """
    k, m = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    )
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / m
        centre = (share + z * z / (2.0 * m)) / (1.0 + z * z / m)
        half = z / (1.0 + z * z / m) * np.sqrt(share * (1.0 - share) / m + z * z / (4.0 * m * m))
    # At 0 and m successes the ends are 0 and 1; rounding would leave them a hair inside.
    low = np.where(k == 0, 0.0, np.clip(centre - half, 0.0, 1.0))
    high = np.where(k == m, 1.0, np.clip(centre + half, 0.0, 1.0))
    return np.where(m > 0, low, np.nan), np.where(m > 0, high, np.nan)


def leave_one_out_sums(contributions: Floats) -> Floats:
    """Sums over all units but one, for each unit in turn.

    Parameters
    ----------
    contributions : float array, shape (n_units, ...)
        Non-negative.

    Returns
    -------
    float array, shape (n_units, ...)
    """
    total = contributions.sum(axis=0)
    rest = total - contributions
    # With fractional contributions an empty sum must stay an exact 0, or 0/0 becomes a number.
    return np.asarray(np.where(np.abs(rest) <= 1e-12 * total, 0.0, rest))


def jackknife_se(leave_one_out: ArrayLike) -> Floats:
    """Standard error from the statistic without each unit in turn [1]_. Deterministic.

    Parameters
    ----------
    leave_one_out : float array, shape (n_units, ...)

    Returns
    -------
    float array, shape (...)
        nan with fewer than two units, or where leaving some unit out makes it undefined.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    values = np.asarray(leave_one_out, dtype=np.float64)
    n = len(values)
    if n < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(np.sqrt((n - 1) / n * np.square(values - values.mean(axis=0)).sum(axis=0)))


def jackknife_covariance(
    values: ArrayLike, leave_one_out: ArrayLike, *, units: ArrayLike
) -> Floats:
    """Covariance of several statistics, from each without every unit in turn [1]_. Deterministic.

    Deviations are from the statistics themselves. Of means over the same units it is the sample
    covariance over their number; a unit that one of the statistics does not count moves it by
    nothing.

    Parameters
    ----------
    values : float array, shape (n_statistics,)
    leave_one_out : float array, shape (n_units, n_statistics)
    units : float array, shape (n_statistics,) or ()
        How many units of equal weight speak for each.

    Returns
    -------
    float array, shape (n_statistics, n_statistics)
        nan in the row and column of a statistic that is undefined without some unit.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    n = np.maximum(np.asarray(units, dtype=np.float64), 1.0)
    deviation = np.asarray(leave_one_out, dtype=np.float64) - np.asarray(values, dtype=np.float64)
    scaled = deviation * np.sqrt((n - 1.0) / n)
    return np.asarray(scaled.T @ scaled)


def replicate_covariance(replicates: ArrayLike, *, max_undefined: float = MAX_UNDEFINED) -> Floats:
    """Covariance of several statistics over the replicates in which both of two are defined.

    Parameters
    ----------
    replicates : float array, shape (n_replicates, n_statistics)
        Of draws that all statistics share; nan is undefined.
    max_undefined : float

    Returns
    -------
    float array, shape (n_statistics, n_statistics)
        nan in the row and column of a statistic that is undefined in a greater share of the
        replicates than ``max_undefined``, and everywhere with fewer than two replicates.
    """
    drawn = np.asarray(replicates, dtype=np.float64)
    there = ~np.isnan(drawn)
    n = there.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, drawn, 0.0).sum(axis=0) / n.sum(axis=0)
        deviation = np.where(there, drawn - mean, 0.0)
        both = n.T @ n
        found = np.where(both > 1, deviation.T @ deviation / (both - 1.0), np.nan)
    lost = n.mean(axis=0) < 1.0 - max_undefined if len(drawn) else np.ones(len(found), np.bool_)
    found[lost], found[:, lost] = np.nan, np.nan
    return np.asarray(found)


def _ordered(replicates: ArrayLike, max_undefined: float) -> tuple[Floats, Floats]:
    """Replicates in order (nan last), and how many are defined: nan where too few are."""
    values = np.asarray(replicates, dtype=np.float64)
    undefined = np.isnan(values).sum(axis=0)
    enough = (undefined <= max_undefined * len(values)) & (undefined < len(values))
    return np.sort(values, axis=0), np.where(enough, len(values) - undefined, np.nan)


def _quantile(ordered: Floats, defined: Floats, q: ArrayLike) -> Floats:
    """Linear quantile of the first ``defined`` values along axis 0; `numpy.nanquantile`, which
    loops over columns, takes a hundred times as long."""
    place = np.clip(np.asarray(q, dtype=np.float64), 0.0, 1.0) * (defined - 1.0)
    known = ~np.isnan(place)
    place = np.where(known, place, 0.0)
    below = np.floor(place).astype(np.int64)
    above = np.ceil(place).astype(np.int64)
    lower = np.take_along_axis(ordered, below[np.newaxis], axis=0)[0]
    upper = np.take_along_axis(ordered, above[np.newaxis], axis=0)[0]
    return np.where(known, lower + (place - below) * (upper - lower), np.nan)


def upper_bound(successes: int, n: int, *, level: float = 0.95) -> float:
    """The one-sided upper bound of Clopper and Pearson [1]_.

    Parameters
    ----------
    successes, n : int
        ``0 <= successes <= n``.
    level : float
        How often the bound holds at least, in (0, 1), whatever the share is.

    Returns
    -------
    float
        In (0, 1]: the largest share with which so few successes still come with a probability of
        ``1 - level``; without any success ``1 - (1 - level) ** (1 / n)``. nan where ``n`` is 0.

    Raises
    ------
    ValueError
        For more successes than draws, and for fewer than none.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson (1934), The use of confidence or fiducial limits
       illustrated in the case of the binomial, Biometrika 26(4), 404-413.
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes among {n}")
    if n == 0:
        return math.nan
    if successes == n:
        return 1.0
    return float(betaincinv(successes + 1, n - successes, level))


def weighted_mean(values: ArrayLike, sizes: ArrayLike) -> Floats:
    """Mean over sets, weighted with their sizes, as HonestyBench's tables average.

    It is not the statistic of all questions thrown together: an AUROC compares answers within a
    set only.

    Parameters
    ----------
    values : float array, shape (..., n_sets)
        Of one statistic, by set; replicates along leading axes.
    sizes : float array, shape (n_sets,)
        How many questions each set has in full, also where a sample of them was asked. Positive.

    Returns
    -------
    float array, shape (...)
        nan where a set has no value, since the mean of the others is another statistic; nan without
        sets.

    Raises
    ------
    ValueError
        For sizes that are not one positive number a set.

    Examples
    --------
    >>> float(weighted_mean([0.5, 0.8], [300, 100]))
    0.575
    """
    found, n = np.asarray(values, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    if n.ndim != 1 or found.shape[-1:] != n.shape or not (n > 0).all():
        raise ValueError(
            f"one positive size for each set is needed, not {n.tolist()} for {found.shape}"
        )
    if not n.size:
        return np.full(found.shape[:-1], np.nan)
    return np.asarray((found * n).sum(axis=-1) / n.sum())


def error_of_ratio(top: ArrayLike, bottom: ArrayLike) -> float:
    """The standard error of ``sum(top) / sum(bottom)`` over units that were drawn together.

    Linearised, with the sample's variance: of a weighted mean whose weights follow from what was
    drawn, as clear wins that count three times.

    Parameters
    ----------
    top, bottom : float array, shape (n,)
        Of each unit; nan is returned for fewer than two.
    """
    t, b = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    if len(t) < 2 or not b.sum() > 0:
        return float("nan")
    left = t - t.sum() / b.sum() * b
    return float(np.sqrt(np.square(left).sum() * len(t) / (len(t) - 1)) / b.sum())


def interval_of_share(
    top: ArrayLike, bottom: ArrayLike, *, level: float, least: int
) -> tuple[float, float]:
    """An interval of ``sum(top) / sum(bottom)`` where this is a share, by units drawn together.

    On the logit, with `error_of_ratio` and Student's t: percentiles of a bootstrap are too narrow
    for small shares (``perf/arena_hard_coverage.py``).

    Parameters
    ----------
    top, bottom : float array, shape (n,)
        Of each unit, ``0 <= top <= bottom``.
    level : float
    least : int
        Units that have any of the share, and any of the rest: with fewer both ends are nan.
    """
    from scipy.special import stdtrit

    t, b = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    if min((t > 0).sum(), (b > t).sum()) < max(least, 2):
        return float("nan"), float("nan")
    share = t.sum() / b.sum()
    away = error_of_ratio(t[b > 0], b[b > 0]) / (share * (1.0 - share))
    away *= stdtrit((b > 0).sum() - 1, (1.0 + level) / 2.0)
    odds = np.log(share / (1.0 - share)) + np.array([-away, away])
    low, high = 1.0 / (1.0 + np.exp(-odds))
    return float(low), float(high)


def ends_of_average(
    values: ArrayLike, low: ArrayLike, high: ArrayLike, sizes: ArrayLike
) -> tuple[float, float]:
    """An interval of `weighted_mean` from those of independent sets [1]_.

    The squared distances of a set's ends from its value, times its squared share, are added up:
    for normal intervals this is the sum of variances, and it keeps others' skewness.

    Parameters
    ----------
    values, low, high, sizes : float array, shape (n_sets,)

    Returns
    -------
    low, high : float
        nan where a set has none.

    References
    ----------
    .. [1] G. Y. Zou, A. Donner (2008), Construction of confidence limits about effect measures: a
       general approach, Statistics in Medicine 27(10), 1693-1702.

    Examples
    --------
    >>> low, high = ends_of_average([0.5, 0.8], [0.4, 0.7], [0.6, 0.9], [100, 100])
    >>> round(low, 4), round(high, 4)
    (0.5793, 0.7207)
    """
    found = np.asarray(values, dtype=np.float64)
    shares = np.asarray(sizes, dtype=np.float64) / np.sum(sizes)
    middle = float(weighted_mean(found, sizes))
    below, above = (
        float(np.sqrt(np.square(shares * (found - np.asarray(ends, dtype=np.float64))).sum()))
        for ends in (low, high)
    )
    return middle - below, middle + above


def effective_n(times: ArrayLike) -> float:
    """How many items of equal weight would give a mean as certain as these do [1]_.

    Parameters
    ----------
    times : float array, shape (n_items,)
        Weights, such as how often each item occurs; not negative.

    Returns
    -------
    float
        Between 1 and the number of items, which it equals where all weights are the same; 0
        without items.

    References
    ----------
    .. [1] L. Kish (1965), Survey Sampling, section 11.7.
    """
    weights = np.asarray(times, dtype=np.float64)
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


DECIMALS = 3


def rounded_mean(means: ArrayLike, rows: ArrayLike, *, decimals: int = DECIMALS) -> Floats:
    """The means of splits, rounded, and averaged by their numbers of rows.

    Parameters
    ----------
    means : float array, shape (..., n_splits)
        nan for a split that has no score.
    rows : float array, shape (..., n_splits)
        How many rows each split has; a split without rows counts nothing, whatever its mean.

    Returns
    -------
    float array, shape (...)
        nan where a split that has rows has no score, and without rows.
    """
    counted = np.asarray(rows, dtype=np.float64)
    # Rounded as upstream does, with Python's own: a mean of few rows may lie between two decimals.
    rounded = np.vectorize(lambda mean: round(mean, decimals), otypes=[np.float64])(means)
    total = counted.sum(axis=-1)
    summed = np.where(counted > 0, rounded * counted, 0.0).sum(axis=-1)
    return quotient(summed, total)


def mean_of_sides(categories: ArrayLike, sides: Sequence[Sequence[int]]) -> Floats:
    """The mean of sides, each the mean of its categories.

    Parameters
    ----------
    categories : float array, shape (..., n_categories)
        The mean of each category; nan for one without a score.
    sides : sequence of sequence of int
        The places of the categories of each side; at least one side, and none without a category.

    Returns
    -------
    float array, shape (...)
        nan where a category that is on a side has no score.
    """
    means = np.asarray(categories, dtype=np.float64)
    return np.asarray(np.mean([means[..., list(side)].mean(axis=-1) for side in sides], axis=0))
