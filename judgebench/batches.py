"""What was handed to providers' batch interfaces: list, collect, cancel.

>>> import judgebench
>>> judgebench.batches.list_batches().batches
()
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judgebench.api import Results, reading, writing
from judgebench.execution.batch import WAITING, Look, clock_time, duration
from judgebench.progress import shown
from judgebench.reports.document import Cells, Report, Table, column, table

if TYPE_CHECKING:
    from judgebench.protocols import Progress
    from judgebench.records import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport(Report):
    """The batches of a store, the newest last."""

    batches: tuple[Batch, ...]

    def tables(self) -> list[Table]:
        columns: list[Cells[Batch]] = [
            column("batch", lambda one: one.id),
            column("run", lambda one: one.run_id),
            column("asker", lambda one: one.asker, wraps=True),
            column("provider", lambda one: one.provider),
            column("state", lambda one: one.state),
            column("requests", lambda one: f"{one.requests:,}", align="right"),
            column(
                "age", lambda one: duration((one.ended or time.time()) - one.created), align="right"
            ),
            column("remote id", lambda one: one.remote_id or "", wraps=True, spare=True),
            column("note", lambda one: one.note, wraps=True, spare=True),
        ]
        notes = [] if self.batches else ["none; `judgebench run SUITE.yaml --batch` makes some"]
        return [table("batches", self.batches, columns, notes=notes)]

    def records(self) -> list[dict[str, Any]]:
        return [_record(one) for one in self.batches]

    def to_dict(self) -> dict[str, Any]:
        return {"batches": self.records()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(Report):
    """What was found when batches were looked at."""

    looks: tuple[Look, ...]

    @property
    def exit_code(self) -> int:
        """0 when all are settled; what stood in the way goes before what only takes its time."""
        codes = {look.exit_code for look in self.looks} - {0}
        return max(codes - {WAITING}, default=max(codes, default=0))

    def tables(self) -> list[Table]:
        columns: list[Cells[Look]] = [
            column("batch", lambda look: look.batch.id),
            column("asker", lambda look: look.batch.asker, wraps=True),
            column("requests", lambda look: f"{look.batch.requests:,}", align="right"),
            column("what was found", lambda look: look.says, wraps=True),
        ]
        waiting = sum(not look.done for look in self.looks)
        left = f"{waiting} of {len(self.looks)} not collected yet; collect again later"
        notes = [left] * bool(waiting) if self.looks else ["no batch is under way"]
        return [table("batches", self.looks, columns, notes=notes)]

    def records(self) -> list[dict[str, Any]]:
        return [
            _record(look.batch)
            | {"found": look.says}
            | {name: getattr(look, name) for name in ("replies", "failed", "unasked")}
            for look in self.looks
        ]

    def to_dict(self) -> dict[str, Any]:
        return {"batches": self.records()}


def list_batches(*, store: Results = None) -> BatchReport:
    """The batches of a store. Asks no provider."""
    with reading(store) as its:
        return BatchReport(batches=tuple(its.batches()))


def collect(
    *batches: str,
    call_off: bool = False,
    store: Results = None,
    progress: Progress | None = None,
    environment: Mapping[str, str] | None = None,
) -> Collected:
    """Store the replies of batches that have ended; again, nothing is stored twice.

    Parameters
    ----------
    batches
        Ids or beginnings of ids, ours or the provider's; all that are under way if none is named.
    call_off
        End them early. What a provider has answered by then is paid for, and is collected.
    environment
        Where keys are taken from, under the names that the suites give; that of this process if
        None.

    Raises
    ------
    UsageError
        For an id that no open batch has.
    """
    from judgebench.execution.batch import collect as look_at

    keys = os.environ if environment is None else environment
    with writing(store, create=False) as its, shown(progress) as told:
        looks = look_at(
            its, environment=keys, progress=told, only=batches or None, call_off=call_off
        )
    return Collected(looks=tuple(looks))


def _record(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "run": batch.run_id,
        "asker": batch.asker,
        "provider": batch.provider,
        "state": batch.state,
        "requests": batch.requests,
        "created": clock_time(batch.created),
        "ended": None if batch.ended is None else clock_time(batch.ended),
        "remote_id": batch.remote_id,
        "note": batch.note,
    }
