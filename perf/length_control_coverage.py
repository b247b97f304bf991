"""How often the 95 % intervals of length-controlled win rates hold the truth: a simulation.

A population of instructions with several models' verdicts is taken as the truth: its exact
length-controlled win rates, and their differences. Instructions are drawn from it with
replacement, as a new benchmark would be; each draw is fitted as boards fit it, the strength of the
penalty cross-validated anew (hardly any without anchors), and given expanded percentile intervals
from a bootstrap over instructions with that strength kept. For contrast: 1.96 of the standard error
that AlpacaEval prints.

One population is real, the published verdicts where the gold data lie beside the repository, with
anchors; one is made up, without, so that the script runs anywhere.

    python perf/length_control_coverage.py               # minutes; figures to standard output
    python perf/length_control_coverage.py --trials 50
    python perf/length_control_coverage.py --c 1e4       # what choosing the penalty costs
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads only wait

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.length_control import CANDIDATES, Anchors, exact, replicates
from judgebench.stats.resample import expanded_level, multinomial_weights, percentile_interval

ROOT = Path(__file__).resolve().parents[1]
GOLD = ROOT.parent / "shared" / "gold" / "alpaca_eval"

SEED = 20240406
REPLICATES = 1000
SIZES = (50, 100, 200, 805)
MODELS = (
    "FuseChat-Llama-3.1-8B-Instruct",
    "FuseChat-Llama-3.2-3B-Instruct",
    "claude-2",
    "gpt-3.5-turbo-0301",
    "OpenHermes-2.5-Mistral-7B",
    "nous-hermes-13b",
    "alpaca-7b",
    "chatglm2-6b",
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Verdicts and lengths (models, items), difficulty (items,), and the calibration's anchors."""

    models: tuple[str, ...]
    preference: Floats
    difference: Floats
    difficulty: Floats
    anchors: Anchors | None


def published() -> Population:
    import pandas as pd

    items = pd.read_parquet(GOLD / "instructions.parquet").sort_values("index")
    table = pd.read_parquet(
        GOLD / "annotations.parquet", columns=["model", "index", "output_2", "preference"]
    )
    gamed = pd.read_parquet(GOLD / "gamed_baseline_recovered.parquet")
    baseline = items.baseline_output.str.len().to_numpy()
    preference = np.full((len(MODELS), len(items)), np.nan)
    difference = preference.copy()
    for place, model in enumerate(MODELS):
        rows = table[table.model == model]
        at = rows["index"].to_numpy()
        preference[place, at] = rows.preference.to_numpy() - 1
        difference[place, at] = baseline[at] - rows.output_2.str.len().to_numpy()
    return Population(
        models=MODELS,
        preference=preference,
        difference=difference,
        difficulty=items.instruction_difficulty_recovered.to_numpy(),
        anchors=Anchors(
            std_length=gamed.std_delta_len.to_numpy(),
            difficulty=gamed.instruction_difficulty.to_numpy(),
            preference=gamed.preference_pseudo.to_numpy(),
        ),
    )


def made_up() -> Population:
    """8 000 items and four models, from even with the baseline to far behind it."""
    generator = np.random.default_rng(SEED)
    n, intercepts = 8000, (0.3, -0.8, -2.0, -3.2)
    difficulty = generator.normal(0.0, 1.5, n)
    shape = (len(intercepts), n)
    typical = generator.lognormal(6.0, 0.6, n)  # long answers are asked for by the instruction
    difference = typical * generator.normal(1.0, 1.0, shape)
    t = np.tanh(difference / difference.std(axis=1, ddof=1, keepdims=True))
    eta = -1.8 * t + difficulty + np.array(intercepts)[:, np.newaxis]
    wins = (generator.random(shape) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    return Population(
        models=tuple(f"intercept {value}" for value in intercepts),
        preference=np.abs(wins - generator.beta(0.3, 6.0, shape)),
        difference=difference,
        difficulty=difficulty,
        anchors=None,
    )


def simulate(population: Population, n_items: int, trials: int, c: float | None) -> Iterator[str]:
    """A line for each model, and one for all differences of two models."""
    p = population
    c = c or (CANDIDATES[-1] if p.anchors is None else None)
    level = expanded_level(0.95, n_items, n_parameters=3)
    n_models = len(p.models)
    truth = np.array(
        [
            exact(p.preference[m], p.difference[m], p.difficulty, anchors=p.anchors, c=c).value
            for m in range(n_models)
        ]
    )
    first, second = np.triu_indices(n_models, 1)
    generator = np.random.default_rng([SEED, n_items])
    estimates, errors = np.full((trials, n_models), np.nan), np.full((trials, n_models), np.nan)
    held, held_apart = np.zeros(n_models), 0.0
    for trial in range(trials):
        drawn = generator.integers(0, len(p.difficulty), n_items)
        y, difference, d = p.preference[:, drawn], p.difference[:, drawn], p.difficulty[drawn]
        fits = [
            exact(y[m], difference[m], d, anchors=p.anchors, c=c, min_valid=1)
            for m in range(n_models)
        ]
        weights = multinomial_weights(n_items, REPLICATES, seed=trial)
        draws = replicates(y, difference, d, fits=fits, weights=weights, anchors=p.anchors)
        low, high = percentile_interval(draws, level=level)
        held += (low <= truth) & (truth <= high)
        low, high = percentile_interval(draws[:, first] - draws[:, second], level=level)
        apart = truth[first] - truth[second]
        held_apart += float(((low <= apart) & (apart <= high)).mean())
        estimates[trial] = [fit.value for fit in fits]
        errors[trial] = [fit.published_error for fit in fits]
    by_published = (np.abs(estimates - truth) <= 1.96 * errors).mean(axis=0)
    for m, model in enumerate(p.models):
        yield (
            f"{n_items:5d}  {model:32s} {truth[m]:6.2f} {estimates[:, m].mean():8.2f} "
            f"{estimates[:, m].std(ddof=1):6.2f} {errors[:, m].mean():9.2f} "
            f"{100 * held[m] / trials:8.1f} {100 * by_published[m]:10.1f}"
        )
    yield (
        f"{n_items:5d}  {'all models':32s} {'':6s} {'':8s} {'':6s} {'':9s} "
        f"{100 * held.mean() / trials:8.1f} {100 * by_published.mean():10.1f}"
    )
    yield (
        f"{n_items:5d}  {'differences of two models':32s} {'':6s} {'':8s} {'':6s} {'':9s} "
        f"{100 * held_apart / trials:8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--c", type=float, help="of every fit, instead of cross-validation")
    parser.add_argument("--made-up", action="store_true", help="leave the published verdicts out")
    options = parser.parse_args()
    print("Coverage of 95 % intervals of the length-controlled win rate")
    print(
        f"{options.trials} draws of instructions, {REPLICATES} bootstrap replicates each, seed "
        f"{SEED}, c {options.c or 'as on boards'}; the standard error of 95 % at this many "
        f"draws is {100 * np.sqrt(0.95 * 0.05 / options.trials):.1f}"
    )
    populations = {"made-up verdicts, no anchors": made_up()}
    there = (GOLD / "annotations.parquet").exists()
    if there and not options.made_up:
        populations["published verdicts of AlpacaEval 2, with anchors"] = published()
    if not there:
        print("The published verdicts (../shared/gold/alpaca_eval) are not here: left out.")
    started = time.process_time()
    for name, population in populations.items():
        print(f"\n{name}")
        print(
            f"{'items':>5s}  {'model':32s} {'truth':>6s} {'estimate':>8s} {'sd':>6s} "
            f"{'lc_s.e.':>9s} {'interval':>8s} {'1.96 s.e.':>10s}"
        )
        for n_items in options.sizes:
            for line in simulate(population, n_items, options.trials, options.c):
                print(line, flush=True)
    print(f"\n{time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
