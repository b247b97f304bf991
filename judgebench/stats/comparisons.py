"""Pairs of models compared on prompts, as sums over prompts for any weighting of these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from judgebench.stats.bradley_terry import Floats, Ints
from judgebench.stats.resample import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparisons:
    """Pairs of models compared on prompts; made by `compare`.

    Attributes
    ----------
    prompt, first, second : int array, shape (n,)
    wins, ties : float array, shape (n,)
        What the first won, and what was tied; the second won the rest.
    weights : float array, shape (n,)
    n_models, n_prompts : int
    """

    prompt: Ints
    first: Ints
    second: Ints
    wins: Floats
    ties: Floats
    weights: Floats
    n_models: int
    n_prompts: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WinRates:
    """What was observed between every two models, without a model of it.

    Attributes
    ----------
    rate, low, high : float array, shape (n_models, n_models)
        Share the first won of the second, a tie counting a half; nan where they never met.
        Wilson's interval over prompts.
    n : int array, shape (n_models, n_models)
        Prompts on which the two met.
    """

    rate: Floats
    low: Floats
    high: Floats
    n: Ints


def compare(
    prompt: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    wins: ArrayLike,
    *,
    n_models: int,
    n_prompts: int,
    ties: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    average_repeats: bool = True,
) -> Comparisons:
    """Check and weigh comparisons.

    Parameters
    ----------
    prompt : int array, shape (n,)
        In ``0 .. n_prompts - 1``: the unit that is resampled.
    first, second : int array, shape (n,)
        In ``0 .. n_models - 1``.
    wins : float array, shape (n,)
        What the first won, in [0, 1]: 1, 0, or a judge's probability.
    n_models, n_prompts : int
    ties : float array, shape (n,), optional
        What was tied, in [0, 1] and with ``wins`` at most 1; nothing by default. For half wins a
        tie may as well be given as ``wins`` of 0.5; Davidson's model needs it here.
    weights : float array, shape (n,), optional
        What each row counts; one each by default.
    average_repeats : bool
        Rows of one pair on one prompt (both orders, repeats, samples) count as one together.

    Returns
    -------
    Comparisons

    Raises
    ------
    ValueError
        When lengths differ, a code or a share is out of range or nan, a model meets itself, or a
        weight is negative or not finite.
    """
    if n_models < 1:
        raise ValueError("at least one model is needed")
    who = [np.asarray(codes, dtype=np.int64) for codes in (prompt, first, second)]
    n = who[0].size
    won = np.asarray(wins, dtype=np.float64)
    tied = np.zeros(n) if ties is None else np.asarray(ties, dtype=np.float64)
    counted = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if any(column.shape != (n,) for column in (*who, won, tied, counted)):
        raise ValueError("a comparison is one prompt, two models and an outcome: lengths differ")
    for codes, limit, what in (
        (who[0], n_prompts, "prompts"),
        (who[1], n_models, "models"),
        (who[2], n_models, "models"),
    ):
        if n and not (codes.min() >= 0 and codes.max() < limit):
            raise ValueError(f"codes of {what} must lie in 0 .. {limit - 1}")
    if (who[1] == who[2]).any():
        raise ValueError("a model cannot meet itself")
    if not ((won >= 0) & (tied >= 0) & (won + tied <= 1)).all():
        raise ValueError("wins and ties are shares of a comparison, and at most 1 together")
    if not (np.isfinite(counted) & (counted >= 0)).all():
        raise ValueError("weights must be finite and not negative")
    if average_repeats and n:
        counted = counted / _repeats(who[0], who[1], who[2], n_models)
    return Comparisons(
        prompt=who[0], first=who[1], second=who[2], wins=won, ties=tied, weights=counted,
        n_models=n_models, n_prompts=n_prompts,
    )  # fmt: skip


def win_rates(comparisons: Comparisons, *, level: float = 0.95) -> WinRates:
    """What every model won of every other.

    Parameters
    ----------
    comparisons : Comparisons
    level : float

    Returns
    -------
    WinRates
    """
    c = comparisons
    won, tied = Sums(c).of_data
    half = won + tied / 2.0
    total = half + half.T
    with np.errstate(invalid="ignore"):
        rate = np.where(total > 0, half / total, np.nan)
    met = prompts_met(c)
    low, high = wilson_interval(np.nan_to_num(rate) * met, met, level=level)
    return WinRates(rate=rate, low=low, high=high, n=met)


_Columns: TypeAlias = tuple[tuple[Ints, Floats], ...]


class Sums:
    """Wins and ties between models, summed over prompts for any weighting of these."""

    def __init__(self, comparisons: Comparisons) -> None:
        c = self._c = comparisons
        n = self._n = comparisons.n_models
        loses = 1.0 - c.wins - c.ties
        # What is left of 1 by rounding is no win: it would connect models that nothing connects.
        loses[loses < 4e-16] = 0.0
        there, back = c.first * n + c.second, c.second * n + c.first
        self._won: _Columns = ((there, c.weights * c.wins), (back, c.weights * loses))
        self._tied: _Columns = (
            ((np.minimum(there, back), c.weights * c.ties),) if c.ties.any() else ()
        )

    @cached_property
    def of_data(self) -> tuple[Floats, Floats]:
        """Wins of the first, and ties, each of shape (n_models, n_models)."""
        won, tied = self._total(self._won), self._total(self._tied)
        return won, tied + tied.T

    def _total(self, part: _Columns) -> Floats:
        total = np.zeros(self._n * self._n)
        for cell, value in part:
            total += np.bincount(cell, value, len(total))
        return total.reshape(self._n, self._n)

    def of(self, draws: Floats) -> tuple[Floats, Floats]:
        """The same for each weighting of the prompts, with a leading axis."""
        columns = np.ascontiguousarray(draws.T)
        found = []
        for cells, part in self._by_prompt:
            sums = np.zeros((len(draws), self._n * self._n))
            sums[:, cells] = (part @ columns).T
            found.append(sums.reshape(-1, self._n, self._n))
        return found[0], found[1] + found[1].swapaxes(-1, -2)

    @cached_property
    def _by_prompt(self) -> list[tuple[Ints, Any]]:
        from scipy.sparse import coo_array

        parts = []
        for part in (self._won, self._tied):
            # Places of the cells that occur; sorting millions of them would take longer.
            occurs = np.zeros(self._n * self._n, dtype=np.bool_)
            kept = [(cell, value, np.flatnonzero(value)) for cell, value in part]
            for cell, _, rows in kept:
                occurs[cell[rows]] = True
            place, cells = np.cumsum(occurs) - 1, np.flatnonzero(occurs)
            matrix = coo_array((len(cells), self._c.n_prompts)).tocsr()
            for cell, value, rows in kept:
                at = (place[cell[rows]], self._c.prompt[rows])
                matrix = matrix + coo_array((value[rows], at), shape=matrix.shape).tocsr()
            parts.append((cells, matrix))
        return parts


def prompts_met(comparisons: Comparisons) -> Ints:
    """On how many prompts every two models met, shape (n_models, n_models)."""
    c = comparisons
    n, counts = c.n_models, c.weights > 0
    keys = np.sort(_prompt_and_pair(c.prompt, c.first, c.second, n)[counts])
    pairs = keys[np.r_[True, keys[1:] != keys[:-1]][: len(keys)]] % (n * n)
    met = np.bincount(pairs, minlength=n * n).reshape(n, n)
    return np.asarray(met + met.T)


def _repeats(prompt: Ints, first: Ints, second: Ints, n_models: int) -> Ints:
    """How many rows share each row's prompt and pair."""
    key = _prompt_and_pair(prompt, first, second, n_models)
    order = np.argsort(key)
    ordered = key[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(key)])
    found = np.empty(len(key), dtype=np.int64)
    found[order] = np.repeat(sizes, sizes)
    return found


def _prompt_and_pair(prompt: Ints, first: Ints, second: Ints, n_models: int) -> Ints:
    """A number for a prompt and two models, whichever is first."""
    pair = np.minimum(first, second) * n_models + np.maximum(first, second)
    return np.asarray(prompt * (n_models * n_models) + pair)
