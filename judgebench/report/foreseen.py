"""What a run could detect, from how much the models of a store differed before.

The spread of a difference is the median over pairs of models on whom one judge gave its verdicts:
the very judge that is planned, else judges that went by its name, else all of its kind on the
benchmark. Where there is no such pair, nothing is said: no figure is made up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median

from judgebench.metrics.paired_models import Spread, every_pair, spread_of
from judgebench.records import CONFIDENCES
from judgebench.report.designs import ALONE, Heads, compared, heads
from judgebench.report.metric_words import in_percent
from judgebench.report.model_pairs import METRIC_OF, PairData
from judgebench.run.detectable import Designs, Detectable
from judgebench.run.forecast import PlanRow
from judgebench.run.resolve import Seat
from judgebench.stats.gate_rule import detectable, units_to_detect
from judgebench.store import Store

LEAST_UNITS = 20
"""Items that two models need in common for their spread to be counted."""

MOST_PAIRS = 500

ALPHA = 0.05
"""One-sided, as a gate of one test has it."""


NO_HISTORY = f"no two models have been judged on {LEAST_UNITS} items or more"
ALIKE = "the models here do not differ"

_Benchmark = tuple[str, str]
_Judge = tuple[bytes, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """Medians over some pairs of models; ``right`` where they are of items right or wrong."""

    metric: str
    unit: float
    spread: float
    level: float
    right: float | None
    pairs: int
    judges: tuple[str, ...]


class Foreseen:
    """Says of a judge and a number of items what they could detect.

    Parameters
    ----------
    store
        Where earlier verdicts are; None where there is no store yet.
    margin
        A difference in the metric's units, of which the items needed are said.
    """

    def __init__(self, store: Store | None, margin: float | None = None) -> None:
        self._store, self._margin = store, margin
        self._held = set() if store is None else set(store.benchmarks())
        self._data = cache(self._read)
        self._history = cache(self._look_back)
        self._heads = cache(self._look_at_heads)

    def __call__(self, seat: Seat, items: int) -> Detectable | None:
        """None for a judge whose verdicts are on no board: it says how sure a model is."""
        if seat.spec.kind in CONFIDENCES:
            return None
        benchmark = (seat.asked.benchmark.name, seat.asked.benchmark.version)
        judge = (seat.key, seat.name, seat.spec.kind)
        history = None
        if benchmark in self._held:
            history = self._history(benchmark, judge, seat.compares)
        if history is None:
            designs = Designs(undefined=NO_HISTORY) if seat.compares else self._alone(seat)
            return Detectable(undefined=NO_HISTORY, designs=designs)
        found = self._found(history, items)
        if not seat.compares:
            return replace(found, designs=self._alone(seat))
        drop = self._margin or found.difference
        if math.isnan(drop) or not history.spread:
            return replace(found, designs=Designs(undefined=found.undefined))
        designs = compared(
            seat,
            drop=drop / history.unit,
            level=history.level,
            board_items=float(items) if found.items_needed is None else found.items_needed,
            heads=self._heads(benchmark, judge, seat.asked.baseline),
            metric=history.metric,
            unit=history.unit,
            alpha=ALPHA,
        )
        return replace(found, designs=designs)

    def _alone(self, seat: Seat) -> Designs | None:
        """Of a judge of single answers, which is told to whoever asks about a margin."""
        return Designs(undefined=ALONE) if seat.asks and self._margin is not None else None

    def _found(self, history: _History, items: int) -> Detectable:
        drop = detectable(history.spread, items, alpha=ALPHA, right=history.right)
        needed = None
        if self._margin is not None:
            margin = self._margin / history.unit
            needed = units_to_detect(history.spread, margin, alpha=ALPHA, right=history.right)
        undefined = None
        if math.isnan(drop):
            alike = not history.spread
            undefined = ALIKE if alike else f"{items} items are too few"
        return Detectable(
            metric=history.metric,
            difference=drop * history.unit,
            undefined=undefined,
            items_needed=needed,
            pairs=history.pairs,
            judges=history.judges,
        )

    def _read(self, benchmark: _Benchmark) -> PairData:
        assert self._store is not None
        return PairData(self._store, "@".join(benchmark))

    def _alike(self, benchmark: _Benchmark, judge: _Judge) -> Iterator[list[str]]:
        """Judges of the store like one that is planned, as shown, the most alike first."""
        assert self._store is not None
        shown, (key, name, kind) = self._data(benchmark).board.judges, judge
        judges = [one for one in self._store.judges() if one.id in shown]
        for alike in (
            [one for one in judges if one.key == key],
            [one for one in judges if name in (one.name, *one.names)],
            [one for one in judges if one.spec.kind == kind],
        ):
            yield [shown[one.id] for one in alike]

    def _look_back(self, benchmark: _Benchmark, judge: _Judge, compares: bool) -> _History | None:
        data = self._data(benchmark)
        found = (_median(data, alike, compares) for alike in self._alike(benchmark, judge))
        return next((one for one in found if one is not None), None)

    def _look_at_heads(
        self, benchmark: _Benchmark, judge: _Judge, opponent: str | None
    ) -> Heads | None:
        data = self._data(benchmark)
        found = (
            heads(data, alike, opponent, least=LEAST_UNITS)
            for alike in self._alike(benchmark, judge)
        )
        return next((one for one in found if one is not None), None)


def _median(data: PairData, judges: Sequence[str], compares: bool) -> _History | None:
    """Over the pairs that these judges judged, on the metric and scale that most of them have."""
    found: dict[tuple[str, float], list[tuple[Spread, float, str]]] = {}
    for kind, verdicts in data.board.verdicts.items():
        if (kind.kind == "preference") != compares:
            continue
        for judge in sorted(set(judges) & set(verdicts["judge"])):
            for pair in every_pair(
                verdicts,
                kind,
                judge,
                labels=data.which.labels,
                balance=data.balance if kind.kind == "score" else None,
                most=MOST_PAIRS,
            ):
                spread = spread_of(pair)
                if pair.why_not is None and spread.units >= LEAST_UNITS:
                    on_scale = (METRIC_OF[kind.kind], pair.width)
                    found.setdefault(on_scale, []).append((spread, pair.unit, judge))
    if not found:
        return None
    (metric, _), pairs = max(found.items(), key=lambda of: len(of[1]))
    right = [spread.right for spread, _, _ in pairs if spread.right is not None]
    return _History(
        metric=metric,
        unit=pairs[0][1],
        spread=median(spread.spread for spread, _, _ in pairs),
        level=median(spread.level for spread, _, _ in pairs),
        right=median(right) if len(right) == len(pairs) else None,
        pairs=len(pairs),
        judges=tuple(sorted({judge for _, _, judge in pairs})),
    )


def notes(rows: Iterable[PlanRow]) -> list[str]:
    """What the figures of a plan rest on, and where there is none."""
    of = [(row, row.detectable) for row in rows if row.detectable is not None]
    known = [
        f"detectable, {row.benchmark}, {row.judge}: {_words(found)}, from the median spread over "
        f"{found.pairs:,} pair{'s' * (found.pairs != 1)} of models that "
        f"{' and '.join(found.judges)} judged"
        for row, found in of
        if found.pairs
    ]
    why: dict[str, list[str]] = {}
    for row, found in of:
        if found.undefined is not None:
            why.setdefault(found.undefined, []).append(f"{row.judge} ({row.benchmark})")
    lines = list(dict.fromkeys(known))
    if lines:
        lines.append(
            f"detectable is a drop that is found with a power of 80 % at alpha {ALPHA:g}, one-sided"
        )
    return lines + [
        f"what can be detected is not known, since {reason}: {', '.join(dict.fromkeys(whose))}"
        for reason, whose in why.items()
    ]


def _words(found: Detectable) -> str:
    return f"{found.metric} in percent" if in_percent(found.metric) else found.metric
