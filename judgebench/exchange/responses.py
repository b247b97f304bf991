"""``import responses``: answers that somebody else's models have given, one a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from judgebench import keys
from judgebench.benchmarks.folder import items_at_hand
from judgebench.exchange.attach import Board
from judgebench.exchange.known_items import (
    NO_VERSION,
    KnownItems,
    OwnItems,
    default_version,
    missing_items,
    refuse_unknown,
)
from judgebench.exchange.names import benchmark_name, by_id, name, optional_name
from judgebench.exchange.outcome import (
    IMPORT_LEASE,
    ImportReport,
    Write,
    cut_import,
    import_manifest,
    put_in_portions,
)
from judgebench.records import ModelSpec, Response
from judgebench.responses.from_file import AnswerRow, read_answer_rows, refuse_other_text
from judgebench.rows import OURS, Layout
from judgebench.store import Store
from judgebench.store.codec import readable
from judgebench.store.database import chunks

_Where: TypeAlias = tuple[str, str, str, str, int, int]
Answers: TypeAlias = Sequence[tuple[_Where, AnswerRow]]
"""Rows of a file, each with what it is about: benchmark, version, item, model, sample, turn."""


def import_responses(
    store: Store,
    path: Path,
    *,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> ImportReport:
    """Take in a file of answers, all or nothing. The same file again changes nothing.

    Of the models nothing but the name is known: answers that a run of ours has stored under the
    same name stay those of another model.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used; for two different answers to one item,
        in the file or between file and store; for ids that the benchmark does not have.
    """
    rows = read_response_rows(path, None if allow_unknown_items else known_items)
    return take_in_responses(store, path, rows)


def read_response_rows(
    path: Path, known_items: KnownItems | None, layout: Layout = OURS
) -> Answers:
    """All answers of a file; raises as `import_responses` does for what is wrong in itself.

    Our own export has the answers of every stack and marks the newest: the others are passed over.
    """
    versions: dict[str, str] = {}
    answers = read_answer_rows(path, layout)
    rows = [(_where(row, versions), row) for row in answers if not _superseded(row)]
    distinct = one_text_each(rows)
    for at in sorted({where[:2] for where in distinct}):
        here = [(row.row, row.item_id) for where, row in distinct.items() if where[:2] == at]
        refuse_unknown(here, at, known_items)
    return rows


def one_text_each(rows: Answers) -> dict[_Where, AnswerRow]:
    """Answers by where they stand; raises `InputError` for two different ones."""
    distinct: dict[_Where, AnswerRow] = {}
    for where, row in rows:
        refuse_other_text(distinct.setdefault(where, row), row)
    return distinct


def take_in_responses(store: Store, path: Path, rows: Answers) -> ImportReport:
    """Store the answers that the store does not have yet."""
    own = OwnItems(store)
    rows = [(_of_own_prompts(where, own), row) for where, row in rows]
    distinct = one_text_each(rows)
    with store.lease(IMPORT_LEASE):
        boards = {at: Board.of(store, *at) for at in sorted({where[:2] for where in distinct})}
        for at, board in boards.items():
            here = (where[2] for where in distinct if where[:2] == at)
            board.add_items(missing_items(board.items, here, at))
        new: dict[bytes, Response] = {}
        models: dict[str, ModelSpec] = {}
        for where, row in distinct.items():
            board = boards[where[:2]]
            known = by_id(board.known, row.row, "model")
            response = _response(where, row, path, known or keys.model_key(named_model(where[3])))
            if not _stored(board, response, row):
                new[recorded_key(response)] = response
                if known is None:
                    models[where[3]] = named_model(where[3])
        run_id = None
        cut = cut_import(store, "responses", [path])
        if new or cut:
            manifest = import_manifest("responses", [path], {"responses": len(new)}, cut)
            run_id = manifest.id
            put_in_portions(store, manifest, cut, _writes(store, boards, models, new))
    return ImportReport(rows=len(rows), new=len(new), known=len(rows) - len(new), run_id=run_id)


def _writes(
    store: Store,
    boards: Mapping[tuple[str, str], Board],
    models: Mapping[str, ModelSpec],
    new: Mapping[bytes, Response],
) -> Iterator[Write]:
    for board in boards.values():
        for items in chunks(board.new_items):
            yield len(items), partial(store.put_items, items)
    for called, spec in models.items():
        yield 1, partial(store.put_model, called, spec)
    for some in chunks(new.items()):
        yield len(some), partial(store.put_responses, dict(some))


def _where(row: AnswerRow, versions: dict[str, str]) -> _Where:
    benchmark = benchmark_name(row.row)
    version = optional_name(row.row, "version") or versions.get(benchmark)
    if version is None:
        version = versions[benchmark] = default_version(benchmark)
    item, model = name(row.row, "item_id"), name(row.row, "model")
    return benchmark, version, item, model, row.sample, row.turn


def _of_own_prompts(where: _Where, own: OwnItems) -> _Where:
    """An answer to own prompts that names no version is to the newest."""
    benchmark, version, item, model, sample, turn = where
    if version == NO_VERSION:
        version = own.version(benchmark) or version
    return benchmark, version, item, model, sample, turn


def _superseded(row: AnswerRow) -> bool:
    return row.row.values.get("newest") in (False, "False", "false")


def named_model(model: str) -> ModelSpec:
    """A model of which nothing but the name is known."""
    return ModelSpec(weights=f"name:{model}")


def _response(where: _Where, row: AnswerRow, path: Path, model: bytes) -> Response:
    benchmark, version, item_id, _, sample, turn = where
    return Response(
        benchmark=benchmark,
        version=version,
        item_id=item_id,
        model_key=model,
        text=row.text,
        raw=row.text,
        status="ok" if row.text.strip() else "empty",
        sample=sample,
        turn=turn,
        source=f"file:{path.name}",
    )


def recorded_key(response: Response) -> bytes:
    """The key of an answer in a file: by place, since what the model was asked is not known."""
    asked = f"recorded:{response.benchmark}@{response.version}/{response.item_id}"
    return keys.response_key(
        response.model_key, (), asked, sample=response.sample, turn=response.turn
    )


def _stored(board: Board, response: Response, row: AnswerRow) -> bool:
    """Whether the store has the answer, under this name or as a model of that name gave it."""
    model = row.row.text("model")
    place = response.item_id, response.sample, response.turn
    own = board.answers.get((place[0], response.model_key, *place[1:]))
    if own is not None and not same_text(own[0], response.text):
        raise row.row.wrong(
            "text",
            f"the store has another answer of {model!r} to item {response.item_id!r}; give this "
            "model another name, or the answer another 'sample'",
        )
    named = board.models.get(model)
    other = None if named is None else board.answers.get((place[0], named, *place[1:]))
    return own is not None or (other is not None and same_text(other[0], response.text))


def same_text(stored: str, text: str) -> bool:
    """Whether a text is the stored one, or what a file of ours has in its place."""
    return text in (stored, readable(stored))
