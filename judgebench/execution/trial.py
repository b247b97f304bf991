"""A judge is tried out before a run: it is asked as a run would ask it, and no verdict is kept.

What was paid for is kept: the run that follows does not ask it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import islice

from judgebench.errors import UsageError
from judgebench.execution.execute import Run
from judgebench.execution.manifest import Outcome, under_way
from judgebench.execution.plan import Answers, JudgeCall, judge_calls, stack_of
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.protocols import Progress, Writer
from judgebench.records import JsonObject, Reply, Unreadable, Verdict
from judgebench.store import Store

Result = tuple[JudgeCall, Verdict, tuple[bytes, ...]]
"""A call, what was read, and the keys of the replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCall(JudgeCall):
    """A call whose verdict is noted in ``results`` and nowhere else."""

    results: list[Result] = field(default_factory=list)

    def keep(
        self, store: Writer, run_id: str, result: Verdict, replies: Sequence[tuple[bytes, Reply]]
    ) -> bool:
        self.results.append((self, result, tuple(key for key, _ in replies)))
        return not isinstance(result, Unreadable)


def first_calls(
    work: ResolvedSuite, store: Store, assignment: JudgeAssignment, n: int
) -> list[JudgeCall]:
    """The first calls of a judge about answers that are there.

    Raises
    ------
    UsageError
        Where there are none yet.
    """
    asked = [c for c in work.candidates if c.asked is assignment.asked]
    answers = [Answers(c, store, stack_of([c], store) if c.local else None) for c in asked]
    every = (c for some in judge_calls(assignment, answers, lambda _: set()) for c in some.calls)
    found = list(islice(every, n))
    if not found:
        raise UsageError(
            f"{assignment.title}: no answer to try it on is there yet; let the models answer first"
        )
    return found


def try_out(
    work: ResolvedSuite,
    calls: Sequence[tuple[JudgeAssignment, Sequence[JudgeCall]]],
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
    configuration: JsonObject,
) -> tuple[Outcome, list[Result]]:
    """Make some calls; what failed is in the outcome, everything else with what was read.

    The manifest of this run says ``trial``, and how many calls there were.
    """
    results: list[Result] = []
    total = sum(len(own) for _, own in calls)
    with under_way(work, store, pool, {**configuration, "trial": total}) as outcome:
        run = Run(outcome, store, progress, pool)
        queues = [
            run.queue(
                assignment.title,
                [[_trial_call(call, results) for call in own]],
                assignment.config and assignment.config.model_copy(update={"batch": False}),
                lambda some: [False] * len(some),
            )
            for assignment, own in calls
        ]
        run.ask("judging", queues, total)
    order = [call.key for _, own in calls for call in own]
    return outcome, sorted(results, key=lambda one: order.index(one[0].key))


def _trial_call(call: JudgeCall, results: list[Result]) -> TrialCall:
    its = {one.name: getattr(call, one.name) for one in fields(call)}
    return TrialCall(**its, results=results)
