"""How right judges are about each item of a benchmark of judges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from judgebench.benchmarks.description import Right
from judgebench.columns import grouped
from judgebench.metrics.judged_values import NO_VERDICT, read_labels, read_outcomes, read_scores
from judgebench.metrics.verdict_table import Columns
from judgebench.records import Estimate
from judgebench.stats.agreement import (
    best_of,
    gap_and_spread,
    section_scores,
    ties_score,
    votes_for_right,
)
from judgebench.stats.pair_outcomes import TIE
from judgebench.stats.resample import wilson_interval

ACCURACY, OF_SUBSET = "accuracy", "subset/"
TIED, REFERENCE = "tied", "ref"
"""How ids of prompts with several right answers begin, and those of their reference prompts."""


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


def judge_accuracies(
    found: RightItems, right: Right, category_of: Mapping[str, str | None], level: float
) -> Mapping[str, Estimate]:
    """What one judge's items come to: ``accuracy``, ``accuracy/SECTION`` and ``subset/CATEGORY``.

    Without sections each category is one. Shares of items that are right or wrong have Wilson's
    interval; weighted means and the score of ties have none, since none was measured to hold.
    """
    of = grouped((category_of.get(item) or "", value) for item, value in found.items.items())
    subsets = {name: _estimate(values, level) for name, values in sorted(of.items())}
    tied = [item for item in found.gaps if TIED in item]
    if right.ties is not None and tied:
        beside = (found.gaps.get(item.replace(TIED, REFERENCE), (np.nan,) * 2) for item in tied)
        score = ties_score([found.gaps[item] for item in tied], [*beside])
        subsets[right.ties] = _mean(score, len(tied), level)
    sections = right.sections or {name: [name] for name in subsets if name}
    accuracies = {name: one.value for name, one in subsets.items()}
    by_section = {
        name: subsets[categories[0]]
        if len(categories) == 1 and categories[0] in subsets
        else _mean(score, sum(subsets[one].n for one in categories if one in subsets), level)
        for (name, categories), score in zip(
            sections.items(),
            section_scores(accuracies, sections, right.weights).values(),
            strict=True,
        )
    }
    whole = _estimate([*found.items.values()], level)
    if right.sections:
        mean = float(np.mean([one.value for one in by_section.values()]))
        whole = _mean(mean, sum(one.n for one in subsets.values()), level)
    others = subsets if right.sections else {}
    return {
        ACCURACY: whole,
        **{f"{ACCURACY}/{name}": one for name, one in by_section.items()},
        **{f"{OF_SUBSET}{name}": one for name, one in others.items()},
    }


def _estimate(values: Sequence[float], level: float) -> Estimate:
    mean = _mean(float(np.mean(values)) if values else np.nan, len(values), level)
    if not values or not {*values} <= {0.0, 1.0}:
        return mean
    low, high = wilson_interval(sum(values), len(values), level=level)
    return replace(mean, low=float(low), high=float(high), method="wilson")


def _mean(value: float, n: int, level: float) -> Estimate:
    return Estimate(
        value=value, low=np.nan, high=np.nan, n=n, units=n, level=level,
        method="no interval: none was measured to hold",
        undefined="there is a section of which nothing was judged" if np.isnan(value) else None,
    )  # fmt: skip
