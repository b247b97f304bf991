"""Several benchmarks at once; which models, which metrics, in which order; and as a frame."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.cli.main import run
from judgebench.errors import UsageError
from judgebench.store.opening import open_store
from tests.e2e.runs import MINI
from tests.unit.exchanged import coded, import_verdicts, label, rows_file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two benchmarks; on one a judge labels and another compares in both orders."""
    folder = tmp_path_factory.mktemp("several")
    rows: list[dict[str, Any]] = [
        *coded("best", "exact", "++++++++--"),
        *coded("middle", "exact", "+++++-----"),
        *coded("worst", "exact", "+---------"),
        *(row | {"benchmark": "other"} for row in coded("worst", "exact", "+++++-")),
        *(row | {"benchmark": "other"} for row in coded("best", "strict", "+-----")),
    ]
    for model, second in (("best", 1.0), ("middle", 0.0)):
        for item in range(10):
            for order, won in (("model_first", 1.0), ("opponent_first", second)):
                rows.append(
                    label(item, model, "pairs", str(won), opponent="base", order=order,
                          kind="preference")
                )  # fmt: skip
    with open_store(str(folder / "s.db")) as opened:
        import_verdicts(opened, rows_file(folder / "v.jsonl", rows))
    return f"sqlite:///{folder / 's.db'}"


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], store: str) -> Any:
    def command(*words: str) -> tuple[int, str, str]:
        code = run(["leaderboard", *words, "--store", store])
        return code, *capsys.readouterr()

    return command


def boards(out: str) -> list[tuple[str, str]]:
    return [(board["benchmark"], board["judge"]) for board in json.loads(out)["boards"]]


def test_several_benchmarks_are_in_one_output_and_one_table(typed: Any) -> None:
    code, out, err = typed("made_up", "other", "--format", "json")
    assert (code, err) == (0, "")
    assert boards(out) == [
        ("made_up", "exact"), ("made_up", "pairs"), ("other", "exact"), ("other", "strict"),
    ]  # fmt: skip
    lines = typed("made_up", "other", "--judge", "exact")[1].splitlines()
    assert lines[0] == "all boards"
    assert [line.split() for line in lines[4:7]] == [
        ["best", "0.800", "[0.490,", "0.943]"],
        ["middle", "0.500", "[0.237,", "0.763]"],
        ["worst", "0.100", "[0.018,", "0.404]", "0.833", "[0.436,", "0.970]"],
    ]
    assert lines[7:9] == [
        "made_up: accuracy, judged by exact", "other: accuracy, judged by exact",
    ]  # fmt: skip
    assert "all boards" not in typed("made_up")[1]


def test_a_judge_need_not_have_judged_all_of_them(typed: Any) -> None:
    asked = ("--judge", "strict", "--judge", "pairs")
    assert boards(typed("made_up", "other", *asked, "--format", "json")[1]) == [
        ("made_up", "pairs"), ("other", "strict"),
    ]  # fmt: skip
    code, out, err = typed("made_up", "other", "--judge", "strict", "--format", "json")
    assert (code, boards(out)) == (0, [("other", "strict")])
    assert err == "made_up has no board of these judges\n"
    code, out, err = typed("made_up", "other", "--judge", "strct")
    assert (code, out) == (64, "")
    assert "no judge called 'strct'" in err


def test_a_model_is_shown_alone_with_its_rank_among_all(typed: Any) -> None:
    out = typed("made_up", "--judge", "exact", "--model", "worst", "--format", "json")[1]
    (board,) = json.loads(out)["boards"]
    assert [(row["model"], row["rank"]) for row in board["rows"]] == [("worst", 3)]
    assert board["notes"] == ["1 of 3 models; ranks are among all"]
    by_id = board["rows"][0]["model_id"]
    again = typed("made_up", "--judge", "exact", "--model", by_id, "--format", "json")[1]
    assert again == out
    two = ("--model", "worst", "--model", "best")
    assert boards(typed("made_up", *two, "--format", "json")[1]) == [
        ("made_up", "exact"), ("made_up", "pairs"),
    ]  # fmt: skip
    assert "no model called 'wrst'; did you mean 'worst'" in typed("made_up", "--model", "wrst")[2]


def test_columns_are_chosen_and_ordered_in_every_form(typed: Any) -> None:
    asked = ("made_up", "--columns", "order_flips, win_rate")
    (board,) = json.loads(typed(*asked, "--format", "json")[1])["boards"]
    assert board["judge"] == "pairs"  # the other has neither
    assert [list(row["metrics"]) for row in board["rows"]] == [["order_flips", "win_rate"]] * 2
    rows = [line.split(",") for line in typed(*asked, "--format", "csv")[1].splitlines()]
    assert [row[rows[0].index("metric")] for row in rows[1:]] == ["order_flips", "win_rate"] * 2
    head = typed(*asked)[1].splitlines()[2]
    assert head.split("  ")[0] == "rank"
    assert head.index("order flips %") < head.index("win rate %")
    assert "discrete" not in head
    code, _, err = typed("made_up", "--columns", "winrate")
    assert code == 64
    assert "no metric called 'winrate'; did you mean 'win_rate'" in err


@pytest.mark.parametrize(
    ("sort", "models"),
    [
        ("accuracy", ["best", "middle", "worst"]),
        ("-accuracy", ["worst", "middle", "best"]),
        ("model", ["best", "middle", "worst"]),
        ("-model", ["worst", "middle", "best"]),
    ],
)
def test_rows_are_sorted(typed: Any, sort: str, models: list[str]) -> None:
    out = typed("made_up", "--judge", "exact", "--sort", sort, "--format", "json")[1]
    assert [row["model"] for row in json.loads(out)["boards"][0]["rows"]] == models


def test_what_cannot_be_shown_together_is_said(typed: Any) -> None:
    code, _, err = typed("made_up", "--model", "worst", "--columns", "win_rate")
    assert (code, err) == (64, "error: no board has win_rate of worst\n")
    code, _, err = typed("made_up", "other", "--published")
    assert (code, err) == (64, "error: --published takes one benchmark at a time\n")


def test_groups_come_along_with_chosen_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    assert run(["import", "responses", str(MINI / "answers.jsonl"), "--store", url]) == 0
    assert run(["import", "labels", str(MINI / "labels.jsonl"), "--store", url]) == 0
    capsys.readouterr()
    asked = ["trivia_judging_mini", "--by", "category", "--columns", "accuracy"]
    assert run(["leaderboard", *asked, "--format", "json", "--store", url]) == 0
    row = json.loads(capsys.readouterr().out)["boards"][0]["rows"][0]
    first, *groups = row["metrics"]
    assert first == "accuracy"
    assert groups
    assert all(name.startswith("accuracy/") for name in groups)


# the frame ---------------------------------------------------------------------------------------


def test_the_frame_is_what_csv_says(store: str, typed: Any, tmp_path: Path) -> None:
    import pandas as pd

    frame = judgebench.leaderboard(["made_up", "other"], store=store).to_frame()
    typed("made_up", "other", "--output", str(tmp_path / "b.csv"))
    written = pd.read_csv(tmp_path / "b.csv")
    assert list(frame.columns) == list(written.columns)
    assert list(frame["metric"]) == list(written["metric"])
    assert list(frame["value"]) == pytest.approx(list(written["value"]), nan_ok=True)
    assert str(frame["n_wins"].dtype) == "Int64"  # boards of labels have none


def test_one_metric_is_one_row_a_model(store: str) -> None:
    frame = judgebench.leaderboard(
        ["made_up", "other"], store=store, judges="exact", metrics="accuracy", level=0.9
    ).to_frame()
    wide = frame.pivot(index="model", columns="benchmark", values="value")
    assert wide.loc["worst"].to_dict() == {"made_up": 0.1, "other": pytest.approx(5 / 6)}
    assert set(frame["level"]) == {0.9}
    alone = judgebench.leaderboard(
        "made_up", store=store, models=["middle"], metrics=["order_flips", "win_rate"]
    ).to_frame()
    assert list(alone["metric"]) == ["order_flips", "win_rate"]
    assert list(alone["value"]) == [100.0, 50.0]


def test_an_open_store_stays_open_and_names_are_checked(store: str) -> None:
    with judgebench.open_store(store) as opened:
        for name in ("made_up", "other"):
            assert not judgebench.leaderboard(name, store=opened).to_frame().empty
        with pytest.raises(UsageError, match="did you mean 'made_up'"):
            judgebench.leaderboard("madeup", store=opened)
        with pytest.raises(UsageError, match="no model called 'nobody'"):
            judgebench.leaderboard("made_up", store=opened, models="nobody")


def test_the_package_has_it_without_loading_anything_heavy() -> None:
    code = (
        "import judgebench, sys; assert 'leaderboard' in judgebench.__all__\n"
        "print({'numpy', 'pandas', 'judgebench.api'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
