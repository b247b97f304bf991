"""Scores were all answers of the baseline's style: Arena-Hard's two definitions of it [1]_.

One coefficient of each mark of style holds for all models, so a score belongs to a set of models:
one model more moves every other.

References
----------
.. [1] https://github.com/lmarena/arena-hard-auto, ``show_result.py`` at 196f6b8 (version 2.0), and
   ``utils.py`` of lm-sys/arena-hard-auto at efc012e (version 0.1).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.ranking import relative_difference

Floats: TypeAlias = NDArray[np.float64]
Definition: TypeAlias = Literal["v0.1", "v2.0"]

ODDS = np.log(10.0)
"""Of a rating of version 0.1: 400 points are tenfold odds."""
_MOST_STEPS, _NEAR = 100, 1e-12


class StyleControlled(NamedTuple):
    """Scores by model, in [0, 1], and the coefficient of each mark per standard deviation.

    All nan where the fit has no finite answer: without a penalty, in version 2.0, where a model won
    or lost everything. The coefficient of a mark that never differs is nan, and it is left out.
    ``errors`` are standard errors of the scores' log-odds, over units; nan without any.
    """

    scores: Floats
    coefficients: Floats
    errors: Floats
    n_units: int = 0

    def ends(self, level: float) -> tuple[Floats, Floats]:
        """Intervals of the scores, on the logit with Student's t; nan without errors."""
        from scipy.special import logit, stdtrit

        if self.n_units < 2:
            return np.full_like(self.scores, np.nan), np.full_like(self.scores, np.nan)
        away = float(stdtrit(self.n_units - 1, (1.0 + level) / 2.0)) * self.errors
        low, high = (1.0 / (1.0 + np.exp(-(logit(self.scores) + s * away))) for s in (-1.0, 1.0))
        return low, high


def differences(model: ArrayLike, baseline: ArrayLike, definition: Definition) -> Floats:
    """How the styles of two answers differ, shape (n, n_marks): tokens, then counts of marks.

    Version 0.1 has ``(b - m) / (b + m + 1)`` of all of them; version 2.0 ``(m - b) / (m + b)`` of
    tokens, and of marks per token more than one, ``(m - b) / (m + b + 1)``.
    """
    m, b = (np.asarray(one, dtype=np.float64) for one in (model, baseline))
    if definition == "v0.1":
        return relative_difference(b, m, floor=1.0)
    per_token = [one[:, 1:] / (one[:, :1] + 1.0) for one in (m, b)]
    marks = relative_difference(*per_token, floor=1.0)
    return np.concatenate([relative_difference(m[:, :1], b[:, :1]), marks], axis=1)


def style_controlled(
    model: ArrayLike,
    won: ArrayLike,
    weights: ArrayLike,
    style: ArrayLike,
    *,
    n_models: int,
    definition: Definition,
    units: ArrayLike | None = None,
) -> StyleControlled:
    """Fit models and style together, as converged.

    Parameters
    ----------
    model : int array, shape (n,)
        Of each game against the baseline, in ``0 .. n_models - 1``.
    won : float array, shape (n,)
        What the model won: 1, 0, or one half.
    weights : float array, shape (n,)
        What each game counts.
    style : float array, shape (n, n_marks)
        `differences`.
    definition
        Version 0.1 fits ratings of models and baseline with scikit-learn's penalty (half the sum of
        squares of all parameters), each game twice; version 2.0 fits log-odds without one, where
        upstream stops after 50 steps. Both take standard scores of style: of the population, and of
        a sample.
    units : int array, shape (n,), optional
        What is drawn together, a question with its games of all models: then scores have errors, by
        what each unit adds to the fit and to the mean style that scores are read off at [1]_.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger (1986), Longitudinal data analysis using generalized linear
       models, Biometrika 73(1), 13-22.
    """
    of, y = np.asarray(model, dtype=np.int64), np.asarray(won, dtype=np.float64)
    w, z = np.asarray(weights, dtype=np.float64), np.asarray(style, dtype=np.float64)
    old = definition == "v0.1"
    w, total = (2.0 * w, 2.0 * w.sum()) if old else (w, w.sum())
    mean = w @ z / total
    spread = np.sqrt(w @ np.square(z - mean) / (total if old else total - 1.0))
    differs = spread > 0
    z = (z - mean)[:, differs] / spread[differs]
    models = np.zeros((len(y), n_models + old))
    models[np.arange(len(y)), of] = ODDS if old else 1.0
    if old:  # the baseline is a model too, and its style comes first
        models[:, -1], z = -ODDS, -z
    design = np.concatenate([models, z], axis=1)
    fitted, bend = _logistic(design, y, w, penalty=1.0 if old else 0.0)
    strength = fitted[:n_models] - (fitted[n_models] if old else 0.0)
    odds = strength * (ODDS if old else 1.0)
    coefficients = np.full(len(differs), np.nan)
    coefficients[differs] = fitted[n_models + old :]
    errors, n_units = np.full(n_models, np.nan), 0
    if units is not None and not np.isnan(fitted).any():
        _, unit = np.unique(np.asarray(units, dtype=np.int64), return_inverse=True)
        n_units = int(unit.max()) + 1
        off = w * (y - 1.0 / (1.0 + np.exp(-(design @ fitted))))
        added = np.zeros((n_units, len(fitted)))
        np.add.at(added, unit, design * off[:, np.newaxis])
        moved = np.linalg.solve(bend, added.T).T
        of_models = moved[:, :n_models] - (moved[:, n_models : n_models + 1] if old else 0.0)
        at_mean = np.bincount(unit, w * (z @ fitted[n_models + old :]) / w.sum(), n_units)
        shares = of_models * (ODDS if old else 1.0) + at_mean[:, np.newaxis]
        errors = np.sqrt(np.square(shares).sum(axis=0) * n_units / max(1, n_units - 1))
    return StyleControlled(1.0 / (1.0 + np.exp(-odds)), coefficients, errors, n_units)


def _logistic(
    design: Floats, share: Floats, weights: Floats, *, penalty: float
) -> tuple[Floats, Floats]:
    """Newton's method on a weighted logistic likelihood, with minus its second derivatives.

    nan where it does not converge.
    """
    at = np.zeros(design.shape[1])
    hold = penalty * np.eye(len(at))
    for _ in range(_MOST_STEPS):
        chance = 1.0 / (1.0 + np.exp(-(design @ at)))
        slope = design.T @ (weights * (share - chance)) - penalty * at
        bend = (design * (weights * chance * (1.0 - chance))[:, np.newaxis]).T @ design + hold
        if not np.isfinite(bend).all() or np.linalg.matrix_rank(bend) < len(at):
            break
        step = np.linalg.solve(bend, slope)
        at = at + step / max(1.0, np.abs(step).max())
        if np.abs(step).max() < _NEAR:
            return np.asarray(at), bend
    return np.full(len(at), np.nan), hold
