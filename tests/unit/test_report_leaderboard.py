"""Leaderboards: what is counted, flagged and said, and how models and judges are told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench import keys
from judgebench.errors import UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.records import (
    Failure,
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Response,
    ResponseStatus,
    RunManifest,
    RunVerdict,
    VerdictSlot,
)
from judgebench.reports.agreement import agreement_report
from judgebench.reports.board import Board
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.boards import judge_line
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.render import render
from judgebench.stats.resample import Resamples
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.exchanged import coded, import_responses, import_verdicts, label, rows_file

QUICK = Intervals(n_replicates=200)


def filled(store: Store, tmp_path: Path, *rows: dict[str, Any]) -> None:
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))


def board(store: Store, judge: str = "j") -> Board:
    (found,) = leaderboards(store, "made_up", judges=[judge], intervals=QUICK)
    return found


def test_what_makes_one_board_is_drawn_while_answers_are_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, before = list[Resamples](), list[int]()
    begin, read = Resamples.begin, Store.board_answers

    def noted(self: Resamples) -> None:
        begun.append(self)
        begin(self)

    def answers(self: Store, *given: Any, **named: Any) -> Any:
        before.append(len(begun))
        return read(self, *given, **named)

    monkeypatch.setattr(Resamples, "begin", noted)
    monkeypatch.setattr(Store, "board_answers", answers)
    filled(store, tmp_path, *coded("best", "j", "+-?+"), *coded("worst", "j", "+--+"))
    board(store)
    assert before == [1]
    assert len({id(one) for one in begun}) == 1  # the board took what had been drawn
    score = {"kind": "score", "value": 0.5, "low": 0.0, "high": 1.0}
    filled(store, tmp_path, label(0, "best", "scorer", "") | score)
    begun.clear()
    board(store)
    assert before == [1, 0]  # it is two boards by now, perhaps of other items


def test_rows_are_ranked_and_counted(store: Store, tmp_path: Path) -> None:
    filled(
        store,
        tmp_path,
        *coded("best", "j", "+" * 39 + "-"),
        *coded("worst", "j", "+" * 10 + "-" * 20 + "?" * 8 + ".."),
        *coded("best", "other", "+"),
    )
    texts = ["ok"] * 36 + ["", " ", "", ""]
    answers = [
        {"benchmark": "made_up", "item_id": str(i), "model": "worst", "text": text}
        for i, text in enumerate(texts)
    ]
    import_responses(store, rows_file(tmp_path / "a.jsonl", answers))
    found = board(store)
    assert [(r.model, r.rank, r.rank_low, r.rank_high) for r in found.rows] == [
        ("best", 1, 1, 1),
        ("worst", 2, 2, 2),
    ]
    assert found.rows[1].counts == {
        "items": 40, "verdicts": 30, "unreadable": 8, "judge_truncated": 0, "judge_refused": 0,
        "failed": 0, "not_asked": 2, "answers": 40, "empty": 4, "truncated": 0,
        "no_final_answer": 0, "refused": 0, "avg_length": 1,
    }  # fmt: skip
    assert found.rows[0].flags == ()
    assert found.rows[1].flags == ("coverage", "empty answers")
    assert found.warnings == (
        "missing verdicts are uneven, from 0% (best) to 25% (worst); see the worst case",
    )
    accuracy = found.rows[1].metrics["accuracy"]
    assert (accuracy.value, accuracy.missing) == (pytest.approx(1 / 3), 10)
    assert (accuracy.worst_low, accuracy.worst_high) == (0.25, 0.5)


def test_answers_that_nobody_says_are_whole_are_counted(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *coded("m", "j", "+-"))
    (model,) = store.models()
    statuses: tuple[ResponseStatus, ...] = ("ok", "end_unknown")
    for item, status in enumerate(statuses):
        response = Response(
            benchmark="made_up", version="unversioned", item_id=str(item), model_key=model.key,
            text="Danube", raw="Danube", status=status,
        )  # fmt: skip
        store.put_responses({bytes([item]) * 32: response})
    (row,) = board(store).rows
    assert (row.counts["answers"], row.counts["end_unknown"], row.counts["verdicts"]) == (2, 1, 2)
    assert "end unknown answers" in row.flags


def test_a_board_for_each_judge_and_those_asked_for(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *coded("m", "j", "+-"), *coded("m", "k", "++"))
    assert [b.judge for b in leaderboards(store, "made_up@unversioned")] == ["j", "k"]
    k = board(store, "k")
    assert [b.judge for b in leaderboards(store, "made_up", judges=[k.judge_id])] == ["k"]
    with pytest.raises(UsageError, match="made_up@unversioned: no judge called 'kk'; did you"):
        leaderboards(store, "made_up", judges=["kk"])


def put(store: Store, model: bytes, judge: bytes, item: str = "0", served: str = "s-1") -> None:
    place = VerdictSlot(
        benchmark="made_up", version="1", item_id=item, model_key=model, judge_key=judge
    )
    key = keys.content_key("judgment", [place])
    judgment = Judgment(
        key=key, judge_key=judge, case_key=key, verdict=Label(name="correct"), served_model=served
    )
    store.put_judgment(judgment, [RunVerdict(run_id="r", place=place, judgment_key=key)])


def begin(store: Store) -> None:
    store.start_run(
        RunManifest(
            id="r", name="r", configuration={}, versions={}, git_sha=None, data_sha={}, seeds={},
            started=0.0,
        )
    )  # fmt: skip


def test_one_name_with_two_versions_is_two(store: Store) -> None:
    begin(store)
    models = [store.put_model("m", ModelSpec(weights=f"sha256:{i}")) for i in range(2)]
    judges = [store.put_judge("j", JudgeSpec(kind="reference", model=f"g{i}")) for i in range(2)]
    for model in models:
        for judge in judges:
            put(store, model, judge)
    boards = leaderboards(store, "made_up", intervals=QUICK)
    assert sorted(b.judge for b in boards) == sorted(f"j@{key.hex()[:6]}" for key in judges)
    for found in boards:
        assert {r.model for r in found.rows} == {f"m@{key.hex()[:6]}" for key in models}
        assert {r.model_id for r in found.rows} == {key.hex()[:12] for key in models}
        assert all("two versions" in row.flags for row in found.rows)
    assert leaderboards(store, "made_up", judges=["j"], intervals=QUICK) == boards


def test_failures_and_served_models_are_said(store: Store) -> None:
    begin(store)
    seen = store.put_model("seen", ModelSpec(weights="a"))
    unseen = store.put_model("unseen", ModelSpec(weights="b"))
    spec = JudgeSpec(kind="reference", model="g", prompt_sha="ab" * 32, official_prompt=False)
    judge = store.put_judge("j", spec)
    for i in range(6):
        put(store, seen, judge, item=str(i), served=f"served-{i}")
    place = VerdictSlot(
        benchmark="made_up", version="1", item_id="0", model_key=unseen, judge_key=judge
    )
    failure = Failure(
        key=b"f" * 32, boundary="provider", message="HTTP 500", retriable=True, place=place
    )
    store.put_failure(failure)
    store.put_failure(replace(failure, key=b"g" * 32, place=replace(place, judge_key=b"")))
    found = board(store)
    assert [(r.model, r.rank, r.counts["failed"]) for r in found.rows] == [
        ("seen", 1, 0),
        ("unseen", None, 1),
    ]
    assert found.warnings[0] == (  # and nothing of prompts: this benchmark has no official one
        "verdicts of several served models are mixed: served-0, served-1, served-2 and 3 more"
    )
    assert "– unseen: no readable verdict" in render(Leaderboard.of([found]).document(), "table")
    (row,) = [
        r for r in Leaderboard.of([found]).to_dict()["boards"][0]["rows"] if r["model"] == "unseen"
    ]
    assert row["metrics"]["accuracy"]["value"] is None
    assert row["metrics"]["accuracy"]["undefined"] == "no readable verdict"


def test_a_model_that_could_not_be_loaded_stands_on_every_board(store: Store) -> None:
    begin(store)
    good, broken = (store.put_model(name, ModelSpec(weights=name)) for name in ("good", "broken"))
    judges = [store.put_judge(name, JudgeSpec(kind=name)) for name in ("contains", "exact_match")]
    for judge in judges:
        for i in range(3):
            put(store, good, judge, item=str(i))
    for i in range(4):  # item 3 nobody could be asked
        place = VerdictSlot(
            benchmark="made_up", version="1", item_id=str(i), model_key=broken, judge_key=b""
        )
        key = keys.content_key("response", i)
        store.put_failure(
            Failure(
                key=key, boundary="local_model", message="no memory", retriable=True, place=place
            )
        )
    boards = leaderboards(store, "made_up", intervals=QUICK)
    assert [found.judge for found in boards] == ["contains", "exact_match"]
    for found in boards:
        assert [(r.model, r.rank, r.counts["failed"]) for r in found.rows] == [
            ("good", 1, 0),
            ("broken", None, 4),
        ]
        assert found.rows[0].metrics["accuracy"].missing == 1
        assert found.rows[1].counts["not_asked"] == 0


def test_verdicts_of_each_kind_have_boards_of_their_own(store: Store, tmp_path: Path) -> None:
    """A judge may score and compare what it labels; labels of long ago may be undeclared."""
    rows = [
        *coded("m", "j", "+-+"),
        label(3, "m", "j", "4", low=1, high=5) | {"kind": "score"},
        label(0, "m", "j", "0.25", opponent="n") | {"kind": "preference"},
        label(1, "m", "j", "", opponent="n", order="model_first", reason="two verdicts")
        | {"kind": "unreadable"},
    ]
    filled(store, tmp_path, *rows)
    begin(store)
    old = store.put_judge("old", JudgeSpec(kind="imported", model="old"))
    place = VerdictSlot(
        benchmark="made_up", version="unversioned", item_id="0",
        model_key=store.models()[0].key, judge_key=old,
    )  # fmt: skip
    judgment = Judgment(key=b"j" * 32, judge_key=old, case_key=b"", verdict=Label(name="yes"))
    store.put_judgment(judgment, [RunVerdict(run_id="r", place=place, judgment_key=judgment.key)])
    labels, compared, scored = leaderboards(store, "made_up", judges=["j"], intervals=QUICK)
    assert [(b.metric, b.opponent, b.scale) for b in (labels, compared, scored)] == [
        ("accuracy", None, (0.0, 1.0)),
        ("win_rate", "n", (0.0, 100.0)),
        ("score", None, (1.0, 5.0)),
    ]
    assert [b.rows[0].counts["items"] for b in (labels, compared, scored)] == [3, 2, 1]
    assert [b.rows[0].counts["unreadable"] for b in (labels, compared, scored)] == [0, 1, 0]
    found = board(store, "old")
    assert found.rows[0].counts["unreadable"] == 1
    said = "labels that are not declared count as unreadable: 'yes' (1); declared: incorrect, corr"
    assert found.warnings[0].startswith(said)
    report = agreement_report(store, "made_up", reference="j", intervals=QUICK)
    assert report.warnings == (f"old: {found.warnings[0]}",)
    assert f"warning: old: {said}" in render(report.document(), "table")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_flags_are_shown_whole_or_not_at_all(store: Store, tmp_path: Path, width: int) -> None:
    filled(store, tmp_path, *coded("a-model-of-some-name", "j", "++-??"), *coded("b", "j", "+++++"))
    text = render(Leaderboard.of([board(store)]).document(), "table", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert ("coverage" in text) != ("flags" in text.split("not shown, for width: ")[-1][:6])
    assert ("coverage" in text) == (width > 60)


def test_json_has_the_fields_of_the_contract(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *coded("m", "j", "+-"))
    (found,) = Leaderboard.of([board(store)]).to_dict()["boards"]
    assert found.keys() >= {
        *("benchmark", "version", "judge", "served_models", "official_prompt", "rows", "warnings")
    }
    (row,) = found["rows"]
    assert row.keys() >= {
        *("model", "model_id", "version", "rank", "rank_low", "rank_high", "metrics", "counts"),
        "flags",
    }
    assert row["metrics"]["accuracy"]["method"] == "wilson"


def test_which_benchmark_is_meant(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds nothing yet; `judgebench run SUITE\.yaml` fills"):
        leaderboards(store, "made_up")
    filled(
        store,
        tmp_path,
        label(0, "m", "j", "correct", version="1"),
        label(0, "m", "j", "correct", version="2"),
        label("0", "m", "j", "correct", benchmark="trivia_judging_mini"),
        label("x", "m", "j", "correct", benchmark="trivia_judging_mini", version="0"),
    )
    with pytest.raises(UsageError, match=r"several versions of made_up; name one: made_up@1, made"):
        leaderboards(store, "made_up")
    with pytest.raises(UsageError, match=r"no version of made_up called '3'\. Known: 1, 2"):
        leaderboards(store, "made_up@3")
    with pytest.raises(UsageError, match=r"no benchmark called 'made_upp'; did you mean 'made_up"):
        leaderboards(store, "made_upp")
    (default,) = leaderboards(store, "trivia_judging_mini")  # as its description says
    assert default.version == "1"


@over_rows(
    ("spec", "said"),
    [
        (JudgeSpec(kind="human", model="human/ann"), "labels of people"),
        (JudgeSpec(kind="imported", model="gpt"), "imported verdicts"),
        (
            JudgeSpec(kind="contains", options={"case": "insensitive", "articles": "keep"}),
            "contains, articles keep, case insensitive",
        ),
        (
            JudgeSpec(
                kind="reference", model="g", prompt_sha="0123456789", official_prompt=True,
                options={"prompt": "official/short"}, sampling={"temperature": 0},
            ),
            "reference, model g, official prompt short (01234567), temperature 0",
        ),
    ],
)  # fmt: skip
def test_a_judge_in_one_line(spec: JudgeSpec, said: str) -> None:
    assert judge_line(spec) == said


def test_what_was_not_sent_is_no_part_of_how_a_judge_was_asked() -> None:
    spec = JudgeSpec(kind="rubric", model="g", sampling={"max_tokens": 9, "temperature": 0})
    said = judge_line(spec, ["temperature"])
    assert said == "rubric, model g, max_tokens 9; not taken by the model: temperature"
