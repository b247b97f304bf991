"""A judge's talk with a model: a generator that yields questions and returns a verdict.

A judge does no I/O. Whoever runs the dialogue sends each question on its way and puts the reply
back in, live or recorded: the judge cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

from judgebench.records import Reply, Request, Verdict

Dialogue: TypeAlias = Generator[Request, Reply, Verdict]


def ask_once(request: Request, read: Callable[[Reply], Verdict]) -> Dialogue:
    """The dialogue of an ordinary judge: one question, one reply, read into a verdict."""
    reply = yield request
    return read(reply)


def ask_nobody(verdict: Verdict) -> Dialogue:
    """The dialogue of a judge that can tell by itself."""
    yield from ()
    return verdict
