"""Judges against a reference, as reports have them, from the rows of a benchmark."""

from __future__ import annotations

from judgebench.metrics.agreement import AgreementTable, LabelAgreement
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.judged_values import read_labels, read_outcomes, read_scores
from judgebench.metrics.outcome_agreement import OutcomeAgreement
from judgebench.metrics.score_agreement import ScoreAgreement
from judgebench.metrics.verdict_table import Columns
from judgebench.records import BINARY, HUMAN
from judgebench.stats.agreement import Weighting
from judgebench.stats.pair_outcomes import OutcomeRule


def agreement(
    columns: Columns,
    *,
    reference: str = HUMAN,
    labels: tuple[str, ...] = BINARY,
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    board = LabelAgreement(read_labels(columns, labels=labels), intervals)
    return board.against(reference, checks)


def outcome_agreement(
    columns: Columns,
    *,
    reference: str = HUMAN,
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    board = OutcomeAgreement(read_outcomes(columns, rule), weighting, intervals)
    return board.against(reference, checks)


def score_agreement(
    columns: Columns,
    *,
    reference: str = HUMAN,
    block: int | None = None,
    unparsed: float | None = None,
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    board = ScoreAgreement(read_scores(columns, unparsed), block, intervals)
    return board.against(reference, checks)
