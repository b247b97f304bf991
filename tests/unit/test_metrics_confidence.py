"""Figures of one set and averages of several, against their definitions over the same draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from judgebench.metrics.confidence import (
    DRAWN,
    Confidences,
    Figures,
    QuestionSet,
    estimates_of,
    figures,
)
from judgebench.metrics.intervals import Intervals, wilson
from judgebench.stats.confidence import alignment, first_fifth, random_fifth
from judgebench.stats.resample import content_seed
from tests.table import over_rows

QUICK = Intervals(n_replicates=150)
N = 60


def questions(name: str, *, repeats: int = 1, size: int = N) -> QuestionSet:
    """``N`` questions in their order; each unit is ``repeats`` of them."""
    return QuestionSet(
        name=name,
        domain=None,
        size=size,
        items=tuple(f"{name}/{i:02}" for i in range(N)),
        units=tuple(f"{name}/{i:02}" for i in range(0, N, repeats)),
        unit_of=np.arange(N) // repeats,
    )


def given(asked: QuestionSet, c: np.ndarray, y: np.ndarray) -> Confidences:
    return Confidences(questions=asked, confidence=c[:, np.newaxis], correct=y[:, np.newaxis])


def drawn(asked: QuestionSet) -> tuple[Figures, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(content_seed(asked.name, seed=3))
    c = generator.integers(0, 11, N) / 10
    y = (generator.random(N) < 0.2 + 0.6 * c).astype(float)
    found = figures(
        given(asked, c, y),
        expected=np.ones(N, dtype=bool),
        resamples=QUICK.resamples(list(asked.units)),
        seed=7,
        why_none="none",
    )
    return found, c, y


def accuracy_draws(asked: QuestionSet, y: np.ndarray) -> np.ndarray:
    weights = np.concatenate(list(QUICK.resamples(list(asked.units)).weights()))[:, asked.unit_of]
    return np.asarray(weights @ y / weights.sum(axis=1))


def test_answers_to_one_question_are_drawn_together() -> None:
    asked = questions("s", repeats=3)
    found, _, y = drawn(asked)
    assert found.answers.n_units == N // 3
    column = found.values[1:, DRAWN.index("accuracy")]
    assert column == pytest.approx(accuracy_draws(asked, y))


def test_alignment_is_tuned_on_the_first_fifth_or_on_a_random_one() -> None:
    asked = questions("s")
    found, c, y = drawn(asked)
    seed = content_seed(*asked.items, seed=7) % 2**32
    expected = {
        "alignment": float(alignment(c, y, first_fifth(N)).value),
        "alignment_random": float(alignment(c, y, random_fifth(N, seed=seed)).value),
    }
    assert expected["alignment"] != expected["alignment_random"]
    assert {name: found.values[0, DRAWN.index(name)] for name in expected} == expected


def test_what_lacks_either_is_missing_where_both_were_expected() -> None:
    asked = questions("s")
    c, y, expected = np.full(N, 0.5), np.ones(N), np.ones(N, dtype=bool)
    c[0] = y[1] = math.nan
    expected[2] = False  # has both all the same
    c[3], expected[3] = math.nan, False
    found = figures(
        given(asked, c, y),
        expected=expected,
        resamples=QUICK.resamples(list(asked.units)),
        seed=7,
        why_none="none",
    )
    assert (found.missing, len(found.correct)) == (2, N - 3)


@over_rows(("wrong", "method"), [(9, "wilson"), (10, "percentile")])
def test_accuracy_with_few_wrong_answers_has_wilsons_interval(wrong: int, method: str) -> None:
    asked, generator = questions("s"), np.random.default_rng(5)
    found = figures(
        given(asked, generator.random(N), (np.arange(N) >= wrong).astype(float)),
        expected=np.ones(N, dtype=bool),
        resamples=QUICK.resamples(list(asked.units)),
        seed=7,
        why_none="none",
    )
    assert estimates_of([found], QUICK)["accuracy"].method.startswith(method)


def test_accuracy_has_wilsons_interval_on_one_set_and_that_of_the_draws_on_several() -> None:
    """Of few units: an average of two sets is no proportion."""
    first, second = questions("s", repeats=5, size=100), questions("t", repeats=5, size=300)
    (a, _, y), (b, _, z) = drawn(first), drawn(second)
    alone = estimates_of([a], QUICK)["accuracy"]
    ends = wilson(float(y.mean()), N // 5, level=QUICK.level)
    assert ends is not None
    assert (alone.low, alone.high) == pytest.approx(ends[:2])
    both = estimates_of([a, b], QUICK)["accuracy"]
    assert both.value == pytest.approx((y.mean() + 3 * z.mean()) / 4)
    means = (accuracy_draws(first, y) + 3 * accuracy_draws(second, z)) / 4
    assert [both.low, both.high] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist())


@over_rows("n", [1, 12, 19, 20])
def test_under_twenty_questions_an_ece_is_the_plug_in_alone(n: int) -> None:
    asked = questions("s")
    y = np.where(np.arange(N) < n, np.arange(N) % 2, math.nan)
    found = figures(
        given(asked, np.full(N, 0.9), y),
        expected=~np.isnan(y),
        resamples=QUICK.resamples(list(asked.units)),
        seed=7,
        why_none="none",
    )
    estimates = estimates_of([found], QUICK)
    assert estimates["ece_plug_in"].value == pytest.approx(abs(0.9 - np.nanmean(y)))
    ece, questions_of = estimates["ece"], f"{n} question{'s' * (n > 1)}"
    assert math.isnan(ece.value) == (n < 20)
    said = None if n == 20 else f"{questions_of}; a calibration error takes 20"
    assert ece.undefined == said


@over_rows(
    ("rarer", "without"),
    [
        (4, {"brier", "alignment", "alignment_random"}),
        (5, {"alignment", "alignment_random"}),
        (11, {"alignment", "alignment_random"}),
        (12, set()),
    ],
)
@over_rows("turned", [False, True])
def test_few_of_either_outcome_have_no_interval(
    rarer: int, without: set[str], turned: bool
) -> None:
    asked, generator = questions("s"), np.random.default_rng(5)
    found = figures(
        given(
            asked, generator.random(N), ((generator.permutation(N) < rarer) ^ turned).astype(float)
        ),
        expected=np.ones(N, dtype=bool),
        resamples=QUICK.resamples(list(asked.units)),
        seed=7,
        why_none="none",
    )
    estimates = estimates_of([found], QUICK)
    drawn_ones = ("brier", "alignment", "alignment_random")
    assert {name for name in drawn_ones if math.isnan(estimates[name].low)} == without
    for name in without:
        assert "right or wrong answers none held" in estimates[name].method
