"""The first page: counts that are every row's, leaders that are the board's, and a way to begin."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.win_rate import win_rates
from judgebench.records import Estimate
from judgebench.reports.board import Board, Row
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.drawn import with_field
from tests.dashboards.test_pages import MARKUP, texts, verdicts
from tests.dashboards.without_root import without_root_rights
from tests.table import over_rows

PROGRESS = {
    "stage": "judging: gpt", "total": 960, "done": 400, "waiting": 0,
    "failed": {"timeout": 2, "server": 1}, "calls": 403, "tokens": 9000, "cost_usd": 0.84,
    "budget_usd": 20.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("demo") / "demo.db")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill_kinds(tmp_path_factory.mktemp("kinds") / "kinds.db")


def test_the_counts_are_those_of_the_store(open_page: Any, demo: str) -> None:
    app = open_page("overview", demo)
    assert not app.exception
    assert f"{stores.BENCHMARK}@{stores.VERSION}" in texts(app)
    n = len(verdicts(demo)["model"])
    assert f"48 items · 5 models · 5 judges (1 of them people) · {n:,} verdicts" in texts(app)


def test_people_say_who_leads_where_they_have_judged(open_page: Any, demo: str) -> None:
    app = open_page("overview", demo)
    rows = [row for row in accuracies(verdicts(demo)) if row.judge == stores.HUMAN]
    best = max(rows, key=lambda row: row.leading.value)
    may_be = [row.model for row in rows if row.rank_low == 1]
    assert best.rank_high is not None
    assert len(may_be) == best.rank_high > 1, "nobody's set is 1 alone"
    assert f"{', '.join(may_be[:-1])} or {may_be[-1]} may be first" in texts(app)
    assert f"accuracy, judged by {stores.HUMAN}" in texts(app)
    rows_drawn = with_field(app, "tone")
    first = rows_drawn[0]
    assert first["name"].endswith(best.model)
    for name in ("value", "low", "high"):
        assert first[name] == pytest.approx(100 * getattr(best.leading, name))
    assert f"n {best.leading.n}" in first["note"]
    assert any(one.value == f"and {len(rows) - len(rows_drawn)} more" for one in app.caption)


def test_overlapping_intervals_are_no_winner(open_page: Any, kinds: str) -> None:
    app = open_page("overview", kinds)
    rows = [r for r in win_rates(verdicts(kinds), stores.BASELINE) if f"by {r.judge}" in texts(app)]
    assert rows, "the board of one judge"
    drawn = with_field(app, "tone")
    assert [row["value"] for row in drawn] == pytest.approx(
        [row.leading.value for row in rows[: len(drawn)]]
    )
    may_be_first = [row.model for row in rows if row.rank_low == 1]
    others = [model for model in may_be_first if model != "null-model"]
    assert len(others) == len(drawn) == 3
    assert f"{', '.join(others[:-1])} or {others[-1]} may be first" in texts(app)


@over_rows(
    ("sets", "line"),
    [
        ([(1, 1), (2, 3), (2, 3)], "m0 is first"),
        ([(1, 2), (1, 2), (3, 3)], "m0 or m1 may be first"),
        ([(1, 3), (1, 3), (1, 3)], "m0, m1 or m2 may be first"),
        ([(1, 12)] * 12, "12 of 12 models may be first"),
        ([(1, 1)], "m0 is the only model"),
    ],
)
def test_first_is_who_has_no_other_rank(sets: list[tuple[int, int]], line: str) -> None:
    half = Estimate(value=0.5, low=0.4, high=0.6, n=9, units=9)

    def board(n_more: int, metric: str = "accuracy", *, excluded: bool = False) -> Board:
        ranked = [
            Row(model=f"m{i}", model_id=f"{i}", rank=1, rank_low=low, rank_high=high,
                metrics={metric: half}, counts={}, flags=())
            for i, (low, high) in enumerate(sets)
        ]  # fmt: skip
        row = replace(ranked[0], model="more", rank=None, rank_low=None, rank_high=None)
        more = [replace(row, excluded=excluded)] * n_more
        return Board(
            benchmark="b", version="1", metric=metric, scale=None, judge="j", judge_id="j",
            judge_is="a judge", rows=(*ranked, *more),
        )  # fmt: skip

    assert board(0).who_leads(3) == line
    alone = len(sets) == 1
    assert board(2).who_leads(3) == (f"{line} with a rank" if alone else line)
    rated = f"{len(sets)} of {len(sets) + 2} models are ranked; nobody is first of all"
    assert board(2, "win_rate").who_leads(3) == rated
    assert board(2, "win_rate", excluded=True).who_leads(3) != rated


def test_the_link_leads_to_the_board_that_is_drawn(open_page: Any, demo: str) -> None:
    app = open_page("overview", demo)
    links = [one.proto for one in app.get("page_link")]
    (to_board,) = [link for link in links if link.label == "Leaderboard"]
    assert f"benchmark={stores.BENCHMARK}" in to_board.query_string
    assert "judge=human" in to_board.query_string


def test_a_judge_that_left_too_much_out_does_not_say_who_leads(
    open_page: Any, tmp_path: Path
) -> None:
    said = stores.labels
    url = stores.fill_with(
        tmp_path / "s.db",
        {"m": {"aaa": said("+???????"), "zzz": said("+-+-+-+-")},
         "n": {"aaa": said("+???????"), "zzz": said("--------")}},
    )  # fmt: skip
    app = open_page("overview", url)
    assert "accuracy, judged by zzz" in texts(app)


def test_the_last_runs_stand_with_how_they_ended(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"m": {"judge": stores.labels("+-")}})
    suite = {"benchmarks": [{"name": stores.BENCHMARK}]}
    with open_store(url) as store:
        run = stores.manifest("spent", configuration=suite)
        store.start_run(run)
        counts = {"judged": 12, "failed": 3}
        store.update_run(
            replace(run, ended=run.started + 90, counts=counts, spend={"cost_usd": 1.5})
        )
        store.start_run(stores.manifest("killed", state="running"))
        store.start_run(stores.manifest("stopped", state="interrupted"))
    app = open_page("overview", url)
    assert not app.exception
    shown = app.dataframe[0].value.set_index("run")
    assert list(shown.index) == ["stopped", "killed", "spent", "first"]
    assert list(shown["state"]) == ["◌ interrupted", "✗ died", "✓ done", "✓ done"]
    row = shown.loc["spent"]
    assert (row["about"], row["did"], row["failed"]) == (stores.BENCHMARK, "12 judged", "3")
    assert (row["took"], row["USD"]) == ("2 min", "1.50")
    assert shown.loc["first", "USD"] == "–"


def test_a_run_that_writes_says_how_far_it_is(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"m": {"judge": stores.labels("+-")}})
    began = time.time() - 40
    run = replace(stores.manifest("now", state="running"), name="nightly")
    with open_store(url) as store, store.lease("run now"):
        store.start_run(run)
        told = {**PROGRESS, "began": began, "at": began + 40}
        store.update_run(replace(run, progress=told))
        app = open_page("overview", url)
        said = texts(app)
        assert "nightly · now" in said
        assert "judging: gpt" in said
        assert "403 of 960 · 10.1/s · about 55 s left · 403 calls" in said
        assert "3 failed (1 server, 2 timeout) · 0.8400 of 20 USD" in said
        told |= {"done": 500, "at": began + 45}
        store.update_run(replace(run, progress=told))
        app.run()
        assert "503 of 960 · 20.0/s · about 23 s left" in texts(app), "its rate is that of late"
    app.run()
    assert "nightly · now" not in texts(app), "who holds no lease is not running"


def test_a_run_that_says_nothing_any_more_is_pointed_out(tmp_path: Path) -> None:
    import run_parts

    told = {**PROGRESS, "total": None, "cost_usd": None, "began": 0.0, "at": time.time() - 400}
    run = replace(stores.manifest("now", state="running"), progress=told)
    going = run_parts.going(run)
    assert going.share is None
    assert going.line.startswith("403 · ")
    assert "price not known" in going.line
    assert "⚠ nothing heard for 7 min" in going.line


def test_failures_are_said_with_what_to_do(open_page: Any, tmp_path: Path) -> None:
    from judgebench.records import Failure

    url = stores.fill_with(tmp_path / "s.db", {"m": {"judge": stores.labels("+-")}})
    with open_store(url) as store:
        for i, again in enumerate((True, True, False)):
            store.put_failure(
                Failure(
                    key=bytes([i]) * 32, boundary="provider", message="m", attempts=1, at=1.0,
                    kind="rate_limit" if again else "refused", retriable=again,  # type: ignore[arg-type]
                )
            )  # fmt: skip
    said = texts(open_page("overview", url))
    assert "2 rate limit (provider): the same run again asks again." in said
    assert "1 refused (provider): asking again would give the same" in said


def test_many_benchmarks_are_counted_and_the_first_drawn(open_page: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    with open_store(url) as store:
        for n in range(15):
            store.put_items([replace(item, benchmark=f"b{n}") for item in stores.items(2)])
    app = open_page("overview", url)
    assert not app.exception
    assert "b0@v1" in texts(app)
    assert "Nothing has been judged yet." in texts(app)
    assert list(app.dataframe[0].value["benchmark"]) == ["b12@v1", "b13@v1", "b14@v1"]


@pytest.mark.parametrize("name", stores.HOSTILE)
def test_hostile_names_are_text(open_page: Any, tmp_path: Path, name: str) -> None:
    said = stores.labels
    url = stores.fill_with(
        tmp_path / "s.db", {name: {name: said("+-+-")}, "m": {name: said("--+-")}}
    )
    run = replace(stores.manifest("now", state="running"), name=name)
    with open_store(url) as store, store.lease("run now"):
        store.start_run(run)
        told = {**PROGRESS, "stage": name, "began": time.time() - 9, "at": time.time()}
        store.update_run(replace(run, progress=told))
        app = open_page("overview", url)
    assert not app.exception
    assert name in texts(app)
    for element in app:
        if element.type in MARKUP:
            assert name not in str(element.value), element


# nothing there, or not to be read ---------------------------------------------------------------


@pytest.mark.usefixtures("at_home")
def test_a_missing_store_says_what_to_type_and_offers_published_boards(
    open_page: Any, tmp_path: Path
) -> None:
    app = open_page("overview", f"sqlite:///{tmp_path / 'none.db'}")
    assert not app.exception
    assert app.info[0].value.startswith("There is no store here yet")
    assert app.code[0].value == "judgebench run suites/demo.yaml"
    assert [button.label for button in app.button] == ["Load the published boards"]
    assert not (tmp_path / "none.db").exists()


def test_a_locked_store_says_what_it_waits_for(open_page: Any, tmp_path: Path) -> None:
    """SQLite would wait half a minute, and the page would be blank."""
    file = tmp_path / "locked.db"
    open_store(str(file)).close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        app = open_page("overview", f"sqlite:///{file}")
        assert [info.value for info in app.info] == [
            "Another program has locked this store for itself alone."
        ]
        assert not app.title
    assert app.run().title[0].value == "Overview"


@pytest.mark.usefixtures("at_home")
def test_an_empty_store_offers_them_too(open_page: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    open_store(url).close()
    app = open_page("overview", url)
    assert app.info[0].value.startswith("The store is empty")
    assert [button.label for button in app.button] == ["Load the published boards"]


@pytest.mark.usefixtures("at_home")
def test_a_package_without_figures_says_where_they_are(
    open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgebench import registry

    monkeypatch.setattr(registry, "tasks_root", lambda: tmp_path)
    app = open_page("overview", f"sqlite:///{tmp_path / 'none.db'}")
    assert not app.button
    assert "Clone it and say --tasks CLONE/tasks" in texts(app)
    assert app.code[1].value == "judgebench import published"


@pytest.mark.usefixtures("at_home")
def test_a_folder_that_cannot_be_written_is_said(open_page: Any, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with without_root_rights():
        app = open_page("overview", f"sqlite:///{folder / 'none.db'}")
    assert not app.button
    assert "cannot be written" in texts(app)
