"""Some of a model's prompts answered again on the stack of today, to be held against its answers.

Its answers stand as they are, and what is generated here stands nowhere: it says whether the stack
of today answers as that of the answers did, for a gate that compares models of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from judgebench.errors import ConfigError, LocalModelError
from judgebench.execution.outcome import Outcome
from judgebench.execution.plan import Answers
from judgebench.execution.resolve import Candidate
from judgebench.plain_text import counted
from judgebench.protocols import Progress
from judgebench.records import Item, Runtime
from judgebench.responses.local import LmEvalWorker, NotAnswered, Task, generation_of
from judgebench.store import Store

Chosen = tuple[Candidate, Mapping[bytes, Item]]
"""A model on a benchmark, with the prompts to answer again by their keys."""


def anchors(candidate: Candidate, n: int) -> Mapping[bytes, Item]:
    """The prompts to answer again, by key; none where all answers are drawn at random.

    Keys are hashes, so that the first of them are a sample of all prompts, the same one every
    night, and with a larger ``n`` more of the same.
    """
    local = candidate.local
    assert local is not None
    generation = generation_of(local, candidate.asked.benchmark.lm_eval_task)
    greedy = {
        key: items[0]
        for key, (items, sample) in candidate.wanted.items()
        if sample == 0 and not generation.sampling_of(items[0]).get("do_sample")
    }
    return {key: greedy[key] for key in sorted(greedy)[:n]}


class StackAnchors:
    """Has the local models of a run answer ``n`` prompts of each benchmark again."""

    def __init__(self, outcome: Outcome, store: Store, progress: Progress, n: int) -> None:
        self.outcome = outcome
        self.store = store
        self.progress = progress
        self.n = n

    def answer_again(self, answers: Sequence[Answers], started: Collection[str]) -> None:
        """Of all models whose answers are complete on one stack.

        Parameters
        ----------
        started
            The models that this run has had answering, by name: their answers are of today's stack.
        """
        by_model: dict[str, list[Answers]] = {}
        for found in answers:
            by_model.setdefault(found.candidate.name, []).append(found)
        elsewhere = [name for name, its in by_model.items() if its[0].candidate.local is None]
        if elsewhere:
            self.progress.say(f"{', '.join(elsewhere)}: stack anchors are for local models only")
        for name, its in by_model.items():
            if name in started:
                self.progress.say(f"{name}: answered just now, and needs no stack anchors")
            elif name not in elsewhere:
                self._answer_again(name, its)

    def _answer_again(self, name: str, its: Sequence[Answers]) -> None:
        chosen = [(found.candidate, anchors(found.candidate, self.n)) for found in its]
        chosen = [(candidate, prompts) for candidate, prompts in chosen if prompts]
        if not chosen:
            self.progress.say(f"{name}: all its answers are drawn, and stack anchors are greedy")
            return
        own, first = its[0].stack, its[0].candidate
        assert own is not None  # its answers are complete
        assert first.local is not None
        tasks = [_task(candidate, prompts) for candidate, prompts in chosen]
        stack: Runtime | None = None
        try:
            suite = self.outcome.work.suite
            worker = LmEvalWorker(
                first.local, tasks, seed=suite.seed, loading_s=suite.limits.loading_s
            )
            with self._lease(first), worker:
                self.progress.stage(f"{name}: loading", None)
                stack = worker.start()
                if stack != own:
                    self._generate(worker, chosen, stack)
        except (LocalModelError, ConfigError) as error:  # the judges are asked all the same
            left = sum(len(self._missing(prompts, stack)) for _, prompts in chosen)
            self._failed(name, left, str(error))
            self.outcome.misconfigured |= isinstance(error, ConfigError)
        if stack == own:
            self.progress.say(f"{name}: the stack is that of its answers: no stack anchors needed")
        elif stack is not None:
            for candidate, _ in chosen:
                self.progress.say(self._compared(candidate, own, stack))

    def _lease(self, candidate: Candidate) -> AbstractContextManager[None]:
        """As `Answering` takes it: one process at a time runs a model."""
        return self.store.lease(
            f"model {candidate.key.hex()[:12]}",
            on_wait=lambda said: self.progress.say(f"{candidate.name}: {said}"),
        )

    def _generate(self, worker: LmEvalWorker, chosen: Sequence[Chosen], stack: Runtime) -> None:
        """What is missing on this stack, kept as it comes."""
        name = chosen[0][0].name
        keys: dict[str, dict[str, bytes]] = {}
        for candidate, prompts in chosen:
            missing = self._missing(prompts, stack)
            task = candidate.asked.benchmark.lm_eval_task.name
            keys[task] = {prompts[key].id: key for key in missing}
        self.progress.stage(f"{name}: answering stack anchors", sum(map(len, keys.values())))
        wanted = {task: [(id_, 0) for id_ in ids] for task, ids in keys.items()}
        lost: Counter[str] = Counter()
        for event in worker.generate(wanted):
            if isinstance(event, NotAnswered):
                lost[event.message] += len(event.ids)
                continue
            key_of = keys[event.task]
            self.store.put_stack_anchors({key_of[one.item_id]: one for one in event.responses})
            self.outcome.generated += len(event.responses)
            self.progress.advance(len(event.responses))
        for message, n in lost.items():
            self._failed(name, n, message)

    def _missing(self, chosen: Mapping[bytes, Item], stack: Runtime | None) -> set[bytes]:
        """All of them where the model never said on what it runs."""
        there = set() if stack is None else self.store.answered_on(chosen, stack)
        return chosen.keys() - there

    def _failed(self, name: str, n: int, message: str) -> None:
        """No failure of an answer, which stands: it is said, and counted as left to do."""
        self.outcome.warnings.append(
            f"{name}: {counted(n, 'stack anchor')} could not be had: {message}"
        )
        self.outcome.not_generated += n
        self.progress.advance(n, failed="local_model")

    def _compared(self, candidate: Candidate, own: Runtime, stack: Runtime) -> str:
        benchmark, model = candidate.asked.benchmark, candidate.key.hex()[:12]
        found = self.store.answered_again(
            benchmark.name, benchmark.version, model, stack=own, other=stack
        )
        return (
            f"{candidate.name} on {benchmark.name}: {found.again - found.changed} of {found.again} "
            "stack anchors were answered as its answers were"
        )


def _task(candidate: Candidate, chosen: Mapping[bytes, Item]) -> Task:
    """A task about these items alone: batches of the whole benchmark would cost as much as it."""
    return Task(
        task=candidate.asked.benchmark.lm_eval_task,
        items=tuple(chosen.values()),
        model_key=candidate.key,
        local=candidate.local,
    )
