"""The process that knows an lm-eval task: what it asks, and what its own metrics say of answers.

    python -m judgebench.workers.lm_eval_task describe
    python -m judgebench.workers.lm_eval_task

A job names the task, and where tasks are looked for before lm-eval's own::

    {"task": "gsm8k", "include_path": ["..."], "confirm_run_unsafe_code": false}

With ``describe`` the job says besides where the questions are written to (``items``), and one event
``described`` answers it. Else the process speaks as `answer_loop` says: a question holds the
``item``, an ``answer`` and the ``metric``, a metric under a filter as lm-eval writes it
(``exact_match,none``), and what comes back is its ``value``, null where it has none.
"""

from __future__ import annotations

import difflib
import json
import logging
import math
import numbers
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from judgebench.errors import ConfigError
from judgebench.keys import content_key
from judgebench.records import Runtime
from judgebench.workers import answer_loop
from judgebench.workers.answer_loop import Answer, Question, Refusal
from judgebench.workers.lm_eval_worker import QUIET
from judgebench.workers.parent_pipe import ParentPipe
from judgebench.workers.task_prompts import doc_ids, load_task

_NAMED = re.compile(r"^(task|group):[ \t]*['\"]?([^\s'\"#]+)", re.MULTILINE)


class Metrics:
    """A loaded task that scores answers, one at a time, as lm-eval does after a run."""

    batch = 64

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._task = checked_task(job)[0]
        docs = list(self._task.eval_docs)
        self._docs = dict(zip(doc_ids(docs), docs, strict=True))

    def stack(self) -> Runtime:
        return Runtime(backend="lm-eval", versions={"lm-eval": version("lm_eval")})

    def refusal(self, question: Question) -> Refusal | None:
        if question["item"] in self._docs:
            return None
        return Refusal(kind="request", message=f"the task has no document {question['item']!r}")

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        from lm_eval.api.instance import Instance

        asked = [
            Instance("generate_until", self._docs[one["item"]], ("", {}), n)
            for n, one in enumerate(questions)
        ]
        for instance, one in zip(asked, questions, strict=True):
            instance.resps = [one["answer"]]
        self._task._instances = asked
        self._task.apply_filters()
        return [
            {"value": self._value(instance, one["metric"])}
            for instance, one in zip(asked, questions, strict=True)
        ]

    def _value(self, instance: Any, asked: str) -> float | None:
        metric, _, chosen = asked.partition(",")
        found = self._task.process_results(instance.doc, [instance.filtered_resps[chosen]])
        return _number(found.get(metric))


def checked_task(job: Mapping[str, Any]) -> tuple[Any, Path]:
    """The task of a job and the folder of its file.

    Raises
    ------
    ConfigError
        For a name that is no task's, with the nearest; for a task whose answers are no texts, that
        is scored over several answers, or runs code that nobody has agreed to.
    """
    name = job["task"]
    folder = _folder(name, [Path(one) for one in job["include_path"]])
    task = load_task(name, [str(folder)], {})
    if task.config.unsafe_code and not job["confirm_run_unsafe_code"]:
        raise ConfigError(
            f"the lm-eval task {name} runs what models write as code on this machine: say "
            "confirm_run_unsafe_code: true beside it where that is meant"
        )
    if (repeats := task.config.repeats) > 1:
        raise ConfigError(
            f"the lm-eval task {name} scores {repeats} answers together (repeats); here each is "
            "judged by itself"
        )
    return task, folder


def described(job: Mapping[str, Any]) -> dict[str, Any]:
    """What the task asks; its questions are written into the file ``items``."""
    task, folder = checked_task(job)
    name, docs = job["task"], list(task.eval_docs)
    task.build_all_requests()
    prompts = {instance.doc_id: instance.args[0] for instance in task.instances}
    rows = [_row(id_, task, docs[n], prompts[n]) for n, id_ in enumerate(doc_ids(docs))]
    Path(job["items"]).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    generation = dict(task.config.generation_kwargs)
    until = generation.pop("until")
    files = [file for file in sorted(folder.iterdir()) if file.suffix in {".yaml", ".py"}]
    code = {file.name: file.read_bytes().hex() for file in files}
    metrics = _metrics(task)
    if not metrics:
        raise ConfigError(
            f"the lm-eval task {name} has no metric of a single answer: its metrics are computed "
            "over all answers together"
        )
    return {
        "version": str(task.VERSION),
        "include_path": str(folder),
        "until": [until] if isinstance(until, str) else list(until or ()),
        "max_gen_toks": int(generation.pop("max_gen_toks", 256)),
        "generation": generation,
        "metrics": metrics,
        "sha": content_key("lm-eval task", [version("lm_eval"), name, code]).hex(),
    }


def _metrics(task: Any) -> list[str]:
    """Metrics under a filter whose aggregation is a mean, in lm-eval's words."""
    from lm_eval.api.metrics import mean

    filters = [one.name for one in task._filters]
    means = [name for name, how in task.aggregation().items() if how is mean]
    return [f"{metric},{one}" for metric in means for one in filters]


def _row(id_: str, task: Any, doc: Any, prompt: str) -> dict[str, Any]:
    target = task.doc_to_target(doc)
    references = [str(one) for one in (target if isinstance(target, list) else [target])]
    category = next((doc[n] for n in ("category", "subject") if isinstance(doc.get(n), str)), None)
    return {
        "id": id_,
        "question": str(task.doc_to_text(doc)),
        "prompt": prompt,
        "references": references,
        "category": category,
    }


def _folder(name: str, include_path: Sequence[Path]) -> Path:
    """The folder of the file that defines a task: one of those included, else lm-eval's own.

    Reading 14 000 files for one word takes a second; lm-eval's scan of them takes 5 to 15.
    """
    import lm_eval.tasks

    known: list[list[str]] = []
    for root in (*reversed(include_path), Path(lm_eval.tasks.__file__).parent):
        known.append([])
        for file in root.rglob("*.yaml"):
            for kind, found in _NAMED.findall(file.read_text(encoding="utf-8", errors="replace")):
                known[-1].append(found)
                if found == name and kind == "group":
                    raise ConfigError(
                        f"{name} is a group of lm-eval tasks ({file}); name one of its tasks"
                    )
                if found == name:
                    return file.parent
    near = [one for names in known for one in difflib.get_close_matches(name, names, n=1)]
    hint = f"; did you mean {near[0]!r}?" if near else ""
    n = len({one for names in known for one in names})
    raise ConfigError(f"no lm-eval task called {name!r}{hint} ({n:,} are known)")


def _number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    return None


def describe() -> None:
    """The whole life of a process that is asked for a description."""
    pipe = ParentPipe()
    os.environ.update(QUIET)
    logging.basicConfig(level=logging.ERROR)
    job = pipe.order()
    try:
        pipe.tell("described", **described(job))
    except Exception as error:  # noqa: BLE001  (whatever a task's code raises, the parent says it)
        traceback.print_exc()
        ours = isinstance(error, ConfigError)
        pipe.tell("refused", message=str(error) if ours else f"{type(error).__name__}: {error}")
    sys.stderr.flush()
    os._exit(0)  # what the libraries have started is not waited for


if __name__ == "__main__":
    if sys.argv[1:] == ["describe"]:
        describe()
    answer_loop.main(Metrics)
