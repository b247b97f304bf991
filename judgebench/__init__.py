"""Alignment evaluation and judging: comparisons over stored verdicts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

DEFAULT_STORE = "sqlite:///results/judgebench.db"
"""Where results are kept if nobody says where: here, so that nothing heavy is needed to know it."""

INCLUDE_PATH = "JUDGEBENCH_INCLUDE_PATH"
"""The variable that names folders of benchmarks, as PATH does those of programs."""

if TYPE_CHECKING:
    from judgebench.api import agreement as agreement
    from judgebench.api import judge as judge
    from judgebench.api import leaderboard as leaderboard
    from judgebench.api import open_store as open_store
    from judgebench.api import replies as replies
    from judgebench.api import verdicts as verdicts
    from judgebench.assertions import Inconclusive as Inconclusive
    from judgebench.assertions import assert_no_regression as assert_no_regression

__all__ = [
    "DEFAULT_STORE",
    "Inconclusive",
    "__version__",
    "agreement",
    "assert_no_regression",
    "judge",
    "leaderboard",
    "open_store",
    "replies",
    "verdicts",
]

_FOUND_IN = {
    "agreement": "api",
    "judge": "api",
    "leaderboard": "api",
    "open_store": "api",
    "replies": "api",
    "verdicts": "api",
    "Inconclusive": "assertions",
    "assert_no_regression": "assertions",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is, so that the command line starts at once."""
    if name not in _FOUND_IN:
        raise AttributeError(f"module 'judgebench' has no attribute {name!r}")
    return getattr(import_module(f"judgebench.{_FOUND_IN[name]}"), name)
