"""``equivalence``: a model says "certain" if an answer means the same as an accepted one.

This is HonestyBench's question [1]_, which differs from that of `reference` in its two words, in
how the official prompt writes the accepted answers, and in upstream's way of reading a reply. In
our own prompt the answer stands between two marks that do not occur in it (see `frame`).

References
----------
.. [1] Annotation-Efficient Universal Honesty Alignment (2025), arXiv 2510.17509.
"""

from __future__ import annotations

from dataclasses import dataclass

from judgebench.config import check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges import exact_match
from judgebench.judges._normalise import NO_REFERENCE, Normalisation
from judgebench.judges.frame import code_for, cut
from judgebench.judges.prompt import (
    Answerer,
    answerer,
    check_placeholders,
    checked_content,
    chosen_prompt,
    messages,
)
from judgebench.judges.readers.words import CertaintyOptions as Options
from judgebench.protocols import JudgeSettings
from judgebench.records import BINARY, Case, JudgeSpec, Label, Message, Seen, Unreadable
from judgebench.template import PromptText

INCORRECT, CORRECT = BINARY
OWN_PROMPTS = {"default": "equivalence"}
READER_VERSION = "1"

#: Holes that show the accepted answers: one on a line, or as upstream writes a list.
ACCEPTED = frozenset({"references", "answer"})
PLACEHOLDERS = ACCEPTED | {"question", "prediction", "mark"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceJudge:
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
        references = case.item.references
        if not any(reference.strip() for reference in references):
            return ask_nobody(Unreadable(reason=NO_REFERENCE))
        if not response.text.strip():  # means nothing, whoever reads it: no call is spent
            return ask_nobody(Label(name=INCORRECT))
        if self.options.exact_match_first:
            # Equal as a whole: punctuation tells "-5" from "5", and "C++" from "C".
            normalisation = Normalisation().of(case.item.language)
            if exact_match.matches(response.text, references, normalisation):
                return ask_nobody(Label(name=CORRECT))
        return ask_once(self.answerer.chat(self.question(case)), self.options.read)

    def question(self, case: Case) -> tuple[Message, ...]:
        """The filled prompt."""
        (response,) = case.responses
        answer = cut(response.text, self.options.max_answer_chars)
        lines = [" ".join(text.split()) for text in case.item.references]
        of_case = {
            "question": case.item.question,
            "references": "\n".join(dict.fromkeys(lines)),
            "answer": repr(list(case.item.references)),
            "prediction": answer,
            "mark": f"<<{code_for(case.item.question, *lines, answer)}>>",
        }
        return messages(self.prompt, {}, of_case)


def make(settings: JudgeSettings) -> EquivalenceJudge:
    """A judge of equivalence.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, a prompt whose placeholders nothing fills,
        or a benchmark with labels other than `BINARY`.
    """
    chosen = check(Options, dict(settings.options), "judge equivalence: options")
    labels = checked_content("equivalence", settings.content).labels
    if labels and set(labels) != set(BINARY):
        raise ConfigError(
            f"judge equivalence: it says {' or '.join(BINARY)}, and the labels of the benchmark "
            f"are {', '.join(labels)}; use another way of judging"
        )
    prompt = chosen_prompt("equivalence", chosen.prompt, OWN_PROMPTS, settings.prompts)
    needed = {
        "question": {"question"},
        "the accepted answers": ACCEPTED,
        "the answer": {"prediction"},
    }
    check_placeholders("equivalence", prompt, PLACEHOLDERS, needed)
    asked = answerer("equivalence", settings, max_tokens=32)
    spec = asked.spec(
        "equivalence",
        reader_version=f"{chosen.reader}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={"prompt": chosen.prompt, **chosen.model_dump(exclude_defaults=True)},
        prompt_sha=prompt.sha,
        official_prompt=prompt.official,
    )
    return EquivalenceJudge(spec=spec, answerer=asked, prompt=prompt, options=chosen)


__all__ = ["PLACEHOLDERS", "OWN_PROMPTS", "EquivalenceJudge", "Options", "make"]
