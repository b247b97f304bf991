"""How far judges agree with a reference judge, a person for one, and with each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from judgebench.metrics.comparison import METRICS, AgreementRow, Comparison, pairs_of
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.label_board import find_reference, read_labels
from judgebench.metrics.paired_tables import pair
from judgebench.metrics.verdict_table import Columns
from judgebench.records import BINARY


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """All judges against one reference. ``raters`` are those whose labels it is made of."""

    reference: str
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]


def agreement(
    columns: Columns,
    *,
    reference: str = "human",
    labels: Sequence[str] = BINARY,
    intervals: Intervals | None = None,
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
        ties.
    labels
        The declared labels; of two, the second is the positive one.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's for plain proportions of
        one model under 30 items and at 0 or 1.

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
    # A majority of one rater is that rater: there is nothing to compare.
    itself = truth.raters if len(truth.raters) == 1 else ()
    rows: list[AgreementRow] = []
    for judge in board.labellers:
        if judge not in itself:
            tables = pair(board, board.of(judge), truth.codes)
            rows += Comparison(judge, reference, tables, resamples, wanted).rows()
    return AgreementTable(reference=reference, raters=truth.raters, rows=tuple(rows))


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
