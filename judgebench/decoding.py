"""How a suite's words about decoding go over the usual ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REPLY_LIMITS = ("max_completion_tokens", "max_tokens")
"""The names that a limit on the reply has in ``decoding``; the first one that is there counts."""


def over(usual: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """``usual`` with ``said`` over it; either name of the limit replaces the usual limit."""
    dropped = REPLY_LIMITS if any(name in said for name in REPLY_LIMITS) else ()
    return {**{name: value for name, value in usual.items() if name not in dropped}, **said}
