"""Pages and commands ask the api: what they import from below it takes no store. How deep it is."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from perf import size
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
BELOW = (
    "reports",
    "metrics",
    "exchange",
    "execution",
    "stats",
    "judges",
    "providers",
    "benchmarks",
)
FILES = [*ROOT.glob("dashboards/**/*.py"), *ROOT.glob("judgebench/cli/*.py")]


def imported(source: str) -> Iterator[tuple[str, str]]:
    """Module and name of everything that is taken from below the api."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[1:2]:
            package, layer, *_ = str(node.module).split(".")
            if package == "judgebench" and layer in BELOW:
                yield from ((str(node.module), one.name) for one in node.names)


def takes_a_store(module: str, name: str) -> bool:
    found = getattr(importlib.import_module(module), name, None)
    if not inspect.isfunction(found):
        return False
    return any(
        "Store" in f"{one.annotation}" for one in inspect.signature(found).parameters.values()
    )


@over_rows("file", FILES)
def test_what_is_imported_from_below_the_api_takes_no_store(file: Path) -> None:
    assert not [one for one in imported(file.read_text("utf-8")) if takes_a_store(*one)]


def test_what_takes_a_store_is_found() -> None:
    source = "def f():\n    from judgebench.reports.boards import benchmark_ref\n"
    assert [takes_a_store(*one) for one in imported(source)] == [True]


def test_the_api_is_few_imports_above_the_statistics() -> None:
    way = size.way_to_stats()
    assert way[0] == "judgebench.api" and way[-1].startswith("judgebench.stats")
    assert len(way) - 1 <= size.DEEPEST, " -> ".join(way)


def test_imports_count_that_happen_when_a_module_is_imported() -> None:
    source = """
from typing import TYPE_CHECKING
from a.b import c
if TYPE_CHECKING:
    import d
else:
    import e
try:
    import f.g
except ImportError:
    pass
class H:
    from i import j
    def k(self):
        import l
"""
    found = {"typing", "typing.TYPE_CHECKING", "a.b", "a.b.c", "e", "f.g", "i", "i.j"}
    assert size.imported(source) == found
