"""The best of several answers, by the scores that a judge of this run has given them.

Of conversations the best is that whose turns have the highest scores in the mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import TypeAlias

from judgebench.execution.manifest import Outcome
from judgebench.execution.plan import Answers, Place, batched
from judgebench.execution.resolve import Candidate, Selection
from judgebench.plain_text import counted
from judgebench.records import Failure, Item, Response
from judgebench.store import Store

Scores: TypeAlias = dict[tuple[str, str], dict[Place, float]]
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
    for some in batched(items):
        held = pool.of(some)
        slots = [one for one in product(some, samples) if (one[0].id, one[1]) in needed]
        with store.transaction():
            for item, sample in slots:
                chosen = _best(selection, item, sample, held, scores)
                if isinstance(chosen, int):
                    _keep(candidate, item, sample, chosen, held, store)
                    continue
                without += 1
                if not waits:
                    store.put_failure(_failure(candidate, item, sample, chosen))
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


def _keep(
    candidate: Candidate,
    item: Item,
    sample: int,
    chosen: int,
    held: Mapping[Place, Response],
    store: Store,
) -> None:
    """The chosen sample, all turns of it, as the candidate's own answer."""
    for turn in range(item.n_answers):
        own = replace(held[item.id, chosen, turn], model_key=candidate.key, sample=sample)
        store.put_responses({candidate.key_of[item.id, sample, turn]: own})


def _failure(candidate: Candidate, item: Item, sample: int, because: str) -> Failure:
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
