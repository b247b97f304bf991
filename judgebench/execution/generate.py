"""Answers of local models: what a run lacks, from a worker that is loaded once for all benchmarks.

It is ended before the next one starts. The same worker answers stack anchors: some of a model's
prompts once more on the stack of today, which says whether that answers as the stack of its answers
did, for a gate that compares models of both. Those stand nowhere, and its answers stay as they are.

Answers that are the best of several are chosen here too, by the scores that a judge of this run has
given them. Of conversations the best is that whose turns have the highest scores in the mean.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import product
from typing import TypeAlias

from judgebench.dialogue import NO_ANCHORS, all_conversations
from judgebench.errors import ConfigError, LocalModelError
from judgebench.execution.manifest import Outcome
from judgebench.execution.plan import CHUNK, Answers, stack_of
from judgebench.execution.plan import Place as At
from judgebench.execution.resolve import Candidate, Selection, turn_keys
from judgebench.plain_text import counted
from judgebench.protocols import Meter, Progress
from judgebench.records import Failure, Item, Response, Runtime
from judgebench.responses.local import (
    AnswerChunk,
    AnswerFailure,
    AnswersStored,
    LmEvalWorker,
    Place,
    Task,
    generation_of,
)
from judgebench.responses.remote import with_unasked
from judgebench.store.database import chunks
from judgebench.store.store import Store

Chosen = tuple[Candidate, Mapping[bytes, Item]]
"""A model on a benchmark, with the prompts to answer again by their keys."""


@dataclass
class Generation:
    """Has local models answer what the store does not have yet.

    ``started`` names those that had something to answer. ``on_loaded`` is called when the first of
    them is loaded: what else is to load has the time that it answers.
    """

    outcome: Outcome
    store: Store
    progress: Progress
    on_loaded: Callable[[], None] = lambda: None
    started: set[str] = field(default_factory=set)

    def answers(self, candidates: Sequence[Candidate]) -> list[Answers]:
        """Those of one model, on one stack; what could not be had is recorded."""
        answers = self._complete(candidates)
        if answers is None:
            with self._lease(candidates[0]):
                answers = self._complete(candidates)  # somebody else may have done it meanwhile
                if answers is None:
                    stack = self._generate(candidates) or stack_of(candidates, self.store)
                    return [Answers(c, self.store, stack) for c in candidates]
        self.outcome.reused_answers += sum(one.count() for one in answers)
        return answers

    def _complete(self, candidates: Sequence[Candidate]) -> list[Answers] | None:
        """All answers of a model, where one stack has them all."""
        stack = stack_of(candidates, self.store)
        answers = [Answers(c, self.store, stack) for c in candidates]
        return answers if all(a.complete for a in answers) else None

    def _lease(self, candidate: Candidate) -> AbstractContextManager[None]:
        """By what a model is: another suite may call the same one by another name.

        One process at a time runs it for the same items: shards have different ones.
        """
        shard = self.outcome.work.shard
        return self.store.lease(
            f"model {candidate.key.hex()[:12]}{f' shard {shard}' if shard else ''}",
            on_wait=lambda said: self.progress.say(f"{candidate.name}: {said}"),
        )

    def _worker(self, tasks: Sequence[Task], candidate: Candidate) -> LmEvalWorker:
        suite = self.outcome.work.suite
        assert candidate.local is not None
        self.progress.stage(f"{candidate.name}: loading", None)
        return LmEvalWorker(
            candidate.local, tasks, seed=suite.seed, loading_s=suite.limits.loading_s
        )

    def _generate(self, candidates: Sequence[Candidate]) -> Runtime | None:
        """Start the model once, ask it for everything that its stack lacks, keep it as it comes."""
        name = candidates[0].name
        self.started.add(name)
        stack: Runtime | None = None
        # All items: what is generated together is decided from the full list.
        usual = stack_of(candidates, self.store)
        tasks = [
            _task(c, c.asked.every_item, c.asked.config.samples, Answers(c, self.store, usual))
            for c in candidates
        ]
        with self._worker(tasks, candidates[0]) as worker:
            try:
                stack = worker.start()
                self.on_loaded()
                here = [Answers(c, self.store, stack) for c in candidates]
                self.outcome.reused_answers += sum(one.count() for one in here)
                total = sum(len(answers.missing) for answers in here)
                self._tell_other_stacks(candidates, stack, total)
                self.progress.stage(f"{name}: answering", total)
                wanted = {a.candidate.task_name: _ids(a) for a in here}
                by_task = {c.task_name: c for c in candidates}
                began, tokens = time.monotonic(), 0
                for event in worker.generate(wanted, lambda task, one: _place(by_task[task], one)):
                    self._keep(by_task[event.task], event, stack)
                    if not isinstance(event, AnswerFailure):
                        tokens += event.tokens
                    self.progress.meter(Meter(tokens=tokens))
                seconds = time.monotonic() - began
                if tokens:
                    told = {"tokens": tokens, "seconds": seconds, "tokens_per_s": tokens / seconds}
                    self.outcome.speed[name] = told
            except (LocalModelError, ConfigError) as error:  # the others are asked all the same
                own = stack or stack_of(candidates, self.store)
                left = [Answers(c, self.store, own) for c in candidates]
                if stack is None:  # it never came to answering, and that is what failed
                    self.progress.stage(f"{name}: answering", sum(len(a.missing) for a in left))
                for answers in left:
                    self._failed(answers.candidate, _ids(answers), str(error), own)
                self.outcome.warnings.append(f"{name}: {error}")
                self.outcome.misconfigured |= isinstance(error, ConfigError)
        return stack

    def _tell_other_stacks(
        self, candidates: Sequence[Candidate], stack: Runtime, missing: int
    ) -> None:
        elsewhere = sum(
            all(r.stack != stack for r in responses)
            for c in candidates
            for some in chunks(c.wanted, CHUNK)
            for responses in self.store.responses(some).values()
        )
        if elsewhere and missing:
            self.progress.say(
                f"{candidates[0].name}: {elsewhere} answers in the store were generated with "
                "another stack (backend, versions, dtype or batch size); they are kept, and this "
                "run generates its own, since a run never mixes stacks"
            )

    def _keep(
        self,
        candidate: Candidate,
        event: AnswerChunk | AnswerFailure | AnswersStored,
        stack: Runtime,
    ) -> None:
        """One commit, each answer at the place of every item that asks the same."""
        if isinstance(event, AnswerFailure):
            self._failed(candidate, event.ids, event.message, stack)
            return
        if isinstance(event, AnswersStored):
            self.outcome.generated += event.n
            self.progress.advance(event.n)
            return
        with self.store.transaction():
            for response in event.responses:
                its = turn_keys(candidate, response.item_id, response.sample)
                for one in with_unasked(response, len(its)):
                    key = its[one.turn]
                    for item in candidate.wanted[key][0]:
                        self.store.put_responses({key: replace(one, item_id=item.id)})
        self.outcome.generated += len(event.responses)
        self.progress.advance(len(event.responses))

    def _failed(
        self,
        candidate: Candidate,
        ids: Collection[tuple[str, int]],
        message: str,
        stack: Runtime | None,
    ) -> None:
        """Of conversations the turns that this stack has not answered."""
        every = {
            key: candidate.place(*one, turn)
            for one in ids
            for turn, key in enumerate(turn_keys(candidate, *one))
        }
        there = set() if stack is None else self.store.answered_on(every, stack)
        for key in every.keys() - there:
            place = every[key]
            failure = Failure(
                key=key,
                boundary="local_model",
                kind="local_model",
                message=message,
                retriable=True,
                place=place,
                at=time.time(),
            )
            self.store.put_failure(failure)
            self.outcome.not_generated += 1
            self.progress.advance(failed="local_model")

    # stack anchors ------------------------------------------------------------------------------

    def answer_again(self, answers: Sequence[Answers], n: int) -> None:
        """``n`` prompts of each benchmark, by all models whose answers are complete on one stack.

        Those of models that this run has had answering are of today's stack.
        """
        by_model: dict[str, list[Answers]] = {}
        for found in answers:
            by_model.setdefault(found.candidate.name, []).append(found)
        elsewhere = [name for name, its in by_model.items() if its[0].candidate.local is None]
        if elsewhere:
            self.progress.say(f"{', '.join(elsewhere)}: stack anchors are for local models only")
        for name, its in by_model.items():
            if name in self.started:
                self.progress.say(f"{name}: answered just now, and needs no stack anchors")
            elif name not in elsewhere:
                self._answer_again(name, its, n)

    def _answer_again(self, name: str, its: Sequence[Answers], n: int) -> None:
        chosen = [(found.candidate, stack_anchors(found.candidate, n)) for found in its]
        talks = [
            one for one, prompts in chosen if not prompts and all_conversations(one.asked.items)
        ]
        for one in talks:
            self.progress.say(f"{name} on {one.asked.benchmark.name}: {NO_ANCHORS}")
        chosen = [(candidate, prompts) for candidate, prompts in chosen if prompts]
        if not chosen and len(talks) < len(its):
            self.progress.say(f"{name}: all its answers are drawn, and stack anchors are greedy")
        if not chosen:
            return
        own, first = its[0].stack, its[0].candidate
        assert own is not None  # its answers are complete
        # Of these items alone: batches of the whole benchmark would cost as much as it.
        tasks = [_task(candidate, tuple(prompts.values())) for candidate, prompts in chosen]
        stack: Runtime | None = None
        try:
            with self._lease(first), self._worker(tasks, first) as worker:
                stack = worker.start()
                if stack != own:
                    self._generate_again(worker, chosen, stack)
        except (LocalModelError, ConfigError) as error:  # the judges are asked all the same
            left = sum(len(self._lacking(prompts, stack)) for _, prompts in chosen)
            self._lost(name, left, error)
        if stack == own:
            self.progress.say(f"{name}: the stack is that of its answers: no stack anchors needed")
        elif stack is not None:
            for candidate, _ in chosen:
                self.progress.say(self._compared(candidate, own, stack))

    def _generate_again(
        self, worker: LmEvalWorker, chosen: Sequence[Chosen], stack: Runtime
    ) -> None:
        """What is missing on this stack, kept as it comes."""
        name = chosen[0][0].name
        key_of = {
            candidate.task_name: {prompts[key].id: key for key in self._lacking(prompts, stack)}
            for candidate, prompts in chosen
        }
        self.progress.stage(f"{name}: answering stack anchors", sum(map(len, key_of.values())))
        lost, tokens = Counter[str](), 0
        for event in worker.generate({t: [(id_, 0) for id_ in ids] for t, ids in key_of.items()}):
            assert not isinstance(event, AnswersStored), "it was not told where they stand"
            if isinstance(event, AnswerFailure):
                lost[event.message] += len(event.ids)
                continue
            self.store.put_responses(
                {key_of[event.task][one.item_id]: one for one in event.responses}, stand=False
            )
            self.outcome.generated += len(event.responses)
            tokens += event.tokens
            self.progress.advance(len(event.responses))
            self.progress.meter(Meter(tokens=tokens))
        for message, n in lost.items():
            self._lost(name, n, message)

    def _lacking(self, chosen: Mapping[bytes, Item], stack: Runtime | None) -> set[bytes]:
        """All of them where the model never said on what it runs."""
        there = set() if stack is None else self.store.answered_on(chosen, stack)
        return chosen.keys() - there

    def _lost(self, name: str, n: int, why: object) -> None:
        """No failure of an answer, which stands: it is said, and counted as left to do."""
        self.outcome.warnings.append(
            f"{name}: {counted(n, 'stack anchor')} could not be had: {why}"
        )
        self.outcome.misconfigured |= isinstance(why, ConfigError)
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


def stack_anchors(candidate: Candidate, n: int) -> Mapping[bytes, Item]:
    """The prompts to answer again, by key; none where all answers are drawn at random.

    A conversation is none: its later prompts depend on what was answered.

    Keys are hashes, so that the first of them are a sample of all prompts, the same one every
    night, and with a larger ``n`` more of the same.
    """
    local = candidate.local
    assert local is not None
    generation = generation_of(local, candidate.asked.benchmark.lm_eval_task)
    greedy = {
        key: items[0]
        for key, (items, sample) in candidate.wanted.items()
        if sample == 0
        and items[0].n_answers == 1
        and not generation.sampling_of(items[0]).get("do_sample")
    }
    return {key: greedy[key] for key in sorted(greedy)[:n]}


def _place(candidate: Candidate, one: tuple[str, int]) -> Place:
    """Where an answer stands: at every item that asks the same."""
    (*earlier, key), benchmark = turn_keys(candidate, *one), candidate.asked.benchmark
    return Place(
        key=key,
        earlier=tuple(earlier),
        benchmark=benchmark.name,
        version=benchmark.version,
        item_ids=tuple(item.id for item in candidate.wanted[key][0]),
        model_key=candidate.key,
    )


def _ids(answers: Answers) -> list[tuple[str, int]]:
    """What is missing, as a worker calls it: by the first of identical items in the full list."""
    first: dict[bytes, tuple[str, int]] = {}
    for (item, sample, _), key in answers.candidate.key_of.items():
        if key in answers.missing:
            first.setdefault(key, (item, sample))
    return list(dict.fromkeys(first.values()))


def _task(
    candidate: Candidate, items: tuple[Item, ...], samples: int = 1, there: Answers | None = None
) -> Task:
    """What a worker is told; of conversations also what is answered, ``there``."""
    before: dict[tuple[str, int], list[str]] = {}
    turn_by_turn = any(item.n_answers > 1 for item in items)
    if turn_by_turn and there is not None:
        for (id_, sample, _), one in there.of(items).items():  # turn after turn
            before.setdefault((id_, sample), []).append(one.text)
    return Task(
        task=candidate.asked.benchmark.lm_eval_task,
        items=items,
        samples=samples,
        model_key=candidate.key,
        local=candidate.local,
        turn_by_turn=turn_by_turn,
        before=before,
        stack=there.stack if there is not None else None,
    )


# The best of several ------------------------------------------------------------------------------

Scores: TypeAlias = dict[tuple[str, str], dict[At, float]]
"""By model and judge, each by its id, the score of each answer."""


def selected(answers: Sequence[Answers], outcome: Outcome, store: Store) -> list[Answers]:
    """The answers of the candidates with a selection, stored as their own where they are new.

    Sample ``s`` is the best of the samples from ``n * s`` on; of equal scores the first. Where one
    of them is missing or has no score none is chosen, since the best of fewer is another model's
    answer: that is a failure, told in the run's warnings.
    """
    scores = cache(partial(_scores, store, outcome.manifest.id))
    return [
        _selected(candidate, candidate.selection, answers, outcome, store, scores)
        for candidate in outcome.work.candidates
        if candidate.selection is not None
    ]


def _selected(
    candidate: Candidate,
    selection: Selection,
    answers: Sequence[Answers],
    outcome: Outcome,
    store: Store,
    scores_of: Callable[[str, str], Scores],
) -> Answers:
    benchmark, samples = candidate.asked.benchmark, range(candidate.asked.config.samples)
    (pool,) = (
        one
        for one in answers
        if one.candidate.pool
        and one.candidate.key == selection.of.key
        and one.candidate.asked.benchmark is benchmark
    )
    found = Answers(candidate, store, pool.stack)
    needed = {place[:2] for place, key in candidate.key_of.items() if key in found.missing}
    ids = {item_id for item_id, _ in needed}
    items = [item for item in candidate.asked.items if item.id in ids]
    whose = selection.of.key.hex()[:12], selection.scorer.key.hex()[:12]
    scores = scores_of(benchmark.name, benchmark.version).get(whose, {}) if items else {}
    counts = outcome.judging.get(selection.scorer.title)
    waits, without = counts is not None and bool(counts.waiting), 0
    for some in chunks(items, CHUNK):
        held = pool.of(some)
        slots = [one for one in product(some, samples) if (one[0].id, one[1]) in needed]
        with store.transaction():
            for item, sample in slots:
                chosen = _best(selection, item, sample, held, scores)
                if isinstance(chosen, int):
                    _keep_chosen(candidate, item, sample, chosen, held, store)
                    continue
                without += 1
                if not waits:
                    store.put_failure(_not_chosen(candidate, item, sample, chosen))
    if without and waits:
        outcome.warnings.append(
            f"{candidate.name}: {counted(without, 'answer')} can be chosen once the batch of "
            f"{selection.scorer.name} is collected: run again then"
        )
    elif without:
        outcome.not_generated += without
        outcome.warnings.append(
            f"{candidate.name}: of {counted(without, 'answer')} not every sample has a score of "
            f"{selection.scorer.name}, and so none is the best of {selection.n}"
        )
    return Answers(candidate, store, pool.stack)


def _keep_chosen(
    candidate: Candidate,
    item: Item,
    sample: int,
    chosen: int,
    held: Mapping[At, Response],
    store: Store,
) -> None:
    """The chosen sample, all turns of it, as the candidate's own answer."""
    for turn in range(item.n_answers):
        own = replace(held[item.id, chosen, turn], model_key=candidate.key, sample=sample)
        store.put_responses({candidate.key_of[item.id, sample, turn]: own})


def _not_chosen(candidate: Candidate, item: Item, sample: int, because: str) -> Failure:
    return Failure(
        key=candidate.key_of[item.id, sample, 0],
        boundary="reader",
        kind="reader",
        message=because,
        retriable=True,
        place=candidate.place(item.id, sample),
        at=time.time(),
    )


def _scores(store: Store, run: str, benchmark: str, version: str) -> Scores:
    """What the judges said in a run of each answer, where that is a score."""
    its = store.run_verdicts(run, benchmark, version)
    names = ("model_id", "judge_id", "item_id", "sample", "turn", "kind", "value")
    found: Scores = {}
    for model, judge, item_id, sample, turn, kind, value in zip(
        *(its[name] for name in names), strict=True
    ):
        if kind == "score":
            found.setdefault((model, judge), {})[item_id, sample, turn] = float(value)
    return found


def _best(
    selection: Selection,
    item: Item,
    sample: int,
    held: Mapping[At, Response],
    scores: Mapping[At, float],
) -> int | str:
    """Which of a pool's samples is the best, or why none is."""
    n, totals = selection.n, {}
    for number in range(sample * n, sample * n + n):
        places = [(item.id, number, turn) for turn in range(item.n_answers)]
        for what, there in (
            ("answer", held),
            (f"score of {selection.scorer.name}", scores),
        ):
            if not all(place in there for place in places):
                return f"sample {number} has no {what}: the best of {n} cannot be told"
        totals[number] = sum(scores[place] for place in places)
    return max(totals, key=lambda number: totals[number])
