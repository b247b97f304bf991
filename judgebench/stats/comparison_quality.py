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

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.pair_outcomes import NO_OUTCOME

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


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
