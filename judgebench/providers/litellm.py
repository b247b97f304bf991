"""Any model that LiteLLM speaks to; needs ``judgebench-harness[litellm]``."""

from __future__ import annotations

import importlib
import json
import os
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.extras import install_line
from judgebench.providers.http import ChatProvider, raised
from judgebench.providers.http_errors import Call, connection_error, no_success
from judgebench.providers.openai import CHAT
from judgebench.records import Reply


def make(endpoint: Endpoint) -> LiteLlm:
    """The provider ``litellm``: the model is named as LiteLLM names it, ``bedrock/…``.

    Keys of the environment are LiteLLM's own matter; one that the suite names goes with the call,
    and with a ``base_url`` goes no other. What the model takes is not known, so everything is sent,
    but for what a suite's ``capabilities`` take away.

    Raises
    ------
    ConfigError
        Where LiteLLM is not installed, or for a capability or an option that cannot be used.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else fetched from GitHub
    try:
        library: Any = importlib.import_module("litellm")
    except ImportError as error:
        reason = str(error)
    else:
        library.suppress_debug_info = True  # else printed among a run's own lines
        return LiteLlm(endpoint, library)
    raise ConfigError(f"the provider 'litellm' needs LiteLLM ({reason}): {install_line('litellm')}")


class LiteLlm(ChatProvider):
    """Puts questions through LiteLLM, whose own retries are off; it keeps its connections."""

    def __init__(self, endpoint: Endpoint, library: Any) -> None:
        call = Call(endpoint.base_url or "LiteLLM", "", endpoint.api_key)
        super().__init__("litellm", endpoint, lambda takes: CHAT, call)
        self._library = library
        self._base_url = endpoint.base_url

    def _errors(self) -> tuple[type[Exception], ...]:
        return (TimeoutError,)

    async def _send(self, path: str, content: bytes, call: Call) -> Reply | tuple[bytes, bool, str]:
        outcome: Reply | CallError
        # Raised outside of the except block: the chain would hold the request and its key.
        try:
            answer = await self._library.acompletion(
                **json.loads(content),
                api_base=self._base_url,
                # With an address of the suite no key of the environment travels.
                api_key=call.key.reveal() if call.key else "none" if self._base_url else None,
                timeout=self._timeout_s,
                max_retries=0,
            )
            return answer.model_dump_json().encode(), True, "application/json"
        except Exception as error:  # LiteLLM's errors share a status, and no base of its own
            status = getattr(error, "status_code", None)
            if isinstance(error, TimeoutError) or status == 408:
                outcome = connection_error(TimeoutError(), call, self._timeout_s)
            elif isinstance(status, int):
                headers = getattr(getattr(error, "response", None), "headers", None) or {}
                said = json.dumps({"error": {"message": str(error)}}).encode()
                outcome = no_success(status, headers, said, call)
            else:
                raise
        return raised(outcome)
