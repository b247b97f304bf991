"""Batches from the store's side: written ahead, collected anywhere, counted once."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError, UsageError
from judgebench.execution import batch as batch_module
from judgebench.execution.batch import UNHEARD_S, duration, endpoint_of, submit
from judgebench.providers.batch import Batches, batches_of
from judgebench.providers.prices import price_of
from judgebench.records import Batch, Reply, Request
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.batched import (
    ENVIRONMENT,
    Server,
    collected,
    interface_for,
    manifest,
    new_store,
    provider_of,
    questions,
    replies,
    spent,
    submitted,
)
from tests.wire.batch_servers import KEY, AnthropicServer, Fault, OpenAIServer

LOST = Fault(cut=True, acts=True)


@pytest.fixture(params=[OpenAIServer, AnthropicServer], ids=["openai", "anthropic"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path, server: Server) -> Iterator[Store]:
    with new_store(tmp_path / "store.db", server) as opened:
        yield opened


# submit and collect -----------------------------------------------------------------------------


def test_what_was_submitted_is_collected_at_the_price_of_a_batch(
    store: Store, server: Server
) -> None:
    asked = questions(3)
    (batch,) = submitted(store, server, asked)
    assert (batch.state, batch.requests) == ("submitted", 3)
    assert store.in_batches(asked) == dict.fromkeys(asked, batch.id)

    (look,) = collected(store)
    assert not look.done
    assert "0 of 3 done" in look.says
    assert "2096-10-02" in look.says
    assert replies(store, asked) == [None] * 3

    server.end()
    (look,) = collected(store)

    assert (look.done, look.replies, look.says) == (True, 3, "collected: 3 replies")
    assert replies(store, asked) == [f"answer to question {i}" for i in range(3)]
    assert store.in_batches(asked) == {}
    assert spent(store) == {"batch": (3, pytest.approx(3 * (1000 * 2.0 + 100 * 10.0) / 2e6))}


def test_collecting_again_changes_nothing(store: Store, server: Server) -> None:
    asked = questions(3)
    submitted(store, server, asked)
    server.end()
    collected(store)
    calls, before = len(server.calls), spent(store)

    assert collected(store) == []
    assert len(server.calls) == calls
    assert spent(store) == before


def test_the_table_prices_what_the_suite_does_not(store: Store, server: Server) -> None:
    endpoint = store.runs()[0].configuration["judges"][1]
    del endpoint["price"]
    other = replace(manifest(server, judges=[endpoint]), id="run-2")
    batch = Batch(id="x", run_id="run-2", asker="judge", provider=provider_of(server))

    price = price_of(endpoint_of(other, batch, judges=True, environment=ENVIRONMENT))

    assert price is not None
    assert price.input > 0


def test_another_machine_collects_with_nothing_but_the_store_and_the_key(
    store: Store, server: Server, tmp_path: Path
) -> None:
    """It does not have the keys that other judges of the suite need."""
    asked = questions(2)
    submitted(store, server, asked)
    server.end()
    store.close()

    with open_store(str(tmp_path / "store.db")) as elsewhere:
        (look,) = collected(elsewhere)
        assert look.done
        assert replies(elsewhere, asked) == ["answer to question 0", "answer to question 1"]


def test_a_variable_that_is_missing_is_named_and_the_batch_is_left(
    store: Store, server: Server
) -> None:
    submitted(store, server, questions(1))

    (look,) = collected(store, environment={})

    assert look.exit_code == ConfigError.exit_code
    assert "the environment variable TEAM_KEY is not set" in look.says
    assert store.batches()[0].state == "submitted"


def test_a_model_is_told_from_a_judge_of_the_same_name(store: Store, server: Server) -> None:
    submitted(store, server, questions(1, judge_key=b""))
    asked: list[Endpoint] = []

    def noted(endpoint: Endpoint) -> Batches:
        asked.append(endpoint)
        return batches_of(endpoint)

    collected(store, interface_of=noted)

    assert [endpoint.model for endpoint in asked] == ["of-the-model"]


def test_questions_are_split_and_each_batch_stands_for_itself(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(5)
    with closing(interface_for(server)) as interface:
        monkeypatch.setattr(interface, "_max_requests", 2)
        made = submit(store, "run-1", "judge", provider_of(server), interface, asked)
    assert [batch.requests for batch in made] == [2, 2, 1]
    server.end()

    assert [look.replies for look in collected(store)] == [2, 2, 1]
    assert None not in replies(store, asked)


def test_a_question_that_waits_is_not_submitted_again(store: Store, server: Server) -> None:
    submitted(store, server, questions(2))

    (second,) = submitted(store, server, questions(3))

    assert second.requests == 1
    assert submitted(store, server, questions(3)) == []


def test_batches_are_chosen_by_the_beginning_of_their_ids(store: Store, server: Server) -> None:
    first, second = submitted(store, server, questions(1)), submitted(store, server, questions(3))
    server.end()

    (look,) = collected(store, only=[first[0].id[:8]])
    assert look.batch.id == first[0].id
    with pytest.raises(UsageError, match="no open batch called 'zz'"):
        collected(store, only=["zz"])
    (look,) = collected(store, only=[str(second[0].remote_id)])
    assert look.batch.id == second[0].id


# what fails -------------------------------------------------------------------------------------


def test_failed_lines_are_failures_of_the_places_they_serve(store: Store, server: Server) -> None:
    asked = questions(3)
    submitted(store, server, asked)

    def rule(n: int, line: Any) -> Any:
        if n == 0:
            return server.refused(line, 400, "prompt is too long")
        return server.refused(line, 429, "busy") if n == 1 else server.answered_as_asked(n, line)

    server.end(rule)
    (look,) = collected(store)

    assert (look.done, look.replies, look.failed) == (True, 1, 2)
    failures = store.failures("trivia")
    rows = zip(failures["item_id"], failures["kind"], failures["retriable"], strict=True)
    assert sorted(rows) == [("0", "too_long", False), ("1", "rate_limit", True)]
    assert spent(store)["retried"] == (2, 0.0)
    assert store.in_batches(asked) == {}


def test_what_expired_is_free_again(store: Store, server: Server) -> None:
    asked = questions(4)
    submitted(store, server, asked)
    server.end(lambda n, x: server.expired(x) if n else server.answered_as_asked(n, x))

    (look,) = collected(store)

    assert look.says == "collected: 1 reply; 3 not asked (expired), free again"
    assert store.failures()["item_id"] == []
    (again,) = submitted(store, server, {k: r for k, r in asked.items() if not store.reply(k)})
    assert again.requests == 3


def test_several_lines_about_one_question_count_once(store: Store, server: Server) -> None:
    """A reply goes before an error, whichever comes first."""
    asked = questions(2)
    submitted(store, server, asked)

    def rule(n: int, line: Any) -> str:
        bad, good = server.refused(line, 500, "broken"), server.answered(line, f"reply {n}")
        other = server.answered(line, "a second one")
        return "\n".join(json.dumps(x) for x in ((bad, good, other) if n else (good, other, bad)))

    server.end(rule)
    (look,) = collected(store)

    assert (look.replies, look.failed) == (2, 0)
    assert replies(store, asked) == ["reply 0", "reply 1"]
    assert spent(store)["batch"][0] == 2


def test_lines_nobody_can_read_are_said_and_cost_no_other(store: Store, server: Server) -> None:
    asked = questions(3)
    submitted(store, server, asked)
    server.end(lambda n, x: "{half" if n == 1 else server.answered_as_asked(n, x))

    (look,) = collected(store)

    assert look.replies == 2
    assert "1 not asked (without a line), free again" in look.says
    assert "1 times a line that is no JSON" in look.says


def test_a_reply_that_was_recorded_meanwhile_is_kept_and_both_are_paid(
    store: Store, server: Server
) -> None:
    asked = questions(1)
    submitted(store, server, asked)
    ((key, request),) = asked.items()
    store.put_reply(key, request, Reply(text="live"))
    server.end()

    collected(store)

    assert replies(store, asked) == ["live"]
    assert spent(store)["batch"][0] == 1


def test_a_batch_that_is_refused_as_a_whole_says_why_at_each_place(
    store: Store, server: Server
) -> None:
    if not isinstance(server, OpenAIServer):
        pytest.skip("message batches are refused at once, or taken")
    asked = questions(2)
    submitted(store, server, asked)
    server.refuse("enqueued token limit reached")

    (look,) = collected(store)

    assert (look.batch.state, look.failed) == ("failed", 2)
    assert "enqueued token limit reached" in store.failures()["message"][0]
    assert spent(store) == {}
    assert store.in_batches(asked) == {}


def test_a_refused_submission_is_kept_as_failed_and_frees_its_questions(
    store: Store, server: Server
) -> None:
    server.key = "another"
    asked = questions(1)

    with pytest.raises(CallError, match="TEAM_KEY"):
        submitted(store, server, asked)

    (batch,) = store.batches()
    assert batch.state == "failed"
    assert "401" in batch.note
    assert KEY not in batch.note
    assert store.in_batches(asked) == {}


def test_one_provider_that_cannot_be_reached_does_not_keep_the_others(
    store: Store, server: Server
) -> None:
    first, second = questions(1), {k: r for k, r in questions(2).items() if k not in questions(1)}
    submitted(store, server, first)
    submitted(store, server, second)
    server.end()
    look_at = "GET /v1/batches/batch_0" if isinstance(server, OpenAIServer) else (
        "GET /v1/messages/batches/msgbatch_0"
    )  # fmt: skip
    server.fail(look_at, Fault(status=403))

    looks = collected(store)

    assert [look.exit_code for look in looks] == [CallError.exit_code, 0]
    assert replies(store, second) == ["answer to question 1"]
    assert [look.done for look in collected(store)] == [True]


# deaths -----------------------------------------------------------------------------------------


class DiedError(BaseException):
    """The process ends here."""


def dies(*_: object, **__: object) -> None:
    raise DiedError


def died_before_sending(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch, asked: dict[bytes, Request]
) -> None:
    with closing(interface_for(server)) as interface, monkeypatch.context() as patch:
        patch.setattr(interface, "submit", dies)
        with pytest.raises(DiedError):
            submit(store, "run-1", "judge", provider_of(server), interface, asked)


def died_before_noting(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch, asked: dict[bytes, Request]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "update_batch", dies)
        with pytest.raises(DiedError):
            submitted(store, server, asked)


def test_an_interrupt_waits_for_the_batch_that_is_handed_over_and_a_second_one_does_not(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    asked = questions(4)
    with closing(interface_for(server)) as interface:
        really = interface.submit
        monkeypatch.setattr(interface, "_max_requests", 2)

        def interrupted(token: str, requests: Mapping[bytes, Request], times: int) -> str:
            for _ in range(times):
                signal.raise_signal(signal.SIGTERM)
            return really(token, requests)

        for times in (1, 2):
            monkeypatch.setattr(interface, "submit", partial(interrupted, times=times))
            with pytest.raises(KeyboardInterrupt):
                submit(store, "run-1", "judge", provider_of(server), interface, asked)
    assert [(batch.state, batch.requests) for batch in store.batches()] == [
        ("submitted", 2),
        ("submitting", 2),
    ]
    assert store.batches()[0].remote_id is not None
    assert signal.getsignal(signal.SIGTERM) == handler


def later(seconds: float = UNHEARD_S + 1) -> Callable[[], float]:
    return lambda: time.time() + seconds


def test_died_before_anything_was_sent(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(2)
    died_before_sending(store, server, monkeypatch, asked)
    assert server.batches == {}
    assert set(store.in_batches(asked)) == set(asked)

    (look,) = collected(store)
    assert (look.done, look.exit_code) == (False, 75)
    assert "its questions are free again" in look.says

    (look,) = collected(store, clock=later())
    assert look.batch.state == "failed"
    assert store.in_batches(asked) == {}
    assert [batch.requests for batch in submitted(store, server, asked)] == [2]


def test_a_clock_that_was_set_back_does_not_make_a_batch_absent(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(2)
    died_before_sending(store, server, monkeypatch, asked)

    (look,) = collected(store, clock=later(-86_400))

    assert not look.done
    assert set(store.in_batches(asked)) == set(asked)


def test_what_never_arrived_can_be_given_up_at_once(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(2)
    died_before_sending(store, server, monkeypatch, asked)

    (look,) = collected(store, only=[store.batches()[0].id], call_off=True)

    assert look.batch.state == "cancelled"
    assert store.in_batches(asked) == {}


def test_died_before_the_acknowledgement_was_noted(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(2)
    died_before_noting(store, server, monkeypatch, asked)
    assert len(server.batches) == 1
    assert [batch.remote_id for batch in store.batches()] == [None]

    (look,) = collected(store, clock=later())
    assert not look.done
    server.end()
    (look,) = collected(store, clock=later())

    assert look.replies == 2
    assert replies(store, asked) == ["answer to question 0", "answer to question 1"]
    assert len(server.batches) == 1


def test_an_acknowledgement_that_was_lost_on_the_way(store: Store, server: Server) -> None:
    asked = questions(2)
    path = "batches" if isinstance(server, OpenAIServer) else "messages/batches"
    server.fail(f"POST /v1/{path}", LOST)

    (batch,) = submitted(store, server, asked)
    assert batch.state == "submitting"
    assert "not known" in batch.note

    server.end()
    (look,) = collected(store)
    assert look.replies == 2
    assert spent(store)["batch"][0] == 2


def test_died_while_collecting_and_is_counted_once(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(5)
    submitted(store, server, asked)
    server.end(
        lambda n, x: server.refused(x, 500, "no") if n == 4 else server.answered_as_asked(n, x)
    )
    put_reply, put = store.put_reply, []

    def dies_at_the_third(*given: Any) -> None:
        if len(put) == 2:
            raise DiedError
        put.append(put_reply(*given))

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_reply", dies_at_the_third)
        with pytest.raises(DiedError):
            collected(store)
    assert sum(text is not None for text in replies(store, asked)) == 2
    assert spent(store) == {}

    (look,) = collected(store)

    assert (look.replies, look.failed) == (4, 1)
    assert spent(store)["batch"][0] == 4
    assert store.failures()["attempts"] == [1]


def test_died_before_the_batch_was_settled_and_nothing_of_it_is_kept(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, server, questions(3))
    server.end()
    with monkeypatch.context() as patch:
        patch.setattr(store, "update_batch", dies)
        with pytest.raises(DiedError):
            collected(store)
    assert spent(store) == {}
    assert store.batches()[0].state == "submitted"

    collected(store)

    assert spent(store)["batch"][0] == 3


def test_two_processes_do_not_collect_one_batch(
    store: Store, server: Server, tmp_path: Path
) -> None:
    (batch,) = submitted(store, server, questions(2))
    server.end()
    with open_store(str(tmp_path / "store.db")) as other, other.lease(f"batch {batch.id}"):
        calls = len(server.calls)
        (look,) = collected(store)
        assert (look.done, look.exit_code) == (False, 75)
        assert "is being worked on" in look.says
        assert len(server.calls) == calls

    (look,) = collected(store)
    assert look.done


def test_a_batch_that_another_process_has_settled_meanwhile_is_left(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (batch,) = submitted(store, server, questions(2))
    server.end()
    collected(store)
    monkeypatch.setattr(batch_module, "chosen", lambda batches, only: [batch])

    (look,) = collected(store)

    assert look.says == "collected by another process"
    assert spent(store)["batch"][0] == 2


# calling off ------------------------------------------------------------------------------------


def test_what_is_through_when_a_batch_is_called_off_is_collected(
    store: Store, server: Server
) -> None:
    asked = questions(3)
    (batch,) = submitted(store, server, asked)
    (look,) = collected(store, only=[batch.id], call_off=True)
    assert not look.done
    word = "batch_cancelled" if isinstance(server, OpenAIServer) else "canceled"
    server.end(lambda n, x: server.expired(x, word) if n else server.answered_as_asked(n, x))

    (look,) = collected(store)

    assert (look.batch.state, look.replies, look.unasked) == ("cancelled", 1, 2)
    assert store.in_batches(asked) == {}


def test_calling_off_what_has_ended_collects_it(store: Store, server: Server) -> None:
    (batch,) = submitted(store, server, questions(2))
    server.end()

    (look,) = collected(store, only=[batch.id], call_off=True)

    assert (look.batch.state, look.replies) == ("collected", 2)


def test_a_batch_the_provider_no_longer_has_can_be_given_up(store: Store, server: Server) -> None:
    asked = questions(2)
    (batch,) = submitted(store, server, asked)
    server.batches.clear()

    (look,) = collected(store)
    assert look.exit_code == CallError.exit_code
    assert set(store.in_batches(asked)) == set(asked)

    (look,) = collected(store, only=[batch.id], call_off=True)
    assert look.batch.state == "cancelled"
    assert store.in_batches(asked) == {}


def test_durations_are_said_in_two_units() -> None:
    assert [duration(s) for s in (-1, 59.9, 60, 3600, 90_000)] == [
        "0 s", "59 s", "1 min", "1 h 0 min", "1 d 1 h",
    ]  # fmt: skip
