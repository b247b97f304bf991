"""What takes long to compute: a store in, plain JSON out, without Streamlit.

Each can run in a process beside the server (`computer`), which imports this module and no page.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from judgebench.records import is_human
from judgebench.store import Store


def verdicts_used(store: Store) -> list[dict[str, Any]]:
    """Of every benchmark that has any, how many, and when the newest one was."""
    return [
        {"benchmark": benchmark, "version": version, "verdicts": asdict(verdicts)}
        for (benchmark, version), verdicts in store.verdicts_used().items()
    ]


def people_first(judge: str) -> tuple[bool, str]:
    """By what judges are sorted where people stand among them."""
    return not is_human(judge), judge
