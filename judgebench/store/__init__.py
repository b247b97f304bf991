"""Where everything asked, answered and judged is kept, by content: an SQLite file in WAL mode."""

from __future__ import annotations

from judgebench.store.catalog import StoredJudge, StoredModel
from judgebench.store.opening import open_store
from judgebench.store.store import Store

__all__ = ["Store", "StoredJudge", "StoredModel", "open_store"]
