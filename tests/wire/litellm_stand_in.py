"""As much of LiteLLM as is asked of it: one call over HTTP, and errors that have a status."""

from __future__ import annotations

from typing import Any

import aiohttp


class RefusedError(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"litellm.APIError: {said}")
        self.status_code = status


class Answer:
    def __init__(self, content: str) -> None:
        self._content = content

    def model_dump_json(self) -> str:
        return self._content


class StandIn:
    def __init__(self) -> None:
        self.retries: list[int] = []

    async def acompletion(self, *, api_base: str, api_key: str | None, **body: Any) -> Answer:
        self.retries.append(body.pop("max_retries"))
        assert body.pop("timeout") > 0
        headers = {"Authorization": f"Bearer {api_key}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{api_base}/chat/completions", json=body, headers=headers) as response,
        ):
            said = await response.text()
        if response.status != 200:
            raise RefusedError(response.status, said)
        return Answer(said)
