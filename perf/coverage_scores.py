"""How often the 95 % intervals of judges' correlations with people hold the truth.

Questions are drawn anew, as a new benchmark would be, and intervals are percentiles over weightings
of questions, as `judgebench.metrics.score_agreement` computes them. In one population eight systems
answer every question, and the truth is the correlation over very many questions. The other is real:
the answers that CritiqueLLM's authors had scored, one system a question mostly, where the gold data
lie beside the repository; questions are drawn from it with replacement, and it is the truth itself.
The judges are made up: people's score with noise, in whole numbers from 1 to 10. One of them likes
some systems better than people do. Over many questions the others rank systems as people do: their
correlation over systems is all but 1, an end that percentiles of replicates do not reach.

    python perf/coverage_scores.py            # four minutes of one core; prints a table
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.rank_correlation import (
    CORRELATIONS,
    sample_contributions,
    system_contributions,
    system_correlations,
)
from judgebench.stats.resample import multinomial_weights, percentile_interval, weighted_sums

GOLD = Path(__file__).resolve().parents[2] / "shared" / "gold" / "alignbench"
SAMPLE = GOLD / "human_pointwise_reference_based.parquet"
SEED = 20260711
REPLICATES = 1000
SYSTEMS = 8
SIZES = (50, 100, 400)
MANY = 20_000
NOISE = {"near": 1.5, "far": 4.0, "biased": 1.5}
LIKES = {"biased": np.array([1.2, -0.9, 0.6, -1.2, 0.9, 0.0, -0.9, 0.3])}
"""How far a judge likes each system better than people do."""

EVEN = np.zeros(SYSTEMS)

Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    print(f"95 % intervals, {trials} trials of {REPLICATES} replicates; share that hold the truth")
    print(f"{'population':<10} {'judge':<6} {'level':<8} {'questions':>9}", end="")
    print("".join(f"{name:>10}" for name in CORRELATIONS))
    for population, judge, level, n, held in rows(trials):
        shares = "".join(f"{share:>10.3f}" for share in held)
        print(f"{population:<10} {judge:<6} {level:<8} {n:>9}{shares}", flush=True)


def rows(trials: int) -> Iterator[tuple[str, str, str, int, Floats]]:
    for judge, noise in NOISE.items():
        likes = LIKES.get(judge, EVEN)
        many = drawn(MANY, noise, likes, np.random.default_rng(SEED))
        truth = {level: correlation(one.sum(axis=0)) for level, one in many.items()}
        for n in SIZES:
            held = {level: np.zeros(len(CORRELATIONS)) for level in truth}
            for trial in range(trials):
                sample = drawn(n, noise, likes, np.random.default_rng([SEED, n, trial]))
                for level, contributions in sample.items():
                    held[level] += holds(contributions, truth[level], seed=trial)
            for level, count in held.items():
                yield "made up", judge, level, n, count / trials
        if SAMPLE.exists():
            yield ("gold", judge, "systems", *of_gold(noise, likes, trials))


def drawn(n: int, noise: float, likes: Floats, generator: np.random.Generator) -> dict[str, Floats]:
    """Contributions of n questions, each answered by every system."""
    hard = generator.normal(0.0, 0.7, (n, 1))
    good = np.linspace(2.0, 4.0, SYSTEMS) + hard + generator.normal(0.0, 1.0, (n, SYSTEMS))
    people = np.clip(np.round(good), 1, 5)
    scores = judged(people, likes, noise, generator)
    question, system = (axis.ravel() for axis in np.indices(people.shape))
    within = np.zeros((n, len(CORRELATIONS), 2))
    found = sample_contributions(scores.ravel(), people.ravel(), question)
    within[: len(found)] = found
    of_systems = system_contributions(
        scores.ravel(), people.ravel(), system, n_systems=SYSTEMS
    ).reshape(n, SYSTEMS, SYSTEMS, 3)
    return {"answers": within, "systems": of_systems.sum(axis=1)}


def judged(people: Floats, likes: Floats, noise: float, generator: np.random.Generator) -> Floats:
    return np.clip(np.round(2 * people + likes + generator.normal(0.0, noise, people.shape)), 1, 10)


def correlation(sums: Floats) -> Floats:
    """Of sums at either level."""
    return sums[..., 0] / sums[..., 1] if sums.shape[-1] == 2 else system_correlations(sums)


def holds(contributions: Floats, truth: Floats, *, seed: int) -> NDArray[np.bool_]:
    weights = multinomial_weights(len(contributions), REPLICATES, seed=seed)
    low, high = percentile_interval(correlation(weighted_sums(weights, contributions)))
    return (low <= truth) & (truth <= high)


def of_gold(noise: float, likes: Floats, trials: int) -> tuple[int, Floats]:
    import pandas as pd

    table = pd.read_parquet(SAMPLE)
    people = table["human_score"].to_numpy(dtype=np.float64)
    _, system = np.unique(table["model"], return_inverse=True)
    scores = judged(people, likes[system], noise, np.random.default_rng(SEED))
    _, question = np.unique(table["question"], return_inverse=True)
    by_answer = system_contributions(scores, people, system, n_systems=SYSTEMS)
    contributions = np.zeros((question.max() + 1, SYSTEMS, 3))
    np.add.at(contributions, question, by_answer)
    truth = correlation(contributions.sum(axis=0))
    held, n = np.zeros(len(CORRELATIONS)), len(contributions)
    for trial in range(trials):
        again = np.random.default_rng([SEED, trial]).integers(0, n, n)
        held += holds(contributions[again], truth, seed=trial)
    return n, held / trials


if __name__ == "__main__":
    main()
