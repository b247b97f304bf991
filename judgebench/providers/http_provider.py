"""A provider behind an official client: one call, one attempt, strictly read.

The clients' own retries are off, so that attempts are counted in one place. The body is read as a
stream, up to a limit, and parsed here: a server that sends HTML, half an answer or gigabytes is
told apart from one that answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from judgebench.errors import CallError, ProviderUnavailableError
from judgebench.providers import reading
from judgebench.providers.capabilities import Capabilities, for_request
from judgebench.providers.door import Door
from judgebench.providers.http_errors import (
    causes,
    connection_error,
    key_advice,
    no_success,
    timed_out,
)
from judgebench.records import ChatRequest, Reply, Request, Usage
from judgebench.secret import Secret

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024


class Wire(Protocol):
    """One API's way of speaking: between a question and the JSON that is sent and comes back."""

    def body(
        self, request: ChatRequest, capabilities: Capabilities
    ) -> tuple[dict[str, Any], tuple[str, ...]]: ...

    def read(
        self,
        data: Any,
        *,
        where: str,
        model: str,
        key: Secret | None = None,
        seconds: float = 0.0,
        left_out: tuple[str, ...] = (),
    ) -> Reply: ...


class Answer(Protocol):
    """A successful answer whose body is still to be read."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def iter_bytes(self) -> AsyncIterator[bytes]: ...


class Client(Protocol):
    """An official client behind one door."""

    def wire(self, capabilities: Capabilities) -> Wire:
        """How to speak with a model that takes this."""
        ...

    def send(self, wire: Wire, body: Mapping[str, Any]) -> AbstractAsyncContextManager[Answer]:
        """Send one question; the answer's body is not read yet."""
        ...

    def errors(self) -> tuple[type[BaseException], ...]:
        """What it lets through when a connection fails, and `RefusedError`, wrapped or not."""
        ...

    async def close(self) -> None: ...


class HttpProvider:
    """Puts questions through a client. Whatever goes wrong with a call is a `CallError`.

    Parameters
    ----------
    name
        Name of the provider's module, under which the table of capabilities knows its models.
    identity
        What is behind the door; a question for somebody else is refused, since its reply would be
        recorded under the wrong name.
    overrides
        A suite's ``capabilities``.
    max_answer_bytes
        A longer answer is not read to its end.
    """

    def __init__(
        self,
        client: Client,
        door: Door,
        *,
        name: str,
        identity: str,
        overrides: Mapping[str, Any],
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.door = door
        self.identity = identity
        self._client = client
        self._name = name
        self._overrides = overrides
        self._max_answer_bytes = max_answer_bytes
        self._closed = False

    async def complete(self, request: Request) -> Reply:
        if request.provider != self.identity:
            raise ValueError(f"a question for {request.provider!r} was put to {self.identity!r}")
        if not isinstance(request, ChatRequest):
            raise CallError(
                f"{self._name} cannot score texts; ask the providers 'local' and 'reward_model' "
                "for likelihoods and scores, or use a judge that reads a reply",
                retriable=False,
                kind="request",
            )
        if self._closed:  # a client made now would never be closed
            raise ProviderUnavailableError(f"{self.door.base_url} was closed: nothing is sent")
        self._refuse_without_key()
        capabilities = for_request(request, self._name, self._overrides)
        wire = self._client.wire(capabilities)
        body, left_out = wire.body(request, capabilities)
        started = time.perf_counter()
        got = await self._attempt(wire, body, request.model, left_out)
        seconds = time.perf_counter() - started
        if isinstance(got, Reply):
            return replace(got, seconds=seconds)
        content_type, answer = got
        where, key = self.door.base_url, self.door.key
        return wire.read(
            reading.parse(answer, content_type=content_type, where=where, key=key),
            where=where,
            model=request.model,
            key=key,
            seconds=seconds,
            left_out=left_out,
        )

    async def close(self) -> None:
        """Break off what is under way. Nothing can be asked any more."""
        self._closed = True
        await self._client.close()

    async def _attempt(
        self, wire: Wire, body: Mapping[str, Any], model: str, left_out: tuple[str, ...]
    ) -> Reply | tuple[str, bytes]:
        """Content type and body of a successful answer, or a reply that another one amounts to."""
        # Raised outside of the except blocks: the chain would hold the request and its key.
        failed: Reply | CallError
        try:
            async with asyncio.timeout(self.door.timeout_s):
                return await self._send(wire, body)
        except TimeoutError:
            failed = CallError(
                timed_out(self.door.base_url, self.door.timeout_s),
                retriable=True,
                kind="timeout",
                charged=Usage(),
            )
        except UnicodeEncodeError:
            failed = CallError(
                "the question holds half a surrogate pair, which cannot be sent; mend the item or "
                "the answer that it comes from",
                retriable=False,
                kind="request",
            )
        except RuntimeError:  # what a client says that is closed before it has sent
            if not self._closed:
                raise
            failed = self._broken_off()
        except self._client.errors() as error:
            failed = self._meaning(error, model, left_out)
        if isinstance(failed, CallError):
            raise failed
        return failed

    def _meaning(
        self, error: BaseException, model: str, left_out: tuple[str, ...]
    ) -> Reply | CallError:
        """What a call that was refused or broke off comes to; a client may wrap why."""
        where, key = self.door.base_url, self.door.key
        for cause in causes(error):
            if isinstance(cause, RefusedError):
                return no_success(
                    cause.status,
                    cause.headers,
                    cause.body,
                    where=where,
                    model=model,
                    key=key,
                    variable=self.door.variable,
                    left_out=left_out,
                )
        if self._closed:
            return self._broken_off()
        return connection_error(error, where=where, timeout_s=self.door.timeout_s, key=key)

    def _broken_off(self) -> CallError:
        return CallError(
            f"{self.door.base_url} was closed here before the whole answer was there",
            retriable=True,
            kind="connection",
            charged=Usage(),
        )

    async def _send(self, wire: Wire, body: Mapping[str, Any]) -> tuple[str, bytes]:
        async with self._client.send(wire, body) as response:
            content_type = response.headers.get("content-type", "")
            answer, whole = await _read(response.iter_bytes(), self._max_answer_bytes)
        if not whole:
            raise CallError(
                f"{self.door.base_url} sent more than {self._max_answer_bytes:,} bytes in one "
                "answer; set max_tokens in the judge's sampling",
                retriable=False,
                kind="bad_answer",
                charged=Usage(),
            )
        return content_type, answer

    def _refuse_without_key(self) -> None:
        """Before anything is sent; not when it is made, since recorded replies need no key."""
        if self.door.needs_key and self.door.key is None:
            raise CallError(
                f"{self.door.base_url}: {key_advice(None, self.door.variable)}",
                retriable=False,
                status=401,
                attempts=0,
                kind="key",
            )


class RefusedError(Exception):
    """An answer whose status is no success, on its way through the client."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status, self.headers, self.body = status, headers, body


async def refuse_failures(response: httpx2.Response) -> None:
    """A client's hook: stop at every status but a success, before its body is read without limit.

    A redirect is refused as well: a redirected POST becomes a GET, elsewhere.

    Raises
    ------
    RefusedError
        With the first 64 KiB of the body.
    """
    if response.is_success:
        return
    body, _ = await _read(response.aiter_bytes(), _MAX_ERROR_BYTES)
    raise RefusedError(response.status_code, response.headers, body)


async def transports_end() -> None:
    """Let closed transports end: they do so in the loop's next turns, which may be its last."""
    for _ in range(3):
        await asyncio.sleep(0)


async def _read(chunks: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """The bytes up to a limit, and whether that was all."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > limit:
            return bytes(read[:limit]), False
    return bytes(read), True
