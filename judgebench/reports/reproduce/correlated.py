"""Correlations of columns of published boards, beside what others computed of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from judgebench.errors import unknown_name
from judgebench.metrics.model_correlations import COEFFICIENTS
from judgebench.records import Estimate
from judgebench.reports.reproduce.board_rows import once
from judgebench.reports.reproduce.recomputed import Recomputed, point
from judgebench.rows import Row, read_rows

COUNT = "models"


def beside(
    path: Path,
    found: Mapping[str, Mapping[str, Estimate]],
    *,
    tolerance: float,
    scope: str = "",
) -> Iterator[Recomputed]:
    """What was found of each column, beside the coefficients in a file.

    Parameters
    ----------
    path
        Has the columns ``column``, ``n`` and those of `COEFFICIENTS`.
    found
        Column -> what `correlations` gives.

    Raises
    ------
    InputError
        For a column that is not there, and whatever else is wrong with the file.
    """
    for (column,), row in rows_by_column(path).items():
        if column not in found:
            raise row.wrong("column", unknown_name("column", column, found))
        ours = found[column]
        for name, estimate in ours.items():
            yield Recomputed(
                who=column,
                scope=scope,
                metric=name,
                ours=estimate,
                theirs=row.number(name),
                tolerance=tolerance,
                because=estimate.undefined or "",
            )
        n = ours["spearman"].n
        yield Recomputed(
            who=column, scope=scope, metric=COUNT, ours=point(float(n), n),
            theirs=float(row.whole("n")), tolerance=0.0,
        )  # fmt: skip


def rows_by_column(path: Path) -> Mapping[tuple[str, ...], Row]:
    return once(read_rows(path, ("column", "n", *COEFFICIENTS)), "column")
