"""Where gold data or a server has to be, its absence is a failure; elsewhere it is a skip."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.warm import Warm

ROOT = Path(__file__).parents[2]
CONFTEST = ROOT / "tests" / "conftest.py"
PYTEST = "import pytest, sys; sys.exit(pytest.main())"
SKIPS = """
import pytest

GOLD = "the gold data (../shared/gold/x) is not here"
SERVER = "no PostgreSQL server in /usr/lib/postgresql"

@pytest.mark.skipif(True, reason=GOLD)
def test_gold_by_a_mark(): ...

def test_gold_on_its_way():
    pytest.skip(GOLD + ", and more")

@pytest.mark.skipif(True, reason=SERVER)
def test_server_by_a_mark(): ...

def test_server_on_its_way():
    pytest.skip(SERVER + ", and more")

def test_for_another_reason():
    pytest.skip("no lualatex on PATH")
"""


@pytest.mark.parametrize(
    ("required", "fails"),
    [("JUDGEBENCH_REQUIRE_GOLD", "gold"), ("JUDGEBENCH_REQUIRE_POSTGRES", "server")],
)
def test_what_has_to_be_there(warm: Warm, tmp_path: Path, required: str, fails: str) -> None:
    """And what is not asked for may be missing."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_skips.py").write_text(SKIPS)
    done = subprocess.run(
        [warm.executable, "-c", PYTEST, "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={
            "PATH": "",
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "JUDGEBENCH_REQUIRE_GOLD": "",
            required: "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 skipped, 1 error" in done.stdout, done.stdout
    assert f"FAILED test_skips.py::test_{fails}_on_its_way" in done.stdout
    assert f"ERROR test_skips.py::test_{fails}_by_a_mark" in done.stdout
