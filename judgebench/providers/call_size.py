"""How many tokens a call takes: what it can take at most, and what a limit a minute counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from judgebench.dialogue import REPLY_LIMITS
from judgebench.providers.capabilities import for_request, reasoning_room
from judgebench.providers.tokens import TokenCounter, prompt_tokens
from judgebench.records import ChatRequest, Request, Usage

REPLY_TOKENS_AT_MOST = 16_384
"""What a reply without a limit may take, where the model's longest reply is not known."""

_REPLY_TOKENS = 1024  # what a reply without a limit is taken for until it is there
_TEMPLATE_TOKENS = 64  # what a chat template may say by itself
_LIMITS_IT_ITSELF = frozenset({"anthropic"})  # its API demands a limit


class CallSize:
    """The size of calls to one model.

    Parameters
    ----------
    provider
        Name of the provider's module.
    capabilities
        A suite's overrides of what the model takes.
    longest_reply
        The model's longest reply in tokens; `REPLY_TOKENS_AT_MOST` where None.
    """

    def __init__(
        self,
        counter: TokenCounter,
        *,
        provider: str,
        capabilities: Mapping[str, Any] | None = None,
        longest_reply: int | None = None,
    ) -> None:
        self.counter = counter
        self._provider = provider
        self._capabilities = capabilities
        self._longest_reply = longest_reply or REPLY_TOKENS_AT_MOST

    def most(self, request: Request) -> Usage:
        """No more than this can be charged for: the prompt is counted, with a margin."""
        prompt = prompt_tokens(request, self.counter)
        limit = self._reply_limit(request)
        return Usage(
            prompt_tokens=math.ceil(prompt * (1 + self.counter.margin)) + _TEMPLATE_TOKENS,
            completion_tokens=self._longest_reply if limit is None else limit,
        )

    def expected(self, request: Request) -> int:
        """Tokens that a provider takes a call for before it is answered: prompt and limit."""
        limit = self._reply_limit(request)
        return prompt_tokens(request, self.counter) + (_REPLY_TOKENS if limit is None else limit)

    def room(self, request: Request) -> int | None:
        """The longest prompt that the model takes, in tokens; None where that is not known."""
        if not isinstance(request, ChatRequest):
            return None
        return for_request(request, self._provider, self._capabilities).context_tokens

    def _reply_limit(self, request: Request) -> int | None:
        """The limit that is sent, with the room for thoughts; None where none is sent."""
        if not isinstance(request, ChatRequest):
            return 0
        takes = for_request(request, self._provider, self._capabilities)
        stated = [request.extra.get(name) for name in (*REPLY_LIMITS, "max_output_tokens")]
        stated += [request.decoding.get(name) for name in REPLY_LIMITS]
        limits = [limit for limit in stated if isinstance(limit, int)]
        if not limits and self._provider in _LIMITS_IT_ITSELF:
            limits = [takes.default_reply_tokens]
        if not limits:
            return None
        return max(limits) + (reasoning_room(max(limits)) if takes.reasons else 0)
