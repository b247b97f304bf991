"""ROUGE-L: how much of two texts is the same words in the same order.

Two things go by the name in HonestyBench. The paper means the measure of Lin; its code takes the
package ``rouge`` 1.0.1, whose "rouge-l" is the summary-level variant on *sets* of words, as
written (``Paris`` and ``paris,`` are two words), with sentences cut at every full stop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import product
from math import nan

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
