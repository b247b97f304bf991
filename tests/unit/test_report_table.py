"""One document in its forms; what comes from models stays text in all of them."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from markdown_it import MarkdownIt

from judgebench.cli.options import FORMATS
from judgebench.errors import UsageError
from judgebench.plain_text import printable
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.render import FORMS, SUFFIXES, render, write
from tests.table import over_rows
from tests.unit.reports import HOSTILE as HOSTILE_NAMES
from tests.unit.reports import TEXTS, table

HOSTILE = "[red]x[/red] \x1b[31m|a| `b` <b>_c_ *d*\nnext \u202eright"


def document(name: str = "model", notes: tuple[str, ...] = ()) -> Document:
    return Document(
        tables=[
            Table(
                title="title",
                columns=[
                    Column(title="model", wraps=True),
                    Column(title="accuracy", align="right"),
                    Column(title="n", align="right"),
                    Column(title="extra one", spare=True),
                    Column(title="extra two", spare=True),
                ],
                rows=[[name, "0.625 [0.483, 0.750]", "48", "something", "something"]],
                notes=notes,
            )
        ],
        records=[{"model": name, "value": 0.625}, {"model": "other", "low": None}],
        data={"rows": [{"model": name, "value": None}]},
    )


def test_a_pipe_gets_plain_lines_that_are_not_wrapped() -> None:
    text = render(document("a" * 300), "table")
    assert "\x1b" not in text
    (line,) = [line for line in text.splitlines() if "0.625" in line]
    assert "a" * 300 in line
    assert all(line == line.rstrip() for line in text.splitlines())


@over_rows("width", [80, 60, 45])
def test_a_narrow_terminal_leaves_out_what_can_be_spared(width: int) -> None:
    text = render(document("a-model-with-a-name-of-thirty-c"), "table", width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "0.625 [0.483, 0.750]" in text
    assert "48" in text
    left_out = [line for line in lines if line.startswith("not shown")]
    assert (
        left_out
        == {
            80: [],
            60: ["not shown, for width: extra one, extra two"],
            45: ["not shown, for width: extra two"],  # the name stands above, and makes room
        }[width]
    )


@given(TEXTS, TEXTS)
@example("wide\u3000", "narrow\xa0")
def test_a_pipe_gets_what_a_terminal_without_end_does(name: str, bold: str) -> None:
    columns = [
        Column(title=name, wraps=True),
        Column(title="n", align="right", group=bold),
        Column(title="長い", align="right", spare=True),
    ]
    rows = [[bold, name, "0.5"], ["a", estimates.Marked(bold, name, bold=True), " b  "]]
    tables = [
        Table(
            title=name, subtitle=bold, columns=columns, rows=its, notes=[bold], sections={1: name}
        )
        for its in (rows, [])
    ]
    shown = Document(tables=tables, records=[], data=None)
    assert render(shown, "table") == render(shown, "table", width=10_000)


def of_names() -> Document:
    """Three names and seven figures in a row, as `judgebench compare` has them."""
    figures = ["37.5", "75.0", "-37.5 [-100.0, 100.0]", "0.500", "12", "345", "4,567"]
    titles = ["first", "second", "difference", "p adjusted", "better", "worse", "items"]
    made = Table(
        title="one against another",
        columns=[
            Column(title="decision"),
            *(Column(title=name, wraps=True) for name in ("benchmark", "judge", "metric")),
            *(Column(title=t, align="right", spare=t == "items") for t in titles),
        ],
        rows=[
            ["undecided", "arena_hard_mini@1", "arena-judge", "win_rate against b", *figures],
            ["better", "mt_bench_mini@1", "a judge", "score", *figures],
        ],
    )
    return Document(tables=[made], records=[], data={})


@over_rows("width", [160, 120, 100, 80, 66, 50, 30])
def test_what_is_too_narrow_for_names_has_them_above_each_row(width: int) -> None:
    text = render(of_names(), "table", width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    every = " ".join(text.split())
    for one in ("undecided", "better", "arena_hard_mini@1", "arena-judge", "mt_bench_mini@1"):
        assert one in every  # and not broken
    for one in ("37.5", "75.0", "-37.5 [-100.0, 100.0]", "0.500", "12", "345"):
        assert every.count(one) >= 2  # of each row
    assert ("4,567" in every) == ("not shown, for width: items" not in every)
    above = "arena_hard_mini@1 · arena-judge · win_rate against b" in every
    assert above == (width <= 120)
    in_words = "first 37.5, second 75.0, difference -37.5 [-100.0, 100.0]" in every
    assert in_words == (width <= 66)
    if width in (80, 100):
        head, values = (next(line for line in lines if said in line) for said in ("worse", "345"))
        assert head.index("worse") + 5 == values.index("345") + 3  # right below its title


def test_a_row_of_names_alone_has_no_empty_line_below() -> None:
    (made,) = of_names().tables
    heads = replace(made, rows=[["", "Group one", *[""] * 9], *made.rows])
    for width in (80, 50):
        text = render(Document(tables=[heads], records=[], data={}), "table", width=width)
        lines = text.splitlines()
        assert lines[lines.index("Group one") + 1].startswith("arena_hard_mini@1")


def test_titles_go_on_several_lines_before_columns_are_left_out() -> None:
    made = Table(
        title="t",
        columns=[Column(title="model", wraps=True), Column(title="a title of several words"),
                 Column(title="n", align="right", spare=True)],
        rows=[["one", "0.5", "48"]],
    )  # fmt: skip
    wide, narrow = (
        render(Document(tables=[made], records=[], data={}), "table", width=w) for w in (80, 24)
    )
    assert "model   a title of several words    n" in wide
    assert [line.split() for line in narrow.splitlines()[1:6]] == [
        ["a", "title"], ["of"], ["several"], ["model", "words", "n"], ["─" * 20]
    ]  # fmt: skip
    assert "48" in narrow


def test_names_are_text_in_a_table() -> None:
    text = render(document(HOSTILE, notes=(HOSTILE,)), "table", width=200, colour=True)
    assert "[red]x[/red] \ufffd[31m|a| `b` <b>_c_ *d*\ufffdnext \ufffdright" in text
    assert "\x1b[31m" not in text


@over_rows("width", [None, 60])
def test_names_are_text_at_the_head_of_a_column(width: int | None) -> None:
    made = Table(title="several", columns=[Column(title=HOSTILE, spare=True)], rows=[["x" * 90]])
    text = render(Document(tables=[made], records=[], data={}), "table", width=width)
    assert printable(HOSTILE) in text.replace("\n", " ")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_names_are_text_in_markdown() -> None:
    text = render(document(HOSTILE), "md")
    assert r"\[red\]x\[/red\] �\[31m\|a\| \`b\` \<b\>\_c\_ \*d\*�next �right" in text
    assert render(document("exact_match"), "md").count("exact_match") == 1  # as it is read raw


def reads_as_text(name: str) -> None:
    """A reader of Markdown finds the name letter by letter, and nothing that it made."""
    made = table(name, title=name, subtitle=name, note=name)
    text = render(Document(tables=[made], records=[], data={}), "md")
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    lines = [token for token in tokens if token.type == "inline"]
    assert {part.type for line in lines for part in line.children or ()} <= {"text", "text_special"}
    # Blanks at the ends are not shown, and a line of nothing else is no line.
    said = ["".join(part.content for part in line.children or ()).strip() for line in lines]
    shown = printable(name).strip()
    numbers = ["model", "kappa", "told as", shown, "0.500 [0.250, 0.750]", shown, "other", "–"]
    assert [one for one in said if one] == [one for one in (shown, shown, *numbers, shown) if one]
    kinds = {token.tag for token in tokens if token.nesting == 1}
    assert kinds <= {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert [token.tag for token in tokens].count("ul") <= 2


@over_rows("name", [*HOSTILE_NAMES, "- x", "1. x", "---", "    x", "+ 1", "12)"])
def test_a_reader_of_markdown_finds_names_letter_by_letter(name: str) -> None:
    reads_as_text(name)


@given(TEXTS)
def test_a_reader_of_markdown_finds_any_text(name: str) -> None:
    reads_as_text(name)


def test_an_address_in_markdown_is_no_link() -> None:
    text = render(document("https://127.0.0.1/x www.example.org"), "md")
    assert r"https\://127.0.0.1/x www\.example.org" in text


def test_csv_is_tidy_and_json_is_the_contract() -> None:
    rows = list(csv.DictReader(io.StringIO(render(document(HOSTILE), "csv"))))
    shown = HOSTILE.replace("\x1b", "�").replace("\n", "�")  # a cell is one line of no control
    assert rows == [
        {"model": shown, "value": "0.625", "low": ""},
        {"model": "other", "value": "", "low": ""},
    ]
    assert json.loads(render(document(HOSTILE), "json")) == {
        "rows": [{"model": HOSTILE, "value": None}]
    }


@over_rows(
    "text",
    [
        "=1+1", "=HYPERLINK(\"http://x\")", "+1+cmd|' /C calc'!A0", "-1-1", "@SUM(A1)",
        "\t=1", "\r=1", "\n=1", " =1", "＝1+1", "＠x", "-", "+-1", "-1e5x", "=1;=2", "-−1",
    ],
)  # fmt: skip
def test_a_spreadsheet_carries_out_no_text_of_a_report(text: str) -> None:
    records = [{"model": text, text: "a"}, {"model": f"x{text}", text: text}]
    kept = Document(tables=[], records=records, data=None)
    rows = list(csv.reader(io.StringIO(render(kept, "csv"))))
    cells = [cell for row in rows for cell in row]
    assert len(cells) == 6
    for cell in cells:
        assert cell.lstrip()[0] not in "=+-@＝＋－＠\t\r\n"
        assert not any(unicodedata.category(letter) == "Cc" for letter in cell)
    shown = "".join("�" if unicodedata.category(c) == "Cc" else c for c in text)
    assert rows[1][0].lstrip("'") == shown  # nothing is lost of it
    # A file of another program's has every text as it is.
    others = Document(tables=[], records=records, data=None, exchanged=True)
    as_is = render(others, "csv")
    assert text in as_is.replace('""', '"')


def test_numbers_in_csv_stay_numbers() -> None:
    values = (-0.5, 3, -1e-07, "-0.5", "+3", "-1.5e-3", ".5", "-", None, True, "1 - 3", "nan")
    text = render(Document(tables=[], records=[{"value": v} for v in values], data=None), "csv")
    assert text.splitlines()[1:] == [
        "-0.5", "3", "-1e-07", "-0.5", "+3", "-1.5e-3", ".5", "'-", '""', "True", "1 - 3", "nan",
    ]  # fmt: skip


def test_nan_never_gets_into_json() -> None:
    nan = Document(tables=[], records=[], data={"value": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(nan, "json")


def test_unknown_formats_name_the_known() -> None:
    with pytest.raises(UsageError, match=r"no format called 'xml'\. Known: csv, html, json, latex"):
        render(document(), "xml")
    with pytest.raises(UsageError, match=r"board\.xml: the suffix says the format; known are"):
        write(document(), Path("board.xml"))


def test_every_form_is_offered_and_has_a_suffix() -> None:
    assert tuple(FORMS) == FORMATS == tuple(SUFFIXES.values())


def test_files_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    for suffix, form in (SUFFIXES | {".JSON": "json"}).items():
        path = tmp_path / "new" / f"board{suffix}"
        write(document(), path)
        assert path.read_text(encoding="utf-8") == render(document(), form)
    assert len(list((tmp_path / "new").iterdir())) == 7
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written: "):
        write(document(), tmp_path / "file" / "board.md")


@over_rows(
    ("text", "shown"),
    [("plain", "plain"), ("日本 é", "日本 é"), ("a\tb", "a\ufffdb"), ("\ud800", "\ufffd")],
)
def test_what_does_something_to_a_terminal_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


def estimate(value: float, low: float = 0.25, high: float = 0.75, **more: object) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=4, units=4, **more)  # type: ignore[arg-type]


def test_estimates_as_text() -> None:
    assert estimates.text(estimate(0.5)) == "0.500 [0.250, 0.750]"
    assert estimates.text(estimate(0.5, low=float("nan"))) == "0.500"
    assert estimates.text(estimate(float("nan"))) == "–"


def test_estimates_as_json_have_the_fields_of_the_contract() -> None:
    found = estimates.to_json(estimate(0.5, worst_low=0.25, worst_high=float("inf")))
    assert found == {
        "value": 0.5, "low": 0.25, "high": 0.75, "level": 0.95, "n": 4, "units": 4, "missing": 0,
        "worst_low": 0.25, "worst_high": None, "method": "",
    }  # fmt: skip
    nan = float("nan")
    undefined = estimates.to_json(estimate(nan, nan, nan, undefined="no positives"))
    assert undefined["value"] is undefined["low"] is undefined["high"] is None
    assert undefined["undefined"] == "no positives"
