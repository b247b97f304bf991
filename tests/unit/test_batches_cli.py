"""``judgebench batches``: what it prints, and the code it ends with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from judgebench.cli.runs import batches as command
from judgebench.store.opening import open_store
from tests.unit.batched import Server, new_store, questions, replies, submitted
from tests.wire.batch_servers import KEY, AnthropicServer, Fault, OpenAIServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def url(tmp_path: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEAM_KEY", KEY)
    with new_store(tmp_path / "store.db", server) as store:
        submitted(store, server, questions(2))
    return str(tmp_path / "store.db")


def batches(*arguments: str, store: str) -> Result:
    words = [*arguments, "--store", store]
    return CliRunner().invoke(command, words, standalone_mode=False, catch_exceptions=False)


def as_json(*arguments: str, store: str) -> Any:
    return json.loads(batches(*arguments, "--format", "json", store=store).stdout)["batches"]


def test_the_list_says_what_is_under_way_and_asks_nobody(url: str, server: OpenAIServer) -> None:
    calls = len(server.calls)

    done = batches("list", store=url)

    assert done.return_value == 0
    for word in ("run-1", "judge", "openai", "submitted", "batch_0"):
        assert word in done.stdout
    assert len(server.calls) == calls


def test_what_is_under_way_is_75_and_says_how_long(url: str) -> None:
    done = batches("collect", store=url)

    assert done.return_value == 75
    assert "in_progress for" in done.stdout
    assert "1 of 1 not collected yet; collect again later" in done.stdout
    assert "run the same command again" not in done.stderr


def test_what_is_collected_is_0_and_says_how_to_go_on(url: str, server: OpenAIServer) -> None:
    server.end()

    done = batches("collect", store=url)

    assert done.return_value == 0
    assert "collected: 2 replies" in done.stdout
    assert "run the same command again to read the verdicts" in done.stderr
    assert [batch["state"] for batch in as_json("list", store=url)] == ["collected"]


def test_nothing_to_collect_is_0(url: str, server: OpenAIServer) -> None:
    server.end()
    batches("collect", store=url)

    done = batches("collect", store=url)

    assert done.return_value == 0
    assert "no batch is under way" in done.stdout


def test_who_cannot_be_reached_is_69(url: str, server: OpenAIServer) -> None:
    server.key = "another"

    done = batches("collect", store=url)

    assert done.return_value == 69
    assert "check TEAM_KEY" in done.stdout
    assert KEY not in done.output


def test_calling_off_collects_what_is_through(url: str, server: OpenAIServer) -> None:
    ((batch_id),) = [batch["id"] for batch in as_json("list", store=url)]
    assert batches("cancel", batch_id[:6], store=url).return_value == 75
    server.end(lambda n, x: server.expired(x, "batch_cancelled") if n else None)

    assert batches("collect", store=url).return_value == 0
    (batch,) = as_json("list", store=url)
    assert batch["state"] == "cancelled"
    assert batch["note"] == "0 replies; 2 not asked (cancelled), free again"


CHILD = """
import sys
from tests.unit.batched import interface_for, provider_of, questions
from tests.wire.batch_servers import AnthropicServer, OpenAIServer
from judgebench.execution.batch import submit
from judgebench.store.opening import open_store

kind, url, path = sys.argv[1:]
class There({"openai": OpenAIServer, "anthropic": AnthropicServer}[kind]):
    def __init__(self):
        pass
    url = url
with open_store(path) as store:
    submit(store, "run-1", "judge", kind, interface_for(There()), questions(3))
"""


@pytest.mark.parametrize("kind", [OpenAIServer, AnthropicServer])
def test_killed_between_submission_and_acknowledgement(
    tmp_path: Path, kind: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has the batch, and who submitted it is gone: another process collects."""
    monkeypatch.setenv("TEAM_KEY", KEY)
    path = str(tmp_path / "store.db")
    with kind() as server:
        name = "openai" if isinstance(server, OpenAIServer) else "anthropic"
        create = "POST /v1/batches" if name == "openai" else "POST /v1/messages/batches"
        new_store(tmp_path / "store.db", server).close()
        server.fail(create, Fault(hang=True, acts=True))
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, name, server.url, path], cwd=Path(__file__).parents[2]
        )
        try:
            deadline = time.monotonic() + 60
            while not server.batches and time.monotonic() < deadline and child.poll() is None:
                time.sleep(0.02)
            assert server.batches
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        (batch,) = as_json("list", store=path)
        assert (batch["state"], batch["remote_id"]) == ("submitting", None)
        server.end()

        assert batches("collect", store=path).return_value == 0

        with open_store(path) as store:
            assert replies(store, questions(3)) == [f"answer to question {i}" for i in range(3)]
        assert len(server.batches) == 1
