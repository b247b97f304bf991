"""A conversation held turn by turn and the best of several answers, with tiny models."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

import judgebench
from judgebench.errors import ConfigError, LocalModelError
from judgebench.records import Item, Message, Response
from judgebench.responses.local import AnswerChunk, LmEvalWorker, LocalModel, Task
from judgebench.store.opening import open_store
from judgebench.workers import generate
from judgebench.workers.backends import Decoding, Generated
from judgebench.workers.process import START
from tests.e2e.lm_eval_tasks import SmallTask
from tests.tiny_models import save_causal, save_classifier
from tests.unit.test_generating import Script

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
    ),
]

PROMPTS = ["Which river?", "As it is: who?", "Why?"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("tiny"))


def local(folder: Path, **gen_kwargs: Any) -> LocalModel:
    return LocalModel(
        model="hf",
        model_args={"pretrained": str(folder), "dtype": "float32"},
        batch_size=2,
        device="cpu",
        gen_kwargs={"until": [], **gen_kwargs},
    )


def answers(
    model: LocalModel, task: Task, samples: int = 1
) -> dict[tuple[str, int, int], Response]:
    """By item, sample and turn."""
    ids = [(item.id, sample) for item in task.items for sample in range(samples)]
    with LmEvalWorker(model, [task], seed=1) as worker:
        worker.start()
        events = list(worker.generate({task.task.name: ids}))
    assert all(isinstance(event, AnswerChunk) for event in events), events
    found = [one for event in events if isinstance(event, AnswerChunk) for one in event.responses]
    return {(one.item_id, one.sample, one.turn): one for one in found}


def conversation(id_: str, turns: Sequence[str]) -> Item:
    roles = ("user", "assistant")
    said = tuple(Message(role=roles[n % 2], content=text) for n, text in enumerate(turns))  # type: ignore[arg-type]
    return Item(benchmark="small", version="1", id=id_, turns=said)


def test_a_turn_is_answered_as_the_conversation_so_far_would_be(tiny: Path, tmp_path: Path) -> None:
    """Turn by turn, or the whole conversation put at once: one model, one answer."""
    item = replace(
        conversation("i0", ["Which river?"]),
        turns=tuple(Message(role="user", content=text) for text in ("Which river?", "Why?")),
    )
    task = Task(
        task=SmallTask(include_path=tmp_path), items=[item], model_key=b"k" * 32, turn_by_turn=True
    )
    found = answers(local(tiny), task)
    first, second = found["i0", 0, 0], found["i0", 0, 1]
    assert first.text
    assert first.text in (second.prompt or "")
    assert [first.usage.prompt_tokens, second.usage.prompt_tokens] == sorted(
        [first.usage.prompt_tokens, second.usage.prompt_tokens]
    )
    at_once = replace(task, items=[conversation("i0", ["Which river?", first.text, "Why?"])])
    assert answers(local(tiny), at_once)["i0", 0, 0].raw == second.raw


def test_the_best_of_four_is_the_one_that_the_reward_model_likes_best(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    scorer = save_classifier(tmp_path / "reward")
    own = {"pretrained": str(scorer), "dtype": "float32", "device": "cpu"}
    model = {
        "model": "hf",
        "model_args": {"pretrained": str(tiny), "dtype": "float32"},
        "batch_size": 2,
        "device": "cpu",
        "gen_kwargs": {"do_sample": True, "temperature": 1.0, "max_gen_toks": 6},
    }
    rows = [{"id": f"i{n}", "prompt": prompt} for n, prompt in enumerate(PROMPTS)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "base.jsonl").write_text(
        "".join(json.dumps({"item_id": row["id"], "text": "Base."}) + "\n" for row in rows)
    )
    written: dict[str, Any] = {
        "name": "s",
        "models": [
            {"name": "best", "lm_eval": model, "selection": "best_of(4, rm)"},
            {"name": "once", "lm_eval": model},
            {"name": "base", "responses": "base.jsonl"},
        ],
        "judges": [
            {"name": "rm", "kind": "reward", "provider": "reward_model", "reward_model": own}
        ],
        "benchmarks": [{"name": "x", "items": "items.jsonl", "judges": ["rm"], "baseline": "base"}],
    }
    suite = tmp_path / "s.yaml"
    suite.write_text(yaml.safe_dump(written))
    store = f"sqlite:///{tmp_path}/s.db"
    outcome = judgebench.run(suite, store=store)
    assert (outcome.failed, outcome.generated) == (0, 12)  # the first of four serve "once" too
    with judgebench.open_store(store) as opened:
        answered = opened.responses("x").to_dict("records")
        said = opened.verdicts("x").to_dict("records")
    texts = {(r["model"], r["item_id"], r["sample"]): r["text"] for r in answered}
    rewards = {
        (r["item_id"], r["sample"]): r["value"]
        for r in said
        if r["model"] == "once" and r["kind"] == "score"
    }
    assert len(rewards) == 12
    for row in rows:
        item = row["id"]
        best = max(range(4), key=lambda n, item=item: rewards[item, n])  # type: ignore[misc]
        assert texts["best", item, 0] == texts["once", item, best]
        assert len({texts["once", item, n] for n in range(4)}) == 4
    # Of the answer that was chosen the judge of the benchmark says how it does beside the baseline.
    assert {r["model"] for r in said if r["kind"] == "preference"} == {"best", "once"}
    greedy = {
        "name": "greedy",
        "lm_eval": {**model, "gen_kwargs": {}},
        "selection": "best_of(2, rm)",
    }
    written["models"].append(greedy)
    suite.write_text(yaml.safe_dump(written))
    with pytest.raises(ConfigError, match="the best of greedy answers is any of them"):
        judgebench.plan(suite, store=store)


def test_a_small_model_holds_the_conversations_of_a_benchmark(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `mt_bench_mini`: each turn is an answer of its own, and is judged by itself."""
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    model = {
        "model": "hf",
        "model_args": {"pretrained": str(tiny), "dtype": "float32"},
        "apply_chat_template": True,
        "batch_size": 8,
        "device": "cpu",
        "gen_kwargs": {"max_gen_toks": 6, "until": []},
    }
    rater = {"name": "rater", "kind": "templates", "provider": "scripted", "model": "dice"}
    written: dict[str, Any] = {
        "name": "s",
        "models": [{"name": "tiny", "lm_eval": model}],
        "judges": [{**rater, "provider_options": {"replies": ["[[7]]", "[[4]]"]}}],
        "benchmarks": [{"name": "mt_bench_mini", "judges": ["rater"]}],
        "store": f"sqlite:///{tmp_path}/s.db",
    }
    suite = tmp_path / "suite.yaml"
    suite.write_text(yaml.safe_dump(written))
    first = judgebench.run(suite)
    assert (first.generated, first.judged, first.failed) == (16, 16, 0)
    again = judgebench.run(suite)
    assert (again.generated, again.reused_answers, again.known) == (0, 16, 16)
    with open_store(written["store"], read_only=True) as store:
        (key,) = (model.key for model in store.models())
        its = {(one.item_id, one.turn): one for one in
               store.answers_to("mt_bench_mini", "1", key, ["math-0", "writing-0"])}  # fmt: skip
    assert len(its) == 4
    for item in ("math-0", "writing-0"):
        assert its[item, 0].text
        assert its[item, 0].text in (its[item, 1].prompt or "")


class Told(Script):
    """A backend that answers by what it is asked."""

    def refusal(self, prompt: str, decoding: Decoding) -> str | None:
        return None

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generated]:
        self.asked.append(list(prompts))
        said = [f"After {len(prompt)} characters." for prompt in prompts]
        return [Generated(raw=one, finish_reason="stop") for one in said]


class InThisProcess:
    """A worker that ends after so many events."""

    writes, pid, width = False, None, 1

    def __init__(self, script: Told, most: int) -> None:
        self.script, self.most = script, most

    def load(self, job: Mapping[str, Any], **_: object) -> dict[str, Any]:
        self.model = generate.load(job, lambda _: self.script)  # type: ignore[arg-type,return-value]
        return {"stack": asdict(self.script.stack())}

    def ask(self, questions: Sequence[Any], **_: object) -> Iterator[Any]:
        yield from islice(self.model.answers(questions), self.most)
        if self.most < 8:
            raise LocalModelError("killed")

    def stop(self) -> None: ...


def test_a_worker_that_ends_between_two_turns_is_followed_by_one_that_goes_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    rater = {"name": "rater", "kind": "templates", "provider": "scripted", "model": "dice"}
    model = {"model": "hf", "model_args": {"pretrained": str(tiny)}, "batch_size": 2}
    url = f"sqlite:///{tmp_path}/s.db"
    suite = tmp_path / "suite.yaml"
    written = {
        "name": "s",
        "models": [{"name": "tiny", "lm_eval": {**model, "gen_kwargs": {"until": []}}}],
        "judges": [{**rater, "provider_options": {"replies": ["[[7]]"]}}],
        "benchmarks": [{"name": "mt_bench_mini", "judges": ["rater"]}],
        "store": url,
    }
    suite.write_text(yaml.safe_dump(written))

    def run(most: int) -> tuple[Told, Any]:
        script = Told({})
        token = START.set(lambda *_, **__: InThisProcess(script, most))
        try:
            return script, judgebench.run(suite)
        finally:
            START.reset(token)

    first, cut_off = run(1)
    assert (len(first.asked), cut_off.generated, cut_off.failed) == (1, 2, 14)
    then, whole = run(8)
    assert (whole.generated, whole.failed) == (14, 0)
    begun = [prompt.partition("[assistant]")[0] for prompt in first.asked[0]]
    asked = [prompt for prompts in then.asked for prompt in prompts]
    assert [one.partition("[assistant]")[0] for one in then.asked[0]] == begun
    assert len(asked) == 14
    assert sum(prompt.count("[assistant]") for prompt in asked) == 6 * 1 + 8 * 2
