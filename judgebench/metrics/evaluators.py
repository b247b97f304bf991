"""AlpacaEval's measures of judges that compare, beside people, each with its interval.

What they say of pairs are labels from 1 to 2, each as often as it was said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Floats, Intervals, as_estimate
from judgebench.metrics.judged_values import PairedVerdicts, paired_verdicts
from judgebench.metrics.measures import sums_of
from judgebench.metrics.verdict_table import Columns, Ints
from judgebench.records import Estimate
from judgebench.stats.evaluators import (
    METRICS,
    EvaluatorMetrics,
    Labels,
    Pairs,
    contains_list,
    evaluator_metrics,
    evaluator_replicates,
)
from judgebench.stats.rank_correlation import NO_INTERVAL_OF_ITEMS
from judgebench.stats.resample import quotient

Bools: TypeAlias = NDArray[np.bool_]


class Written(NamedTuple):
    """Where an answer stands."""

    model: str
    item_id: str
    sample: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairLabels:
    """Labels of pairs by judge: 1 is the opponent's answer better, 2 the model's.

    The annotator of a label is the repeat. What a judge said in two orders is one label, their
    mean; one that cannot be read in any order is nan.
    """

    verdicts: PairedVerdicts
    of: Mapping[str, Labels]

    def __len__(self) -> int:
        return len(self.verdicts.item_of)

    def together(self, raters: Sequence[str]) -> Labels:
        """Several raters as one: each repeat of each is an annotator, in the order given."""
        parts = [self.of[rater] for rater in raters if rater in self.of]
        width = 1 + max((int(part.annotator.max(initial=0)) for part in parts), default=0)
        if not parts:
            return nobody()
        return _in_order(
            np.concatenate([part.pair for part in parts]),
            np.concatenate([part.annotator + width * i for i, part in enumerate(parts)]),
            np.concatenate([part.preference for part in parts]),
        )

    def answers(self) -> list[tuple[Written, Written]]:
        """Of each pair where the opponent's answer (output 1) and the model's (2) stand."""
        said = self.verdicts
        places = zip(said.item_of, said.model_of, said.sample_of, strict=True)
        return [
            (
                Written(said.models[models][1], said.items[item], *sample),
                Written(said.models[models][0], said.items[item], *sample),
            )
            for item, models, sample in places
        ]


def pair_labels(columns: Columns) -> PairLabels:
    """The labels of every judge that compares. A model against itself is no comparison.

    Parameters
    ----------
    columns
        As for `paired_verdicts`.
    """
    said = paired_verdicts(columns)
    n_repeats = 1 + int(said.repeat_of.max(initial=0))
    two = np.array([model != opponent for model, opponent in said.models], dtype=np.bool_)
    counts = two[said.model_of[said.pair_of]]
    of = {}
    for j, judge in enumerate(said.judges):
        rows = np.flatnonzero((said.judge_of == j) & counts)
        if not len(rows):
            continue
        label = said.pair_of[rows] * n_repeats + said.repeat_of[rows]
        keys, label_of = np.unique(label, return_inverse=True)
        in_order = label_of * 2 + said.order_of[rows]
        p = quotient(*sums_of(said.p[rows], in_order, 2 * len(keys)))
        both = quotient(*sums_of(p, np.repeat(np.arange(len(keys)), 2), len(keys)))
        of[judge] = _in_order(keys // n_repeats, keys % n_repeats, 1.0 + both)
    return PairLabels(verdicts=said, of=of)


def nobody() -> Labels:
    """No labels at all."""
    return _in_order(np.zeros(0), np.zeros(0), np.zeros(0))


def with_gaps(labels: Labels) -> Labels:
    """The labels, and a nan for each annotator that a pair lacks before one that it has.

    So the place of a label among those of its pair is its annotator, as in files that keep a row
    for a label that could not be read.
    """
    if not len(labels.pair):
        return labels
    codes = np.unique(labels.annotator, return_inverse=True)[1]
    width = 1 + int(codes.max())
    last = np.zeros(1 + int(labels.pair.max()), dtype=np.int64) - 1
    np.maximum.at(last, labels.pair, codes)
    table = np.full((len(last), width), math.nan)
    table[labels.pair, codes] = labels.preference
    pair, place = np.nonzero(np.arange(width) <= last[:, np.newaxis])
    return Labels(pair=pair, annotator=place, preference=table[pair, place])


def described(pairs: PairLabels, texts: Mapping[Written, str], *, upstream: bool = False) -> Pairs:
    """Lengths, lists and systems of the pairs.

    Where an answer is not known, the pair says nothing of lengths and lists: as if both were
    equally long and without a list.

    Parameters
    ----------
    texts
        The answers that are known.
    upstream
        As for `contains_list`.
    """
    lists: dict[str, bool] = {}

    def has_list(text: str) -> bool:
        if text not in lists:
            lists[text] = contains_list(text, upstream=upstream)
        return lists[text]

    said = pairs.verdicts
    both = [_texts(place, texts) for place in pairs.answers()]
    systems = [model for model, _ in said.models]
    codes = np.unique(systems, return_inverse=True)[1] if systems else np.zeros(0, dtype=np.int64)
    return Pairs(
        length_difference=np.array(
            [0 if one is None else len(one[1]) - len(one[0]) for one in both], dtype=np.int64
        ),
        has_list=np.array(
            [
                (False, False) if one is None else (has_list(one[0]), has_list(one[1]))
                for one in both
            ],
            dtype=np.bool_,
        ).reshape(len(both), 2),
        generator=codes[said.model_of],
    )


def known_texts(pairs: PairLabels, texts: Mapping[Written, str]) -> Bools:
    """Of which pairs both answers are known, shape (pairs,)."""
    return np.array([_texts(place, texts) is not None for place in pairs.answers()], dtype=np.bool_)


def equal_texts(pairs: PairLabels, texts: Mapping[Written, str]) -> Ints:
    """A number for each pair, the same for pairs of one item with equal texts, shape (pairs,)."""
    numbers: dict[object, int] = {}
    found = []
    for i, place in enumerate(pairs.answers()):
        both = _texts(place, texts)
        key: object = i if both is None else (place[0].item_id, *both)
        found.append(numbers.setdefault(key, len(numbers)))
    return np.array(found, dtype=np.int64)


def of_equal_texts(labels: Labels, pairs: Pairs, number: Ints) -> tuple[Labels, Pairs]:
    """Labels and pairs with those of equal texts as one, as AlpacaEval knows pairs."""
    order = np.lexsort((labels.annotator, labels.pair, number[labels.pair]))
    first = np.unique(number, return_index=True)[1]
    return replace(labels, pair=number[labels.pair]).some(order), pairs.some(first)


def _texts(place: tuple[Written, Written], texts: Mapping[Written, str]) -> tuple[str, str] | None:
    """Both answers; an opponent that answered once has the same answer for all samples."""
    opponents, models = place
    first = texts.get(opponents, texts.get(opponents._replace(sample=0)))
    second = texts.get(models)
    return None if first is None or second is None else (first, second)


def _in_order(pair: NDArray[Any], annotator: NDArray[Any], preference: NDArray[Any]) -> Labels:
    labels = Labels(pair=pair, annotator=annotator, preference=preference)
    return labels.some(np.lexsort((annotator, pair)))


CORRELATIONS = ("spearman", "pearson")
OF_REFERENCE = ("agreement", "bias", "distance", *CORRELATIONS)
OTHERS = 3
"""How many labels make a centre at most: what people have in AlpacaFarm beside the one scored."""

MOST_WEIGHTS = 2**24
"""Weights of pairs that are held at a time."""

MOST_DRAWS = 2**26
"""Weights of items that are drawn at most; with more items there are fewer replicates."""


def centre_size(reference: Labels | None) -> int:
    """How many labels make a centre: as many as the reference has of some pair, `OTHERS` at most.

    Without a reference, `OTHERS`.
    """
    if reference is None:
        return OTHERS
    read = reference.pair[~np.isnan(reference.preference)]
    return min(OTHERS, max(1, int(np.bincount(read).max(initial=0))))


class Evaluators:
    """Judges on one set of pairs: all share the draws of the bootstrap, which are of items.

    Parameters
    ----------
    labels, pairs
    others
        As in `evaluator_metrics`.
    intervals
        Percentile bootstrap over items.
    """

    def __init__(
        self,
        labels: PairLabels,
        pairs: Pairs,
        *,
        others: int,
        intervals: Intervals,
    ) -> None:
        self.labels, self.pairs, self.others = labels, pairs, others
        items = labels.verdicts.items
        self.wanted = replace(intervals.affordable(len(items), MOST_DRAWS), kind="percentile")
        self.resamples = self.wanted.resamples(items)

    def estimates(
        self,
        evaluator: Labels,
        reference: Labels | None,
        *,
        itself: bool = False,
        people: bool = False,
    ) -> Mapping[str, Estimate]:
        """The metrics of one judge, by name.

        Parameters
        ----------
        evaluator
        reference
            The labels that it is held against; None where there are none.
        itself
            Whether these are the reference's own labels, which are measured against each other.
        people
            Whether these are labels of people, whom no suite can ask again.
        """
        kept, place = np.unique(evaluator.pair, return_inverse=True)
        mine = replace(evaluator, pair=place)
        theirs = None if itself else _within(reference or nobody(), kept)
        pairs = self.pairs.some(kept)
        item_of = self.labels.verdicts.item_of[kept]
        found = evaluator_metrics(mine, theirs, pairs, others=self.others)
        values = np.array([found.values[name] for name in METRICS])
        replicates = self._replicates(mine, theirs, pairs, item_of)
        ends = self.wanted.ends(np.concatenate([values[np.newaxis], replicates]), None)
        read = ~np.isnan(mine.preference)
        most = int(np.bincount(mine.pair[read]).max(initial=0))

        def why(name: str, found: EvaluatorMetrics) -> str:
            if reference is None and name in OF_REFERENCE:
                return "there is no reference: no person has compared these answers"
            said = found.why_undefined[name]
            needed = {"variance": self.others + 1, "bias": self.others, "distance": 2}.get(name, 0)
            if not people and most < needed:
                said += f"; 'judge_samples: {self.others + 1}' of a suite asks a judge so often"
            return said

        units = len(np.unique(item_of[mine.pair[read]]))
        estimates = {}
        for i, name in enumerate(METRICS):
            known = not math.isnan(values[i])
            interval = ends.over(units, i)
            if units > 1 and name in CORRELATIONS:
                how = f"{NO_INTERVAL_OF_ITEMS}; over {found.n[name]} models"
                interval = math.nan, math.nan, how
            estimates[name] = as_estimate(
                float(values[i]), interval, n=found.n[name], units=units,
                missing=int((~read).sum()), level=self.wanted.level,
                why=None if known else why(name, found),
            )  # fmt: skip
        return estimates

    def _replicates(
        self, mine: Labels, theirs: Labels | None, pairs: Pairs, item_of: Ints
    ) -> Floats:
        """Shape (replicates, metrics)."""
        size = max(1, MOST_WEIGHTS // max(len(pairs), 1))
        parts = []
        for drawn in self.resamples.weights():
            for start in range(0, len(drawn), size):
                weights = drawn[start : start + size, item_of]
                by_name = evaluator_replicates(mine, theirs, pairs, weights, others=self.others)
                parts.append(np.stack([by_name[name] for name in METRICS], axis=-1))
        return np.concatenate(parts)


def _within(labels: Labels, kept: Ints) -> Labels:
    """The labels of the pairs that are kept, by their places among those."""
    inside = labels.some(np.isin(labels.pair, kept))
    return replace(inside, pair=np.searchsorted(kept, inside.pair))
