"""Resampling: reproducible, exact against brute force, and covering what it says."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats import agreement as ag
from judgebench.stats import resample as rs
from tests.table import over_rows

replicates = hnp.arrays(np.float64, st.tuples(st.integers(5, 60), st.integers(1, 4)),
                        elements=st.floats(-10, 10))  # fmt: skip


class TestSeed:
    def test_equal_content_gives_an_equal_seed_for_ever(self) -> None:
        """A changed value here means that every published interval moves."""
        assert rs.content_seed("a", "b", seed=7) == 2490566409598456761
        assert rs.content_seed(np.arange(3, dtype=np.int64)) == 17802158379976613483

    @over_rows(
        ("one", "other"),
        [
            (("ab", "c"), ("a", "bc")),
            (("a",), ("a", "")),
            ((np.zeros(4, np.int8),), (np.zeros((2, 2), np.int8),)),
            ((np.zeros(2, np.int16),), (np.zeros(2, np.uint16),)),
        ],
    )
    def test_other_content_gives_another_seed(self, one: tuple, other: tuple) -> None:
        assert rs.content_seed(*one) != rs.content_seed(*other)

    def test_the_users_seed_counts(self) -> None:
        assert rs.content_seed("a", seed=1) != rs.content_seed("a", seed=2)

    def test_layout_in_memory_does_not_count(self) -> None:
        table = np.arange(6.0).reshape(2, 3)
        assert rs.content_seed(np.asfortranarray(table)) == rs.content_seed(table)


class TestWeights:
    @given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 2**64 - 1))
    def test_each_replicate_draws_as_many_units_as_there_are(
        self, n_units: int, n_replicates: int, seed: int
    ) -> None:
        weights = rs.multinomial_weights(n_units, n_replicates, seed=seed)
        assert weights.shape == (n_replicates, n_units)
        assert (weights.sum(axis=1) == n_units).all()
        assert (weights == np.floor(weights)).all()
        again = rs.multinomial_weights(n_units, n_replicates, seed=seed)
        np.testing.assert_array_equal(weights, again)

    def test_no_units(self) -> None:
        assert rs.multinomial_weights(0, 5, seed=1).shape == (5, 0)

    @pytest.mark.parametrize("n_units", [0, 1, 7, 300])
    @pytest.mark.parametrize("kept", [True, False])
    def test_sums_some_replicates_at_a_time_are_those_of_all_at_once(
        self, n_units: int, kept: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rs, "_BLOCK", 1000)
        monkeypatch.setattr(rs, "_KEPT_BYTES", 2**20 if kept else 0)
        wide = np.random.default_rng(1).random((n_units, 2, 3))
        weights = rs.multinomial_weights(n_units, 50, seed=5)
        resamples = rs.Resamples(n_units, 50, seed=5)
        for _ in range(2):  # the second time from what was kept, or drawn anew
            found, narrow = resamples.sums([wide, wide[:, 0, 0]])
            assert found.shape == (51, 2, 3)
            np.testing.assert_allclose(found[0], wide.sum(axis=0))
            np.testing.assert_allclose(found[1:], rs.weighted_sums(weights, wide))
            np.testing.assert_allclose(narrow, found[:, 0, 0])
            np.testing.assert_array_equal(np.concatenate(list(resamples.weights())), weights)
            short = np.concatenate(list(resamples.weights(np.float32)))
            np.testing.assert_array_equal(short, weights.astype(np.float32), strict=True)

    @over_rows("n_units", [rs.MANY_UNITS - 1, rs.MANY_UNITS])
    def test_units_of_few_and_many_are_drawn_alike_often(self, n_units: int) -> None:
        """Each as often as a multinomial draws it, which is Poisson's as far as anybody can see."""
        weights = rs.multinomial_weights(n_units, 40, seed=4)
        assert (weights.sum(axis=1) == n_units).all()
        shares = np.bincount(weights.ravel().astype(int))[:5] / weights.size
        poisson = [math.exp(-1.0) / math.factorial(n) for n in range(5)]
        np.testing.assert_allclose(shares, poisson, atol=0.003)
        np.testing.assert_array_equal(
            np.concatenate([*rs.Resamples(n_units, 40, seed=4).weights()]), weights
        )
        assert not np.array_equal(weights, rs.multinomial_weights(n_units, 40, seed=5))

    @given(
        hnp.arrays(
            np.float64,
            (6, 2, 3),
            elements=st.one_of(st.integers(0, 5).map(float), st.sampled_from([0.3, 1e9, math.nan])),
        )
    )
    def test_whole_numbers_sum_exactly_in_half_the_bytes(self, values: np.ndarray) -> None:
        contributions = rs.Contributions(values)
        np.testing.assert_array_equal(contributions.values, values)
        (sums,) = rs.Resamples(6, 20, seed=1).sums([contributions])
        weights = np.concatenate([np.ones((1, 6)), rs.multinomial_weights(6, 20, seed=1)])
        whole = (values == np.rint(values)) & (values < 10)
        expected = rs.weighted_sums(weights, values)
        exact = whole.all(axis=0)
        np.testing.assert_array_equal(sums[:, exact], expected[:, exact])
        np.testing.assert_allclose(sums, expected, rtol=1e-12)

    def test_many_units_are_summed_in_half_the_bytes(self) -> None:
        """Scores to a millionth of an interval's width; those that are all the same exactly."""
        n, g = rs.MANY_UNITS, np.random.default_rng(2)
        there = g.random(n) < 0.9
        values = np.stack([g.random(n) + 5.0, 0.3 * there, there, there, np.full(n, 0.7)], axis=1)
        contributions = rs.Contributions(values)
        np.testing.assert_allclose(contributions.values, values, rtol=1e-14, atol=1e-7)
        (sums,) = rs.Resamples(n, 60, seed=1).sums([contributions])
        weights = np.concatenate([np.ones((1, n)), rs.multinomial_weights(n, 60, seed=1)])
        expected = rs.weighted_sums(weights, values)
        np.testing.assert_allclose(sums[0], expected[0], rtol=1e-14)
        off = np.abs(sums - expected)[:, 0]
        assert off.max() < 1e-6 * 2 * 1.96 * expected[1:, 0].std()
        np.testing.assert_allclose(sums[:, 1] / sums[:, 2], 0.3, rtol=1e-15)
        np.testing.assert_array_equal(sums[:, 2:4], expected[:, 2:4])
        np.testing.assert_allclose(sums[:, 4], 0.7 * n, rtol=1e-14)

    def test_means_far_from_zero_of_which_some_are_missing(self) -> None:
        """A unit without a score adds nothing, and is not far off the others for that."""
        n, g = rs.MANY_UNITS, np.random.default_rng(3)
        rows = (np.arange(n) < 0.8 * n) + (g.random(n) < 0.3).astype(float)
        scores = 1e6 * rows + g.normal(size=n) * rows
        (sums,) = rs.Resamples(n, 60, seed=1).sums([np.stack([scores, rows], axis=1)])
        weights = np.concatenate([np.ones((1, n)), rs.multinomial_weights(n, 60, seed=1)])
        expected = rs.weighted_sums(weights, np.stack([scores, rows], axis=1))
        found, exact = (one[:, 0] / one[:, 1] for one in (sums, expected))
        np.testing.assert_allclose(found[0], exact[0], rtol=1e-15)
        assert np.abs(found - exact).max() < 1e-6 * 2 * 1.96 * exact[1:].std()

    def test_weighted_sums_are_a_resampled_data_set(self) -> None:
        """A weight matrix is the same as drawing units with replacement and adding them up."""
        generator = np.random.default_rng(3)
        contributions = generator.integers(0, 5, size=(7, 2, 2)).astype(float)
        weights = rs.multinomial_weights(7, 11, seed=5)
        sums = rs.weighted_sums(weights, contributions)
        for row, found in zip(weights.astype(int), sums, strict=True):
            drawn = np.repeat(np.arange(7), row)
            np.testing.assert_array_equal(found, contributions[drawn].sum(axis=0))


class TestPercentile:
    @given(replicates, st.floats(0.05, 0.99))
    def test_equals_numpy(self, values: np.ndarray, level: float) -> None:
        low, high = rs.percentile_interval(values, level=level)
        tail = 50 * (1 - level)
        np.testing.assert_allclose(low, np.percentile(values, tail, axis=0), atol=1e-9)
        np.testing.assert_allclose(high, np.percentile(values, 100 - tail, axis=0), atol=1e-9)

    @given(replicates, st.data())
    def test_undefined_replicates_are_left_out(self, values: np.ndarray, data) -> None:
        n = len(values)
        gone = data.draw(st.lists(st.integers(0, n - 1), max_size=n // 5, unique=True))
        values[gone, 0] = np.nan
        low, high = rs.percentile_interval(values)
        np.testing.assert_allclose(low, np.nanpercentile(values, 2.5, axis=0), atol=1e-9)
        np.testing.assert_allclose(high, np.nanpercentile(values, 97.5, axis=0), atol=1e-9)

    def test_no_interval_where_too_many_are_undefined(self) -> None:
        values = np.arange(10.0)
        values[:3] = np.nan
        assert np.isnan(rs.percentile_interval(values)).all()
        assert rs.percentile_interval(values, max_undefined=0.3)[0] == pytest.approx(3.15)
        assert np.isnan(rs.percentile_interval(np.full(5, np.nan), max_undefined=1.0)).all()


class TestBca:
    def test_equals_scipy(self) -> None:
        """Same replicates, so the two must agree but for the handling of ties (there are none)."""
        from scipy.stats import bootstrap

        sample = np.random.default_rng(11).lognormal(size=40)
        weights = rs.multinomial_weights(40, 4000, seed=1)
        ours = rs.bca_interval(
            sample.mean(), weights @ sample / 40, (sample.sum() - sample) / 39, level=0.9
        )
        theirs = bootstrap(
            (sample,), np.mean, method="BCa", confidence_level=0.9, n_resamples=9,
            bootstrap_result=_replicates_of(sample, weights),
        ).confidence_interval  # fmt: skip
        assert ours[0] == pytest.approx(theirs.low, rel=2e-3)
        assert ours[1] == pytest.approx(theirs.high, rel=2e-3)

    def test_shifts_against_the_skew(self) -> None:
        sample = np.random.default_rng(2).lognormal(size=30)
        draws = rs.multinomial_weights(30, 3000, seed=1) @ sample / 30
        low, high = rs.bca_interval(sample.mean(), draws, (sample.sum() - sample) / 29)
        plain_low, plain_high = rs.percentile_interval(draws)
        assert low > plain_low
        assert high > plain_high

    def test_symmetric_data_give_the_percentile_interval(self) -> None:
        draws = np.linspace(-1, 1, 2001)
        low, high = rs.bca_interval(0.0, draws, np.array([-1.0, 1.0] * 10))
        assert (low, high) == pytest.approx((-0.95, 0.95))

    def test_undefined_where_every_replicate_lies_on_one_side(self) -> None:
        assert np.isnan(rs.bca_interval(1.0, np.linspace(0, 0.9, 50), np.linspace(0, 1, 9))).all()


def _replicates_of(sample: np.ndarray, weights: np.ndarray):
    """What scipy's `bootstrap` continues from: the replicates that our weights stand for."""
    from types import SimpleNamespace

    drawn = np.array(
        [sample[np.repeat(np.arange(len(sample)), w)].mean() for w in weights.astype(int)]
    )
    return SimpleNamespace(bootstrap_distribution=drawn)


class TestWilson:
    @given(st.integers(1, 200), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
    def test_equals_statsmodels(self, n: int, data, level: float) -> None:
        from statsmodels.stats.proportion import proportion_confint

        k = data.draw(st.integers(0, n))
        low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
        assert rs.wilson_interval(k, n, level=level) == (
            pytest.approx(low, abs=1e-9),
            pytest.approx(high, abs=1e-9),
        )

    def test_forty_of_forty_is_not_a_point(self) -> None:
        low, high = rs.wilson_interval([40, 0], [40, 40])
        assert (float(low[0]), float(high[0])) == (pytest.approx(0.9124, abs=1e-4), 1.0)
        assert (float(low[1]), float(high[1])) == (0.0, pytest.approx(0.0876, abs=1e-4))

    def test_nothing_observed(self) -> None:
        assert np.isnan(rs.wilson_interval(0, 0)).all()


class TestJackknife:
    @given(hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-100, 100)))
    def test_of_a_mean_is_the_textbook_standard_error(self, x: np.ndarray) -> None:
        left_out = (x.sum() - x) / (len(x) - 1)
        expected = x.std(ddof=1) / np.sqrt(len(x))
        assert rs.jackknife_se(left_out) == pytest.approx(expected, abs=1e-9)

    def test_one_unit_has_no_spread(self) -> None:
        assert np.isnan(rs.jackknife_se([0.3]))

    @given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    def test_an_empty_sum_stays_an_exact_zero(self, repeats: list[int]) -> None:
        """Thirds and sevenths of an item must not leave 1e-17 where nothing is left."""
        contributions = np.zeros((len(repeats), 2))
        contributions[:, 0] = [1 / r for r in repeats]
        contributions[0, 1] = 1 / 3
        rest = rs.leave_one_out_sums(contributions)
        assert rest[0, 1] == 0.0
        for unit, found in enumerate(rest):
            np.testing.assert_allclose(found, np.delete(contributions, unit, 0).sum(0), atol=1e-12)


class TestCoverage:
    """Reduced; `perf/coverage_agreement.py` runs the full one."""

    def test_clustered_bootstrap_of_kappa_covers_and_a_row_bootstrap_does_not(self) -> None:
        """80 items, 6 models whose verdicts share the item's difficulty for judge and human."""
        generator = np.random.default_rng(20240618)
        truth = float(ag.cohen_kappa_of(_clustered(generator, 50_000).sum(axis=(0, 1))))
        n_items, n_models, trials = 80, 6, 120
        by_item = by_row = 0
        for trial in range(trials):
            tables = _clustered(generator, n_items)
            weights = rs.multinomial_weights(n_items, 200, seed=trial)
            draws = ag.cohen_kappa_of(rs.weighted_sums(weights, tables.sum(axis=1)))
            low, high = rs.percentile_interval(draws)
            by_item += bool(low <= truth <= high)
            rows = tables.reshape(-1, 2, 2)
            weights = rs.multinomial_weights(n_items * n_models, 200, seed=trial)
            low, high = rs.percentile_interval(ag.cohen_kappa_of(rs.weighted_sums(weights, rows)))
            by_row += bool(low <= truth <= high)
        # Three binomial standard errors at 120 trials are 0.06; percentile intervals of 80
        # clusters are known to be a little short.
        assert 0.88 <= by_item / trials <= 0.99
        assert by_row / trials < 0.85


def _clustered(generator: np.random.Generator, n_items: int, n_models: int = 6) -> np.ndarray:
    """Contributions (items, models, 2, 2) of a judge whose errors are the item's, not the row's."""
    easy = generator.beta(1.2, 0.8, size=(n_items, 1))
    misled = generator.random((n_items, 1)) < 0.2
    human = (generator.random((n_items, n_models)) < easy).astype(int)
    slip = generator.random((n_items, n_models)) < np.where(misled, 0.7, 0.03)
    judge = np.where(slip, 1 - human, human)
    return np.eye(4)[2 * judge + human].reshape(n_items, n_models, 2, 2)


def test_expanded_percentiles_are_those_of_a_t_interval() -> None:
    """For the mean of normals, a percentile interval at that level is as wide as Student's."""
    from scipy import stats

    for n, parameters in ((5, 1), (20, 1), (200, 3)):
        z = stats.norm.ppf((1 + rs.expanded_level(0.95, n, n_parameters=parameters)) / 2)
        spread = math.sqrt((n - parameters) / n)  # a bootstrap's, in sample standard errors
        assert z * spread == pytest.approx(stats.t.ppf(0.975, n - parameters))
    for free, level in product((1, 2, 3, 4, 7, 57, 196, 802, 9_999), (0.5, 0.9, 0.95, 0.999)):
        its = stats.t.ppf((1 + level) / 2, free) * math.sqrt((free + 3) / free)
        found = rs.expanded_level(level, free + 3, n_parameters=3)
        assert found == pytest.approx(2 * stats.norm.cdf(its) - 1, abs=1e-12)
    assert rs.expanded_level(0.95, 10**7) == pytest.approx(0.95, abs=1e-6)
    assert rs.expanded_level(0.9, 3, n_parameters=3) == 0.9
