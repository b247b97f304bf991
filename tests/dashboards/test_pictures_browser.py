"""Drawings are saved by the browser, with their captions, and nobody outside is asked for it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.dashboards import compare_stores, stores
from tests.dashboards.test_browser import (  # noqa: F401  # the server and the tabs are fixtures
    CHART,
    address,
    go,
    loaded,
    pytestmark,
    tab,
)

PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "s.db"
    compare_stores.fill(path)
    return path


def saved(tab: Any, form: str, folder: Path) -> Path:  # noqa: F811  # the fixture, handed on
    """The first drawing of a page, as its button saves it."""
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name=form, exact=True).first.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def drawn_size(tab: Any) -> tuple[int, int]:  # noqa: F811  # the fixture, handed on
    box = tab.locator(CHART).first.bounding_box()
    return round(box["width"]), round(box["height"])


@pytest.mark.parametrize("page", ["Leaderboard", "Compare"])
def test_a_drawing_is_saved_as_it_stands_there(tab: Any, tmp_path: Path, page: str) -> None:  # noqa: F811
    go(tab, page)
    tab.locator(CHART).first.wait_for(timeout=60_000)
    png = saved(tab, "PNG", tmp_path)
    assert png.suffix == ".png"
    content = png.read_bytes()
    assert content.startswith(PNG)
    width, height = struct.unpack(">II", content[16:24])
    across, down = drawn_size(tab)
    assert 2 * across <= width <= 2 * across + 60
    assert 2 * down <= height <= 2 * down + 60
    assert len(content) > 10_000, "not an empty sheet"

    svg = saved(tab, "SVG", tmp_path)
    assert svg.stem == png.stem
    picture = ET.fromstring(svg.read_text("utf-8"))
    words = " ".join(text for element in picture.iter(f"{SVG}text") for text in element.itertext())
    assert f"{stores.BENCHMARK}@{stores.VERSION}" in words
    assert "s.db as of 20" in words
    assert "95 %" in words
    assert "@font-face" in "".join(picture.find(f"{SVG}style").itertext())  # type: ignore[union-attr]
    paper = picture.find(f"{SVG}rect")
    assert paper is not None
    assert paper.get("fill") == "rgb(255, 255, 255)"
