"""What several answers of a model to each item say: best-of-n curves, and where scores vary."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import eq
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from judgebench.columns import counted, grouped, marked
from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import ends_of
from judgebench.metrics.scores import NO_ENDS, SCORE, scores
from judgebench.metrics.verdict_table import verdict_values
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import Columns, benchmark_ref, find_judges, find_reference, where
from judgebench.reports.document import OfBenchmark, Table, column, table
from judgebench.stats.best_of import expected_best, kl_bound, variance_components
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.leaderboard import BoardRequest

Samples: TypeAlias = Mapping[str, Mapping[int, float]]
"""Item -> sample -> what a judge says in the mean of its repeats; nan for nothing readable."""

Ends: TypeAlias = tuple[float, float]

NO_ITEM = (
    "no item has a score and a verdict of every sample; a suite has all samples judged with "
    "samples: N and judged_samples: all"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSamples(OfBenchmark):
    """A model with ``samples`` answers to each item, and what is told of them."""

    metric: str
    model: str
    model_id: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve(OfSamples):
    """What a judge says of the answer that a scorer picks among n, by n, from 1 to ``samples``.

    Items of which some sample has no score, or no verdict, are missing in each point.
    """

    judge: str
    opponent: str | None
    scorer: str
    points: Mapping[str, Estimate]

    @property
    def figures(self) -> dict[str, Estimate]:
        """The points as metrics of a table: ``score/best_of_4``."""
        return {f"{self.metric}/best_of_{n}": best for n, best in self.points.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Components(OfSamples):
    """How scores vary: by `judgebench.stats.best_of.variance_components`, without intervals.

    ``items`` are those that every judge has read in every sample; the others are ``left_out``.
    """

    judges: tuple[str, ...]
    items: int
    left_out: int
    variances: Mapping[str, Estimate]

    @property
    def figures(self) -> dict[str, Estimate]:
        """The variances as metrics of a table: ``score/variance/item``."""
        return {f"{self.metric}/variance/{name}": one for name, one in self.variances.items()}


def samples_told(
    store: Store, request: BoardRequest, *, best_of: str | None, spread: bool
) -> dict[str, Any]:
    """The fields of a leaderboard that tell of several samples, where they are asked for.

    Raises
    ------
    UsageError
        As from `best_of_curves` and `components`.
    """
    told: dict[str, list[Any]] = {}
    for name in request.benchmarks:
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


def best_of_curves(
    data: BoardData, scorer: str, judges: Collection[str], level: float
) -> list[Curve]:
    """A curve for each judge and each model of which the scorer has scored several samples.

    It is as long as both have read samples of one item, and without values where that is one.

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
    scored, _ = _said(data, BoardKind("score")).get(by_name, ({}, NO_ENDS))
    several = _several(scored)
    if not scored:
        raise UsageError(
            f"{data.which}: {scorer} has given no scores, by which one of several answers could "
            "be chosen"
        )
    if not several:
        raise UsageError(
            f"{data.which}: no model has two answers to one item that {scorer} scored: a suite "
            "asks for them with samples: N at the benchmark"
        )
    contents = data.store.item_contents(data.which.name, data.which.version)
    units = contents if data.repeats is not None else {}
    return [
        Curve(
            **_about(data, kind, model, n),
            judge=judge,
            opponent=kind.opponent,
            scorer=by_name,
            points=points_of(scored[model], said[model], n, ends, level, units),
        )
        for kind in data.verdicts
        for judge, (said, ends) in _said(data, kind, judges).items()
        for model in sorted(several.keys() & said.keys())
        for n in (_in_common(scored[model], said[model]) or several[model],)
    ]


def scorers(data: BoardData) -> list[str]:
    """The judges that have scored two answers of some model to one item, by name."""
    said = _said(data, BoardKind("score"))
    return [judge for judge, (scored, _) in said.items() if _several(scored)]


def _several(scored: Mapping[str, Samples]) -> dict[str, int]:
    """How many samples each model has that has several."""
    return {model: n for model, its in scored.items() if (n := max(map(len, its.values()))) > 1}


def _in_common(scored: Samples, said: Samples) -> int:
    """How many samples of one item both have read, if several: more are scored than judged."""
    most = max(len(its.keys() & said.get(item, {}).keys()) for item, its in scored.items())
    return most if most > 1 else 0


def _about(data: BoardData, kind: BoardKind, model: str, samples: int) -> dict[str, Any]:
    which = {"benchmark": data.which.name, "version": data.which.version}
    return {
        **which,
        "metric": kind.metric.name,
        "model": model,
        "model_id": data.model_ids[model],
        "samples": samples,
    }


def _said(
    data: BoardData, kind: BoardKind, judges: Collection[str] = ()
) -> dict[str, tuple[dict[str, Samples], Ends]]:
    """What each judge of a board says by model, and the ends of its scale."""
    wanted = {
        one for name in judges for one in find_judges(name, data.judges, data.store, data.which)
    }
    verdicts: Columns = data.verdicts.get(kind, {"judge": []})
    unit = kind.metric.times
    found: dict[str, tuple[dict[str, Samples], Ends]] = {}
    for judge in sorted(counted(verdicts["judge"])):
        if wanted and judge not in wanted:
            continue
        its = where(verdicts, marked(verdicts["judge"], partial(eq, judge)))
        values = verdict_values(its, kind.kind, data.which.labels)
        ends, _ = ends_of(its, kind)
        each: dict[str, dict[str, dict[int, list[float]]]] = {}
        names = (its["model"], its["item_id"], its["sample"], (unit * values).tolist())
        for model, item, sample, value in zip(*names, strict=True):
            each.setdefault(model, {}).setdefault(item, {}).setdefault(sample, []).append(value)
        said: dict[str, Samples] = {
            model: {
                item: {sample: _mean(some) for sample, some in sorted(samples.items())}
                for item, samples in items.items()
            }
            for model, items in each.items()
        }
        found[judge] = said, (unit * ends[0], unit * ends[1])
    return found


def _mean(values: Sequence[float]) -> float:
    """Of what could be read; nan for nothing."""
    read = [one for one in values if not math.isnan(one)]
    return math.fsum(read) / len(read) if read else math.nan


def points_of(
    scored: Samples,
    said: Samples,
    samples: int,
    ends: Ends,
    level: float,
    units: Mapping[str, str | None] = MappingProxyType({}),
) -> dict[str, Estimate]:
    """For each n the mean over items with its interval, as a board of scores has it.

    ``units`` says which items are one question, where some are.
    """
    items = sorted(scored.keys() | said.keys())
    best = np.full((samples, len(items)), math.nan)
    for place, item in enumerate(items):
        own, value = scored.get(item, {}), said.get(item, {})
        both = [sample for sample in own if sample in value]
        if len(both) == samples:
            found = [[of[sample] for sample in both] for of in (own, value)]
            best[:, place] = expected_best(*found)
    n = best.size
    columns: Columns = {
        "item_id": items * samples,
        "model": [str(number) for number in range(1, samples + 1) for _ in items],
        "judge": [""] * n,
        "sample": [0] * n,
        "kind": ["unreadable" if math.isnan(one) else "score" for one in best.ravel()],
        "value": best.ravel().tolist(),
        "low": [ends[0]] * n,
        "high": [ends[1]] * n,
        **({"unit": [units.get(item) for item in items] * samples} if units else {}),
    }
    rows = scores(columns, intervals=Intervals(level=level), ranked=())
    of = {row.model: row.metrics[SCORE] for row in rows}
    nan = math.nan
    nothing = Estimate(
        value=nan, low=nan, high=nan, n=0, units=0, missing=len(items), level=level,
        undefined=NO_ITEM,
    )  # fmt: skip
    return {str(n): of.get(str(n), nothing) for n in range(1, samples + 1)}


def components(data: BoardData, judges: Collection[str]) -> list[Components]:
    """Of each model with several samples, by all judges whose scores are on one scale.

    Raises
    ------
    UsageError
        Where no model has two samples of two items that they have read.
    """
    found = []
    for kind in (one for one in data.verdicts if one.opponent is None):
        said = _said(data, kind, judges)
        for scale in dict.fromkeys(ends for _, ends in said.values()):
            together = {judge: its for judge, (its, ends) in said.items() if ends == scale}
            for model in sorted({model for its in together.values() for model in its}):
                by_judge = {judge: its[model] for judge, its in together.items() if model in its}
                found += _components(data, kind, model, by_judge)
    if not found:
        raise UsageError(
            f"{data.which}: no model has two samples of two items that its judges have read: a "
            "suite asks for them with samples: N at the benchmark"
        )
    return found


def _components(
    data: BoardData, kind: BoardKind, model: str, by_judge: Mapping[str, Samples]
) -> list[Components]:
    each = list(by_judge.values())
    samples = max(len(its) for said in each for its in said.values())
    items = sorted({item for said in each for item in said})
    cells = [[list(said.get(item, {}).values()) for said in each] for item in items]
    whole = np.array([c for c in cells if all(len(values) == samples for values in c)])
    whole = whole[~np.isnan(whole).any(axis=(1, 2))] if len(whole) else whole
    if samples < 2 or len(whole) < 2:
        return []
    n, why = whole.size, "it takes two judges on one scale"
    return [
        Components(
            **_about(data, kind, model, samples),
            judges=tuple(by_judge),
            items=len(whole),
            left_out=len(items) - len(whole),
            variances={
                name: Estimate(
                    value=value,
                    n=n,
                    units=len(whole),
                    undefined=why if math.isnan(value) else None,
                )
                for name, value in variance_components(whole.transpose(0, 2, 1)).items()
            },
        )
    ]


# tables ---------------------------------------------------------------------------------------


def sample_tables(curves: Sequence[Curve], spread: Sequence[Components]) -> list[Table]:
    """Of each judge's curves a row for each n and a column for each model; then all variances."""
    boards = grouped(
        ((one.benchmark, one.version, one.metric, one.opponent, one.judge), one) for one in curves
    )
    return [*map(_curve_table, boards.values()), *([_spread_table(spread)] if spread else [])]


def _curve_table(curves: Sequence[Curve]) -> Table:
    most = max(curves, key=lambda one: one.samples)
    against = "" if most.opponent is None else f" against {most.opponent}"
    lacking = [f"{n:,} of {c.model}" for c in curves if (n := c.points["1"].missing)]
    why = f"items left out, as a sample has no score or no verdict: {', '.join(lacking)}"
    empty = {f"{c.model}: {said}" for c in curves if (said := c.points["1"].undefined)}
    return table(
        f"{most.place}, {most.metric} by {most.judge}{against} of the best by {most.scorer}",
        list(most.points),
        [
            column("best of", str, align="right"),
            column("KL at most", lambda n: f"{kl_bound(int(n)):.3f}", align="right"),
            *(
                column(
                    one.model,
                    partial(_point, one),
                    align="right",
                )
                for one in curves
            ),
        ],
        subtitle="expected over all choices of so many samples",
        notes=[*([why] if lacking else []), *sorted(empty)],
    )


def _point(curve: Curve, n: str) -> str:
    return estimates.text(curve.points[n]) if n in curve.points else ""


def _spread_table(found: Sequence[Components]) -> Table:
    notes = [
        "variances, and their share of the sum; below 0: none that could be told from 0",
        "sample: one answer of a model from another; rest: what a judge says of one answer besides",
    ]
    return table(
        "where scores vary",
        found,
        [
            column("benchmark", lambda one: one.place, wraps=True),
            column("model", lambda one: one.model, wraps=True),
            column("judges", lambda one: ", ".join(one.judges), wraps=True),
            column("items", lambda one: f"{one.items:,}", align="right"),
            column("samples", lambda one: str(one.samples), align="right"),
            column("left out", lambda one: str(one.left_out or ""), align="right", optional=True),
            *(column(name, partial(_variance, name), align="right") for name in found[0].variances),
        ],
        notes=notes,
    )


def _variance(name: str, one: Components) -> str:
    value, *others = (one.variances[which].value for which in (name, *one.variances))
    whole = math.fsum(max(other, 0.0) for other in others if not math.isnan(other))
    share = f" ({max(value, 0.0) / whole:.0%})" if whole else ""
    return estimates.UNDEFINED if math.isnan(value) else f"{value:.4g}{share}"
