"""A local model as a suite describes it, and which parts of that are its identity.

What shapes the question or the answer is in a response's key; how it is run (dtype, batch size,
devices) is its stack, stored beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from judgebench.errors import ConfigError
from judgebench.records import Item, JsonObject
from judgebench.responses.by_category import draws, is_rule, temperature_of
from judgebench.responses.identity import LOADED_AS
from judgebench.responses.own_sampling import GENERATION_CONFIG, with_own_sampling
from judgebench.yaml_file import MODEL_TOKENS


class LmEvalTask(Protocol):
    """The task that asks, as a benchmark describes it.

    ``until`` and ``max_gen_toks`` are explicit; ``generation`` is what else the task says about
    decoding. Its ``temperature`` may be one for each category (`judgebench.responses.by_category`).
    ``further`` goes over that for every sample after the first; empty where all are alike.
    """

    @property
    def name(self) -> str: ...
    @property
    def include_path(self) -> Path: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def until(self) -> tuple[str, ...]: ...
    @property
    def max_gen_toks(self) -> int: ...
    @property
    def generation(self) -> Mapping[str, Any]: ...
    @property
    def further(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model run through lm-eval; fields carry lm-eval's names.

    ``gpus`` is ``CUDA_VISIBLE_DEVICES`` of the process that holds the model. ``prompt_tokens`` says
    how prompts become tokens where that is not lm-eval's way, as a benchmark's preset may:
    ``special_tokens``, ``max_length``, ``truncation_side``.
    """

    model: str = "hf"
    model_args: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int | str = 8
    device: str | None = None
    apply_chat_template: bool | str = True
    system_instruction: str | None = None
    fewshot_as_multiturn: bool = False
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    gpus: str | None = None
    prompt_tokens: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], usual: Mapping[str, Any] | None = None
    ) -> LocalModel:
        """From the section ``lm_eval`` of a suite, checked; ``usual`` is what it may leave out."""
        return cls(**{**(usual or {}), **config})


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
    if temperatures:
        return Generation(
            until=until, max_gen_toks=max_gen_toks, sampling=given, temperatures=temperatures
        )
    temperature = given.pop("temperature", None)
    do_sample = given.pop("do_sample", None)
    if temperature is not None and not isinstance(temperature, int | float):
        raise ConfigError(f"gen_kwargs: temperature is a number, not {temperature!r}")
    if do_sample is None:
        do_sample = bool(temperature)
    if bool(do_sample) != bool(temperature if temperature is not None else do_sample):
        raise ConfigError(
            f"gen_kwargs: do_sample {bool(do_sample)} with temperature {temperature} contradict "
            "each other; for sampling say do_sample: true and a temperature above 0, for greedy "
            "answers do_sample: false"
        )
    if temperature is None:
        temperature = 1.0 if do_sample else 0.0
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
    prompting: dict[str, Any] = {
        "apply_chat_template": local.apply_chat_template,
        "until": list(generation_of(local, task).until),
    }
    if local.system_instruction is not None:
        prompting["system_instruction"] = local.system_instruction
    if local.fewshot_as_multiturn:
        prompting["fewshot_as_multiturn"] = True
    if arguments := shaping_arguments(local):
        prompting["model_args"] = arguments
    if local.prompt_tokens:
        prompting["tokens"] = dict(local.prompt_tokens)
    return prompting


def shaping_arguments(local: LocalModel) -> dict[str, Any]:
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
