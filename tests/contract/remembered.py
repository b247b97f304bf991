"""Replies in memory."""

from __future__ import annotations

from collections.abc import Sequence

from judgebench.records import Reply, Request, Spend
from tests.written import WrittenAtOnce


class Remembered(WrittenAtOnce):
    """Keeps replies by their key, and no spending: what is asked here has no purpose."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Reply] = {}

    def reply(self, key: bytes) -> Reply | None:
        return self.kept.get(key)

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        self.kept[key] = reply

    def put_spend(self, spends: Sequence[Spend]) -> None:
        raise AssertionError("a question without a purpose is charged to nobody")
