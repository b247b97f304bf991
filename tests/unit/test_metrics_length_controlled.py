"""Length-controlled win rates of one board: who counts, the draws, and both modes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_controlled import (
    LengthCalibration,
    LengthComparisons,
    compared,
    compat,
    exact,
    from_json,
    to_json,
)
from judgebench.metrics.win_rate import AS_PUBLISHED, PUBLISHED_ERROR, win_rates
from judgebench.stats import length_control as lc
from judgebench.stats.resample import content_seed, expanded_level, multinomial_weights
from tests.table import over_rows

QUICK = Intervals(n_replicates=60)
N = 230
Board = tuple[dict[str, list[Any]], dict[tuple[str, str], float], LengthCalibration]


def board(*, anchored: bool = False, seed: int = 0) -> Board:
    """Two models in the eyes of two judges, of whom one saw fewer items."""
    generator = np.random.default_rng(seed)
    difficulty = generator.normal(0, 1.5, N)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("item_id", "model", "judge", "opponent", "sample", "kind", "value")
    }
    lengths = {("base", str(i)): float(generator.integers(300, 600)) for i in range(N)}
    for model in ("a", "b"):
        for i in range(N):
            lengths[model, str(i)] = float(generator.integers(100, 700))
            for judge in ("j", "k") if i < 100 else ("j",):
                chance = 1 / (1 + math.exp(-difficulty[i]))
                row = (str(i), model, judge, "base", 0, "preference", round(chance, 3))
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    anchors = lc.Anchors(
        std_length=generator.normal(0, 1, N), difficulty=difficulty, preference=np.full(N, 0.5)
    )
    calibration = LengthCalibration(
        origin="published",
        note="made up",
        difficulty={str(i): float(d) for i, d in enumerate(difficulty)},
        anchors=anchors if anchored else None,
        published_c={"a": lc.CANDIDATES[5]},
    )
    return columns, lengths, calibration


def rows_of(columns: dict[str, list[Any]], lengths: Any, judge: str = "j") -> LengthComparisons:
    return compared(columns, "base", lengths, frozenset({judge}))[judge]


@over_rows("anchored", [True, False])
def test_a_calibration_out_and_in_again(anchored: bool) -> None:
    _, _, calibration = board(anchored=anchored)
    again = from_json(to_json(calibration.difficulty, calibration.anchors), "n")
    assert (again.difficulty, again.note, again.origin) == (calibration.difficulty, "n", "own")
    assert again.c == calibration.c == (None if anchored else lc.CANDIDATES[-1])
    if calibration.anchors is not None:
        assert again.anchors is not None
        for name in ("std_length", "difficulty", "preference", "weight"):
            theirs = getattr(calibration.anchors, name)
            np.testing.assert_array_equal(getattr(again.anchors, name), theirs)


@over_rows("anchored", [True, False])
def test_value_and_interval_are_those_of_the_statistic(anchored: bool) -> None:
    columns, lengths, calibration = board(anchored=anchored)
    one = rows_of(columns, lengths)
    found = exact(one, calibration, intervals=QUICK)
    items = [str(i) for i in range(N)]
    assert list(one.items) == items
    y = np.array([[v for v, m, j in zip(columns["value"], columns["model"], columns["judge"],
                                        strict=True) if (m, j) == (model, "j")]
                  for model in "ab"])  # fmt: skip
    difference = np.array(
        [[lengths["base", i] - lengths[model, i] for i in items] for model in "ab"]
    )
    difficulty = np.array([calibration.difficulty[i] for i in items])
    more = {"anchors": calibration.anchors}
    fits = [lc.exact(y[m], difference[m], difficulty, c=calibration.c, **more) for m in range(2)]
    # The board draws items in the order of their names as text; so do its win rates.
    weights = multinomial_weights(N, 60, seed=content_seed(*sorted(items), seed=0))
    place = [sorted(items).index(item) for item in items]
    draws = lc.replicates(y, difference, difficulty, fits=fits, weights=weights[:, place], **more)
    np.testing.assert_allclose(found.scores[1:], draws, atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(draws, rowvar=False) * N / (N - 3))
    assert found.units.tolist() == [N - 3, N - 3]
    for m, model in enumerate("ab"):
        estimate = found.estimates[model]
        assert estimate.value == fits[m].value
        tail = (1 - expanded_level(0.95, N, n_parameters=3)) / 2
        ends = np.quantile(draws[:, m], [tail, 1 - tail])
        assert [estimate.low, estimate.high] == pytest.approx(ends.tolist())
        assert estimate.level == 0.95
        assert (estimate.n, estimate.units, estimate.missing) == (N, N, 0)
        assert estimate.method == (
            "percentile bootstrap over items, 60 replicates, expanded; c kept, lengths' spread kept"
        )


def test_what_has_no_length_is_missing_and_what_is_unreadable_too() -> None:
    columns, lengths, calibration = board()
    for item in ("3", "4"):
        del lengths["a", item]
    del lengths["base", "9"]
    row = next(i for i in range(len(columns["kind"])) if columns["item_id"][i] == "7")
    columns["kind"][row], columns["value"][row] = "unreadable", None
    a, b = exact(rows_of(columns, lengths), calibration, intervals=QUICK).estimates.values()
    assert (a.n, a.units, a.missing) == (N - 4, N - 4, 4)
    assert (b.n, b.units, b.missing) == (N - 1, N - 1, 1)
    assert a.undefined is None


def test_both_orders_and_samples_are_averaged_first() -> None:
    columns, lengths, calibration = board()
    twice = {name: [*values, *values] for name, values in columns.items()}
    twice["order"] = ["model_first"] * len(columns["kind"])
    twice["order"] += ["opponent_first"] * len(columns["kind"])
    once = exact(rows_of(columns, lengths), calibration, intervals=QUICK).estimates["a"]
    both = exact(rows_of(twice, lengths), calibration, intervals=QUICK).estimates["a"]
    assert both == replace(once, n=2 * N)


def test_undefined_with_the_reason() -> None:
    columns, lengths, calibration = board()
    few = exact(rows_of(columns, lengths, "k"), calibration, intervals=QUICK)
    assert few.estimates["a"].undefined == "100 valid verdicts, fewer than 200"
    assert few.estimates["a"].method == ""
    assert np.isnan(few.scores).all()
    enough = exact(rows_of(columns, lengths, "k"), calibration, intervals=QUICK, min_valid=100)
    assert enough.estimates["a"].undefined is None
    unknown = replace(calibration, difficulty={"1": 0.0})
    said = exact(rows_of(columns, lengths), unknown, intervals=QUICK).estimates["a"].undefined
    assert said == f"{N - 1} of {N} answers are to instructions without a calibrated difficulty"
    for gone in ("a", "base"):
        some = {place: n for place, n in lengths.items() if place[0] != gone}
        one = rows_of(columns, some)
        for mode in (
            exact(one, calibration, intervals=QUICK).estimates,
            compat(one, calibration, intervals=QUICK)[AS_PUBLISHED],
        ):
            assert str(mode["a"].undefined).startswith(f"the store has no answers of {gone}, so")
            assert mode["a"].missing == N
            assert (mode["b"].undefined is None) == (gone == "a")


def test_compat_looks_difficulty_up_by_position() -> None:
    columns, lengths, calibration = board(anchored=True)
    keep = [i for i, item in enumerate(columns["item_id"]) if item != "5"]
    some = {name: [values[i] for i in keep] for name, values in columns.items()}
    one = rows_of(some, lengths)
    both = compat(one, calibration, intervals=QUICK)
    found, errors = both[AS_PUBLISHED], both[PUBLISHED_ERROR]
    by_position = np.array([calibration.difficulty[str(i)] for i in range(N - 1)])
    for m, (model, c) in enumerate((("a", lc.CANDIDATES[5]), ("b", None))):
        fit = lc.compat(
            one.preference[m], one.difference[m], by_position, anchors=calibration.anchors, c=c
        )
        assert found[model].value == fit.value
        assert errors[model].value == fit.published_error
        assert math.isnan(found[model].low)
        chosen = "published c" if c else "c cross-validated with stable folds"
        assert found[model].method == (
            f"liblinear, difficulty by row position, {chosen}; no interval"
        )


def test_the_baseline_itself_is_fifty() -> None:
    columns, lengths, calibration = board()
    mine = [i for i, model in enumerate(columns["model"]) if model == "a"]
    for i in mine:
        columns["model"][i], columns["value"][i] = "base", 0.5
    found = exact(rows_of(columns, lengths), calibration, intervals=QUICK).estimates["base"]
    assert found.value == 50.0
    assert math.isnan(found.low)
    assert "no interval: all draws are equal" in found.method


def test_a_board_for_all_judges_at_once() -> None:
    columns, lengths, _ = board()
    found = compared(columns, "base", lengths)
    assert found.keys() == {"j", "k"}
    assert {row.judge for row in win_rates(columns, "base", intervals=QUICK)} == found.keys()
    assert found["k"].missing.tolist() == [N - 100] * 2  # asked of the other judge alone
