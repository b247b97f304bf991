"""What each family of models takes, so that what it does not take is left out, and named.

The table is of 2026-11-25. Context lengths, APIs, efforts and structured output are read from the
model list of litellm 1.108.7 (MIT), what a model refuses while it reasons from the same package's
translations, words and levels from the types of openai 3.57.0 and anthropic 2.13.0. A suite's
``capabilities`` win over it. A model behind a compatible server is taken to take everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from typing import Any, Literal

from judgebench.errors import ConfigError, refuse_unknown
from judgebench.records import ChatRequest

Thinks = Literal["never", "if_asked", "by_default", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a model takes; every field can be overridden by a suite.

    api
        Which of OpenAI's two interfaces it answers at.
    system
        The role that its instructions have in chat completions; with ``user`` they open the first
        user message.
    max_tokens_name
        What its limit on a reply is called in chat completions; None for as the suite says it.
    temperature
        Whether sampling can be changed at all: ``temperature``, ``top_p``, ``top_k``.
    penalties
        Likewise ``frequency_penalty``, ``presence_penalty`` and ``logit_bias``.
    top_logprobs_max
        Most alternatives for each token.
    structured
        The strongest form of ``response_format`` that it keeps to.
    reasoning
        Efforts that can be asked for; None for any.
    reasons
        Whether it thinks before it answers this question. A limit on the reply is then raised by
        `reasoning_room`.
    default_reply_tokens
        The limit on a reply where the suite sets none and the API wants one.
    context_tokens
        Longest prompt, in tokens; None where it is not known.
    """

    api: Literal["chat", "responses"] = "chat"
    system: Literal["system", "developer", "user"] = "system"
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] | None = None
    temperature: bool = True
    penalties: bool = True
    seed: bool = True
    stop: bool = True
    logprobs: bool = True
    top_logprobs_max: int | None = None
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"
    reasoning: tuple[str, ...] | None = None
    reasons: bool = False
    default_reply_tokens: int = 4096
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Models whose id begins with ``pattern``: what they take, and when they think."""

    pattern: str
    takes: Capabilities
    thinks: Thinks = "never"
    samples_while_thinking: bool = False


_LOW_TO_HIGH = ("low", "medium", "high")
_TO_XHIGH = (*_LOW_TO_HIGH, "xhigh")
_TO_MAX = (*_TO_XHIGH, "max")

_GPT = Capabilities(max_tokens_name="max_tokens", top_logprobs_max=20, reasoning=())
# While they reason, these refuse every word about sampling; `for_request` takes it away then.
_GPT_REASONING = Capabilities(
    system="developer",
    max_tokens_name="max_completion_tokens",
    penalties=False,
    stop=False,
    top_logprobs_max=20,
    reasoning=_LOW_TO_HIGH,
)
_CLAUDE = Capabilities(
    max_tokens_name="max_tokens",
    penalties=False,
    seed=False,
    logprobs=False,
    reasoning=("none",),
    context_tokens=200_000,
)
# Since 4.7 any temperature but 1 is refused, thinking or not.
_CLAUDE_5 = replace(
    _CLAUDE, temperature=False, reasoning=("none", *_TO_MAX), context_tokens=1_000_000
)
# At the address that speaks chat completions, an unknown name is an error.
_GEMINI = Capabilities(
    max_tokens_name="max_tokens",
    penalties=False,
    seed=False,
    logprobs=False,
    reasoning=(),
    context_tokens=1_048_576,
)


_gpt, _thinking = partial(replace, _GPT), partial(replace, _GPT_REASONING)

#: The first family that fits counts.
_FAMILIES: Mapping[str, tuple[_Family, ...]] = {
    "openai": (
        _Family(pattern=r"gpt-3\.5", takes=_gpt(context_tokens=16_385, structured="json_object")),
        _Family(
            pattern=r"gpt-4(-turbo|-1106|-0125|o-2024-05-13)",
            takes=_gpt(context_tokens=128_000, structured="json_object"),
        ),
        _Family(pattern=r"gpt-4o", takes=_gpt(context_tokens=128_000)),
        _Family(pattern=r"gpt-4\.1", takes=_gpt(context_tokens=1_047_576)),
        _Family(pattern=r"gpt-4(-\d{4})?$", takes=_gpt(context_tokens=8_192, structured="none")),
        _Family(
            pattern=r"o\d+-pro",
            takes=_thinking(context_tokens=200_000, reasoning=_LOW_TO_HIGH, api="responses"),
            thinks="always",
        ),
        _Family(
            pattern=r"o\d",
            takes=_thinking(context_tokens=200_000, reasoning=_LOW_TO_HIGH),
            thinks="always",
        ),
        _Family(
            pattern=r"gpt-5-pro",
            takes=_thinking(context_tokens=400_000, reasoning=("high",), api="responses"),
            thinks="always",
        ),
        _Family(
            pattern=r"gpt-5\.[2-9]-pro",
            takes=_thinking(
                context_tokens=272_000,
                reasoning=("medium", "high", "xhigh"),
                api="responses",
                structured="none",
            ),
            thinks="always",
        ),
        _Family(
            pattern=r"gpt-5(\.\d)?-codex",
            takes=_thinking(context_tokens=272_000, reasoning=_LOW_TO_HIGH, api="responses"),
            thinks="always",
        ),
        _Family(
            pattern=r"gpt-5\.1",
            takes=_thinking(context_tokens=272_000, reasoning=("none", *_LOW_TO_HIGH)),
            thinks="if_asked",
        ),
        _Family(
            pattern=r"gpt-5\.4(-\d{4}|$)",
            takes=_thinking(context_tokens=1_050_000, reasoning=("none", *_TO_XHIGH)),
            thinks="if_asked",
        ),
        _Family(
            pattern=r"gpt-5\.[24]",
            takes=_thinking(context_tokens=272_000, reasoning=("none", *_TO_XHIGH)),
            thinks="if_asked",
        ),
        _Family(
            pattern=r"gpt-5\.[5-9]",
            takes=_thinking(context_tokens=922_000, reasoning=("none", *_TO_XHIGH)),
            thinks="by_default",
        ),
        _Family(
            pattern=r"gpt-5",
            takes=_thinking(context_tokens=272_000, reasoning=("minimal", *_LOW_TO_HIGH)),
            thinks="always",
        ),
        _Family(
            pattern=r"gpt-6-(sol|luna)",
            takes=_thinking(context_tokens=922_000, reasoning=("none", *_TO_MAX)),
            thinks="by_default",
        ),
        _Family(
            pattern=r"gpt-([6-9]|\d\d)",
            takes=_thinking(context_tokens=922_000, reasoning=_TO_MAX),
            thinks="always",
        ),
    ),
    "anthropic": (
        _Family(
            pattern=r"claude-(\d|instant|(opus|sonnet)-4(-[01])?(-\d{8})?$)",
            takes=replace(_CLAUDE, structured="none"),
        ),
        _Family(pattern=r"claude-(sonnet|haiku)-4-5", takes=_CLAUDE),
        _Family(
            pattern=r"claude-opus-4-5", takes=replace(_CLAUDE, reasoning=("none", *_LOW_TO_HIGH))
        ),
        _Family(
            pattern=r"claude-(opus|sonnet)-4-6",
            takes=replace(
                _CLAUDE, reasoning=("none", *_LOW_TO_HIGH, "max"), context_tokens=1_000_000
            ),
            thinks="if_asked",
        ),
        _Family(pattern=r"claude-opus-4-[78]", takes=_CLAUDE_5, thinks="if_asked"),
        _Family(
            pattern=r"claude-((opus|sonnet)-5(-\d{8})?$|haiku-5)",
            takes=_CLAUDE_5,
            thinks="by_default",
        ),
        _Family(pattern=r"claude-", takes=replace(_CLAUDE_5, reasoning=_TO_MAX), thinks="always"),
    ),
    "gemini": (
        _Family(pattern=r"gemini-2\.0", takes=_GEMINI),
        _Family(
            pattern=r"gemini-2\.5-flash",
            takes=replace(_GEMINI, reasoning=("none", *_LOW_TO_HIGH)),
            thinks="by_default",
            samples_while_thinking=True,
        ),
        _Family(
            pattern=r"gemini-",
            takes=replace(_GEMINI, reasoning=("minimal", *_LOW_TO_HIGH)),
            thinks="always",
            samples_while_thinking=True,
        ),
    ),
}
_UNKNOWN = _Family(pattern="", takes=Capabilities(), thinks="if_asked", samples_while_thinking=True)
_NAMES = frozenset(field.name for field in fields(Capabilities))

_ROOM_TIMES, _ROOM_LEAST, _ROOM_MOST = 256, 8_192, 32_768


def for_request(
    request: ChatRequest, provider: str, overrides: Mapping[str, Any] | None = None
) -> Capabilities:
    """What the model of a question takes of this very question.

    Parameters
    ----------
    provider
        Name of the provider's module (``openai``), not the identity of who answers.
    overrides
        A suite's ``capabilities``; they have the last word.

    Raises
    ------
    ConfigError
        For an override that is no field of `Capabilities`, with the nearest.
    """
    family = _family(provider, request.model)
    takes = family.takes
    effort, levels = request.reasoning, takes.reasoning
    asked = effort is not None and (levels is None or effort in levels)
    by_itself = family.thinks in {"by_default", "always"}
    if (effort != "none" and family.thinks != "never") if asked else by_itself:
        takes = replace(takes, reasons=True)
        if not family.samples_while_thinking:
            takes = replace(takes, temperature=False, logprobs=False)
        if provider == "openai" and effort == "max":
            takes = replace(takes, api="responses")  # chat completions refuse this one effort
    if not overrides:
        return takes
    refuse_unknown("capability", overrides, _NAMES, about="capabilities: ")
    return replace(takes, **overrides)


def checked(overrides: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A suite's ``capabilities``, with names and kinds looked at.

    Raises
    ------
    ConfigError
        For an unknown name, with the nearest, or a value of another kind.
    """
    if not overrides:
        return {}
    from pydantic import TypeAdapter, ValidationError

    given = overrides
    refuse_unknown("capability", given, _NAMES, about="capabilities: ")
    try:
        made = TypeAdapter(Capabilities).validate_python(dict(given))
    except ValidationError as error:
        said = "; ".join(
            f"capabilities.{'.'.join(map(str, fault['loc']))}: {_should_be(fault)}"
            for fault in error.errors()
        )
        raise ConfigError(said) from None
    return {name: getattr(made, name) for name in given}


def _should_be(fault: Any) -> str:
    """What a value should be, and what was found in its place."""
    plain = {
        "bool": "should be true or false",
        "tuple": "should be a list",
        "int": "should be a whole number",
    }
    kind = str(fault["type"]).split("_")[0]
    should = plain.get(kind, str(fault["msg"]).replace("Input should be", "should be"))
    return f"{should} (found {fault['input']!r})"


def reasoning_room(limit: int) -> int:
    """Tokens added to a limit on the reply where the model thinks first, which counts as reply.

    256 times the limit, but 8 192 at least and 32 768 at most: a judge's 32 tokens are for its
    verdict, and asking again with four times the limit gives the thoughts more room as well.
    """
    return min(max(_ROOM_TIMES * limit, _ROOM_LEAST), _ROOM_MOST)


@lru_cache(maxsize=256)
def _family(provider: str, model: str) -> _Family:
    name = model.rsplit("/", 1)[-1].removeprefix("ft:")
    known = _FAMILIES.get(provider, ())
    return next((family for family in known if re.match(family.pattern, name)), _UNKNOWN)
