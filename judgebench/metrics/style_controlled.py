"""Comparisons with one opponent, controlled for length and Markdown as Arena-Hard does it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from judgebench.metrics.board_kinds import BoardKind, read_board
from judgebench.metrics.intervals import LEAST, Floats
from judgebench.metrics.verdict_table import Columns, Ints
from judgebench.metrics.win_rate import PERCENT, weights_of
from judgebench.records import Estimate
from judgebench.stats.ranking import relative_difference
from judgebench.stats.style_control import (
    Definition,
    StyleControlled,
    differences,
    style_controlled,
)

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


STYLE_CONTROLLED = "style_controlled_win_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleBoard:
    """One judge's style-controlled scores, per cent by model, and the coefficients of `STYLE`.

    ``n`` of a score are games. ``lacking`` has, in place of scores, the models of which answers are
    not known, and of how many games; the opponent among them.
    """

    scores: Mapping[str, Estimate] = field(default_factory=dict)
    coefficients: Mapping[str, float] = field(default_factory=dict)
    lacking: Mapping[str, int] = field(default_factory=dict)


FEWEST_QUESTIONS = 100
"""With fewer there is no interval: of so many and more it was measured that intervals hold."""

NO_STYLE_INTERVAL = (
    f"no interval with fewer than {FEWEST_QUESTIONS} questions, or {LEAST} won, or lost: none was "
    "measured to hold"
)


class Games(NamedTuple):
    """Games with one baseline: whose, what was won and what that counts, and about what.

    All of shape (n,), but for the `differences` of style, (n, 4).
    """

    model: Ints
    won: Floats
    weight: Floats
    question: Ints
    style: Floats


def fitted(
    games: Games,
    *,
    n_models: int,
    definition: Definition,
    level: float,
    fewest: int = FEWEST_QUESTIONS,
) -> tuple[StyleControlled, Floats, Floats]:
    """The fit, and the ends of an interval of each score where one was measured to hold.

    That is with the ``fewest`` questions or more, `LEAST` of them won, and lost, by the model
    (``perf/arena_hard_coverage.py``); nan elsewhere.
    """
    fit = style_controlled(
        games.model, games.won, games.weight, games.style,
        n_models=n_models, definition=definition, units=games.question,
    )  # fmt: skip
    ends = fit.ends(level)
    known = np.full(n_models, fit.n_units >= fewest)
    for some in (games.won > 0.0, games.won < 1.0):
        places = np.unique(np.stack([games.model[some], games.question[some]]), axis=1)[0]
        known &= np.bincount(places, minlength=n_models) >= LEAST
    low, high = (np.where(known, end, np.nan) for end in ends)
    return fit, low, high


def style_boards(
    columns: Columns,
    opponent: str,
    looks: Mapping[tuple[str, str], Style],
    *,
    definition: Definition,
    clear: float,
    level: float = 0.95,
    unit: str = "tokens",
) -> dict[str, StyleBoard]:
    """By judge, the fit of all models that it compared.

    Parameters
    ----------
    columns
        As for `win_rate.win_rates`, with ``label``.
    looks
        Of answers, by model and item; their length is in the ``unit``.
    clear
        What a clear win counts.
    level
        Of intervals.
    """
    table = read_board(columns, BoardKind("preference", opponent))
    values, weights = table.values, weights_of(table.columns["label"], table.values, clear)
    found = {}
    for judge, asked in table.by_judge():
        rows = asked[~np.isnan(values[asked])]
        if not len(rows) or np.isnan(weights[rows]).any():  # a panel says not how clear a win is
            continue
        places = table.cells(rows) // len(table.models)
        items = [table.items[i] for i in places.tolist()]
        which = table.models_of(rows)
        unknown = Style(*[np.nan] * len(STYLE))
        own = np.array(
            [
                looks.get((table.models[m], item), unknown)
                for m, item in zip(which.tolist(), items, strict=True)
            ]
        )
        theirs = np.array([looks.get((opponent, item), unknown) for item in items])
        here, of = np.unique(which, return_inverse=True)
        models = [table.models[m] for m in here.tolist()]
        n = np.bincount(of)
        gone = np.bincount(of, np.isnan(own[:, 0]))
        lacking = {m: int(k) for m, k in zip(models, gone.tolist(), strict=True) if k}
        if np.isnan(theirs).any():
            lacking[opponent] = int(np.isnan(theirs[:, 0]).sum())
        if lacking:
            found[judge] = StyleBoard(lacking=lacking)
            continue
        games = Games(
            of, values[rows], weights[rows], table.unit_of[places],
            differences(own, theirs, definition),
        )  # fmt: skip
        fit, *ends = fitted(games, n_models=len(models), definition=definition, level=level)
        asked = np.bincount(np.unique(np.stack([of, games.question]), axis=1)[0])
        estimates = {}
        for at, model in enumerate(models):
            score, low, high = (float(one[at]) * PERCENT for one in (fit.scores, *ends))
            by = NO_STYLE_INTERVAL if math.isnan(low) else "by question, on the logit, Student's t"
            estimates[model] = Estimate(
                value=score, low=low, high=high, n=int(n[at]), units=int(asked[at]), level=level,
                method=f"logistic fit of all models and style, lengths in {unit}; {by}",
                undefined="the fit has no finite answer" if math.isnan(score) else None,
            )  # fmt: skip
        coefficients = dict(zip(STYLE, fit.coefficients.tolist(), strict=True))
        found[judge] = StyleBoard(scores=estimates, coefficients=coefficients)
    return found
