"""Two models' win rates at equal length, and whether one of them is worse.

A fitted figure has no value of each item whose sign could be flipped: both fits are made anew on
items drawn with replacement, the same draw for both, as the intervals of a board are made.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics import length_controlled
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.length_controlled import (
    LENGTH_CONTROLLED,
    PARAMETERS,
    LengthCalibration,
    Lengths,
)
from judgebench.metrics.paired import BASELINE, CANDIDATE, PairedModels, PairedTests
from judgebench.metrics.verdict_table import Columns
from judgebench.plain_text import in_natural_order
from judgebench.stats.paired_bootstrap import bootstrap_test
from judgebench.stats.paired_tests import PairedTest


def at_equal_length(
    pair: PairedModels,
    columns: Columns,
    opponent: str,
    two: tuple[str, str],
    *,
    lengths: Lengths,
    calibration: LengthCalibration,
    alpha: float,
    intervals: Intervals,
) -> tuple[PairedModels, PairedTests]:
    """Compare two models' length-controlled win rates on the items of both.

    Both are fitted on the items of which both have a readable verdict and a known length, so that
    a figure is the board's where nothing is missing.

    Parameters
    ----------
    pair
        The two models' win rates, as `paired_models` lines them up.
    columns
        The verdicts of that judge on the two against that opponent.
    two
        Candidate and baseline.

    Returns
    -------
    pair, compared
        `PairedModels.why_not` says why a fit has no value. What is missing is filled in at its
        ends, as for a win rate, which is a worst case as far as a fit goes with its verdicts: one
        of an unusual length may move it the other way. Where a length or a difficulty is not known
        it has no ends.
    """
    fits = _Fits(pair, opponent, two, lengths, calibration, alpha, intervals)
    rows = length_controlled.compared(columns, opponent, lengths)
    missing, unknown = pair.missing, []
    if pair.judge in rows:
        one = rows[pair.judge]
        at = [one.models.index(model) if model in one.models else -1 for model in two]
        n = np.array([one.n[m] if m >= 0 else 0 for m in at])
        missing = pair.expected - n
        unknown = [one.unknown[model] for model in two if model in one.unknown]
    observed, (candidate, baseline), why_not = fits.test(pair.mean, pair.mean)
    why_not = next(iter(unknown), why_not)
    lacks = bool(missing.any())
    worst = best = None
    if lacks and why_not is None and pair.worst is not None and pair.best is not None:
        worst, best = fits.filled(pair.worst, pair.best), fits.filled(pair.best, pair.worst)
    told = replace(
        pair,
        metric=LENGTH_CONTROLLED,
        missing=missing,
        why_not=pair.why_not or why_not,
    )
    bounded = worst is not None and best is not None
    return told, PairedTests(
        observed=observed,
        worst=worst if bounded else None,
        best=best if bounded else None,
        bounded=not lacks or bounded,
        candidate=candidate,
        baseline=baseline,
        why_unbounded=(
            "verdicts are missing where a length or a difficulty is not known, and nothing bounds "
            "what they would do to a length-controlled win rate"
        ),
    )


class _Fits:
    """Two models' answers and lengths, fitted with what is missing left out or filled in."""

    def __init__(
        self,
        pair: PairedModels,
        opponent: str,
        two: tuple[str, str],
        lengths: Lengths,
        calibration: LengthCalibration,
        alpha: float,
        intervals: Intervals,
    ) -> None:
        self.pair, self.two, self.calibration = pair, two, calibration
        self.alpha, self.intervals = alpha, intervals
        at = {item: place for place, item in enumerate(pair.items)}
        self.order = np.array([at[item] for item in in_natural_order(pair.items)], dtype=np.int64)

        def of(model: str) -> Floats:
            return np.array([lengths.get((model, item), math.nan) for item in pair.items])

        self.difference = np.stack([of(opponent) - of(model) for model in two], axis=-1)

    def filled(self, candidate: Floats, baseline: Floats) -> PairedTest | None:
        """On all items; None where a length is not known, or a fit has no value."""
        if np.isnan(self.difference).any():
            return None
        test, _, why_not = self.test(candidate, baseline)
        return test if why_not is None else None

    def test(
        self, candidate: Floats, baseline: Floats
    ) -> tuple[PairedTest, tuple[float, float], str | None]:
        """The test, both figures as shares, and why there are none.

        Parameters
        ----------
        candidate, baseline : float array, shape (items, 2)
            The preferences to take those of the candidate from, and those of the baseline.
        """
        preference = np.stack([candidate[:, CANDIDATE], baseline[:, BASELINE]], axis=-1)
        unknown = np.isnan(preference) | np.isnan(self.difference)
        kept = ~(unknown[:, CANDIDATE] | unknown[:, BASELINE])
        found = length_controlled.exact(
            self._lined_up(preference, kept), self.calibration, intervals=self.intervals
        )
        scores = found.scores / self.pair.unit
        units = len(np.unique(self.pair.unit_of[kept]))
        why_not = [
            f"{model}: {found.estimates[model].undefined}"
            for model in self.two
            if found.estimates[model].undefined is not None
        ]
        test = bootstrap_test(
            scores[:, CANDIDATE] - scores[:, BASELINE],
            units=units,
            alpha=self.alpha,
            n_parameters=PARAMETERS,
            width=1.0,
        )
        figures = float(scores[0, CANDIDATE]), float(scores[0, BASELINE])
        return test, figures, why_not[0] if why_not else None

    def _lined_up(
        self, preference: Floats, kept: NDArray[np.bool_]
    ) -> length_controlled.LengthComparisons:
        """The kept items in the order in which cross-validation folds them."""
        order = self.order[kept[self.order]]
        units, place = np.unique(self.pair.unit_of[order], return_inverse=True)
        first = {int(unit): at for at, unit in reversed(list(enumerate(self.pair.unit_of)))}
        asked = np.ones((2, len(order)), dtype=np.bool_)
        return length_controlled.LengthComparisons(
            items=tuple(self.pair.items[at] for at in order),
            board_items=tuple(self.pair.items[first[int(unit)]] for unit in units),
            place=place.astype(np.int64),
            models=self.two,
            preference=preference[order].T,
            difference=self.difference[order].T,
            asked=asked,
            n=asked.sum(axis=1),
            missing=np.zeros(2, dtype=np.int64),
            unknown={},
        )
