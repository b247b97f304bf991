"""The page docs/performance.md out of docs/figures: ``python perf/performance_page.py``.

``make bench`` writes it last. Each row names its figure; one whose figure is not there, or does not
say it, is shown as not measured, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
PAGE = ROOT / "docs" / "performance.md"
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, beside another where there is one.

    ``ours`` and ``other`` are patterns whose group is a number in ``file``. ``more`` says that more
    is better. ``ratio`` finds a ratio that the file has itself, with its spread, ``mb`` the peak,
    ``slowest`` what the other had in its slowest round.
    """

    what: str
    file: str
    ours: str
    unit: str
    beside: str = ""
    other: str = ""
    more: bool = False
    ratio: str = ""
    spread: str = ""
    bound: str = ""
    mb: str = ""
    slowest: str = ""

    def cells(self) -> list[str]:
        value, other = number(self.file, self.ours), number(self.file, self.other)
        ratio = ""
        if self.ratio and (found := search(self.file, self.ratio)):
            ratio = f"{found[1]} ({found[2]})"
        elif value and other:
            times = value / other if self.more else other / value
            ratio = f"{times:,.2f}" if times < 10 else f"{times:,.0f}"
        there = "" if other is None else f"{self.beside}: {shown(other)}"
        if there and (slowest := number(self.file, self.slowest)) is not None:
            there += f" (slowest {shown(slowest)})"
        return [
            self.what,
            NOT_MEASURED if value is None else f"{shown(value)} {self.unit}",
            there,
            ratio and f"{ratio}{f', {self.spread}' if self.spread else ''}",
            self.bound or self._memory(),
            f"[{self.file}](figures/{self.file})" if (FIGURES / self.file).exists() else self.file,
        ]

    def _memory(self) -> str:
        mb = number(self.file, self.mb)
        return "" if mb is None else f"{shown(mb)} MB"


def search(file: str, pattern: str) -> re.Match[str] | None:
    path = FIGURES / file
    if not pattern or not path.exists():
        return None
    return re.search(pattern, path.read_text(encoding="utf-8"), re.S)


def number(file: str, pattern: str) -> float | None:
    found = search(file, pattern)
    return None if found is None else float(found[1].replace(",", ""))


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"


N = r"([\d,.]+)"
SMALL = rf"20 ms, 64 connections.*?judgebench +{N}"
CACHED = rf"again, 1,000 items cached.*?judgebench +{N}"


def rival(name: str) -> str:
    return rf"20 ms, 64 connections.*?  {name} +{N}"


def slowest(name: str) -> str:
    return rf"20 ms, 64 connections.*?  {name} +(?:[\d,.]+ +){{9}}{N}\n"


SECTIONS: dict[str, tuple[str, list[Row]]] = {
    "Start-up": (
        "CPU seconds of a whole process, since others were at work.",
        [
            Row("`judgebench --help`", "start_up.txt", rf"judgebench --help +{N}", "s",
                "lm-eval's", rf"lm_eval --help +{N}", spread="medians of 10 in turns",
                bound="Python that does nothing"),
            Row("`import judgebench`", "start_up.txt", rf"import judgebench +{N}", "s"),
        ],
    ),
    "Judging beside others": (
        "Calls a second of a server that takes 20 ms, at 64 connections: 3,200 at most. Replies, "
        "verdicts and board are in the store in judgebench's figure, and nothing is in the bare "
        "client's.",
        [
            Row("a whole run", "judging.txt", SMALL, "calls/s", name, rival(pattern), more=True,
                spread="best of 3 rounds", bound=f"latency: {bound}",
                slowest=slowest(pattern))
            for name, pattern, bound in (
                ("AsyncOpenAI", "AsyncOpenAI", "3,200"),
                ("AsyncOpenAI over aiohttp", "AsyncOpenAI, aiohttp", "3,200"),
                ("inspect-ai", "inspect-ai", "3,200"),
                ("alpaca-eval, all threads", "alpaca-eval, all threads", "3,200"),
            )
        ]
        + [
            Row("CPU of a call, all providers' layers", "provider_throughput.txt",
                rf"whole stack .*?{N} CPU ms", "ms", "AsyncOpenAI over aiohttp",
                rf"aiohttp .*?{N} CPU ms", spread="best of 3 in turns"),
            Row("1,000 items again, everything stored", "judging.txt", CACHED, "s", "inspect-ai",
                rf"again, 1,000.*?inspect-ai +{N}", spread="best of 3, rivals of 1",
                bound="imports"),
            Row("10,000 items again", "judging.txt", rf"again, 10,000.*?judgebench +{N}", "s"),
            Row("four processes that share 600 calls a minute, fewest", "shared_limit.txt",
                rf"in any minute {N}", "a minute", bound="600"),
            Row("a local judge with prefix caching, the demo's prompts", "prefix_cache.txt",
                rf"all of them +\d+ +[\d.]+ +{N}", "calls/s", "without",
                rf"all of them +\d+ +{N}", more=True, spread="one round"),
        ],
    ),
    "Several machines": (
        "Two copies of a stand-in that takes 20 ms an item, eight at a time, on a cluster of two "
        "nodes on this machine.",
        [
            Row("10,000 items through Ray", "ray_overhead.txt", rf" 10,000 +{N}", "items/s",
                "1,000 items", rf" 1,000 +{N}", more=True, bound="100: latency"),
            Row("share of the possible rate", "ray_overhead.txt", rf" 10,000 +[\d.]+ +{N}", ""),
            Row("the driver's work for an item", "ray_overhead.txt", rf" 10,000 .*? {N}\n",
                "CPU ms"),
            Row("the driver's memory, more than before", "ray_overhead.txt",
                rf" 10,000 +[\d.]+ +[\d.]+ +{N}", "MiB"),
        ],
    ),
    "Boards": (
        "From the store to estimates with intervals and ranks.",
        [
            Row("length-controlled win rate of one model", "win_rates.txt",
                rf"one model, exact +{N}", "ms", "alpaca-eval", rf"one model, exact +[\d.]+ +{N}",
                spread="best of 10 in 5 rounds"),
            Row("board of 29 models", "win_rates.txt", rf"29 models without intervals +{N}", "ms",
                "alpaca-eval", rf"29 models without intervals +[\d.]+ +{N}",
                spread="best of 10 in 5 rounds"),
            Row("the same with 1,000 replicates", "win_rates.txt", rf"1000 replicates of both +{N}",
                "ms"),
            Row("96,000 scores", "boards.txt", rf"leaderboards +96,000 scores +{N} s", "s",
                mb=rf"leaderboards +96,000 scores.*?CPU +{N} MB"),
            Row("960,000 scores", "boards.txt", rf"leaderboards +960,000 scores +{N} s", "s",
                mb=rf"leaderboards +960,000 scores.*?CPU +{N} MB"),
            Row("the leaderboard of a large store, first", "board_speed.txt",
                rf"large, first +[\d.]+ +{N}", "CPU s", "imports alone",
                rf"imports what it must +[\d.]+ +{N}",
                mb=rf"large, first +[\d.]+ +[\d.]+ +[\d.]+ +{N}"),
            Row("the same again", "board_speed.txt", rf"large, again +[\d.]+ +{N}", "CPU s",
                "imports alone", rf"imports what it must +[\d.]+ +{N}"),
            Row("agreement of every two judges", "dashboard.txt", rf"of every two +{N}", "s"),
            Row("kappa of 11 judges on 3,600 answers, 10,000 replicates", "judge_card.txt",
                rf"10,000 replicates: {N} s", "s", "scikit-learn, one by one",
                rf"with scikit-learn: {N} s", spread="best of 3, the other by 20 replicates"),
            Row("the card of a judge with a million verdicts", "judge_card.txt",
                rf"models: {N} s,", "s", mb=rf"of a processor, {N} MB"),
            Row("Bradley-Terry, a million comparisons", "rankings.txt",
                rf"strengths: counting and fit +{N}", "CPU s", "choix, counted by us",
                rf"our counting and its ILSR +{N}", spread="best of 5"),
            Row("the same", "rankings.txt", rf"strengths: counting and fit +{N}", "CPU s",
                "evalica, from rows", rf"strengths from rows +{N}", spread="best of 5",
                bound="counting the rows"),
        ],
    ),
    "The store": (
        "A judgment is a reply with its question, its spending, a verdict and where it serves.",
        [
            Row("SQLite, appended", "store_commits.txt", rf"SQLite +{N} judgments/s",
                "judgments/s", "from 4 processes", rf"SQLite .*?{N} judgments/s from 4", more=True,
                bound="disk: a commit for each group"),
            Row("PostgreSQL, appended", "store_commits.txt", rf"postgresql +{N} judgments/s",
                "judgments/s", "from 4 processes", rf"postgresql.*?{N} judgments/s from 4",
                more=True, bound="two round trips a group"),
            Row("claims, PostgreSQL, 8 processes", "claims.txt",
                rf"postgresql.*?8 processes, own keys +{N}", "keys/s", "SQLite",
                rf"sqlite.*?8 processes, own keys +{N}", more=True),
            Row("a board of 100,000 of 10 million, SQLite", "large_store.txt",
                rf"SQLite.*?one judge on a benchmark +[\d,]+ rows +{N}", "s",
                mb=rf"SQLite.*?one judge on a benchmark.*?CPU +{N} MB"),
            Row("the same, PostgreSQL", "large_store.txt",
                rf"PostgreSQL.*?one judge on a benchmark +[\d,]+ rows +{N}", "s",
                mb=rf"PostgreSQL.*?one judge on a benchmark.*?CPU +{N} MB"),
            Row("5 million rows of 10 million, SQLite", "large_store.txt",
                rf"SQLite.*?all rows of a benchmark +[\d,]+ rows +{N}", "s", "not packed",
                rf"SQLite.*?not packed +[\d,]+ rows +{N}",
                mb=rf"SQLite.*?all rows of a benchmark.*?CPU +{N} MB"),
            Row("the same, PostgreSQL", "large_store.txt",
                rf"PostgreSQL.*?all rows of a benchmark +[\d,]+ rows +{N}", "s", "not packed",
                rf"PostgreSQL.*?not packed +[\d,]+ rows +{N}",
                mb=rf"PostgreSQL.*?all rows of a benchmark.*?CPU +{N} MB"),
            Row("lm-eval's samples, 285 MB", "imports.txt", rf"lm-eval.*?wall, +{N} s CPU",
                "CPU s",
                mb=rf"lm-eval:.*?CPU, +{N} MB"),
            Row("inspect's logs, 94 MB", "imports.txt", rf"inspect.*?wall, +{N} s CPU", "CPU s",
                mb=rf"inspect:.*?CPU, +{N} MB"),
            Row("100,000 verdicts", "imports.txt", rf"verdicts:.*?wall, +{N} s CPU", "CPU s",
                mb=rf"verdicts:.*?CPU, +{N} MB"),
        ],
    ),
    "Pages": (
        "Until all numbers stand, of a store of 1.57 GB.",
        [
            Row("Leaderboard, cold", "dashboard.txt", rf"labels, cold +[\d.]+ +{N}", "s",
                "a page with nothing on it", rf"bare page, cold +{N}"),
            Row("Compare, cold", "dashboard.txt", rf"Compare, cold +[\d.]+ +{N}", "s"),
            Row("Agreement, cold", "dashboard.txt", rf"Agreement, cold +[\d.]+ +{N}", "s"),
            Row("Leaderboard, warm", "dashboard.txt", rf"Leaderboard, warm +[\d.]+ +{N}", "s"),
            Row("Leaderboard, first after new verdicts", "dashboard.txt",
                rf"Leaderboard, labels, first +[\d.]+ +{N}", "s"),
            Row("ten sessions at once, cold", "dashboard.txt", rf"10 sessions at once: {N}", "s"),
        ],
    ),
    "Generation": (
        "The demo's model on the CPU, one thread, greedy, through judgebench and through lm-eval "
        "alone: CPU of answering, with what judgebench keeps besides (finish reasons, counts, "
        "log-probabilities, commits).",
        [
            Row("answers", "generation.txt", rf"judgebench +CPU s of answering +{N}", "CPU s",
                "`generate_until` alone", rf"lm-eval +CPU s of answering +{N}",
                ratio=r"generate_until alone +([\d.]+) \(([^)]*)\)", spread="judgebench to lm-eval",
                bound="at most 1.03"),
            Row("fixed, more than lm-eval", "generation.txt",
                r"a process more\) +(-?[\d.]+)", "CPU s"),
        ],
    ),
}  # fmt: skip

MISSING = {
    "generation on a GPU": "no card was at hand; `hf` against the same call of lm-eval, vLLM and "
    "sglang",
    "rivals' spread": "inspect-ai and alpaca-eval were asked in one round; `perf/judging.py "
    "--full` asks them in each",
}


def table(rows: list[Row]) -> Iterator[str]:
    yield "| what | judgebench | beside it | times, spread | bound, memory | figure |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        yield f"| {' | '.join(row.cells())} |"


def curves() -> Iterator[str]:
    """What grows, ten times more each, as its figures have it."""
    yield "| what | n | s | CPU s | peak MB | figure |"
    yield "|---|---|---|---|---|---|"
    grown = re.compile(r"^  (\S.*?)  +([\d,]+) +([\d.]+) s +([\d.]+) s CPU(?: +(\d+) MB)?$", re.M)
    found = [*grown.finditer(text("growth.txt"))]
    for one in found:
        what, n, seconds, cpu, mb = one.groups()
        figure = "[growth.txt](figures/growth.txt)"
        yield f"| {what} | {n} | {seconds} | {cpu} | {mb or ''} | {figure} |"
    if not found:
        yield f"| appended, read, ranked | {NOT_MEASURED} | | | | growth.txt |"
    cases = re.compile(r"^ +([\d,]+)  (plan|run|run again) +(\d+) +([\d.]+) +([\d.]+)$", re.M)
    for one in cases.finditer(text("memory.txt")):
        n, what, mb, seconds, cpu = one.groups()
        figure = "[memory.txt](figures/memory.txt)"
        yield f"| `{what}` of so many cases | {n} | {seconds} | {cpu} | {mb} | {figure} |"


def text(file: str) -> str:
    path = FIGURES / file
    return path.read_text(encoding="utf-8") if path.exists() else ""


def page() -> str:
    lines = [
        "# How fast it is",
        "",
        "Made by `make bench` (`perf/performance_page.py`) out of the figures beside it, each of "
        "which says on what machine and beside what load it was taken: two slow cores without a "
        "GPU, mostly with other work on them. *Times* is how many times better judgebench is than "
        "what stands beside it, below 1 worse. [To a cluster](scale.md) has what was simulated.",
    ]
    for title, (about, rows) in SECTIONS.items():
        lines += ["", f"## {title}", "", about, "", *table(rows)]
    lines += [
        "",
        "## How it grows",
        "",
        "Ten times more each; half of the judgments of a store are on the benchmark that is read.",
        "",
        *curves(),
    ]
    lines += ["", "## What is missing", ""]
    lines += [f"- {what}: {why}." for what, why in MISSING.items()]
    unmeasured = [row for _, rows in SECTIONS.values() for row in rows
                  if number(row.file, row.ours) is None]  # fmt: skip
    lines += [f"- {row.what}: {row.file} does not have it." for row in unmeasured]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
