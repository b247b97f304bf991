"""Named rules: repeats and orders into one verdict, judges into a panel."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.config import Panel
from judgebench.errors import UsageError
from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.combine import both_orders, panel_verdicts, together
from judgebench.metrics.scores import scores
from judgebench.metrics.verdict_table import FAILED
from judgebench.metrics.win_rate import win_rates

WORDS = {"+": "correct", "-": "incorrect", "?": None, "!": None}
KINDS = {"?": "unreadable", "!": FAILED}


def table(rows: list[dict[str, Any]]) -> dict[str, list]:
    usual = {
        "item_id": "q", "model": "m", "judge": "a", "judge_kind": "pairwise", "sample": 0,
        "turn": 0, "repeat": 0, "order": "single", "opponent": None, "kind": "label",
        "label": None, "value": None, "low": None, "high": None, "parts": None, "reason": None,
        "failure_kind": None,
    }  # fmt: skip
    return {name: [row.get(name, default) for row in rows] for name, default in usual.items()}


def labels(**said: str) -> dict[str, list]:
    """Each judge's labels by item: ``+-?!``, a dot for none."""
    return table([
        {"judge": judge, "item_id": str(i), "kind": KINDS.get(c, "label"), "label": WORDS[c],
         "failure_kind": "timeout" if c == "!" else None}
        for judge, codes in said.items()
        for i, c in enumerate(codes)
        if c != "."
    ])  # fmt: skip


def preferences(**said: float | None) -> dict[str, list]:
    """Each judge's probability on one item; None is unreadable."""
    return table([
        {"judge": judge, "opponent": "base", "value": p,
         "kind": "unreadable" if p is None else "preference"}
        for judge, p in said.items()
    ])  # fmt: skip


def numbers(**said: tuple[float, float, dict[str, float] | None]) -> dict[str, list]:
    """Each judge's score on one item: value, the scale's high end, parts."""
    return table([
        {"judge": judge, "kind": "score", "value": value, "low": 1, "high": high, "parts": parts}
        for judge, (value, high, parts) in said.items()
    ])  # fmt: skip


def panel(*judges: str, **more: Any) -> Panel:
    return Panel(judges=list(judges), **more)


def codes(columns: dict[str, list], n: int) -> str:
    """The panel's labels, item by item, as `labels` writes them."""
    said = dict.fromkeys(map(str, range(n)), ".")
    back = {"correct": "+", "incorrect": "-"}
    kinds = {kind: code for code, kind in KINDS.items()}
    for item, kind, label in zip(
        columns["item_id"], columns["kind"], columns["label"], strict=True
    ):
        said[item] = kinds.get(kind) or back[label]
    return "".join(said.values())


def test_a_majority_of_labels() -> None:
    columns = labels(a="++-?!.", b="+-?-+-", c="-+?-.!")
    found = panel_verdicts(columns, panel("a", "b", "c"))
    assert set(found["judge"]) == {"panel/majority(a,b,c)"}
    assert codes(found, 6) == "++?-!!"


def test_an_answer_that_a_judge_was_not_asked_about_yet_has_no_verdict_of_the_panel() -> None:
    found = panel_verdicts(labels(a="++", b="+.", c="+."), panel("a", "b", "c"))
    assert codes(found, 2) == "+."


def test_a_tie_of_labels_is_no_verdict_and_says_so() -> None:
    found = panel_verdicts(labels(a="+", b="-"), panel("a", "b"))
    assert (found["kind"], found["reason"]) == (["unreadable"], ["tie"])


def test_too_few_readable_verdicts_are_none() -> None:
    found = panel_verdicts(labels(a="+", b="?", c="?"), panel("a", "b", "c"))
    assert found["reason"] == ["1 of 3 judges readable, 2 needed"]
    enough = panel_verdicts(labels(a="+", b="?", c="?"), panel("a", "b", "c", min_valid=1))
    assert (enough["label"], enough["judge"]) == (
        ["correct"],
        ["panel/majority(a,b,c;min_valid=1)"],
    )


@pytest.mark.parametrize(
    ("said", "p"),
    [
        ((0.9, 0.6, 0.0), 1.0),
        ((0.9, 0.5, 0.1), 0.5),
        ((0.9, 0.5, 0.5), 0.5),
        ((0.1, 0.4, 0.5), 0.0),
        ((0.9, 0.1, None), 0.5),
        ((0.9, 0.8, None), 1.0),
    ],
)
def test_a_majority_of_comparisons_can_tie(said: tuple[float | None, ...], p: float) -> None:
    columns = preferences(**dict(zip("abc", said, strict=True)))
    assert panel_verdicts(columns, panel("a", "b", "c"))["value"] == [p]


def test_means_of_probabilities_and_of_scores_with_the_parts_that_all_have() -> None:
    mean = panel("a", "b", rule="mean")
    assert panel_verdicts(preferences(a=1.0, b=0.25), mean)["value"] == [0.625]
    found = panel_verdicts(numbers(a=(4, 10, {"x": 2, "y": 1}), b=(7, 10, {"x": 4})), mean)
    assert (found["value"], found["parts"], found["high"]) == ([5.5], [{"x": 3.0}], [10])


def test_what_a_rule_cannot_combine_is_refused() -> None:
    with pytest.raises(UsageError, match="scores have no majority; take 'rule: mean'"):
        panel_verdicts(numbers(a=(4, 10, None), b=(7, 10, None)), panel("a", "b"))
    with pytest.raises(UsageError, match="labels have no mean; take 'rule: majority'"):
        panel_verdicts(labels(a="+", b="+"), panel("a", "b", rule="mean"))
    with pytest.raises(UsageError, match="on several scales"):
        panel_verdicts(numbers(a=(4, 10, None), b=(4, 5, None)), panel("a", "b", rule="mean"))
    with pytest.raises(UsageError, match="no judge called 'bb'; did you mean 'b'"):
        panel_verdicts(labels(a="+", b="+"), panel("a", "bb"))
    mixed = together(numbers(a=(4, 10, None)), preferences(b=0.5))
    mixed["opponent"] = ["base", "base"]
    with pytest.raises(UsageError, match="several kinds"):
        panel_verdicts(mixed, panel("a", "b"))


def asked(order: str, p: float | None, repeat: int = 0) -> dict[str, Any]:
    return {
        "opponent": "base", "order": order, "repeat": repeat, "value": p,
        "kind": "unreadable" if p is None else "preference",
    }  # fmt: skip


def test_both_orders_are_averaged_after_their_repeats() -> None:
    found = both_orders(table([
        asked("model_first", 1.0), asked("model_first", 1.0, 1), asked("opponent_first", 0.0),
    ]))  # fmt: skip
    assert (found["value"], found["half"], found["judge"]) == ([0.5], [False], ["a"])


def test_one_readable_order_counts_and_is_marked_half() -> None:
    half = both_orders(table([asked("model_first", 1.0), asked("opponent_first", None)]))
    assert (half["value"], half["half"]) == ([1.0], [True])
    none = both_orders(table([asked("model_first", None), asked("opponent_first", None)]))
    assert (none["kind"], none["half"]) == (["unreadable"], [False])


def test_a_judge_that_prefers_whoever_stands_first_votes_for_nobody() -> None:
    rows = [asked("model_first", 1.0), asked("opponent_first", 0.0)]
    steady = [asked("model_first", 0.0) | {"judge": "b"}, asked("opponent_first", 0.0)]
    columns = table([*rows, steady[0], steady[1] | {"judge": "b"}])
    assert panel_verdicts(columns, panel("a", "b", rule="mean"))["value"] == [0.25]
    assert panel_verdicts(columns, panel("a", "b"))["value"] == [0.5]


def test_repeats_of_labels_and_scores_are_one_verdict() -> None:
    rows = [{"label": label, "repeat": i} for i, label in enumerate(["x", "y", "x"])]
    assert both_orders(table(rows))["label"] == ["x"]
    assert both_orders(table(rows[:2]))["reason"] == ["tie"]
    said = [{"kind": "score", "value": v, "low": 1, "high": 9, "repeat": v} for v in (2, 4)]
    assert both_orders(table(said))["value"] == [3]


@given(st.lists(st.text("+-?!.", min_size=5, max_size=5), min_size=3, max_size=3))
def test_a_majority_counted_by_hand(said: list[str]) -> None:
    # Every judge has some verdict, or it is unknown.
    columns = labels(**dict(zip("abc", (f"{one}+" for one in said), strict=True)))
    found = codes(panel_verdicts(columns, panel("a", "b", "c")), 6)
    for place, code in enumerate(found[:5]):
        votes = [one[place] for one in said]
        plus, minus = votes.count("+"), votes.count("-")
        if plus + minus >= 2:
            assert code == ("?" if plus == minus else "+" if plus > minus else "-")
        else:
            assert code == ("!" if "!" in votes else "." if "." in votes else "?")


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(shuffle: random.Random) -> None:
    columns = labels(a="++-?", b="+-?-", c="-+?-")
    places = list(range(len(columns["kind"])))
    shuffle.shuffle(places)
    moved = {name: [values[i] for i in places] for name, values in columns.items()}
    three = panel("a", "b", "c")
    assert codes(panel_verdicts(moved, three), 4) == codes(panel_verdicts(columns, three), 4)


def test_a_panel_stands_on_the_board_beside_its_judges() -> None:
    columns = labels(a="++-", b="+--", c="+-+")
    both = together(columns, panel_verdicts(columns, panel("a", "b", "c")))
    rows = {row.judge: row.leading.value for row in accuracies(both)}
    assert rows["panel/majority(a,b,c)"] == pytest.approx(1 / 3)
    assert len(rows) == 4
    said = preferences(a=1.0, b=0.0)
    mean = panel_verdicts(said, panel("a", "b", rule="mean"))
    assert [r.leading.value for r in win_rates(together(said, mean), "base")] == [100, 0, 50]
    given = numbers(a=(2, 5, None), b=(4, 5, None))
    mean = panel_verdicts(given, panel("a", "b", rule="mean"))
    assert [r.leading.value for r in scores(together(given, mean))] == [2, 4, 3]
