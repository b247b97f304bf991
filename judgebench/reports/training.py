"""A training run in the eyes of one judge: its checkpoints by step, the best one, and the last.

Of many checkpoints some lie high by luck, and the best one is picked for it. So the intervals hold
all at once, the best one's figure is corrected for having been picked, and the last one is behind
the best only where a band of all differences says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.balanced import Balance
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.shared_draws import Lineup, lineup
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import meant
from judgebench.reports.metric_words import digits, metric_words
from judgebench.reports.table import Column, Document, Table
from judgebench.reports.versions import Checkpoint, training_runs
from judgebench.stats.gate_rule import FEWEST_TO_CALL
from judgebench.stats.simultaneous import sup_t_band
from judgebench.store import Store

Last = Literal["the best", "worse", "undecided"]
"""What the last checkpoint is, beside the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtStep:
    """A checkpoint on a board.

    model
        As the board shows it.
    estimate
        As the board has it, with an interval of its own.
    low, high
        Its interval in the band of all checkpoints; nan where there is none.
    above_last
        By how much it is above the last checkpoint, with the interval in the band of all such
        differences; None of the last one, and where nothing is known.
    """

    checkpoint: Checkpoint
    model: str
    estimate: Estimate
    low: float
    high: float
    above_last: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best checkpoint: its figure as it is, and corrected for having been picked."""

    model: str
    step: float
    picked: float
    value: float
    low: float
    high: float
    undefined: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The checkpoints of a training run on one judge's board, by step.

    critical
        Half of a band's interval in standard errors; nan without one.
    scale
        The lowest and the highest value there can be; None without ends.
    best, last
        None where no checkpoint has a value; ``last`` says what the last one is beside the best.
    """

    benchmark: str
    version: str
    judge: str
    opponent: str | None
    run: str
    metric: str
    level: float
    critical: float
    checkpoints: tuple[AtStep, ...]
    best: Best | None
    last: Last | None
    notes: tuple[str, ...] = ()


def training(
    store: Store,
    benchmark: str,
    run: str,
    *,
    judge: str,
    opponent: str | None = None,
    level: float = 0.95,
    intervals: Intervals | None = None,
) -> Training:
    """What a judge says of the checkpoints of a training run.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    judge
        Its id.
    opponent
        The id of whom the checkpoints are compared with; None where each stands alone.
    level
        Of the bands, and of the corrected interval.

    Raises
    ------
    UsageError
        Where the store has no such run, or the judge has judged none of its checkpoints.
    """
    which = meant(store, benchmark)
    runs = training_runs(store).runs
    if run not in runs:
        raise UsageError(f"{store.name} has {unknown_name('training run', run, runs)}")
    data = BoardData(store, which, (), [one.model_id for one in runs[run]])
    against = None if opponent is None else data.models.get(opponent, opponent)
    shown = data.judges.get(judge)
    kind = next(
        (
            kind
            for kind, verdicts in data.verdicts.items()
            if kind.opponent == against and shown in set(verdicts["judge"])
        ),
        None,
    )
    at = {data.models.get(one.model_id, ""): one for one in runs[run]}
    if kind is None or shown is None:
        raise UsageError(f"{which}: this judge has no such board")
    wanted = intervals or Intervals(level=level)
    found = lineup(
        data.verdicts[kind],
        kind,
        shown,
        [model for model in at if model],
        labels=which.labels,
        balance=_balance(data) if kind.kind == "score" else None,
        intervals=wanted,
    )
    if not found.models:
        raise UsageError(f"{which}: {shown} has judged no checkpoint of {run}")
    return _told(data, kind, shown, run, at, found, level)


def _balance(data: BoardData) -> Balance | None:
    sides = data.which.sides
    return Balance(category_of=data.groups("category"), sides=sides) if sides else None


def _told(
    data: BoardData,
    kind: BoardKind,
    judge: str,
    run: str,
    at: Mapping[str, Checkpoint],
    found: Lineup,
    level: float,
) -> Training:
    known = found.among([not math.isnan(one.value) for one in found.estimates])
    band, ends = known.band(level=level)
    place = {model: number for number, model in enumerate(known.models)}
    above = _above_last(known, level)
    rows = tuple(
        AtStep(
            checkpoint=at[model],
            model=model,
            estimate=estimate,
            low=ends[place[model]][0] if model in place else math.nan,
            high=ends[place[model]][1] if model in place else math.nan,
            above_last=above.get(model),
        )
        for model, estimate in zip(found.models, found.estimates, strict=True)
    )
    best = _best(known, at, level) if known.models else None
    floor = data.which.coverage_floor
    return Training(
        benchmark=data.which.name,
        version=data.which.version,
        judge=judge,
        opponent=kind.opponent,
        run=run,
        metric=found.metric,
        level=level,
        critical=band.critical,
        checkpoints=rows,
        best=best,
        last=None if best is None else _last(known, best, above),
        notes=tuple(_notes(data, judge, rows, floor)),
    )


def _best(known: Lineup, at: Mapping[str, Checkpoint], level: float) -> Best:
    winner = known.best(level=level)
    model = known.models[winner.place]
    unknown = math.isnan(winner.value)
    return Best(
        model=model,
        step=at[model].step,
        picked=winner.picked,
        value=winner.value,
        low=winner.low,
        high=winner.high,
        undefined="all its items are alike, so nothing is known of its spread" if unknown else None,
    )


def _above_last(known: Lineup, level: float) -> dict[str, tuple[float, float, float]]:
    """By how much each checkpoint is above the last one; of those whose difference varies."""
    if len(known.models) < 2:
        return {}
    differences: Floats = known.draws[:, :-1] - known.draws[:, -1:]
    band = sup_t_band(differences, units=known.units, level=level)
    return {
        model: (float(differences[0, place]), float(band.low[place]), float(band.high[place]))
        for place, model in enumerate(known.models[:-1])
        if not np.isnan(band.low[place])
    }


def _last(known: Lineup, best: Best, above: Mapping[str, tuple[float, float, float]]) -> Last:
    if best.model == known.models[-1]:
        return "the best"
    if known.units < FEWEST_TO_CALL:
        return "undecided"
    return "worse" if best.model in above and above[best.model][1] > 0.0 else "undecided"


def _notes(data: BoardData, judge: str, rows: Sequence[AtStep], floor: float) -> list[str]:
    """What has to be known to believe the curve."""
    said = [
        f"{row.model} is suspicious: {why}. It may stand high for that alone"
        for row in rows
        if (why := data.suspicious.get(row.model))
    ]
    for row in rows:
        expected = row.estimate.n + row.estimate.missing
        if expected and row.estimate.n / expected < floor:
            share = 100 * row.estimate.n / expected
            said.append(f"{share:.1f} % of the verdicts on {row.model} could be read")
    ids = {one for one, shown in data.judges.items() if shown == judge}
    served = {row.model: data.served_about(ids, row.checkpoint.model_id) for row in rows}
    if len(set(served.values())) > 1:
        said += [
            f"replies about {model} were served by {', '.join(names) or 'nobody knows whom'}"
            for model, names in served.items()
        ]
    return said


def document(report: Training) -> Document:
    """The report for printing; a row for each checkpoint, by step."""
    return Document(
        tables=[_table(report)],
        records=[_record(report, row) for row in report.checkpoints],
        data=to_json(report),
    )


def to_json(report: Training) -> dict[str, Any]:
    """What is undefined is null."""
    best = report.best
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": report.judge,
        "opponent": report.opponent,
        "training_run": report.run,
        "metric": report.metric,
        "level": report.level,
        "critical": estimates.finite(report.critical),
        "checkpoints": [
            {
                "step": row.checkpoint.step,
                "model": row.model,
                "model_id": row.checkpoint.model_id,
                "tags": dict(row.checkpoint.tags),
                "estimate": estimates.to_json(row.estimate),
                "band": _ends((row.low, row.high)),
                "above_last": None
                if row.above_last is None
                else {"value": row.above_last[0]} | _ends(row.above_last[1:]),
            }
            for row in report.checkpoints
        ],
        "best": None
        if best is None
        else {
            "model": best.model,
            "step": best.step,
            "picked": best.picked,
            "corrected": {"value": estimates.finite(best.value)}
            | _ends((best.low, best.high))
            | {"undefined": best.undefined},
        },
        "last": report.last,
        "notes": list(report.notes),
    }


def _ends(ends: tuple[float, ...]) -> dict[str, float | None]:
    low, high = ends
    return {"low": estimates.finite(low), "high": estimates.finite(high)}


def _record(report: Training, row: AtStep) -> dict[str, Any]:
    estimate = estimates.to_json(row.estimate)
    above = row.above_last or (math.nan,) * 3
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": report.judge,
        "opponent": report.opponent,
        "training_run": report.run,
        "metric": report.metric,
        "step": row.checkpoint.step,
        "model": row.model,
        "model_id": row.checkpoint.model_id,
        **{name: estimate[name] for name in ("value", "low", "high", "n", "missing")},
        "band_low": estimates.finite(row.low),
        "band_high": estimates.finite(row.high),
        "above_last": estimates.finite(above[0]),
        "above_last_low": estimates.finite(above[1]),
        "above_last_high": estimates.finite(above[2]),
    }


def _table(report: Training) -> Table:
    places = digits(report.metric)

    def band(row: AtStep) -> str:
        if math.isnan(row.low):
            return estimates.UNDEFINED
        return f"[{row.low:.{places}f}, {row.high:.{places}f}]"

    best = report.best
    notes = list(report.notes)
    if best is not None and best.undefined is None:
        notes.append(
            f"best: {best.model}, {best.picked:.{places}f} as picked; corrected for that "
            f"{best.value:.{places}f} [{best.low:.{places}f}, {best.high:.{places}f}]"
        )
    if report.last is not None:
        notes.append(f"the last checkpoint beside the best: {report.last}")
    return Table(
        title=f"{report.run}: {report.benchmark}@{report.version}, {report.judge}",
        subtitle=f"band: all intervals hold at once at {100 * report.level:g} %",
        columns=[
            Column(title="step", align="right"),
            Column(title="model", wraps=True),
            Column(title=metric_words(report.metric, report.metric), align="right"),
            Column(title="band", align="right"),
            Column(title="n", align="right"),
            Column(title="missing", align="right"),
        ],
        rows=[
            [
                f"{row.checkpoint.step:g}",
                row.model,
                estimates.text(row.estimate, digits=places),
                band(row),
                str(row.estimate.n),
                str(row.estimate.missing),
            ]
            for row in report.checkpoints
        ],
        notes=notes,
    )
