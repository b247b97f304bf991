"""A training run in the eyes of one judge: its checkpoints by step, the best one, and the last.

Of many checkpoints some lie high by luck, and the best one is picked for it. So the intervals hold
all at once, the best one's figure is corrected for having been picked, and the last one is behind
the best only where a band of all differences says so.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import NO_ONE_NUMBER
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import LEAST, Intervals
from judgebench.metrics.measures import by_turn
from judgebench.metrics.paired import few_there
from judgebench.metrics.registry import heading, metric
from judgebench.metrics.shared_draws import SharedDraws, shared_draws
from judgebench.metrics.win_rate import WEIGHTED
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import (
    Chart,
    OfBenchmark,
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_field,
    table,
)
from judgebench.reports.versions import Checkpoint, training_runs
from judgebench.stats.gate_rule import FEWEST_TO_CALL
from judgebench.store.store import Store

TOO_FEW = f"fewer than {LEAST} items are won, or lost, also in part"

Last = Literal["the best", "worse", "undecided"]
"""What the last checkpoint is, beside the best."""


class Band(NamedTuple):
    """An interval that holds together with others."""

    low: float
    high: float


class Lead(NamedTuple):
    """A difference, with an interval that holds together with others."""

    value: float
    low: float
    high: float


class CorrectedFigure(NamedTuple):
    """A figure put right for its having been picked, and why there is none."""

    value: float
    low: float
    high: float
    undefined: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow:
    """A checkpoint on a board.

    model
        As the board shows it.
    estimate
        As the board has it, with an interval of its own.
    band
        Its interval in the band of all checkpoints; nan where there is none.
    above_last
        By how much it is above the last checkpoint, as where the two are compared, with an interval
        that holds together with all others; None of the last one, and where nothing is known.
    """

    step: float
    model: str
    model_id: str
    tags: Mapping[str, str]
    estimate: Estimate
    band: Band
    above_last: Lead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BestCheckpoint:
    """The best checkpoint: its figure as it is, and corrected for having been picked."""

    model: str
    step: float
    picked: float
    corrected: CorrectedFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(OfBenchmark, Report):
    """The checkpoints of a training run on one judge's board, by step.

    critical
        Half of a band's interval in standard errors; nan without one.
    scale
        The lowest and the highest value there can be; None without ends.
    best, last
        None where no checkpoint has a value; ``last`` says what the last one is beside the best.
    """

    ROWS: ClassVar = (
        Rows(
            of="checkpoints",
            shared=("benchmark", "version", "judge", "opponent", "training_run", "metric"),
            row=(
                "step",
                "model",
                "model_id",
                Spread("estimate", ("value", "low", "high", "n", "missing")),
                Spread("band", Band._fields, "band_"),
                ("above_last", "above_last.value"),
                Spread("above_last", ("low", "high"), "above_last_"),
            ),
        ),
    )
    CHART: ClassVar = Chart(along="step")

    judge: str
    opponent: str | None
    run: str = json_field(name="training_run")
    metric: str
    level: float
    critical: float
    checkpoints: tuple[CheckpointRow, ...]
    best: BestCheckpoint | None
    last: Last | None
    notes: tuple[str, ...] = ()

    @property
    def roles(self) -> list[str]:
        """What each checkpoint is: ``best``; ``last``, where it is not that; else nothing."""
        best, last = self.best and self.best.model, self.checkpoints[-1]
        return [
            "best" if one.model == best else "last" if one is last else ""
            for one in self.checkpoints
        ]

    @property
    def in_words(self) -> list[str]:
        """What the best one is worth, and what the last one is beside it."""
        if self.best is None:
            return ["No checkpoint has a readable verdict of this judge."]
        best, last, shown = self.best, self.checkpoints[-1], metric(self.metric)
        unit, points = (" %", " points") if shown.in_points else ("", "")

        def ends(of: Lead | CorrectedFigure, unit: str) -> str:
            return shown.drawn(of.value, of.low, of.high).replace(" [", f"{unit} [")

        picked = f"{shown.drawn(best.picked)}{unit}"
        said = [f"Highest: {best.model} at step {best.step:,g}, {picked} as observed."]
        if best.corrected.undefined:
            said.append(f"Not corrected for selection: {best.corrected.undefined}.")
        elif len(self.checkpoints) > 1:
            figure = ends(best.corrected, unit)
            said.append(f"Corrected for selection (winner's curse): {figure}.")
        above = next((one.above_last for one in self.checkpoints if one.model == best.model), None)
        by = "" if above is None else f" by {ends(above, points)}"
        whom = f"last, {last.model} at step {last.step:,g}, is worse than the best"
        if self.last == "the best":
            said.append("The last checkpoint is the highest.")
        elif self.last == "worse":
            said.append(f"The {whom}{by}.")
        elif self.last is not None:
            said.append(f"Whether the {whom} is undecided: the best is above it{by}.")
        return said

    def tables(self) -> list[Table]:
        """A row for each checkpoint, by step."""
        places = metric(self.metric).digits

        def ends(band: Band) -> str:
            if math.isnan(band.low):
                return estimates.UNDEFINED
            return f"[{band.low:.{places}f}, {band.high:.{places}f}]"

        right: Any = {"align": "right"}
        return [
            table(
                f"{self.run}: {self.place}, {self.judge}",
                self.checkpoints,
                [
                    column("step", lambda row: f"{row.step:g}", **right),
                    column("model", lambda row: row.model, wraps=True),
                    column(
                        heading(self.metric, self.metric),
                        lambda row: estimates.text(row.estimate, digits=places),
                        **right,
                    ),
                    column("band", lambda row: ends(row.band), **right),
                    column("n", lambda row: str(row.estimate.n), **right),
                    column("missing", lambda row: str(row.estimate.missing), **right),
                ],
                subtitle=f"band: simultaneous {100 * self.level:g} % band of all checkpoints",
                notes=[*self.notes, *self.in_words],
            )
        ]


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
    which = benchmark_ref(store, benchmark)
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
    if which.report.rates and kind.kind == "label":
        raise UsageError(
            f"{which}: {NO_ONE_NUMBER}, and checkpoints are held against each other by one; "
            "`judgebench compare` and `judgebench runs diff` have each figure"
        )
    verdicts = data.verdicts[kind]
    lined_up = partial(
        shared_draws,
        by_turn(verdicts, [])[0] if which.report.turns else verdicts,
        kind,
        shown,
        [model for model in at if model],
        labels=which.labels,
        balance=data.balance,
        intervals=intervals or Intervals(level=level),
    )
    found = lined_up(weighted=which.weighted if kind.opponent is not None else None)
    if not found.models:
        raise UsageError(f"{which}: {shown} has judged no checkpoint of {run}")
    why_plain = ""
    if found.weighted and all(math.isnan(one.value) for one in found.estimates):
        why_plain = "; ".join(dict.fromkeys(one.undefined or "" for one in found.estimates))
        found = lined_up()
    report = _report(data, kind, shown, run, at, found, level)
    if why_plain:
        why_plain = f"by {found.metric}, as no checkpoint has a {WEIGHTED}: {why_plain}"
        report = replace(report, notes=(why_plain, *report.notes))
    return report


def _report(
    data: BoardData,
    kind: BoardKind,
    judge: str,
    run: str,
    at: Mapping[str, Checkpoint],
    found: SharedDraws,
    level: float,
) -> Training:
    known = found.among([not math.isnan(one.value) for one in found.estimates])
    band, ends = known.band(level=level)
    place = {model: number for number, model in enumerate(known.models)}
    above = {
        model: Lead(one.value, one.low, one.high)
        for model, one in known.above_last(level=level).items()
    }
    rows = tuple(
        CheckpointRow(
            step=at[model].step,
            model=model,
            model_id=at[model].model_id,
            tags=at[model].tags,
            estimate=estimate,
            band=Band(*ends[place[model]]) if model in place else Band(math.nan, math.nan),
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
        notes=tuple(
            _notes(
                data,
                judge,
                rows,
                floor,
                dict(zip(found.models, found.why_missing, strict=True)),
                {model for model, few in zip(known.models, known.few, strict=True) if few},
                weighted=found.weighted,
            )
        ),
    )


def _best(known: SharedDraws, at: Mapping[str, Checkpoint], level: float) -> BestCheckpoint:
    winner = known.best(level=level)
    model = known.models[winner.place]
    why = None
    if math.isnan(winner.value):
        why = "all its items are alike, so nothing is known of its spread"
    if known.few[winner.place]:
        why = TOO_FEW
    return BestCheckpoint(
        model=model,
        step=at[model].step,
        picked=winner.picked,
        corrected=CorrectedFigure(
            winner.value,
            winner.low,
            winner.high,
            why,
        ),
    )


def _last(known: SharedDraws, best: BestCheckpoint, above: Mapping[str, Lead]) -> Last:
    if best.model == known.models[-1]:
        return "the best"
    if known.units < FEWEST_TO_CALL:
        return "undecided"
    return "worse" if best.model in above and above[best.model].low > 0.0 else "undecided"


def _notes(
    data: BoardData,
    judge: str,
    rows: Sequence[CheckpointRow],
    floor: float,
    lacking: Mapping[str, str],
    few: Collection[str],
    *,
    weighted: bool,
) -> list[str]:
    """What has to be known to believe the curve."""
    said = [
        f"{row.model} is suspicious: {why}. It may stand high for that alone"
        for row in rows
        if (why := data.suspicious.get(row.model))
    ]
    for row in rows:
        expected = row.estimate.n + row.estimate.missing
        if weighted and row.estimate.undefined:  # what is there is not weighed
            said.append(f"{row.model}: {row.estimate.undefined}")
        elif expected and (share := row.estimate.n / expected) < floor:
            said.append(few_there(share, row.model, lacking[row.model]))
        if row.model in few:
            said.append(f"{row.model} has no interval and no place in the band: {TOO_FEW}")
    ids = {one for one, shown in data.judges.items() if shown == judge}
    served = {row.model: data.served(ids, row.model_id) for row in rows}
    if len(set(served.values())) > 1:
        said += [
            f"replies about {model} were served by {', '.join(names) or 'nobody knows whom'}"
            for model, names in served.items()
        ]
    return said
