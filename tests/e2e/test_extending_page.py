"""``docs/extending.md``: each piece of code of the page, in a package found as if installed."""

from __future__ import annotations

import configparser
import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.errors import ConfigError
from tests.e2e.runs import ROOT, typed

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
GROUP = re.compile(r'\[project\.entry-points\."(.*?)"\]\n((?:\w+ = .*\n)+)')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The files of the page, and its package as an installer would leave it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for package in ("mine", "mine/capitals"):
        (tmp_path / package / "__init__.py").touch()
    points = "".join(f"[{g}]\n{named}" for g, named in GROUP.findall(FILES["pyproject.toml"]))
    info = tmp_path / "mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(points.replace('"', ""))
    parser = configparser.ConfigParser()
    parser.read_string(points)
    assert len(parser.sections()) == 5
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def board(folder: Path, benchmark: str) -> dict[str, dict[str, Any]]:
    """The metrics of each judge's only row."""
    at = ("--store", f"sqlite:///{folder}/extending.db", "--format", "json")
    done = typed("leaderboard", benchmark, *at)
    assert done.code == 0, done.err
    return {b["judge"]: b["rows"][0]["metrics"] for b in json.loads(done.out)["boards"]}


def test_one_of_each_in_a_suite(folder: Path) -> None:
    done = typed("run", "all.yaml")
    assert done.code == 0, done.err
    rows = board(folder, "capitals")
    assert rows["exact_match"]["accuracy"]["value"] == 0.5
    assert rows["politeness"]["accuracy"]["value"] == 1
    assert rows["stars"]["score"]["value"] == 4
    assert rows["stars"]["score/top"]["value"] == 1
    assert rows["stars"]["score/top"]["worst_low"] is None


def test_each_piece_of_code_has_about_twenty_lines() -> None:
    long = {
        name: lines
        for name, text in FILES.items()
        if name.endswith(".py")
        and (lines := sum(bool(line.strip()) for line in text.splitlines())) > 27
    }
    assert not long


def test_a_function_is_a_judge(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path("function.py")
    assert "brief" in capsys.readouterr().out
    assert board(folder, "answers")["brief"]["accuracy"]["value"] == 0.5


def test_a_name_that_nobody_offers_is_said_with_the_nearest(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no reader called 'strs'; did you mean 'stars'"):
        registry.function("strs", "readers")


@pytest.mark.parametrize(
    ("group", "value", "says"),
    [
        ("judges", "nowhere:f", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("providers", "nowhere:f", "cannot be loaded: ModuleNotFoundError"),
        ("metrics", "mine.top:bottom", "cannot be loaded: AttributeError: module 'mine.top'"),
        ("benchmarks", "nowhere", "cannot be loaded: ModuleNotFoundError"),
        ("judges", "mine.top", "has no 'make'"),
        ("providers", "mine.top", "has no 'make'"),
        ("benchmarks", "mine.top", "is neither a folder nor a package that is one"),
    ],
)
def test_what_a_package_offers_and_has_not_is_said_with_its_name(
    folder: Path, group: str, value: str, says: str
) -> None:
    points = folder / "mine-1.dist-info" / "entry_points.txt"
    name = {"judges": "polite", "providers": "echo", "metrics": "top", "benchmarks": "capitals"}
    old = re.compile(rf"(?m)(?<=\[judgebench\.{group}\]\n){name[group]} = .*$")
    points.write_text(old.sub(f"{name[group]} = {value}", points.read_text()))
    done = typed("run", "all.yaml")
    assert done.code == 78
    offered = f"judgebench.{group} {name[group]} = {value} of the package mine"
    assert f"{offered} {says}" in done.err


def test_a_metric_that_makes_other_numbers_is_undefined(folder: Path) -> None:
    assert typed("run", "all.yaml").code == 0
    (folder / "mine" / "top.py").write_text("def top(scores, low, high):\n    return [1.0]\n")
    del sys.modules["mine.top"]
    stars = board(folder, "capitals")["stars"]
    assert stars["score"]["value"] == 4
    assert stars["score/top"]["value"] is None
    assert stars["score/top"]["undefined"] == (
        "metric top made an array of shape (1,) of 6 scores, and not a number of each"
    )
