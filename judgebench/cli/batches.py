"""``judgebench batches``: what was handed to providers' batch interfaces, and what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.execution.batch import Look
    from judgebench.records import Batch
    from judgebench.report.table import Document

AGAIN = "run the suite again to read the verdicts"


@click.group("batches", short_help="Questions in batches: list, collect, cancel.")
def command() -> None:
    """What was handed to providers' batch interfaces, and what came of it.

    \b
    In three steps, hours apart and perhaps on several machines:
      judgebench run nightly.yaml --batch    # hands the questions over; exit code 75
      judgebench batches collect             # fetches replies; 75 while some are under way
      judgebench run nightly.yaml            # reads the verdicts, and asks what is left

    The commands here need --store where the suite names a store of its own.
    """


@command.command("list")
@report_options
@store_option
def list_command(form: str, outputs: tuple[Path, ...], store: str) -> int:
    """List the batches of a store, the newest last. Asks no provider."""
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        batches = opened.batches()
    show(_list(batches), form, outputs)
    return 0


@command.command("collect")
@click.argument("batches", metavar="[BATCH]...", nargs=-1)
@report_options
@store_option
def collect_command(
    batches: tuple[str, ...], form: str, outputs: tuple[Path, ...], store: str
) -> int:
    """Store the replies of batches that have ended.

    BATCH is an id or the beginning of one, ours or the provider's; without any, all that are under
    way are looked at. Keys are taken from the environment, under the names that the suites give.
    Collecting again changes nothing.

    Exit codes: 0 all is collected, 75 some are under way, 69 a provider could not be reached.
    """
    return _visit(batches, form, outputs, store, call_off=False)


@command.command("cancel")
@click.argument("batches", metavar="BATCH...", nargs=-1, required=True)
@report_options
@store_option
def cancel_command(
    batches: tuple[str, ...], form: str, outputs: tuple[Path, ...], store: str
) -> int:
    """End batches early.

    What a provider has answered by then is paid for: `judgebench batches collect` stores it once
    the batch has ended, and frees the other questions.
    """
    return _visit(batches, form, outputs, store, call_off=True)


def _visit(
    batches: Sequence[str], form: str, outputs: Sequence[Path], store: str, *, call_off: bool
) -> int:
    from judgebench.cli.progress import progress_for
    from judgebench.execution.batch import collect
    from judgebench.store import open_store

    with open_store(store, create=False) as opened, progress_for(sys.stderr) as progress:
        looks = collect(
            opened,
            environment=os.environ,
            progress=progress,
            only=batches or None,
            call_off=call_off,
        )
    show(_looks(looks), form, outputs)
    if any(look.replies for look in looks):
        say(AGAIN)
    return _exit_code(looks)


def _exit_code(looks: Sequence[Look]) -> int:
    """0 when all are settled; what stood in the way goes before what only takes its time."""
    from judgebench.execution.batch import WAITING

    codes = {look.exit_code for look in looks} - {0}
    return max(codes - {WAITING}, default=max(codes, default=0))


def _list(batches: Sequence[Batch]) -> Document:
    from judgebench.report.table import Column, Document, Table

    return Document(
        tables=[
            Table(
                title="batches",
                columns=[
                    Column(title="batch"),
                    Column(title="run"),
                    Column(title="asker", wraps=True),
                    Column(title="provider"),
                    Column(title="state"),
                    Column(title="requests", align="right"),
                    Column(title="age", align="right"),
                    Column(title="remote id", spare=True, wraps=True),
                    Column(title="note", spare=True, wraps=True),
                ],
                rows=[_row(batch) for batch in batches],
                notes=[] if batches else ["none; `judgebench run SUITE.yaml --batch` makes some"],
            )
        ],
        records=[_record(batch) for batch in batches],
        data={"batches": [_record(batch) for batch in batches]},
    )


def _row(batch: Batch) -> list[str]:
    import time

    from judgebench.execution.batch import duration

    took = (batch.ended or time.time()) - batch.created
    return [
        batch.id,
        batch.run_id,
        batch.asker,
        batch.provider,
        batch.state,
        f"{batch.requests:,}",
        duration(took),
        batch.remote_id or "",
        batch.note,
    ]


def _record(batch: Batch) -> dict[str, Any]:
    from judgebench.execution.batch import clock_time

    return {
        "id": batch.id,
        "run": batch.run_id,
        "asker": batch.asker,
        "provider": batch.provider,
        "state": batch.state,
        "requests": batch.requests,
        "created": clock_time(batch.created),
        "ended": None if batch.ended is None else clock_time(batch.ended),
        "remote_id": batch.remote_id,
        "note": batch.note,
    }


def _looks(looks: Sequence[Look]) -> Document:
    from judgebench.report.table import Column, Document, Table

    waiting = sum(not look.done for look in looks)
    notes = [f"{waiting} of {len(looks)} not collected yet; collect again later"] * bool(waiting)
    return Document(
        tables=[
            Table(
                title="batches",
                columns=[
                    Column(title="batch"),
                    Column(title="asker", wraps=True),
                    Column(title="requests", align="right"),
                    Column(title="what was found", wraps=True),
                ],
                rows=[
                    [look.batch.id, look.batch.asker, f"{look.batch.requests:,}", look.says]
                    for look in looks
                ],
                notes=notes if looks else ["no batch is under way"],
            )
        ],
        records=[_found(look) for look in looks],
        data={"batches": [_found(look) for look in looks]},
    )


def _found(look: Look) -> dict[str, Any]:
    return _record(look.batch) | {
        "found": look.says,
        "replies": look.replies,
        "failed": look.failed,
        "unasked": look.unasked,
    }
