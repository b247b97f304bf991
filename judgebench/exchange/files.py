"""Several files of one format: all are read, and found good, before the first is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from judgebench.exchange import responses, verdict_rows, verdicts
from judgebench.exchange.known_items import KnownItems, items_at_hand
from judgebench.exchange.labels import read_label_rows
from judgebench.exchange.outcome import ImportReport
from judgebench.store import Store

Format: TypeAlias = Literal["verdicts", "labels", "responses"]
TakeIn: TypeAlias = Callable[[Store], ImportReport]


def read_files(
    what: Format,
    paths: Sequence[Path],
    *,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[tuple[Path, TakeIn]]:
    """Read the files; returned with each is what stores it, in one commit.

    Only what the store itself contradicts is found later.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used, and for two files that contradict each
        other; labels of one person may, since the later one counts.
    """
    known = None if allow_unknown_items else known_items
    take_in = partial(verdicts.take_in, what=what, allow_unknown_items=allow_unknown_items)
    if what == "responses":
        answers = [(path, responses.read_response_rows(path, known)) for path in paths]
        responses.one_text_each([row for _, rows in answers for row in rows])
        return [(p, partial(responses.take_in_responses, path=p, rows=r)) for p, r in answers]
    if what == "labels":
        labels = [(path, read_label_rows(path)) for path in paths]
        for _, rows in labels:
            verdicts.refuse_unknown_items(rows, known)
        return [(p, partial(take_in, path=p, rows=rows, may_change=True)) for p, rows in labels]
    judged = [(path, verdicts.read_verdict_rows(path, known)) for path in paths]
    verdict_rows.once_each([row for _, rows in judged for row in rows])
    return [(p, partial(take_in, path=p, rows=rows)) for p, rows in judged]
