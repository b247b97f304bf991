"""MixEval-Hard, AlignBench and HonestyBench whole, with the demo's small model, over some evenings.

    python perf/full_sets.py --minutes 60

The model of 135 M parameters answers; a stand-in on loopback judges in the form of each prompt, so
that figures about right and wrong mean nothing: what is shown is that whole data sets go through
``judgebench run``, at what rate, and that it may be stopped and killed at any time. The same
command goes on where it was. After ``--minutes`` the run is interrupted as by Ctrl-C; before that
Ctrl-C does the same. What is left, and how long it takes at this rate, is said in the end.

    mixeval_hard                           answers of 128 tokens
    alignbench                             answers of 128 tokens
    honestybench, 60 questions a set       a greedy answer and five drawn ones, of 32 tokens
    honestybench                           a greedy answer to every question, of 32 tokens

The questions come from the data home (``JUDGEBENCH_DATA``), where ``judgebench data pull NAME`` or
``judgebench data import NAME FOLDER`` puts them; what is not there is named, and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suites.demo_model import demo_model
from tests.loopback import Loopback
from tests.official_judge import judged

ROOT = Path(__file__).resolve().parents[1]
JUDGEBENCH = (sys.executable, "-m", "judgebench.cli.main")
INTERRUPTED, NO_DATA = 130, 65
STARTING_S = 20.0
"""With less time than this nothing more is begun: the model would not be loaded before the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A benchmark as it is asked here; ``asked`` adds to its section of the suite."""

    name: str
    benchmark: str
    reply_tokens: int
    asked: Mapping[str, Any] = field(default_factory=dict)

    def suite(self, url: str, store: str) -> dict[str, Any]:
        model = {
            "model": "hf",
            "model_args": {"pretrained": "${DEMO_MODEL}", "dtype": "float32"},
            "batch_size": 8,
            "device": "cpu",
            "gen_kwargs": {"max_gen_toks": self.reply_tokens},
        }
        judge = {"provider": "openai_compatible", "model": "stand-in", "base_url": url}
        return {
            "name": self.name,
            "models": [{"name": "smollm2-135m", "lm_eval": model}],
            "judges": [{"name": "stand-in", **judge}],
            "benchmarks": [{"name": self.benchmark, "judges": ["stand-in"], **self.asked}],
            "store": store,
        }


PARTS = (
    Part(name="mixeval_hard", benchmark="mixeval_hard", reply_tokens=128),
    Part(name="alignbench", benchmark="alignbench", reply_tokens=128),
    Part(
        name="honestybench_samples",
        benchmark="honestybench",
        reply_tokens=32,
        asked={"limit_by_category": 60, "samples": 6},
    ),
    Part(name="honestybench", benchmark="honestybench", reply_tokens=32),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a part has not been asked yet."""

    generations: int
    judge_calls: int

    def __bool__(self) -> bool:
        return self.generations + self.judge_calls > 0


def left_of(suite: Path) -> Left | None:
    """What a run would ask; None, and the reason on stderr, where it cannot be planned."""
    done = subprocess.run(
        [*JUDGEBENCH, "plan", str(suite), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        sys.stderr.write(f"{suite.stem} is left out: {done.stderr}")
        return None
    total = json.loads(done.stdout)["total"]
    return Left(generations=total["generations"], judge_calls=total["judge_calls"])


def run(suite: Path, until: float) -> int:
    """Carry out a suite until the clock says so; its exit code."""
    # Its own group: Ctrl-C comes to us, and goes on to it once.
    child = subprocess.Popen([*JUDGEBENCH, "run", str(suite)], cwd=ROOT, start_new_session=True)
    try:
        return child.wait(timeout=max(0.0, until - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.send_signal(signal.SIGINT)
        return child.wait()
    finally:
        child.kill()  # does nothing to one that has ended, as all but a second Ctrl-C have it


def told(part: Part, before: Left, after: Left, seconds: float) -> str:
    """What was done of a part, and how long the rest takes at the same rate."""
    generated = before.generations - after.generations
    line = (
        f"{part.name}: {generated:,} generations in {seconds / 60:.1f} min, "
        f"{after.generations:,} generations and {after.judge_calls:,} judge calls left"
    )
    if generated and after.generations:
        hours = after.generations * seconds / generated / 3600
        line += f", about {hours:.1f} h at {generated / seconds:.2f}/s"
    return line


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "full_sets")
    names = [part.name for part in PARTS]
    parser.add_argument("--parts", nargs="+", choices=names, default=names)
    options = parser.parse_args(words)
    demo_model().export(os.environ)
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * options.minutes
    said, codes = [], set()
    with Loopback(judged) as server:
        for part in (part for part in PARTS if part.name in options.parts):
            suite = folder / f"{part.name}.yaml"
            written = part.suite(server.url, f"sqlite:///{folder / 'store.db'}")
            suite.write_text(yaml.safe_dump(written), encoding="utf-8")
            before = left_of(suite)
            if before is None:
                codes.add(NO_DATA)
                continue
            after, began = before, time.monotonic()
            if before and until - began > STARTING_S:
                codes.add(code := run(suite, until))
                if code == INTERRUPTED:
                    until = began  # also by Ctrl-C, which stops all
                elif code:  # what failed is asked again next time
                    sys.stderr.write(f"{part.name}: judgebench ended with {code}\n")
                after = left_of(suite) or before
            said.append(told(part, before, after, time.monotonic() - began))
    print("\n".join(said))
    return next(iter(codes - {0, INTERRUPTED}), 0)


if __name__ == "__main__":
    sys.exit(main())
