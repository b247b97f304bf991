"""``judgebench data``: benchmark data and official prompts in the data home."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import listing, report, report_options, show
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.benchmarks.data import DataState
    from judgebench.benchmarks.pull import Offer
    from judgebench.reports.document import Document


@click.group("data")
def data() -> None:
    """Benchmark data and official judge prompts, in the data home (JUDGEBENCH_DATA).

    No benchmark text comes with judgebench, but for the small sets of its own. A benchmark is
    written NAME or NAME@VERSION.
    """


@report("list", data, store=None)
def list_all() -> Document:
    """Say what there is of every benchmark."""
    from judgebench.benchmarks.data import list_data

    return _document(list_data())


@data.command("verify")
@click.argument("benchmarks", metavar="[BENCHMARK]…", nargs=-1)
@report_options
def verify_command(benchmarks: tuple[str, ...], form: str, outputs: tuple[Path, ...]) -> int:
    """Read the data again and compare it with what is pinned; all that is here if none is named.

    That is the questions, official prompts and files of a published calibration. Ends with 65
    where questions that were asked for are missing, or anything is damaged.
    """
    from judgebench.benchmarks.data import list_data, verify
    from judgebench.errors import InputError

    states = [verify(name) for name in benchmarks] if benchmarks else list_data()
    show(_document(states), form, outputs)
    if faults := [fault for s in states for fault in _faults(s, named=bool(benchmarks))]:
        raise InputError("\n".join(faults))
    return 0


@data.command("pull")
@click.argument("benchmarks", metavar="[BENCHMARK]…", nargs=-1)
def pull_command(benchmarks: tuple[str, ...]) -> int:
    """Fetch what is missing from where the benchmark's description says.

    Without a name it says what can be pulled; `all` is every version of every benchmark. A pull
    that was interrupted goes on where it stopped.
    """
    from judgebench.benchmarks.data import found
    from judgebench.benchmarks.pull import offers, pull
    from judgebench.errors import JudgebenchError
    from judgebench.progress import progress_for

    offered = offers()
    if not benchmarks:
        show(_offers_document(offered), "table")
        return 0
    every = [f"{one.benchmark}@{one.version}" for one in offered]
    names = every if "all" in benchmarks else list(benchmarks)
    for name in names:  # a slip of the pen is said before anything is fetched
        found(name)
    failed: list[JudgebenchError] = []
    states = []
    with progress_for(sys.stderr) as progress:
        for name in names:
            try:
                states.append(pull(name, progress))
            except JudgebenchError as error:  # the others can be had all the same
                failed.append(error)
    _say(states)
    if failed:
        raise type(failed[0])("\n".join(map(str, failed)))
    return 0


@data.command("import")
@click.argument("benchmark")
@click.argument("path", type=click.Path(path_type=Path))
def import_command(benchmark: str, path: Path) -> int:
    """Take data of BENCHMARK from a file or folder that is here already.

    PATH is a checkout of upstream's repository or a folder of it, holds files as upstream publishes
    them, or is a data home that was pulled on another machine.
    """
    from judgebench.benchmarks.data import import_data

    _say([import_data(benchmark, path, say=say)])
    return 0


def _say(states: Iterable[DataState]) -> None:
    for state in states:
        prompts = f", official prompts: {', '.join(state.prompts)}" if state.prompts else ""
        calibration = f", calibration: {', '.join(state.calibration)}" if state.calibration else ""
        say(
            f"{_named(state)}: {state.state}, {state.items} items"
            f"{prompts}{calibration}" + (f"; {state.note}" if state.note else "")
        )


def _faults(state: DataState, *, named: bool) -> Iterable[str]:
    name = _named(state)
    if state.state == "damaged" or (named and not state.usable):
        yield f"{name} is {state.state}: {state.note}"
    for file in state.damaged_files:
        yield f"{name}: {file} is damaged: it is not what is pinned; {_how_to_get_again(state)}"


def _notes(state: DataState) -> Iterable[str]:
    """What is not here, and how to get it."""
    name = _named(state)
    if state.note:
        yield f"{name}: {state.note}"
    if state.prompts_missing and state.usable:
        yield f"{name}: official prompts: {_how_to_get_prompts(state.benchmark)}"
    if state.calibration_missing and state.usable:
        missing = ", ".join(state.calibration_missing)
        yield f"{name}: files of the published calibration ({missing}): {_how_to_get_again(state)}"


def _how_to_get_again(state: DataState) -> str:
    name = _named(state)
    return f"judgebench data pull {name}, or judgebench data import {name} PATH"


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

    return listing(
        "benchmark data",
        states,
        {
            "benchmark~": _named,
            "state": "state",
            "items>": lambda s: str(s.items) if s.usable else "",
            "official prompts~": lambda s: _here(s.prompts, s.prompts_missing),
            "calibration~": lambda s: _here(s.calibration, s.calibration_missing),
            "licence~?": "licence",
        },
        asdict,
        flat=_flat,
        data="data",
        notes=[note for state in states for note in _notes(state)],
    )


def _named(one: DataState | Offer) -> str:
    return f"{one.benchmark}@{one.version}"


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: ", ".join(of) for name, of in record.items() if isinstance(of, tuple)}
    return {**record, **lists}


def _here(names: Sequence[str], missing: Sequence[str]) -> str:
    return ", ".join(names) or ("not here" if missing else "")


def _offers_document(offered: Sequence[Offer]) -> Document:
    from dataclasses import asdict

    return listing(
        "what can be pulled",
        offered,
        {
            "benchmark": _named,
            "files": lambda one: str(one.files),
            "size": "size",
            "from~": lambda one: ", ".join(one.hosts),
            "licence~": "licence",
        },
        asdict,
        flat=_flat,
        data="offers",
        notes=["judgebench data pull NAME, or all of it: judgebench data pull all"],
    )
