"""Every page, on whatever lies where the store should be: a sentence and a way on."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.dashboards import compare_stores, label_stores, stores
from tests.dashboards.conftest import DASHBOARDS
from tests.dashboards.test_pages import aged
from tests.dashboards.without_root import without_root_rights

PAGES = sorted(path.stem for path in (DASHBOARDS / "views").glob("[a-z]*.py"))
OLD = Path(__file__).parents[1] / "data" / "stores" / "0.1.0.db"

LINKS = {"label": {"rater": "ann"}}
"""What a page is asked that shows nothing before."""

pytestmark = pytest.mark.usefixtures("at_home")

NO_STORE = r"There is no store here yet|Nothing has run on this store yet"
EMPTY = r"The store is empty|Nothing has run on this store yet|Two models are needed"
CANNOT = r"This cannot be shown"
A_RUN = r"judgebench run suites/\S+\.yaml"


def every_sentence(app: Any) -> str:
    """All that is said on a page and beside it."""
    kinds = ("info", "error", "warning", "text", "code", "caption")
    return "\n".join(str(one.value) for kind in kinds for one in app.get(kind))


def fine(app: Any) -> str:
    """What a page says, if nothing of it is a fault."""
    assert not app.exception
    said = every_sentence(app)
    for fault in ("Traceback", "sqlalchemy", "sqlite3.", "Error:", 'File "'):
        assert fault not in said
    return said


# what may lie there -----------------------------------------------------------------------------


@contextmanager
def filled(path: Path) -> Iterator[None]:
    stores.fill_with(path, {"m": {"judge": stores.labels("+-")}})
    yield


@contextmanager
def nothing(path: Path) -> Iterator[None]:
    yield


@contextmanager
def in_a_file(path: Path) -> Iterator[None]:
    path.parent.rmdir()
    path.parent.write_text("not a folder")
    yield


@contextmanager
def a_folder(path: Path) -> Iterator[None]:
    path.mkdir()
    yield


@contextmanager
def a_link_to_itself(path: Path) -> Iterator[None]:
    path.symlink_to(path)
    yield


@contextmanager
def without_rows(path: Path) -> Iterator[None]:
    open_store(str(path)).close()
    yield


@contextmanager
def without_bytes(path: Path) -> Iterator[None]:
    path.touch()
    yield


@contextmanager
def notes(path: Path) -> Iterator[None]:
    path.write_text("**not** a database, <b>but</b> long enough to be looked at\n" * 20)
    yield


@contextmanager
def of_another_program(path: Path) -> Iterator[None]:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    yield


@contextmanager
def cut_off(path: Path) -> Iterator[None]:
    stores.fill(path, n_items=200)
    os.truncate(path, path.stat().st_size // 2)
    yield


@contextmanager
def newer(path: Path) -> Iterator[None]:
    with filled(path), sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    yield


@contextmanager
def older(path: Path) -> Iterator[None]:
    shutil.copyfile(OLD, path)
    yield


@contextmanager
def being_migrated(path: Path) -> Iterator[None]:
    """Another process is in the middle of it: what it has changed is not there yet for others."""
    shutil.copyfile(OLD, path)
    with another(path, "BEGIN IMMEDIATE", "UPDATE alembic_version SET version_num = 'half'"):
        yield


@contextmanager
def being_made(path: Path) -> Iterator[None]:
    """It has a log and a name on its first page, and no table yet."""
    from judgebench.store.sqlite import SQLite as Database

    Database(path).close()
    with another(path, "BEGIN IMMEDIATE", "CREATE TABLE alembic_version (version_num)"):
        yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By a process that keeps readers away as well, which nobody can who writes to a log."""
    with (
        filled(path),
        another(path, "PRAGMA journal_mode = DELETE", "BEGIN EXCLUSIVE"),
    ):
        yield


@contextmanager
def written(path: Path) -> Iterator[None]:
    with filled(path), another(path, "BEGIN EXCLUSIVE"):
        yield


@contextmanager
def in_a_closed_folder(path: Path) -> Iterator[None]:
    with filled(path), closed(path.parent, 0o000):
        yield


@contextmanager
def with_a_log_that_cannot_be_opened(path: Path) -> Iterator[None]:
    """As it is after a machine was switched off, and its disk is looked at elsewhere."""
    away = path.with_name("away.db")
    with filled(away), closing(sqlite3.connect(away)) as writer:
        writer.execute("CREATE TABLE more (x)")
        writer.commit()
        for end in ("", "-wal"):
            shutil.copyfile(f"{away}{end}", f"{path}{end}")
    with closed(path.parent, 0o500):
        yield


@contextmanager
def closed(folder: Path, mode: int) -> Iterator[None]:
    """Until the end nobody may do more there, root neither."""
    folder.chmod(mode)
    try:
        with without_root_rights():
            yield
    finally:
        folder.chmod(0o700)


@contextmanager
def another(path: Path, *statements: str) -> Iterator[None]:
    """A process that has said these to the database, and waits."""
    program = (
        "import sqlite3, sys\n"
        "other = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]:\n"
        "    other.execute(statement)\n"
        "print('done', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), *statements],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        yield
        process.kill()


@dataclass(frozen=True)
class State:
    """Something that lies where the store should be.

    ``says`` and ``way_on``: what every page has to say of it, and of what to do.
    """

    made: Callable[[Path], AbstractContextManager[None]]
    says: str
    way_on: str


ANOTHER_PLACE = r"give another path with --store"
STATES = {
    "nothing": State(nothing, NO_STORE, A_RUN),
    "a file where its folder should be": State(in_a_file, NO_STORE, A_RUN),
    "no row": State(without_rows, EMPTY, A_RUN),
    "an empty file": State(without_bytes, r"the file \S+ is empty", r"judgebench run"),
    "a text": State(notes, r"no SQLite database", ANOTHER_PLACE),
    "another program's": State(of_another_program, r"of another program", ANOTHER_PLACE),
    "a folder": State(a_folder, r"cannot be read: Is a directory", ANOTHER_PLACE),
    "a link to itself": State(a_link_to_itself, r"cannot be read: Too many levels", ANOTHER_PLACE),
    "in a closed folder": State(in_a_closed_folder, r"cannot be read: Permission", ANOTHER_PLACE),
    "with its newest rows in a log that cannot be opened": State(
        with_a_log_that_cannot_be_opened, r"its newest rows are still in", r"copy both"
    ),
    "cut off": State(cut_off, r"the file is damaged", r"go back to a copy"),
    "newer": State(newer, r"written by a newer judgebench", r"upgrade judgebench-harness"),
    "older": State(older, r"has the older schema", r"open it once for writing"),
    "being migrated": State(being_migrated, r"has the older schema", r"open it once for writing"),
    "being made": State(being_made, r"was not finished being made", r"open it once for writing"),
    "locked": State(
        locked, r"Another program has locked this store", r"comes when the lock is gone"
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "s.db"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that every page has something of."""
    path = tmp_path_factory.mktemp("made") / "s.db"
    compare_stores.fill(path, n_items=4)
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('empty') / 's.db'}"
    open_store(url).close()
    return url


def copied(made: Path, path: Path) -> str:
    """The URL of the copy."""
    return f"sqlite:///{shutil.copyfile(made, path)}"


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    from judgebench.store import sqlite

    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)


# One place opens the store for all pages: each page meets some of what may lie there, and all of it
# is met by some page. What happens to a store while it is shown is met by a few.
MET = [(state, PAGES[at % len(PAGES)]) for at, state in enumerate(STATES)]


@pytest.mark.parametrize(("state", "page"), MET)
def test_what_is_no_store_is_a_sentence_and_a_way_on(
    open_page: Any, path: Path, state: str, page: str
) -> None:
    there = STATES[state]
    with there.made(path):
        app = open_page(page, f"sqlite:///{path}")
    said = fine(app)
    assert re.search(there.says, said)
    assert re.search(there.way_on, said)
    assert len(app.error) <= 1
    assert not app.dataframe


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_to_type_and_leaves_what_is_no_store(
    open_page: Any, path: Path, empty: str, page: str
) -> None:
    for url, says in ((f"sqlite:///{path}", NO_STORE), (empty, EMPTY)):
        said = fine(open_page(page, url, **LINKS.get(page, {})))
        assert re.search(says, said)
        assert re.search(A_RUN, said)
    assert not list(path.parent.iterdir())
    notes = path.with_name("**notes** :red[x].db")
    notes.write_text("somebody's")
    app = open_page(page, f"sqlite:///{notes}")
    fine(app)
    assert app.error[0].value == "This cannot be shown."
    assert notes.name in "\n".join(one.value for one in app.text)
    assert [file.read_text() for file in path.parent.iterdir()] == ["somebody's"]


@pytest.mark.parametrize("page", ["leaderboard", "items", "runs"])
def test_a_store_that_another_process_writes_is_shown(
    open_page: Any, path: Path, page: str, made: Path
) -> None:
    url = copied(made, path)
    with another(path, "BEGIN EXCLUSIVE"):
        said = fine(open_page(page, url, **LINKS.get(page, {})))
    assert "48 judgments" in said
    assert CANNOT not in said


@pytest.mark.parametrize("page", ["overview", "compare", "label", "runs"])
def test_a_store_where_nothing_can_be_written_is_shown(
    open_page: Any, path: Path, page: str, made: Path
) -> None:
    """As it would be shown elsewhere; only what writes is off."""
    import streamlit as st

    url = copied(made, path)
    elsewhere = open_page(page, url, **LINKS.get(page, {}))
    fine(elsewhere)
    st.cache_data.clear()
    path.chmod(0o400)
    with closed(path.parent, 0o500):
        app = open_page(page, url, **LINKS.get(page, {}))
        said = fine(app)
        assert CANNOT not in said
        assert "48 judgments" in said
        assert [list(one.value) for one in app.dataframe] == [
            list(one.value) for one in elsewhere.dataframe
        ]
        assert not {one.label for one in app.button} & {"Start this run", "What it would do"}


def test_a_label_that_cannot_be_kept_is_not_lost_in_silence(open_page: Any, path: Path) -> None:
    url = label_stores.fill(path)
    with closed(path.parent, 0o500):
        app = open_page("label", url, rater="ann")
        app.session_state["since"] -= 60  # it has been read
        (button,) = (one for one in app.button if one.label == "correct")
        said = fine(button.click().run())
    assert "is read-only" in said
    assert "0 of 12" in said


@pytest.mark.parametrize("page", ["overview", "agreement", "label"])
def test_a_store_that_goes_away_while_a_page_is_open(
    open_page: Any, path: Path, page: str, made: Path
) -> None:
    url = copied(made, path)
    app = open_page(page, url, **LINKS.get(page, {}))
    fine(app)
    for file in path.parent.iterdir():
        file.unlink()
    fine(app.run())
    aged(url, 600)
    said = fine(app.run())
    assert re.search(NO_STORE, said)
    assert re.search(A_RUN, said)
    copied(made, path)
    aged(url, 600)
    said = fine(app.run())
    assert not re.search(NO_STORE, said), "and there it is again"


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/db", "sqlite://s.db", ":memory:", "sqlite:///s.db?mode=ro"]
)
def test_a_url_that_names_no_file_is_a_sentence(open_page: Any, url: str) -> None:
    app = open_page("overview", url)
    said = fine(app)
    assert app.error[0].value == "This cannot be shown."
    assert re.search(r"file|takes no options", said)
    assert "secret" not in said
