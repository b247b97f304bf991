"""``import responses``: answers that somebody else's models have given, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TypeAlias

from judgebench import keys
from judgebench.benchmarks.folder import items_at_hand
from judgebench.columns import grouped
from judgebench.exchange.pipeline import (
    IMPORT_LEASE,
    NO_VERSION,
    SILENT,
    At,
    Board,
    Import,
    ImportReport,
    Intake,
    KnownItems,
    OwnItems,
    benchmark_name,
    by_id,
    default_version,
    missing_items,
    name,
    named_model,
    optional_name,
    recorded,
    refuse_unknown,
)
from judgebench.protocols import Progress
from judgebench.records import Response, Usage
from judgebench.responses.from_file import AnswerRow, read_answer_rows, refuse_other_text
from judgebench.rows import OURS, Layout, Row
from judgebench.store import Store

_Where: TypeAlias = tuple[str, str, str, str, int, int]
PlacedAnswer: TypeAlias = tuple[_Where, AnswerRow]
"""A row of a file with what it is about: benchmark, version, item, model, sample, turn."""
_Answers: TypeAlias = Sequence[PlacedAnswer]


def read_response_files(
    paths: Sequence[Path],
    *,
    layout: Layout = OURS,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read files of answers; returned with each is what stores it.

    Of the models nothing but the name is known: answers that a run of ours has stored under the
    same name stay those of another model. Our own export has the answers of every stack and marks
    the newest: the others are passed over.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used; for two different answers to one item,
        in one file or two; for ids that the benchmark does not have.
    """
    read = [(path, _read(path, layout)) for path in paths]
    return checked(read, None if allow_unknown_items else known_items)


def checked(
    read: Sequence[tuple[Path, _Answers]],
    known_items: KnownItems | None,
    called: Sequence[str] | None = None,
) -> list[Import]:
    """The answers of some files, found good in themselves; returned with each is what stores it.

    Parameters
    ----------
    known_items
        None takes in what no benchmark has.
    called
        What those of each file are called in its report.
    """
    for _, rows in () if known_items is None else read:
        distinct = _one_text_each(rows)
        of = grouped((where[:2], (row.row, row.item_id)) for where, row in distinct.items())
        for at in sorted(of):
            refuse_unknown(of[at], at, known_items)
    _one_text_each([row for _, rows in read for row in rows])
    return [
        Import(path, partial(take_in, path=path, rows=rows, called=name))
        for (path, rows), name in zip(read, called or repeat(None, len(read)), strict=True)
    ]


def _read(path: Path, layout: Layout) -> _Answers:
    versions: dict[str, str] = {}
    found = []
    for row in read_answer_rows(path, layout):
        if row.row.values.get("newest") in (False, "False", "false"):
            continue
        benchmark = benchmark_name(row.row)
        version = optional_name(row.row, "version") or versions.get(benchmark)
        if version is None:
            version = versions[benchmark] = default_version(benchmark)
        item, model = name(row.row, "item_id"), name(row.row, "model")
        found.append(((benchmark, version, item, model, row.sample, row.turn), row))
    return found


def _one_text_each(rows: _Answers) -> dict[_Where, AnswerRow]:
    """Answers by where they stand; raises `InputError` for two different ones."""
    distinct: dict[_Where, AnswerRow] = {}
    for where, row in rows:
        refuse_other_text(distinct.setdefault(where, row), row)
    return distinct


def take_in(
    store: Store,
    *,
    path: Path,
    rows: _Answers,
    progress: Progress = SILENT,
    called: str | None = None,
) -> ImportReport:
    """Store the answers that the store does not have yet; ``called`` so in the report."""
    own = OwnItems(store)
    distinct = _one_text_each([(_of_own_prompts(where, own), row) for where, row in rows])
    with store.lease(IMPORT_LEASE):
        intake = Intake(store, "responses", [path])
        for at in sorted({where[:2] for where in distinct}):
            board = intake.board(at)
            here = (where[2] for where in distinct if where[:2] == at)
            board.add_items(missing_items(board.items, here, at))
        for (benchmark, version, item, model, sample, turn), row in distinct.items():
            at = benchmark, version
            board = intake.board(at)
            known = by_id(board.known, row.row, "model")
            key, response = recorded(
                at,
                item,
                known or keys.model_key(named_model(model)),
                row.text,
                path.name,
                sample=sample,
                turn=turn,
                usage=Usage(completion_tokens=row.tokens),
            )
            if not _stored(board, response, row.row):
                intake.responses[key] = response
                if known is None:
                    board.by_name(model)
        new = len(intake.responses)
        run_id = intake.put({"responses": new}, progress)
    known_already = len(rows) - new
    return ImportReport(rows=len(rows), new=new, known=known_already, run_id=run_id, called=called)


def answer_of(
    row: Row, at: At, item: str, model: str, text: str, *, tokens: int | None = None
) -> PlacedAnswer:
    """An answer of another layout: of its row only the model's name is held."""
    about = Row(row.where, {"model": model})
    answer = AnswerRow(row=about, item_id=item, text=text, model=model, tokens=tokens)
    return (*at, item, model, 0, 0), answer


def _of_own_prompts(where: _Where, own: OwnItems) -> _Where:
    """An answer to own prompts that names no version is to the newest."""
    benchmark, version, *place = where
    if version == NO_VERSION:
        version = own.version(benchmark) or version
    return benchmark, version, *place  # type: ignore[return-value]  # the rest is as it was


def _stored(board: Board, response: Response, row: Row) -> bool:
    """Whether the store has the answer, under this name or as a model of that name gave it."""
    model, place = row.text("model"), (response.item_id, response.sample)
    if board.other_answer(response.model_key, *place, response.text, response.turn):
        raise row.wrong(
            "text",
            f"the store has another answer of {model!r} to item {response.item_id!r}; give this "
            "model another name, or the answer another 'sample'",
        )
    return any(
        (place[0], key, place[1], response.turn) in board.answers
        and not board.other_answer(key, *place, response.text, response.turn)
        for key in (response.model_key, board.models.get(model, b""))
    )
