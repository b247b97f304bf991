"""Alignment evaluation and judging: comparisons over stored verdicts."""

__version__ = "0.1.0"
