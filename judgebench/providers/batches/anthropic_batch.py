"""Anthropic's Message Batches: questions in one body, answers as lines.

A batch keeps no notes, so that ours is known by the ids of its lines, which can be read once it has
ended. Until then a batch of the same size may or may not be the one that is looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from judgebench.errors import CallError
from judgebench.providers import reading, wire_messages
from judgebench.providers.batches import lines
from judgebench.providers.batches.calls import Calls, client_options, text_of
from judgebench.providers.batches.http_batches import HttpBatches
from judgebench.providers.batches.interface import (
    Absent,
    Found,
    Line,
    Standing,
    Trace,
    Unasked,
    Undecided,
)
from judgebench.providers.capabilities import for_request
from judgebench.records import ChatRequest, Reply, Request

if TYPE_CHECKING:
    from anthropic import Anthropic
    from httpx2 import Client

_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
_PAGE = 1000


class AnthropicBatches(HttpBatches):
    """Message batches of one workspace."""

    MAX_REQUESTS = 100_000
    MAX_BYTES = 256_000_000

    _connection: tuple[Anthropic, Client, Calls] | None = None

    def submit(self, token: str, requests: Mapping[bytes, Request]) -> str:
        client, _, calls = self._connected()
        entries: Any = [self._entry(token, key, request) for key, request in requests.items()]
        return calls.made(lambda: client.messages.batches.create(requests=entries))

    def find(self, token: str, total: int, *, others: Collection[str] = ()) -> Trace:
        client, _, calls = self._connected()

        def page(after: str | None) -> object:
            query = {"after_id": after} if after else None
            return client.messages.batches.list(limit=_PAGE, extra_query=query)

        undecided: list[str] = []
        for batch in calls.pages(page):
            if batch["id"] in others or _total(batch) != total or batch.get("archived_at"):
                continue
            if batch.get("processing_status") != "ended":
                undecided.append(batch["id"])
            elif self._is_ours(batch["id"], token):
                return Found(batch["id"])
        return Undecided(tuple(undecided)) if undecided else Absent()

    def state(self, remote_id: str) -> Standing:
        client, _, calls = self._connected()
        batch = calls.asked(lambda: client.messages.batches.retrieve(remote_id))
        word, total = text_of(batch, "processing_status", calls.where), _total(batch)
        processing = reading.count(batch.get("request_counts"), "processing")
        return Standing(
            word=word,
            ended=word == "ended",
            cancelled=batch.get("cancel_initiated_at") is not None,
            done=None if processing is None else total - processing,
            total=total,
            expires=_seconds(batch.get("expires_at")),
        )

    def results(
        self, remote_id: str, token: str, requests: Mapping[bytes, Request]
    ) -> Iterator[Line]:
        _, _, calls = self._connected()
        with calls.downloaded(partial(self._lines_of, remote_id)) as file:
            yield from self._outcomes(file, token, requests)

    def cancel(self, remote_id: str) -> None:
        client, _, calls = self._connected()
        calls.asked(lambda: client.messages.batches.cancel(remote_id))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection[0].close()

    def _is_ours(self, remote_id: str, token: str) -> bool:
        """Whether the first line of a batch that has ended bears our token."""
        _, _, calls = self._connected()
        with calls.downloaded(partial(self._lines_of, remote_id)) as file:
            first = next(lines.read(file), "no line")
        return isinstance(first, dict) and lines.key_of(first.get("custom_id"), token) is not None

    @contextmanager
    def _lines_of(self, remote_id: str) -> Iterator[Iterator[bytes]]:
        """The results as they come.

        From the address that the key is for, and not from the ``results_url`` that a server names.
        """
        client, http, calls = self._connected()
        headers = {n: v for n, v in client.default_headers.items() if isinstance(v, str)}
        url = f"{calls.where}/v1/messages/batches/{quote(remote_id, safe='')}/results"
        with http.stream("GET", url, headers=headers) as response:
            if not response.is_success:
                response.read()
            response.raise_for_status()
            yield response.iter_bytes()

    # lines --------------------------------------------------------------------------------------

    def _posed(self, request: ChatRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The body, and the names of what the model does not take."""
        return wire_messages.body(request, for_request(request, "anthropic", self._overrides))

    def _entry(self, token: str, key: bytes, request: Request) -> dict[str, Any]:
        body, _ = self._posed(lines.chat_only(request))
        return {"custom_id": lines.custom_id(token, key), "params": body}

    def _measure(self, key: bytes, request: Request) -> tuple[str, int]:
        entry = self._entry("0" * lines.TOKEN_LENGTH, key, request)
        return "messages", len(lines.written(entry)) + 1

    def _outcome(self, content: dict[str, Any], key: bytes, request: ChatRequest) -> Line:
        match content.get("result"):
            case {"type": "expired"}:
                return Unasked(key, "expired")
            case {"type": "canceled"}:
                return Unasked(key, "cancelled")
            case {"type": "succeeded", "message": message}:
                return self._read(key, lambda: self._reply(message, request))
            case {"type": "errored", "error": error}:
                return self._read(key, lambda: self._error(error, request))
        return self._unread(key, content.get("result"))

    def _reply(self, message: Any, request: ChatRequest) -> Reply:
        _, left_out = self._posed(request)
        where, key = self._door.base_url, self._door.key
        return wire_messages.read(
            message, where=where, model=request.model, key=key, left_out=left_out
        )

    def _error(self, error: Any, request: ChatRequest) -> Reply | CallError:
        """What a line's error means; it has a type, and no status."""
        _, left_out = self._posed(request)
        inner = error.get("error") if isinstance(error, dict) else None
        kind = inner.get("type") if isinstance(inner, dict) else None
        status = wire_messages.STATUS_OF_ERROR.get(str(kind), 500)
        return self._refused(status, error, request, left_out)

    def _connected(self) -> tuple[Anthropic, Client, Calls]:
        """The client, made by the first call."""
        if self._connection is None:
            import anthropic

            options = client_options(self._door, anthropic, "ANTHROPIC_CUSTOM_HEADERS")
            calls = Calls(self._door, sdk=anthropic, sleep=self._sleep)
            self._connection = anthropic.Anthropic(**options), options["http_client"], calls
        return self._connection


def _total(batch: Mapping[str, Any]) -> int:
    counts = batch.get("request_counts")
    return sum(reading.count(counts, name) or 0 for name in _COUNTS)


def _seconds(stated: object) -> float | None:
    """Seconds since 1970 of a date as the provider writes it; None where it is none."""
    try:
        return datetime.fromisoformat(str(stated)).timestamp()
    except ValueError:
        return None
