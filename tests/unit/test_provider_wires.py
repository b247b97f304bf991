"""The three APIs as pure functions: what is cached, what is read, and that nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import CallError
from judgebench.providers.anthropic import MESSAGES
from judgebench.providers.capabilities import Capabilities
from judgebench.providers.http import Api, reply_of
from judgebench.providers.http_errors import Call, no_success, status_error
from judgebench.providers.openai import CHAT, RESPONSES
from judgebench.records import MOST_TOKENS, NOT_SAID, ChatRequest, Message, Reply, Usage
from judgebench.secret import Secret
from tests.table import over_rows
from tests.wire.strict import fault

WIRES: Mapping[str, Api] = {
    "chat": CHAT,
    "responses": RESPONSES,
    "messages": MESSAGES,
}
CACHED = {"type": "ephemeral"}


def read(api: Api, data: Any) -> Reply:
    return reply_of(api, data, Call("http://there", "m"))


def failed(api: Api, data: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        read(api, data)
    return caught.value


def chat(message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop", **choice}]}


# The prompt cache ---------------------------------------------------------------------------------


def sent(*messages: Message) -> dict[str, Any]:
    request = ChatRequest(provider="p", model="m", messages=messages)
    body, _ = MESSAGES.body(request, Capabilities())
    assert fault("messages", body) is None
    return body


def test_instructions_are_cached() -> None:
    body = sent(Message(role="system", content="Judge."), Message(role="user", content="q"))
    assert body["system"] == [{"type": "text", "text": "Judge.", "cache_control": CACHED}]
    assert body["messages"] == [{"role": "user", "content": "q"}]


def test_the_constant_start_of_a_question_is_cached() -> None:
    body = sent(Message(role="user", content="Rules. Now: x", constant=12))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "Rules. Now: ", "cache_control": CACHED},
        {"type": "text", "text": "x"},
    ]


def test_a_question_that_is_constant_altogether() -> None:
    body = sent(Message(role="user", content="Rules.", constant=99))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "Rules.", "cache_control": CACHED}
    ]


def test_no_more_marks_than_are_taken() -> None:
    turns = [Message(role="user", content=f"{i} x", constant=2) for i in range(6)]
    body = sent(Message(role="system", content="S"), *turns)
    assert json.dumps(body).count("cache_control") == 4


def test_several_instructions_are_one() -> None:
    body = sent(
        Message(role="system", content="A"),
        Message(role="user", content="q"),
        Message(role="system", content="B"),
    )
    assert body["system"][0]["text"] == "A\n\nB"
    assert [m["role"] for m in body["messages"]] == ["user"]


def test_constraints_that_a_grammar_cannot_hold_are_told_in_words() -> None:
    score = {"type": "integer", "minimum": 1, "maximum": 10, "description": "the score"}
    fields = {"score": score, "minimum": {"type": "string"}}
    schema = {"type": "object", "properties": fields, "anyOf": [{"maxLength": 3}]}
    request = ChatRequest(
        provider="p",
        model="m",
        messages=(Message(role="user", content="q"),),
        response_format={"type": "json_schema", "json_schema": {"name": "v", "schema": schema}},
    )
    body, left_out = MESSAGES.body(request, Capabilities())
    told = {"type": "integer", "description": "the score minimum: 1, maximum: 10"}
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {"score": told, "minimum": {"type": "string"}},
        "anyOf": [{"description": "maxLength: 3"}],
    }
    assert left_out == ()
    assert score["minimum"] == 1  # the judge's own schema stays whole


def test_json_without_a_schema_is_nothing_that_messages_have() -> None:
    request = ChatRequest(
        provider="p",
        model="m",
        messages=(Message(role="user", content="q"),),
        response_format={"type": "json_object"},
    )
    assert MESSAGES.body(request, Capabilities())[1] == ("response_format",)
    body, left_out = RESPONSES.body(request, Capabilities())
    assert (body["text"], left_out) == ({"format": {"type": "json_object"}}, ())


def test_nothing_is_kept_on_the_providers_side() -> None:
    request = ChatRequest(provider="p", model="m", messages=(Message(role="user", content="q"),))
    assert RESPONSES.body(request, Capabilities())[0]["store"] is False


# What is read -------------------------------------------------------------------------------------


@over_rows(
    ("content", "text", "reasoning"),
    [
        ("<think>Hm.</think>correct", "correct", "Hm."),
        ("\n<think>\nHm.\n</think>\n\ncorrect", "correct", "Hm."),
        ("<think></think>correct", "correct", ""),
        ("<think>It is correct", "", "It is correct"),
        ("<think>a</think>b</think>c", "b</think>c", "a"),
        ("I <think> so</think>", "I <think> so</think>", None),
    ],
)
def test_thoughts_in_the_text(content: str, text: str, reasoning: str | None) -> None:
    reply = read(CHAT, chat({"content": content}))
    assert (reply.text, reply.reasoning) == (text, reasoning)


def test_log_probabilities_are_those_of_what_was_said() -> None:
    words = ["<think>", "Hm", "</", "think>", "correct"]
    tokens = [{"token": word, "logprob": -1.0} for word in words]
    reply = read(CHAT, chat({"content": "".join(words)}, logprobs={"content": tokens}))
    assert reply.logprobs is not None
    assert [token.token for token in reply.logprobs] == ["correct"]
    open_ = chat({"content": "<think>Hm"}, logprobs={"content": tokens[:2]})
    assert read(CHAT, open_).logprobs == ()


@over_rows(
    ("stated", "meant"),
    [("stop", "stop"), ("length", "length"), ("eos", "stop"), ("function_call", "tool_calls"),
     ("content_filter", "content_filter"), ("odd", "odd"),
     ("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("", NOT_SAID),
     (None, NOT_SAID)],
)  # fmt: skip
def test_how_a_completion_ended(stated: str | None, meant: str | None) -> None:
    assert read(CHAT, chat({"content": "x"}, finish_reason=stated)).finish_reason == meant


@over_rows(
    ("stated", "meant"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_how_a_message_ended(stated: str, meant: str) -> None:
    data = {"content": [{"type": "text", "text": "x"}], "stop_reason": stated}
    assert read(MESSAGES, data).finish_reason == meant


def test_a_refusal_without_words_is_explained() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    data = {"content": [], "stop_reason": "refusal", "stop_details": details}
    reply = read(MESSAGES, data)
    assert (reply.text, reply.finish_reason) == ("Not this.", "refusal")


def test_what_anthropic_counts_apart_is_added() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}
    reply = read(MESSAGES, {"content": [], "usage": usage | {"output_tokens": 5}})
    assert reply.usage == Usage(
        prompt_tokens=93, cached_tokens=70, cache_write_tokens=20, completion_tokens=5
    )
    assert read(MESSAGES, {"content": []}).usage == Usage()


def test_an_answer_that_breaks_off_on_the_server_is_no_reply() -> None:
    for reason in ("error", "abort"):
        error = failed(CHAT, chat({"content": "corr"}, finish_reason=reason))
        assert (error.kind, error.retriable, error.charged) == ("server", True, Usage())
    for status in ("failed", "cancelled"):
        error = failed(RESPONSES, {"status": status, "output": []})
        assert (error.kind, error.retriable) == ("server", True)


@over_rows(
    ("code", "kind", "retriable"),
    [("server_error", "server", True), ("rate_limit_exceeded", "rate_limit", True),
     ("image_too_large", "request", False)],
)  # fmt: skip
def test_a_response_that_failed(code: str, kind: str, retriable: bool) -> None:
    data = {"status": "failed", "error": {"code": code, "message": "why"}, "output": []}
    error = failed(RESPONSES, data)
    assert (error.kind, error.retriable) == (kind, retriable)
    assert "why" in str(error)


def test_a_response_that_was_filtered() -> None:
    failed_ = {"status": "failed", "error": {"code": "invalid_prompt", "message": "flagged"}}
    assert read(RESPONSES, failed_).finish_reason == "content_filter"
    cut = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
    assert read(RESPONSES, cut).finish_reason == "content_filter"


def test_a_response_that_thought_until_its_limit() -> None:
    thoughts = [{"type": "reasoning", "summary": [], "content": [{"text": "Hm."}]}]
    data = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": thoughts,
    }
    reply = read(RESPONSES, data)
    assert (reply.text, reply.finish_reason, reply.reasoning) == ("", "length", "Hm.")


def test_an_error_of_anthropic_under_a_success() -> None:
    error = {"type": "overloaded_error", "message": "busy"}
    caught = failed(MESSAGES, {"type": "error", "error": error})
    assert (caught.status, caught.retriable) == (529, True)


WORDS = st.sampled_from(
    ["incomplete", "completed", "message", "output_text", "reasoning", "refusal", "thinking",
     "text", "error", "stop", "\ud800"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "content", "finish_reason", "logprobs", "usage", "model",
             "output", "type", "text", "status", "error", "summary", "stop_reason", "token",
             "logprob", "top_logprobs", "thinking", "input_tokens", "code", "reasoning",
             "incomplete_details", "stop_details", "refusal", "prompt_tokens_details"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@over_rows(
    ("api", "data"),
    [
        ("chat", {"choices": [[]]}),
        ("chat", {"choices": [{"message": {"content": ["x"]}}]}),
        ("chat", chat({"content": "x"}, logprobs={"content": [{"token": "x"}]})),
        ("responses", {"output": {"type": "message"}}),
        ("responses", {"output": [None]}),
        ("responses", {"output": [{"type": "reasoning", "summary": "all"}]}),
        ("responses", {"output": [{"type": "message", "content": [{"logprobs": 5}]}]}),
        ("responses", {"status": "incomplete", "incomplete_details": [1], "output": []}),
        ("messages", {"content": "correct"}),
        ("messages", {"content": [{"type": "text", "text": 5}]}),
        ("messages", {"content": [], "stop_reason": 5}),
    ],
)
def test_a_field_of_another_kind_is_an_error(api: str, data: dict[str, Any]) -> None:
    error = failed(WIRES[api], data)
    assert (error.kind, error.retriable) == ("bad_answer", False)
    assert "answered JSON that is no" in str(error)


@pytest.mark.parametrize("api", sorted(WIRES))
@given(data=JSON)
def test_any_json_is_a_reply_or_a_failed_call(api: str, data: Any) -> None:
    try:
        reply = read(WIRES[api], data)
    except CallError as error:
        assert str(error).isprintable()
        return
    assert "\ud800" not in reply.text
    for count in (reply.usage.prompt_tokens, reply.usage.completion_tokens):
        assert count is None or 0 <= count <= MOST_TOKENS


def test_parts_of_a_question_that_are_too_many_together_are_not_known() -> None:
    usage = {"input_tokens": MOST_TOKENS, "cache_read_input_tokens": MOST_TOKENS}
    reply = read(MESSAGES, {"content": [], "usage": usage})
    assert reply.usage == Usage(cached_tokens=MOST_TOKENS)


def test_only_numbers_that_are_none_of_tokens_are_told() -> None:
    odd = {"prompt_tokens": -1, "completion_tokens": 2.5, "total_tokens": 1e300, "cost": 0.001}
    note = read(CHAT, chat({"content": "x"}) | {"usage": odd}).note
    assert note is not None and "(completion_tokens, prompt_tokens, total_tokens)" in note
    fine = {"prompt_tokens": 1, "completion_tokens": None, "queue_time": 0.5}
    assert read(CHAT, chat({"content": "x"}) | {"usage": fine}).note is None


def test_a_log_probability_that_no_float_holds_is_none() -> None:
    logprobs = {"content": [{"token": "x", "logprob": -(10**400)}]}
    error = failed(CHAT, chat({"content": "x"}, logprobs=logprobs))
    assert "a token without a finite log-probability" in str(error)


# Errors -------------------------------------------------------------------------------------------


def no(status: int, error: Any, key: Secret | None = None, variable: str | None = None) -> Any:
    body = json.dumps(error).encode()
    return no_success(status, {}, body, Call("http://there", "m", key, variable))


@over_rows(
    ("status", "error"),
    [
        (429, {"error": {"code": "insufficient_quota", "message": "over your quota"}}),
        (400, {"error": {"type": "invalid_request_error",
                         "message": "Your credit balance is too low to access the API"}}),
        (402, {"error": {"type": "billing_error", "message": "pay"}}),
    ],
)  # fmt: skip
def test_no_credit_is_told_as_that(status: int, error: Any) -> None:
    failed_ = no(status, error)
    assert (failed_.kind, failed_.retriable) == ("key", False)
    assert "credit" in str(failed_)


def test_a_model_that_is_not_there_under_another_status() -> None:
    failed_ = no(400, {"error": {"code": "model_not_found", "message": "no"}})
    assert failed_.kind == "not_found"
    assert "'m'" in str(failed_)


@over_rows(
    ("key", "variable", "words"),
    [
        (Secret("k", variable="MINE"), "OPENAI_API_KEY", "check MINE"),
        (Secret("k"), "OPENAI_API_KEY", "check OPENAI_API_KEY"),
        (Secret("k"), None, "the variable that the suite's api_key names"),
        (None, "OPENAI_API_KEY", "export OPENAI_API_KEY="),
        (None, None, "api_key: ${OPENAI_API_KEY}"),
    ],
)
def test_a_refused_key_names_its_variable(
    key: Secret | None, variable: str | None, words: str
) -> None:
    assert words in str(no(401, {"error": "no"}, key, variable))


def test_a_filter_of_azure() -> None:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    reply = no(400, {"error": {"code": "x", "message": "filtered", "innererror": inner}})
    assert reply == Reply(text="", finish_reason="content_filter")


def test_an_error_as_google_words_it() -> None:
    said = {"code": 400, "message": "API key not valid. Please pass a valid API key."}
    failed_ = no(400, [{"error": said}], Secret("a-key-of-google", variable="MINE"))
    assert (failed_.kind, failed_.retriable) == ("key", False)
    assert "API key not valid. Please pass a valid API key. (the key was" in str(failed_)
    assert "check MINE" in str(failed_)


@given(status=st.integers(300, 599), body=st.binary(max_size=200))
def test_any_answer_without_success_is_put_into_words(status: int, body: bytes) -> None:
    error = status_error(status, {}, body, Call("http://there", "m"))
    assert str(status) in str(error)
    assert str(error).isprintable()
