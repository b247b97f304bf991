"""Work that lets other threads go on, such as products of arrays, on the cores that there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

MOST = 4
"""Threads at most: what is shared out here is done by then."""

SideBySide: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
"""What is made of each of several, in the order given; where one raises, what it raised."""


@contextmanager
def side_by_side(most: int) -> Iterator[SideBySide]:
    """Threads for so many at once, which are begun once and end with the block."""
    threads = min(MOST, os.cpu_count() or 1, most)
    if threads < 2:
        yield lambda work, given: [work(one) for one in given]
        return
    with ThreadPoolExecutor(threads) as pool:
        yield lambda work, given: list(pool.map(work, given))
