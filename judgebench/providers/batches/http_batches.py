"""What both batch interfaces have in common: limits, and lines that are told apart by our ids."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, ClassVar

from judgebench.errors import CallError
from judgebench.providers.batches import lines
from judgebench.providers.batches.interface import Answered, Failed, Line, Stray
from judgebench.providers.door import Door
from judgebench.providers.http_errors import excerpt, no_success
from judgebench.records import ChatRequest, Reply, Request


class HttpBatches(ABC):
    """Batches behind a door.

    Parameters
    ----------
    overrides
        A suite's ``capabilities``.
    max_requests, max_bytes
        The most that one batch holds; the provider's own limits if None.
    sleep
        The passing of time between two tries, seconds; for tests.
    """

    MAX_REQUESTS: ClassVar[int]
    MAX_BYTES: ClassVar[int]

    def __init__(
        self,
        door: Door,
        overrides: Mapping[str, Any],
        *,
        max_requests: int | None = None,
        max_bytes: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._door = door
        self._overrides = overrides
        self._max_requests = max_requests or self.MAX_REQUESTS
        self._max_bytes = max_bytes or self.MAX_BYTES
        self._sleep = sleep

    def check(self, request: Request) -> None:
        self._measure(bytes(32), request)

    def split(self, requests: Mapping[bytes, Request]) -> Iterator[dict[bytes, Request]]:
        return lines.cut(
            requests, self._measure, most=self._max_requests, most_bytes=self._max_bytes
        )

    @abstractmethod
    def _measure(self, key: bytes, request: Request) -> tuple[str, int]:
        """The kind of batch that a question goes into, and the bytes that it takes there."""

    @abstractmethod
    def _outcome(self, content: dict[str, Any], key: bytes, request: ChatRequest) -> Line:
        """What a line says came of a question."""

    def _outcomes(
        self, file: IO[bytes], token: str, requests: Mapping[bytes, Request]
    ) -> Iterator[Line]:
        for content in lines.read(file):
            if isinstance(content, str):
                yield Stray(content)
                continue
            key = lines.key_of(content.get("custom_id"), token)
            if key is None or key not in requests:
                yield Stray("a line about no question of this batch")
                continue
            yield self._outcome(content, key, lines.chat_only(requests[key]))

    def _read(self, key: bytes, read: Callable[[], Reply | CallError]) -> Answered | Failed:
        """What a function reads, which may be an error that it returns or raises."""
        try:
            outcome = read()
        except CallError as error:
            outcome = error
        return Failed(key, outcome) if isinstance(outcome, CallError) else Answered(key, outcome)

    def _unread(self, key: bytes, said: Any) -> Failed:
        """A line that gives neither a reply nor an error that is known."""
        words = excerpt(json.dumps(said, ensure_ascii=False), 300, self._door.key)
        message = f"{self._door.base_url} gave no answer in its batch: {words}"
        return Failed(key, CallError(message, retriable=True, kind="server"))

    def _refused(
        self, status: int, said: Any, request: ChatRequest, left_out: tuple[str, ...]
    ) -> Reply | CallError:
        """What a line means whose status is no success."""
        return no_success(
            status,
            {},
            json.dumps(said).encode(),
            where=f"{self._door.base_url} (in a batch)",
            model=request.model,
            key=self._door.key,
            variable=self._door.variable,
            left_out=left_out,
        )
