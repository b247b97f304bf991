"""A run from end to end: answers first, model by model, then the judges.

The worker of a local model has ended and its memory is free before the first judge is asked; a
judge's own server starts when the first call needs it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from judgebench.errors import ConfigError, LocalModelError, StoreError
from judgebench.protocols import Progress
from judgebench.records import (
    Failure,
    JsonObject,
    Place,
    Response,
    RunManifest,
    RunState,
    Stack,
    Use,
)
from judgebench.responses.lm_eval import Answered, LmEvalWorker, NotAnswered, Task
from judgebench.run.doors import Doors, groups
from judgebench.run.execute import Bench, Tally, judge_all
from judgebench.run.manifest import new_manifest
from judgebench.run.plan import Answers, Judging, answers_of, judging_of, stack_of
from judgebench.run.resolve import Candidate, Seat, Work
from judgebench.store import Store


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


def evaluate(work: Work, *, store: Store, progress: Progress, configuration: JsonObject) -> Outcome:
    """Carry out a suite; running again does only what is missing.

    What fails is in the store as a failure and in the outcome's counts; it does not end the run.
    ``configuration`` is the suite as written, with the names of variables and not their values:
    the manifest keeps it.

    Raises
    ------
    ConfigError
        For a local model that cannot be started as the suite says.
    StoreError
        When the store can no longer be written; what was stored before stays.
    KeyboardInterrupt
        After an interrupt, with everything that came back stored.
    """
    suite = work.suite
    manifest = new_manifest(
        suite.name,
        configuration,
        data_sha={a.benchmark.name: a.benchmark.data_sha for a in work.asked},
        seed=suite.seed,
    )
    outcome = Outcome(manifest=manifest, work=work, warnings=list(work.warnings))
    _end_dead_runs(store)
    _register(work, store)
    with store.lease(_alive(manifest)):
        store.start_run(manifest)
        state: RunState = "failed"
        try:
            _Run(outcome, store, progress).carry_out()
            state = "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            outcome.manifest = replace(
                outcome.manifest, ended=time.time(), state=state, counts=outcome.counts()
            )
            store.update_run(outcome.manifest)
    return outcome


def _alive(manifest: RunManifest) -> str:
    """The lease that a run holds while it lives."""
    return f"run {manifest.id}"


def _end_dead_runs(store: Store) -> None:
    """A run that was killed could not say so itself: its lease can be taken."""
    for manifest in store.runs():
        if manifest.state == "running":
            try:
                with store.lease(_alive(manifest), wait_s=0):
                    store.update_run(replace(manifest, state="interrupted"))
            except StoreError:  # somebody holds it: that run is under way
                continue


def _register(work: Work, store: Store) -> None:
    with store.transaction():
        for asked in work.asked:
            store.put_items(asked.items)
        for candidate in work.candidates:
            tags = {name: str(value) for name, value in candidate.config.tags.items()}
            store.put_model(candidate.name, candidate.spec, tags)
        for seat in work.seats:
            store.put_judge(seat.name, seat.spec)


class _Run:
    """The two halves of a run, with what they share."""

    def __init__(self, outcome: Outcome, store: Store, progress: Progress) -> None:
        self.outcome = outcome
        self.work = outcome.work
        self.run_id = outcome.manifest.id
        self.store = store
        self.progress = progress

    def carry_out(self) -> None:
        began = time.monotonic()
        answers = self._answers()
        self.outcome.seconds["answers"] = time.monotonic() - began
        began = time.monotonic()
        self._judge(answers)
        self.outcome.seconds["judging"] = time.monotonic() - began

    # Answers ------------------------------------------------------------------------------

    def _answers(self) -> list[tuple[Candidate, Answers]]:
        found: list[tuple[Candidate, Answers]] = []
        by_model: dict[str, list[Candidate]] = {}
        for candidate in self.work.candidates:
            by_model.setdefault(candidate.name, []).append(candidate)
        for candidates in by_model.values():
            if candidates[0].recorded is not None:
                found += [(c, self._keep_recorded(c)) for c in candidates]
            else:
                found += self._generate(candidates)
        return found

    def _keep_recorded(self, candidate: Candidate) -> Answers:
        answers = answers_of(candidate, self.store, None)
        stored = self.store.responses(candidate.wanted)
        new = {
            key: answers.by_item[items[0].id, sample]
            for key, (items, sample) in candidate.wanted.items()
            if key not in stored
        }
        if new:
            self.store.put_responses(new)
        self.outcome.reused_answers += len(answers.by_item)
        return answers

    def _generate(self, candidates: Sequence[Candidate]) -> list[tuple[Candidate, Answers]]:
        answers = self._complete(candidates)
        if answers is None:
            lease = f"model {candidates[0].name} {candidates[0].key.hex()[:12]}"
            with self.store.lease(lease, on_wait=self.progress.say):
                answers = self._complete(candidates)  # somebody else may have done it meanwhile
                if answers is None:
                    stack = self._run_worker(candidates) or stack_of(candidates, self.store)
                    return [(c, answers_of(c, self.store, stack)) for c in candidates]
        self.outcome.reused_answers += sum(len(a.by_item) for a in answers)
        return list(zip(candidates, answers, strict=True))

    def _complete(self, candidates: Sequence[Candidate]) -> list[Answers] | None:
        """All answers of a model, where one stack has them all."""
        stack = stack_of(candidates, self.store)
        answers = [answers_of(c, self.store, stack) for c in candidates]
        return answers if all(a.complete for a in answers) else None

    def _run_worker(self, candidates: Sequence[Candidate]) -> Stack | None:
        """Start the model once, ask it for everything that its stack lacks, keep it as it comes."""
        local = candidates[0].local
        assert local is not None
        name = candidates[0].name
        tasks = {c.asked.benchmark.lm_eval_task.name: c for c in candidates}
        self.progress.stage(f"{name}: loading", None)
        worker = LmEvalWorker(
            local,
            [
                Task(
                    task=c.asked.benchmark.lm_eval_task,
                    items=c.asked.items,
                    samples=c.asked.config.samples,
                    model_key=c.key,
                )
                for c in candidates
            ],
            seed=self.work.suite.seed,
        )
        with worker:
            stack: Stack | None = None
            try:
                stack = worker.start()
                missing = self._missing_on(tasks, stack)
                total = sum(len(keys_) for keys_ in missing.values())
                self._tell_other_stacks(candidates, stack, total)
                self.progress.stage(f"{name}: answering", total)
                for event in worker.generate(
                    {task: self._ids(tasks[task], wanted) for task, wanted in missing.items()}
                ):
                    self._keep(tasks[event.task], event)
            except LocalModelError as error:  # what it did not answer has failed; the run goes on
                kept = stack or stack_of(candidates, self.store)
                if stack is None:  # it never came to answering, and that is what failed
                    left = sum(len(answers_of(c, self.store, kept).missing) for c in candidates)
                    self.progress.stage(f"{name}: answering", left)
                for candidate in candidates:
                    self._not_answered(candidate, kept, str(error))
                self.outcome.warnings.append(f"{name}: {error}")
            except ConfigError as error:
                raise ConfigError(f"model {name}: {error}") from None
        return stack

    def _missing_on(
        self, tasks: Mapping[str, Candidate], stack: Stack
    ) -> dict[str, frozenset[bytes]]:
        missing = {}
        for task, candidate in tasks.items():
            answers = answers_of(candidate, self.store, stack)
            self.outcome.reused_answers += len(answers.by_item)
            missing[task] = answers.missing
        return missing

    def _ids(self, candidate: Candidate, wanted: frozenset[bytes]) -> list[tuple[str, int]]:
        return [
            (items[0].id, sample)
            for key, (items, sample) in candidate.wanted.items()
            if key in wanted
        ]

    def _tell_other_stacks(
        self, candidates: Sequence[Candidate], stack: Stack, missing: int
    ) -> None:
        elsewhere = sum(
            any(r.stack != stack for r in responses) and all(r.stack != stack for r in responses)
            for c in candidates
            for responses in self.store.responses(c.wanted).values()
        )
        if elsewhere and missing:
            self.progress.say(
                f"{candidates[0].name}: {elsewhere} answers in the store were generated with "
                "another stack (backend, versions, dtype or batch size); they are kept, and this "
                "run generates its own, since a run never mixes stacks"
            )

    def _keep(self, candidate: Candidate, event: Answered | NotAnswered) -> None:
        keys_by_id = {
            (item.id, sample): key
            for key, (items, sample) in candidate.wanted.items()
            for item in items
        }
        if isinstance(event, NotAnswered):
            for item_id, sample in event.ids:
                self._fail(candidate, keys_by_id[item_id, sample], item_id, sample, event.message)
            return
        rows: dict[bytes, Response] = {keys_by_id[r.item_id, r.sample]: r for r in event.responses}
        self.store.put_responses(rows)
        self.outcome.generated += len(rows)
        self.progress.advance(len(rows))

    def _not_answered(self, candidate: Candidate, stack: Stack | None, message: str) -> None:
        left = answers_of(candidate, self.store, stack).missing
        for item_id, sample in self._ids(candidate, left):
            key = next(
                k
                for k, (items, s) in candidate.wanted.items()
                if s == sample and items[0].id == item_id
            )
            self._fail(candidate, key, item_id, sample, message)

    def _fail(
        self, candidate: Candidate, key: bytes, item_id: str, sample: int, message: str
    ) -> None:
        place = Place(
            benchmark=candidate.asked.benchmark.name,
            version=candidate.asked.benchmark.version,
            item_id=item_id,
            model_key=candidate.key,
            judge_key=b"",
            sample=sample,
        )
        self.store.put_failure(
            Failure(
                key=key,
                boundary="local_model",
                message=message,
                retriable=True,
                place=place,
                at=time.time(),
            )
        )
        self.outcome.not_generated += 1
        self.progress.advance(failed=True)

    # Judging ------------------------------------------------------------------------------

    def _judge(self, answers: Sequence[tuple[Candidate, Answers]]) -> None:
        for seats in groups(self.work.seats):
            self._judge_group(seats, answers)

    def _judge_group(
        self, seats: Sequence[Seat], answers: Sequence[tuple[Candidate, Answers]]
    ) -> None:
        """Judges that are asked side by side. Leases keep two runs from paying twice."""
        with ExitStack() as leases:
            for key in sorted({seat.key for seat in seats if seat.config is not None}):
                lease = self.store.lease(f"judge {key.hex()[:12]}", on_wait=self.progress.say)
                leases.enter_context(lease)
            judgings: dict[str, list[Judging]] = {}
            for seat in seats:
                on_board = [(c, a) for c, a in answers if c.asked is seat.asked]
                judging = judging_of(seat, on_board, self.store)
                self._reuse(judging)
                judgings.setdefault(seat.name, []).append(judging)
            self._ask(judgings)

    def _reuse(self, judging: Judging) -> None:
        uses = [
            Use(run_id=self.run_id, place=place, judgment_key=key)
            for key, places in judging.known.items()
            for place in places
        ]
        if uses:
            self.store.put_uses(uses)
        self.outcome.known += len(judging.known)

    def _ask(self, judgings: Mapping[str, Sequence[Judging]]) -> None:
        doors = Doors(self.work.suite, self.store)
        benches = []
        for name, parts in judgings.items():
            questions = [question for part in parts for question in part.questions]
            config = parts[0].seat.config
            if questions:
                bench = Bench(
                    name=name,
                    questions=questions,
                    provider=doors.door(config),
                    slots=doors.slots(config),
                )
                benches.append(bench)
        if not benches:
            return
        label = ", ".join(bench.name for bench in benches)
        self.progress.stage(f"judging: {label}", sum(len(b.questions) for b in benches))
        try:
            self.outcome.tallies |= judge_all(
                benches,
                store=self.store,
                run_id=self.run_id,
                progress=self.progress,
                close=doors.providers.close,
            )
        finally:
            self.outcome.calls += doors.providers.counts.sent
            self.outcome.recorded += doors.providers.counts.recorded
