"""How few verdicts find a judge within 0.05 of the best: replays of published labels.

The verdicts published with "Judging the Judges" (arXiv 2406.12624): 11 judges and people on 9
models' answers to 400 questions, out of ``tasks/trivia_judging/figures``. Each replay asks in an
order of its own. Costs are billions of parameters; of GPT-4 none are published, and it is taken to
be the dearest. Right is a judge whose kappa on all labels is at most 0.05 below the best.

*Alike*: on each answer the judges exchange their verdicts at random, so that none is better. Half
of the error of 5 % is for a given one of them to be put out. That some of 11 is put out is more
frequent, and costs nothing: the others are as good.

    python perf/judge_sweep.py                 # about a minute of one core
    python perf/judge_sweep.py --replays 10
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.agreement import cohen_kappa
from judgebench.stats.elimination import Elimination, successive_elimination

VERDICTS = Path(__file__).resolve().parents[1] / "tasks/trivia_judging/figures/verdicts.csv"
BILLIONS = {
    "EM": 0.0, "Contains": 0.0, "Gemma-2B": 2.5, "Llama-7B": 6.7, "JudgeLM": 6.7, "Mistral-7B": 7.2,
    "Llama3-8B": 8.0, "Llama-13B": 13.0, "Llama-70B": 69.0, "Llama3-70B": 70.6, "GPT-4": math.nan,
}  # fmt: skip
MARGIN = 0.05

Codes = NDArray[np.int64]


def labels() -> tuple[Codes, Codes, Codes]:
    """What judges say (judges, n), what people say (n,), and the question of each answer (n,)."""
    with VERDICTS.open() as stream:
        rows = list(csv.DictReader(stream))

    def codes(name: str) -> list[int]:
        return [int(row[name]) if row[name] else -1 for row in rows]

    said = np.array([codes(name) for name in BILLIONS])
    return said, np.array(codes("human")), np.array([int(row["question_id"]) for row in rows])


def kappas(said: Codes, truth: Codes) -> NDArray[np.float64]:
    """Of all labels: the truth that a replay is held against."""
    return np.array([cohen_kappa(its[its >= 0], truth[its >= 0], n_labels=2) for its in said])


def replay(said: Codes, truth: Codes, question: Codes, seed: int, *, budget: float) -> Elimination:
    order = np.random.default_rng(seed).permutation(len(truth))
    return successive_elimination(
        lambda judges, n: said[np.asarray(judges)[:, np.newaxis], order[:n]],
        truth[order], question[order], [*BILLIONS.values()], n_labels=2, margin=MARGIN,
        budget=budget,
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--replays", type=int, default=200)
    replays = options.parse_args().replays
    said, truth, question = labels()
    known, names = kappas(said, truth), [*BILLIONS]
    good = known >= known.max() - MARGIN
    within = ", ".join(name for name, yes in zip(names, good, strict=True) if yes)
    print(f"{replays} replays, {len(truth)} labels; at most {MARGIN} below the best: {within}\n")
    print("budget  right  decided  best kept  verdicts of the grid: mean, 95 % at most  picked")
    shares = {}
    for budget in (1 / 4, 1 / 3, 1.0):
        found = [replay(said, truth, question, seed, budget=budget) for seed in range(replays)]
        share = np.array([one.verdicts / one.grid for one in found])
        right = np.mean([good[one.pick] for one in found])
        kept = np.mean([not one.standings[int(known.argmax())].out for one in found])
        decided = np.mean([one.decided for one in found])
        picked = Counter(names[one.pick] for one in found)
        print(
            f"{budget:6.0%} {right:6.1%} {decided:8.1%} {kept:10.1%} {share.mean():28.1%} "
            f"{np.quantile(share, 0.95):14.1%}  "
            + ", ".join(f"{name} {n}" for name, n in picked.most_common())
        )
        shares[budget] = [
            np.mean([one.standings[at].n for one in found]) for at in range(len(names))
        ]
    out = []
    for seed in range(replays):
        drawn = np.random.default_rng(seed).permuted(said, axis=0)
        alike = replay(drawn, truth, question, seed, budget=1.0)
        out.append([one.out for one in alike.standings])
    given, some = np.mean(out), np.any(out, axis=1).mean()
    print(f"\nalike: a given judge put out in {given:.1%}, some of {len(names)} in {some:.1%}")
    print("\njudge        billions   kappa  labels asked about, budget a third")
    for at in np.argsort(-known):
        n = shares[1 / 3][at] / len(truth)
        print(f"{names[at]:12} {BILLIONS[names[at]]:8.1f} {known[at]:7.3f} {n:8.1%}")


if __name__ == "__main__":
    main()
