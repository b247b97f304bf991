"""CritiqueLLM's labels of pairs, and the shares of what comparisons contribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.pair_outcomes import LOSS, NO_OUTCOME, TIE, WIN, comparison_contributions


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Shares of the pairs that could be read, of all as published, and how many there are."""

    consistency: float
    agreement: float
    consistency_as_published: float
    agreement_as_published: float
    n: int
    n_labelled: int
    unreadable: int


def outcomes_of_labels(labels: Any, *, swapped: bool = False) -> NDArray[np.int64]:
    """0: what was shown first is better, 1: the second, 2: a tie, -1: unreadable."""
    first, second = (LOSS, WIN) if swapped else (WIN, LOSS)
    return np.array([first, second, TIE, NO_OUTCOME])[np.asarray(labels, dtype=np.int64)]


def comparison_quality(outcomes: Any, people: Any) -> Quality:
    contributions = comparison_contributions(outcomes, people)
    (same, n), (right, labelled) = contributions.sum(axis=0).tolist()
    pairs = len(contributions)
    return Quality(
        consistency=same / n if n else np.nan,
        agreement=right / labelled if labelled else np.nan,
        consistency_as_published=same / pairs if pairs else np.nan,
        agreement_as_published=right / pairs if pairs else np.nan,
        n=int(n),
        n_labelled=int(labelled),
        unreadable=pairs - int(n),
    )
