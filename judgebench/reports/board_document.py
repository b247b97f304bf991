"""Boards as JSON of the contract, as tidy records, and as tables to look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from judgebench.errors import UsageError
from judgebench.metrics.answer_lengths import AVG_LENGTH
from judgebench.metrics.length_controlled import AS_PUBLISHED, LENGTH_CONTROLLED, PUBLISHED_ERROR
from judgebench.metrics.missing import FAILURES, SPLIT
from judgebench.metrics.registry import digits, heading
from judgebench.metrics.registry import metric as entry
from judgebench.metrics.scores import GUESSED, SCORE
from judgebench.metrics.standard_error import STANDARD_ERROR
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board import Board, Row, rank_note
from judgebench.reports.board_overview import overview
from judgebench.reports.board_warnings import few
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.published_beside import published_text
from judgebench.reports.published_correlations import related
from judgebench.reports.published_document import beside_json, reference_records, references_json
from judgebench.reports.published_table import OURS, published_tables
from judgebench.reports.reference_board import References

_NOT_PRINTED = (STANDARD_ERROR, AVG_LENGTH, PUBLISHED_ERROR)
"""Metrics that JSON and CSV have; the table has an interval and a length of its own."""

EXCLUDED = "Suspicious, excluded from the ranking"

ONE_ORDER = "items read in one order only"

NOBODY = "nobody here is ranked: suspicious models stand below"

EXPLAINED = {
    "worst case": "the number with all that is missing at its worst, and at its best",
    "missing because": "how many verdicts should be there and are not, by reason",
    ONE_ORDER: "if one order is unreadable, the other is used",
}
"""What tables explain, once: columns, and a reason among those why verdicts are missing."""

_MODE = "community"
"""What AlpacaEval calls a model that others than its authors evaluated."""

_PUBLISHED = {
    LENGTH_CONTROLLED: "published LC %",
    WIN_RATE: "published win rate %",
    SCORE: "published",
}
"""Figures of a published board beside ours, and how short they are called."""


def to_json(boards: Sequence[Board], by: Collection[str] = ()) -> dict[str, Any]:
    """The boards as the contract has them, with the metrics that are asked for and those ``by``."""
    return {"boards": [_board_json(board, _groups_by(board, by)) for board in boards]}


def _board_json(board: Board, also: Collection[str]) -> dict[str, Any]:
    return {
        "benchmark": board.benchmark,
        "version": board.version,
        "metric": board.metric,
        "scale": None if board.scale is None else list(board.scale),
        "judge": board.judge,
        "judge_id": board.judge_id,
        "judge_is": board.judge_is,
        "opponent": board.opponent,
        "opponent_id": board.opponent_id,
        "served_models": list(board.served_models),
        "official_prompt": board.official_prompt,
        "rows": [
            {
                "model": row.model,
                "model_id": row.model_id,
                "version": board.version,
                "rank": row.rank,
                "rank_low": row.rank_low,
                "rank_high": row.rank_high,
                "metrics": {n: estimates.to_json(e) for n, e in board.wanted(row, also).items()},
                "counts": dict(row.counts),
                "flags": list(row.flags),
                **({"suspicious": row.suspicious} if row.suspicious else {}),
                **({"published": dict(row.published)} if row.published else {}),
            }
            for row in board.rows
        ],
        "warnings": list(board.warnings),
        "notes": list(board.notes),
    }


def document(
    boards: Sequence[Board], *, published: References | None = None, by: Collection[str] = ()
) -> Document:
    """The boards for printing.

    ``published`` adds what is published of the benchmark, with the models of the boards in it or
    beside it; ``by`` a table for each of these ways of grouping items.
    """
    data = to_json(boards, by)
    tables = []
    if len({(board.benchmark, board.version) for board in boards}) > 1:
        tables.append(overview(boards))
    explained: set[str] = set()
    for board in boards:
        tables += _tables(board, explained)
        tables += [_group_table(board, name) for name in by if name in board.groups]
    records = [record for board in boards for record in _records(board, _groups_by(board, by))]
    if published is not None:
        found = related(boards)
        tables += published_tables(found, published, by)
        for board, as_json in zip(boards, data["boards"], strict=True):
            as_json["beside_published"] = beside_json(one for one in found if one.board is board)
        data |= references_json(published)
        records = [
            *({**record, "figures": OURS} for record in records),
            *(record for reference in published.boards for record in reference_records(reference)),
        ]
    return Document(tables=tables, records=records, data=data)


def _records(board: Board, also: Collection[str]) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": board.benchmark,
            "version": board.version,
            "judge": board.judge,
            "opponent": board.opponent,
            "rank": row.rank,
            "rank_low": row.rank_low,
            "rank_high": row.rank_high,
            "model": row.model,
            "model_id": row.model_id,
            "metric": name,
            **estimates.record(estimate),
            **row.counts,
            "flags": "; ".join(row.flags),
            "suspicious": row.suspicious,
        }
        for row in board.rows
        for name, estimate in board.wanted(row, also).items()
    ]


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
            f"name one with --judge: {'; '.join(map(title, compared))}"
        )
    rows = [(row.excluded, _alpaca_eval_line(row)) for row in compared[0].rows]
    if sort:
        controlled = any(line["length_controlled_winrate"] is not None for _, line in rows)
        by = "length_controlled_winrate" if controlled else "win_rate"
        rows.sort(key=lambda one: (one[0], one[1][by] is None, -(one[1][by] or 0.0)))
    whole = document(boards)
    lines = [line for _, line in rows]
    return Document(tables=whole.tables, records=lines, data=whole.data, exchanged=True)


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


class _Shown(NamedTuple):
    """A column of a board, and what it says of a row."""

    column: Column
    says: Callable[[Row], str]


def title(board: Board) -> str:
    """Which data, in whose eyes, compared with whom."""
    against = f", against {board.opponent}" if board.opponent is not None else ""
    return f"{board.benchmark}@{board.version}, judged by {board.judge}{against}"


def _words(name: str, board: Board) -> str:
    return heading(name, board.metric, board.scale)


def _tables(board: Board, explained: set[str]) -> list[Table]:
    """The models that are ranked, or have nothing to be ranked by; then who is excluded.

    ``explained`` has the columns that a table before explains, to which these are added.
    """
    shown = _columns(board)
    columns = [one.column for one in shown]
    items = board.rows[0].counts["items"] if board.rows else 0
    served = f"served by {few(board.served_models)}" if board.served_models else ""
    said = (board.judge_is, served, f"{items} items" if board.rows else "")
    excluded = [row for row in board.rows if row.excluded]
    rows = [row for row in board.rows if not row.excluded]
    here = {one.title for one in columns}
    here |= {ONE_ORDER} if any(row.counts.get("half") for row in board.rows) else set()
    lacking = [name for name in EXPLAINED if name in here - explained]
    explained.update(lacking)
    ranked = Table(
        title=title(board),
        subtitle="; ".join(part for part in said if part),
        columns=columns,
        rows=[[one.says(row) for one in shown] for row in rows],
        notes=[
            *([] if rows or not excluded else [NOBODY]),
            *(f"warning: {warning}" for warning in board.warnings),
            *(
                f"{estimates.UNDEFINED} {row.model}: {row.leading.undefined}"
                for row in board.rows
                if row.leading.undefined
                and not any(row.leading.undefined in note for note in board.notes)
            ),
            *_undefined_beside(board),
            *rank_note(board.rows, _level(board)),
            *board.notes,
            *(f"{name}: {EXPLAINED[name]}" for name in lacking),
        ],
    )
    if not excluded:
        return [ranked]
    return [
        ranked,
        Table(
            title=EXCLUDED,
            subtitle=f"{title(board)}; their answers may be meant for the judge; "
            "--rank-suspicious ranks them among the others",
            columns=columns,
            rows=[[one.says(row) for one in shown] for row in excluded],
            notes=[f"{row.model}: {row.suspicious}" for row in excluded],
        ),
    ]


def _undefined_beside(board: Board) -> list[str]:
    """Why length-controlled win rates beside the leading metric have no value, each reason once."""
    said: list[str] = []
    for name in (LENGTH_CONTROLLED, AS_PUBLISHED):
        models: dict[str, list[str]] = {}
        for row in board.rows:
            if name != board.metric and name in row.metrics and row.metrics[name].undefined:
                models.setdefault(row.metrics[name].undefined or "", []).append(row.model)
        for reason, of in models.items():
            if any(reason in note for note in board.notes):
                continue
            who = "" if len(of) == len(board.rows) else f" of {few(of)}"
            said.append(f"{estimates.UNDEFINED} {entry(name).title}{who}: {reason}")
    return said


def _of_groups(board: Board) -> set[str]:
    """The metrics of groups, which have tables of their own."""
    leading = _ungrouped(board)
    return {f"{leading}/{group}" for groups in board.groups.values() for group in groups}


def _groups_by(board: Board, by: Collection[str]) -> list[str]:
    """The metrics of the groups of some ways of grouping."""
    leading = _ungrouped(board)
    return [f"{leading}/{group}" for name in by for group in board.groups.get(name, ())]


def _ungrouped(board: Board) -> str:
    """What groups are measured by; a board may be ranked by something else."""
    return WIN_RATE if board.metric == LENGTH_CONTROLLED else board.metric or ""


def _group_table(board: Board, by: str) -> Table:
    """A row for each model, a column for each group."""
    leading = _ungrouped(board)
    groups = board.groups[by]

    def said(row: Row, group: str) -> str:
        estimate = row.metrics.get(f"{leading}/{group}")
        return estimates.text(estimate, digits=digits(leading)) if estimate is not None else ""

    return Table(
        title=f"{title(board)}, by {by}",
        subtitle=f"{_words(leading, board)} with {_level(board):.0%} intervals",
        columns=[
            Column(title="model", wraps=True),
            *(Column(title=group, align="right") for group in groups),
        ],
        rows=[[row.marked_name, *(said(row, group) for group in groups)] for row in board.rows]
        if groups
        else [],
        notes=[] if groups else [f"no item here says its {by}"],
    )


def _level(board: Board) -> float:
    return board.rows[0].leading.level if board.rows else 0.95


def _columns(board: Board) -> list[_Shown]:
    level = _level(board)
    names = list(board.rows[0].metrics) if board.rows else []

    def spare(title: str, says: Callable[[Row], str], **how: Any) -> list[_Shown]:
        """A column that is there where it has something to say."""
        if not any(says(row) for row in board.rows):
            return []
        return [_Shown(Column(title=title, spare=True, **how), says)]

    def worst(row: Row) -> str:
        return _worst(row.leading, digits(names[0], board.metric))

    def metric(name: str) -> Callable[[Row], str]:
        return lambda row: estimates.text(row.metrics[name], digits=digits(name, board.metric))

    def measured(name: str) -> list[_Shown]:
        """The column of a metric beside the leading one, where any model has it."""
        if all(row.metrics[name].undefined is not None for row in board.rows):
            return []
        if name == GUESSED and not any(row.leading.missing for row in board.rows):
            return []  # there was nothing to guess
        return spare(_words(name, board), metric(name), align="right")

    def published(name: str) -> Callable[[Row], str]:
        same = board.published
        if same is None:
            return lambda row: ""
        return lambda row: published_text(same.reference, name, row.published.get(name))

    def asked_for(name: str) -> list[_Shown]:
        """The column of a metric that was asked for, where the board has it."""
        if name not in names:
            return []
        head = f"{_words(name, board)} [{level:.0%}]"
        return [_Shown(Column(title=head, align="right"), metric(name))]

    leading = [
        _Shown(Column(title=f"{_words(name, board)} [{level:.0%}]", align="right"), metric(name))
        for name in names[:1]
    ]
    beside = [name for name in (LENGTH_CONTROLLED, WIN_RATE) if name in names[1:]]
    return [
        _Shown(Column(title="rank", align="right"), _rank),
        _Shown(Column(title="model", wraps=True), lambda row: row.model),
        *(column for name in board.columns for column in asked_for(name)),
        *([] if board.columns else leading),
        *([] if board.columns else (column for name in beside for column in measured(name))),
        _Shown(Column(title="n", align="right"), lambda row: str(row.judged.n)),
        _Shown(Column(title="missing", align="right"), lambda row: str(row.judged.missing)),
        *spare("flags", lambda row: ", ".join(row.flags), wraps=True),
        *spare("won / lost / tied", _outcomes, align="right"),
        *(
            column
            for name in ([] if board.columns else names[1:])
            if name not in (*_NOT_PRINTED, *_of_groups(board), *beside)
            for column in measured(name)
        ),
        *(
            column
            for name, short in _PUBLISHED.items()
            for column in spare(short, published(name), align="right")
        ),
        *spare("mean length", _mean_length, align="right"),
        *spare(
            "worst case",
            lambda row: _worst(row.leading, digits(names[0], board.metric)),
            align="right",
        ),
        *spare("missing because", missing_because, wraps=True),
    ]


def _rank(row: Row) -> str:
    if row.rank is None:
        return estimates.UNDEFINED
    if row.rank_low is None or row.rank_low == row.rank_high:
        return str(row.rank)
    return f"{row.rank} ({row.rank_low}–{row.rank_high})"


def _outcomes(row: Row) -> str:
    kinds = ("n_wins", "n_losses", "n_ties")
    return " / ".join(str(row.counts[kind]) for kind in kinds) if kinds[0] in row.counts else ""


def _mean_length(row: Row) -> str:
    """Where answers are compared, since judges favour long ones."""
    return str(row.counts.get(AVG_LENGTH, "")) if AVG_LENGTH in row.metrics else ""


def _worst(estimate: Estimate, digits: int) -> str:
    if not estimate.missing or estimate.worst_low is None or estimate.worst_high is None:
        return ""
    return f"{estimate.worst_low:.{digits}f} to {estimate.worst_high:.{digits}f}"


def missing_because(row: Row) -> str:
    """Why verdicts are missing, in numbers and words; empty where none is."""
    counts = row.counts
    apart = {name: counts[name] for name in SPLIT.values()}
    kinds = {
        name.removeprefix(FAILURES).replace("_", " "): n
        for name, n in counts.items()
        if name.startswith(FAILURES)
    }
    failed = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    said = [
        (counts["unreadable"] - sum(apart.values()), "unreadable"),
        (apart["judge_truncated"], "cut off in the judge's reply"),
        (apart["judge_refused"], "refused by the judge"),
        (counts["failed"], f"failed ({failed})" if failed else "failed"),
        (counts["not_asked"], "not asked"),
        (counts.get("half", 0), ONE_ORDER),
    ]
    return ", ".join(f"{n} {words}" for n, words in said if n)
