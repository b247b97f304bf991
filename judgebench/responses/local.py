"""A local model as a suite describes it, what of that is its identity, and how it answers.

What shapes the question or the answer is in a response's key; how it is run (dtype, batch size,
devices) is its stack, stored beside it. The model itself is in a worker process, which holds torch
and lm-eval; nothing heavy is imported here. It is loaded once for all tasks of a run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import Field

from judgebench.config import LmEval
from judgebench.errors import ConfigError, InputError
from judgebench.keys import text_sha
from judgebench.protocols import LmEvalTask
from judgebench.records import Item, JsonObject, Message, Response, Runtime, Usage
from judgebench.responses.identity import LOADED_AS, pinned
from judgebench.responses.remote import draws, is_rule, temperature_of, with_unasked
from judgebench.workers.hub import SilentHubError, file_of
from judgebench.workers.process import NEEDS, START, Worker, clean
from judgebench.workers.prompts import PREFIX_STOPS
from judgebench.yaml_file import MODEL_TOKENS


class LocalModel(LmEval):
    """A suite's section ``lm_eval``, with what else a benchmark says of how the model is asked.

    ``prompt_tokens`` says how prompts become tokens where that is not lm-eval's way, as a
    benchmark's preset may: ``special_tokens``, ``max_length``, ``truncation_side``. ``prefix`` is
    the text below which a base model is asked, in place of a chat template.
    """

    prompt_tokens: Mapping[str, Any] = Field(default_factory=dict)
    prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How a task is answered, everything said: task file and suite together.

    ``temperatures`` are by category, where that decides; ``sampling`` is then what is said besides.
    ``further`` is what samples after the first are answered with; empty where that is the same.
    """

    until: tuple[str, ...]
    max_gen_toks: int
    sampling: Mapping[str, Any]
    temperatures: Mapping[str, float] = field(default_factory=dict)
    further: Mapping[str, Any] = field(default_factory=dict)

    def sampling_of(self, item: Item) -> Mapping[str, Any]:
        """What an item is answered with."""
        if not self.temperatures:
            return self.sampling
        temperature = temperature_of(self.temperatures, item)
        return {**self.sampling, "do_sample": temperature > 0, "temperature": temperature}

    @property
    def samples(self) -> bool:
        """Whether a second sample can be another answer than the first."""
        first = draws(self.temperatures) or bool(self.sampling.get("do_sample"))
        return first or bool(self.further)


_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_WEIGHTS = {
    *LOADED_AS,
    *("pretrained", "model", "revision", "subfolder", "gguf_file", "peft", "delta"),
    *("lora_local_path", "tokenizer", "tokenizer_revision"),
}
_RUNNING = {
    *("dtype", "device", "device_map", "parallelize", "max_memory_per_gpu", "max_cpu_memory"),
    *("offload_folder", "max_batch_size", "tp_plan", "tensor_parallel_size", "data_parallel_size"),
    *("gpu_memory_utilization", "max_num_seqs", "enforce_eager", "tp_size", "dp_size"),
    *("attn_implementation", "logits_cache", "base_url", "num_concurrent", "timeout"),
    *("max_retries", "distributed_executor_backend", "seed", "batch_size"),
}


def generation_of(local: LocalModel, task: LmEvalTask) -> Generation:
    """What a task says about decoding, with the suite's ``gen_kwargs`` over it.

    A suite that says how a model samples also takes the place of a task's temperatures by category.
    One that has a model draw every answer leaves no first answer that further ones differ from.

    Raises
    ------
    ConfigError
        For settings that contradict each other: lm-eval would pick one of them in silence.
    """
    usual = dict(task.generation)
    if GENERATION_CONFIG in local.gen_kwargs:
        usual = {n: v for n, v in usual.items() if n not in {"do_sample", "temperature"}}
    temperatures: Mapping[str, float] = {}
    if is_rule(usual.get("temperature")):
        rule = usual.pop("temperature")
        temperatures = {} if {"temperature", "do_sample"} & local.gen_kwargs.keys() else rule
    given = with_own_sampling({**usual, **local.gen_kwargs}, local.model_args)
    until = given.pop("until", task.until)
    lengths = {name: given.pop(name) for name in _LENGTHS if name in given}
    if len({*lengths.values()}) > 1:
        raise ConfigError(f"gen_kwargs: one length, not {', '.join(lengths)}: say max_gen_toks")
    max_gen_toks = next(iter(lengths.values()), task.max_gen_toks)
    if isinstance(max_gen_toks, bool) or not isinstance(max_gen_toks, int) or max_gen_toks < 1:
        raise ConfigError(f"gen_kwargs: max_gen_toks is a number above 0, not {max_gen_toks!r}")
    until = (until,) if isinstance(until, str) else tuple(until)
    if local.prefix is not None:
        until = tuple(dict.fromkeys((*until, *PREFIX_STOPS)))
    if temperatures:
        return Generation(
            until=until, max_gen_toks=max_gen_toks, sampling=given, temperatures=temperatures
        )
    temperature = given.pop("temperature", None)
    do_sample = given.pop("do_sample", None)
    if temperature is not None and not isinstance(temperature, int | float):
        raise ConfigError(f"gen_kwargs: temperature is a number, not {temperature!r}")
    if temperature is None:
        temperature = 1.0 if do_sample else 0.0
    if do_sample is None:
        do_sample = bool(temperature)
    if bool(do_sample) != bool(temperature):
        raise ConfigError(
            f"gen_kwargs: do_sample {bool(do_sample)} with temperature {temperature} contradict "
            "each other; for sampling say do_sample: true and a temperature above 0, for greedy "
            "answers do_sample: false"
        )
    sampling = {"do_sample": bool(do_sample), "temperature": float(temperature), **given}
    further: dict[str, Any] = {}
    if task.further and not do_sample:
        said = {n: v for n, v in local.gen_kwargs.items() if n in given}
        further = {**sampling, "do_sample": True, **task.further, **said}
    return Generation(until=until, max_gen_toks=max_gen_toks, sampling=sampling, further=further)


def prompting_of(local: LocalModel, task: LmEvalTask) -> JsonObject:
    """What shapes the prompt and where the answer ends: part of a model's key.

    The chat template itself is among the files that `weights_identity` hashes. A token is no part
    of anything that is kept.
    """
    also = {
        "system_instruction": local.system_instruction,
        "fewshot_as_multiturn": local.fewshot_as_multiturn or None,
        "model_args": shaping_arguments(local) or None,
        "tokens": dict(local.prompt_tokens) or None,
        "prefix": local.prefix and {"sha256": text_sha(local.prefix), "form": "urial/1"},
    }
    return {
        "apply_chat_template": local.apply_chat_template,
        "until": list(generation_of(local, task).until),
        **{name: value for name, value in also.items() if value is not None},
    }


def shaping_arguments(local: LmEval) -> dict[str, Any]:
    """The ``model_args`` that are neither about weights nor about running: they shape the prompt.

    One that is not known counts among them, to be safe.
    """
    return {
        name: value
        for name, value in local.model_args.items()
        if name not in {*_WEIGHTS, *_RUNNING, *MODEL_TOKENS} and value is not None
    }


def decoding_of(local: LocalModel, task: LmEvalTask, *, seed: int) -> JsonObject:
    """Every decoding parameter: part of a model's key.

    The seed is left out of greedy decoding, where it changes nothing. What further samples are
    drawn with is there also where none are asked for: so a run that asks for more of them finds the
    first answers.
    """
    generation = generation_of(local, task)
    decoding = {**generation.sampling, "max_gen_toks": generation.max_gen_toks}
    if generation.further:
        decoding["further"] = dict(generation.further)
    if generation.temperatures:
        decoding["temperature"] = dict(generation.temperatures)
    return {**decoding, "seed": seed} if generation.samples else decoding


# How a checkpoint says that it wants to be sampled ------------------------------------------------
#
# Where a task or a suite says ``generation_config: model``, the values of its
# ``generation_config.json`` are read and said one by one, so that every backend obeys them and they
# stand in the model's key.

GENERATION_CONFIG = "generation_config"
"""The setting that leaves sampling to the model; ``model`` is its only value."""

FILE = "generation_config.json"

USUAL_TOP_K = 50
"""That of transformers, for a model that is sampled and names none."""

_OF_DRAWS = ("temperature", "top_p", "top_k", "min_p", "typical_p")
_ALWAYS = ("repetition_penalty", "no_repeat_ngram_size", "num_beams")
_NOTHING = {"typical_p": 1.0, "no_repeat_ngram_size": 0, "num_beams": 1}
"""Values that change nothing, under names that not every backend takes."""


def with_own_sampling(given: Mapping[str, Any], model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which ``generation_config`` is replaced by what it stands for.

    What is said besides wins: of an answer that is said to be greedy, only penalties remain.

    Raises
    ------
    ConfigError
        For a value that is none, or a model whose file cannot be had.
    """
    said = dict(given)
    whose = said.pop(GENERATION_CONFIG, None)
    if whose is None:
        return said
    if whose != "model":
        raise ConfigError(
            f"gen_kwargs: {GENERATION_CONFIG}: model leaves sampling to what the checkpoint says "
            f"of itself; {whose!r} is nothing"
        )
    own = own_sampling(model_args)
    if said.get("do_sample") is False:
        own = {name: value for name, value in own.items() if name not in _OF_DRAWS}
    return {**own, **said}


def own_sampling(model_args: Mapping[str, Any]) -> dict[str, Any]:
    """``do_sample``, and what else of a checkpoint's file changes its answers.

    Greedy where the file is absent or does not say, as in transformers.

    Raises
    ------
    ConfigError
        For a model without a checkpoint here or on the Hub.
    InputError
        For a file that is no JSON object.
    """
    path = _file(model_args)
    try:
        found = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: has to hold a JSON object")
    usual: dict[str, Any] = {"do_sample": False}
    names: tuple[str, ...] = _ALWAYS
    if found.get("do_sample"):
        usual = {"do_sample": True, "temperature": 1.0, "top_k": USUAL_TOP_K}
        names += _OF_DRAWS
    said = {n: v for n in names if (v := found.get(n)) is not None and v != _NOTHING.get(n)}
    return {**usual, **said}


def _file(model_args: Mapping[str, Any]) -> Path | None:
    """The file, fetched where it is the Hub's; None where the checkpoint has none."""
    main = model_args.get("pretrained")
    if main is None:
        raise ConfigError(
            f"{GENERATION_CONFIG}: model needs a checkpoint to read (model_args: pretrained); say "
            "how it samples with gen_kwargs: {do_sample: …, temperature: …}"
        )
    name = f"{model_args.get('subfolder') or ''}/{FILE}".lstrip("/")
    place = Path(str(main)).expanduser()
    if place.exists():
        return place / name if (place / name).is_file() else None
    instead = "download the model first, or say how it samples with gen_kwargs: {do_sample: …}"
    try:
        return file_of(str(main), name, pinned(model_args).get("revision"))
    except SilentHubError as error:
        raise ConfigError(f"{name} of {main} {error}; {instead}") from None


# The worker ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One benchmark's task for one model; ``items`` is the full list, whatever is missing.

    ``local`` is the model as this task asks it, where that is not as others do. With
    ``turn_by_turn`` every user turn of an item is answered before the next one is put, through the
    model's chat template and without lm-eval's task. ``before`` are answers that the store has of
    conversations, by item id and sample, given on a ``stack``: on that one they go on from there.
    """

    task: LmEvalTask
    items: Sequence[Item]
    model_key: bytes
    samples: int = 1
    local: LocalModel | None = None
    turn_by_turn: bool = False
    before: Mapping[tuple[str, int], Sequence[str]] = field(default_factory=dict)
    stack: Runtime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an answer stands: at every one of ``item_ids``, which ask the same, under one key.

    Of a conversation ``key`` is that of the last answer, after those of the ``earlier`` ones.
    """

    key: bytes
    benchmark: str
    version: str
    item_ids: tuple[str, ...]
    model_key: bytes
    earlier: tuple[bytes, ...] = ()

    def responses(
        self, row: Mapping[str, Any], stack: Runtime | None
    ) -> Iterator[tuple[bytes, Response]]:
        """What a worker said, as it is stored at each place, by its key."""
        keys = (*self.earlier, self.key)
        for item_id in self.item_ids:
            said = _response(row, self.benchmark, self.version, self.model_key, stack, item_id)
            yield from ((keys[one.turn], one) for one in with_unasked(said, len(keys)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersStored:
    """So many answers that are in the store already, written where they were given."""

    task: str
    n: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChunk:
    """Answers that came together: one transaction."""

    task: str
    responses: Sequence[Response]

    @property
    def tokens(self) -> int:
        return sum(one.usage.completion_tokens or 0 for one in self.responses)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFailure:
    """What could not be answered, as (item id, sample), and why."""

    task: str
    ids: Sequence[tuple[str, int]]
    message: str


class LmEvalWorker(AbstractContextManager["LmEvalWorker"]):
    """A local model in a process of its own.

    Use as a context manager; `start`, then `generate`. Leaving it ends the process and everything
    that it started.

    Parameters
    ----------
    loading_s
        How long it may take until the model is loaded and its prompts are made; no limit if None.
    """

    def __init__(
        self,
        local: LocalModel,
        tasks: Sequence[Task],
        *,
        seed: int,
        loading_s: float | None = None,
    ) -> None:
        self._local = local
        self._tasks = {task.task.name: task for task in tasks}
        if len(self._tasks) < len(tasks):
            raise ConfigError("two benchmarks of a run share an lm-eval task; run them one by one")
        self._seed = seed
        self._loading_s = loading_s
        self._process: Worker | None = None
        self._stack: Runtime | None = None
        self._asked = [_task_of_job(task, task.local or local) for task in tasks]

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop()

    def start(self) -> Runtime:
        """Start the process and load the model; how it runs.

        Raises
        ------
        ConfigError
            Where what it needs is not installed, or the job cannot be done as it stands.
        LocalModelError
            Where the model cannot be loaded, or not in time, with the process's last words.
        """
        self._process = START.get()(
            "judgebench.workers.generate",
            model="the local model",
            gpus=self._local.gpus,
            needs=NEEDS.get(self._local.model),
        )
        ready = self._process.load(
            self.job(),
            within_s=self._loading_s,
            limit="the suite's limits: {timeout_s: …} above that",
        )
        self._stack = Runtime(**ready["stack"])
        return self._stack

    def generate(
        self,
        missing: Mapping[str, Collection[tuple[str, int]]],
        place_of: Callable[[str, tuple[str, int]], Place] | None = None,
    ) -> Iterator[AnswerChunk | AnswerFailure | AnswersStored]:
        """Answers to what is missing, as (item id, sample) by task; a batch at a time.

        With ``place_of``, workers that can write to the store do so.

        Raises
        ------
        LocalModelError
            When the process ends before it is done, with its last words. What came before stays.
        """
        assert self._process is not None, "the worker was not started"
        place_of = place_of if self._process.writes else None
        asked: list[dict[str, Any]] = [
            {"id": [name, *one], **({"place": place_of(name, one)} if place_of else {})}
            for name, ids in missing.items()
            for one in sorted(ids)
        ]
        for event in self._process.ask(asked) if asked else ():
            if event["event"] == "answered":
                task = self._tasks[event["answers"][0]["id"][0]]
                about = (task.items[0].benchmark, task.items[0].version, task.model_key)
                responses = [
                    _response(row, *about, self._stack, row["id"][1]) for row in event["answers"]
                ]
                yield AnswerChunk(task=task.task.name, responses=responses)
            elif event["event"] == "stored":
                yield AnswersStored(task=event["ids"][0][0], n=event["n"], tokens=event["tokens"])
            else:
                ids = [(id_, sample) for _, id_, sample in event["ids"]]
                message = clean(event["message"])
                yield AnswerFailure(task=event["ids"][0][0], ids=ids, message=message)

    def job(self) -> dict[str, Any]:
        """The first order to the process: the model, and all that its tasks could ask."""
        local = self._local
        return {
            "model": local.model,
            "model_args": pinned(local.model_args),
            "batch_size": local.batch_size,
            "device": local.device,
            "apply_chat_template": local.apply_chat_template,
            "seed": self._seed,
            "tasks": self._asked,
        }


def _response(
    row: Mapping[str, Any],
    benchmark: str,
    version: str,
    model_key: bytes,
    stack: Runtime | None,
    item_id: str,
) -> Response:
    same = ("text", "raw", "status", "turn", "reasoning", "prompt", "finish_reason", "logprob")
    return Response(
        benchmark=benchmark,
        version=version,
        item_id=item_id,
        model_key=model_key,
        sample=row["id"][2],
        usage=Usage(prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"]),
        stack=stack,
        source="lm-eval",
        **{name: row[name] for name in same},
    )


def _task_of_job(task: Task, local: LocalModel) -> dict[str, Any]:
    generation = generation_of(local, task.task)
    if task.samples > 1 and not generation.samples:
        raise ConfigError(
            f"task {task.task.name}: {task.samples} samples of a greedy answer are all the same; "
            "say gen_kwargs: {do_sample: true, temperature: …}, or samples: 1"
        )
    first: dict[Any, Item] = {}  # identical questions are asked once
    for item in task.items:
        first.setdefault((item.turns, item.prompt), item)
    job = {
        "task": task.task.name,
        "include_path": [str(task.task.include_path)],
        "metadata": dict(task.task.metadata),
        "apply_chat_template": bool(local.apply_chat_template),
        "system_instruction": local.system_instruction,
        "fewshot_as_multiturn": local.fewshot_as_multiturn,
        "prompt_tokens": dict(local.prompt_tokens),
        "ids": [item.id for item in first.values()],
        "until": list(generation.until),
        "max_gen_toks": generation.max_gen_toks,
        "sampling": dict(generation.sampling),
        "sampling_of": (
            {item.id: dict(generation.sampling_of(item)) for item in task.items}
            if generation.temperatures
            else {}
        ),
        "further": dict(generation.further),
    }
    if local.prefix is not None:
        job["prefix"] = local.prefix
    if task.turn_by_turn:
        job["turns"] = {item.id: _turns(item) for item in first.values()}
    if task.before and task.stack is not None:
        texts = [[*at, list(said)] for at, said in task.before.items()]
        job["before"] = {"stack": asdict(task.stack), "texts": texts}
    return job


def _messages(turns: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _turns(item: Item) -> list[list[dict[str, str]]]:
    """What is put before each answer: up to a user's turn that the item itself does not answer."""
    found: list[list[dict[str, str]]] = [[]]
    for message, following in zip_longest(item.turns, item.turns[1:]):
        found[-1] += _messages([message])
        if message.role == "user" and (following is None or following.role == "user"):
            found.append([])
    return found[:-1]
