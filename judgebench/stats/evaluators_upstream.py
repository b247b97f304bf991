"""AlpacaEval's measures of a pairwise judge beside people, as `alpaca_eval` prints them.

For comparing with published tables alone: `QUIRKS` says what the numbers do that their names do not
say, and `judgebench.stats.evaluators` estimates what they are meant to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.evaluators import (
    MARGIN_CHARS,
    OLD_TIE,
    PERCENT,
    TIED,
    EvaluatorMetrics,
    Labels,
    Pairs,
)
from judgebench.stats.rank_correlation import pearson, spearman

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

UPSTREAM_METRICS = (
    "agreement",
    "bias",
    "variance",
    "spearman",
    "pearson",
    "prefers_longer",
    "prefers_lists",
    "prefers_output_1",
    "n_parsed",
)
"""What AlpacaEval's table of evaluators holds, but for price and time; the first three in percent,
``prefers_…`` as shares, and a count."""

QUIRKS: Mapping[str, str] = {
    "tied_vote": "a tied vote is settled by a draw with one fixed seed: of two labels always the "
    "larger, so that two against two is a vote for output 2, and of 1, 1.5 and 2 always the 1",
    "two_centres": "the centre is the mode where all labels are 1, 1.5 or 2, else the median, so "
    "that a label of 1.0001 may move a centre by a half",
    "other_sizes": "a judge is compared with the centre of four people, people with the centre of "
    "three",
    "bias_floor": "bias compares the centres of a few labels and is positive for a judge that "
    "labels just as people do; that of people is 0 by definition",
    "too_few_others": "variance takes pairs that lack one label, and then the centre of fewer "
    "others; pairs that lack two are left out",
    "duplicate_keys": "pairs of equal texts are one pair with more labels; the most labels that "
    "any pair has decide how many 'the others' are, so that one such pair can be all that is left",
    "order_of_rows": "whose label it is, is the place of its row among the rows of its pair",
    "rows_not_pairs": "win rates of generators average rows, the judge's over pairs that people "
    "have not labelled too; a generator counts from 101 rows on",
    "first_row_only": "preferences for length and lists look at the first row of each pair, leave "
    "out ties and missing labels, and take a soft label for a whole one",
    "old_ties": "in the preference for output 1 a tie in the old spelling, 0, counts as more than "
    "a label for output 1",
    "not_the_order_shown": "output 1 is a column, not what the judge was shown first; its share is "
    "no measure of position bias",
}
"""What the published numbers do that their names do not say."""


_DRAWN = np.array([-1, 0, 1, 0])
"""Which of so many tied modes, in order, a draw with seed 123 takes."""

_HARD = np.array([1.0, 1.5, 2.0])


def upstream_evaluator_metrics(
    evaluator: Labels,
    reference: Labels | None,
    pairs: Pairs,
    *,
    n_annotators: int = 4,
    min_rows: int = 101,
) -> EvaluatorMetrics:
    """The measures as ``alpaca_eval`` 0.6.6 prints them, quirks and all (`QUIRKS`) [1]_.

    Parameters
    ----------
    evaluator : Labels
        Taken in the order of rows; who annotated plays no part. Labels of pairs with equal texts
        must have one ``pair``, as upstream knows pairs by their texts.
    reference : Labels or None
        The people's labels. None: the evaluator is the people.
    pairs : Pairs
        With ``has_list`` by ``contains_list(…, upstream=True)``, to be the same numbers.
    n_annotators : int
        People's labels a pair needs to have, and beyond which they are ignored.
    min_rows : int
        Rows of people's labels from which on a generator counts in the correlations.

    Raises
    ------
    ValueError
        For a pair that `pairs` does not know.

    References
    ----------
    .. [1] Y. Dubois et al. (2023), AlpacaFarm, arXiv 2305.14387; T. Li et al., AlpacaEval,
       ``alpaca_eval/analyze.py`` of release 0.6.6.
    """
    evaluator.check(len(pairs), "the evaluator")
    people = _fully_labelled(evaluator if reference is None else reference, pairs, n_annotators)
    theirs = _by_place(people, len(pairs))
    if reference is None:
        evaluator, mine = people, theirs
    else:
        mine = _by_place(evaluator, len(pairs))
    variance, n_variance = _upstream_variance(mine)
    if reference is None:
        agreement, n_agreement = 1.0 - variance, n_variance
        bias, n_bias = 0.0, n_variance
    else:
        agreement, n_agreement = _upstream_agreement(mine, theirs)
        bias, n_bias = _upstream_bias(mine, theirs)
    judge_rates, people_rates = _upstream_rates(evaluator, people, pairs.generator, min_rows)
    first = mine[:, 0] if mine.shape[1] else np.full(len(pairs), nan)
    chosen = _strictly_better(first)
    unequal = (np.abs(pairs.length_difference) > MARGIN_CHARS) & (chosen != 0)
    one_list = (pairs.has_list[:, 0] != pairs.has_list[:, 1]) & (chosen != 0)
    said = evaluator.preference[~np.isnan(evaluator.preference)]
    values = {
        "agreement": PERCENT * agreement,
        "bias": PERCENT * bias,
        "variance": PERCENT * variance,
        "spearman": float(spearman(judge_rates, people_rates)),
        "pearson": float(pearson(judge_rates, people_rates)),
        "prefers_longer": _mean((np.sign(pairs.length_difference) == chosen)[unequal]),
        "prefers_lists": _mean((pairs.has_list[:, 1] == (chosen > 0))[one_list]),
        "prefers_output_1": 2.0 - _mean(said),
        "n_parsed": float(len(said)),
    }
    labelled = int((_n_labels(mine) > 0).sum())
    n = [n_agreement, n_bias, n_variance, len(judge_rates), len(judge_rates)]
    n += [int(unequal.sum()), int(one_list.sum()), labelled, labelled]
    return EvaluatorMetrics(
        values=values,
        why_undefined={
            name: _WHY_UPSTREAM[name] for name, value in values.items() if value != value
        },
        n=dict(zip(UPSTREAM_METRICS, n, strict=True)),
    )


_WHY_UPSTREAM = {
    "agreement": "some repeat of the judge labels no pair that people have labelled fully",
    "bias": "the judge labels each pair once, or none that people have labelled fully",
    "variance": "no pair has several labels, or some repeat labels none that has enough others",
    **dict.fromkeys(
        ("spearman", "pearson"),
        "fewer than two generators have enough rows, or one of both gives all the same win rate",
    ),
    "prefers_longer": "no pair's first label decides between outputs of unequal length",
    "prefers_lists": "no pair's first label decides between an output with a list and one without",
    "prefers_output_1": "no label could be read",
}


def _place(pair: Ints) -> Ints:
    """How many rows before each are of the same pair."""
    order = np.argsort(pair, kind="stable")
    ordered = pair[order]
    starts = np.searchsorted(ordered, ordered)
    place = np.empty(len(pair), dtype=np.int64)
    place[order] = np.arange(len(pair)) - starts
    return place


def _by_place(labels: Labels, n_pairs: int) -> Floats:
    """Labels by pair and the place of their rows; nan where there is none."""
    place = _place(labels.pair)
    table = np.full((n_pairs, int(place.max(initial=-1)) + 1), nan)
    table[labels.pair, place] = labels.preference
    return table


def _fully_labelled(labels: Labels, pairs: Pairs, n_annotators: int) -> Labels:
    """The first rows of each pair, of those pairs that have a label in all of them."""
    labels.check(len(pairs), "the reference")
    first = _place(labels.pair) < n_annotators
    read = first & ~np.isnan(labels.preference)
    enough = np.bincount(labels.pair[read], minlength=len(pairs)) >= n_annotators
    kept = first & enough[labels.pair]
    return Labels(
        pair=labels.pair[kept],
        annotator=labels.annotator[kept],
        preference=labels.preference[kept],
    )


def _n_labels(table: Floats) -> Ints:
    return np.asarray((~np.isnan(table)).sum(axis=1))


def _upstream_centre(table: Floats) -> Floats:
    """The mode of a row whose labels are all 1, 1.5 or 2, the median of another."""
    said = np.where(table == OLD_TIE, TIED, table)
    counts = (said[:, :, np.newaxis] == _HARD).sum(axis=1)
    modes = counts == counts.max(axis=1, keepdims=True)
    # The place of the mode that is drawn among the three: the first with so many modes before it.
    drawn = (np.cumsum(modes, axis=1) > _DRAWN[modes.sum(axis=1)][:, np.newaxis]).argmax(axis=1)
    n = _n_labels(said)
    centre = np.where(n > 0, _HARD[drawn], nan)
    soft = np.flatnonzero(counts.sum(axis=1) < n)
    if soft.size:
        centre[soft] = np.nanmedian(said[soft], axis=1)
    return centre


def _upstream_agreement(mine: Floats, theirs: Floats) -> tuple[float, int]:
    target = _upstream_centre(theirs)
    repeats = range(int(_n_labels(mine).max(initial=0)))
    scores = [1.0 - _error(_upstream_centre(mine[:, [one]]), target) for one in repeats]
    return _mean(np.array(scores)), int((~np.isnan(target) & (_n_labels(mine) > 0)).sum())


def _upstream_variance(mine: Floats) -> tuple[float, int]:
    counts = _n_labels(mine)
    most = int(counts.max(initial=0))
    if most < 2:
        return nan, 0
    enough = counts >= most - 1
    errors = [
        _error(
            _upstream_centre(mine[enough][:, [one]]),
            _upstream_centre(np.delete(mine[enough][:, :most], one, axis=1)),
        )
        for one in range(most)
    ]
    return _mean(np.array(errors)), int(enough.sum())


def _upstream_bias(mine: Floats, theirs: Floats) -> tuple[float, int]:
    if mine.shape[1] < 2:
        return nan, 0
    most = int(_n_labels(mine).max(initial=0))
    centre, target = _upstream_centre(mine[:, :most]), _upstream_centre(theirs)
    return _error(centre, target), int((~np.isnan(centre) & ~np.isnan(target)).sum())


def _upstream_rates(
    evaluator: Labels, people: Labels, generator: Ints, min_rows: int
) -> tuple[Floats, Floats]:
    """Win rates of the generators of which people have enough rows and the judge any."""
    size = int(generator.max(initial=-1)) + 1

    def counted(labels: Labels, weights: Floats) -> Floats:
        of = generator[labels.pair]
        return np.bincount(of[of >= 0], weights[of >= 0], size).astype(np.float64)

    def rates(labels: Labels) -> Floats:
        wins = np.where(labels.preference == OLD_TIE, TIED, labels.preference) - 1.0
        valid = (wins >= 0.0) & (wins <= 1.0)
        total = counted(labels, np.where(valid, wins, 0.0))
        n = counted(labels, valid.astype(np.float64))
        return np.where(n > 0, total / np.maximum(n, 1.0), nan)

    rows = [counted(labels, np.ones(len(labels.pair))) for labels in (people, evaluator)]
    chosen = (rows[0] >= min_rows) & (rows[1] > 0)
    return rates(evaluator)[chosen], rates(people)[chosen]


def _strictly_better(preference: Floats) -> Ints:
    """1 where output 2 is, -1 where output 1 is, 0 where neither or where there is no label."""
    second = (preference > TIED) & (preference <= 2.0)
    first = (preference >= 1.0) & (preference < TIED)
    return second.astype(np.int64) - first.astype(np.int64)


def _error(prediction: Floats, target: Floats) -> float:
    away = np.abs(target - prediction)
    return _mean(away[~np.isnan(away)])


def _mean(values: NDArray[np.generic]) -> float:
    return float(np.mean(values.astype(np.float64))) if values.size else nan
