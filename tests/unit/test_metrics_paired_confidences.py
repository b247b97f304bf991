"""Two models' confidences compared: against a plain loop, and at the ends of what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.metrics.confidence import Confidences, QuestionSet
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import PairedModels, PairedTests
from judgebench.metrics.paired_confidences import (
    of_confidences,
    statistic_at,
)
from judgebench.metrics.registry import CONFIDENCE_METRICS
from judgebench.stats.calibration_error import calibration_error
from judgebench.stats.confidence import alignment, auroc, brier, first_fifth
from tests.table import over_rows

QUICK = Intervals(n_replicates=200, level=0.9)
NONE = math.nan


def one_set(c: Any, y: Any, name: str = "nq", size: int | None = None) -> Confidences:
    items = tuple(f"{name}/{i}" for i in range(len(c)))
    return Confidences(
        questions=QuestionSet(
            name=name, domain=None, size=size or len(items), items=items, units=items,
            unit_of=np.arange(len(items)),
        ),
        confidence=np.array(c, dtype=float),
        correct=np.array(y, dtype=float),
    )  # fmt: skip


def made(n: int, seed: int = 0, name: str = "nq", size: int | None = None) -> Confidences:
    generator = np.random.default_rng(seed)
    c = generator.integers(0, 21, (n, 2)) / 20
    y = generator.random((n, 2)) < 0.3 + 0.5 * c
    return one_set(c, y, name, size)


def outcome(metric: str, *sets: Confidences) -> tuple[PairedModels, PairedTests]:
    return of_confidences(
        sets, metric=metric, confidence="C", judge="J", alpha=0.05, intervals=QUICK
    )


def value(metric: str, c: Sequence[float], y: Sequence[float]) -> float:
    if metric == "ece":
        return calibration_error(c, y, binning="exact")
    if metric == "alignment":
        return float(alignment(c, y, first_fifth(len(c))).value)
    return float((auroc if metric == "auroc" else brier)(c, y))


@over_rows("metric", ["auroc", "ece"])
def test_the_difference_of_each_draw_is_that_of_a_plain_loop(metric: str) -> None:
    of = made(30)
    pair, found = outcome(metric, of)
    (weights,) = QUICK.resamples(of.questions.units).weights()
    sign = -1.0 if metric == "ece" else 1.0
    differences = []
    for row in weights.astype(int):
        drawn = [i for i, times in enumerate(row) for _ in range(times)]
        first, second = (
            value(metric, of.confidence[drawn, m], of.correct[drawn, m]) for m in (0, 1)
        )
        differences.append(sign * (first - second))
    assert found.observed.spread == pytest.approx(np.std(differences, ddof=1) * math.sqrt(30))
    assert found.observed.difference == pytest.approx(found.candidate - found.baseline)
    assert found.candidate * pair.shown == pytest.approx(
        value(metric, of.confidence[:, 0], of.correct[:, 0])
    )
    assert (found.observed.units, pair.missing.tolist(), found.bounded) == (30, [0, 0], True)
    assert np.isnan(pair.mean).all()  # no item has an AUROC of its own


@over_rows("metric", CONFIDENCE_METRICS)
def test_sets_are_averaged_by_their_sizes_and_drawn_by_themselves(metric: str) -> None:
    sets = made(40, 1, "nq", 300), made(40, 2, "hotpot", 100)
    pair, found = outcome(metric, *sets)
    for m, ours in ((0, found.candidate), (1, found.baseline)):
        values = [value(metric, one.confidence[:, m], one.correct[:, m]) for one in sets]
        assert ours * pair.shown == pytest.approx((300 * values[0] + 100 * values[1]) / 400)
    assert found.observed.units == 80
    assert pair.higher_is_better == (metric in ("auroc", "alignment"))
    alone = outcome(metric, sets[0])[1]
    assert found.observed.spread != pytest.approx(alone.observed.spread)


def test_a_brier_score_is_a_mean_and_its_signs_are_flipped() -> None:
    c = [[0.9, 0.5], [0.2, 0.5], [0.6, NONE], [NONE, 0.5]]
    y = [[1, 1], [0, 0], [NONE, 1], [1, 0]]
    pair, found = outcome("brier", one_set(c, y))
    assert "signs flipped" in found.observed.method
    assert (found.candidate, found.baseline) == (pytest.approx(-0.025), pytest.approx(-0.25))
    assert pair.missing.tolist() == [2, 1]
    assert pair.worst is not None
    assert pair.best is not None
    assert pair.worst[:, 0] == pytest.approx([-0.01, -0.04, -0.36, -1.0])
    assert pair.best[:, 0] == pytest.approx([-0.01, -0.04, -0.16, 0.0])
    assert found.worst is not None
    assert found.worst.difference == pytest.approx(
        (-0.01 - 0.04 - 0.36 - 1.0) / 4 - (-0.25 - 0.25 - 0.0 - 0.25) / 4
    )


some = st.integers(0, 4).map(lambda i: i / 4)
answers = st.lists(st.tuples(some, st.sampled_from([0.0, 1.0])), min_size=1, max_size=5)


@given(answers, st.integers(1, 3), st.sampled_from(["low", "high"]))
def test_the_ends_of_an_auroc_are_those_of_all_that_could_be(
    known: list[tuple[float, float]], n_missing: int, end: str
) -> None:
    c = np.array([one for one, _ in known] + [NONE] * n_missing)
    y = np.array([one for _, one in known] + [NONE] * n_missing)
    found = float(statistic_at("auroc", c, y, end)(np.ones((1, len(c))))[0])  # type: ignore[arg-type]
    could = []
    for filled in product(product((0.0, 0.5, 1.0), (0.0, 1.0)), repeat=n_missing):
        c[len(known) :], y[len(known) :] = zip(*filled, strict=True)
        could.append(float(auroc(c, y)))
    defined = [one for one in could if not math.isnan(one)]
    assert found == pytest.approx(min(defined) if end == "low" else max(defined))


@given(answers, st.integers(1, 2), st.integers(0, 2**31))
def test_the_ends_of_an_ece_hold_all_that_could_be(
    known: list[tuple[float, float]], n_missing: int, seed: int
) -> None:
    c = np.array([one for one, _ in known] + [NONE] * n_missing)
    y = np.array([one for _, one in known] + [NONE] * n_missing)
    weights = np.random.default_rng(seed).integers(0, 3, len(c)).astype(float)
    low, high = (
        float(statistic_at("ece", c, y, end)(weights[np.newaxis])[0])
        for end in ("low", "high")  # type: ignore[arg-type]
    )
    if not weights.any():
        assert math.isnan(low)
        return
    times = weights.astype(int)
    for filled in product(product((0.0, 0.3, 1.0), (0.0, 1.0)), repeat=n_missing):
        c[len(known) :], y[len(known) :] = zip(*filled, strict=True)
        could = calibration_error(np.repeat(c, times), np.repeat(y, times), binning="exact")
        assert low - 1e-12 <= could <= high + 1e-12


@over_rows("metric", ["auroc", "ece"])
def test_what_is_missing_is_worst_at_one_end_and_best_at_the_other(metric: str) -> None:
    of = made(50)
    of.confidence[:3, 0] = NONE
    of.correct[4, 1] = NONE
    pair, found = outcome(metric, of)
    assert (pair.missing.tolist(), pair.expected.tolist()) == ([3, 1], [50, 50])
    assert found.observed.units == 46
    assert found.worst is not None
    assert found.best is not None
    assert found.worst.units == 50
    assert found.worst.difference < found.observed.difference < found.best.difference
    assert found.bounded


def test_an_alignment_has_no_ends_and_says_so() -> None:
    of = made(50)
    of.correct[:2, 0] = NONE
    _, found = outcome("alignment", of)
    assert (found.bounded, found.worst, found.best) == (False, None, None)
    assert found.why_unbounded == (
        "2 answers lack a label or a confidence, and nothing bounds what they would do to alignment"
    )


def test_what_has_no_value_says_why() -> None:
    of = one_set([[0.5, 0.5], [0.2, 0.4]], [[1, 1], [1, 0]])
    pair, found = outcome("auroc", of)
    assert math.isnan(found.observed.difference)
    assert pair.why_not == (
        "no AUROC of the candidate: all answers are correct: there is no wrong one to tell them "
        "from"
    )
    pair, _ = outcome("ece", one_set([[0.5, NONE]], [[1, 1]]))
    assert pair.why_not == "no question has a label and a confidence of both"
    pair, _ = outcome("auroc", made(30), one_set([[0.5, 0.5]], [[0, 0]], "hotpot"))
    assert str(pair.why_not).startswith(
        "no AUROC of the candidate on hotpot: all answers are wrong"
    )


def test_two_perfect_models_are_known_as_well_as_the_rarer_answers_allow() -> None:
    c = [[i / 20, i / 20] for i in range(20)]
    y = [[i >= 16, i >= 16] for i in range(20)]
    _, found = outcome("auroc", one_set(c, y))
    assert (found.observed.difference, found.observed.p_worse) == (0.0, 1.0)
    assert found.observed.low < -0.3  # four answers are correct


def test_a_rise_that_chance_hides_is_not_ruled_out() -> None:
    """From a calibrated baseline plug-ins alone ruled 0.05 out on half of the nights."""
    passed = ruled_out = 0  # by the bound that lets pass, and by the plug-ins' own
    for seed in range(16):
        generator = np.random.default_rng(seed)
        c = generator.random(400)
        luck = generator.random((400, 2))
        y = luck < np.stack([np.clip(c - 0.05, 0.0, 1.0), c], axis=-1)
        _, found = outcome("ece", one_set(np.stack([c, c], axis=-1), y))
        passed += found.observed.low > -0.05
        ruled_out += found.observed.bounds(0.05)[0] > -0.05
        assert found.observed.low < found.observed.difference < found.observed.high
        assert "of plug-in errors" in found.observed.method
    assert passed <= 2 < 4 <= ruled_out
