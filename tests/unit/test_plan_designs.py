"""What a plan says both designs take: from verdicts of the store, or why it is not known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.verdict_spread import head_spreads
from judgebench.stats.gate_rule import units_to_detect
from judgebench.stats.head_to_head_power import (
    head_to_head_detectable,
    head_to_head_drop,
    head_to_head_units,
)
from judgebench.store.opening import open_store
from tests.e2e.runs import store_url, suite, typed
from tests.unit.compared import verdict
from tests.unit.exchanged import Rows, import_verdicts, rows_file

MINI = "trivia_judging_mini"
NOWHERE = "http://127.0.0.1:9/v1"
TAKERS = ("model-terse", "model-verbose", "model-weak")
BOARD = {
    model: np.random.default_rng(seed).uniform(0, 0.6, 48).round(3)
    for seed, model in enumerate(("model-verbose", "model-weak"))
}
HEADS = [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0)] * 16
"""Of 48 items in both orders: a third of the wins hangs on the place."""


def on_board(board: Mapping[str, Any] = BOARD) -> list[dict[str, Any]]:
    return [
        verdict(item, model, "small", float(p), benchmark=MINI, opponent="model-terse")
        for model, values in board.items()
        for item, p in enumerate(values)
    ]


def head_to_head(opponent: str = "model-verbose") -> list[dict[str, Any]]:
    orders = ("model_first", "opponent_first")
    return [
        verdict(item, "model-weak", "small", p, benchmark=MINI, opponent=opponent, order=order)
        for item, both in enumerate(HEADS)
        for order, p in zip(orders, both, strict=True)
    ]


def planned(folder: Path, rows: Rows, *more: str, **benchmark: Any) -> Any:
    """The designs of a plan whose store has these verdicts, and what is printed of it."""
    with open_store(store_url(folder)) as store:
        import_verdicts(store, rows_file(folder / "v.jsonl", rows))
    path = suite(
        folder, NOWHERE, limit=40, takers=TAKERS,
        judge={"kind": "pairwise"}, benchmark={"baseline": "model-terse", **benchmark},
    )  # fmt: skip
    done = typed("plan", path, *more, "--format", "json")
    assert done.code == 0, done.err
    designs = {one["judge"]: one for one in json.loads(done.out)["designs"]}
    return designs, typed("plan", path, *more).out


def test_head_to_head_with_a_spread_that_was_seen(tmp_path: Path) -> None:
    designs, printed = planned(tmp_path, [*on_board(), *head_to_head()], "--margin", "5")
    one = designs["small"]
    level = np.mean([values.mean() for values in BOARD.values()])
    items = units_to_detect(float((BOARD["model-verbose"] - BOARD["model-weak"]).std(ddof=1)),
                            0.05, alpha=0.05)  # fmt: skip
    board = math.ceil(items)
    assert one["board"] == {
        "items": board, "judgments": 2 * board, "judgments_baseline_recorded": board,
    }  # fmt: skip
    assert one["win_rate"] == pytest.approx(100 * level)
    drop = head_to_head_drop(0.05, level)
    spread = float(np.std([1.0, 0.0, 0.5] * 16, ddof=1))
    needed = math.ceil(head_to_head_units(spread, drop, alpha=0.05))
    assert one["head_to_head"]["drop"] == pytest.approx(100 * drop)
    assert (one["head_to_head"]["items"], one["head_to_head"]["judgments"]) == (needed, 2 * needed)
    assert one["head_to_head"]["at_most"] is False
    assert (one["head_to_head"]["pairs"], one["head_to_head"]["judges"]) == (1, ["small"])
    assert one["fewer"] == {"baseline_not_recorded": "board", "baseline_recorded": "board"}
    assert f"{2 * needed:,}   the board" in printed
    assert "over 1 pair of models that small compared in both orders" in printed


def test_without_comparisons_in_both_orders_it_is_the_most_there_can_be(tmp_path: Path) -> None:
    designs, printed = planned(tmp_path, on_board(), "--margin", "5")
    one = designs["small"]
    level = np.mean([values.mean() for values in BOARD.values()])
    most = math.ceil(head_to_head_units(0.5, head_to_head_drop(0.05, level), alpha=0.05))
    assert one["head_to_head"]["items"] == most
    assert one["head_to_head"]["at_most"] is True
    assert one["fewer"] == {"baseline_not_recorded": None, "baseline_recorded": None}
    assert f"≤ {2 * most:,}   not known" in printed
    assert "nobody has compared in both orders here" in printed


def test_without_a_margin_it_is_the_drop_that_the_items_detect(tmp_path: Path) -> None:
    """Both orders of an item are two judgments on the board, too."""
    designs, _ = planned(tmp_path, on_board(), orders="both")
    one = designs["small"]
    assert one["board"] == {"items": 40, "judgments": 160, "judgments_baseline_recorded": 80}
    assert one["drop"] > 5
    # as many judgments head to head are those of 40 items, of half a win's spread
    assert one["head_to_head"]["even_drop"] == pytest.approx(
        100 * head_to_head_detectable(0.5, 40, alpha=0.05)
    )
    assert one["head_to_head"]["even_drop"] > one["head_to_head"]["drop"]
    assert one["fewer"]["baseline_recorded"] is None  # it takes more at the most


def test_comparisons_with_the_opponent_count_where_there_are_no_others(tmp_path: Path) -> None:
    own = [row for row in on_board() if row["model"] == "model-verbose"]
    board = [*own, *head_to_head("model-terse")]
    designs, _ = planned(tmp_path, board, "--margin", "5")
    seen = designs["small"]["head_to_head"]
    assert (seen["pairs"], seen["at_most"]) == (1, False)
    agreed = [row | {"value": "1.0"} for row in head_to_head()]
    designs, _ = planned(tmp_path, [*board, *agreed], "--margin", "5")
    other = designs["small"]["head_to_head"]
    assert other["pairs"] == 1
    assert other["items"] > seen["items"]


def test_a_board_that_is_too_one_sided_says_nothing(tmp_path: Path) -> None:
    board = {model: values / 10 for model, values in BOARD.items()}
    designs, printed = planned(tmp_path, on_board(board), "--margin", "1")
    assert designs["small"]["board"] is None
    reason = "with less than 5 or more than 95 % won, a board says too little"
    assert designs["small"]["undefined"].startswith(reason)
    assert f"what head to head takes is not known, since {reason}" in printed


def test_single_answers_and_an_empty_store(tmp_path: Path) -> None:
    path = suite(tmp_path, NOWHERE, limit=4, takers=TAKERS)
    (one,) = json.loads(typed("plan", path, "--margin", "0.1", "--format", "json").out)["designs"]
    assert one["judge"] == "small"  # a lexical judge takes no judgments
    assert one["fewer"] is None
    assert one["undefined"] == "answers are judged alone, and that does not say which of two is " \
        "preferred"  # fmt: skip
    assert not json.loads(typed("plan", path, "--format", "json").out)["designs"]
    path = suite(tmp_path, NOWHERE, limit=4, takers=TAKERS, judge={"kind": "pairwise"},
                 benchmark={"baseline": "model-terse"})  # fmt: skip
    (one,) = json.loads(typed("plan", path, "--format", "json").out)["designs"]
    assert one["undefined"] == "no two models have been judged on 20 items or more"


def of_two(*verdicts: tuple[str, str, float | None]) -> dict[str, list[Any]]:
    """Items, orders and probabilities of one model's comparisons with ``old``."""
    n = len(verdicts)
    return {
        "item_id": [item for item, _, _ in verdicts],
        "order": [order for _, order, _ in verdicts],
        "value": [p for _, _, p in verdicts],
        "kind": ["unreadable" if p is None else "preference" for _, _, p in verdicts],
        "model": ["new"] * n,
        "judge": ["j"] * n,
        "opponent": ["old"] * n,
        "sample": [0] * n,
    }


def test_a_spread_head_to_head_by_hand() -> None:
    """Means of 1, ½ and 1 where both orders were read: squares about ½ are ¼, 0 and ¼."""
    first, second = "model_first", "opponent_first"
    columns = of_two(
        ("a", first, 1.0), ("a", second, 1.0),
        ("b", first, 1.0), ("b", second, 0.0),
        ("c", first, 1.0), ("c", second, 1.0),
        ("d", first, 0.0), ("d", second, None),
        ("e", second, 0.0),
    )  # fmt: skip
    kind = BoardKind("preference", "old")
    ((spread, judge),) = head_spreads(columns, kind, ["j"], least=3)
    variance = np.var([1.0, 0.5, 1.0], ddof=1)
    assert (spread, judge) == (pytest.approx(math.sqrt(variance + (5 / 6 - 1 / 2) ** 2)), "j")
    assert list(head_spreads(columns, kind, ["j"], least=4)) == []
    assert list(head_spreads(columns, kind, ["other"], least=3)) == []
    sure = of_two(*((str(i), order, 1.0) for i in range(5) for order in (first, second)))
    assert list(head_spreads(sure, kind, ["j"], least=3)) == [(0.5, "j")]
