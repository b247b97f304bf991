"""How long the command line takes to say something: ``python perf/start_up.py [--rounds 10]``.

``judgebench --help``, ``import judgebench`` and lm-eval's own ``--help``, in turns, beside Python
that does nothing. CPU, since others may be at work; medians, with the first and third quartile.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "judgebench --help": ["-m", "judgebench.cli.main", "--help"],
    "import judgebench": ["-c", "import judgebench"],
    "lm_eval --help": ["-m", "lm_eval", "--help"],
}


def cpu_s(words: list[str], checkout: Path = ROOT) -> float:
    """What Python takes for these words with the code of a checkout, in seconds of CPU."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**environment, "PYTHONPATH": str(checkout)},
    ) as process:  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    for words in COMMANDS.values():  # what is installed has its bytecode then
        cpu_s(words)
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, words in COMMANDS.items():
            took[name].append(cpu_s(words))
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; {rounds} rounds in turns, CPU s"
    )
    for name, seconds in took.items():
        low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
        print(f"  {name:<22}{middle:8.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
