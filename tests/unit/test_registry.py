"""The folder is the registry."""

import subprocess
import sys
from pathlib import Path

import pytest

from judgebench import registry
from judgebench.errors import ConfigError


def test_judges_are_the_public_modules_that_make() -> None:
    known = [
        *("consistency", "contains", "critique", "dimensions", "equivalence", "exact_match"),
        *(
            "graded",
            "lm_eval",
            "own_prompt",
            "pairwise",
            "python",
            "reference",
            "reward",
            "rubric",
            "stated_confidence",
        ),
    ]
    assert registry.names("judges") == known
    assert all(hasattr(registry.load("judges", name), "make") for name in registry.names("judges"))


def test_unknown_name_answers_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no judge called 'contians'; did you mean 'contains'"):
        registry.load("judges", "contians")
    with pytest.raises(ConfigError, match="no judge called '_normalise'"):
        registry.load("judges", "_normalise")


def test_names_import_nothing() -> None:
    code = (
        "import sys; from judgebench import registry; registry.names('judges'); "
        "registry.benchmark_folders(); "
        "assert 'judgebench.judges.kinds' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_benchmarks_are_the_folders_below_tasks(tmp_path: Path) -> None:
    assert {"trivia_judging", "trivia_judging_mini"} <= registry.benchmark_folders().keys()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "benchmark.toml").touch()
    registry.include([tmp_path])
    assert registry.benchmark_folders()["mine"] == mine
    registry.include([mine])
    assert registry.included() == (tmp_path, mine)
    assert registry.benchmark_folders()["mine"] == mine


def test_an_installed_package_adds_a_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[judgebench.judges]\nstrict = strict_judge\n")
    (tmp_path / "strict_judge.py").write_text("def make(**settings): return 'strict'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "strict" in registry.names("judges")
    assert registry.load("judges", "strict").make() == "strict"
