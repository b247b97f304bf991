"""What a store holds after many judgments, read as a stranger would: with SQL."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text

from judgebench.records import TRUNCATED
from tests.faults.server import true_verdict
from tests.postgres import beside

_JUDGED = """
SELECT DISTINCT i.item_id, n.name, r.body, j.reply_keys
  FROM uses u
  JOIN judgments j ON j.id = u.judgment_id
  JOIN items i ON i.id = u.item_id
  LEFT JOIN names n ON n.id = j.label_id
  LEFT JOIN texts r ON r.sha = j.reason_sha
"""
_FAILED = "SELECT i.item_id, f.kind FROM failures f JOIN items i ON i.id = f.item_id"
_ASKED = "SELECT key, body FROM replies JOIN texts ON sha = request_sha"
_SPENT = "SELECT how, sum(calls) FROM spend_v1 GROUP BY how"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of the cases.

    verdicts, unreadable, failed
        Items by id: with their label, with the reason, with the kind of failure.
    wrong
        Items with another verdict than the server's true one.
    cut_off
        Items whose judge was cut off and not asked once more, with more room.
    spend
        Calls on the account, by how they ended.
    """

    verdicts: dict[str, str]
    unreadable: dict[str, str]
    failed: dict[str, str]
    wrong: list[str]
    cut_off: list[str]
    spend: Counter[str]

    @property
    def judged(self) -> set[str]:
        return {*self.verdicts, *self.unreadable}


def kept(url: str) -> Kept:
    """What the store says now."""
    with beside(url) as store:
        judged, failed, asked, spent = (
            [tuple(row) for row in store.execute(text(query))]
            for query in (_JUDGED, _FAILED, _ASKED, _SPENT)
        )
    request_of = dict(asked)
    return Kept(
        verdicts={item: label for item, label, _, _ in judged if label is not None},
        unreadable={item: reason for item, label, reason, _ in judged if label is None},
        failed=dict(failed),
        wrong=[
            item
            for item, label, _, replies in judged
            if label is not None
            and label != true_verdict(_question(request_of[_split(replies)[-1]]))
        ],
        cut_off=[
            item
            for item, _, reason, replies in judged
            if reason == TRUNCATED and len(set(_split(replies))) != 2
        ],
        spend=Counter({how: int(calls) for how, calls in spent}),
    )


def _split(keys: bytes) -> list[bytes]:
    return [keys[at : at + 32] for at in range(0, len(keys), 32)]


def _question(request: str) -> str:
    return str(json.loads(request)["messages"][-1]["content"])
