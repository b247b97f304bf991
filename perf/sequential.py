"""How early it is decided which of two models is better, how often rightly, and at what error rate.

All pairs of the models of AlpacaEval's published files, each in some random orders of the 805
items, are judged as `judgebench run --stop-when-decided` judges: until the plan decides, and beside
what all items decide (a two-sided z test at 0.05). *A/A*: on every item the two verdicts are dealt
at random to two made-up models, which are alike, so that each decision is a false one; covariates
stay as they are. *Coverage*: 805 items are drawn with replacement, and what they were drawn from is
the truth; beside it that of the plain interval of the items at which it stopped. *Few items, right
or wrong*: models that are alike and differ on some share of the items.

Covariates are what the judge said of the other 27 models (difficulty) and how much longer the one's
answers are (lengths). Read from ``--gold``, a folder with ``annotations.parquet``.

    python perf/sequential.py > docs/figures/sequential.txt      # some ten minutes of one core
    python perf/sequential.py --orders 2
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from judgebench.stats.sequential import (
    SHAPE,
    SHAPE_WITH_STRATA,
    SequentialTest,
    confidence_sequence,
    estimate,
    looks,
    random_order,
    sequential_tests,
    strata_of,
    wang_tsiatis,
)

SEED, ALPHA, Z = 20261129, 0.05, 1.959964
GOLD = Path(__file__).resolve().parents[2] / "shared" / "gold" / "alpaca_eval"

Floats = NDArray[np.float64]


class Looks(Sequence[tuple[float, float, int]]):
    """The estimates at each look, made when they are looked at."""

    def __init__(self, d: Floats, at: NDArray[np.int64], strata: NDArray[np.int64] | None) -> None:
        self.d, self.at, self.strata, self.items = d, at, strata, np.ones(len(d))

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, look: Any) -> Any:
        n = int(self.at[look])
        its = None if self.strata is None else self.strata[:n]
        return estimate(self.d[:n], self.items[:n], its)


def decided(
    d: Floats, strata: NDArray[np.int64] | None = None, *, open_ended: bool = False
) -> tuple[SequentialTest, int]:
    """What differences in an order come to, and after how many."""
    at, bounds = schedule(len(d), strata is not None, open_ended)
    (test,) = sequential_tests([Looks(d, at, strata)], bounds, alpha=ALPHA)
    return test, int(at[test.look])


@cache
def schedule(
    n: int, strata: bool, open_ended: bool
) -> tuple[NDArray[np.int64], Callable[[float], Floats]]:
    at = looks(n, open_ended=open_ended)
    if open_ended:
        return at, cache(lambda level: confidence_sequence(at, alpha=level))
    shape = SHAPE_WITH_STRATA if strata else SHAPE
    return at, cache(lambda level: wang_tsiatis(at, alpha=level, shape=shape))


@dataclass
class Found:
    """What came of a way of deciding, pair by pair."""

    agree: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)
    alike: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        told = [100.0 * float(np.mean(its)) for its in (self.agree, self.wrong, self.judged)]
        error = 100.0 * np.std(self.judged) / np.sqrt(len(self.judged))
        return (
            f"{name:<44}{told[0]:>8.2f}{told[1]:>8.3f}{told[2]:>9.2f} ± {error:.2f}"
            f"{100.0 * np.mean(self.alike):>9.2f} ± {100.0 * spread(self.alike):.2f}"
        )


def spread(values: Sequence[float]) -> float:
    return float(np.std(values) / np.sqrt(len(values)))


def read(gold: Path) -> tuple[Floats, Floats]:
    """Preferences and lengths, shape (items, models); an item without a verdict is a draw."""
    told = parquet.read_table(
        gold / "annotations.parquet", columns=["model", "index", "preference", "output_2"]
    ).to_pydict()
    models = {name: place for place, name in enumerate(sorted(set(told["model"])))}
    n = max(told["index"]) + 1
    preference, length = np.full((n, len(models)), 0.5), np.full((n, len(models)), np.nan)
    rows = zip(told["model"], told["index"], told["preference"], told["output_2"], strict=True)
    for model, item, said, text in rows:
        at = item, models[model]
        length[at] = np.log1p(len(text or ""))
        preference[at] = 0.5 if said is None or np.isnan(said) else said - 1.0
    return preference, length


def replay(preference: Floats, length: Floats, orders: int, *, models: int | None = None) -> Any:
    """Every pair in each of some orders: by name of the way, what came of it."""
    generator = np.random.default_rng(SEED)
    found = {name: Found() for name in WAYS}
    n, every = preference.shape
    for first, second in combinations(range(models or every), 2):
        d = preference[:, first] - preference[:, second]
        others = [one for one in range(every) if one not in (first, second)]
        strata = strata_of(preference[:, others].mean(1), length[:, first] - length[:, second])
        z = d.mean() / (d.std(ddof=1) / np.sqrt(n))
        whole = "undecided" if abs(z) < Z else "better" if z > 0 else "worse"
        for name, (by_strata, open_ended) in WAYS.items():
            codes = strata if by_strata else None
            said, used, alike = [], [], []
            for _ in range(orders):
                order = random_order(generator.random(n), codes)
                its = None if codes is None else codes[order]
                test, after = decided(d[order], its, open_ended=open_ended)
                said.append(test.decision)
                used.append(after / n)
                dealt = d[order] * generator.choice([-1.0, 1.0], n)
                test, _ = decided(dealt, its, open_ended=open_ended)
                alike.append(test.decision != "undecided")
            its_found = found[name]
            its_found.alike.append(float(np.mean(alike)))
            if whole != "undecided":
                right = [one == whole for one in said]
                its_found.agree.append(float(np.mean(right)))
                its_found.wrong.append(
                    float(np.mean([one not in (whole, "undecided") for one in said]))
                )
                its_found.judged.append(float(np.mean(used)))
    return found


WAYS = {
    "in a random order": (False, False),
    "with difficulty and lengths as covariates": (True, False),
    "as if more items could come": (False, True),
}


def coverage(preference: Floats, times: int, *, models: int | None = None) -> tuple[Floats, Floats]:
    """Of each pair the share of repeated, and of plain, intervals at the stop that hold the truth.

    Items are drawn with replacement.
    """
    generator = np.random.default_rng(SEED + 1)
    n, every = preference.shape
    found = []
    for first, second in combinations(range(models or every), 2):
        d = preference[:, first] - preference[:, second]
        held = []
        for _ in range(times):
            drawn = d[generator.integers(0, n, n)]
            test, after = decided(drawn)
            mean, error, _ = estimate(drawn[:after], np.ones(after))
            plain = abs(mean - d.mean()) <= Z * error
            held.append((test.low <= d.mean() <= test.high, plain))
        found.append(np.mean(held, axis=0))
    both = np.array(found)
    return both[:, 0], both[:, 1]


def right_or_wrong(n: int, differ: float, times: int) -> float:
    """How often models that are alike are told apart which differ on this share of n items."""
    generator = np.random.default_rng(SEED + 2)
    draws = generator.choice([-1.0, 0.0, 1.0], (times, n), p=[differ / 2, 1 - differ, differ / 2])
    return float(np.mean([decided(d)[0].decision != "undecided" for d in draws]))


def lines(preference: Floats, length: Floats, orders: int) -> Iterator[str]:
    n, models = preference.shape
    found = replay(preference, length, orders)
    pairs, sure = len(found["in a random order"].alike), len(found["in a random order"].agree)
    yield f"{pairs} pairs of {models} models of AlpacaEval, {n} items, {orders} orders each; "
    yield f"alpha {ALPHA}, seed {SEED}; per cent, of the {sure} pairs that all items decide"
    yield ""
    yield f"{'':<44}{'as all':>8}{'wrong':>8}{'judged':>9}{'':>7}{'A/A':>9}"
    for name, its in found.items():
        yield its.line(name)
    yield "bounds: as all at least 96, wrong at most 0.1, judged at most 30 (28 with covariates), "
    yield "A/A at most 5.5"
    yield ""
    yield "Coverage of 95 % intervals at the stop, items drawn with replacement; per cent"
    repeated, plain = coverage(preference, max(2, orders // 4))
    for name, held in (("repeated", repeated), ("plain, of the same items", plain)):
        yield f"{name:<44}{100 * held.mean():>8.2f} ± {100 * spread(held.tolist()):.2f}"
    yield ""
    yield "Models that are alike, items right or wrong: called different, per cent"
    for size in (50, 100, 400):
        for differ in (0.05, 0.2, 0.5):
            share = right_or_wrong(size, differ, 100 * orders)
            yield f"{size:>5} items, {100 * differ:>3.0f} % differ{100 * share:>8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--gold", type=Path, default=GOLD)
    options = parser.parse_args()
    for line in lines(*read(options.gold), options.orders):
        print(line.rstrip(), flush=True)


if __name__ == "__main__":
    main()
