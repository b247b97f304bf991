"""Names in somebody else's file: of benchmarks, models, judges; and which stored ones they mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from judgebench.records import HUMAN, PANEL
from judgebench.rows import Row
from judgebench.store.codec import readable


class Named(Protocol):
    """A model or judge of a store."""

    @property
    def key(self) -> bytes: ...

    @property
    def id(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...


def name(row: Row, field: str) -> str:
    """A name or id that can be stored as it is."""
    found = row.text(field)
    if readable(found) != found:
        raise row.wrong(
            field,
            f"{found!r} holds a NUL character or half a surrogate pair, which no name may; "
            "correct it where it comes from",
        )
    return found


def optional_name(row: Row, field: str) -> str | None:
    return name(row, field) if row.has(field) else None


def judge_name(row: Row, field: str = "judge") -> str:
    """The name of a judge, which is read as neither a panel nor a person without a name."""
    found = name(row, field)
    if reason := no_judge(found):
        raise row.wrong(field, reason)
    return found


def no_judge(called: str) -> str | None:
    """Why no judge has this name; None where it may have.

    A panel is formed of verdicts that are there, so one of that name would stand in for it. A
    person is ``human/<rater>``: without a rater it would be nobody, and in the majority of all.
    """
    if called.strip().startswith(PANEL):
        return f"{called!r} would be taken for a panel; give this judge another name"
    if called.startswith(f"{HUMAN}/") and not called.removeprefix(f"{HUMAN}/").strip():
        return f"{called!r} names no person; write human/<rater>"
    return None


def benchmark_name(row: Row) -> str:
    """The name of a benchmark, which can be written as NAME@VERSION."""
    found = name(row, "benchmark")
    if "@" in found:
        raise row.wrong(
            "benchmark",
            f"{found!r}: no benchmark's name has an '@', which is written before a version; give "
            "the version in a field 'version'",
        )
    return found


def by_id(known: Iterable[Named], row: Row, field: str) -> bytes | None:
    """The key of the stored model or judge that a row names with its id, as our own export does.

    None where the row gives no id, the store does not have it, or it goes by another name there:
    then the name is all there is to go by.
    """
    given = row.values.get(f"{field}_id")
    called = row.text(field)
    for one in known:
        if one.id == given and any(called == n or called.startswith(f"{n}@") for n in one.names):
            return one.key
    return None
