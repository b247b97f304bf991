"""Where words stand in a store: questions, answers and what judges wrote, a page at a time."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from judgebench.store.search_index import Coverage, SearchIndex
from judgebench.store.search_places import Filters, Hit, stands
from judgebench.store.search_texts import KINDS, Kind, rows_of
from judgebench.store.search_words import Words
from judgebench.store.store import Store

PAGE = 25
"""Hits on one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of hits. ``then`` is where the next one begins, None where there is no more.

    ``looked_at`` is the number of texts that were read for it. Where the time was over before the
    page was full, there are fewer hits than a page holds and ``then`` is where to go on.
    """

    hits: Sequence[Hit]
    then: tuple[Kind, int | None] | None = None
    looked_at: int = 0
    coverage: Coverage


def search(
    store: Store,
    words: str,
    filters: Filters | None = None,
    *,
    begin: tuple[Kind, int | None] | None = None,
    limit: int = PAGE,
    for_s: float = 2.0,
) -> Found:
    """Look for words (`search_words.Words`), questions first, then answers, then reasoning.

    Questions come in the order of their benchmark, of the rest the newest first. Before, the index
    takes in what is new, for half of the time at most; what is not in it yet is not found, and
    `Coverage` says so.

    Parameters
    ----------
    begin
        The ``then`` of the page before.
    for_s
        Seconds after which a page is given back although it is not full.

    Raises
    ------
    StoreError
        Where the index cannot be made or read.
    """
    asked, wanted = Words(words), filters or Filters()
    hits: list[Hit] = []
    looked_at = 0
    then: tuple[Kind, int | None] | None = None
    with SearchIndex(store.path) as index, store.snapshot() as connection:
        coverage = index.catch_up(connection, for_s / 2)
        deadline = time.monotonic() + for_s
        for kind, batch in _batches(index, asked, wanted, begin):
            looked_at += len(batch)
            hits += _hits(connection, kind, batch, asked, wanted)
            if len(hits) > limit:
                hits = hits[:limit]
                then = hits[-1].kind, hits[-1].number
                break
            if time.monotonic() > deadline:
                then = kind, batch[-1]
                break
        return Found(
            hits=_with_snippets(connection, hits, asked),
            then=then,
            looked_at=looked_at,
            coverage=coverage,
        )


def _batches(
    index: SearchIndex, words: Words, wanted: Filters, begin: tuple[Kind, int | None] | None
) -> Iterator[tuple[Kind, list[int]]]:
    first, beyond = begin or (KINDS[0], None)
    for kind in wanted.searched:
        if KINDS.index(kind) >= KINDS.index(first):
            for batch in index.candidates(kind, words, beyond if kind == first else None):
                yield kind, batch


def _hits(
    connection: Connection, kind: Kind, batch: list[int], words: Words, wanted: Filters
) -> list[Hit]:
    """In the order of the batch. Filters leave less than words do, and cost less than texts."""
    numbers = batch if wanted.narrow else _with_words(connection, kind, batch, words)
    hits = {hit.number: hit for hit in stands(connection, kind, numbers, wanted)}
    if wanted.narrow:
        left = _with_words(connection, kind, list(hits), words)
        hits = {number: hits[number] for number in left}
    return [hits[number] for number in batch if number in hits]


def _with_words(
    connection: Connection, kind: Kind, numbers: list[int], words: Words
) -> Collection[int]:
    """Those whose text holds the words; the index is not sure of it."""
    if not words.parts:
        return numbers
    texts = rows_of(connection, kind, numbers)
    return [number for number, row in texts.items() if words.occur_in(row.text)]


def _with_snippets(connection: Connection, hits: list[Hit], words: Words) -> list[Hit]:
    texts = {
        (kind, number): row.text
        for kind in KINDS
        for number, row in rows_of(
            connection, kind, [hit.number for hit in hits if hit.kind == kind]
        ).items()
    }
    return [replace(hit, snippet=words.snippet(texts[hit.kind, hit.number])) for hit in hits]
