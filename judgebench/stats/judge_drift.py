"""Has a judge changed, seen from what it says of the same answers again and again?

A judge that has not changed draws each of its verdicts on an answer alike, so of all it ever said
of that answer any could be the newest: that is all that is assumed. Each look at the answers gives
two p-values by exchanging, within each answer, the newest verdict with earlier ones: of the mean
shift, and of the newest verdicts being unlike the earlier ones more than those are unlike each
other. Under that assumption the p-values of successive looks are independent and uniform (or
larger), as those of conformal prediction are, whatever a judge's own noise is.

They are collected into *e-processes*: wealth of somebody who bets against "nothing changed" at fair
odds, who cannot expect to win. So it may be looked at every night for ever: that either of the two
ever reaches 2 / alpha has a probability of alpha at most (Ville).

References: V. Vovk and R. Wang, "E-values: calibration, combination and applications", Annals of
Statistics 49 (2021), for `calibrated`; V. Vovk, "Testing randomness online", Statistical Science 36
(2021), for p-values of exchangeability one after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

ALPHA = 0.05
"""How likely it is that an unchanged judge is ever called changed, at most."""

_ROUGH, _FINE, _ROUGH_ENOUGH = 999, 49_999, 0.02
_TIED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What looks at the same answers say of a judge.

    shift, unlike : tuple of float
        The two e-processes: evidence that the mean moved, and that verdicts changed; one for each
        look after the first, up to the one at which it is called.
    p_value : float
        Always valid: min(1, 2 / the most that either e-process reached until then); nan before
        there is a second look.
    since : int or None
        The look at which it was first called, counted from 0; None while it is not.
    """

    shift: tuple[float, ...]
    unlike: tuple[float, ...]
    p_value: float
    since: int | None

    @property
    def called(self) -> bool:
        return self.since is not None


def drift(values: Floats, unreadable: Bools, *, seed: int, alpha: float = ALPHA) -> Drift:
    """Follow a judge over its looks at the same answers.

    Parameters
    ----------
    values : float array, shape (looks, answers)
        Verdicts as numbers, in the order in which they were given; nan where there is none.
    unreadable : bool array, shape (looks, answers)
        Where the judge replied and no verdict could be read. Such a reply is unlike every verdict,
        and has no part in the mean.
    seed
        For the draws of the permutations.

    Returns
    -------
    Drift
        Of one look only, nothing can be said.
    """
    generator = np.random.default_rng(seed)
    shift, unlike = _Wealth(), _Wealth()
    since = None
    for look in range(1, len(values)):
        said, lost = values[: look + 1], unreadable[: look + 1]
        shift.bet(p_shift(said, generator))
        unlike.bet(p_unlike(said, lost, generator))
        if max(shift.history[-1], unlike.history[-1]) >= 2.0 / alpha:
            since = look
            break
    most = max((*shift.history, *unlike.history), default=math.nan)
    return Drift(
        shift=tuple(shift.history),
        unlike=tuple(unlike.history),
        p_value=math.nan if math.isnan(most) else min(1.0, 2.0 / most),
        since=since,
    )


def p_shift(values: Floats, generator: np.random.Generator) -> float | None:
    """The p-value, two-sided, of the newest verdicts having the mean of all verdicts.

    Parameters
    ----------
    values : float array, shape (looks, answers)
        The newest last.

    Returns
    -------
    float or None
        None where no answer has a newest verdict that any other could stand for: no bet is made.
    """
    there = ~np.isnan(values)
    kept = there[-1] & (there.sum(axis=0) > 1)
    said, there = values[:, kept], there[:, kept]
    if not kept.any():
        return None
    beside_mean = np.where(there, said - np.nanmean(said, axis=0), np.nan)
    return _permuted(beside_mean, there, generator, two_sided=True)


def p_unlike(values: Floats, unreadable: Bools, generator: np.random.Generator) -> float | None:
    """The p-value of the newest verdicts being as far from the other ones as those are.

    With two looks there is nothing to compare with: each is as far from the other. A judge's own
    noise is known from the third look on.

    Parameters
    ----------
    values, unreadable : arrays, shape (looks, answers)
        The newest last, as for `drift`.

    Returns
    -------
    float or None
        None where no bet is made.
    """
    replied = ~np.isnan(values) | unreadable
    kept = replied[-1] & (replied.sum(axis=0) > 2)
    if not kept.any():
        return None
    said, lost, replied = values[:, kept], unreadable[:, kept], replied[:, kept]
    known = said[~np.isnan(said)]
    apart = (float(known.max() - known.min()) if known.size else 0.0) or 1.0
    distance = np.full(said.shape, np.nan)
    for look in range(len(said)):
        far = np.where(lost != lost[look], apart, np.where(lost, 0.0, np.abs(said - said[look])))
        others = replied & replied[look]
        distance[look] = np.where(
            replied[look],
            np.where(others, far, 0.0).sum(axis=0) / (replied.sum(axis=0) - 1),
            np.nan,
        )
    return _permuted(distance, replied, generator, two_sided=False)


def calibrated(p: float) -> float:
    """The e-value of a p-value: the mean over all bets ``k * p ** (k - 1)`` with k in (0, 1).

    Raises
    ------
    ValueError
        Outside (0, 1].
    """
    if not 0.0 < p <= 1.0:
        raise ValueError(f"a p-value is in (0, 1], not {p}")
    if p > 1.0 - 1e-4:
        return 0.5  # the limit at 1, where the quotient loses its digits
    log = math.log(p)
    return (1.0 - p + p * log) / (p * log**2)


def _permuted(
    of_each: Floats, there: Bools, generator: np.random.Generator, *, two_sided: bool
) -> float | None:
    """How often picking any look for each answer gives a sum as far out as the newest one's.

    A rough estimate settles most nights; only a small one is drawn again, more finely. Each of the
    two is a p-value, and the second decides only below the level of the first, so what comes out is
    one as well.
    """
    same = np.where(there, np.abs(of_each - of_each[-1]), 0.0).max(axis=0) <= _TIED
    if same.all():
        return None  # no verdict could be told from another: whatever is picked is the same
    of_each, there = of_each[:, ~same], there[:, ~same]
    observed = float(of_each[-1].sum())
    bags = [of_each[there[:, answer], answer] for answer in range(of_each.shape[1])]

    def estimated(draws: int) -> float:
        total = np.zeros(draws)
        for bag in bags:
            total += bag[generator.integers(0, len(bag), draws)]
        far = np.abs(total) >= abs(observed) - _TIED if two_sided else total >= observed - _TIED
        return (1.0 + float(far.sum())) / (draws + 1.0)

    rough = estimated(_ROUGH)
    return rough if rough > _ROUGH_ENOUGH else estimated(_FINE)


class _Wealth:
    """An e-process for a change that may come at any look.

    A share 1 / (s (s + 1)) of the stake waits for look s and bets from then on, so that quiet
    nights before a change cost little; what still waits is kept.
    """

    def __init__(self) -> None:
        self.history: list[float] = []
        self._betting = 0.0

    def bet(self, p: float | None) -> None:
        look = len(self.history) + 1
        staked = self._betting + 1.0 / (look * (look + 1))
        self._betting = staked * (1.0 if p is None else calibrated(p))
        self.history.append(self._betting + 1.0 / (look + 1))


__all__ = ["ALPHA", "Drift", "calibrated", "drift", "p_shift", "p_unlike"]
