"""A task of lm-eval in a suite: asked as lm-eval asks, its own metrics beside other judges."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench import registry
from judgebench.benchmarks.lm_eval_task import task_benchmarks
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
GROUP = "group: numbers\ntask: [even, {group: endings, task: [ending]}]\n"
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
    (folder / "own_way.yaml").write_text("group: own_way\ntask: [{task: even, num_fewshot: 2}]\n")
    return folder.parent


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


def recorded(folder: Path) -> dict[str, Any]:
    rows = [
        {"benchmark": "sums", "item_id": str(n), "model": "m", "text": text}
        for n, text in enumerate(ANSWERS)
    ]
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"responses": "m.jsonl"}


def boards(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run([*words, "--format", "json"]) == 0, capsys.readouterr().err
    return {board["judge"]: board for board in json.loads(capsys.readouterr().out)["boards"]}


def logged(out: Path, task: str) -> list[dict[str, Any]]:
    """The samples that lm-eval wrote of a task."""
    (samples,) = out.rglob(f"samples_{task}_*.jsonl")
    return [json.loads(line) for line in samples.read_text().splitlines()]


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


@pytest.mark.hf
@pytest.mark.parametrize("template", [True, False])
def test_a_model_is_asked_and_scored_as_by_lm_eval_itself(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tasks: Path,
    warm: Warm,
    capsys: pytest.CaptureFixture[str],
    template: bool,
) -> None:
    tiny = letters(warm, tmp_path_factory.mktemp("tiny"), positions=256)
    own = tiny / "generation_config.json"  # lm-eval lets it win over the task's max_gen_toks
    own.write_text(json.dumps({**json.loads(own.read_text()), "max_new_tokens": None}))
    words = [
        "--include_path",
        str(tasks),
        "--tasks",
        "sums,numbers" if template else "sums",
        "--model",
        "hf",
    ]
    words += [
        "--batch_size",
        "2",
        "--model_args",
        f"pretrained={tiny},dtype=float32",
        "--device",
        "cpu",
    ]
    words += ["--apply_chat_template"] if template else []
    out = tmp_path / "out"
    warm.run("lm_eval", *words, "--log_samples", "--output_path", str(out))
    (results,) = out.rglob("results_*.json")
    theirs = json.loads(results.read_text())["results"]
    asked = {
        str(row["doc_id"]): (row["arguments"]["gen_args_0"]["arg_0"], row["resps"][0][0])
        for row in logged(out, "sums")
    }
    section = {
        "model": "hf",
        "model_args": {"pretrained": str(tiny), "dtype": "float32"},
        "batch_size": 2,
        "device": "cpu",
        "apply_chat_template": template,
        "fewshot_as_multiturn": template,  # as lm-eval's command line has it
    }
    file, store = suite(tmp_path, {"lm_eval": section}), f"sqlite:///{tmp_path}/s.db"
    written = json.loads(file.read_text())
    if template:
        written["benchmarks"].append({"lm_eval_task": "numbers"})  # a group, with one in it
    file.write_text(json.dumps(written))
    assert run(["run", str(file), "--store", store]) == 0, capsys.readouterr().err
    err = capsys.readouterr().err
    assert "sums: bleu of lm-eval are computed over all answers together, and judge none" in err
    figures = {
        "sums": {"exact_match": "exact_match,strict", "exact_match,number": "exact_match,number"},
        "even": {"acc": "acc,none", "acc_mutual_info": "acc_mutual_info,none"},
        "ending": {"acc": "acc,none"},
    }
    for task, metrics in figures.items() if template else [("sums", figures["sums"])]:
        found = boards(capsys, "leaderboard", task, "--store", store)
        assert set(found) == {f"lm_eval/{metric}" for metric in metrics}  # no bleu, brier_score
        for metric, theirs_called in metrics.items():
            own = found[f"lm_eval/{metric}"]["rows"][0]["metrics"]
            assert own["score"]["value"] == pytest.approx(theirs[task][theirs_called], abs=1e-12)
            error = theirs[task][theirs_called.replace(",", "_stderr,")]
            assert own["stderr"]["value"] == pytest.approx(error, rel=1e-9)
    with judgebench.open_store(store) as opened:
        rows = opened.responses("sums").to_dict("records")
        measured = opened.responses("even").to_dict("records") if template else []
    told = logged(out, "even") if template else []
    said = {str(row["doc_id"]): [pair for (pair,) in row["resps"]] for row in told}
    for row in measured:
        for (_, value, greedy), pair in zip(
            json.loads(row["text"]), said[row["item_id"]], strict=True
        ):
            assert [value, str(greedy)] == [pytest.approx(float(pair[0]), abs=1e-4), str(pair[1])]
    assert {row["item_id"]: row["text"] for row in rows} == {
        i: text.strip() for i, (_, text) in asked.items()
    }
    registry.include([tasks])
    ((_, benchmark),) = task_benchmarks(BenchmarkConfig(name="sums", lm_eval_task="sums"))
    task = Task(task=benchmark.lm_eval_task, items=benchmark.items()[2:], model_key=b"k" * 32)
    with LmEvalWorker(LocalModel(**section), [task], seed=1) as worker:
        worker.start()
        events = list(worker.generate({"sums": [("3", 0), ("5", 0)]}))
    # What is missing draws the examples that it would have drawn among all.
    assert {
        one.item_id: one.prompt
        for event in events
        if isinstance(event, AnswerChunk)
        for one in event.responses
    } == {id_: asked[id_][0] for id_ in ("3", "5")}
    if not template:
        assert {i.id: i.prompt for i in benchmark.items()} == {i: p for i, (p, _) in asked.items()}


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
    yaml = tasks / "sums" / "sums.yaml"
    yaml.write_text(YAML.replace("output_type: generate_until\n", "") + change if change else YAML)
    assert run(["plan", str(suite(tmp_path, recorded(tmp_path), **section))]) == 78
    assert said in capsys.readouterr().err


def test_code_runs_where_that_is_said(
    tmp_path: Path, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tasks / "sums" / "sums.yaml").write_text(YAML + "unsafe_code: true\n")
    file = suite(tmp_path, recorded(tmp_path), confirm_run_unsafe_code=True)
    found = boards(capsys, "run", str(file), "--store", f"sqlite:///{tmp_path}/s.db")
    assert "lm_eval/exact_match" in found
