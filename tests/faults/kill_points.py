"""A run killed at each of its steps in turn, and run again: nothing is lost, nothing paid twice.

    python -m tests.faults.kill_points --items 6

The suite has a remote candidate and two judges, one of which compares in both orders. A step is a
commit of the store, half done or done, or a question that is about to be sent or was just answered
(see `nursery`). After every kill the same command is carried out undisturbed. Checked: no question
arrives again whose reply had been stored; verdicts, boards and account are those of a run that
nobody disturbed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import inspect

from judgebench.store.opening import located
from tests.e2e import own, runs
from tests.faults.nursery import STEPS, Nursery, Order
from tests.loopback import Ask, Loopback, Reaction, completion
from tests.postgres import beside

_VERDICTS = """
SELECT judge_id, model_id, opponent_id, item_id, "order", kind, label, value, served_model
  FROM verdicts_v2 ORDER BY judge_id, model_id, opponent_id, item_id, "order"
"""
_ANSWERS = """
SELECT m.short, i.item_id, r.status, t.body
  FROM answers a JOIN models m ON m.id = a.model_id JOIN items i ON i.id = a.item_id
  JOIN responses r ON r.id = a.response_id JOIN texts t ON t.sha = r.text_sha ORDER BY 1, 2
"""
_STATES = {"done", "interrupted"}
_BOARD_EVERY = 10  # kills: a board takes longer than the run


def signed(ask: Ask) -> Reaction:
    """An answer whose served model names the question, so that a stored reply can be traced."""
    whole = completion(ask, Reaction())
    return Reaction(payload=whole | {"model": f"asked-{ask.sha}"}, delay_s=0.002)


def stored_replies(folder: Path) -> set[str]:
    """Which questions have their reply in the store, by the SHA-256 that they arrived under."""
    url = runs.store_url(folder)
    if not located(url).exists():
        return set()
    with beside(url) as store:
        if not inspect(store).has_table("replies"):
            return set()
    rows = own.query(folder, "SELECT served_model FROM replies")
    return {row[0].removeprefix("asked-") for row in rows}


@dataclass(slots=True)
class Kills:
    """What came of them.

    ``at`` counts them by kind of step, ``last`` says where the last one was. ``stored`` and
    ``resent`` are added up over all: replies that were stored by then, and questions that were on
    their way and had to be asked again.
    """

    at: Counter[str] = field(default_factory=Counter)
    last: str = ""
    stored: int = 0
    resent: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        at = ", ".join(f"{n} {step}" for step, n in sorted(self.at.items()))
        return (
            f"{self.at.total()} runs killed, each at a step of its own ({at})\n"
            f"  {self.stored:,} replies were stored by then: none of their questions was asked "
            f"again\n  {self.resent:,} questions were on their way, and were asked again\n"
            f"  every run that followed ended like one that nobody disturbed; {self.seconds:.0f} s"
        )


def kill_at_every_step(
    folder: Path,
    *,
    items: int,
    new_store: Callable[[], str] | None = None,
    stride: int = 1,
    executable: str = sys.executable,
) -> Kills:
    """Kill a run at its first step, the next one at its second, until one comes to its end.

    Threads take turns as they like: a kind of step that a stride above 1 has passed over each time
    is killed at once more, the first time that it comes.

    Parameters
    ----------
    new_store
        Gives the URL of an empty place for the store of each run; if None it is a file.
    stride
        From one of the steps to the next.
    executable
        The interpreter, or what stands for it: see `tests.warm`.

    Raises
    ------
    AssertionError
        For whatever does not hold.
    """
    began = time.monotonic()
    if new_store is not None:
        runs.keep_at(folder, new_store())
    with (
        Loopback(signed) as server,
        Nursery("run", _suite(folder, server, items), executable=executable) as nursery,
    ):
        wanted, boards = _outcome(folder), own.boards(folder)
        kills = Kills()

        def killed_at(step: int, kind: str = "") -> bool:
            here = _kill(folder, items, server, nursery, kills, new_store, step, kind)
            if here is None:
                return False
            assert _outcome(here) == wanted, kills.last
            if kills.at.total() % _BOARD_EVERY == 0:
                assert own.boards(here) == boards, kills.last
            return True

        step = 1
        while killed_at(step):
            step += stride
        for kind in STEPS:
            if kind not in kills.at:
                assert killed_at(1, kind), f"no step {kind}"
    kills.seconds = time.monotonic() - began
    return kills


def _kill(
    folder: Path,
    items: int,
    server: Loopback,
    nursery: Nursery,
    kills: Kills,
    new_store: Callable[[], str] | None,
    step: int,
    kind: str,
) -> Path | None:
    """One run killed at a step, and run again; its folder, or None where it got through."""
    here = folder / f"{step}{kind}"
    here.mkdir()
    if new_store is not None:
        runs.keep_at(here, new_store())
    suite = _suite(here, server, items)
    words = ("run", str(suite), "--quiet")

    asked = len(server.asks)
    (killed,) = nursery.carry_out(Order(words=words, kill_at=step, kind=kind))
    first = [ask.sha for ask in server.asks[asked:]]
    stored = stored_replies(here)
    if not killed.was_killed:
        assert killed.code == 0, killed.said
        return None
    kills.at[killed.steps[-1]] += 1
    kills.last = f"killed at step {len(killed.steps)}, {killed.steps[-1]}"

    asked = len(server.asks)
    (after,) = nursery.carry_out(Order(words=words))
    then = [ask.sha for ask in server.asks[asked:]]
    assert after.code == 0, f"{kills.last}: {after.said}"
    assert not stored & set(then), f"{kills.last}: asked again although the reply was stored"
    assert len(then) == len(set(then)), f"{kills.last}: the same question twice"
    kills.stored += len(stored)
    kills.resent += len(set(first) & set(then))
    return here


def _suite(folder: Path, server: Loopback, items: int) -> Path:
    url = server.url
    return own.suite(
        folder,
        items=items,
        takers=("baseline",),
        candidates=[own.endpoint(url, "candidate", model="candidate")],
        judges=[
            own.endpoint(url, "grader", kind="rubric"),
            own.endpoint(url, "comparer", kind="pairwise", options={"format": "json"}),
        ],
        benchmark={"scale": [1, 10], "baseline": "baseline", "orders": "both"},
    )


def _outcome(folder: Path) -> dict[str, Any]:
    """All that must not depend on whether a run was disturbed."""
    (live,) = own.query(folder, "SELECT sum(calls) FROM spend_v1 WHERE how = 'live'")
    states = {row[0] for row in own.query(folder, "SELECT state FROM runs")}
    assert states <= _STATES, f"a run that is over says that it is {states}"
    return {
        "verdicts": own.query(folder, _VERDICTS),
        "answers": own.query(folder, _ANSWERS),
        "replies": len(stored_replies(folder)),
        "live calls": live[0],
        "failures": own.failures(folder),
        "claims": own.query(folder, "SELECT key FROM claims"),
        "owners": own.query(folder, "SELECT pid FROM owners"),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(kill_at_every_step(Path(folder), items=arguments.items))


if __name__ == "__main__":
    main()
