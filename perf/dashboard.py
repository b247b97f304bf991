"""How quickly the dashboard shows a store of five million judgments, and what it needs for that.

    python perf/dashboard.py [--store STORE.db] [--items 4000]

Without a store, one is made first (`perf/dashboard_store.py`). What the pages read is computed in
processes of its own; then headless Chromium opens the pages, with ten sessions, and while a writer
puts 500 judgments a second into a copy.

*First* is a server that has just been started on a store of which no number has been computed;
its browser has never seen a dashboard either. *Cold* is a server that has just been started, with
what an earlier one kept on disk, and a browser that has seen an earlier one; *reloaded* the page
opened once more, for which the browser starts all of Streamlit again: beside both stands a page of
Streamlit with a heading and a table of fifty rows. *Warm* is a page chosen in the navigation of
another, where the reader has been before.
Seconds are until the heading, the first table or list of numbers, and the first drawing are there;
of a warm page until nothing of it is being computed any more.
Memory is that of the server and of the process that computes beside it, each at its most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.keys import content_key
from judgebench.providers.server import free_port
from judgebench.records import (
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    RunManifest,
    RunVerdict,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from perf import dashboard_store

ROOT = Path(__file__).resolve().parents[1]
VERSION = dashboard_store.VERSION
READS = {
    "leaderboard of labels": ("judgebench.explore.boards", "facts"),
    "leaderboard of scores": ("judgebench.explore.boards", "essays"),
    "leaderboard of comparisons": ("judgebench.explore.boards", "chat"),
    "agreement with one judge": (
        "judgebench.explore.against", "facts", dashboard_store.JUDGES[0], "label",
    ),
    "agreement of every two": ("judgebench.explore.matrices", "facts"),
}  # fmt: skip
PAGES = {
    "Overview": "/",
    "Leaderboard, labels": "/leaderboard?benchmark=facts",
    "Leaderboard, comparisons": "/leaderboard?benchmark=chat",
    "Compare": "/compare?first={0}&second={1}&benchmark=facts",
    "Items": "/items?benchmark=facts&item=7",
    "Agreement": "/agreement?benchmark=facts",
    "Honesty": "/honesty?benchmark=facts",
    "Nights": "/nights?benchmark=facts",
    "Training": "/training?benchmark=facts",
    "Label": "/label?benchmark=facts",
    "Runs": "/runs",
}
FIRST = ("Overview", "Leaderboard, labels", "Leaderboard, comparisons", "Compare", "Agreement")
"""Pages that are also opened on a store of which nothing has been computed."""

UNDRAWN = ("Items", "Honesty", "Training", "Label", "Runs")
"""Without a drawing, on this store at least."""

NUMBERS = (
    "[data-testid=stDataFrame] canvas, [data-testid=stVegaLiteChart] canvas, "
    "[data-testid=stVegaLiteChart] svg, [data-testid=stAlert], "
    "[data-testid=stExpander] [data-testid=stMultiSelect]"  # what is labelled, before who labels
)
CHART = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
BARE = """
import pandas as pd, streamlit as st
st.set_page_config(layout="wide")
st.title("Bare")
st.dataframe(pd.DataFrame({"a": range(50), "b": range(50)}))
"""
ASKS_FIRST = ("Items",)
"""Shows no numbers before somebody has asked for something."""

NOT_RUNNING = "() => !document.querySelector('[data-test-script-state=running]')"
COMPARED = ("model-10", "model-11")
SETTLED_S = 20.0
"""Without another file no board is being computed: one takes half of that."""

WRITES_PER_S, WRITING_S, WAIT_MS = 500, 20.0, 300_000
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]

_READ = """
import importlib, json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from judgebench.store.opening import open_store
url, name, *rest = sys.argv[2:]
module, name = name.split(".")
read = getattr(importlib.import_module(module), name)
began, worked = time.perf_counter(), time.process_time()
with open_store(url, read_only=True) as store:
    read(store, *rest)
taken, worked = time.perf_counter() - began, time.process_time() - worked
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps([taken, worked, peak]))
"""


def read(url: str, name: str, benchmark: str, *more: str) -> list[float]:
    """Of one function that a page calls: seconds, of them at work, and its process's peak in MB."""
    command = [sys.executable, "-c", _READ, str(ROOT / "dashboards"), url, name, benchmark]
    done = subprocess.run(
        [*command, VERSION, *more], check=True, capture_output=True, text=True, cwd=ROOT
    )
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def serving(
    url: str, cache: str | None = None, port: int | None = None
) -> Iterator[tuple[str, int]]:
    """A fresh server on the store: its address and process; what it keeps is kept in ``cache``."""
    command = [sys.executable, str(ROOT / "dashboards" / "serve.py")]
    environment = {"XDG_CACHE_HOME": cache} if cache else {}
    with _served(command, ["--", "--store", url], port or free_port(), environment) as found:
        yield found


@contextmanager
def _served(
    command: Sequence[str], more: Sequence[str], port: int, environment: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    options += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [*command, *options, *more], cwd=ROOT, stdout=subprocess.DEVNULL,
        env=os.environ | environment,
    ) as server:  # fmt: skip
        try:
            _wait_for(f"{address}/_stcore/health")
            yield address, server.pid
        finally:
            server.terminate()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def peak_mb(process: int) -> float:
    """The most memory that a process has had, as the kernel counts it (``VmHWM``)."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def beside_mb(process: int) -> float:
    """As `peak_mb`, of what computes beside a server; 0 where nothing does."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    threads = Path(f"/proc/{process}/task").iterdir()
    children += [child for thread in threads for child in (thread / "children").read_text().split()]
    return max((peak_mb(int(child)) for child in set(children)), default=0.0)


def shown(page: Any, drawn: bool) -> dict[str, float]:
    """Seconds until a page's heading, its numbers and its first chart are drawn."""
    began = time.perf_counter()
    found = {}
    for what, selector in (("heading", "h1"), ("numbers", NUMBERS), ("chart", CHART)):
        if what != "chart" or drawn:
            page.locator(selector).first.wait_for(state="visible", timeout=WAIT_MS)
            found[what] = time.perf_counter() - began
    return found


def opened(page: Any, address: str, drawn: bool = True) -> dict[str, float]:
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    passed = time.perf_counter() - began
    return {what: seconds + passed for what, seconds in shown(page, drawn).items()}


def write(url: str, seconds: float, run: str) -> tuple[float, float]:
    """Judgments a second that one writer puts, asked for `WRITES_PER_S`; median ms of a commit."""
    with open_store(url) as store:
        model = store.put_model("written", ModelSpec(weights="name:written"))
        judge = store.put_judge("writing", JudgeSpec(kind="exact_match"))
        store.start_run(
            RunManifest(
                id=run, name="writing", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=time.time(), state="running",
            )
        )  # fmt: skip
        took: list[float] = []
        began = time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            due = len(took) / WRITES_PER_S
            if due > now:
                time.sleep(due - now)
            key = content_key("judgment", [run, len(took)])
            place = VerdictSlot(
                benchmark="facts", version=VERSION, item_id=str(len(took) % 100), model_key=model,
                judge_key=judge, sample=len(took) // 100, repeat=1,
            )  # fmt: skip
            verdict = Label(name="correct")
            judgment = Judgment(
                key=key, judge_key=judge, case_key=key, verdict=verdict, at=time.time()
            )
            start = time.perf_counter()
            store.put_judgment(judgment, [RunVerdict(run_id=run, place=place, judgment_key=key)])
            took.append(time.perf_counter() - start)
        return len(took) / (time.perf_counter() - began), 1000 * median(took)


@contextmanager
def writing(url: str, run: str) -> Iterator[list[tuple[float, float]]]:
    """A writer in a process of its own; what it managed is there afterwards."""
    command = [sys.executable, __file__, "--write", run, "--store", url.removeprefix("sqlite:///")]
    managed: list[tuple[float, float]] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        yield managed
        said, _ = writer.communicate()
    rate, ms = json.loads(said)
    managed.append((rate, ms))


def measure_reads(url: str) -> None:
    print(f"{'read, in a process of its own':<32}{'s':>7}{'CPU s':>8}{'peak MB':>9}")
    for title, (name, *rest) in READS.items():
        seconds, worked, mb = read(url, name, *rest)
        print(f"{title:<32}{seconds:>7.2f}{worked:>8.2f}{mb:>9.0f}", flush=True)


def measure_pages(url: str, browser: Any, paths: Mapping[str, str], kept: str) -> None:
    columns = "".join(f"{name:>9}" for name in ("heading", "numbers", "chart"))
    print(f"\n{'page, seconds until':<32}{columns}{'server MB':>11}{'beside MB':>11}")
    for title in FIRST:
        with (
            tempfile.TemporaryDirectory() as nothing,
            serving(url, cache=nothing) as (address, process),
        ):
            page = browser.new_page()
            told(f"{title}, first", opened(page, address + paths[title]), process)
            page.close()
    with serving(url, cache=kept) as (address, _):
        for title, path in paths.items():
            page = browser.new_page()
            opened(page, address + path, title not in UNDRAWN)
            page.wait_for_function(NOT_RUNNING, timeout=WAIT_MS)
            page.close()
        until_all_is_kept(Path(kept))
    port, context = free_port(), browser.new_context()
    with serving(url, kept, port) as (address, _):
        opened(context.new_page(), address)
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        command = [sys.executable, "-m", "streamlit", "run", str(bare)]
        with _served(command, [], port, {}) as (address, process):
            cold_and_reloaded("A bare page", address, process, context, drawn=False)
    for title, path in paths.items():
        with serving(url, kept, port) as (address, process):
            drawn = title not in UNDRAWN
            cold_and_reloaded(title, address + path, process, context, drawn=drawn)
    context.close()


def cold_and_reloaded(title: str, address: str, process: int, context: Any, *, drawn: bool) -> None:
    for how in ("cold", "reloaded"):
        page = context.new_page()
        told(f"{title}, {how}", opened(page, address, drawn), process)
        page.close()


def until_all_is_kept(folder: Path) -> None:
    """A server makes the boards of its store ready when nobody asks for anything."""
    before: set[Path] = set()
    while before != (before := set(folder.rglob("*.json"))):
        time.sleep(SETTLED_S)


def measure_choosing(url: str, browser: Any, kept: str) -> None:
    """From page to page in one session, where each has been chosen before."""
    names = dict.fromkeys(title.partition(",")[0] for title in PAGES)
    print(f"\n{'page, seconds until':<32}{'heading':>9}{'numbers':>9}{'all':>9}")
    with serving(url, cache=kept) as (address, process):
        page = browser.new_page()
        opened(page, address)
        for how in ("", "warm"):
            for name in names:
                began = time.perf_counter()
                page.get_by_role("link", name=name, exact=True).first.click()
                page.get_by_role("heading", name=name, exact=True).wait_for(timeout=WAIT_MS)
                found = {"heading": time.perf_counter() - began}
                if name not in ASKS_FIRST:
                    page.locator(NUMBERS).first.wait_for(state="visible", timeout=WAIT_MS)
                    found["numbers"] = time.perf_counter() - began
                page.wait_for_function(NOT_RUNNING, timeout=WAIT_MS)
                found["chart"] = time.perf_counter() - began
                if how:
                    told(f"{name}, {how}", found, process)


def told(title: str, found: Mapping[str, float], process: int) -> None:
    line = "".join(f"{found[what]:>9.2f}" if what in found else f"{'':>9}"
                   for what in ("heading", "numbers", "chart"))  # fmt: skip
    print(f"{title:<32}{line}{peak_mb(process):>11.0f}{beside_mb(process):>11.0f}", flush=True)


def measure_sessions(url: str, browser: Any, n: int, paths: Sequence[str], kept: str) -> None:
    with serving(url, cache=kept) as (address, process):
        pages = [browser.new_page() for _ in range(n)]
        began = time.perf_counter()
        for number, page in enumerate(pages):
            page.goto(address + paths[number % len(paths)], wait_until="commit")
        for page in pages:
            page.locator(NUMBERS).first.wait_for(state="visible", timeout=WAIT_MS)
        taken = time.perf_counter() - began
        print(f"\n{n} sessions at once: {taken:.1f} s until all have their numbers, cold; server "
              f"{peak_mb(process):.0f} MB, beside it {beside_mb(process):.0f} MB",
              flush=True)  # fmt: skip
        for page in pages:
            page.close()


def measure_writer(url: str, browser: Any) -> None:
    print(f"\n{f'a writer asked for {WRITES_PER_S}/s':<32}{'a second':>9}{'ms each':>9}")
    with writing(url, "alone") as alone:
        pass
    with serving(url) as (address, _):
        page = browser.new_page()
        opened(page, address + PAGES["Leaderboard, labels"])
        answers = []
        with writing(url, "beside") as beside:
            deadline = time.monotonic() + WRITING_S - 2
            while time.monotonic() < deadline:
                answers.append(opened(page, address + PAGES["Leaderboard, labels"])["numbers"])
        page.close()
    for title, (found,) in (("alone", alone), ("with a page beside it", beside)):
        rate, ms = found
        print(f"{title:<32}{rate:>9.0f}{ms:>9.2f}")
    print(f"the page meanwhile, opened {len(answers)} times: numbers after {median(answers):.2f} s "
          f"in the median, {max(answers):.2f} s at most", flush=True)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--write", metavar="RUN", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write:
        print(json.dumps(write(f"sqlite:///{given.store}", WRITING_S, given.write)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or Path(folder) / "store.db"
        if not path.exists():
            dashboard_store.make(path, n_models=50, n_items=given.items, seed=0)
        copy = Path(folder) / "written.db"
        shutil.copyfile(path, copy)
        measure_all(f"sqlite:///{path.absolute()}", f"sqlite:///{copy}", path)


def measure_all(url: str, written: str, path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with open_store(url, read_only=True) as store:
        two = [model.id for model in store.models() if model.name in COMPARED]
        paths = {title: path.format(*two) for title, path in PAGES.items()}
        benchmarks = ", ".join(name for name, _ in store.benchmarks())
    print(f"{path.stat().st_size / 1e9:.2f} GB: {benchmarks}; Python {platform.python_version()}\n")
    measure_reads(url)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        with tempfile.TemporaryDirectory() as kept:
            measure_pages(url, browser, paths, kept)
            measure_choosing(url, browser, kept)
            measure_sessions(url, browser, 10, list(paths.values()), kept)
        measure_writer(written, browser)
        browser.close()
    print(f"\nothers on this machine: {_busy()}")


def _busy() -> str:
    """A machine at work on something else makes seconds longer, CPU seconds hardly."""
    return f"load average {os.getloadavg()[2]:.1f} of {os.cpu_count()} cores, this included"


if __name__ == "__main__":
    main()
