"""What a suite says of a judge, over what its prompt is read with, over what is usual."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.folder import FolderBenchmark, load_benchmark
from judgebench.keys import text_sha

TEXTS = {"strict": "Is {answer} right?", "loose": "Could {answer} be right?"}
JUDGING = f"""
kind = "reference"
prompt = "strict"
options = {{ prompt = "long", explain = true }}

[judging.official.strict]
sha256 = "{text_sha(TEXTS["strict"])}"
source = "strict.txt"
options = {{ format = "json", explain = false }}
sampling = {{ temperature = 0.5, max_tokens = 5 }}

[judging.official.loose]
sha256 = "{text_sha(TEXTS["loose"])}"
source = "loose.txt"
options = {{ format = "word" }}
"""
OF_STRICT = {"prompt": "official/strict", "format": "json", "explain": False}
SAMPLING = {"temperature": 0.5, "max_tokens": 5}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home" / "rivers" / "prompts"


@pytest.fixture
def benchmark(tmp_path: Path, home: Path) -> FolderBenchmark:
    """Judged by reference, in official words where they are here."""
    folder = tmp_path / "tasks" / "rivers"
    small = registry.tasks_root() / "trivia_judging_mini"
    shutil.copytree(small, folder, ignore=shutil.ignore_patterns("__pycache__"))
    description = folder / "benchmark.toml"
    text = description.read_text(encoding="utf-8")
    text = text.replace('name = "trivia_judging_mini"', 'name = "rivers"')
    before, marker, _ = text.partition("[judging]\n")
    assert marker
    description.write_text(before + marker + JUDGING, encoding="utf-8")
    registry.include([folder.parent])
    return load_benchmark("rivers")


@pytest.fixture
def official(home: Path) -> None:
    """The official texts are in the data home."""
    home.mkdir(parents=True)
    for name, text in TEXTS.items():
        (home / f"{name}.txt").write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("official")
@pytest.mark.parametrize(
    ("said", "options", "sampling"),
    [
        ({}, OF_STRICT, SAMPLING),
        ({"explain": True}, OF_STRICT | {"explain": True}, SAMPLING),
        ({"prompt": "official/strict", "format": "word"}, OF_STRICT | {"format": "word"}, SAMPLING),
        ({"prompt": "official/loose"}, {"prompt": "official/loose", "format": "word"}, {}),
        ({"prompt": "short"}, {"prompt": "short", "explain": True}, {}),
        ({"prompt": "strict"}, {"prompt": "strict", "explain": True}, {}),
        ({"prompt": "official/none"}, {"prompt": "official/none", "explain": True}, {}),
    ],
)
def test_official_words_come_with_their_options(
    benchmark: FolderBenchmark,
    said: dict[str, Any],
    options: dict[str, Any],
    sampling: dict[str, Any],
) -> None:
    assert benchmark.judged_with("reference", said, {}) == (options, sampling)


@pytest.mark.usefixtures("official")
@pytest.mark.parametrize(
    ("said", "sampling"),
    [
        ({"temperature": 0}, {"temperature": 0, "max_tokens": 5}),
        ({"max_completion_tokens": 9}, {"temperature": 0.5, "max_completion_tokens": 9}),
        ({"temperature": None}, {"temperature": None, "max_tokens": 5}),
    ],
)
def test_a_suites_sampling_goes_over_that_of_the_official_words(
    benchmark: FolderBenchmark, said: dict[str, Any], sampling: dict[str, Any]
) -> None:
    assert benchmark.judged_with("reference", {}, said) == (OF_STRICT, sampling)
    assert benchmark.judged_with("reference", {"prompt": "short"}, said)[1] == said


def test_without_the_official_words_ours_come_with_their_options(
    benchmark: FolderBenchmark,
) -> None:
    usual = {"prompt": "long", "explain": True}
    assert benchmark.judged_with("reference", {}, {"seed": 1}) == (usual, {"seed": 1})
    changed = benchmark.judged_with("reference", {"prompt": "short", "explain": False}, {})
    assert changed == ({"prompt": "short", "explain": False}, {})


@pytest.mark.usefixtures("official")
def test_another_way_of_judging_is_left_as_the_suite_says(benchmark: FolderBenchmark) -> None:
    assert benchmark.judged_with("rubric", {}, {}) == ({}, {})
    said = {"explain": False}
    assert benchmark.judged_with("rubric", said, {"seed": 1}) == (said, {"seed": 1})
