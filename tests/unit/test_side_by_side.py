"""Work that is shared out among threads."""

from __future__ import annotations

import os
import threading
from threading import Barrier

import pytest

from judgebench.stats.resample import MOST, side_by_side
from tests.table import over_rows


@over_rows("cores", [1, 2, 8, None])
def test_what_is_made_comes_in_the_order_given(
    cores: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    with side_by_side(6) as each:
        assert each(lambda n: n * n, range(6)) == [0, 1, 4, 9, 16, 25]
        assert each(str, []) == []
        with pytest.raises(ZeroDivisionError):
            each(lambda n: 1 // n, [1, 0, 2])


def test_two_cores_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    both = Barrier(2, timeout=30)
    with side_by_side(2) as each:
        assert sorted(each(lambda _: both.wait(), range(2))) == [0, 1]


def test_threads_are_begun_once_and_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    seen = set()
    with side_by_side(8) as each:
        for _ in range(20):
            seen |= set(each(lambda _: threading.current_thread(), range(8)))
    assert len(seen) <= MOST
    assert not any(thread.is_alive() for thread in seen)
