"""Judges of whose replies a run could make nothing: not a success, whoever has asked them."""

from __future__ import annotations

from collections import Counter

from judgebench.plain_text import written_out
from judgebench.run.outcome import LEAST_UNREADABLE, Outcome, Unread
from judgebench.store import Store
from judgebench.store.read import RepliesOfRun

EXAMPLES = 3
EXCERPT = 120
"""Characters of a reply that are shown."""


def judges_unread(store: Store, outcome: Outcome) -> list[Unread]:
    """The judges with at least half, and at least ten, of their replies in a run unreadable.

    Replies that earlier runs have asked for count where their verdicts served this one: the board
    stands on them all the same.
    """
    work = outcome.work
    judges = {seat.key: seat.title for seat in work.seats if seat.asks}
    about = {(one.benchmark.name, one.benchmark.version) for one in work.asked}
    run_id = outcome.manifest.id
    names = Counter(judge.name for judge in store.judges())
    return [
        Unread(
            judge=found.judge,
            called=found.judge if names[found.judge] == 1 else found.judge_key.hex()[:12],
            replies=found.replies,
            unreadable=found.unreadable,
            examples=tuple(_examples(store, found, run_id, sorted(about))),
        )
        for found in store.replies_of_run(run_id, judges, about)
        if found.unreadable >= max(LEAST_UNREADABLE, found.replies / 2)
    ]


def _examples(
    store: Store, found: RepliesOfRun, run_id: str, about: list[tuple[str, str]]
) -> list[str]:
    """The first ones, each on a line: where, why, and how the reply begins."""
    said: dict[bytes, str] = {}
    for benchmark, version in about:
        columns = store.judged_columns(
            benchmark, version, judges=[found.judge_key], run_id=run_id, afresh=True
        )
        names = ("kind", "item_id", "model", "reason", "judgment", "reply_keys")
        for kind, item, model, reason, judgment, keys in zip(
            *(columns[name] for name in names), strict=True
        ):
            if kind != "unreadable" or not keys or judgment in said:
                continue
            call = store.calls(keys[-1:]).get(keys[-1])
            reply = "" if call is None else excerpt(call.reply)
            said[judgment] = f"{benchmark} {item}, {model}: {reason}: {reply or '(empty)'}"
            if len(said) == EXAMPLES:
                return list(said.values())
    return list(said.values())


def excerpt(text: str) -> str:
    """The beginning of a text on one line, in quotes; empty where there is nothing in it.

    >>> excerpt("I think\\nso")
    '"I think so"'
    """
    line = " ".join(text.split())
    if not line:
        return ""
    return f'"{written_out(line[:EXCERPT])}{"…" if len(line) > EXCERPT else ""}"'
