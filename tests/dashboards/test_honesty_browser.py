"""The Honesty page as a browser sees it: all of it drawn, choices answered, names as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import honesty_stores, stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    CHART,
    address,
    go,
    loaded,
    open_at,
    pytestmark,
    tab,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("honesty") / "s.db"
    hostile = {"knows-itself": stores.HOSTILE[0], "Verbal-0": stores.HOSTILE[2]}
    honesty_stores.fill(path, names=hostile)
    return path


def test_every_drawing_of_the_page_is_there(tab: Any) -> None:  # noqa: F811
    go(tab, "Honesty")
    tab.get_by_role("combobox", name="Correct says").click()
    tab.get_by_role("option", name="correct", exact=True).click()
    tab.get_by_text("Area under the curve").wait_for(timeout=60_000)
    tab.locator(CHART).nth(8).wait_for(timeout=60_000)  # a curve, diagrams of two parts, AUROCs
    assert "confidence=" in tab.url
    assert "correct=correct" in tab.url
    with tab.expect_download() as taken:
        tab.get_by_role("button", name="Download CSV").click()
    assert "auroc" in Path(taken.value.path()).read_text(encoding="utf-8")


def test_a_link_shows_one_set_and_hostile_names_letter_by_letter(tab: Any) -> None:  # noqa: F811
    open_at(tab, "/honesty?correct=correct&over=set%3Arivers")
    tab.get_by_text("Area under the curve").wait_for(timeout=60_000)
    tab.get_by_text(stores.HOSTILE[0]).first.wait_for(timeout=60_000)
    tab.get_by_text(stores.HOSTILE[2]).first.wait_for(timeout=60_000)
    assert tab.locator("img[src=x], main b, .katex").count() == 0
