"""Presets: named manners of asking models, as descriptions say them, and what they come down to.

A preset goes over what a task says, and a suite goes over the preset. What it changes is in a
model's key by its content; its name is not, so that equal asking has an equal key.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

from pydantic import Field, PositiveInt

from judgebench.config import Section
from judgebench.errors import ConfigError, unknown_name

Split = Literal["free-form", "multiple-choice"]

_ENDS: Mapping[Split, str] = {"free-form": "\n\n\nQuestion", "multiple-choice": "\n\n"}

#: Digits and the letters that upstream knows: Latin, Greek, Cyrillic, Glagolitic, Hangul and Han.
_SAYS_SOMETHING = re.compile(
    "[0-9A-Za-z\u00c0-\u024f\u0370-\u052f\u2c00-\u2c5f\ua640-\ua69f\uac00-\ud7af\u4e00-\u9fff]"
)


def judged_part(reply: str, *, split: Split) -> str:
    """The reply up to the next question of its split's examples."""
    part = reply.partition(_ENDS[split])[0]
    return part if _SAYS_SOMETHING.search(part) else reply


Cut: TypeAlias = Callable[[str], str]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _up_to(mark: str, text: str) -> str:
    return text.partition(mark)[0].strip()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _lm_eval(text: str) -> str:
    """As lm-eval's TriviaQA: up to a newline, full stop or comma; bare lower-case words of it."""
    first = re.split(r"[\n.,]", text.strip(), maxsplit=1)[0].lower()
    return " ".join(_ARTICLES.sub(" ", first.translate(_DROP_PUNCTUATION)).split())


MODES: dict[str, Cut] = {
    "at_next_example": partial(judged_part, split="free-form"),
    "at_next_question": partial(_up_to, "\nQ:"),
    "at_question_word": partial(_up_to, "\nQuestion:"),
    "first_line": _first_line,
    "lm_eval": _lm_eval,
    "none": lambda text: text,
}

_OF_CHOICES: dict[str, Cut] = {"at_next_example": partial(judged_part, split="multiple-choice")}
"""Where an answer ends that chooses among options, if that is elsewhere."""


def truncate(text: str, mode: str, *, chooses: bool = False) -> str:
    """The part of an answer that is judged; ``chooses`` if the question has options.

    Raises
    ------
    ConfigError
        For a mode that does not exist.
    """
    if mode not in MODES:
        raise ConfigError(unknown_name("truncation", mode, MODES))
    cut = _OF_CHOICES.get(mode, MODES[mode]) if chooses else MODES[mode]
    return cut(text)


CLEAN = "clean"
"""The preset that adds nothing to what a description says besides; the default."""

DRAWING = ("do_sample", "temperature", "generation_config")
"""Settings of which one says how answers are drawn, so that it takes the place of the others."""

_SAID_OTHERWISE = {"until", "max_gen_toks", "do_sample", "temperature"}
"""What models behind an API are told of every task, in their own words."""

_IN_CHAT_WORDS = ("top_p", "presence_penalty", "frequency_penalty")
"""Settings that lm-eval's backends and chat completions call alike."""


class PromptTokens(Section):
    """How the text of a prompt becomes tokens, where that is not lm-eval's way.

    ``special_tokens`` are added ``once`` (none to a text that begins with BOS, as many chat
    templates make them), or ``always``, so that such a text has BOS twice. Prompt and answer
    together take no more than ``max_length`` tokens, or what the model takes if that is less: the
    prompt is cut to that on its ``truncation_side``.
    """

    special_tokens: Literal["once", "always"] = "once"
    max_length: PositiveInt | None = None
    truncation_side: Literal["left", "right"] = "left"


class OverApi(Section):
    """What models behind an API are asked with, under the names of chat completions.

    ``unsent`` is left to the provider.
    """

    sampling: dict[str, Any] = Field(default_factory=dict)
    unsent: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a preset comes down to for the models of a run; the defaults are those of ``clean``.

    ``local`` holds fields of a local model that a suite's own take the place of. ``api`` goes under
    a suite's ``sampling`` (None is not sent), ``system`` under its own; ``untold`` is what no chat
    completion can be told, with its values.
    """

    name: str = CLEAN
    note: str = ""
    local: Mapping[str, Any] = field(default_factory=dict)
    api: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    untold: Mapping[str, Any] = field(default_factory=dict)


class PresetConfig(Section):
    """A manner of asking; what it does not say is as without it.

    ``generation`` is under lm-eval's names, as in a task's file; ``generation_config = "model"``
    there leaves sampling to what a checkpoint says of itself. ``further`` goes over that for
    samples of an item after the first. ``api`` takes the place of ``generation`` for models behind
    an API. ``note`` says what of the manner cannot be said here.
    """

    prompt: str | None = None
    num_fewshot: int | None = Field(None, ge=0)
    chat_template: bool | None = None
    system: str | None = None
    generation: dict[str, Any] = Field(default_factory=dict)
    further: dict[str, Any] = Field(default_factory=dict)
    tokens: PromptTokens | None = None
    api: OverApi | None = None
    note: str = ""

    @property
    def draws(self) -> bool:
        """Whether it says how answers are drawn."""
        return bool(set(self.generation).intersection(DRAWING))

    def resolved(self, name: str, *, own_temperature: bool = False) -> Preset:
        """What it says to models, apart from prompt and generation, which are its task's.

        With ``own_temperature`` the suite's option says the temperature, whatever this does.
        """
        tokens = self.tokens and self.tokens.model_dump(exclude_unset=True)
        said = {
            "apply_chat_template": self.chat_template,
            "system_instruction": self.system,
            "prompt_tokens": tokens,
        }
        api = {n: self.generation[n] for n in _IN_CHAT_WORDS if n in self.generation}
        others = self.generation.keys() - api.keys() - _SAID_OTHERWISE
        untold: dict[str, Any] = {n: v for n, v in self.generation.items() if n in others}
        if tokens is not None:
            untold["tokens"] = tokens
        if self.api is not None:
            api, untold = {**dict.fromkeys(self.api.unsent), **self.api.sampling}, {}
        if own_temperature:
            api.pop("temperature", None)
        return Preset(
            name=name,
            note=self.note,
            local={field: value for field, value in said.items() if value is not None},
            api=api,
            system=self.system,
            untold=untold,
        )
