"""Through the board and head to head: the link between drops, and the power that is promised."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from judgebench.stats.gate_rule import units_to_detect
from judgebench.stats.head_to_head_power import (
    TwoDesigns,
    head_to_head_detectable,
    head_to_head_drop,
    head_to_head_units,
    two_designs,
)
from judgebench.stats.paired_tests import paired_test
from perf.gate_rates import mcnemar_worse
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT.parent / "shared" / "gold" / "alpaca_eval"


@given(st.floats(0.02, 0.98), st.floats(0.001, 0.9))
def test_a_drop_is_linked_by_the_difference_of_two_strengths(level: float, drop: float) -> None:
    if drop >= level:
        assert math.isnan(head_to_head_drop(drop, level))
        return
    expected = 0.5 - expit(logit(level - drop) - logit(level))
    assert head_to_head_drop(drop, level) == pytest.approx(expected, abs=1e-12)


def test_a_drop_by_hand() -> None:
    """Odds of 1/9 and of 1/4 against the opponent are odds of 4/9, a rate of 4/13."""
    assert head_to_head_drop(0.1, 0.2) == pytest.approx(0.5 - 4 / 13)
    for level in (0.1, 0.5, 0.8):
        small = head_to_head_drop(1e-6, level)
        assert small == pytest.approx(1e-6 / (4 * level * (1 - level)), rel=1e-4)
    for level, drop in ((0.2, 0.2), (1.0, 0.1), (0.5, 0.0), (math.nan, 0.1)):
        assert math.isnan(head_to_head_drop(drop, level))


def at(
    level: float = 0.2,
    drop: float = 0.1,
    items: float = 100.0,
    spread: float | None = 0.4,
    each: tuple[int, int] = (1, 2),
) -> TwoDesigns:
    return two_designs(
        drop=drop, level=level, board_items=items, spread=spread,
        board_each=each[0], head_each=each[1], alpha=0.05,
    )  # fmt: skip


def test_judgments_by_hand() -> None:
    """Spread by 0.3 about one half, 36 % of the items are decided; the rest ended in ties.

    A drop of 0.1 is one of 0.2 between wins and losses: of 36 decided items 8 are won and 28 lost.
    """
    power = {n: sign_test_power(n, 0.36, 28 / 36) for n in (50, 55, 60, 65)}
    found = head_to_head_units(0.3, 0.1, alpha=0.05)
    assert power[50] < power[55] < 0.8 < power[60] < power[65]
    assert 55 < found <= 60
    # by a normal distribution (2.4865 x 0.3 / 0.1)^2 = 55.6 would do
    assert found > 55.6

    one = at(drop=0.04, items=300.0, spread=0.3)
    assert one.head_drop == pytest.approx(0.5 - 0.64 / 1.48)  # odds of 4/21 against odds of 1/4
    needed = head_to_head_units(0.3, one.head_drop, alpha=0.05)
    assert (one.head_items, one.head_judgments) == (needed, 2 * needed)
    assert (one.board_judgments, one.board_recorded) == (600, 300)
    assert (one.fewer, one.fewer_recorded) == ("head_to_head", "head_to_head")
    assert at(drop=0.04, items=needed, spread=0.3).fewer == "equal"
    assert at(drop=0.04, items=needed, spread=0.3).fewer_recorded == "board"
    assert at(drop=0.04, items=needed - 1, spread=0.3).fewer == "board"
    assert at(drop=0.04, items=27.4, spread=0.3, each=(2, 4)).board_judgments == 112


def sign_test_power(n: int, decided: float, lost: float) -> float:
    """How often the sign test of what is decided is called, over how much is decided."""
    enough = {k: [j for j in range(k + 1) if mcnemar_worse(k - j, j) <= 0.05] for k in range(n + 1)}
    return sum(
        stats.binom.pmf(k, n, decided) * stats.binom.pmf(called, k, lost).sum()
        for k, called in enough.items()
        if called
    )


def test_from_which_drop_on_head_to_head_needs_fewer() -> None:
    """As many judgments as 200 on the board are those of 100 items."""
    even = at(items=200.0).even_drop
    assert head_to_head_units(0.4, 1.05 * even, alpha=0.05) < 100
    assert head_to_head_units(0.4, 0.95 * even, alpha=0.05) > 100
    assert math.isnan(at(items=math.nan).even_drop)
    assert math.isnan(head_to_head_detectable(0.0, 100, alpha=0.05))


def test_what_is_at_most_says_which_needs_fewer_one_way_only() -> None:
    most = at(spread=None).head_judgments
    assert most == 2 * head_to_head_units(0.5, head_to_head_drop(0.1, 0.2), alpha=0.05)
    assert at(spread=None, items=most + 1).fewer_recorded == "head_to_head"
    assert at(spread=None, items=most).fewer_recorded is None
    assert at(spread=None, items=10.0).fewer is None
    assert at(items=math.nan).fewer is None
    assert math.isnan(at(spread=0.0).head_items)  # of nothing but ties nobody knows
    assert math.isnan(at(drop=0.2).head_items)


@over_rows("level", [0.2, 0.5])
def test_both_designs_have_the_power_that_is_promised(level: float) -> None:
    """Verdicts by strengths: a gate's test finds the drop four times out of five in either design.

    A judge is right or wrong about each order by itself: the average of two is spread by sqrt(1/8).
    """
    drop, runs = 0.06, 4000
    spread = math.sqrt(2 * level * (1 - level))
    items = units_to_detect(spread, drop, alpha=0.05, right=level)
    found = at(level, drop, items, math.sqrt(1 / 8))
    generator = np.random.default_rng(11)
    strength = logit(level - drop) - logit(level)

    n = int(found.board_items)
    baseline = generator.random((runs, n)) < level
    candidate = generator.random((runs, n)) < expit(logit(level) + strength)
    lost = (baseline & ~candidate).sum(axis=1)
    differing = (baseline ^ candidate).sum(axis=1)
    on_board = (stats.binom.sf(lost - 1, differing, 0.5) <= 0.05).mean()

    n = int(found.head_items)
    wins = (generator.random((runs, n, 2)) < expit(strength)).sum(axis=2)
    head = called(wins)

    assert on_board == pytest.approx(0.8, abs=0.025)
    assert head == pytest.approx(0.8, abs=0.025)


def test_where_the_spread_is_not_known_the_power_is_no_less() -> None:
    """Both orders always agree, so that nothing is tied; with ties there is more power."""
    generator, drop = np.random.default_rng(12), 0.06
    n = int(at(0.5, drop, spread=None).head_items)
    won = generator.random((4000, n)) < 0.5 - drop
    assert called(2 * won) == pytest.approx(0.8, abs=0.025)
    tied = generator.random((4000, n)) < 0.3
    won = generator.random((4000, n)) < 0.5 - drop / 0.7
    assert called(np.where(tied, 1, 2 * won)) > 0.85


def called(wins: NDArray[np.int64]) -> float:
    """How often a gate calls a drop: all signs flipped, of items won twice, once or never."""
    won, lost = (wins == 2).sum(axis=1), (wins == 0).sum(axis=1)
    return float((stats.binom.sf(lost - 1, won + lost, 0.5) <= 0.05).mean())


def test_a_gate_flips_the_signs_of_what_is_decided() -> None:
    for won, lost in ((3, 9), (4, 8), (0, 5)):
        differences = [0.5] * won + [-0.5] * lost + [0.0] * 4
        assert paired_test(differences, alpha=0.05, width=0.5).p_worse == pytest.approx(
            mcnemar_worse(won, lost)
        )


@pytest.mark.skipif(
    not (GOLD / "other_judges_expected.csv").exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)
def test_the_link_on_real_comparisons() -> None:
    """From win rates against GPT-4 Turbo to those against text-davinci-003, on 27 models.

    As docs/comparing.md says: close where 5 % or more are won, of no use below.
    """
    import pandas as pd

    figures = ROOT / "tasks" / "alpaca_eval" / "figures"
    verdicts = pd.read_parquet(figures / "verdicts.parquet")
    of_verdicts = verdicts.groupby("model")["preference"].mean() - 1
    published = pd.read_csv(figures / "leaderboard.csv").set_index("model")["win_rate"] / 100
    direct = pd.read_csv(GOLD / "other_judges_expected.csv")
    direct = direct[direct.judge == "alpaca_eval_gpt4"].set_index("model")["win_rate"] / 100
    level = of_verdicts.combine_first(published)
    own = level["text_davinci_003"]
    models = [m for m in direct.index if m in level and m != "gpt4_1106_preview"]
    predicted = np.array([0.5 - head_to_head_drop(level[m] - own, level[m]) for m in models])
    error = np.abs((1 - predicted) - direct[models].to_numpy())
    linked = level[models].to_numpy() >= 0.05
    assert (linked.sum(), (~linked).sum()) == (22, 5)
    assert error[linked].mean() == pytest.approx(0.039, abs=0.001)
    assert error[~linked].mean() == pytest.approx(0.250, abs=0.001)


def test_no_fewer_items_are_decided_than_the_drop_is_large() -> None:
    """A win rate of 30 % without ties: at least two in five have to be decided against it."""
    expected = units_to_detect(0.2, 0.4, alpha=0.05, right=0.4, exact=True)
    assert head_to_head_units(0.1, 0.2, alpha=0.05) == expected
    assert expected != units_to_detect(0.2, 0.4, alpha=0.05, right=0.04, exact=True)


def test_half_an_item_is_not_afforded() -> None:
    found = at(items=61.0, each=(1, 2))
    assert found.even_drop == head_to_head_detectable(0.4, 30, alpha=0.05)
    assert found.even_drop != head_to_head_detectable(0.4, 31, alpha=0.05)
