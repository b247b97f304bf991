"""How difficult instructions are, fitted from judgments, for length-controlled win rates.

A calibration makes `judgebench.stats.length_control` work for another judge, baseline or set of
instructions than those that one was published for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.length_control import (
    TOLERANCE,
    Anchors,
    Floats,
    check_rows,
    floats,
    positive,
    row_losses,
    sigmoid,
    spread_of,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """What a set of judgments says of instructions, for `exact` and `compat` to use.

    Parameters
    ----------
    difficulty : float array, shape (n_items,)
        Log-odds that a model wins on the instruction beyond its average (large is easy for the
        models, as published); nan where no model has a verdict.
    length, intercept : float array, shape (n_models,)
        Each model's slope of length and its log-odds at equal length and difficulty 0.
    spread : float
        Standard deviation of the normal prior of difficulties.
    reliability : float
        Share of the difficulties' variance that the verdicts determine, in [0, 1]: one less the
        mean posterior variance over ``spread ** 2``. Of AlpacaEval 2's published verdicts, 5
        models give 0.3 and 26 give 0.7; another model's length-controlled win rate then lies
        2.8 and 1.7 points (mean of the absolute differences) from the one at the published
        difficulty and with anchors.
    anchors : Anchors, optional
        From the models that were marked as the baseline with its length changed.
    residual : float
        Largest derivative of the objective at the fit, per verdict.
    reason : str
        Why there is no calibration; empty where there is one.
    """

    difficulty: Floats
    length: Floats
    intercept: Floats
    spread: float
    reliability: float
    anchors: Anchors | None
    residual: float
    reason: str = ""


ANCHOR_WEIGHT = 0.2
"""What all anchor rows of one instruction count together, as published."""

_SPREADS = (0.05, 20.0)
"""Prior standard deviations of difficulty, in log-odds, among which the best is sought."""

_ENOUGH_GAIN = 2.706 / 2.0
"""Log-likelihood that a spread must gain over none: the likelihood-ratio test at 5 %, where the
parameter lies at its bound and half of all samples gain nothing (see `fit_difficulty`)."""

_WIDE = 10.0
"""Prior standard deviation of slopes and intercepts: keeps those of a model that always loses
finite, and moves no other by anything that matters."""


def fit_difficulty(
    preference: ArrayLike,
    length_difference: ArrayLike,
    *,
    anchored: ArrayLike | None = None,
    spread: float | None = None,
) -> Calibration:
    """Difficulty of each instruction, from many models' verdicts against one baseline.

    One logistic regression over all models, ``length_m * tanh(dl_mi) + difficulty_i +
    intercept_m``, in which difficulties have a normal prior around 0: an instruction on which
    everybody loses has no finite maximum-likelihood difficulty. The prior's spread maximises the
    marginal likelihood in Laplace's approximation [1]_.

    Adding a constant to all difficulties and taking it from all intercepts changes no prediction:
    the difficulties' mean is set to 0, unless ``anchored`` models, which have no intercept, fix
    it. Difficulties of instructions that no chain of common models connects cannot be compared:
    that is refused.

    A model that helped to fit the difficulties is explained too well by them; with few models,
    leave it out of its own calibration.

    Parameters
    ----------
    preference : float array, shape (n_models, n_items)
        Probability that the model wins, in [0, 1]; nan where there is no verdict.
    length_difference : float array, shape (n_models, n_items)
        The baseline's length less the model's, in characters; nan where there is no answer.
    anchored : bool array, shape (n_models,), optional
        Models that are the baseline, asked to be longer or shorter.
    spread : float, optional
        Standard deviation of the prior; estimated unless given.

    Returns
    -------
    Calibration
        Undefined, with its reason: fewer than two models that have a verdict and answers of
        different length; instructions in unconnected groups; verdicts that do not show that
        instructions differ in difficulty (a likelihood-ratio test at 5 % [2]_) or that the
        instruction decides alone; a fit that does not converge.

    Raises
    ------
    ValueError
        When shapes differ, a preference lies outside [0, 1] or comes without an answer, or
        ``spread`` is not positive.

    References
    ----------
    .. [1] N. E. Breslow, D. G. Clayton (1993), Approximate inference in generalized linear mixed
       models, Journal of the American Statistical Association 88(421), 9-25.
    .. [2] S. G. Self, K.-Y. Liang (1987), Asymptotic properties of maximum likelihood estimators
       and likelihood ratio tests under nonstandard conditions, ibid. 82(398), 605-610.
    """
    y, differences = floats(preference), floats(length_difference)
    if y.ndim != 2 or y.shape != differences.shape:
        raise ValueError(f"preferences {y.shape} and lengths {differences.shape} do not match")
    pinned = np.zeros(len(y), dtype=bool) if anchored is None else np.asarray(anchored, dtype=bool)
    if pinned.shape != (len(y),):
        raise ValueError(f"{len(y)} models, but {pinned.shape} marks of anchored ones")
    check_rows(y, differences)
    seen = ~np.isnan(y)
    standard = _standardised(differences)
    useful = np.asarray(seen.any(axis=1) & np.isfinite(standard).any(axis=1), dtype=bool)
    if useful.sum() < 2:
        return _uncalibrated(y, "fewer than two models with verdicts and varying lengths")
    seen &= useful[:, np.newaxis]
    pinned = pinned & useful
    if not _connected(seen, pinned):
        return _uncalibrated(y, "groups of instructions that no model's verdicts connect")
    joint = _Joint(
        np.where(seen, y, 0.0)[useful],
        np.where(seen, np.tanh(standard), 0.0)[useful],
        seen[useful],
        pinned[useful],
    )
    fitted = joint.fit(None if spread is None else positive(spread, "spread"))
    if not fitted.residual <= TOLERANCE:
        return _uncalibrated(y, f"the fit did not converge (residual {fitted.residual:.1e})")
    if fitted.gain < _ENOUGH_GAIN:
        return _uncalibrated(y, "the verdicts do not show that instructions differ in difficulty")
    if spread is None and fitted.spread > 0.95 * _SPREADS[1]:
        return _uncalibrated(y, "the verdicts depend on the instruction alone, not on the model")
    difficulty = np.where(seen.any(axis=0), fitted.difficulty, np.nan)
    length, intercept = np.full(len(y), np.nan), np.full(len(y), np.nan)
    length[useful], intercept[useful] = fitted.length, fitted.intercept
    if not pinned.any():
        middle = np.nanmean(difficulty)
        difficulty, intercept = difficulty - middle, intercept + middle
    anchors = None
    if (rows := seen & pinned[:, np.newaxis]).any():
        anchors = Anchors(
            std_length=standard[rows],
            difficulty=np.broadcast_to(difficulty, y.shape)[rows],
            preference=y[rows],
            weight=ANCHOR_WEIGHT / int(pinned.sum()),
        )
    return Calibration(
        difficulty=difficulty,
        length=length,
        intercept=intercept,
        spread=fitted.spread,
        reliability=fitted.reliability,
        anchors=anchors,
        residual=fitted.residual,
    )


def _uncalibrated(y: Floats, reason: str) -> Calibration:
    return Calibration(
        difficulty=np.full(y.shape[1], np.nan),
        length=np.full(len(y), np.nan),
        intercept=np.full(len(y), np.nan),
        spread=np.nan,
        reliability=np.nan,
        anchors=None,
        residual=np.nan,
        reason=reason,
    )


def _standardised(differences: Floats) -> Floats:
    """In standard deviations of each model's own answers; nan where those do not vary."""
    found = np.full(differences.shape, np.nan)
    for model, row in enumerate(differences):
        if (sd := spread_of(row[~np.isnan(row)])) > 0:
            found[model] = row / sd
    return found


def _connected(seen: NDArray[np.bool_], pinned: NDArray[np.bool_]) -> bool:
    """Whether every instruction with a verdict is reached, over models, from where the scale is
    fixed: by the pinned models, or by any one."""
    models = pinned & seen.any(axis=1)
    if not models.any():
        models[np.flatnonzero(seen.any(axis=1))[:1]] = True
    while True:
        items = np.asarray(seen[models].any(axis=0), dtype=bool)
        more = np.asarray(seen[:, items].any(axis=1), dtype=bool)
        if (more == models).all():
            return bool((items == seen.any(axis=0)).all())
        models = more


@dataclass(frozen=True, slots=True, eq=False)
class _JointFit:
    difficulty: Floats
    length: Floats
    intercept: Floats
    spread: float
    gain: float  # in log-likelihood over instructions of one difficulty; nan at a given spread
    reliability: float
    residual: float


class _Joint:
    """The joint regression: difficulties hang together only through the models' few coefficients,
    so that Newton's system is solved for those after the difficulties are eliminated."""

    def __init__(
        self, y: Floats, t: Floats, seen: NDArray[np.bool_], pinned: NDArray[np.bool_]
    ) -> None:
        self.y, self.t, self.seen, self.m = y, t, seen, len(y)
        self.free = np.concatenate([np.ones(self.m, dtype=bool), ~pinned])
        self.items = seen.any(axis=0)
        self.n = y.shape[1]

    def fit(self, spread: float | None) -> _JointFit:
        """At the given spread, or at the one with the largest marginal likelihood."""
        point, gain = np.zeros(self.n + 2 * self.m), np.nan
        if spread is None:
            from scipy.optimize import minimize_scalar

            def lost(log_spread: float) -> float:
                nonlocal point  # the next spread tried is near: start from this one's fit
                point, _ = self._newton(point, float(np.exp(log_spread)))
                return self._minus_marginal(point, float(np.exp(log_spread)))

            ends = tuple(float(np.log(end)) for end in _SPREADS)
            best = minimize_scalar(lost, bounds=ends, method="bounded")
            spread, gain = float(np.exp(best.x)), float(lost(ends[0]) - best.fun)
        point, residual = self._newton(point, spread)
        variance = self._posterior_variance(point, spread)[self.items]
        return _JointFit(
            difficulty=point[: self.n],
            length=point[self.n : self.n + self.m],
            intercept=point[self.n + self.m :],
            spread=spread,
            gain=gain,
            reliability=float(1.0 - variance.mean() / spread**2),
            residual=residual,
        )

    def _minus_marginal(self, point: Floats, sigma: float) -> float:
        """Laplace's approximation, up to a constant; instructions without a verdict drop out."""
        diagonal, _, rest = self._system(sigmoid(self._eta(point)), sigma)
        curvature = np.log(diagonal * sigma**2).sum() + np.linalg.slogdet(rest)[1]
        return self._objective(point, sigma) + 0.5 * float(curvature)

    def _eta(self, point: Floats) -> Floats:
        g, a, c = np.split(point, [self.n, self.n + self.m])
        return np.asarray(g + a[:, np.newaxis] * self.t + c[:, np.newaxis])

    def _priors(self, sigma: float) -> Floats:
        return np.concatenate([np.full(self.n, sigma**-2.0), np.full(2 * self.m, _WIDE**-2.0)])

    def _objective(self, point: Floats, sigma: float) -> float:
        eta = self._eta(point)
        lost = np.where(self.seen, row_losses(self.y, eta), 0.0).sum()
        return float(lost + 0.5 * (self._priors(sigma) * np.square(point)).sum())

    def _gradient(self, point: Floats, p: Floats, sigma: float) -> Floats:
        error = np.where(self.seen, p - self.y, 0.0)
        found = np.concatenate([error.sum(axis=0), (error * self.t).sum(axis=1), error.sum(axis=1)])
        found += self._priors(sigma) * point
        found[self.n :][~self.free] = 0.0
        return found

    def _system(self, p: Floats, sigma: float) -> tuple[Floats, Floats, Floats]:
        """Hessian as the diagonal of the difficulties, the border, and what is left of the
        models' block once the difficulties are eliminated."""
        q = np.where(self.seen, p * (1.0 - p), 0.0)
        prior = self._priors(sigma)
        diagonal = q.sum(axis=0) + prior[: self.n]
        border = np.concatenate([q * self.t, q]) * self.free[:, np.newaxis]  # (2 m, n)
        block = np.diag(np.where(self.free, prior[self.n :], 1.0))
        slopes, intercepts = np.arange(self.m), self.m + np.arange(self.m)
        has_intercept = self.free[self.m :]
        both = np.where(has_intercept, (q * self.t).sum(axis=1), 0.0)
        block[slopes, slopes] += (q * self.t * self.t).sum(axis=1)
        block[slopes, intercepts] += both
        block[intercepts, slopes] += both
        block[intercepts, intercepts] += np.where(has_intercept, q.sum(axis=1), 0.0)
        return diagonal, border, block - (border / diagonal) @ border.T

    def _newton(self, point: Floats, sigma: float) -> tuple[Floats, float]:
        lost = self._objective(point, sigma)
        for _ in range(100):
            p = sigmoid(self._eta(point))
            gradient = self._gradient(point, p, sigma)
            residual = float(np.abs(gradient).max() / self.seen.sum())
            if residual <= TOLERANCE / 10:
                break
            diagonal, border, rest = self._system(p, sigma)
            own, models = gradient[: self.n], gradient[self.n :]
            step_models = np.linalg.solve(rest, border @ (own / diagonal) - models)
            step = np.concatenate([(-own - step_models @ border) / diagonal, step_models])
            share, slope = 1.0, float(gradient @ step)
            while share > 1e-10:
                there = self._objective(point + share * step, sigma)
                if there <= lost + 1e-4 * share * slope + 1e-13 * abs(lost):
                    break
                share /= 2.0
            point, lost = point + share * step, there
        return point, residual

    def _posterior_variance(self, point: Floats, sigma: float) -> Floats:
        diagonal, border, rest = self._system(sigmoid(self._eta(point)), sigma)
        scaled = border / diagonal
        through = np.einsum("ki,ki->i", scaled, np.linalg.solve(rest, scaled))
        return np.asarray(1.0 / diagonal + through)
