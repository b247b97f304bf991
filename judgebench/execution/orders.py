"""Who is shown first to a judge that compares."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Literal

from judgebench.records import Item, Order

Orders = Literal["seeded", "both", "model_first", "opponent_first"]

_FIXED: Mapping[str, tuple[Order, ...]] = {
    "both": ("model_first", "opponent_first"),
    "model_first": ("model_first",),
    "opponent_first": ("opponent_first",),
}


def orders_of(item: Item, orders: Orders) -> tuple[Order, ...]:
    """The orders in which two answers to an item are shown, each a judgment of its own."""
    return _FIXED.get(orders) or (drawn_order(item.question),)


def drawn_order(instruction: str, *, seed: int = 0) -> Order:
    """AlpacaEval's draw: by the instruction alone, so that every model is shown alike.

    Its ``PairwiseAnnotator`` shows the reference first unless this says to switch.

    >>> drawn_order("What are the names of some famous actors that started on Broadway?")
    'opponent_first'
    """
    draw = random.Random(f"is_switched_outputs{instruction}{seed}")
    return "model_first" if draw.choices([False, True], k=1)[0] else "opponent_first"
