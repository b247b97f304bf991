"""Own prompts are put to a local model: questions, conversations, several benchmarks at once."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.own_prompts import OwnPrompts, own_benchmark
from judgebench.config import BenchmarkConfig
from judgebench.errors import ConfigError
from judgebench.records import Response
from judgebench.responses.local import AnswerChunk, LmEvalWorker, LocalModel, Task
from tests.tiny_models import letters
from tests.warm import Warm

pytestmark = [
    pytest.mark.hf,
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
    ),
]

TALK = [
    {"role": "system", "content": " 你是客服。 "},
    {"role": "user", "content": "Late!"},
    {"role": "assistant", "content": "Which {{ order }}?"},
    {"role": "user", "content": "17\n\nSoon?"},
]


@pytest.fixture(autouse=True)
def _empty_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    """A random model of one layer; its template is ``[role]content…[assistant]``."""
    return letters(warm, tmp_path_factory.mktemp("tiny"), positions=256)


def local(folder: Path, **changes: Any) -> LocalModel:
    settings: dict[str, Any] = {"batch_size": 2, "device": "cpu", "apply_chat_template": True}
    arguments = {"pretrained": str(folder), "dtype": "float32"}
    return LocalModel(model="hf", model_args=arguments, **settings | changes)


def own(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], **config: Any) -> OwnPrompts:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    settings = {"name": name, "items": path, "judges": ["j"], "max_tokens": 6, **config}
    return own_benchmark(BenchmarkConfig.model_validate(settings))


def answers(model: LocalModel, *benchmarks: OwnPrompts) -> dict[tuple[str, str], Response]:
    """What a model answers to all items of benchmarks, by benchmark and item."""
    tasks = [
        Task(task=one.lm_eval_task, items=one.data.items, model_key=b"k" * 32) for one in benchmarks
    ]
    missing = {task.task.name: [(item.id, 0) for item in task.items] for task in tasks}
    with LmEvalWorker(model, tasks, seed=1) as worker:
        worker.start()
        events = list(worker.generate(missing))
    assert all(isinstance(event, AnswerChunk) for event in events)
    found = [one for event in events if isinstance(event, AnswerChunk) for one in event.responses]
    return {(response.benchmark, response.item_id): response for response in found}


def test_several_benchmarks_are_asked_as_their_files_say(tiny: Path, tmp_path: Path) -> None:
    support = own(
        tmp_path, "support", [{"prompt": "{{ 1 + 1 }} 怎么退货？\n"}, {"id": "t", "turns": TALK}]
    )
    other = own(tmp_path, "other", [{"prompt": "Hm?"}], max_tokens=3)
    found = answers(local(tiny), support, other)
    assert {place: response.prompt for place, response in found.items()} == {
        ("support", "0"): "[user]{{ 1 + 1 }} 怎么退货？\n[assistant]",
        ("support", "t"): (
            "[system] 你是客服。 [user]Late![assistant]Which {{ order }}?"
            "[user]17\n\nSoon?[assistant]"
        ),
        ("other", "0"): "[user]Hm?[assistant]",
    }
    for (name, _), response in found.items():
        assert response.version == (support if name == "support" else other).version
        tokens = response.usage.completion_tokens
        assert tokens is not None
        assert tokens <= (6 if name == "support" else 3)


def test_the_suites_system_text_comes_before_the_items(tiny: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"prompt": "Hm?"}, {"turns": TALK}, {"turns": TALK[1:]}]
    found = answers(local(tiny, system_instruction="Be brief."), own(tmp_path, "support", rows))
    prompts = [str(found["support", str(n)].prompt) for n in range(3)]
    assert prompts[0] == "[system]Be brief.[user]Hm?[assistant]"
    assert prompts[1].startswith("[system]Be brief.\n\n 你是客服。 [user]Late!")
    assert prompts[2].startswith("[system]Be brief.[user]Late![assistant]Which")


def test_without_a_template_a_question_is_plain_and_a_conversation_refused(
    tiny: Path, tmp_path: Path
) -> None:
    plain = local(tiny, apply_chat_template=False)
    found = answers(plain, own(tmp_path, "support", [{"prompt": "Hm?\n"}]))
    assert found["support", "0"].prompt == "Hm?\n"
    with pytest.raises(ConfigError, match="item 't' is a conversation, which needs a chat templ"):
        answers(plain, own(tmp_path, "support", [{"id": "t", "turns": TALK}]))


def test_a_system_message_that_a_template_refuses_is_not_dropped(
    tiny: Path, tmp_path: Path
) -> None:
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
    )
    benchmark = own(tmp_path, "support", [{"id": "t", "turns": TALK}])
    with pytest.raises(ConfigError, match="item 't': the model's chat template takes no system"):
        answers(local(tmp_path), benchmark)
    found = answers(local(tmp_path), own(tmp_path, "support", [{"turns": TALK[1:]}]))
    assert str(found["support", "0"].prompt).startswith("[user]Late!")


def test_prompts_that_were_changed_meanwhile_are_refused(tiny: Path, tmp_path: Path) -> None:
    benchmark = own(tmp_path, "support", [{"prompt": "Hm?"}])
    path = benchmark.path
    path.write_text('{"note": "metadata may change", "prompt": "Hm?"}\n', encoding="utf-8")
    assert answers(local(tiny), benchmark)
    path.write_text('{"prompt": "Well?"}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"support\.jsonl: was changed after this run was plann"):
        answers(local(tiny), benchmark)


def test_the_task_works_by_hand(tmp_path: Path, warm: Warm) -> None:
    benchmark = own(tmp_path, "support", [{"id": "a", "prompt": "Hm?"}, {"prompt": "{{ So }}?"}])
    task = benchmark.lm_eval_task
    words = ("asked", task.include_path, json.dumps(dict(task.metadata)), task.name)
    asked, _ = json.loads(warm.run("tests.e2e.by_lm_eval", *words).splitlines()[-1])
    settings = {"until": [], "max_gen_toks": 6, "do_sample": False}
    assert asked[task.name] == [["a", "Hm?", settings], ["1", "{{ So }}?", settings]]


TRACE = [
    {"role": "user", "content": "To Rome?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "function": {"name": "find", "arguments": '{"to": "Rome"}'}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "09:10"},
]


def test_a_trace_of_tools_is_put_message_by_message(tiny: Path, tmp_path: Path) -> None:
    found = answers(local(tiny), own(tmp_path, "trains", [{"messages": TRACE}]))
    assert found["trains", "0"].prompt == (
        '[user]To Rome?[assistant]find({"to": "Rome"})[tool]09:10[assistant]'
    )


def test_a_tools_turn_that_a_template_leaves_out_is_not_lost(tiny: Path, tmp_path: Path) -> None:
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(
        "{% for m in messages if m.role != 'tool' %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    with pytest.raises(ConfigError, match="item 't': the model's chat template takes no tool mess"):
        answers(local(tmp_path), own(tmp_path, "trains", [{"id": "t", "messages": TRACE}]))
