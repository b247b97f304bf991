"""The figures of whole groups of lm-eval tasks, as lm-eval puts those of their tasks together.

A group's file says so in ``aggregate_metric_list``: a mean over tasks, weighted by their numbers of
items or not. Weighted it is the mean over all items, else a mean of means, as of categories that
count equally; intervals are those of such boards (``perf/lm_eval_group_coverage.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from operator import eq
from typing import Any

from judgebench.columns import Column, coded, counted, marked, same, together
from judgebench.errors import UsageError
from judgebench.keys import content_key
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import SCORE, scales_of, scores
from judgebench.plain_text import counted as counted_words
from judgebench.reports.board import Board, Row
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    where,
)
from judgebench.store.catalog import distinct_names
from judgebench.store.store import Store

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
