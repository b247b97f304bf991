"""Boards of several benchmarks side by side, and what a gain on one costs on another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import permutations, product

from judgebench.metrics.accuracy import sign_of
from judgebench.metrics.registry import digits, heading
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.answer_flags import SUSPICIOUS
from judgebench.reports.board import Board, Row
from judgebench.reports.document import Column, Table
from judgebench.store.catalog import distinct_names


def costs(boards: Sequence[Board], beside: Collection[str]) -> Iterator[str]:
    """Which model is ahead of which on a board, and worse in a figure of a board ``beside``.

    Both by intervals that do not meet, which is stricter than a test of the difference. Models are
    the same where `called_alike` says so.
    """
    one_of = called_alike(boards)
    ours = [board for board in boards if board.benchmark not in beside and board.metric]
    theirs = [board for board in boards if board.benchmark in beside]
    for board, other in product(ours, theirs):
        figures = {one_of[row.model_id]: row.metrics for row in other.rows}
        ahead = [
            (a, b, figures[one_of[a.model_id]], figures[one_of[b.model_id]])
            for a, b in permutations(board.rows, 2)
            if a.leading.low > b.leading.high
            and {one_of[a.model_id], one_of[b.model_id]} <= figures.keys()
        ]
        for (a, b, its, those), name in product(ahead, filter(sign_of, other.figures)):
            less, more = its[name].high < those[name].low, its[name].low > those[name].high
            if more if sign_of(name) < 0 else less:
                values = (f"{one[name].value:.{digits(name)}f}" for one in (its, those))
                yield (
                    f"{a.model} is ahead of {b.model} on {board.benchmark} "
                    f"({board.judge}), and has {'more' if more else 'less'} "
                    f"{heading(name)} on {other.benchmark} ({other.judge}): "
                    f"{' against '.join(values)}"
                )


def called_alike(boards: Sequence[Board]) -> dict[str, str]:
    """Each model by the first of those that go by its name, at most one on each board.

    What a model is holds how it was asked, or its recorded answers, and so differs between
    benchmarks. Where a board has two of one name, each is a model of its own on all of them.
    """
    of_name: dict[str, list[str]] = {}
    for board in boards:
        for row in board.rows:
            of_name.setdefault(row.model, []).append(row.model_id)
    there = [{row.model_id for row in board.rows} for board in boards]
    found = {row.model_id: row.model_id for board in boards for row in board.rows}
    for ids in of_name.values():
        if all(len(on_board & {*ids}) < 2 for on_board in there):
            found |= {one: found[ids[0]] for one in ids if found[one] == one}
    return found


def overview(boards: Sequence[Board], notes: Sequence[str] = (), *, by_name: bool = False) -> Table:
    """What each board ranks by, its figures where nothing ranks, or the first metric asked for.

    Models are one row by what they are, or as `called_alike` has it, in the order of the first
    board, then of the others; those that some board excludes from its ranking stand last, and their
    numbers there say so.
    """
    shown = [board for board in boards if board.rows]
    rows = [row for board in shown for row in board.rows]
    one_of = called_alike(shown) if by_name else {row.model_id: row.model_id for row in rows}
    excluded = {one_of[row.model_id] for row in rows if row.excluded}
    every = {one_of[row.model_id]: row.model for row in rows}
    apart = sorted({row.model for row in rows if one_of[row.model_id] != row.model_id})
    names = distinct_names(dict(sorted(every.items(), key=lambda one: one[0] in excluded)))
    cells = [
        (board, title, name)
        for board, title in zip(shown, _titles(shown), strict=True)
        for name in (not board.columns and board.figures) or [*board.rows[0].asked_for][:1]
    ]
    places = {id(board): {one_of[row.model_id]: row for row in board.rows} for board in shown}

    def cell(board: Board, name: str, row: Row | None) -> str:
        found: Estimate | None = None if row is None else row.metrics.get(name)
        if row is None or found is None:
            return ""
        said = estimates.text(found, digits=digits(name, board.metric))
        return f"{said} ({SUSPICIOUS})" if row.excluded else said

    return Table(
        title="all boards",
        subtitle="boards measure different things, and are not averaged",
        columns=[
            Column(title="model", wraps=True),
            *(
                Column(
                    title=f"{title}, {heading(name)}" if board.figures else title,
                    align="right",
                    spare=i > 0,
                )
                for i, (board, title, name) in enumerate(cells)
            ),
        ],
        rows=[
            [name, *(cell(board, of, places[id(board)].get(one)) for board, _, of in cells)]
            for one, name in names.items()
        ],
        notes=[
            f"{title}: "
            + ("" if board.figures else f"{heading(name, board.metric, board.scale)}, ")
            + f"judged by {board.judge}"
            + ("" if board.opponent is None else f", against {board.opponent}")
            for board, title, name in cells
            if name not in board.figures[1:]
        ]
        + ([f"{SUSPICIOUS}: excluded from the ranking of that board"] if excluded else [])
        + ([f"asked otherwise, by their names one row: {', '.join(apart)}"] if apart else [])
        + list(notes),
    )


def _titles(boards: Sequence[Board]) -> list[str]:
    """As short as tells the boards apart."""
    parts = [
        (board.benchmark, board.judge, f"against {board.opponent}", board.version)
        for board in boards
    ]
    for n in range(1, 5):
        told = [", ".join(one[:n]) for one in parts]
        if len(set(told)) == len(told):
            return told
    return [f"{i}: {title}" for i, title in enumerate(told, 1)]
