"""A second opinion on the batch interfaces: a server that others wrote.

``make setup`` installs ``llmock`` into an environment of its own; skipped where it is neither there
nor on the path.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from judgebench.config import Endpoint
from judgebench.keys import request_key
from judgebench.providers.batch import Absent, Answered, Batches, Found, batches_of, new_token
from judgebench.records import ChatRequest, Message, Request
from judgebench.secret import Secret

PLACES = (f"{sys.prefix}/llmock/bin", os.environ.get("PATH", ""))
LLMOCK = shutil.which("llmock", path=os.pathsep.join(PLACES))
pytestmark = [
    pytest.mark.skipif(LLMOCK is None, reason="llmock is not installed"),
    pytest.mark.slow,  # it ends a batch three seconds after it came
]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(LLMOCK), "serve", "--port", str(port), "--response-style", "echo"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert time.monotonic() < deadline, "llmock did not start"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["openai", "anthropic"])
def interface(request: pytest.FixtureRequest, origin: str) -> Iterator[Batches]:
    path = {"openai": "/v1", "anthropic": "/anthropic"}[request.param]
    key = Secret("sk-0123456789abcdef")
    with closing(
        batches_of(Endpoint(provider=request.param, base_url=origin + path, api_key=key))
    ) as made:
        yield made


def questions(n: int) -> dict[bytes, Request]:
    asked = [
        ChatRequest(
            provider="them",
            model="claude-opus-4-5",
            messages=(Message(role="user", content=f"question {i} \u2028 中文"),),
        )
        for i in range(n)
    ]
    return {request_key(request): request for request in asked}


def test_questions_are_answered(interface: Batches) -> None:
    asked, token = questions(5), new_token()
    remote_id = interface.submit(token, asked)
    assert not interface.state(remote_id).ended
    _until_ended(interface, remote_id)

    lines = list(interface.results(remote_id, token, asked))

    answers = {line.key: line.reply for line in lines if isinstance(line, Answered)}
    assert answers.keys() == asked.keys()
    for key, request in asked.items():
        said = " ".join(request.messages[0].content.split())  # it echoes words, not spaces
        assert said in answers[key].text
        assert answers[key].usage.prompt_tokens


def test_a_batch_is_found_by_its_token(interface: Batches) -> None:
    token = new_token()
    remote_id = interface.submit(token, questions(7))
    _until_ended(interface, remote_id)

    assert interface.find(token, 7) == Found(remote_id)
    assert interface.find(new_token(), 7) == Absent()


def test_a_batch_is_called_off(interface: Batches) -> None:
    remote_id = interface.submit(new_token(), questions(1))

    interface.cancel(remote_id)

    standing = interface.state(remote_id)
    assert (standing.ended, standing.cancelled) == (True, True)


def _until_ended(interface: Batches, remote_id: str) -> None:
    deadline = time.monotonic() + 60
    while not interface.state(remote_id).ended:
        assert time.monotonic() < deadline, "the batch does not end"
        time.sleep(0.3)
