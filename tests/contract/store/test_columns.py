"""What boards read is kept packed beside ``uses``: whatever happens, both say the same."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select

from judgebench.keys import content_key
from judgebench.records import (
    AFRESH,
    WITHDRAWN,
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    RunManifest,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store import columns, schema, write
from judgebench.store.copy import Part, copy
from judgebench.store.opening import marks, open_store
from judgebench.store.store import Store
from tests.faults.folds import STEPS

BENCHMARKS = ("bench", "other")
VERSION = "1"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds of a few rows, so that there are many."""
    monkeypatch.setattr(write, "TAIL", 5)
    monkeypatch.setattr(write, "CHUNK", 20)


class Filling:
    """Judgments to put, of a few boards, with places that are judged again and again."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        self.store = store
        self.draw = random.Random(seed)
        self.n = 0
        self.judgments: list[Judgment] = []
        for run in ("late", "early"):
            with suppress(Exception):
                store.start_run(manifest(run))
        self.models = [store.put_model(f"m{n}", ModelSpec(weights=f"w{n}")) for n in range(3)]
        self.judges = [
            store.put_judge(kind, JudgeSpec(kind=kind, model="m")) for kind in ("rubric", "human")
        ]

    def one(self, verdict: Verdict | None = None, **where: Any) -> tuple[Judgment, RunVerdict]:
        self.n += 1
        draw = self.draw
        judge = draw.randrange(2)
        place = VerdictSlot(
            **{
                "benchmark": draw.choice(BENCHMARKS), "version": VERSION,
                "item_id": str(draw.randrange(12)), "model_key": draw.choice(self.models),
                "judge_key": self.judges[judge], "opponent_key": None, "order": "single",
                "sample": draw.choice([0, 0, 1, 2**31 - 1]), "turn": draw.randrange(2),
                "repeat": draw.choice([0, 0, 0, 1, AFRESH]),
                **where,
            }
        )  # fmt: skip
        key = content_key("judgment", [draw.random(), self.n])
        judgment = Judgment(
            key=key, judge_key=place.judge_key, case_key=key, verdict=verdict or said(draw),
            at=time.time() + draw.choice([-1e9, 0.0, 0.5]), marks=draw.choice([(), ("cut",)]),
            served_model=draw.choice([None, "served", "other"]),
        )  # fmt: skip
        self.judgments.append(judgment)
        return judgment, RunVerdict(
            run_id=draw.choice(["late", "early"]), place=place, judgment_key=key
        )

    def step(self) -> str:
        """Something that happens to a store."""
        draw = self.draw
        what = draw.choice(["one", "many", "many", "again", "undone", "forget", "rebuild"])
        if what == "one":
            judgment, use = self.one()
            self.store.put_judgment(judgment, [use])
        elif what == "many":
            self.store.put_judgments([self.one() for _ in range(draw.randrange(1, 60))])
        elif what == "again" and self.judgments:
            known = [j for j in self.judgments if self.store.judgment(j.key)]
            for judgment in draw.sample(known, min(4, len(known))):
                use = self.one(judge_key=judgment.judge_key)[1]
                again = RunVerdict(run_id=use.run_id, place=use.place, judgment_key=judgment.key)
                self.store.put_uses([again, again])
        elif what == "undone":
            with suppress(ZeroDivisionError), self.store.transaction():
                self.store.put_judgments([self.one() for _ in range(draw.randrange(1, 30))])
                raise ZeroDivisionError
        elif what == "forget":
            self.store.forget(**self._forgettable())
        elif what == "rebuild":
            with self.store._database.writing() as connection:
                columns.rebuild(connection, columns.all_boards(connection))
        return what

    def _forgettable(self) -> dict[str, Any]:
        known = [j.key for j in self.judgments if self.store.judgment(j.key)]
        which = self.draw.random()
        if which < 0.4 and known:
            return {"judgments": [self.draw.choice(known).hex()]}
        if which < 0.6:
            return {"runs": ["early"], "benchmarks": [("other", VERSION)]}
        if which < 0.8:
            return {"unreadable": True, "judges": [self.judges[0]]}
        return {"judges": [self.judges[1]], "benchmarks": [("bench", VERSION)]}


def manifest(run: str) -> RunManifest:
    return RunManifest(
        id=run, name="n", configuration={}, versions={}, git_sha=None, data_sha={}, seeds={},
        started=1.0,
    )  # fmt: skip


def said(draw: random.Random) -> Verdict:
    if draw.random() < 0.2:
        return Unreadable(reason=draw.choice([WITHDRAWN, "truncated", "two \0 verdicts"]))
    if draw.random() < 0.3:
        return Label(name=draw.choice(["correct", "incorrect"]))
    value = draw.choice([draw.random(), 7.0, -0.0, 1e308, 5e-324, math.inf, math.nan])
    low, high = draw.choice([(1.0, 10.0), (0.0, 1.0), (-math.inf, math.inf)])
    return Score(value=value, low=low, high=high, parts=draw.choice([{}, {"tone": value}]))


def same_as_lists(store: Store) -> int:
    """Asserts that boards read what all reports read; how many verdicts there are."""
    n = 0
    for benchmark in BENCHMARKS:
        expected = store.verdicts(benchmark, VERSION)
        found = store.board_verdicts(benchmark, VERSION)
        for name, column in found.items():
            read = [None if isinstance(one, float) and math.isnan(one) else one for one in column]
            assert read == expected[name], name
        n += len(expected["kind"])
    return n


def unpacked(store: Store) -> None:
    """As a store that an older version left, or somebody filled by other means."""
    with store._database.writing() as connection:
        for table in (schema.chunks, schema.tails):
            connection.execute(delete(table))
        connection.execute(delete(schema.meta).where(schema.meta.c.name == schema.PACKED))


def tails(connection: Connection) -> Counter[tuple[int, ...]]:
    board = [schema.tails.c[name] for name in schema.PLACE[:4]]
    rows = connection.execute(select(*board, func.count()).group_by(*board))
    return Counter({tuple(row[:4]): row[4] for row in rows})


def differing(store: Store) -> list[tuple[int, ...]]:
    with store.snapshot() as connection:
        return columns.verify(connection)


@pytest.mark.usefixtures("small")
def test_whatever_happens_boards_read_what_reports_read(store_url: str) -> None:
    done: Counter[str] = Counter()
    with open_store(store_url) as store:
        filling = Filling(store)
        store.put_judgments([filling.one() for _ in range(100)])
        for _ in range(14):
            done[filling.step()] += 1
            assert same_as_lists(store) >= 0
            assert differing(store) == [], done
            with store.snapshot() as connection:
                long = [n for n in tails(connection).values() if n >= write.TAIL]
                assert not long, done
    with open_store(store_url) as store:
        assert same_as_lists(store) > 10
        assert len(done) > 4


@pytest.mark.usefixtures("small")
def test_what_was_used_is_told_by_what_is_packed(store_url: str) -> None:
    """Where nothing was asked for afresh to confirm a regression; else all uses are counted."""
    uses = schema.uses.c
    told = uses.benchmark_id, func.count(), func.max(uses.used_at)
    with open_store(store_url) as store:
        filling, used = Filling(store, seed=1), {}
        store.put_judgments([filling.one() for _ in range(100)])
        for _ in range(8):
            filling.step()
            with store.snapshot() as connection:
                counted = select(*told).where(uses.repeat != AFRESH).group_by(uses.benchmark_id)
                used = {at: (n, last) for at, n, last in columns.used(connection)}
                if connection.dialect.name == "sqlite":
                    assert used == {at: (n, last) for at, n, last in connection.execute(counted)}
        store.start_run(replace(manifest("third"), configuration={"confirms": ["bench@1 J m0 m1"]}))
        with store.snapshot() as connection:
            assert columns.used(connection) == []
            every = connection.execute(select(func.count()).select_from(schema.uses)).scalar_one()
        assert sum(one.used for one in store.verdicts_used().values()) == every
        assert every > sum(n for n, _ in used.values()) > 0 or not used


@pytest.mark.usefixtures("small")
def test_rows_are_folded_and_small_chunks_become_whole_ones(store_url: str) -> None:
    with open_store(store_url) as store:
        filling = Filling(store)
        here = {"benchmark": "bench", "judge_key": filling.judges[0], "repeat": 0,
                "model_key": filling.models[0]}  # fmt: skip
        sizes = []
        for number in range(26):
            store.put_judgments([filling.one(**here, item_id=str(number))])
            with store.snapshot() as connection:
                found = connection.execute(select(schema.chunks.c.n).order_by(schema.chunks.c.seq))
                sizes.append((list(found.scalars()), *tails(connection).values()))
        assert sizes[3] == ([], 4)
        assert sizes[4] == ([5],)
        assert sizes[18] == ([5, 5, 5], 4)
        assert sizes[19] == ([20],)
        assert sizes[25] == ([20, 5], 1)
        assert same_as_lists(store) == 26
        store.put_judgments([filling.one(**here, item_id=str(number)) for number in range(200)])
        with store.snapshot() as connection:
            assert max(connection.execute(select(schema.chunks.c.n)).scalars()) == write.CHUNK
        same_as_lists(store)


@pytest.mark.usefixtures("small")
def test_what_is_judged_again_counts_in_whatever_piece_it_lies(store_url: str) -> None:
    with open_store(store_url) as store:
        filling = Filling(store)
        here = {"benchmark": "bench", "version": VERSION, "judge_key": filling.judges[0],
                "model_key": filling.models[0], "sample": 0, "turn": 0, "repeat": 0}  # fmt: skip
        for value in (1.0, 2.0, 3.0):
            verdict = Score(value=value, low=0.0, high=9.0)
            for item in range(7):
                store.put_judgments([filling.one(verdict, **here, item_id=str(item))])
        store.put_judgments([filling.one(Score(value=4.0, low=0.0, high=9.0), **here, item_id="2")])
        found = store.board_verdicts("bench", VERSION)
        values = dict(zip(found["item_id"], found["value"], strict=True))
        assert values == {str(item): 4.0 if item == 2 else 3.0 for item in range(7)}
        same_as_lists(store)


@pytest.mark.usefixtures("small")
def test_a_store_that_is_not_packed_is_read_and_packed_by_a_writer(
    store_url: str,
) -> None:
    with open_store(store_url) as store:
        filling = Filling(store)
        store.put_judgments([filling.one() for _ in range(120)])
        n = same_as_lists(store)
        unpacked(store)
        assert same_as_lists(store) == n  # and while somebody goes on writing who does not pack it
        store.put_judgments([filling.one() for _ in range(40)])
        same_as_lists(store)
    with open_store(store_url, read_only=True) as store:
        n = same_as_lists(store)
        assert differing(store)
    with open_store(store_url) as store:
        assert differing(store) == []
        assert same_as_lists(store) == n


@pytest.mark.usefixtures("small")
def test_what_is_amiss_is_found_and_made_anew(store_url: str) -> None:
    with open_store(store_url) as store:
        filling = Filling(store)
        store.put_judgments([filling.one() for _ in range(150)])
        with store._database.writing() as connection:
            gone = connection.execute(select(schema.chunks).limit(1)).one()
            board = tuple(gone[:4])
            this = [schema.chunks.c[name] == gone._mapping[name] for name in schema.PLACE[:4]]
            connection.execute(delete(schema.chunks).where(*this, schema.chunks.c.seq == gone.seq))
        assert differing(store) == [board]
        with store._database.writing() as connection:
            columns.rebuild(connection, [board])
        assert differing(store) == []
        same_as_lists(store)


@pytest.mark.usefixtures("small")
def test_a_reader_beside_a_writer_that_folds_sees_whole_commits(store_url: str) -> None:
    """Each commit has a verdict on each of three items, of one sample: never a part of them."""
    commits, over, wrong = 60, threading.Event(), []

    def write() -> None:
        with open_store(store_url) as store:
            filling = Filling(store)
            for number in range(commits):
                here = {"benchmark": "bench", "judge_key": filling.judges[0], "turn": 0,
                        "model_key": filling.models[0], "repeat": 0, "sample": number}  # fmt: skip
                store.put_judgments([filling.one(**here, item_id=str(n)) for n in range(3)])
        over.set()

    open_store(store_url).close()
    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    with open_store(store_url, read_only=True) as store:
        while True:
            last = over.is_set()
            found = store.board_verdicts("bench", VERSION)
            by_sample = Counter(found["sample"])
            if any(n != 3 for n in by_sample.values()) or len(by_sample) < (seen or [0])[-1]:
                wrong.append(by_sample)
            if by_sample and sorted(by_sample) != list(range(len(by_sample))):
                wrong.append(by_sample)
            seen.append(len(by_sample))
            if last:
                break
    writer.join()
    assert not wrong
    assert seen[-1] == commits
    assert len(set(seen)) > 3, "the reader came too late to prove anything"


@pytest.mark.usefixtures("forked")
def test_a_process_killed_anywhere_in_a_fold_leaves_what_was_committed(store_url: str) -> None:
    program = "import sys; from tests.faults import folds; folds.main(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", program, store_url],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kills: Sequence[dict[str, Any]] = json.loads(done.stdout)
    assert [one["wrong"] for one in kills] == [[]] * len(kills)
    assert {one["at"] for one in kills} == set(STEPS)


@pytest.mark.usefixtures("small")
def test_a_part_of_a_store_has_its_boards(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with open_store(url) as store:
        filling = Filling(store)
        store.put_judgments([filling.one() for _ in range(150)])
        expected = store.verdicts("bench", VERSION)
    copy(url, str(tmp_path / "part.db"), Part(benchmarks=[("bench", VERSION)], verdicts_only=True))
    with open_store(f"sqlite:///{tmp_path / 'part.db'}", read_only=True) as part:
        with part.snapshot() as connection:
            assert schema.PACKED not in marks(connection)
            assert not tails(connection)
        assert list(part.board_verdicts("bench", VERSION)["run_id"]) == expected["run_id"]
        assert len(part.board_verdicts("other", VERSION)["run_id"]) == 0
