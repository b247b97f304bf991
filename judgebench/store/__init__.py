"""Where everything asked, answered and judged is kept, by content: an SQLite file in WAL mode."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judgebench.store.catalog import StoredJudge, StoredModel
    from judgebench.store.opening import open_store
    from judgebench.store.store import Store

__all__ = ["Store", "StoredJudge", "StoredModel", "open_store"]

_MODULES = {"StoredJudge": "catalog", "StoredModel": "catalog", "open_store": "opening"}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is: to ask whether a store changed takes no tables."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'store')}"), name)
    globals()[name] = found
    return found
