"""Every provider there is, each with questions that it can answer and some that it cannot.

The model of a provider on this machine is a random one of a few thousand weights, the server of the
others is scripted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.config import Endpoint
from judgebench.errors import CallError
from judgebench.protocols import Provider
from judgebench.providers.litellm import LiteLlm
from judgebench.records import (
    ChatRequest,
    FailureKind,
    Message,
    Reply,
    Request,
    ScoreRequest,
    Usage,
)
from judgebench.secret import Secret
from tests.loopback import Ask, Loopback, Reaction
from tests.scripted import Scripted
from tests.tiny_models import save_causal, save_classifier
from tests.wire.asking import KEY, provider_at
from tests.wire.litellm_stand_in import StandIn
from tests.wire.speakers import SPEAKERS, Said, Speaker, Trouble, speaking

FAILS = "fails" * 60
"""A question that no model here takes: for the tiny ones it is too long."""

Made = Callable[[], Provider]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A provider under test.

    provider
        Its name.
    opened
        Makes as many of it as are wanted, given a folder for what it needs.
    kinds
        The kinds of question that it answers, each from a text.
    failure
        How the question `FAILS` ends; None where no question does.
    prompt_tokens
        Of a hundred letters more in a question; None where they are estimated.
    reply_tokens
        Of a reply; None where there is no saying.
    untaken
        Questions with settings that it does not take, and the names of these.
    draws
        Whether any setting at all, taken or not, may change the reply.
    needs
        The package without which it cannot run.
    """

    provider: str
    opened: Callable[[Path], AbstractContextManager[Made]]
    kinds: tuple[Callable[..., Request], ...]
    failure: FailureKind | None
    prompt_tokens: int | None
    reply_tokens: Callable[[Reply], int | None]
    untaken: tuple[tuple[Request, tuple[str, ...]], ...] = ()
    draws: bool = False
    needs: str | None = None

    def ask(self, number: int) -> Request:
        """A question of its own for each number; neighbours are of different kinds."""
        return self.kinds[number % len(self.kinds)](f"{number * number} of them: question {number}")


def chat(text: str, **more: Any) -> ChatRequest:
    told = {"messages": (_user(text),), "decoding": {"max_tokens": 12}} | more
    return ChatRequest(provider="here", model="judge", **told)


def weighed(text: str, **more: Any) -> ScoreRequest:
    told = {"messages": (_user(text),), "candidates": ("A", "B", "C", "D")} | more
    return ScoreRequest(provider="here", model="judge", **told)


def scored(text: str, **more: Any) -> ScoreRequest:
    messages = (_user(text), Message(role="assistant", content="It is so."))
    return ScoreRequest(provider="here", model="judge", messages=messages, **more)


def measured(text: str, *, extra: Mapping[str, Any] | None = None, **more: Any) -> ScoreRequest:
    messages = (_user("Well?"), Message(role="assistant", content=text))
    return ScoreRequest(
        provider="here",
        model="sum,none",
        messages=messages,
        extra={"item": "0", **(extra or {})},
        **more,
    )


def _user(text: str) -> Message:
    return Message(role="user", content=text)


# Those that speak to a server ---------------------------------------------------------------------


def _through_litellm(url: str) -> Provider:
    given = {"base_url": url, "api_key": Secret(KEY), "capabilities": {"logprobs": False}}
    return LiteLlm(Endpoint(provider="litellm", identity="here", **given), StandIn())


def _at_a_server(
    speaker: Speaker, make: Callable[[str], Provider] | None = None, provider: str = ""
) -> Subject:
    def says(ask: Ask) -> Said | Trouble:
        words = speaker.user(ask)
        if words == FAILS:
            return Trouble(status=503)
        return Said(text=words, prompt_tokens=90 + len(words), completion_tokens=len(words))

    answer = speaking(speaker, says)

    def slowly(ask: Ask) -> Reaction:
        return replace(answer(ask), delay_s=0.02)

    @contextmanager
    def opened(folder: Path) -> Iterator[Made]:
        with Loopback(slowly) as server:
            yield (
                lambda: (
                    make(server.url)
                    if make is not None
                    else provider_at(
                        speaker, server.url, key=Secret(KEY), capabilities={"logprobs": False}
                    )
                )
            )

    return Subject(
        provider=provider or speaker.provider,
        opened=opened,
        kinds=(chat,),
        failure="server",
        prompt_tokens=100,
        reply_tokens=lambda reply: len(reply.text),
        untaken=((chat("Right?", logprobs=2), ("logprobs",)),),
    )


# Those whose model is here ------------------------------------------------------------------------


def _here(name: str, options: Mapping[str, Any]) -> Provider:
    told = {**options, "device": "cpu", "batch_size": 4}
    made: Provider = registry.load("providers", name).make(
        Endpoint(provider=name, identity="here", provider_options=told)
    )
    return made


@contextmanager
def _local(folder: Path) -> Iterator[Made]:
    pretrained = str(save_causal(folder / "tiny-judge"))
    yield lambda: _here("local", {"model_args": {"pretrained": pretrained, "dtype": "float32"}})


@contextmanager
def _reward_model(folder: Path) -> Iterator[Made]:
    pretrained = str(save_classifier(folder / "tiny-reward"))
    yield lambda: _here("reward_model", {"pretrained": pretrained, "dtype": "float32"})


_TASK = """
task: sums
custom_dataset: !function utils.load
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: ""
process_results: !function utils.checksum
metric_list: [{metric: sum, aggregation: mean, higher_is_better: false}]
metadata: {version: 1}
"""
_UTILS = f"""
import zlib

import datasets

def load(**kwargs):
    return {{"test": datasets.Dataset.from_list([{{"question": "Well?"}}])}}

def checksum(doc, results):
    if results[0] == {FAILS!r}:
        raise ValueError("too long")
    return {{"sum": zlib.crc32(results[0].encode())}}
"""


@contextmanager
def _lm_eval(folder: Path) -> Iterator[Made]:
    (folder / "long").mkdir()
    (folder / "long" / "long.yaml").write_text(_TASK)
    (folder / "long" / "utils.py").write_text(_UTILS)
    options = {"task": "sums", "include_path": [str(folder)]}
    endpoint = Endpoint(provider="lm_eval", identity="here", provider_options=options)
    yield lambda: registry.load("providers", "lm_eval").make(endpoint)


# Those without a model ----------------------------------------------------------------------------


@contextmanager
def _drawn(folder: Path) -> Iterator[Made]:
    replies = [f"reply {number}" for number in range(100_000)]
    options = {"replies": replies, "delay_s": 0.01}
    yield lambda: registry.load("providers", "scripted").make(
        Endpoint(provider="scripted", identity="here", provider_options=options)
    )


@contextmanager
def _by_function(folder: Path) -> Iterator[Made]:
    def script(request: Request) -> Reply | CallError:
        text = request.messages[-1].content
        if text == FAILS:
            return CallError("no", retriable=True, kind="server")
        return Reply(text=text, usage=Usage(prompt_tokens=len(text), completion_tokens=1))

    yield lambda: Scripted(script)


# All together -------------------------------------------------------------------------------------

_PENALTY = {"max_tokens": 12, "frequency_penalty": 0.5}
_FORM = {"type": "json_object"}

SUBJECTS: Mapping[str, Subject] = {
    **{name: _at_a_server(speaker) for name, speaker in SPEAKERS.items()},
    "litellm": _at_a_server(SPEAKERS["openai_compatible"], _through_litellm, "litellm"),
    "local": Subject(
        provider="local",
        opened=_local,
        kinds=(chat, weighed),
        failure="too_long",
        prompt_tokens=100,
        reply_tokens=lambda reply: 12 if reply.finish_reason == "length" else None,
        untaken=(
            (
                chat("Right?", decoding=_PENALTY, response_format=_FORM, reasoning="low"),
                ("frequency_penalty", "reasoning", "response_format"),
            ),
            (weighed("Right?", decoding={"temperature": 0.5}), ("temperature",)),
        ),
        needs="torch",
    ),
    "reward_model": Subject(
        provider="reward_model",
        opened=_reward_model,
        kinds=(scored,),
        failure="too_long",
        prompt_tokens=100,
        reply_tokens=lambda reply: None,
        untaken=(
            (scored("Right?", decoding={"seed": 1}, extra={"guided": True}), ("guided", "seed")),
        ),
        needs="torch",
    ),
    "lm_eval": Subject(
        provider="lm_eval",
        opened=_lm_eval,
        kinds=(measured,),
        failure="local_model",
        prompt_tokens=0,
        reply_tokens=lambda reply: None,
        untaken=(
            (measured("Right?", decoding={"seed": 1}, extra={"guided": True}), ("guided", "seed")),
        ),
        needs="lm_eval",
    ),
    "scripted": Subject(
        provider="scripted",
        opened=_drawn,
        kinds=(chat, weighed, scored),
        failure=None,
        prompt_tokens=None,
        reply_tokens=lambda reply: None,
        untaken=(
            (chat("Right?", logprobs=2, reasoning="low"), ("logprobs", "reasoning")),
            (chat("Right?", response_format=_FORM), ("response_format",)),
        ),
        draws=True,
    ),
    "scripted_by_function": Subject(
        provider="scripted",
        opened=_by_function,
        kinds=(chat,),
        failure="server",
        prompt_tokens=100,
        reply_tokens=lambda reply: 1,
    ),
}
