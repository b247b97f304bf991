"""Schema versions: the migrations make the tables the code speaks of, and old stores open."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from judgebench import keys
from judgebench.errors import StoreError
from judgebench.store import open_store, versions
from judgebench.store.schema import APPLICATION_ID, REVISION, metadata

STORES = Path(__file__).parents[1] / "data" / "stores"


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "x.db")) as store, store._database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(versions.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [REVISION]
    known = {script.revision for script in scripts.walk_revisions()}
    assert known == {REVISION, *versions.OLDER}


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
        "import sys; from judgebench.store import open_store; open_store(sys.argv[1]).close();"
        "print(sorted({'alembic', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_an_older_store_is_brought_up_to_date_by_a_writer_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.db"
    open_store(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    monkeypatch.setattr(versions, "OLDER", frozenset({"0000"}))
    with pytest.raises(StoreError, match="has the older schema 0000 and is opened for reading"):
        open_store(str(path), read_only=True)
    upgraded: list[object] = []
    monkeypatch.setattr(versions, "_upgrade", upgraded.append)
    open_store(str(path)).close()
    assert len(upgraded) == 1


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
        old = store.verdicts("trivia"), store.failures("trivia"), store.runs()
    make.make(tmp_path / "new.db")
    with open_store(str(tmp_path / "new.db"), read_only=True) as store:
        assert old == (store.verdicts("trivia"), store.failures("trivia"), store.runs())
    assert len(old[0]["label"]) == make.PLACES


def test_the_keys_in_the_kept_store_are_still_computed_so() -> None:
    make = builder()
    assert make.JUDGMENT_KEYS[0] == keys.judgment_key(make.STRICT_KEY, make.CASE_KEYS[0])
    assert make.JUDGMENT_KEYS[0].hex()[:12] == make.FIRST_JUDGMENT


def test_there_is_a_store_of_this_release() -> None:
    from judgebench import __version__

    assert (STORES / f"{__version__}.db").stat().st_size < 200_000
