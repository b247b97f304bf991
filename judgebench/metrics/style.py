"""How answers look: length and Markdown, as Arena-Hard's style control counts them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from judgebench.metrics.intervals import Floats
from judgebench.stats.ranking import relative_difference

LENGTH = "length"
STYLE = (LENGTH, "headers", "lists", "bold")
"""The order in which counts and differences of style stand."""

# Each pattern passes over a text once. Upstream's lists begin with `^\s*`, which takes in blank
# lines and is quadratic on a text of them; without line breaks in it, it finds the same items.
_CODE = re.compile(r"```[^`]*```")
_MARKS = (
    re.compile(r"^#{1,6}\s", re.MULTILINE),
    re.compile(r"^[^\S\n]*(?:\d+\.|[-*+])\s", re.MULTILINE),
    re.compile(r"\*\*[^*\n]+\*\*"),
    re.compile(r"__[^_\n]+__"),
)


class Style(NamedTuple):
    """Characters of an answer, and its headers, list items and bold spans outside code blocks.

    The order is that of `STYLE`; numbers are whole but for the mean of several answers.
    """

    length: float
    headers: float
    lists: float
    bold: float


def style_of(text: str) -> Style:
    """The style of one answer, in time that grows with its length alone.

    Code between fences is left out of the counts of marks, and is part of the length [1]_.

    References
    ----------
    .. [1] https://github.com/lmarena/arena-hard-auto, ``utils/add_markdown_info.py``. There the
       length is in tokens; a code block's text is taken out wherever else it occurs as well.
    """
    prose = _CODE.sub("``````", text)
    headers, lists, stars, lines = (sum(1 for _ in mark.finditer(prose)) for mark in _MARKS)
    return Style(length=len(text), headers=headers, lists=lists, bold=stars + lines)


def mean_style(styles: Iterable[Style]) -> Style:
    """The mean of an answer's samples and turns; at least one is needed."""
    return Style(*np.array(list(styles), dtype=np.float64).mean(axis=0).tolist())


def style_differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """How differently two answers look, as Arena-Hard's board controls for it [1]_.

    Lengths differ by ``(first - second) / (first + second)``. Marks are counted per character, and
    these densities differ by ``(first - second) / (first + second + 1)``.

    Parameters
    ----------
    first, second : float array, shape (n, 4)
        In the order of `STYLE`.

    Returns
    -------
    float array, shape (n, 4)
        In [-1, 1]; 0 where both are 0. Upstream's are densities per token, about four times as
        large. It also takes off the mean of the differences, which is not done here (see
        `judgebench.stats.bradley_terry.controlled`).

    References
    ----------
    .. [1] https://github.com/lmarena/arena-hard-auto, ``show_result.py``,
       ``print_leaderboard_with_style_features``.
    """
    one, other = (np.asarray(x, dtype=np.float64).reshape(-1, len(STYLE)) for x in (first, second))
    length = relative_difference(one[:, :1], other[:, :1])
    marks = relative_difference(_densities(one), _densities(other), floor=1.0)
    return np.concatenate([length, marks], axis=1)


def _densities(styles: Floats) -> Floats:
    """Marks per character; none in an empty answer."""
    length, marks = styles[:, :1], styles[:, 1:]
    return np.asarray(np.divide(marks, length, out=np.zeros(marks.shape), where=length > 0))
