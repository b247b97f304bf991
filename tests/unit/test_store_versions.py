"""Schema versions: the migrations make the tables the code speaks of, and old stores open."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from judgebench import keys
from judgebench.errors import StoreError
from judgebench.records import Label
from judgebench.store import opening
from judgebench.store.opening import open_store
from judgebench.store.schema import APPLICATION_ID, REVISION, metadata
from judgebench.store.store import Store

STORES = Path(__file__).parents[1] / "data" / "stores"


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "x.db")) as store, store._database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(opening.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [REVISION]
    assert {script.revision for script in scripts.walk_revisions()} == {REVISION}
    assert sorted(opening.OLDER) == OLDER_ONES, "one migration brings all of these here"


def test_the_file_says_that_it_is_ours(tmp_path: Path) -> None:
    open_store(str(tmp_path / "x.db")).close()
    head = (tmp_path / "x.db").read_bytes()[:100]
    assert head[68:72] == b"jbch" == APPLICATION_ID.to_bytes(4, "big")
    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_opening_loads_nothing_heavy(tmp_path: Path) -> None:
    open_store(str(tmp_path / "x.db")).close()
    program = (
        "import sys; from judgebench.store.opening import open_store;"
        "open_store(sys.argv[1]).close();"
        "print(sorted({'alembic', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_an_older_store_is_brought_up_to_date_by_a_writer_only(tmp_path: Path) -> None:
    path = first_schema(tmp_path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="has the older schema 0001 and is opened for reading"):
        open_store(str(path), read_only=True)
    assert path.read_bytes() == before
    open_store(str(path)).close()
    open_store(str(path), read_only=True).close()


@pytest.mark.parametrize("revision", sorted(opening.READABLE))
def test_a_store_of_most_older_schemas_is_read_as_it_is(tmp_path: Path, revision: str) -> None:
    path, make = of_schema(tmp_path, revision), builder()
    before = path.read_bytes()
    with open_store(str(path), read_only=True) as reader:
        assert reader.judged(make.JUDGMENT_KEYS) == set(make.JUDGMENT_KEYS)
        assert reader.reply(make.REQUEST_KEY) == make.REPLY
        assert len(reader.verdicts("trivia")["label"]) == make.PLACES
        assert len(reader.board_verdicts("trivia", "v1")["label"]) == make.PLACES
        empty = (reader.calibrations("trivia", "v1"), reader.baselines(), reader.anchors())
        assert empty == ([], [], [])
        assert reader.spend()["calls"] == reader.batches() == []
    assert path.read_bytes() == before


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_store", STORES / "make_store.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("release", sorted(path.stem for path in STORES.glob("*.db")))
def test_a_store_of_every_release_opens_with_nothing_asked_again(
    tmp_path: Path, release: str
) -> None:
    path = tmp_path / "old.db"
    shutil.copy(STORES / f"{release}.db", path)
    make = builder()
    with open_store(str(path)) as store:
        assert store.judged(make.JUDGMENT_KEYS) == set(make.JUDGMENT_KEYS)
        assert store.reply(make.REQUEST_KEY) == make.REPLY
        assert store.responses(list(make.RESPONSES)) == {
            key: [response] for key, response in make.RESPONSES.items()
        }
        assert store.items("trivia", "v1") == make.ITEMS
        verdicts, failures, runs = store.verdicts("trivia"), store.failures("trivia"), store.runs()
        if release not in FIRST_SCHEMA:
            holds_the_second(store, make)
            holds_the_third(store, make)
            holds_the_fourth(store, make)
            holds_the_fifth(store, make)
    make.make(tmp_path / "new.db")
    with open_store(str(tmp_path / "new.db"), read_only=True) as store:
        new = store.verdicts("trivia")
        if release in FIRST_SCHEMA:
            assert set(verdicts["marks"]) == {None}  # nobody had looked for any
            verdicts["marks"] = new["marks"]
        assert verdicts == new
        assert (failures, runs) == (store.failures("trivia"), store.runs()[: len(runs)])
    assert len(verdicts["label"]) == make.PLACES


FIRST_SCHEMA = ("0.1.0",)


def holds_the_second(store: Store, make: ModuleType) -> None:
    """All that came with the second schema."""
    columns = store.verdicts(make.SECOND)
    assert columns["repeat"] == [0, 1, 2]
    assert columns["marks"] == [marks for _, marks in make.SCORES]
    scored = [getattr(verdict, "parts", None) for verdict, _ in make.SCORES]
    assert columns["parts"] == scored
    failed = store.failures(make.SECOND)
    assert (failed["kind"], failed["repeat"]) == (["rate_limit"], [3])
    assert store.reply(make.SCORE_KEY) == make.SCORE_REPLY
    spent = store.spend(make.SECOND_RUN)
    assert sorted(zip(spent["how"], spent["calls"], spent["cost_usd"], strict=True)) == [
        ("batch", 1, 0.25), ("live", 3, 0.5), ("wasted", 1, 0.0)
    ]  # fmt: skip
    assert store.batches() == [make.BATCH]
    assert store.batch_requests(make.BATCH.id) == make.BATCH_REQUESTS


def holds_the_third(store: Store, make: ModuleType) -> None:
    (found,) = store.calibrations(make.SECOND, "v1")
    assert found.content == make.CALIBRATION
    assert (found.judge_key, found.opponent_key) == (make.STRICT_KEY, make.TUNED_KEY)
    assert (found.models, found.at) == ((make.BASE_KEY.hex()[:12],), make.NOW)


def holds_the_fourth(store: Store, make: ModuleType) -> None:
    first, last = store.baselines()
    assert (first.model_key, last.model_key) == (make.BASE_KEY, make.TUNED_KEY)
    for one in (first, last):
        assert (one.name, one.benchmark, one.version) == (make.BASELINE, "trivia", "v1")
        assert (one.run_id, one.at) == ("run-1", make.NOW)


def holds_the_fifth(store: Store, make: ModuleType) -> None:
    (anchors,) = store.anchors()
    assert (anchors.benchmark, anchors.version) == ("trivia", "v1")
    assert (anchors.judge_key, anchors.verdicts, anchors.at) == (make.STRICT_KEY, 1, make.NOW)
    (pinned,) = store.looked(anchors).items()
    assert pinned[1] == make.CASE_KEYS[0]
    assert store.looked(anchors, make.OCCASION).keys() == {pinned[0]}
    looks = store.looks(anchors)
    assert looks["occasion"] == ["", make.OCCASION]
    assert looks["label"] == [make.VERDICTS[0].name, "incorrect"]
    assert looks["served_model"][1] == "strict-2"


OLDER_ONES = [f"000{number}" for number in range(1, 7)]


def first_schema(folder: Path) -> Path:
    return Path(shutil.copy(STORES / "0.1.0.db", folder / "old.db"))


def of_schema(folder: Path, revision: str) -> Path:
    """The store of the first schema as the migrations of its time brought it to a later one."""
    path = first_schema(folder)
    steps = (STORES / "older_schemas.sql").read_text("ascii").split("-- ")[1:]
    assert [step[:4] for step in steps] == OLDER_ONES[1:]
    with closing(sqlite3.connect(path)) as connection:
        for step in steps[: OLDER_ONES.index(revision)]:
            connection.executescript(step[4:])
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(revision,)]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def everything(path: Path) -> list[str]:
    """Every row of every table and view, as the file has it."""
    connection = sqlite3.connect(path)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    found = {
        name: sorted(map(str, connection.execute(f"SELECT * FROM {name}")))
        for (name,) in names.fetchall()
    }
    connection.close()
    return [f"{name}: {row}" for name, rows in sorted(found.items()) for row in rows]


def test_what_notebooks_read_of_an_older_store_stays_the_same(tmp_path: Path) -> None:
    path = first_schema(tmp_path)
    before = [row for row in everything(path) if "_v1: " in row]
    assert any(row.startswith("verdicts_v1") for row in before)
    open_store(str(path)).close()
    assert [row for row in everything(path) if "_v1: " in row] == before


@pytest.mark.parametrize("revision", OLDER_ONES)
def test_a_migrated_store_takes_what_the_older_one_could_not(tmp_path: Path, revision: str) -> None:
    path, make = of_schema(tmp_path, revision), builder()
    with open_store(str(path)) as store, mock.patch("time.time", return_value=make.NOW):
        make._fill_second(store)
        make._fill_third(store)
        make._fill_fourth(store)
        make._fill_fifth(store)
        holds_the_second(store, make)
        holds_the_third(store, make)
        holds_the_fourth(store, make)
        holds_the_fifth(store, make)
        older = store.verdicts("trivia")
        place = dataclasses.replace(next(iter(store.current("trivia", "v1"))), repeat=1)
        make._judge(store, b"k" * 32, b"c" * 32, Label(name="correct"), place, "run-1", ("cut",))
        columns = store.verdicts("trivia")
    assert len(columns["label"]) == len(older["label"]) + 1
    assert sorted(columns["repeat"]) == [*[0] * len(older["label"]), 1]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.mark.parametrize("revision", OLDER_ONES)
def test_a_migrated_store_has_the_tables_of_the_schema(tmp_path: Path, revision: str) -> None:
    path = of_schema(tmp_path, revision)
    with open_store(str(path)) as store, store._database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        made = "SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'"
        without_rowid = set(connection.exec_driver_sql(made).scalars())
        revisions = connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
    assert revisions == [(REVISION,)]
    assert without_rowid == {
        name
        for name, table in metadata.tables.items()
        if table.kwargs.get("sqlite_with_rowid") is False
    }


def test_a_migration_that_fails_leaves_the_older_store_as_it_was(tmp_path: Path) -> None:
    path = first_schema(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE INDEX ix_batch_requests_key ON runs (id)")  # some tables later
    connection.commit()
    connection.close()
    before = everything(path)
    with pytest.raises(StoreError, match="ix_batch_requests_key already exists"):
        open_store(str(path))
    assert everything(path) == before
    connection = sqlite3.connect(path)
    connection.execute("DROP INDEX ix_batch_requests_key")
    connection.commit()
    connection.close()
    with open_store(str(path)) as store:
        assert len(store.verdicts("trivia")["label"]) == builder().PLACES


def test_the_keys_in_the_kept_store_are_still_computed_so() -> None:
    make = builder()
    assert make.JUDGMENT_KEYS[0] == keys.judgment_key(make.STRICT_KEY, make.CASE_KEYS[0])
    assert make.JUDGMENT_KEYS[0].hex()[:12] == make.FIRST_JUDGMENT


def test_there_is_a_store_of_this_release() -> None:
    from judgebench import __version__

    assert (STORES / f"{__version__}.db").stat().st_size < 200_000


def as_the_fifth(path: Path) -> None:
    """Take from a store what came with the sixth schema."""
    connection = sqlite3.connect(path)
    for view in ("spend_v1", "spend_v2"):
        connection.execute(f"DROP VIEW {view}")
    for table in ("spend", "replies", "responses"):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN cache_write_tokens")
    connection.execute("UPDATE alembic_version SET version_num = '0005'")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_a_store_of_the_first_release_is_read_as_it_is_and_by_whoever_comes_next(
    tmp_path: Path,
) -> None:
    path, make = tmp_path / "old.db", builder()
    make.make(path)
    as_the_fifth(path)
    before = path.read_bytes()
    with open_store(str(path), read_only=True) as reader:
        assert reader.reply(make.REQUEST_KEY) == make.REPLY
        assert reader.responses(list(make.RESPONSES)) == {
            key: [response] for key, response in make.RESPONSES.items()
        }
        assert reader.spend()["calls"]
        assert set(reader.spend()["cache_write_tokens"]) == {0}
        assert path.read_bytes() == before
        with open_store(str(path)) as writer:  # brings it up to date under the reader's eyes
            assert writer.reply(make.REQUEST_KEY) == make.REPLY
            with writer._database.reading() as connection:
                assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            spent = writer.spend()
            with writer._database.writing() as connection:
                connection.exec_driver_sql("UPDATE spend SET cache_write_tokens = 7")
        assert {**spent, "cache_write_tokens": [7] * len(spent["calls"])} == reader.spend()
        assert reader.reply(make.REQUEST_KEY) == make.REPLY


def test_a_release_that_does_not_know_a_new_column_writes_on(tmp_path: Path) -> None:
    path, make = tmp_path / "old.db", builder()
    make.make(path)
    connection = sqlite3.connect(path)
    names = [row[1] for row in connection.execute("PRAGMA table_info(spend)")]
    known = ", ".join(name for name in names if name != "cache_write_tokens")
    (row,) = connection.execute(f"SELECT {known} FROM spend LIMIT 1").fetchall()
    connection.execute("DELETE FROM spend")
    connection.execute(f"INSERT INTO spend ({known}) VALUES ({', '.join('?' * len(row))})", row)
    assert connection.execute("SELECT cache_write_tokens FROM spend").fetchall() == [(0,)]
    connection.close()


def test_who_has_an_older_store_open_cannot_write_where_no_board_looks(tmp_path: Path) -> None:
    """An older judgebench knows nothing of what boards read: it fails, and says so."""
    path = tmp_path / "old.db"
    shutil.copy(STORES / "0.1.0.db", path)
    older = sqlite3.connect(path)
    assert older.execute("SELECT count(*) FROM uses").fetchone()[0] > 0
    open_store(str(path)).close()
    columns = [row[1] for row in older.execute("PRAGMA table_info(uses)")]
    copied = ", ".join("run_id + 1" if name == "run_id" else name for name in columns)
    with pytest.raises(sqlite3.OperationalError, match="judgebench_0007"):
        older.execute(f"INSERT INTO uses SELECT {copied} FROM uses LIMIT 1")
    older.close()
    with open_store(str(path)) as store:
        assert store.board_verdicts("trivia", "v1")["item_id"]
