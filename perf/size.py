"""How large the code is, by folder, beside what it may grow to: ``python perf/size.py``.

Counted are statements and nodes of the syntax tree over all tracked Python, docstrings and other
bare strings left out, so that neither dense lines nor missing docstrings make code smaller. Beside
them stand what moves when code is moved out of Python: lines of SQL and of markup (in files, and in
strings of Python), of prompts and of JavaScript; and how deep the imports of the reports are.
Nothing is imported, the seed of nothing is drawn: two runs on one commit print the same.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "judgebench"
LONGEST = 59
"""Statements of a function at most."""

DEEPEST = 4
"""Imports from the api through the reports to the statistics, at most."""

BUDGET: dict[str, int | None] = {
    "root modules": 1_100,
    "judges": 1_250,
    "providers": 1_600,
    "responses + workers": 1_100,
    "benchmarks": 1_150,
    "execution": 1_150,
    "store": 1_700,
    "cli": 850,
    "stats": 2_300,
    "metrics": 1_500,
    "reports": 2_700,
    "exchange": 1_700,
    "dashboards": 2_300,
    "all of these": 20_400,
    "perf": None,  # grow only by what is asked for
    "tasks": None,
    "suites": None,
    "docs": None,
    "tests": 24_000,
}
FIRST_RELEASE = {
    "root modules": (1_589, 17_279),
    "judges": (2_461, 28_174),
    "providers": (3_104, 34_987),
    "responses + workers": (1_795, 21_913),
    "benchmarks": (2_118, 24_917),
    "execution": (2_271, 27_844),
    "store": (2_984, 48_679),
    "cli": (1_478, 18_845),
    "stats": (2_912, 45_614),
    "metrics": (3_262, 50_604),
    "reports": (6_862, 106_756),
    "exchange": (3_117, 40_515),
    "dashboards": (4_784, 67_726),
    "all of these": (38_737, 533_853),
    "perf": (3_040, 42_006),
    "tasks": (619, 7_883),
    "suites": (249, 2_675),
    "docs": (141, 1_551),
    "tests": (39_980, 560_547),
    "everything": (82_766, 1_148_515),
}
"""Statements and nodes of the first release."""

MODULES = 230
"""Of `all of these`, at most."""

CALLED = {"responses": "responses + workers"} | {"workers": "responses + workers"}
"""Folders of the package that the table calls otherwise."""

TEMPLATES = {".html", ".css", ".jinja", ".j2", ".tex"}
SCRIPTS = {".js", ".ts"}
SQL = re.compile(r"\s*(?:SELECT|INSERT|CREATE|WITH|UPDATE|DELETE|PRAGMA|DROP|ALTER)\b")
MARKUP = re.compile(r"</?[a-z]+[a-z0-9]*(?:\s[^<>]*)?/?>|\\(?:begin|end)\{")


@dataclass(slots=True)
class Size:
    """What one folder holds."""

    statements: int = 0
    nodes: int = 0
    modules: int = 0
    lines: Counter[str] = field(default_factory=Counter)
    longest: tuple[int, str] = (0, "")

    def add(self, other: Size) -> None:
        self.statements += other.statements
        self.nodes += other.nodes
        self.modules += other.modules
        self.lines += other.lines
        self.longest = max(self.longest, other.longest)


def main() -> None:
    sizes: dict[str, Size] = {}
    for path in tracked():
        sizes.setdefault(folder_of(path), Size()).add(size_of(path))
    ours = Size()
    for name in sizes.keys() - BUDGET.keys():
        sys.exit(
            f"{name}: this folder stands in no row of BUDGET; add it there with what it may be"
        )
    for name in BUDGET:
        if name == "all of these":
            break
        ours.add(sizes[name])
    sizes["all of these"] = ours
    everything = Size()
    for name in BUDGET:
        if name != "all of these":
            everything.add(sizes.get(name, Size()))
    print("statements and nodes of the syntax tree, docstrings out; all tracked Python")
    print(f"{'folder':20}  statements  at first  at most      nodes  nodes/st.  at first  modules"
          "  longest    SQL  markup  prompts  JavaScript")  # fmt: skip
    for name, budget in BUDGET.items():
        print(row(name, sizes.get(name, Size()), budget))
    print(row("everything", everything, None))
    print(f"modules of all of these: {ours.modules}, at most {MODULES}")
    print(f"longest function of all of these: {ours.longest[1]}, {ours.longest[0]} statements "
          f"with itself and what is nested in it, at most {LONGEST}")  # fmt: skip
    way = " -> ".join(one.removeprefix(f"{PACKAGE}.") for one in way_to_stats())
    print(f"most imports from the api through the reports to the statistics: {way.count('->')}, "
          f"at most {DEEPEST}: {way}")  # fmt: skip
    print(
        "SQL, markup, prompts, JavaScript: lines, of SQL and markup also those of strings in Python"
    )


def row(name: str, size: Size, budget: int | None) -> str:
    statements, nodes = FIRST_RELEASE[name]
    ratio = f"{size.nodes / size.statements:.2f}" if size.statements else ""
    most = f"{budget:,}" if budget is not None else ""
    lines = size.lines
    return (
        f"{name:20}  {size.statements:10,}  {statements:8,}  {most:>7}  {size.nodes:9,}  "
        f"{ratio:>9}  {nodes / statements:8.2f}  {size.modules:7}  {size.longest[0]:7}  "
        f"{lines['sql']:5}  {lines['markup']:6}  {lines['prompts']:7}  {lines['javascript']:10}"
    )


def tracked() -> Iterator[Path]:
    """What git knows, that is here."""
    told = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in sorted(filter(None, told.stdout.split("\0"))):
        if (ROOT / name).is_file() and folder_of(Path(name)) != "":
            yield Path(name)


def folder_of(path: Path) -> str:
    """Which row a file belongs to; empty where none counts it."""
    counted = path.suffix in {".py", ".sql", ".txt"} | TEMPLATES | SCRIPTS
    if not counted or len(path.parts) == 1:
        return ""
    first = path.parts[0]
    if first != PACKAGE:
        return first if path.suffix != ".txt" else ""
    return "root modules" if len(path.parts) == 2 else CALLED.get(path.parts[1], path.parts[1])


def size_of(path: Path) -> Size:
    text = (ROOT / path).read_text(encoding="utf-8")
    n_lines = len(text.splitlines())
    if path.suffix == ".py":
        return size_of_python(path, ast.parse(text))
    if path.suffix == ".txt":
        return Size(lines=Counter(prompts=n_lines if "prompts" in path.parts else 0))
    if path.suffix == ".sql":
        return Size(lines=Counter(sql=n_lines))
    return Size(lines=Counter({"markup" if path.suffix in TEMPLATES else "javascript": n_lines}))


def size_of_python(path: Path, tree: ast.Module) -> Size:
    """A bare string, which is a statement and two nodes, counts for nothing."""
    size = Size(modules=1)
    size.statements, size.longest = statements_of(path, tree)
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if is_bare_string(node):
            continue
        size.nodes += 1
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            kind = "sql" if SQL.match(node.value) else "markup"
            if kind == "sql" or MARKUP.search(node.value):
                size.lines[kind] += (node.end_lineno or node.lineno) - node.lineno + 1
    return size


def statements_of(path: Path, tree: ast.Module) -> tuple[int, tuple[int, str]]:
    """How many there are, and the longest function. No expression has any."""
    longest = (0, "")

    def counted(node: ast.AST) -> int:
        nonlocal longest
        if is_bare_string(node):
            return 0
        n = int(isinstance(node, ast.stmt))
        for name in STATEMENTS:
            n += sum(map(counted, getattr(node, name, ())))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            longest = max(longest, (n, f"{path.as_posix()}: {node.name}"))
        return n

    return counted(tree), longest


STATEMENTS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where those of a statement stand, and what they stand in."""


def way_to_stats() -> tuple[str, ...]:
    """The longest way of imports from the api through the reports to the statistics."""
    paths = [path for path in tracked() if path.suffix == ".py" and folder_of(path) == "reports"]
    imports = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): imported(
            (ROOT / path).read_text(encoding="utf-8")
        )
        for path in paths
    }

    @cache
    def way(module: str) -> tuple[str, ...]:
        """Nothing where it does not lead to them."""
        if module.startswith(f"{PACKAGE}.stats"):
            return (module,)
        longest = max((way(one) for one in sorted(imports.get(module, ()))), key=len, default=())
        return (module, *longest) if longest else ()

    return max(((f"{PACKAGE}.api", *way(one)) for one in sorted(imports)), key=len)


def imported(source: str) -> set[str]:
    """What a module imports when it is imported: modules, and what is taken from them.

    What is imported within functions waits for these, and what stands under ``TYPE_CHECKING`` is
    never imported.
    """
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        match nodes.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                pass
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                nodes += otherwise
            case ast.Import(names=names):
                found |= {one.name for one in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{one.name}" for one in names)}
            case other:
                nodes += ast.iter_child_nodes(other)
    return found


def is_bare_string(node: ast.AST) -> bool:
    said = node.value if isinstance(node, ast.Expr) else None
    return isinstance(said, ast.Constant) and isinstance(said.value, str)


if __name__ == "__main__":
    main()
