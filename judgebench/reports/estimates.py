"""Estimates as JSON and as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from judgebench.records import Estimate

UNDEFINED = "–"


class Figure(str):
    """The text of an estimate. Forms that draw use its numbers, the others take it as text."""

    __slots__ = ("high", "low", "value")

    low: float
    value: float
    high: float

    def __new__(cls, text: str, *, low: float, value: float, high: float) -> Figure:
        """All three numbers are finite."""
        figure = super().__new__(cls, text)
        figure.low, figure.value, figure.high = low, value, high
        return figure


class Marked(str):
    """The text of a cell in its parts; forms that know nothing of them take it as text.

    number, interval
        The text begins with the number.
    marks
        What stands above the line: a sign of a test, letters of notes.
    bold
        Whether the number is.
    """

    __slots__ = ("bold", "interval", "marks", "number")

    bold: bool
    interval: str
    marks: tuple[str, ...]
    number: str

    def __new__(
        cls, number: str, interval: str = "", marks: Sequence[str] = (), *, bold: bool = False
    ) -> Marked:
        signs = "".join(mark for mark in marks if not mark.isalnum())
        notes = ", ".join(mark for mark in marks if mark.isalnum())
        parts = (number, interval, signs, f"({notes})" if notes else "")
        cell = super().__new__(cls, " ".join(part for part in parts if part))
        cell.number, cell.interval, cell.marks, cell.bold = number, interval, tuple(marks), bold
        return cell


def to_json(estimate: Estimate) -> dict[str, Any]:
    """nan never gets out: what is undefined is null, and ``undefined`` says why."""
    found: dict[str, Any] = {
        "value": finite(estimate.value),
        "low": finite(estimate.low),
        "high": finite(estimate.high),
        "level": estimate.level,
        "n": estimate.n,
        "units": estimate.units,
        "missing": estimate.missing,
        "worst_low": finite(estimate.worst_low),
        "worst_high": finite(estimate.worst_high),
        "method": estimate.method,
    }
    if found["value"] is None:
        found["undefined"] = estimate.undefined or "no value"
    return found


def finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


AT_MOST = frozenset({"ece"})
"""Metrics that are never below 0 and whose interval ends there where nothing rules 0 out."""


def bounded(name: str, estimate: Estimate) -> bool:
    """Whether of this metric nothing but an upper end is known: *at most* it."""
    return name in AT_MOST and estimate.low == 0.0


def text(
    estimate: Estimate,
    *,
    digits: int = 3,
    signed: bool = False,
    at_most: bool = False,
    alone: bool = False,
    beside: str = "",
) -> str:
    """``0.625 [0.483, 0.750]``; a dash where undefined, no brackets where there is no interval.

    ``alone`` leaves them out where there is one.

    ``signed`` writes a plus as well, as of differences; ``at_most`` says ``0.012, at most 0.071``
    in place of an interval from 0 (see `bounded`); ``beside`` stands behind a value.
    """
    value, low, high = (finite(x) for x in (estimate.value, estimate.low, estimate.high))
    how = f"{'+' if signed else ''}.{digits}f"
    if value is None:
        return UNDEFINED
    if low is None or high is None or alone:
        return f"{value:{how}}{beside}"
    said = f"{value:{how}} [{low:{how}}, {high:{how}}]"
    if at_most:
        said = f"{value:{how}}, at most {high:{how}}"
    return Figure(said + beside, low=low, value=value, high=high)


def figure(name: str, estimate: Estimate) -> str | None:
    """``0.620 [0.482, 0.751]``, of one that is `bounded` what it is at most; None if undefined.

    Where there is no interval, it says so.
    """
    if finite(estimate.value) is None:
        return None
    said = text(estimate, at_most=bounded(name, estimate))
    return f"{said} [no interval]" if finite(estimate.low) is None else said


def counts(estimate: Estimate) -> str:
    """``n 805, 2 missing``."""
    missing = f", {estimate.missing:,} missing" if estimate.missing else ""
    return f"n {estimate.n:,}{missing}"


def p_text(value: float) -> str:
    """A p-value to three decimals; a dash where there is none, never a bare zero."""
    if math.isnan(value):
        return UNDEFINED
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def number(value: float | None, how: str, unit: str = "", *, nothing: str = UNDEFINED) -> str:
    """A number written so, with its unit; where there is none a dash, or what is given."""
    return nothing if value is None or math.isnan(value) else f"{value:{how}}{unit}"


def best_first(value: float) -> float:
    """What sorts the greatest first; what has no value comes last."""
    return math.inf if math.isnan(value) else -value


def first_notes(said: Iterable[str], most: int = 8) -> list[str]:
    """So many notes, and how many more there are."""
    notes = list(said)
    more = len(notes) - most
    return notes if more <= 0 else [*notes[:most], f"and {more} more: --format json"]
