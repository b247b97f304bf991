"""How right judges are about each item of a benchmark of judges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from judgebench.metrics.judged_values import NO_VERDICT, read_labels, read_outcomes, read_scores
from judgebench.metrics.verdict_table import Columns
from judgebench.stats.agreement import best_of, gap_and_spread, votes_for_right
from judgebench.stats.pair_outcomes import TIE


class RightItems(NamedTuple):
    """One judge: how right it is about each item that it was asked about, from 0 to 1, by id.

    ``gaps`` are the gap and the spread of its scores on items with several right answers, which are
    right or wrong together only.
    """

    judge: str
    items: dict[str, float]
    gaps: dict[str, tuple[float, float]]


def right_pairs(columns: Columns, reference: str) -> Iterator[RightItems]:
    """Every judge but the reference on the pairs of which the reference prefers one answer.

    A pair is right (1) where its verdicts in both orders together are for that answer, else 0, also
    where nothing could be read. Several pairs of one item count by their mean.

    Raises
    ------
    UsageError
        Where there is no such reference.
    """
    values = read_outcomes(columns)
    truth = values.reference(reference)
    known, n_items = (truth.codes >= 0) & (truth.codes != TIE), len(values.items)
    for judge, codes in zip(values.judges, values.by_order, strict=True):
        asked = known & (codes != NO_VERDICT).any(axis=1)
        if judge in truth.raters or not asked.any():
            continue
        votes = np.where(codes >= 0, codes - float(TIE), np.nan)[asked]
        right = votes_for_right(votes, truth.codes[asked] - TIE) > 0
        item_of = values.item_of[asked]
        n, total = (np.bincount(item_of, weights, n_items) for weights in (None, right))
        yield RightItems(judge, {values.items[i]: total[i] / n[i] for i in np.flatnonzero(n)}, {})


def right_answers(
    columns: Columns, scores: Columns, reference: str, labels: Sequence[str], ties: Collection[str]
) -> Iterator[RightItems]:
    """Every judge that scores, on the items that have both right and wrong answers.

    Parameters
    ----------
    columns, scores
        Those that labels and scores are read from.
    labels
        The last one is that of right answers.
    ties
        Ids of the items with several right answers.

    Raises
    ------
    UsageError
        Where there is no such reference.
    """
    values = read_labels(columns, labels=labels)
    truth = values.reference(reference)
    right: dict[str, dict[str, bool]] = {}
    for item, model, code in zip(values.item_of, values.model_of, truth.codes, strict=True):
        if code >= 0:
            of_item = right.setdefault(values.items[item], {})
            of_item[values.names[model]] = code == len(labels) - 1
    scored = read_scores(scores)
    for judge in scored.judges:
        found = RightItems(judge, items={}, gaps={})
        said = scored.of(judge)
        given: dict[str, dict[str, float]] = {}
        for at in np.flatnonzero(said.asked):
            its = given.setdefault(scored.items[scored.item_of[at]], {})
            its[scored.names[scored.model_of[at]]] = said.values[at]
        for item, its in given.items():
            good = np.array([*right.get(item, {}).values()], dtype=np.bool_)
            if good.all() or not good.any():
                continue
            of_models = [its.get(model, np.nan) for model in right[item]]
            if item in ties:
                found.gaps[item] = gap_and_spread(of_models, good)
            else:
                found.items[item] = best_of(of_models, good)
        if judge not in truth.raters:
            yield found
