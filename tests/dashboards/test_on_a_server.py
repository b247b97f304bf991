"""Every page on a store of a server: read by a user who may only read, labelled by another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.dashboards import every_page_store, item_stores, label_stores
from tests.dashboards.test_every_page import CANNOT, LINKS, NO_STORE, PAGES, fine
from tests.postgres import Server

READER, LABELLER, PASSWORD = "only_reads", "labels_too", "open-sesame-of-pages"

ROLES = f"""
CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE {LABELLER} LOGIN PASSWORD '{PASSWORD}'
"""
RIGHTS = f"""
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}, {LABELLER};
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {LABELLER};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {LABELLER}
"""

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture(scope="module")
def server(postgres: Server) -> Iterator[Server]:
    with postgres.administrator() as connection:
        connection.execute(ROLES)
    yield postgres
    with postgres.administrator() as connection:
        connection.execute(f"DROP ROLE {READER}")
        connection.execute(f"DROP ROLE {LABELLER}")


def by(user: str, url: str) -> str:
    return url.replace("judge@", f"{user}:{PASSWORD}@")


def grant(server: Server, url: str) -> None:
    with server.administrator(url.rpartition("/")[2]) as connection:
        connection.execute(RIGHTS)


@pytest.fixture(scope="module")
def whole(server: Server) -> Iterator[str]:
    """A store with something for every page, as its owner calls it."""
    with server.database("store") as name:
        url = server.url(name)
        every_page_store.fill(url)
        grant(server, url)
        yield url


@pytest.mark.parametrize("page", PAGES)
def test_who_may_only_read_sees_every_page(
    open_page: Any, whole: str, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        app = open_page(page, by(READER, whole), **LINKS.get(page, {}))
    said = fine(app)
    assert "judgments" in said
    assert CANNOT not in said
    assert app.dataframe or page in ("items", "label", "overview", "nights")
    shown = "\n".join(str(one) for one in app.main) + said + caplog.text
    assert PASSWORD not in shown
    assert not {one.label for one in app.button} & {"Start this run", "What it would do"}


def test_who_may_only_read_searches(open_page: Any, whole: str) -> None:
    app = open_page("items", by(READER, whole), q="alert")
    said = fine(app)
    assert "The search index does not grow here" in said
    assert any(one.label == "Open" for one in app.button)


def test_labels_are_written_by_the_user_who_may(
    open_page: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.database("store") as name:
        url = server.url(name)
        label_stores.fill(url)
        grant(server, url)
        reader = by(READER, url)
        app = open_page("label", reader, rater="ann")
        said = fine(label(app))
        assert "docs/sharing.md has the rights" in said
        assert "0 of 12" in said
        monkeypatch.setenv("JUDGEBENCH_LABEL_STORE", by(LABELLER, url))
        app = open_page("label", reader, rater="ann")
        said = fine(label(app))
        assert "1 of 12" in said
        assert PASSWORD not in said
        with open_store(url, read_only=True) as store:
            assert [judge.name for judge in store.judges() if "ann" in judge.name] == ["human/ann"]
        with server.database() as other:
            item_stores.fill(server.url(other))
            monkeypatch.setenv("JUDGEBENCH_LABEL_STORE", server.url(other))
            said = fine(label(open_page("label", reader, rater="ann")))
            assert "is another store than the one that is shown" in said


def label(app: Any) -> Any:
    app.session_state["since"] -= 60  # it has been read
    (button,) = (one for one in app.button if one.label == "correct")
    return button.click().run()


def test_what_is_no_store_yet_and_a_server_that_is_away_are_a_sentence(
    open_page: Any, server: Server
) -> None:
    with server.database() as name:
        said = fine(open_page("leaderboard", server.url(name)))
        assert NO_STORE.partition("|")[0] in said
    away = f"postgresql://me:{PASSWORD}@127.0.0.1:1/db"
    said = fine(open_page("leaderboard", away))
    assert "cannot be reached" in said
    assert PASSWORD not in said
