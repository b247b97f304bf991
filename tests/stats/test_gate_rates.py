"""How often an unchanged model is called worse by what is no mean over items.

Reduced; ``perf/gate_rates_fitted.py`` runs the full one.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from judgebench.metrics.confidence import statistics
from judgebench.stats.length_control import Anchors, exact, replicates
from judgebench.stats.paired_bootstrap import bootstrap_test
from judgebench.stats.resample import multinomial_weights
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
SEED = 20261126
ALPHA = 0.05
NAMES = {"ece": "ece_plug_in"}
"""The statistics that metrics are tested by, where they are called otherwise."""
MODELS = (
    "FuseChat-Llama-3.1-8B-Instruct", "claude-2", "gpt-3.5-turbo-0301",
    "OpenHermes-2.5-Mistral-7B", "nous-hermes-13b", "alpaca-7b",
)  # fmt: skip

Floats = np.ndarray


def exchanged(one: Floats, other: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """All that two models have of an item changes hands, or not."""
    swap = generator.random(one.shape[-1]) < 0.5
    return np.where(swap, other, one), np.where(swap, one, other)


def most(nights: int) -> float:
    """So many false alarms at most, but for one such test in ten thousand."""
    return float(binom.isf(1e-4, nights, ALPHA))


@pytest.mark.skipif(
    not (GOLD / "annotations.parquet").exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)
def test_length_controlled_win_rates_of_verdicts_and_lengths_exchanged() -> None:
    import pandas as pd

    items = pd.read_parquet(GOLD / "instructions.parquet").sort_values("index")
    table = pd.read_parquet(
        GOLD / "annotations.parquet", columns=["model", "index", "output_2", "preference"]
    )
    gamed = pd.read_parquet(GOLD / "gamed_baseline_recovered.parquet")
    anchors = Anchors(
        std_length=gamed.std_delta_len.to_numpy(),
        difficulty=gamed.instruction_difficulty.to_numpy(),
        preference=gamed.preference_pseudo.to_numpy(),
    )
    baseline = items.baseline_output.str.len().to_numpy()
    difficulty = items.instruction_difficulty_recovered.to_numpy()
    of = {}
    for model in MODELS:
        rows = table[table.model == model].sort_values("index")
        assert len(rows) == len(items)
        lengths = baseline - rows.output_2.str.len().to_numpy()
        of[model] = np.stack([rows.preference.to_numpy() - 1.0, lengths.astype(float)])
    generator = np.random.default_rng(SEED)
    nights, alarms, differences, errors = 20, 0, [], []
    for night in range(nights):
        first, second = generator.choice(MODELS, 2, replace=False)
        pair = exchanged(of[first], of[second], generator)
        y, difference = (np.stack([one[row] for one in pair]) for row in (0, 1))
        fits = [exact(y[m], difference[m], difficulty, anchors=anchors) for m in range(2)]
        weights = multinomial_weights(len(items), 100, seed=night)
        drawn = replicates(y, difference, difficulty, fits=fits, weights=weights, anchors=anchors)
        values = np.concatenate([[[fit.value for fit in fits]], drawn])
        found = bootstrap_test(
            values[:, 0] - values[:, 1], units=len(items), alpha=ALPHA, n_parameters=3, width=100.0
        )
        alarms += found.high < 0.0
        differences.append(found.difference)
        errors.append(found.spread / math.sqrt(found.units))
    assert alarms <= most(nights)
    told = math.sqrt(np.square(errors).mean())
    assert float(np.std(differences)) == pytest.approx(told, rel=0.35)


@over_rows("metric", ["auroc", "ece", "alignment"])
def test_confidences_and_labels_exchanged(metric: str) -> None:
    n, nights, alarms = 150, 50, 0
    generator = np.random.default_rng([SEED, *metric.encode()])

    def answers(ease: Floats) -> Floats:
        chance = 1.0 / (1.0 + np.exp(-(ease + generator.normal(0.0, 0.7, n))))
        stated = np.round(np.clip(chance + 0.2, 0.0, 1.0), 2)
        return np.stack([stated, (generator.random(n) < chance).astype(float)])

    weights = np.concatenate([np.ones((1, n)), multinomial_weights(n, 200, seed=SEED)])
    for _ in range(nights):
        ease = generator.normal(0.3, 1.0, n)
        pair = exchanged(answers(ease), answers(ease), generator)
        first, second = (statistics(c, y)[NAMES.get(metric, metric)](weights) for c, y in pair)
        sign = -1.0 if metric == "ece" else 1.0
        found = bootstrap_test(
            sign * (first - second), units=n, alpha=ALPHA, width=1.0, centred=metric == "ece"
        )
        alarms += found.high < 0.0
    assert alarms <= most(nights)
