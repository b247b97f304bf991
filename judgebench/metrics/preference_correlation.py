"""How far two judges' probabilities lie on one line: agreement before any rule makes outcomes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from judgebench.metrics.comparison import by_scope
from judgebench.metrics.intervals import Ends, Floats, Intervals
from judgebench.metrics.label_board import Codes, LabelBoard
from judgebench.records import Estimate
from judgebench.stats.resample import Resamples

CORRELATION = "preference_correlation"

NOTHING = 1e-12
"""A variance of probabilities that is rounding."""


def preference_correlation(
    board: LabelBoard,
    judge: Floats,
    reference: Floats,
    truth: Codes,
    resamples: Resamples,
    wanted: Intervals,
) -> list[Estimate]:
    """Pearson's correlation of the probabilities that the model's answer is better.

    Every pair counts one, whatever the number of pairs of its item.

    Parameters
    ----------
    board
        Of outcomes: its answers are pairs.
    judge, reference : float array, shape (pairs,)
        nan where there is no outcome.
    truth : int8 array, shape (pairs,)
        The reference's outcomes, which say for which models there are estimates.

    Returns
    -------
    list of Estimate
        Pooled, the unweighted mean over models, and of each model that the reference compared;
        undefined where one of the two gives every pair the same probability.
    """
    known = truth >= 0
    models, model = np.unique(board.model_of[known], return_inverse=True)
    x, y, unit = judge[known], reference[known], board.unit_of[board.item_of[known]]
    both = ~np.isnan(x) & ~np.isnan(y)
    n_units, n_models = len(board.units), len(models)
    cell = (unit * n_models + model)[both]
    # Sums of squares from a value of the data lose no digits, and are 0 where all are equal.
    a, b = (v[both] - (v[both][0] if both.any() else 0.0) for v in (x, y))
    stacked = np.stack(
        [
            np.bincount(cell, values, minlength=n_units * n_models)
            for values in (np.ones(len(a)), a, b, a * a, b * b, a * b)
        ],
        axis=-1,
    )
    moments = stacked.astype(np.float64).reshape(n_units, n_models, 6)
    (sums,) = resamples.sums([moments])
    pairs = np.bincount(model[both], minlength=n_models)
    present = pairs > 0
    together = np.concatenate([sums.sum(axis=-2, keepdims=True), sums], axis=-2)
    values = by_scope(_pearson(together), present)
    ends = replace(wanted, kind="percentile").ends(values, None)
    units = [int((moments[..., 0].sum(axis=1) > 0).sum())] * 2
    units += (moments[..., 0] > 0).sum(axis=0).tolist()
    missing = np.bincount(model[~both], minlength=n_models)
    counts = [int(pairs.sum())] * 2 + pairs.tolist()
    lacking = [int(missing.sum())] * 2 + missing.tolist()
    constant = "one of both gives every pair the same probability"
    gone = np.isnan(values[0, 2:][present]).sum()
    why = [constant, f"undefined on {gone} of {present.sum()}: {constant}"] + [constant] * n_models
    return [
        _estimate(
            float(values[0, scope]), ends, scope, wanted,
            n=counts[scope], units=units[scope], missing=lacking[scope],
            why=why[scope] if counts[scope] else "no pair has an outcome of both",
        )
        for scope in range(2 + n_models)
    ]  # fmt: skip


def _estimate(
    value: float,
    ends: Ends,
    scope: int,
    wanted: Intervals,
    *,
    n: int,
    units: int,
    missing: int,
    why: str,
) -> Estimate:
    low, high, method = math.nan, math.nan, ""
    if not math.isnan(value):
        low, high, method = ends.at(scope) if units > 1 else (low, high, "no interval, one item")
    return Estimate(
        value=value,
        low=low,
        high=high,
        n=n,
        units=units,
        missing=missing,
        level=wanted.level,
        method=method,
        undefined=why if math.isnan(value) else None,
    )


def _pearson(moments: Floats) -> Floats:
    """Of sums (..., 6): how many, x, y, xx, yy, xy."""
    n = np.maximum(moments[..., 0], 1.0)
    x, y, xx, yy, xy = (moments[..., i] / n for i in range(1, 6))
    of_x, of_y = xx - x * x, yy - y * y
    varies = (of_x > NOTHING) & (of_y > NOTHING)
    found = np.full(of_x.shape, np.nan)
    np.divide(xy - x * y, np.sqrt(np.where(varies, of_x * of_y, 1.0)), out=found, where=varies)
    return np.asarray(np.clip(found, -1.0, 1.0))
