"""Win rates and length-controlled win rates beside alpaca-eval: one model, and a board of 29.

    python perf/win_rates.py [--rivals FOLDER] [--rounds 5]

Both start from the same verdicts and lengths in memory (``tasks/alpaca_eval/figures``): ours from
arrays and columns, alpaca-eval's from the DataFrames that it makes of a file of annotations, with
texts of those lengths. Both count wins and choose the penalty by cross-validation in five folds
over ten candidates. alpaca-eval's metric of one model counts its wins as well; ours of one model is
the fit alone, and the board has wins, ties, ranks and the fits of all.

Rounds alternate in one run, each in a process with one thread for linear algebra; best of all
rounds. What loading and importing take is left out on both sides.

alpaca-eval is installed into an environment below ``--rivals`` on first use, never into this one.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # many small products: threads only wait

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.win_rate import win_rates
from judgebench.stats.length_control import Anchors, LengthControl, compat, exact, replicates
from judgebench.stats.resample import multinomial_weights, percentile_interval
from perf.judging_rivals.contestants import environment

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "tasks" / "alpaca_eval" / "figures"
RIVAL = Path(__file__).parent / "judging_rivals" / "alpaca_eval_board.py"
BASELINE = "gpt4_1106_preview"
MODEL = "claude-2"
REPLICATES = 1000
SEED = 0
TIMES_FASTER, WITH_INTERVALS_S = 10.0, 30.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Verdicts and lengths (models, items), in the order of the instructions, and as columns."""

    models: list[str]
    preference: Floats
    difference: Floats
    difficulty: Floats
    anchors: Anchors
    columns: dict[str, list[Any]]


@dataclass(slots=True)
class Best:
    """The fastest run of each thing, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    def take(self, what: str, seconds: float) -> None:
        self.seconds[what] = min(seconds, self.seconds.get(what, np.inf))

    def timed(self, what: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        found = work()
        self.take(what, time.perf_counter() - start)
        return found


def read() -> Board:
    items = pd.read_csv(FIGURES / "instructions.csv")
    gamed = pd.read_csv(FIGURES / "anchors.csv")
    table = pd.read_parquet(FIGURES / "verdicts.parquet")
    difficulty, baseline = items.difficulty.to_numpy(), items.baseline_length.to_numpy()
    models = sorted(table.model.unique())
    preference = np.full((len(models), len(items)), np.nan)
    difference = preference.copy()
    for place, (_, rows) in enumerate(table.groupby("model")):
        at = rows["index"].to_numpy()
        preference[place, at] = rows.preference.to_numpy() - 1.0
        difference[place, at] = baseline[at] - rows.length.to_numpy()
    n = len(table)
    return Board(
        models=models,
        preference=preference,
        difference=difference,
        difficulty=difficulty,
        anchors=Anchors(
            std_length=gamed.std_length.to_numpy(),
            difficulty=difficulty[gamed["index"].to_numpy()],
            preference=gamed.pseudo_preference.to_numpy(),
        ),
        columns={
            "item_id": table["index"].astype(str).tolist(),
            "model": table.model.tolist(),
            "judge": ["judge"] * n,
            "opponent": [BASELINE] * n,
            "sample": [0] * n,
            "kind": ["preference"] * n,
            "value": (table.preference - 1.0).tolist(),
        },
    )


def fitted(board: Board, fit: Callable[..., LengthControl], model: int) -> LengthControl:
    return fit(
        board.preference[model], board.difference[model], board.difficulty, anchors=board.anchors
    )


def plain(board: Board) -> list[LengthControl]:
    """The board; its win rates know no way without replicates, so one is drawn."""
    win_rates(board.columns, BASELINE, intervals=Intervals(n_replicates=1))
    return [fitted(board, exact, m) for m in range(len(board.models))]


def with_intervals(board: Board) -> tuple[Floats, Floats]:
    win_rates(board.columns, BASELINE, intervals=Intervals(n_replicates=REPLICATES))
    fits = [fitted(board, exact, m) for m in range(len(board.models))]
    draws = replicates(
        board.preference,
        board.difference,
        board.difficulty,
        fits=fits,
        weights=multinomial_weights(len(board.difficulty), REPLICATES, seed=SEED),
        anchors=board.anchors,
    )
    return percentile_interval(draws)


def rival(python: Path) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), "-W", "ignore", str(RIVAL), str(FIGURES), "2", MODEL],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rivals",
        type=Path,
        default=Path(tempfile.gettempdir()) / "judgebench-rivals",
        help="where alpaca-eval is installed, into a folder of its own",
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    python = environment(options.rivals, "alpaca-eval")
    board, ours, theirs = read(), Best(), Best()
    one = board.models.index(MODEL)
    everyone = range(len(board.models))
    fitted(board, compat, one)  # what is loaded late is not timed
    for _ in range(options.rounds):
        found = rival(python)
        for seconds in found["one_s"]:
            theirs.take("one", seconds)
        for seconds in found["board_s"]:
            theirs.take("board", seconds)
        for _ in range(2):
            ours.timed("one", lambda: fitted(board, exact, one))
            ours.timed("one compat", lambda: fitted(board, compat, one))
            fits = ours.timed("board", lambda: plain(board))
            ours.timed("intervals", lambda: with_intervals(board))
    liblinear = [fitted(board, compat, m) for m in everyone]
    packages = ("numpy", "scikit-learn", "pandas")
    print(f"Win rates of AlpacaEval 2: {len(board.models)} models, {len(board.difficulty)} items")
    print(f"judgebench, {', '.join(f'{name} {version(name)}' for name in packages)}")
    print(", ".join(f"{name} {number}" for name, number in found["versions"].items()))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, 1 thread of linear algebra")
    print(f"best of {2 * options.rounds}, in {options.rounds} alternating rounds; milliseconds\n")
    print(f"{'':58s} {'judgebench':>10s} {'alpaca-eval':>11s} {'times':>6s}")
    for what, mine, its in (
        ("length-controlled win rate of one model, exact", "one", "one"),
        ("  the same by liblinear, as published", "one compat", "one"),
        (f"board of {len(board.models)} models without intervals", "board", "board"),
        (f"board with intervals, {REPLICATES} replicates of both", "intervals", None),
    ):
        line = f"{what:58s} {1e3 * ours.seconds[mine]:10.1f}"
        if its is not None:
            ratio = theirs.seconds[its] / ours.seconds[mine]
            line += f" {1e3 * theirs.seconds[its]:11.1f} {ratio:6.1f}"
        print(line)
    full = ~np.isnan(board.preference).any(axis=1)
    values = np.array([found["values"][name] for name in board.models])
    print(f"\nlargest difference from alpaca-eval's values, {full.sum()} models with all items:")
    for name, those in (("exact", fits), ("as published", liblinear)):
        apart = np.abs(np.array([fit.value for fit in those]) - values)[full]
        print(f"  {name}: {apart.max():.4f} points, median {np.median(apart):.4f}")
    missed = False
    faster = theirs.seconds["board"] / ours.seconds["board"]
    for aim, reached in (
        (f"board without intervals at least {TIMES_FASTER:.0f} times faster",
         faster >= TIMES_FASTER),
        (f"board with {REPLICATES} replicates under {WITH_INTERVALS_S:.0f} s",
         ours.seconds["intervals"] < WITH_INTERVALS_S),
    ):  # fmt: skip
        missed |= not reached
        print(f"{'reached' if reached else 'MISSED'}: {aim}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
