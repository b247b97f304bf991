"""A run from end to end: answers first, model by model, then the judges.

The worker of a local model has ended and its memory is free before the first judge is asked; a
judge's own server starts when the first call needs it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from judgebench.errors import StoreBusyError
from judgebench.execution.again import asked_again, settled
from judgebench.execution.anchors import Anchors
from judgebench.execution.answering import Answering
from judgebench.execution.asking import Asking
from judgebench.execution.execute import Known
from judgebench.execution.manifest import FORGETTING, alive, new_manifest
from judgebench.execution.outcome import Outcome
from judgebench.execution.plan import Answers, Judging, judgings, verdicts_wanted
from judgebench.execution.pool import ProviderPool, groups, needs_the_machine
from judgebench.execution.progress import ProgressRecorder
from judgebench.execution.question import Question
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.execution.stack_anchors import StackAnchors
from judgebench.execution.unread import judges_unread
from judgebench.protocols import Progress, Writer, at_once
from judgebench.records import JsonObject, RunState, RunVerdict
from judgebench.store import Store


def evaluate(
    work: ResolvedSuite,
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
    configuration: JsonObject,
    occasion: str | None = None,
    stack_anchors: int | None = None,
) -> Outcome:
    """Carry out a suite; running again does only what is missing.

    What fails is in the store as a failure and in the outcome's counts; it does not end the run.
    ``configuration`` is the suite as written, with the names of variables and not their values:
    the manifest keeps it. On an ``occasion`` the judges are asked again about their anchors. With
    ``stack_anchors`` local models whose answers are complete answer so many prompts of each
    benchmark again, where their stack is another one by now.

    Raises
    ------
    StoreError
        When the store can no longer be written; what was stored before stays.
    KeyboardInterrupt
        After an interrupt, with everything that came back stored.
    """
    with under_way(work, store, pool, configuration) as outcome:
        told = ProgressRecorder(progress, store, outcome.manifest)
        if store.is_leased(FORGETTING):  # what is planned must still be there when it is used
            with store.lease(FORGETTING, on_wait=told.say):
                pass
        _Run(outcome, store, told, pool, occasion).carry_out(stack_anchors)
    return outcome


@contextmanager
def under_way(
    work: ResolvedSuite, store: Store, pool: ProviderPool, configuration: JsonObject
) -> Iterator[Outcome]:
    """A run of a suite that lives as long as the block, and is told how it ended."""
    suite = work.suite
    manifest = new_manifest(
        suite.name,
        {**configuration, **asked_again(work.assignments)},
        data_sha={a.benchmark.name: a.benchmark.data_sha for a in work.asked},
        seed=suite.seed,
    )
    outcome = Outcome(manifest=manifest, work=work, warnings=list(work.warnings))
    _end_dead_runs(store)
    _register(work, store)
    with store.lease(alive(manifest)):
        store.start_run(manifest)
        state: RunState = "failed"
        try:
            yield outcome
            state = "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            outcome.manifest = replace(
                outcome.manifest,
                configuration=settled(
                    manifest.configuration, work.assignments, outcome.judging, state
                ),
                ended=time.time(),
                state=state,
                counts=outcome.counts(),
                spend=pool.spent(),
            )
            if state == "interrupted":
                # Ctrl-C waits for nobody; the next run tells of one that could not say so itself.
                with suppress(StoreBusyError), at_once():
                    store.update_run(outcome.manifest)
            else:
                store.update_run(outcome.manifest)
        outcome.unread = judges_unread(store, outcome)
    _end_dead_runs(store)  # those of other hosts are known to be dead once they were watched


def _end_dead_runs(store: Store) -> None:
    """A run that was killed could not say so itself: its lease can be taken."""
    for manifest in store.runs():
        if manifest.state == "running":
            try:
                with store.lease(alive(manifest), wait_s=0):
                    _end_if_running(store, manifest.id)
            except StoreBusyError:  # somebody holds it: that run is under way
                continue


def _end_if_running(store: Store, run_id: str) -> None:
    """It may have ended by itself since it was listed: its lease is held now, so nothing moves."""
    now = store.run(run_id)
    if now is not None and now.state == "running":
        store.update_run(replace(now, state="interrupted"))


def _register(work: ResolvedSuite, store: Store) -> None:
    with store.transaction():
        for asked in work.asked:
            store.put_items(asked.items)
        for candidate in work.candidates:
            tags = {name: str(value) for name, value in candidate.config.tags.items()}
            store.put_model(candidate.name, candidate.spec, tags)
        for assignment in work.assignments:
            store.put_judge(assignment.name, assignment.spec)


class _Run:
    """A run under way: answers, then judges."""

    def __init__(
        self,
        outcome: Outcome,
        store: Store,
        progress: Progress,
        pool: ProviderPool,
        occasion: str | None,
    ) -> None:
        self.outcome = outcome
        self.work = outcome.work
        self.run_id = outcome.manifest.id
        self.store = store
        self.progress = progress
        self.asking = Asking(outcome, store, progress, pool)
        self.anchors = Anchors(store, self.work.assignments, occasion) if occasion else None

    def carry_out(self, stack_anchors: int | None) -> None:
        began = time.monotonic()
        answering = Answering(self.outcome, self.store, self.progress, self.asking)
        answers = answering.answers()
        if stack_anchors is not None:
            again = StackAnchors(self.outcome, self.store, self.progress, stack_anchors)
            again.answer_again(answers, answering.started)
        self.outcome.seconds["answers"] = time.monotonic() - began
        began = time.monotonic()
        for assignments in groups(self.work.assignments):
            self._judge(assignments, answers)
        if self.anchors is not None:
            self.outcome.warnings += self.anchors.warnings
        self.outcome.seconds["judging"] = time.monotonic() - began

    def _judge(self, assignments: Sequence[JudgeAssignment], answers: Sequence[Answers]) -> None:
        """Judges that are asked side by side. Claims keep two runs from paying twice.

        One that needs the machine for itself is loaded there once: a second run waits.
        """
        with ExitStack() as leases:
            alone = {
                assignment.key
                for assignment in assignments
                if needs_the_machine(assignment.config) is not None
            }
            for key in sorted(alone):
                name = f"judge {key.hex()[:12]} on {platform.node()}"
                leases.enter_context(self.store.lease(name, on_wait=self.progress.say))
            by_name: dict[str, list[JudgeAssignment]] = {}
            for assignment in assignments:
                by_name.setdefault(assignment.title, []).append(assignment)
            benches = [
                self.asking.bench(name, self._questions(own, answers), own[0].config)
                for name, own in by_name.items()
            ]
            total = sum(
                verdicts_wanted(assignment, _on_board(assignment, answers))
                for assignment in assignments
            )
            again = {} if self.anchors is None else self.anchors.questions(assignments)
            benches += [
                # Live, since what comes with a batch may come on another day.
                self.asking.bench(
                    name,
                    [questions],
                    config.model_copy(update={"batch": False}),
                    self.anchors.there if self.anchors is not None else None,
                )
                for name, (config, questions) in again.items()
            ]
            total += sum(len(questions) for _, questions in again.values())
            self.asking.verdicts(benches, total)

    def _questions(
        self, assignments: Sequence[JudgeAssignment], answers: Sequence[Answers]
    ) -> Iterator[Sequence[Question] | Known]:
        """What one judge still has to judge, as it is taken; what is known is used on the way."""
        for assignment in assignments:
            for judging in judgings(assignment, _on_board(assignment, answers), self.store.judged):
                if uses := self._reused(judging):
                    yield Known(partial(_put_uses, uses))
                yield judging.questions

    def _reused(self, judging: Judging) -> list[RunVerdict]:
        uses = [
            RunVerdict(run_id=self.run_id, place=place, judgment_key=key)
            for key, places in judging.known.items()
            for place in places
        ]
        known = len(judging.known)
        self.outcome.known += known
        # What serves several places is one question.
        self.progress.advance(judging.places - len(judging.questions))
        return uses


def _put_uses(uses: Sequence[RunVerdict], store: Writer) -> None:
    store.put_uses(uses)


def _on_board(assignment: JudgeAssignment, answers: Sequence[Answers]) -> list[Answers]:
    return [found for found in answers if assignment.judges(found.candidate)]
