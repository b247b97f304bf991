"""How a suite's words about decoding go over the usual ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from judgebench.records import Item

REPLY_LIMITS = ("max_completion_tokens", "max_tokens")
"""The names that a limit on the reply has in ``decoding``; the first one that is there counts."""


def over(usual: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """``usual`` with ``said`` over it; either name of the limit replaces the usual limit."""
    dropped = REPLY_LIMITS if any(name in said for name in REPLY_LIMITS) else ()
    return {**{name: value for name, value in usual.items() if name not in dropped}, **said}


OTHERWISE = "default"
"""Where a temperature is one for each category: that of an item without one, or of one not listed.

Such a rule stands where the number would: in what a task says about decoding, and in a model's key.
Identical questions are asked once whatever their categories, at the temperature of the first.
"""


def is_rule(temperature: Any) -> TypeGuard[Mapping[str, float]]:
    """Whether a temperature depends on the item."""
    return isinstance(temperature, Mapping)


def draws(temperature: Any) -> bool:
    """Whether asking twice can give two answers, to some item at least."""
    return any(temperature.values()) if is_rule(temperature) else bool(temperature)


def temperature_of(rule: Mapping[str, float], item: Item) -> float:
    """The temperature that an item is answered with."""
    return float(rule.get(item.category or OTHERWISE, rule[OTHERWISE]))
