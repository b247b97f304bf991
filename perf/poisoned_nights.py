"""Whether verdicts that go missing can turn the gate's decision without its saying so.

Nights on real verdicts, as in ``gate_rates.py``: two models of AlpacaEval 2 (805 instructions) or
of TriviaQA judging (400 questions), each item's verdicts exchanged with probability one half, and
one of the two lowered by up to five points. As many nights are kept of each decision that the full
verdicts allow: pass, regression, inconclusive.

Then verdicts are removed: of the candidate, of the baseline, or of both, at random or where it does
most. *Toward a pass* removes the items that the candidate lost most clearly, *toward a regression*
those that it won. What is left is decided as `judgebench gate` does it, by the same functions: as
observed, with what is missing at its worst and at its best for the candidate, and open where these
do not agree or too little is there. Beside it stands a gate that drops what is missing and
tests the rest.

A decision that becomes inconclusive is said. What must not be is a *flip*: a pass where the full
verdicts say regression or the reverse, or either of them where the full verdicts leave it open.

    python perf/poisoned_nights.py                # 50 nights of each decision: eight minutes
    python perf/poisoned_nights.py --nights 5
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired import VIEWS, compare, paired_models
from judgebench.records import BINARY
from judgebench.reports.gate import in_each_view
from judgebench.reports.gate_unchanged import too_little_there
from judgebench.stats.gate_rule import Decision
from perf.gate_rates import (
    ALPHA,
    SEED,
    Floats,
    Verdicts,
    alpaca_eval,
    exchanged,
    lowered,
    trivia_judging,
)

FLOOR = 0.95
WORST_DROP = 0.05
SHARES = (0.01, 0.02, 0.05, 0.10)
DECISIONS: tuple[Decision, ...] = ("pass", "regression", "inconclusive")

Who = Literal["candidate", "baseline", "both"]
How = Literal["at random", "toward a pass", "toward a regression"]
WHO: tuple[Who, ...] = ("candidate", "baseline", "both")
HOW: tuple[How, ...] = ("at random", "toward a pass", "toward a regression")

Removed = NDArray[np.bool_]
"""Of shape (items, 2), candidate and baseline."""


@dataclass(frozen=True)
class Said:
    """What came of a night: with the coverage floor, by the three views alone, and naively."""

    gate: Decision
    because: str | None
    views: Decision
    naive: Decision


class Night:
    """A candidate and a baseline in the eyes of one judge, decided with some verdicts removed."""

    def __init__(self, candidate: Floats, baseline: Floats, *, margin: float) -> None:
        self.values, self.margin = np.stack([candidate, baseline], 1), margin
        binary = bool(np.isin(self.values, (0.0, 1.0)).all())
        self.kind = BoardKind("label") if binary else BoardKind("preference", "opponent")
        n = len(candidate)
        self.columns: dict[str, list[Any]] = {
            "item_id": [f"{item:04d}" for item in range(n) for _ in range(2)],
            "model": ["candidate", "baseline"] * n,
            "judge": ["judge"] * 2 * n,
            "sample": [0] * 2 * n,
            "opponent": [self.kind.opponent] * 2 * n,
            "label": [BINARY[int(value)] if binary else None for value in self.values.flat],
            "value": [None if binary else float(value) for value in self.values.flat],
        }

    def decided(self, removed: Removed) -> Said:
        kinds = ["unreadable" if gone else self.kind.kind for gone in removed.flat]
        pair = paired_models(
            self.columns | {"kind": kinds},
            self.kind, "judge", "candidate", "baseline", labels=BINARY,
        )  # fmt: skip
        compared = compare(pair, alpha=ALPHA)
        levels = dict.fromkeys(VIEWS, ALPHA)  # of one test
        found = in_each_view(compared, levels, margin=self.margin, alpha=ALPHA)
        turned = compared.turned(found.values(), "the candidate")
        lacks = (
            too_little_there(pair, side, model, FLOOR)
            for side, model in enumerate(("candidate", "baseline"))
        )
        unread = next(filter(None, lacks), None)
        observed = found["observed"]
        return Said(
            gate="inconclusive" if unread or turned else observed,
            because=unread or turned,
            views="inconclusive" if turned else observed,
            naive=observed,
        )

    def full(self) -> Decision:
        return self.decided(np.zeros(self.values.shape, dtype=np.bool_)).gate

    def removing(self, share: float, who: Who, how: How, generator: np.random.Generator) -> Removed:
        """A share of the verdicts of each; where both lose some, they lose different items."""
        n = len(self.values)
        each = math.floor(share * n + 1e-9)
        if how == "at random":
            order = generator.permutation(n)
        else:
            gained = self.values[:, 0] - self.values[:, 1]
            order = np.argsort(gained if how == "toward a pass" else -gained, kind="stable")
        removed = np.zeros((n, 2), dtype=np.bool_)
        for place, model in enumerate(WHO[:2] if who == "both" else (who,)):
            removed[order[place * each : (place + 1) * each], WHO.index(model)] = True
        return removed


def nights_of(
    table: Verdicts, margin: float, each: int, generator: np.random.Generator
) -> dict[Decision, list[Night]]:
    """Nights until there are enough of each decision."""
    found: dict[Decision, list[Night]] = {decision: [] for decision in DECISIONS}
    while min(map(len, found.values())) < each:
        candidate, baseline = exchanged(*table.two(generator), generator)
        drop = generator.uniform(-WORST_DROP, WORST_DROP)
        if drop > 0:
            candidate = lowered(candidate, drop, generator)
        else:
            baseline = lowered(baseline, -drop, generator)
        night = Night(candidate, baseline, margin=margin)
        its = found[night.full()]
        if len(its) < each:
            its.append(night)
    return found


@dataclass
class Counts:
    """Of one way to remove verdicts: what became of decided nights, and of open ones."""

    decided: int = 0
    kept: int = 0
    by_floor: int = 0
    by_views: int = 0
    open: int = 0
    flips: int = 0
    flips_of_views: int = 0
    naive_reversed: int = 0
    naive_opened: int = 0
    naive_decides: int = 0

    def add(self, full: Decision, said: Said) -> None:
        self.flips += flipped(full, said.gate)
        self.flips_of_views += flipped(full, said.views)
        if full == "inconclusive":
            self.open += 1
            self.naive_decides += said.naive != full
            return
        self.decided += 1
        self.kept += said.gate == full
        self.by_floor += "% of the verdicts on" in (said.because or "")
        self.by_views += "missing verdicts" in (said.because or "")
        self.naive_reversed += said.naive not in (full, "inconclusive")
        self.naive_opened += said.naive == "inconclusive"

    def line(self) -> str:
        of_decided = (self.kept, self.by_floor, self.by_views)
        shares = "".join(f"{100 * n / self.decided:8.0f}" for n in of_decided)
        of_naive = (
            100 * self.naive_reversed / self.decided,
            100 * self.naive_opened / self.decided,
            100 * self.naive_decides / self.open,
        )
        naive = "".join(f"{share:9.0f}" for share in of_naive)
        return f"{shares}{self.flips:7d}{self.flips_of_views:9d}{naive}"


def flipped(full: Decision, said: Decision) -> bool:
    """A decision that the full verdicts do not allow."""
    return said not in (full, "inconclusive")


def poisoned(
    nights: dict[Decision, list[Night]], share: float, who: Who, how: How, *, seed: int
) -> Counts:
    generator = np.random.default_rng([SEED, 5, seed])
    counts = Counts()
    for full, its in nights.items():
        for night in its:
            counts.add(full, night.decided(night.removing(share, who, how, generator)))
    return counts


def table_of(table: Verdicts, margin: float, each: int) -> Iterator[str]:
    nights = nights_of(table, margin, each, np.random.default_rng([SEED, 4]))
    yield f"\n{table.name}, a margin of {100 * margin:g} points"
    yield (
        f"{'removed':>7s} {'of':10s}{'how':20s}{'kept':>8s}{'floor':>8s}{'views':>8s}{'flips':>7s}"
        f"{'no floor':>9s}{'reversed':>9s}{'opened':>9s}{'decides':>9s}"
    )
    flips = flips_of_views = n = 0
    for seed, (share, how, who) in enumerate(product(SHARES, HOW, WHO)):
        counts = poisoned(nights, share, who, how, seed=seed)
        flips, flips_of_views = flips + counts.flips, flips_of_views + counts.flips_of_views
        n += counts.decided + counts.open
        yield f"{100 * share:6.0f}% {who:10s}{how:20s}{counts.line()}"
    yield f"flips of the gate: {flips} of {n} nights; without a coverage floor: {flips_of_views}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=50, help="of each of the three decisions")
    options = parser.parse_args()
    began = time.process_time()
    print(f"The gate at alpha {ALPHA}, a coverage floor of {FLOOR}; seed {SEED}")
    print(f"{options.nights} nights of each decision: pass, regression, inconclusive")
    print("kept, floor, views: of nights that the full verdicts decide, in %, the decision is the")
    print("  same, or inconclusive since too little is there, or since what is missing decides")
    print("flips: nights on which the gate says pass or regression and the full verdicts do not")
    print("no floor: the same, by the three views alone")
    print(
        "reversed, opened, decides: a gate that drops what is missing says the contrary, leaves a"
    )
    print("  decided night open, decides an open one, in %")
    for table, margin in ((alpaca_eval(), 0.02), (trivia_judging(), 0.03)):
        for line in table_of(table, margin, options.nights):
            print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
