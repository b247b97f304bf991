"""A board of this store beside a published one: the models on both, and how far the two agree.

Beside another judge's figures no model has a rank: two judges' scores make no one order.
"""

from __future__ import annotations

import math
from dataclasses import replace

from judgebench.metrics.model_correlations import TITLES
from judgebench.metrics.registry import heading
from judgebench.metrics.registry import metric as entry
from judgebench.reports import estimates
from judgebench.reports.board import Board
from judgebench.reports.document import Column, Table
from judgebench.reports.published_correlations import Correlations, Related
from judgebench.reports.reference_board import Beside, ReferenceBoard

SAY_NAMES = "--published-as MODEL=NAME says which is which"

_MOST_DECIMALS = 4


def beside_tables(related: Related) -> list[Table]:
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


def _side_by_side(board: Board, beside: Beside) -> Table:
    reference, metric = beside.reference, board.metric or beside.reference.columns[0]
    rows = [row for row in board.rows if row.model in beside.names]
    differ = any(row.model != beside.names[row.model] for row in rows)
    level = board.rows[0].leading.level if board.rows else 0.95
    return Table(
        title=f"{board.benchmark}@{board.version}: judged by {board.judge}, and as published",
        subtitle=f"published: judged by {reference.judged_by}. Two judges, so no one ranking",
        columns=[
            Column(title="model", wraps=True),
            *([Column(title="published as", wraps=True)] if differ else []),
            Column(title=f"{heading(metric, None, board.scale)} [{level:.0%}]", align="right"),
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


def _correlated(board: Board, beside: Beside, found: Correlations) -> Table:
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
