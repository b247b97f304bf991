"""How often the gate is wrong by Arena-Hard's weighted win rate, and how often it passes.

Nights on the verdicts on 500 questions of 37 models, out of ``tasks/arena_hard/figures``: two
models, and questions drawn with replacement, each with both of its games.

*Nothing changed*: each question's games are exchanged between the two models with probability one
half. A regression is a false alarm; beside the share of nights that pass stands what the gate
promises of it. *Worse by what is allowed*: of two models next to each other by score the worse one
is the candidate, and the allowed drop is the true difference of the two, over all 500 questions:
the gate may pass it as often as alpha. Beside it, how often its upper bound lies below the truth.

*Nights*: a fixed baseline and 30 nights, of which each has the games of one of two models on each
question, at random: how often a slide is ever called of a model that does not change, and of one
that falls by a point a night, since on ever more questions it has the games of a far worse model.

    python perf/gate_rates_weighted.py                 # 2,000 nights of each number of questions
    python perf/gate_rates_weighted.py --nights 200
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import LEAST, Floats
from judgebench.metrics.paired import PairedModels, by_weights, compare, paired_models
from judgebench.metrics.verdict_table import Ints, read_table
from judgebench.metrics.win_rate import weighted_cells
from judgebench.reports.reproduce.arena_hard import BASELINE, HOW, JUDGE, verdict_columns
from judgebench.rows import read_rows
from judgebench.stats.gate_rule import decide
from judgebench.stats.slide import slide
from judgebench.stats.unchanged import passes_every_view, views_exchanged

FIGURES = Path(__file__).resolve().parents[1] / "tasks" / "arena_hard" / "figures"
SEED, ALPHA, MARGIN = 20261130, 0.05, 0.02
SIZES = (20, 30, 50, 100, 250, 500)
NIGHTS = 30


@dataclass(frozen=True)
class Verdicts:
    """Weights and what of them is won, shape (questions, models), and the engine's pair of two."""

    models: tuple[str, ...]
    weight: Floats
    won: Floats
    pair: PairedModels

    @property
    def truth(self) -> Floats:
        return np.asarray(self.won.sum(axis=0) / self.weight.sum(axis=0))

    def two(self, first: int, second: int, drawn: Ints) -> tuple[Floats, Floats]:
        """Weights and wins of two models on questions that were drawn."""
        weight, won = self.weight[drawn], self.won[drawn]
        return weight[:, [first, second]], won[:, [first, second]]

    def paired(self, weight: Floats, won: Floats) -> PairedModels:
        """Two models as the gate has them, nothing missing."""
        n = len(weight)
        none = np.zeros(2, dtype=np.int64)
        plain = replace(
            self.pair, items=tuple(map(str, range(n))), unit_of=np.arange(n), weight=np.ones(n),
            stratum=np.zeros(n, dtype=np.int64), missing=none, expected=none + 2 * n,
            why_not=None,
        )  # fmt: skip
        return by_weights(plain, won, weight)


def published() -> Verdicts:
    rows = read_rows(FIGURES / "ko_verdicts.parquet", ("model", "uid"))
    columns = verdict_columns([row for row in rows if row.text("model") != BASELINE])
    table = read_table(columns, kind="preference")
    cells = weighted_cells(table, np.arange(len(table.values)), HOW.clear)
    weight, won = cells[HOW.rule]
    its = paired_models(
        columns, BoardKind("preference", BASELINE), JUDGE, table.models[0], table.models[1],
        labels=(), weighted=HOW,
    )  # fmt: skip
    found = Verdicts(table.models, weight, won, its)
    ours = found.paired(weight[:, :2], won[:, :2])
    assert np.allclose(ours.mean, its.mean, equal_nan=True)  # the engine's own pair
    return found


def unchanged(of: Verdicts, n: int, nights: int) -> str:
    """A line: false alarms, passes and what was promised of them."""
    rng = np.random.default_rng([SEED, 1, n])
    alarms, passes, promised, tested = 0, 0, 0.0, 0
    for night in range(nights):
        first, second = rng.choice(len(of.models), 2, replace=False)
        weight, won = of.two(first, second, rng.integers(0, len(of.weight), n))
        swap = rng.random(n) < 0.5
        weight[swap], won[swap] = weight[swap, ::-1], won[swap, ::-1]
        pair = of.paired(weight, won)
        if pair.why_not is not None:
            continue
        test = compare(pair, alpha=ALPHA, seed=night).observed
        said = decide(test.low, test.high, margin=MARGIN, units=test.units)
        tested += 1
        alarms += said == "regression"
        passes += said == "pass"
        promised += passes_every_view(
            views_exchanged(test), MARGIN, alpha=ALPHA, width=test.reach, called_at=ALPHA
        )
    k = max(tested, 1)
    return (
        f"{n:9d} {100 * tested / nights:8.1f} {100 * alarms / k:12.2f} {100 * passes / k:8.1f} "
        f"{100 * promised / k:9.1f}"
    )


def worse(of: Verdicts, n: int, nights: int) -> str:
    """A line: a candidate that is worse by what is allowed, how often it passes."""
    rng = np.random.default_rng([SEED, 2, n])
    truth = of.truth
    ranked = np.argsort(-truth)
    next_to = [(i, j) for i, j in pairwise(ranked.tolist()) if truth[i] - truth[j] >= 0.005]
    passes, above, tested = 0, 0, 0
    for night in range(nights):
        better, candidate = next_to[rng.integers(len(next_to))]
        pair = of.paired(*of.two(candidate, better, rng.integers(0, len(of.weight), n)))
        if pair.why_not is not None:
            continue
        test = compare(pair, alpha=ALPHA, seed=night).observed
        drop = float(truth[better] - truth[candidate])
        tested += 1
        passes += test.low > -drop
        above += test.high < -drop
    k = max(tested, 1)
    return f"{n:9d} {100 * tested / nights:8.1f} {100 * passes / k:12.2f} {100 * above / k:8.2f}"


def night(of: Verdicts, drawn: Ints, who: Ints) -> tuple[Floats, Floats]:
    """Weights and wins of a model that is another one on each question."""
    return of.weight[drawn, who], of.won[drawn, who]


def slides(of: Verdicts, n: int, runs: int) -> str:
    """A line: how often a slide is called in 30 nights without one, and with one."""
    rng = np.random.default_rng([SEED, 3, n])
    ranked, truth = np.argsort(-of.truth), of.truth
    called, tested = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    for at in rng.integers(0, len(ranked) // 2 - 1, runs):
        two, worst = ranked[at : at + 2], int(ranked[-8])
        drawn = rng.integers(0, len(of.weight), n)
        for falls in (0, 1):
            base, pairs = night(of, drawn, two[rng.integers(0, 2, n)]), []
            for number in range(1, NIGHTS + 1):
                share = 0.01 * falls * number / (truth[two].mean() - truth[worst])
                who = np.where(rng.random(n) < share, worst, two[rng.integers(0, 2, n)])
                both = zip(night(of, drawn, who), base, strict=True)
                pairs.append(of.paired(*(np.stack(one, axis=1) for one in both)))
            if all(pair.why_not is None for pair in pairs):
                apart = [pair.mean[:, 0] - pair.mean[:, 1] for pair in pairs]
                tested[falls] += 1
                called[falls] += max(slide(np.array([np.zeros(n), *apart])).e_values) >= 1 / ALPHA
    rates = 100.0 * called / np.maximum(tested, 1)
    return f"{n:9d} {100 * tested[0] / runs:8.1f} {rates[0]:12.2f} {rates[1]:8.1f}"


def lines(nights: int) -> Iterator[str]:
    of = published()
    error = 200.0 * math.sqrt(ALPHA * (1 - ALPHA) / nights)
    yield "The gate by weighted win rates: one test at alpha 0.05, an allowed drop of 2 points"
    yield f"{len(of.models)} models, {nights} nights of each number of questions, seed {SEED}"
    yield f"tested: where both won and lost {LEAST} items; the other columns are of these, in %"
    yield f"bound: alpha and two standard errors where all are tested, {100 * ALPHA + error:.2f}"
    yield "\nNothing changed"
    yield f"{'questions':>9s} {'tested':>8s} {'false alarms':>12s} {'passed':>8s} {'promised':>9s}"
    for n in SIZES:
        yield unchanged(of, n, nights)
    yield "\nWorse by exactly what is allowed"
    yield f"{'questions':>9s} {'tested':>8s} {'passed':>12s} {'above':>8s}"
    for n in SIZES:
        yield worse(of, n, nights)
    runs = nights // 10
    yield f"\n{NIGHTS} nights since a fixed baseline, {runs} times: a slide is called at 5 %"
    yield f"{'questions':>9s} {'tested':>8s} {'false alarms':>12s} {'called':>8s}"
    for n in SIZES[2:]:
        yield slides(of, n, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=2000)
    asked = parser.parse_args()
    began = time.process_time()
    for line in lines(asked.nights):
        print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
