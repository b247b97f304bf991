"""From messages to the prompt of a local model: its own chat template, and no message lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judgebench.errors import ConfigError

Messages = Sequence[Mapping[str, str]]

_PROBE = "are-system-messages-shown"
_BETWEEN = "\n\n"


class ChatPrompts:
    """The prompts of one model.

    Some templates refuse a system message, and lm-eval then leaves it out in silence; others drop
    it by themselves. Whether this one shows it is tried once; where it does not, the text is put
    before that of the first user message.

    Parameters
    ----------
    lm
        lm-eval's object, which applies the template.
    apply_chat_template
        False joins the messages with a blank line between them, for models without a template.
    system_instruction
        A suite's; put before the question's own system message.

    Raises
    ------
    ConfigError
        For a model that has no chat template to be applied.
    """

    def __init__(
        self, lm: Any, *, apply_chat_template: bool, system_instruction: str | None = None
    ) -> None:
        self._lm = lm
        self._applied = apply_chat_template
        self._instruction = system_instruction
        if not apply_chat_template:
            return
        try:
            shown = lm.apply_chat_template(_pair(_PROBE))
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(
                f"the model has no chat template that can be applied ({error}): take one that was "
                "trained to chat, or say apply_chat_template: false"
            ) from None
        self._takes_system = _PROBE in str(getattr(shown, "prompt", shown))

    def of(self, messages: Messages) -> Any:
        """The prompt, up to where the model's next turn begins.

        Text, except where a backend's template makes something else.
        """
        told = [dict(message) for message in messages]
        if self._instruction is not None:
            told.insert(0, {"role": "system", "content": self._instruction})
        told = systems_joined(told)
        if not self._applied:
            return _BETWEEN.join(message["content"] for message in told)
        return self._lm.apply_chat_template(told if self._takes_system else folded(told))


def systems_joined(messages: Messages) -> list[dict[str, str]]:
    """The same with one system message at most, at the beginning."""
    systems = [message["content"] for message in messages if message["role"] == "system"]
    others = [dict(message) for message in messages if message["role"] != "system"]
    if not systems:
        return others
    return [{"role": "system", "content": _BETWEEN.join(systems)}, *others]


def folded(messages: Messages) -> list[dict[str, str]]:
    """The same without a system message: its text stands before that of the first user message."""
    joined = systems_joined(messages)
    if not joined or joined[0]["role"] != "system":
        return joined
    system, *others = joined
    first = next((n for n, message in enumerate(others) if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system["content"]}, *others]
    text = system["content"] + _BETWEEN + others[first]["content"]
    others[first] = {"role": "user", "content": text}
    return others


def _pair(system: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": "Hello"}]
