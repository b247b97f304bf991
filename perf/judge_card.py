"""The card of a judge: how long a million verdicts take, and how often its own intervals hold.

*Kappa*: 10,000 bootstrap replicates of the kappa of 11 judges with people, on the verdicts
published with "Judging the Judges" (arXiv 2406.12624; ``tasks/trivia_judging/figures``), drawing
included; and what scikit-learn's would take, asked replicate by replicate.

*A million verdicts*: the card of a judge with so many scores on 50 models, held against another
with as many on the same answers (`perf/large_store.py` makes the store), in a process of its own,
imports and all; the quickest of three, and the most memory. Seconds of a loaded machine mean
little, those of its processor more.

*Coverage*: items are drawn with replacement from a population that is taken as the truth, and
counted is how often percentiles of a bootstrap over items hold its value. Alpha of all judges and
people, and how much a judge leans to its own family, are of the published verdicts; lengths are
made up beside them (an answer that is wrongly accepted is longer on average); scores from 1 to 5 of
two raters on 6 models and 400 items are made up.

    python perf/judge_card.py                      # about four minutes of one core
    python perf/judge_card.py --trials 20 --verdicts 100000
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.reports.judge_card import family_of
from judgebench.stats.agreement import (
    cohen_kappa_of,
    coincidences,
    gwet_ac2,
    krippendorff_alpha_of,
)
from judgebench.stats.resample import Resamples, percentile_interval
from perf import large_store

ROOT = Path(__file__).resolve().parents[1]
VERDICTS = ROOT / "tasks/trivia_judging/figures/verdicts.csv"
SEED, REPLICATES, SIZES = 20261129, 1000, (20, 40, 100, 400)
KAPPA_S, CARD_S, CARD_MB = 2.0, 5.0, 500.0
"""What is wanted of a quiet machine."""

CARD = """
import sys
import judgebench
card = judgebench.judge_card("judge-0", benchmark="large", reference="judge-1", store=sys.argv[1])
print(card.sections[0].verdicts)
"""

Floats = NDArray[np.float64]
Of = Callable[[Floats], Floats]


def published() -> tuple[list[str], list[str], NDArray[np.int64]]:
    """Judges with people last, models, and codes (judges, items, models); -1 for no verdict."""
    with VERDICTS.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    judges = [name for name in rows[0] if name not in ("exam_taker", "question_id", "human")]
    judges.append("human")
    models = sorted({row["exam_taker"] for row in rows})
    codes = np.full((len(judges), 400, len(models)), -1)
    for row in rows:
        for j, judge in enumerate(judges):
            if row[judge]:
                codes[j, int(row["question_id"]), models.index(row["exam_taker"])] = row[judge]
    return judges, models, codes


def confusion(first: NDArray[np.int64], second: NDArray[np.int64], k: int) -> Floats:
    """Of each item, shape (items, k, k)."""
    known = (first >= 0) & (second >= 0)
    found = np.zeros((len(first), k, k))
    items = np.nonzero(known)[0]
    np.add.at(found, (items, first[known], second[known]), 1.0)
    return found


def kappa_seconds(codes: NDArray[np.int64]) -> float:
    """Of all replicates of all judges."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        tables = np.stack([confusion(one, codes[-1], 2) for one in codes[:-1]], axis=1)
        (sums,) = Resamples(len(tables), 10_000, seed=SEED).sums([tables])
        percentile_interval(cohen_kappa_of(sums)[1:])
        took.append(time.perf_counter() - began)
    return min(took)


def one_by_one_seconds(codes: NDArray[np.int64], measured: int = 20) -> float:
    """What as many replicates take with scikit-learn's kappa, by those that are measured."""
    from sklearn.metrics import cohen_kappa_score

    items, models = codes.shape[1:]
    drawn = np.random.default_rng(SEED)
    began = time.perf_counter()
    for _ in range(measured):
        weights = np.repeat(drawn.multinomial(items, np.full(items, 1 / items)), models)
        for judge in codes[:-1]:
            known = (judge.ravel() >= 0) & (codes[-1].ravel() >= 0)
            cohen_kappa_score(
                judge.ravel()[known], codes[-1].ravel()[known], sample_weight=weights[known]
            )
    return (time.perf_counter() - began) * 10_000 / measured


def card_of_many(url: str) -> tuple[float, float, float, str]:
    """Seconds, those of the processor, megabytes at the peak, and how many verdicts it says."""
    took: list[tuple[float, float, float]] = []
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    for _ in range(3):
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", CARD, url], stdout=subprocess.PIPE, env=environment
        ) as child:
            out = child.stdout.read() if child.stdout else b""
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"the card ended with {child.returncode}")
        cpu = used.ru_utime + used.ru_stime
        took.append((time.perf_counter() - began, cpu, used.ru_maxrss * 1024 / 1e6))
    seconds, cpus, mb = zip(*took, strict=True)
    return min(seconds), min(cpus), max(mb), f"{int(out):,}"


@contextmanager
def made(url: str | None, n: int) -> Iterator[str]:
    """A store with so many verdicts of each of two judges, or the one that is there."""
    if url is not None:
        yield url
        return
    large_store.JUDGES = 2
    large_store.SMALL[:] = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        print(f"  {large_store.make(url, 4 * n, 0)}", flush=True)
        yield url


def ratio(sums: Floats) -> Floats:
    """The first of two means less the second, of sums (..., 2, 2)."""
    means = sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan)
    return np.asarray(means[..., 0] - means[..., 1])


def populations() -> Iterator[tuple[str, Floats, Of]]:
    """What each item adds, and what is made of the sums."""
    judges, models, codes = published()
    n = codes.shape[1]
    flat = codes.reshape(len(judges), -1)
    items = np.repeat(np.arange(n), len(models))
    yield "judges_alpha", coincidences(flat, items, n_units=n, n_labels=2), krippendorff_alpha_of
    for judge in ("Llama-7B", "GPT-4"):
        j = judges.index(judge)
        own = np.array([family_of(model) == family_of(judge) for model in models])
        known = (codes[j] >= 0) & (codes[-1] >= 0)
        error = np.where(known, codes[j] - codes[-1], 0)
        sides = [known & own, known & ~own]
        added = [[(error * side).sum(axis=1), side.sum(axis=1)] for side in sides]
        yield f"own_family, {judge}", np.array(added, float).transpose(2, 0, 1), ratio
        length = np.random.default_rng(SEED).normal(0.5 * error, 1.0)
        sides = [known & (length > 0), known & (length <= 0)]
        added = [[(error * side).sum(axis=1), side.sum(axis=1)] for side in sides]
        yield f"longer, {judge}", np.array(added, float).transpose(2, 0, 1), ratio
    draw = np.random.default_rng(SEED)
    worth = draw.normal(0.0, 1.0, (n, 1)) + draw.normal(0.0, 0.5, (n, 6))
    said = [
        np.clip(np.round(3.6 + worth + draw.normal(0.0, 0.7, worth.shape)), 1, 5).astype(int) - 1
        for _ in range(2)
    ]
    scores = confusion(said[0], said[1], 5)
    yield "gwet_ac2", scores, gwet_ac2
    yield "cohen_kappa, quadratic", scores, lambda t: cohen_kappa_of(t, weighting="quadratic")


def coverage(added: Floats, of: Of, size: int, trials: int) -> tuple[float, float]:
    """Share of intervals that hold the truth, and their mean width."""
    truth = float(of(added.sum(axis=0)))
    draw = np.random.default_rng([SEED, size])
    held, widths = 0, []
    for trial in range(trials):
        some = added[draw.integers(0, len(added), size)]
        (sums,) = Resamples(size, REPLICATES, seed=trial).sums([some])
        low, high = (float(end) for end in percentile_interval(of(sums)[1:]))
        held += low <= truth <= high
        widths.append(high - low)
    return held / trials, float(np.mean(widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--verdicts", type=int, default=1_000_000)
    parser.add_argument("--made", help="a store that `perf/large_store.py` made before")
    given = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()},"
          f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    judges, _, codes = published()
    took = kappa_seconds(codes)
    print(f"kappa of {len(judges) - 1} judges on {codes[0].size:,} answers, 10,000 replicates:"
          f" {took:.2f} s (wanted: {KAPPA_S:g} s)", flush=True)  # fmt: skip
    print(f"  the same, one by one with scikit-learn: {one_by_one_seconds(codes):,.0f} s"
          " (20 of 10,000 measured)", flush=True)  # fmt: skip
    print("card of a judge")
    with made(given.made, given.verdicts) as url:
        seconds, cpu, mb, n = card_of_many(url)
    print(f"  {n} readable verdicts on {large_store.MODELS} models: {seconds:.2f} s, {cpu:.2f} s of"
          f" a processor, {mb:.0f} MB (wanted: {CARD_S:g} s, {CARD_MB:g} MB)",
          flush=True)  # fmt: skip
    print(f"95 % intervals that hold the truth, of {given.trials:,} draws of so many items"
          " (mean width)")  # fmt: skip
    print(f"{'':<24}" + "".join(f"{size:>18}" for size in SIZES))
    for name, added, of in populations():
        cells = (coverage(added, of, size, given.trials) for size in SIZES)
        said = "".join(f"{100 * share:9.1f} ({width:.3f})" for share, width in cells)
        print(f"{name:<24}{said}", flush=True)


if __name__ == "__main__":
    main()
