"""How often judges are right: two orders, sections, best of four, ties."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.errors import UsageError
from judgebench.metrics.judge_accuracy import right_answers, right_pairs
from judgebench.stats.agreement import (
    best_of,
    gap_and_spread,
    pair_figures,
    section_scores,
    ties_score,
    votes_for_right,
)
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "rewardbench"


def gold(name: str) -> dict[str, Any]:
    if not (GOLD / name).exists():
        pytest.skip("the gold data (../shared/gold/rewardbench beside the repository) is not here")
    found = json.loads((GOLD / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@over_rows(
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


@over_rows(
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


# from verdicts ------------------------------------------------------------------------------------


def compared(*rows: tuple[str, str, str, str, float | None]) -> dict[str, list[Any]]:
    """Item, model, judge, order, and the probability that the model beats the baseline."""
    names = ("item_id", "model", "judge", "order")
    return {
        **{name: [row[i] for row in rows] for i, name in enumerate(names)},
        "opponent": ["base"] * len(rows),
        "sample": [0] * len(rows),
        "kind": ["unreadable" if row[4] is None else "preference" for row in rows],
        "value": [row[4] for row in rows],
    }


def test_pairs_count_where_the_reference_decides_and_the_judge_was_asked() -> None:
    first, second = "model_first", "opponent_first"
    columns = compared(
        *(("1", "m", "human/a", "single", 1.0), ("2", "m", "human/a", "single", 0.5)),
        *(("3", "m", "human/a", "single", 0.0), ("4", "m", "human/a", "single", 1.0)),
        *(("4", "n", "human/a", "single", 1.0), ("5", "m", "human/a", "single", 1.0)),
        *(("1", "m", "j", first, 0.9), ("1", "m", "j", second, None)),  # half read, and right
        *(("2", "m", "j", first, 1.0), ("2", "m", "j", second, 1.0)),  # a tie has no right answer
        *(("3", "m", "j", first, 0.0), ("3", "m", "j", second, 1.0)),  # contradicts itself
        *(("4", "m", "j", first, 1.0), ("4", "n", "j", first, 0.0)),  # two pairs of one item
        *(("1", "m", "k", first, None), ("1", "m", "k", second, None)),
    )
    found = {one.judge: one.items for one in right_pairs(columns, "human")}
    assert found == {"j": {"1": 1.0, "3": 0.0, "4": 0.5}, "k": {"1": 0.0}}
    with pytest.raises(UsageError, match="no judge called 'authors'"):
        next(right_pairs(columns, "authors"))


def labelled(rows: list[tuple[str, str, str]], scored: list[tuple[str, str, float | None]]) -> Any:
    """Labels of people by item, model and label, and the scores of one judge."""
    every = [*((i, m, "human/a", "label", label, None) for i, m, label in rows),
             *((i, m, "rm", "unreadable" if value is None else "score", None, value)
               for i, m, value in scored)]  # fmt: skip
    names = ("item_id", "model", "judge", "kind", "label", "value")
    columns: dict[str, list[Any]] = {n: [row[i] for row in every] for i, n in enumerate(names)}
    n = len(every)
    kinds = ["human" if row[2] == "human/a" else "reward" for row in every]
    ends = {"low": [-math.inf] * n, "high": [math.inf] * n}
    return {**columns, **ends, "judge_kind": kinds, "sample": [0] * n, "opponent": [None] * n}


def test_answers_count_where_some_are_right_and_some_are_not() -> None:
    right = [("1", "a", "correct"), ("1", "b", "incorrect"), ("2", "a", "correct"),
             ("2", "b", "correct"), ("3", "a", "correct"), ("3", "b", "incorrect"),
             ("t", "a", "correct"), ("t", "b", "correct"), ("t", "c", "incorrect"),
             ("4", "a", "correct"), ("4", "b", "incorrect")]  # fmt: skip
    scored = [("1", "a", -1.0), ("1", "b", -2.0), ("2", "a", 1.0), ("3", "a", 5.0),
              ("3", "b", None), ("t", "a", 4.0), ("t", "b", 3.0), ("t", "c", 1.0)]  # fmt: skip
    columns = labelled(right, scored)
    (found,) = right_answers(columns, columns, "human", ("incorrect", "correct"), {"t"})
    assert found.judge == "rm"
    assert found.items == {"1": 1.0, "3": 0.0}  # of 3 one score is unreadable; 4 was not asked
    assert found.gaps == {"t": (2.0, 1.0)}
