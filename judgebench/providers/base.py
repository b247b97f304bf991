"""What all providers and the wrappers around them share.

Read JSON that somebody else wrote, strictly: a field that is not what it should be is an error.

Servers that call themselves compatible differ in what they leave out, so little is demanded; but
nothing is guessed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from judgebench.errors import CallError, JudgebenchError, refuse_unknown
from judgebench.protocols import Provider
from judgebench.providers.http_errors import Call, excerpt
from judgebench.records import MOST_TOKENS, FailureKind, TokenLogprob, Usage


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many calls were made and saved; what a run's last line says.

    sent
        Questions whose reply was fetched.
    recorded
        Questions answered without asking: by a recorded reply, or by the same question in flight.
    """

    sent: int = 0
    recorded: int = 0


@dataclass(eq=False)
class Around:
    """What stands around a provider, and closes it."""

    inner: Provider

    async def close(self) -> None:
        await self.inner.close()


class WindingDownError(JudgebenchError):
    """Not sent, since the run ends: not asked, so not failed."""

    exit_code = 130


class NotSentError(asyncio.CancelledError):
    """Cancelled before it was sent, so that it took nothing."""


def told_again(error: CallError, message: str, attempts: int) -> CallError:
    """A fresh error that says the same, but for what is given here.

    An exception raised in two places would gather the tracebacks of both.
    """
    return CallError(message, **vars(error) | {"attempts": attempts})


def refuse_unknown_options(
    provider: str, options: Mapping[str, Any] | None, known: Iterable[str] = ()
) -> None:
    """Look at the names in a provider's own section.

    Raises
    ------
    ConfigError
        For a name that means nothing to it, with the nearest.
    """
    what = f"{provider} option"
    refuse_unknown(what, options or {}, set(known), about="provider_options: ")


@dataclass(slots=True)
class WaitingLine:
    """First come, first served, for something that several threads and event loops share.

    Whoever changes what is waited for holds ``lock`` meanwhile, and calls `look_again` after it.
    Nothing is handed to a waiter: it takes, once it stands first and runs. So a waiter that is
    cancelled has nothing to give back, and only lets the next one look.
    """

    # A coroutine that is collected leaves its place, maybe while its thread holds the lock.
    lock: threading.RLock = field(default_factory=threading.RLock)
    waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=deque)

    async def turn(self, take: Callable[[], float]) -> None:
        """Wait until ``take``, asked under the lock by the first in line, has taken.

        ``take`` returns 0 once it took, else after how many seconds it is worth asking again;
        infinity for not before `look_again`. What it raises ends the waiting. Who is cancelled
        meanwhile has taken nothing: `NotSentError`.
        """
        called = asyncio.Event()
        waiter = asyncio.get_running_loop(), called
        with self.lock:
            self.waiting.append(waiter)
        try:
            while True:
                with self.lock:
                    called.clear()
                    wait_s = take() if self.waiting[0] is waiter else math.inf
                if wait_s <= 0:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s if math.isfinite(wait_s) else None):
                        await called.wait()
        except asyncio.CancelledError as cancelled:
            raise NotSentError(*cancelled.args) from None
        finally:
            with self.lock:
                with contextlib.suppress(ValueError):  # left out already: its loop had ended
                    self.waiting.remove(waiter)
                self.look_again()

    def look_again(self) -> None:
        """Have the first in line look whether its turn has come. Call it under the lock."""
        while self.waiting:
            loop, called = self.waiting[0]
            if loop is asyncio._get_running_loop():  # no need to wake it through a pipe
                called.set()
                return
            try:
                loop.call_soon_threadsafe(called.set)
            except RuntimeError:  # the loop is closed
                self.waiting.popleft()
            else:
                return


_MOST_NATS = 1e300
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class ShapeError(Exception):
    """The JSON is not what the API answers with; says which field."""


class BrokenError(Exception):
    """An answer that is none, although it has the right shape; says why."""

    def __init__(self, message: str, kind: FailureKind = "bad_answer") -> None:
        super().__init__(message)
        self.kind = kind


loaded = partial(json.loads, parse_int=lambda n: int(n) if len(n) < 1000 else math.inf)
"""JSON. A whole number that has more digits than Python reads is infinite.

A reply is not lost because of one: no counter has it. Raises `ValueError` or `RecursionError`.
"""


def parse(body: bytes, content_type: str, call: Call) -> Any:
    """The JSON in the body of an answer.

    Raises
    ------
    CallError
        For JSON that breaks off (asking again may help), HTML and other things that are not JSON.
    """
    try:
        return loaded(body)
    except (ValueError, RecursionError) as error:
        reason = excerpt(str(error), 100, call.key)
    start = excerpt(body[:2000].decode("utf-8", "replace"), 80, call.key)
    found = f"{excerpt(content_type, 60, call.key) or 'no content type'}, beginning {start!r}"
    if "json" in content_type.lower() or body.lstrip()[:1] in {b"{", b"["}:
        raise CallError(
            f"{call.where} answered broken JSON ({reason}): {found}",
            retriable=True,
            kind="bad_answer",
            charged=Usage(),
        )
    raise CallError(
        f"{call.where} answered something that is not JSON ({found}); check base_url, which "
        "usually ends in /v1, and whether a proxy or a sign-in page stands in between",
        retriable=False,
        kind="bad_answer",
        charged=Usage(),
    )


def wrong_shape(error: ShapeError, data: Any, api: str, call: Call, charged: Usage) -> CallError:
    """The error for JSON that is no answer of this API."""
    start = excerpt(json.dumps(data, ensure_ascii=False)[:2000], 200, call.key)
    return CallError(
        f"{call.where} answered JSON that is no {api}: {error}; it begins {start!r}. Is base_url "
        f"the address of an API that speaks {api}s?",
        retriable=False,
        kind="bad_answer",
        charged=charged,
    )


def as_object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ShapeError(f"a JSON object expected, found {type(data).__name__}")
    return data


def member(holder: Any, name: str, kind: type[Any] = str) -> Any:
    """A field of this kind, which has to be there; a text may be null, or not be there.

    Half a surrogate pair, which no store can hold, becomes U+FFFD.
    """
    value: Any = holder.get(name) if isinstance(holder, dict) else None
    if value is None and kind is str:
        return None
    if not isinstance(value, kind):
        if kind is str:
            raise ShapeError(f"{name!r} should be text, found {type(value).__name__}")
        raise ShapeError(f"{name!r} should be a {kind.__name__}, found {type(value).__name__}")
    if kind is str and not value.isascii():
        return _HALF_PAIR.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def objects(holder: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects that has to be there."""
    return [as_object(element) for element in member(holder, name, list)]


def joined(parts: list[dict[str, Any]], kind: str, field: str) -> str:
    """The texts of all parts of a kind, one after the other."""
    return "".join(member(part, field) or "" for part in parts if part.get("type") == kind)


def count(holder: Any, name: str, most: int = MOST_TOKENS) -> int | None:
    """A number of tokens; what a server does not count, or counts as nonsense, is None."""
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= most else None


def usage(stated: Any, names: Mapping[str, Sequence[str]]) -> tuple[Usage, str | None]:
    """The numbers of tokens that a server states, and what is odd about them, if anything.

    ``names`` says for a field of `Usage` how the API calls it, those of a part as
    ``prompt_tokens_details.cached_tokens``; and what is added where the first of them is there.
    """
    if not isinstance(stated, dict):
        return Usage(), None
    found: dict[str, int] = {}
    odd = set()
    parts = [(f"{name}.", part) for name, part in stated.items() if isinstance(part, dict)]
    for of, part in [("", stated), *parts]:
        for name, value in part.items():
            if type(value) is int and 0 <= value <= MOST_TOKENS:
                found[of + name] = value
            elif value is not None and name.endswith("tokens"):
                odd.add(name)
    sums = {
        ours: sum(found.get(name, 0) for name in theirs)
        for ours, theirs in names.items()
        if theirs[0] in found
    }
    took = Usage(**{ours: n for ours, n in sums.items() if n <= MOST_TOKENS})
    if not odd:
        return took, None
    named = excerpt(", ".join(sorted(odd)), 80, None)
    note = f"a reply states no possible number of tokens ({named}): it is kept, that number is not"
    return took, note


def token_logprobs(tokens: Any) -> tuple[TokenLogprob, ...] | None:
    """OpenAI's list of tokens with their log-probabilities; None where there is no list."""
    return tuple(_token(token) for token in tokens) if isinstance(tokens, list) else None


def _token(token: Any) -> TokenLogprob:
    name, logprob = _name_and_logprob(token)
    if logprob is None:
        raise ShapeError("a token without a finite log-probability")
    top = token.get("top_logprobs") or []
    if not isinstance(top, list):
        raise ShapeError("'top_logprobs' should be a list")
    # An alternative of probability zero is sent as null or -Infinity: it is none.
    others = [(other, value) for other, value in map(_name_and_logprob, top) if value is not None]
    return TokenLogprob(token=name, logprob=logprob, top=tuple(others))


def _name_and_logprob(token: Any) -> tuple[str, float | None]:
    """None where there is no finite log-probability, or none that a float holds."""
    name = member(token, "token")
    if name is None:
        raise ShapeError("a token without its text")
    value = token.get("logprob")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return name, float(value) if is_number and -_MOST_NATS < value < _MOST_NATS else None
