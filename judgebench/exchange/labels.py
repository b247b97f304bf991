"""``import labels``: what people say about answers. A person may change their mind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from judgebench.benchmarks.folder import items_at_hand
from judgebench.exchange.names import At, KnownItems
from judgebench.exchange.pipeline import Import, ImportReport
from judgebench.exchange.verdicts import (
    VerdictRow,
    about_own_prompts,
    checked,
    once_each,
    read_verdicts,
)
from judgebench.records import is_human
from judgebench.rows import OURS, Layout
from judgebench.store import Store


def read_label_files(
    paths: Sequence[Path],
    *,
    layout: Layout = OURS,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read files of labels; returned with each is what stores it.

    What one person says in two files may differ: the later one counts.

    Raises
    ------
    InputError
        As `read_verdict_files`, and for a judge that is no person.
    """
    read = [(path, read_label_rows(path, layout=layout)) for path in paths]
    known = None if allow_unknown_items else known_items
    return checked("labels", read, known, once=False, may_change=True)


def import_labels(
    store: Store,
    path: Path,
    *,
    about: At | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
    only_answered: bool = False,
) -> ImportReport:
    """Take in a file of labels, all or nothing. The same file again changes nothing.

    Labels are events: a label that differs from the rater's current one counts from now on, and
    the earlier one stays. ``about`` is the benchmark and version that rows are about which name
    none, as in the file that a benchmark brings. ``only_answered`` passes over labels of answers
    that the store does not have, as a run does whose suite asks fewer items than people have
    labelled.

    Raises
    ------
    InputError
        As `import_verdicts`, and for a judge that is no person.
    """
    rows = read_label_rows(path, about)
    rows = about_own_prompts(store, rows, allow_unknown_items=allow_unknown_items)
    if only_answered:
        rows = _about_answers(store, rows)
    known = None if allow_unknown_items else known_items
    [found] = checked("labels", [(path, rows)], known, once=False, may_change=True)
    return found.take_in(store)


def read_label_rows(path: Path, about: At | None = None, layout: Layout = OURS) -> list[VerdictRow]:
    """All labels of a file, of known items or not; ``about`` is as for `import_labels`.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    rows = read_verdicts(path, about=about, layout=layout)
    once_each(rows)  # refuses two that contradict each other
    for row in rows:
        if not is_human(row.where.judge):
            raise row.row.wrong(
                "judge",
                f"labels are given by people, named human/<rater>, not {row.where.judge!r}; "
                "verdicts of judges come in with `judgebench import verdicts`",
            )
    return rows


def _about_answers(store: Store, rows: list[VerdictRow]) -> list[VerdictRow]:
    """Those on answers that the store has."""
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
