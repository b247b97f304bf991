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
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import (
    METRICS,
    AgreementRow,
    Bools,
    Comparison,
    Measures,
    PairedTables,
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
from judgebench.metrics.judged_values import JudgedValues, label_board
from judgebench.metrics.label_board import (
    Codes,
    LabelBoard,
    Reference,
    find_reference,
    majority,
    read_labels,
)
from judgebench.metrics.verdict_table import Columns
from judgebench.records import BINARY
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
        What there is of each judge, of comparisons as in `OutcomeBoard`, of scores as in
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


class NamedReference(Protocol):
    """What judges are compared with."""

    @property
    def name(self) -> str: ...

    @property
    def raters(self) -> tuple[str, ...]: ...


Truth = TypeVar("Truth", bound=NamedReference)


class AgreementBoard(ABC, Generic[Truth]):
    """Verdicts of one kind, as judges are compared by them.

    judges
        Those with verdicts of this kind, in order of name.
    """

    kind: ClassVar[Kind]
    leading: ClassVar[str] = KAPPA
    """The coefficient by which judges are put in order."""

    judges: tuple[str, ...]
    wanted: Intervals
    counts: Mapping[str, Mapping[str, int]] = {}

    @abstractmethod
    def reference(self, name: str) -> Truth:
        """A judge; ``human`` is a judge of that name, or else ``human/*`` together.

        Raises
        ------
        UsageError
            When there is none, or it has judged nothing.
        """

    @abstractmethod
    def beside(self, truth: Truth, judge: str) -> Truth:
        """What a judge is compared with: never with verdicts of its own."""

    @abstractmethod
    def rows(self, theirs: Mapping[str, Truth]) -> dict[str, list[AgreementRow]]:
        """Each judge against its reference in every scope, pooled first; none without common."""

    @abstractmethod
    def pooled(self, pairs: Iterable[tuple[str, str]]) -> list[AgreementRow]:
        """Of two judges each; none of two that have judged nothing in common."""

    @abstractmethod
    def differences(
        self, truth: Truth, judges: Sequence[str], versus: str | None
    ) -> tuple[JudgeDifference, ...]:
        """Judges, the best first, compared with each other by agreement with a reference."""

    @abstractmethod
    def near_constant(self, judge: str, truth: Truth, checks: JudgeChecks) -> list[NearConstant]:
        """Where a judge says nearly always the same and a reference does not."""

    def against(self, reference: str, checks: JudgeChecks | None = None) -> AgreementTable:
        """Every judge against a reference; with ``checks`` also judges against judges.

        One of the raters that a reference is made of is compared with the others, and its rows say
        so; such raters have no part in the checks.

        Raises
        ------
        UsageError
            As `reference`.
        """
        truth = self.reference(reference)
        theirs = {judge: self.beside(truth, judge) for judge in self.judges}
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


class LabelAgreement(AgreementBoard[Reference]):
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
    board
        Of `read_labels`. ``human`` is the majority of ``human/*`` without ties.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's for plain proportions of
        one model under 30 items and at 0 or 1.
    measures
        All coefficients where not given; models are ranked by the share of the positive label.
    """

    kind: ClassVar[Kind] = "label"

    def __init__(
        self,
        board: LabelBoard,
        intervals: Intervals | None = None,
        measures: Measures | None = None,
    ) -> None:
        self.board, self.wanted = board, intervals or Intervals()
        self.judges = board.labellers
        self.measures = measures or label_measures()
        self.models: Sequence[tuple[str, str | None]] = [(model, None) for model in board.models]
        self.resamples = self.wanted.resamples(board.units)

    def reference(self, name: str) -> Reference:
        return find_reference(self.board, name)

    def beside(self, truth: Reference, judge: str) -> Reference:
        return truth.beside(self.board, judge)

    def rows(self, theirs: Mapping[str, Reference]) -> dict[str, list[AgreementRow]]:
        return {judge: self.rows_of(judge, truth) for judge, truth in theirs.items()}

    def rows_of(self, judge: str, truth: Reference) -> list[AgreementRow]:
        return self._compared(judge, truth.name, truth.codes).rows()

    def pooled(self, pairs: Iterable[tuple[str, str]]) -> list[AgreementRow]:
        return [row for two in pairs if (row := self.pooled_of(*two)) is not None]

    def pooled_of(self, first: str, second: str) -> AgreementRow | None:
        mine, theirs = self.board.of(first), self.board.of(second)
        if not ((mine >= 0) & (theirs >= 0)).any():
            return None
        return self._compared(first, second, theirs).pooled()

    def _compared(self, judge: str, reference: str, codes: Codes) -> Comparison:
        return self._of(judge, reference, pair(self.board, self.board.of(judge), codes))

    def _of(self, judge: str, reference: str, tables: PairedTables) -> Comparison:
        return Comparison(judge, reference, tables, self.resamples, self.wanted, self.measures)

    def counted(self, codes: Codes) -> Codes:
        """A reference's codes where they say something of a judge."""
        return codes

    def asked(self, judge: str) -> Bools:
        """Which answers a judge was to judge, shape (answers,)."""
        return np.ones(len(self.board.item_of), dtype=np.bool_)

    def differences(
        self, truth: Reference, judges: Sequence[str], versus: str | None
    ) -> tuple[JudgeDifference, ...]:
        codes = self.counted(truth.codes)
        return judge_differences(
            pairs_compared(judges, versus),
            truth.name,
            lambda *two: two_labellers(self.board, codes, two, [self.asked(one) for one in two]),
            kappas(self.measures),
            self.wanted,
        )

    def near_constant(
        self, judge: str, truth: Reference, checks: JudgeChecks
    ) -> list[NearConstant]:
        board, codes = self.board, self.counted(truth.codes)
        return flagged(
            judge, truth.name, board.of(judge), codes, board.model_of, self.models, board.labels,
            checks.near_constant,
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
                votes = np.stack([self.board.of(other) for other in others])
                codes = majority(votes, n_labels=len(self.board.labels))
                truth = Reference(name=OTHERS, raters=others, codes=codes)
                found += self.near_constant(judge, truth, checks)
        return tuple(found)


def agreement(
    columns: Columns,
    *,
    reference: str = "human",
    labels: Sequence[str] = BINARY,
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    """Every judge that labels, against a reference; see `LabelAgreement`, `AgreementBoard.against`.

    Parameters
    ----------
    columns
        As for `read_labels`.
    labels
        The declared labels, the positive one last.
    """
    board = read_labels(columns, labels=labels)
    return LabelAgreement(board, intervals).against(reference, checks)


# kappa alone --------------------------------------------------------------------------------------


def weighted(name: str, tables: Floats, *, weighting: Weighting = "nominal") -> Floats:
    """A coefficient of tables (..., labels, labels); weighted is Cohen's kappa alone."""
    if name == KAPPA:
        return cohen_kappa_of(tables, weighting=weighting)
    return coefficient(name, tables)


class KappaMap(LabelAgreement):
    """Kappa of every two judges and nothing else: quick enough for a million verdicts.

    What agreement reports say of every two judges under the same name, of all answers together.

    Parameters
    ----------
    values
        Labels or outcomes.
    """

    def __init__(self, values: JudgedValues, intervals: Intervals | None = None) -> None:
        board = label_board(values)
        measures = Measures(coefficients=(KAPPA,), of=coefficient, scores=None)
        super().__init__(board, intervals, measures)

    def pooled_of(self, first: str, second: str) -> AgreementRow | None:
        found = super().pooled_of(first, second)
        return found and replace(found, metrics={KAPPA: found.metrics[KAPPA]})

    def _compared(self, judge: str, reference: str, codes: Codes) -> Comparison:
        tables = pair(self.board, self.board.of(judge), codes, together=True)
        return self._of(judge, reference, tables)


def kappa_map(
    values: JudgedValues, *, intervals: Intervals | None = None
) -> tuple[AgreementRow, ...]:
    """Every two judges that judged some answer both, as of `KappaMap`."""
    return KappaMap(values, intervals).between()


def label_kappa(
    columns: Columns,
    *,
    reference: str,
    labels: Sequence[str],
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
) -> tuple[AgreementRow, ...]:
    """Kappa and plain agreement alone: quick enough for after every label.

    What `agreement` says under the same names, of every judge but the reference.

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
    kept = [
        row
        for row, kind in enumerate(columns["kind"])
        if kind == "unreadable"
        or (kind == "score" and (columns["low"][row], columns["high"][row]) == (low, high))
    ]
    as_labels: dict[str, list[Any]] = {
        name: [values[row] for row in kept]
        for name, values in columns.items()
        if name != "judge_kind"  # by which what cannot be read would be on a board of scores
    }
    scored = [kind == "score" for kind in as_labels["kind"]]
    as_labels["kind"] = ["label" if yes else "unreadable" for yes in scored]
    as_labels["label"] = [
        str(math.floor(value + 0.5)) if yes else None
        for yes, value in zip(scored, as_labels["value"], strict=True)
    ]
    return label_kappa(
        as_labels,
        reference=reference,
        labels=[str(point) for point in range(low, high + 1)],
        weighting="quadratic",
        intervals=intervals,
    )


__all__ = ["KAPPA", "METRICS", "AgreementRow", "AgreementTable", "agreement"]
