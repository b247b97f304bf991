"""``judgebench --help`` starts at once: nothing heavy is loaded, nothing of ours by accident."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.table import over_rows

THREADS = "OPENBLAS_NUM_THREADS"
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
SUITE = """\
name: start-up
models:
  - {name: recorded, responses: answers.jsonl}
judges:
  - {name: judge, kind: reference, provider: scripted, model: scripted}
benchmarks:
  - {name: own, items: prompts.jsonl, judges: [judge]}
store: sqlite:///store.db
"""


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


def test_what_is_left_at_the_end_is_not_looked_through() -> None:
    code = (
        "import atexit, gc\n"
        "from judgebench.cli.main import main\n"
        "atexit.register(lambda: print(sum(map(len, map(gc.get_objects, range(3))))))\n"
        "main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 1000  # of tens of thousands


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import judgebench, sys; print(' '.join({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


def test_a_board_loads_nothing_of_what_runs_suites() -> None:
    code = (
        "import sys, judgebench.reports.leaderboard, judgebench.reports.board_tables\n"
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
    assert "sqlalchemy.dialects.postgresql" not in loaded


def test_length_control_loads_little_and_compiles_nothing() -> None:
    code = (
        "import sys\n"
        "from judgebench.judges import flags\n"
        "import judgebench.reports.length_calibrations\n"
        "print(flags._compiled.cache_info().currsize, ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    compiled, *loaded = done.stdout.split()
    assert "judgebench.stats.length_control" in loaded
    assert "numpy.polynomial" not in loaded
    assert compiled == "0"


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


def test_a_run_that_has_everything_loads_nothing_that_few_runs_need(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    prompt = {"id": "q", "prompt": "What is it?", "reference": "a thing"}
    (tmp_path / "prompts.jsonl").write_text(json.dumps(prompt))
    (tmp_path / "answers.jsonl").write_text(json.dumps({"item_id": "q", "text": "A thing."}))
    code = (
        "import sys\n"
        "from judgebench.cli.main import run\n"
        "code = run(['run', 'suite.yaml'])\n"
        "print('loaded:', *sys.modules)\n"
        "import os, threadpoolctl\n"
        "assert all(p['num_threads'] == 1 for p in threadpoolctl.threadpool_info())\n"
        f"assert {THREADS!r} not in os.environ\n"
        "sys.exit(code)\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, cwd=tmp_path, env=_told_nothing(),
        )  # fmt: skip
    assert "0 judge calls made, 1 recorded" in done.stderr
    loaded = set(done.stdout.partition("loaded:")[2].split())
    assert "judgebench.reports.run_boards" in loaded
    assert not loaded & (HEAVY - {"numpy", "sqlalchemy", "pydantic", "rich"})
    assert not loaded & {
        *("judgebench.reports.agreement", "judgebench.reports.confidence"),
        *("judgebench.metrics.agreement", "judgebench.metrics.paired", "judgebench.metrics.probes"),
        *("judgebench.exchange.tables", "sqlalchemy.dialects.postgresql"),
    }


def test_a_plan_loads_nothing_of_earlier_verdicts() -> None:
    """Where there are none: `judgebench plan` is said first of all."""
    assert not _loaded_with("judgebench.execution.forecast", "judgebench.reports.plan") & {
        *("judgebench.reports.model_pairs", "judgebench.reports.board_data"),
        *("judgebench.reports.gate_suggest", "judgebench.metrics.paired"),
    }


def _told_nothing() -> dict[str, str]:
    """The environment without anybody's word on threads."""
    return {name: told for name, told in os.environ.items() if not name.endswith("_NUM_THREADS")}


def _loaded_with(*modules: str) -> set[str]:
    code = f"import sys, {', '.join(modules)}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded.issuperset(modules)
    return loaded


def test_what_shows_boards_computes_in_threads_of_its_own() -> None:
    """Unless somebody says otherwise; what starts others' programs hands them nothing of it."""

    def threads(command: str, given: dict[str, str]) -> str:
        code = (
            "import contextlib, threadpoolctl\n"
            "from judgebench.cli.main import main\n"
            "with contextlib.suppress(SystemExit):\n"
            f"    main([{command!r}, '--help'])\n"
            "import numpy\n"
            "print([p['num_threads'] for p in threadpoolctl.threadpool_info()])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=_told_nothing() | given,
        )
        return done.stdout.splitlines()[-1]

    assert threads("leaderboard", {}) == threads("compare", {}) == "[1]"
    assert threads("leaderboard", {THREADS: "2"}) == "[2]"
    assert threads("run", {THREADS: "2"}) == "[2]"
    if len(os.sched_getaffinity(0)) > 1:
        assert threads("run", {}) != "[1]"
