"""CritiqueLLM's labels of pairs, and the shares of what comparisons contribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judgebench.stats import rank_correlation as rc
from judgebench.stats.pair_outcomes import LOSS, NO_OUTCOME, TIE, WIN, comparison_contributions
from judgebench.stats.resample import quotient


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


def sample_level(judge: Any, people: Any, question_of: Any) -> Correlations:
    """Mean over questions of the correlation among the answers to one.

    Parameters
    ----------
    judge, people, question_of
        As for `sample_contributions`.
    """
    x, y, codes = (
        np.asarray(judge, float),
        np.asarray(people, float),
        np.asarray(question_of, np.int64),
    )
    contributions = rc.sample_contributions(x, y, codes)
    sums = contributions.sum(axis=0)
    n = int(sums[0, 1])
    values = sums[:, 0] / n if n else np.full(len(rc.CORRELATIONS), np.nan)
    return Correlations(
        **dict(zip(rc.CORRELATIONS, values.tolist(), strict=True)),
        n=n,
        dropped=len(contributions) - n,
        missing=int(((np.isnan(x) | np.isnan(y)) & (codes >= 0)).sum()),
        undefined=None if n else "no question has two answers that both tell apart",
    )


def system_level(judge: Any, people: Any, system_of: Any) -> Correlations:
    """Correlation of the systems' mean scores by the judge with those by people.

    Parameters
    ----------
    judge, people : float array, shape (n_answers,)
        nan where there is no score; neither of the two then counts.
    system_of : int array, shape (n_answers,)
        Codes from 0 without gaps.
    """
    x, y, codes = (
        np.asarray(judge, float),
        np.asarray(people, float),
        np.asarray(system_of, np.int64),
    )
    n_systems = int(codes.max(initial=-1)) + 1
    sums = rc.system_contributions(x, y, codes, n_systems=n_systems).sum(axis=0)
    return Correlations(
        **dict(zip(rc.CORRELATIONS, rc.system_correlations(sums).tolist(), strict=True)),
        n=n_systems,
        missing=int((np.isnan(x) | np.isnan(y)).sum()),
        undefined=rc.why_undefined(*(quotient(sums[:, at], sums[:, 2]) for at in (0, 1))),
    )
