"""What a person is to label: which answers or pairs, in which order, which side shown first.

Nothing here knows a text. A queue is item ids and models, shuffled for each rater by a seed made of
who they are and what they are asked, so that it is the same after a reload, and whatever has been
labelled at any time is a random sample of it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from judgebench import keys
from judgebench.exchange.labelling import labelling_run
from judgebench.exchange.pipeline import imported_judge
from judgebench.records import Order, VerdictSlot
from judgebench.store import Store
from judgebench.store.catalog import Columns

Cell: TypeAlias = tuple[str, bytes]
"""An item, and the model whose answer to it is labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is asked to label what: first answers of some models, alone or against another's.

    ``models`` and ``opponent`` are keys; ``opponent`` is None where answers are looked at alone.
    """

    benchmark: str
    version: str
    rater: str
    models: tuple[bytes, ...]
    opponent: bytes | None = None

    @property
    def judge_key(self) -> bytes:
        return keys.judge_key(imported_judge(self.rater))


def answered_by(store: Store, benchmark: str, version: str) -> dict[bytes, frozenset[str]]:
    """The items that each model has given a first answer to; models without any are left out."""
    found = {}
    for model in store.models():
        answers = store.answered(benchmark, version, model.key)
        if items := frozenset(item for item, sample in answers if sample == 0):
            found[model.key] = items
    return found


def queue(asked: Asked, answered: Mapping[bytes, Collection[str]]) -> list[Cell]:
    """All there is to label, in the order of the rater; ``answered`` as of `answered_by`."""
    against = None if asked.opponent is None else frozenset(answered.get(asked.opponent, ()))
    cells = [
        (item, model)
        for model in sorted(asked.models)
        if model != asked.opponent
        for item in sorted(answered.get(model, ()))
        if against is None or item in against
    ]
    seed = [asked.rater, asked.benchmark, asked.version, asked.opponent]
    random.Random(keys.content_key("label queue", seed)).shuffle(cells)
    return cells


def place_of(asked: Asked, cell: Cell) -> VerdictSlot:
    """Where the label of a cell stands.

    Of a pair this says which answer is shown first, by the hash of rater, item and both models.
    """
    item, model = cell
    order: Order = "single"
    if asked.opponent is not None:
        about = [asked.rater, asked.benchmark, asked.version, item, model, asked.opponent]
        drawn = keys.content_key("label side", about)[0] % 2
        order = "opponent_first" if drawn else "model_first"
    return VerdictSlot(
        benchmark=asked.benchmark,
        version=asked.version,
        item_id=item,
        model_key=model,
        judge_key=asked.judge_key,
        opponent_key=asked.opponent,
        order=order,
    )


def labels_of(store: Store, asked: Asked) -> Columns:
    """The rater's labels on the benchmark that count now, as `Store.verdicts` has them."""
    return store.verdicts(asked.benchmark, asked.version, judges=[asked.judge_key])


def labelled(labels: Columns, asked: Asked) -> set[Cell]:
    """The cells that have a label, of whatever kind; of a pair, whoever was called the opponent."""
    opponent = None if asked.opponent is None else _id(asked.opponent)
    model_of = {_id(model): model for model in asked.models}
    found = set()
    for row in _first_answers(labels):
        pair = [labels["model_id"][row], labels["opponent_id"][row]]
        if opponent in pair:
            pair.remove(opponent)
            if (model := model_of.get(pair[0])) is not None:
                found.add((labels["item_id"][row], model))
    return found


def last_label(labels: Columns, asked: Asked) -> Cell | None:
    """The newest label that the rater gave by `put_label`: the one that undo takes back."""
    here = labelling_run(asked.rater, asked.benchmark, asked.version)
    opponent = None if asked.opponent is None else _id(asked.opponent)
    model_of = {_id(model): model for model in asked.models}
    rows = [
        row
        for row, (run_id, model, against) in enumerate(
            zip(*(labels[name] for name in ("run_id", "model_id", "opponent_id")), strict=True)
        )
        if run_id == here and model in model_of and against == opponent
    ]
    if not rows:
        return None
    row = max(rows, key=lambda row: float(labels["at"][row]))
    return labels["item_id"][row], model_of[labels["model_id"][row]]


def _first_answers(labels: Columns) -> Iterator[int]:
    """The rows that are labels of first answers."""
    for row, (kind, sample, turn) in enumerate(
        zip(labels["kind"], labels["sample"], labels["turn"], strict=True)
    ):
        if kind != "unreadable" and sample == 0 and turn == 0:
            yield row


def _id(key: bytes) -> str:
    """As the store's catalog calls a model."""
    return key.hex()[:12]
