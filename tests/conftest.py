"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from judgebench.store.store import Store
    from tests.postgres import Server

from judgebench import registry
from tests.places import in_memory
from tests.warm import WARM, Warm, collected, warmed

# Generated data: a seventh of hypothesis' usual number every day, more where somebody asks (`make
# bench`). Nothing goes by the clock: the first example pays for importing scikit-learn or scipy.
settings.register_profile(
    "daily",
    deadline=None,
    max_examples=int(os.environ.get("JUDGEBENCH_EXAMPLES", "15")),
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
settings.load_profile("daily")


def pytest_configure() -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C, and so would be the runs that
    tests interrupt.

    After 700 new objects, as usual, sweeps for garbage take a tenth of all time; and what tests
    write waits for no disk.
    """
    if memory := in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
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
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What stays as it is while tests run: the commit of a folder, a store without rows, whom this
    machine trusts.

    Tests make thousands of manifests and of stores; two processes and eighty statements each. Each
    store still has a name of its own.
    """
    from judgebench.execution import manifest
    from judgebench.store import sqlite
    from judgebench.store.opening import open_store

    first = tmp_path_factory.mktemp("made") / "store.db"
    with open_store(str(first)) as store:
        name = str(store.store_id)
    made, prepare, sha = first.read_bytes(), sqlite.prepare, manifest.git_sha

    def prepared(path: Path, *, read_only: bool, create: bool) -> None:
        prepare(path, read_only=read_only, create=create)
        if create and not path.exists():
            mine = path.with_name(f"{path.name}-{uuid.uuid4().hex}")
            mine.write_bytes(made.replace(name.encode(), uuid.uuid4().hex.encode()))
            with suppress(FileExistsError):  # another thread was quicker
                os.link(mine, path)
            mine.unlink()

    @cache
    def of_folder(_folder: str) -> str | None:
        return sha()

    with (
        mock.patch.object(sqlite, "prepare", prepared),
        mock.patch.object(manifest, "git_sha", lambda: of_folder(str(Path.cwd()))),
        _trusted_once(),
    ):
        yield


@contextmanager
def _trusted_once() -> Iterator[None]:
    """Each client reads the certificates that this machine trusts: 150 of them, in ten ms."""
    if (httpcore2 := sys.modules.get("httpcore2")) is None:
        yield
        return
    read = httpcore2.default_ssl_context

    @cache
    def trusted(_from: tuple[str | None, ...], **options: bool) -> Any:
        return read(**options)

    def as_now(**options: bool) -> Any:
        named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        return trusted(named, **options)

    with mock.patch.object(httpcore2, "default_ssl_context", as_now):
        yield


LONG = (
    "tests/dashboards/test_pages_browser.py",
    "tests/e2e/test_ray.py",
    "tests/e2e/test_prompt_tokens.py",  # and all of `TORCH`
    "tests/unit/test_report_length_boards.py",
    "tests/e2e/test_trackers.py",
    "tests/e2e/test_lm_eval_worker.py",
    "tests/contract/store/test_moving.py",
    "tests/e2e/test_alpaca_eval_files.py",
    "tests/unit/test_store_search.py",
    "tests/e2e/test_wheel.py",
    "tests/wire/test_real_server.py",
)
"""These take longest, and come first: none is left over at the end, when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {file: number for number, file in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


TORCH = {
    "tests/e2e/test_first_and_further_answers.py",
    "tests/e2e/test_local_judge_model.py",
    "tests/e2e/test_prompt_tokens.py",
    "tests/e2e/test_turns_and_selection.py",
    "tests/unit/test_control_tokens.py",
    "tests/unit/test_reward_model.py",
}
"""These have models in their own process, whose modules take four seconds to load."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker has all files of `TORCH`."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "torch" if file in TORCH else file

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """What all workers fork from is loaded once, and they are forked themselves."""
    running = ExitStack()
    os.environ[WARM] = running.enter_context(warmed()).executable
    python = running.enter_context(collected(config.args))
    specs[:] = [type(spec)(f"{spec}//python={python}") for spec in specs]
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
    from judgebench.store.opening import open_store

    with open_store(store_url) as opened:
        yield opened
