"""How often the gate is wrong about a model that was only asked again.

The demo's small model answered the questions of two small sets at a temperature above 0, in a dozen
pools, each with a seed and a batch size of its own. Whether an answer holds a reference stands in
``docs/figures/regenerated_pools.csv``, right or wrong for each question and pool.

*Nights out of the pools*: each question gets two of its answers, drawn without replacement, one as
the baseline's and one as the candidate's. Nothing changed but what the model happened to say, so a
regression is a false alarm; beside the gate stands the rule of thumb "worse by more than a point".
Alpha and margin are those of ``suites/nightly/gate.yaml``, with a test for each set.

*Whole pools*: each pool as the candidate, each other one as the baseline. There are few of them,
and each is in many nights: these say what happened, and are no estimate of a rate.

    python perf/regenerated_nights.py                 # seconds
    python perf/regenerated_nights.py --regenerate    # the model answers again: minutes
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.reports.gate import overall
from judgebench.reports.gate_policy import read_policy
from judgebench.stats.paired_tests import paired_test
from judgebench.store.opening import open_store
from perf.gate_rates import decisions

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures" / "regenerated_pools.csv"
POLICY = ROOT / "suites" / "nightly" / "gate.yaml"
SEED = 20261126
POOLS = [(seed, (4, 8, 16)[seed % 3]) for seed in range(1, 13)]
"""The seed and the batch size of each."""
TEMPERATURE = 0.7

Pools = dict[str, NDArray[np.float64]]
"""By benchmark, right (1) or wrong (0), of shape (questions, pools)."""

Night = Sequence[NDArray[np.float64]]
"""Right or wrong of a model, on the questions of each test."""

HEADS = ("regression", "pass", "inconclusive", "a point worse")


def recorded() -> Pools:
    with FIGURES.open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    return {
        name: np.array([row[2:] for row in rows if row[0] == name], dtype=np.float64)
        for name in dict.fromkeys(row[0] for row in rows)
    }


def said(baseline: Night, candidate: Night) -> NDArray[np.float64]:
    """What is said of a night: by the gate as in `HEADS`, and whether some mean fell by a point."""
    policy = read_policy(POLICY)
    alpha, margin = policy.level, policy.tests[0].max_drop
    tests = [
        paired_test(new - old, alpha=alpha, width=1.0)
        for old, new in zip(baseline, candidate, strict=True)
    ]
    verdict = overall(decisions(tests, margin=margin, alpha=alpha))
    naive = any(test.difference < -0.01 for test in tests)
    return np.array([*(verdict == word for word in HEADS[:3]), naive], dtype=np.float64)


def out_of_the_pools(pools: Pools, nights: int) -> NDArray[np.float64]:
    """How often each of `HEADS` is said of nights that are drawn question by question."""
    generator = np.random.default_rng(SEED)
    found = np.zeros(len(HEADS))
    for _ in range(nights):
        drawn = [generator.permuted(pool, axis=1) for pool in pools.values()]
        found += said([one[:, 0] for one in drawn], [one[:, 1] for one in drawn])
    return found / nights


def whole_pools(pools: Pools) -> NDArray[np.float64]:
    """How often each of `HEADS` is said of a pool held against another."""
    pairs = list(permutations(range(len(POOLS)), 2))
    nights = [[[pool[:, place] for pool in pools.values()] for place in pair] for pair in pairs]
    return np.asarray(np.mean([said(*night) for night in nights], axis=0))


# asking the model again -------------------------------------------------------------------------


def regenerate() -> None:
    """Every pool by a run of its own; the figures are written when all are there."""
    from suites.demo_model import demo_model

    model = str(demo_model().folder)
    columns: dict[tuple[str, str], list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed, batch_size in POOLS:
            store = f"sqlite:///{folder}/{seed}.db"
            suite = Path(folder, f"{seed}.yaml")
            suite.write_text(yaml.safe_dump(asked(model, seed, batch_size, store)), "utf-8")
            command = [sys.executable, "-m", "judgebench.cli.main", "run", str(suite), "--quiet"]
            subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            with open_store(store, read_only=True) as opened:
                for name, version in sorted(opened.benchmarks(), reverse=True):
                    table = opened.verdicts(name, version)
                    for item, label in zip(table["item_id"], table["label"], strict=True):
                        columns.setdefault((name, item), []).append(str(int(label == "correct")))
    if any(len(row) != len(POOLS) for row in columns.values()):
        sys.exit("some question has no verdict in some pool")
    with FIGURES.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["benchmark", "item_id", *(f"seed {s}, batch {b}" for s, b in POOLS)])
        writer.writerows([*place, *row] for place, row in columns.items())


def asked(model: str, seed: int, batch_size: int, store: str) -> dict[str, Any]:
    """A suite: the model without its chat template on the trivia, with it on the short answers."""

    def local(**more: Any) -> dict[str, Any]:
        return {
            "model": "hf",
            "model_args": {"pretrained": model, "dtype": "float32"},
            "batch_size": batch_size,
            "device": "cpu",
            "gen_kwargs": {"do_sample": True, "temperature": TEMPERATURE, "max_gen_toks": 24},
            **more,
        }

    trivia = {"name": "trivia_judging_mini", "models": ["base"], "options": {"prompt": "base"}}
    return {
        "name": "pool",
        "seed": seed,
        "models": [
            {"name": "base", "lm_eval": local(apply_chat_template=False)},
            {"name": "chat", "lm_eval": local()},
        ],
        "benchmarks": [
            {**trivia, "judges": ["contains"]},
            {"name": "honestybench_mini", "models": ["chat"], "judges": ["contains"]},
        ],
        "store": store,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=2000)
    parser.add_argument("--regenerate", action="store_true", help="let the model answer again")
    options = parser.parse_args()
    if options.regenerate:
        regenerate()
    pools = recorded()
    policy = read_policy(POLICY)
    alpha = policy.level
    print(f"SmolLM2-135M-Instruct at temperature {TEMPERATURE}, {len(POOLS)} pools; seed {SEED}")
    for name, pool in pools.items():
        between = 100 * pool.mean(axis=0)
        print(
            f"{name}, judged by contains: {len(pool)} questions, {between.mean():.1f} % right, "
            f"from {between.min():.1f} to {between.max():.1f} in a pool; "
            f"{int((pool.std(axis=1) > 0).sum())} questions answered now right, now wrong"
        )
    print(f"\nThe gate at alpha {alpha}, a margin of {policy.tests[0].max_drop}, Holm; in %")
    print(f"{'':30s}" + "".join(f"{head:>14s}" for head in HEADS))
    nights = options.nights
    for what, rates in (
        (f"{nights} nights out of the pools", out_of_the_pools(pools, nights)),
        (f"{len(POOLS) * (len(POOLS) - 1)} pairs of whole pools", whole_pools(pools)),
    ):
        print(f"{what:30s}" + "".join(f"{100 * rate:14.2f}" for rate in rates))
    bound = alpha + 2 * math.sqrt(alpha * (1 - alpha) / nights)
    print(f"bound of the regressions: alpha and two standard errors, {100 * bound:.2f}")


if __name__ == "__main__":
    main()
