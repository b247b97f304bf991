"""The boards of several benchmarks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from judgebench.config import Panel
from judgebench.errors import UsageError
from judgebench.reports.board import Board
from judgebench.reports.boards import judges_called, meant, told_apart
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.panels import panels_in
from judgebench.store import Store


def boards_of(
    store: Store,
    benchmarks: Sequence[str],
    *,
    judges: Collection[str] = (),
    panels: Sequence[Panel] = (),
    **how: Any,
) -> dict[str, tuple[Board, ...]]:
    """The boards of each benchmark, by its name as written.

    Parameters
    ----------
    benchmarks
        Each ``NAME`` or ``NAME@VERSION``.
    judges
        Those of several benchmarks need not have judged all of them.
    panels
        Beside those that suites declared.
    **how
        As for `leaderboards`.

    Raises
    ------
    UsageError
        As from `leaderboards`; and for a judge that has judged none of the benchmarks, a panel that
        can be combined on none.
    """
    here = _judges_here(store, benchmarks, judges, {panel.name for panel in panels})
    found: dict[str, tuple[Board, ...]] = {}
    for name, known in here.items():
        declared = [p for p in panels_in(store, name) if not judges or p.name in judges]
        seated = {panel.name: panel for panel in (*declared, *panels)}
        boards = leaderboards(store, name, judges=known, panels=list(seated.values()), **how)
        if judges and not known:  # none of those who are asked for, and so nobody but panels
            boards = tuple(board for board in boards if board.judge_id is None)
        found[name] = boards
    _check_panels(panels, [board for boards in found.values() for board in boards])
    return found


def no_boards(benchmarks: Sequence[str], judges: Collection[str]) -> UsageError:
    """That there is nothing to show, and what can be done."""
    who, which = ", ".join(judges) or "no judge", " or ".join(benchmarks)
    return UsageError(
        f"{who} has{' not' if judges else ''} said how good an answer to {which} is; "
        "`judgebench run SUITE.yaml` asks judges, `judgebench export verdicts` shows what there "
        f"is, and `judgebench confidence {benchmarks[0]}` how sure models are of answers"
    )


def _judges_here(
    store: Store, benchmarks: Sequence[str], judges: Collection[str], panels: Collection[str]
) -> dict[str, list[str]]:
    """Which of the judges that are asked for each benchmark knows."""
    here: dict[str, list[str]] = {name: [] for name in benchmarks}
    if len(here) == 1 or not judges:
        return {name: list(judges) for name in here}
    refused: dict[str, list[UsageError]] = {judge: [] for judge in judges}
    for name in here:
        which = meant(store, name)
        tables = [read(which.name, which.version) for read in (store.failures, store.verdicts)]
        shown = told_apart(tables, "judge")
        declared = {panel.name for panel in panels_in(store, name)}
        for judge in judges:
            try:
                if judge not in panels and judge not in declared:
                    judges_called(judge, shown, store, which)
                here[name].append(judge)
            except UsageError as error:
                refused[judge].append(error)
    for errors in refused.values():
        if len(errors) == len(here):
            raise errors[0]
    return here


def _check_panels(panels: Sequence[Panel], boards: Sequence[Board]) -> None:
    for panel in panels:
        its = [board for board in boards if board.judge == panel.name]
        if its and not any(board.rows for board in its):
            raise UsageError(f"{panel.name}: {'; '.join(its[0].warnings)}")
