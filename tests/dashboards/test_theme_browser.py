"""Pages in the dark and without a mouse: what is written can be read, what is chosen be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import compare_stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server is a fixture
    CHART,
    address,
    hears,
    pytestmark,
)

PAGES = {
    "Leaderboard": ("leaderboard?judge=pairwise", ("Benchmark", "Version", "Judge", "Metric")),
    "Compare": ("compare?first=newer&second=older", ("First", "Benchmark", "Judge", "Metric")),
    "Items": ("items", ("In", "Benchmark", "Category", "Model", "Judge", "Verdict", "Flag")),
    "Label": ("label?rater=ann", ()),
}
"""Where each page is, and what can be chosen on it, in the order in which Tab comes by."""

DRAWN = ("Leaderboard", "Compare")
THEMES = ("light", "dark")
ENOUGH = 4.5
"""Contrast that WCAG 2.1 asks of text that is not large (level AA)."""

CONTRAST = """
selector => {
  const parsed = (colour) => {
    const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
      .getContext("2d", { willReadFrequently: true });
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return { rgb: [red, green, blue], alpha: alpha / 255 };
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


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("theme") / "s.db"
    compare_stores.fill(path)
    return path


@pytest.fixture(scope="module")
def themes(browser: Any) -> Mapping[str, Any]:
    """One visitor for each theme, whose pages share what they fetched."""
    size = {"width": 1400, "height": 1000}
    return {one: browser.new_context(viewport=size, color_scheme=one) for one in ("light", "dark")}


@pytest.fixture
def opened(
    address: str,  # noqa: F811  # the fixture
    themes: Mapping[str, Any],
) -> Iterator[Callable[[str, str], Any]]:
    """A page in a theme, drawn to its end."""
    open_now: list[Any] = []

    def at(name: str, theme: str) -> Any:
        tab = themes[theme].new_page()
        open_now.append(tab)
        tab.goto(f"{address}/{PAGES[name][0]}")
        tab.get_by_role("heading", name=name, exact=True).wait_for(timeout=60_000)
        for box in PAGES[name][1][-1:]:
            tab.get_by_role("combobox", name=box, exact=True).wait_for()
        if name in DRAWN:
            tab.locator(CHART).first.wait_for(timeout=60_000)
            tab.locator(".stDataFrameGlideDataEditor").first.wait_for()
        if name == "Compare":
            tab.get_by_text("What the judges wrote").wait_for(timeout=60_000)
        if name == "Label":
            hears(tab, "Skip")
        return tab

    yield at
    for tab in open_now:
        tab.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_what_is_written_can_be_read_and_drawings_are_in_the_ink_of_the_theme(
    opened: Callable[[str, str], Any], name: str, theme: str
) -> None:
    tab = opened(name, theme)
    tab.wait_for_timeout(500)  # what comes fades in
    found = tab.evaluate(CONTRAST, TEXTS)
    assert len(found) > 10
    faint = [(text, round(contrast, 2)) for text, contrast in found if contrast < ENOUGH]
    assert not faint
    if name in DRAWN:
        in_the_ink_of(theme, tab)


def in_the_ink_of(theme: str, tab: Any) -> None:
    from charts import INK

    used = tab.evaluate(
        """() => [...document.querySelectorAll("svg.marks *")].flatMap(
             mark => [mark.getAttribute("fill"), mark.getAttribute("stroke")])"""
    )
    mine, other = INK[theme], INK["light" if theme == "dark" else "dark"]
    assert {mine.text, mine.faint, mine.first} <= set(used)
    assert not {other.first, other.faint} & set(used)
    paper = tab.evaluate("document.querySelector('svg.marks').style.backgroundColor")
    assert paper == f"rgb({', '.join(str(int(mine.paper[at : at + 2], 16)) for at in (1, 3, 5))})"


@pytest.mark.parametrize("name", [name for name, (_, boxes) in PAGES.items() if boxes])
def test_what_can_be_chosen_is_reached_by_tab_and_chosen_by_arrows_and_enter(
    opened: Callable[[str, str], Any], name: str
) -> None:
    tab = opened(name, "light")
    boxes = PAGES[name][1]
    passed = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        label = tab.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
        passed += [box for box in boxes if label == box]
        if passed[-1:] == [boxes[-1]]:
            break
    assert [box for at, box in enumerate(passed) if box not in passed[:at]] == list(boxes)
    before = tab.url
    tab.keyboard.press("ArrowDown")
    tab.get_by_role("option").first.wait_for()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_function("before => location.href !== before", arg=before)
    assert tab.get_by_role("option").count() == 0


def test_labels_are_given_and_taken_back_without_a_mouse(
    opened: Callable[[str, str], Any],
) -> None:
    tab = opened("Label", "dark")
    tab.get_by_text("0 of ", exact=False).first.wait_for()
    tab.wait_for_timeout(500)  # nobody presses a key on what they have not read
    tab.keyboard.press("1")
    tab.get_by_text("1 of ", exact=False).first.wait_for()
    tab.wait_for_timeout(500)
    tab.keyboard.press("u")
    tab.get_by_text("0 of ", exact=False).first.wait_for()


def turned(tab: Any, theme: str) -> None:
    """The page in another theme, as when a reader's machine turns to it."""
    ground = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    before = tab.evaluate(ground)
    tab.emulate_media(color_scheme=theme)
    tab.wait_for_function(f"before => {ground} !== before", arg=before)
