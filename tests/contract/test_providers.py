"""What holds for every provider that speaks to a server, whatever API it speaks.

What holds for the others as well is in ``test_every_provider.py``. The servers here are scripted,
what travels is real: a body is checked against the official clients' own types before it is
answered.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.config import Endpoint
from judgebench.dialogue import no_verdict
from judgebench.errors import CallError, ConfigError
from judgebench.providers import http
from judgebench.providers.compose import Providers
from judgebench.providers.http import HttpProvider
from judgebench.records import NOT_SAID, Item, Reply, ScoreRequest, TokenLogprob, Usage, VerdictSlot
from judgebench.responses.remote import response_of
from judgebench.secret import Secret
from judgebench.store.opening import open_store
from tests.contract.remembered import Remembered
from tests.loopback import MODES, Ask, Loopback, Reaction
from tests.wire.asking import KEY, answered, provider_at, question, refused
from tests.wire.speakers import SPEAKERS, Said, Speaker, Trouble, half_json, speaking

SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": ["correct", "incorrect"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "v", "strict": True, "schema": SCHEMA}}


@pytest.fixture(params=sorted(SPEAKERS))
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return SPEAKERS[request.param]


def test_every_provider_that_speaks_to_a_server_is_tested_here() -> None:
    tested = {speaker.provider for speaker in SPEAKERS.values()}
    assert tested == {name for name in registry.names("providers") if speaks_to_a_server(name)}


def speaks_to_a_server(name: str) -> bool:
    try:
        made = registry.load("providers", name).make(
            Endpoint(provider=name, base_url="http://127.0.0.1:1/v1")
        )
    except ConfigError:
        return False
    return isinstance(made, HttpProvider)


# What comes back ----------------------------------------------------------------------------------


def test_a_reply_is_whole(speaker: Speaker) -> None:
    reply, asked = answered(speaker, Said(text="correct", thought="It fits."))
    assert reply.seconds > 0
    assert reply == Reply(
        text="correct",
        finish_reason="stop",
        reasoning="It fits.",
        usage=Usage(
            prompt_tokens=90,
            completion_tokens=12,
            cached_tokens=64,
            reasoning_tokens=4,
            cache_write_tokens=10,
        ),
        served_model="judge-served",
        seconds=reply.seconds,
        logprobs=reply.logprobs,
    )
    assert not reply.logprobs
    assert KEY in asked.headers.get("authorization", "") + asked.headers.get("x-api-key", "")


@pytest.mark.parametrize("digits", [30, 400, 5000])
def test_a_reply_is_kept_whatever_it_says_that_it_took(
    speaker: Speaker, digits: int, tmp_path: Path
) -> None:
    """No counter holds such a number, no float 10^400, and Python reads no 5,000 digits."""

    def scene(ask: Ask) -> Reaction:
        whole = json.dumps(speaker.payload(ask, Said(prompt_tokens=7_777_777)))
        stated = {7_777_777, 7_777_777 - 64 - 10, 7_777_777 + 12}
        raw = re.sub(r"7777\d{3}", lambda n: "9" * digits, whole)
        assert raw != whole and not stated & set(map(int, re.findall(r"\b\d{7}\b", raw)))
        return Reaction(raw=raw.encode())

    reply, _ = answered(speaker, scene)
    assert reply.text == "correct"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (None, 12)
    assert reply.note is not None and "input_tokens" in reply.note.replace("prompt", "input")
    with open_store(str(tmp_path / "x.db")) as store:
        store.put_reply(b"k" * 32, question(), reply)
        stored = store.reply(b"k" * 32)
    assert stored is not None
    assert (stored.text, stored.usage.prompt_tokens) == ("correct", None)


ENDS: Mapping[str, Callable[[dict[str, Any], str | None], object]] = {
    "chat": lambda payload, word: payload["choices"][0].update(finish_reason=word),
    "responses": lambda payload, word: payload.update(status=word),
    "messages": lambda payload, word: payload.update(stop_reason=word),
}


@pytest.mark.parametrize("word", [None, "", "cosmic_ray"])
def test_a_reply_that_is_not_said_to_be_whole_is_kept_and_not_finished(
    speaker: Speaker, word: str | None
) -> None:
    def scene(ask: Ask) -> Reaction:
        payload = speaker.payload(ask, Said(text="correct"))
        ENDS[speaker.api](payload, word)
        return Reaction(payload=payload)

    reply, _ = answered(speaker, scene)
    assert (reply.text, reply.finish_reason) == ("correct", word or NOT_SAID)
    unread = no_verdict(reply)
    assert unread is not None
    assert unread.reason.startswith("the server does not say that the reply is whole")
    assert ("cosmic_ray" in unread.reason) == bool(word)
    place = VerdictSlot(benchmark="b", version="1", item_id="i", model_key=b"m" * 32, judge_key=b"")
    item = Item(benchmark="b", version="1", id="i", turns=())
    assert response_of(reply, item, place, question()).status == "end_unknown"


def test_any_text_goes_there_and_back(speaker: Speaker) -> None:
    words = "Is it {so}? “Ja”, 说 \U0001f600 <b> \x00 \u2028 \\ \" '"
    reply, asked = answered(
        speaker, lambda ask: Said(text=speaker.user(ask)), question(words, system=words)
    )
    assert reply.text == words
    assert speaker.system(asked) == words


def test_without_a_system_message_none_is_sent(speaker: Speaker) -> None:
    _, asked = answered(speaker, Said(), question("q", system=None))
    assert speaker.system(asked) == ""
    assert speaker.user(asked) == "q"


def test_settings_arrive_or_are_named(speaker: Speaker) -> None:
    settings = {"temperature": 0, "top_p": 0.5, "seed": 7, "max_tokens": 30, "stop": ["\n"]}
    reply, asked = answered(speaker, Said(), question(decoding=settings))
    names = {"stop": "stop_sequences"} if speaker.api == "messages" else {}
    limit = "max_output_tokens" if speaker.api == "responses" else "max_tokens"
    assert asked.body[limit] == 30
    for name, value in settings.items():
        if name != "max_tokens":
            arrived = asked.body.get(names.get(name, name)) == value
            assert arrived != (name in reply.left_out), name
    assert "temperature" not in reply.left_out
    lost: dict[str, tuple[str, ...]] = {"responses": ("seed", "stop"), "messages": ("seed",)}
    assert reply.left_out == lost.get(speaker.api, ())


def test_structured_output(speaker: Speaker) -> None:
    verdict = json.dumps({"verdict": "correct"})
    reply, asked = answered(speaker, Said(text=verdict), question(response_format=FORMAT))
    assert json.loads(reply.text) == {"verdict": "correct"}
    assert reply.left_out == ()
    match speaker.api:
        case "chat":
            assert asked.body["response_format"] == FORMAT
        case "responses":
            wanted = {"type": "json_schema", "name": "v", "strict": True, "schema": SCHEMA}
            assert asked.body["text"] == {"format": wanted}
        case _:
            wanted = {"type": "json_schema", "schema": SCHEMA}
            assert asked.body["output_config"] == {"format": wanted}


def test_structure_that_the_model_has_not_is_left_out(speaker: Speaker) -> None:
    reply, asked = answered(
        speaker, Said(), question(response_format=FORMAT), capabilities={"structured": "none"}
    )
    assert reply.left_out == ("response_format",)
    assert not {"response_format", "text", "output_config"} & asked.body.keys()


def test_log_probabilities_where_there_are_any(speaker: Speaker) -> None:
    tokens = (("cor", -0.25, {"cor": -0.25, "in": -2.0}), ("rect", 0.0, {}))
    reply, asked = answered(speaker, Said(logprobs=tokens), question(logprobs=3))
    if speaker.api == "messages":
        assert (reply.logprobs, reply.left_out) == (None, ("logprobs",))
        return
    assert asked.body["top_logprobs"] == 3
    assert reply.logprobs == (
        TokenLogprob(token="cor", logprob=-0.25, top=(("cor", -0.25), ("in", -2.0))),
        TokenLogprob(token="rect", logprob=0.0),
    )


def test_effort_is_asked_for(speaker: Speaker) -> None:
    reply, asked = answered(
        speaker, Said(), question(reasoning="high", decoding={"max_tokens": 32})
    )
    match speaker.api:
        case "chat":
            assert asked.body["reasoning_effort"] == "high"
            limit = asked.body["max_tokens"]
        case "responses":
            assert asked.body["reasoning"] == {"effort": "high"}
            limit = asked.body["max_output_tokens"]
        case _:
            assert asked.body["output_config"] == {"effort": "high"}
            assert asked.body["thinking"] == {"type": "adaptive", "display": "summarized"}
            limit = asked.body["max_tokens"]
    assert limit == 32 + 8192  # thoughts count as reply
    assert reply.left_out == ()


def test_a_truncated_reply_says_so(speaker: Speaker) -> None:
    reply, _ = answered(speaker, Said(text="corr", finish="length"))
    assert (reply.text, reply.finish_reason) == ("corr", "length")


def test_a_refusal_of_the_model_is_a_reply(speaker: Speaker) -> None:
    reply, _ = answered(speaker, Said(refusal="I will not.", finish="refusal"))
    assert (reply.text, reply.finish_reason) == ("I will not.", "refusal")


def test_a_reply_of_no_words_is_empty(speaker: Speaker) -> None:
    reply, _ = answered(speaker, Said(text=""))
    assert (reply.text, reply.finish_reason) == ("", "stop")


def test_half_a_surrogate_pair_is_replaced(speaker: Speaker) -> None:
    reply, _ = answered(speaker, Said(text="half \ud800 pair", thought="\udfff"))
    assert reply.text == "half \N{REPLACEMENT CHARACTER} pair"
    assert reply.reasoning == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=400, code="content_filter", message="triggering content management policy"),
        Trouble(status=400, code="content_policy_violation", message="against the rules"),
        Trouble(status=400, code="invalid_prompt", message="flagged"),
        Trouble(status=400, message="Output blocked by content filtering policy"),
    ],
)
def test_what_the_provider_filters_is_answered_by_a_refusal(
    speaker: Speaker, trouble: Trouble
) -> None:
    reply, _ = answered(speaker, trouble, question(logprobs=1))
    assert (reply.text, reply.finish_reason) == ("", "content_filter")
    assert reply.seconds > 0
    assert reply.left_out == (("logprobs",) if speaker.api == "messages" else ())


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "kind", "retriable", "words"),
    [
        (Trouble(status=400, message="no such field"), "request", False, "no such field"),
        (Trouble(status=401, message=f"bad key {KEY}"), "key", False, "check JUDGE_KEY"),
        (Trouble(status=403), "key", False, "check JUDGE_KEY"),
        (Trouble(status=404, message="no model"), "not_found", False, "'judge'"),
        (Trouble(status=413), "too_long", False, "too long"),
        (Trouble(status=429), "rate_limit", True, "too many requests"),
        (Trouble(status=500), "server", True, "500"),
        (Trouble(status=503), "server", True, "503"),
        (Trouble(status=529), "server", True, "529"),
        (Trouble(status=504), "timeout", True, "504"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Trouble) else "",
)
def test_an_error_is_told_by_its_kind(
    speaker: Speaker, trouble: Trouble, kind: str, retriable: bool, words: str
) -> None:
    error = refused(speaker, trouble)
    assert (error.kind, error.retriable, error.status) == (kind, retriable, trouble.status)
    assert words in str(error)
    assert error.charged is None
    assert error.retry_after_s is None
    assert KEY not in str(error)


@pytest.mark.parametrize("status", [429, 503, 529])
def test_what_the_server_asks_to_wait_is_kept(speaker: Speaker, status: int) -> None:
    error = refused(speaker, Trouble(status=status, headers={"retry-after": "17"}))
    assert error.retry_after_s == 17.0


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=400, code="context_length_exceeded", message="maximum context length is 8"),
        Trouble(status=400, code="exceed_context_size_error", message="too large"),
        Trouble(status=400, message="prompt is too long: 210000 tokens > 200000 maximum"),
        Trouble(status=400, message="This model's maximum context length is 4096 tokens."),
        Trouble(status=400, message="the request exceeds the available context size"),
    ],
)
def test_a_question_that_is_too_long_is_told_apart(speaker: Speaker, trouble: Trouble) -> None:
    error = refused(speaker, trouble)
    assert (error.kind, error.retriable) == ("too_long", False)


@pytest.mark.parametrize(
    ("mode", "kind", "retriable", "charged"),
    [
        ("cut", "connection", True, True),
        ("cut_at_once", "connection", True, True),
        ("hang", "timeout", True, True),
        ("html", "bad_answer", False, True),
        ("wrong_shape", "bad_answer", False, True),
        ("not_an_object", "bad_answer", False, True),
    ],
)
def test_an_answer_that_is_none(
    speaker: Speaker, mode: str, kind: str, retriable: bool, charged: bool
) -> None:
    error = refused(speaker, MODES[mode], timeout_s=0.5 if mode == "hang" else 10.0)
    assert (error.kind, error.retriable) == (kind, retriable)
    assert error.charged == (Usage() if charged else None)


def test_half_an_answer_may_have_been_charged(speaker: Speaker) -> None:
    error = refused(speaker, lambda ask: half_json(speaker, ask))
    assert (error.kind, error.retriable, error.charged) == ("bad_answer", True, Usage())


def test_an_answer_without_content_was_charged_what_it_says(speaker: Speaker) -> None:
    error = refused(speaker, Reaction(payload=speaker.nothing()))
    assert error.kind == "bad_answer"
    assert error.charged is not None
    assert (error.charged.prompt_tokens, error.charged.completion_tokens) == (90, 0)


def test_gigabytes_are_not_read_to_their_end(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert http.MAX_ANSWER_BYTES == 32 << 20
    monkeypatch.setitem(HttpProvider.__init__.__kwdefaults__, "max_answer_bytes", 1 << 20)
    error = refused(speaker, Reaction(raw=b" " * 2_000_000))
    assert (error.kind, error.retriable) == ("bad_answer", False)
    assert "bytes in one answer" in str(error)


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(speaker: Speaker, status: int) -> None:
    error = refused(speaker, Reaction(status=status, headers={"location": "http://127.0.0.1:1/"}))
    assert not error.retriable
    assert "redirects to http://127.0.0.1:1/" in str(error)


def test_nobody_there_charges_nothing(speaker: Speaker) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = failed_at(speaker, f"http://127.0.0.1:{port}/v1")
    assert (error.kind, error.retriable, error.charged) == ("connection", True, None)
    assert "refused the connection" in str(error)


def test_half_a_surrogate_pair_cannot_be_sent(speaker: Speaker) -> None:
    error = refused(speaker, Said(), question("half \ud800 pair"))
    assert (error.kind, error.retriable, error.charged) == ("request", False, None)
    assert "surrogate" in str(error)


def test_scores_are_somebody_elses(speaker: Speaker) -> None:
    asked = ScoreRequest(provider="here", model="judge", messages=(), candidates=("a", "b"))

    async def run() -> None:
        await provider_at(speaker, "http://127.0.0.1:1/v1", key=None).complete(asked)

    with pytest.raises(CallError, match="local") as caught:
        asyncio.run(run())
    assert (caught.value.kind, caught.value.retriable) == ("request", False)


# Keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "echo",
    [
        Trouble(status=401, message=f"Incorrect key {KEY} \x1b[31m"),
        Reaction(status=500, raw=f"Bearer {KEY}".encode(), content_type="text/plain"),
        Reaction(raw=f"<p>{KEY}</p>".encode(), content_type="text/html"),
        Reaction(payload={"choices": KEY, "output": KEY, "content": KEY}),
    ],
    ids=["401", "500", "html", "shape"],
)
def test_a_key_that_the_server_repeats_is_not_repeated(
    speaker: Speaker, echo: Trouble | Reaction
) -> None:
    shown = str(refused(speaker, echo))
    assert "***" in shown
    assert KEY not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("mode", ["no_key", "overload", "html", "wrong_shape", "cut", "hang"])
def test_a_key_is_never_shown(
    speaker: Speaker, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = refused(speaker, MODES[mode], timeout_s=0.5)
    assert error.__context__ is None
    assert error.__cause__ is None
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [f for f in frames if "/judgebench/providers/" in f.f_code.co_filename]
    assert ours
    shown = "".join(repr(frame.f_locals) for frame in ours)
    shown += "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert KEY not in shown + caplog.text


def test_without_a_key_none_is_sent(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(variable, "from-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-from-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: from-the-environment")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "Authorization: from-the-environment")
    _, asked = answered(speaker, Said(), key=None)
    assert not {"authorization", "x-api-key"} & asked.headers.keys()
    assert "from-the-environment" not in repr(asked.headers)


def test_no_proxy_stands_before_this_machine(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    assert answered(speaker, Said())[0].text == "correct"


def test_a_key_that_is_wanted_and_not_given(speaker: Speaker) -> None:
    error = refused(speaker, Trouble(status=401), key=None)
    assert "none was given" in str(error)


# Inside the whole stack ---------------------------------------------------------------------------


def test_what_is_recorded_is_whole_and_not_asked_for_again(speaker: Speaker) -> None:
    replies = Remembered()
    asked = question(logprobs=1, decoding={"seed": 3, "stop": "x"})

    async def run(url: str) -> Reply:
        providers = Providers(replies)
        endpoint = Endpoint(
            provider=speaker.provider,
            model="judge",
            base_url=url,
            api_key=Secret(KEY),
            identity="here",
            provider_options=speaker.extras.get("provider_options", {}),
        )
        try:
            return await providers.get(endpoint).complete(asked)
        finally:
            await providers.close()

    with Loopback(speaking(speaker, Said(thought="Hm."))) as server:
        first = asyncio.run(run(server.url))
        again = asyncio.run(run(server.url))
        assert len(server.asks) == 1
    assert first == again == next(iter(replies.kept.values()))
    assert first.reasoning == "Hm."
    lost = {"responses": ("seed", "stop"), "messages": ("logprobs", "seed")}
    assert first.left_out == lost.get(speaker.api, ())


def failed_at(speaker: Speaker, url: str) -> CallError:
    async def run() -> None:
        provider = provider_at(speaker, url, key=Secret(KEY))
        try:
            await provider.complete(question())
        finally:
            await provider.close()

    with pytest.raises(CallError) as caught:
        asyncio.run(run())
    return caught.value
