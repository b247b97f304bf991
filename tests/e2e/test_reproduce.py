"""``judgebench reproduce``: published tables come out of the figures; what differs is said."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from judgebench.cli.main import run
from judgebench.metrics.intervals import Intervals
from judgebench.reports.reproduce import TABLES, reproduce

TASKS = Path(__file__).parents[2] / "tasks"
FEW = ("claude-2", "gpt35_turbo_instruct", "gpt4_1106_preview", "text_davinci_003")
LC = "length_controlled_win_rate"
KAPPA_PRINTED = "cohen_kappa/paper"

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    def command(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Figures of both tables that a test may change, of AlpacaEval those of four models."""
    for name in ("alpaca_eval", "trivia_judging"):
        shutil.copytree(TASKS / name / "figures", tmp_path / name / "figures")
    verdicts = tmp_path / "alpaca_eval" / "figures" / "verdicts.parquet"
    rows = [row for row in parquet.read_table(verdicts).to_pylist() if row["model"] in FEW]
    parquet.write_table(pa.Table.from_pylist(rows), verdicts)
    return tmp_path


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    """AlpacaEval's table as JSON."""
    found = reproduce(["alpaca_eval"], intervals=Intervals(n_replicates=200))
    (table,) = json.loads(json.dumps(found.to_dict(), allow_nan=False))["tables"]
    assert isinstance(table, dict)
    return table


def figure(table: dict[str, Any], who: str, metric: str, scope: str = "") -> dict[str, Any]:
    (found,) = [
        f for f in table["figures"] if (f["who"], f["metric"], f["scope"]) == (who, metric, scope)
    ]
    assert isinstance(found, dict)
    return found


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def change_row(path: Path, place: int, **values: Any) -> None:
    rows = parquet.read_table(path).to_pylist()
    rows[place] |= values
    parquet.write_table(pa.Table.from_pylist(rows), path)


# AlpacaEval -------------------------------------------------------------------------------------


def test_every_published_figure_of_alpaca_eval(board: dict[str, Any]) -> None:
    summary = {row["metric"]: row for row in board["summary"]}
    for metric in ("win_rate", "discrete_win_rate", "standard_error"):
        assert (summary[metric]["compared"], summary[metric]["agree"]) == (28, 28)
        assert summary[metric]["tolerance"] == 1e-9
    for metric in ("n_wins", "n_losses", "n_ties", "n_total"):
        assert (summary[metric]["compared"], summary[metric]["agree"]) == (28, 28)
        assert summary[metric]["tolerance"] == summary[metric]["largest_difference"] == 0
    at_published_c = summary[f"{LC}/compat"]
    assert (at_published_c["compared"], at_published_c["agree"]) == (28, 28)
    assert at_published_c["largest_difference"] <= at_published_c["tolerance"] == 1e-3
    assert summary[f"{LC}/published_coefficients"]["largest_difference"] < 1e-9
    for solver in ("exact_by_row", "exact_at_published_c"):
        assert summary[f"{LC}/{solver}"]["agree"] == 29
        assert summary[f"{LC}/{solver}"]["tolerance"] == 1e-6


def test_what_differs_has_its_reason(board: dict[str, Any]) -> None:
    """The steps from the published value to ours are named, and add up."""
    apart = [f for f in board["figures"] if f["agrees"] is False]
    assert apart
    assert all(f["because"] for f in apart)
    assert {f["metric"] for f in apart} == {LC, "avg_length"}
    for f in board["figures"]:
        if f["metric"] == LC and f["because"] and f["theirs"] is not None:
            steps = [float(x) for x in re.findall(r"[+-]\d+\.\d{3}", f["because"])]
            assert sum(steps) == pytest.approx(f["difference"], abs=4e-3), f
    misaligned = figure(board, "gpt35_turbo_instruct", LC)
    assert misaligned["difference"] == pytest.approx(14.960534 - 17.727801, abs=1e-5)
    assert "difficulty by instruction, rows that lack: 1, -2.768" in misaligned["because"]
    other_c = figure(board, "gpt4_gamed", LC)
    assert "c 5 instead of 7" in other_c["because"]
    not_there = figure(board, "text_davinci_003", LC)
    assert (not_there["theirs"], not_there["agrees"]) == (None, None)
    assert not_there["because"] == "not on the published leaderboard"


def test_intervals_are_wider_than_the_published_error(board: dict[str, Any]) -> None:
    for who in ("claude-2", "alpaca-7b", "gpt4_gamed"):
        ours = figure(board, who, LC)["ours"]
        assert ours["low"] < ours["value"] < ours["high"]
        assert "bootstrap over items, 200 replicates" in ours["method"]
    published = figure(board, "FuseChat-Llama-3.1-8B-Instruct", "lc_standard_error/compat")
    assert published["agrees"]
    ours = figure(board, "FuseChat-Llama-3.1-8B-Instruct", LC)["ours"]
    assert ours["high"] - ours["low"] > 1.8 * 2 * 1.96 * published["theirs"]
    (note,) = [note for note in board["notes"] if "lc_standard_error" in note]
    assert re.search(r"1\.\d to [45]\.\d times as large \(median \d\.\d, 28 models\)", note)


def test_as_it_is_typed(typed: Typed, tasks: Path, tmp_path: Path) -> None:
    written = tmp_path / "out.csv"
    code, out, err = typed("reproduce", "alpaca_eval", "--tasks", tasks, "--output", written)
    assert code == 0
    assert err == f"written: {written}\n"
    assert "alpaca_eval: win rate, %" in out
    assert re.search(r"gpt35_turbo_instruct +14\.9\d\d \[.*\] +17\.728 +-2\.767 +no +fit", out)
    assert "CC BY-NC 4.0" in out
    rows = list(csv.DictReader(io.StringIO(written.read_text(encoding="utf-8"))))
    assert {row["who"] for row in rows} == set(FEW)
    assert {row["agrees"] for row in rows} == {"True", "False", ""}
    assert typed("reproduce", "alpaca-eval", "--tasks", tasks)[0] == 64


def test_every_table_is_named_in_the_help(typed: Typed) -> None:
    code, out, _ = typed("reproduce", "--help")
    assert code == 0
    assert set(re.findall(r"(?m)^ {4}(\w+)  ", out)) == set(TABLES)


def test_another_verdict_is_noticed(typed: Typed, tasks: Path) -> None:
    """A changed verdict or published number: still 0, and the figure does not agree."""
    folder = tasks / "alpaca_eval" / "figures"
    change_row(folder / "verdicts.parquet", 0, preference=2.0)
    code, out, _ = typed("reproduce", "alpaca_eval", "--tasks", tasks, "--format", "json")
    assert code == 0
    (table,) = json.loads(out)["tables"]
    assert figure(table, "claude-2", "win_rate")["agrees"] is False
    assert figure(table, "claude-2", "n_wins")["difference"] == 1
    assert figure(table, "gpt35_turbo_instruct", "win_rate")["agrees"] is True
    code, out, _ = typed("reproduce", "alpaca_eval", "--tasks", tasks)
    assert code == 0
    assert "claude-2: n_wins: ours 132, theirs 131" in out


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"preference": 2.5}, "verdicts.parquet: row 3: preference: between 1 and 2, not 2.5"),
        ({"preference": None}, "verdicts.parquet: row 3: preference: is missing"),
        ({"index": 805}, "verdicts.parquet: row 3: index: there are 805 instructions"),
        ({"index": 0}, "claude-2: two rows of one instruction"),
        ({"length": -1}, "verdicts.parquet: row 3: length: a whole number from 0"),
    ],
)
def test_bad_figures_are_named(typed: Typed, tasks: Path, values: dict[str, Any], said: str):
    change_row(tasks / "alpaca_eval" / "figures" / "verdicts.parquet", 2, **values)
    code, out, err = typed("reproduce", "alpaca_eval", "--tasks", tasks)
    assert (code, out) == (65, "")
    assert said in err


def test_a_strength_that_is_none_of_the_ten(typed: Typed, tasks: Path) -> None:
    path = tasks / "alpaca_eval" / "figures" / "published.csv"
    text = path.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("claude-2,")]
    change(path, line, re.sub(r",5,(?=[^,]*,[^,]*,[^,]*$)", ",10,", line))
    code, _, err = typed("reproduce", "alpaca_eval", "--tasks", tasks)
    assert code == 65
    assert "c_index: one of 0 to 9, not 10" in err


def test_a_model_with_few_verdicts_has_no_exact_value(typed: Typed, tasks: Path) -> None:
    path = tasks / "alpaca_eval" / "figures" / "verdicts.parquet"
    rows = parquet.read_table(path).to_pylist()
    few = [row for row in rows if row["model"] == "claude-2" and row["row"] < 50]
    parquet.write_table(pa.Table.from_pylist(few), path)
    code, out, _ = typed("reproduce", "alpaca_eval", "--tasks", tasks, "--format", "json")
    assert code == 0
    (table,) = json.loads(out)["tables"]
    ours = figure(table, "claude-2", LC)
    assert (ours["ours"]["value"], ours["agrees"]) == (None, False)
    assert ours["ours"]["undefined"] == "50 valid verdicts, fewer than 200"
    assert not [note for note in table["notes"] if "lc_standard_error" in note]
    assert typed("reproduce", "alpaca_eval", "--tasks", tasks)[0] == 0


def test_without_the_figures(typed: Typed, tmp_path: Path) -> None:
    """As in an installed package: it says where they are."""
    code, out, err = typed("reproduce", "--tasks", tmp_path)
    assert (code, out) == (65, "")
    assert str(tmp_path / "alpaca_eval" / "figures") in err
    assert "not in an installed package" in err
    assert "--tasks CLONE/tasks" in err


def test_a_table_that_is_not_known(typed: Typed) -> None:
    code, _, err = typed("reproduce", "alpaca_evil")
    assert code == 64
    assert "did you mean 'alpaca_eval'?" in err
    assert typed("reproduce", "trivia_judging", "--output", "x.doc")[0] == 64


# Judging the Judges -----------------------------------------------------------------------------


def test_every_figure_of_trivia_judging(typed: Typed) -> None:
    code, out, err = typed("reproduce", "trivia_judging", "--format", "json")
    assert (code, err) == (0, "")
    (table,) = json.loads(out)["tables"]
    summary = {row["metric"]: row for row in table["summary"]}
    for metric in ("agreement", "cohen_kappa", "scott_pi", "p_c", "p_plus", "score_delta"):
        assert summary[metric]["compared"] == summary[metric]["agree"] == 11 * 11
        assert summary[metric]["largest_difference"] < 1e-12
    apart = {(f["who"], f["metric"]) for f in table["figures"] if f["agrees"] is False}
    assert apart == {(who, KAPPA_PRINTED) for who in ("GPT-4", "Contains", "Llama-7B")}
    damaged = figure(table, "GPT-4", KAPPA_PRINTED, "macro")
    assert damaged["because"] == "damaged verdicts on llama2-13b-chat; 83.37 without them"
    assert summary[KAPPA_PRINTED]["agree"] == 8


def test_intervals_at_another_level_are_not_compared(typed: Typed) -> None:
    code, out, _ = typed("reproduce", "trivia_judging", "--format", "json", "--level", "0.8")
    assert code == 0
    (table,) = json.loads(out)["tables"]
    assert not [row for row in table["summary"] if row["metric"].endswith(("/low", "/high"))]
    assert "intervals elsewhere are at 0.95: their ends are not compared" in table["notes"]


def test_bad_files_of_trivia_judging(typed: Typed, tasks: Path) -> None:
    folder = tasks / "trivia_judging" / "figures"
    change(folder / "verdicts.csv", "gpt-4t,2,1,", "gpt-4t,2,7,")
    code, _, err = typed("reproduce", "trivia_judging", "--tasks", tasks)
    assert code == 65
    assert "verdicts.csv:4: Gemma-2B: 0, 1 or nothing, not '7'" in err
    for text, said in (("{", "is not JSON"), ("[]", "source: is missing")):
        (folder / "expected.json").write_text(text, encoding="utf-8")
        code, _, err = typed("reproduce", "trivia_judging", "--tasks", tasks)
        assert code == 65
        assert said in err
