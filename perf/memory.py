"""Peak memory of planning and of judging 1 000, 10 000 and 100 000 cases.

    python perf/memory.py [--cases 1000 10000 100000]

Each case is an own prompt with a recorded answer, judged against its reference by the ``scripted``
provider: all of a run but the network. ``judgebench plan``, ``judgebench run`` and a second run
with everything recorded are processes of their own; the peak is the kernel's (``VmHWM``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JUDGEBENCH = Path(sys.executable).with_name("judgebench")
AT_MOST_MB = 400.0
SUITE = """\
name: memory
models:
  - {name: recorded, responses: answers.jsonl}
judges:
  - {name: judge, kind: reference, provider: scripted, model: scripted, max_connections: 64}
benchmarks:
  - {name: own, items: prompts.jsonl, judges: [judge]}
store: sqlite:///store.db
"""
#: An answer of some 100 words.
FILLING = " ".join(f"word{i}" for i in range(100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What one command took. ``mb`` are of a million bytes."""

    mb: float
    wall_s: float
    cpu_s: float


def peak(folder: Path, *command: str) -> Peak:
    """Run ``judgebench`` in a folder; ends the script with what it said where it fails."""
    environment = os.environ | {"JUDGEBENCH_DATA": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    with (folder / "said.txt").open("w") as said:
        began = time.monotonic()
        child = subprocess.Popen(
            [JUDGEBENCH, *command],
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"judgebench {' '.join(command)}:\n{(folder / 'said.txt').read_text()}")
    return Peak(
        mb=usage.ru_maxrss * 1024 / 1e6,
        wall_s=time.monotonic() - began,
        cpu_s=usage.ru_utime + usage.ru_stime,
    )


def write_suite(folder: Path, cases: int) -> None:
    (folder / "suite.yaml").write_text(SUITE)
    with (
        (folder / "prompts.jsonl").open("w") as prompts,
        (folder / "answers.jsonl").open("w") as answers,
    ):
        for i in range(cases):
            prompt = {"id": f"q{i}", "prompt": f"What is thing {i}?", "reference": f"thing {i}"}
            answer = {"item_id": f"q{i}", "text": f"It is thing {i}. {FILLING}"}
            prompts.write(json.dumps(prompt) + "\n")
            answers.write(json.dumps(answer) + "\n")


def measure(cases: int) -> bool:
    """Print the peaks for so many cases; whether all of them were below the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(folder, cases)
        peaks = {
            "plan": peak(folder, "plan", "suite.yaml"),
            "run": peak(folder, "run", "suite.yaml"),
            "run again": peak(folder, "run", "suite.yaml"),
        }
    for what, took in peaks.items():
        print(
            f"{cases:9,}  {what:<10}{took.mb:8.0f}{took.wall_s:9.1f}{took.cpu_s:9.1f}", flush=True
        )
    return all(took.mb < AT_MOST_MB for took in peaks.values())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args(arguments)
    print(
        f"{platform.platform()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    print("    cases  what        peak MB   wall s    CPU s", flush=True)
    below = [measure(cases) for cases in options.cases]
    print(f"{'pass' if all(below) else 'FAIL'}: every peak below {AT_MOST_MB:g} MB")
    sys.exit(0 if all(below) else 1)


if __name__ == "__main__":
    main()
