"""AlignBench v1.1: the aggregation fixture, the published boards, the human-labelled samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.stats.rank_correlation import (
    CORRELATIONS,
    consecutive_blocks,
    kendall_tau_b,
    pearson,
    spearman,
)
from judgebench.stats.resample import mean_of_sides
from tests.stats.critique import comparison_quality, outcomes_of_labels, sample_level, system_level

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alignbench"
#: The categories as the boards name them, and the places of those of each side.
ENGLISH = ("math", "logic", "fundamental", "chinese", "open", "writing", "roleplay", "professional")
SIDES = {"reasoning": [0, 1], "language": [2, 3, 4, 5, 6, 7]}

pytestmark = pytest.mark.skipif(
    not (GOLD / "expected.json").exists(),
    reason="the gold data (../shared/gold/alignbench beside the repository) is not here",
)


def gold(name: str) -> Any:
    return json.loads((GOLD / name).read_text(encoding="utf-8"))


def samples(kind: str) -> dict[str, np.ndarray]:
    import pandas as pd

    table = pd.read_parquet(GOLD / f"human_{kind}_reference_based.parquet").sort_values("id")
    return {str(name): table[name].to_numpy() for name in table.columns}


def test_the_formula_gives_the_published_averages() -> None:
    """Of 57 models, to the rounding of what it is fed with."""
    expected = gold("expected.json")["leaderboard_formula"]
    boards = gold("published_leaderboards.json")
    assert [len(board) for board in boards.values()] == [row["rows"] for row in expected.values()]
    for board, figures in zip(boards.values(), expected.values(), strict=True):
        rows = list(board.values())
        means = np.array([[row[name] for name in ENGLISH] for row in rows])
        largest = max(
            np.abs(mean_of_sides(means, [places]) - [row[name] for row in rows]).max()
            for name, places in SIDES.items()
        )
        assert largest == pytest.approx(
            figures["max_abs_difference_to_published_averages"], abs=1e-9
        )


def test_the_two_judges_of_the_published_board_of_17() -> None:
    boards = gold("published_leaderboards.json")
    gpt, critique = (boards[name] for name in list(boards)[:2])
    scores = [[board[model]["overall"] for model in gpt] for board in (gpt, critique)]
    found = [float(coefficient(*scores)) for coefficient in (pearson, spearman, kendall_tau_b)]
    assert found == pytest.approx([0.985, 0.994, 0.967], abs=0.0006)


def test_people_agree_with_themselves_on_the_scored_sample() -> None:
    """The sample is no whole block of answers to one question; blocks of one score are dropped."""
    sample = samples("pointwise")
    human = sample["human_score"]
    blocks = consecutive_blocks(len(human))
    found = sample_level(human, human, blocks)
    varied = [np.ptp(human[blocks == block]) > 0 for block in range(12)]
    assert (found.n, found.dropped) == (sum(varied), 12 - sum(varied))
    systems = np.unique(sample["model"], return_inverse=True)[1]
    for same in (found, system_level(2 * human, human, systems)):
        assert [getattr(same, name) for name in CORRELATIONS] == pytest.approx([1, 1, 1])


def test_a_judge_of_length_on_the_scored_sample() -> None:
    """Against scipy and a loop, on real human scores: the longer answer has the better score."""
    from scipy.stats import kendalltau, pearsonr, spearmanr

    sample = samples("pointwise")
    human, models = sample["human_score"], sample["model"]
    judge = np.array([min(len(text) // 100, 10) for text in sample["response"]], dtype=float)
    coefficients = (pearsonr, spearmanr, kendalltau)
    expected = []
    for at in range(0, 96, 8):
        x, y = judge[at : at + 8], human[at : at + 8]
        if np.ptp(x) and np.ptp(y):
            expected.append([float(f(x, y).statistic) for f in coefficients])
    found = sample_level(judge, human, consecutive_blocks(len(human)))
    assert [getattr(found, name) for name in CORRELATIONS] == pytest.approx(
        np.mean(expected, axis=0), abs=1e-9
    )
    names, systems = np.unique(models, return_inverse=True)
    means = [[x[models == name].mean() for name in names] for x in (judge, human)]
    found = system_level(judge, human, systems)
    assert found.n == 8
    assert [getattr(found, name) for name in CORRELATIONS] == pytest.approx(
        [float(f(*means).statistic) for f in coefficients], abs=1e-9
    )


def test_peoples_scores_and_labels_of_pairs_are_one_judge() -> None:
    sample = samples("pairwise")
    first_is_better = sample["human_score_1"] > sample["human_score_2"]
    one_order = outcomes_of_labels(np.where(first_is_better, 0, 1))
    other_order = outcomes_of_labels(np.where(first_is_better, 1, 0), swapped=True)
    people = outcomes_of_labels(sample["label"])
    found = comparison_quality(np.stack([one_order, other_order], axis=1), people)
    assert (found.consistency, found.agreement, found.n, found.unreadable) == (1, 1, 100, 0)
    # A judge that always prefers what it is shown first is never consistent.
    always_first = np.stack(
        [outcomes_of_labels([0] * 100), outcomes_of_labels([0] * 100, swapped=True)], axis=1
    )
    assert comparison_quality(always_first, people).agreement == 0
