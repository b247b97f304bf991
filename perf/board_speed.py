"""How quickly boards come from the command line and on pages: a large store, and AlpacaEval's.

    python perf/board_speed.py [--verdicts 5000000] [--pages]
    python perf/board_speed.py --large STORE.db --alpaca STORE.db

Makes a store with so many verdicts on one board (`perf/large_store.py`, which has as many again on
ten others), and one of AlpacaEval's published verdicts with answers of the published lengths, for
which length-controlled win rates are computed with their intervals. *First* is a command whose
answer nothing keeps yet, *again* the same command once more. Each is a process of its own, imports
and all, of modules that are compiled as an installation's are; the quickest of three.

Seconds of a loaded machine mean little, those of its processor more, and most the times of a
process that only imports what each of them must (numpy, SQLAlchemy, pydantic, click), which is
measured beside them.

``--pages`` opens the dashboard's pages on the large store in headless Chromium, as
`perf/dashboard.py` does: *first* with nothing computed yet, *cold* a fresh server with what an
earlier one kept on disk; the quicker of two visits.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
FIGURES = ROOT / "tasks" / "alpaca_eval" / "figures"
ALPACA, BASELINE = "alpaca_eval", "gpt4_1106_preview"
MUST = "import click, numpy, pydantic, sqlalchemy"
READ = """
import sys
from judgebench.store.opening import open_store
with open_store(sys.argv[1], read_only=True) as store:
    print(len(store.board_verdicts("large", "1")["value"]))
"""
TIMES = 3
WANTED = {
    "large, read": (1.0, 400.0),
    "large, first": (2.5, 400.0),
    "large, again": (0.5, 400.0),
    "AlpacaEval with intervals, first": (1.5, 400.0),
    "AlpacaEval with intervals, again": (0.5, 400.0),
}
"""Seconds of a quiet machine, and megabytes."""

PAGES = ("overview", "leaderboard", "compare", "agreement", "honesty", "items", "nights", "runs")
FIRST_S, COLD_S = 4.0, 2.0
VISITS = 2
"""The quicker counts: other work only adds."""


class Took(NamedTuple):
    """What one process took; ``mb`` are of a million bytes, at its most."""

    seconds: float
    cpu_s: float
    mb: float


def process(command: list[str], cache: str) -> Took:
    """One command, its output thrown away."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONPATH": str(ROOT)}
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # a user has set none
        environment.pop(name, None)
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, env=environment, cwd=ROOT
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return Took(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 976.6)


def board(benchmark: str, store: str) -> list[str]:
    return ["-m", "judgebench.cli.main", "leaderboard", benchmark, "--store", store]


def first_and_again(benchmark: str, store: str) -> tuple[Took, Took]:
    """The quickest of some times, by the processor."""
    both = []
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as cache:
            both.append([process(board(benchmark, store), cache) for _ in range(2)])
    first, again = (min(its, key=lambda took: took.cpu_s) for its in zip(*both, strict=True))
    return first, again


def quickest(command: list[str]) -> Took:
    with tempfile.TemporaryDirectory() as cache:
        return min((process(command, cache) for _ in range(TIMES)), key=lambda took: took.cpu_s)


def make_alpaca(store: str, folder: Path) -> None:
    """The published verdicts, and answers as long as they were, of no content."""
    import pyarrow.parquet as parquet

    import judgebench

    answers = folder / "answers.jsonl"
    rows = parquet.read_table(FIGURES / "verdicts.parquet").to_pylist()
    with (FIGURES / "instructions.csv").open(encoding="utf-8") as file:
        baseline = {
            int(row["index"]): float(row["baseline_length"]) for row in csv.DictReader(file)
        }
    lengths = {(BASELINE, item): int(length) for item, length in baseline.items()}
    lengths |= {(row["model"], row["index"]): row["length"] for row in rows}
    with answers.open("w", encoding="utf-8") as file:
        for (model, item), length in lengths.items():
            words = f"{item} {model} says so. " * (1 + length // 10)
            said = {
                "benchmark": ALPACA, "version": "2", "item_id": str(item), "model": model,
                "text": words[:length],
            }  # fmt: skip
            file.write(json.dumps(said) + "\n")
    subprocess.run(
        [sys.executable, "-m", "judgebench.cli.main", "import", "published", ALPACA,
         "--store", store],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    judgebench.import_responses([answers], allow_unknown_items=True, store=store)


@contextmanager
def stores(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The addresses of both; what was made goes in the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        large, alpaca = (
            f"sqlite:///{path.resolve() if path else folder / name}"
            for path, name in ((given.large, "large.db"), (given.alpaca, "alpaca.db"))
        )
        # In a process of their own: what this one has used counts for those that it starts.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            if not given.large:
                from perf import large_store

                made = apart.submit(large_store.make, large, 2 * given.verdicts, 0)
                print(made.result(), flush=True)
            if not given.alpaca:
                apart.submit(make_alpaca, alpaca, folder).result()
        yield large, alpaca


def pages(store: str) -> Iterator[tuple[str, float, float]]:
    """Of each page, seconds until its first numbers, and what is wanted."""
    from playwright.sync_api import sync_playwright

    from perf import dashboard

    with sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=shutil.which("chromium"), args=dashboard.ARGUMENTS
        )
        for name in PAGES:
            path = "/" if name == "overview" else f"/{name}?benchmark=large"
            took: dict[str, list[float]] = {"first": [], "cold": []}
            for _ in range(VISITS):
                with tempfile.TemporaryDirectory() as cache:
                    for seconds in took.values():
                        with dashboard.serving(store, cache=cache) as (address, _):
                            seconds.append(visit(dashboard, browser, address + path))
            for (how, seconds), most in zip(took.items(), (FIRST_S, COLD_S), strict=True):
                yield f"{name}, {how}", min(seconds), most
        browser.close()


def visit(dashboard: Any, browser: Any, address: str) -> float:
    page = browser.new_page()
    try:
        seconds: float = dashboard.opened(page, address, drawn=False)["numbers"]
        page.wait_for_function(dashboard.NOT_RUNNING, timeout=dashboard.WAIT_MS)
    finally:
        page.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--verdicts", type=int, default=5_000_000, help="on the large board")
    parser.add_argument("--large", type=Path, help="a store that perf/large_store.py made")
    parser.add_argument("--alpaca", type=Path, help="a store that this script made")
    parser.add_argument("--pages", action="store_true", help="also those of the dashboard")
    given = parser.parse_args()
    well = True
    with stores(given) as (large, alpaca):
        must = quickest(["-c", MUST])
        found = {"large, read": quickest(["-c", READ, large])}
        for name, benchmark, store in (
            ("large", "large", large), ("AlpacaEval with intervals", ALPACA, alpaca),
        ):  # fmt: skip
            found[f"{name}, first"], found[f"{name}, again"] = first_and_again(benchmark, store)
        print(f"{platform.platform()}, Python {platform.python_version()},"
              f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
        print(f"{'':<36}{'s':>7}{'CPU s':>8}{'times':>7}{'MB':>6}   wanted, of a quiet machine")
        print(f"{'imports what it must':<36}{must.seconds:>7.2f}{must.cpu_s:>8.2f}{1.0:>7.1f}"
              f"{must.mb:>6.0f}")  # fmt: skip
        for what, took in found.items():
            seconds, mb = WANTED[what]
            well &= min(took.seconds, took.cpu_s) <= seconds and took.mb <= mb
            print(f"{what:<36}{took.seconds:>7.2f}{took.cpu_s:>8.2f}"
                  f"{took.cpu_s / must.cpu_s:>7.1f}{took.mb:>6.0f}   {seconds} s, {mb:.0f} MB",
                  flush=True)  # fmt: skip
        for what, seconds, most in pages(large) if given.pages else ():
            well &= seconds <= most
            print(f"page {what:<31}{seconds:>7.2f}{'':>21}   {most} s", flush=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
