"""Seconds and peak memory of importing 100 000 samples of lm-eval and of Inspect, or verdicts.

    python perf/imports.py [--samples 100000] [--formats lm-eval inspect verdicts]

Each log is made up in a temporary folder, in the shape that lm-eval 0.4.13 and Inspect 0.3.285
write: a document, the prompt with its examples, an answer of some 50 words and one metric; for
Inspect the messages and the events of one call as well, compressed with Zstandard. It is imported
twice, by a process of its own each time; the second import changes nothing. The peak is the
kernel's (``ru_maxrss``). Verdicts are rows of one table, a label each, of which the names are held
until all are checked; beside the import another process's reads, as of a page, are timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from judgebench.errors import StoreError
from judgebench.store.opening import open_store

AT_MOST_S, AT_MOST_MB = 60.0, 500.0
TIME = "2026-01-02T03-04-05.678901"
#: An answer of some 50 words, and examples of some 150.
ANSWER = " ".join(f"word{i}" for i in range(50))
EXAMPLES = " ".join(f"example{i}" for i in range(150))
ZSTANDARD = 93


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one command took. ``mb`` are of a million bytes."""

    mb: float
    wall_s: float
    cpu_s: float
    said: str


def import_(what: str, log: Path, store: Path) -> Took:
    """Run ``judgebench import`` once; ends the script with what it said where it fails."""
    command = [
        *(sys.executable, "-m", "judgebench.cli.main", "import", what, str(log)),
        *("--store", f"sqlite:///{store}"),
    ]
    heard = store.with_suffix(".said")
    with heard.open("w") as said:
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)}:\n{heard.read_text()}")
    return Took(
        mb=usage.ru_maxrss * 1024 / 1e6,
        wall_s=time.monotonic() - began,
        cpu_s=usage.ru_utime + usage.ru_stime,
        said=[line for line in heard.read_text().splitlines() if "known already" in line][
            -1
        ].rpartition(": ")[2],
    )


# lm-eval ----------------------------------------------------------------------------------------


def lm_eval_folder(folder: Path, n: int) -> Path:
    generation = {"until": ["\n\n"], "max_gen_toks": 64, "do_sample": False}
    with (folder / f"samples_made_up_{TIME}.jsonl").open("w") as lines:
        for i in range(n):
            question = f"What is thing number {i}?"
            line = {
                "doc_id": i,
                "doc": {"question": question, "answer": f"thing {i}"},
                "target": f"thing {i}",
                "arguments": {
                    "gen_args_0": {"arg_0": f"{EXAMPLES}\n\n{question}", "arg_1": generation}
                },
                "resps": [[f"{ANSWER} {i}"]],
                "filtered_resps": [f"{ANSWER} {i}"],
                "filter": "none",
                "metrics": ["exact_match"],
                "doc_hash": f"{i:064x}",
                "prompt_hash": f"{i:064x}",
                "target_hash": f"{i:064x}",
                "exact_match": float(i % 3 == 0),
            }
            lines.write(json.dumps(line) + "\n")
    results = {
        "results": {
            "made_up": {"sample_len": n, "exact_match,none": sum(i % 3 == 0 for i in range(n)) / n}
        },
        "versions": {"made_up": 1.0},
        "n-shot": {"made_up": 5},
        "config": {"model": "hf", "model_args": {"pretrained": "made/up"}, "batch_size": 8},
        "model_name": "made/up",
        "lm_eval_version": "0.4.13",
    }
    (folder / f"results_{TIME}.json").write_text(json.dumps(results))
    return folder


# Inspect ----------------------------------------------------------------------------------------


def inspect_log(folder: Path, n: int) -> Path:
    path = folder / "made_up.eval"
    with zipfile.ZipFile(path, "w") as log:
        for i in range(n):
            _add(log, f"samples/{i}_epoch_1.json", _sample(i))
        _add(
            log,
            "header.json",
            {
                "version": 2,
                "status": "success",
                "eval": {
                    "task": "made_up",
                    "task_version": 1,
                    "created": "2026-01-02T03:04:05+00:00",
                    "model": "made/up",
                    "dataset": {"samples": n},
                    "packages": {"inspect_ai": "0.3.285"},
                    "scorers": [{"name": "match", "options": {}}],
                },
                "plan": {"steps": [{"solver": "generate", "params": {}}], "config": {}},
            },
        )
    return path


def _sample(i: int) -> dict[str, Any]:
    question, answer = f"What is thing number {i}?", f"{ANSWER} {i}"
    asked = [
        {"id": f"s{i}", "content": EXAMPLES, "role": "system"},
        {"id": f"q{i}", "content": question, "source": "input", "role": "user"},
    ]
    reply = {"id": f"a{i}", "content": answer, "source": "generate", "role": "assistant"}
    usage = {"input_tokens": 200, "output_tokens": 60, "total_tokens": 260}
    output = {
        "model": "made/up",
        "choices": [{"message": reply, "stop_reason": "stop"}],
        "completion": answer,
        "usage": usage,
    }
    span = {"span_id": f"{i:022d}", "timestamp": "2026-01-02T03:04:05.678901+00:00"}
    steps = [{**span, "event": "span_begin", "id": f"{k:022d}", "name": "step"} for k in range(12)]
    return {
        "id": i,
        "epoch": 1,
        "input": question,
        "target": f"thing {i}",
        "messages": [*asked, reply],
        "output": output,
        "scores": {"match": {"value": "CI"[i % 3 == 0], "answer": answer, "explanation": answer}},
        "metadata": {},
        "store": {},
        "events": [*steps, {**span, "event": "model", "input": asked, "output": output}],
        "model_usage": {"made/up": usage},
        "attachments": {},
    }


def _add(log: zipfile.ZipFile, name: str, content: dict[str, Any]) -> None:
    """Python before 3.14 writes no Zstandard: it is told what the bytes are once they are in."""
    text = json.dumps(content).encode()
    info = zipfile.ZipInfo(name)
    log.writestr(info, pa.compress(text, codec="zstd", asbytes=True))
    info.compress_type, info.file_size, info.CRC = ZSTANDARD, len(text), zlib.crc32(text)


# a table ----------------------------------------------------------------------------------------


def verdict_table(folder: Path, n: int) -> Path:
    path = folder / "verdicts.csv"
    with path.open("w") as rows:
        rows.write("benchmark,item_id,model,judge,kind,value\n")
        for i in range(n):
            cell, item = divmod(i, 1000)
            judge, model = divmod(cell, 30)
            label = "correct" if i * 7919 % 10 < 6 else "incorrect"
            rows.write(f"made_up,{item},model-{model},judge-{judge},label,{label}\n")
    return path


class Reads(threading.Thread):
    """What a page reads before it shows anything, again and again, from another process."""

    def __init__(self, store: Path) -> None:
        super().__init__(daemon=True)
        self.store, self.ended = store, threading.Event()
        self.n, self.slowest_s = 0, 0.0

    def run(self) -> None:
        while not self.ended.wait(0.2):
            began = time.monotonic()
            try:
                with open_store(f"sqlite:///{self.store}", read_only=True) as store:
                    store.benchmarks(), store.runs(), store.models(), store.judges()
            except StoreError:
                if self.n:
                    raise
                continue  # not there, or not made yet
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.n += 1


LOGS: dict[str, Callable[[Path, int], Path]] = {
    "lm-eval": lm_eval_folder,
    "inspect": inspect_log,
    "verdicts": verdict_table,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--formats", nargs="+", choices=LOGS, default=["lm-eval", "inspect"])
    chosen = parser.parse_args(arguments)
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; {chosen.samples:,} samples"
    )
    too_much = False
    for what in chosen.formats:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "log"
            folder.mkdir()
            log = LOGS[what](folder, chosen.samples)
            mb = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
            print(f"{what}: {mb:.0f} MB")
            for _ in range(2):
                reads = Reads(Path(name) / "store.db")
                reads.start()
                took = import_(what, log, reads.store)
                reads.ended.set()
                reads.join()
                print(
                    f"  {took.wall_s:6.1f} s wall, {took.cpu_s:6.1f} s CPU, {took.mb:5.0f} MB peak"
                    f": {took.said}; {reads.n} reads beside it, the slowest {reads.slowest_s:.2f} s"
                )
                too_much |= took.wall_s > AT_MOST_S or took.mb > AT_MOST_MB
    if too_much:
        sys.exit(f"more than {AT_MOST_S:.0f} s or {AT_MOST_MB:.0f} MB")


if __name__ == "__main__":
    main()
