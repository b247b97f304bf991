"""Calibrations in the store: the last counts, earlier ones stay, and older stores take them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from judgebench.errors import StoreError
from judgebench.records import JudgeSpec, ModelSpec
from judgebench.store import Store, open_store, opening
from judgebench.store.calibrations import StoredCalibration
from judgebench.store.schema import APPLICATION_ID, metadata

CONTENT = {"difficulty": {"0": 0.1 + 0.2, "1": -1.5}, "anchors": None, "reliability": 0.5}
AT = ("made_up", "v1")


def put(store: Store, reliability: float = 0.5, judge: str = "j") -> StoredCalibration:
    return store.put_calibration(
        *AT,
        judge=store.put_judge(judge, JudgeSpec(kind="imported", model=judge)),
        opponent=store.put_model("base", ModelSpec(weights="base")),
        models=["a" * 12, "b" * 12],
        content=CONTENT | {"reliability": reliability},
    )


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        first = put(store)
        assert store.calibrations(*AT) == [first]
        assert first.content == CONTENT
        assert first.models == ("a" * 12, "b" * 12)
        assert len(first.id) == 12
        assert store.calibrations("made_up", "v2") == []


def test_the_last_counts_and_earlier_ones_stay(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        first, again = put(store), put(store)
        assert again == first  # nothing new
        other = put(store, judge="other")
        second = put(store, 0.6)
        back = put(store)  # what an earlier one said counts again
        assert back.id == first.id
        assert [one.id for one in store.calibrations(*AT)] == [
            first.id, other.id, second.id, first.id
        ]  # fmt: skip
    with open_store(str(tmp_path / "s.db"), read_only=True) as store:
        assert store.calibrations(*AT)[-1] == back


def test_whom_it_is_for_has_to_be_there(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        model = store.put_model("m", ModelSpec(weights="m"))
        judge = store.put_judge("j", JudgeSpec(kind="k"))
        more = {"models": [], "content": {}}
        with pytest.raises(StoreError, match="has no judge 6d6d"):
            store.put_calibration(*AT, judge=b"m" * 32, opponent=model, **more)
        with pytest.raises(StoreError, match="has no model 6d6d"):
            store.put_calibration(*AT, judge=judge, opponent=b"m" * 32, **more)
        assert store.calibrations(*AT) == []


def second_schema(path: Path) -> None:
    """A store as the release with schema 0002 made it."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(opening.MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0002")
    engine.dispose()


def test_a_store_of_the_second_schema_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    second_schema(path)
    with pytest.raises(StoreError, match="older schema 0002"):
        open_store(str(path), read_only=True)
    with open_store(str(path)) as store:
        assert put(store).content == CONTENT
        with store._database.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
