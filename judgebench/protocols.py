"""The seams. Siblings of one layer meet only here; ``run/`` wires them together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from judgebench.dialogue import Dialogue
from judgebench.records import (
    Case,
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    Reply,
    Request,
    Response,
    Use,
)


class Judge(Protocol):
    """Says what to ask and how to read the answer. Pure: no I/O, no clock, no randomness."""

    @property
    def spec(self) -> JudgeSpec: ...

    def judge(self, case: Case) -> Dialogue: ...


class Provider(Protocol):
    """The outside world, one door. Raises `CallError` for a call that failed."""

    async def complete(self, request: Request) -> Reply: ...

    async def close(self) -> None: ...


class Replies(Protocol):
    """Where recorded replies are kept, by content key."""

    def reply(self, key: bytes) -> Reply | None: ...

    def put_reply(self, key: bytes, request: Request, reply: Reply) -> None: ...


class Benchmark(Protocol):
    """What is asked, how it is shown to a judge."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def items(self, limit: int | None = None) -> Sequence[Item]: ...

    def cases(self, item: Item, responses: Sequence[Response]) -> Iterator[Case]: ...


class ResponseSource(Protocol):
    """Answers, as they arrive. What could not be had is a `Failure`, not an exception."""

    def respond(
        self, items: Sequence[Item], missing: Collection[tuple[str, int]]
    ) -> Iterator[Sequence[Response] | Failure]: ...


class Writer(Protocol):
    """What a run needs of a store while it writes. Each call is one durable commit."""

    def reply(self, key: bytes) -> Reply | None: ...

    def put_reply(self, key: bytes, request: Request, reply: Reply) -> None: ...

    def judged(self, keys: Collection[bytes]) -> set[bytes]: ...

    def put_judgment(self, judgment: Judgment, uses: Sequence[Use]) -> None: ...

    def put_uses(self, uses: Sequence[Use]) -> None: ...

    def put_responses(self, responses: Mapping[bytes, Response]) -> None: ...

    def put_failure(self, failure: Failure) -> None: ...

    def responses(self, keys: Collection[bytes]) -> Mapping[bytes, Sequence[Response]]: ...


class Reader(Protocol):
    """What reports need: columns of equal length, not objects."""

    def verdicts(self, benchmark: str, version: str | None = None) -> Mapping[str, Any]: ...


class Progress(Protocol):
    """Told what happens while a run is under way; shows it or not."""

    def stage(self, name: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, failed: bool = False) -> None: ...

    def say(self, message: str) -> None: ...
