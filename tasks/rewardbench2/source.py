"""Reads RewardBench 2: see ``source.py`` of rewardbench, which knows the table."""

from pathlib import Path

from judgebench.benchmarks.data import Content, load_module
from judgebench.benchmarks.description import find

_TABLE = load_module(find("rewardbench")[1], "source")


def read(path: Path) -> Content | None:
    """Prompts with all their answers out of a file or folder; None if it holds no table."""
    rows = _TABLE.table(path)
    if rows is None:
        return None
    told = [(_TABLE.item_id(row), *answer) for row in rows for answer in _TABLE.answers(row)]
    return Content(
        items=_TABLE.items(rows),
        answers=tuple({"item_id": i, "model": name, "text": text} for i, name, text, _ in told),
        labels=tuple(
            {"item_id": i, "model": name, "judge": _TABLE.AUTHORS, "kind": "label", "value": label}
            for i, name, _, label in told
        ),
    )
