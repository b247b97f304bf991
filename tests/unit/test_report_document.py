"""A report is written from its fields: JSON, rows, tables, a chart; and a form is one entry."""

from __future__ import annotations

import doctest
import json
import math
import sys
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from judgebench.errors import UsageError
from judgebench.records import Estimate
from judgebench.reports import document as module
from judgebench.reports import render as renderers
from judgebench.reports.document import (
    Cells,
    Chart,
    Document,
    Each,
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_after,
    json_field,
    serialise,
    table,
)
from judgebench.reports.render import render


class Colour(Enum):
    RED = "red"


class Ends(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    model: str
    metrics: dict[str, Estimate]
    ends: Ends | None = None
    flags: tuple[str, ...] = ()
    note: str = json_field(omit_empty=True, default="")
    secret: object = json_field(hidden=True, default=None)

    @property
    @json_after("")
    def first(self) -> str:
        return self.model[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Report):
    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("bench",),
            row=(
                "model",
                Each("metrics"),
                ("end", "ends.high"),
                Spread("ends", ("low",), "end_"),
                "flags",
            ),
        ),
    )
    CHART: ClassVar = Chart(along="model", by="metric")

    name: str = json_field(name="bench")
    rows: tuple[Line, ...]

    def tables(self, *, also: str = "") -> list[Table]:
        columns: list[Cells[Line]] = [
            column("model", lambda row: row.model, wraps=True),
            column("flags", lambda row: ", ".join(row.flags), optional=True, spare=True),
        ]
        return [table(self.name, self.rows, columns, notes=[also] if also else [])]


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.1, high=value + 0.1, n=4, units=4)


@pytest.fixture
def report() -> Example:
    unknown = Estimate(value=math.nan, low=math.nan, high=math.nan, n=0, units=0, undefined="none")
    return Example(
        name="b",
        rows=(
            Line(model="=x", metrics={"acc": estimate(0.5), "f1": unknown}, flags=("a", "b")),
            Line(model="<y>", metrics={"acc": estimate(0.25)}, ends=Ends(0.0, math.inf), note="n"),
        ),
    )


def test_the_example_is_true() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted >= 6


def test_fields_are_the_json(report: Example) -> None:
    data = report.to_dict()
    assert list(data) == ["bench", "rows"]
    first, second = data["rows"]
    assert list(first) == ["first", "model", "metrics", "ends", "flags"]
    assert list(second) == [*first, "note"]
    assert second["ends"] == {"low": 0.0, "high": None}
    assert first["metrics"]["f1"]["value"] is None
    assert first["metrics"]["f1"]["undefined"] == "none"
    json.dumps(data, allow_nan=False)


def test_what_is_no_json_by_itself() -> None:
    given = [Colour.RED, np.float64("nan"), np.array([1, 2]), np.bool_(True), {"b", "a"}, (None,)]
    assert serialise(given) == ["red", None, [1, 2], True, ["a", "b"], [None]]
    with pytest.raises(TypeError, match="object is not written as JSON"):
        serialise(object())


def test_rows_are_one_for_each_metric_of_a_row(report: Example) -> None:
    records = report.records()
    assert [(one["bench"], one["model"], one["metric"]) for one in records] == [
        ("b", "=x", "acc"),
        ("b", "=x", "f1"),
        ("b", "<y>", "acc"),
    ]
    assert [one["flags"] for one in records] == ["a; b", "a; b", ""]
    assert [(one["end"], one["end_low"]) for one in records] == [(None, None)] * 2 + [(None, 0.0)]
    frame = report.to_frame()
    assert list(frame) == list(records[0])
    assert frame["value"].isna().tolist() == [False, True, False]


def test_columns_without_a_word_are_left_out(report: Example) -> None:
    (shown,) = report.tables()
    assert [one.title for one in shown.columns] == ["model", "flags"]
    (alone,) = Example(name="b", rows=report.rows[1:]).document(also="said").tables
    assert [one.title for one in alone.columns] == ["model"]
    assert alone.notes == ["said"]


def test_a_notebook_shows_the_tables_and_names_stay_text(report: Example) -> None:
    shown = report._repr_html_()
    assert "&lt;y&gt;" in shown
    assert "<y>" not in shown
    assert "<html" not in shown


def test_a_chart_has_a_row_for_each_metric_and_says_what_it_lacks(
    report: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = report.plot().to_dict()
    assert drawn["facet"]["row"]["field"] == "metric"
    (data,) = drawn["datasets"].values()
    assert [one["value"] for one in data] == [0.5, None, 0.25]

    class Bare(Report):
        def tables(self) -> list[Table]:
            return []

    with pytest.raises(UsageError, match="Bare has no chart"):
        Bare().plot()
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(UsageError, match="pip install altair"):
        report.plot()


def test_a_form_is_one_entry(report: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    def titles(document: Document) -> str:
        return "".join(f"{one.title}\n" for one in document.tables)

    monkeypatch.setitem(renderers.FORMS, "titles", titles)
    assert render(report.document(), "titles") == "b\n"


def test_a_chart_along_a_number_goes_across() -> None:
    steps: tuple[Any, ...] = tuple(
        {"step": float(n), "value": 0.5, "low": 0.4, "high": 0.6} for n in range(3)
    )

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Steps(Report):
        ROWS: ClassVar = (Rows(of="steps", row=("step", "value", "low", "high")),)
        CHART: ClassVar = Chart(along="step")
        steps: tuple[Any, ...]

        def tables(self) -> list[Table]:
            return []

    points = Steps(steps=steps).plot().to_dict()["layer"][1]["encoding"]
    assert (points["x"]["field"], points["y"]["field"]) == ("step", "value")
