"""A chat-completions server that answers everything after the same time, and watches its client.

    python perf/judging_rivals/server.py

It prints its port. The address says what it does: ``/20/correct/v1`` answers ``correct`` after 20
milliseconds. It speaks just enough HTTP to cost little, since it shares the machine with the client
that is measured: one asyncio protocol, no parsing of what is asked. Only the standard library.

``/watch/PID/1/65`` begins a measurement of the process ``PID`` and of its children, with marks at
the arrival of the first call and of the 65th; ``/seen`` returns what was seen of it, with the clock
and the client's CPU time at each mark. So every client is measured from outside and by the same
rule, whatever it is written in, and its start is told apart from its steady state.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import unquote

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of a process and its children; in steps of 10 ms."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended in the meantime, and its parent counts it
        return 0.0
    ticks = sum(int(field) for field in fields[11:15])
    return ticks * _TICK_S + sum(cpu_s(int(child)) for child in children)


@dataclass(slots=True)
class Seen:
    """One measurement. A mark is ``[seconds of the monotonic clock, CPU seconds]``."""

    pid: int = 0
    mark_at: tuple[int, ...] = ()
    marks: list[tuple[float, float]] = field(default_factory=list)
    calls: int = 0
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def came(self) -> None:
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.calls in self.mark_at:
            self.marks.append((time.monotonic(), cpu_s(self.pid)))

    def went(self) -> None:
        self.in_flight -= 1


class Server:
    """What all connections share."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._answers: dict[bytes, tuple[float, bytes]] = {}

    def answer(self, path: bytes) -> tuple[float, bytes]:
        """Seconds to wait and the whole response, as the address asks for."""
        if path not in self._answers:
            _, latency_ms, text, *_ = unquote(path.decode("ascii")).split("/")
            self._answers[path] = int(latency_ms) / 1e3, _response(_completion(text))
        return self._answers[path]

    def control(self, path: bytes) -> bytes:
        match path.decode("ascii").split("/")[1:]:
            case ["watch", pid, *calls]:
                self.seen = Seen(pid=int(pid), mark_at=tuple(map(int, calls)))
        return _response(asdict(self.seen))


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known_to: Seen | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = _CONTENT_LENGTH.search(head)
        if length is not None and len(body) < int(length[1]):
            return
        self._buffer = b""
        method, path, _ = head.split(b" ", 2)
        if method == b"GET":
            self._transport.write(self._server.control(path))
            return
        seen = self._server.seen
        if self._known_to is not seen:
            self._known_to = seen
            seen.connections += 1
        seen.came()
        wait_s, response = self._server.answer(path)
        asyncio.get_running_loop().call_later(wait_s, self._send, seen, response)

    def _send(self, seen: Seen, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)
        seen.went()


def _completion(text: str) -> dict[str, object]:
    """A chat completion as the wire has it."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "judge",
        "choices": [choice],
        "usage": {"prompt_tokens": 500, "completion_tokens": 2, "total_tokens": 502},
    }


def _response(payload: dict[str, object]) -> bytes:
    body = json.dumps(payload).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def serve() -> None:
    server = Server()
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server), "127.0.0.1", 0, backlog=1024
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
