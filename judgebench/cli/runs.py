"""``judgebench runs``: what ran, with its manifest, and what changed between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import report_options, show, store_option

if TYPE_CHECKING:
    from judgebench.records import RunManifest
    from judgebench.report.table import Document

WIDE = 100
"""Characters of a value beyond which it stands in several lines."""


@click.group("runs", short_help="What ran, and what changed.")
def command() -> None:
    """What ran, with its manifest, and what changed between two runs."""


@command.command("list")
@report_options
@store_option
def list_command(form: str, outputs: tuple[Path, ...], store: str) -> int:
    """List the runs and imports that a store holds, the newest last."""
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        runs = opened.runs()
    show(_list(runs), form, outputs)
    return 0


@command.command("show")
@click.argument("run")
@report_options
@store_option
def show_command(run: str, form: str, outputs: tuple[Path, ...], store: str) -> int:
    """Show the manifest of RUN: its id, the beginning of it, 'latest' or 'latest~1'.

    Imports are left out of 'latest', unless there is nothing else.
    """
    from judgebench.report.run_called import run_called
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        found = run_called(opened.runs(), run, store)
    show(_one(found), form, outputs)
    return 0


@command.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def diff_command(
    a: str, b: str, level: float, form: str, outputs: tuple[Path, ...], store: str
) -> int:
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
    from judgebench.report.run_called import run_called
    from judgebench.report.run_diff import run_diff
    from judgebench.report.run_diff_document import document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        runs = opened.runs()
        first, second = (run_called(runs, wanted, store) for wanted in (a, b))
        found = run_diff(opened, first, second, intervals=Intervals(level=level))
    show(document(found), form, outputs)
    return 0


def _list(runs: Sequence[RunManifest]) -> Document:
    from judgebench.report.table import Column, Document, Table

    return Document(
        tables=[
            Table(
                title="runs",
                columns=[
                    Column(title="run"),
                    Column(title="name", wraps=True),
                    Column(title="state"),
                    Column(title="started (UTC)", spare=True),
                    Column(title="seconds", align="right", spare=True),
                    Column(title="counts", wraps=True, spare=True),
                ],
                rows=[
                    [run.id, run.name, run.state, _time(run.started), _seconds(run), _counts(run)]
                    for run in runs
                ],
                notes=[] if runs else ["none yet; `judgebench run SUITE.yaml` starts one"],
            )
        ],
        records=[_record(run) for run in runs],
        data={"runs": [_summary(run) for run in runs]},
    )


def _one(run: RunManifest) -> Document:
    from dataclasses import asdict

    from judgebench.report.table import Column, Document, Table

    data = asdict(run)
    shown = {
        **_summary(run),
        "git": run.git_sha or "",
        "seeds": run.seeds,
        "data": run.data_sha,
        "versions": run.versions,
        "configuration": run.configuration,
    }
    return Document(
        tables=[
            Table(
                title=f"run {run.id}",
                columns=[Column(title="field"), Column(title="value", wraps=True)],
                rows=[row for name, value in shown.items() for row in _lines(name, value)],
            )
        ],
        records=[{"field": name, "value": _value(value)} for name, value in shown.items()],
        data=data,
    )


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


def _record(run: RunManifest) -> dict[str, Any]:
    return _summary(run) | {"counts": _counts(run)}


def _value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _seconds(run: RunManifest) -> str:
    return "" if run.ended is None else f"{run.ended - run.started:.1f}"


def _counts(run: RunManifest) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in run.counts.items() if n)
