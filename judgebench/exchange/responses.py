"""``import responses``: answers that somebody else's models have given, one a row."""

from __future__ import annotations

from pathlib import Path

from judgebench import keys
from judgebench.exchange.attach import Board
from judgebench.exchange.known_items import (
    KnownItems,
    default_version,
    items_at_hand,
    missing_items,
    refuse_unknown,
)
from judgebench.exchange.outcome import IMPORT_LEASE, ImportReport, import_manifest
from judgebench.records import ModelSpec, Response
from judgebench.responses.recorded_file import AnswerRow, read_answer_rows, refuse_other_text
from judgebench.store import Store

_Where = tuple[str, str, str, str, int, int]


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
    rows = read_answer_rows(path)
    distinct: dict[_Where, AnswerRow] = {}
    for row in rows:
        refuse_other_text(distinct.setdefault(_where(row), row), row)
    with store.lease(IMPORT_LEASE):
        boards = {at: Board.of(store, *at) for at in sorted({(w[0], w[1]) for w in distinct})}
        for at, board in boards.items():
            here = [(r.row, r.item_id) for w, r in distinct.items() if (w[0], w[1]) == at]
            refuse_unknown(here, at, None if allow_unknown_items else known_items)
            board.add_items(missing_items(board.items, (item for _, item in here), at))
        new: dict[bytes, Response] = {}
        models: dict[str, ModelSpec] = {}
        for where, row in distinct.items():
            response = _response(where, row, path)
            if not _stored(boards[where[0], where[1]], where[3], response, row):
                new[_key(response)] = response
                models[where[3]] = _spec(where[3])
        run_id = None
        if new:
            manifest = import_manifest("responses", path, {"responses": len(new)})
            run_id = manifest.id
            with store.transaction():
                store.start_run(manifest)
                for board in boards.values():
                    store.put_items(board.new_items)
                for name, spec in models.items():
                    store.put_model(name, spec)
                store.put_responses(new)
    return ImportReport(rows=len(rows), new=len(new), known=len(rows) - len(new), run_id=run_id)


def _where(row: AnswerRow) -> _Where:
    benchmark, model = row.row.text("benchmark"), row.row.text("model")
    version = row.version or default_version(benchmark)
    return benchmark, version, row.item_id, model, row.sample, row.turn


def _spec(name: str) -> ModelSpec:
    return ModelSpec(weights=f"name:{name}")


def _response(where: _Where, row: AnswerRow, path: Path) -> Response:
    benchmark, version, item_id, model, sample, turn = where
    return Response(
        benchmark=benchmark,
        version=version,
        item_id=item_id,
        model_key=keys.model_key(_spec(model)),
        text=row.text,
        raw=row.text,
        status="ok" if row.text.strip() else "empty",
        sample=sample,
        turn=turn,
        source=f"file:{path.name}",
    )


def _key(response: Response) -> bytes:
    """By place, since what the model was asked is not known."""
    asked = f"recorded:{response.benchmark}@{response.version}/{response.item_id}"
    return keys.response_key(
        response.model_key, (), asked, sample=response.sample, turn=response.turn
    )


def _stored(board: Board, model: str, response: Response, row: AnswerRow) -> bool:
    """Whether the store has the answer, under this name or as a model of that name gave it."""
    place = response.item_id, response.sample, response.turn
    own = board.answers.get((place[0], response.model_key, *place[1:]))
    if own is not None and own[0] != response.text:
        raise row.row.wrong(
            "text",
            f"the store has another answer of {model!r} to item {response.item_id!r}; give this "
            "model another name, or the answer another 'sample'",
        )
    named = board.models.get(model)
    other = None if named is None else board.answers.get((place[0], named, *place[1:]))
    return own is not None or (other is not None and other[0] == response.text)
