"""What score each model gets, in the eyes of each judge."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from judgebench.columns import Column, coded, counted, marked, numbers, paired, same
from judgebench.columns import taken as rows_of
from judgebench.metrics.board_kinds import BoardKind, read_board
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.measures import (
    JUDGE_NOISE,
    STDERR,
    Balance,
    Groups,
    ItemMeans,
    Measure,
    balanced,
    by_group,
    item_means,
    judge_noise,
    mean_of,
    mean_of_parts,
    rounded,
    standard_error_of,
)
from judgebench.metrics.ranked_rows import Measured, Standing, judge_by_judge
from judgebench.metrics.registry import package_entries
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, verdict_values

SCORE = "score"
DIMENSION = f"{SCORE}/"
"""What the columns of named parts of scores begin with."""
UNREAD_AS = f"{SCORE}/unread_as_"
OFFICIAL, ITEMS, GUESSED = f"{SCORE}/official", f"{SCORE}/items", f"{SCORE}/guessed"
LOWEST = f"{SCORE}/lowest"
NOT_APPLICABLE = "not_applicable"
"""What is counted where a judge says of parts of its scores that they do not apply."""

LM_EVAL = "lm_eval/"
"""What the judges of lm-eval's own metrics are called, before the metric."""

Scale = tuple[float, float]
NO_ENDS: Scale = (-math.inf, math.inf)


def scores(
    columns: Columns,
    *,
    groups: Groups = (),
    balance: Balance | None = None,
    grouped: Sequence[str] = (),
    chance: Mapping[str, float] | None = None,
    splits: Mapping[str, str] | None = None,
    unread_as: float | None = None,
    intervals: Intervals | None = None,
    ranked: Collection[str] | None = None,
) -> tuple[Standing, ...]:
    """Each model's mean score on the declared scale, judge by judge.

    Repeats and samples of one item are averaged first; items count equally. The worst-case bounds
    set what is missing to the ends of the scale; there are none for a scale without ends, as that
    of a reward model.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``value``, ``low``, ``high``, of
        equal length, and where they are known those of `by_dimension`, `by_board` and `read_table`.
    groups
        Ways of grouping items: each group has a score of its own.
    balance
        How categories make up the whole; without it all items count equally. Where its sides are
        called as parts of scores, they are measured by those, and a part that does not apply to an
        answer is left out and counted.
    grouped
        Parts of scores that groups are measured by besides.
    chance
        What an answer to each item would score that was drawn at random: what upstream makes of a
        reply that it cannot read, in the mean.
    splits
        The split of each item, where the official score rounds the mean of each before it averages
        them.
    unread_as
        What an older rule of the benchmark takes a score for that could not be read.
    intervals
        Percentile bootstrap over items unless asked otherwise; none on a single item.
    ranked
        As for `judge_by_judge`.

    Returns
    -------
    tuple of Standing
        With the metrics `score`, `score/<dimension>` for each named part of a score,
        `score/<group>` for each group, and where judges were asked repeatedly `judge_noise`. With a
        ``balance``, `score` is the balanced mean, `score/<side>` that of each of several sides,
        `score/items` the mean over items, and `score/official` the balanced mean with what could
        not be read at its official value. Where sides are parts, `score/official` has what does not
        apply at its official value and `score/lowest` at the lowest of the scale. With ``splits``,
        `score/official` is the mean of the rounded means of splits. With a ``chance``,
        `score/guessed` is the score with what could not be read at that value; the worst and the
        best case stand beside `score`. With ``unread_as``, `score/unread_as_<value>` is the score
        by that rule. By a metric of lm-eval `stderr`, the sample's standard deviation over the
        items by the root of their number.
        Undefined where one judge's scores are on several scales: their mean means nothing. Best
        model first within each judge.
    """
    dimensions = sorted(name for name in columns if name.startswith(DIMENSION))
    sides = [f"{DIMENSION}{side}" for side in (balance.sides if balance else ())]
    unscaled = package_entries()

    def filled(table: VerdictTable, value: float | Floats) -> Floats:
        """The scores with those that could not be read at a value."""
        unread = marked(table.columns["kind"], lambda kind: kind == "unreadable")
        return np.where(unread, value, table.values)

    def measured(table: VerdictTable, rows: Ints) -> Measured:
        taken, counts = table.columns, dict[str, Ints]()
        means_of = {SCORE: table.values} | {name: np.asarray(taken[name]) for name in dimensions}
        if balance is not None and balance.not_applicable is not None:  # one may apply to no answer
            silent = np.full_like(table.values, np.nan)
            means_of = {**dict.fromkeys(sides, silent), **means_of}
        scales = scales_of(taken, rows)
        ends = scales[0] if len(scales) == 1 else NO_ENDS
        means = {
            name: item_means(table, rows, column, ends=NO_ENDS if name in unscaled else ends)
            for name, column in means_of.items()
        }
        measures = {name: _said_why(taken, name, mean_of(mean)) for name, mean in means.items()}
        if groups:
            measures |= by_group(SCORE, table, means[SCORE], groups, mean_of)
        for part in (f"{DIMENSION}{one}" for one in grouped):
            if part in means:
                measures |= by_group(part, table, means[part], groups, mean_of)
        in_parts = [means_of[one][rows] for one in sides if one in means_of]
        if balance is not None and len(in_parts) == len(sides) and not np.isnan(in_parts).all():
            found, counts = _of_parts(balance, table, rows, means, taken, means_of)
            measures = found | {name: one for name, one in measures.items() if name not in found}
        elif balance is not None:
            measures = whole(balance, table, rows, means[SCORE]) | {
                name: one for name, one in measures.items() if name != SCORE
            }
        if splits is not None:
            measures[OFFICIAL] = rounded(means[SCORE], table.items, splits)
        if chance is not None:
            by_chance = numbers(taken["item_id"], lambda item: chance.get(item, math.nan))
            kept = filled(table, by_chance)
            measures[GUESSED] = mean_of(item_means(table, rows, kept, ends=ends))
        if unread_as is not None:
            kept = filled(table, unread_as)
            measures[f"{UNREAD_AS}{unread_as:g}"] = mean_of(
                item_means(table, rows, kept, ends=NO_ENDS)
            )
        if table.again:
            measures[JUDGE_NOISE] = judge_noise(table, rows, table.values)
        if str(rows_of(taken["judge"], rows[:1])[0]).startswith(LM_EVAL):
            measures[STDERR] = standard_error_of(means[SCORE])
        if len(scales) > 1:
            measures = {name: mixed(measure, scales) for name, measure in measures.items()}
        width = ends[1] - ends[0]
        return Measured(
            means=means[SCORE],
            width=width if math.isfinite(width) else None,
            measures=measures,
            counts=counts,
        )

    def whole(
        balance: Balance, table: VerdictTable, rows: Ints, means: ItemMeans
    ) -> dict[str, Measure]:
        sides = list(balance.sides)
        found: dict[str, Measure] = {SCORE: balanced(means, table.items, balance, sides)}
        if balance.unparsed is not None:
            kept = item_means(table, rows, filled(table, balance.unparsed), ends=NO_ENDS)
            found[OFFICIAL] = balanced(kept, table.items, balance, sides)
        for side in sides if len(sides) > 1 else ():
            found[f"{SCORE}/{side}"] = balanced(means, table.items, balance, [side])
        found[ITEMS] = mean_of(means)
        return found

    return judge_by_judge(
        read_board(columns, BoardKind("score")), measured, intervals or Intervals(), ranked=ranked
    )


def _of_parts(
    balance: Balance,
    table: VerdictTable,
    rows: Ints,
    means: Mapping[str, ItemMeans],
    taken: Columns,
    values_of: Mapping[str, Floats],
) -> tuple[dict[str, Measure], dict[str, Ints]]:
    """The mean of the parts, and each; with what does not apply at its official value too."""
    sides = {"": means[SCORE]} | {side: means[f"{DIMENSION}{side}"] for side in balance.sides}
    found = mean_of_parts(sides, table.items, balance)
    category = coded(taken["item_id"]).mapped(balance.category_of.get)
    silent = {
        side: ~np.isnan(values_of[SCORE])
        & np.isnan(values_of[f"{DIMENSION}{side}"])
        & marked(category, set(its).__contains__)
        for side, its in balance.sides.items()
    }
    of_side = {
        side: np.bincount(table.models_of(rows[one[rows]]), minlength=len(table.models))
        for side, one in silent.items()
    }
    measures = {SCORE: found.pop("")} | {
        f"{DIMENSION}{side}": replace(one, missing=one.missing - of_side[side])
        for side, one in found.items()
    }
    n = np.sum([*of_side.values()], axis=0)
    if balance.not_applicable is None or not n.any():
        return measures, {NOT_APPLICABLE: n}
    low = np.asarray(taken["low"], dtype=np.float64)
    for name, filled in ((OFFICIAL, balance.not_applicable), (LOWEST, low)):
        kept = {
            side: item_means(
                table, rows, np.where(one, filled, values_of[f"{DIMENSION}{side}"]), ends=NO_ENDS
            )
            for side, one in silent.items()
        }
        measures[name] = mean_of_parts({**sides, **kept}, table.items, balance)[""]
    return measures, {NOT_APPLICABLE: n}


def scales_of(columns: Columns, rows: Ints | range) -> list[Scale]:
    """The scales that the scores in these rows are on, in order."""
    said = paired(columns["kind"], paired(columns["low"], columns["high"]))
    there = np.zeros(len(said.values), dtype=np.bool_)
    there[said.codes[np.asarray(rows, dtype=np.intp)]] = True  # also of no rows
    its = (said.values[code] for code in np.flatnonzero(there).tolist())
    return sorted({(float(low), float(high)) for kind, (low, high) in its if kind == "score"})


def mixed(measure: Measure, scales: Sequence[Scale]) -> Measure:
    """The measure of scores that are on several scales, which has no value."""
    said = ", ".join(f"{low:g} to {high:g}" for low, high in scales)
    return replace(
        measure,
        bottom=np.zeros_like(measure.bottom),
        undefined=f"one judge's scores are on several scales ({said}); their mean means nothing",
    )


def by_dimension(columns: Columns) -> dict[str, Floats]:
    """The named parts of scores as numbers, a column for each; nan where a score has no such part.

    Parameters
    ----------
    columns
        ``parts`` by row, None where there are none.
    """
    parts = coded(columns["parts"])
    named = [its or {} for its in parts.values]
    return {
        f"{DIMENSION}{name}": np.array([its.get(name, math.nan) for its in named])[parts.codes]
        for name in sorted({name for its in named for name in its})
    }


WHY = "why "
"""What the column begins with that says why a package's metric made no numbers."""


def package_metrics(columns: Columns) -> dict[str, Column]:
    """What metrics of installed packages make of each score, a column each.

    Such a metric is a function of three arrays, the scores and the lowest and highest that each
    could be, and returns a number for each of them, whose mean is on the board; or a
    `registry.Metric` that has such a function. It is on no scale: there are no worst cases. nan
    stays nan, and what is infinite is no number either. One that raises, makes no number, or
    another number of numbers has no value, and a column `WHY` beside it.
    """
    found: dict[str, Column] = {}
    if not (entries := package_entries()):
        return found
    values = verdict_values(columns, "score")
    read = ~np.isnan(values)
    ends = [np.asarray(columns[end], dtype=np.float64) for end in ("low", "high")]
    for name, metric in entries.items():
        why, made = None, np.full(len(values), np.nan)
        try:
            given = (array.copy() for array in (values, *ends))  # which it may change
            said = np.asarray(metric.made(*given))
            made = said.astype(np.float64, casting="safe" if said.dtype.kind == "c" else "unsafe")
        except Exception as error:  # noqa: BLE001 - a function may raise whatever it wants
            why = f"metric {metric.name.removeprefix(DIMENSION)} raised {type(error).__name__}"
        if made.shape != values.shape:
            why = (
                f"metric {name.removeprefix(DIMENSION)} made an array of shape {made.shape} of "
                f"{len(values)} scores, and not a number of each"
            )
            made = np.full(len(values), np.nan)
        if why is None and read.any() and not np.isfinite(made[read]).any():
            why = f"metric {name.removeprefix(DIMENSION)} made no number of any score"
        found[name] = np.where(read & np.isfinite(made), made, np.nan)
        if why is not None:
            found[WHY + name] = same(why, len(values))
    return found


def _said_why(columns: Columns, name: str, measure: Measure) -> Measure:
    """The measure, which is shown and says so where a package made no numbers for it."""
    if WHY + name not in columns:
        return measure
    return replace(measure, always=True, undefined=next(iter(counted(columns[WHY + name]))))


def with_parts(columns: Columns) -> dict[str, Column]:
    """The columns, and those of named parts of scores and of packages' metrics."""
    return {**columns, **by_dimension(columns), **package_metrics(columns)}


def of_part(columns: Columns, part: str) -> Columns:
    """The scores of a named part, ``score/NAME``, in place of the whole ones."""
    found = {**columns, "value": columns[part]}
    if part not in package_entries():
        return found
    n = len(columns["kind"])
    return found | {"low": same(-math.inf, n), "high": same(math.inf, n)}
