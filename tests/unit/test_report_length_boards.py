"""Boards with length-controlled win rates: which calibration holds, what is said, what ranks."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from judgebench.benchmarks import folder as benchmark_folder
from judgebench.benchmarks.data import Content
from judgebench.cli.main import run
from judgebench.config import Panel
from judgebench.errors import UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.reports.board import Board
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.length_calibrations import calibrate_length
from judgebench.reports.render import render
from judgebench.stats.length_calibration import fit_difficulty
from judgebench.stats.length_control import CANDIDATES, exact
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.compared import BASELINE, answer, published_lengths, take_in, verdict
from tests.unit.exchanged import import_responses, import_verdicts, rows_file

QUICK = Intervals(n_replicates=40)
LC = "length_controlled_win_rate"
PUBLISHED = "weighted_alpaca_eval_gpt4_turbo"


@pytest.fixture(autouse=True)
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of six models, compared by one judge, with their answers."""
    folder = tmp_path_factory.mktemp("six")
    with open_store(str(folder / "six.db")) as opened:
        take_in(opened, folder)
    return folder / "six.db"


@pytest.fixture
def filled(six: Path, tmp_path: Path) -> Iterator[Store]:
    with open_store(str(shutil.copy(six, tmp_path / "six.db"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def led(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models with the published judge's verdicts, for which the calibration holds."""
    folder = tmp_path_factory.mktemp("led")
    with open_store(str(folder / "led.db")) as opened:
        take_in(opened, folder, benchmark="alpaca_eval", judge=PUBLISHED, models=3)
    return folder / "led.db"


@pytest.fixture
def headed(led: Path, tmp_path: Path) -> Iterator[Store]:
    with open_store(str(shutil.copy(led, tmp_path / "led.db"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def of_five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many models of that judge as a calibration of one's own needs."""
    folder = tmp_path_factory.mktemp("five")
    with open_store(str(folder / "five.db")) as opened:
        take_in(opened, folder, benchmark="alpaca_eval", judge=PUBLISHED, models=5)
    return folder / "five.db"


@pytest.fixture
def five(of_five: Path, tmp_path: Path) -> Iterator[Store]:
    with open_store(str(shutil.copy(of_five, tmp_path / "five.db"))) as opened:
        yield opened


def board(store: Store, benchmark: str = "made_up", **more: Any) -> Board:
    (found,) = leaderboards(store, benchmark, intervals=QUICK, **more)
    return found


def values(found: Board, name: str = LC) -> dict[str, float]:
    return {row.model: row.metrics[name].value for row in found.rows}


# one's own calibration --------------------------------------------------------------------------


def test_a_board_without_calibration_has_no_such_metric(filled: Store) -> None:
    store = filled
    found = board(store)
    assert all(LC not in row.metrics for row in found.rows)
    assert (found.metric, found.notes) == ("win_rate", ())


def test_fitted_kept_and_used(filled: Store) -> None:
    store = filled
    fitted = calibrate_length(store, "made_up")
    assert fitted.models == ("m0", "m1", "m2", "m3", "m4", "m5")
    assert (fitted.items, fitted.verdicts, fitted.anchored) == (220, 6 * 220, ())
    assert fitted.used
    found = board(store)
    assert list(found.rows[0].metrics)[:2] == ["win_rate", LC]
    (note,) = found.notes
    assert note.startswith("length is controlled for with the calibration: one of this store (")
    assert fitted.stored.id in note
    assert f"fitted on 6 models; reliability {fitted.reliability:.2f}" in note

    # What is on the board is the statistic on the calibration as it was fitted.
    columns = store.verdicts("made_up")
    answers = store.responses_table("made_up")
    at = {
        (m, i): len(t)
        for m, i, t in zip(answers["model"], answers["item_id"], answers["text"], strict=True)
    }
    said = dict(
        zip(zip(columns["model"], columns["item_id"], strict=True), columns["value"], strict=True)
    )
    items = [str(i) for i in range(220)]
    y = np.array([[said[m, i] for i in items] for m in fitted.models])
    difference = np.array(
        [[float(at[BASELINE, i] - at[m, i]) for i in items] for m in fitted.models]
    )
    fit = fit_difficulty(y, difference)
    assert fitted.reliability == fit.reliability
    for m, model in enumerate(fitted.models):
        theirs = exact(y[m], difference[m], fit.difficulty, c=CANDIDATES[-1])
        assert values(found)[model] == pytest.approx(theirs.value, abs=1e-9)


def test_the_last_one_counts(filled: Store) -> None:
    first = calibrate_length(filled, "made_up").stored
    before = board(filled)
    again = calibrate_length(filled, "made_up").stored
    assert again == first  # no verdict has come
    halved = {item: d / 2 for item, d in first.content["difficulty"].items()}
    newest = filled.put_calibration(
        "made_up",
        "unversioned",
        judge=first.judge_key,
        opponent=first.opponent_key,
        models=["x"],
        content={**first.content, "difficulty": halved},
    )
    after = board(filled)
    assert first.id in before.notes[0]
    assert newest.id in after.notes[0]
    assert values(after) != values(before)
    assert filled.calibrations("made_up", "unversioned") == [first, newest]


def test_it_holds_for_no_other_judge_and_no_other_baseline(filled: Store, tmp_path: Path) -> None:
    store = filled
    rows = [
        verdict(i, "m1", judge, 0.75, benchmark="made_up", opponent=opponent)
        for i in range(220)
        for judge, opponent in (("j", "m0"), ("k", BASELINE))
    ]
    import_verdicts(store, rows_file(tmp_path / "other.jsonl", rows))
    with pytest.raises(UsageError, match=r"name one baseline: --baseline gpt4_1106_preview or m0"):
        calibrate_length(store, "made_up")
    with pytest.raises(UsageError, match=r"one judge; .* name one: --judge j or k"):
        calibrate_length(store, "made_up", baseline=BASELINE)
    calibrate_length(store, "made_up", judge="j", baseline=BASELINE)
    shown = {
        (one.judge, one.opponent): LC in one.rows[0].metrics
        for one in leaderboards(store, "made_up", intervals=QUICK)
    }
    assert shown == {("j", BASELINE): True, ("k", BASELINE): False, ("j", "m0"): False}


def test_anchors_are_used_and_doubted(filled: Store, tmp_path: Path) -> None:
    store = filled
    fitted = calibrate_length(store, "made_up", verbose=["m1"])
    assert fitted.anchored == ("m1",)
    assert fitted.unlike == ()
    assert len(fitted.stored.content["anchors"]["preference"]) == 220
    assert "no anchors" not in render(fitted.document(), "table")
    rows = [
        verdict(i, "hopeless", "j", (i % 7) / 100, benchmark="made_up", opponent=BASELINE)
        for i in range(220)
    ]
    import_verdicts(store, rows_file(tmp_path / "h.jsonl", rows))
    with pytest.raises(UsageError, match=r"hopeless: its verdicts against .*, or the lengths"):
        calibrate_length(store, "made_up", verbose=["hopeless"])
    texts = [answer("made_up", i, "hopeless", 100 + i) for i in range(220)]
    import_responses(store, rows_file(tmp_path / "t.jsonl", texts))
    doubted = calibrate_length(store, "made_up", verbose=["hopeless"])
    assert doubted.unlike == ("hopeless",)
    said = render(doubted.document(), "table")
    assert "warning: hopeless wins or loses nearly always" in said
    with pytest.raises(UsageError, match="no model called 'm9'"):
        calibrate_length(store, "made_up", verbose=["m9"])
    with pytest.raises(UsageError, match="gpt4_1106_preview is the baseline itself"):
        calibrate_length(store, "made_up", verbose=[BASELINE])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"models": 4}, "4 models have verdicts against .* and a calibration needs 5"),
        ({"answers": False}, "0 models .*; have more models judged. the store has no answers of"),
    ],
)
def test_too_few_models(store: Store, tmp_path: Path, more: dict[str, Any], said: str) -> None:
    take_in(store, tmp_path, **more)
    with pytest.raises(UsageError, match=said):
        calibrate_length(store, "made_up")
    assert store.calibrations("made_up", "unversioned") == []


def test_verdicts_that_allow_no_fit(filled: Store, tmp_path: Path) -> None:
    store = filled
    rows = [
        verdict(f"{g}{i}", f"m{g}{m}", "split", 0.25 + 0.01 * (i % 50), benchmark="made_up",
                opponent=BASELINE)
        for g in (7, 8) for m in range(3) for i in range(10)
    ]  # fmt: skip
    import_verdicts(store, rows_file(tmp_path / "s.jsonl", rows))
    with pytest.raises(UsageError, match="0 models"):  # nobody's lengths are known
        calibrate_length(store, "made_up", judge="split")
    with pytest.raises(UsageError, match="no judge called 'spilt'; did you mean 'split'"):
        calibrate_length(store, "made_up", judge="spilt")


def test_nobody_compared(store: Store, tmp_path: Path) -> None:
    label = {"benchmark": "made_up", "item_id": "0", "model": "m", "judge": "j", "kind": "label",
             "value": "correct"}  # fmt: skip
    import_verdicts(store, rows_file(tmp_path / "l.jsonl", [label]))
    with pytest.raises(UsageError, match="no judge has compared models here"):
        calibrate_length(store, "made_up")


def test_what_the_store_lacks_is_said(filled: Store, tmp_path: Path) -> None:
    rows = [
        verdict(i, "few", "j", 0.5 + i / 500, benchmark="made_up", opponent=BASELINE)
        for i in range(199)
    ]
    import_verdicts(filled, rows_file(tmp_path / "f.jsonl", rows))
    calibrate_length(filled, "made_up")
    few = "the store has no answers of few, so their lengths are not known; "
    few += "`judgebench import responses FILE` brings answers"
    found = board(filled)
    assert next(r.metrics[LC].undefined for r in found.rows if r.model == "few") == few
    assert f"– length-controlled win rate of few: {few}" in render(
        Leaderboard.of([found]).document(), "table"
    )
    assert '"value": null' in json.dumps(Leaderboard.of([found]).to_dict())
    texts = [answer("made_up", i, "few", 100 + i) for i in range(199)]
    import_responses(filled, rows_file(tmp_path / "t.jsonl", texts))
    found = board(filled)
    said = next(r.metrics[LC].undefined for r in found.rows if r.model == "few")
    assert said == "199 valid verdicts, fewer than 200"


def test_items_that_came_later_are_said(filled: Store, tmp_path: Path) -> None:
    calibrate_length(filled, "made_up")
    more = {"benchmark": "made_up", "opponent": BASELINE}
    rows = [verdict(220, model, "j", 0.25, **more) for model in ("m0", "m1")]
    import_verdicts(filled, rows_file(tmp_path / "v.jsonl", rows))
    texts = [answer("made_up", 220, model, 99) for model in ("m0", BASELINE)]
    import_responses(filled, rows_file(tmp_path / "t.jsonl", texts))
    found = board(filled)
    assert found.warnings[-1] == (
        "1 of 221 items have no difficulty in the calibration of length; "
        "`judgebench calibrate-length made_up@unversioned` fits one with them"
    )
    said = {row.model: row.metrics[LC].undefined for row in found.rows}
    assert said["m0"] == "1 of 221 answers are to instructions without a calibrated difficulty"
    assert said["m1"] is None  # its answer is not in the store, so that it takes no part
    assert {row.model: row.metrics[LC].missing for row in found.rows}["m1"] == 1
    calibrate_length(filled, "made_up")
    assert all(row.metrics[LC].undefined is None for row in board(filled).rows)


def test_a_panel_has_none_of_its_own(filled: Store, tmp_path: Path) -> None:
    calibrate_length(filled, "made_up")
    rows = [verdict(i, "m1", "k", 0.75, benchmark="made_up", opponent=BASELINE) for i in range(9)]
    import_verdicts(filled, rows_file(tmp_path / "k.jsonl", rows))
    boards = leaderboards(filled, "made_up", panels=[Panel(judges=["j", "k"])], intervals=QUICK)
    assert {one.judge: LC in one.rows[0].metrics for one in boards} == {
        "j": True, "k": False, "panel/majority(j,k)": False
    }  # fmt: skip


# what ranks -------------------------------------------------------------------------------------


def test_ranked_by_it(filled: Store) -> None:
    store = filled
    calibrate_length(store, "made_up")
    usual, found = board(store), board(store, rank_by=LC)
    assert (usual.metric, found.metric) == ("win_rate", LC)
    assert found.scale == (0.0, 100.0)
    assert list(found.rows[0].metrics)[:2] == [LC, "win_rate"]
    assert values(found) == values(usual)
    best_first = sorted(values(found), key=lambda model: -values(found)[model])
    assert [row.model for row in found.rows] == best_first
    assert [row.rank for row in found.rows] == list(range(1, 7))
    for row in found.rows:
        assert row.rank_low is not None
        assert row.rank_high is not None
        assert row.rank is not None
        assert row.rank_low <= row.rank <= row.rank_high
    text = render(Leaderboard.of([found]).document(), "table")
    assert "length-controlled win rate % [95%]" in text
    with pytest.raises(UsageError, match="no metric to rank by called 'win_rat'; did you mean"):
        board(store, rank_by="win_rat")
    with pytest.raises(UsageError, match="ranks only where it is computed: --length-control"):
        board(store, rank_by=LC, length_control="compat")


def test_the_headline_ranks_only_where_all_who_have_a_win_rate_have_it(
    five: Store, tmp_path: Path
) -> None:
    assert board(five, "alpaca_eval").metric == LC
    rows = [
        verdict(i, top, PUBLISHED, 0.9 - i % 9 / 100, benchmark="alpaca_eval", opponent=BASELINE)
        for i in range(220)
        for top in ("top-a", "top-b")
    ]
    texts = [answer("alpaca_eval", i, "top-b", 100 + i) for i in range(150)]
    import_verdicts(five, rows_file(tmp_path / "top.jsonl", rows))
    import_responses(five, rows_file(tmp_path / "top-a.jsonl", texts))
    usual = board(five, "alpaca_eval")
    assert usual.metric == "win_rate"
    assert {row.model for row in usual.rows[:2]} == {"top-a", "top-b"}
    assert all(row.rank for row in usual.rows)
    assert usual.notes[0] == (
        "ranked by the plain win rate: 2 of 7 models have none at equal length (--rank-by "
        "length_controlled_win_rate ranks the others): top-a: the store has no answers of top-a, "
        "so their lengths are not known; `judgebench import responses FILE` brings answers; top-b: "
        "150 valid verdicts, fewer than 200"
    )
    assert render(Leaderboard.of([usual]).document(), "table").count("no answers of top-a") == 1
    asked = board(five, "alpaca_eval", rank_by=LC)
    assert asked.metric == LC
    assert asked.notes[0].startswith("length-controlled ranks are of 5 of 7 models: top-a: the ")
    top = next(row for row in asked.rows if row.model == "top-a")
    assert (top.rank, top.metrics[LC].missing, top.counts["verdicts"]) == (None, 220, 220)
    for found in (usual, asked):
        assert not any("coverage" in row.flags for row in found.rows)
        assert not any("uneven" in warning for warning in found.warnings)
        (table,) = Leaderboard.of([found]).document().tables
        at = [column.title for column in table.columns].index("n")
        assert {tuple(row[at : at + 2]) for row in table.rows} == {("220", "0")}


def test_asked_for_where_no_model_has_it(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in(store, tmp_path, benchmark="alpaca_eval", judge=PUBLISHED, models=3, answers=False)
    line = ["leaderboard", "alpaca_eval", "--store", str(tmp_path / "s.db")]
    assert run([*line, "--rank-by", LC]) == 64
    said = capsys.readouterr().err
    assert "no model of alpaca_eval can be ranked by length_controlled_win_rate: " in said
    assert said.count("import responses FILE") == 1
    assert run([*line, "--format", "alpaca-eval"]) == 0
    said = capsys.readouterr().err
    assert said.count("no length-controlled win rate: ") == 1
    with pytest.raises(UsageError, match="calibrate-length made_up` fits one"):
        take_in(store, tmp_path, models=2)
        board(store, rank_by=LC)


def test_modes(filled: Store) -> None:
    store = filled
    calibrate_length(store, "made_up")
    boards = {
        mode: board(store, length_control=mode) for mode in ("exact", "compat", "both", "off")
    }
    names = {
        mode: [name for name in found.rows[0].metrics if LC in name]
        for mode, found in boards.items()
    }
    assert names == {
        "exact": [LC], "compat": [f"{LC}/compat"], "both": [LC, f"{LC}/compat"], "off": []
    }  # fmt: skip
    assert boards["off"].notes == ()
    text = render(Leaderboard.of([boards["both"]]).document(), "table")
    assert "length-controlled win rate, compat %" in text


# the published calibration ----------------------------------------------------------------------


def test_the_published_one_holds_for_the_published_judge(five: Store) -> None:
    found = board(five, "alpaca_eval")
    assert "recovered from published results" in found.notes[0]
    assert not any(math.isnan(value) for value in values(found).values())
    fitted = calibrate_length(five, "alpaca_eval")
    assert not fitted.used
    assert "boards of this judge and baseline use the published calibration" in render(
        fitted.document(), "md"
    )
    assert board(five, "alpaca_eval").notes == found.notes


@pytest.mark.parametrize(
    ("changed", "option"),
    [({"judge": "mine"}, "--judge mine --baseline gpt4_1106_preview"),
     ({"baseline": "gpt-x"}, f"--judge {PUBLISHED} --baseline gpt-x")],
)  # fmt: skip
def test_for_another_judge_or_baseline_it_is_undefined(
    store: Store, tmp_path: Path, changed: dict[str, str], option: str
) -> None:
    take_in(store, tmp_path, benchmark="alpaca_eval", models=5, **{"judge": PUBLISHED} | changed)
    found = board(store, "alpaca_eval")
    said = {row.metrics[LC].undefined for row in found.rows}
    why = "; these verdicts were imported under another name" if "judge" in changed else ""
    assert said == {
        "no calibration for this judge and baseline (what is published is of "
        f"{PUBLISHED} against {BASELINE}{why}); `judgebench calibrate-length alpaca_eval {option}` "
        "fits one"
    }
    assert found.rows[0].metrics[LC].n == 220
    assert found.notes == (
        "ranked by the plain win rate; the headline of this benchmark is the length-controlled "
        f"one: {said.pop()}",
    )
    assert (found.metric, found.rows[0].rank) == ("win_rate", 1)
    text = render(Leaderboard.of([found]).document(), "table")
    assert text.count("no calibration for this judge") == 1
    assert "length-controlled win rate %" not in text  # no column of dashes
    with pytest.raises(UsageError, match="no model of alpaca_eval can be ranked by"):
        board(store, "alpaca_eval", rank_by=LC)
    calibrate_length(store, "alpaca_eval")
    assert "one of this store" in board(store, "alpaca_eval").notes[0]


def test_a_panel_has_none(headed: Store, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    take_in(headed, tmp_path / "two", benchmark="alpaca_eval", judge="k", models=2)
    panel = Panel(judges=[PUBLISHED, "k"])
    boards = leaderboards(headed, "alpaca_eval", panels=[panel], intervals=QUICK)
    found = next(one for one in boards if one.judge_id is None)
    said = found.rows[0].metrics[LC].undefined
    assert said == "no calibration for a panel; one is of a single judge"


def test_a_baseline_with_other_answers_is_another_baseline(
    headed: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = headed.responses_table("alpaca_eval")
    texts = {
        item: text
        for model, item, text in zip(
            answers["model"], answers["item_id"], answers["text"], strict=True
        )
        if model == BASELINE
    }

    def content(changed: int) -> Content:
        rows = tuple(
            {"item_id": item, "text": "other" if int(item) < changed else text}
            for item, text in texts.items()
        )
        return Content(items=(), baseline=rows)

    assert board(headed, "alpaca_eval").published  # by their lengths, where the data is not here
    for changed in (0, 3):
        monkeypatch.setattr(benchmark_folder, "load_content", lambda *_, n=changed: content(n))
        found = board(headed, "alpaca_eval")
        said = found.rows[0].metrics[LC].undefined
        assert (said is None) == bool(found.published) == (not changed)
    assert said is not None
    assert (
        f"3 of 220 answers of {BASELINE} in the store are not those of the published baseline"
    ) in said


def test_without_the_data_the_published_baseline_is_known_by_its_lengths(
    store: Store, tmp_path: Path
) -> None:
    take_in(store, tmp_path, benchmark="alpaca_eval", judge=PUBLISHED, models=1, answers=False)
    texts = [
        answer("alpaca_eval", i, BASELINE, int(n) + (i < 2))
        for i, n in enumerate(published_lengths()[:220])
    ]
    import_responses(store, rows_file(tmp_path / "o.jsonl", texts))
    found = board(store, "alpaca_eval")
    assert not found.published
    assert f"2 of 220 answers of {BASELINE} in the store are not those" in str(
        found.rows[0].metrics[LC].undefined
    )


def test_both_orders_are_another_way_of_judging(headed: Store, tmp_path: Path) -> None:
    twice = [
        verdict(0, "n", PUBLISHED, 0.5, benchmark="alpaca_eval", opponent=BASELINE, order=order)
        for order in ("model_first", "opponent_first")
    ]
    import_verdicts(headed, rows_file(tmp_path / "b.jsonl", twice))
    found = board(headed, "alpaca_eval")
    assert not found.published
    assert "it judged in both orders" in str(found.rows[0].metrics[LC].undefined)


def test_no_model_depends_on_the_rows_of_another(headed: Store, tmp_path: Path) -> None:
    alone = values(board(headed, "alpaca_eval"))["m0"]
    more = [
        verdict(i, "n", PUBLISHED, 0.5, benchmark="alpaca_eval", opponent=BASELINE)
        for i in range(220, 300)
    ]
    texts = [
        answer("alpaca_eval", i, model, 500 if model != BASELINE else int(published_lengths()[i]))
        for i in range(220, 300)
        for model in ("n", "m0", BASELINE)
    ]
    import_verdicts(headed, rows_file(tmp_path / "b.jsonl", more))
    import_responses(headed, rows_file(tmp_path / "c.jsonl", texts))
    assert values(board(headed, "alpaca_eval"))["m0"] == alone


def test_a_value_far_from_the_win_rate_is_said(filled: Store, tmp_path: Path) -> None:
    """Nearly all of its answers are short and lose; the few long ones win."""
    calibrate_length(filled, "made_up")
    assert board(filled).warnings == ()
    long = [i % 10 == 0 for i in range(220)]
    rows = [
        verdict(i, "short", "j", 0.9 if yes else 0.05, benchmark="made_up", opponent=BASELINE)
        for i, yes in enumerate(long)
    ]
    texts = [answer("made_up", i, "short", 700 if yes else 50) for i, yes in enumerate(long)]
    import_verdicts(filled, rows_file(tmp_path / "s.jsonl", rows))
    import_responses(filled, rows_file(tmp_path / "t.jsonl", texts))
    found = board(filled)
    assert values(found)["short"] > 13.5 + (100 - 13.5) / 4
    assert values(found, "win_rate")["short"] == pytest.approx(13.5)
    lengths, said = found.warnings
    assert lengths.startswith(
        "mean lengths over 3 times the opponent's, or under a third of it (shorter:"
    )
    assert said.startswith(
        f"short: {values(found)['short']:.1f} % length-controlled is far from its win rate"
    )


# the command line -------------------------------------------------------------------------------


def test_as_typed(six: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'typed.db'}"
    assert run(["calibrate-length", "made_up", "--store", url]) == 73
    shutil.copy(six, tmp_path / "typed.db")
    capsys.readouterr()
    out = tmp_path / "c.json"
    assert run(["calibrate-length", "made_up", "--output", str(out), "--store", url]) == 0
    said = capsys.readouterr().out
    assert "reliability" in said
    assert "next: judgebench leaderboard made_up@unversioned" in said
    written = json.loads(out.read_text())
    assert (written["judge"], written["baseline"], written["items"]) == ("j", BASELINE, 220)
    assert written["used"] is True
    line = ["leaderboard", "made_up", "--format", "json", "--store", url]
    assert run([*line, "--rank-by", LC]) == 0
    (found,) = json.loads(capsys.readouterr().out)["boards"]
    assert found["metric"] == LC
    assert written["calibration"] in found["notes"][0]
    assert next(iter(found["rows"][0]["metrics"])) == LC
    assert run([*line, "--rank-by", "n"]) == 64
    assert run(["calibrate-length", "made_up", "--judge", "nobody", "--store", url]) == 64


# the headline of a benchmark --------------------------------------------------------------------


def with_model(store: Store, folder: Path, name: str, p: float, *, items: int, text: str) -> None:
    """A model with one preference throughout; without a text it has no answers."""
    rows = [
        verdict(i, name, PUBLISHED, p, benchmark="alpaca_eval", opponent=BASELINE)
        for i in range(items)
    ]
    import_verdicts(store, rows_file(folder / f"{name}.jsonl", rows))
    if text:
        texts = [
            {"benchmark": "alpaca_eval", "item_id": str(i), "model": name, "text": text}
            for i in range(items)
        ]
        import_responses(store, rows_file(folder / f"{name}-a.jsonl", texts))


def test_a_benchmark_says_what_its_headline_is() -> None:
    from judgebench.benchmarks.description import find

    assert find("alpaca_eval")[0].report.headline == LC
    assert find("alpaca_eval_mini")[0].report.headline is None


def test_the_headline_ranks_and_comes_first_unasked(headed: Store) -> None:
    found = board(headed, "alpaca_eval")
    assert found.metric == LC
    assert list(found.rows[0].metrics)[:2] == [LC, "win_rate"]
    asked = board(headed, "alpaca_eval", rank_by=LC)
    assert found == asked
    at = [row.metrics[LC].value for row in found.rows]
    assert at == sorted(at, reverse=True)
    assert [row.rank for row in found.rows] == [1, 2, 3]
    table = Leaderboard.of([found]).document().tables[0]
    titles = [column.title for column in table.columns]
    assert titles[2:4] == ["length-controlled win rate % [95%]", "win rate %"]
    (as_json,) = Leaderboard.of([found]).to_dict()["boards"]
    assert as_json["metric"] == next(iter(as_json["rows"][0]["metrics"])) == LC


def test_the_plain_rate_ranks_where_it_is_asked_for(headed: Store) -> None:
    found = board(headed, "alpaca_eval", rank_by="win_rate")
    assert found.metric == "win_rate"
    assert list(found.rows[0].metrics)[:2] == ["win_rate", LC]
    assert not any("headline" in note for note in found.notes)


@pytest.mark.parametrize(
    ("control", "because"),
    [("off", "length control is off"),
     ("compat", "the compat fit has no intervals, and so no ranks")],
)  # fmt: skip
def test_where_it_is_not_computed_the_plain_rate_ranks_and_says_why(
    headed: Store, control: str, because: str
) -> None:
    found = board(headed, "alpaca_eval", length_control=control)
    assert found.metric == "win_rate"
    assert [row.rank for row in found.rows] == [1, 2, 3]
    assert found.notes[0] == (
        "ranked by the plain win rate; the headline of this benchmark is the length-controlled "
        f"one: {because}"
    )


def test_a_model_without_it_has_no_rank_and_the_others_keep_theirs(
    headed: Store, tmp_path: Path
) -> None:
    before = board(headed, "alpaca_eval")
    with_model(headed, tmp_path, "mute", 0.99, items=220, text="")
    with_model(headed, tmp_path, "brief", 0.5, items=50, text="so")
    found = board(headed, "alpaca_eval", rank_by=LC)
    assert found.metric == LC
    rows = {row.model: row for row in found.rows}
    assert (rows["mute"].rank, rows["brief"].rank) == (None, None)
    assert "no answers of mute" in str(rows["mute"].leading.undefined)
    assert rows["mute"].metrics["win_rate"].value == pytest.approx(99.0)
    assert "fewer than 200" in str(rows["brief"].leading.undefined)
    ranked = [row for row in found.rows if row.rank is not None]
    assert [(r.model, r.rank) for r in ranked] == [(r.model, r.rank) for r in before.rows]
    assert (
        render(Leaderboard.of([found]).document(), "table").count(
            "mute: the store has no answers of mute"
        )
        == 1
    )


def test_where_no_model_has_it_the_plain_rate_ranks(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, benchmark="alpaca_eval", judge=PUBLISHED, models=3, items=120)
    found = board(store, "alpaca_eval")
    assert found.metric == "win_rate"
    assert [row.rank for row in found.rows] == [1, 2, 3]
    assert found.notes[0].endswith("one: 120 valid verdicts, fewer than 200")
    assert render(Leaderboard.of([found]).document(), "table").count("fewer than 200") == 1


def test_a_suspicious_model_counts_neither_for_the_headline_nor_in_ranks(
    headed: Store, tmp_path: Path
) -> None:
    before = board(headed, "alpaca_eval")
    with_model(headed, tmp_path, "null", 0.97, items=220, text="whatever was asked, one text it is")
    found = board(headed, "alpaca_eval")
    assert found.metric == LC
    *others, null = found.rows
    assert [(r.model, r.rank, r.rank_low, r.rank_high) for r in others] == [
        (r.model, r.rank, r.rank_low, r.rank_high) for r in before.rows
    ]
    assert (null.model, null.rank) == ("null", None)
    assert not math.isnan(null.metrics[LC].value)
    ranked = board(headed, "alpaca_eval", rank_suspicious=True)
    assert {row.model: row.rank for row in ranked.rows}["null"] is not None
    assert [row.rank for row in ranked.rows] == [1, 2, 3, 4]


def test_a_headline_without_any_published_calibration_says_what_fits_one(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from judgebench.reports import leaderboard
    from judgebench.reports.boards import benchmark_ref

    def declared(store: Store, name: str) -> Any:
        which = benchmark_ref(store, name)
        return replace(which, report=which.report.model_copy(update={"headline": LC}))

    monkeypatch.setattr(leaderboard, "benchmark_ref", declared)
    found = board(filled)
    assert found.metric == "win_rate"
    assert found.notes[0].endswith(
        "one: no calibration for this judge and baseline (nothing is published of it); "
        f"`judgebench calibrate-length made_up --judge j --baseline {BASELINE}` fits one"
    )
    calibrate_length(filled, "made_up")
    assert board(filled).metric == LC


def test_where_only_a_suspicious_model_has_it_the_plain_rate_ranks(
    store: Store, tmp_path: Path
) -> None:
    take_in(store, tmp_path, benchmark="alpaca_eval", judge=PUBLISHED, models=2, items=60)
    texts = [answer("alpaca_eval", i, BASELINE, int(published_lengths()[i])) for i in range(220)]
    import_responses(store, rows_file(tmp_path / "b.jsonl", texts))
    with_model(store, tmp_path, "null", 0.97, items=220, text="whatever was asked, one text it is")
    found = board(store, "alpaca_eval")
    assert found.metric == "win_rate"
    assert "60 valid verdicts, fewer than 200" in found.notes[0]
    assert found.rows[-1].model == "null"
    assert not math.isnan(found.rows[-1].metrics[LC].value)


def test_the_command_line_and_python_follow_the_same_rule(
    headed: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import judgebench

    url = str(tmp_path / "led.db")
    assert run(["leaderboard", "alpaca_eval", "--format", "json", "--store", url]) == 0
    (found,) = json.loads(capsys.readouterr().out)["boards"]
    assert found["metric"] == next(iter(found["rows"][0]["metrics"])) == LC
    frame = judgebench.leaderboard("alpaca_eval", store=url).to_frame()
    assert frame["metric"].iloc[0] == LC
    assert list(frame["model"].unique()) == [row["model"] for row in found["rows"]]
    plain = judgebench.leaderboard("alpaca_eval", store=url, rank_by="win_rate").to_frame()
    assert plain["metric"].iloc[0] == "win_rate"


# AlpacaEval's own form --------------------------------------------------------------------------

GOLD = Path(__file__).parents[3] / "shared" / "gold" / "alpaca_eval"
HEADER = (
    ",win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,discrete_win_rate,mode,"
    "avg_length,length_controlled_winrate,lc_standard_error"
)


def test_the_published_leaderboard_comes_out_in_its_own_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Published verdicts of five models: the lines of the published file, to all their digits."""
    if not GOLD.is_dir():
        pytest.skip("the gold data (../shared/gold/alpaca_eval beside the repository) is not here")
    names = ["FuseChat-Llama-3.1-8B-Instruct", "claude-2", "gpt35_turbo_instruct", "gpt4_gamed",
             "alpaca-7b"]  # fmt: skip
    frame = pd.read_parquet(GOLD / "annotations.parquet")
    frame = frame[frame["model"].isin(names)]
    base = pd.read_parquet(GOLD / "instructions.parquet")
    texts = [
        {"benchmark": "alpaca_eval", "item_id": str(i), "model": BASELINE, "text": text}
        for i, text in zip(base["index"], base["baseline_output"], strict=True)
    ]
    rows = []
    for one in frame.to_dict("records"):
        about = {"benchmark": "alpaca_eval", "opponent": BASELINE}
        p = one["preference"] - 1.0
        rows.append(verdict(one["index"], one["model"], PUBLISHED, p, **about))
        texts.append(
            {"benchmark": "alpaca_eval", "item_id": str(one["index"]), "model": one["model"],
             "text": one["output_2"]}
        )  # fmt: skip
    url, out = str(tmp_path / "gold.db"), tmp_path / "leaderboard.csv"
    with open_store(url) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        import_responses(store, rows_file(tmp_path / "a.jsonl", texts))
    line = ["leaderboard", "alpaca_eval", "--format", "alpaca-eval", "--store", url]
    assert run([*line, "--output", str(out), "--output", str(tmp_path / "b.json")]) == 0
    written = out.read_text(encoding="utf-8")
    assert capsys.readouterr().out == written
    assert written.splitlines()[0] == HEADER
    assert "boards" in json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    ours = pd.read_csv(out, index_col=0)
    published = pd.read_csv(GOLD / "expected.csv", index_col=0).loc[ours.index]
    assert sorted(ours.index) == sorted(names)
    # As published: by the length-controlled rate.
    assert list(published.sort_values("length_controlled_winrate").index[::-1]) == list(ours.index)
    for name in ("n_wins", "n_wins_base", "n_draws", "n_total"):
        assert list(ours[name]) == list(published[name])
    for name in ("win_rate", "standard_error", "discrete_win_rate"):
        np.testing.assert_allclose(ours[name], published[name], rtol=0, atol=1e-9)
    # Published over all outputs, of which one has no verdict and no answer here.
    lengths = (ours["avg_length"] - published["avg_length"]).drop("gpt35_turbo_instruct")
    assert (lengths == 0).all()
    # AlpacaEval prints two decimals; its solver's tolerance moves the fourth.
    for name in ("win_rate", "standard_error", "length_controlled_winrate"):
        as_printed = [[f"{value:.2f}" for value in one[name]] for one in (ours, published)]
        assert as_printed[0] == as_printed[1]
    controlled = ours["length_controlled_winrate"] - published["length_controlled_winrate"]
    assert controlled.abs().max() < 1e-3
    error = (ours["lc_standard_error"] - published["lc_standard_error"]).dropna()
    assert len(error)
    assert error.abs().max() < 1e-3


def test_the_form_takes_the_fit_that_is_asked_for(
    headed: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["leaderboard", "alpaca_eval", "--format", "alpaca-eval"]
    line += ["--store", str(tmp_path / "led.db")]
    read: dict[str, list[dict[str, str]]] = {}
    for control in ("usual", "compat", "exact", "off"):
        assert run([*line, *(["--length-control", control] if control != "usual" else [])]) == 0
        read[control] = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert read["usual"] == read["compat"]
    exactly = values(board(headed, "alpaca_eval"))
    for row in read["exact"]:
        assert float(row["length_controlled_winrate"]) == pytest.approx(exactly[row[""]])
        assert row["lc_standard_error"] == ""
    assert {row["length_controlled_winrate"] for row in read["off"]} == {""}
    assert all(float(row["lc_standard_error"]) > 0 for row in read["compat"])
