"""How far two scorings put the same things in the same order, or on one line.

All coefficients work along the last axis with leading axes free, so that all bootstrap
replicates are one call. For Kendall's every pair of things is compared: things are models, of which
there are tens.

Of them are made how far the scores of some models follow those of a published board, and how well a
judge's scores follow people's, as CritiqueLLM measures it [1]_: at *sample level* the correlation
among the answers to one question, averaged over questions; at *system level* that of the systems'
mean scores. How well comparisons do is in `judgebench.stats.pair_outcomes`.

CritiqueLLM takes a score that could not be read for 5, in the middle. Here it is nan, left out and
counted; who wants the published figure fills in the 5 beforehand. All is a function of sums over
questions or items, so that bootstrap replicates are weighted sums (`judgebench.stats.resample`) put
through the same function.

References
----------
.. [1] P. Ke et al. (2024), CritiqueLLM: Towards an Informative Critique Generation Model for
   Evaluation of Large Language Model Generation, ACL 2024, arXiv 2311.18702; ``eval_pointwise.py``
   of thu-coai/CritiqueLLM at e1e0241.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import quotient

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

NO_INTERVAL_OF_ITEMS = (
    "no interval: draws of items were measured not to hold a correlation over models"
)
"""Where models stay and items are drawn: noise in the models' scores pulls each draw's coefficient
towards 0, so that intervals lie below it where both sides rank alike (`perf/coverage_calibration`).
"""


class Ordered:
    """Scores put in order along the last axis once: ranks among some of them are then counted.

    Parameters
    ----------
    scores : float array, shape (m, n)
        nan where there is none.
    """

    def __init__(self, scores: Floats) -> None:
        self.scores, self.known = scores, ~np.isnan(scores)
        rows = np.arange(len(scores))[:, np.newaxis] * scores.shape[1]
        order = np.argsort(scores, axis=-1) + rows
        ordered = scores.ravel()[order]
        place = np.zeros(scores.shape, dtype=np.int64)
        np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=-1, out=place[:, 1:])
        self._place = np.empty_like(place)
        self._place.ravel()[order] = place + rows

    def ranks(self, there: Bools) -> Floats:
        """Ranks from 1 (lowest) among those there, ties sharing their mean; of the others 0."""
        n = np.bincount(self._place.ravel(), there.ravel(), self._place.size).reshape(there.shape)
        up_to = np.cumsum(n, axis=-1, dtype=np.float64)
        up_to -= (n - 1.0) / 2.0
        return np.asarray(up_to.ravel()[self._place] * there)


def spearman(first: ArrayLike, second: ArrayLike) -> Floats:
    """Spearman's rho: Pearson's correlation of average ranks [1]_.

    Parameters
    ----------
    first, second : float array, shape (..., n)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where a vector is constant, holds a nan, or has fewer than two elements.

    References
    ----------
    .. [1] C. Spearman (1904), The proof and measurement of association between two things,
       American Journal of Psychology 15(1), 72-101.
    """
    return correlations(first, second, ("spearman",))[..., 0]


def pearson(first: ArrayLike, second: ArrayLike) -> Floats:
    """Pearson's correlation along the last axis [1]_.

    Parameters
    ----------
    first, second : float array, shape (..., n)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where a vector is constant, holds a nan, or has fewer than two elements.

    References
    ----------
    .. [1] K. Pearson (1895), Note on regression and inheritance in the case of two parents,
       Proceedings of the Royal Society of London 58, 240-242.
    """
    return correlations(first, second, ("pearson",))[..., 0]


def kendall_tau_b(first: ArrayLike, second: ArrayLike) -> Floats:
    """Kendall's tau-b: concordant less discordant pairs, corrected for ties [1]_.

    Parameters
    ----------
    first, second : float array, shape (..., n)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where a vector is constant, holds a nan, or has fewer than two elements.

    References
    ----------
    .. [1] M. G. Kendall (1945), The treatment of ties in ranking problems, Biometrika 33(3),
       239-251.
    """
    return correlations(first, second, ("kendall",))[..., 0]


CORRELATIONS = ("pearson", "spearman", "kendall")


def correlations(
    judge: ArrayLike, people: ArrayLike, which: Sequence[str] = CORRELATIONS
) -> Floats:
    """Some correlations along the last axis, in the order of ``which``.

    Parameters
    ----------
    judge, people : float array, shape (..., n)

    Returns
    -------
    float array, shape (..., which)
        All undefined together: nan where either is constant, holds a nan, or has fewer than two.
    """
    x, y = _pair(judge, people)
    first, second = (
        Ordered(one.reshape(math.prod(one.shape[:-1]), one.shape[-1])) for one in (x, y)
    )
    whole = (first.known & second.known).all(axis=-1, keepdims=True)
    (found,) = _among([first], second, np.broadcast_to(whole, first.known.shape), which)
    return found.reshape(*x.shape[:-1], len(which))


def _among(
    judges: Sequence[Ordered], people: Ordered, there: Bools, which: Sequence[str]
) -> list[Floats]:
    """Of each judge correlations (m, which) with people among those there; nan as there."""
    n = there.sum(axis=-1, keepdims=True)
    theirs, found = people.ranks(there), []
    for judge in judges:
        ranks = judge.ranks(there), theirs
        centred = [np.where(there, one - (n + 1) / 2.0, 0.0) for one in ranks]
        varies = centred[0].any(axis=-1) & centred[1].any(axis=-1)
        each = np.full((len(n), len(which)), np.nan)
        for at, name in enumerate(which):
            if name == "kendall":
                sums = _pairs_compared(*ranks, n[:, 0])
            elif name == "pearson":
                sums = _products(*(_centred(one.scores, there, n) for one in (judge, people)))
            else:
                sums = _products(*centred)
            each[varies, at] = _normalised(*sums)[varies]
        found.append(each)
    return found


def _centred(scores: Floats, there: Bools, n: Ints) -> Floats:
    mean = np.where(there, scores, 0.0).sum(axis=-1, keepdims=True) / np.maximum(n, 1)
    return np.where(there, scores - mean, 0.0)


def _products(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    return (a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1)


def _pairs_compared(first: Floats, second: Floats, n: Ints) -> tuple[Floats, Floats, Floats]:
    """Concordant less discordant pairs, and those that either tells apart, of ranks (m, things).

    What has the rank 0 is not there: it is below all others in both, which is taken off again.
    """
    width = first.shape[1]
    kind: Any = np.int8 if 2 * width < 128 else np.int32
    x, y = (np.ascontiguousarray((2.0 * one).astype(kind).T) for one in (first, second))
    sums = np.zeros((3, len(first)))
    for step in range(1, width):
        signs = [np.sign(one[:-step] - one[step:]) for one in (x, y)]
        for at, (one, other) in enumerate((signs, (signs[0], signs[0]), (signs[1], signs[1]))):
            sums[at] += (one * other).sum(axis=0, dtype=kind)
    sums -= n * (width - n)
    return sums[0], sums[1], sums[2]


def why_undefined(first: ArrayLike, second: ArrayLike) -> str | None:
    """Why two vectors have no rank correlation, in words; None where they have one.

    Parameters
    ----------
    first, second : float array, shape (n,)
    """
    x, y = _pair(first, second)
    if x.shape[-1] < 2:
        return "a ranking needs at least two models"
    if np.isnan(x).any() or np.isnan(y).any():
        return "a model has no score"
    for values, whose in ((x, "the judge"), (y, "the reference")):
        if (values == values[0]).all():
            return f"{whose} gives every model the same score"
    return None


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim < 1:
        raise ValueError(f"two scorings of the same things are needed, not {x.shape} and {y.shape}")
    return x, y


def _normalised(covariance: Floats, first: Floats, second: Floats) -> Floats:
    # Rounding puts a perfect correlation past its end.
    return np.asarray(np.clip(quotient(covariance, np.sqrt(first * second)), -1.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCorrelation:
    """The coefficients over the models that both have; nan where ``undefined`` says why.

    models
        Their names, in the board's order.
    """

    models: tuple[str, ...]
    spearman: float
    pearson: float
    kendall_b: float
    undefined: str | None = None


def board_correlation(scores: Mapping[str, float], board: Mapping[str, float]) -> BoardCorrelation:
    """Correlate scores with a board's, by the names of the models.

    Parameters
    ----------
    scores, board
        A score for each model; a model with nan in either is left out, and so is one that only one
        of them has.

    Returns
    -------
    BoardCorrelation
        Undefined with fewer than two models in common, or where one side scores them all the same.
    """
    models = tuple(
        model
        for model, theirs in board.items()
        if not math.isnan(theirs) and not math.isnan(scores.get(model, math.nan))
    )
    ours = np.array([scores[model] for model in models], dtype=np.float64)
    theirs = np.array([board[model] for model in models], dtype=np.float64)
    return BoardCorrelation(
        models=models,
        spearman=float(spearman(ours, theirs)),
        pearson=float(pearson(ours, theirs)),
        kendall_b=float(kendall_tau_b(ours, theirs)),
        undefined=_reason(ours, theirs),
    )


def _reason(ours: Floats, theirs: Floats) -> str | None:
    reason = why_undefined(ours, theirs)
    if reason is None:
        return None
    for one, which in ((ours, "the scores are"), (theirs, "the board's scores are")):
        if len(one) > 1 and (one == one[0]).all():
            return f"{which} the same for every model"
    return f"{len(ours)} models in common; a correlation needs two"


BLOCK = 8
"""Answers to one question in CritiqueLLM's test set, which stand in a row."""

_PORTION = 2**16  # answers that are compared at a time


def consecutive_blocks(n: int, size: int = BLOCK) -> Ints:
    """Which question each of ``n`` answers belongs to, where those to one question stand in a row.

    As CritiqueLLM takes them, sorted by id and without looking at the questions: in its published
    samples of 100 such a block holds answers to different questions. Where questions are known,
    their codes are the better blocks.

    Returns
    -------
    int array, shape (n,)
        -1 for the answers after the last whole block.
    """
    block = np.arange(n, dtype=np.int64) // size
    return np.where(block < n // size, block, -1)


class Questions:
    """Answers by their question, those of questions with equally many side by side.

    Parameters
    ----------
    question_of : int array, shape (n_answers,)
        Codes from 0 without gaps; -1 leaves an answer out.
    """

    def __init__(self, question_of: ArrayLike) -> None:
        codes = np.asarray(question_of, dtype=np.int64)
        self.n = int(codes.max(initial=-1)) + 1
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(self.n + 1))
        sizes = np.diff(ends)
        self._portions: list[tuple[Ints, Ints]] = []
        for size in np.unique(sizes[sizes > 1]).tolist():
            alike = np.flatnonzero(sizes == size)
            for some in np.array_split(alike, -(-len(alike) * size // _PORTION)):
                self._portions.append((some, order[ends[some, np.newaxis] + np.arange(size)]))

    def ordered(self, scores: Floats) -> list[Ordered]:
        """Scores (n_answers,), put in order within each question."""
        return [Ordered(scores[answers]) for _, answers in self._portions]

    def contributions(
        self,
        judges: Sequence[Sequence[Ordered]],
        people: Sequence[Ordered],
        which: Sequence[str] = CORRELATIONS,
    ) -> Floats:
        """As `sample_contributions`, of each of some judges, on the answers that all have scored.

        Returns
        -------
        float array, shape (judges, n_questions, which, 2)
        """
        found = np.zeros((len(judges), self.n, len(which), 2))
        for at, (questions, _) in enumerate(self._portions):
            theirs, its = people[at], [one[at] for one in judges]
            there = np.logical_and.reduce([theirs.known, *(one.known for one in its)])
            each = np.stack(_among(its, theirs, there, which))
            defined = ~np.isnan(each)
            found[:, questions] = np.stack([np.where(defined, each, 0.0), defined], axis=-1)
        return found


def sample_contributions(
    judge: ArrayLike,
    people: ArrayLike,
    question_of: ArrayLike,
    which: Sequence[str] = CORRELATIONS,
) -> Floats:
    """What each question adds to the mean correlation over questions.

    Parameters
    ----------
    judge, people : float array, shape (n_answers,)
        nan where there is no score; the answer is then left out.
    question_of : int array, shape (n_answers,)
        As for `Questions`.
    which
        Of `CORRELATIONS`.

    Returns
    -------
    float array, shape (n_questions, which, 2)
        Each correlation, and 1; zeros where the judge or people give
        all answers to a question one score, or fewer than two have scores of both.

    Raises
    ------
    ValueError
        Where lengths differ.
    """
    x, y, codes = _columns(judge, people, question_of)
    questions = Questions(codes)
    (found,) = questions.contributions([questions.ordered(x)], questions.ordered(y), which)
    return np.asarray(found)


def system_contributions(
    judge: ArrayLike,
    people: ArrayLike,
    system_of: ArrayLike,
    *,
    n_systems: int,
    unit_of: ArrayLike | None = None,
    n_units: int = 0,
) -> Floats:
    """What each unit adds to the sums of the systems.

    Parameters
    ----------
    judge, people : float array, shape (n_answers,)
        nan where there is no score; neither of the two then counts.
    system_of : int array, shape (n_answers,)
        Codes in ``0 .. n_systems - 1``.
    unit_of : int array, shape (n_answers,)
        Which of ``n_units`` each answer belongs to; where it is not given, each is one by itself.

    Returns
    -------
    float array, shape (n_units, n_systems, 3)
        The judge's scores, people's scores and how many they are.

    Raises
    ------
    ValueError
        Where lengths differ, or for a code out of range.
    """
    x, y, codes = _columns(judge, people, system_of)
    if codes.size and not (codes.min() >= 0 and codes.max() < n_systems):
        raise ValueError(f"codes of systems lie in 0 .. {n_systems - 1}")
    unit = np.arange(len(codes)) if unit_of is None else np.asarray(unit_of, dtype=np.int64)
    shape = (len(codes) if unit_of is None else n_units), n_systems
    there = ~np.isnan(x) & ~np.isnan(y)
    flat, found = unit * n_systems + codes, np.zeros((*shape, 3))
    # To add a zero takes less time than to leave it out.
    for at, scores in enumerate((np.where(there, x, 0.0), np.where(there, y, 0.0), there)):
        found[..., at] = np.bincount(flat, scores, minlength=shape[0] * n_systems).reshape(shape)
    return found


def system_correlations(sums: ArrayLike) -> Floats:
    """Correlations of the systems' mean scores.

    Parameters
    ----------
    sums : float array, shape (..., n_systems, 3)
        Sums, weighted or not, of `system_contributions`.

    Returns
    -------
    float array, shape (..., 3)
        In the order of `CORRELATIONS`; nan where a system has no answer, where the judge or people
        give all systems one mean, and with fewer than two systems.
    """
    return correlations(*_means(sums))


def _means(sums: ArrayLike) -> tuple[Floats, Floats]:
    given = np.asarray(sums, dtype=np.float64)
    return quotient(given[..., 0], given[..., 2]), quotient(given[..., 1], given[..., 2])


def _columns(judge: ArrayLike, people: ArrayLike, codes: ArrayLike) -> tuple[Floats, Floats, Ints]:
    x, y = np.asarray(judge, dtype=np.float64), np.asarray(people, dtype=np.float64)
    of = np.asarray(codes, dtype=np.int64)
    if x.ndim != 1 or not x.shape == y.shape == of.shape:
        raise ValueError(
            f"a score of each and a code an answer are needed, not {x.shape}, {y.shape}, {of.shape}"
        )
    return x, y, of
