"""The suites that the documentation shows can be used as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from judgebench import api
from judgebench.config import load_suite
from judgebench.protocols import NoProgress
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {Path("suites/nightly/gate.yaml"), Path("suites/paper.yaml")}
"""A policy of the gate, and the table of a paper."""
SUITES = sorted({path.relative_to(ROOT) for path in ROOT.glob("suites/**/*.yaml")} - OTHERS)
NEEDS_A_MODEL = {
    Path("suites/arena_hard.yaml"),
    Path("suites/critiquellm.yaml"),  # and data
    Path("suites/codal_bench.yaml"),
    Path("suites/demo.yaml"),
    Path("suites/just_eval.yaml"),
    Path("suites/local_judge.yaml"),
    Path("suites/mt_bench.yaml"),
    Path("suites/xstest.yaml"),
    Path("suites/nightly/suite.yaml"),  # or its answers; test_nightly_workflow.py runs it
}
PUBLISHED = {path for path in SUITES if path.parent == Path("suites/published")}
"""They need data and models that are not here; `test_published_figures` plans some all the same."""
OFFLINE = [
    Path("suites/ways_of_judging.yaml"),
    Path("suites/null_model/suite.yaml"),
    Path("suites/best_of_n.yaml"),
]


@pytest.fixture(autouse=True)
def _in_a_checkout_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown must not need anybody's keys."""
    monkeypatch.chdir(ROOT)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@over_rows("path", SUITES)
def test_every_suite_says_only_what_is_known(path: Path) -> None:
    environment = {"DEMO_MODEL": "a-folder", "DEMO_GGUF": "a-file"}
    suite = load_suite(path, environment=environment | {"NIGHTLY_ANSWERS": "a-file"})
    assert {judge for b in suite.benchmarks for judge in b.judges}


@pytest.mark.parametrize("path", [p for p in SUITES if p not in NEEDS_A_MODEL | PUBLISHED], ids=str)
def test_a_plan_needs_neither_key_nor_network(path: Path, tmp_path: Path) -> None:
    rows = api.plan(path, store=f"sqlite:///{tmp_path}/none.db").rows
    assert sum(row.judge_calls for row in rows) > 0
    assert all(row.cost_usd is not None for row in rows)


@pytest.mark.parametrize("path", OFFLINE, ids=str)
def test_what_is_tried_out_offline_runs_to_its_end(path: Path, tmp_path: Path) -> None:
    outcome = api.run(path, store=f"sqlite:///{tmp_path}/s.db", progress=NoProgress())
    assert (outcome.failed, outcome.stopped, outcome.waiting) == (0, {}, 0)
    assert outcome.judged > 0
