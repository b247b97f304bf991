"""Published tables, recomputed from figures, each by a function of a module."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from judgebench.columns import grouped
from judgebench.errors import InputError, UsageError, refuse_unknown, unknown_name
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.model_correlations import COEFFICIENTS
from judgebench.records import Estimate
from judgebench.registry import figures_folder
from judgebench.reports import estimates
from judgebench.reports.document import (
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.rows import Row, read_rows

MOST_NOTES = 12
ROUNDING = 1e-9
"""What floating point leaves of an equal number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputation:
    """One number, ours and theirs.

    who, scope
        What it is about: a model, or a judge and what of its verdicts.
    theirs
        nan where it is undefined there as well, None where they give none.
    tolerance
        By how much the two may differ and still agree.
    because
        Why they differ, or why there is nothing to compare.
    """

    who: str
    scope: str = ""
    metric: str
    ours: Estimate
    theirs: float | None
    tolerance: float
    because: str = ""

    @property
    @json_after("theirs")
    def difference(self) -> float | None:
        """Ours less theirs; None where one of them is not there."""
        return None if self.theirs is None else estimates.finite(self.ours.value - self.theirs)

    @property
    @json_after("tolerance")
    def agrees(self) -> bool | None:
        """Also where both are undefined; None where there is nothing to compare."""
        if self.theirs is None:
            return None
        if self.difference is None:
            return math.isnan(self.theirs) and math.isnan(self.ours.value)
        return abs(self.difference) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTable:
    """A printed table: one metric, a row for each figure.

    who
        What a row of it is about, where that is not what the reproduction says.
    """

    title: str
    metric: str
    scope: str = ""
    who: str = ""
    theirs: str = "published"
    digits: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All figures of one metric that are compared."""

    metric: str
    compared: int
    agree: int
    largest_difference: float
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction(Report):
    """One published table, recomputed.

    theirs
        Where the numbers come from that ours are compared with.
    who
        What a row is about, as the head of its column.
    """

    ROWS: ClassVar = (
        Rows(
            of="figures",
            shared=("table",),
            row=(
                *("who", "scope", "metric", Spread("ours")),
                *("theirs", "difference", "tolerance", "agrees", "because"),
            ),
        ),
    )

    table: str
    title: str
    source: str
    licence: str
    theirs: str
    who: str = json_field(hidden=True)
    figures: Sequence[Recomputation]
    shown: Sequence[FigureTable] = json_field(hidden=True)
    notes: Sequence[str] = ()

    @property
    @json_after("theirs")
    def summary(self) -> list[Summary]:
        """Metric by metric."""
        compared = grouped((one.metric, one) for one in self.figures if one.agrees is not None)
        return [
            Summary(
                metric=metric,
                compared=len(those),
                agree=sum(bool(one.agrees) for one in those),
                largest_difference=max(abs(one.difference or 0.0) for one in those),
                tolerance=max(one.tolerance for one in those),
            )
            for metric, those in compared.items()
        ]

    def tables(self) -> list[Table]:
        """What agrees, metric by metric, and ours beside theirs."""
        summary = self.summary
        agree, compared = sum(one.agree for one in summary), sum(one.compared for one in summary)
        whole = table(
            f"{self.table}: {agree} of {compared} figures agree",
            summary,
            [
                column("metric", lambda one: one.metric),
                column("compared", lambda one: str(one.compared), align="right"),
                column("agree", lambda one: str(one.agree), align="right"),
                column(
                    "largest difference", lambda one: _size(one.largest_difference), align="right"
                ),
                column("tolerance", lambda one: _size(one.tolerance), align="right"),
            ],
            subtitle=f"{self.title}; {self.theirs}",
            notes=[
                *self._apart(),
                *self.notes,
                f"source: {self.source}",
                f"licence: {self.licence}",
            ],
        )
        return [whole, *map(self._beside, self.shown)]

    def _beside(self, shown: FigureTable) -> Table:
        figures = [f for f in self.figures if (f.metric, f.scope) == (shown.metric, shown.scope)]
        digits = shown.digits
        best_first = sorted(figures, key=lambda f: (math.isnan(f.ours.value), -f.ours.value))
        return table(
            f"{self.table}: {shown.title}",
            best_first,
            [
                column(shown.who or self.who, lambda f: f.who, wraps=True),
                column("ours", lambda f: estimates.text(f.ours, digits=digits), align="right"),
                column(shown.theirs, lambda f: _plain(f.theirs, digits), align="right"),
                column("difference", lambda f: _signed(f.difference, digits), align="right"),
                column("agrees", lambda f: {True: "yes", False: "no", None: ""}[f.agrees]),
                column("because", lambda f: f.because, wraps=True, optional=True),
            ],
        )

    def _apart(self) -> list[str]:
        """Figures that do not agree and are in no table of their own."""
        tables = {(shown.metric, shown.scope) for shown in self.shown}
        return estimates.first_notes(
            (
                f"{' '.join(filter(None, (f.who, f.scope)))}: {f.metric}: ours "
                f"{_plain(f.ours.value, 4)}, theirs {_plain(f.theirs, 4)}"
                f"{': ' if f.because else ''}{f.because}"
                for f in self.figures
                if f.agrees is False and (f.metric, f.scope) not in tables
            ),
            MOST_NOTES,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproductions(Report):
    """Several published tables."""

    found: tuple[Reproduction, ...] = json_field(name="tables")

    def tables(self) -> list[Table]:
        """Those of each."""
        return [table for one in self.found for table in one.tables()]

    def records(self) -> list[dict[str, Any]]:
        """Those of each."""
        return [record for one in self.found for record in one.records()]


def point(value: float, n: int) -> Estimate:
    """A number without an interval: counted, or made of numbers whose items are not here."""
    return Estimate(value=value, n=n, units=n, method="recomputed")


def each(
    who: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    *,
    n: int = 0,
    scope: str = "",
    tolerance: float = ROUNDING,
    because: str = "",
) -> Iterator[Recomputation]:
    """A figure for each number of ours that they have under the same name, if only as None.

    ``ours`` are estimates, or numbers without an interval, of ``n``.
    """
    for metric in (name for name in theirs if name in ours):
        mine, other = ours[metric], theirs[metric]
        yield Recomputation(
            who=who,
            scope=scope,
            metric=metric,
            ours=mine if isinstance(mine, Estimate) else point(float(mine), n),
            theirs=None if other is None else float(other),
            tolerance=tolerance,
            because=because,
        )


def _plain(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    if math.isnan(value):
        return estimates.UNDEFINED
    return f"{value:.0f}" if value.is_integer() and abs(value) > 1 else f"{value:.{digits}f}"


def _signed(difference: float | None, digits: int) -> str:
    if difference is None:
        return ""
    if abs(difference) < ROUNDING:
        return "0"
    told = abs(difference) >= 0.5 * 10.0**-digits
    return f"{difference:+.{digits}f}" if told else f"{difference:+.0e}"


def _size(value: float) -> str:
    return "0" if value < ROUNDING else f"{value:.2g}"


def read_json(path: Path, *fields: str) -> dict[str, Any]:
    """An object of figures.

    Raises
    ------
    InputError
        Where there is none, or it lacks one of the fields.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from None
    for field in fields:
        if not isinstance(found, dict) or field not in found:
            raise InputError(f"{path}: {field}: is missing; take the file from a checkout again")
    return dict(found)


# rows of published boards -------------------------------------------------------------------------


def on_scale(row: Row, field: str, *, high: float) -> float:
    """A number from 0 to ``high``.

    Raises
    ------
    InputError
        Where there is none, or another; names the line.
    """
    value = row.number(field)
    if not 0.0 <= value <= high:
        raise row.wrong(field, f"between 0 and {high:g}, not {value:g}")
    return value


def once(
    rows: Iterable[Row], *fields: str, may_be_empty: Collection[str] = ()
) -> dict[tuple[str, ...], Row]:
    """The rows by what stands in some fields.

    Parameters
    ----------
    may_be_empty
        Those of the fields in which nothing may stand; it is an empty text then.

    Raises
    ------
    InputError
        For a second row of the same, and where a field is empty that may not be.
    """
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(
            (row.text(field, None) or "") if field in may_be_empty else row.text(field)
            for field in fields
        )
        if key in found:
            raise row.wrong(fields[-1], f"{', '.join(filter(None, key))} is here twice; delete one")
        found[key] = row
    return found


COUNT = "models"


def beside(
    path: Path,
    found: Mapping[str, Mapping[str, Estimate]],
    *,
    tolerance: float,
    scope: str = "",
) -> Iterator[Recomputation]:
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
    for (name,), row in rows_by_column(path).items():
        if name not in found:
            raise row.wrong("column", unknown_name("column", name, found))
        ours = found[name]
        for metric, estimate in ours.items():
            yield Recomputation(
                who=name,
                scope=scope,
                metric=metric,
                ours=estimate,
                theirs=row.number(metric),
                tolerance=tolerance,
                because=estimate.undefined or "",
            )
        n, said = ours["spearman"].n, {COUNT: row.whole("n")}
        yield from each(name, {COUNT: n}, said, n=n, scope=scope, tolerance=0.0)


def rows_by_column(path: Path) -> Mapping[tuple[str, ...], Row]:
    return once(read_rows(path, ("column", "n", *COEFFICIENTS)), "column")


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
    refuse_unknown("table", wanted, TABLES, error=UsageError)
    folders = {name: figures_folder(name, tasks) for name in wanted}
    intervals = intervals or Intervals()
    found = []
    for name, folder in folders.items():
        module, function = TABLES[name]
        reproduced = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        found.append(reproduced(folder, intervals))
    return Reproductions(found=tuple(found))


__all__ = ["TABLES", "Reproduction", "Reproductions", "reproduce"]
