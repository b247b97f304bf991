"""The page: whole, closed to the outside, and what others wrote stays text on it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from hypothesis import given

from judgebench.plain_text import printable
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Figure
from judgebench.reports.render import render
from judgebench.reports.render.html import WIDTHS
from tests.table import over_rows
from tests.unit.reports import HOSTILE, TEXTS, document, table

EMPTY = {"meta", "line", "circle"}
TAGS = EMPTY | {
    *("html", "head", "title", "style", "body", "main", "section", "h1", "h2", "p", "div"),
    *("table", "thead", "tbody", "tr", "th", "td", "ul", "li", "svg", "small", "span"),
}
CLASSES = {"one", "many", "end", "warning"} | {f"from{width}" for width in WIDTHS}


class Page(HTMLParser):
    """Reads a page, and complains of what is not well-formed or not expected."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.found: dict[str, list[dict[str, str | None]]] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert len(dict(attrs)) == len(attrs)
        for name, value in attrs:
            assert name not in {"href", "src", "style"}
            assert not name.startswith("on")
            assert name != "class" or set((value or "").split()) <= CLASSES
        self.found.setdefault(tag, []).append(dict(attrs))
        if tag not in EMPTY:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMPTY
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def page(*tables: Table) -> Page:
    return Page(render(document(*tables), "html"))


def says_all(name: str) -> None:
    text = render(document(table(name, title=name, subtitle=name, note=name)), "html")
    found, shown = Page(text), printable(name)
    assert found.texts["td"] == [shown, "0.500 [0.250, 0.750]", shown, "other", "–", ""]
    assert found.texts["h2"] == [shown]
    assert found.texts["title"] == [f"{shown} · judgebench"]
    assert found.texts.get("p", [""]) == [shown]
    assert found.texts.get("li", [""]) == [shown]
    assert not re.search(r"[\0-\x09\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)


@over_rows("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    says_all(name)


@given(TEXTS)
def test_any_text_is_text(name: str) -> None:
    says_all(name)


def test_titles_of_columns_are_text() -> None:
    columns = [Column(title=name) for name in HOSTILE]
    found = page(Table(title="t", columns=columns, rows=[["x"] * len(HOSTILE)]))
    assert found.texts["th"] == [printable(name) for name in HOSTILE]
    assert [cell["data-is"] for cell in found.found["td"]] == found.texts["th"]


def test_a_table_is_one_where_the_window_has_room_for_it() -> None:
    """Else it is lines; what is asked for is no more than there is."""

    def room(*cells: str) -> int:
        columns = [Column(title="of it") for _ in cells]
        found = page(Table(title="t", columns=columns, rows=[list(cells)]))
        return int(str(found.found["table"][0]["class"]).removeprefix("from"))

    assert room("short") == WIDTHS[0]
    rooms = [room(*["a name of some length"] * n) for n in range(1, 20)]
    assert rooms == sorted(rooms)
    assert set(rooms) == set(WIDTHS)


def test_nothing_may_be_fetched_or_run() -> None:
    found = page(table("m"))
    (policy,) = [
        str(meta["content"])
        for meta in found.found["meta"]
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    (style,) = found.texts["style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_numbers_stand_at_the_right_and_warnings_stand_out() -> None:
    found = page(table("m", note="warning: few"), table("m", note="a note"))
    assert [cell["class"] for cell in found.found["td"][:3]] == ["many", "one end", "one"]
    assert [note.get("class") for note in found.found["li"]] == ["warning", None]


def figure(low: float, value: float, high: float) -> Figure:
    return Figure("f", low=low, value=value, high=high)


def test_intervals_of_one_title_have_one_axis_in_all_tables() -> None:
    def of(title: str, *cells: str) -> Table:
        return Table(title="t", columns=[Column(title=title)], rows=[[cell] for cell in cells])

    found = page(
        of("kappa", figure(-0.5, 0.0, 0.5), "–"),
        of("kappa", figure(0.0, 0.25, 0.5)),
        of("other", figure(0.5, 0.5, 0.5)),
        of("told", "0.5"),
    )
    assert [(bar["x1"], bar["x2"]) for bar in found.found["line"]] == [
        ("4.0", "92.0"), ("48.0", "92.0"), ("48.0", "48.0"),
    ]  # fmt: skip
    assert [point["cx"] for point in found.found["circle"]] == ["48.0", "70.0", "48.0"]
    assert found.texts["span"] == ["-0.5", "0.5", "-0.5", "0.5", "0.5"]
    assert len(found.found["svg"]) == 4  # a cell without an interval keeps the place


def test_an_estimate_with_an_interval_is_drawn() -> None:
    nan = float("nan")
    drawn = estimates.text(Estimate(value=0.5, low=0.25, high=0.75, n=4, units=4))
    assert isinstance(drawn, Figure)
    assert (drawn, drawn.low, drawn.value, drawn.high) == ("0.500 [0.250, 0.750]", 0.25, 0.5, 0.75)
    for value, low in ((nan, 0.25), (0.5, nan)):
        text = estimates.text(Estimate(value=value, low=low, high=0.75, n=4, units=4))
        assert not isinstance(text, Figure)


@over_rows("tables", [(), (Table(title="t", columns=[], rows=[], notes=["none"]),)])
def test_a_page_without_rows_is_a_page(tables: tuple[Table, ...]) -> None:
    found = page(*tables)
    assert "table" not in found.found
    assert found.texts.get("li", []) == [note for one in tables for note in one.notes]


def test_the_same_document_is_the_same_page() -> None:
    def made() -> Document:
        return document(*(table(name, note=name) for name in HOSTILE))

    assert render(made(), "html") == render(made(), "html")
