"""With which probability people were asked about an answer: what turns their labels into rates.

`judgebench labels export` draws answers within strata, and a run keeps which it drew. What has been
labelled of a draw is a random part of each stratum, since every rater has a random order: its
probability is the labels of the stratum over the answers there are. Labels from before the draw are
no such part: they count once all of it is labelled.
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
    return [draw for draw, _ in _draws(store, benchmark, version)]


def _draws(store: Store, benchmark: str, version: str) -> list[tuple[JsonObject, float]]:
    """The same, and since when each, or a smaller one that it holds, was being labelled."""
    its: dict[str, tuple[JsonObject, float]] = {}
    for run in store.runs():
        draw = run.configuration.get(SAMPLING)
        if isinstance(draw, dict) and (draw["benchmark"], draw["version"]) == (benchmark, version):
            its.setdefault(draw["queue"], (draw, run.started))
    return [
        (draw, min(at for one, at in its.values() if _holds(draw, one))) for draw, _ in its.values()
    ]


def _holds(draw: JsonObject, smaller: JsonObject) -> bool:
    """Whether one is drawn as another is, of the same strata, and has all that is in it."""
    alike = all(
        draw.get(one) == smaller.get(one)
        for one in ("design", "opponent", "seed", "by", "judge", "kind")
    )
    strata = [[(one["name"], one["of"]) for one in its["strata"]] for its in (draw, smaller)]
    cells = [{(item, of) for item, of, _ in its["cells"]} for its in (draw, smaller)]
    return alike and strata[0] == strata[1] and cells[0] >= cells[1]


def sample_design(store: Store, benchmark: str, version: str) -> str | None:
    """How what people have labelled was drawn: as the draw with the most labels; None without."""
    found = [
        (len(_labelled(store, draw, drawn_at)), draw["design"])
        for draw, drawn_at in _draws(store, benchmark, version)
    ]
    n, design = max(found, key=lambda one: one[0], default=(0, None))
    return design if n else None


def _labelled(store: Store, draw: JsonObject, drawn_at: float) -> set[tuple[str, str]]:
    """Item and model id of what people have labelled of a draw."""
    people = [judge.id for judge in store.judges() if is_human(judge.name)]
    at = (store, draw["benchmark"], draw["version"], draw["opponent"])
    cells = {(item, of) for item, of, _ in draw["cells"]}
    if not people or cells <= _cells(*at, judges=people):
        return cells if people else set()
    return cells & _cells(*at, since=drawn_at, judges=people)


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
        were drawn by nobody: leave them out. 1 for all where people have labelled every item that
        the model has answered or anybody has judged; else of several draws that with the most
        labels counts.
        None where it is not known: the labels are no random sample, there are more answers by now
        than they were drawn from, or of a stratum with answers of this model nothing has been
        labelled yet.
    """
    people = [judge.id for judge in store.judges() if is_human(judge.name)]
    if not people:
        return None
    labels = _cells(store, benchmark, version, opponent, judges=people)
    mine = {item for item, of in labels if of == model}
    if mine and _is_all(mine, store, benchmark, version, model, opponent):
        return dict.fromkeys(mine, 1.0)
    found = [
        (_labelled(store, draw, drawn_at), draw)
        for draw, drawn_at in _draws(store, benchmark, version)
        if draw["opponent"] == opponent
        and any(of == model for _, of, _ in draw["cells"])
        and not _has_grown(store, draw, model)
    ]
    if not found:
        return None
    labelled, draw = max(found, key=lambda one: len(one[0]))
    place = {(item, of): at for item, of, at in draw["cells"]}
    done = Counter(place[cell] for cell in labelled)
    share = {
        at: done[at] / stratum["of"]
        for at, stratum in enumerate(draw["strata"])
        if stratum["model"] in (None, model)
    }
    if not all(share.values()):
        return None
    return {item: share[place[item, of]] for item, of in sorted(labelled) if of == model}


def _has_grown(store: Store, draw: JsonObject, model: str) -> bool:
    """Whether there are more answers now than a draw was made from, with those of a model."""
    own = [one["of"] for one in draw["strata"] if one["model"] == model]
    drawn_from: int = sum(own or [one["of"] for one in draw["strata"]])
    models = {model} if own else {of for _, of, _ in draw["cells"]}
    key_of = {one.id: one.key for one in store.models()}
    where = (store, draw["benchmark"], draw["version"])
    against = None if draw["opponent"] is None else _answered(*where, key_of[draw["opponent"]])
    its = (_answered(*where, key_of[one]) for one in models if one in key_of)
    return sum(len(one if against is None else one & against) for one in its) > drawn_from


def _answered(store: Store, benchmark: str, version: str, key: bytes) -> set[str]:
    """The items of which a model has a first answer."""
    return {item for item, n in store.answered(benchmark, version, key) if n == 0}


def _is_all(
    items: set[str], store: Store, benchmark: str, version: str, model: str, opponent: str | None
) -> bool:
    """Whether it is every item that a model has answered or anybody has judged."""
    key = next((one.key for one in store.models() if one.id == model), b"")
    if not items >= _answered(store, benchmark, version, key):
        return False
    both = [model] if opponent is None else [model, opponent]
    judged = _cells(store, benchmark, version, opponent, models=both)
    return items.issuperset(item for item, of in judged if of == model)


def _cells(
    store: Store,
    benchmark: str,
    version: str,
    opponent: str | None,
    since: float = 0.0,
    **only: list[str],
) -> set[tuple[str, str]]:
    """Items and model ids of the first answers that have a verdict, of some models or judges.

    A pair is one of its model, whoever was called the opponent.
    """
    table = store.board_verdicts(benchmark, version, **only)
    further = marked(table["sample"], bool) | marked(table["turn"], bool)
    further |= np.asarray(table["at"]) < since
    names = ("item_id", "model_id", "opponent_id", "kind")
    its = select_rows({name: table[name] for name in names}, np.flatnonzero(~further))
    found = set()
    for item, one, other, kind in counted(*(its[name] for name in names)):
        if opponent is not None and one == opponent and other is not None:
            one, other = other, one
        if other == opponent and not ("judges" in only and kind == "unreadable"):
            found.add((item, one))
    return found
