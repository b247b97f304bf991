"""How often an unchanged judge is called changed, and how soon a changed one.

*Made-up judges*: one that says yes to each answer with a probability of its own, and one whose
scores have a little noise. Nothing changes in 60 nights; or from some night on the judge is
stricter, or a tenth of its verdicts turn around.

*Real ones*: AlpacaEval's weighted judge beside two other configurations of the same model
(``alpaca_eval_gpt4_turbo_fn``, ``alpaca_eval_cot_gpt4_turbo_fn``) on the same answers, as a silent
change of a provider would look: some quiet nights, which repeat what was said, then the other one's
verdicts. Read from ``--gold``, a folder with ``annotations.parquet`` and ``other_judges.parquet``
of AlpacaEval's published files; left out where there is none.

    python perf/judge_drift.py               # some minutes of one core
    python perf/judge_drift.py --runs 40
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from judgebench.stats.judge_drift import ALPHA, drift

SEED = 20261126
FEW, MANY = 100, 300
NIGHTS = 60
QUIET = (1, 2, 10)
WATCHED = 10
GOLD = Path(__file__).resolve().parents[2] / "shared" / "gold" / "alpaca_eval"

Floats = NDArray[np.float64]
Night = Callable[[np.random.Generator], Floats]


@dataclass(frozen=True)
class Judge:
    """A made-up judge: what it thinks of each answer, and how it says it."""

    name: str
    noise: float | None  # None: it says yes or no, with the probability that it thinks

    def thinks(self, n: int, generator: np.random.Generator) -> Floats:
        return generator.beta(0.5, 0.5, n)

    def says(self, thought: Floats, generator: np.random.Generator) -> Floats:
        if self.noise is None:
            return (generator.random(len(thought)) < thought).astype(np.float64)
        return np.clip(thought + self.noise * generator.standard_normal(len(thought)), 0.0, 1.0)


JUDGES = (Judge("yes or no, at its own odds", None), Judge("scores, noise 0.02", 0.02))


def stricter(thought: Floats, by: float) -> Floats:
    return np.clip(thought - by, 0.0, 1.0)


def turned(thought: Floats, share: float) -> Floats:
    every = round(1.0 / share)
    return np.where(np.arange(len(thought)) % every == 0, 1.0 - thought, thought)


CHANGES: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    ("stricter by 2 points", lambda thought: stricter(thought, 0.02)),
    ("stricter by 5 points", lambda thought: stricter(thought, 0.05)),
    ("stricter by 10 points", lambda thought: stricter(thought, 0.10)),
    ("a tenth turned around", lambda thought: turned(thought, 0.10)),
)


def called(looks: Floats, seed: int) -> int | None:
    return drift(looks, np.zeros(looks.shape, dtype=np.bool_), seed=seed).since


def unchanged(runs: int) -> Iterator[str]:
    error = math.sqrt(ALPHA * (1 - ALPHA) / runs)
    yield f"{'':30s} {'anchors':>8s} {'called changed, %':>18s}"
    for judge in JUDGES:
        alarms = 0
        for run in range(runs):
            generator = np.random.default_rng([SEED, 1, run, judge.noise is None])
            thought = judge.thinks(FEW, generator)
            looks = np.array([judge.says(thought, generator) for _ in range(NIGHTS + 1)])
            alarms += called(looks, run) is not None
        yield f"{judge.name:30s} {FEW:8d} {100 * alarms / runs:18.1f}"
    yield f"bound: {100 * ALPHA:g}, and two standard errors {100 * (ALPHA + 2 * error):.1f}"


def changed(runs: int) -> Iterator[str]:
    yield (
        f"{'':30s} {'':24s} {'anchors':>8s} {'quiet nights':>13s} {'found, %':>9s} "
        f"{'on the first, %':>16s}"
    )
    for judge in JUDGES:
        for what, change in CHANGES:
            for n in (FEW, MANY):
                for quiet in QUIET:
                    found = []
                    for run in range(runs):
                        generator = np.random.default_rng([SEED, 2, n, quiet, run])
                        thought = judge.thinks(n, generator)
                        after = change(thought)
                        looks = [judge.says(thought, generator) for _ in range(quiet + 1)]
                        looks += [judge.says(after, generator) for _ in range(WATCHED)]
                        found.append(called(np.array(looks), run))
                    yield _row(f"{judge.name:30s} {what:24s} {n:8d}", found, quiet)


def real(gold: Path, runs: int) -> Iterator[str]:
    ours = _preferences(gold / "annotations.parquet", None)
    yield (
        f"{'':30s} {'':24s} {'shift':>6s} {'anchors':>8s} {'quiet nights':>13s} {'found, %':>9s} "
        f"{'on the first, %':>16s}"
    )
    for other in ("alpaca_eval_gpt4_turbo_fn", "alpaca_eval_cot_gpt4_turbo_fn"):
        theirs = _preferences(gold / "other_judges.parquet", other)
        for model in sorted(set(ours) & set(theirs)):
            before, after = ours[model], theirs[model]
            both = ~np.isnan(before) & ~np.isnan(after)
            before, after = before[both], after[both]
            if not (before != after).any() or np.ptp(before) == 0.0:
                continue  # the baseline beside itself
            shift = 100 * float((after - before).mean())
            for n in (FEW, MANY):
                for quiet in QUIET:
                    found = []
                    for run in range(runs):
                        generator = np.random.default_rng([SEED, 3, n, quiet, run])
                        some = generator.choice(len(before), n, replace=False)
                        looks = [before[some]] * (quiet + 1) + [after[some]] * WATCHED
                        found.append(called(np.array(looks), run))
                    name = other.removeprefix("alpaca_eval_")
                    yield _row(f"{name:30s} {model:24s} {shift:+6.1f} {n:8d}", found, quiet)


def _row(about: str, found: list[int | None], quiet: int) -> str:
    after = [since for since in found if since is not None and since > quiet]
    first = sum(since == quiet + 1 for since in after)
    return (
        f"{about} {quiet:13d} {100 * len(after) / len(found):9.0f} {100 * first / len(found):16.0f}"
    )


def _preferences(path: Path, judge: str | None) -> dict[str, Floats]:
    """Of comparisons with the newer baseline, by model: the probability that it wins, by item."""
    columns = ["model", "index", "preference"] + (["judge", "generator_1"] if judge else [])
    found: dict[str, Floats] = {}
    for row in parquet.read_table(path, columns=columns).to_pylist():
        if judge and (row["judge"] != judge or row["generator_1"] != "gpt4_1106_preview"):
            continue
        if row["preference"] is None or not 1.0 <= row["preference"] <= 2.0:
            continue
        table = found.setdefault(row["model"], np.full(805, np.nan))
        table[row["index"]] = row["preference"] - 1.0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--gold", type=Path, default=GOLD)
    options = parser.parse_args()
    began = time.process_time()
    print(f"A judge beside itself, at alpha {ALPHA} for ever; {options.runs} runs, seed {SEED}")
    print(f"\nNothing changes in {NIGHTS} nights")
    for line in unchanged(options.runs):
        print(line, flush=True)
    print(f"\nA change after some quiet nights, watched for {WATCHED} nights")
    for line in changed(max(1, options.runs // 10)):
        print(line, flush=True)
    if options.gold.is_dir():
        print("\nAnother configuration of AlpacaEval's judge in place of the weighted one")
        for line in real(options.gold, max(1, options.runs // 20)):
            print(line, flush=True)
    else:
        print(f"\n{options.gold} is not there: no real judges")
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
