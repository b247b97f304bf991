"""Scores over categories that count equally: by hand, by loops, and as weightings of items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats.category_scores import (
    UNPARSED,
    Balance,
    as_published,
    category_contributions,
    dimension_contributions,
    on_scale,
    ratios,
    unreadable,
)
from judgebench.stats.resample import multinomial_weights, weighted_sums

BALANCE = Balance(
    categories=("maths", "logic", "writing", "role play", "spare"),
    sides={"reasoning": ("maths", "logic"), "language": ("writing", "role play")},
)
CATEGORY_OF = [0, 0, 1, 2, 2, 3, 4]
SCORES = [10, 4, 3, UNPARSED, 9, 6, 2]


def figures(counted: np.ndarray, category_of: object = CATEGORY_OF) -> dict[str, float]:
    sums = category_contributions(counted, category_of, n_categories=5).sum(axis=0)
    return dict(zip(BALANCE.names, BALANCE.figures(sums).tolist(), strict=True))


def test_both_views_worked_by_hand() -> None:
    """maths 7, logic 3, role play 6; writing is (-1 + 9) / 2 = 4 as published, and 9 without."""
    published = figures(as_published(SCORES))
    assert published == pytest.approx(
        {
            "maths": 7, "logic": 3, "writing": 4, "role play": 6, "spare": 2,
            "reasoning": 5, "language": 5, "overall": 5,
        }
    )  # fmt: skip
    clean = figures(on_scale(SCORES, low=1, high=10))
    assert clean == pytest.approx(
        published | {"writing": 9, "language": 7.5, "overall": 6.25}, abs=1e-12
    )
    rate = figures(unreadable(SCORES, low=1, high=10))
    assert rate["writing"] == 0.5
    assert rate["overall"] == pytest.approx(0.125)


def test_what_is_off_the_scale_counts_as_published_alone() -> None:
    scores = [0, 11, 100, UNPARSED, 1, 10, np.nan]
    np.testing.assert_array_equal(as_published(scores), scores)
    clean = on_scale(scores, low=1, high=10)
    np.testing.assert_array_equal(clean, [np.nan] * 4 + [1, 10, np.nan])
    np.testing.assert_array_equal(unreadable(scores, low=1, high=10), [1, 1, 1, 1, 0, 0, np.nan])


def test_a_category_without_a_score_leaves_its_side_undefined() -> None:
    counted = np.array([np.nan, np.nan, 3, 8, 9, 6, np.nan])
    sums = category_contributions(counted, CATEGORY_OF, n_categories=5).sum(axis=0)
    found = figures(counted)
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {"maths", "spare", "reasoning", "overall"}
    assert found["language"] == pytest.approx(7.25)
    assert BALANCE.why_undefined(sums) == {
        "maths": "no score in maths",
        "spare": "no score in spare",
        "reasoning": "no score in maths",
        "overall": "no score in maths",
    }
    assert BALANCE.why_undefined(np.ones((5, 2))) == {}


def test_no_items_at_all() -> None:
    sums = category_contributions(np.zeros(0), np.zeros(0, int), n_categories=5).sum(axis=0)
    assert np.isnan(BALANCE.figures(sums)).all()


items = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n, 3), elements=st.sampled_from([np.nan, -1, 0, 1, 7.5, 10, 11])),
        hnp.arrays(np.int64, n, elements=st.integers(0, 4)),
        st.integers(0, 2**32),
    )
)  # fmt: skip


@given(items)
def test_figures_equal_means_of_means(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    scores, category_of, _ = drawn
    for counted in (as_published(scores), on_scale(scores, low=1, high=10)):
        sums = category_contributions(counted, category_of, n_categories=5).sum(axis=0)
        for model, found in enumerate(BALANCE.figures(sums)):
            means = {}
            for code, name in enumerate(BALANCE.categories):
                there = [x for x in counted[category_of == code, model] if x == x]
                means[name] = np.mean(there) if there else np.nan
            sides = [np.mean([means[c] for c in of]) for of in BALANCE.sides.values()]
            expected = [*means.values(), *sides, np.mean(sides)]
            np.testing.assert_allclose(found, expected, atol=1e-12)


@given(items)
def test_a_weighting_is_drawing_items_again(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    scores, category_of, seed = drawn
    contributions = category_contributions(scores, category_of, n_categories=5)
    weights = multinomial_weights(len(scores), 3, seed=seed)
    found = BALANCE.figures(weighted_sums(weights, contributions))
    assert found.shape == (3, 3, 8)
    for replicate, counts in enumerate(weights):
        drawn_again = np.repeat(np.arange(len(scores)), counts.astype(int))
        again = category_contributions(
            scores[drawn_again], category_of[drawn_again], n_categories=5
        )
        np.testing.assert_allclose(found[replicate], BALANCE.figures(again.sum(axis=0)), atol=1e-12)


def test_dimensions_are_averaged_over_the_items_that_have_a_score() -> None:
    """As the published script: an item whose score is -1 is out, whatever its dimensions say."""
    ratings = np.array([[8, 6, np.nan], [4, np.nan, 2], [1, 1, 1], [0, 8, np.nan]])
    scores = np.array([7.0, 3.0, UNPARSED, 6.0])
    published = ratios(dimension_contributions(ratings, scores).sum(axis=0))
    np.testing.assert_allclose(published, [4, 7, 2])
    clean = ratios(dimension_contributions(on_scale(ratings, low=1, high=10), scores).sum(axis=0))
    np.testing.assert_allclose(clean, [6, 7, 2])
    of_models = dimension_contributions(np.stack([ratings] * 2, 1), np.stack([scores] * 2, 1))
    np.testing.assert_allclose(ratios(of_models.sum(axis=0)), [[4, 7, 2]] * 2)
    assert np.isnan(ratios(dimension_contributions(ratings[:0], scores[:0]).sum(axis=0))).all()


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ({}, "every side needs a category"),
        ({"a": ()}, "every side needs a category"),
        ({"a": ("x", "maths")}, "no category called 'maths'; known: x, y"),
        ({"x": ("x",)}, "two figures have one name"),
        ({"overall": ("x",)}, "two figures have one name"),
    ],
)
def test_a_balance_that_makes_no_sense(sides: dict[str, tuple[str, ...]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Balance(categories=("x", "y"), sides=sides)


def test_shapes_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="one category an item"):
        category_contributions([1, 2], [0], n_categories=1)
    with pytest.raises(ValueError, match=r"lie in 0 \.\. 0"):
        category_contributions([1, 2], [0, 1], n_categories=1)
    with pytest.raises(ValueError, match="ratings of shape"):
        dimension_contributions(np.ones((3, 2)), np.ones(2))
