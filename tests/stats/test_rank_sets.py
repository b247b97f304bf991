"""Sets of ranks that hold for all models at once, beside a slow way of making them.

``perf/rank_sets.py`` runs the full simulation.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.ranked_rows import ranks
from judgebench.stats import ranking
from judgebench.stats.ranking import _rarer, rank_sets
from judgebench.stats.resample import (
    jackknife_covariance,
    leave_one_out_sums,
    multinomial_weights,
    replicate_covariance,
)
from tests.table import over_rows

PERF = Path(__file__).parents[2] / "perf" / "rank_sets.py"

Floats = np.ndarray


@pytest.fixture(scope="module")
def simulation() -> Any:
    spec = importlib.util.spec_from_file_location("rank_sets", PERF)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rank_sets"] = module
    spec.loader.exec_module(module)
    return module


def sets_of(verdicts: Floats, **more: Any) -> list[tuple[int, int]]:
    """Of verdicts between 0 and 1, shape (items, models)."""
    n = len(verdicts)
    found = rank_sets(
        verdicts.mean(axis=0), np.cov(verdicts, rowvar=False) / n, units=n, width=1.0, **more
    )
    return [(int(low), int(high)) for low, high in found.T]


class TestSecondImplementation:
    """Pair by pair, with Student's quantile from scipy.stats and draws of another kind."""

    @given(st.integers(0, 2**32), st.sampled_from([6, 15, 60, 300]))
    def test_equal_but_for_pairs_at_the_edge(self, seed: int, n: int) -> None:
        generator = np.random.default_rng(seed)
        p = 5
        verdicts = generator.random((n, 1)) * 0.5 + 0.5 * generator.random((n, p))
        verdicts = np.clip(verdicts + np.linspace(0.0, 0.4, p), 0.0, 1.0).round(2)
        items = verdicts - verdicts.mean(axis=0)
        # The wild bootstrap: no normal, no covariance.
        signs = generator.choice([-1.0, 1.0], size=(20_000, n)) if n >= 60 else None
        noise = generator.normal(size=(20_000, n)) if signs is None else signs
        drawn = noise @ items / math.sqrt(n * (n - 1.0))
        pairs = list(itertools.combinations(range(p), 2))
        error = {
            (i, j): float(np.std(verdicts[:, i] - verdicts[:, j], ddof=1)) / math.sqrt(n)
            for i, j in pairs
        }
        largest = np.max(
            [np.abs(drawn[:, i] - drawn[:, j]) / error[i, j] for i, j in pairs], axis=0
        )
        multiple = float(stats.t.ppf(stats.norm.cdf(np.quantile(largest, 0.95)), n - 1))

        def sure(slack: float) -> set[tuple[int, int]]:
            """Who is above whom, with a multiple that much larger."""
            found = set()
            for i, j in itertools.permutations(range(p), 2):
                gap = verdicts[:, i].mean() - verdicts[:, j].mean()
                squared = error[min(i, j), max(i, j)] ** 2
                wider = math.sqrt((n * (n - 1) * squared + 2.0) / (n * (n + 1)))
                if gap > slack * multiple * wider:
                    found.add((i, j))
            for k, i, j in itertools.product(range(p), repeat=3):
                if (i, k) in found and (k, j) in found:
                    found.add((i, j))
            return found

        least, most = sure(1.05), sure(0.95)
        for m, (low, high) in enumerate(sets_of(verdicts)):
            assert 1 + sum(j == m for _, j in least) <= low <= 1 + sum(j == m for _, j in most)
            assert p - sum(i == m for i, _ in most) <= high <= p - sum(i == m for i, _ in least)

    @given(st.integers(0, 2**32))
    def test_covariance_of_quotients_is_the_jackknifes(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        n, p = 9, 3
        counts = generator.integers(0, 3, (n, p)).astype(float)
        counts[:2] = 1.0  # defined without any one unit
        tops = counts * generator.random((n, p))
        sums = np.stack([tops, counts], axis=-1)
        rest = leave_one_out_sums(sums)
        values, left_out = tops.sum(axis=0) / counts.sum(axis=0), rest[..., 0] / rest[..., 1]
        units = counts.sum(axis=0) ** 2 / np.square(counts).sum(axis=0)
        found = jackknife_covariance(values, left_out, units=units)
        for i, j in itertools.product(range(p), repeat=2):
            total = 0.0
            for u in range(n):
                moved = []
                for m in (i, j):
                    others = [v for v in range(n) if v != u]
                    without = tops[others, m].sum() / counts[others, m].sum()
                    moved.append((without - values[m]) * math.sqrt((units[m] - 1) / units[m]))
                total += moved[0] * moved[1]
            assert found[i, j] == pytest.approx(total, abs=1e-12)

    def test_covariance_of_means_is_that_of_the_sample(self) -> None:
        table = np.random.default_rng(1).random((30, 4))
        left_out = (table.sum(axis=0) - table) / 29
        np.testing.assert_allclose(
            jackknife_covariance(table.mean(axis=0), left_out, units=30),
            np.cov(table, rowvar=False) / 30,
        )

    def test_covariance_of_replicates(self) -> None:
        drawn = np.random.default_rng(1).normal(size=(50, 3)).cumsum(axis=1)
        np.testing.assert_allclose(replicate_covariance(drawn), np.cov(drawn, rowvar=False))
        drawn[:4, 0], drawn[2:9, 1], drawn[:20, 2] = np.nan, np.nan, np.nan
        found = replicate_covariance(drawn)
        assert np.isnan(found[2]).all()
        assert np.isnan(found[:, 2]).all()
        means = np.nanmean(drawn, axis=0)
        both = [row for row in drawn if not np.isnan(row[:2]).any()]
        expected = sum((row[0] - means[0]) * (row[1] - means[1]) for row in both) / (len(both) - 1)
        assert found[0, 1] == pytest.approx(expected)
        assert np.isnan(replicate_covariance(drawn[:1])).all()


class TestBoundsOfStudentsT:
    def test_they_tell_pairs_apart_as_the_distribution_does(self) -> None:
        from scipy.special import ndtri, stdtr

        draw = np.random.default_rng(4)
        free = np.exp(draw.uniform(0.0, 11.0, 20_000))
        t = draw.normal(size=20_000) * draw.choice([1.0, 3.0, 10.0], 20_000)
        normal = -ndtri(stdtr(free, -t))
        for multiple in (np.full_like(t, 2.5), np.abs(normal), normal.clip(0.0) * (1.0 - 1e-13)):
            np.testing.assert_array_equal(_rarer(t, free, multiple), normal > multiple)
        assert not _rarer(t, free, np.full_like(t, np.inf)).any()

    def test_what_is_far_apart_loads_no_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "scipy.special", None)
        spread = np.diag([1e-4, 1e-4, 1e-4])
        found = rank_sets([0.9, 0.5, 0.5], spread, units=500, width=1.0)
        assert found.tolist() == [[1, 2, 2], [1, 3, 3]]


class TestBadInput:
    def test_twelve_that_are_equal_name_nobody(self) -> None:
        verdicts = np.tile((np.arange(40) % 3 == 0).astype(float)[:, np.newaxis], (1, 12))
        assert sets_of(verdicts) == [(1, 12)] * 12
        shuffled = np.random.default_rng(3).permuted(verdicts, axis=0)
        assert sets_of(shuffled) == [(1, 12)] * 12

    def test_all_one_value(self) -> None:
        assert sets_of(np.ones((30, 4))) == [(1, 4)] * 4
        nothing = rank_sets([3.0, 3.0], np.zeros((2, 2)), units=9, width=0.0)
        assert nothing.tolist() == [[1, 1], [2, 2]]

    def test_one_item_says_nothing(self) -> None:
        found = rank_sets([1.0, 0.0], np.full((2, 2), np.nan), units=1, width=1.0)
        assert found.tolist() == [[1, 1], [2, 2]]
        assert rank_sets([1.0, 0.0], np.zeros((2, 2)), units=1, width=1.0)[1].tolist() == [2, 2]

    def test_one_model_and_none(self) -> None:
        assert rank_sets([0.5], [[0.01]], units=20, width=1.0).tolist() == [[1], [1]]
        assert rank_sets([], np.zeros((0, 0)), units=20, width=1.0).shape == (2, 0)

    def test_all_missing_but_one(self) -> None:
        spread = np.full((3, 3), np.nan)
        spread[1, 1] = 0.01
        found = rank_sets([np.nan, 0.5, np.nan], spread, units=[0, 30, 0], width=1.0)
        np.testing.assert_array_equal(found, [[np.nan, 1, np.nan], [np.nan, 1, np.nan]])

    def test_nothing_is_sure_of_a_model_whose_spread_is_not_known(self) -> None:
        spread = np.diag([1e-4, np.nan, 1e-4])
        found = rank_sets([0.9, 0.5, 0.1], spread, units=[500, 1, 500], width=1.0)
        assert found.tolist() == [[1, 1, 2], [2, 3, 3]]

    @over_rows("n", [2, 3, 4])
    def test_few_items_that_all_differ_alike_are_not_sure(self, n: int) -> None:
        assert sets_of(np.tile([1.0, 0.0], (n, 1))) == [(1, 2)] * 2

    def test_many_items_that_all_differ_alike_are(self) -> None:
        assert sets_of(np.tile([1.0, 0.0, 0.0], (40, 1))) == [(1, 1), (2, 3), (2, 3)]

    @over_rows("width", [-1.0, math.inf, math.nan])
    def test_the_width_is_a_number(self, width: float) -> None:
        with pytest.raises(ValueError, match="width of a scale"):
            rank_sets([1.0, 2.0], np.eye(2), units=9, width=width)


class TestInvariants:
    @given(st.integers(0, 2**32), st.integers(2, 60), st.integers(1, 8))
    def test_a_set_holds_the_rank_and_one_alone_is_first(self, seed: int, n: int, p: int) -> None:
        generator = np.random.default_rng(seed)
        verdicts = (generator.random((n, p)) < generator.random(p)).astype(float)
        spread = np.cov(verdicts, rowvar=False).reshape(p, p) / n
        low, high = rank_sets(verdicts.mean(axis=0), spread, units=n, width=1.0)
        mean = verdicts.mean(axis=0).round(9)
        rank = 1 + np.greater.outer(mean, mean).sum(axis=0)
        assert (low <= rank).all()
        assert (rank <= high).all()
        assert (high <= p).all()
        # Who alone may be first is first.
        assert ((low == 1).sum() == 1) == bool((high == 1).any())

    @given(st.floats(0.01, 100.0), st.floats(-50.0, 50.0))
    def test_the_unit_of_the_scale_does_not_matter(self, factor: float, shift: float) -> None:
        verdicts = np.clip(
            np.random.default_rng(8).normal(np.linspace(0.2, 0.8, 7), 0.3, (40, 7)), 0.0, 1.0
        )
        moved = factor * verdicts + shift
        found = rank_sets(
            moved.mean(axis=0), np.cov(moved, rowvar=False) / 40, units=40, width=factor
        )
        assert [(int(a), int(b)) for a, b in found.T] == sets_of(verdicts)

    def test_higher_levels_and_fewer_units_make_wider_sets(self) -> None:
        verdicts = np.random.default_rng(8).normal(np.linspace(0.2, 0.8, 12), 0.2, (60, 12))
        spread = np.cov(verdicts, rowvar=False) / 60

        def width(units: int, level: float) -> float:
            found = rank_sets(
                verdicts.mean(axis=0), spread, units=units, width=1.0, level=level, seed=4
            )
            return float((found[1] - found[0]).sum())

        assert width(60, 0.5) < width(60, 0.95) < width(60, 0.9999)
        assert width(60, 0.95) < width(6, 0.95)
        assert width(60, 1.0 - 1e-9) == 12 * 11, "so many draws know no such quantile"

    def test_what_follows_is_sure(self) -> None:
        """Two steps down are sure, and so the third is, though its own difference varies wildly."""
        values, own = np.array([1.0, 0.5, 0.0]), 0.1**2
        spread = own * np.array([[1.0, 0.9, -1.0], [0.9, 1.0, 0.9], [-1.0, 0.9, 1.0]])
        spread[0, 2] = spread[2, 0] = -4.0 * own  # what no sample has: the two against each other
        found = rank_sets(values, spread, units=5000, width=0.0)
        assert found.tolist() == [[1, 2, 3], [1, 2, 3]]


class TestCoverage:
    """Reduced; at 95 % with 100 trials the share lies under 0.88 once in a thousand times."""

    @pytest.mark.parametrize(
        ("p", "n", "level"),
        [(5, 12, 0.5), (20, 50, 0.5), (20, 400, 0.5), (20, 50, 0.97)],
    )
    def test_ties(self, simulation: Any, p: int, n: int, level: float) -> None:
        new, old = simulation.covered(simulation.coins("", np.full(p, level)), n, 100, 10)
        assert new.share >= 0.88
        assert old.share <= 0.7

    def test_near_equal(self, simulation: Any) -> None:
        models = simulation.coins("", np.linspace(0.495, 0.505, 20))
        new, old = simulation.covered(models, 400, 50, 20)
        assert new.share >= 0.95
        assert old.share <= 0.2
        assert old.each / old.trials < 0.9

    def test_published_verdicts(self, simulation: Any) -> None:
        share = simulation.published()[0]
        for population in (simulation.spread(share, 20), simulation.dealt(share, 20)):
            new, _ = simulation.covered(population, 50, 50, 0)
            assert new.share >= 0.9

    def test_missing_and_repeated(self, simulation: Any) -> None:
        for _, tally in simulation.missing(0.3):
            assert tally.share >= 0.9

    def test_a_scale_without_ends(self) -> None:
        """Rewards of heavy tails, the width taken from what is seen."""
        generator, held = np.random.default_rng(12), 0
        for trial in range(100):
            rewards = generator.standard_t(4, size=(15, 8))
            found = rank_sets(
                rewards.mean(axis=0), np.cov(rewards, rowvar=False) / 15, units=15,
                width=float(np.ptp(rewards)), seed=trial,
            )  # fmt: skip
            held += bool((found[0] == 1).all())
        assert held >= 93

    def test_a_leader_is_named_and_nobody_of_equals(self, simulation: Any) -> None:
        p, n = 20, 400
        lead = 0.205  # 2.5 standard errors beyond the sets' own multiple
        ahead = simulation.coins("", np.r_[0.5 + lead, np.full(p - 1, 0.5)])
        new, _ = simulation.covered(ahead, n, 150, 0)
        assert new.first / new.trials >= 0.8
        ties, _ = simulation.covered(simulation.coins("", np.full(p, 0.5)), n, 150, 0)
        assert ties.first / ties.trials <= 0.05

    def test_replicates_serve_as_well_as_items(self) -> None:
        verdicts = np.random.default_rng(8).normal(np.linspace(0.2, 0.8, 8), 0.3, (60, 8))
        drawn = multinomial_weights(60, 4000, seed=1) @ verdicts / 60
        found = rank_sets(
            verdicts.mean(axis=0), replicate_covariance(drawn) * 60 / 59, units=60, width=1.0
        )
        assert np.abs(found.T - np.array(sets_of(verdicts))).sum() <= 2


class TestShrinkage:
    """Ledoit and Wolf's, by which correlations of many models on few items are drawn together."""

    def test_the_multiple_is_larger_with_it(self) -> None:
        items = np.random.default_rng(11).random((12, 60))
        covariance = np.cov(items, rowvar=False) / 12
        varies = ~np.eye(60, dtype=bool)

        def multiple(one: Floats) -> float:
            return ranking._order_statistic(ranking._largest_deviations(one, varies, 2000, 0), 0.95)

        smoothed = ranking._smoothed(covariance, 12.0)
        assert np.diag(smoothed) == pytest.approx(np.diag(covariance))
        assert multiple(smoothed) > multiple(covariance) + 0.1

    def test_rank_sets_use_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []
        plain = ranking._largest_deviations

        def kept(covariance: Floats, *more: Any) -> Floats:
            seen.append(covariance)
            return plain(covariance, *more)

        monkeypatch.setattr(ranking, "_largest_deviations", kept)
        items = np.random.default_rng(11).random((12, 60))
        sets_of(items)
        covariance = np.cov(items, rowvar=False) / 12
        assert seen[0] == pytest.approx(ranking._smoothed(covariance, 12.0))
        assert abs(seen[0] - covariance).max() > 0.1 * abs(covariance).max()


def test_equal_values_tie_in_whatever_order_they_were_added_up() -> None:
    values = np.array([0.1 + 0.2, 0.3, 0.1])
    assert values[0] != values[1]
    found = ranks(
        values, np.eye(3) * 1e-4, units=np.full(3, 50.0), width=1.0, intervals=Intervals()
    )
    assert [rank for rank, _, _ in found] == [1, 1, 3]
