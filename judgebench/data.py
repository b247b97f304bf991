"""Benchmark data and official judge prompts in the data home: list, pull, import, verify.

No benchmark text comes with judgebench, but for the small sets of its own.

>>> import judgebench
>>> [state.state for state in judgebench.data.verify("trivia_judging_mini").data]
['bundled']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgebench.benchmarks import data as home
from judgebench.benchmarks.data import DataState
from judgebench.benchmarks.description import check_typed
from judgebench.errors import JudgebenchError
from judgebench.progress import shown
from judgebench.reports.document import Cells, Report, Table, column, table

if TYPE_CHECKING:
    from judgebench.benchmarks.pull import Offer
    from judgebench.protocols import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport(Report):
    """What there is of some versions of benchmarks."""

    data: tuple[DataState, ...]

    def tables(self) -> list[Table]:
        columns: list[Cells[DataState]] = [
            column("benchmark", _named, wraps=True),
            column("state", lambda one: one.state),
            column("items", lambda one: str(one.items) if one.usable else "", align="right"),
            column(
                "official prompts", lambda one: _here(one.prompts, one.prompts_missing), wraps=True
            ),
            column(
                "calibration",
                lambda one: _here(one.calibration, one.calibration_missing),
                wraps=True,
            ),
            column("licence", lambda one: one.licence, wraps=True, spare=True),
        ]
        notes = [note for state in self.data for note in _notes(state)]
        return [table("benchmark data", self.data, columns, notes=notes)]

    def records(self) -> list[dict[str, Any]]:
        return [_flat(one) for one in self.data]

    def faults(self, *, named: bool) -> list[str]:
        """What is damaged, and of versions that were ``named`` what is not here."""
        return [fault for state in self.data for fault in _faults(state, named=named)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers(Report):
    """What can be pulled."""

    offers: tuple[Offer, ...]

    def tables(self) -> list[Table]:
        columns: list[Cells[Offer]] = [
            column("benchmark", _named),
            column("files", lambda one: str(one.files)),
            column("size", lambda one: one.size),
            column("from", lambda one: ", ".join(one.hosts), wraps=True),
            column("licence", lambda one: one.licence, wraps=True),
        ]
        notes = ["judgebench data pull NAME, or all of it: judgebench data pull all"]
        return [table("what can be pulled", self.offers, columns, notes=notes)]

    def records(self) -> list[dict[str, Any]]:
        return [_flat(one) for one in self.offers]


def list_data() -> DataReport:
    """The state of every version of every benchmark."""
    return DataReport(data=tuple(home.list_data()))


def verify(*benchmarks: str) -> DataReport:
    """Data read again and compared with what is pinned: ``NAME`` or ``NAME@VERSION``, or all.

    Raises
    ------
    UsageError
        For a benchmark that nobody knows.
    """
    check_typed(benchmarks)
    states = map(home.verify, benchmarks) if benchmarks else home.list_data()
    return DataReport(data=tuple(states))


def offers() -> Offers:
    """What can be pulled, how large it is, and from where."""
    from judgebench.benchmarks import pull as fetch

    return Offers(offers=tuple(fetch.offers()))


def pull(*benchmarks: str, progress: Progress | None = None) -> DataReport:
    """Fetch what is missing of some versions; ``all`` is every version of every benchmark.

    A pull that was interrupted goes on where it stopped.

    Raises
    ------
    UsageError
        For a benchmark that nobody knows, before anything is fetched.
    JudgebenchError
        Of what could not be fetched, after all that could.
    """
    from judgebench.benchmarks import pull as fetch

    every = [_named(one) for one in fetch.offers()] if "all" in benchmarks else benchmarks
    check_typed(every)  # a slip of the pen is said before anything is fetched
    states, failed = [], []
    with shown(progress) as told:
        for name in every:
            try:
                states.append(fetch.pull(name, told))
                told.say(in_words(states[-1]))
            except JudgebenchError as error:  # the others can be had all the same
                failed.append(error)
    if failed:
        raise type(failed[0])("\n".join(map(str, failed)))
    return DataReport(data=tuple(states))


def import_data(
    benchmark: str, path: str | Path, *, say: Callable[[str], None] = lambda _: None
) -> DataReport:
    """Take data of a benchmark from a file or folder that is here already.

    Parameters
    ----------
    path
        A checkout of upstream's repository or a folder of it, files as upstream publishes them, or
        a data home that was pulled on another machine.
    say
        Told what is taken, and what there is then.

    Raises
    ------
    UsageError
        For a benchmark that nobody knows.
    """
    check_typed([benchmark])
    state = home.import_data(benchmark, Path(path), say=say)
    say(in_words(state))
    return DataReport(data=(state,))


def in_words(state: DataState) -> str:
    """A version of a benchmark in a line."""
    prompts = f", official prompts: {', '.join(state.prompts)}" if state.prompts else ""
    calibration = f", calibration: {', '.join(state.calibration)}" if state.calibration else ""
    note = f"; {state.note}" if state.note else ""
    return f"{_named(state)}: {state.state}, {state.items} items{prompts}{calibration}{note}"


def _faults(state: DataState, *, named: bool) -> Iterator[str]:
    name = _named(state)
    if state.state == "damaged" or (named and not state.usable):
        yield f"{name} is {state.state}: {state.note}"
    for file in state.damaged_files:
        yield f"{name}: {file} is damaged: it is not what is pinned; {_how_to_get_again(state)}"


def _notes(state: DataState) -> Iterator[str]:
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
    home_of = description.judging.official_from or benchmark
    version = find(home_of)[0].default_version
    return (
        f"judgebench data pull {home_of}@{version}, or judgebench data import {home_of}@{version} "
        "PATH; without them judges ask with a prompt of our own wording"
    )


def _named(one: DataState | Offer) -> str:
    return f"{one.benchmark}@{one.version}"


def _flat(one: DataState | Offer) -> dict[str, Any]:
    fields = asdict(one)
    lists = {name: ", ".join(of) for name, of in fields.items() if isinstance(of, tuple)}
    return {**fields, **lists}


def _here(names: Sequence[str], missing: Sequence[str]) -> str:
    return ", ".join(names) or ("not here" if missing else "")
