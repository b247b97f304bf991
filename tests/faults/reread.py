"""A changed reader, and many replies that are kept: read anew, with nobody asked.

python -m tests.faults.reread --replies 10000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from judgebench.judges import kinds
from judgebench.records import Label, Reply, Verdict
from tests.e2e import own, runs
from tests.loopback import Loopback

_VERDICTS = "SELECT label, count(*) FROM verdicts_v2 GROUP BY label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """What it took.

    ``asked`` and ``asked_again`` are calls that arrived at the server in the first run and in the
    second; ``first`` and ``second`` are their verdicts, and ``on_record`` the replies that the
    account says were had for nothing.
    """

    asked: int
    asked_again: int
    first: Counter[str]
    second: Counter[str]
    on_record: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.on_record:,} stored replies read by a changed reader: {self.asked_again} calls,"
            f" {self.second.total():,} new verdicts beside the {self.first.total():,} that stay; "
            f"{self.seconds:.1f} s"
        )


def contrary(reply: Reply, *, accept_maybe: bool = False) -> Verdict:
    """A reader that understands the opposite, so that it is seen whose verdict one is."""
    return Label(name={"correct": "incorrect", "incorrect": "correct"}[reply.text])


def reread(folder: Path, replies: int) -> Reread:
    """Have answers judged, then change the reader and run again."""
    with Loopback() as server:
        suite = own.suite(
            folder,
            items=replies,
            judges=[own.endpoint(server.url)],
            limits={"max_connections": 32},
        )
        _run(suite)
        asked = len(server.asks)
        first = _labels(folder)
        began = time.monotonic()
        reference = kinds.KINDS["reference"]
        changed = replace(
            reference, plan=lambda setup: replace(reference.plan(setup), version="changed")
        )
        with (
            patch.object(kinds, "read_word", contrary),
            patch.dict(kinds.KINDS, reference=changed),
        ):
            _run(suite)
        seconds = time.monotonic() - began
        return Reread(
            asked=asked,
            asked_again=len(server.asks) - asked,
            first=first,
            second=_labels(folder) - first,
            on_record=own.spent(folder)["recorded"],
            seconds=seconds,
        )


def _run(suite: Path) -> None:
    done = runs.typed("run", suite, "--quiet")
    if done.code:
        raise AssertionError(done.err)


def _labels(folder: Path) -> Counter[str]:
    """How many verdicts there are of each label, by all judges together."""
    return Counter(dict(own.query(folder, _VERDICTS)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replies", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(reread(Path(folder), arguments.replies))


if __name__ == "__main__":
    main()
