"""How far two raters agree: coefficients of confusion tables.

Every coefficient is a function of a table ``t[..., a, b]``: how often (or with which weight) the
first rater gave label ``a`` where the second, the reference, gave ``b``. Leading axes are free, so
that all models and all bootstrap replicates are one call. The binary coefficients take label 1 as
the positive one.

Undefined is nan, never 0 or 1; `why_undefined` says why in words. Ratios are built from sums of
non-negative terms (no ``1 - x``), so that an undefined coefficient is an exact 0/0 and is found
also with fractional weights.

How often a judge is right where it is known what is right: of two answers, of four, of ties.

JudgeBench [1]_ shows each pair in both orders; RewardBench [2]_ counts pairs by subset and section,
and its second version [3]_ has the right one of four answers found, and several right ones told
from all wrong ones.

References
----------
.. [1] S. Tan et al. (2024), JudgeBench: A Benchmark for Evaluating LLM-based Judges, arXiv
   2410.12784; ``utils/metrics.py`` at e2c52c2.
.. [2] N. Lambert et al. (2024), RewardBench: Evaluating Reward Models for Language Modeling, arXiv
   2403.13787; ``rewardbench/utils.py`` at 05a9005.
.. [3] S. Malik et al. (2025), RewardBench 2: Advancing Reward Model Evaluation, arXiv 2506.01937.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import quotient

Floats: TypeAlias = NDArray[np.float64]
Weighting: TypeAlias = Literal["nominal", "linear", "quadratic"]


def confusion_table(
    first: ArrayLike, second: ArrayLike, *, n_labels: int, weights: ArrayLike | None = None
) -> Floats:
    """Count the pairs of labels of two raters.

    Parameters
    ----------
    first, second : int array, shape (n,)
        Label codes in ``0 .. n_labels - 1``.
    n_labels : int
        Size of the declared label set, also where some labels never occur.
    weights : float array, shape (n,), optional
        What each pair counts; one each by default.

    Returns
    -------
    float array, shape (n_labels, n_labels)
        Rows are the first rater's labels.

    Raises
    ------
    ValueError
        When the two differ in length or a code is outside the declared set.
    """
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"two raters of the same items are needed, not {a.shape} and {b.shape}")
    codes = np.concatenate([a, b])
    if codes.size and not (codes.min() >= 0 and codes.max() < n_labels):
        raise ValueError(f"label codes must lie in 0 .. {n_labels - 1}")
    counts = np.bincount(
        a * n_labels + b,
        weights=None if weights is None else np.asarray(weights, dtype=np.float64),
        minlength=n_labels * n_labels,
    )
    return counts.astype(np.float64).reshape(n_labels, n_labels)


def percent_agreement(table: ArrayLike) -> Floats:
    """Share of items with the same label, in [0, 1]; nan without items.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)

    Returns
    -------
    float array, shape (...)
    """
    t = _tables(table)
    return quotient(np.trace(t, axis1=-2, axis2=-1), _total(t))


def cohen_kappa_of(
    table: ArrayLike, *, weighting: Weighting = "nominal", scale: ArrayLike | None = None
) -> Floats:
    """Cohen's kappa, plain [1]_ or weighted [2]_: agreement beyond two raters' own chance.

    Computed as ``1 - observed / expected`` disagreement, which is ``(po - pe) / (1 - pe)``.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)
        Over the *declared* labels: quadratic kappa of ratings {1, 2, 5} is another number on the
        observed labels than on the scale 1 to 5.
    weighting : {"nominal", "linear", "quadratic"}
        Disagreement of two labels: 0 or 1, or the first or second power of their distance.
    scale : float array, shape (n_labels,), optional
        The labels' values, from which distances are taken; ``0 .. n_labels - 1`` by default.

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan without items, and where both raters use one and the same label (chance
        agreement is then 1 and kappa is 0/0).

    References
    ----------
    .. [1] J. Cohen (1960), A coefficient of agreement for nominal scales, Educational and
       Psychological Measurement 20(1), 37-46.
    .. [2] J. Cohen (1968), Weighted kappa, Psychological Bulletin 70(4), 213-220.
    """
    t = _tables(table)
    distance = _disagreement(t.shape[-1], weighting, scale)
    observed = np.einsum("...ab,ab->...", t, distance)
    expected = np.einsum("...a,ab,...b->...", _first(t), distance, _second(t))
    return _complement(quotient(observed * _total(t), expected))


def cohen_kappa(
    first: ArrayLike,
    second: ArrayLike,
    *,
    n_labels: int,
    weighting: Weighting = "nominal",
    scale: ArrayLike | None = None,
) -> float:
    """Chance-corrected agreement of two raters [1]_.

    Parameters
    ----------
    first, second : int array, shape (n_items,)
        Label codes in ``0 .. n_labels - 1``.
    n_labels : int
        Size of the declared label set.
    weighting, scale
        As in `cohen_kappa_of`.

    Returns
    -------
    float
        In [-1, 1]; nan when there are no items, or both raters use one and the same label
        (chance agreement is then 1 and kappa is 0/0).

    References
    ----------
    .. [1] J. Cohen (1960), Educational and Psychological Measurement 20(1), 37-46.

    Examples
    --------
    >>> round(cohen_kappa([1, 1, 0, 0, 1], [1, 1, 0, 1, 1], n_labels=2), 4)
    0.5455
    """
    table = confusion_table(first, second, n_labels=n_labels)
    return float(cohen_kappa_of(table, weighting=weighting, scale=scale))


def scott_pi(table: ArrayLike) -> Floats:
    """Scott's pi: agreement beyond the chance of two raters who share their mean marginals [1]_.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan without items, and where both raters use one and the same label.

    References
    ----------
    .. [1] W. A. Scott (1955), Reliability of content analysis: the case of nominal scale coding,
       Public Opinion Quarterly 19(3), 321-325.
    """
    t = _tables(table)
    total = _total(t)
    shared = _first(t) + _second(t)  # over 2 * total
    others = shared.sum(axis=-1, keepdims=True) - shared
    expected = np.einsum("...k,...k->...", shared, others)  # over 4 * total ** 2
    return _complement(quotient(4.0 * _off_diagonal(t) * total, expected))


def gwet_ac1(table: ArrayLike) -> Floats:
    """Gwet's AC1, which stays high where nearly every item has one label [1]_.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)
        At least two labels.

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan without items only, since its chance agreement never exceeds
        ``1 / n_labels``.

    References
    ----------
    .. [1] K. L. Gwet (2008), Computing inter-rater reliability and its variance in the presence
       of high agreement, British Journal of Mathematical and Statistical Psychology 61(1), 29-48.
    """
    t = _tables(table)
    total = _total(t)
    share = quotient(_first(t) + _second(t), 2.0 * total[..., np.newaxis])
    chance = (share * (1.0 - share)).sum(axis=-1) / (t.shape[-1] - 1)
    return _complement(quotient(_off_diagonal(t), total * (1.0 - chance)))


def gwet_ac2(
    table: ArrayLike, *, weighting: Weighting = "quadratic", scale: ArrayLike | None = None
) -> Floats:
    """Gwet's AC2: AC1 with partial credit for labels that lie near each other [1]_.

    Agreement is ``1 - distance / largest distance``; chance agreement is the sum of those weights
    times ``sum(p (1 - p)) / (n_labels (n_labels - 1))``. With nominal weights it is AC1.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)
        Over the *declared* labels, at least two.
    weighting, scale
        As in `cohen_kappa_of`.

    Returns
    -------
    float array, shape (...)
        At most 1; nan without items.

    References
    ----------
    .. [1] K. L. Gwet (2014), Handbook of Inter-Rater Reliability, 4th edition, chapter 4.
    """
    t = _tables(table)
    n_labels, total = t.shape[-1], _total(t)
    distance = _disagreement(n_labels, weighting, scale)
    distance = distance / distance.max()
    share = quotient(_first(t) + _second(t), 2.0 * total[..., np.newaxis])
    spread = (share * (1.0 - share)).sum(axis=-1) / (n_labels * (n_labels - 1))
    chance = (1.0 - distance).sum() * spread
    observed = np.einsum("...ab,ab->...", t, distance)
    return _complement(quotient(observed, total * (1.0 - chance)))


def coincidences(values: ArrayLike, unit_of: ArrayLike, *, n_units: int, n_labels: int) -> Floats:
    """How often two raters of one answer gave which two labels, added up by unit [1]_.

    Parameters
    ----------
    values : int array, shape (raters, answers)
        Label codes; negative where a rater has said nothing.
    unit_of : int array, shape (answers,)
        What each answer is resampled with.
    n_units, n_labels : int

    Returns
    -------
    float array, shape (n_units, n_labels, n_labels)
        Symmetric. An answer with m labels adds m; one with fewer than two adds nothing.

    References
    ----------
    .. [1] K. Krippendorff (2011), Computing Krippendorff's alpha-reliability.
    """
    codes, units = np.asarray(values), np.asarray(unit_of, dtype=np.int64)
    counts = [(codes == label).sum(axis=0, dtype=np.int32) for label in range(n_labels)]
    raters = np.sum(counts, axis=0) if counts else np.zeros(units.shape)
    share = np.where(raters > 1, 1.0 / np.maximum(raters - 1, 1), 0.0)
    found = np.zeros((n_units, n_labels, n_labels))
    for a in range(n_labels):
        for b in range(a, n_labels):
            pairs = share * counts[a] * (counts[b] - (a == b))
            found[:, a, b] = found[:, b, a] = np.bincount(units, pairs, minlength=n_units)
    return found


def krippendorff_alpha_of(
    table: ArrayLike, *, weighting: Weighting = "nominal", scale: ArrayLike | None = None
) -> Floats:
    """Krippendorff's alpha of any number of raters, some of whose labels may be missing [1]_.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)
        Sums of `coincidences`; its total is taken as the number of labels that can be paired.
    weighting, scale
        As in `cohen_kappa_of`: nominal, or with quadratic distances the interval alpha.

    Returns
    -------
    float array, shape (...)
        At most 1; nan where no answer has two labels, and where all labels are one and the same.

    References
    ----------
    .. [1] K. Krippendorff (2011), Computing Krippendorff's alpha-reliability.
    """
    t = _tables(table)
    distance, total, sums = _disagreement(t.shape[-1], weighting, scale), _total(t), _first(t)
    observed = np.einsum("...ab,ab->...", t, distance)
    expected = np.einsum("...a,ab,...b->...", sums, distance, sums)
    return _complement(quotient(observed * (total - 1.0), expected))


def krippendorff_alpha(table: ArrayLike) -> Floats:
    """Krippendorff's alpha for nominal labels, two raters and complete pairs [1]_.

    Then it is Scott's pi corrected for small samples, ``pi + (1 - pi) / (2 n)``.

    Parameters
    ----------
    table : float array, shape (..., n_labels, n_labels)
        Its total is taken as the number of items: weights should average one.

    Returns
    -------
    float array, shape (...)
        At most 1; nan without items, and where both raters use one and the same label.

    References
    ----------
    .. [1] K. Krippendorff (2011), Computing Krippendorff's alpha-reliability, Annenberg School
       for Communication Departmental Papers 43.
    """
    t = _tables(table)
    pi = scott_pi(t)
    return pi + quotient(1.0 - pi, 2.0 * _total(t))


def precision(table: ArrayLike) -> Floats:
    """Of what the first rater calls positive, the share the reference does, in [0, 1].

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        nan where the first rater calls nothing positive.
    """
    t = _binary(table)
    return quotient(t[..., 1, 1], t[..., 1, 0] + t[..., 1, 1])


def recall(table: ArrayLike) -> Floats:
    """Of what the reference calls positive, the share the first rater does, in [0, 1].

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        nan where the reference calls nothing positive.
    """
    t = _binary(table)
    return quotient(t[..., 1, 1], t[..., 0, 1] + t[..., 1, 1])


def specificity(table: ArrayLike) -> Floats:
    """Of what the reference calls negative, the share the first rater does, in [0, 1].

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        nan where the reference calls nothing negative.
    """
    t = _binary(table)
    return quotient(t[..., 0, 0], t[..., 0, 0] + t[..., 1, 0])


def f1(table: ArrayLike) -> Floats:
    """Harmonic mean of precision and recall, in [0, 1].

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        nan where neither rater calls anything positive.
    """
    t = _binary(table)
    twice = 2.0 * t[..., 1, 1]
    return quotient(twice, twice + t[..., 1, 0] + t[..., 0, 1])


def mcc(table: ArrayLike) -> Floats:
    """Matthews' correlation coefficient of two binary raters [1]_.

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where either rater uses one label only.

    References
    ----------
    .. [1] B. W. Matthews (1975), Comparison of the predicted and observed secondary structure of
       T4 phage lysozyme, Biochimica et Biophysica Acta 405(2), 442-451.
    """
    t = _binary(table)
    covariance = t[..., 1, 1] * t[..., 0, 0] - t[..., 1, 0] * t[..., 0, 1]
    return quotient(covariance, np.sqrt(_first(t).prod(axis=-1) * _second(t).prod(axis=-1)))


def pabak(table: ArrayLike) -> Floats:
    """Prevalence- and bias-adjusted kappa: twice the agreement, less one [1]_.

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan without items.

    References
    ----------
    .. [1] T. Byrt, J. Bishop, J. B. Carlin (1993), Bias, prevalence and kappa, Journal of Clinical
       Epidemiology 46(5), 423-429.
    """
    return 2.0 * percent_agreement(_binary(table)) - 1.0


def score_delta(table: ArrayLike) -> Floats:
    """The first rater's share of positives less the reference's, in [-1, 1].

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        nan without items.
    """
    t = _binary(table)
    return quotient(t[..., 1, 0] - t[..., 0, 1], _total(t))


def p_c(table: ArrayLike) -> Floats:
    """How often a lenient judge knows the answer: recall + specificity - 1 [1]_.

    In the model of leniency a judge is right with probability ``p_c`` and otherwise says
    "positive" with probability ``p_plus``, whatever the truth. ``p_c`` is Youden's J.

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where the reference uses one label only.

    References
    ----------
    .. [1] A. S. Thakur et al. (2024), Judging the Judges, arXiv 2406.12624, appendix O.
    """
    t = _binary(table)
    return recall(t) + specificity(t) - 1.0


def p_plus(table: ArrayLike) -> Floats:
    """How often a lenient judge says "positive" where it does not know [1]_.

    ``(1 - specificity) / (1 - p_c)``, which is the false-positive rate over the sum of the
    false-positive and false-negative rates.

    Parameters
    ----------
    table : float array, shape (..., 2, 2)

    Returns
    -------
    float array, shape (...)
        In [0, 1]; nan where the reference uses one label only, and where the judge makes no error
        (then nothing is known of what it says when it does not know).

    References
    ----------
    .. [1] A. S. Thakur et al. (2024), Judging the Judges, arXiv 2406.12624, appendix O.
    """
    t = _binary(table)
    false_positives = quotient(t[..., 1, 0], t[..., 0, 0] + t[..., 1, 0])
    false_negatives = quotient(t[..., 0, 1], t[..., 0, 1] + t[..., 1, 1])
    return quotient(false_positives, false_positives + false_negatives)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient under its public name, and what can make it undefined.

    ``binary`` coefficients need exactly two labels. ``undefined`` is why a table with items has no
    value, or says it of a table.
    """

    of: Callable[[ArrayLike], Floats]
    binary: bool
    undefined: str | Callable[[Floats], str]


_ONE_LABEL = "both raters give every item the same one label, so chance agreement is 1"
_NO_ITEMS = "no item has a label of both raters"


def _one_label_of_reference(table: Floats) -> str:
    absent = "positive" if table[:, 1].sum() == 0 else "negative"
    return f"the reference calls nothing {absent}"


def _one_label_of_one(table: Floats) -> str:
    constant = "the judge" if (table.sum(axis=1) == 0).any() else "the reference"
    return f"{constant} gives every item the same one label"


def _no_error(table: Floats) -> str:
    if (table.sum(axis=0) == 0).any():
        return _one_label_of_reference(table)
    return "the judge makes no error, so nothing shows what it says when it does not know"


MOST_ADDED = 8
"""Labels that are added one by one."""

COEFFICIENTS: Mapping[str, Coefficient] = {
    "agreement": Coefficient(percent_agreement, False, _NO_ITEMS),
    "cohen_kappa": Coefficient(cohen_kappa_of, False, _ONE_LABEL),
    "scott_pi": Coefficient(scott_pi, False, _ONE_LABEL),
    "gwet_ac1": Coefficient(gwet_ac1, False, _NO_ITEMS),
    "krippendorff_alpha": Coefficient(krippendorff_alpha, False, _ONE_LABEL),
    "precision": Coefficient(precision, True, "the judge calls nothing positive"),
    "recall": Coefficient(recall, True, _one_label_of_reference),
    "specificity": Coefficient(specificity, True, _one_label_of_reference),
    "f1": Coefficient(f1, True, "neither rater calls anything positive"),
    "mcc": Coefficient(mcc, True, _one_label_of_one),
    "pabak": Coefficient(pabak, True, _NO_ITEMS),
    "score_delta": Coefficient(score_delta, True, _NO_ITEMS),
    "p_c": Coefficient(p_c, True, _one_label_of_reference),
    "p_plus": Coefficient(p_plus, True, _no_error),
}
"""Every coefficient of a confusion table, by the name reports use."""


def coefficient(name: str, table: ArrayLike) -> Floats:
    """A coefficient by name; nan throughout where it needs two labels and there are more.

    Parameters
    ----------
    name : str
        A name in `COEFFICIENTS`.
    table : float array, shape (..., n_labels, n_labels)

    Returns
    -------
    float array, shape (...)
    """
    t = _tables(table)
    known = COEFFICIENTS[name]
    if known.binary and t.shape[-1] != 2:
        return np.full(t.shape[:-2], np.nan)
    return known.of(t)


def why_undefined(name: str, table: ArrayLike) -> str | None:
    """Why a coefficient has no value for one table, in words; None where it has one.

    Parameters
    ----------
    name : str
        A name in `COEFFICIENTS`.
    table : float array, shape (n_labels, n_labels)
    """
    t = _tables(table)
    known = COEFFICIENTS[name]
    if known.binary and t.shape[-1] != 2:
        return f"defined for two labels; {t.shape[-1]} are declared"
    if not np.isnan(known.of(t)):
        return None
    why = known.undefined if t.sum() > 0 else _NO_ITEMS
    return why if isinstance(why, str) else why(t)


def _tables(table: ArrayLike) -> Floats:
    t = np.asarray(table, dtype=np.float64)
    if t.ndim < 2 or t.shape[-1] != t.shape[-2] or t.shape[-1] < 2:
        raise ValueError(f"a table of n × n labels with n ≥ 2 is needed, not shape {t.shape}")
    return t


def _binary(table: ArrayLike) -> Floats:
    t = _tables(table)
    if t.shape[-1] != 2:
        raise ValueError(f"this coefficient is defined for two labels, not {t.shape[-1]}")
    return t


def _total(t: Floats) -> Floats:
    return _added(_second(t))


def _first(t: Floats) -> Floats:
    return _added(t)


def _second(t: Floats) -> Floats:
    return _added(np.swapaxes(t, -2, -1))


def _added(t: Floats) -> Floats:
    """Over the last axis: NumPy's own sum of the few labels that there are is many times slower."""
    if t.shape[-1] > MOST_ADDED:
        return np.asarray(t.sum(axis=-1))
    total = np.array(t[..., 0])
    for label in range(1, t.shape[-1]):
        total += t[..., label]
    return total


def _off_diagonal(t: Floats) -> Floats:
    return np.asarray(np.einsum("...ab,ab->...", t, 1.0 - np.eye(t.shape[-1])))


def _disagreement(n_labels: int, weighting: Weighting, scale: ArrayLike | None) -> Floats:
    values = np.arange(n_labels) if scale is None else np.asarray(scale, dtype=np.float64)
    if values.shape != (n_labels,):
        raise ValueError(f"the scale needs {n_labels} values, one a label, not {values.shape}")
    distance = np.abs(values[:, np.newaxis] - values).astype(np.float64)
    match weighting:
        case "nominal":
            return 1.0 - np.eye(n_labels)
        case "linear":
            return distance
        case "quadratic":
            return np.square(distance)


def _complement(x: Floats) -> Floats:
    return np.asarray(1.0 - x)


SHARES_OF_TIES = (0.30, 0.30, 0.20, 0.20, 0.01)
"""What counts how much in the score of ties; together 1.01."""


def votes_for_right(votes: ArrayLike, truth: ArrayLike) -> Floats:
    """For each pair, how many more verdicts are for the right answer than for the other one.

    Above 0 the pair is right: one right verdict beside a tie or none is enough, two that contradict
    each other are not.

    Parameters
    ----------
    votes : float array, shape (n_pairs, n_orders)
        1 for the first answer of the pair, -1 for the second, 0 for a tie, nan for no verdict.
    truth : float array, shape (n_pairs,)
        1 or -1.

    Returns
    -------
    float array, shape (n_pairs,)
    """
    return np.asarray(np.nan_to_num(votes).sum(axis=-1) * np.asarray(truth, dtype=np.float64))


def pair_figures(votes: ArrayLike, truth: ArrayLike, longer: ArrayLike) -> dict[str, float]:
    """What there is to say of verdicts in both orders, by name.

    Parameters
    ----------
    votes, truth
        As for `votes_for_right`; the first column is the order in which the first answer is shown
        first.
    longer : float array, shape (n_pairs,)
        1 where the first answer is the longer one, -1 where the second is, 0 where none is.

    Returns
    -------
    dict
        Shares in [0, 1], of no verdicts nan; counts begin with ``n``. ``accuracy`` is by both
        orders, ``first_order_accuracy`` and ``mean_order_accuracy`` count single verdicts;
        ``order_kappa`` is over the pairs read in both orders.
    """
    said, right = np.asarray(votes, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    long = np.asarray(longer, dtype=np.float64)
    score, equal = votes_for_right(said, right), said == right[:, np.newaxis]
    read = said[~np.isnan(said).any(axis=1)]
    orders = np.zeros((3, 3))
    np.add.at(orders, tuple(read.astype(np.int64).T + 1), 1.0)
    shown_first, preferred = said * [1.0, -1.0], said * long[:, np.newaxis]
    decided = int((np.abs(said) > 0).sum())
    of_length = {
        f"accuracy_{side}": _share(score[long * right == sign] > 0)
        for side, sign in (("longer", 1), ("shorter", -1))
    }
    return {
        "n": len(said),
        "n_right": int((score > 0).sum()),
        "n_wrong": int((score < 0).sum()),
        "n_undecided": int((score == 0).sum()),
        "accuracy": _share(score > 0),
        "first_order_accuracy": _share(equal[:, 0]),
        "n_right_twice": int(equal.all(axis=1).sum()),
        "mean_order_accuracy": _share(equal),
        "n_unreadable": int(np.isnan(said).sum()),
        "n_ties": int((said == 0).sum()),
        "n_same": int((read[:, 0] == read[:, 1]).sum()),
        "n_contradictory": int((read.prod(axis=1) < 0).sum()),
        "n_first": int((shown_first > 0).sum()),
        "n_second": int((shown_first < 0).sum()),
        "first_shown": (shown_first > 0).sum() / decided if decided else np.nan,
        "order_kappa": float(cohen_kappa_of(orders)),
        "longer": _share(preferred[np.abs(preferred) > 0] > 0),
        **of_length,
        "n_longer": int((long * right > 0).sum()),
        "n_shorter": int((long * right < 0).sum()),
    }


def section_scores(
    accuracies: Mapping[str, float],
    sections: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
) -> dict[str, float]:
    """The mean accuracy of the subsets of each section, each as often as its weight says.

    Subsets without an accuracy (nan, or not there) have no part; a section without any is nan.
    Upstream prints 0 for it.

    Parameters
    ----------
    weights
        By subset; 1 where nothing is said.
    """
    found = {}
    for section, subsets in sections.items():
        there = [s for s in subsets if not np.isnan(accuracies.get(s, np.nan))]
        found[section] = (
            float(
                np.average(
                    [accuracies[s] for s in there], weights=[weights.get(s, 1.0) for s in there]
                )
            )
            if there
            else np.nan
        )
    return found


def best_of(scores: ArrayLike, right: ArrayLike) -> float:
    """Whether the right answer has the highest score: 1, 0, or a share where several have it.

    Parameters
    ----------
    scores : float array, shape (n_answers,)
        With a nan among them the answer is 0: nobody knows what was highest.
    right : bool array, shape (n_answers,)
    """
    highest = np.asarray(scores) == np.max(scores)
    return float((highest & np.asarray(right)).sum() / highest.sum()) if highest.any() else 0.0


def ties_score(ties: ArrayLike, references: ArrayLike) -> float:
    """RewardBench 2's score of prompts with several right answers; it can exceed 1.

    Of each prompt with several right answers the gap between the worst right and the best wrong one
    should be above 0, and above the spread of the right ones; so should the smaller one of it and
    of the gap of the reference prompt, which has one right answer.

    Parameters
    ----------
    ties, references : float array, shape (n_prompts, 2)
        Gap and spread of each prompt, as of `gap_and_spread`; of the same prompts in the same
        order. nan counts as wrong.

    Returns
    -------
    float
        nan without prompts.
    """
    tied, reference = np.asarray(ties, dtype=np.float64), np.asarray(references, dtype=np.float64)
    if not len(tied):
        return float("nan")
    gap, spread = tied.T
    least = np.minimum(gap, reference[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.nan_to_num(np.tanh(least / spread - 1.0))
    parts = (gap > 0, reference[:, 0] > 0, gap > spread, least > spread, margin)
    return float(np.dot(SHARES_OF_TIES, [np.mean(part) for part in parts]))


def gap_and_spread(scores: ArrayLike, right: ArrayLike) -> tuple[float, float]:
    """Worst right less best wrong score, and best right less worst right one; nan with a nan."""
    given, good = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    return float(given[good].min() - given[~good].max()), float(np.ptp(given[good]))


def _share(said: NDArray[np.bool_]) -> float:
    return float(np.mean(said)) if said.size else float("nan")
