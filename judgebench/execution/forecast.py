"""What a run would do, and what that would take, before it does it. Sends and writes nothing.

Questions that can be built already are counted as they would be sent.

What a judge or model was asked and replied before says what it will take, once the store has
`ENOUGH_CALLS` of its calls. Until then a reply counts as long as it may be, an upper bound; and an
answer that does not exist yet as long as the model's answers that there are, else as half of what
it may be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from judgebench import keys
from judgebench.benchmarks.description import Preset
from judgebench.config import Endpoint
from judgebench.dialogue import REPLY_LIMITS, Dialogue
from judgebench.execution.plan import (
    Answers,
    JudgeCall,
    answer_calls,
    baselines_of,
    judge_calls,
    stack_of,
)
from judgebench.execution.pool import ProviderPool
from judgebench.execution.recheck import Anchors
from judgebench.execution.resolve import Candidate, JudgeAssignment, ResolvedSuite
from judgebench.providers.tokens import ESTIMATE, CallSize, prompt_tokens
from judgebench.records import (
    Item,
    JsonObject,
    Price,
    Reply,
    Request,
    Response,
    Runtime,
    ScoreRequest,
    Usage,
)
from judgebench.stats.head_to_head_power import TwoDesigns
from judgebench.store.store import Store

REPLY_TOKENS = 512
"""How long a reply is expected to be, where nobody says."""

ENOUGH_CALLS = 20
"""Calls of a judge or model whose mean is taken for that of the next."""

LIMITS = (*REPLY_LIMITS, "max_gen_toks")
_SOME_ANSWERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The least, the expected and the most."""

    low: float = 0.0
    expected: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(
            low=self.low + other.low,
            expected=self.expected + other.expected,
            high=self.high + other.high,
        )

    def times(self, n: float) -> Range:
        return Range(low=n * self.low, expected=n * self.expected, high=n * self.high)


def total_cost(costs: Iterable[Range | None]) -> Range | None:
    """The sum; None where some cost is not known."""
    total = Range()
    for one in costs:
        if one is None:
            return None
        total += one
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Of questions and of the replies to them."""

    prompt: Range = field(default_factory=Range)
    completion: Range = field(default_factory=Range)

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            prompt=self.prompt + other.prompt, completion=self.completion + other.completion
        )

    def times(self, n: float) -> Tokens:
        return Tokens(prompt=self.prompt.times(n), completion=self.completion.times(n))


class Lengths:
    """How long the answers of each candidate are, in tokens, as far as that can be told."""

    def __init__(self) -> None:
        self._known: dict[bytes, Range] = {}

    def of(self, answers: Answers) -> Range:
        key = answers.candidate.key
        if key not in self._known:
            self._known[key] = self._assumed(answers)
        return self._known[key]

    def _assumed(self, answers: Answers) -> Range:
        decoding = answers.candidate.spec.decoding
        limit = next((decoding[n] for n in LIMITS if n in decoding), REPLY_TOKENS)
        counter = ESTIMATE
        some = answers.of(answers.candidate.asked.items[:_SOME_ANSWERS]).values()
        counts = [counter.count(response.text) for response in some]
        expected = sum(counts) / len(counts) if counts else limit / 2
        return Range(low=0, expected=min(expected, limit), high=limit)


class CallMeans(NamedTuple):
    """Mean tokens of the calls of a judge or model that the store has."""

    prompt: float
    completion: float


class Scale:
    """What the calls of one judge or model take; ``means`` is None where too few are kept."""

    def __init__(
        self, size: CallSize, price: Price | None, means: CallMeans | None, batch: bool
    ) -> None:
        self.counter = size.counter
        self.means = means
        self._size = size
        self._price = price
        self._batch = batch

    def call(self, request: Request) -> Tokens:
        """What one call takes."""
        count = prompt_tokens(request, self.counter)
        margin = 1 + self.counter.margin
        prompt = Range(low=count / margin, expected=count, high=count * margin)
        limit = self._size.most(request).completion_tokens
        if not limit:  # likelihoods and scores: nothing is written
            return Tokens(prompt=prompt)
        expected = limit if self.means is None else min(self.means.completion, limit)
        reply = Range(low=1, expected=expected, high=limit)
        return Tokens(prompt=prompt, completion=reply)

    def cost(self, tokens: Tokens) -> Range | None:
        """What it costs; None where no price is known."""
        if self._price is None:
            return None
        price, batch = self._price, self._batch

        def of(prompt: float, completion: float) -> float:
            usage = Usage(prompt_tokens=round(prompt), completion_tokens=round(completion))
            return price.cost(usage, batch=batch) or 0.0

        p, c = tokens.prompt, tokens.completion
        return Range(
            low=of(p.low, c.low), expected=of(p.expected, c.expected), high=of(p.high, c.high)
        )


class Scales:
    """A scale for every judge and model that is asked."""

    def __init__(self, pool: ProviderPool, store: Store | None) -> None:
        self._doors = pool
        self._means = {} if store is None else _call_means(store)
        self._known: dict[str, Scale] = {}

    def of(self, name: str, config: Endpoint, key: bytes, *, judges: bool) -> Scale:
        """The scale of one who is asked, by the key of the judge or model."""
        if name not in self._known:
            mean = self._means.get((judges, key.hex()[:12]))
            size, price = self._doors.size(config), self._doors.price(config)
            self._known[name] = Scale(size, price, mean, config.batch)
        return self._known[name]


def _call_means(store: Store) -> dict[tuple[bool, str], CallMeans]:
    """Of whoever the store has enough replies of: by whether it judges, and its id."""
    spend = store.spend()
    sums: dict[tuple[bool, str], Counter[str]] = {}
    columns = ("calls", "prompt_tokens", "completion_tokens")
    for model, judge, how, *counts in zip(
        *(spend[name] for name in ("model_id", "judge_id", "how", *columns)), strict=True
    ):
        if how in {"live", "batch"}:
            asker = (True, judge) if judge is not None else (False, model)
            sums.setdefault(asker, Counter()).update(dict(zip(columns, counts, strict=True)))
    return {
        asker: CallMeans(*(of[name] / of["calls"] for name in columns[1:]))
        for asker, of in sums.items()
        if of["calls"] >= ENOUGH_CALLS and of["completion_tokens"]
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Designs:
    """What one drop takes through the board and head to head; ``undefined`` says why not.

    Figures of ``found`` times ``unit`` are in the metric's units. What is said of head to head
    rests on so many ``pairs`` of models that ``judges`` compared in both orders, if any.
    """

    found: TwoDesigns | None = None
    undefined: str | None = None
    metric: str = ""
    unit: float = 1.0
    pairs: int = 0
    judges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassesUnchanged:
    """A gate's test of so many ``items``, as it would pass a model that is as good.

    ``spread``, ``width`` and ``binary`` are as in `judgebench.stats.unchanged.passes_unchanged`,
    ``unit`` is what a figure is multiplied with to be in the metric's units. ``drop`` is the
    allowed drop that was asked about, in these; None for 2 points of the scale.
    """

    metric: str
    spread: float
    items: int
    width: float
    binary: bool
    unit: float
    drop: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The smallest difference that the items of a plan could detect, in the metric's units.

    ``difference`` is nan where it is not known, and then ``undefined`` says why. It rests on so
    many ``pairs`` of models that ``judges`` judged before. ``items_needed`` detect a margin that
    was asked about; None where none was, nan where nobody knows. ``designs`` is what that margin,
    else this difference, takes head to head; None for a judge of whom it is not asked.
    ``unchanged`` is how often a gate would pass a model that is as good; None where the spread is
    not known. ``weighted`` is the same by the weighted win rate, where boards rank by that.
    """

    metric: str = ""
    difference: float = math.nan
    undefined: str | None = None
    items_needed: float | None = None
    pairs: int = 0
    judges: tuple[str, ...] = ()
    designs: Designs | None = None
    unchanged: PassesUnchanged | None = None
    weighted: Detectable | None = None


Detects = Callable[[JudgeAssignment, int], Detectable | None]
"""Says of a judge and a number of distinct items what they could detect; None for one of whom that
is not asked."""


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


def plan_calls(
    work: ResolvedSuite,
    store: Store | None,
    pool: ProviderPool,
    asked: Iterable[tuple[JudgeAssignment, Sequence[JudgeCall]]],
) -> list[PlanRow]:
    """As `plan`, of calls that are known: a row for some of one judge; none is counted twice."""
    planned = _Plan(work, store, pool, None)
    return [planned.of_calls(assignment, calls) for assignment, calls in asked]


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
        self.waits, self.some_wait = pool.waits, pool.some_wait
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
            for config, questions in anchors.calls([assignment]).values():
                yield self.of_calls(replace(assignment, config=config), questions)

    def of_calls(self, assignment: JudgeAssignment, questions: Sequence[JudgeCall]) -> PlanRow:
        """What some calls of one judge take, about answers of several models."""
        benchmark = assignment.asked.benchmark
        row = PlanRow(
            benchmark=benchmark.name,
            version=benchmark.version,
            model=ANCHORS,
            judge=assignment.name,
            items=len(questions),
            distinct_items=len(questions),
            verdicts=len(questions),
        )
        if not assignment.asks or assignment.config is None:
            return row
        scale = self.scales.of(assignment.title, assignment.config, assignment.key, judges=True)
        calls, tokens = self._asked(questions, scale)
        n_asked = sum(calls)
        return replace(
            row, judge_calls=n_asked, recorded=len(questions) - n_asked, **_takes(scale, tokens)
        )

    def _asked(self, questions: Iterable[JudgeCall], scale: Scale) -> tuple[list[int], Tokens]:
        """How many calls each question takes now, and what all of that takes; none is kept."""
        calls, tokens = [], Tokens()
        for question in questions:
            requests = self._next_requests(question.dialogue())
            calls.append(len(requests))
            for request in requests:
                tokens += scale.call(request)
        return calls, tokens

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
        asked = found.missing if candidate.selection is None else ()  # what is selected is there
        row = replace(self._row(candidate), generations=len({*asked} - self.counted))
        self.counted |= found.missing
        if candidate.recorded is None:
            preset = candidate.asked.benchmark.preset
            row = replace(row, preset=preset, decoding=candidate.spec.decoding)
        if candidate.api is None:
            return row
        scale = self.scales.of(candidate.name, candidate.api, candidate.key, judges=False)
        tokens, waiting = Tokens(), 0
        takes: dict[tuple[str, bool, int], Tokens] = {}
        for question in answer_calls(found):
            for more in range(1 + len(question.later)):
                # Further samples differ in their seeds alone, the first one from them in more.
                about = question.items[0].id, question.sample > 0, more
                took = None if question.before or self.some_wait else takes.get(about)
                if took is None:
                    request = question.request([""] * more)
                    if self.some_wait and self.waits(keys.request_key(request)):
                        waiting += 1
                        continue
                    took = scale.call(request)
                    if not question.before:
                        takes[about] = took
                tokens += took
                if more:  # with what will be answered in the turns before
                    tokens += Tokens(prompt=self.lengths.of(found).times(more))
        row = replace(row, generations=row.generations - waiting)
        return replace(row, **_takes(scale, tokens))

    def _judging(
        self, assignment: JudgeAssignment, found: Answers, answers: list[Answers]
    ) -> PlanRow:
        row = replace(self._row(found.candidate), judge=assignment.name)
        baselines = baselines_of(assignment, answers)
        if found in baselines:  # they are compared with, and not judged
            return row
        row = replace(
            row,
            items=sum(one.n_answers for one in assignment.asked.items) * len(assignment.samples),
            distinct_items=sum(k in assignment.samples for _, k in found.candidate.wanted.values()),
            detectable=self._detectable(assignment, found.candidate),
        )
        on_board = [found, *baselines]
        if not assignment.asks or assignment.config is None:
            there = sum(len(j.known) for j in judge_calls(assignment, on_board, self._judged))
            return replace(row, recorded=there)
        scale = self.scales.of(assignment.title, assignment.config, assignment.key, judges=True)
        calls, recorded, tokens = 0, 0, Tokens()
        verdicts, repeated, settled = 0, 0, 0
        for judging in judge_calls(assignment, on_board, self._judged):
            known = judging.known.keys() - self.seen
            new = [question for question in judging.calls if question.key not in self.seen]
            self.seen |= known | {question.key for question in new}
            verdicts += judging.places
            recorded += len(known)
            repeated += judging.places - len(known) - len(new)
            asked, took = self._asked(new, scale)
            recorded += asked.count(0)
            settled += sum(next(question.dialogue(), None) is None for question in new)
            calls += sum(asked)
            tokens += took
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
        first, later = assignment.samples[0], candidate.turn_of
        questions = (key not in later and k == first for key, (_, k) in candidate.wanted.items())
        return self.detects(assignment, sum(questions))

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
        each = assignment.verdicts_each
        verdicts = each * sum(len(items) for items, *_ in places)
        calls = each * sum(_distinct(assignment, items, found.candidate) for items, *_ in places)
        tokens, built = Tokens(), 0
        for items, sample, turn in places[:: max(1, len(places) // SAMPLED_ITEMS)]:
            item, shown, assumed = items[0], [], Range()
            for answers, one in _shown_answers(assignment, on_board, item, sample):
                response = answers.of([item]).get((item.id, one, turn))
                if response is None:
                    response = _placeholder(item, answers.candidate, one, turn)
                    assumed += self.lengths.of(answers).times(1 + turn)
                shown.append(response)
            dialogue = assignment.judge.judge(assignment.case(item, shown))
            request = next(dialogue, None)
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
) -> Iterator[tuple[tuple[Item, ...], int, int]]:
    """Identical items, with sample and turn, for which an answer that a judge is shown lacks."""
    later = found.candidate.turn_of
    for key, (items, sample) in found.candidate.wanted.items():
        turn = later.get(key, 0)
        if sample in assignment.samples and any(
            answers.candidate.key_of.get((items[0].id, one, turn)) in answers.missing
            for answers, one in _shown_answers(assignment, on_board, items[0], sample)
        ):
            yield items, sample, turn


def _distinct(assignment: JudgeAssignment, items: Sequence[Item], candidate: Candidate) -> int:
    """How many questions a judge has about one answer to items that models are asked alike.

    What answers are accepted may differ between them.
    """
    if len(items) == 1:
        return 1
    case = assignment.asked.benchmark.case
    answer = _placeholder(items[0], candidate, 0)
    return len({keys.case_key(case(item, [answer])) for item in items})


def _shown_answers(
    assignment: JudgeAssignment, on_board: Sequence[Answers], item: Item, sample: int
) -> Iterator[tuple[Answers, int]]:
    """Whose answers to an item a judge is shown of a sample, and which of them."""
    found, *baselines = on_board
    opponent = assignment.asked.baseline_for(item)
    for answers in (found, *(one for one in baselines if one.candidate.name == opponent)):
        if assignment.inputs == "with_first":
            yield answers, 0
        yield answers, sample


def _placeholder(item: Item, candidate: Candidate, sample: int, turn: int = 0) -> Response:
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
        turn=turn,
        before=(text,) * turn,
    )
