"""What pytest says of the gates in a run of tests: also those that passed, and in JUnit XML.

Loaded by pytest wherever judgebench is installed, so that nothing heavy may be imported here.
"""

from __future__ import annotations

from typing import Any

import pytest

from judgebench import assertions
from judgebench.plain_text import printable

PROPERTY = "judgebench_gate"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Keep what gates said with the test they were in: it comes along from other processes."""
    if call.when == "call":
        item.user_properties += [(PROPERTY, printable(line)) for line in assertions.said]
    assertions.said.clear()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A section with the gates of all tests, in the order of the tests' outcomes."""
    lines = [
        f"{report.nodeid}  {text}"
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, text in report.user_properties
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("judgebench gates")
        for line in lines:
            terminalreporter.write_line(line)
