"""A judge's talk with a model: a generator that yields questions and returns a verdict.

A judge does no I/O. Whoever runs the dialogue sends each question on its way and puts the reply
back in, live or recorded: the judge cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import Any, TypeAlias

from judgebench.records import ChatRequest, Item, Message, Reply, Request, Unreadable, Verdict

Dialogue: TypeAlias = Generator[Request, Reply, Verdict]

REPLY_LIMITS = ("max_completion_tokens", "max_tokens")
"""The names that a limit on the reply has in ``decoding``; the first one that is there counts."""

MORE_ROOM = 4
"""How many times as long the second reply may be, where the first was cut off."""


def ask_once(request: Request, read: Callable[[Reply], Verdict]) -> Dialogue:
    """The dialogue of an ordinary judge: one question, one reply, read into a verdict.

    A reply that was cut off at its limit is asked for once more with more room, and the second one
    is read, whatever it is.
    """
    reply = yield request
    if reply.finish_reason == "length" and (roomier := with_more_room(request)) is not None:
        reply = yield roomier
    return read(reply)


def ask_again(
    request: ChatRequest,
    read: Callable[[Reply], Verdict],
    again: str,
    after: Unreadable | None = None,
) -> Dialogue:
    """One question; after a reply without a verdict the conversation goes on with ``again``, once.

    Both replies are then read as one text, as Arena-Hard does. ``after`` is the one verdict that is
    none after which it goes on; all if None.
    """
    reply = yield request
    verdict = read(reply)
    if not isinstance(verdict, Unreadable) or after not in (None, verdict):
        return verdict
    said = (Message(role="assistant", content=reply.text), Message(role="user", content=again))
    second = yield replace(request, messages=(*request.messages, *said))
    return read(replace(second, text=f"{reply.text}\n{second.text}"))


def conversation_after(turns: Sequence[Message], answers: Sequence[str]) -> tuple[Message, ...]:
    """User turns with the answers to the first of them, up to the next one."""
    said = (Message(role="assistant", content=text) for text in answers)
    both = chain.from_iterable(zip_longest(turns[: len(answers) + 1], said))
    return tuple(one for one in both if one is not None)


NO_ANCHORS = (
    "stack anchors are single prompts, and all of these are conversations, whose later turns "
    "depend on the answers before"
)


def all_conversations(items: Iterable[Item]) -> bool:
    """Whether all of some items, of which there is one, are answered turn by turn."""
    several = [bool(item.turns) and item.n_answers > 1 for item in items]  # some are ids alone
    return bool(several) and all(several)


def with_more_room(request: Request) -> Request | None:
    """The same question with a higher limit on the reply; None where there is no limit to raise."""
    if not isinstance(request, ChatRequest):
        return None
    limits = {
        name: MORE_ROOM * request.decoding[name]
        for name in REPLY_LIMITS
        if isinstance(request.decoding.get(name), int)
    }
    return replace(request, decoding={**request.decoding, **limits}) if limits else None


def ask_nobody(verdict: Verdict) -> Dialogue:
    """The dialogue of a judge that can tell by itself."""
    yield from ()
    return verdict


def over(usual: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """``usual`` with ``said`` over it; either name of the limit replaces the usual limit."""
    dropped = REPLY_LIMITS if any(name in said for name in REPLY_LIMITS) else ()
    return {**{name: value for name, value in usual.items() if name not in dropped}, **said}
