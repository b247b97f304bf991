"""Which of many judges to use, with few verdicts of those that are clearly worse.

Successive elimination [1]_: all judges say what they say of a growing part of the labelled answers,
in random order, and at each look some are put out by the paired difference of their kappas.

The error is shared out beforehand, one-sided, among the looks by how much each adds, and among the
others of each judge (Bonferroni): with probability ``1 - alpha`` the best judge, of several equally
good ones a given one, is not put out, and no pick is called surely within the margin that is not.
`perf/judge_sweep.py` measures it.

References
----------
.. [1] E. Even-Dar, S. Mannor, Y. Mansour (2006), Action Elimination and Stopping Conditions for the
   Multi-Armed Bandit and Reinforcement Learning Problems, JMLR 7, 1079-1105.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.agreement import Floats, Weighting, cohen_kappa_of
from judgebench.stats.paired_bootstrap import paired_jackknife
from judgebench.stats.paired_tests import PairedTest

Codes: TypeAlias = NDArray[np.signedinteger]

FIRST, GROWTH = 150, 1.5
"""Answers at the first look, and how many times as many each further one has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What came of one judge.

    n : int
        Answers that it has judged, of those up to which it was asked.
    kappa : float
        With the reference, on these; nan where that is undefined.
    difference, low, high : float
        Its kappa less that of the best, both on these answers, with the bounds that decided at
        that look; infinite where no difference can be excluded.
    out : bool
        Whether it was put out before the end.
    """

    n: int
    kappa: float
    difference: float
    low: float
    high: float
    out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Elimination:
    """What was found.

    standings : tuple of Standing
        By judge.
    best, pick : int
        The judge with the greatest kappa of those left, and the cheapest that is surely at most
        the margin below it; the best itself where no other is.
    sure : bool
        Whether the pick is surely within the margin; if not it is the best as far as is known.
    decided : bool
        Whether it is, and all cheaper ones are out. If not, more verdicts or labels may find a
        cheaper one.
    verdicts, grid : int
        Asked for, and what all judges on all answers would have taken; a panel takes those of its
        members.
    looks : tuple of int
        Answers at each.
    """

    standings: tuple[Standing, ...]
    best: int
    pick: int
    sure: bool
    decided: bool
    verdicts: int
    grid: int
    looks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Codes:
    """What judges and the reference say, and what kappa makes of the first of it."""

    said: Codes
    truth: Codes
    unit: NDArray[np.intp]
    weights: Floats
    n_labels: int
    weighting: Weighting

    def kappa(self, one: int, n: int) -> float:
        tables = self._tables(one, self._has(one, n))
        return float(self._statistic(tables.sum(axis=0, keepdims=True))[0])

    def compare(self, one: int, other: int, n: int, alpha: float) -> PairedTest:
        both = self._has(one, n) & self._has(other, n)
        sides = (self._tables(one, both), self._tables(other, both))
        return paired_jackknife(*sides, self._statistic, alpha=alpha)

    def _has(self, one: int, n: int) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (self.said[one] >= 0) & (np.arange(len(self.truth)) < n)
        return found

    def _statistic(self, tables: Floats) -> Floats:
        return cohen_kappa_of(tables, weighting=self.weighting)

    def _tables(self, one: int, where: NDArray[np.bool_]) -> Floats:
        at = np.flatnonzero(where)
        cell = (self.unit[at] * self.n_labels + self.said[one, at]) * self.n_labels
        size = (int(self.unit.max()) + 1) * self.n_labels**2
        counts = np.bincount(cell + self.truth[at], self.weights[at], size).astype(np.float64)
        return counts.reshape(-1, self.n_labels, self.n_labels)


def successive_elimination(
    ask: Callable[[Sequence[int], int], Codes],
    truth: Codes,
    unit_of: NDArray[np.int64],
    costs: Sequence[float],
    *,
    n_labels: int,
    panels: Sequence[Sequence[int]] = (),
    combine: Callable[[Codes], Codes] | None = None,
    weights: Floats | None = None,
    weighting: Weighting = "nominal",
    margin: float = 0.05,
    alpha: float = 0.05,
    budget: float = 1.0,
) -> Elimination:
    """Find the cheapest judge at most ``margin`` below the best.

    A judge is put out that is surely worse than the best of those left, and is no cheaper than it
    or estimated to be more than the margin below.

    Parameters
    ----------
    ask : callable
        Of judges (their places) and a number: what they say of so many first answers, codes of
        shape (judges, n), negative where there is none.
    truth : int array, shape (n_answers,)
        Codes in random order.
    unit_of : int array, shape (n_answers,)
        What varies independently, as questions do.
    costs : sequence of float
        Of a verdict of each judge, then of each panel; nan is dearer than all.
    n_labels : int
    panels : sequence of sequence of int
        Judges by place, whose codes (members, n) ``combine`` makes one of (n,).
    weights : float array, shape (n_answers,), optional
        What each answer counts.
    weighting
        Of kappa.
    margin, alpha : float
    budget : float
        Of the verdicts of the full grid, in (0, 1].

    Raises
    ------
    ValueError
        Without an answer or a judge.
    """
    n_judges, every = len(costs) - len(panels), len(truth)
    if n_judges < 1 or every < 1:
        raise ValueError("judges and labelled answers are needed")
    members = [(one,) for one in range(n_judges)] + [tuple(one) for one in panels]
    price = [math.inf if math.isnan(cost) else cost for cost in costs]
    grid = n_judges * every
    left = int(budget * grid)
    _, unit = np.unique(unit_of, return_inverse=True)
    said = np.full((len(costs), every), -1, dtype=np.int64)
    share = np.ones(every) if weights is None else weights
    codes = _Codes(said, truth, unit, share, n_labels, weighting)

    def worth(one: int) -> float:
        return -math.inf if math.isnan(kappas[one]) else kappas[one]

    alive, stopped, levels = list(range(len(costs))), {}, {}
    looks: list[int] = []
    n = spent = 0
    decided, best, pick, sure = False, 0, 0, list[int]()
    kappas: dict[int, float] = {}
    while alive and not decided and n < every:
        before, asked = n, sorted({one for panel in alive for one in members[panel]})
        n = min(every, max(FIRST, math.ceil(n * GROWTH)), before + left // len(asked))
        if n == before:
            break
        said[asked, :n] = ask(asked, n)
        for panel in range(n_judges, len(costs)):
            if panel in alive and combine is not None:
                said[panel, :n] = combine(said[list(members[panel]), :n])
        spent += (n - before) * len(asked)
        left -= (n - before) * len(asked)
        looks.append(n)
        level = alpha * (n - before) / every / (2 * max(1, len(costs) - 1))
        kappas = {one: codes.kappa(one, n) for one in alive}
        best = max(alive, key=lambda one: (worth(one), -price[one]))
        for one in list(alive):
            levels[one] = level
            if one == best or math.isnan(kappas[one]):
                continue
            test = codes.compare(one, best, n, level)
            beyond = test.difference < -margin or price[one] >= price[best]
            if test.bounds(level)[1] < 0.0 and beyond:
                alive.remove(one)
                stopped[one] = n
        sure = [
            one
            for one in alive
            if all(
                codes.compare(one, other, n, level).bounds(level)[0] >= -margin
                for other in alive
                if other != one
            )
        ]
        pick = min(sure or [best], key=lambda one: (price[one], -worth(one)))
        decided = pick == min(alive, key=lambda one: (price[one], -worth(one))) and pick in sure
    standings = []
    for one in range(len(costs)):
        last = stopped.get(one, n)
        found = codes.compare(one, best, last, levels[one]) if one != best else None
        low, high = (0.0, 0.0) if found is None else found.bounds(levels[one])
        standings.append(
            Standing(
                n=int((said[one, :last] >= 0).sum()), kappa=codes.kappa(one, last), low=low,
                high=high, out=one in stopped,
                difference=0.0 if found is None else found.difference,
            )
        )  # fmt: skip
    return Elimination(
        standings=tuple(standings), best=best, pick=pick, decided=decided, verdicts=spent,
        grid=grid, looks=tuple(looks), sure=pick in sure,
    )  # fmt: skip
