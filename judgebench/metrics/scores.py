"""What score each model gets, in the eyes of each judge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.groups import Groups, by_group
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.item_means import item_means
from judgebench.metrics.judge_noise import JUDGE_NOISE, judge_noise
from judgebench.metrics.measure import Measure, mean_of
from judgebench.metrics.standings import Measured, Standing, judge_by_judge
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable

SCORE = "score"

Scale = tuple[float, float]


def scores(
    columns: Columns, *, groups: Groups = (), intervals: Intervals | None = None
) -> tuple[Standing, ...]:
    """Each model's mean score on the declared scale, judge by judge.

    Repeats and samples of one item are averaged first; items count equally. The worst-case bounds
    set what is missing to the ends of the scale; there are none for a scale without ends, as that
    of a reward model.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``value``, ``low``, ``high``, of
        equal length, and where they are known ``parts`` and those of `by_board` and `read_table`.
    groups
        Ways of grouping items: each group has a score of its own.
    intervals
        Percentile bootstrap over items unless asked otherwise; none on a single item.

    Returns
    -------
    tuple of Standing
        With the metrics `score`, `score/<dimension>` for each named part of a score,
        `score/<group>` for each group, and where judges were asked repeatedly `judge_noise`.
        Undefined where one judge's scores are on several scales: their mean means nothing. Best
        model first within each judge.
    """
    taken = board(columns, BoardKind("score"))
    values = _values(taken)
    dimensions = {SCORE: values} | _parts(taken)

    def measured(table: VerdictTable, rows: Ints) -> Measured:
        scales = scales_of(taken, rows)
        ends = scales[0] if len(scales) == 1 else (-math.inf, math.inf)
        means = {
            name: item_means(table, rows, column, ends=ends) for name, column in dimensions.items()
        }
        measures = {name: mean_of(mean) for name, mean in means.items()}
        measures |= by_group(SCORE, table, means[SCORE], groups, mean_of)
        measures[JUDGE_NOISE] = judge_noise(table, rows, values)
        if len(scales) > 1:
            measures = {name: _mixed(measure, scales) for name, measure in measures.items()}
        return Measured(means=means[SCORE], measures=measures)

    return judge_by_judge(taken, ~np.isnan(values), measured, intervals or Intervals())


def scales_of(columns: Columns, rows: Ints | range) -> list[Scale]:
    """The scales that the scores in these rows are on, in order."""
    return sorted(
        {
            (float(columns["low"][row]), float(columns["high"][row]))
            for row in rows
            if columns["kind"][row] == "score"
        }
    )


def _mixed(measure: Measure, scales: list[Scale]) -> Measure:
    said = ", ".join(f"{low:g} to {high:g}" for low, high in scales)
    return replace(
        measure,
        bottom=np.zeros_like(measure.bottom),
        undefined=f"one judge's scores are on several scales ({said}); their mean means nothing",
    )


def _values(columns: Columns) -> Floats:
    said = zip(columns["kind"], columns["value"], strict=True)
    return np.array([value if kind == "score" else math.nan for kind, value in said], dtype=float)


def _parts(columns: Columns) -> dict[str, Floats]:
    """A column of values for each dimension that any score has; nan where a score lacks it."""
    parts: list[Mapping[str, float]] = [
        (given or {}) if kind == "score" else {}
        for kind, given in zip(columns["kind"], columns.get("parts", ()) or [], strict=False)
    ]
    names = sorted({name for given in parts for name in given})
    return {
        f"{SCORE}/{name}": np.array([given.get(name, math.nan) for given in parts], dtype=float)
        for name in names
    }
