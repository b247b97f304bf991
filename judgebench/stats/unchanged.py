"""How often a gate passes a model that is as good as its baseline, and what would make it more.

With a margin m, n units and a spread s of their differences (`PairedTest.spread`), a test passes
where its lower bound lies above -m. For a candidate of which the true difference is 0 that has the
chance Phi((m sqrt(n) - q s*) / s), about Phi(m sqrt(n) / s - 1.645): q and s* are the quantile and
the spread that the bound uses. It is Student's with two pseudo-items at the ends of the scale, or,
where items are right or wrong, Tango's score bound.

What s is decides what *unchanged* means. Of two models whose verdicts change hands at random, item
by item, it is the root mean square of their differences. Of one model that is asked twice it is
what its own answers vary, which is less by a factor of up to the square root of two.

Where verdicts are missing, a pass has to hold with them at their worst for the candidate as well.
There an unchanged candidate is worse by a shift: as much as what is missing leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.gate_rule import FEWEST_TO_PASS, crossing
from judgebench.stats.paired_tests import PairedTest

Floats: TypeAlias = NDArray[np.float64]

CHANCE = 0.8
"""At which an unchanged model should pass."""

MOST_TOGETHER = 200
"""Tests on one benchmark whose dependence is counted in; more are taken to be independent."""

_DRAWS = 20_000
_MOST_UNITS = 2.0**40


def passes_unchanged(
    spread: float,
    units: int,
    margin: float,
    *,
    alpha: float,
    width: float = 1.0,
    binary: bool = False,
    shift: float = 0.0,
) -> float:
    """The chance that one test passes a candidate that is as good as its baseline.

    Parameters
    ----------
    spread : float
        Standard deviation of the difference times the root of the number of units. Where items are
        right or wrong, its square and the shift's are the share of items that differ.
    units : int
    margin : float
        The allowed drop, above 0, on the scale of the difference.
    alpha : float
        Of the lower bound, one-sided.
    width : float
        The largest difference that an item can have: where the pseudo-items lie
        (`judgebench.stats.paired_tests.student_bound`). Infinite for none.
    binary : bool
        Whether items are right or wrong, and the bound is Tango's.
    shift : float
        By how much an unchanged candidate is worse in what is tested.

    Returns
    -------
    float
        In [0, 1]: 0 under `FEWEST_TO_PASS` units; nan where the spread is not known.
    """
    if math.isnan(spread) or units < 1:
        return math.nan
    if units < FEWEST_TO_PASS:
        return 0.0
    reach = _reach(spread, units, margin, alpha, width, binary, shift)
    room = (margin - shift) * math.sqrt(units) - reach
    if spread == 0.0:
        return float(room > 0.0)
    from scipy.special import ndtr

    return float(ndtr(room / spread))


def margin_to_pass(
    spread: float,
    units: int,
    *,
    alpha: float,
    chance: float = CHANCE,
    width: float = 1.0,
    binary: bool = False,
    shift: float = 0.0,
) -> float:
    """The allowed drop at which an unchanged candidate passes with some chance.

    Parameters
    ----------
    spread, units, alpha, width, binary, shift
        As in `passes_unchanged`.

    Returns
    -------
    float
        About 2.486 s / sqrt(n) for 80 % and an alpha of 5 %. nan where the spread is not known,
        where there are fewer units than pass anything, and where no drop within the scale suffices.
    """
    if math.isnan(spread) or units < FEWEST_TO_PASS:
        return math.nan
    if binary:

        def lacks(m: float) -> float:
            found = passes_unchanged(spread, units, m, alpha=alpha, binary=True, shift=shift)
            return chance - found

        return crossing(lacks, 0.0, 1.0, within=1e-12)
    from scipy.special import ndtri

    reach = _reach(spread, units, 0.0, alpha, width, binary=False)
    found = shift + (reach + float(ndtri(chance)) * spread) / math.sqrt(units)
    return found if found < width else math.nan


def units_to_pass(
    spread: float,
    margin: float,
    *,
    alpha: float,
    chance: float = CHANCE,
    width: float = 1.0,
    binary: bool = False,
    shift: float = 0.0,
) -> float:
    """How many units an unchanged candidate needs to pass with some chance.

    Parameters
    ----------
    spread, margin, alpha, width, binary, shift
        As in `passes_unchanged`.

    Returns
    -------
    float
        A whole number, `FEWEST_TO_PASS` at least; nan where the spread is not known, inf where more
        would be needed than anybody has.
    """
    if math.isnan(spread):
        return math.nan
    if not margin > max(shift, 0.0):
        return math.inf

    def lacks(units: float) -> float:
        found = passes_unchanged(
            spread, math.ceil(units), margin, alpha=alpha, width=width, binary=binary, shift=shift
        )
        return chance - found

    low, high = 1.0, float(FEWEST_TO_PASS)
    while lacks(high) > 0.0:
        low, high = high, 2.0 * high
        if high > _MOST_UNITS:
            return math.inf
    return float(math.ceil(crossing(lacks, low, high, within=0.5)))


# with what is missing ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One view of a test, as observed or with what is missing at one of its ends.

    Fields are as in `passes_unchanged`.
    """

    spread: float
    units: int
    binary: bool = False
    shift: float = 0.0


def views_exchanged(
    observed: PairedTest, worst: PairedTest | None = None, best: PairedTest | None = None
) -> tuple[Seen, ...]:
    """The views of a test of two models whose verdicts are exchanged at random, item by item.

    What one of them lacks is exchanged as well. Exchanged, the worst case for the one is the best
    case for the other with its sign turned: the shift is half of what lies between the two.

    Parameters
    ----------
    observed, worst, best : PairedTest
        On the units that both have, and on all with what is missing at its ends; None where nothing
        is missing.

    Returns
    -------
    tuple of Seen
        As observed, and where something is missing at its worst and at its best.
    """
    own = math.hypot(observed.spread, observed.difference)
    views = [Seen(spread=own, units=observed.units, binary=observed.binary)]
    if worst is not None and best is not None:
        shift = (best.difference - worst.difference) / 2.0
        squares = (math.hypot(one.spread, one.difference) ** 2 for one in (worst, best))
        spread = math.sqrt(max(sum(squares) / 2.0 - shift**2, 0.0))
        binary = worst.binary and best.binary
        views += [
            Seen(spread=spread, units=worst.units, binary=binary, shift=one)
            for one in (shift, -shift)
        ]
    return tuple(views)


def of_spread(views: Sequence[Seen], spread: float, *, binary: bool = False) -> tuple[Seen, ...]:
    """The same views of a model whose difference as observed has another spread.

    What is missing adds as much to its square as it did. ``binary``: whether items are right or
    wrong where they were.
    """
    own = views[0].spread ** 2
    return tuple(
        replace(
            one,
            spread=math.sqrt(spread**2 + max(one.spread**2 - own, 0.0)),
            binary=binary and one.binary,
        )
        for one in views
    )


def passes_every_view(
    views: Sequence[Seen],
    margin: float,
    *,
    alpha: float,
    width: float = 1.0,
    strict: float | None = None,
    called_at: float = 0.0,
) -> float:
    """The chance that a test passes an unchanged candidate in all of its views.

    They are about one and the same draw and hang together nearly completely, so that it is the
    least of the chances.

    Parameters
    ----------
    margin, alpha, width
        As in `passes_unchanged`.
    strict : float, optional
        A smaller drop: what is a regression by it does not pass.
    called_at : float
        The level at which that is called.
    """
    return min(_passes(one, margin, alpha, width, strict, called_at) for one in views)


def _passes(
    one: Seen, margin: float, alpha: float, width: float, strict: float | None, called_at: float
) -> float:
    def at(drop: float) -> float:
        return passes_unchanged(
            one.spread, one.units, drop,
            alpha=alpha, width=width, binary=one.binary, shift=one.shift,
        )  # fmt: skip

    found = at(margin)
    if strict is None or math.isnan(found):
        return found
    return max(at(strict), min(found, _not_called(one, called_at)))


def not_called(views: Sequence[Seen], level: float) -> float:
    """The chance that an unchanged candidate is a regression in no view, called at a level."""
    return min(_not_called(one, level) for one in views)


def _not_called(one: Seen, level: float) -> float:
    """How often an unchanged candidate is no regression in one view."""
    if not one.spread:
        return float(one.shift <= 0.0)
    from scipy.special import ndtr, ndtri

    found = ndtri(level) + one.shift * math.sqrt(one.units) / one.spread
    return 1.0 - float(ndtr(found))


def margin_every_view(
    views: Sequence[Seen], *, alpha: float, chance: float = CHANCE, width: float = 1.0
) -> float:
    """The allowed drop at which an unchanged candidate passes in all views; nan for none.

    Parameters
    ----------
    alpha, chance, width
        As in `margin_to_pass`.
    """
    found = [
        margin_to_pass(
            one.spread, one.units,
            alpha=alpha, chance=chance, width=width, binary=one.binary, shift=one.shift,
        )
        for one in views
    ]  # fmt: skip
    return math.nan if any(map(math.isnan, found)) else max(found)


def units_every_view(
    views: Sequence[Seen],
    margin: float,
    *,
    alpha: float,
    chance: float = CHANCE,
    width: float = 1.0,
) -> float:
    """How many units an unchanged candidate needs to pass in all views, of the first view's kind.

    As large a share is taken to be missing of them.

    Parameters
    ----------
    margin, alpha, chance, width
        As in `units_to_pass`.
    """
    found = [
        units_to_pass(
            one.spread, margin,
            alpha=alpha, chance=chance, width=width, binary=one.binary, shift=one.shift,
        )
        * views[0].units / max(1, one.units)
        for one in views
    ]  # fmt: skip
    most = math.nan if any(map(math.isnan, found)) else max(found)
    return float(math.ceil(most)) if math.isfinite(most) else most


def not_certain(spread: float, units: int, *, width: float, binary: bool) -> float:
    """A spread that was found on so many units, and that is not 0 where none of them differed.

    Where items are right or wrong, with two more of which one differs; else with the two
    pseudo-units of `judgebench.stats.paired_tests.student_bound`, as far apart as can be.

    Parameters
    ----------
    spread, units, width, binary
        As in `passes_unchanged`.

    Returns
    -------
    float
        As it was for a scale without ends; nan stays.
    """
    if binary:
        return math.sqrt((units * spread**2 + 1.0) / (units + 2.0))
    if math.isinf(width) or units < 1:
        return spread
    return math.sqrt(((units - 1) * spread**2 + 2.0 * width**2) / (units + 1.0))


def spread_again(within: float, answers: float, nights: float) -> float:
    """The spread of the difference of a model that is asked again from itself.

    Parameters
    ----------
    within : float
        Standard deviation of one verdict on an item about its expectation, over all items.
    answers, nights : float
        How many verdicts are averaged of the candidate and of the baseline, on each item.
        Infinite nights are a baseline that is known exactly.

    Returns
    -------
    float
        ``within * sqrt(1 / answers + 1 / nights)``: with one verdict of each the square root of two
        times ``within``.
    """
    return within * math.sqrt(1.0 / answers + 1.0 / nights)


def within_items(values: ArrayLike, items: ArrayLike) -> tuple[float, int]:
    """How much verdicts on one and the same item vary.

    Parameters
    ----------
    values : float array, shape (n,)
        Verdicts of one model, asked several times; nan where there is none.
    items : int array, shape (n,)
        Which item each is about.

    Returns
    -------
    (float, int)
        The standard deviation about the item's expectation, pooled so that each item counts
        equally (unbiased as a variance), and on how many items it rests: those with two verdicts
        or more. nan without any.
    """
    y, item = np.asarray(values, dtype=np.float64), np.asarray(items, dtype=np.int64)
    there = ~np.isnan(y)
    y, item = y[there], item[there]
    if not len(y):
        return math.nan, 0
    n = np.bincount(item)
    several = n > 1
    if not several.any():
        return math.nan, 0
    mean = np.bincount(item, y) / np.maximum(n, 1)
    squares = np.bincount(item, np.square(y - mean[item]))
    return float(math.sqrt((squares[several] / (n[several] - 1)).mean())), int(several.sum())


# several tests ----------------------------------------------------------------------------------


def joint_chance(chances: Sequence[float], blocks: Sequence[tuple[Sequence[int], Floats]]) -> float:
    """The chance that all tests of a policy pass.

    Tests on different benchmarks are independent. Those of one benchmark share its items: their
    estimates are taken as jointly normal with the correlation of their items' differences
    (20,000 draws: at most 0.4 points of standard error).

    Parameters
    ----------
    chances : sequence of float
        Of each test.
    blocks : sequence of (places, correlation)
        Tests that share items, by their places in ``chances``, and the correlation of their
        differences, of shape (len(places), len(places)). Tests in no block stand alone.

    Returns
    -------
    float
        nan where the chance of a test is not known. Never outside the bounds that hold whatever the
        dependence: the least chance, and the sum of all less their number and one.
    """
    p = np.asarray(chances, dtype=np.float64)
    if not len(p) or np.isnan(p).any():
        return math.nan
    alone = np.ones(len(p), dtype=bool)
    found = 1.0
    for places, correlation in blocks:
        from scipy.special import ndtri

        its = np.asarray(places, dtype=np.int64)
        alone[its] = False
        bar = -ndtri(p[its])
        found *= float((_normals(correlation) >= bar).all(axis=1).mean())
    found *= float(p[alone].prod())
    return float(min(max(found, p.sum() - len(p) + 1.0, 0.0), p.min()))


def even_chance(
    tests: int, blocks: Sequence[tuple[Sequence[int], Floats]], *, chance: float = CHANCE
) -> float:
    """The chance that each test needs so that all of them pass with the given one.

    Parameters
    ----------
    tests : int
        How many there are.
    blocks
        As in `joint_chance`.

    Returns
    -------
    float
        ``chance ** (1 / tests)`` for independent tests, less for those that rise and fall together.
    """
    most = float(chance ** (1.0 / max(1, tests)))
    if not blocks:
        return most

    from scipy.special import ndtr

    alone = tests - sum(len(places) for places, _ in blocks)
    least = [np.sort(_normals(correlation).min(axis=1)) for _, correlation in blocks]

    def lacks(z: float) -> float:
        found = float(ndtr(z)) ** alone
        for lowest in least:
            found *= 1.0 - float(np.searchsorted(lowest, -z)) / len(lowest)
        return chance - found

    return min(max(float(ndtr(crossing(lacks, -8.0, 8.0, within=1e-12))), chance), most)


def correlations(differences: Sequence[Floats]) -> Floats:
    """The correlation of several tests' differences under exchange, on items in common.

    Parameters
    ----------
    differences : sequence of float arrays, each of shape (items,)
        On the items of one benchmark, in one order; nan where a test has none.

    Returns
    -------
    float array
        Of the sums over items, whose expectation is 0: no mean is taken out.
    """
    d = np.nan_to_num(np.stack(list(differences)))
    products = d @ d.T
    size = np.sqrt(np.diag(products))
    found = np.eye(len(d))
    np.divide(products, np.outer(size, size), out=found, where=np.outer(size, size) > 0.0)
    np.fill_diagonal(found, 1.0)
    return found


def _normals(correlation: Floats) -> Floats:
    values, vectors = np.linalg.eigh(np.asarray(correlation, dtype=np.float64))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn: Floats = np.random.default_rng(0).standard_normal((_DRAWS, len(root))) @ root.T
    return drawn


# the bounds -------------------------------------------------------------------------------------


def _reach(
    spread: float,
    units: int,
    margin: float,
    alpha: float,
    width: float,
    binary: bool,
    shift: float = 0.0,
) -> float:
    """How far the lower bound lies below the estimate, times the root of the units."""
    # Of scipy.special, since a policy may have ten thousand tests and these are quick.
    from scipy.special import ndtri, stdtrit

    if binary:
        return -float(ndtri(alpha)) * math.sqrt(
            _tango_variance(spread**2 + shift**2, margin, shift)
        )
    ends = 0.0 if math.isinf(width) else 2.0 * width**2
    rows = units + 1 if ends else units - 1
    return -float(stdtrit(units - 1, alpha)) * math.sqrt(((units - 1) * spread**2 + ends) / rows)


def _tango_variance(differing: float, margin: float, shift: float) -> float:
    """Of one item's difference, as Tango's test at a drop of the margin estimates it.

    Of so large a share of items that differ, of which the shift is lost on balance: the restricted
    maximum likelihood estimate of T. Tango (1998), Statistics in Medicine 17(8), 891-908.
    """
    b = -differing - (2.0 + shift) * margin
    c = (differing + shift) / 2.0 * margin * (1.0 + margin)
    lost = (math.sqrt(max(b * b - 8.0 * c, 0.0)) - b) / 4.0
    return max(2.0 * lost - margin * (1.0 + margin), 0.0)
