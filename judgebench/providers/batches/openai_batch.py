"""OpenAI's Batch API: a file of questions in, a file of answers and one of errors out.

A batch carries our token in its metadata. A file that was uploaded for a batch that then was not
made stays with the provider until it expires there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast

from judgebench.errors import CallError
from judgebench.providers import reading, wire_chat, wire_responses
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
)
from judgebench.providers.capabilities import for_request
from judgebench.providers.http_errors import excerpt
from judgebench.records import ChatRequest, Reply, Request

if TYPE_CHECKING:
    from openai import OpenAI

NOTE = "judgebench"
"""The field of a batch's metadata that holds our token."""

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_CHAT, _RESPONSES = "/v1/chat/completions", "/v1/responses"
_PAGE = 100
_LATEST_S = 253_402_300_799
"""The last second that a date can name."""


class OpenAIBatches(HttpBatches):
    """OpenAI's, and those of servers that speak like it. A batch has one endpoint."""

    MAX_REQUESTS = 50_000
    MAX_BYTES = 200_000_000

    _connection: tuple[OpenAI, Calls] | None = None

    def submit(self, token: str, requests: Mapping[bytes, Request]) -> str:
        client, calls = self._connected()
        with TemporaryFile() as file:
            endpoint = _CHAT
            for key, request in requests.items():
                endpoint, line = self._line(token, key, request)
                file.write(line + b"\n")

            def upload() -> object:
                file.seek(0)
                named = (f"{NOTE}-{token}.jsonl", file, "application/jsonl")
                return client.files.create(file=named, purpose="batch")

            uploaded = text_of(calls.asked(upload), "id", calls.where)
        return calls.made(
            lambda: client.batches.create(
                completion_window="24h",
                endpoint=cast("Any", endpoint),
                input_file_id=uploaded,
                metadata={NOTE: token},
            )
        )

    def find(self, token: str, total: int, *, others: Collection[str] = ()) -> Trace:
        client, calls = self._connected()

        def page(after: str | None) -> object:
            query = {"after": after} if after else None
            return client.batches.list(limit=_PAGE, extra_query=query)

        for batch in calls.pages(page):
            if (batch.get("metadata") or {}).get(NOTE) == token:
                return Found(batch["id"])
        return Absent()

    def state(self, remote_id: str) -> Standing:
        batch = self._retrieved(remote_id)
        counts = batch.get("request_counts")
        done, failed = reading.count(counts, "completed"), reading.count(counts, "failed")
        word = batch["status"]
        return Standing(
            word=word,
            ended=word in _ENDED,
            cancelled=word == "cancelled",
            done=None if done is None else done + (failed or 0),
            total=reading.count(counts, "total") or None,
            expires=reading.count(batch, "expires_at", most=_LATEST_S),
            refusal=self._refusal(batch) if word == "failed" else None,
        )

    def results(
        self, remote_id: str, token: str, requests: Mapping[bytes, Request]
    ) -> Iterator[Line]:
        client, calls = self._connected()
        batch = self._retrieved(remote_id)
        files = [batch[name] for name in ("output_file_id", "error_file_id") if batch.get(name)]
        with calls.downloaded(*(partial(_content, client, file_id) for file_id in files)) as file:
            yield from self._outcomes(file, token, requests)

    def cancel(self, remote_id: str) -> None:
        client, calls = self._connected()
        calls.asked(lambda: client.batches.cancel(remote_id))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection[0].close()

    def _retrieved(self, remote_id: str) -> dict[str, Any]:
        client, calls = self._connected()
        batch = calls.asked(lambda: client.batches.retrieve(remote_id))
        text_of(batch, "status", calls.where)
        return batch

    def _refusal(self, batch: Mapping[str, Any]) -> str:
        """Why the batch was refused, in the provider's words: the first few reasons."""
        reasons = (batch.get("errors") or {}).get("data") or []
        said = json.dumps(reasons[:3], ensure_ascii=False) if reasons else "no reason given"
        return excerpt(said, 300, self._door.key)

    # lines --------------------------------------------------------------------------------------

    def _posed(self, request: ChatRequest) -> tuple[str, dict[str, Any], tuple[str, ...]]:
        """The endpoint, the body, and the names of what the model does not take."""
        takes = for_request(request, "openai", self._overrides)
        if takes.api == "responses":
            return _RESPONSES, *wire_responses.body(request, takes)
        return _CHAT, *wire_chat.body(request, takes)

    def _line(self, token: str, key: bytes, request: Request) -> tuple[str, bytes]:
        """The endpoint and the line of a question."""
        endpoint, body, _ = self._posed(lines.chat_only(request))
        line_id = lines.custom_id(token, key)
        content = {"custom_id": line_id, "method": "POST", "url": endpoint, "body": body}
        return endpoint, lines.written(content)

    def _measure(self, key: bytes, request: Request) -> tuple[str, int]:
        endpoint, line = self._line("0" * lines.TOKEN_LENGTH, key, request)
        return endpoint, len(line) + 1

    def _outcome(self, content: dict[str, Any], key: bytes, request: ChatRequest) -> Line:
        match content:
            case {"response": dict(response)}:
                return self._read(key, lambda: self._reply(response, request))
            case {"error": {"code": "batch_expired"}}:
                return Unasked(key, "expired")
            case {"error": {"code": "batch_cancelled"}}:
                return Unasked(key, "cancelled")
        return self._unread(key, content.get("error"))

    def _reply(self, response: dict[str, Any], request: ChatRequest) -> Reply | CallError:
        endpoint, _, left_out = self._posed(request)
        status, body = response.get("status_code"), response.get("body")
        if isinstance(status, int) and not 200 <= status < 300:
            return self._refused(status, body, request, left_out)
        read = wire_responses.read if endpoint == _RESPONSES else wire_chat.read
        where, key = self._door.base_url, self._door.key
        return read(body, where=where, model=request.model, key=key, left_out=left_out)

    def _connected(self) -> tuple[OpenAI, Calls]:
        """The client, made by the first call."""
        if self._connection is None:
            import openai

            unwanted = ("OpenAI-Organization", "OpenAI-Project")
            options = client_options(self._door, openai, "OPENAI_CUSTOM_HEADERS", unwanted)
            client = openai.OpenAI(**options)
            self._connection = client, Calls(self._door, sdk=openai, sleep=self._sleep)
        return self._connection


@contextmanager
def _content(client: OpenAI, file_id: str) -> Iterator[Iterator[bytes]]:
    with client.files.with_streaming_response.content(file_id) as response:
        yield response.iter_bytes()
