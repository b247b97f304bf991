"""A PostgreSQL server for tests, from Debian's package, that ends with whoever started it.

One server serves a process of tests, and each test has a database of its own, copied as files from
a store that is made once: 20 ms, where making one anew takes ten times as long, and less than a
schema of its own in one database.

A server is a folder in memory or under the system's temporary one. A shell waits beside it for the
end of a pipe that only the process of tests holds: when that process ends, however it does, the
shell stops the server and removes the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from judgebench.providers.server import free_port
from judgebench.store.opening import located, open_store
from tests.places import in_memory

PLACES = Path("/usr/lib/postgresql")
USER = "judge"
GUARDED, PASSWORD = "guarded", "open sesame"
"""A user who is asked for a password; everybody else is let in."""

_WATCH = """
trap '' INT TERM
cat >/dev/null
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1
cd / && rm -rf "$2"
"""
_START = 'exec 3<&0; sh -c "$0" sh "$1" "$2" <&3 >/dev/null 2>&1 &'
"""It is nobody's child then: tests count the processes that a command leaves behind."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # nothing here outlives the machine
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
}


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    found = [path.parent for path in PLACES.glob("*/bin/pg_ctl")]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


@dataclass
class Server:
    """A running server."""

    binaries: Path
    folder: Path
    port: int
    owner: str | None
    """The user whose process it is; None for our own."""
    _kept: psycopg.Connection[Any] | None = None

    def url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def call(self, program: str, *arguments: str) -> None:
        """One of the server's programs. Raises `RuntimeError` with what it said where it failed."""
        done = subprocess.run(
            [self.binaries / program, *arguments],
            user=self.owner,
            group=self.owner,
            extra_groups=None if self.owner is None else [],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def start(self) -> None:
        settings = _SETTINGS | {"unix_socket_directories": str(self.folder), "port": str(self.port)}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = str(self.folder / "log")
        self.call(
            "pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-o", options, "start"
        )

    def stop(self) -> None:
        """At once, as if the machine had gone: nobody's transaction is ended properly."""
        self.let_go()
        self.call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    @contextmanager
    def administrator(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            yield connection

    def _administrator(self) -> psycopg.Connection[Any]:
        """A connection that stays, to the database that every server has."""
        if self._kept is None:
            self._kept = psycopg.connect(self.url("postgres"), autocommit=True)
        return self._kept

    def let_go(self) -> None:
        """Of the connection that stays."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def make(self, database: str, template: str = "template0") -> None:
        connection = self._administrator()
        # By page and log, as of version 15 on, it takes twice as long; before, there was one way.
        copied = "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
        connection.execute(f"CREATE DATABASE {database} TEMPLATE {template} {copied}")

    def drop(self, database: str) -> None:
        """Whoever still has a connection to it loses it."""
        self._administrator().execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    _numbers = count()

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The name of a new database, which goes in the end."""
        name = f"test_{next(self._numbers)}"
        self.make(name, template)
        try:
            if template != "template0":  # a store of its own, not the same one
                with self.administrator(name) as connection:
                    connection.execute(
                        "UPDATE meta SET value = md5(%s) WHERE name = 'store_id'",
                        (f"{self.folder} {name}",),
                    )
            yield name
        finally:
            self.drop(name)

    def end_connections(self, database: str) -> int:
        """As an administrator does who ends sessions; how many there were."""
        ended = (
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()"
        )
        found = self._administrator().execute(ended, (database,)).fetchone()
        assert found is not None
        return int(found[0])


@contextmanager
def running() -> Iterator[Server]:
    """A server with a store in the database ``store``, to be copied. Skips where there is none."""
    folder = binaries()
    if folder is None:
        pytest.skip(f"no PostgreSQL server in {PLACES}: apt-get install postgresql")
    home = Path(tempfile.mkdtemp(prefix="judgebench-postgresql-", dir=in_memory()))
    owner = None
    if os.getuid() == 0:  # a server refuses to run as root
        owner = "postgres"
        shutil.chown(home, owner, owner)
    with subprocess.Popen(
        ["sh", "-c", _START, _WATCH, folder, home],
        stdin=subprocess.PIPE,
        user=owner,
        group=owner,
        extra_groups=None if owner is None else [],
        start_new_session=True,  # Ctrl-C is for the tests, which then let go of the pipe
    ) as watch:
        watch.wait()
        server = Server(folder, home, free_port(), owner)
        data = str(home / "data")
        server.call(
            "initdb", "-D", data, "-A", "trust", "-U", USER, "--locale=C.UTF-8", "--no-sync"
        )
        rules = home / "data" / "pg_hba.conf"
        rules.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        server.start()
        with server.administrator() as connection:
            connection.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
        server.make("store")
        open_store(server.url("store")).close()
        yield server
        server.let_go()
    for _ in range(200):  # the folder goes once the server has ended
        if not home.exists():
            break
        time.sleep(0.05)


@contextmanager
def beside(url: str) -> Iterator[Connection]:
    """A connection of another program to a store, as a notebook has; committed at the end."""
    path = located(url).path
    address = f"sqlite:///{path}" if path else url.replace("postgresql", "postgresql+psycopg", 1)
    engine = create_engine(address, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
