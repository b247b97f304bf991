"""What two models' confidences are worth on the same questions, and whether one of them is worse.

A Brier score is a mean over answers, and tested as any other: signs flipped. The rest are of all
answers together: both models are computed anew on questions drawn with replacement, within each
set, the same draw for both.

An ECE is tested by its plug-in, whose bias is much the same in two models that are alike. It is not
where one of them is well calibrated and the other is not: chance then hides a rise, and draws do
not know. What passes, the bound of how much worse the candidate may be, is therefore as far away as
the corrected errors of both, each with its interval, leave it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.confidence import Confidences, Floats, Statistic, statistics
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import (
    BASELINE,
    CANDIDATE,
    PairedModels,
    PairedTests,
    View,
    compare,
    in_views,
)
from judgebench.metrics.registry import sign_of
from judgebench.plain_text import counted
from judgebench.stats.calibration_error import (
    bin_contributions,
    calibration_error_of,
    corrected_error,
    unit_sums,
)
from judgebench.stats.confidence import auroc, why_no_auroc
from judgebench.stats.paired_bootstrap import bootstrap_test
from judgebench.stats.paired_tests import PairedTest
from judgebench.stats.resample import quotient, weighted_mean, weighted_sums

End: TypeAlias = Literal["observed", "low", "high"]
"""Where what is missing is put: left out, or where the metric is at its lowest or highest."""


def of_confidences(
    sets: Sequence[Confidences],
    *,
    metric: str,
    confidence: str,
    judge: str,
    alpha: float,
    intervals: Intervals,
) -> tuple[PairedModels, PairedTests]:
    """Compare one confidence of two models against the labels of one judge.

    Averages over several sets are weighted with their sizes, as on the board.

    Parameters
    ----------
    metric
        One of `CONFIDENCE_METRICS`.
    confidence, judge
        Their names.

    Returns
    -------
    pair, compared
        Higher is better in both, also where less of the metric is. A Brier score has a value of
        each item; of the others ``PairedModels.mean`` is nan. What is missing has ends: a Brier
        score those of each answer, an AUROC those of the least and the most confident answers, an
        ECE one answer's whole weight for each answer. An alignment has none.
    """
    pair = _lined_up(sets, metric, confidence, judge)
    if metric == "brier":
        return pair, compare(pair, alpha=alpha, seed=intervals.seed)
    tests = _Tests(sets, metric, alpha, intervals)
    why_not = tests.why_undefined()
    bounded = why_not is None and metric != "alignment"

    def tested(view: View) -> PairedTest:
        lower: tuple[End, End] = ("low", "high")
        ends = lower if (view == "worst") == pair.higher_is_better else lower[::-1]
        return tests.test(*ends)[0]

    without = int(pair.missing.sum())
    lack = f"{counted(without, 'answer')} {'lacks' if without == 1 else 'lack'}"
    compared = in_views(
        pair, *tests.test("observed", "observed"), tested if bounded else None,
        f"{lack} a label or a confidence, and nothing bounds what "
        f"{'it' if without == 1 else 'they'} would do to {metric}",
    )  # fmt: skip
    return replace(pair, why_not=why_not), compared


def _lined_up(
    sets: Sequence[Confidences], metric: str, confidence: str, judge: str
) -> PairedModels:
    known = np.concatenate([one.known for one in sets])
    n_units = np.cumsum([0, *(len(one.questions.units) for one in sets)])
    n_items = [len(one.questions.items) for one in sets]
    stratum = np.repeat(np.arange(len(sets)), n_items) + (len(sets) > 1)
    share = np.array([one.questions.size for one in sets], dtype=np.float64)
    nothing = np.full(known.shape, math.nan)
    mean, worst, best = _brier(sets) if metric == "brier" else (nothing, None, None)
    return PairedModels(
        judge=judge,
        metric=metric,
        unit=1.0,
        width=1.0,
        items=tuple(item for one in sets for item in one.questions.items),
        unit_of=np.concatenate(
            [one.questions.unit_of + at for one, at in zip(sets, n_units[:-1], strict=True)]
        ),
        weight=np.repeat(share / share.sum(), n_items),
        stratum=stratum,
        mean=mean,
        worst=worst,
        best=best,
        missing=(~known).sum(axis=0),
        expected=np.full(2, len(known)),
        confidence=confidence,
        higher_is_better=sign_of(metric) > 0,
    )


def _brier(sets: Sequence[Confidences]) -> tuple[Floats, Floats, Floats]:
    """Minus the squared distance of each answer, and its ends, shape (items, 2)."""
    c = np.concatenate([one.confidence for one in sets])
    y = np.concatenate([one.correct for one in sets])
    distance = np.abs(c - y)
    far, near = np.fmax(c, 1.0 - c), np.fmin(c, 1.0 - c)  # with a label of whatever kind

    def ends(known_confidence: Floats, unknown: float) -> Floats:
        filled = np.where(np.isnan(distance), known_confidence, distance)
        return -np.square(np.where(np.isnan(filled), unknown, filled))

    return -np.square(distance), ends(far, 1.0), ends(near, 0.0)


class _Tests:
    """One metric of all answers together, over the draws that both models share."""

    def __init__(
        self, sets: Sequence[Confidences], metric: str, alpha: float, intervals: Intervals
    ) -> None:
        self.sets, self.metric, self.alpha = sets, metric, alpha
        self.sign = sign_of(metric)
        self.draws = [intervals.resamples(one.questions.units) for one in sets]

    def test(self, candidate: End, baseline: End) -> tuple[PairedTest, tuple[float, float]]:
        """The test, and both figures, with what is missing of each model at one of its ends."""
        found, units, rarer = [], 0, np.zeros(2)
        for one, draws in zip(self.sets, self.draws, strict=True):
            its = one.of_all if candidate == "observed" else one
            of_models = [
                statistic_at(self.metric, its.confidence[:, m], its.correct[:, m], end)
                for m, end in ((CANDIDATE, candidate), (BASELINE, baseline))
            ]
            of = partial(_of_each, of_models)
            found.append(its.over_draws(of, draws))
            units += its.n_units
            right = np.nansum(its.correct, axis=0)
            rarer += np.minimum(right, len(its.correct) - right)
        sizes = [one.questions.size for one in self.sets]
        values = self.sign * weighted_mean(np.stack(found, axis=-1), sizes)
        test = bootstrap_test(
            values[:, CANDIDATE] - values[:, BASELINE],
            units=units,
            alpha=self.alpha,
            width=1.0,
            at_stake=int(rarer.min()) if self.metric == "auroc" else None,
            centred=self.metric == "ece",
        )
        observed = candidate == baseline == "observed"
        if self.metric == "ece" and observed and test.spread > 0.0:  # else all is alike, or unknown
            test = self._corrected(test)
        return test, (float(values[0, CANDIDATE]), float(values[0, BASELINE]))

    def _corrected(self, test: PairedTest) -> PairedTest:
        """With the lower bound as far away as the corrected errors put it, where that is further.

        The distances of the candidate's upper and the baseline's lower end from their estimates are
        added as squares (see `judgebench.stats.resample.ends_of_average`), as of independent
        errors: wider than need be where both models err on the same questions. Where the baseline
        may be calibrated, its error being 0, no more can be ruled out than the candidate's end.
        """
        sizes = [one.questions.size for one in self.sets]
        sums: list[list[Floats]] = [[], []]
        for one in self.sets:
            its = one.of_all
            for m in (CANDIDATE, BASELINE):
                of_bins = bin_contributions(
                    its.confidence[:, m], its.correct[:, m], binning="exact"
                )
                sums[m].append(unit_sums(of_bins, its.questions.unit_of))

        def ruled_out(alpha: float) -> float:
            """The rise that is, so that improvements lie above minus it."""
            candidate, baseline = (
                corrected_error(sums[m], sizes, level=1.0 - 2.0 * alpha)
                for m in (CANDIDATE, BASELINE)
            )
            if math.isnan(candidate.high) or math.isnan(baseline.low):  # too few questions
                return 1.0
            if baseline.low == 0.0:
                return candidate.high
            rise = candidate.value - baseline.value
            rise += math.hypot(candidate.high - candidate.value, baseline.value - baseline.low)
            return min(rise, 1.0)

        return replace(
            test,
            passing=lambda alpha: min(test.passing(alpha), -ruled_out(alpha)),
            method=f"{test.method}, of plug-in errors; passes by corrected ones where further",
        )

    def why_undefined(self) -> str | None:
        """Why the metric has no value on the answers of both; None where it has one."""
        for one in self.sets:
            right = one.of_all.correct
            where = f" on {one.questions.name}" if len(self.sets) > 1 else ""
            if not len(right):
                return f"no question{where} has a label and a confidence of both"
            for m, who in ((CANDIDATE, "the candidate"), (BASELINE, "the baseline")):
                reason = why_no_auroc(right[:, m])
                if self.metric == "auroc" and reason is not None:
                    return f"no AUROC of {who}{where}: {reason}"
        return None


def _of_each(of_models: Sequence[Statistic], w: Floats) -> Floats:
    return np.stack([of(w) for of in of_models], axis=-1)


def statistic_at(metric: str, confidence: Floats, correct: Floats, end: End) -> Statistic:
    """The metric of one model's answers, with what is missing of them at one of its ends."""
    known = ~(np.isnan(confidence) | np.isnan(correct))
    if metric == "auroc" and not known.all():
        confidence, correct = _auroc_filled(confidence, correct, known, end)
    elif metric == "ece" and not known.all():
        return _ece_filled(confidence, correct, known, end)
    return statistics(confidence, correct)["ece_plug_in" if metric == "ece" else metric]


def _auroc_filled(
    confidence: Floats, correct: Floats, known: NDArray[np.bool_], end: End
) -> tuple[Floats, Floats]:
    """Correct answers least sure and wrong ones surest, or the other way round.

    Of the answers without a label so many are called correct as make the area smallest, or largest.
    A confidence that stands without a label is moved too: the end lies beyond what could be.
    """
    low, unlabelled = end == "low", np.flatnonzero(np.isnan(correct))

    def filled(y: Floats) -> Floats:
        return np.where(known, confidence, 1.0 - y if low else y)

    given, y = filled(correct)[~np.isnan(correct)], correct[~np.isnan(correct)]
    right, wrong = given[y == 1.0], given[y == 0.0]
    called_right = np.arange(len(unlabelled) + 1)
    called_wrong = called_right[::-1]
    won = float(np.nan_to_num(auroc(given, y))) * len(right) * len(wrong)
    if low:  # all that one of them can have is a tie
        of_right, of_wrong, of_both = (wrong == 0.0).sum() / 2.0, (right == 1.0).sum() / 2.0, 0.0
    else:
        of_right = len(wrong) - (wrong == 1.0).sum() / 2.0
        of_wrong = len(right) - (right == 0.0).sum() / 2.0
        of_both = 1.0
    won = won + of_right * called_right + of_wrong * called_wrong
    won += of_both * called_right * called_wrong
    pairs = (len(right) + called_right) * (len(wrong) + called_wrong)
    area = np.where(pairs > 0, won / np.maximum(pairs, 1), math.inf if low else -math.inf)
    n_right = int(area.argmin() if low else area.argmax())
    labels = correct.copy()
    labels[unlabelled] = np.arange(len(unlabelled)) < n_right
    return filled(labels), labels


def _ece_filled(
    confidence: Floats, correct: Floats, known: NDArray[np.bool_], end: End
) -> Statistic:
    """Each missing answer adds all of itself to the distance of its bin, or takes as much off."""
    of_bins = bin_contributions(confidence[known], correct[known], binning="exact")

    def statistic(w: Floats) -> Floats:
        sums = weighted_sums(w[..., known], of_bins)
        n, missing = w.sum(axis=-1), w[..., ~known].sum(axis=-1)
        # nan without known answers: then no bin has a distance
        distance = np.nan_to_num(calibration_error_of(sums)) * (n - missing)
        moved = distance + missing if end == "high" else np.maximum(distance - missing, 0.0)
        return quotient(moved, n)

    return statistic
