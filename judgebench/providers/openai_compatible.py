"""Any server that speaks OpenAI's chat completions, through the official client.

The client's own retries are off, so that attempts are counted in one place. The body is read as a
stream, up to a limit, and parsed here: a server that sends HTML, half an answer or gigabytes is
told apart from one that answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from judgebench.addresses import checked_base_url
from judgebench.errors import CallError
from judgebench.providers.chat_completion import read_completion
from judgebench.providers.http_errors import connection_error, status_error, timed_out
from judgebench.records import ChatRequest, Reply
from judgebench.secret import Secret

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_CONNECT_S = 10.0
_OURS = frozenset({"model", "messages", "stream", "n"})


def make(
    *,
    base_url: str | None = None,
    api_key: Secret | None = None,
    identity: str | None = None,
    timeout_s: float = 120.0,
) -> OpenAICompatible:
    """The provider ``openai_compatible``.

    A key is sent only where the suite names one for this address: ``OPENAI_API_KEY`` is for
    OpenAI, and must not travel to whatever server a ``base_url`` points to.
    """
    return OpenAICompatible(base_url or "", api_key, identity or "openai_compatible", timeout_s)


class OpenAICompatible:
    """A server behind ``base_url``. One call, one attempt; whatever goes wrong is a `CallError`.

    Parameters
    ----------
    base_url
        Address of the API, usually ending in ``/v1``.
    api_key
        Sent as the bearer token; None sends none.
    identity
        What is behind the address; a question for somebody else is refused, since its reply would
        be recorded under the wrong name.
    timeout_s
        For one whole call, so that a server that drips cannot hold a slot for ever.
    max_answer_bytes
        A longer answer is not read to its end.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None,
        identity: str,
        timeout_s: float,
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self.identity = identity
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._max_answer_bytes = max_answer_bytes
        self._client: AsyncOpenAI | None = None

    async def complete(self, request: ChatRequest) -> Reply:
        if request.provider != self.identity:
            raise ValueError(f"a question for {request.provider!r} was put to {self.identity!r}")
        body = _body(request)
        started = time.perf_counter()
        # Raised outside of the except blocks: the chain would hold the request and its key.
        failed: CallError
        try:
            async with asyncio.timeout(self._timeout_s):
                content_type, answer = await self._send(body)
        except _RefusedError as refused:
            failed = status_error(
                refused.status,
                refused.headers,
                refused.body,
                where=self.base_url,
                model=request.model,
                key=self._api_key,
            )
        except TimeoutError:
            failed = CallError(timed_out(self.base_url, self._timeout_s), retriable=True)
        except UnicodeEncodeError:
            failed = CallError(
                "the question holds half a surrogate pair, which cannot be sent; mend the item or "
                "the answer that it comes from",
                retriable=False,
            )
        except _connection_errors() as error:
            failed = connection_error(
                error, where=self.base_url, timeout_s=self._timeout_s, key=self._api_key
            )
        else:
            return read_completion(
                answer,
                content_type=content_type,
                where=self.base_url,
                model=request.model,
                key=self._api_key,
                seconds=time.perf_counter() - started,
            )
        raise failed

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            for _ in range(3):  # transports end in the loop's next turns, which may be its last
                await asyncio.sleep(0)

    async def _send(self, body: dict[str, Any]) -> tuple[str, bytes]:
        """The content type and the body of a successful answer."""
        import openai

        # The body goes as extra_body: the client would else walk every message to check its type.
        call = self._connected().chat.completions.with_streaming_response.create(
            model=body["model"],
            messages=[],
            extra_body=body,
            extra_headers={} if self._api_key is not None else {"Authorization": openai.omit},
        )
        async with call as response:
            content_type = response.headers.get("content-type", "")
            answer, whole = await _read(response.iter_bytes(), self._max_answer_bytes)
        if not whole:
            raise CallError(
                f"{self.base_url} sent more than {self._max_answer_bytes:,} bytes in one answer; "
                "set max_tokens in the judge's sampling",
                retriable=False,
            )
        return content_type, answer

    def _connected(self) -> AsyncOpenAI:
        """The client, made inside the running loop by the first call."""
        if self._client is None:
            import openai

            timeout = openai.Timeout(self._timeout_s, connect=min(_CONNECT_S, self._timeout_s))
            http = openai.DefaultAioHttpClient(
                timeout=timeout,
                trust_env=not _is_loopback(self.base_url),  # no proxy reaches our own machine
                event_hooks={"response": [self._refuse_failures]},
            )
            self._client = openai.AsyncOpenAI(
                base_url=self.base_url,
                api_key=self._api_key.reveal() if self._api_key is not None else "none",
                max_retries=0,
                timeout=timeout,
                http_client=http,
            )
        return self._client

    @staticmethod
    async def _refuse_failures(response: httpx2.Response) -> None:
        """Stop at every status but a success, before its body is read without limit.

        A redirect is refused as well: a redirected POST becomes a GET, elsewhere.
        """
        if response.is_success:
            return
        body, _ = await _read(response.aiter_bytes(), _MAX_ERROR_BYTES)
        raise _RefusedError(response.status_code, response.headers, body)


class _RefusedError(Exception):
    """An answer whose status is no success, on its way through the client."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status, self.headers, self.body = status, headers, body


def _body(request: ChatRequest) -> dict[str, Any]:
    """The question as it is sent; decoding and extra go as they are."""
    taken = _OURS & (request.decoding.keys() | request.extra.keys())
    if taken:
        raise CallError(
            f"{', '.join(sorted(taken))} cannot be set in sampling or extra: judgebench sets them "
            "itself (repeats are the benchmark's 'samples')",
            retriable=False,
        )
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        **request.decoding,
    }
    if request.logprobs is not None:
        body["logprobs"] = True
        if request.logprobs:
            body["top_logprobs"] = request.logprobs
    if request.response_format is not None:
        body["response_format"] = request.response_format
    return body | dict(request.extra)


async def _read(chunks: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """The bytes up to a limit, and whether that was all."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > limit:
            return bytes(read[:limit]), False
    return bytes(read), True


def _connection_errors() -> tuple[type[BaseException], ...]:
    """What the client lets through; asked for only when something failed."""
    import aiohttp
    import httpx2
    import openai

    return (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
