"""Rankings from pairs: published examples, raw likelihoods, who is above whom, and coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats import bradley_terry as bt
from judgebench.stats import bradley_terry as cp
from judgebench.stats import ranking as rk
from judgebench.stats.resample import bca_interval, multinomial_weights, percentile_interval
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"


def square(n: int, elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, (n, n), elements=elements).map(
        lambda w: np.where(np.eye(n, dtype=bool), 0.0, w)
    )


counts = st.integers(0, 30).map(float)
full = st.integers(2, 6).flatmap(lambda n: square(n, st.integers(1, 30).map(float)))
sparse = st.integers(1, 6).flatmap(lambda n: square(n, st.sampled_from([0.0, 0.0, 1.0, 2.5])))
few = st.sampled_from([0.0, 0.0, 0.0, 1.0])


def maximum(loss: Any, n: int) -> np.ndarray:
    from scipy.optimize import minimize

    return np.asarray(minimize(loss, np.zeros(n), method="BFGS", options={"gtol": 1e-8}).x)


def rows_of(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Winner, loser and weight of each comparison that a matrix stands for."""
    first, second = np.nonzero(wins)
    return first, second, wins[first, second]


def sampled(
    generator: np.random.Generator,
    strength: np.ndarray,
    n_prompts: int,
    *,
    spread: float = 0.0,
    tie: float = 0.0,
) -> dict[str, Any]:
    """Every pair on every prompt; ``spread`` is how much a prompt suits one model or another."""
    n = len(strength)
    first, second = np.triu_indices(n, 1)
    suits = strength + spread * generator.normal(size=(n_prompts, n))
    gap = suits[:, first] - suits[:, second]
    won = (generator.random(gap.shape) < 1 / (1 + np.exp(-gap))).astype(float)
    tied = (generator.random(gap.shape) < tie).astype(float)
    return {
        "prompt": np.repeat(np.arange(n_prompts), len(first)),
        "first": np.tile(first, n_prompts),
        "second": np.tile(second, n_prompts),
        "wins": np.where(tied, 0.0, won).ravel(),
        "ties": tied.ravel(),
        "n_models": n,
        "n_prompts": n_prompts,
    }


class TestPublishedExamples:
    def test_american_league_1987(self) -> None:
        """A. Agresti (1990), Categorical Data Analysis, section 10.6: seven baseball teams, 13
        games a pair; the strengths over Baltimore's as in the BradleyTerry2 manual, "baseball"."""
        wins = [
            [0, 7, 9, 7, 7, 9, 11],
            [6, 0, 7, 5, 11, 9, 9],
            [4, 6, 0, 7, 7, 8, 12],
            [6, 8, 6, 0, 6, 7, 10],
            [6, 2, 6, 7, 0, 7, 12],
            [4, 4, 5, 6, 6, 0, 6],
            [2, 4, 1, 3, 1, 7, 0],
        ]
        strength = bt.bradley_terry(wins).strength
        expected = [1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0.0]
        np.testing.assert_allclose(strength - strength[6], expected, atol=5e-5)

    def test_citations_among_journals(self) -> None:
        """S. M. Stigler (1994), Statistical Science 9(1), 94-108; figures of the BradleyTerry2
        manual, "citations", over Biometrika."""
        cited = [[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]]
        strength = bt.bradley_terry(cited).strength
        np.testing.assert_allclose(strength - strength[0], [0, -2.9491, -0.4796, 0.2690], atol=5e-5)


class TestRawLikelihood:
    """Each comparison's probability, multiplied out and maximised by scipy."""

    @given(full)
    def test_bradley_terry(self, wins: np.ndarray) -> None:
        winner, loser, weight = rows_of(wins)
        best = maximum(lambda s: (weight * np.log1p(np.exp(s[loser] - s[winner]))).sum(), len(wins))
        found = bt.bradley_terry(wins)
        assert found.found
        np.testing.assert_allclose(found.strength, best - best.mean(), atol=2e-5)

    @given(full.flatmap(lambda w: st.tuples(st.just(w), square(len(w), counts))))
    def test_davidson(self, tables: tuple[np.ndarray, np.ndarray]) -> None:
        wins, ties = tables[0], np.triu(tables[1])
        ties[0, 1] += 1
        (winner, loser, weight), (one, other, tied) = rows_of(wins), rows_of(ties)

        def loss(at: np.ndarray) -> float:
            strength, nu = np.exp(at[:-1]), np.exp(at[-1])

            def total(i: np.ndarray, j: np.ndarray) -> np.ndarray:
                return strength[i] + strength[j] + nu * np.sqrt(strength[i] * strength[j])

            win = strength[winner] / total(winner, loser)
            tie = nu * np.sqrt(strength[one] * strength[other]) / total(one, other)
            return float(-(weight * np.log(win)).sum() - (tied * np.log(tie)).sum())

        best = maximum(loss, len(wins) + 1)
        found = bt.davidson(wins, ties + ties.T)
        assert found.found
        np.testing.assert_allclose(found.strength, best[:-1] - best[:-1].mean(), atol=1e-4)
        assert found.tie_strength == pytest.approx(np.exp(best[-1]), rel=1e-4)

    @given(st.integers(0, 2**32), st.integers(1, 3))
    def test_covariates_equal_a_logistic_regression(self, seed: int, n_styles: int) -> None:
        import statsmodels.api as sm

        generator = np.random.default_rng(seed)
        n, rows = 4, 400
        first = generator.integers(0, n, rows)
        second = (first + generator.integers(1, n, rows)) % n
        styles = generator.normal(size=(rows, n_styles)) * [1.0, 100.0, 0.01][:n_styles]
        share = generator.choice([0.0, 0.2, 0.5, 1.0], size=rows)
        weights = generator.integers(1, 4, rows).astype(float)
        found = bt.controlled(first, second, share, styles, weights[np.newaxis], n_models=n)
        design = np.eye(n)[first] - np.eye(n)[second]
        other = sm.GLM(
            share, np.c_[design[:, 1:], styles], sm.families.Binomial(), freq_weights=weights
        ).fit(tol=1e-12)
        np.testing.assert_allclose(
            found.strength[0] - found.strength[0, 0], [0, *other.params[: n - 1]], atol=1e-7
        )
        np.testing.assert_allclose(found.coefficients[0], other.params[n - 1 :], rtol=1e-6)

    @given(st.floats(0.1, 50), st.floats(0.1, 50), st.floats(0, 50))
    def test_two_models_in_closed_form(self, won: float, lost: float, tied: float) -> None:
        """Davidson's model of two is saturated: it repeats the three shares."""
        found = bt.davidson([[0, won], [lost, 0]], [[0, tied], [tied, 0]])
        gap = found.strength[0] - found.strength[1]
        assert gap == pytest.approx(np.log(won / lost), abs=1e-9)
        assert found.tie_strength == pytest.approx(tied / np.sqrt(won * lost), rel=1e-9, abs=1e-11)
        share = (won + tied / 2) / (won + lost + tied)
        assert bt.win_probability(gap, found.tie_strength) == pytest.approx(share, abs=1e-9)

    def test_far_apart(self) -> None:
        """One loss in a million, over a chain: log-odds of 14, 28 and 41."""
        wins = np.diag(np.full(3, 1e6), 1) + np.diag(np.ones(3), -1)
        strength = bt.bradley_terry(wins).strength
        np.testing.assert_allclose(-np.diff(strength), np.log(1e6), rtol=1e-9)

    @given(full, st.floats(1e-6, 1e6))
    def test_scale_of_the_weights_does_not_matter(self, wins: np.ndarray, scale: float) -> None:
        np.testing.assert_allclose(
            bt.bradley_terry(scale * wins).strength, bt.bradley_terry(wins).strength, atol=1e-8
        )

    @given(st.lists(square(4, counts), min_size=1, max_size=5))
    def test_many_at_once_equal_each_alone(self, stack: list[np.ndarray]) -> None:
        together = bt.bradley_terry(np.array(stack))
        for place, wins in enumerate(stack):
            alone = bt.bradley_terry(wins)
            np.testing.assert_array_equal(together.reaches[place], alone.reaches)
            np.testing.assert_allclose(together.strength[place], alone.strength, atol=1e-8)


class TestWhichStrengthsExist:
    @given(sparse)
    def test_groups_are_strongly_connected_components(self, wins: np.ndarray) -> None:
        from scipy.sparse.csgraph import connected_components, shortest_path

        reaches = bt.who_reaches_whom(wins)
        _, labels = connected_components(wins > 0, directed=True, connection="strong")
        np.testing.assert_array_equal(reaches & reaches.T, labels[:, None] == labels)
        np.testing.assert_array_equal(reaches, np.isfinite(shortest_path(wins > 0)))

    @given(sparse)
    def test_inside_a_group_the_rest_does_not_matter(self, wins: np.ndarray) -> None:
        found = bt.bradley_terry(wins)
        assert found.found
        same = found.reaches & found.reaches.T
        for members in {tuple(np.flatnonzero(row)) for row in same}:
            alone = bt.bradley_terry(wins[np.ix_(members, members)])
            np.testing.assert_allclose(found.strength[list(members)], alone.strength, atol=1e-8)

    @given(sparse.flatmap(lambda w: st.tuples(st.just(w), square(len(w), few))))
    def test_davidson_is_found_exactly_where_no_direction_separates(
        self, tables: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """A linear program looks for a direction along which no outcome becomes less likely."""
        from scipy.optimize import linprog

        wins, ties = tables[0], np.triu(tables[1])
        found = bt.davidson(wins, ties + ties.T)
        same = found.reaches & found.reaches.T
        n = len(wins)
        inside_ties = np.argwhere((ties > 0) & same)
        if not len(inside_ties):
            assert found.found
            assert found.tie_strength == 0
            return
        faces = []  # each must be at most 0 along (strengths, log nu)
        for i, j in np.argwhere((wins > 0) & same):
            gap = np.eye(n + 1)[i] - np.eye(n + 1)[j]
            faces += [-gap, 2 * np.eye(n + 1)[n] - gap]
        for i, j in inside_ties:
            gap = np.eye(n + 1)[i] - np.eye(n + 1)[j]
            faces += [gap - 2 * np.eye(n + 1)[n], -gap - 2 * np.eye(n + 1)[n]]
        best = linprog(np.sum(faces, axis=0), A_ub=faces, b_ub=np.zeros(len(faces)),
                       bounds=[(-1, 1)] * (n + 1))  # fmt: skip
        assert bool(found.found) == (best.fun > -1e-9)

    def test_everything_tied_has_no_nu(self) -> None:
        found = bt.davidson(np.zeros((2, 2)), [[0, 3], [3, 0]])
        assert not found.found
        assert np.isnan(found.strength).all()
        assert np.isnan(found.tie_strength)

    def test_a_vanishing_soft_win_connects_nothing(self) -> None:
        assert not bt.who_reaches_whom([[0, 1.0], [1e-14, 0]])[1, 0]
        assert bt.who_reaches_whom([[0, 1.0], [1e-10, 0]])[1, 0]

    @over_rows("wins", [[[1.0]], [[0, -1], [1, 0]], [[0, np.nan], [1, 0]], [[0, 1, 2]]])
    def test_bad_sums(self, wins: Any) -> None:
        with pytest.raises(ValueError, match=r"square|finite|itself"):
            bt.bradley_terry(wins)

    def test_a_tie_is_of_both(self) -> None:
        with pytest.raises(ValueError, match="symmetric"):
            bt.davidson([[0, 1], [1, 0]], [[0, 1], [0, 0]])


def ranking_of(
    rows: list[tuple[int, int, float]], n: int, *, prompts: int | None = None, **options: Any
) -> rk.Ranking:
    first, second, wins = (np.array(column) for column in zip(*rows, strict=True))
    prompt = np.arange(len(rows)) % (prompts or len(rows))
    made = cp.compare(
        prompt, first, second, wins, n_models=n, n_prompts=prompts or len(rows),
        average_repeats=False,
    )  # fmt: skip
    if "replicates" in options:
        options["draws"] = multinomial_weights(
            made.n_prompts, options.pop("replicates"), seed=options.pop("seed", 1)
        )
    return rk.rank_models(made, **options)


BOTH = [(1, 2, 1.0)] * 6 + [(1, 2, 0.0)] * 4


class TestSweeps:
    def test_a_winner_of_everything_has_a_bound_and_no_strength(self) -> None:
        found = ranking_of([(0, 1, 1.0)] * 8 + BOTH, 3)
        assert np.isnan(found.strength[0])
        assert found.reason[0] == "won every comparison: above all it met, by no known amount"
        assert found.above.tolist() == [[False, True, True], [False] * 3, [False] * 3]
        np.testing.assert_allclose(found.strength[1:], [np.log(1.5) / 2, -np.log(1.5) / 2])
        assert found.reason[1:] == ("", "")
        assert found.group.tolist() == [1, 0, 0]
        assert found.component.tolist() == [0, 0, 0]
        assert found.rank.tolist() == [1, 2, 3]
        assert np.isnan(found.difference[0, 1:]).all()

    def test_a_loser_of_everything(self) -> None:
        found = ranking_of([(0, 1, 0.0)] * 8 + BOTH, 3)
        assert found.reason[0].startswith("lost every comparison: below all it met")
        assert found.rank.tolist() == [3, 1, 2]

    def test_disconnected_groups_are_not_on_one_scale(self) -> None:
        other = [(3, 4, 1.0)] * 3 + [(3, 4, 0.0)]
        found = ranking_of([*BOTH, (0, 1, 1.0), (1, 0, 1.0), *other], 6)
        assert found.group.tolist() == [0, 0, 0, 1, 1, 2]
        assert found.component.tolist() == [0, 0, 0, 1, 1, 2]
        assert np.isnan(found.strength[3:]).all()
        assert found.difference[3, 4] == pytest.approx(np.log(3))
        assert np.isnan(found.difference[0, 3])
        assert np.isnan(found.rank).all()
        assert found.reason[3] == "not connected with the ranked models by any comparison"
        assert found.reason[5] == "never compared"

    def test_a_group_above_and_a_model_nothing_is_known_of(self) -> None:
        above = [(3, 4, 1.0), (4, 3, 1.0), (3, 1, 1.0)]
        loose = [(5, 1, 1.0), (0, 5, 1.0), (0, 6, 1.0), (6, 2, 1.0)]
        inner = [*BOTH, (1, 7, 1.0), (7, 1, 1.0)]
        found = ranking_of([*inner, *above, *loose], 8)
        assert found.reason[3] == found.reason[4]
        assert found.reason[3].startswith("above the ranked models")
        assert found.reason[5].startswith("above the ranked models")
        assert found.above[0, 6]
        assert not found.above[6, 3]
        assert not found.above[3, 6]

    def test_nobody_beat_anybody_back(self) -> None:
        found = ranking_of([(0, 1, 1.0), (1, 2, 1.0)], 3)
        assert np.isnan(found.strength).all()
        assert found.rank.tolist() == [1, 2, 3]
        assert found.reason[1] == "no two models beat each other, directly or through others"

    def test_nothing_at_all(self) -> None:
        empty = cp.compare([], [], [], [], n_models=2, n_prompts=0)
        found = rk.rank_models(empty, draws=np.zeros((4, 0)))
        assert found.reason == ("never compared", "never compared")
        assert np.isnan(found.strength).all()
        assert np.isnan(cp.win_rates(empty).rate).all()

    def test_against_evalica(self) -> None:
        """Equal on connected data; one sweep, and evalica 0.4.2 gives every model one score; and
        it puts unconnected groups on one scale."""
        evalica = pytest.importorskip("evalica", reason="evalica is not installed")
        winner = evalica.Winner

        def scores(rows: list[tuple[int, int, float]]) -> np.ndarray:
            first, second, wins = zip(*rows, strict=True)
            outcomes = [{1.0: winner.X, 0.0: winner.Y}.get(w, winner.Draw) for w in wins]
            found = evalica.bradley_terry(first, second, outcomes, tolerance=1e-10, limit=10_000)
            log = np.log(found.scores.sort_index().to_numpy())
            return np.asarray(log - log.mean())

        generator = np.random.default_rng(3)
        connected = [
            (int(i), int((i + d) % 5), float(w))
            for i, d, w in zip(
                generator.integers(0, 5, 300), generator.integers(1, 5, 300),
                generator.choice([0.0, 0.5, 1.0], 300), strict=True,
            )
        ]  # fmt: skip
        ours = ranking_of(connected, 5).strength
        np.testing.assert_allclose(ours, scores(connected), atol=1e-6)

        swept = [(0, 1, 1.0)] * 8 + BOTH
        assert np.ptp(scores(swept)) == 0
        ours = ranking_of(swept, 3).strength
        assert ours[1] > ours[2]

        apart = [(0, 1, 1.0)] * 3 + [(0, 1, 0.0)] + [(2, 3, 1.0)] * 3 + [(2, 3, 0.0)]
        assert scores(apart)[0] == pytest.approx(scores(apart)[2])
        assert np.isnan(ranking_of(apart, 4).difference[0, 2])


class TestReplicates:
    def test_a_replicate_is_a_data_set_drawn_with_replacement(self) -> None:
        generator = np.random.default_rng(5)
        data = sampled(generator, np.array([0.5, 0.0, -0.5]), 30, tie=0.2)
        data["weights"] = generator.choice([1.0, 2.0], len(data["prompt"]))
        styles = generator.normal(size=(len(data["prompt"]), 1))
        draws = multinomial_weights(30, 4, seed=2)
        for options in ({}, {"ties": "davidson"}, {"covariates": styles}, {"reference": 1}):
            whole = cp.compare(**data)
            for weights in draws:
                prompts = np.repeat(np.arange(30), weights.astype(int))
                drawn = np.concatenate([np.flatnonzero(whole.prompt == p) for p in prompts])
                part = {k: v[drawn] for k, v in data.items() if isinstance(v, np.ndarray)}
                part["prompt"] = np.repeat(np.arange(30), 3)
                again = cp.compare(**part, n_models=3, n_prompts=30)
                other = dict(options)
                if "covariates" in options:
                    other["covariates"] = styles[drawn]
                one = rk.rank_models(whole, draws=weights[np.newaxis], **options)
                alone = rk.rank_models(again, **other)
                np.testing.assert_allclose(one.low, alone.strength, atol=1e-7)
                np.testing.assert_allclose(one.difference_high, alone.difference, atol=1e-7)
                np.testing.assert_allclose(one.coefficients_low, alone.coefficients, atol=1e-7)

    def test_a_model_that_sweeps_in_many_replicates_has_no_upper_bound(self) -> None:
        """One loss in forty is missing from 36 % of the replicates: there, the model is above."""
        rows = [(0, 1, 1.0)] * 39 + [(0, 1, 0.0)] + [(1, 2, 1.0)] * 20 + [(1, 2, 0.0)] * 20
        found = ranking_of(rows, 3, replicates=2000)
        assert np.isfinite(found.strength).all()
        assert found.high[0] == np.inf
        assert 1.0 < found.low[0] < found.strength[0]
        assert np.isfinite([*found.low[1:], *found.high[1:]]).all()
        assert found.difference_high[0, 1] == np.inf
        assert found.difference_low[1, 0] == -np.inf
        assert found.probability_above[0, 1] == 1.0
        assert found.undefined[0, 1] == 0
        assert (found.rank_low[0], found.rank_high[0]) == (1, 1)

    def test_what_the_data_leave_without_bound_is_not_resampled(self) -> None:
        few = ranking_of([(0, 1, 1.0)] * 3 + BOTH, 3, replicates=500)
        many = ranking_of([(0, 1, 1.0)] * 12 + [(0, 2, 1.0)] * 3 + BOTH, 3, replicates=500)
        for found in (few, many):
            assert np.isnan(found.difference_low[0]).all() or found.difference_low[0, 0] == 0
            assert np.isnan(found.probability_above[0]).all()
        # Three wins of three are chance once in eight; twelve of twelve are not.
        assert (few.rank_low[0], few.rank_high[0]) == (1, 3)
        assert (many.rank_low[0], many.rank_high[0]) == (1, 2)
        assert many.rank_low[1] == 2

    def test_no_interval_where_models_are_often_not_connected(self) -> None:
        """Two groups joined by two comparisons on one prompt: 37 % of the replicates lack it."""
        rows = BOTH + [(3, 4, 1.0)] * 5 + [(3, 4, 0.0)] * 5 + [(0, 1, 1.0), (1, 0, 1.0)]
        first, second, wins = (np.array(column) for column in zip(*rows, strict=True))
        bridge = (np.array([1, 3]), np.array([3, 1]), np.ones(2))
        first, second, wins = (
            np.r_[a, b] for a, b in zip((first, second, wins), bridge, strict=True)
        )
        prompt = np.r_[np.arange(len(rows)), len(rows), len(rows)]
        made = cp.compare(prompt, first, second, wins, n_models=5, n_prompts=len(rows) + 1)
        draws = multinomial_weights(len(rows) + 1, 2000, seed=1)
        found = rk.rank_models(made, draws=draws)
        assert np.isfinite(found.difference[1, 3])
        assert found.undefined[1, 3] == pytest.approx(np.exp(-1), abs=0.04)
        assert np.isnan([found.difference_low[1, 3], found.probability_above[1, 3]]).all()
        assert np.isfinite(found.difference_low[1, 2])

    def test_sides_and_names_do_not_matter(self) -> None:
        generator = np.random.default_rng(8)
        data = sampled(generator, np.array([1.0, 0.2, 0.0, -1.0]), 50, tie=0.2)
        draws = multinomial_weights(50, 200, seed=3)
        swapped = data | {
            "first": data["second"], "second": data["first"],
            "wins": 1 - data["wins"] - data["ties"],
        }  # fmt: skip
        new = np.array([2, 0, 3, 1])
        renamed = data | {"first": new[data["first"]], "second": new[data["second"]]}
        for ties in ("half", "davidson"):
            one, two, three = (
                rk.rank_models(cp.compare(**d), draws=draws, ties=ties)
                for d in (data, swapped, renamed)
            )
            for name in ("strength", "low", "high", "rank_low", "rank_high"):
                plain = getattr(one, name)
                np.testing.assert_allclose(getattr(two, name), plain, atol=1e-8)
                np.testing.assert_allclose(getattr(three, name)[new], plain, atol=1e-8)
            np.testing.assert_allclose(
                one.probability_above + one.probability_above.T,
                np.where(np.eye(4, dtype=bool), np.nan, 1.0),
            )

    def test_both_orders_and_repeats_are_one_comparison(self) -> None:
        prompt, first, second = [0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 1]
        made = cp.compare(prompt, first, second, [1, 0, 1, 0], n_models=2, n_prompts=2)
        np.testing.assert_allclose(made.weights, [1 / 3, 1 / 3, 1 / 3, 1])
        assert rk.rank_models(made).difference[0, 1] == pytest.approx(0)
        rates = cp.win_rates(made)
        assert rates.rate[0, 1] == pytest.approx(0.5)
        assert rates.n.tolist() == [[0, 2], [2, 0]]
        rows = cp.compare(
            prompt, first, second, [1, 0, 1, 0], n_models=2, n_prompts=2, average_repeats=False
        )
        assert rk.rank_models(rows).difference[0, 1] == pytest.approx(np.log(3))

    def test_reference(self) -> None:
        data = sampled(np.random.default_rng(1), np.array([1.0, 0.0, -1.0]), 60)
        draws = multinomial_weights(60, 100, seed=1)
        found = rk.rank_models(cp.compare(**data), draws=draws, reference=1)
        assert (found.strength[1], found.low[1], found.high[1]) == (0, 0, 0)
        np.testing.assert_array_equal(found.low, found.difference_low[:, 1])
        swept = ranking_of([(0, 1, 1.0)] * 8 + BOTH, 3, reference=0)
        assert np.isnan(swept.strength).all()
        assert swept.reason[1] == "the reference is not among the ranked models"


class TestExtendedInterval:
    @given(hnp.arrays(np.float64, (40, 3), elements=st.floats(-5, 5)), st.integers(0, 12))
    def test_equals_the_percentile_interval_where_finite(self, values: Any, gone: int) -> None:
        values[:gone, 0] = np.nan
        np.testing.assert_allclose(rk.extended_interval(values), percentile_interval(values))

    def test_infinite_replicates_make_an_infinite_end(self) -> None:
        values = np.r_[np.arange(95.0), np.full(5, np.inf)]
        low, high = rk.extended_interval(values)
        assert low == pytest.approx(2.475)
        assert high == np.inf
        assert rk.extended_interval(np.full(9, -np.inf)) == (-np.inf, -np.inf)
        assert np.isnan(rk.extended_interval([np.nan, 1.0])).all()


class TestBca:
    @over_rows("options", [{}, {"ties": "davidson"}, {"covariates": True}])
    def test_equals_bca_with_every_prompt_left_out_in_turn(self, options: dict[str, Any]) -> None:
        """Influences stand for refitting without each prompt."""
        generator = np.random.default_rng(12)
        n = 60
        data = sampled(generator, np.array([1.5, 0.0, -1.5]), n, spread=1.0, tie=0.15)
        made = cp.compare(**data)
        options = dict(options)
        if "covariates" in options:
            options["covariates"] = generator.normal(size=(len(made.prompt), 1))
        found = rk.rank_models(made, draws=multinomial_weights(n, 60, seed=1), **options)
        gaps, strengths, styles = [], [], []
        for weights in (*multinomial_weights(n, 60, seed=1), *(1 - np.eye(n))):
            one = rk.rank_models(made, draws=weights[np.newaxis], **options)
            gaps.append(one.difference_low)
            strengths.append(one.low)
            styles.append(one.coefficients_low)
        for value, low, high, refits in (
            (found.difference, found.difference_low, found.difference_high, gaps),
            (found.strength, found.low, found.high, strengths),
            (found.coefficients, found.coefficients_low, found.coefficients_high, styles),
        ):
            all_ = np.array(refits)
            expected = bca_interval(value, all_[:60], all_[60:])
            defined = ~np.isnan(expected[0])
            np.testing.assert_allclose(low[defined], expected[0][defined], atol=0.02)
            np.testing.assert_allclose(high[defined], expected[1][defined], atol=0.02)

    @given(hnp.arrays(np.float64, (60, 3), elements=st.floats(-5, 5)), st.floats(-0.1, 0.1))
    def test_equals_the_common_one_where_finite(self, values: Any, bend: float) -> None:
        value = np.median(values, axis=0) + 0.1
        low, high = rk.extended_interval(values, value=value, acceleration=0.0)
        expected = bca_interval(value, values, np.zeros((4, 3)))
        inside = ~np.isnan(expected[0])
        np.testing.assert_allclose(low[inside], expected[0][inside])
        np.testing.assert_allclose(high[inside], expected[1][inside])
        bent = rk.extended_interval(values, value=value, acceleration=bend)
        assert (np.sign(bend) * (bent[0] - low) >= -1e-9)[inside].all()


class TestRanks:
    @given(st.integers(0, 2**32))
    def test_sure_are_differences_outside_intervals_that_all_hold_at_once(self, seed: int) -> None:
        """One replicate after the other: 95 of 99 lie inside the intervals of all pairs, and one
        step less wide they would not; then Student's quantile for the normal's."""
        from scipy import stats

        generator = np.random.default_rng(seed)
        strength = generator.normal([0.0, 3.0, 4.0, 9.0], 1, size=(99, 4))
        strength[:5, 3] = np.inf
        pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
        values = {(i, j): strength[:, i] - strength[:, j] for i, j in pairs}
        data = {pair: np.median(of) for pair, of in values.items()}
        spread = {
            pair: np.diff(np.percentile(of, [15.865, 84.135]))[0] / 2 for pair, of in values.items()
        }
        multiples = sorted(
            max(
                abs(values[pair][row] - data[pair]) / spread[pair]
                for pair in pairs
                if np.isfinite(values[pair][row])
            )
            for row in range(99)
        )
        n = 40
        student = stats.t.ppf(stats.norm.cdf(multiples[94]), n - 1) * np.sqrt(n / (n - 1))
        joint = rk._Joint(4, 99)
        for i in range(4):
            after = [(i, j) for j in range(i + 1, 4)]
            joint.add(
                i,
                np.array([values[pair] for pair in after]).T.reshape(99, len(after)),
                np.array([data[pair] for pair in after]),
            )
        found = joint.surely(0.95, n)
        for i, j in pairs:
            reach = student * spread[i, j]
            assert found[i, j] == (data[i, j] > reach)
            assert found[j, i] == (data[i, j] < -reach)

    def test_nothing_is_sure_with_few_replicates_or_one_prompt(self) -> None:
        rows = [(0, 1, 1.0)] * 30 + [(0, 1, 0.0)] * 2
        assert ranking_of(rows, 2, replicates=18).rank_high.tolist() == [2, 2]
        assert ranking_of(rows, 2, replicates=200).rank_high.tolist() == [1, 2]
        alone = ranking_of(rows, 2, prompts=1, replicates=200)
        assert np.isnan([alone.low, alone.rank_low, alone.difference_high[0]]).all()

    def test_equal_models_keep_every_rank(self) -> None:
        data = sampled(np.random.default_rng(4), np.zeros(5), 100)
        found = rk.rank_models(cp.compare(**data), draws=multinomial_weights(100, 1000, seed=1))
        assert (found.rank_low <= found.rank).all()
        assert (found.rank <= found.rank_high).all()
        assert (found.rank_high - found.rank_low >= 3).all()

    @over_rows("one", [False, True])
    def test_all_sets_hold_at_once_on_few_prompts(self, one: bool) -> None:
        """Eight models that are equal, on twelve prompts; the sets of each by itself held all in
        81 % of samples."""
        generator, held = np.random.default_rng(3), 0
        for trial in range(40):
            data = sampled(generator, np.zeros(8), 12, spread=0.5)
            if one:
                kept = (data["first"] == 0) | (data["second"] == 0)
                data = {
                    name: value[kept] if np.ndim(value) else value for name, value in data.items()
                }
            found = rk.rank_models(
                cp.compare(**data), draws=multinomial_weights(12, 300, seed=trial)
            )
            held += bool((found.rank_low == 1).all() and (found.rank_high == 8).all())
        assert held >= 35

    def test_win_rates_and_their_intervals(self) -> None:
        made = cp.compare(np.arange(10), [0] * 10, [1] * 10, [1.0] * 10, n_models=3, n_prompts=10)
        rates = cp.win_rates(made)
        assert rates.rate[0, 1] == 1
        assert rates.rate[1, 0] == 0
        assert rates.low[0, 1] == pytest.approx(0.7225, abs=1e-4)
        assert np.isnan(rates.rate[0, 2])
        assert np.isnan(rates.low[0, 2])


class TestStyle:
    def test_length_explains_what_looked_like_strength(self) -> None:
        """Two equal models; one writes longer, and the judge likes length."""
        generator = np.random.default_rng(6)
        n = 3000
        lengths = generator.lognormal(size=(n, 2)) * [4.0, 1.0]
        style = rk.relative_difference(lengths[:, 0], lengths[:, 1])[:, np.newaxis]
        won = generator.random(n) < 1 / (1 + np.exp(-2 * style[:, 0]))
        made = cp.compare(np.arange(n), np.zeros(n), np.ones(n), won, n_models=2, n_prompts=n)
        draws = multinomial_weights(n, 200, seed=1)
        plain = rk.rank_models(made, draws=draws)
        fair = rk.rank_models(made, draws=draws, covariates=style)
        assert plain.difference_low[0, 1] > 0.5
        assert fair.difference_low[0, 1] < 0 < fair.difference_high[0, 1]
        assert fair.coefficients_low[0] < 2 < fair.coefficients_high[0]

    def test_a_covariate_that_is_the_models_own_cannot_be_told_apart(self) -> None:
        data = sampled(np.random.default_rng(2), np.array([0.3, 0.0, -0.3]), 40)
        made = cp.compare(**data)
        own = np.array([3.0, 1.0, 7.0])
        constant = (own[made.first] - own[made.second])[:, np.newaxis]
        for styles in (constant, np.zeros_like(constant)):
            found = rk.rank_models(made, covariates=styles)
            assert np.isnan(found.strength).all()
            assert np.isnan(found.coefficients).all()
            assert set(found.reason) == {"the fit has no finite answer"}

    def test_a_covariate_that_divides_wins_from_losses(self) -> None:
        data = sampled(np.random.default_rng(2), np.array([0.3, 0.0, -0.3]), 40)
        made = cp.compare(**data)
        found = rk.rank_models(made, covariates=(2 * made.wins - 1)[:, np.newaxis])
        assert np.isnan(found.coefficients).all()

    def test_relative_difference(self) -> None:
        np.testing.assert_allclose(rk.relative_difference([300, 0, 0], [100, 0, 5]), [0.5, 0, -1])
        np.testing.assert_allclose(rk.relative_difference([0.5], [0.0], floor=1), [1 / 3])


class TestBadInput:
    @over_rows(
        ("changed", "message"),
        [
            ({"wins": [1.0]}, "lengths differ"),
            ({"prompt": [0, 2]}, "codes of prompts"),
            ({"second": [1, 3]}, "codes of models"),
            ({"second": [1, 1]}, "itself"),
            ({"wins": [1.0, np.nan]}, "shares"),
            ({"wins": [1.0, 0.7], "ties": [0.0, 0.5]}, "shares"),
            ({"weights": [1.0, -1.0]}, "weights"),
        ],
    )
    def test_comparisons(self, changed: dict[str, Any], message: str) -> None:
        good = {"prompt": [0, 1], "first": [0, 1], "second": [1, 2], "wins": [1.0, 0.5]}
        with pytest.raises(ValueError, match=message):
            cp.compare(**(good | changed), n_models=3, n_prompts=2)

    @over_rows(
        ("options", "message"),
        [
            ({"draws": np.ones((2, 3))}, "draws"),
            ({"draws": -np.ones((2, 2))}, "draws"),
            ({"covariates": np.ones((1, 1))}, "covariates"),
            ({"covariates": np.full((2, 1), np.nan)}, "covariates"),
            ({"covariates": np.ones((2, 1)), "ties": "davidson"}, "half wins"),
            ({"ties": "rao"}, "'rao'"),
            ({"reference": 2}, "reference"),
        ],
    )
    def test_options(self, options: dict[str, Any], message: str) -> None:
        made = cp.compare([0, 1], [0, 1], [1, 0], [1, 1], n_models=2, n_prompts=2)
        with pytest.raises(ValueError, match=message):
            rk.rank_models(made, **options)


class TestCoverage:
    """Reduced; `perf/ranking_coverage.py` runs the full one."""

    def test_prompts_cover_and_rows_do_not(self) -> None:
        """Six models on 60 prompts, each of which suits some models more than others."""
        generator = np.random.default_rng(20240618)
        strength = np.linspace(-1, 1, 6)
        population = sampled(generator, strength, 20_000, spread=2.0)
        truth = rk.rank_models(cp.compare(**population)).difference
        upper = np.triu_indices(6, 1)
        by_prompt, by_row = [], []
        for trial in range(40):
            data = sampled(generator, strength, 60, spread=2.0)
            for units, held in ((60, by_prompt), (900, by_row)):
                unit = data["prompt"] if units == 60 else np.arange(900)
                made = cp.compare(**(data | {"prompt": unit, "n_prompts": units}))
                draws = multinomial_weights(units, 200, seed=trial)
                found = rk.rank_models(made, draws=draws)
                inside = (found.difference_low <= truth) & (truth <= found.difference_high)
                held.append(inside[upper].mean())
        assert 0.92 <= np.mean(by_prompt) <= 0.975
        assert np.mean(by_row) < 0.85


@pytest.mark.skipif(
    not (GOLD / "annotations.parquet").exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)
class TestPublishedJudgments:
    def test_against_one_baseline_strengths_are_the_log_odds_of_the_win_rates(self) -> None:
        """28 models of AlpacaEval 2, soft verdicts; the published win rates give the strengths."""
        import pandas as pd

        baseline = "gpt4_1106_preview"
        table = pd.read_parquet(
            GOLD / "annotations.parquet", columns=["model", "index", "preference"]
        ).dropna()
        table = table[table.model != baseline]
        rate = pd.read_csv(GOLD / "expected.csv").set_index("model").win_rate.dropna() / 100
        names = [baseline, *sorted(set(table.model))]
        made = cp.compare(
            table["index"], table.model.map(names.index), np.zeros(len(table)),
            table.preference - 1, n_models=len(names), n_prompts=805,
        )  # fmt: skip
        found = rk.rank_models(
            made, draws=multinomial_weights(805, 100, seed=1), reference=names.index(baseline)
        )
        checked = 0
        for code, name in enumerate(names[1:], start=1):
            if name in rate:
                odds = np.log(rate[name] / (1 - rate[name]))
                assert found.strength[code] == pytest.approx(odds, abs=1e-8), name
                assert found.low[code] < odds < found.high[code]
                checked += 1
        assert checked >= 26


def test_nothing_is_sure_of_verdicts_that_are_all_the_same() -> None:
    """17 prompts, three models against a fourth, always with the same chances."""
    chances = [0.8, 0.4, 0.4]
    prompt = np.repeat(np.arange(17), 3)
    made = cp.compare(
        prompt,
        np.tile([0, 1, 2], 17),
        np.full(51, 3),
        np.tile(chances, 17),
        n_models=4,
        n_prompts=17,
    )
    found = rk.rank_models(made, draws=multinomial_weights(17, 500, seed=1))
    assert [list(ends) for ends in (found.rank_low, found.rank_high)] == [[1] * 4, [4] * 4]


@over_rows(("prompts", "sure"), [(5, False), (6, True)])
def test_who_wins_all_is_above_where_the_sign_test_says_so(prompts: int, sure: bool) -> None:
    """Two-sided: chance wins all of five with 2/32, more than 5 %, and all of six with 2/64."""
    found = ranking_of([(0, 1, 1.0)] * prompts, 2, replicates=200)
    ends = [found.rank_low.tolist(), found.rank_high.tolist()]
    assert ends == ([[1, 2], [1, 2]] if sure else [[1, 1], [2, 2]])
