"""Boards of scores and of comparisons, panels beside judges, and marks of what was judged."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench import keys
from judgebench.config import Panel
from judgebench.errors import UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.records import (
    Failure,
    FailureKind,
    JudgeSpec,
    Judgment,
    ModelSpec,
    Order,
    Preference,
    RunManifest,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.reports.board import Board
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.boards import benchmark_ref, panels_in, parse_panel
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.exchanged import coded, import_responses, import_verdicts, label, rows_file

QUICK = Intervals(n_replicates=100)
SUITE = {"benchmarks": [{"name": "made_up", "judges": ["a", "b"], "panel": ["a", "b"]}]}


def begin(store: Store, configuration: dict[str, Any] | None = None, run: str = "r") -> None:
    store.start_run(
        RunManifest(
            id=run, name=run, configuration=configuration or {}, versions={}, git_sha=None,
            data_sha={}, seeds={}, started=0.0,
        )
    )  # fmt: skip


class Said:
    """Puts one verdict after the other, as a run does."""

    def __init__(self, store: Store, model: str, judge: str, opponent: str | None = None) -> None:
        self.store = store
        self.model = store.put_model(model, ModelSpec(weights=model))
        kind = "rubric" if opponent is None else "pairwise"
        self.judge = store.put_judge(judge, JudgeSpec(kind=kind, model=judge))
        self.opponent = store.put_model(opponent, ModelSpec(weights=opponent)) if opponent else None

    def place(self, item: int, order: Order, repeat: int) -> VerdictSlot:
        return VerdictSlot(
            benchmark="made_up", version="1", item_id=str(item), model_key=self.model,
            judge_key=self.judge, opponent_key=self.opponent, order=order, repeat=repeat,
        )  # fmt: skip

    def put(
        self, item: int, verdict: Verdict, *, order: Order = "single", repeat: int = 0,
        marks: Sequence[str] = (),
    ) -> None:  # fmt: skip
        place = self.place(item, order, repeat)
        key = keys.content_key("judgment", [place])
        shown = {"single": "", "model_first": "/0", "opponent_first": "/1"}[order]
        judgment = Judgment(
            key=key,
            judge_key=self.judge,
            case_key=key,
            verdict=verdict,
            marks=tuple(f"{mark}{shown}" for mark in marks),
        )
        self.store.put_judgment(judgment, [RunVerdict(run_id="r", place=place, judgment_key=key)])

    def fail(self, item: int, kind: FailureKind) -> None:
        place = self.place(item, "single", 0)
        self.store.put_failure(
            Failure(
                key=keys.content_key("failed", [place]), boundary="provider", message="no",
                retriable=True, place=place, kind=kind,
            )
        )  # fmt: skip


def score(value: float, **parts: float) -> Score:
    return Score(value=value, low=1, high=10, parts=parts)


def boards(store: Store, **more: Any) -> tuple[Board, ...]:
    return leaderboards(store, "made_up", intervals=QUICK, **more)


def test_scores_have_a_board_with_their_parts_and_what_is_missing(store: Store) -> None:
    begin(store)
    good, weak = Said(store, "good", "a"), Said(store, "weak", "a")
    for item in range(40):
        good.put(item, score(7 + item % 3, tone=8, facts=7))
        if item < 34:
            weak.put(item, score(3, tone=2))
    weak.put(34, Unreadable(reason="truncated"))
    weak.put(35, Unreadable(reason="refused"))
    weak.put(36, Unreadable(reason="two scores"))
    for item in range(37, 39):
        weak.fail(item, "rate_limit")
    (found,) = boards(store)
    assert [(row.model, row.rank) for row in found.rows] == [("good", 1), ("weak", 2)]
    assert list(found.rows[0].metrics) == ["score", "score/facts", "score/tone"]
    text = render(Leaderboard.of([found]).document(), "table")
    assert "score (1 to 10) [95%]" in text
    assert (
        "1 unreadable, 1 cut off in the judge's reply, 1 refused by the judge, "
        "2 failed (2 rate limit), 1 not asked"
    ) in text
    (rows,) = [board["rows"] for board in Leaderboard.of([found]).to_dict()["boards"]]
    assert rows[1]["counts"]["failed_rate_limit"] == 2
    assert rows[1]["metrics"]["score"]["worst_low"] == pytest.approx((34 * 3 + 6) / 40)


def test_comparisons_have_a_board_for_each_opponent(store: Store) -> None:
    begin(store)
    for opponent, p in (("base", 1.0), ("other", 0.0)):
        said = Said(store, "m", "a", opponent)
        for item in range(3):
            said.put(item, Preference(winner=0 if p else 1, p_first=p), order="model_first")
            said.put(item, Preference(winner=1, p_first=0.0), order="opponent_first")
    against_base, against_other = boards(store)
    assert (against_base.opponent, against_other.opponent) == ("base", "other")
    assert against_base.opponent_id == {m.name: m.id for m in store.models()}["base"]
    row = against_base.rows[0]
    assert (row.leading.value, row.metrics["order_flips"].value) == (100.0, 0.0)
    other = against_other.rows[0]
    assert (other.leading.value, other.metrics["order_flips"].value) == (50.0, 100.0)
    text = render(Leaderboard.of([against_base, against_other]).document(), "table")
    assert "made_up@1, judged by a, against base" in text
    assert "won / lost / tied" in text
    assert "3 / 0 / 0" in text
    records = list(
        csv.DictReader(io.StringIO(render(Leaderboard.of([against_base]).document(), "csv")))
    )
    assert {record["opponent"] for record in records} == {"base"}
    assert records[0]["metric"] == "win_rate"


def test_what_was_noticed_of_answers_is_flagged_and_said(store: Store) -> None:
    begin(store)
    honest, gamer = Said(store, "honest", "a", "base"), Said(store, "gamer", "a", "base")
    tie = Preference(winner=None, p_first=0.5)
    for item in range(4):
        honest.put(item, tie, marks=["cut"] if item == 0 else [])
        for order in ("model_first", "opponent_first"):
            marks = ["addresses_judge", "hidden_text"] if item < 3 else []
            gamer.put(item, tie, order=order, marks=marks)  # type: ignore[arg-type]
    (found,) = boards(store)
    flags = {row.model: row.flags for row in found.rows}
    assert flags == {
        "honest": ("cut answers",),
        "gamer": ("suspicious", "addresses judge", "hidden text"),
    }
    counts = {row.model: row.counts for row in found.rows}
    assert counts["gamer"]["marked_addresses_judge"] == 3
    assert counts["honest"]["marked_cut"] == 1
    assert found.warnings[-3:] == (
        "answers that address the judge: gamer (3 of 4)",
        "answers that contain text that is not seen: gamer (3 of 4)",
        "share of answers cut to what this judge is shown: honest 25%",
    )


def test_what_was_noticed_reaches_the_boards_of_panels(store: Store) -> None:
    begin(store)
    for judge, marks in (("a", ["hidden_text"]), ("b", [])):
        gamer = Said(store, "gamer", judge)
        for item in range(4):
            gamer.put(item, score(9), marks=marks if item == 0 else [])
    *_, found = boards(store, panels=[Panel(judges=["a", "b"], rule="mean")])
    assert found.judge == "panel/mean(a,b)"
    assert found.rows[0].flags == ("hidden text",)
    assert "answers that contain text that is not seen: gamer (1 of 4)" in found.warnings


def test_a_panel_of_a_judge_that_no_suite_has_names_the_known_ones(store: Store) -> None:
    begin(store, {"judges": [{"name": "later"}]})
    Said(store, "m", "a").put(0, score(9))
    for judge, says in (("later", "later has no verdicts here yet"), ("latre", "no judge called")):
        *_, found = boards(store, panels=[Panel(judges=["a", judge])])
        assert says in found.warnings[0]


def test_constant_answers_are_flagged(store: Store, tmp_path: Path) -> None:
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", coded("null", "a", "+" * 25)))
    answers = [
        {"benchmark": "made_up", "item_id": str(i), "model": "null", "text": "always this one text"}
        for i in range(25)
    ]
    import_responses(store, rows_file(tmp_path / "a.jsonl", answers))
    (found,) = boards(store)
    assert found.rows[0].flags == ()  # twenty characters may be honest
    longer = [row | {"text": "always this one text, whatever is asked"} for row in answers]
    with open_store(str(tmp_path / "t.db")) as other:
        import_verdicts(other, tmp_path / "v.jsonl")
        import_responses(other, rows_file(tmp_path / "b.jsonl", longer))
        (found,) = boards(other)
    assert found.rows[0].flags == ("suspicious", "constant answers")
    said = "null: 100% of its 25 answers are one and the same text"
    assert said in found.warnings
    ending = [row | {"text": "always this one text, " * 20 + row["item_id"]} for row in answers]
    with open_store(str(tmp_path / "u.db")) as other:
        import_verdicts(other, tmp_path / "v.jsonl")
        import_responses(other, rows_file(tmp_path / "c.jsonl", ending))
        (found,) = boards(other)
    assert "null: 100% of its 25 answers begin with the same 200 characters" in found.warnings


# panels -----------------------------------------------------------------------------------------


def labelled(store: Store, tmp_path: Path) -> None:
    rows = [
        *coded("m", "a", "+" * 30 + "-"), *coded("m", "b", "+" * 31), *coded("m", "c", "-" * 31),
        *coded("n", "a", "-" * 31), *coded("n", "b", "?" * 31), *coded("n", "c", "-" * 31),
    ]  # fmt: skip
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))


def test_a_panel_has_a_board_beside_its_judges_and_is_never_stored(
    store: Store, tmp_path: Path
) -> None:
    labelled(store, tmp_path)
    panel = Panel(judges=["a", "b", "c"])
    *judges, found = boards(store, panels=[panel])
    assert [b.judge for b in judges] == ["a", "b", "c"]
    assert (found.judge, found.judge_id, found.official_prompt) == (panel.name, None, None)
    assert found.judge_is == "majority of a, b, c; 2 readable verdicts needed"
    m, n = found.rows
    assert (m.leading.value, n.leading.value) == (pytest.approx(30 / 31), 0.0)
    assert {judge.name for judge in store.judges()} == {"a", "b", "c"}
    assert [b.judge for b in boards(store, judges=["a"], panels=[panel])] == ["a", panel.name]
    assert [b.judge for b in boards(store, judges=[panel.name], panels=[panel])] == [panel.name]


def test_a_panel_that_cannot_be_combined_says_why(store: Store, tmp_path: Path) -> None:
    labelled(store, tmp_path)
    panel = Panel(judges=["a", "b"], rule="mean")
    *_, found = boards(store, panels=[panel])
    assert (found.judge, found.rows) == (panel.name, ())
    assert found.warnings[0].endswith("labels have no mean; take 'rule: majority'")
    assert "have no mean" in render(Leaderboard.of([found]).document(), "table")
    scored = label(0, "m", "d", "4", low=1, high=5) | {"kind": "score"}
    import_verdicts(store, rows_file(tmp_path / "w.jsonl", [scored]))
    *_, found = boards(store, panels=[Panel(judges=["a", "d"])])
    assert found.warnings == ("its judges have no board in common",)


def test_of_two_judges_of_one_name_the_panel_has_the_one_that_judged_last(store: Store) -> None:
    begin(store)
    model = store.put_model("m", ModelSpec(weights="m"))
    for started, version in enumerate(("old", "new", "b")):
        store.start_run(
            RunManifest(
                id=version, name=version, configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=float(started),
            )
        )  # fmt: skip
        judge = store.put_judge(
            "b" if version == "b" else "a", JudgeSpec(kind="rubric", model=version)
        )
        place = VerdictSlot(
            benchmark="made_up", version="1", item_id="0", model_key=model, judge_key=judge
        )
        key = keys.content_key("judgment", [place])
        verdict = score({"old": 1, "new": 5, "b": 9}[version])
        judgment = Judgment(key=key, judge_key=judge, case_key=key, verdict=verdict)
        store.put_judgment(judgment, [RunVerdict(run_id=version, place=place, judgment_key=key)])
    *_, found = boards(store, panels=[Panel(judges=["a", "b"], rule="mean")])
    assert found.rows[0].leading.value == 7.0


def test_panels_that_suites_declared_are_found(store: Store, tmp_path: Path) -> None:
    labelled(store, tmp_path)
    begin(store, SUITE)
    mean = {"judges": ["a", "b"], "rule": "mean", "min_valid": 2}
    other = {"name": "other", "judges": ["a", "b"], "panel": ["a", "b"]}
    begin(store, {"benchmarks": [{"name": "made_up@unversioned", "panel": mean}, other]}, "s")
    begin(store, {"benchmarks": [{"name": "made_up@9", "panel": ["b", "a"]}]}, "t")
    begin(store, SUITE, "u")
    assert [panel.name for panel in panels_in(store.runs(), benchmark_ref(store, "made_up"))] == [
        "panel/majority(a,b)",
        "panel/mean(a,b;min_valid=2)",
    ]


@over_rows(
    ("written", "name"),
    [
        ("a,b", "panel/majority(a,b)"),
        (" a, b ,c", "panel/majority(a,b,c)"),
        ("mean(a,b)", "panel/mean(a,b)"),
        ("panel/majority(a,b,c;min_valid=2)", "panel/majority(a,b,c;min_valid=2)"),
        ("gpt-4o@2024,human/x", "panel/majority(gpt-4o@2024,human/x)"),
    ],
)
def test_a_panel_as_it_is_written(written: str, name: str) -> None:
    assert parse_panel(written).name == name
    assert parse_panel(name).name == name


@over_rows(
    "written",
    [
        "", "a", "mean(a,b", "a,b)", "median(a,b)", "a,b;least=2", "a,b;min_valid=x", "()",
        "a,a", "majority(a,b;min_valid=3)",
    ],
)  # fmt: skip
def test_what_is_no_panel(written: str) -> None:
    with pytest.raises(UsageError):
        parse_panel(written)
