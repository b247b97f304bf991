"""How far judges agree with a reference judge, a person for one, and with each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judgebench.metrics.comparison import (
    METRICS,
    AgreementRow,
    Comparison,
    label_measures,
    pairs_of,
)
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import (
    KAPPA,
    JudgeChecks,
    JudgeDifference,
    best_first,
    judge_differences,
    kappas,
    pairs_compared,
    two_labellers,
)
from judgebench.metrics.label_board import (
    Codes,
    LabelBoard,
    find_reference,
    majority,
    read_labels,
)
from judgebench.metrics.near_constant import NearConstant, flagged
from judgebench.metrics.paired_tables import pair
from judgebench.metrics.verdict_table import Columns
from judgebench.records import BINARY


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """All judges against one reference. ``raters`` are those whose labels it is made of.

    ``differences`` compares judges with judges, and ``flags`` are those that say nearly always the
    same; both are empty where nobody asked for them.
    """

    reference: str
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]
    differences: tuple[JudgeDifference, ...] = ()
    flags: tuple[NearConstant, ...] = ()


def agreement(
    columns: Columns,
    *,
    reference: str = "human",
    labels: Sequence[str] = BINARY,
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    """Every judge that labels, against a reference.

    Answers that the reference has not labelled do not count. Those that only the judge has not
    labelled are missing; the worst-case bounds are those of the coefficient over all answers,
    whatever it would have said on the missing (two labels only).

    The macro estimate is the unweighted mean over the models that the judge has verdicts on;
    where the coefficient of one of them is undefined, so is the mean, and the reason gives the
    mean of the others. Rankings compare the judge's score of each model, on its own verdicts,
    with the reference's on all it has labelled of that model.

    Parameters
    ----------
    columns
        As for `read_labels`.
    reference
        A judge; ``human`` is a judge of that name, or else the majority of ``human/*`` without
        ties. One of these raters is compared with the majority of the others, and its rows say so.
    labels
        The declared labels, the positive one last. By the share of it models are ranked.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's for plain proportions of
        one model under 30 items and at 0 or 1.
    checks
        With them, judges are also compared with each other. Raters that the reference is made of
        are no part of it.

    Returns
    -------
    AgreementTable
        For each judge, in order of name, a row ``pooled``, a row ``macro``, and a row for each
        model that the reference has labelled.

    Raises
    ------
    UsageError
        When there is no such reference, or it has labelled nothing.
    """
    board = read_labels(columns, labels=labels)
    truth = find_reference(board, reference)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.units)
    rows: list[AgreementRow] = []
    for judge in board.labellers:
        theirs = truth.beside(board, judge)
        if theirs.raters:
            tables = pair(board, board.of(judge), theirs.codes)
            rows += Comparison(judge, theirs.name, tables, resamples, wanted).rows()
    table = AgreementTable(reference=reference, raters=truth.raters, rows=tuple(rows))
    if checks is None:
        return table
    judges = best_first(rows, KAPPA, without=truth.raters)
    return replace(
        table,
        differences=judge_differences(
            pairs_compared(judges, checks.versus),
            reference,
            lambda *two: two_labellers(board, truth.codes, two),
            kappas(label_measures()),
            wanted,
        ),
        flags=near_constant_labels(board, dict.fromkeys(judges, truth.codes), reference, checks),
    )


OTHERS = "the other judges"
"""What stands in a flag for a reference where there is none: the majority of them."""


def near_constant_labels(
    board: LabelBoard, truths: Mapping[str, Codes], reference: str, checks: JudgeChecks
) -> tuple[NearConstant, ...]:
    """Judges that give nearly always one label, each beside a reference of its own."""
    models = [(model, None) for model in board.models]
    return tuple(
        one
        for judge, truth in truths.items()
        for one in flagged(
            judge, reference, board.of(judge), truth, board.model_of, models, board.labels,
            checks.near_constant,
        )
    )  # fmt: skip


def beside_the_others(board: LabelBoard) -> dict[str, Codes]:
    """Of each judge that labels what most of the others say."""
    return {
        judge: majority(
            np.stack([board.of(other) for other in board.labellers if other != judge]),
            n_labels=len(board.labels),
        )
        for judge in board.labellers
        if len(board.labellers) > 1
    }


def near_constant_between(
    columns: Columns, *, judges: Collection[str], labels: Sequence[str], checks: JudgeChecks
) -> tuple[NearConstant, ...]:
    """Judges, of those named or of all, that say nearly always the same where others do not."""
    board = read_labels(columns, labels=labels)
    truths = beside_the_others(board)
    wanted = {judge: truth for judge, truth in truths.items() if not judges or judge in judges}
    return near_constant_labels(board, wanted, OTHERS, checks)


def between_judges(
    columns: Columns,
    *,
    judges: Collection[str] = (),
    labels: Sequence[str] = BINARY,
    intervals: Intervals | None = None,
) -> tuple[AgreementRow, ...]:
    """Every two judges against each other, pooled; the second by name stands as the reference.

    Parameters
    ----------
    columns, labels, intervals
        As for `agreement`.
    judges
        Only these against every other; all if empty.

    Returns
    -------
    tuple of AgreementRow
        One for each two judges that both labelled some answer.
    """
    board = read_labels(columns, labels=labels)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.units)
    rows = []
    for first, second in pairs_of(board.labellers, judges):
        if ((board.of(first) >= 0) & (board.of(second) >= 0)).any():
            tables = pair(board, board.of(first), board.of(second))
            rows.append(Comparison(first, second, tables, resamples, wanted).pooled())
    return tuple(rows)


__all__ = ["METRICS", "AgreementRow", "AgreementTable", "agreement", "between_judges"]
