"""``reference``: a model says whether an answer means the same as a reference answer.

The answer is untrusted text. In our own prompts it stands between two equal marks that do not occur
in it (see `frame`), so that it cannot pretend to end before it does; nothing in it is looked at
when placeholders are filled. Official prompts are sent word for word, with the frame their authors
chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges._normalise import NO_REFERENCE
from judgebench.judges.frame import code_for, cut
from judgebench.judges.prompt import (
    Answerer,
    answerer,
    check_placeholders,
    checked_content,
    chosen_prompt,
    messages,
)
from judgebench.judges.readers.logprobs import (
    TOP_LOGPROBS,
    ask_for_first_token,
    first_token_shares,
    likelihood_shares,
)
from judgebench.judges.readers.words import (
    JSON_SCHEMA,
    VERDICTS,
    likelier,
    read_json,
    read_upstream,
    read_word,
)
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Label,
    Message,
    Reply,
    Seen,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText

OWN_PROMPTS = {"short": "reference_short", "long": "reference_long"}
READER_VERSION = "2"

#: Holes of our own prompts, and ``response``, the answer in upstream's words.
ANSWER = frozenset({"answer", "response"})
PLACEHOLDERS = ANSWER | {"question", "references", "mark", "reply_form"}

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
    verdict: Literal["text", "logprobs", "likelihood"] = Field(
        "text", description="what is read: words, the first token's alternatives, likelihoods"
    )
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceJudge:
    """Asks one question about one answer."""

    spec: JudgeSpec
    answerer: Answerer
    prompt: PromptText
    options: Options

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def judge(self, case: Case) -> Dialogue:
        (response,) = case.responses
        if not any(reference.strip() for reference in case.item.references):
            return ask_nobody(Unreadable(reason=NO_REFERENCE))
        if not response.text.strip():  # states no reference, whoever reads it: no call is spent
            return ask_nobody(Label(name="incorrect"))
        question = self.question(case)
        if self.options.verdict == "likelihood":
            return ask_once(self.answerer.score(question, VERDICTS), read_likelihoods)
        if self.options.verdict == "logprobs":
            asked = self.answerer.chat(question, logprobs=TOP_LOGPROBS)
            return ask_for_first_token(asked, read_first_token)
        form = JSON_SCHEMA if self.options.format == "json" else None
        return ask_once(self.answerer.chat(question, response_format=form), self.read)

    def question(self, case: Case) -> tuple[Message, ...]:
        """The filled prompt."""
        (response,) = case.responses
        answer = cut(response.text, self.options.max_answer_chars)
        references = [" ".join(text.split()) for text in case.item.references]
        if not self.prompt.official:
            references = list(dict.fromkeys(references))
        of_case = {
            "question": case.item.question,
            "references": "\n".join(references),
            "answer": answer,
            "response": answer,
            "mark": f"<<{code_for(case.item.question, *references, answer)}>>",
        }
        return messages(self.prompt, {"reply_form": _REPLY_FORM[self.options.format]}, of_case)

    def read(self, reply: Reply) -> Verdict:
        """The verdict of a reply in words."""
        if self.options.format == "json":
            return read_json(reply)
        if self.options.reader == "upstream":
            incorrect = self.options.unparsed == "incorrect"
            return read_upstream(reply, unparsed_is_incorrect=incorrect)
        return read_word(reply, accept_maybe=self.options.maybe == "accept")


def read_first_token(reply: Reply) -> Verdict:
    """The verdict that the reply was likelier to begin with."""
    return likelier(first_token_shares(reply, VERDICTS))


def read_likelihoods(reply: Reply) -> Verdict:
    """The likelier of the two verdicts."""
    return likelier(likelihood_shares(reply, VERDICTS))


def make(settings: JudgeSettings) -> ReferenceJudge:
    """A reference judge.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, a prompt whose placeholders nothing fills,
        or a benchmark with other labels.
    """
    chosen = check(Options, dict(settings.options), "judge reference: options")
    _check_together(chosen)
    _check_labels(checked_content("reference", settings.content).labels)
    prompt = chosen_prompt("reference", chosen.prompt, OWN_PROMPTS, settings.prompts)
    needed = {name: {name} for name in ("question", "references")} | {"answer": ANSWER}
    check_placeholders("reference", prompt, PLACEHOLDERS, needed)
    room = 32 if chosen.format == "word" else 64
    asked = answerer(
        "reference", settings, max_tokens=None if chosen.verdict == "likelihood" else room
    )
    read = f"{chosen.format}/{chosen.reader}" if chosen.verdict == "text" else chosen.verdict
    spec = asked.spec(
        "reference",
        reader_version=f"{read}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={"prompt": chosen.prompt, **chosen.model_dump(exclude_defaults=True)},
        prompt_sha=prompt.sha,
        official_prompt=prompt.official,
    )
    return ReferenceJudge(spec=spec, answerer=asked, prompt=prompt, options=chosen)


def _check_labels(labels: tuple[str, ...]) -> None:
    if labels and set(labels) != set(VERDICTS):
        raise ConfigError(
            f"judge reference: it says {' or '.join(VERDICTS)}, and the labels of the benchmark "
            f"are {', '.join(labels)}; use another way of judging"
        )


def _check_together(options: Options) -> None:
    if options.format == "json" and (options.reader != "strict" or options.maybe != "unreadable"):
        raise ConfigError("judge reference: 'reader' and 'maybe' read words; format is json")
    if options.reader == "upstream" and options.maybe != "unreadable":
        raise ConfigError("judge reference: the upstream reader always accepts 'maybe'")
    if options.reader == "strict" and options.unparsed != "unreadable":
        raise ConfigError("judge reference: 'unparsed: incorrect' needs 'reader: upstream'")
    if options.verdict != "text" and (options.format != "word" or options.reader != "strict"):
        raise ConfigError(
            f"judge reference: 'verdict: {options.verdict}' reads how the reply begins; it goes "
            "with 'format: word' and without 'reader'"
        )
    if options.verdict != "text" and options.maybe != "unreadable":
        raise ConfigError("judge reference: 'maybe' reads words; it needs 'verdict: text'")


__all__ = ["PLACEHOLDERS", "OWN_PROMPTS", "Options", "ReferenceJudge", "make"]
