"""What is missing. Planning again after a run finds less: there is no resume mode.

Items are taken some hundreds at a time, so that a run over a hundred thousand needs no more memory
than one over a few.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

from judgebench import keys
from judgebench.dialogue import Dialogue
from judgebench.execution.resolve import Candidate, JudgeAssignment, identity_of
from judgebench.protocols import Judge, Writer
from judgebench.records import (
    Case,
    ChatRequest,
    DriftCheck,
    Item,
    Judgment,
    Order,
    Reply,
    Response,
    Runtime,
    RunVerdict,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.responses.remote import Question
from judgebench.store.database import chunks
from judgebench.store.store import Store

CHUNK = 500
"""Items, or keys, that are looked at together."""

Place: TypeAlias = tuple[str, int, int]
"""Item id, sample and turn of an answer."""

_FIXED: Mapping[str, tuple[Order, ...]] = {
    "both": ("model_first", "opponent_first"),
    "model_first": ("model_first",),
    "opponent_first": ("opponent_first",),
}


# answers ------------------------------------------------------------------------------------------


class Answers:
    """The answers of a candidate that this run would use, and what it lacks.

    All of them come from one stack: answers of another machine or version are never mixed in. Texts
    are looked up when they are needed, a few at a time.
    """

    def __init__(self, candidate: Candidate, store: Store | None, stack: Runtime | None) -> None:
        self.candidate = candidate
        self._store = store
        self.stack = stack
        self.missing: frozenset[bytes] = frozenset()
        if candidate.recorded is None:
            there = [key for some in chunks(candidate.wanted, CHUNK) for key in self.found(some)]
            self.missing = frozenset(candidate.wanted.keys() - set(there))

    @property
    def complete(self) -> bool:
        return not self.missing

    def count(self, samples: range | None = None) -> int:
        """How many of these samples are there, or of all; identical items are each counted."""
        wanted = self.candidate.wanted
        there = (wanted[key] for key in wanted.keys() - self.missing)
        return sum(len(items) for items, sample in there if samples is None or sample in samples)

    def of(self, items: Sequence[Item]) -> dict[Place, Response]:
        """The responses, every item its own, identical items the same text."""
        samples = range(self.candidate.asked.config.samples)
        places = [
            (item.id, sample, turn)
            for item in items
            for sample in samples
            for turn in range(item.n_answers)
        ]
        key_of = {p: self.candidate.key_of[p] for p in places if p in self.candidate.key_of}
        if (recorded := self.candidate.recorded) is not None:
            its = {}
            for item_id, sample, turn in key_of:
                text = recorded.texts[item_id, sample][turn]
                its[item_id, sample, turn] = Response(
                    benchmark=self.candidate.asked.benchmark.name,
                    version=self.candidate.asked.benchmark.version,
                    item_id=item_id,
                    model_key=self.candidate.key,
                    text=text,
                    raw=text,
                    status="ok" if text.strip() else "empty",
                    sample=sample,
                    turn=turn,
                    source=f"file:{recorded.path.name}",
                )
        else:
            found = self.found(set(key_of.values()) - self.missing)
            its = {
                place: replace(found[key], item_id=place[0], sample=place[1])
                for place, key in key_of.items()
                if key in found
            }
        return with_before(its) if any(turn for _, _, turn in places) else its

    def found(self, wanted: Collection[bytes]) -> dict[bytes, Response]:
        """What the store has of them by now, on this stack."""
        if self._store is None or (self.stack is None and self.candidate.local is not None):
            return {}
        return {
            key: response
            for key, responses in self._store.responses(wanted).items()
            if (response := next((r for r in responses if r.stack == self.stack), None))
        }

    def stand(self) -> None:
        """Keep every answer at its place, also where it was found and not asked for.

        The same question may stand on another benchmark, or among items that an earlier run did not
        reach, and its answer only there.
        """
        assert self._store is not None  # a run has one
        candidate = self.candidate
        name, version = candidate.asked.benchmark.name, candidate.asked.benchmark.version
        placed = self._store.answered(name, version, candidate.key)
        samples = range(candidate.asked.config.samples)
        lacking = [
            item
            for item in candidate.asked.items
            if any((item.id, sample) not in placed for sample in samples)
        ]
        for items in chunks(lacking, CHUNK):
            with self._store.transaction():
                for place, response in self.of(items).items():
                    if place[:2] not in placed:
                        here = replace(response, benchmark=name, version=version)
                        self._store.put_responses({candidate.key_of[place]: here})


_At = TypeVar("_At", bound=tuple[Any, ...])


def with_before(answers: Mapping[_At, Response]) -> dict[_At, Response]:
    """Each answer with what was said in the turns before, by places whose last part is the turn.

    One whose conversation lacks an earlier turn is left out.
    """
    told: Mapping[Any, Response] = answers
    found = {}
    for place, one in answers.items():
        earlier = [told[at] for n in range(place[-1]) if (at := (*place[:-1], n)) in told]
        if len(earlier) == place[-1]:
            found[place] = replace(one, before=tuple(before.text for before in earlier))
    return found


def stack_of(candidates: Sequence[Candidate], store: Store) -> Runtime | None:
    """The stack that has most of the answers of one local model, over all its benchmarks.

    Of equals the one that answered last; None where nothing is answered, and for models that are
    not run here.
    """
    stacks: list[Runtime] = []
    counts: Counter[int] = Counter()
    for candidate in candidates:
        for some in chunks(candidate.wanted, CHUNK):
            for responses in store.responses(some).values():
                for stack in (r.stack for r in responses if r.stack is not None):  # newest first
                    if stack not in stacks:
                        stacks.append(stack)
                    counts[stacks.index(stack)] += 1
    return stacks[counts.most_common(1)[0][0]] if stacks else None


Parts: TypeAlias = Callable[[Sequence[Answers]], Iterable[tuple[Sequence[Answers], Sequence[Item]]]]
"""Whose answers to which items are judged, some at a time."""


def answer_calls(answers: Answers) -> Iterator[Question]:
    """What a model behind an API still has to be asked; of a conversation the next turn."""
    asked: set[bytes] = set()
    for key, (items, sample) in answers.candidate.wanted.items():
        if key in answers.missing and key not in asked:
            own: tuple[bytes, ...] = (key,)
            if items[0].n_answers > 1:
                own = keys.answer_keys(answers.candidate.key, items[0], sample=sample)
            asked.update(own)
            yield from _next_turn(answers, items, sample, own)


def _next_turn(
    answers: Answers, items: tuple[Item, ...], sample: int, own: tuple[bytes, ...]
) -> tuple[Question, ...]:
    """The first turn that the store does not have yet, after what it has of those before.

    ``own`` are the keys of all turns.
    """
    candidate = answers.candidate
    api = candidate.api
    assert api is not None
    there = answers.found(own) if len(own) > 1 else {}
    turn = next((n for n, key in enumerate(own) if key not in there), None)
    if turn is None:
        return ()
    question = Question(
        key=own[turn],
        later=own[turn + 1 :],
        before=tuple(there[key].text for key in own[:turn]),
        next_turn=None
        if turn + 1 == len(own)
        else partial(_next_turn, answers, items, sample, own),
        places=tuple(candidate.place(item.id, sample, turn) for item in items),
        items=items,
        spec=candidate.spec,
        identity=identity_of(api) or "",
        model=api.model or "",
        sample=sample,
        logprobs=candidate.asked.benchmark.logprobs and not sample,
    )
    return (question,)


# judgments ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCall:
    """One elementary judgment to be had, and every place of this run that it serves.

    ``recheck`` names the occasion on which it is asked anew, although it may have been judged
    before; None otherwise. Where it is a ``drift_check``, the judgment stands on no board.
    """

    key: bytes
    judge: Judge
    case: Case
    case_key: bytes
    places: tuple[VerdictSlot, ...]
    recheck: str | None = None
    drift_check: DriftCheck | None = None
    later: tuple[bytes, ...] = ()
    next_turn: Callable[[], Sequence[Question]] | None = None

    def dialogue(self) -> Dialogue:
        """What the judge asks; a repeat is another question, with another seed."""
        dialogue = self.judge.judge(self.case)
        if not self.places[0].repeat and self.recheck is None:
            return dialogue
        return self._asked_once_more(dialogue)

    def _asked_once_more(self, dialogue: Dialogue) -> Dialogue:
        """The same questions, told apart in their keys, repeats by their seeds besides."""
        repeat = self.places[0].repeat
        try:
            request = next(dialogue)
            while True:
                if repeat:
                    seed = request.decoding.get("seed")
                    if isinstance(request, ChatRequest) and isinstance(seed, int):
                        seeded = {**request.decoding, "seed": seed + repeat}
                        request = replace(request, decoding=seeded)
                    request = replace(request, sample=repeat)
                if self.recheck is not None:
                    request = replace(request, occasion=self.recheck)
                request = dialogue.send((yield request))
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict

    def keep(
        self, store: Writer, run_id: str, result: Verdict, replies: Sequence[tuple[bytes, Reply]]
    ) -> bool:
        """The judgment and its uses, in one commit."""
        served = [reply.served_model for _, reply in replies if reply.served_model]
        marks: tuple[str, ...] = ()
        if self.drift_check is None:  # of two answers with the position: either may be judged
            # Who has nothing to judge, or only plans, needs none of these patterns.
            from judgebench.judges.flags import text_flags

            limit = self.judge.max_answer_chars
            each = [text_flags(one.text, limit) for one in self.case.responses]
            marks = each[0]
            if len(each) > 1:
                marks = tuple(f"{mark}/{n}" for n, its in enumerate(each) for mark in its)
            elif replies and not isinstance(result, Unreadable):
                mends = getattr(self.judge, "mends", None)
                if mends is not None and mends(replies[-1][1]):
                    marks = (*marks, "mended")
        judgment = Judgment(
            key=self.key,
            judge_key=self.places[0].judge_key,
            case_key=self.case_key,
            verdict=result,
            reply_keys=tuple(key for key, _ in replies),
            served_model=served[-1] if served else None,
            at=time.time(),
            marks=marks,
        )
        if self.drift_check is None:
            uses = [
                RunVerdict(run_id=run_id, place=at, judgment_key=self.key) for at in self.places
            ]
            store.put_judgment(judgment, uses)
        else:
            store.put_looks([(judgment, self.drift_check)])
        return not isinstance(result, Unreadable)

    def reuse(self, store: Writer, run_id: str) -> None:
        """Whoever had an anchor asked has kept that as well."""
        if self.drift_check is None:
            uses = [
                RunVerdict(run_id=run_id, place=at, judgment_key=self.key) for at in self.places
            ]
            store.put_uses(uses)


class JudgeCalls(NamedTuple):
    """Some of the calls of one judge about one candidate.

    ``known`` are judgments that the store has, with the places they serve in this run; ``places``
    is how many all of them serve, known or not.
    """

    calls: Sequence[JudgeCall]
    known: Mapping[bytes, Sequence[VerdictSlot]]
    places: int


def judge_calls(
    assignment: JudgeAssignment,
    answers: Sequence[Answers],
    judged: Callable[[Collection[bytes]], set[bytes]],
    parts: Parts | None = None,
) -> Iterator[JudgeCalls]:
    """What a judge has to judge, some items of one candidate after another.

    Identical cases of one part are one call with several places; one that comes again later is
    found recorded then. A judge that compares is shown each answer with that of the benchmark's
    baseline, which itself is not judged. For one that keeps what prompts begin with, the answers of
    all candidates to some items are one part, with prompts that begin alike one after the other.

    Parameters
    ----------
    answers
        Of candidates, also such as this judge does not judge.
    judged
        Says which keys have a judgment already.
    parts
        Of the answers to be judged, whose to which items come one after the other; otherwise all of
        one candidate come after those of another.
    """
    baselines = baselines_of(assignment, answers)
    wanted = [a for a in answers if a not in baselines and assignment.judges(a.candidate)]
    by_prefix = assignment.config is not None and assignment.config.prefix_cache
    every = (
        (those, items)
        for those in ([wanted] if by_prefix else [[found] for found in wanted])
        for items in chunks(assignment.asked.items, CHUNK)
    )
    for those, items in every if parts is None else parts(wanted):
        cases: dict[bytes, tuple[Case, bytes]] = {}
        places: dict[bytes, list[VerdictSlot]] = {}
        for found in those:
            _add_cases(cases, places, assignment, found, items, baselines)
        serving: dict[bytes, Sequence[bytes]] = {first: (first,) for first in places}
        if assignment.recheck is not None or assignment.rechecks:
            for first, slots in places.items():
                case_key, repeat = cases[first][1], slots[0].repeat
                serving[first] = _serving_keys(assignment, first, case_key, repeat)
        there = judged([key for own in serving.values() for key in own])
        calls, known = [], {}
        for first, own in serving.items():
            if (key := next((key for key in own if key in there), None)) is not None:
                known[key] = places[first]
                continue
            case, case_key = cases[first]
            calls.append(
                JudgeCall(
                    key=first if assignment.recheck is None else own[0],
                    judge=assignment.judge,
                    case=case,
                    case_key=case_key,
                    places=tuple(places[first]),
                    recheck=assignment.recheck,
                )
            )
        calls = sorted(calls, key=_first_prompt) if by_prefix else calls
        yield JudgeCalls(calls, known, sum(map(len, places.values())))


def _first_prompt(call: JudgeCall) -> list[str]:
    """What a judge is asked first; sorted by it, prompts stand beside those they share most with.

    Empty for a call that asks nobody.
    """
    try:
        request = next(call.dialogue(), None)
    except Exception:  # noqa: BLE001 - it is met again, and recorded, when the call is made
        return []
    return [] if request is None else [message.content for message in request.messages]


def _serving_keys(
    assignment: JudgeAssignment, first: bytes, case_key: bytes, repeat: int
) -> Sequence[bytes]:
    """The keys under which a verdict on a case would serve, the one that goes before first.

    That of the recheck for which the judge is asked anew, and no other; else those of all rechecks
    there were, the newest first, and the one of when it was asked first.
    """
    now = assignment.recheck
    rechecks = assignment.rechecks if now is None else (now,)
    again = [
        keys.judgment_key(assignment.key, case_key, repeat=repeat, occasion=recheck)
        for recheck in rechecks
    ]
    return again if now is not None else (*again, first)


def baselines_of(assignment: JudgeAssignment, answers: Sequence[Answers]) -> list[Answers]:
    """The answers that a judge compares with; none for a judge that does not compare."""
    if not assignment.compares:
        return []
    asked = assignment.asked
    its = {a.candidate.name: a for a in answers if a.candidate.asked is asked}
    return [its[name] for name in asked.baselines]


def verdicts_wanted(assignment: JudgeAssignment, answers: Sequence[Answers]) -> int:
    """How many elementary verdicts of a judge these answers call for, known ones included."""
    baselines = baselines_of(assignment, answers)
    judged = (
        found.count(assignment.samples)
        for found in answers
        if found not in baselines and assignment.judges(found.candidate)
    )
    return assignment.verdicts_each * sum(judged)


def _add_cases(
    cases: dict[bytes, tuple[Case, bytes]],
    places: dict[bytes, list[VerdictSlot]],
    assignment: JudgeAssignment,
    found: Answers,
    items: Sequence[Item],
    baselines: Sequence[Answers],
) -> None:
    """The cases of some items with their keys, by that of their judgment; where each serves."""
    own = found.of(items)
    others = {one.candidate.name: (one.candidate.key, one.of(items)) for one in baselines}
    wanted = (
        (item, sample, turn)
        for item in items
        for sample in assignment.samples
        for turn in range(item.n_answers)
    )
    for item, sample, turn in wanted:
        opponent_key, other = None, dict[Place, Response]()
        if others:
            baseline = assignment.asked.baseline_for(item)
            opponent_key, other = others.get(baseline or "", (None, other))
        response, opponent = own.get((item.id, sample, turn)), other.get((item.id, sample, turn))
        first = own.get((item.id, 0, turn))
        if response is None or (baselines and opponent is None):
            continue
        if assignment.inputs == "with_first" and first is None:
            continue
        for order, shown in shown_orders(assignment, item, response, opponent, first):
            case = assignment.case(item, shown)
            case_key = keys.case_key(case)
            for repeat in range(assignment.repeats):
                key = keys.judgment_key(assignment.key, case_key, repeat=repeat)
                place = VerdictSlot(
                    benchmark=assignment.asked.benchmark.name,
                    version=assignment.asked.benchmark.version,
                    item_id=item.id,
                    model_key=found.candidate.key,
                    judge_key=assignment.key,
                    opponent_key=opponent_key,
                    order=order,
                    sample=sample,
                    turn=turn,
                    repeat=repeat,
                )
                cases.setdefault(key, (case, case_key))
                places.setdefault(key, []).append(place)


def shown_orders(
    assignment: JudgeAssignment,
    item: Item,
    response: Response,
    opponent: Response | None,
    first: Response | None,
) -> Iterator[tuple[Order, tuple[Response, ...]]]:
    """What a judge is shown of one answer, in every order that is asked for."""
    if assignment.inputs == "with_first" and first is not None:
        yield "single", (first, response)
    elif opponent is None:
        yield "single", (response,)
    else:
        for order in _FIXED.get(assignment.asked.config.orders) or (drawn_order(item.question),):
            yield order, ((response, opponent) if order == "model_first" else (opponent, response))


def drawn_order(instruction: str, *, seed: int = 0) -> Order:
    """AlpacaEval's draw: by the instruction alone, so that every model is shown alike.

    Its ``PairwiseAnnotator`` shows the reference first unless this says to switch.

    >>> drawn_order("What are the names of some famous actors that started on Broadway?")
    'opponent_first'
    """
    draw = random.Random(f"is_switched_outputs{instruction}{seed}")
    return "model_first" if draw.choices([False, True], k=1)[0] else "opponent_first"
