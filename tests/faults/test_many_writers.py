"""Four processes write to one store; `many_writers` is its command, for larger sizes."""

from __future__ import annotations

import pytest

from tests.faults.many_writers import Written, violations, write_and_read
from tests.postgres import Server

WRITERS, JUDGMENTS = 4, 200


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_nothing_is_lost_and_nothing_counted_twice(unmade_url: str) -> None:
    written = write_and_read(unmade_url, writers=WRITERS, judgments=JUDGMENTS)
    assert violations(written) == [], written
    assert any(0 < n < max(written.seen) for n in written.seen), "nobody read while they wrote"


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_server_that_is_started_again_twice_costs_nothing(postgres: Server) -> None:
    with postgres.database("store") as name:
        written = with_restarts(postgres, postgres.url(name))
    assert violations(written) == [], written


def with_restarts(server: Server, url: str) -> Written:
    restarted = 0

    def meanwhile(seen: int) -> None:
        nonlocal restarted
        if seen > 100 + 300 * restarted and restarted < 2:
            restarted += 1
            server.stop()
            server.start()

    written = write_and_read(url, writers=WRITERS, judgments=250, meanwhile=meanwhile)
    assert restarted == 2, f"they were done before: {written}"
    return written
