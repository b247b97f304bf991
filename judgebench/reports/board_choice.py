"""Which models, which metrics and in which order: boards as somebody wants to see them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from judgebench.errors import UsageError, unknown_name
from judgebench.reports.board import Board, Row
from judgebench.store import Store

BY_NAME = "model"


def chosen(
    store: Store,
    boards: Sequence[Board],
    *,
    models: Collection[str] = (),
    columns: Sequence[str] = (),
    sort: str | None = None,
) -> tuple[Board, ...]:
    """The boards with these models and metrics, in this order; what is not asked for stays.

    Ranks are among all models, whoever is shown. A board that has none of the models, or of the
    metrics, is left out.

    Parameters
    ----------
    models
        Names as they are shown, other names they go by, or ids; all if empty.
    columns
        Metrics in the order wanted; all, as the boards have them, if empty.
    sort
        A metric, the greatest first, or with a minus before it the least first; ``model``, by name.
        Boards that do not have the metric stay in the order of their ranks.

    Raises
    ------
    UsageError
        For a model or a metric that none of the boards has, and where none has both.
    """
    known = {name for board in boards for row in board.rows for name in row.metrics}
    by = None if sort is None else sort.removeprefix("-")
    for name in (*columns, *([by] if by not in (None, BY_NAME) else [])):
        if name not in known:
            raise UsageError(unknown_name("metric", str(name), known))
    found = _of_models(store, boards, models) if models else boards
    found = [
        replace(board, columns=tuple(columns))
        for board in found
        if not columns or any(name in row.metrics for row in board.rows for name in columns)
    ]
    if boards and not found:
        raise UsageError(f"no board has {', '.join(columns)} of {', '.join(models)}")
    return tuple(found) if sort is None else tuple(_sorted(board, sort) for board in found)


def _of_models(store: Store, boards: Sequence[Board], models: Collection[str]) -> list[Board]:
    names = {model.id: model.names for model in store.models()}
    shown = {row.model: row.model_id for board in boards for row in board.rows}
    wanted = {one for name in models for one in _called(name, shown, names)}
    return [
        replace(
            board,
            rows=rows,
            notes=board.notes
            if len(rows) == len(board.rows)
            else (*board.notes, f"{len(rows)} of {len(board.rows)} models; ranks are among all"),
        )
        for board in boards
        if (rows := tuple(row for row in board.rows if row.model_id in wanted))
    ]


def _called(name: str, shown: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids of the models that go by a name; one that is shown so goes before others."""
    for means in (
        [one for label, one in shown.items() if name in (label, one)],
        [one for one in shown.values() if name in names.get(one, ())],
    ):
        if means:
            return means
    raise UsageError(unknown_name("model", name, shown))


def _sorted(board: Board, sort: str) -> Board:
    metric, least_first = sort.removeprefix("-"), sort.startswith("-")
    if metric == BY_NAME:
        rows = sorted(board.rows, key=lambda row: row.model, reverse=least_first)
        return replace(board, rows=tuple(sorted(rows, key=lambda row: row.excluded)))

    def order(row: Row) -> tuple[bool, bool, float]:
        """What has no value comes last, behind it whoever is excluded from the ranking; equals stay
        in the order of their ranks."""
        value = row.metrics[metric].value if metric in row.metrics else math.nan
        if math.isnan(value):
            return row.excluded, True, 0.0
        return row.excluded, False, value if least_first else -value

    return replace(board, rows=tuple(sorted(board.rows, key=order)))
