"""Alignment evaluation and judging: comparisons over stored verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

DEFAULT_STORE = "sqlite:///results/judgebench.db"
"""Where results are kept if nobody says where: here, so that nothing heavy is needed to know it."""

if TYPE_CHECKING:
    from judgebench.api import leaderboard as leaderboard
    from judgebench.api import open_store as open_store

__all__ = ["DEFAULT_STORE", "__version__", "leaderboard", "open_store"]

_OF_THE_API = ("leaderboard", "open_store")


def __getattr__(name: str) -> Any:
    """Load the API when it is asked for, so that the command line starts at once."""
    if name in _OF_THE_API:
        from judgebench import api

        return getattr(api, name)
    raise AttributeError(f"module 'judgebench' has no attribute {name!r}")
