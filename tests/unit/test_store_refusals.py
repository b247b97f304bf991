"""What a store refuses, and that it leaves everything as it was."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import Connection

from judgebench.errors import StoreError
from judgebench.store import opening
from judgebench.store.opening import open_store


def refusal(path: Path, *, read_only: bool = False, create: bool = True) -> str:
    with pytest.raises(StoreError) as refused:
        open_store(str(path), read_only=read_only, create=create)
    assert refused.value.exit_code == 73
    return str(refused.value)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\0 but short", b"x" * 5000])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_left_alone(
    tmp_path: Path, content: bytes, read_only: bool
) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    assert "is not a judgebench store" in refusal(path, read_only=read_only)
    assert path.read_bytes() == content
    assert names_in(tmp_path) == ["notes.db"]


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE judgments (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    assert "database of another program" in refusal(path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["theirs.db"]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_from_a_newer_version_is_refused(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "new.db"
    open_store(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    message = refusal(path, read_only=read_only)
    assert "newer judgebench (its schema is 9999" in message
    assert "upgrade judgebench-harness" in message


@pytest.mark.parametrize("how", [{"read_only": True}, {"create": False}])
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, how: dict[str, bool]) -> None:
    assert "there is no store at" in refusal(tmp_path / "deep" / "x.db", **how)
    assert names_in(tmp_path) == []
    (tmp_path / "empty.db").touch()
    said = refusal(tmp_path / "empty.db", **how)
    assert f"the file {tmp_path / 'empty.db'} is empty; `judgebench run` and" in said


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with open_store(str(tmp_path / "empty.db")) as store:
        assert store.runs() == []


def test_a_path_below_a_file_and_a_folder_are_no_places_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal(tmp_path / "file" / "x.db")
    assert "Is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_read_only_place_is_refused(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    open_store(str(path)).close()
    locked = tmp_path if what == "folder" else path
    # Root may write anywhere, so the system's answer is given here; a real read-only mount is
    # tested below where one can be made.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda at, mode: at != locked and allowed(at, mode))
    before = path.read_bytes()
    assert f"the {what} {locked} is read-only" in refusal(path)
    assert path.read_bytes() == before


_MOUNT = "mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} {folder}"


def run_in_read_only_mount(folder: Path, program: str) -> str:
    """Run Python with a folder mounted read-only, in a mount namespace of its own."""
    mount = _MOUNT.format(folder=folder)
    probe = ["unshare", "-m", "sh", "-c", mount]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this machine does not let a test make a read-only mount")
    script = textwrap.dedent(program)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" -c "$1" "$2"', sys.executable, script,
         str(folder / "x.db")],
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


OPEN = """
    import sys
    from judgebench.errors import StoreError
    from judgebench.store.opening import open_store
    for read_only in (True, False):
        try:
            store = open_store(sys.argv[1], read_only=read_only)
        except StoreError as error:
            print("refused:", error)
        else:
            print("runs:", len(store.runs()))
            store.close()
"""


def test_a_store_on_a_read_only_disk_is_read_and_not_written(tmp_path: Path) -> None:
    open_store(str(tmp_path / "x.db")).close()
    read, written = run_in_read_only_mount(tmp_path, OPEN).splitlines()
    assert read == "runs: 0"
    assert written.startswith("refused:")
    assert "read-only" in written


def test_an_unfolded_log_on_a_read_only_disk_is_read_or_explained(tmp_path: Path) -> None:
    abandoned = """
        import os, sys
        from judgebench.store.opening import open_store
        open_store(sys.argv[1])
        os._exit(0)
    """
    path = tmp_path / "x.db"
    subprocess.run([sys.executable, "-c", textwrap.dedent(abandoned), str(path)], check=True)
    assert path.with_name("x.db-wal").stat().st_size > 0
    read, _ = run_in_read_only_mount(tmp_path, OPEN).splitlines()
    assert read == "runs: 0"  # the shared-memory file is there, so that SQLite can read the log
    path.with_name("x.db-shm").unlink()
    read, _ = run_in_read_only_mount(tmp_path, OPEN).splitlines()
    assert "its newest rows are still in x.db-wal" in read
    assert "copy both" in read


def test_making_a_store_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    path.touch()  # or tests begin with a copy, see conftest.py
    make = opening.make

    def die_half_way(connection: Connection, older: str | None) -> None:
        make(connection, older)
        raise ZeroDivisionError

    monkeypatch.setattr(opening, "make", die_half_way)
    with pytest.raises(ZeroDivisionError):
        open_store(str(path))
    monkeypatch.undo()
    tables = sqlite3.connect(path)
    assert tables.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    tables.close()
    assert "was not finished being made" in refusal(path, read_only=True)
    with open_store(str(path)) as store:
        assert store.runs() == []


FULL = """
    import resource, sys
    from judgebench.errors import StoreError
    from judgebench.records import ChatRequest, Reply
    from judgebench.store.opening import open_store

    store = open_store(sys.argv[1])
    request = ChatRequest(provider="p", model="m", messages=())
    store.put_reply(bytes(32), request, Reply(text="kept"))
    {limit}
    kept = 0
    try:
        for number in range(1, 3000):
            store.put_reply(number.to_bytes(32), request, Reply(text=str(number) + "x" * 9000))
            kept += 1
    except StoreError as error:
        print("refused:", error, error.exit_code)
    {lift}
    store.put_reply(b"a" * 32, request, Reply(text="after"))
    store.close()
    with open_store(sys.argv[1], read_only=True) as store:
        found = [store.reply(number.to_bytes(32)) is not None for number in range(3000)]
        print(kept, sum(found), all(found[: kept + 1]), store.reply(b"a" * 32).text)
"""


@pytest.mark.parametrize(
    ("limit", "lift", "says"),
    [
        (
            'store._database._raw.execute("PRAGMA max_page_count = 400")',
            'store._database._raw.execute("PRAGMA max_page_count = 1000000")',
            "the disk is full",
        ),
        (  # the real thing: the system refuses to let the file grow
            "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))",
            "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)",
            "see that it is not full",
        ),
    ],
)
def test_a_full_disk_loses_nothing_that_was_committed(
    tmp_path: Path, limit: str, lift: str, says: str
) -> None:
    program = textwrap.dedent(FULL).format(limit=limit, lift=lift)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    refused, counts = done.stdout.splitlines()
    assert refused.startswith("refused:")
    assert says in refused
    assert refused.endswith(" 73")
    kept, found, all_kept, after = counts.split()
    assert 0 < int(kept) < 2999
    assert int(found) == int(kept) + 1
    assert (all_kept, after) == ("True", "after")


def test_a_store_cannot_be_made_on_a_full_disk_and_can_be_later(tmp_path: Path) -> None:
    program = """
        import resource, sys
        from judgebench.errors import StoreError
        from judgebench.store.opening import open_store
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            open_store(sys.argv[1])
        except StoreError as error:
            print("refused:", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "refused:" in done.stdout
    with open_store(str(tmp_path / "x.db")) as store:
        assert store.runs() == []


def test_a_damaged_store_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_store(str(path)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "the file is damaged" in refusal(path)


def test_no_error_shows_the_values_being_written(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "x.db")) as store, pytest.raises(StoreError) as refused:
        from judgebench.records import ChatRequest, Reply

        request = ChatRequest(provider="p", model="m", messages=())
        store.put_reply(bytes(32), request, Reply(text="private", seconds=None))  # type: ignore[arg-type]
    assert "private" not in str(refused.value)
    assert "NOT NULL" in str(refused.value)
