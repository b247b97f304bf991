"""``stated_confidence``: a model says from 0 to 1 how likely it is to answer a question correctly.

It is meant to be asked of the model itself (``provider: candidate`` in a suite), which is then
shown the question and not its answer: Verbal-0 of HonestyBench [1]_. With ``examples``, other
questions and how often the model got each of them right, it is Verbal-10.

References
----------
.. [1] Annotation-Efficient Universal Honesty Alignment (2025), arXiv 2510.17509.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_once
from judgebench.judges.prompt import Answerer, answerer, check_placeholders, chosen_prompt, messages
from judgebench.judges.readers.replies import unfinished
from judgebench.judges.readers.scores import (
    read_verbal_confidence,
    read_verbal_confidence_upstream,
)
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, JudgeSpec, Message, Reply, Score, Seen, Unreadable
from judgebench.template import PromptText, fill

OWN_PROMPTS = {"default": "stated_confidence"}
READER_VERSION = "1"
PLACEHOLDERS = frozenset({"question"})

EXAMPLES = "examples"
"""The option that is of one model, if a suite gives a file of them."""


class Example(Section):
    """A question, and the share of a model's answers to it that were correct."""

    question: str = Field(min_length=1)
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Options(Section):
    """What a suite may say about a judge of stated confidence."""

    prompt: str = Field("default", description="default, or official/NAME from the data home")
    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream takes the last number, and 0 where there is none"
    )
    examples: list[Example] = Field(
        default_factory=list, description="shown first; in a suite also the name of a file"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedConfidenceJudge:
    """Asks one question about a question."""

    spec: JudgeSpec
    answerer: Answerer
    prompt: PromptText
    options: Options

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"question"})

    @property
    def max_answer_chars(self) -> None:
        return None

    def judge(self, case: Case) -> Dialogue:
        return ask_once(self.answerer.chat(self.question(case)), self._read)

    def question(self, case: Case) -> tuple[Message, ...]:
        """The examples, each as it would be asked and with what was to be said, and the question.

        An example that is the question itself is left out: it would give the answer away.
        """
        shown = [one for one in self.options.examples if one.question != case.item.question]
        before = "".join(
            f"{fill(self.prompt, {'question': one.question})}\n{one.confidence}\n" for one in shown
        )
        asked = messages(self.prompt, {}, {"question": case.item.question})
        first, *others = asked
        return (Message(role=first.role, content=before + first.content), *others)

    def _read(self, reply: Reply) -> Score | Unreadable:
        if self.options.reader == "strict":
            return read_verbal_confidence(reply)
        if reason := unfinished(reply):
            return reason
        return Score(value=read_verbal_confidence_upstream(reply.text), low=0.0, high=1.0)


def make(settings: JudgeSettings) -> StatedConfidenceJudge:
    """A judge of stated confidence.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, an example whose confidence is not from 0
        to 1, or a prompt whose placeholders nothing fills.
    """
    chosen = check(Options, dict(settings.options), "judge stated_confidence: options")
    prompt = chosen_prompt("stated_confidence", chosen.prompt, OWN_PROMPTS, settings.prompts)
    check_placeholders("stated_confidence", prompt, PLACEHOLDERS, {"the question": PLACEHOLDERS})
    asked = answerer("stated_confidence", settings, max_tokens=32)
    spec = asked.spec(
        "stated_confidence",
        reader_version=f"{chosen.reader}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={"prompt": chosen.prompt, **chosen.model_dump(exclude_defaults=True)},
        prompt_sha=prompt.sha,
        official_prompt=prompt.official,
    )
    return StatedConfidenceJudge(spec=spec, answerer=asked, prompt=prompt, options=chosen)


__all__ = ["EXAMPLES", "PLACEHOLDERS", "OWN_PROMPTS", "Options", "StatedConfidenceJudge", "make"]
