"""The boards that were published of a benchmark, as rows of reference.

They are figures in a benchmark's folder, which a checkout has and an installed package does not.
Each belongs to one version and one judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import NamedTuple

from judgebench import registry
from judgebench.benchmarks.description import Description, Published, PublishedBoard
from judgebench.errors import InputError
from judgebench.reports.boards import described
from judgebench.reports.document import json_after, json_field
from judgebench.rows import Row, read_rows

N = "n"
"""The figure that says of how many items the others are."""

Figures = Mapping[str, Mapping[str, float]]
"""Model -> metric, as boards name it -> value."""


class PublishedRow(NamedTuple):
    """A model on a published board; without a rank where it has no figure that ranks."""

    model: str
    version: str
    rank: int | None
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceBoard:
    """One published board.

    board
        What the benchmark's description says of it: whose verdicts they are.
    columns, also
        What there are figures of: metrics, the one that ranks first, and what is no metric of ours.
    groups
        By way of grouping, group -> metric.
    items
        Of how many items the figures are; None where nobody says.
    figures
        By model and by what they are of, in the units of our metrics.
    """

    benchmark: str
    version: str
    board: PublishedBoard = json_field(hidden=True)
    columns: Sequence[str] = json_field(hidden=True)
    also: Sequence[str] = json_field(hidden=True)
    groups: Mapping[str, Mapping[str, str]] = json_field(hidden=True)
    items: int | None
    source: str
    figures: Figures = json_field(hidden=True)

    @property
    @json_after("version")
    def judge(self) -> str:
        return self.board.judge

    @property
    @json_after("judge")
    def opponent(self) -> str | None:
        return self.board.baseline

    @property
    @json_after("opponent")
    def metric(self) -> str:
        """What ranks."""
        return self.columns[0]

    @property
    @json_after("source")
    def note(self) -> str | None:
        return self.board.note

    @property
    @json_after("note")
    def rows(self) -> list[PublishedRow]:
        """All models, in the order in which they are published."""
        place = places(list(self.figures.values()), self.metric)
        return [
            PublishedRow(model, self.version, at, figures)
            for at, (model, figures) in zip(place, self.figures.items(), strict=True)
        ]

    @property
    def judged_by(self) -> str:
        """Its judge, and whom that compares with."""
        against = "" if self.board.baseline is None else f", against {self.board.baseline}"
        return f"{self.judge}{against}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics, those of groups last."""
        return (*self.columns, *(name for of in self.groups.values() for name in of.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedBeside:
    """A published board, beside a board of this store.

    names
        The models that are on both, under our names, with the published ones.
    because
        Why its judge is not the board's; None where it is.
    """

    reference: ReferenceBoard
    names: Mapping[str, str]
    because: str | None

    def figures(self, model: str) -> Mapping[str, float]:
        """What is published of a model under our name; empty where nothing is."""
        return self.reference.figures.get(self.names.get(model, ""), {})


def places(figures: Sequence[Mapping[str, float]], metric: str) -> list[int | None]:
    """The place of each by a metric, best first; equal values share one, no value has none."""
    values = [of[metric] for of in figures if metric in of]
    return [
        1 + sum(value > of[metric] for value in values) if metric in of else None for of in figures
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What is published of one version of a benchmark.

    notes
        What is not here and why: boards of other versions, and figures that are not in a package.
    """

    boards: tuple[ReferenceBoard, ...] = ()
    notes: tuple[str, ...] = ()


def references(name: str, version: str) -> References:
    """The published boards of a version.

    Raises
    ------
    InputError
        For figures that cannot be read, naming file, line and field.
    """
    found = described(name)
    if found is None or found[0].published is None:
        return References(notes=(f"of {name} no board is published",))
    description, folder = found
    published = description.published
    assert published is not None
    file = (folder / published.file).resolve()
    here = [board for board in published.boards if board.version == version]
    notes = [
        f"{name}@{board.version} has a published board, judged by {board.judge}: of other "
        f"questions than {name}@{version}, and so not here"
        for board in published.boards
        if board not in here
    ]
    if not file.is_file():
        return References(notes=(_absent(name, file), *notes))
    return References(
        boards=tuple(_board(description, published, board, file) for board in here),
        notes=tuple(notes),
    )


def _absent(name: str, file: Path) -> str:
    if not file.is_relative_to(registry.tasks_root()):
        return f"the published figures of {name} are not here: {file} is no file"
    where = f"tasks/{file.relative_to(registry.tasks_root())}"
    return (
        f"the published figures of {name} are not here: for their licences they are not in an "
        f"installed package. They are {where} in judgebench's source repository; a judgebench that "
        "is installed from a clone (`pip install -e CLONE`) has them"
    )


def _board(
    description: Description, published: Published, board: PublishedBoard, file: Path
) -> ReferenceBoard:
    groups = {
        by: {group: f"{description.metric}/{group}" for group in of}
        for by, of in published.by.items()
    }
    metrics = dict(published.columns)
    for by, of in published.by.items():
        metrics |= {groups[by][group]: column for group, column in of.items()}
    figures: dict[str, Mapping[str, float]] = {}
    for row in _rows(file, (*metrics.values(), *published.also.values())):
        if not _is_of(row, board):
            continue
        model = row.text("model")
        if model in figures:
            raise row.wrong("model", f"{model} is here twice; delete one")
        figures[model] = {
            **_figures(row, metrics, percent=published.percent),
            **_figures(row, published.also, percent=False),
        }
    if not figures:
        raise InputError(f"{file}: no line is of version {board.version} and judge {board.judge}")
    return ReferenceBoard(
        benchmark=description.name,
        version=board.version,
        board=board,
        source=published.source,
        columns=tuple(published.columns),
        also=tuple(published.also),
        groups=groups,
        items=board.items or description.versions[board.version].items,
        figures=figures,
    )


@cache
def _rows(file: Path, columns: tuple[str, ...]) -> Sequence[Row]:
    return read_rows(file, ("model", *columns))


def _is_of(row: Row, board: PublishedBoard) -> bool:
    """Whether a line belongs to a board; a file of one board does not say."""
    wanted = {"version": board.version, "judge": board.judge}
    return all(row.text(field) == value for field, value in wanted.items() if field in row.values)


def _figures(row: Row, names: Mapping[str, str], *, percent: bool) -> dict[str, float]:
    """What stands in the columns, by our names; nothing where nothing does."""
    return {
        name: _number(row, column, percent=percent)
        for name, column in names.items()
        if row.has(column)
    }


def _number(row: Row, column: str, *, percent: bool) -> float:
    """The number; of a percentage its fraction, to the digits that are written."""
    value = row.number(column)
    if not percent:
        return value
    try:
        return float(Decimal(str(row.values[column])).scaleb(-2))
    except InvalidOperation:  # a number that Python reads and Decimal does not
        return value / 100.0
