"""What can go wrong, named by the boundary where it happened; and how long a write waits before.

Every error tells its reader what to do. Its exit code is the one a shell sees.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from judgebench.records import FailureKind, Usage


class JudgebenchError(Exception):
    """The base of all errors that are meant to be read by a person."""

    exit_code = 70


class UsageError(JudgebenchError):
    """A command was called in a way that cannot be carried out."""

    exit_code = 64


class InputError(JudgebenchError):
    """A file holds something that cannot be used; names the file and the row or field."""

    exit_code = 65


class ProviderUnavailableError(JudgebenchError):
    """A server or provider cannot be reached or does not come up."""

    exit_code = 69


class LocalModelError(JudgebenchError):
    """The worker that runs a local model ended before it was done; carries its last words."""

    exit_code = 69


class StoreError(JudgebenchError):
    """The result store cannot be opened, read or written."""

    exit_code = 73


class StoreBusyError(StoreError):
    """Somebody else is writing, or holds what is asked for; nothing was written."""


class StoreGoneError(StoreError):
    """The server that holds the store does not answer, or no longer; nothing was written."""


class StoreFullError(StoreError):
    """There is no room for what was to be written; nothing of it was.

    Parameters
    ----------
    again
        Whether the same may go through later: room was made from what was set aside, or may be.
    """

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


class ConfigError(JudgebenchError):
    """A suite, a description of a benchmark or an option is wrong."""

    exit_code = 78


class BudgetSpentError(JudgebenchError):
    """The next call could exceed the budget of the run; what was done before is kept."""

    exit_code = 75


class DeferredError(JudgebenchError):
    """The question is in a batch, or about to be: its reply comes later."""

    exit_code = 75


class CallError(JudgebenchError):
    """One call to a provider failed.

    It is recorded as a failure of that one question and never ends a run.

    Parameters
    ----------
    retriable
        Whether asking again may help (rate limits, time-outs, broken connections).
    retry_after_s
        What the other side asked us to wait, in seconds; None if it did not say.
    status
        HTTP status, where there was one.
    kind
        What went wrong, in one word.
    charged
        What the attempt took although it gave no reply; an empty `Usage` where it may have been
        charged and nobody said how much, None where it surely was not.
    """

    exit_code = 69

    def __init__(
        self,
        message: str,
        *,
        retriable: bool,
        retry_after_s: float | None = None,
        status: int | None = None,
        attempts: int = 1,
        kind: FailureKind = "other",
        charged: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.charged = charged
        self.retriable = retriable
        self.retry_after_s = retry_after_s
        self.status = status
        self.attempts = attempts


MAY_WAIT: ContextVar[float] = ContextVar("may_wait", default=math.inf)
"""For how many seconds a write may wait for others to be done; then it raises `StoreBusyError`."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Writes to a store inside wait for others no longer than so.

    Raises
    ------
    StoreBusyError
        Where somebody else is writing for longer. Nothing was written.
    """
    token = MAY_WAIT.set(seconds)
    try:
        yield
    finally:
        MAY_WAIT.reset(token)


at_once = partial(at_most, 0.0)
"""As `at_most`, not at all: for an event loop, which waits itself."""


def nearest(name: str, known: Iterable[str], *, n: int = 1) -> list[str]:
    """The known names that are most like one, upper and lower case alike.

    >>> nearest("gpt-4", ["Claude", "GPT-4"])
    ['GPT-4']
    """
    written: dict[str, list[str]] = {}
    for one in known:
        written.setdefault(one.casefold(), []).append(one)
    near = difflib.get_close_matches(name.casefold(), written, n=n)
    return [one for key in near for one in written[key]][:n]


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """A sentence for a name that is not known: the nearest one, then all of them.

    >>> unknown_name("judge", "contians", ["contains", "exact_match"])
    "no judge called 'contians'; did you mean 'contains'? Known: contains, exact_match"
    """
    names = sorted(known)
    near = nearest(name, names)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"no {what} called {name!r}{hint} Known: {', '.join(names) or 'none'}"


def refuse_unknown(
    what: str,
    wanted: Iterable[str | None],
    known: Collection[str],
    *,
    error: Callable[[str], Exception] = ConfigError,
    about: str = "",
) -> None:
    """Raise for the first name that is not known; ``about`` stands before what `unknown_name` says.

    None is nobody's name, and not asked for.

    >>> refuse_unknown("judge", ["contains"], ["contains", "exact_match"])
    """
    for name in wanted:
        if name is not None and name not in known:
            raise error(f"{about}{unknown_name(what, name, known)}")


def refuse(error: Callable[[str], Exception], faults: Mapping[str, object]) -> None:
    """Raise with the first message that is true.

    >>> refuse(ValueError, {"two is not three": 2 == 3})
    """
    for message, wrong in faults.items():
        if wrong:
            raise error(message)
