"""Who may what on a server, by the SQL of docs/sharing.md; and folders that may not be written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from judgebench.errors import StoreError
from judgebench.labels import put_label
from judgebench.records import Label, VerdictSlot
from judgebench.store.copy import check, copy
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.contract.store.moving import Machine
from tests.e2e import runs
from tests.postgres import Server

DOCS = Path(__file__).resolve().parents[3] / "docs" / "sharing.md"
ROLES = ("bob", "lena", "judgebench_labeller", "judgebench_reader")


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """A database with a store and the roles of the docs: bob reads, lena labels."""
    (sql,) = re.findall(r"```sql\n(-- reader.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    with postgres.database("store") as name:
        with open_store(postgres.url(name)) as store:
            Machine(store, "run-1").judge(range(4))
        with psycopg.connect(postgres.url(name), autocommit=True) as connection:
            connection.execute(sql)
            connection.execute("CREATE ROLE bob LOGIN IN ROLE judgebench_reader")
            connection.execute("CREATE ROLE lena LOGIN IN ROLE judgebench_labeller")
            yield name
            for role in ROLES:
                connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def rows(store: Store, judge: str) -> list[object]:
    return store.verdicts("trivia", judges=[judge])["label"]


def test_a_reader_reads_and_writes_nothing(postgres: Server, database: str, tmp_path: Path) -> None:
    url = postgres.url(database, "bob")
    with open_store(url, read_only=True) as store:
        assert len(rows(store, "strict")) == 4
        its = [judge.key for judge in store.judges() if judge.name == "strict"]
        assert store.forget(judges=its, remove=False).judgments == 4
    with open_store(url) as store:  # opening alone writes nothing
        with pytest.raises(StoreError, match=r"does not let this user do so; docs/sharing\.md"):
            Machine(store, "run-2")
        assert len(store.runs()) == 1
    for words in (
        ("leaderboard", "trivia"),
        ("runs", "list"),
        ("cost",),
        ("export", "verdicts"),
        ("export", "parquet", "--output", tmp_path / "out"),
        ("forget", "--judge", "strict"),
        ("replies", "strict"),
        ("store", "check"),
    ):
        done = runs.typed(*words, "--store", url)
        assert done.code == 0, (words, done.err)
    copy(url, str(tmp_path / "copy.db"))
    done = runs.typed("forget", "--judge", "strict", "--yes", "--store", url)
    assert done.code == 73
    assert "docs/sharing.md" in done.err


def test_without_the_right_to_temporary_tables_it_is_said_what_lacks(
    postgres: Server, database: str
) -> None:
    with postgres.administrator() as connection:
        connection.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
    done = runs.typed("forget", "--judge", "strict", "--store", postgres.url(database, "bob"))
    assert done.code == 73
    assert "temporary tables" in done.err
    assert "docs/sharing.md has the rights that each needs" in done.err


def test_a_labeller_adds_labels_and_nothing_else(postgres: Server, database: str) -> None:
    url = postgres.url(database, "lena")
    with open_store(url) as store:
        (model,) = (model.key for model in store.models() if model.name == "model-a")
        for verdict in (Label(name="correct"), Label(name="wrong")):  # the newest counts
            place = VerdictSlot(
                benchmark="trivia", version="v1", item_id="1", model_key=model, judge_key=b""
            )
            put_label(store, "human/lena", place, verdict)
        assert rows(store, "human/lena") == ["wrong"]
        strict = [judge.key for judge in store.judges() if judge.name == "strict"]
        with pytest.raises(StoreError, match="does not let this user do so"):
            store.forget(judges=strict)
        with pytest.raises(StoreError, match="does not let this user do so"):
            Machine(store, "run-2").judge([7])
    assert check(url) == []


def test_a_table_that_came_later_is_the_whole_teams(postgres: Server, database: str) -> None:
    team = ("ann", "eve", "team")
    with psycopg.connect(postgres.url(database), autocommit=True) as connection:
        connection.execute("DROP TABLE rates")  # a store as it was before there were any
        connection.execute("CREATE ROLE team; GRANT CREATE ON SCHEMA public TO team")
        connection.execute("CREATE ROLE ann LOGIN IN ROLE team; CREATE ROLE eve LOGIN IN ROLE team")
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        for (table,) in connection.execute(tables).fetchall():
            connection.execute(f"ALTER TABLE {table} OWNER TO team")
        try:
            for one in team[:2]:
                with open_store(postgres.url(database, one)) as store:
                    store.lease_time(b"a door", 0.1)
        finally:
            for one in team:
                connection.execute(f"REASSIGN OWNED BY {one} TO CURRENT_USER")
                connection.execute(f"DROP OWNED BY {one}; DROP ROLE {one}")


def test_a_folder_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    path = folder / "store.db"
    with open_store(str(path)) as store:
        Machine(store, "run-1").judge(range(3))
    for name in folder.glob("store.db-*"):
        name.unlink()
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert check(str(path)) == []
        assert copy(str(path), str(tmp_path / "copy.db"))["judgments"] == 9
        done = runs.typed("export", "verdicts", "--store", str(path))
        assert (done.code, len(done.out.splitlines())) == (0, 9)
    finally:
        folder.chmod(0o755)
