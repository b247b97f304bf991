"""A number in a table, as text, that knows its interval."""

from __future__ import annotations


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
