"""Rows of published boards: a number on its scale, and whom it is of once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from judgebench.rows import Row


def on_scale(row: Row, field: str, *, high: float) -> float:
    """A number from 0 to ``high``.

    Raises
    ------
    InputError
        Where there is none, or another; names the line.
    """
    value = row.number(field)
    if not 0.0 <= value <= high:
        raise row.wrong(field, f"between 0 and {high:g}, not {value:g}")
    return value


def once(
    rows: Iterable[Row], *fields: str, may_be_empty: Collection[str] = ()
) -> dict[tuple[str, ...], Row]:
    """The rows by what stands in some fields.

    Parameters
    ----------
    may_be_empty
        Those of the fields in which nothing may stand; it is an empty text then.

    Raises
    ------
    InputError
        For a second row of the same, and where a field is empty that may not be.
    """
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(
            (row.optional_text(field) or "") if field in may_be_empty else row.text(field)
            for field in fields
        )
        if key in found:
            raise row.wrong(fields[-1], f"{', '.join(filter(None, key))} is here twice; delete one")
        found[key] = row
    return found
