"""What somebody asks of leaderboards: which benchmarks, models, metrics, and in which order.

As one value it can be written down and asked again.

The figures of whole groups of lm-eval tasks, as lm-eval puts those of their tasks together.

A group's file says so in ``aggregate_metric_list``: a mean over tasks, weighted by their numbers of
items or not. Weighted it is the mean over all items, else a mean of means, as of categories that
count equally; intervals are those of such boards (``perf/lm_eval_group_coverage.py``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from operator import eq
from typing import Any, cast

from judgebench.columns import Column, coded, counted, marked, same, together
from judgebench.config import LM_EVAL_GROUPS, Panel
from judgebench.errors import UsageError, unknown_name
from judgebench.keys import content_key
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import SCORE, scales_of, scores
from judgebench.plain_text import counted as counted_words
from judgebench.records import RunManifest
from judgebench.reports.board import Board, LengthControl, Row
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    benchmark_ref,
    disambiguate,
    find_judges,
    panels_in,
    parse_panel,
    where,
)
from judgebench.reports.estimates import best_first
from judgebench.reports.leaderboard import leaderboards
from judgebench.store import Store
from judgebench.store.catalog import distinct_names

_READ = ("item_id", "model", "judge", "sample", "turn", "order", "repeat", "kind", "reason",
         "failure_kind", "value", "low", "high", "unit")  # fmt: skip
"""What a score is made of, of the columns of a board."""

Group = Mapping[str, Any]
"""What a run's manifest says of a group: its ``tasks`` with their versions, and ``metrics``."""


def group_boards(
    store: Store,
    name: str,
    group: Group,
    *,
    judges: Collection[str] = (),
    intervals: Intervals | None = None,
) -> tuple[Board, ...]:
    """A board of each figure of a group.

    Parameters
    ----------
    name
        The group's.
    judges
        Called as on the boards of tasks, ``lm_eval/acc``; all if empty.

    Raises
    ------
    UsageError
        Where none of the judges has judged its tasks.
    """
    board = _GroupBoards(store, name, group, intervals or Intervals())
    found = tuple(one for one in board if not judges or one.judge in judges)
    if not found and judges:
        raise UsageError(f"{name}: none of {', '.join(judges)} is a figure of this group")
    return found


def table_of_group(
    columns: Sequence[Columns],
    tasks: Sequence[str],
    *,
    weighted: bool,
    intervals: Intervals,
) -> tuple[Standing, ...]:
    """What one judge's verdicts on tasks come to together.

    Parameters
    ----------
    columns
        Of each task, under names that mean one model in all of them.
    """
    joined: dict[str, Column] = {}
    category_of: dict[str, str] = {}
    for task, one in zip(tasks, columns, strict=True):
        items = coded(one["item_id"]).mapped(partial(_within, task))
        category_of |= dict.fromkeys(counted(items), task)
        its = {name: one[name] for name in _READ if name in one} | {"item_id": items}
        if "unit" in its:  # the same question in two tasks is two: the numbers of tasks are fixed
            its["unit"] = coded(its["unit"]).mapped(partial(_within, task))
        joined = its if not joined else together(joined, its)
    balance = None if weighted else Balance(category_of=category_of, sides={"": list(tasks)})
    return scores(joined, balance=balance, intervals=intervals)


def _within(task: str, item: str | None) -> str | None:
    return None if item is None else f"{task}/{item}"


class _GroupBoards:
    """The boards that can be made of a group."""

    def __init__(self, store: Store, name: str, group: Group, intervals: Intervals) -> None:
        self.name, self.metrics, self.intervals = name, group["metrics"], intervals
        refs = (BenchmarkRef(name=task, version=at) for task, at in group["tasks"].items())
        self.data = {which.name: BoardData(store, which, ()) for which in refs}
        self.version = content_key("lm-eval group", [name, group]).hex()[:12]
        ids = {one: store_name for data in self.data.values() for one, store_name in _names(data)}
        self.called = distinct_names(ids)
        self.ids = {shown: one for one, shown in self.called.items()}

    def __iter__(self) -> Iterator[Board]:
        for figure in self.metrics:
            judged = [self._judges(data, figure["metric"]) for data in self.data.values()]
            known = dict.fromkeys(filter_ for its in judged for filter_ in its)
            for filter_ in known if figure["filters"] is None else figure["filters"]:
                if all(filter_ in its for its in judged):
                    yield self._board(figure, [its[filter_] for its in judged])

    def _judges(self, data: BoardData, metric: str) -> dict[str, str]:
        """By filter the judge, as it is shown, that is a metric of a task; the newest."""
        when: dict[str, float] = {}
        for place, at in data.judged_at.items():
            when[place.judge_id] = max(at, when.get(place.judge_id, 0.0))
        found: dict[str, str] = {}
        for judge in sorted(when, key=lambda one: when[one]):
            spec = data.spec_of[judge]
            name, _, filter_ = (spec.model or "").partition(",")
            if spec.kind == "lm_eval" and name == metric:
                found[filter_] = data.judges[judge]
        return found

    def _board(self, figure: Mapping[str, Any], judges: Sequence[str]) -> Board:
        tasks, read = [*self.data], list[Columns]()
        for data, judge in zip(self.data.values(), judges, strict=True):
            verdicts = data.verdicts[BoardKind("score")]
            its = {**where(verdicts, marked(verdicts["judge"], partial(eq, judge)))}
            shown = {name: self.called[one] for name, one in data.model_ids.items()}
            its["model"] = coded(its["model"]).mapped(shown.get)
            its["judge"] = same(judges[0], len(its["judge"]))
            read.append(its)
        on = [set(counted(its["model"])) for its in read]
        everywhere = set.intersection(*on)
        read = [where(its, marked(its["model"], everywhere.__contains__)) for its in read]
        standings = (
            table_of_group(read, tasks, weighted=figure["weighted"], intervals=self.intervals)
            if everywhere
            else ()
        )
        scales = list(dict.fromkeys(s for its in read for s in scales_of(its, _all_rows(its))))
        n_items = sum(len(counted(its["item_id"])) for its in read)
        how = "weighted by their numbers of items" if figure["weighted"] else "each counting once"
        data = next(iter(self.data.values()))
        judge_id = next(one for one, shown in data.judges.items() if shown == judges[0])
        return Board(
            benchmark=self.name,
            version=self.version,
            metric=SCORE,
            scale=scales[0] if len(scales) == 1 else None,
            judge=judges[0],
            judge_id=judge_id,
            judge_is=f"{figure['metric']}, mean over {counted_words(len(tasks), 'task')} "
            f"({', '.join(tasks)}), {how}",
            rows=tuple(self._row(one, n_items) for one in standings),
            warnings=tuple(
                f"{model} has no figure of the group: no verdict on "
                + ", ".join(t for t, there in zip(tasks, on, strict=True) if model not in there)
                for model in sorted(set.union(*on) - everywhere)
            ),
        )

    def _row(self, standing: Standing, n_items: int) -> Row:
        return Row(
            model=standing.model,
            model_id=self.ids[standing.model],
            version=self.version,
            rank=standing.rank,
            rank_low=standing.rank_low,
            rank_high=standing.rank_high,
            metrics={SCORE: standing.leading},
            counts={"items": n_items, "verdicts": standing.leading.n, **standing.counts},
            flags=(),
        )


def _names(data: BoardData) -> Iterator[tuple[str, str]]:
    """Id and name of the models of a task's boards."""
    names = {model.id: model.name for model in data.store.models()}
    return ((one, names.get(one, shown)) for one, shown in data.models.items())


def _all_rows(columns: Columns) -> range:
    return range(len(columns["item_id"]))


BY_NAME = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRequest:
    """The options of `judgebench leaderboard`, by their names there."""

    benchmarks: tuple[str, ...]
    judges: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sort: str | None = None
    panels: tuple[str, ...] = ()
    length_control: str = "exact"
    rank_by: str | None = None
    rank_suspicious: bool = False
    by: tuple[str, ...] = ()
    level: float = 0.95
    published_as: Mapping[str, str] = field(default_factory=dict)
    corrected: bool = False
    width: float | None = None
    upstream: bool = False
    style_control: str | None = None

    def found(self, store: Store) -> dict[str, tuple[Board, ...]]:
        """The boards of each benchmark with all their rows."""
        return boards_of(
            store,
            self.benchmarks,
            judges=self.judges,
            panels=[parse_panel(written) for written in self.panels],
            intervals=Intervals(level=self.level),
            length_control=cast("LengthControl", self.length_control),
            rank_by=self.rank_by,
            rank_suspicious=self.rank_suspicious,
            by=self.by,
            published_names=self.published_as,
            corrected=self.corrected,
            width=self.width,
            upstream=self.upstream,
            style_control=self.style_control,
        )

    def chosen(self, store: Store, boards: Sequence[Board]) -> list[Board]:
        """Of these boards the rows and columns that are asked for; what is not asked for stays.

        Models go by the names as they are shown, other names, or ids; columns come in the order
        that they are named in. By the metric of ``sort`` the greatest comes first, or with a minus
        before it the least; ``model`` is by name. Boards that do not have it stay in the order of
        their ranks, which are among all models, whoever is shown. A board that has none of the
        models, or of the metrics, is left out.

        Raises
        ------
        UsageError
            For a model or a metric that none of the boards has, and where none has both.
        """
        known = {name for board in boards for row in board.rows for name in row.metrics}
        by = None if self.sort is None else self.sort.removeprefix("-")
        for name in (*self.columns, *([by] if by not in (None, BY_NAME) else [])):
            if name not in known:
                raise UsageError(unknown_name("metric", str(name), known))
        shown = [
            replace(board, columns=self.columns)
            for board in (_of_models(store, boards, self.models) if self.models else boards)
            if not self.columns
            or any(name in row.metrics for row in board.rows for name in self.columns)
        ]
        if boards and not shown:
            raise UsageError(f"no board has {', '.join(self.columns)} of {', '.join(self.models)}")
        return shown if self.sort is None else [_sorted(board, self.sort) for board in shown]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> BoardRequest:
        """What `to_json` wrote, as it was.

        Raises
        ------
        ValueError
            For fields that a request does not have, and values of another type.
        """
        from pydantic import TypeAdapter

        if unknown := set(written) - {one.name for one in fields(cls)}:
            raise ValueError(f"no field of a request: {', '.join(sorted(map(str, unknown)))}")
        return TypeAdapter(cls).validate_python(dict(written))


def boards_of(
    store: Store,
    benchmarks: Sequence[str],
    *,
    judges: Collection[str] = (),
    panels: Sequence[Panel] = (),
    **how: Any,
) -> dict[str, tuple[Board, ...]]:
    """The boards of each benchmark, by its name as written.

    Parameters
    ----------
    benchmarks
        Each ``NAME`` or ``NAME@VERSION``.
    judges
        Those of several benchmarks need not have judged all of them.
    panels
        Beside those that suites declared.
    **how
        As for `leaderboards`.

    Raises
    ------
    UsageError
        As from `leaderboards`; and for a judge that has judged none of the benchmarks, a panel that
        can be combined on none.
    """
    runs, groups = store.runs(), dict[str, Group]()
    for run in sorted(runs, key=lambda one: one.started):  # each as the newest has it
        groups |= run.configuration.get(LM_EVAL_GROUPS) or {}
    if groups:  # which no benchmark is called
        held = {name for name, _ in store.benchmarks()}
        groups = {name: group for name, group in groups.items() if name not in held}
    plain = [name for name in benchmarks if name not in groups]
    here = {name: list(judges) for name in plain}
    if len(here) > 1 and judges:
        here = _judges_here(store, runs, plain, judges, {panel.name for panel in panels})
    found: dict[str, tuple[Board, ...]] = {}
    for name in dict.fromkeys(benchmarks):
        if name in groups:
            if panels or how.get("by") or how.get("corrected"):
                raise UsageError(
                    f"{name} is a group of lm-eval tasks, and has one figure of all of them: "
                    f"panels, groups of items and corrections are of one: "
                    f"{', '.join(groups[name]['tasks'])}"
                )
            found[name] = group_boards(
                store, name, groups[name], judges=judges, intervals=how.get("intervals")
            )
            continue
        known, which = here[name], benchmark_ref(store, name)
        declared = [p for p in panels_in(runs, which) if not judges or p.name in judges]
        seated = {panel.name: panel for panel in (*declared, *panels)}
        seats = list(seated.values())
        boards = leaderboards(store, which, judges=known, panels=seats, runs=runs, **how)
        if judges and not known:  # none of those who are asked for, and so nobody but panels
            boards = tuple(board for board in boards if board.judge_id is None)
        found[name] = boards
    for panel in panels:
        its = [board for boards in found.values() for board in boards if board.judge == panel.name]
        if its and not any(board.rows for board in its):
            said = "; ".join(its[0].warnings)
            raise UsageError(f"{panel.name}: {said.removeprefix(f'{panel.name}: ')}")
    return found


def no_boards(benchmarks: Sequence[str], judges: Collection[str]) -> UsageError:
    """That there is nothing to show, and what can be done."""
    who, which = ", ".join(judges) or "no judge", " or ".join(benchmarks)
    return UsageError(
        f"{who} has{' not' if judges else ''} said how good an answer to {which} is; "
        "`judgebench run SUITE.yaml` asks judges, `judgebench export verdicts` shows what there "
        f"is, and `judgebench confidence {benchmarks[0]}` how sure models are of answers"
    )


def _judges_here(
    store: Store,
    runs: Sequence[RunManifest],
    benchmarks: Sequence[str],
    judges: Collection[str],
    panels: Collection[str],
) -> dict[str, list[str]]:
    """Which of the judges that are asked for each benchmark knows."""
    here: dict[str, list[str]] = {name: [] for name in benchmarks}
    refused: dict[str, list[UsageError]] = {judge: [] for judge in judges}
    for name in here:
        which = benchmark_ref(store, name)
        tables = [read(which.name, which.version) for read in (store.failures, store.verdicts)]
        shown = disambiguate(tables, "judge")
        declared = {panel.name for panel in panels_in(runs, which)}
        for judge in judges:
            try:
                if judge not in panels and judge not in declared:
                    find_judges(judge, shown, store, which)
                here[name].append(judge)
            except UsageError as error:
                refused[judge].append(error)
    for errors in refused.values():
        if len(errors) == len(here):
            raise errors[0]
    return here


def _of_models(store: Store, boards: Sequence[Board], models: Collection[str]) -> list[Board]:
    names = {model.id: model.names for model in store.models()}
    shown = {row.model: row.model_id for board in boards for row in board.rows}
    wanted = {one for name in models for one in _called(name, shown, names)}
    return [
        replace(
            board,
            rows=rows,
            notes=board.notes
            if len(rows) == len(board.rows)
            else (*board.notes, f"{len(rows)} of {len(board.rows)} models; ranks are among all"),
        )
        for board in boards
        if (rows := tuple(row for row in board.rows if row.model_id in wanted))
    ]


def _called(name: str, shown: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids of the models that go by a name; one that is shown so goes before others."""
    if means := (
        [one for label, one in shown.items() if name in (label, one)]
        or [one for one in shown.values() if name in names.get(one, ())]
    ):
        return means
    raise UsageError(unknown_name("model", name, shown))


def _sorted(board: Board, sort: str) -> Board:
    metric, least_first = sort.removeprefix("-"), sort.startswith("-")
    if metric == BY_NAME:
        rows = sorted(board.rows, key=lambda row: row.model, reverse=least_first)
        return replace(board, rows=tuple(sorted(rows, key=lambda row: row.excluded)))

    def order(row: Row) -> tuple[bool, float]:
        """What has no value comes last, behind it whoever is excluded from the ranking; equals stay
        in the order of their ranks."""
        value = row.metrics[metric].value if metric in row.metrics else math.nan
        return row.excluded, best_first(-value if least_first else value)

    return replace(board, rows=tuple(sorted(board.rows, key=order)))
