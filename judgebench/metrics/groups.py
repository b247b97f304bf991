"""One measure for each group of items: a category, a language, a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Floats
from judgebench.metrics.item_means import ItemMeans
from judgebench.metrics.measure import Measure
from judgebench.metrics.verdict_table import VerdictTable

Groups: TypeAlias = Sequence[Mapping[str, str]]
"""For each way of grouping, the group of each item that has one."""


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
        named = [group_of.get(item) for item in table.items]
        for group in sorted({one for one in named if one is not None}):
            rows = np.array([one == group for one in named])
            measure = measure_of(_taken(means, rows))
            found[f"{name}/{group}"] = replace(
                measure,
                top=_spread(measure.top, rows),
                bottom=_spread(measure.bottom, rows),
                always=True,
                undefined=f"no readable verdict on {group}",
            )
    return found


def _taken(means: ItemMeans, rows: NDArray[np.bool_]) -> ItemMeans:
    return ItemMeans(
        mean=means.mean[rows],
        readable=means.readable[rows],
        asked=means.asked[rows],
        expected=means.expected[rows],
        worst=None if means.worst is None else means.worst[rows],
        best=None if means.best is None else means.best[rows],
    )


def _spread(values: Floats, rows: NDArray[np.bool_]) -> Floats:
    """Among all items, the others contributing nothing."""
    found = np.zeros((len(rows), *values.shape[1:]))
    found[rows] = values
    return found
