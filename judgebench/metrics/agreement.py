"""How far judges agree with a reference judge, a person for one, and with each other.

Labels, outcomes of comparisons and scores are compared in one way: every judge with a reference on
what the reference has judged, or every two. Here is that way, and what it is for labels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np

from judgebench.columns import coded, marked, paired, select_rows
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import (
    AgreementRow,
    Comparison,
    Measures,
    label_measures,
    pair,
    pairs_of,
)
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judge_differences import (
    KAPPA,
    JudgeChecks,
    JudgeDifference,
    NearConstant,
    best_first,
    flagged,
    judge_differences,
    kappas,
    pairs_compared,
    two_labellers,
)
from judgebench.metrics.judged_values import Codes, JudgedValues, Said, read_labels
from judgebench.metrics.verdict_table import Columns
from judgebench.stats.agreement import Weighting, coefficient, cohen_kappa_of

OTHERS = "the other judges"
"""What stands in a flag for a reference where there is none: the majority of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """All judges against one reference.

    raters
        Those whose verdicts the reference is made of.
    rows
        For each judge, in order of name, a row ``pooled``; of labels and comparisons also a row
        ``macro`` and one for each model that the reference has judged.
    counts
        What there is of each judge, of comparisons as in `JudgedValues`, of scores as in
        `judgebench.metrics.score_agreement.ScoreAgreement`.
    nothing_in_common
        Judges that were never asked about a pair that the reference has compared; they have no
        rows.
    differences, flags
        Judges compared with judges, and those that say nearly always the same; both are empty where
        nobody asked for them.
    """

    reference: str
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    nothing_in_common: tuple[str, ...] = ()
    differences: tuple[JudgeDifference, ...] = ()
    flags: tuple[NearConstant, ...] = ()


class AgreementBoard(ABC):
    """Verdicts of one kind, as judges are compared by them.

    Parameters
    ----------
    values
        ``human`` is a judge of that name, or else ``human/*`` together.
    """

    kind: ClassVar[Kind]
    leading: ClassVar[str] = KAPPA
    """The coefficient by which judges are put in order."""

    def __init__(self, values: JudgedValues, intervals: Intervals | None) -> None:
        self.values, self.wanted = values, intervals or Intervals()
        self.judges = values.judges
        self.resamples = self.wanted.resamples(values.units)
        self.counts = values.counts

    @abstractmethod
    def rows(self, theirs: Mapping[str, Said]) -> dict[str, list[AgreementRow]]:
        """Each judge against its reference in every scope, pooled first; none without common."""

    @abstractmethod
    def pooled(self, pairs: Iterable[tuple[str, str]]) -> list[AgreementRow]:
        """Of two judges each; none of two that have judged nothing in common."""

    @abstractmethod
    def differences(
        self, truth: Said, judges: Sequence[str], versus: str | None
    ) -> tuple[JudgeDifference, ...]:
        """Judges, the best first, compared with each other by agreement with a reference."""

    @abstractmethod
    def near_constant(self, judge: str, truth: Said, checks: JudgeChecks) -> list[NearConstant]:
        """Where a judge says nearly always the same and a reference does not."""

    def against(self, reference: str, checks: JudgeChecks | None = None) -> AgreementTable:
        """Every judge against a reference; with ``checks`` also judges against judges.

        One of the raters that a reference is made of is compared with the others, and its rows say
        so; such raters have no part in the checks.

        Raises
        ------
        UsageError
            As of `JudgedValues.reference`.
        """
        truth = self.values.reference(reference)
        theirs = {judge: self.values.without(truth, judge) for judge in self.judges}
        found = self.rows({judge: one for judge, one in theirs.items() if one.raters})
        rows = tuple(row for its in found.values() for row in its)
        judges = best_first(rows, self.leading, without=truth.raters)
        table = AgreementTable(
            reference=reference,
            raters=truth.raters,
            rows=rows,
            counts=self.counts,
            nothing_in_common=tuple(judge for judge, its in found.items() if not its),
        )
        if checks is None:
            return table
        return replace(
            table,
            differences=self.differences(truth, judges, checks.versus),
            flags=tuple(f for judge in judges for f in self.near_constant(judge, truth, checks)),
        )

    def between(self, judges: Collection[str] = ()) -> tuple[AgreementRow, ...]:
        """Every two judges that judged some answer both, pooled; the second is the reference.

        Parameters
        ----------
        judges
            Only these against every other; all if empty.
        """
        return tuple(self.pooled(pairs_of(self.judges, judges)))


class LabelAgreement(AgreementBoard):
    """Labels of answers.

    Answers that the reference has not labelled do not count. Those that only the judge has not
    labelled are missing; the worst-case bounds are those of the coefficient over all answers,
    whatever it would have said on the missing (two labels only).

    The macro estimate is the unweighted mean over the models that the judge has verdicts on;
    where the coefficient of one of them is undefined, so is the mean, and the reason gives the
    mean of the others. Rankings compare the judge's score of each model, on its own verdicts,
    with the reference's on all it has labelled of that model.

    Parameters
    ----------
    values
        Labels. ``human`` is the majority of ``human/*`` without ties.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's for plain proportions of
        one model under 30 items and at 0 or 1.
    measures
        All coefficients where not given; models are ranked by the share of the positive label.
    together
        Of all answers alone, and not of each model's.
    """

    kind: ClassVar[Kind] = "label"

    def __init__(
        self,
        values: JudgedValues,
        intervals: Intervals | None = None,
        measures: Measures | None = None,
        *,
        together: bool = False,
    ) -> None:
        super().__init__(values, intervals)
        self.measures, self.together = measures or label_measures(), together

    def rows(self, theirs: Mapping[str, Said]) -> dict[str, list[AgreementRow]]:
        return {judge: self.rows_of(judge, truth) for judge, truth in theirs.items()}

    def rows_of(self, judge: str, truth: Said) -> list[AgreementRow]:
        return self._compared(judge, truth.name, truth.codes).rows()

    def pooled(self, pairs: Iterable[tuple[str, str]]) -> list[AgreementRow]:
        return [row for two in pairs if (row := self.pooled_of(*two)) is not None]

    def pooled_of(self, first: str, second: str) -> AgreementRow | None:
        theirs = self.values.of(second).codes
        if not ((self.values.of(first).codes >= 0) & (theirs >= 0)).any():
            return None
        return self._compared(first, second, theirs).pooled()

    def _compared(self, judge: str, reference: str, codes: Codes) -> Comparison:
        tables = pair(self.values, self.values.of(judge).codes, codes, together=self.together)
        return Comparison(judge, reference, tables, self.resamples, self.wanted, self.measures)

    def counted(self, codes: Codes) -> Codes:
        """A reference's codes where they say something of a judge."""
        return codes

    def differences(
        self, truth: Said, judges: Sequence[str], versus: str | None
    ) -> tuple[JudgeDifference, ...]:
        codes = self.counted(truth.codes)
        return judge_differences(
            pairs_compared(judges, versus),
            truth.name,
            lambda *two: two_labellers(self.values, codes, two),
            kappas(self.measures),
            self.wanted,
        )

    def near_constant(self, judge: str, truth: Said, checks: JudgeChecks) -> list[NearConstant]:
        values, codes = self.values, self.counted(truth.codes)
        return flagged(
            judge, truth.name, values.of(judge).codes, codes, values.model_of, values.models,
            values.labels, checks.near_constant,
        )  # fmt: skip

    def near_constant_between(
        self, judges: Collection[str], checks: JudgeChecks
    ) -> tuple[NearConstant, ...]:
        """Judges, of those named or of all, that say nearly always the same where most of the
        other judges do not."""
        found: list[NearConstant] = []
        for judge in self.judges if len(self.judges) > 1 else ():
            if not judges or judge in judges:
                others = tuple(other for other in self.judges if other != judge)
                found += self.near_constant(judge, self.values.said(OTHERS, others), checks)
        return tuple(found)


# kappa alone --------------------------------------------------------------------------------------


def weighted(name: str, tables: Floats, *, weighting: Weighting = "nominal") -> Floats:
    """A coefficient of tables (..., labels, labels); weighted is Cohen's kappa alone."""
    if name == KAPPA:
        return cohen_kappa_of(tables, weighting=weighting)
    return coefficient(name, tables)


def kappa_map(
    values: JudgedValues, *, intervals: Intervals | None = None
) -> tuple[AgreementRow, ...]:
    """Kappa of every two judges and nothing else: quick enough for a million verdicts.

    What agreement reports say of every two judges under the same name, of all answers together.

    Parameters
    ----------
    values
        Labels or outcomes.
    """
    measures = Measures(coefficients=(KAPPA,), of=coefficient, scores=None)
    rows = LabelAgreement(values, intervals, measures, together=True).between()
    return tuple(replace(row, metrics={KAPPA: row.metrics[KAPPA]}) for row in rows)


def label_kappa(
    columns: Columns,
    *,
    reference: str,
    labels: Sequence[str],
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
) -> tuple[AgreementRow, ...]:
    """Kappa and plain agreement alone: quick enough for after every label.

    What `LabelAgreement` says under the same names, of every judge but the reference.

    Parameters
    ----------
    weighting
        How two labels are disagreed upon, in ``cohen_kappa``.

    Raises
    ------
    UsageError
        When the reference has given none of the labels.
    """
    of = partial(weighted, weighting=weighting)
    measures = Measures(coefficients=("agreement", KAPPA), of=of, scores=None)
    board = LabelAgreement(read_labels(columns, labels=labels), intervals, measures)
    return tuple(row for row in board.against(reference).rows if row.scope == "pooled")


def score_kappa(
    columns: Columns, *, reference: str, low: int, high: int, intervals: Intervals | None = None
) -> tuple[AgreementRow, ...]:
    """Every judge that scores on a scale of whole numbers, against one of them.

    As `label_kappa` with the points of the declared scale for labels: ``cohen_kappa`` is quadratic,
    ``agreement`` is on the very same point. A score between two points counts as the nearer one.
    Scores on another scale are passed over.
    """
    said = paired(columns["kind"], paired(columns["low"], columns["high"]))
    kept = marked(said, lambda one: one[0] == "unreadable" or one == ("score", (low, high)))
    # By how it judges, what cannot be read would be on a board of scores.
    its = {name: column for name, column in columns.items() if name != "judge_kind"}
    its = select_rows(its, np.flatnonzero(kept))
    as_labels = its | {
        "kind": coded(its["kind"]).mapped(lambda kind: "label" if kind == "score" else kind),
        "label": paired(its["kind"], its["value"]).mapped(
            lambda one: str(math.floor(one[1] + 0.5)) if one[0] == "score" else None
        ),
    }
    return label_kappa(
        as_labels,
        reference=reference,
        labels=[str(point) for point in range(low, high + 1)],
        weighting="quadratic",
        intervals=intervals,
    )


__all__ = ["KAPPA", "AgreementRow", "AgreementTable"]
