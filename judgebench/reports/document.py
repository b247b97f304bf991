"""What a report is: a value that is written as JSON, as rows, as tables and as a chart, in one way.

A report is a frozen dataclass, and its fields are its JSON. What a program reads as rows and what a
chart shows is declared beside them; the tables for people are columns, each with its cells.

>>> @dataclass(frozen=True, slots=True, kw_only=True)
... class Step:
...     model: str
...     accuracy: Estimate
...     seed: int = json_field(hidden=True)
...
...     @property
...     @json_after("model")
...     def family(self) -> str:
...         return self.model.partition("-")[0]
>>> @dataclass(frozen=True, slots=True, kw_only=True)
... class Curve(Report):
...     ROWS: ClassVar = (Rows(of="steps", row=("model", Spread("accuracy", ("value", "n")))),)
...     steps: tuple[Step, ...]
...     run_id: str = json_field(name="run")
...
...     def tables(self) -> list[Table]:
...         columns: list[Cells[Step]] = [
...             column("model", lambda row: row.model, wraps=True),
...             column("accuracy", lambda row: estimates.text(row.accuracy), align="right"),
...         ]
...         return [table("a curve", self.steps, columns)]
>>> accuracy = Estimate(value=0.5, low=float("nan"), high=float("nan"), n=8, units=8)
>>> curve = Curve(steps=(Step(model="apo-20", accuracy=accuracy, seed=1),), run_id="r")
>>> curve.to_dict()["run"], list(curve.to_dict()["steps"][0])
('r', ['model', 'family', 'accuracy'])
>>> curve.records()
[{'model': 'apo-20', 'value': 0.5, 'n': 8}]
>>> curve.document().tables[0].rows
[['apo-20', '0.500']]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cache, cached_property
from itertools import groupby, product
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np

from judgebench.errors import UsageError
from judgebench.records import Estimate
from judgebench.reports import estimates

if TYPE_CHECKING:
    import pandas as pd

Align = Literal["left", "right"]
Row = TypeVar("Row")
Getter = TypeVar("Getter", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text.

    Where a terminal is narrow, text that ``wraps`` is broken, and then columns that are ``spare``
    are left out, the last ones first. The ``lines`` of a text stay lines on a page of HTML; in
    other forms a text is one line. Columns of one ``group`` that stand side by side have its name
    above them, or where a form has no cells that span, before each title.
    """

    title: str
    align: Align = "left"
    wraps: bool = False
    spare: bool = False
    lines: bool = False
    group: str = ""

    @property
    def whole_title(self) -> str:
        return f"{self.group}: {self.title}" if self.group else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under a title, with what must be known to read them.

    A heading of ``sections`` stands before the row of its number; an empty one is a rule or a dash.
    ``label`` is what LaTeX refers to it by. Without columns and notes it is a paragraph.
    """

    title: str
    subtitle: str = ""
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    sections: Mapping[int, str] = field(default_factory=dict)
    label: str = ""

    @property
    def lines(self) -> list[Sequence[str]]:
        """The rows, and each heading as a row of its own, for forms without cells that span."""
        found: list[Sequence[str]] = []
        for at, row in enumerate(self.rows):
            if at in self.sections:
                heading = self.sections[at] or estimates.UNDEFINED
                found.append([estimates.Marked(heading, bold=True), *[""] * (len(row) - 1)])
            found.append(row)
        return found


Records: TypeAlias = Sequence[Mapping[str, Any]]


class Document:
    """One result in three shapes: tables to look at, tidy records, and JSON of the contract.

    A form takes one of them. ``records`` and ``data`` may be given as functions, which are called
    once a form asks for what they make.

    ``exchanged``: the records are a file of another program's, whose texts stay as they are; in
    others a spreadsheet takes none for a formula. ``standalone``: in LaTeX it is a whole document.
    """

    def __init__(
        self,
        *,
        tables: Sequence[Table],
        records: Records | Callable[[], Records],
        data: Any,
        exchanged: bool = False,
        standalone: bool = False,
    ) -> None:
        self.tables, self.exchanged, self.standalone = tables, exchanged, standalone
        self._records, self._data = records, data

    def __eq__(self, other: object) -> bool:
        names = ("tables", "records", "data", "exchanged", "standalone")
        return isinstance(other, Document) and all(
            getattr(self, name) == getattr(other, name) for name in names
        )

    __hash__ = None  # type: ignore[assignment]  # it is as long as what it shows

    @cached_property
    def records(self) -> Records:
        return self._records() if callable(self._records) else self._records

    @cached_property
    def data(self) -> Any:
        return self._data() if callable(self._data) else self._data


def groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """The groups of columns side by side, and of how many; empty where no column has one."""
    found = [(name, len([*its])) for name, its in groupby(columns, lambda one: one.group)]
    return found if any(name for name, _ in found) else []


# tables for people --------------------------------------------------------------------------------

Cells: TypeAlias = tuple[Column, Callable[[Row], str], bool]
"""A column, what it says of a row, and whether it is there only where it says something."""


def column(
    title: str, cell: Callable[[Row], str], *, optional: bool = False, **how: Any
) -> Cells[Row]:
    """A column of a report's table; ``how`` is as of `Column`, ``optional`` as of `Cells`."""
    return Column(title=title, **how), cell, optional


def table(
    title: str,
    rows: Sequence[Row],
    columns: Sequence[Cells[Row]],
    *,
    subtitle: str = "",
    notes: Sequence[str] = (),
) -> Table:
    """A row of text for each row of a report."""
    there = [
        (head, cell) for head, cell, optional in columns if not optional or any(map(cell, rows))
    ]
    return Table(
        title=title,
        subtitle=subtitle,
        columns=[head for head, _ in there],
        rows=[[cell(row) for _, cell in there] for row in rows],
        notes=notes,
    )


# JSON ---------------------------------------------------------------------------------------------


def json_field(
    *,
    name: str | None = None,
    hidden: bool = False,
    omit_empty: bool = False,
    inline: bool = False,
    **how: Any,
) -> Any:
    """A field of a report that is not in its JSON as it is; ``how`` is as of `dataclasses.field`.

    Parameters
    ----------
    name
        Its key in JSON.
    hidden
        It is no part of the JSON.
    omit_empty
        There is no key where it is None or empty.
    inline
        Its own keys stand in its place; none where it is None.
    """
    key = None if hidden else name or ""
    how["metadata"] = {
        "json": key,
        "how": "inline" if inline else "omit_empty" if omit_empty else "",
    }
    return field(**how)


def json_after(name: str, key: str | None = None) -> Callable[[Getter], Getter]:
    """Marks a property, below ``@property``, as a key of the JSON after another; ``""``: first.

    ``key`` is what it is called there, if not as the property.
    """

    def marked(getter: Getter) -> Getter:
        getter.json_after = name, key or getter.__name__  # type: ignore[attr-defined]
        return getter

    return marked


@cache
def _keys(kind: Any) -> Mapping[str, tuple[str, str]]:
    """What is in a dataclass's JSON, in order: the attribute of each key, and how it is written."""
    if not hasattr(kind, "__dataclass_fields__"):
        return {}
    keys = [
        (key or one.name, one.name, one.metadata.get("how", ""))
        for one in fields(kind)
        if (key := one.metadata.get("json", "")) is not None
    ]
    for name in dict.fromkeys(name for base in reversed(kind.__mro__) for name in vars(base)):
        after = getattr(getattr(getattr(kind, name), "fget", None), "json_after", None)
        if after is not None:
            names = ["", *(key for key, _, _ in keys)]
            keys.insert(names.index(after[0]), (after[1], name, ""))
    return {key: (name, how) for key, name, how in keys}


def serialise(value: Any) -> Any:
    """A value as JSON has it: what is not finite is null, and an estimate says why it is."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Estimate):
        return estimates.to_json(value)
    if isinstance(value, np.ndarray | np.generic):
        return serialise(value.tolist())
    if isinstance(value, float):
        return estimates.finite(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return serialise(value._asdict())
    if isinstance(value, Mapping):
        return {key: serialise(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [serialise(one) for one in value]
    if isinstance(value, Set):
        return sorted(map(serialise, value))
    if hasattr(value, "__dataclass_fields__"):
        found: dict[str, Any] = {}
        for key, (name, how) in _keys(value.__class__).items():
            one = getattr(value, name)
            if how != "omit_empty" or one or isinstance(one, int | float):
                found |= serialise(one) or {} if how == "inline" else {key: serialise(one)}
        return found
    raise TypeError(f"{type(value).__name__} is not written as JSON")


# rows for programs --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """An estimate, or the fields ``names`` of another value, as columns of a row.

    ``prefix`` is what their names begin with; where the value is None, so are the columns. Without
    ``names`` they are all fields.
    """

    of: str
    names: Sequence[str] = ()
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Each:
    """A row for each estimate, or other value, of a mapping; its key is in the column ``name``."""

    of: str
    name: str = "metric"


Part: TypeAlias = str | tuple[str, str] | Spread | Each
"""A key or attribute as a column, or a column and where its value is (``band.low``; empty where the
column is); or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows for programs: one for each of the report's values ``of``, or for the report itself.

    ``shared`` are columns from the report itself, ``row`` those of the value.
    """

    of: str = ""
    shared: Sequence[Part] = ()
    row: Sequence[Part]


def _at(value: Any, path: str) -> Any:
    """What a path of keys leads to: of the JSON, else attributes; None where one is missing."""
    for name in path.split("."):
        if value is None:
            return None
        if isinstance(value, Mapping):
            value = value.get(name)
        else:
            attribute, _ = _keys(value.__class__).get(name, (name, ""))
            value = getattr(value, attribute)
    return value


def _line(value: Any) -> Mapping[str, Any]:
    """An estimate with ``undefined`` in any case; another value as its JSON has it."""
    if isinstance(value, Estimate):
        return {"undefined": None, **estimates.to_json(value)}
    return serialise(value) or {}


def _cells(value: Any, part: Part) -> list[Mapping[str, Any]]:
    if isinstance(part, Each):
        found = _at(value, part.of)
        return [{part.name: name, **_line(one)} for name, one in found.items()]
    if isinstance(part, Spread):
        whole = _at(value, part.of)
        known = _line(whole)
        names = part.names or known
        return [{f"{part.prefix}{name}": known.get(name) for name in names}]
    name, path = (part, part) if isinstance(part, str) else part
    found = serialise(_at(value, path)) if path else None
    return [{name: "; ".join(map(str, found)) if isinstance(found, list) else found}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What `Report.plot` draws of the rows: values with intervals, by name or along a number.

    ``along`` is a column, or several with a comma between them, which name a row together. ``by``
    is a column whose values have a chart each, of metrics with scales of their own.
    """

    along: str
    by: str | None = None
    value: str = "value"
    low: str = "low"
    high: str = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(ABC):
    """A result that can be read, sent, shown and drawn. Nothing of it is written by hand."""

    ROWS: ClassVar[Sequence[Rows]] = ()
    CHART: ClassVar[Chart | None] = None

    @abstractmethod
    def tables(self, *args: Any, **options: Any) -> list[Table]:
        """The tables for people."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the contract, without text or nan: what is undefined is None."""
        found: dict[str, Any] = serialise(self)
        return found

    def records(self) -> list[dict[str, Any]]:
        """Rows for programs, as CSV has them."""
        found: list[dict[str, Any]] = []
        for rows in self.ROWS:
            for value in _at(self, rows.of) if rows.of else [self]:
                parts = [(self, part) for part in rows.shared]
                parts += [(value, part) for part in rows.row]
                # What has several lines, as all metrics of a model, makes as many of the rest.
                found += [
                    {name: said for line in lines for name, said in line.items()}
                    for lines in product(*(_cells(of, part) for of, part in parts))
                ]
        return found

    def to_frame(self) -> pd.DataFrame:
        """The records as a table of pandas; whole numbers of which some are missing are Int64.

        ``attrs["warnings"]`` has the warnings of the report.
        """
        import pandas as pd

        records = self.records()
        frame = pd.DataFrame.from_records(records)
        for name in frame.columns:
            said = [record.get(name) for record in records]
            there = {type(value) for value in said if value is not None}
            if None in said and there == {int}:
                frame[name] = pd.array(said, dtype="Int64")
        frame.attrs["warnings"] = list(getattr(self, "warnings", ()))
        return frame

    def __getitem__(self, name: object) -> Any:
        raise TypeError(f"a report is no table: .to_frame()[{name!r}]")

    def __getattr__(self, name: str) -> Any:
        hint = "" if name.startswith("_") else "; .to_frame() is a table of pandas"
        raise AttributeError(f"{type(self).__name__} has no {name!r}{hint}")

    def document(self, *args: Any, **options: Any) -> Document:
        """The report for printing; the options are those of its tables."""
        return Document(
            tables=self.tables(*args, **options), records=self.records, data=self.to_dict
        )

    def _repr_html_(self) -> str:
        from judgebench.reports.render.html import fragment

        return fragment(self.document())

    def plot(self) -> Any:
        """The values with their intervals, as a chart of Altair.

        Raises
        ------
        UsageError
            Where Altair is not installed, or the report has nothing to draw.
        """
        try:
            import altair as alt
        except ImportError:
            raise UsageError("a chart needs Altair: python -m pip install altair") from None
        if (chart := self.CHART) is None:
            raise UsageError(f"{type(self).__name__} has no chart; to_frame() has its numbers")
        frame, several = self.to_frame(), chart.along.split(", ")
        if len(several) > 1:
            frame[chart.along] = frame[several].agg(", ".join, axis=1)
        number = frame[chart.along].dtype.kind in "fiu"
        along = alt.X(chart.along) if number else alt.Y(chart.along, sort=None)
        ends = (alt.Y, alt.Y2) if number else (alt.X, alt.X2)
        base = alt.Chart(frame).encode(along, tooltip=list(frame))
        points = base.mark_point(filled=True).encode(ends[0](chart.value).scale(zero=False))
        low = ends[0](chart.low).title(chart.value)
        drawn = base.mark_rule().encode(low, ends[1](chart.high)) + points
        if chart.by is None:
            return drawn
        own = {"y" if number else "x": "independent" if chart.by == "metric" else "shared"}
        return drawn.facet(row=chart.by).resolve_scale(**own)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfBenchmark:
    """What is said of one version of a benchmark: a report, or a row of one."""

    benchmark: str
    version: str

    @property
    def place(self) -> str:
        return f"{self.benchmark}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed(Report):
    """A report whose document is made already."""

    made: Document

    def tables(self, *_: Any, **__: Any) -> list[Table]:
        return list(self.made.tables)

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self.made.data
        return found

    def records(self) -> list[dict[str, Any]]:
        return [dict(record) for record in self.made.records]
