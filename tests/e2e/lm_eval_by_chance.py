"""A night by lm-eval itself, of a model that answers by chance: what it writes is imported later.

python -m tests.e2e.lm_eval_by_chance < JOB
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Sequence
from typing import Any

import lm_eval
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

WORDS = ["red", "green", "blue"]


@register_model("by_chance")
class ByChance(LM):
    """Answers and likelihoods that look drawn, and are the same every time."""

    def __init__(self, pretrained: str, **kwargs: Any) -> None:
        super().__init__()
        self.drawn = 0

    def _number(self, text: Any) -> int:
        self.drawn += 1
        return zlib.crc32(f"{text}{self.drawn}".encode())

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        return [WORDS[self._number(request.args[0]) % 3] for request in requests]

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        return [(-(self._number(request.args) % 997) / 100, False) for request in requests]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Any:
        raise NotImplementedError


def main(job: dict[str, Any]) -> None:
    tracker = EvaluationTracker(output_path=job["out"])
    found = lm_eval.simple_evaluate(
        model="by_chance",
        model_args={"pretrained": "org/by-chance"},
        tasks=job["tasks"],
        task_manager=TaskManager(include_path=job["tasks_folder"], include_defaults=False),
        bootstrap_iters=0,
        log_samples=True,
        evaluation_tracker=tracker,
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    for task in found["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
