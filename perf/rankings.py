"""Bradley-Terry of 1 million comparisons of 200 models, beside evalica and choix.

    python perf/rankings.py [--comparisons 1000000] [--models 200] [--prompts 5000]

All start from the same arrays of whole numbers, and each is asked for more digits than anybody
reads; how far they end from each other is printed. choix reads a list of pairs, or a matrix of
wins that somebody has counted: it is given ours, and the time of counting is added. evalica gets
its list of winners ready made. Packages that are not installed are left out. One thread for linear
algebra: matrices of 200 rows gain nothing from more. Best of five.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from judgebench.stats.bradley_terry import Comparisons, bradley_terry, compare
from judgebench.stats.ranking import rank_models
from judgebench.stats.resample import multinomial_weights

SEED = 20240618
REPLICATES = 100
TOLERANCE = 1e-9

Arrays = tuple[Any, Any, Any, Any]
Timed = tuple[float, float, Any]


def made_up(n: int, n_models: int, n_prompts: int) -> Arrays:
    """Prompt, two models and the winner's share, a tenth of them ties."""
    generator = np.random.default_rng(SEED)
    strength = generator.normal(size=n_models)
    prompt = generator.integers(0, n_prompts, n)
    first = generator.integers(0, n_models, n)
    second = (first + generator.integers(1, n_models, n)) % n_models
    chance = 1.0 / (1.0 + np.exp(strength[second] - strength[first]))
    won = (generator.random(n) < chance).astype(float)
    won[generator.random(n) < 0.1] = 0.5
    return prompt, first, second, won


def timed(work: Callable[[], Any], times: int = 5) -> Timed:
    """CPU and wall seconds of the fastest run, and what it gave."""
    best, found = (np.inf, np.inf), None
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        found = work()
        best = min(best, (time.process_time() - cpu, time.perf_counter() - wall))
    return *best, found


def of_evalica(arrays: Arrays) -> Any:
    import evalica

    _, first, second, won = arrays
    winners = [{1.0: evalica.Winner.X, 0.0: evalica.Winner.Y}.get(w, evalica.Winner.Draw)
               for w in won.tolist()]  # fmt: skip

    def work() -> Any:
        found = evalica.bradley_terry(first, second, winners, tolerance=TOLERANCE, limit=1000)
        scores = np.log(found.scores.sort_index().to_numpy())
        return scores - scores.mean()

    return timed(work)


def of_choix(wins: Any) -> Any:
    import choix

    return timed(lambda: choix.ilsr_pairwise_dense(wins, tol=TOLERANCE))


def of_choix_rows(arrays: Arrays) -> Any:
    """Ties are two rows of half a weight each, which its lists cannot say: they are left out."""
    import choix

    _, first, second, won = arrays
    pairs = np.where((won == 1)[:, np.newaxis], np.c_[first, second], np.c_[second, first])
    pairs = pairs[won != 0.5].tolist()
    return timed(lambda: choix.ilsr_pairwise(first.max() + 1, pairs, tol=1e-8), times=1)


def count(comparisons: Comparisons) -> Any:
    c, n = comparisons, comparisons.n_models
    forth = np.bincount(c.first * n + c.second, c.wins * c.weights, n * n)
    back = np.bincount(c.second * n + c.first, (1.0 - c.wins) * c.weights, n * n)
    return (forth + back).reshape(n, n)


def show(what: str, measured: Timed, reference: Any = None) -> None:
    cpu, wall, found = measured
    apart = "" if reference is None else f"  from ours {np.abs(found - reference).max():.1e}"
    print(f"{what:<58} {cpu:8.4f} {wall:8.4f}{apart}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--prompts", type=int, default=5000)
    options = parser.parse_args()
    arrays = made_up(options.comparisons, options.models, options.prompts)

    def checked(average_repeats: bool = False) -> Comparisons:
        return compare(*arrays, n_models=options.models, n_prompts=options.prompts,
                       average_repeats=average_repeats)  # fmt: skip

    rows = checked()
    counting = timed(lambda: count(rows))
    wins = counting[2]
    print(
        f"{options.comparisons} comparisons of {options.models} models on {options.prompts} "
        f"prompts, seed {SEED}\n{'':<58} {'CPU s':>8} {'wall s':>8}"
    )
    ours = timed(lambda: bradley_terry(wins).strength)
    show("counting the rows into a matrix of wins (ours)", counting)
    show("judgebench, strengths: counting and fit", _after(counting, ours))
    others: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("choix {}, strengths: our counting and its ILSR", lambda: of_choix(wins)),
        ("choix {}, its own rows, without the ties, ILSR", lambda: of_choix_rows(arrays)),
        ("evalica {}, strengths from rows", lambda: of_evalica(arrays)),
    )
    for name, work in others:
        package = name.split()[0]
        try:
            title, found = name.format(version(package)), work()
        except ImportError:
            print(f"{package} is not installed")
            continue
        if "our counting" in title:
            found = _after(counting, found)
        show(title, found, None if "without the ties" in title else ours[2])
    show(
        "judgebench, rows checked, differences, ranks, groups",
        timed(lambda: rank_models(checked())),
    )
    comparisons = checked(average_repeats=True)
    draws = multinomial_weights(options.prompts, REPLICATES, seed=SEED)
    show(f"judgebench, the same with intervals of {REPLICATES} replicates",
         timed(lambda: rank_models(comparisons, draws=draws), times=1))  # fmt: skip
    tied = _with_ties(comparisons)
    show("judgebench, the same with ties as an outcome",
         timed(lambda: rank_models(tied, draws=draws, ties="davidson"), times=1))  # fmt: skip


def _after(first: Timed, then: Timed) -> Timed:
    return first[0] + then[0], first[1] + then[1], then[2]


def _with_ties(c: Comparisons) -> Comparisons:
    tied = c.wins == 0.5
    return compare(c.prompt, c.first, c.second, np.where(tied, 0.0, c.wins), ties=tied,
                   weights=c.weights, n_models=c.n_models, n_prompts=c.n_prompts,
                   average_repeats=False)  # fmt: skip


if __name__ == "__main__":
    main()
