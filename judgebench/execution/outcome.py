"""What a run did, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from judgebench.execution.execute import Tally
from judgebench.execution.resolve import ResolvedSuite
from judgebench.records import RunManifest

LEAST_UNREADABLE = 10
"""From so many unreadable replies on, and half of them, a judge is one that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A judge of whose replies in a run at least half could not be read, with some of them.

    ``called`` is what the store knows it by and nobody else: its name, or its id.
    """

    judge: str
    called: str
    replies: int
    unreadable: int
    examples: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """What a run did.

    ``answering`` and ``judging`` tell what came of those who were asked, by the name of the model
    or judge; ``generated`` and ``not_generated`` are about local models alone. ``misconfigured``
    says that one of those could not be started as the suite says. ``unread`` are the judges that
    cannot be read, whenever they were asked: it is known when the run has ended.
    """

    manifest: RunManifest
    work: ResolvedSuite
    generated: int = 0
    not_generated: int = 0
    reused_answers: int = 0
    answering: dict[str, Tally] = field(default_factory=dict)
    judging: dict[str, Tally] = field(default_factory=dict)
    known: int = 0
    answer_calls: int = 0
    judge_calls: int = 0
    recorded: int = 0
    misconfigured: bool = False
    unread: list[Unread] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """Answers that are new, whoever gave them."""
        return self.generated + sum(tally.done for tally in self.answering.values())

    @property
    def judged(self) -> int:
        return sum(tally.done for tally in self.judging.values())

    @property
    def unreadable(self) -> int:
        return sum(tally.unreadable for tally in self.judging.values())

    @property
    def failed(self) -> int:
        return self.not_generated + sum(tally.failed for tally in self._tallies())

    @property
    def too_long(self) -> int:
        """Questions that do not fit whom they are for, so that asking again gives the same."""
        return sum(tally.failures.get("too_long", 0) for tally in self._tallies())

    @property
    def waiting(self) -> int:
        """Questions whose reply comes with a batch."""
        return sum(tally.waiting for tally in self._tallies())

    @property
    def stopped(self) -> dict[str, str]:
        """Who was not asked to the end, and why."""
        both = {**self.answering, **self.judging}
        return {name: t.stopped for name, t in both.items() if t.stopped is not None}

    @property
    def unavailable(self) -> bool:
        """Whether somebody could not be reached from the first call on, or refuses the key."""
        return any(tally.unreached for tally in self._tallies())

    def let_go(self) -> None:
        """Forget items and answers, which are in the store: boards of many need the room."""
        self.work = replace(self.work, asked=(), candidates=(), assignments=())

    def notes(self) -> list[str]:
        """What failed of those who were asked, and why; and what they were not asked."""
        said = []
        for name, tally in [*self.answering.items(), *self.judging.items()]:
            if tally.stopped is not None:
                said.append(f"warning: {name} was stopped: {tally.stopped}")
            for kind, reason in tally.reasons.items():
                if reason != tally.stopped:
                    failed = f"{tally.failures[kind]:,} failed ({kind.replace('_', ' ')})"
                    said.append(f"warning: {name}: {failed}: {reason}")
            if tally.left_out:
                names = ", ".join(sorted(tally.left_out))
                said.append(f"note: {name}: not sent, since the model does not take it: {names}")
        return said

    def counts(self) -> dict[str, int]:
        return {
            "generated": self.answered,
            "answers_reused": self.reused_answers,
            "judged": self.judged,
            "judgments_reused": self.known,
            "answer_calls": self.answer_calls,
            "judge_calls": self.judge_calls,
            "recorded_replies": self.recorded,
            "unreadable": self.unreadable,
            "failed": self.failed,
            "waiting": self.waiting,
        }

    def _tallies(self) -> list[Tally]:
        return [*self.answering.values(), *self.judging.values()]
