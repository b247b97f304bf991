"""A provider that answers from a function."""

from __future__ import annotations

from collections.abc import Callable

from judgebench.errors import CallError, ProviderUnavailableError
from judgebench.records import Reply, Request


class Scripted:
    """Answers each question with what the script says, and remembers what it was asked."""

    def __init__(self, script: Callable[[Request], Reply | CallError]) -> None:
        self._script = script
        self.asked: list[Request] = []
        self.closed = False

    async def complete(self, request: Request) -> Reply:
        if self.closed:
            raise ProviderUnavailableError("the script was closed: it answers no more")
        self.asked.append(request)
        answer = self._script(request)
        if isinstance(answer, CallError):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True
