"""What of a suite's ``lm_eval`` section makes a model another one, and what cannot be meant."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from judgebench import keys
from judgebench.errors import ConfigError
from judgebench.records import Item, Message
from judgebench.responses.local import (
    LmEvalWorker,
    LocalModel,
    Task,
    decoding_of,
    generation_of,
    prompting_of,
)
from tests.table import over_rows


@dataclass(frozen=True)
class Asked:
    name: str = "a_task"
    include_path: Path = Path("tasks/a_task")
    metadata: dict[str, Any] = field(default_factory=dict)
    until: tuple[str, ...] = ("\nQ:",)
    max_gen_toks: int = 64
    generation: dict[str, Any] = field(default_factory=lambda: {"do_sample": False})
    further: dict[str, Any] = field(default_factory=dict)


LOCAL = LocalModel(model_args={"pretrained": "org/model", "dtype": "float32"})


def local(**gen_kwargs: Any) -> LocalModel:
    return LOCAL.model_copy(update={"gen_kwargs": gen_kwargs})


def test_greedy_decoding_says_everything_and_has_no_seed() -> None:
    expected = {"do_sample": False, "temperature": 0.0, "max_gen_toks": 64}
    assert decoding_of(LOCAL, Asked(), seed=1) == expected
    assert decoding_of(LOCAL, Asked(generation={}), seed=1) == expected


def test_sampling_has_a_seed() -> None:
    sampling = local(do_sample=True, temperature=0.7, top_p=0.9)
    assert decoding_of(sampling, Asked(), seed=5) == {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.9,
        "max_gen_toks": 64,
        "seed": 5,
    }
    assert decoding_of(local(do_sample=True), Asked(), seed=5)["temperature"] == 1.0
    by_temperature = decoding_of(local(temperature=0.5), Asked(generation={}), seed=5)
    assert by_temperature["do_sample"] is True


@over_rows("name", ["max_gen_toks", "max_new_tokens", "max_tokens"])
def test_the_suite_decides_the_length_under_any_name(name: str) -> None:
    # lm-eval would let the task's max_gen_toks win over the suite's max_new_tokens in silence
    assert generation_of(local(**{name: 9}), Asked()).max_gen_toks == 9


@over_rows(
    ("gen_kwargs", "said"),
    [
        ({"temperature": 0.7}, "contradict"),
        ({"do_sample": True, "temperature": 0}, "contradict"),
        ({"max_gen_toks": 5, "max_tokens": 6}, "one length"),
        ({"max_gen_toks": 0}, "above 0"),
        ({"max_gen_toks": "many"}, "above 0"),
        ({"temperature": "hot"}, "a number"),
    ],
)
def test_what_contradicts_itself_is_refused(gen_kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        generation_of(local(**gen_kwargs), Asked())


def test_stops_are_prompting_and_the_suite_may_replace_them() -> None:
    assert prompting_of(LOCAL, Asked())["until"] == ["\nQ:"]
    assert prompting_of(local(until=[]), Asked())["until"] == []
    assert prompting_of(local(until="\n"), Asked())["until"] == ["\n"]
    assert "until" not in decoding_of(local(until=[]), Asked(), seed=1)


def test_what_shapes_the_prompt_is_identity_and_how_it_runs_is_not() -> None:
    def prompting(**arguments: Any) -> bytes:
        changed = LOCAL.model_copy(update={"model_args": {**LOCAL.model_args, **arguments}})
        return keys.content_key("prompting", prompting_of(changed, Asked()))

    for running in ({"dtype": "bfloat16"}, {"tensor_parallel_size": 2}, {"parallelize": True}):
        assert prompting(**running) == prompting()
    for weights in ({"revision": "main"}, {"peft": "adapter"}, {"load_in_4bit": True}):
        assert prompting(**weights) == prompting()
    shaping = ({"enable_thinking": True}, {"max_length": 512}, {"chat_template_args": {"a": 1}})
    assert len({prompting(), *(prompting(**one) for one in shaping)}) == 4
    for change in ({"apply_chat_template": False}, {"system_instruction": ""}):
        assert prompting_of(LOCAL.model_copy(update=change), Asked()) != prompting_of(
            LOCAL, Asked()
        )


def test_samples_of_a_greedy_answer_are_refused() -> None:
    items = [Item(benchmark="b", version="1", id="0", turns=(Message(role="user", content="?"),))]
    with pytest.raises(ConfigError, match="all the same"):
        LmEvalWorker(LOCAL, [Task(task=Asked(), items=items, model_key=b"k", samples=2)], seed=1)


def test_two_benchmarks_with_one_task_are_refused() -> None:
    task = Task(task=Asked(), items=[], model_key=b"k")
    with pytest.raises(ConfigError, match="share an lm-eval task"):
        LmEvalWorker(LOCAL, [task, task], seed=1)


def test_a_missing_backend_says_what_to_install() -> None:
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("vllm is installed here")
    worker = LmEvalWorker(LOCAL.model_copy(update={"model": "vllm"}), [], seed=1)
    with worker, pytest.raises(ConfigError, match=r"pip install 'lm-eval\[vllm\]'"):
        worker.start()
