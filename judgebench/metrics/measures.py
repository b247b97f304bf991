"""What boards make of items: quotients of sums, of sides, splits and groups, errors and noise.

And what one judge says of each model on each item, averaged so that every item counts once: repeats
first, then the two orders, then the samples of an item. A judge that was asked more often in one
order than in the other does not favour who stands first.

Scores of benchmarks whose categories count equally are those of
`judgebench.stats.resample`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import coded, paired
from judgebench.metrics.intervals import FEWEST_UNITS, Floats, Intervals, as_estimate, wilson
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, codes_there
from judgebench.records import Estimate
from judgebench.stats.resample import (
    interval_of_share,
    leave_one_out_sums,
    mean_of_sides,
    quotient,
    rounded_mean,
)

# of each item ----------------------------------------------------------------------------------

Counts: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMeans:
    """All of shape (items, models).

    mean
        nan where there is no readable verdict.
    readable, asked, expected : int array
        How many verdicts are readable, were asked for, and should be there: all that were asked
        for, one for each further answer that another judge was asked about, unless it only chooses
        among them, and one where a model has no answer, unless the table is sparse.
    worst, best
        The mean with every missing verdict at the lowest and at the highest value; nan where none
        is expected, None for a scale without ends.
    """

    mean: Floats
    readable: Counts
    asked: Counts
    expected: Counts
    worst: Floats | None
    best: Floats | None

    def taken(self, take: Callable[[Any], Any]) -> ItemMeans:
        """Those of some items or models, of each array what ``take`` takes."""
        its: dict[str, Any] = {
            one.name: None if of is None else take(of)
            for one in fields(self)
            for of in (getattr(self, one.name),)
        }
        return ItemMeans(**its)


def item_means(
    table: VerdictTable, rows: Ints, values: Floats, *, ends: tuple[float, float]
) -> ItemMeans:
    """Average one judge's verdicts.

    Parameters
    ----------
    table
    rows : int array
        The rows of one judge.
    values : float array, shape (rows of the table,)
        nan where a verdict is unreadable or was not had.
    ends
        The lowest and the highest value that a verdict can have; infinite where there is none.
    """
    in_cell, n_cells = table.cells(rows), table.shape[0] * table.shape[1]
    said, n_asked = values[rows], _occurring(in_cell, n_cells)
    if n_asked.max(initial=0) <= 1:
        return _of_single(table, in_cell, said, n_asked, ends)
    nested = _Nested(table, rows)
    unasked = np.maximum(table.n_answers - _occurring(nested.cell_of, n_cells), 0)

    def filled(end: float) -> Floats | None:
        if not np.isfinite(end):
            return None
        total, n = nested.totals(np.where(np.isnan(said), end, said))
        return quotient(total + unasked * end, n + unasked).reshape(table.shape)

    return ItemMeans(
        mean=quotient(*nested.totals(said)).reshape(table.shape),
        readable=_occurring(in_cell[~np.isnan(said)], n_cells).reshape(table.shape),
        asked=n_asked.reshape(table.shape),
        expected=(n_asked + unasked).reshape(table.shape),
        worst=filled(ends[0]),
        best=filled(ends[1]),
    )


def _of_single(
    table: VerdictTable, in_cell: Ints, said: Floats, n_asked: Counts, ends: tuple[float, float]
) -> ItemMeans:
    """Of most boards: each cell holds one verdict at most, which is its mean."""
    shape = table.shape
    mean = np.full(len(n_asked), np.nan)
    mean[in_cell] = said
    read, expected = ~np.isnan(mean), np.maximum(table.n_answers, n_asked)
    lacking, one_each = expected - read, bool((expected == 1).all())

    def filled(end: float) -> Floats | None:
        if not np.isfinite(end):
            return None
        total = lacking * end
        np.add(total, mean, out=total, where=read)
        return (total if one_each else quotient(total, expected)).reshape(shape)

    return ItemMeans(
        mean=mean.reshape(shape),
        readable=read.astype(np.int32).reshape(shape),
        asked=n_asked.reshape(shape),
        expected=expected.reshape(shape),
        worst=filled(ends[0]),
        best=filled(ends[1]),
    )


class _Nested:
    """Which rows of one judge repeat an asking, and which askings are about one answer."""

    def __init__(self, table: VerdictTable, rows: Ints) -> None:
        self.n_cells = table.shape[0] * table.shape[1]
        answer_of = table.answer_of[rows]
        askings, self.asking_of = codes_there(table.askings(rows))
        of_asking = np.zeros(len(askings), np.int64)
        of_asking[self.asking_of] = answer_of
        answers, self.answer_of = codes_there(of_asking)
        self.n_askings, self.n_answers = len(askings), len(answers)
        self.cell_of = table.cell_of[answers]

    def totals(self, values: Floats) -> tuple[Floats, Floats]:
        """In each cell, the sum of the means of its answers, and how many answers have one."""
        of_asking = quotient(*sums_of(values, self.asking_of, self.n_askings))
        of_answer = quotient(*sums_of(of_asking, self.answer_of, self.n_answers))
        return sums_of(of_answer, self.cell_of, self.n_cells)


def _occurring(cells: Ints, n_cells: int) -> Counts:
    """How often each cell occurs; there are many cells, and none has many verdicts."""
    return np.bincount(cells, minlength=n_cells).astype(np.int32)


def sums_of(values: Floats, group: NDArray[Any], n_groups: int) -> tuple[Floats, Floats]:
    """Sums and counts of what is not nan, in each group."""
    there = ~np.isnan(values)
    sums, n = (
        np.bincount(group, weights, n_groups).astype(np.float64, copy=False)
        for weights in (np.where(there, values, 0.0), there)
    )
    return sums, n


# over items --------------------------------------------------------------------------------------

COUNTS = slice(1, None, 2)
"""Where, among a measure's contributions, it stands how much an item counts: behind each sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A quotient of sums over items, one for each model.

    top, bottom : shape (items, models)
    n : shape (models,)
        Verdicts used.
    missing : shape (models,)
    worst, best : shape (models,), or None
        The quotient with what is missing at its least and at its most favourable value.
    unit
        What the estimate is multiplied with: 100 for percent.
    proportion
        Whether the quotient is a share, whose interval is Wilson's where a bootstrap does not
        serve.
    weighted
        Whether it is a share of weights that differ: its interval is on the logit, and there is
        none with fewer than ``least`` items of either outcome.
    least
        Of either outcome of a share; with fewer a bootstrap does not serve.
    root
        Whether the square root of the quotient is meant.
    always
        Whether it is shown although it rests on nothing.
    few : bool array, shape (models,), or None
        Of whom a part has too few items for an interval of the whole.
    undefined
        Why a quotient of nothing has no value.
    """

    top: Floats
    bottom: Floats
    n: Floats
    missing: Floats
    worst: Floats | None = None
    best: Floats | None = None
    unit: float = 1.0
    proportion: bool = False
    weighted: bool = False
    least: float = 0.0
    root: bool = False
    always: bool = False
    few: NDArray[np.bool_] | None = None
    undefined: str = "no readable verdict"

    @property
    def contributions(self) -> Floats:
        """Of each item to both sums, shape (items, models, 2)."""
        return np.stack([self.top, self.bottom], axis=-1)

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 2), one number a model."""
        found = quotient(sums[..., 0], sums[..., 1])
        return np.sqrt(found) if self.root else found

    def of_units(self, unit_of: Ints, n_units: int) -> Floats:
        """The contributions of units, each the sum over its items."""
        of_items = self.contributions
        if n_units == len(of_items):
            return of_items
        found = np.zeros((n_units, *of_items.shape[1:]))
        np.add.at(found, unit_of, of_items)
        return found


def mean_of(
    means: ItemMeans, *, unit: float = 1.0, proportion: bool = False, least: float = 0.0
) -> Measure:
    """The mean over items of what is there."""
    there, ends = ~np.isnan(means.mean), list[Floats | None]()
    for values in (means.worst, means.best):
        if values is None:
            ends.append(None)
            continue
        expected = ~np.isnan(values)  # an answer of the model
        known = values if expected.all() else np.where(expected, values, 0.0)
        ends.append(quotient(known.sum(axis=0), expected.sum(axis=0)))
    return Measure(
        top=np.where(there, means.mean, 0.0),
        bottom=there.astype(np.float64),
        n=means.readable.sum(axis=0),
        missing=(means.expected - means.readable).sum(axis=0),
        worst=ends[0],
        best=ends[1],
        unit=unit,
        proportion=proportion,
        least=least,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A measure's estimates, one a model, and its value and replicates that ranks are made of."""

    scores: Floats
    estimates: tuple[Estimate, ...]


def estimated(
    measure: Measure, contributions: Floats, sums: Floats, wanted: Intervals
) -> Estimated:
    """Every model's estimate with its interval, over the replicates that all models share.

    Parameters
    ----------
    contributions : float array, shape (units, models, 2)
        The measure's, see `Measure.of_units`.
    sums : float array, shape (1 + n_replicates, models, 2)
        Of the contributions, over the units as they are and resampled.
    """
    scores = measure.quotient(sums)
    bca = wanted.kind == "bca"
    left_out = measure.quotient(leave_one_out_sums(contributions)) if bca else None
    ends = wanted.ends(scores, left_out)
    units = (contributions[..., COUNTS].sum(axis=-1) > 0).sum(axis=0)
    made = []
    for m, n_units in enumerate(units.tolist()):
        value = float(scores[0, m])
        found = None
        if measure.proportion:
            found = wilson(value, n_units, level=wanted.level, least=measure.least)
        if measure.weighted:
            of, least = contributions[:, m].T, int(measure.least)
            low, high = interval_of_share(*of, level=wanted.level, least=least)
            few = math.isnan(low)
            found = (
                low,
                high,
                f"no interval: fewer than {least} items of either kind"
                if few
                else ("logit, Student's t over items"),
            )
        if found is None and n_units < 2:  # every replicate is that item
            found = math.nan, math.nan, "no interval, a single item"
        elif found is None and n_units < FEWEST_UNITS:
            why = f"no interval: under {FEWEST_UNITS} items none was measured to hold"
            found = math.nan, math.nan, why
        elif found is None and measure.few is not None and measure.few[m]:
            found = math.nan, math.nan, "no interval: too few items of a part"
        low, high, method = found or ends.at(m)
        estimate = as_estimate(
            value * measure.unit,
            (low * measure.unit, high * measure.unit, method),
            n=int(measure.n[m]),
            units=n_units,
            missing=int(measure.missing[m]),
            level=wanted.level,
            why=measure.undefined,
            worst_low=None if measure.worst is None else float(measure.worst[m]) * measure.unit,
            worst_high=None if measure.best is None else float(measure.best[m]) * measure.unit,
        )
        made.append(estimate)
    return Estimated(scores=scores, estimates=tuple(made))


TURN = "turn "
"""What groups of turns are called, before their number."""

STANDARD_ERROR, STDERR, JUDGE_NOISE = "standard_error", "stderr", "judge_noise"


# of parts of the items --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How a benchmark's categories make up the whole.

    category_of
        The category of each item.
    sides
        The categories of each side, by its name.
    unparsed
        The score that the official figures give a reply that could not be read; None where they
        leave it out.
    not_applicable
        The score that the official figures give a part that a judge says does not apply; None where
        there are no such.
    """

    category_of: Mapping[str, str]
    sides: Mapping[str, Sequence[str]]
    unparsed: float | None = None
    not_applicable: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedMean(Measure):
    """What is made of the means of parts of the items.

    part : int array, shape (items,)
        The part of each item; negative for one that is in none.
    n_parts
        How many there are.
    """

    part: Ints
    n_parts: int

    @property
    def contributions(self) -> Floats:
        """Sum and count of each part in turn, shape (items, models, 2 * parts)."""
        found = np.zeros((*self.top.shape, 2 * self.n_parts))
        items = np.flatnonzero(self.part >= 0)
        found[items, :, 2 * self.part[items]] = self.top[items]
        found[items, :, 2 * self.part[items] + 1] = self.bottom[items]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedMean(PartedMean):
    """A mean of sides, each a mean of categories; undefined while one has no readable verdict.

    sides : tuple of tuple of int
        The categories of each side, as ``part`` has them.
    """

    sides: tuple[tuple[int, ...], ...]

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 2 * categories), one number a model."""
        return mean_of_sides(quotient(sums[..., 0::2], sums[..., 1::2]), self.sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanOfSides(Measure):
    """A mean of sides that are measured each by itself; undefined while one is."""

    sides: tuple[BalancedMean, ...]

    @property
    def contributions(self) -> Floats:
        """Those of each side in turn, shape (items, models, 2 * categories of all sides)."""
        return np.concatenate([side.contributions for side in self.sides], axis=-1)

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, one number a model."""
        ends = np.cumsum([2 * side.n_parts for side in self.sides])[:-1]
        each = zip(self.sides, np.split(sums, ends, axis=-1), strict=True)
        return np.asarray(np.mean([side.quotient(one) for side, one in each], axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedMean(PartedMean):
    """A mean of the rounded means of splits, by their numbers of readable items."""

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 2 * splits), one number a model."""
        rows = sums[..., 1::2]
        return rounded_mean(quotient(sums[..., 0::2], rows), rows)


def _parts(
    means: ItemMeans, items: Sequence[str], part_of: Mapping[str, str], names: Sequence[str]
) -> dict[str, Any]:
    """The fields of a `PartedMean` of these parts; those of ``means`` are in the order of items."""
    code_of = {name: code for code, name in enumerate(names)}
    part = np.array([code_of.get(part_of.get(item, ""), -1) for item in items], dtype=np.int64)
    plain, within = mean_of(means), part >= 0
    return {
        "top": plain.top,
        "bottom": plain.bottom,
        "n": means.readable[within].sum(axis=0),
        "missing": (means.expected - means.readable)[within].sum(axis=0),
        "part": part,
        "n_parts": len(names),
    }


def balanced(
    means: ItemMeans, items: Sequence[str], balance: Balance, sides: Sequence[str]
) -> BalancedMean:
    """The balanced mean over some sides; over all of them it is the whole.

    Parameters
    ----------
    items
        Those of ``means``, in their order.
    """
    names = sorted({category for side in sides for category in balance.sides[side]})
    code_of = {name: code for code, name in enumerate(names)}
    lacking = sorted(set(names) - {balance.category_of.get(item, "") for item in items})
    some = f"on {', '.join(lacking)}" if lacking else "on a category"
    found = BalancedMean(
        **_parts(means, items, balance.category_of, names),
        undefined=f"no readable verdict {some}, which counts as much as any other",
        always=True,
        sides=tuple(tuple(code_of[name] for name in balance.sides[side]) for side in sides),
    )
    if means.worst is None or means.best is None:
        return found
    worst, best = (
        replace(found, top=end, bottom=np.ones_like(end)) for end in (means.worst, means.best)
    )
    return replace(
        found,
        worst=worst.quotient(worst.contributions.sum(axis=0)),
        best=best.quotient(best.contributions.sum(axis=0)),
    )


def rounded(means: ItemMeans, items: Sequence[str], split_of: Mapping[str, str]) -> RoundedMean:
    """The mean of the rounded means of splits; ``split_of`` says the split of each item."""
    return RoundedMean(**_parts(means, items, split_of, sorted(set(split_of.values()))))


LEAST_OF_A_PART = 50
"""With fewer items of one part the interval of the mean of parts holds too rarely: in 90.7 % at 20
items of safety, in 93.7 % at 75 (docs/figures/just_eval_coverage.txt)."""


def mean_of_parts(
    means_of: Mapping[str, ItemMeans], items: Sequence[str], balance: Balance
) -> dict[str, Measure]:
    """The mean of the sides of a benchmark, each of which is a part of its scores, and each side.

    A part that an answer has not is left out of its side. What verdicts are missing could change is
    told by item, since a part of a verdict that is not there has no ends.

    Parameters
    ----------
    means_of
        Of the whole scores, by an empty name, and of each side.
    """
    whole = balanced(means_of[""], items, balance, list(balance.sides))
    sides = {
        side: replace(balanced(means_of[side], items, balance, [side]), worst=None, best=None)
        for side in balance.sides
    }
    wanted = {category for its in balance.sides.values() for category in its}
    silent = [side for side, one in sides.items() if not one.n.any()]
    why = whole.undefined
    if silent and wanted <= {balance.category_of.get(item) for item in items}:
        why = f"no score of {', '.join(silent)}, which counts as much as any other"
    applying = np.min([one.bottom[one.part >= 0].sum(axis=0) for one in sides.values()], axis=0)
    found = MeanOfSides(
        top=whole.top, bottom=whole.bottom, n=whole.n, missing=whole.missing,
        undefined=why, always=True, sides=tuple(sides.values()), few=applying < LEAST_OF_A_PART,
    )  # fmt: skip
    if whole.worst is None or whole.best is None:
        return {"": found, **sides}
    moved = (mean.quotient(mean.contributions.sum(axis=0)) for mean in (found, whole))
    apart = np.subtract(*moved)
    return {"": replace(found, worst=whole.worst + apart, best=whole.best + apart), **sides}


def pseudo_values(values: Floats, weight: Floats) -> Floats:
    """What stands for each item in a weighted mean, so that their plain mean is the weighted one.

    The mean, and by how much an item lies off it times its weight over the mean weight: as these
    vary over items, so does the mean (the infinitesimal jackknife).

    Parameters
    ----------
    values, weight : float array, shape (items, models)
        nan only where the weight is 0.

    Returns
    -------
    float array, shape (items, models)
        The values themselves where all weigh alike; nan for a model without any weight.
    """
    total, known = weight.sum(axis=0), np.where(weight > 0, values, 0.0)
    mean, times = quotient((weight * known).sum(axis=0), total), weight * len(weight)
    ratio = quotient(times, np.broadcast_to(total, times.shape))
    return np.where(ratio == 1.0, values, mean + ratio * (known - mean))


Groups: TypeAlias = Sequence[Mapping[str, str | Sequence[str]]]
"""For each way of grouping, the group of each item that has one, or its several."""


def tags(group: str | Sequence[str] | None) -> Sequence[str]:
    """The groups that an item is in, in one way of grouping."""
    return () if group is None else (group,) if isinstance(group, str) else group


def group_names(group_of: Mapping[str, str | Sequence[str]]) -> list[str]:
    """All groups of one way of grouping, in order."""
    return sorted({one for its in group_of.values() for one in tags(its)})


def by_turn(columns: Columns, groups: Groups) -> tuple[Columns, Groups]:
    """Each turn as an item of its own, drawn with the others of its conversation, and a group.

    The column ``question`` has whose turn it is.
    """
    asked = coded(columns["item_id"])
    places = paired(asked, columns["turn"])
    name = {place: f"{place[0]}/{place[1] + 1}" for place in places.values}
    turns = {one: f"{TURN}{turn + 1}" for (_, turn), one in name.items()}
    unit = paired(asked, columns.get("unit", asked)).mapped(
        lambda of: of[0] if of[1] is None else of[1]
    )
    named = {"item_id": places.mapped(name.get), "question": asked, "unit": unit}
    return {**columns, **named}, [
        turns,
        *({one: of[item] for (item, _), one in name.items() if item in of} for of in groups),
    ]


def question_of(turn: str) -> str:
    """Whose turn it is, of an item that `by_turn` has named."""
    return turn.rpartition("/")[0]


def by_group(
    name: str,
    table: VerdictTable,
    means: ItemMeans,
    groups: Groups,
    measure_of: Callable[[ItemMeans], Measure],
) -> dict[str, Measure]:
    """The measure within each group, as ``name/group``, over the draws of the whole board.

    Parameters
    ----------
    name
        Of the measure.
    means
        Of the items of ``table``.
    measure_of
        Makes the measure of some items.
    """
    found: dict[str, Measure] = {}
    for group_of in groups:
        named = [tags(group_of.get(item)) for item in table.items]
        for group in sorted({one for its in named for one in its}):
            rows = np.array([group in its for its in named])
            measure = measure_of(means.taken(itemgetter(rows)))
            top, bottom = np.zeros_like(means.mean), np.zeros_like(means.mean)
            top[rows], bottom[rows] = measure.top, measure.bottom  # the others count nothing
            found[f"{name}/{group}"] = replace(
                measure,
                top=top,
                bottom=bottom,
                always=True,
                undefined=f"no readable verdict on {group}",
            )
    return found


# how far they lie apart -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardError(Measure):
    """The sample standard deviation over items, over the square root of their number.

    A number of its own, which AlpacaEval prints; intervals on boards do not use it. Undefined with
    fewer than two items. An item of several verdicts counts once, as their mean.
    """

    @property
    def contributions(self) -> Floats:
        """Of each item: value, count, square of the value; shape (items, models, 3)."""
        return np.stack([self.top, self.bottom, np.square(self.top)], axis=-1)

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 3), one number a model."""
        total, n, squares = sums[..., 0], sums[..., 1], sums[..., 2]
        spread = np.maximum(squares - quotient(np.square(total), n), 0.0)
        return np.sqrt(quotient(spread, np.where(n > 1, n * (n - 1), 0.0)))


def standard_error_of(means: ItemMeans, *, unit: float = 1.0) -> StandardError:
    """That of what is there."""
    mean = mean_of(means)
    return StandardError(
        top=mean.top,
        bottom=mean.bottom,
        n=mean.n,
        missing=mean.missing,
        unit=unit,
        undefined="fewer than two items",
    )


def judge_noise(table: VerdictTable, rows: Ints, values: Floats, *, unit: float = 1.0) -> Measure:
    """Standard deviation of one judge's repeats around their mean, pooled over all it was asked.

    In the unit of the metric that ranks, and unbiased as a variance. Undefined where nothing was
    asked again.

    Parameters
    ----------
    rows : int array
        The rows of one judge.
    values : float array, shape (rows of the table,)
        nan where a verdict is unreadable or was not had.
    """
    n_cells = table.shape[0] * table.shape[1]
    read = rows[~np.isnan(values[rows])]
    askings, asking_of = codes_there(table.askings(read))
    if len(askings) == len(read):
        read, asking_of = read[:0], asking_of[:0]
    repeats = np.bincount(asking_of)
    mean = np.bincount(asking_of, values[read]) / np.maximum(repeats, 1)
    again = repeats[asking_of] > 1
    deviation = (values[read] - mean[asking_of])[again]
    cell = table.cells(read[again])
    freedom = 1.0 - 1.0 / repeats[asking_of][again]

    def by_cell(weights: Floats) -> Floats:
        return (
            np.bincount(cell, weights, n_cells).astype(np.float64, copy=False).reshape(table.shape)
        )

    n = by_cell(np.ones(len(cell))).sum(axis=0)
    return Measure(
        top=by_cell(np.square(deviation)),
        bottom=by_cell(freedom),
        n=n,
        missing=np.zeros_like(n),
        unit=unit,
        root=True,
        undefined="nothing was asked again",
    )


# how long answers are ----------------------------------------------------------------------------

AVG_LENGTH, AVG_WORDS = "avg_length", "avg_words"


def answer_lengths(
    lengths: Mapping[tuple[str, str], float],
    models: Sequence[str],
    items: Sequence[str],
    intervals: Intervals,
) -> dict[str, Estimate]:
    """The mean length of each model's answers, with an interval over the items of a board.

    Parameters
    ----------
    lengths
        Characters, or words, by model and item; the mean of several samples.
    models, items
        Whose, and to which; the items in the order in which their board draws them.

    Returns
    -------
    dict
        By model; undefined for one without an answer.
    """
    table = np.array(
        [[lengths.get((model, item), np.nan) for model in models] for item in items],
        dtype=np.float64,
    ).reshape(len(items), len(models))
    there = ~np.isnan(table)
    measure = Measure(
        top=np.where(there, table, 0.0),
        bottom=there.astype(np.float64),
        n=there.sum(axis=0).astype(np.float64),
        missing=(~there).sum(axis=0).astype(np.float64),
        undefined="no answers are here",
    )
    of_items = measure.contributions
    (sums,) = intervals.resamples(items).sums([of_items])
    found = estimated(measure, of_items, sums, intervals)
    return dict(zip(models, found.estimates, strict=True))
