"""Logs of lm-eval and Inspect through the command line: the figures that were printed, again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import ROOT, typed
from tests.unit.evaluated import (
    inspect_eval,
    inspect_sample,
    lm_eval_line,
    lm_eval_results,
    lm_eval_run,
)
from tests.warm import Warm

TASKS = {
    "short": """
        output_type: generate_until
        doc_to_text: "Question: {{question}}\\nAnswer:"
        doc_to_target: "{{answer}}"
        repeats: 3
        generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: true, temperature: 0.7}
        filter_list:
          - {name: first, filter: [{function: take_first}]}
          - {name: vote, filter: [{function: majority_vote}, {function: take_first}]}
        metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
    """,
    "choice": """
        output_type: multiple_choice
        doc_to_text: "Question: {{question}}\\nAnswer:"
        doc_to_target: gold
        doc_to_choice: choices
        metric_list: [{metric: acc}, {metric: acc_norm}]
    """,
    "shares": """
        output_type: generate_until
        doc_to_text: question
        doc_to_target: answer
        process_results: !function utils.shares
        generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
        metric_list: [{metric: overlap, aggregation: mean, higher_is_better: true}]
    """,
}
COMMON = """
task: {name}
custom_dataset: !function utils.load
test_split: test
num_fewshot: 0
metadata: {{version: 3}}
"""
UTILS = """
import datasets

WORDS = ["red", "green", "blue"]


def load(**kwargs):
    docs = [
        {
            "id": f"q{i}",
            "question": f"Which colour has thing {i}?",
            "answer": WORDS[i % 3],
            "choices": WORDS,
            "gold": i % 3,
        }
        for i in range(40)
    ]
    return {"test": datasets.Dataset.from_list(docs)}


def shares(doc, results):
    return {"overlap": len(set(results[0]) & set(doc["answer"])) / len(doc["answer"])}
"""


def imported(folder: Path, *arguments: str) -> str:
    done = typed("import", *arguments, "--store", f"sqlite:///{folder / 's.db'}")
    assert done.code == 0, done.err
    return done.err


def leading(folder: Path, benchmark: str) -> dict[str, dict[str, Any]]:
    """By judge, the metrics of the only model."""
    done = typed(
        "leaderboard", benchmark, "--format", "json", "--store", f"sqlite:///{folder / 's.db'}"
    )
    assert done.code == 0, done.err
    boards = json.loads(done.out)["boards"]
    return {board["judge"]: board["rows"][0]["metrics"] for board in boards}


@pytest.mark.slow
def test_boards_show_what_lm_eval_printed(tmp_path: Path, warm: Warm) -> None:
    tasks, out = tmp_path / "tasks", tmp_path / "out"
    tasks.mkdir()
    for name, said in TASKS.items():
        own = "\n".join(line.removeprefix(" " * 8) for line in said.splitlines())
        (tasks / f"{name}.yaml").write_text(COMMON.format(name=name) + own)
    (tasks / "utils.py").write_text(UTILS)
    job = {"out": str(out), "tasks": list(TASKS), "tasks_folder": str(tasks)}
    done = subprocess.run(
        [warm.executable, "-m", "tests.e2e.lm_eval_by_chance"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]

    first = imported(tmp_path, "lm-eval", str(out))
    answers, verdicts = 40 * 3 + 40, 40 * (2 + 2 + 1)
    assert f"{answers + verdicts} new, 0 known already" in first
    assert "warning" not in first
    assert "0 new" in imported(tmp_path, "lm-eval", str(out))

    [printed] = [json.loads(path.read_text()) for path in out.rglob("results_*.json")]
    for task in TASKS:
        said = {
            f"lm-eval/{name}": value
            for name, value in printed["results"][task].items()
            if "," in name and "_stderr" not in name
        }
        ours = leading(tmp_path, f"{task}@3")
        assert set(ours) == set(said)
        for judge, value in said.items():
            metric = "score" if task == "shares" else "accuracy"
            assert 0 < value < 1
            assert ours[judge][metric]["value"] == pytest.approx(value, abs=1e-9)


def test_two_nights_of_one_path_are_two_rows(tmp_path: Path) -> None:
    for day, wrong in ((1, 3), (2, 4)):
        lines = [lm_eval_line(i, right=bool(i % wrong), text=f"{i % wrong}") for i in range(12)]
        printed = {"exact_match,none": 1 - len(range(0, 12, wrong)) / 12}
        results = lm_eval_results(12, results={"made_up": printed})
        when = f"2026-01-0{day}T00-00-00.5"
        lm_eval_run(tmp_path / "nights" / str(day), lines, results, when=when)
    said = imported(tmp_path, "lm-eval", str(tmp_path / "nights"))
    assert said.count("24 answers and verdicts, 24 new") == 2
    done = typed("leaderboard", "made_up", "--store", f"sqlite:///{tmp_path / 's.db'}")
    assert done.out.count("org/tiny@") == 2
    runs = typed("runs", "list", "--store", f"sqlite:///{tmp_path / 's.db'}")
    assert "import lm-eval 2026-01-01T00-00-00.5" in runs.out


def test_a_log_of_inspects_is_on_the_board(tmp_path: Path) -> None:
    log = inspect_eval(tmp_path / "log.eval", [inspect_sample(i) for i in range(4)])
    assert "8 answers and verdicts, 8 new" in imported(tmp_path, "inspect", str(log))
    assert "8 answers and verdicts, 0 new" in imported(tmp_path, "inspect", str(tmp_path))
    assert leading(tmp_path, "made_up")["inspect/match"]["accuracy"]["value"] == 0.5


def test_nothing_is_stored_of_what_is_refused(tmp_path: Path) -> None:
    good = lm_eval_run(tmp_path / "a", [lm_eval_line(0)], task="a")
    bad = lm_eval_run(tmp_path / "b", [lm_eval_line(0), {"doc_id": 1}], task="b")
    store = tmp_path / "s.db"
    done = typed("import", "lm-eval", str(good), str(bad), "--store", f"sqlite:///{store}")
    assert (done.code, store.exists()) == (65, False)
    assert f"{bad}:2: doc: is missing" in done.err


@pytest.mark.parametrize("what", ["lm-eval", "inspect"])
def test_options_of_other_formats_are_refused(tmp_path: Path, what: str) -> None:
    done = typed("import", what, str(tmp_path), "--judge", "j")
    assert done.code == 64
    assert "say who scored them" in done.err
