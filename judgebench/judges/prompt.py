"""A judge that asks with a prompt: which one, what it shows, who answers, and who reads the reply.

A prompt is one text. Where it is written as a chat (``<|im_start|>system`` … ``<|im_end|>``), it
is taken apart into messages *before* its placeholders are filled, so that the same signs inside an
answer stay part of the answer.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar, cast

from pydantic import (
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, over, with_more_room
from judgebench.errors import ConfigError, unknown_name
from judgebench.judges.readers.logprobs import (
    TOP_LOGPROBS,
    Shares,
    first_token_shares,
    likelihood_shares,
)
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    ChatRequest,
    Item,
    JsonObject,
    JudgeSpec,
    Message,
    Reply,
    Response,
    Role,
    ScoreRequest,
    Seen,
    Unreadable,
    Verdict,
)
from judgebench.template import CODE_DIGITS, PLACEHOLDER, PromptText, refuse_unfilled

OFFICIAL = "official/"
#: The line break before the end is the frame's; what else there is of white space was written.
IN_CHAT = re.compile(r"<\|im_start\|>(system|user|assistant)\n(.*?)\n?<\|im_end\|>", re.DOTALL)


def own_prompt(file: str) -> PromptText:
    """A prompt of our own wording, by the name of its file."""
    path = resources.files("judgebench.judges") / "prompts" / f"{file}.txt"
    return PromptText(name=file, text=path.read_text(encoding="utf-8").rstrip("\n"))


def check_placeholders(
    kind: str, prompt: PromptText, fillable: Collection[str], needed: Mapping[str, Collection[str]]
) -> None:
    """That everything in a prompt can be filled, and that it shows what is judged.

    ``needed`` says for each thing that must be shown which placeholders show it.

    Raises
    ------
    ConfigError
        Naming the placeholders.
    """
    if unknown := prompt.placeholders - set(fillable):
        raise ConfigError(
            f"judge {kind}: the prompt {prompt.name!r} has the placeholders "
            f"{', '.join(sorted(unknown))}, which this judge cannot fill"
        )
    if missing := sorted(
        what for what, placeholders in needed.items() if not prompt.placeholders & set(placeholders)
    ):
        raise ConfigError(
            f"judge {kind}: the prompt {prompt.name!r} never shows {', '.join(missing)}"
        )


def messages(
    prompt: PromptText, of_judge: Mapping[str, str], of_case: Mapping[str, str]
) -> tuple[Message, ...]:
    """The prompt's messages, filled in one pass; what is not written as a chat is a user message.

    What comes before the first placeholder of a case is the same in every question
    (`Message.constant`).
    """
    parts = [(found[1], found[2]) for found in IN_CHAT.finditer(prompt.text)]
    values = {**of_judge, **of_case}
    asked = []
    for role, text in parts or [("user", prompt.text)]:
        filled = PLACEHOLDER.split(text)  # text, a placeholder, text, and so on
        placeholders = filled[1::2]
        if unknown := {*placeholders} - values.keys():
            refuse_unfilled(prompt, unknown, values)
        filled[1::2] = [values[name] for name in placeholders]
        n = next((n for n, name in enumerate(placeholders) if name in of_case), len(placeholders))
        constant = sum(map(len, filled[: 2 * n + 1]))
        message = Message(role=cast("Role", role), content="".join(filled), constant=constant)
        asked.append(message)
    return tuple(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """A model with its settings; ``provider`` is the identity of who answers, never a URL."""

    provider: str
    model: str
    sampling: JsonObject = field(default_factory=dict)
    extra: JsonObject = field(default_factory=dict)
    reasoning: str | None = None

    def score(
        self, messages: tuple[Message, ...], candidates: tuple[str, ...] = ()
    ) -> ScoreRequest:
        """A question that is answered in numbers."""
        return ScoreRequest(
            provider=self.provider,
            model=self.model,
            messages=messages,
            candidates=candidates,
            extra=self.extra,
        )


def answerer(
    spec: JudgeSpec, settings: JudgeSettings, *, max_tokens: int | None
) -> tuple[Answerer, JudgeSpec]:
    """Who answers a judge of this kind, and the identity of the judge that asks this model.

    The suite's sampling goes over the defaults: temperature 0, and a reply of ``max_tokens``. Null
    takes a default away, for models that refuse it. ``max_tokens`` is None for a judge that reads
    numbers: there nothing is sampled and nothing is thought.

    Raises
    ------
    ConfigError
        Without a provider and a model, or for settings that could change nothing.
    """
    kind, model, provider = spec.kind, settings.model, settings.provider
    if not model or not provider:
        raise ConfigError(f"judge {kind} asks a model; give its 'provider' and 'model'")
    decoding: dict[str, Any] = {}
    if max_tokens is None:
        refused = {"sampling": settings.sampling, "reasoning": settings.reasoning}
        if useless := [name for name, value in refused.items() if value]:
            raise ConfigError(
                f"judge {kind} reads numbers and samples nothing; remove {', '.join(useless)}"
            )
    else:
        decoding = over({"temperature": 0, "max_tokens": max_tokens}, settings.sampling)
    asked = Answerer(
        provider=provider,
        model=model,
        sampling={name: value for name, value in decoding.items() if value is not None},
        extra=dict(settings.extra),
        reasoning=settings.reasoning,
    )
    more = {"extra": asked.extra, "reasoning": asked.reasoning}
    return asked, replace(
        spec,
        model=model,
        identity=provider,
        sampling=asked.sampling,
        options={**spec.options, **{name: value for name, value in more.items() if value}},
    )


#: A dimension stands before a colon, or is the name of a member, in a judge's reply.
Dimension = Annotated[str, StringConstraints(pattern=r'^[^\s"{}:=][^\n"{}:=]{0,79}$')]


class Definition(Section):
    """What a dimension means: in our words, and the name of the official text that says it."""

    name: Dimension
    text: str = Field(min_length=1)
    official: str | None = None


class AnswerType(Section):
    """A kind of answer, the dimensions it is rated on, and the subcategories that ask for it."""

    name: str
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    subcategories: tuple[str, ...] = Field(min_length=1)


Told = str | int | bool


class Template(Section):
    """One of a benchmark's ways of asking: for which items, with which texts, and who reads.

    ``when`` says what a field of the item is, or one of which values; ``turn`` is that of the
    answer, from 1, and ``reference`` whether there is one. ``system`` and ``user`` name official
    prompts, and ``holes`` what fills their holes, where that is called otherwise by us. ``again``
    is said, once, after a reply that holds no verdict; both replies are then read as one.
    """

    name: str
    when: dict[str, Told | tuple[Told, ...]] = Field(default_factory=dict)
    system: str | None = None
    user: str
    own: str | None = Field(
        None, description="our own wording: prompts/OWN.txt, by the name if unset"
    )
    fill: Literal["format", "dollar"] = Field("format", description="str.format or string.Template")
    holes: dict[str, str] = Field(default_factory=dict)
    reader: str
    again: str | None = None
    max_tokens: PositiveInt = Field(1024, description="of a reply")


class Content(Section):
    """A rubric and a scale of a benchmark's own; each way of judging takes what it has use for.

    With ``answer_types`` the dimensions of an item follow from its subcategory, and
    ``definitions`` say what each of them means. ``templates`` are sets of prompts by name.
    """

    rubric: str | None = None
    scale: tuple[FiniteFloat, FiniteFloat] = (1, 10)
    dimensions: tuple[Dimension, ...] = ()
    labels: tuple[str, ...] = ()
    answer_types: tuple[AnswerType, ...] = ()
    definitions: tuple[Definition, ...] = ()
    templates: dict[str, Annotated[tuple[Template, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )

    @field_validator("scale")
    @classmethod
    def _upwards(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError(f"a scale goes upwards, not from {value[0]:g} to {value[1]:g}")
        return value

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return value

    @model_validator(mode="after")
    def _each_defined_once(self) -> Content:
        defined = [definition.name for definition in self.definitions]
        asked = [name for one in self.answer_types for name in one.subcategories]
        for names in (defined, asked):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"named twice: {', '.join(twice)}")
        rated = {name for one in self.answer_types for name in one.dimensions}
        if undefined := sorted(rated - set(defined)):
            raise ValueError(f"definitions: there is none of {', '.join(undefined)}")
        return self

    @property
    def rubric_text(self) -> str:
        """What a good answer is: the benchmark's words, or ours where it has none."""
        return (self.rubric or "").strip() or own_prompt("default_rubric").text


# A judge that asks with a prompt ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a case, and what reads the reply.

    messages
        The filled prompt.
    read
        Reply -> verdict.
    response_format
        The form of a reply that is JSON.
    logprobs
        How many alternatives are asked for of the first token, where nothing else is read.
    candidates
        What is scored by likelihood; then no words are asked for.
    again
        What is said after a reply that holds no verdict, if anything, and after which alone.
    """

    messages: tuple[Message, ...]
    read: Callable[[Reply], Verdict]
    response_format: JsonObject | None = None
    logprobs: int | None = None
    candidates: tuple[str, ...] = ()
    again: str | None = None
    again_after: Unreadable | None = None


Ask: TypeAlias = Callable[[Case], Question | Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptJudge:
    """Asks one question about a case, or none where ``ask`` tells the verdict by itself.

    ``answerer`` is None for a judge that never asks. ``fields`` says what it shows of an item's own
    fields, and ``read`` reads replies, where no case is needed for that; None for what is not so.
    ``mends`` says of a reply that it is mended before it is read.
    """

    spec: JudgeSpec
    inputs: frozenset[Seen]
    max_answer_chars: int | None
    ask: Ask
    answerer: Answerer | None = None
    fields: Callable[[Item], JsonObject] | None = None
    read: Callable[[Reply], Verdict] | None = None
    mends: Callable[[Reply], bool] | None = None

    def judge(self, case: Case) -> Dialogue:
        """One question and its reply, or nothing; a second question where the reply is not enough.

        A reply in words that was cut off at its limit is asked for once more with more room, and
        the second one is read, whatever it is. Where ``again`` is said, the conversation goes on
        with it, and both replies are read as one text, as Arena-Hard does.
        """
        question = self.ask(case)
        if not isinstance(question, Question):
            return question
        asks = self.answerer
        assert asks is not None  # there is one wherever there is a prompt
        if question.candidates:
            scored = yield asks.score(question.messages, question.candidates)
            return question.read(scored)
        request = ChatRequest(
            provider=asks.provider,
            model=asks.model,
            messages=question.messages,
            decoding=asks.sampling,
            logprobs=question.logprobs,
            response_format=question.response_format,
            extra=asks.extra,
            reasoning=asks.reasoning,
        )
        reply = yield request
        if question.again is not None:
            verdict = question.read(reply)
            after = question.again_after
            if not isinstance(verdict, Unreadable) or after not in (None, verdict):
                return verdict
            said = Message(role="assistant", content=reply.text)
            more = Message(role="user", content=question.again)
            second = yield replace(request, messages=(*request.messages, said, more))
            reply = replace(second, text=f"{reply.text}\n{second.text}")
        elif reply.finish_reason == "length" and question.logprobs is None:
            # Of log-probabilities only the first token is read: cut off there, nothing is lost.
            roomier = with_more_room(request)
            reply = reply if roomier is None else (yield roomier)
        return question.read(reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a kind of judge makes of its options.

    ask
        What it asks about a case, or the verdict that needs no question.
    version
        Of its reader, with what chooses the reader.
    prompts
        Each with what fills the placeholders of the judge; none where nobody is asked.
    room
        Tokens that a reply may take.
    told, unused
        What else stands in the judge's identity, and which options do not.
    kind, inputs
        Where they follow from the options: what it is called, and what it is shown.
    fields, read, mends
        As of `PromptJudge`.
    """

    ask: Ask
    version: str
    prompts: Sequence[tuple[PromptText, Mapping[str, str]]] = ()
    room: int = 0
    told: JsonObject = field(default_factory=dict)
    unused: Collection[str] = ()
    kind: str | None = None
    inputs: frozenset[Seen] | None = None
    fields: Callable[[Item], JsonObject] | None = None
    read: Callable[[Reply], Verdict] | None = None
    mends: Callable[[Reply], bool] | None = None


def soft_question(
    asked: tuple[Message, ...],
    verdict: str,
    candidates: tuple[str, ...],
    state: Callable[[Shares], Verdict],
    *,
    top: int = TOP_LOGPROBS,
    upstream: bool = False,
) -> Question:
    """A question whose verdict lies in the probabilities of the candidates.

    ``verdict`` says which: ``logprobs`` of the first token's ``top`` alternatives, or the
    ``likelihood`` of each candidate; ``state`` is what they come to.
    """

    def read(reply: Reply) -> Verdict:
        if verdict == "likelihood":
            shares = likelihood_shares(reply, candidates)
        else:
            shares = first_token_shares(reply, candidates, upstream=upstream)
        return shares if isinstance(shares, Unreadable) else state(shares)

    if verdict == "likelihood":
        return Question(messages=asked, read=read, candidates=candidates)
    return Question(messages=asked, read=read, logprobs=top)


class Options(Section):
    """What a suite may say about a judge; only the kinds that a suite names are made ready."""

    model_config = ConfigDict(defer_build=True)


class Cut(Options):
    """An option of judges that are shown answers."""

    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )


class Named(Options):
    """An option of judges that have official prompts too."""

    prompt: str = Field("default", description="default, or official/NAME from the data home")

    @property
    def official(self) -> bool:
        return self.prompt != "default"


OptionsT = TypeVar("OptionsT", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup(Generic[OptionsT]):
    """What a plan is made of: the checked options, and what the suite and the benchmark say."""

    kind: str
    options: OptionsT
    content: Content
    settings: JudgeSettings

    def fault(self, message: str) -> ConfigError:
        """What is wrong with this judge, to be raised."""
        return ConfigError(f"judge {self.kind}: {message}")

    def prompt(
        self,
        name: str,
        own: Mapping[str, str],
        needed: Mapping[str, Collection[str]] | None = None,
        more: Collection[str] = (),
    ) -> PromptText:
        """The prompt that a suite names: one of ``own`` (name -> file), or ``official/NAME``.

        Its placeholders are checked where ``needed`` says which show what; ``more`` are those that
        it may lack.

        Raises
        ------
        ConfigError
            For a name that is not there, saying which are and where official prompts come from; for
            placeholders, as `check_placeholders`.
        """
        official, wanted = self.settings.prompts, name.removeprefix(OFFICIAL)
        if name in own:
            found = own_prompt(own[name])
        elif not name.startswith(OFFICIAL):
            known = [*own, *(OFFICIAL + one for one in official)]
            raise ConfigError(f"judge {self.kind}: {unknown_name('prompt', name, known)}")
        elif wanted in official:
            found = official[wanted]
        else:
            here = ", ".join(sorted(official)) or "none"
            raise ConfigError(
                f"judge {self.kind}: the official prompt {wanted!r} is not in the data home "
                f"(there: {here}); fetch it with `judgebench data pull` or `data import`, "
                f"or use our own: prompt: {' or '.join(own)}"
            )
        if needed is not None:
            check_placeholders(self.kind, found, {*more}.union(*needed.values()), needed)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[OptionsT]):
    """A way of judging: what a suite may say about it, what it is shown, and what it asks."""

    name: str
    options: type[OptionsT]
    plan: Callable[[Setup[OptionsT]], Plan]
    inputs: frozenset[Seen] = frozenset({"answer"})

    def make(self, settings: JudgeSettings) -> PromptJudge:
        """A judge of this kind.

        Raises
        ------
        ConfigError
            For a missing model, an unknown option or prompt, options that make no sense together or
            with the benchmark, and a prompt whose placeholders nothing fills.
        """
        kind = self.name
        options = check(self.options, dict(settings.options), f"judge {kind}: options")
        # What a benchmark leaves open (None) stays at its default.
        said = {
            name: value for name, value in (settings.content or {}).items() if value is not None
        }
        content = check(Content, said, f"judge {kind}: content")
        plan = self.plan(Setup(kind=kind, options=options, content=content, settings=settings))
        # Defaults stay out, so that a new option of a later version changes no old key.
        told = {n: v for n, v in options if n in ("prompt", "option_prompt")}
        told |= {**options.model_dump(mode="json", exclude_defaults=True), **plan.told}
        told = {n: v for n, v in told.items() if n not in plan.unused}
        limit = getattr(options, "max_answer_chars", None)
        inputs, kind = plan.inputs or self.inputs, plan.kind or kind
        spec = JudgeSpec(kind=kind, reader_version=plan.version, options=told)
        if not plan.prompts:
            return PromptJudge(
                spec=spec,
                inputs=inputs,
                max_answer_chars=None,
                ask=plan.ask,
                fields=plan.fields,
            )
        numbers = getattr(options, "verdict", "text") == "likelihood"
        # As this judge sends them, only the placeholders of a case left open: so a rubric, a scale
        # or a way of replying that is put in is part of a prompt's identity.
        shas = [
            text_sha(PLACEHOLDER.sub(lambda hole: own.get(hole[1], hole[0]), prompt.text))  # noqa: B023
            for prompt, own in plan.prompts
        ]
        spec = replace(
            spec,
            prompt_sha=shas[0] if len(shas) == 1 else text_sha("\n".join(shas)),
            official_prompt=all(prompt.official for prompt, _ in plan.prompts),
        )
        asked, spec = answerer(spec, settings, max_tokens=None if numbers else plan.room)
        return PromptJudge(
            spec=spec,
            inputs=inputs,
            max_answer_chars=limit,
            ask=plan.ask,
            answerer=asked,
            fields=plan.fields,
            read=plan.read,
            mends=plan.mends,
        )


# Where a text begins and ends in a prompt ---------------------------------------------------------
#
# Answers are data, and cannot pretend to end. Each text of a case stands between two lines that
# carry a code. The code is chosen after the texts are known, so that none of them can hold it, and
# from nothing but the texts, so that the same case is always asked in the same words. It comes
# after the constant part of a prompt, which providers cache.


def cut(text: str, limit: int) -> str:
    """A text of at most ``limit`` characters, with what was left out said in its middle."""
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    tail = limit - head
    gone = len(text) - limit
    return f"{text[:head]}\n[… {gone} characters left out …]\n{text[len(text) - tail :]}"


_TO_DIGITS = bytes.maketrans(b"ABCDEFOolI|", b"abcdef00111")
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789abcdefABCDEFOolI|"))
#: Greek and Cyrillic letters that look like a hex digit, and the digits.
_LETTERS = "\u0391\u0392\u0395\u039f\u03b1\u03bf\u0406\u0410\u0412\u0415"
_LETTERS += "\u041e\u0421\u042c\u0430\u0435\u043e\u0441\u04c0\u0501"
_ALIKE = dict(zip(_LETTERS, "abe0a01abe0cbae0c1d", strict=True))
_LOOKS_ALIKE = re.compile(f"[{_LETTERS}]")


def code_for(*texts: str) -> str:
    """Six hex digits that stand in none of the texts, the same for the same texts.

    Counted up from the texts' hash until one is free: however a text was made, it was made before
    its code was known. A code in capitals, in wide letters or with something between its digits
    stands there too: six digits are few enough to try texts until one holds such a copy of its own
    code, which a judge could take for the real one.
    """
    joined = "\n".join(texts)
    alike = joined
    if not joined.isascii():
        alike = unicodedata.normalize("NFKD", joined)
        alike = _LOOKS_ALIKE.sub(lambda letter: _ALIKE[letter[0]], alike)
    # All that reads as a hex digit, without what stands between.
    digits = alike.encode("ascii", "ignore").translate(_TO_DIGITS, _NO_DIGITS).decode("ascii")
    count = 0
    while True:
        seed = f"{count}\n{joined}".encode("utf-8", "surrogatepass")
        code = hashlib.sha256(seed).hexdigest()[:CODE_DIGITS]
        if code not in digits:
            return code
        count += 1


def framed(code: str, name: str, text: str) -> str:
    """A text between its two lines, each of which says what is between them."""
    return f"<<{code}: {name} begins>>\n{text}\n<<{code}: {name} ends>>"


def conversation(turns: Sequence[Message]) -> str:
    """What was asked: the question itself, or all turns with who spoke."""
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns)


def shown_answer(response: Response, limit: int, *, of_two: bool) -> str:
    """An answer; of two conversations all of its turns, since the question tells neither's."""
    if not (of_two and response.before):
        return cut(response.text, limit)
    texts = (*response.before, response.text)
    return "\n\n".join(f"answer {n}: {cut(text, limit)}" for n, text in enumerate(texts, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The texts of a case as a judge is shown them, with the code that stands in none of them."""

    question: str
    references: str
    answers: tuple[str, ...]
    instructions: str
    code: str

    @classmethod
    def of(cls, case: Case, *, max_answer_chars: int) -> Shown:
        """A case with all its answers cut by the same limit."""
        question = conversation(case.item.turns)
        references = "\n".join(dict.fromkeys(case.item.references))
        two = len(case.responses) > 1
        answers = tuple(
            shown_answer(response, max_answer_chars, of_two=two) for response in case.responses
        )
        instructions = case.instructions or ""
        return cls(
            question=question,
            references=references,
            answers=answers,
            instructions=instructions,
            code=code_for(instructions, question, references, *answers),
        )

    def texts(self, *names: str) -> str:
        """All of it between its lines, the answers under these names."""
        named = {"question": self.question, "reference": self.references}
        named |= dict(zip(names, self.answers, strict=True))
        blocks = [
            framed(self.code, name, text)
            for name, text in named.items()
            if text.strip() or name != "reference"
        ]
        if self.instructions:  # the benchmark's own, not an answer's: said, not framed
            blocks.insert(0, f"For this question in particular: {self.instructions}")
        return "\n\n".join(blocks)
