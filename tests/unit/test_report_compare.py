"""Two models compared: what is better, what is not decided, and what is said beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import UsageError
from judgebench.reports.compare import Comparison, Difference, comparison, overall
from judgebench.reports.model_pairs import PairData
from judgebench.reports.pair_tests import Texts
from judgebench.reports.render import render
from judgebench.stats.paired_tests import score_worse, tango_bounds
from judgebench.store.store import Store
from tests.e2e.runs import store_url, suite, typed
from tests.unit.compared import verdict
from tests.unit.exchanged import coded, import_verdicts, label, rows_file
from tests.unit.hostile import HOSTILE


def put(store: Store, folder: Path, *rows: Sequence[Any]) -> None:
    all_rows = [row for some in rows for row in some]
    import_verdicts(store, rows_file(folder / "v.jsonl", all_rows))


def only(report: Comparison) -> Difference:
    (one,) = report.tests
    return one


def test_better_one_way_is_worse_the_other(store: Store, tmp_path: Path) -> None:
    a, b = "+" * 150 + "-" * 50, "+" * 110 + "-" * 70 + "+" * 20
    put(store, tmp_path, coded("a", "J", a), coded("b", "J", b))
    report = comparison(store, "a", "b")
    one = only(report)
    assert (report.verdict, one.decision, one.because) == ("better", "better", None)
    assert (one.candidate_value, one.baseline_value) == pytest.approx((0.75, 0.65))
    assert one.difference.value == pytest.approx(0.1)
    assert one.difference.level == 0.95
    assert one.p_value == pytest.approx(2 * score_worse(20, 40))
    assert len(one.flips) == 60
    assert one.equal == 140
    other = only(comparison(store, "b", "a"))
    assert other.equal == one.equal
    assert other.decision == "worse"
    assert other.p_value == pytest.approx(one.p_value)
    assert (other.difference.low, other.difference.high) == pytest.approx(
        (-one.difference.high, -one.difference.low), abs=1e-6
    )
    assert only(comparison(store, "a", "b", level=0.999)).decision == "undecided"


def test_few_items_decide_nothing_and_it_says_how_many_would(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("a", "J", "++++++-+++++"), coded("b", "J", "++--+-++++++"))
    one = only(comparison(store, "a", "b"))
    assert one.decision == "undecided"
    assert str(one.because).startswith("if the true difference is as observed, about ")
    assert str(one.because).endswith(" more items give an 80 % chance of a decision")
    put(store, tmp_path, coded("c", "J", "++++++-+++++"), coded("d", "J", "-" * 9))
    few = only(comparison(store, "a", "d"))
    assert (few.decision, few.because) == (
        "undecided", "9 items have a verdict on both: nothing is decided with fewer than 10",
    )  # fmt: skip
    alike = only(comparison(store, "a", "c"))
    assert (alike.p_value, alike.because) == (1.0, "no difference is seen")


def test_missing_verdicts_that_could_turn_it_leave_it_undecided(
    store: Store, tmp_path: Path
) -> None:
    b = "+" * 150 + "-" * 50
    put(
        store, tmp_path, coded("b", "J", b),
        coded("a", "J", "+" * 120 + "?" * 30 + "-" * 50),
        coded("far", "J", "+" * 40 + "?" * 5 + "-" * 155),
        coded("none", "J", "+" * 100 + "." * 75 + "-" * 25),
    )  # fmt: skip
    turned = only(comparison(store, "a", "b"))
    assert turned.decision == "undecided"
    assert turned.because == (
        "missing verdicts: at their worst or best for a, it decides otherwise"
    )
    assert turned.notes == ("85.0 % of the verdicts on a are there; missing: 30 unreadable",)
    assert turned.difference.worst_low == pytest.approx(-0.15)
    assert only(comparison(store, "far", "b")).decision == "worse"
    none = only(comparison(store, "none", "b"))
    assert none.decision == "undecided"
    assert none.notes == ("62.5 % of the verdicts on none are there; missing: 75 not asked",)


def test_p_values_are_adjusted_over_all_tests(store: Store, tmp_path: Path) -> None:
    much, same = "+" * 92 + "-" * 8, "+" * 100
    rows = [coded("b", judge, same) for judge in "JKL"]
    put(store, tmp_path, *rows, coded("a", "J", much), coded("a", "K", same), coded("a", "L", same))
    report = comparison(store, "a", "b")
    assert [one.judge for one in report.tests] == ["J", "K", "L"]
    p = 2 * score_worse(0, 8)
    assert report.tests[0].p_value == pytest.approx(p)
    assert report.tests[0].p_adjusted == pytest.approx(3 * p)
    # What is printed is what decides: of three tests the first at a third of the level.
    first = report.tests[0].difference
    assert first.level == pytest.approx(1 - 0.05 / 3)
    assert (first.low, first.high) == pytest.approx(tango_bounds(0, 8, 100, alpha=0.025 / 3))
    assert report.tests[1].difference.level == pytest.approx(1 - 0.05 / 2)
    assert [one.decision for one in report.tests] == ["worse", "undecided", "undecided"]
    assert report.verdict == "worse"
    assert only(comparison(store, "a", "b", judges=["J"])).p_adjusted == pytest.approx(p)
    strict = comparison(store, "a", "b", level=0.995)
    assert strict.verdict == "undecided"


def test_benchmarks_that_speak_against_each_other_decide_nothing() -> None:
    assert overall(["better", "undecided"]) == "better"
    assert overall(["worse"]) == "worse"
    assert overall(["better", "worse"]) == "undecided"
    assert overall([]) == "undecided"


def scored(model: str, values: Sequence[float], **more: Any) -> list[dict[str, Any]]:
    return [
        label(i, model, "S", "") | {"kind": "score", "value": v, "low": 1, "high": 10} | more
        for i, v in enumerate(values)
    ]


def test_scores_are_compared_and_the_telling_items_come_first(store: Store, tmp_path: Path) -> None:
    b = [5.0 + i % 3 for i in range(30)]
    a = [v + 1 for v in b[:27]] + [1.0, 9.0, b[29] - 1]
    put(store, tmp_path, scored("a", a), scored("b", b))
    one = only(comparison(store, "a", "b"))
    assert (one.metric, one.decision) == ("score", "better")
    assert one.difference.value == pytest.approx((27 - 4 + 3 - 1) / 30)
    told = [flip.item_id for flip in one.most_telling(4)]
    assert told == ["27", "28", "0", "1"]


def test_win_rates_are_in_percent_and_of_one_opponent(store: Store, tmp_path: Path) -> None:
    won = {"a": [0.9, 0.8, 0.7] * 20, "b": [0.5, 0.4, 0.6] * 20}
    rows = [
        verdict(i, model, "J", p, benchmark="made_up", opponent=opponent)
        for opponent in ("base", "other")
        for model, values in won.items()
        for i, p in enumerate(values)
    ]
    put(store, tmp_path, rows)
    report = comparison(store, "a", "b")
    assert [one.metric for one in report.tests] == ["win_rate", "win_rate"]
    assert [one.opponent for one in report.tests] == ["base", "other"]
    for one in report.tests:
        assert (one.candidate_value, one.baseline_value) == pytest.approx((80.0, 50.0))
        assert one.difference.value == pytest.approx(30.0)
        assert one.decision == "better"
    assert "win_rate against other" in render(report.document(), "table")


def faced(
    model: str,
    opponent: str,
    p: Sequence[float | None],
    order: str = "model_first",
    judge: str = "J",
) -> list[dict[str, Any]]:
    """One judge's comparisons of two models with each other; None could not be read."""
    more = {"benchmark": "made_up", "opponent": opponent, "order": order}
    return [
        verdict(i, model, judge, value, **more)
        if value is not None
        else verdict(i, model, judge, 0.0, **more)
        | {"kind": "unreadable", "value": "", "reason": "no verdict"}
        for i, value in enumerate(p)
    ]


WON = [1.0] * 52 + [0.0] * 28 + [0.5] * 20


@pytest.mark.parametrize("way", ["asked of a", "asked of b", "both"])
def test_a_judge_that_compared_the_two_directly_counts_whichever_was_the_opponent(
    store: Store, tmp_path: Path, way: str
) -> None:
    forward = faced("a", "b", WON)
    backward = faced("b", "a", [1.0 - p for p in WON], "opponent_first")
    rows = {"asked of a": [forward], "asked of b": [backward], "both": [forward, backward]}
    put(store, tmp_path, *rows[way])
    for first, second, won, sign in (("a", "b", 62.0, 1), ("b", "a", 38.0, -1)):
        report = comparison(store, first, second)
        one = only(report)
        assert (one.metric, one.judge, one.opponent) == ("head_to_head", "J", None)
        assert (one.candidate_value, one.baseline_value) == pytest.approx((won, 50.0))
        assert one.difference.value == pytest.approx(sign * 12.0)
        assert report.verdict == one.decision == ("better" if sign > 0 else "worse")
        assert sign * one.difference.low > 0 and sign * one.difference.high > 0
        assert (one.difference.units, one.equal, len(one.flips)) == (100, 20, 80)
        assert one.flips.difference[0] == -50.0
        # Of 80 items that differ, each by as much, the sign-flip test is the sign test.
        assert one.p_value == pytest.approx(_two_sided(52, 80), rel=0.15)
        assert one.max_drop == pytest.approx(2.0)
        table = render(report.document(), "md")
        assert f"win_rate, {first} against {second}, directly" in table
        assert "tested against 50 %" in table


def _two_sided(won: int, of: int) -> float:
    return 2.0 * sum(math.comb(of, k) for k in range(won, of + 1)) / 2.0**of


def test_both_orders_of_a_direct_comparison_are_averaged(store: Store, tmp_path: Path) -> None:
    """Who goes by the place alone says nothing, and one order alone is said."""
    put(
        store, tmp_path, faced("a", "b", [1.0] * 40), faced("a", "b", [0.0] * 40, "opponent_first"),
        faced("a", "b", [1.0] * 40, judge="K"),
        faced("b", "a", [None] * 5 + [0.0] * 35, "opponent_first", judge="K"),
    )  # fmt: skip
    by = {one.judge: one for one in comparison(store, "a", "b").tests}
    assert (by["J"].candidate_value, by["J"].baseline_value) == pytest.approx((50.0, 50.0))
    assert (by["J"].decision, by["J"].because) == ("undecided", "no difference is seen")
    assert by["J"].notes == ()
    assert (by["K"].candidate_value, by["K"].baseline_value) == pytest.approx((100.0, 50.0))
    first, unread = by["K"].notes
    assert first == "K was shown a first every time, never the other order"
    assert unread == "93.8 % of the verdicts on a are there; missing: 5 unreadable"
    assert by["K"].difference.missing == 5


def test_direct_comparisons_stand_beside_boards_and_by_groups(store: Store, tmp_path: Path) -> None:
    on_board = [
        verdict(i, model, "J", p, benchmark="made_up", opponent="base")
        for model, p in (("a", 0.4), ("b", 0.4))
        for i in range(30)
    ]
    put(store, tmp_path, on_board, faced("b", "a", [0.0] * 30))
    report = comparison(store, "a", "b")
    assert [(one.metric, one.decision) for one in report.tests] == [
        ("head_to_head", "better"), ("win_rate", "undecided"),
    ]  # fmt: skip
    assert report.verdict == "better"
    assert report.tests[0].p_adjusted == pytest.approx(2 * report.tests[0].p_value)
    alone = comparison(store, "a", "b", metrics=["head_to_head"])
    assert [one.metric for one in alone.tests] == ["head_to_head"]
    asked = [one.metric for one in comparison(store, "a", "b", metrics=["win_rate"]).tests]
    assert asked == ["head_to_head", "win_rate"]
    with pytest.raises(UsageError, match="no judge called 'L'"):
        comparison(store, "a", "b", judges=["L"])
    with pytest.raises(UsageError, match="nothing gives both a and b accuracy"):
        comparison(store, "a", "b", metrics=["accuracy"])
    found = report.to_dict()["tests"][0]
    assert found["metric"] == "head_to_head"
    assert (found["candidate"], found["baseline"], found["candidate_value"]) == ("a", "b", 100.0)


def test_what_only_one_of_them_has_is_left_out_and_said(store: Store, tmp_path: Path) -> None:
    more = [row | {"benchmark": "other"} for row in coded("a", "J", "+++")]
    put(store, tmp_path, coded("a", "J", "+++"), coded("b", "J", "++-"), more)
    report = comparison(store, "a", "b")
    assert only(report).benchmark == "made_up"
    (note,) = report.notes
    assert note.startswith("left out: other@")
    with pytest.raises(UsageError, match="no model called 'b'"):
        comparison(store, "a", "b", benchmarks=["other"])
    with pytest.raises(UsageError, match="no model called 'bee'"):
        comparison(store, "a", "bee")
    with pytest.raises(UsageError, match=r"no judge called 'K'. Known: J"):
        comparison(store, "a", "b", judges=["K"])
    with pytest.raises(UsageError, match="no way of grouping called 'colour'"):
        comparison(store, "a", "b", by="colour")


def test_another_stack_or_served_model_is_marked_not_hidden(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, tmp_path, coded("a", "J", "+" * 40), coded("b", "J", "-" * 40))
    monkeypatch.setattr(PairData, "stacks", lambda self, model: {f'{{"backend": "{model}"}}'})
    monkeypatch.setattr(PairData, "served", lambda self, judge, model: {f"{judge}-for-{model}"})
    one = only(comparison(store, "a", "b"))
    assert one.decision == "better"
    assert one.notes == (
        "judge changed: replies about the two were served by J-for-a and J-for-b",
        "stack changed: the answers were generated by different software or batch sizes; "
        "`judgebench run SUITE --stack-anchors`, with b in SUITE and run as a was, shows whether "
        "it answers alike there",
    )
    assert all(
        note in render(comparison(store, "a", "b").document(), "table") for note in one.notes
    )


def test_json_is_that_of_the_contract_and_has_no_nan(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("a", "J", "?+"), coded("b", "J", "+?"))
    data = comparison(store, "a", "b").to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    (test,) = data["tests"]
    assert {
        "benchmark", "version", "metric", "judge", "baseline", "candidate", "difference",
        "p_value", "p_adjusted", "decision", "detectable_difference",
    } <= set(test)  # fmt: skip
    assert (data["verdict"], test["decision"]) == ("undecided", "undecided")
    assert (test["candidate"], test["baseline"], test["p_value"]) == ("a", "b", None)
    assert test["because"] == "no item has a readable verdict on both"


def test_hostile_questions_stay_text_in_every_form(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("a", "J", "+" * 12), coded("b", "J", "-" * 12))
    report = comparison(store, "a", "b")
    version = report.tests[0].version
    asked = {("made_up", version, str(i)): text for i, text in enumerate(HOSTILE)}
    texts = Texts(questions=asked)
    for form in ("table", "md", "html", "latex", "csv", "json"):
        assert render(report.document(texts, most_flips=12), form)
    assert len(report.document(texts, most_flips=3).tables[1].rows) == 3


def test_the_command_compares_and_ends_well_whatever_it_finds(tmp_path: Path) -> None:
    at = ("--store", store_url(tmp_path))
    assert typed("run", suite(tmp_path, limit=20)).code == 0
    done = typed("compare", "model-weak", "model-terse", *at, "--format", "json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert {test["judge"] for test in found["tests"]} == {"contains", "exact_match"}
    assert found["verdict"] in ("worse", "undecided")
    grouped = typed(
        "compare", "model-weak", "model-terse", "trivia_judging_mini", *at,
        "--judge", "contains", "--by", "category", "--show-flips", "3",
    )  # fmt: skip
    assert grouped.code == 0
    assert "accuracy/geography" in grouped.out
    assert "items that decided it" in grouped.out
    assert typed("compare", "model-weak", "nobody", *at).code == 64
