"""What is sent, what is read, and every way in which a server can misbehave."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.providers.http import HttpProvider
from judgebench.providers.openai import CHAT
from judgebench.providers.openai_compatible import INFO, make
from judgebench.records import NOT_SAID, ChatRequest, Message, Reply, TokenLogprob, Usage
from judgebench.secret import Secret, checked_base_url
from tests.loopback import MODES, Ask, Loopback, Reaction
from tests.table import over_rows

KEY = "sk-never-to-be-shown-0123456789"


def ask(
    script: Callable[[Ask], Reaction] | Reaction | str,
    *,
    key: str | None = KEY,
    timeout_s: float = 10.0,
    max_answer_bytes: int = 1_000_000,
    text: str = "Right?",
    **fields: Any,
) -> tuple[Reply, Ask]:
    """One question to a scripted server: the reply, and the question as it arrived."""
    reaction = MODES[script] if isinstance(script, str) else script
    with Loopback(reaction if callable(reaction) else lambda _: reaction) as server:

        async def run() -> Reply:
            secret = None if key is None else Secret(key)
            endpoint = at(server.url, api_key=secret, timeout_s=timeout_s)
            here = HttpProvider(INFO, endpoint, lambda _: CHAT, max_answer_bytes=max_answer_bytes)
            try:
                return await here.complete(question(text, **fields))
            finally:
                await here.close()

        return asyncio.run(run()), server.asks[0]


def at(url: str, *, identity: str | None = "here", **options: Any) -> Endpoint:
    return Endpoint(provider="openai_compatible", base_url=url, identity=identity, **options)


def question(text: str = "Right?", **fields: Any) -> ChatRequest:
    messages = (Message(role="system", content="Judge."), Message(role="user", content=text))
    return ChatRequest(provider="here", model="judge", messages=messages, **fields)


def refused(script: Callable[[Ask], Reaction] | Reaction | str, **options: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        ask(script, **options)
    return caught.value


def test_what_is_sent() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "v", "schema": {"type": "object"}}}
    _, asked = ask(
        "ok",
        decoding={"temperature": 0, "top_p": 0.9, "seed": 7, "max_completion_tokens": 5},
        logprobs=3,
        response_format=schema,
        extra={"cache_prompt": False},
        sample=4,
    )
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "judge",
        "messages": [
            {"role": "system", "content": "Judge."},
            {"role": "user", "content": "Right?"},
        ],
        "temperature": 0,
        "top_p": 0.9,
        "seed": 7,
        "max_completion_tokens": 5,
        "logprobs": True,
        "top_logprobs": 3,
        "response_format": schema,
        "cache_prompt": False,
    }


def test_without_a_key_none_is_sent() -> None:
    _, asked = ask("ok", key=None)
    assert "authorization" not in asked.headers


def test_logprobs_without_alternatives() -> None:
    _, asked = ask("ok", logprobs=0)
    assert asked.body["logprobs"] is True
    assert "top_logprobs" not in asked.body


@over_rows("name", ["model", "messages", "stream", "n"])
def test_what_judgebench_sets_cannot_be_set(name: str) -> None:
    here = make(at("http://127.0.0.1:1/v1"))
    with pytest.raises(CallError, match=name) as caught:
        asyncio.run(here.complete(question(extra={name: 2})))
    assert not caught.value.retriable
    assert (caught.value.kind, caught.value.charged) == ("request", None)


def test_a_question_for_somebody_else_is_refused() -> None:
    there = make(at("http://127.0.0.1:1/v1", identity="there"))
    with pytest.raises(ValueError, match="here"):
        asyncio.run(there.complete(question()))


def test_a_reply_with_everything_in_it() -> None:
    token = {
        "token": "correct",
        "logprob": -0.25,
        "top_logprobs": [
            {"token": "correct", "logprob": -0.25},
            {"token": "incorrect", "logprob": -2},
            {"token": "impossible", "logprob": None},
        ],
    }
    payload = {
        "model": "judge-2026",
        "choices": [
            {
                "message": {"content": "correct", "reasoning_content": "It fits."},
                "finish_reason": "length",
                "logprobs": {"content": [token]},
            }
        ],
        "usage": {
            "prompt_tokens": 90,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }
    reply, _ = ask(Reaction(payload=payload))
    assert reply.seconds > 0
    assert reply == Reply(
        text="correct",
        finish_reason="length",
        reasoning="It fits.",
        logprobs=(
            TokenLogprob(
                token="correct", logprob=-0.25, top=(("correct", -0.25), ("incorrect", -2.0))
            ),
        ),
        usage=Usage(prompt_tokens=90, completion_tokens=5, cached_tokens=64, reasoning_tokens=4),
        served_model="judge-2026",
        seconds=reply.seconds,
    )


@over_rows(
    ("message", "text", "reasoning"),
    [
        ({"content": None}, "", None),
        ({"content": ""}, "", None),
        ({"content": None, "reasoning": "Hm."}, "", "Hm."),
        ({"content": None, "refusal": "I will not."}, "I will not.", None),
        ({"content": "half \ud800 pair"}, "half \N{REPLACEMENT CHARACTER} pair", None),
        ({"content": "nul \x00 and \u2028"}, "nul \x00 and \u2028", None),
    ],
)
def test_what_counts_as_the_text(message: dict[str, Any], text: str, reasoning: str | None) -> None:
    reply, _ = ask(Reaction(message=message))
    assert (reply.text, reply.reasoning) == (text, reasoning)


def test_a_server_that_counts_nothing() -> None:
    reply, _ = ask(Reaction(payload={"choices": [{"message": {"content": "correct"}}]}))
    assert reply.usage == Usage()
    assert reply.served_model is None
    assert reply.finish_reason == NOT_SAID


@over_rows(
    ("mode", "retriable", "status", "words"),
    [
        ("cut", True, None, "cut the connection"),
        ("cut_at_once", True, None, "cut the connection"),
        ("html", False, None, "text/html, beginning '<html><body>Sign in"),
        ("half_json", True, None, "broken JSON"),
        ("wrong_shape", False, None, "'choices' should be a list, found str"),
        ("not_an_object", False, None, "found list"),
        ("no_choices", True, None, "without choices"),
        ("bad_request", False, 400, "the prompt is too long"),
        ("no_key", False, 401, "the key was refused"),
        ("forbidden", False, 403, "not for you"),
        ("no_model", False, 404, "'judge'"),
        ("rate_limit", True, 429, "slow down"),
        ("overload", True, 503, "upstream busy"),
    ],
)
def test_every_failure_says_what_it_is(
    mode: str, retriable: bool, status: int | None, words: str
) -> None:
    error = refused(mode)
    assert words in str(error)
    assert (error.retriable, error.status) == (retriable, status)
    assert "127.0.0.1" in str(error)


def test_a_server_that_hangs_is_given_up() -> None:
    error = refused("hang", timeout_s=0.2)
    assert error.retriable
    assert "within 0.2 s" in str(error)


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def run() -> None:
        here = make(at(f"http://127.0.0.1:{port}/v1", api_key=Secret(KEY), timeout_s=5))
        try:
            await here.complete(question())
        finally:
            await here.close()

    with pytest.raises(CallError, match="refused the connection") as caught:
        asyncio.run(run())
    assert caught.value.retriable
    assert (caught.value.kind, caught.value.charged) == ("connection", None)


@over_rows("size", [50_000, 5_000_000])
def test_an_enormous_answer_is_not_read_to_its_end(size: int) -> None:
    error = refused(Reaction(text="x" * size), max_answer_bytes=20_000)
    assert not error.retriable
    assert "more than 20,000 bytes" in str(error)


def test_a_compressed_flood_is_stopped_as_well() -> None:
    flood = gzip.compress(json.dumps({"choices": "x" * 20_000_000}).encode())
    packed = Reaction(raw=flood, headers={"content-encoding": "gzip"})
    assert "bytes in one answer" in str(refused(packed))


def test_an_enormous_error_is_cut_short() -> None:
    error = refused(Reaction(status=400, raw=b"y" * 5_000_000))
    assert len(str(error)) < 1000


@over_rows(
    ("raw", "words"),
    [
        (b"", "not JSON|broken JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b'{"choices": [{"message": {"content": 5}}]}', "'content' should be text, found int"),
        (b'{"choices": [5]}', "'message' should be a dict"),
        (b'{"choices": [{"message": {"content": "\xff\xfe"}}]}', "broken JSON"),
        (b"null", "a JSON object expected"),
    ],
)
def test_bodies_that_are_no_completion(raw: bytes, words: str) -> None:
    with pytest.raises(CallError, match=words):
        ask(Reaction(raw=raw))


@over_rows(("code", "retriable"), [(429, True), (502, True), (400, False), ("x", True)])
def test_an_error_sent_as_a_success(code: object, retriable: bool) -> None:
    error = refused(Reaction(payload={"error": {"code": code, "message": "no host for you"}}))
    assert "no host for you" in str(error)
    assert error.retriable is retriable


def test_no_credit_left_is_not_a_rate_limit() -> None:
    body = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    error = refused(Reaction(status=429, payload=body))
    assert not error.retriable
    assert "credit" in str(error)


@over_rows("status", [301, 302, 307, 308])
def test_a_redirect_is_shown_and_not_followed(status: int) -> None:
    error = refused(
        Reaction(status=status, headers={"location": "http://me:abc@elsewhere/v1?token=abc"})
    )
    assert not error.retriable
    assert "http://elsewhere/v1" in str(error)
    assert "abc" not in str(error)


def test_half_a_surrogate_pair_cannot_be_sent() -> None:
    with pytest.raises(CallError, match="surrogate") as caught:
        ask("ok", text="half \ud800 pair")
    assert not caught.value.retriable


def locals_of_ours(error: BaseException) -> str:
    """What a traceback that prints variables would show of the package's own frames."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    package = str(Path(judgebench.__file__).parent)  # a checkout may be called as it is
    ours = [f for f in frames if f.f_code.co_filename.startswith(package + os.sep)]
    assert ours
    return "".join(repr(frame.f_locals) for frame in ours)


def test_a_key_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for mode in ("no_key", "overload", "html", "wrong_shape", "cut_at_once", "hang"):
        error = refused(mode, timeout_s=0.5)
        assert KEY not in locals_of_ours(error)
        assert error.__context__ is None
        assert error.__cause__ is None
    assert KEY not in caplog.text


@over_rows(
    "echo",
    [
        Reaction(status=401, payload={"error": {"message": f"Incorrect key {KEY} \x1b[31m"}}),
        Reaction(status=500, raw=f"Bearer {KEY} hf_abcdefghijklmnop".encode()),
        Reaction(raw=f"<p>{KEY}</p>".encode(), content_type="text/html"),
        Reaction(payload={"choices": KEY}),
    ],
)
def test_a_key_that_the_server_repeats_is_not_repeated(echo: Reaction) -> None:
    error = refused(echo)
    shown = str(error) + repr(error)
    assert "***" in shown
    assert KEY not in shown
    assert "hf_abcdefghijklmnop" not in shown
    assert "\x1b" not in shown


def test_without_a_key_the_message_asks_for_one() -> None:
    error = refused("no_key", key=None)
    assert "none was given" in str(error)


@over_rows(
    ("url", "words"),
    [
        ("http://user:pass-word@127.0.0.1/v1", "user name or password"),
        ("http://token-abc@127.0.0.1/v1", "user name or password"),
        ("127.0.0.1:8000/v1", "full address"),
        ("ftp://127.0.0.1/v1", "full address"),
        ("http://127.0.0.1:port/v1", "full address"),
        ("", "full address"),
        ("http://127.0.0.1/v1?api_key=token-abc", "query"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        checked_base_url(url)
    assert "pass-word" not in str(caught.value)
    assert "token-abc" not in str(caught.value)


def test_a_key_goes_only_where_the_suite_sends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    with Loopback() as server:

        async def run(key: Secret | None) -> None:
            here = make(at(server.url, identity=None, api_key=key))
            asked = ChatRequest(
                provider="openai_compatible",
                model="m",
                messages=(Message(role="user", content="q"),),
            )
            try:
                await here.complete(asked)
            finally:
                await here.close()

        asyncio.run(run(None))
        asyncio.run(run(Secret("given")))
    sent = [asked.headers.get("authorization", "") for asked in server.asks]
    assert "from-the-environment" not in "".join(sent)
    assert sent[1] == "Bearer given"


@pytest.mark.parametrize("bypass", ["", "gateway.example"])
def test_a_proxy_of_the_environment_is_used_and_a_netrc_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bypass: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine gateway.example login me password never-to-be-sent\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", bypass)
    with Loopback() as server:
        monkeypatch.setenv("http_proxy", server.origin)

        async def run() -> str:
            here = make(at("http://gateway.example/v1", timeout_s=5))
            try:
                return (await here.complete(question())).text
            finally:
                await here.close()

        if bypass:
            with pytest.raises(CallError, match="no such host"):
                asyncio.run(run())
            return
        assert asyncio.run(run()) in {"correct", "incorrect"}
        assert "authorization" not in server.asks[0].headers
        assert server.asks[0].headers["host"] == "gateway.example"


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("base_url", "bypass"),
    [
        ("http://gateway.example:8000/v1", "gateway.example:8000"),
        ("http://10.255.1.2:8000/v1", "192.168.0.0/16, 10.0.0.0/8"),
        ("http://[fd00::1]/v1", "fd00::/8"),
        ("http://www.gateway.example/v1", ".gateway.example"),
    ],
)
def test_no_proxy_names_ports_and_networks(
    no_proxies: pytest.MonkeyPatch, base_url: str, bypass: str
) -> None:
    no_proxies.setenv("http_proxy", "http://127.0.0.1:9")
    assert make(at(base_url)).address.proxy() is not None
    no_proxies.setenv("no_proxy", bypass)
    assert make(at(base_url)).address.proxy() is None
    assert make(at("http://11.0.0.1/v1")).address.proxy() is not None


def test_a_proxy_may_be_named_without_its_scheme(no_proxies: pytest.MonkeyPatch) -> None:
    with Loopback() as server:
        no_proxies.setenv("http_proxy", server.origin.removeprefix("http://"))

        async def run() -> str:
            here = make(at("http://gateway.example/v1", timeout_s=5))
            try:
                return (await here.complete(question())).text
            finally:
                await here.close()

        assert asyncio.run(run()) in {"correct", "incorrect"}
        assert server.asks[0].headers["host"] == "gateway.example"


def test_a_proxy_hears_its_password_and_a_failure_does_not_show_it(
    no_proxies: pytest.MonkeyPatch,
) -> None:
    """A short one, such as is masked nowhere by what it is."""
    heard = []

    class Refuses(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            heard.append(self.headers["proxy-authorization"])
            self.send_error(502)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        no_proxies.setenv("https_proxy", f"http://us%40er:hunter2@127.0.0.1:{proxy.server_port}")

        async def run() -> None:
            here = make(at("https://gateway.example/v1", timeout_s=5))
            try:
                await here.complete(question())
            finally:
                await here.close()

        try:
            with pytest.raises(CallError, match="502") as failed:
                asyncio.run(run())
        finally:
            proxy.shutdown()
    assert "hunter2" not in str(failed.value)
    assert heard == ["Basic " + base64.b64encode(b"us@er:hunter2").decode()]


def test_importing_it_loads_no_client() -> None:
    code = (
        "import sys, judgebench.providers.openai_compatible, judgebench.providers.compose;"
        "import judgebench.providers.openai, judgebench.providers.anthropic;"
        "print({'openai', 'anthropic', 'httpx2', 'aiohttp', 'tenacity'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
