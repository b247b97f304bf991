"""Many processes write to one store while somebody reads: nothing is lost, nothing counted twice.

    python -m tests.faults.many_writers --writers 8 --judgments 10000 --store URL

Each process has a run of its own and stores judgments as a run does: reply, what it took, verdict
and use, through the thread that writes. Every tenth judgment is one that all of them make. Checked:
each judgment is there once, at each place it serves; every call is on the account once; who reads
meanwhile sees ever more, and whole judgments.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from judgebench import keys
from judgebench.protocols import Paid
from judgebench.records import (
    ChatRequest,
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Purpose,
    Reply,
    RunManifest,
    RunVerdict,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.written import keep

ROOT = Path(__file__).resolve().parents[2]
MODEL, JUDGE = ModelSpec(weights="m"), JudgeSpec(kind="exact_match")
AT_ONCE = 64
SHARED_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of so many judgments each of so many writers; ``seen`` is what a reader saw."""

    writers: int
    judgments: int
    seconds: float
    seen: list[int]
    uses: Counter[str]
    judged: int
    calls: dict[str, int]

    def __str__(self) -> str:
        n = self.writers * self.judgments
        return (
            f"{self.writers} writers, {self.judgments:,} judgments each, in {self.seconds:.1f} s"
            f" ({n / self.seconds:,.0f} a second), read {len(self.seen)} times meanwhile"
        )


def write_and_read(
    url: str, *, writers: int, judgments: int, meanwhile: Callable[[int], object] = bool
) -> Written:
    """Begin all writers at once, and read until they have ended.

    ``meanwhile`` is told of each look how many verdicts there were, once all writers have begun.

    Raises
    ------
    AssertionError
        Where a writer did not come to its end.
    """
    open_store(url).close()
    began = time.monotonic()
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.faults.many_writers", "--store", url),
                *("--run", f"run-{number}", "--judgments", str(judgments)),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(writers)
    ]
    seen = []
    with open_store(url, read_only=True) as store:
        while any(process.poll() is None for process in processes):
            seen.append(len(store.verdicts("b")["label"]))
            if len(store.runs()) == writers:
                meanwhile(seen[-1])
            time.sleep(0.05)
    seconds = time.monotonic() - began
    for process in processes:
        _, said = process.communicate()
        assert process.returncode == 0, said
    with open_store(url, read_only=True) as store:
        verdicts, spent = store.verdicts("b"), store.spend()
        wanted = {_key(f"run-{w}", n) for w in range(writers) for n in range(judgments)}
        judged = store.judged(wanted)
    return Written(
        writers=writers,
        judgments=judgments,
        seconds=seconds,
        seen=seen,
        uses=Counter(verdicts["item_id"]),
        judged=len(judged),
        calls=dict(zip(spent["run_id"], spent["calls"], strict=True)),
    )


def violations(written: Written) -> list[str]:
    """What does not hold; empty if all does."""
    wanted = {
        _item(f"run-{writer}", number)
        for writer in range(written.writers)
        for number in range(written.judgments)
    }
    wrong = []
    if lost := wanted - written.uses.keys():
        wrong.append(f"{len(lost)} places without a verdict")
    if double := [item for item, n in written.uses.items() if n > 1]:
        wrong.append(f"{len(double)} places with several verdicts")
    if written.judged != len(wanted):
        wrong.append(f"{written.judged} judgments, {len(wanted)} were stored")
    runs = {f"run-{writer}": written.judgments for writer in range(written.writers)}
    if written.calls != runs:
        wrong.append(f"on the account: {written.calls}")
    if written.seen != sorted(written.seen):
        wrong.append(f"a reader saw fewer than before: {written.seen}")
    return wrong


def write(url: str, run_id: str, judgments: int) -> None:
    """One of the processes."""
    with open_store(url) as store:
        store.put_model("m", MODEL)
        store.put_judge("j", JUDGE)
        store.start_run(
            RunManifest(
                id=run_id, name="n", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=1.0,
            )
        )  # fmt: skip
        asyncio.run(_all(store, run_id, judgments))


async def _all(store: Store, run_id: str, judgments: int) -> None:
    numbers = iter(range(judgments))

    async def one_after_the_other() -> None:
        for number in numbers:
            await _judge(store, run_id, number)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def _judge(store: Store, run_id: str, number: int) -> None:
    place = VerdictSlot(
        benchmark="b", version="1", item_id=_item(run_id, number),
        model_key=keys.model_key(MODEL), judge_key=keys.judge_key(JUDGE),
    )  # fmt: skip
    request = ChatRequest(provider="p", model="j", messages=(), sample=number, extra={"by": run_id})
    paid = Paid(
        key=keys.request_key(request),
        request=request,
        reply=Reply(text=f"said of {number}"),
        spend=Spend(
            purpose=Purpose(run_id=run_id, place=place), how="live", provider="p", model="j",
            usage=Usage(prompt_tokens=10), cost_usd=0.25,
        ),
    )  # fmt: skip
    await keep(
        store,
        lambda into: into.put_reply(paid.key, paid.request, paid.reply, paid.spend),
        paid=paid,
    )
    key = _key(run_id, number)
    judgment = Judgment(
        key=key, judge_key=place.judge_key, case_key=key, verdict=Label(name="correct"),
        reply_keys=(paid.key,),
    )  # fmt: skip
    use = RunVerdict(run_id=run_id, place=place, judgment_key=key)
    await keep(store, lambda into: into.put_judgment(judgment, [use]))


def _item(run_id: str, number: int) -> str:
    return f"shared/{number}" if number % SHARED_EVERY == 0 else f"{run_id}/{number}"


def _key(run_id: str, number: int) -> bytes:
    return hashlib.sha256(_item(run_id, number).encode()).digest()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", required=True)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--judgments", type=int, default=10_000)
    parser.add_argument("--run", help="be one of the writers")
    arguments = parser.parse_args()
    if arguments.run:
        write(arguments.store, arguments.run, arguments.judgments)
        return
    written = write_and_read(
        arguments.store, writers=arguments.writers, judgments=arguments.judgments
    )
    print(written)
    if wrong := violations(written):
        print("\n".join(["does NOT hold:", *wrong]))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
