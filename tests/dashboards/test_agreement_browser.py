"""The Agreement page as a browser sees it: a cell is clicked, items are walked, texts stay text."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.dashboards import agreement_stores, item_stores, stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    CHART,
    VERBATIM,
    address,
    loaded,
    open_at,
    pytestmark,
    tab,
)
from tests.dashboards.test_compare_browser import press


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agreement") / "s.db"
    agreement_stores.hostile(path)
    return path


def asked(tab: Any) -> dict[str, list[str]]:  # noqa: F811  # the fixture, handed on
    return parse_qs(urlsplit(tab.url).query)


def test_a_click_into_the_heat_map_chooses_its_two_judges(tab: Any) -> None:  # noqa: F811
    open_at(tab, "/agreement")
    tab.get_by_text("The two judges chosen").wait_for(timeout=60_000)
    tab.locator(CHART).nth(3).wait_for(timeout=60_000)
    tab.get_by_text("How much more lenient").first.wait_for(timeout=60_000)
    tab.wait_for_timeout(1_000)  # a drawing that is still being laid out swallows clicks
    before = asked(tab)
    chart = tab.locator("[data-testid=stVegaLiteChart]").nth(1)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    two = (before["shown"], before["reference"])
    for across in (0.55, 0.7, 0.85, 0.95):
        tab.mouse.click(box["x"] + across * box["width"], box["y"] + 0.55 * box["height"])
        tab.wait_for_timeout(2_500)
        if (asked(tab)["shown"], asked(tab)["reference"]) != two:
            break
    after = asked(tab)
    assert (after["shown"], after["reference"]) != two
    (judge,), (reference,) = after["shown"], after["reference"]
    said = f"How much more lenient {judge} is than {reference}"
    tab.get_by_text(said).first.wait_for(timeout=60_000)


def test_items_are_walked_through_by_keys_and_lead_to_the_items_page(
    tab: Any,  # noqa: F811
) -> None:
    open_at(tab, "/agreement?among=all")
    tab.get_by_text(": 1 of ").wait_for(timeout=60_000)
    press(tab, "n", "Next item", ": 2 of ")
    assert "item=" in tab.url
    press(tab, "p", "Previous item", ": 1 of ")
    (item,) = asked(tab)["item"]
    tab.get_by_text("Everything about this item").click()
    tab.get_by_role("heading", name="Items", exact=True).wait_for(timeout=60_000)
    tab.get_by_text(f"item {item} ").first.wait_for(timeout=60_000)


def test_hostile_texts_stay_text(tab: Any) -> None:  # noqa: F811
    for item in range(len(item_stores.HOSTILE)):
        stays_text(tab, item)


def stays_text(tab: Any, item: int) -> None:  # noqa: F811
    open_at(tab, f"/agreement?among=all&item={item}")
    tab.get_by_text(f"item {item}: ").wait_for(timeout=60_000)
    tab.get_by_text("What they wrote").wait_for(timeout=60_000)
    tab.locator(VERBATIM).nth(5).wait_for(timeout=60_000)
    markup = "img[src=x], main script, main b, .katex, a[href*='example.org']"
    assert tab.locator(markup).count() == 0
    first = tab.locator(VERBATIM).first.inner_text()
    name = list(item_stores.HOSTILE)[item]
    if name in ("script", "markdown", "latex", "emoji"):
        assert item_stores.HOSTILE[name] in first
    assert tab.get_by_text(stores.HOSTILE[0]).count() > 0
