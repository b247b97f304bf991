"""Who answers a judge's questions, and the part of a judge's identity that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from judgebench.dialogue import over
from judgebench.errors import ConfigError
from judgebench.protocols import JudgeSettings
from judgebench.records import ChatRequest, JsonObject, JudgeSpec, Message, ScoreRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """A model with its settings; ``provider`` is the identity of who answers, never a URL."""

    provider: str
    model: str
    sampling: JsonObject = field(default_factory=dict)
    extra: JsonObject = field(default_factory=dict)
    reasoning: str | None = None

    def chat(
        self,
        messages: tuple[Message, ...],
        *,
        logprobs: int | None = None,
        response_format: JsonObject | None = None,
    ) -> ChatRequest:
        """A question that is answered in words."""
        return ChatRequest(
            provider=self.provider,
            model=self.model,
            messages=messages,
            decoding=self.sampling,
            logprobs=logprobs,
            response_format=response_format,
            extra=self.extra,
            reasoning=self.reasoning,
        )

    def score(
        self, messages: tuple[Message, ...], candidates: tuple[str, ...] = ()
    ) -> ScoreRequest:
        """A question that is answered in numbers."""
        return ScoreRequest(
            provider=self.provider,
            model=self.model,
            messages=messages,
            candidates=candidates,
            extra=self.extra,
        )

    def spec(
        self,
        kind: str,
        *,
        reader_version: str,
        options: JsonObject,
        prompt_sha: str | None = None,
        official_prompt: bool | None = None,
    ) -> JudgeSpec:
        """The identity of a judge that asks this model; what is not set stays out of it."""
        settings: dict[str, Any] = {"extra": dict(self.extra), "reasoning": self.reasoning}
        return JudgeSpec(
            kind=kind,
            model=self.model,
            identity=self.provider,
            sampling=self.sampling,
            prompt_sha=prompt_sha,
            reader_version=reader_version,
            options={**options, **{name: value for name, value in settings.items() if value}},
            official_prompt=official_prompt,
        )


def answerer(kind: str, settings: JudgeSettings, *, max_tokens: int | None) -> Answerer:
    """Who answers a judge of this kind.

    The suite's sampling goes over the defaults: temperature 0, and a reply of ``max_tokens``. Null
    takes a default away, for models that refuse it. ``max_tokens`` is None for a judge that reads
    numbers: there nothing is sampled and nothing is thought.

    Raises
    ------
    ConfigError
        Without a provider and a model, or for settings that could change nothing.
    """
    model, provider = settings.model, settings.provider
    if not model or not provider:
        raise ConfigError(f"judge {kind} asks a model; give its 'provider' and 'model'")
    decoding: dict[str, Any] = {}
    if max_tokens is None:
        refused = {"sampling": settings.sampling, "reasoning": settings.reasoning}
        if useless := [name for name, value in refused.items() if value]:
            raise ConfigError(
                f"judge {kind} reads numbers and samples nothing; remove {', '.join(useless)}"
            )
    else:
        decoding = over({"temperature": 0, "max_tokens": max_tokens}, settings.sampling)
    return Answerer(
        provider=provider,
        model=model,
        sampling={name: value for name, value in decoding.items() if value is not None},
        extra=dict(settings.extra),
        reasoning=settings.reasoning,
    )
