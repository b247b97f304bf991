"""OpenAI's and Anthropic's own clients, which one program makes of both APIs.

Of the client its connection is used, with its way of proving who asks; what is sent and read is as
of any other address, and attempts are counted elsewhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from judgebench.config import Endpoint
from judgebench.providers.capabilities import Capabilities
from judgebench.providers.http import (
    CONNECT_S,
    MAX_ERROR_BYTES,
    Api,
    HttpProvider,
    ProviderInfo,
    raised,
    read_up_to,
    transports_end,
)
from judgebench.providers.http_errors import Call, causes, no_success
from judgebench.records import Reply

if TYPE_CHECKING:
    import httpx2

_UNREAD = {"X-Stainless-Raw-Response": "stream"}
"""The clients' own header of a call whose answer they hand on before they read its body."""


class OfficialProvider(HttpProvider):
    """Puts questions through an official client.

    Parameters
    ----------
    client
        Its package and its class.
    """

    def __init__(
        self,
        info: ProviderInfo,
        endpoint: Endpoint,
        api: Callable[[Capabilities], Api],
        client: tuple[str, str],
    ) -> None:
        super().__init__(info, endpoint, api)
        self._of, self._info = client, info
        self._client: Any = None
        self._options: dict[str, Any] = {}

    async def close(self) -> None:
        await super().close()
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await transports_end()

    def _errors(self) -> tuple[type[Exception], ...]:
        import httpx2

        package, name = self._of
        its_own = getattr(importlib.import_module(package), f"{name.removeprefix('Async')}Error")
        return (*super()._errors(), RefusedError, httpx2.HTTPError, its_own)

    async def _send(self, path: str, content: bytes, call: Call) -> Reply | tuple[bytes, str]:
        client = self._connected()
        refused: RefusedError | None = None
        try:
            response = await client.post(
                path, content=content, cast_to=object, options=self._options
            )
        except self._errors() as error:
            # The client wraps what a hook raises.
            refused = next((one for one in causes(error) if isinstance(one, RefusedError)), None)
            if refused is None:
                raise
        if refused is not None:
            return raised(no_success(refused.status, refused.headers, refused.body, call))
        try:
            return await self._whole(response.iter_bytes(), response.headers, call)
        finally:
            await response.close()

    def _connected(self) -> Any:
        """The client, made inside the running loop by the first call."""
        if self._client is None:
            package, name = self._of
            sdk: Any = importlib.import_module(package)
            timeout = sdk.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s))
            http = sdk.DefaultAioHttpClient(
                timeout=timeout,
                trust_env=not self.address.is_loopback,  # no proxy reaches our own machine
                event_hooks={"response": [_refuse_failures]},
            )
            address = self.address
            # The client proves who asks: it says what it sends where debugging is logged, and
            # leaves its own key out.
            self._client = getattr(sdk, name)(
                base_url=address.base_url,
                api_key="none" if address.key is None else address.key.reveal(),
                max_retries=0,
                timeout=timeout,
                http_client=http,
            )
            # What it would add from the environment goes to nobody but its own address.
            unwanted = (
                []
                if address.variable is not None
                else [*self._info.environment, *self._info.further()]
            )
            unwanted += ["Authorization", "X-Api-Key"] if address.key is None else []
            self._options = {"headers": {**dict.fromkeys(unwanted, sdk.omit), **_UNREAD}}
            if package == "openai":  # which would take an administrator's key of the environment
                self._options["security"] = {"bearer_auth": True}
        return self._client


class RefusedError(Exception):
    """An answer whose status is no success, on its way through the client."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status, self.headers, self.body = status, headers, body


async def _refuse_failures(response: httpx2.Response) -> None:
    """A client's hook: stop at every status but a success, before its body is read without limit.

    A redirect is refused as well: a redirected POST becomes a GET, elsewhere.

    Raises
    ------
    RefusedError
        With the first 64 KiB of the body.
    """
    if not response.is_success:
        body, _ = await read_up_to(MAX_ERROR_BYTES, response.aiter_bytes())
        raise RefusedError(response.status_code, response.headers, body)
