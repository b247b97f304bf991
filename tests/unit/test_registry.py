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
            "harm",
            "lm_eval",
            "own_prompt",
            "pairwise",
            "python",
            "reference",
            "refusal_prefix",
            "reward",
            "rubric",
            "stated_confidence",
            "templates",
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


def test_a_module_beside_another_prompt_is_not_the_one_of_the_same_name(tmp_path: Path) -> None:
    for folder, says in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own_words.py").write_text(f"SAYS = {says}\n")
        source = "import own_words\n\n\ndef read(reply):\n    return own_words.SAYS\n"
        (tmp_path / folder / "own_reader.py").write_text(source)

    def read(folder: str) -> object:
        named = registry.function("own_reader:read", "readers", beside=tmp_path / folder)
        assert named is registry.function("own_reader:read", "readers")
        return named(None)

    assert [read("a"), read("a"), read("b"), read("a")] == [1, 1, 2, 1]
    (tmp_path / "a" / "own_words.py").write_text("SAYS = 'another thing'\n")
    assert read("a") == "another thing"
    assert str(tmp_path / "a") not in sys.path
