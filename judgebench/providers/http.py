"""A provider behind HTTP: one call, one attempt, strictly read.

Nothing is tried again here, so that attempts are counted in one place. The body is read as a
stream, up to a limit, and parsed here: a server that sends HTML, half an answer or gigabytes is
told apart from one that answers.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from judgebench.config import Endpoint, Limits
from judgebench.dialogue import REPLY_LIMITS
from judgebench.errors import CallError, ConfigError, ProviderUnavailableError
from judgebench.providers import base
from judgebench.providers.base import refuse_unknown_options
from judgebench.providers.capabilities import Capabilities, checked, for_request, reasoning_room
from judgebench.providers.http_errors import (
    Call,
    causes,
    connection_error,
    key_advice,
    no_success,
)
from judgebench.records import ChatRequest, JsonObject, Reply, Request, Usage
from judgebench.secret import Secret, checked_base_url, is_loopback, secret_parts

if TYPE_CHECKING:
    import aiohttp
    import httpx2

CONNECT_S = 10.0
"""Longest wait for a connection, in seconds; shorter where a whole call may take less."""

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024


class Api(Protocol):
    """One API's way of speaking: between a question and the JSON that is sent and comes back."""

    name: str
    path: str
    tokens: Mapping[str, Sequence[str]]
    """How it calls the fields of `Usage` (`base.usage`)."""

    def body(
        self, request: ChatRequest, takes: Capabilities
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The question as it is sent, and the names of what was left out.

        Raises
        ------
        CallError
            For a name in ``decoding`` or ``extra`` that is not a question's to set.
        """

    def read(self, answer: dict[str, Any], where: str) -> dict[str, Any]:
        """The fields of the reply in an answer that is none of an error.

        Raises
        ------
        ShapeError
            For JSON of another shape.
        BrokenError
            For an answer that broke off on the server, or says nothing at all.
        """

    def status(self, error: Any) -> int:
        """The HTTP status of an error that came without one: under a success, or in a batch."""


# What of a question the model takes -------------------------------------------------------------

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty", "logit_bias"})
_OURS = frozenset({"model", "messages", "input", "system", "instructions", "stream", "n"})
_SETTINGS: Mapping[str, frozenset[str]] = {
    "temperature": SAMPLING,
    "penalties": _PENALTIES,
    "seed": frozenset({"seed"}),
    "stop": frozenset({"stop"}),
}
"""What in a question's decoding hangs on which field of `Capabilities`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedParams:
    """A question without what its model does not take, still in the words of chat completions.

    ``decoding`` is without the limit on the reply, which is ``reply_tokens``, called ``limit`` by
    the suite; None where it sets none.
    """

    decoding: Mapping[str, Any]
    reply_tokens: Any
    limit: str | None
    effort: str | None
    logprobs: int | None
    response_format: JsonObject | None
    left_out: set[str]


def supported_params(request: ChatRequest, takes: Capabilities) -> SupportedParams:
    """Sort a question's settings by what its model takes.

    Raises
    ------
    CallError
        For a name in ``decoding`` or ``extra`` that is not a question's to set.
    """
    decoding = request.decoding
    if named := _OURS & (decoding.keys() | request.extra.keys()):
        raise CallError(
            f"{', '.join(sorted(named))} cannot be set in sampling or extra: judgebench sets them "
            "itself (repeats are the benchmark's 'samples')",
            retriable=False,
            kind="request",
        )
    left_out: set[str] = set()
    for setting, names in _SETTINGS.items():
        if not getattr(takes, setting):
            left_out |= decoding.keys() & names
    effort, logprobs, form = request.reasoning, request.logprobs, request.response_format
    if effort is not None and takes.reasoning is not None and effort not in takes.reasoning:
        left_out.add("reasoning")
        effort = None
    most = takes.top_logprobs_max
    if logprobs is not None and not takes.logprobs:
        left_out.add("logprobs")
        logprobs = None
    elif logprobs is not None and most is not None and logprobs > most:
        left_out.add("top_logprobs")
        logprobs = most
    kept = {"json_schema": True, "json_object": (form or {}).get("type") == "json_object"}
    if form is not None and not kept.get(takes.structured, False):
        left_out.add("response_format")
        form = None
    limit = next((name for name in REPLY_LIMITS if name in decoding), None)
    reply_tokens = None if limit is None else decoding[limit]
    if takes.reasons and isinstance(reply_tokens, int):  # else it is the server's to refuse
        reply_tokens += reasoning_room(reply_tokens)
    return SupportedParams(
        decoding={
            name: value
            for name, value in decoding.items()
            if name not in left_out and name not in REPLY_LIMITS
        },
        reply_tokens=reply_tokens,
        limit=limit,
        effort=effort,
        logprobs=logprobs,
        response_format=form,
        left_out=left_out,
    )


def reply_of(api: Api, data: Any, call: Call, seconds: float = 0.0) -> Reply:
    """The reply in the parsed body of a successful answer.

    Raises
    ------
    CallError
        For JSON of another shape, an error sent under a success, an answer that broke off.
    """
    usage = Usage()
    try:
        answer = base.as_object(data)
        usage, note = base.usage(answer.get("usage"), api.tokens)
        if error := answer.get("error"):
            said = json.dumps({"error": error}).encode()
            return raised(no_success(api.status(error), {}, said, call))
        return Reply(
            **api.read(answer, call.where),
            usage=usage,
            served_model=base.member(answer, "model"),
            seconds=seconds,
            left_out=call.left_out,
            note=note,
        )
    except base.BrokenError as error:
        failed = CallError(str(error), retriable=True, kind=error.kind, charged=usage)
    except base.ShapeError as error:
        failed = base.wrong_shape(error, data, api.name, call, usage)
    raise failed


def raised(outcome: Reply | CallError) -> Reply:
    if isinstance(outcome, CallError):
        raise outcome
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """What is to know of a provider that speaks HTTP.

    name
        Of its module, under which the table of capabilities knows its models.
    official
        Its own address; None for one that every suite has to give.
    variables
        What its environment variables begin with: ``X_API_KEY`` holds the key, ``X_BASE_URL``
        another address, ``X_CUSTOM_HEADERS`` further headers as ``name: value``, one a line.
    key_header
        The header that holds the key, and how.
    headers
        Those of every call.
    environment
        Further headers, by the variable that holds their value.
    version
        What an address may end in that the paths begin with.
    options
        What a suite's ``provider_options`` may hold.
    """

    name: str
    official: str | None = None
    variables: str = ""
    key_header: tuple[str, str] = ("Authorization", "Bearer {}")
    headers: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    options: frozenset[str] = frozenset()

    @property
    def key_variable(self) -> str | None:
        """The environment variable that holds the key; None where every suite names its own."""
        return None if self.official is None else f"{self.variables}_API_KEY"

    def further(self) -> dict[str, str]:
        """The further headers that the environment holds."""
        lines = os.environ.get(f"{self.variables}_CUSTOM_HEADERS", "").splitlines()
        pairs = [line.partition(":") for line in lines if ":" in line]
        return {name.strip(): value.strip() for name, _, value in pairs}


class Address:
    """Where a provider is, and what opens it.

    The environment's key goes with the address that the environment names, or else the official
    one, and never to one that a suite gives; nor do further headers.

    Raises
    ------
    ConfigError
        For an address or a key that cannot be used.
    """

    def __init__(self, info: ProviderInfo, endpoint: Endpoint) -> None:
        given = endpoint.base_url
        named = os.environ.get(f"{info.variables}_BASE_URL") if info.official else ""
        for start, end in secret_parts(named) if named else ():
            Secret((named or "")[start:end])
        address = checked_base_url(given or named or info.official or "")
        self.base_url = address.removesuffix(info.version)
        self.key = endpoint.api_key
        self.variable = info.key_variable if given is None else None
        """The environment variable that usually holds the key."""
        if self.key is None and self.variable and (text := os.environ.get(self.variable)):
            self.key = Secret(text, variable=self.variable)
        host = urlsplit(self.base_url).hostname
        self.needs_key = info.official is not None and host == urlsplit(info.official).hostname
        self.is_loopback = is_loopback(host)
        self.call = Call(self.base_url, "", self.key, self.variable)
        self._info = info
        key = "" if self.key is None else self.key.reveal()
        if not all("!" <= letter <= "~" for letter in key):
            held_by = (self.key and self.key.variable) or "the variable of api_key"
            raise ConfigError(
                f"{held_by} holds no key for {self.base_url}: there is a blank, a line break or a "
                "letter beyond ASCII in it, which no header can carry; set it anew"
            )

    def proxy(self) -> str | None:
        """The proxy of the environment that stands before it; none before our own machine."""
        from urllib.request import getproxies, proxy_bypass

        url, proxies = urlsplit(self.base_url), getproxies()
        host, port = url.hostname or "", url.port
        named = host if port is None else f"{host}:{port}"
        if self.is_loopback or proxy_bypass(named) or _in_network(host, proxies.get("no", "")):
            return None
        found = proxies.get(url.scheme) or proxies.get("all")
        return f"http://{found}" if found and "://" not in found else found

    def refuse_without_key(self) -> None:
        """Before anything is sent; not when it is made, since what is recorded needs no key."""
        if self.needs_key and self.key is None:
            raise CallError(
                f"{self.base_url}: {key_advice(None, self.variable)}",
                retriable=False,
                status=401,
                attempts=0,
                kind="key",
            )

    def headers(self) -> dict[str, str]:
        """Those of every call, with the key where there is one."""
        info = self._info
        headers = {"Accept": "application/json", **info.headers}
        if self.key is not None:
            name, form = info.key_header
            headers[name] = form.format(self.key.reveal())
        if self.variable is not None:
            headers |= info.further()
            held = {name: os.environ.get(held_by) for name, held_by in info.environment.items()}
            headers |= {name: value for name, value in held.items() if value}
        return headers


def _in_network(host: str, names: str) -> bool:
    """Whether an address is in one of the networks among the names of ``no_proxy``."""
    for name in names.split(","):
        with suppress(ValueError):
            if ip_address(host) in ip_network(name.strip(), strict=False):
                return True
    return False


class ChatProvider(ABC):
    """Puts questions to a chat model. Whatever goes wrong with a call is a `CallError`.

    A question for another identity than the endpoint's is refused, since its reply would be
    recorded under the wrong name.

    Parameters
    ----------
    api
        How to speak with a model that takes this.
    call
        What is said of each call: where to, by which key.
    max_answer_bytes
        A longer answer is not read to its end.

    Raises
    ------
    ConfigError
        For a capability or an option that cannot be used.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        api: Callable[[Capabilities], Api],
        call: Call,
        options: Collection[str] = (),
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        if endpoint.provider_options:
            refuse_unknown_options(name, endpoint.provider_options, options)
        self.identity = endpoint.identity or name
        self._name, self._api, self._call = name, api, call
        self._overrides = checked(endpoint.capabilities) if endpoint.capabilities else {}
        self._takes: dict[tuple[str, str | None], Capabilities] = {}
        self._timeout_s = endpoint.timeout_s or Limits().timeout_s
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
        was_closed = self._closed
        if was_closed:  # a session made now would never be closed
            raise ProviderUnavailableError(f"{self._call.where} was closed: nothing is sent")
        about = request.model, request.reasoning
        if about not in self._takes:
            self._takes[about] = for_request(request, self._name, self._overrides)
        takes = self._takes[about]
        api = self._api(takes)
        body, left_out = api.body(request, takes)
        call = replace(self._call, model=request.model, left_out=left_out)
        content, started = encoded(body), time.perf_counter()
        # Raised outside of the except blocks: the chain would hold the request and its key.
        try:
            async with asyncio.timeout(self._timeout_s):
                got = await self._send(api.path, content, call)
        except self._errors() as error:
            if self._closed:
                failed = CallError(
                    f"{call.where} was closed here before the whole answer was there",
                    retriable=True,
                    kind="connection",
                    charged=Usage(),
                )
            elif isinstance(error, RuntimeError):  # what a session says that is closed
                raise
            else:
                failed = connection_error(error, call, self._timeout_s)
        else:
            seconds = time.perf_counter() - started
            if isinstance(got, Reply):
                return replace(got, seconds=seconds)
            answer, is_whole, content_type = got
            if is_whole:
                return reply_of(api, base.parse(answer, content_type, call), call, seconds)
            raise CallError(
                f"{call.where} sent more than {self._max_answer_bytes:,} bytes in one answer; set "
                "max_tokens in the judge's sampling",
                retriable=False,
                kind="bad_answer",
                charged=Usage(),
            )
        raise failed

    async def close(self) -> None:
        """Break off what is under way. Nothing can be asked any more."""
        self._closed = True

    @abstractmethod
    def _errors(self) -> tuple[type[Exception], ...]:
        """What the transport lets through when a connection fails."""

    @abstractmethod
    async def _send(self, path: str, content: bytes, call: Call) -> Reply | tuple[bytes, bool, str]:
        """A body, whether that is all of it, and its content type; or a reply."""


class HttpProvider(ChatProvider):
    """Puts questions to an address.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """

    def __init__(
        self,
        info: ProviderInfo,
        endpoint: Endpoint,
        api: Callable[[Capabilities], Api],
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.address = Address(info, endpoint)
        super().__init__(
            info.name,
            endpoint,
            api,
            self.address.call,
            info.options,
            max_answer_bytes=max_answer_bytes,
        )
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        await super().close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await transports_end()

    def _errors(self) -> tuple[type[Exception], ...]:
        import aiohttp

        return (aiohttp.ClientError, OSError, RuntimeError)

    async def _send(self, path: str, content: bytes, call: Call) -> Reply | tuple[bytes, bool, str]:
        if self.address.needs_key and self.address.key is None:
            self.address.refuse_without_key()
        post = (self._session or self._connect()).post(
            f"{call.where}{path}",
            data=content,
            allow_redirects=False,  # to a GET, elsewhere
        )
        async with post as response:
            chunks = response.content.iter_any()
            if not 200 <= response.status < 300:
                said, _ = await read_up_to(MAX_ERROR_BYTES, chunks)
                return raised(no_success(response.status, response.headers, said, call))
            answer, is_whole = await read_up_to(self._max_answer_bytes, chunks)
            return answer, is_whole, response.headers.get("content-type", "")

    def _connect(self) -> aiohttp.ClientSession:
        """The session, made inside the running loop by the first call."""
        import aiohttp
        import httpx2

        address = self.address
        is_secure = address.base_url.startswith("https:")
        # The same authorities are trusted as by those who ask for batches.
        trusted = httpx2.create_ssl_context() if is_secure else True
        connect_s = min(CONNECT_S, self._timeout_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json", **address.headers()},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
            proxy=address.proxy(),  # once, and no .netrc, as the session itself would look for
        )
        return self._session


async def transports_end() -> None:
    """Let closed transports end: they do so in the loop's next turns, which may be its last."""
    for _ in range(3):
        await asyncio.sleep(0)


def encoded(content: Mapping[str, Any]) -> bytes:
    """JSON as it is sent.

    Raises
    ------
    CallError
        For text that cannot be sent.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass  # raised below: the chain would hold the question
    raise CallError(
        "the question holds half a surrogate pair, which cannot be sent; mend the item or the "
        "answer that it comes from",
        retriable=False,
        kind="request",
    )


async def read_up_to(limit: int, chunks: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """The bytes up to a limit, and whether that was all."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > limit:
            return bytes(read[:limit]), False
    return bytes(read), True


# OpenAI's and Anthropic's own clients, which one program makes of both APIs ----------------------
#
# Of the client its connection is used, with its way of proving who asks; what is sent and read is
# as of any other address, and attempts are counted elsewhere.

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

    async def _send(self, path: str, content: bytes, call: Call) -> Reply | tuple[bytes, bool, str]:
        if self.address.needs_key and self.address.key is None:
            self.address.refuse_without_key()
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
            chunks = response.iter_bytes()
            answer, is_whole = await read_up_to(self._max_answer_bytes, chunks)
            return answer, is_whole, response.headers.get("content-type", "")
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
