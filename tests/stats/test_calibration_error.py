"""ECE and Alignment: definitions spelt out, invariants, where the binnings differ."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats import calibration_error as ce
from judgebench.stats import confidence as al
from judgebench.stats.resample import multinomial_weights, weighted_sums
from tests.table import over_rows

BINNINGS: tuple[ce.Binning, ...] = ("exact", "closed", "upstream")

answers = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.integers(0, 20).map(lambda k: k / 20)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 1)),
    )
)


@given(answers)
def test_exact_bins_by_fractions(data: tuple[np.ndarray, np.ndarray]) -> None:
    """Confidences are k/20: the bin of each is known without rounding."""
    c, y = data
    exact = [Fraction(round(20 * value), 20) for value in c]
    error = Fraction(0)
    for k in range(10):
        last = k == 9
        inside = [
            i
            for i, value in enumerate(exact)
            if Fraction(k, 10) <= value and (value < Fraction(k + 1, 10) or last)
        ]
        error += abs(sum((exact[i] - int(y[i]) for i in inside), Fraction(0)))
    found = ce.calibration_error(c, y, binning="exact")
    assert found == pytest.approx(float(error / len(c)), abs=1e-12)


@given(answers)
def test_upstream_bins_by_digitize(data: tuple[np.ndarray, np.ndarray]) -> None:
    c, y = data
    place = np.digitize(c, np.linspace(0, 1, 11)) - 1
    for binning, bins in (("upstream", place), ("closed", np.minimum(place, 9))):
        error = sum(
            (bins == k).mean() * abs(c[bins == k].mean() - y[bins == k].mean())
            for k in range(10)
            if (bins == k).any()
        )
        assert ce.calibration_error(c, y, binning=binning) == pytest.approx(error, abs=1e-12)


@given(answers)
@pytest.mark.parametrize("binning", BINNINGS)
def test_invariants(binning: ce.Binning, data: tuple[np.ndarray, np.ndarray]) -> None:
    c, y = data
    found = ce.calibration_error(c, y, binning=binning)
    assert 0.0 <= found <= 1.0
    again = ce.calibration_error(np.tile(c, 3), np.tile(y, 3), binning=binning)
    assert again == pytest.approx(found, abs=1e-12)
    if binning != "upstream":
        assert found >= abs(c.mean() - y.mean()) - 1e-12
        assert ce.calibration_error(y.astype(float), y, binning=binning) == 0.0


@given(answers, st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("binning", BINNINGS)
def test_replicates_are_weightings(
    binning: ce.Binning, data: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    c, y = data
    weights = multinomial_weights(len(c), 4, seed=seed)
    sums = weighted_sums(weights, ce.bin_contributions(c, y, binning=binning))
    tuning = al.random_fifth(len(c), seed=seed)
    aligned = al.alignment(c, y, tuning, weights=weights)
    for i, row in enumerate(weights.astype(int)):
        there = np.repeat(c, row), np.repeat(y, row)
        by_rows = ce.calibration_error(*there, binning=binning)
        assert ce.calibration_error_of(sums)[i] == pytest.approx(by_rows, abs=1e-12)
        one = al.alignment(*there, np.repeat(tuning, row))
        assert aligned.value[i] == pytest.approx(float(one.value), abs=1e-12, nan_ok=True)
        assert aligned.threshold[i] == one.threshold


def test_where_the_binnings_differ() -> None:
    """0.3, 0.6 and 0.7 lie under edges made of sums of a rounded 0.1; 1 has a bin of its own."""
    steps = np.arange(21) / 20
    n = {b: ce.reliability_bins(steps, np.ones(21), binning=b) for b in BINNINGS}
    assert n["exact"].n.tolist() == [2] * 9 + [3]
    assert n["closed"].n.tolist() == [2, 2, 3, 1, 2, 3, 2, 1, 2, 3]
    assert n["upstream"].n.tolist() == [2, 2, 3, 1, 2, 3, 2, 1, 2, 2]
    assert [n[b].n_unbinned for b in BINNINGS] == [0, 0, 1]


def test_bins_of_a_reliability_diagram() -> None:
    bins = ce.reliability_bins([0.31, 0.39, 0.95, 1.0], [0, 1, 1, 1], binning="exact")
    assert bins.low[3] == 0.3
    assert bins.high[9] == 1.0
    assert bins.n.tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0, 2]
    assert bins.confidence[[3, 9]] == pytest.approx([0.35, 0.975])
    assert bins.accuracy[[3, 9]] == pytest.approx([0.5, 1.0])
    assert np.isnan(bins.confidence[0])
    assert np.isnan(bins.accuracy[0])


@given(answers)
@pytest.mark.parametrize("binning", BINNINGS)
def test_the_bins_that_are_drawn_have_the_error_that_is_reported(
    binning: ce.Binning, data: tuple[np.ndarray, np.ndarray]
) -> None:
    bins = ce.reliability_bins(*data, binning=binning)
    there = bins.n > 0
    distance = np.abs(bins.confidence - bins.accuracy)[there]
    from_bins = (bins.n[there] * distance).sum() / len(data[0])
    assert from_bins == pytest.approx(bins.error, abs=1e-12)
    assert bins.error == ce.calibration_error(*data, binning=binning)


def test_undefined_and_refused() -> None:
    for binning in BINNINGS:
        assert np.isnan(ce.reliability_bins([], [], binning=binning).error)
        assert np.isnan(ce.calibration_error([], [], binning=binning))
        assert ce.reliability_bins([], [], binning=binning).n.sum() == 0
        with pytest.raises(ValueError, match=r"the confidence of answer 0 is 1\.5"):
            ce.calibration_error([1.5], [1], binning=binning)
    with pytest.raises(ValueError, match="binning is exact, closed or upstream, not 'equal'"):
        ce.calibration_error([0.5], [1], binning="equal")  # type: ignore[arg-type]
    assert np.isnan(al.alignment([], [], []).value)
    assert np.isnan(al.alignment([0.5], [1], [True]).value)
    with pytest.raises(ValueError, match="a side for each of 2 answers"):
        al.alignment([0.5, 0.5], [1, 1], [True])


@given(answers, st.integers(0, 9))
def test_alignment_by_its_definition(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    c, y = data
    for tuning in (al.first_fifth(len(c)), al.random_fifth(len(c), seed=seed)):
        best, threshold = 0.0, 0.5
        for step in range(1, 100):
            confident = c[tuning] >= step / 100
            if not confident.any() or confident.all():
                continue
            agreement = (confident == y[tuning]).mean()
            if agreement > best:
                best, threshold = agreement, step / 100
        found = al.alignment(c, y, tuning)
        assert found.threshold == threshold
        expected = ((c[~tuning] >= threshold) == y[~tuning]).mean()
        assert found.value == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 500), st.integers(0, 9))
def test_a_fifth_of_the_rows(n: int, seed: int) -> None:
    first, drawn = al.first_fifth(n), al.random_fifth(n, seed=seed)
    assert first.sum() == drawn.sum() == int(0.2 * n)
    assert first[: int(0.2 * n)].all()
    assert (drawn == al.random_fifth(n, seed=seed)).all()
    assert n < 50 or (drawn != first).any()


def test_no_threshold_splits_the_tuning_rows() -> None:
    """All of one confidence: 0.5 is taken, as with fewer than five rows, none of which tunes."""
    assert al.alignment([0.9, 0.9, 0.6, 0.4], [0, 0, 1, 1], [1, 1, 0, 0]).threshold == 0.5
    few = al.alignment([0.9, 0.1], [1, 0], al.first_fifth(2))
    assert (few.threshold, few.value) == (0.5, 1.0)


# the corrected error -----------------------------------------------------------------------------


def sums(
    c: np.ndarray, y: np.ndarray, binning: ce.Binning = "exact", unit_of: np.ndarray | None = None
) -> np.ndarray:
    return ce.unit_sums(ce.bin_contributions(c, y, binning=binning), unit_of)


sized = st.integers(2, 80).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.integers(0, 20).map(lambda k: k / 20)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 1)),
    )
)


@given(st.lists(sized, min_size=1, max_size=3), st.sampled_from(BINNINGS), st.integers(0, 9))
def test_no_corrected_error_lies_outside_its_interval(
    data: list[tuple[np.ndarray, np.ndarray]], binning: ce.Binning, seed: int
) -> None:
    found = ce.corrected_error([sums(*one, binning) for one in data], seed=seed)
    expected = np.mean([ce.calibration_error(*one, binning=binning) for one in data])
    assert found.plug_in == pytest.approx(expected, abs=1e-12)
    enough = sum(len(c) for c, _ in data) >= ce.FEWEST_UNITS
    assert np.isnan(found.value) == (not enough)
    assert (found.why_no_interval is None) == enough
    assert np.isnan(found.low) == np.isnan(found.high) == (not enough)
    if enough:
        assert found.value <= found.plug_in + 1e-12
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
        wider = ce.corrected_error([sums(*one, binning) for one in data], seed=seed, level=0.99)
        assert wider.low <= found.low
        assert wider.high >= found.high


def test_the_moments_of_a_folded_normal_are_those_of_scipy() -> None:
    from scipy.stats import foldnorm

    t = np.array([0.0, 0.3, 1.0, 2.5, 5.9])
    mean, variance, third = ce._folded(t)
    known = foldnorm.stats(t, moments="mvs")
    assert mean == pytest.approx(known[0])
    assert variance == pytest.approx(known[1])
    assert third / variance**1.5 == pytest.approx(known[2], abs=1e-6)


def test_the_estimate_has_the_plug_in_that_was_seen_on_average() -> None:
    """By simulation: bins as the soft threshold leaves them, drawn with their errors."""
    generator = np.random.default_rng(0)
    c = generator.random(400)
    y = (generator.random(400) < np.clip(c - 0.15, 0, 1)).astype(float)
    one = ce._Gaps(sums(c, y), 1.0)
    value = ce.corrected_error([sums(c, y)]).value
    distance = np.abs(one.mean)
    low, high = 0.0, float((distance / one.error).max())
    for _ in range(60):  # the threshold, found from the estimate alone
        x = (low + high) / 2
        left = np.maximum(distance - x * one.error, 0.0)
        low, high = (x, high) if left.sum() > value else (low, x)
    drawn = np.abs(left + one.error * generator.normal(size=(200_000, len(left)))).sum(axis=1)
    assert drawn.mean() == pytest.approx(distance.sum(), abs=2e-4)


@over_rows("n", [100, 1000])
@over_rows("too_high", [0.0, 0.05, 0.2])
def test_intervals_of_a_corrected_error_cover(n: int, too_high: float) -> None:
    """Wide draws; perf/coverage_calibration.py measures closely. Percentiles held 0 at 0."""
    generator = np.random.default_rng([n, round(100 * too_high)])
    grid = (np.arange(100_000) + 0.5) / 100_000
    right = np.clip(grid - too_high, 0.0, 1.0)
    bins = np.minimum((10 * grid).astype(int), 9)
    truth = float(np.abs(np.bincount(bins, grid - right)).sum() / len(grid))
    held, biased, plug_in = 0, 0.0, 0.0
    for trial in range(120):
        at = generator.integers(0, len(grid), n)
        y = (generator.random(n) < right[at]).astype(float)
        found = ce.corrected_error([sums(grid[at], y)], seed=trial)
        held += found.low <= truth <= found.high
        biased += (found.value - truth) / 120
        plug_in += (found.plug_in - truth) / 120
    assert held >= 0.91 * 120
    assert abs(biased) < max(0.6 * plug_in, 0.02)


def test_what_never_varied_has_no_point_for_an_interval() -> None:
    n = 40
    for c, y, truth in ((1.0, 1, 0.0), (0.0, 0, 0.0), (1.0, 0, 1.0), (0.0, 1, 1.0)):
        found = ce.corrected_error([sums(np.full(n, c), np.full(n, y))])
        assert found.value == truth
        assert found.high - found.low == pytest.approx(
            2.0227**2 / n, abs=1e-4
        )  # Student's, squared
        assert found.low <= truth <= found.high
    half = ce.corrected_error([sums(np.full(n, 0.5), np.arange(n) % 2)])
    assert (half.value, half.low) == (0.0, 0.0)
    assert 0.1 < half.high < 0.2


def test_answers_of_one_unit_are_one() -> None:
    """Asked three times and answered alike, a question tells no more than once."""
    generator = np.random.default_rng(2)
    c, y = generator.integers(0, 21, 60) / 20, generator.integers(0, 2, 60)
    once = ce.corrected_error([sums(c, y)])
    unit_of = np.tile(np.arange(60), 3)
    thrice = ce.corrected_error([sums(np.tile(c, 3), np.tile(y, 3), unit_of=unit_of)])
    assert (thrice.value, thrice.high) == (pytest.approx(once.value), pytest.approx(once.high))
    apart = ce.corrected_error([sums(np.tile(c, 3), np.tile(y, 3))])
    assert apart.high < thrice.high - 0.01


def test_weights_are_how_often_an_answer_counts() -> None:
    c, y = np.array([0.1, 0.9, 0.9, 0.4]), np.array([0, 1, 0, 1])
    contributions = ce.bin_contributions(c, y, binning="exact")
    weighted = ce.unit_sums(contributions, weights=[2.0, 0.0, 1.0, 0.0])
    assert weighted.shape == (2, ce.N_BINS + 1, 3)
    assert weighted.sum(axis=0)[1].tolist() == pytest.approx([2.0, 0.2, 0.0])
    nothing = ce.corrected_error([ce.unit_sums(contributions, weights=np.zeros(4))])
    assert np.isnan(nothing.value)
    assert nothing.why_no_interval == "no answers"
    with pytest.raises(ValueError, match="the weight of answer 1 is -1"):
        ce.unit_sums(contributions, weights=[1.0, -1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="a positive share for each of 1 sets"):
        ce.corrected_error([weighted], [0.0])


def test_few_units_have_no_interval_and_say_so() -> None:
    one = ce.corrected_error([sums(np.array([0.7]), np.array([1]))])
    assert np.isnan(one.value)
    assert one.plug_in == pytest.approx(0.3)
    assert one.why_no_interval == "1 question; a calibration error takes 20"
    few = ce.corrected_error([sums(np.full(19, 0.7), np.ones(19))])
    assert np.isnan([few.value, few.low, few.high]).all()
    assert few.plug_in == pytest.approx(0.3)
    assert few.why_no_interval == "19 questions; a calibration error takes 20"
    enough = ce.corrected_error([sums(np.full(20, 0.7), np.ones(20))])
    assert enough.low <= enough.value <= enough.high
    with_one = [sums(np.full(30, 0.7), np.ones(30)), sums(np.array([0.7]), np.array([1]))]
    assert ce.corrected_error(with_one).why_no_interval == "a set has a single question"


@over_rows(("wrong", "further"), [(9, 1.0), (10, 0.25), (11, 0.25)])
def test_with_ten_of_the_rarer_outcome_a_quarter_of_a_unit_is_added(
    wrong: int, further: float
) -> None:
    """Wilson's variance of a further unit; all of it where less was seen to vary."""
    c, y = np.full(50, 0.95), np.arange(50) >= wrong
    gaps = ce._Gaps(ce.unit_sums(ce.bin_contributions(c, y, binning="exact")), 1.0)
    assert gaps.further == pytest.approx(further / 50**2)


@over_rows(("plug_in", "n"), [(0.3, 1), (0.45, 2), (0.9, 10)])
def test_at_the_upper_end_so_small_a_plug_in_has_the_probability_that_is_asked(
    plug_in: float, n: int
) -> None:
    """Drawn: equally many standard errors in every bin, the sum of their distances from 0."""
    error = np.full(n, 0.1)
    end = ce._largest(plug_in, error, 1.959964, 0.0)
    means = np.full(n, end / n)
    drawn = np.abs(np.random.default_rng(2).normal(means, error, (400_000, n))).sum(axis=1)
    assert (drawn <= plug_in).mean() == pytest.approx(0.025, abs=0.004)


@over_rows(("n", "tuned"), [(4, 0), (5, 1), (8, 1), (9, 1), (10, 2), (14, 2)])
def test_a_fifth_is_rounded_down_as_upstream_does_it(n: int, tuned: int) -> None:
    assert al.first_fifth(n).tolist() == [True] * tuned + [False] * (n - tuned)
    assert al.random_fifth(n, seed=3).sum() == tuned
