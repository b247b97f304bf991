"""Judge drift: how often an unchanged judge is called changed, and what is found."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad

from judgebench.stats.judge_drift import ALPHA, calibrated, drift, p_shift, p_unlike
from tests.table import over_rows

Floats = NDArray[np.float64]


def nothing_lost(values: Floats) -> NDArray[np.bool_]:
    return np.zeros(values.shape, dtype=np.bool_)


def followed(values: Floats, seed: int = 0) -> int | None:
    return drift(values, nothing_lost(values), seed=seed).since


def looks(mean: Floats, nights: int, generator: np.random.Generator) -> Floats:
    """A judge that says yes to each answer with a probability of its own."""
    return (generator.random((nights, len(mean))) < mean).astype(np.float64)


def test_the_shift_p_value_is_that_of_all_exchanges() -> None:
    """Two looks at six answers: each pair changes hands or not, 64 ways in all."""
    values = np.array([[0.1, 0.5, 0.9, 0.3, 0.6, 0.2], [0.4, 0.7, 0.8, 0.9, 0.9, 0.6]])
    moved = values[1] - values[0]
    ways = [abs(sum(s * d for s, d in zip(signs, moved, strict=True)))
            for signs in itertools.product((1, -1), repeat=6)]  # fmt: skip
    exact = np.mean(np.array(ways) >= abs(moved.sum()) - 1e-9)
    found = p_shift(values, np.random.default_rng(1))
    assert found == pytest.approx(exact, abs=0.02)


def test_the_unlike_p_value_counts_whom_the_newest_look_is_apart_from() -> None:
    """Where two looks agree and the third does not, each of the three could be the odd one."""
    values = np.array([[1.0] * 4, [1.0] * 4, [0.0] * 4])
    found = p_unlike(values, nothing_lost(values), np.random.default_rng(1))
    assert found == pytest.approx(1 / 3**4, rel=0.1)
    values = np.array([[1.0] * 4, [0.0] * 4, [1.0] * 4])
    found = p_unlike(values, nothing_lost(values), np.random.default_rng(1))
    assert found == 1.0


def test_two_looks_say_nothing_of_verdicts_that_change_both_ways() -> None:
    values = np.array([[1.0, 0.0] * 20, [0.0, 1.0] * 20])
    assert p_unlike(values, nothing_lost(values), np.random.default_rng(1)) is None
    assert followed(values) is None


def test_a_reply_that_nobody_can_read_is_another_verdict() -> None:
    values = np.ones((3, 10))
    values[2] = np.nan
    lost = nothing_lost(values)
    assert drift(values, lost, seed=0).since is None  # not asked: nothing is known
    lost[2] = True
    assert drift(values, lost, seed=0).since == 2


@over_rows("p", [1e-12, 1e-6, 0.001, 0.05, 0.5, 0.9])
def test_calibrated_is_the_mean_over_all_bets(p: float) -> None:
    k = (np.arange(200_000) + 0.5) / 200_000
    assert calibrated(p) == pytest.approx(np.mean(k * p ** (k - 1.0)), rel=1e-4)


def test_calibrated_is_a_fair_bet() -> None:
    """Over a uniform p it is 1: all but 1 / 690 of it lies above exp(-690)."""
    won, _ = quad(lambda u: calibrated(math.exp(-u)) * math.exp(-u), 0.0, 690.0, limit=500)
    assert won == pytest.approx(1.0 - 1.0 / 690.0, abs=1e-4)
    assert calibrated(1.0) == 0.5
    for wrong in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="a p-value is in"):
            calibrated(wrong)


def test_an_unchanged_judge_is_hardly_ever_called_changed() -> None:
    """However noisy it is, and however long it is watched."""
    called = 0
    for one in range(60):
        generator = np.random.default_rng([7, one])
        mean = generator.beta(0.5, 0.5, 40)
        called += followed(looks(mean, 15, generator), seed=one) is not None
    assert called / 60 <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / 60)


def test_a_steady_judge_that_changes_is_found_the_same_night() -> None:
    generator = np.random.default_rng(3)
    before = (generator.random(60) < 0.6).astype(np.float64)
    after = before.copy()
    after[:12] = 1.0 - after[:12]  # in both directions, so that the mean hardly moves
    values = np.array([before, before, before, after, after])
    found = drift(values, nothing_lost(values), seed=0)
    assert (found.since, found.called) == (3, True)
    assert found.p_value <= ALPHA
    assert len(found.unlike) == 3


def test_a_noisy_judge_that_moves_is_found() -> None:
    generator = np.random.default_rng(4)
    mean = generator.uniform(0.3, 0.9, 150)
    values = np.vstack([looks(mean, 5, generator), looks(mean - 0.3, 5, generator)])
    assert followed(values) in (5, 6)


def test_one_look_says_nothing() -> None:
    found = drift(np.ones((1, 5)), np.zeros((1, 5), dtype=np.bool_), seed=0)
    assert (found.since, found.shift, found.unlike) == (None, (), ())
    assert math.isnan(found.p_value)


def test_a_judge_that_never_says_anything_else_is_steady_for_ever() -> None:
    found = drift(np.ones((40, 5)), np.zeros((40, 5), dtype=np.bool_), seed=0)
    assert found.since is None
    assert found.shift[-1] == pytest.approx(1.0)
    assert found.p_value == 1.0


def test_two_tests_share_alpha() -> None:
    """Either e-process is called at 2 / alpha, never at 1 / alpha; and p is 2 / the most."""
    generator = np.random.default_rng(5)
    values = np.vstack([np.zeros((2, 6)), np.ones((1, 6))]) + generator.normal(0, 0.3, (3, 6))
    whole = drift(values, nothing_lost(values), seed=0, alpha=1e-9)
    most = max(*whole.shift, *whole.unlike)
    assert most > 1.0
    assert whole.p_value == min(1.0, 2.0 / most)
    assert drift(values, nothing_lost(values), seed=0, alpha=1.5 / most).since is None
    assert drift(values, nothing_lost(values), seed=0, alpha=2.0 / most * 1.001).since is not None


def test_the_p_value_of_a_called_drift_is_two_over_the_most_evidence() -> None:
    values = np.array([[1.0] * 40, [1.0] * 40, [0.0] * 40])
    found = drift(values, nothing_lost(values), seed=0)
    assert found.called
    assert found.p_value == 2.0 / max(*found.shift, *found.unlike) < ALPHA
