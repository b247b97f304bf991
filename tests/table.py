"""Rows of a table in one test: each is tried, and those that fail are told together.

What `pytest.mark.parametrize` makes a test of each row, which costs five milliseconds in every run,
is one test here. It is for functions that take nothing but their row, or besides it what no row
changes: a folder that each writes its file to, a store in which a refusal leaves nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def over_rows(
    names: str | tuple[str, ...], rows: Iterable[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call the test with each row, as `parametrize` names and gives it.

    Raises
    ------
    ExceptionGroup
        With the error of each row that failed, and the row as a note.
    """
    fields = names.replace(",", " ").split() if isinstance(names, str) else [*names]
    listed = [row if len(fields) > 1 else (row,) for row in rows]
    assert listed, f"no rows of {names}: nothing would be tried"

    def of(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def every(*given: Any, **more: Any) -> None:
            failed = []
            for row in listed:
                try:
                    test(*given, **more, **dict(zip(fields, row, strict=True)))
                except Exception as error:  # noqa: BLE001 - told with those of the other rows
                    error.add_note(f"in the row {row!r:.300}")
                    failed.append(error)
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(listed)} rows", failed)

        signature = inspect.signature(test)
        left = [one for name, one in signature.parameters.items() if name not in fields]
        every.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return every

    return of
