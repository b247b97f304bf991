"""How often a judge is right where it is known what is right: of two answers, of four, of ties.

JudgeBench [1]_ shows each pair in both orders; RewardBench [2]_ counts pairs by subset and section,
and its second version [3]_ has the right one of four answers found, and several right ones told
from all wrong ones.

References
----------
.. [1] S. Tan et al. (2024), JudgeBench: A Benchmark for Evaluating LLM-based Judges, arXiv
   2410.12784; ``utils/metrics.py`` at e2c52c2.
.. [2] N. Lambert et al. (2024), RewardBench: Evaluating Reward Models for Language Modeling, arXiv
   2403.13787; ``rewardbench/utils.py`` at 05a9005.
.. [3] S. Malik et al. (2025), RewardBench 2: Advancing Reward Model Evaluation, arXiv 2506.01937.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.agreement import cohen_kappa_of

Floats: TypeAlias = NDArray[np.float64]

SHARES_OF_TIES = (0.30, 0.30, 0.20, 0.20, 0.01)
"""What counts how much in the score of ties; together 1.01."""


def votes_for_right(votes: ArrayLike, truth: ArrayLike) -> Floats:
    """For each pair, how many more verdicts are for the right answer than for the other one.

    Above 0 the pair is right: one right verdict beside a tie or none is enough, two that contradict
    each other are not.

    Parameters
    ----------
    votes : float array, shape (n_pairs, n_orders)
        1 for the first answer of the pair, -1 for the second, 0 for a tie, nan for no verdict.
    truth : float array, shape (n_pairs,)
        1 or -1.

    Returns
    -------
    float array, shape (n_pairs,)
    """
    return np.asarray(np.nan_to_num(votes).sum(axis=-1) * np.asarray(truth, dtype=np.float64))


def pair_figures(votes: ArrayLike, truth: ArrayLike, longer: ArrayLike) -> dict[str, float]:
    """What there is to say of verdicts in both orders, by name.

    Parameters
    ----------
    votes, truth
        As for `votes_for_right`; the first column is the order in which the first answer is shown
        first.
    longer : float array, shape (n_pairs,)
        1 where the first answer is the longer one, -1 where the second is, 0 where none is.

    Returns
    -------
    dict
        Shares in [0, 1], of no verdicts nan; counts begin with ``n``. ``accuracy`` is by both
        orders, ``first_order_accuracy`` and ``mean_order_accuracy`` count single verdicts;
        ``order_kappa`` is over the pairs read in both orders.
    """
    said, right = np.asarray(votes, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    long = np.asarray(longer, dtype=np.float64)
    score, equal = votes_for_right(said, right), said == right[:, np.newaxis]
    read = said[~np.isnan(said).any(axis=1)]
    orders = np.zeros((3, 3))
    np.add.at(orders, tuple(read.astype(np.int64).T + 1), 1.0)
    shown_first, preferred = said * [1.0, -1.0], said * long[:, np.newaxis]
    decided = int((np.abs(said) > 0).sum())
    of_length = {
        f"accuracy_{side}": _share(score[long * right == sign] > 0)
        for side, sign in (("longer", 1), ("shorter", -1))
    }
    return {
        "n": len(said),
        "n_right": int((score > 0).sum()),
        "n_wrong": int((score < 0).sum()),
        "n_undecided": int((score == 0).sum()),
        "accuracy": _share(score > 0),
        "first_order_accuracy": _share(equal[:, 0]),
        "n_right_twice": int(equal.all(axis=1).sum()),
        "mean_order_accuracy": _share(equal),
        "n_unreadable": int(np.isnan(said).sum()),
        "n_ties": int((said == 0).sum()),
        "n_same": int((read[:, 0] == read[:, 1]).sum()),
        "n_contradictory": int((read.prod(axis=1) < 0).sum()),
        "n_first": int((shown_first > 0).sum()),
        "n_second": int((shown_first < 0).sum()),
        "first_shown": (shown_first > 0).sum() / decided if decided else np.nan,
        "order_kappa": float(cohen_kappa_of(orders)),
        "longer": _share(preferred[np.abs(preferred) > 0] > 0),
        **of_length,
        "n_longer": int((long * right > 0).sum()),
        "n_shorter": int((long * right < 0).sum()),
    }


def section_scores(
    accuracies: Mapping[str, float],
    sections: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
) -> dict[str, float]:
    """The mean accuracy of the subsets of each section, each as often as its weight says.

    Subsets without an accuracy (nan, or not there) have no part; a section without any is nan.
    Upstream prints 0 for it.

    Parameters
    ----------
    weights
        By subset; 1 where nothing is said.
    """
    found = {}
    for section, subsets in sections.items():
        there = [s for s in subsets if not np.isnan(accuracies.get(s, np.nan))]
        found[section] = (
            float(
                np.average(
                    [accuracies[s] for s in there], weights=[weights.get(s, 1.0) for s in there]
                )
            )
            if there
            else np.nan
        )
    return found


def best_of(scores: ArrayLike, right: ArrayLike) -> float:
    """Whether the right answer has the highest score: 1, 0, or a share where several have it.

    Parameters
    ----------
    scores : float array, shape (n_answers,)
        With a nan among them the answer is 0: nobody knows what was highest.
    right : bool array, shape (n_answers,)
    """
    highest = np.asarray(scores) == np.max(scores)
    return float((highest & np.asarray(right)).sum() / highest.sum()) if highest.any() else 0.0


def ties_score(ties: ArrayLike, references: ArrayLike) -> float:
    """RewardBench 2's score of prompts with several right answers; it can exceed 1.

    Of each prompt with several right answers the gap between the worst right and the best wrong one
    should be above 0, and above the spread of the right ones; so should the smaller one of it and
    of the gap of the reference prompt, which has one right answer.

    Parameters
    ----------
    ties, references : float array, shape (n_prompts, 2)
        Gap and spread of each prompt, as of `gap_and_spread`; of the same prompts in the same
        order. nan counts as wrong.

    Returns
    -------
    float
        nan without prompts.
    """
    tied, reference = np.asarray(ties, dtype=np.float64), np.asarray(references, dtype=np.float64)
    if not len(tied):
        return float("nan")
    gap, spread = tied.T
    least = np.minimum(gap, reference[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.nan_to_num(np.tanh(least / spread - 1.0))
    parts = (gap > 0, reference[:, 0] > 0, gap > spread, least > spread, margin)
    return float(np.dot(SHARES_OF_TIES, [np.mean(part) for part in parts]))


def gap_and_spread(scores: ArrayLike, right: ArrayLike) -> tuple[float, float]:
    """Worst right less best wrong score, and best right less worst right one; nan with a nan."""
    given, good = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    return float(given[good].min() - given[~good].max()), float(np.ptp(given[good]))


def _share(said: NDArray[np.bool_]) -> float:
    return float(np.mean(said)) if said.size else float("nan")
