"""Means corrected by people's labels: the gold's values, naive formulas, coverage."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.stats.correction import (
    CorrectedMean,
    corrected_mean,
    rogan_gladen,
    two_samples,
)
from perf.correction_coverage import coverage, label_table, of_models, of_pairs
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "trivia_judging"
gold = pytest.mark.skipif(
    not (GOLD / "judgments.parquet").exists(),
    reason="the gold data (../shared/gold/trivia_judging beside the repository) is not here",
)


def made(n: int, n_labels: int, *, seed: int, likeness: float = 0.8, kind: str = "binary") -> Any:
    """A judge's values of all items and people's, of which the first are labelled."""
    drawn = np.random.default_rng(seed)
    if kind == "binary":
        people = (drawn.random(n) < 0.6).astype(float)
        judge = np.where(drawn.random(n) < likeness, people, drawn.random(n) < 0.7)
    else:
        people = drawn.integers(1, 11, n).astype(float)
        judge = np.clip(people + drawn.integers(-2, 4, n), 1, 10)
    return judge.astype(float), people, np.where(np.arange(n) < n_labels, people, np.nan)


# the gold -----------------------------------------------------------------------------------------


@gold
def test_every_value_of_the_gold() -> None:
    import pandas as pd

    table = pd.read_parquet(GOLD / "judgments.parquet")
    table = table[~table.stale]
    checked = 0
    for judge, models in json.loads((GOLD / "expected.json").read_text())["ppi"].items():
        for model, expected in models.items():
            rows = table[table.exam_taker == model]
            said = rows[judge].astype(float).to_numpy()
            labels = np.where(rows.question_id < 100, rows.human.astype(float), np.nan)
            for name, power in (
                ("ppi_lam1", 1.0), ("own_lam1", 1.0), ("ppi_plusplus", None), ("classical", 0.0)
            ):  # fmt: skip
                found = corrected_mean(said, labels, power=power, method="normal")
                assert found.value == pytest.approx(expected[name]["point"], abs=1e-9)
                assert found.interval() == pytest.approx(expected[name]["ci95"], abs=0.01)
            by_rates, theirs = rogan_gladen(said, labels), expected["rogan_gladen"]
            if theirs is None:
                assert math.isnan(by_rates.value)
                assert by_rates.undefined
            else:
                assert by_rates.value == pytest.approx(theirs, abs=1e-9)
            checked += 1
    assert checked == 45


# two implementations ------------------------------------------------------------------------------


def naive_ppi(judge: Any, people: Any, power: float) -> tuple[float, float]:
    """Estimate and standard error as the paper has them, of a plain sample, label by label."""
    labelled = [at for at, one in enumerate(people) if not math.isnan(one)]
    others = [at for at in range(len(people)) if at not in set(labelled)]
    rest = [people[at] - power * judge[at] for at in labelled]
    theta = power * sum(judge[at] for at in others) / len(others) + sum(rest) / len(rest)
    around = sum(rest) / len(rest)
    of_rest = sum((one - around) ** 2 for one in rest) / len(rest) ** 2
    mean = sum(judge[at] for at in others) / len(others)
    of_others = sum((judge[at] - mean) ** 2 for at in others) / len(others) ** 2
    return theta, math.sqrt(power**2 * of_others + of_rest)


def naive_power(judge: Any, people: Any) -> float:
    labelled = [at for at, one in enumerate(people) if not math.isnan(one)]
    n, total = len(labelled), len(people)
    j_mean, h_mean = (sum(of[at] for at in labelled) / n for of in (judge, people))
    shared = sum((judge[at] - j_mean) * (people[at] - h_mean) for at in labelled) / n
    mean = sum(judge) / total
    spread = sum((one - mean) ** 2 for one in judge) / (total - 1)
    if spread == 0.0:
        return 0.0
    return min(max(shared / (spread * (1.0 + n / (total - n))), 0.0), 1.0)


@over_rows("kind", ["binary", "scores"])
@over_rows(("n", "n_labels"), [(50, 20), (400, 100), (1000, 30)])
@over_rows("likeness", [0.95, 0.3])
def test_a_naive_form_agrees(kind: str, n: int, n_labels: int, likeness: float) -> None:
    judge, _, labels = made(n, n_labels, seed=n + n_labels, likeness=likeness, kind=kind)
    power = naive_power(judge.tolist(), labels.tolist())
    found = corrected_mean(judge, labels, method="normal")
    theta, error = naive_ppi(judge.tolist(), labels.tolist(), power)
    assert found.power == pytest.approx(power, abs=1e-12)
    assert found.value == pytest.approx(theta, abs=1e-9)
    assert found.error == pytest.approx(error, rel=0.1)  # the judge's spread by all items
    fixed = corrected_mean(judge, labels, power=1.0)
    assert fixed.value == pytest.approx(naive_ppi(judge.tolist(), labels.tolist(), 1.0)[0])


def test_a_constant_judge_leaves_the_labels_alone() -> None:
    _, _, labels = made(200, 80, seed=1)
    alone = corrected_mean(np.ones(200), labels)
    theirs = labels[:80]
    assert alone.power == 0.0
    assert alone.value == pytest.approx(theirs.mean())
    assert alone.error == pytest.approx(theirs.std(ddof=1) / math.sqrt(80))
    assert alone.count_as(corrected_mean(np.ones(200), labels, power=0.0)) == pytest.approx(80)


def test_two_halves_have_a_lambda_of_each_other() -> None:
    judge, _, labels = made(400, 100, seed=3)
    one, other = corrected_mean(judge, labels, seed=1), corrected_mean(judge, labels, seed=2)
    assert one.value != other.value
    assert one.value == pytest.approx(other.value, abs=0.02)
    order = np.argsort(np.random.default_rng(1).random(400))
    halves = order[order < 100][::2], order[order < 100][1::2]
    spread, theta, rest = judge.var(ddof=1), 0.0, []
    for mine, theirs in (halves, halves[::-1]):
        slope = np.cov(labels[theirs], judge[theirs], ddof=0)[0, 1] / spread
        rest.append(labels[mine] - slope * (judge[mine] - judge.mean()))
        theta += rest[-1].mean() / 2
    assert one.value == pytest.approx(theta)
    assert one.falling == pytest.approx(np.concatenate(rest).var(ddof=1))


def test_weights_take_back_how_labels_were_drawn() -> None:
    """Where the judge says wrong, people are asked four times as often."""
    judge, people, _ = made(20_000, 0, seed=4, likeness=0.7)
    chance = np.where(judge > 0.0, 0.05, 0.2)
    drawn = np.random.default_rng(5).random(len(judge)) < chance
    labels = np.where(drawn, people, np.nan)
    found, blind = corrected_mean(judge, labels, chance), corrected_mean(judge, labels)
    assert abs(found.value - people.mean()) < 3 * found.error
    assert abs(blind.value - people.mean()) > 3 * blind.error
    weights = (1 / chance)[drawn] / (1 / chance[drawn]).sum()
    plain = corrected_mean(judge, labels, chance, power=0.0)
    assert plain.value == pytest.approx((weights * people[drawn]).sum())


def test_strata_are_weighed_by_their_size() -> None:
    judge, people, _ = made(300, 0, seed=6)
    stratum = (np.arange(300) >= 100).astype(int)
    labels = np.where((np.arange(300) < 40) | (np.arange(300) >= 280), people, np.nan)
    found = corrected_mean(judge, labels, stratum=stratum, power=0.0)
    parts = [np.nanmean(labels[:100]), np.nanmean(labels[100:])]
    assert found.value == pytest.approx(parts[0] / 3 + 2 * parts[1] / 3)
    spread = [np.nanvar(part, ddof=1) / n for part, n in ((labels[:100], 40), (labels[100:], 20))]
    between = (parts[0] - found.value) ** 2 / 3 + 2 * (parts[1] - found.value) ** 2 / 3
    assert found.error**2 == pytest.approx(spread[0] / 9 + 4 * spread[1] / 9 + between / 300)
    nobody = corrected_mean(judge, labels, stratum=np.where(np.arange(300) == 50, 2, stratum))
    assert nobody.undefined == "a stratum has no label"


def test_items_of_one_question_vary_together() -> None:
    judge, _, labels = made(200, 100, seed=7)
    once = corrected_mean(judge, labels, power=0.5)
    unit = np.repeat(np.arange(200), 3)
    thrice = corrected_mean(np.repeat(judge, 3), np.repeat(labels, 3), unit=unit, power=0.5)
    assert thrice.value == pytest.approx(once.value)
    assert thrice.error == pytest.approx(once.error, rel=0.01)
    apart = corrected_mean(np.repeat(judge, 3), np.repeat(labels, 3), power=0.5)
    assert apart.error == pytest.approx(once.error / math.sqrt(3), rel=0.01)


def test_what_the_judge_could_not_read_stays_among_the_items() -> None:
    """The judge misses wrong answers; what people say of all items is found all the same."""
    judge, people, _ = made(5000, 0, seed=8)
    judge = np.where((people == 0.0) & (np.arange(5000) % 2 == 0), np.nan, judge)
    labels = np.where(np.random.default_rng(9).random(5000) < 0.1, people, np.nan)
    found = corrected_mean(judge, labels)
    assert abs(found.value - people.mean()) < 3 * found.error
    assert np.nanmean(judge) - people.mean() > 0.1


# more labels, two models --------------------------------------------------------------------------


def test_how_many_labels_make_an_interval_so_wide() -> None:
    judge, people, labels = made(2000, 100, seed=10, likeness=0.85)
    found = corrected_mean(judge, labels)
    low, high = found.interval()
    assert found.labels_for(high - low) == pytest.approx(100, abs=3)
    wanted = int(found.labels_for(0.08))
    more = corrected_mean(judge, np.where(np.arange(2000) < wanted, people, np.nan))
    low, high = more.interval()
    assert high - low == pytest.approx(0.08, rel=0.1)
    assert math.isinf(found.labels_for(0.001))  # not even all items would do
    assert math.isnan(corrected_mean(judge, labels * 0.0 + 1.0).labels_for(0.1))


def test_two_samples_of_labels_and_one_of_both() -> None:
    drawn = np.random.default_rng(11)
    judge, people, _ = made(4000, 0, seed=12)
    second = np.where(drawn.random(4000) < 0.9, people, 1.0)
    by_judge = np.where(drawn.random(4000) < 0.9, judge, 1.0)
    first_labels = np.where(np.arange(4000) < 300, people, np.nan)
    other_labels = np.where((np.arange(4000) >= 300) & (np.arange(4000) < 600), second, np.nan)
    apart = two_samples(corrected_mean(judge, first_labels), corrected_mean(by_judge, other_labels))
    same = np.where(np.arange(4000) < 300, second, np.nan)
    together = two_samples(corrected_mean(judge, first_labels), corrected_mean(by_judge, same))
    paired = corrected_mean(judge - by_judge, first_labels - same)
    truth = people.mean() - second.mean()
    for found in (apart, together, paired):
        assert abs(found.value - truth) < 3 * found.error
    assert together.error < apart.error  # what both share falls away
    assert paired.error == pytest.approx(together.error, rel=0.2)
    assert apart.labels_for(0.1) == pytest.approx(
        300 * (apart.interval()[1] - apart.interval()[0]) ** 2 / 0.01, rel=0.2
    )
    nothing = two_samples(
        corrected_mean(judge, first_labels), corrected_mean(judge, judge * np.nan)
    )
    assert nothing.undefined == "nobody labelled any of these items"


# what has no answer -------------------------------------------------------------------------------


def undefined(found: CorrectedMean) -> str | None:
    assert math.isnan(found.error)
    assert all(map(math.isnan, found.interval()))
    return found.undefined


def test_what_has_no_interval_says_why() -> None:
    judge, people, _ = made(60, 0, seed=17)
    none = np.full(60, np.nan)
    assert undefined(corrected_mean(judge, none)) == "nobody labelled any of these items"
    few = np.where(np.arange(60) < 19, people, np.nan)
    assert undefined(corrected_mean(judge, few)) == (
        "no interval: under 20 labels none was measured to hold"
    )
    assert not math.isnan(corrected_mean(judge, few, method="normal").error)
    alike = np.where(np.arange(60) < 40, 1.0, np.nan)
    assert undefined(corrected_mean(judge, alike)) == "no interval: all labels are alike"
    assert corrected_mean(judge, alike).value == pytest.approx(1.0)
    one = np.where(np.arange(60) < 30, people, np.nan)
    single = corrected_mean(judge, one, stratum=np.arange(60) >= 29)
    assert undefined(single) == "no interval: a single label in a stratum"
    for chance in (0.0, 1.5):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            corrected_mean(judge, alike, np.full(60, chance))
    with pytest.raises(ValueError, match="of the same items"):
        corrected_mean(judge, alike[:3])


def test_labels_on_all_items_need_no_judge() -> None:
    judge, people, _ = made(100, 0, seed=13)
    found = corrected_mean(judge, people)
    assert found.value == pytest.approx(people.mean())
    assert found.error == pytest.approx(people.std(ddof=1) / 10)


# error rates --------------------------------------------------------------------------------------


def test_the_delta_method_agrees_with_a_jackknife() -> None:
    judge, _, labels = made(600, 200, seed=14)
    found = rogan_gladen(judge, labels)
    without = [rogan_gladen(np.delete(judge, at), np.delete(labels, at)).value for at in range(600)]
    error = math.sqrt(599 / 600 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found.error == pytest.approx(error, rel=0.05)
    assert found.undefined is None
    weighed = rogan_gladen(judge, labels, np.full(600, 0.3))
    assert weighed.value == pytest.approx(found.value)


def test_a_judge_that_tells_nothing_is_refused() -> None:
    judge, _, labels = made(400, 100, seed=15, likeness=0.05)
    found = rogan_gladen(judge, labels)
    assert "its interval holds 0" in str(undefined(found))
    assert not math.isnan(found.value)
    few, people, _ = made(400, 100, seed=15, likeness=1.0)
    by_few = rogan_gladen(few, np.where(np.arange(400) < 19, people, np.nan))
    assert not math.isnan(by_few.value)
    assert math.isnan(by_few.error)
    assert "under 20 labels" in str(undefined(by_few))
    lacking = rogan_gladen(judge, np.where(labels == 0.0, np.nan, labels))
    assert str(undefined(lacking)).startswith("under two labelled items of one outcome")
    assert math.isnan(rogan_gladen(np.ones(400), labels).value)
    with pytest.raises(ValueError, match="0 or 1"):
        rogan_gladen(judge * 0.5, labels)


# coverage and size --------------------------------------------------------------------------------


@gold
def test_intervals_hold_on_the_labels_of_people() -> None:
    """The full size is `perf/correction_coverage.py`; its figure is in docs/figures."""
    judges, _, people, said = label_table(GOLD)
    at = judges.index("Llama-70B")
    its = of_models(said[at], people, 100, 50, at)  # 450 draws: twice the error is 2
    assert 92.0 <= coverage(its["ppi"]) <= 98.0
    assert coverage(its["naive"]) < 40.0
    assert its["ppi"][:, 1].mean() < 0.9 * its["labels"][:, 1].mean()
    pairs = of_pairs(said[at], people, 100, 12, at)
    assert 92.0 <= 100 * pairs["ppi"] <= 98.0
    assert pairs["naive"] < 0.6


def test_many_items_take_no_more_than_their_columns() -> None:
    judge, _, labels = made(200_000, 1000, seed=16)
    tracemalloc.start()
    found = corrected_mean(judge, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.error < 0.02
    assert peak < 40 * judge.nbytes
