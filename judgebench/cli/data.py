"""``judgebench data``: benchmark data and official prompts in the data home."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

import judgebench
from judgebench.cli.options import Commands, report, report_options, say, show
from judgebench.errors import InputError
from judgebench.progress import progress_for

if TYPE_CHECKING:
    from judgebench.data import DataReport


@click.group("data", cls=Commands)
def data() -> None:
    """Benchmark data and official judge prompts, in the data home (JUDGEBENCH_DATA).

    No benchmark text comes with judgebench, but for the small sets of its own. A benchmark is
    written NAME or NAME@VERSION.
    """


@report("list", data, store=False)
def list_all() -> DataReport:
    """Say what there is of every benchmark."""
    return judgebench.data.list_data()


@data.command("verify")
@click.argument("benchmarks", metavar="[BENCHMARK]…", nargs=-1)
@report_options
def verify_command(benchmarks: tuple[str, ...], form: str, outputs: tuple[Path, ...]) -> int:
    """Read the data again and compare it with what is pinned; all that is here if none is named.

    That is the questions, official prompts and files of a published calibration. Ends with 65
    where questions that were asked for are missing, or anything is damaged.
    """
    found = judgebench.data.verify(*benchmarks)
    show(found, form, outputs)
    if faults := found.faults(named=bool(benchmarks)):
        raise InputError("\n".join(faults))
    return 0


@data.command("pull")
@click.argument("benchmarks", metavar="[BENCHMARK]…", nargs=-1)
def pull_command(benchmarks: tuple[str, ...]) -> int:
    """Fetch what is missing from where the benchmark's description says.

    Without a name it says what can be pulled; `all` is every version of every benchmark. A pull
    that was interrupted goes on where it stopped.
    """
    if not benchmarks:
        show(judgebench.data.offers(), "table")
        return 0
    with progress_for(sys.stderr) as progress:
        judgebench.data.pull(*benchmarks, progress=progress)
    return 0


@data.command("import")
@click.argument("benchmark")
@click.argument("path", type=click.Path(path_type=Path))
def import_command(benchmark: str, path: Path) -> int:
    """Take data of BENCHMARK from a file or folder that is here already.

    PATH is a checkout of upstream's repository or a folder of it, holds files as upstream publishes
    them, or is a data home that was pulled on another machine.
    """
    judgebench.data.import_data(benchmark, path, say=say)
    return 0
