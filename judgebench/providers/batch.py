"""Questions handed over by the file: providers' batch interfaces, at their lower price.

A batch outlives the process that submitted it. What is needed to find it again and to tell whose
answer a line is travels with it: see `custom_id`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

from judgebench import registry
from judgebench.config import BATCHING, Endpoint
from judgebench.errors import CallError, ConfigError, DeferredError, JudgebenchError
from judgebench.keys import request_key
from judgebench.providers.base import Around, loaded, parse, refuse_unknown_options
from judgebench.providers.capabilities import Capabilities, checked, for_request
from judgebench.providers.http import CONNECT_S, Address, Api, ProviderInfo, encoded, reply_of
from judgebench.providers.http_errors import (
    Call,
    connection_error,
    excerpt,
    no_success,
    status_error,
)
from judgebench.providers.rate_limit import MAX_WAIT_S, wait_before_next
from judgebench.records import ChatRequest, Reply, Request, Usage

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

MAX_TRIES = 5
MAX_LINE_BYTES = 32 * 1024 * 1024
TOKEN_LENGTH = 20

LEAST_S = 600.0  # a batch is many megabytes, and is looked through before it is acknowledged
_ID = re.compile(r"(?P<token>[0-9a-f]{20})-(?P<key>[A-Za-z0-9_-]{43})")
# JSON may hold these as they are; what reads a file line by line may take them for the end of one.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def batches_of(endpoint: Endpoint) -> Batches:
    """The batch interface of a provider, reached as the provider itself is. Nothing is sent yet.

    Raises
    ------
    ConfigError
        For a provider without one, or an address, capability or option that cannot be used.
    """
    module = registry.load("providers", endpoint.provider or "")
    if not hasattr(module, "batches"):
        raise ConfigError(
            f"the provider {endpoint.provider!r} takes no batches; they are had from "
            f"{', '.join(sorted(BATCHING))}. A server that speaks OpenAI's Batch API is reached as "
            "openai with a base_url; without 'batch', the questions are asked one by one"
        )
    wait_s = max(endpoint.timeout_s or 0.0, LEAST_S)
    made: Batches = module.batches(endpoint.model_copy(update={"timeout_s": wait_s}))
    return made


# What can come of it ----------------------------------------------------------------------------

Unanswered: TypeAlias = Literal["expired", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a batch stands.

    ``word`` is the provider's own. ``done`` of ``total`` questions are through, None where it does
    not say. ``expires`` is when it ends in any case, in seconds since 1970. ``refusal`` is why the
    provider refused the batch as a whole.
    """

    word: str
    ended: bool
    cancelled: bool = False
    done: int | None = None
    total: int | None = None
    expires: float | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A batch that was made, although nobody heard of it."""

    remote_id: str


@dataclass(frozen=True, slots=True)
class Absent:
    """No batch of that token is among those the provider lists."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Whether there is one shows only when others of the same size have ended: ``candidates``."""

    candidates: tuple[str, ...]


Trace: TypeAlias = Found | Absent | Undecided


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its reply."""

    key: bytes
    reply: Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """A question that was asked and got no reply."""

    key: bytes
    error: CallError


@dataclass(frozen=True, slots=True)
class Unasked:
    """A question that the batch ended before; it cost nothing."""

    key: bytes
    why: Unanswered


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that cannot be told to be an answer to a question of ours."""

    why: str


Line: TypeAlias = Answered | Failed | Unasked | Stray


class UnheardError(JudgebenchError):
    """A batch was sent and no answer came: it may be under way."""

    exit_code = 69


# Lines ------------------------------------------------------------------------------------------


def new_token() -> str:
    """What a batch is known by before the provider has a name for it: 20 random hex digits."""
    return secrets.token_hex(TOKEN_LENGTH // 2)


def custom_id(token: str, key: bytes) -> str:
    """The id of a question within a batch: the batch's token and the request's key.

    64 characters out of ``A-Za-z0-9_-``, the most that providers take. With the token in it a
    line proves of which batch it is, also where the provider keeps no notes on a batch.
    """
    return f"{token}-{base64.urlsafe_b64encode(key).decode().rstrip('=')}"


def key_of(line_id: object, token: str) -> bytes | None:
    """The request key in an id of this batch; None for any other id."""
    match = _ID.fullmatch(line_id) if isinstance(line_id, str) else None
    if match is None or match["token"] != token:
        return None
    try:
        return base64.urlsafe_b64decode(match["key"] + "=")
    except binascii.Error:
        return None


def written(content: Mapping[str, Any]) -> bytes:
    """A line without its end.

    Raises
    ------
    CallError
        For text that cannot be sent, and for a line that is longer than any provider takes.
    """
    line = encoded(content).decode().translate(_LINE_ENDS).encode()
    if len(line) > MAX_LINE_BYTES:
        raise CallError(
            f"the question takes {len(line):,} bytes; a batch takes {MAX_LINE_BYTES:,} at most",
            retriable=False,
            kind="too_long",
        )
    return line


def read_lines(file: IO[bytes]) -> Iterator[dict[str, Any] | str]:
    """The JSON objects of a file of lines; what is none comes as the reason why.

    Split at line feeds alone: a text within may hold other characters that end a line elsewhere.
    """
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE_BYTES)
            yield f"a line of more than {MAX_LINE_BYTES:,} bytes"
        elif line.strip():
            try:
                content = loaded(line)
            except (ValueError, RecursionError):
                yield "a line that is no JSON"
            else:
                yield content if isinstance(content, dict) else "a line that is no JSON object"


# Calls ------------------------------------------------------------------------------------------


class BatchClient:
    """Asks one address about batches; again while that may help. A batch takes hours: no hurry.

    Whatever goes wrong is a `CallError` without the key in it.

    Parameters
    ----------
    sleep
        The passing of time between two tries, seconds; for tests.
    """

    def __init__(self, address: Address, timeout_s: float, sleep: Callable[[float], None]) -> None:
        self.call = address.call
        self._address = address
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._client: httpx2.Client | None = None

    def ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """The JSON object that comes back. Asked again where that may help."""
        return self._persistently(lambda: self._object(method, path, **content))

    def make(self, path: str, json: Mapping[str, Any]) -> str:
        """The id of what was made.

        Asked again only where surely nothing was made.

        Raises
        ------
        CallError
            When surely nothing was made.
        UnheardError
            When it may have been.
        """

        def attempt() -> str:
            kind = {"Content-Type": "application/json"}
            made = self._object("POST", path, content=encoded(json), headers=kind)
            return text_of(made, "id", self.call)

        try:
            return self._persistently(attempt, _surely_not_made)
        except CallError as error:
            if _surely_not_made(error):
                raise
            said = str(error)
        raise UnheardError(f"whether the batch was made is not known: {said}")

    def pages(self, path: str, after: str, size: int) -> Iterator[dict[str, Any]]:
        """The entries of a list in pages, each asked for with the last id of the one before.

        Ends where a server repeats itself.
        """
        seen: set[str] = set()
        query: dict[str, Any] = {"limit": size}
        while True:
            page = self.ask("GET", path, params=query)
            entries = [entry for entry in page.get("data") or () if isinstance(entry, dict)]
            new = [entry for entry in entries if text_of(entry, "id", self.call) not in seen]
            yield from new
            if not new or page.get("has_more") is False:
                return
            query[after] = new[-1]["id"]
            seen |= {entry["id"] for entry in new}

    @contextmanager
    def downloaded(self, *paths: str) -> Iterator[IO[bytes]]:
        """What is at the paths, one after the other, on disk: whole, or a `CallError`.

        A download that breaks off starts again before anybody has seen half of it.
        """
        with TemporaryFile() as file:
            for path in paths:
                self._persistently(partial(self._copy, path, file, file.tell()))
                file.write(b"\n")
            file.seek(0)
            yield file

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _copy(self, path: str, file: IO[bytes], start: int) -> None:
        file.seek(start)
        file.truncate()
        with self._response("GET", path) as response:
            file.writelines(response.iter_bytes())

    def _object(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        for _, file, _ in content.get("files", {}).values():
            file.seek(0)
        with self._response(method, path, **content) as response:
            body, kind = response.read(), response.headers.get("content-type", "")
        answer = parse(body, kind, self.call)
        if isinstance(answer, dict):
            return answer
        found = excerpt(repr(answer), 80, self.call.key)
        raise CallError(
            f"{self.call.where} answered something that is no JSON object ({found}); check "
            "base_url",
            retriable=False,
            kind="bad_answer",
        )

    @contextmanager
    def _response(self, method: str, path: str, **content: Any) -> Iterator[httpx2.Response]:
        """One attempt. Raised outside of the except blocks: the chain would hold the key."""
        import httpx2

        try:
            with self._connected().stream(method, path, **content) as response:
                if response.is_success:
                    yield response
                    return
                response.read()
            failed = self._refused(response)
        except (httpx2.HTTPError, OSError) as error:
            failed = connection_error(error, self.call, self._timeout_s)
        raise failed

    def _refused(self, response: httpx2.Response) -> CallError:
        where = self.call.where
        if response.status_code == 404:
            return CallError(
                f"{where} answered 404 Not Found: it has no such batch or file, or no batch "
                "interface; is this the account that submitted it, and base_url its address?",
                retriable=False,
                status=404,
                kind="not_found",
            )
        return status_error(
            response.status_code,
            response.headers,
            response.content,
            self.call,
            not_accepted="it does not accept this call about a batch; run without batches to see "
            "whether it takes the questions themselves",
        )

    def _persistently(
        self, attempt: Callable[[], T], allowed: Callable[[CallError], bool] = lambda error: True
    ) -> T:
        for tries in count(1):
            try:
                return attempt()
            except CallError as error:
                failed = error
            far_off = (failed.retry_after_s or 0.0) > MAX_WAIT_S
            if not failed.retriable or far_off or tries == MAX_TRIES or not allowed(failed):
                break
            self._sleep(wait_before_next(failed, tries))
        raise failed

    def _connected(self) -> httpx2.Client:
        """The client, made by the first call."""
        if self._client is None:
            import httpx2

            address = self._address
            address.refuse_without_key()
            self._client = httpx2.Client(
                base_url=address.base_url,
                headers=address.headers(),
                timeout=httpx2.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s)),
                trust_env=not address.is_loopback,  # no proxy reaches our own machine
                follow_redirects=False,  # the key is not for another address
            )
        return self._client


def text_of(answer: Mapping[str, Any], name: str, call: Call) -> str:
    """A text that must be there.

    Raises
    ------
    CallError
        Where it is not: whoever answered has no batch interface, or may have taken the batch.
    """
    value = answer.get(name)
    if isinstance(value, str) and value:
        return value
    raise CallError(
        f"{call.where} answered without {name!r}; does it have a batch interface?",
        retriable=False,
        kind="bad_answer",
        charged=Usage(),
    )


def _surely_not_made(error: CallError) -> bool:
    """A connection that never stood, or a refusal of what was asked; not a fault on the way."""
    if error.status is None:
        return error.kind in {"connection", "timeout"} and error.charged is None
    return error.status < 500 and error.status not in {408, 409}


# What a provider's batches have in common -------------------------------------------------------


class Batches(ABC):
    """A provider's way of taking many questions at once.

    All methods that ask the provider raise `CallError` when it cannot be reached or refuses.

    Parameters
    ----------
    max_requests, max_bytes
        The most that one batch holds; the provider's own limits if None.
    sleep
        The passing of time between two tries, seconds; for tests.
    """

    MAX_REQUESTS: ClassVar[int]
    MAX_BYTES: ClassVar[int]
    PATH: ClassVar[str]

    def __init__(
        self,
        info: ProviderInfo,
        endpoint: Endpoint,
        api: Callable[[Capabilities], Api],
        *,
        max_requests: int | None = None,
        max_bytes: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        refuse_unknown_options(info.name, endpoint.provider_options, info.options)
        self.address = Address(info, endpoint)
        self.client = BatchClient(self.address, endpoint.timeout_s or LEAST_S, sleep)
        self._name, self._api = info.name, api
        self._overrides = checked(endpoint.capabilities)
        self._max_requests = max_requests or self.MAX_REQUESTS
        self._max_bytes = max_bytes or self.MAX_BYTES

    def check(self, request: Request) -> None:
        """Raises `CallError` for a question that cannot be put in a batch."""
        self._measure(bytes(32), request)

    def split(self, requests: Mapping[bytes, Request]) -> Iterator[dict[bytes, Request]]:
        """The questions in as few batches as the provider's limits allow, by request key.

        A batch holds questions of one kind.
        """
        parts: dict[str, dict[bytes, Request]] = {}
        sizes: dict[str, int] = {}
        for key, request in requests.items():
            kind, size = self._measure(key, request)
            part = parts.setdefault(kind, {})
            is_full = len(part) == self._max_requests
            if part and (is_full or sizes[kind] + size > self._max_bytes):
                yield parts.pop(kind)
                part, sizes[kind] = parts.setdefault(kind, {}), 0
            part[key] = request
            sizes[kind] = sizes.get(kind, 0) + size
        yield from parts.values()

    @abstractmethod
    def submit(self, token: str, requests: Mapping[bytes, Request]) -> str:
        """Submit one batch; returns the provider's id for it.

        ``token`` (`new_token`) travels with it, so that it can be found.

        Raises
        ------
        CallError
            When surely no batch was made.
        UnheardError
            When one may have been: `find` tells, later.
        """

    @abstractmethod
    def find(self, token: str, total: int, *, others: Collection[str] = ()) -> Trace:
        """A batch of ``total`` questions that was submitted with this token.

        ``others`` are ids of batches that are known not to be it.
        """

    def state(self, remote_id: str) -> Standing:
        return self.standing(self.looked_up(remote_id))

    def results(
        self, remote_id: str, token: str, requests: Mapping[bytes, Request]
    ) -> Iterator[Line]:
        """What came of the questions of a batch that has ended, in no order.

        A question may be without a line, or have several.
        """
        with self.client.downloaded(*self.result_paths(remote_id)) as file:
            for content in read_lines(file):
                if isinstance(content, str):
                    yield Stray(content)
                    continue
                key = key_of(content.get("custom_id"), token)
                if key is None or key not in requests:
                    yield Stray("a line about no question of this batch")
                else:
                    yield self._line(content, key, requests[key])

    def cancel(self, remote_id: str) -> None:
        """Ask to end a batch early. What is through by then can be collected once it has ended."""
        self.client.ask("POST", f"{self.PATH}/{remote_id}/cancel")

    def close(self) -> None:
        self.client.close()

    @abstractmethod
    def standing(self, batch: Mapping[str, Any]) -> Standing:
        """Where a batch stands, of which the provider says this."""

    @abstractmethod
    def result_paths(self, remote_id: str) -> list[str]:
        """Where its lines are."""

    @abstractmethod
    def entry(self, token: str, key: bytes, request: Request) -> tuple[str, dict[str, Any]]:
        """The kind of batch that a question goes into, and what it is there."""

    @abstractmethod
    def outcome(self, content: dict[str, Any]) -> tuple[int, Any] | Unanswered | None:
        """A line's status and answer, or why it was not asked; None where it says neither."""

    def looked_up(self, remote_id: str) -> dict[str, Any]:
        return self.client.ask("GET", f"{self.PATH}/{remote_id}")

    def posed(self, request: Request) -> tuple[Api, dict[str, Any], tuple[str, ...]]:
        """Who takes a question, its body, and the names of what the model does not take."""
        if not isinstance(request, ChatRequest):
            raise CallError(
                "a batch takes questions to chat models, and no request for scores; judge it live",
                retriable=False,
                kind="request",
            )
        takes = for_request(request, self._name, self._overrides)
        api = self._api(takes)
        return api, *api.body(request, takes)

    def _measure(self, key: bytes, request: Request) -> tuple[str, int]:
        kind, entry = self.entry("0" * TOKEN_LENGTH, key, request)
        return kind, len(written(entry)) + 1

    def _line(self, content: dict[str, Any], key: bytes, request: Request) -> Line:
        call = self.client.call
        match self.outcome(content):
            case (status, said):
                pass
            case None:
                told = {name: value for name, value in content.items() if name != "custom_id"}
                words = excerpt(json.dumps(told, ensure_ascii=False), 300, call.key)
                message = f"{call.where} gave no answer in its batch: {words}"
                return Failed(key, CallError(message, retriable=True, kind="server"))
            case why:
                return Unasked(key, why)
        api, _, left_out = self.posed(request)
        call = replace(call, model=request.model, left_out=left_out)
        if not 200 <= status < 300:
            call = replace(call, where=f"{call.where} (in a batch)")
            outcome = no_success(status, {}, json.dumps(said).encode(), call)
        else:
            try:
                outcome = reply_of(api, said, call)
            except CallError as error:
                outcome = error
        return Failed(key, outcome) if isinstance(outcome, CallError) else Answered(key, outcome)


# Where a provider would stand -------------------------------------------------------------------


@dataclass(eq=False)
class BatchCollector:
    """A provider that answers later: every question is noted once, and put off.

    Inside `Replay`, so that what was answered before is answered at once.

    Parameters
    ----------
    interface
        Says which questions can be put in a batch; nothing is sent.
    under_way
        Whether the question of this key is in a batch already; it is put off and not noted.
    reserve
        Told of each question before it is noted; raises `BudgetSpentError` for one that could cost
        too much.
    """

    interface: Batches
    under_way: Callable[[bytes], bool] = field(default=lambda key: False, kw_only=True)
    reserve: Callable[[Request], Awaitable[None]] | None = field(default=None, kw_only=True)
    requests: dict[bytes, Request] = field(default_factory=dict, init=False)

    async def complete(self, request: Request) -> Reply:
        """Never returns.

        Raises
        ------
        DeferredError
            For a question that was noted.
        CallError
            For one that cannot be put in a batch.
        """
        key = request_key(request)
        if key not in self.requests and not self.under_way(key):
            self.interface.check(request)
            if self.reserve is not None:
                await self.reserve(request)
            self.requests[key] = request
        raise DeferredError("the question goes into a batch; its reply comes later")

    async def close(self) -> None:
        """Nothing: the interface is closed by who made it, after the batch was submitted."""


@dataclass(eq=False)
class BatchDeferred(Around):
    """Puts off what is in an open batch, and passes everything else on.

    Parameters
    ----------
    under_way
        Whether the question of this key is in an open batch.
    """

    under_way: Callable[[bytes], bool]

    async def complete(self, request: Request) -> Reply:
        """Raises `DeferredError` for a question that is in a batch."""
        if self.under_way(request_key(request)):
            raise DeferredError("the question is in a batch; its reply comes later")
        return await self.inner.complete(request)
