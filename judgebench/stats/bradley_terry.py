"""Strengths from paired comparisons: Bradley-Terry, Davidson's ties, style covariates.

Every fit is a function of sums over comparisons, with leading axes free, so that all bootstrap
replicates are one call. Which strengths exist is decided by who beat whom, before anything is
fitted: in a *group* of models where everybody can be reached from everybody through wins, the
differences of strength are finite; between two groups they are not, and only the direction (or
nothing at all) is known. A model that won everything it played is a group of its own.

What they are fitted to is here too: pairs of models compared on prompts, as sums over prompts for
any weighting of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import wilson_interval

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

LEAST_SHARE = 1e-12
"""A share of a pair's comparisons below which a soft win is none: odds beyond a million millions
are rounding, and a strength resting on them would be too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strengths:
    """Fitted strengths, for each leading index of the sums they come from.

    Attributes
    ----------
    strength : float array, shape (..., n_models)
        Log-odds, with mean 0 in each group: comparable within a group only. nan where the fit
        has no finite answer or did not converge.
    reaches : bool array, shape (..., n_models, n_models)
        Whether the first is the second, beat it, or beat one who reaches it. Two models that
        reach each other are of one group; one that reaches without being reached is above.
    tie_strength : float array, shape (...)
        Davidson's nu: 0 without ties or in the plain model; nan where it is not finite.
    coefficients : float array, shape (..., n_covariates)
        Log-odds per unit of a covariate's difference; nan where they have no finite value.
    found : bool array, shape (...)
        Whether the fit has a finite answer, and reached it.
    """

    strength: Floats
    reaches: Bools
    tie_strength: Floats
    coefficients: Floats
    found: Bools


def who_reaches_whom(wins: ArrayLike) -> Bools:
    """Whether a chain of wins leads from one model to another.

    Strengths are finite where such chains lead both ways, and only there [1]_.

    Parameters
    ----------
    wins : float array, shape (..., n_models, n_models)
        How often (or with which weight) the first beat the second; a tie is half a win of each.

    Returns
    -------
    bool array, shape (..., n_models, n_models)
        Every model reaches itself.

    References
    ----------
    .. [1] L. R. Ford (1957), Solution of a ranking problem from binary comparisons, The American
       Mathematical Monthly 64(8), 28-33.
    """
    w = _square(wins)
    reaches = (w > LEAST_SHARE * (w + w.swapaxes(-1, -2))) | np.eye(w.shape[-1], dtype=np.bool_)
    flat = reaches.reshape(-1, *w.shape[-2:])
    flat[_all_reach_all(flat)] = True
    open_ = np.flatnonzero(~flat.all(axis=(-1, -2)))
    while open_.size:
        before = flat[open_]
        steps = before.astype(np.float32)
        after = (steps @ steps) > 0
        flat[open_] = after
        open_ = open_[(after != before).any(axis=(-1, -2))]
    return flat.reshape(w.shape)


def bradley_terry(wins: ArrayLike, *, start: ArrayLike | None = None) -> Strengths:
    """Strengths by maximum likelihood [1]_, a tie counting half a win of each.

    ``P(i beats j) = 1 / (1 + exp(strength[j] - strength[i]))``. Newton's method with steps short
    enough that the likelihood never falls [2]_.

    Parameters
    ----------
    wins : float array, shape (..., n_models, n_models)
        Weighted wins of the first over the second, soft ones too; the diagonal must be 0.
    start : float array, shape (n_models,), optional
        Where to begin; the answer does not depend on it.

    Returns
    -------
    Strengths

    Raises
    ------
    ValueError
        When the sums are not square, negative, not finite, or a model meets itself.

    References
    ----------
    .. [1] R. A. Bradley, M. E. Terry (1952), Rank analysis of incomplete block designs: I. The
       method of paired comparisons, Biometrika 39(3/4), 324-345.
    .. [2] T. Sun, Q. Tran-Dinh (2019), Generalized self-concordant functions: a recipe for
       Newton-type methods, Mathematical Programming 178, 145-213.

    Examples
    --------
    >>> bradley_terry([[0, 3], [1, 0]]).strength.round(4).tolist()
    [0.5493, -0.5493]
    """
    w = _square(wins)
    reaches = who_reaches_whom(w)
    shape, n = w.shape[:-2], w.shape[-1]
    flat, same = w.reshape(-1, n, n), _same_group(reaches).reshape(-1, n, n)
    inside = np.where(same, flat, 0.0)
    both = inside + inside.swapaxes(-1, -2)

    def slope(at: Floats, rows: Ints) -> tuple[Floats, Floats]:
        odds = np.exp(np.clip(at - _middle(at), -300.0, 300.0))
        chance = odds[:, :, np.newaxis] / (odds[:, :, np.newaxis] + odds[:, np.newaxis, :])
        against = chance.swapaxes(-1, -2)
        # Sums of what is small where the fit is near, without cancellation of what is large.
        surprise = _of(inside, rows) * against
        gradient = surprise.sum(axis=-1) - surprise.sum(axis=-2)
        return gradient, _laplacian(_of(both, rows) * chance * against, _of(same, rows))

    begin = _begin(start, len(flat), n) if start is not None else _first_guess(inside)
    strength, found = _climb(slope, begin, lambda step: np.ptp(step, axis=-1))
    return Strengths(
        strength=_centred(strength, same, found).reshape(*shape, n),
        reaches=reaches,
        tie_strength=np.where(found, 0.0, np.nan).reshape(shape),
        coefficients=np.zeros((*shape, 0)),
        found=found.reshape(shape),
    )


def davidson(wins: ArrayLike, ties: ArrayLike, *, start: ArrayLike | None = None) -> Strengths:
    """Strengths by maximum likelihood in Davidson's model, where a tie is an outcome [1]_.

    With ``a = exp(strength[i])``, ``b = exp(strength[j])``: a win of i, a win of j and a tie have
    chances in proportion ``a : b : nu * sqrt(a * b)``.

    Parameters
    ----------
    wins : float array, shape (..., n_models, n_models)
        Weighted wins, without ties.
    ties : float array, shape (..., n_models, n_models)
        Weighted ties of the two; symmetric.
    start : float array, shape (n_models,), optional

    Returns
    -------
    Strengths
        All nan where ``nu`` grows without bound: every comparison inside the groups was a tie,
        or no closed chain of comparisons holds more wins than ties.

    Raises
    ------
    ValueError
        As `bradley_terry`, and when ``ties`` is not symmetric.

    References
    ----------
    .. [1] R. R. Davidson (1970), On extending the Bradley-Terry model to accommodate ties in
       paired comparison experiments, Journal of the American Statistical Association 65(329),
       317-328.
    """
    w, t = np.broadcast_arrays(_square(wins), _square(ties))
    if not np.array_equal(t, t.swapaxes(-1, -2)):
        raise ValueError("a tie is one of both: the sums of ties must be symmetric")
    reaches = who_reaches_whom(w + t / 2.0)
    shape, n = w.shape[:-2], w.shape[-1]
    same = _same_group(reaches).reshape(-1, n, n)
    won = np.where(same, w.reshape(-1, n, n), 0.0)
    tied = np.where(same, t.reshape(-1, n, n), 0.0)
    both = won + won.swapaxes(-1, -2) + tied
    # Vanishing soft ties are none, as vanishing soft wins are.
    any_ties = tied.sum(axis=(-1, -2)) > LEAST_SHARE * both.sum(axis=(-1, -2))
    tied = np.where(any_ties[:, np.newaxis, np.newaxis], tied, 0.0)
    bounded = ~any_ties | _wins_outnumber_ties(won, tied)

    def slope(at: Floats, rows: Ints) -> tuple[Floats, Floats]:
        gap = at[:, :n, np.newaxis] - at[:, np.newaxis, :n]
        win, tie = outcome_chances(gap, np.exp(at[:, n])[:, np.newaxis, np.newaxis])
        loss, met = win.swapaxes(-1, -2), _of(both, rows)
        taken = _of(won, rows) + _of(tied, rows) / 2.0
        gradient = np.empty_like(at)
        gradient[:, :n] = (taken - met * (win + tie / 2.0)).sum(axis=-1)
        gradient[:, n] = (_of(tied, rows) - met * tie).sum(axis=(-1, -2)) / 2.0
        spread = win * loss + tie * (win + loss) / 4.0
        information = np.zeros((len(at), n + 1, n + 1))
        information[:, :n, :n] = _laplacian(met * spread, _of(same, rows))
        cross = (met * tie * (loss - win) / 2.0).sum(axis=-1)
        information[:, :n, n] = information[:, n, :n] = cross
        own = (met * tie * (win + loss)).sum(axis=(-1, -2)) / 2.0
        # Without ties nu is 0: its logarithm stays where it is and takes no part.
        without = ~any_ties[rows]
        gradient[without, n] = 0.0
        information[without, :n, n] = information[without, n, :n] = 0.0
        information[:, n, n] = np.where(without, 1.0, own)
        return gradient, information

    begin = np.zeros((len(won), n + 1))
    begin[:, :n] = _begin(start, len(won), n) if start is not None else _first_guess(won)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = tied.sum(axis=(-1, -2)) / both.sum(axis=(-1, -2))
        begin[:, n] = np.where(any_ties & bounded, np.log(2.0 * share / (1.0 - share)), -np.inf)

    def reach(step: Floats) -> Floats:
        widest = np.ptp(step[:, :n], axis=-1)
        return np.asarray(np.maximum(widest, widest / 2.0 + np.abs(step[:, n])))

    fitted, found = _climb(slope, begin, reach, rows=np.flatnonzero(bounded))
    return Strengths(
        strength=_centred(fitted[:, :n], same, found).reshape(*shape, n),
        reaches=reaches,
        tie_strength=np.where(found, np.exp(fitted[:, n]), np.nan).reshape(shape),
        coefficients=np.zeros((*shape, 0)),
        found=found.reshape(shape),
    )


def controlled(
    first: ArrayLike,
    second: ArrayLike,
    share: ArrayLike,
    covariates: ArrayLike,
    weights: ArrayLike,
    *,
    n_models: int,
    start: ArrayLike | None = None,
) -> Strengths:
    """Strengths where the answers' style were equal: covariates beside the models [1]_.

    ``logit P(first wins) = strength[first] - strength[second] + covariates @ coefficients``.

    A covariate is a difference (first less second) and changes its sign with the sides. It is
    therefore not centred: centred differences, as Arena-Hard uses them, compare the models at the
    mean difference of style and not at none.

    Parameters
    ----------
    first, second : int array, shape (n,)
        The models of each comparison, in ``0 .. n_models - 1``.
    share : float array, shape (n,)
        What the first won, in [0, 1]; a tie is a half.
    covariates : float array, shape (n, n_covariates)
    weights : float array, shape (n_fits, n)
        What each comparison counts, in each of the fits.
    n_models : int
    start : float array, shape (n_models,), optional

    Returns
    -------
    Strengths
        With one leading axis of ``n_fits``. All nan where a covariate cannot be told from the
        models (it never differs, or is a difference of constants of theirs) or where it divides
        wins from losses so well that its coefficient has no finite value.

    References
    ----------
    .. [1] T. Li, A. Angelopoulos, W.-L. Chiang (2024), Does style matter? Disentangling style and
       substance in Chatbot Arena, https://lmsys.org/blog/2024-08-28-style-control/.
    """
    from scipy.sparse import csr_array
    from scipy.special import expit

    one, two = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    y, w = np.asarray(share, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    z = np.asarray(covariates, dtype=np.float64)
    n, n_rows, n_styles = n_models, len(one), z.shape[1]
    size = np.sqrt(np.square(z).mean(axis=0)) if n_rows else np.zeros(n_styles)
    z = z / np.where(size > 0, size, 1.0)
    pairs, pair_of = np.unique(one * n + two, return_inverse=True)
    rows = np.arange(n_rows)
    # One design of models and covariates, sparse: its products are of the comparisons' number.
    entries = np.r_[np.ones(n_rows), -np.ones(n_rows), z.ravel()]
    across = np.r_[one, two, np.tile(np.arange(n, n + n_styles), n_rows)]
    down = np.r_[rows, rows, np.repeat(rows, n_styles)]
    design = csr_array((entries, (down, across)), shape=(n_rows, n + n_styles))
    turned = design.T.tocsr()
    pairing = csr_array((np.ones(n_rows), (pair_of, rows)), shape=(len(pairs), n_rows))

    def matrices(of_rows: Floats) -> Floats:
        found = np.zeros((of_rows.shape[1], n * n))
        found[:, pairs] = (pairing @ of_rows).T
        return found.reshape(-1, n, n)

    won = matrices((w * y).T) + matrices((w * (1.0 - y)).T).swapaxes(-1, -2)
    reaches = who_reaches_whom(won)
    same = _same_group(reaches)
    # Rows down, fits across, in that order in memory: what sparse products read fastest.
    counted = np.ascontiguousarray(np.where(same[:, one, two], w, 0.0).T)

    def predictor(at: Floats) -> Floats:
        return np.asarray(design @ np.ascontiguousarray(at.T))

    def slope(at: Floats, fits: Ints) -> tuple[Floats, Floats]:
        chance = expit(predictor(at))
        here = counted if len(fits) == counted.shape[1] else np.take(counted, fits, axis=1)
        left = here * (y[:, np.newaxis] - chance)
        spread = here * chance * (1.0 - chance)
        gradient = np.asarray((turned @ left).T)
        links = matrices(spread)
        information = np.empty((len(at), n + n_styles, n + n_styles))
        information[:, :n, :n] = _laplacian(links + links.swapaxes(-1, -2), same[fits])
        for k in range(n_styles):
            cross = (turned @ (spread * z[:, k, np.newaxis])).T
            information[:, n + k, :] = information[:, :, n + k] = cross
        return gradient, information

    begin = np.zeros((len(w), n + n_styles))
    begin[:, :n] = _begin(start, len(w), n)
    _, information = slope(np.zeros_like(begin), np.arange(len(w)))
    disambiguate = np.flatnonzero(_is_regular(information))

    def reach(step: Floats) -> Floats:
        if not n_rows:
            return np.zeros(len(step))
        return np.asarray(np.abs(predictor(step)).max(axis=0))

    fitted, found = _climb(slope, begin, reach, rows=disambiguate, farthest=_FARTHEST)
    coefficients = fitted[:, n:] / np.where(size > 0, size, 1.0)
    return Strengths(
        strength=_centred(fitted[:, :n], same, found),
        reaches=reaches,
        tie_strength=np.where(found, 0.0, np.nan),
        coefficients=np.where(found[:, np.newaxis], coefficients, np.nan),
        found=found,
    )


def win_probability(difference: ArrayLike, tie_strength: ArrayLike = 0.0) -> Floats:
    """Chance of a win plus half the chance of a tie, for a difference of strengths.

    Parameters
    ----------
    difference : float array, shape (...)
        Log-odds; infinite ones give 0 or 1, nan gives nan.
    tie_strength : float array, broadcast with it
        Davidson's nu.

    Returns
    -------
    float array, shape (...)
        In [0, 1].
    """
    win, tie = outcome_chances(difference, tie_strength)
    return np.asarray(win + tie / 2.0)


def outcome_chances(difference: ArrayLike, tie_strength: ArrayLike = 0.0) -> tuple[Floats, Floats]:
    """Chances of a win and of a tie, for a difference of strengths; the rest is a loss.

    Parameters
    ----------
    difference, tie_strength
        As in `win_probability`.

    Returns
    -------
    win, tie : float array, shape (...)
    """
    gap = np.asarray(difference, dtype=np.float64)
    smaller = np.exp(-np.abs(gap))
    half = np.asarray(tie_strength, dtype=np.float64) * np.sqrt(smaller)
    total = 1.0 + smaller + half
    return np.where(gap > 0, 1.0, smaller) / total, half / total


_FARTHEST = 60.0
"""Log-odds after which a fit with covariates is given up as having no finite answer."""

_MOST_STEPS = 200

_Slope: TypeAlias = Callable[[Floats, Ints], tuple[Floats, Floats]]


def _climb(
    slope: _Slope,
    begin: Floats,
    reach: Callable[[Floats], Floats],
    *,
    rows: Ints | None = None,
    farthest: float = np.inf,
) -> tuple[Floats, Bools]:
    """Newton's method on many concave likelihoods at once; where it ended, and whether it did.

    A step that moves some comparison's log-odds by ``r`` is shortened by ``log(1 + r) / r``: the
    curvature changes by at most ``exp(r)``, so that the likelihood rises with every step and no
    line search is needed.
    """
    at, found = begin.copy(), np.zeros(len(begin), dtype=np.bool_)
    gone = np.zeros(len(begin))
    active = np.arange(len(begin)) if rows is None else rows
    for _ in range(_MOST_STEPS):
        if not active.size:
            break
        gradient, information = slope(at[active], active)
        step = _solve(information, gradient)
        far = reach(step)
        with np.errstate(invalid="ignore", divide="ignore"):
            shortened = np.where(far > 1e-8, np.log1p(far) / far, 1.0)
        at[active] += shortened[:, np.newaxis] * step
        gone[active] += shortened * far
        # The error that is left is of the order of this step's square.
        near = far <= 1e-5
        found[active[near]] = True
        active = active[~near & (gone[active] <= farthest)]
    return at, found


def _solve(information: Floats, gradient: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(information, gradient[..., np.newaxis])[..., 0])
    except np.linalg.LinAlgError:  # one singular matrix in the stack: find it, and go on without
        steps = np.full_like(gradient, np.nan)
        for place, (matrix, right) in enumerate(zip(information, gradient, strict=True)):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                steps[place] = np.linalg.solve(matrix, right)
        return steps


def _laplacian(links: Floats, same: Bools) -> Floats:
    """What the likelihood bends by, made regular: strengths of a group are free up to a constant,
    which a term of the group's own size holds still without touching the differences."""
    n = links.shape[-1]
    degree = links.sum(axis=-1)
    scale = degree.mean(axis=-1) / n
    hold = np.where(scale > 0, scale, 1.0)[:, np.newaxis, np.newaxis]
    found = np.where(same, hold, 0.0) - links
    diagonal = np.arange(n)
    found[:, diagonal, diagonal] += degree
    return np.asarray(found)


def _is_regular(information: Floats) -> Bools:
    scale = np.sqrt(np.einsum("...ii->...i", information))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = information / (scale[:, :, np.newaxis] * scale[:, np.newaxis, :])
    usable = np.isfinite(unit).all(axis=(-1, -2))
    regular = np.zeros(len(information), dtype=np.bool_)
    regular[usable] = np.linalg.eigvalsh(unit[usable])[:, 0] > 1e-10
    return regular


def _wins_outnumber_ties(won: Floats, tied: Floats) -> Bools:
    """Whether some closed chain of comparisons holds more wins than ties.

    Otherwise strengths can grow along with nu so that every outcome becomes certain. A win steps
    down by at least ``2 u`` and a tie by at most as much, for any direction in which nu grows by
    ``u``; a closed chain with more wins than ties leaves ``u = 0`` only. Longest paths by Floyd
    and Warshall, where a chain of wins alone does not settle it.
    """
    down = won > 0
    beats = who_reaches_whom(won)
    enough = (beats & beats.swapaxes(-1, -2)).sum(axis=(-1, -2)) > won.shape[-1]
    for place in np.flatnonzero(~enough):
        longest = np.where(down[place], 1.0, np.where(tied[place] > 0, -1.0, -np.inf))
        for via in range(len(longest)):
            through = longest[:, via, np.newaxis] + longest[np.newaxis, via]
            np.minimum(np.maximum(longest, through), float(len(longest)), out=longest)
        enough[place] = bool((np.diag(longest) > 0).any())
    return np.asarray(enough)


def _of(stack: Any, rows: Ints) -> Any:
    """Some of a stack; all of it without a copy."""
    return stack if len(rows) == len(stack) else stack[rows]


def _middle(x: Floats) -> Floats:
    return np.asarray((x.max(axis=-1, keepdims=True) + x.min(axis=-1, keepdims=True)) / 2.0)


def _all_reach_all(steps: Bools) -> Bools:
    """Whether the first model reaches everyone and everyone reaches it: the common case, and much
    less work than finding all chains."""
    n = steps.shape[-1]
    both = np.ones(len(steps), dtype=np.bool_)
    for links in (steps, steps.swapaxes(-1, -2)):
        found = links[:, :1, :].copy()
        for _ in range(n):
            further = (found.astype(np.float32) @ links.astype(np.float32)) > 0
            if (further == found).all():
                break
            found = further
        both &= found.all(axis=(-1, -2))
    return both


def _same_group(reaches: Bools) -> Bools:
    return np.asarray(reaches & reaches.swapaxes(-1, -2))


def _centred(strength: Floats, same: Bools, found: Bools) -> Floats:
    size = same.sum(axis=-1)
    mean = (same @ strength[:, :, np.newaxis])[:, :, 0] / size
    centred = np.where(size > 1, strength - mean, 0.0)
    return np.where(found[:, np.newaxis], centred, np.nan)


def _begin(start: ArrayLike | None, n_fits: int, n: int) -> Floats:
    if start is None:
        return np.zeros((n_fits, n))
    values = np.asarray(start, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(f"one start for each of the {n} models is needed, not {values.shape}")
    return np.tile(np.nan_to_num(values), (n_fits, 1))


def _first_guess(won: Floats) -> Floats:
    """Log-odds of a win against whomever a model met."""
    return np.asarray(np.log((won.sum(axis=-1) + 0.5) / (won.sum(axis=-2) + 0.5)))


def _square(sums: Any) -> Floats:
    w = np.asarray(sums, dtype=np.float64)
    if w.ndim < 2 or w.shape[-1] != w.shape[-2]:
        raise ValueError(f"sums over pairs of models are square, not {w.shape}")
    if not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError("sums over comparisons must be finite and not negative")
    if np.einsum("...ii->...i", w).any():
        raise ValueError("a model cannot meet itself")
    return w


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
