"""What each family of models takes, and that what it does not take is left out and named."""

from __future__ import annotations

import pytest

from judgebench.errors import CallError, ConfigError
from judgebench.providers.anthropic import MESSAGES
from judgebench.providers.capabilities import Capabilities, checked, for_request, reasoning_room
from judgebench.providers.openai import CHAT, RESPONSES
from judgebench.records import ChatRequest, Message
from tests.table import over_rows
from tests.wire.strict import fault

SETTINGS = {
    "temperature": 0,
    "top_p": 0.9,
    "frequency_penalty": 0.1,
    "seed": 7,
    "stop": "\n",
    "max_tokens": 32,
}
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "v", "schema": SCHEMA}}


def asked(model: str, **fields: object) -> ChatRequest:
    messages = (Message(role="system", content="Judge."), Message(role="user", content="q"))
    given = {"decoding": SETTINGS, "logprobs": 5, "response_format": FORMAT} | fields
    return ChatRequest(provider="p", model=model, messages=messages, **given)  # type: ignore[arg-type]


@over_rows(
    ("model", "left_out"),
    [
        ("gpt-3.5-turbo-0125", ("response_format",)),
        ("gpt-4", ("response_format",)),
        ("gpt-4-0613", ("response_format",)),
        ("gpt-4-1106-preview", ("response_format",)),
        ("gpt-4-turbo-2024-04-09", ("response_format",)),
        ("gpt-4o-2024-05-13", ("response_format",)),
        ("gpt-4o-2024-08-06", ()),
        ("openai/gpt-4o-mini", ()),
        ("ft:gpt-4o-mini-2024-07-18:org::id", ()),
        ("gpt-4.1-nano", ()),
        ("gpt-5.1", ("frequency_penalty", "stop")),
        ("gpt-5.4-mini", ("frequency_penalty", "stop")),
        ("o3-mini", ("frequency_penalty", "logprobs", "stop", "temperature", "top_p")),
        (
            "ft:o4-mini-2025-04-16:o",
            ("frequency_penalty", "logprobs", "stop", "temperature", "top_p"),
        ),
        ("gpt-5-mini", ("frequency_penalty", "logprobs", "stop", "temperature", "top_p")),
        ("gpt-5.5", ("frequency_penalty", "logprobs", "stop", "temperature", "top_p")),
        ("gpt-6.2-astra", ("frequency_penalty", "logprobs", "stop", "temperature", "top_p")),
        ("something-of-my-own", ()),
    ],
)
def test_chat_models_of_openai(model: str, left_out: tuple[str, ...]) -> None:
    request = asked(model)
    takes = for_request(request, "openai")
    assert takes.api == "chat"
    body, named = CHAT.body(request, takes)
    assert named == left_out
    assert not set(named) & body.keys()
    assert fault("chat", body) is None


@over_rows(
    ("model", "effort", "left_out", "thinks"),
    [
        ("gemini-2.0-flash", None, (), False),
        ("gemini-2.5-flash", None, (), True),
        ("gemini-2.5-flash", "none", (), False),
        ("gemini-2.5-pro", "none", ("reasoning",), True),
        ("gemini-3.5-flash", "minimal", (), True),
    ],
)
def test_gemini_refuses_names_that_it_does_not_know(
    model: str, effort: str | None, left_out: tuple[str, ...], thinks: bool
) -> None:
    """As its address for chat completions does: ``Unknown name "seed": Cannot find field``."""
    request = asked(model, reasoning=effort)
    takes = for_request(request, "gemini")
    body, named = CHAT.body(request, takes)
    assert named == tuple(sorted(("frequency_penalty", "logprobs", "seed", *left_out)))
    assert not {"frequency_penalty", "seed", "logprobs"} & body.keys()
    assert body["temperature"] == 0
    assert body["max_tokens"] == (32 + 8192 if thinks else 32)
    assert fault("chat", body) is None


@over_rows("model", ["o1-pro", "gpt-5-pro", "gpt-5.2-pro-2025-12-11", "gpt-5.3-codex"])
def test_models_that_only_responses_has(model: str) -> None:
    request = asked(model)
    takes = for_request(request, "openai")
    assert takes.api == "responses"
    body, named = RESPONSES.body(request, takes)
    assert {"temperature", "logprobs", "seed", "stop", "frequency_penalty"} <= set(named)
    assert fault("responses", body) is None


@over_rows(
    ("model", "left_out"),
    [
        ("claude-3-5-sonnet-20241022", ("response_format",)),
        ("claude-sonnet-4-20250514", ("response_format",)),
        ("claude-haiku-4-5", ()),
        ("claude-opus-4-6", ()),
        ("claude-opus-4-8", ("temperature", "top_p")),
        ("claude-sonnet-5", ("temperature", "top_p")),
        ("claude-opus-5-5", ("temperature", "top_p")),
        ("claude-of-next-year", ("temperature", "top_p")),
        ("a-local-model", ()),
    ],
)
def test_claude_models(model: str, left_out: tuple[str, ...]) -> None:
    request = asked(model)
    body, named = MESSAGES.body(request, for_request(request, "anthropic"))
    assert set(named) == {*left_out, "frequency_penalty", "logprobs", "seed"}
    assert fault("messages", body, {"temperature", "top_p"}) is None


def test_sampling_goes_where_thinking_begins() -> None:
    """The same model takes a temperature while it does not reason."""
    for model, provider in (("gpt-5.4", "openai"), ("claude-opus-4-6", "anthropic")):
        still = for_request(asked(model), provider)
        assert still.temperature
        assert not still.reasons
        thinking = for_request(asked(model, reasoning="high"), provider)
        assert not thinking.temperature
        assert thinking.reasons
        assert for_request(asked(model, reasoning="none"), provider).temperature


@over_rows(
    ("model", "effort", "sent"),
    [
        ("gpt-5", "minimal", True),
        ("gpt-5", "none", False),
        ("gpt-5.1", "minimal", False),
        ("gpt-5.2", "xhigh", True),
        ("gpt-5.1", "xhigh", False),
        ("gpt-4o", "low", False),
        ("o3", "high", True),
        ("something-of-my-own", "whatever", True),
    ],
)
def test_efforts(model: str, effort: str, sent: bool) -> None:
    request = asked(model, reasoning=effort)
    body, left_out = CHAT.body(request, for_request(request, "openai"))
    assert (body.get("reasoning_effort") == effort) is sent
    assert ("reasoning" in left_out) is not sent


def test_the_one_effort_that_chat_refuses_goes_by_responses() -> None:
    assert for_request(asked("gpt-6-sol", reasoning="xhigh"), "openai").api == "chat"
    assert for_request(asked("gpt-6-sol", reasoning="max"), "openai").api == "responses"


def test_a_model_that_may_not_think_is_told_so() -> None:
    request = asked("claude-opus-4-8", reasoning="none")
    body, left_out = MESSAGES.body(request, for_request(request, "anthropic"))
    assert body["thinking"] == {"type": "disabled"}
    assert "effort" not in body["output_config"]
    assert "reasoning" not in left_out
    always = asked("claude-opus-5-5", reasoning="none")
    body, left_out = MESSAGES.body(always, for_request(always, "anthropic"))
    assert "thinking" not in body
    assert "reasoning" in left_out


def test_effort_without_thinking() -> None:
    request = asked("claude-opus-4-5", reasoning="low")
    body, _ = MESSAGES.body(request, for_request(request, "anthropic"))
    assert body["output_config"]["effort"] == "low"
    assert "thinking" not in body
    assert body["temperature"] == 0


@over_rows(
    ("limit", "room"), [(1, 8192), (32, 8192), (64, 16_384), (128, 32_768), (10_000, 32_768)]
)
def test_thoughts_do_not_eat_the_verdicts_room(limit: int, room: int) -> None:
    assert reasoning_room(limit) == room
    request = asked("o3", decoding={"max_tokens": limit})
    body, _ = CHAT.body(request, for_request(request, "openai"))
    assert body["max_completion_tokens"] == limit + room
    assert "max_tokens" not in body


def test_a_limit_keeps_the_name_that_the_suite_gave_it_where_nothing_is_known() -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        request = asked("x", decoding={name: 5})
        body, _ = CHAT.body(request, for_request(request, "openai_compatible"))
        assert body[name] == 5
        assert len({"max_tokens", "max_completion_tokens"} & body.keys()) == 1


def test_messages_demand_a_limit() -> None:
    request = asked("claude-haiku-4-5", decoding={})
    body, _ = MESSAGES.body(request, for_request(request, "anthropic"))
    assert body["max_tokens"] == Capabilities().default_reply_tokens
    thinking = asked("claude-opus-5-5", decoding={})
    body, _ = MESSAGES.body(thinking, for_request(thinking, "anthropic"))
    assert body["max_tokens"] > Capabilities().default_reply_tokens


def test_responses_take_no_limit_below_sixteen() -> None:
    for limit, sent in ((4, 16), (16, 16), (40, 40)):
        body, _ = RESPONSES.body(asked("m", decoding={"max_tokens": limit}), Capabilities())
        assert body["max_output_tokens"] == sent


def test_no_more_alternatives_than_there_are() -> None:
    request = asked("gpt-4o", logprobs=50)
    body, left_out = CHAT.body(request, for_request(request, "openai"))
    assert body["top_logprobs"] == 20
    assert left_out == ("top_logprobs",)


def test_the_role_of_instructions() -> None:
    def roles(takes: Capabilities) -> list[str]:
        body, _ = CHAT.body(asked("m"), takes)
        return [message["role"] for message in body["messages"]]

    assert roles(Capabilities()) == ["system", "user"]
    assert roles(for_request(asked("o3"), "openai")) == ["developer", "user"]
    body, left_out = CHAT.body(asked("m"), Capabilities(system="user"))
    assert body["messages"] == [{"role": "user", "content": "Judge.\n\nq"}]
    assert left_out == ("system",)


def test_a_conversation_that_begins_with_the_model_gets_its_instructions_before() -> None:
    messages = (Message(role="system", content="S"), Message(role="assistant", content="a"))
    request = ChatRequest(provider="p", model="m", messages=messages)
    body, _ = CHAT.body(request, Capabilities(system="user"))
    assert [m["content"] for m in body["messages"]] == ["S", "a"]


def test_json_objects_where_schemas_are_not_kept_to() -> None:
    request = asked("gpt-4-turbo", response_format={"type": "json_object"})
    body, left_out = CHAT.body(request, for_request(request, "openai"))
    assert body["response_format"] == {"type": "json_object"}
    assert left_out == ()


def test_a_suite_has_the_last_word() -> None:
    request = asked("o3")
    takes = for_request(request, "openai", {"temperature": True, "api": "responses"})
    assert takes.temperature
    assert takes.api == "responses"
    assert not for_request(asked("m"), "openai_compatible", {"seed": False}).seed


def test_overrides_are_checked() -> None:
    assert checked(None) == {}
    assert checked({"reasoning": ["low", "high"], "seed": False}) == {
        "reasoning": ("low", "high"),
        "seed": False,
    }
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        checked({"temprature": False})
    with pytest.raises(ConfigError, match=r"capabilities\.api: .*'chat' or 'responses'"):
        checked({"api": "completions"})
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        for_request(asked("m"), "openai", {"seeed": False})


@over_rows("name", ["model", "messages", "input", "system", "stream", "n"])
def test_what_judgebench_sets_cannot_be_set(name: str) -> None:
    for wire in (CHAT, RESPONSES, MESSAGES):
        for place in ("decoding", "extra"):
            with pytest.raises(CallError, match=name) as caught:
                wire.body(asked("m", **{place: {name: 2}}), Capabilities())
            assert caught.value.kind == "request"


def test_what_is_extra_is_sent_as_it_is() -> None:
    request = asked("m", extra={"cache_prompt": False, "max_tokens": 1, "store": True})
    for wire in (CHAT, RESPONSES, MESSAGES):
        body, _ = wire.body(request, Capabilities())
        assert (body["cache_prompt"], body["max_tokens"], body["store"]) == (False, 1, True)
