"""Published boards beside those of this store: with models of a board of the published judge among
theirs, or side by side, and how far the two agree.

Beside another judge's figures no model has a rank: two judges' scores make no one order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from judgebench.metrics.constant_answers import AVG_LENGTH
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.model_correlations import COEFFICIENTS, TITLES, correlations
from judgebench.metrics.registry import heading
from judgebench.metrics.registry import metric as entry
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board import (
    Board,
    N,
    PublishedBeside,
    ReferenceBoard,
    References,
    Row,
    places,
)
from judgebench.reports.document import Column, Table, json_after, json_field

FEWEST = 3
"""Models that a correlation takes here: of two, any is 1 or -1."""

Correlations = Mapping[str, Mapping[str, Estimate]]
"""Metric -> coefficient -> estimate."""


class PublishedAs(NamedTuple):
    """A model that is on both boards, and what is published of it."""

    model: str
    published_as: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAgreement:
    """A board, a published one beside it, and how far the two agree.

    In JSON ``because`` says why the published judge is another one, and is null where it is the
    same.
    """

    board: Board = json_field(hidden=True)
    beside: PublishedBeside = json_field(hidden=True)
    correlations: Correlations

    @property
    @json_after("")
    def judge(self) -> str:
        return self.beside.reference.judge

    @property
    @json_after("judge")
    def opponent(self) -> str | None:
        return self.beside.reference.opponent

    @property
    @json_after("opponent")
    def same_judge(self) -> bool:
        return self.because is None

    @property
    @json_after("same_judge")
    def because(self) -> str | None:
        return self.beside.because

    @property
    @json_after("because")
    def models(self) -> list[PublishedAs]:
        return [
            PublishedAs(model, name, self.beside.figures(model))
            for model, name in self.beside.names.items()
        ]


def related(boards: Sequence[Board]) -> list[PublishedAgreement]:
    """Every board with each published one beside it."""
    return [
        PublishedAgreement(board=board, beside=one, correlations=with_published(board, one))
        for board in boards
        for one in board.beside
    ]


def with_published(board: Board, beside: PublishedBeside) -> Correlations:
    """The correlations of what ranks, and of each other metric that some model on both has here.

    Models that are excluded from the ranking do not count.

    Returns
    -------
    dict
        Empty where no model is on both boards. Undefined, with the reason, for fewer than `FEWEST`
        models, and where one side gives all of them the same.
    """
    found = {}
    for metric in beside.reference.metrics:
        ours = {
            row.model: row.metrics[metric].value
            for row in board.rows
            if row.model in beside.names and metric in row.metrics and not row.excluded
        }
        theirs = {model: beside.figures(model).get(metric, math.nan) for model in ours}
        if (metric == board.metric and ours) or any(not math.isnan(one) for one in ours.values()):
            found[metric] = _enough(correlations(ours, theirs))
    return found


def _enough(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The coefficients, undefined where they would say nothing."""
    n = found[next(iter(COEFFICIENTS))].n
    if n >= FEWEST:
        return dict(found)
    models = "1 model has" if n == 1 else f"{n} models have"
    reason = f"{models} a score on both boards; a correlation that says something takes {FEWEST}"
    return {
        name: replace(one, value=math.nan, low=math.nan, high=math.nan, method="", undefined=reason)
        for name, one in found.items()
    }


SAY_NAMES = "--published-as MODEL=NAME says which is which"

_MOST_DECIMALS = 4


def beside_tables(related: PublishedAgreement) -> list[Table]:
    """The models on both, unless they stand in the published board, and the correlations."""
    board, beside, found = related.board, related.beside, related.correlations
    tables = [] if beside.because is None else [_side_by_side(board, beside)]
    reasons = _reasons(found)
    if tables and not any(_is_defined(found)):
        return [replace(tables[0], notes=[*tables[0].notes, *reasons])]
    return [*tables, _correlated(board, beside, found)] if found else tables


def published_text(reference: ReferenceBoard, name: str, value: float | None) -> str:
    """A figure with as many decimals as the published ones of its kind have, and four at most."""
    if value is None:
        return ""
    if entry(name).in_percent:
        return f"{value:.{entry(name).digits}f}"
    published = (of[name] for of in reference.figures.values() if name in of)
    return f"{value:.{max(map(_decimals, published), default=_MOST_DECIMALS)}f}"


def _decimals(value: float) -> int:
    return next(
        (n for n in range(_MOST_DECIMALS) if math.isclose(round(value, n), value, abs_tol=1e-9)),
        _MOST_DECIMALS,
    )


def _side_by_side(board: Board, beside: PublishedBeside) -> Table:
    reference, metric = beside.reference, board.metric or beside.reference.columns[0]
    rows = [row for row in board.rows if row.model in beside.names]
    differ = any(row.model != beside.names[row.model] for row in rows)
    return Table(
        title=f"{board.benchmark}@{board.version}: judged by {board.judge}, and as published",
        subtitle=f"published: judged by {reference.judged_by}. Two judges, so no one ranking",
        columns=[
            Column(title="model", wraps=True),
            *([Column(title="published as", wraps=True)] if differ else []),
            Column(
                title=f"{heading(metric, None, board.scale)} [{board.level:.0%}]", align="right"
            ),
            Column(title="published", align="right"),
            Column(title="n", align="right"),
        ],
        rows=[
            [
                row.marked_name,
                *([beside.names[row.model]] if differ else []),
                estimates.text(row.leading, digits=entry(metric).digits),
                published_text(reference, metric, beside.figures(row.model).get(metric)),
                str(row.leading.n),
            ]
            for row in rows
        ],
        notes=[
            f"not ranked together: {beside.because}",
            *([] if rows else [f"no model here has the name of a published one; {SAY_NAMES}"]),
        ],
    )


def _correlated(board: Board, beside: PublishedBeside, found: Correlations) -> Table:
    """A row for each metric, a column for each coefficient."""
    defined = _is_defined(found)
    values = [one for of in found.values() for one in of.values()]
    without = {one.method for one in values if one.undefined is None}
    return Table(
        title=f"{board.benchmark}@{board.version}: correlation with the published board",
        subtitle=f"{board.judge} here, {beside.reference.judge} as published",
        columns=[
            Column(title="metric", wraps=True),
            *(Column(title=title, align="right") for title in TITLES.values()),
            Column(title="models", align="right"),
        ],
        rows=[
            [
                heading(metric, board.metric),
                *(estimates.text(of[name]) for name in TITLES),
                str(next(iter(of.values())).n),
            ]
            for metric, of in found.items()
        ]
        if any(defined)
        else [],
        notes=[
            *sorted(without),
            *_reasons(found),
        ],
    )


def _is_defined(found: Correlations) -> list[bool]:
    return [one.undefined is None for of in found.values() for one in of.values()]


def _reasons(found: Correlations) -> list[str]:
    """Why coefficients are undefined, each reason once."""
    reasons: dict[str, list[str]] = {}
    for metric, of in found.items():
        for reason in {one.undefined for one in of.values() if one.undefined is not None}:
            reasons.setdefault(reason, []).append(metric)
    return [
        f"{estimates.UNDEFINED} correlation with the published board"
        f"{'' if len(of) == len(found) else ' of ' + ', '.join(of)}: {reason}"
        for reason, of in reasons.items()
    ]


OURS, THEIRS = "this store", "published"

_LONG_NAME = 30
"""Characters above which names are broken before columns are left out."""

_SHORT = {LENGTH_CONTROLLED: "LC win rate %", AVG_LENGTH: "mean length"}


def published_tables(
    related: Sequence[PublishedAgreement], references: References, by: Collection[str] = ()
) -> list[Table]:
    """All that is published of a version, with the models of boards in it or beside it.

    Models are ranked with the published ones on a board of the published judge alone.
    """
    tables: list[Table] = []
    for reference in references.boards:
        beside = [one for one in related if one.beside.reference.board == reference.board]
        same = [one for one in beside if one.beside.because is None]
        tables += [_merged(one.board, one.beside, by) for one in same] or [_alone(reference, by)]
        tables += [_grouped(reference, name) for name in by if name in reference.groups]
        tables += [table for one in beside for table in beside_tables(one)]
    if tables and references.notes:
        tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *references.notes])
    elif references.notes:
        title = "no published board is here"
        tables.append(Table(title=title, columns=[], rows=[], notes=references.notes))
    return tables


class _Line(NamedTuple):
    """A model of a published board, or of this store, with its figures.

    One that is ``excluded`` from the ranking has no place, and stands last.
    """

    model: str
    figures: Mapping[str, float]
    whose: str = THEIRS
    published: float | None = None
    flags: str = ""
    excluded: bool = False


def _alone(reference: ReferenceBoard, by: Collection[str]) -> Table:
    lines = [_Line(model, figures) for model, figures in reference.figures.items()]
    table = _table(reference, reference.columns[0], lines)
    return replace(table, notes=list(_notes(reference, by)))


def _merged(board: Board, beside: PublishedBeside, by: Collection[str]) -> Table:
    """A model that is on both stands here once, with our numbers and the published one."""
    reference, metric = beside.reference, board.metric or beside.reference.columns[0]
    taken = set(beside.names.values())
    lines = [
        *(_Line(name, of) for name, of in reference.figures.items() if name not in taken),
        *(
            _Line(
                model=row.model,
                figures={
                    name: value
                    for name, value in beside.figures(row.model).items()
                    if name in beside.reference.also and name not in (N, AVG_LENGTH)
                }
                | _values(row, reference),
                whose=OURS,
                published=beside.figures(row.model).get(metric),
                flags=", ".join(row.flags),
                excluded=row.excluded,
            )
            for row in board.rows
        ),
    ]
    table = _table(reference, metric, lines)
    notes = list(_notes(reference, by))
    if LENGTH_CONTROLLED in reference.columns:
        notes.append("length-controlled: of this store by the exact fit, published as the authors'")
    if reference.items is not None and board.items < reference.items:
        notes.append(
            f"warning: {board.items} items here; the published figures are of {reference.items}"
        )
    if not beside.names:
        notes.append(f"no model here has the name of a published one; {SAY_NAMES}")
    return replace(table, title=f"{table.title}, with these models", notes=notes)


def _table(reference: ReferenceBoard, metric: str, lines: Sequence[_Line]) -> Table:
    """The lines by a metric; what has none of it stands last, without a place."""
    place = places([{} if line.excluded else line.figures for line in lines], metric)
    ordered = sorted(
        zip(place, lines, strict=True),
        key=lambda one: (one[0] or math.inf, one[1].excluded, one[1].model),
    )
    shown = [*reference.columns, *reference.also]
    whose = any(line.whose == OURS for line in lines)
    published = any(line.published is not None for line in lines)
    flags = any(line.flags for line in lines)
    return Table(
        title=f"{reference.benchmark}@{reference.version}: the published leaderboard",
        subtitle=f"judged by {reference.judged_by}; by {heading(metric, None)}",
        columns=[
            Column(title="place", align="right"),
            Column(title="model", wraps=max(len(line.model) for line in lines) > _LONG_NAME),
            *(_column(reference, name) for name in shown),
            *([Column(title="figures")] if whose else []),
            *([Column(title="published", align="right")] if published else []),
            *([Column(title="flags", wraps=True, spare=True)] if flags else []),
        ],
        rows=[
            [
                str(at or estimates.UNDEFINED),
                line.model,
                *(published_text(reference, name, line.figures.get(name)) for name in shown),
                *([line.whose] if whose else []),
                *([published_text(reference, metric, line.published)] if published else []),
                *([line.flags] if flags else []),
            ]
            for at, line in ordered
        ],
    )


def _values(row: Row, reference: ReferenceBoard) -> dict[str, float]:
    """Of a model of ours, what the published board has figures of."""
    found = {
        name: row.metrics[name].value
        for name in reference.columns
        if name in row.metrics and not math.isnan(row.metrics[name].value)
    }
    counts = {name: float(row.counts[name]) for name in reference.also if name in row.counts}
    return {**found, **counts, N: float(row.leading.n)}


def _column(reference: ReferenceBoard, name: str) -> Column:
    words = _SHORT.get(name) or heading(name, reference.columns[0])
    return Column(title=words, align="right", spare=name in reference.columns[2:])


def _notes(reference: ReferenceBoard, by: Collection[str]) -> Iterator[str]:
    yield f"source: {reference.source}"
    yield "published figures come without intervals; close places say little"
    if reference.board.note:
        yield reference.board.note
    for name in reference.groups:
        if name not in by:
            yield f"--by {name} shows what is published by {name} too"


def _grouped(reference: ReferenceBoard, by: str) -> Table:
    """A row for each published model, a column for each group."""
    groups, models = reference.groups[by], list(reference.figures)
    place = places(list(reference.figures.values()), reference.columns[0])
    return Table(
        title=f"{reference.benchmark}@{reference.version}: the published leaderboard, by {by}",
        subtitle=f"judged by {reference.judged_by}",
        columns=[
            Column(title="model", wraps=True),
            *(Column(title=group, align="right") for group in groups),
        ],
        rows=[
            [
                model,
                *(
                    published_text(reference, name, reference.figures[model].get(name))
                    for name in groups.values()
                ),
            ]
            for _, model in sorted(
                zip(place, models, strict=True), key=lambda one: (one[0] or math.inf, one[1])
            )
        ],
    )
