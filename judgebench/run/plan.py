"""What is missing. Planning again after a run finds less: there is no resume mode."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from judgebench import keys
from judgebench.protocols import Judge, Replies
from judgebench.records import Case, Item, Place, Response, Stack
from judgebench.run.execute import Question
from judgebench.run.resolve import Candidate, Seat, Work
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a candidate that this run would use, and what it lacks.

    ``by_item`` maps (item id, sample) to the response; ``missing`` holds response keys. All of
    them come from one stack: answers of another machine or version are never mixed in.
    """

    by_item: Mapping[tuple[str, int], Response] = field(default_factory=dict)
    missing: frozenset[bytes] = frozenset()

    @property
    def complete(self) -> bool:
        return not self.missing


def stack_of(candidates: Sequence[Candidate], store: Store) -> Stack | None:
    """The stack that has most of the answers of one model, over all its benchmarks.

    Of equals the one that answered last; None where nothing is answered.
    """
    count: list[tuple[Stack, int]] = []
    for candidate in candidates:
        for responses in store.responses(candidate.wanted).values():
            for response in responses:  # newest first
                if response.stack is None:
                    continue
                n = next((i for i, (known, _) in enumerate(count) if known == response.stack), None)
                if n is None:
                    count.append((response.stack, 1))
                else:
                    count[n] = (response.stack, count[n][1] + 1)
    return max(count, key=lambda entry: entry[1])[0] if count else None


def answers_of(candidate: Candidate, store: Store, stack: Stack | None) -> Answers:
    """What the store has of a candidate's answers, of this one stack."""
    if candidate.recorded is not None:
        return Answers(by_item=_recorded(candidate))
    found = {
        key: response
        for key, responses in store.responses(candidate.wanted).items()
        if stack is not None
        and (response := next((r for r in responses if r.stack == stack), None)) is not None
    }
    missing = frozenset(candidate.wanted) - found.keys()
    return Answers(by_item=_spread(candidate, found), missing=missing)


def _spread(
    candidate: Candidate, found: Mapping[bytes, Response]
) -> dict[tuple[str, int], Response]:
    """Every item its answer, identical items the same one."""
    spread = {}
    for key, response in found.items():
        items, sample = candidate.wanted[key]
        for item in items:
            spread[item.id, sample] = replace(response, item_id=item.id)
    return spread


def _recorded(candidate: Candidate) -> dict[tuple[str, int], Response]:
    assert candidate.recorded is not None
    benchmark = candidate.asked.benchmark
    found = {}
    for items, sample in candidate.wanted.values():
        item = items[0]
        text = candidate.recorded.texts[item.id, sample]
        found[item.id, sample] = Response(
            benchmark=benchmark.name,
            version=benchmark.version,
            item_id=item.id,
            model_key=candidate.key,
            text=text,
            raw=text,
            status="ok" if text.strip() else "empty",
            sample=sample,
            source=f"file:{candidate.recorded.path.name}",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The questions for one judge on one benchmark.

    ``known`` are judgments that the store has, with the places they serve in this run.
    """

    seat: Seat
    questions: Sequence[Question]
    known: Mapping[bytes, Sequence[Place]]


def judging_of(
    seat: Seat,
    answers: Sequence[tuple[Candidate, Answers]],
    judged: Callable[[Collection[bytes]], set[bytes]],
) -> Judging:
    """What a judge still has to judge. Identical cases are one question with several places.

    ``judged`` says which keys have a judgment already.
    """
    cases: dict[bytes, Case] = {}
    places: dict[bytes, list[Place]] = {}
    for candidate, found in answers:
        for item in candidate.asked.items:
            for sample in range(candidate.asked.config.samples):
                response = found.by_item.get((item.id, sample))
                if response is None:
                    continue
                for case in seat.asked.benchmark.cases(item, [response]):
                    key = keys.judgment_key(seat.key, keys.case_key(case))
                    cases.setdefault(key, case)
                    places.setdefault(key, []).append(place_of(seat, candidate, item, sample))
    known = judged(cases.keys())
    questions = [
        Question(key=key, judge=seat.judge, case=case, places=tuple(places[key]))
        for key, case in cases.items()
        if key not in known
    ]
    return Judging(seat=seat, questions=questions, known={key: places[key] for key in known})


def place_of(seat: Seat, candidate: Candidate, item: Item, sample: int) -> Place:
    return Place(
        benchmark=seat.asked.benchmark.name,
        version=seat.asked.benchmark.version,
        item_id=item.id,
        model_key=candidate.key,
        judge_key=seat.key,
        sample=sample,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What a run would do for one model, benchmark and judge."""

    benchmark: str
    version: str
    model: str
    items: int
    distinct_items: int
    generations: int
    judge: str
    judge_calls: int
    recorded: int


def plan(work: Work, store: Store | None) -> list[PlanRow]:
    """Count what is missing. Nothing is sent, nothing is written.

    ``judge_calls`` counts calls to whoever answers for a judge (none for a lexical one), at one
    call for each answer that does not exist yet; ``recorded`` counts verdicts that need no call,
    since the judgment or the reply is in the store. What two rows share is counted in the first.
    """
    rows = []
    replied: set[bytes] = set()
    seen: set[bytes] = set()
    counted: set[bytes] = set()
    stacks = _stacks(work, store)
    for candidate in work.candidates:
        asked = candidate.asked
        found = Answers(missing=frozenset(candidate.wanted))
        if store is not None:
            found = answers_of(candidate, store, stacks.get(candidate.name))
        elif candidate.recorded is not None:
            found = Answers(by_item=_recorded(candidate))
        generations = len(found.missing - counted)
        counted |= found.missing
        for seat in work.seats:
            if seat.asked is not asked:
                continue
            calls, recorded = _calls(seat, candidate, found, store, seen, replied)
            rows.append(
                PlanRow(
                    benchmark=asked.benchmark.name,
                    version=asked.benchmark.version,
                    model=candidate.name,
                    items=len(asked.items) * asked.config.samples,
                    distinct_items=len(candidate.wanted),
                    generations=generations,
                    judge=seat.name,
                    judge_calls=calls,
                    recorded=recorded,
                )
            )
            generations = 0  # said once, on the model's first row
    return rows


def _stacks(work: Work, store: Store | None) -> dict[str, Stack | None]:
    if store is None:
        return {}
    by_name: dict[str, list[Candidate]] = {}
    for candidate in work.candidates:
        if candidate.local is not None:
            by_name.setdefault(candidate.name, []).append(candidate)
    return {name: stack_of(candidates, store) for name, candidates in by_name.items()}


def _calls(
    seat: Seat,
    candidate: Candidate,
    found: Answers,
    store: Store | None,
    seen: set[bytes],
    replied: set[bytes],
) -> tuple[int, int]:
    judged = _nothing if store is None else store.judged
    judging = judging_of(seat, [(candidate, found)], judged)
    calls = len(found.missing) if seat.config is not None and seat.config.provider else 0
    recorded = len(judging.known)
    for question in judging.questions:
        if question.key in seen:
            recorded += 1
            continue
        seen.add(question.key)
        first = _first_request(seat.judge, question.case, store, replied)
        calls += first
        recorded += first == 0 and seat.config is not None
    return calls, recorded


def _first_request(judge: Judge, case: Case, replies: Replies | None, replied: set[bytes]) -> int:
    """How many calls a case needs now: the dialogue is replayed over what is recorded."""
    dialogue = judge.judge(case)
    try:
        request = next(dialogue)
        while True:
            key = keys.request_key(request)
            reply = replies.reply(key) if replies is not None else None
            if reply is None:
                if key in replied:
                    return 0
                replied.add(key)
                return 1
            request = dialogue.send(reply)
    except StopIteration:
        return 0


def _nothing(keys: Collection[bytes]) -> set[bytes]:
    """What a store that is not there yet has."""
    return set()
