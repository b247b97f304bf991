"""How well a judge's scores follow people's, as CritiqueLLM measures it [1]_.

At *sample level*, the correlation among the answers to one question, averaged over questions; at
*system level*, that of the systems' mean scores. How well comparisons do is in
`judgebench.stats.comparison_quality`.

CritiqueLLM takes a score that could not be read for 5, in the middle. Here it is nan, left out and
counted; who wants the published figure fills in the 5 beforehand.

Everything is a function of sums over questions or items, so that bootstrap replicates are weighted
sums (`judgebench.stats.resample`) put through the same function.

References
----------
.. [1] P. Ke et al. (2024), CritiqueLLM: Towards an Informative Critique Generation Model for
   Evaluation of Large Language Model Generation, ACL 2024, arXiv 2311.18702; ``eval_pointwise.py``
   of thu-coai/CritiqueLLM at e1e0241.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.rank_correlation import kendall_tau_b, pearson, spearman, why_undefined

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

BLOCK = 8
"""Answers to one question in CritiqueLLM's test set, which stand in a row."""

CORRELATIONS = ("pearson", "spearman", "kendall")
_PAIRS = 1_000_000  # of answers, compared at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """The three correlations of a judge with people, each in [-1, 1].

    ``n`` is how many questions (sample level) or systems (system level) they rest on, ``dropped``
    how many were left out since their correlation is undefined, ``missing`` how many answers have
    no score of the judge or of people. nan where undefined, and ``undefined`` says why.
    """

    pearson: float
    spearman: float
    kendall: float
    n: int
    dropped: int = 0
    missing: int = 0
    undefined: str | None = None


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


def sample_contributions(judge: ArrayLike, people: ArrayLike, question_of: ArrayLike) -> Floats:
    """What each question adds to the mean correlation over questions.

    Parameters
    ----------
    judge, people : float array, shape (n_answers,)
        nan where there is no score; the answer is then left out.
    question_of : int array, shape (n_answers,)
        Codes from 0 without gaps; -1 leaves an answer out.

    Returns
    -------
    float array, shape (n_questions, 3, 2)
        The correlation in the order of `CORRELATIONS`, and 1; zeros where the judge or people give
        all answers to a question one score, or fewer than two have scores of both.

    Raises
    ------
    ValueError
        Where lengths differ.
    """
    x, y, codes = _columns(judge, people, question_of)
    n_questions = int(codes.max(initial=-1)) + 1
    there = ~np.isnan(x) & ~np.isnan(y)
    found = np.zeros((n_questions, len(CORRELATIONS), 2))
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
            found[questions[varies], :, 0] = correlations(*(one[varies] for one in two))
            found[questions[varies], :, 1] = 1.0
    return found


def sample_level(judge: ArrayLike, people: ArrayLike, question_of: ArrayLike) -> Correlations:
    """Mean over questions of the correlation among the answers to one.

    Parameters
    ----------
    judge, people, question_of
        As for `sample_contributions`.
    """
    x, y, codes = _columns(judge, people, question_of)
    contributions = sample_contributions(x, y, codes)
    sums = contributions.sum(axis=0)
    n = int(sums[0, 1])
    values = sums[:, 0] / n if n else np.full(len(CORRELATIONS), np.nan)
    return Correlations(
        **dict(zip(CORRELATIONS, values.tolist(), strict=True)),
        n=n,
        dropped=len(contributions) - n,
        missing=int(((np.isnan(x) | np.isnan(y)) & (codes >= 0)).sum()),
        undefined=None if n else "no question has two answers that both tell apart",
    )


def system_contributions(
    judge: ArrayLike, people: ArrayLike, system_of: ArrayLike, *, n_systems: int
) -> Floats:
    """What each answer adds to the sums of its system.

    Parameters
    ----------
    judge, people : float array, shape (n_answers,)
        nan where there is no score; neither of the two then counts.
    system_of : int array, shape (n_answers,)
        Codes in ``0 .. n_systems - 1``.
    n_systems : int

    Returns
    -------
    float array, shape (n_answers, n_systems, 3)
        The judge's score, people's score and 1. Where answers share an item, add those of an item
        before weighting.

    Raises
    ------
    ValueError
        Where lengths differ, or for a code out of range.
    """
    x, y, codes = _columns(judge, people, system_of)
    if codes.size and not (codes.min() >= 0 and codes.max() < n_systems):
        raise ValueError(f"codes of systems lie in 0 .. {n_systems - 1}")
    found = np.zeros((len(codes), n_systems, 3))
    there = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    found[there, codes[there], 0] = x[there]
    found[there, codes[there], 1] = y[there]
    found[there, codes[there], 2] = 1.0
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


def system_level(judge: ArrayLike, people: ArrayLike, system_of: ArrayLike) -> Correlations:
    """Correlation of the systems' mean scores by the judge with those by people.

    Parameters
    ----------
    judge, people : float array, shape (n_answers,)
        nan where there is no score; neither of the two then counts.
    system_of : int array, shape (n_answers,)
        Codes from 0 without gaps.
    """
    x, y, codes = _columns(judge, people, system_of)
    n_systems = int(codes.max(initial=-1)) + 1
    sums = system_contributions(x, y, codes, n_systems=n_systems).sum(axis=0)
    return Correlations(
        **dict(zip(CORRELATIONS, system_correlations(sums).tolist(), strict=True)),
        n=n_systems,
        missing=int((np.isnan(x) | np.isnan(y)).sum()),
        undefined=why_undefined(*_means(sums)),
    )


def correlations(judge: ArrayLike, people: ArrayLike) -> Floats:
    """The three correlations along the last axis, in the order of `CORRELATIONS`.

    Parameters
    ----------
    judge, people : float array, shape (..., n)

    Returns
    -------
    float array, shape (..., 3)
        Undefined together: nan where either is constant, holds a nan, or has fewer than two.
    """
    return np.stack(
        [coefficient(judge, people) for coefficient in (pearson, spearman, kendall_tau_b)], axis=-1
    )


def _means(sums: ArrayLike) -> tuple[Floats, Floats]:
    given = np.asarray(sums, dtype=np.float64)
    means = np.full((*given.shape[:-1], 2), np.nan)
    count = given[..., 2:]
    np.divide(given[..., :2], count, out=means, where=count > 0)
    return means[..., 0], means[..., 1]


def _columns(judge: ArrayLike, people: ArrayLike, codes: ArrayLike) -> tuple[Floats, Floats, Ints]:
    x, y = np.asarray(judge, dtype=np.float64), np.asarray(people, dtype=np.float64)
    of = np.asarray(codes, dtype=np.int64)
    if x.ndim != 1 or not x.shape == y.shape == of.shape:
        raise ValueError(
            f"a score of each and a code an answer are needed, not {x.shape}, {y.shape}, {of.shape}"
        )
    return x, y, of
