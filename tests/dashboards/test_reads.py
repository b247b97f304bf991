"""Where the store is, when it has moved, and what it holds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from judgebench import explore
from judgebench.reports.board_tables import Leaderboard
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.test_pages import texts
from tests.table import over_rows


def test_the_store_is_the_argument_then_the_environment_then_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import open_store as reads

    monkeypatch.delenv("JUDGEBENCH_STORE", raising=False)
    assert reads.store_url([]) == "sqlite:///results/judgebench.db"
    monkeypatch.setenv("JUDGEBENCH_STORE", "from-environment.db")
    assert reads.store_url(["--other"]) == "from-environment.db"
    assert reads.store_url(["--store", "a.db"]) == "a.db"
    assert reads.store_url(["--store=b.db"]) == "b.db"


def test_the_mark_moves_with_every_commit_and_with_nothing_else(tmp_path: Path) -> None:
    import open_store as reads
    import run_parts

    url = f"sqlite:///{tmp_path / 's.db'}"
    marks = [reads.mark_of(url)]
    with open_store(url) as store:
        for n in range(1, 4):
            store.put_items(stores.items(n))
            marks.append(reads.mark_of(url))
            list(run_parts.status_lines(url))
            with open_store(url, read_only=True) as reader:
                reader.verdicts(stores.BENCHMARK)
            assert reads.mark_of(url) == marks[-1]
    assert len(set(marks)) == len(marks)


def test_status_counts_what_is_there_and_names_who_is_writing(tmp_path: Path) -> None:
    import run_parts

    table = {"m": {"judge": stores.labels("+-?"), "other": stores.labels("++")}}
    url = stores.fill_with(tmp_path / "s.db", table, state="running")
    assert "running" not in "".join(run_parts.status_lines(url)), "who holds no lease was killed"
    with open_store(url) as store, store.lease("run first"):
        status = list(run_parts.status_lines(url))
    assert status[0] == "5 judgments · 0 answers"
    assert not any("failures" in line for line in status)
    assert [line for line in status if "running" in line] == ["running: demo, since 2 min"]


def test_several_raters_can_be_taken_together_as_the_reference(
    open_page: Any, tmp_path: Path
) -> None:

    said = {name: stores.labels("+-") for name in ("judge", "human/a", "human/b")}
    url = stores.fill_with(tmp_path / "s.db", {"m": said})
    with open_store(url, read_only=True) as store:
        (matrix,) = explore.matrices(store, stores.BENCHMARK, stores.VERSION)
        report = explore.against(store, stores.BENCHMARK, stores.VERSION, "human", "label")
    assert matrix.judges == ("human/a", "human/b", "judge")
    assert matrix.references == ("human", *matrix.judges)
    assert report.reference == "human"
    app = open_page("agreement", url, reference="human")
    assert "reference human (majority of human/a, human/b)" in texts(app)


@over_rows(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (90, "2 min"), (7200, "2 h"), (2e5, "2 d")]
)
def test_durations_are_short(seconds: float, words: str) -> None:
    import run_parts

    assert run_parts.duration(seconds) == words


def test_the_downloads_hold_the_numbers_that_are_shown(tmp_path: Path) -> None:
    import page
    import pandas as pd

    table = {
        name: {"judge": stores.labels("+-+-"), "human/a": stores.labels("++-?")}
        for name in ("=1+1", "plain, with a comma")
    }
    url = stores.fill_with(tmp_path / "s.db", table)
    place = (url, "", stores.BENCHMARK, stores.VERSION)
    with open_store(url, read_only=True) as store:
        found = explore.boards(store, *place[2:]).boards
    for board in found:
        documents = [Leaderboard.of([board]).document()]
        rows = pd.read_csv(io.StringIO(page.rendered(lambda it=documents: it, "csv")))
        # Nothing in it is a formula to a spreadsheet.
        names = [row.model.replace("=1+1", "'=1+1") for row in board.rows]
        assert list(rows["model"]) == names
        shown = [row.metrics["accuracy"].value for row in board.rows]
        assert list(rows["value"]) == pytest.approx(shown)
    with open_store(url, read_only=True) as store:
        report = explore.against(store, *place[2:], "human/a", "label")
    rows = pd.read_csv(io.StringIO(page.rendered(lambda: [report.document(by_model=True)], "csv")))
    metrics = sum(len(row.metrics) for row in report.rows)
    took = 3 * len(report.costs)  # dollars, seconds and their median
    assert len(rows) == metrics + len(report.differences) + took
