"""What lm-eval itself makes of a model or a task, in a process of its own, as JSON.

python -m tests.e2e.by_lm_eval answered MODEL PROMPTS SETTINGS
python -m tests.e2e.by_lm_eval asked FOLDER METADATA TASK…
python -m tests.e2e.by_lm_eval scored FOLDER TASKS JOBS
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def answered(folder: str, prompts: list[str], settings: dict[str, object]) -> Any:
    """The answers of a model to prompts."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(folder, device="cpu", batch_size=2, dtype="float32")
    lm.model.generation_config.max_new_tokens = None
    asked = [
        Instance("generate_until", {}, (prompt, dict(settings)), n)
        for n, prompt in enumerate(prompts)
    ]
    return lm.generate_until(asked)


def asked(folder: str, metadata: dict[str, Any], *tasks: str) -> Any:
    """By task: what a model is asked, as id, prompt and settings; and the names of the results."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    _without_the_machine()
    manager = TaskManager(include_path=folder, include_defaults=False, metadata=metadata)
    found = lm_eval.simple_evaluate(
        model="dummy", tasks=list(tasks), task_manager=manager, bootstrap_iters=0
    )
    questions = {
        task: [[sample["doc"]["id"], *sample["arguments"][0]] for sample in samples]
        for task, samples in found["samples"].items()
    }
    return questions, {task: sorted(results) for task, results in found["results"].items()}


def scored(folder: str, tasks: str, *jobs: dict[str, Any]) -> Any:
    """Of each job a model's results and samples by task, as the command line has them."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    _without_the_machine()
    os.environ["DISABLE_MULTIPROC"] = "1"
    found = []
    for job in jobs:
        evaluated = lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": folder, "dtype": "float32"},
            batch_size=2,
            device="cpu",
            task_manager=TaskManager(include_path=tasks, include_defaults=False),
            bootstrap_iters=2,  # of what is scored over all answers, and is not looked at
            **job,
        )
        samples = {
            task: [{n: row[n] for n in ("doc_id", "arguments", "resps")} for row in rows]
            for task, rows in evaluated["samples"].items()
        }
        found.append([evaluated["results"], samples])
    return found


def _without_the_machine() -> None:
    """What it is, lm-eval asks pip and five other programs for, which takes seconds."""
    from lm_eval import evaluator

    evaluator.add_env_info = lambda results: None


if __name__ == "__main__":
    what, folder, *words = sys.argv[1:]
    if what == "answered":
        said = answered(folder, *map(json.loads, words))
    elif what == "scored":
        said = scored(folder, words[0], *map(json.loads, words[1:]))
    else:
        said = asked(folder, json.loads(words[0]), *words[1:])
    print("\n" + json.dumps(said))
