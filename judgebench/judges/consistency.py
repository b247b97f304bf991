"""``consistency``: a model says "certain" if a further answer means the same as the first one.

The share of a model's further answers that agree with its first one is its confidence in it,
Consis-Sem [1]_. A verdict is a score: 1 for an answer that agrees, 0 for one that does not. In our
own prompt each answer stands between two marks that occur in neither (see `frame`).

References
----------
.. [1] Annotation-Efficient Universal Honesty Alignment (2025), arXiv 2510.17509.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from judgebench.config import check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.judges import exact_match
from judgebench.judges._normalise import Normalisation
from judgebench.judges.frame import code_for, cut
from judgebench.judges.prompt import Answerer, answerer, check_placeholders, chosen_prompt, messages
from judgebench.judges.readers.words import CONSISTENCY
from judgebench.judges.readers.words import CertaintyOptions as Options
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Label,
    Message,
    Reply,
    Score,
    Seen,
    Unreadable,
)
from judgebench.template import PromptText

OWN_PROMPTS = {"default": "consistency"}
READER_VERSION = "1"

_AS_UPSTREAM_WRITES = {"{qa_data[idx]['response'][0]}": "{first}", "{sample_ans}": "{further}"}
"""The placeholders of the official prompt, which are expressions of the program that it stands
in."""

PLACEHOLDERS = frozenset({"question", "first", "further", "mark"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyJudge:
    """Asks one question about a first and a further answer, in this order."""

    spec: JudgeSpec
    answerer: Answerer
    prompt: PromptText
    options: Options

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"with_first"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def judge(self, case: Case) -> Dialogue:
        first, further = (response.text for response in case.responses)
        blank = [not text.strip() for text in (first, further)]
        if any(blank):  # nothing said agrees with nothing said alone: no call is spent
            return ask_nobody(_score(agrees=all(blank)))
        if self.options.exact_match_first:
            # Equal as a whole: punctuation tells "-5" from "5", and "C++" from "C".
            normalisation = Normalisation().of(case.item.language)
            if exact_match.matches(further, [first], normalisation):
                return ask_nobody(_score(agrees=True))
        return ask_once(self.answerer.chat(self.question(case)), self._read)

    def question(self, case: Case) -> tuple[Message, ...]:
        """The filled prompt."""
        question = case.item.question
        first, further = (cut(r.text, self.options.max_answer_chars) for r in case.responses)
        of_case = {
            "question": question,
            "first": first,
            "further": further,
            "mark": f"<<{code_for(question, first, further)}>>",
        }
        return messages(self.prompt, {}, of_case)

    def _read(self, reply: Reply) -> Score | Unreadable:
        said = self.options.read(reply, CONSISTENCY)
        if isinstance(said, Label):
            return _score(agrees=said.name == CONSISTENCY[-1])
        assert isinstance(said, Unreadable)
        return said


def _score(*, agrees: bool) -> Score:
    return Score(value=float(agrees), low=0.0, high=1.0)


def make(settings: JudgeSettings) -> ConsistencyJudge:
    """A judge of consistency.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, or a prompt whose placeholders nothing
        fills.
    """
    chosen = check(Options, dict(settings.options), "judge consistency: options")
    prompt = chosen_prompt("consistency", chosen.prompt, OWN_PROMPTS, settings.prompts)
    sha, official = prompt.sha, prompt.official
    for written, placeholder in _AS_UPSTREAM_WRITES.items():
        prompt = replace(prompt, text=prompt.text.replace(written, placeholder))
    needed = {name: {name} for name in ("question", "first", "further")}
    check_placeholders("consistency", prompt, PLACEHOLDERS, needed)
    asked = answerer("consistency", settings, max_tokens=32)
    spec = asked.spec(
        "consistency",
        reader_version=f"{chosen.reader}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={"prompt": chosen.prompt, **chosen.model_dump(exclude_defaults=True)},
        prompt_sha=sha,
        official_prompt=official,
    )
    return ConsistencyJudge(spec=spec, answerer=asked, prompt=prompt, options=chosen)


__all__ = ["PLACEHOLDERS", "OWN_PROMPTS", "ConsistencyJudge", "Options", "make"]
