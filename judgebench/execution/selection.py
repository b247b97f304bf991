"""The best of several answers, by the scores that a judge of this run has given them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from judgebench.execution.manifest import Outcome
from judgebench.execution.plan import Answers, batched
from judgebench.execution.resolve import Candidate
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
    wanted = {
        key: (items, sample) for key, (items, sample) in candidate.wanted.items() if key in lacking
    }
    scores = _scores(candidate, outcome, store) if wanted else {}
    counts = outcome.judging.get(selection.scorer.title)
    failed = waiting = 0
    for some in batched(wanted.items()):
        held = pool.of([item for _, (items, _) in some for item in items])
        texts = {place[:2]: one for place, one in held.items()}
        with store.transaction():
            for key, item, sample in ((k, i, n) for k, (items, n) in some for i in items):
                chosen = _best(candidate, item, sample, texts, scores)
                if isinstance(chosen, Response):
                    store.put_responses({key: chosen})
                    continue
                if counts is not None and counts.waiting:
                    waiting += 1
                    continue
                failed += 1
                store.put_failure(
                    Failure(
                        key=key,
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


def _scores(
    candidate: Candidate, outcome: Outcome, store: Store
) -> Mapping[tuple[str, int], float]:
    """(item id, sample) -> what the scorer said in this run, where it gave a score."""
    selection, benchmark = candidate.selection, candidate.asked.benchmark
    assert selection is not None
    its = store.run_verdicts(outcome.manifest.id, benchmark.name, benchmark.version)
    wanted = (selection.of.key.hex()[:12], selection.scorer.key.hex()[:12], "score")
    names = ("model_id", "judge_id", "kind", "item_id", "sample", "value")
    return {
        (item, sample): float(value)
        for *whose, item, sample, value in zip(*(its[name] for name in names), strict=True)
        if tuple(whose) == wanted
    }


def _best(
    candidate: Candidate,
    item: Item,
    sample: int,
    texts: Mapping[tuple[str, int], Response],
    scores: Mapping[tuple[str, int], float],
) -> Response | str:
    """The best answer to an item as the candidate's own, or why there is none."""
    assert candidate.selection is not None
    n = candidate.selection.n
    places = [(item.id, number) for number in range(sample * n, sample * n + n)]
    for place in places:
        if place not in texts or place not in scores:
            lacks = (
                "answer" if place not in texts else f"score of {candidate.selection.scorer.name}"
            )
            return f"sample {place[1]} has no {lacks}: the best of {n} cannot be told"
    best = texts[max(places, key=lambda place: scores[place])]
    return replace(best, model_key=candidate.key, sample=sample)
