"""A task of lm-eval in a suite: asked as lm-eval asks, its own metrics beside other judges."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

import judgebench
from judgebench import registry
from judgebench.benchmarks.own_prompts import task_benchmarks
from judgebench.cli.main import run
from judgebench.config import BenchmarkConfig
from judgebench.responses.local import AnswerChunk, LmEvalWorker, LocalModel, Task
from tests.tiny_models import letters
from tests.warm import Warm

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="needs the extra hf"),
]

YAML = """
task: sums
custom_dataset: !function utils.load
test_split: test
fewshot_split: train
output_type: generate_until
description: "Add up.\\n"
doc_to_text: "Q: {{question}}\\nA:"
doc_to_target: "{{answer}}"
num_fewshot: 2
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
filter_list:
  - name: strict
    filter: [{function: take_first}]
  - name: number
    filter: [{function: regex, regex_pattern: "(\\\\d+)"}, {function: take_first}]
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
  - {metric: bleu}
metadata: {version: 2.0}
"""
UTILS = """
import datasets

def load(**kwargs):
    rows = [{"question": f"{n} + {n}", "answer": str(n + n), "subject": "even"} for n in range(12)]
    split = datasets.Dataset.from_list
    return {"test": split(rows[:6]), "train": split(rows[6:])}
"""
CHOICE = """
task: even
tag: number_tasks
custom_dataset: !function utils.load
test_split: test
output_type: multiple_choice
doc_to_text: "Is {{answer}} even?"
doc_to_choice: [" yes", " no, it is not"]
doc_to_target: "{{answer | int % 4 // 2}}"
metric_list: [{metric: acc}, {metric: acc_mutual_info}, {metric: brier_score}]
metadata: {version: 3.0}
"""
ENDING = """
task: ending
tag: [number_tasks]
custom_dataset: !function utils.load
test_split: test
output_type: loglikelihood
doc_to_text: "{{question}} is"
doc_to_target: " {{answer}}"
metric_list: [{metric: acc}]
metadata: {version: 1.0}
"""
GROUP = """
group: numbers
task: [even, {group: endings, task: [ending], aggregate_metric_list: {metric: acc}}]
aggregate_metric_list:
  - {metric: acc, weight_by_size: false}
  - {metric: brier_score}
"""
ANSWERS = ["0", "it is 2", "4", "five", "", "10"]


@pytest.fixture(autouse=True)
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the task ``sums``, of six questions."""
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    folder = tmp_path / "theirs" / "sums"
    folder.mkdir(parents=True)
    (folder / "sums.yaml").write_text(YAML)
    (folder / "utils.py").write_text(UTILS)
    (folder / "even.yaml").write_text(CHOICE)
    (folder / "ending.yaml").write_text(ENDING)
    (folder / "group.yaml").write_text(GROUP)
    (folder / "both.yaml").write_text("group: both\ntask: [even, sums]\n")
    (folder / "own_way.yaml").write_text("group: own_way\ntask: [{task: even, num_fewshot: 2}]\n")
    return folder.parent


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Workers that were started."""
    found: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def started(*words: Any, **named: Any) -> subprocess.Popen[bytes]:
        found.append(start(*words, **named))
        return found[-1]

    monkeypatch.setattr("judgebench.workers.process.subprocess.Popen", started)
    return found


def workers(processes: list[subprocess.Popen[bytes]]) -> Counter[str]:
    """How often each module was started; all have ended."""
    found: Counter[str] = Counter()
    for one in processes:
        _, _, module, *_ = *map(str, cast("list[str]", one.args)), ""
        if module.startswith("judgebench.workers."):
            assert one.poll() is not None
            found[module.rpartition(".")[2]] += 1
    return found


def suite(folder: Path, model: dict[str, Any], **section: Any) -> Path:
    written = {
        "name": "s",
        "include_path": "theirs",
        "models": [{"name": "m", **model}],
        "benchmarks": [{"lm_eval_task": "sums", **section}],
    }
    file = folder / "suite.yaml"
    file.write_text(json.dumps(written))
    return file


def recorded(folder: Path, *tasks: str) -> dict[str, Any]:
    rows = [
        {"benchmark": task, "item_id": str(n), "model": "m", "text": text}
        for task in tasks or ["sums"]
        for n, text in enumerate(ANSWERS)
    ]
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"responses": "m.jsonl"}


def boards(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run([*words, "--format", "json"]) == 0, capsys.readouterr().err
    return {board["judge"]: board for board in json.loads(capsys.readouterr().out)["boards"]}


def test_recorded_answers_are_judged_by_the_tasks_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = suite(tmp_path, recorded(tmp_path)), f"sqlite:///{tmp_path}/s.db"
    found = boards(capsys, "run", str(file), "--store", store)
    # exact_match knows no number in words, and only the filter takes one out of a sentence.
    assert {
        judge: board["rows"][0]["metrics"]["score"]["value"] for judge, board in found.items()
    } == {
        "lm_eval/exact_match": pytest.approx(3 / 6),
        "lm_eval/exact_match,number": pytest.approx(4 / 6),
    }
    again = boards(capsys, "run", str(file), "--store", store)
    assert again.keys() == found.keys()
    judged = ["contains", "lm_eval/exact_match"]
    beside = boards(
        capsys, "run", str(suite(tmp_path, recorded(tmp_path), judges=judged)), "--store", store
    )
    assert set(beside) == set(judged)
    assert beside["contains"]["version"] == found["lm_eval/exact_match"]["version"]
    shown = boards(capsys, "leaderboard", "sums", "--store", store, "--by", "category")
    assert "score/even" in shown["lm_eval/exact_match"]["rows"][0]["metrics"]


def test_one_process_serves_all_tasks_and_metrics_of_a_run(
    tmp_path: Path,
    tasks: Path,
    capsys: pytest.CaptureFixture[str],
    processes: list[subprocess.Popen[bytes]],
) -> None:
    three = ["sums", "sums_b", "sums_c"]
    for name in three[1:]:
        (tasks / "sums" / f"{name}.yaml").write_text(YAML.replace("task: sums", f"task: {name}"))
    (tasks / "sums" / "three.yaml").write_text(f"group: three\ntask: [{', '.join(three)}]\n")
    file = suite(tmp_path, recorded(tmp_path, *three), lm_eval_task="three")
    store = f"sqlite:///{tmp_path}/s.db"
    assert run(["run", str(file), "--store", store]) == 0, capsys.readouterr().err
    assert workers(processes) == {"lm_eval_task": 1}
    capsys.readouterr()
    for name in three:
        found = boards(capsys, "leaderboard", name, "--store", store)
        assert {
            judge: board["rows"][0]["metrics"]["score"]["value"] for judge, board in found.items()
        } == {
            "lm_eval/exact_match": pytest.approx(3 / 6),
            "lm_eval/exact_match,number": pytest.approx(4 / 6),
        }


@pytest.mark.hf
def test_models_are_asked_and_scored_as_by_lm_eval_itself(
    tmp_path: Path,
    tasks: Path,
    warm: Warm,
    capsys: pytest.CaptureFixture[str],
    processes: list[subprocess.Popen[bytes]],
) -> None:
    tiny = letters(warm, tmp_path / "tiny", positions=256)
    own = tiny / "generation_config.json"  # lm-eval lets it win over the task's max_gen_toks
    own.write_text(json.dumps({**json.loads(own.read_text()), "max_new_tokens": None}))
    chat = {"apply_chat_template": True, "fewshot_as_multiturn": True}  # as its command line does
    no_chat = dict.fromkeys(chat, False)
    jobs = {
        "m": {"tasks": ["sums", "numbers"], **chat},
        "plain": {"tasks": ["sums"], **no_chat},
    }
    said = warm.run("tests.e2e.by_lm_eval", "scored", tiny, tasks, *map(json.dumps, jobs.values()))
    by_lm_eval = dict(zip(jobs, json.loads(said.splitlines()[-1]), strict=True))
    section = {
        "model": "hf",
        "model_args": {"pretrained": str(tiny), "dtype": "float32"},
        "batch_size": 2,
        "device": "cpu",
    }
    plain = {**section, **no_chat}
    file, store = suite(tmp_path, {"lm_eval": {**section, **chat}}), f"sqlite:///{tmp_path}/s.db"
    written = json.loads(file.read_text())
    written["models"].append({"name": "plain", "lm_eval": plain})
    written["benchmarks"].append({"lm_eval_task": "numbers"})  # a group, with one in it
    file.write_text(json.dumps(written))
    assert run(["run", str(file), "--store", store]) == 0, capsys.readouterr().err
    assert workers(processes) == {"lm_eval_task": 1, "generate": 2}
    said_of_run, err = capsys.readouterr()
    assert "sums: bleu of lm-eval are computed over all answers together, and judge none" in err
    figures = {
        "sums": {"exact_match": "exact_match,strict", "exact_match,number": "exact_match,number"},
        "even": {"acc": "acc,none", "acc_mutual_info": "acc_mutual_info,none"},
        "ending": {"acc": "acc,none"},
    }
    found = {task: boards(capsys, "leaderboard", task, "--store", store) for task in figures}
    with judgebench.open_store(store) as opened:
        answers = {task: opened.responses(task).to_dict("records") for task in ("sums", "even")}
    for name, (theirs, samples) in by_lm_eval.items():
        for task in theirs.keys() & figures.keys():
            metrics = figures[task]
            assert set(found[task]) == {f"lm_eval/{one}" for one in metrics}  # no bleu, brier_score
            for metric, called in metrics.items():
                rows = found[task][f"lm_eval/{metric}"]["rows"]
                (its,) = (row["metrics"] for row in rows if row["model"] == name)
                assert its["score"]["value"] == pytest.approx(theirs[task][called], abs=1e-12)
                error = theirs[task][called.replace(",", "_stderr,")]
                assert its["stderr"]["value"] == pytest.approx(error, rel=1e-9)
        asked = {
            str(row["doc_id"]): (row["arguments"][0][0], row["resps"][0][0])
            for row in samples["sums"]
        }
        its = [row for row in answers["sums"] if row["model"] == name]
        assert {row["item_id"]: row["text"] for row in its} == {
            i: text.strip() for i, (_, text) in asked.items()
        }
    told = {str(row["doc_id"]): row["resps"] for row in by_lm_eval["m"][1]["even"]}
    for row in (row for row in answers["even"] if row["model"] == "m"):
        for (_, value, greedy), (pair,) in zip(
            json.loads(row["text"]), told[row["item_id"]], strict=True
        ):
            assert [value, greedy] == [pytest.approx(pair[0], abs=1e-4), pair[1]]
    (board,) = boards(capsys, "leaderboard", "numbers", "--store", store).values()
    values = {row["model"]: row["metrics"]["score"] for row in board["rows"]}
    whole = by_lm_eval["m"][0]["numbers"]["acc,none"]
    assert values["m"]["value"] == pytest.approx(whole, abs=1e-12)
    assert values["m"]["low"] <= whole <= values["m"]["high"]
    assert (values["m"]["units"], values["plain"]["units"]) == (12, 12)
    assert f"numbers@{board['version']}, judged by lm_eval/acc" in said_of_run
    rows = found["even"]["lm_eval/acc"]["rows"]
    shares = {row["model"]: row["metrics"]["score"]["value"] for row in rows}
    compared = judgebench.compare("m", "plain", benchmarks="even", store=store)
    gated = judgebench.gate(candidate="m", baseline="plain", max_drop=0.5, store=store)
    for report in (compared, gated):
        test = next(
            one for one in report.tests if (one.benchmark, one.judge) == ("even", "lm_eval/acc")
        )
        assert (test.candidate_value, test.baseline_value) == (shares["m"], shares["plain"])
        assert test.difference.units == 6
    assert (compared.verdict, gated.verdict) == ("undecided", "inconclusive")  # of six items
    registry.include([tasks])
    ((_, benchmark),) = task_benchmarks(BenchmarkConfig(name="sums", lm_eval_task="sums"))
    task = Task(task=benchmark.lm_eval_task, items=benchmark.data.items[2:], model_key=b"k" * 32)
    with LmEvalWorker(LocalModel(**plain), [task], seed=1) as worker:
        worker.start()
        events = list(worker.generate({"sums": [("3", 0), ("5", 0)]}))
    # What is missing draws the examples that it would have drawn among all.
    assert {
        one.item_id: one.prompt
        for event in events
        if isinstance(event, AnswerChunk)
        for one in event.responses
    } == {id_: asked[id_][0] for id_ in ("3", "5")}
    assert {i.id: i.prompt for i in benchmark.data.items} == {i: p for i, (p, _) in asked.items()}


@pytest.mark.parametrize(
    ("change", "section", "said"),
    [
        ("", {"lm_eval_task": "sumz"}, "no lm-eval task called 'sumz'; did you mean 'sums'?"),
        ("", {"lm_eval_task": "gsm8kk"}, "no lm-eval task called 'gsm8kk'; did you mean 'gsm8k'?"),
        ("", {"lm_eval_task": "numbers", "name": "x"}, "(even, ending): leave out 'name'"),
        ("", {"lm_eval_task": "own_way"}, "asks its task even in a way of its own (num_fewshot)"),
        ("", {"lm_eval_task": "number_tasks"}, "ending asks how likely each of its texts is"),
        ("", {"lm_eval_task": "even", "judges": ["contains"]}, "no metric called 'contains'"),
        ("unsafe_code: true\n", {}, "say confirm_run_unsafe_code: true beside it"),
        ("chat_style: new\n", {}, "knows no field 'chat_style' of a task: its file is of another"),
        ("repeats: 4\n", {}, "scores 4 answers together (repeats)"),
        (
            "output_type: loglikelihood_rolling\n",
            {},
            "has to be generate_until, loglikelihood or multiple_choice, not loglikelihood_rolling",
        ),
        (
            "dataset_path: json\ndataset_kwargs: {data_files: {test: gone.jsonl}}\n",
            {},
            "its data cannot be loaded (FileNotFoundError",
        ),
        ("from lm_eval.api import gone\n", {}, "its code is of another version than the installed"),
        ("import surely_not_here\n", {}, "pip install surely_not_here"),
        (
            "repeats: 4\n",
            {"lm_eval_task": "both"},
            "(it is a task of both; to go on without it, name the others, each as an 'lm_eval_",
        ),
        ("", {"judges": ["lm_eval/bleu"]}, "no metric called 'lm_eval/bleu'"),
        ("", {"options": {"num_fewshot": 1}}, "an lm-eval task brings its questions"),
        (
            "",
            {"lm_eval_task": None, "name": "x", "confirm_run_unsafe_code": True},
            "is for an 'lm_",
        ),
    ],
)
def test_what_cannot_be_a_benchmark_is_refused(
    tmp_path: Path,
    tasks: Path,
    capsys: pytest.CaptureFixture[str],
    change: str,
    section: dict[str, Any],
    said: str,
) -> None:
    if "import" in change:
        (tasks / "sums" / "utils.py").write_text(change + UTILS)
    elif change:
        written = YAML.replace("output_type: generate_until\n", "")
        if "dataset_path" in change:
            written = written.replace("custom_dataset: !function utils.load\n", "")
        (tasks / "sums" / "sums.yaml").write_text(written + change)
    assert run(["plan", str(suite(tmp_path, recorded(tmp_path), **section))]) == 78
    assert said in capsys.readouterr().err


def test_code_runs_where_that_is_said(
    tmp_path: Path, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tasks / "sums" / "sums.yaml").write_text(YAML + "unsafe_code: true\n")
    file = suite(tmp_path, recorded(tmp_path), confirm_run_unsafe_code=True)
    found = boards(capsys, "run", str(file), "--store", f"sqlite:///{tmp_path}/s.db")
    assert "lm_eval/exact_match" in found
