"""AlpacaEval 2's leaderboard, from its verdicts and lengths as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import grouped
from judgebench.errors import InputError
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.win_rate import AS_PUBLISHED, win_rates
from judgebench.metrics.win_rate import LENGTH_CONTROLLED as LC
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
from judgebench.stats.resample import percentile_interval

BASELINE = "gpt4_1106_preview"
JUDGE = "weighted_alpaca_eval_gpt4_turbo"
NOT_PUBLISHED = "not on the published leaderboard"
TELLING = 5e-4
"""Percentage points below which a cause of a difference is not worth naming."""

Floats = NDArray[np.float64]
_Figure: TypeAlias = tuple[str, Estimate | float, float | None, float, str]
"""A metric, ours, theirs, by how much they may differ, and why they do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Verdicts:
    """One model's file: in the order of its rows, and by instruction."""

    model: str
    index: NDArray[np.int64]
    preference: Floats  # of the model, in [0, 1]
    length: Floats
    difference: Floats  # by how much the baseline's answer is longer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Board:
    """All there is in the figures."""

    models: Sequence[_Verdicts]
    difficulty: Floats
    anchors: Anchors
    published: Mapping[str, Row]

    def by_instruction(self, one: _Verdicts) -> tuple[Floats, Floats]:
        """Preference and difference in length of every instruction; nan where there is no row."""
        found = np.full((2, len(self.difficulty)), np.nan)
        found[:, one.index] = one.preference, one.difference
        return found[0], found[1]


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
    return _Board(
        models=list(_models(folder / "verdicts.parquet", calibration.baseline_length)),
        difficulty=calibration.difficulty,
        anchors=calibration.anchors,
        published={row.text("model"): row for row in read_rows(folder / LEADERBOARD, ("model",))},
    )


def _models(path: Path, baseline_length: Floats) -> Iterator[_Verdicts]:
    every = read_rows(path, ("model", "row", "index", "preference", "length"))
    rows = grouped((row.text("model"), row) for row in every)
    for model, own in rows.items():
        own.sort(key=lambda row: row.whole("row"))
        index = np.array([index_of(row, len(baseline_length)) for row in own])
        if len(set(index.tolist())) < len(index):
            raise InputError(f"{path}: {model}: two rows of one instruction")
        preference = [row.number("preference") for row in own]
        for row, value in zip(own, preference, strict=True):
            if not 1.0 <= value <= 2.0:
                raise row.wrong("preference", f"between 1 and 2, not {value}")
        length = np.array([float(row.whole("length")) for row in own])
        yield _Verdicts(
            model=model,
            index=index,
            preference=np.array(preference) - 1.0,
            length=length,
            difference=baseline_length[index] - length,
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
    return replicates(
        np.array([preference for preference, _ in rows]),
        np.array([difference for _, difference in rows]),
        board.difficulty,
        fits=fits,
        weights=intervals.draws([str(i) for i in range(len(board.difficulty))]),
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

    shorter = f"published over all outputs; of which the figures lack {lacking}" if lacking else ""
    error = 100.0 * one.preference.std(ddof=1) / math.sqrt(n)
    found: list[_Figure] = [
        ("win_rate", row.metrics["win_rate"], there("win_rate"), 1e-9, ""),
        (
            "discrete_win_rate",
            row.metrics["discrete_win_rate"],
            there("discrete_win_rate"),
            1e-9,
            "",
        ),
        ("standard_error", error, there("standard_error"), 1e-9, ""),
        ("n_wins", row.counts["n_wins"], there("n_wins"), 0.0, ""),
        ("n_losses", row.counts["n_losses"], there("n_wins_base"), 0.0, ""),
        ("n_ties", row.counts["n_ties"], there("n_draws"), 0.0, ""),
        ("n_total", n, there("n_total"), 0.0, ""),
        ("avg_length", math.floor(one.length.mean()), there("avg_length"), 0.0, shorter),
    ]
    c = None if published is None else strength(published)
    by_row = (one.preference, one.difference, board.difficulty[:n])
    same_c = exact(*board.by_instruction(one), board.difficulty, anchors=board.anchors, c=c)
    controlled, because = there("length_controlled_winrate"), ""
    if controlled is not None:
        as_published = compat(*by_row, anchors=board.anchors, c=c)
        same_rows, noise = exact(*by_row, anchors=board.anchors, c=c), "lc_standard_error"
        found += [
            (AS_PUBLISHED, as_published.value, controlled, 1e-3, ""),
            (f"{noise}/compat", as_published.published_error, there(noise), 1e-3, ""),
        ]
        difficulty, intercept = there("w_difficulty"), there("w_intercept")
        if difficulty is not None and intercept is not None:
            at = 100.0 * float((1.0 / (1.0 + np.exp(-(difficulty * by_row[2] + intercept)))).mean())
            found.append((f"{LC}/published_coefficients", at, controlled, 1e-6, ""))
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
    own, of_row = exact(*by_row, anchors=board.anchors).value, there("lc_exact_by_row")
    found += [
        (LC, _estimate(fit, draws, intervals, lacking), controlled, 0.01, because),
        (f"{LC}/exact_at_published_c", same_c.value, there("lc_exact_by_instruction"), 1e-6, ""),
        (f"{LC}/exact_by_row", own, of_row, 1e-6, ""),
    ]
    for metric, ours, theirs, tolerance, why in found:
        yield Recomputation(
            who=one.model,
            metric=metric,
            ours=ours if isinstance(ours, Estimate) else point(float(ours), n),
            theirs=theirs,
            tolerance=tolerance,
            because=why if theirs is not None else NOT_PUBLISHED,
        )


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
    return [
        "intervals: bootstrap over instructions, each replicate fitted anew at the model's own c",
        *(
            [
                "upstream's lc_standard_error leaves out that the fit is an estimate: the "
                f"bootstrap's standard error is {ratio.min():.1f} to {ratio.max():.1f} times as "
                f"large (median {np.median(ratio):.1f}, {len(ratio)} models)"
            ]
            if len(ratio)
            else []
        ),
        "upstream looks difficulty up by row position, so that it is another instruction's from "
        "the first row that lacks; the exact values look it up by instruction",
        "upstream's choice of c by cross-validation depends on the machine below scikit-learn 1.8; "
        "ours is the same everywhere",
        "the anchor rows are recovered: their preferences are pseudo values with the sums that the "
        "published coefficients imply, not the judge's",
        f"{LC}/exact_*: compared with an independent converged solver, not the leaderboard",
    ]
