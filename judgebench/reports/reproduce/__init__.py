"""Published tables, recomputed from figures, each by a function of a module."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.intervals import Intervals
from judgebench.registry import figures_folder
from judgebench.reports.reproduce.recomputed import Reproduction, Reproductions

TABLES = {
    **{
        name: (name, "reproduced")
        for name in (
            "alpaca_eval",
            "trivia_judging",
            "mixeval_hard",
            "alignbench",
            "honestybench",
            "arena_hard",
            "just_eval",
            "mt_bench",
        )
    },
    **{name: ("judges", name) for name in ("judgebench_pairs", "rewardbench", "xstest")},
}
"""Which function of which module gives each."""


def reproduce(
    tables: Sequence[str] = (), *, tasks: Path | None = None, intervals: Intervals | None = None
) -> Reproductions:
    """Recompute published tables.

    Parameters
    ----------
    tables
        Names in `TABLES`; all if empty.
    tasks
        The folder that holds ``NAME/figures`` of each table; that of judgebench if not given.
    intervals
        Percentile bootstrap over items unless asked otherwise; none where a table has no items.

    Raises
    ------
    UsageError
        For a table that is not known.
    InputError
        Where the figures are not there, as in an installed package, or cannot be used.
    """
    wanted = list(dict.fromkeys(tables)) or list(TABLES)
    for name in wanted:
        if name not in TABLES:
            raise UsageError(unknown_name("table", name, TABLES))
    folders = {name: figures_folder(name, tasks) for name in wanted}
    intervals = intervals or Intervals()
    found = []
    for name, folder in folders.items():
        module, function = TABLES[name]
        reproduced = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        found.append(reproduced(folder, intervals))
    return Reproductions(found=tuple(found))


__all__ = ["TABLES", "Reproduction", "Reproductions", "reproduce"]
