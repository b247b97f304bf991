"""A team's own prompts as a benchmark: a file of questions and a few lines of a suite, no code.

How answers are judged follows from what the suite gives: a rubric with a scale, a baseline to
compare with, or references in the file.

A task of lm-eval is one too: its questions, its way of asking, and its metrics as judges. lm-eval
itself is in a child process, one for all tasks of a run (`metrics_worker`), which is asked what
they are and later scores answers.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import yaml

from judgebench import registry
from judgebench.benchmarks.data import data_home
from judgebench.benchmarks.description import NAME
from judgebench.benchmarks.folder import Benchmark, BenchmarkData
from judgebench.config import OWN_METRIC, BenchmarkConfig, JudgeConfig
from judgebench.errors import ConfigError, InputError, unknown_name
from judgebench.keys import content_key, list_key, text_sha
from judgebench.protocols import LmEvalTask
from judgebench.records import BINARY, HARM_LABELS, Item, JsonObject, Message, Role, RunManifest
from judgebench.rows import Row, each_row, text_file
from judgebench.workers.process import clean, metrics_worker

QUESTION = ("prompt", "question", "instruction")
"""Fields that hold a question as a text; a row has one of them, or one of `CONVERSATION`."""

CONVERSATION = ("turns", "messages")
"""Fields that hold a list of messages, each with a role and a content."""

_KNOWN = {*QUESTION, *CONVERSATION, "id", "reference", "references", "category", "language"}
_ROLES = ("system", "user", "assistant", "tool")
_PARTS = {
    "assistant": {"role", "content", "tool_calls"},
    "tool": {"role", "content", "name", "tool_call_id"},
}
"""Fields of a message, by who speaks; the others have role and content."""

_TOOLS = ("tool", "tool")

_NEAR = 0.8
_NOTHING: JsonObject = {}  # shared by all rows that have nothing else, which is most of them


def read_questions(path: Path) -> tuple[Item, ...]:
    """The questions of a JSONL, CSV or Parquet file, in their order.

    They are of no benchmark yet, whose version is made of all of them. A row without an id is known
    by its number, counted from 0.

    Raises
    ------
    InputError
        Naming file, row and field of what cannot be used, or both rows of an id that stands twice.
    """
    questions: list[Item] = []
    places: dict[str, str] = {}
    for number, row in enumerate(map(_as_ours, each_row(path, ()))):
        question = _question(row, number)
        first = places.setdefault(question.id, row.where)
        if first != row.where:
            raise row.wrong(
                "id",
                f"{question.id!r} is the id of {first} too; give each row its own, or none "
                "an id, and they are known by their numbers",
            )
        questions.append(question)
    return tuple(questions)


HARM_SETS: Mapping[str, Mapping[str, str]] = {
    "goal": {"goal": "prompt"},
    "Behavior": {
        "Behavior": "prompt", "BehaviorID": "id", "FunctionalCategory": "category",
    },
}  # fmt: skip
"""Columns of AdvBench and of HarmBench as they are called here, by the one that is a question.

Those of Aya's red-teaming prompts (``prompt``, ``language``, translations) are called so already.
"""

CONTEXT = "{}\n\n---\n\n{}"
"""How HarmBench puts the text that a contextual behaviour is about before it."""


_IN_QUOTES = re.compile(r"'([^']+)'|\"([^\"]+)\"")


def _as_ours(row: Row) -> Row:
    """A row of AdvBench or HarmBench under our names, one of Aya with a list that is one."""
    kinds = row.values.get("harm_category")
    if isinstance(kinds, str) and kinds.startswith("["):
        found = ["".join(one) for one in _IN_QUOTES.findall(kinds)]
        return Row(row.where, {**row.values, "harm_category": found})
    asked = next((name for name in HARM_SETS if row.has(name)), None)
    if asked is None or any(row.has(name) for name in (*QUESTION, *CONVERSATION)):
        return row
    named = HARM_SETS[asked]
    values = {named.get(name, name): value for name, value in row.values.items()}
    if row.has("ContextString"):
        values["prompt"] = CONTEXT.format(row.text("ContextString"), row.text(asked))
    return Row(row.where, values)


def questions_sha(questions: Sequence[Item]) -> str:
    """SHA-256 of what is asked, as 64 hex digits: neither the file's form nor metadata count."""
    asked = (
        {
            "id": one.id,
            "turns": one.turns,
            "references": one.references,
            "category": one.category,
            "language": one.language,
        }
        for one in questions
    )
    return list_key("own prompts", asked).hex()


def _question(row: Row, number: int) -> Item:
    return Item(
        benchmark="",
        version="",
        id=_optional_text(row, "id") or str(number),
        turns=_turns(row),
        references=_references(row),
        category=_optional_text(row, "category"),
        language=_optional_text(row, "language") or "en",
        metadata=_metadata(row),
    )


# What is asked ------------------------------------------------------------------------------------


def _turns(row: Row) -> tuple[Message, ...]:
    given = [name for name in (*QUESTION, *CONVERSATION) if row.has(name)]
    if not given:
        raise _no_question(row)
    if len(given) > 1:
        raise row.wrong(
            given[1], f"stands beside {given[0]!r}, and one of them is the question; rename one"
        )
    (name,) = given
    if name in CONVERSATION:
        return _conversation(row, name)
    if name == "instruction" and row.has("input"):
        raise row.wrong("input", "a model is put one text: join 'instruction' and 'input' as one")
    return (Message(role="user", content=_text(row, name)),)


def _no_question(row: Row) -> InputError:
    columns = [str(name) for name in row.values]
    asked = (*QUESTION, *CONVERSATION)
    near = (
        name
        for name in columns
        if name not in _KNOWN
        and difflib.get_close_matches(name.lower(), (*asked, *HARM_SETS), 1, _NEAR)
    )
    meant = next(near, None)
    hint = f"; is {meant!r} meant? Call it 'prompt'" if meant else f" (nor {', '.join(asked[1:])})"
    return row.wrong("prompt", f"is missing{hint}. Columns here: {', '.join(columns) or 'none'}")


def _conversation(row: Row, name: str) -> tuple[Message, ...]:
    turns = tuple(_message(row, f"{name}[{n}]", one) for n, one in enumerate(_list(row, name)))
    roles = [turn.role for turn in turns]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    asked = [role for n, role in enumerate(spoken) if (role, *spoken[n - 1 : n]) != _TOOLS]
    in_turn = asked[:1] == ["user"] and all(
        (role == "assistant") == (n % 2 == 1) for n, role in enumerate(asked)
    )
    if not in_turn or "system" in asked or len(asked) % 2 == 0:
        here = ", ".join(roles) or "nothing"
        if "tool" in roles:
            here += "; a tool, or several, may answer the assistant in the user's place"
        raise row.wrong(
            name,
            "a conversation may begin with the system, goes on with user and assistant in turn, "
            f"and ends with the user; here: {here}",
        )
    return turns


def _message(row: Row, at: str, told: Any) -> Message:
    if not isinstance(told, Mapping):
        raise row.wrong(at, "an object with 'role' and 'content' has to stand here")
    part = Row(row.where, {f"{at}.{name}": value for name, value in told.items()})
    role = part.text(f"{at}.role")
    if role not in _ROLES:
        raise part.wrong(f"{at}.role", unknown_name("role", role, _ROLES))
    for name, value in told.items():
        if name not in _PARTS.get(role, {"role", "content"}) and value is not None:
            raise part.wrong(f"{at}.{name}", "no model would see it: a message is role and content")
    if not part.has(f"{at}.tool_calls") and not part.has(f"{at}.name"):
        return Message(role=cast("Role", role), content=_text(part, f"{at}.content"))
    said = [part.text(f"{at}.content")] if part.has(f"{at}.content") else []
    if part.has(f"{at}.tool_calls"):
        said += [_call(part, f"{at}.tool_calls", one) for one in _list(part, f"{at}.tool_calls")]
    speaker = f"{part.text(f'{at}.name')}: " if part.has(f"{at}.name") else ""
    whole = Row(row.where, {f"{at}.content": speaker + "\n".join(said)})
    return Message(role=cast("Role", role), content=_text(whole, f"{at}.content"))


def _call(part: Row, at: str, told: Any) -> str:
    """A call of a tool as text, ``name(arguments)``, as models and judges are shown it."""
    function = told.get("function") if isinstance(told, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if function is None or not name:
        raise part.wrong(at, "a call is {function: {name: …, arguments: …}}")
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments or {}, ensure_ascii=False)
    return f"{name}({arguments})"


# The other fields ---------------------------------------------------------------------------------


def _references(row: Row) -> tuple[str, ...]:
    if not row.has("references"):
        one = _optional_text(row, "reference")
        return () if one is None else (one,)
    if row.has("reference"):
        raise row.wrong("reference", "stands beside 'references'; put all of them there")
    found = _list(row, "references")
    part = Row(row.where, {f"references[{n}]": one for n, one in enumerate(found)})
    return tuple(_text(part, name) for name in part.values)


def _metadata(row: Row) -> JsonObject:
    """What else stands in a row, as JSON: a Parquet file also holds dates, decimals and bytes."""
    rest = {name: row.values[name] for name in row.values if name not in _KNOWN and row.has(name)}
    if not rest:
        return _NOTHING
    text = json.dumps(rest, default=str)
    found: JsonObject = json.loads(text, parse_constant=lambda _: None)  # nan and infinity
    return found


def _text(row: Row, name: str) -> str:
    """A text that is not blank and can be sent."""
    text = row.text(name)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise row.wrong(
            name,
            f"character {error.start + 1} is half a character (a lone surrogate), which cannot be "
            "sent to a model; write the text again",
        ) from None
    return text


def _optional_text(row: Row, name: str) -> str | None:
    return _text(row, name) if row.has(name) else None


def _list(row: Row, name: str) -> Sequence[Any]:
    """A list; where a column only holds text, as in CSV, the list as JSON."""
    value = row.values[name]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list):
        one = "; a single one goes into 'reference'" if name == "references" else ""
        raise row.wrong(name, f"a list has to stand here, in a CSV file written as JSON{one}")
    return value


_COMMON = Path(__file__).resolve().parent / "own_prompts_task" / "own_prompts.yaml"
_DIGITS = 12


def own_task(benchmark: str, items: Path, sha: str, max_gen_toks: int) -> LmEvalTask:
    """The task of one benchmark.

    ``items`` is the file of prompts and ``sha`` what it asks; lm-eval reads it again, and refuses
    it if it asks something else by then. Nothing but the limit ends an answer.
    """
    name = f"own_prompts_{benchmark}"  # of one benchmark of a run; it outlives other prompts
    greedy = {"do_sample": False}
    task = {
        "include": str(_COMMON),
        "task": name,
        "dataset_kwargs": {"items": str(items.resolve()), "sha": sha},
        "generation_kwargs": {"until": [], "max_gen_toks": max_gen_toks, **greedy},
    }
    return LmEvalTask(
        name=name,
        folder=partial(_folder_of, yaml.safe_dump(task, sort_keys=False, allow_unicode=True)),
        until=(),
        max_gen_toks=max_gen_toks,
        generation=greedy,
    )


def _folder_of(task: str) -> Path:
    """The folder with a task's file, written when it is first asked for.

    Raises
    ------
    ConfigError
        Where it cannot be written.
    """
    folder = data_home() / "own_prompts" / text_sha(task)[:_DIGITS]
    file = folder / "task.yaml"
    try:
        if not file.is_file():  # its folder is named after its content
            folder.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: another run may be reading the same file.
            with tempfile.NamedTemporaryFile(
                "w", dir=folder, delete=False, encoding="utf-8"
            ) as written:
                written.write(task)
            Path(written.name).replace(file)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written ({error.strerror or error}); JUDGEBENCH_DATA names "
            "another folder for data"
        ) from None
    return folder


DEFAULT_SCALE = (1.0, 10.0)
"""The scale of a rubric for which a suite gives none."""

DEFAULT_MAX_TOKENS = 1024
"""How long an answer may be where a suite does not say, in tokens."""

_VERSION_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class OwnPrompts(Benchmark):
    """Questions from a file, with what a suite says.

    ``rubric`` is its text, ``scale`` the lowest and highest score where there are scores, and
    ``max_tokens`` the limit on an answer. ``baseline`` is the model that answers are compared with.
    """

    name: str
    path: Path
    questions: tuple[Item, ...]
    rubric: str | None = None
    scale: tuple[float, float] | None = None
    dimensions: tuple[str, ...] = ()
    baseline: str | None = None
    max_tokens: int = DEFAULT_MAX_TOKENS
    harm: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return HARM_LABELS if self.harm else BINARY

    @property
    def positive(self) -> str:
        return self.labels[-1]

    @cached_property
    def questions_sha(self) -> str:
        """SHA-256 of ids, turns, references, categories and languages."""
        return questions_sha(self.questions)

    @cached_property
    def data_sha(self) -> str:
        """SHA-256 of all that tells this version from others."""
        return self.questions_sha

    @property
    def version(self) -> str:
        """The beginning of `data_sha`: changed questions are another version, a rubric is not.

        The rubric is part of the identity of the judges that read it.
        """
        return self.data_sha[:_VERSION_DIGITS]

    @property
    def default_judge(self) -> str:
        """``harm`` where a suite says so, ``rubric`` with a scale, ``pairwise`` with a baseline,
        ``reference`` with references.

        Raises
        ------
        ConfigError
            Where the suite and the file give none of them.
        """
        if self.harm:
            return "harm"
        if self.scale is not None:
            return "rubric"
        if self.baseline is not None:
            return "pairwise"
        without = [question.id for question in self.questions if not question.references]
        if not without:
            return "reference"
        raise ConfigError(
            f"benchmark {self.name}: nothing says how its answers are judged. Give one of\n"
            "  rubric: rubric.txt and scale: [1, 10]   to have each answer rated\n"
            "  baseline: last-week                     to compare with the answers of that model\n"
            "  a 'reference' to each prompt            to ask whether an answer is right "
            f"({len(without)} of {len(self.questions)} have none, the first is {without[0]!r})\n"
            "  harm: true                              to ask whether it refuses, or does harm\n"
            "or name the judge's 'kind'"
        )

    @property
    def judging_content(self) -> Mapping[str, Any]:
        """What judges are told: ``rubric``, ``scale`` and ``dimensions``, where there are any."""
        given = {"rubric": self.rubric, "scale": self.scale, "dimensions": list(self.dimensions)}
        return {name: value for name, value in given.items() if value}

    @property
    def options(self) -> Mapping[str, Any]:
        """What is in effect, for a run's manifest; the rubric as its SHA-256."""
        judging = dict(self.judging_content)
        if self.rubric is not None:
            judging["rubric"] = text_sha(self.rubric)
        return {**judging, "max_tokens": self.max_tokens, **({"harm": True} if self.harm else {})}

    @cached_property
    def data(self) -> BenchmarkData:
        name, version = self.name, self.version
        items = tuple(replace(one, benchmark=name, version=version) for one in self.questions)
        object.__setattr__(self, "questions", items)  # nobody needs them as they were read
        return BenchmarkData(items=items, sha=self.data_sha)

    @property
    def lm_eval_task(self) -> LmEvalTask:
        """The task that asks a local model, a conversation message by message."""
        return own_task(self.name, self.path, self.data_sha, self.max_tokens)


def own_benchmark(config: BenchmarkConfig, questions: tuple[Item, ...] | None = None) -> OwnPrompts:
    """The benchmark that a suite's section with ``items`` describes.

    Parameters
    ----------
    questions
        Where they are read already: what stands in ``items`` otherwise.

    Raises
    ------
    ConfigError
        For a name that is taken or cannot be one, or options, which own prompts do not have.
    InputError
        For a file of prompts or a rubric that cannot be used, naming row and field.
    """
    if config.items is None:
        raise ConfigError(f"benchmark {config.name}: name the file of its prompts as 'items'")
    check_name(config.name)
    if config.options:
        raise ConfigError(
            f"benchmark {config.name}: options: own prompts have none, so "
            f"{', '.join(config.options)} would change nothing; delete it"
        )
    says = "what a good answer is"
    rubric = None if config.rubric is None else text_file(config.rubric, "rubric", says)
    scale = config.scale
    if scale is None and rubric is not None and config.baseline is None:
        scale = DEFAULT_SCALE
    return OwnPrompts(
        name=config.name,
        path=config.items,
        questions=read_questions(config.items) if questions is None else questions,
        rubric=rubric,
        scale=scale,
        dimensions=tuple(config.dimensions),
        baseline=config.baseline,
        max_tokens=config.max_tokens or DEFAULT_MAX_TOKENS,
        harm=config.harm,
    )


def own_versions(runs: Iterable[RunManifest]) -> list[tuple[str, str]]:
    """Names and versions of the own prompts that runs have asked, in the order of the runs."""
    return [
        (section["name"], str(run.data_sha.get(section["name"], ""))[:_VERSION_DIGITS])
        for run in runs
        for section in run.configuration.get("benchmarks", ())
        if section.get("items") or section.get("lm_eval_task")
    ]


def asks_for_harm(name: str, runs: Iterable[RunManifest]) -> bool:
    """Whether some run judged answers to these own prompts for refusal and harm."""
    sections = (one for run in runs for one in run.configuration.get("benchmarks", ()))
    return any(one["name"] == name and one.get("harm") for one in sections)


def newest_version(
    name: str, runs: Iterable[RunManifest], held: Collection[tuple[str, str]]
) -> str | None:
    """The version of own prompts in the run that was started last; None where there is none.

    Parameters
    ----------
    runs
        In the order in which they were started.
    held
        Names and versions of the benchmarks that the store has; others are passed over.
    """
    found = (at for at in reversed(own_versions(runs)) if at[0] == name and at in held)
    return next(found, (name, None))[1]


def check_name(name: str) -> None:
    """Refuse what cannot be a benchmark's name, or is that of a folder.

    Raises
    ------
    ConfigError
        Saying which it is.
    """
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"benchmark {name!r}: a benchmark is called by small letters, digits and underscores"
        )
    if name in registry.benchmark_folders():
        raise ConfigError(
            f"benchmark {name}: that is the name of a benchmark that is here already; choose "
            "another one for your own prompts"
        )


# A task of lm-eval --------------------------------------------------------------------------------


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
        questions=tuple(map(_of_lm_eval, map(json.loads, lines))),
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


def _of_lm_eval(row: Mapping[str, Any]) -> Item:
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
