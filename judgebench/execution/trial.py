"""A judge is tried out before a run: it is asked as a run would ask it, and no verdict is kept.

What was paid for is kept: the run that follows does not ask it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from judgebench.errors import UsageError
from judgebench.execution.asking import Asking
from judgebench.execution.evaluate import under_way
from judgebench.execution.execute import Talk
from judgebench.execution.outcome import Outcome
from judgebench.execution.plan import Answers, judgings, stack_of
from judgebench.execution.pool import ProviderPool
from judgebench.execution.progress import ProgressRecorder
from judgebench.execution.question import Question
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.protocols import Progress, Writer
from judgebench.records import JsonObject, Unreadable, Verdict
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(Question):
    """A question whose verdict is noted in ``results`` and nowhere else, with the replies' keys."""

    results: list[tuple[Question, Verdict, tuple[bytes, ...]]] = field(default_factory=list)

    def keep(self, store: Writer, run_id: str, result: Verdict, talk: Talk) -> bool:
        self.results.append((self, result, tuple(talk.reply_keys)))
        return not isinstance(result, Unreadable)


def questions_on(
    work: ResolvedSuite, store: Store, assignment: JudgeAssignment, n: int
) -> list[Question]:
    """The first questions of a judge about answers that are there.

    Raises
    ------
    UsageError
        Where there are none yet.
    """
    mine = [c for c in work.candidates if assignment.judges(c)]
    answers = [Answers(c, store, stack_of([c], store) if c.local else None) for c in mine]
    every = (q for one in judgings(assignment, answers, lambda _: set()) for q in one.questions)
    found = list(islice(every, n))
    if not found:
        raise UsageError(
            f"{assignment.title}: no answer to try it on is there yet; let the models answer first"
        )
    return found


def try_out(
    work: ResolvedSuite,
    questions: Sequence[tuple[JudgeAssignment, Sequence[Question]]],
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
    configuration: JsonObject,
) -> tuple[Outcome, list[tuple[Question, Verdict, tuple[bytes, ...]]]]:
    """Ask some questions; what failed is in the outcome, everything else with what was read.

    The manifest of this run says ``trial``, and how many questions there were.
    """
    results: list[tuple[Question, Verdict, tuple[bytes, ...]]] = []
    total = sum(len(own) for _, own in questions)
    with under_way(work, store, pool, {**configuration, "trial": total}) as outcome:
        asking = Asking(outcome, store, ProgressRecorder(progress, store, outcome.manifest), pool)
        benches = [
            asking.bench(
                assignment.title,
                [[_tried(one, results) for one in own]],
                assignment.config and assignment.config.model_copy(update={"batch": False}),
                lambda jobs: [False] * len(jobs),
            )
            for assignment, own in questions
        ]
        asking.verdicts(benches, total)
    order = {q.key: i for i, q in enumerate(q for _, own in questions for q in own)}
    return outcome, sorted(results, key=lambda one: order[one[0].key])


def _tried(question: Question, results: list[Any]) -> Tried:
    of = ("key", "judge", "case", "places", "occasion")
    return Tried(**{name: getattr(question, name) for name in of}, results=results)
