"""A question that surely does not fit the model is not sent."""

from __future__ import annotations

from collections.abc import Callable

from judgebench.errors import CallError
from judgebench.protocols import Provider
from judgebench.providers.tokens import TokenCounter, prompt_tokens
from judgebench.records import Reply, Request

_MOST_BYTES = 4  # of a character in UTF-8, and no tokenizer needs more tokens than bytes


class ContextGuard:
    """Counts the tokens of a question before it is sent.

    What is too long even if the count is as far too high as the counter may be fails here, as it
    would there, at no cost. What is near the limit is left to the provider.

    Parameters
    ----------
    room
        The longest question that the model takes, in tokens; None where that is not known.
    """

    def __init__(
        self, inner: Provider, counter: TokenCounter, *, room: Callable[[Request], int | None]
    ) -> None:
        self._inner = inner
        self._counter = counter
        self._room = room

    async def complete(self, request: Request) -> Reply:
        """Raises `CallError` of the kind ``too_long``, which is about this question alone."""
        room = self._room(request)
        if room is not None and self._exceeds(request, room):
            tokens = prompt_tokens(request, self._counter)
            raise CallError(
                f"the question has about {tokens:,} tokens ({self._counter.method}), and "
                f"{request.model} takes {room:,}: it was not sent. Have longer answers cut before "
                "they are judged (the judge's options: {max_answer_chars: …}), or ask a model "
                "with more room; capabilities: {context_tokens: …} corrects what is known of it",
                retriable=False,
                kind="too_long",
            )
        return await self._inner.complete(request)

    async def close(self) -> None:
        await self._inner.close()

    def _exceeds(self, request: Request, room: int) -> bool:
        if _MOST_BYTES * sum(len(message.content) for message in request.messages) <= room:
            return False
        return prompt_tokens(request, self._counter) > room * (1 + self._counter.margin)
