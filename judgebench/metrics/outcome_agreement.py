"""How far judges that compare agree, on who lost, tied or won each pair."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from judgebench.metrics.agreement import OTHERS, beside_the_others
from judgebench.metrics.comparison import (
    AgreementRow,
    Bools,
    Comparison,
    Measures,
    pairs_of,
    share_of,
)
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judge_differences import (
    KAPPA,
    JudgeChecks,
    JudgeDifference,
    Two,
    best_first,
    judge_differences,
    kappas,
    pairs_compared,
    two_labellers,
)
from judgebench.metrics.label_board import NO_VERDICT, Codes, LabelBoard, find_reference
from judgebench.metrics.near_constant import NearConstant, flagged
from judgebench.metrics.order_consistency import order_consistency
from judgebench.metrics.outcome_board import OUTCOMES, OutcomeBoard, outcome_board
from judgebench.metrics.paired_tables import pair
from judgebench.metrics.paired_verdicts import ModelPair
from judgebench.metrics.preference_correlation import CORRELATION, preference_correlation
from judgebench.metrics.verdict_table import Columns
from judgebench.records import Estimate
from judgebench.stats.agreement import (
    COEFFICIENTS,
    Weighting,
    coefficient,
    cohen_kappa_of,
    why_undefined,
)
from judgebench.stats.pair_outcomes import LOSS, TIE, WIN, OutcomeRule
from judgebench.stats.resample import Resamples

DECIDED = ("agreement", "cohen_kappa")
"""What is also given of the pairs on which neither says tie, under the name with `NO_TIES`."""

NO_TIES = "_no_ties"

NONE_DECIDED = "no pair was decided by both"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """All judges against one reference, or every two against each other.

    reference
        None where judges are compared with each other.
    counts
        As in `OutcomeBoard`.
    nothing_in_common
        Judges that were never asked about a pair that the reference has compared; they have no
        rows.
    differences, flags
        As in `judgebench.metrics.agreement.AgreementTable`.
    """

    reference: str | None
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]
    counts: Mapping[str, Mapping[str, int]]
    nothing_in_common: tuple[str, ...] = ()
    differences: tuple[JudgeDifference, ...] = ()
    flags: tuple[NearConstant, ...] = ()


def outcome_agreement(
    columns: Columns,
    *,
    reference: str = "human",
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> OutcomeTable:
    """Every judge that compares, against a reference, on the pairs that the reference judged.

    Pairs with an opponent that a judge was never asked about are none of its own and do not count
    as missing.

    As `judgebench.metrics.agreement.agreement` with the labels loss, tie and win, and besides
    agreement and kappa of the pairs on which neither says tie, the correlation of the
    probabilities themselves, and what `order_consistency` says of pairs in both orders. Where
    models have different opponents, a row is for two models.

    What a model is against itself is a tie by construction and says nothing of a judge: such pairs
    have a row of their own and stand in no other.

    ``spearman`` and ``kendall`` compare the models' win rates (wins and half the ties): against
    the opponent that all have in common, or else over all pairs a model has part in.

    Parameters
    ----------
    columns
        As for `judgebench.metrics.paired_verdicts.paired_verdicts`.
    reference
        A judge; ``human`` is a judge of that name, or else the majority of the outcomes of
        ``human/*`` without ties. One of these raters is compared with the majority of the others.
    rule
        How probabilities become outcomes.
    weighting
        How a win against a tie is disagreed upon, in ``cohen_kappa`` alone.
    intervals
        Percentile bootstrap over items unless asked otherwise.
    checks
        As for `judgebench.metrics.agreement.agreement`; kappa is compared, with ties.

    Raises
    ------
    UsageError
        When there is no such reference, or it has compared nothing.
    """
    board = outcome_board(columns, rule)
    truth = find_reference(board.labels, reference)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.labels.units)
    rows: list[AgreementRow] = []
    strangers: list[str] = []
    apart, _ = _with_itself(board, truth.codes)
    for judge in board.labels.labellers:
        theirs = truth.beside(board.labels, judge)
        if not theirs.raters:
            continue
        others, same = _with_itself(board, theirs.codes)
        probabilities = _of_reference(board, theirs.raters, theirs.codes)
        asked = board.codes(judge) != NO_VERDICT
        own = np.where(_of_its_opponents(board, asked), others, NO_VERDICT).astype(np.int8)
        # What a model is against itself has rows for models alone.
        tables = [
            (codes, first) for codes, first in ((own, 0), (same, 2)) if (asked & (codes >= 0)).any()
        ]
        for codes, first in tables:
            rows += _Outcomes(
                board, judge, theirs.name, codes, probabilities, weighting, resamples, wanted
            ).rows()[first:]
        strangers += [] if tables else [judge]
    table = OutcomeTable(
        reference=reference,
        raters=truth.raters,
        rows=tuple(rows),
        counts=board.counts,
        nothing_in_common=tuple(strangers),
    )
    if checks is None:
        return table
    judges = best_first(rows, KAPPA, without=truth.raters)
    measures = _measures(weighting, counted=_counted(board))

    def two(*names: str) -> Two:
        asked = [_of_its_opponents(board, board.codes(name) != NO_VERDICT) for name in names]
        return two_labellers(board.labels, apart, names, asked)

    return replace(
        table,
        differences=judge_differences(
            pairs_compared(judges, checks.versus), reference, two, kappas(measures), wanted
        ),
        flags=near_constant_outcomes(board, dict.fromkeys(judges, apart), reference, checks),
    )


def near_constant_outcomes_between(
    columns: Columns, *, judges: Collection[str], rule: OutcomeRule | None, checks: JudgeChecks
) -> tuple[NearConstant, ...]:
    """As `judgebench.metrics.agreement.near_constant_between`."""
    board = outcome_board(columns, rule)
    truths = beside_the_others(board.labels)
    wanted = {
        judge: _with_itself(board, truth)[0]
        for judge, truth in truths.items()
        if not judges or judge in judges
    }
    return near_constant_outcomes(board, wanted, OTHERS, checks)


def near_constant_outcomes(
    board: OutcomeBoard, truths: Mapping[str, Codes], reference: str, checks: JudgeChecks
) -> tuple[NearConstant, ...]:
    """Judges of which nearly every comparison comes out the same, each beside its reference."""
    return tuple(
        one
        for judge, truth in truths.items()
        for one in flagged(
            judge, reference, board.codes(judge), truth, board.labels.model_of, board.models,
            OUTCOMES, checks.near_constant,
        )
    )  # fmt: skip


def _counted(board: OutcomeBoard) -> str:
    return "pairs of models" if len({other for _, other in board.models}) > 1 else "models"


def _measures(
    weighting: Weighting, *, counted: str, models: list[ModelPair] | None = None
) -> Measures:
    return Measures(
        coefficients=tuple(COEFFICIENTS),
        of=partial(_coefficient, weighting=weighting),
        scores=None if models is None else partial(win_rates, models=models),
        counted=counted,
        why=partial(_why_undefined, nothing="no pair has a verdict of both"),
    )


def outcomes_between(
    columns: Columns,
    *,
    judges: Collection[str] = (),
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
) -> OutcomeTable:
    """Every two judges that compared some pair, pooled; the second by name is the reference.

    Parameters
    ----------
    columns, rule, weighting, intervals
        As for `outcome_agreement`.
    judges
        Only these against every other; all if empty.
    """
    board = outcome_board(columns, rule)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.labels.units)
    rows = []
    for first, second in pairs_of(board.labels.labellers, judges):
        truth, _ = _with_itself(board, board.codes(second))
        if ((board.codes(first) >= 0) & (truth >= 0)).any():
            found = _Outcomes(
                board, first, second, truth, board.probabilities(second), weighting,
                resamples, wanted,
            )  # fmt: skip
            rows.append(found.rows()[0])
    return OutcomeTable(reference=None, raters=(), rows=tuple(rows), counts=board.counts)


def _with_itself(board: OutcomeBoard, codes: Codes) -> tuple[Codes, Codes]:
    """The codes of pairs of two models, and of those of a model with itself."""
    same = np.array([model == opponent for model, opponent in board.models], dtype=np.bool_)
    itself = same[board.labels.model_of]
    return (
        np.where(itself, NO_VERDICT, codes).astype(np.int8),
        np.where(itself, codes, NO_VERDICT).astype(np.int8),
    )


def _of_its_opponents(board: OutcomeBoard, asked: Bools) -> Bools:
    """The pairs with an opponent that a judge was asked about, shape (pairs,)."""
    _, opponent = np.unique([opponent for _, opponent in board.models], return_inverse=True)
    opponent_of = opponent[board.labels.model_of]
    return np.isin(opponent_of, opponent_of[asked])


def _of_reference(board: OutcomeBoard, raters: tuple[str, ...], codes: Codes) -> Floats:
    """Mean of the raters' probabilities, on the pairs of which the reference has an outcome."""
    said = np.stack([board.probabilities(rater) for rater in raters])
    n = (~np.isnan(said)).sum(axis=0)
    mean = np.nansum(said, axis=0) / np.maximum(n, 1)
    return np.where((codes >= 0) & (n > 0), mean, np.nan)


class _Outcomes:
    """One judge's outcomes against a reference's: with ties, without, and before the rule."""

    def __init__(
        self,
        board: OutcomeBoard,
        judge: str,
        reference: str,
        truth: Codes,
        probabilities: Floats,
        weighting: Weighting,
        resamples: Resamples,
        wanted: Intervals,
    ) -> None:
        codes = board.codes(judge)
        # The models that the reference has compared are the rows for models, ties or not.
        self.models = [board.models[m] for m in np.unique(board.labels.model_of[truth >= 0])]
        self.full = Comparison(
            judge, reference, pair(board.labels, codes, truth), resamples, wanted,
            _measures(weighting, counted=_counted(board), models=self.models),
        )  # fmt: skip
        self.correlation = preference_correlation(
            board.labels, board.probabilities(judge), probabilities, truth, resamples, wanted
        )
        by_order = board.by_order[board.labels.judges.index(judge)]
        self.consistency = order_consistency(board.labels, by_order, truth, resamples, wanted)
        decided, mine, theirs = _without_ties(board.labels, codes, truth)
        kept = np.unique(board.labels.model_of[theirs >= 0])
        self.decided = [board.models[m] for m in kept]
        self.no_ties = Comparison(
            judge, reference, pair(decided, mine, theirs), resamples, wanted,
            Measures(
                coefficients=DECIDED, of=coefficient, scores=None,
                why=partial(_why_undefined, nothing=NONE_DECIDED),
            ),
        )  # fmt: skip

    def rows(self) -> list[AgreementRow]:
        """Pooled, macro, and a row for each two models that the reference has compared."""
        without = self.no_ties.rows()
        of_models = dict(zip(self.decided, without[2:], strict=True))
        full = self.full.rows()
        decided = [*without[:2], *(of_models.get(models) for models in self.models)]
        opponents = [None, None, *(opponent for _, opponent in self.models)]
        names = [None, None, *(model for model, _ in self.models)]
        return [
            replace(
                row,
                model=model,
                opponent=opponent,
                metrics={
                    **row.metrics,
                    **_renamed(no_ties, row),
                    CORRELATION: correlation,
                    **consistency,
                },
            )
            for row, no_ties, correlation, consistency, model, opponent in zip(
                full, decided, self.correlation, self.consistency, names, opponents, strict=True
            )
        ]


def _coefficient(name: str, tables: Floats, *, weighting: Weighting) -> Floats:
    if name == "cohen_kappa":
        return cohen_kappa_of(tables, weighting=weighting)
    return coefficient(name, tables)


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
