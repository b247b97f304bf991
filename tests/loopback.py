"""A scripted OpenAI-compatible server on loopback, for tests of everything that talks to one.

In a test's own process it runs in a thread and is scripted by a function::

    with Loopback(lambda ask: Reaction(text="correct")) as server:
        server.url      # http://127.0.0.1:PORT/v1
        server.asks     # every question that arrived, in order

As a child process it is scripted by words, for a run that is killed and started again::

    python tests/loopback.py --port 0 --log asked.log --mode ok --delay 0.02

A request body may carry ``"loopback": "hang"`` (a judge's ``extra``) to choose its own mode. The
log holds one line per question, the SHA-256 of its body, on disk before the answer is sent: a line
twice is a question that was asked twice. Without instructions an answer depends on nothing but the
question, and it follows a JSON schema where one is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question as it arrived. ``seen`` counts the arrivals of this very body, from 1."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    path: str
    sha: str
    seen: int

    @property
    def text(self) -> str:
        """The text of the last message."""
        messages = self.body.get("messages") or [{}]
        return str(messages[-1].get("content", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What the server does with a question; by default a proper chat completion of ``text``.

    ``repeat`` makes the text so many times as long. ``payload`` replaces the whole completion,
    ``raw`` the whole body; ``hang`` never answers and ``cut`` closes the connection after that many
    bytes of the body, or before its head if negative. It comes after ``delay_s``, or once ``until``
    says so.
    """

    text: str | None = None
    repeat: int = 1
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    payload: Any = None
    raw: bytes | None = None
    content_type: str = "application/json"
    delay_s: float = 0.0
    until: Callable[[], object] | None = None
    hang: bool = False
    cut: int | None = None


def verdict(ask: Ask) -> str:
    """An answer that depends on the question alone: a JSON object where a schema asks for one."""
    digit = int(hashlib.sha256(ask.text.encode("utf-8", "surrogatepass")).hexdigest()[:8], 16)
    wanted = ask.body.get("response_format") or {}
    schema = wanted.get("json_schema", {}).get("schema") or wanted.get("schema")
    if isinstance(schema, dict):
        return json.dumps(_fill(schema, digit))
    return "correct" if digit % 2 else "incorrect"


def _fill(schema: Mapping[str, Any], digit: int) -> Any:
    if "enum" in schema:
        return schema["enum"][digit % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: _fill(part, digit) for name, part in fields.items()}
        case "array":
            return []
        case "boolean":
            return bool(digit % 2)
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 10)
            return low + digit % (int(high - low) + 1)
        case _:
            return "because"


MODES: Mapping[str, Reaction] = {
    "ok": Reaction(),
    "slow": Reaction(delay_s=0.3),
    "hang": Reaction(hang=True),
    "cut": Reaction(cut=40),
    "cut_at_once": Reaction(cut=-1),
    "html": Reaction(
        raw=b"<html><body>Sign in to continue</body></html>", content_type="text/html"
    ),
    "half_json": Reaction(raw=b'{"id": "x", "choices": [{"mess'),
    "wrong_shape": Reaction(payload={"choices": "none of your business"}),
    "not_an_object": Reaction(payload=["correct"]),
    "no_choices": Reaction(payload={"id": "x", "model": "loopback", "choices": []}),
    "empty": Reaction(text=""),
    "null": Reaction(message={"content": None}),
    "huge": Reaction(text="x", repeat=40_000_000),
    "bad_request": Reaction(status=400, payload={"error": {"message": "the prompt is too long"}}),
    "no_key": Reaction(status=401, payload={"error": {"message": "Incorrect API key provided"}}),
    "forbidden": Reaction(status=403, payload={"error": {"message": "not for you"}}),
    "no_model": Reaction(status=404, payload={"error": {"message": "model does not exist"}}),
    "rate_limit": Reaction(
        status=429, headers={"retry-after": "0.01"}, payload={"error": {"message": "slow down"}}
    ),
    "overload": Reaction(status=503, raw=b"upstream busy", content_type="text/plain"),
}


class Loopback:
    """The server. Start it with ``with``; it listens on a free port unless told which."""

    def __init__(
        self,
        script: Callable[[Ask], Reaction] | None = None,
        *,
        mode: str = "ok",
        times: int | None = None,
        delay_s: float = 0.0,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self._script = script
        self._mode, self._times, self._delay_s = mode, times, delay_s
        self._log_path = log
        self._log_file = -1
        self.port = port
        self.asks: list[Ask] = []
        self.arrivals: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections: set[_Connection] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._stopping: asyncio.Event | None = None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    def __enter__(self) -> Loopback:
        self._thread.start()
        if not self._listening.wait(10):
            raise RuntimeError("the loopback server did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopping = self._stopping
        assert stopping is not None
        self._loop.call_soon_threadsafe(stopping.set)
        self._thread.join(10)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self.serve())
        finally:
            self._loop.close()

    async def serve(self) -> None:
        """Serve until stopped."""
        self._stopping = asyncio.Event()
        if self._log_path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._log_file = os.open(self._log_path, flags, 0o644)
        # Not asyncio's own server: it drops a connection that arrives while it closes, unclosed.
        listening = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        loop = asyncio.get_running_loop()
        loop.add_reader(listening, self._accept, listening)
        self._listening.set()
        await self._stopping.wait()
        loop.remove_reader(listening)
        listening.close()
        await asyncio.gather(*self._arriving)
        while self.connections or len(asyncio.all_tasks()) > 1:  # all but this one
            for connection in list(self.connections):
                connection.abandon()
            await asyncio.sleep(0)
        if self._log_file >= 0:
            os.close(self._log_file)

    def _accept(self, listening: socket.socket) -> None:
        try:
            accepted, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):  # it has left already
            return
        arrival = asyncio.ensure_future(self._greet(accepted))
        self._arriving.add(arrival)
        arrival.add_done_callback(self._arriving.discard)

    async def _greet(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: _Connection(self), accepted)

    def react(self, path: str, headers: Mapping[str, str], raw: bytes) -> tuple[Ask, Reaction]:
        """Note a question, durably where there is a log, and decide what to do with it."""
        body = json.loads(raw)
        sha = hashlib.sha256(raw).hexdigest()
        self.arrivals[sha] += 1
        ask = Ask(body=body, headers=headers, path=path, sha=sha, seen=self.arrivals[sha])
        self.asks.append(ask)
        if self._log_file >= 0:
            os.write(self._log_file, f"{sha}\n".encode())
            os.fsync(self._log_file)
        if self._script is not None:
            return ask, self._script(ask)
        mode = str(body.get("loopback", self._mode))
        if self._times is not None and ask.seen > self._times:
            mode = "ok"
        reaction = MODES[mode]
        return ask, replace(reaction, delay_s=reaction.delay_s + self._delay_s)


def completion(ask: Ask, reaction: Reaction) -> dict[str, Any]:
    """A chat completion as servers send it."""
    text = (verdict(ask) if reaction.text is None else reaction.text) * reaction.repeat
    message = {"role": "assistant", "content": text} | dict(reaction.message)
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    prompt = sum(len(str(m.get("content")).split()) for m in ask.body.get("messages", ()))
    written = len(text.split())
    return {
        "id": f"chatcmpl-{ask.sha[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": f"{ask.body.get('model')}-served",
        "choices": [choice | dict(reaction.choice)],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as a client of ours speaks."""

    def __init__(self, server: Loopback) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        for task in self._tasks:
            task.cancel()

    def abandon(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = dict(_header(line) for line in head[1:])
            size = int(headers.get("content-length", "0"))
            if len(self._buffer) < end + 4 + size:
                return
            raw = bytes(self._buffer[end + 4 : end + 4 + size])
            del self._buffer[: end + 4 + size]
            method, path, _ = head[0].split(" ", 2)
            task = asyncio.ensure_future(self._answer(method, path, headers, raw))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> None:
        if method == "GET":
            models = {"object": "list", "data": [{"id": "loopback", "object": "model"}]}
            self._send(Reaction(), json.dumps(models).encode())
            return
        server = self._server
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        try:
            ask, reaction = server.react(path, headers, raw)
            clock = asyncio.get_running_loop().time
            ends = clock() + reaction.delay_s
            while reaction.until and not reaction.until() and clock() < ends:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            if reaction.delay_s and not reaction.until:
                await asyncio.sleep(reaction.delay_s)
            if reaction.hang:
                await asyncio.sleep(3600)
            self._send(reaction, _body(ask, reaction))
        finally:
            server.in_flight -= 1

    def _send(self, reaction: Reaction, body: bytes) -> None:
        assert self._transport is not None
        head = [f"HTTP/1.1 {reaction.status} Scripted", f"content-type: {reaction.content_type}"]
        head += [f"{name}: {value}" for name, value in reaction.headers.items()]
        head += [f"content-length: {len(body)}", "", ""]
        start = "\r\n".join(head).encode()
        if reaction.cut is None:
            self._transport.write(start + body)
        else:
            self._transport.write(start + body[: reaction.cut] if reaction.cut >= 0 else b"")
            self._transport.close()


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _body(ask: Ask, reaction: Reaction) -> bytes:
    if reaction.raw is not None:
        return reaction.raw
    payload = completion(ask, reaction) if reaction.payload is None else reaction.payload
    return json.dumps(payload).encode()


def main() -> None:
    """Run as a child process; the first line on stdout is the port."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", choices=sorted(MODES), default="ok")
    parser.add_argument("--times", type=int, help="misbehave only the first N times per question")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--log", type=Path, help="file of one line per question, synced to disk")
    options = parser.parse_args()
    server = Loopback(
        mode=options.mode,
        times=options.times,
        delay_s=options.delay,
        port=options.port,
        log=options.log,
    )
    with server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
