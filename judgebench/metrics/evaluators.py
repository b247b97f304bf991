"""AlpacaEval's measures of judges that compare, beside people, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.pair_labels import PairLabels, nobody
from judgebench.metrics.verdict_table import Ints
from judgebench.records import Estimate
from judgebench.stats.evaluators import (
    METRICS,
    EvaluatorMetrics,
    Labels,
    Pairs,
    evaluator_metrics,
    evaluator_replicates,
)
from judgebench.stats.rank_correlation import NO_INTERVAL_OF_ITEMS
from judgebench.stats.resample import content_seed, multinomial_weights

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
        most = max(100, MOST_DRAWS // max(len(items), 1))
        self.wanted = replace(
            intervals, kind="percentile", n_replicates=min(intervals.n_replicates, most)
        )
        seed = content_seed(*items, seed=intervals.seed)
        self._draws = multinomial_weights(len(items), self.wanted.n_replicates, seed=seed)

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
        pairs = _taken(self.pairs, kept)
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
            low, high, method = math.nan, math.nan, ""
            if known and units < 2:
                method = "no interval, one item"
            elif known and name in CORRELATIONS:
                method = f"{NO_INTERVAL_OF_ITEMS}; over {found.n[name]} models"
            elif known:
                low, high, method = ends.at(i)
            estimates[name] = Estimate(
                value=float(values[i]), low=low, high=high, n=found.n[name], units=units,
                missing=int((~read).sum()), level=self.wanted.level, method=method,
                undefined=None if known else why(name, found),
            )  # fmt: skip
        return estimates

    def _replicates(
        self, mine: Labels, theirs: Labels | None, pairs: Pairs, item_of: Ints
    ) -> Floats:
        """Shape (replicates, metrics)."""
        size = max(1, MOST_WEIGHTS // max(len(pairs), 1))
        parts = []
        for start in range(0, len(self._draws), size):
            weights = self._draws[start : start + size][:, item_of]
            by_name = evaluator_replicates(mine, theirs, pairs, weights, others=self.others)
            parts.append(np.stack([by_name[name] for name in METRICS], axis=-1))
        return np.concatenate(parts)


def _taken(pairs: Pairs, kept: Ints) -> Pairs:
    return Pairs(
        length_difference=pairs.length_difference[kept],
        has_list=pairs.has_list[kept],
        generator=pairs.generator[kept],
    )


def _within(labels: Labels, kept: Ints) -> Labels:
    """The labels of the pairs that are kept, by their places among those."""
    inside = np.isin(labels.pair, kept)
    return Labels(
        pair=np.searchsorted(kept, labels.pair[inside]),
        annotator=labels.annotator[inside],
        preference=labels.preference[inside],
    )
