"""A judge's prompt: which one, whether it can be filled, and the messages it makes.

A prompt is one text. Where it is written as a chat (``<|im_start|>system`` … ``<|im_end|>``), it
is taken apart into messages *before* its placeholders are filled, so that the same signs inside an
answer stay part of the answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Annotated, Any, cast

from pydantic import Field, FiniteFloat, StringConstraints, field_validator, model_validator

from judgebench.config import Section, check
from judgebench.dialogue import over
from judgebench.errors import ConfigError, unknown_name
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import ChatRequest, JsonObject, JudgeSpec, Message, Role, ScoreRequest
from judgebench.template import PLACEHOLDER, PromptText, fill

OFFICIAL = "official/"
#: The line break before the end is the frame's; what else there is of white space was written.
_MESSAGE = re.compile(r"<\|im_start\|>(system|user|assistant)\n(.*?)\n?<\|im_end\|>", re.DOTALL)


def own_prompt(file: str) -> PromptText:
    """A prompt of our own wording, by the name of its file."""
    path = resources.files("judgebench.judges") / "prompts" / f"{file}.txt"
    return PromptText(name=file, text=path.read_text(encoding="utf-8").rstrip("\n"))


def chosen_prompt(
    kind: str, name: str, own: Mapping[str, str], official: Mapping[str, PromptText]
) -> PromptText:
    """The prompt that a suite names: one of ``own`` (name -> file), or ``official/NAME``.

    Raises
    ------
    ConfigError
        For a name that is not there, saying which are and where official prompts come from.
    """
    if name in own:
        return own_prompt(own[name])
    if not name.startswith(OFFICIAL):
        known = [*own, *(OFFICIAL + one for one in official)]
        raise ConfigError(f"judge {kind}: {unknown_name('prompt', name, known)}")
    wanted = name.removeprefix(OFFICIAL)
    if wanted not in official:
        here = ", ".join(sorted(official)) or "none"
        raise ConfigError(
            f"judge {kind}: the official prompt {wanted!r} is not in the data home "
            f"(there: {here}); fetch it with `judgebench data pull` or `data import`, "
            f"or use our own: prompt: {' or '.join(own)}"
        )
    return official[wanted]


def check_placeholders(
    kind: str, prompt: PromptText, fillable: Collection[str], needed: Mapping[str, Collection[str]]
) -> None:
    """That everything in a prompt can be filled, and that it shows what is judged.

    ``needed`` says for each thing that must be shown which placeholders show it.

    Raises
    ------
    ConfigError
        Naming the placeholders.
    """
    if unknown := prompt.placeholders - set(fillable):
        raise ConfigError(
            f"judge {kind}: the prompt {prompt.name!r} has the placeholders "
            f"{', '.join(sorted(unknown))}, which this judge cannot fill"
        )
    if missing := sorted(
        what for what, placeholders in needed.items() if not prompt.placeholders & set(placeholders)
    ):
        raise ConfigError(
            f"judge {kind}: the prompt {prompt.name!r} never shows {', '.join(missing)}"
        )


def messages(
    prompt: PromptText, of_judge: Mapping[str, str], of_case: Mapping[str, str]
) -> tuple[Message, ...]:
    """The prompt's messages, filled in one pass; what is not written as a chat is a user message.

    What comes before the first placeholder of a case is the same in every question
    (`Message.constant`).
    """
    parts = [(found[1], found[2]) for found in _MESSAGE.finditer(prompt.text)]
    values = {**of_judge, **of_case}
    return tuple(
        Message(
            role=cast("Role", role),
            content=fill(replace(prompt, text=text), values),
            constant=len(_filled(_before_first(text, of_case), of_judge)),
        )
        for role, text in parts or [("user", prompt.text)]
    )


def sha_as_sent(prompt: PromptText, of_judge: Mapping[str, str]) -> str:
    """SHA-256 of the prompt as this judge sends it, only the placeholders of a case left open.

    So a rubric, a scale or a way of replying that is put in is part of the prompt's identity. Of a
    prompt without such placeholders it is the hash of its text.
    """
    return text_sha(_filled(prompt.text, of_judge))


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda placeholder: values.get(placeholder[1], placeholder[0]), text)


def _before_first(text: str, placeholders: Collection[str]) -> str:
    return next(
        (text[: m.start()] for m in PLACEHOLDER.finditer(text) if m[1] in placeholders), text
    )


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


#: A dimension stands before a colon, or is the name of a member, in a judge's reply.
Dimension = Annotated[str, StringConstraints(pattern=r'^[^\s"{}:=][^\n"{}:=]{0,79}$')]


class Definition(Section):
    """What a dimension means: in our words, and the name of the official text that says it."""

    name: Dimension
    text: str = Field(min_length=1)
    official: str | None = None


class AnswerType(Section):
    """A kind of answer, the dimensions it is rated on, and the subcategories that ask for it."""

    name: str
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    subcategories: tuple[str, ...] = Field(min_length=1)


class Content(Section):
    """A rubric and a scale of a benchmark's own; each way of judging takes what it has use for.

    With ``answer_types`` the dimensions of an item follow from its subcategory, and
    ``definitions`` say what each of them means.
    """

    rubric: str | None = None
    scale: tuple[FiniteFloat, FiniteFloat] = (1, 10)
    dimensions: tuple[Dimension, ...] = ()
    labels: tuple[str, ...] = ()
    answer_types: tuple[AnswerType, ...] = ()
    definitions: tuple[Definition, ...] = ()

    @field_validator("scale")
    @classmethod
    def _upwards(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError(f"a scale goes upwards, not from {value[0]:g} to {value[1]:g}")
        return value

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return value

    @model_validator(mode="after")
    def _each_defined_once(self) -> Content:
        defined = [definition.name for definition in self.definitions]
        asked = [name for one in self.answer_types for name in one.subcategories]
        for names in (defined, asked):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"named twice: {', '.join(twice)}")
        rated = {name for one in self.answer_types for name in one.dimensions}
        if undefined := sorted(rated - set(defined)):
            raise ValueError(f"definitions: there is none of {', '.join(undefined)}")
        return self

    @property
    def rubric_text(self) -> str:
        """What a good answer is: the benchmark's words, or ours where it has none."""
        return (self.rubric or "").strip() or own_prompt("default_rubric").text


def checked_content(kind: str, content: JsonObject | None) -> Content:
    """The content, checked; what a benchmark leaves open (None) stays at its default.

    Raises
    ------
    ConfigError
        Naming the field.
    """
    given = {name: value for name, value in (content or {}).items() if value is not None}
    return check(Content, given, f"judge {kind}: content")
