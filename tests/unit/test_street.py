"""The functions that ``docs/street.md`` sends a reader to are there, and not too many."""

from __future__ import annotations

import importlib
import inspect
import re
from operator import attrgetter
from pathlib import Path

from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^\d+\. `(judgebench/\S+\.py)` `([\w.]+)`: ", re.MULTILINE)


def sections() -> dict[str, list[tuple[str, str]]]:
    _, *parts = re.split(r"^## ", (ROOT / "docs" / "street.md").read_text("utf-8"), flags=re.M)
    return {part.splitlines()[0]: LINE.findall(part) for part in parts}


@over_rows(
    ("title", "functions", "files"),
    [
        ("From `judgebench run suite.yaml` to the first call", 30, 15),
        ("One judgment, from its slot to its row", 25, 14),
        ("From stored verdicts to a printed board", 20, 10),
    ],
)
def test_a_walk_is_short_and_every_function_of_it_is_there(
    title: str, functions: int, files: int
) -> None:
    named = sections()[title]
    assert 10 < len(named) <= functions
    assert len({file for file, _ in named}) <= files
    for file, name in named:
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        found = inspect.unwrap(attrgetter(name)(module))
        found = getattr(found, "callback", found)  # of a command
        assert Path(inspect.getsourcefile(found) or "") == ROOT / file, f"{name} is not of {file}"


def test_every_line_of_a_walk_is_read() -> None:
    text = (ROOT / "docs" / "street.md").read_text("utf-8")
    assert sum(map(len, sections().values())) == len(re.findall(r"^\d+\. ", text, re.MULTILINE))
