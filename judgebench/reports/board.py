"""The values of a leaderboard: boards and their rows, and the published ones beside them.

Published boards are figures in a benchmark's folder, which a checkout has and an installed package
does not. Each belongs to one version and one judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from math import isnan
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from judgebench import registry
from judgebench.benchmarks.description import Description, Published, PublishedBoard
from judgebench.errors import InputError
from judgebench.metrics.accuracy import NO_ONE_NUMBER
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WEIGHTED, WIN_RATE
from judgebench.plain_text import counted
from judgebench.records import Estimate
from judgebench.reports.answer_flags import SUSPICIOUS
from judgebench.reports.boards import described
from judgebench.reports.document import json_after, json_field
from judgebench.reports.estimates import UNDEFINED
from judgebench.rows import Row as Line
from judgebench.rows import read_rows

N = "n"
"""The figure that says of how many items the others are."""

OURS, THEIRS = "this store", "published"
"""Whose figures a row is of."""

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
def _rows(file: Path, columns: tuple[str, ...]) -> Sequence[Line]:
    return read_rows(file, ("model", *columns))


def _is_of(row: Line, board: PublishedBoard) -> bool:
    """Whether a line belongs to a board; a file of one board does not say."""
    wanted = {"version": board.version, "judge": board.judge}
    return all(row.text(field) == value for field, value in wanted.items() if field in row.values)


def _figures(row: Line, names: Mapping[str, str], *, percent: bool) -> dict[str, float]:
    """What stands in the columns, by our names; nothing where nothing does."""
    return {
        name: _number(row, column, percent=percent)
        for name, column in names.items()
        if row.has(column)
    }


def _number(row: Line, column: str, *, percent: bool) -> float:
    """The number; of a percentage its fraction, to the digits that are written."""
    value = row.number(column)
    if not percent:
        return value
    try:
        return float(Decimal(str(row.values[column])).scaleb(-2))
    except InvalidOperation:  # a number that Python reads and Decimal does not
        return value / 100.0


LengthControl: TypeAlias = Literal["exact", "compat", "both", "off"]
"""Which length-controlled win rates stand beside win rates: the converged fit's, AlpacaEval's."""


class RankedBoard(NamedTuple):
    """The standings of one judge, what ranks them, and what is to be said below."""

    standings: Sequence[Standing]
    metric: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model. ``rank_low`` and ``rank_high`` are the ends of its set of ranks.

    The sets of all models of a board hold at once, at the level of its intervals: a model is first
    where ``rank_high`` is 1.

    ``metrics`` are named as the contract names them, that of the board first. Ranks are None for a
    model without a readable verdict, and for one that is ``excluded`` from the ranking.
    ``suspicious`` says why its answers may be meant for the judge; such models are excluded unless
    they are asked for. ``published`` are figures of the model on a published board,
    by metric, where that board's judge and opponent are this one's. ``columns`` are the metrics
    that are asked for, in this order; all where none are.
    """

    model: str
    model_id: str
    version: str = ""
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    metrics: Mapping[str, Estimate] = json_field(hidden=True)
    counts: Mapping[str, int]
    flags: tuple[str, ...]
    suspicious: str | None = json_field(omit_empty=True, default=None)
    excluded: bool = json_field(hidden=True, default=False)
    published: Mapping[str, float] = json_field(omit_empty=True, default_factory=dict)
    columns: tuple[str, ...] = json_field(hidden=True, default=())

    @property
    @json_after("rank_high", "metrics")
    def asked_for(self) -> Mapping[str, Estimate]:
        """The metrics that are asked for; all where none are."""
        if not self.columns:
            return self.metrics
        return {name: self.metrics[name] for name in self.columns if name in self.metrics}

    @property
    def marked_name(self) -> str:
        """The model, where no heading says whether it is excluded."""
        return f"{self.model} ({SUSPICIOUS})" if self.excluded else self.model

    @property
    def rank_set(self) -> str:
        """``1–3``: the ranks that it may have; a dash where it has none."""
        if self.rank is None:
            return UNDEFINED
        ends = (self.rank_low, self.rank_high)
        return f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"

    @property
    def may_be_first(self) -> bool:
        """Whether its set of ranks holds 1, whatever its rank."""
        return self.rank_low == 1

    @property
    def leading(self) -> Estimate:
        """The estimate that ranks."""
        return next(iter(self.metrics.values()))

    @property
    def judged(self) -> Estimate:
        """The estimate that rests on all verdicts: what lengths are not known of is judged too."""
        return self.metrics.get(WIN_RATE, self.leading)


def rank_note(rows: Sequence[Row], level: float) -> list[str]:
    """What the ranks in brackets are, where there are any."""
    if all(row.rank_low is None or row.rank_low == row.rank_high for row in rows):
        return []
    return [f"ranks in brackets: sets that hold for all models at once ({level:.0%})"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The models in the eyes of one judge, or of a panel of judges.

    metric
        What ranks: ``accuracy``, ``score``, ``win_rate`` or ``length_controlled_win_rate``; None
        where nothing could be ranked.
    scale
        The lowest and the highest value that the metric can have; None for a scale without ends, or
        where scores are on several.
    opponent, opponent_id
        Whose answers those of the models are compared with; None where each stands alone.
    judge_id
        None for a panel, whose verdicts are in no store.
    judge_is
        What the judge is, in words.
    notes
        What the numbers rest on besides.
    style_set
        The models that style-controlled scores are fitted on together; empty without any.
    groups
        By way of grouping, the groups of items that have a metric of their own.
    parts
        The parts of scores that groups are measured by besides.
    figures
        What stands in the place of one number, where there is none: metrics of their own.
    beside
        The published boards of this version that figures are here of, of this judge and of others.
    columns
        The metrics that are asked for, in this order; all where none are.
    """

    benchmark: str
    version: str
    metric: str | None
    scale: tuple[float, float] | None
    judge: str
    judge_id: str | None
    judge_is: str
    opponent: str | None = None
    opponent_id: str | None = None
    served_models: tuple[str, ...] = ()
    official_prompt: bool | None = None
    rows: tuple[Row, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    style_set: tuple[str, ...] = json_field(omit_empty=True, default=())
    groups: Mapping[str, tuple[str, ...]] = json_field(hidden=True, default_factory=dict)
    parts: tuple[str, ...] = json_field(hidden=True, default=())
    figures: tuple[str, ...] = json_field(hidden=True, default=())
    beside: tuple[PublishedBeside, ...] = json_field(hidden=True, default=())
    columns: tuple[str, ...] = json_field(hidden=True, default=())

    def __str__(self) -> str:
        """Which data, in whose eyes, compared with whom."""
        against = f", against {self.opponent}" if self.opponent is not None else ""
        among = ""
        if self.style_set:
            among = f", style-controlled among {counted(len(self.style_set), 'model')}"
        return f"{self.benchmark}@{self.version}, judged by {self.judge}{against}{among}"

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The models that have a rank, the best first."""
        return tuple(row for row in self.rows if row.rank is not None)

    def who_leads(self, most: int) -> str:
        """Who is first, in words that the sets of ranks allow; of more than so many how many.

        One is first where its set is {1}. Nobody is where a model with a win rate has no rank,
        though it is not excluded.
        """
        ranked, first = self.ranked, [row.model for row in self.ranked if row.may_be_first]
        if not ranked:
            why = f": {NO_ONE_NUMBER}" if self.figures else ""
            return f"Nobody is ranked by {self.judge}{why}."
        rest = (row for row in self.rows if row.rank is None and not row.excluded)
        if any(WIN_RATE in row.metrics and not isnan(row.metrics[WIN_RATE].value) for row in rest):
            return f"{len(ranked)} of {len(self.rows)} models are ranked; nobody is first of all"
        if len(ranked) == 1:
            return f"{first[0]} is the only model{' with a rank' * (len(self.rows) > 1)}"
        if any(row.rank_high == 1 for row in ranked):
            return f"{first[0]} is first"
        if len(first) > most:
            return f"{len(first)} of {len(ranked)} models may be first"
        return f"{', '.join(first[:-1])} or {first[-1]} may be first"

    @property
    def published(self) -> PublishedBeside | None:
        """The published board of this very judge and opponent."""
        return next((one for one in self.beside if one.because is None), None)

    @property
    def level(self) -> float:
        """Of the intervals."""
        return self.rows[0].leading.level if self.rows else 0.95

    @property
    def items(self) -> int:
        """How many items were judged."""
        return self.rows[0].counts["items"] if self.rows else 0

    @property
    def ungrouped(self) -> str:
        """What groups are measured by; a board may be ranked by something else."""
        return WIN_RATE if self.metric in (LENGTH_CONTROLLED, WEIGHTED) else self.metric or ""

    def of_group(self, group: str) -> tuple[str, ...]:
        """The metrics of a group of items."""
        bases = dict.fromkeys(name.split("/")[0] for name in self.figures or [self.ungrouped])
        bases |= dict.fromkeys(f"{self.ungrouped}/{part}" for part in self.parts)
        return tuple(f"{base}/{group}" for base in bases)
