"""The Leaderboard under a person's hands: tables sort and download, models are found by name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    CHART,
    address,
    go,
    loaded,
    pytestmark,
    tab,
)

TABLE = "[data-testid=stDataFrame]"
ROWS = f"{TABLE} canvas [role=row]"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "s.db"
    stores.fill_kinds(path, n_items=40)
    return path


def column(tab: Any, head: str) -> list[str]:  # noqa: F811  # the fixture, handed on
    """What stands in a column of the first table, from the top; of one that is drawn anew, then."""
    lines = tab.wait_for_function(
        """table => {
             const rows = [...(document.querySelector(table)?.querySelectorAll("canvas [role=row]")
               ?? [])];
             return rows.length > 1 && rows.map(
               row => [...row.querySelectorAll("[role=columnheader], [role=gridcell]")].map(
                 cell => cell.textContent));
           }""",
        arg=TABLE,
    ).json_value()
    (at,) = (at for at, text in enumerate(lines[0]) if text.split()[-1:] == [head])  # ↑ model
    return [line[at] for line in lines[1:]]


def test_the_header_of_a_column_sorts_and_suspicious_ones_stay_below(tab: Any) -> None:  # noqa: F811
    go(tab, "Leaderboard")
    tab.locator(ROWS).nth(3).wait_for(state="attached", timeout=60_000)
    ranked = column(tab, "model")
    assert len(ranked) == 3
    assert "null-model" not in ranked
    assert column(tab, "rank") == sorted(column(tab, "rank"), key=int)
    head = tab.locator(f"{TABLE} canvas").first.bounding_box()
    both = [sorted(ranked), sorted(ranked, reverse=True)]
    seen: list[list[str]] = []
    while len(seen) < 8 and not all(order in seen for order in both):
        tab.mouse.click(head["x"] + 240, head["y"] + 18)  # of the models
        tab.wait_for_timeout(500)
        seen.append(column(tab, "model"))
    assert all(order in seen for order in both), seen
    tab.get_by_text("Suspicious, excluded from the ranking: their").wait_for()
    tab.locator(CHART).get_by_text("suspicious:").wait_for()


def test_every_table_downloads(tab: Any, tmp_path: Path) -> None:  # noqa: F811
    go(tab, "Leaderboard")
    tab.locator(ROWS).nth(3).wait_for(state="attached", timeout=60_000)
    # Chromium would ask in a window of its own where to put it, which nobody answers here.
    tab.evaluate("window.showSaveFilePicker = undefined")
    tab.locator(TABLE).first.hover()
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download as CSV").first.click()
    waiting.value.save_as(tmp_path / "table.csv")
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text("utf-8-sig").splitlines()))
    assert [row["model"] for row in rows] == column(tab, "model")
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download LaTeX").click()
    assert waiting.value.suggested_filename == f"{stores.BENCHMARK}.tex"


def test_what_is_typed_narrows_table_and_drawing(tab: Any) -> None:  # noqa: F811
    go(tab, "Leaderboard")
    tab.locator(CHART).first.wait_for(timeout=60_000)
    tab.get_by_label("Filter by name").fill("apo")
    tab.keyboard.press("Enter")
    tab.get_by_text("2 of 4 models; ranks are among all").wait_for(timeout=30_000)
    assert "find=apo" in tab.url
    tab.wait_for_function("() => !document.querySelector('svg.marks').textContent.includes('base')")
    tab.locator(ROWS).nth(1).wait_for(state="attached", timeout=30_000)  # it is drawn anew
    assert len(column(tab, "model")) == 2
