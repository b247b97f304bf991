"""The kinds of judges that there are, each with its options, its prompt and its readers.

``pairwise``
    A model says which of two answers to one question is better. They are called A and B in the
    order of the case, and cut by the same limit. A verdict is hard (said in words: the probability
    that the first is better is 1, 0 or, of a tie, 0.5) or soft (read from log-probabilities). Two
    equal answers are a tie, and a blank one loses, without a call.
``rubric``
    A model rates one answer on a scale, by a team's own rubric. With dimensions, each is rated by
    itself, and the whole is asked for too, or is their mean (``overall``). A score is hard, or
    soft: the mean of the scale's whole numbers by their probability. A blank answer has the lowest.
``reference``
    A model says whether an answer means the same as a reference answer.
``graded``
    How right an answer is, from 0 to 1, to questions with options and without, by a model or by a
    rule. A blank answer scores 0 without a call, except by upstream's rule: there it names no
    option, and upstream draws one. A rule that finds no choice is unreadable, a model that finds
    none has read the answer: it scores 0.
``equivalence``, ``consistency``
    A model says "certain" if an answer means the same as an accepted one, or a further answer the
    same as the first one: HonestyBench's two questions [1]_. The share of a model's further answers
    that agree with its first one is its confidence in it, Consis-Sem.
``stated_confidence``
    A model says from 0 to 1 how likely it is to answer a question correctly. It is meant to be
    asked of the model itself (``provider: candidate``), which is then shown the question and not
    its answer: Verbal-0 of HonestyBench, and with ``examples`` Verbal-10.
``dimensions``, ``critique``
    In Chinese: `judgebench.judges.chinese`.
``contains``, ``exact_match``
    Compare texts and ask nobody: `judgebench.judges.lexical`.

The answer is untrusted text. In our own prompts it stands between lines or marks with a code that
does not occur in it (`judgebench.template`); official prompts are sent word for word, with the
frame that their authors chose.

References
----------
.. [1] Annotation-Efficient Universal Honesty Alignment (2025), arXiv 2510.17509.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from judgebench.errors import refuse
from judgebench.judges import lexical
from judgebench.judges.prompt import (
    Cut,
    Kind,
    Named,
    Options,
    Plan,
    Question,
    Setup,
    Shown,
    check_placeholders,
    code_for,
    cut,
    messages,
    own_prompt,
    soft_question,
)
from judgebench.judges.readers.brackets import GRADES, read_brackets, read_graded_score, read_option
from judgebench.judges.readers.json import REASON, choice_schema, read_choice
from judgebench.judges.readers.option_letters import NO_OPTION, NONE, read_option_line
from judgebench.judges.readers.scores import (
    OVERALL,
    Scale,
    read_scores,
    read_verbal_confidence,
    read_verbal_confidence_upstream,
    score_schema,
)
from judgebench.judges.readers.words import (
    CONSISTENCY,
    VERDICTS,
    Names,
    likelier,
    read_certainty,
    read_certainty_upstream,
    read_upstream,
    read_winner,
    read_word,
)
from judgebench.records import (
    BINARY,
    Case,
    Label,
    Message,
    Reply,
    Score,
    Verdict,
)
from judgebench.template import PromptText, fill, lettered, letters, right_letter

EXAMPLES: Final = "examples"
"""The option of ``stated_confidence`` that is of one model, if a suite gives a file of them."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,20}$")]


class Soft(Options):
    """Options of judges whose verdict can be read from log-probabilities."""

    verdict: Literal["text", "logprobs", "likelihood"] = Field(
        "text", description="what is read: words, the first token's alternatives, likelihoods"
    )

    @property
    def soft(self) -> bool:
        return self.verdict != "text"


# pairwise -----------------------------------------------------------------------------------------


class PairwiseOptions(Named, Soft, Cut):
    """What a suite may say about a pairwise judge."""

    format: Literal["word", "json", "brackets"] = Field(
        "word", description="how the verdict is asked for; brackets is of official prompts"
    )
    explain: bool = Field(False, description="reasons first, then the verdict")
    ties: Literal["allow", "forbid"] = "allow"
    top_logprobs: int = Field(5, ge=2, le=20, description="alternatives asked for with logprobs")
    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream reads log-probabilities as AlpacaEval does"
    )
    identifiers: tuple[Identifier, Identifier] = Field(
        ("A", "B"), description="what an official prompt calls the answers"
    )

    @property
    def names(self) -> Names:
        """What the verdicts are called; a soft one has to be a single token."""
        tie = "tie" if not self.soft else None if self.official else "C"
        first, second = self.identifiers
        return Names(first=first, second=second, tie=tie if self.ties == "allow" else None)


#: Placeholders by what they show; all but ``texts`` in the words of upstream prompts.
_QUESTION = ("texts", "question", "question_1", "instruction")
_FIRST = ("texts", "output_1", "answer_1", "answer_a")
_SECOND = ("texts", "output_2", "answer_2", "answer_b")


def _pairwise(setup: Setup[PairwiseOptions]) -> Plan:
    options = setup.options
    official, names, explain = options.official, options.names, options.explain
    refuse(
        setup.fault,
        {
            "'format: brackets' is what official prompts ask for; ours asks for a word or JSON": (
                options.format == "brackets" and not official
            ),
            "'identifiers' are of official prompts; ours calls the answers A and B": (
                options.identifiers != ("A", "B") and not official
            ),
            "two answers have two 'identifiers'": names.first == names.second,
            f"'verdict: {options.verdict}' reads how the reply begins; it goes with 'format: word' "
            "and without 'explain'": options.soft and (options.format != "word" or explain),
            "'reader: upstream' reads log-probabilities; it needs 'verdict: logprobs'": (
                options.reader == "upstream" and options.verdict != "logprobs"
            ),
        },
    )
    needed = {"the question": _QUESTION, "the first answer": _FIRST, "the second answer": _SECOND}
    more = ("rubric", "reply_form", "references", "ask")
    prompt = setup.prompt(options.prompt, {"default": "pairwise"}, needed, more)
    of_judge = {"rubric": setup.content.rubric_text, "reply_form": _winner_form(options)}
    schema = choice_schema("winner", "winner", [*names], explain=explain)

    def ask(case: Case) -> Question | Verdict:
        if (known := lexical.clear_winner(case)) is not None:
            return known
        shown = Shown.of(case, max_answer_chars=options.max_answer_chars)
        of_case = {
            **dict.fromkeys(_QUESTION, shown.question),
            **dict.fromkeys(_FIRST, shown.answers[0]),
            **dict.fromkeys(_SECOND, shown.answers[1]),
            "texts": shown.texts("answer A", "answer B"),
            "ask": _winner_ask(options, shown.code),
            "references": shown.references,
        }
        asked = messages(prompt, of_judge, of_case)
        if options.soft:
            return soft_question(
                asked,
                options.verdict,
                tuple(names),
                names.soft_preference,
                top=options.top_logprobs,
                upstream=options.reader == "upstream",
            )
        if options.format == "json":
            return Question(messages=asked, read=read_json, response_format=schema)
        if options.format == "brackets":
            read = partial(read_brackets, ties=names.tie is not None)
            return Question(messages=asked, read=read)
        code = shown.code if explain and not official else None
        read = partial(read_winner, names=names, code=code, bare_last=explain)
        return Question(messages=asked, read=read)

    def read_json(reply: Reply) -> Verdict:
        found = read_choice(reply, "winner", [*names], explain=explain)
        return names.preference(found.name) if isinstance(found, Label) else found

    return Plan(
        ask=ask,
        version=f"{options.verdict}/{options.format}/2",
        prompts=((prompt, of_judge),),
        room=1024 if explain else 64 if options.format == "json" else 16,
    )


def _json_form(names: Sequence[str], means: str, *, explain: bool) -> str:
    reason = '"reason": "your reasons in a few sentences", ' if explain else ""
    members = ", ".join(f'"{name}": …' for name in names)
    return f"Reply with one JSON object and nothing else: {{{reason}{members}}}, with {means}"


def _winner_form(options: PairwiseOptions) -> str:
    tie = options.names.tie
    cases = ["A if answer A is better", "B if answer B is better"]
    cases += [f"{tie} if neither is better"] if tie else []
    said = f"{', '.join(cases)}."
    if tie is None:
        said += " There is no tie: where they are close, decide for the one that has more merit."
    if options.format == "json":
        return _json_form(["winner"], said, explain=options.explain)
    if options.explain:
        return (
            "First give your reasons in a few sentences. Then end with one line that holds the "
            f"word Verdict, the code of the texts, a colon and the verdict: {said}"
        )
    return f"Reply with one word and nothing else: {said}"


def _winner_ask(options: PairwiseOptions, code: str) -> str:
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


# rubric -------------------------------------------------------------------------------------------

MAX_POINTS = 11
"""Of a soft score: all ratings should be among the tokens that are listed."""


class RubricOptions(Soft, Cut):
    """What a suite may say about a rubric judge."""

    format: Literal["json", "word"] | None = Field(
        None, description="how scores are asked for in text; json if unset"
    )
    explain: bool | None = Field(None, description="reasons first; yes if unset and read as text")
    decimals: bool = Field(False, description="scores between the whole numbers")
    overall: Literal["asked", "mean"] = Field(
        "asked", description="where the score of the whole comes from, with dimensions"
    )

    @property
    def explains(self) -> bool:
        return not self.soft if self.explain is None else self.explain

    @property
    def as_json(self) -> bool:
        return not self.soft and self.format != "word"


def _rubric(setup: Setup[RubricOptions]) -> Plan:
    options, content = setup.options, setup.content
    scale = Scale(low=content.scale[0], high=content.scale[1], decimals=options.decimals)
    _check_scores(setup, scale)
    explains, as_json = options.explains, options.as_json
    whole = options.overall == "asked" or not content.dimensions
    names = (*content.dimensions, *([OVERALL] if whole else []))
    prompt = own_prompt("rubric")
    of_judge = {
        "rubric": content.rubric_text,
        "low": f"{scale.low:g}",
        "high": f"{scale.high:g}",
        "reply_form": _score_form(options, names, scale),
    }
    form = score_schema(names, scale, explain=explains) if as_json else None

    def ask(case: Case) -> Question | Verdict:
        if not case.responses[0].text.strip():
            return scale.score(dict.fromkeys(names, scale.low))
        shown = Shown.of(case, max_answer_chars=options.max_answer_chars)
        of_case = {
            "texts": shown.texts("answer"),
            "ask": _score_ask(options, names, shown.code),
        }
        asked = messages(prompt, of_judge, of_case)
        if options.soft:
            return soft_question(asked, options.verdict, tuple(scale.points), scale.soft_score)
        code = shown.code if explains else None
        read = partial(read_scores, names=names, scale=scale, as_json=as_json, code=code)
        return Question(messages=asked, read=partial(read, explain=explains), response_format=form)

    return Plan(
        ask=ask,
        version=f"{options.verdict}/{'json' if as_json else 'word'}/1",
        prompts=((prompt, of_judge),),
        room=1024 if explains else 32 * (1 + len(names)),
        told=content.model_dump(
            mode="json", exclude_defaults=True, include={"scale", "dimensions"}
        ),
    )


def _check_scores(setup: Setup[RubricOptions], scale: Scale) -> None:
    options, dimensions = setup.options, setup.content.dimensions
    soft, low, high = f"'verdict: {options.verdict}'", f"{scale.low:g}", f"{scale.high:g}"
    taken = [name for name in dimensions if name.casefold() in {OVERALL, REASON}]
    few = scale.low >= 0 and scale.high - scale.low + 1 <= MAX_POINTS
    refuse(
        setup.fault,
        {
            f"a scale from {low} to {high} has no whole numbers at its ends; let scores lie "
            "between them with 'decimals: true'": (
                not options.decimals and any(end != int(end) for end in setup.content.scale)
            ),
            f"the dimension {''.join(taken[:1])!r} has the name of the whole; call it "
            "otherwise": bool(taken),
            f"{soft} reads how the reply begins; it goes without 'explain', 'decimals' and "
            "'format: json'": (
                options.soft and (options.explains or options.format == "json" or options.decimals)
            ),
            f"{soft} reads one number, and the benchmark has the dimensions "
            f"{', '.join(dimensions)}; use 'verdict: text'": options.soft and bool(dimensions),
            f"{soft} needs a scale of at most {MAX_POINTS} whole numbers from 0 upwards, not {low} "
            f"to {high}": options.soft and not few,
        },
    )


def _score_form(options: RubricOptions, names: tuple[str, ...], scale: Scale) -> str:
    dimensions = [name for name in names if name != OVERALL]
    each = scale.words if not dimensions else f"each of them {scale.words}"
    if dimensions and OVERALL in names:
        each += f"; {OVERALL} is your rating of the whole"
    if options.as_json:
        return _json_form(names, f"{', '.join(names)}: {each}.", explain=options.explains)
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
    digits = len(next(iter(scale.points))) if options.soft else 1
    spelt = f", written with {digits} digits" if digits > 1 else ""
    return f"Reply with your rating and nothing else: {each}{spelt}."


def _score_ask(options: RubricOptions, names: tuple[str, ...], code: str) -> str:
    if options.as_json:
        return "How good is the answer? Reply with the JSON object."
    if options.explains:
        lines = "\n".join(f"{name} {code}:" for name in names)
        return f"How good is the answer? Give your reasons, then end with this, completed:\n{lines}"
    alone = "rating" if len(names) == 1 else "lines"
    return f"How good is the answer? Reply with the {alone} alone."


# reference ----------------------------------------------------------------------------------------


class ReferenceOptions(Soft, Cut):
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


def without_asking(case: Case) -> Verdict | None:
    """What an answer is beside no reference, and a blank one: it states none, whoever reads it."""
    if not any(reference.strip() for reference in case.item.references):
        return lexical.NO_REFERENCE
    return None if case.responses[0].text.strip() else Label(name=lexical.INCORRECT)


_REPLY_FORM = {
    "word": "Is the answer correct? Reply with one word: correct or incorrect.",
    "json": 'Does the answer mean the same as a reference? Reply with JSON: {"verdict": "correct"} '
    'if it does, {"verdict": "incorrect"} if it does not.',
}


def _reference(setup: Setup[ReferenceOptions]) -> Plan:
    options = setup.options
    upstream, as_json = options.reader == "upstream", options.format == "json"
    maybe, soft, labels = options.maybe == "accept", options.soft, setup.content.labels
    refuse(
        setup.fault,
        {
            "'reader' and 'maybe' read words; format is json": as_json and (upstream or maybe),
            "the upstream reader always accepts 'maybe'": upstream and maybe,
            "'unparsed: incorrect' needs 'reader: upstream'": (
                not upstream and options.unparsed == "incorrect"
            ),
            f"'verdict: {options.verdict}' reads how the reply begins; it goes with 'format: word' "
            "and without 'reader'": soft and (as_json or upstream),
            "'maybe' reads words; it needs 'verdict: text'": soft and maybe,
            f"it says {' or '.join(VERDICTS)}, and the labels of the benchmark are "
            f"{', '.join(labels)}; use another way of judging": (
                bool(labels) and set(labels) != set(VERDICTS)
            ),
        },
    )
    own = {"short": "reference_short", "long": "reference_long"}
    needed = {"question": ["question"], "references": ["references"]}
    needed |= {"answer": ["answer", "response"]}
    prompt = setup.prompt(options.prompt, own, needed, ("mark", "reply_form"))
    form = choice_schema("verdict", "verdict", VERDICTS, explain=False) if as_json else None

    def ask(case: Case) -> Question | Verdict:
        if (known := without_asking(case)) is not None:
            return known
        answer = cut(case.responses[0].text, options.max_answer_chars)
        lines = [" ".join(text.split()) for text in case.item.references]
        if not prompt.official:
            lines = list(dict.fromkeys(lines))
        of_case = {
            "question": case.item.question,
            "references": "\n".join(lines),
            "answer": answer,
            "response": answer,
            "mark": f"<<{code_for(case.item.question, *lines, answer)}>>",
        }
        asked = messages(prompt, {"reply_form": _REPLY_FORM[options.format]}, of_case)
        if soft:
            return soft_question(asked, options.verdict, VERDICTS, likelier)
        return Question(messages=asked, read=read, response_format=form)

    read: Callable[[Reply], Verdict] = partial(read_word, accept_maybe=maybe)
    if as_json:
        read = partial(read_choice, name="verdict", choices=VERDICTS, explain=False)
    elif upstream:
        read = partial(read_upstream, unparsed_is_incorrect=options.unparsed == "incorrect")
    how = options.verdict if soft else f"{options.format}/{options.reader}"
    room = 64 if as_json else 32
    return Plan(ask=ask, version=f"{how}/2", prompts=((prompt, {}),), room=room)


# equivalence, consistency, stated_confidence ------------------------------------------------------


class CertaintyOptions(Named, Cut):
    """What a suite may say about a judge that answers "certain" or "uncertain"."""

    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream takes every reply for certain that is not negative"
    )
    exact_match_first: bool = Field(
        False, description="an answer that is equal as a text means the same, without a call"
    )

    def read(self, reply: Reply, labels: tuple[str, str]) -> Verdict:
        """The label that a reply states, as the chosen reader reads it."""
        read = read_certainty_upstream if self.reader == "upstream" else read_certainty
        return read(reply, labels)

    def equal(self, answer: str, references: Sequence[str], case: Case) -> bool:
        """Equal as a whole: punctuation tells "-5" from "5", and "C++" from "C"."""
        normalisation = lexical.Normalisation().of(case.item.language)
        return self.exact_match_first and lexical.exact_match(answer, references, normalisation)


def _equivalence(setup: Setup[CertaintyOptions]) -> Plan:
    options = setup.options
    labels = setup.content.labels
    refuse(
        setup.fault,
        {
            f"it says {' or '.join(BINARY)}, and the labels of the benchmark are "
            f"{', '.join(labels)}; use another way of judging": (
                bool(labels) and set(labels) != set(BINARY)
            )
        },
    )
    needed = {
        "question": ["question"],
        "the accepted answers": ["references", "answer"],  # one on a line, or a list of Python's
        "the answer": ["prediction"],
    }
    prompt = setup.prompt(options.prompt, {"default": "equivalence"}, needed, ["mark"])

    def ask(case: Case) -> Question | Verdict:
        if (known := without_asking(case)) is not None:
            return known
        (response,), references = case.responses, case.item.references
        if options.equal(response.text, references, case):
            return Label(name=BINARY[1])
        answer = cut(response.text, options.max_answer_chars)
        lines = [" ".join(text.split()) for text in references]
        of_case = {
            "question": case.item.question,
            "references": "\n".join(dict.fromkeys(lines)),
            "answer": repr(list(references)),
            "prediction": answer,
            "mark": f"<<{code_for(case.item.question, *lines, answer)}>>",
        }
        read = partial(options.read, labels=BINARY)
        return Question(messages=messages(prompt, {}, of_case), read=read)

    return Plan(ask=ask, version=f"{options.reader}/1", prompts=((prompt, {}),), room=32)


_AS_UPSTREAM_WRITES = {"{qa_data[idx]['response'][0]}": "{first}", "{sample_ans}": "{further}"}
"""Placeholders of the official prompt, which are expressions of the program that it stands in."""


def _consistency(setup: Setup[CertaintyOptions]) -> Plan:
    options = setup.options
    needed = {name: [name] for name in ("question", "first", "further")}
    own = {"default": "consistency"}
    prompt = setup.prompt(options.prompt, own)
    sent = prompt
    for written, placeholder in _AS_UPSTREAM_WRITES.items():
        sent = replace(sent, text=sent.text.replace(written, placeholder))
    check_placeholders(setup.kind, sent, {*needed, "mark"}, needed)

    def ask(case: Case) -> Question | Verdict:
        first, further = (response.text for response in case.responses)
        blank = [not text.strip() for text in (first, further)]
        if any(blank):  # nothing said agrees with nothing said alone: no call is spent
            return _agreeing(all(blank))
        if options.equal(further, [first], case):
            return _agreeing(True)
        texts = [cut(text, options.max_answer_chars) for text in (first, further)]
        of_case = {
            "question": case.item.question,
            "first": texts[0],
            "further": texts[1],
            "mark": f"<<{code_for(case.item.question, *texts)}>>",
        }
        return Question(messages=messages(sent, {}, of_case), read=read)

    def read(reply: Reply) -> Verdict:
        said = options.read(reply, CONSISTENCY)
        return _agreeing(said.name == CONSISTENCY[1]) if isinstance(said, Label) else said

    return Plan(ask=ask, version=f"{options.reader}/1", prompts=((prompt, {}),), room=32)


def _agreeing(agrees: bool) -> Score:
    return GRADES.score({OVERALL: float(agrees)})


class Example(Options):
    """A question, and the share of a model's answers to it that were correct."""

    question: str = Field(min_length=1)
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ConfidenceOptions(Named):
    """What a suite may say about a judge of stated confidence."""

    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream takes the last number, and 0 where there is none"
    )
    examples: list[Example] = Field(
        default_factory=list, description="shown first; in a suite also the name of a file"
    )


def _stated_confidence(setup: Setup[ConfidenceOptions]) -> Plan:
    options = setup.options
    own = {"default": "stated_confidence"}
    prompt = setup.prompt(options.prompt, own, {"the question": ["question"]})

    def ask(case: Case) -> Question:
        """The examples, each as it would be asked and with what was to be said, and the question.

        An example that is the question itself is left out: it would give the answer away.
        """
        question = case.item.question
        before = "".join(
            f"{fill(prompt, {'question': one.question})}\n{one.confidence}\n"
            for one in options.examples
            if one.question != question
        )
        first, *others = messages(prompt, {}, {"question": question})
        first = Message(role=first.role, content=before + first.content)
        return Question(messages=(first, *others), read=read)

    strict = options.reader == "strict"
    read = read_verbal_confidence if strict else read_verbal_confidence_upstream
    return Plan(ask=ask, version=f"{options.reader}/1", prompts=((prompt, {}),), room=32)


# graded -------------------------------------------------------------------------------------------


class GradedOptions(Named, Cut):
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

    @property
    def as_json(self) -> bool:
        return self.format == "json"

    def reply_form(self, name: str, means: str) -> Mapping[str, str]:
        """What fills the judge's placeholder of our own prompts."""
        if self.as_json:
            return {"reply_form": _json_form([name], f"{name}: {means}.", explain=self.explain)}
        line = f"one line that holds the word {name}, the code of the texts, a colon and {means}."
        form = f"Reply with {line} Nothing else belongs there."
        if self.explain:
            form = f"First give your reasons in a few sentences. Then end with {line}"
        return {"reply_form": form}

    def ask(self, question: str, name: str, code: str) -> str:
        """The end of a question, which says once more what the reply is to be."""
        if self.as_json:
            return f"{question} Reply with the JSON object."
        how = "Give your reasons, then end with" if self.explain else "Reply with nothing but"
        return f"{question} {how} this line, completed:\n{name} {code}:"


def free_form_placeholders(
    question: str, references: Sequence[str], answer: str
) -> Mapping[str, str]:
    """What fills MixEval's prompt about a free answer; the accepted ones are numbered.

    The question is shown without its context, and the answer as it is, without a frame.
    """
    numbered = (f"<answer {number}> {text}" for number, text in enumerate(references, 1))
    return {"prompt": question, "gold_ans": "; ".join(numbered), "response": answer}


def multiple_choice_placeholders(
    question: str, options: Sequence[str], answer: str
) -> Mapping[str, str]:
    """What fills MixEval's prompt about the option that an answer chooses."""
    return {"prompt": question, "options": lettered(options), "response": answer}


_MORE = ("ask", "reply_form", "prompt")
_ANSWER = ("response", "texts")


def _graded(setup: Setup[GradedOptions]) -> Plan:
    options = setup.options
    free = choice = None
    if options.free_form == "judge":
        needed = {"the references": ["gold_ans", "texts"], "the answer": _ANSWER}
        free = setup.prompt(options.prompt, {"default": "graded"}, needed, _MORE)
    if options.multiple_choice == "judge":
        needed = {"the options": ["options", "texts"], "the answer": _ANSWER}
        own = {"default": "chosen_option"}
        choice = setup.prompt(options.option_prompt, own, needed, _MORE)
    of_grades = options.reply_form(OVERALL, "the grade: a number from 0 to 1")
    of_choices = options.reply_form("option", f"the letter, or the word {NONE}")
    used = [(free, of_grades), (choice, of_choices)]
    prompts = [(prompt, form) for prompt, form in used if prompt is not None]
    official = {prompt.official for prompt, _ in prompts}
    _check_grading(setup, official)

    def ask(case: Case) -> Question | Verdict:
        item, answer = case.item, case.responses[0].text
        if not item.options:
            if not any(text.strip() for text in item.references):
                return lexical.NO_REFERENCE
            if not answer.strip():
                return lexical.grade(0.0)
            if free is None:
                return lexical.by_rule(answer, item.references)
            return _about_free_answer(options, free, of_grades, case)
        rule, right = options.multiple_choice, right_letter(item.options, item.references)
        if right is None:
            return lexical.NO_RIGHT_OPTION
        if not answer.strip():
            return NO_OPTION if rule == "upstream_rule" else lexical.grade(0.0)
        if choice is None:
            upstream = rule == "upstream_rule"
            return lexical.by_rule(answer, item.references, item.options, upstream=upstream)
        return _about_choice(options, choice, of_choices, case, right)

    return Plan(
        ask=ask,
        version=f"{options.free_form}/{options.multiple_choice}/1",
        prompts=prompts,
        room=1024 if options.explain or True in official else 64,
        # What is not used stays out, so that a rule is one judge wherever it is.
        unused={
            *([] if free else ["prompt"]),
            *([] if choice else ["option_prompt"]),
            *([] if True in official else ["reader"]),
            *([] if prompts else ["max_answer_chars"]),
        },
    )


def _check_grading(setup: Setup[GradedOptions], official: set[bool]) -> None:
    options, settings = setup.options, setup.settings
    # Sampling is not looked at where rules decide: a benchmark may bring it along.
    useless = [name for name in ("model", "extra", "reasoning") if getattr(settings, name)]
    refuse(
        setup.fault,
        {
            "'reader: upstream' reads replies to official prompts, and ours are used; name "
            "official ones ('prompt', 'option_prompt'), or remove it": (
                options.reader == "upstream" and official == {False}
            ),
            "official prompts say themselves how to reply; remove 'format' and 'explain', or use "
            "our own: prompt: default, option_prompt: default": (
                official == {True} and (options.as_json or not options.explain)
            ),
            "'free_form' and 'multiple_choice' are judged by rule, which asks no model; remove "
            f"{', '.join(useless)}": not official and bool(useless),
        },
    )


def _about_free_answer(
    options: GradedOptions, prompt: PromptText, of_judge: Mapping[str, str], case: Case
) -> Question:
    """How right an answer is, against the references."""
    shown = Shown.of(case, max_answer_chars=options.max_answer_chars)
    references = [text for text in case.item.references if text.strip()]
    of_case = {
        **free_form_placeholders(case.item.question, references, shown.answers[0]),
        "texts": shown.texts("answer"),
        "ask": options.ask("How right is the answer?", OVERALL, shown.code),
    }
    asked = messages(prompt, of_judge, of_case)
    if prompt.official:
        read = partial(read_graded_score, upstream=options.reader == "upstream")
        return Question(messages=asked, read=read)
    names, explain = (OVERALL,), options.explain
    form = score_schema(names, GRADES, explain=explain) if options.as_json else None
    read = partial(read_scores, names=names, scale=GRADES, as_json=options.as_json)
    return Question(
        messages=asked,
        read=partial(read, explain=explain, code=shown.code),
        response_format=form,
    )


def _about_choice(
    options: GradedOptions,
    prompt: PromptText,
    of_judge: Mapping[str, str],
    case: Case,
    right: str,
) -> Question:
    """Which option an answer chooses; which is right is not shown."""
    item = case.item
    turn = Message(role="user", content=f"{item.question}\n\n{lettered(item.options)}")
    blind = replace(case, item=replace(item, turns=(turn,), references=()))
    shown = Shown.of(blind, max_answer_chars=options.max_answer_chars)
    of_case = {
        **multiple_choice_placeholders(item.question, item.options, shown.answers[0]),
        "texts": shown.texts("answer"),
        "ask": options.ask("Which option does the answer choose?", "option", shown.code),
    }
    n_options, explain = len(item.options), options.explain
    choices = [*letters(n_options), NONE]

    def read(reply: Reply) -> Verdict:
        if prompt.official:
            found = read_option(reply, n_options, upstream=options.reader == "upstream")
        elif options.as_json:
            found = read_choice(reply, "option", choices, explain=explain)
        else:
            found = read_option_line(reply, n_options, shown.code)
        return lexical.graded_choice(found, right)

    as_json = options.as_json and not prompt.official
    return Question(
        messages=messages(prompt, of_judge, of_case),
        read=read,
        response_format=(
            choice_schema("choice", "option", choices, explain=explain) if as_json else None
        ),
    )


# The table ----------------------------------------------------------------------------------------

KINDS: Final[Mapping[str, Kind[Any]]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="pairwise",
            options=PairwiseOptions,
            plan=_pairwise,
            inputs=frozenset({"with_baseline"}),
        ),
        Kind(name="rubric", options=RubricOptions, plan=_rubric),
        Kind(name="reference", options=ReferenceOptions, plan=_reference),
        Kind(name="graded", options=GradedOptions, plan=_graded),
        Kind(name="equivalence", options=CertaintyOptions, plan=_equivalence),
        Kind(
            name="consistency",
            options=CertaintyOptions,
            plan=_consistency,
            inputs=frozenset({"with_first"}),
        ),
        Kind(
            name="stated_confidence",
            options=ConfidenceOptions,
            plan=_stated_confidence,
            inputs=frozenset({"question"}),
        ),
    )
}
"""By its name; `judgebench.registry` finds a kind here."""
