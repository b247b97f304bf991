"""How often the 95 % intervals of best-of-n curves hold the truth, and how far the curves are off.

Questions are drawn anew, each with 16 answers; a scorer sees an answer's worth with noise, a judge
with another noise, on a scale or as right and wrong. What the answer is worth in the mean that the
scorer picks among n new ones is computed once, over very many questions. Curves and intervals are
those of `judgebench leaderboard --best-of` (`judgebench.reports.samples.points_of`). Below stand
components of variance by `judgebench.stats.best_of.variance_components`, with the truth.

    python perf/best_of.py                  # ten minutes of one core; prints two tables
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
from numpy.typing import NDArray

from judgebench.reports.samples import points_of
from judgebench.stats.best_of import variance_components

SEED = 20261129
SAMPLES, MANY, PARTS = 16, 50_000, 20
SHOWN = (1, 2, 4, 8, 16)
SIZES = (20, 50, 200)
SPREADS = {"item": 1.0, "sample": 0.5, "judge": 0.2, "item x judge": 0.3, "rest": 0.6}

Floats = NDArray[np.float64]


def answers(
    items: int, samples: int, binary: bool, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """What a scorer and a judge say of answers, each of shape (items, samples)."""
    worth = generator.normal(size=(items, 1)) + generator.normal(size=(items, samples))
    scores = worth + 0.7 * generator.normal(size=worth.shape)
    said = worth + 0.5 * generator.normal(size=worth.shape)
    return scores, (said > 1.0).astype(float) if binary else said


@cache
def truth_of(n: int, binary: bool, parts: int) -> float:
    """Of the best of n, over very many questions."""
    means = []
    for part in range(parts):
        scores, said = answers(MANY, n, binary, np.random.default_rng([SEED, n, binary, part]))
        means.append(said[np.arange(MANY), scores.argmax(axis=1)].mean())
    return float(np.mean(means))


def held(items: int, trials: int, binary: bool, parts: int = PARTS) -> tuple[Floats, Floats]:
    """Share of intervals that hold the truth, and the mean of the curves less the truth, by n."""
    truth = np.array([truth_of(n, binary, parts) for n in SHOWN])
    holds, off = np.zeros((trials, len(SHOWN))), np.zeros((trials, len(SHOWN)))
    for trial in range(trials):
        scores, said = answers(items, SAMPLES, binary, np.random.default_rng([SEED, items, trial]))
        ends = (0.0, 1.0) if binary else (-np.inf, np.inf)
        names = [str(item) for item in range(items)]
        scored, told = (
            {name: dict(enumerate(row)) for name, row in zip(names, rows.tolist(), strict=True)}
            for rows in (scores, said)
        )
        points = points_of(scored, told, SAMPLES, ends, level=0.95)
        best = [points[str(n)] for n in SHOWN]
        holds[trial] = [b.low <= t <= b.high for b, t in zip(best, truth, strict=True)]
        off[trial] = [b.value - t for b, t in zip(best, truth, strict=True)]
    return holds.mean(axis=0), off.mean(axis=0)


def components(trials: int) -> dict[str, float]:
    """The mean of the estimates of 40 items, 4 samples and 3 judges."""
    generator = np.random.default_rng(SEED)
    found = []
    for _ in range(trials):
        y = generator.normal(0, SPREADS["rest"], (40, 4, 3))
        y += generator.normal(0, SPREADS["item"], (40, 1, 1))
        y += generator.normal(0, SPREADS["sample"], (40, 4, 1))
        y += generator.normal(0, SPREADS["judge"], (1, 1, 3))
        y += generator.normal(0, SPREADS["item x judge"], (40, 1, 3))
        found.append(variance_components(y))
    return {name: float(np.mean([one[name] for one in found])) for name in SPREADS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    print(f"95 % intervals of the best of n of {SAMPLES} answers, {trials} trials: share that hold")
    print("the truth (curve less truth, in the mean)")
    print(f"{'verdicts':<9}{'items':>6}" + "".join(f"{f'n = {n}':>17}" for n in SHOWN))
    for binary in (False, True):
        for items in SIZES:
            shares, off = held(items, trials, binary)
            cells = (f"{s:.3f} ({o:+.4f})" for s, o in zip(shares, off, strict=True))
            told = "right" if binary else "scores"
            print(f"{told:<9}{items:>6}" + "".join(f"{cell:>17}" for cell in cells), flush=True)
    print(f"\ncomponents of variance, mean of {4 * trials} estimates (truth)")
    for name, value in components(4 * trials).items():
        print(f"{name:<14}{value:.4f} ({SPREADS[name] ** 2:.4f})")


if __name__ == "__main__":
    main()
