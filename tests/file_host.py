"""A host of files on loopback that breaks off, changes its mind or refuses, as it is told.

with FileHost({"V1.csv": b"..."}) as host:
    host.cuts = [100]           # the next answer ends after 100 bytes of its body
    host.asked[0].range         # what was asked, in order
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    path: str
    range: str | None
    if_range: str | None
    authorization: str | None


class FileHost:
    """The host. ``statuses`` and ``cuts`` are used up, one an answer; None leaves it as it is.

    ``validator`` is ``strong`` or ``weak`` (an ETag), ``date`` (Last-Modified) or None. ``ranges``
    says whether parts are sent; ``honest`` whether the validator of a part is looked at. ``shifts``
    are used up too: a part begins so many bytes after what was asked for. ``hold`` stops every
    answer after so many bytes until ``release`` is set.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.redirects: dict[str, str] = {}
        self.validator: str | None = "strong"
        self.ranges = True
        self.honest = True
        self.says_length = True
        self.statuses: list[int | None] = []
        self.retry_after: str | None = None
        self.cuts: list[int | None] = []
        self.shifts: list[int] = []
        self.hold: int | None = None
        self.release = threading.Event()
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FileHost:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _handler(host: FileHost) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            host.asked.append(
                Asked(
                    path=self.path,
                    range=self.headers["Range"],
                    if_range=self.headers["If-Range"],
                    authorization=self.headers["Authorization"],
                )
            )
            status = host.statuses.pop(0) if host.statuses else None
            if name in host.redirects:
                self.send_response(302)
                self.send_header("Location", host.redirects[name])
                self.end_headers()
            elif status is not None or name not in host.files:
                self.send_response(status or 404)
                if host.retry_after is not None:
                    self.send_header("Retry-After", host.retry_after)
                self.end_headers()
            else:
                self._send(host.files[name])

        def _send(self, content: bytes) -> None:
            validator = {
                "strong": ("ETag", etag(content)),
                "weak": ("ETag", f"W/{etag(content)}"),
                "date": ("Last-Modified", "Tue, 02 Jan 2024 03:04:05 GMT"),
                None: None,
            }[host.validator]
            start = self._start(content, validator[1] if validator else None)
            if start is not None and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(200 if start is None else 206)
            if start is not None:
                start += host.shifts.pop(0) if host.shifts else 0
                said = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", said)
            if validator is not None:
                self.send_header(*validator)
            body = content[start or 0 :]
            if host.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = host.cuts.pop(0) if host.cuts else None
            if host.hold is not None:
                self.wfile.write(body[: host.hold])
                self.wfile.flush()
                host.release.wait(20)
                body = body[host.hold :]
            self.wfile.write(body if cut is None else body[:cut])

        def _start(self, content: bytes, validator: str | None) -> int | None:
            wanted, if_range = self.headers["Range"], self.headers["If-Range"]
            if wanted is None or not host.ranges:
                return None
            if host.honest and if_range is not None and if_range != validator:
                return None
            return int(wanted.removeprefix("bytes=").removesuffix("-"))

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):  # who asked has gone
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
