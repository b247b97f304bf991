"""What users can type, set, click and read: one line each, so that nothing goes unnoticed.

    python perf/inventory.py                  prints today's inventory
    python perf/inventory.py --check          says what docs/figures/inventory.txt has and today's
                                              has not
    python perf/inventory.py --gone SENTENCE  keeps in inventory_gone.txt that all of that is gone
                                              on purpose, as SENTENCE of the changelog says
    python perf/inventory.py --add            takes what is new into inventory.txt (at a release)

`docs/figures/inventory.txt` is the list of the first release; lines are added to it and never taken
away. A line is a kind, a tab, the name by which the thing is known, and where that helps " | " and
what it says, which may be worded anew without being gone. Error texts have no other name than their
words, with {} for what is filled in: one that is reworded is gone. `inventory_gone.txt` beside it
holds a line, a tab and a sentence of CHANGELOG.md, word for word, for each that is gone. One
sentence may stand for dozens of them ("Errors of a suite name its line first").

Commands and options are read from the command line itself, views from a store that it makes, what
judges, providers and policies take from its answers to a name that nobody knows, keys of suites
from their published schema. The rest is read from the source without importing it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import functools
import io
import json
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
FIGURES = ROOT / "docs" / "figures"
FIRST, GONE, CHANGELOG = (
    FIGURES / "inventory.txt",
    FIGURES / "inventory_gone.txt",
    ROOT / "CHANGELOG.md",
)
SAYS = " | "

WIDGETS = {
    *("button", "checkbox", "color_picker", "date_input", "download_button", "expander"),
    *("link_button", "multiselect", "number_input", "page_link", "pills", "popover", "radio"),
    *("segmented_control", "select_slider", "selectbox", "slider", "tabs", "text_area"),
    *("text_input", "time_input", "toggle"),
}
PLAIN_ERRORS = {"AssertionError", "AttributeError", "RuntimeError", "TypeError", "ValueError"}
"""Those of programs and not of people, except where a configuration is checked."""
TABLES = {"_NO_FILE": "", "REFUSED": "", "no_examples": "{}: num_fewshot is {}; "}
"""Of what errors say, with what is said before it."""


def main() -> int:
    parser = argparse.ArgumentParser(description="What users can type, set, click and read.")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--check", action="store_true", help="what is gone and not accounted for")
    wanted.add_argument("--gone", metavar="SENTENCE", help="it is gone, as the changelog says")
    wanted.add_argument("--add", action="store_true", help="take in what is new")
    options = parser.parse_args()
    if options.add:
        before = {name_of(line): line for line in lines_of(FIRST)}
        new = [line for line in inventory() if name_of(line) not in before]
        put(FIRST, sorted([*before.values(), *new]))
        print(f"{len(new)} lines are new in {FIRST.relative_to(ROOT)}", file=sys.stderr)
    elif options.gone is not None:
        sentence = " ".join(options.gone.split())
        lost = missing(inventory())
        put(GONE, sorted([*lines_of(GONE), *(f"{line}\t{sentence}" for line in lost)]))
        print(f"{len(lost)} lines are gone: {sentence}", file=sys.stderr)
    elif options.check:
        wrong = complaints(inventory())
        print(*wrong, sep="\n", end="\n" if wrong else "")
        return 1 if wrong else 0
    else:
        print(*inventory(), sep="\n")
    return 0


# what is gone -------------------------------------------------------------------------------------


def complaints(today: list[str]) -> list[str]:
    """What is wrong with the inventory of today, each with what to do about it."""
    wrong = []
    if lost := missing(today):
        wrong.append(
            f"{len(lost)} lines of {FIRST.relative_to(ROOT)} are gone. Bring them back, or say so "
            "in CHANGELOG.md and run: python perf/inventory.py --gone 'THE SENTENCE THERE'"
        )
        wrong += [f"  {line}{nearest(line, today)}" for line in lost]
    known = {name_of(line) for line in today}
    said = " ".join(CHANGELOG.read_text(encoding="utf-8").split())
    for entry in lines_of(GONE):
        line, _, sentence = entry.rpartition("\t")
        if name_of(line) in known:
            wrong.append(f"not gone any more, take it out of {GONE.relative_to(ROOT)}: {line}")
        if not sentence.strip() or sentence not in said:
            wrong.append(
                f"CHANGELOG.md does not say {sentence!r}, which is said to tell of: {line}"
            )
    return wrong


def missing(today: list[str]) -> list[str]:
    """The lines of the first release, by name, that are neither here nor said to be gone."""
    known = {name_of(line) for line in today}
    known |= {name_of(entry.rpartition("\t")[0]) for entry in lines_of(GONE)}
    return [name for name in map(name_of, lines_of(FIRST)) if name not in known]


def nearest(line: str, today: list[str]) -> str:
    """A line of today that may be the same thing, reworded."""
    kind = line.partition("\t")[0]
    like = [name for name in map(name_of, today) if name.partition("\t")[0] == kind]
    found = difflib.get_close_matches(line, like, n=1, cutoff=0.75)
    return f"\n      reworded? {found[0].partition(chr(9))[2]}" if found else ""


def name_of(line: str) -> str:
    return line.partition(SAYS)[0]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def put(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


# what there is ------------------------------------------------------------------------------------


def inventory() -> list[str]:
    """All lines, sorted, each name once."""
    found: dict[str, str] = {}
    for kind, name, says in [
        *commands(),
        *suite_keys(),
        *told(),
        *keys_of_files(),
        *views(),
        *python_names(),
        *page_controls(),
        *error_texts(),
        *refusals(),
        *files(),
    ]:
        named = f"{kind}\t{one_line(name)}"
        found.setdefault(named, f"{named}{SAYS}{one_line(says)}" if says else named)
    return sorted(found.values())


Line = tuple[str, str, str]
"""Kind, name, and what it says, which may change."""


def one_line(text: str) -> str:
    return " ".join(text.split()).replace(SAYS, " ¦ ")


def commands() -> Iterator[Line]:
    """Commands, their arguments and options, and the choices of these."""
    from judgebench.cli.main import app

    yield from options_of(app, "judgebench")


def options_of(command: Any, called: str) -> Iterator[Line]:
    import click

    yield "command", called, first_line(command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            name = " ".join((*parameter.opts, *parameter.secondary_opts))
            yield "option", f"{called} {name}", first_line(parameter.help or "")
        else:
            name = parameter.human_readable_name
            yield "argument", f"{called} {name}", ""
        if isinstance(parameter.type, click.Choice):
            for choice in parameter.type.choices:
                yield "choice", f"{called} {name} {choice}", ""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, name
            yield from options_of(inner, f"{called} {name}")


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def suite_keys() -> Iterator[Line]:
    """Every key that a suite may hold, by its path, with the values that are a closed list."""
    schema = json.loads((ROOT / "docs" / "suite.schema.json").read_text(encoding="utf-8"))
    yield from keys_of(schema, schema["$defs"], "")


def keys_of(part: dict[str, Any], known: dict[str, Any], at: str) -> Iterator[Line]:
    for one in (part, *part.get("anyOf", []), *part.get("oneOf", [])):
        if "$ref" in one:
            yield from keys_of(known[one["$ref"].rpartition("/")[2]], known, at)
        if isinstance(one.get("items"), dict):
            yield from keys_of(one["items"], known, f"{at}[]")
        for value in (*one.get("enum", []), *([one["const"]] if "const" in one else [])):
            yield "suite value", f"{at}: {value}", ""
        for key, inner in one.get("properties", {}).items():
            path = f"{at}.{key}" if at else key
            yield "suite key", path, inner.get("description", "")
            yield from keys_of(inner, known, path)


def told() -> Iterator[Line]:
    """Ways of judging with their options, providers, and keys of a policy, as errors list them."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in known_in(folder, kind="?"):
            yield "way of judging", kind, ""
            asked = {} if kind in LEXICAL else {"provider": "scripted", "model": "m"}
            for option in known_in(folder, kind=kind, options={"?": 1}, **asked):
                yield "option of a judge", f"{kind}.{option}", ""
        for provider in known_in(folder, kind="reference", provider="?", model="m"):
            yield "provider", provider, ""
        for key in known_to_policy(folder, {"?": 1}):
            yield "policy key", key, ""
        test = {"benchmark": "trivia_judging_mini", "?": 1}
        for key in known_to_policy(folder, {"tests": [test]}):
            yield "policy key", f"tests[].{key}", ""


LEXICAL = ("contains", "exact_match")


def known_in(folder: str, **judge: Any) -> list[str]:
    """What a plan says is known, where a judge of the suite has "?" for a name."""
    answers = "tasks/trivia_judging_mini/answers.jsonl"
    suite = {
        "name": "inventory",
        "models": [{"name": "model-weak", "responses": str(ROOT / answers)}],
        "judges": [{"name": "j", **judge}],
        "benchmarks": [{"name": "trivia_judging_mini", "judges": ["j"]}],
    }
    return known_after(folder, suite, lambda file: ["plan", file])


def known_to_policy(folder: str, policy: dict[str, Any]) -> list[str]:
    who = ["--baseline", "a", "--candidate", "b"]
    return known_after(folder, policy, lambda file: ["gate", *who, "--policy", file])


def known_after(folder: str, content: Any, words: Callable[[str], list[str]]) -> list[str]:
    file = Path(folder) / "written.yaml"
    file.write_text(json.dumps(content), encoding="utf-8")  # which is YAML, too
    code, said = typed(*words(str(file)), "--store", f"sqlite:///{folder}/none.db")
    found = re.search(r"Known: (.*)", said)
    assert code and found, f"this was to name what is known: {said}"
    return found[1].split(", ")


def typed(*words: str) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    from judgebench.cli.main import run

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        return run(list(words)), said.getvalue()


def keys_of_files() -> Iterator[Line]:
    """Keys of all that is read from a file and checked, by the base class of their sections.

    Names alone: of which section is in the published schema, or told by `told`.
    """
    trees = [tree for _, tree in sources("judgebench")]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    sections, known = {"Section"}, 0
    while len(sections) > known:  # a section may extend another one
        known = len(sections)
        sections |= {one.name for one in classes if sections & set(map(name_called, one.bases))}
    for node in classes:
        if node.name in sections:
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield "key of a file", field.target.id, ""


def views() -> Iterator[Line]:
    """Views of a new store and their columns, which people query from outside."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        labels = ROOT / "tasks" / "trivia_judging_mini" / "labels.jsonl"
        code, said = typed("import", "labels", str(labels), "--store", f"sqlite:///{path}")
        assert code == 0, said
        with closing(sqlite3.connect(path)) as store:
            named = store.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
            for (view,) in named:
                yield "view", view, ""
                for _, column, *_ in store.execute(f"PRAGMA table_info({view})").fetchall():
                    yield "view", f"{view}.{column}", ""


def python_names() -> Iterator[Line]:
    import judgebench

    for name in judgebench.__all__:
        yield "python", f"judgebench.{name}", ""


def page_controls() -> Iterator[Line]:
    """Labels of widgets, page by page; of those that a page takes from a helper, too."""
    parsed = list(sources("dashboards"))
    labelled = set(WIDGETS)
    while more := set(wrappers(parsed, labelled)) - labelled:
        labelled |= more
    for path, tree in parsed:
        page = path.stem if path.parent.name in {"views", "pages"} else "every page"
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_called(node.func) in labelled:
                label = next((text_of(arg) for arg in first_argument(node)), "")
                if re.search(r"\w", label.replace("{}", "")) and not label.endswith(".py"):
                    yield "control", f"{page}: {label}", ""
            if isinstance(node, ast.Call) and name_called(node.func) in {"title", "Page", "show"}:
                for word in (*node.args, *(word.value for word in node.keywords)):
                    if (title := text_of(word))[:1].isupper():
                        yield "page", title, ""


def wrappers(parsed: list[tuple[Path, ast.Module]], labelled: set[str]) -> Iterator[str]:
    """Functions that hand their first parameter to a widget as its label."""
    for _, tree in parsed:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.args.args:
                own = node.args.args[0].arg
                for call in ast.walk(node):
                    if isinstance(call, ast.Call) and name_called(call.func) in labelled:
                        for label in first_argument(call):
                            if isinstance(label, ast.Name) and label.id == own:
                                yield node.name


def first_argument(call: ast.Call) -> list[ast.expr]:
    named = [word.value for word in call.keywords if word.arg == "label"]
    return [*call.args[:1], *named]


REFUSING = {"one_of": "no {} called {{}}; did you mean {{}}?", "read_yaml": "{{}}: {}"}
"""Functions that raise what their second argument says."""


def error_texts() -> Iterator[Line]:
    """What raise statements say to people, with {} for what is filled in, and tables of errors."""
    for folder in ("judgebench", "dashboards", "tasks"):
        for _, tree in sources(folder):
            nodes = [*ast.walk(tree)]
            checked = {
                inner
                for node in nodes
                if isinstance(node, ast.ClassDef)
                and {"Section", "Ruled", "Endpoint"} & set(map(name_called, node.bases))
                for inner in ast.walk(node)
            }
            for node in nodes:
                texts: list[str] = []
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    if name_called(node.exc.func) in PLAIN_ERRORS and node not in checked:
                        continue
                    said = (*node.exc.args, *(word.value for word in node.exc.keywords))
                    texts = [text_of(argument) for argument in said]
                elif (
                    isinstance(node, ast.Call)
                    and name_called(node.func) in REFUSING
                    and node.args[1:]
                ):
                    form = REFUSING[name_called(node.func)]
                    texts = [form.format(text_of(one)) for one in node.args[1:2]]
                elif isinstance(node, ast.Call) and name_called(node.func) == "refuse":
                    texts = [*map(text_of, getattr(node.args[-1], "keys", ()))]
                elif isinstance(node, ast.FunctionDef) and node.name == "_faults":  # of a section
                    tables = (one for one in ast.walk(node) if isinstance(one, ast.Dict))
                    texts = [text_of(key) for one in tables for key in one.keys if key is not None]
                elif isinstance(node, ast.Call) and name_called(node.func) == "refuse_unknown":
                    about = "".join(text_of(w.value) for w in node.keywords if w.arg == "about")
                    sentence = f"no {text_of(node.args[0])} called {{}}; did you mean {{}}?"
                    texts = [f"{about}{{}}" if about else sentence]
                elif (before := TABLES.get(table_of(node))) is not None:
                    strings: list[ast.expr] = [
                        one for one in ast.walk(node) if isinstance(one, ast.JoinedStr)
                    ]
                    parts = {id(part) for one in strings for part in ast.walk(one)}
                    strings += [
                        one
                        for one in ast.walk(node)
                        if isinstance(one, ast.Constant) and id(one) not in parts
                    ]
                    texts = [before + re.sub(r"\{[^{}]*\}", "{}", text_of(one)) for one in strings]
                for text in map(one_line, texts):
                    if len(re.findall(r"[^\W\d_]{2,}", text.replace("{}", ""))) > 1:
                        yield "error", text, ""


def table_of(node: ast.AST) -> str:
    """The name that is given to something; empty where none is."""
    if isinstance(node, ast.Assign):
        return name_called(node.targets[0])
    return name_called(node.target) if isinstance(node, ast.AnnAssign) else ""


def refusals() -> Iterator[Line]:
    """What kinds of judges refuse: a function that is given a `Setup` has a table of its faults."""
    trees = [tree for _, tree in sources("judgebench/judges")]
    kinds: dict[str, list[str]] = {}
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if name_called(call.func) == "Kind":
            said = {word.arg: word.value for word in call.keywords}
            kinds.setdefault(name_called(said["options"]), []).append(text_of(said["name"]))
    for tree in trees:
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            given = [one.annotation for one in function.args.args if one.arg == "setup"]
            for kind in (
                kinds.get(name_called(getattr(given[0], "slice", None)), ()) if given else ()
            ):
                for one in ast.walk(function):
                    if isinstance(one, ast.Call) and name_called(one.func) == "refuse":
                        for text in map(text_of, getattr(one.args[-1], "keys", ())):
                            yield "error", one_line(f"judge {kind}: {text}"), ""


def files() -> Iterator[Line]:
    """Figures, and the benchmarks that come along."""
    for path in sorted(FIGURES.iterdir()):
        if path not in {FIRST, GONE}:
            yield "figure", path.relative_to(ROOT).as_posix(), ""
    for path in sorted((ROOT / "tasks").glob("*/benchmark.toml")):
        yield "benchmark", path.parent.name, ""


def sources(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path, tree_of(path.read_text(encoding="utf-8"))


tree_of = functools.cache(ast.parse)
"""Several kinds of lines are found in the same files."""


def name_called(function: ast.expr | None) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def text_of(node: ast.expr) -> str:
    """The words of an expression that makes a text, with {} for all else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(text_of, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left) + text_of(right)
        case ast.Call(func=ast.Attribute(attr="format", value=value)):
            return re.sub(r"\{[^{}]*\}", "{}", text_of(value))
        case ast.Call(func=ast.Name(id="unknown_name"), args=[what, *_]):
            return f"no {text_of(what)} called {{}}; did you mean {{}}?"
        case ast.IfExp(body=body, orelse=other):
            return f"{text_of(body)} / {text_of(other)}"
        case _:
            return "{}"


if __name__ == "__main__":
    sys.exit(main())
