"""What a run did, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from judgebench.records import RunManifest
from judgebench.run.execute import Tally
from judgebench.run.resolve import Work


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    manifest: RunManifest
    work: Work
    generated: int = 0
    not_generated: int = 0
    reused_answers: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    known: int = 0
    calls: int = 0
    recorded: int = 0
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        return sum(tally.judged for tally in self.tallies.values())

    @property
    def unreadable(self) -> int:
        return sum(tally.unreadable for tally in self.tallies.values())

    @property
    def failed(self) -> int:
        judging = sum(tally.failed for tally in self.tallies.values())
        return self.not_generated + judging

    @property
    def stopped(self) -> dict[str, str]:
        return {name: t.stopped for name, t in self.tallies.items() if t.stopped is not None}

    def counts(self) -> dict[str, int]:
        return {
            "generated": self.generated,
            "answers_reused": self.reused_answers,
            "judged": self.judged,
            "judgments_reused": self.known,
            "judge_calls": self.calls,
            "recorded_replies": self.recorded,
            "unreadable": self.unreadable,
            "failed": self.failed,
        }
