"""AUROC, Brier, risk and coverage: scikit-learn on generated data, brute force, undefined cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logit
from scipy.stats import t as student

from judgebench.stats import confidence as cf
from judgebench.stats.resample import Resamples, multinomial_weights
from tests.table import over_rows

# Steps of 0.1, so that ties are common and both ends occur.
answers = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.integers(0, 10).map(lambda k: k / 10)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 1)),
    )
)


@given(answers)
def test_equal_to_scikit_learn(data: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import brier_score_loss, roc_auc_score

    c, y = data
    assert cf.brier(c, y) == pytest.approx(brier_score_loss(y, c, labels=[0, 1]), abs=1e-12)
    if 0 < y.sum() < len(y):
        assert cf.auroc(c, y) == pytest.approx(roc_auc_score(y, c), abs=1e-12)
        assert cf.why_no_auroc(y) is None
    else:
        assert np.isnan(cf.auroc(c, y))
        assert cf.why_no_auroc(y) is not None


def test_auroc_of_hanley_and_mcneil() -> None:
    """Their Table I: 109 images rated 1 to 5, area 0.893 (Radiology 143, 29-36, 1982)."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.repeat(np.tile(np.arange(1, 6), 2), normal + abnormal)
    truth = np.repeat([0, 1], [sum(normal), sum(abnormal)])
    assert cf.auroc(ratings / 5, truth) == pytest.approx(0.893, abs=5e-4)
    # By weights: each rating once for each truth.
    levels = np.tile(np.arange(1, 6), 2) / 5
    assert cf.auroc(levels, [0] * 5 + [1] * 5, weights=normal + abnormal) == cf.auroc(
        ratings / 5, truth
    )


@given(answers, st.integers(0, 2**32 - 1))
def test_a_weight_is_how_often_an_answer_is_there(
    data: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    c, y = data
    weights = multinomial_weights(len(c), 4, seed=seed)
    for statistic in (cf.auroc, cf.brier, cf.aurc):
        by_weight = statistic(c, y, weights=weights)
        for found, row in zip(by_weight, weights.astype(int), strict=True):
            repeated = statistic(np.repeat(c, row), np.repeat(y, row))
            assert found == pytest.approx(float(repeated), abs=1e-12, nan_ok=True)
    shares = cf.accuracy(y, weights=weights)
    assert shares == pytest.approx(weights @ y / len(y), abs=1e-12)


@given(answers, st.randoms(use_true_random=False))
def test_order_of_the_data_does_not_matter(data: tuple[np.ndarray, np.ndarray], random) -> None:
    c, y = data
    order = list(range(len(c)))
    random.shuffle(order)
    for statistic in (cf.auroc, cf.aurc):
        there = statistic(c, y)
        assert statistic(c[order], y[order]) == pytest.approx(there, abs=1e-12, nan_ok=True)
    assert cf.auroc(1 - c, 1 - y) == pytest.approx(cf.auroc(c, y), abs=1e-12, nan_ok=True)
    assert cf.auroc(c**2 / 2, y) == pytest.approx(cf.auroc(c, y), abs=1e-12, nan_ok=True)


@given(answers)
def test_aurc_is_the_mean_over_all_orders_of_ties(data: tuple[np.ndarray, np.ndarray]) -> None:
    """Brute force by the definition: the expected errors among the k most confident, over k."""
    c, y = data
    risks = []
    for k in range(1, len(c) + 1):
        cut = np.sort(c)[::-1][k - 1]
        above, at = c > cut, c == cut
        errors = (1 - y)[above].sum() + (k - above.sum()) * (1 - y)[at].mean()
        risks.append(errors / k)
    assert cf.aurc(c, y) == pytest.approx(np.mean(risks), abs=1e-12)


def test_aurc_worked_by_hand() -> None:
    """Right, wrong, right: risks 0, 1/2 and 1/3."""
    assert cf.aurc([0.9, 0.5, 0.1], [1, 0, 1]) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


@given(answers)
def test_the_curve_of_risk(data: tuple[np.ndarray, np.ndarray]) -> None:
    c, y = data
    curve = cf.risk_coverage(c, y)
    assert curve.threshold.tolist() == sorted(set(c.tolist()), reverse=True)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        given_ = c >= threshold
        assert coverage == pytest.approx(given_.mean(), abs=1e-12)
        assert risk == pytest.approx(1 - y[given_].mean(), abs=1e-12)
    assert curve.coverage[-1] == 1.0
    tenths = [k / 10 for k in range(1, 11)]
    some = curve.at(tenths)
    points = list(zip(curve.coverage, curve.risk, curve.threshold, strict=True))
    first = [next(p for p in points if p[0] >= tenth - 1e-9) for tenth in tenths]
    assert list(zip(some.coverage, some.risk, some.threshold, strict=True)) == sorted(set(first))


@given(answers, st.integers(1, 60))
def test_the_steps_of_the_curve_have_the_area_that_is_reported(
    data: tuple[np.ndarray, np.ndarray], n_steps: int
) -> None:
    c, y = data
    edges = np.linspace(0, 1, n_steps + 1)
    steps = cf.risk_steps(c, y, edges)
    assert (steps * np.diff(edges)).sum() == pytest.approx(float(cf.aurc(c, y)), abs=1e-12)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert cf.risk_steps(c, y, [0, 1])[0] == pytest.approx(float(cf.aurc(c, y)), abs=1e-12)


@given(answers, st.integers(0, 2**32 - 1))
def test_risk_among_the_surest_is_the_mean_over_all_orders_of_ties(
    data: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    c, y = data
    n = len(c)
    shares = np.arange(1, n + 1) / n
    risks = cf.risk_among_surest(c, y, shares)
    for k, risk in enumerate(risks, 1):
        cut = np.sort(c)[::-1][k - 1]
        above, at = c > cut, c == cut
        errors = (1 - y)[above].sum() + (k - above.sum()) * (1 - y)[at].mean()
        assert risk == pytest.approx(errors / k, abs=1e-9)
    assert risks.mean() == pytest.approx(float(cf.aurc(c, y)), abs=1e-9)
    assert cf.risk_steps(c, y, np.concatenate([[0], shares])) == pytest.approx(risks, abs=1e-9)
    curve = cf.risk_coverage(c, y)  # at the end of a level no order is left open
    assert cf.risk_among_surest(c, y, curve.coverage) == pytest.approx(curve.risk, abs=1e-9)
    weights = multinomial_weights(n, 3, seed=seed)
    tenths = np.arange(1, 11) / 10
    weighted = cf.risk_among_surest(c, y, tenths, weights=weights)
    for row, found in zip(weights.astype(int), weighted, strict=True):
        repeated = cf.risk_among_surest(np.repeat(c, row), np.repeat(y, row), tenths)
        assert found == pytest.approx(repeated, abs=1e-9)


def test_a_tenth_of_the_answers_is_given_by_a_tenth_of_them() -> None:
    """Also where coverage and tenth differ in the last bit."""
    curve = cf.risk_coverage(np.arange(10) / 10, np.ones(10))
    assert curve.at([0.3, 0.6, 0.7]).coverage.tolist() == pytest.approx([0.3, 0.6, 0.7])
    assert cf.risk_coverage([], []).at([0.1]).risk.size == 0


def test_undefined_is_said() -> None:
    assert cf.why_no_auroc([]) == "no answers"
    assert str(cf.why_no_auroc([1, 1])).startswith("all answers are correct:")
    assert str(cf.why_no_auroc([0])).startswith("all answers are wrong:")
    for statistic in (cf.auroc, cf.brier, cf.aurc):
        assert np.isnan(statistic([], []))
        assert np.isnan(statistic([], [], weights=np.zeros((3, 0)))).all()
        assert np.isnan(statistic([0.5, 0.2], [1, 0], weights=[0, 0]))
    assert np.isnan(cf.accuracy([]))
    assert cf.risk_coverage([], []).risk.size == 0
    assert np.isnan(cf.risk_steps([], [], [0, 0.5, 1])).tolist() == [True, True]
    assert np.isnan(cf.risk_among_surest([], [], [0.5, 1])).tolist() == [True, True]
    assert cf.aurc([0.5, 0.7], [1, 1]) == 0.0
    assert cf.aurc([0.5, 0.7], [0, 0]) == 1.0


@over_rows("bad", [-0.01, 1.0000001, 85, np.nan, np.inf])
def test_a_confidence_that_is_none_is_refused_at_its_place(bad: float) -> None:
    assert cf.first_outside([0.0, 1.0, bad, 2.0]) == 2
    for statistic in (cf.auroc, cf.brier, cf.aurc, cf.risk_coverage):
        with pytest.raises(ValueError, match=r"the confidence of answer 2 is .* not in \[0, 1\]"):
            statistic([0.0, 1.0, bad], [1, 0, 1])


def test_other_input_that_is_refused() -> None:
    assert cf.first_outside([0.0, 1.0]) is None
    with pytest.raises(ValueError, match=r"the correctness of answer 1 is 0\.5"):
        cf.auroc([0.1, 0.2], [1, 0.5])
    with pytest.raises(ValueError, match="the correctness of answer 0 is nan"):
        cf.brier([0.1], [np.nan])
    with pytest.raises(ValueError, match="for each answer"):
        cf.auroc([0.1, 0.2], [1])
    with pytest.raises(ValueError, match="weights of 2 answers"):
        cf.auroc([0.1, 0.2], [1, 0], weights=[1.0])


def test_brier_and_accuracy_are_quotients_of_sums() -> None:
    """So that `Resamples.sums` serves for them; for AUROC a weight matrix does."""
    generator = np.random.default_rng(2)
    c, y = generator.random(40), generator.integers(0, 2, 40)
    (sums,) = Resamples(40, 50, seed=3).sums([np.square(c - y)])
    weights = np.vstack([np.ones(40), multinomial_weights(40, 50, seed=3)])
    assert sums / 40 == pytest.approx(cf.brier(c, y, weights=weights), abs=1e-12)


# intervals of an AUROC ---------------------------------------------------------------------------


def ends(c: object, y: object, **more: object) -> tuple[float, float]:
    found = cf.auroc_interval(c, y, **more)  # type: ignore[arg-type]
    return found.low, found.high


@given(answers)
def test_an_interval_of_an_auroc_holds_it_or_says_why_not(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    c, y = data
    found = cf.auroc_interval(c, y)
    few = min(int(y.sum()), int((1 - y).sum()))
    assert np.isnan(found.low) == np.isnan(found.high) == (few < 2)
    if few < 2:
        assert found.method.startswith("no interval, ")
        return
    value = float(cf.auroc(c, y))
    assert 0.0 <= found.low <= value <= found.high <= 1.0
    assert found.high - found.low > 0.01  # never a point
    wide = cf.auroc_interval(c, y, level=0.99)
    assert wide.low <= found.low + 1e-9
    assert wide.high >= found.high - 1e-9
    # Turned round, all is turned round.
    assert ends(1.0 - c, y) == pytest.approx((1.0 - found.high, 1.0 - found.low), abs=1e-6)


def test_newcombes_ends_are_where_his_variance_says() -> None:
    """Method 5: the value seen lies a quantile of his standard error from either end."""
    value, m, n = 0.8, 12, 30
    low, high = cf._newcombe(value, m, n, 0.95)
    for area in (low, high):
        middle = (m + n) / 2
        variance = (
            area
            * (1 - area)
            / (m * n)
            * (2 * middle - 1 - (3 * middle - 3) / ((2 - area) * (1 + area)))
        )
        assert abs(value - area) == pytest.approx(1.959964 * variance**0.5, abs=1e-6)


def test_delongs_variance_is_that_of_a_plain_loop() -> None:
    generator = np.random.default_rng(4)
    c, y = generator.integers(0, 11, 40) / 10, generator.integers(0, 2, 40)
    right, wrong = c[y == 1], c[y == 0]
    won = (right[:, None] > wrong).astype(float) + (right[:, None] == wrong) / 2
    parts = won.mean(axis=1).var(ddof=1) / len(right), won.mean(axis=0).var(ddof=1) / len(wrong)
    error, free = cf._delong(c, y.astype(float), np.arange(40), float(cf.auroc(c, y)))
    assert error == pytest.approx(sum(parts) ** 0.5)
    by_class = sum(v * v / (k - 1) for v, k in zip(parts, (len(right), len(wrong)), strict=True))
    assert free == pytest.approx(sum(parts) ** 2 / by_class)


def test_classes_that_lie_apart_have_a_one_sided_interval() -> None:
    c, y = [0.9, 0.8, 0.7, 0.6, 0.2, 0.1], [1, 1, 1, 1, 0, 0]
    found = cf.auroc_interval(c, y)
    assert (found.low, found.high) == (pytest.approx(0.05**0.5), 1.0)
    assert found.method == "one-sided: no wrong and correct answers overlap"
    assert ends(c, [0, 0, 0, 0, 1, 1]) == (0.0, pytest.approx(1 - 0.05**0.5))


def test_one_confidence_for_all_and_few_of_a_class() -> None:
    low, high = ends([0.5] * 20, [1] * 10 + [0] * 10)
    assert low < 0.3
    assert high > 0.7
    for wrong, said in ((0, "no wrong answers"), (1, "1 wrong answer")):
        found = cf.auroc_interval(np.arange(9) / 9, [0] * wrong + [1] * (9 - wrong))
        assert np.isnan(found.low)
        assert found.method == f"no interval, {said}; it takes two"
    assert cf.auroc_interval([0.1, 0.2, 0.3], [0, 0, 1]).method.startswith("no interval, 1 correct")
    assert cf.auroc_interval([], []).method.startswith("no interval, no wrong")


def test_a_question_that_is_asked_again_adds_nothing() -> None:
    generator = np.random.default_rng(5)
    c, y = generator.random(30), generator.integers(0, 2, 30)
    units = np.tile(np.arange(30), 4)
    again = ends(np.tile(c, 4), np.tile(y, 4), unit_of=units)
    assert again == pytest.approx(ends(c, y))


@over_rows(("n", "wrong"), [(12, 2), (12, 4), (100, 5)])
def test_intervals_of_an_auroc_cover_with_few_wrong_answers(n: int, wrong: int) -> None:
    """Wrong answers' confidences spread three times as much; perf measures closely."""
    from scipy.stats import norm

    generator = np.random.default_rng([n, wrong])
    for truth in (0.7, 0.95):
        held = 0
        for _ in range(150):
            x = np.concatenate(
                [
                    3 * generator.normal(size=wrong),
                    generator.normal(norm.ppf(truth) * 10**0.5, size=n - wrong),
                ]
            )
            low, high = ends(norm.cdf(x), np.repeat([0, 1], [wrong, n - wrong]))
            held += low <= truth <= high
        assert held >= 0.89 * 150, truth


def test_where_classes_spread_unequally_either_of_the_two_intervals_has_the_ends() -> None:
    """Many right answers at the ends, a few wrong ones between: DeLong's half is the narrower."""
    y = np.array([1] * 40 + [0] * 4)
    c = np.concatenate([np.linspace(0.5, 0.9, 40), [0.45, 0.55, 0.55, 0.56]])
    value = float(cf.auroc(c, y))
    low, high = cf._newcombe(value, 40, 4, 0.95)
    error, free = cf._delong(c, y.astype(float), np.arange(44), value)
    half = student.ppf(0.975, free) * error / (value * (1 - value))
    assert low < expit(logit(value) - half) - 0.02
    found = cf.auroc_interval(c, y)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(max(high, expit(logit(value) + half)))


def test_a_coverage_that_rounding_left_above_a_point_is_that_point() -> None:
    """0.1 * 3 is 0.30000000000000004: of ten answers three are given, and not four."""
    curve = cf.risk_coverage(np.arange(10) / 10, [1] * 10)
    assert curve.at([0.1 * 3]).coverage.tolist() == [0.3]
