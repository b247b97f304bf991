"""The Compare page: the report's numbers, its items in order, and links that say all of it."""

from __future__ import annotations

import io
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import pandas as pd
import pytest

from judgebench import explore
from judgebench.reports.compare import Comparison, comparison
from judgebench.store.opening import open_store
from tests.dashboards import compare_stores, stores
from tests.dashboards.drawn import drawings
from tests.dashboards.test_pages import MARKUP, aged, boxes, table, texts
from tests.dashboards.told import verbatim

ROW = f"{stores.BENCHMARK}@{stores.VERSION} · reader · accuracy"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compare_stores.fill(tmp_path_factory.mktemp("compare") / "s.db")


@pytest.fixture(scope="module")
def report(store: str) -> Comparison:
    with open_store(store, read_only=True) as opened:
        return comparison(opened, "newer", "older")


def opened_on(open_page: Any, url: str, **query: Any) -> Any:
    return open_page("compare", url, **({"judge": "", "benchmark": "", "metric": ""} | query))


def buttons(app: Any) -> dict[str, Any]:
    return {button.label: button for button in app.button}


def html(app: Any) -> list[str]:
    """The marked texts; the style that every page has stands outside of what is read."""
    return [element.proto.body for element in app.main.get("html")]


def test_the_numbers_are_those_of_the_report(
    open_page: Any, store: str, report: Comparison
) -> None:
    app = opened_on(open_page, store, first="newer", second="older")
    assert not app.exception
    shown = app.dataframe[0].value
    assert list(shown["judge"]) == [test.judge for test in report.tests]
    assert list(shown["decision"]) == [test.decision for test in report.tests]
    assert "better" in set(shown["decision"])
    for line, test in zip(shown.to_dict("records"), report.tests, strict=True):
        scale = 100 if test.metric == "accuracy" else 1
        assert line["first"] == pytest.approx(scale * test.candidate_value)
        assert line["second"] == pytest.approx(scale * test.baseline_value)
        assert line["difference"].startswith(f"{scale * test.difference.value:+.2f}")
        assert (line["better"], line["worse"]) == (test.better, test.worse)
        assert line["missing"] == test.difference.missing
    # Item 7 has no readable verdict of the reader on one of the two.
    assert list(shown["better"] + shown["equal"] + shown["worse"]) == [47, 48, 48]
    assert f"against older: {report.verdict}" in texts(app)


def test_a_second_and_a_third_are_each_compared_with_the_first(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store, first="newer", second=["third", "older"])
    assert not app.exception
    shown = app.dataframe[0].value
    assert list(dict.fromkeys(shown["against"])) == ["third", "older"]
    assert len(shown) == 6
    assert app.multiselect[0].value == ["third", "older"]


def test_models_that_a_judge_compared_with_each_other_are_offered_and_shown(
    open_page: Any, store: str
) -> None:
    """The baseline was an opponent only: asked either way round the page says who won."""
    for first, second in (("newer", "baseline"), ("baseline", "newer")):
        with open_store(store, read_only=True) as stored:
            (test,) = comparison(stored, first, second, by="category").tests[:1]
        app = opened_on(open_page, store, first=first, second=second, by="category")
        assert not app.exception
        assert first in boxes(app)["First"].options
        shown = app.dataframe[0].value
        whole = f"win_rate, {first} against {second}, directly"
        assert list(shown["metric"]) == [whole] + [
            whole.replace(",", f"/{group},", 1) for group in ("capitals", "rivers")
        ]
        line = shown.iloc[0]
        assert (line["first"], line["second"]) == pytest.approx((test.candidate_value, 50.0))
        assert line["decision"] == ("better" if first == "newer" else "worse") == test.decision
        said = " ".join(caption.value for caption in app.caption)
        assert "Directly: a judge compared their answers" in said
        assert "tested against 50 %" in said


def test_groups_are_rows_of_their_own(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store, first="newer", second="older", by="category", judge="reader")
    assert list(app.dataframe[0].value["metric"]) == [
        "accuracy",
        "accuracy/capitals",
        "accuracy/rivers",
    ]
    assert boxes(app)["By"].value == "category"


def test_a_grouping_that_there_is_not_is_said(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store, first="newer", second="older", by="no such")
    assert not app.exception
    assert "no such" in texts(app)
    assert not app.dataframe


def test_items_come_by_how_much_they_decided_and_one_is_told(
    open_page: Any, store: str, report: Comparison
) -> None:
    app = opened_on(open_page, store, first="newer", second="older", test=ROW)
    ranking, verdicts = app.dataframe[1].value, app.dataframe[2].value
    expected = [flip.item_id for flip in report.tests[0].most_telling(25)]
    assert list(ranking["item"]) == expected
    assert ranking["question"][0] == f"Which river flows through capital {expected[0]}?"
    assert ranking["difference"][0] == 100
    assert all("<mark" in body for body in html(app))
    assert list(verdicts["judge"]) == ["pairwise", "pairwise", "reader", "rubric"]
    assert list(verdicts["order"])[:2] == ["shown first", "shown second"]
    wrote = verbatim(app)
    assert any(block.startswith(f"newer on {expected[0]}: ") for block in wrote)
    assert any(block.startswith(f"older on {expected[0]}: ") for block in wrote)


def test_the_next_and_the_one_before_are_a_key_away(
    open_page: Any, store: str, report: Comparison
) -> None:
    expected = [flip.item_id for flip in report.tests[0].most_telling(3)]
    app = opened_on(open_page, store, first="newer", second="older", test=ROW)
    assert buttons(app)["Previous item"].disabled
    assert [buttons(app)[f"{way} item"].proto.shortcut for way in ("Previous", "Next")] == [
        "p",
        "n",
    ]
    buttons(app)["Next item"].click().run()
    assert app.query_params["item"] == expected[1]
    assert f"item {expected[1]}: 2 of" in texts(app)
    buttons(app)["Previous item"].click().run()
    assert f"item {expected[0]}: 1 of" in texts(app)


def test_an_item_of_a_link_is_shown_with_its_page_of_the_ranking(
    open_page: Any, store: str, report: Comparison
) -> None:
    win_rate = next(test for test in report.tests if test.metric == "win_rate")
    ranked = [flip.item_id for flip in win_rate.most_telling(48)]
    assert len(ranked) > 25
    row = f"{stores.BENCHMARK}@{stores.VERSION} · pairwise · win_rate against baseline"
    app = opened_on(open_page, store, first="newer", second="older", test=row, item=ranked[30])
    assert list(app.dataframe[1].value["item"]) == ranked[25:]
    assert f"item {ranked[30]}: 31 of {len(ranked)}" in texts(app)
    buttons(app)["Previous page"].click().run()
    assert list(app.dataframe[1].value["item"]) == ranked[:25]


def test_an_item_on_which_they_do_not_differ_can_be_linked_too(
    open_page: Any, store: str, report: Comparison
) -> None:
    flips = {flip.item_id for flip in report.tests[0].flips}
    item = next(str(i) for i in range(48) if str(i) not in flips and i != 7)
    app = opened_on(open_page, store, first="newer", second="older", test=ROW, item=item)
    assert not app.exception
    assert f"item {item}: the two do not differ on it" in texts(app)
    assert f"Question of item {item}" in texts(app)


def test_what_is_said_of_a_row_names_the_row(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store, first="older", second=["third", "newer"])
    assert not app.exception
    with open_store(store, read_only=True) as opened:
        reports = [comparison(opened, "older", other) for other in ("third", "newer")]
    rows = boxes(app)["Of which row"].options
    said = [one.remarks for report in reports for one in report.tests]
    assert len(rows) == len(said) and sum(map(len, said)) >= 3
    lines = texts(app).splitlines()
    for row, remarks in zip(rows, said, strict=True):
        for remark in remarks:
            assert any(line.startswith("– ") and row in line and remark in line for line in lines)


def test_why_two_cannot_be_compared_names_them(open_page: Any, store: str) -> None:
    with open_store(store, read_only=True) as opened:
        ids = [model.id for model in opened.models()]
    app = opened_on(open_page, store, first="newer", second="older", by="wool")
    assert not app.exception
    assert "no way of grouping called 'wool'" in texts(app)
    assert "on which newer and older meet" in texts(app)
    assert not [one for one in ids if one in texts(app)]


def test_an_item_has_one_heading(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store, first="newer", second="older")
    assert "Question of item" in texts(app)
    assert [heading.value for heading in app.subheader] == ["Items that decided it"]


def test_a_link_may_name_models_by_id_and_may_be_out_of_date(open_page: Any, store: str) -> None:
    with open_store(store, read_only=True) as opened:
        ids = {model.name: model.id for model in opened.models()}
    app = opened_on(open_page, store, first=ids["older"], second=ids["third"])
    assert boxes(app)["First"].value == "older"
    assert app.multiselect[0].value == ["third"]
    app = opened_on(
        open_page, store, first="gone", second="gone too", item="gone", test="gone", part="9" * 30
    )
    assert not app.exception
    assert len(app.dataframe) == 3


def test_nobody_chosen_is_a_hint(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store, first="newer", second="older")
    app.multiselect[0].set_value([]).run()
    assert not app.exception
    assert app.info[0].value.startswith("Choose one or more models")


def test_the_download_is_the_report(store: str, report: Comparison) -> None:
    import page

    once = report.document()
    rows = pd.read_csv(io.StringIO(page.rendered(lambda: [once], "csv")))
    assert list(rows["difference_value"]) == pytest.approx(
        [test.difference.value for test in report.tests]
    )
    assert "newer against older" in page.rendered(lambda: [once, once], "md")


def test_one_model_alone_is_said(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"alone": {"judge": stores.labels("+-")}})
    app = opened_on(open_page, url)
    assert not app.exception
    assert app.info[0].value.startswith("Two models are needed")


@pytest.mark.parametrize("item", range(len(compare_stores.HOSTILE)))
def test_hostile_answers_reach_no_element_that_reads_markup(
    open_page: Any, tmp_path_factory: pytest.TempPathFactory, item: int
) -> None:
    url = f"sqlite:///{tmp_path_factory.getbasetemp() / 'hostile-compare.db'}"
    if not Path(url.removeprefix("sqlite:///")).exists():
        compare_stores.hostile(Path(url.removeprefix("sqlite:///")))
    pair = list(compare_stores.HOSTILE.values())[item]
    app = opened_on(open_page, url, first="newer", second="older", item=str(item))
    assert not app.exception
    for element in app:
        if element.type in MARKUP:
            assert not any(text in str(element.value) for text in pair), element
    for body in html(app):
        assert not any(tag in body for tag in ("<script", "<img", "<b>", "<a "))


def test_hostile_names_are_text(open_page: Any, tmp_path: Path) -> None:
    table = {
        name: {stores.HOSTILE[0]: stores.labels("+-+-"), stores.HOSTILE[2]: stores.labels("++--")}
        for name in stores.HOSTILE
    }
    app = opened_on(open_page, stores.fill_with(tmp_path / "s.db", table))
    assert not app.exception
    for element in app:
        if element.type in MARKUP:
            assert not any(name in str(element.value) for name in stores.HOSTILE), element


def test_who_can_be_compared_is_told_without_reading_verdicts(store: str) -> None:
    with open_store(store, read_only=True) as opened:
        found = opened.boards_met()
        (asked,) = opened.items(stores.BENCHMARK, stores.VERSION, ["3", "no such"])
    assert {(one.judge.name, one.model.name) for one in found} == {
        (judge, model)
        for judge in ("reader", "rubric", "pairwise")
        for model in ("older", "newer", "third")
    }
    assert {one.opponent.name for one in found if one.opponent} == {"baseline"}
    assert (asked.id, asked.question) == ("3", "Which river flows through capital 3?")


def test_models_that_share_no_board_are_not_offered(tmp_path: Path) -> None:

    said = stores.labels("+-")
    url = stores.fill_with(
        tmp_path / "s.db", {"a": {"x": said}, "b": {"x": said, "y": said}, "c": {"y": said}}
    )
    with open_store(url, read_only=True) as store:
        known = explore.met(store)
    ids = {name: one for one, name in known.models.items()}
    assert set(known.beside(ids["a"])) == {ids["b"]}
    assert set(known.beside(ids["b"])) == {ids["a"], ids["c"]}
    assert [one.judge.name for one in known.shared(ids["b"], [ids["a"]])] == ["x"]


def test_a_store_of_a_later_version_and_one_that_goes_away_are_said(
    open_page: Any, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    url = compare_stores.fill(path, n_items=3)
    app = opened_on(open_page, url, first="newer", second="older")
    assert len(app.dataframe) == 3
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    aged(url, 600)
    app.run()
    assert not app.exception
    assert app.error[0].value == "This cannot be shown."
    for file in tmp_path.iterdir():
        file.unlink()
    aged(url, 600)
    app.run()
    assert not app.exception
    assert app.info[0].value.startswith("There is no store here yet")


def test_rows_of_a_board_lead_here(open_page: Any, store: str) -> None:
    app = open_page("leaderboard", store, judge="reader")
    assert any("Choose two rows" in caption.value for caption in app.caption)
    key = "\0".join(["rows", stores.BENCHMARK, stores.VERSION, "reader"])
    app.session_state[key] = {"selection": {"rows": [0, 2, 1], "columns": [], "cells": []}}
    app.run()
    assert not app.exception
    (link,) = app.get("page_link")
    asked = parse_qs(link.proto.query_string)
    ids = {model.name: model.id for model in models(store)}
    ranked = list(app.dataframe[0].value["model"])
    assert asked["first"] == [ids[ranked[0]]]
    assert asked["second"] == [ids[ranked[2]], ids[ranked[1]]]
    assert asked["benchmark"] == [f"{stores.BENCHMARK}@{stores.VERSION}"]


def models(url: str) -> Any:
    with open_store(url, read_only=True) as opened:
        return opened.models()


def test_what_has_no_difference_is_in_the_table_and_not_drawn(
    open_page: Any, tmp_path: Path
) -> None:
    judged = {"both": stores.labels("+-+-++--+-+-"), "none": stores.labels("????????????")}
    url = stores.fill_with(tmp_path / "s.db", {"one": judged, "two": judged})
    app = opened_on(open_page, url, first="one", second="two")
    assert not app.exception
    (forest,) = drawings(app)
    assert {row["name"] for row in forest.rows if "name" in row} == {"both"}
    assert "1 of 2 are drawn; the table has all." in texts(app)
    assert len(table(app, "decision")) == 2
    assert any(
        "none" in line and "no item has a readable verdict on both" in line
        for line in texts(app).splitlines()
    )


def test_benchmarks_that_one_was_never_on_are_not_left_out(open_page: Any, tmp_path: Path) -> None:
    judged = {"judge": stores.labels("+-+-++--+-+-")}
    with mock.patch.multiple(stores, BENCHMARK="elsewhere"):
        stores.fill_with(tmp_path / "s.db", {"one": judged, "third": judged}, run_id="other")
    url = stores.fill_with(tmp_path / "s.db", {"one": judged, "two": judged})
    with open_store(url, read_only=True) as store:
        assert any("no model called" in note for note in comparison(store, "one", "two").notes)
    app = opened_on(open_page, url, first="one", second="two")
    assert not app.exception
    assert "undecided" in texts(app) and "no model called" not in texts(app)


def test_counts_without_room_are_not_drawn_in_part() -> None:
    import charts
    import compare_charts

    rows = pd.DataFrame(
        [{"name": "one", "test": "one", "tone": "rest", "note": note, "value": value, "low": -1.0,
          "high": 1.0, "better": 1, "equal": 2, "worse": 3}
         for note, value in (("0.0 [-1.0, 1.0]", 0.0), ("undefined " * 20, math.nan))]
    )  # fmt: skip
    room = compare_charts.Room.of(rows)
    assert room.notes < charts.text_px(["undefined " * 20])
    axis = charts.Axis(title="points", short="points", low=-1.0, high=1.0, digits=1)
    drawn = compare_charts.forest(rows.head(1), axis, charts.INK["light"], ("a", "b"), room)
    (bars, counts) = drawn.to_dict()["layer"][1]["layer"]
    for layer in (bars, counts):
        assert layer["mark"]["opacity"] == {"expr": f"{room.without_counts} ? 0 : 1"}
    assert bars["encoding"]["x"]["axis"]["labelExpr"].startswith(room.without_counts)
