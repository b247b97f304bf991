"""Reports of several others: boards side by side, and agreement of all kinds of verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from judgebench.reports import agreement
from judgebench.reports.board import Board
from judgebench.reports.board_document import as_alpaca_eval
from judgebench.reports.document import Chart, Document, Report, Table

if TYPE_CHECKING:
    import pandas as pd

    from judgebench.reports.agreement_tables import AgreementReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed(Report):
    """A report whose document is made already."""

    made: Document

    def tables(self, *_: Any, **__: Any) -> list[Table]:
        return list(self.made.tables)

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self.made.data
        return found

    def records(self) -> list[dict[str, Any]]:
        return [dict(record) for record in self.made.records]

    def document(self, *_: Any, **__: Any) -> Document:
        return self.made


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboards(Composed):
    """The boards that were asked for.

    notes
        What was found besides: a benchmark without boards, and what stands in their place.
    """

    CHART: ClassVar = Chart(along="model", by="metric")

    boards: tuple[Board, ...]
    notes: tuple[str, ...] = ()

    def alpaca_eval(self, *, sort: bool = True) -> Document:
        """As AlpacaEval writes its leaderboard; see `as_alpaca_eval`."""
        return as_alpaca_eval(self.boards, sort=sort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Report):
    """A report for each kind of verdict in which there is something to compare."""

    CHART: ClassVar = Chart(along="judge", by="metric")

    reports: tuple[AgreementReport, ...]

    def document(self, *, by_model: bool = False) -> Document:
        return agreement.document(*self.reports, by_model=by_model)

    def tables(self, *, by_model: bool = False) -> list[Table]:
        return list(self.document(by_model=by_model).tables)

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document().data
        return found

    def records(self) -> list[dict[str, Any]]:
        return [dict(record) for record in self.document(by_model=True).records]

    def to_frame(self) -> pd.DataFrame:
        """As of every report; ``attrs["warnings"]`` has what is to be known besides."""
        frame = Report.to_frame(self)
        frame.attrs["warnings"] = list(self.to_dict()["warnings"])
        return frame
