"""Benchmarks outside of judgebench: ``--include_path``, and ``include_path`` in a suite."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from judgebench import INCLUDE_PATH, api, registry
from judgebench.cli.main import run
from judgebench.errors import ConfigError

MINI = registry.tasks_root() / "trivia_judging_mini"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with the benchmark ``rivers``."""
    folder = tmp_path / "ours" / "rivers"
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (MINI / "benchmark.toml").read_text()
    (folder / "benchmark.toml").write_text(text.replace('"trivia_judging_mini"', '"rivers"', 1))
    return folder.parent


def suite(folder: Path, included: str) -> Path:
    """A suite with recorded answers, in a folder of its own."""
    folder.mkdir()
    rows = [
        {"benchmark": "rivers", "item_id": json.loads(line)["id"], "model": "m", "text": "x"}
        for line in (MINI / "items.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "suite.yaml"
    file.write_text(
        f"name: s\n{included}models: [{{name: m, responses: m.jsonl}}]\n"
        "benchmarks: [{name: rivers, judges: [contains]}]\n"
    )
    return file


@pytest.mark.parametrize("included", ["include_path: ../ours\n", "include_path: [../ours]\n"])
def test_a_suite_finds_benchmarks_beside_it(
    elsewhere: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    included: str,
) -> None:
    assert elsewhere.is_dir()
    store = f"sqlite:///{tmp_path}/s.db"
    monkeypatch.chdir(tmp_path)
    file = suite(tmp_path / "suites", included)
    assert run(["plan", str(file), "--store", store, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["items"] == 48
    assert run(["run", str(file), "--store", store, "--format", "json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert (board["benchmark"], board["judge"]) == ("rivers", "contains")


def test_a_suite_does_not_know_the_folders_of_the_suite_before(
    elsewhere: Path, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    naming = suite(tmp_path / "suites", f"include_path: {elsewhere}\n")
    other = suite(tmp_path / "others", "")
    assert api.plan(naming, store=store).rows
    with pytest.raises(ConfigError, match="no benchmark called 'rivers'"):
        api.plan(other, store=store)
    registry.include([elsewhere])  # what the command line names is for all
    assert api.plan(other, store=store).rows


def test_the_command_line_and_the_environment_name_folders(
    elsewhere: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = suite(tmp_path / "suites", "")
    assert run(["plan", str(file)]) == 78
    assert "no benchmark called 'rivers'" in capsys.readouterr().err
    assert run(["plan", str(file), "--include_path", str(elsewhere), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["benchmark"] == "rivers"
    assert run(["data", "verify", "rivers", f"--include-path={elsewhere / 'rivers'}"]) == 0
    monkeypatch.setattr(registry, "_included", [])
    assert run(["judge", "try", str(file)]) == 78
    assert run(["judge", "try", str(file), f"--include-path={elsewhere}"]) == 0
    monkeypatch.setattr(registry, "_included", [])
    assert run(["data", "verify", "rivers"]) == 64
    monkeypatch.setenv(INCLUDE_PATH, str(elsewhere))
    assert run(["data", "verify", "rivers"]) == 0


def test_a_folder_without_benchmarks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["leaderboard", "x", "--include_path", str(tmp_path / "nowhere")]) == 78
    assert "nowhere: there is no such folder" in capsys.readouterr().err
    (tmp_path / "notes.txt").touch()
    assert run(["leaderboard", "x", "--include_path", str(tmp_path)]) == 78
    assert "neither a benchmark.toml nor an lm-eval task (.yaml) is in it" in (
        capsys.readouterr().err
    )
    file = suite(tmp_path / "suites", "include_path: gone\n")
    assert run(["plan", str(file)]) == 78
    said = capsys.readouterr().err
    assert f"{file}: include_path: {tmp_path / 'suites' / 'gone'}: there is no such folder" in said
