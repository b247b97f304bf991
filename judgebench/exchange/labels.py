"""``import labels``: what people say about answers. A person may change their mind."""

from __future__ import annotations

from pathlib import Path

from judgebench.exchange.known_items import KnownItems, default_version, items_at_hand
from judgebench.exchange.outcome import ImportReport
from judgebench.exchange.verdict_rows import VerdictRow, read_verdicts
from judgebench.exchange.verdicts import is_human, take_in
from judgebench.store import Store


def import_labels(
    store: Store,
    path: Path,
    *,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
    only_answered: bool = False,
) -> ImportReport:
    """Take in a file of labels, all or nothing. The same file again changes nothing.

    Labels are events: a label that differs from the rater's current one counts from now on, and
    the earlier one stays. ``only_answered`` passes over labels of answers that the store does not
    have, as a run does whose suite asks fewer items than people have labelled.

    Raises
    ------
    InputError
        As `import_verdicts`, and for a judge that is no person.
    """
    rows = read_verdicts(path, default_version)
    for row in rows:
        if not is_human(row.where.judge):
            raise row.row.wrong(
                "judge",
                f"labels are given by people, named human/<rater>, not {row.where.judge!r}; "
                "verdicts of judges come in with `judgebench import verdicts`",
            )
    if only_answered:
        rows = _about_answers(store, rows)
    known = None if allow_unknown_items else known_items
    return take_in(store, path, "labels", rows, known, may_change=True)


def _about_answers(store: Store, rows: list[VerdictRow]) -> list[VerdictRow]:
    answered: set[tuple[str, str, str, str, int, int]] = set()
    for benchmark, version in {row.at for row in rows}:
        table = store.responses_table(benchmark, version)
        columns = ("model", "item_id", "sample", "turn")
        answered |= {
            (benchmark, version, *place)
            for place in zip(*(table[name] for name in columns), strict=True)
        }
    return [
        row
        for row in rows
        if (*row.at, row.where.model, row.where.item_id, row.where.sample, row.where.turn)
        in answered
    ]
