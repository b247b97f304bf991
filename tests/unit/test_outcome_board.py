"""Pairs whichever way round they are written, and their outcomes one pair at a time."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.metrics.evaluators import pair_labels, with_gaps
from judgebench.metrics.judged_values import paired_verdicts, read_outcomes
from judgebench.metrics.outcome_agreement import win_rates
from judgebench.stats.evaluators import Labels
from judgebench.stats.pair_outcomes import OutcomeRule
from tests.agreements import outcome_agreement

Columns = dict[str, list[Any]]
NAMES = (
    "item_id",
    "model",
    "opponent",
    "judge",
    "sample",
    "turn",
    "order",
    "repeat",
    "kind",
    "value",
)
ORDERS = ("model_first", "opponent_first")

places = st.tuples(
    st.sampled_from("12"), st.sampled_from([("a", "b"), ("b", "a"), ("a", "c"), ("c", "c")]),
    st.sampled_from("jk"), st.integers(0, 1), st.just(0), st.sampled_from(ORDERS),
    st.integers(0, 2),
)  # fmt: skip
values = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, None])
boards = st.dictionaries(places, values, min_size=1, max_size=25).map(
    lambda found: columns([(i, m, o, *rest, p) for (i, (m, o), *rest), p in found.items()])
)
rules = st.builds(
    OutcomeRule,
    tie_band=st.sampled_from([0.0, 0.1]),
    conflict=st.sampled_from(["mean", "tie", "drop"]),
    unreadable=st.sampled_from(["other", "drop"]),
)


def columns(rows: list[tuple[Any, ...]]) -> Columns:
    """Rows of `NAMES` without the kind; a value of None could not be read."""
    full = [(*row[:-1], "unreadable" if row[-1] is None else "preference", row[-1]) for row in rows]
    return {name: [row[i] for row in full] for i, name in enumerate(NAMES)}


def turned(board: Columns, which: list[int]) -> Columns:
    """The same with some rows written the other way round."""
    found = {name: list(said) for name, said in board.items()}
    for i in which:
        found["model"][i], found["opponent"][i] = found["opponent"][i], found["model"][i]
        found["order"][i] = ORDERS[1 - ORDERS.index(found["order"][i])]
        if found["value"][i] is not None:
            found["value"][i] = 1.0 - found["value"][i]
    return found


def outcomes(board: Columns, rule: OutcomeRule) -> dict[tuple[Any, ...], int]:
    """By judge, item, sample and the two models in order of name: what became of the first."""
    found = read_outcomes(board, rule)
    said = paired_verdicts(board)
    return {
        (judge, said.items[item], said.sample_of[i], *sorted(found.models[models])): (
            2 - code
            if (code := int(found.of(judge).codes[i])) >= 0
            and found.models[models] != tuple(sorted(found.models[models]))
            else code
        )
        for judge in found.judges
        for i, (item, models) in enumerate(zip(said.item_of, said.model_of, strict=True))
    }


def one_by_one(board: Columns, rule: OutcomeRule) -> dict[tuple[Any, ...], int]:
    """What the rule says of each pair, in so many words."""
    asked: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in zip(*board.values(), strict=True):
        said = dict(zip(board, row, strict=True))
        first, second = sorted((said["model"], said["opponent"]))
        flipped = said["model"] != first
        shown = said["order"] if not flipped else ORDERS[1 - ORDERS.index(said["order"])]
        p = said["value"]
        towards = math.nan if p is None else 1.0 - p if flipped else p
        place = (said["judge"], said["item_id"], (said["sample"], said["turn"]), first, second)
        asked[place][shown].append(towards)

    def of_one(p: float) -> int:
        return 1 if abs(p - 0.5) <= rule.tie_band + 1e-9 else 2 if p > 0.5 else 0

    found = {}
    for place, orders in asked.items():
        read = {shown: [p for p in said if not math.isnan(p)] for shown, said in orders.items()}
        means = [fmean(said) for said in read.values() if said]
        if not means or (len(means) < len(orders) and rule.unreadable == "drop"):
            found[place] = -2
        elif len({of_one(p) for p in means}) == 1 or rule.conflict == "mean":
            found[place] = of_one(fmean(means))
        else:
            found[place] = 1 if rule.conflict == "tie" else -2
    return found


@given(boards, rules)
def test_every_pair_by_itself(board: Columns, rule: OutcomeRule) -> None:
    found = outcomes(board, rule)
    expected = one_by_one(board, rule)
    assert {place: code for place, code in found.items() if code != -1} == expected
    counts = read_outcomes(board, rule).counts
    for judge, n in counts.items():
        mine = [code for place, code in expected.items() if place[0] == judge]
        assert n["n_wins"] + n["n_ties"] + n["n_losses"] == sum(code >= 0 for code in mine)
        assert n["n_missing"] == mine.count(-2)


@given(boards, rules, st.randoms(use_true_random=False))
def test_whichever_way_round(board: Columns, rule: OutcomeRule, chance: random.Random) -> None:
    n = len(board["item_id"])
    which = chance.sample(range(n), chance.randint(0, n))
    # What is said of a model against itself has no other way round.
    other = turned(board, [i for i in which if board["model"][i] != board["opponent"][i]])
    assert outcomes(other, rule) == outcomes(board, rule)
    shuffled = chance.sample(range(n), n)
    again = {name: [said[i] for i in shuffled] for name, said in board.items()}
    assert outcomes(again, rule) == outcomes(board, rule)


@given(boards, rules)
def test_a_judge_agrees_with_itself(board: Columns, rule: OutcomeRule) -> None:
    twice = {name: said * 2 for name, said in board.items()}
    n = len(board["judge"])
    twice["judge"] = [*(f"{judge}'" for judge in board["judge"]), *board["judge"]]
    said = read_outcomes(twice, rule)
    for judge in set(board["judge"]):
        one, other = said.of(judge), said.of(f"{judge}'")
        assert (one.codes == other.codes).all()
        assert (np.nan_to_num(one.p - other.p) == 0).all()
    assert n == len(twice["judge"]) // 2


def test_the_model_is_whoever_is_called_so_more_often() -> None:
    rows = [
        ("1", "b", "a", "j", 0, 0, "single", 0, 1.0),
        ("2", "b", "a", "j", 0, 0, "single", 0, 1.0),
    ]
    rows += [("1", "a", "b", "k", 0, 0, "single", 0, 0.0)]
    board = read_outcomes(columns(rows))
    assert board.models == (("b", "a"),)
    assert board.names == ("b",)
    assert board.of("k").codes.tolist() == [2, -1]
    even = read_outcomes(columns(rows[1:]))
    assert even.models == (("a", "b"),)


def test_what_is_no_comparison_is_passed_over() -> None:
    board = columns([("1", "a", "b", "j", 0, 0, "single", 0, 1.0)])
    for name, value in zip(
        NAMES, ("1", "a", None, "k", 0, 0, "single", 0, "label", None), strict=True
    ):
        board[name].append(value)
    found = read_outcomes(board)
    assert found.everybody == ("j", "k")
    assert found.judges == ("j",)
    assert set(found.counts) == {"j"}


def test_win_rates_against_one_opponent_and_over_all_pairs() -> None:
    counts = np.array([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]])
    present = np.array([True, True])
    one = win_rates(counts, present, models=[("a", "base"), ("b", "base")])
    assert one.tolist() == [0.75, 0.25]
    every = win_rates(counts, present, models=[("a", "b"), ("b", "c")])
    assert every.tolist() == [0.75, 0.25, 0.75]  # b lost three of four, and one and a half of four
    some = win_rates(counts, np.array([True, False]), models=[("a", "b"), ("b", "c")])
    assert some.tolist() == [0.75]


def test_a_rank_needs_two_models() -> None:
    rows = [(str(i), "a", "b", judge, 0, 0, "single", 0, 1.0) for i in range(3) for judge in "jk"]
    table = outcome_agreement(columns(rows), reference="k")
    assert table.rows[0].metrics["spearman"].undefined == "a ranking needs at least two models"
    assert [row.scope for row in table.rows] == ["pooled", "macro", "model"]


# labels of pairs --------------------------------------------------------------------------------


@given(boards)
def test_labels_are_means_of_orders_by_repeat(board: Columns) -> None:
    found = pair_labels(board)
    said = found.verdicts
    assert all(
        said.models[said.model_of[pair]] != ("c", "c")
        for labels in found.of.values()
        for pair in labels.pair
    )
    for judge, labels in found.of.items():
        places = list(zip(labels.pair.tolist(), labels.annotator.tolist(), strict=True))
        assert places == sorted(set(places))
        for (pair, repeat), preference in zip(places, labels.preference.tolist(), strict=True):
            rows = (
                (said.judge_of == said.judges.index(judge))
                & (said.pair_of == pair)
                & (said.repeat_of == repeat)
            )
            means = []
            for order in (0, 1):
                read = said.p[rows & (said.order_of == order)]
                if (~np.isnan(read)).any():
                    means.append(float(np.nanmean(read)))
            expected = 1.0 + fmean(means) if means else math.nan
            assert preference == pytest.approx(expected, nan_ok=True)


def test_gaps_keep_every_label_in_its_place() -> None:
    labels = Labels(
        pair=np.array([0, 0, 2]),
        annotator=np.array([0, 7, 3]),
        preference=np.array([1.0, 2.0, 1.5]),
    )
    found = with_gaps(labels)
    assert found.pair.tolist() == [0, 0, 0, 2, 2]
    assert found.annotator.tolist() == [0, 1, 2, 0, 1]
    assert np.isnan(found.preference[[1, 3]]).all()
    assert found.preference[[0, 2, 4]].tolist() == [1.0, 2.0, 1.5]
    assert with_gaps(with_gaps(found)).pair.tolist() == found.pair.tolist()
