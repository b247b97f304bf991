"""``own_prompt``, ``python``: a judge of a team's own, which is a prompt or a function.

What a suite says of a prompt is in ``docs/own-judge.md``. The texts of a case are data: each stands
between two lines with a code that occurs in none of them (see `judgebench.template`), and the
prompt is told so, unless a suite takes the frame away. What it shows decides what is judged: one
answer, or two.

A function says by the names of its parameters what it wants to see, and returns a verdict: a record
of `judgebench.records`, true or false (correct or incorrect), the name of a label, or a number on
the benchmark's scale. What it raises makes that one verdict unreadable, with the reason.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from pydantic import Field

from judgebench import registry
from judgebench.config import OwnPrompt, Reading, Section
from judgebench.errors import ConfigError, refuse, unknown_name
from judgebench.judges.lexical import NO_REFERENCE, refuse_a_model
from judgebench.judges.prompt import (
    IN_CHAT,
    Kind,
    Plan,
    Question,
    Setup,
    code_for,
    conversation,
    framed,
    messages,
    own_prompt,
    shown_answer,
    soft_question,
)
from judgebench.judges.readers.own import (
    BY_LETTER,
    SIDES,
    VerdictForm,
    call_safely,
    finder,
    own_words,
)
from judgebench.judges.readers.scores import Scale
from judgebench.keys import canonical_json
from judgebench.records import (
    BINARY,
    Case,
    Item,
    JsonObject,
    Label,
    Message,
    Role,
    Seen,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText

OWN: Final = "own"
"""The name of the prompt among those of `JudgeSettings.prompts`."""

ANSWER: Final = frozenset({"answer"})
PAIR: Final = frozenset({"answer_a", "answer_b"})
PLACEHOLDERS: Final = ("question", "turns", "reference", "rubric", *ANSWER, *sorted(PAIR))
ITEM: Final = "item."
REPLY: Final = "reply"
MEAN: Final = "mean"
"""What is said of several criteria of which none is the whole."""

MAX_POINTS: Final = 11
"""Of a scale that is read from log-probabilities: all of it should be among the tokens listed."""

HOW: Final = ("json", "regex", "first_word", "brackets", "score", "logprobs", "python")
_TOKENS = {"logprobs": 16, "first_word": 128, "score": 128, "json": 512}
"""Of a reply, by how it is read; others may think aloud first."""
_TOKENS_OF_A_CRITERION = 64

_FRAME_NAMES = {"answer_a": "answer A", "answer_b": "answer B", "turns": "conversation"}
_ROLE = re.compile(r"(?m)^(system|user|assistant):[ \t]*\n")
_PAIRWISE: frozenset[Seen] = frozenset({"with_baseline"})

Parts = Sequence[tuple[Role, PromptText]]
"""The messages of a prompt."""


def _own_prompt(setup: Setup[OwnPrompt]) -> Plan:
    options, content = setup.options, setup.content
    prompt = setup.settings.prompts.get(OWN, PromptText(name="", text=""))
    refuse(setup.fault, {"name the file of its prompt as 'prompt'": not prompt.text})
    parts, shown = prompt_parts(prompt), prompt.placeholders
    _check_placeholders(setup, prompt.name, shown)
    pair = shown >= PAIR
    how, given = _reading(setup)
    words = given if how == "first_word" and given else options.labels or ()
    words = dict(words) if isinstance(words, Mapping) else {word: word for word in words}
    verdict = options.verdict or ("preference" if pair else "label" if words else "score")
    low, high = options.scale or content.scale
    form = VerdictForm(
        verdict=verdict,
        words=BY_LETTER if pair and not words else words,
        scale=Scale(low=low, high=high, decimals=True),
        criteria=tuple(given) if how != "first_word" and isinstance(given, dict | list) else (),
        overall=options.overall,
    )
    _check_form(setup, prompt.name, form, how, pair=pair)
    _check_examples(setup, parts[-1][1].placeholders)
    if options.frame:
        parts = with_notice(parts)
    of_judge = {"rubric": content.rubric_text}
    find = None if how == "logprobs" else finder(how, given, form)
    tokens = tuple(form.scale.points if verdict == "score" else form.words)

    def fields(item: Item) -> JsonObject:
        return item_fields(item, [n.removeprefix(ITEM) for n in shown if n.startswith(ITEM)])

    def ask(case: Case) -> Question | Verdict:
        own = field_texts(fields(case.item))
        if lacking := sorted(n for n in shown - {*own} if n.startswith(ITEM)):
            return Unreadable(reason=f"the item has no {', '.join(lacking)}")
        if "reference" in shown and not any(case.item.references):
            return NO_REFERENCE
        texts = {**_texts(case, options.max_answer_chars, pair), **own}
        asked = tuple(_messages(parts, options, of_judge, texts, case.item.question))
        if find is None:
            return soft_question(asked, "logprobs", tokens, form.likeliest)
        answers = [one.text for one in case.responses]
        return Question(
            messages=asked, read=lambda reply: form.read(own_words(reply, answers), find)
        )

    source = registry.source_sha(registry.function(given, "readers")) if how == "python" else None
    identity = canonical_json([[[role, one.text] for role, one in parts], options.examples])
    return Plan(
        ask=ask,
        version=f"{how}/1" if source is None else f"{how}/1/{source}",
        prompts=((PromptText(name=prompt.name, text=identity), of_judge),),
        room=_TOKENS.get(how, 1024) + _TOKENS_OF_A_CRITERION * len(form.criteria),
        told={
            "read": {how: given} if given else how,
            **({"scale": [low, high]} if verdict == "score" else {}),
        },
        unused=("examples", "verdict"),
        kind=f"own_prompt/{verdict}",
        inputs=_PAIRWISE if pair else None,
        fields=fields,
        read=None if find is None else partial(form.read, find=find),
    )


def item_fields(item: Item, names: Collection[str]) -> dict[str, Any]:
    """What an item says of itself under these names, as far as it does."""
    has = {"id": item.id, "category": item.category, "subcategory": item.subcategory}
    has |= {"language": item.language, **item.metadata}
    return {name: has[name] for name in names if has.get(name) is not None}


def field_texts(fields: JsonObject) -> dict[str, str]:
    """The fields of an item as texts, by the placeholders that show them."""
    return {
        f"{ITEM}{name}": said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        for name, said in fields.items()
    }


def _reading(setup: Setup[OwnPrompt]) -> tuple[str, Any]:
    """How a reply is read, and what the suite says of it beside."""
    read = setup.options.read
    refuse(
        setup.fault,
        {f"say how its replies are read: 'read' with one of {', '.join(HOW)}": not read},
    )
    if not isinstance(read, Reading):
        return str(read), None
    ((how, given),) = read.model_dump(by_alias=True, exclude_unset=True).items()
    return how, given


def _check_placeholders(setup: Setup[OwnPrompt], name: str, shown: frozenset[str]) -> None:
    seen, fault = shown & (ANSWER | PAIR), f"the prompt {name}"
    known = [*PLACEHOLDERS, f"{ITEM}FIELD"]
    unknown = sorted(n for n in shown - {*PLACEHOLDERS} if not n.startswith(ITEM))
    refuse(
        setup.fault,
        {
            f"{fault}: {unknown_name('placeholder', one, known)}. Braces that are no placeholder "
            f"have a blank inside: {{ {one} }}": True
            for one in unknown
        },
    )
    refuse(
        setup.fault,
        {
            f"{fault} shows {' and '.join(sorted(seen)) or 'no answer'}: put in {{answer}}, or "
            "both {answer_a} and {answer_b}": seen not in (ANSWER, PAIR)
        },
    )


def _check_form(
    setup: Setup[OwnPrompt], name: str, form: VerdictForm, how: str, *, pair: bool
) -> None:
    verdict, criteria, scale = form.verdict, form.criteria, form.scale
    labels, says, overall = setup.content.labels, {*form.words.values()}, form.overall
    whole = all(end == int(end) for end in (scale.low, scale.high))
    few = whole and scale.low >= 0 and scale.high - scale.low < MAX_POINTS
    ends = f"{scale.low:g} to {scale.high:g}"
    refuse(
        setup.fault,
        {
            f"the prompt {name} shows {'two answers' if pair else 'one answer'}, and the verdict "
            f"is a {verdict}: a preference is between {{answer_a}} and {{answer_b}}": (
                (verdict == "preference") != pair
            ),
            f"a scale goes upwards, not from {ends}": not scale.low < scale.high,
            "'labels' are what no score says; remove them, or say 'verdict'": (
                verdict == "score" and bool(says)
            ),
            "a verdict that is a label needs its 'labels'": verdict == "label" and not says,
            f"labels: {', '.join(sorted(says - {*labels}))}: verdicts here are "
            f"{', '.join(labels)}; say what each word means, as in labels: "
            f"{{'yes': {labels[0] if labels else ''}}}": verdict == "label"
            and not says <= {*labels},
            "which word says what: 'labels' of a preference are such as {A: first, B: second, "
            "C: tie}": pair and not {*SIDES[:2]} <= says <= {*SIDES},
            "several criteria are scores, of which one is the whole, or their mean: say 'verdict: "
            f"score' and 'overall: {MEAN}', or 'overall' with the name of one of "
            f"{', '.join(criteria)}": (
                bool(criteria) and (verdict != "score" or overall not in (*criteria, MEAN))
            ),
            f"'overall: {overall}' is for several criteria; remove it": (
                overall is not None and not criteria
            ),
            "'read: first_word' needs its words: say what each of them means, as in read: "
            "{first_word: {'yes': correct, 'no': incorrect}}, or name them as 'labels'": (
                how == "first_word" and not form.words
            ),
            f"'read: score' reads scores, and the verdict is a {verdict}": (
                how == "score" and verdict != "score"
            ),
            f"log-probabilities need a scale of at most {MAX_POINTS} whole numbers from 0 upwards, "
            f"not {ends}": how == "logprobs" and verdict == "score" and not few,
        },
    )


def _check_examples(setup: Setup[OwnPrompt], shown: frozenset[str]) -> None:
    examples = setup.options.examples or ()
    refuse(
        setup.fault,
        {
            "examples: a list of examples is needed here, not the name of a file": (
                isinstance(examples, str)
            )
        },
    )
    needed = [*sorted(shown - {"rubric"}), REPLY]
    for number, example in enumerate(examples, 1):
        lacking = ", ".join(name for name in needed if name not in example)
        refuse(setup.fault, {f"examples: number {number} has no {lacking}": bool(lacking)})


def prompt_parts(prompt: PromptText) -> Parts:
    """The messages of a prompt whose first line is ``system:``, ``user:`` or ``assistant:``.

    Each begins with such a line of its own. So are those of a prompt with ``<|im_start|>system`` …
    ``<|im_end|>``, as upstream writes them. Any other prompt is one message of the user.
    """
    text = prompt.text.strip("\n")
    if IN_CHAT.search(text):
        before, *pieces = IN_CHAT.split(text)
        if outside := "".join([before, *pieces[2::3]]).strip():
            raise ConfigError(
                f"the prompt {prompt.name}: {outside.splitlines()[0][:60]!r} stands outside of its "
                "<|im_start|> and <|im_end|>, where nobody would see it"
            )
        del pieces[2::3]
    elif _ROLE.match(text):
        _, *pieces = _ROLE.split(text)
    else:
        return (("user", replace(prompt, text=text)),)
    roles = cast("list[Role]", pieces[::2])
    if roles[-1] != "user":
        raise ConfigError(
            f"the prompt {prompt.name} ends with '{roles[-1]}:'; the user has it last"
        )
    texts = (replace(prompt, text=one.strip("\n")) for one in pieces[1::2])
    return tuple(zip(roles, texts, strict=True))


def with_notice(parts: Parts) -> Parts:
    """What the lines around texts are, said after the system's part or before all of the user's."""
    notice = own_prompt("frame_notice").text
    (role, first), *others = parts
    said = [first.text, notice] if role == "system" else [notice, first.text]
    return ((role, replace(first, text="\n\n".join(said))), *others)


def _texts(case: Case, limit: int, pair: bool) -> dict[str, str]:
    answers = [shown_answer(response, limit, of_two=pair) for response in case.responses]
    more = [case.instructions] if case.instructions else []
    return {
        "question": "\n\n".join([case.item.question, *more]),
        "turns": "\n\n".join([conversation(case.item.turns), *more]),
        "reference": "\n".join(dict.fromkeys(case.item.references)),
        **dict(zip(sorted(PAIR if pair else ANSWER), answers, strict=True)),
    }


def _messages(
    parts: Parts,
    options: OwnPrompt,
    of_judge: Mapping[str, str],
    of_case: Mapping[str, str],
    question: str,
) -> Iterator[Message]:
    """The prompt, filled; the examples stand before its last message, as if asked before.

    An example that is the question itself is left out: it would give the answer away.
    """

    def filled(some: Parts, texts: Mapping[str, str]) -> Iterator[Message]:
        if options.frame:
            code = code_for(*texts.values())
            texts = {name: framed_text(code, name, text) for name, text in texts.items()}
        for role, text in some:
            yield from (replace(one, role=role) for one in messages(text, of_judge, texts))

    yield from filled(parts[:-1], of_case)
    for example in cast("Sequence[Mapping[str, str]]", options.examples or ()):
        if example.get("question") != question:
            yield from filled(parts[-1:], example)
            yield Message(role="assistant", content=example[REPLY])
    yield from filled(parts[-1:], of_case)


def framed_text(code: str, name: str, text: str) -> str:
    """A field of one line stands as it is: it cannot look like the end of a frame."""
    if name.startswith(ITEM) and len(text.splitlines()) <= 1:
        return text
    return framed(code, _FRAME_NAMES.get(name, name), text)


# a function ---------------------------------------------------------------------------------------

_WHOLE = frozenset({"item", "case"})
PARAMETERS: Final = (
    *sorted(ANSWER | PAIR | _WHOLE), "question", "reference", "references", "turns",
)  # fmt: skip
OF_TWO: Final = {"A": "first", "B": "second", **{side: side for side in SIDES}}


class FunctionOptions(Section):
    """What a suite may say about a function that judges."""

    function: str = Field(description="package.module:function")


def _python(setup: Setup[FunctionOptions]) -> Plan:
    refuse_a_model(setup)
    function = registry.function(setup.options.function, "judges")
    is_one = inspect.isfunction(function) or inspect.ismethod(function)
    is_one = is_one and not inspect.iscoroutinefunction(function)
    fault = f"{setup.options.function} is no plain function: write one with 'def'"
    refuse(setup.fault, {fault: not is_one})
    parameters = inspect.signature(function).parameters.values()
    unnamed = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    refuse(setup.fault, {f"{fault}, whose parameters go by name (no '/')": bool(unnamed)})
    needed = {p.name for p in parameters if p.default is p.empty} - {*PARAMETERS}
    wanted = {p.name for p in parameters} & {*PARAMETERS}
    name, pair = function.__name__, bool(wanted & PAIR)
    refuse(
        setup.fault, {f"{name}: {unknown_name('parameter', n, PARAMETERS)}": True for n in needed}
    )
    refuse(
        setup.fault, {f"{name} sees no answer: name a parameter 'answer'": wanted.isdisjoint(_SEE)}
    )
    low, high = setup.content.scale
    of = partial(VerdictForm, scale=Scale(low=low, high=high, decimals=True))
    labels = {label: label for label in setup.content.labels or BINARY}

    def ask(case: Case) -> Verdict:
        texts = _texts(case, sys.maxsize, pair)
        seen = {**texts, "references": case.item.references, "item": case.item, "case": case}
        found = call_safely(function, **{name: seen[name] for name in wanted})
        found = Label(name=BINARY[found]) if isinstance(found, bool) else found
        if pair:
            return of(verdict="preference", words=OF_TWO).verdict_of(found)
        verdict = "label" if isinstance(found, str | Label) else "score"
        return of(verdict=verdict, words=labels).verdict_of(found)

    return Plan(
        ask=ask,
        version=str(registry.source_sha(function)),
        told={
            "function": setup.options.function,
            **setup.content.model_dump(mode="json", exclude_defaults=True, include={"scale"}),
        },
        inputs=_PAIRWISE if pair else None,
        # All that it could see of an item's own fields, where it sees the item.
        fields=lambda item: item.metadata if wanted & _WHOLE else {},
    )


_SEE = ANSWER | PAIR | {"case"}

KINDS: Final[Mapping[str, Kind[Any]]] = {
    "own_prompt": Kind(name="own_prompt", options=OwnPrompt, plan=_own_prompt),
    "python": Kind(name="python", options=FunctionOptions, plan=_python),
}
