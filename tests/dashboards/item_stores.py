"""A store with one item that has everything: many answers, both orders, repeats, hostile texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from judgebench.keys import content_key, request_key
from judgebench.records import (
    AFRESH,
    ChatRequest,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Order,
    Preference,
    Reply,
    Response,
    Runtime,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import stores

BENCHMARK, VERSION = stores.BENCHMARK, stores.VERSION
NOON = 1_790_000_000.0

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "markdown": "**bold** [a link](http://example.org/x) ![an image](http://example.org/y.png)",
    "latex": "$$\\frac{1}{0}$$ :red[red] :smile: `code` </pre></code>",
    "right to left": "user\u202etxt.exe\u2066 שלום مرحبا",
    "no text": "zero\x00 half\ud800 bell\x07 escape\x1b[31m",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "long": "a line of a very long answer\n" * 40_000,
}
"""Answers that want to be more than text."""


def answer(
    model: bytes, item: str, text: str, *, sample: int = 0, stack: Runtime | None = None,
    thoughts: str | None = None,
) -> tuple[bytes, Response]:  # fmt: skip
    response = Response(
        benchmark=BENCHMARK, version=VERSION, item_id=item, model_key=model, text=text, raw=text,
        sample=sample, stack=stack, reasoning=thoughts, source="file:answers.jsonl",
    )  # fmt: skip
    return content_key("response", [model, item, sample]), response


def place(
    model: bytes, judge: bytes, item: str, *, opponent: bytes | None = None,
    order: Order = "single", repeat: int = 0,
) -> VerdictSlot:  # fmt: skip
    return VerdictSlot(
        benchmark=BENCHMARK, version=VERSION, item_id=item, model_key=model, judge_key=judge,
        opponent_key=opponent, order=order, repeat=repeat,
    )  # fmt: skip


def judge(
    store: Store, run: str, judge: bytes, model: bytes, item: str, verdict: Verdict, said: str = "",
    *, opponent: bytes | None = None, order: Order = "single", repeat: int = 0, at: float = NOON,
    marks: tuple[str, ...] = (), thoughts: str | None = None, again: int = 0,
) -> bytes:  # fmt: skip
    """Store a verdict at a place, with the reply it was read from; the judgment's key."""
    here = place(model, judge, item, opponent=opponent, order=order, repeat=repeat)
    replies: tuple[bytes, ...] = ()
    if said:
        asked = Message(role="user", content=f"{here} {again}")
        request = ChatRequest(provider="p", model="m", messages=(asked,))
        replies = (request_key(request),)
        store.put_reply(replies[0], request, Reply(text=said, reasoning=thoughts))
    key = content_key("judgment", [here, again])
    judgment = Judgment(
        key=key, judge_key=judge, case_key=key, verdict=verdict, reply_keys=replies, at=at,
        marks=marks,
    )  # fmt: skip
    store.put_judgment(judgment, [RunVerdict(run_id=run, place=here, judgment_key=key)])
    return key


def questions(n: int) -> list[Item]:
    return [
        Item(
            benchmark=BENCHMARK, version=VERSION, id=str(i),
            turns=(Message(role="user", content=f"Which river flows through capital {i}?"),),
            references=("Danube", "Donau"), options=("the Danube", "the Rhine") if i == 0 else (),
            category="rivers" if i % 2 == 0 else "capitals",
        )
        for i in range(n)
    ]  # fmt: skip


def fill(path: Path | str, *, n_items: int = 3, hostile: Sequence[str] = ()) -> str:
    """Item 0 has everything; the others an answer each. Hostile texts are answers to item 1."""
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        for run in ("first", "second"):
            store.start_run(stores.manifest(run))
        store.put_items(questions(n_items))
        careful, hasty = (
            store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for name in ("careful", "hasty")
        )
        pairwise = store.put_judge("gpt", JudgeSpec(kind="pairwise", model="gpt"))
        rubric = store.put_judge("rubric", JudgeSpec(kind="rubric", model="gpt"))
        person = store.put_judge("human/a", JudgeSpec(kind="human", model="human/a"))
        new = Runtime(backend="vllm", versions={"vllm": "0.9"}, dtype="bfloat16")
        answers = [
            answer(careful, "0", "The Danube flows through it.", thoughts="It is the Danube."),
            answer(careful, "0", "It is the Danube, as before.", stack=new),
            answer(careful, "0", "The second sample says 多瑙河流经这里。", sample=1),
            answer(hasty, "0", "Rhine"),
        ]
        for key, response in answers:  # one by one: two stacks of one answer have one key
            store.put_responses({key: response})
        for i in range(1, n_items):
            store.put_responses(dict([answer(hasty, str(i), f"Answer number {i}")]))
        judge(
            store, "first", pairwise, careful, "0", Preference(winner=0, p_first=0.83),
            "The first answer names the river. [[A]]", opponent=hasty, order="model_first",
            at=NOON + 60, thoughts="The first is longer.",
        )  # fmt: skip
        judge(
            store, "first", pairwise, careful, "0", Preference(winner=1, p_first=0.1),
            "The second answer is better.", opponent=hasty, order="opponent_first", at=NOON + 120,
        )  # fmt: skip
        judge(
            store,
            "first",
            rubric,
            hasty,
            "0",
            Score(value=2, low=1, high=10),
            "短的答案。 Score: 2",
        )
        judge(
            store, "second", rubric, hasty, "0", Score(value=3, low=1, high=10, parts={"tone": 5}),
            "Better on a second look. Score: 3", at=NOON + 3600, again=1,
        )  # fmt: skip
        judge(
            store, "first", rubric, hasty, "0", Score(value=4, low=1, high=10), "Repeated: 4",
            repeat=1,
        )  # fmt: skip
        judge(
            store, "second", rubric, hasty, "0", Score(value=9, low=1, high=10), "Asked once more",
            repeat=AFRESH, at=NOON + 7200,
        )  # fmt: skip
        judge(
            store, "first", rubric, careful, "0", Unreadable(reason="no verdict"), "I cannot say.",
            marks=("addresses_judge",),
        )  # fmt: skip
        judge(store, "first", person, hasty, "0", Label(name="incorrect"))
        for name in hostile:
            model = store.put_model(f"{name} model", ModelSpec(weights=f"name:{name}"))
            store.put_responses(dict([answer(model, "1", HOSTILE[name])]))
            judge(store, "first", rubric, model, "1", Score(value=1, low=1, high=10), HOSTILE[name])
    return url
