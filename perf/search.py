"""How fast texts are indexed and found: ``python perf/search.py [COUNT] [FOLDER]``.

COUNT answers of made-up words, each with a judgment and its reasoning, a tenth of them Chinese;
then the index, searches of every kind, and a writer beside somebody who searches every second.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from statistics import median

from judgebench.keys import content_key, request_key
from judgebench.records import (
    ChatRequest,
    Item,
    JudgeSpec,
    Judgment,
    Message,
    ModelSpec,
    Place,
    Reply,
    Response,
    RunManifest,
    Score,
    Use,
)
from judgebench.store import Store, open_store
from judgebench.store.search import Filters, Found, index_path, search

ITEMS = 1000
WRITTEN = 5000
SEARCHING = """
import sys, time
from judgebench.store import open_store
from judgebench.store.search import search
print("searching", flush=True)
while True:
    with open_store(sys.argv[1], read_only=True) as store:
        search(store, sys.argv[2])
    time.sleep(1)
"""


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


def fill(store: Store, texts: Texts, count: int) -> bytes:
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
    for number in range(count // ITEMS):
        model = store.put_model(f"model {number}", ModelSpec(weights=f"name:{number}"))
        with store.transaction():
            answers = {}
            for i in range(ITEMS):
                text = texts.text(80)
                answers[content_key("response", [number, i])] = Response(
                    benchmark="b", version="1", item_id=str(i), model_key=model, text=text, raw=text
                )
            store.put_responses(answers)
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
    place = Place(benchmark="b", version="1", item_id=item, model_key=model, judge_key=judge)
    store.put_judgment(
        Judgment(
            key=key, judge_key=judge, case_key=key, verdict=Score(value=7, low=1, high=10),
            reply_keys=(reply,), at=time.time(),
        ),
        [Use(run_id="r", place=place, judgment_key=key)],
    )  # fmt: skip


def measured(what: Callable[[], Found]) -> tuple[float, Found]:
    """Milliseconds of the quicker of two."""
    took = []
    for _ in range(2):
        start = time.perf_counter()
        found = what()
        took.append(1000 * (time.perf_counter() - start))
    return min(took), found


def write(store: Store, judge: bytes, texts: Texts, name: str) -> float:
    """Judgments a second, each with its reply in commits of their own."""
    model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
    ready = [texts.text(40) for _ in range(WRITTEN)]
    start = time.perf_counter()
    for i, text in enumerate(ready):
        said(store, model, judge, f"{name} {i}", str(i % ITEMS), text)
    return WRITTEN / (time.perf_counter() - start)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        path = Path(folder) / "s.db"
        texts = Texts(7)
        with open_store(str(path)) as store:
            judge = fill(store, texts, count)
        with open_store(str(path), read_only=True) as store:
            start = time.perf_counter()
            while not (coverage := search(store, "", for_s=4).coverage).complete:
                pass
            took = time.perf_counter() - start
            sizes = [file.stat().st_size / 1e6 for file in (index_path(path), path)]
            print(f"indexed         {coverage.rows:,} texts, {coverage.rows / took:,.0f} a second")
            print(f"size            {sizes[0]:,.0f} MB beside a store of {sizes[1]:,.0f} MB")
            model = store.models()[len(store.models()) // 2].id
            rare = " ".join(texts.words[5000:5001])
            for name, words, filters in (
                ("no words", "", Filters()),
                ("a frequent word", texts.words[50], Filters()),
                ("a rare word", rare, Filters()),
                ("two words", f"{texts.words[300]} {texts.words[2000]}", Filters()),
                ("in no text", "nowhere to be found", Filters()),
                ("two signs", "丅丆", Filters()),
                ("one sign", "丠", Filters()),
                ("of one model", texts.words[50], Filters(model=model)),
                ("of one judge", texts.words[50], Filters(judge=store.judges()[0].id)),
            ):
                took, found = measured(lambda w=words, f=filters: search(store, w, f))  # type: ignore[misc]
                more = "" if found.then is None else ", more follow"
                print(f"{name:15} {took:,.0f} ms, {len(found.hits)} hits{more}")
        with open_store(str(path)) as store:
            alone, beside = [], []
            for turn in range(5):  # by turns, since a machine is seldom as quick as before
                alone.append(write(store, judge, texts, f"alone {turn}"))
                command = [sys.executable, "-c", SEARCHING, str(path), texts.words[50]]
                with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
                    assert reader.stdout is not None
                    reader.stdout.readline()
                    beside.append(write(store, judge, texts, f"beside {turn}"))
                    reader.kill()
        print(f"writer alone    {median(alone):,.0f} judgments a second, each with its reply")
        print(f"beside searches {median(beside):,.0f} judgments a second")


if __name__ == "__main__":
    main()
