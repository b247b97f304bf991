"""How fast texts are indexed and found: ``python perf/search.py [COUNT] [URL…] [--made]``.

COUNT answers of made-up words, each with a judgment and its reasoning, a tenth of them Chinese;
then the index, searches of every kind, and a writer beside somebody who searches every second.
Without a URL: a file, and a PostgreSQL server of its own. Of a server: an empty database, which is
left full. With ``--made`` a store that this script has filled and indexed before is searched alone.

Behind each search stands what processors took for its page, in this process and in the server's
where that is on this machine: a clock beside other work says more than the search takes.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.keys import content_key, request_key
from judgebench.records import (
    ChatRequest,
    Item,
    JudgeSpec,
    Judgment,
    Message,
    ModelSpec,
    Reply,
    Response,
    RunManifest,
    RunVerdict,
    Score,
    VerdictSlot,
)
from judgebench.store.opening import located, open_store
from judgebench.store.search import (
    Filters,
    Found,
    count,
    index_path,
    make_index,
    search,
)
from judgebench.store.store import Store
from tests.postgres import running

ITEMS = 1000
WRITTEN = 2000
SIZE = sa.text(
    "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
    " WHERE relname LIKE 'search\\_%' AND relkind = 'r'"
)
SEARCHING = """
import sys, time
from judgebench.store.opening import open_store
from judgebench.store.search import search
print("searching", flush=True)
while True:
    with open_store(sys.argv[1], read_only=True) as store:
        search(store, sys.argv[2])
    time.sleep(1)
"""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds: by a clock, of a processor here, and of one in the server."""

    clock: float
    here: float
    server: float


class Texts:
    """Words as frequent as words are: the n-th has a frequency of 1/n."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        letters = "etaoinshrdlucmfwygpbvk"
        self.words = [
            "".join(self._draw.choices(letters, k=self._draw.randint(2, 9))) for _ in range(20_000)
        ]
        self._often = list(accumulate(1 / (n + 1) for n in range(len(self.words))))
        self._signs = [chr(0x4E00 + n) for n in range(3000)]
        self._signs_often = list(accumulate(1 / (n + 5) for n in range(len(self._signs))))

    def text(self, words: int) -> str:
        if self._draw.random() < 0.1:
            return "".join(
                self._draw.choices(self._signs, cum_weights=self._signs_often, k=2 * words)
            )
        return " ".join(self._draw.choices(self.words, cum_weights=self._often, k=words))


def fill(store: Store, texts: Texts, answers: int) -> bytes:
    """Items, models in portions of `ITEMS` answers, and what a judge said of each; its key."""
    store.start_run(
        RunManifest(
            id="r", name="perf", configuration={}, versions={}, git_sha=None, data_sha={},
            seeds={}, started=time.time(),
        )
    )  # fmt: skip
    asked = [Message(role="user", content=texts.text(20)) for _ in range(ITEMS)]
    store.put_items(
        [Item(benchmark="b", version="1", id=str(i), turns=(m,)) for i, m in enumerate(asked)]
    )
    judge = store.put_judge("judge", JudgeSpec(kind="rubric", model="judge"))
    for number in range(answers // ITEMS):
        model = store.put_model(f"model {number}", ModelSpec(weights=f"name:{number}"))
        with store.transaction():
            here = {}
            for i in range(ITEMS):
                old = " antediluvian" if number < answers // ITEMS // 10 else ""
                said_here = texts.text(80) + old
                here[content_key("response", [number, i])] = Response(
                    benchmark="b",
                    version="1",
                    item_id=str(i),
                    model_key=model,
                    text=said_here,
                    raw=said_here,
                )
            store.put_responses(here)
            for i in range(ITEMS):
                said(store, model, judge, f"{number} {i}", str(i), texts.text(40))
    return judge


def said(store: Store, model: bytes, judge: bytes, name: str, item: str, text: str) -> None:
    """A reply, and the judgment that was read from it."""
    message = Message(role="user", content=name)
    request = ChatRequest(provider="p", model="judge", messages=(message,))
    reply = request_key(request)
    store.put_reply(reply, request, Reply(text=f"{text} Score: 7"))
    key = content_key("judgment", name)
    place = VerdictSlot(benchmark="b", version="1", item_id=item, model_key=model, judge_key=judge)
    store.put_judgment(
        Judgment(
            key=key, judge_key=judge, case_key=key, verdict=Score(value=7, low=1, high=10),
            reply_keys=(reply,), at=time.time(),
        ),
        [RunVerdict(run_id="r", place=place, judgment_key=key)],
    )  # fmt: skip


def spent(store: Store) -> tuple[float, float, float]:
    """Seconds by a clock, of the processors here, and in the server's process for this store."""
    info = getattr(store._database._raw, "info", None)
    busy = Path(f"/proc/{info.backend_pid if info else 'none'}/schedstat")
    server = int(busy.read_text().split()[0]) / 1e9 if busy.exists() else 0.0
    return time.perf_counter(), time.process_time(), server


def measured(store: Store, what: Callable[[], Found]) -> tuple[Took, Found]:
    """The least of four, of each by itself."""
    took = []
    for _ in range(4):
        before = spent(store)
        found = what()
        took.append([1000 * (b - a) for a, b in zip(before, spent(store), strict=True)])
    return Took(*map(min, zip(*took, strict=True))), found


def write(store: Store, judge: bytes, texts: Texts, name: str) -> float:
    """Judgments a second, each with its reply in commits of their own."""
    model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
    ready = [texts.text(40) for _ in range(WRITTEN)]
    start = time.perf_counter()
    for i, text in enumerate(ready):
        said(store, model, judge, f"{name} {i}", str(i % ITEMS), text)
    return WRITTEN / (time.perf_counter() - start)


def first_page(store: Store, name: str, words: str, filters: Filters) -> None:
    """Milliseconds to a page, to the hits of one, and of all there are."""
    took, found = measured(store, lambda: search(store, words, filters))
    more = "" if found.then is None else ", more follow"
    how = "" if found.by_index else ", read one by one"
    start = time.perf_counter()
    n, whole = count(store, words, filters)
    counting = 1000 * (time.perf_counter() - start)
    server = f" and {took.server:.0f} on the server" if took.server else ""
    print(
        f"{name:17} {took.clock:6,.0f} ms, {took.here:4,.0f} ms CPU{server}, {len(found.hits)} hits"
        f"{more}{how}; {n:,}{'' if whole else ' and more'} counted in {counting:,.0f} ms",
        flush=True,
    )


def measure(url: str, number: int, made: bool) -> None:
    texts = Texts(7)
    if not made:
        with open_store(url) as store:
            start = time.perf_counter()
            judge = fill(store, texts, number)
            took = time.perf_counter() - start
        print(f"filled            {2 * number:,} texts, {2 * number / took:,.0f} a second")
    where = located(url)
    with open_store(url) as store:
        start = time.perf_counter()
        while not (coverage := make_index(store, 1.0)).complete:
            pass
        took = time.perf_counter() - start
        with store.snapshot() as connection:
            size = index_path(where.path).stat().st_size if where.path else connection.scalar(SIZE)
        print(f"indexed           {coverage.rows:,} texts, {coverage.rows / took:,.0f} a second")
        print(
            f"size              {size / 1e6:,.0f} MB beside a store of {where.size() / 1e6:,.0f} MB"
        )
        model = store.models()[len(store.models()) // 2].id
        words = texts.words
        often, old = words[50], "antediluvian"
        for name, asked, filters in (
            ("no words", "", Filters()),
            ("a frequent word", often, Filters(kinds=("answer",))),
            ("one in a hundred", words[1000], Filters(kinds=("answer",))),
            ("a rare word", words[9000], Filters(kinds=("answer",))),
            ("three letters", next(w for w in words[3000:] if len(w) == 3), Filters()),
            ("two words", f"{words[300]} {words[2000]}", Filters()),
            ("the oldest tenth", old, Filters()),
            ("of reasoning", words[9000], Filters(kinds=("reasoning",))),
            ("in no text", "nowhere to be found", Filters()),
            ("two signs of Han", "丅丆", Filters()),
            ("three", "丠一丁", Filters()),
            ("one", "丠", Filters()),
            ("two letters", "qx", Filters()),
            ("of one model", often, Filters(model=model)),
            ("a rare word of it", words[9000], Filters(model=model)),
            ("of one judge", often, Filters(judge=store.judges()[0].id)),
            ("a rare word of it", words[9000], Filters(judge=store.judges()[0].id)),
        ):
            first_page(store, name, asked, filters)
    if made:
        return
    with open_store(url) as store:
        alone, beside = [], []
        for turn in range(3):  # by turns, since a machine is seldom as quick as before
            alone.append(write(store, judge, texts, f"alone {turn}"))
            command = [sys.executable, "-c", SEARCHING, url, often]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
                assert reader.stdout is not None
                reader.stdout.readline()
                beside.append(write(store, judge, texts, f"beside {turn}"))
                reader.kill()
    print(f"writer alone      {median(alone):,.0f} judgments a second, each with its reply")
    print(f"beside searches   {median(beside):,.0f} judgments a second")


@contextmanager
def places() -> Iterator[list[str]]:
    """A file, and an empty database of a server that ends."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, running() as server:
        server.make("searched")
        yield [f"sqlite:///{Path(folder) / 's.db'}", server.url("searched")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument(
        "asked", nargs="*", metavar="COUNT|URL",
        help="how many (500,000), and the addresses of stores; "
        "without one: a file and a server; of a server an empty database, which is left full",
    )  # fmt: skip
    parser.add_argument("--made", action="store_true", help="search what was filled before")
    given = parser.parse_args()
    numbers = [int(word) for word in given.asked if word.isdigit()]
    urls = [word for word in given.asked if not word.isdigit()]
    with nullcontext(urls) if urls else places() as addresses:
        for address in addresses:
            print({"sqlite": "SQLite", "postgresql": "PostgreSQL"}[address.partition(":")[0]])
            measure(address, numbers[0] if numbers else 500_000, given.made)
