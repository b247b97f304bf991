"""``rubric``: a model rates one answer on a scale, by a team's own rubric.

With dimensions, each is rated by itself, and the whole is asked for too, or is their mean
(``overall``). The rubric stands in the constant part of the prompt, which providers cache; the
answer is data (see `frame`). A score is hard, said in words, or soft: the mean of the scale's
whole numbers by their probability. A blank answer has the lowest score, without a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges.frame import Shown
from judgebench.judges.prompt import (
    Answerer,
    Content,
    answerer,
    checked_content,
    messages,
    own_prompt,
    sha_as_sent,
)
from judgebench.judges.readers.logprobs import (
    TOP_LOGPROBS,
    Shares,
    ask_for_first_token,
    first_token_shares,
    likelihood_shares,
)
from judgebench.judges.readers.scores import (
    OVERALL,
    REASON,
    Scale,
    ScoreLines,
    read_scores_json,
    score_schema,
)
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Message,
    Reply,
    Score,
    Seen,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText

READER_VERSION = "1"
MAX_POINTS = 11  # of a soft score: all ratings should be among the tokens that are listed


class Options(Section):
    """What a suite may say about a rubric judge."""

    verdict: Literal["text", "logprobs", "likelihood"] = Field(
        "text", description="what is read: words, the first token's alternatives, likelihoods"
    )
    format: Literal["json", "word"] | None = Field(
        None, description="how scores are asked for in text; json if unset"
    )
    explain: bool | None = Field(None, description="reasons first; yes if unset and read as text")
    decimals: bool = Field(False, description="scores between the whole numbers")
    overall: Literal["asked", "mean"] = Field(
        "asked", description="where the score of the whole comes from, with dimensions"
    )
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )

    @property
    def explains(self) -> bool:
        return self.verdict == "text" if self.explain is None else self.explain

    @property
    def as_json(self) -> bool:
        return self.verdict == "text" and self.format != "word"


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricJudge:
    """Asks one question about one answer. ``names`` are what is rated, the whole last."""

    spec: JudgeSpec
    answerer: Answerer
    prompt: PromptText
    options: Options
    of_judge: Mapping[str, str]
    scale: Scale
    names: tuple[str, ...]

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def judge(self, case: Case) -> Dialogue:
        (response,) = case.responses
        if not response.text.strip():
            return ask_nobody(self.scale.score(dict.fromkeys(self.names, self.scale.low)))
        shown = Shown.of(case, max_answer_chars=self.max_answer_chars)
        question = self.question(shown)
        if self.options.verdict == "likelihood":
            spelt = tuple(self.scale.points)
            return ask_once(self.answerer.score(question, spelt), self.read_likelihoods)
        if self.options.verdict == "logprobs":
            asked = self.answerer.chat(question, logprobs=TOP_LOGPROBS)
            return ask_for_first_token(asked, self.read_first_token)
        schema = score_schema(self.names, self.scale, explain=self.options.explains)
        form = schema if self.options.as_json else None
        asked = self.answerer.chat(question, response_format=form)
        return ask_once(asked, lambda reply: self.read(reply, code=shown.code))

    def question(self, shown: Shown) -> tuple[Message, ...]:
        """The prompt, filled with what is shown."""
        ask = _ask(self.options, self.names, shown.code)
        of_case = {"texts": shown.texts("answer"), "ask": ask}
        return messages(self.prompt, self.of_judge, of_case)

    def read(self, reply: Reply, *, code: str) -> Verdict:
        """The verdict of a reply in words to a question whose texts have this code."""
        explains = self.options.explains
        if self.options.as_json:
            scores = read_scores_json(reply, self.names, self.scale, explain=explains)
        else:
            lines = ScoreLines(names=self.names, scale=self.scale, code=code if explains else None)
            scores = lines.read(reply)
        return scores if isinstance(scores, Unreadable) else self.scale.score(scores)

    def read_first_token(self, reply: Reply) -> Verdict:
        """The mean rating by the log-probabilities of the first token."""
        return self._soft(first_token_shares(reply, tuple(self.scale.points)))

    def read_likelihoods(self, reply: Reply) -> Verdict:
        """The mean rating by the likelihood of each."""
        return self._soft(likelihood_shares(reply, tuple(self.scale.points)))

    def _soft(self, shares: Shares | Unreadable) -> Score | Unreadable:
        if isinstance(shares, Unreadable):
            return shares
        return self.scale.score({OVERALL: self.scale.expected(shares)})


def make(settings: JudgeSettings) -> RubricJudge:
    """A rubric judge.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option, or options that do not go with each other or with
        the scale.
    """
    chosen = check(Options, dict(settings.options), "judge rubric: options")
    given = checked_content("rubric", settings.content)
    scale = Scale(low=given.scale[0], high=given.scale[1], decimals=chosen.decimals)
    _check_together(chosen, given, scale)
    whole = chosen.overall == "asked" or not given.dimensions
    names = (*given.dimensions, *([OVERALL] if whole else []))
    prompt = own_prompt("rubric")
    of_judge = {
        "rubric": given.rubric_text,
        "low": f"{scale.low:g}",
        "high": f"{scale.high:g}",
        "reply_form": _reply_form(chosen, names, scale),
    }
    room = 1024 if chosen.explains else 32 * (1 + len(names))
    asked = answerer(
        "rubric", settings, max_tokens=None if chosen.verdict == "likelihood" else room
    )
    form = "json" if chosen.as_json else "word"
    spec = asked.spec(
        "rubric",
        reader_version=f"{chosen.verdict}/{form}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={
            **chosen.model_dump(mode="json", exclude_defaults=True),
            **given.model_dump(mode="json", exclude_defaults=True, include={"scale", "dimensions"}),
        },
        prompt_sha=sha_as_sent(prompt, of_judge),
        official_prompt=False,
    )
    return RubricJudge(
        spec=spec,
        answerer=asked,
        prompt=prompt,
        options=chosen,
        of_judge=of_judge,
        scale=scale,
        names=names,
    )


def _check_together(options: Options, content: Content, scale: Scale) -> None:
    whole_ends = scale.low == int(scale.low) and scale.high == int(scale.high)
    if not options.decimals and not whole_ends:
        raise ConfigError(
            f"judge rubric: a scale from {scale.low:g} to {scale.high:g} has no whole numbers at "
            "its ends; let scores lie between them with 'decimals: true'"
        )
    taken = {name for name in content.dimensions if name.casefold() in {OVERALL, REASON}}
    if taken:
        raise ConfigError(
            f"judge rubric: the dimension {taken.pop()!r} has the name of the whole; call it "
            "otherwise"
        )
    if options.verdict != "text":
        _check_soft(options, content, scale)


def _check_soft(options: Options, content: Content, scale: Scale) -> None:
    soft = f"'verdict: {options.verdict}'"
    if options.explains or options.format == "json" or options.decimals:
        raise ConfigError(
            f"judge rubric: {soft} reads how the reply begins; it goes without 'explain', "
            "'decimals' and 'format: json'"
        )
    if content.dimensions:
        raise ConfigError(
            f"judge rubric: {soft} reads one number, and the benchmark has the dimensions "
            f"{', '.join(content.dimensions)}; use 'verdict: text'"
        )
    if scale.low < 0 or scale.high - scale.low + 1 > MAX_POINTS:
        raise ConfigError(
            f"judge rubric: {soft} needs a scale of at most {MAX_POINTS} whole numbers from 0 "
            f"upwards, not {scale.low:g} to {scale.high:g}"
        )


# How our prompt asks for the scores --------------------------------------------------------------


def _reply_form(options: Options, names: tuple[str, ...], scale: Scale) -> str:
    dimensions = [name for name in names if name != OVERALL]
    each = scale.words if not dimensions else f"each of them {scale.words}"
    if dimensions and OVERALL in names:
        each += f"; {OVERALL} is your rating of the whole"
    if options.as_json:
        reason = '"reason": "your reasons in a few sentences", ' if options.explains else ""
        members = ", ".join(f'"{name}": …' for name in names)
        return (
            f"Reply with one JSON object and nothing else: {{{reason}{members}}}, with "
            f"{', '.join(names)}: {each}."
        )
    if options.explains:
        lines = f"a line for each of {', '.join(names)}, that holds its name"
        if len(names) == 1:
            lines = f"one line that holds the word {names[0]}"
        return (
            f"First give your reasons in a few sentences. Then end with {lines}, the code of the "
            f"texts, a colon and the rating: {each}."
        )
    if dimensions:
        lines = "\n".join(f"{name}: …" for name in names)
        return f"Reply with these lines and nothing else, {each}:\n{lines}"
    digits = len(next(iter(scale.points))) if options.verdict != "text" else 1
    spelt = f", written with {digits} digits" if digits > 1 else ""
    return f"Reply with your rating and nothing else: {each}{spelt}."


def _ask(options: Options, names: tuple[str, ...], code: str) -> str:
    if options.as_json:
        return "How good is the answer? Reply with the JSON object."
    if options.explains:
        lines = "\n".join(f"{name} {code}:" for name in names)
        return f"How good is the answer? Give your reasons, then end with this, completed:\n{lines}"
    alone = "rating" if len(names) == 1 else "lines"
    return f"How good is the answer? Reply with the {alone} alone."


__all__ = ["Options", "RubricJudge", "make"]
