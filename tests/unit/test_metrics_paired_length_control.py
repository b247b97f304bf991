"""Two models at equal length: the boards' fits and draws, on the items of both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from judgebench.metrics import length_controlled
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_controlled import LengthCalibration, at_equal_length
from judgebench.metrics.paired import PairedModels, PairedTests, paired_models
from judgebench.records import BINARY
from judgebench.stats.length_control import CANDIDATES

N = 220
QUICK = Intervals(n_replicates=200, level=0.9)
GENERATOR = np.random.default_rng(7)
DIFFICULTY = GENERATOR.normal(0.0, 1.5, N)
CALIBRATION = LengthCalibration(
    origin="own",
    note="",
    difficulty={str(i): d for i, d in enumerate(DIFFICULTY.tolist())},
    anchors=None,
)
LENGTHS = {
    (model, str(i)): float(n)
    for model in ("base", "new", "old")
    for i, n in enumerate(GENERATOR.integers(100, 700, N))
}
CHANCES = {
    model: 1
    / (1 + np.exp(-(DIFFICULTY + level + GENERATOR.normal(0.0, 0.5, N))))
    for model, level in (("new", -0.6), ("old", 0.2))
}  # fmt: skip


def verdicts(said: dict[tuple[str, str], float | None]) -> dict[str, list[Any]]:
    """Those of `CHANCES` but for what is said; None could not be read."""
    rows = [
        (str(i), model, said.get((model, str(i)), float(p)))
        for model, of in CHANCES.items()
        for i, p in enumerate(of)
    ]
    return {
        "item_id": [item for item, _, _ in rows],
        "model": [model for _, model, _ in rows],
        "judge": ["j"] * len(rows),
        "opponent": ["base"] * len(rows),
        "sample": [0] * len(rows),
        "kind": ["unreadable" if p is None else "preference" for _, _, p in rows],
        "label": [None] * len(rows),
        "value": [p for _, _, p in rows],
        "low": [None] * len(rows),
        "high": [None] * len(rows),
        "judge_kind": ["pairwise"] * len(rows),
    }


def outcome(
    said: dict[tuple[str, str], float | None] | None = None,
    lengths: dict[tuple[str, str], float] | None = None,
    calibration: LengthCalibration = CALIBRATION,
    intervals: Intervals = QUICK,
) -> tuple[PairedModels, PairedTests]:
    columns = verdicts(said or {})
    pair = paired_models(columns, BoardKind("preference", "base"), "j", "new", "old", labels=BINARY)
    return at_equal_length(
        pair, columns, "base", ("new", "old"), lengths=LENGTHS if lengths is None else lengths,
        calibration=calibration, alpha=0.05, intervals=intervals,
    )  # fmt: skip


def test_figures_and_draws_are_the_boards() -> None:
    pair, found = outcome()
    rows = length_controlled.compared(verdicts({}), "base", LENGTHS)["j"]
    board = length_controlled.exact(rows, CALIBRATION, intervals=QUICK)
    assert found.candidate * pair.unit == pytest.approx(board.estimates["new"].value)
    assert found.baseline * pair.unit == pytest.approx(board.estimates["old"].value)
    difference = board.scores[:, 0] - board.scores[:, 1]
    assert found.observed.difference * 100 == pytest.approx(difference[0])
    spread = np.std(difference[1:], ddof=1) * math.sqrt(N)
    assert found.observed.spread * 100 == pytest.approx(spread)
    assert found.observed.low < found.observed.difference < found.observed.high < 0.0
    assert found.observed.p_worse < 0.001
    assert (pair.metric, pair.missing.tolist()) == ("length_controlled_win_rate", [0, 0])
    assert (found.bounded, found.worst, pair.why_not) == (True, None, None)


def test_each_draw_is_the_minimum_of_the_weighted_objective() -> None:
    """By a general minimiser, model by model and draw by draw, with the same weights."""
    few = Intervals(n_replicates=12, level=0.9)
    _, found = outcome(intervals=few)
    board_items = tuple(sorted(map(str, range(N))))
    (weights,) = few.resamples(board_items).weights()
    place = [board_items.index(str(i)) for i in range(N)]
    differences = []
    for row in weights[:, place]:
        first, second = (by_minimiser(model, row) for model in ("new", "old"))
        differences.append(first - second)
    assert found.observed.spread * 100 == pytest.approx(
        np.std(differences, ddof=1) * math.sqrt(N), rel=1e-4
    )


def by_minimiser(model: str, weights: np.ndarray) -> float:
    lengths = np.array([LENGTHS["base", str(i)] - LENGTHS[model, str(i)] for i in range(N)])
    x = np.stack([np.tanh(lengths / lengths.std(ddof=1)), DIFFICULTY, np.ones(N)], axis=-1)
    y, penalty = CHANCES[model], 1.0 / CANDIDATES[-1]

    def lost(w: np.ndarray) -> float:
        eta = x @ w
        rows = y * np.logaddexp(0.0, -eta) + (1.0 - y) * np.logaddexp(0.0, eta)
        return float(weights @ rows + penalty * np.abs(w).sum())

    w = minimize(lost, np.array([0.1, 0.9, 0.1]), method="BFGS", options={"gtol": 1e-6}).x
    won = 1.0 / (1.0 + np.exp(-(w[1] * DIFFICULTY + w[2])))
    return float(100.0 * (weights @ won) / weights.sum())


def test_what_is_missing_is_filled_at_its_ends_and_fitted_anew() -> None:
    gone = [str(i) for i in range(0, 30, 3)]
    pair, found = outcome({("new", item): None for item in gone})
    assert pair.missing.tolist() == [10, 0]
    assert found.observed.units == N - 10
    assert found.worst is not None
    assert found.best is not None
    assert found.worst.units == N
    assert found.worst.difference < found.observed.difference < found.best.difference
    _, filled = outcome({("new", item): 0.0 for item in gone})
    assert found.worst == filled.observed


def test_without_a_length_nothing_bounds_what_is_missing() -> None:
    lengths = {place: n for place, n in LENGTHS.items() if place != ("new", "3")}
    pair, found = outcome(lengths=lengths)
    assert (pair.missing.tolist(), pair.expected.tolist()) == ([1, 0], [N, N])
    assert (found.bounded, found.worst, found.best) == (False, None, None)
    assert "a length or a difficulty is not known" in found.why_unbounded
    assert found.observed.units == N - 1


def test_a_fit_that_has_no_value_says_why() -> None:
    pair, found = outcome({("old", str(i)): None for i in range(30)})
    assert pair.why_not == "new: 190 valid verdicts, fewer than 200"
    assert math.isnan(found.observed.difference)
    some = {item: d for item, d in CALIBRATION.difficulty.items() if item != "5"}
    lacking = LengthCalibration(origin="own", note="", difficulty=some, anchors=None)
    pair, _ = outcome(calibration=lacking)
    assert pair.why_not == (
        "new: 1 of 220 answers are to instructions without a calibrated difficulty"
    )
