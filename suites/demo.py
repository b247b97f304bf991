"""The demo: `suites/demo.yaml` part by part, each benchmark's board as soon as it is there.

    python suites/demo.py        # at most 60 lines of at most 100 columns
    python suites/demo.py -v     # all that `judgebench run` says

`make demo` calls this with the environment it set up. Everything happens on this machine, and what
the store has is not asked again. The small judge is asked about the first items only; the commands
at the end ask the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_model import demo_model

from judgebench import api
from judgebench.cli.main import run as judgebench
from judgebench.errors import JudgebenchError
from judgebench.protocols import Meter

ROOT = Path(__file__).resolve().parents[1]
SUITE = Path("suites/demo.yaml")
STORE = "sqlite:///results/judgebench.db"
RUN = ".venv/bin/judgebench"
TRIVIA = "trivia_judging_mini"
FILES = ("model-careful", "model-terse", "model-verbose", "model-weak")
RETRY = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the suite: who judges what, and a line that says what happens."""

    does: str
    benchmark: str
    judges: tuple[str, ...]
    limit: int
    models: tuple[str, ...] = ()
    metric: str | None = "score"
    beside: str | None = None

    @property
    def words(self) -> list[str]:
        """Its command line, behind ``judgebench``."""
        words = ["run", str(SUITE), "--store", STORE, "--limit", str(self.limit)]
        words += [word for name in self.judges for word in ("--judge", name)]
        return words + [word for name in self.models for word in ("--model", name)]


STEPS = (
    Step(
        does="answers from a file, judged by two rules: no model is needed",
        benchmark=TRIVIA,
        judges=("contains", "exact_match"),
        models=FILES,
        limit=12,
        metric="accuracy",
    ),
    Step(
        does="a real model answers on this machine, through lm-eval; rules grade it",
        benchmark="mixeval_mini",
        judges=("rules",),
        limit=8,
    ),
    Step(
        does="the model judges: it compares with a baseline's answers, in both orders",
        benchmark="alpaca_eval_mini",
        judges=("smollm2-pairs",),
        limit=4,
        metric="win_rate",
        beside="order_flips",
    ),
    Step(
        does="it grades the free answers from 0 to 1; options are read by rule",
        benchmark="mixeval_mini",
        judges=("rules", "smollm2-grades"),
        limit=8,
    ),
    Step(
        does="it rates answers in Chinese from 1 to 10, on the dimensions of their kind",
        benchmark="alignbench_mini",
        judges=("smollm2-dimensions",),
        models=("model-thorough",),
        limit=8,  # one of each category, of which the score is the mean
    ),
    Step(
        does="three answers to a question say how sure a model is",
        benchmark="honestybench_mini",
        judges=("contains",),
        models=("smollm2-135m-chat", "model-consistent", "model-bluffing"),
        limit=8,
        metric="accuracy",
    ),
    Step(
        does="it holds answers against references; asked for JSON, and for a word",
        benchmark=TRIVIA,
        judges=("contains", "smollm2-json", "smollm2-plain"),
        models=FILES,
        limit=4,
        metric=None,
    ),
)
"""Of trivia_judging_mini people have labelled the answers, which the last part is held against."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-v", "--verbose", action="store_true", help="all that is said on the way")
    verbose = parser.parse_args(arguments).verbose
    began = time.monotonic()
    os.chdir(ROOT)
    demo_model(convert=False).export(os.environ)  # the first part needs its path and no more
    code = 0
    for number, step in enumerate(STEPS, 1):
        if number == 2:
            demo_model()
        print(f"[{number}/{len(STEPS)}] {step.benchmark}: {step.does}", flush=True)
        ended = judgebench(step.words) if verbose else carry_out(step, began)
        if ended not in (0, RETRY):
            return ended
        code = code or ended
    if not verbose:
        print("\n".join(worth_looking_at()))
    print(f"demo: {time.monotonic() - began:.0f} s; again it takes seconds, and asks nobody")
    return code


def carry_out(step: Step, began: float) -> int:
    """Do one part and print its board; a code as `judgebench run` has them."""
    try:
        with Counter() as counter:
            outcome = api.run(
                SUITE,
                store=STORE,
                progress=counter,
                judges=step.judges,
                models=step.models,
                limit=step.limit,
            )
    except JudgebenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for note in [*outcome.warnings, *outcome.notes()]:
        print(note, file=sys.stderr)
    if step.metric is not None:
        print("\n".join(board(step)))
    calls = f"{outcome.answered} answers, {outcome.judge_calls} calls to the judge"
    print(f"{calls}; {time.monotonic() - began:.0f} s so far", flush=True)
    return RETRY if outcome.failed or outcome.stopped else 0


class Counter:
    """How far a part is, in one line of a terminal that is gone when the part is done."""

    def __init__(self) -> None:
        self.stream = sys.stderr
        self.shown = self.stream.isatty()
        self.name, self.total, self.done = "", 0, 0

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *error: object) -> None:
        self._show("")

    def stage(self, name: str, total: int | None) -> None:
        self.name, self.total, self.done = name, total or 0, 0
        self.advance(0)

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        self.done += n
        self._show(f"{self.name}: {self.done} of {self.total}" if self.total else self.name)

    def meter(self, figures: Meter) -> None:
        """Nothing: on one's own machine calls cost nothing."""

    def say(self, message: str) -> None:
        self._show("")
        print(message, file=self.stream)

    def _show(self, line: str) -> None:
        if self.shown:
            self.stream.write(f"\r\x1b[2K{line[:90]}")
            self.stream.flush()


# what is printed ----------------------------------------------------------------------------------


def report(*words: str) -> Any:
    """What a command says as JSON."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = judgebench([*words, "--store", STORE, "--format", "json"])
    if code:
        raise SystemExit(code)
    return json.loads(out.getvalue())


def boards(benchmark: str, judges: Sequence[str]) -> list[Mapping[str, Any]]:
    """The boards of some judges, in that order, from the store."""
    words = [word for judge in judges for word in ("--judge", judge)]
    found = {board["judge"]: board for board in report("leaderboard", benchmark, *words)["boards"]}
    return [found[judge] for judge in judges]


def board(step: Step) -> list[str]:
    """The board of a part: ranked by its first judge, with what the second says beside it."""
    first, *others = boards(step.benchmark, step.judges)[:2]
    metric = step.metric or ""
    title = metric.replace("_", " ")
    heads = ["rank", "model", f"{title}, {first['judge']}", "n"]
    if step.beside is not None:
        heads += [step.beside.replace("_", " ")]
    for other in others:
        heads += [f"{title}, {other['judge']}", "n"]
    said = [{row["model"]: row["metrics"] for row in other["rows"]} for other in others]
    rows = []
    for row in first["rows"]:
        if step.models and row["model"] not in step.models:
            continue
        metrics, rank = row["metrics"], row["rank"]
        place = "–" if rank is None else f"{rank} ({row['rank_low']}–{row['rank_high']})"
        cells = [place, row["model"], text(metric, metrics), counted(metric, metrics)]
        if step.beside is not None:
            cells += [text(step.beside, metrics)]
        for other in said:
            its = other.get(row["model"], {})
            cells += [text(metric, its), counted(metric, its)]
        rows.append(cells)
    return table(heads, rows)


def text(metric: str, metrics: Mapping[str, Any]) -> str:
    """A number with its interval, where it has them."""
    found = metrics.get(metric) or {}
    if found.get("value") is None:
        return "–"
    form = ".1f" if metric in ("win_rate", "order_flips") else ".3f"
    value, low, high = (found.get(name) for name in ("value", "low", "high"))
    return f"{value:{form}}" + ("" if low is None else f" [{low:{form}}, {high:{form}}]")


def counted(metric: str, metrics: Mapping[str, Any]) -> str:
    found = metrics.get(metric) or {}
    return str(found.get("n", 0))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, as wide as what stands in it."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (heads, *rows)
    ]


def worth_looking_at() -> list[str]:
    """Whether the judges can be believed, from what came out, and where to go on."""
    rows = [row for row in report("agreement", TRIVIA)["rows"] if row["scope"] == "pooled"]
    kappas = {row["judge"]: row["metrics"] for row in rows}
    heads = [f"judge of {TRIVIA}", "kappa with people", "agreement", "n"]
    cells = [
        [judge, text("cohen_kappa", its), text("agreement", its), counted("cohen_kappa", its)]
        for judge, its in kappas.items()
    ]
    return [
        *table(heads, cells),
        "",
        "worth looking at",
        *no_better_than_chance(kappas),
        *order_flips(boards("alpaca_eval_mini", ["smollm2-pairs"])[0]),
        f"  {RUN} agreement {TRIVIA} --by-model",
        f"  {RUN} compare model-careful model-weak",
        f"  {RUN} confidence honestybench_mini --correct contains",
        f"  {RUN} dashboard",
        f"  {RUN} run suites/demo.yaml       (the small judge on all items: minutes)",
    ]


def no_better_than_chance(kappas: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The judges whose interval of kappa holds 0, in a line."""
    found = []
    for judge, metrics in kappas.items():
        low, high = metrics["cohen_kappa"].get("low"), metrics["cohen_kappa"].get("high")
        if low is not None and low <= 0 <= high:
            found.append(judge)
    return [f"- kappa may be 0, as a coin's: {', '.join(found)}"] if found else []


def order_flips(pairs: Mapping[str, Any]) -> list[str]:
    """How often the judge that compares contradicts itself, by model, in a line."""
    flips = {row["model"]: row["metrics"]["order_flips"]["value"] for row in pairs["rows"]}
    found = [f"{value:.0f} % ({model})" for model, value in flips.items() if value]
    said = f"- smollm2-pairs names another winner when the order is turned: {', '.join(found)}"
    return textwrap.wrap(said, 100, subsequent_indent="  ", break_on_hyphens=False) if found else []


if __name__ == "__main__":
    sys.exit(main())
