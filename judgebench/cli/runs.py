"""``runs``, ``cost``, ``batches``: what ran, what it took, and what waits at a provider."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import (
    Commands,
    level_option,
    report,
    report_options,
    say,
    show,
    store_option,
)
from judgebench.progress import progress_for

if TYPE_CHECKING:
    from judgebench.reports.document import Document

LOOK_S = 2.0
"""Between two looks at a store: as often as a run tells how far it is."""

AGAIN = "run the same command again to read the verdicts"


@click.group("runs", cls=Commands)
def runs() -> None:
    """What ran, with its manifest, and what changed between two runs."""


@report("list", runs)
def list_runs(store: str) -> Document:
    """List the runs and imports that a store holds, the newest last."""
    return judgebench.api.runs(store=store).document()


@report("show", runs)
@click.argument("run")
def show_run(store: str, run: str) -> Document:
    """Show the manifest of RUN: its id, the beginning of it, 'latest' or 'latest~1'.

    Imports are left out of 'latest', unless there is nothing else.
    """
    return judgebench.api.run_manifest(run, store=store).document()


@runs.command("watch")
@click.argument("run", required=False)
@click.option("--once", is_flag=True, help="Say it once, and end.")
@report_options
@store_option
def watch_runs(run: str | None, once: bool, form: str, outputs: Sequence[Path], store: str) -> int:
    """Show how far runs are: every shard on every node, on one screen, until Ctrl-C.

    What is under way, and beside it what ran last of each shard of the same suite; with RUN, that
    one. Rates are those of the last half minute; what is left is of a run's stage. --store may be a
    folder with a store for each shard. Where nobody looks at a terminal, it is said once.

    \b
    Examples:
      judgebench runs watch --store postgresql://me@db/results
      judgebench runs watch --store jobs/nightly-20261129-210000
      judgebench runs watch latest --once --format json
    """
    from judgebench.reports.render import render

    found = judgebench.api.watch(run, store=store)
    if once or outputs or form != "table" or not sys.stdout.isatty():
        show(found, form, outputs)
        return 0
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    live = Live(console=console, screen=True, auto_refresh=False)
    with live, suppress(KeyboardInterrupt):
        while True:
            shown = render(found.document(), "table", width=console.width, colour=True)
            live.update(Text.from_ansi(shown), refresh=True)
            time.sleep(LOOK_S)
            found = judgebench.api.watch(run, store=store, before=found)
    return 0


@report("diff", runs)
@click.argument("a")
@click.argument("b")
@level_option
def diff_runs(a: str, b: str, **asked: Any) -> Document:
    """Show what changed from run A to run B, and what moved.

    Runs are named by their id, the beginning of it, 'latest', or 'latest~1' for the one before;
    imports are left out of these two, unless there is nothing else.

    What changed is told field by field: the suite as written, versions of packages, commit, data,
    seeds, what models and judges are, and what local models ran on. What moved: for every model
    before every judge that both runs have, its metric in both on the items that both have, with
    the difference paired by item, and how many verdicts flipped, on equal answers (the judge
    moved) and on changed ones (the model may have).

    A model or judge is known by what it is. Under another name it is the same; one that only has
    the same name is compared as a changed one, and marked.

    \b
    Examples:
      judgebench runs diff latest~1 latest
      judgebench runs diff 20250301 20250302 --format md
      judgebench runs diff latest~1 latest --output diff.html
    """
    return judgebench.runs_diff(a, b, **asked).document()


@report("cost")
@click.argument("run", required=False)
def cost(store: str, run: str | None) -> Document:
    """Say what RUN took, by judge and model; without one, what all runs took.

    RUN is an id, the beginning of one, 'latest', or 'latest~1' for the one before.

    'calls' were answered at once, 'batch' in a batch at its price. 'recorded' were not made, since
    the reply was in the store: 'saved USD' is what it had cost when it was asked for, and is no
    part of 'USD'. A failed attempt is 'retried' if it was not charged, and 'wasted' if it may have
    been, at the most it can cost. What has no known price is said, never counted as 0.

    \b
    Examples:
      judgebench cost
      judgebench cost latest --format json
    """
    return judgebench.cost(run, store=store).document()


@click.group("batches", cls=Commands)
def batches() -> None:
    """What was handed to providers' batch interfaces, and what came of it.

    \b
    In three steps, hours apart and perhaps on several machines:
      judgebench run nightly.yaml --batch    # hands the questions over; exit code 75
      judgebench batches collect             # fetches replies; 75 while some are under way
      judgebench run nightly.yaml            # reads the verdicts, and asks what is left

    The commands here need --store where the suite names a store of its own.
    """


@report("list", batches)
def list_batches(store: str) -> Document:
    """List the batches of a store, the newest last. Asks no provider."""
    return judgebench.batches.list_batches(store=store).document()


@batches.command("collect")
@click.argument("wanted", metavar="[BATCH]...", nargs=-1)
@report_options
@store_option
def collect_batches(**asked: Any) -> int:
    """Store the replies of batches that have ended.

    BATCH is an id or the beginning of one, ours or the provider's; without any, all that are under
    way are looked at. Keys are taken from the environment, under the names that the suites give.
    Collecting again changes nothing.

    Exit codes: 0 all is collected, 75 some are under way, 69 a provider could not be reached.
    """
    return _visit(**asked, call_off=False)


@batches.command("cancel")
@click.argument("wanted", metavar="BATCH...", nargs=-1, required=True)
@report_options
@store_option
def cancel_batches(**asked: Any) -> int:
    """End batches early.

    What a provider has answered by then is paid for: `judgebench batches collect` stores it once
    the batch has ended, and frees the other questions.
    """
    return _visit(**asked, call_off=True)


def _visit(
    wanted: Sequence[str], form: str, outputs: Sequence[Path], store: str, *, call_off: bool
) -> int:
    with progress_for(sys.stderr) as progress:
        found = judgebench.batches.collect(
            *wanted, call_off=call_off, store=store, progress=progress
        )
    show(found, form, outputs)
    if any(look.replies for look in found.looks):
        say(AGAIN)
    return found.exit_code
