"""Confidence of a model in its answer, from its probabilities and from further samples.

Prob and N-Prob come from the log-probabilities of the tokens of the greedy answer, Consis-Lex and
Consis-Sem from how far samples drawn at a temperature say the same as the greedy answer [1]_.

References
----------
.. [1] S. Ni et al. (2025), Annotation-Efficient Universal Honesty Alignment, arXiv 2510.17509,
   section 4 and its repository at 1b566b6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.rouge_l import rouge_l, rouge_l_upstream

Floats: TypeAlias = NDArray[np.float64]
RougeL: TypeAlias = Literal["lin", "upstream"]

ROUGE_L: Mapping[str, Callable[[str, str], float]] = MappingProxyType(
    {"lin": rouge_l, "upstream": rouge_l_upstream}
)

_ROUNDING = 1e-4
"""How far above 0 a log-probability may lie that was computed in low precision."""


def probability(logprobs: Sequence[float]) -> float:
    """Prob: the probability of the whole answer, ``exp(sum of log p)``.

    Parameters
    ----------
    logprobs : sequence of float
        Natural logarithms of the tokens' probabilities, ``-inf`` allowed. Whether the token that
        ends the answer is among them is up to the caller, and has to be the same for all answers.

    Returns
    -------
    float
        In [0, 1]; nan without tokens.

    Raises
    ------
    ValueError
        Naming the place, for a log-probability that is positive or nan.
    """
    total = _total(logprobs)
    return math.exp(total) if logprobs else math.nan


def probability_per_token(logprobs: Sequence[float]) -> float:
    """N-Prob: the geometric mean of the tokens' probabilities, ``exp(mean of log p)``.

    Parameters, returned value and errors as in `probability`.
    """
    total = _total(logprobs)
    return math.exp(total / len(logprobs)) if logprobs else math.nan


def lexical_consistency(greedy: str, samples: Sequence[str], *, rouge: RougeL) -> float:
    """Consis-Lex: mean ROUGE-L F1 of the samples with the greedy answer.

    Parameters
    ----------
    greedy : str
    samples : sequence of str
    rouge : {"lin", "upstream"}
        `rouge_l.rouge_l` or `rouge_l.rouge_l_upstream`.

    Returns
    -------
    float
        In [0, 1], over the samples for which it is defined; nan where it is for none, that is
        without samples, or where neither the greedy answer nor any sample has a word.
    """
    score = ROUGE_L[rouge]
    known: dict[str, float] = {}  # samples repeat each other
    for sample in samples:
        if sample not in known:
            known[sample] = score(greedy, sample)
    defined = [known[sample] for sample in samples if not math.isnan(known[sample])]
    return math.fsum(defined) / len(defined) if defined else math.nan


def semantic_consistency(consistent: ArrayLike) -> Floats:
    """Consis-Sem: share of the samples that a judge holds to say the same as the greedy answer.

    Parameters
    ----------
    consistent : bool or number array, shape (..., n_samples)
        1 or 0; nan where the judge could not be read.

    Returns
    -------
    float array, shape (...)
        In [0, 1], over the samples that were read; nan where none was.
    """
    judged = np.asarray(consistent, dtype=np.float64)
    read = ~np.isnan(judged)
    n = read.sum(axis=-1)
    same = np.where(read, judged, 0.0).sum(axis=-1)
    return np.asarray(np.divide(same, n, out=np.full(np.shape(n), np.nan), where=n > 0))


def _total(logprobs: Sequence[float]) -> float:
    for place, logprob in enumerate(logprobs):
        if not logprob <= _ROUNDING:  # so is nan
            raise ValueError(
                f"the log-probability of token {place} is {logprob:g}; it is at most 0"
            )
    return math.fsum(min(logprob, 0.0) for logprob in logprobs)
