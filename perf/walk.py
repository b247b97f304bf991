"""How many functions are entered on three walks through judgebench: ``python perf/walk.py``.

1. ``judgebench run suite.yaml`` to the first call: from the command line's entry until a server on
   loopback has received the first question.
2. One judgment from its slot to its row on disk: between the arrivals of two questions of a judge
   that has one slot, the verdict of the first is read and kept and the second is asked. Several
   such rounds are taken together, so that a writer that is a step behind is seen too.
3. Stored verdicts to a printed board: all of ``judgebench leaderboard``.

Entered means: called while a profile function is set (`sys.setprofile`, in all threads). A function
is one with a name of its own in a file of judgebench; comprehensions, lambdas, bodies of classes
and modules and what dataclasses write are none. Nothing in here knows a name of the inside: where
a walk begins and ends is told by the command line and by the server. Each walk is taken three
times by a process of its own, and what only some of them entered (a clock's tick) does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402  (the root is on the path now)

from tests.loopback import Ask, Loopback, Reaction  # noqa: E402  (the root is on the path now)

PACKAGE = f"{ROOT / 'judgebench'}{os.sep}"
CO_OPTIMIZED = 1  # set for functions, and not for bodies of classes and modules
REPEATS = 3
ITEMS = 12
BENCHMARK = "trivia_judging_mini"
ROUND = (4, 8)
"""The questions between whose arrivals judgments are followed."""

FIRST_RELEASE = {"call": (505, 90), "judgment": (146, 42), "board": (266, 59)}
"""Functions and files that the first release entered."""

SHARE = 0.55
"""Of that, at most."""

WALKS: dict[str, str] = {
    "call": "`judgebench run suite.yaml` to the first call",
    "judgment": "one judgment, slot to row on disk",
    "board": "stored verdicts to a printed board",
}


class Entered:
    """Which functions are entered while it is on, as (file, name)."""

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()
        self.on = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and self.on:
            self.codes.add(frame.f_code)

    def functions(self) -> list[tuple[str, str]]:
        return sorted(
            {
                (code.co_filename.removeprefix(PACKAGE), code.co_qualname)
                for code in self.codes
                if code.co_filename.startswith(PACKAGE)
                and code.co_flags & CO_OPTIMIZED
                and not code.co_name.startswith("<")
            }
        )


def main() -> None:
    print("functions and files of judgebench that are entered; at most: 55 % of the first release")
    print(f"{'walk':48} functions  at first  at most   files  at first  at most")
    walked = {name: taken(name) for name in WALKS}
    for name, title in WALKS.items():
        functions = walked[name]
        cells = []
        for count, first in zip(
            (len(functions), len(files_of(functions))), FIRST_RELEASE[name], strict=True
        ):
            cells += [f"{count:9}", f"{first:8}", f"{int(first * SHARE):7}"]
        print(
            f"{title:48} {cells[0]}  {cells[1]}  {cells[2]}  {cells[3]:>6}  {cells[4]}  {cells[5]}"
        )
    for name, title in WALKS.items():
        print(f"\n{title}: functions entered, by file")
        for file, count in sorted(files_of(walked[name]).items()):
            print(f"{count:4}  {file}")


def files_of(functions: list[tuple[str, str]]) -> Counter[str]:
    return Counter(file for file, _ in functions)


def taken(walk: str) -> list[tuple[str, str]]:
    """What every one of several processes entered on a walk."""
    times = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, __file__, walk],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        times.append({(file, name) for file, name in json.loads(done.stdout)})
    return sorted(set.intersection(*times))


def walk(name: str) -> list[tuple[str, str]]:
    """Take one walk in this process."""
    from judgebench.cli.main import run

    entered = Entered()
    asked = 0

    def arrives(ask: Ask) -> Reaction:
        nonlocal asked
        asked += 1
        if name == "call":
            entered.on = False
        elif name == "judgment":
            entered.on = ROUND[0] <= asked < ROUND[1]
        return Reaction(text="correct")

    with tempfile.TemporaryDirectory() as folder, Loopback(arrives) as server:
        suite, store = written(Path(folder), server.url)
        if name == "board":
            silently(run, ["run", str(suite), "--quiet"])
        threading.setprofile(entered)
        sys.setprofile(entered)
        if name == "board":
            entered.on = True
            silently(run, ["leaderboard", BENCHMARK, "--store", store])
        else:
            entered.on = name == "call"
            silently(run, ["run", str(suite), "--quiet"])
        sys.setprofile(None)
        threading.setprofile(None)
        entered.on = False
        assert asked == ITEMS, f"{asked} questions arrived, not {ITEMS}"
    return entered.functions()


def written(folder: Path, url: str) -> tuple[Path, str]:
    """A suite with one judge, which has one slot, on one model's answers from a file."""
    store = f"sqlite:///{folder / 'store.db'}"
    suite = folder / "suite.yaml"
    suite.write_text(
        yaml.safe_dump(
            {
                "name": "walk",
                "models": [
                    {
                        "name": "model-terse",
                        "responses": str(ROOT / "tasks" / BENCHMARK / "answers.jsonl"),
                    }
                ],
                "judges": [
                    {
                        "name": "judge",
                        "kind": "reference",
                        "provider": "openai_compatible",
                        "model": "judge",
                        "base_url": url,
                        "max_connections": 1,
                    }
                ],
                "benchmarks": [{"name": BENCHMARK, "judges": ["judge"], "limit": ITEMS}],
                "store": store,
            }
        ),
        encoding="utf-8",
    )
    return suite, store


def silently(run: Callable[[list[str]], int], words: list[str]) -> None:
    """Carry out a command with its output thrown away, as into a file."""
    kept = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        code = run(words)
        sys.stdout.flush()
    finally:
        os.dup2(kept, 1)
        os.close(null)
        os.close(kept)
    assert code == 0, f"{' '.join(words)} ended with {code}"


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(walk(sys.argv[1])))
    else:
        main()
