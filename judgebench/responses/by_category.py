"""One temperature for each category of items, as some benchmarks ask their models.

Such a rule stands where the number would: in what a task says about decoding, and in a model's key.
Identical questions are asked once whatever their categories, at the temperature of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from judgebench.records import Item

OTHERWISE = "default"
"""The temperature of an item without a category, or of one that is not listed."""


def is_rule(temperature: Any) -> TypeGuard[Mapping[str, float]]:
    """Whether a temperature depends on the item."""
    return isinstance(temperature, Mapping)


def draws(temperature: Any) -> bool:
    """Whether asking twice can give two answers, to some item at least."""
    return any(temperature.values()) if is_rule(temperature) else bool(temperature)


def temperature_of(rule: Mapping[str, float], item: Item) -> float:
    """The temperature that an item is answered with."""
    return float(rule.get(item.category or OTHERWISE, rule[OTHERWISE]))
