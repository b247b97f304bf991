"""How often each model is right, in the eyes of each judge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Floats, Intervals, wilson
from judgebench.metrics.label_board import (
    NO_VERDICT,
    UNREADABLE,
    Columns,
    LabelBoard,
    read_labels,
)
from judgebench.records import BINARY, Estimate
from judgebench.stats.resample import leave_one_out_sums, percentile_interval, weighted_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyRow:
    """One model on one judge's board.

    ``rank`` is 1 for the best and shared by equals; ``rank_low`` and ``rank_high`` hold it in the
    bootstrap at the interval's level. All three are None for a model without a readable verdict.
    What is missing is told apart: ``unreadable`` replies, ``failed`` calls, and verdicts
    ``not_asked`` for.
    """

    judge: str
    model: str
    accuracy: Estimate
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    unreadable: int
    failed: int
    not_asked: int


def accuracies(
    columns: Columns,
    *,
    labels: tuple[str, str] = BINARY,
    failed: Mapping[tuple[str, str], int] | None = None,
    intervals: Intervals | None = None,
) -> tuple[AccuracyRow, ...]:
    """Share of each model's readable verdicts that are the positive label, judge by judge.

    Samples of one item are averaged first; items count equally. Missing are the items of the
    board (those of all models together) and further samples without a readable verdict; the
    worst-case bounds set all of them wrong, then all right.

    Parameters
    ----------
    columns
        As for `read_labels`.
    labels
        The negative and the positive label.
    failed
        Calls that failed and have not succeeded since, by model and judge.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's under 30 items and at 0
        or 1.

    Returns
    -------
    tuple of AccuracyRow
        Best model first within each judge; judges in order of name.
    """
    board = read_labels(columns, labels=labels)
    wanted = intervals or Intervals()
    weights = wanted.weights(board.items)
    failures = failed or {}
    # A model whose every call failed has no verdict to be known by.
    unseen = sorted({model for model, _ in failures}.difference(board.models))
    board = replace(board, models=(*board.models, *unseen))
    judges = sorted({*board.labellers, *(judge for _, judge in failures)})
    return tuple(row for judge in judges for row in _board(board, judge, weights, wanted, failures))


def _board(
    board: LabelBoard,
    judge: str,
    weights: Floats,
    wanted: Intervals,
    failures: Mapping[tuple[str, str], int],
) -> list[AccuracyRow]:
    codes = board.of(judge) if judge in board.judges else np.full(len(board.item_of), NO_VERDICT)
    correct, readable, unreadable = (
        _per_item(board, chosen) for chosen in (codes == 1, codes >= 0, codes == UNREADABLE)
    )
    # An item that a model has no answer to is one verdict missing.
    expected = np.maximum(_per_item(board, np.ones(len(codes), dtype=np.bool_)), 1.0)
    answered = readable > 0
    mean = np.divide(correct, readable, out=np.zeros_like(correct), where=answered)

    contributions = np.stack([mean, answered.astype(np.float64)], axis=-1)
    scores = _share(weighted_sums(weights, contributions))
    left_out = _share(leave_one_out_sums(contributions)) if wanted.kind == "bca" else None
    ends = wanted.ends(scores, left_out)
    ranks, rank_low, rank_high = _ranks(scores, wanted.level)

    rows = []
    for m, model in enumerate(board.models):
        failures_here = failures.get((model, judge), 0)
        asked = int(readable[:, m].sum() + unreadable[:, m].sum())
        if not asked and not failures_here:
            continue  # this judge's board does not show this model
        value, units = float(scores[0, m]), int(answered[:, m].sum())
        low, high, method = wilson(value, units, level=wanted.level) or ends.at(m)
        missing = int(expected[:, m].sum() - readable[:, m].sum())
        known = units > 0
        unfilled = expected[:, m] - readable[:, m]
        accuracy = Estimate(
            value=value,
            low=low,
            high=high,
            n=int(readable[:, m].sum()),
            units=units,
            missing=missing,
            level=wanted.level,
            method=method if known else "",
            undefined=None if known else "no readable verdict",
            worst_low=float((correct[:, m] / expected[:, m]).mean()),
            worst_high=float(((correct[:, m] + unfilled) / expected[:, m]).mean()),
        )
        rows.append(
            AccuracyRow(
                judge=judge,
                model=model,
                accuracy=accuracy,
                rank=int(ranks[m]) if known else None,
                rank_low=int(rank_low[m]) if known else None,
                rank_high=int(rank_high[m]) if known else None,
                unreadable=int(unreadable[:, m].sum()),
                failed=failures_here,
                not_asked=max(0, missing - int(unreadable[:, m].sum()) - failures_here),
            )
        )
    return sorted(rows, key=lambda row: (row.rank or math.inf, row.model))


def _per_item(board: LabelBoard, chosen: NDArray[np.bool_]) -> Floats:
    """How many of the chosen answers each item has of each model: shape (items, models)."""
    shape = (len(board.items), len(board.models))
    cells = board.item_of * shape[1] + board.model_of
    counts = np.bincount(cells[chosen], minlength=shape[0] * shape[1])
    return counts.astype(np.float64).reshape(shape)


def _share(sums: Floats) -> Floats:
    top, bottom = sums[..., 0], sums[..., 1]
    share = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=share, where=bottom > 0)
    return share


def _ranks(scores: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Ranks on the data, and the ends of their distribution over the replicates, rounded out."""
    # Equal shares of thirds must tie whatever the order in which they were added up.
    rounded = np.round(scores, 12)
    better = (rounded[:, np.newaxis, :] > rounded[:, :, np.newaxis]).sum(axis=-1)
    ranks = np.where(np.isnan(rounded), np.nan, 1.0 + better)
    low, high = percentile_interval(ranks[1:], level=level, max_undefined=1.0)
    return ranks[0], np.floor(low), np.ceil(high)
