"""A judge's talk with a model: a generator that yields questions and returns a verdict.

A judge does no I/O. Whoever runs the dialogue sends each question on its way and puts the reply
back in, live or recorded: the judge cannot tell. What it makes of a reply is read from it here, or
in ``judges/readers``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from itertools import chain, zip_longest
from typing import Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar

from judgebench.records import (
    FINISHED,
    NOT_SAID,
    REFUSALS,
    REFUSED,
    TRUNCATED,
    ChatRequest,
    Item,
    Message,
    Reply,
    Request,
    Unreadable,
    Verdict,
)

Stated = TypeVar("Stated")
Read = TypeVar("Read")
More = ParamSpec("More")
Needs: TypeAlias = Literal["given", "whole", "words"]
"""What a reader needs of a reply: that it was given at all, all of it, or all of it in words."""

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


def over(usual: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """``usual`` with ``said`` over it; either name of the limit replaces the usual limit."""
    dropped = REPLY_LIMITS if any(name in said for name in REPLY_LIMITS) else ()
    return {**{name: value for name, value in usual.items() if name not in dropped}, **said}


# What every reader asks first: is there a reply to read, and what does one line say ---------------

RETRACTION = re.compile(
    r"(?i)\b(?:wait|actually|correction|sorry|apolog\w*|instead|rather|scratch that|"
    r"no(?=[,.:;!]|\s+wait\b)|on\s+(?:second\s+thoughts?|reflection)|i\s+(?:mean|meant|misread)|"
    r"(?:chang|revis|correct)\w*\s+my)\b"
    r"|更正|不对|等等|抱歉|应该是|改为"
)
"""What sounds as if something that was said before no longer holds."""


def no_verdict(reply: Reply, needs: Needs = "words") -> Unreadable | None:
    """Why a reply holds no verdict; None for one that is to be read.

    Nothing is read in one that the model or its provider refused to give. Nor in one, where what is
    needed is ``whole``, that was cut off at its limit, even where it seems to hold a verdict, since
    what was to follow may have taken it back; or of which nobody says that it is all. ``words`` has
    to say something as well.
    """
    finish = reply.finish_reason
    if finish in REFUSALS:
        return Unreadable(reason=REFUSED)
    if needs == "given":
        return None
    if finish == "length":
        return Unreadable(reason=TRUNCATED)
    if finish is not None and finish not in FINISHED:
        said = "" if finish == NOT_SAID else f" (it says {finish[:40]!r})"
        return Unreadable(reason=f"the server does not say that the reply is whole{said}")
    return None if needs == "whole" or reply.text.strip() else Unreadable(reason="empty reply")


def reads(
    needs: Needs,
) -> Callable[
    [Callable[Concatenate[Reply, More], Read]],
    Callable[Concatenate[Reply, More], Read | Unreadable],
]:
    """A reader of replies that have what is needed; of others it says why none is read."""

    def made(
        read: Callable[Concatenate[Reply, More], Read],
    ) -> Callable[Concatenate[Reply, More], Read | Unreadable]:
        @wraps(read)
        def reader(reply: Reply, /, *args: More.args, **named: More.kwargs) -> Read | Unreadable:
            return no_verdict(reply, needs) or read(reply, *args, **named)

        return reader

    return made


@reads("words")
def stated_on_line(
    reply: Reply, state: Callable[[str], Stated | None], *, last: bool
) -> Stated | Unreadable:
    """What the first line of a reply states, or its last one; no other may state something else."""
    stated = [state(line) for line in reply.text.splitlines() if line.strip()]
    found = {one for one in stated if one is not None}
    if len(found) > 1:
        return Unreadable(reason="two verdicts")
    verdict = stated[-1 if last else 0]
    if verdict is not None:
        return verdict
    place = "last" if last else "first"
    return Unreadable(reason=f"verdict not on the {place} line" if found else "no verdict")
