"""``judgebench --help`` starts at once: nothing heavy is loaded, nothing of ours by accident."""

from __future__ import annotations

import subprocess
import sys

from tests.table import over_rows

HEAVY = {
    "numpy",
    "pandas",
    "scipy",
    "torch",
    "transformers",
    "lm_eval",
    "openai",
    "anthropic",
    "datasets",
    "streamlit",
    "pyarrow",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "rich",
}


@over_rows("line", ["--help", "--version", "run --help", "plan -h"])
def test_help_loads_nothing_heavy(line: str) -> None:
    code = (
        "import sys\n"
        "from judgebench.cli.main import run\n"
        f"code = run({line.split()!r})\n"
        "print('\\n'.join(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout
    loaded = set(done.stderr.split())
    assert "judgebench" in loaded
    assert not loaded & HEAVY


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import judgebench, sys; print(' '.join({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


def test_a_board_loads_nothing_of_what_runs_suites() -> None:
    code = (
        "import sys, judgebench.reports.board_request, judgebench.reports.board_tables\n"
        "from judgebench.reports import bundle, published, samples\n"
        "print(' '.join({m.split('.')[0] for m in sys.modules} | {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "judgebench.reports.leaderboard" in loaded
    assert not loaded & (HEAVY - {"numpy", "sqlalchemy", "pydantic", "rich"})
    ours = {"execution", "providers", "responses", "exchange", "workers"}
    ours |= {"reports.model_pairs", "reports.ranking"}  # which few boards need
    assert not loaded & {*(f"judgebench.{name}" for name in ours), "jinja2", "statsmodels"}


def test_a_run_loads_nothing_that_few_runs_need() -> None:
    code = (
        "import sys, judgebench.api, judgebench.execution.execute, judgebench.reports.run_boards\n"
        "print(' '.join({m.split('.')[0] for m in sys.modules} | {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "judgebench.execution.execute" in loaded
    assert not loaded & (HEAVY - {"numpy", "sqlalchemy", "pydantic", "rich"})
    assert not loaded & {"natsort", "psutil", "urllib.request", "http.client", "regex", "jinja2"}
