"""What holds for every provider, whether it asks a server, a model on this machine or a script."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import pkgutil
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from judgebench import providers, registry
from judgebench.errors import CallError, ProviderUnavailableError
from judgebench.keys import request_key
from judgebench.protocols import Provider
from judgebench.providers.base import Counts
from judgebench.providers.replay import Replay
from judgebench.records import Reply, Request
from tests.contract.remembered import Remembered
from tests.contract.subjects import FAILS, SUBJECTS, Made, Subject

pytestmark = pytest.mark.usefixtures("forked")

NUMBERS = range(16)
Got = TypeVar("Got")
Talk = Callable[[Provider], Awaitable[Got]]


class House:
    """One kind of provider, and one of them that the tests share: a model takes long to load."""

    def __init__(self, subject: Subject, make: Made, runner: asyncio.Runner) -> None:
        self.subject = subject
        self._make = make
        self._runner = runner
        self._shared: Provider | None = None

    def shared(self, talk: Talk[Got]) -> Got:
        """Talk to the provider that is there."""
        if self._shared is None:
            self._shared = self._make()
        return self._runner.run(_said(talk, self._shared))

    def ended(self, talk: Talk[Got]) -> Got:
        """Talk to the provider that is there, for the last time."""
        provider = self._shared or self._make()
        self._shared = None
        return self._once(talk, provider)

    def unused(self, talk: Talk[Got]) -> Got:
        """Talk to a provider that was asked nothing yet."""
        return self._once(talk, self._make())

    def leave(self) -> None:
        if self._shared is not None:
            self._runner.run(self._shared.close())

    def _once(self, talk: Talk[Got], provider: Provider) -> Got:
        try:
            return self._runner.run(_said(talk, provider))
        finally:
            self._runner.run(provider.close())


async def _said(talk: Talk[Got], provider: Provider) -> Got:
    return await talk(provider)


def _params(wanted: Callable[[Subject], bool] = lambda subject: True) -> list[Any]:
    return [
        pytest.param(name, marks=_marks(subject))
        for name, subject in SUBJECTS.items()
        if wanted(subject)
    ]


def _marks(subject: Subject) -> list[pytest.MarkDecorator]:
    if subject.needs is None:
        return []
    missing = importlib.util.find_spec(subject.needs) is None
    return [
        pytest.mark.hf,
        pytest.mark.skipif(missing, reason="needs judgebench-harness[hf]"),
    ]


def only(wanted: Callable[[Subject], bool]) -> pytest.MarkDecorator:
    """For the providers of which there is something to say."""
    return pytest.mark.parametrize("house", _params(wanted), indirect=True, scope="module")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module", params=_params())
def house(
    request: pytest.FixtureRequest,
    runner: asyncio.Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    subject = SUBJECTS[request.param]
    with subject.opened(tmp_path_factory.mktemp(request.param)) as make:
        built = House(subject, make, runner)
        try:
            yield built
        finally:
            built.leave()


def same(one: Reply, other: Reply) -> bool:
    """Whether two replies say the same, but for the last digits of a score."""
    if one.scores is None or other.scores is None:
        return (one.text, one.scores) == (other.text, other.scores)
    return one.scores == pytest.approx(other.scores, abs=1e-4)


async def together(provider: Provider, requests: list[Request]) -> list[Any]:
    """The reply or the error to each, all asked at once."""
    asked = (provider.complete(request) for request in requests)
    return await asyncio.gather(*asked, return_exceptions=True)


async def alone(provider: Provider, requests: list[Request]) -> list[Reply]:
    return [await provider.complete(request) for request in requests]


def is_refused(error: Any) -> bool:
    return isinstance(error, ProviderUnavailableError) and "was closed" in str(error)


# Who is here --------------------------------------------------------------------------------------


def test_every_provider_is_tested_here() -> None:
    tested = {subject.provider for subject in SUBJECTS.values()}
    assert set(registry.names("providers")) == tested


def test_nothing_beside_the_providers_is_one_unnoticed() -> None:
    """A folder, or a module whose ``make`` the registry does not see."""
    tested = {subject.provider for subject in SUBJECTS.values()}
    here = [one for one in pkgutil.iter_modules(providers.__path__) if not one.name.startswith("_")]
    beside = {one.name for one in here if one.ispkg or makes(one.name)}
    assert beside == tested


def makes(name: str) -> bool:
    return hasattr(importlib.import_module(f"{providers.__name__}.{name}"), "make")


# What comes back ----------------------------------------------------------------------------------


def test_each_question_gets_its_own_reply_in_any_order(house: House) -> None:
    numbers = list(NUMBERS)
    ask = house.subject.ask

    async def talk(provider: Provider) -> None:
        own = await alone(provider, [ask(number) for number in numbers])
        assert not any(same(one, other) for one, other in itertools.combinations(own, 2))
        for seed in range(2):
            random.Random(seed).shuffle(numbers)
            replies = await together(provider, [ask(number) for number in numbers])
            for number, reply in zip(numbers, replies, strict=True):
                assert same(reply, own[number]), number

    house.shared(talk)


def test_the_same_question_is_one_question(house: House) -> None:
    ask = house.subject.ask
    keys = [request_key(ask(number)) for number in NUMBERS]
    assert len(set(keys)) == len(NUMBERS)
    replies, counts = Remembered(), Counts()

    async def talk(provider: Provider) -> None:
        recorded = Replay(provider, replies, counts)
        first = await together(recorded, [ask(number) for number in NUMBERS])
        again = await together(recorded, [ask(number) for number in NUMBERS])
        assert first == again == [replies.kept[key] for key in keys]

    house.shared(talk)
    assert (counts.sent, counts.recorded) == (len(NUMBERS), len(NUMBERS))


def test_tokens_are_counted_where_they_are_known(house: House) -> None:
    subject = house.subject

    async def talk(provider: Provider) -> None:
        for kind in subject.kinds:
            short, long = await alone(provider, [kind("Right?"), kind("Right?" + 100 * "a")])
            assert short.usage.prompt_tokens is not None
            assert long.usage.prompt_tokens is not None
            more = long.usage.prompt_tokens - short.usage.prompt_tokens
            assert more == subject.prompt_tokens or (subject.prompt_tokens is None and more > 0)
            for reply in (short, long):
                known = subject.reply_tokens(reply)
                assert known is None or reply.usage.completion_tokens == known

    house.shared(talk)


@only(lambda subject: bool(subject.untaken))
def test_what_is_not_taken_is_named_and_changes_nothing(house: House) -> None:
    subject = house.subject

    async def talk(provider: Provider) -> None:
        plain = {type(kind("")): kind("Right?") for kind in subject.kinds}
        for request, names in subject.untaken:
            reply = await provider.complete(request)
            assert sorted(reply.left_out) == sorted(names)
            without = await provider.complete(plain[type(request)])
            assert without.left_out == ()
            assert subject.draws or same(reply, without)

    house.shared(talk)


# What goes wrong ----------------------------------------------------------------------------------


@only(lambda subject: subject.failure is not None)
def test_a_question_that_fails_leaves_the_others_alone(house: House) -> None:
    subject = house.subject
    failing = [kind(FAILS) for kind in subject.kinds]
    good = [subject.ask(number) for number in range(4)]

    async def talk(provider: Provider) -> None:
        own = await alone(provider, good)
        errors = await together(provider, [*failing, *good, *failing])
        replies = errors[len(failing) : -len(failing)]
        del errors[len(failing) : -len(failing)]
        for error in errors:
            assert isinstance(error, CallError)
            assert error.kind == subject.failure
            assert str(error)
        assert all(map(same, replies, own))
        assert all(map(same, await alone(provider, good), own))

    house.shared(talk)


@pytest.mark.parametrize(
    "decoding",
    [{"stop": 5}, {"stop": [5]}, {"max_tokens": "many"}, {"temperature": "hot"}, {"seed": "x"}],
    ids=str,
)
def test_a_setting_that_makes_no_sense_fails_its_question_alone(
    house: House, decoding: dict[str, Any]
) -> None:
    _fails_alone(house, [kind("Right?", decoding=decoding) for kind in house.subject.kinds])


def test_half_a_surrogate_pair_fails_its_question_alone(house: House) -> None:
    _fails_alone(house, [kind("half \ud800 pair") for kind in house.subject.kinds])


def _fails_alone(house: House, requests: list[Request]) -> None:
    """Each is answered, or refused as what cannot be asked; the question beside it is answered."""
    good = house.subject.ask(1)

    async def talk(provider: Provider) -> None:
        own = await provider.complete(good)
        *answers, reply = await together(provider, [*requests, good])
        for answer in answers:
            if not isinstance(answer, Reply):
                assert isinstance(answer, CallError)
                assert (answer.kind, answer.retriable) == ("request", False)
        assert same(reply, own)

    house.shared(talk)


def test_a_call_that_is_given_up_disturbs_no_other(house: House) -> None:
    ask = house.subject.ask
    given_up = (0, 5, 1, 2, 3, 4, 6, 8, 12, 15)  # one before it is put, and others ever later

    async def talk(provider: Provider) -> None:
        own = await alone(provider, [ask(number) for number in NUMBERS])
        calls = [asyncio.create_task(provider.complete(ask(number))) for number in NUMBERS]
        for number in given_up:
            calls[number].cancel()
            await asyncio.sleep(0 if number == given_up[0] else 0.002)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for number, answer in enumerate(answers):
            if not calls[number].cancelled():
                assert same(answer, own[number]), number
        assert calls[given_up[0]].cancelled()
        assert {n for n in NUMBERS if calls[n].cancelled()} <= set(given_up)
        assert same(await provider.complete(ask(0)), own[0])

    house.shared(talk)


# The end ------------------------------------------------------------------------------------------


def test_closing_twice_or_unused_is_harmless(house: House) -> None:
    async def talk(provider: Provider) -> None:
        await asyncio.gather(provider.close(), provider.close())
        await provider.close()

    house.unused(talk)


def test_who_is_closed_says_so(house: House) -> None:
    subject = house.subject

    async def talk(provider: Provider) -> list[Any]:
        await provider.close()
        answers = await together(provider, [kind("Right?") for kind in subject.kinds])
        await provider.close()
        return answers

    for error in house.unused(talk):
        assert is_refused(error), error


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, None])
def test_closing_at_the_start_leaves_nobody_waiting(house: House, steps: int | None) -> None:
    """So many turns of the loop after the first questions were put; None for milliseconds."""
    ask = house.subject.ask

    async def talk(provider: Provider) -> list[Any]:
        calls = [asyncio.create_task(provider.complete(ask(number))) for number in NUMBERS]
        for _ in range(steps or 0):
            await asyncio.sleep(0)
        if steps is None:
            await asyncio.sleep(0.005)
        return await _closed_over(provider, calls)

    for answer in house.unused(talk):
        _is_an_end(answer)


def test_closing_with_calls_under_way_leaves_nobody_waiting(house: House) -> None:
    """The last test here: it ends the provider that the others share."""
    ask = house.subject.ask

    async def talk(provider: Provider) -> tuple[list[Reply], list[Any]]:
        own = await alone(provider, [ask(number) for number in NUMBERS])
        calls = [asyncio.create_task(provider.complete(ask(number))) for number in NUMBERS]
        await asyncio.sleep(0.005)
        answers = await _closed_over(provider, calls)
        (after,) = await together(provider, [ask(0)])
        assert is_refused(after), after
        return own, answers

    for reply, answer in zip(*house.ended(talk), strict=True):
        if isinstance(answer, Reply):
            assert same(reply, answer)
        else:
            _is_an_end(answer)


async def _closed_over(provider: Provider, calls: list[asyncio.Task[Reply]]) -> list[Any]:
    """What each call comes to when its provider is closed now."""
    await provider.close()
    done, waiting = await asyncio.wait(calls, timeout=5)
    for call in waiting:
        call.cancel()
    assert not waiting
    assert len(done) == len(calls)
    return await asyncio.gather(*calls, return_exceptions=True)


def _is_an_end(answer: Any) -> None:
    """A whole reply, or an error that says what happened."""
    match answer:
        case Reply() | ProviderUnavailableError():
            pass
        case CallError():
            assert answer.kind != "other"
        case _:
            pytest.fail(f"a call under way ended with {answer!r}")
    if not isinstance(answer, Reply):
        assert "was closed" in str(answer)
