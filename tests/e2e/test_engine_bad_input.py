"""Wrong keys, wrong models, too little money, clocks that jump: what the engine makes of it.

Each costs no call that could be spared and no verdict that could be had, and says the way out.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from judgebench import api
from judgebench.execution import execute
from judgebench.protocols import NoProgress
from tests.e2e import own, runs
from tests.e2e.test_bad_input import free_port
from tests.loopback import Ask, Loopback, Reaction
from tests.wire.speakers import SPEAKERS, Said, Speaker, Trouble, speaking

KEY = "correct~horse~battery~staple"
ITEMS = 20
UNREACHABLE = "http://127.0.0.1:1/v1"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)


def judge(speaker: Speaker, url: str | None, name: str = "small", **fields: Any) -> dict[str, Any]:
    """A judge that speaks this API, with a key."""
    options = dict(speaker.extras.get("provider_options", {}))
    usual = {"provider": speaker.provider, "provider_options": options, "api_key": "${MY_KEY}"}
    return own.endpoint(url, name, **usual | fields)


CHAT = SPEAKERS["openai_compatible"]


def item_of(ask: Ask) -> int:
    """The item that a judge's question is about."""
    text = ask.text
    return next(n for n in range(ITEMS) if f"What is {n} plus {n}?" in text)


# Keys and models --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speaker", "connections"), [*((one, 16) for one in SPEAKERS.values()), (CHAT, 1)]
)
def test_a_wrong_key_costs_one_call_and_names_its_variable(
    tmp_path: Path, speaker: Speaker, connections: int
) -> None:
    refusal = Trouble(status=401, message="Incorrect API key provided", code="invalid_api_key")
    limits = {"max_connections": connections, "max_retries": 5}
    with Loopback(speaking(speaker, refusal)) as server:
        path = own.suite(tmp_path, items=ITEMS, judges=[judge(speaker, server.url)], limits=limits)
        done = runs.typed("run", path)
        assert done.code == 69, done.err
        assert len(server.asks) == 1
    assert "the key was refused: check MY_KEY" in done.err
    assert KEY not in done.err
    assert own.spent(tmp_path) == {"retried": 1}
    assert {kind for kind, _, _ in own.failures(tmp_path)} == {"key"}

    with Loopback(speaking(speaker, Said())) as server:  # the right key: nothing else is needed
        path = own.suite(tmp_path, items=ITEMS, judges=[judge(speaker, server.url)])
        done = runs.typed("run", path)
        assert done.code == 0, done.err
        assert len(server.asks) == ITEMS
    assert own.failures(tmp_path) == []


def test_judges_that_share_a_door_find_out_together_that_its_key_is_wrong(tmp_path: Path) -> None:
    sections = [
        judge(CHAT, "{url}", "short"),
        judge(CHAT, "{url}", "long", sampling={"max_tokens": 99}),
        judge(CHAT, "{url}", "warm", sampling={"temperature": 1}),
    ]
    limits = {"max_connections": 16}
    with Loopback(mode="no_key") as server:
        at = [section | {"base_url": server.url} for section in sections]
        done = runs.typed("run", own.suite(tmp_path, items=ITEMS, judges=at, limits=limits))
        assert done.code == 69, done.err
        assert len(server.asks) == 1
    for name in ("short", "long", "warm"):
        assert f"warning: {name} was stopped: " in done.err


def test_the_usual_variable_is_named_where_no_key_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the provider's own address nothing is sent without one."""
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    judges = [
        own.endpoint(name=provider, provider=provider, model="some-model")
        for provider in ("openai", "anthropic")
    ]
    done = runs.typed("run", own.suite(tmp_path, judges=judges))
    assert done.code == 69, done.err
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        assert f"export {variable}=" in done.err


@pytest.mark.parametrize("letter", ["\n", " ", "…"])
@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS)
def test_a_key_that_no_header_can_carry_is_told_before_anybody_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaker: Speaker, letter: str
) -> None:
    """Most often the end of the line that it was read from."""
    monkeypatch.setenv("MY_KEY", f"{KEY}{letter}")
    with Loopback(speaking(speaker, Said())) as server:
        done = runs.typed("run", own.suite(tmp_path, judges=[judge(speaker, server.url)]))
        assert done.code == 78, done.err
        assert not server.asks
    assert "MY_KEY holds no key" in done.err
    assert KEY not in done.err


def test_a_candidate_with_a_wrong_key_costs_one_call_and_no_verdict_of_others(
    tmp_path: Path,
) -> None:
    with Loopback(mode="no_key") as closed, Loopback() as server:
        candidate = own.endpoint(closed.url, "candidate", api_key="${MY_KEY}")
        path = own.suite(
            tmp_path,
            items=ITEMS,
            candidates=[candidate],
            judges=[own.endpoint(server.url)],
            limits={"max_connections": 16},
        )
        done = runs.typed("run", path)
        assert done.code == 69, done.err
        assert (len(closed.asks), len(server.asks)) == (1, ITEMS)
    assert "warning: candidate was stopped: " in done.err
    assert "check MY_KEY" in done.err
    assert own.row(tmp_path, "small")["counts"]["verdicts"] == ITEMS


@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS)
def test_a_model_that_does_not_exist_costs_one_call(tmp_path: Path, speaker: Speaker) -> None:
    unknown = Trouble(status=404, message="there is no such model", code="model_not_found")
    with Loopback(speaking(speaker, unknown)) as server:
        done = runs.typed("run", own.suite(tmp_path, judges=[judge(speaker, server.url)]))
        assert done.code == 69, done.err
        assert len(server.asks) == 1
    assert "check the model's name, 'loopback', and base_url" in done.err


@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS)
def test_the_model_that_answered_is_shown_and_a_mixture_is_warned_of(
    tmp_path: Path, speaker: Speaker
) -> None:
    def react(ask: Ask) -> Reaction:
        payload = speaker.payload(ask, Said())
        return Reaction(
            payload=payload | {"model": f"another-{len(ask.sha) + ord(ask.sha[0]) % 2}"}
        )

    with Loopback(react) as server:
        path = own.suite(tmp_path, items=ITEMS, judges=[judge(speaker, server.url)])
        done = runs.typed("run", path)
    assert done.code == 0, done.err
    (board,) = own.boards(tmp_path)
    assert board["served_models"] == ["another-64", "another-65"]
    assert any("another-64, another-65" in warning for warning in board["warnings"])
    assert "served by another-64, another-65" in done.out


# Questions that cannot be answered --------------------------------------------------------------


@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS)
def test_what_is_too_long_fails_alone_and_is_not_tried_again(
    tmp_path: Path, speaker: Speaker
) -> None:
    too_long = Trouble(status=400, message="prompt is too long", code="context_length_exceeded")

    def scene(ask: Ask) -> Said | Trouble:
        return too_long if "What is 3 plus 3?" in speaker.user(ask) else Said()

    with Loopback(speaking(speaker, scene)) as server:
        path = own.suite(
            tmp_path,
            items=ITEMS,
            judges=[judge(speaker, server.url)],
            limits={"max_retries": 5},
        )
        done = runs.typed("run", path)
        assert done.code == 75, done.err
        assert set(server.arrivals.values()) == {1}
        assert len(server.asks) == ITEMS
    ((kind, message, attempts),) = own.failures(tmp_path)
    assert (kind, attempts) == ("too_long", 1)
    assert "the question is too long for this model" in message
    counts = own.row(tmp_path, "small")["counts"]
    assert (counts["verdicts"], counts["failed"], counts["failed_too_long"]) == (ITEMS - 1, 1, 1)


@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS)
def test_refused_content_is_counted_apart_and_not_asked_again(
    tmp_path: Path, speaker: Speaker
) -> None:
    filtered = Trouble(status=400, message="it was filtered", code="content_filter")
    scenes: dict[int, Said | Trouble] = {
        3: filtered,
        4: Said(text="correct", finish="content_filter"),
        5: Said(text="", refusal="I cannot help with that.", finish="refusal"),
    }

    def scene(ask: Ask) -> Said | Trouble:
        text = speaker.user(ask)
        found = [said for n, said in scenes.items() if f"What is {n} plus {n}?" in text]
        return found[0] if found else Said()

    with Loopback(speaking(speaker, scene)) as server:
        path = own.suite(tmp_path, items=ITEMS, judges=[judge(speaker, server.url)])
        done = runs.typed("run", path)
        assert done.code == 0, done.err
        assert runs.typed("run", path).code == 0
        assert len(server.asks) == ITEMS
    row = own.row(tmp_path, "small")
    counts = row["counts"]
    assert (counts["judge_refused"], counts["failed"]) == (3, 0)
    assert counts["verdicts"] + counts["unreadable"] == ITEMS
    assert row["metrics"]["accuracy"]["n"] == ITEMS - 3
    assert row["metrics"]["accuracy"]["missing"] == 3


def test_a_candidate_is_refused_or_too_long_likewise(tmp_path: Path) -> None:
    scenes: dict[int, Said | Trouble] = {
        3: Trouble(status=400, message="it was filtered", code="content_filter"),
        4: Trouble(status=400, message="too long", code="context_length_exceeded"),
        5: Said(text="", refusal="I cannot help with that.", finish="refusal"),
    }

    def scene(ask: Ask) -> Said | Trouble:
        return scenes.get(item_of(ask), Said(text="It is so."))

    with Loopback(speaking(CHAT, scene)) as answering, Loopback() as judging:
        path = own.suite(
            tmp_path,
            items=ITEMS,
            candidates=[own.endpoint(answering.url, "candidate")],
            judges=[own.endpoint(judging.url)],
            limits={"max_retries": 5},
        )
        done = runs.typed("run", path)
        assert done.code == 75, done.err
        assert set(answering.arrivals.values()) == {1}
        assert len(answering.asks) == ITEMS
    ((kind, _, attempts),) = own.failures(tmp_path)
    assert (kind, attempts) == ("too_long", 1)
    counts = own.row(tmp_path, "small", "candidate")["counts"]
    assert (counts["answers"], counts["refused"]) == (ITEMS - 1, 2)
    assert (counts["failed"], counts["failed_too_long"]) == (1, 1)


# Money ------------------------------------------------------------------------------------------

A_CALL = 32  # tokens that the reply of a judge with one word may take at most


ROUNDING_USD = 1e-9  # of sums of floats


def priced(dollars: float) -> dict[str, Any]:
    """A call costs so many dollars: its reply is as long as it may be."""
    return {"input": 0, "output": dollars * 1_000_000 / A_CALL}


def as_long_as_may_be(ask: Ask) -> Said:
    assert ask.body.get("max_tokens", ask.body.get("max_completion_tokens")) == A_CALL
    return Said(completion_tokens=A_CALL, reasoning_tokens=0)


def taken_usd(folder: Path) -> float:
    """What stands on the account, with what was wasted counted at its most."""
    ((total,),) = own.query(
        folder, "SELECT total(cost_usd) FROM spend_v1 WHERE how IN ('live', 'wasted')"
    )
    return float(total)


@pytest.mark.parametrize(("calls", "dollars"), [(1, 1.0), (16, 1.0), (3, 0.1), (19, 0.1)])
def test_a_budget_for_some_calls_is_used_and_never_exceeded(
    tmp_path: Path, calls: int, dollars: float
) -> None:
    budget = round(calls * dollars, 10)
    # Three times 0.1 is more than 0.3 in floats: the last call may not fit any more.
    fitting = {calls} if dollars.is_integer() else {calls - 1, calls}
    with Loopback(speaking(CHAT, as_long_as_may_be)) as server:

        def run(most: float) -> runs.Done:
            path = own.suite(
                tmp_path,
                items=ITEMS,
                judges=[own.endpoint(server.url)],
                limits={"max_connections": 16, "max_cost_usd": most},
                prices={"loopback": priced(dollars)},
            )
            return runs.typed("run", path)

        done = run(budget)
        assert done.code == 75, done.err
        assert taken_usd(tmp_path) <= budget + ROUNDING_USD
        sent = len(server.asks)
        assert sent in fitting
        assert own.spent(tmp_path).get("live", 0) == sent
        assert "of limits.max_cost_usd" in done.err
        assert own.failures(tmp_path) == []  # what was not asked has not failed
        assert own.query(tmp_path, "SELECT count(*) FROM judgments") == [(sent,)]

        assert run(2 * ITEMS * dollars).code == 0
        assert set(server.arrivals.values()) == {1}
        assert len(server.asks) == ITEMS
    assert own.row(tmp_path, "small")["counts"]["verdicts"] == ITEMS


def test_what_may_have_been_charged_counts_against_the_budget(tmp_path: Path) -> None:
    """Replies that are cut off, and replies that do not say what they took."""

    def react(ask: Ask) -> Reaction:
        whole = CHAT.payload(ask, as_long_as_may_be(ask))
        if ask.seen == 1 and item_of(ask) % 2:
            return Reaction(cut=40)
        del whole["usage"]
        return Reaction(payload=whole)

    with Loopback(react) as server:
        path = own.suite(
            tmp_path,
            items=ITEMS,
            judges=[own.endpoint(server.url)],
            limits={"max_connections": 16, "max_cost_usd": 7, "max_retries": 3},
            prices={"loopback": priced(1)},
        )
        done = runs.typed("run", path)
        assert done.code == 75, done.err
        assert len(server.asks) <= 7
    spent = own.spent(tmp_path)
    assert spent["live"] + spent["wasted"] == len(server.asks)
    assert spent["wasted"] > 0
    # A reply that says nothing of what it took is on the account without a price, not at none.
    ((unpriced,),) = own.query(tmp_path, "SELECT sum(unpriced_calls) FROM spend_v1")
    assert taken_usd(tmp_path) + unpriced <= 7


def test_a_budget_in_tokens_is_never_exceeded(tmp_path: Path) -> None:
    def scene(ask: Ask) -> Said:
        return Said(prompt_tokens=len(ask.text) // 4, cached_tokens=0, completion_tokens=A_CALL)

    with Loopback(speaking(CHAT, scene)) as server:
        path = own.suite(
            tmp_path,
            items=ITEMS,
            judges=[own.endpoint(server.url)],
            limits={"max_connections": 16, "max_tokens": 1500},
        )
        done = runs.typed("run", path)
    assert done.code == 75, done.err
    assert "of limits.max_tokens = 1,500 tokens are used" in done.err
    ((used,),) = own.query(
        tmp_path, "SELECT sum(prompt_tokens + completion_tokens) FROM spend_v1 WHERE how = 'live'"
    )
    assert 0 < used <= 1500
    assert 1 < len(server.asks) < ITEMS


def test_a_price_that_nobody_knows_is_asked_for_before_anybody_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Loopback(speaking(SPEAKERS["openai_chat"], as_long_as_may_be)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        nobody_knows = own.endpoint(name="small", provider="openai", model="nobody-knows-5")

        def run(**parts: Any) -> runs.Done:
            path = own.suite(tmp_path, judges=[nobody_knows], limits={"max_cost_usd": 100}, **parts)
            return runs.typed("run", path)

        done = run()
        assert done.code == 78, done.err
        assert "the price of nobody-knows-5 is not known" in done.err
        assert "prices: {nobody-knows-5: {…}}" in done.err
        assert not server.asks
        done = run(prices={"nobody-knows-5": priced(1)})
        assert done.code == 0, done.err
        assert len(server.asks) == 4
    assert taken_usd(tmp_path) == pytest.approx(4)


def test_without_a_budget_a_price_that_nobody_knows_is_said_to_be_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    store = ("--store", runs.store_url(tmp_path))
    with Loopback(speaking(SPEAKERS["openai_chat"], Said())) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        nobody_knows = own.endpoint(name="small", provider="openai", model="nobody-knows-5")
        path = own.suite(tmp_path, judges=[nobody_knows])
        plan = json.loads(runs.typed("plan", path, "--format", "json").out)
        done = runs.typed("run", path)
    assert plan["total"]["judge_calls"] == 4
    assert plan["total"]["cost_usd"] is None
    assert done.code == 0, done.err
    assert "forecast: small price not known" in done.err
    total = json.loads(runs.typed("cost", *store, "--format", "json").out)["total"]
    assert (total["live_calls"], total["unpriced_calls"], total["cost_usd"]) == (4, 4, None)


def test_what_a_provider_writes_to_its_cache_is_counted_and_priced(tmp_path: Path) -> None:
    speaker, said = SPEAKERS["anthropic"], Said()
    price = {"input": 3.0, "output": 15.0, "cached_input": 0.3, "cache_write": 3.75}
    with Loopback(speaking(speaker, said)) as server:
        path = own.suite(tmp_path, judges=[judge(speaker, server.url, price=price)])
        done = runs.typed("run", path, "--quiet")
        assert done.code == 0, done.err
        calls = len(server.asks)
    assert calls > 0
    plain = said.prompt_tokens - said.cached_tokens - said.cache_write_tokens
    prices = (plain * 3.0, said.cached_tokens * 0.3, said.cache_write_tokens * 3.75)
    cost = calls * (sum(prices) + said.completion_tokens * 15.0) / 1e6
    told = runs.typed("cost", "--store", runs.store_url(tmp_path), "--format", "json")
    total = json.loads(told.out)["total"]
    assert total["cache_write_tokens"] == calls * said.cache_write_tokens == calls * 10
    assert total["cost_usd"] == pytest.approx(cost)
    shown = runs.typed("cost", "--store", runs.store_url(tmp_path)).out
    assert re.search(r"cached +cache writes +tokens out", shown)


# What goes on meanwhile -------------------------------------------------------------------------


def test_one_provider_that_is_down_does_not_stop_the_others(tmp_path: Path) -> None:
    with Loopback() as server:
        judges = [
            own.endpoint(UNREACHABLE, "down", model="another"),
            own.endpoint(server.url, "up"),
        ]
        path = own.suite(tmp_path, items=ITEMS, judges=judges, limits={"max_retries": 0})
        done = runs.typed("run", path)
        assert done.code == 69, done.err
        assert len(server.asks) == ITEMS
    assert own.row(tmp_path, "up")["counts"]["verdicts"] == ITEMS
    assert own.row(tmp_path, "down")["counts"]["verdicts"] == 0
    assert "warning: down was stopped: " in done.err
    assert "refused the connection: is the server running" in done.err


def test_a_refused_connection_is_told_while_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "TICK_S", 0.01)
    lines: list[str] = []
    with contextlib.ExitStack() as late:

        class Starts(NoProgress):
            """Starts the server when it is told that nobody answers there."""

            def say(self, message: str) -> None:
                lines.append(message)
                if len(lines) == 1:
                    late.enter_context(Loopback(port=port))

        port = free_port()
        judges = [own.endpoint(f"http://127.0.0.1:{port}/v1", "late")]
        path = own.suite(tmp_path, items=ITEMS, judges=judges)
        outcome = api.run(path, progress=Starts())
    assert lines == [
        f"warning: http://127.0.0.1:{port}/v1 refused the connection: is the server running, and "
        "is this its port? (asking again; limits.max_retries and max_minutes say for how long)"
    ]
    assert (outcome.judged, outcome.failed) == (ITEMS, 0)


HOUR_S = 3600.0


@pytest.mark.parametrize("off_s", [-HOUR_S, HOUR_S])
def test_a_date_until_which_to_wait_is_one_of_the_servers_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off_s: float
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + off_s)
    now = formatdate(real(), usegmt=True)
    busy = Trouble(status=429, headers={"date": now, "retry-after": now})
    with Loopback(speaking(CHAT, lambda ask: busy if ask.seen == 1 else Said())) as server:
        done = runs.typed("run", own.suite(tmp_path, judges=[own.endpoint(server.url)]))
    assert done.code == 0, done.err
    assert set(server.arrivals.values()) == {2}


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_clock_that_jumps_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    real, off_s = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + off_s)

    def react(ask: Ask) -> Reaction:
        nonlocal off_s
        off_s = jump_s if len(server.asks) > ITEMS // 2 else 0.0
        busy = ask.seen == 1 and item_of(ask) % 5 == 0
        return Reaction(status=429, headers={"retry-after": "0.01"}) if busy else Reaction()

    with Loopback(react) as server:
        path = own.suite(tmp_path, items=ITEMS, judges=[own.endpoint(server.url)])
        done = runs.typed("run", path)
        assert done.code == 0, done.err
        answered = [ask for ask in server.asks if ask.seen == 1 or item_of(ask) % 5 == 0]
        assert len(answered) == len(server.asks) == ITEMS + ITEMS // 5
        again = runs.typed("run", path)
        assert again.code == 0, again.err
        assert len(answered) == len(server.asks)
    assert own.row(tmp_path, "small")["counts"]["verdicts"] == ITEMS
    for words in (("runs", "show", "last"), ("runs", "list"), ("cost",)):
        said = runs.typed(*words, "--store", runs.store_url(tmp_path))
        assert said.code == 0, said.err
