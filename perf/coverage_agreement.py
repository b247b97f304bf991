"""How often the 95 % intervals of agreement hold the truth: a simulation, and its figures.

A population of items is taken as the truth. Items are drawn from it with replacement, as a new
benchmark would be; intervals are computed from each draw as `judgebench.metrics` computes them,
and for contrast as if rows were independent; counted is how often they hold the population's
coefficient. One population is real: the verdicts published with "Judging the Judges"
(arXiv 2406.12624), where the gold data lie beside the repository. One is made up, so that the
script runs anywhere.

    python perf/coverage_agreement.py            # a few minutes; writes docs/figures/
    python perf/coverage_agreement.py --trials 50 --output /dev/stdout
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.agreement import coefficient
from judgebench.stats.resample import (
    bca_interval,
    leave_one_out_sums,
    multinomial_weights,
    percentile_interval,
    weighted_sums,
)

ROOT = Path(__file__).resolve().parents[1]
GOLD = ROOT.parent / "shared" / "gold" / "trivia_judging" / "judgments.parquet"
FIGURES = ROOT / "docs" / "figures" / "coverage_agreement.md"

SEED = 20240618
REPLICATES = 1000
SIZES = (40, 100, 400)
JUDGES = ("GPT-4", "Llama3-70B", "Contains", "Gemma-2B")
METRICS = ("agreement", "cohen_kappa", "scott_pi", "gwet_ac1", "score_delta", "p_c", "p_plus")

Floats = NDArray[np.float64]
Counts = dict[tuple[str, str], list[int]]  # (metric, column) -> [held, given, asked]
COLUMNS = ("pooled, rows", "pooled, items", "pooled, items, BCa", "macro, items", "one model")


def published(judge: str) -> Floats:
    """Contributions (400 items, 9 models, 2, 2) of a judge against the human labels."""
    import pandas as pd

    table = pd.read_parquet(GOLD)
    table = table[~table["stale"] & table[judge].notna()]
    models = {name: i for i, name in enumerate(sorted(table["exam_taker"].unique()))}
    contributions = np.zeros((400, len(models), 2, 2))
    places = (
        table["question_id"].to_numpy(),
        table["exam_taker"].map(models).to_numpy(),
        table[judge].astype(int).to_numpy(),
        table["human"].astype(int).to_numpy(),
    )
    contributions[places] = 1.0
    return contributions


def made_up() -> Floats:
    """4 000 items, 6 models, and a judge whose errors are mostly the item's."""
    generator = np.random.default_rng(SEED)
    easy = generator.beta(1.2, 0.8, size=(4000, 1))
    misled = generator.random((4000, 1)) < 0.2
    human = (generator.random((4000, 6)) < easy).astype(int)
    slip = generator.random((4000, 6)) < np.where(misled, 0.7, 0.03)
    judge = np.where(slip, 1 - human, human)
    return np.asarray(np.eye(4)[2 * judge + human].reshape(4000, 6, 2, 2))


def coverage(population: Floats, n_items: int, trials: int) -> Counts:
    """Hits of each kind of interval over draws of ``n_items`` items."""
    generator = np.random.default_rng([SEED, n_items])
    truth = population.sum(axis=0)
    counts: Counts = {(m, c): [0, 0, 0] for m in METRICS for c in COLUMNS}
    for trial in range(trials):
        drawn = population[generator.integers(0, len(population), n_items)]
        weights = multinomial_weights(n_items, REPLICATES, seed=trial)
        sums, left_out = weighted_sums(weights, drawn), leave_one_out_sums(drawn)
        cells = drawn.sum(axis=(0, 1)).ravel()
        # Drawing rows with replacement is drawing cells of their table.
        rows = generator.multinomial(int(cells.sum()), cells / cells.sum(), size=REPLICATES)
        for metric in METRICS:
            by_model, pooled = coefficient(metric, sums), coefficient(metric, sums.sum(axis=1))
            true_by_model = coefficient(metric, truth)
            true = float(coefficient(metric, truth.sum(axis=0)))
            here = coefficient(metric, drawn.sum(axis=(0, 1)))
            without = coefficient(metric, left_out.sum(axis=1))
            by_row = coefficient(metric, rows.reshape(-1, 2, 2))
            for column, interval, target in (
                ("pooled, rows", percentile_interval(by_row), true),
                ("pooled, items", percentile_interval(pooled), true),
                ("pooled, items, BCa", bca_interval(here, pooled, without), true),
                ("macro, items", percentile_interval(by_model.mean(axis=1)), true_by_model.mean()),
                ("one model", percentile_interval(by_model), true_by_model),
            ):
                low, high = interval
                held = (low <= target) & (target <= high)
                found = counts[metric, column]
                found[0] += int(held.sum())
                found[1] += int((~np.isnan(low)).sum())
                found[2] += int(np.size(low))
    return counts


def report(populations: dict[str, Floats], trials: int) -> Iterator[str]:
    yield "# Coverage of the intervals of agreement\n"
    yield (
        f"Written by `perf/coverage_agreement.py`: {trials} draws of items with replacement, "
        f"{REPLICATES} bootstrap replicates each, seed {SEED}. Figures are the share of 95 % "
        "intervals that hold the population's value, in per cent; the standard error of 95 % at "
        f"this many draws is {100 * np.sqrt(0.95 * 0.05 / trials):.1f}. Where not all draws had "
        "an interval, the share that had one stands in brackets.\n"
    )
    yield (
        "*rows* resamples verdicts as if they were independent (not what judgebench does), "
        "*items* resamples items with all their verdicts, *one model* is the mean over models "
        "of the coverage of the model's own coefficient.\n"
    )
    for name, population in populations.items():
        yield f"## {name}\n"
        yield f"| items | coefficient | {' | '.join(COLUMNS)} |"
        yield f"|---|---|{'---|' * len(COLUMNS)}"
        for n_items in SIZES:
            counts = coverage(population, n_items, trials)
            for metric in METRICS:
                figures = [_figure(*counts[metric, column]) for column in COLUMNS]
                yield f"| {n_items} | {metric} | {' | '.join(figures)} |"
        yield ""


def _figure(held: int, given: int, asked: int) -> str:
    if not given:
        return "–"
    share = f"{100 * held / given:.1f}"
    return share if given == asked else f"{share} ({100 * given / asked:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=FIGURES)
    options = parser.parse_args()
    populations = {"Made-up verdicts, errors shared within an item": made_up()}
    output: Path | None = options.output
    if GOLD.exists():
        populations |= {f"Published verdicts of {j} against people": published(j) for j in JUDGES}
    elif output == FIGURES:
        print(
            "The published verdicts are not here (../shared/gold/trivia_judging beside the "
            f"repository): made-up ones alone, and {FIGURES.name} is left as it is.\n"
        )
        output = None
    text = "\n".join(report(populations, options.trials)).rstrip() + "\n"
    if output is None:
        print(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)


if __name__ == "__main__":
    main()
