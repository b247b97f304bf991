"""How consistent a judge's comparisons are in both orders, and how often they are right.

As CritiqueLLM measures it [1]_: every pair of answers is shown in both orders; a pair on which the
two verdicts agree is consistent, and one on which they also equal people's label is agreed upon.
There an unreadable verdict makes its pair inconsistent and wrong; both readings stand side by side.

References
----------
.. [1] P. Ke et al. (2024), CritiqueLLM: Towards an Informative Critique Generation Model for
   Evaluation of Large Language Model Generation, ACL 2024, arXiv 2311.18702; ``eval_pairwise.py``
   of thu-coai/CritiqueLLM at e1e0241.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.pair_outcomes import LOSS, NO_OUTCOME, TIE, WIN

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonQuality:
    """How a judge's comparisons in both orders stand to people's.

    Parameters
    ----------
    consistency, agreement : float
        Shares in [0, 1] of the pairs that have both verdicts (agreement: and a label of people).
        nan where there are none.
    consistency_as_published, agreement_as_published : float
        Of all pairs, an unreadable verdict being inconsistent and wrong; nan without pairs.
    n, n_labelled : int
        Pairs with both verdicts, and those of them with a label.
    unreadable : int
        Pairs that lack one verdict or both.
    """

    consistency: float
    agreement: float
    consistency_as_published: float
    agreement_as_published: float
    n: int
    n_labelled: int
    unreadable: int


def outcomes_of_labels(labels: ArrayLike, *, swapped: bool = False) -> Ints:
    """Outcomes of the pair's first answer by CritiqueLLM's labels.

    Parameters
    ----------
    labels : int array, any shape
        0: the answer shown first is better, 1: the second, 2: a tie, -1: unreadable.
    swapped : bool
        Whether the pair's first answer was shown second.

    Returns
    -------
    int array, same shape
        `WIN`, `LOSS`, `TIE` or `NO_OUTCOME`.

    Raises
    ------
    ValueError
        For another label.
    """
    given = np.asarray(labels, dtype=np.int64)
    if given.size and not (given.min() >= -1 and given.max() <= 2):
        raise ValueError("labels of pairs are 0, 1, 2 (a tie) and -1 (unreadable)")
    first, second = (LOSS, WIN) if swapped else (WIN, LOSS)
    return np.array([first, second, TIE, NO_OUTCOME], dtype=np.int64)[given]


def comparison_contributions(outcomes: ArrayLike, people: ArrayLike) -> Floats:
    """What each pair adds to consistency and to agreement.

    Parameters
    ----------
    outcomes : int array, shape (n_pairs, 2)
        `WIN`, `TIE`, `LOSS` or `NO_OUTCOME` of the pair's first answer, in each of the two orders.
    people : int array, shape (n_pairs,)
        The same of people.

    Returns
    -------
    float array, shape (n_pairs, 2, 2)
        Of consistency and of agreement: whether it is so, and whether the pair counts.

    Raises
    ------
    ValueError
        For other shapes.
    """
    judge, labels = np.asarray(outcomes, dtype=np.int64), np.asarray(people, dtype=np.int64)
    if judge.ndim != 2 or judge.shape[1] != 2 or labels.shape != judge.shape[:1]:
        raise ValueError(f"two outcomes a pair are needed, not {judge.shape} for {labels.shape}")
    read = (judge != NO_OUTCOME).all(axis=1)
    labelled = read & (labels != NO_OUTCOME)
    same = judge[:, 0] == judge[:, 1]
    right = same & (judge[:, 0] == labels)
    consistency = np.stack([same & read, read], axis=-1)
    agreement = np.stack([right & labelled, labelled], axis=-1)
    return np.stack([consistency, agreement], axis=1).astype(np.float64)


def comparison_quality(outcomes: ArrayLike, people: ArrayLike) -> ComparisonQuality:
    """Consistency and agreement, of what could be read and as CritiqueLLM publishes them.

    Parameters
    ----------
    outcomes, people
        As for `comparison_contributions`.
    """
    contributions = comparison_contributions(outcomes, people)
    (same, n), (right, n_labelled) = contributions.sum(axis=0).tolist()
    n_pairs = len(contributions)
    return ComparisonQuality(
        consistency=same / n if n else np.nan,
        agreement=right / n_labelled if n_labelled else np.nan,
        consistency_as_published=same / n_pairs if n_pairs else np.nan,
        agreement_as_published=right / n_pairs if n_pairs else np.nan,
        n=int(n),
        n_labelled=int(n_labelled),
        unreadable=n_pairs - int(n),
    )
