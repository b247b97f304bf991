"""Every page in a browser, wide and narrow, light and dark, and under a reader's hands.

It is whole, literal, legible and silent towards the outside. One server, one store and one tab
serve all of it: to load the app anew is seconds of a core.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from judgebench.store.opening import open_store
from tests.dashboards import compare_stores, every_page_store, item_stores, narrow_store, stores
from tests.dashboards.browsing import (
    BROWSER,
    CELLS,
    CHART,
    CONTRAST,
    ENOUGH,
    TEXTS,
    WATCHED,
    WRITTEN,
    cut,
    drawn_in,
    go,
    hears,
    in_theme,
    open_at,
    resized,
    settled,
)
from tests.dashboards.serving import served
from tests.dashboards.watched import Watched
from tests.warm import Warm

pytestmark = BROWSER

METRICS = "three_metrics"
"""A benchmark with labels, scores and preferences, and hostile pairs of answers."""

HOSTILE = f"benchmark={quote(every_page_store.NAMED)}"
MANY = f"benchmark={narrow_store.MANY}"
BOTH = ("dark", "light")
PAGES = {
    "": BOTH,
    f"leaderboard?{MANY}": ("light",),
    f"leaderboard?{HOSTILE}": ("dark",),
    f"compare?{MANY}&first={narrow_store.MODELS[0]}&second={narrow_store.MODELS[1]}": ("dark",),
    f"compare?{HOSTILE}&item=0": ("light",),
    "items?q=capital": ("light",),
    f"items?{HOSTILE}&version={every_page_store.VERSION}&item=0": ("dark",),
    f"agreement?{MANY}": ("dark",),
    f"agreement?{HOSTILE}": ("light",),
    f"honesty?benchmark={every_page_store.SURE}": BOTH,
    "nights": BOTH,
    "training": BOTH,
    f"label?rater=ann&{HOSTILE}": BOTH,
    "runs": BOTH,
}
"""Each page with its themes, under names as long as those of real models and under hostile ones."""

INKED = ("leaderboard", "compare")
"""Pages whose drawings use every ink."""

NO_CHOICE = ("overview",)
"""Pages without a select box."""

FOLDED = ("label", "runs")
"""Pages whose choices are folded away: what is asked for is before the reader first."""

MADE = "img[src=x], .katex, main script, main b, main a[href*='example.org'], main a[href*='//x']"
"""What names and texts would become, were they read as markup."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "s.db"
    every_page_store.fill(path)
    narrow_store.boards(path)
    with (
        mock.patch.multiple(stores, BENCHMARK=METRICS),
        mock.patch.multiple(item_stores, BENCHMARK=METRICS),
    ):
        compare_stores.hostile(path, run_id="metrics")
    return path


@pytest.fixture(scope="module")
def address(store: Path, warm: Warm) -> Iterator[str]:
    with served(warm, f"sqlite:///{store}", store.parent) as address:
        yield address


@pytest.fixture(scope="module")
def loaded(browser: Any, address: str) -> Iterator[tuple[Any, Watched]]:
    """The tab, in which a link was the first thing opened on a server that nobody has visited."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="light")
    page.add_init_script(WATCHED)
    seen = Watched(page)
    page.goto(f"{address}/agreement?{MANY}&scope=macro")
    page.get_by_text("Unweighted mean over models, the figure").wait_for(timeout=60_000)
    settled(page)
    assert seen.refused == [], "Streamlit's page is told where it is to look for the server"
    assert seen.complaints == []
    yield page, seen
    page.close()


@pytest.fixture
def tab(loaded: tuple[Any, Watched]) -> Iterator[Any]:
    """It may talk to loopback alone and complain of nothing."""
    page, seen = loaded
    yield page
    assert seen.hosts == {"127.0.0.1"}
    assert not seen.complaints


def opened(tab: Any, link: str) -> str:
    """Follow a link; the page's name."""
    name = link.partition("?")[0] or "overview"
    open_at(tab, f"/{link}")
    heading = tab.get_by_role("heading", name=name.capitalize(), exact=True)
    heading.wait_for(timeout=60_000)
    settled(tab)
    return name


@pytest.mark.parametrize("link", PAGES)
def test_a_page_is_whole_literal_legible_and_silent(tab: Any, link: str) -> None:
    """In a wide window and in a narrow one, and where Tab leads."""
    first, second = PAGES[link][0], PAGES[link][-1]
    tab.set_viewport_size({"width": 1300, "height": 1000})
    in_theme(tab, first)
    name = opened(tab, link)
    whole_literal_and_legible(tab, 1280, first)
    if name in INKED:
        in_the_ink_of(first, tab)
    if name in FOLDED:
        reach(tab, "summary")
        tab.keyboard.press("Enter")
        tab.locator("[data-testid=stMain] details[open]").first.wait_for()
    if name not in NO_CHOICE:
        reach(tab, "[role=combobox], [data-testid=stTextInput] input")
    if second != first:
        in_theme(tab, second)
        opened(tab, link)
    whole_literal_and_legible(tab, 800, second)


def whole_literal_and_legible(tab: Any, width: int, theme: str) -> None:
    from playwright.sync_api import TimeoutError as NothingCame

    resized(tab, width)
    assert tab.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    assert tab.get_by_text("This cannot be shown.").count() == 0
    assert tab.locator(MADE).count() == 0
    drawn_in(tab, theme)
    try:  # drawings come after what is around them
        tab.wait_for_function(f"({WRITTEN})().length === 0", timeout=10_000, polling=250)
    except NothingCame:
        assert tab.evaluate(WRITTEN) == []
    assert len(tab.evaluate(CELLS)) >= tab.locator("[data-testid=stDataFrame]").count()
    for _ in range(2):  # where a table was drawn before it knew its new width
        if cut(tab):
            tab.set_viewport_size({"width": width + 20, "height": 1000})
            settled(tab)
            resized(tab, width)
    assert not cut(tab)
    wide = "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
    assert tab.evaluate(f"{wide}.every(one => one.scrollWidth <= one.clientWidth)")
    for last in (False, False, True):  # what is drawn anew is pale until it is there
        found = tab.evaluate(CONTRAST, TEXTS)
        faint = [(text, round(had, 2)) for text, had in found if had < ENOUGH]
        if not faint or last:
            break
        tab.wait_for_timeout(1000)
        settled(tab)
    assert len(found) > 10
    assert faint == []


def in_the_ink_of(theme: str, tab: Any) -> None:
    from charts import INK

    used = tab.evaluate(
        """() => [...document.querySelectorAll("svg.marks *")].flatMap(
             mark => [mark.getAttribute("fill"), mark.getAttribute("stroke")])"""
    )
    mine, other = INK[theme], INK["light" if theme == "dark" else "dark"]
    assert {mine.text, mine.faint, mine.first} <= set(used)
    assert not {other.first, other.faint} & set(used)


def reach(tab: Any, what: str) -> None:
    """With Tab, from wherever the focus is."""
    for _ in range(100):
        tab.keyboard.press("Tab")
        if tab.evaluate(
            "what => !!document.activeElement.closest('[data-testid=stMain]')"
            " && document.activeElement.matches(what)",
            what,
        ):
            return
    raise AssertionError(f"Tab does not come to {what}")


def test_the_navigation_leads_to_what_a_page_can_tell(tab: Any) -> None:
    """Also in a narrow window, where it stands above the page."""
    tab.set_viewport_size({"width": 800, "height": 1000})
    opened(tab, f"leaderboard?benchmark={narrow_store.ALONE}")
    go(tab, "Honesty")
    settled(tab)
    assert f"benchmark={narrow_store.ALONE}" not in tab.url


def asked(tab: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(tab.url).query)


def test_a_click_into_the_heat_map_chooses_its_two_judges(tab: Any) -> None:
    opened(tab, f"agreement?{HOSTILE}")
    before = asked(tab)
    two = (before["shown"], before["reference"])
    chart = tab.locator("[data-testid=stVegaLiteChart]").nth(1)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    for across in (0.55, 0.7, 0.85, 0.95):
        tab.mouse.click(box["x"] + across * box["width"], box["y"] + 0.55 * box["height"])
        tab.wait_for_timeout(500)
        settled(tab)
        if (asked(tab)["shown"], asked(tab)["reference"]) != two:
            break
    (judge,), (reference,) = asked(tab)["shown"], asked(tab)["reference"]
    assert ([judge], [reference]) != two
    tab.get_by_text(f"How much more lenient {judge} is than {reference}").first.wait_for()


def test_items_are_walked_through_by_keys_and_lead_to_everything_about_one(tab: Any) -> None:
    opened(tab, f"compare?{HOSTILE}")
    for key, button, then in (("n", "Next item", ": 2 of "), ("p", "Previous item", ": 1 of ")):
        hears(tab, button)
        tab.keyboard.press(key)
        tab.get_by_text(then).wait_for()
    (item,) = asked(tab)["item"]
    tab.get_by_role("link", name="Everything about this item").click()
    tab.get_by_role("heading", name="Items", exact=True).wait_for()
    tab.get_by_role("heading", name="Verdicts").wait_for(timeout=30_000)
    assert asked(tab)["item"] == [item]


def test_what_is_drawn_of_all_metrics_stands_below_each_other(tab: Any) -> None:
    opened(tab, f"compare?benchmark={METRICS}&first=newer&second=older")
    tab.locator(CHART).nth(2).wait_for(timeout=60_000)  # one for each metric
    ends = tab.evaluate(
        """() => [...document.querySelectorAll("svg.marks")].map(drawing =>
             [...drawing.querySelectorAll(".role-axis-domain")].map(axis => {
               const { left, right } = axis.getBoundingClientRect();
               return [left, right].map(Math.round);
             }).sort((a, b) => a[0] - b[0]))"""
    )
    first, *others = ends
    assert len(first) == 2, "the differences and the items"
    assert first[0][1] < first[1][0]
    assert others == [first, first]


def test_differences_are_marked_letter_by_letter(tab: Any) -> None:
    opened(tab, f"compare?benchmark={METRICS}&first=newer&second=older&item=0")
    tab.locator("[data-testid=stHtml] mark").first.wait_for()
    first, second = (tab.locator("[data-testid=stHtml]").nth(at).inner_text() for at in (0, 1))
    for name in ("script", "markdown", "latex", "emoji"):
        assert item_stores.HOSTILE[name] in first
    assert "user⟨U+202E⟩txt.exe" in second
    assert tab.locator(MADE).count() == 0


def test_words_are_typed_found_and_followed_to_an_item_that_may_be_formatted(tab: Any) -> None:
    """The tab complains of a request to anywhere else, an error and a dialog."""
    opened(tab, f"items?{HOSTILE}")
    box = tab.get_by_label("Search")
    box.fill("bold")
    box.press("Enter")
    tab.get_by_text("»bold«").first.wait_for(timeout=30_000)
    assert "q=bold" in tab.url
    tab.locator("[data-testid=stButton] button:has-text('Open')").first.click()
    tab.get_by_role("heading", name="Verdicts").wait_for(timeout=30_000)
    tab.get_by_text(item_stores.HOSTILE["markdown"], exact=True).last.wait_for()
    tab.get_by_text("Formatted", exact=True).click()
    formatted = tab.locator("[class*=st-key-formatted-]")
    formatted.get_by_text("bold", exact=True).first.wait_for(timeout=30_000)
    assert formatted.locator("strong").first.inner_text() == "bold"
    formatted.get_by_text(
        "a link (http://example.org/x) an image (http://example.org/y.png)"
    ).first.wait_for()
    assert tab.locator(MADE).count() == 0
    tab.go_back()
    tab.go_back()
    tab.get_by_text("»bold«").first.wait_for(timeout=30_000)


def test_what_can_be_chosen_is_reached_by_tab_and_chosen_by_arrows_and_enter(tab: Any) -> None:
    boxes = ("In", "Benchmark", "Category", "Model", "Judge", "Verdict", "Flag")
    tab.set_viewport_size({"width": 1400, "height": 1000})
    opened(tab, "items")
    tab.get_by_role("combobox", name=boxes[-1], exact=True).wait_for()
    tab.get_by_role("textbox", name="Search").focus()  # not where another test left off
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


def test_a_drawing_is_saved_as_it_stands_there_and_a_table_as_latex(
    tab: Any, tmp_path: Path
) -> None:
    in_theme(tab, "light")
    opened(tab, f"leaderboard?benchmark={METRICS}&judge=pairwise")
    tab.locator(CHART).first.wait_for()
    saved = {}
    for form in ("PNG", "SVG", "Download LaTeX"):
        with tab.expect_download() as waiting:
            tab.get_by_role("button", name=form, exact=True).first.click()
        saved[form] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(saved[form])
    content = saved["PNG"].read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    box = tab.locator(CHART).first.bounding_box()
    assert 2 * round(box["width"]) <= width <= 2 * round(box["width"]) + 60
    assert 2 * round(box["height"]) <= height <= 2 * round(box["height"]) + 60
    assert len(content) > 10_000, "not an empty sheet"

    assert saved["SVG"].stem == saved["PNG"].stem
    picture = ET.fromstring(saved["SVG"].read_text("utf-8"))
    svg = "{http://www.w3.org/2000/svg}"
    words = " ".join(text for element in picture.iter(f"{svg}text") for text in element.itertext())
    for said in (f"{METRICS}@{stores.VERSION}", "s.db as of 20", "95 %"):
        assert said in words
    assert "@font-face" in "".join(picture.find(f"{svg}style").itertext())  # type: ignore[union-attr]
    paper = picture.find(f"{svg}rect")
    assert paper is not None
    assert paper.get("fill") == "rgb(255, 255, 255)"
    assert saved["Download LaTeX"].name == f"{METRICS}.tex"
    assert r"\begin{tabular}" in saved["Download LaTeX"].read_text("utf-8")


def test_counts_move_while_a_run_writes(tab: Any, store: Path) -> None:
    """The last one, for it changes what the pages show."""
    opened(tab, "")
    before = tab.get_by_text(re.compile(r"\d+ judgments")).first.inner_text()
    n = int(before.partition(" judgments")[0].replace(",", ""))
    more = {"late": {"human/authors": stores.labels("++++++")}}
    with mock.patch.multiple(stores, BENCHMARK="late"):
        stores.fill_with(store, more, run_id="late", state="running")
    tab.get_by_text(f"{n + 6:,} judgments").first.wait_for(timeout=20_000)
    with open_store(f"sqlite:///{store}") as held, held.lease("run late"):
        tab.get_by_text("running: demo").wait_for()
