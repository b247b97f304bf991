"""AlpacaEval 2's leaderboard, from its verdicts and lengths as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import grouped
from judgebench.errors import InputError
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_controlled import AS_PUBLISHED
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED as LC
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.win_rate import win_rates
from judgebench.records import Estimate
from judgebench.reports.length_calibrations import LEADERBOARD, index_of, read_recovered, strength
from judgebench.reports.reproduce import FigureTable, Recomputation, Reproduction, point
from judgebench.rows import Row, read_rows
from judgebench.stats.length_control import (
    CANDIDATES,
    Anchors,
    LengthControl,
    compat,
    exact,
    replicates,
)
from judgebench.stats.resample import content_seed, multinomial_weights, percentile_interval

BASELINE = "gpt4_1106_preview"
JUDGE = "weighted_alpaca_eval_gpt4_turbo"
NOT_PUBLISHED = "not on the published leaderboard"
TELLING = 5e-4
"""Percentage points below which a cause of a difference is not worth naming."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Verdicts:
    """One model's file: in the order of its rows, and by instruction."""

    model: str
    index: NDArray[np.int64]
    preference: Floats  # of the model, in [0, 1]
    length: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Board:
    """All there is in the figures."""

    models: Sequence[_Verdicts]
    baseline_length: Floats
    difficulty: Floats
    anchors: Anchors
    published: Mapping[str, Row]

    def by_instruction(self, one: _Verdicts) -> tuple[Floats, Floats]:
        """Preference and difference in length of every instruction; nan where there is no row."""
        preference = np.full(len(self.difficulty), np.nan)
        preference[one.index] = one.preference
        difference = np.full(len(self.difficulty), np.nan)
        difference[one.index] = self.by_row(one)
        return preference, difference

    def by_row(self, one: _Verdicts) -> Floats:
        """Difference in length, in the order of the file."""
        return np.asarray(self.baseline_length[one.index] - one.length)


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every figure of the leaderboard for the models that are here."""
    board = _read(folder)
    fits = [
        exact(*board.by_instruction(one), board.difficulty, anchors=board.anchors)
        for one in board.models
    ]
    draws = _draws(board, fits, intervals)
    standings = {
        row.model: row for row in win_rates(_columns(board), BASELINE, intervals=intervals)
    }
    figures = [
        figure
        for m, one in enumerate(board.models)
        for figure in _figures(board, one, standings[one.model], fits[m], draws[:, m], intervals)
    ]
    return Reproduction(
        table="alpaca_eval",
        title=f"AlpacaEval 2, judge {JUDGE}, baseline {BASELINE}, {len(board.models)} models",
        source="tatsu-lab/alpaca_eval at cd543a149df89434d8a54582c0151c0b945c3d20 (2025-08-09)",
        licence="code Apache-2.0, data CC BY-NC 4.0: figures as numbers, not in the package",
        theirs="compared with the published leaderboard",
        who="model",
        figures=figures,
        shown=[
            FigureTable(title="win rate, %", metric="win_rate"),
            FigureTable(title="length-controlled win rate as published, %, at the published c, "
                        "by row position", metric=AS_PUBLISHED),
            FigureTable(title="length-controlled win rate, exact, %: converged, c cross-validated "
                        "with stable folds, difficulty by instruction", metric=LC),
        ],
        notes=_notes(fits, draws),
    )  # fmt: skip


# read -------------------------------------------------------------------------------------------


def _read(folder: Path) -> _Board:
    calibration = read_recovered(folder)
    n_items = len(calibration.difficulty)
    return _Board(
        models=list(_models(folder / "verdicts.parquet", n_items)),
        baseline_length=calibration.baseline_length,
        difficulty=calibration.difficulty,
        anchors=calibration.anchors,
        published={row.text("model"): row for row in read_rows(folder / LEADERBOARD, ("model",))},
    )


def _models(path: Path, n_items: int) -> Iterator[_Verdicts]:
    every = read_rows(path, ("model", "row", "index", "preference", "length"))
    rows = grouped((row.text("model"), row) for row in every)
    for model, own in rows.items():
        own.sort(key=lambda row: row.whole("row"))
        index = np.array([index_of(row, n_items) for row in own])
        if len(set(index.tolist())) < len(index):
            raise InputError(f"{path}: {model}: two rows of one instruction")
        preference = [row.number("preference") for row in own]
        for row, value in zip(own, preference, strict=True):
            if not 1.0 <= value <= 2.0:
                raise row.wrong("preference", f"between 1 and 2, not {value}")
        yield _Verdicts(
            model=model,
            index=index,
            preference=np.array(preference) - 1.0,
            length=np.array([float(row.whole("length")) for row in own]),
        )


# recomputed -------------------------------------------------------------------------------------


def _columns(board: _Board) -> dict[str, list[Any]]:
    """The verdicts in the long form that boards are made of."""
    index = [str(i) for one in board.models for i in one.index.tolist()]
    return {
        "item_id": index,
        "model": [one.model for one in board.models for _ in one.index],
        "judge": [JUDGE] * len(index),
        "opponent": [BASELINE] * len(index),
        "sample": [0] * len(index),
        "kind": ["preference"] * len(index),
        "value": [p for one in board.models for p in one.preference.tolist()],
    }


def _draws(board: _Board, fits: Sequence[LengthControl], intervals: Intervals) -> Floats:
    """Bootstrap replicates of every model's exact value, of shape (replicates, models)."""
    rows = [board.by_instruction(one) for one in board.models]
    ids = (str(i) for i in range(len(board.difficulty)))
    weights = multinomial_weights(
        len(board.difficulty),
        intervals.n_replicates,
        seed=content_seed(*ids, seed=intervals.seed),
    )
    return replicates(
        np.array([preference for preference, _ in rows]),
        np.array([difference for _, difference in rows]),
        board.difficulty,
        fits=fits,
        weights=weights,
        anchors=board.anchors,
    )


def _figures(
    board: _Board,
    one: _Verdicts,
    row: Standing,
    fit: LengthControl,
    draws: Floats,
    intervals: Intervals,
) -> Iterator[Recomputation]:
    """A model's figures: those counted and averaged, then the length-controlled ones."""
    n, lacking = len(one.preference), len(board.difficulty) - len(one.preference)
    published = board.published.get(one.model)

    def there(name: str) -> float | None:
        return published.number(name) if published is not None and published.has(name) else None

    def figure(
        metric: str,
        ours: Estimate | float,
        theirs: float | None,
        tolerance: float,
        because: str = "",
    ) -> Recomputation:
        return Recomputation(
            who=one.model,
            metric=metric,
            ours=ours if isinstance(ours, Estimate) else point(float(ours), n),
            theirs=theirs,
            tolerance=tolerance,
            because=because if theirs is not None else NOT_PUBLISHED,
        )

    counts = {"n_wins": "n_wins", "n_losses": "n_wins_base", "n_ties": "n_draws"}
    error = 100.0 * one.preference.std(ddof=1) / math.sqrt(n)
    yield figure("win_rate", row.metrics["win_rate"], there("win_rate"), 1e-9)
    yield figure(
        "discrete_win_rate", row.metrics["discrete_win_rate"], there("discrete_win_rate"), 1e-9
    )
    yield figure("standard_error", error, there("standard_error"), 1e-9)
    for ours, theirs in counts.items():
        yield figure(ours, row.counts[ours], there(theirs), 0.0)
    yield figure("n_total", n, there("n_total"), 0.0)
    because = f"published over all outputs; of which the figures lack {lacking}" if lacking else ""
    length = math.floor(one.length.mean())
    yield figure("avg_length", length, there("avg_length"), 0.0, because)

    c = None if published is None else strength(published)
    by_row = (one.preference, board.by_row(one), board.difficulty[:n])
    same_c = exact(*board.by_instruction(one), board.difficulty, anchors=board.anchors, c=c)
    controlled, because = there("length_controlled_winrate"), ""
    if controlled is not None:
        as_published = compat(*by_row, anchors=board.anchors, c=c)
        same_rows = exact(*by_row, anchors=board.anchors, c=c)
        yield figure(AS_PUBLISHED, as_published.value, controlled, 1e-3)
        yield figure(
            "lc_standard_error/compat",
            as_published.published_error,
            there("lc_standard_error"),
            1e-3,
        )
        difficulty, intercept = there("w_difficulty"), there("w_intercept")
        if difficulty is not None and intercept is not None:
            at = 100.0 * float((1.0 / (1.0 + np.exp(-(difficulty * by_row[2] + intercept)))).mean())
            yield figure(f"{LC}/published_coefficients", at, controlled, 1e-6)
        steps = {
            "rounding and liblinear's noise": as_published.value - controlled,
            "fit to convergence": same_rows.value - as_published.value,
            f"difficulty by instruction, rows that lack: {lacking},": (
                same_c.value - same_rows.value
            ),
            _other_c(fit.c, c): fit.value - same_c.value,
        }
        # What moved the value from the published one to ours, step by step, in points.
        because = "; ".join(
            f"{name} {step:+.3f}" for name, step in steps.items() if abs(step) >= TELLING
        )
    yield figure(LC, _estimate(fit, draws, intervals, lacking), controlled, 0.01, because)
    at_c = f"{LC}/exact_at_published_c"
    yield figure(at_c, same_c.value, there("lc_exact_by_instruction"), 1e-6)
    own = exact(*by_row, anchors=board.anchors).value
    yield figure(f"{LC}/exact_by_row", own, there("lc_exact_by_row"), 1e-6)


def _other_c(ours: float, published: float | None) -> str:
    if published is None or ours == published or math.isnan(ours):
        return "another c"
    at = CANDIDATES.index
    return f"c {at(ours)} instead of {at(published)} of 0 to {len(CANDIDATES) - 1}"


def _estimate(fit: LengthControl, draws: Floats, intervals: Intervals, lacking: int) -> Estimate:
    low, high = (float(end) for end in percentile_interval(draws, level=intervals.level))
    method = f"percentile bootstrap over items, {intervals.n_replicates} replicates, c kept"
    return Estimate(
        value=fit.value,
        low=low,
        high=high,
        n=fit.n_valid,
        units=fit.n,
        missing=lacking,
        level=intervals.level,
        method=method,
        undefined=fit.reason or None,
    )


def _notes(fits: Sequence[LengthControl], draws: Floats) -> list[str]:
    ratio = np.array(
        [
            draws[:, m].std(ddof=1) / fit.published_error
            for m, fit in enumerate(fits)
            if fit.published_error > 0
        ]
    )
    too_small = []
    if len(ratio):
        too_small.append(
            "upstream's lc_standard_error leaves out that the fit is an estimate: the bootstrap's "
            f"standard error is {ratio.min():.1f} to {ratio.max():.1f} times as large (median "
            f"{np.median(ratio):.1f}, {len(ratio)} models)"
        )
    return [
        "intervals: bootstrap over instructions, each replicate fitted anew at the model's own c",
        *too_small,
        "upstream looks difficulty up by row position, so that it is another instruction's from "
        "the first row that lacks; the exact values look it up by instruction",
        "upstream's choice of c by cross-validation depends on the machine below scikit-learn 1.8; "
        "ours is the same everywhere",
        "the anchor rows are recovered: their preferences are pseudo values with the sums that the "
        "published coefficients imply, not the judge's",
        f"{LC}/exact_*: compared with an independent converged solver, not the leaderboard",
    ]
