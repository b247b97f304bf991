"""Win rates at equal length: what a model would win if its answers were as long as the baseline's.

For each model one logistic regression explains the judge's preferences by the difference in
length, the instruction's difficulty and the model [1]_::

    logit P(model wins) = length * tanh(dl_i) + difficulty * d_i + intercept
    length-controlled win rate = 100 * mean_i sigmoid(difficulty * d_i + intercept)

``dl_i`` is the baseline's length less the model's, in standard deviations of that difference over
the model's answers; ``d_i`` comes with a calibration, which `fit_difficulty` makes, see
`judgebench.stats.length_calibration`.
The fit minimises ``|w|_1 + c * sum_i s_i loss_i``; anchor rows (the baseline asked to be verbose or
concise, against itself) take part with a small weight and without the intercept.

`compat` is the fit as published, liblinear with its loose tolerance. `exact` is the minimum itself.

.. [1] Y. Dubois, B. Galambosi, P. Liang, T. B. Hashimoto (2024), Length-Controlled AlpacaEval: A
   Simple Way to Debias Automatic Evaluators, arXiv 2404.04475.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import side_by_side

Floats: TypeAlias = NDArray[np.float64]

CANDIDATES: tuple[float, ...] = tuple(float(c) for c in np.logspace(-4, 4, 10))
"""Values of ``c`` among which cross-validation chooses, as published."""

FOLDS = 5

MIN_VALID = 200
"""Valid verdicts below which `exact` refuses unless told otherwise. Bootstrap intervals meant to
hold in 95 % of samples held in 90 % with 50 verdicts (81 % for models that win 4 to 6 %), in 92 %
with 100, 93 % with 200 and 94 % with 805 (``perf/length_control_coverage.py``)."""

TOLERANCE = 1e-10
"""Largest violation of the optimality conditions, per unit of weight, of an `exact` fit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anchors:
    """Rows of the baseline with its length changed on purpose, against itself.

    Parameters
    ----------
    std_length : float array, shape (n_anchors,)
        Difference in length, already in standard deviations.
    difficulty : float array, shape (n_anchors,)
    preference : float array, shape (n_anchors,)
        In [0, 1]: probability that the changed answer wins.
    weight : float
        What an anchor row counts beside a model's row.

    Raises
    ------
    ValueError
        When shapes differ, a value is not finite, or a preference lies outside [0, 1].
    """

    std_length: Floats
    difficulty: Floats
    preference: Floats
    weight: float = 0.1

    def __post_init__(self) -> None:
        for name in ("std_length", "difficulty", "preference"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1 or not np.isfinite(values).all():
                raise ValueError(f"{name} of the anchors must be a row of finite numbers")
            object.__setattr__(self, name, values)
        if not len(self.std_length) == len(self.difficulty) == len(self.preference):
            raise ValueError("the anchors' columns differ in length")
        _check_preferences(self.preference)
        if not (np.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"the anchors' weight must be 0 or more, not {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthControl:
    """A model's length-controlled win rate, and the fit that it comes from.

    Parameters
    ----------
    value : float
        Per cent; nan where `reason` says why.
    length, difficulty, intercept : float
        The coefficients; nan with `value`.
    c : float
        Weight of the loss against the coefficients' absolute values; nan without a fit.
    published_error : float
        What AlpacaEval prints as ``lc_standard_error``: the spread of the predictions over
        instructions, per cent. It leaves out that the coefficients are estimates and is 2 to 5
        times too small; intervals come from `replicates`.
    n, n_valid : int
        Instructions answered, and those of them with a verdict.
    residual : float
        Largest violation of the optimality conditions per unit of weight; 0 is the exact minimum.
    reason : str
        Why there is no value; empty where there is one.
    """

    value: float
    length: float
    difficulty: float
    intercept: float
    c: float
    published_error: float
    n: int
    n_valid: int
    residual: float
    reason: str = ""

    @property
    def coefficients(self) -> Floats:
        """``length, difficulty, intercept``, shape (3,)."""
        return np.array([self.length, self.difficulty, self.intercept])


def exact(
    preference: ArrayLike,
    length_difference: ArrayLike,
    difficulty: ArrayLike,
    *,
    anchors: Anchors | None = None,
    c: float | None = None,
    min_valid: int = MIN_VALID,
) -> LengthControl:
    """Length-controlled win rate from the minimum of the published objective.

    Parameters
    ----------
    preference : float array, shape (n_items,)
        Probability that the model wins, in [0, 1]; nan where there is no verdict.
    length_difference : float array, shape (n_items,)
        The baseline's length less the model's, in characters; nan where the model has no answer
        (such an item takes no part). A row without a verdict counts in the mean.
    difficulty : float array, shape (n_items,)
        Of each row's instruction, as calibrated for this judge and baseline.
    anchors : Anchors, optional
    c : float, optional
        Chosen by `FOLDS`-fold cross-validation among `CANDIDATES` unless given. Row k of all rows
        with a verdict, the anchors' first, is held out in fold ``(last - k) % FOLDS``. Without
        anchors ``CANDIDATES[-1]``, hardly a penalty, is the better choice: which ``c`` is chosen
        varies with the data, and intervals at one ``c`` do not hold that (89.6 % coverage for a
        model even with its baseline, against 94.3 %, by ``perf/length_control_coverage.py``).
    min_valid : int
        Fewer verdicts are refused.

    Returns
    -------
    LengthControl
        Undefined, with its reason: too few verdicts; answers without a calibrated difficulty;
        lengths that differ by the same everywhere. A model whose answers all tie at the
        baseline's own length is the baseline: 50 with coefficients 0, without a fit.

    Raises
    ------
    ValueError
        When shapes differ, a preference lies outside [0, 1] or comes without an answer, or ``c``
        is not positive.
    """
    rows = _Rows.of(preference, length_difference, difficulty, anchors)
    refused = rows.refusal(min_valid)
    if refused is not None:
        return refused
    weights = np.ones((1, len(rows.loss.y)))
    chosen, near = _choose(rows.loss, _fold_fits) if c is None else (positive(c), np.zeros(3))
    coefficients, _ = _minimise(
        rows.loss, weights, np.array([chosen]), near, tolerance=TOLERANCE / 100.0
    )
    return rows.result(coefficients[0], chosen, tolerance=TOLERANCE)


def compat(
    preference: ArrayLike,
    length_difference: ArrayLike,
    difficulty: ArrayLike,
    *,
    anchors: Anchors | None = None,
    c: float | None = None,
) -> LengthControl:
    """Length-controlled win rate as AlpacaEval 0.6.6 computes it, by liblinear.

    Each row enters twice, as a win with weight ``preference`` and as a loss with the rest; L1,
    no intercept term, tolerance 1e-4, at most 100 iterations, seed 123. Upstream looks difficulty
    up by row position: whoever wants its figures for files with missing rows passes it so.
    Upstream's cross-validation depends on the machine below scikit-learn 1.8; the folds here are
    those of later ones.

    Parameters
    ----------
    preference, length_difference, difficulty, anchors, c
        As in `exact`, the rows in the order of the file.

    Returns
    -------
    LengthControl
        Undefined as in `exact`, but for a minimum of verdicts: `FOLDS` of them do.

    Raises
    ------
    ValueError
        As `exact`.
    """
    rows = _Rows.of(preference, length_difference, difficulty, anchors)
    refused = rows.refusal(FOLDS)
    if refused is not None:
        return refused
    chosen = positive(c) if c is not None else _choose(rows.loss, _liblinear_fold_fits)[0]
    x, y, s = rows.loss.all_rows()
    return rows.result(_liblinear(x, y, s, chosen), chosen, tolerance=np.inf)


def replicates(
    preference: ArrayLike,
    length_difference: ArrayLike,
    difficulty: ArrayLike,
    *,
    fits: Sequence[LengthControl],
    weights: ArrayLike,
    anchors: Anchors | None = None,
    tolerance: float = 1e-6,
) -> Floats:
    """Length-controlled win rates of many models on reweighted instructions.

    With `resample.multinomial_weights` these are bootstrap replicates, paired over models; with
    ``1 - identity`` the leave-one-out values of a jackknife. Each replicate is fitted anew at the
    ``c`` of the model's own fit; lengths keep their standard deviation, and anchor rows, which
    are the calibration's, their weight.

    Parameters
    ----------
    preference, length_difference : float array, shape (n_models, n_items)
        As in `exact`, one row a model.
    difficulty : float array, shape (n_items,) or (n_models, n_items)
    fits : sequence of LengthControl
        Of each model, by `exact` or `compat`.
    weights : float array, shape (n_replicates, n_items)
        How often each instruction counts.
    anchors : Anchors, optional
        Those of the fits.
    tolerance : float
        Violation of the optimality conditions, per unit of weight, after which one more step of
        Newton's method is the last.

    Returns
    -------
    float array, shape (n_replicates, n_models)
        Per cent; nan where the model's fit has none, and where a replicate holds no verdict of
        the model.

    Raises
    ------
    ValueError
        As `exact`, or when shapes do not fit each other.
    """
    y, differences = np.atleast_2d(floats(preference)), np.atleast_2d(floats(length_difference))
    w, d = np.atleast_2d(np.asarray(weights)), floats(difficulty)
    short = tolerance > _SHORT and len(w) > len(_POWERS)
    w = w.astype(np.float32 if short else np.float64, copy=False)
    if not (np.isfinite(w).all() and (w >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    if y.shape != differences.shape or y.shape != (len(fits), w.shape[1]) or y.ndim != 2:
        raise ValueError(
            f"preferences {y.shape}, lengths {differences.shape}, weights {w.shape} and "
            f"{len(fits)} fits do not belong together"
        )
    d = np.broadcast_to(d, y.shape)
    found = np.full((len(w), len(y)), np.nan)

    def fit_again(model: int) -> None:
        fit = fits[model]
        if np.isnan(fit.value):
            return
        rows = _Rows.of(y[model], differences[model], d[model], anchors)
        judged = ~np.isnan(y[model])
        weights_of = w if judged.all() else w[:, judged]
        seen = _totals(weights_of) > 0
        if np.isnan(fit.c):  # the baseline itself
            found[seen, model] = fit.value
            return
        coefficients, converged = _minimise(
            rows.loss, weights_of, np.full(len(w), fit.c), fit.coefficients, tolerance=tolerance
        )
        answered = w if rows.answered.all() else w[:, rows.answered]
        rates = _win_rates(coefficients, rows.d, answered)
        found[:, model] = np.where(seen & converged, rates, np.nan)

    with side_by_side(len(fits)) as each:
        each(fit_again, range(len(fits)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One model's rows: those with a verdict make the loss, all of them are predicted for."""

    loss: _Loss
    d: Floats  # (n,): difficulty of every answered instruction
    answered: NDArray[np.bool_]  # (n_items,)
    same_length: bool  # as the baseline's, everywhere
    sd: float

    @classmethod
    def of(
        cls,
        preference: ArrayLike,
        length_difference: ArrayLike,
        difficulty: ArrayLike,
        anchors: Anchors | None,
    ) -> _Rows:
        y, differences, d = floats(preference), floats(length_difference), floats(difficulty)
        if not y.shape == differences.shape == d.shape or y.ndim != 1:
            raise ValueError(
                "one preference, length and difficulty for each row are needed, not "
                f"{y.shape}, {differences.shape} and {d.shape}"
            )
        check_rows(y, differences)
        if np.isinf(d).any():
            raise ValueError("difficulties must be finite, or nan where unknown")
        answered = ~np.isnan(differences)
        y, differences, d = y[answered], differences[answered], d[answered]
        sd = spread_of(differences)
        x = np.column_stack([np.tanh(differences / (sd or 1.0)), d, np.ones(len(d))])
        judged = ~np.isnan(y)
        return cls(
            loss=_Loss(x[judged], y[judged], anchors),
            d=d,
            answered=answered,
            same_length=not differences.any(),
            sd=sd,
        )

    def refusal(self, min_valid: int) -> LengthControl | None:
        """A result without a fit, where there can be none or need be none."""
        n_valid, unknown = len(self.loss.y), int(np.isnan(self.d).sum())
        if n_valid < min_valid:
            return self._undefined(f"{n_valid} valid verdicts, fewer than {min_valid}")
        if self.same_length and (self.loss.y == 0.5).all():
            return LengthControl(
                value=50.0, length=0.0, difficulty=0.0, intercept=0.0, c=np.nan,
                published_error=0.0, n=len(self.d), n_valid=n_valid, residual=0.0,
            )  # fmt: skip
        if self.sd == 0:
            return self._undefined("every answer differs from the baseline's by the same length")
        if unknown:
            return self._undefined(
                f"{unknown} of {len(self.d)} answers are to instructions without a calibrated "
                "difficulty"
            )
        return None

    def _undefined(self, reason: str) -> LengthControl:
        return LengthControl(
            value=np.nan, length=np.nan, difficulty=np.nan, intercept=np.nan, c=np.nan,
            published_error=np.nan, n=len(self.d), n_valid=len(self.loss.y), residual=np.nan,
            reason=reason,
        )  # fmt: skip

    def result(self, w: Floats, c: float, *, tolerance: float) -> LengthControl:
        """The estimate at these coefficients, if they are the minimum."""
        loss = self.loss
        gradient, _ = loss.derivatives_at_one(np.ones((1, len(loss.y))), w)
        total = len(loss.y) + loss.fixed_s.sum()
        residual = float(_residual(w, gradient[0], 1.0 / c).max() / total)
        if not residual <= tolerance:
            return self._undefined(f"the fit did not converge (residual {residual:.1e})")
        p = sigmoid(w[1] * self.d + w[2])
        return LengthControl(
            value=float(100.0 * p.mean()),
            length=float(w[0]),
            difficulty=float(w[1]),
            intercept=float(w[2]),
            c=c,
            published_error=float(100.0 * p.std(ddof=1) / np.sqrt(len(p))),
            n=len(self.d),
            n_valid=len(loss.y),
            residual=residual,
        )


class _Loss:
    """Weighted logistic loss of rows that may be reweighted, and of anchor rows that are not."""

    def __init__(self, x: Floats, y: Floats, anchors: Anchors | None) -> None:
        self.x, self.y = x, y  # (n, 3): tanh of the length, difficulty, 1; and (n,)
        if anchors is None:
            self.fixed_x, self.fixed_y, self.fixed_s = np.zeros((0, 3)), np.zeros(0), np.zeros(0)
        else:
            self.fixed_y = anchors.preference
            self.fixed_s = np.full(len(self.fixed_y), anchors.weight)
            no_intercept = np.zeros(len(self.fixed_y))
            self.fixed_x = np.column_stack(
                [np.tanh(anchors.std_length), anchors.difficulty, no_intercept]
            )
        self._smooth: _Smooth | None = None
        # Products of each two columns, and what the anchors' labels make of the gradient.
        self._squares = x[:, _UPPER[0]] * x[:, _UPPER[1]]
        self._fixed_weighted = self.fixed_s[:, np.newaxis] * self.fixed_x
        self._fixed_squares = self._fixed_weighted[:, _UPPER[0]] * self.fixed_x[:, _UPPER[1]]
        self._fixed_labels = self.fixed_y @ self._fixed_weighted

    def all_rows(self) -> tuple[Floats, Floats, Floats]:
        """Design, labels and weights, the anchors first."""
        return (
            np.concatenate([self.fixed_x, self.x]),
            np.concatenate([self.fixed_y, self.y]),
            np.concatenate([self.fixed_s, np.ones(len(self.y))]),
        )

    def value(self, weights: Floats, w: Floats) -> float:
        """At one ``w``, shape (3,), for one weighting, shape (n,)."""
        own = weights @ row_losses(self.y, self.x @ w)
        return float(own + self.fixed_s @ row_losses(self.fixed_y, self.fixed_x @ w))

    def derivatives(self, weights: NDArray[Any], w: Floats, start: Floats) -> tuple[Floats, Floats]:
        """Gradient (r, 3) and Hessian (r, 3, 3) for each weighting (r, n) at its own ``w``.

        Of rows in as many digits as the weightings have, which are those of what differs from
        ``start``, shape (3,): with ``t = tanh(eta / 2)`` a probability is ``(1 + t) / 2``.
        """
        if len(w) == 1:
            return self.derivatives_at_one(weights, w[0])
        kind, t = weights.dtype, np.tanh(self.x @ start / 2.0)[:, np.newaxis]
        common = np.hstack([((1.0 + t) / 2.0 - self.y[:, np.newaxis]) * self.x,
                            (1.0 - t * t) / 4.0 * self._squares])  # fmt: skip
        found = (weights @ common.astype(kind)).astype(np.float64)
        given = (w / 2.0, self.x, self._squares / 4.0, t.T)
        half, x, squares, first = (one.astype(kind, copy=False) for one in given)
        size = max(1, _BLOCK // (1 + len(x)))
        for at in range(0, len(w), size):
            block = slice(at, at + size)
            there = np.tanh(half[block] @ x.T)
            off = there - first
            off *= weights[block]
            found[block, :3] += off @ x / 2.0
            there += first
            off *= there
            found[block, 3:] -= off @ squares
        gradient, upper = found[:, :3] - self._fixed_labels, found[:, 3:]
        if len(self.fixed_x):
            fixed = self._fixed(w[:, :2], kind)
            gradient[:, :2] += fixed[:, :2]
            upper[:, [0, 1, 3]] += fixed[:, 2:]
        return gradient, _symmetric(upper)

    def _fixed(self, w: Floats, kind: np.dtype[Any]) -> Floats:
        """As `_fixed_sums`; at many points read off between a few."""
        nodes = _NODES[kind.itemsize]
        if self._smooth is None and len(w) >= 2 * nodes**2 and np.isfinite(w).all():
            self._smooth = _Smooth(self._fixed_sums, w, nodes)
        if self._smooth is None:
            return self._fixed_sums(w)
        known = self._smooth.holds(w)
        found = np.empty((len(w), 5))
        found[known] = self._smooth(w[known])
        found[~known] = self._fixed_sums(w[~known])
        return found

    def _fixed_sums(self, w: Floats) -> Floats:
        """What the anchors add to gradient and Hessian, (r, 5), at some ``w`` without intercept."""
        found = np.empty((len(w), 5))
        size = max(1, _BLOCK // len(self.fixed_x))
        for at in range(0, len(w), size):
            block = slice(at, at + size)
            p = sigmoid(w[block] @ self.fixed_x[:, :2].T)
            found[block, :2] = p @ self._fixed_weighted[:, :2]
            p *= 1.0 - p
            found[block, 2:] = p @ self._fixed_squares[:, [0, 1, 3]]
        return found

    def derivatives_at_one(self, weights: Floats, w: Floats) -> tuple[Floats, Floats]:
        """The same where all stand at one ``w``, shape (3,): predictions once, sums by weight."""
        p, q = sigmoid(self.x @ w), sigmoid(self.fixed_x @ w)
        gradient = weights @ ((p - self.y)[:, np.newaxis] * self.x)
        gradient += (q - self.fixed_y) @ self._fixed_weighted
        upper = weights @ ((p * (1.0 - p))[:, np.newaxis] * self._squares)
        upper += (q * (1.0 - q)) @ self._fixed_squares
        return gradient, _symmetric(upper)


# How the coefficients are found: proximal Newton steps, for all replicates at once.

_BLOCK = 2**15
"""Predictions that are worked on at a time: what stays in the processor's cache."""

_NODES = {8: 16, 4: 10}
"""Of Chebyshev's, in each of two dimensions, by the bytes of a weight: between them sums over the
anchors are interpolated. They are smooth, and from nodes as near as replicates lie their error is
that of rounding, or with 10 nodes a hundredth of that of four bytes."""

_SMOOTH = {16: 1e-13, 10: 1e-7}
"""Of the last coefficients beside the greatest, by the nodes: with larger ones more are needed."""

_SHORT = 1e-7
"""With a larger tolerance rows of many replicates are in seven digits: they reach a tenth of it."""

_FLAT = {8: 1e-10, 4: 1e-3}
"""Of the greatest curvature that a loss can have, by the bytes of a weight: a smaller one, as where
wins and losses lie apart, is hardly more than rounding, and a step by it leads anywhere."""

_FULL_STEPS = 12
"""Newton steps without a look at the objective; from near the minimum a few suffice."""

_PATTERNS = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))
_UPPER = np.triu_indices(3)


def _minimise(
    loss: _Loss, weights: NDArray[Any], c: Floats, start: Floats, *, tolerance: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Minimum of ``|w|_1 + c * loss`` for each weighting of the loss's rows [1]_.

    Full Newton steps first, which reach it in a few where the start is near; what they do not
    bring there, and what is flat on the way, starts again from zero with steps that are shortened
    until they descend.

    Parameters
    ----------
    weights : float array, shape (n_replicates, n_valid)
        Of the digits in which rows are summed.
    c : float array, shape (n_replicates,)
    start : float array, shape (3,)

    Returns
    -------
    coefficients : float array, shape (n_replicates, 3)
    converged : bool array, shape (n_replicates,)

    References
    ----------
    .. [1] J. D. Lee, Y. Sun, M. A. Saunders (2014), Proximal Newton-type methods for minimizing
       composite functions, SIAM Journal on Optimization 24(3), 1420-1443.
    """
    w, penalty = np.tile(start, (len(weights), 1)), 1.0 / c
    limit = tolerance * (_totals(weights) + loss.fixed_s.sum())
    left = np.arange(len(weights))
    if len(weights) > len(_POWERS):
        w = _near_minimum(loss, weights.astype(np.float32, copy=False), penalty, start)
        gradient, hessian = loss.derivatives(weights, w, start)
    else:
        gradient, hessian = loss.derivatives_at_one(weights, start)
    kind, greatest = weights.dtype, np.square(loss.x.T) / 4.0
    least = _FLAT[kind.itemsize] * np.stack(
        [weights @ one.astype(kind) for one in greatest], axis=1
    )
    flat = np.zeros(len(weights), dtype=np.bool_)
    for attempt in range(_FULL_STEPS):
        flat[left] = (np.diagonal(hessian, axis1=1, axis2=2) < least[left]).any(axis=1)
        keep = ~flat[left]
        left, gradient, hessian = left[keep], gradient[keep], hessian[keep]
        broken = _residual(w[left], gradient, penalty[left, np.newaxis]).max(axis=1)
        move = broken > 0  # at the exact minimum, which zero often is, there is no step to take
        moved = left[move]
        w[moved] = _step(w[moved], gradient[move], hessian[move], penalty[moved])
        left = left[~(broken <= limit[left])]
        if not left.size or attempt == _FULL_STEPS - 1:
            break
        gradient, hessian = loss.derivatives(weights[left], w[left], start)
    converged = np.asarray(np.isfinite(w).all(axis=1), dtype=bool)
    converged[left] = False
    converged[flat] = False
    for one in np.flatnonzero(~converged):
        # Where the loss is flat all gradients are small, those far beyond the minimum too.
        small = min(limit[one], penalty[one] / 10.0)
        w[one], converged[one] = _descend(loss, weights[one], penalty[one], small)
    return w, converged


# Where there are many replicates, most of the way is gone on a polynomial: the derivatives of each
# one's loss by Taylor's formula from where all of them start, whose terms are sums by weight.

_DEGREE = 4
"""Of the polynomial that a gradient is taken for; it is read there, and never a result."""

_POWERS = np.array(
    sorted(
        (one for one in product(range(_DEGREE + 2), repeat=3) if sum(one) <= _DEGREE + 1), key=sum
    )
)
"""Exponents of the three coefficients in each term, the lowest degrees first."""

_DEGREE_OF = _POWERS.sum(axis=1)
_FACTORIALS = np.array([math.prod(map(math.factorial, one)) for one in _POWERS.tolist()])


def _terms_below() -> list[tuple[int, int]]:
    """Of each term but the first, which it is when a column is taken from it, and which column."""
    place = {tuple(one): at for at, one in enumerate(_POWERS.tolist())}
    found = []
    for one in _POWERS[1:].tolist():
        column = next(at for at, power in enumerate(one) if power)
        one[column] -= 1
        found.append((place[tuple(one)], column))
    return found


_ONE_LESS = _terms_below()


def _terms_above(degree: int, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each term to a degree with each of these exponents more."""
    place = {tuple(one): at for at, one in enumerate(_POWERS.tolist())}
    low = _POWERS[degree >= _DEGREE_OF]
    return np.array([[place[tuple((one + step).tolist())] for step in steps] for one in low])


_ONE_MORE = _terms_above(_DEGREE, np.eye(3, dtype=np.int64))
_TWO_MORE = _terms_above(_DEGREE - 1, np.eye(3, dtype=np.int64)[np.array(_UPPER)].sum(axis=0))


def _near_minimum(
    loss: _Loss, weights: NDArray[np.float32], penalty: Floats, start: Floats
) -> Floats:
    """For each weighting the minimum of the polynomial; the start itself where that is far."""
    # In few digits: what is found here is where exact steps begin.
    terms = _terms(loss.x, loss.y, start).astype(np.float32)
    sums = (weights @ terms).astype(np.float64)
    sums += loss.fixed_s @ _terms(loss.fixed_x, loss.fixed_y, start)
    of_gradient, of_hessian = (sums.T[more.T] for more in (_ONE_MORE, _TWO_MORE))

    def at(w: Floats) -> tuple[Floats, Floats]:
        powers = np.ascontiguousarray((_products(w - start) / _FACTORIALS).T)
        gradient, upper = (
            np.einsum("gtr,tr->rg", of, powers[: of.shape[1]]) for of in (of_gradient, of_hessian)
        )
        return gradient, _symmetric(upper)

    w = np.tile(start, (len(weights), 1))
    with np.errstate(all="ignore"):
        for _ in range(_DEGREE - 1):
            w = _step(w, *at(w), penalty)
        near = np.asarray((np.abs(w - start) < 1.0).all(axis=1))
    return np.where(near[:, np.newaxis], w, start)


def _terms(x: Floats, y: Floats, at: Floats) -> Floats:
    """Of each row all terms: a derivative of its loss, times a product of its columns."""
    p = sigmoid(x @ at)
    q, odd = p * (1.0 - p), 1.0 - 2.0 * p
    derivatives = np.stack([p - y, q, q * odd, q * (1.0 - 6.0 * q), q * odd * (1.0 - 12.0 * q)])
    return np.asarray(derivatives.T[:, np.maximum(_DEGREE_OF - 1, 0)] * _products(x))


def _products(x: Floats) -> Floats:
    """Of three columns, shape (n, 3), their powers by `_POWERS` multiplied."""
    found = np.ones((len(_POWERS), len(x)))
    columns = np.ascontiguousarray(x.T)
    for term, (lower, column) in enumerate(_ONE_LESS, 1):
        np.multiply(found[lower], columns[column], out=found[term])
    return found.T


class _Smooth:
    """A smooth function (r, 2) -> (r, k), known between Chebyshev's nodes to rounding [1]_.

    From its values at few points on the rectangle of many, a tenth larger, so that points of later
    steps lie within.

    References
    ----------
    .. [1] L. N. Trefethen (2019), Approximation Theory and Approximation Practice, SIAM, chapter 4.
    """

    def __init__(self, function: Callable[[Floats], Floats], at: Floats, n: int) -> None:
        self.half = 0.55 * np.ptp(at, axis=0) + 1e-9
        self.middle = (at.min(axis=0) + at.max(axis=0)) / 2.0
        k, self.degree = np.arange(n), n - 1
        angle = np.pi * (k + 0.5) / n
        nodes = self.middle + self.half * np.cos(angle)[:, np.newaxis]
        grid = np.stack(np.meshgrid(nodes[:, 0], nodes[:, 1], indexing="ij"), axis=-1)
        values = function(grid.reshape(-1, 2)).reshape(n, n, -1)
        to = np.cos(np.outer(k, angle)) * np.where(k == 0, 1.0, 2.0)[:, np.newaxis] / n
        self.weight = np.einsum("ia,jb,abk->ijk", to, to, values, optimize=True)
        size = np.abs(self.weight)
        last = np.maximum(size[-2:].max(axis=(0, 1)), size[:, -2:].max(axis=(0, 1)))
        self.exact = bool((last <= _SMOOTH[n] * size.max(axis=(0, 1))).all())

    def holds(self, at: Floats) -> NDArray[np.bool_]:
        """Of each point whether it lies within; nowhere where the polynomials do not die away."""
        return np.asarray(self.exact & (np.abs(at - self.middle) <= self.half).all(axis=1))

    def __call__(self, at: Floats) -> Floats:
        x = (at - self.middle) / self.half
        first, second = (_chebyshev(x[:, n], self.degree) for n in (0, 1))
        by_first = np.tensordot(first, self.weight, axes=1)
        return np.asarray(np.einsum("rj,rjk->rk", second, by_first))


def _chebyshev(x: Floats, degree: int) -> Floats:
    """Chebyshev's polynomials to a degree of at least 1; as `numpy.polynomial`, which is not loaded
    for it."""
    found = np.ones((degree + 1, len(x)))
    found[1] = x
    for n in range(2, degree + 1):
        found[n] = found[n - 1] * (2.0 * x) - found[n - 2]
    return found.T


def _descend(loss: _Loss, weights: Floats, penalty: float, limit: float) -> tuple[Floats, bool]:
    """One minimum by Newton steps that are halved until the objective falls enough."""
    w = np.zeros(3)
    lost = loss.value(weights, w)
    for _ in range(200):
        gradient, hessian = loss.derivatives_at_one(weights[np.newaxis], w)
        if _residual(w, gradient[0], penalty).max() <= limit:
            return w, True
        step = _step(w[np.newaxis], gradient, hessian, np.array([penalty]))[0] - w
        fall = float(gradient[0] @ step + penalty * (np.abs(w + step).sum() - np.abs(w).sum()))
        share = 1.0
        while share > 1e-12:
            there = loss.value(weights, w + share * step)
            there += penalty * float(np.abs(w + share * step).sum())
            if there <= lost + 1e-4 * share * fall + 1e-13 * abs(lost):
                break
            share /= 2.0
        w, lost = w + share * step, there
    return w, False


def _symmetric(upper: Floats) -> Floats:
    full = np.empty((len(upper), 3, 3))
    full[:, _UPPER[0], _UPPER[1]] = upper
    full[:, _UPPER[1], _UPPER[0]] = upper
    return full


def _step(w: Floats, gradient: Floats, hessian: Floats, penalty: Floats) -> Floats:
    """Minimum of the quadratic model plus ``penalty * |v|_1``, exactly.

    Where the signs stay, it is one linear system; elsewhere each of the 27 patterns of signs is
    solved, and the one that breaks the optimality conditions least is taken.
    """
    # A direction in which the loss is flat (a constant column) must not make the system singular;
    # a slightly larger Hessian moves the step, not the minimum.
    size = np.maximum(np.trace(hessian, axis1=1, axis2=2), 1e-200)
    h = hessian + 1e-10 * size[:, np.newaxis, np.newaxis] * np.eye(3)
    right = np.einsum("rij,rj->ri", h, w) - gradient
    sign, cost = np.sign(w), penalty[:, np.newaxis]
    found = _solved(h, right - cost * sign)
    other = ((np.sign(found) != sign) | (sign == 0)).any(axis=1)
    if other.any():
        found[other] = _any_pattern(h[other], right[other], cost[other])
    return np.asarray(found)


def _solved(h: Floats, right: Floats) -> Floats:
    """Solutions of systems of three equations each, positive definite, by ``L D L'``."""
    with np.errstate(all="ignore"):  # what has no finite solution is none
        first = h[:, 0, 0]
        second_by, third_by = h[:, 0, 1] / first, h[:, 0, 2] / first
        second = h[:, 1, 1] - second_by * h[:, 0, 1]
        mixed = h[:, 1, 2] - second_by * h[:, 0, 2]
        third_by_second = mixed / second
        third = h[:, 2, 2] - third_by * h[:, 0, 2] - third_by_second * mixed
        b = right[:, 1] - second_by * right[:, 0]
        z = (right[:, 2] - third_by * right[:, 0] - third_by_second * b) / third
        y = b / second - third_by_second * z
        x = right[:, 0] / first - second_by * y - third_by * z
    return np.stack([x, y, z], axis=1)


def _any_pattern(h: Floats, right: Floats, cost: Floats) -> Floats:
    sign = _PATTERNS[:, np.newaxis]  # (27, 1, 3)
    on = sign != 0
    # Coefficients that are off get a row of the identity and a right side of 0.
    system = np.where(on[..., np.newaxis] & on[..., np.newaxis, :], h, np.eye(3))
    side = np.where(on, right - cost * sign, 0.0)
    v = np.linalg.solve(system, side[..., np.newaxis])[..., 0]  # (27, n, 3)
    slack = np.abs(right - np.einsum("rij,prj->pri", h, v)) - cost
    wrong = -sign * v * np.diagonal(h, axis1=1, axis2=2)
    broken = np.maximum(np.where(on, wrong, slack), 0.0).max(axis=-1)
    return np.asarray(v[broken.argmin(axis=0), np.arange(len(right))])


def _residual(w: Floats, gradient: Floats, penalty: ArrayLike) -> Floats:
    """By how much each coefficient breaks the optimality conditions."""
    cost = np.asarray(penalty, dtype=np.float64)
    at_zero = np.maximum(np.abs(gradient) - cost, 0.0)
    return np.where(w == 0, at_zero, np.abs(gradient + cost * np.sign(w)))


def _win_rates(w: Floats, d: Floats, weights: NDArray[Any]) -> Floats:
    """Per cent won at equal length, for each replicate's coefficients and weights."""
    found, rows = np.empty(len(w)), np.stack([d, np.ones(len(d))]).astype(weights.dtype)
    half = (w[:, 1:] / 2.0).astype(weights.dtype, copy=False)
    size = max(1, _BLOCK // (1 + len(d)))
    for at in range(0, len(w), size):
        block = slice(at, at + size)
        t = np.tanh(half[block] @ rows)
        t *= weights[block]
        found[block] = t.sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(50.0 + 50.0 * found / _totals(weights))


def _totals(weights: NDArray[Any]) -> NDArray[Any]:
    """The sum of each row; of whole numbers it is exact."""
    return np.asarray(weights @ np.ones(weights.shape[1], weights.dtype))


def row_losses(y: Floats, eta: Floats) -> Floats:
    """Minus the log-likelihood of each row, from terms of one sign: its last digits decide
    whether a step was worth taking."""
    return np.asarray(y * np.logaddexp(0.0, -eta) + (1.0 - y) * np.logaddexp(0.0, eta))


def sigmoid(eta: Floats) -> Floats:
    """``1 / (1 + exp(-eta))``; 0 where the exponential overflows."""
    p = np.negative(eta)
    with np.errstate(over="ignore"):
        np.exp(p, out=p)
    p += 1.0
    return np.reciprocal(p, out=p)


# How strongly the coefficients are held back.

_FoldFits: TypeAlias = Callable[[Floats, Floats, Floats, NDArray[np.int64]], Floats]


def _choose(loss: _Loss, fits: _FoldFits) -> tuple[float, Floats]:
    """The candidate with the best held-out log-likelihood per row, the first of equals.

    Also the mean of its fits.
    """
    x, y, s = loss.all_rows()
    fold = (len(y) - 1 - np.arange(len(y))) % FOLDS
    w = fits(x, y, s, fold)  # (candidates, folds, 3)
    score = np.zeros(len(CANDIDATES))
    for f in range(FOLDS):
        held = fold == f
        p = np.clip(sigmoid(w[:, f] @ x[held].T), 1e-15, 1.0 - 1e-15)
        score += (np.log(p) @ (s * y)[held] + np.log1p(-p) @ (s * (1.0 - y))[held]) / held.sum()
    best = int(score.argmax())
    return CANDIDATES[best], w[best].mean(axis=0)


def _fold_fits(x: Floats, y: Floats, s: Floats, fold: NDArray[np.int64]) -> Floats:
    """Each candidate fitted without each fold, from where all rows lie almost without a penalty."""
    loss = _Loss(x, y, None)
    weights = np.where(fold == np.arange(FOLDS)[:, np.newaxis], 0.0, s)
    start, _ = _minimise(
        loss, s[np.newaxis], np.array(CANDIDATES[-1:]), np.zeros(3), tolerance=1e-3
    )
    c = np.repeat(CANDIDATES, FOLDS)
    w, _ = _minimise(loss, np.tile(weights, (len(CANDIDATES), 1)), c, start[0], tolerance=1e-6)
    return w.reshape(len(CANDIDATES), FOLDS, 3)


def _liblinear_fold_fits(x: Floats, y: Floats, s: Floats, fold: NDArray[np.int64]) -> Floats:
    return np.array(
        [
            [_liblinear(x[fold != f], y[fold != f], s[fold != f], c) for f in range(FOLDS)]
            for c in CANDIDATES
        ]
    )


def _liblinear(x: Floats, y: Floats, s: Floats, c: float) -> Floats:
    """Coefficients by scikit-learn's liblinear, each row as a win and as a loss."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # The penalty's name is deprecated from scikit-learn 1.8 on, its other spelling new in it.
    known = LogisticRegression().get_params()
    l1 = {"penalty": "l1"} if known.get("penalty") == "l2" else {"l1_ratio": 1}
    model = LogisticRegression(
        C=c, solver="liblinear", fit_intercept=False, random_state=123, tol=1e-4, max_iter=100, **l1
    )
    with warnings.catch_warnings():
        # Upstream takes what 100 iterations give, and so do its figures.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(
            np.concatenate([x, x]),
            np.repeat([1, 0], len(y)),
            sample_weight=np.concatenate([s * y, s * (1.0 - y)]),
        )
    return np.asarray(model.coef_[0], dtype=np.float64)


def floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def check_rows(y: Floats, differences: Floats) -> None:
    _check_preferences(y)
    if (~np.isnan(y) & np.isnan(differences)).any():
        raise ValueError("a preference without an answer: its length difference is nan")
    if np.isinf(differences).any():
        raise ValueError("length differences must be finite, or nan where there is no answer")


def spread_of(differences: Floats) -> float:
    """Standard deviation; 0 with fewer than two, or where all are equal."""
    if len(differences) < 2 or (differences == differences[0]).all():
        return 0.0
    return float(differences.std(ddof=1))


def _check_preferences(y: Floats) -> None:
    if ((y < 0) | (y > 1)).any():
        raise ValueError("preferences are probabilities that the model wins: they lie in [0, 1]")


def positive(value: float, name: str = "c") -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, not {value}")
    return float(value)
