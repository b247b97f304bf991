"""Prob, N-Prob, ROUGE-L, Consis-Lex, Consis-Sem, averages over sets."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats import confidence as ac
from judgebench.stats.confidence import _common_length, rouge_l, rouge_l_upstream
from judgebench.stats.resample import weighted_mean
from tests.table import over_rows

words = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=7)
ascii_text = st.text(st.characters(max_codepoint=127), max_size=40)


@given(words, words)
def test_common_length_by_brute_force(first: list[str], second: list[str]) -> None:
    def subsequences(of: list[str]) -> set[tuple[str, ...]]:
        return {chosen for n in range(len(of) + 1) for chosen in combinations(of, n)}

    longest = max(map(len, subsequences(first) & subsequences(second)))
    assert _common_length(first, second) == longest


@given(
    st.one_of(ascii_text, words.map(" ".join)),
    st.one_of(ascii_text, words.map(" ".join)),
)
def test_rouge_l_equals_the_package_on_ascii(first: str, second: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rougeL"]).score(first, second)["rougeL"].fmeasure
    found = rouge_l(first, second)
    if math.isnan(found):  # neither has a word; the package says 0
        assert not any(character.isalnum() for character in first + second)
    else:
        assert found == pytest.approx(theirs, abs=1e-12)


def test_rouge_l_of_lin() -> None:
    """Section 3.1: S2 scores 3/4 and S3 2/4, though both have one bigram of the reference."""
    reference = "police killed the gunman"
    assert rouge_l(reference, "police kill the gunman") == pytest.approx(3 / 4)
    assert rouge_l(reference, "the gunman kill police") == pytest.approx(2 / 4)


def test_words_are_those_of_any_alphabet() -> None:
    assert rouge_l("Wilhelm Röntgen", "wilhelm Ro\u0308ntgen") == 1.0
    assert rouge_l("Röntgen", "R ntgen") == 0.0
    assert rouge_l("snake_case", "case") == pytest.approx(2 / 3)
    assert math.isnan(rouge_l("", "…"))
    assert rouge_l("", "Paris") == 0.0


@over_rows(
    ("reference", "candidate", "expected"),
    [
        # Computed with the package rouge 1.0.1, Rouge().get_scores(candidate, reference).
        ("Paris", "Paris", 0.999999995),
        ("Paris", "paris", 0.0),
        ("Paris", "Paris,", 0.0),
        ("The capital is Paris.", "It is Paris.", 0.5714285665306124),
        ("the cat and the dog", "the cat and the dog", 0.999999995),
        ("the cat and the dog", "the dog and the cat", 0.4999999950000001),
        ("A. B. C.", "C. B. A.", 0.999999995),
        ("It was Dr. Who. He was first.", "First was Dr. Who", 0.5999999952),
        ("No answer. ", "No answer", 0.7999999952000001),
        ("x", "y", 0.0),
    ],
)
def test_rouge_l_of_upstream(reference: str, candidate: str, expected: float) -> None:
    assert rouge_l_upstream(reference, candidate) == pytest.approx(expected, abs=1e-12)


def test_texts_upstream_cannot_compare() -> None:
    assert rouge_l_upstream("", "Paris") == 0.0
    assert rouge_l_upstream("Paris", "...") == 0.0
    assert math.isnan(rouge_l_upstream("", "..."))


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_has_an_overlap(first: str, second: str) -> None:
    for score in (rouge_l, rouge_l_upstream):
        for found in (score(first, second), score(second, first)):
            assert math.isnan(found) or 0.0 <= found <= 1.0
        same = score(first, first)
        assert math.isnan(same) or same == pytest.approx(1.0, abs=1e-8)
    assert rouge_l(first, second) == pytest.approx(rouge_l(second, first), nan_ok=True)


def test_long_texts_are_compared_at_once() -> None:
    text = "word other third " * 3000
    assert rouge_l(text, text + "more") == pytest.approx(18000 / 18001)


def test_lexical_consistency_is_a_mean_over_samples() -> None:
    samples = ["It is Paris", "it is paris.", "Lyon", "Lyon"]
    assert ac.lexical_consistency("It is Paris.", samples, rouge="lin") == pytest.approx(0.5)
    upstream = [rouge_l_upstream("It is Paris.", sample) for sample in samples]
    found = ac.lexical_consistency("It is Paris.", samples, rouge="upstream")
    assert found == pytest.approx(np.mean(upstream))
    assert math.isnan(ac.lexical_consistency("Paris", [], rouge="lin"))
    assert math.isnan(ac.lexical_consistency("", ["", "?"], rouge="lin"))
    assert ac.lexical_consistency("", ["", "Paris"], rouge="lin") == 0.0


def test_probabilities_of_an_answer() -> None:
    logprobs = [math.log(0.5), math.log(0.25), math.log(0.125)]
    assert ac.probability(logprobs) == pytest.approx(1 / 64)
    assert ac.probability_per_token(logprobs) == pytest.approx(1 / 4)
    assert ac.probability([-math.inf, -1.0]) == 0.0
    assert ac.probability_per_token([-math.inf, -1.0]) == 0.0
    assert ac.probability([1e-7]) == 1.0  # rounding of a sure token
    assert math.isnan(ac.probability([]))
    assert math.isnan(ac.probability_per_token([]))


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=30))  # no product is subnormal
def test_the_mean_token_is_likelier_than_the_whole(logprobs: list[float]) -> None:
    whole, mean = ac.probability(logprobs), ac.probability_per_token(logprobs)
    assert 0.0 <= whole <= mean * (1 + 1e-12)
    assert mean <= 1.0
    assert mean == pytest.approx(whole ** (1 / len(logprobs)), rel=1e-9, abs=1e-12)


@over_rows("bad", [0.5, math.nan, math.inf])
def test_what_is_no_log_probability_is_refused(bad: float) -> None:
    for take in (ac.probability, ac.probability_per_token):
        with pytest.raises(ValueError, match="the log-probability of token 1 is"):
            take([-0.1, bad])


def test_average_over_sets() -> None:
    assert weighted_mean([0.5, 0.8], [300, 100]) == pytest.approx(0.575)
    assert weighted_mean([[0.5, 0.8], [0.1, np.nan]], [1, 1]) == pytest.approx(
        [0.65, np.nan], nan_ok=True
    )
    assert np.isnan(weighted_mean([], []))
    for values, sizes in (([0.5], [0]), ([0.5], [1, 2]), ([0.5, 0.5], [1, np.nan])):
        with pytest.raises(ValueError, match="one positive size for each set"):
            weighted_mean(values, sizes)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 20000)), min_size=1, max_size=10))
def test_an_average_lies_among_the_sets(sets: list[tuple[float, int]]) -> None:
    values, sizes = zip(*sets, strict=True)
    found = weighted_mean(values, sizes)
    assert min(values) - 1e-12 <= found <= max(values) + 1e-12
    assert found == pytest.approx(np.average(values, weights=sizes), abs=1e-12)


def test_a_log_probability_that_low_precision_left_above_0_is_a_certainty() -> None:
    assert ac.probability([1e-4]) == ac.probability_per_token([1e-4, 0.0]) == 1.0
    with pytest.raises(ValueError, match=r"token 1 is 0\.00011"):
        ac.probability([0.0, 1.1e-4])
