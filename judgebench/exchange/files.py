"""Several files of one format: all are read, and found good, before the first is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError
from judgebench.exchange import arena_hard, mt_bench, responses, verdict_rows, verdicts
from judgebench.exchange.known_items import KnownItems, default_version
from judgebench.exchange.labels import read_label_rows
from judgebench.exchange.outcome import ImportReport
from judgebench.rows import OURS, Layout
from judgebench.store import Store

Format: TypeAlias = Literal["verdicts", "labels", "responses"]
Judgments: TypeAlias = Literal["arena-hard", "mt-bench"]
TakeIn: TypeAlias = Callable[[Store], ImportReport]


def read_files(
    what: Format,
    paths: Sequence[Path],
    *,
    layout: Layout = OURS,
    anchors: bool = False,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[tuple[Path, TakeIn]]:
    """Read the files; returned with each is what stores it, in one commit.

    Only what the store itself contradicts is found later. ``layout`` is that of every file.
    ``anchors``: verdicts on anchors are another look of their judge at them.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used, and for two files that contradict each
        other; labels of one person may, since the later one counts.
    """
    known = None if allow_unknown_items else known_items
    take_in = partial(verdicts.take_in, what=what, allow_unknown_items=allow_unknown_items)
    if what == "responses":
        answers = [(path, responses.read_response_rows(path, known, layout)) for path in paths]
        responses.one_text_each([row for _, rows in answers for row in rows])
        return [(p, partial(responses.take_in_responses, path=p, rows=r)) for p, r in answers]
    if what == "labels":
        labels = [(path, read_label_rows(path, layout=layout)) for path in paths]
        for _, rows in labels:
            verdicts.refuse_unknown_items(rows, known)
        return [(p, partial(take_in, path=p, rows=rows, may_change=True)) for p, rows in labels]
    judged = [(path, verdicts.read_verdict_rows(path, known, layout)) for path in paths]
    verdict_rows.once_each([row for _, rows in judged for row in rows])
    return [(p, partial(take_in, path=p, rows=rows, anchors=anchors)) for p, rows in judged]


def read_judgments(
    what: Judgments,
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    baseline: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[tuple[Path, TakeIn]]:
    """As `read_files`, for files of judgments of Arena-Hard and MT-Bench, and folders of them.

    Parameters
    ----------
    benchmark, version
        Under which the store keeps them; ``arena_hard`` and ``mt_bench`` unless said.
    baseline
        With whom Arena-Hard's models were compared.
    """
    name = benchmark or (arena_hard.BENCHMARK if what == "arena-hard" else mt_bench.BENCHMARK)
    at = name, version or default_version(name)
    known = None if allow_unknown_items else known_items
    judged = []
    for path in _judgment_files(paths):
        if what == "arena-hard":
            rows = arena_hard.read_arena_hard(path, *at, baseline)
        else:
            rows = mt_bench.read_mt_bench(path, *at)
        verdicts.refuse_unknown_items(rows, known)
        judged.append((path, rows))
    verdict_rows.once_each([row for _, rows in judged for row in rows])
    take_in = partial(verdicts.take_in, what=what, allow_unknown_items=allow_unknown_items)
    return [(path, partial(take_in, path=path, rows=rows)) for path, rows in judged]


def _judgment_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and of folders all JSON lines, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no .jsonl file in this folder or below")
        found |= dict.fromkeys(inside)
    return list(found)
