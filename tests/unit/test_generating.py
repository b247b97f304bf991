"""Conversations held turn by turn and the best of several answers, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgebench.records import Item, Message, Runtime
from judgebench.responses.local import LmEvalWorker, LocalModel, Task
from judgebench.workers import generate
from judgebench.workers.backends import Decoding, Generated
from judgebench.workers.protocol import Event
from tests.e2e.lm_eval_tasks import SmallTask

SAMPLING = {"do_sample": True, "temperature": 1.0}


class Lm:
    """lm-eval's object, with a template."""

    def apply_chat_template(self, history: Sequence[Mapping[str, str]]) -> str:
        return "".join(f"[{m['role']}]{m['content']}" for m in history) + "[assistant]"


class Script:
    """A backend that answers by what was said last, and notes what it was asked with which seed."""

    batch = 2
    think_end = None
    unsupported: frozenset[str] = frozenset()

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        self.lm = Lm()
        self._answers = {asked: list(said) for asked, said in answers.items()}
        self.asked: list[list[str]] = []
        self.seeds: list[int] = []

    def stack(self) -> Runtime:
        return Runtime(backend="script")

    def refusal(self, prompt: str, decoding: Decoding) -> str | None:
        return "far too long" if len(prompt) > 120 else None

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generated]:
        self.asked.append(list(prompts))
        self.seeds.append(decoding.seed)
        last = [prompt.rpartition("[user]")[2].removesuffix("[assistant]") for prompt in prompts]
        return [Generated(raw=self._answers[asked].pop(0), finish_reason="stop") for asked in last]


def item(id_: str, *texts: str, roles: str = "") -> Item:
    names = {"u": "user", "a": "assistant", "s": "system"}
    turns = tuple(
        Message(role=names[role], content=text)  # type: ignore[arg-type]
        for role, text in zip(roles or "u" * len(texts), texts, strict=True)
    )
    return Item(benchmark="b", version="1", id=id_, turns=turns)


def events(script: Script, items: Sequence[Item], *, sample: int = 0, **task: Any) -> list[Event]:
    """What a worker says of one sample of all items, held turn by turn."""
    local = LocalModel(model="script", gen_kwargs=dict(SAMPLING))
    small = SmallTask(include_path=Path("nowhere"), until=())
    asked = Task(task=small, items=items, model_key=b"k", turn_by_turn=True, **task)
    job = LmEvalWorker(local, [asked], seed=7).job()
    model = generate.load(job, lambda _: script)  # type: ignore[arg-type,return-value]
    return list(model.answers([{"id": ["small", one.id, sample]} for one in items]))


def said(found: Sequence[Event]) -> dict[tuple[str, int], str]:
    return {
        (row["id"][1], row["turn"]): row["text"]
        for event in found
        if event["event"] == "answered"
        for row in event["answers"]
    }


def why(found: Sequence[Event]) -> dict[str, str]:
    return {
        id_[1]: event["message"]
        for event in found
        if event["event"] == "failed"
        for id_ in event["ids"]
    }


def test_a_conversation_is_held_turn_by_turn_and_thoughts_stay_out_of_it() -> None:
    script = Script({"Who?": ["<think>so</think> Me."], "Why?": ["No reason."], "Hm": ["Well."]})
    found = events(script, [item("a", "Who?", "Why?"), item("b", "Hm")])
    assert said(found) == {("a", 0): "Me.", ("a", 1): "No reason.", ("b", 0): "Well."}
    assert len(found) == 2  # what is answered together is one transaction, turn by turn
    first, second = "[user]Who?[assistant]", "[user]Who?[assistant]Me.[user]Why?[assistant]"
    assert script.asked == [[first, "[user]Hm[assistant]"], [second]]
    rows = [row for event in found for row in event["answers"] if row["id"][1] == "a"]
    assert [(row["turn"], row["prompt"]) for row in rows] == [(0, first), (1, second)]
    assert len(set(script.seeds)) == 2


def test_the_first_turn_draws_as_a_question_alone_does() -> None:
    script = Script({"Who?": ["Me."], "Why?": ["So."]})
    events(script, [item("a", "Who?", "Why?")])
    assert script.seeds[0] == generate.batch_seed(7, task="small", sample=0, number=0)


def test_what_an_item_answers_itself_is_not_asked() -> None:
    script = Script({"Which?": ["This."], "Sure?": ["Yes."]})
    own = item("a", "Brief.", "Late!", "Which order?", "Which?", "Sure?", roles="suauu")
    assert said(events(script, [own])) == {("a", 0): "This.", ("a", 1): "Yes."}
    assert script.asked[0] == [
        "[system]Brief.[user]Late![assistant]Which order?[user]Which?[assistant]"
    ]


def test_a_turn_without_an_answer_ends_its_conversation_alone() -> None:
    script = Script({"Who?": ["<think>never"], "Hm?": ["Me."], "Why?": ["So."]})
    found = events(script, [item("a", "Who?", "Why?"), item("b", "Hm?", "Why?")])
    assert said(found) == {("a", 0): "", ("b", 0): "Me.", ("b", 1): "So."}
    statuses = [row["status"] for event in found for row in event["answers"]]
    assert statuses == ["no_final_answer", "ok", "ok"]


def test_a_conversation_that_grows_too_long_fails_alone_and_from_there_on() -> None:
    script = Script({"Who?": ["x" * 120], "Hm": ["Well."]})
    found = events(script, [item("a", "Who?", "Why?"), item("b", "Hm")])
    assert said(found) == {("a", 0): "x" * 120, ("b", 0): "Well."}
    assert why(found) == {"a": "far too long"}


def test_what_was_answered_before_on_this_stack_is_not_asked_again() -> None:
    """What shares the batch is put with it, so that the answer is an undisturbed run's."""
    both = [item("a", "Who?", "Why?"), item("b", "Hm?", "So?")]
    before = {("a", 0): ["Me."], ("b", 0): ["Well.", "Yes."]}
    replies = {"Who?": ["Me."], "Hm?": ["Well."], "Why?": ["No."], "So?": ["Yes."]}
    script, whole = Script(replies), Script(replies)
    events(whole, both)
    found = events(script, both, before=before, stack=script.stack())
    assert said(found) == {("a", 1): "No."}
    assert (script.asked, script.seeds) == (whole.asked[1:], whole.seeds[1:])
    elsewhere = Script(replies)
    events(elsewhere, both, before=before, stack=Runtime(backend="another"))
    assert len(elsewhere.asked) == 2


def test_a_turn_that_fails_leaves_the_turn_before() -> None:
    script = Script({"Who?": ["Me."], "Hm": ["Well."]})  # and nothing to "Why?"
    found = events(script, [item("a", "Who?", "Why?"), item("b", "Hm")])
    assert said(found) == {("a", 0): "Me.", ("b", 0): "Well."}
    assert [*why(found)] == ["a"]


def test_what_is_asked_portion_by_portion_is_what_is_asked_at_once() -> None:
    items = [item(f"i{n}", "?" * (n + 1)) for n in range(5)] + [item("x", "!" * 200)]
    asked = [{"id": ["small", one.id, 0]} for one in items]

    def model() -> generate.Generator:
        script = Script({"?" * (n + 1): [f"{n}"] for n in range(5)})
        local = LocalModel(model="script", gen_kwargs=dict(SAMPLING))
        small = SmallTask(include_path=Path("nowhere"), until=())
        task = Task(task=small, items=items, model_key=b"k", turn_by_turn=True)
        job = LmEvalWorker(local, [task], seed=7).job()
        return generate.load(job, lambda _: script)  # type: ignore[arg-type,return-value]

    whole = list(model().answers(asked))
    in_parts = model()
    portions = in_parts.portions(asked)
    assert sorted(n for some in portions for n in some) == list(range(6))
    assert [len(some) for some in portions] == [2, 2, 1, 1], "batches, and what is refused"
    found = [e for some in reversed(portions) for e in in_parts.answers([asked[n] for n in some])]
    assert sorted(map(repr, found)) == sorted(map(repr, whole))
    alone = [{**asked[portions[0][0]], "apart": True}]
    (event,) = model().answers(alone)
    assert [row["id"] for row in event["answers"]] == [alone[0]["id"]]
