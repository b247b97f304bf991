"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.made_tables import tables_made_once
from tests.warm import Warm

# Generated data: a third of hypothesis' usual number every day, more where somebody asks. No
# deadline, since the first example pays for importing scikit-learn or scipy.
settings.register_profile(
    "daily", deadline=None, max_examples=int(os.environ.get("JUDGEBENCH_EXAMPLES", "30"))
)
settings.load_profile("daily")


def pytest_configure() -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C, and so would be the runs that
    tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Thousands of tests are never garbage: without this each sweep goes through them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _tables_made_once() -> Iterator[None]:
    with tables_made_once():
        yield


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    with Warm() as running:
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
    """Where the gold data has to be, a test that skips for want of it has failed."""
    report = yield
    if report.skipped and os.environ.get("JUDGEBENCH_REQUIRE_GOLD") == "1":
        why = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if "gold data" in why:
            report.outcome = "failed"
            report.longrepr = f"JUDGEBENCH_REQUIRE_GOLD=1, and this was skipped: {why}"
    return report
