"""How long each model's answers are, in characters or in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measure import Measure, estimated
from judgebench.records import Estimate

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
