"""What the demo prints by default, on a store that has its verdicts: no model is asked."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from judgebench.config import Narrowing, load_suite
from tests.changes.stores import keep, make
from tests.e2e.runs import typed

ROOT = Path(__file__).resolve().parents[2]
LINES, COLUMNS = 60, 100


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The script, with an empty store and without its model."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "suites"))
    script = importlib.import_module("demo")
    for name in ("DEMO_MODEL", "DEMO_GGUF"):
        monkeypatch.setenv(name, "nowhere")

    def no_model(*, convert: bool = True) -> Any:
        return SimpleNamespace(export=lambda environment: None)

    monkeypatch.setattr(script, "demo_model", no_model)
    monkeypatch.setattr(script, "STORE", f"sqlite:///{tmp_path}/s.db")
    return script


def test_each_part_is_of_one_benchmark_and_all_of_them_ask_every_judge(demo: Any) -> None:
    suite = load_suite(ROOT / "suites" / "demo.yaml")
    for step in demo.STEPS:
        part = suite.narrowed(Narrowing(limit=step.limit, judges=step.judges, models=step.models))
        assert [benchmark.name for benchmark in part.benchmarks] == [step.benchmark]
    asked = {judge for step in demo.STEPS for judge in step.judges}
    assert asked == {judge for benchmark in suite.benchmarks for judge in benchmark.judges}


def test_the_first_board_needs_no_model(demo: Any) -> None:
    """Neither the checkpoint nor the server's file is there, and the first part does without."""
    done = typed(*demo.STEPS[0].words, "--quiet")
    assert done.code == 0, done.err
    assert "0 judge calls made" in done.err
    assert typed(*demo.STEPS[2].words, "--quiet").code != 0


def test_all_of_it_fits_a_terminal(
    demo: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On the golden store, whose suite is the demo's with what its model is written out."""
    hub = tmp_path / "hub"
    make.lay_out(hub, make.DEMO_COMMIT, None)
    monkeypatch.setenv("DEMO_MODEL", make.HUB_MODEL)
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(demo, "SUITE", make.HERE / "demo.yaml")
    monkeypatch.setattr(demo, "STORE", f"sqlite:///{keep.unpacked('demo', tmp_path)}")
    assert demo.main([]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert not err
    assert len(lines) <= LINES - 4, "the rest is for what make says of the installation"
    assert max(map(len, lines)) <= COLUMNS
    nobody = "0 answers, 0 calls to the judge;"
    assert sum(line.startswith(nobody) for line in lines) == len(demo.STEPS)
    for step in demo.STEPS[:-1]:
        at = lines.index(next(line for line in lines if line.endswith(step.does)))
        assert lines[at + 1].split()[:2] == ["rank", "model"]
    assert "smollm2-pairs names another winner when the order is turned: 100 % (" in out
    assert "kappa may be 0, as a coin's: smollm2-json, smollm2-plain" in out
