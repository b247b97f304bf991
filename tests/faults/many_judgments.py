"""Many judgments against a server that fails in every way, and what must hold at the end.

    python -m tests.faults.many_judgments --judgments 20000

A first run meets the faults; then they stop, and the same command is run again. Checked: every case
has a judgment or a recorded failure; no failure became a score, and every verdict is the one that
an undisturbed server gives; the calls are one for each distinct question and the retries, and all
stand on the account; the second run asks what had failed, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from judgebench.records import REFUSED, TRUNCATED
from tests.faults.kept import Kept, kept
from tests.faults.server import ANSWERED

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 64
RETRIES = 3
ALL_DONE, SOME_FAILED = 0, 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: how it ended, how long it took, what arrived at the server meanwhile.

    ``arrivals`` are counted by the SHA-256 of the question, ``fates`` by what the server did;
    ``answered`` are the arrivals that got a reply.
    """

    code: int
    seconds: float
    arrivals: Counter[str]
    fates: Counter[str]
    answered: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Both runs, and what the store held after each."""

    judgments: int
    first: Run
    after_first: Kept
    second: Run
    after_second: Kept


def measure(folder: Path, judgments: int, store: str | None = None) -> Figures:
    """Run twice in an empty folder, the second time without faults.

    Parameters
    ----------
    store
        The URL of an empty store; one in the folder if None.
    """
    store = store or f"sqlite:///{folder / 'store.db'}"
    suite = write_suite(folder, judgments, store)
    with serving(folder) as url:
        first = run(folder, suite, url)
        after_first = kept(store)
        (folder / "calm").touch()
        second = run(folder, suite, url)
        after_second = kept(store)
    return Figures(
        judgments=judgments,
        first=first,
        after_first=after_first,
        second=second,
        after_second=after_second,
    )


def write_suite(folder: Path, judgments: int, store: str) -> Path:
    """Own prompts with a reference each, answers to them, and a model that judges."""
    with (
        (folder / "prompts.jsonl").open("w") as prompts,
        (folder / "answers.jsonl").open("w") as answers,
    ):
        for n in range(judgments):
            prompt = {"id": f"{n}", "prompt": f"What is {n} plus {n}?", "reference": f"{2 * n}"}
            prompts.write(json.dumps(prompt) + "\n")
            answer = {"item_id": f"{n}", "model": "taker", "text": f"It is {2 * n + n % 2}."}
            answers.write(json.dumps(answer) + "\n")
    judge = {
        "name": "faulty",
        "provider": "openai_compatible",
        "model": "faulty",
        "base_url": "${FAULTY_URL}",
    }
    written = {
        "name": "faults",
        "models": [{"name": "taker", "responses": str(folder / "answers.jsonl")}],
        "judges": [judge],
        "benchmarks": [
            {"name": "sums", "items": str(folder / "prompts.jsonl"), "judges": ["faulty"]}
        ],
        "limits": {
            "max_connections": CONNECTIONS,
            "max_retries": RETRIES,
            "timeout_s": 3,
            "max_minutes": 1,
        },
        "store": store,
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written))
    return path


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The server in a process of its own; its address."""
    process = subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "tests" / "faults" / "server.py")),
            *("--log", str(folder / "asked.log"), "--calm", str(folder / "calm")),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def run(folder: Path, suite: Path, url: str) -> Run:
    """The command, to its end."""
    log = folder / "asked.log"
    before = len(log.read_text().splitlines())
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "judgebench.cli.main", "run", str(suite), "--quiet"],
        env={"FAULTY_URL": url, "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {ALL_DONE, SOME_FAILED}:
        raise AssertionError(done.stderr)
    said = [line.split() for line in log.read_text().splitlines()[before:]]
    lines = [(sha, fate.replace("_", " ")) for sha, fate in said]
    return Run(
        code=done.returncode,
        seconds=time.monotonic() - began,
        arrivals=Counter(sha for sha, _ in lines),
        fates=Counter(fate for _, fate in lines),
        answered=Counter(sha for sha, fate in lines if fate in ANSWERED),
    )


def violations(figures: Figures) -> list[str]:
    """What does not hold; empty if all does."""
    first, then, second, now = (
        figures.first,
        figures.after_first,
        figures.second,
        figures.after_second,
    )
    cases = {str(n) for n in range(figures.judgments)}
    missing, live = len(then.failed), then.spend["live"]
    reasons = Counter(then.unreadable.values())
    unread = reasons.total() - reasons[REFUSED] - reasons[TRUNCATED]
    wrong = []

    def hold(what: str, found: object, wanted: object) -> None:
        if found != wanted:
            wrong.append(f"{what}: {found} is not {wanted}")

    hold("cases with a judgment or a failure", then.judged | then.failed.keys(), cases)
    hold("cases with both", then.judged & then.failed.keys(), set())
    hold("verdicts that the server did not give", [*then.wrong, *now.wrong], [])
    hold("verdicts", len(then.verdicts), first.fates["ok"])
    hold("replies without a verdict", unread, first.fates["unreadable"])
    hold("refusals", reasons[REFUSED], first.fates["refusal"])
    hold("truncations that were not asked again", [*then.cut_off, *now.cut_off], [])

    hold("replies kept", live, first.answered.total())
    hold("distinct questions, each with a reply or a failure", len(first.arrivals), live + missing)
    retries = then.spend["retried"] + then.spend["wasted"] - missing
    hold("calls: distinct questions and retries", first.arrivals.total(), live + missing + retries)
    too_often = [sha for sha, n in first.arrivals.items() if n > RETRIES + 1]
    hold("questions tried more often than allowed", too_often, [])
    twice = [sha for sha, n in (first.answered + second.answered).items() if n > 1]
    hold("questions answered twice", twice, [])

    hold("exit code of the first run", first.code, SOME_FAILED if missing else ALL_DONE)
    hold("exit code of the second run", second.code, ALL_DONE)
    hold("asked by the second run", second.arrivals.total(), missing)
    hold("failures left", now.failed, {})
    hold("cases judged in the end", now.judged, cases)
    hold("calls on the account in the end", now.spend["live"], live + missing)
    return wrong


def report(figures: Figures) -> str:
    """The figures, for people."""
    first, then, second, now = (
        figures.first,
        figures.after_first,
        figures.second,
        figures.after_second,
    )
    beyond = first.arrivals.total() - len(first.arrivals)
    return "\n".join(
        [
            f"{figures.judgments:,} judgments against a server that fails in every way, "
            f"{CONNECTIONS} connections, {RETRIES} retries",
            f"  first run    {first.seconds:.1f} s, exit {first.code}: "
            f"{first.arrivals.total():,} calls for {len(first.arrivals):,} distinct questions, "
            f"{beyond:,} of them retries",
            f"  server       {_listed(first.fates)}",
            f"  stored       {len(then.verdicts):,} verdicts, {len(then.wrong)} of them not the "
            f"server's; unreadable: {_listed(Counter(then.unreadable.values()))}; "
            f"failed: {_listed(Counter(then.failed.values()))}",
            f"  account      {_listed(then.spend)}",
            f"  second run   {second.seconds:.1f} s, exit {second.code}, faults over: "
            f"{second.arrivals.total():,} calls, {len(now.judged):,} of {figures.judgments:,} "
            f"cases judged, {len(now.wrong)} of them not as the server says",
        ]
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in counts.most_common()) or "none"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--judgments", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.judgments)
    print(report(figures))
    if wrong := violations(figures):
        print("\n".join(["does NOT hold:", *wrong]))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
