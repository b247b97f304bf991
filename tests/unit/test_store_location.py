"""Where a store may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from judgebench.errors import ConfigError, StoreError
from judgebench.store import postgres, schema
from judgebench.store.database import insert, upsert
from judgebench.store.opening import located, open_store
from judgebench.store.sqlite import refuse_network_file_systems
from tests.table import over_rows

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /proc rw,nosuid - proc proc rw
40 22 0:40 / /home rw,relatime shared:2 master:3 - nfs4 server:/home rw,vers=4.2
41 40 8:2 / /home/scratch rw - xfs /dev/sdb1 rw
42 22 0:41 / /mnt/my\040data rw - lustre 10.0.0.1@tcp:/fs rw
43 22 0:42 / /mnt/twice rw - tmpfs tmpfs rw
44 43 0:43 / /mnt/twice rw - fuse.sshfs me@host: rw
a line that means nothing
"""


@over_rows(
    ("url", "path"),
    [
        ("sqlite:///results/judgebench.db", "results/judgebench.db"),
        ("sqlite:////data/a b.db", "/data/a b.db"),
        ("results/x.db", "results/x.db"),
        ("./sqlite:x.db", "sqlite:x.db"),
        ("results/at 12:30.db", "results/at 12:30.db"),
        ("/data/what?.db", "/data/what?.db"),
        ("C#.db", "C#.db"),
    ],
)
def test_urls_and_bare_paths_name_files(url: str, path: str) -> None:
    assert located(url).path == Path(path)


@over_rows(
    ("url", "says"),
    [
        ("postgresql+psycopg://me:secret@host/db", r"postgresql\+psycopg:// URL; give a file"),
        ("mysql://me:secret@host/db", "mysql:// URL; give a file, .* or a server"),
        ("sqlite://", "names no file"),
        ("sqlite://results/x.db", "three slashes"),
        ("sqlite:results/x.db", "begins with sqlite: and no three slashes"),
        ("postgresql:me:secret@host/db", "begins with postgresql: and no three slashes"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///?", "names no file"),
        ("sqlite:///:memory:?", "names no file"),
        ("sqlite:///x.db?mode=ro", "the one option of a store in a file is .synchronous=full"),
        ("", "names no file"),
        ("a\0b", "names no file"),
    ],
)
def test_other_urls_are_refused_without_their_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)
    assert refused.value.exit_code == 78


@over_rows(
    ("path", "kind"),
    [
        ("/", None),
        ("/data/x.db", None),
        ("/homework/x.db", None),
        ("/home/me/x.db", "nfs4"),
        ("/home", "nfs4"),
        ("/home/scratch/x.db", None),
        ("/mnt/my data/x.db", "lustre"),
        ("/mnt/twice/x.db", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_last_mount_says_the_file_system(
    tmp_path: Path, path: str, kind: str | None
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    if kind is None:
        refuse_network_file_systems(Path(path), mounts)
    else:
        with pytest.raises(StoreError, match=rf"network file system \({kind}\)"):
            refuse_network_file_systems(Path(path), mounts)


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "fuse.sshfs"]
)
def test_network_file_systems_are_refused(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:9 / {tmp_path} rw - {kind} x rw"
    )
    with pytest.raises(StoreError, match=rf"network file system \({kind}\).*local disk") as refused:
        refuse_network_file_systems(tmp_path / "x.db", mounts)
    assert refused.value.exit_code == 73
    refuse_network_file_systems(tmp_path.parent / "x.db", mounts)


def test_where_the_system_does_not_say_nothing_is_checked(tmp_path: Path) -> None:
    refuse_network_file_systems(tmp_path / "x.db", tmp_path / "absent")


@pytest.mark.parametrize("name", ["a blank.db", "per%20cent#hash.db", "Ünïcode 中文.db", "q?.db"])
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    with open_store(str(tmp_path / name)) as store:
        assert store.benchmarks() == []
    with open_store(str(tmp_path / name), read_only=True) as store:
        assert store.benchmarks() == []
    assert (tmp_path / name).exists()


def test_a_server_is_told_of_conflicts_as_by_its_own_statements() -> None:
    """Statements are made by SQLite's words, for both."""
    spoken: Any = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
    assert postgres.Postgres.dialect == f"{spoken.name}+{spoken.driver}"
    for table in (schema.models, schema.judgments, schema.claims, schema.meta):
        ours, its = insert(table), postgresql.insert(table)
        for mine, other in (
            (upsert(ours), upsert(its)),
            (ours.on_conflict_do_nothing(), its.on_conflict_do_nothing()),
        ):
            assert "ON CONFLICT" in str(mine.compile(dialect=spoken))
            assert str(mine.compile(dialect=spoken)) == str(other.compile(dialect=spoken))
