"""Accuracy by model and judge: values, intervals, what is missing, ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.verdict_table import FAILED
from judgebench.stats.ranking import rank_sets
from judgebench.stats.resample import wilson_interval
from tests.table import over_rows

FAST = Intervals(n_replicates=200)


def board(**verdicts: str) -> dict[str, list]:
    """``model="+-?!."`` by item: correct, incorrect, unreadable, failed, no row.

    ``|`` splits samples, ``&`` the repeats of one.
    """
    columns: dict[str, list] = {
        name: [] for name in ("item_id", "model", "judge", "sample", "repeat", "kind", "label")
    }
    for model, samples in verdicts.items():
        for sample, repeats in enumerate(samples.split("|")):
            for repeat, marks in enumerate(repeats.split("&")):
                for item, mark in enumerate(marks):
                    if mark == ".":
                        continue
                    columns["item_id"].append(f"q{item}")
                    columns["model"].append(model)
                    columns["judge"].append("judge")
                    columns["sample"].append(sample)
                    columns["repeat"].append(repeat)
                    columns["kind"].append({"?": "unreadable", "!": FAILED}.get(mark, "label"))
                    columns["label"].append({"+": "correct", "-": "incorrect"}.get(mark))
    return columns


def by_model(columns: dict[str, list], **options) -> dict[str, Standing]:
    return {row.model: row for row in accuracies(columns, intervals=FAST, **options)}


def test_share_of_readable_verdicts_with_what_is_missing() -> None:
    rows = by_model(board(a="++-?.", b="+++++"))
    a = rows["a"].leading
    assert a.value == pytest.approx(2 / 3)
    assert (a.n, a.units, a.missing) == (3, 3, 2)
    assert (a.worst_low, a.worst_high) == (pytest.approx(2 / 5), pytest.approx(4 / 5))
    counts = rows["a"].counts
    assert (counts["unreadable"], counts["failed"], counts["not_asked"]) == (1, 0, 1)
    b = rows["b"].leading
    assert (b.value, b.missing, b.worst_low, b.worst_high) == (1.0, 0, 1.0, 1.0)


def test_failed_calls_are_told_from_those_not_made() -> None:
    a = by_model(board(a="+-!.", b="++++"))["a"]
    assert (a.counts["failed"], a.counts["not_asked"], a.leading.missing) == (1, 1, 2)


def test_a_model_whose_every_call_failed_is_shown_without_a_value() -> None:
    columns = board(a="++", b="!.")
    columns["failure_kind"] = [None, None, "rate_limit"]
    b = by_model(columns)["b"]
    assert math.isnan(b.leading.value)
    assert b.leading.undefined == "no readable verdict"
    assert (b.leading.worst_low, b.leading.worst_high) == (0.0, 1.0)
    assert b.counts == {
        "unreadable": 0, "judge_truncated": 0, "judge_refused": 0, "failed": 1,
        "failed_rate_limit": 1, "not_asked": 1,
    }  # fmt: skip


def test_replies_that_were_cut_off_or_refused_are_counted_apart() -> None:
    columns = board(a="+???")
    columns["reason"] = [None, "truncated", "refused", "two verdicts"]
    counts = by_model(columns)["a"].counts
    assert (counts["unreadable"], counts["judge_truncated"], counts["judge_refused"]) == (3, 1, 1)


def test_nothing_readable_is_undefined_not_zero() -> None:
    a = by_model(board(a="??", b="+-"))["a"]
    assert math.isnan(a.leading.value)
    assert math.isnan(a.leading.low)
    assert a.leading.undefined == "no readable verdict"
    assert (a.leading.n, a.leading.missing, a.counts["unreadable"]) == (0, 2, 2)
    assert (a.rank, a.rank_low, a.rank_high) == (None, None, None)


def test_samples_of_an_item_are_averaged_first() -> None:
    """q0 is right once in two, q1 always in one sample: (0.5 + 1) / 2, not 2 / 3."""
    a = by_model(board(a="++|-."))["a"].leading
    assert a.value == pytest.approx(0.75)
    assert (a.n, a.units) == (3, 2)


def test_an_unreadable_sample_beside_a_readable_one_is_missing() -> None:
    a = by_model(board(a="+-|?-"))["a"].leading
    assert (a.value, a.n, a.units, a.missing) == (0.5, 3, 2, 1)
    assert (a.worst_low, a.worst_high) == (0.25, 0.5)


def test_repeats_of_a_sample_are_averaged_before_its_samples() -> None:
    """The first sample was judged right in one of three repeats, the second once: (1/3 + 1) / 2."""
    a = by_model(board(a="+&-&-|+"))["a"]
    assert a.leading.value == pytest.approx((1 / 3 + 1) / 2)
    assert (a.leading.n, a.leading.units, a.leading.missing) == (4, 1, 0)


def test_judge_noise_is_the_spread_of_repeats_within_answers() -> None:
    """Variances with n - 1: (1/3, 3 repeats), (0, 2 repeats); pooled by degrees of freedom."""
    a = by_model(board(a="++-&+++&-.."))["a"].metrics["judge_noise"]
    assert a.value == pytest.approx(math.sqrt((2 / 3 + 0 + 1 / 2) / 4))
    assert (a.n, a.units) == (7, 3)
    assert "judge_noise" not in by_model(board(a="+-|++"))["a"].metrics


def test_a_repeat_beside_an_unreadable_one_counts_and_the_other_is_missing() -> None:
    a = by_model(board(a="+&?"))["a"].leading
    assert (a.value, a.n, a.missing, a.worst_low, a.worst_high) == (1.0, 1, 1, 0.5, 1.0)


def test_of_more_than_two_labels_the_last_is_the_positive_one() -> None:
    columns = board(a="+-?")
    columns["label"] = ["good", "fair", "bad"]
    columns["kind"] = ["label"] * 3
    rows = accuracies(columns, labels=("bad", "fair", "good"), intervals=FAST)
    assert rows[0].leading.value == pytest.approx(1 / 3)


@over_rows("marks", ["+-" * 14, "+" * 40, "-" * 40, "+" * 391 + "-" * 9, "+" * 9 + "-" * 391])
def test_wilson_where_a_bootstrap_does_not_serve(marks: str) -> None:
    a = by_model(board(a=marks))["a"].leading
    low, high = wilson_interval(marks.count("+"), len(marks))
    assert (a.low, a.high, a.method) == (pytest.approx(low), pytest.approx(high), "wilson")
    assert a.high - a.low > 0.02


def test_bootstrap_elsewhere_close_to_the_binomial() -> None:
    rows = accuracies(board(a="++-" * 100))
    a = rows[0].leading
    se = math.sqrt(2 / 9 / 300)
    assert a.method == "percentile bootstrap over items, 2000 replicates"
    assert a.low == pytest.approx(2 / 3 - 1.96 * se, abs=0.006)
    assert a.high == pytest.approx(2 / 3 + 1.96 * se, abs=0.006)
    bca = accuracies(board(a="++-" * 100), intervals=Intervals(kind="bca"))[0].leading
    assert bca.method.startswith("bca")
    assert (bca.low, bca.high) == (pytest.approx(a.low, abs=0.01), pytest.approx(a.high, abs=0.01))


def test_models_that_agree_item_by_item_move_together() -> None:
    """The shared weights pair the models: equal verdicts have equal intervals and equal ranks."""
    rows = by_model(board(a="+-+" * 20, b="+-+" * 20, c="+--" * 20))
    assert (rows["a"].leading.low, rows["a"].leading.high) == (
        rows["b"].leading.low,
        rows["b"].leading.high,
    )
    # Never worse than c on any item, and which of the two is better nothing tells.
    for name in "ab":
        assert (rows[name].rank, rows[name].rank_low, rows[name].rank_high) == (1, 1, 2)
    assert (rows["c"].rank, rows["c"].rank_low, rows["c"].rank_high) == (3, 3, 3)


def ranks_of(**marks: str) -> dict[str, tuple[int | None, int | None, int | None]]:
    rows = accuracies(board(**marks), intervals=Intervals(n_replicates=1))
    return {row.model: (row.rank, row.rank_low, row.rank_high) for row in rows}


def test_sets_of_ranks_are_those_of_means_and_their_covariance() -> None:
    generator = np.random.default_rng(2)
    right = generator.random((60, 9)) < np.linspace(0.2, 0.9, 9)
    marks = {f"m{m}": "".join("-+"[one] for one in right[:, m].astype(int)) for m in range(9)}
    table = right.astype(float)
    low, high = rank_sets(table.mean(axis=0), np.cov(table, rowvar=False) / 60, units=60, width=1.0)
    found = ranks_of(**marks)
    assert [found[f"m{m}"][1:] for m in range(9)] == list(zip(low, high, strict=True))


def test_twelve_tied_items_name_nobody() -> None:
    alike = {f"m{m}": "+-+-+-+-+-+-" for m in range(4)}
    assert set(ranks_of(**alike).values()) == {(1, 1, 4)}
    turned = {f"m{m}": "+-+-+-+-+-+-"[m:] + "+-+-+-+-+-+-"[:m] for m in range(4)}
    assert set(ranks_of(**turned).values()) == {(1, 1, 4)}


def test_sets_of_ranks_with_next_to_nothing() -> None:
    assert ranks_of(a="+", b="-") == {"a": (1, 1, 2), "b": (2, 1, 2)}, "one item"
    assert ranks_of(a="+-+") == {"a": (1, 1, 1)}, "one model"
    assert set(ranks_of(a="+" * 30, b="+" * 30).values()) == {(1, 1, 2)}, "a judge of one value"
    nothing = (None, None, None)
    missing = ranks_of(a="+-++", b="????", c="????")
    assert missing == {"a": (1, 1, 1), "b": nothing, "c": nothing}, "all missing but one"
    # One verdict alone says nothing of where a model stands, nor of who is above it.
    assert ranks_of(a="+" * 40, b="-" * 40, c="+" + "?" * 39) == {
        "a": (1, 1, 2), "b": (3, 2, 3), "c": (1, 1, 3),
    }  # fmt: skip


def test_rank_intervals_hold_what_the_data_cannot_tell_apart() -> None:
    rows = by_model(board(a="++--" * 10, b="--++" * 9 + "--+-", c="++++" * 10))
    assert (rows["c"].rank, rows["c"].rank_low, rows["c"].rank_high) == (1, 1, 1)
    assert (rows["a"].rank, rows["a"].rank_low, rows["a"].rank_high) == (2, 2, 3)
    assert (rows["b"].rank, rows["b"].rank_low, rows["b"].rank_high) == (3, 2, 3)


def test_best_first_and_unknown_last() -> None:
    rows = accuracies(board(a="??", b="+-", c="++"), intervals=FAST)
    assert [row.model for row in rows] == ["c", "b", "a"]


@given(st.lists(st.text("+-?.", min_size=5, max_size=5), min_size=1, max_size=4))
def test_invariants(marks: list[str]) -> None:
    columns = board(**{f"m{i}": row for i, row in enumerate(marks)})
    for row in accuracies(columns, intervals=Intervals(n_replicates=50)):
        a, shown = row.leading, marks[int(row.model[1:])]
        assert a.n == shown.count("+") + shown.count("-")
        assert a.n + a.missing == len(set(columns["item_id"]))
        assert sum(row.counts[why] for why in ("unreadable", "failed", "not_asked")) == a.missing
        assert a.worst_low is not None
        assert a.worst_high is not None
        if a.n:
            assert a.worst_low <= a.value + 1e-12
            assert a.value <= a.worst_high + 1e-12
            assert a.low <= a.value + 1e-12
            assert a.value <= a.high + 1e-12
            assert row.rank_low is not None
            assert row.rank is not None
            assert row.rank_low <= row.rank <= (row.rank_high or 0)


def test_numpy_columns_serve_as_well_as_lists() -> None:
    columns = board(a="+-?+", b="++-.")
    arrays = {name: np.array(values, dtype=object) for name, values in columns.items()}
    assert accuracies(arrays, intervals=FAST) == accuracies(columns, intervals=FAST)


def test_the_users_seed_moves_the_interval_and_the_same_seed_does_not() -> None:
    def ends(seed: int) -> tuple[float, float]:
        wanted = Intervals(seed=seed, n_replicates=60)
        accuracy = accuracies(board(a="++-" * 50), intervals=wanted)[0].leading
        return accuracy.low, accuracy.high

    assert ends(1) == ends(1)
    assert len({ends(seed) for seed in range(5)}) > 1
