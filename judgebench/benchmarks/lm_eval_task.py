"""An lm-eval task as a benchmark: its questions, its way of asking, and its metrics as judges.

lm-eval itself is in a child process, one for all tasks of a run (`metrics_worker`), which is asked
what they are and later scores answers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.own_prompts import OwnPrompts, check_name
from judgebench.config import OWN_METRIC, BenchmarkConfig, JudgeConfig
from judgebench.errors import ConfigError, unknown_name
from judgebench.keys import content_key
from judgebench.protocols import LmEvalTask
from judgebench.records import Item, Message
from judgebench.workers.process import clean, metrics_worker


@dataclass(frozen=True, kw_only=True)
class TaskBenchmark(OwnPrompts):
    """The questions of a task as lm-eval puts them, few-shot examples and all.

    ``task`` is what a suite says of it, as `judgebench.workers.lm_eval_task` takes it,
    ``definition`` what that makes of it, and ``groups`` those by whose name it was asked for, as
    `judgebench.workers.lm_eval_task.Members` has them.
    """

    task: Mapping[str, Any]
    definition: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def data_sha(self) -> str:
        """SHA-256 of what is asked, with lm-eval's version of the task."""
        prompts = [question.prompt for question in self.questions]
        asked = [self.definition["version"], self.questions_sha, prompts]
        return content_key("lm-eval questions", asked).hex()

    @property
    def likelihoods(self) -> bool:
        """Whether models are asked how likely texts are, and generate none."""
        return bool(self.definition["likelihoods"])

    @property
    def of_all(self) -> Sequence[str]:
        """Metrics of the task that are of all answers together, and so no judges."""
        names: Sequence[str] = self.definition["of_all"]
        return names

    @cached_property
    def own_judges(self) -> Mapping[str, str]:
        """Metrics by the judge's name: each under its first filter by itself, then under others."""
        found: dict[str, str] = {}
        for metric in self.definition["metrics"]:
            first = f"{OWN_METRIC}{metric.partition(',')[0]}"
            found[f"{OWN_METRIC}{metric}" if first in found else first] = metric
        return found

    def own_judge(self, name: str) -> JudgeConfig:
        """The judge of one of the task's metrics.

        Raises
        ------
        ConfigError
            For a metric that the task does not have, or that is not of single answers.
        """
        if name not in self.own_judges:
            raise ConfigError(
                f"benchmark {self.name}: {unknown_name('metric', name, self.own_judges)}"
            )
        sha = content_key("lm-eval task", [self.definition["sha"], self.data_sha]).hex()
        return JudgeConfig(
            name=name,
            kind="lm_eval",
            provider="lm_eval",
            model=self.own_judges[name],
            identity=f"{self.task['task']}@{self.definition['version']}+{sha[:12]}",
            provider_options={**self.task, "include_path": [self.definition["include_path"]]},
        )

    @property
    def lm_eval_task(self) -> LmEvalTask:
        """The task itself: a local model is asked as by lm-eval."""
        return LmEvalTask(
            name=self.task["task"],
            folder=partial(Path, self.definition["include_path"]),
            until=tuple(self.definition["until"]),
            max_gen_toks=self.definition["max_gen_toks"],
            generation=self.definition["generation"],
        )


def task_benchmarks(config: BenchmarkConfig) -> list[tuple[BenchmarkConfig, TaskBenchmark]]:
    """The benchmark that a suite's section with ``lm_eval_task`` describes, or those of a group.

    With each its own section: judged by its metrics, where the suite says nothing else.

    Raises
    ------
    ConfigError
        Where lm-eval is not installed, has no such task or cannot load it, and where it runs code
        that the section does not allow, or a group is given one name.
    """
    check_name(config.name)
    task = {
        "task": config.lm_eval_task,
        "include_path": [str(path) for path in registry.included()],
        "confirm_run_unsafe_code": config.confirm_run_unsafe_code,
    }
    with metrics_worker(), tempfile.TemporaryDirectory(prefix="judgebench-") as folder:
        items = Path(folder) / "items.jsonl"
        definition = _definition(task, items)
        if (members := definition.get("tasks")) is not None:
            return list(_of_group(config, members, definition["groups"]))
        lines = items.read_text(encoding="utf-8").splitlines()
    benchmark = TaskBenchmark(
        name=config.name,
        path=Path(definition["include_path"]),
        questions=tuple(map(_question, map(json.loads, lines))),
        baseline=config.baseline,
        task=task,
        definition=definition,
    )
    if config.judged_by_metrics:
        config = config.model_copy(update={"judges": list(benchmark.own_judges)})
    elif benchmark.likelihoods:
        for judge in config.judges:
            benchmark.own_judge(judge)  # nobody else reads log-likelihoods
    return [(config, benchmark)]


def _of_group(
    config: BenchmarkConfig, members: Sequence[str], groups: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[BenchmarkConfig, TaskBenchmark]]:
    if config.name != config.lm_eval_task:
        raise ConfigError(
            f"benchmark {config.name}: {config.lm_eval_task} is a group of lm-eval tasks, each a "
            f"benchmark that is called like it ({', '.join(members)}): leave out 'name'"
        )
    for member in members:
        try:
            for section, benchmark in task_benchmarks(
                config.model_copy(update={"name": member, "lm_eval_task": member})
            ):
                yield section, replace(benchmark, groups=groups)
        except ConfigError as error:
            raise ConfigError(
                f"{error} (it is a task of {config.lm_eval_task}; to go on without it, name the "
                "others, each as an 'lm_eval_task')"
            ) from None


def _question(row: Mapping[str, Any]) -> Item:
    return Item(
        benchmark="",
        version="",
        id=row["id"],
        turns=(Message(role="user", content=row["question"]),),
        references=tuple(row["references"]),
        category=row["category"],
        prompt=row["prompt"],
    )


def _definition(task: Mapping[str, Any], items: Path) -> Mapping[str, Any]:
    """What lm-eval makes of a task; its items are written into the file."""
    with metrics_worker() as worker:
        worker.load({}, within_s=None, limit="limits: {timeout_s: …}")
        (event,) = worker.ask([{"id": 0, "task": task, "items": str(items)}])
    if event["event"] == "failed":
        raise ConfigError(f"the lm-eval task {task['task']}: {clean(event['message'])}")
    definition: dict[str, Any] = event["answers"][0]
    if not definition.get("metrics", True):
        raise ConfigError(
            f"the lm-eval task {task['task']} has no metric of single answers: "
            f"{', '.join(definition['of_all'])} are computed over all of them together"
        )
    return definition
