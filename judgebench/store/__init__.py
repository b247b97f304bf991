"""Where everything asked, answered and judged is kept, by content: an SQLite file in WAL mode."""

from __future__ import annotations

from judgebench.store.catalog import StoredJudge, StoredModel
from judgebench.store.store import Store, open_store

__all__ = ["Store", "StoredJudge", "StoredModel", "open_store"]
