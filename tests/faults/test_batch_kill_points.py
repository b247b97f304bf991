"""Kill -9 in every state of a batch, handed over or collected: each question is paid for once.

What was on its way when a process died is not known to have arrived. It is found again by the token
that travels with it, or given up by `judgebench batches cancel` where it never arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest

from judgebench.providers.openai import OpenAIBatches
from judgebench.records import Request
from tests.e2e import own, runs
from tests.faults.nursery import Ended, Nursery, Order
from tests.warm import Warm
from tests.wire.batch_servers import KEY, OpenAIServer

ITEMS = 3
DONE, WAITING = 0, 75


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture(scope="module")
def nursery(
    server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory, warm: Warm
) -> Iterator[Nursery]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEAM_KEY", KEY)
        warm_up = suite(tmp_path_factory.mktemp("warm"), server)
        with Nursery("run", warm_up, "--batch", executable=warm.executable) as running:
            yield running


def suite(folder: Path, server: OpenAIServer) -> Path:
    judge = own.endpoint(server.url, provider="openai", model="gpt-4o", api_key="${TEAM_KEY}")
    return own.suite(folder, items=ITEMS, judges=[judge])


class Case:
    """One folder with its store, and what its commands made of the server."""

    def __init__(self, folder: Path, server: OpenAIServer, nursery: Nursery) -> None:
        folder.mkdir()
        self.folder = folder
        self.server = server
        self.nursery = nursery
        self.suite = suite(folder, server)
        self.before = set(server.batches)

    def run(self, kill_at: int = 0) -> Ended:
        return self._ended("run", str(self.suite), "--batch", "--quiet", kill_at=kill_at)

    def batches(self, *words: str, kill_at: int = 0) -> Ended:
        store = ("--store", runs.store_url(self.folder))
        return self._ended("batches", *words, *store, kill_at=kill_at)

    def answered(self) -> None:
        self.server.end(lambda _, line: self.server.answered(line, "correct"))

    def open_batches(self) -> list[str]:
        opened = "SELECT batch_id FROM batches WHERE state IN ('submitting', 'submitted')"
        return [row[0] for row in own.query(self.folder, opened)]

    def asked(self) -> Counter[str]:
        """How often each question arrived at the provider."""
        mine = [batch for name, batch in self.server.batches.items() if name not in self.before]
        return Counter(str(line["body"]) for batch in mine for line in batch.lines)

    def is_whole(self, where: str) -> None:
        assert self.run().code == DONE, where
        asked = self.asked()
        assert (len(asked), set(asked.values())) == (ITEMS, {1}), where
        assert own.query(self.folder, "SELECT count(*) FROM verdicts_v2") == [(ITEMS,)], where
        assert own.spent(self.folder).get("batch") == ITEMS, where
        assert own.spent(self.folder).get("live", 0) == 0, where

    def _ended(self, *words: str, kill_at: int) -> Ended:
        (ended,) = self.nursery.carry_out(Order(words=words, kill_at=kill_at))
        return ended


def steps() -> Iterator[int]:
    """Where to kill: once in each state that a command leaves behind.

    Steps begin something (odd) and end it (even) by turns. Between the end of one thing and the
    beginning of the next nothing is stored or sent, so that of these two one is taken, by turns.
    """
    return (step for step in count(1) if step % 4 in (1, 2))


def by_turns(ended: Ended) -> bool:
    return all(step.startswith("after") == bool(n % 2) for n, step in enumerate(ended.steps))


def where(ended: Ended) -> str:
    return f"killed at step {len(ended.steps)}, {ended.steps[-1]}"


@pytest.mark.slow
def test_a_kill_while_a_batch_is_handed_over(
    tmp_path: Path, server: OpenAIServer, nursery: Nursery
) -> None:
    kills = 0
    for step in steps():
        case = Case(tmp_path / str(step), server, nursery)
        killed = case.run(kill_at=step)
        assert by_turns(killed)
        if not killed.was_killed:
            assert killed.code == WAITING, killed.said
            break
        kills += 1
        assert case.run().code == WAITING, where(killed)
        case.answered()
        if case.batches("collect").code == WAITING:  # one that never arrived, as it turns out
            (never,) = case.open_batches()
            assert case.batches("cancel", never).code == DONE, where(killed)
            assert case.run().code == WAITING, where(killed)
            case.answered()
            assert case.batches("collect").code == DONE, where(killed)
        case.is_whole(where(killed))
    assert kills > 10


@pytest.mark.slow
def test_a_kill_while_a_batch_is_collected(
    tmp_path: Path, server: OpenAIServer, nursery: Nursery
) -> None:
    kills = 0
    for step in steps():
        case = Case(tmp_path / str(step), server, nursery)
        assert case.run().code == WAITING
        case.answered()
        killed = case.batches("collect", kill_at=step)
        assert by_turns(killed)
        if not killed.was_killed:
            assert killed.code == DONE, killed.said
            break
        kills += 1
        assert case.batches("collect").code == DONE, where(killed)
        case.is_whole(where(killed))
    assert kills > 5


def test_what_is_handed_over_and_collected_by_two_at_once_is_so_once(
    tmp_path: Path, server: OpenAIServer, nursery: Nursery
) -> None:
    case = Case(tmp_path / "two", server, nursery)
    run = Order(words=("run", str(case.suite), "--batch", "--quiet"))
    collect = Order(words=("batches", "collect", "--store", runs.store_url(case.folder)))

    handed = nursery.carry_out(run, run)
    assert [ended.code for ended in handed] == [WAITING, WAITING], [ended.said for ended in handed]
    case.answered()
    collected = nursery.carry_out(collect, collect)
    assert all("locked" not in ended.said for ended in (*handed, *collected))
    # Who finds the other at it leaves it alone, and says so.
    assert DONE in {ended.code for ended in collected} <= {DONE, WAITING}

    case.is_whole("two at once")


def test_a_batch_on_its_way_is_left_to_who_sends_it(
    tmp_path: Path, server: OpenAIServer, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not there yet, and must not be taken for one that never arrived."""
    case = Case(tmp_path / "on-its-way", server, nursery)
    submit, meanwhile = OpenAIBatches.submit, []

    def slowly(interface: OpenAIBatches, token: str, requests: Mapping[bytes, Request]) -> str:
        meanwhile.append(case.batches("cancel", token))
        return submit(interface, token, requests)

    monkeypatch.setenv("TEAM_KEY", KEY)
    monkeypatch.setattr(OpenAIBatches, "submit", slowly)
    assert runs.typed("run", case.suite, "--batch", "--quiet").code == WAITING
    (cancelled,) = meanwhile
    assert cancelled.code == WAITING, cancelled.said
    assert "is being worked on by" in cancelled.said

    case.answered()
    assert case.batches("collect").code == DONE
    case.is_whole("cancelled on its way")
