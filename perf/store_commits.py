"""How fast the store takes and finds judgments: ``python perf/store_commits.py [COUNT] [FOLDER]``.

One writer, one judgment a commit, as a run writes them; then the look-ups of a run planned again.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from judgebench.records import (
    ChatRequest,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Place,
    Purpose,
    Reply,
    RunManifest,
    Spend,
    Usage,
    Use,
)
from judgebench.store import Store, open_store

ITEMS = 800


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(store: Store, count: int) -> None:
    model = store.put_model("model", ModelSpec(weights="m"))
    judge = store.put_judge("judge", JudgeSpec(kind="exact_match"))
    store.start_run(
        RunManifest(
            id="run", name="perf", configuration={}, versions={}, git_sha=None, data_sha={},
            seeds={}, started=time.time(),
        )
    )  # fmt: skip
    keys = [hashlib.sha256(str(number).encode()).digest() for number in range(count)]

    def put(number: int) -> None:
        key = keys[number]
        place = Place(
            benchmark="b", version="1", item_id=str(number % ITEMS), model_key=model,
            judge_key=judge, sample=number // ITEMS,
        )  # fmt: skip
        judgment = Judgment(
            key=key, judge_key=judge, case_key=key, verdict=Label(name="correct"),
            reply_keys=(key,), at=time.time(),
        )  # fmt: skip
        store.put_judgment(judgment, [Use(run_id="run", place=place, judgment_key=key)])

    request = ChatRequest(
        provider="p", model="m", messages=(Message(role="user", content="x" * 2000),)
    )
    replies = keys[: count // 5]
    purpose = Purpose(
        run_id="run",
        place=Place(benchmark="b", version="1", item_id="0", model_key=model, judge_key=judge),
    )
    took = Spend(
        purpose=purpose, how="live", provider="p", model="m", cost_usd=0.01,
        usage=Usage(prompt_tokens=500, completion_tokens=1),
    )  # fmt: skip

    def put_all() -> None:
        for number in range(count):
            put(number)

    def put_replies() -> None:
        for key in replies:
            store.put_reply(key, request, Reply(text=key.hex() * 8))

    def put_paid_replies() -> None:
        for key in replies:
            store.put_reply(key[::-1], request, Reply(text=key.hex() * 8 + "."), took)

    taken = seconds(put_all)
    print(f"put_judgment   {count / taken:9,.0f} commits/s")
    taken = seconds(put_replies)
    print(f"put_reply      {len(replies) / taken:9,.0f} commits/s")
    taken = seconds(put_paid_replies)
    print(f"  and spend    {len(replies) / taken:9,.0f} commits/s")
    taken = seconds(lambda: store.judged(keys))
    print(f"judged         {taken / count * 1e6:9.1f} µs a key, {count:,} keys at once")
    taken = seconds(lambda: [store.judged([key]) for key in replies])
    print(f"judged         {taken / len(replies) * 1e6:9.1f} µs a key, one at a time")
    taken = seconds(lambda: [store.reply(key) for key in replies])
    print(f"reply          {taken / len(replies) * 1e6:9.1f} µs")
    taken = seconds(lambda: store.verdicts("b"))
    print(f"verdicts       {taken / count * 1e6:9.1f} µs a row, {count:,} rows")


if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    place = sys.argv[2] if len(sys.argv) > 2 else None
    with (
        tempfile.TemporaryDirectory(dir=place) as folder,
        open_store(str(Path(folder) / "perf.db")) as opened,
    ):
        measure(opened, rows)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(f"on disk        {size / rows:9.0f} bytes a judgment, with log and replies")
