"""Several judges without a truth: how good each is, and what is likely true [1]_.

Each item has one true label, drawn from `DawidSkene.prior`; given it, judges err independently of
each other, each by its own confusion matrix. The likelihood is climbed by expectation maximisation
from the shares of votes, and from some other starts, since it has several tops.

Items on which all judges say the same of one another count together, so that ten million verdicts
take as much as their distinct patterns.

References
----------
.. [1] A. P. Dawid, A. M. Skene (1979), Maximum likelihood estimation of observer error-rates using
   the EM algorithm, Applied Statistics 28(1), 20-28.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[Any]
Model = Literal["full", "one-coin"]

FEWEST_JUDGES = 3
"""Two judges who differ may be right as likely the one as the other."""

_CLIMBED = 1e-8  # of the log-likelihood: less is a top
_MOST_STEPS = 1000
_CLEARLY = 1e-6  # as much higher another top has to be to take the first one's place
_SHARED, _SURELY = 0.1, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DawidSkene:
    """What several judges' labels say of the truth and of the judges.

    prior : float array, shape (n_labels,)
    confusion : float array, shape (judges, n_labels, n_labels)
        Of each true label (row) the shares of what a judge says; nan where it judged none such.
    posterior : float array, shape (items, n_labels)
        How likely each label is the true one; nan where nobody labelled an item.
    log_likelihood : float
    iterations : int
    converged : bool
    tops : tuple of float
        The log-likelihood that each start came to, that of the vote shares first.
    residual : float array, shape (judges, judges)
        By how much two judges' labels go together beyond what the truth explains, as a correlation;
        nan for judges without an item in common.
    shared : tuple of (int, int)
        The judges that share errors: a residual correlation above 0.1 that chance does not explain.
        Labels then look surer than they are, and those judges better.
    """

    prior: Floats
    confusion: Floats
    posterior: Floats
    log_likelihood: float
    iterations: int
    converged: bool
    tops: tuple[float, ...]
    residual: Floats
    shared: tuple[tuple[int, int], ...]

    @property
    def accuracy(self) -> Floats:
        """How often each judge is right, shape (judges,)."""
        right = np.nan_to_num(np.diagonal(self.confusion, axis1=1, axis2=2))
        return np.asarray(right @ self.prior)


def dawid_skene(
    labels: ArrayLike, *, n_labels: int, model: Model = "full", starts: int = 5, seed: int = 0
) -> DawidSkene:
    """Fit the model.

    Parameters
    ----------
    labels : int array, shape (judges, items)
        In ``0 .. n_labels - 1``; negative where a judge said nothing of an item.
    model
        ``full``: a confusion matrix for each judge; ``one-coin``: one share of right labels, and
        wrong ones alike among the others.
    starts
        The vote shares, and so many less one that are drawn about them. Another top is taken where
        it is higher by more than 1e-6.
    seed : int

    Raises
    ------
    ValueError
        For a label out of range, under three judges, and judges of whom some share no item, not
        even by way of others, with the rest: nothing is known of them then.
    """
    codes = np.asarray(labels)
    if codes.ndim != 2 or codes.max(initial=-1) >= n_labels:
        raise ValueError(f"labels are codes below {n_labels}, in a row for each judge")
    if len(codes) < FEWEST_JUDGES:
        raise ValueError(
            f"{len(codes)} judge{'s' * (len(codes) != 1)}: who errs cannot be told without a truth "
            f"under {FEWEST_JUDGES}"
        )
    patterns, place, times = _distinct(codes, n_labels)
    votes = (patterns[..., None] == np.arange(n_labels)).astype(np.float64)  # (J, patterns, L)
    _check_overlap(patterns >= 0)
    shares = votes.sum(axis=0) / np.maximum(votes.sum(axis=(0, 2)), 1)[:, None]
    there = np.asarray((patterns >= 0).any(axis=0))
    votes, weight = votes[:, there], times[there].astype(np.float64)
    drawn = np.random.default_rng(seed)
    fits = []
    for start in range(max(1, starts)):
        begin = shares[there]
        if start:  # near the votes, so that what most say is not taken for its contrary
            begin = 0.6 * begin + 0.4 * drawn.dirichlet(np.ones(n_labels), len(begin))
        fits.append(_climb(votes, weight, begin, model))
    best = fits[0]
    for one in fits[1:]:
        best = one if one[0] > best[0] + _CLEARLY else best
    top, steps, prior, confusion, of_pattern = best
    posterior = np.full((len(there), n_labels), np.nan)
    posterior[there] = of_pattern
    residual, shared = _residuals(votes, weight, prior, confusion)
    return DawidSkene(
        prior=prior,
        confusion=confusion,
        posterior=posterior[place],
        log_likelihood=top,
        iterations=steps,
        converged=steps < _MOST_STEPS,
        tops=tuple(one[0] for one in fits),
        residual=residual,
        shared=shared,
    )


def _distinct(codes: Ints, n_labels: int) -> tuple[Ints, Ints, Ints]:
    """The distinct columns, which of them each item is, and how often each occurs."""
    place = np.zeros(codes.shape[1], np.int64)
    for row in codes:  # so many judges as there may be, the patterns have small numbers
        said = place * (n_labels + 1) + np.maximum(row, -1) + 1
        _, first, place, times = np.unique(
            said, return_index=True, return_inverse=True, return_counts=True
        )
    return codes[:, first], place, times


def _check_overlap(there: NDArray[np.bool_]) -> None:
    """That all judges hang together by the items that they have in common."""
    together = (there.astype(np.int64) @ there.T.astype(np.int64)) > 0
    reached = together[0]
    for _ in together:
        reached = together[reached].any(axis=0)
    if not reached.all():
        raise ValueError("some judges have no item in common with the others, not even by a third")


def _climb(
    votes: Floats, weight: Floats, posterior: Floats, model: Model
) -> tuple[float, int, Floats, Floats, Floats]:
    """Log-likelihood, steps, prior, confusion, posterior: the top above a start."""
    n_labels, top, climbed, steps = votes.shape[2], -math.inf, math.inf, 0
    while climbed >= _CLIMBED and steps < _MOST_STEPS:
        steps += 1
        held = posterior * weight[:, None]
        prior = held.sum(axis=0) / weight.sum()
        counts = np.stack([held.T @ its for its in votes])  # (J, true, said)
        if model == "one-coin":
            right = np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))
            wrong = (1.0 - right) / max(1, n_labels - 1)
            counts = np.where(np.eye(n_labels) > 0, right[:, None, None], wrong[:, None, None])
        whole = counts.sum(axis=2, keepdims=True)
        confusion = np.where(whole > 0, counts / np.where(whole > 0, whole, 1.0), np.nan)
        with np.errstate(divide="ignore"):
            known = np.log(np.maximum(np.nan_to_num(confusion, nan=1.0), 1e-300))
            terms = np.log(prior) + sum(its @ one.T for its, one in zip(votes, known, strict=True))
        most = terms.max(axis=1, keepdims=True)
        each = np.exp(terms - most)
        total = each.sum(axis=1, keepdims=True)
        posterior = each / total
        last, top = top, float(weight @ (most + np.log(total))[:, 0])
        climbed = top - last
    return top, steps, prior, confusion, posterior


def _residuals(
    votes: Floats, weight: Floats, prior: Floats, confusion: Floats
) -> tuple[Floats, tuple[tuple[int, int], ...]]:
    """What two judges' labels have in common beyond the truth, and where that is no chance."""
    n_judges = len(votes)
    known = np.nan_to_num(confusion)
    spread = np.einsum("t,jts->j", prior, known * (1.0 - known))
    residual = np.full((n_judges, n_judges), np.nan)
    shared = []
    for a, b in combinations(range(n_judges), 2):
        both = weight * votes[a].any(axis=1) * votes[b].any(axis=1)
        if not both.any():
            continue
        agree = float(both @ (votes[a] * votes[b]).sum(axis=1)) / both.sum()
        expected = float(np.einsum("t,ts,ts->", prior, known[a], known[b]))
        scale = math.sqrt(spread[a] * spread[b])
        residual[a, b] = residual[b, a] = (agree - expected) / scale if scale > 0.0 else 0.0
        error = math.sqrt(max(expected * (1.0 - expected), 0.0) / both.sum())
        if residual[a, b] > _SHARED and agree - expected > _SURELY * error:
            shared.append((a, b))
    return residual, tuple(shared)
