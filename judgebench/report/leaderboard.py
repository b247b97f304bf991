"""Leaderboards: the models of a benchmark, ranked, one board for each judge identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judgebench.errors import UsageError
from judgebench.metrics.accuracy import AccuracyRow, accuracies
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.label_board import FAILED, labelled, undeclared
from judgebench.records import Estimate
from judgebench.report import estimates
from judgebench.report.boards import (
    Columns,
    Meant,
    judges_called,
    meant,
    renamed,
    told_apart,
    undeclared_labels,
    where,
)
from judgebench.report.judge_line import judge_line
from judgebench.report.table import Column, Document, Table
from judgebench.store import Store

MOST_NAMES = 3
STATUSES = ("empty", "truncated", "no_final_answer", "refused")
UNEVEN = 0.05
"""Shares of missing verdicts that differ by more are said: they may favour a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model. ``rank_low`` and ``rank_high`` hold its rank in 95 % of the replicates.

    Ranks are None for a model without a readable verdict.
    """

    model: str
    model_id: str
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    metrics: Mapping[str, Estimate]
    counts: Mapping[str, int]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The models in the eyes of one judge. ``judge_is`` says in words what the judge is."""

    benchmark: str
    version: str
    judge: str
    judge_id: str
    judge_is: str
    served_models: tuple[str, ...]
    official_prompt: bool | None
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]


def leaderboards(
    store: Store,
    benchmark: str,
    version: str | None = None,
    *,
    judges: Collection[str] = (),
    intervals: Intervals | None = None,
) -> tuple[Board, ...]:
    """The boards of a benchmark, judges in order of name.

    Accuracy is the share of readable verdicts that are the benchmark's positive label. Intervals
    resample items, the same draws for all models and judges; the ranks in those draws give each
    rank its interval.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``; ``version`` may stand apart.
    judges
        Names (as shown, or without what tells them apart) or ids; all if empty.

    Raises
    ------
    UsageError
        For a benchmark or judge that the store does not hold.
    """
    which = meant(store, benchmark if version is None else f"{benchmark}@{version}")
    if len(which.labels) != 2:
        raise UsageError(
            f"{which} declares {len(which.labels)} labels; accuracy needs two, one of them right"
        )
    return _Boards(store, which, intervals or Intervals()).chosen(judges)


class _Boards:
    """Everything read from the store once, and the boards made of it."""

    def __init__(self, store: Store, which: Meant, intervals: Intervals) -> None:
        self.which, self.intervals = which, intervals
        verdicts = store.verdicts(which.name, which.version)
        failures = store.failures(which.name, which.version)
        answers = store.responses_table(which.name, which.version)
        answers = where(answers, answers["newest"])
        self.statuses = Counter(zip(answers["model_id"], answers["status"], strict=True))
        self.stacks = Counter(one for one, _ in set(_pairs(answers, "model_id", "stack")))
        self.models = told_apart([answers, failures, verdicts], "model")
        self.model_ids = {shown: one for one, shown in self.models.items()}
        self.plain_names = {model.name for model in store.models()}
        self.judges = told_apart([failures, verdicts], "judge")
        self.spec_of = {judge.id: judge.spec for judge in store.judges()}
        self.store = store
        self.verdicts = _rows(renamed(verdicts, self.models, self.judges))
        self.failed = _failed(self.verdicts, renamed(failures, self.models, self.judges))
        self.wanted = {name: self.verdicts[name] + self.failed[name] for name in self.failed}
        self.undeclared = undeclared(self.verdicts, which.labels)
        pairs = set(_pairs(verdicts, "judge_id", "served_model"))
        self.served = {
            judge: tuple(sorted(served for one, served in pairs if one == judge and served))
            for judge in self.judges
        }

    def chosen(self, wanted: Collection[str]) -> tuple[Board, ...]:
        rows: dict[str, list[AccuracyRow]] = {}
        found = accuracies(
            self.wanted,
            labels=(self.which.labels[0], self.which.labels[1]),
            failed=Counter(zip(self.failed["model"], self.failed["judge"], strict=True)),
            intervals=self.intervals,
        )
        for row in found:
            rows.setdefault(row.judge, []).append(row)
        ids = {name: one for one, name in self.judges.items()}
        boards = {ids[name]: self._board(ids[name], name, found) for name, found in rows.items()}
        shown = {one: board.judge for one, board in boards.items()}
        called = {
            judge for name in wanted for judge in judges_called(name, shown, self.store, self.which)
        }
        return tuple(board for board in boards.values() if not wanted or board.judge in called)

    def _board(self, one: str, name: str, rows: Sequence[AccuracyRow]) -> Board:
        spec = self.spec_of[one]
        shown = tuple(self._row(row, self.model_ids[row.model]) for row in rows)
        return Board(
            benchmark=self.which.name,
            version=self.which.version,
            judge=name,
            judge_id=one,
            judge_is=judge_line(spec),
            served_models=self.served[one],
            official_prompt=spec.official_prompt,
            rows=shown,
            warnings=tuple(self._warnings(name, spec.official_prompt, self.served[one], shown)),
        )

    def _row(self, row: AccuracyRow, model_id: str) -> Row:
        counts = {
            "items": len(set(self.wanted["item_id"])),
            "verdicts": row.accuracy.n,
            "unreadable": row.unreadable,
            "failed": row.failed,
            "not_asked": row.not_asked,
            "answers": sum(self.statuses[model_id, status] for status in ("ok", *STATUSES)),
            **{status: self.statuses[model_id, status] for status in STATUSES},
        }
        return Row(
            model=row.model,
            model_id=model_id,
            rank=row.rank,
            rank_low=row.rank_low,
            rank_high=row.rank_high,
            metrics={"accuracy": row.accuracy},
            counts=counts,
            flags=tuple(self._flags(row, counts)),
        )

    def _flags(self, row: AccuracyRow, counts: Mapping[str, int]) -> list[str]:
        flags = []
        if _missing_share(row.accuracy) > 1 - self.which.coverage_floor:
            flags.append("coverage")
        if row.model not in self.plain_names:  # told apart by digits of its key
            flags.append("two versions")
        return flags + [
            f"{status.replace('_', ' ')} answers" for status in STATUSES if counts[status]
        ]

    def _warnings(
        self, judge: str, official: bool | None, served: Sequence[str], rows: Sequence[Row]
    ) -> list[str]:
        said = []
        if official is False:
            said.append("judged with a prompt of our own wording, not the official one")
        if len(served) > 1:
            said.append(f"verdicts of several served models are mixed: {_few(served)}")
        if judge in self.undeclared:
            said.append(undeclared_labels(self.undeclared[judge], self.which))
        shares = {row.model: _missing_share(row.metrics["accuracy"]) for row in rows}
        if shares and max(shares.values()) - min(shares.values()) > UNEVEN:
            least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
            said.append(
                f"missing verdicts are uneven, from {shares[least]:.0%} ({least}) to "
                f"{shares[most]:.0%} ({most}); see the worst case"
            )
        said += [
            f"{row.model}: its answers were generated in {ways} different ways"
            for row in rows
            if (ways := self.stacks[row.model_id]) > 1
        ]
        return said


def _rows(verdicts: Columns) -> Columns:
    """The verdicts that are labels, or should have been."""
    rows = set(labelled(verdicts))
    return where(verdicts, (row in rows for row in range(len(verdicts["kind"]))))


def _failed(verdicts: Columns, failures: Columns) -> Columns:
    """A row without a verdict for each that could not be had.

    An item that nobody could judge is missing from every model, and an answer that a model could
    not give from every judge's board: neither may vanish.
    """
    about = ("judge", "item_id", "model", "sample", "turn")
    there = set(zip(*(verdicts[name] for name in about), strict=True))
    alone = where(failures, (opponent is None for opponent in failures["opponent"]))
    judges = sorted({*verdicts["judge"], *filter(None, alone["judge"])})
    places = [
        (one, *place)
        for judge, *place in zip(*(alone[name] for name in about), strict=True)
        for one in ([judge] if judge else judges)
    ]
    absent = [place for place in dict.fromkeys(places) if place not in there]
    columns: Columns = {name: [one[n] for one in absent] for n, name in enumerate(about)}
    return columns | {"kind": [FAILED] * len(absent), "label": [None] * len(absent)}


def _pairs(columns: Columns, first: str, second: str) -> Iterable[tuple[str, str | None]]:
    return zip(columns[first], columns[second], strict=True)


def _few(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _missing_share(estimate: Estimate) -> float:
    expected = estimate.n + estimate.missing
    return estimate.missing / expected if expected else 0.0


# out --------------------------------------------------------------------------------------------


def to_json(boards: Sequence[Board]) -> dict[str, Any]:
    """The boards as the contract has them."""
    return {"boards": [_board_json(board) for board in boards]}


def _board_json(board: Board) -> dict[str, Any]:
    return {
        "benchmark": board.benchmark,
        "version": board.version,
        "judge": board.judge,
        "judge_id": board.judge_id,
        "judge_is": board.judge_is,
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
                "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
                "counts": dict(row.counts),
                "flags": list(row.flags),
            }
            for row in board.rows
        ],
        "warnings": list(board.warnings),
    }


def document(boards: Sequence[Board]) -> Document:
    """The boards for printing."""
    return Document(
        tables=[_table(board) for board in boards],
        records=[record for board in boards for record in _records(board)],
        data=to_json(boards),
    )


def _records(board: Board) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": board.benchmark,
            "version": board.version,
            "judge": board.judge,
            "rank": row.rank,
            "rank_low": row.rank_low,
            "rank_high": row.rank_high,
            "model": row.model,
            "model_id": row.model_id,
            "metric": name,
            **estimates.record(estimate),
            **row.counts,
            "flags": "; ".join(row.flags),
        }
        for row in board.rows
        for name, estimate in row.metrics.items()
    ]


def _table(board: Board) -> Table:
    some = board.rows[0].metrics["accuracy"].level if board.rows else 0.95
    columns = [
        Column(title="rank", align="right"),
        Column(title="model", wraps=True),
        Column(title=f"accuracy [{some:.0%}]", align="right"),
        Column(title="n", align="right"),
        Column(title="missing", align="right"),
    ]
    cells = [
        [
            _rank(row),
            row.model,
            estimates.text(row.metrics["accuracy"]),
            str(row.metrics["accuracy"].n),
            str(row.metrics["accuracy"].missing),
        ]
        for row in board.rows
    ]
    if any(row.flags for row in board.rows):
        columns.append(Column(title="flags", wraps=True, spare=True))
        for line, row in zip(cells, board.rows, strict=True):
            line.append(", ".join(row.flags))
    if any(row.metrics["accuracy"].missing for row in board.rows):
        columns.append(Column(title="worst case", align="right", spare=True))
        columns.append(Column(title="missing because", wraps=True, spare=True))
        for line, row in zip(cells, board.rows, strict=True):
            line += [_worst(row.metrics["accuracy"]), _because(row)]
    items = board.rows[0].counts["items"] if board.rows else 0
    served = f"served by {_few(board.served_models)}" if board.served_models else ""
    return Table(
        title=f"{board.benchmark}@{board.version}, judged by {board.judge}",
        subtitle="; ".join(part for part in (board.judge_is, served, f"{items} items") if part),
        columns=columns,
        rows=cells,
        notes=[
            *(f"warning: {warning}" for warning in board.warnings),
            *(
                f"{estimates.UNDEFINED} {row.model}: {row.metrics['accuracy'].undefined}"
                for row in board.rows
                if row.metrics["accuracy"].undefined
            ),
        ],
    )


def _rank(row: Row) -> str:
    if row.rank is None:
        return estimates.UNDEFINED
    if row.rank_low is None or row.rank_low == row.rank_high:
        return str(row.rank)
    return f"{row.rank} ({row.rank_low}–{row.rank_high})"


def _worst(estimate: Estimate) -> str:
    if not estimate.missing or estimate.worst_low is None or estimate.worst_high is None:
        return ""
    return f"{estimate.worst_low:.3f} to {estimate.worst_high:.3f}"


def _because(row: Row) -> str:
    kinds = ("unreadable", "failed", "not_asked")
    return ", ".join(f"{row.counts[k]} {k.replace('_', ' ')}" for k in kinds if row.counts[k])
