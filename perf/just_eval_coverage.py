"""How often the 95 % intervals of just-eval's mean of six aspects hold the truth: a simulation.

The judgments of one model that was judged whole (``tasks/just_eval/figures/scores.csv``: 800
instructions on five aspects and 200 on safety, with what does not apply) are the truth. Its second
model is made of them: half of its instructions of each category have another instruction's
judgment. Instructions are drawn with replacement, so many of each category as a benchmark of that
size has, and every draw is given to `scores`, as the boards do, and to the paired engine. Once as
they are, and once with every third judgment of factuality, of either model, taken as not
applicable.

    python perf/just_eval_coverage.py                # some minutes of one core
    python perf/just_eval_coverage.py --trials 20
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import same
from judgebench.judges.readers.upstream import ASPECTS, SAFETY
from judgebench.metrics import measures
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.paired import compare, paired_models
from judgebench.metrics.scores import scores
from judgebench.registry import figures_folder
from judgebench.reports.reproduce.just_eval import JUDGE, MODEL

SEED, REPLICATES = 20261129, 500
SIZES = (100, 350, 1000)
NAMES = (*ASPECTS, *SAFETY)
SIDES = {name: ["safety" if name in SAFETY else "regular"] for name in NAMES}
FIGURES = ("score", "score/factuality", "difference", "difference/factuality")
LEVEL = 0.95
Floats = NDArray[np.float64]


def population(*, silent: bool) -> Floats:
    """Scores, shape (instructions, 2 models, 6 aspects); nan for what does not apply."""
    with (figures_folder("just_eval") / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file) if (row["judge"], row["model"]) == (JUDGE, MODEL)
        ]
    said = [[float(row[name]) if row[name] not in ("", "N/A") else math.nan for name in NAMES]
            for row in rows]  # fmt: skip
    first = np.array(said)
    rng, second = np.random.default_rng(SEED), first.copy()
    of_safety = is_safety(first)
    for its in (np.flatnonzero(of_safety), np.flatnonzero(~of_safety)):
        moved = rng.permutation(its)[: len(its) // 2]
        second[moved] = first[rng.choice(its, len(moved))]
    both = np.stack([first, second], axis=1)
    if silent:
        both[rng.random(both.shape[:2]) < 1.0 / 3.0, NAMES.index("factuality")] = math.nan
    return both


def is_safety(said: Floats) -> NDArray[np.bool_]:
    """Of each instruction, from what was judged of it."""
    return np.asarray(~np.isnan(said[:, NAMES.index(SAFETY[0])]))


def columns_of(said: Floats) -> tuple[dict[str, Any], Balance]:
    """The rows of a board of both models, and how its parts make up the whole."""
    n = len(said)
    items = [f"{place}" for place in range(n)]
    parts = {f"score/{name}": said[:, :, k].T.ravel() for k, name in enumerate(NAMES)}
    ends = {"judge": "j", "sample": 0, "kind": "score", "low": 1.0, "high": 5.0}
    found: dict[str, Any] = {name: same(value, 2 * n) for name, value in ends.items()}
    found |= {"item_id": items * 2, "model": ["first"] * n + ["second"] * n, **parts}
    found["value"] = np.nanmean(np.array([*parts.values()]), axis=0)
    kinds = np.where(is_safety(said[:, 0]), "safety", "regular").tolist()
    return found, Balance(category_of=dict(zip(items, kinds, strict=True)), sides=SIDES)


def truth(said: Floats) -> list[float]:
    """Of the figures, over all instructions."""
    aspects = np.nanmean(said, axis=0)
    first, second = aspects.mean(axis=1)
    one, other = aspects[:, NAMES.index("factuality")]
    return [first, one, second - first, other - one]


def intervals(said: Floats, *, seed: int) -> list[tuple[float, float]]:
    """Of the figures, as boards and the paired engine have them."""
    columns, balance = columns_of(said)
    wanted = Intervals(n_replicates=REPLICATES, seed=seed, level=LEVEL)
    board = {one.model: one.metrics for one in scores(columns, balance=balance, intervals=wanted)}
    found = [(board["first"][name].low, board["first"][name].high) for name in FIGURES[:2]]
    kind, alpha = BoardKind("score"), (1.0 - LEVEL) / 2.0
    regular = {item: "part" for item, of in balance.category_of.items() if of == "regular"}
    for how in (
        {"balance": balance},
        {"group_of": regular, "group": "part", "part": "score/factuality"},
    ):
        pair = paired_models(columns, kind, "j", "second", "first", labels=(), **how)
        found.append(compare(pair, alpha=alpha, seed=seed).observed.bounds(alpha))
    return found


def simulate(said: Floats, n_items: int, trials: int) -> dict[str, float]:
    """By figure the share of intervals that hold the truth."""
    held, true = np.zeros(len(FIGURES)), truth(said)
    of_safety, rng = is_safety(said[:, 0]), np.random.default_rng([SEED, n_items])
    kinds = [np.flatnonzero(~of_safety), np.flatnonzero(of_safety)]
    for trial in range(trials):
        drawn = [rng.choice(its, round(n_items * len(its) / len(said))) for its in kinds]
        ends = intervals(said[np.concatenate(drawn)], seed=trial)
        held += [low <= one <= high for (low, high), one in zip(ends, true, strict=True)]
    return dict(zip(FIGURES, (held / trials).tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=400)
    trials, began = parser.parse_args().trials, time.monotonic()
    print("95 % intervals of just-eval's mean of six aspects: how often they hold the truth")
    print(f"{trials} draws of instructions, {REPLICATES} replicates; difference: the paired test's")
    least = f"fewer than {measures.LEAST_OF_A_PART} items of an aspect"
    print(f"boards show none of score with {least}, as at 100: 20 of safety")
    measures.LEAST_OF_A_PART = 0  # to measure those too
    print(f"{'judgments':<20} {'instructions':>12}" + "".join(f"{name:>24}" for name in FIGURES))
    for silent, of in ((False, "as they are"), (True, "a third of one N/A")):
        said = population(silent=silent)
        for n_items in SIZES:
            shares = simulate(said, n_items, trials).values()
            print(
                f"{of:<20} {n_items:12}" + "".join(f"{share:24.1%}" for share in shares), flush=True
            )
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
