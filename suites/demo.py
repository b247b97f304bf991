"""The demo: prepare the small model, run `suites/demo.yaml`, show the boards.

`make demo` calls this with the environment it set up. Everything happens on this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from demo_model import demo_model

ROOT = Path(__file__).resolve().parents[1]
SUITE = "suites/demo.yaml"
BENCHMARK = "trivia_judging_mini"


def main() -> int:
    began = time.monotonic()
    os.chdir(ROOT)
    demo_model().export(os.environ)
    prepared = time.monotonic()
    command = [sys.executable, "-m", "judgebench.cli.main"]
    ended = subprocess.run([*command, "run", SUITE], check=False)
    sys.stderr.write(
        f"demo: model prepared in {prepared - began:.1f} s, run {time.monotonic() - prepared:.1f} s"
        f"\nnext: .venv/bin/judgebench agreement {BENCHMARK} --by-model   (judge by exam taker)\n"
        f"      .venv/bin/judgebench dashboard                          (the same in a browser)\n"
        f"      .venv/bin/judgebench --help\n"
    )
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
