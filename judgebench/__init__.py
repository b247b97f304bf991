"""Alignment evaluation and judging: comparisons over stored verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

DEFAULT_STORE = "sqlite:///results/judgebench.db"
"""Where results are kept if nobody says where: here, so that nothing heavy is needed to know it."""

if TYPE_CHECKING:
    from judgebench.api import open_store as open_store
    from judgebench.assertions import Inconclusive as Inconclusive
    from judgebench.assertions import assert_no_regression as assert_no_regression

__all__ = ["DEFAULT_STORE", "Inconclusive", "__version__", "assert_no_regression", "open_store"]


def __getattr__(name: str) -> Any:
    """Load the API when it is asked for, so that the command line starts at once."""
    if name == "open_store":
        from judgebench import api

        return api.open_store
    if name in ("Inconclusive", "assert_no_regression"):
        from judgebench import assertions

        return getattr(assertions, name)
    raise AttributeError(f"module 'judgebench' has no attribute {name!r}")
