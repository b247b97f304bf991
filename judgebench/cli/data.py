"""``judgebench data``: benchmark data and official prompts in the data home."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.benchmarks.data_source import DataState
    from judgebench.report.table import Document


@click.group("data", short_help="List, pull, import and verify benchmark data.")
def command() -> None:
    """Benchmark data and official judge prompts, in the data home (JUDGEBENCH_DATA).

    No benchmark text comes with judgebench, but for the small sets of its own. A benchmark is
    written NAME or NAME@VERSION.
    """


@command.command("list")
@report_options
def list_command(form: str, outputs: tuple[Path, ...]) -> int:
    """Say what there is of every benchmark."""
    from judgebench.benchmarks.data_source import list_data

    show(_document(list_data()), form, outputs)
    return 0


@command.command("verify")
@click.argument("benchmarks", metavar="[BENCHMARK]…", nargs=-1)
@report_options
def verify_command(benchmarks: tuple[str, ...], form: str, outputs: tuple[Path, ...]) -> int:
    """Read the data again and compare it with what is pinned; all that is here if none is named.

    Ends with 65 where data that was asked for is missing, or any is damaged.
    """
    from judgebench.benchmarks.data_source import list_data, verify
    from judgebench.errors import InputError

    states = [verify(name) for name in benchmarks] if benchmarks else list_data()
    show(_document(states), form, outputs)
    bad = [s for s in states if s.state == "damaged" or (benchmarks and not s.usable)]
    if bad:
        faults = [f"{s.benchmark}@{s.version} is {s.state}: {s.note}" for s in bad]
        raise InputError("\n".join(faults))
    return 0


@command.command("pull")
@click.argument("benchmarks", metavar="BENCHMARK…", nargs=-1, required=True)
def pull_command(benchmarks: tuple[str, ...]) -> int:
    """Fetch data from where the benchmark's description says."""
    from judgebench.benchmarks.data_source import pull
    from judgebench.cli.progress import progress_for

    with progress_for(sys.stderr) as progress:
        states = [pull(name, progress) for name in benchmarks]
    _say(states)
    return 0


@command.command("import")
@click.argument("benchmark")
@click.argument("path", type=click.Path(path_type=Path))
def import_command(benchmark: str, path: Path) -> int:
    """Take data of BENCHMARK from a file or folder that is here already."""
    from judgebench.benchmarks.data_source import import_data

    _say([import_data(benchmark, path)])
    return 0


def _say(states: Iterable[DataState]) -> None:
    for state in states:
        prompts = f", official prompts: {', '.join(state.prompts)}" if state.prompts else ""
        say(
            f"{state.benchmark}@{state.version}: {state.state}, {state.items} items{prompts}"
            + (f"; {state.note}" if state.note else "")
        )


def _notes(state: DataState) -> Iterable[str]:
    """What is not here, and how to get it."""
    name = f"{state.benchmark}@{state.version}"
    if state.note:
        yield f"{name}: {state.note}"
    if state.prompts_missing and state.usable:
        yield f"{name}: official prompts: {_how_to_get_prompts(state.benchmark)}"


def _how_to_get_prompts(benchmark: str) -> str:
    from judgebench.benchmarks.description import find

    description = find(benchmark)[0]
    home = description.judging.official_from or benchmark
    version = find(home)[0].default_version
    return (
        f"judgebench data pull {home}@{version}, or judgebench data import {home}@{version} PATH; "
        "without them judges ask with a prompt of our own wording"
    )


def _document(states: Sequence[DataState]) -> Document:
    from dataclasses import asdict

    from judgebench.report.table import Column, Document, Table

    rows = [asdict(state) for state in states]
    return Document(
        tables=[
            Table(
                title="benchmark data",
                columns=[
                    Column(title="benchmark", wraps=True),
                    Column(title="state"),
                    Column(title="items", align="right"),
                    Column(title="official prompts", wraps=True),
                    Column(title="licence", wraps=True, spare=True),
                ],
                rows=[
                    [
                        f"{s.benchmark}@{s.version}",
                        s.state,
                        str(s.items) if s.usable else "",
                        ", ".join(s.prompts) or ("not here" if s.prompts_missing else ""),
                        s.licence,
                    ]
                    for s in states
                ],
                notes=[note for state in states for note in _notes(state)],
            )
        ],
        records=[
            row | {name: ", ".join(row[name]) for name in ("prompts", "prompts_missing")}
            for row in rows
        ],
        data={"data": rows},
    )
