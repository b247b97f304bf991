"""Which board a row belongs to."""

from __future__ import annotations

from itertools import permutations

from judgebench.metrics import board_kinds
from judgebench.metrics.board_kinds import BoardKind, board, by_board
from judgebench.metrics.verdict_table import FAILED
from tests.table import over_rows

Row = tuple[str, str, str | None, str | None]


def given(*rows: Row) -> dict[str, list]:
    """Kind, judge, opponent and way of judging of each row."""
    names = ("kind", "judge", "opponent", "judge_kind")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def boards(columns: dict[str, list]) -> dict[BoardKind, list[int]]:
    return {kind: rows.tolist() for kind, rows in by_board(columns).items()}


@over_rows(
    ("rows", "where"),
    [
        ([("label", "j", None, None), ("unreadable", "j", None, None)], "label"),
        ([("score", "j", None, None), ("unreadable", "j", None, None)], "score"),
        ([("unreadable", "j", None, "rubric"), (FAILED, "j", None, None)], "score"),
        ([("unreadable", "j", None, "reference"), (FAILED, "j", None, None)], "label"),
        ([(FAILED, "j", None, "reward"), (FAILED, "j", None, None)], "score"),
    ],
)
def test_what_has_no_verdict_is_where_the_judges_others_are(rows: list[Row], where: str) -> None:
    for order in permutations(rows):
        assert boards(given(*order)) == {BoardKind(where): [0, 1]}  # type: ignore[arg-type]


def test_of_a_judge_that_labels_and_scores_what_is_unreadable_was_a_label() -> None:
    rows = given(*((kind, "j", None, "rubric") for kind in ("score", "label", "unreadable")))
    assert boards(rows) == {BoardKind("label"): [1, 2], BoardKind("score"): [0]}


def test_comparisons_are_by_opponent_whether_readable_or_not() -> None:
    kinds = ("preference", "unreadable", FAILED)
    rows = given(*((kind, "j", name, None) for name in "ba" for kind in kinds))
    assert boards(rows) == {
        BoardKind("preference", "a"): [3, 4, 5],
        BoardKind("preference", "b"): [0, 1, 2],
    }
    assert board(rows, BoardKind("preference", "a"))["opponent"] == ["a"] * 3
    assert board(rows, BoardKind("score")) == given()


def test_each_board_has_its_own_rows_and_one_that_is_alone_the_columns_themselves() -> None:
    alone = given(("score", "j", None, None), ("unreadable", "j", None, None))
    assert board_kinds.boards(alone)[BoardKind("score")] is alone
    mixed = given(
        ("score", "j", None, None), ("preference", "k", "rival", None), ("other", "l", None, None)
    )
    of = {which: list(its["judge"]) for which, its in board_kinds.boards(mixed).items()}
    assert of == {BoardKind("preference", "rival"): ["k"], BoardKind("score"): ["j"]}
    assert list(board(mixed, BoardKind("label"))["judge"]) == []
