"""The seams. Siblings of one layer meet only here; ``execution/`` wires them together."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from judgebench.dialogue import Dialogue
from judgebench.plain_text import printable
from judgebench.records import (
    Case,
    DriftCheck,
    Failure,
    JsonObject,
    JudgeSpec,
    Judgment,
    Reply,
    Request,
    Response,
    RunVerdict,
    Seen,
    Spend,
)
from judgebench.template import PromptText


class Waiting:
    """Somebody waits for the store: said on stderr after a second, and then twice a minute.

    A run beside an import waits many times: what was said of the last one goes for the next.
    """

    SAID_AFTER_S = 1.0
    SAID_AGAIN_S = 30.0
    _say_at: ClassVar[float] = -math.inf

    def __init__(self) -> None:
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    def goes_on(self, why: str) -> None:
        """Still waiting; ``why`` says for whom, and what waits."""
        seconds = self.seconds
        if seconds >= self.SAID_AFTER_S and time.monotonic() >= self._say_at:
            Waiting._say_at = time.monotonic() + self.SAID_AGAIN_S
            # The stream of this moment: under a bar it is one that writes above the bar.
            print(
                printable(f"{why}; waiting ({seconds:.0f} s so far)", lines=True), file=sys.stderr
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What a stage has taken so far; ``cost_usd`` is None where a price is not known.

    ``budget_usd`` is what the run may cost in all, None without a limit.
    """

    calls: int = 0
    tokens: int = 0
    cost_usd: float | None = None
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a store says to whoever reserves money of a project's budget for the month.

    ``fits`` is whether what was wanted is reserved; ``reserved_usd`` all that is reserved for this
    process now; ``spent_usd`` what all have spent in ``month``, as 2026-11.
    """

    fits: bool
    reserved_usd: float
    spent_usd: float
    month: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """What a suite and its benchmark say of a judge; each way of judging takes what it has use for.

    model, provider
        The requested model, and the identity of who answers (never a URL); None for a judge that
        asks nobody.
    sampling
        Sent with each question, over the defaults of the way of judging; null takes a default away,
        for models that refuse it.
    options
        Those of the way of judging.
    extra
        Sent as it is with each question.
    reasoning
        The effort asked of a model that reasons.
    prompts
        Official texts the data home has, by name.
    content
        What the benchmark says about judging: a rubric, a scale, dimensions, labels.
    """

    model: str | None = None
    provider: str | None = None
    sampling: JsonObject = field(default_factory=dict)
    options: JsonObject = field(default_factory=dict)
    extra: JsonObject = field(default_factory=dict)
    reasoning: str | None = None
    prompts: Mapping[str, PromptText] = field(default_factory=dict)
    content: JsonObject = field(default_factory=dict)


class Judge(Protocol):
    """Says what to ask and how to read the answer. Pure: no I/O, no clock, no randomness."""

    @property
    def spec(self) -> JudgeSpec: ...

    @property
    def max_answer_chars(self) -> int | None:
        """Where an answer that is longer is cut before it is shown; None for nowhere.

        Part of the judge's identity, and the same for every answer of a case.
        """

    @property
    def inputs(self) -> frozenset[Seen]:
        """What it can be shown."""

    def judge(self, case: Case) -> Dialogue: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A reply that was paid for, as it is put."""

    key: bytes
    request: Request
    reply: Reply
    spend: Spend | None = None


class Provider(Protocol):
    """The outside world, one door.

    Raises `CallError` for a call that failed, `ProviderUnavailableError` where none can succeed,
    `BudgetSpentError` for a call that was not made.
    """

    async def complete(self, request: Request) -> Reply: ...

    async def close(self) -> None: ...


class Replies(Protocol):
    """Where recorded replies are kept, by content key, and what they took."""

    def reply(self, key: bytes) -> Reply | None: ...

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        """The reply and what it took, in one commit; ``asked`` is its canonical JSON, if known."""

    def put_spend(self, spends: Sequence[Spend]) -> None: ...

    def submit(
        self,
        work: Callable[[Any], Any],
        done: Any,
        *,
        paid: Paid | None = None,
    ) -> Any:
        """Write out of an event loop: do ``work`` with a `Writer`, in a commit with others.

        It is done again until it goes through. While others write, or a full disk has no room, the
        loop goes on: calls under way come back, and what they brought waits in line.

        Parameters
        ----------
        done
            A future of the loop, which gets the result or the error once that is committed. It is
            returned.
        paid
            The reply that is put, where there is one: it is not lost where it cannot be stored.
        """

    def waiting(self) -> tuple[int, int]:
        """How many entries that were submitted are still to be written, and how many are paid."""


@dataclass(frozen=True, kw_only=True)
class LmEvalTask:
    """The task that asks a local model, and how long any model's answer may be.

    ``folder`` gives the folder that its YAML file stands in. ``metadata`` is for
    ``TaskManager(metadata=…)``; that of several benchmarks can be merged. ``until`` are all texts
    that end an answer, ``max_gen_toks`` is the limit on one in tokens, and ``generation`` what else
    the task says about decoding: a ``temperature`` may be one for each category, ``default`` for
    the others. ``further`` is what samples after the first are drawn with; empty where all are
    answered alike.
    """

    name: str
    folder: Callable[[], Path]
    until: tuple[str, ...]
    max_gen_toks: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    generation: Mapping[str, Any] = field(default_factory=dict)
    further: Mapping[str, Any] = field(default_factory=dict)

    @property
    def include_path(self) -> Path:
        return self.folder()


class Writer(Replies, Protocol):
    """What a run needs of a store while it writes."""

    def judged(self, keys: Collection[bytes]) -> set[bytes]: ...

    def put_judgment(self, judgment: Judgment, uses: Sequence[RunVerdict]) -> None: ...

    def put_uses(self, uses: Sequence[RunVerdict]) -> None: ...

    def put_looks(self, looks: Sequence[tuple[Judgment, DriftCheck]]) -> None: ...

    def put_responses(self, responses: Mapping[bytes, Response]) -> None: ...

    def put_failure(self, failure: Failure) -> None: ...

    def responses(self, keys: Collection[bytes]) -> Mapping[bytes, Sequence[Response]]: ...


class Claimant(Protocol):
    """Where processes say what they work on, so that no two work on the same."""

    def exchange(
        self, keys: Collection[bytes], done: Collection[bytes] = ()
    ) -> tuple[set[bytes], set[bytes]]:
        """Claim some and give back others; those that are ours now, and those that are judged.

        One that was ours before is ours again.
        """

    def release(self, keys: Collection[bytes], *, soon: bool = False) -> object:
        """Give them back; ``soon`` is as soon as nobody else writes, without waiting for that."""

    def claimed_by(self, key: bytes) -> str | None:
        """Who works on a key, in words; None for nobody."""


class Progress(Protocol):
    """Told what happens while a run is under way; shows it or not."""

    def stage(self, name: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        """So many more are done; or failed, and of what (a `FailureKind`); or wait in a batch."""

    def meter(self, figures: Meter) -> None:
        """What was taken so far, since the stage began."""

    def say(self, message: str) -> None: ...


class NoProgress:
    """Says nothing; for use as a library."""

    def stage(self, name: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None: ...

    def meter(self, figures: Meter) -> None: ...

    def say(self, message: str) -> None: ...
