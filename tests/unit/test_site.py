"""The documentation as a site: a page for whatever has one, and no link that leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import judgebench
from judgebench import registry
from judgebench.cli.main import COMMANDS
from judgebench.metrics.registry import METRICS

ROOT = Path(__file__).resolve().parents[2]
FETCHED = re.compile(r"""<(?:script|img|link|iframe)[^>]*(?:src|href)=["']?https?:""")


def made(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "docs" / "make_site.py", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    done = made("--output", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_there_is_a_page_for_each_command_benchmark_metric_and_function(site: Path) -> None:
    assert {path.stem for path in (site / "commands").glob("*.html")} == COMMANDS.keys()
    assert len(list((site / "metrics").glob("*.html"))) == len(METRICS)
    functions = {name for name in judgebench.__all__ if callable(getattr(judgebench, name))}
    assert {path.stem for path in (site / "python").glob("*.html")} == functions
    for folder in registry.benchmark_folders().values():
        assert (site / "tasks" / folder.name / "index.html").exists()
    guides = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in (site / "docs").glob("*.html")} == guides


def test_a_page_says_what_help_and_docstrings_say(site: Path) -> None:
    gate = (site / "commands" / "gate.html").read_text(encoding="utf-8")
    assert "--baseline" in gate
    leaderboard = (site / "python" / "leaderboard.html").read_text(encoding="utf-8")
    assert re.search(r"<dt><code>level</code></dt>\s*<dd>\s*(<p>)?Of the intervals", leaderboard)


def test_who_reads_it_fetches_nothing(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    assert [page for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))] == []


def test_every_link_of_the_site_leads_to_a_file_of_it(site: Path) -> None:
    lost = []
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"""(?:href|src)=["']?([^"'\s>]+)""", text):
            path = target.partition("#")[0]
            if path and not re.match(r"[a-z]+:", path) and not (page.parent / path).exists():
                lost.append(f"{page.relative_to(site)}: {target}")
    assert lost == []
