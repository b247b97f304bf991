"""What bounds a night at 1 to 1,000 nodes: ``python perf/scale_model.py [--seed 20261129]``.

A simulation event by event, at the grain of a batch of answers. Nodes generate batches one after
the other; each is written by the store, its calls pass the provider's limit and a process that
makes them, and each verdict is written by the store again. Store, limit and process are servers
with one line each; an answer is written as slowly as a judgment. A run judges once all answers are
there. What is measured is read from docs/figures; what was not measured here (no GPU was at hand)
is computed from a card's data sheet and stands under ASSUMED.
"""

from __future__ import annotations

import argparse
import heapq
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

FIGURES = Path(__file__).resolve().parents[1] / "docs" / "figures"
NODES = (1, 10, 100, 1_000)
BATCH = 256
ANSWERS = 8_000
"""Of one night of one checkpoint; in the simulation of each node."""

CALLS_PER_ANSWER = 1.1
"""One judge, and pairs in both orders."""

PROMPT_TOKENS, ANSWER_TOKENS = 300, 400
JUDGE_PROMPT_TOKENS, JUDGE_ANSWER_TOKENS = 700, 60


@dataclass(frozen=True, slots=True)
class Part:
    """A figure with where it is from."""

    value: float
    unit: str
    what: str
    source: str

    def __str__(self) -> str:
        return f"{self.value:12,.2f} {self.unit:<16}{self.what:<58}{self.source}"


def measured(unit: str, what: str, file: str, pattern: str, scale: float = 1.0) -> Part:
    """The number that a pattern finds first in a file of figures."""
    found = re.search(pattern, (FIGURES / file).read_text(encoding="utf-8"), re.S)
    if found is None:
        raise ValueError(f"docs/figures/{file} has no {what}: {pattern}")
    return Part(float(found[1].replace(",", "")) * scale, unit, what, file)


SHEET, CONFIG = "data sheet", "config of Llama-3-8B"
ASSUMED = {
    "bandwidth": Part(3_350, "GB/s", "memory of an 80 GB card", SHEET),
    "flops": Part(990, "TFLOP/s", "of it in bfloat16", SHEET),
    "share": Part(0.5, "", "of both that an engine reaches", "assumed"),
    "weights": Part(16.1, "GB", "8B parameters in bfloat16", CONFIG),
    "kv": Part(131_072, "B/token", "KV cache: 32 layers, 8 heads, 128, two bytes", CONFIG),
    "load": Part(75, "s", "weights from a local disk, an engine's start", "assumed"),
    "card_usd": Part(2.5, "USD/h", "a card by the hour", "assumed"),
    "input_usd": Part(0.25, "USD/M tokens", "gpt-5-mini, in", "prices.toml"),
    "output_usd": Part(2.0, "USD/M tokens", "gpt-5-mini, out", "prices.toml"),
    "latency": Part(1.5, "s", "a judge's reply", "assumed"),
    "slow": Part(0.01, "", "of the nodes work at half the speed", "assumed"),
}


def parts() -> dict[str, Part]:
    """What was measured, by its name."""
    store, judging = "store_commits.txt", "judging.txt"
    return {
        "sqlite": measured("judgments/s", "SQLite, one process writes", store,
                           r"SQLite +([\d,]+) judgments/s"),
        "sqlite_4": measured("judgments/s", "SQLite, four processes write", store,
                             r"SQLite .*?([\d,]+) judgments/s from 4"),
        "postgres": measured("judgments/s", "PostgreSQL, one process writes", store,
                             r"postgresql +([\d,]+) judgments/s"),
        "postgres_4": measured("judgments/s", "PostgreSQL, four processes write", store,
                               r"postgresql.*?([\d,]+) judgments/s from 4"),
        "claims": measured("keys/s", "claims, PostgreSQL, eight processes", "claims.txt",
                           r"postgresql.*?8 processes, own keys +([\d,]+) keys/s"),
        "call": measured("ms CPU", "a call of a judge, whole run", judging,
                         r"judgebench +[\d,]+ +1\.00 +([\d.]+)"),
        "calls": measured("calls/s", "calls of one process, 64 connections, 20 ms", judging,
                          r"judgebench +([\d,]+) +1\.00"),
        "driver": measured("ms CPU", "Ray's driver, an item with its commit", "ray_overhead.txt",
                           r"10,000 .*? ([\d.]+)\n"),
        "start": measured("s", "from start to first call", judging,
                          r"judgebench +[\d,]+ +1\.00 +[\d.]+ +\d+ +\d+ +([\d.]+)"),
        "board": measured("s", "board of 96,000 scores", "boards.txt",
                          r"leaderboards +96,000 scores +([\d.]+) s"),
    }  # fmt: skip


def tokens_per_s(batch: int) -> float:
    """Of one card, decoding ``batch`` answers at once: each step reads weights and KV cache."""
    a = {name: part.value for name, part in ASSUMED.items()}
    context = PROMPT_TOKENS + ANSWER_TOKENS / 2
    bytes_read = a["weights"] * 1e9 + batch * context * a["kv"]
    return batch / (bytes_read / (a["bandwidth"] * 1e9 * a["share"]))


def batch_s() -> float:
    """Seconds in which one card answers a batch: the prompts, then the answers."""
    a = {name: part.value for name, part in ASSUMED.items()}
    prefill = 2 * a["weights"] / 2 * 1e9 * PROMPT_TOKENS * BATCH / (a["flops"] * 1e12 * a["share"])
    return prefill + BATCH * ANSWER_TOKENS / tokens_per_s(BATCH)


@dataclass(slots=True)
class Server:
    """Works on one thing after the other; ``free`` is when it is done with what it has."""

    name: str
    free: float = 0.0
    busy: float = 0.0

    def take(self, now: float, seconds: float) -> float:
        """When that is done which comes now."""
        self.free = max(now, self.free) + seconds
        self.busy += seconds
        return self.free


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How the nodes of a run work together.

    ``write`` is how many judgments the store takes in a second, of one process or of several;
    ``per_minute`` what the provider allows, None where the judge is on the nodes' own cards;
    ``drivers`` are the processes that make calls and hand out batches: one, or one a node.
    """

    name: str
    write: Callable[[int], float]
    per_minute: float | None
    one_driver: bool


@dataclass(slots=True)
class Night:
    """One simulation. A scope is what one run works on: all of it, or the shard of one node."""

    design: Design
    nodes: int
    random: random.Random
    known: dict[str, Part]
    events: list[tuple[float, int, str, int]] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=count)

    def run(self) -> tuple[float, dict[str, float]]:
        """Seconds from the first model that is loaded to the last verdict; shares of busy time."""
        design, load_s = self.design, ASSUMED["load"].value
        write_s = 1 / design.write(self.nodes)
        calls = BATCH * CALLS_PER_ANSWER
        call_s = calls * self.known["call"].value / 1e3
        item_s = BATCH * self.known["driver"].value / 1e3 * design.one_driver
        allowed_s = calls * 60 / design.per_minute if design.per_minute else 0.0
        store, provider = Server("store"), Server("provider's limit")
        scopes = 1 if design.one_driver else self.nodes
        drivers = [Server("driver") for _ in range(scopes)]
        nodes = [Server("nodes") for _ in range(self.nodes)]
        speeds = [0.5 if self.random.random() < ASSUMED["slow"].value else 1.0 for _ in nodes]
        each = -(-ANSWERS // BATCH) * self.nodes // scopes
        left, unanswered, judging = [each] * scopes, [each] * scopes, [False] * scopes
        for node in range(self.nodes):
            self._at(load_s, "next", node)
        end = 0.0
        while self.events:
            now, _, what, node = heapq.heappop(self.events)
            scope = 0 if design.one_driver else node
            driver = drivers[scope]
            if what == "next" and left[scope]:
                left[scope] -= 1
                work = (judge_s() if judging[scope] else batch_s()) / speeds[node]
                done = nodes[node].take(now, work * self.random.uniform(0.9, 1.1))
                self._at(done, "judged" if judging[scope] else "answered", node)
                self._at(done, "next", node)
            elif what == "answered":
                self._at(store.take(driver.take(now, item_s), BATCH * write_s), "stored", node)
            elif what == "stored":
                unanswered[scope] -= 1
                if not unanswered[scope]:  # a run judges once it has all answers
                    judging[scope] = True
                    if design.per_minute is None:
                        left[scope] = each
                        here = range(self.nodes) if design.one_driver else [node]
                        for one in here:
                            self._at(now + load_s, "next", one)
                    else:
                        for _ in range(each):
                            self._at(now, "asked", node)
            elif what == "asked":
                came = provider.take(now, allowed_s) + ASSUMED["latency"].value
                self._at(driver.take(came, call_s), "judged", node)
            elif what == "judged":
                came = driver.take(now, item_s) if design.per_minute is None else now
                end = max(end, store.take(came, calls * write_s))
        shares = {one.name: one.busy / end for one in (store, provider)}
        shares["driver"] = max(one.busy for one in drivers) / end
        shares["nodes"] = sum(one.busy for one in nodes) / len(nodes) / end
        return end, shares

    def _at(self, when: float, what: str, node: int) -> None:
        heapq.heappush(self.events, (when, next(self.number), what, node))


def judge_s() -> float:
    """Seconds in which the same card judges what it answered in a batch."""
    a = {name: part.value for name, part in ASSUMED.items()}
    read = 2 * a["weights"] / 2 * 1e9 * JUDGE_PROMPT_TOKENS / (a["flops"] * 1e12 * a["share"])
    written = JUDGE_ANSWER_TOKENS / tokens_per_s(BATCH)
    return CALLS_PER_ANSWER * (read + written) * BATCH


def designs(known: dict[str, Part]) -> list[Design]:
    sqlite, several = known["sqlite"].value, known["postgres_4"].value
    one = known["postgres"].value
    return [
        Design(name="Ray, a file, judge on the cards", write=lambda n: sqlite,
               per_minute=None, one_driver=True),
        Design(name="Ray, a file, judge at 3,000 a minute", write=lambda n: sqlite,
               per_minute=3_000, one_driver=True),
        Design(name="Ray, a file, judge at 30,000 a minute", write=lambda n: sqlite,
               per_minute=30_000, one_driver=True),
        Design(name="shards, PostgreSQL, judge on the cards",
               write=lambda n: one if n == 1 else several, per_minute=None, one_driver=False),
        Design(name="shards, PostgreSQL, judge at 30,000 a minute",
               write=lambda n: one if n == 1 else several, per_minute=30_000, one_driver=False),
        Design(name="shards, a file each, judge on the cards", write=lambda n: sqlite * n,
               per_minute=None, one_driver=False),
    ]  # fmt: skip


def table(known: dict[str, Part], seed: int) -> Iterator[str]:
    """Each design at each size: how long, how busy the nodes are, and what bounds it."""
    yield f"{'minutes, and share of the time that nodes work':<46}" + "".join(
        f"{f'{n:,} nodes':>24}" for n in NODES
    )
    for design in designs(known):
        cells = []
        for nodes in NODES:
            end, busy = Night(design, nodes, random.Random(seed), known).run()
            bound = max(busy, key=lambda name: busy[name])
            cells.append(f"{end / 60:9,.1f} {busy['nodes']:5.0%} {bound:<8.8}")
        yield (f"{design.name:<46}" + "".join(f"{cell:>24}" for cell in cells)).rstrip()


def saturation(known: dict[str, Part]) -> Iterator[str]:
    """How many nodes each server keeps busy, by division alone."""
    rate = BATCH / batch_s()
    calls = rate * CALLS_PER_ANSWER
    both = rate + calls
    rows = {
        "a provider that allows 3,000 a minute": 50 / calls,
        "a provider that allows 30,000 a minute": 500 / calls,
        "one process that makes all calls": 1e3 / known["call"].value / calls,
        "Ray's driver, the cards judge": 1e3 / known["driver"].value / both,
        "SQLite, one process writes": known["sqlite"].value / both,
        "PostgreSQL, several processes write": known["postgres_4"].value / both,
        "claims on PostgreSQL": known["claims"].value / both,
    }
    for name, nodes in rows.items():
        yield f"  {name:<46}{nodes:10,.1f} nodes"


def night(known: dict[str, Part], cards: int, per_minute: float) -> Iterator[str]:
    """One checkpoint on so many cards, part by part, in minutes, and what it costs."""
    a = {name: part.value for name, part in ASSUMED.items()}
    calls = ANSWERS * CALLS_PER_ANSWER
    seconds = {
        "start to first order": (known["start"].value, "measured"),
        "model loaded": (a["load"], "assumed"),
        "answers generated": (ANSWERS / BATCH * batch_s() / cards, "computed"),
        "answers written (beside it)": (ANSWERS / known["sqlite"].value, "measured"),
        "judged": (max(calls * 60 / per_minute, calls / known["calls"].value) + a["latency"],
                   "measured, the provider's limit assumed"),
        "board": (known["board"].value, "measured"),
    }  # fmt: skip
    total = sum(s for name, (s, _) in seconds.items() if "beside" not in name)
    for name, (s, how) in seconds.items():
        yield f"  {name:<32}{s / 60:8.2f} min   {how}"
    on_cards = seconds["model loaded"][0] + seconds["answers generated"][0]
    judge_usd = calls * (JUDGE_PROMPT_TOKENS * a["input_usd"]
                         + JUDGE_ANSWER_TOKENS * a["output_usd"]) / 1e6  # fmt: skip
    yield f"  {'all':<32}{total / 60:8.2f} min"
    yield f"  {'cards while they are used':<32}{on_cards * cards * a['card_usd'] / 3600:8.2f} USD"
    yield f"  {'cards for all of it':<32}{total * cards * a['card_usd'] / 3600:8.2f} USD"
    yield f"  {'judge':<32}{judge_usd:8.2f} USD"


def written(seed: int) -> Iterator[str]:
    known = parts()
    yield f"Simulated, seed {seed}: {ANSWERS:,} answers of {ANSWER_TOKENS} tokens a node, in"
    yield f"batches of {BATCH}, {CALLS_PER_ANSWER} judge calls an answer; measured without a GPU"
    yield "\nmeasured"
    yield from (f"{part}" for part in known.values())
    yield "\nnot measured here"
    yield from (f"{part}" for part in ASSUMED.values())
    rate = f"{tokens_per_s(BATCH):,.0f} tokens/s, {BATCH / batch_s():.1f} answers/s"
    yield f"\na card, computed: {rate}"
    for cards, per_minute in ((1, 3_000), (8, 3_000), (8, 30_000)):
        yield (f"\none night, {cards} card{'s' * (cards > 1)}, {per_minute:,} judge calls a minute "
               "(times of cards computed)")  # fmt: skip
        yield from night(known, cards, per_minute)
    yield "\nnodes that are kept busy at most, a card each"
    yield from saturation(known)
    yield f"\na night of {ANSWERS:,} answers for each node"
    yield from table(known, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=20261129)
    print("\n".join(written(parser.parse_args().seed)))


if __name__ == "__main__":
    main()
