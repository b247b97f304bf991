"""The table of a paper: chosen models by chosen benchmarks, published rows beside ours.

A cell is the estimate of the benchmark's board, a mark at it the decision of the paired engine.
What is not there, or not comparable, has a note that says why.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from judgebench import __version__, yaml_file
from judgebench.columns import grouped
from judgebench.config import Panel, Section, check
from judgebench.errors import ConfigError, UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import compare
from judgebench.metrics.registry import (
    CONFIDENCE_METRICS,
    OF_VERDICTS,
    Direction,
    digits,
    heading,
    sign_of,
)
from judgebench.metrics.registry import metric as entry
from judgebench.metrics.scores import OFFICIAL, UNREAD_AS
from judgebench.metrics.style_controlled import STYLE_CONTROLLED
from judgebench.metrics.win_rate import AS_PUBLISHED, LENGTH_CONTROLLED, WEIGHTED
from judgebench.plain_text import counted, holding
from judgebench.records import PANEL, Estimate
from judgebench.reports import estimates
from judgebench.reports.board import Board, N, PublishedBeside, references
from judgebench.reports.board_data import missing_share, newest_model
from judgebench.reports.boards import benchmark_ref, described, find_judges, judge_line, parse_panel
from judgebench.reports.compare import CompareQuestion, Difference, decide
from judgebench.reports.document import (
    Chart,
    Column,
    Report,
    Rows,
    Spread,
    Table,
    json_field,
)
from judgebench.reports.estimates import Marked
from judgebench.reports.leaderboard import BoardRequest
from judgebench.reports.length_calibrations import pair_at_equal_length
from judgebench.reports.model_pairs import PairData
from judgebench.reports.pair_tests import Flips
from judgebench.reports.published import published_text, same_models
from judgebench.store.store import Store

BEST = "best"
"""In place of a model that the others are tested against: the best one of each column."""


Words = Annotated[str, AfterValidator(str.strip)]
"""Text without the line break that YAML leaves behind a folded one."""


class PaperBenchmark(Section):
    """One column: a benchmark, who judged it, and by which metric."""

    name: str = Field(description="NAME or NAME@VERSION")
    judge: str | None = Field(None, description="the only one there is, if unset")
    panel: list[str] | Panel | None = Field(
        None, description="in place of a judge: judges whose verdicts are combined"
    )
    baseline: str | None = Field(
        None, description="whom answers were compared with, where judges compared with several"
    )
    metric: str | None = Field(
        None,
        description="as `leaderboard --format json` names it, of a group of items METRIC/GROUP; "
        "what ranks the board, if unset",
    )
    by: str | None = Field(
        None, description="the grouping of METRIC/GROUP, where the benchmark does not declare it"
    )
    direction: Literal["higher", "lower", "neither"] | None = Field(
        None, description="what is better, and bold; the metric's, if unset"
    )
    title: Words | None = Field(None, description="head of the column; the metric's, if unset")
    group: Words | None = Field(None, description="above the column; NAME@VERSION, if unset")

    @field_validator("panel")
    @classmethod
    def _seated(cls, value: list[str] | Panel | None) -> list[str] | Panel | None:
        if isinstance(value, list):
            try:
                Panel(judges=value)
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return value

    @property
    def jury(self) -> Panel | None:
        return Panel(judges=self.panel) if isinstance(self.panel, list) else self.panel


class PaperModel(Section):
    """One row: a model of the store, one of published boards, or the first and the other below."""

    name: str | None = Field(None, description="a model of the store")
    published: bool | str | dict[str, str] = Field(
        False,
        description="a row of published figures: the name there, by benchmark where it differs; "
        "true: the name that the model has here",
    )
    title: Words | None = Field(None, description="as the table calls it")
    group: Words | None = Field(None, description="the section of the table that it is in")


class PaperTests(Section):
    """Which differences are marked: those of the paired tests of all columns together."""

    against: str = Field(description="a model of the table, or 'best': the best of each column")
    correction: Literal["holm", "bh"] = "holm"


class Paper(Section):
    """What stands in the table of a paper."""

    title: Words = Field(description="the caption")
    label: str = Field("", pattern=r"^[\w:.-]*$", description="for LaTeX: tab:main")
    models: list[PaperModel] = Field(min_length=1)
    benchmarks: list[PaperBenchmark] = Field(min_length=1)
    tests: PaperTests | None = None
    group_by: str | None = Field(
        None, description="a tag of the suite's models, which groups rows without a group"
    )
    level: float = Field(0.95, gt=0.5, lt=1, description="of intervals; tests err in the rest")
    store: str | None = None

    _written: yaml_file.Written = PrivateAttr(yaml_file.Written(Path("paper"), None, {}))

    @model_validator(mode="after")
    def _names(self) -> Paper:
        named = [model.name for model in self.models if model.name is not None]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"models named twice: {', '.join(twice)}")
        if self.tests is None:
            return self
        if self.tests.against not in (BEST, *named):
            said = unknown_name("model of the table", self.tests.against, [BEST, *named])
            raise ValueError(f"tests.against: {said}")
        if self.tests.against == BEST and self.tests.correction == "bh":
            raise ValueError(
                "tests: the best is chosen by the numbers that are tested; holm over all pairs of "
                "models allows for that, and bh does not"
            )
        return self

    @contextmanager
    def at(self, *field: str | int) -> Iterator[None]:
        """What is wrong within is said with the place in the file."""
        try:
            yield
        except (ConfigError, UsageError) as error:
            raise ConfigError(f"{self._written.where(field)}: {error}") from None


def read_paper(path: Path) -> Paper:
    """A paper's table from its file.

    Raises
    ------
    ConfigError
        Naming the file and, where there is one, the line and the field.
    """
    fields = ", ".join(Paper.model_fields)
    written = yaml_file.read_yaml(path, f"a paper is a mapping with {fields}")
    paper = check(Paper, yaml_file.expanded(written, os.environ), path, written.lines)
    paper._written = written
    return paper


SIGNS = {"better": "*", "worse": "†", "undecided": ""}
"""What stands at a number by the decision of its test."""

CORRECTIONS = {"holm": "Holm", "bh": "Benjamini and Hochberg"}

PUBLISHED = "published"
NOT_OURS = "‡"
"""What stands at a number that is published, whether or not it compares with ours."""

_KINDS: Mapping[str, Any] = {one.name: kind for kind, one in OF_VERDICTS.items()}
_FEWEST = 100
"""Of so many tests together even the strictest has draws enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperColumn:
    """One metric of a benchmark in the eyes of a judge or panel; ``judged`` says what these are."""

    title: str
    group: str
    benchmark: str
    version: str
    judge: str
    judged: tuple[str, ...]
    served_models: tuple[str, ...]
    official_prompt: bool | None
    opponent: str | None
    metric: str
    direction: Direction
    items: int
    digits: int = json_field(hidden=True)

    @property
    def heading(self) -> str:
        return f"{self.group}: {self.title}" if self.group else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperCell:
    """A number, or why there is none.

    number
        As it is shown.
    best, comparable
        Whether it is the best of its column, and whether it could be.
    notes
        Why there is no number, or why it is not comparable, and what else has to be known of it.
    test
        Against whom the table is tested against, without the items; None where nothing was tested.
    origin
        Who published the number, and who judged there; empty for one of ours.
    """

    number: str = estimates.UNDEFINED
    figure: Estimate
    best: bool = False
    comparable: bool = True
    notes: tuple[str, ...] = ()
    test: Difference | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A model: what the table calls it, and its name in the store."""

    model: str
    name: str | None
    figures: Literal["ours", "published"]
    group: str
    cells: tuple[PaperCell, ...]


class _Line(NamedTuple):
    """A cell with its row and column, as a row for programs is made of it."""

    row: PaperRow
    column: PaperColumn
    cell: PaperCell


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable(Report):
    """Rows of models, columns of benchmarks, and the paragraph that says how they came about.

    against, correction, tests
        Whom the others are tested against, None without tests; how p-values are adjusted, and over
        how many tests.
    """

    ROWS: ClassVar = (
        Rows(
            of="lines",
            row=(
                *((name, f"row.{name}") for name in ("group", "model", "name", "figures")),
                ("column", "column.heading"),
                *((n, f"column.{n}") for n in ("benchmark", "version", "judge", "opponent")),
                ("metric", "column.metric"),
                Spread("cell.figure"),
                *((name, f"cell.{name}") for name in ("best", "comparable")),
                *((name, f"cell.test.{name}") for name in ("decision", "p_value", "p_adjusted")),
                *((name, f"cell.{name}") for name in ("origin", "notes")),
            ),
        ),
    )
    CHART: ClassVar = Chart(along="model", by="column")

    title: str
    label: str = json_field(hidden=True)
    level: float
    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]
    against: str | None
    correction: str | None
    tests: int
    notes: tuple[str, ...]
    methods: str

    @property
    def lines(self) -> list[_Line]:
        pairs = [
            (row, one) for row in self.rows for one in zip(self.columns, row.cells, strict=True)
        ]
        return [_Line(row, column, cell) for row, (column, cell) in pairs]

    def tables(self) -> list[Table]:
        """The table with a letter for each note of a cell, and the paragraph of the methods."""
        names = map("".join, product(["", *ascii_lowercase], ascii_lowercase))
        said = dict.fromkeys(note for line in self.lines for note in line.cell.notes)
        letters = dict(zip(said, names, strict=False))
        cells = [
            Marked(
                cell.number,
                estimates.text(cell.figure, digits=column.digits).partition(" ")[2],
                [
                    *filter(None, [SIGNS[cell.test.decision] if cell.test else ""]),
                    *([NOT_OURS] if cell.origin else []),
                    *map(letters.__getitem__, cell.notes),
                ],
                bold=cell.best,
            )
            for _, column, cell in self.lines
        ]
        width, groups = len(self.columns), ["", *(row.group for row in self.rows)]
        table = Table(
            title=self.title,
            label=self.label,
            columns=[
                Column(title="model", wraps=True),
                *(Column(title=one.title, group=one.group, align="right") for one in self.columns),
            ],
            rows=[[row.model, *cells[at * width :][:width]] for at, row in enumerate(self.rows)],
            notes=[*self.notes, *(f"({letter}) {note}" for note, letter in letters.items())],
            sections={at: row.group for at, row in enumerate(self.rows) if row.group != groups[at]},
        )
        return [table, Table(title="Methods", subtitle=self.methods, columns=[], rows=[])]


# columns ----------------------------------------------------------------------------------------


class _Source(NamedTuple):
    """What a column is made of."""

    asked: PaperBenchmark
    column: PaperColumn
    board: Board
    data: PairData


def _sources(store: Store, paper: Paper) -> list[_Source]:
    of_panel = cache(lambda name, panel: PairData(store, name, panels=[*map(parse_panel, panel)]))
    boards_by = cache(partial(_boards, store, paper.level))
    found: dict[str, _Source] = {}
    for at, asked in enumerate(paper.benchmarks):
        with paper.at("benchmarks", at, "name"):
            name = _one_version(store, asked.name)
        judge = asked.judge if asked.jury is None else asked.jury.name
        data = of_panel(name, _panel(judge))
        with paper.at("benchmarks", at, "judge" if asked.jury is None else "panel"):
            if asked.judge is not None and asked.jury is not None:
                raise UsageError("a column has a judge or a panel, and this has both")
            if judge is not None and not _panel(judge):
                find_judges(judge, data.board.judges, store, data.which)
        with paper.at("benchmarks", at):
            compat = asked.metric == AS_PUBLISHED
            board = _board(asked, boards_by(name, judge, asked.by, compat=compat), data)
            column = _column(asked, board, data)
            other = found.setdefault(column.heading, _Source(asked, column, board, data))
            if other.asked is not asked:
                raise UsageError(
                    f"{column.heading!r} is another column already, {other.board}, and this is "
                    f"{board}; give each a title"
                )
    return [*found.values()]


def _one_version(store: Store, name: str) -> str:
    """``NAME@VERSION``; of a benchmark with several versions here, one has to be named."""
    which = benchmark_ref(store, name)
    held = [f"{one}@{version}" for one, version in store.benchmarks() if one == which.name]
    if "@" not in name and len(held) > 1:
        raise UsageError(
            f"the store holds several versions of {name}, and a column is of one: {', '.join(held)}"
        )
    return str(which)


def _panel(judge: str | None) -> tuple[str, ...]:
    """The name of a panel, which says who sits on it; nothing for a judge."""
    return (judge,) if judge is not None and judge.startswith(PANEL) else ()


def _boards(
    store: Store,
    level: float,
    name: str,
    judge: str | None,
    by: str | None,
    *,
    compat: bool,
) -> tuple[Board, ...]:
    """The boards of one judge or panel, or of all judges."""
    request = BoardRequest(
        benchmarks=(name,),
        judges=() if judge is None else (judge,),
        panels=_panel(judge),
        by=() if by is None else (by,),
        level=level,
        length_control="both" if compat else "exact",
    )
    return request.found(store)[name]


def _board(asked: PaperBenchmark, boards: Sequence[Board], data: PairData) -> Board:
    """The one that has the column's metric, of comparisons with its baseline."""
    against = None if asked.baseline is None else newest_model(data.board, asked.baseline)
    named = [
        (board, {name for row in board.rows for name in row.metrics})
        for board in boards
        if board.rows and (asked.baseline is None or board.opponent == against)
    ]
    fitting = [board for board, names in named if asked.metric is None or asked.metric in names]
    if named and not fitting:
        known = {name for _, names in named for name in names}
        metric = str(asked.metric)
        of_confidences = "; of confidences `judgebench confidence` has it"
        hints = {
            LENGTH_CONTROLLED: f"; `judgebench calibrate-length {data.which.name}` fits what it "
            "takes",
            **dict.fromkeys(CONFIDENCE_METRICS, of_confidences),
        }
        if metric.startswith(STYLE_CONTROLLED):
            hints[metric] = "; `judgebench leaderboard --style-control` has style-controlled scores"
        raise UsageError(unknown_name("metric", metric, known) + hints.get(metric, ""))
    if len(fitting) != 1:
        there = "; ".join(f"{board} ({board.metric})" for board in fitting or boards)
        said = "several boards fit" if fitting else f"no board is against {asked.baseline}"
        raise UsageError(f"{said}; say which judge, baseline or metric: {there or 'none is here'}")
    return fitting[0]


def _members(board: Board, data: PairData) -> list[str]:
    """The judge of a board, or those of its panel, by id."""
    panel = data.board.panels.get(board.judge)
    return [str(data.judge_id(one)) for one in (panel.judges if panel else [board.judge])]


def _column(asked: PaperBenchmark, board: Board, data: PairData) -> PaperColumn:
    metric, its = asked.metric or str(board.metric), data.board
    said = {one: judge_line(its.spec_of[one], its.left_out(one)) for one in _members(board, data)}
    panel = board.judge in its.panels
    return PaperColumn(
        title=asked.title or heading(metric, None, board.scale),
        group=str(data.which) if asked.group is None else asked.group,
        benchmark=board.benchmark,
        version=board.version,
        judge=board.judge,
        judged=tuple(f"{its.judges[one]}: {is_}" if panel else is_ for one, is_ in said.items()),
        served_models=board.served_models,
        official_prompt=board.official_prompt,
        opponent=board.opponent,
        metric=metric,
        direction=asked.direction or entry(metric).direction,
        items=board.items,
        digits=digits(metric, board.metric),
    )


# rows and cells ---------------------------------------------------------------------------------


class _Row(NamedTuple):
    """A row that is asked for; ``names`` are what the model goes by in the store."""

    asked: PaperModel
    title: str
    group: str
    names: tuple[str, ...]
    published: bool


def _rows(store: Store, paper: Paper, sources: Sequence[_Source]) -> list[_Row]:
    """The rows by section; that of the reference comes first, and in it the reference."""
    known = {name: one for one in store.models() for name in (*one.names, one.name, one.id)}
    shown = {name for source in sources for name in source.data.board.model_ids}
    with paper.at("group_by"):
        tags = {tag for one in known.values() for tag in one.tags}
        if paper.group_by is not None and paper.group_by not in tags:
            raise UsageError(unknown_name("tag", paper.group_by, tags))
    found = []
    for at, asked in enumerate(paper.models):
        there, model = asked.published, known.get(asked.name or "")
        with paper.at("models", at):
            if asked.name is None and (not there or there is True):
                raise UsageError("a row has the 'name' of a model, or one that is 'published'")
            if asked.name is not None and asked.name not in {*known, *shown}:
                raise UsageError(unknown_name("model", asked.name, {*known, *shown}))
        group = asked.group or (model.tags.get(paper.group_by or "", "") if model else "")
        of_boards = [*there.values()] if isinstance(there, dict) else [str(there)]
        title = asked.title or asked.name or of_boards[0]
        names = (asked.name, *(model.names if model else ())) if asked.name is not None else ()
        if names:
            found.append(_Row(asked, title, group, names, False))
        if there:
            title = f"{title}, as published" if names else title
            found.append(_Row(asked, title, group, names, True))
    first = paper.tests.against if paper.tests is not None else BEST
    groups = [*(row.group for row in found if first in row.names), *(row.group for row in found)]
    return sorted(found, key=lambda row: (groups.index(row.group), first not in row.names))


def _shown(row: _Row, source: _Source) -> str | None:
    """What a board calls the model of a row; None where it is not known there."""
    return None if row.published else newest_model(source.data.board, row.names[0])


def _nothing(because: str, *, n: int = 0, missing: int = 0) -> PaperCell:
    figure = Estimate(value=math.nan, n=n, units=0, missing=missing, undefined=because)
    return PaperCell(figure=figure, comparable=False, notes=(because,))


def _ours(row: _Row, source: _Source) -> PaperCell:
    board, column, shown = source.board, source.column, _shown(row, source)
    its = next((one for one in board.rows if one.model == shown), None)
    if shown is None:
        return _nothing(f"no answer to {source.data.which} is in the store")
    if its is None:
        opposes = shown == board.opponent
        return _nothing(
            "others are compared with it" if opposes else f"not judged by {board.judge}"
        )
    figure = its.metrics.get(column.metric)
    if figure is None or math.isnan(figure.value):
        lacks = {} if figure is None else {"n": figure.n, "missing": figure.missing}
        return _nothing((figure and figure.undefined) or f"it has no {column.metric}", **lacks)
    notes = holding({
        f"suspicious: {its.suspicious}": its.excluded,
        f"the newest of several models of that name, {shown}": (
            "two versions" in its.flags and row.names[0] not in (shown, its.model_id)
        ),
        f"{missing_share(its.judged):.0%} of its verdicts are missing": "coverage" in its.flags,
    })  # fmt: skip
    number = estimates.text(figure, digits=column.digits).partition(" ")[0]
    return PaperCell(number=number, figure=figure, comparable=not its.excluded, notes=tuple(notes))


def _boards_beside(source: _Source) -> list[PublishedBeside]:
    """What is published of the benchmark: by this very judge, by others, of other versions."""
    column, found = source.column, described(source.column.benchmark)
    published = None if found is None else found[0].published
    versions = dict.fromkeys(one.version for one in (published.boards if published else ()))
    others = [
        PublishedBeside(
            reference=one,
            names={},
            because=f"what is published is of version {version}, judged by {one.judged_by}, and "
            f"this is version {column.version}",
        )
        for version in versions
        if version != column.version
        for one in references(column.benchmark, version).boards
    ]
    return [*sorted(source.board.beside, key=lambda one: one.because is not None), *others]


def _published_in(row: _Row, source: _Source) -> list[tuple[str, PublishedBeside]]:
    """The published boards of a column's benchmark that have a row, under its name there."""
    said, names = row.asked.published, [*row.names]
    if isinstance(said, str | dict):
        names = [said] if isinstance(said, str) else [said.get(source.column.benchmark, "")]
    return [
        (name, one)
        for one in _boards_beside(source)
        for name in same_models({"": names}, one.reference.figures, {}).values()
    ]


def _published(row: _Row, source: _Source) -> PaperCell:
    column = source.column
    for name, one in _published_in(row, source):
        figures = one.reference.figures[name]
        if (value := figures.get(column.metric)) is not None:
            n = int(figures.get(N, one.reference.items or 0))
            shown = published_text(one.reference, column.metric, value)
            note = f"not comparable: {one.because}" if one.because else one.reference.note
            return PaperCell(
                number=min(shown, f"{value:.{column.digits}f}", key=len),
                figure=Estimate(value=value, n=n, units=n, method=PUBLISHED),
                comparable=one.because is None,
                notes=(note,) if note else (),
                origin=f"{one.reference.source}, judged by {one.reference.judged_by}",
            )
    absent = references(column.benchmark, column.version)
    said = f"no {column.metric} of it is published of {column.benchmark}"
    return _nothing(said if absent.boards or not absent.notes else absent.notes[0])


def _check_published(paper: Paper, rows: Sequence[_Row], sources: Sequence[_Source]) -> None:
    """That published rows are on some board that is here.

    Raises
    ------
    ConfigError
        With the nearest name.
    """
    boards = [one.reference.figures for source in sources for one in _boards_beside(source)]
    known = {name for figures in boards for name in figures}
    for row in rows if known else ():
        if row.published and not any(_published_in(row, source) for source in sources):
            with paper.at("models", paper.models.index(row.asked), "published"):
                said = row.asked.published
                names = [*said.values()] if isinstance(said, dict) else [said, *row.names]
                name = next(one for one in names if isinstance(one, str))
                raise UsageError(unknown_name("published model", name, known))


def _best(cells: Iterable[PaperCell], direction: Direction) -> PaperCell | None:
    counts = [cell for cell in cells if cell.number != estimates.UNDEFINED and cell.comparable]
    sign = {"higher": 1.0, "lower": -1.0, "neither": 0.0}[direction]
    return max(counts, key=lambda cell: sign * cell.figure.value) if sign and counts else None


def _with_best(cells: Sequence[PaperCell], direction: Direction) -> list[PaperCell]:
    """The cells of a column; what is printed alike is best alike, and one alone is not."""
    best, several = _best(cells, direction), sum(cell.comparable for cell in cells) > 1
    return [
        replace(
            cell,
            best=several and cell.comparable and best is not None and cell.number == best.number,
        )
        for cell in cells
    ]


# tests ------------------------------------------------------------------------------------------


def _question(
    source: _Source, two: tuple[str, str], *, alpha: float, finest: float
) -> CompareQuestion | None:
    """One test by a column's metric; None where that is not tested."""
    board, data, metric = source.board, source.data, source.column.metric
    base, _, group = metric.partition("/")
    direct = board.opponent == two[1]
    usual: Any = "label" if board.opponent is None else "preference"
    kind = BoardKind(_KINDS.get(board.ungrouped, usual), board.opponent)
    try:
        of_figure = metric in data.board.figures and sign_of(metric)
        if of_figure or (metric == WEIGHTED and not direct):
            pair = data.pair(kind, board.judge, two, None, data.which.report.apart, figure=metric)
            compared = compare(pair, alpha=alpha, finest=finest)
        elif metric == LENGTH_CONTROLLED and not direct:
            pair, compared = pair_at_equal_length(data, kind, board.judge, two, alpha=alpha)
        elif base == board.ungrouped and base in _KINDS and not (group and direct):
            pair = data.pair(kind, board.judge, two, group or None, source.asked.by)
            compared = compare(pair, alpha=alpha, finest=finest)
        else:
            return None
    except UsageError:  # of no group of items and no part of a score, as an official score
        return None
    return CompareQuestion(
        data=data, two=two, pair=pair, compared=compared, opponent=board.opponent,
        group=None if metric in data.board.figures else group or None,
        alpha=alpha, replays=False, of_gates=False,
    )  # fmt: skip


def _tested(
    paper: Paper, sources: Sequence[_Source], rows: Sequence[_Row], columns: list[list[PaperCell]]
) -> tuple[int, list[tuple[str, str]]]:
    """Set tests into the cells: how many are allowed for, and what could not be tested."""
    if paper.tests is None:
        return 0, []
    best, alpha, of = paper.tests.against == BEST, (1.0 - paper.level) / 2.0, 0
    most = len(sources) * len(rows) * (len(rows) if best else 1)
    asked: dict[tuple[int, int], CompareQuestion] = {}
    notes: list[tuple[str, str]] = []
    for c, source in enumerate(sources):
        ours = {
            r: (str(_shown(row, source)), cell)
            for r, (row, cell) in enumerate(zip(rows, columns[c], strict=True))
            if cell.number != estimates.UNDEFINED and not row.published
        }
        against = newest_model(source.data.board, paper.tests.against)
        if best:
            top = _best((cell for _, cell in ours.values()), source.column.direction)
            against = next((shown for shown, cell in ours.values() if cell is top), None)
        there = against in (source.board.opponent, *(shown for shown, _ in ours.values()))
        others = {(c, r): shown for r, (shown, _) in ours.items() if shown != against}
        questions = {
            at: _question(source, (shown, against), alpha=alpha, finest=alpha / max(_FEWEST, most))
            for at, shown in others.items()
            if against is not None and there
        }
        found = {at: one for at, one in questions.items() if one is not None}
        if others and not found:
            lacks = f"{paper.tests.against} has no number there"
            why = "there is no paired test of this metric" if questions or best else lacks
            notes.append((source.column.heading, f"not tested: {why}"))
        asked |= found
        of += len(ours) * (len(ours) - 1) // 2 if found and best else len(found)
    correction = paper.tests.correction
    decided = decide([*asked.values()], alpha=2.0 * alpha, correction=correction, of=of)
    if all(math.isnan(one.p_value) and one.stop is None for one in decided):
        of = 0
    for (c, r), test in zip(asked, decided, strict=True):
        columns[c][r] = cell = replace(columns[c][r], test=replace(test, flips=Flips()))
        place, units = f"{sources[c].column.heading}, {rows[r].title}", test.difference.units
        if math.isnan(test.p_value) and test.stop is None:
            notes.append((place, f"not tested: {test.because}"))
        elif test.decision == "undecided" and test.p_adjusted <= 2.0 * alpha:
            notes.append((place, f"undecided: {test.because}"))
        elif units < cell.figure.units:
            titles = (row.title for row in rows if not row.published and test.baseline in row.names)
            those = f"items, those that {next(titles, test.baseline)} has too"
            notes.append((place, f"tested on {units:,} of its {cell.figure.units:,} {those}"))
    return of, notes


# the whole --------------------------------------------------------------------------------------


def paper_table(store: Store, paper: Paper) -> PaperTable:
    """The table that a paper's file asks for.

    Raises
    ------
    ConfigError
        Naming the line of what the store does not hold, and the nearest name that it does.
    """
    sources = _sources(store, paper)
    rows = _rows(store, paper, sources)
    _check_published(paper, rows, sources)
    columns = [
        _with_best(
            [_published(row, one) if row.published else _ours(row, one) for row in rows],
            one.column.direction,
        )
        for one in sources
    ]
    tests, untested = _tested(paper, sources, rows, columns)
    how, names = _how_tested(paper, tests), [one.column.heading for one in sources]
    origins = "; ".join(_together(
        (name, cell.origin) for name, its in zip(names, columns, strict=True) for cell in its
        if cell.origin
    ))  # fmt: skip
    numbers = [_numbers_of(one, its, rows) for one, its in zip(sources, columns, strict=True)]
    other = [
        (one.column.heading, "not the official judge prompt, not comparable with others' figures")
        for one in sources
        if one.data.which.official and one.column.official_prompt is False
    ] + [
        (one.column.heading, "ours, computed by the rule of the published figures")
        for one in sources
        if one.column.metric.startswith((OFFICIAL, UNREAD_AS, AS_PUBLISHED))
    ]
    return PaperTable(
        title=paper.title,
        label=paper.label,
        level=paper.level,
        columns=tuple(one.column for one in sources),
        rows=tuple(
            PaperRow(
                model=row.title,
                name=row.asked.name,
                figures="published" if row.published else "ours",
                group=row.group,
                cells=cells,
            )
            for row, cells in zip(rows, zip(*columns, strict=True), strict=True)
        ),
        against=paper.tests.against if paper.tests else None,
        correction=paper.tests.correction if paper.tests else None,
        tests=tests,
        notes=(
            f"bold: the best of its column; in brackets: intervals at {100 * paper.level:g}%",
            *([how] if how else []),
            *([f"{NOT_OURS} published by others, not measured here: {origins}"] if origins else []),
            *_together([*zip(names, numbers, strict=True), *other, *untested]),
        ),
        methods=_methods(sources, columns, paper, how if tests else None),
    )


def _how_tested(paper: Paper, tests: int) -> str | None:
    if paper.tests is None:
        return None
    name = paper.tests.against
    titles = (one.title for one in paper.models if one.name == name)
    title = "the best of its column" if name == BEST else next(titles, None) or name
    if not tests:
        return f"no marks: nothing could be tested against {title}"
    over = f"{counted(tests, 'test')} of the table"
    if name == BEST:
        over = f"{counted(tests, 'pair')} of models, since the best is chosen by the same numbers"
    return (
        f"* better and † worse than {title}: two-sided paired tests over the items of both, p "
        f"adjusted over {over} ({CORRECTIONS[paper.tests.correction]}), at most "
        f"{1.0 - paper.level:.2g}"
    )


def _numbers_of(source: _Source, cells: Sequence[PaperCell], rows: Sequence[_Row]) -> str:
    """Of how many verdicts and items a column's numbers are, and what is missing of whom."""
    ours = [(r.title, cell.figure) for r, cell in zip(rows, cells, strict=True) if not r.published]
    ns = sorted({one.n for _, one in ours if one.n}) or [0]
    missing = ", ".join(f"{title} {one.missing:,}" for title, one in ours if one.missing)
    return (
        f"n {' to '.join(f'{n:,}' for n in dict.fromkeys([*ns[:1], *ns[-1:]]))} verdicts on "
        f"{counted(source.column.items, 'item')}; missing: {missing or 'none'}"
    )


def _together(said: Iterable[tuple[str, str]]) -> list[str]:
    """Those of whom one thing is said, and it."""
    found = grouped((what, whom) for whom, what in said)
    return [f"{', '.join(dict.fromkeys(whom))}: {what}" for what, whom in found.items()]


def _methods(
    sources: Sequence[_Source],
    columns: Sequence[Sequence[PaperCell]],
    paper: Paper,
    how: str | None,
) -> str:
    """What a paper has to say of its numbers."""
    said, runs = [], set[str]()
    for place in dict.fromkeys(str(one.board) for one in sources):
        its = [one for one in sources if str(one.board) == place]
        column, data, board = its[0].column, its[0].data, its[0].board
        found = described(column.benchmark)
        title = column.benchmark if found is None else found[0].title
        metrics = ", ".join(dict.fromkeys(heading(one.column.metric) for one in its))
        served = f", served by {', '.join(column.served_models)}" if column.served_models else ""
        against = f", against the answers of {column.opponent}" if column.opponent else ""
        said.append(
            f"{title} ({data.which}, {counted(column.items, data.which.unit)}): {metrics}, judged "
            f"by {column.judge} ({'; '.join(column.judged)}){served}{against}."
        )
        members = _members(board, data)
        runs |= {one.run_id for one in data.board.judged_at if one.judge_id in members}
    metrics_of = dict.fromkeys(entry(one.column.metric) for one in sources)
    ends = "; ".join(_together((one.title, one.estimated) for one in metrics_of))
    drawn = Intervals(level=paper.level)
    said.append(
        f"Intervals are at {100 * paper.level:g}% ({ends}), bootstraps with {drawn.n_replicates:,} "
        f"replicates from seed {drawn.seed}."
    )
    said += [f"Marks: {how}."] if how else []
    origins = {cell.origin for its in columns for cell in its if cell.origin}
    said += [f"Published figures: {'; '.join(sorted(origins))}."] if origins else []
    behind = [run for run in sources[0].data.board.store.runs() if run.id in runs]
    seeds = sorted({str(seed) for run in behind for seed in run.seeds.values()})
    said += [f"Runs from seed {', '.join(seeds)}."] if seeds else []
    versions = {__version__, *(str(run.versions.get("judgebench", "")) for run in behind)} - {""}
    return " ".join([*said, f"Software: judgebench {', '.join(sorted(versions))}."])
