"""What is about a server alone: who may come in, what it says, and that it may go and come back."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from judgebench.errors import (
    ConfigError,
    JudgebenchError,
    StoreBusyError,
    StoreError,
    StoreGoneError,
    at_once,
)
from judgebench.records import ChatRequest, Failure, ModelSpec, Reply
from judgebench.store import claims
from judgebench.store.opening import located, make, open_store
from judgebench.store.postgres import Postgres, printable
from judgebench.store.store import Store
from tests.postgres import GUARDED, PASSWORD, Server
from tests.table import over_rows

REQUEST = ChatRequest(provider="p", model="m", messages=())


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """A database with an empty store."""
    with postgres.database("store") as name:
        yield name


@pytest.fixture
def bare(postgres: Server) -> Iterator[str]:
    """A database with nothing in it."""
    with postgres.database() as name:
        yield name


@pytest.fixture
def store(postgres: Server, database: str) -> Iterator[Store]:
    with open_store(postgres.url(database)) as opened:
        yield opened


def refused(url: str, kind: type[JudgebenchError] = StoreError, **how: bool) -> str:
    with pytest.raises(kind) as error:
        open_store(url, **how)
    assert error.value.exit_code == (78 if kind is ConfigError else 73)
    return str(error.value)


def put(store: Store, number: int) -> None:
    store.put_reply(number.to_bytes(32), REQUEST, Reply(text=f"{number}"))


def has(store: Store, number: int) -> bool:
    return store.reply(number.to_bytes(32)) is not None


def fail(store: Store) -> None:
    """What is done twice counts twice."""
    store.put_failure(
        Failure(key=bytes(32), boundary="provider", message="503", retriable=True, at=1.0)
    )


def attempts(store: Store) -> int:
    (found,) = store.failures()["attempts"]
    return int(found)


def sql(server: Server, database: str, *statements: str) -> None:
    with server.administrator(database) as connection:
        for statement in statements:
            connection.execute(statement)


# who may come in ----------------------------------------------------------------------------------


def test_a_wrong_password_is_said_and_never_shown(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"127.0.0.1:{postgres.port}/{database}"
    name = f"postgresql://{GUARDED}@{place}"
    why = (
        f"the store {name} refuses this user or password: PGPASSWORD, ~/.pgpass or ${{NAME}} in the"
        " address give it (PostgreSQL says: connection failed: connection to server at"
        f' "127.0.0.1", port {postgres.port} failed: '
    )
    wrong = f'{why}FATAL:  password authentication failed for user "{GUARDED}")'
    assert refused(f"postgresql://{GUARDED}:hunter2@{place}") == wrong
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    assert refused(f"postgresql://{GUARDED}:${{DB_PASSWORD}}@{place}") == wrong
    assert refused(f"postgresql://{place}?user={GUARDED}&password=hunter2") == wrong
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert refused(name) == wrong
    monkeypatch.delenv("PGPASSWORD")
    assert refused(name) == f"{why}fe_sendauth: no password supplied)"
    nobody = refused(f"postgresql://nobody@{place}")
    assert nobody.endswith('FATAL:  role "nobody" does not exist)')


@pytest.mark.parametrize("by", ["the address", "a variable", "PGPASSWORD", "a password file"])
def test_a_password_comes_from_the_usual_places_and_is_not_shown(
    postgres: Server, database: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    sql(postgres, database, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {GUARDED}")
    place = f"127.0.0.1:{postgres.port}/{database}"
    url = f"postgresql://{GUARDED}@{place}"
    match by:
        case "the address":
            url = f"postgresql://{GUARDED}:{PASSWORD.replace(' ', '%20')}@{place}"
        case "a variable":
            url = f"postgresql://{GUARDED}:${{DB_PASSWORD}}@{place}"
            monkeypatch.setenv("DB_PASSWORD", PASSWORD)
        case "PGPASSWORD":
            monkeypatch.setenv("PGPASSWORD", PASSWORD)
        case "a password file":
            file = tmp_path / "pgpass"
            file.write_text(f"127.0.0.1:{postgres.port}:*:{GUARDED}:{PASSWORD}\n")
            file.chmod(0o600)
            monkeypatch.setenv("PGPASSFILE", str(file))
    with open_store(url, read_only=True) as store:
        assert store.runs() == []
        assert store.name == f"postgresql://{GUARDED}@{place}"
        shown = f"{store!r} {store._database!r} {located(url)!r} {located(url).name}"
    assert PASSWORD not in shown
    assert "open%20sesame" not in shown


def test_a_variable_that_is_not_set_is_named() -> None:
    url = "postgresql://me:${NO_SUCH_PASSWORD}@host/db"
    assert refused(url, ConfigError) == (
        "the store postgresql://me@host/db: ${NO_SUCH_PASSWORD} in its address is not set; export"
        " it"
    )


@over_rows(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me@host/db"),
        ("postgres://me:se?cret@host:5433/db?sslmode=require", "postgres://me@host:5433/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://me@host/db"),
        ("postgresql://host/db?password=se@cret", "postgresql://host/db"),
        ("postgresql:///db", "postgresql:///db"),
        ("postgresql://me:p@secret@host/db", "postgresql://…"),
        ("postgresql://me:secret/more@host/db", "postgresql://…"),
        ("postgresql://me:secret@[host/db", "postgresql://…"),
        ("postgresql://me:secret@host/db?nonsense=1", "postgresql://…"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert printable(url) == shown


def test_what_is_no_address_is_refused_without_its_password() -> None:
    said = refused("postgresql://me:secret@host/db?nonsense=1", ConfigError)
    assert said == (
        "the store postgresql://…: no address of a PostgreSQL database; it is written"
        " postgresql://USER@HOST/DATABASE"
    )


def test_a_server_that_cannot_be_reached_is_said(postgres: Server) -> None:
    start = (
        "the server of the store {} cannot be reached: see that the address is right and that it"
    )
    start += " runs (PostgreSQL says: "
    unknown = "postgresql://judge@no.such.host.invalid/db"
    said = refused(unknown, StoreGoneError)
    assert said.startswith(start.format(unknown) + "failed to resolve host 'no.such.host.invalid'")
    closed = "postgresql://judge@127.0.0.1:1/db"
    said = refused(closed, StoreGoneError)
    assert said == (
        start.format(closed) + 'connection failed: connection to server at "127.0.0.1", port 1'
        " failed: Connection refused); what was committed before is kept"
    )


def test_a_database_that_is_not_there_is_said(postgres: Server) -> None:
    url = postgres.url("nothing")
    assert refused(url).startswith(f"the store {url} is not there: `createdb` makes a database (")


# what is in it ------------------------------------------------------------------------------------


def test_another_programs_tables_are_left_alone(postgres: Server, bare: str) -> None:
    sql(postgres, bare, "CREATE TABLE judgments (x int)", "CREATE TABLE alembic_version (x int)")
    sql(postgres, bare, "DROP TABLE alembic_version", "CREATE TABLE theirs (x int)")
    url = postgres.url(bare)
    for read_only in (True, False):
        assert refused(url, read_only=read_only) == (
            f"{url} holds 2 tables of another program and no store; it was left as it is: give"
            " another database with --store (`createdb` makes one)"
        )
    with postgres.administrator(bare) as connection:
        names = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert {name for (name,) in connection.execute(names)} == {"judgments", "theirs"}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_of_a_newer_version_is_refused(
    postgres: Server, database: str, read_only: bool
) -> None:
    sql(postgres, database, "UPDATE alembic_version SET version_num = '9999'")
    url = postgres.url(database)
    said = refused(url, read_only=read_only)
    assert said.startswith(f"the store {url} was written by a newer judgebench (its schema is 9999")
    assert "upgrade judgebench-harness" in said


@pytest.mark.parametrize("how", [{"read_only": True}, {"create": False}])
def test_a_store_that_is_not_there_is_not_made(
    postgres: Server, bare: str, how: dict[str, bool]
) -> None:
    url = postgres.url(bare)
    assert refused(url, **how) == (
        f"there is no store in {url}; `judgebench run` and `judgebench import` make one there"
        " (--store or JUDGEBENCH_STORE say where)"
    )


def test_who_may_not_make_tables_is_told(postgres: Server, bare: str) -> None:
    with role(postgres, bare, "guest") as url:
        said = refused(url)
    assert said == (
        f"the store {url} does not let this user do so; docs/sharing.md has the rights that each"
        " needs (PostgreSQL says: permission denied for schema public)"
    )
    open_store(postgres.url(bare)).close()


def test_without_a_schema_there_is_no_place_for_tables(postgres: Server, bare: str) -> None:
    said = refused(postgres.url(bare) + "?options=-csearch_path%3Dnowhere")
    assert "has no schema for its tables: see the search_path of the address" in said


class role:  # noqa: N801 - a context
    """A user with some rights in one database; the URL of the store as that user has it."""

    def __init__(self, server: Server, database: str, name: str, *rights: str) -> None:
        self._server, self._database, self._name = server, database, name
        self._rights = rights

    def __enter__(self) -> str:
        grants = (f"GRANT {right} TO {self._name}" for right in self._rights)
        sql(self._server, self._database, f"CREATE ROLE {self._name} LOGIN", *grants)
        return self._server.url(self._database, self._name)

    def __exit__(self, *_: object) -> None:
        owned = f"DROP OWNED BY {self._name}"
        sql(self._server, self._database, owned, f"DROP ROLE {self._name}")


def test_who_may_only_read_reads_and_is_told_that_writing_is_not_allowed(
    postgres: Server, database: str
) -> None:
    with open_store(postgres.url(database)) as store:
        put(store, 1)
        store.put_model("m", ModelSpec(weights="m"))
    may = ("SELECT ON ALL TABLES IN SCHEMA public",)
    with role(postgres, database, "reader", *may) as url:
        for read_only in (True, False):
            with open_store(url, read_only=read_only) as store:
                assert has(store, 1)
                assert [model.name for model in store.models()] == ["m"]
                assert store.verdicts("trivia")["label"] == []
                with pytest.raises(StoreError) as refusal:
                    put(store, 2)
                if read_only:
                    assert str(refusal.value) == f"the store {url} was opened for reading only"
                else:
                    assert str(refusal.value).startswith(f"the store {url} does not let this user")
                assert refusal.value.exit_code == 73
                assert has(store, 1)  # it goes on


# several at once ----------------------------------------------------------------------------------


def test_who_opens_while_another_makes_the_store_waits_for_it(postgres: Server, bare: str) -> None:
    url = postgres.url(bare)
    opened: list[Store] = []
    first = Postgres(url)
    with first.writing() as connection:
        make(connection)
        late = threading.Thread(target=lambda: opened.append(open_store(url)))
        late.start()
        assert "there is no store in" in refused(url, read_only=True)
        late.join(0.3)
        assert late.is_alive()
    late.join(30)
    assert not late.is_alive()
    put(opened[0], 1)
    opened[0].close()
    first.close()


HOLD = """
    import sys
    from judgebench.store.opening import open_store
    with open_store(sys.argv[1]) as store, store.transaction():
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.mark.usefixtures("forked")
def test_a_killed_writer_is_in_nobodys_way(postgres: Server, store: Store) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), store.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with at_once(), pytest.raises(StoreError, match="is held by another process, which is wr"):
            put(store, 1)
        holder.kill()
        began = time.monotonic()
        put(store, 1)
        assert time.monotonic() - began < claims.STALE_S / 2  # it waited for no heartbeat
    assert has(store, 1)


# a server that goes and comes back ----------------------------------------------------------------


def test_a_connection_that_was_ended_is_made_again(
    postgres: Server, database: str, store: Store
) -> None:
    put(store, 1)
    for again in (
        lambda: put(store, 2),
        lambda: has(store, 2),
        lambda: store.models(),
        lambda: store.judged([bytes(32)]),
    ):
        assert postgres.end_connections(database) >= 1
        again()
    assert has(store, 1)
    assert has(store, 2)


def test_a_server_gone_in_the_middle_of_a_write_keeps_nothing_of_it(
    postgres: Server, database: str, store: Store
) -> None:
    put(store, 1)

    def write() -> None:
        with store.transaction():
            put(store, 2)
            store.put_model("m", ModelSpec(weights="m"))
            postgres.end_connections(database)
            store.models()

    with pytest.raises(StoreGoneError) as gone:
        write()
    said, why = str(gone.value).split(" (PostgreSQL says: ")
    assert said == (
        f"the server of the store {store.name} cannot be reached: see that the address is right and"
        " that it runs"
    )
    assert why.endswith("); what was committed before is kept")
    assert why.startswith(("terminating connection", "consuming input failed", "server closed"))
    assert has(store, 1)
    assert not has(store, 2)
    store.put_model("m", ModelSpec(weights="m"))  # nothing is remembered of what was lost
    put(store, 2)
    assert has(store, 2)


def test_a_write_waits_for_a_server_that_is_started_again(
    postgres: Server, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    put(store, 1)
    postgres.stop()
    starting = threading.Timer(1.5, postgres.start)
    starting.start()
    try:
        put(store, 2)
        assert has(store, 1)
        assert has(store, 2)
    finally:
        starting.join()
    assert f"the server of the store {store.name} does not answer" in capfd.readouterr().err


def test_a_look_up_waits_for_a_server_that_is_started_again(postgres: Server, store: Store) -> None:
    put(store, 1)
    postgres.stop()
    starting = threading.Timer(0.5, postgres.start)
    starting.start()
    try:
        assert has(store, 1)
    finally:
        starting.join()


def test_another_connection_waits_for_a_server_as_well(postgres: Server, store: Store) -> None:
    postgres.stop()
    starting = threading.Timer(0.5, postgres.start)
    starting.start()
    try:
        store._database.another().close()
    finally:
        starting.join()


def committing(
    monkeypatch: pytest.MonkeyPatch, around: Callable[[Callable[[], None]], None]
) -> list[bool]:
    """Do something around the next commit of the driver; what is returned tells whether it was."""
    called: list[bool] = []
    commit = psycopg.Connection.commit

    def once(connection: psycopg.Connection[Any]) -> None:
        if called or connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            commit(connection)
            return
        called.append(True)
        around(lambda: commit(connection))
        connection.execute("SELECT 1")  # says that the server has gone

    monkeypatch.setattr(psycopg.Connection, "commit", once)
    return called


@pytest.mark.parametrize("goes", ["connection", "server"])
def test_a_commit_whose_answer_was_lost_is_not_done_again(
    postgres: Server, database: str, store: Store, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    fail(store)

    def answer_is_lost(commit: Callable[[], None]) -> None:
        commit()
        if goes == "connection":
            postgres.end_connections(database)
        else:
            postgres.stop()
            postgres.start()

    called = committing(monkeypatch, answer_is_lost)
    fail(store)
    assert called
    assert attempts(store) == 2
    fail(store)
    assert attempts(store) == 3


@pytest.mark.parametrize("goes", ["connection", "server", "server, and another writes"])
def test_a_commit_that_was_lost_is_not_taken_for_done(
    postgres: Server, database: str, store: Store, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    """A server that crashed gives the number of a lost transaction to the next one."""
    fail(store)

    def commit_is_lost(commit: Callable[[], None]) -> None:
        if goes == "connection":
            postgres.end_connections(database)
        else:
            postgres.stop()
            postgres.start()
        if goes == "server, and another writes":
            with open_store(store.url) as other:
                fail(other)
        commit()

    others = 1 if goes == "server, and another writes" else 0
    called = committing(monkeypatch, commit_is_lost)
    with pytest.raises(StoreGoneError), store.transaction():
        fail(store)
    assert called
    assert attempts(store) == 1 + others
    called.clear()  # the next one is lost as well
    fail(store)
    assert called
    assert attempts(store) == 2 + 2 * others, "it was done again, once"


def test_receipts_of_commits_go_with_who_made_them(postgres: Server, database: str) -> None:
    def receipts() -> int:
        with postgres.administrator(database) as connection:
            asked = "SELECT count(*) FROM meta WHERE name LIKE 'commit of %'"
            found = connection.execute(asked).fetchone()
        assert found is not None
        return int(found[0])

    long_ago = "INSERT INTO meta VALUES ('commit of one who was killed', '1600000000 3')"
    sql(postgres, database, long_ago)
    with open_store(postgres.url(database)) as store:
        assert receipts() == 1
        put(store, 1)
        put(store, 2)
        assert receipts() == 1, "the old one went"
    assert receipts() == 0


def test_writers_take_one_turn_whatever_their_search_path(postgres: Server) -> None:
    """Whoever has a schema of their own name finds the tables behind it, and waits like others."""
    with postgres.database("store") as name:
        with postgres.administrator(name) as connection:
            connection.execute("CREATE SCHEMA other")
        url = postgres.url(name)
        elsewhere = f"{url}?options=-csearch_path%3Dother,public"
        with open_store(url) as one, open_store(elsewhere) as two:
            with one.transaction(), at_once(), pytest.raises(StoreBusyError):
                two.put_model("m", ModelSpec(weights="m"))
            two.put_model("m", ModelSpec(weights="m"))
            assert [model.name for model in one.models()] == ["m"]
