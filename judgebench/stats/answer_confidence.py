"""Confidence of a model in its answer, from its probabilities and from further samples.

Prob and N-Prob come from the log-probabilities of the tokens of the greedy answer, Consis-Lex and
Consis-Sem from how far samples drawn at a temperature say the same as the greedy answer [1]_.

ROUGE-L, how much of two texts is the same words in the same order, is two things in HonestyBench.
The paper means the measure of Lin; its code takes the package ``rouge`` 1.0.1, whose "rouge-l" is
the summary-level variant on *sets* of words, as written (``Paris`` and ``paris,`` are two words),
with sentences cut at every full stop.

References
----------
.. [1] S. Ni et al. (2025), Annotation-Efficient Universal Honesty Alignment, arXiv 2510.17509,
   section 4 and its repository at 1b566b6.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import nan
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import quotient

_WORD = re.compile(r"[^\W_]+")
_EPSILON = 1e-8  # in upstream's denominator, so that equal texts come to 0.999999995


def rouge_l(first: str, second: str) -> float:
    """F1 of the longest common subsequence of words [1]_.

    Words are runs of letters and digits, in lower case; nothing is stemmed. On ASCII texts this is
    what the package ``rouge_score`` computes, which knows no other letters.

    Parameters
    ----------
    first, second : str

    Returns
    -------
    float
        In [0, 1], whichever comes first; nan where neither text has a word.

    References
    ----------
    .. [1] C.-Y. Lin (2004), ROUGE: a package for automatic evaluation of summaries, Text
       Summarization Branches Out, 74-81, section 3.1.

    Examples
    --------
    >>> rouge_l("police killed the gunman", "Police kill the gunman.")
    0.75
    """
    a, b = _words(first), _words(second)
    return 2.0 * _common_length(a, b) / (len(a) + len(b)) if a or b else nan


def rouge_l_upstream(reference: str, candidate: str) -> float:
    """The "rouge-l" of the package ``rouge`` 1.0.1.

    Every sentence of the one is laid beside every sentence of the other; the words of their longest
    common subsequences, each counted once, are what the texts have in common.

    Parameters
    ----------
    reference, candidate : str

    Returns
    -------
    float
        In [0, 1); 0 where one text is empty or only full stops, nan where both are. The package
        stops with an error at either.
    """
    ours, theirs = _sentences(reference), _sentences(candidate)
    if not ours or not theirs:
        return 0.0 if ours or theirs else nan
    common: set[str] = set()
    for one, other in product(ours, theirs):
        common.update(_common_words(one, other))
    recall = len(common) / len({word for sentence in ours for word in sentence})
    precision = len(common) / len({word for sentence in theirs for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + _EPSILON))


def _words(text: str) -> list[str]:
    # Composed, or the accent of a letter written as two characters would end the word.
    return _WORD.findall(unicodedata.normalize("NFC", text.lower()))


def _common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the usual table as the bits of a number.

    After H. Hyyrö (2004), Bit-parallel LCS-length computation revisited, AWOCA, 16-27. A zero bit
    stands where the row goes up by one.
    """
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        here = row & places.get(word, 0)
        row = ((row + here) | (row - here)) & full
    return len(first) - row.bit_count()


def _sentences(text: str) -> list[list[str]]:
    """Cut at full stops; a blank between two of them is a sentence of one empty word."""
    return [piece.split() or [""] for piece in text.split(".") if piece]


def _common_words(first: list[str], second: list[str]) -> list[str]:
    """The words of one longest common subsequence.

    Of several, the one that is found from the ends by giving up a word of the second wherever that
    costs nothing, since another may have other words.
    """
    if first == second:
        return first
    table = [[0] * (len(second) + 1)]
    for word in first:
        above, row = table[-1], [0]
        for j, other in enumerate(second):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        table.append(row)
    i, j, found = len(first), len(second), []
    while i and j:
        if first[i - 1] == second[j - 1]:
            i, j = i - 1, j - 1
            found.append(first[i])
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


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
    return quotient(same, n)


def _total(logprobs: Sequence[float]) -> float:
    for place, logprob in enumerate(logprobs):
        if not logprob <= _ROUNDING:  # so is nan
            raise ValueError(
                f"the log-probability of token {place} is {logprob:g}; it is at most 0"
            )
    return math.fsum(min(logprob, 0.0) for logprob in logprobs)
