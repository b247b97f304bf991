"""How often the intervals of rankings hold the truth: a simulation, and its figures.

The truth is what the fit gives on a large population of prompts. Prompts are drawn from it with
replacement, as a new benchmark would be; intervals are computed from each draw by resampling
prompts, and for contrast by resampling rows as if judgments were independent, both orders and all.
Populations:

- *round robin*: 8 models, every pair in both orders; a prompt suits some models more than others,
  and the judge prefers what is shown first.
- *against one baseline*: 8 models, two games a prompt with the same model, as Arena-Hard plays
  them, a decisive win counting three times.
- *published*: 29 models against their baseline on AlpacaEval's 805 instructions, judged once, where
  the gold data lie beside the repository.

    python perf/ranking_coverage.py > docs/figures/ranking_coverage.txt     # some minutes
    python perf/ranking_coverage.py --trials 50 --replicates 200
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only wait

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.bradley_terry import Comparisons, compare
from judgebench.stats.ranking import Ranking, rank_models, relative_difference
from judgebench.stats.resample import multinomial_weights

ROOT = Path(__file__).resolve().parents[1]
GOLD = ROOT.parent / "shared" / "gold" / "alpaca_eval" / "annotations.parquet"
SEED = 20240618
BASELINE = "gpt4_1106_preview"

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Population:
    """The same rows (two models each) on every prompt; outcomes by prompt and row."""

    name: str
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    wins: Floats
    ties: Floats
    weights: Floats
    style: Floats
    n_models: int

    def drawn(self, prompts: NDArray[np.int64], *, rows: bool) -> tuple[Comparisons, Floats]:
        n, each = len(prompts), len(self.first)
        made = compare(
            np.arange(n * each) if rows else np.repeat(np.arange(n), each),
            np.tile(self.first, n), np.tile(self.second, n), self.wins[prompts].ravel(),
            ties=self.ties[prompts].ravel(), weights=self.weights[prompts].ravel(),
            n_models=self.n_models, n_prompts=n * each if rows else n, average_repeats=not rows,
        )  # fmt: skip
        return made, self.style[prompts].reshape(-1, 1)


def round_robin(n_prompts: int = 10_000, n: int = 8) -> Population:
    generator = np.random.default_rng([SEED, 1])
    strength = np.linspace(-1.2, 1.2, n)
    one, two = np.triu_indices(n, 1)
    suits = strength + generator.normal(size=(n_prompts, n))
    length = generator.lognormal(sigma=0.4, size=(n_prompts, n)) * np.linspace(1.0, 1.5, n)
    style = relative_difference(length[:, one], length[:, two])
    gap = suits[:, one] - suits[:, two] + 0.8 * style
    # Two readings of one pair differ less than two pairs do.
    noise = generator.logistic(size=gap.shape)
    readings = gap + noise + [[[0.4]], [[-0.4]]] + 0.3 * generator.normal(size=(2, *gap.shape))
    tied, won = np.abs(readings) < 0.3, readings > 0
    return Population(
        name="round robin of 8 models, both orders",
        first=np.r_[one, one], second=np.r_[two, two],
        wins=np.hstack(list((won & ~tied).astype(float))), ties=np.hstack(list(tied.astype(float))),
        weights=np.ones((n_prompts, 2 * len(one))), style=np.hstack([style, style]), n_models=n,
    )  # fmt: skip


def against_baseline(n_prompts: int = 10_000, n: int = 8) -> Population:
    """Two games correlated at 0.7; a win by far counts three times."""
    generator = np.random.default_rng([SEED, 2])
    models = np.arange(1, n)
    quality = np.linspace(-0.8, 0.8, n - 1) + 0.8 * generator.normal(size=(n_prompts, n - 1))
    shared = np.sqrt(0.7) * generator.normal(size=quality.shape)
    games = quality + shared + np.sqrt(0.3) * generator.normal(size=(2, *quality.shape))
    tied, won, far = np.abs(games) < 0.2, games > 0, np.abs(games) > 1.2
    length = generator.lognormal(sigma=0.4, size=(n_prompts, n))
    style = relative_difference(length[:, 1:], length[:, :1])
    return Population(
        name="7 models against one baseline, two games",
        first=np.r_[models, models], second=np.zeros(2 * n - 2, dtype=np.int64),
        wins=np.hstack(list((won & ~tied).astype(float))), ties=np.hstack(list(tied.astype(float))),
        weights=np.hstack(list(np.where(far, 3.0, 1.0))), style=np.hstack([style, style]),
        n_models=n,
    )  # fmt: skip


def published() -> Population:
    import pandas as pd

    table = pd.read_parquet(GOLD, columns=["model", "index", "preference", "output_2"])
    table = table[table.model != BASELINE]
    share = table.pivot_table(index="index", columns="model", values="preference") - 1.0
    # A prompt that some model lacks is left out, so that all have the same rows.
    share = share.dropna()
    names = len(share.columns)
    return Population(
        name=f"published: {names} models against {BASELINE}, {len(share)} instructions",
        first=np.arange(1, names + 1), second=np.zeros(names, dtype=np.int64),
        wins=share.to_numpy(), ties=np.zeros(share.shape), weights=np.ones(share.shape),
        style=np.zeros(share.shape), n_models=names + 1,
    )  # fmt: skip


class Tally:
    def __init__(self) -> None:
        self.held = self.given = self.asked = 0

    def add(self, low: Floats, high: Floats, truth: Floats) -> None:
        with np.errstate(invalid="ignore"):
            self.held += int(((low <= truth) & (truth <= high)).sum())
        self.given += int((~np.isnan(low)).sum())
        self.asked += int(np.size(low))

    def __str__(self) -> str:
        if not self.given:
            return "–"
        share = f"{100 * self.held / self.given:.1f}"
        given = 100 * self.given / self.asked
        return share if self.given == self.asked else f"{share} ({given:.1f})"


def added(found: Ranking, truth: Ranking, tallies: dict[str, Tally]) -> None:
    upper = np.triu_indices(len(truth.strength), 1)
    tallies["difference"].add(
        found.difference_low[upper], found.difference_high[upper], truth.difference[upper]
    )
    tallies["strength"].add(found.low, found.high, truth.strength)
    tallies["rank"].add(found.rank_low, found.rank_high, truth.rank)
    if len(truth.coefficients):
        tallies["coefficient"].add(
            found.coefficients_low, found.coefficients_high, truth.coefficients
        )


def coverage(
    population: Population, n_prompts: int, *, trials: int, replicates: int, level: float,
    model: str, rows: bool,
) -> dict[str, Tally]:  # fmt: skip
    """Hits over draws of ``n_prompts`` prompts."""

    def fit(prompts: NDArray[np.int64], n_draws: int, seed: int, *, by_row: bool) -> Ranking:
        made, style = population.drawn(prompts, rows=by_row)
        draws = multinomial_weights(made.n_prompts, n_draws, seed=seed) if n_draws else None
        return rank_models(
            made, draws=draws, level=level, ties="davidson" if model == "davidson" else "half",
            covariates=style if model == "controlled" else None,
        )  # fmt: skip

    truth = fit(np.arange(len(population.wins)), 0, 0, by_row=rows)
    tallies = {name: Tally() for name in ("difference", "strength", "rank", "coefficient")}
    generator = np.random.default_rng([SEED, n_prompts])
    for trial in range(trials):
        prompts = generator.integers(0, len(population.wins), n_prompts)
        added(fit(prompts, replicates, trial, by_row=rows), truth, tallies)
    return tallies


def report(trials: int, replicates: int) -> Iterator[str]:
    yield (
        f"Coverage in per cent over {trials} draws (a fifth for rows and covariates), "
        f"{replicates} bootstrap replicates, seed {SEED}.\nStandard error of one interval at 95 %: "
        f"{100 * np.sqrt(0.95 * 0.05 / trials):.1f}; figures are means over pairs or models. In "
        "brackets the share of\nintervals given, where not all were. Ranks: at least the level, by "
        "design.\n"
    )
    yield (
        f"{'population':<48} {'prompts':>7} {'model':>11} {'by':>8} {'level':>5} "
        f"{'differences':>14} {'strengths':>14} {'ranks':>14} {'coefficient':>14}"
    )
    populations = [round_robin(), against_baseline()]
    if GOLD.exists():
        populations.append(published())
    for population in populations:
        runs = [(n, "half", rows, 0.95) for n in (60, 200, 500) for rows in (False, True)]
        if population.ties.any():
            runs += [(200, "davidson", False, 0.95), (200, "controlled", False, 0.95)]
        if population.n_models == 8 and (population.second == 0).all():
            runs += [(500, "half", rows, 0.90) for rows in (False, True)]
        for n_prompts, model, rows, level in runs:
            part = max(1, trials // 5) if rows or model == "controlled" else trials
            found = coverage(
                population, n_prompts, trials=part, replicates=replicates, level=level,
                model=model, rows=rows,
            )  # fmt: skip
            yield (
                f"{population.name[:48]:<48} {n_prompts:>7} {model:>11} "
                f"{'rows' if rows else 'prompts':>8} {100 * level:>5.0f} "
                + " ".join(f"{tally!s:>14}" for tally in found.values())
            )
    if not GOLD.exists():
        yield "\nThe published annotations are not here."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=500)
    options = parser.parse_args()
    for line in report(options.trials, options.replicates):
        print(line, flush=True)


if __name__ == "__main__":
    main()
