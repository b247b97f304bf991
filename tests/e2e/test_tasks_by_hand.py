"""The task folders work as plain lm-eval tasks, and ask what judgebench plans to ask."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from judgebench.benchmarks.folder import load_benchmark

CODE = """
import json, sys
import lm_eval
from lm_eval.tasks import TaskManager
job = json.loads(sys.stdin.read())
manager = TaskManager(
    include_path=job["include_path"], include_defaults=False, metadata=job["metadata"]
)
found = lm_eval.simple_evaluate(
    model="dummy", tasks=job["tasks"], task_manager=manager, bootstrap_iters=0
)
asked = {
    task: [[sample["doc"]["id"], *sample["arguments"][0]] for sample in samples]
    for task, samples in found["samples"].items()
}
metrics = {task: sorted(results) for task, results in found["results"].items()}
print("\\n" + json.dumps([asked, metrics]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "shown"),
    [
        ("trivia_judging_mini", {"num_fewshot": 2}, {"exact_match,none", "contains,none"}),
        ("mixeval_mini", {}, {"score_by_rule,none", "no_option,none"}),
    ],
)
def test_lm_eval_asks_what_is_planned(name: str, options: dict[str, Any], shown: set[str]) -> None:
    chosen = [
        load_benchmark(name, options={"prompt": prompt, **options}) for prompt in ("chat", "base")
    ]
    job = {
        "include_path": str(chosen[0].lm_eval_task.include_path),
        "metadata": chosen[0].lm_eval_task.metadata,
        "tasks": [benchmark.lm_eval_task.name for benchmark in chosen],
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    asked, metrics = json.loads(done.stdout.splitlines()[-1])
    for benchmark in chosen:
        task = benchmark.lm_eval_task
        for item, (found_id, prompt, arguments) in zip(
            benchmark.items(), asked[task.name], strict=True
        ):
            assert (found_id, prompt) == (item.id, item.prompt)
            assert tuple(arguments["until"]) == task.until
            assert arguments["max_gen_toks"] == task.max_gen_toks
            assert arguments["do_sample"] is False
        assert shown <= set(metrics[task.name])
