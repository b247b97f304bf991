"""The table of a paper: chosen models by chosen benchmarks, published rows beside ours.

A cell is the estimate of the benchmark's board, a mark at it the decision of the paired engine.
What is not there, or not comparable, has a note that says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_lowercase
from typing import Any, ClassVar, Literal, NamedTuple

from judgebench import __version__
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_controlled import AS_PUBLISHED, LENGTH_CONTROLLED
from judgebench.metrics.paired import METRIC_OF, compare
from judgebench.metrics.registry import Direction, digits, heading
from judgebench.metrics.registry import metric as entry
from judgebench.plain_text import counted
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board import Board
from judgebench.reports.board_request import boards_of
from judgebench.reports.board_warnings import missing_share
from judgebench.reports.boards import benchmark_ref, described, find_judges, judge_line, panels_in
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
from judgebench.reports.model_pairs import PairData, newest_model
from judgebench.reports.pair_boards import pair_at_equal_length
from judgebench.reports.paper_file import BEST, Paper, PaperBenchmark, PaperModel
from judgebench.reports.published import same_models
from judgebench.reports.published_tables import published_text
from judgebench.reports.reference_board import N, PublishedBeside, references
from judgebench.store import Store

SIGNS = {"better": "*", "worse": "†", "undecided": ""}
"""What stands at a number by the decision of its test."""

CORRECTIONS = {"holm": "Holm", "bh": "Benjamini and Hochberg"}
SIGN_OF: Mapping[Direction, float] = {"higher": 1.0, "lower": -1.0, "neither": 0.0}

_KINDS: Mapping[str, Any] = {metric: kind for kind, metric in METRIC_OF.items()}
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
    """

    number: str = estimates.UNDEFINED
    figure: Estimate
    best: bool = False
    comparable: bool = True
    notes: tuple[str, ...] = ()
    test: Difference | None = None

    @property
    def there(self) -> bool:
        return self.number != estimates.UNDEFINED


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
                ("notes", "cell.notes"),
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
                Column(title="model"),
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
    places: dict[str, list[int]] = {}
    for at, asked in enumerate(paper.benchmarks):
        with paper.at("benchmarks", at, "name"):
            places.setdefault(_one_version(store, asked.name), []).append(at)
    found: dict[int, _Source] = {}
    for name, its in places.items():
        found |= _of_benchmark(store, paper, name, its)
    first: dict[str, int] = {}
    for at, source in sorted(found.items()):
        other = first.setdefault(source.column.heading, at)
        with paper.at("benchmarks", at):
            if other != at:
                raise UsageError(
                    f"it has the heading of benchmarks[{other}], {source.column.heading!r}: that "
                    f"is {found[other].board}, and this {source.board}; give each a title"
                )
    return [found[at] for at in sorted(found)]


def _one_version(store: Store, name: str) -> str:
    """``NAME@VERSION``; of a benchmark with several versions here, one has to be named."""
    which = benchmark_ref(store, name)
    held = [f"{one}@{version}" for one, version in store.benchmarks() if one == which.name]
    if "@" not in name and len(held) > 1:
        raise UsageError(
            f"the store holds several versions of {name}, and a column is of one: {', '.join(held)}"
        )
    return str(which)


def _of_benchmark(
    store: Store, paper: Paper, name: str, places: Sequence[int]
) -> dict[int, _Source]:
    asked = {at: paper.benchmarks[at] for at in places}
    own = [one.jury for one in asked.values() if one.jury is not None]
    panels = {panel.name: panel for panel in (*panels_in(store, name), *own)}
    data = PairData(store, name, panels=[*panels.values()])
    judges: dict[int, list[str]] = {}
    for at, one in asked.items():
        with paper.at("benchmarks", at, "judge" if one.jury is None else "panel"):
            judges[at] = _judges(store, data, one)
    with paper.at("benchmarks", places[0]):
        boards = boards_of(
            store,
            [name],
            judges=sorted({one for its in judges.values() for one in its})
            if all(judges.values())
            else (),
            panels=own,
            by=[one.by for one in asked.values() if one.by is not None],
            intervals=Intervals(level=paper.level),
            length_control="both"
            if any(one.metric == AS_PUBLISHED for one in asked.values())
            else "exact",
        )[name]
    found = {}
    for at, one in asked.items():
        with paper.at("benchmarks", at):
            board = _board(one, judges[at], boards, data)
            found[at] = _Source(one, _column(one, board, data), board, data)
    return found


def _judges(store: Store, data: PairData, asked: PaperBenchmark) -> list[str]:
    """Who is meant, as boards show them; nobody where nobody is named."""
    if asked.judge is not None and asked.jury is not None:
        raise UsageError("a column has a judge or a panel, and this has both")
    name = asked.judge if asked.jury is None else asked.jury.name
    if name in data.board.refused:
        raise UsageError(data.board.refused[name])
    if name is None or name in data.board.panels:
        return [name] if name else []
    return [*find_judges(name, data.board.judges, store, data.which)]


def _board(
    asked: PaperBenchmark, judges: Sequence[str], boards: Sequence[Board], data: PairData
) -> Board:
    against = None if asked.baseline is None else newest_model(data.board, asked.baseline)
    its = [
        board
        for board in boards
        if board.rows
        and (not judges or board.judge in judges)
        and (asked.baseline is None or board.opponent == against)
    ]
    if not its:
        said = "" if asked.baseline is None else f" against {asked.baseline}"
        known = "; ".join(map(str, boards)) or "nothing"
        raise UsageError(f"{' or '.join(judges) or 'nobody'} has judged no answer{said}; {known}")
    named = [(board, {name for row in board.rows for name in row.metrics}) for board in its]
    fitting = [board for board, names in named if asked.metric is None or asked.metric in names]
    if len(fitting) > 1:
        said = "; ".join(f"{board} ({board.metric})" for board in fitting)
        raise UsageError(f"several boards fit; say which judge, baseline or metric: {said}")
    if not fitting:
        metrics = {name for _, names in named for name in names}
        raise UsageError(unknown_name("metric", str(asked.metric), metrics))
    return fitting[0]


def _members(board: Board, data: PairData) -> list[str]:
    """The judge of a board, or those of its panel, by id."""
    panel = data.board.panels.get(board.judge)
    return [str(data.judge_id(one)) for one in (panel.judges if panel else [board.judge])]


def _column(asked: PaperBenchmark, board: Board, data: PairData) -> PaperColumn:
    metric = asked.metric or str(board.metric)
    names, b = data.board.panels.get(board.judge), data.board
    said = [
        ("" if names is None else f"{b.judges[one]}: ")
        + judge_line(b.spec_of[one], b.left_out(one))
        for one in _members(board, data)
    ]
    return PaperColumn(
        title=asked.title or heading(metric, None, board.scale),
        group=str(data.which) if asked.group is None else asked.group,
        benchmark=board.benchmark,
        version=board.version,
        judge=board.judge,
        judged=tuple(said),
        served_models=board.served_models,
        official_prompt=board.official_prompt,
        opponent=board.opponent,
        metric=metric,
        direction=entry(metric).direction,
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
    known = store.models()
    shown = {name for source in sources for name in source.data.board.model_ids}
    found = []
    for at, asked in enumerate(paper.models):
        model = next((m for m in known if asked.name in (m.id, m.name, *m.names)), None)
        with paper.at("models", at):
            if asked.name is None and not (asked.published and asked.published is not True):
                raise UsageError("a row has the 'name' of a model, or one that is 'published'")
            if asked.name is not None and model is None and asked.name not in shown:
                raise UsageError(unknown_name("model", asked.name, {m.name for m in known}))
        names = () if model is None else model.names
        group = asked.group or (model.tags.get(paper.group_by or "", "") if model else "")
        there = asked.published
        title = (
            asked.title
            or asked.name
            or next(iter(there.values()) if isinstance(there, dict) else iter([str(there)]))
        )
        if asked.name is not None:
            names = (asked.name, *names)
            found.append(_Row(asked, title, group, names, False))
            title = f"{title}, as published"
        if asked.published:
            found.append(_Row(asked, title, group, names, True))
    first = paper.tests.against if paper.tests is not None else BEST
    groups = [
        *(row.group for row in found if row.asked.name == first),
        *(row.group for row in found),
    ]
    return sorted(found, key=lambda row: (groups.index(row.group), row.asked.name != first))


def _nothing(because: str) -> PaperCell:
    nan = math.nan
    figure = Estimate(value=nan, low=nan, high=nan, n=0, units=0, undefined=because)
    return PaperCell(figure=figure, comparable=False, notes=(because,))


def _ours(row: _Row, source: _Source) -> PaperCell:
    board, column = source.board, source.column
    shown = newest_model(source.data.board, row.names[0])
    its = next((one for one in board.rows if one.model == shown), None)
    if its is None:
        return _nothing(
            f"no answer to {source.data.which} is in the store"
            if shown is None
            else "the others are compared with it"
            if shown == board.opponent
            else f"{board.judge} has not judged it"
        )
    figure = its.metrics.get(column.metric)
    if figure is None or math.isnan(figure.value):
        because = (figure and figure.undefined) or f"it has no {column.metric}"
        return _nothing(because) if figure is None else replace(_nothing(because), figure=figure)
    notes = [f"suspicious: {its.suspicious}"] if its.excluded else []
    if "coverage" in its.flags:
        notes.append(f"{missing_share(its.judged):.0%} of its verdicts are missing")
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


def _names_there(row: _Row, benchmark: str) -> list[str]:
    """What a row may be called on published boards of a benchmark."""
    said = row.asked.published
    if isinstance(said, dict):
        return [said[benchmark]] if benchmark in said else []
    return [said] if isinstance(said, str) else [*row.names]


def _published(row: _Row, source: _Source) -> PaperCell:
    column = source.column
    boards = _boards_beside(source)
    for one in boards:
        figures, names = one.reference.figures, _names_there(row, column.benchmark)
        name = same_models({"": names}, figures, {}).get("", "")
        value = figures.get(name, {}).get(column.metric)
        if value is not None:
            n = int(figures[name].get(N, one.reference.items or 0))
            nan, shown = math.nan, published_text(one.reference, column.metric, value)
            return PaperCell(
                number=min(shown, f"{value:.{column.digits}f}", key=len),
                figure=Estimate(value=value, low=nan, high=nan, n=n, units=n, method="published"),
                comparable=one.because is None,
                notes=tuple(
                    filter(
                        None,
                        [f"not comparable: {one.because}" if one.because else one.reference.note],
                    )
                ),
            )
    if not boards:
        notes = references(column.benchmark, column.version).notes
        return _nothing(next(iter(notes), f"of {source.data.which} no board is published"))
    return _nothing(f"no {column.metric} of it is published of {column.benchmark}")


def _check_published(paper: Paper, rows: Sequence[_Row], sources: Sequence[_Source]) -> None:
    """That published rows are on some board that is here.

    Raises
    ------
    ConfigError
        With the nearest name.
    """
    for row in (row for row in rows if row.published):
        boards = [
            (s.column.benchmark, one.reference.figures)
            for s in sources
            for one in _boards_beside(s)
        ]
        found = [same_models({"": _names_there(row, of)}, figures, {}) for of, figures in boards]
        with paper.at("models", paper.models.index(row.asked), "published"):
            if boards and not any(found):
                known = {name for _, figures in boards for name in figures}
                said = [name for of, _ in boards for name in _names_there(row, of)]
                raise UsageError(unknown_name("published model", next(iter(said), ""), known))


def _with_best(cells: Sequence[PaperCell], direction: Direction) -> list[PaperCell]:
    """The cells of a column; what is printed alike is best alike."""
    counts = [cell for cell in cells if cell.there and cell.comparable]
    if direction == "neither" or len(counts) < 2:
        return [*cells]
    top = max(counts, key=lambda cell: SIGN_OF[direction] * cell.figure.value).number
    return [replace(cell, best=cell in counts and cell.number == top) for cell in cells]


# tests ------------------------------------------------------------------------------------------


def _reference(
    paper: Paper, source: _Source, cells: Sequence[PaperCell], rows: Sequence[_Row]
) -> str | None:
    """Whom the others of a column are tested against, as its board shows it."""
    assert paper.tests is not None
    name, sign = paper.tests.against, SIGN_OF[source.column.direction]
    if name == BEST:
        ours = [
            (sign * cell.figure.value, row.names[0])
            for cell, row in zip(cells, rows, strict=True)
            if sign and cell.there and cell.comparable and not row.published
        ]
        name = max(ours, default=(0.0, ""), key=lambda one: one[0])[1]
    shown = newest_model(source.data.board, name)
    there = {source.board.opponent, *(row.model for row in source.board.rows)}
    return shown if shown in there else None


def _question(
    source: _Source, two: tuple[str, str], *, alpha: float, finest: float
) -> CompareQuestion | None:
    """One test by a column's metric; None where that is not tested."""
    board, data, metric = source.board, source.data, source.column.metric
    base, _, group = metric.partition("/")
    direct = board.opponent == two[1]
    if board.ungrouped not in _KINDS:
        return None
    kind = BoardKind(_KINDS[board.ungrouped], board.opponent)
    if metric == LENGTH_CONTROLLED and not direct:
        pair, compared = pair_at_equal_length(data, kind, board.judge, two, alpha=alpha)
    elif base == board.ungrouped and not (group and direct):
        pair = data.pair(kind, board.judge, two, group or None, source.asked.by)
        compared = compare(pair, alpha=alpha, finest=finest)
    else:
        return None
    return CompareQuestion(
        data=data, two=two, pair=pair, compared=compared, opponent=board.opponent,
        group=group or None, alpha=alpha, replays=False, of_gates=False,
    )  # fmt: skip


def _tested(
    paper: Paper, sources: Sequence[_Source], rows: Sequence[_Row], columns: list[list[PaperCell]]
) -> tuple[int, list[str]]:
    """Set tests into the cells: how many are allowed for, and what could not be tested."""
    if paper.tests is None:
        return 0, []
    alpha, of = (1.0 - paper.level) / 2.0, 0
    most = len(sources) * len(rows) * (len(rows) if paper.tests.against == BEST else 1)
    finest = alpha / max(_FEWEST, most)
    asked: dict[tuple[int, int], CompareQuestion] = {}
    notes: list[str] = []
    for c, source in enumerate(sources):
        against = _reference(paper, source, columns[c], rows)
        ours = [r for r, row in enumerate(rows) if columns[c][r].there and not row.published]
        questions = {}
        for r in ours if against is not None else ():
            shown = newest_model(source.data.board, rows[r].names[0])
            if shown is not None and shown != against:
                two = (shown, str(against))
                questions[c, r] = _question(source, two, alpha=alpha, finest=finest)
        found = {place: one for place, one in questions.items() if one is not None}
        if ours and not found:
            lacks = (
                f"{paper.tests.against} has no number there"
                if against is None
                else "that metric is not"
            )
            notes.append(f"{source.column.heading}: not tested, since {lacks}")
        asked |= found
        of += len(ours) * (len(ours) - 1) // 2 if found else 0
    if paper.tests.against != BEST:
        of = len(asked)
    decided = decide([*asked.values()], alpha=2.0 * alpha, correction=paper.tests.correction, of=of)
    for (c, r), test in zip(asked, decided, strict=True):
        columns[c][r] = cell = replace(columns[c][r], test=replace(test, flips=()))
        place, units = f"{sources[c].column.heading}, {rows[r].title}", test.difference.units
        if math.isnan(test.p_value) and test.stop is None:
            notes.append(f"{place}: not tested, {test.because}")
        elif units < cell.figure.units:
            notes.append(
                f"{place}: tested on {units:,} of its {cell.figure.units:,} items, those that "
                f"{test.baseline} has too"
            )
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
    how = _how_tested(paper, tests)
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
            f"bold: the best of its column; in brackets: intervals at {paper.level:.0%}",
            *([how] if how else []),
            *_numbers_of(sources, columns, rows),
            *untested,
        ),
        methods=_methods(sources, rows, columns, paper, how),
    )


def _how_tested(paper: Paper, tests: int) -> str | None:
    if paper.tests is None:
        return None
    name = paper.tests.against
    title = next((one.title for one in paper.models if one.name == name), None) or name
    over = f"{counted(tests, 'test')} of the table"
    if name == BEST:
        title = "the best of its column"
        over = f"{counted(tests, 'pair')} of models, since the best is chosen by the same numbers"
    return (
        f"* better and † worse than {title}: two-sided paired tests over the items of both, p "
        f"adjusted over {over} ({CORRECTIONS[paper.tests.correction]}), at most "
        f"{1.0 - paper.level:.2g}"
    )


def _numbers_of(
    sources: Sequence[_Source], columns: Sequence[Sequence[PaperCell]], rows: Sequence[_Row]
) -> list[str]:
    """Of how many verdicts and items columns are, and what is missing of whom."""
    said: dict[str, list[str]] = {}
    for source, cells in zip(sources, columns, strict=True):
        ours = [
            (r.title, cell.figure) for r, cell in zip(rows, cells, strict=True) if not r.published
        ]
        ns = sorted({one.n for _, one in ours if one.n})
        missing = ", ".join(f"{title} {one.missing:,}" for title, one in ours if one.missing)
        numbers = (
            f"n {' to '.join(f'{n:,}' for n in dict.fromkeys([*ns[:1], *ns[-1:]]))} verdicts on "
            f"{counted(source.column.items, 'item')}; missing: {missing or 'none'}"
        )
        said.setdefault(numbers, []).append(source.column.heading)
    return [f"{', '.join(headings)}: {numbers}" for numbers, headings in said.items()]


def _methods(
    sources: Sequence[_Source],
    rows: Sequence[_Row],
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
        metrics = " and ".join(dict.fromkeys(one.column.metric.replace("_", " ") for one in its))
        served = f", served by {', '.join(column.served_models)}" if column.served_models else ""
        against = f", against the answers of {column.opponent}" if column.opponent else ""
        said.append(
            f"{title} ({data.which}, {counted(column.items, data.which.unit)}): {metrics}, judged "
            f"by {column.judge} ({'; '.join(column.judged)}){served}{against}."
        )
        members = _members(board, data)
        runs |= {one.run_id for one in data.board.judged_at if one.judge_id in members}
    metrics_of = {entry(one.column.metric).name: entry(one.column.metric) for one in sources}
    ends = "; ".join(f"{one.title}: {one.estimated}" for one in metrics_of.values())
    drawn = Intervals(level=paper.level)
    said.append(
        f"Intervals are at {paper.level:.0%} ({ends}), bootstraps with {drawn.n_replicates:,} "
        f"replicates from seed {drawn.seed}."
    )
    said += [f"Marks: {how}."] if how else []
    origins = {
        beside.reference.source
        for one, its in zip(sources, columns, strict=True)
        for beside in _boards_beside(one)
        if any(row.published and cell.there for row, cell in zip(rows, its, strict=True))
    }
    said += [f"Published figures: {'; '.join(sorted(origins))}."] if origins else []
    behind = [run for run in sources[0].data.board.store.runs() if run.id in runs]
    seeds = sorted({str(seed) for run in behind for seed in run.seeds.values()})
    said += [f"Runs from seed {', '.join(seeds)}."] if seeds else []
    versions = {__version__, *(str(run.versions.get("judgebench", "")) for run in behind)} - {""}
    return " ".join([*said, f"Software: judgebench {', '.join(sorted(versions))}."])
