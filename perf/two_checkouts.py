"""This checkout beside another one, in turns: ``python perf/two_checkouts.py CHECKOUT``.

Start-up, a whole ``judgebench run`` against a loopback server, the same again with everything
recorded, and the peak memory of many cases, each measured as ``start_up.py``, ``judging.py`` and
``memory.py`` do. Both run in the environment of the interpreter that this is started with, which
has to satisfy both. The best of the rounds is shown, since other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from perf import memory
from perf.judging import Course
from perf.judging_rivals.contestants import clients
from perf.judging_rivals.measuring import loopback_server
from perf.start_up import COMMANDS, ROOT, cpu_s

LATENCY_MS, CONNECTIONS = 20, 64
COMMANDS_OF_OURS = ("judgebench --help", "import judgebench")


@contextmanager
def running(checkout: Path) -> Iterator[None]:
    """What is started meanwhile runs the code of ``checkout``."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(checkout)
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


class Figures:
    """What was measured, by name and checkout; ``best`` is ``min`` or ``max``."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._best: dict[str, Callable[[list[float]], float]] = {}

    def add(
        self, which: str, best: Callable[[list[float]], float], figures: dict[str, float]
    ) -> None:
        for name, value in figures.items():
            self._best[name] = best
            self._taken[name][which].append(value)

    def __str__(self) -> str:
        lines = [f"  {'':<34}{'other':>10}{'this':>10}{'this / other':>14}"]
        for name, taken in self._taken.items():
            other, this = (self._best[name](taken[which]) for which in ("other", "this"))
            lines.append(f"  {name:<34}{other:10,.2f}{this:10,.2f}{this / other:14.2f}")
        return "\n".join(lines)


def measure(
    figures: Figures, which: str, checkout: Path, course: Course, calls: int, cases: int
) -> None:
    """One round of one checkout."""
    ours = clients()[0]
    with running(checkout), tempfile.TemporaryDirectory() as name:
        for command in COMMANDS_OF_OURS:
            words = COMMANDS[command]
            cpu_s(words, checkout)  # its bytecode is written
            took = min(cpu_s(words, checkout) for _ in range(5))
            figures.add(which, min, {f"{command}, CPU s": took})
        run = course.ask(ours, LATENCY_MS, CONNECTIONS, calls)
        figures.add(which, max, {f"{calls:,} calls, calls/s": run.calls_per_s})
        figures.add(
            which,
            min,
            {
                f"{calls:,} calls, CPU ms a call": run.cpu_ms,
                "to the first call, CPU s": run.start_cpu_s,
                f"{calls:,} calls, whole run, s": run.wall_s,
            },
        )
        again = course.ask_again(ours, calls, 2)
        figures.add(
            which,
            min,
            {f"{calls:,} recorded, s": again.wall_s, f"{calls:,} recorded, CPU s": again.cpu_s},
        )
        memory.write_suite(Path(name), cases)
        for what, verb in {"plan": "plan", "run": "run", "run again": "run"}.items():
            peak = memory.peak(Path(name), verb, "suite.yaml")
            found = {f"{cases:,} cases, {what}, MB": peak.mb}
            found[f"{cases:,} cases, {what}, CPU s"] = peak.cpu_s
            figures.add(which, min, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=2048)
    parser.add_argument("--cases", type=int, default=100_000)
    options = parser.parse_args()
    other: Path = options.checkout.resolve()
    if not (other / "judgebench" / "__init__.py").is_file():
        parser.error(f"{other} is no checkout of judgebench")
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}; best of {options.rounds} rounds in turns; ", end="")
    print(f"{LATENCY_MS} ms, {CONNECTIONS} connections", flush=True)
    figures = Figures()
    with loopback_server() as server, tempfile.TemporaryDirectory() as folder:
        course = Course(server, Path(folder))
        for number in range(options.rounds):
            for which, checkout in {"other": other, "this": ROOT}.items():
                # memory hardly changes from round to round
                cases = options.cases if number == 0 else min(options.cases, 10_000)
                measure(figures, which, checkout, course, options.calls, cases)
                print(f"round {number + 1} of {which} is done", file=sys.stderr, flush=True)
    print(figures)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
