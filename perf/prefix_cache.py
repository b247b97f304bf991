"""What a local judge gains by keeping what its prompts begin with, and which verdicts that changes.

    python perf/prefix_cache.py [--items 3] [--rounds 3]

The demo's judges, one after the other, ask about the recorded answers of the demo: SmolLM2-135M
behind a llama.cpp server on the CPU, one question at a time on one thread. Each round is judged
twice, without and with ``prefix_cache: true``, each time by a server of its own on a store of its
own, so that nothing is kept from before; with it, prompts that begin alike come one after the
other. Calls a second are of the judging alone. What other work there is on the machine makes both
slower, so that the seconds of CPU of the server stand beside them, and the ratio of each is of one
round; shown is the median.

A verdict is changed where both judged the same and said otherwise.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "suites")]

from demo_model import demo_model  # noqa: E402

import judgebench  # noqa: E402
from judgebench.providers.server import _free_port  # noqa: E402

AT_LEAST = 1.5
PLACE = ("benchmark", "item_id", "model", "judge", "order", "sample", "repeat")
SAID = ("kind", "label", "value", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One round of one kind; ``verdicts`` by where they stand."""

    calls: int
    seconds: float
    cpu_s: float
    verdicts: Mapping[tuple[Any, ...], Any]

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


@contextmanager
def served(gguf: Path) -> Iterator[tuple[int, psutil.Process]]:
    port = _free_port()
    command = [sys.executable, str(ROOT / "suites" / "demo_server.py"), "--model", str(gguf)]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--threads", "1"], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def suite_of(folder: Path, port: int, items: int, keeps: bool) -> Path:
    """The demo on recorded answers, its judges behind a server that is there already."""
    suite = yaml.safe_load((ROOT / "suites" / "demo.yaml").read_text(encoding="utf-8"))
    suite["models"] = [model for model in suite["models"] if "responses" in model]
    names = {model["name"] for model in suite["models"]}
    for model in suite["models"]:
        model["responses"] = str((ROOT / "suites" / model["responses"]).resolve())
    for judge in suite["judges"]:
        if judge.pop("server", None):
            judge |= {"base_url": f"http://127.0.0.1:{port}/v1", "prefix_cache": keeps}
    asks = {judge["name"] for judge in suite["judges"] if "base_url" in judge}
    for benchmark in suite["benchmarks"]:
        benchmark["models"] = [name for name in benchmark["models"] if name in names]
        benchmark["judges"] = [name for name in benchmark["judges"] if name in asks]
        benchmark["limit"] = items
        benchmark.pop("labels", None)
    suite["limits"] = {"timeout_s": 600}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite), encoding="utf-8")
    return path


def judged(gguf: Path, items: int, *, keeps: bool) -> Judged:
    with tempfile.TemporaryDirectory() as name, served(gguf) as (port, process):
        store = f"sqlite:///{name}/store.db"
        before = process.cpu_times()
        path = suite_of(Path(name), port, items, keeps)
        suite = yaml.safe_load(path.read_text(encoding="utf-8"))
        judges = dict.fromkeys(judge for one in suite["benchmarks"] for judge in one["judges"])
        runs = [judgebench.run(path, store=store, judges=judge) for judge in judges]
        after = process.cpu_times()
        assert not any(run.failed for run in runs), [run.notes() for run in runs]
        names = [one["name"] for one in suite["benchmarks"]]
        frames = [judgebench.verdicts(name, store=store) for name in names]
    rows = [
        row
        for frame in frames
        for row in frame.loc[frame["served_model"].notna(), [*PLACE, *SAID]]
        .astype(str)
        .itertuples(index=False, name=None)
    ]
    n = len(PLACE)
    return Judged(
        calls=sum(run.judge_calls for run in runs),
        seconds=sum(run.seconds["judging"] for run in runs),
        cpu_s=sum(after[:2]) - sum(before[:2]),
        verdicts={row[:n]: row[n:] for row in rows},
    )


def changed(one: Judged, other: Judged) -> int:
    assert one.verdicts.keys() == other.verdicts.keys()
    return sum(one.verdicts[place] != other.verdicts[place] for place in one.verdicts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=3, help="of each of the demo's benchmarks")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    model = demo_model(convert=False)
    model.export(os.environ)
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"the demo's judges, the first {options.items} items of each benchmark")
    print("round  prefix cache  calls  calls/s  CPU s a call  verdicts changed")
    rates, cpu, shares = [], [], []
    for number in range(1, options.rounds + 1):
        off = judged(model.gguf, options.items, keeps=False)
        on = judged(model.gguf, options.items, keeps=True)
        rates.append(on.rate / off.rate)
        cpu.append((off.cpu_s / off.calls) / (on.cpu_s / on.calls))
        shares.append(changed(off, on) / len(off.verdicts))
        for name, one in (("off", off), ("on", on)):
            told = f"{changed(off, one)} of {len(off.verdicts)}" if one is on else ""
            line = f"{number:5}  {name:12}  {one.calls:5}  {one.rate:7.2f}  "
            print(f"{line}{one.cpu_s / one.calls:12.2f}  {told:>16}", flush=True)
    ratio, by_cpu = median(rates), median(cpu)
    print(f"calls a second with it over without: {ratio:.2f} ({min(rates):.2f}-{max(rates):.2f})")
    print(f"the same by the server's CPU: {by_cpu:.2f} ({min(cpu):.2f}-{max(cpu):.2f})")
    print(f"verdicts changed: {median(shares):.1%}")
    if max(ratio, by_cpu) < AT_LEAST:
        sys.exit(f"at least {AT_LEAST} was promised")


if __name__ == "__main__":
    main()
