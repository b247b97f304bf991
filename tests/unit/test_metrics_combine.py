"""Named rules: repeats and orders of one judge into one verdict, judges into a panel."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.columns import Coded, coded, counted, together
from judgebench.config import Panel
from judgebench.errors import UsageError
from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.combine import panel_verdicts
from judgebench.metrics.scores import by_dimension, scores
from judgebench.metrics.verdict_table import FAILED
from judgebench.metrics.win_rate import NEAR, win_rates
from tests.table import over_rows

WORDS = {"+": "correct", "-": "incorrect", "?": None, "!": None}
KINDS = {"?": "unreadable", "!": FAILED}


def table(rows: list[dict[str, Any]]) -> dict[str, list]:
    usual = {
        "item_id": "q", "model": "m", "judge": "a", "judge_kind": "pairwise", "sample": 0,
        "turn": 0, "repeat": 0, "order": "single", "opponent": None, "kind": "label",
        "label": None, "value": None, "low": None, "high": None, "reason": None,
        "failure_kind": None,
    }  # fmt: skip
    parts = Coded(np.arange(len(rows)), [row.get("parts") for row in rows])
    said = {name: [row.get(name, default) for row in rows] for name, default in usual.items()}
    return said | by_dimension({"parts": parts})


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


@over_rows(
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


def test_a_comparison_that_ties_has_no_label() -> None:
    found = panel_verdicts(preferences(a=0.9, b=0.1), panel("a", "b"))
    assert counted(found["kind"], found["label"]) == {("preference", None): 1}


def test_labels_are_counted_however_many_there_are() -> None:
    rows = [
        {"judge": judge, "item_id": str(n), "label": f"label {n:03}"}
        for judge in "ab"
        for n in range(300)
    ]
    found = panel_verdicts(table(rows), panel("a", "b"))
    assert sorted(found["label"]) == [f"label {n:03}" for n in range(300)]


def test_means_of_probabilities_and_of_scores_with_the_parts_that_all_have() -> None:
    mean = panel("a", "b", rule="mean")
    assert panel_verdicts(preferences(a=1.0, b=0.25), mean)["value"] == [0.625]
    found = panel_verdicts(numbers(a=(4, 10, {"x": 2, "y": 1}), b=(7, 10, {"x": 4})), mean)
    assert (found["value"], found["score/x"], found["high"]) == ([5.5], [3.0], [10])
    assert np.isnan(found["score/y"])


def test_what_a_rule_cannot_combine_is_refused() -> None:
    with pytest.raises(UsageError, match="scores have no majority; take 'rule: mean'"):
        panel_verdicts(numbers(a=(4, 10, None), b=(7, 10, None)), panel("a", "b"))
    with pytest.raises(UsageError, match="labels have no mean; take 'rule: majority'"):
        panel_verdicts(labels(a="+", b="+"), panel("a", "b", rule="mean"))
    with pytest.raises(UsageError, match="on several scales"):
        panel_verdicts(numbers(a=(4, 10, None), b=(4, 5, None)), panel("a", "b", rule="mean"))
    alike = numbers(a=(4, 10, None), b=(6, 10, None))  # as a store has them: codes of all columns
    alike |= {name: Coded(np.arange(2), alike[name]) for name in ("low", "high", "judge")}
    assert list(panel_verdicts(alike, panel("a", "b", rule="mean"))["value"]) == [5.0]
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


def with_another(rows: list[dict[str, Any]], **said: Any) -> dict[str, list]:
    """The columns of one judge's rows, and of another one's verdict on the same answer."""
    return table([*rows, {"judge": "b", **said}])


def test_both_orders_are_averaged_after_their_repeats() -> None:
    rows = [
        asked("model_first", 1.0), asked("model_first", 1.0, 1), asked("opponent_first", 0.0),
    ]  # fmt: skip
    columns = with_another(rows, **asked("model_first", 0.0))
    assert panel_verdicts(columns, panel("a", "b", rule="mean"))["value"] == [0.25]


def test_of_two_orders_the_readable_one_counts() -> None:
    rows = [asked("model_first", 1.0), asked("opponent_first", None)]
    mean = panel("a", "b", rule="mean")
    columns = with_another(rows, **asked("model_first", 0.0))
    assert panel_verdicts(columns, mean)["value"] == [0.5]
    rows[0] = asked("model_first", None)
    columns = with_another(rows, **asked("model_first", 0.0))
    assert panel_verdicts(columns, mean)["reason"] == ["1 of 2 judges readable, 2 needed"]


def test_a_judge_that_prefers_whoever_stands_first_votes_for_nobody() -> None:
    rows = [asked("model_first", 1.0), asked("opponent_first", 0.0)]
    steady = [asked("model_first", 0.0) | {"judge": "b"}, asked("opponent_first", 0.0)]
    columns = table([*rows, steady[0], steady[1] | {"judge": "b"}])
    assert panel_verdicts(columns, panel("a", "b", rule="mean"))["value"] == [0.25]
    assert panel_verdicts(columns, panel("a", "b"))["value"] == [0.5]


def test_repeats_of_labels_and_scores_are_one_verdict() -> None:
    rows = [{"label": label, "repeat": i} for i, label in enumerate(["x", "y", "x"])]
    assert panel_verdicts(with_another(rows, label="x"), panel("a", "b"))["label"] == ["x"]
    alone = panel("a", "b", min_valid=1)
    assert panel_verdicts(with_another(rows[:2], label="y"), alone)["label"] == ["y"]
    less = panel_verdicts(with_another(rows[:2], label="y"), panel("a", "b"))
    assert less["reason"] == ["1 of 2 judges readable, 2 needed"]
    said = [{"kind": "score", "value": v, "low": 1, "high": 9, "repeat": v} for v in (2, 4)]
    columns = with_another(said, kind="score", value=6, low=1, high=9)
    assert panel_verdicts(columns, panel("a", "b", rule="mean"))["value"] == [4.5]


def test_of_several_failures_the_first_judges_is_told() -> None:
    failed = {"kind": FAILED, "failure_kind": "timeout"}
    columns = with_another([failed, failed | {"repeat": 1}], kind=FAILED, failure_kind="refused")
    assert panel_verdicts(columns, panel("a", "b"))["failure_kind"] == ["timeout"]
    assert panel_verdicts(columns, panel("b", "a"))["failure_kind"] == ["refused"]


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


# beside a combination of one answer at a time ---------------------------------------------------

Row = dict[str, Any]
ORDERS = ("single", "model_first", "opponent_first")
SAID = {
    "label": st.sampled_from("xyz").map(lambda label: {"label": label}),
    "preference": st.sampled_from([0, 0.25, 1 / 3, 0.5, 0.7, 1]).map(lambda p: {"value": p}),
    "score": st.tuples(
        st.sampled_from([1, 1.1, 2 / 3, 3]),
        st.dictionaries(st.sampled_from(["s", "t"]), st.sampled_from([0.1, 2, 7 / 3])),
    ).map(lambda said: {"value": said[0], "parts": said[1], "low": 0, "high": 9}),
}


@st.composite
def boards(draw: st.DrawFn, kind: str) -> list[Row]:
    """Rows of a board on which three judges and a fourth have all been asked something."""
    about = st.tuples(
        st.sampled_from("abcd"), st.sampled_from("pq"), st.integers(0, 1), st.integers(0, 1),
        st.sampled_from(ORDERS[1:] if kind == "preference" else ORDERS[:1]),
    )  # fmt: skip
    apart = draw(st.booleans())  # where every answer may have been judged by one judge alone
    asked = draw(st.sets(about, max_size=30)) | {
        (judge, f"end {judge * apart}", 0, 0, "single") for judge in "abcd"
    }
    rows = []
    for judge, item, sample, repeat, order in sorted(asked):
        what = draw(st.sampled_from([kind, kind, kind, "unreadable", FAILED]))
        more = draw(SAID[kind]) if what == kind else {}
        if what == FAILED:
            more = {"failure_kind": draw(st.sampled_from(["timeout", "refused"]))}
        rows.append({
            "judge": judge, "item_id": item, "sample": sample, "repeat": repeat, "order": order,
            "kind": what, "opponent": "base" if kind == "preference" else None, **more,
        })  # fmt: skip
    return draw(st.permutations(rows))


def most_frequent(votes: Sequence[Any], tie: Any) -> Any:
    most = Counter(votes).most_common()
    return tie if [n for _, n in most].count(most[0][1]) > 1 else most[0][0]


def one_of(given: Sequence[Row], majority: Callable[[Sequence[Row]], Row] | None = None) -> Row:
    """What could be read together; else why it failed; else that it could not be read."""
    read = [row for row in given if row["kind"] not in ("unreadable", FAILED)]
    if not read:
        return next((row for row in given if row["kind"] == FAILED), {"kind": "unreadable"})
    if read[0]["kind"] == "label":
        label = most_frequent([row["label"] for row in read], None)
        tied = {"kind": "unreadable", "reason": "tie"}
        return tied if label is None else {"kind": "label", "label": label}
    if majority is not None:
        return majority(read)
    named = [row.get("parts", {}) for row in read]
    shared = set(named[0]).intersection(*named)
    return {
        "kind": read[0]["kind"],
        "value": fmean(row["value"] for row in read),
        "parts": {name: fmean(parts[name] for parts in named) for name in shared},
    }


def by_outcome(read: Sequence[Row]) -> Row:
    votes = [0.5 if abs(p - 0.5) < NEAR else float(p > 0.5) for p in (r["value"] for r in read)]
    return {"kind": "preference", "value": most_frequent(votes, 0.5)}


def one_by_one(rows: Sequence[Row], combined: Panel) -> dict[tuple[str, int], Row]:
    needed = combined.min_valid or len(combined.judges) // 2 + 1
    decide = by_outcome if combined.rule == "majority" else None
    found = {}
    for place in {(row["item_id"], row["sample"]) for row in rows}:
        here = [row for row in rows if (row["item_id"], row["sample"]) == place]
        given = []
        for judge in combined.judges:
            its = [row for row in here if row["judge"] == judge]
            orders = [[row for row in its if row["order"] == order] for order in ORDERS]
            said = one_of([one_of(some) for some in orders if some])
            if said["kind"] == FAILED:
                said = next(row for row in its if row["kind"] == FAILED)
            given += [said] if its else []
        read = [row for row in given if row["kind"] not in ("unreadable", FAILED)]
        failed = [row for row in given if row["kind"] == FAILED]
        if len(read) >= needed:
            found[place] = one_of(read, decide)
        elif failed:
            found[place] = failed[0]
        elif len(given) == len(combined.judges):
            why = f"{len(read)} of {len(given)} judges readable, {needed} needed"
            found[place] = {"kind": "unreadable", "reason": why}
    return found


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("label", "majority"), ("preference", "majority"), ("preference", "mean"), ("score", "mean")],
)
@given(st.data())
def test_all_at_once_is_one_by_one(kind: str, rule: str, data: st.DataObject) -> None:
    rows = data.draw(boards(kind))
    judges = data.draw(st.permutations("abc"))
    combined = panel(*judges, rule=rule, min_valid=data.draw(st.sampled_from([None, 1, 2, 3])))
    columns = table(rows)
    in_codes = {name: column if "/" in name else coded(column) for name, column in columns.items()}
    found = panel_verdicts(data.draw(st.sampled_from([columns, in_codes])), combined)
    expected = one_by_one(rows, combined)
    names = ("label", "reason", "failure_kind", "kind", "value")
    said = zip(found["item_id"], found["sample"], *(found[name] for name in names), strict=True)
    for row, (item, sample, *what, value) in enumerate(said):
        one = expected.pop((item, sample))
        assert what == [one.get(name) for name in names[:-1]]
        assert value == one.get("value") or ("value" not in one and math.isnan(value))
        parts = {name[-1]: found[name][row] for name in found if name.startswith("score/")}
        assert {n: v for n, v in parts.items() if not math.isnan(v)} == (one.get("parts") or {})
    assert not expected
