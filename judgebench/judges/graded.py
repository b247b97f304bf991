"""``graded``: how right an answer is, from 0 to 1, to questions with options and without.

A free answer is graded against the accepted ones; of an answer to a question with options it is
said which one it chooses, and the right one scores 1. Each is done by a model or by a rule, and
where both are rules nobody is asked. A blank answer scores 0 without a call, except by upstream's
rule: there it names no option, and upstream draws one.

Which option is right follows from the references (`option_letters.right_letter`). A rule that finds
no choice is unreadable, a model that finds none has read the answer: it scores 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges._mixeval_placeholders import (
    free_form_placeholders,
    multiple_choice_placeholders,
)
from judgebench.judges._normalise import NO_REFERENCE
from judgebench.judges._own_grading import (
    OWN_HOLES,
    Asked,
    Form,
    about_choice,
    about_free_answer,
)
from judgebench.judges.frame import cut
from judgebench.judges.prompt import (
    Answerer,
    answerer,
    check_placeholders,
    checked_content,
    chosen_prompt,
    messages,
    sha_as_sent,
)
from judgebench.judges.readers.brackets import GRADES, read_graded_score, read_option
from judgebench.judges.readers.option_letters import NO_OPTION, Rule, chosen_option
from judgebench.judges.readers.scores import OVERALL
from judgebench.judges.readers.upstream import states
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Label,
    Reply,
    Score,
    Seen,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText, right_letter

READER_VERSION = "1"
OWN_FREE_FORM = {"default": "graded"}
OWN_MULTIPLE_CHOICE = {"default": "chosen_option"}

NO_RIGHT_OPTION = Unreadable(reason="the references name no option of the question, or several")

#: Those of ours, and what official prompts call what they show.
FREE_FORM_HOLES = OWN_HOLES | {"prompt", "gold_ans", "response"}
MULTIPLE_CHOICE_HOLES = OWN_HOLES | {"prompt", "options", "response"}


class Options(Section):
    """What a suite may say about a graded judge."""

    free_form: Literal["judge", "rule"] = Field(
        "judge", description="who grades a free answer: a model, or MixEval's rule"
    )
    multiple_choice: Literal["judge", "rule", "upstream_rule"] = Field(
        "judge",
        description="who says which option is chosen: a model, a rule, or MixEval's rule as it is",
    )
    prompt: str = Field(
        "default", description="of free answers: default, or official/NAME from the data home"
    )
    option_prompt: str = Field(
        "default", description="of options: default, or official/NAME from the data home"
    )
    reader: Literal["strict", "upstream"] = Field(
        "strict", description="how replies to official prompts are read"
    )
    format: Literal["line", "json"] = Field(
        "line", description="how our own prompts ask for the verdict"
    )
    explain: bool = Field(True, description="reasons first, where our own prompts are used")
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )

    @property
    def form(self) -> Form:
        """How our own prompts ask."""
        return Form(as_json=self.format == "json", explain=self.explain)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedJudge:
    """Asks at most one question about one answer; a prompt is None where a rule decides."""

    spec: JudgeSpec
    answerer: Answerer | None
    options: Options
    free_form: PromptText | None
    multiple_choice: PromptText | None

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer"})

    @property
    def max_answer_chars(self) -> int | None:
        return None if self.answerer is None else self.options.max_answer_chars

    def judge(self, case: Case) -> Dialogue:
        return self._of_choice(case) if case.item.options else self._of_free_answer(case)

    def _of_free_answer(self, case: Case) -> Dialogue:
        (response,) = case.responses
        references = [text for text in case.item.references if text.strip()]
        if not references:
            return ask_nobody(Unreadable(reason=NO_REFERENCE))
        if not response.text.strip():
            return ask_nobody(_score(0.0))
        prompt = self.free_form
        if prompt is None:
            return ask_nobody(by_rule(response.text, references))
        limit = self.options.max_answer_chars
        if prompt.official:
            answer = cut(response.text, limit)
            shown = free_form_placeholders(case.item.question, references, answer)
            question = Asked(messages=messages(prompt, {}, shown), read=self.read_grade)
        else:
            question = about_free_answer(prompt, case, self.options.form, limit=limit)
        return self._ask(question, question.read)

    def _of_choice(self, case: Case) -> Dialogue:
        (response,) = case.responses
        item, rule = case.item, self.options.multiple_choice
        right = right_letter(item.options, item.references)
        if right is None:
            return ask_nobody(NO_RIGHT_OPTION)
        if not response.text.strip():
            return ask_nobody(NO_OPTION if rule == "upstream_rule" else _score(0.0))
        prompt = self.multiple_choice
        if prompt is None:
            by: Rule = "upstream" if rule == "upstream_rule" else "rescue"
            return ask_nobody(by_rule(response.text, item.references, item.options, rule=by))
        limit = self.options.max_answer_chars
        if prompt.official:
            answer = cut(response.text, limit)
            shown = multiple_choice_placeholders(item.question, item.options, answer)
            n_options = len(item.options)
            question = Asked(
                messages=messages(prompt, {}, shown),
                read=lambda reply: self.read_choice(reply, n_options),
            )
        else:
            question = about_choice(prompt, case, self.options.form, limit=limit)
        return self._ask(question, lambda reply: _marked(question.read(reply), right))

    def read_grade(self, reply: Reply) -> Verdict:
        """The score in a reply to an official prompt about a free answer."""
        return read_graded_score(reply, upstream=self.options.reader == "upstream")

    def read_choice(self, reply: Reply, n_options: int) -> Verdict:
        """The letter of the option that a reply to an official prompt names, as a label."""
        return read_option(reply, n_options, upstream=self.options.reader == "upstream")

    def _ask(self, question: Asked, read: Callable[[Reply], Verdict]) -> Dialogue:
        assert self.answerer is not None  # there is one wherever there is a prompt
        asked = self.answerer.chat(question.messages, response_format=question.response_format)
        return ask_once(asked, read)


def by_rule(
    answer: str, references: Sequence[str], options: Sequence[str] = (), *, rule: Rule = "rescue"
) -> Verdict:
    """The score of an answer without asking anybody; ``rule`` is the one about options."""
    if not options:
        accepted = [text for text in references if text.strip()]
        if not accepted:  # a blank one stands in every answer
            return Unreadable(reason=NO_REFERENCE)
        return _score(float(states(answer, accepted)))
    right = right_letter(options, references)
    if right is None:
        return NO_RIGHT_OPTION
    return _marked(chosen_option(answer, options, rule=rule), right)


def _score(value: float) -> Score:
    return GRADES.score({OVERALL: value})


def _marked(choice: Verdict, right: str) -> Verdict:
    return _score(float(choice.name == right)) if isinstance(choice, Label) else choice


def make(settings: JudgeSettings) -> GradedJudge:
    """A graded judge.

    Raises
    ------
    ConfigError
        For a missing model or one that would not be asked, an unknown option or prompt, a prompt
        whose placeholders nothing fills, or a reader that would read nothing.
    """
    chosen = check(Options, dict(settings.options), "judge graded: options")
    checked_content("graded", settings.content)
    free_form = multiple_choice = None
    if chosen.free_form == "judge":
        free_form = chosen_prompt("graded", chosen.prompt, OWN_FREE_FORM, settings.prompts)
        needed = {"the references": {"gold_ans", "texts"}, "the answer": {"response", "texts"}}
        check_placeholders("graded", free_form, FREE_FORM_HOLES, needed)
    if chosen.multiple_choice == "judge":
        of_options = chosen.option_prompt
        multiple_choice = chosen_prompt("graded", of_options, OWN_MULTIPLE_CHOICE, settings.prompts)
        needed = {"the options": {"options", "texts"}, "the answer": {"response", "texts"}}
        check_placeholders("graded", multiple_choice, MULTIPLE_CHOICE_HOLES, needed)
    asking = [prompt for prompt in (free_form, multiple_choice) if prompt is not None]
    _check_together(chosen, asking)
    asked = None
    if asking:
        room = 1024 if chosen.explain or any(one.official for one in asking) else 64
        asked = answerer("graded", settings, max_tokens=room)
    # Sampling is not looked at where rules decide: a benchmark may bring it along.
    elif useless := [n for n in ("model", "extra", "reasoning") if getattr(settings, n)]:
        raise ConfigError(
            f"judge graded: 'free_form' and 'multiple_choice' are judged by rule, which asks no "
            f"model; remove {', '.join(useless)}"
        )
    return GradedJudge(
        spec=_spec(chosen, asked, free_form, multiple_choice),
        answerer=asked,
        options=chosen,
        free_form=free_form,
        multiple_choice=multiple_choice,
    )


def _check_together(options: Options, asking: list[PromptText]) -> None:
    official = {prompt.official for prompt in asking}
    if options.reader == "upstream" and official == {False}:
        raise ConfigError(
            "judge graded: 'reader: upstream' reads replies to official prompts, and ours are "
            "used; name official ones ('prompt', 'option_prompt'), or remove it"
        )
    if official == {True} and options.form != Options().form:
        raise ConfigError(
            "judge graded: official prompts say themselves how to reply; remove 'format' and "
            "'explain', or use our own: prompt: default, option_prompt: default"
        )


def _spec(
    options: Options,
    asked: Answerer | None,
    free_form: PromptText | None,
    multiple_choice: PromptText | None,
) -> JudgeSpec:
    """The identity: what is not used stays out, so that a rule is one judge wherever it is."""
    form = options.form
    shas = [
        sha_as_sent(prompt, of_judge)
        for prompt, of_judge in ((free_form, form.of_grades), (multiple_choice, form.of_choices))
        if prompt is not None
    ]
    asking = [prompt for prompt in (free_form, multiple_choice) if prompt is not None]
    used = {
        "prompt": free_form is not None,
        "option_prompt": multiple_choice is not None,
        "reader": any(prompt.official for prompt in asking),
        "max_answer_chars": bool(asking),
    }
    # Defaults stay out, so that a new option of a later version changes no old key.
    told = {
        "prompt": options.prompt,
        "option_prompt": options.option_prompt,
        **options.model_dump(mode="json", exclude_defaults=True),
    }
    told = {name: value for name, value in told.items() if used.get(name, True)}
    reader = f"{options.free_form}/{options.multiple_choice}/{READER_VERSION}"
    if asked is None:
        return JudgeSpec(kind="graded", reader_version=reader, options=told)
    return asked.spec(
        "graded",
        reader_version=reader,
        options=told,
        prompt_sha=shas[0] if len(shas) == 1 else text_sha("\n".join(shas)),
        official_prompt=all(prompt.official for prompt in asking),
    )


__all__ = ["GradedJudge", "Options", "by_rule", "make"]
