"""Has a model slid over many nights, seen item by item from a fixed baseline on?

Each night is held against the mean of all before it, the fixed baseline among them. These
*recursive residuals* [1]_ are independent where nothing changes. The differences to the baseline
are not: its own luck is in every one of them, and a test that takes it for exact calls three of ten
unchanged models within 60 nights. Items are the unit: a night's residual is the mean over items of
what each has lost, with the standard error of that mean over items, so that nights may differ in
their noise and in their items.

Where answers stay from night to night, as those of a model that decodes greedily and changes
little, a night is closer to the last one than to the mean of all; and a baseline may be further
from every night than these are from each other. Both are seen in how items scatter, which a slide
of the mean does not move. So the mean of all before is weighted by a covariance of nights that is
chosen by restricted likelihood, all items taken together: a share of an item's noise may fade from
night to night as a first-order autoregression, and the baseline may have a multiple of a night's
noise. With neither, all weights are equal.

Standardised residuals are collected into an *e-process*, the likelihood ratio of drops against
none, mixed over the night at which they begin, their size, and whether it is a step or a slope. An
unchanged model reaches 1 / alpha with a probability of alpha at most, over all nights together
(Ville), so it may be looked at every night.

References
----------
.. [1] R. L. Brown, J. Durbin, J. M. Evans (1975), Techniques for testing the constancy of
   regression relationships over time, Journal of the Royal Statistical Society B 37(2), 149-192.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Shape = Literal["step", "slope"]

MOST_NIGHTS = 400
"""Nights that are followed from one baseline on: covariances of more take too long."""

ALPHA = 0.05
"""How likely it is that an unchanged model is ever called, over all nights, at most."""

FEWEST = 10
"""Items of a night, below which nothing is made of it."""

STEPS = (0.7, 1.4, 2.8)
SLOPES = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Drops, and drops a night, in standard deviations of one night's mean."""

_SLOPING = 0.7  # of the stake
_SHARES, _FADING = (0.4, 0.8, 1.0), (0.5, 0.8, 0.9, 0.95, 0.98, 0.995)
_APART = (1.0, 3.0, 10.0)
_ANY_LEVEL = 1e6  # the variance of what all nights have in common, which is to say nothing of it
_MOST, _LEAST = 700.0, 1e-300  # the exponent and the tail of numbers that are still numbers
_TIED = 1e-9
_AKAIKE = 6.0  # twice the numbers by which another covariance differs from that of the plain mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """What a number of nights say of a slide; figures on the scale of the values.

    differences : tuple of float, one for each night after the baseline
        To the baseline, on the items that the night has of it; nan without any.
    residuals : tuple of float
        Of each night, standardised, above 0 for a drop; nan where nothing could be made of it.
    e_values : tuple of float
        The evidence of a slide up to each night; 1 where there is none.
    since : int or None
        The night, counted from 0, on which the step or the slope down begins that is closest by
        least squares; None where the evidence is no more than 1.
    shape
        Which of the two it is; None with ``since``.
    slope : float
        The change a night since then; nan for a step.
    level_before, level_now : float
        Its difference to the baseline before, and on the last night; nan with ``since``.
    """

    differences: tuple[float, ...]
    residuals: tuple[float, ...]
    e_values: tuple[float, ...]
    since: int | None
    shape: Shape | None
    slope: float
    level_before: float
    level_now: float

    @property
    def e_value(self) -> float:
        """After the last night; 1 without any."""
        return self.e_values[-1] if self.e_values else 1.0

    @property
    def p_value(self) -> float:
        """Always valid: 1 over the most evidence that there ever was."""
        return min(1.0, 1.0 / max(self.e_values, default=1.0))

    def first_reached(self, threshold: float) -> int | None:
        """The first night, from 0, on which the evidence was so much; None while it never was."""
        return next((at for at, one in enumerate(self.e_values) if one >= threshold), None)

    def called(self, threshold: float) -> bool:
        """Whether the last night's evidence is so much, and its level below the baseline's."""
        return self.e_value >= threshold and self.level_now < 0.0


def slide(values: Floats, weight: Floats | None = None, *, width: float = 1.0) -> Slide:
    """Follow a model over its nights, from a fixed baseline on.

    Parameters
    ----------
    values : float array, shape (1 + nights, items)
        The fixed baseline first, then nights in time; nan where there is no verdict. Items that the
        baseline lacks have no part.
    weight : float array, shape (items,) or that of the values, optional
        How much each item counts, not below 0, on each night its own if so given; all alike if not.
    width : float
        The largest difference that an item can have. Two items that differ by it, up and down, are
        added to each night's spread, so that few items which happen to agree are not taken for
        certainty. inf for a scale without ends: then none are added.

    Returns
    -------
    Slide
        A night with fewer than `FEWEST` items, or on which no item differs from what was before,
        leaves the evidence as it is.

    Raises
    ------
    ValueError
        For no row, more nights than `MOST_NIGHTS`, a weight of another shape, or one below 0.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not len(table):
        raise ValueError("values have the shape (1 + nights, items), the baseline first")
    if len(table) > MOST_NIGHTS + 1:
        raise ValueError(f"at most {MOST_NIGHTS} nights, not {len(table) - 1}")
    given = np.ones(table.shape[1]) if weight is None else np.asarray(weight, dtype=np.float64)
    if given.shape not in (table.shape, table.shape[1:]) or not (given >= 0.0).all():
        raise ValueError("a weight of each item, none below 0")
    counts = np.broadcast_to(given, table.shape)
    kept = ~np.isnan(table[0]) & (counts > 0.0).any(axis=0)
    table, counts = table[:, kept] - table[0, kept], counts[:, kept]
    noises = _noises(len(table))
    chosen = noises.chosen(table)
    drops = Drops(len(table) - 1)
    evidence, residuals = [], []
    for at, noise in enumerate(chosen, start=1):
        z = standardised(noises.lost(table, at, noise), counts[at], width)
        drops.see(z, noises.operator[noise, at, : at + 1] / noises.deviation[noise, at])
        residuals.append(z)
        evidence.append(drops.e_value)
    differences = np.array([_mean(*night) for night in zip(table[1:], counts[1:], strict=True)])
    fitted = _fitted(differences) if evidence and evidence[-1] > 1.0 else _NOTHING
    return Slide(
        differences=tuple(differences.tolist()),
        residuals=tuple(residuals),
        e_values=tuple(evidence),
        since=fitted.since,
        shape=fitted.shape,
        slope=fitted.slope,
        level_before=fitted.before,
        level_now=fitted.now,
    )


def _mean(lost: Floats, counts: Floats) -> float:
    there = ~np.isnan(lost)
    total = float(counts[there].sum())
    return float((counts[there] * lost[there]).sum()) / total if total > 0.0 else math.nan


def standardised(lost: Floats, counts: Floats, width: float) -> float:
    """A night's loss over its standard error, at the same place of a normal distribution.

    Student's t of the items' losses is moved to the normal distribution's quantile, so that the
    spread being estimated does no harm. nan where nothing can be made of it.
    """
    from scipy.special import ndtri, stdtr

    there = ~np.isnan(lost) & (counts > 0.0)
    d = lost[there]
    n = len(d)
    if n < FEWEST or not d.any():
        return math.nan
    w = counts[there] / counts[there].sum()
    mean = float(w @ d)
    variance = float(w**2 @ (d - mean) ** 2) * n / (n - 1)
    if math.isfinite(width):
        variance = (n * (n - 1) * variance + 2.0 * width**2) / (n * (n + 1))
    if not variance > (_TIED * mean) ** 2:
        return math.nan
    tail = float(stdtr(n - 1, -abs(mean) / math.sqrt(variance)))
    return math.copysign(float(ndtri(max(tail, _LEAST))), mean)


class _Noises:
    """Covariances of nights that might be, and what each makes of a night and of those before.

    operator : float array, shape (covariances, nights, nights)
        Row ``t`` makes of all nights what night t is above the weighted mean of those before it.
    deviation : float array, shape (covariances, nights)
        The standard deviation of that, where one night's is 1.
    """

    def __init__(self, nights: int) -> None:
        fading = [(0.0, 0.0), *((share, of) for share in _SHARES for of in _FADING)]
        lag = np.abs(np.subtract.outer(np.arange(nights), np.arange(nights)))
        covariance = np.array(
            [share * of**lag + (1.0 - share) * np.eye(nights) + _ANY_LEVEL for share, of in fading]
        )
        covariance = np.repeat(covariance, len(_APART), axis=0)
        covariance[:, 0, 0] += np.tile(np.array(_APART) - 1.0, len(fading))
        root = np.linalg.cholesky(covariance)
        self.deviation = np.diagonal(root, axis1=1, axis2=2).copy()
        operator = np.tril(np.linalg.inv(root / self.deviation[:, None, :]), -1)
        operator[:, 1:] /= -operator[:, 1:].sum(axis=2, keepdims=True)  # all but rounding is there
        self.operator = operator + np.eye(nights)

    def chosen(self, table: Floats) -> list[int]:
        """Of each night after the first, the covariance that fits it and all before best.

        That of nights that have nothing in common, unless Akaike's criterion is for another one.
        """
        nights, items = table.shape
        if not items:
            return [0] * (nights - 1)
        about = _filled(table)
        about -= about.mean(axis=1, keepdims=True)
        scatter = about @ about.T
        squares = np.einsum("gts,su,gtu->gt", self.operator, scatter, self.operator, optimize=True)
        logs = np.log(self.deviation[:, 1:]).cumsum(axis=1)
        sums = (squares / self.deviation**2)[:, 1:].cumsum(axis=1)
        found = []
        for at, (log, total) in enumerate(zip(logs.T, sums.T, strict=True), start=1):
            best = 0
            if (total > _TIED * scatter.trace()).all():
                lack = items * (2.0 * log + at * np.log(total))
                best = int(np.argmin(lack + np.where(np.arange(len(lack)) > 0, _AKAIKE, 0.0)))
            found.append(best)
        return found

    def lost(self, table: Floats, at: int, noise: int) -> Floats:
        """What each item lost on a night; nan where it has no verdict, or had none before."""
        weight = -self.operator[noise, at, :at]
        before = table[:at]
        there = ~np.isnan(before)
        if there.all():
            return np.asarray(weight @ before - table[at])
        total = weight @ there
        usable = total > _TIED
        mean = (weight @ np.where(there, before, 0.0)) / np.where(usable, total, 1.0)
        return np.asarray(np.where(usable, mean - table[at], np.nan))


@lru_cache(maxsize=1)
def _noises(nights: int) -> _Noises:
    return _Noises(nights)


def _filled(table: Floats) -> Floats:
    """With the mean of an item's nights before, where it has none: it then says nothing new."""
    there = ~np.isnan(table)
    if there.all():
        return table.copy()
    values = np.where(there, table, 0.0)
    before = values.cumsum(axis=0) - values
    n = there.cumsum(axis=0) - there
    return np.asarray(np.where(there, table, before / np.maximum(n, 1)))


class Drops:
    """All drops that there might be, each with the odds of what was seen against none.

    A share 1 / (k (k + 1)) of the stake waits for night k, counted from 1.
    """

    def __init__(self, nights: int) -> None:
        starts = np.arange(1, nights + 1)
        size = np.array([*STEPS, *SLOPES])
        sloping = np.arange(len(size)) >= len(STEPS)
        share = np.where(sloping, _SLOPING / len(SLOPES), (1 - _SLOPING) / len(STEPS))
        self._log = np.log(share / (starts * (starts + 1.0))[:, None])  # nights x drops
        self._waits = 1.0 / (nights + 1.0)
        since = np.maximum(np.arange(nights + 1)[:, None] - starts + 1.0, 0.0)[:, :, None]
        # nights x starts x drops
        self._fallen = size * np.where(sloping, since, np.minimum(since, 1.0))

    def see(self, z: float, made_by: Floats) -> None:
        """Take in the standardised residual of the next night.

        Parameters
        ----------
        z
            Above 0 for a drop; nan says nothing.
        made_by : float array, shape (until this night,)
            What it makes of the means of nights, the baseline first, in units of one night's noise:
            above 0 for this night, so that one which fell by one such unit is expected there.
        """
        if not math.isnan(z):
            mean = np.tensordot(made_by, self._fallen[: len(made_by)], axes=1)
            self._log = self._log + mean * (z - mean / 2.0)

    @property
    def e_value(self) -> float:
        if not self._log.size:
            return 1.0
        top = max(float(self._log.max()), 0.0)
        log = top + math.log(float(np.exp(self._log - top).sum()) + self._waits * math.exp(-top))
        return math.exp(min(log, _MOST))


@dataclass(frozen=True, slots=True)
class _Fitted:
    """When it began to fall, how, and the levels; as in `Slide`."""

    since: int | None
    shape: Shape | None
    slope: float
    before: float
    now: float


_NOTHING = _Fitted(None, None, math.nan, math.nan, math.nan)


def _fitted(differences: Floats) -> _Fitted:
    """Of all steps and slopes down the one that lies closest by least squares."""
    known = np.concatenate([[0.0], differences])  # the baseline is a night like others
    there = ~np.isnan(known)
    since = np.maximum(np.arange(len(known)) - np.arange(len(differences))[:, None], 0.0)
    fallen = np.concatenate([np.minimum(since, 1.0), since])  # steps, then slopes
    y, x = known[there], fallen[:, there]
    x_about, y_about = x - x.mean(axis=1, keepdims=True), y - y.mean()
    spread, common = (x_about**2).sum(axis=1), x_about @ y_about
    falls = (spread > 0.0) & (common < 0.0)
    if not falls.any():
        return _NOTHING
    explained = np.where(falls, common**2 / np.where(falls, spread, 1.0), -1.0)
    at = int(explained.argmax())
    change = float(common[at] / spread[at])
    before = float(y.mean() - change * x[at].mean())
    sloping = at >= len(differences)
    return _Fitted(
        since=at % len(differences),
        shape="slope" if sloping else "step",
        slope=change if sloping else math.nan,
        before=before,
        now=before + change * float(fallen[at, -1]),
    )


__all__ = ["ALPHA", "FEWEST", "MOST_NIGHTS", "Drops", "Slide", "slide", "standardised"]
