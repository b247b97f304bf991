"""Where one judge took another's place: the break that boards and nights show."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from judgebench.metrics.judge_change import Bridge
from judgebench.records import JsonObject
from judgebench.store import Store

REPLACED = "replaced"
"""What a manifest's configuration calls the judges of `judgebench judge replace`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A judge that took another's place on a benchmark, ids short, ``at`` in seconds.

    ``bridge`` leads from old scores to new, where both had judged enough.
    """

    benchmark: str
    version: str
    old: str
    old_id: str
    new: str
    new_id: str
    at: float
    bridge: Bridge | None = None

    def concerns(self, *judges: str) -> bool:
        """Whether one of these ids is one of the two."""
        return not {self.old_id, self.new_id}.isdisjoint(judges)

    @property
    def words(self) -> str:
        """Who took whose place, and how their numbers relate."""
        said = f"{self.old} ({self.old_id}) → {self.new} ({self.new_id})"
        if self.bridge is None:
            return f"{said}; their numbers are not comparable"
        return f"{said}; bridged: {self.bridge.words}"

    @property
    def line(self) -> str:
        """A line below a board."""
        day = time.strftime("%Y-%m-%d", time.gmtime(self.at))
        return f"the judge was replaced on {day}: {self.words}"

    def record(self) -> JsonObject:
        """What a manifest keeps."""
        its = asdict(self)
        del its["at"]
        return its


def replacements(store: Store, benchmark: str, version: str) -> list[Replacement]:
    """On one benchmark, the first first; the same once more is that one, with its newest bridge."""
    found: list[Replacement] = []
    for run in store.runs():
        its: dict[str, Any] = dict(run.configuration.get(REPLACED) or {})
        if (its.get("benchmark"), its.get("version")) == (benchmark, version):
            line = its.pop("bridge")
            made = None if line is None else Bridge(**line)
            one = Replacement(**its, at=run.started, bridge=made)
            if found and (found[-1].old_id, found[-1].new_id) == (one.old_id, one.new_id):
                one = replace(one, at=found.pop().at)
            found.append(one)
    return found
