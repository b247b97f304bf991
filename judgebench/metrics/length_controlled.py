"""How often each model would be preferred to the opponent, were its answers of equal length.

Instructions' difficulty is of a calibration, which is for one judge and opponent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.item_means import ItemMeans, item_means
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, read_table
from judgebench.metrics.verdict_values import preference_values
from judgebench.plain_text import in_natural_order
from judgebench.records import Estimate
from judgebench.stats import length_control
from judgebench.stats.length_control import CANDIDATES, MIN_VALID, Anchors, LengthControl
from judgebench.stats.resample import expanded_level, replicate_covariance

Origin: TypeAlias = Literal["published", "recovered", "own"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthCalibration:
    """A calibration of length-controlled win rates, which holds for one judge and one baseline.

    origin
        ``published``: its authors' files. ``recovered``: what those must hold, worked out from
        published results. ``own``: fitted from the judgments of a store.
    note
        Which one it is, in words for a board.
    difficulty
        By item id, in log-odds; large is easy for the models.
    anchors
        Rows of the baseline with its length changed, in the order in which cross-validation folds
        them; None where there are none.
    published_c
        By model, the strength with which its length-controlled win rate was published.
    """

    origin: Origin
    note: str
    difficulty: Mapping[str, float]
    anchors: Anchors | None
    published_c: Mapping[str, float] = field(default_factory=dict)

    @property
    def c(self) -> float | None:
        """The strength of a fit, or None where cross-validation chooses it.

        Without anchors, intervals hold better at hardly any penalty (see `length_control.exact`).
        """
        return CANDIDATES[-1] if self.anchors is None else None


def to_json(difficulty: Mapping[str, float], anchors: Anchors | None) -> dict[str, Any]:
    """The numbers of a calibration, as a store keeps them."""
    return {
        "difficulty": dict(difficulty),
        "anchors": None
        if anchors is None
        else {
            "std_length": anchors.std_length.tolist(),
            "difficulty": anchors.difficulty.tolist(),
            "preference": anchors.preference.tolist(),
            "weight": anchors.weight,
        },
    }


def from_json(content: Mapping[str, Any], note: str) -> LengthCalibration:
    """A calibration of one's own, as `to_json` wrote it."""
    anchors = content["anchors"]
    return LengthCalibration(
        origin="own",
        note=note,
        difficulty=content["difficulty"],
        anchors=None if anchors is None else Anchors(**anchors),
    )


LENGTH_CONTROLLED = "length_controlled_win_rate"
AS_PUBLISHED = f"{LENGTH_CONTROLLED}/compat"
PUBLISHED_ERROR = "lc_standard_error/compat"

Lengths = Mapping[tuple[str, str], float]
"""Characters of a model's answer to an item, by model and item; the mean over samples."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthComparisons:
    """What one judge says of each model beside one opponent, and how long the answers are.

    items
        In natural order, by their ids.
    board_items
        The same in the board's own order, so that draws are those of every other metric on it.
    place : int array, shape (items,)
        Where the items stand in that order.
    preference : float array, shape (models, items)
        That the model is better, the mean over repeats, orders and samples; nan where there is no
        readable verdict, or a length is not known.
    difference : float array, shape (models, items)
        The opponent's length less the model's; nan where one of them is not known.
    asked : bool array, shape (models, items)
    n, missing : shape (models,)
        Verdicts used, and those that should be there and are not or cannot be used.
    unknown : dict
        Why a model's lengths are not known, by its name.
    """

    items: tuple[str, ...]
    board_items: tuple[str, ...]
    place: Ints
    models: tuple[str, ...]
    preference: Floats
    difference: Floats
    asked: NDArray[np.bool_]
    n: Ints
    missing: Ints
    unknown: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthControlled:
    """One judge's length-controlled win rates.

    estimates
        By model.
    scores : float array, shape (1 + n_replicates, models)
        The values and their replicates; per cent.
    units : float array, shape (models,)
        How many items each fit rests on, but for its parameters.
    covariance : float array, shape (models, models)
        Of the values, from the replicates; as much wider as a fit's parameters make it.
    """

    models: tuple[str, ...]
    estimates: Mapping[str, Estimate]
    scores: Floats
    units: Floats
    covariance: Floats


def compared(
    columns: Columns, opponent: str, lengths: Lengths, judges: frozenset[str] | None = None
) -> dict[str, LengthComparisons]:
    """Comparisons with one opponent, judge by judge.

    Parameters
    ----------
    columns
        As for `win_rate.win_rates`.
    judges
        Who is wanted; all if None. The items are those of all judges either way.
    """
    taken = board(columns, BoardKind("preference", opponent))
    table = read_table(taken)
    values = preference_values(taken)
    found = {}
    for j, judge in enumerate(table.judges):
        rows = np.flatnonzero(table.judge_of == j)
        if len(rows) and (judges is None or judge in judges):
            means = item_means(table, rows, values, ends=(0.0, 1.0))
            found[judge] = _compared(table, rows, means, opponent, lengths)
    return found


def _compared(
    table: VerdictTable, rows: Ints, means: ItemMeans, opponent: str, lengths: Lengths
) -> LengthComparisons:
    here = np.unique(table.models_of(rows))
    models = tuple(table.models[m] for m in here)
    items = in_natural_order(table.items)
    at = {item: number for number, item in enumerate(table.items)}
    place = np.array([at[item] for item in items], dtype=np.int64)

    def lengths_of(model: str) -> Floats:
        return np.array([lengths.get((model, item), math.nan) for item in items], dtype=float)

    theirs = lengths_of(opponent)
    grid = np.ix_(place, here)
    asked = means.asked[grid].T > 0
    difference = theirs - np.array([lengths_of(model) for model in models])
    known = ~np.isnan(difference)
    difference = np.where(asked, difference, np.nan)  # no model's rows depend on another's
    preference = np.where(known, means.mean[grid].T, np.nan)
    used = ~np.isnan(preference)
    n = np.where(used, means.readable[grid].T, 0.0).sum(axis=1)
    return LengthComparisons(
        items=tuple(items),
        board_items=table.items,
        place=place,
        models=models,
        preference=preference,
        difference=difference,
        asked=asked,
        n=n.astype(np.int64),
        missing=(means.expected[grid].T.sum(axis=1) - n).astype(np.int64),
        unknown={
            model: _why_unknown(opponent if np.isnan(theirs).all() else model)
            for model, row in zip(models, known, strict=True)
            if not row.any()
        },
    )


def _why_unknown(who: str) -> str:
    return (
        f"the store has no answers of {who}, so their lengths are not known; "
        "`judgebench import responses FILE` brings answers"
    )


PARAMETERS = 3
"""Of a fit: length, difficulty, the model."""


def exact(
    one: LengthComparisons,
    calibration: LengthCalibration,
    *,
    intervals: Intervals,
    min_valid: int = MIN_VALID,
) -> LengthControlled:
    """The converged fits, with intervals over the draws that the whole board shares.

    Replicates are fitted anew at the ``c`` of the model's own fit, with the standard deviation of
    its lengths; a replicate whose fit does not converge is undefined.

    Returns
    -------
    LengthControlled
        Undefined for a model with fewer than ``min_valid`` verdicts on answers whose lengths are
        known, or with answers to items without a calibrated difficulty.
    """
    difficulty = np.array([calibration.difficulty.get(item, math.nan) for item in one.items])
    fits = [
        length_control.exact(
            preference, difference, difficulty,
            anchors=calibration.anchors, c=calibration.c, min_valid=min_valid,
        )
        for preference, difference in zip(one.preference, one.difference, strict=True)
    ]  # fmt: skip
    drawn = [
        length_control.replicates(
            one.preference, one.difference, difficulty,
            fits=fits, weights=weights[:, one.place], anchors=calibration.anchors,
        )
        for weights in intervals.resamples(one.board_items).weights()
    ]  # fmt: skip
    n_valid = np.array([fit.n_valid for fit in fits], dtype=np.float64)
    scores = np.concatenate([np.array([[fit.value for fit in fits]]), *drawn])
    free = np.maximum(n_valid - PARAMETERS, 1.0)
    wider = np.sqrt(np.maximum(n_valid, 1.0) / free)
    estimates = {}
    for m, (model, fit) in enumerate(zip(one.models, fits, strict=True)):
        # BCa needs fits without each item; with few items plain percentiles are too narrow.
        level = expanded_level(intervals.level, fit.n_valid, n_parameters=PARAMETERS)
        percentile = replace(intervals, kind="percentile", level=level)
        low, high, method = percentile.ends(scores[:, m : m + 1], None).at(0)
        estimates[model] = _estimate(
            one, m, fit, intervals, low, high,
            f"{method}, expanded; c kept, lengths' spread kept",
        )  # fmt: skip
    return LengthControlled(
        models=one.models,
        estimates=estimates,
        scores=scores,
        units=free,
        covariance=replicate_covariance(scores[1:]) * np.outer(wider, wider),
    )


def compat(
    one: LengthComparisons, calibration: LengthCalibration, *, intervals: Intervals
) -> dict[str, dict[str, Estimate]]:
    """The fits as AlpacaEval 0.6.6 makes them, of the items that were asked about.

    Difficulty is looked up by the position of a row among the model's rows, so that a file with a
    row missing has another instruction's difficulty from there on; ``c`` is the published one where
    the model has one. Without intervals: upstream's standard error is of something else.

    Returns
    -------
    dict
        `AS_PUBLISHED` and `PUBLISHED_ERROR`, what upstream prints as ``lc_standard_error``; each by
        model.
    """
    by_row = [calibration.difficulty[item] for item in in_natural_order(calibration.difficulty)]
    found: dict[str, dict[str, Estimate]] = {AS_PUBLISHED: {}, PUBLISHED_ERROR: {}}
    for m, model in enumerate(one.models):
        rows = one.asked[m] & ~np.isnan(one.difference[m])
        n = int(rows.sum())
        difficulty = np.full(n, math.nan)
        difficulty[: len(by_row)] = by_row[:n]
        c = calibration.published_c.get(model)
        fit = length_control.compat(
            one.preference[m, rows], one.difference[m, rows], difficulty,
            anchors=calibration.anchors, c=c,
        )  # fmt: skip
        chosen = "published c" if c is not None else "c cross-validated with stable folds"
        value = _estimate(
            one, m, fit, intervals, math.nan, math.nan,
            f"liblinear, difficulty by row position, {chosen}; no interval",
        )  # fmt: skip
        found[AS_PUBLISHED][model] = value
        found[PUBLISHED_ERROR][model] = replace(value, value=fit.published_error)
    return found


def _estimate(
    one: LengthComparisons,
    m: int,
    fit: LengthControl,
    intervals: Intervals,
    low: float,
    high: float,
    method: str,
) -> Estimate:
    known = not math.isnan(fit.value)
    return Estimate(
        value=fit.value,
        low=low if known else math.nan,
        high=high if known else math.nan,
        n=int(one.n[m]),
        units=fit.n_valid,
        missing=int(one.missing[m]),
        level=intervals.level,
        method=method if known else "",
        undefined=None if known else one.unknown.get(one.models[m], fit.reason),
    )
