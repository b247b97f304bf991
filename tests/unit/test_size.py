"""The scripts of `perf/`: each starts; the counts of `size.py` and `walk.py`.

And the longest function that is allowed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from perf import size, walk
from tests.table import over_rows

IMPORTED = """
import runpy, sys
from pathlib import Path
sys.path[:] = [one for one in sys.path if one and not (Path(one) / "perf").is_dir()]
for script in sys.argv[1:]:
    before, sys.path[:0] = [*sys.path], [str(Path(script).parent)]
    runpy.run_path(script, run_name="imported")
    sys.path[:] = before
    for name in [one for one in sys.modules if one.partition(".")[0] in ("perf", "tests")]:
        del sys.modules[name]
"""


def test_every_script_finds_what_it_imports(tmp_path: Path) -> None:
    """As ``python perf/NAME.py`` does beside a judgebench that is installed elsewhere."""
    scripts = sorted((size.ROOT / "perf").glob("*.py"))
    assert len(scripts) > 50
    (tmp_path / "judgebench").symlink_to(size.ROOT / "judgebench")
    begun = [sys.executable, "-P", "-c", IMPORTED, *map(str, scripts)]
    done = subprocess.run(
        begun, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if re.search(r"^ *(from|import) (perf|tests)\b", text, re.M):
            begun = (ast.unparse(one) for one in tree.body)
            assert any(one.startswith("sys.path.insert(0, str(") for one in begun), script.name
        said = (one.value for one in ast.walk(tree) if isinstance(one, ast.Constant))
        handed = [one for one in said if isinstance(one, str) and "__file__" in one]
        assert not handed, f"{script.name}: code that is handed to a process has no file"


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
