"""How far judges that compare agree, on who lost, tied or won each pair."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np

from judgebench.metrics.agreement import AgreementTable, LabelAgreement, weighted
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow, Bools, Comparison, Measures, share_of
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.label_board import NO_VERDICT, Codes, LabelBoard, Reference
from judgebench.metrics.order_consistency import order_consistency
from judgebench.metrics.outcome_board import OUTCOMES, OutcomeBoard, outcome_board
from judgebench.metrics.paired_tables import pair
from judgebench.metrics.paired_verdicts import ModelPair
from judgebench.metrics.preference_correlation import CORRELATION, preference_correlation
from judgebench.metrics.verdict_table import Columns
from judgebench.records import Estimate
from judgebench.stats.agreement import COEFFICIENTS, Weighting, coefficient, why_undefined
from judgebench.stats.pair_outcomes import LOSS, TIE, WIN, OutcomeRule

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
    outcomes
        ``human`` is the majority of the outcomes of ``human/*`` without ties.
    weighting
        How a win against a tie is disagreed upon, in ``cohen_kappa`` alone.
    intervals
        Percentile bootstrap over items unless asked otherwise.
    """

    kind: ClassVar[Kind] = "preference"

    def __init__(
        self,
        outcomes: OutcomeBoard,
        weighting: Weighting = "nominal",
        intervals: Intervals | None = None,
    ) -> None:
        opponents = [opponent for _, opponent in outcomes.models]
        measures = Measures(
            coefficients=tuple(COEFFICIENTS),
            of=partial(weighted, weighting=weighting),
            scores=None,
            counted="pairs of models" if len(set(opponents)) > 1 else "models",
            why=partial(_why_undefined, nothing="no pair has a verdict of both"),
        )
        super().__init__(outcomes.labels, intervals, measures)
        self.outcomes, self.models, self.counts = outcomes, outcomes.models, outcomes.counts
        same = np.array([model == opponent for model, opponent in outcomes.models], dtype=np.bool_)
        self.itself = same[self.board.model_of]
        _, opponent = np.unique(opponents, return_inverse=True)
        self.opponent_of = opponent[self.board.model_of]

    def counted(self, codes: Codes) -> Codes:
        return np.where(self.itself, NO_VERDICT, codes).astype(np.int8)

    def asked(self, judge: str) -> Bools:
        asked = self.board.of(judge) != NO_VERDICT
        return np.isin(self.opponent_of, self.opponent_of[asked])

    def rows(self, judge: str, truth: Reference) -> list[AgreementRow]:
        own = np.where(self.asked(judge), self.counted(truth.codes), NO_VERDICT).astype(np.int8)
        same = np.where(self.itself, truth.codes, NO_VERDICT).astype(np.int8)
        asked = self.board.of(judge) != NO_VERDICT
        probabilities = _of_reference(self.outcomes, truth.raters, truth.codes)
        return [
            row
            # What a model is against itself has rows for models alone.
            for codes, first in ((own, 0), (same, 2))
            if (asked & (codes >= 0)).any()
            for row in self._rows(judge, truth.name, codes, probabilities)[first:]
        ]

    def pooled(self, first: str, second: str) -> AgreementRow | None:
        truth = self.counted(self.board.of(second))
        if not ((self.board.of(first) >= 0) & (truth >= 0)).any():
            return None
        return self._rows(first, second, truth, self.outcomes.probabilities(second))[0]

    def _rows(
        self, judge: str, reference: str, truth: Codes, probabilities: Floats
    ) -> list[AgreementRow]:
        """Pooled, macro, and a row for each two models that the reference has compared: with ties,
        without, and before the rule."""
        board, codes = self.board, self.board.of(judge)
        # The models that the reference has compared are the rows for models, ties or not.
        models = [self.outcomes.models[m] for m in np.unique(board.model_of[truth >= 0])]
        with_ties = Comparison(
            judge, reference, pair(board, codes, truth), self.resamples, self.wanted,
            replace(self.measures, scores=partial(win_rates, models=models)),
        )  # fmt: skip
        correlation = preference_correlation(
            board, self.outcomes.probabilities(judge), probabilities, truth, self.resamples,
            self.wanted,
        )  # fmt: skip
        by_order = self.outcomes.by_order[board.judges.index(judge)]
        consistency = order_consistency(board, by_order, truth, self.resamples, self.wanted)
        decided, mine, theirs = _without_ties(board, codes, truth)
        why = partial(_why_undefined, nothing=NONE_DECIDED)
        no_ties = Comparison(
            judge, reference, pair(decided, mine, theirs), self.resamples, self.wanted,
            Measures(coefficients=DECIDED, of=coefficient, scores=None, why=why),
        ).rows()  # fmt: skip
        there = [self.outcomes.models[m] for m in np.unique(board.model_of[theirs >= 0])]
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


def outcome_agreement(
    columns: Columns,
    *,
    reference: str = "human",
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    """Every judge that compares, against a reference; see `OutcomeAgreement`.

    Parameters
    ----------
    columns
        As for `judgebench.metrics.paired_verdicts.paired_verdicts`.
    rule
        How probabilities become outcomes.
    """
    board = OutcomeAgreement(outcome_board(columns, rule), weighting, intervals)
    return board.against(reference, checks)


def _of_reference(board: OutcomeBoard, raters: tuple[str, ...], codes: Codes) -> Floats:
    """Mean of the raters' probabilities, on the pairs of which the reference has an outcome."""
    said = np.stack([board.probabilities(rater) for rater in raters])
    n = (~np.isnan(said)).sum(axis=0)
    mean = np.nansum(said, axis=0) / np.maximum(n, 1)
    return np.where((codes >= 0) & (n > 0), mean, np.nan)


def _why_undefined(name: str, table: Floats, *, nothing: str) -> str | None:
    return why_undefined(name, table) if table.sum() > 0 else nothing


def _renamed(row: AgreementRow | None, full: AgreementRow) -> dict[str, Estimate]:
    if row is not None:
        return {f"{name}{NO_TIES}": row.metrics[name] for name in DECIDED}
    nothing = replace(
        full.metrics["agreement"], value=math.nan, low=math.nan, high=math.nan, n=0, units=0,
        missing=0, method="", worst_low=None, worst_high=None,
        undefined=NONE_DECIDED,
    )  # fmt: skip
    return {f"{name}{NO_TIES}": nothing for name in DECIDED}


def _without_ties(board: LabelBoard, mine: Codes, theirs: Codes) -> tuple[LabelBoard, Codes, Codes]:
    """Both raters' codes of loss and win, on pairs on which neither says tie.

    A pair that the reference decided and the judge could not be read on stays missing.
    """
    code_of = np.array([0, NO_VERDICT, 1], dtype=np.int8)

    def decided(codes: Codes) -> Codes:
        return np.where(codes >= 0, code_of[np.maximum(codes, 0)], codes).astype(np.int8)

    tied = (mine == TIE) | (theirs == TIE)
    truth = np.where(tied, NO_VERDICT, decided(theirs)).astype(np.int8)
    labels = (OUTCOMES[LOSS], OUTCOMES[WIN])
    return replace(board, labels=labels), decided(mine), truth


def win_rates(counts: Floats, present: Bools, *, models: list[ModelPair]) -> Floats:
    """Wins and half the ties of each model as a share of its pairs.

    Parameters
    ----------
    counts : float array, shape (..., pairs of models, 3)
        Of losses, ties and wins of the first of two models.
    present : bool array, shape (pairs of models,)
        Which of them count.
    models : list of (model, opponent), of the same length

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
    names = sorted({name for pair in there for name in pair})
    first, second = (
        np.array([[pair[side] == name for name in names] for pair in there], dtype=np.float64)
        for side in (0, 1)
    )
    return share_of(won @ first + (total - won) @ second, total @ (first + second))
