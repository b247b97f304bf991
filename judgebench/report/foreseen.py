"""What a run could detect, from how much the models of a store differed before.

The spread of a difference is the median over pairs of models on whom one judge gave its verdicts:
the very judge that is planned, else judges that went by its name, else all of its kind on the
benchmark. Where there is no such pair, nothing is said: no figure is made up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from judgebench.metrics.paired_models import Spread, every_pair, spread_of
from judgebench.records import CONFIDENCES
from judgebench.report.metric_words import in_percent
from judgebench.report.model_pairs import METRIC_OF, PairData
from judgebench.run.forecast import Detectable, PlanRow
from judgebench.run.resolve import Seat
from judgebench.stats.gate_rule import detectable, units_to_detect
from judgebench.store import Store

LEAST_UNITS = 20
"""Items that two models need in common for their spread to be counted."""

MOST_PAIRS = 500

ALPHA = 0.05
"""One-sided, as a gate of one test has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """The median spread of some pairs; ``right`` where they are of items right or wrong."""

    metric: str
    unit: float
    spread: float
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

    def __call__(self, seat: Seat, items: int) -> Detectable | None:
        """None for a judge whose verdicts are on no board: it says how sure a model is."""
        benchmark = seat.asked.benchmark
        if seat.spec.kind in CONFIDENCES:
            return None
        found = None
        if (benchmark.name, benchmark.version) in self._held:
            found = self._history(
                (benchmark.name, benchmark.version),
                (seat.key, seat.name, seat.spec.kind),
                seat.compares,
            )
        if found is None:
            return Detectable(
                undefined=f"no two models have been judged on {LEAST_UNITS} items or more"
            )
        drop = detectable(found.spread, items, alpha=ALPHA, right=found.right)
        needed = None
        if self._margin is not None:
            margin = self._margin / found.unit
            needed = units_to_detect(found.spread, margin, alpha=ALPHA, right=found.right)
        undefined = None
        if math.isnan(drop):
            alike = not found.spread
            undefined = "the models here do not differ" if alike else f"{items} items are too few"
        return Detectable(
            metric=found.metric,
            difference=drop * found.unit,
            undefined=undefined,
            items_needed=needed,
            pairs=found.pairs,
            judges=found.judges,
        )

    def _read(self, benchmark: tuple[str, str]) -> PairData:
        assert self._store is not None
        return PairData(self._store, "@".join(benchmark))

    def _look_back(
        self, benchmark: tuple[str, str], judge: tuple[bytes, str, str], compares: bool
    ) -> _History | None:
        assert self._store is not None
        data, (key, name, kind) = self._data(benchmark), judge
        judges = [one for one in self._store.judges() if one.id in data.board.judges]
        for alike in (
            [one for one in judges if one.key == key],
            [one for one in judges if name in (one.name, *one.names)],
            [one for one in judges if one.spec.kind == kind],
        ):
            shown = [data.board.judges[one.id] for one in alike]
            if (found := _median(data, shown, compares)) is not None:
                return found
        return None


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
