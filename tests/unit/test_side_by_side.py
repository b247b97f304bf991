"""Work that is shared out among threads."""

from __future__ import annotations

import os
from threading import Barrier

import pytest

from judgebench.side_by_side import side_by_side
from tests.table import over_rows


@over_rows("cores", [1, 2, 8, None])
def test_what_is_made_comes_in_the_order_given(
    cores: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert side_by_side(lambda n: n * n, range(6)) == [0, 1, 4, 9, 16, 25]
    assert side_by_side(str, []) == []
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda n: 1 // n, [1, 0, 2])


def test_two_cores_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    both = Barrier(2, timeout=30)
    assert sorted(side_by_side(lambda _: both.wait(), range(2))) == [0, 1]
