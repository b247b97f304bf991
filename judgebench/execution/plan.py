"""What is missing. Planning again after a run finds less: there is no resume mode.

Items are taken some hundreds at a time, so that a run over a hundred thousand needs no more memory
than one over a few.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from judgebench import keys
from judgebench.execution.orders import orders_of
from judgebench.execution.question import Question
from judgebench.execution.resolve import Candidate, JudgeAssignment
from judgebench.records import Case, Item, Order, Response, Runtime, VerdictSlot
from judgebench.responses.from_file import RecordedAnswers
from judgebench.store import Store

CHUNK = 500
T = TypeVar("T")


class Answers:
    """The answers of a candidate that this run would use, and what it lacks.

    All of them come from one stack: answers of another machine or version are never mixed in. Texts
    are looked up when they are needed, a few at a time.
    """

    def __init__(self, candidate: Candidate, store: Store | None, stack: Runtime | None) -> None:
        self.candidate = candidate
        self._store = store
        self.stack = stack
        self.missing = self._missing()

    @property
    def complete(self) -> bool:
        return not self.missing

    def __len__(self) -> int:
        """Answers that are there, with identical items each counted."""
        return self.count(range(self.candidate.asked.config.samples))

    def count(self, samples: range) -> int:
        """How many of these samples are there, with identical items each counted."""
        wanted = self.candidate.wanted
        there = (wanted[key] for key in wanted.keys() - self.missing)
        return sum(len(items) for items, sample in there if sample in samples)

    def of(self, items: Sequence[Item]) -> dict[tuple[str, int], Response]:
        """(item id, sample) -> response, every item its own, identical items the same text."""
        if self.candidate.recorded is not None:
            return _recorded(self.candidate, self.candidate.recorded, items)
        samples = range(self.candidate.asked.config.samples)
        key_of = self.candidate.key_of
        places = {
            (item.id, sample): key
            for item in items
            for sample in samples
            if (key := key_of.get((item.id, sample))) is not None and key not in self.missing
        }
        found = self._found(set(places.values()))
        return {
            place: replace(found[key], item_id=place[0], sample=place[1])
            for place, key in places.items()
            if key in found
        }

    def _missing(self) -> frozenset[bytes]:
        if self.candidate.recorded is not None:
            return frozenset()
        wanted = self.candidate.wanted
        there: set[bytes] = set()
        for some in chunks(list(wanted)):
            there |= self._found(some).keys()
        return frozenset(wanted.keys() - there)

    def _found(self, wanted: Collection[bytes]) -> dict[bytes, Response]:
        if self._store is None or (self.stack is None and self.candidate.local is not None):
            return {}
        found = {}
        for key, responses in self._store.responses(wanted).items():
            response = next((r for r in responses if r.stack == self.stack), None)
            if response is not None:
                found[key] = response
        return found


def stack_of(candidates: Sequence[Candidate], store: Store) -> Runtime | None:
    """The stack that has most of the answers of one local model, over all its benchmarks.

    Of equals the one that answered last; None where nothing is answered, and for models that are
    not run here.
    """
    count: list[tuple[Runtime, int]] = []
    for candidate in candidates:
        for some in chunks(list(candidate.wanted)):
            for responses in store.responses(some).values():
                for response in responses:  # newest first
                    _count(count, response.stack)
    return max(count, key=lambda entry: entry[1])[0] if count else None


def _count(count: list[tuple[Runtime, int]], stack: Runtime | None) -> None:
    if stack is None:
        return
    n = next((i for i, (known, _) in enumerate(count) if known == stack), None)
    if n is None:
        count.append((stack, 1))
    else:
        count[n] = (stack, count[n][1] + 1)


def _recorded(
    candidate: Candidate, recorded: RecordedAnswers, items: Sequence[Item]
) -> dict[tuple[str, int], Response]:
    benchmark = candidate.asked.benchmark
    found = {}
    for item in items:
        for sample in range(candidate.asked.config.samples):
            text = recorded.texts.get((item.id, sample))
            if text is not None:
                found[item.id, sample] = Response(
                    benchmark=benchmark.name,
                    version=benchmark.version,
                    item_id=item.id,
                    model_key=candidate.key,
                    text=text,
                    raw=text,
                    status="ok" if text.strip() else "empty",
                    sample=sample,
                    source=f"file:{recorded.path.name}",
                )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Some of the questions for one judge about one candidate.

    ``known`` are judgments that the store has, with the places they serve in this run.
    """

    assignment: JudgeAssignment
    candidate: Candidate
    questions: Sequence[Question]
    known: Mapping[bytes, Sequence[VerdictSlot]]

    @property
    def places(self) -> int:
        """All places, known or not."""
        return sum(len(q.places) for q in self.questions) + sum(map(len, self.known.values()))


def judgings(
    assignment: JudgeAssignment,
    answers: Sequence[Answers],
    judged: Callable[[Collection[bytes]], set[bytes]],
) -> Iterator[Judging]:
    """What a judge has to judge, some items of one candidate after another.

    Identical cases of one part are one question with several places; one that comes again later is
    found recorded then. A judge that compares is shown each answer with that of the benchmark's
    baseline, which itself is not judged.

    Parameters
    ----------
    answers
        Of the candidates on this assignment's benchmark.
    judged
        Says which keys have a judgment already.
    """
    baseline = baseline_of(assignment, answers)
    for found in answers:
        if found is baseline:
            continue
        for items in chunks(assignment.asked.items):
            cases, places = _cases(assignment, found, items, baseline)
            keyed = _keys_of(assignment, cases, places)
            known = judged([key for own in keyed.values() for key in own])
            serving = {
                first: next((k for k in own if k in known), None) for first, own in keyed.items()
            }
            yield Judging(
                assignment=assignment,
                candidate=found.candidate,
                questions=[
                    Question(
                        key=keyed[first][0] if assignment.anew is not None else first,
                        judge=assignment.judge,
                        case=case,
                        places=tuple(places[first]),
                        occasion=assignment.anew,
                    )
                    for first, case in cases.items()
                    if serving[first] is None
                ],
                known={key: places[first] for first, key in serving.items() if key is not None},
            )


def _keys_of(
    assignment: JudgeAssignment,
    cases: Mapping[bytes, Case],
    places: Mapping[bytes, Sequence[VerdictSlot]],
) -> dict[bytes, Sequence[bytes]]:
    """The keys under which a verdict on each case would serve, the one that goes before first.

    That of the occasion on which the judge is asked anew, and no other; else those of all occasions
    on which it was, the newest first, and the one of when it was asked first.
    """
    occasions = assignment.occasions if assignment.anew is None else (assignment.anew,)
    if not occasions:
        return {first: (first,) for first in cases}
    found: dict[bytes, Sequence[bytes]] = {}
    for first, case in cases.items():
        case_key, repeat = keys.case_key(case), places[first][0].repeat
        of = [
            keys.judgment_key(assignment.key, case_key, repeat=repeat, occasion=occasion)
            for occasion in occasions
        ]
        found[first] = of if assignment.anew is not None else (*of, first)
    return found


def baseline_of(assignment: JudgeAssignment, answers: Sequence[Answers]) -> Answers | None:
    """The answers that a judge compares with; None for a judge that does not compare."""
    if not assignment.compares:
        return None
    wanted = (assignment.asked, assignment.asked.baseline)
    return next(a for a in answers if (a.candidate.asked, a.candidate.name) == wanted)


def verdicts_each(assignment: JudgeAssignment) -> int:
    """How many elementary verdicts a judge gives on one answer."""
    orders = 2 if assignment.compares and assignment.asked.config.orders == "both" else 1
    return orders * (assignment.asked.config.judge_samples if assignment.asks else 1)


def verdicts_wanted(assignment: JudgeAssignment, answers: Sequence[Answers]) -> int:
    """How many elementary verdicts of a judge these answers call for, known ones included."""
    baseline = baseline_of(assignment, answers)
    judged = (found.count(assignment.samples) for found in answers if found is not baseline)
    return verdicts_each(assignment) * sum(judged)


def _cases(
    assignment: JudgeAssignment, found: Answers, items: Sequence[Item], baseline: Answers | None
) -> tuple[dict[bytes, Case], dict[bytes, list[VerdictSlot]]]:
    """The cases of some items by the key of their judgment, and where each serves."""
    own = found.of(items)
    other = {} if baseline is None else baseline.of(items)
    cases: dict[bytes, Case] = {}
    places: dict[bytes, list[VerdictSlot]] = {}
    for item in items:
        first = own.get((item.id, 0))
        for sample in assignment.samples:
            response, opponent = own.get((item.id, sample)), other.get((item.id, sample))
            if response is None or (baseline is not None and opponent is None):
                continue
            if assignment.inputs == "with_first" and first is None:
                continue
            for order, shown in _shown(assignment, item, response, opponent, first):
                case = assignment.asked.benchmark.case(item, shown)
                case_key = keys.case_key(case)
                for repeat in range(
                    assignment.asked.config.judge_samples if assignment.asks else 1
                ):
                    key = keys.judgment_key(assignment.key, case_key, repeat=repeat)
                    place = VerdictSlot(
                        benchmark=assignment.asked.benchmark.name,
                        version=assignment.asked.benchmark.version,
                        item_id=item.id,
                        model_key=found.candidate.key,
                        judge_key=assignment.key,
                        opponent_key=None if baseline is None else baseline.candidate.key,
                        order=order,
                        sample=sample,
                        repeat=repeat,
                    )
                    cases.setdefault(key, case)
                    places.setdefault(key, []).append(place)
    return cases, places


def _shown(
    assignment: JudgeAssignment,
    item: Item,
    response: Response,
    opponent: Response | None,
    first: Response | None,
) -> Iterator[tuple[Order, tuple[Response, ...]]]:
    """What a judge is shown of one answer, in every order that is asked for."""
    if assignment.inputs == "with_first" and first is not None:
        yield "single", (first, response)
        return
    if opponent is None:
        yield "single", (response,)
        return
    for order in orders_of(item, assignment.asked.config.orders):
        yield order, ((response, opponent) if order == "model_first" else (opponent, response))


def batched(values: Iterable[T]) -> Iterator[list[T]]:
    """The values as they come, some at a time."""
    rest = iter(values)
    while some := list(islice(rest, CHUNK)):
        yield some


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, some at a time."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
