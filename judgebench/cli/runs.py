"""``runs``, ``cost``, ``batches``: what ran, what it took, and what waits at a provider."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import (
    Cell,
    level_option,
    listing,
    report,
    report_options,
    show,
    store_option,
)
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.execution.batch import Look
    from judgebench.records import Batch, RunManifest
    from judgebench.reports.document import Document
    from judgebench.store import Store

WIDE = 100
"""Characters of a value beyond which it stands in several lines."""

AGAIN = "run the suite again to read the verdicts"


@click.group("runs")
def runs() -> None:
    """What ran, with its manifest, and what changed between two runs."""


@report("list", runs)
def list_runs(store: Store) -> Document:
    """List the runs and imports that a store holds, the newest last."""
    found = store.runs()
    columns: dict[str, Cell] = {
        "run": "id",
        "name~": "name",
        "state": "state",
        "started (UTC)?": lambda run: _time(run.started),
        "seconds>?": lambda run: "" if run.ended is None else f"{run.ended - run.started:.1f}",
        "counts~?": lambda run: _counts(run.counts),
    }
    notes = [] if found else ["none yet; `judgebench run SUITE.yaml` starts one"]
    return listing("runs", found, columns, _summary, flat=_flat, notes=notes)


@report("show", runs)
@click.argument("run")
def show_run(store: Store, run: str) -> Document:
    """Show the manifest of RUN: its id, the beginning of it, 'latest' or 'latest~1'.

    Imports are left out of 'latest', unless there is nothing else.
    """
    from judgebench.reports.run_ref import run_called

    return _one(run_called(store.runs(), run, store.url))


@report("diff", runs)
@click.argument("a")
@click.argument("b")
@level_option
def diff_runs(store: Store, a: str, b: str, level: float) -> Document:
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
    from judgebench.metrics.intervals import Intervals
    from judgebench.reports.run_diff import run_diff
    from judgebench.reports.run_diff_document import document
    from judgebench.reports.run_ref import run_called

    first, second = (run_called(store.runs(), wanted, store.url) for wanted in (a, b))
    return document(run_diff(store, first, second, intervals=Intervals(level=level)))


def _one(run: RunManifest) -> Document:
    shown = {
        **_summary(run),
        "git": run.git_sha or "",
        "seeds": run.seeds,
        "data": run.data_sha,
        "versions": run.versions,
        "configuration": run.configuration,
    }
    document = listing(
        f"run {run.id}",
        [row for name, value in shown.items() for row in _lines(name, value)],
        {"field": lambda row: row[0], "value~": lambda row: row[1]},
        lambda row: {"field": row[0]},
    )
    records = [{"field": name, "value": _value(value)} for name, value in shown.items()]
    return replace(document, records=records, data=asdict(run))


def _lines(name: str, value: Any) -> Iterator[list[str]]:
    """A field with its value: one line, or as in a suite what would be a wide one."""
    import yaml

    lines = [_value(value)]
    if len(lines[0]) > WIDE and not isinstance(value, str):
        lines = yaml.safe_dump(value, allow_unicode=True, sort_keys=False).splitlines()
    for i, line in enumerate(lines):
        yield [name if i == 0 else "", line]


def _summary(run: RunManifest) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "started": _time(run.started),
        "ended": None if run.ended is None else _time(run.ended),
        "counts": dict(run.counts),
    }


def _value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n)


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "counts": _counts(record["counts"])}


@report("cost")
@click.argument("run", required=False)
def cost(store: Store, run: str | None) -> Document:
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
    from judgebench.reports.cost import cost_report
    from judgebench.reports.run_ref import run_called

    run_id = None if run is None else run_called(store.runs(), run, store.url).id
    return cost_report(store, run_id).document()


@click.group("batches")
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
def list_batches(store: Store) -> Document:
    """List the batches of a store, the newest last. Asks no provider."""
    from judgebench.execution.batch import duration

    found = store.batches()
    columns: dict[str, Cell] = {
        "batch": "id",
        "run": "run_id",
        "asker~": "asker",
        "provider": "provider",
        "state": "state",
        "requests>": "requests",
        "age>": lambda one: duration((one.ended or time.time()) - one.created),
        "remote id~?": lambda one: one.remote_id or "",
        "note~?": "note",
    }
    notes = [] if found else ["none; `judgebench run SUITE.yaml --batch` makes some"]
    return listing("batches", found, columns, _record, notes=notes)


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
    from judgebench.execution.batch import collect
    from judgebench.progress import progress_for
    from judgebench.store import open_store

    with open_store(store, create=False) as opened, progress_for(sys.stderr) as progress:
        looks = collect(
            opened,
            environment=os.environ,
            progress=progress,
            only=wanted or None,
            call_off=call_off,
        )
    waiting = sum(not look.done for look in looks)
    notes = [f"{waiting} of {len(looks)} not collected yet; collect again later"] * bool(waiting)
    columns: dict[str, Cell] = {
        "batch": lambda look: look.batch.id,
        "asker~": lambda look: look.batch.asker,
        "requests>": lambda look: look.batch.requests,
        "what was found~": "says",
    }
    notes = notes if looks else ["no batch is under way"]
    show(listing("batches", looks, columns, _found, notes=notes), form, outputs)
    if any(look.replies for look in looks):
        say(AGAIN)
    return _exit_code(looks)


def _exit_code(looks: Sequence[Look]) -> int:
    """0 when all are settled; what stood in the way goes before what only takes its time."""
    from judgebench.execution.batch import WAITING

    codes = {look.exit_code for look in looks} - {0}
    return max(codes - {WAITING}, default=max(codes, default=0))


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


def _found(look: Look) -> dict[str, Any]:
    return _record(look.batch) | {
        "found": look.says,
        "replies": look.replies,
        "failed": look.failed,
        "unasked": look.unasked,
    }
