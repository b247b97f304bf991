"""Replies that hold no verdict, whatever was asked: refused, cut off, empty."""

from __future__ import annotations

import re

from judgebench.records import FINISHED, NOT_SAID, REFUSALS, REFUSED, TRUNCATED, Reply, Unreadable

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
    if reply.finish_reason is None or reply.finish_reason in FINISHED | REFUSALS:
        return refused(reply)
    said = "" if reply.finish_reason == NOT_SAID else f" (it says {reply.finish_reason[:40]!r})"
    return Unreadable(reason=f"the server does not say that the reply is whole{said}")


def no_verdict(reply: Reply) -> Unreadable | None:
    """Why a reply in words holds no verdict; None for one that is to be read."""
    if reason := unfinished(reply):
        return reason
    return None if reply.text.strip() else Unreadable(reason="empty reply")
