"""Agreement of judges in all kinds of verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from judgebench.reports import agreement
from judgebench.reports.document import Chart, Document, Report, Table

if TYPE_CHECKING:
    import pandas as pd

    from judgebench.reports.agreement_tables import AgreementReport


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
