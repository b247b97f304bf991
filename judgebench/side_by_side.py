"""Work that lets other threads go on, such as products of arrays, on the cores that there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

MOST = 4
"""Threads at most: what is shared out here is done by then."""


def side_by_side(work: Callable[[Given], Made], given: Iterable[Given]) -> list[Made]:
    """What is made of each, in the order given; where one raises, what it raised."""
    its = list(given)
    threads = min(MOST, os.cpu_count() or 1, len(its))
    if threads < 2:
        return [work(one) for one in its]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, its))
