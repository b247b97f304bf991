"""What a local judge gains by keeping what its prompts begin with, and which verdicts that changes.

    python perf/prefix_cache.py [--items 6] [--rounds 2]

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import judgebench  # noqa: E402
from judgebench.providers.server import free_port  # noqa: E402
from suites.demo_model import demo_model  # noqa: E402

AT_LEAST = 1.5
ALL = "all of them"
HEAD = """without and with
judge               calls  calls/s off    on  CPU s off     on  changed"""
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
    port = free_port()
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


def judged(gguf: Path, items: int, asked: Sequence[str], *, keeps: bool) -> dict[str, Judged]:
    """What came of each judge, asked one after the other."""
    found = {}
    with tempfile.TemporaryDirectory() as name, served(gguf) as (port, process):
        store = f"sqlite:///{name}/store.db"
        path = suite_of(Path(name), port, items, keeps)
        suite = yaml.safe_load(path.read_text(encoding="utf-8"))
        for judge in dict.fromkeys(j for one in suite["benchmarks"] for j in one["judges"]):
            if asked and judge not in asked:
                continue
            before = process.cpu_times()
            run = judgebench.run(path, store=store, judges=judge)
            after = process.cpu_times()
            assert not run.failed, run.notes()
            names = [one["name"] for one in suite["benchmarks"] if judge in one["judges"]]
            frames = [judgebench.verdicts(one, judges=judge, store=store) for one in names]
            rows = [
                row
                for frame in frames
                for row in frame.loc[frame["served_model"].notna(), [*PLACE, *SAID]]
                .astype(str)
                .itertuples(index=False, name=None)
            ]
            found[judge] = Judged(
                calls=run.judge_calls,
                seconds=run.seconds["judging"],
                cpu_s=sum(after[:2]) - sum(before[:2]),
                verdicts={row[: len(PLACE)]: row[len(PLACE) :] for row in rows},
            )
    return found


def of_all(judges: Mapping[str, Judged]) -> Judged:
    each = judges.values()
    return Judged(
        calls=sum(one.calls for one in each),
        seconds=sum(one.seconds for one in each),
        cpu_s=sum(one.cpu_s for one in each),
        verdicts={place: said for one in each for place, said in one.verdicts.items()},
    )


def changed(one: Judged, other: Judged) -> int:
    assert one.verdicts.keys() == other.verdicts.keys()
    return sum(one.verdicts[place] != other.verdicts[place] for place in one.verdicts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=6, help="of each of the demo's benchmarks")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--judge", action="append", default=[], help="of the demo; all if not said")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    model = demo_model(convert=False)
    model.export(os.environ)
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"the demo's judges, the first {options.items} items of each benchmark, {HEAD}")
    ratios: dict[str, list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        off = judged(model.gguf, options.items, options.judge, keeps=False)
        on = judged(model.gguf, options.items, options.judge, keeps=True)
        for name, one, other in (
            *((name, off[name], on[name]) for name in off),
            (ALL, of_all(off), of_all(on)),
        ):
            cpu = (one.cpu_s / one.calls, other.cpu_s / other.calls)
            ratios.setdefault(name, []).append((other.rate / one.rate, cpu[0] / cpu[1]))
            print(
                f"{name:18}  {one.calls:5}  {one.rate:8.2f} {other.rate:6.2f}  {cpu[0]:8.2f} "
                f"{cpu[1]:6.2f}  {changed(one, other):4} of {len(one.verdicts)}",
                flush=True,
            )
    print("\nratio, with the cache over without (median): calls a second, the server's CPU a call")
    for name, each in ratios.items():
        rate, by_cpu = (median(values) for values in zip(*each, strict=True))
        print(f"{name:18}  {rate:.2f}  {by_cpu:.2f}")
    if median(rate for rate, _ in ratios[ALL]) < AT_LEAST:
        sys.exit(f"at least {AT_LEAST} was promised")


if __name__ == "__main__":
    main()
