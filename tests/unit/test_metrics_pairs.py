"""Pairs of models as a judge saw them: what is averaged, merged and missing."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from judgebench.metrics.board_kinds import board, by_board
from judgebench.metrics.pairs import Pairs, comparisons, judged_pairs
from judgebench.metrics.verdict_table import FAILED
from judgebench.metrics.win_rate import win_rates

ORDER = {"1": "model_first", "2": "opponent_first", "": "single"}

Row = tuple[str, str, str, str, float | None]


def given(*rows: Row, judge: str = "judge") -> dict[str, list[Any]]:
    """Model, opponent, item, order, probability of winning; None is unreadable, nan failed."""

    def kind(value: float | None) -> str:
        return "unreadable" if value is None else FAILED if math.isnan(value) else "preference"

    seen: dict[tuple[str, ...], int] = defaultdict(int)
    columns: dict[str, list[Any]] = defaultdict(list)
    for model, opponent, item, order, value in rows:
        place = (model, opponent, item, order)
        for name, said in {
            "model": model, "opponent": opponent, "item_id": item, "order": ORDER[order],
            "judge": judge, "sample": 0, "repeat": seen[place], "kind": kind(value),
            "value": value, "judge_kind": "pairwise", "label": None,
        }.items():  # fmt: skip
            columns[name].append(said)
        seen[place] += 1
    return columns


def all_pairs(*tables: dict[str, list[Any]]) -> dict[str, Pairs]:
    columns = {name: [v for table in tables for v in table[name]] for name in tables[0]}
    return judged_pairs({kind: board(columns, kind) for kind in by_board(columns)})


def pairs(*rows: Row) -> Pairs:
    (found,) = all_pairs(given(*rows)).values()
    return found


def said(found: Pairs) -> dict[tuple[str, str, str], float]:
    return {
        (found.prompts[i], found.models[a], found.models[b]): p
        for i, a, b, p in zip(found.prompt, found.first, found.second, found.p, strict=True)
    }


def missing(found: Pairs, a: str, b: str) -> dict[str, int]:
    one, other = found.models.index(a), found.models.index(b)
    for counts in found.missing.values():
        assert counts[one, other] == counts[other, one]
    return {why: int(counts[one, other]) for why, counts in found.missing.items()}


def test_repeats_then_orders_are_averaged_first() -> None:
    found = pairs(("a", "b", "1", "1", 1.0), ("a", "b", "1", "1", 0.0), ("a", "b", "1", "2", 0.9))
    assert said(found) == {("1", "a", "b"): pytest.approx(0.7)}


def test_both_directions_of_a_pair_are_one_comparison() -> None:
    found = pairs(("b", "a", "1", "", 0.9), ("a", "b", "1", "", 0.5), ("b", "a", "2", "", 1.0))
    assert said(found) == {("1", "a", "b"): pytest.approx(0.3), ("2", "a", "b"): 0.0}
    assert missing(found, "a", "b") == {"failed": 0, "unreadable": 0, "not_asked": 0}
    assert dict(zip(found.models, found.as_opponent, strict=True)) == {"a": 2, "b": 1}


def test_what_is_missing_is_counted_by_pair_and_reason() -> None:
    found = pairs(
        ("a", "base", "1", "", 1.0), ("a", "base", "2", "", None), ("a", "base", "3", "", math.nan),
        ("b", "base", "4", "1", None), ("b", "base", "4", "2", 0.0), ("b", "base", "1", "", 0.5),
        ("a", "b", "9", "", 1.0),
    )  # fmt: skip
    assert missing(found, "a", "base") == {"failed": 1, "unreadable": 1, "not_asked": 1}
    assert missing(found, "b", "base") == {"failed": 0, "unreadable": 0, "not_asked": 2}
    assert missing(found, "a", "b") == {"failed": 0, "unreadable": 0, "not_asked": 0}
    assert found.all_missing.sum() == 2 * 5
    assert said(found)["4", "b", "base"] == 0.0


def test_pairs_drawn_for_each_prompt_do_not_miss_the_others() -> None:
    ring = "abcdef"
    rows: list[Row] = [
        (ring[i % 6], ring[(i + 1 + i // 6) % 6], str(i), "", 1.0 if i else None) for i in range(18)
    ]
    found = pairs(*rows)
    assert found.drawn
    assert {why: int(n.sum()) for why, n in found.missing.items()} == {
        "failed": 0, "unreadable": 2, "not_asked": 0
    }  # fmt: skip
    assert len(found.p) == 17
    assert not pairs(("a", "b", "1", "", 1.0), ("c", "b", "2", "", 1.0)).drawn


def test_an_unreadable_direction_is_not_missing_where_the_other_was_read() -> None:
    found = pairs(("a", "b", "1", "", None), ("b", "a", "1", "", 1.0))
    assert said(found) == {("1", "a", "b"): 0.0}
    assert not found.all_missing.any()


def test_a_model_against_itself_is_no_comparison() -> None:
    found = pairs(("base", "base", "1", "", 0.5), ("a", "base", "1", "", 1.0))
    assert said(found) == {("1", "a", "base"): 1.0}
    assert all_pairs(given(("base", "base", "1", "", 0.5))) == {}


def test_judges_share_prompts_and_nothing_else() -> None:
    found = all_pairs(
        given(("a", "b", "1", "", 1.0), judge="j"), given(("c", "b", "2", "", 0.0), judge="k")
    )
    assert list(found) == ["j", "k"]
    assert found["j"].prompts == found["k"].prompts == ("1", "2")
    assert (found["j"].models, found["k"].models) == (("a", "b"), ("b", "c"))
    assert said(found["j"]) == {("1", "a", "b"): 1.0}
    assert said(found["k"]) == {("2", "b", "c"): 1.0}


def test_nothing_readable_leaves_models_and_what_is_missing() -> None:
    found = pairs(("a", "b", "1", "", None))
    assert (found.models, len(found.p)) == (("a", "b"), 0)
    assert missing(found, "a", "b") == {"failed": 0, "unreadable": 1, "not_asked": 0}


def test_ties_are_half_wins_or_outcomes() -> None:
    found = pairs(
        ("a", "b", "1", "", 0.5), ("a", "b", "2", "", 0.8), ("a", "b", "3", "", 0.2),
        ("a", "b", "4", "1", 0.9), ("a", "b", "4", "2", 0.1),
    )  # fmt: skip
    assert comparisons(found).wins == pytest.approx([0.5, 0.8, 0.2, 0.5])
    assert not comparisons(found).ties.any()
    outcomes = comparisons(found, ties="davidson")
    assert outcomes.wins.tolist() == [0, 1, 0, 0]
    assert outcomes.ties.tolist() == [1, 0, 0, 1]
    some = comparisons(found, rows=np.array([False, True, True, False]))
    assert some.wins == pytest.approx([0.8, 0.2])


@generated(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from("abc"),
            st.sampled_from("123"),
            st.sampled_from(["1", "2"]),
            st.sampled_from([0.0, 0.25, 0.5, 1.0, None]),
        ).filter(lambda row: row[0] != row[1]),
        min_size=1,
        max_size=25,
    )
)
def test_against_a_second_computation(rows: list[Row]) -> None:
    by_order: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for model, opponent, item, order, value in rows:
        if value is not None:
            by_order[item, model, opponent, order].append(value)
    by_direction: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for (item, model, opponent, _), values in by_order.items():
        by_direction[item, model, opponent].append(fmean(values))
    expected: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for (item, model, opponent), values in by_direction.items():
        p = fmean(values)
        one, other = sorted((model, opponent))
        expected[item, one, other].append(p if model == one else 1 - p)
    assert said(pairs(*rows)) == pytest.approx({k: fmean(v) for k, v in expected.items()})


def test_means_are_those_of_the_board_of_win_rates() -> None:
    rows: list[Row] = [
        (model, "base", str(i), order, ((i * k) % 7) / 6 if (i + k) % 5 else None)
        for k, model in enumerate(["a", "aa", "ab"], 1)
        for i in range(12)
        for order in "12"
    ]
    found = said(pairs(*rows))
    for row in win_rates(given(*rows), "base"):
        mine = [p for (_, a, _), p in found.items() if a == row.model]
        assert 100 * fmean(mine) == pytest.approx(row.leading.value)
