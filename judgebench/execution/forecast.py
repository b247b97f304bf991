"""What a run would do, and what that would take, before it does it. Sends and writes nothing.

Questions that can be built already are counted as they would be sent; `scales` says what is assumed
of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from judgebench import keys
from judgebench.benchmarks.presets import Preset
from judgebench.dialogue import Dialogue
from judgebench.execution.anchors import Anchors
from judgebench.execution.answering import questions_of
from judgebench.execution.detectable import Detectable, Detects
from judgebench.execution.plan import Answers, baseline_of, judgings, stack_of, verdicts_each
from judgebench.execution.pool import ProviderPool
from judgebench.execution.question import asked_first
from judgebench.execution.resolve import Candidate, JudgeAssignment, ResolvedSuite
from judgebench.execution.scales import Lengths, Range, Scale, Scales, Tokens
from judgebench.records import Item, JsonObject, Reply, Request, Response, Runtime, ScoreRequest
from judgebench.store import Store

SAMPLED_ITEMS = 50
"""Items that stand for all of those whose answers do not exist yet."""

ANCHORS = "(anchors)"
"""Stands for a model on the row of a judge that is asked about its anchors again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What a run would do for one model on a benchmark, and one judge of its answers.

    ``judge`` is None on the row about the answers themselves, and ``items`` are the answers that
    are judged on the others. ``asker`` is who would be asked, a judge or a model of the suite;
    ``cost_usd`` is None where its price is not known, and ``method`` says how tokens were counted.
    ``at_most`` says that tokens of replies, and what they cost, are an upper bound: fewer than
    `ENOUGH_CALLS` replies are kept from which their length could be told.
    ``preset`` is how one has the model asked, and ``decoding`` what that comes down to;
    ``detectable`` is what a judge's verdicts could tell apart, where that was asked.

    Of the ``verdicts`` of a judge that asks somebody, ``repeated`` are about a question that an
    earlier one is about, also one of an earlier row, and ``settled`` need nobody to be asked (an
    answer that is blank, or equal to an accepted one). The ``settled`` are among the ``recorded``,
    the ``repeated`` are not: what is neither needs a call.
    """

    benchmark: str
    version: str
    model: str
    items: int
    distinct_items: int
    generations: int = 0
    judge: str | None = None
    verdicts: int = 0
    repeated: int = 0
    settled: int = 0
    judge_calls: int = 0
    recorded: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: Range | None = field(default_factory=Range)
    method: str = ""
    at_most: bool = False
    preset: Preset = field(default_factory=Preset)
    decoding: JsonObject = field(default_factory=dict)
    detectable: Detectable | None = None

    @property
    def asker(self) -> str:
        return self.model if self.judge is None else self.judge


def plan(
    work: ResolvedSuite,
    store: Store | None,
    pool: ProviderPool,
    detects: Detects | None = None,
    *,
    occasion: str | None = None,
) -> list[PlanRow]:
    """Count what is missing, and what it would take.

    ``judge_calls`` counts calls to whoever answers for a judge (none for a lexical one), at one
    call for each question about an answer that does not exist yet; ``recorded`` counts verdicts
    that need no call, since the judgment or the reply is in the store, or waits in a batch. What
    two rows share is counted in the first.

    Parameters
    ----------
    detects
        What verdicts could tell apart, from earlier ones; not asked about if not given.
    occasion
        On which judges are asked again about their anchors; a row for each, if given.
    """
    planned = _Plan(work, store, pool, detects)
    rows = list(planned.rows())
    return rows if occasion is None or store is None else [*rows, *planned.again(store, occasion)]


def by_asker(rows: Iterable[PlanRow]) -> dict[str, Range | None]:
    """What each judge and model would cost; None where a price is not known."""
    found: dict[str, Range | None] = {}
    for row in rows:
        before = found.get(row.asker, Range())
        found[row.asker] = None if before is None or row.cost_usd is None else before + row.cost_usd
    return found


class _Plan:
    """The planning of one run."""

    def __init__(
        self, work: ResolvedSuite, store: Store | None, pool: ProviderPool, detects: Detects | None
    ) -> None:
        self.work = work
        self.store = store
        self.detects = detects
        self.scales = Scales(pool, store)
        self.lengths = Lengths()
        self.waits = pool.waits
        self.replied: set[bytes] = set()
        self.seen: set[bytes] = set()
        self.counted: set[bytes] = set()

    def rows(self) -> Iterable[PlanRow]:
        answers = [Answers(c, self.store, self._stack(c)) for c in self.work.candidates]
        for found in answers:
            yield self._answering(found)
            for assignment in self.work.assignments:
                if assignment.judges(found.candidate):
                    yield self._judging(assignment, found, answers)

    def again(self, store: Store, occasion: str) -> Iterator[PlanRow]:
        """What judges are asked again about their anchors, which are answers of several models."""
        anchors = Anchors(store, self.work.assignments, occasion)
        for assignment in self.work.assignments:
            for config, questions in anchors.questions([assignment]).values():
                scale = self.scales.of(assignment.title, config, assignment.key, judges=True)
                tokens, calls = Tokens(), 0
                for question in questions:
                    requests = self._next_requests(question.dialogue())
                    calls += len(requests)
                    for request in requests:
                        tokens += scale.call(request)
                yield PlanRow(
                    benchmark=assignment.asked.benchmark.name,
                    version=assignment.asked.benchmark.version,
                    model=ANCHORS,
                    judge=assignment.name,
                    items=len(questions),
                    distinct_items=len(questions),
                    verdicts=len(questions),
                    judge_calls=calls,
                    recorded=len(questions) - calls,
                    **_takes(scale, tokens),
                )

    def _stack(self, candidate: Candidate) -> Runtime | None:
        if self.store is None or candidate.local is None:
            return None
        same = [c for c in self.work.candidates if c.name == candidate.name]
        return stack_of(same, self.store)

    def _row(self, candidate: Candidate) -> PlanRow:
        asked = candidate.asked
        return PlanRow(
            benchmark=asked.benchmark.name,
            version=asked.benchmark.version,
            model=candidate.name,
            items=sum(len(items) for items, _ in candidate.wanted.values()),
            distinct_items=len(candidate.wanted),
        )

    def _answering(self, found: Answers) -> PlanRow:
        candidate = found.candidate
        row = replace(self._row(candidate), generations=len(found.missing - self.counted))
        self.counted |= found.missing
        if candidate.recorded is None:
            preset = candidate.asked.benchmark.preset
            row = replace(row, preset=preset, decoding=candidate.spec.decoding)
        if candidate.api is None:
            return row
        scale = self.scales.of(candidate.name, candidate.api, candidate.key, judges=False)
        tokens, waiting = Tokens(), 0
        for question in questions_of(found):
            request = question.request()
            if self.waits(keys.request_key(request)):
                waiting += 1
            else:
                tokens += scale.call(request)
        row = replace(row, generations=row.generations - waiting)
        return replace(row, **_takes(scale, tokens))

    def _judging(
        self, assignment: JudgeAssignment, found: Answers, answers: list[Answers]
    ) -> PlanRow:
        row = replace(self._row(found.candidate), judge=assignment.name)
        baseline = baseline_of(assignment, answers)
        if found is baseline:  # it is compared with, and not judged
            return row
        row = replace(
            row,
            items=len(assignment.asked.items) * len(assignment.samples),
            distinct_items=sum(k in assignment.samples for _, k in found.candidate.wanted.values()),
            detectable=self._detectable(assignment, found.candidate),
        )
        on_board = [found] if baseline is None else [found, baseline]
        if not assignment.asks or assignment.config is None:
            there = sum(len(j.known) for j in judgings(assignment, on_board, self._judged))
            return replace(row, recorded=there)
        scale = self.scales.of(assignment.title, assignment.config, assignment.key, judges=True)
        calls, recorded, tokens = 0, 0, Tokens()
        verdicts, repeated, settled = 0, 0, 0
        for judging in judgings(assignment, on_board, self._judged):
            known = judging.known.keys() - self.seen
            new = [question for question in judging.questions if question.key not in self.seen]
            self.seen |= known | {question.key for question in new}
            verdicts += judging.places
            recorded += len(known)
            repeated += judging.places - len(known) - len(new)
            for question in new:
                requests = self._next_requests(question.dialogue())
                recorded += not requests
                settled += asked_first(question.dialogue()) is None
                calls += len(requests)
                for request in requests:
                    tokens += scale.call(request)
        unanswered = self._about_no_answer(assignment, on_board, found, scale)
        tokens += unanswered.tokens
        return replace(
            row,
            verdicts=verdicts + unanswered.verdicts,
            repeated=repeated + unanswered.verdicts - unanswered.calls,
            settled=settled,
            judge_calls=calls + unanswered.calls,
            recorded=recorded,
            **_takes(scale, tokens),
        )

    def _detectable(self, assignment: JudgeAssignment, candidate: Candidate) -> Detectable | None:
        """With each question once, however many answers to it are judged."""
        if self.detects is None or not assignment.samples:
            return None
        first = assignment.samples[0]
        return self.detects(assignment, sum(k == first for _, k in candidate.wanted.values()))

    def _judged(self, wanted: Collection[bytes]) -> set[bytes]:
        return self.store.judged(wanted) if self.store is not None else set()

    def _next_requests(self, dialogue: Dialogue) -> list[Request]:
        """What a case has to ask now: the dialogue is replayed over what is recorded.

        A reply in words decides what is asked next, so no more than one of those is foreseen.
        """
        missing: list[Request] = []
        try:
            request = next(dialogue)
            while True:
                key = keys.request_key(request)
                reply = self.store.reply(key) if self.store is not None else None
                if reply is None:
                    if key not in self.replied and not self.waits(key):
                        self.replied.add(key)
                        missing.append(request)
                    if not isinstance(request, ScoreRequest):
                        break
                    reply = Reply(text="", scores=(0.0,) * max(1, len(request.candidates)))
                request = dialogue.send(reply)
        except StopIteration:
            pass
        return missing

    def _about_no_answer(
        self, assignment: JudgeAssignment, on_board: Sequence[Answers], found: Answers, scale: Scale
    ) -> _Unanswered:
        """What is to be judged once it is there: at one call for each question that is another."""
        places = list(_not_answered(assignment, on_board, found))
        each = verdicts_each(assignment)
        verdicts = each * sum(len(items) for items, _ in places)
        calls = each * sum(_distinct(assignment, items, found.candidate) for items, _ in places)
        tokens, built = Tokens(), 0
        for items, sample in places[:: max(1, len(places) // SAMPLED_ITEMS)]:
            item, shown, assumed = items[0], [], Range()
            for answers, one in _shown(assignment, on_board, sample):
                response = answers.of([item]).get((item.id, one))
                if response is None:
                    response = _placeholder(item, answers.candidate, one)
                    assumed += self.lengths.of(answers)
                shown.append(response)
            request = asked_first(
                assignment.judge.judge(assignment.asked.benchmark.case(item, shown))
            )
            if request is not None:
                tokens += scale.call(request) + Tokens(prompt=assumed)
                built += 1
        tokens = tokens.times(calls / built) if built else Tokens()
        if scale.means is not None:  # it has been asked as much about other answers
            prompt = replace(
                tokens.prompt, expected=min(calls * scale.means.prompt, tokens.prompt.high)
            )
            tokens = replace(tokens, prompt=prompt)
        return _Unanswered(verdicts, calls, tokens)


def _takes(scale: Scale, tokens: Tokens) -> dict[str, Any]:
    """The fields of a row about what its calls take."""
    return {
        "tokens": tokens,
        "cost_usd": scale.cost(tokens),
        "method": scale.counter.method,
        "at_most": scale.means is None and tokens.completion.high > 0,
    }


class _Unanswered(NamedTuple):
    """Verdicts on answers that do not exist yet, and what they take."""

    verdicts: int
    calls: int
    tokens: Tokens


def _not_answered(
    assignment: JudgeAssignment, on_board: Sequence[Answers], found: Answers
) -> Iterator[tuple[tuple[Item, ...], int]]:
    """Identical items, with the sample, for which an answer that a judge is shown is missing."""
    for items, sample in found.candidate.wanted.values():
        if sample in assignment.samples and any(
            answers.candidate.key_of.get((items[0].id, one)) in answers.missing
            for answers, one in _shown(assignment, on_board, sample)
        ):
            yield items, sample


def _distinct(assignment: JudgeAssignment, items: Sequence[Item], candidate: Candidate) -> int:
    """How many questions a judge has about one answer to items that models are asked alike.

    What answers are accepted may differ between them.
    """
    if len(items) == 1:
        return 1
    case = assignment.asked.benchmark.case
    answer = _placeholder(items[0], candidate, 0)
    return len({keys.case_key(case(item, [answer])) for item in items})


def _shown(
    assignment: JudgeAssignment, on_board: Sequence[Answers], sample: int
) -> Iterator[tuple[Answers, int]]:
    """Whose answers a judge is shown of a sample, and which of them."""
    for answers in on_board:
        if assignment.inputs == "with_first":
            yield answers, 0
        yield answers, sample


def _placeholder(item: Item, candidate: Candidate, sample: int) -> Response:
    """Stands where an answer will: judges ask nobody about a blank one, or two that are equal."""
    text = f"answer {sample}"
    return Response(
        benchmark=item.benchmark,
        version=item.version,
        item_id=item.id,
        model_key=candidate.key,
        text=text,
        raw=text,
        sample=sample,
    )
