"""``pairwise``: a model says which of two answers to one question is better.

The answers are called A and B in the order of the case, and cut by the same limit. A verdict is
hard (said in words: the probability that the first is better is 1, 0 or, of a tie, 0.5) or soft
(read from log-probabilities). Two equal answers are a tie, and a blank one loses, without a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, StringConstraints

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges.frame import Shown
from judgebench.judges.prompt import (
    Answerer,
    answerer,
    check_placeholders,
    checked_content,
    chosen_prompt,
    messages,
    sha_as_sent,
)
from judgebench.judges.readers.brackets import read_brackets
from judgebench.judges.readers.logprobs import (
    ask_for_first_token,
    first_token_shares,
    likelihood_shares,
)
from judgebench.judges.readers.words import Names, WinnerLines, read_winner_json, winner_schema
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Message,
    Preference,
    Reply,
    Seen,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText

READER_VERSION = "2"
OWN_PROMPTS = {"default": "pairwise"}

#: Holes by what they show; all but ``texts`` in the words of upstream prompts.
QUESTION = frozenset({"texts", "question", "question_1", "instruction"})
FIRST = frozenset({"texts", "output_1", "answer_1", "answer_a"})
SECOND = frozenset({"texts", "output_2", "answer_2", "answer_b"})
OF_JUDGE = frozenset({"rubric", "reply_form"})
PLACEHOLDERS = QUESTION | FIRST | SECOND | OF_JUDGE | {"references", "ask"}

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,20}$")]


class Options(Section):
    """What a suite may say about a pairwise judge."""

    prompt: str = Field("default", description="default, or official/NAME from the data home")
    format: Literal["word", "json", "brackets"] = Field(
        "word", description="how the verdict is asked for; brackets is of official prompts"
    )
    explain: bool = Field(False, description="reasons first, then the verdict")
    ties: Literal["allow", "forbid"] = "allow"
    verdict: Literal["text", "logprobs", "likelihood"] = Field(
        "text", description="what is read: words, the first token's alternatives, likelihoods"
    )
    top_logprobs: int = Field(5, ge=2, le=20, description="alternatives asked for with logprobs")
    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream reads log-probabilities as AlpacaEval does"
    )
    identifiers: tuple[Identifier, Identifier] = Field(
        ("A", "B"), description="what an official prompt calls the answers"
    )
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )

    @property
    def official(self) -> bool:
        return self.prompt not in OWN_PROMPTS

    @property
    def names(self) -> Names:
        """What the verdicts are called; a soft one has to be a single token."""
        tie = "tie" if self.verdict == "text" else None if self.official else "C"
        first, second = self.identifiers
        return Names(first=first, second=second, tie=tie if self.ties == "allow" else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseJudge:
    """Asks one question about two answers."""

    spec: JudgeSpec
    answerer: Answerer
    prompt: PromptText
    options: Options
    of_judge: Mapping[str, str]

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"with_baseline"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def judge(self, case: Case) -> Dialogue:
        if (known := without_asking(case)) is not None:
            return ask_nobody(known)
        shown = Shown.of(case, max_answer_chars=self.max_answer_chars)
        question = self.question(shown)
        options = self.options
        if options.verdict == "likelihood":
            return ask_once(self.answerer.score(question, tuple(options.names)), self.read_scores)
        if options.verdict == "logprobs":
            asked = self.answerer.chat(question, logprobs=options.top_logprobs)
            return ask_for_first_token(asked, self.read_first_token)
        schema = winner_schema(options.names, explain=options.explain)
        form = schema if options.format == "json" else None
        asked = self.answerer.chat(question, response_format=form)
        return ask_once(asked, self.reader(shown.code))

    def question(self, shown: Shown) -> tuple[Message, ...]:
        """The prompt, filled with what is shown."""
        first, second = shown.answers
        return messages(
            self.prompt,
            self.of_judge,
            {
                "texts": shown.texts("answer A", "answer B"),
                "ask": _ask(self.options, shown.code),
                "references": shown.references,
                **dict.fromkeys(QUESTION - {"texts"}, shown.question),
                **dict.fromkeys(FIRST - {"texts"}, first),
                **dict.fromkeys(SECOND - {"texts"}, second),
            },
        )

    def reader(self, code: str) -> Callable[[Reply], Verdict]:
        """What reads the reply in words to a question whose texts have this code."""
        names, explain = self.options.names, self.options.explain
        if self.options.format == "json":
            return lambda reply: read_winner_json(reply, names, explain=explain)
        if self.options.format == "brackets":
            return lambda reply: read_brackets(reply, ties=names.tie is not None)
        coded = explain and not self.options.official
        return WinnerLines(names=names, code=code if coded else None, bare_last=explain).read

    def read_first_token(self, reply: Reply) -> Verdict:
        """The verdict in the log-probabilities of the first token."""
        upstream = self.options.reader == "upstream"
        names = self.options.names
        shares = first_token_shares(reply, tuple(names), upstream=upstream)
        return shares if isinstance(shares, Unreadable) else names.soft_preference(shares)

    def read_scores(self, reply: Reply) -> Verdict:
        """The verdict in the likelihoods of the verdicts."""
        names = self.options.names
        shares = likelihood_shares(reply, tuple(names))
        return shares if isinstance(shares, Unreadable) else names.soft_preference(shares)


def without_asking(case: Case) -> Preference | None:
    """The verdict that needs no judge: equal answers are a tie, a blank one loses to any other."""
    first, second = (response.text.strip() for response in case.responses)
    if first == second:
        return Preference(winner=None, p_first=0.5)
    if not first:
        return Preference(winner=1, p_first=0.0)
    return None if second else Preference(winner=0, p_first=1.0)


def make(settings: JudgeSettings) -> PairwiseJudge:
    """A pairwise judge.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, options that make no sense together, or a
        prompt whose placeholders nothing fills.
    """
    chosen = check(Options, dict(settings.options), "judge pairwise: options")
    prompt = chosen_prompt("pairwise", chosen.prompt, OWN_PROMPTS, settings.prompts)
    _check_together(chosen)
    needed = {"the question": QUESTION, "the first answer": FIRST, "the second answer": SECOND}
    check_placeholders("pairwise", prompt, PLACEHOLDERS, needed)
    of_judge = {
        "rubric": checked_content("pairwise", settings.content).rubric_text,
        "reply_form": _reply_form(chosen),
    }
    room = 1024 if chosen.explain else 64 if chosen.format == "json" else 16
    asked = answerer(
        "pairwise", settings, max_tokens=None if chosen.verdict == "likelihood" else room
    )
    spec = asked.spec(
        "pairwise",
        reader_version=f"{chosen.verdict}/{chosen.format}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={
            "prompt": chosen.prompt,
            **chosen.model_dump(mode="json", exclude_defaults=True),
        },
        prompt_sha=sha_as_sent(prompt, of_judge),
        official_prompt=prompt.official,
    )
    return PairwiseJudge(
        spec=spec, answerer=asked, prompt=prompt, options=chosen, of_judge=of_judge
    )


def _check_together(options: Options) -> None:
    faults = {
        "'format: brackets' is what official prompts ask for; ours asks for a word or JSON": (
            options.format == "brackets" and not options.official
        ),
        "'identifiers' are of official prompts; ours calls the answers A and B": (
            options.identifiers != ("A", "B") and not options.official
        ),
        "two answers have two 'identifiers'": options.identifiers[0] == options.identifiers[1],
        f"'verdict: {options.verdict}' reads how the reply begins; it goes with 'format: word' and "
        "without 'explain'": (
            options.verdict != "text" and (options.format != "word" or options.explain)
        ),
        "'reader: upstream' reads log-probabilities; it needs 'verdict: logprobs'": (
            options.reader == "upstream" and options.verdict != "logprobs"
        ),
    }
    for message, wrong in faults.items():
        if wrong:
            raise ConfigError(f"judge pairwise: {message}")


# How our own prompt asks for the verdict ---------------------------------------------------------


def _reply_form(options: Options) -> str:
    tie = options.names.tie
    cases = ["A if answer A is better", "B if answer B is better"]
    cases += [f"{tie} if neither is better"] if tie else []
    said = f"{', '.join(cases)}."
    if tie is None:
        said += " There is no tie: where they are close, decide for the one that has more merit."
    if options.format == "json":
        reason = '"reason": "your reasons in a few sentences", ' if options.explain else ""
        return f'Reply with one JSON object and nothing else: {{{reason}"winner": …}}, with {said}'
    if options.explain:
        return (
            "First give your reasons in a few sentences. Then end with one line that holds the "
            f"word Verdict, the code of the texts, a colon and the verdict: {said}"
        )
    return f"Reply with one word and nothing else: {said}"


def _ask(options: Options, code: str) -> str:
    *most, last = options.names
    choice = f"{', '.join(most)} or {last}"
    if options.format == "json":
        return "Which answer is better? Reply with the JSON object."
    if options.explain:
        return (
            f"Which answer is better? Give your reasons, then end with this line, completed by "
            f"{choice}:\nVerdict {code}:"
        )
    return f"Which answer is better? One word: {choice}."


__all__ = ["PLACEHOLDERS", "OWN_PROMPTS", "Options", "PairwiseJudge", "make", "without_asking"]
