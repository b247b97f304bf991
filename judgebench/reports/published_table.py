"""Published boards as tables, with the models of a board of the published judge among their own."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from judgebench.metrics.answer_lengths import AVG_LENGTH
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.registry import heading
from judgebench.reports import estimates
from judgebench.reports.board import Board, Row
from judgebench.reports.document import Column, Table
from judgebench.reports.published_beside import SAY_NAMES, beside_tables, published_text
from judgebench.reports.published_correlations import Related
from judgebench.reports.reference_board import Beside, N, ReferenceBoard, References, places

OURS, THEIRS = "this store", "published"

_LONG_NAME = 30
"""Characters above which names are broken before columns are left out."""

_SHORT = {LENGTH_CONTROLLED: "LC win rate %", AVG_LENGTH: "mean length"}


def published_tables(
    related: Sequence[Related], references: References, by: Collection[str] = ()
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


def _merged(board: Board, beside: Beside, by: Collection[str]) -> Table:
    """A model that is on both stands here once, with our numbers and the published one."""
    reference, metric = beside.reference, board.metric or beside.reference.columns[0]
    taken = set(beside.names.values())
    lines = [
        *(_Line(name, of) for name, of in reference.figures.items() if name not in taken),
        *(
            _Line(
                model=row.model,
                figures=_told_of(beside, row.model) | _values(row, reference),
                whose=OURS,
                published=beside.figures(row.model).get(metric),
                flags=", ".join(row.flags),
                excluded=row.excluded,
            )
            for row in board.rows
        ),
    ]
    table = _table(reference, metric, lines)
    items = board.rows[0].counts["items"] if board.rows else 0
    notes = list(_notes(reference, by))
    if LENGTH_CONTROLLED in reference.columns:
        notes.append("length-controlled: of this store by the exact fit, published as the authors'")
    if reference.items is not None and items < reference.items:
        notes.append(f"warning: {items} items here; the published figures are of {reference.items}")
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


def _told_of(beside: Beside, model: str) -> dict[str, float]:
    """What a published board says of a model itself, whoever's answers were judged: its Elo."""
    return {
        name: value
        for name, value in beside.figures(model).items()
        if name in beside.reference.also and name not in (N, AVG_LENGTH)
    }


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
