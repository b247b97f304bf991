"""``judgebench runs``: what ran, with its manifest."""

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

LAST = "last"
WIDE = 100
"""Characters of a value beyond which it stands in several lines."""


@click.group("runs", short_help="What ran, with its manifest.")
def command() -> None:
    """What ran, with its manifest."""


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
    """Show the manifest of RUN: its id, the beginning of it, or 'last'.

    Imports are left out of 'last', unless there is nothing else.
    """
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        found = find_run(opened.runs(), run, store)
    show(_one(found), form, outputs)
    return 0


def find_run(runs: Sequence[RunManifest], wanted: str, store: str) -> RunManifest:
    """The run of that id, of the only id that begins so, or the ``last`` that was no import.

    Raises
    ------
    UsageError
        Where there is none, or several.
    """
    from judgebench.errors import UsageError, unknown_name

    if not runs:
        raise UsageError(f"{store} holds no run yet; `judgebench run SUITE.yaml` starts one")
    if wanted == LAST:
        return next((run for run in reversed(runs) if not _is_import(run)), runs[-1])
    found = [run for run in runs if run.id.startswith(wanted)]
    if len(found) > 1 and (exact := [run for run in found if run.id == wanted]):
        found = exact
    if not found:
        raise UsageError(unknown_name("run", wanted, [run.id for run in runs[-10:]]))
    if len(found) > 1:
        raise UsageError(f"{wanted!r} begins several runs: {', '.join(run.id for run in found)}")
    return found[0]


def _is_import(run: RunManifest) -> bool:
    return "import" in run.configuration


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
