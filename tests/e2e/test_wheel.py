"""What pip installs works outside a checkout: tasks, help, a run from files, boards, pages."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITE = """\
name: installed
models:
  - {name: model-careful, responses: ANSWERS}
  - {name: model-weak, responses: ANSWERS}
judges:
  - {name: grader, kind: reference, provider: scripted, model: dice}
benchmarks:
  - {name: trivia_judging_mini, judges: [contains, grader], models: [model-careful, model-weak]}
"""

COMMANDS = """
import sys
from judgebench.cli.main import run
sys.exit(next((code for line in sys.argv[1:] if (code := run(line.split()))), 0))
"""
Installed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the package, as it is installed."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "packages")
    (folder / "here").mkdir()
    _compiled(folder / "packages")
    return folder


def _compiled(packages: Path) -> None:
    """What pip compiles is taken from the checkout, where the same module is compiled already."""
    for module in (packages / "judgebench").rglob("*.py"):
        source = ROOT / module.relative_to(packages)
        made = Path(cache_from_source(source))
        if made.exists() and source.read_bytes() == module.read_bytes():
            shutil.copystat(source, module)
            there = Path(cache_from_source(module))
            there.parent.mkdir(exist_ok=True)
            shutil.copy(made, there)


def environment(place: Path) -> dict[str, str]:
    ours = {name: said for name, said in os.environ.items() if not name.startswith("JUDGEBENCH")}
    return ours | {
        "PYTHONPATH": str(place / "packages"),
        "XDG_CACHE_HOME": str(place / "cache"),
        "JUDGEBENCH_STORE": "sqlite:///results/installed.db",
    }


@pytest.fixture(scope="module")
def installed(place: Path) -> Installed:
    def call(*lines: str) -> subprocess.CompletedProcess[str]:
        """Carry out command lines one after the other, in one process."""
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS, *lines],
            capture_output=True,
            text=True,
            check=False,
            cwd=place / "here",
            env=environment(place),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return call


def test_the_wheel_holds_the_package_its_tasks_and_pages_and_no_figures(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {"judgebench"} == {top for top in tops if not top.endswith(".dist-info")}
    bundled = "judgebench/_bundled"
    assert f"{bundled}/dashboards/app.py" in names
    folders = {path.name for path in (ROOT / "tasks").iterdir() if path.is_dir()} - {"__pycache__"}
    assert {f"{bundled}/tasks/{name}/benchmark.toml" for name in folders} <= set(names)
    assert not [name for name in names if "/figures/" in name or "/tests/" in name]
    assert "judgebench/py.typed" in names


def test_help_and_tasks_are_there(installed: Installed, place: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import judgebench; print(judgebench.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=place / "here",
        env=environment(place),
    )
    assert Path(said.stdout.strip()).is_relative_to(place)
    listed = installed("--help", "data list").stdout
    assert "Commands:" in listed
    for name in ("alpaca_eval", "mixeval_hard", "honestybench", "trivia_judging_mini"):
        assert name in listed


def test_answers_of_a_file_are_judged_and_shown(installed: Installed, place: Path) -> None:
    answers = place / "packages/judgebench/_bundled/tasks/trivia_judging_mini/answers.jsonl"
    suite = place / "here" / "suite.yaml"
    suite.write_text(SUITE.replace("ANSWERS", str(answers)), encoding="utf-8")
    installed(
        "run suite.yaml --quiet",
        "leaderboard trivia_judging_mini --output board.json",
        "compare model-careful model-weak --output compared.txt",
    )
    board = json.loads((place / "here" / "board.json").read_text(encoding="utf-8"))
    assert {one["judge"] for one in board["boards"]} == {"contains", "grader"}
    assert "accuracy" in (place / "here" / "compared.txt").read_text(encoding="utf-8")


def test_the_dashboard_answers(place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "judgebench.cli.main", "dashboard", "--port", str(port)],
        cwd=place / "here",
        env=environment(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert answered(f"http://127.0.0.1:{port}/_stcore/health", server) == "ok"
        assert "<title>" in answered(f"http://127.0.0.1:{port}/", server)
    finally:
        server.terminate()
        server.communicate(timeout=60)


def answered(url: str, server: subprocess.Popen[str]) -> str:
    for _ in range(600):
        assert server.poll() is None, server.communicate()[0]
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return str(reply.read().decode())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")
