"""What lm-eval itself makes of a model or a task, in a process of its own, as JSON.

python -m tests.e2e.by_lm_eval answered MODEL PROMPTS SETTINGS
python -m tests.e2e.by_lm_eval asked FOLDER METADATA TASK…
"""

from __future__ import annotations

import json
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

    manager = TaskManager(include_path=folder, include_defaults=False, metadata=metadata)
    found = lm_eval.simple_evaluate(
        model="dummy", tasks=list(tasks), task_manager=manager, bootstrap_iters=0
    )
    questions = {
        task: [[sample["doc"]["id"], *sample["arguments"][0]] for sample in samples]
        for task, samples in found["samples"].items()
    }
    return questions, {task: sorted(results) for task, results in found["results"].items()}


if __name__ == "__main__":
    what, folder, *words = sys.argv[1:]
    if what == "answered":
        said = answered(folder, *map(json.loads, words))
    else:
        said = asked(folder, json.loads(words[0]), *words[1:])
    print("\n" + json.dumps(said))
