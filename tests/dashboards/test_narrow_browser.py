"""Every page in windows of 800 and 1,280 pixels: no value vanishes, overlaps or is cut.

One browser and one server for all of them; what is measured are the boxes of what is written, in
the page and in its drawings, and the columns of tables as their canvas was told to draw them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import narrow_store
from tests.dashboards.test_browser import (  # noqa: F401  # the server is a fixture
    address,
    go,
    open_at,
    pytestmark,
    settled,
)

WIDTHS = (800, 1280)
MANY = f"benchmark={narrow_store.MANY}"
COMPARE = f"compare?first={narrow_store.MODELS[0]}&second={narrow_store.MODELS[1]}"
PAGES = ("", f"leaderboard?{MANY}", COMPARE, "items?q=capital", "agreement", "honesty",
         "nights", "training", "label?rater=anna", "runs")  # fmt: skip

WRITTEN = r"""() => {
    const main = document.querySelector("[data-testid=stMain]"), found = [];
    const own = one => [...one.childNodes].some(part => part.nodeType === 3 && part.data.trim());
    const span = one => {
        const all = document.createRange();
        all.selectNodeContents(one);
        return all.getBoundingClientRect();
    };
    const apart = "svg, [data-testid=stDataFrame], script, style, template, [aria-hidden=true] *"
        + ", [data-testid=stIconMaterial], [data-testid=stSkipToContent]";
    for (const one of document.querySelectorAll(
        "[data-testid=stMain] *, [data-testid=stSidebar] *"
    )) {
        const box = one.getBoundingClientRect(), typed = one.matches("input, textarea");
        const said = typed ? one.value || one.placeholder : own(one) ? one.textContent.trim() : "";
        if (!said || one.matches(apart) || one.closest(apart) || box.width < 2) continue;
        if (typed && one.scrollWidth > one.clientWidth + 1) found.push(["cut", said]);
        const text = typed ? box : span(one);
        if (text.right > innerWidth + 1 || text.left < -1) found.push(["beside the window", said]);
        for (let up = one; up !== document.body; up = up.parentElement) {
            const edge = up.getBoundingClientRect();
            if (getComputedStyle(up).overflowX === "visible" || edge.width < 2) continue;
            if (text.right > edge.right + 1.5) { found.push(["cut", said]); break; }
            if (up === main) break;
        }
    }
    for (const svg of document.querySelectorAll("[data-testid=stVegaLiteChart] svg.marks")) {
        const edge = svg.getBoundingClientRect(), texts = [];
        for (const one of svg.querySelectorAll("text")) {
            const box = one.getBoundingClientRect(), said = one.textContent.trim();
            if (!said || one.closest("[opacity='0']") || one.getAttribute("opacity") === "0")
                continue;
            if (box.left < edge.left - 3 || box.right > Math.min(edge.right, innerWidth) + 3
                || box.top < edge.top - 4 || box.bottom > edge.bottom + 4)
                found.push(["drawn outside", said]);
            if (one.getAttribute("transform")?.includes("rotate")) continue;
            for (const [other, its] of texts) {
                const x = Math.min(box.right, its.right) - Math.max(box.left, its.left);
                const y = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
                if (x > 2 && y > 5) found.push(["over each other", said, other]);
            }
            texts.push([said, box]);
        }
    }
    return found;
}"""
"""What is written outside of its box, or over something else."""

WATCHED = """(() => {
    const {fillText, rect} = CanvasRenderingContext2D.prototype;
    window.cells = new Map();
    CanvasRenderingContext2D.prototype.rect = function (x, y, width, height) {
        this.column = [x, x + width];
        return rect.call(this, x, y, width, height);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
        if (this.column) {
            const wide = this.measureText(text).width;
            const left = {right: x - wide, center: x - wide / 2}[this.textAlign] ?? x;
            if (!window.cells.has(this.canvas)) window.cells.set(this.canvas, []);
            window.cells.get(this.canvas).push([text, left, left + wide, ...this.column]);
        }
        return fillText.call(this, text, x, y, ...more);
    };
})()"""
"""A table is drawn on a canvas, each cell within the rectangle of its column."""

FIRST = 3
"""Columns of a table that are shown whole."""

CELLS = f"""() => [...window.cells.values()].map(cells => {{
    const starts = [...new Set(cells.map(cell => cell[3]))].sort((a, b) => a - b);
    const last = starts[Math.min({FIRST}, starts.length) - 1];
    return cells.filter(cell => cell[3] <= last);
}})"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("narrow") / "s.db"
    narrow_store.fill(path)
    return path


@pytest.fixture(scope="module")
def tab(browser: Any, address: str) -> Iterator[Any]:  # noqa: F811  # the fixture
    """A tab for all pages, in which the app is loaded."""
    page = browser.new_page()
    page.add_init_script(WATCHED)
    page.goto(address)
    page.get_by_role("heading", name="Overview").wait_for(timeout=60_000)
    yield page
    page.close()


@pytest.mark.parametrize("link", PAGES)
def test_no_value_vanishes_overlaps_or_is_cut(tab: Any, link: str) -> None:
    from playwright.sync_api import TimeoutError as NothingCame

    title = (link.partition("?")[0] or "overview").capitalize()
    tab.set_viewport_size({"width": WIDTHS[0] + 20, "height": 1000})
    open_at(tab, f"/{link}")
    tab.get_by_role("heading", name=title, exact=True).wait_for(timeout=60_000)
    settled(tab)
    for width in WIDTHS:
        resized(tab, width)
        with suppress(NothingCame):  # drawings come after what is around them
            tab.wait_for_function(f"({WRITTEN})().length === 0", timeout=10_000, polling=250)
        assert tab.evaluate(WRITTEN) == [], width
        assert len(tab.evaluate(CELLS)) >= tab.locator("[data-testid=stDataFrame]").count()
        for _ in range(2):  # where a table was drawn before it knew its new width
            if cut(tab):
                tab.set_viewport_size({"width": width + 20, "height": 1000})
                settled(tab)
                resized(tab, width)
        assert not cut(tab), width
        wide = "document.querySelector('[data-testid=stMain]')"
        assert tab.evaluate(f"{wide}.scrollWidth <= {wide}.clientWidth")


def resized(tab: Any, width: int) -> None:
    tab.evaluate("window.cells.clear()")  # of tables that did not know their widths yet
    tab.set_viewport_size({"width": width, "height": 1000})
    settled(tab)


def cut(tab: Any) -> list[tuple[Any, ...]]:
    """Cells that reach beyond their columns."""
    return [
        (text, left, right, *at)
        for cells in tab.evaluate(CELLS)
        for text, left, right, *at in cells
        if right > at[1]
    ]


def test_the_navigation_leads_to_what_a_page_can_tell(tab: Any) -> None:
    """Also in a narrow window, where it stands above the page."""
    tab.set_viewport_size({"width": 800, "height": 1000})
    open_at(tab, "/leaderboard")
    tab.get_by_role("heading", name="Leaderboard", exact=True).wait_for(timeout=60_000)
    settled(tab)
    tab.wait_for_url(f"**/leaderboard?*benchmark={narrow_store.ALONE}*")
    go(tab, "Agreement")
    tab.get_by_text(f"{narrow_store.MANY}@v1 · reference human").first.wait_for()
    assert f"benchmark={narrow_store.MANY}" in tab.url
