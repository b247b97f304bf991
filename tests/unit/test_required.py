"""Where gold data or a server has to be, its absence is a failure; elsewhere it is a skip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = ROOT / "tests" / "conftest.py"
SKIPS = """
import pytest

@pytest.mark.skipif(True, reason="{why}")
def test_by_a_mark(): ...

def test_on_its_way():
    pytest.skip("{why}, and more")

def test_for_another_reason():
    pytest.skip("no lualatex on PATH")
"""


@pytest.mark.parametrize(
    ("required", "ends"), [("1", "1 failed, 1 skipped, 1 error"), ("", "3 skipped")]
)
@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("JUDGEBENCH_REQUIRE_GOLD", "the gold data (../shared/gold/x) is not here"),
        ("JUDGEBENCH_REQUIRE_POSTGRES", "no PostgreSQL server in /usr/lib/postgresql"),
    ],
)
def test_what_has_to_be_there(
    tmp_path: Path, variable: str, why: str, required: str, ends: str
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_skips.py").write_text(SKIPS.format(why=why))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:judgebench"],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT), variable: required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ends in done.stdout, done.stdout
