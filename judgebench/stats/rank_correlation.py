"""How far two scorings put the same things in the same order, or on one line.

All coefficients work along the last axis with leading axes free, so that all bootstrap
replicates are one call. For Kendall's every pair of things is compared (memory grows with the
square of their number): things are models, of which there are tens.

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
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import quotient

Floats: TypeAlias = NDArray[np.float64]

NO_INTERVAL_OF_ITEMS = (
    "no interval: draws of items were measured not to hold a correlation over models"
)
"""Where models stay and items are drawn: noise in the models' scores pulls each draw's coefficient
towards 0, so that intervals lie below it where both sides rank alike (`perf/coverage_calibration`).
"""


def average_ranks(scores: ArrayLike) -> Floats:
    """Ranks from 1 (lowest), ties sharing the mean of their ranks.

    Parameters
    ----------
    scores : float array, shape (..., n)

    Returns
    -------
    float array, shape (..., n)
        nan throughout a vector that holds a nan.
    """
    x = np.asarray(scores, dtype=np.float64)
    places, order = np.arange(x.shape[-1]), np.argsort(x, axis=-1)
    ordered = np.take_along_axis(x, order, axis=-1)
    starts, ends = np.ones(x.shape, dtype=np.bool_), np.ones(x.shape, dtype=np.bool_)
    starts[..., 1:] = ends[..., :-1] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=-1)
    last = np.where(ends, places, x.shape[-1])[..., ::-1]
    last = np.minimum.accumulate(last, axis=-1)[..., ::-1]
    ranks = np.empty(x.shape)
    np.put_along_axis(ranks, order, (first + last) / 2.0 + 1.0, axis=-1)
    return np.where(np.isnan(x).any(axis=-1, keepdims=True), np.nan, ranks)


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
    x, y = _pair(first, second)
    middle = (x.shape[-1] + 1) / 2.0  # the exact mean of ranks, so a constant gives an exact 0
    a, b = average_ranks(x) - middle, average_ranks(y) - middle
    return _normalised((a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1))


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
    x, y = _pair(first, second)
    if x.shape[-1] < 2:
        return np.full(x.shape[:-1], np.nan)
    a, b = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    # A constant less its mean may leave a rounding error that correlates with anything.
    varies = np.ptp(x, axis=-1).astype(bool) & np.ptp(y, axis=-1).astype(bool)
    found = _normalised((a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1))
    return np.asarray(np.where(varies, found, np.nan))


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
    x, y = _pair(first, second)
    over, under = (x[..., np.newaxis] > x[..., np.newaxis, :]), y[..., np.newaxis, :]
    alike, apart = (_bits(y[..., np.newaxis] > under), _bits(y[..., np.newaxis] < under))
    above = _bits(over)
    concordant, discordant, of_first, of_second = (
        np.bitwise_count(bits).sum(axis=-1, dtype=np.int64)
        for bits in (above & alike, above & apart, above, alike)
    )
    found = _normalised(concordant - discordant, of_first, of_second)
    return np.where(np.isnan(x).any(axis=-1) | np.isnan(y).any(axis=-1), np.nan, found)


def _bits(pairs: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What is said of the pairs of things, eight pairs in a byte: counting is then quick."""
    flat = pairs.reshape(*pairs.shape[:-2], pairs.shape[-1] ** 2)
    return np.packbits(flat, axis=-1)


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
    scale = np.sqrt(first * second)
    quotient = np.full(np.shape(scale), np.nan)
    np.divide(covariance, scale, out=quotient, where=scale > 0)
    # Rounding puts a perfect correlation past its end.
    return np.asarray(np.clip(quotient, -1.0, 1.0))


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


Ints: TypeAlias = NDArray[np.int64]

BLOCK = 8
"""Answers to one question in CritiqueLLM's test set, which stand in a row."""

_CORRELATIONS = {"pearson": pearson, "spearman": spearman, "kendall": kendall_tau_b}
CORRELATIONS = tuple(_CORRELATIONS)
_PAIRS = 1_000_000  # of answers, compared at a time


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
        Codes from 0 without gaps; -1 leaves an answer out.
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
    n_questions = int(codes.max(initial=-1)) + 1
    there = ~np.isnan(x) & ~np.isnan(y)
    found = np.zeros((n_questions, len(which), 2))
    order = np.flatnonzero(there)[np.argsort(codes[there], kind="stable")]
    ends = np.searchsorted(codes[order], np.arange(n_questions + 1))
    sizes = np.diff(ends)
    for size in np.unique(sizes[sizes > 1]):
        alike = np.flatnonzero(sizes == size)
        portions = -(-len(alike) * size**2 // _PAIRS)
        for questions in np.array_split(alike, portions):
            answers = order[ends[questions, np.newaxis] + np.arange(size)]
            two = x[answers], y[answers]
            varies = np.logical_and(*((one != one[:, :1]).any(axis=1) for one in two))
            first, second = (one[varies] for one in two)
            found[questions[varies], :, 0] = correlations(first, second, which)
            found[questions[varies], :, 1] = 1.0
    return found


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
        Undefined together: nan where either is constant, holds a nan, or has fewer than two.
    """
    return np.stack([_CORRELATIONS[one](judge, people) for one in which], axis=-1)


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
