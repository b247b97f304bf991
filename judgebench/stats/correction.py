"""Means of what people would say, from a judge's verdicts on all items and people's on a sample.

Prediction-powered inference (PPI++ [1]_, [2]_): the judge's mean over all items, corrected by how
far people and judge lie apart on the items that people labelled. With a sample drawn at random the
estimate is unbiased however bad the judge is, and the interval holds; a good judge makes it narrow.
Rogan and Gladen [3]_ invert the judge's error rates, which serves binary verdicts alone and breaks
down where the judge hardly tells right from wrong.

Let j be the judge's values on all N items, h people's on the n labelled ones, drawn with known
probabilities pi. With weights w proportional to 1 / pi (adding up to the share of items in each
stratum) and slope b

    theta = mean(b j) + sum w (h - b j).

b = Cov(h, j) / Var(j) is best; PPI++ states it as the power lambda = b (1 - n / N), kept in [0, 1].
The variance is that of what each unit adds to theta (the linearised estimate), so that weights,
strata, items of one question and the labelled items among the N are all in it.

References
----------
.. [1] A. N. Angelopoulos, S. Bates, C. Fannjiang, M. I. Jordan, T. Zrnic (2023), Prediction-powered
   inference, Science 382(6671), 669-674.
.. [2] A. N. Angelopoulos, J. C. Duchi, T. Zrnic (2023), PPI++: Efficient prediction-powered
   inference, arXiv 2311.01453.
.. [3] W. J. Rogan, B. Gladen (1978), Estimating prevalence from the results of a screening test,
   American Journal of Epidemiology 107(1), 71-76.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Method = Literal["t", "normal"]

FEWEST_LABELS = 20
"""Under so many labelled items no interval was measured to hold (`perf/correction_coverage.py`)."""

FEW = f"no interval: under {FEWEST_LABELS} labels none was measured to hold"

_FOLDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedMean:
    """An estimate of the mean that people would give over all items.

    value, error : float
        The estimate and its standard error; nan where there is none, and ``undefined`` says why.
    dof : float
        Degrees of freedom of Student's t; infinite for a normal interval.
    power : float
        Lambda, how much the judge counts: 0 for labels alone. The mean of both folds.
    n_labels, n_items : int
    influence : float array, shape (n_units,)
        What each unit adds to the estimate, about 0.
    fixed, falling : float
        The variance with n labels is about ``fixed + falling / n``.
    """

    value: float
    error: float
    dof: float
    power: float
    n_labels: int
    n_items: int
    influence: Floats
    fixed: float = math.nan
    falling: float = math.nan
    undefined: str | None = None

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Both ends; nan where there is no standard error."""
        half = quantile(0.5 + level / 2.0, self.dof) * self.error
        return self.value - half, self.value + half

    def count_as(self, alone: CorrectedMean) -> float:
        """As many labels without a judge as say as much as these with it.

        Parameters
        ----------
        alone
            The estimate from the same labels alone.
        """
        if not (self.error > 0.0 and alone.error > 0.0):
            return math.nan
        return self.n_labels * (alone.error / self.error) ** 2

    def labels_for(self, width: float, level: float = 0.95) -> float:
        """So many labels in all make an interval of this width, if all else stays as it is.

        Infinite where labels of all items would not be enough: more items are needed. nan where
        nothing is known of the spread.
        """
        if not self.error > 0.0:
            return math.nan
        wanted = float(self.n_labels)
        for _ in range(20):  # the quantile depends on the number of labels
            half = width / 2.0 / quantile(0.5 + level / 2.0, max(2.0, wanted - 1.0))
            room = half * half - self.fixed
            needed = self.falling / room if room > 0.0 else math.inf
            if needed > self.n_items:
                return math.inf
            if abs(needed - wanted) < 0.5:
                break
            wanted = needed
        return float(math.ceil(needed - 1e-9))


def quantile(p: float, dof: float) -> float:
    """Of Student's t; of the normal distribution where ``dof`` is infinite."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(p) if math.isinf(dof) else stdtrit(dof, p))


def corrected_mean(
    judge: ArrayLike,
    people: ArrayLike,
    probability: ArrayLike | None = None,
    *,
    stratum: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    power: float | None = None,
    method: Method = "t",
    seed: int = 0,
) -> CorrectedMean:
    """PPI++, power tuned, of a sample that was drawn with known probabilities.

    Parameters
    ----------
    judge : float array, shape (n_items,)
        Of all items; nan where the judge said nothing that could be read. Its mean stands there:
        the estimate stays one of all items.
    people : float array, shape (n_items,)
        nan where nobody labelled.
    probability : float array, shape (n_items,), optional
        With which each labelled item was drawn; all alike if not given.
    stratum : int array, shape (n_items,), optional
        Codes from 0 of groups that were sampled apart. The estimate is then the mean of theirs, by
        their sizes.
    unit : int array, shape (n_items,), optional
        Codes from 0 of what varies independently; each item if not given.
    power : float, optional
        Lambda, where it is not to be tuned: 1 is plain PPI, 0 labels alone.
    method
        ``t``: lambda for one half of the labels from the other half, and Student's t. ``normal``:
        lambda from all labels, which decides by what it is tested on, and normal quantiles.
    seed : int
        Of the halves.

    Returns
    -------
    CorrectedMean
        Without an estimate where a stratum has no label; without an interval under two labels in a
        stratum, where all labels are alike, and under `FEWEST_LABELS` unless it is a normal one.

    Raises
    ------
    ValueError
        For lengths that differ, and a probability of a labelled item outside (0, 1].
    """
    j, h = np.asarray(judge, dtype=np.float64), np.asarray(people, dtype=np.float64)
    there: Bools = ~np.isnan(h)
    drawn = np.ones(len(h)) if probability is None else np.asarray(probability, dtype=np.float64)
    strata = np.zeros(len(h), np.int64) if stratum is None else np.asarray(stratum, dtype=np.int64)
    units = np.arange(len(h)) if unit is None else np.asarray(unit, dtype=np.int64)
    if not j.shape == h.shape == drawn.shape == strata.shape == units.shape:
        raise ValueError("judge, people, probability, stratum and unit are of the same items")
    if not ((drawn[there] > 0.0) & (drawn[there] <= 1.0)).all():
        raise ValueError("a labelled item was drawn with a probability above 0 and at most 1")
    n, n_items = int(there.sum()), len(h)
    labels = np.bincount(strata[there], minlength=int(strata.max(initial=0)) + 1)
    sizes = np.bincount(strata, minlength=len(labels))
    if not n or (labels[sizes > 0] == 0).any():
        lacks = "nobody labelled any of these items" if not n else "a stratum has no label"
        return _nothing(lacks, n, n_items)
    read = ~np.isnan(j)
    j = np.where(read, j, j[read].mean() if read.any() else 0.0)
    # About its mean: then labels of halves with other slopes vary about one mean.
    j = j - (np.bincount(strata, j) / sizes.clip(1))[strata]
    inverse = np.where(there, 1.0 / np.where(there, drawn, 1.0), 0.0)
    weight = inverse / np.bincount(strata, inverse)[strata] * sizes[strata] / n_items

    rest = 1.0 - n / n_items
    folds = [there] if method == "normal" or power is not None else _halves(there, strata, seed)
    slope = np.zeros(n_items)
    for fold in folds:
        others = fold if len(folds) == 1 else there & ~fold
        tuned = _power(j, h, weight * others, strata, rest) if power is None else power
        slope[fold] = tuned / rest if rest > 0.0 else 0.0
    common = float((weight * slope).sum() / weight.sum())
    apart = np.where(there, h, 0.0) - slope * j * there
    shift = np.bincount(strata, weight * apart) * n_items / sizes.clip(1)
    guess = common * j + shift[strata]
    value = float(guess.mean())
    ddof = np.ones(len(labels)) if method == "normal" else labels / np.maximum(labels - 1.0, 1e-300)
    of_labels = weight * (apart - shift[strata]) * there * np.sqrt(ddof[strata])
    influence = np.bincount(units, (guess - value) / n_items + of_labels).astype(np.float64)
    reasons = {
        FEW: method == "t" and n < FEWEST_LABELS,
        "no interval: all labels are alike": float(np.ptp(h[there])) == 0.0,
        "no interval: a single label in a stratum": bool((labels[sizes > 0] < 2).any()),
    }
    why = next((reason for reason, so in reasons.items() if so), None)
    variance, falling = float(np.square(influence).sum()), float(np.square(of_labels).sum())
    effective = 1.0 / float(np.square(weight).sum())
    return CorrectedMean(
        value=value,
        error=math.nan if why else math.sqrt(variance),
        dof=math.inf if method == "normal" else max(1.0, effective - int((sizes > 0).sum())),
        power=common * rest,
        n_labels=n,
        n_items=n_items,
        influence=influence,
        fixed=variance - falling,
        falling=falling * n,
        undefined=why,
    )


def two_samples(first: CorrectedMean, second: CorrectedMean) -> CorrectedMean:
    """The first mean minus the second, over the same items, whoever labelled which of them."""
    undefined = first.undefined or second.undefined
    n = min(first.n_labels, second.n_labels)
    if undefined is not None:
        return replace(first, value=math.nan, error=math.nan, n_labels=n, undefined=undefined)
    influence = first.influence - second.influence
    variance = float(np.square(influence).sum())
    falling = first.falling / first.n_labels + second.falling / second.n_labels
    return CorrectedMean(
        value=first.value - second.value, error=math.sqrt(variance),
        dof=min(first.dof, second.dof), power=(first.power + second.power) / 2.0,
        n_labels=n, n_items=first.n_items, influence=influence,
        fixed=variance - falling, falling=falling * n,
    )  # fmt: skip


def _nothing(why: str, n: int, n_items: int) -> CorrectedMean:
    return CorrectedMean(
        value=math.nan, error=math.nan, dof=math.nan, power=math.nan, n_labels=n, n_items=n_items,
        influence=np.zeros(0), undefined=why,
    )  # fmt: skip


def _halves(there: Bools, strata: Ints, seed: int) -> list[Bools]:
    """The labelled items in two halves, each stratum in turn."""
    drawn = np.random.default_rng(seed).random(len(there))
    order = np.lexsort((drawn, strata))
    order = order[there[order]]
    folds = np.full(len(there), -1)
    folds[order] = np.arange(len(order)) % _FOLDS
    return [folds == fold for fold in range(_FOLDS)]


def _power(j: Floats, h: Floats, weight: Floats, strata: Ints, rest: float) -> float:
    """The best lambda by some labels: Cov(h, j) within strata over Var(j) of all items."""

    def about(values: Floats, by: Floats) -> Floats:
        sums, whole = np.bincount(strata, by * values), np.bincount(strata, by)
        return np.asarray(values - (sums / np.where(whole > 0.0, whole, 1.0))[strata])

    spread = np.square(about(j, np.ones(len(j)))).sum() / max(1, len(j) - len(np.unique(strata)))
    theirs = np.where(weight > 0.0, h, 0.0)
    shared = (weight * about(j, weight) * about(theirs, weight)).sum() / max(weight.sum(), 1e-300)
    return min(max(float(shared / spread) * rest, 0.0), 1.0) if spread > 0.0 else 0.0


def rogan_gladen(
    judge: ArrayLike,
    people: ArrayLike,
    probability: ArrayLike | None = None,
    *,
    unit: ArrayLike | None = None,
) -> CorrectedMean:
    """The rate that people would give, by the judge's rate, recall and specificity.

    (rate + specificity - 1) / J, cut to [0, 1]; the error is the delta method's, of all three
    together. Where J = recall + specificity - 1 is near 0 the quotient means nothing: where the
    95 % interval of J holds 0 it has no error, and a reason; nor has it one under `FEWEST_LABELS`.

    Parameters
    ----------
    judge, people, probability, unit
        As for `corrected_mean`, 0 or 1 each. Items that the judge said nothing of are left out.

    Raises
    ------
    ValueError
        For a value that is neither 0 nor 1.
    """
    j, h = np.asarray(judge, dtype=np.float64), np.asarray(people, dtype=np.float64)
    for values in (j, h):
        if not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
            raise ValueError("Rogan and Gladen's correction is of values that are 0 or 1")
    read = ~np.isnan(j)
    j, h = j[read], h[read]
    there = ~np.isnan(h)
    weight = there / (np.ones(len(h)) if probability is None else np.asarray(probability)[read])
    units = np.arange(len(h)) if unit is None else np.asarray(unit)[read]
    sides = [np.where(h == side, weight, 0.0) for side in (1.0, 0.0)]
    n = int(there.sum())
    if any((side > 0.0).sum() < 2 for side in sides):
        unknown = (
            "under two labelled items of one outcome: the judge's errors on them are not known"
        )
        return _nothing(unknown, n, len(h))
    (of_one, recall), (of_zero, wrong) = (
        (side / side.sum(), float((side * j).sum() / side.sum())) for side in sides
    )
    rate, youden = float(j.mean()), recall - wrong
    errors = of_one * (j - recall), of_zero * (j - wrong)
    spread = math.sqrt(np.square(np.bincount(units, errors[0] - errors[1])).sum())
    value = (rate - wrong) / youden if youden != 0.0 else math.nan
    added = (j - rate) / len(j) - value * errors[0] - (1.0 - value) * errors[1]
    influence = np.bincount(units, added) / youden if youden != 0.0 else np.zeros(0)
    refused = youden - quantile(0.975, math.inf) * spread <= 0.0
    lacks = f"Youden's J is {youden:.2f}, and its interval holds 0: the judge hardly tells right"
    why = f"{lacks} from wrong" if refused else FEW if n < FEWEST_LABELS else None
    return CorrectedMean(
        value=float(np.clip(value, 0.0, 1.0)),
        error=math.nan if why else math.sqrt(np.square(influence).sum()),
        dof=math.inf,
        power=math.nan,
        n_labels=n,
        n_items=len(h),
        influence=influence,
        undefined=why,
    )
