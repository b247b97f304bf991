"""A leaderboard as a report: boards as JSON, as rows for programs, and as tables to look at.

Boards of several benchmarks side by side, and what a gain on one costs on another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import permutations, product
from typing import TYPE_CHECKING, Any, ClassVar

from judgebench.columns import grouped
from judgebench.errors import UsageError
from judgebench.metrics.failed_rows import ONE_ORDER as ONE_ORDER
from judgebench.metrics.failed_rows import why_missing
from judgebench.metrics.measures import AVG_LENGTH, STANDARD_ERROR
from judgebench.metrics.registry import digits, heading, package_entries, sign_of
from judgebench.metrics.registry import metric as entry
from judgebench.metrics.scores import DIMENSION, GUESSED, SCORE
from judgebench.metrics.style_controlled import STYLE_CONTROLLED
from judgebench.metrics.win_rate import (
    AS_PUBLISHED,
    EACH_GAME,
    LENGTH_CONTROLLED,
    PUBLISHED_ERROR,
    WEIGHTED,
    WIN_RATE,
)
from judgebench.plain_text import few
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.answer_flags import SUSPICIOUS
from judgebench.reports.board import (
    OURS,
    THEIRS,
    Board,
    N,
    PublishedBeside,
    ReferenceBoard,
    References,
    Row,
    rank_note,
)
from judgebench.reports.document import (
    Cells,
    Chart,
    Column,
    Document,
    Each,
    Part,
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_field,
    table,
)
from judgebench.store.catalog import distinct_names

if TYPE_CHECKING:
    from judgebench.reports.published import PublishedAgreement
    from judgebench.reports.samples import Components, Curve


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


_NOT_PRINTED = (STANDARD_ERROR, AVG_LENGTH, PUBLISHED_ERROR)
"""Metrics that JSON and CSV have; the table has an interval and a length of its own."""

EXCLUDED = "Suspicious, excluded from the ranking"

NOBODY = "nobody here is ranked: suspicious models stand below"

EXPLAINED = {
    "worst case": "the number with all that is missing at its worst, and at its best",
    "missing because": "how many verdicts should be there and are not, by reason",
    ONE_ORDER: "if one order is unreadable, the other is used",
}
_NOT_THERE = "; the weighted win rate leaves these items out"
"""What tables explain, once: columns, and a reason among those why verdicts are missing."""

_MODE = "community"
"""What AlpacaEval calls a model that others than its authors evaluated."""

_PUBLISHED = {
    LENGTH_CONTROLLED: "published LC %",
    WIN_RATE: "published win rate %",
    SCORE: "published",
    WEIGHTED: "published weighted %",
    f"{STYLE_CONTROLLED}/v0.1": "published style-controlled %",
    f"{STYLE_CONTROLLED}/v2.0": "published style-controlled % (v2.0)",
}
"""Figures of a published board beside ours, and how short they are called."""


_LINE: tuple[Part, ...] = (
    *((name, f"board.{name}") for name in ("benchmark", "version", "judge", "opponent")),
    *((name, f"row.{name}") for name in ("rank", "rank_low", "rank_high", "model", "model_id")),
    Each("row.metrics"),
    Spread("row.counts"),
    ("flags", "row.flags"),
    ("suspicious", "row.suspicious"),
)


_CURVES = Rows(
    of="best_of",
    row=(
        *("benchmark", "version", "judge", "opponent", "model", "model_id", "scorer"),
        Each("figures"),
    ),
)
_SPREAD = Rows(
    of="spread",
    row=(
        *("benchmark", "version", ("judge", "judges"), "model", "model_id"),
        Each("figures"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard(Report):
    """Boards, of one benchmark or several.

    ``notes`` say what was found besides: a benchmark without boards, and what stands in their
    place; ``costs`` who is ahead on one and worse on a benchmark beside it.
    """

    ROWS: ClassVar[Sequence[Rows]] = (Rows(of="lines", row=_LINE), _CURVES, _SPREAD)
    CHART: ClassVar[Chart | None] = Chart(along="model", by="metric")

    boards: tuple[Board, ...]
    by: tuple[str, ...] = json_field(hidden=True, default=())
    notes: tuple[str, ...] = json_field(hidden=True, default=())
    best_of: tuple[Curve, ...] = json_field(omit_empty=True, default=())
    spread: tuple[Components, ...] = json_field(omit_empty=True, default=())
    costs: tuple[str, ...] = json_field(omit_empty=True, default=())
    beside: tuple[str, ...] = json_field(hidden=True, default=())

    @classmethod
    def of(
        cls,
        boards: Sequence[Board],
        *,
        published: References | None = None,
        by: Collection[str] = (),
        beside: Collection[str] = (),
    ) -> Leaderboard:
        """The boards, with the metrics that are asked for and those of the groups ``by``.

        ``published`` adds what is published of the benchmark; ``beside`` are the benchmarks on
        which a gain on the others may cost something.
        """
        asked = [_asked(board, by) if board.columns else board for board in boards]
        paid = tuple(costs(asked, beside)) if beside else ()
        if published is None:
            return cls(boards=tuple(asked), by=tuple(by), costs=paid, beside=tuple(beside))
        from judgebench.reports.published import related

        found = related(asked)
        return PublishedLeaderboard(
            boards=tuple(
                _Beside(
                    **{one.name: getattr(board, one.name) for one in fields(Board)},
                    related=tuple(one for one in found if one.board is board),
                )
                for board in asked
            ),
            by=tuple(by),
            references=published.boards,
            published_notes=published.notes,
            found=tuple(found),
            costs=paid,
            beside=tuple(beside),
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The rows of boards, as rows for programs are made of them."""
        return [
            {"board": board, "row": row, "figures": OURS}
            for board in self.boards
            for row in board.rows
        ]

    def tables(self) -> list[Table]:
        """The boards, each with a table for each way of grouping items that was asked for."""
        tables = []
        if len({(board.benchmark, board.version) for board in self.boards}) > 1:
            tables.append(overview(self.boards, self.costs, by_name=bool(self.beside)))
        explained: set[str] = set()
        for board in self.boards:
            tables += _tables(board, explained)
            for name in self.by:
                tables += _group_tables(board, name) if name in board.groups else []
        if any("labels" in row.counts for board in self.boards for row in board.rows):
            from judgebench.reports.corrected import labels_table

            tables += labels_table(self.boards)
        if self.best_of or self.spread:
            from judgebench.reports.samples import sample_tables

            tables += sample_tables(self.best_of, self.spread)
        return tables


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside(Board):
    """A board and each published one beside it."""

    related: tuple[PublishedAgreement, ...] = json_field(name="beside_published", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLeaderboard(Leaderboard):
    """Boards, and what is published of their benchmark."""

    ROWS: ClassVar[Sequence[Rows]] = (
        Rows(of="lines", row=(*_LINE, "figures")),
        _CURVES,
        _SPREAD,
        Rows(
            of="figures",
            row=(
                *((n, f"reference.{n}") for n in ("benchmark", "version", "judge", "opponent")),
                *("rank", "model", "metric", "value", "n", "figures"),
            ),
        ),
    )

    references: tuple[ReferenceBoard, ...] = json_field(name="published_boards")
    published_notes: tuple[str, ...]
    found: tuple[PublishedAgreement, ...] = json_field(hidden=True)

    @property
    def figures(self) -> list[dict[str, Any]]:
        """What is published, number by number; those of groups are of fewer items."""
        return [
            {
                "reference": reference,
                "rank": row.rank,
                "model": row.model,
                "metric": name,
                "value": value,
                "n": n if name in reference.columns and "/" not in name else None,
                "figures": THEIRS,
            }
            for reference in self.references
            for row in reference.rows
            for n in [int(row.figures[N]) if N in row.figures else reference.items]
            for name, value in row.figures.items()
            if name != N
        ]

    def tables(self) -> list[Table]:
        """The same, and all that is published, with the models of these boards in it or beside."""
        shown = {name: getattr(self, name) for name in ("boards", "by", "best_of", "spread")}
        own = Leaderboard(**shown).tables()
        published = References(boards=self.references, notes=self.published_notes)
        from judgebench.reports.published import published_tables

        return own + published_tables(self.found, published, self.by)


def _asked(board: Board, by: Collection[str]) -> Board:
    """The board whose rows have the columns that are asked for, and those of groups."""
    groups = [board.of_group(group) for name in by for group in board.groups.get(name, ())]
    columns = (*board.columns, *(name for names in groups for name in names))
    return replace(board, rows=tuple(replace(row, columns=columns) for row in board.rows))


def as_alpaca_eval(boards: Sequence[Board], *, sort: bool = True) -> Document:
    """A board of comparisons whose records are the lines of AlpacaEval's ``leaderboard.csv``.

    Columns and their order are upstream's, and so are the numbers, to all their digits. The models
    that are excluded from the ranking come last.

    Parameters
    ----------
    sort
        As upstream: by the length-controlled win rate where there is one, the greatest first; else
        the order of the board is kept.

    Raises
    ------
    UsageError
        Unless there is one board of comparisons.
    """
    compared = [board for board in boards if board.opponent is not None and board.rows]
    if not compared:
        judges = ", ".join(dict.fromkeys(board.judge for board in boards)) or "nobody"
        raise UsageError(
            f"the form alpaca-eval is of comparisons with a baseline, and {judges} compared no "
            "answers here; --format csv has every kind of board"
        )
    if len(compared) > 1:
        raise UsageError(
            "the form alpaca-eval is of one benchmark, judge and baseline, and here are several; "
            f"name one with --judge: {'; '.join(map(str, compared))}"
        )
    rows = [(row.excluded, _alpaca_eval_line(row)) for row in compared[0].rows]
    if sort:
        controlled = any(line["length_controlled_winrate"] is not None for _, line in rows)
        by = "length_controlled_winrate" if controlled else "win_rate"
        rows.sort(key=lambda one: (one[0], one[1][by] is None, -(one[1][by] or 0.0)))
    lines = [line for _, line in rows]
    board = Leaderboard.of(boards)
    return Document(tables=board.tables(), records=lines, data=board.to_dict, exchanged=True)


def _alpaca_eval_line(row: Row) -> dict[str, Any]:
    """A model as upstream writes it; a length-controlled rate by upstream's fit if it is there."""

    def value(*names: str) -> float | None:
        found = next((row.metrics[name] for name in names if name in row.metrics), None)
        return None if found is None else estimates.finite(found.value)

    counts = row.counts
    return {
        "": row.model,
        "win_rate": value(WIN_RATE),
        "standard_error": value(STANDARD_ERROR),
        "n_wins": counts["n_wins"],
        "n_wins_base": counts["n_losses"],
        "n_draws": counts["n_ties"],
        "n_total": counts["n_wins"] + counts["n_losses"] + counts["n_ties"],
        "discrete_win_rate": value("discrete_win_rate"),
        "mode": _MODE,
        "avg_length": counts.get(AVG_LENGTH),
        "length_controlled_winrate": value(AS_PUBLISHED, LENGTH_CONTROLLED),
        "lc_standard_error": value(PUBLISHED_ERROR),
    }


# tables -----------------------------------------------------------------------------------------


def _tables(board: Board, explained: set[str]) -> list[Table]:
    """The models that are ranked, or have nothing to be ranked by; then who is excluded.

    ``explained`` has the columns that a table before explains, to which these are added.
    """
    columns = [one for one in _columns(board) if not one[2] or any(map(one[1], board.rows))]
    columns = [(head, says, False) for head, says, _ in columns]
    served = f"served by {few(board.served_models)}" if board.served_models else ""
    said = (board.judge_is, served, f"{board.items} items" if board.rows else "")
    excluded = [row for row in board.rows if row.excluded]
    rows = [row for row in board.rows if not row.excluded]
    here = {head.title for head, _, _ in columns}
    here |= {ONE_ORDER} if any(row.counts.get("half") for row in board.rows) else set()
    lacking = [name for name in EXPLAINED if name in here - explained]
    explained.update(lacking)
    names = {name for row in board.rows for name in row.metrics}
    # Why length-controlled win rates, and metrics of packages, have no value; each reason once.
    undefined: list[str] = []
    packages = package_entries() if any(DIMENSION in name for name in names) else ()
    for name in (LENGTH_CONTROLLED, AS_PUBLISHED, *packages):
        of_rows = [(row.model, row.metrics[name]) for row in board.rows if name in row.metrics]
        models = grouped((one.undefined, model) for model, one in of_rows if one.undefined)
        for reason, of in models.items() if name != board.metric else ():
            if not any(reason in note for note in board.notes):
                who = "" if len(of) == len(board.rows) else f" of {few(of)}"
                undefined.append(f"{estimates.UNDEFINED} {entry(name).title}{who}: {reason}")
    ranked = table(
        str(board),
        rows,
        columns,
        subtitle="; ".join(part for part in said if part),
        notes=[
            *([] if rows or not excluded else [NOBODY]),
            *(f"warning: {warning}" for warning in board.warnings),
            *(
                f"{estimates.UNDEFINED} {row.model}: {row.leading.undefined}"
                for row in board.rows
                if row.leading.undefined
                and not any(row.leading.undefined in note for note in board.notes)
            ),
            *undefined,
            *rank_note(board.rows, board.level),
            *board.notes,
            *(f"{name}: {_explained(name, board)}" for name in lacking),
        ],
    )
    if not excluded:
        return [ranked]
    return [
        ranked,
        table(
            EXCLUDED,
            excluded,
            columns,
            subtitle=f"{board}; their answers may be meant for the judge; "
            "--rank-suspicious ranks them among the others",
            notes=[f"{row.model}: {row.suspicious}" for row in excluded],
        ),
    ]


def _explained(name: str, board: Board) -> str:
    """What a column is, or a reason, on this board."""
    leaves_out = any(f"{WEIGHTED}/{EACH_GAME}" in row.metrics for row in board.rows)
    return EXPLAINED[name] + (_NOT_THERE if name == ONE_ORDER and leaves_out else "")


def _group_tables(board: Board, by: str) -> Iterator[Table]:
    """A row for each model, a column for each group; of several figures a table for each."""
    groups = board.groups[by]
    for base in board.of_group(""):
        columns: list[Cells[Row]] = [column("model", lambda row: row.marked_name, wraps=True)]
        columns += [column(one, _metric(board, base + one), align="right") for one in groups]
        words = heading(base.rstrip("/"), board.metric, board.scale)
        yield table(
            f"{board}, by {by}",
            board.rows if groups else (),
            columns,
            subtitle=f"{words} with {board.level:.0%} intervals",
            notes=[] if groups else [f"no item here says its {by}"],
        )


def _metric(board: Board, name: str) -> Callable[[Row], str]:
    """What a cell says of a metric; nothing where the row does not have it."""
    places = digits(name, board.metric)
    return lambda row: (
        estimates.text(row.metrics[name], digits=places) if name in row.metrics else ""
    )


def _columns(board: Board) -> list[Cells[Row]]:
    names = list(dict.fromkeys(name for row in board.rows for name in row.metrics))
    right: Any = {"align": "right"}

    def beside(name: str) -> list[Cells[Row]]:
        """The column of a metric beside the leading one, where any model has it."""
        its = (row.metrics[name] for row in board.rows if name in row.metrics)
        if all(one.undefined is not None for one in its):
            return []
        if name == GUESSED and not any(row.leading.missing for row in board.rows):
            return []  # there was nothing to guess
        title = heading(name, board.metric, board.scale)
        return [column(title, _metric(board, name), spare=True, optional=True, **right)]

    more: dict[str, Any] = {"spare": True, "optional": True}
    rates = [name for name in (LENGTH_CONTROLLED, WIN_RATE) if name in names[1:]]
    of_groups = {
        name for groups in board.groups.values() for one in groups for name in board.of_group(one)
    }
    others = [name for name in names[1:] if name not in {*_NOT_PRINTED, *of_groups, *rates}]
    # what is refused in full stands before what is in part, of every group
    chosen = board.columns or sorted(board.figures, key=lambda one: one.partition("/")[0])
    if chosen:
        rates, others = [], [name for name in others if not {name, *board.columns} & {*chosen}]
    leading = [
        column(
            f"{heading(name, board.metric, board.scale)} [{board.level:.0%}]",
            _metric(board, name),
            spare=i > 0,
            **right,
        )
        for i, name in enumerate(chosen or names[:1])
        if name in names
    ]
    return [
        column("rank", _rank, **right),
        column("model", lambda row: row.model, wraps=True),
        *leading,
        *(one for name in rates for one in beside(name)),
        column("n", lambda row: str(row.judged.n), **right),
        column("missing", lambda row: str(row.judged.missing), **right),
        column("flags", lambda row: ", ".join(row.flags), wraps=True, **more),
        column("won / lost / tied", _outcomes, **right, **more),
        *(one for name in others for one in beside(name)),
        column("labels", lambda row: str(row.counts.get("labels", "")), **right, **more),
        *([] if board.published is None else _published(board.published)),
        column(
            "mean length",
            lambda row: str(row.counts.get(AVG_LENGTH, "")) if AVG_LENGTH in row.metrics else "",
            **right,
            **more,
        ),
        column("worst case", lambda row: _worst(row.leading, digits(names[0])), **right, **more),
        column("missing because", lambda row: why_missing(row.counts), wraps=True, **more),
    ]


def _published(same: PublishedBeside) -> Iterator[Cells[Row]]:
    """The columns of figures of the published board beside ours."""
    from judgebench.reports.published import published_text

    def says(name: str) -> Callable[[Row], str]:
        return lambda row: published_text(same.reference, name, row.published.get(name))

    for name, short in _PUBLISHED.items():
        yield column(short, says(name), align="right", spare=True, optional=True)


def _rank(row: Row) -> str:
    if row.rank is None:
        return estimates.UNDEFINED
    if row.rank_low is None or row.rank_low == row.rank_high:
        return str(row.rank)
    return f"{row.rank} ({row.rank_low}–{row.rank_high})"


def _outcomes(row: Row) -> str:
    kinds = ("n_wins", "n_losses", "n_ties")
    return " / ".join(str(row.counts[kind]) for kind in kinds) if kinds[0] in row.counts else ""


def _worst(estimate: Estimate, digits: int) -> str:
    if not estimate.missing or estimate.worst_low is None or estimate.worst_high is None:
        return ""
    if math.isnan(estimate.worst_low):  # of a whole whose parts are not all asked
        return ""
    return f"{estimate.worst_low:.{digits}f} to {estimate.worst_high:.{digits}f}"
