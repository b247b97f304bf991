"""OpenAI: Chat Completions, Responses where the model needs them, and batches of either.

Chat Completions are what vLLM, llama.cpp, Ollama and most gateways speak too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import refuse_unknown
from judgebench.providers import base
from judgebench.providers.batch import (
    Absent,
    Batches,
    Found,
    Standing,
    Trace,
    Unanswered,
    custom_id,
    text_of,
    written,
)
from judgebench.providers.capabilities import Capabilities
from judgebench.providers.http import Api, OfficialProvider, ProviderInfo, supported_params
from judgebench.providers.http_errors import excerpt
from judgebench.records import (
    NOT_SAID,
    ChatRequest,
    JsonObject,
    Message,
    Request,
    TokenLogprob,
)

INFO = ProviderInfo(
    name="openai",
    official="https://api.openai.com/v1",
    variables="OPENAI",
    environment={"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"},
    options=frozenset({"api"}),
)
NOTE = "judgebench"
"""The field of a batch's metadata that holds our token."""

_APIS = ("auto", "chat", "responses")


def make(endpoint: Endpoint) -> OfficialProvider:
    """The provider ``openai``.

    Without a ``base_url`` it is at ``OPENAI_BASE_URL``, or else at OpenAI's own address, and the
    key is ``OPENAI_API_KEY`` unless the suite names another. That variable's key never travels to
    an address that a suite gives. ``provider_options`` may hold ``api``: ``chat``, ``responses``,
    or ``auto`` for what the model needs.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    return OfficialProvider(INFO, _with_api(endpoint), api_for, ("openai", "AsyncOpenAI"))


def batches(endpoint: Endpoint, **more: Any) -> OpenAIBatches:
    """OpenAI's batches, or those of a server that speaks like it."""
    return OpenAIBatches(INFO, _with_api(endpoint), api_for, **more)


def api_for(takes: Capabilities) -> Api:
    return RESPONSES if takes.api == "responses" else CHAT


def _with_api(endpoint: Endpoint) -> Endpoint:
    """The API that the suite names is one more thing that it says of the model."""
    api = endpoint.provider_options.get("api", "auto")
    refuse_unknown("api", [str(api)], _APIS, about="provider_options: ")
    if api == "auto":
        return endpoint
    return endpoint.model_copy(update={"capabilities": {**endpoint.capabilities, "api": api}})


# Chat Completions -------------------------------------------------------------------------------

_THINK, _THINK_END = "<think>", "</think>"
_BROKEN = frozenset({"error", "abort", "insufficient_system_resource"})
#: In the words of other servers that speak so, some of them in capitals.
_FINISH = {
    "function_call": "tool_calls", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop",
    "end_turn": "stop", "complete": "stop", "max_tokens": "length", "model_length": "length",
    "safety": "content_filter", "recitation": "content_filter", "blocklist": "content_filter",
    "prohibited_content": "content_filter", "spii": "content_filter",
}  # fmt: skip


def _tokens(question: str, reply: str) -> dict[str, tuple[str]]:
    """Its two APIs differ in how they call question and reply."""
    return {
        "prompt_tokens": (f"{question}_tokens",),
        "completion_tokens": (f"{reply}_tokens",),
        "cached_tokens": (f"{question}_tokens_details.cached_tokens",),
        "reasoning_tokens": (f"{reply}_tokens_details.reasoning_tokens",),
        "cache_write_tokens": (f"{question}_tokens_details.cache_write_tokens",),
    }


class Chat:
    """Chat Completions.

    Reasoning is kept apart, whether the server does that itself or sends it in ``<think>`` at the
    start of the text; reasoning that never closes leaves no text.
    """

    name = "chat completion"
    path = "/chat/completions"
    tokens: Mapping[str, Sequence[str]] = _tokens("prompt", "completion")

    def body(
        self, request: ChatRequest, takes: Capabilities
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        asked = supported_params(request, takes)
        moved = takes.system == "user" and any(m.role == "system" for m in request.messages)
        named = {"system": takes.system}  # the role of instructions that the model knows
        messages = [
            {"role": named.get(m.role, m.role), "content": m.content} for m in request.messages
        ]
        if moved:
            messages = _opened(request.messages)
        sent: dict[str, Any] = {"model": request.model, "messages": messages, **asked.decoding}
        if asked.limit is not None:
            sent[takes.max_tokens_name or asked.limit] = asked.reply_tokens
        if asked.effort is not None:
            sent["reasoning_effort"] = asked.effort
        if asked.logprobs is not None:
            sent["logprobs"] = True
            if asked.logprobs:
                sent["top_logprobs"] = asked.logprobs
        if asked.response_format is not None:
            sent["response_format"] = asked.response_format
        left_out = asked.left_out | ({"system"} if moved else set())
        return sent | dict(request.extra), tuple(sorted(left_out))

    def read(self, answer: dict[str, Any], where: str) -> dict[str, Any]:
        choices = base.member(answer, "choices", list)
        if not choices:
            raise base.BrokenError(
                f"{where} answered without choices; the answer may have been filtered"
            )
        message = base.member(choices[0], "message", dict)
        finish_reason = (base.member(choices[0], "finish_reason") or NOT_SAID).lower()
        if finish_reason in _BROKEN:
            raise base.BrokenError(
                f"{where} broke its answer off ({finish_reason}); asking again may help", "server"
            )
        refusal = base.member(message, "refusal")
        thought, said = None, base.member(message, "content") or ""
        if said.lstrip().startswith(_THINK):
            inside, _, after = said.lstrip().removeprefix(_THINK).partition(_THINK_END)
            thought, said = inside.strip(), after.lstrip()
        listed = choices[0].get("logprobs")
        listed = listed.get("content") if isinstance(listed, dict) else None
        logprobs = base.token_logprobs(listed) if listed is not None else None
        stated = base.member(message, "reasoning_content") or base.member(message, "reasoning")
        return {
            "text": said or refusal or "",
            "finish_reason": "refusal" if refusal else _FINISH.get(finish_reason, finish_reason),
            "reasoning": stated or thought,
            "logprobs": logprobs if thought is None else _after_thoughts(logprobs),
        }

    def status(self, error: Any) -> int:
        """Some gateways send an error of the model's host under the status 200."""
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, int) and 300 <= code < 600 else 500


def _opened(messages: Collection[Message]) -> list[dict[str, str]]:
    """The messages for a model that knows no instructions: they open the first user message."""
    rest = [{"role": m.role, "content": m.content} for m in messages if m.role != "system"]
    if not rest or rest[0]["role"] != "user":
        rest.insert(0, {"role": "user", "content": ""})
    parts = [*(m.content for m in messages if m.role == "system"), rest[0]["content"]]
    rest[0]["content"] = "\n\n".join(filter(None, parts))
    return rest


def _after_thoughts(
    logprobs: tuple[TokenLogprob, ...] | None,
) -> tuple[TokenLogprob, ...] | None:
    """The tokens of what was said, where those of the thoughts stand before them."""
    so_far = ""
    for i, token in enumerate(logprobs or ()):
        so_far += token.token
        if _THINK_END in so_far:
            return (logprobs or ())[i + 1 :]
    return None if logprobs is None else ()


# Responses --------------------------------------------------------------------------------------

_KNOWN = frozenset({"temperature", "top_p", "service_tier", "verbosity"})
_LEAST_TOKENS = 16
_STATUS_OF_CODE = {"server_error": 500, "rate_limit_exceeded": 429}
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Responses:
    """Responses; their reasoning is what is summarised, and nothing is kept there: no ``store``.

    They have no ``seed``, ``stop`` or penalties, so these are always left out, and take no limit
    on a reply below 16 tokens, so that a lower one is raised.
    """

    name = "response"
    path = "/responses"
    tokens: Mapping[str, Sequence[str]] = _tokens("input", "output")

    def body(
        self, request: ChatRequest, takes: Capabilities
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        asked = supported_params(request, takes)
        sent: dict[str, Any] = {
            "model": request.model,
            "input": [
                {"role": "developer" if m.role == "system" else m.role, "content": m.content}
                for m in request.messages
            ],
            "store": False,
            **{name: value for name, value in asked.decoding.items() if name in _KNOWN},
        }
        limit = asked.reply_tokens
        if limit is not None:  # what is no number is the server's to refuse
            least = max(limit, _LEAST_TOKENS) if isinstance(limit, int) else limit
            sent["max_output_tokens"] = least
        if asked.effort is not None:
            sent["reasoning"] = {"effort": asked.effort}
        if asked.logprobs is not None:
            sent |= {"include": ["message.output_text.logprobs"], "top_logprobs": asked.logprobs}
        if asked.response_format is not None:
            sent["text"] = {"format": _text_format(asked.response_format)}
        left_out = asked.left_out | (asked.decoding.keys() - _KNOWN)
        return sent | dict(request.extra), tuple(sorted(left_out))

    def read(self, answer: dict[str, Any], where: str) -> dict[str, Any]:
        status = base.member(answer, "status")
        if status in {"failed", "cancelled"}:
            raise base.BrokenError(
                f"{where} says that its answer {status}; asking again may help", "server"
            )
        finish_reason = "stop" if status == "completed" else status or NOT_SAID
        if status == "incomplete":
            details = base.as_object(answer.get("incomplete_details") or {})
            reason = base.member(details, "reason")
            finish_reason = _INCOMPLETE.get(reason or "", reason or NOT_SAID)
        output = base.objects(answer, "output")
        said = [
            part
            for item in output
            if item.get("type") == "message"
            for part in base.objects(item, "content")
        ]
        if not said and finish_reason == "stop":
            raise base.BrokenError(f"{where} answered without a message; asking again may help")
        refusal = base.joined(said, "refusal", "refusal")
        tokens = [t for p in said if p.get("logprobs") for t in base.member(p, "logprobs", list)]
        return {
            "text": base.joined(said, "output_text", "text") or refusal,
            "finish_reason": "refusal" if refusal else finish_reason,
            "reasoning": _thoughts(output),
            "logprobs": base.token_logprobs(tokens) if tokens else None,
        }

    def status(self, error: Any) -> int:
        code = error.get("code") if isinstance(error, dict) else None
        return _STATUS_OF_CODE.get(str(code), 400)


def _text_format(response_format: JsonObject) -> JsonObject:
    """Chat completions nest the schema one level deeper."""
    schema = response_format.get("json_schema")
    if response_format.get("type") != "json_schema" or not isinstance(schema, Mapping):
        return response_format
    return {"type": "json_schema", **schema}


def _thoughts(output: list[dict[str, Any]]) -> str | None:
    """Summaries of the reasoning, or the reasoning where the server shows it."""
    thoughts: list[str] = []
    for item in output:
        if item.get("type") == "reasoning":
            shown = item.get("summary") or item.get("content") or []
            parts = base.objects({"reasoning": shown}, "reasoning")
            thoughts += [words for part in parts if (words := base.member(part, "text"))]
    return "\n\n".join(thoughts) or None


CHAT, RESPONSES = Chat(), Responses()

# Batches ----------------------------------------------------------------------------------------

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_UNASKED: Mapping[str, Unanswered] = {"batch_expired": "expired", "batch_cancelled": "cancelled"}
_LATEST_S = 253_402_300_799
"""The last second that a date can name."""


class OpenAIBatches(Batches):
    """A file of questions in, a file of answers and one of errors out. A batch has one endpoint.

    A batch carries our token in its metadata. A file that was uploaded for a batch that then was
    not made stays with the provider until it expires there.
    """

    MAX_REQUESTS = 50_000
    MAX_BYTES = 200_000_000
    PATH = "/batches"

    def submit(self, token: str, requests: Mapping[bytes, Request]) -> str:
        with TemporaryFile() as file:
            kind = ""
            for key, request in requests.items():
                kind, entry = self.entry(token, key, request)
                file.write(written(entry) + b"\n")
            named = (f"{NOTE}-{token}.jsonl", file, "application/jsonl")
            uploaded = self.client.ask(
                "POST", "/files", files={"file": named}, data={"purpose": "batch"}
            )
        body = {
            "completion_window": "24h",
            "endpoint": kind,
            "input_file_id": text_of(uploaded, "id", self.client.call),
            "metadata": {NOTE: token},
        }
        return self.client.make(self.PATH, json=body)

    def find(self, token: str, total: int, *, others: Collection[str] = ()) -> Trace:
        for batch in self.client.pages(self.PATH, "after", 100):
            if (batch.get("metadata") or {}).get(NOTE) == token:
                return Found(batch["id"])
        return Absent()

    def standing(self, batch: Mapping[str, Any]) -> Standing:
        counts = batch.get("request_counts")
        done, failed = base.count(counts, "completed"), base.count(counts, "failed")
        word = text_of(batch, "status", self.client.call)
        return Standing(
            word=word,
            ended=word in _ENDED,
            cancelled=word == "cancelled",
            done=None if done is None else done + (failed or 0),
            total=base.count(counts, "total") or None,
            expires=base.count(batch, "expires_at", most=_LATEST_S),
            refusal=self._refusal(batch) if word == "failed" else None,
        )

    def result_paths(self, remote_id: str) -> list[str]:
        batch = self.looked_up(remote_id)
        files = [batch.get(name) for name in ("output_file_id", "error_file_id")]
        return [f"/files/{file_id}/content" for file_id in files if file_id]

    def entry(self, token: str, key: bytes, request: Request) -> tuple[str, dict[str, Any]]:
        api, body, _ = self.posed(request)
        url = f"/v1{api.path}"
        line_id = custom_id(token, key)
        return url, {"custom_id": line_id, "method": "POST", "url": url, "body": body}

    def outcome(self, content: dict[str, Any]) -> tuple[int, Any] | Unanswered | None:
        response, error = content.get("response"), content.get("error")
        if isinstance(response, dict):
            status = response.get("status_code")
            return status if isinstance(status, int) else 200, response.get("body")
        code = error.get("code") if isinstance(error, dict) else None
        return _UNASKED.get(str(code))

    def _refusal(self, batch: Mapping[str, Any]) -> str:
        """Why the batch was refused, in the provider's words: the first few reasons."""
        reasons = (batch.get("errors") or {}).get("data") or []
        said = json.dumps(reasons[:3], ensure_ascii=False) if reasons else "no reason given"
        return excerpt(said, 300, self.address.key)
