"""The task folders work as plain lm-eval tasks, and ask what judgebench plans to ask."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import import_data
from judgebench.benchmarks.folder import FolderBenchmark, load_benchmark
from tests.e2e import mixeval_gold, real_sets
from tests.warm import Warm

TASKS = sorted(file.stem for file in registry.tasks_root().glob("*/*.yaml"))
N = 5
"""Questions of each task that are asked by hand."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "shown"),
    [
        ("trivia_judging_mini", {"num_fewshot": 2}, {"exact_match,none", "contains,none"}),
        ("mixeval_mini", {}, {"score_by_rule,none", "no_option,none"}),
        ("honestybench_mini", {}, {"exact_match,none", "contains,none"}),
        ("alignbench_mini", {"temperature": "none"}, {"length,none"}),
        ("alpaca_eval_mini", {}, {"length,none"}),
    ],
)
def test_lm_eval_asks_what_is_planned(
    name: str, options: dict[str, Any], shown: set[str], warm: Warm
) -> None:
    chosen = [
        load_benchmark(name, options={"prompt": prompt, **options}) for prompt in prompts_of(name)
    ]
    task = chosen[0].lm_eval_task
    names = [benchmark.lm_eval_task.name for benchmark in chosen]
    words = ("asked", task.include_path, json.dumps(dict(task.metadata)), *names)
    asked, metrics = json.loads(warm.run("tests.e2e.by_lm_eval", *words).splitlines()[-1])
    for benchmark in chosen:
        task = benchmark.lm_eval_task
        for item, (found_id, prompt, arguments) in zip(
            benchmark.data.items, asked[task.name], strict=True
        ):
            assert (found_id, prompt) == (item.id, item.prompt)
            assert tuple(arguments["until"]) == task.until
            assert arguments["max_gen_toks"] == task.max_gen_toks
            assert arguments["do_sample"] is False
        assert shown <= set(metrics[task.name])


def prompts_of(name: str) -> list[str]:
    return list(load_benchmark(name).description.asking.prompts)


# the command line, and the questions that are not in the repository ------------------------------


@dataclass(frozen=True)
class ByHand:
    """What ``lm_eval`` wrote, and the folder of tasks that it was given."""

    tasks: Path
    home: Path
    results: dict[str, Any]
    samples: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> ByHand:
    """Every task there is, asked by ``lm_eval --include_path … --tasks …``.

    The gold has MixEval-Hard and not MixEval, so that both are asked the same questions.
    """
    folder = tmp_path_factory.mktemp("by_hand")
    environment = real_sets.environment(folder)
    tasks = folder / "tasks"
    for one in registry.tasks_root().iterdir():
        if one.is_dir() and not (tasks / one.name).exists():
            shutil.copytree(one, tasks / one.name, ignore=shutil.ignore_patterns("__pycache__"))
    whole = tasks / "mixeval" / "benchmark.toml"
    assert "items = 4000" in whole.read_text()
    whole.write_text(whole.read_text().replace("items = 4000", "items = 1000"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGEBENCH_DATA", environment["JUDGEBENCH_DATA"])
        patch.setattr(registry, "tasks_root", lambda: tasks)
        for name in ("trivia_judging", "alpaca_eval"):
            import_data(name, mixeval_gold.GOLD.parent / name)
        import_data("mixeval", mixeval_gold.GOLD)
        for name in ("alignbench_pairwise", "alignbench_pointwise"):
            import_data(name, mixeval_gold.GOLD.parent / "alignbench")
        for name in ("judgebench_pairs", "just_eval", "mt_bench", "xstest"):
            import_data(name, mixeval_gold.GOLD.parent / name)
        import_data("arena_hard", mixeval_gold.GOLD.parent / "arena_hard/questions_v2.0.parquet")
        import_data("codal_bench", codal_problems(tasks / "codal_bench", folder / "codal"))
        for name, items in (("rewardbench", 2985), ("rewardbench2", 1865)):  # data is on the Hub
            whole = tasks / name / "benchmark.toml"
            whole.write_text(whole.read_text().replace(f"items = {items}", f"items = {N}"))
            answer: Any = ["a"] if name == "rewardbench2" else "a"
            told = {"subset": "s", "prompt": "p", "chosen": answer, "rejected": answer}
            lines = (json.dumps({"id": str(n), **told}) + "\n" for n in range(N))
            (folder / f"{name}.jsonl").write_text("".join(lines))
            import_data(name, folder / f"{name}.jsonl")
    out = folder / "out"
    words = ["--include_path", str(tasks), "--tasks", ",".join(TASKS), "--model", "dummy"]
    words += ["--limit", str(N), "--log_samples", "--output_path", str(out)]
    warm.run("lm_eval", *words, environment=environment)
    (results,) = out.rglob("results_*.json")
    samples = {}
    for name in TASKS:
        (file,) = results.parent.glob(f"samples_{name}_2*.jsonl")
        # Not splitlines: prompts may hold what ends a line elsewhere.
        lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        samples[name] = [json.loads(line) for line in lines]
    return ByHand(
        tasks=tasks,
        home=Path(environment["JUDGEBENCH_DATA"]),
        results=json.loads(results.read_text(encoding="utf-8"))["results"],
        samples=samples,
    )


def codal_problems(task: Path, folder: Path) -> Path:
    """Problems and sentences in the form of CODAL-Bench's, which are on the Hub."""
    whole = task / "benchmark.toml"
    whole.write_text(whole.read_text().replace("items = 500", f"items = {N}"))
    folder.mkdir()
    names = ("gpt-3.5-turbo", "gpt-4-turbo", "claude-3-sonnet-20240229")
    row = {"preference": "style", **{f"{name}_response": "a" for name in names}}
    lines = (json.dumps({"instruction": f"Write {n}.", **row}) + "\n" for n in range(N))
    (folder / "rows.jsonl").write_text("".join(lines))
    (folder / "principles.py").write_text("principles = {'style': ['Mind it.']}\n")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="needs the extra hf")
@pytest.mark.parametrize("name", TASKS)
def test_the_command_line_asks_what_is_planned(
    name: str, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(by_hand.home))
    monkeypatch.setattr(registry, "tasks_root", lambda: by_hand.tasks)
    benchmark = whose_task(name)
    task = benchmark.lm_eval_task
    asked = sorted(by_hand.samples[name], key=lambda sample: int(sample["doc_id"]))
    for item, sample in zip(benchmark.data.items[:N], asked, strict=True):
        told = sample["arguments"]["gen_args_0"]
        first = item.prompt or item.turns[0].content  # by hand a conversation is its first turn
        assert (sample["doc"]["id"], told["arg_0"]) == (item.id, first)
        assert tuple(told["arg_1"]["until"]) == task.until
        assert told["arg_1"]["max_gen_toks"] == task.max_gen_toks
        assert told["arg_1"]["do_sample"] is False
    assert by_hand.results[name].keys() >= SHOWN[benchmark.default_judge]


LEXICAL = {"exact_match,none", "contains,none"}
SHOWN = {
    "reference": LEXICAL,
    "equivalence": LEXICAL,
    "graded": {"score_by_rule,none", "no_option,none"},
    "critique": {"length,none"},
    "dimensions": {"length,none"},
    "pairwise": {"length,none"},
    "reward": {"length,none"},
    "own_prompt": {"length,none"},
    "templates": {"length,none"},
}
"""What lm-eval prints of a benchmark that is judged so."""


def whose_task(name: str) -> FolderBenchmark:
    """The benchmark that asks by this task, with the prompt that does."""
    for folder in registry.benchmark_folders().values():
        if (folder / f"{name}.yaml").is_file():
            prompts = load_benchmark(folder.name).description.asking.prompts
            (prompt,) = (prompt for prompt, one in prompts.items() if one.task == name)
            return load_benchmark(folder.name, options={"prompt": prompt})
    raise AssertionError(f"no benchmark asks by {name}")
