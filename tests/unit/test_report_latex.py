"""LaTeX: whole, made of known commands alone, and what others wrote reads letter by letter."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from judgebench.plain_text import printable
from judgebench.reports.document import Column, Table
from judgebench.reports.render import render
from tests.table import over_rows
from tests.unit.reports import HOSTILE, TEXTS, document, table

LETTERS = ("通义千问", "модель-β", "– † ‡ ≥ é ß ő", "مثال", "🙂")

#: Commands that text may hold, and what a reader sees of them.
SHOWN = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textasciigrave{}": "`",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\texttt{\char34}": '"',
    r"\ensuremath{\ge}": "≥",
    r"\rule{0.4em}{1.4ex}": "�",
    r"\kern0pt{}": "",
    r"\allowbreak{}": "",
    **{rf"\{character}": character for character in "{}&%$#_ "},
}
TOKEN = re.compile("|".join(map(re.escape, SHOWN)) + r"|[^\\{}&%$#_~^<>|\"`≥�]")
JOINED = re.compile(r"--|''|,,|  |\?`|!`")


def read(text: str) -> str:
    """What a reader sees of text; an error for whatever a compiler would take as a command."""
    said, at = [], 0
    while at < len(text):
        token = TOKEN.match(text, at)
        assert token, f"not text: {text[at:]!r}"
        said.append(SHOWN.get(token[0], token[0]))
        at = token.end()
    assert not JOINED.search(text), "a font makes one letter of these"
    return "".join(said)


def body(name: str) -> list[str]:
    """The lines of a table that says a name wherever it can, without what is about the file."""
    made = table(name, title=name, subtitle=name, note=name)
    lines = render(document(made), "latex").splitlines()
    assert [line[:1] for line in lines[:4]] == ["%", "%", "%", ""]
    assert "%" not in "".join(line[:1] for line in lines[4:])
    return lines[4:]


def says_all(name: str) -> None:
    lines, shown = body(name), printable(name)
    assert lines[0] == r"\begin{table}"
    assert lines[-1] == r"\end{table}"
    assert read(lines[2].removeprefix(r"\caption{").removesuffix("}")) == shown
    begins = r"{\footnotesize\raggedright "
    small = [line for line in lines if line.startswith(begins)]
    assert len(small) == (2 if name else 0)
    for line in small:
        assert read(line.removeprefix(begins).removesuffix(r"\par}")) == shown
    rows = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert rows[1] == r"other & – &  \\"
    first = rows[0].removesuffix(r" \\")
    assert first != rows[0]
    assert not first.startswith(("[", "*"))
    cells = re.split(r" (?<!\\)& ", first.removeprefix("{}"))
    assert [read(cell) for cell in cells] == [shown, "0.500 [0.250, 0.750]", shown]


@over_rows("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    says_all(name)


@given(TEXTS)
def test_any_text_is_text(name: str) -> None:
    says_all(name)


def test_titles_of_columns_are_text() -> None:
    columns = [Column(title=name) for name in HOSTILE]
    made = Table(title="t", columns=columns, rows=[["x"] * len(HOSTILE)])
    lines = render(document(made), "latex").splitlines()
    heads = lines[lines.index(r"\toprule") + 1].removesuffix(r" \\")
    assert list(map(read, re.split(r" (?<!\\)& ", heads))) == list(map(printable, HOSTILE))


@over_rows("name", ["plain", *HOSTILE])
def test_groups_and_environments_are_closed(name: str) -> None:
    open_groups, environments = 0, []
    for token in re.findall(r"\\(?:begin|end)\{\w+\}|\\.|[{}]", "\n".join(body(name))):
        if token.startswith(r"\begin{"):
            environments.append(token.removeprefix(r"\begin"))
        elif token.startswith(r"\end{"):
            assert environments.pop() == token.removeprefix(r"\end")
        else:
            open_groups += {"{": 1, "}": -1}.get(token, 0)
            assert open_groups >= 0
    assert open_groups == 0
    assert not environments


def test_columns_are_shaped_by_what_they_hold() -> None:
    assert r"\begin{tabular}{lrl}" in body("short")
    assert r"\begin{tabular}{>{\raggedright\arraybackslash}p{18em}rl}" in body("a long name " * 9)
    assert rf"{'x' * 24}\allowbreak{{}}{'x' * 24}\allowbreak{{}}xx & " in "\n".join(body("x" * 50))


@over_rows("tables", [(), (Table(title="t", columns=[], rows=[], notes=["none"]),)])
def test_without_rows_there_is_no_tabular(tables: tuple[Table, ...]) -> None:
    text = render(document(*tables), "latex")
    assert "tabular" not in text
    assert text.count(r"\begin{table}") == len(tables)


def test_a_long_word_is_broken_behind_what_joins_its_parts() -> None:
    name = "a-long_name-of-a-model/with-a-revision-0123456789abcdef0123456789abcdef"
    (cell,) = (line for line in body(name) if line.endswith(r"\\") and line.startswith("a-"))
    pieces = cell.partition(" & ")[0].split(r"\allowbreak{}")
    assert pieces == [
        "a-", r"long\_", "name-", "of-", "a-", "model/", "with-", "a-", "revision-",
        "0123456789abcdef01234567", "89abcdef",
    ]  # fmt: skip


def test_a_document_names_its_letters_and_has_no_floats() -> None:
    made = document(table("é 中", note="中"))
    made.standalone = True
    text = render(made, "latex")
    before, _, after = text.partition("\\begin{document}\n")
    assert re.findall(r"(?m)^\\letter\{.*", before) == [
        r"\letter{00E9}{é}", r"\letter{2013}{–}", r"\letter{4E2D}{中}"
    ]  # fmt: skip
    assert r"\begin{table}" not in after
    assert r"\captionof{table}" in after
    made.standalone = False
    assert r"\letter" not in render(made, "latex")


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["pdflatex", "lualatex", "xelatex"])
def test_a_compiler_takes_it(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on PATH")
    tables = [table(name, title=name, subtitle=name, note=name) for name in (*HOSTILE, *LETTERS)]
    made = document(*tables)
    made.standalone = True
    text = render(made, "latex")
    (tmp_path / "alone.tex").write_text(text, encoding="utf-8")
    # Taken in with \input only Latin letters are for pdfLaTeX.
    plain = document(*(table(name, title=name) for name in HOSTILE if name.isascii()))
    (tmp_path / "tables.tex").write_text(render(plain, "latex"), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\n\\usepackage{array,booktabs,graphicx}\n"
        "\\begin{document}\n\\input{tables}\n\\end{document}\n"
    )
    for name in ("alone", "paper"):
        done = subprocess.run(
            [compiler, "-no-shell-escape", "-halt-on-error", f"{name}.tex"],
            capture_output=True, cwd=tmp_path, stdin=subprocess.DEVNULL, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        log = (tmp_path / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        assert "Missing character" not in log  # a letter that is not shown, without an error
