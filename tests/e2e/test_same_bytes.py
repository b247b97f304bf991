"""The same verdicts give the same leaderboard, to the byte, in whatever order they were stored."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import typed
from tests.unit.exchanged import rows_file

FORMS = ("txt", "md", "csv", "json", "html", "tex")
MODELS = ("apo-1200", "base", "dpo-3", "last-week", "sft")
N_ITEMS = 16

COMMANDS = """
import sys
from judgebench.cli.main import run
for line in sys.stdin.read().splitlines():
    if code := run(line.split("\\t")):
        sys.exit(code)
"""


def _verdicts(benchmark: str) -> list[dict[str, Any]]:
    """Labels, scores in parts and comparisons in both orders, with numbers that add up unevenly."""
    draw = random.Random(benchmark)
    rows = []
    for model in MODELS:
        for item in range(N_ITEMS):
            about = {"benchmark": benchmark, "item_id": f"q{item}", "model": model}
            for sample in range(3):
                label = draw.choice(["correct", "incorrect", "correct"])
                rows.append({**about, "sample": sample, "judge": "exact", "kind": "label",
                             "value": label})  # fmt: skip
                for judge in ("rubric", "strict"):
                    score = round(1 + 9 * draw.random(), 3)
                    rows.append({**about, "sample": sample, "judge": judge, "kind": "score",
                                 "low": 1, "high": 10, "value": score})  # fmt: skip
                if model == "last-week":
                    continue
                for order in ("model_first", "opponent_first"):
                    read = draw.random() > 0.05
                    rows.append(
                        {**about, "sample": sample, "judge": "pairs", "opponent": "last-week",
                         "order": order, "kind": "preference" if read else "unreadable",
                         "value": draw.random() if read else "",
                         **({} if read else {"reason": "two verdicts"})}
                    )  # fmt: skip
    return rows


def _answers(benchmark: str) -> list[dict[str, Any]]:
    return [
        {"benchmark": benchmark, "item_id": f"q{item}", "model": model, "sample": sample,
         "text": f"answer {sample} of {model} to {item}" * (1 + item % (2 + at))}
        for at, model in enumerate(MODELS)
        for item in range(N_ITEMS)
        for sample in range(3)
    ]  # fmt: skip


def board_files(folder: Path, order: int) -> Mapping[str, bytes]:
    """Every form of one leaderboard of two benchmarks.

    The second order goes to a process of its own, where sets are in an order of their own.
    """
    folder.mkdir()
    store = f"sqlite:///{folder / 's.db'}"
    commands: list[Sequence[str]] = []
    for benchmark in ("made_up", "made_up_too"):
        for what, rows in (("responses", _answers(benchmark)), ("verdicts", _verdicts(benchmark))):
            random.Random(order).shuffle(rows)
            half = len(rows) // 2
            for part, some in enumerate((rows[:half], rows[half:])):
                file = rows_file(folder / f"{what}-{benchmark}-{part}.jsonl", some)
                commands.append(["import", what, str(file), "--store", store])
    outputs = [word for form in FORMS for word in ("--output", str(folder / f"board.{form}"))]
    commands.append(
        ["leaderboard", "made_up", "made_up_too", "--panel", "mean(rubric,strict)", *outputs,
         "--store", store]
    )  # fmt: skip
    now = {"SOURCE_DATE_EPOCH": "1700000000"}
    if order == 1:
        for words in commands:
            done = typed(*words, environment=now)
            assert done.code == 0, done.err
    else:
        other = subprocess.run(
            [sys.executable, "-c", COMMANDS],
            input="\n".join("\t".join(words) for words in commands),
            env={**os.environ, **now, "PYTHONHASHSEED": str(order)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert other.returncode == 0, other.stderr
    return {form: (folder / f"board.{form}").read_bytes() for form in FORMS}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Mapping[str, bytes]]:
    folder = tmp_path_factory.mktemp("bytes")
    return [board_files(folder / str(order), order) for order in (1, 2)]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_to_the_byte(files: list[Mapping[str, bytes]], form: str) -> None:
    assert files[0][form] == files[1][form]
    assert b"apo" in files[0][form]


def test_it_is_a_whole_board(files: list[Mapping[str, bytes]]) -> None:
    boards = json.loads(files[0]["json"])["boards"]
    metric_of = {"exact": "accuracy", "pairs": "win_rate"} | dict.fromkeys(
        ("rubric", "strict", "panel/mean(rubric,strict)"), "score"
    )
    assert [(board["benchmark"], board["judge"], board["metric"]) for board in boards] == [
        (benchmark, judge, metric_of[judge])
        for benchmark in ("made_up", "made_up_too")
        for judge in ("exact", "pairs", "panel/mean(rubric,strict)", "rubric", "strict")
    ]
    assert all(board["rows"][0]["metrics"][board["metric"]]["low"] for board in boards)
