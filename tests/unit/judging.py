"""Cases for judges, and a talk with one, without a network."""

from collections.abc import Sequence
from typing import Any

from judgebench.protocols import Judge
from judgebench.records import (
    Case,
    ChatRequest,
    Item,
    Message,
    Reply,
    Request,
    Response,
    ScoreRequest,
    TokenLogprob,
    Verdict,
)

QUESTION = "Which river flows through Vienna?"


def case_of(
    *answers: str, references: tuple[str, ...] = (), instructions: str | None = None
) -> Case:
    item = Item(
        benchmark="b",
        version="1",
        id="0",
        turns=(Message(role="user", content=QUESTION),),
        references=references,
    )
    responses = tuple(
        Response(benchmark="b", version="1", item_id="0", model_key=b"m", text=text, raw=text)
        for text in answers
    )
    return Case(item=item, responses=responses, instructions=instructions)


def talk(judge: Judge, case: Case, *replies: Reply) -> tuple[list[Request], Verdict]:
    """What a judge asks, answered by these replies in turn, and its verdict."""
    dialogue = judge.judge(case)
    asked: list[Request] = []
    waiting = list(replies)
    try:
        asked.append(next(dialogue))
        while True:
            asked.append(dialogue.send(waiting.pop(0)))
    except StopIteration as end:
        assert not waiting, "the judge asked less often than it was answered"
        verdict: Verdict = end.value
        return asked, verdict


def read(judge: Judge, case: Case, text: str, **fields: Any) -> Verdict:
    """The verdict that one reply in words comes to."""
    return talk(judge, case, Reply(text=text, **{"finish_reason": "stop", **fields}))[1]


def asked_text(judge: Judge, case: Case) -> str:
    """All that a judge is told in its first question."""
    request = next(judge.judge(case))
    assert isinstance(request, ChatRequest | ScoreRequest)
    return "\n".join(message.content for message in request.messages)


def listing(*top: tuple[str, float], token: str | None = None, logprob: float = 0.0) -> Reply:
    """A reply whose first token had these alternatives."""
    first = TokenLogprob(
        token=top[0][0] if token is None else token,
        logprob=top[0][1] if token is None else logprob,
        top=tuple(top),
    )
    return Reply(text=first.token, finish_reason="length", logprobs=(first,))


def scoring(*scores: float) -> Reply:
    return Reply(text="", scores=tuple(scores))


def contents(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages]
