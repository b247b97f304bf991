"""A metric before and after, on the items that both have, and the difference between the two.

Both are estimated over one set of draws of the items; the difference has the bounds of the paired
test that also decides a comparison (`paired_models.compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from judgebench.metrics.balanced import Balance
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.item_means import ItemMeans, item_means
from judgebench.metrics.measure import Estimated, Measure, estimated
from judgebench.metrics.paired_models import PairedModels, compare, item_weights
from judgebench.metrics.verdict_table import FAILED, Columns, VerdictTable, read_table
from judgebench.records import Estimate

FIRST, SECOND = 0, 1
_NAMES = ("first", "second")
_TAKEN = ("kind", "value", "label", "low", "high", "sample", "turn", "order", "repeat")

MeasureOf: TypeAlias = Callable[[ItemMeans, VerdictTable], Measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The metric of the first and of the second on the same items, and second minus first."""

    first: Estimate
    second: Estimate
    difference: Estimate


class BeforeAfter(NamedTuple):
    """Verdicts before and after, and what is to be made of them.

    ``ends`` are the least and the greatest number that they can be, infinite where there is none;
    ``measure_of`` makes the measure of the items' means, of shape (items, 2); ``balance`` says how
    categories make up the whole, where they count equally in it.
    """

    first: Columns
    second: Columns
    ends: tuple[float, float]
    measure_of: MeasureOf
    balance: Balance | None = None


def paired_differences(
    compared: Sequence[BeforeAfter],
    items: Collection[str],
    *,
    values: Callable[[Columns], Floats],
    units: Mapping[str, str | None] | None = None,
    intervals: Intervals | None = None,
) -> list[PairedDifference]:
    """Compare verdicts of one judge on one model with another judge's, or on another model.

    Parameters
    ----------
    compared
        ``item_id``, ``kind``, ``value``, ``label``, ``low``, ``high``, ``sample``, of equal length,
        and where they are known ``turn``, ``order`` and ``repeat``. Who judged and who answered is
        not looked at.
    items
        Those that both should have; others are left out. An item that one side says nothing
        readable of is missing from both.
    values
        The number that a row says; nan where it says none.
    units
        Items that have theirs in common are one question, and drawn together.

    Returns
    -------
    list of PairedDifference
        Over the same draws for all. The difference has both bounds of the paired test, each at half
        of what the level leaves, and where there are ends the bounds with what is missing at its
        least and at its most favourable to the second. Undefined where either metric is.
    """
    wanted = intervals or Intervals()
    measured = [_measured(one, items, values, units or {}) for one in compared]
    if not measured:
        return []
    drawn = measured[0].table.units  # as of all: they have the same items
    contributions = [one.measure.of_units(one.table.unit_of, len(drawn)) for one in measured]
    sums = wanted.resamples(drawn).sums(contributions)
    found = []
    for one, own, its in zip(measured, contributions, sums, strict=True):
        both = estimated(one.measure, own, its, wanted)
        found.append(
            PairedDifference(
                first=both.estimates[FIRST],
                second=both.estimates[SECOND],
                difference=_difference(both, one, wanted),
            )
        )
    return found


class _Measured(NamedTuple):
    """What is made of both sides, and how many items are missing from them."""

    table: VerdictTable
    measure: Measure
    missing: int
    pair: PairedModels


def _measured(
    compared: BeforeAfter,
    items: Collection[str],
    values: Callable[[Columns], Floats],
    units: Mapping[str, str | None],
) -> _Measured:
    columns = _together(compared, items, units)
    table = read_table(columns)
    means = item_means(table, np.arange(len(table.answer_of)), values(columns), ends=compared.ends)
    if not items:
        means = _empty()
    there = ~np.isnan(means.mean).any(axis=1, keepdims=True)
    of_both = replace(
        means,
        mean=np.where(there, means.mean, np.nan),
        readable=np.where(there, means.readable, 0.0),
    )
    least, greatest = compared.ends
    weight, stratum = item_weights(table.items, compared.balance)
    pair = PairedModels(
        judge="",
        metric="",
        unit=1.0,
        width=greatest - least,
        items=table.items,
        unit_of=table.unit_of,
        weight=weight,
        stratum=stratum,
        mean=of_both.mean[:, [SECOND, FIRST]],
        worst=None,
        best=None,
        missing=np.zeros(2, dtype=np.int64),
        expected=np.zeros(2, dtype=np.int64),
    )
    return _Measured(table, compared.measure_of(of_both, table), int((~there).sum()), pair)


def _together(
    compared: BeforeAfter, items: Collection[str], units: Mapping[str, str | None]
) -> dict[str, list[Any]]:
    """The rows about these items, and one for each item that a side says nothing of."""
    taken: dict[str, list[Any]] = {name: [] for name in ("item_id", "model", "judge", *_TAKEN)}
    for name, columns in zip(_NAMES, (compared.first, compared.second), strict=True):
        rows = [row for row, item in enumerate(columns["item_id"]) if item in items]
        lacking = sorted(set(items).difference(columns["item_id"]))
        taken["item_id"] += [columns["item_id"][row] for row in rows] + lacking
        taken["model"] += [name] * (len(rows) + len(lacking))
        for column in _TAKEN:
            given, absent = columns.get(column), _LACKING.get(column)
            taken[column] += [absent if given is None else given[row] for row in rows]
            taken[column] += [absent] * len(lacking)
    taken["judge"] = [""] * len(taken["item_id"])
    taken["unit"] = [units.get(item) for item in taken["item_id"]]
    return taken


_LACKING: Mapping[str, Any] = {
    "kind": FAILED, "sample": 0, "turn": 0, "order": "single", "repeat": 0,
}  # fmt: skip
"""What stands in a row of which nothing is known."""


def _empty() -> ItemMeans:
    nothing = np.zeros((0, len(_NAMES)))
    return ItemMeans(
        mean=nothing, readable=nothing, asked=nothing, expected=nothing, worst=None, best=None
    )


def _difference(found: Estimated, one: _Measured, wanted: Intervals) -> Estimate:
    measure, unit = one.measure, one.measure.unit
    first, second = found.estimates
    value = float(found.scores[0, SECOND] - found.scores[0, FIRST])
    known = not np.isnan(value)
    low = high = np.nan
    method, worst, best = "", None, None
    if known:
        alpha = (1.0 - wanted.level) / 2.0
        test = compare(one.pair, alpha=alpha, seed=wanted.seed).observed
        if test.units < 2:
            method = "no interval, a single item"
        else:
            low, high = (end if np.isfinite(end) else np.nan for end in test.bounds(alpha))
            method = test.method
        if measure.worst is not None and measure.best is not None:
            worst = float(measure.worst[SECOND] - measure.best[FIRST]) * unit
            best = float(measure.best[SECOND] - measure.worst[FIRST]) * unit
    return Estimate(
        value=value * unit,
        low=low * unit,
        high=high * unit,
        n=first.n + second.n,
        units=second.units,
        missing=one.missing,
        level=wanted.level,
        method=method,
        undefined=None if known else second.undefined or first.undefined,
        worst_low=worst,
        worst_high=best,
    )
