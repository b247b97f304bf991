"""How often judges are right: two orders, sections, best of four, ties."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.stats.judge_accuracy import (
    best_of,
    gap_and_spread,
    pair_figures,
    section_scores,
    ties_score,
    votes_for_right,
)

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "rewardbench"


def gold(name: str) -> dict[str, Any]:
    if not (GOLD / name).exists():
        pytest.skip("the gold data (../shared/gold/rewardbench beside the repository) is not here")
    found = json.loads((GOLD / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("votes", "right"),
    [
        ((1, 1), 1), ((1, 0), 1), ((0, 1), 1), ((1, math.nan), 1), ((math.nan, 1), 1),
        ((1, -1), 0), ((-1, 1), 0), ((0, 0), 0), ((math.nan, math.nan), 0), ((0, math.nan), 0),
        ((-1, -1), -1), ((-1, 0), -1), ((math.nan, -1), -1),
    ],
)  # fmt: skip
def test_the_sum_of_both_orders_decides(votes: tuple[float, float], right: int) -> None:
    assert np.sign(votes_for_right([votes], [1]))[0] == right
    assert np.sign(votes_for_right([votes], [-1]))[0] == -right


def test_what_is_said_of_pairs_in_both_orders() -> None:
    votes = [[1, 1], [1, -1], [0, 1], [math.nan, -1]]
    found = pair_figures(votes, [1, 1, 1, 1], [1, -1, 1, 0])
    assert {name: found[name] for name in ("n", "n_right", "n_wrong", "n_undecided")} == {
        "n": 4, "n_right": 2, "n_wrong": 1, "n_undecided": 1,
    }  # fmt: skip
    assert (found["accuracy"], found["first_order_accuracy"]) == (0.5, 0.5)
    assert (found["n_unreadable"], found["n_ties"], found["n_same"]) == (1, 1, 1)
    assert (found["n_contradictory"], found["n_first"], found["n_second"]) == (1, 4, 2)
    # Five verdicts on answers of unequal length, one of them for the shorter one.
    assert found["longer"] == pytest.approx(4 / 5)
    assert (found["n_longer"], found["n_shorter"]) == (2, 1)
    assert (found["accuracy_longer"], found["accuracy_shorter"]) == (1.0, 0.0)


def test_nothing_judged_is_undefined() -> None:
    found = pair_figures(np.zeros((0, 2)), [], [])
    assert found["n"] == 0
    assert math.isnan(found["accuracy"])
    assert math.isnan(found["first_shown"])
    assert math.isnan(ties_score([], []))
    assert math.isnan(section_scores({}, {"Chat": ["easy"]}, {})["Chat"])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([2, 1, 1, 0], 1.0), ([1, 2, 0, 0], 0.0), ([2, 2, 0, 0], 0.5), ([1, 1, 1, 1], 0.25),
     ([math.nan, 0, 0, 0], 0.0), ([1, math.nan, 0, 0], 0.0)],
)  # fmt: skip
def test_the_best_of_four(scores: list[float], expected: float) -> None:
    assert best_of(scores, [True, False, False, False]) == expected


def test_sections_weigh_their_subsets() -> None:
    found = section_scores({"a": 1.0, "b": 0.0, "c": math.nan}, {"x": ["a", "b", "c", "d"]},
                           {"a": 3})  # fmt: skip
    assert found == {"x": 0.75}


def test_the_arithmetic_of_rewardbench_1() -> None:
    expected = gold("rb1_expected.json")
    example = expected["example"]
    found = section_scores(
        example["subset_accuracy"], expected["subset_mapping"], expected["example_counts"]
    )
    assert found == pytest.approx(example["expected_sections"], abs=1e-9)
    average = example["expected_average_without_prior_sets"]
    assert np.mean([*found.values()]) == pytest.approx(average, abs=1e-9)


def test_the_description_has_rewardbenchs_sizes_and_sections() -> None:
    from judgebench.benchmarks.description import find

    expected = gold("rb1_expected.json")
    right = find("rewardbench")[0].report.right
    assert right is not None
    assert right.weights == expected["example_counts"]
    assert right.sections == expected["subset_mapping"]
    assert find("rewardbench")[0].versions["1"].items == expected["prompts_total"]


def test_the_score_of_ties() -> None:
    cases = gold("ties_synthetic.json")["cases"]
    assert len(cases) == 3
    for case in cases:
        found = {
            row["id"]: gap_and_spread(
                row["scores"], np.arange(len(row["scores"])) < row["num_correct"]
            )
            for row in case["rows"]
        }
        tied = [name for name in found if name.startswith("tied")]
        score = ties_score(
            [found[name] for name in tied], [found[name.replace("tied", "ref")] for name in tied]
        )
        assert score == pytest.approx(case["expected_ties_score"], abs=1e-9)


def test_ties_without_a_spread_or_a_score() -> None:
    assert gap_and_spread([1.0, 1.0, 0.0], [True, True, False]) == (1.0, 0.0)
    assert ties_score([(1.0, 0.0)], [(1.0, 0.0)]) == pytest.approx(1.01)  # no spread: all the way
    assert ties_score([(0.0, 0.0)], [(0.0, 0.0)]) == 0.0  # 0 / 0 counts 0
    assert all(map(math.isnan, gap_and_spread([math.nan, 1.0, 0.0], [True, True, False])))
    assert ties_score([(math.nan, math.nan)], [(1.0, 0.0)]) == pytest.approx(0.30)
