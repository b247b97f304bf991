"""What a provider's batch interface can do, and what can come of a question in a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from judgebench.errors import CallError, JudgebenchError
from judgebench.records import Reply, Request


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
    why: Literal["expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that cannot be told to be an answer to a question of ours."""

    why: str


Line: TypeAlias = Answered | Failed | Unasked | Stray


class UnheardError(JudgebenchError):
    """A batch was sent and no answer came: it may be under way."""

    exit_code = 69


class BatchInterface(Protocol):
    """A provider's way of taking many questions at once. Synchronous: a batch takes hours.

    All methods that ask the provider raise `CallError` when it cannot be reached or refuses.
    """

    def check(self, request: Request) -> None:
        """Raises `CallError` for a question that cannot be put in a batch."""
        ...

    def split(self, requests: Mapping[bytes, Request]) -> Iterator[dict[bytes, Request]]:
        """The questions in as few batches as the provider's limits allow, by request key."""
        ...

    def submit(self, token: str, requests: Mapping[bytes, Request]) -> str:
        """Submit one batch; returns the provider's id for it.

        ``token`` (`lines.new_token`) travels with it, so that it can be found.

        Raises
        ------
        CallError
            When surely no batch was made.
        UnheardError
            When one may have been: `find` tells, later.
        """
        ...

    def find(self, token: str, total: int, *, others: Collection[str] = ()) -> Trace:
        """A batch of ``total`` questions that was submitted with this token.

        ``others`` are ids of batches that are known not to be it.
        """
        ...

    def state(self, remote_id: str) -> Standing: ...

    def results(
        self, remote_id: str, token: str, requests: Mapping[bytes, Request]
    ) -> Iterator[Line]:
        """What came of the questions of a batch that has ended, in no order.

        A question may be without a line, or have several.
        """
        ...

    def cancel(self, remote_id: str) -> None:
        """Ask to end a batch early. What is through by then can be collected once it has ended."""
        ...

    def close(self) -> None: ...
