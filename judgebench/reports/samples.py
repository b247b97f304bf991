"""What several answers of a model to each item say: best-of-n curves, and where scores vary."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import as_numbers, unit_of
from judgebench.metrics.scores import SCORE, scores
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board_data import BoardData
from judgebench.reports.board_request import BoardRequest
from judgebench.reports.boards import (
    Columns,
    benchmark_ref,
    find_judges,
    find_reference,
    where,
)
from judgebench.reports.document import Cells, Table, column, table
from judgebench.stats.best_of import expected_best, kl_bound, variance_components
from judgebench.store import Store

Said: TypeAlias = Mapping[str, Mapping[str, Mapping[int, float]]]
"""Model -> item -> sample -> what a judge says in the mean of its repeats; nan for nothing."""


class Point(NamedTuple):
    """The best of ``n``: what it is worth, and how far from one answer it can be (nats)."""

    n: int
    kl_bound: float
    best: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What a judge says of the answers of a model that a scorer picks, one among 1 to ``samples``.

    Items of which some sample has no score, or no verdict, are missing in each point.
    """

    benchmark: str
    version: str
    judge: str
    metric: str
    opponent: str | None
    model: str
    model_id: str
    scorer: str
    samples: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """How a model's scores vary: variances of item, sample, judge and what of them is not each's.

    ``left_out`` are items on which a judge lacks a sample.
    """

    benchmark: str
    version: str
    metric: str
    model: str
    model_id: str
    judges: tuple[str, ...]
    items: int
    samples: int
    left_out: int
    variances: Mapping[str, float]


def best_of_curves(
    data: BoardData, scorer: str, judges: Collection[str], level: float
) -> list[Curve]:
    """A curve for each judge and each model of which the scorer has scored several samples.

    Parameters
    ----------
    scorer
        A judge of the board of scores, as it is called.
    judges
        Those whose curves are wanted; all if empty.

    Raises
    ------
    UsageError
        For a judge that is not there or has scored nothing, and where no model has two samples.
    """
    by_name = find_reference(scorer, data.judges, data.store, data.which)
    scored = dict(_said(data, BoardKind("score"))).get(by_name, ({}, NO_ENDS))[0]
    wanted = _named(data, judges)
    several = {
        model: max(len(samples) for samples in items.values()) for model, items in scored.items()
    }
    several = {model: samples for model, samples in several.items() if samples > 1}
    if not several:
        raise UsageError(
            f"{data.which}: no model has two answers to one item that {scorer} scored: a suite "
            "asks for them with samples: N at the benchmark"
        )
    found = []
    contents = data.store.item_contents(data.which.name, data.which.version)
    units = contents if data.repeats is not None else {}
    for kind in data.verdicts:
        for judge, (said, ends) in _said(data, kind):
            if wanted and judge not in wanted:
                continue
            for model in several.keys() & said.keys():
                points = points_of(scored[model], said[model], several[model], ends, level, units)
                found.append(
                    Curve(
                        **_about(data, kind, model),
                        judge=judge,
                        opponent=kind.opponent,
                        scorer=by_name,
                        samples=several[model],
                        points=points,
                    )
                )
    return sorted(found, key=lambda one: (one.metric, one.opponent or "", one.judge, one.model))


NO_ENDS = (-math.inf, math.inf)


def _about(data: BoardData, kind: BoardKind, model: str) -> dict[str, Any]:
    metric = {"label": "accuracy", "preference": "win_rate"}.get(kind.kind, SCORE)
    return {
        "benchmark": data.which.name,
        "version": data.which.version,
        "metric": metric,
        "model": model,
        "model_id": data.model_ids[model],
    }


def _named(data: BoardData, judges: Collection[str]) -> set[str]:
    return {
        one for name in judges for one in find_judges(name, data.judges, data.store, data.which)
    }


def _said(
    data: BoardData, kind: BoardKind
) -> Iterator[tuple[str, tuple[Said, tuple[float, float]]]]:
    """What each judge of a board says, and the ends of its scale."""
    verdicts: Columns = data.verdicts.get(kind, {"judge": []})
    judges = np.asarray(list(verdicts["judge"]), dtype=object)
    for judge in sorted(set(judges.tolist())):
        its = where(verdicts, judges == judge)
        values, ends, _, _ = as_numbers(its, kind, data.which.labels)
        each: dict[str, dict[str, dict[int, list[float]]]] = {}
        names = zip(its["model"], its["item_id"], its["sample"], values.tolist(), strict=True)
        for model, item, sample, value in names:
            each.setdefault(model, {}).setdefault(item, {}).setdefault(sample, []).append(value)
        unit = unit_of(kind)
        yield (
            judge,
            (
                {
                    model: {
                        item: {sample: unit * _mean(some) for sample, some in samples.items()}
                        for item, samples in items.items()
                    }
                    for model, items in each.items()
                },
                (unit * ends[0], unit * ends[1]),
            ),
        )


def _mean(values: Sequence[float]) -> float:
    """Of what could be read; nan for nothing."""
    read = [one for one in values if not math.isnan(one)]
    return math.fsum(read) / len(read) if read else math.nan


def points_of(
    scored: Mapping[str, Mapping[int, float]],
    said: Mapping[str, Mapping[int, float]],
    samples: int,
    ends: tuple[float, float],
    level: float,
    units: Mapping[str, str | None] = MappingProxyType({}),
) -> tuple[Point, ...]:
    """For each n the mean over items with its interval, as a board of scores has it."""
    items = sorted(scored.keys() | said.keys())
    best = np.full((len(items), samples), math.nan)
    for row, item in enumerate(items):
        own, value = scored.get(item, {}), said.get(item, {})
        if len(own) == samples:
            best[row] = expected_best(
                list(own.values()), [value.get(sample, math.nan) for sample in own]
            )
    n = samples * len(items)
    columns: Columns = {
        "item_id": items * samples,
        "model": [str(number) for number in range(1, samples + 1) for _ in items],
        "judge": [""] * n,
        "sample": [0] * n,
        "kind": ["unreadable" if math.isnan(one) else "score" for one in best.T.ravel()],
        "value": best.T.ravel().tolist(),
        "low": [ends[0]] * n,
        "high": [ends[1]] * n,
    }
    if units:  # identical questions are drawn together
        columns = {**columns, "unit": [units.get(item) for item in items] * samples}
    rows = scores(columns, intervals=Intervals(level=level), ranked=())
    of = {int(row.model): row.metrics[SCORE] for row in rows}
    return tuple(Point(number, kl_bound(number), of[number]) for number in sorted(of))


def components(data: BoardData, judges: Collection[str]) -> list[Components]:
    """Of each model with several samples, by all judges whose scores are on one scale.

    Raises
    ------
    UsageError
        Where no model has two samples that they have read.
    """
    wanted, found = _named(data, judges), []
    for kind in data.verdicts:
        together: dict[tuple[float, float], dict[str, Said]] = {}
        for judge, (said, ends) in () if kind.opponent else _said(data, kind):
            if not wanted or judge in wanted:
                together.setdefault(ends, {})[judge] = said
        for by_judge in together.values():
            for model in sorted({model for said in by_judge.values() for model in said}):
                found += _components(data, kind, model, by_judge)
    if not found:
        raise UsageError(
            f"{data.which}: no model has two samples of two items that its judges have read: a "
            "suite asks for them with samples: N at the benchmark"
        )
    return found


def _components(
    data: BoardData, kind: BoardKind, model: str, by_judge: Mapping[str, Said]
) -> list[Components]:
    judges = tuple(judge for judge, said in by_judge.items() if model in said)
    each = [by_judge[judge][model] for judge in judges]
    samples = max(len(its) for said in each for its in said.values())
    items = sorted({item for said in each for item in said})
    rows = [[said.get(item, {}) for said in each] for item in items]
    whole = [
        [[its[sample] for its in row] for sample in sorted(row[0])]
        for row in rows
        if all(its.keys() == row[0].keys() and len(its) == samples for its in row)
        and not any(math.isnan(value) for its in row for value in its.values())
    ]
    if samples < 2 or len(whole) < 2:
        return []
    return [
        Components(
            **_about(data, kind, model),
            judges=judges,
            items=len(whole),
            samples=samples,
            left_out=len(items) - len(whole),
            variances=variance_components(whole),
        )
    ]


def samples_told(
    store: Store, request: BoardRequest, *, best_of: str | None, spread: bool
) -> dict[str, Any]:
    """The fields of a leaderboard that tell of several samples, where they are asked for.

    Raises
    ------
    UsageError
        As from `best_of_curves` and `components`; for a model that has no samples.
    """
    told: dict[str, list[Any]] = {}
    for name in request.benchmarks if best_of or spread else ():
        data = BoardData(store, benchmark_ref(store, name), ())
        if best_of:
            curves = best_of_curves(data, best_of, request.judges, request.level)
            told.setdefault("best_of", []).extend(curves)
        if spread:
            told.setdefault("spread", []).extend(components(data, request.judges))
    models = set(request.models)
    return {
        name: tuple(one for one in found if not models or models & {one.model, one.model_id})
        for name, found in told.items()
    }


def curve_tables(curves: Sequence[Curve]) -> list[Table]:
    """A row for each n and a column for each model, of each judge."""
    found = []
    for about in dict.fromkeys(map(_board, curves)):
        its = [curve for curve in curves if _board(curve) == about]
        most = max(its, key=lambda one: one.samples)
        against = "" if most.opponent is None else f" against {most.opponent}"
        lacking = [f"{n:,} of {one.model}" for one in its if (n := one.points[0].best.missing) > 0]
        found.append(
            table(
                f"{most.benchmark}@{most.version}, {most.metric} by {most.judge}{against} of the "
                f"best by {most.scorer}",
                [point.n for point in most.points],
                [
                    column("best of", str, align="right"),
                    column("KL at most", lambda n: f"{kl_bound(n):.3f}", align="right"),
                    *(column(one.model, _cell(one), align="right") for one in its),
                ],
                subtitle="expected over all choices of so many samples",
                notes=[
                    "items left out, since a sample has no score or no verdict: "
                    + ", ".join(lacking)
                ]
                if lacking
                else [],
            )
        )
    return found


def _board(curve: Curve) -> tuple[str | None, ...]:
    return curve.benchmark, curve.version, curve.metric, curve.opponent, curve.judge


def _cell(curve: Curve) -> Any:
    best = {point.n: point.best for point in curve.points}
    return lambda n: estimates.text(best[n]) if n in best else ""


def spread_table(found: Sequence[Components]) -> list[Table]:
    """A row for each model: standard deviations, and the share of each in the whole variance."""
    names = list(found[0].variances) if found else []
    columns: list[Cells[Components]] = [
        column("benchmark", lambda one: f"{one.benchmark}@{one.version}", wraps=True),
        column("model", lambda one: one.model, wraps=True),
        column("judges", lambda one: ", ".join(one.judges), wraps=True),
        column("items", lambda one: f"{one.items:,}", align="right"),
        column("samples", lambda one: str(one.samples), align="right"),
        column("left out", lambda one: str(one.left_out or ""), align="right", optional=True),
        *(column(name, _variance(name), align="right") for name in names),
    ]  # fmt: skip
    notes = [
        "variances, and their share of the sum; below 0: none that could be told from 0",
        "sample: one answer of a model from another; rest: what a judge says of one answer besides",
    ]
    return [table("where scores vary", found, columns, notes=notes)] if found else []


def _variance(name: str) -> Any:
    def cell(one: Components) -> str:
        whole = math.fsum(max(v, 0.0) for v in one.variances.values() if not math.isnan(v))
        value = one.variances[name]
        if math.isnan(value):
            return estimates.UNDEFINED
        return f"{value:.4g}" + (f" ({max(value, 0.0) / whole:.0%})" if whole else "")

    return cell


class Figure(NamedTuple):
    """One number as a row for programs."""

    about: Curve | Components
    judge: str
    metric: str
    scorer: str | None
    value: Estimate


def figures(curves: Sequence[Curve], components: Sequence[Components]) -> list[Figure]:
    """All numbers: ``score/best_of_4``, ``variance/item``."""
    rows = [
        Figure(one, one.judge, f"{one.metric}/best_of_{point.n}", one.scorer, point.best)
        for one in curves
        for point in one.points
    ]
    for one in components:
        for name, value in one.variances.items():
            why = "it takes two judges on one scale" if math.isnan(value) else None
            n, nan = one.items * one.samples * len(one.judges), math.nan
            found = Estimate(value=value, low=nan, high=nan, n=n, units=one.items, undefined=why)
            rows.append(Figure(one, ", ".join(one.judges), f"variance/{name}", None, found))
    return rows
