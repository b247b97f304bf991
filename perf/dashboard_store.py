"""Make a large store to look at: ``python perf/dashboard_store.py STORE.db [--items 4000] …``.

Two benchmarks of labels, one of scores, two of preferences in both orders: with 50 models, 5 judges
and 4,000 items there are 5 million judgments. It is a store like any other, made through SQL in
bulk (about a minute a million): texts of some hundred characters, failures, unreadable verdicts, a
model that answers everything alike, and one whose answers address the judge. Of comparisons there
are half as many items, each judged twice. Nothing in it is anybody's data.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.keys import stack_key
from judgebench.records import Item, JudgeSpec, Message, ModelSpec, RunManifest, Runtime
from judgebench.store.codec import KINDS, ORDERS, spec_json
from judgebench.store.opening import open_store
from judgebench.store.schema import NONE, PACKED

BENCHMARKS = {
    "facts": "label",
    "riddles": "label",
    "essays": "score",
    "chat": "preference",
    "advice": "preference",
}
VERSION = "1"
JUDGES = ("gpt-4-turbo", "claude-sonnet", "llama-70b", "qwen-72b", "own-7b")
JUDGE_KINDS = {"label": "reference", "score": "rubric", "preference": "pairwise"}
LABELS = ("incorrect", "correct")
CATEGORIES = ("history", "science", "writing", "law")
BASELINE = "model-00"
CONSTANT, ATTACKER = "model-03", "model-04"
UNREADABLE, FAILED, MARKED = 0.01, 0.002, 0.02
RUN = "generated"
STACK = Runtime(backend="generated")
WORDS = "the of a result shows that model answer because in one reason question which first "


def prepare(url: str, n_models: int, n_items: int) -> None:
    """What is few, by the store's own pool: models, judges, items and the run."""
    with open_store(url) as store, store.transaction():
        store.start_run(
            RunManifest(
                id=RUN, name="generated", configuration={}, versions={}, git_sha=None,
                data_sha={}, seeds={"run": 0}, started=time.time(), ended=time.time(),
                state="done",
            )
        )  # fmt: skip
        for number in range(n_models):
            name = f"model-{number:02d}"
            store.put_model(name, ModelSpec(weights=f"name:{name}"))
        for kind in JUDGE_KINDS.values():
            for name in JUDGES:
                spec = JudgeSpec(
                    kind=kind, provider="openai_compatible", model=name, prompt_sha="ab" * 32,
                    reader_version="1", official_prompt=False,
                )  # fmt: skip
                store.put_judge(name, spec)
        for name, kind in BENCHMARKS.items():
            store.put_items(list(_items(name, n_items // 2 if kind == "preference" else n_items)))


def _items(benchmark: str, n: int) -> Iterator[Item]:
    for number in range(n):
        asked = f"Question {number} of {benchmark}: {WORDS * (1 + number % 3)}?"
        yield Item(
            benchmark=benchmark, version=VERSION, id=str(number),
            category=CATEGORIES[number % len(CATEGORIES)],
            turns=(Message(role="user", content=asked),), references=(f"answer {number}",),
        )  # fmt: skip


class Bulk:
    """Rows in, through one connection without the store's care for a crash."""

    def __init__(self, path: Path, seed: int) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("synchronous = OFF", "cache_size = -1000000"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.draw = np.random.default_rng(seed)
        self.now = time.time()
        self.stack = self._one(
            "INSERT INTO stacks (key, stack) VALUES (?, ?) RETURNING id",
            stack_key(STACK),
            spec_json(STACK),
        )
        self.run = self._one("SELECT id FROM runs WHERE run_id = ?", RUN)
        self.reasons = [self._text(reason) for reason in ("no verdict", "truncated")]
        self.message = self._text("the judge's server did not answer within 60 s")
        self.labels = [self._name(label) for label in LABELS]

    def _one(self, sql: str, *values: Any) -> int:
        return int(self.connection.execute(sql, values).fetchone()[0])

    def _text(self, body: str) -> bytes:
        sha = hashlib.sha256(body.encode()).digest()
        self.connection.execute(
            "INSERT OR IGNORE INTO texts (sha, body) VALUES (?, ?)", (sha, body)
        )
        return sha

    def _name(self, name: str) -> int:
        self.connection.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (name,))
        return self._one("SELECT id FROM names WHERE name = ?", name)

    def keys(self, n: int) -> list[bytes]:
        drawn = self.draw.bytes(32 * n)
        return [drawn[start : start + 32] for start in range(0, 32 * n, 32)]

    def benchmark(self, name: str, kind: str) -> None:
        """All answers of one benchmark, and all that the judges say of them."""
        benchmark = self._one("SELECT id FROM benchmarks WHERE name = ?", name)
        items = self._column("SELECT id FROM items WHERE benchmark_id = ? ORDER BY id", benchmark)
        models = self._column("SELECT model_id FROM model_names ORDER BY name")
        named = self._column("SELECT name FROM model_names ORDER BY name")
        judges = self._column("SELECT id FROM judges WHERE kind = ? ORDER BY id", JUDGE_KINDS[kind])
        served = [self._name(f"{judge}-2026-01-01") for judge in JUDGES]
        self.connection.execute("BEGIN")
        for model, called in zip(models, named, strict=True):
            self._answers(benchmark, model, called, items)
        self.connection.execute("COMMIT")
        uses: list[tuple[int, ...]] = []
        baseline = models[0]
        shown = (1, 2) if kind == "preference" else (0,)
        self.connection.execute("BEGIN")
        for place, (model, called) in enumerate(zip(models, named, strict=True)):
            if kind == "preference" and called == BASELINE:
                continue
            opponent = baseline if kind == "preference" else NONE
            skill = 0.2 + 0.6 * place / len(models)
            uses += self._judged(
                benchmark, kind, model, called, opponent, skill, items, judges, served, shown
            )
        self.connection.execute("COMMIT")
        uses.sort()
        self.connection.execute("BEGIN")
        self.connection.executemany(
            "INSERT INTO uses (benchmark_id, judge_id, model_id, opponent_id, item_id, shown,"
            " sample, turn, repeat, run_id, judgment_id, used_at)"
            f" VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, {self.run}, ?, {self.now!r})",
            uses,
        )
        self.connection.execute("COMMIT")

    def _column(self, sql: str, *values: Any) -> list[Any]:
        return [row[0] for row in self.connection.execute(sql, values)]

    def _answers(self, benchmark: int, model: int, called: str, items: Sequence[int]) -> None:
        n = len(items)
        lengths = self.draw.integers(120, 700, n)
        bodies = [
            f"Answer of {called} to {item}: " + (WORDS * 10)[:length]
            for item, length in zip(items, lengths.tolist(), strict=True)
        ]
        if called == CONSTANT:
            bodies = [f"I am {called} and always give the best answer. " * 6] * n
        shas = [hashlib.sha256(body.encode()).digest() for body in bodies]
        self.connection.executemany(
            "INSERT OR IGNORE INTO texts (sha, body) VALUES (?, ?)", zip(shas, bodies, strict=True)
        )
        first = self._one("SELECT coalesce(max(id), 0) + 1 FROM responses")
        cut = self.draw.random(n) < 0.01
        self.connection.executemany(
            "INSERT INTO responses (id, key, stack_id, status, text_sha, raw_sha, finish_reason,"
            " prompt_tokens, completion_tokens, source, at)"
            f" VALUES (?, ?, {self.stack}, ?, ?, ?, ?, 60, ?, 'generated', {self.now!r})",
            (
                (first + i, key, *(("truncated", sha, sha, "length") if cut[i]
                                   else ("ok", sha, sha, "stop")), int(lengths[i]) // 4)
                for i, (key, sha) in enumerate(zip(self.keys(n), shas, strict=True))
            ),
        )  # fmt: skip
        self.connection.executemany(
            "INSERT INTO answers (benchmark_id, model_id, item_id, sample, turn, response_id)"
            " VALUES (?, ?, ?, 0, 0, ?)",
            ((benchmark, model, item, first + i) for i, item in enumerate(items)),
        )

    def _judged(
        self, benchmark: int, kind: str, model: int, called: str, opponent: int, skill: float,
        items: Sequence[int], judges: Sequence[int], served: Sequence[int], shown: Sequence[int],
    ) -> list[tuple[int, ...]]:  # fmt: skip
        """One model's judgments, item by item, and the places where they stand."""
        places = [
            (item, judge, order)
            for item in items for judge in range(len(judges)) for order in shown
        ]  # fmt: skip
        n = len(places)
        quality = np.repeat(self.draw.normal(skill, 0.25, len(items)), len(judges) * len(shown))
        said = np.clip(quality + self.draw.normal(0, 0.15, n), 0.0, 1.0)
        luck = self.draw.random(n)
        marked = self.draw.random(n) < (MARKED if called == ATTACKER else 0.0)
        first = self._one("SELECT coalesce(max(id), 0) + 1 FROM judgments")
        rows: list[tuple[Any, ...]] = []
        uses: list[tuple[int, ...]] = []
        failures: list[tuple[Any, ...]] = []
        keys, cases = self.keys(n), self.keys(n)
        for i, (item, judge, order) in enumerate(places):
            place = (benchmark, judges[judge], model, opponent, item, order)
            if luck[i] < FAILED:
                failures.append((keys[i], *place))
                continue
            verdict = self._verdict(kind, order, float(said[i]), float(luck[i]), i)
            position = "" if not order else f"/{order - 1}"
            marks = f'["addresses_judge{position}"]' if marked[i] else "[]"
            rows.append((first + len(rows), keys[i], judges[judge], cases[i], *verdict,
                         served[judge], marks))  # fmt: skip
            uses.append((*place, rows[-1][0]))
        self.connection.executemany(
            "INSERT INTO judgments (id, key, judge_id, case_key, kind, value, low, high, winner,"
            " label_id, reason_sha, served_id, marks, reply_keys, at)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, x'', {self.now!r})",
            rows,
        )
        self.connection.executemany(
            "INSERT INTO failures (key, benchmark_id, judge_id, model_id, opponent_id, item_id,"
            " shown, sample, turn, repeat, boundary, kind, message_sha, retriable, attempts, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 'provider', 'timeout', ?, 1, 3, ?)",
            ((*row, self.message, self.now) for row in failures),
        )
        return uses

    def _verdict(self, kind: str, order: int, said: float, luck: float, i: int) -> tuple[Any, ...]:
        """Of a judgment: kind, value, low, high, winner, label and why there is none."""
        if luck < FAILED + UNREADABLE:
            reason = self.reasons[i % len(self.reasons)]
            return (KINDS.index("unreadable"), None, None, None, None, None, reason)
        number = KINDS.index(kind)
        if kind == "label":
            return (number, None, None, None, None, self.labels[said > 0.5], None)
        if kind == "score":
            return (number, float(round(1 + 9 * said)), 1.0, 10.0, None, None, None)
        p = round(said if ORDERS[order] == "model_first" else 1.0 - said, 4)
        return (number, p, None, None, 0 if p >= 0.5 else 1, None, None)


def make(path: Path, *, n_models: int, n_items: int, seed: int) -> int:
    """A store at a path where there is none; the number of its judgments."""
    url = f"sqlite:///{path.absolute()}"
    prepare(url, n_models, n_items)
    bulk = Bulk(path, seed)
    with closing(bulk.connection):
        for name, kind in BENCHMARKS.items():
            bulk.benchmark(name, kind)
        bulk.connection.execute("DELETE FROM meta WHERE name = ?", (PACKED,))
        bulk.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        n = bulk._one("SELECT max(id) FROM judgments")
    open_store(url).close()  # packs what boards read
    return n


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.store.exists():
        sys.exit(f"{given.store} is there already; give the path of a new store")
    given.store.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    n = make(given.store, n_models=given.models, n_items=given.items, seed=given.seed)
    size = given.store.stat().st_size / 1e9
    print(f"{n:,} judgments, {size:.2f} GB, {time.monotonic() - began:.0f} s: {given.store}")


if __name__ == "__main__":
    main()
