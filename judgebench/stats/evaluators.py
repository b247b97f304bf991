"""How good a pairwise judge is beside people, by AlpacaEval's measures as they are meant.

People and a judge each label pairs of outputs several times. What comes of it: how often the judge
agrees with people, how far it leans away from them (bias) and from itself (variance), whether both
rank the systems alike, and what it likes whatever is said (length, lists, the first output).

`upstream_evaluator_metrics` gives the published numbers, and `QUIRKS` says what they do that
their names do not say. The rest is what they are meant to say:

- One centre for hard and soft labels: the median, which minimises the absolute error that scores
  it. Of an even number it is either middle label, half and half: a tied vote is settled by
  expectation, never by a draw. A label says 1 (output 1 is better), 2, or what lies between.
- One size of "the others". A label is compared with the centre of ``others`` labels, on average
  over all choices of so many (a U-statistic [1]_): people with the other people, a judge with
  people, a judge with itself. So people and judges stand on one scale, pairs with a label more or
  less estimate the same thing, and those with too few are left out and counted. With labels 1 and 2
  three others are the same as four whose ties are settled by expectation.
- Each pair counts once, whatever the number of its labels, and is what intervals resample.

References
----------
.. [1] W. Hoeffding (1948), A class of statistics with asymptotically normal distribution, Annals
   of Mathematical Statistics 19(3), 293-325.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, nan
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.rank_correlation import pearson, spearman
from judgebench.stats.resample import quotient, weighted_sums

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

PERCENT = 100.0
OLD_TIE, TIED = 0.0, 1.5
MARGIN_CHARS = 30
"""Outputs that differ in length by no more are equally long."""

METRICS = (
    "agreement",
    "bias",
    "variance",
    "distance",
    "spearman",
    "pearson",
    "prefers_longer",
    "prefers_lists",
    "prefers_output_1",
    "share_parsed",
)
"""What `evaluator_metrics` estimates; the first four in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of pairs, one row each, in any order.

    Parameters
    ----------
    pair : int array, shape (n_rows,)
        Which pair, from 0.
    annotator : int array, shape (n_rows,)
        Which person, or which of the judge's repeats.
    preference : float array, shape (n_rows,)
        From 1 (output 1 is better) to 2, 1.5 or in the old spelling 0 is a tie; nan where there
        should be a label and none could be read.

    Raises
    ------
    ValueError
        For arrays of different lengths, or a negative pair.
    """

    pair: Ints
    annotator: Ints
    preference: Floats

    def __post_init__(self) -> None:
        kinds = {"pair": np.int64, "annotator": np.int64, "preference": np.float64}
        for name, kind in kinds.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        shapes = {getattr(self, name).shape for name in kinds}
        if len(shapes) > 1 or self.pair.ndim != 1:
            raise ValueError(f"labels need columns of one length, not {sorted(shapes)}")
        if self.pair.size and self.pair.min() < 0:
            raise ValueError("pairs are counted from 0")

    def some(self, rows: Ints | Bools) -> Labels:
        """Some of the labels."""
        return Labels(
            pair=self.pair[rows], annotator=self.annotator[rows], preference=self.preference[rows]
        )

    def check(self, n_pairs: int, whose: str) -> None:
        """Refuse labels of pairs beyond ``n_pairs``, which a ValueError names."""
        if self.pair.size and self.pair.max() >= n_pairs:
            raise ValueError(f"{whose} labels pair {self.pair.max()}; {n_pairs} are known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What is known of the pairs themselves.

    Parameters
    ----------
    length_difference : int array, shape (n_pairs,)
        Characters of output 2 less those of output 1.
    has_list : bool array, shape (n_pairs, 2)
        Whether output 1, and output 2, holds a list (`contains_list`).
    generator : int array, shape (n_pairs,)
        The system that wrote output 2, from 0; negative where a pair is not to count for the
        correlations of win rates (upstream: all but the split "eval").

    Raises
    ------
    ValueError
        For other shapes.
    """

    length_difference: Ints
    has_list: Bools
    generator: Ints

    def __post_init__(self) -> None:
        kinds = {"length_difference": np.int64, "has_list": np.bool_, "generator": np.int64}
        for name, kind in kinds.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        n = self.generator.shape
        if len(n) != 1 or self.length_difference.shape != n or self.has_list.shape != (*n, 2):
            raise ValueError("pairs need one length difference, two lists and one generator each")

    def __len__(self) -> int:
        return len(self.generator)

    def some(self, rows: Ints) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            length_difference=self.length_difference[rows],
            has_list=self.has_list[rows],
            generator=self.generator[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorMetrics:
    """Metrics by name; of each that is nan, why; and on how many pairs each rests (correlations: on
    how many generators)."""

    values: Mapping[str, float]
    why_undefined: Mapping[str, str]
    n: Mapping[str, int]


def evaluator_metrics(
    evaluator: Labels,
    reference: Labels | None,
    pairs: Pairs,
    *,
    others: int = 3,
    min_pairs: int = 26,
    margin_chars: int = MARGIN_CHARS,
) -> EvaluatorMetrics:
    """AlpacaEval's measures of an evaluator without the quirks.

    With ``c(m)`` the centre of ``m`` labels and bars for means over pairs, in percent:
    ``agreement`` is ``1 - |label - c(others people)|``, ``variance`` is
    ``|label - c(others of its own)|``, ``bias`` is ``|c(others of its own) - c(others people)|``.
    Bias keeps upstream's meaning and with it a floor: two times ``others`` labels differ though
    all come from one distribution. ``distance`` has none: it is the energy distance [1]_
    ``2 E|x - y| - E|x - x'| - E|y - y'|`` of the judge's labels and people's, 0 where both are
    distributed alike and, of labels 1 and 2, ``2 (p - q)²``; its estimate may be negative.

    ``spearman`` and ``pearson`` correlate win rates per generator over pairs that both have
    labelled; noise in the win rates draws them, and their replicates, towards 0.
    ``prefers_longer`` is the mean share of preference on the longer output, of pairs that differ
    by more than ``margin_chars``; ``prefers_lists`` that on the output with a list, of pairs of
    which exactly one has any; ``prefers_output_1`` that on output 1. A tie is a half. People have
    such preferences too: compare.

    Parameters
    ----------
    evaluator : Labels
    reference : Labels or None
        The people's labels of the same pairs. None: the evaluator is the people.
    pairs : Pairs
    others : int
        How many labels make a centre.
    min_pairs : int
        Generators with fewer pairs that both have labelled do not enter the correlations. 26 are
        upstream's more than 100 rows at four labels a pair.
    margin_chars : int

    Raises
    ------
    ValueError
        For a label outside 1 .. 2 that is no tie either, a pair that `pairs` does not know, two
        labels of one pair by one annotator, or ``others`` below 1.

    References
    ----------
    .. [1] G. J. Székely, M. L. Rizzo (2013), Energy statistics, Journal of Statistical Planning and
       Inference 143(8), 1249-1272.
    """
    parts = _Parts.of(evaluator, reference, pairs, others, min_pairs, margin_chars)
    values = {name: float(found[0]) for name, found in parts.estimates(None).items()}
    return EvaluatorMetrics(
        values=values,
        why_undefined={name: parts.why(name) for name, value in values.items() if value != value},
        n=parts.n,
    )


def evaluator_replicates(
    evaluator: Labels,
    reference: Labels | None,
    pairs: Pairs,
    weights: ArrayLike,
    *,
    others: int = 3,
    min_pairs: int = 26,
    margin_chars: int = MARGIN_CHARS,
) -> dict[str, Floats]:
    """The same measures for each weighting of the pairs: bootstrap replicates.

    Parameters
    ----------
    evaluator, reference, pairs, others, min_pairs, margin_chars
        As for `evaluator_metrics`.
    weights : float array, shape (n_replicates, n_pairs)
        As `judgebench.stats.resample.multinomial_weights` draws them. Where pairs share an
        instruction, draw instructions and give each pair its instruction's weight. One matrix for
        all evaluators makes their differences paired.

    Returns
    -------
    dict of float array, shape (n_replicates,)
        By name; nan where a replicate has nothing to estimate from. Percentiles of means cover
        (``distance``, which is skewed, from some 150 pairs on; the values without each pair, for
        BCa, are those of the weights ``1 - numpy.eye(n_pairs)``). Those of correlations do not:
        too wide where systems are ranked differently, and below the truth where they are ranked
        alike.

    Raises
    ------
    ValueError
        As `evaluator_metrics`, and for weights of another number of pairs.
    """
    given = np.asarray(weights, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(pairs):
        raise ValueError(f"weights of {len(pairs)} pairs are needed, not of shape {given.shape}")
    return _Parts.of(evaluator, reference, pairs, others, min_pairs, margin_chars).estimates(given)


# Lists in texts ----------------------------------------------------------------------------------

_LIST_ITEM = re.compile(r"(?m)^[ \t]*+(?:[-*+•]|\d{1,9}[.)]|[A-Za-z][.)])[ \t]++\S")
_UPSTREAM_ITEM = re.compile(r"(?m)^[^\S\n]*+(?:[*•-]|\d++[.)]|[A-Za-z][.)](?=\s))")
_LAST_WORD = re.compile(r"\w\W*+\Z")


def contains_list(text: str, *, upstream: bool = False) -> bool:
    """Whether a text holds a list: a line that begins as an item does, and goes on.

    An item begins with a bullet, a number or a letter with a full stop or bracket, then a space.
    ``upstream`` asks for no space after bullets and numbers, and for a word anywhere below, so
    that bold headings (``**Note**``), ``-5``, ``3.14`` and rules (``---``) are lists too.
    """
    if not upstream:
        return _LIST_ITEM.search(text) is not None
    word = _LAST_WORD.search(text)
    item = _UPSTREAM_ITEM.search(text)
    return word is not None and item is not None and item.end() <= word.start()


# What each pair adds -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What each pair adds to each metric, above and below the line of a mean."""

    means: Mapping[str, tuple[Floats, Floats]]
    rates: Floats  # (n_pairs, n_generators, 3): the evaluator's, the reference's, how many
    others: int
    margin_chars: int
    min_pairs: int
    alone: bool

    @classmethod
    def of(
        cls,
        evaluator: Labels,
        reference: Labels | None,
        pairs: Pairs,
        others: int,
        min_pairs: int,
        margin_chars: int,
    ) -> _Parts:
        if others < 1:
            raise ValueError(f"a centre needs at least one other label, not {others}")
        mine = _table(evaluator, len(pairs), "the evaluator")
        theirs = None if reference is None else _table(reference, len(pairs), "the reference")
        known = mine.shape[1] - np.isnan(mine).sum(axis=1)
        with_itself = _from_own_centre(mine, others)
        longer = np.where(pairs.length_difference[:, np.newaxis] > 0, mine - 1.0, 2.0 - mine)
        listed = np.where(pairs.has_list[:, 1:], mine - 1.0, 2.0 - mine)
        unequal = np.abs(pairs.length_difference) > margin_chars
        one_list = pairs.has_list[:, 0] != pairs.has_list[:, 1]
        never = np.full(len(pairs), nan)
        asked = np.bincount(evaluator.pair, minlength=len(pairs)).astype(np.float64)
        if theirs is None:
            agreement, bias, distance = 1.0 - with_itself, never, never
        else:
            agreement = 1.0 - _from_centre(mine, theirs, others)
            bias = _between_centres(mine, theirs, others)
            distance = _energy_distance(mine, theirs)
        per_pair = {
            "agreement": PERCENT * agreement,
            "bias": PERCENT * bias,
            "variance": PERCENT * with_itself,
            "distance": PERCENT * distance,
            "prefers_longer": np.where(unequal, _row_mean(longer), nan),
            "prefers_lists": np.where(one_list, _row_mean(listed), nan),
            "prefers_output_1": _row_mean(2.0 - mine),
        }
        means = {name: _ratio_parts(value) for name, value in per_pair.items()}
        return cls(
            means={**means, "share_parsed": (known.astype(np.float64), asked)},
            rates=_rates(mine, theirs, pairs.generator, min_pairs),
            others=others,
            margin_chars=margin_chars,
            min_pairs=min_pairs,
            alone=theirs is None,
        )

    def estimates(self, weights: Floats | None) -> dict[str, Floats]:
        """By name, one for each weighting; of the data themselves without any."""
        w = np.ones((1, len(self.rates))) if weights is None else weights
        found = {
            name: quotient(weighted_sums(w, top), weighted_sums(w, bottom))
            for name, (top, bottom) in self.means.items()
        }
        sums = weighted_sums(w, self.rates)
        judge, people = (quotient(sums[..., at], sums[..., 2]) for at in (0, 1))
        found |= {"spearman": spearman(judge, people), "pearson": pearson(judge, people)}
        return {name: found[name] for name in METRICS}

    @property
    def n(self) -> dict[str, int]:
        counts = {name: int((bottom > 0).sum()) for name, (_, bottom) in self.means.items()}
        counts["spearman"] = counts["pearson"] = int(self.rates.shape[1])
        return {name: counts[name] for name in METRICS}

    def why(self, name: str) -> str:
        """Why a metric has no value."""
        if self.alone and name in ("bias", "distance", "spearman", "pearson"):
            return "people are not measured against themselves"
        many = f"{self.others} of the reference"
        if name in ("spearman", "pearson"):
            if self.rates.shape[1] < 2:
                return (
                    "a ranking needs at least two generators with at least "
                    f"{self.min_pairs} pairs that both have labelled"
                )
            return "one of both gives every generator the same win rate"
        if name == "agreement" and not self.alone:
            return f"no pair has a label of the evaluator and {many}"
        return {
            "bias": f"no pair has {self.others} labels of the evaluator and {many}",
            "distance": "no pair has two labels of the evaluator and two of the reference",
            "prefers_longer": "no labelled pair has outputs whose lengths differ by more than "
            f"{self.margin_chars} characters",
            "prefers_lists": "of no labelled pair exactly one output holds a list",
            "prefers_output_1": "no pair is labelled",
            "share_parsed": "no label was asked for",
        }.get(name, f"no pair has {self.others + 1} labels of the evaluator")


def _table(labels: Labels, n_pairs: int, whose: str) -> Floats:
    """Labels by pair and annotator, nan where there is none."""
    labels.check(n_pairs, whose)
    said = labels.preference
    bad = ~np.isnan(said) & (said != OLD_TIE) & ~((said >= 1.0) & (said <= 2.0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{whose}: {said[row]} (row {row}) is no preference; they go from 1 to 2")
    names, columns = np.unique(labels.annotator, return_inverse=True)
    cells = labels.pair * max(len(names), 1) + columns
    order = np.argsort(cells, kind="stable")
    twice = np.flatnonzero(np.diff(cells[order]) == 0)
    if twice.size:
        one, other = order[twice[0]], order[twice[0] + 1]
        raise ValueError(
            f"{whose}: annotator {labels.annotator[one]} labels pair {labels.pair[one]} twice "
            f"(rows {one} and {other}); are they two pairs of equal texts?"
        )
    table = np.full((n_pairs, len(names)), nan)
    table[labels.pair, columns] = np.where(said == OLD_TIE, TIED, said)
    return table


def _rank_weights(most: int, size: int) -> Floats:
    """How likely each label in order is the centre of ``size`` labels drawn from ``n`` of them.

    Shape (most + 1, most), by ``n``; zeros throughout where ``n < size``. Of an even size either
    middle label, half and half.
    """
    weights = np.zeros((most + 1, most))
    middles = {(size - 1) // 2, size // 2}
    for n in range(size, most + 1):
        for below in middles:
            for at in range(n):
                ways = comb(at, below) * comb(n - 1 - at, size - 1 - below)
                weights[n, at] += ways / comb(n, size) / len(middles)
    return weights


def _centres(table: Floats, size: int) -> tuple[Floats, Floats]:
    """Each row's labels in order (0 for those it lacks), and how likely each is the centre."""
    ordered = np.sort(table, axis=1)
    n = (~np.isnan(ordered)).sum(axis=1)
    weights = _rank_weights(table.shape[1], size)[n]
    return np.nan_to_num(ordered), weights


def _from_centre(table: Floats, reference: Floats, size: int) -> Floats:
    """Mean distance of a pair's labels from the centre of ``size`` labels of the reference."""
    centres, weights = _centres(reference, size)
    away = np.abs(table[:, :, np.newaxis] - centres[:, np.newaxis, :])
    expected = np.einsum("pkr,pr->pk", np.nan_to_num(away), weights)
    known = ~np.isnan(table) & (weights.sum(axis=1) > 0)[:, np.newaxis]
    return _row_mean(np.where(known, expected, nan))


def _from_own_centre(table: Floats, size: int) -> Floats:
    """Mean distance of a pair's labels from the centre of ``size`` of the others."""
    columns = range(table.shape[1])
    away = [
        _from_centre(table[:, [one]], np.delete(table, one, axis=1), size)[:, np.newaxis]
        for one in columns
    ]
    return _row_mean(np.concatenate([np.empty((len(table), 0)), *away], axis=1))


def _between_centres(table: Floats, reference: Floats, size: int) -> Floats:
    """Expected distance of the centres of ``size`` labels each, drawn independently."""
    mine, w = _centres(table, size)
    theirs, v = _centres(reference, size)
    expected = np.einsum("pk,pr,pkr->p", w, v, np.abs(mine[:, :, None] - theirs[:, None, :]))
    known = (w.sum(axis=1) > 0) & (v.sum(axis=1) > 0)
    return np.where(known, expected, nan)


def _energy_distance(table: Floats, reference: Floats) -> Floats:
    across = np.abs(table[:, :, np.newaxis] - reference[:, np.newaxis, :])
    return 2.0 * _row_mean(across.reshape(len(table), -1)) - _spread(table) - _spread(reference)


def _spread(table: Floats) -> Floats:
    """Mean distance of two of a row's labels; nan with fewer than two."""
    ordered = np.sort(table, axis=1)
    n = (~np.isnan(ordered)).sum(axis=1)
    place = np.arange(1, table.shape[1] + 1)
    # Each label stands above those before it and below those after it.
    signed = (2 * place - 1 - n[:, np.newaxis]) * np.nan_to_num(ordered)
    return quotient(2.0 * signed.sum(axis=1), np.where(n > 1, n * (n - 1.0), 0.0))


def _rates(mine: Floats, theirs: Floats | None, generator: Ints, min_pairs: int) -> Floats:
    """What each pair adds to its generator's win rates, of those with enough pairs."""
    if theirs is None:
        return np.zeros((len(mine), 0, 3))
    judge, people = _row_mean(mine - 1.0), _row_mean(theirs - 1.0)
    both = ~np.isnan(judge) & ~np.isnan(people) & (generator >= 0)
    names, counts = np.unique(generator[both], return_counts=True)
    enough = names[counts >= min_pairs]
    of = (generator[:, np.newaxis] == enough) & both[:, np.newaxis]
    values = np.stack([judge, people, np.ones(len(mine))], axis=1)
    return np.where(of[:, :, np.newaxis], values[:, np.newaxis, :], 0.0)


def _ratio_parts(values: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(values)
    return np.where(known, values, 0.0), known.astype(np.float64)


def _row_mean(values: Floats) -> Floats:
    """Mean of what a row has; nan where it has nothing."""
    known = ~np.isnan(values)
    return quotient(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


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
    return labels.some(first & enough[labels.pair])


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
