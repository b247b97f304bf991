"""The process that holds a local model: loads it once, answers the items of its tasks.

    python -m judgebench.workers.generate

It speaks as `judgebench.workers.protocol` says. The job names the model and everything that could
be asked of it::

    {"model": "hf", "model_args": {...}, "batch_size": 8, "device": null, "seed": 1234,
     "apply_chat_template": true,
     "tasks": [{"task": "...", "include_path": ["..."], "metadata": {...}, "ids": ["0", ...],
                "apply_chat_template": true, "system_instruction": null,
                "fewshot_as_multiturn": false, "prompt_tokens": {}, "prefix": null,
                "until": [], "max_gen_toks": 64, "sampling": {"do_sample": false},
                "sampling_of": {}, "further": {}}]}

and a question is one item's sample, an answer one row for each turn of it::

    {"id": ["the task", "0", 0]}
    {"id": ["the task", "0", 0], "turn": 0, "text": ...}

A text as the job's ``apply_chat_template`` names one of the model's templates, for all tasks.
``prompt_tokens`` is how prompts become tokens where that is not lm-eval's way (`PromptTokens`).
``sampling_of`` takes the place of ``sampling`` for the items that it names, and ``further``, unless
it is empty, that of both for every sample but 0.

With a ``prefix``, what a task asks stands below it in URIAL's form (`below_prefix`), no template is
applied, and a prompt that does not fit is refused, never cut.

Turns: with ``"turns": {"0": [[{"role": "user", "content": ...}], ...], ...}`` a conversation is
held, message by message through the model's chat template and without a task of lm-eval: each of
these lists is put after what was said so far, and the model answers it. What goes on is the final
answer, without its reasoning. A conversation in which a turn comes to no answer ends there; one
that grows too long for the model fails from there on. Each turn of a batch is an event, unless
``"whole": true`` has all of them come together. What was answered before on this very stack is not
asked again: ``"before": {"stack": {...}, "texts": [["0", 0, ["the first turn's answer"]], ...]}``.
What shares a batch is asked again with it as long as one of them lacks the turn.

Likelihoods: of a task of lm-eval that generates nothing the answer is the list of texts, as JSON,
with how likely each is (`judgebench.workers.generate`).

The process that knows lm-eval's tasks: what they ask, what their own metrics say of answers.

    python -m judgebench.workers.generate

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

import hashlib
import json
import math
import numbers
import re
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from judgebench.errors import ConfigError, nearest
from judgebench.keys import content_key
from judgebench.records import NOT_SAID, Runtime
from judgebench.workers import backends
from judgebench.workers.backends import Backend, Decoding, Generated, PromptTokens, too_long
from judgebench.workers.final_answer import read_answer
from judgebench.workers.prompts import ChatPrompts, below_prefix, prompt_text
from judgebench.workers.protocol import (
    Answer,
    BatchAnswerer,
    Event,
    Question,
    Refusal,
    failed,
    free_memory,
    in_words,
    serve,
)

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


WINDOW = 16
"""Batches a window holds: prompts are sorted by length within one, to save padding."""

_EXPLICIT = ("until", "max_gen_toks", "sampling")


@dataclass(slots=True)
class _Conversation:
    """An item while it is answered.

    ``messages`` are what was said so far, ``turns`` what is still to be put after them; without
    ``turns`` it has the one ``prompt`` of a task. ``before`` are answers of an earlier time.
    """

    id: str
    prompt: Any
    messages: list[Mapping[str, str]]
    turns: list[Sequence[Mapping[str, str]]]
    before: Sequence[str] = ()
    failure: str | None = None


def load(
    job: Mapping[str, Any], load_backend: Callable[[Mapping[str, Any]], Backend] = backends.load
) -> Generator:
    """The model of a job, with the prompts of its tasks.

    Raises
    ------
    ConfigError
        For a task that cannot be asked as the job says.
    """
    tasks = [_Task(task, job["seed"]) for task in job["tasks"]]
    backend = load_backend(job)  # a task may register the backend that it is for
    for task in tasks:
        task.build(backend)
    return Generator(backend, tasks)


class Generator:
    """A backend with the tasks that it answers."""

    def __init__(self, backend: Backend, tasks: Sequence[_Task]) -> None:
        self._backend = backend
        self._tasks = tasks
        self.batch = backend.batch

    def stack(self) -> Runtime:
        return self._backend.stack()

    def answers(self, questions: Sequence[Question]) -> Iterator[Event]:
        """Events, a batch at a time. What fails is said, and the next batch follows."""
        apart = any(question.get("apart") for question in questions)
        for task in self._tasks:
            ids = [question["id"] for question in questions]
            missing = {(item, n) for name, item, n in ids if name == task.name}
            yield from task.answers(missing, apart=apart)

    def portions(self, questions: Sequence[Question]) -> list[list[int]]:
        number_of = {tuple(question["id"]): n for n, question in enumerate(questions)}
        return [
            [number_of[task.name, *one] for one in together]
            for task in self._tasks
            for together in task.portions({one[1:] for one in number_of if one[0] == task.name})
        ]


class _Task:
    """One task of a job."""

    def __init__(self, task: Mapping[str, Any], seed: int) -> None:
        self.name: str = task["task"]
        absent = [name for name in _EXPLICIT if task.get(name) is None]
        if absent:  # lm-eval would stop at the first blank line, or after 256 tokens
            raise ConfigError(f"task {self.name}: {', '.join(absent)} has to be said explicitly")
        self._given = task
        self._seed = seed
        self._turns: Mapping[str, Sequence[Any]] = task.get("turns") or {}
        self._source = (
            None if self._turns else load_task(self.name, task["include_path"], task["metadata"])
        )
        self._likely = self._source is not None and self._source.OUTPUT_TYPE in LIKELIHOODS
        self._before: dict[tuple[str, int], Sequence[str]] = {}
        rule = task.get("prompt_tokens")
        self._tokens = PromptTokens(**rule) if rule else None
        self._prefix: str | None = task.get("prefix")
        self._batched: dict[
            bool, tuple[list[tuple[dict[str, Any], list[str]]], dict[str, int]]
        ] = {}

    def build(self, backend: Backend) -> None:
        """The first prompt of each item."""
        self._backend = backend
        given = self._given
        if self._tokens is not None and "prompt_tokens" in backend.unsupported:
            raise ConfigError(
                f"task {self.name}: this backend takes text and cannot be told how it becomes "
                "tokens, as the benchmark's preset has it; use the backend hf or vllm, or say "
                "options: {preset: clean}"
            )
        if self._turns:
            self._chat = ChatPrompts(
                backend.lm,
                apply_chat_template=given["apply_chat_template"],
                system_instruction=given["system_instruction"],
                prefix=self._prefix,
            )
            self._prompts = {id_: self._chat.of(turns[0]) for id_, turns in self._turns.items()}
            before = given.get("before")
            if before is not None and Runtime(**before["stack"]) == backend.stack():
                self._before = {(id_, sample): said for id_, sample, said in before["texts"]}
        else:
            self._prompts = _prompts_of(self._source, given, backend.lm)
        if self._prefix is not None:
            self._put_below(self._prefix)

    def _put_below(self, prefix: str) -> None:
        """The prompts below the prefix, which has to fit with an answer."""
        if (why := self._refusal(below_prefix(prefix, []))) is not None:
            raise ConfigError(f"task {self.name}: the prefix alone leaves no room: {why}")
        if not self._turns:
            self._prompts = {
                id_: below_prefix(prefix, [{"role": "user", "content": prompt}])
                for id_, prompt in self._prompts.items()
            }

    def _refusal(self, prompt: Any) -> str | None:
        """Why this prompt cannot be answered; None if it can.

        Below a prefix nothing is cut: that would be another prompt.
        """
        decoding, lm = self._decoding(0, self._given["sampling"]), self._backend.lm
        if self._likely:  # a context and what goes on have to fit, and nothing follows them
            longest = max(map("".join, prompt), key=len)
            return self._backend.refusal(longest, replace(decoding, max_gen_toks=0))
        if self._prefix is None or getattr(lm, "tokenizer", None) is None:
            return self._backend.refusal(prompt, decoding)
        most = int(lm.max_length) - decoding.max_gen_toks
        return too_long(lm, prompt, decoding, most=most, instead="take a shorter prefix")

    def answers(self, missing: set[tuple[str, int]], *, apart: bool = False) -> Iterator[Event]:
        """Events about samples of items; ``apart`` leaves out what shares a batch with them."""
        why = self._refusals
        for id_ in sorted({id_ for id_, _ in missing}):
            message = why.get(id_, "the task has no document with this id")
            if message is not None:
                yield self._failed([one for one in missing if one[0] == id_], message)
        for number, sampling, ids, wanted in self._wanted(missing):
            asked = [id_ for id_, _ in wanted] if apart else ids
            yield from self._batch(asked, wanted, sampling, number)

    def portions(self, missing: set[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
        """What is answered together, and at the end what is refused."""
        for *_, wanted in self._wanted(missing):
            yield wanted
            missing = missing.difference(wanted)
        if missing:
            yield sorted(missing)

    def _wanted(
        self, missing: set[tuple[str, int]]
    ) -> Iterator[tuple[int, dict[str, Any], list[str], list[tuple[str, int]]]]:
        """The batches in which something is missing, sample by sample, with that and a number."""
        for sample in sorted({n for _, n in missing}):
            batched, number_of = self._batches(bool(sample and self._given.get("further")))
            here = (id_ for id_, n in missing if n == sample and id_ in number_of)
            for number in sorted({number_of[id_] for id_ in here}):
                sampling, ids = batched[number]
                wanted = [(id_, sample) for id_ in ids if (id_, sample) in missing]
                yield number, sampling, ids, wanted

    @cached_property
    def _refusals(self) -> dict[str, str | None]:
        """Why items are not asked; None for those that are."""
        return {id_: self._refusal(prompt) for id_, prompt in self._prompts.items()}

    def _batches(
        self, further: bool
    ) -> tuple[list[tuple[dict[str, Any], list[str]]], dict[str, int]]:
        """Ids that are answered together, with what they are sampled with; the number of each."""
        if further not in self._batched:
            alike: dict[str, tuple[dict[str, Any], list[str]]] = {}
            for id_ in self._given["ids"]:
                own = self._given.get("sampling_of", {}).get(id_, self._given["sampling"])
                sampling = self._given["further"] if further else own
                told = json.dumps(sampling, sort_keys=True)
                alike.setdefault(told, (sampling, []))[1].append(id_)
            asked = {id_: p for id_, p in self._prompts.items() if self._refusals[id_] is None}
            found = [
                (sampling, some)
                for sampling, ids in alike.values()
                for some in batches(asked, ids, self._backend.batch)
            ]
            number_of = {id_: n for n, (_, ids) in enumerate(found) for id_ in ids}
            self._batched[further] = found, number_of
        return self._batched[further]

    def _batch(
        self,
        ids: Sequence[str],
        wanted: Sequence[tuple[str, int]],
        sampling: dict[str, Any],
        number: int,
    ) -> Iterator[Event]:
        """What is said of the items that are answered together, turn by turn."""
        sample, turn, message = wanted[0][1], 0, None
        conversations = {id_: self._conversation(id_, sample) for id_ in ids}
        going_on = list(conversations.values())
        rows: list[dict[str, Any]] = []
        while going_on and message is None:
            try:
                new = self._answer(going_on, sampling, sample, number, turn)
                rows += [
                    {"id": [self.name, id_, sample], "turn": turn, **new[id_]}
                    for id_, _ in wanted
                    if id_ in new
                ]
                turn += 1
                going_on = [one for one in going_on if self._goes_on(one)]
            except Exception as error:  # noqa: BLE001  (one batch fails; the run goes on)
                message = in_words(error)
            if rows and not (self._given.get("whole") and going_on and message is None):
                yield {"event": "answered", "answers": rows}
                rows = []
        for one in wanted:
            if (failure := conversations[one[0]].failure) is not None:
                yield self._failed([one], failure)
        if message is not None:
            free_memory()
            left = {one.id for one in going_on}
            if failed := [one for one in wanted if one[0] in left]:
                yield self._failed(failed, message)

    def _conversation(self, id_: str, sample: int) -> _Conversation:
        first, *turns = self._turns.get(id_) or [()]
        before = self._before.get((id_, sample), ())
        return _Conversation(id_, self._prompts[id_], list(first), turns, before)

    def _answer(
        self,
        conversations: Sequence[_Conversation],
        sampling: dict[str, Any],
        sample: int,
        number: int,
        turn: int,
    ) -> dict[str, dict[str, Any]]:
        """The next turn of each; by id what is new of it."""
        rows: dict[str, dict[str, Any]] = {}
        if any(turn >= len(one.before) for one in conversations):
            prompts = [one.prompt for one in conversations]
            seed = batch_seed(self._seed, task=self.name, sample=sample, number=number, turn=turn)
            drawn = (
                self._backend.measured(prompts)
                if self._likely
                else self._backend.generate(prompts, self._decoding(seed, sampling))
            )
            for one, generated in zip(conversations, drawn, strict=True):
                if turn >= len(one.before):
                    rows[one.id] = self._row(one.prompt, generated)
        for one in conversations:
            said = rows[one.id]["text"] if one.id in rows else one.before[turn]
            one.messages.append({"role": "assistant", "content": said})
        return rows

    def _goes_on(self, conversation: _Conversation) -> bool:
        """Whether there is another turn; its prompt is made."""
        if not conversation.turns or not conversation.messages[-1]["content"]:
            return False
        conversation.messages += conversation.turns.pop(0)
        conversation.prompt = self._chat.of(conversation.messages)
        conversation.failure = self._refusal(conversation.prompt)
        return conversation.failure is None

    def _decoding(self, seed: int, sampling: dict[str, Any]) -> Decoding:
        # A model that reasons may write a stop sequence while it does; then the stops are ours.
        stops = () if self._backend.think_end else tuple(self._given["until"])
        return Decoding(
            stops=stops,
            max_gen_toks=self._given["max_gen_toks"],
            sampling=sampling,
            seed=seed,
            weighed=not sampling.get("do_sample"),
            prompt_tokens=self._tokens,
        )

    def _row(self, prompt: Any, one: Generated) -> dict[str, Any]:
        asked = asked_text(prompt)
        answer = read_answer(
            replace(one, finish_reason=one.finish_reason or NOT_SAID),
            prompt="" if self._likely else asked,
            think_end=self._backend.think_end,
            stops=self._given["until"],
            fenced=self._prefix is not None,
        )
        return {"prompt": asked, **asdict(one), **asdict(answer)}

    def _failed(self, ids: Sequence[tuple[str, int]], message: str) -> Event:
        return failed([[self.name, *one] for one in sorted(ids)], message)


def batches(prompts: Mapping[str, Any], ids: Sequence[str], batch: int) -> Iterator[list[str]]:
    """Item ids, a batch at a time: long prompts first within each window of the full list.

    What shares a batch changes greedy answers in the last digits of a logit. A run that was killed
    and goes on must therefore batch as an undisturbed one does: from the full list, never from what
    is missing. Ids without a prompt are left out. Long ones first, so that too little memory shows
    at once.
    """
    known = [id_ for id_ in ids if id_ in prompts]
    for start in range(0, len(known), batch * WINDOW):
        window = known[start : start + batch * WINDOW]
        window.sort(key=lambda id_: -len(str(prompts[id_])))
        for first in range(0, len(window), batch):
            yield window[first : first + batch]


def batch_seed(seed: int, *, task: str, sample: int, number: int, turn: int = 0) -> int:
    """A seed for each batch of each sample and turn, whatever was generated before it."""
    text = f"{seed}\n{task}\n{sample}\n{number}" + (f"\n{turn}" if turn else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


# Tasks of lm-eval ---------------------------------------------------------------------------------


def _prompts_of(task: Any, given: Mapping[str, Any], lm: Any) -> dict[str, Any]:
    """Item id -> prompt, exactly as lm-eval would send it (`asked_of`).

    Text, except where a backend's template makes something else. Ids for which the task has no
    document are absent.
    """
    docs = doc_ids(given["task"], task.eval_docs)
    ids = set(given["ids"])
    wanted = {n for n, id_ in enumerate(docs) if id_ in ids}
    if not wanted:
        return {}
    if task.config.num_fewshot:  # which examples are drawn depends on who drew before
        wanted = set(range(max(wanted) + 1))
    templated = given["apply_chat_template"]
    task.build_all_requests(
        samples=wanted,  # lm-eval asks 'is it in': a list would make this quadratic
        system_instruction=given["system_instruction"],
        apply_chat_template=templated,
        fewshot_as_multiturn=given["fewshot_as_multiturn"],
        chat_template=lm.apply_chat_template if templated else None,
        tokenizer_name=lm.tokenizer_name if templated else "",
    )
    chosen = [docs[n] for n in sorted(wanted)]  # lm-eval numbers those that it was given
    return {id_: asked for id_, asked in asked_of(task, chosen).items() if id_ in ids}


if __name__ == "__main__":
    serve(load)
