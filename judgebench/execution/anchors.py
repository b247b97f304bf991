"""Asking judges again about the answers that were pinned, to see whether they say the same.

The same questions with the same seeds, which are sent although their replies are known. What comes
back is kept apart: it is on no board. One occasion asks once, however often the run is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from judgebench import keys
from judgebench.config import JudgeConfig
from judgebench.dialogue import Dialogue
from judgebench.execution.execute import Talk
from judgebench.execution.question import afresh
from judgebench.execution.resolve import JudgeAssignment
from judgebench.execution.seen_cases import seen_cases
from judgebench.plain_text import counted
from judgebench.protocols import Judge, Writer
from judgebench.records import Case, DriftCheck, Judgment, Unreadable, Verdict, VerdictSlot
from judgebench.store import Store
from judgebench.store.read import StoredAnchors


def occasion_of_today() -> str:
    """The day in UTC: a judge is asked about its anchors once a day."""
    return time.strftime("%Y-%m-%d", time.gmtime())


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A question to a judge about an anchor, on an occasion."""

    judge: Judge
    case: Case
    look: DriftCheck
    key: bytes

    @property
    def places(self) -> tuple[VerdictSlot, ...]:
        return (self.look.place,)

    def dialogue(self) -> Dialogue:
        return afresh(self.judge.judge(self.case), self.look.occasion)

    def keep(self, store: Writer, run_id: str, result: Verdict, talk: Talk) -> bool:
        judgment = Judgment(
            key=self.key,
            judge_key=self.look.place.judge_key,
            case_key=keys.case_key(self.case),
            verdict=result,
            reply_keys=tuple(talk.reply_keys),
            served_model=talk.served_model,
            at=time.time(),
        )
        store.put_looks([(judgment, self.look)])
        return not isinstance(result, Unreadable)

    def reuse(self, store: Writer, run_id: str) -> None:
        """Whoever had it asked has kept the look as well."""


class Anchors:
    """What the judges of a suite are to be asked again on an occasion."""

    def __init__(self, store: Store, assignments: Sequence[JudgeAssignment], occasion: str) -> None:
        self._store, self._occasion = store, occasion
        self._of = {(one.benchmark, one.version, one.judge_key): one for one in store.anchors()}
        self.warnings: list[str] = []
        for assignment in assignments:
            self._check(assignment)

    def _set_of(self, assignment: JudgeAssignment) -> StoredAnchors | None:
        benchmark = assignment.asked.benchmark
        return self._of.get((benchmark.name, benchmark.version, assignment.key))

    def _check(self, assignment: JudgeAssignment) -> None:
        if assignment.asks and self._set_of(assignment) is None:
            benchmark = assignment.asked.benchmark
            which = f"{benchmark.name}@{benchmark.version}"
            self.warnings.append(
                f"{assignment.title} has no anchors on {which}, so nothing is asked again; "
                f"`judgebench anchors pin {which} --judge {assignment.name}` pins some"
            )

    def questions(
        self, assignments: Sequence[JudgeAssignment]
    ) -> dict[str, tuple[JudgeConfig, list[Again]]]:
        """What judges are not asked yet on this occasion, by whom and what it is about."""
        found = {}
        for assignment in assignments:
            anchors = self._set_of(assignment)
            if anchors is None or assignment.config is None or not assignment.asks:
                continue
            if again := self._of_assignment(assignment, anchors):
                name = f"{assignment.title}, anchors of {assignment.asked.benchmark.name}"
                found[name] = assignment.config, again
        return found

    def there(self, questions: Sequence[Again]) -> list[bool]:
        """Which of them have been asked by now."""
        known: set[VerdictSlot] = set()
        for anchors in self._of.values():
            if any(question.look.anchors == anchors.id for question in questions):
                known |= self._store.looked(anchors, self._occasion).keys()
        return [question.look.place in known for question in questions]

    def _of_assignment(self, assignment: JudgeAssignment, anchors: StoredAnchors) -> list[Again]:
        pinned = self._store.looked(anchors)
        found = list(self._questions(assignment, anchors, pinned))
        if lost := len(pinned) - len(found):
            self.warnings.append(
                f"{assignment.title}: {counted(lost, 'anchor')} of {len(pinned)} cannot be asked "
                "again, since the answers that were judged are not in the store"
            )
        known = self._store.looked(anchors, self._occasion)
        return [question for question in found if question.look.place not in known]

    def _questions(
        self, assignment: JudgeAssignment, anchors: StoredAnchors, pinned: dict[VerdictSlot, bytes]
    ) -> Iterator[Again]:
        for place, case in seen_cases(self._store, assignment, pinned):
            key = keys.judgment_key(assignment.key, keys.case_key(case), occasion=self._occasion)
            look = DriftCheck(anchors=anchors.id, occasion=self._occasion, place=place)
            yield Again(judge=assignment.judge, case=case, look=look, key=key)
