"""The fault suite at a size for every day; `perf/faults.py` runs it with 20 000 judgments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.many_judgments import measure, report, violations
from tests.faults.server import ANSWERED, FAULTS


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_faults_cost_retries_and_nothing_else(tmp_path: Path, store_url: str) -> None:
    figures = measure(tmp_path, 240, store_url)

    assert violations(figures) == [], report(figures)
    assert figures.first.fates.keys() == {*FAULTS, *ANSWERED}, "a fault that never came up"
