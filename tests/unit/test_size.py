"""The counts of `perf/size.py` and `perf/walk.py`, and the longest function that is allowed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from perf import size, walk
from tests.table import over_rows

MODULE = '''
"""Of a module."""
LIMIT = 3
"""Of a name."""


def longer(items):
    """Of a function."""
    for item in items:
        print("not", item)

    def nested():
        return "SELECT a\\nFROM b"

    return nested
'''


def counted(text: str) -> size.Size:
    return size.size_of_python(Path("judgebench/x.py"), ast.parse(text))


def test_statements_and_nodes_are_counted_without_docstrings() -> None:
    found = counted(MODULE)
    assert (
        found.statements == 7
    )  # an assignment, a function of six: for, print, def, return, return
    assert found.longest == (6, "judgebench/x.py: longer")
    bare = MODULE.replace('"""Of a module."""', "").replace('    """Of a function."""\n', "")
    bare = bare.replace('"""Of a name."""', "")
    assert counted(bare).nodes == found.nodes == sum(1 for _ in ast.walk(ast.parse(bare)))


def test_denser_lines_make_nothing_smaller() -> None:
    dense = "a = 1; b = 2; c = a + b"
    assert counted(dense).nodes == counted(dense.replace("; ", "\n")).nodes


def test_what_moves_into_strings_is_counted_beside() -> None:
    text = 'a = """SELECT x\nFROM y"""\nb = "<p>\\n</p>"\nc = "a < b and b > c"'
    assert counted(text).lines == {"sql": 2, "markup": 1}


@over_rows(
    ("file", "row"),
    [
        ("judgebench/keys.py", "root modules"),
        ("judgebench/reports/gate.py", "reports"),
        ("judgebench/workers/x/y.py", "responses + workers"),
        ("dashboards/save_chart.js", "dashboards"),
        ("judgebench/judges/prompts/rubric.txt", "judges"),
        ("docs/figures/size.txt", ""),
        ("README.md", ""),
    ],
)
def test_a_file_is_counted_in_its_row(file: str, row: str) -> None:
    assert size.folder_of(Path(file)) == row


def test_no_function_is_longer_than_is_allowed() -> None:
    long = [
        longest
        for folder in ("judgebench", "dashboards")
        for path in sorted((size.ROOT / folder).rglob("*.py"))
        for _, longest in [size.statements_of(path, ast.parse(path.read_text("utf-8")))]
        if longest[0] > size.LONGEST
    ]
    assert not long, long


def test_a_judgment_is_followed_from_its_slot_to_its_row(forked: None) -> None:
    walked = f"import runpy; runpy.run_path({walk.__file__!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", walked, "judgment"],
        cwd=walk.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    functions = json.loads(done.stdout)
    files = {file for file, _ in functions}
    assert len(functions) > len(files) > 5
    assert all((Path(walk.PACKAGE) / file).is_file() for file in files)
    assert {"providers", "store"} <= {file.partition("/")[0] for file in files}
