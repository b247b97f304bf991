"""From messages to the prompt of a local model: its own chat template, and no message lost.

What a message says is text, also where it spells what ends a turn: control tokens stand in a prompt
where the template has put them, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from judgebench.errors import ConfigError

Messages = Sequence[Mapping[str, str]]

_PROBE = "are-system-messages-shown"
_BETWEEN = "\n\n"

_FAMILIES = re.compile(
    r"<[|｜][^\s<>|｜]{1,60}[|｜]>|<\|[a-z_]{1,30}>|<[a-z_]{1,30}\|>|\[\|[^\s\[\]|]{1,60}\|\]"
    r"|</?s>|<(?:bos|eos|pad|unk|mask|sep|cls|sop|eop|eot|(?:start|end)_of_(?:turn|utterance))>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|</?(?:think|tool_call|tool_response)>"
    r"|\[(?:CLS|SEP|MASK|PAD|UNK|BOS|EOS|gMASK)\]"
)
"""How the known families of models spell their turns."""

_SPELT = re.compile(r"(?s)(?=.*[<>\[\]|｜]).{3,}")
_ROUNDS = 20


class ControlTokens:
    """What a model takes for the beginning or end of a turn, and how a text says it harmlessly.

    A blank after its first character splits it: ``<|im_end|>`` becomes ``< |im_end|>``, which is
    ordinary text to model and reader.

    Parameters
    ----------
    tokenizer
        Of transformers. None where it is not known, as behind a server: then everything that is
        spelt as in one of the known families counts.
    """

    def __init__(self, tokenizer: Any | None) -> None:
        self._tokenizer = tokenizer
        own = {} if tokenizer is None else _of_tokenizer(tokenizer)
        self._ids = frozenset(own.values()) - {getattr(tokenizer, "unk_token_id", None)}
        templates = getattr(tokenizer, "chat_template", None) or ""
        self._templates = str(templates)
        spelt = "|".join(re.escape(text) for text in sorted(own, key=len, reverse=True))
        self._own = re.compile(spelt) if spelt else None

    def split(self, text: str) -> str:
        """The text without control tokens.

        Raises
        ------
        ValueError
            Where the tokenizer still reads one in it.
        """
        if self._own is not None:
            text = self._own.sub(_split, text)
        text = _FAMILIES.sub(
            lambda found: _split(found) if self._known(found[0]) else found[0], text
        )
        for _ in range(_ROUNDS):  # what a tokenizer reads once it has brought letters to one form
            places = self._read_in(text)
            if not places:
                return text
            for place in reversed(places):
                text = f"{text[: place + 1]} {text[place + 1 :]}"
        raise ValueError(
            "the tokenizer reads a control token in the text of a message, however it is split; "
            "what it would make of this answer is not known"
        )

    def _known(self, spelt: str) -> bool:
        """Whether a spelling of some family means something to this model."""
        if self._tokenizer is None or spelt in self._templates:
            return True
        number_of = getattr(self._tokenizer, "convert_tokens_to_ids", None)
        number = None if number_of is None else number_of(spelt)
        return number is not None and number != getattr(self._tokenizer, "unk_token_id", None)

    def _read_in(self, text: str) -> list[int]:
        """Where the tokenizer reads control tokens: the first character of each, no blank."""
        if not self._ids:
            return []
        fast = bool(getattr(self._tokenizer, "is_fast", False))
        more = {"return_offsets_mapping": True} if fast else {}
        read = self._tokenizer(text, add_special_tokens=False, **more)  # type: ignore[misc]
        found = [n for n, token in enumerate(read["input_ids"]) if token in self._ids]
        if found and not fast:
            raise ValueError("the tokenizer reads a control token in the text of a message")
        spans = [read["offset_mapping"][n] for n in found]
        return [end - len(text[start:end].lstrip()) for start, end in spans]


def _of_tokenizer(tokenizer: Any) -> dict[str, int]:
    """The special and added tokens that are spelt as such (no line break, no run of blanks)."""
    added = getattr(tokenizer, "added_tokens_decoder", None) or {}
    found = {str(getattr(token, "content", token)): int(n) for n, token in added.items()}
    for text in getattr(tokenizer, "all_special_tokens", ()):
        if text not in found:
            found[text] = tokenizer.convert_tokens_to_ids(text)
    return {text: number for text, number in found.items() if _SPELT.fullmatch(text)}


def _split(found: re.Match[str]) -> str:
    return f"{found[0][0]} {found[0][1:]}"


PREFIX_STOPS = ("# Query", "# User")
"""Where the answer of a model ends that is asked below a prefix: the next question it makes up."""

_FENCE = "```"


def below_prefix(prefix: str, messages: Messages) -> str:
    """A conversation as a base model continues it, in the form of URIAL [1]_: up to its answer.

    References
    ----------
    .. [1] B. Y. Lin et al. (2023), The Unlocking Spell on Base LLMs: Rethinking Alignment via
       In-Context Learning, arXiv 2312.01552; ``SeparatorStyle.URIAL`` of Re-Align/URIAL at 127f94e.
    """
    heads = {"assistant": "# Answer:"}
    turns = [
        f"\n{heads.get(message['role'], '# Query:')}\n{_FENCE}\n{message['content']}\n{_FENCE}\n"
        for message in messages
    ]
    return f"{prefix}{''.join(turns)}\n# Answer:\n{_FENCE}\n"


def without_fences(answer: str) -> str:
    """An answer below a prefix as its authors clean it: code blocks lose their fences too."""
    return answer.replace(_FENCE, "").replace("<|endoftext|>", " ").strip()


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
    answered
        Whether messages end with an answer, as those that are scored do.
    prefix
        What stands before the conversation in place of a template (`below_prefix`).

    Raises
    ------
    ConfigError
        For a model that has no chat template to be applied.
    """

    def __init__(
        self,
        lm: Any,
        *,
        apply_chat_template: bool,
        system_instruction: str | None = None,
        answered: bool = False,
        prefix: str | None = None,
    ) -> None:
        self._lm, self._prefix = lm, prefix
        self._applied = apply_chat_template
        self._instruction = system_instruction
        self._controls = ControlTokens(getattr(lm, "tokenizer", None))
        if not apply_chat_template:
            return
        from jinja2 import TemplateError

        roles = ("user", "assistant") if answered else ("user",)
        hello = [{"role": role, "content": "Hello"} for role in roles]
        try:
            shown = lm.apply_chat_template([{"role": "system", "content": _PROBE}, *hello])
        except TemplateError:
            shown = ""
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(
                f"the model has no chat template that can be applied ({error}): take one that was "
                "trained to chat, or say apply_chat_template: false"
            ) from None
        self._takes_system = _PROBE in prompt_text(shown)

    def of(self, messages: Messages) -> Any:
        """The prompt, up to where the model's next turn begins.

        Text, except where a backend's template makes something else.
        """
        told = [{**message, "content": self.text(message["content"])} for message in messages]
        if self._instruction is not None:
            told.insert(0, {"role": "system", "content": self._instruction})
        told = system_first(told, shown=not self._applied or self._takes_system)
        if self._prefix is not None:
            return below_prefix(self._prefix, system_first(told, shown=False))
        if not self._applied:
            return _BETWEEN.join(message["content"] for message in told)
        return self._lm.apply_chat_template(told)

    def text(self, text: str) -> str:
        """What somebody wrote, without control tokens (`ControlTokens`)."""
        return self._controls.split(text)


def system_first(messages: Messages, *, shown: bool) -> list[dict[str, str]]:
    """The same with one system message at most, at the beginning.

    Without any, where it is not ``shown``: its text stands before that of the first user message.
    """
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [dict(message) for message in messages if message["role"] != "system"]
    user = next((message for message in others if message["role"] == "user"), None)
    if not system:
        return others
    if shown or user is None:
        role = "system" if shown else "user"
        return [{"role": role, "content": _BETWEEN.join(system)}, *others]
    user["content"] = _BETWEEN.join([*system, user["content"]])
    return others


def prompt_text(prompt: Any) -> str:
    """A prompt as text; chat backends wrap theirs in a named tuple."""
    return prompt if isinstance(prompt, str) else str(getattr(prompt, "prompt", prompt))
