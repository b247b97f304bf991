"""Whether intervals of kappa hold the truth, whichever way the labelled answers were drawn.

The verdicts published with "Judging the Judges" (arXiv 2406.12624) as in `judge_sweep.py`: of 3,595
answers some are drawn for people, at random, as many of each verdict of the judge, or more of where
the judges disagree. Kappa of judge and people is weighted by one over the probability of each
answer, and its interval is that of `judgebench labels report`, percentiles of a bootstrap over
questions. The truth is kappa of all answers. Beside the width stands what was foretold before
anybody labelled, of samples at random.

    python perf/label_samples.py               # about a minute of one core
    python perf/label_samples.py --trials 20
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.stats.agreement import cohen_kappa_of
from judgebench.stats.sampling import allocation, kappa_standard_error
from perf.judge_sweep import BILLIONS, Codes, labels

REPLICATES = 500
LEVELS, LEAST = 5, 0.02
JUDGES = ("Llama3-70B", "Mistral-7B", "Contains")
SIZES = (100, 300)
DESIGNS = ("random", "stratified", "informative")

Floats = NDArray[np.float64]


def strata(design: str, said: Codes, judge: Codes) -> tuple[Codes, Floats]:
    """The stratum of each answer, and what it weighs in the allocation."""
    if design == "random":
        return np.zeros(len(judge), dtype=np.int64), np.ones(1)
    if design == "stratified":
        return judge, np.ones(2)
    share = said.mean(axis=0)
    doubt = 1 - share**2 - (1 - share) ** 2
    level = np.minimum(LEVELS - 1, (LEVELS * doubt / doubt.max()).astype(np.int64))
    means = [doubt[level == one].mean() for one in range(LEVELS)]
    return level, np.sqrt(np.add(means, LEAST)) * np.bincount(level)


def drawn(of: Codes, weights: Floats, n: int, rng: np.random.Generator) -> tuple[Codes, Floats]:
    """Answers, and one over the probability of each."""
    sizes = np.bincount(of)
    take = allocation(sizes.tolist(), weights.tolist(), n)
    chosen = [rng.permutation(np.flatnonzero(of == one))[:many] for one, many in enumerate(take)]
    each = [np.full(many, sizes[one] / many) for one, many in enumerate(take)]
    return np.concatenate(chosen), np.concatenate(each)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--trials", type=int, default=400)
    trials = options.parse_args().trials
    said, truth, question = labels()
    there = (said >= 0).all(axis=0)
    said, truth, question = said[:, there], truth[there], question[there]
    rng = np.random.default_rng(20261129)
    print(f"{trials} samples each of {len(truth)} answers; intervals at 95 %\n")
    print("judge        kappa  answers  sample       coverage  width (foretold)  bias    spread")
    for name in JUDGES:
        judge = said[[*BILLIONS].index(name)]
        table = np.bincount(judge * 2 + truth, minlength=4).reshape(2, 2)
        full = float(cohen_kappa_of(table))
        for n in SIZES:
            for design in DESIGNS:
                of, weights = strata(design, said, judge)
                ends, values = [], []
                for _ in range(trials):
                    at, weight = drawn(of, weights, n, rng)
                    units, unit = np.unique(question[at], return_inverse=True)
                    cell = (unit * 2 + judge[at]) * 2 + truth[at]
                    tables = np.bincount(cell, weight, len(units) * 4).reshape(-1, 4)
                    draws = rng.multinomial(
                        len(units), np.full(len(units), 1 / len(units)), size=REPLICATES
                    )
                    kappas = cohen_kappa_of((draws @ tables).reshape(-1, 2, 2))
                    ends.append(np.nanpercentile(kappas, [2.5, 97.5]))
                    values.append(float(cohen_kappa_of(tables.sum(axis=0).reshape(2, 2))))
                low, high = np.transpose(ends)
                shares = [1 - judge.mean(), judge.mean()]
                width = 3.92 * kappa_standard_error(shares, 1 - np.eye(2), full, n)
                foretold = f"({width:.3f})" if design == "random" else ""
                print(
                    f"{name:12} {full:5.3f} {n:8} {design:12} "
                    f"{((low <= full) & (full <= high)).mean():8.1%} {(high - low).mean():7.3f} "
                    f"{foretold:9} {np.mean(values) - full:+6.3f} {np.std(values):8.3f}"
                )


if __name__ == "__main__":
    main()
