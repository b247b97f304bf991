"""The Items page as a browser sees it: texts of models and judges stay text, whatever they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import item_stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    address,
    go,
    loaded,
    pytestmark,
    tab,
)

OPEN = "[data-testid=stButton] button:has-text('Open')"
"""Beside a hit. The arrow of a select box is called so as well."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("items") / "s.db"
    item_stores.fill(path, hostile=tuple(item_stores.HOSTILE))
    return path


def find(tab: Any, words: str) -> None:  # noqa: F811  # the fixture, handed on
    go(tab, "Items")
    box = tab.get_by_label("Search")
    box.wait_for(timeout=60_000)
    box.fill(words)
    box.press("Enter")


def test_words_are_typed_found_and_followed_to_the_item(tab: Any) -> None:  # noqa: F811
    find(tab, "多瑙河")
    tab.get_by_text("»多瑙河«").wait_for(timeout=30_000)
    assert "q=" in tab.url
    tab.locator(OPEN).first.click()
    tab.get_by_text("Which river flows through capital 0?").wait_for(timeout=30_000)
    tab.get_by_text("The first answer names the river. [[A]]").wait_for()
    tab.get_by_text("careful · ● newest").first.wait_for()
    assert "item=0" in tab.url
    tab.go_back()
    tab.get_by_text("»多瑙河«").wait_for(timeout=30_000)


def test_hostile_texts_appear_letter_by_letter(tab: Any) -> None:  # noqa: F811
    find(tab, "alert")
    tab.get_by_text("onerror=»alert«(2)").or_(tab.get_by_text("<script>»alert«(1)")).first.wait_for(
        timeout=30_000
    )
    tab.locator(OPEN).first.click()
    tab.get_by_role("heading", name="Verdicts").wait_for(timeout=30_000)
    for name in ("script", "markdown", "latex", "emoji"):
        tab.get_by_text(item_stores.HOSTILE[name], exact=True).last.wait_for()
    tab.get_by_text("user⟨U+202E⟩txt.exe").first.wait_for()
    tab.get_by_text("Show all: 40,001 lines, 1,160,000 characters").click()
    tab.get_by_text("The first 200,000 characters are shown.").wait_for(timeout=30_000)
    assert (
        tab.locator("img[src=x], main script, main b, .katex, a[href*='example.org']").count() == 0
    )


def test_formatted_texts_fetch_and_follow_nothing(tab: Any) -> None:  # noqa: F811
    """The tab complains of a request to anywhere else, an error and a dialog."""
    find(tab, "alert")
    tab.get_by_text("»alert«").first.wait_for(timeout=30_000)
    tab.locator(OPEN).first.click()
    tab.get_by_role("heading", name="Verdicts").wait_for(timeout=30_000)
    tab.get_by_text("Formatted", exact=True).click()
    box = tab.locator("[class*=st-key-formatted-]")
    box.get_by_text("bold", exact=True).first.wait_for(timeout=30_000)
    assert box.locator("strong").first.inner_text() == "bold"
    box.get_by_text(
        "a link (http://example.org/x) an image (http://example.org/y.png)"
    ).first.wait_for()
    box.get_by_text(item_stores.HOSTILE["script"], exact=True).first.wait_for()
    assert "formatted=1" in tab.url
    assert (
        tab.locator("img[src=x], main script, main b, .katex, a[href*='example.org']").count() == 0
    )
