"""A judge's prompt: which one, whether it can be filled, and the messages it makes.

A prompt is one text. Where it is written as a chat (``<|im_start|>system`` … ``<|im_end|>``), it
is taken apart into messages *before* its placeholders are filled, so that the same signs inside an
answer stay part of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib import resources
from typing import cast

from judgebench.errors import ConfigError, unknown_name
from judgebench.keys import text_sha
from judgebench.records import Message, Role
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
