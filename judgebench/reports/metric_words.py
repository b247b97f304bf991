"""What metrics are called at the head of a column."""

from __future__ import annotations

from collections.abc import Mapping

from judgebench.metrics.length_controlled import AS_PUBLISHED, LENGTH_CONTROLLED
from judgebench.metrics.paired import HEAD_TO_HEAD
from judgebench.metrics.scores import SCORE
from judgebench.metrics.win_rate import ORDER_FLIPS, WIN_RATE

WORDS = {
    LENGTH_CONTROLLED: "length-controlled win rate",
    AS_PUBLISHED: "length-controlled win rate, compat",
}


MEANS = {
    "agreement": "share on which both say the same",
    "cohen_kappa": "Cohen's, agreement beyond chance: 1 is perfect, 0 is chance",
    "scott_pi": "Scott's, as kappa, with one set of label shares for both",
    "gwet_ac1": "as kappa, with a chance that stays small where nearly all have one label",
    "krippendorff_alpha": "Scott's pi, corrected for few answers",
    "precision": "share of the judge's positives that the reference calls positive too",
    "recall": "share of the reference's positives that the judge calls positive too",
    "specificity": "share of the reference's negatives that the judge calls negative too",
    "f1": "harmonic mean of precision and recall",
    "mcc": "Matthews' correlation of the two labels",
    "pabak": "twice the agreement, less one",
    "score_delta": "the judge's share of positives less the reference's; above 0 it is lenient",
    "p_c": "how often the judge knows the answer: recall + specificity - 1",
    "p_plus": "how often the judge says positive where it does not know the answer",
    "spearman": "Spearman's correlation of the models' ranks by judge and by reference",
    "kendall": "Kendall's correlation of the same ranks (tau-b)",
    "cohen_kappa_no_ties": "kappa of the pairs on which neither says tie",
    "agreement_no_ties": "agreement on the pairs on which neither says tie",
    "preference_correlation": "Pearson's, of both probabilities that the model is better",
    "consistency": "share of pairs judged alike in both orders",
    "consistent_agreement": "share of pairs judged alike in both orders and as the reference does",
    "consistency_upstream": "as consistency; what could not be read is inconsistent",
    "consistent_agreement_upstream": "as above; what could not be read is wrong",
    "auroc": "chance that a right answer has more confidence than a wrong one; 0.5 tells nothing",
    "ece": "expected calibration error, the mean distance of confidence from the share correct",
    "ece_plug_in": "the same as its bins have it, which lies high",
    "alignment": "share of answers that are right and confident enough, or neither, at a threshold "
    "tuned on other answers",
    "brier": "mean square of confidence less 1 for a right and 0 for a wrong answer",
    "aurc": "area under risk by coverage: the share wrong among the surest answers, averaged over "
    "how many are given",
    "accuracy": "share correct",
}
"""What the short names of coefficients and metrics of confidences mean, in a line each."""


def explained(titles: Mapping[str, str]) -> str:
    """What is said once where some of `MEANS` are shown: each title, and what it means.

    Parameters
    ----------
    titles
        By name of the metric, in the order shown; a name that says itself has no entry in `MEANS`.
    """
    return "; ".join(f"{title}: {MEANS[name]}" for name, title in titles.items() if name in MEANS)


def metric_words(name: str, leading: str | None, scale: tuple[float, float] | None = None) -> str:
    """What a metric is called, with its unit.

    Parameters
    ----------
    leading
        What ranks the board: what its metrics of groups begin with.
    scale
        Of scores, if it is to be said.
    """
    words = WORDS.get(name) or name.removeprefix(f"{leading}/").replace("_", " ")
    if name == SCORE and scale is not None:
        words += " ({:g} to {:g})".format(*scale)
    return f"{words} %" if in_percent(name) else words


def of_confidence(name: str, confidence: str | None) -> str:
    """A metric, and the confidence that it is of, if any."""
    return name if confidence is None else f"{name} ({confidence})"


def in_percent(name: str) -> bool:
    """Whether a metric is a percentage."""
    return WIN_RATE in name or name.partition("/")[0] in (ORDER_FLIPS, HEAD_TO_HEAD)


def digits(name: str) -> int:
    """How many decimals a metric is shown with."""
    return 2 if in_percent(name) or name.startswith(SCORE) else 3
