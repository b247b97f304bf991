"""Every page in a browser, light and dark: whole, literal, legible, and silent to the outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.dashboards import every_page_store
from tests.dashboards.conftest import DASHBOARDS
from tests.dashboards.test_browser import (  # noqa: F401  # the server is a fixture
    ARGUMENTS,
    CHROMIUM,
    PROBES,
    address,
    pytestmark,
    settled,
)
from tests.dashboards.test_theme_browser import CONTRAST, ENOUGH, THEMES, turned
from tests.dashboards.watched import Watched

PAGES = sorted(path.stem for path in (DASHBOARDS / "views").glob("[a-z]*.py"))
HOSTILE = f"benchmark={quote(every_page_store.NAMED)}"
LINKS = {
    "overview": "",
    "agreement": f"agreement?{HOSTILE}",
    "compare": f"compare?{HOSTILE}&item=0",
    "honesty": f"honesty?benchmark={every_page_store.SURE}",
    "items": f"items?{HOSTILE}&version={every_page_store.VERSION}&item=0",
    "label": f"label?rater=ann&{HOSTILE}",
}
"""Of a page that shows more when it is asked for it, or lies elsewhere."""

NO_CHOICE = ("overview",)
"""Pages without a select box."""

FOLDED = ("label", "runs")
"""Pages whose choices are folded away: what is asked for is before the reader first."""

MADE = "img[src=x], .katex, main script, main b, main a[href*='example.org'], main a[href*='//x']"
"""What names and texts would become, were they read as markup."""

FIRST = "main h1, main [data-testid=stText] span, main [data-testid=stCaptionContainer] p"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("every_page") / "s.db"
    every_page_store.fill(path)
    return path


@pytest.fixture(scope="module")
def tab(browser: Any, address: str) -> Iterator[Any]:  # noqa: F811  # the fixture
    """A tab for all pages, which keeps what it fetched. It is closed before the server is."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    yield page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_literal_legible_and_silent(
    tab: Any,
    address: str,  # noqa: F811  # the fixture
    name: str,
) -> None:
    """As the first one opened, in one theme, and when its reader turns to the other."""
    seen = Watched(tab)
    first, second = THEMES if PAGES.index(name) % 2 else reversed(THEMES)
    tab.emulate_media(color_scheme=first)
    tab.goto(f"{address}/{LINKS.get(name, name)}")
    title = name.capitalize()
    tab.get_by_role("heading", name=title, exact=True).wait_for(timeout=60_000)
    whole_literal_and_legible(tab, title)
    if name in FOLDED:
        reach(tab, "summary")
        tab.keyboard.press("Enter")
        tab.locator("[data-testid=stMain] details[open]").first.wait_for()
    if name not in NO_CHOICE:
        reach(tab, "[role=combobox], [data-testid=stTextInput] input")
    turned(tab, second)
    whole_literal_and_legible(tab, title)
    # silent
    tab.goto("about:blank")
    seen.leave()
    assert seen.hosts == {"127.0.0.1"}
    below = "" if name == "overview" else f"/{name}"
    assert set(seen.refused) <= {f"{address}{below}{probe}" for probe in PROBES}
    assert [said for said in seen.complaints if not re.search("status of 404", said)] == []
    assert len(seen.complaints) == len(seen.refused)


def whole_literal_and_legible(tab: Any, title: str) -> None:
    settled(tab)
    assert tab.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    assert tab.get_by_text("This cannot be shown.").count() == 0
    assert tab.locator(MADE).count() == 0
    found = tab.evaluate(CONTRAST, FIRST)
    assert found
    assert found[0][0] == title
    faint = [(text, round(contrast, 2)) for text, contrast in found[:2] if contrast < ENOUGH]
    assert not faint
    wide = "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
    assert tab.evaluate(f"{wide}.every(one => one.scrollWidth <= one.clientWidth)")


def reach(tab: Any, what: str) -> None:
    """With Tab, from wherever the focus is."""
    for _ in range(40):
        tab.keyboard.press("Tab")
        if tab.evaluate(
            "what => !!document.activeElement.closest('[data-testid=stMain]')"
            " && document.activeElement.matches(what)",
            what,
        ):
            return
    raise AssertionError(f"Tab does not come to {what}")
