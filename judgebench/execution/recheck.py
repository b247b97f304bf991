"""Asking judges once more about answers that they have judged: at anchors, and where a gate asks.

The answers are those that were judged, put together again from the store. Anchors are pinned to see
whether a judge still says the same: the same questions with the same seeds, which are sent although
their replies are known, once an occasion, however often the run is repeated; what comes back is on
no board. What a gate wants to be confirmed are repeats of a kind of their own, which boards leave
out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from judgebench import keys
from judgebench.config import JudgeConfig
from judgebench.errors import ConfigError, unknown_name
from judgebench.execution.plan import JudgeCall, with_before
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.plain_text import counted
from judgebench.records import AFRESH, Case, DriftCheck, Response, VerdictSlot
from judgebench.store.read import StoredAnchors
from judgebench.store.store import Store


def recheck_of_today() -> str:
    """The day in UTC: a judge is asked about its anchors once a day."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def answers_at(
    store: Store, benchmark: str, version: str, places: Iterable[VerdictSlot]
) -> Iterator[tuple[bytes, Response]]:
    """What models and opponents at some places of a benchmark answered to their items, by model.

    Of the same answer the newest first.
    """
    wanted: dict[bytes, set[str]] = {}
    for place in places:
        for model in (place.model_key, place.opponent_key):
            if model is not None:
                wanted.setdefault(model, set()).add(place.item_id)
    for model, ids in wanted.items():
        yield from ((model, one) for one in store.answers_to(benchmark, version, model, ids))


def seen_cases(
    store: Store, assignment: JudgeAssignment, places: Mapping[VerdictSlot, bytes]
) -> Iterator[tuple[VerdictSlot, Case]]:
    """What a judge saw at some places of a benchmark, as far as the answers are in the store.

    Parameters
    ----------
    places
        With the key of the case that the judge saw there: of several answers that a model gave to
        the same, on several stacks, the one that makes this case is meant.
    """
    benchmark = assignment.asked.benchmark
    items = {item.id: item for item in benchmark.data.items}
    by_stack = {
        (model, one.item_id, one.sample, one.stack and keys.stack_key(one.stack), one.turn): one
        for model, one in answers_at(store, benchmark.name, benchmark.version, places)
    }
    answers: dict[tuple[bytes | None, str, int, int], list[Response]] = {}
    for (model, item_id, sample, _, turn), one in with_before(by_stack).items():
        answers.setdefault((model, item_id, sample, turn), []).append(one)
    for place, key in places.items():
        if (item := items.get(place.item_id)) is None:
            continue
        at = place.item_id, place.sample, place.turn
        shown = [(place.model_key, *at)]
        if place.opponent_key is not None:
            other = (place.opponent_key, *at)
            shown = [*shown, other] if place.order == "model_first" else [other, *shown]
        for responses in product(*(answers.get(one, []) for one in shown)):
            case = assignment.case(item, responses)
            if keys.case_key(case) == key:
                yield place, case
                break


class Anchors:
    """What the judges of a suite are to be asked again on an occasion."""

    def __init__(self, store: Store, assignments: Sequence[JudgeAssignment], recheck: str) -> None:
        self._store, self._recheck = store, recheck
        self._of = {(one.benchmark, one.version, one.judge_key): one for one in store.anchors()}
        self.warnings: list[str] = []
        for assignment in assignments:
            if assignment.asks and self._set_of(assignment) is None:
                benchmark = assignment.asked.benchmark
                which = f"{benchmark.name}@{benchmark.version}"
                self.warnings.append(
                    f"{assignment.title} has no anchors on {which}, so nothing is asked again; "
                    f"`judgebench anchors pin {which} --judge {assignment.name}` pins some"
                )

    def _set_of(self, assignment: JudgeAssignment) -> StoredAnchors | None:
        benchmark = assignment.asked.benchmark
        return self._of.get((benchmark.name, benchmark.version, assignment.key))

    def calls(
        self, assignments: Sequence[JudgeAssignment]
    ) -> dict[str, tuple[JudgeConfig, list[JudgeCall]]]:
        """What judges are not asked yet on this occasion, by whom and what it is about."""
        found = {}
        for assignment in assignments:
            anchors = self._set_of(assignment)
            if anchors is None or assignment.config is None or not assignment.asks:
                continue
            if again := self._calls_of(assignment, anchors):
                name = f"{assignment.title}, anchors of {assignment.asked.benchmark.name}"
                found[name] = assignment.config, again
        return found

    def there(self, calls: Sequence[JudgeCall]) -> list[bool]:
        """Which of them have been made by now."""
        asked = {call.drift_check.anchors for call in calls if call.drift_check is not None}
        known: set[VerdictSlot] = set()
        for anchors in (one for one in self._of.values() if one.id in asked):
            known |= self._store.looked(anchors, self._recheck).keys()
        return [call.places[0] in known for call in calls]

    def _calls_of(self, assignment: JudgeAssignment, anchors: StoredAnchors) -> list[JudgeCall]:
        pinned = self._store.looked(anchors)
        cases = dict(seen_cases(self._store, assignment, pinned))
        if lost := len(pinned) - len(cases):
            self.warnings.append(_lost(assignment, lost, len(pinned), "anchor"))
        known = self._store.looked(anchors, self._recheck)
        return [
            JudgeCall(
                key=keys.judgment_key(assignment.key, pinned[place], occasion=self._recheck),
                judge=assignment.judge,
                case=case,
                case_key=pinned[place],
                places=(place,),
                recheck=self._recheck,
                drift_check=DriftCheck(anchors=anchors.id, occasion=self._recheck, place=place),
            )
            for place, case in cases.items()
            if place not in known
        ]


def _lost(assignment: JudgeAssignment, lost: int, of: int, what: str) -> str:
    return (
        f"{assignment.title}: {counted(lost, what)} of {of} cannot be asked again, since the "
        "answers that were judged are not in the store"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A judge, and the two models of which a gate wants to hear it once more, by short ids."""

    benchmark: str
    version: str
    judge: str
    judge_id: str
    models: tuple[str, str]


def judge_to_confirm(work: ResolvedSuite, wanted: Unconfirmed) -> JudgeAssignment:
    """The judge of a suite that is meant.

    Raises
    ------
    ConfigError
        Where the suite does not have it, or has it otherwise than it judged.
    """
    which = (wanted.benchmark, wanted.version)
    here = [
        assignment
        for assignment in work.assignments
        if (assignment.asked.benchmark.name, assignment.asked.benchmark.version) == which
    ]
    for assignment in here:
        if assignment.key.hex()[:12] == wanted.judge_id:
            return assignment
    names = [assignment.name for assignment in here]
    if wanted.judge in names:
        raise ConfigError(
            f"{wanted.judge} is another judge in this suite than the one that judged "
            f"{wanted.benchmark}@{wanted.version}: its model, prompt or sampling differs"
        )
    raise ConfigError(
        f"{wanted.benchmark}@{wanted.version}: {unknown_name('judge', wanted.judge, names)}"
    )


def calls_to_confirm(
    store: Store, assignment: JudgeAssignment, wanted: Unconfirmed, warnings: list[str]
) -> Iterator[JudgeCall]:
    """What the judge is asked once more, but for what is known; what cannot be is warned of."""
    models = {model.key for model in store.models() if model.id in wanted.models}
    first: dict[VerdictSlot, bytes] = {}
    known: set[VerdictSlot] = set()
    for place, (key, _) in store.current(wanted.benchmark, wanted.version).items():
        if place.judge_key.hex()[:12] != wanted.judge_id or place.model_key not in models:
            continue
        if place.repeat == AFRESH:
            known.add(place)
        elif place.repeat == 0 and (judgment := store.judgment(key)) is not None:
            first[place] = judgment.case_key
    cases = dict(seen_cases(store, assignment, first))
    if lost := len(first) - len(cases):
        warnings.append(_lost(assignment, lost, len(first), "verdict"))
    for place, case in cases.items():
        there = replace(place, repeat=AFRESH)
        if there not in known:
            case_key, at = first[place], (there,)
            key = keys.judgment_key(assignment.key, case_key, repeat=AFRESH)
            yield JudgeCall(
                key=key, judge=assignment.judge, case=case, case_key=case_key, places=at
            )
