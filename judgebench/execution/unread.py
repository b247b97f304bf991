"""Judges of whose replies a run could make nothing: not a success, whoever has asked them."""

from __future__ import annotations

from collections import Counter

from judgebench.execution.outcome import LEAST_UNREADABLE, Outcome, Unread
from judgebench.plain_text import written_out
from judgebench.store import Store

EXAMPLES = 3
EXCERPT = 120
"""Characters of a reply that are shown."""


def judges_unread(store: Store, outcome: Outcome) -> list[Unread]:
    """The judges with at least half, and at least ten, of their replies in a run unreadable.

    Replies that earlier runs have asked for count where their verdicts served this one: the board
    stands on them all the same.
    """
    work = outcome.work
    judges = {
        assignment.key: assignment.title for assignment in work.assignments if assignment.asks
    }
    about = sorted({(one.benchmark.name, one.benchmark.version) for one in work.asked})
    run_id = outcome.manifest.id
    kinds_of = store.replies_of_run(run_id, judges, [name for name, _ in about])
    names = Counter(judge.name for judge in store.judges())
    return [
        Unread(
            judge=judges[key],
            called=judges[key] if names[judges[key]] == 1 else key.hex()[:12],
            replies=kinds.total(),
            unreadable=kinds["unreadable"],
            examples=tuple(_examples(store, key, run_id, about)),
        )
        for key, kinds in kinds_of.items()
        if kinds["unreadable"] >= max(LEAST_UNREADABLE, kinds.total() / 2)
    ]


def _examples(store: Store, judge: bytes, run_id: str, about: list[tuple[str, str]]) -> list[str]:
    """The first ones, each on a line: where, why, and how the reply begins."""
    said: dict[bytes, str] = {}
    for benchmark, version in about:
        columns = store.judged_columns(
            benchmark, version, judges=[judge], run_id=run_id, afresh=True
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
