"""Two models lined up item by item, and compared as observed and at the ends of what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance, by_turn
from judgebench.metrics.paired import (
    PairedModels,
    compare,
    every_pair,
    family,
    paired_models,
    spread_of,
    why_no_difference,
)
from judgebench.metrics.scores import scores
from judgebench.records import BINARY
from judgebench.stats.paired_tests import paired_test, score_worse, tango_bounds
from judgebench.stats.unchanged import passes_unchanged

Said = tuple[str, str, Any]
"""Item, model, and a label, a number, or None for what could not be read."""


def columns(said: Sequence[Said], kind: str, **more: Any) -> dict[str, list[Any]]:
    n = len(said)
    return {
        "item_id": [item for item, _, _ in said],
        "model": [model for _, model, _ in said],
        "judge": ["j"] * n,
        "sample": [0] * n,
        "kind": ["unreadable" if value is None else kind for _, _, value in said],
        "label": [value if isinstance(value, str) else None for _, _, value in said],
        "value": [None if isinstance(value, str) else value for _, _, value in said],
        "low": [1.0] * n,
        "high": [10.0] * n,
        "judge_kind": ["rubric" if kind == "score" else "reference"] * n,
    } | more


def pair(said: Sequence[Said], kind: Any = "label", **more: Any) -> PairedModels:
    which = BoardKind(kind, "base" if kind == "preference" else None)
    its = columns(said, kind, **({"opponent": ["base"] * len(said)} if which.opponent else {}))
    return paired_models(its, which, "j", "new", "old", labels=BINARY, **more)


def marks(new: str, old: str) -> list[Said]:
    """``"+-?"``: correct, incorrect, unreadable; one letter an item."""
    words = {"+": "correct", "-": "incorrect", "?": None}
    return [
        (f"{i:03d}", model, words[mark])
        for model, said in (("new", new), ("old", old))
        for i, mark in enumerate(said)
        if mark != "."
    ]


def test_right_and_wrong_is_mcnemars_table() -> None:
    found = compare(pair(marks("+++---++", "++++++--")), alpha=0.05)
    assert (found.candidate, found.baseline) == (5 / 8, 6 / 8)
    assert found.observed.difference == pytest.approx(-1 / 8)
    assert found.observed.p_worse == score_worse(2, 3)
    assert (found.observed.low, found.observed.high) == tango_bounds(2, 3, 8, alpha=0.05)
    assert (found.worst, found.best, found.bounded) == (None, None, True)


def test_what_is_missing_is_put_at_its_ends() -> None:
    lined = pair(marks("++?-", "+-++"))
    found = compare(lined, alpha=0.05)
    assert lined.missing.tolist() == [1, 0]
    assert (found.observed.units, found.observed.difference) == (3, 0.0)
    assert found.worst is not None
    assert found.best is not None
    assert found.worst.difference == pytest.approx((0 + 1 - 1 - 1) / 4)
    assert found.best.difference == pytest.approx((0 + 1 + 0 - 1) / 4)
    assert found.bounded


def test_an_item_of_one_model_alone_is_missing_from_the_other() -> None:
    lined = pair(marks("++.", "+-+"))
    found = compare(lined, alpha=0.05)
    assert (lined.items, lined.missing.tolist()) == (("000", "001", "002"), [1, 0])
    assert found.observed.units == 2
    assert found.worst is not None
    assert found.worst.units == 3


def test_scores_without_ends_cannot_be_bounded() -> None:
    said: list[Said] = [("1", "new", None), ("1", "old", 2.0), ("2", "new", 3.0), ("2", "old", 1.0)]
    its = columns(said, "score", low=[-math.inf] * 4, high=[math.inf] * 4)
    lined = paired_models(its, BoardKind("score"), "j", "new", "old", labels=BINARY)
    found = compare(lined, alpha=0.05)
    assert not found.bounded
    assert found.worst is None
    assert found.observed.difference == 2.0


def test_repeats_of_a_question_are_one_unit() -> None:
    said = marks("+-+-", "++++")
    its = columns(said, "label", unit=["q" if i[0] in ("000", "001") else i[0] for i in said])
    lined = paired_models(its, BoardKind("label"), "j", "new", "old", labels=BINARY)
    found = compare(lined, alpha=0.05)
    assert found.observed.units == 3
    assert found.observed.difference == pytest.approx(-0.5)


def test_turns_that_are_all_there_are_tested_as_the_means_of_their_questions() -> None:
    """The same signs are drawn: no interval is another one for turns that are told apart."""
    scores_of = np.random.default_rng(0).integers(1, 11, (2, 40, 2)).tolist()
    its = columns(
        [
            (f"{item:02d}", model, float(scores_of[m][item][turn]))
            for m, model in enumerate(("new", "old"))
            for item in range(40)
            for turn in range(2)
        ],
        "score",
        turn=[0, 1] * 80,
    )
    whole, turns = (
        paired_models(one, BoardKind("score"), "j", "new", "old", labels=BINARY)
        for one in (its, by_turn(its, [])[0])
    )
    assert (len(whole.items), len(turns.items), len(set(turns.questions))) == (40, 80, 40)
    one, other = (compare(lined, alpha=0.025).observed for lined in (whole, turns))
    assert (one.p_worse, one.p_better) == (other.p_worse, other.p_better)
    assert one.bounds(0.025) == pytest.approx(other.bounds(0.025))


def test_win_rates_are_against_one_opponent_and_in_percent() -> None:
    said: list[Said] = [("1", "new", 0.9), ("2", "new", 0.2), ("1", "old", 0.5), ("2", "old", 0.1)]
    lined = pair(said, "preference")
    assert (lined.metric, lined.unit) == ("win_rate", 100.0)
    assert compare(lined, alpha=0.05).observed.difference == pytest.approx(0.25)


def test_a_group_is_looked_at_alone() -> None:
    group_of = {"000": "a", "001": "a", "002": "b"}
    lined = pair(marks("+-+", "+++"), group_of=group_of, group="a")
    assert (lined.metric, lined.items) == ("accuracy/a", ("000", "001"))
    assert compare(lined, alpha=0.05).observed.difference == -0.5


def test_a_balanced_difference_is_that_of_the_boards_and_its_spread_the_bootstraps() -> None:
    generator = np.random.default_rng(3)
    category_of = {f"{i:03d}": "ab" if i < 100 else "cd" if i < 130 else "ef" for i in range(200)}
    balance = Balance(category_of=category_of, sides={"x": ["ab", "cd"], "y": ["ef"]})
    said: list[Said] = []
    for item, category in category_of.items():
        shift = {"ab": 0.0, "cd": -1.0, "ef": 2.0}[category]
        old = float(np.clip(generator.normal(5, 1), 1, 10))
        said += [(item, "old", old), (item, "new", float(np.clip(old + shift, 1, 10)))]
        said[-1] = (item, "new", float(np.clip(said[-1][2] + generator.normal(0, 1), 1, 10)))
    found = compare(pair(said, "score", balance=balance), alpha=0.05)
    rows = scores(columns(said, "score"), balance=balance, intervals=Intervals(n_replicates=50))
    board = {row.model: row.leading.value for row in rows}
    assert found.observed.difference == pytest.approx(board["new"] - board["old"], abs=1e-12)
    assert found.candidate == pytest.approx(board["new"], abs=1e-12)
    means = []
    by_item = {(item, model): value for item, model, value in said}
    names = list(category_of)
    for _ in range(1500):
        drawn = [names[k] for k in generator.integers(0, 200, 200)]
        of = {c: [by_item[i, "new"] - by_item[i, "old"] for i in drawn if category_of[i] == c]
              for c in ("ab", "cd", "ef")}  # fmt: skip
        means.append(((fmean(of["ab"]) + fmean(of["cd"])) / 2 + fmean(of["ef"])) / 2)
    error = found.observed.spread / math.sqrt(found.observed.units)
    assert error == pytest.approx(float(np.std(means)), rel=0.08)


def test_a_loss_in_a_small_category_is_reckoned_with_before_it_is_seen() -> None:
    """Half of the whole hangs on five of 200 items: what they rarely lose must not pass unseen."""
    generator = np.random.default_rng(6)
    n, small, passes, nights = 200, 5, 0, 200
    for _ in range(nights):
        lost = (np.arange(n) < small) & (generator.random(n) < 0.1)  # worse by 5 points
        pair_of_both = PairedModels(
            judge="J", metric="score", unit=1.0, width=1.0, items=tuple(map(str, range(n))),
            unit_of=np.arange(n), weight=np.full(n, 0.5),
            stratum=np.where(np.arange(n) < small, 1, 2),
            mean=np.stack([1.0 - lost, np.ones(n)], axis=1), worst=None, best=None,
            missing=np.zeros(2, dtype=np.int64), expected=np.full(2, n),
        )  # fmt: skip
        observed = compare(pair_of_both, alpha=0.05).observed
        assert observed.reach == pytest.approx(n * 0.5 / small)
        passes += observed.low > -0.05
    assert passes <= 0.08 * nights
    # and how often an unchanged model passes is reckoned with the same
    plain, heavy = (
        passes_unchanged(0.1, n, 0.05, alpha=0.05, width=one) for one in (1.0, observed.reach)
    )
    assert heavy < 0.1 < 0.9 < plain


def test_units_of_many_items_move_the_mean_most() -> None:
    one = paired_test(np.zeros(40), np.r_[40.0, np.ones(39)], alpha=0.05, width=1.0)
    even = paired_test(np.zeros(40), np.full(40, 2.0), alpha=0.05, width=1.0)
    assert one.low < 15 * even.low


def test_a_category_that_nobody_can_compare_leaves_nothing() -> None:
    balance = Balance(category_of={"1": "a", "2": "b"}, sides={"x": ["a", "b"]})
    said: list[Said] = [("1", "new", 2.0), ("1", "old", 3.0), ("2", "new", None), ("2", "old", 4.0)]
    found = compare(pair(said, "score", balance=balance), alpha=0.05)
    assert math.isnan(found.observed.difference)
    assert found.worst is not None
    assert found.worst.difference == pytest.approx((-1 + (1 - 4)) / 2)
    of = pair(said, "score", balance=balance)
    assert why_no_difference(of) == (
        "no item of b has a readable verdict on both, and categories count equally"
    )
    elsewhere = pair(said, "score", balance=Balance(category_of={}, sides={"x": ["a", "b"]}))
    assert why_no_difference(elsewhere).endswith("is known to be of a category that counts")
    nothing = pair([said[2], said[3]], "score", balance=balance)
    assert why_no_difference(nothing) == "no item has a readable verdict on both"


def test_a_part_of_the_categories_has_no_difference() -> None:
    """As on boards: of a limited run, or a night that was interrupted, there is no whole."""
    balance = Balance(category_of={"1": "a", "2": "b"}, sides={"x": ["a", "b"]})
    said: list[Said] = [("1", "new", 5.0), ("1", "old", 3.0)]
    of = pair(said, "score", balance=balance)
    found = compare(of, alpha=0.05)
    assert math.isnan(found.observed.difference)
    assert math.isnan(found.candidate)
    assert why_no_difference(of).startswith("no item of b has a readable verdict on both")
    (row, _) = scores(columns(said, "score"), balance=balance)
    assert math.isnan(row.leading.value)
    said += [("2", "new", 4.0), ("2", "old", 4.0)]
    assert compare(pair(said, "score", balance=balance), alpha=0.05).observed.difference == 1.0


def test_who_was_never_judged_is_named() -> None:
    lined = pair([("1", "old", "correct")])
    assert lined.why_not == "j has no verdict on new"


def test_a_group_without_a_verdict_compares_nothing() -> None:
    lined = pair(marks("+-", "++"), group_of={"000": "a"}, group="b")
    assert lined.items == ()
    assert (lined.coverage, lined.readable) == ((0.0, 0.0), 0)
    assert math.isnan(compare(lined, alpha=0.05).observed.difference)


def test_every_pair_has_the_spread_that_comparing_it_finds() -> None:
    generator = np.random.default_rng(7)
    category_of = {f"{i:03d}": "ab" if i < 40 else "cd" for i in range(60)}
    balance = Balance(category_of=category_of, sides={"x": ["ab"], "y": ["cd"]})
    scored: list[Said] = [
        (item, model, None if generator.random() < 0.05 else float(generator.integers(1, 11)))
        for item in category_of
        for model in ("old", "new", "third")
    ]
    labelled: list[Said] = [
        (item, model, None if value is None else "correct" if value > 4 else "incorrect")
        for item, model, value in scored
    ]
    unit = [f"q{int(item) // 2}" for item, _, _ in labelled]
    for its, kind, more in (
        (columns(scored, "score"), "score", {"balance": balance}),
        (columns(scored, "score"), "score", {}),
        (columns(labelled, "label"), "label", {}),
        (columns(labelled, "label", unit=unit), "label", {}),
    ):
        which = BoardKind(kind)  # type: ignore[arg-type]
        pairs = list(every_pair(its, which, "j", labels=BINARY, most=10, **more))  # type: ignore[arg-type]
        assert len(pairs) == 3
        (two,) = (spread_of(p) for p in pairs[:1])  # new and old, in order of name
        lined = paired_models(its, which, "j", "new", "old", labels=BINARY, **more)  # type: ignore[arg-type]
        found = compare(lined, alpha=0.05)
        assert (two.spread, two.units) == (
            pytest.approx(found.observed.spread), found.observed.units,
        )  # fmt: skip
        if found.observed.binary:
            assert two.right == pytest.approx((found.candidate + found.baseline) / 2)
        else:
            assert two.right is None
    some = every_pair(its, which, "j", labels=BINARY, most=2)
    assert len(list(some)) == 2


def test_a_family_counts_tests_that_are_not_shown_in_p_values_and_levels() -> None:
    p_values = {"observed": [0.001, 0.004, 0.2], "worst": [0.001, 0.2, 0.2]}
    alone, among = (family(p_values, alpha=0.05, of=of) for of in (None, 10))  # type: ignore[arg-type]
    assert [p for p, _ in alone] == pytest.approx([0.003, 0.008, 0.2])
    assert [p for p, _ in among] == pytest.approx([0.01, 0.036, 1.0])
    assert [at["observed"] for _, at in among] == pytest.approx([0.05 / 10, 0.05 / 9, 0.05 / 8])
    assert [at["worst"] for _, at in among] == pytest.approx([0.05 / 10, 0.05 / 9, 0.05 / 9])
