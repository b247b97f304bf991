"""A number of ours beside somebody else's, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.errors import unknown_name
from judgebench.metrics.model_correlations import COEFFICIENTS
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.document import Column, Document, Table
from judgebench.rows import Row, read_rows

MOST_NOTES = 12
ROUNDING = 1e-9
"""What floating point leaves of an equal number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
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
    metric: str
    ours: Estimate
    theirs: float | None
    tolerance: float
    scope: str = ""
    because: str = ""

    @property
    def difference(self) -> float | None:
        """Ours less theirs; None where one of them is not there."""
        if self.theirs is None:
            return None
        return estimates.finite(self.ours.value - self.theirs)

    @property
    def agrees(self) -> bool | None:
        """Also where both are undefined; None where there is nothing to compare."""
        if self.theirs is None:
            return None
        if math.isnan(self.theirs) or math.isnan(self.ours.value):
            return math.isnan(self.theirs) and math.isnan(self.ours.value)
        return abs(self.ours.value - self.theirs) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
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
class Reproduction:
    """One published table, recomputed.

    theirs
        Where the numbers come from that ours are compared with.
    who
        What a row is about, as the head of its column.
    """

    table: str
    title: str
    source: str
    licence: str
    theirs: str
    who: str
    figures: Sequence[Recomputed]
    shown: Sequence[Shown]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    """All figures of one metric."""

    metric: str
    compared: int
    agree: int
    largest: float
    tolerance: float


def point(value: float, n: int) -> Estimate:
    """A number without an interval: counted, or made of numbers whose items are not here."""
    return Estimate(value=value, low=math.nan, high=math.nan, n=n, units=n, method="recomputed")


def document(reproductions: Sequence[Reproduction]) -> Document:
    """All of it for printing: what agrees, what does not and why."""
    return Document(
        tables=[table for one in reproductions for table in _tables(one)],
        records=[
            {"table": one.table, **_identity(figure), **estimates.record(figure.ours)}
            | _compared(figure)
            for one in reproductions
            for figure in one.figures
        ],
        data={"tables": [_json(one) for one in reproductions]},
    )


def _json(one: Reproduction) -> dict[str, Any]:
    return {
        "table": one.table,
        "title": one.title,
        "source": one.source,
        "licence": one.licence,
        "theirs": one.theirs,
        "summary": [
            {
                "metric": s.metric,
                "compared": s.compared,
                "agree": s.agree,
                "largest_difference": estimates.finite(s.largest),
                "tolerance": s.tolerance,
            }
            for s in _summaries(one.figures)
        ],
        "figures": [
            {**_identity(f), "ours": estimates.to_json(f.ours), **_compared(f)} for f in one.figures
        ],
        "notes": list(one.notes),
    }


def _identity(figure: Recomputed) -> dict[str, Any]:
    return {"who": figure.who, "scope": figure.scope, "metric": figure.metric}


def _compared(figure: Recomputed) -> dict[str, Any]:
    return {
        "theirs": estimates.finite(figure.theirs),
        "difference": figure.difference,
        "tolerance": figure.tolerance,
        "agrees": figure.agrees,
        "because": figure.because,
    }


def _summaries(figures: Iterable[Recomputed]) -> list[_Summary]:
    by_metric: dict[str, list[Recomputed]] = {}
    for figure in figures:
        if figure.agrees is not None:
            by_metric.setdefault(figure.metric, []).append(figure)
    return [
        _Summary(
            metric=metric,
            compared=len(those),
            agree=sum(bool(figure.agrees) for figure in those),
            largest=max((abs(f.difference) for f in those if f.difference is not None), default=0),
            tolerance=max(figure.tolerance for figure in those),
        )
        for metric, those in by_metric.items()
    ]


# printed ----------------------------------------------------------------------------------------


def _tables(one: Reproduction) -> Iterable[Table]:
    found = _summaries(one.figures)
    whole = sum(s.agree for s in found), sum(s.compared for s in found)
    yield Table(
        title=f"{one.table}: {whole[0]} of {whole[1]} figures agree",
        subtitle=f"{one.title}; {one.theirs}",
        columns=[
            Column(title="metric"),
            *(
                Column(title=title, align="right")
                for title in ("compared", "agree", "largest difference", "tolerance")
            ),
        ],
        rows=[
            [
                s.metric,
                str(s.compared),
                str(s.agree),
                _size(s.largest),
                _size(s.tolerance),
            ]
            for s in found
        ],
        notes=[*_apart(one), *one.notes, f"source: {one.source}", f"licence: {one.licence}"],
    )
    for shown in one.shown:
        yield _beside(one, shown)


def _beside(one: Reproduction, shown: Shown) -> Table:
    figures = [f for f in one.figures if (f.metric, f.scope) == (shown.metric, shown.scope)]
    ordered = sorted(figures, key=lambda f: (math.isnan(f.ours.value), -f.ours.value))
    rows = []
    for f in ordered:
        theirs = "" if f.theirs is None else _plain(f.theirs, shown.digits)
        verdict = {True: "yes", False: "no", None: ""}[f.agrees]
        cells = [f.who, estimates.text(f.ours, digits=shown.digits), theirs]
        rows.append([*cells, _signed(f.difference, shown.digits), verdict, f.because])
    numbers = ("ours", shown.theirs, "difference")
    reasons = any(f.because for f in ordered)
    return Table(
        title=f"{one.table}: {shown.title}",
        columns=[
            Column(title=shown.who or one.who, wraps=True),
            *(Column(title=title, align="right") for title in numbers),
            Column(title="agrees"),
            *([Column(title="because", wraps=True)] if reasons else []),
        ],
        rows=rows if reasons else [row[:-1] for row in rows],
    )


def _apart(one: Reproduction) -> list[str]:
    """Figures that do not agree and are in no table of their own."""
    tables = {(shown.metric, shown.scope) for shown in one.shown}
    apart = [
        f"{' '.join(filter(None, (f.who, f.scope)))}: {f.metric}: ours "
        f"{_plain(f.ours.value, 4)}, theirs {_plain(f.theirs, 4)}"
        f"{': ' if f.because else ''}{f.because}"
        for f in one.figures
        if f.agrees is False and f.theirs is not None and (f.metric, f.scope) not in tables
    ]
    more = len(apart) - MOST_NOTES
    return apart if more <= 0 else [*apart[:MOST_NOTES], f"and {more} more: --format json"]


def _plain(value: float, digits: int) -> str:
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
            (row.optional_text(field) or "") if field in may_be_empty else row.text(field)
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
