"""The documentation as a site of plain files: ``make docs``, or ``python docs/make_site.py``.

The pages under ``docs/`` as they are, and a page for each benchmark, metric, command and function
of Python, made from where they are described: ``benchmark.toml`` and the folder's README, the
registry of metrics, ``--help``, and docstrings. Nothing is fetched, neither now nor by who reads
the site; a link or an anchor that leads nowhere ends it with an error.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import click

import judgebench
from judgebench import registry
from judgebench.cli.main import COMMANDS, app
from judgebench.metrics.registry import METRICS

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
CODE = re.compile(r"```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)

WIDTH = 84
"""Of what ``--help`` prints, in characters: what a page has room for."""

CONFIGURATION = """\
[project]
site_name = "judgebench"
site_description = "Alignment evaluation and judging"
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
nav = [
  {{ "judgebench" = "index.md" }},
  {{ "Guides" = [{guides}] }},
  {{ "Benchmarks" = [{benchmarks}] }},
  {{ "Metrics" = [{metrics}] }},
  {{ "Commands" = [{commands}] }},
  {{ "Python" = [{functions}] }},
  {{ "Decisions" = [{decisions}] }},
  {{ "Changes" = "CHANGELOG.md" }},
  {{ "Contributing" = "CONTRIBUTING.md" }},
]

[project.theme]
font = false
features = ["navigation.top", "search.highlight", "content.code.copy"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "docs", metavar="FOLDER")
    folder = parser.parse_args().output.resolve()
    pages = folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    written = write_pages(pages)
    lists = {name: ", ".join(f'"{page}"' for page in found) for name, found in written.items()}
    folder.joinpath("zensical.toml").write_text(CONFIGURATION.format(**lists), encoding="utf-8")
    built = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--clean", "--strict"],
        cwd=folder,
        check=False,
    )
    if built.returncode:
        sys.exit("the site was not built: mend the links that are named above")
    print(f"open {folder / 'site' / 'index.html'}")


def write_pages(pages: Path) -> dict[str, list[str]]:
    """Every page as Markdown below a folder, and by part of the site their paths in order."""
    sources = {
        "guides": sorted((ROOT / "docs").glob("*.md")),
        "decisions": sorted((ROOT / "docs" / "decisions").glob("*.md")),
        "others": [
            ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
        ],
        "figures": sorted((ROOT / "tasks").glob("*/figures/README.md")),
    }
    for path in (path for paths in sources.values() for path in paths):
        put(pages, page_of(path), linked(path, pages))
    made = {
        "benchmarks": dict(benchmark_pages(pages)),
        "metrics": dict(metric_pages()),
        "commands": dict(command_pages()),
        "functions": dict(function_pages()),
    }
    for texts in made.values():
        for page, text in texts.items():
            put(pages, page, text)
    paths = {part: [page_of(path) for path in sources[part]] for part in ("guides", "decisions")}
    return paths | {part: list(texts) for part, texts in made.items()}


def put(pages: Path, page: str, text: str) -> None:
    path = pages / page
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def page_of(path: Path) -> str:
    """Where a file of the repository stands on the site."""
    there = path.relative_to(ROOT).as_posix().lstrip(".")  # folders with a dot are not published
    return "index.md" if there == "README.md" else there


def linked(source: Path, pages: Path) -> str:
    """The text of a page; other files that it links to are put beside it.

    A folder is its README or, of figures and suites, a page that lists its files.
    """

    def target(link: re.Match[str]) -> str:
        if re.match(r"[a-z]+:|#", link[2]):
            return link[0]
        path, hash_, anchor = link[2].partition("#")
        there = (source.parent / path).resolve()
        if not there.exists():
            sys.exit(f"{source.relative_to(ROOT)}: {link[2]} is not there")
        if there.is_dir():
            page = there / "README.md"
            if not page.exists():
                put(pages, f"{there.relative_to(ROOT)}/index.md", listing(there, pages))
                page = there / "index.md"
            there = page
        elif there.suffix != ".md":
            put_file(pages, there)
        elif there.is_relative_to(ROOT / "tests"):
            put(pages, page_of(there), linked(there, pages))
        goal = pages / page_of(there)
        here = (pages / page_of(source)).parent
        return f"{link[1]}{os.path.relpath(goal, here)}{hash_}{anchor}{link[3]}"

    text = source.read_text(encoding="utf-8")
    found, last = [], 0
    for code in CODE.finditer(text):  # a block of code has no links
        if "\n" in code[0]:
            found += [LINK.sub(target, text[last : code.start()]), code[0]]
            last = code.end()
    return "".join([*found, LINK.sub(target, text[last:])])


def listing(folder: Path, pages: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        put_file(pages, path)
    lines = [f"- [{path.name}]({path.name})" for path in files]
    return "\n".join([f"# {folder.relative_to(ROOT)}", "", *lines, ""])


def put_file(pages: Path, path: Path) -> None:
    to = pages / page_of(path)
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


# pages that are made ------------------------------------------------------------------------------


def benchmark_pages(pages: Path) -> Iterator[tuple[str, str]]:
    """Of each benchmark what its description says, and its README, if it has one."""
    for name, folder in sorted(registry.benchmark_folders().items()):
        with (folder / "benchmark.toml").open("rb") as file:
            description = tomllib.load(file)
        rows = {
            "versions": ", ".join(description.get("versions", {})),
            "by default": description.get("default_version"),
            **{what: description.get(what) for what in ("metric", "licence", "homepage", "paper")},
        }
        readme = folder / "README.md"
        text = linked(readme, pages).partition("\n")[2] if readme.exists() else ""
        lines = [f"# {name}", "", description.get("title", ""), ""]
        lines += [f"- {what}: {value}" for what, value in rows.items() if value]
        yield page_of(readme), "\n".join([*lines, "", text])


def command_pages() -> Iterator[tuple[str, str]]:
    """What ``--help`` prints, of each command and those below it."""
    parent = click.Context(app, info_name="judgebench", terminal_width=WIDTH)
    for name, line in COMMANDS.items():
        command = app.get_command(parent, name)
        assert command is not None
        lines = [f"# judgebench {name}", "", line, ""]
        for context in contexts(command, parent, name):
            text = context.get_help()
            lines += [f"## {context.command_path}", ""] if context.parent is not parent else []
            lines += ["```text", text, "```", ""]
        yield f"commands/{name}.md", "\n".join(lines)


def contexts(command: click.Command, parent: click.Context, name: str) -> Iterator[click.Context]:
    """Of a command, and of those below it."""
    context = click.Context(command, parent, name, terminal_width=WIDTH)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from contexts(found, context, below)


def function_pages() -> Iterator[tuple[str, str]]:
    """A page for each name of ``judgebench``, from its docstring."""
    for name in sorted(judgebench.__all__):
        thing = getattr(judgebench, name)
        if not callable(thing):
            continue
        lines = [f"# judgebench.{name}", ""]
        if inspect.isfunction(thing):
            lines += ["```python", signature(thing), "```", ""]
        yield f"python/{name}.md", "\n".join([*lines, *markdown(inspect.getdoc(thing) or ""), ""])


def signature(function: FunctionType) -> str:
    """As it is written in the code: annotations are text, and a parameter is a line."""
    found = inspect.signature(function)
    lines, named = [], False
    for one in found.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not named:
            named = True
            lines.append("*")
        default = "" if one.default is one.empty else f" = {one.default!r}"
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        lines.append(f"{stars}{one.name}: {one.annotation}{default}")
    inside = "".join(f"    {line},\n" for line in lines)
    return f"{function.__name__}(\n{inside}) -> {found.return_annotation}"


def markdown(docstring: str) -> Iterator[str]:
    """A docstring of numpy's form: sections as headings, parameters as terms that are explained."""
    text = SECTION.sub(r"## \1\n", docstring)
    lines = text.splitlines()
    example = term = False
    for at, line in enumerate(lines):
        below = lines[at + 1] if at + 1 < len(lines) else ""
        if line.startswith((">>>", "...")) or (example and line.strip()):
            if not example:
                yield "```pycon"
            example = True
            yield line.replace("  # doctest: +SKIP", "")
            continue
        if example:
            yield "```"
            example = False
        if line.startswith("    ") and not line.startswith("     "):
            yield f":   {literal(line.strip())}" if term else literal(line)
            if below and not below.startswith(" "):
                yield ""
            term = False
            continue
        term = bool(line) and below.startswith("    ") and not line.startswith((" ", "#"))
        yield f"`{line}`" if term else literal(line)
    if example:
        yield "```"


def literal(line: str) -> str:
    """Double backquotes are code; single ones name something of ours, which is code as well."""
    return line.replace("``", "`")


def metric_pages() -> Iterator[tuple[str, str]]:
    """A page for each metric, from its one entry."""
    for name, one in METRICS.items():
        low, high = one.scale or (None, None)
        ends = "the judge's scale" if low is None else f"{low:g} to {high:g}"
        better = {"higher": "a higher one", "lower": "a lower one", "neither": "neither"}
        rows = {
            "in JSON, CSV and gates": f"`{name}`",
            "scale": f"{ends}{' %' if one.in_percent else ''}",
            "better": better[one.direction],
            "decimals": one.digits,
            "estimated": one.estimated,
            "two models": one.tested,
        }
        meaning = one.meaning[:1].upper() + one.meaning[1:]
        lines = [f"# {one.title}", "", f"{meaning}." if meaning else "", ""]
        lines += [f"- {what}: {value}" for what, value in rows.items()]
        page = re.sub(r"\W", "-", name)
        yield f"metrics/{page}.md", "\n".join([*lines, "", f"[More](../docs/{one.explained})", ""])


if __name__ == "__main__":
    main()
