"""A failed call, told once more to somebody else."""

from __future__ import annotations

from judgebench.errors import CallError


def told_again(
    error: CallError, *, message: str | None = None, attempts: int | None = None
) -> CallError:
    """A fresh error that says the same, but for what is given here.

    An exception raised in two places would gather the tracebacks of both.
    """
    return CallError(
        str(error) if message is None else message,
        retriable=error.retriable,
        retry_after_s=error.retry_after_s,
        status=error.status,
        attempts=error.attempts if attempts is None else attempts,
        kind=error.kind,
        charged=error.charged,
    )
