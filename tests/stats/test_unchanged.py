"""How often an unchanged model passes: against the gate's own test, on data that are drawn."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats.gate_rule import FEWEST_TO_PASS, decide
from judgebench.stats.paired_tests import paired_test, tango_bounds
from judgebench.stats.unchanged import (
    Seen,
    correlations,
    even_chance,
    joint_chance,
    margin_every_view,
    margin_to_pass,
    of_spread,
    passes_every_view,
    passes_unchanged,
    spread_again,
    units_every_view,
    units_to_pass,
    views_exchanged,
    within_items,
)
from tests.table import over_rows

PERF = Path(__file__).resolve().parents[2] / "perf" / "unchanged_passes.py"
FIVE = 0.05


@pytest.fixture(scope="module")
def perf() -> ModuleType:
    spec = importlib.util.spec_from_file_location("unchanged_passes", PERF)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@over_rows(
    ("s", "n", "points", "chance"),
    [(0.25, 805, 2.2, 73), (0.40, 400, 5.0, 26), (0.65, 805, 5.7, 22), (0.65, 2000, 3.6, 39)],
)
def test_the_rule_of_thumb_for_soft_verdicts(s: float, n: int, points: float, chance: int) -> None:
    """m = 2.486 s / sqrt(n) for 80 %, and Phi(m sqrt(n) / s - 1.645) at two points."""
    drop = margin_to_pass(s, n, alpha=FIVE)
    assert drop == pytest.approx(2.486 * s / math.sqrt(n), rel=0.02)
    assert 100 * drop == pytest.approx(points, abs=0.12)
    assert 100 * passes_unchanged(s, n, 0.02, alpha=FIVE) == pytest.approx(chance, abs=2)


def test_items_for_two_points() -> None:
    assert units_to_pass(0.65, 0.02, alpha=FIVE) == pytest.approx(6528, rel=0.002)
    assert units_to_pass(math.sqrt(0.2), 0.02, alpha=FIVE, binary=True) == pytest.approx(
        3090, rel=0.01
    )


@given(
    spread=st.floats(0.02, 1.0),
    units=st.integers(FEWEST_TO_PASS, 20_000),
    margin=st.floats(0.001, 0.5),
    alpha=st.floats(0.001, 0.4),
    binary=st.booleans(),
    chance=st.floats(0.5, 0.99),
)
def test_the_three_are_each_others_inverse(
    spread: float, units: int, margin: float, alpha: float, binary: bool, chance: float
) -> None:
    drop = margin_to_pass(spread, units, alpha=alpha, chance=chance, binary=binary)
    if not math.isnan(drop):
        found = passes_unchanged(spread, units, drop, alpha=alpha, binary=binary)
        assert found == pytest.approx(chance, abs=1e-6)
    n = units_to_pass(spread, margin, alpha=alpha, chance=chance, binary=binary)
    assert passes_unchanged(spread, int(n), margin, alpha=alpha, binary=binary) >= chance
    if n > FEWEST_TO_PASS:
        less = passes_unchanged(spread, int(n) - 1, margin, alpha=alpha, binary=binary)
        assert less < chance


@given(
    spread=st.floats(0.0, 1.0),
    units=st.integers(1, 5000),
    margin=st.floats(0.001, 0.5),
    binary=st.booleans(),
)
def test_more_items_more_drop_and_less_spread_pass_more(
    spread: float, units: int, margin: float, binary: bool
) -> None:
    def passes(s: float, n: int, m: float) -> float:
        return passes_unchanged(s, n, m, alpha=FIVE, binary=binary)

    found = passes(spread, units, margin)
    assert 0.0 <= found <= 1.0
    if units < FEWEST_TO_PASS:
        assert found == 0.0
    if found >= 0.5:  # below, an estimate that varies more is over the bar more often
        assert passes(spread, units, 1.1 * margin) >= found
        assert passes(0.9 * spread, units, margin) >= found - 1e-12
        assert passes(spread, 2 * units, margin) >= found - 1e-12


def test_what_is_not_known_is_not_a_number() -> None:
    assert math.isnan(passes_unchanged(math.nan, 100, 0.02, alpha=FIVE))
    assert math.isnan(passes_unchanged(0.3, 0, 0.02, alpha=FIVE))
    assert math.isnan(margin_to_pass(0.3, FEWEST_TO_PASS - 1, alpha=FIVE))
    assert math.isnan(margin_to_pass(1.0, 20, alpha=1e-6, chance=0.99))
    assert math.isnan(units_to_pass(math.nan, 0.02, alpha=FIVE))
    assert units_to_pass(0.3, 0.0, alpha=FIVE) == math.inf
    assert units_to_pass(0.0, 0.02, alpha=FIVE) > FEWEST_TO_PASS  # pseudo-items at the ends
    assert math.isnan(joint_chance([], ()))
    assert math.isnan(joint_chance([0.5, math.nan], ()))
    assert within_items([], [])[1] == 0
    assert math.isnan(within_items([0.5, 0.7], [0, 1])[0])


@over_rows("binary", [False, True])
def test_the_chance_is_how_often_the_gates_own_bound_passes(binary: bool) -> None:
    """A second way to it: the gate's test itself, night by night."""
    generator = np.random.default_rng(11)
    n, q, margin, nights = 400, 0.2, 0.04, 150
    passed = 0
    for _ in range(nights):
        if binary:
            d = generator.choice([-1.0, 0.0, 1.0], n, p=[q / 2, 1 - q, q / 2])
        else:
            d = generator.beta(0.5, 0.5, n) - generator.beta(0.5, 0.5, n)
        test = paired_test(d, alpha=FIVE, width=1.0, draws=40)  # draws are no part of what passes
        passed += decide(test.low, test.high, margin=margin, units=n) == "pass"
    spread = math.sqrt(q) if binary else 0.5
    said = passes_unchanged(spread, n, margin, alpha=FIVE, binary=binary)
    assert passed / nights == pytest.approx(said, abs=3.5 * math.sqrt(said * (1 - said) / nights))


def _low(d: np.ndarray) -> float:
    return paired_test(d, alpha=FIVE, width=1.0, draws=40).low


def test_the_bound_of_the_formula_is_the_bound_of_the_test() -> None:
    """At a spread that is as it was seen the formula's bar is where the bound lies."""
    generator = np.random.default_rng(3)
    d = generator.normal(0.0, 0.3, 60)
    d -= d.mean()
    spread = float(d.std(ddof=1))
    bar = -_low(d)
    assert passes_unchanged(spread, 60, bar, alpha=FIVE) == pytest.approx(0.5, abs=1e-9)
    won = lost = 9
    bar = -tango_bounds(won, lost, 100, alpha=FIVE)[0]
    differ = math.sqrt((won + lost) / 100)
    half = passes_unchanged(differ, 100, bar, alpha=FIVE, binary=True)
    assert half == pytest.approx(0.5, abs=1e-6)


def test_a_model_asked_again_varies_by_its_answers_and_nights() -> None:
    assert spread_again(0.5, 1, 1) == pytest.approx(0.5 * math.sqrt(2))
    assert spread_again(0.5, 1, math.inf) == pytest.approx(0.5)
    s = 0.65
    within = s / math.sqrt(2)
    for r, k in ((1, 5), (2, 8), (3, 5)):
        assert spread_again(within, r, k) ** 2 == pytest.approx(s**2 * (1 / r + 1 / k) / 2)


def test_what_answers_vary_is_unbiased_and_items_count_equally() -> None:
    generator = np.random.default_rng(5)
    means = generator.uniform(0.0, 1.0, 400)
    counts = generator.integers(1, 6, 400)
    items = np.repeat(np.arange(400), counts)
    found = []
    for _ in range(60):
        values = means[items] + generator.normal(0.0, 0.2, len(items))
        values[0] = np.nan
        within, n = within_items(values, items)
        found.append(within**2)
    assert np.mean(found) == pytest.approx(0.04, rel=0.02)
    assert n in ((counts > 1).sum(), (counts > 1).sum() - 1)


# several tests ----------------------------------------------------------------------------------


def test_independent_tests_multiply_and_equal_ones_are_one() -> None:
    assert joint_chance([0.8, 0.5], ()) == pytest.approx(0.4)
    assert even_chance(3, ()) == pytest.approx(0.8 ** (1 / 3))
    assert even_chance(1, ()) == pytest.approx(0.8)
    same = np.ones((3, 3))
    block = [((0, 1, 2), same)]
    assert joint_chance([0.8, 0.6, 0.9], block) == pytest.approx(0.6, abs=0.012)
    assert even_chance(3, block) == pytest.approx(0.8, abs=0.012)


def test_tests_that_hang_together_lie_between_both() -> None:
    """Against a normal distribution function: two tests with a correlation of 0.6."""
    from scipy.stats import multivariate_normal, norm

    corr = np.array([[1.0, 0.6], [0.6, 1.0]])
    p = [0.7, 0.85]
    expected = float(multivariate_normal.cdf(norm.ppf(p), mean=[0, 0], cov=corr))
    found = joint_chance([*p, 0.9], [((0, 1), corr)])
    assert found == pytest.approx(expected * 0.9, abs=0.01)
    assert p[0] * p[1] * 0.9 < found < min(p)
    each = even_chance(2, [((0, 1), corr)])
    assert joint_chance([each, each], [((0, 1), corr)]) == pytest.approx(0.8, abs=0.01)


def test_two_judges_of_the_same_answers_pass_together_as_said() -> None:
    """Nights are drawn, and the correlation is taken from one night alone, as a gate does it."""
    generator = np.random.default_rng(8)
    n, nights, margin = 300, 1500, 0.04

    def night(nights: int) -> np.ndarray:
        both = generator.normal(0.0, 0.3, (nights, n))
        judges = [both + generator.normal(0.0, 0.2, (nights, n)) for _ in range(2)]
        return np.stack(judges)

    corr = correlations(list(night(1)[:, 0]))
    assert corr[0, 1] == pytest.approx(0.09 / 0.13, abs=0.1)
    d = night(nights)
    spread = math.sqrt(0.13)
    errors = 1.65 * d.std(axis=2, ddof=1) / math.sqrt(n)
    passed = ((d.mean(axis=2) - errors) > -margin).all(axis=0).mean()
    chance = passes_unchanged(spread, n, margin, alpha=FIVE)
    said = joint_chance([chance, chance], [((0, 1), corr)])
    assert passed == pytest.approx(said, abs=0.04)
    assert said > chance**2


# what the script shows --------------------------------------------------------------------------


def test_nights_and_answers_lift_the_share_that_passes(perf: ModuleType) -> None:
    """At s = 0.65 and 805 pairs, from 22 % to 29 % with five nights, 44 % with 2 and 8."""
    model = perf.Model(0.65, 0.5, binary=False)
    found = {design: perf.cell(model, 805, *design, 500) for design in ((1, 1), (1, 5), (2, 8))}
    least = {(1, 1): 0.22, (1, 5): 0.29, (2, 8): 0.44}
    for design, cell in found.items():
        error = math.sqrt(0.25 / 500)
        assert cell.at_2 == pytest.approx(cell.said_at_2, abs=3.5 * error)
        assert cell.said_at_2 >= least[design] - 0.005
        assert cell.size <= 0.05 + 3.5 * math.sqrt(0.0475 / 500)
        assert cell.at_drop >= 0.8 - 3.5 * error


@pytest.mark.parametrize("items", [20, 100])
def test_averaged_nights_keep_both_error_rates_of_few_items(perf: ModuleType, items: int) -> None:
    for line in list(perf.few_items(400, (items,)))[1:]:
        for share in map(float, line[31:].split()):
            assert share <= 8.0 + 100 * 3 * math.sqrt(0.0475 / 400), line


def test_the_scripts_bounds_are_the_gates(perf: ModuleType) -> None:
    generator = np.random.default_rng(2)
    soft = generator.uniform(-1, 1, (5, 40))
    assert perf.lower_bounds(soft) == pytest.approx([_low(d) for d in soft])
    binary = generator.choice([-1.0, 0.0, 1.0], (50, 60), p=[0.1, 0.8, 0.1])
    for margin in (0.05, 0.1, 0.2):
        lows = [
            tango_bounds(int((d == 1).sum()), int((d == -1).sum()), 60, alpha=FIVE)[0]
            for d in binary
        ]
        passed = perf.tango_passes(binary, margin)
        assert passed.tolist() == [low > -margin for low in lows]


def lacking(
    generator: np.random.Generator, n: int, share: float, *, soft: bool
) -> tuple[np.ndarray, ...]:
    """Differences of two models that are alike, as observed and at the ends of what is missing."""
    p = generator.beta(1.6, 0.4, n)
    if soft:
        said = np.clip(p[:, None] + generator.normal(0.0, 0.3, (n, 2)), 0.0, 1.0)
    else:
        said = (generator.random((n, 2)) < p[:, None]).astype(float)
    there = generator.random((n, 2)) >= share
    low, high = np.where(there, said, 0.0), np.where(there, said, 1.0)
    both = there.all(axis=1)
    return (said[:, 0] - said[:, 1])[both], low[:, 0] - high[:, 1], high[:, 0] - low[:, 1]


@over_rows(
    ("soft", "share", "strict"),
    [(False, 0.01, None), (True, 0.03, None), (False, 0.0, 0.01), (True, 0.01, 0.01)],
)
def test_missing_verdicts_and_a_strict_drop_are_counted_in(
    soft: bool, share: float, strict: float | None
) -> None:
    """The gate itself, night by night: all views have to say that it passes."""
    generator, n, nights, passed, chances = np.random.default_rng(5), 600, 100, 0, []
    margin = (0.045 if soft else 0.06) + share
    for _ in range(nights):
        made = [
            paired_test(d, alpha=FIVE, width=1.0, draws=100)
            for d in lacking(generator, n, share, soft=soft)
        ]
        said = {decide(test.low, test.high, margin=margin, units=n) for test in made}
        if strict is not None:
            said |= {decide(test.low, test.high, margin=strict, units=n) for test in made} - {
                "pass", "inconclusive",
            }  # fmt: skip
        passed += said == {"pass"}
        observed, worst, best = made
        views = views_exchanged(observed, *((worst, best) if share else ()))
        chances.append(passes_every_view(views, margin, alpha=FIVE, strict=strict, called_at=FIVE))
    said_on_average = float(np.mean(chances))
    error = math.sqrt(max(said_on_average * (1.0 - said_on_average), 0.01) / nights)
    assert passed / nights == pytest.approx(said_on_average, abs=3.0 * error + 0.01)


def test_what_is_missing_takes_a_larger_drop_and_more_items() -> None:
    generator = np.random.default_rng(6)
    made = [
        paired_test(d, alpha=FIVE, width=1.0, draws=40)
        for d in lacking(generator, 600, 0.02, soft=False)
    ]
    alone, all_views = views_exchanged(made[0]), views_exchanged(*made)
    assert all_views[0] == alone[0]
    assert all_views[1].shift == pytest.approx(0.02, abs=0.01)
    drop = margin_every_view(all_views, alpha=FIVE)
    assert drop > margin_every_view(alone, alpha=FIVE) + 0.9 * all_views[1].shift
    assert passes_every_view(all_views, drop, alpha=FIVE) == pytest.approx(0.8, abs=1e-6)
    items = units_every_view(all_views, 0.04, alpha=FIVE)
    assert items > 1.5 * units_every_view(alone, 0.04, alpha=FIVE)
    assert units_every_view(all_views, all_views[1].shift, alpha=FIVE) == math.inf
    assert math.isnan(margin_every_view((Seen(spread=math.nan, units=50),), alpha=FIVE))
    again = of_spread(all_views, 0.1)
    assert again[0].spread == pytest.approx(0.1)
    assert again[1].spread > 0.1
