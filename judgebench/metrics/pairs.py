"""What a judge says of pairs of models, whoever of the two is called the opponent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import counted, grouped, marked
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Floats
from judgebench.metrics.measures import item_means
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, coded, read_table
from judgebench.metrics.win_rate import TIED, WON, outcome
from judgebench.stats.bradley_terry import Comparisons, compare
from judgebench.stats.ranking import Ties

Bools: TypeAlias = NDArray[np.bool_]

WHY_MISSING = ("failed", "unreadable", "not_asked")
"""Why a prompt on which two models should have met says nothing: what a reader can do most about
first, where several hold."""

MOST_NOT_ASKED = 0.5
"""With a larger share of meetings that nobody asked for, prompts had pairs of their own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """One judge's verdicts: a row for each prompt on which two models met.

    prompts, models : tuple of str
        Sorted; the prompts are those of all judges, so that all share the draws of the bootstrap.
    prompt, first, second : int array, shape (n,)
        Places in them; ``first`` is before ``second``.
    p : float array, shape (n,)
        Probability that the first is better.
    missing : by reason of `WHY_MISSING`, int array, shape (models, models)
        On how many prompts two models should have met and nothing is known. Symmetric.
    as_opponent : int array, shape (models,)
        In how many comparisons a model was the one that others were compared with.
    drawn : bool
        Whether each prompt had pairs of its own, so that nobody not asked is missing.
    """

    prompts: tuple[str, ...]
    models: tuple[str, ...]
    prompt: Ints
    first: Ints
    second: Ints
    p: Floats
    missing: Mapping[str, Ints]
    as_opponent: Ints
    drawn: bool

    @property
    def all_missing(self) -> Ints:
        """Of whatever reason, shape (models, models)."""
        return np.asarray(sum(self.missing.values()), dtype=np.int64)


_Cells: TypeAlias = tuple[Ints, Ints, Ints, Floats, Ints]
"""What one judge says of models against one opponent, of each prompt and model: prompt, model and
opponent, the probability that the model is better, and the place of why it is not known."""


def judged_pairs(boards: Mapping[BoardKind, Columns]) -> dict[str, Pairs]:
    """What each judge that compares says of every two models that it compared.

    Repeats, then both orders, then samples of one prompt are averaged, as on a board of win rates;
    then A against B and B against A, where both were asked. Two models should have met on the
    prompts of a board on which one of them is the opponent and the other was judged at all; but
    where fewer than half of such meetings were asked for, pairs were drawn for each prompt, and
    what was not asked is not missing.

    Parameters
    ----------
    boards
        Verdicts by what is counted, with the columns of `win_rates`; boards of labels and scores
        are passed over. A model against itself is no comparison.

    Returns
    -------
    dict
        By the judge's name, sorted.
    """
    compared = {
        kind.opponent: columns
        for kind, columns in boards.items()
        if kind.kind == "preference" and kind.opponent is not None
    }
    items = [item for columns in compared.values() for item in counted(columns["item_id"])]
    prompts, _ = coded(items)
    names = [name for columns in compared.values() for name in counted(columns["model"])]
    models, _ = coded(names, among=compared)
    cells = grouped(
        one
        for opponent, columns in compared.items()
        for one in _cells(columns, opponent, prompts, models).items()
    )
    return {judge: _together(cells[judge], prompts, models) for judge in sorted(cells)}


def comparisons(pairs: Pairs, *, ties: Ties = "half", rows: Bools | None = None) -> Comparisons:
    """As what rankings are fitted to.

    Parameters
    ----------
    ties
        ``half``: probabilities as they are, so that one half is half a win of each.
        ``davidson``: a prompt is won, lost or, at one half exactly, tied.
    rows : bool array, shape (n,), optional
        Which to take; all by default.
    """
    taken = np.ones(len(pairs.p), dtype=np.bool_) if rows is None else rows
    p = pairs.p[taken]
    said = outcome(p)
    outcomes = ties == "davidson"
    return compare(
        pairs.prompt[taken],
        pairs.first[taken],
        pairs.second[taken],
        (said == WON).astype(np.float64) if outcomes else p,
        ties=(said == TIED).astype(np.float64) if outcomes else None,
        n_models=len(pairs.models),
        n_prompts=len(pairs.prompts),
    )


def _cells(
    columns: Columns, opponent: str, prompts: tuple[str, ...], models: tuple[str, ...]
) -> dict[str, _Cells]:
    table = read_table(columns, kind="preference")
    failed = marked(columns["kind"], lambda kind: kind == FAILED)
    prompt_of, model_of = _places(table.items, prompts), _places(table.models, models)
    found: dict[str, _Cells] = {}
    for judge, rows in table.by_judge():
        means = item_means(table, rows, table.values, ends=(0.0, 1.0))
        broken = np.zeros(table.shape, dtype=np.bool_)
        broken.flat[table.cells(rows[failed[rows]])] = True
        asked = means.asked > 0
        why = np.where(broken, 0, np.where(asked, 1, 2))
        judged = [m for m in np.flatnonzero(asked.any(axis=0)) if table.models[m] != opponent]
        if judged:
            shape = (len(table.items), len(judged))
            found[judge] = (
                np.broadcast_to(prompt_of[:, np.newaxis], shape).ravel(),
                np.broadcast_to(model_of[judged], shape).ravel(),
                np.full(shape, models.index(opponent)).ravel(),
                means.mean[:, judged].ravel(),
                why[:, judged].ravel(),
            )
    return found


def _places(names: tuple[str, ...], among: tuple[str, ...]) -> Ints:
    place = {name: code for code, name in enumerate(among)}
    return np.fromiter((place[name] for name in names), dtype=np.int64, count=len(names))


def _together(parts: list[_Cells], prompts: tuple[str, ...], models: tuple[str, ...]) -> Pairs:
    """Both directions of a pair as one, and only the models that the judge compared."""
    prompt, model, opponent, p, why = map(np.concatenate, zip(*parts, strict=True))
    met, codes = np.unique(np.r_[model, opponent], return_inverse=True)
    model, opponent, n = codes[: len(model)], codes[len(model) :], len(met)
    first, second = np.minimum(model, opponent), np.maximum(model, opponent)
    keys, place = np.unique((prompt * n + first) * n + second, return_inverse=True)
    known = ~np.isnan(p)
    towards = np.where(model == first, p, 1.0 - p)
    readable = np.bincount(place[known], minlength=len(keys))
    total = np.bincount(place[known], towards[known], minlength=len(keys))
    because = np.full(len(keys), len(WHY_MISSING))
    np.minimum.at(because, place, why)
    pair = keys % (n * n)
    drawn = bool((because == WHY_MISSING.index("not_asked")).mean() > MOST_NOT_ASKED)
    missing = {}
    for code, reason in enumerate(WHY_MISSING):
        lacking = (readable == 0) & (because == code) & (not drawn or reason != "not_asked")
        gone = np.bincount(pair[lacking], minlength=n * n)
        missing[reason] = (gone.reshape(n, n) + gone.reshape(n, n).T).astype(np.int64)
    there = readable > 0
    return Pairs(
        prompts=prompts,
        models=tuple(models[m] for m in met),
        prompt=keys[there] // (n * n),
        first=pair[there] // n,
        second=pair[there] % n,
        p=total[there] / readable[there],
        missing=missing,
        as_opponent=np.bincount(opponent[known], minlength=n),
        drawn=drawn,
    )
