"""What does not fit is not sent, and said."""

from __future__ import annotations

import asyncio

import pytest

from judgebench.errors import CallError
from judgebench.providers.tokens import ESTIMATE, ContextGuard
from judgebench.records import ChatRequest, Message, Reply
from tests.scripted import Scripted
from tests.table import over_rows


def _ask(text: str, room: int) -> tuple[Scripted, Reply]:
    inner = Scripted(lambda request: Reply(text="fine"))
    fitting = ContextGuard(inner, counter=ESTIMATE, room=room)
    question = ChatRequest(provider="p", model="m", messages=(Message(role="user", content=text),))
    return inner, asyncio.run(fitting.complete(question))


@over_rows("room", [100_000, 1300])
def test_what_fits_or_may_fit_is_sent(room: int) -> None:
    inner, reply = _ask("a word " * 500, room)  # about 1 000 tokens, perhaps 1 500
    assert reply.text == "fine"
    assert len(inner.asked) == 1


def test_what_surely_does_not_fit_is_not_sent() -> None:
    with pytest.raises(
        CallError, match=r"m takes 500: it was not sent.*max_answer_chars"
    ) as caught:
        _ask("a word " * 500, 500)
    assert (caught.value.kind, caught.value.retriable) == ("too_long", False)
