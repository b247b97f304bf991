"""Nights and training runs as a browser sees them: drawn, chosen, linked, and names stay text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import night_stores, stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    CHART,
    address,
    go,
    loaded,
    open_at,
    pytestmark,
    tab,
)

MARKUP = "img[src=x], main b, .katex, main a[href='http://x']"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nights") / "s.db"
    first, second, third, fourth = stores.HOSTILE
    night_stores.fill(path, beside=first, baseline=second, n_items=60)
    night_stores.train(path, run=third, model=fourth, tags={second: first}, n_items=60)
    return path


def test_nights_are_drawn_and_held_against_what_is_chosen(tab: Any) -> None:  # noqa: F811
    go(tab, "Nights")
    tab.locator(CHART).nth(1).wait_for(timeout=60_000)  # the line, and what was spent
    tab.get_by_text("each night against the one before").wait_for()
    tab.get_by_text("⚠ judge drift since 2026-11-08").wait_for()
    tab.get_by_role("combobox", name="Held against").click()
    tab.get_by_role("option", name=f"baseline {stores.HOSTILE[1]}", exact=True).click()
    tab.get_by_text("as it then stood").wait_for(timeout=30_000)
    assert "against=" in tab.url
    tab.get_by_role("combobox", name="Model and its nights").click()
    tab.get_by_role("option", name=f"{stores.HOSTILE[0]} · 5", exact=True).click()
    tab.get_by_text("5 nights").wait_for(timeout=30_000)
    assert tab.locator(MARKUP).count() == 0


def test_a_training_run_is_drawn_from_a_link(tab: Any) -> None:  # noqa: F811
    open_at(tab, "/training")
    tab.get_by_role("heading", name="Training").wait_for()
    tab.locator(CHART).first.wait_for(timeout=60_000)
    tab.get_by_text("as observed").wait_for()
    tab.get_by_text(f"Highest: {stores.HOSTILE[3]}-").wait_for()
    tab.get_by_text("is worse than the best").wait_for()
    assert "training_run=" in tab.url
    assert tab.locator(MARKUP).count() == 0
