"""A conversation held turn by turn and the best of several answers, with tiny models."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.records import Item, Message, Response
from judgebench.responses.local import AnswerChunk, LmEvalWorker, LocalModel, Task
from tests.e2e.lm_eval_tasks import SmallTask, work, write_task
from tests.tiny_models import save_causal, save_classifier

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
    ),
]

PROMPTS = ["Which river?", "As it is: who?", "Why?"]
SCORER = {
    "revision": None,
    "dtype": "float32",
    "device": "cpu",
    "batch_size": 4,
    "max_length": None,
    "label": None,
}


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
    tiny: Path, tmp_path: Path
) -> None:
    from judgebench.workers import reward

    judge = save_classifier(tmp_path / "reward")
    model = local(tiny, do_sample=True, temperature=1.0)
    job = {"pretrained": str(judge), **SCORER}
    task = work(write_task(tmp_path / "t", PROMPTS), PROMPTS, samples=4)
    drawn = answers(model, task, samples=4)
    best = answers(model, replace(task, samples=1, best_of=4, scorer=job))
    scorer = reward.load(job)
    for number, prompt in enumerate(PROMPTS):
        texts = [drawn[f"i{number}", sample, 0].text for sample in range(4)]
        scores = [
            scorer.answer(
                [
                    {
                        "messages": [
                            {"role": "user", "content": prompt},
                            {"role": "assistant", "content": text},
                        ]
                    }
                ]
            )[0]["score"]
            if text
            else float("-inf")
            for text in texts
        ]
        assert best[f"i{number}", 0, 0].text == texts[scores.index(max(scores))]
        assert len(set(texts)) == 4
