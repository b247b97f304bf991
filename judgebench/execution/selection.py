"""The best of several answers, by the scores that a judge of this run has given them.

Of conversations the best is that whose turns have the highest scores in the mean.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from judgebench.execution.manifest import Outcome
from judgebench.execution.plan import Answers, Place, batched
from judgebench.execution.resolve import Candidate, Selection
from judgebench.plain_text import counted
from judgebench.records import Failure, Item, Response
from judgebench.store import Store


def selected(
    candidate: Candidate, answers: Sequence[Answers], outcome: Outcome, store: Store
) -> Answers:
    """The answers of a candidate with a selection, stored as its own where they are new.

    Sample ``s`` is the best of the samples from ``n * s`` on; of equal scores the first. Where one
    of them is missing or has no score none is chosen, since the best of fewer is another model's
    answer: that is a failure, told in the run's warnings.
    """
    selection, benchmark = candidate.selection, candidate.asked.benchmark
    assert selection is not None  # only then is it asked
    (pool,) = (
        one
        for one in answers
        if one.candidate.pool
        and one.candidate.key == selection.of.key
        and one.candidate.asked.benchmark is benchmark
    )
    lacking = Answers(candidate, store, pool.stack).missing
    needed = {place[:2] for place, key in candidate.key_of.items() if key in lacking}
    ids = {item_id for item_id, _ in needed}
    items = [item for item in candidate.asked.items if item.id in ids]
    scores = _scores(selection, outcome, store) if items else {}
    counts = outcome.judging.get(selection.scorer.title)
    failed = waiting = 0
    for some in batched(items):
        held = pool.of(some)
        with store.transaction():
            for item, sample in product(some, range(candidate.asked.config.samples)):
                if (item.id, sample) not in needed:
                    continue
                chosen = _best(selection, item, sample, held, scores)
                if isinstance(chosen, int):
                    for turn in range(item.n_answers):
                        best = held[item.id, chosen, turn]
                        own = replace(best, model_key=candidate.key, sample=sample)
                        store.put_responses({candidate.key_of[item.id, sample, turn]: own})
                elif counts is not None and counts.waiting:
                    waiting += 1
                else:
                    failed += 1
                    store.put_failure(
                        Failure(
                            key=candidate.key_of[item.id, sample, 0],
                            boundary="reader",
                            kind="reader",
                            message=chosen,
                            retriable=True,
                            place=candidate.place(item.id, sample),
                            at=time.time(),
                        )
                    )
    if failed:
        outcome.not_generated += failed
        outcome.warnings.append(
            f"{candidate.name}: of {counted(failed, 'answer')} not every sample has a score of "
            f"{selection.scorer.name}, and so none is the best of {selection.n}"
        )
    if waiting:
        outcome.warnings.append(
            f"{candidate.name}: {counted(waiting, 'answer')} can be chosen once the batch of "
            f"{selection.scorer.name} is collected: run again then"
        )
    return Answers(candidate, store, pool.stack)


def _scores(selection: Selection, outcome: Outcome, store: Store) -> Mapping[Place, float]:
    """What the scorer said in this run of each answer, where it gave a score."""
    benchmark = selection.of.asked.benchmark
    its = store.run_verdicts(outcome.manifest.id, benchmark.name, benchmark.version)
    wanted = (selection.of.key.hex()[:12], selection.scorer.key.hex()[:12], "score")
    names = ("model_id", "judge_id", "kind", "item_id", "sample", "turn", "value")
    return {
        (item_id, sample, turn): float(value)
        for *whose, item_id, sample, turn, value in zip(*(its[name] for name in names), strict=True)
        if tuple(whose) == wanted
    }


def _best(
    selection: Selection,
    item: Item,
    sample: int,
    held: Mapping[Place, Response],
    scores: Mapping[Place, float],
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
