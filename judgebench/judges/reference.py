"""``reference``: a model says whether an answer means the same as a reference answer.

The answer is untrusted text. In our own prompts it stands between two equal marks that do not occur
in it (see `_mark`), so that it cannot pretend to end before it does; nothing in it is looked at
when holes are filled. Official prompts are sent word for word, with the frame their authors chose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError, unknown_name
from judgebench.judges._normalise import NO_REFERENCE
from judgebench.judges._verdict_word import JSON_SCHEMA, read_json, read_upstream, read_word
from judgebench.records import (
    Case,
    ChatRequest,
    JsonObject,
    JudgeSpec,
    Label,
    Message,
    Reply,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText, fill

OWN_PROMPTS = ("short", "long")
OFFICIAL = "official/"
READER_VERSION = "1"

#: Holes of our own prompts, and ``response``, the answer in upstream's words.
HOLES = frozenset({"question", "references", "answer", "response", "mark", "reply_form"})

_REPLY_FORM = {
    "word": "Is the answer correct? Reply with one word: correct or incorrect.",
    "json": 'Does the answer mean the same as a reference? Reply with JSON: {"verdict": "correct"} '
    'if it does, {"verdict": "incorrect"} if it does not.',
}


class Options(Section):
    """What a suite may say about a reference judge."""

    prompt: str = Field("short", description="short, long, or official/NAME from the data home")
    format: Literal["word", "json"] = "word"
    reader: Literal["strict", "upstream"] = "strict"
    maybe: Literal["unreadable", "accept"] = Field(
        "unreadable", description='what "maybe correct" is'
    )
    unparsed: Literal["unreadable", "incorrect"] = Field(
        "unreadable", description="what the upstream reader makes of a reply without a verdict"
    )
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceJudge:
    """Asks one question about one answer."""

    spec: JudgeSpec
    prompt: PromptText
    options: Options
    extra: JsonObject

    def judge(self, case: Case) -> Dialogue:
        (response,) = case.responses
        if not any(reference.strip() for reference in case.item.references):
            return ask_nobody(Unreadable(reason=NO_REFERENCE))
        if not response.text.strip():  # states no reference, whoever reads it: no call is spent
            return ask_nobody(Label(name="incorrect"))
        return ask_once(self.request(case), self.read)

    def request(self, case: Case) -> ChatRequest:
        """The question as it is sent."""
        return ChatRequest(
            provider=self.spec.identity or "",
            model=self.spec.model or "",
            messages=(Message(role="user", content=self.text(case)),),
            decoding=self.spec.sampling,
            response_format=JSON_SCHEMA if self.options.format == "json" else None,
            extra=self.extra,
        )

    def text(self, case: Case) -> str:
        """The filled prompt."""
        (response,) = case.responses
        answer = _shortened(response.text, self.options.max_answer_chars)
        references = [" ".join(text.split()) for text in case.item.references]
        if not self.prompt.official:
            references = list(dict.fromkeys(references))
        return fill(
            self.prompt,
            {
                "question": case.item.question,
                "references": "\n".join(references),
                "answer": answer,
                "response": answer,
                "mark": _mark(case.item.question, *references, answer),
                "reply_form": _REPLY_FORM[self.options.format],
            },
        )

    def read(self, reply: Reply) -> Verdict:
        """The verdict of a reply."""
        if self.options.format == "json":
            return read_json(reply)
        if self.options.reader == "upstream":
            incorrect = self.options.unparsed == "incorrect"
            return read_upstream(reply, unparsed_is_incorrect=incorrect)
        return read_word(reply, accept_maybe=self.options.maybe == "accept")


def make(
    *,
    model: str | None = None,
    provider: str | None = None,
    sampling: JsonObject | None = None,
    options: JsonObject | None = None,
    extra: JsonObject | None = None,
    prompts: Mapping[str, PromptText] | None = None,
) -> ReferenceJudge:
    """A reference judge.

    Parameters
    ----------
    model, provider
        The requested model, and the identity of who answers (never a URL).
    sampling
        Sent with each question, over the defaults (temperature 0 and a short reply); null takes a
        default away, for models that refuse it.
    options
        See `Options`.
    extra
        Sent as it is with each question.
    prompts
        Official prompts the data home has, by name.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, or a prompt whose holes nothing fills.
    """
    if not model or not provider:
        raise ConfigError("judge reference asks a model; give its 'provider' and 'model'")
    chosen = check(Options, dict(options or {}), "judge reference: options")
    _check_together(chosen)
    prompt = _prompt(chosen.prompt, prompts or {})
    spec = JudgeSpec(
        kind="reference",
        model=model,
        identity=provider,
        sampling=_decoding(sampling or {}, chosen),
        prompt_sha=prompt.sha,
        reader_version=f"{chosen.format}/{chosen.reader}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={"prompt": chosen.prompt, **chosen.model_dump(exclude_defaults=True)}
        | ({"extra": dict(extra)} if extra else {}),
        official_prompt=prompt.official,
    )
    return ReferenceJudge(spec=spec, prompt=prompt, options=chosen, extra=dict(extra or {}))


def own_prompt(name: str) -> PromptText:
    """A prompt of our own wording."""
    file = resources.files("judgebench.judges") / "prompts" / f"reference_{name}.txt"
    return PromptText(name=name, text=file.read_text(encoding="utf-8").rstrip("\n"))


def _prompt(name: str, official: Mapping[str, PromptText]) -> PromptText:
    if name.startswith(OFFICIAL):
        wanted = name.removeprefix(OFFICIAL)
        if wanted not in official:
            here = ", ".join(sorted(official)) or "none"
            raise ConfigError(
                f"judge reference: the official prompt {wanted!r} is not in the data home "
                f"(there: {here}); fetch it with `judgebench data pull` or `data import`, "
                f"or use our own: prompt: short or long"
            )
        prompt = official[wanted]
    elif name in OWN_PROMPTS:
        prompt = own_prompt(name)
    else:
        known = [*OWN_PROMPTS, *(OFFICIAL + name for name in official)]
        raise ConfigError(f"judge reference: {unknown_name('prompt', name, known)}")
    _check_holes(prompt)
    return prompt


def _check_holes(prompt: PromptText) -> None:
    unknown = prompt.holes - HOLES
    if unknown:
        raise ConfigError(
            f"judge reference: the prompt {prompt.name!r} has the holes "
            f"{', '.join(sorted(unknown))}, which this judge cannot fill"
        )
    missing = {"question", "references"} - prompt.holes
    if not prompt.holes & {"answer", "response"}:
        missing |= {"answer"}
    if missing:
        raise ConfigError(
            f"judge reference: the prompt {prompt.name!r} never shows {', '.join(sorted(missing))}"
        )


def _check_together(options: Options) -> None:
    if options.format == "json" and (options.reader != "strict" or options.maybe != "unreadable"):
        raise ConfigError("judge reference: 'reader' and 'maybe' read words; format is json")
    if options.reader == "upstream" and options.maybe != "unreadable":
        raise ConfigError("judge reference: the upstream reader always accepts 'maybe'")
    if options.reader == "strict" and options.unparsed != "unreadable":
        raise ConfigError("judge reference: 'unparsed: incorrect' needs 'reader: upstream'")


def _decoding(sampling: JsonObject, options: Options) -> dict[str, Any]:
    defaults: dict[str, Any] = {"temperature": 0}
    if not {"max_tokens", "max_completion_tokens"} & sampling.keys():
        defaults["max_tokens"] = 32 if options.format == "word" else 64
    return {name: value for name, value in (defaults | dict(sampling)).items() if value is not None}


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    tail = limit - head
    gone = len(text) - limit
    return f"{text[:head]}\n[… {gone} characters left out …]\n{text[len(text) - tail :]}"


def _mark(*texts: str) -> str:
    """A delimiter that occurs in none of the texts, the same for the same texts.

    Chosen after the text is known, by counting up from its hash until one is free: no answer can
    contain the mark it will be put between, however it was made.
    """
    joined = "\n".join(texts)
    count = 0
    while True:
        seed = f"{count}\n{joined}".encode("utf-8", "surrogatepass")
        mark = f"<<{hashlib.sha256(seed).hexdigest()[:6]}>>"
        if mark not in joined:
            return mark
        count += 1


__all__ = ["HOLES", "OWN_PROMPTS", "Options", "ReferenceJudge", "make", "own_prompt"]
