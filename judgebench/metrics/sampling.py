"""With which probability people were asked about an answer: what turns their labels into rates.

`judgebench labels export` draws answers within strata, and a run keeps which it drew. What has been
labelled of a draw is a random part of each stratum, since every rater has a random order: its
probability is the labels of the stratum over the answers there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from judgebench.columns import counted, marked, select_rows
from judgebench.records import JsonObject, is_human
from judgebench.store import Store

SAMPLING = "sampling"
"""What a manifest's configuration calls a draw.

``queue`` names it and ``benchmark`` and ``version`` say of what it was drawn; ``opponent`` is the
id of the model that others were held against, or null; ``design`` is random, stratified or
informative; ``strata`` are ``{"name", "model", "of", "drawn"}``, ``model`` the id of the only one
in it, or null; ``cells`` are item id, model id and place in ``strata`` of each answer, in the order
drawn.
"""


def draws(store: Store, benchmark: str, version: str) -> list[JsonObject]:
    """What was drawn for people to label, the first draw first, each once."""
    held = (run.configuration.get(SAMPLING) for run in store.runs())
    its: dict[str, JsonObject] = {
        draw["queue"]: draw
        for draw in held
        if isinstance(draw, dict) and (draw["benchmark"], draw["version"]) == (benchmark, version)
    }
    return list(its.values())


def drawn_cells(draw: JsonObject, models: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Item and key of the model of each answer of a draw, of these models, in the order drawn."""
    key_of = {key.hex()[:12]: key for key in models}
    return [(item, key_of[model]) for item, model, _ in draw["cells"] if model in key_of]


def sampling_probabilities(
    store: Store, benchmark: str, version: str, *, model: str, opponent: str | None = None
) -> Mapping[str, float] | None:
    """With which probability each answer of a model was given to people and labelled.

    Parameters
    ----------
    model
        Its id, as ``model_id`` of `Store.verdicts` has it.
    opponent
        That of the model which it was compared with; None for single answers.

    Returns
    -------
    mapping or None
        By item, those that people have labelled, above 0 and at most 1. Labels on other items
        were drawn by nobody: leave them out. Of several draws that with the most labels counts.
        Without a draw, 1 for all where people have labelled every item that the model has answered
        or anybody has judged.
        None where it is not known: the labels are no random sample, or of a stratum with answers
        of this model nothing has been labelled yet.
    """
    people = [judge.id for judge in store.judges() if is_human(judge.name)]
    if not people:
        return None
    labels = _cells(store, benchmark, version, opponent, judges=people)
    mine = {item for item, of in labels if of == model}
    found = []
    for draw in draws(store, benchmark, version):
        cells = {(item, of): at for item, of, at in draw["cells"]}
        if draw["opponent"] == opponent and any(of == model for _, of in cells):
            found.append((len(cells.keys() & labels), draw, cells))
    if not found:
        key = next((one.key for one in store.models() if one.id == model), b"")
        everything = {item for item, n in store.answered(benchmark, version, key) if n == 0}
        both = [model] if opponent is None else [model, opponent]
        judged = _cells(store, benchmark, version, opponent, models=both)
        everything |= {item for item, of in judged if of == model}
        return dict.fromkeys(mine, 1.0) if mine and mine >= everything else None
    _, draw, cells = max(found, key=lambda one: one[0])
    done = Counter(at for cell, at in cells.items() if cell in labels)
    share = {
        at: done[at] / stratum["of"]
        for at, stratum in enumerate(draw["strata"])
        if stratum["model"] in (None, model)
    }
    if not all(share.values()):
        return None
    return {item: share[at] for (item, of), at in cells.items() if of == model and item in mine}


def _cells(
    store: Store, benchmark: str, version: str, opponent: str | None, **only: list[str]
) -> set[tuple[str, str]]:
    """Items and model ids of the first answers that have a verdict, of some models or judges.

    A pair is one of its model, whoever was called the opponent.
    """
    table = store.board_verdicts(benchmark, version, **only)
    further = marked(table["sample"], bool) | marked(table["turn"], bool)
    names = ("item_id", "model_id", "opponent_id", "kind")
    its = select_rows({name: table[name] for name in names}, np.flatnonzero(~further))
    found = set()
    for item, one, other, kind in counted(*(its[name] for name in names)):
        if opponent is not None and one == opponent and other is not None:
            one, other = other, one
        if other == opponent and not ("judges" in only and kind == "unreadable"):
            found.add((item, one))
    return found
