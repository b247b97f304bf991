"""A person who is labelling, against everybody else on what they have labelled so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from judgebench.metrics.agreement import KAPPA, label_kappa, score_kappa
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.outcome_agreement import outcome_agreement
from judgebench.records import is_human
from judgebench.reports.boards import (
    Columns,
    benchmark_ref,
    disambiguate,
    renamed,
    where,
    with_units,
)
from judgebench.reports.document import Chart, Each, Report, Rows, Table, column, table
from judgebench.reports.estimates import text
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterAgreement(Report):
    """Everybody who has judged what a rater has labelled, people first: a row ``pooled`` for each.

    There is none where the rater has no label of that kind or scores on no scale of whole numbers,
    or nobody else has judged the same.
    """

    ROWS: ClassVar = (Rows(of="rows", row=("judge", "reference", Each("metrics"))),)
    CHART: ClassVar = Chart(along="judge", by="metric")

    rows: tuple[AgreementRow, ...] = ()

    def tables(self) -> list[Table]:
        return [
            table(
                "agreement with a rater",
                self.rows,
                [
                    column("judge", lambda row: row.judge, wraps=True),
                    column("kappa", lambda row: text(row.metrics[KAPPA]), align="right"),
                    column("n", lambda row: f"{row.metrics[KAPPA].n:,}", align="right"),
                ],
            )
        ]


def rater_agreement(
    store: Store,
    benchmark: str,
    version: str,
    rater: bytes,
    kind: Kind,
    *,
    intervals: Intervals | None = None,
) -> RaterAgreement:
    """How far everybody who has judged what a rater has labelled agrees with the rater.

    The numbers are those of the agreement report with the rater as the reference; of scores, kappa
    is quadratic. Only what was said of the same answers is read, however much the store holds.

    Parameters
    ----------
    rater
        The key of a judge.
    kind
        Of the labels that are compared.
    intervals
        Percentile bootstrap over items unless asked otherwise.

    Raises
    ------
    UsageError
        Where the benchmark is not in the store, and where none of the labels is a declared one.
    """
    which = benchmark_ref(store, f"{benchmark}@{version}")
    columns: Columns = store.verdicts_beside(benchmark, version, rater)
    named = disambiguate([columns], "judge")
    columns = renamed(columns, disambiguate([columns], "model"), named)
    columns = with_units(columns, store, which)
    name = named.get(rater.hex()[:12])
    own = where(columns, (judge == name for judge in columns["judge"]))
    if name is None or kind not in own["kind"]:
        return RaterAgreement()
    rows: tuple[AgreementRow, ...]
    if kind == "label":
        rows = label_kappa(columns, reference=name, labels=which.labels, intervals=intervals)
    elif kind == "preference":
        pairs = where(columns, (opponent is not None for opponent in columns["opponent"]))
        rows = outcome_agreement(pairs, reference=name, intervals=intervals).rows
    else:
        low, high = _scale(own)
        if not (low.is_integer() and high.is_integer()):  # nor is an endless one
            return RaterAgreement()
        ends = {"low": int(low), "high": int(high)}
        rows = score_kappa(columns, reference=name, **ends, intervals=intervals)
    pooled = (row for row in rows if row.scope == "pooled")
    first = sorted(pooled, key=lambda row: (not is_human(row.judge), row.judge))
    return RaterAgreement(rows=tuple(first))


def _scale(own: Columns) -> tuple[float, float]:
    """That of the rater's newest score."""
    scores = [row for row, kind in enumerate(own["kind"]) if kind == "score"]
    newest = max(scores, key=lambda row: float(own["at"][row]))
    return float(own["low"][newest]), float(own["high"][newest])
