"""A provider that answers from a function, for tests and for trying a judge out."""

from __future__ import annotations

from collections.abc import Callable

from judgebench.errors import CallError
from judgebench.records import ChatRequest, Reply


class Scripted:
    """Answers each question with what the script says, and remembers what it was asked.

    >>> import asyncio
    >>> from judgebench.records import Message
    >>> provider = Scripted(lambda request: Reply(text=request.messages[-1].content.upper()))
    >>> question = ChatRequest(
    ...     provider="scripted", model="m", messages=(Message(role="user", content="hello"),)
    ... )
    >>> asyncio.run(provider.complete(question)).text
    'HELLO'
    """

    def __init__(self, script: Callable[[ChatRequest], Reply | CallError]) -> None:
        self._script = script
        self.asked: list[ChatRequest] = []
        self.closed = False

    async def complete(self, request: ChatRequest) -> Reply:
        self.asked.append(request)
        answer = self._script(request)
        if isinstance(answer, CallError):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True
