"""Columns of verdicts become codes; what cannot be counted is refused by name."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import InputError, UsageError
from judgebench.metrics.accuracy import undeclared
from judgebench.metrics.judged_values import (
    NO_VERDICT,
    UNREADABLE,
    majority,
    read_labels,
)
from tests.table import over_rows

Row = tuple[str, str, str, int, str, str | None]


def columns(rows: list[Row]) -> dict[str, list]:
    names = ("item_id", "model", "judge", "sample", "kind", "label")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


ROWS: list[Row] = [
    ("q1", "a", "gpt", 0, "label", "correct"),
    ("q1", "a", "human/x", 0, "label", "incorrect"),
    ("q1", "a", "gpt", 1, "unreadable", None),
    ("q2", "b", "gpt", 0, "label", "incorrect"),
    ("q2", "b", "reward", 0, "score", None),
]


def test_codes_stand_where_their_answer_and_judge_are() -> None:
    board = read_labels(columns(ROWS))
    assert (board.items, board.names) == (("q1", "q2"), ("a", "b"))
    assert board.everybody == ("gpt", "human/x", "reward")
    assert board.item_of.tolist() == [0, 0, 1]
    assert board.model_of.tolist() == [0, 0, 1]
    assert board.of("gpt").codes.tolist() == [1, UNREADABLE, 0]
    assert board.of("human/x").codes.tolist() == [0, NO_VERDICT, NO_VERDICT]


def test_a_judge_that_scores_is_no_labeller() -> None:
    assert read_labels(columns(ROWS)).judges == ("gpt", "human/x")


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(shuffle: random.Random) -> None:
    rows = list(ROWS)
    shuffle.shuffle(rows)
    one, other = read_labels(columns(ROWS)), read_labels(columns(rows))
    np.testing.assert_array_equal(one.codes, other.codes)
    assert (one.items, one.models, one.everybody) == (other.items, other.models, other.everybody)


def test_no_rows_are_an_empty_board() -> None:
    board = read_labels(columns([]))
    assert (board.items, board.models, board.judges, board.everybody) == ((), (), (), ())


def test_an_undeclared_label_is_unreadable_and_named() -> None:
    rows: list[Row] = [*ROWS, ("q3", "b", "gpt", 0, "label", "maybe {correct}")]
    assert read_labels(columns(rows)).of("gpt").codes.tolist() == [1, UNREADABLE, 0, UNREADABLE]
    assert undeclared(columns(rows), ("incorrect", "correct")) == {"gpt": {"maybe {correct}": 1}}


def test_scores_and_comparisons_are_passed_over() -> None:
    """A judge may score an answer, compare it and label it: only the label is one."""
    rows: list[Row] = [
        *ROWS,
        ("q2", "b", "gpt", 0, "score", None),
        ("q2", "b", "gpt", 0, "preference", None),
        ("q2", "b", "gpt", 0, "unreadable", None),  # the other comparison of q2
    ]
    given = columns(rows) | {"opponent": [None] * 6 + ["a", "a"]}
    board = read_labels(given)
    assert board.of("gpt").codes.tolist() == [1, UNREADABLE, 0]
    assert board.everybody == ("gpt", "human/x", "reward")


def test_what_failed_is_an_answer_without_a_verdict() -> None:
    board = read_labels(columns([*ROWS, ("q3", "b", "gpt", 0, "failed", None)]))
    assert board.items == ("q1", "q2", "q3")
    assert board.of("gpt").codes.tolist() == [1, UNREADABLE, 0, NO_VERDICT]


def test_two_verdicts_on_one_answer_are_refused() -> None:
    rows: list[Row] = [*ROWS, ("q2", "b", "gpt", 0, "label", "correct")]
    with pytest.raises(InputError, match="'gpt' has two verdicts on one answer of 'b' to item"):
        read_labels(columns(rows))


def test_of_repeats_the_label_given_most_often_counts() -> None:
    given = columns([("q1", "a", "gpt", 0, "label", label) for label in ("correct", "incorrect")])
    given["repeat"] = [0, 1]
    assert read_labels(given).of("gpt").codes.tolist() == [UNREADABLE]  # a tie
    more = columns([
        *(("q1", "a", "gpt", 0, "label", label) for label in ("correct", "incorrect", "correct")),
        ("q1", "a", "gpt", 0, "unreadable", None),
        ("q2", "a", "gpt", 0, "unreadable", None),
    ])  # fmt: skip
    more["repeat"] = [0, 1, 2, 3, 0]
    assert read_labels(more).of("gpt").codes.tolist() == [1, UNREADABLE]


def test_a_judge_that_scores_and_was_unreadable_once_labels_nothing() -> None:
    rows: list[Row] = [*ROWS, ("q1", "b", "reward", 0, "unreadable", None)]
    assert read_labels(columns(rows)).judges == ("gpt", "human/x")


def test_one_name_with_two_ids_is_two() -> None:
    given = columns(ROWS[:3])
    given["model_id"] = ["f00", "f00", "f00"]
    given["judge_id"] = ["aaa", "ccc", "bbb"]
    given["sample"] = [0, 0, 0]  # the same answer, judged by two versions of gpt
    board = read_labels(given)
    assert board.judges == ("gpt@aaa", "gpt@bbb", "human/x")
    assert board.names == ("a",)


def test_turns_of_a_conversation_are_answers_of_their_own() -> None:
    given = columns([ROWS[0], ROWS[0]])
    given["turn"] = [0, 1]
    assert read_labels(given).of("gpt").codes.tolist() == [1, 1]


def votes(*raters: str) -> np.ndarray:
    """One string per rater: + correct, - incorrect, ? unreadable, . none."""
    code = {"+": 1, "-": 0, "?": UNREADABLE, ".": NO_VERDICT}
    return np.array([[code[c] for c in rater] for rater in raters], dtype=np.int8)


def test_majority_leaves_ties_out_and_counts_only_labels() -> None:
    found = majority(votes("++-+.?", "+--?.?", "+-+..-"), n_labels=2)
    assert found.tolist() == [1, 0, 0, 1, NO_VERDICT, 0]
    assert majority(votes("+", "-"), n_labels=2).tolist() == [NO_VERDICT]


def test_majority_of_three_labels_needs_a_single_winner() -> None:
    three = np.array([[0, 0, 2], [1, 0, 2], [2, 1, 2], [2, 1, 0]], dtype=np.int8)
    assert majority(three, n_labels=3).tolist() == [2, NO_VERDICT, 2]


@given(st.lists(st.text("+-?.", min_size=6, max_size=6), min_size=1, max_size=5))
def test_majority_equals_counting_by_hand(raters: list[str]) -> None:
    found = majority(votes(*raters), n_labels=2)
    for answer, code in enumerate(found):
        column = [rater[answer] for rater in raters]
        plus, minus = column.count("+"), column.count("-")
        assert code == (NO_VERDICT if plus == minus else int(plus > minus))


def people(**labels: str) -> dict[str, list]:
    """Raters by name, one label per item."""
    word = {"+": "correct", "-": "incorrect"}
    return columns([
        (f"q{i}", "m", judge.replace("_", "/"), 0, "label", word[c])
        for judge, given in labels.items()
        for i, c in enumerate(given)
        if c in word
    ])  # fmt: skip


class TestReference:
    def test_a_judge_of_that_name_comes_first(self) -> None:
        board = read_labels(people(human="+-", human_x="--", human_y="--"))
        truth = board.reference("human")
        assert truth.raters == ("human",)
        assert truth.codes.tolist() == [1, 0]

    def test_human_is_else_the_majority_of_people(self) -> None:
        board = read_labels(people(human_x="+--", human_y="+-+", human_z="+..", gpt="---"))
        truth = board.reference("human")
        assert truth.raters == ("human/x", "human/y", "human/z")
        assert truth.codes.tolist() == [1, 0, NO_VERDICT]

    def test_a_single_rater_or_model_can_be_named(self) -> None:
        board = read_labels(people(human_x="+-", gpt="--"))
        assert board.reference("gpt").codes.tolist() == [0, 0]

    def test_an_unknown_name_gets_the_nearest(self) -> None:
        board = read_labels(people(human_authors="+", gpt="-"))
        with pytest.raises(UsageError, match="did you mean 'human/authors'"):
            board.reference("human/author")

    def test_human_without_people_is_unknown(self) -> None:
        with pytest.raises(UsageError, match="no judge called 'human'"):
            read_labels(people(gpt="+-")).reference("human")

    @over_rows("kind", ["score", "unreadable"])
    @over_rows("judge", ["human", "human/x"])
    def test_a_reference_without_labels_is_refused(self, judge: str, kind: str) -> None:
        board = read_labels(columns([("q", "m", judge, 0, kind, None)]))
        with pytest.raises(UsageError, match="has labelled nothing"):
            board.reference("human")
