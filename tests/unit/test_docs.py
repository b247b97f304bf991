"""The README is short, its suite and commands are right, and no link in the docs leads nowhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

import judgebench
from judgebench.cli.main import COMMANDS
from judgebench.config import Suite, check
from tests.e2e.runs import typed
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
CODE = re.compile(r"```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """What headings of a page are called in an address, as GitHub does it."""
    text = re.sub(r"```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@over_rows(
    "page",
    PAGES,
)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(CODE.sub(lambda m: "" if "\n" in m[0] else m[0], page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = page if not path else (page.parent / path).resolve()
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert not lost


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in LINK.findall(README)}
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= linked
    table = README.partition("## Where to go on")[2].partition("|---|---|\n")[2]
    groups = re.split(r"\| \*\*.*\*\* \| \|\n", table.partition("\n\n")[0])
    assert groups[0] == "", "a row stands before the first group"
    assert all(1 < len(group.splitlines()) <= 8 for group in groups[1:])


def test_the_page_about_python_lists_every_function() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    functions = {name for name in judgebench.__all__ if name[0].islower()}
    assert functions <= set(re.findall(r"`(\w+)`", page))


def test_the_readme_fits_and_has_one_picture() -> None:
    assert len(README.splitlines()) <= 150
    assert len(re.findall(r"!\[", README)) == 1


def test_the_readmes_suite_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    suite = check(Suite, yaml.safe_load(block), "README.md")
    assert [model.name for model in suite.models] == ["tonight", "last-week"]


def commands() -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [line[1:] for line in words if line[0] == "judgebench"]


@over_rows(
    "words",
    commands(),
)
def test_the_readmes_commands_are_known_with_their_options(words: list[str]) -> None:
    assert words[0] in COMMANDS
    group = words[:2] if words[0] in ("anchors", "baseline", "batches", "runs") else words[:1]
    helped = typed(*group, "--help")
    assert helped.code == 0
    for option in (word.replace("_", "-") for word in words if word.startswith("--")):
        assert re.search(rf"^ +(-\w, )?{option}\b", helped.out, re.MULTILINE), option
