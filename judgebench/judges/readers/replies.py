"""What every reader asks first: is there a whole reply, and what does one line say."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from judgebench.records import FINISHED, NOT_SAID, REFUSALS, REFUSED, TRUNCATED, Reply, Unreadable

Stated = TypeVar("Stated")
Read = TypeVar("Read")
More = ParamSpec("More")

RETRACTION = re.compile(
    r"(?i)\b(?:wait|actually|correction|sorry|apolog\w*|instead|rather|scratch that|"
    r"no(?=[,.:;!]|\s+wait\b)|on\s+(?:second\s+thoughts?|reflection)|i\s+(?:mean|meant|misread)|"
    r"(?:chang|revis|correct)\w*\s+my)\b"
    r"|更正|不对|等等|抱歉|应该是|改为"
)
"""What sounds as if something that was said before no longer holds."""


def refused(reply: Reply) -> Unreadable | None:
    """Why there is nothing to read in a reply that the model or its provider refused to give."""
    return Unreadable(reason=REFUSED) if reply.finish_reason in REFUSALS else None


def unfinished(reply: Reply) -> Unreadable | None:
    """Why a reply is not the whole one: refused, cut off at its limit, or nobody says that it is.

    What was cut off is not read even where it seems to hold a verdict: what was to follow may have
    taken it back.
    """
    if reply.finish_reason == "length":
        return Unreadable(reason=TRUNCATED)
    if reply.finish_reason in REFUSALS:
        return Unreadable(reason=REFUSED)
    if reply.finish_reason is None or reply.finish_reason in FINISHED:
        return None
    said = "" if reply.finish_reason == NOT_SAID else f" (it says {reply.finish_reason[:40]!r})"
    return Unreadable(reason=f"the server does not say that the reply is whole{said}")


def no_verdict(reply: Reply) -> Unreadable | None:
    """Why a reply in words holds no verdict; None for one that is to be read."""
    if reason := unfinished(reply):
        return reason
    return None if reply.text.strip() else Unreadable(reason="empty reply")


def after(
    first: Callable[[Reply], Unreadable | None],
) -> Callable[
    [Callable[Concatenate[Reply, More], Read]],
    Callable[Concatenate[Reply, More], Read | Unreadable],
]:
    """A reader of the replies of which this says nothing; of others it says why none is read."""

    def made(
        read: Callable[Concatenate[Reply, More], Read],
    ) -> Callable[Concatenate[Reply, More], Read | Unreadable]:
        @wraps(read)
        def reader(reply: Reply, /, *args: More.args, **named: More.kwargs) -> Read | Unreadable:
            return first(reply) or read(reply, *args, **named)

        return reader

    return made


@after(no_verdict)
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
