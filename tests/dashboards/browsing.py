"""What tests in a browser share: where they click, what they wait for, what they measure."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--no-opt",  # no page lives long enough for what it would save
]
POLLED_MS = 100
"""How often a page is looked at for what has to come: a browser draws for each look that it is not
told to take by the clock."""
CHART = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
UNFINISHED = (
    "[data-testid=stSkeleton], [data-testid=stSpinner], [data-testid=stMain] [data-stale=true]"
)

BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]
"""Marks of such tests."""

ENOUGH = 4.5
"""Contrast that WCAG 2.1 asks of text that is not large (level AA)."""

CONTRAST = """
selector => {
  const known = new Map();
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  const parsed = (colour) => {
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
      known.set(colour, { rgb: [red, green, blue], alpha: alpha / 255 });
    }
    return { ...known.get(colour) };
  };
  const over = (top, below) =>
    top.rgb.map((part, at) => part * top.alpha + below[at] * (1 - top.alpha));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(parsed(getComputedStyle(at).backgroundColor));
      if (layers.at(-1).alpha === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const opacity = (element) => {
    let all = 1;
    for (let at = element; at; at = at.parentElement) all *= getComputedStyle(at).opacity;
    return all;
  };
  const inside = (one, other) => one.left >= other.left && one.right <= other.right
    && one.top >= other.top && one.bottom <= other.bottom;
  const bars = [...document.querySelectorAll("svg.marks .mark-rect path")]
    .map((bar) => bar.getBoundingClientRect()); // what is written on them has another ground
  const found = [];
  for (const element of document.querySelectorAll(selector)) {
    const style = getComputedStyle(element);
    const at = element.getBoundingClientRect();
    if (bars.some((bar) => inside(at, bar))) continue;
    if (element.closest("[data-testid=stDataFrame]")) continue;
    if (!element.textContent.trim() || element.closest("[disabled]")) continue;
    const colour = parsed(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const paper = ground(element);
    colour.alpha *= opacity(element);
    if (!colour.alpha) continue; // a label of an axis for which there is no room
    found.push([element.textContent.trim().slice(0, 40), contrast(over(colour, paper), paper)]);
  }
  for (const grid of document.querySelectorAll(".stDataFrameGlideDataEditor")) {
    const style = getComputedStyle(grid);
    const value = (name) => style.getPropertyValue(name);
    for (const [text, paper] of [["--gdg-text-dark", "--gdg-bg-cell"],
                                 ["--gdg-text-header", "--gdg-bg-header"]]) {
      const below = over(parsed(value(paper)), ground(grid));
      found.push([text, contrast(over(parsed(value(text)), below), below)]);
    }
  }
  return found;
}
"""
TEXTS = (
    "h1, h2, h3, [data-testid=stCaptionContainer] p, [data-testid=stText] span, label p, "
    "[data-testid=stBaseButton-secondary] p, [data-testid=stSidebarNavLink] span, .save-chart, "
    "svg.marks text"
)

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

COLUMNS = 3
"""Columns of a table that are shown whole."""

CELLS = f"""() => [...window.cells.values()].map(cells => {{
    const starts = [...new Set(cells.map(cell => cell[3]))].sort((a, b) => a - b);
    const last = starts[Math.min({COLUMNS}, starts.length) - 1];
    return cells.filter(cell => cell[3] <= last);
}})"""


def open_at(page: Any, link: str) -> None:
    """Follow a link within the app, as its own links and the way back do."""
    page.evaluate(
        "link => { history.pushState(null, '', link); dispatchEvent(new Event('popstate')) }", link
    )


def settled(tab: Any) -> None:
    """Everything is drawn: the server has said so, and nothing is in the making or of before."""
    tab.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    tab.wait_for_function(
        "unfinished => !document.querySelector(unfinished)", arg=UNFINISHED, polling=POLLED_MS
    )
    tab.wait_for_timeout(300)  # what comes fades in


def go(page: Any, name: str) -> None:
    """Choose a page in the navigation. On a machine at its limit the browser may lose the press of
    a button while it draws; whoever sits before it presses again.
    """
    from playwright.sync_api import TimeoutError as NothingCame

    heading = page.get_by_role("heading", name=name, exact=True)
    for _ in range(3):
        page.get_by_role("link", name=name, exact=True).first.click()
        with suppress(NothingCame):
            return heading.wait_for(timeout=30_000)
    raise AssertionError(f"{name} was chosen three times, and {page.url} is shown")


def hears(page: Any, button: str) -> None:
    """Wait until a button is there. Its key is not heard before, for Streamlit fetches what draws
    a button, and listens for keys, when it first meets one; the texts around it are there sooner.
    """
    page.locator("[data-testid=stButton] button:enabled", has_text=button).wait_for(timeout=60_000)


def in_theme(tab: Any, theme: str) -> None:
    """A reader's machine turns to a theme. Drawings follow when something is asked next."""
    tab.emulate_media(color_scheme=theme)
    ground = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    tab.wait_for_function(f"paper => {ground} === paper", arg=paper(theme), polling=POLLED_MS)


def paper(theme: str) -> str:
    from charts import INK

    parts = ", ".join(str(int(INK[theme].paper[at : at + 2], 16)) for at in (1, 3, 5))
    return f"rgb({parts})"


def drawn_in(tab: Any, theme: str) -> None:
    """Wait until all drawings are there, on the paper of a theme."""
    tab.wait_for_function(
        """paper => [...document.querySelectorAll("[data-testid=stVegaLiteChart]")].every(
             one => one.querySelector("svg.marks")?.style.backgroundColor === paper)""",
        arg=paper(theme),
        polling=POLLED_MS,
    )


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
