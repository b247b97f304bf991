"""``own_prompt``: a judge with a prompt, a way of reading and a kind of verdict of a team's own.

What is said where is in ``docs/own-judge.md``. The texts of a case are data: each stands between
two lines with a code that occurs in none of them (see `_frame`), and the prompt is told so, unless
a suite takes the frame away. What is shown decides what is judged: one answer, or two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from judgebench import registry
from judgebench.config import OwnPrompt, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError, unknown_name
from judgebench.judges.frame import code_for, conversation, cut, framed
from judgebench.judges.lexical import NO_REFERENCE
from judgebench.judges.prompt import Answerer, answerer, checked_content, messages, own_prompt
from judgebench.judges.readers.logprobs import TOP_LOGPROBS, ask_for_first_token
from judgebench.judges.readers.own import READER_VERSION, OwnReader, own_reader, reading
from judgebench.judges.readers.scores import Scale
from judgebench.keys import canonical_json, text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, Item, JsonObject, JudgeSpec, Message, Role, Seen, Unreadable
from judgebench.template import PromptText

OWN = "own"
"""The name of the prompt among those of `JudgeSettings.prompts`."""

ALONE = ("answer",)
PAIR = ("answer_a", "answer_b")
PLACEHOLDERS = ("question", "turns", "reference", "rubric", *ALONE, *PAIR)
ITEM = "item."
REPLY = "reply"

_SAID = {"answer_a": "answer A", "answer_b": "answer B", "turns": "conversation"}
_ROLE = re.compile(r"(?m)^(system|user|assistant):[ \t]*\n")

#: Tokens of a reply, by how it is read; the rest may think aloud first. Criteria are extra.
_TOKENS = {"logprobs": 16, "first_word": 128, "score": 128, "json": 512}
_TOKENS_OF_THE_REST = 1024
_TOKENS_OF_A_CRITERION = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPromptJudge:
    """Asks one question about one answer or two; ``parts`` are the prompt's, message by message."""

    spec: JudgeSpec
    answerer: Answerer
    parts: tuple[tuple[Role, PromptText], ...]
    options: OwnPrompt
    rubric: str
    reader: OwnReader

    @property
    def answers(self) -> tuple[str, ...]:
        """What the prompt calls the answers."""
        return PAIR if {*PAIR} & placeholders(self.parts) else ALONE

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"with_baseline" if self.answers == PAIR else "answer"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def fields(self, item: Item) -> JsonObject:
        """What of the item's own fields the prompt shows, as far as it has them."""
        has = {"id": item.id, "category": item.category, "subcategory": item.subcategory}
        has |= {"language": item.language, **item.metadata}
        wanted = (name.removeprefix(ITEM) for name in placeholders(self.parts) if ITEM in name)
        return {name: has[name] for name in wanted if has.get(name) is not None}

    def judge(self, case: Case) -> Dialogue:
        fields = {f"{ITEM}{name}": _text(value) for name, value in self.fields(case.item).items()}
        lacking = {name for name in placeholders(self.parts) if ITEM in name} - {*fields}
        if lacking:
            return ask_nobody(Unreadable(reason=f"the item has no {', '.join(sorted(lacking))}"))
        if "reference" in placeholders(self.parts) and not any(case.item.references):
            return ask_nobody(NO_REFERENCE)
        question = self.question(case, fields)
        if self.reader.find is None:
            asked = self.answerer.chat(question, logprobs=TOP_LOGPROBS)
            return ask_for_first_token(asked, self.reader)
        return ask_once(self.answerer.chat(question), self.reader)

    def question(self, case: Case, fields: Mapping[str, str]) -> tuple[Message, ...]:
        """The prompt, filled; the examples stand before its last message, as if asked before.

        An example that is the question itself is left out: it would give the answer away.
        """
        answers = [cut(response.text, self.max_answer_chars) for response in case.responses]
        instructions = [case.instructions] if case.instructions else []
        of_case = {
            "question": "\n\n".join([case.item.question, *instructions]),
            "turns": "\n\n".join([conversation(case.item.turns), *instructions]),
            "reference": "\n".join(dict.fromkeys(case.item.references)),
            **dict(zip(self.answers, answers, strict=True)),
            **fields,
        }
        *before, last = self.parts
        return (
            *self._filled(before, of_case),
            *(
                message
                for example in self._examples()
                if example.get("question") != case.item.question
                for message in (
                    *self._filled([last], example),
                    Message(role="assistant", content=example[REPLY]),
                )
            ),
            *self._filled([last], of_case),
        )

    def _examples(self) -> Sequence[Mapping[str, str]]:
        return cast("Sequence[Mapping[str, str]]", self.options.examples or ())

    def _filled(
        self, parts: Sequence[tuple[Role, PromptText]], of_case: Mapping[str, str]
    ) -> Iterator[Message]:
        of_judge = {"rubric": self.rubric}
        shown = dict(of_case)
        if self.options.frame:
            code = code_for(*of_case.values())
            shown = {name: _framed(code, name, text) for name, text in of_case.items()}
        for role, text in parts:
            for message in messages(text, of_judge, shown):
                yield replace(message, role=role)


def _framed(code: str, name: str, text: str) -> str:
    """A field of one line stands as it is: it cannot look like the end of a frame."""
    if name.startswith(ITEM) and len(text.splitlines()) <= 1:
        return text
    return framed(code, _SAID.get(name, name), text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def placeholders(parts: Sequence[tuple[Role, PromptText]]) -> frozenset[str]:
    """What all parts of a prompt leave open."""
    return frozenset().union(*(text.placeholders for _, text in parts))


def make(settings: JudgeSettings) -> OwnPromptJudge:
    """A judge with a prompt of one's own, which is `OWN` among the prompts of ``settings``.

    Raises
    ------
    ConfigError
        For a missing model or prompt, a placeholder that nothing fills, a prompt that never shows
        the answer, an example that lacks something, and whatever cannot be read.
    """
    options = check(OwnPrompt, dict(settings.options), "own_prompt")
    given = checked_content("own_prompt", settings.content)
    prompt = settings.prompts.get(OWN)
    if prompt is None:
        raise ConfigError("name the file of its prompt as 'prompt'")
    parts = _parts(prompt)
    pair = _shows_a_pair(prompt)
    _check_examples(options, placeholders(parts[-1:]))
    how, argument = reading(options)
    labels = options.labels or how == "first_word"
    verdict = options.verdict or ("preference" if pair else "label" if labels else "score")
    if (verdict == "preference") != pair:
        raise ConfigError(
            f"the prompt {prompt.name} shows {'two answers' if pair else 'one answer'}, and the "
            f"verdict is a {verdict}: a preference is between {{answer_a}} and {{answer_b}}"
        )
    low, high = options.scale or given.scale
    if not low < high:
        raise ConfigError(f"a scale goes upwards, not from {low:g} to {high:g}")
    scale = Scale(low=low, high=high, decimals=True)
    reader = own_reader(options, verdict, scale)
    if verdict == "label" and (other := {*reader.words.values()} - {*given.labels}):
        raise ConfigError(
            f"labels: {', '.join(sorted(other))}: verdicts here are {', '.join(given.labels)}; say "
            f"what each word means, as in labels: {{'yes': {given.labels[0]}}}"
        )
    parts = _with_notice(parts) if options.frame else parts
    rubric = given.rubric_text
    asked = answerer("own_prompt", settings, max_tokens=_room(how, reader))
    filled = [[role, text.text.replace("{rubric}", rubric)] for role, text in parts]
    version = f"{how}/{READER_VERSION}"
    if how == "python":
        version += f"/{registry.source_sha(registry.function(argument, 'readers'))}"
    spec = asked.spec(
        f"own_prompt/{verdict}",
        reader_version=version,
        options={
            **options.model_dump(
                mode="json", by_alias=True, exclude_defaults=True, exclude={"examples", "verdict"}
            ),
            **({"scale": [low, high]} if verdict == "score" else {}),
        },
        prompt_sha=text_sha(canonical_json([filled, options.examples])),
        official_prompt=False,
    )
    return OwnPromptJudge(
        spec=spec, answerer=asked, parts=parts, options=options, rubric=rubric, reader=reader
    )


def _room(how: str, reader: OwnReader) -> int:
    more = _TOKENS_OF_A_CRITERION * len(reader.criteria)
    return _TOKENS.get(how, _TOKENS_OF_THE_REST) + more


def _parts(prompt: PromptText) -> tuple[tuple[Role, PromptText], ...]:
    """The messages of a prompt whose first line is ``system:``, ``user:`` or ``assistant:``.

    Each begins with such a line of its own. Any other prompt is one message of the user.
    """
    text = prompt.text.strip("\n")
    if not _ROLE.match(text):
        return (("user", replace(prompt, text=text)),)
    _, *pieces = _ROLE.split(text)
    roles, texts = cast("list[Role]", pieces[::2]), pieces[1::2]
    if roles[-1] != "user":
        raise ConfigError(
            f"the prompt {prompt.name} ends with '{roles[-1]}:'; the user has it last"
        )
    return tuple(
        (role, replace(prompt, text=one.strip("\n")))
        for role, one in zip(roles, texts, strict=True)
    )


def _with_notice(
    parts: tuple[tuple[Role, PromptText], ...],
) -> tuple[tuple[Role, PromptText], ...]:
    """What the lines around texts are, said after the system's part or before all of the user's."""
    notice = own_prompt("frame_notice").text
    (role, first), *others = parts
    said = [first.text, notice] if role == "system" else [notice, first.text]
    return ((role, replace(first, text="\n\n".join(said))), *others)


def _shows_a_pair(prompt: PromptText) -> bool:
    """Whether a prompt compares two answers.

    Raises
    ------
    ConfigError
        For a placeholder that nothing fills, and where no answer is shown, or half a pair.
    """
    shown = prompt.placeholders
    for name in sorted(shown - {*PLACEHOLDERS}):
        if not name.startswith(ITEM):
            known = [*PLACEHOLDERS, f"{ITEM}FIELD"]
            raise ConfigError(
                f"the prompt {prompt.name}: {unknown_name('placeholder', name, known)}. Braces "
                f"that are no placeholder have a blank inside: {{ {name} }}"
            )
    seen = shown & {*ALONE, *PAIR}
    if seen not in ({*ALONE}, {*PAIR}):
        raise ConfigError(
            f"the prompt {prompt.name} shows {' and '.join(sorted(seen)) or 'no answer'}: put in "
            "{answer}, or both {answer_a} and {answer_b}"
        )
    return seen == {*PAIR}


def _check_examples(options: OwnPrompt, shown: frozenset[str]) -> None:
    needed = [*sorted(shown - {"rubric"}), REPLY]
    for number, example in enumerate(options.examples or (), 1):
        if not isinstance(example, Mapping):  # the name of a file, which was to be read before
            raise ConfigError("examples: a list of examples is needed here, not the name of a file")
        if lacking := [name for name in needed if name not in example]:
            raise ConfigError(f"examples: number {number} has no {', '.join(lacking)}")


__all__ = ["OWN", "OwnPromptJudge", "make"]
