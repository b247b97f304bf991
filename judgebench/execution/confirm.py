"""Asking judges afresh about two models, where a gate would call one of them worse.

The answers are those that were judged, from the store: the models need not be in the suite any
more. What comes back are repeats of a kind of their own, which boards leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from judgebench import keys
from judgebench.errors import ConfigError, unknown_name
from judgebench.execution.asking import Asking
from judgebench.execution.evaluate import under_way
from judgebench.execution.outcome import Outcome
from judgebench.execution.pool import ProviderPool, groups
from judgebench.execution.progress import ProgressRecorder
from judgebench.execution.question import Question
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.execution.seen_cases import seen_cases
from judgebench.plain_text import counted
from judgebench.protocols import Progress
from judgebench.records import AFRESH, JsonObject, VerdictSlot
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A judge, and the two models of which a gate wants to hear it once more, by short ids."""

    benchmark: str
    version: str
    judge: str
    judge_id: str
    models: tuple[str, str]


def confirm(
    work: ResolvedSuite,
    wanted: Sequence[Unconfirmed],
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
    configuration: JsonObject,
) -> Outcome:
    """Ask the judges of a suite once more about every answer of the two models.

    What an earlier run of this kind has is not asked again.

    Raises
    ------
    ConfigError
        Where the suite does not have the judge, or has it otherwise than it judged.
    StoreError, KeyboardInterrupt
        As `evaluate` does.
    """
    assignments = {one: _assignment_of(work, one) for one in wanted}
    about = [f"{one.benchmark}@{one.version} {one.judge} {' '.join(one.models)}" for one in wanted]
    with under_way(work, store, pool, {**configuration, "confirms": about}) as outcome:
        asking = Asking(outcome, store, ProgressRecorder(progress, store, outcome.manifest), pool)
        for group in groups(
            list({assignment.key: assignment for assignment in assignments.values()}.values())
        ):
            questions: dict[str, tuple[JudgeAssignment, list[Question]]] = {}
            for one, assignment in assignments.items():
                if assignment in group:
                    again = list(_questions(store, assignment, one, outcome))
                    questions.setdefault(assignment.title, (assignment, []))[1].extend(again)
            benches = [
                asking.bench(name, [again], assignment.config)
                for name, (assignment, again) in questions.items()
                if again
            ]
            asking.verdicts(benches, sum(len(again) for _, again in questions.values()))
    return outcome


def _assignment_of(work: ResolvedSuite, wanted: Unconfirmed) -> JudgeAssignment:
    here = [
        assignment
        for assignment in work.assignments
        if (assignment.asked.benchmark.name, assignment.asked.benchmark.version)
        == (wanted.benchmark, wanted.version)
    ]
    for assignment in here:
        if assignment.key.hex()[:12] == wanted.judge_id:
            return assignment
    if wanted.judge in {assignment.name for assignment in here}:
        raise ConfigError(
            f"{wanted.judge} is another judge in this suite than the one that judged "
            f"{wanted.benchmark}@{wanted.version}: its model, prompt or sampling differs"
        )
    raise ConfigError(
        f"{wanted.benchmark}@{wanted.version}: "
        f"{unknown_name('judge', wanted.judge, [assignment.name for assignment in here])}"
    )


def _questions(
    store: Store, assignment: JudgeAssignment, wanted: Unconfirmed, outcome: Outcome
) -> Iterator[Question]:
    """What the judge is asked once more, but for what is known."""
    first, known = _judged(store, wanted)
    cases = dict(seen_cases(store, assignment, first))
    if lost := len(first) - len(cases):
        outcome.warnings.append(
            f"{assignment.title}: {counted(lost, 'verdict')} of {len(first)} cannot be asked "
            "again, since the answers that were judged are not in the store"
        )
    for place, case in cases.items():
        there = replace(place, repeat=AFRESH)
        if there not in known:
            key = keys.judgment_key(assignment.key, keys.case_key(case), repeat=AFRESH)
            yield Question(key=key, judge=assignment.judge, case=case, places=(there,))


def _judged(
    store: Store, wanted: Unconfirmed
) -> tuple[Mapping[VerdictSlot, bytes], frozenset[VerdictSlot]]:
    """The first verdicts with the keys of their cases, and what was asked afresh already."""
    models = {model.key for model in store.models() if model.id in wanted.models}
    first, known = {}, set()
    for place, (key, _) in store.current(wanted.benchmark, wanted.version).items():
        if place.judge_key.hex()[:12] != wanted.judge_id or place.model_key not in models:
            continue
        if place.repeat == AFRESH:
            known.add(place)
        elif place.repeat == 0 and (judgment := store.judgment(key)) is not None:
            first[place] = judgment.case_key
    return first, frozenset(known)
