"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import settings
from sqlalchemy import Connection, event

if TYPE_CHECKING:
    from judgebench.store import Store
    from tests.postgres import Server

from judgebench import registry
from tests.warm import Warm, warmed

# Generated data: a third of hypothesis' usual number every day, more where somebody asks. No
# deadline, since the first example pays for importing scikit-learn or scipy.
settings.register_profile(
    "daily", deadline=None, max_examples=int(os.environ.get("JUDGEBENCH_EXAMPLES", "30"))
)
settings.load_profile("daily")


def pytest_configure() -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C, and so would be the runs that
    tests interrupt.

    After 700 new objects, as usual, sweeps for garbage take a tenth of all time.
    """
    gc.set_threshold(50_000, 20, 20)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Thousands of tests are never garbage: without this each sweep goes through them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _included(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that a test includes are unknown to the next one."""
    monkeypatch.setattr(registry, "_included", [])
    monkeypatch.setattr(registry, "_of_suite", [])


@pytest.fixture(scope="session", autouse=True)
def _told_once() -> Iterator[None]:
    """What stays as it is while tests run: the commit of a folder, and what makes a store's tables.

    Tests make thousands of manifests and of stores; two processes and sixty statements in SQL each.
    """
    from judgebench.execution import manifest
    from judgebench.store import schema

    made: dict[str, list[str]] = {}
    create_all, git = schema.metadata.create_all, manifest._git

    def create(connection: Connection, **options: Any) -> None:
        if options != {"checkfirst": False}:  # a migration makes some of them
            create_all(connection, **options)
            return
        said = made.get(connection.dialect.name, [])
        for statement in said:
            connection.exec_driver_sql(statement)
        if not said:
            note = partial(_note, said)
            event.listen(connection, "before_cursor_execute", note)
            create_all(connection, **options)
            event.remove(connection, "before_cursor_execute", note)
            made[connection.dialect.name] = said

    @cache
    def of_folder(_folder: str, *arguments: str) -> str:
        return git(*arguments)

    with (
        mock.patch.object(schema.metadata, "create_all", create),
        mock.patch.object(manifest, "_git", lambda *words: of_folder(str(Path.cwd()), *words)),
    ):
        yield


def _note(said: list[str], *given: Any) -> None:
    said.append(given[2])


WARM = "JUDGEBENCH_TESTS_WARM"
"""Where the workers of one session find what they all fork from."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """What all workers fork from is loaded once."""
    running = ExitStack()
    os.environ[WARM] = running.enter_context(warmed()).executable
    config.add_cleanup(running.close)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    shared = os.environ.get(WARM)
    with nullcontext(Warm(shared)) if shared else warmed() as running:
        yield running


@pytest.fixture
def forked(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and workers of this test do not load anew what they load, and ask no Hub.

    See `tests.warm`.
    """
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sys, "executable", warm.executable)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where something has to be, a test that skips for want of it has failed."""
    report = yield
    if report.skipped:
        why = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for variable, word in _REQUIRED.items():
            if os.environ.get(variable) == "1" and word in why:
                report.outcome = "failed"
                report.longrepr = f"{variable}=1, and this was skipped: {why}"
    return report


_REQUIRED = {
    "JUDGEBENCH_REQUIRE_GOLD": "gold data",
    "JUDGEBENCH_REQUIRE_POSTGRES": "PostgreSQL server",
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, started when the first test asks for it."""
    from tests.postgres import running

    with running() as started:
        yield started


ENGINES = pytest.fixture(params=["sqlite", "postgres"])


@ENGINES
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store of one test is, on either engine: opening it makes it, or finds it empty."""
    yield from _somewhere(request, tmp_path, "store")


@ENGINES
def unmade_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where there is no store yet."""
    yield from _somewhere(request, tmp_path, "template0")


def _somewhere(request: pytest.FixtureRequest, folder: Path, template: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database(template) as name:
        yield server.url(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    from judgebench.store import open_store

    with open_store(store_url) as opened:
        yield opened
