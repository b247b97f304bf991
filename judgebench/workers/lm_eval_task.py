"""The process that knows lm-eval's tasks: what they ask, what their own metrics say of answers.

    python -m judgebench.workers.lm_eval_task

It speaks as `judgebench.workers.protocol` says. The job is empty. Each question names its task, and
where tasks are looked for before lm-eval's own; what has been loaded for one is there for the next.
One is an answer to an item, with a metric under a filter as lm-eval writes it; what comes back is
its value, null where that is no number::

    {"id": 0, "task": {"task": "gsm8k", "include_path": ["..."], "confirm_run_unsafe_code": false},
     "item": "17", "answer": "It is 4.", "metric": "exact_match,none"}
    {"id": 0, "value": 1.0}

another asks for what `Metrics.describe` says, and for the items in a file::

    {"id": 0, "task": {...}, "items": "/tmp/items.jsonl"}

Of a group or a tag the answer is ``{"tasks": [...], "groups": {...}}``: those that are its tasks,
and what groups make of them. What is asked
together is of one task.

An answer to a task of log-likelihoods is a list, as JSON, of ``[text, log-likelihood in nats,
whether it is the greedy one]``: one for each text whose likelihood lm-eval asks for, in its order.
"""

from __future__ import annotations

import json
import math
import numbers
import re
import traceback
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from judgebench.errors import ConfigError, nearest
from judgebench.keys import content_key
from judgebench.records import Runtime
from judgebench.workers.prompts import prompt_text
from judgebench.workers.protocol import Answer, BatchAnswerer, Question, Refusal, serve

_NAMED = re.compile(r"^(task|group):[ \t]*['\"]?([^\s'\"#]+)", re.MULTILINE)
_LISTED = re.compile(r"^(?:tag:|[ \t]*-)[ \t]*['\"]?([^\s'\"]+)['\"]?[ \t]*$", re.MULTILINE)
_UNKNOWN_FIELD = re.compile(r"unexpected keyword argument '(\w+)'")
_FEWSHOT_SEED = 1234  # of lm-eval's command line

LIKELIHOODS = ("loglikelihood", "multiple_choice")
"""Kinds of tasks that ask how likely texts are: nothing is generated."""


def load_task(name: str, include_path: Sequence[str], metadata: Mapping[str, Any]) -> Any:
    """A task by lm-eval, its few-shot examples drawn as lm-eval itself draws them.

    lm-eval's own tasks are not scanned: that takes seconds, and no name can collide.

    Raises
    ------
    ConfigError
        For a name that is not there, a file that another version of lm-eval wrote, and a task whose
        answers are neither texts nor likelihoods of some.
    """
    manager = _manager((*include_path,), json.dumps(metadata))
    if name not in manager.all_subtasks:
        known = ", ".join(manager.all_subtasks) or "none"
        raise ConfigError(f"no lm-eval task called {name!r} below {include_path}. Known: {known}")
    try:
        task: Any = manager.load([name])["tasks"][name]
    except Exception as error:
        if (why := _why_not(error)) is None:
            raise
        where = ", ".join(include_path)
        raise ConfigError(f"task {name} below {where}: {why}") from error
    if task.OUTPUT_TYPE not in ("generate_until", *LIKELIHOODS):
        raise ConfigError(
            f"task {name}: answers are judged one by one, so output_type has to be generate_until, "
            f"{' or '.join(LIKELIHOODS)}, not {task.OUTPUT_TYPE}"
        )
    task.set_fewshot_seed(_FEWSHOT_SEED)
    return task


@cache
def _manager(include_path: tuple[str, ...], metadata: str) -> Any:
    """A group's tasks lie in one folder, whose index is made once for all of them."""
    from lm_eval.tasks import TaskManager

    return TaskManager(
        include_path=list(include_path), include_defaults=False, metadata=json.loads(metadata)
    )


def _why_not(error: Exception) -> str | None:
    """Why lm-eval cannot load a task, and what to do; None where only the error itself says."""
    said = f"{type(error).__name__}: {error}"
    own = f"the installed lm-eval ({version('lm_eval')})"
    if isinstance(error, TypeError) and (unknown := _UNKNOWN_FIELD.search(str(error))):
        return f"{own} knows no field {unknown[1]!r} of a task: its file is of another version"
    if isinstance(error, ImportError | AttributeError) and "lm_eval" in str(error):
        return (
            f"{said}: its code is of another version than {own}; take the task's folder of this "
            "one, or install the version that it was written for"
        )
    if isinstance(error, ModuleNotFoundError):
        return f"{said}: its code needs a package that is not here: pip install {error.name}"
    within = {
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    }
    if "lm_eval.api.task" in within and any(one.startswith("datasets.") for one in within):
        return (
            f"its data cannot be loaded ({said}): where it is on the Hub, this machine has to "
            "reach it (HF_HUB_OFFLINE unset, HF_TOKEN for a gated one) or have it in its cache "
            "(HF_HOME); where it is a file, see the task's dataset_path and dataset_kwargs"
        )
    return None


def doc_ids(name: str, docs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The documents' own ids where all of a task have one; else their numbers, from 0.

    Raises
    ------
    ConfigError
        Naming ids that several documents share.
    """
    if not all("id" in doc for doc in docs):
        return [str(n) for n in range(len(docs))]
    ids = [str(doc["id"]) for doc in docs]
    if twice := sorted(id_ for id_, count in Counter(ids).items() if count > 1):
        raise ConfigError(f"task {name}: two documents share an id: {', '.join(twice)}")
    return ids


def asked_of(task: Any, docs: Sequence[str]) -> dict[str, Any]:
    """Id -> what is asked, by the requests that a task has built.

    A prompt; of a task of log-likelihoods all its pairs of a context and a text that goes on.
    """
    found: dict[str, list[Any]] = {}
    for instance in task.instances:
        found.setdefault(docs[instance.doc_id], []).append(instance.args)
    if task.OUTPUT_TYPE in LIKELIHOODS:
        return {id_: tuple(pairs) for id_, pairs in found.items()}
    return {id_: args[0][0] for id_, args in found.items()}


def asked_text(asked: Any) -> str:
    """What is asked as one text: each context once, and what may go on with an arrow before it."""
    if not isinstance(asked, tuple) or hasattr(asked, "prompt"):
        return prompt_text(asked)
    pairs = ((prompt_text(context), f"→{text}") for context, text in asked)
    return "\n".join(dict.fromkeys(one for pair in pairs for one in pair))


class Metrics:
    """A loaded task that scores answers, one at a time, as lm-eval does after a run."""

    def __init__(self, name: str, task: Any, folder: Path) -> None:
        self._name, self._task, self._folder = name, task, folder
        docs = list(task.eval_docs)
        self._docs = dict(zip(doc_ids(name, docs), docs, strict=True))

    def refusal(self, item: str) -> Refusal | None:
        """Why no answer to an item can be scored."""
        if item in self._docs:
            return None
        return Refusal("request", f"the task has no document {item!r}")

    def values(self, questions: Sequence[Question]) -> list[Answer]:
        """What the metrics that are asked for say of answers."""
        from lm_eval.api.instance import Instance

        kind = self._task.OUTPUT_TYPE
        asked: list[list[Any]] = []
        for question in questions:
            asked.append([])
            for number, result in enumerate(self._results(question["answer"])):
                asked[-1].append(Instance(kind, self._docs[question["item"]], (), number))
                asked[-1][-1].resps = [result]
        self._task._instances = [instance for instances in asked for instance in instances]
        self._task.apply_filters()
        return [
            {"value": self._value(instances, *question["metric"].split(",", 1))}
            for instances, question in zip(asked, questions, strict=True)
        ]

    def _results(self, answer: str) -> list[Any]:
        """What lm-eval's model would have given back."""
        if self._task.OUTPUT_TYPE not in LIKELIHOODS:
            return [answer]
        return [(value, greedy) for _, value, greedy in json.loads(answer)]

    def _value(self, instances: Sequence[Any], metric: str, chosen: str) -> float | None:
        results = [instance.filtered_resps[chosen] for instance in instances]
        value = self._task.process_results(instances[0].doc, results).get(metric)
        return float(value) if isinstance(value, numbers.Real) and math.isfinite(value) else None

    def describe(self, items: Path) -> dict[str, Any]:
        """What the task asks; its items are written into a file, one a line.

        ``metrics`` are those that are means over answers, ``of_all`` the others. ``sha`` is of
        lm-eval's version and the files beside the task's, which say how answers are scored.
        """
        from lm_eval.api.metrics import mean

        task = self._task
        task.build_all_requests()
        asked = asked_of(task, list(self._docs))
        rows = [self._row(id_, doc, asked_text(asked[id_])) for id_, doc in self._docs.items()]
        items.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        likely = task.OUTPUT_TYPE in LIKELIHOODS
        generation = {} if likely else dict(task.config.generation_kwargs)
        until = generation.pop("until", None) or []
        files = [file for file in sorted(self._folder.iterdir()) if file.suffix in {".yaml", ".py"}]
        code = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files}
        whole = task.aggregation()
        means = [metric for metric, how in whole.items() if how is mean]
        return {
            "version": str(task.VERSION),
            "likelihoods": likely,
            "include_path": str(self._folder),
            "until": [until] if isinstance(until, str) else list(until),
            "max_gen_toks": 1 if likely else int(generation.pop("max_gen_toks", 256)),
            "generation": generation,
            "metrics": [f"{metric},{one.name}" for metric in means for one in task._filters],
            "of_all": [metric for metric in whole if metric not in means],
            "sha": content_key("lm-eval task", [version("lm_eval"), self._name, code]).hex(),
        }

    def _row(self, id_: str, doc: Mapping[str, Any], prompt: str) -> dict[str, Any]:
        target = self._task.doc_to_target(doc)
        groups = (doc.get(name) for name in ("category", "subject"))
        return {
            "id": id_,
            "question": str(self._task.doc_to_text(doc)),
            "prompt": prompt,
            "references": [str(one) for one in (target if isinstance(target, list) else [target])],
            "category": next((one for one in groups if isinstance(one, str)), None),
        }


class Tasks(BatchAnswerer):
    """All tasks that are asked about, each loaded when it is first named."""

    batch = 64

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, Path], Metrics] = {}

    def stack(self) -> Runtime:
        return Runtime(backend="lm-eval", versions={"lm-eval": version("lm_eval")})

    def refusal(self, question: Question) -> Refusal | None:
        task = self._of(question["task"])
        if "items" in question or isinstance(task, Members):
            return None
        return task.refusal(question["item"])

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        task = self._of(questions[0]["task"])
        if isinstance(task, Members):
            return [task._asdict() for _ in questions]
        if "items" in questions[0]:
            return [task.describe(Path(one["items"])) for one in questions]
        return task.values(questions)

    def _of(self, asked: Mapping[str, Any]) -> Metrics | Members:
        """The task that is meant; of a group or a tag its tasks.

        Raises
        ------
        ConfigError
            As `load_task`; also for a task that is scored over several answers to a question, or
            runs code that nobody has agreed to.
        """
        name, included = asked["task"], [Path(one) for one in asked["include_path"]]
        kind, folder = _place_of(name, included)
        if kind != "task" or folder is None:
            return _tasks_of(name, included, folder)
        if (name, folder) not in self._loaded:
            task = load_task(name, [str(folder)], {})
            if task.config.unsafe_code and not asked["confirm_run_unsafe_code"]:
                raise ConfigError(
                    f"the lm-eval task {name} runs what models write as code on this machine: say "
                    "confirm_run_unsafe_code: true beside it where that is meant"
                )
            if (repeats := task.config.repeats) > 1:
                raise ConfigError(
                    f"the lm-eval task {name} scores {repeats} answers together (repeats); here "
                    "each is judged by itself"
                )
            self._loaded[name, folder] = Metrics(name, task, folder)
        return self._loaded[name, folder]


def _place_of(name: str, include_path: Sequence[Path]) -> tuple[str, Path | None]:
    """Task or group, and the folder of the file that defines it: included, else lm-eval's own.

    No folder for a tag.
    """
    import lm_eval.tasks

    known: list[Collection[str]] = []
    is_listed = False
    for root in (*reversed(include_path), Path(lm_eval.tasks.__file__).parent):
        names, listed = _names(root)
        if name in names:
            return names[name]
        is_listed = is_listed or name in listed
        known.append(names)
    if is_listed:
        return "tag", None
    near = [one for names in known for one in nearest(name, names)]
    hint = f"; did you mean {near[0]!r}?" if near else ""
    n = len(set().union(*known))
    raise ConfigError(f"no lm-eval task called {name!r}{hint} ({n:,} are known)")


@cache
def _names(root: Path) -> tuple[Mapping[str, tuple[str, Path]], Collection[str]]:
    """Tasks and groups below a folder, each with its own; and what may be a tag of some.

    Reading lm-eval's 14 000 files for these words takes a second; its own scan of them 5 to 15.
    """
    names: dict[str, tuple[str, Path]] = {}
    listed: set[str] = set()
    for file in root.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8", errors="replace")
        listed.update(_LISTED.findall(text))
        for kind, name in _NAMED.findall(text):
            names.setdefault(name, (kind, file.parent))
    return names, listed


class Members(NamedTuple):
    """The tasks of a group or a tag, those of groups in it too, in lm-eval's order.

    groups
        By name, of each group that puts figures of its tasks together, these ``tasks`` and how:
        ``metrics``, with the ``filters`` that are meant (None for all) and whether tasks are
        ``weighted`` by their number of items.
    """

    tasks: list[str]
    groups: dict[str, dict[str, Any]]


def _tasks_of(group: str, include_path: Sequence[Path], folder: Path | None) -> Members:
    """What a group or a tag is made of.

    Raises
    ------
    ConfigError
        For a group that asks a task otherwise than the task's own file says.
    """
    from lm_eval.tasks import TaskManager

    groups: dict[str, dict[str, Any]] = {}

    def tasks(index: Mapping[str, Any], one: Any) -> list[str]:
        if isinstance(one, Mapping):
            if "group" not in one and one.keys() > {"task"}:
                raise ConfigError(
                    f"{group} asks its task {one['task']} in a way of its own "
                    f"({', '.join(sorted(one.keys() - {'task'}))}): name the tasks that are wanted"
                )
            within = one["task"] if "group" in one else [one["task"]]
        elif (entry := index[one]).kind.name == "TAG":
            within = sorted(entry.tags)
        elif entry.kind.name == "GROUP":
            within = entry.cfg["task"]
        else:
            return [one]
        within = within if isinstance(within, list) else [within]
        found = [task for part in within for task in tasks(index, part)]
        # A group within another's file has no figure of its own in lm-eval's results.
        if isinstance(one, str) and entry.kind.name == "GROUP" and (of := _aggregated(entry.cfg)):
            groups[one] = {"tasks": list(dict.fromkeys(found)), "metrics": of}
        return found

    beside = [] if folder is None or any(map(folder.is_relative_to, include_path)) else [folder]
    for defaults in (False, True):  # lm-eval's own are scanned only where they are needed
        near = [] if defaults else beside
        manager = TaskManager(include_path=[*near, *include_path], include_defaults=defaults)
        try:
            return Members(list(dict.fromkeys(tasks(manager.task_index, group))), groups)
        except KeyError as error:
            unknown = error.args[0]
    raise ConfigError(f"no lm-eval task called {unknown!r}, which {group} names")


def _aggregated(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of a group, as its file says them; lm-eval's only way is a mean."""
    said = group.get("aggregate_metric_list") or []
    found = []
    for one in said if isinstance(said, list) else [said]:
        filters = one.get("filter_list")
        found.append(
            {
                "metric": one["metric"],
                "filters": [filters] if isinstance(filters, str) else filters,
                "weighted": bool(one.get("weight_by_size", True)),
            }
        )
    return found


if __name__ == "__main__":
    serve(lambda job: Tasks())
