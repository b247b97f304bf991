"""What a reader sees: numbers of the report, states in one sentence, and foreign text as text."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from judgebench import explore
from judgebench.columns import Coded
from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.agreement import LabelAgreement
from judgebench.metrics.judged_values import read_labels
from judgebench.metrics.scores import by_dimension, scores
from judgebench.metrics.win_rate import win_rates
from judgebench.store.opening import open_store
from tests.agreements import agreement
from tests.dashboards import stores

MARKUP = {"markdown", "caption", "title", "header", "subheader", "info", "error", "warning"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("demo") / "demo.db")


def aged(url: str, seconds: float) -> Any:
    """The state of a store that is shown, as if it had been so much longer."""
    state = importlib.import_module("answers").snapshot(url)
    state.since -= seconds
    return state


def texts(app: Any) -> str:
    return "\n".join(element.value for element in app.text)


def boxes(app: Any) -> dict[str, Any]:
    return {box.label: box for box in app.selectbox}


def table(app: Any, column: str) -> Any:
    """The first table of a page that has a column."""
    return next(one.value for one in app.dataframe if column in one.value)


def verdicts(url: str) -> Any:
    with open_store(url, read_only=True) as store:
        return store.verdicts(stores.BENCHMARK, stores.VERSION)


@pytest.mark.parametrize("judge", sorted(stores.RATERS))
def test_the_leaderboard_shows_the_estimates_of_the_judge_chosen(
    open_page: Any, demo: str, judge: str
) -> None:
    app = open_page("leaderboard", demo, judge=judge)
    assert not app.exception
    shown = app.dataframe[0].value
    rows = [row for row in accuracies(verdicts(demo)) if row.judge == judge]
    assert list(shown["model"]) == [row.model for row in rows]
    assert list(shown["n"]) == [row.leading.n for row in rows]
    assert list(shown["missing"]) == [row.leading.missing for row in rows]
    for name in ("value", "low", "high"):
        expected = [100 * getattr(row.leading, name) for row in rows]
        assert list(shown[name]) == pytest.approx(expected)
    assert boxes(app)["Judge"].value == judge
    assert f"{stores.BENCHMARK}@{stores.VERSION} · judge {judge}" in texts(app)


def test_unreadable_verdicts_are_counted_and_flagged(open_page: Any, demo: str) -> None:
    shown = open_page("leaderboard", demo, judge="smollm2-plain").dataframe[0].value
    assert (shown["unreadable"] > 0).all()
    assert (shown["n"] + shown["unreadable"] == 48).all()
    assert shown["flags"].str.contains("coverage").all()


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill_kinds(tmp_path_factory.mktemp("kinds") / "kinds.db")


def test_win_rates_are_shown_in_percent_against_the_opponent(open_page: Any, kinds: str) -> None:
    app = open_page("leaderboard", kinds, judge="claude")
    assert not app.exception
    ranked, apart = (app.dataframe[at].value for at in (0, 1))
    found = win_rates(verdicts(kinds), stores.BASELINE, ranked=set(ranked["model"]))
    rows = [row for row in found if row.judge == "claude"]
    assert list(apart["model"]) == ["null-model"], "its answers are meant for the judge"
    assert rows[-1].model == "null-model"
    shown = pd.concat([ranked, apart])
    assert list(shown["model"]) == [row.model for row in rows]
    assert list(ranked["rank"]) == [row.rank for row in rows[:-1]] == [1, 2, 3]
    assert apart["rank"].isna().all()
    assert list(shown["value"]) == pytest.approx([row.leading.value for row in rows])
    assert list(shown["won"]) == [row.counts["n_wins"] for row in rows]
    assert list(shown["judge cut off"]) == [row.counts["judge_truncated"] for row in rows]
    assert f"judge claude · against {stores.BASELINE}" in texts(app)
    (gamed,) = shown["flags"][shown["model"] == "null-model"]
    assert "addresses judge" in gamed
    assert "⚠ answers that address the judge: null-model (30 of 60)" in texts(app)
    assert boxes(app)["Metric"].options == [
        "win_rate",
        "discrete_win_rate",
        "standard_error",
        "order_flips",
        "avg_length",
    ]


def test_scores_are_shown_on_their_scale_with_their_parts(open_page: Any, kinds: str) -> None:
    app = open_page("leaderboard", kinds, judge="rubric", metric="score/tone")
    assert not app.exception
    said = verdicts(kinds)
    parts = Coded(np.arange(len(said["parts"])), said["parts"])
    rows = scores({**said, **by_dimension({"parts": parts})})
    shown = pd.concat([table.value for table in app.dataframe[:2]]).set_index("model")["value"]
    for row in rows:
        assert shown[row.model] == pytest.approx(row.metrics["score/tone"].value)


def test_a_panel_that_a_suite_declared_is_a_judge_to_choose(open_page: Any, kinds: str) -> None:
    app = open_page("leaderboard", kinds, judge=stores.PANEL)
    assert not app.exception
    assert boxes(app)["Judge"].options == ["claude", "gpt", "rubric", stores.PANEL]
    assert "majority of gpt, claude" in texts(app)
    assert sum(len(table.value) for table in app.dataframe[:2]) == len(stores.STRENGTH)


def test_a_panel_that_cannot_be_combined_is_one_sentence(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"m": {"gpt": stores.labels("+-")}})
    suite = {"benchmarks": [{"name": stores.BENCHMARK, "panel": ["gpt", "**nobody**"]}]}
    with open_store(url) as store:
        store.start_run(stores.manifest("second", configuration=suite))
    app = open_page("leaderboard", url, judge="panel/majority(gpt,**nobody**)")
    assert not app.exception
    assert "no judge called '**nobody**'" in texts(app)
    assert not app.dataframe


@pytest.mark.parametrize("opponent", stores.HOSTILE)
def test_a_hostile_opponent_reaches_no_element_that_reads_markup(
    open_page: Any, tmp_path: Path, opponent: str
) -> None:
    url = stores.fill_kinds(tmp_path / "s.db", n_items=2, baseline=opponent)
    app = open_page("leaderboard", url, judge="gpt")
    assert not app.exception
    assert f"against {opponent}" in texts(app)
    for element in app:
        if element.type in MARKUP:
            assert opponent not in str(element.value), element


def test_a_judge_with_several_boards_is_named_with_what_each_is_about(
    open_page: Any, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    for baseline in ("one", "two"):
        stores.fill_kinds(tmp_path / "s.db", n_items=2, baseline=baseline)
    app = open_page("leaderboard", url, judge="gpt · against two")
    assert "judge gpt · against two" in texts(app)
    assert "gpt · against one" in boxes(app)["Judge"].options


def test_the_choice_is_in_the_url_and_outlives_a_change_of_page(open_page: Any, demo: str) -> None:
    app = open_page("leaderboard", demo)
    boxes(app)["Judge"].select("exact_match").run()
    assert app.query_params["judge"] == "exact_match"
    app.switch_page("views/agreement.py").run()
    assert app.title[0].value == "Agreement"
    app.switch_page("views/leaderboard.py").run()
    assert boxes(app)["Judge"].value == "exact_match"


@pytest.mark.parametrize("scope", ["pooled", "macro", "model"])
def test_agreement_shows_kappa_of_the_scope_with_its_interval(
    open_page: Any, demo: str, scope: str
) -> None:
    app = open_page("agreement", demo, scope=scope, reference=stores.HUMAN)
    assert not app.exception
    shown = table(app, "cohen_kappa")
    report = agreement(verdicts(demo), reference=stores.HUMAN)
    rows = [row for row in report.rows if row.scope == scope]
    assert len(shown) == len(rows)
    for row in rows:
        name = row.judge if row.model is None else f"{row.judge} on {row.model}"
        kappa = row.metrics["cohen_kappa"]
        cell = shown.set_index("judge").loc[name, "cohen_kappa"]
        expected = f"{kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]".replace("-", "−")
        assert cell == expected


def test_the_confusion_counts_add_up_to_what_the_people_labelled(open_page: Any, demo: str) -> None:
    app = open_page("agreement", demo, reference=stores.HUMAN, shown="smollm2-plain")
    counts = table(app, "no verdict").set_index("reference")
    assert counts.to_numpy().sum() == 48 * len(stores.SKILL)
    columns = verdicts(demo)
    unreadable = sum(
        kind == "unreadable" and judge == "smollm2-plain"
        for kind, judge in zip(columns["kind"], columns["judge"], strict=True)
    )
    assert counts["unreadable"].sum() == unreadable


def test_every_two_judges_are_in_the_heat_map_people_first(demo: str) -> None:

    with open_store(demo, read_only=True) as store:
        (between,) = explore.matrices(store, stores.BENCHMARK, stores.VERSION)
    assert between.judges[0] == stores.HUMAN
    expected = {
        (row.judge, row.reference): row.metrics["cohen_kappa"].value
        for row in LabelAgreement(read_labels(verdicts(demo))).between()
    }
    found = {(row.judge, row.reference): row.metrics["cohen_kappa"].value for row in between.rows}
    assert found == pytest.approx(expected)
    intervals = {
        (row.judge, row.reference): (kappa.low, kappa.high, kappa.n, kappa.missing)
        for row in LabelAgreement(read_labels(verdicts(demo))).between()
        for kappa in (row.metrics["cohen_kappa"],)
    }
    for row in between.rows:
        kappa = row.metrics["cohen_kappa"]
        ends = (kappa.low, kappa.high, kappa.n, kappa.missing)
        assert ends == pytest.approx(intervals[row.judge, row.reference])


def test_an_undefined_kappa_is_a_dash_with_its_reason(open_page: Any, tmp_path: Path) -> None:
    said = stores.labels
    url = stores.fill_with(
        tmp_path / "s.db",
        {"m": {"human/a": said("++++"), "same": said("++++"), "other": said("++-?")}},
    )
    app = open_page("agreement", url, reference="human/a")
    assert not app.exception
    shown = table(app, "cohen_kappa").set_index("judge")
    assert pd.isna(shown.loc["same", "cohen_kappa"])
    assert re.search(r"– human/a × same: \S+", texts(app))


@pytest.mark.parametrize("page", ["leaderboard", "agreement"])
def test_hostile_names_reach_no_element_that_reads_markup(
    open_page: Any, tmp_path: Path, page: str
) -> None:
    said = stores.labels
    names = stores.HOSTILE
    table = {
        name: {"human/" + names[0]: said("+-+-"), names[1]: said("++--"), names[2]: said("+?-+")}
        for name in names
    }
    app = open_page(page, stores.fill_with(tmp_path / "s.db", table))
    assert not app.exception
    for element in app:
        if element.type in MARKUP:
            assert not any(name in str(element.value) for name in names), element
    assert any(name in texts(app) for name in names)
    if page == "leaderboard":
        assert set(app.dataframe[0].value["model"]) == set(names)


@pytest.mark.parametrize("page", ["leaderboard", "agreement"])
def test_items_without_verdicts_are_no_board(open_page: Any, tmp_path: Path, page: str) -> None:
    url = f"sqlite:///{tmp_path / 'items.db'}"
    with open_store(url) as store:
        store.put_items(stores.items(3))
    app = open_page(page, url)
    assert not app.exception
    assert len(app.info) == 1


def test_tables_follow_a_store_that_is_being_written(open_page: Any, tmp_path: Path) -> None:
    table = {"first": {"judge": stores.labels("+-+-")}}
    url = stores.fill_with(tmp_path / "s.db", table, state="running")
    app = open_page("leaderboard", url)
    assert len(app.dataframe[0].value) == 1
    assert "running: demo" not in texts(app), "who holds no lease was killed"
    with open_store(url) as store, store.lease("run first"):
        app.run()
        assert "running: demo" in texts(app)
    table = {"second": {"judge": stores.labels("++++")}}
    stores.fill_with(tmp_path / "s.db", table, run_id="second")
    app.run()
    assert len(app.dataframe[0].value) == 1, "the page stands still between refreshes"
    state = aged(url, 60)
    state.took_s = 7.0
    app.run()
    assert len(app.dataframe[0].value) == 1, "what takes 7 s is computed once in 70 s"
    state.since -= 10
    app.run()
    assert list(app.dataframe[0].value["model"]) == ["second", "first"]
