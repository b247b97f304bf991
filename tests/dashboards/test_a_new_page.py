"""A page is one file: nothing else says that it is there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from judgebench.reports.leaderboard import leaderboards
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.conftest import DASHBOARDS
from tests.dashboards.drawn import with_field

PAGE = '''\
"""How the models of a benchmark do, in the eyes of its first judge."""

import charts
import page
import pandas as pd
import widgets
from functools import partial

from judgebench.explore import boards
from judgebench.reports.board_tables import Leaderboard

PLACE = ("Results", 35)


def best(shown, identity):
    chosen = page.choose_benchmark(shown, [3, 2, 4], lambda: [])
    if chosen is None:
        return
    places, *at = chosen
    board = shown.compute(boards, *at).boards[0]
    identity.text(board.judge_is)
    rows = pd.DataFrame([
        {"name": row.model, "tone": "rest", **widgets.numbers(row.leading, 100.0)}
        for row in board.rows
    ])
    rows["note"] = [widgets.note(row, 1) for row in widgets.records(rows)]
    axis = charts.axis_of(board.metric, rows)
    widgets.chart(
        partial(charts.intervals, rows, axis, widgets.ink()), "Best",
        alt="Each model with its interval.",
    )
    widgets.table(rows)
    page.offer("best", lambda: [Leaderboard.of([board]).document()])


page.show("Best", best)
'''


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    """The dashboard, and one file more; what is loaded of the copy is let go with it."""
    folder = tmp_path / "dashboards"
    shutil.copytree(DASHBOARDS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "views" / "best.py").write_text(PAGE)
    path = sys.path.copy()
    yield folder / "app.py"
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
            del sys.modules[name]


def test_a_page_is_one_file(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = stores.fill(tmp_path / "s.db", n_items=12)
    monkeypatch.setenv("JUDGEBENCH_STORE", url)
    opened: Any = AppTest.from_file(str(app), default_timeout=60)
    opened.run()
    opened.switch_page("views/best.py").run()
    assert not opened.exception
    assert opened.title[0].value == "Best"
    with open_store(url, read_only=True) as store:
        board = leaderboards(store, stores.BENCHMARK)[0]
    shown = with_field(opened, "tone")
    assert [row["name"] for row in shown] == [row.model for row in board.rows]
    assert [row["value"] for row in shown] == pytest.approx(
        [100 * row.leading.value for row in board.rows]
    )
    assert len(opened.get("download_button")) == 5
    assert opened.query_params["benchmark"] == stores.BENCHMARK


def test_no_page_is_long() -> None:
    lengths = {
        file.name: len(file.read_text("utf-8").splitlines()) for file in DASHBOARDS.glob("views/*")
        if file.suffix == ".py"
    }  # fmt: skip
    assert len(lengths) >= 10
    assert {name: n for name, n in lengths.items() if n > 250} == {}
