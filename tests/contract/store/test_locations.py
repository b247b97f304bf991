"""What is asked of the place of a store: is it there, which state is it in, may it be written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from judgebench.store.opening import located, open_store
from judgebench.store.postgres import PASSWORD, conninfo, without_password
from judgebench.store.search import make_index
from tests.dashboards import stores
from tests.postgres import Server
from tests.table import over_rows


def test_a_store_is_there_once_it_was_made(unmade_url: str) -> None:
    where = located(unmade_url)
    assert not where.exists()
    open_store(unmade_url).close()
    assert where.exists()
    assert where.size() > 0
    assert where.why_read_only() == ""


def test_the_mark_moves_with_every_commit(store_url: str) -> None:
    with open_store(store_url) as store:
        marks = [located(store_url).mark()]
        for n in range(1, 4):
            store.put_items(stores.items(n))
            marks.append(located(store_url).mark())
            with open_store(store_url, read_only=True) as reader:
                reader.verdicts(stores.BENCHMARK)
                assert make_index(reader, 60.0, store_url).complete
            if store_url.startswith("sqlite"):  # a server may count it once more, seconds later
                assert located(store_url).mark() == marks[-1]
        assert len(set(marks)) == len(marks)


def test_the_mark_is_another_one_when_the_writer_has_ended(store_url: str) -> None:
    """A server counts what a connection wrote when it ends, which is a moment later."""
    open_store(store_url).close()
    before = located(store_url).mark()
    with open_store(store_url) as store:
        store.put_items(stores.items(3))
    deadline = time.monotonic() + 30
    while located(store_url).mark() == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_may_only_read_is_told_so(postgres: Server) -> None:
    with postgres.database("store") as name:
        with postgres.administrator(name) as connection:
            connection.execute("CREATE ROLE looks_on LOGIN")
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looks_on")
        try:
            where = located(postgres.url(name, "looks_on"))
            assert where.exists()
            assert where.mark() == located(postgres.url(name)).mark()
            assert "may only read it" in where.why_read_only()
        finally:
            with postgres.administrator(name) as connection:
                connection.execute("DROP OWNED BY looks_on")
                connection.execute("DROP ROLE looks_on")


def test_a_server_that_is_away_may_not_be_written_and_has_no_size() -> None:
    where = located("postgresql://me@127.0.0.1:1/db")
    assert "cannot be reached" in where.why_read_only()
    assert where.size() == 0


def test_what_tells_places_apart_holds_no_password(tmp_path: Path) -> None:
    places = [
        f"sqlite:///{tmp_path / 'a.db'}",
        f"sqlite:///{tmp_path / 'b.db'}",
        "postgresql://me:secret@host/a",
        "postgresql://me:secret@host/b",
        "postgresql://me:secret@host/a?options=-csearch_path%3Dother",
    ]
    found = [located(url).identity for url in places]
    assert len(set(found)) == len(places)
    assert located(places[0]).identity == found[0]
    assert located("postgresql://me:another@host/a").identity == found[2]
    assert not any("secret" in one for one in found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:a%2Fb%40c@host:5433/db?connect_timeout=3",
        "postgresql://me@host:5433/db?password=a%2Fb%40c&connect_timeout=3",
    ],
)
def test_another_program_is_told_a_password_by_its_environment(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, secret = without_password(url)
    assert secret == {PASSWORD: "a/b@c"}
    assert "a/b@c" not in address
    assert "a%2Fb" not in address
    monkeypatch.setenv(PASSWORD, secret[PASSWORD])
    assert conninfo(address) == conninfo(url)


@over_rows(
    "url", ["postgresql://me@host/db", "postgresql:///db", "postgresql://me:${SECRET}@host/db"]
)
def test_an_address_without_a_password_stays_as_it_is(url: str) -> None:
    assert without_password(url) == (url, {})
