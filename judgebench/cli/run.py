"""``judgebench run``: answer, judge, report."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import show

if TYPE_CHECKING:
    from judgebench.run.evaluate import Outcome

RETRY = 75
UNAVAILABLE = 69


@click.command("run", short_help="Answer, judge and report what a suite asks for.")
@click.argument("suite", type=click.Path(path_type=Path))
@click.option(
    "--store",
    metavar="URL",
    envvar="JUDGEBENCH_STORE",
    help="Where results are kept; goes before the suite's own.",
)
@click.option("--quiet", is_flag=True, help="No boards at the end, only the last line.")
def command(suite: Path, store: str | None, quiet: bool) -> int:
    """Answer, judge and report what SUITE asks for.

    Running again does only what is missing: answers and verdicts that the store has are used, and
    what failed is asked again. Ctrl-C waits for the replies under way and loses nothing.

    \b
    Examples:
      judgebench run suites/demo.yaml
      judgebench run nightly.yaml --store sqlite:///results/nightly.db
    """
    from judgebench import api
    from judgebench.cli.progress import progress_for
    from judgebench.config import load_suite

    began = time.monotonic()
    url = api.store_url(load_suite(suite), store)
    with progress_for(sys.stderr) as progress:
        outcome = api.run(suite, store=url, progress=progress)
    for warning in outcome.warnings:
        click.echo(f"warning: {warning}", err=True)
    for judge, reason in outcome.stopped.items():
        click.echo(f"warning: {judge} was stopped: {reason}", err=True)
    if not quiet:
        _boards(outcome, url)
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.seconds.items())
    click.echo(f"stages: {stages}, all {time.monotonic() - began:.1f} s", err=True)
    click.echo(_last_line(outcome, url), err=True)
    if not outcome.failed and not outcome.stopped:
        return 0
    click.echo("run the same command again to retry what failed", err=True)
    nothing_came = outcome.judged == 0 and outcome.generated == 0 and bool(outcome.stopped)
    return UNAVAILABLE if nothing_came else RETRY


def _boards(outcome: Outcome, url: str) -> None:
    """The leaderboards of what was asked, and where people have labelled, the agreement."""
    from judgebench.report import agreement, leaderboard
    from judgebench.store import open_store

    with open_store(url, read_only=True) as store:
        for asked in outcome.work.asked:
            name = f"{asked.benchmark.name}@{asked.benchmark.version}"
            boards = leaderboard.leaderboards(store, name)
            if not boards:
                continue
            show(leaderboard.document(boards), "table")
            if any(board.judge.startswith("human") for board in boards):
                click.echo()
                report = agreement.agreement_report(store, name)
                show(agreement.document(report), "table")


def _last_line(outcome: Outcome, url: str) -> str:
    return (
        f"run {outcome.manifest.id}: {outcome.generated} generations, {outcome.calls} judge calls "
        f"made, {outcome.recorded + outcome.known} recorded, {outcome.unreadable} unreadable, "
        f"{outcome.failed} failed; store {url}"
    )
