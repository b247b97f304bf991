"""How far judges that compare agree, on who lost, tied or won each pair.

Beside outcomes stands how far two judges' probabilities lie on one line, before any rule makes
outcomes, and how often comparisons in both orders agree with each other, and then with a reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np

from judgebench.metrics.agreement import LabelAgreement, weighted
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import (
    AgreementRow,
    Bools,
    Comparison,
    Measures,
    by_scope,
    pair,
    share_of,
)
from judgebench.metrics.intervals import Floats, Intervals, as_estimate, wilson
from judgebench.metrics.judged_values import (
    NO_VERDICT,
    OUTCOMES,
    Answered,
    Codes,
    JudgedValues,
    Said,
)
from judgebench.records import Estimate
from judgebench.stats.agreement import COEFFICIENTS, Weighting, coefficient, why_undefined
from judgebench.stats.pair_outcomes import (
    LOSS,
    NO_OUTCOME,
    TIE,
    WIN,
    comparison_contributions,
)
from judgebench.stats.resample import Resamples, quotient

CONSISTENCY = ("consistency", "consistent_agreement")
UPSTREAM = "_upstream"
"""What the names end in where a pair that could not be read is inconsistent and wrong."""

NAMES = (*CONSISTENCY, *(f"{name}{UPSTREAM}" for name in CONSISTENCY))

ONE_ORDER = "no pair was shown in both orders; a suite says orders: both"
NONE_READ = "no pair could be read in both orders"


def order_consistency(
    board: JudgedValues,
    by_order: Codes,
    truth: Codes,
    resamples: Resamples,
    wanted: Intervals,
) -> list[Mapping[str, Estimate]]:
    """Consistency, and agreement of what is consistent, as CritiqueLLM defines them.

    Of the pairs that the reference judged and the judge was shown in both orders: on which its two
    outcomes are one, and on which they are also the reference's. Under the names with `UPSTREAM`
    all those pairs count, else those that were read in both orders. The definitions and their
    source are in `judgebench.stats.pair_outcomes`.

    Parameters
    ----------
    board
        Of outcomes.
    by_order : int array, shape (pairs, 2)
        The judge's outcome in each order.
    truth : int array, shape (pairs,)
        The reference's.

    Returns
    -------
    list
        By name: pooled, the unweighted mean over models, and of each model that the reference
        compared.
    """
    known = truth >= 0
    models, model = np.unique(board.model_of[known], return_inverse=True)
    both = (by_order[known] != NO_VERDICT).all(axis=1)
    outcomes = np.where(by_order[known] >= 0, by_order[known], NO_OUTCOME)
    read = comparison_contributions(outcomes, truth[known])
    # What could not be read counts among upstream's pairs, and is neither consistent nor right.
    published = np.stack([read[..., 0], np.ones_like(read[..., 0])], axis=-1)
    added = np.concatenate([read, published], axis=1) * both[:, np.newaxis, np.newaxis]
    n_units, n_models = len(board.units), len(models)
    moments = np.zeros((n_units, n_models, len(NAMES), 2))
    np.add.at(moments, (board.unit_of[board.item_of[known]], model), added)
    (sums,) = resamples.sums([moments])
    together = np.concatenate([sums.sum(axis=1, keepdims=True), sums], axis=1)
    present = moments[..., 2, 1].sum(axis=0) > 0
    values = by_scope(np.moveaxis(quotient(together[..., 0], together[..., 1]), 1, -1), present)
    ends = wanted.ends(values, None)
    pairs = np.bincount(model, minlength=n_models)
    labelled = [int(pairs.sum())] * 2 + pairs.tolist()
    counts = together[0, ..., 1]
    units = np.concatenate(
        [
            (moments[..., 1].sum(axis=1) > 0).sum(axis=0)[np.newaxis],
            (moments[..., 1] > 0).sum(axis=0),
        ]
    )

    def estimate(name: int, scope: int) -> Estimate:
        at = max(0, scope - 1)  # the mean over models rests on what the pooled value rests on
        n, value, of = int(counts[at, name]), float(values[0, name, scope]), int(units[at, name])
        share = wilson(value, n, level=wanted.level) if of == n and scope != 1 else None
        return as_estimate(
            value,
            share or ends.over(of, name, scope),
            n=n,
            units=of,
            missing=labelled[scope] - n,
            level=wanted.level,
            why=NONE_READ if counts[at, 2] else ONE_ORDER,
        )

    return [
        {name: estimate(n, scope) for n, name in enumerate(NAMES)} for scope in range(2 + n_models)
    ]


CORRELATION = "preference_correlation"

NOTHING = 1e-12
"""A variance of probabilities that is rounding."""


def preference_correlation(
    board: JudgedValues,
    judge: Floats,
    reference: Floats,
    truth: Codes,
    resamples: Resamples,
    wanted: Intervals,
) -> list[Estimate]:
    """Pearson's correlation of the probabilities that the model's answer is better.

    Every pair counts one, whatever the number of pairs of its item.

    Parameters
    ----------
    board
        Of outcomes.
    judge, reference : float array, shape (pairs,)
        nan where there is no outcome.
    truth : int array, shape (pairs,)
        The reference's outcomes, which say for which models there are estimates.

    Returns
    -------
    list of Estimate
        Pooled, the unweighted mean over models, and of each model that the reference compared;
        undefined where one of the two gives every pair the same probability.
    """
    known = truth >= 0
    models, model = np.unique(board.model_of[known], return_inverse=True)
    x, y, unit = judge[known], reference[known], board.unit_of[board.item_of[known]]
    both = ~np.isnan(x) & ~np.isnan(y)
    n_units, n_models = len(board.units), len(models)
    cell = (unit * n_models + model)[both]
    # Sums of squares from a value of the data lose no digits, and are 0 where all are equal.
    a, b = (v[both] - (v[both][0] if both.any() else 0.0) for v in (x, y))
    stacked = np.stack(
        [
            np.bincount(cell, values, minlength=n_units * n_models)
            for values in (np.ones(len(a)), a, b, a * a, b * b, a * b)
        ],
        axis=-1,
    )
    moments = stacked.astype(np.float64).reshape(n_units, n_models, 6)
    (sums,) = resamples.sums([moments])
    pairs = np.bincount(model[both], minlength=n_models)
    present = pairs > 0
    together = np.concatenate([sums.sum(axis=-2, keepdims=True), sums], axis=-2)
    values = by_scope(_pearson(together), present)
    ends = replace(wanted, kind="percentile").ends(values, None)
    units = [int((moments[..., 0].sum(axis=1) > 0).sum())] * 2
    units += (moments[..., 0] > 0).sum(axis=0).tolist()
    missing = np.bincount(model[~both], minlength=n_models)
    counts = [int(pairs.sum())] * 2 + pairs.tolist()
    lacking = [int(missing.sum())] * 2 + missing.tolist()
    constant = "one of both gives every pair the same probability"
    gone = np.isnan(values[0, 2:][present]).sum()
    why = [constant, f"undefined on {gone} of {present.sum()}: {constant}"] + [constant] * n_models
    return [
        as_estimate(
            float(values[0, scope]), ends.over(units[scope], scope),
            n=counts[scope], units=units[scope], missing=lacking[scope], level=wanted.level,
            why=why[scope] if counts[scope] else "no pair has an outcome of both",
        )
        for scope in range(2 + n_models)
    ]  # fmt: skip


def _pearson(moments: Floats) -> Floats:
    """Of sums (..., 6): how many, x, y, xx, yy, xy."""
    n = np.maximum(moments[..., 0], 1.0)
    x, y, xx, yy, xy = (moments[..., i] / n for i in range(1, 6))
    of_x, of_y = xx - x * x, yy - y * y
    varies = (of_x > NOTHING) & (of_y > NOTHING)
    found = quotient(xy - x * y, np.sqrt(np.where(varies, of_x * of_y, 0.0)))
    return np.asarray(np.clip(found, -1.0, 1.0))


DECIDED = ("agreement", "cohen_kappa")
"""What is also given of the pairs on which neither says tie, under the name with `NO_TIES`."""

NO_TIES = "_no_ties"

NONE_DECIDED = "no pair was decided by both"


class OutcomeAgreement(LabelAgreement):
    """Outcomes of comparisons: as labels loss, tie and win, on the pairs that a reference judged.

    Pairs with an opponent that a judge was never asked about are none of its own and do not count
    as missing. Besides there are agreement and kappa of the pairs on which neither says tie, the
    correlation of the probabilities themselves, and what `order_consistency` says of pairs in both
    orders. Where models have different opponents, a row is for two models.

    What a model is against itself is a tie by construction and says nothing of a judge: such pairs
    have a row of their own and stand in no other.

    ``spearman`` and ``kendall`` compare the models' win rates (wins and half the ties): against
    the opponent that all have in common, or else over all pairs a model has part in.

    Parameters
    ----------
    values
        ``human`` is the majority of the outcomes of ``human/*`` without ties.
    weighting
        How a win against a tie is disagreed upon, in ``cohen_kappa`` alone.
    intervals
        Percentile bootstrap over items unless asked otherwise.
    """

    kind: ClassVar[Kind] = "preference"

    def __init__(
        self,
        values: JudgedValues,
        weighting: Weighting = "nominal",
        intervals: Intervals | None = None,
    ) -> None:
        opponents = {opponent for _, opponent in values.models}
        measures = Measures(
            coefficients=tuple(COEFFICIENTS),
            of=partial(weighted, weighting=weighting),
            scores=None,
            counted="pairs of models" if len(opponents) > 1 else "models",
            why=partial(_why_undefined, nothing="no pair has a verdict of both"),
        )
        super().__init__(values, intervals, measures)
        self.itself = values.itself

    def counted(self, codes: Codes) -> Codes:
        return np.where(self.itself, NO_VERDICT, codes)

    def rows_of(self, judge: str, truth: Said) -> list[AgreementRow]:
        asked = self.values.of(judge).asked
        own = np.where(self.values.met(asked), self.counted(truth.codes), NO_VERDICT)
        same = np.where(self.itself, truth.codes, NO_VERDICT)
        probabilities = _of_reference(self.values, truth)
        return [
            row
            # What a model is against itself has rows for models alone.
            for codes, first in ((own, 0), (same, 2))
            if (asked & (codes >= 0)).any()
            for row in self._rows(judge, truth.name, codes, probabilities)[first:]
        ]

    def pooled_of(self, first: str, second: str) -> AgreementRow | None:
        truth = self.counted(self.values.of(second).codes)
        if not ((self.values.of(first).codes >= 0) & (truth >= 0)).any():
            return None
        return self._rows(first, second, truth, self.values.of(second).p)[0]

    def _rows(
        self, judge: str, reference: str, truth: Codes, probabilities: Floats
    ) -> list[AgreementRow]:
        """Pooled, macro, and a row for each two models that the reference has compared: with ties,
        without, and before the rule."""
        board, mine = self.values, self.values.of(judge)
        # The models that the reference has compared are the rows for models, ties or not.
        models = [board.models[m] for m in np.unique(board.model_of[truth >= 0])]
        with_ties = Comparison(
            judge, reference, pair(board, mine.codes, truth), self.resamples, self.wanted,
            replace(self.measures, scores=partial(win_rates, models=models)),
        )  # fmt: skip
        correlation = preference_correlation(
            board, mine.p, probabilities, truth, self.resamples, self.wanted,
        )  # fmt: skip
        consistency = order_consistency(board, mine.by_order, truth, self.resamples, self.wanted)
        decided, its, theirs = _without_ties(board, mine.codes, truth)
        why = partial(_why_undefined, nothing=NONE_DECIDED)
        no_ties = Comparison(
            judge, reference, pair(decided, its, theirs), self.resamples, self.wanted,
            Measures(coefficients=DECIDED, of=coefficient, scores=None, why=why),
        ).rows()  # fmt: skip
        there = [board.models[m] for m in np.unique(board.model_of[theirs >= 0])]
        of_models = dict(zip(there, no_ties[2:], strict=True))
        without = [*no_ties[:2], *(of_models.get(two) for two in models)]
        names = [(None, None), (None, None), *models]
        return [
            replace(
                row,
                model=model,
                opponent=opponent,
                metrics={**row.metrics, **_renamed(decided_row, row), CORRELATION: one, **both},
            )
            for row, decided_row, one, both, (model, opponent) in zip(
                with_ties.rows(), without, correlation, consistency, names, strict=True
            )
        ]


def _of_reference(values: JudgedValues, truth: Said) -> Floats:
    """Mean of the raters' probabilities, on the pairs of which the reference has an outcome."""
    said = np.stack([values.of(rater).p for rater in truth.raters])
    n = (~np.isnan(said)).sum(axis=0)
    mean = np.nansum(said, axis=0) / np.maximum(n, 1)
    return np.where((truth.codes >= 0) & (n > 0), mean, np.nan)


def _why_undefined(name: str, table: Floats, *, nothing: str) -> str | None:
    return why_undefined(name, table) if table.sum() > 0 else nothing


def _renamed(row: AgreementRow | None, full: AgreementRow) -> dict[str, Estimate]:
    if row is not None:
        return {f"{name}{NO_TIES}": row.metrics[name] for name in DECIDED}
    level = full.metrics["agreement"].level
    nothing = Estimate(value=math.nan, n=0, units=0, level=level, undefined=NONE_DECIDED)
    return {f"{name}{NO_TIES}": nothing for name in DECIDED}


def _without_ties(
    values: JudgedValues, mine: Codes, theirs: Codes
) -> tuple[JudgedValues, Codes, Codes]:
    """Both raters' codes of loss and win, on pairs on which neither says tie.

    A pair that the reference decided and the judge could not be read on stays missing.
    """
    tied = (mine == TIE) | (theirs == TIE)
    its, truth = (
        np.where(codes == TIE, NO_VERDICT, np.where(codes == WIN, 1, codes))
        for codes in (mine, theirs)
    )
    two = replace(values, labels=(OUTCOMES[LOSS], OUTCOMES[WIN]))
    return two, its, np.where(tied, NO_VERDICT, truth)


def win_rates(counts: Floats, present: Bools, *, models: Sequence[Answered]) -> Floats:
    """Wins and half the ties of each model as a share of its pairs.

    Parameters
    ----------
    counts : float array, shape (..., pairs of models, 3)
        Of losses, ties and wins of the first of two models.
    present : bool array, shape (pairs of models,)
        Which of them count.
    models : sequence of (model, opponent), of the same length

    Returns
    -------
    float array, shape (..., models)
        Of every model with an opponent that all have in common; where there is none, of all.
    """
    won = (counts[..., WIN] + counts[..., TIE] / 2.0)[..., present]
    total = counts.sum(axis=-1)[..., present]
    there = [pair for pair, yes in zip(models, present, strict=True) if yes]
    if len({opponent for _, opponent in there}) < 2:
        return share_of(won, total)
    names = sorted({str(name) for pair in there for name in pair})
    first, second = (
        np.array([[pair[side] == name for name in names] for pair in there], dtype=np.float64)
        for side in (0, 1)
    )
    return share_of(won @ first + (total - won) @ second, total @ (first + second))
