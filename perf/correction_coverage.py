"""How often the 95 % intervals of corrected scores hold the truth: a simulation.

The published labels of TriviaQA judging (11 judges and people, nine models, 400 questions;
arXiv 2406.12624) are taken as the whole truth. 400 questions are drawn from them with replacement,
as a new benchmark would be, people label 100 of these at random, or twice as often where the judge
says wrong, and the rate of the whole table is to be found: of each model, and of each two
models the difference.

    python perf/correction_coverage.py ../shared/gold/trivia_judging   # minutes of one core
    python perf/correction_coverage.py FOLDER --trials 100
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.correction import corrected_mean, rogan_gladen

GOLD = Path(__file__).resolve().parents[2] / "shared" / "gold" / "trivia_judging"
N_ITEMS, N_LABELS, SEED = 400, 100, 20261129
SIZES = (20, 30, 50)

Floats = NDArray[np.float64]


def label_table(folder: Path) -> tuple[list[str], list[str], Floats, Floats]:
    """Judges, models, people's labels (models, questions) and the judges' (judges, models, …)."""
    import pandas as pd

    rows = pd.read_parquet(folder / "judgments.parquet")
    rows = rows[~rows.stale]
    judges = [str(name) for name in rows if name not in _NO_JUDGE]
    models = sorted({str(name) for name in rows.exam_taker})
    people = np.full((len(models), N_ITEMS), np.nan)
    said = np.full((len(judges), len(models), N_ITEMS), np.nan)
    at = np.array([models.index(one) for one in rows.exam_taker]), rows.question_id.to_numpy()
    people[at] = rows.human.astype(float)
    for place, judge in enumerate(judges):
        said[place][at] = rows[judge].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return judges, models, people, said


_NO_JUDGE = ("row", "exam_taker", "question_id", "prompt_template", "human", "stale")


def held(low: float, high: float, truth: float) -> float:
    return np.nan if np.isnan(low) else float(low <= truth <= high)


class Drawn(NamedTuple):
    """What a judge says of questions that were drawn, people of all, and of the labelled ones."""

    judge: Floats
    people: Floats
    labelled: Floats
    trial: int


def draws(j: Floats, h: Floats, n_labels: int, trials: int, *seed: int) -> Iterator[Drawn]:
    """Questions with replacement, among all that people labelled, and the labels among them."""
    generator = np.random.default_rng([SEED, n_labels, *seed])
    j, h = j[~np.isnan(h)], h[~np.isnan(h)]
    for trial in range(trials):
        items = generator.integers(0, len(h), N_ITEMS)
        chosen = generator.permutation(N_ITEMS) < n_labels
        yield Drawn(j[items], h[items], np.where(chosen, h[items], np.nan), trial)


def naive(judge: Floats) -> tuple[float, float]:
    """The judge's own interval of its mean."""
    half = 1.96 * np.nanstd(judge) / np.sqrt((~np.isnan(judge)).sum())
    return np.nanmean(judge) - half, np.nanmean(judge) + half


def of_models(
    judged: Floats, people: Floats, n_labels: int, trials: int, seed: int
) -> dict[str, Floats]:
    """By method, share of trials that held, mean width, share of trials with an interval.

    Shape (models, 3).
    """
    found: dict[str, list[list[tuple[float, float]]]] = defaultdict(lambda: [[] for _ in people])
    for model, (j, h) in enumerate(zip(judged, people, strict=True)):
        truth = float(np.nanmean(h))
        for mine, everything, theirs, trial in draws(j, h, n_labels, trials, seed, model):
            ends = {
                "ppi": corrected_mean(mine, theirs, seed=trial).interval(),
                "plain": corrected_mean(mine, theirs, method="normal").interval(),
                "labels": corrected_mean(mine, theirs, power=0.0).interval(),
            }
            ends["naive"] = naive(mine)
            ends["rogan_gladen"] = rogan_gladen(mine, theirs).interval()
            chance = np.where(mine > 0.0, 0.8, 1.6) * n_labels / N_ITEMS
            chosen = np.random.default_rng([SEED, seed, model, trial]).random(N_ITEMS) < chance
            chosen = np.where(chosen, everything, np.nan)
            ends["weighted"] = corrected_mean(mine, chosen, chance, seed=trial).interval()
            for name, (low, high) in ends.items():
                found[name][model].append((held(low, high, truth), high - low))
    return {name: np.array([_mean(its) for its in of_all]) for name, of_all in found.items()}


def _mean(its: list[tuple[float, float]]) -> tuple[float, float, float]:
    values = np.array(its)
    known = ~np.isnan(values[:, 0])
    return (*(values[known].mean(axis=0) if known.any() else (0.0, np.nan)), known.mean())


def coverage(its: Floats) -> float:
    """In percent, over all trials of all models that have an interval."""
    return 100.0 * float((its[:, 0] * its[:, 2]).sum() / its[:, 2].sum())


def of_pairs(
    judged: Floats, people: Floats, n_labels: int, trials: int, seed: int
) -> dict[str, float]:
    """By method, the share of trials and pairs of models in which the difference was held."""
    found: dict[str, list[float]] = defaultdict(list)
    for first, second in combinations(range(len(people)), 2):
        j, h = judged[first] - judged[second], people[first] - people[second]
        truth = float(np.nanmean(h))
        for mine, _, theirs, trial in draws(j, h, n_labels, trials, seed, first, second):
            found["ppi"].append(held(*corrected_mean(mine, theirs, seed=trial).interval(), truth))
            found["naive"].append(held(*naive(mine), truth))
    return {name: float(np.nanmean(its)) for name, its in found.items()}


COLUMNS = ("ppi", "plain", "labels", "weighted", "naive", "rogan_gladen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=GOLD)
    parser.add_argument("--trials", type=int, default=1000)
    options = parser.parse_args()
    judges, models, people, said = label_table(options.folder)
    print("Coverage of 95 % intervals of corrected accuracies on the labels of TriviaQA, in %")
    print(f"{options.trials} draws of {N_ITEMS} questions, seed {SEED}; {N_LABELS} labels each")
    print("ppi: PPI++, lambda of two halves, Student's t. plain: lambda of all labels, normal.")
    print("labels: people alone. weighted: labels drawn twice as often where the judge says wrong.")
    print("naive: the judge alone. given: in so many of them Rogan and Gladen's has an interval.")
    print("width: of ppi over labels. pairs: differences of two models, by ppi and by the judge.")
    print(f"{'judge':12s}" + "".join(f"{name:>13s}" for name in COLUMNS), end="")
    heads = (("given", 9), ("lowest model", 14), ("its rate", 9), ("width", 7), ("pairs", 8))
    print("".join(f"{name:>{wide}s}" for name, wide in (*heads, ("naive", 8))))
    began = time.process_time()
    outside = []
    for place, (judge, judged) in enumerate(zip(judges, said, strict=True)):
        its = of_models(judged, people, N_LABELS, options.trials, place)
        pairs = of_pairs(judged, people, N_LABELS, max(1, options.trials // 10), place)
        lowest = int(its["ppi"][:, 0].argmin())
        shares = "".join(f"{coverage(its[name]):13.1f}" for name in COLUMNS)
        width = its["ppi"][:, 1].mean() / its["labels"][:, 1].mean()
        rest = (
            f"{100 * its['rogan_gladen'][:, 2].mean():9.0f}{100 * its['ppi'][lowest, 0]:14.1f}"
            f"{np.nanmean(people[lowest]):9.2f}{width:7.2f}"
            f"{100 * pairs['ppi']:8.1f}{100 * pairs['naive']:8.1f}"
        )
        print(f"{judge:12s}{shares}{rest}", flush=True)
        outside += [
            (judge, models[m], np.nanmean(people[m]), share)
            for m, share in enumerate(100 * its["ppi"][:, 0])
            if not 93.0 <= share <= 97.0
        ]
    print("\nSingle models that ppi holds in under 93 or over 97 %:")
    for judge, model, rate, share in outside:
        print(f"  {judge}, {model}: {share:.1f} % (people's rate {rate:.3f})")
    print("\nBy the number of labels, all judges and models:")
    names = ("ppi", "labels alone", "lowest model", "has one")
    print(f"{'labels':>6s}" + "".join(f"{name:>14s}" for name in names))
    for n_labels in SIZES:
        every = [
            of_models(judged, people, n_labels, max(1, options.trials // 10), place)
            for place, judged in enumerate(said)
        ]
        ppi, alone = (np.stack([its[name] for its in every]) for name in ("ppi", "labels"))
        worst = min(coverage(ppi[:, model]) for model in range(len(models)))
        has_one = 100 * ppi[..., 2].mean()
        both = (coverage(one.reshape(-1, 3)) for one in (ppi, alone))
        figures = "".join(f"{one:14.1f}" for one in (*both, worst, has_one))
        print(f"{n_labels:6d}{figures}", flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
