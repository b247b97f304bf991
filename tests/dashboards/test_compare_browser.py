"""The Compare page as a browser sees it: drawn, walked through by keys, and answers stay text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import compare_stores, item_stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    CHART,
    address,
    go,
    hears,
    loaded,
    open_at,
    pytestmark,
    tab,
)

MARKS = "[data-testid=stHtml] mark"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare") / "s.db"
    compare_stores.hostile(path)
    return path


def test_rows_of_a_board_are_compared_and_their_items_walked_through(tab: Any) -> None:  # noqa: F811
    go(tab, "Compare")
    tab.locator(CHART).nth(2).wait_for(timeout=60_000)  # one for each metric
    tab.get_by_text("What the judges wrote").wait_for(timeout=60_000)
    assert "first=third" in tab.url
    assert "item=" not in tab.url
    press(tab, "n", "Next item", ": 2 of ")
    assert "item=" in tab.url
    press(tab, "p", "Previous item", ": 1 of ")


def press(tab: Any, key: str, button: str, then: str) -> None:  # noqa: F811  # handed on
    """Press a button's key once, and wait for what has to stand on the page after it."""
    hears(tab, button)
    tab.keyboard.press(key)
    tab.get_by_text(then).wait_for()


def test_what_is_drawn_of_all_metrics_stands_below_each_other(tab: Any) -> None:  # noqa: F811
    go(tab, "Compare")
    tab.locator(CHART).nth(2).wait_for(timeout=60_000)
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


def test_the_item_shown_leads_to_everything_about_it(tab: Any) -> None:  # noqa: F811
    go(tab, "Compare")
    hears(tab, "Next item")
    shown = tab.get_by_text(": 1 of ").inner_text().split()[1].rstrip(":")
    tab.get_by_role("link", name="Everything about this item").click()
    tab.get_by_role("heading", name="Items").wait_for()
    tab.get_by_role("heading", name="Verdicts").wait_for(timeout=30_000)
    assert f"item={shown}" in tab.url.split("?")[1].split("&")


def test_hostile_answers_are_marked_and_stay_text(tab: Any, address: str) -> None:  # noqa: F811
    open_at(tab, "/compare?first=newer&second=older&item=0")
    tab.get_by_text("Question of item 0").wait_for(timeout=60_000)
    tab.locator(MARKS).first.wait_for()
    first, second = (tab.locator("[data-testid=stHtml]").nth(at).inner_text() for at in (0, 1))
    for name in ("script", "markdown", "latex", "emoji"):
        assert item_stores.HOSTILE[name] in first
    assert "user⟨U+202E⟩txt.exe" in second
    open_at(tab, "/compare?first=newer&second=older&item=1")
    tab.get_by_text("Differences are marked up to 20,000 characters").wait_for(timeout=30_000)
    tab.get_by_text("Show all: 40,001 lines, 1,160,000 characters").first.wait_for()
    markup = "img[src=x], main script, main b, .katex, a[href*='example.org']"
    assert tab.locator(markup).count() == 0
