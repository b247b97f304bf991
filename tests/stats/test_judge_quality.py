"""Judges against people: scores and comparisons, by hand, against scipy, and as weightings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats.pair_outcomes import LOSS, NO_OUTCOME, TIE, WIN, comparison_contributions
from judgebench.stats.rank_correlation import (
    CORRELATIONS,
    consecutive_blocks,
    sample_contributions,
    system_contributions,
    system_correlations,
)
from judgebench.stats.resample import multinomial_weights, weighted_sums
from tests.stats.critique import comparison_quality, outcomes_of_labels, sample_level, system_level


def by_scipy(x: np.ndarray, y: np.ndarray) -> list[float]:
    from scipy.stats import kendalltau, pearsonr, spearmanr

    return [float(f(x, y).statistic) for f in (pearsonr, spearmanr, kendalltau)]


def values(found) -> list[float]:
    return [getattr(found, name) for name in CORRELATIONS]


answers = st.integers(0, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.sampled_from([1, 2, 3, 7, 10])),
        hnp.arrays(np.float64, n, elements=st.sampled_from([1, 2, 3, 4, 5])),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)),
    )
)


@given(answers)
def test_sample_level_is_the_mean_over_blocks_of_eight(drawn: tuple[np.ndarray, ...]) -> None:
    """CritiqueLLM's rule: consecutive eights, the rest left out, constant blocks left out."""
    judge, people, _ = drawn
    blocks = [slice(at, at + 8) for at in range(0, len(judge) - 7, 8)]
    varied = [b for b in blocks if np.ptp(judge[b]) > 0 and np.ptp(people[b]) > 0]
    found = sample_level(judge, people, consecutive_blocks(len(judge)))
    assert (found.n, found.dropped) == (len(varied), len(blocks) - len(varied))
    if not varied:
        assert np.isnan(values(found)).all()
        assert found.undefined
        return
    expected = np.mean([by_scipy(judge[b], people[b]) for b in varied], axis=0)
    assert values(found) == pytest.approx(expected, abs=1e-9)


@given(answers)
def test_system_level_correlates_means(drawn: tuple[np.ndarray, ...]) -> None:
    judge, people, system_of = drawn
    names, codes = np.unique(system_of, return_inverse=True)
    found = system_level(judge, people, codes)
    means = [np.array([x[codes == s].mean() for s in range(len(names))]) for x in (judge, people)]
    assert found.n == len(names)
    if len(names) < 2 or any(np.ptp(m) == 0 for m in means):
        assert np.isnan(values(found)).all()
        assert found.undefined
        return
    assert values(found) == pytest.approx(by_scipy(*means), abs=1e-9)


def test_levels_worked_by_hand() -> None:
    """Question 0 in the same order (1), question 1 in the reverse (-1), question 2 constant."""
    judge, people = [1, 2, 3, 1, 2, 3, 5, 5, 5], [2, 4, 6, 3, 2, 1, 1, 2, 3]
    questions = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    found = sample_level(judge, people, questions)
    assert values(found) == pytest.approx([0, 0, 0])
    assert (found.n, found.dropped, found.missing) == (2, 1, 0)
    # Systems 0, 1, 2 answer every question: the judge's means 7/3, 3, 11/3, people's 2, 8/3, 10/3.
    systems = [0, 1, 2] * 3
    assert values(system_level(judge, people, systems)) == pytest.approx([1, 1, 1])


def test_questions_need_not_stand_in_a_row_nor_be_of_one_size() -> None:
    judge, people = np.array([1, 9, 2, 5, 3, 4.0]), np.array([1, 1, 2, 5, 2, 4.0])
    questions = np.array([0, 1, 0, 1, 0, -1])
    found = sample_level(judge, people, questions)
    expected = np.mean(
        [by_scipy(judge[[0, 2, 4]], people[[0, 2, 4]]), by_scipy(judge[[1, 3]], people[[1, 3]])], 0
    )
    assert values(found) == pytest.approx(expected)


def test_an_answer_without_a_score_is_left_out_and_counted() -> None:
    judge = np.array([1, 2, np.nan, 4, 5, 6, 1, np.nan])
    people = np.array([2, 1, 9, 3, np.nan, 4, 1, 1])
    question_of = np.array([0, 0, 0, 0, 1, 1, -1, -1])
    there = [0, 1, 3]
    found = sample_level(judge, people, question_of)
    assert values(found) == pytest.approx(by_scipy(judge[there], people[there]))
    assert (found.n, found.dropped, found.missing) == (1, 1, 2)
    systems = system_level(judge, people, [0, 1, 0, 2, 1, 2, 0, 2])
    assert systems.missing == 3
    assert values(systems) == pytest.approx(by_scipy(np.array([1, 2, 5]), np.array([1.5, 1, 3.5])))
    nobody = system_level([1, 2, np.nan], [1, 2, 3], [0, 1, 2])
    assert nobody.undefined == "a model has no score"
    constant = system_level([1, 2, 3], [3, 3, 3], [0, 1, 2])
    assert constant.undefined == "the reference gives every model the same score"


def test_nothing_at_all() -> None:
    for found in (sample_level([], [], []), system_level([], [], [])):
        assert np.isnan(values(found)).all()
        assert (found.n, found.missing) == (0, 0)
        assert found.undefined


@given(answers, st.integers(0, 2**32))
def test_a_weighting_is_drawing_again(drawn: tuple[np.ndarray, ...], seed: int) -> None:
    judge, people, codes = drawn
    by_system = system_contributions(judge, people, codes, n_systems=4)
    weights = multinomial_weights(len(judge), 3, seed=seed)
    replicates = system_correlations(weighted_sums(weights, by_system))
    assert replicates.shape == (3, 3)
    for counts, replicate in zip(weights, replicates, strict=True):
        again = np.repeat(np.arange(len(judge)), counts.astype(int))
        once = system_contributions(judge[again], people[again], codes[again], n_systems=4)
        expected = system_correlations(once.sum(axis=0))
        np.testing.assert_allclose(replicate, expected, atol=1e-9)


@given(answers, st.integers(0, 2**32))
def test_a_weighting_is_asking_the_questions_again(
    drawn: tuple[np.ndarray, ...], seed: int
) -> None:
    judge, people, codes = drawn
    by_question = sample_contributions(judge, people, codes)
    weights = multinomial_weights(len(by_question), 3, seed=seed)
    for counts, sums in zip(weights, weighted_sums(weights, by_question), strict=True):
        drawn_again = np.repeat(np.arange(len(by_question)), counts.astype(int))
        rows = [np.flatnonzero(codes == question) for question in drawn_again]
        again = np.concatenate([np.zeros(0, dtype=int), *rows])
        of = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
        found = sample_level(judge[again], people[again], of)
        assert found.n == sums[0, 1]
        if found.n:
            assert values(found) == pytest.approx(sums[:, 0] / sums[:, 1], abs=1e-9)


@given(answers, st.floats(0.5, 3), st.integers(-3, 3))
def test_the_judges_unit_does_not_matter(
    drawn: tuple[np.ndarray, ...], unit: float, shift: int
) -> None:
    judge, people, _ = drawn
    blocks = consecutive_blocks(len(judge))
    there = sample_level(judge, people, blocks)
    assert values(sample_level(unit * judge + shift, people, blocks)) == pytest.approx(
        values(there), abs=1e-9, nan_ok=True
    )
    assert values(sample_level(people, judge, blocks)) == pytest.approx(
        values(there), abs=1e-9, nan_ok=True
    )


# Comparisons --------------------------------------------------------------------------------------


labels = st.lists(
    st.tuples(st.integers(-1, 2), st.integers(-1, 2), st.integers(0, 2)), max_size=30
)  # fmt: skip


@given(labels)
def test_comparisons_equal_a_count_of_labels(rows: list[tuple[int, int, int]]) -> None:
    """CritiqueLLM's own labels: (0, 1) or (1, 0) or (2, 2) in the two orders is consistent."""
    table = np.array(rows, dtype=int).reshape(-1, 3)
    outcomes = np.stack(
        [outcomes_of_labels(table[:, 0]), outcomes_of_labels(table[:, 1], swapped=True)], axis=1
    )
    found = comparison_quality(outcomes, outcomes_of_labels(table[:, 2]))
    consistent = [row[:2] in {(0, 1), (1, 0), (2, 2)} for row in rows]
    right = [same and row[0] == row[2] for same, row in zip(consistent, rows, strict=True)]
    n_read = sum(-1 not in row[:2] for row in rows)
    assert (found.n, found.n_labelled, found.unreadable) == (n_read, n_read, len(rows) - n_read)
    for share, hits, n in [
        (found.consistency_as_published, consistent, len(rows)),
        (found.agreement_as_published, right, len(rows)),
        (found.consistency, consistent, n_read),
        (found.agreement, right, n_read),
    ]:
        assert np.isnan(share) if n == 0 else share == pytest.approx(sum(hits) / n, abs=1e-12)


def test_comparisons_worked_by_hand() -> None:
    neither = [NO_OUTCOME, NO_OUTCOME]
    outcomes = [[WIN, WIN], [WIN, LOSS], [TIE, TIE], [NO_OUTCOME, WIN], [LOSS, LOSS], neither]
    people = [WIN, WIN, LOSS, WIN, NO_OUTCOME, NO_OUTCOME]
    found = comparison_quality(outcomes, people)
    assert (found.consistency, found.agreement) == (3 / 4, 1 / 3)
    assert (found.consistency_as_published, found.agreement_as_published) == (3 / 6, 1 / 6)
    assert (found.n, found.n_labelled, found.unreadable) == (4, 3, 2)
    contributions = comparison_contributions(outcomes, people)
    assert contributions[:, 0, 0].tolist() == [1, 0, 1, 0, 1, 0]
    assert contributions[:, 1, 1].tolist() == [1, 1, 1, 0, 0, 0]


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="two outcomes a pair"):
        comparison_quality([WIN, LOSS], [WIN])
    with pytest.raises(ValueError, match="a score of each"):
        sample_level([1, 2], [1], [0, 0])
    with pytest.raises(ValueError, match="codes of systems"):
        system_contributions([1.0], [1.0], [2], n_systems=2)
