"""The first half of a run: answers, from files, from an API, or from a worker with a local model.

A local model is loaded once for all its benchmarks, and ended before the next one starts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import chain

from judgebench.errors import ConfigError, LocalModelError
from judgebench.execution.asking import Asking
from judgebench.execution.outcome import Outcome
from judgebench.execution.plan import Answers, batched, chunks, stack_of
from judgebench.execution.resolve import Candidate, identity_of
from judgebench.protocols import Progress
from judgebench.records import Failure, Response, Runtime, VerdictSlot
from judgebench.responses.local import Answered, LmEvalWorker, NotAnswered, Task
from judgebench.responses.remote import Question
from judgebench.store import Store


class Answering:
    """Has every candidate of a run answer what the store does not have yet.

    ``started`` names the local models that had something to answer.
    """

    def __init__(self, outcome: Outcome, store: Store, progress: Progress, asking: Asking) -> None:
        self.outcome = outcome
        self.work = outcome.work
        self.store = store
        self.progress = progress
        self.asking = asking
        self.started: set[str] = set()

    def answers(self) -> list[Answers]:
        """What the candidates answer; what could not be had is recorded.

        Models behind an API are asked side by side, local ones one after the other.
        """
        by_model: dict[str, list[Candidate]] = {}
        for candidate in self.work.candidates:
            by_model.setdefault(candidate.name, []).append(candidate)
        models = list(by_model.values())
        recorded = [c for m in models for c in m if c.recorded is not None]
        found = [Answers(candidate, self.store, None) for candidate in recorded]
        self.outcome.reused_answers += sum(map(len, found))
        found += self._ask([m for m in models if m[0].api is not None])
        for candidates in models:
            if candidates[0].local is not None:
                found += self._generate(candidates)
        for answers in found:
            self._stand(answers)
        return found

    def _stand(self, answers: Answers) -> None:
        """Keep every answer at its place, also where it was found and not asked for.

        The same question may stand on another benchmark, or among items that an earlier run did not
        reach, and its answer only there.
        """
        candidate = answers.candidate
        name, version = candidate.asked.benchmark.name, candidate.asked.benchmark.version
        placed = self.store.answered(name, version, candidate.key)
        samples = range(candidate.asked.config.samples)
        lacking = [
            item
            for item in candidate.asked.items
            if any((item.id, sample) not in placed for sample in samples)
        ]
        for items in chunks(lacking):
            with self.store.transaction():
                for place, response in answers.of(items).items():
                    if place not in placed:
                        here = replace(response, benchmark=name, version=version)
                        self.store.put_responses({candidate.key_of[place]: here})

    # behind an API ------------------------------------------------------------------------------

    def _ask(self, models: Sequence[Sequence[Candidate]]) -> list[Answers]:
        """Answers of the models behind an API. Claims keep two runs from paying twice."""
        missing = {m[0].name: [Answers(c, self.store, None) for c in m] for m in models}
        benches = [
            self.asking.bench(
                name,
                chain.from_iterable(batched(questions_of(one)) for one in found),
                found[0].candidate.config.api,
                self.asking.answered,
            )
            for name, found in missing.items()
            if not all(one.complete for one in found)
        ]
        wanted = sum(len(one.missing) for found in missing.values() for one in found)
        self.outcome.reused_answers += sum(len(a) for found in missing.values() for a in found)
        self.asking.answers(benches, wanted)
        return [Answers(c, self.store, None) for m in models for c in m]

    def _lease(self, name: str, key: bytes) -> AbstractContextManager[None]:
        """By what a model is: another suite may call the same one by another name."""
        return self.store.lease(
            f"model {key.hex()[:12]}", on_wait=lambda said: self.progress.say(f"{name}: {said}")
        )

    # local --------------------------------------------------------------------------------------

    def _generate(self, candidates: Sequence[Candidate]) -> list[Answers]:
        answers = self._complete(candidates)
        if answers is None:
            with self._lease(candidates[0].name, candidates[0].key):
                answers = self._complete(candidates)  # somebody else may have done it meanwhile
                if answers is None:
                    stack = self._run_worker(candidates) or stack_of(candidates, self.store)
                    return [Answers(c, self.store, stack) for c in candidates]
        self.outcome.reused_answers += sum(map(len, answers))
        return answers

    def _complete(self, candidates: Sequence[Candidate]) -> list[Answers] | None:
        """All answers of a model, where one stack has them all."""
        stack = stack_of(candidates, self.store)
        answers = [Answers(c, self.store, stack) for c in candidates]
        return answers if all(a.complete for a in answers) else None

    def _run_worker(self, candidates: Sequence[Candidate]) -> Runtime | None:
        """Start the model once, ask it for everything that its stack lacks, keep it as it comes."""
        local = candidates[0].local
        assert local is not None
        name = candidates[0].name
        self.started.add(name)
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
                    local=c.local,
                )
                for c in candidates
            ],
            seed=self.work.suite.seed,
            loading_s=self.work.suite.limits.loading_s,
        )
        with worker:
            stack: Runtime | None = None
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
            except (LocalModelError, ConfigError) as error:  # the others are asked all the same
                kept = stack or stack_of(candidates, self.store)
                if stack is None:  # it never came to answering, and that is what failed
                    left = sum(len(Answers(c, self.store, kept).missing) for c in candidates)
                    self.progress.stage(f"{name}: answering", left)
                for candidate in candidates:
                    self._not_answered(candidate, kept, str(error))
                self.outcome.warnings.append(f"{name}: {error}")
                self.outcome.misconfigured |= isinstance(error, ConfigError)
        return stack

    def _missing_on(
        self, tasks: Mapping[str, Candidate], stack: Runtime
    ) -> dict[str, frozenset[bytes]]:
        missing = {}
        for task, candidate in tasks.items():
            answers = Answers(candidate, self.store, stack)
            self.outcome.reused_answers += len(answers)
            missing[task] = answers.missing
        return missing

    def _ids(self, candidate: Candidate, wanted: frozenset[bytes]) -> list[tuple[str, int]]:
        return [
            (items[0].id, sample)
            for key, (items, sample) in candidate.wanted.items()
            if key in wanted
        ]

    def _tell_other_stacks(
        self, candidates: Sequence[Candidate], stack: Runtime, missing: int
    ) -> None:
        elsewhere = sum(
            all(r.stack != stack for r in responses)
            for c in candidates
            for some in chunks(list(c.wanted))
            for responses in self.store.responses(some).values()
        )
        if elsewhere and missing:
            self.progress.say(
                f"{candidates[0].name}: {elsewhere} answers in the store were generated with "
                "another stack (backend, versions, dtype or batch size); they are kept, and this "
                "run generates its own, since a run never mixes stacks"
            )

    def _keep(self, candidate: Candidate, event: Answered | NotAnswered) -> None:
        keys_by_id = candidate.key_of
        if isinstance(event, NotAnswered):
            for item_id, sample in event.ids:
                self._fail(candidate, keys_by_id[item_id, sample], item_id, sample, event.message)
            return
        rows: dict[bytes, Response] = {keys_by_id[r.item_id, r.sample]: r for r in event.responses}
        self._put(candidate, rows)
        self.outcome.generated += len(rows)
        self.progress.advance(len(rows))

    def _not_answered(self, candidate: Candidate, stack: Runtime | None, message: str) -> None:
        left = Answers(candidate, self.store, stack).missing
        for item_id, sample in self._ids(candidate, left):
            self._fail(candidate, candidate.key_of[item_id, sample], item_id, sample, message)

    def _fail(
        self, candidate: Candidate, key: bytes, item_id: str, sample: int, message: str
    ) -> None:
        place = VerdictSlot(
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
                kind="local_model",
                message=message,
                retriable=True,
                place=place,
                at=time.time(),
            )
        )
        self.outcome.not_generated += 1
        self.progress.advance(failed="local_model")

    def _put(self, candidate: Candidate, rows: Mapping[bytes, Response]) -> None:
        """One commit, each answer at the place of every item that asks the same."""
        most = max(len(candidate.wanted[key][0]) for key in rows)
        with self.store.transaction():
            for n in range(most):
                self.store.put_responses(
                    {
                        key: replace(response, item_id=candidate.wanted[key][0][n].id)
                        for key, response in rows.items()
                        if n < len(candidate.wanted[key][0])
                    }
                )


def questions_of(answers: Answers) -> Iterator[Question]:
    """What a model behind an API still has to be asked."""
    candidate = answers.candidate
    api, benchmark = candidate.api, candidate.asked.benchmark
    assert api is not None
    for key, (items, sample) in candidate.wanted.items():
        if key not in answers.missing:
            continue
        places = tuple(
            VerdictSlot(
                benchmark=benchmark.name,
                version=benchmark.version,
                item_id=item.id,
                model_key=candidate.key,
                judge_key=b"",
                sample=sample,
            )
            for item in items
        )
        yield Question(
            key=key,
            places=places,
            items=items,
            spec=candidate.spec,
            identity=identity_of(api) or "",
            model=api.model or "",
            sample=sample,
            logprobs=benchmark.logprobs and not sample,
        )
