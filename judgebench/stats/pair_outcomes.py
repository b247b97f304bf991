"""Win, tie or loss of a pair by a declared rule, and how far two pairwise judges agree on them.

A pairwise judge says with which probability an answer beats the other, once or in both orders.
Coefficients of agreement need one label a pair, so three things have to be declared: how close to
one half is a tie, what holds where the two orders say different things, and what holds where one of
them could not be read. `OutcomeRule` declares them; kappa may differ by more between two rules than
between two judges, so it is reported with its rule.

How consistent a judge is, and how often it is right, is measured as CritiqueLLM does
[1]_: every pair of answers is shown in both orders; a pair on which the two verdicts agree is
consistent, and one on which they also equal people's label is agreed upon. There an unreadable
verdict makes its pair inconsistent and wrong; both readings stand side by side.

References
----------
.. [1] P. Ke et al. (2024), CritiqueLLM: Towards an Informative Critique Generation Model for
   Evaluation of Large Language Model Generation, ACL 2024, arXiv 2311.18702; ``eval_pairwise.py``
   of thu-coai/CritiqueLLM at e1e0241.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

LOSS, TIE, WIN = 0, 1, 2
NO_OUTCOME = -1
NEAR = 1e-9
"""How close to an end of the tie band counts as in it: 1.55 - 1 - 0.5 is not 0.05."""

Conflict: TypeAlias = Literal["mean", "tie", "drop"]
UnreadableSide: TypeAlias = Literal["other", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRule:
    """How the probabilities of one pair become its outcome.

    The default is what boards of win rates count: the orders are averaged, one order stands alone
    where the other cannot be read, and only exactly one half is a tie.

    Parameters
    ----------
    tie_band : float
        In [0, 0.5): probabilities no further from one half are ties.
    conflict : {"mean", "tie", "drop"}
        Where the two orders have different outcomes (a win and a tie are different). ``mean``: the
        outcome of the mean probability; where the orders agree it is theirs anyway, so that
        ``mean`` is one rule for all pairs. ``tie``: a judge that changes its mind with the order
        has no preference, as MT-Bench counts [1]_. ``drop``: the pair has no outcome.
    unreadable : {"other", "drop"}
        Where one of two orders has no verdict: the other one counts, with whatever preference the
        judge has for a position, or the pair has no outcome.

    Raises
    ------
    ValueError
        For a band outside [0, 0.5), or a word that is none of these.

    References
    ----------
    .. [1] L. Zheng et al. (2023), Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, arXiv
       2306.05685, section 3.4.
    """

    tie_band: float = 0.0
    conflict: Conflict = "mean"
    unreadable: UnreadableSide = "other"

    def __post_init__(self) -> None:
        if not 0.0 <= self.tie_band < 0.5:
            raise ValueError(f"a tie band lies in [0, 0.5), not {self.tie_band}")
        if self.conflict not in ("mean", "tie", "drop"):
            raise ValueError(f"conflict is mean, tie or drop, not {self.conflict!r}")
        if self.unreadable not in ("other", "drop"):
            raise ValueError(f"unreadable is other or drop, not {self.unreadable!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcomes:
    """Outcomes of pairs, and those on which the orders said different things.

    Parameters
    ----------
    codes : int array, shape (n_pairs,)
        `LOSS`, `TIE`, `WIN`, or `NO_OUTCOME`.
    conflicting : bool array, shape (n_pairs,)
        Both orders were read and have different outcomes, whatever the rule made of it.
    half : bool array, shape (n_pairs,)
        One of two orders was read.
    """

    codes: Ints
    conflicting: NDArray[np.bool_]
    half: NDArray[np.bool_]


def pair_outcomes(p_wins: ArrayLike, rule: OutcomeRule | None = None) -> PairOutcomes:
    """The outcome of each pair.

    Parameters
    ----------
    p_wins : float array, shape (n_pairs,) or (n_pairs, 2)
        Probability that the answer in question beats the other one, in [0, 1]; hard verdicts are
        0, 0.5 and 1. With two columns, one for each order, both as probabilities of the same
        answer. nan: not read, or not asked.
    rule : OutcomeRule, optional

    Raises
    ------
    ValueError
        For another shape, or a probability outside [0, 1].
    """
    p = np.asarray(p_wins, dtype=np.float64)
    if p.ndim not in (1, 2) or (p.ndim == 2 and p.shape[1] not in (1, 2)):
        raise ValueError(f"one or two probabilities a pair are needed, not shape {p.shape}")
    if ((p < 0.0) | (p > 1.0)).any():
        at = np.argwhere((p < 0.0) | (p > 1.0))[0]
        raise ValueError(f"{p[tuple(at)]} is no probability (pair {at[0]})")
    rule = rule or OutcomeRule()
    first, second = (p, p) if p.ndim == 1 else (p[:, 0], p[:, -1])
    unread_first, unread_second = np.isnan(first), np.isnan(second)
    half = unread_first != unread_second
    one = np.where(unread_first, second, first)
    other = np.where(unread_second, first, second)
    codes = _outcomes((one + other) / 2.0, rule.tie_band)
    conflicting = _outcomes(one, rule.tie_band) != _outcomes(other, rule.tie_band)
    if rule.conflict == "tie":
        codes[conflicting] = TIE
    elif rule.conflict == "drop":
        codes[conflicting] = NO_OUTCOME
    if rule.unreadable == "drop":
        codes[half] = NO_OUTCOME
    return PairOutcomes(codes=codes, conflicting=conflicting, half=half)


def without_ties(tables: ArrayLike) -> Floats:
    """The part of tables of outcomes in which neither judge says tie.

    Parameters
    ----------
    tables : float array, shape (..., 3, 3)

    Returns
    -------
    float array, shape (..., 2, 2)
        Label 1 is a win.
    """
    return np.asarray(tables, dtype=np.float64)[..., [LOSS, WIN], :][..., [LOSS, WIN]]


def _outcomes(p: Floats, tie_band: float) -> Ints:
    codes = np.where(p > 0.5, WIN, LOSS)
    codes[np.abs(p - 0.5) <= tie_band + NEAR] = TIE
    codes[np.isnan(p)] = NO_OUTCOME
    return codes


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
