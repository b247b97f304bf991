"""Servers on loopback that take batches, as OpenAI and as Anthropic do, and end them when told.

    with OpenAIServer() as server:
        …                                   # submit to server.url
        server.end()                        # every question answered, in another order
        server.end(lambda n, line: …)       # or as a rule says, question by question

A rule is given the number of a question and its line as it came, and returns the line that comes
of it (`answered`, `refused`, `expired`), any text as it stands, or None for no line at all.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

Line: TypeAlias = dict[str, Any]
Rule: TypeAlias = Callable[[int, Line], Line | str | None]

KEY = "sk-never-to-be-shown-0123456789"
CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
PAGE = 2  # entries of a list at a time, whatever was asked for: clients have to turn pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens instead of an answer; with ``acts`` only after what was asked for was done.

    ``cut`` closes the connection without a word, ``hang`` says nothing until the server ends.
    """

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b'{"error": {"message": "scripted", "type": "api_error"}}'
    cut: bool = False
    hang: bool = False
    acts: bool = False


@dataclass(slots=True)
class Held:
    """A batch that the server holds."""

    id: str
    lines: list[Line]
    metadata: Mapping[str, Any] | None = None
    endpoint: str = ""
    status: str = "in_progress"
    results: list[Line | str] | None = None
    refusal: str | None = None
    called_off: bool = False


class _Server:
    """HTTP on loopback: routes to methods, notes every call, misbehaves where it is told to."""

    def __init__(self) -> None:
        self.batches: dict[str, Held] = {}
        self.calls: list[str] = []
        self.key: str | None = KEY
        self._faults: list[tuple[str, Fault]] = []
        self._ended = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def fail(self, call: str, *faults: Fault) -> None:
        """The next calls whose ``METHOD /path`` begins so meet these faults, one each."""
        self._faults += [(call, fault) for fault in faults]

    def count(self, call: str) -> int:
        """How many calls began so."""
        return sum(made.startswith(call) for made in self.calls)

    def answer(self, call: str, query: Mapping[str, str], body: bytes, kind: str) -> Any:
        """The JSON or the bytes that answer a call; a pair of a status and JSON; None for 404."""
        raise NotImplementedError

    def authorised(self, headers: Mapping[str, str]) -> bool:
        raise NotImplementedError

    def _fault(self, call: str) -> Fault | None:
        for i, (begins, fault) in enumerate(self._faults):
            if call.startswith(begins):
                del self._faults[i]
                return fault
        return None

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - two selves in one place
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: the other side waits 40 ms for a second

            def do_GET(self) -> None:
                self._do("GET")

            def do_POST(self) -> None:
                self._do("POST")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

            def _do(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path, _, asked = self.path.partition("?")
                query = dict(part.split("=", 1) for part in asked.split("&") if "=" in part)
                call = f"{method} {path}"
                server.calls.append(call)
                fault = server._fault(call)
                if fault is None and not server.authorised(self.headers):
                    self._send(401, b'{"error": {"message": "Incorrect API key"}}', {})
                    return
                kind = self.headers.get("content-type") or ""
                if fault is None or fault.acts:
                    given = server.answer(call, query, body, kind)
                if fault is not None:
                    self._misbehave(fault)
                elif given is None:
                    self._send(404, b'{"error": {"message": "no such thing"}}', {})
                elif isinstance(given, bytes):
                    self._send(200, given, {"content-type": "application/binary"})
                else:
                    status, content = given if isinstance(given, tuple) else (200, given)
                    self._send(status, json.dumps(content).encode(), {})

            def _misbehave(self, fault: Fault) -> None:
                if fault.hang:
                    server._ended.wait()
                if fault.hang or fault.cut:
                    self.close_connection = True
                else:
                    self._send(fault.status, fault.raw, fault.headers)

            def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in ({"content-type": "application/json"} | dict(headers)).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


class OpenAIServer(_Server):
    """Files and batches, for chat completions and for responses."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    def authorised(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {self.key}"

    def end(self, rule: Rule | None = None, *, status: str = "completed") -> None:
        """End all batches under way; every question is answered unless a rule says otherwise."""
        for batch in self.batches.values():
            if batch.status in {"in_progress", "cancelling"}:
                given = [(rule or self.answered_as_asked)(n, x) for n, x in enumerate(batch.lines)]
                batch.results = [line for line in reversed(given) if line is not None]
                batch.status = "cancelled" if batch.called_off else status

    def refuse(self, reason: str) -> None:
        """Refuse all batches under way, as after a look through the file."""
        for batch in self.batches.values():
            batch.status, batch.refusal = "failed", reason

    def answered_as_asked(self, number: int, line: Line) -> Line:
        return self.answered(line, f"answer to {_last(line['body'])}")

    @staticmethod
    def answered(line: Line, text: str, **more: Any) -> Line:
        body = line["body"]
        if line["url"] == "/v1/responses":
            content = {"type": "output_text", "text": text, "annotations": []}
            answer = {
                "id": "resp_1", "object": "response", "status": "completed",
                "model": f"{body['model']}-served",
                "output": [{"type": "message", "role": "assistant", "content": [content]}],
                "usage": {"input_tokens": 1000, "output_tokens": 100},
            }  # fmt: skip
        else:
            message = {"role": "assistant", "content": text}
            answer = {
                "id": "chatcmpl-1", "object": "chat.completion", "model": f"{body['model']}-served",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
            }  # fmt: skip
        response = {"status_code": 200, "request_id": "req_1", "body": answer | more}
        return {"custom_id": line["custom_id"], "response": response, "error": None}

    @staticmethod
    def refused(line: Line, status: int, message: str, **error: Any) -> Line:
        body = {"error": {"message": message} | error}
        response = {"status_code": status, "request_id": "req_1", "body": body}
        return {"custom_id": line["custom_id"], "response": response, "error": None}

    @staticmethod
    def expired(line: Line, code: str = "batch_expired") -> Line:
        error = {"code": code, "message": "This request could not be executed in time."}
        return {"custom_id": line["custom_id"], "response": None, "error": error}

    def answer(self, call: str, query: Mapping[str, str], body: bytes, kind: str) -> Any:
        match call.split("/"):
            case ["POST ", "v1", "files"]:
                return self._upload(body, kind)
            case ["GET ", "v1", "files", file_id, "content"]:
                return self._content(file_id)
            case ["POST ", "v1", "batches"]:
                return self._create(json.loads(body))
            case ["GET ", "v1", "batches"]:
                shown = [self._shown(b) for b in reversed(self.batches.values())]
                return _page(shown, query.get("after"))
            case ["GET ", "v1", "batches", batch_id] if batch_id in self.batches:
                return self._shown(self.batches[batch_id])
            case ["POST ", "v1", "batches", batch_id, "cancel"] if batch_id in self.batches:
                batch = self.batches[batch_id]
                if batch.status != "in_progress":
                    return 409, {"error": {"message": f"cannot cancel: {batch.status}"}}
                batch.status, batch.called_off = "cancelling", True
                return self._shown(batch)
        return None

    def _upload(self, body: bytes, kind: str) -> Any:
        head = f"content-type: {kind}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        fields = {part.get_param("name", header="content-disposition"): part for part in parts}
        assert fields["purpose"].get_payload(decode=True) == b"batch"
        file_id = f"file-{len(self.files)}"
        content = fields["file"].get_payload(decode=True)
        assert isinstance(content, bytes)
        self.files[file_id] = content
        return {"id": file_id, "object": "file", "purpose": "batch", "bytes": len(content)}

    def _create(self, body: Mapping[str, Any]) -> Any:
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        ids = [line["custom_id"] for line in lines]
        assert all(CUSTOM_ID.fullmatch(line_id) for line_id in ids)
        assert len(set(ids)) == len(ids)
        assert {line["url"] for line in lines} == {body["endpoint"]}
        batch = Held(
            id=f"batch_{len(self.batches)}",
            lines=lines,
            metadata=body.get("metadata"),
            endpoint=body["endpoint"],
        )
        self.batches[batch.id] = batch
        return self._shown(batch)

    def _content(self, file_id: str) -> bytes | None:
        batch_id, _, which = file_id.partition("-")
        results = self.batches[batch_id].results or []
        is_error = [isinstance(line, dict) and _is_error(line) for line in results]
        chosen = [x for x, bad in zip(results, is_error, strict=True) if bad == (which == "errors")]
        return _jsonl(chosen)

    def _shown(self, batch: Held) -> Line:
        results = batch.results or []
        bad = sum(isinstance(line, dict) and _is_error(line) for line in results)
        errors = {"object": "list", "data": [{"code": "invalid", "message": batch.refusal}]}
        return {
            "id": batch.id, "object": "batch", "endpoint": batch.endpoint, "created_at": 1,
            "completion_window": "24h", "input_file_id": "file-0", "status": batch.status,
            "metadata": batch.metadata, "expires_at": 4_000_000_000,
            "errors": errors if batch.refusal else None,
            "output_file_id": f"{batch.id}-output" if len(results) > bad else None,
            "error_file_id": f"{batch.id}-errors" if bad else None,
            "request_counts": {
                "total": len(batch.lines), "completed": len(results) - bad, "failed": bad,
            },
        }  # fmt: skip


class AnthropicServer(_Server):
    """Message batches."""

    @property
    def url(self) -> str:
        return self.origin

    def authorised(self, headers: Mapping[str, str]) -> bool:
        given = headers.get("x-api-key") or headers.get("authorization") or ""
        return given.removeprefix("Bearer ") == self.key

    def end(self, rule: Rule | None = None) -> None:
        """End all batches under way; every question is answered unless a rule says otherwise."""
        for batch in self.batches.values():
            if batch.status != "ended":
                given = [(rule or self.answered_as_asked)(n, x) for n, x in enumerate(batch.lines)]
                batch.results = [line for line in reversed(given) if line is not None]
                batch.status = "ended"

    def answered_as_asked(self, number: int, line: Line) -> Line:
        return self.answered(line, f"answer to {_last(line['params'])}")

    @staticmethod
    def answered(line: Line, text: str, **more: Any) -> Line:
        message = {
            "id": "msg_1", "type": "message", "role": "assistant",
            "model": f"{line['params']['model']}-served", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}],
            "usage": {"input_tokens": 1000, "output_tokens": 100},
        }  # fmt: skip
        result = {"type": "succeeded", "message": message | more}
        return {"custom_id": line["custom_id"], "result": result}

    @staticmethod
    def refused(line: Line, status: int, message: str, **error: Any) -> Line:
        kinds = {400: "invalid_request_error", 429: "rate_limit_error", 500: "api_error"}
        said = {"type": kinds[status], "message": message} | error
        result = {"type": "errored", "error": {"type": "error", "error": said}}
        return {"custom_id": line["custom_id"], "result": result}

    @staticmethod
    def expired(line: Line, kind: str = "expired") -> Line:
        return {"custom_id": line["custom_id"], "result": {"type": kind}}

    def answer(self, call: str, query: Mapping[str, str], body: bytes, kind: str) -> Any:
        match call.removeprefix("GET ").removeprefix("POST ").split("/")[4:]:
            case [] if call.startswith("POST"):
                return self._create(json.loads(body)["requests"])
            case []:
                shown = [self._shown(b) for b in reversed(self.batches.values())]
                return _page(shown, query.get("after_id"))
            case [batch_id] if batch_id in self.batches:
                return self._shown(self.batches[batch_id])
            case [batch_id, "cancel"] if batch_id in self.batches:
                self.batches[batch_id].called_off = True
                return self._shown(self.batches[batch_id])
            case [batch_id, "results"] if batch_id in self.batches:
                results = self.batches[batch_id].results
                return None if results is None else _jsonl(results)
        return None

    def _create(self, lines: list[Line]) -> Any:
        ids = [line["custom_id"] for line in lines]
        assert all(CUSTOM_ID.fullmatch(line_id) for line_id in ids)
        assert len(set(ids)) == len(ids)
        batch = Held(id=f"msgbatch_{len(self.batches)}", lines=lines)
        self.batches[batch.id] = batch
        return self._shown(batch)

    def _shown(self, batch: Held) -> Line:
        moment = datetime.fromtimestamp(4_000_000_000, UTC).isoformat()
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if batch.status == "ended" else "processing"] = len(batch.lines)
        return {
            "id": batch.id, "type": "message_batch", "processing_status": batch.status,
            "request_counts": counts, "created_at": moment, "expires_at": moment,
            "ended_at": None, "archived_at": None,
            "cancel_initiated_at": moment if batch.called_off else None,
            # Never to be followed: a key is for the address it was given for.
            "results_url": "http://127.0.0.1:9/elsewhere",
        }  # fmt: skip


def _last(body: Line) -> str:
    """The text of the last message of a question."""
    content = (body.get("messages") or body.get("input"))[-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _is_error(line: Line) -> bool:
    response = line.get("response")
    return response is None or response.get("status_code") != 200


def _jsonl(lines: list[Line | str]) -> bytes:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return "\n".join(texts).encode("utf-8", "surrogatepass")


def _page(entries: list[Line], after: str | None) -> Line:
    ids = [entry["id"] for entry in entries]
    start = ids.index(after) + 1 if after in ids else 0
    page = entries[start : start + PAGE]
    return {
        "object": "list", "data": page, "has_more": start + PAGE < len(entries),
        "first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None,
    }  # fmt: skip
