"""Judging a set of questions: what is stored, what fails, what stops."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from judgebench import keys
from judgebench.dialogue import Dialogue, ask_once
from judgebench.errors import CallError, DeferredError, StoreError
from judgebench.execution import execute
from judgebench.execution.execute import WorkQueue, carry_out
from judgebench.execution.manifest import RunCounts
from judgebench.execution.plan import JudgeCall
from judgebench.protocols import Meter
from judgebench.providers.rate_limit import RateLimit
from judgebench.records import (
    Case,
    ChatRequest,
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    Reply,
    Response,
    RunVerdict,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from tests.table import over_rows
from tests.written import WrittenAtOnce


@dataclass
class Kept(WrittenAtOnce):
    """A store that only remembers what it was given."""

    judgments: dict[bytes, Judgment] = field(default_factory=dict)
    uses: list[RunVerdict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    full: bool = False

    def put_judgment(self, judgment: Judgment, uses: Sequence[RunVerdict]) -> None:
        if self.full:
            raise StoreError("the disk is full")
        self.judgments[judgment.key] = judgment
        self.uses += uses

    def put_uses(self, uses: Sequence[RunVerdict]) -> None:
        self.uses += uses

    def put_failure(self, failure: Failure) -> None:
        self.failures.append(failure)


class Said:
    """Progress as a list of what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done = self.failed = 0

    def stage(self, name: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        self.done += n
        self.failed += n * (failed is not None)

    def meter(self, figures: Meter) -> None: ...

    def say(self, message: str) -> None:
        self.lines.append(message)


@dataclass
class Answers:
    """A provider whose answers are a function."""

    answer: Callable[[ChatRequest], Reply | Exception]
    asked: int = 0
    under_way: int = 0
    most: int = 0
    closed: bool = False

    async def complete(self, request: ChatRequest) -> Reply:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        reply = self.answer(request)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def close(self) -> None:
        self.closed = True


class Asks:
    """A judge that passes on what it is told, in one step or two."""

    spec = JudgeSpec(kind="asks")
    inputs = frozenset({"answer"})
    max_answer_chars = None

    def __init__(self, steps: int = 1) -> None:
        self.steps = steps

    def judge(self, case: Case) -> Dialogue:
        request = ChatRequest(
            provider="p",
            model="m",
            messages=(Message(role="user", content=case.responses[0].text),),
        )
        if self.steps == 1:
            return ask_once(request, _read)
        return self._twice(request)

    def _twice(self, request: ChatRequest) -> Dialogue:
        first = yield request
        second = yield ChatRequest(
            provider="p", model="m", messages=(Message(role="user", content=first.text),)
        )
        return _read(second)


def _read(reply: Reply) -> Verdict:
    if reply.text == "bug":
        raise ZeroDivisionError("a faulty reader")
    return Label(name=reply.text) if reply.text else Unreadable(reason="nothing was said")


class Knows:
    """A judge that asks nobody."""

    spec = JudgeSpec(kind="knows")
    inputs = frozenset({"answer"})
    max_answer_chars = None

    def judge(self, case: Case) -> Dialogue:
        yield from ()
        return Label(name="correct")


def _questions(judge: Asks | Knows, texts: Sequence[str], places: int = 1) -> list[JudgeCall]:
    questions = []
    for text in texts:
        item = Item(
            benchmark="b", version="v1", id=text, turns=(Message(role="user", content=text),)
        )
        response = Response(
            benchmark="b", version="v1", item_id=text, model_key=b"m" * 32, text=text, raw=text
        )
        case = Case(item=item, responses=(response,))
        case_key = keys.case_key(case)
        key = keys.judgment_key(b"j" * 32, case_key)
        at = tuple(
            VerdictSlot(
                benchmark="b",
                version="v1",
                item_id=f"{text}/{n}",
                model_key=b"m" * 32,
                judge_key=b"j" * 32,
            )
            for n in range(places)
        )
        questions.append(JudgeCall(key=key, judge=judge, case=case, case_key=case_key, places=at))
    return questions


def _pool(**does: Callable[[], Any]) -> Any:
    """A pool that does what it is told and has taken nothing."""

    async def close() -> None: ...

    usual = {"close": close, "wind_down": lambda: None, "unreached": list, "look_after": Meter}
    return SimpleNamespace(**(usual | does))


def _judge(
    store: Kept, queue: WorkQueue, said: Said | None = None, provider: Answers | None = None
):
    return carry_out(
        [queue],
        store=store,  # type: ignore[arg-type]
        run_id="r",
        progress=said or Said(),
        pool=_pool(close=provider.close) if provider else None,
    )[queue.name]


def test_every_question_becomes_one_judgment_with_all_its_places() -> None:
    store, provider = Kept(), Answers(lambda request: Reply(text="correct", served_model="m-1"))
    questions = _questions(Asks(), [f"q{i}" for i in range(20)], places=3)
    queue = WorkQueue(name="j", calls=[questions], provider=provider, slots=4)
    counts = _judge(store, queue, provider=provider)
    assert counts.done == len(store.judgments) == provider.asked == 20
    assert len(store.uses) == 60
    assert provider.most == 4
    assert provider.closed
    judgment = next(iter(store.judgments.values()))
    assert judgment.verdict == Label(name="correct")
    assert judgment.served_model == "m-1"
    assert len(judgment.reply_keys) == 1


def test_what_is_odd_about_replies_is_said_once() -> None:
    provider, said = Answers(lambda request: Reply(text="correct", note="odd numbers")), Said()
    queue = WorkQueue(name="j", calls=[_questions(Asks(), ["q", "r"])], provider=provider)
    assert _judge(Kept(), queue, said).done == 2
    assert said.lines == ["j: odd numbers"]


def test_a_dialogue_of_two_steps_keeps_both_replies() -> None:
    store, provider = Kept(), Answers(lambda request: Reply(text="correct"))
    queue = WorkQueue(name="j", calls=[_questions(Asks(2), ["q"])], provider=provider)
    _judge(store, queue)
    assert [len(j.reply_keys) for j in store.judgments.values()] == [2]


def test_a_judge_that_asks_nobody_needs_no_provider() -> None:
    store = Kept()
    counts = _judge(store, WorkQueue(name="j", calls=[_questions(Knows(), ["a", "b"])]))
    assert counts.done == 2


def test_what_cannot_be_read_is_counted_apart() -> None:
    store, provider = Kept(), Answers(lambda request: Reply(text=""))
    queue = WorkQueue(name="j", calls=[_questions(Asks(), ["q"])], provider=provider)
    counts = _judge(store, queue)
    assert (counts.done, counts.unreadable, counts.failed) == (1, 1, 0)


def test_a_failed_call_is_recorded_and_the_rest_goes_on() -> None:
    def answer(request: ChatRequest) -> Reply | Exception:
        if request.messages[0].content == "q3":
            return CallError("HTTP 500", retriable=True, status=500, attempts=6)
        return Reply(text="correct")

    store, said = Kept(), Said()
    questions = _questions(Asks(), [f"q{i}" for i in range(8)], places=2)
    counts = _judge(store, WorkQueue(name="j", calls=[questions], provider=Answers(answer)), said)
    assert (counts.done, counts.failed, counts.stopped) == (7, 1, None)
    assert (said.done, said.failed) == (8, 1)
    assert [f.place.item_id for f in store.failures if f.place] == ["q3/0", "q3/1"]
    assert {(f.boundary, f.retriable, f.attempts) for f in store.failures} == {
        ("provider", True, 6)
    }


def test_a_faulty_reader_costs_its_verdict_and_says_so() -> None:
    store, provider = Kept(), Answers(lambda r: Reply(text="bug"))
    queue = WorkQueue(name="j", calls=[_questions(Asks(), ["q"])], provider=provider)
    counts = _judge(store, queue)
    assert (counts.done, counts.failed) == (0, 1)
    assert store.failures[0].boundary == "reader"
    assert "ZeroDivisionError: a faulty reader" in store.failures[0].message
    assert not store.failures[0].retriable


def test_a_fault_of_the_code_during_a_call_is_a_bug_of_the_provider() -> None:
    def answer(request: ChatRequest) -> Reply:
        if request.messages[0].content == "q3":
            raise AttributeError(
                "'NoneType' object has no attribute 'usage' of sk-0123456789abcdef"
            )
        return Reply(text="correct")

    store = Kept()
    questions = _questions(Asks(), ["q1", "q2", "q3", "q4"])
    counts = _judge(store, WorkQueue(name="j", calls=[questions], provider=Answers(answer)))
    assert (counts.done, counts.failed, counts.failures, counts.stopped) == (3, 1, {"bug": 1}, None)
    (failure,) = store.failures
    assert (failure.boundary, failure.kind, failure.retriable) == ("provider", "bug", False)
    said = failure.message
    assert said.startswith("AttributeError: 'NoneType' object has no attribute 'usage' of *** (at ")
    assert re.search(
        r"tests/unit/test_execute\.py:\d+, from judgebench/execution/execute\.py:\d+\)$", said
    )


def test_after_ten_bugs_in_a_row_the_judge_is_given_up_and_others_go_on() -> None:
    def broken(request: ChatRequest) -> Reply:
        raise KeyError("choices")

    questions = [f"q{i}" for i in range(100)]
    faulty, sound = Answers(broken), Answers(lambda request: Reply(text="correct"))
    store = Kept()
    counts = carry_out(
        [
            WorkQueue(
                name="faulty", calls=[_questions(Asks(), questions)], provider=faulty, slots=8
            ),
            WorkQueue(name="sound", calls=[_questions(Asks(), questions)], provider=sound, slots=2),
        ],
        store=store,  # type: ignore[arg-type]
        run_id="r",
        progress=Said(),
    )
    assert 10 <= faulty.asked == counts["faulty"].failed < 10 + 8
    assert (counts["sound"].done, counts["sound"].failed) == (100, 0)
    stopped = counts["faulty"].stopped
    assert stopped is not None
    assert stopped.startswith("10 calls in a row ended in a fault of judgebench or of a library")
    assert "KeyError: 'choices' (at tests/unit/test_execute.py:" in stopped
    assert not counts["faulty"].unreached  # nobody is unavailable: exit code 75


def test_bugs_that_are_not_in_a_row_give_nobody_up() -> None:
    def every_second(request: ChatRequest) -> Reply:
        if int(request.messages[0].content[1:]) % 2:
            raise KeyError("choices")
        return Reply(text="correct")

    questions = _questions(Asks(), [f"q{i}" for i in range(60)])
    counts = _judge(Kept(), WorkQueue(name="j", calls=[questions], provider=Answers(every_second)))
    assert (counts.done, counts.failed, counts.stopped) == (30, 30, None)


def test_a_refused_key_stops_the_judge_at_once() -> None:
    error = CallError("HTTP 401: check OPENAI_API_KEY", retriable=False, status=401)
    provider = Answers(lambda request: error)
    questions = _questions(Asks(), [f"q{i}" for i in range(50)])
    counts = _judge(Kept(), WorkQueue(name="j", calls=[questions], provider=provider))
    assert provider.asked == 1
    assert counts.stopped == str(error)


@over_rows("status", [401, 402, 429])  # the last one: no credit left
def test_a_key_that_is_good_no_more_stops_the_judge_at_once(status: int) -> None:
    error = CallError("check OPENAI_API_KEY", retriable=False, status=status, kind="key")
    replies: list[Reply | Exception] = [*(Reply(text="correct") for _ in range(5)), error]
    provider = Answers(lambda request: replies.pop(0) if len(replies) > 1 else error)
    questions = _questions(Asks(), [f"q{i}" for i in range(50)])
    counts = _judge(Kept(), WorkQueue(name="j", calls=[questions], provider=provider))
    assert (counts.done, counts.failed, provider.asked) == (5, 1, 6)
    assert counts.unreached  # later is no better


def test_a_judge_that_never_answers_is_given_up() -> None:
    provider = Answers(lambda request: CallError("no answer in 120 s", retriable=True))
    questions = _questions(Asks(), [f"q{i}" for i in range(500)])
    counts = _judge(Kept(), WorkQueue(name="j", calls=[questions], provider=provider, slots=2))
    assert provider.asked <= 12
    assert counts.stopped is not None
    assert "in a row failed" in counts.stopped


def test_a_full_disk_ends_the_run_with_its_own_error() -> None:
    provider = Answers(lambda request: Reply(text="correct"))
    questions = _questions(Asks(), [f"q{i}" for i in range(50)])
    queue = WorkQueue(name="j", calls=[questions], provider=provider, slots=3)
    with pytest.raises(StoreError, match="the disk is full"):
        _judge(Kept(full=True), queue, provider=provider)
    assert provider.closed
    assert provider.asked <= 6


def test_an_interrupt_keeps_what_is_under_way_and_starts_nothing_new() -> None:
    store, said = Kept(), Said()
    answered: list[ChatRequest] = []

    def answer(request: ChatRequest) -> Reply:
        answered.append(request)
        if len(answered) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return Reply(text="correct")

    provider = Answers(answer)
    questions = _questions(Asks(), [f"q{i}" for i in range(500)])
    queue = WorkQueue(name="j", calls=[questions], provider=provider, slots=4)
    with pytest.raises(KeyboardInterrupt):
        _judge(store, queue, said, provider)
    assert len(store.judgments) == provider.asked < 100
    assert "waiting for the replies under way" in said.lines[0]
    assert provider.closed


def test_what_only_waits_to_be_sent_is_not_sent_after_an_interrupt() -> None:
    store = Kept()
    answered: list[ChatRequest] = []

    def answer(request: ChatRequest) -> Reply:
        answered.append(request)
        if len(answered) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return Reply(text="correct")

    provider = Answers(answer)
    limited = RateLimit(provider, 2)  # type: ignore[arg-type]
    questions = _questions(Asks(), [f"q{i}" for i in range(50)])
    with pytest.raises(KeyboardInterrupt):
        carry_out(
            [WorkQueue(name="j", calls=[questions], provider=limited, slots=20)],
            store=store,  # type: ignore[arg-type]
            run_id="r",
            progress=Said(),
            pool=_pool(wind_down=limited.wind_down),
        )
    assert len(store.judgments) == provider.asked <= 6
    assert store.failures == []


def test_what_is_stuck_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "TICK_S", 0.01)
    monkeypatch.setattr(execute, "STUCK_S", 0.2)
    said = Said()

    class Slow(Answers):
        async def complete(self, request: ChatRequest) -> Reply:
            await asyncio.sleep(0.5 if request.messages[0].content in {"q1", "q3"} else 0.01)
            return await super().complete(request)

    provider = Slow(lambda _: Reply(text="correct"))
    questions = _questions(Asks(), [f"q{i}" for i in range(8)])
    _judge(
        Kept(), WorkQueue(name="j", calls=[questions], provider=provider, slots=4), said, provider
    )
    (line,) = said.lines
    assert line.startswith("j: no reply for 0 s about item q1/0 of b (and about 1 more); still")


def test_a_judge_that_asks_nobody_can_be_interrupted_too() -> None:
    store, questions = Kept(), _questions(Knows(), [f"q{i}" for i in range(2000)])

    class Interrupts(Said):
        def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
            super().advance(n, failed=failed)
            if self.done == 5:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        _judge(store, WorkQueue(name="j", calls=[questions]), Interrupts())
    assert 5 <= len(store.judgments) < 100


# what others work on ------------------------------------------------------------------------------


@dataclass
class Elsewhere:
    """Another process that has claimed some keys, and what was claimed and given back here."""

    theirs: set[bytes] = field(default_factory=set)
    claimed: list[set[bytes]] = field(default_factory=list)
    released: list[set[bytes]] = field(default_factory=list)
    on_claim: Callable[[], None] = lambda: None
    soon: bool = False
    store: Kept = field(default_factory=lambda: Kept())

    def exchange(
        self, keys: Collection[bytes], done: Collection[bytes] = ()
    ) -> tuple[set[bytes], set[bytes]]:
        self.on_claim()
        self.claimed.append(set(keys))
        if done:
            self.released.append(set(done))
        return set(keys) - self.theirs, {key for key in keys if key in self.store.judgments}

    def release(self, keys: Collection[bytes], *, soon: bool = False) -> None:
        self.released.append(set(keys))
        self.soon = soon

    def claimed_by(self, key: bytes) -> str | None:
        return "process 12 on host" if key in self.theirs else None


def _shared(
    store: Kept, elsewhere: Elsewhere, questions: Sequence[JudgeCall], said: Said, **more: Any
) -> RunCounts:
    provider = more.pop("provider", Answers(lambda request: Reply(text="correct")))
    queue = WorkQueue(name="j", calls=[questions], provider=provider, **more)
    elsewhere.store = store
    with execute.Claimed(elsewhere) as claimed:
        counts = carry_out(
            [queue],
            store=store,  # type: ignore[arg-type]
            run_id="r",
            progress=said,
            claimed=claimed,
        )
    return counts["j"]


def test_what_another_has_judged_meanwhile_is_used_and_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execute, "LOOK_S", 0.01)
    monkeypatch.setattr(execute.Waiting, "SAID_AFTER_S", 0.05)
    questions = _questions(Asks(), list("abcdef"), places=2)
    store, said, looks = Kept(), Said(), 0
    theirs = {question.key for question in questions[:2]}
    donor = Kept()
    questions[0].keep(donor, "theirs", Label(name="correct"), [])  # type: ignore[arg-type]

    def on_claim() -> None:
        nonlocal looks
        looks += 1
        if looks == 20:  # they have judged one, and failed to judge the other
            store.judgments |= donor.judgments
            elsewhere.theirs = set()

    elsewhere = Elsewhere(theirs, on_claim=on_claim)
    provider = Answers(lambda request: Reply(text="correct"))
    counts = _shared(store, elsewhere, questions, said, provider=provider, slots=2)
    assert (counts.done, counts.reused, provider.asked) == (5, 1, 5)
    assert set(store.judgments) == {question.key for question in questions}
    assert len(store.uses) == 12
    assert said.done == 6
    assert said.lines == ["j: waiting for process 12 on host, which works on 2 questions"]
    assert max(map(len, elsewhere.claimed)) <= 4  # twice as many as slots
    won = {question.key for question in questions} - {questions[0].key}
    assert won <= set().union(*elsewhere.released)


def test_what_another_works_on_is_claimed_again_once_nothing_new_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not with every portion: of thousands that would be millions of claims."""
    monkeypatch.setattr(execute, "LOOK_S", 0.001)
    questions = _questions(Asks(), [f"{n}" for n in range(1000)])
    first = 1000 // 4  # portions until all were seen once, two slots and twice as many at a time

    def on_claim() -> None:
        if len(elsewhere.claimed) == first:
            elsewhere.theirs = set()

    elsewhere = Elsewhere({question.key for question in questions}, on_claim=on_claim)
    counts = _shared(Kept(), elsewhere, questions, Said(), slots=2)
    assert counts.done == 1000
    assert sum(map(len, elsewhere.claimed[:first])) == 1000
    assert sum(map(len, elsewhere.claimed)) == 2000


def test_equal_questions_of_one_run_do_not_wait_for_each_other() -> None:
    questions = _questions(Asks(), ["a", "a", "b"])
    elsewhere, store = Elsewhere(), Kept()
    counts = _shared(store, elsewhere, questions, Said(), slots=3)
    assert (counts.done, counts.reused) == (3, 0)
    assert elsewhere.claimed == [{question.key for question in questions}]


def test_what_goes_into_a_batch_is_held_and_waits_for_nobody() -> None:
    """They may wait for what we hold until the batch is sent."""
    questions = _questions(Asks(), list("abc"))
    elsewhere = Elsewhere({questions[0].key})
    ours = {question.key for question in questions[1:]}
    held: list[bool] = []

    def defer(request: ChatRequest) -> Reply | Exception:
        held.append(not elsewhere.released)
        return DeferredError("in a batch")

    counts = _shared(
        Kept(), elsewhere, questions, Said(), provider=Answers(defer), slots=3, collects=True
    )
    assert (counts.done, counts.waiting) == (0, 3)
    assert held == [True, True]
    assert elsewhere.released == [ours]


def test_a_judge_that_is_stopped_leaves_the_rest_to_others() -> None:
    questions = _questions(Asks(), list("abcdefgh"))
    elsewhere = Elsewhere()
    refused = Answers(lambda request: CallError("no", retriable=False, status=401, kind="key"))
    counts = _shared(Kept(), elsewhere, questions, Said(), provider=refused, slots=2)
    assert counts.stopped is not None
    assert refused.asked <= 2
    assert set().union(*elsewhere.released) == set().union(*elsewhere.claimed)
    assert len(set().union(*elsewhere.claimed)) == 4


def test_ctrl_c_gives_claims_back_without_waiting() -> None:
    questions = _questions(Asks(), list("abcdefgh"))
    elsewhere = Elsewhere()

    def interrupt(request: ChatRequest) -> Reply:
        os.kill(os.getpid(), signal.SIGINT)
        return Reply(text="correct")

    with pytest.raises(KeyboardInterrupt):
        _shared(Kept(), elsewhere, questions, Said(), provider=Answers(interrupt), slots=1)
    assert elsewhere.soon


# when a judge is given up -------------------------------------------------------------------------


def _fails(kind: Any, when: Callable[[int], bool]) -> Answers:
    """A provider that fails with the n-th call where that is said."""

    def answer(_: ChatRequest) -> Reply | Exception:
        if when(provider.asked):
            return CallError("no answer", retriable=True, kind=kind)
        return Reply(text="correct")

    provider = Answers(answer)
    return provider


def test_failures_that_are_not_in_a_row_give_nobody_up() -> None:
    """Of two hundred calls each third one answers: scattered failures are asked again later."""
    provider = _fails("timeout", lambda n: n % 3 != 0)
    questions = _questions(Asks(), [f"q{i}" for i in range(200)])
    counts = _judge(Kept(), WorkQueue(name="j", calls=[questions], provider=provider))
    assert (counts.done, counts.failed, counts.stopped) == (66, 134, None)


def test_questions_that_are_too_long_give_nobody_up() -> None:
    """Each says something of itself alone, so that the shorter ones behind them are asked."""
    provider = _fails("too_long", lambda n: n <= 50)
    questions = _questions(Asks(), [f"q{i}" for i in range(60)])
    counts = _judge(Kept(), WorkQueue(name="j", calls=[questions], provider=provider))
    assert (counts.done, counts.failed, counts.stopped) == (10, 50, None)


@over_rows(("slots", "enough"), [(1, 10), (4, 10), (8, 16)])
def test_it_takes_ten_failures_in_a_row_or_two_for_each_slot(slots: int, enough: int) -> None:
    """With one slot two failures in a row are no reason to give up."""
    provider = _fails("timeout", lambda n: n < enough)
    questions = _questions(Asks(), [f"q{i}" for i in range(40)])
    queue = WorkQueue(name="j", calls=[questions], provider=provider, slots=slots)
    assert _judge(Kept(), queue).stopped is None
    provider = _fails("timeout", lambda _: True)
    queue = WorkQueue(name="j", calls=[questions], provider=provider, slots=slots)
    counts = _judge(Kept(), queue)
    assert counts.stopped == f"{enough} calls in a row failed; the last: no answer"


def test_the_model_that_served_the_last_reply_is_the_judgments() -> None:
    """The verdict is read from the last reply; one that does not say keeps what was said before."""
    for served, kept in ((["first", "last"], "last"), (["first", None], "first")):
        models = iter(served)
        store = Kept()
        provider = Answers(lambda _: Reply(text="correct", served_model=next(models)))  # noqa: B023
        _judge(store, WorkQueue(name="j", calls=[_questions(Asks(2), ["q"])], provider=provider))
        assert [one.served_model for one in store.judgments.values()] == [kept]
