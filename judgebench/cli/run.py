"""``judgebench run``: answer, judge, report."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import (
    check_outputs,
    report_options,
    show,
    suite_store_option,
    write_outputs,
)
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.report.table import Document, Table
    from judgebench.run.outcome import Outcome

RETRY = 75
UNAVAILABLE = 69


@click.command("run", short_help="Answer, judge and report what a suite asks for.")
@click.argument("suite", type=click.Path(path_type=Path))
@suite_store_option
@click.option("--quiet", is_flag=True, help="Print no boards at the end, only the last line.")
@report_options
def command(
    suite: Path, store: str | None, quiet: bool, form: str, outputs: tuple[Path, ...]
) -> int:
    """Answer, judge and report what SUITE asks for.

    Running again does only what is missing: answers and verdicts that the store has are used, and
    what failed is asked again. Ctrl-C waits for the replies under way and loses nothing.

    What is printed at the end are the boards of all that SUITE asks for, and where people have
    labelled, how judges agree with them (not in csv, which has the boards only).

    \b
    Examples:
      judgebench run suites/demo.yaml
      judgebench run nightly.yaml --store sqlite:///results/nightly.db --output nightly.md
    """
    from judgebench import api
    from judgebench.cli.progress import progress_for
    from judgebench.config import load_suite

    check_outputs(outputs)
    began = time.monotonic()
    url = api.store_url(load_suite(suite), store)
    with progress_for(sys.stderr) as progress:
        outcome = api.run(suite, store=url, progress=progress)
    for warning in outcome.warnings:
        say(f"warning: {warning}")
    for judge, reason in outcome.stopped.items():
        say(f"warning: {judge} was stopped: {reason}")
    if outputs or not quiet:
        document = _boards(outcome, url)
        if quiet:
            write_outputs(document, outputs)
        elif document.tables or form != "table":
            show(document, form, outputs)
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.seconds.items())
    say(f"stages: {stages}, all {time.monotonic() - began:.1f} s")
    say(_last_line(outcome, url))
    if not outcome.failed and not outcome.stopped:
        return 0
    say("run the same command again to retry what failed")
    nothing_came = outcome.judged == 0 and outcome.generated == 0 and bool(outcome.stopped)
    return UNAVAILABLE if nothing_came else RETRY


def _boards(outcome: Outcome, url: str) -> Document:
    """The leaderboards of what was asked, and where people have labelled, the agreement."""
    from judgebench.records import is_human
    from judgebench.report import agreement, leaderboard
    from judgebench.report.table import Document
    from judgebench.store import open_store

    tables: list[Table] = []
    boards: list[Document] = []
    agreements: list[Document] = []
    with open_store(url, read_only=True) as store:
        for asked in outcome.work.asked:
            name = f"{asked.benchmark.name}@{asked.benchmark.version}"
            found = leaderboard.leaderboards(store, name)
            boards.append(leaderboard.document(found))
            tables += boards[-1].tables
            if any(is_human(board.judge) for board in found):
                agreements.append(agreement.document(agreement.agreement_report(store, name)))
                tables += agreements[-1].tables
    return Document(
        tables=tables,
        records=[record for document in boards for record in document.records],
        data={
            "run": outcome.manifest.id,
            "boards": [board for document in boards for board in document.data["boards"]],
            "agreement": [document.data for document in agreements],
        },
    )


def _last_line(outcome: Outcome, url: str) -> str:
    return (
        f"run {outcome.manifest.id}: {outcome.generated} generations, {outcome.calls} judge calls "
        f"made, {outcome.recorded + outcome.known} recorded, {outcome.judged} verdicts given, "
        f"{outcome.unreadable} unreadable, {outcome.failed} failed; store {url}"
    )
