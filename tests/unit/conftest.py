"""What tests of one part begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from judgebench.store.opening import open_store
from judgebench.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without rows, in the file ``s.db``."""
    with open_store(str(tmp_path / "s.db")) as opened:
        yield opened
