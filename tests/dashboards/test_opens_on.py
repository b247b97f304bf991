"""A page opens on what it has something to say about, unless a link or a reader says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import narrow_store, stores
from tests.dashboards.narrow_store import ALONE, MANY, NIGHTS, SURE, TEXTS
from tests.dashboards.test_pages import boxes, texts


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return narrow_store.fill(tmp_path_factory.mktemp("opens") / "s.db", n_items=30)


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("page", "benchmark"),
    [
        ("leaderboard", ALONE),
        ("agreement", MANY),
        ("honesty", SURE),
        ("nights", NIGHTS),
        ("training", NIGHTS),
        ("label", TEXTS),
    ],
)
def test_a_page_opens_on_what_it_can_tell(
    open_page: Any, url: str, page: str, benchmark: str
) -> None:
    app = open_page(page, url)
    assert not app.exception
    assert boxes(app)["Benchmark"].value == benchmark
    assert not app.info, "and has something to tell"
    linked = open_page(page, url, benchmark=ALONE)
    assert boxes(linked)["Benchmark"].value == ALONE, "a link is followed"


def test_compare_opens_on_two_that_met(open_page: Any, tmp_path: Path) -> None:
    """Not on the newest, where it has met nobody."""
    path = tmp_path / "s.db"
    url = stores.fill_with(path, {name: {"gpt": stores.labels("+-+-")} for name in ("one", "two")})
    stores.fill_with(path, {"alone": {"claude": stores.labels("+-+-")}}, run_id="second")
    app = open_page("compare", url)
    assert boxes(app)["First"].value == "two"
    assert not app.info
    assert "two against one" in texts(app)


def test_what_a_reader_chose_is_kept_where_it_says_something(open_page: Any, url: str) -> None:
    app = open_page("leaderboard", url)
    app.query_params.clear()  # as a press in the navigation does
    app.switch_page("views/agreement.py").run()
    assert boxes(app)["Benchmark"].value == MANY, "the leaderboard's own choice is not theirs"
    app.query_params.clear()
    app.switch_page("views/leaderboard.py").run()
    boxes(app)["Benchmark"].set_value(TEXTS).run()
    app.query_params.clear()
    app.switch_page("views/agreement.py").run()
    assert boxes(app)["Benchmark"].value == TEXTS
    app.query_params.clear()
    app.switch_page("views/honesty.py").run()
    assert boxes(app)["Benchmark"].value == SURE, "of that there are no confidences"


def test_the_card_opens_on_the_judge_of_whom_most_is_known(open_page: Any, tmp_path: Path) -> None:
    said = stores.labels("+-+-")
    table = {"one": {"aye": said, "zed": said}, "two": {"aye": said}, "three": {"zed": said}}
    table["three"]["human/ada"] = said
    url = stores.fill_with(tmp_path / "s.db", table)
    assert boxes(open_page("judges", url))["Judge"].value == "zed", "beside people, not by name"
