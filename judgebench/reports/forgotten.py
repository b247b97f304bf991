"""What would be forgotten, or was, and what it would take to have it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.plain_text import counted, dollars
from judgebench.reports.document import Column, Document, Table
from judgebench.store import Store
from judgebench.store.copy import Forgotten

_ASKED = ("live", "batch")


def usd_per_call(store: Store) -> dict[str, float]:
    """What a call of each judge, by id, cost on average, over all runs; without those not known."""
    calls: dict[str, int] = {}
    cost: dict[str, float] = {}
    spend = store.spend()
    names = ("judge_id", "how", "calls", "unpriced_calls", "cost_usd")
    for judge, how, n, unpriced, usd in zip(*(spend[name] for name in names), strict=True):
        if judge is not None and how in _ASKED:
            calls[judge] = calls.get(judge, 0) + n - unpriced
            cost[judge] = cost.get(judge, 0.0) + usd
    return {judge: cost[judge] / n for judge, n in calls.items() if n}


def document(
    found: Forgotten, names: Mapping[bytes, str], per_call: Mapping[str, float], *, removed: bool
) -> Document:
    """The judgments of each judge, and what asking for them again would take.

    Parameters
    ----------
    names
        Judge's key -> name.
    per_call
        Judge's id -> US dollars (`usd_per_call`).
    removed
        Whether it is gone already.
    """
    records = [_record(one, names, per_call) for one in found.judges]
    title = "forgotten" if removed else "would be forgotten"
    return Document(
        tables=[
            Table(
                title=f"{title}: {counted(found.judgments, 'judgment')}, which served as "
                f"{counted(found.verdicts, 'verdict')} in {counted(len(found.runs), 'run')}",
                columns=[
                    Column(title="judge", wraps=True),
                    Column(title="judgments", align="right"),
                    Column(title="replies", align="right"),
                    Column(title="tokens in", align="right", spare=True),
                    Column(title="tokens out", align="right", spare=True),
                    Column(title="to have them again", align="right"),
                ],
                rows=[_row(record) for record in records],
                notes=_notes(found, records, removed),
            )
        ],
        records=records,
        data={
            "removed": removed,
            "judges": records,
            "judgments": found.judgments,
            "verdicts": found.verdicts,
            "replies": sum(record["replies"] for record in records),
            "runs": list(found.runs),
            "shared": found.shared,
            "pinned": found.pinned,
            "needed_replies": found.needed_replies,
            "earlier": found.earlier,
            "anchors": found.anchors,
            "failures": found.failures,
        },
    )


def _record(
    one: Mapping[str, Any], names: Mapping[bytes, str], per_call: Mapping[str, float]
) -> dict[str, Any]:
    judge_id, replies = one["judge"].hex()[:12], one["replies"]
    each = per_call.get(judge_id)
    cost = 0.0 if not replies else None if each is None else replies * each
    return {
        "judge": names[one["judge"]],
        "judge_id": judge_id,
        **{name: value for name, value in one.items() if name != "judge"},
        "cost_usd": None if one["elsewhere"] else cost,
    }


def _row(record: Mapping[str, Any]) -> list[str]:
    cost = record["cost_usd"]
    if record["elsewhere"]:
        again = "import them again"
    elif not record["replies"]:
        again = "no call"
    else:
        price = "price not known" if cost is None else f"about {dollars(cost)} USD"
        again = f"{counted(record['replies'], 'call')}, {price}"
    counts = ("judgments", "replies", "prompt_tokens", "completion_tokens")
    return [record["judge"], *(f"{record[name]:,}" for name in counts), again]


def _notes(found: Forgotten, records: list[dict[str, Any]], removed: bool) -> list[str]:
    notes = []
    if found.shared:
        notes.append(
            f"kept: {counted(found.shared, 'judgment')} that serve elsewhere as well; running "
            "again uses them and does not ask anew"
        )
    if found.pinned:
        notes.append(f"kept: {counted(found.pinned, 'judgment')}, as anchors of their judge")
    if found.needed_replies:
        replies = counted(found.needed_replies, "reply", "replies")
        notes.append(f"kept: {replies} that other verdicts were read from")
    if found.earlier:
        notes.append(
            f"{counted(found.earlier, 'verdict')} of the same judges on the same answers count "
            "again in their place, so that nobody is asked there"
        )
    if found.anchors:
        notes.append(f"with them {counted(found.anchors, 'anchor')} and every look at these")
    if found.failures:
        notes.append(f"with them {counted(found.failures, 'failure')}")
    if any(record["uncounted"] for record in records):
        notes.append("tokens: those that replies state, which not all of them do")
    if any(record["replies"] and record["cost_usd"] is not None for record in records):
        notes.append("cost: as the calls of each judge cost until now, on average")
    notes.append(
        "what they took stays on record, and so do runs, models, judges and answers"
        if removed
        else "nothing is removed yet: --yes removes it, for good; the next run then asks anew"
    )
    return notes
