"""A changed reader reads the replies that are kept, and asks nobody; more in `perf/faults.py`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.reread import reread

REPLIES = 300


def test_kept_replies_are_read_anew_without_a_call(tmp_path: Path) -> None:
    found = reread(tmp_path, REPLIES)

    assert (found.asked, found.asked_again) == (REPLIES, 0)
    assert found.on_record == REPLIES
    assert found.first.total() == REPLIES
    assert found.second == {
        "correct": found.first["incorrect"],
        "incorrect": found.first["correct"],
    }
