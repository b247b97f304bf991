"""``dimensions``: a model rates an answer in Chinese on the dimensions of its kind, then the whole.

Which dimensions these are follows from the item's subcategory, as the benchmark says. With the
official prompt and definitions it is AlignBench's rule-calibrated judge; with our own wording the
answer is data between lines that carry a code (see `frame`), and only a dictionary that holds the
code states the verdict, or the one JSON object that is the whole reply. A blank answer has the
lowest score, without a call.

Source: THUDM/AlignBench at 5b79d4a, ``prompt_construct`` in ``judge.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges._normalise import NO_REFERENCE
from judgebench.judges.frame import Shown
from judgebench.judges.prompt import (
    Answerer,
    Content,
    answerer,
    check_placeholders,
    checked_content,
    chosen_prompt,
    messages,
)
from judgebench.judges.readers.dictionaries import ONE_TO_TEN, OVERALL, DimensionRatings, from_code
from judgebench.judges.readers.scores import REASON, Scale, read_scores_json, score_schema
from judgebench.judges.readers.upstream import read_upstream
from judgebench.keys import content_key
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    Item,
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
SHORT = "short"
OWN_PROMPTS = {"default": "dimensions", SHORT: "dimensions_short"}
MAX_TOKENS = 2048

QUESTION = frozenset({"texts", "question"})
REFERENCE = frozenset({"texts", "reference"})
ANSWER = frozenset({"texts", "answer"})
DIMENSIONS = frozenset({"dimensions", "ask"})
PLACEHOLDERS = QUESTION | REFERENCE | ANSWER | DIMENSIONS | {"category"}

WHOLE = Scale(low=ONE_TO_TEN.low, high=ONE_TO_TEN.high)
"""What is asked for as JSON, where each score can be listed."""

NO_DIMENSIONS = Unreadable(reason="no dimensions are known for the item's subcategory")
NO_CODE = Unreadable(reason="a score without the code of the texts")


class Options(Section):
    """What a suite may say about a judge of dimensions."""

    prompt: str = Field(
        "default",
        description="default, short (scores alone, for small models), or official/NAME from the "
        "data home",
    )
    format: Literal["dictionary", "json"] = Field(
        "dictionary", description="how our own prompts ask for the scores; json is held by a schema"
    )
    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream reads one spelling, and scores off the scale"
    )
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )

    @property
    def explains(self) -> bool:
        """Whether scores come after comments."""
        return self.prompt != SHORT


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionsJudge:
    """Asks one question about one answer.

    ``defined`` are for each subcategory its dimensions, with what each of them means.
    """

    spec: JudgeSpec
    answerer: Answerer
    prompt: PromptText
    options: Options
    defined: Mapping[str, Mapping[str, str]]

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def dimensions(self, item: Item) -> Mapping[str, str]:
        """What an item's answers are rated on; empty where its subcategory is not known."""
        return self.defined.get(item.subcategory or "", {})

    def judge(self, case: Case) -> Dialogue:
        (response,) = case.responses
        dimensions = tuple(self.dimensions(case.item))
        if not dimensions:
            return ask_nobody(NO_DIMENSIONS)
        if not any(reference.strip() for reference in case.item.references):
            return ask_nobody(Unreadable(reason=NO_REFERENCE))
        if not response.text.strip():
            return ask_nobody(self._lowest(dimensions))
        shown = Shown.of(case, max_answer_chars=self.max_answer_chars)
        question = self.question(case.item, shown)
        if self.options.format == "json":
            names, explain = (*dimensions, OVERALL), self.options.explains
            schema = score_schema(names, WHOLE, explain=explain)
            asked = self.answerer.chat(question, response_format=schema)
            return ask_once(asked, lambda reply: _read_json(reply, names, explain=explain))
        asked = self.answerer.chat(question)
        code = None if self.prompt.official else shown.code
        return ask_once(asked, lambda reply: self.read(reply, dimensions=dimensions, code=code))

    def question(self, item: Item, shown: Shown) -> tuple[Message, ...]:
        """The filled prompt."""
        defined = self.dimensions(item)
        listed = [f"{n}. {name}: {means}\n" for n, (name, means) in enumerate(defined.items(), 1)]
        of_case = {
            "category": item.category or "",
            "dimensions": "".join(listed) if self.prompt.official else "".join(listed).rstrip("\n"),
            "question": item.question,
            "reference": shown.references,
            "answer": shown.answers[0],
            "texts": _texts(shown),
            "ask": _ask(self.options, tuple(defined), shown.code),
        }
        return messages(_as_formatted(self.prompt), {}, of_case)

    def read(self, reply: Reply, *, dimensions: tuple[str, ...], code: str | None) -> Verdict:
        """The verdict of a reply; with a code, only what begins with its dictionary counts."""
        if self.options.reader == "upstream":
            return read_upstream(reply, dimensions)
        ratings = DimensionRatings(dimensions=dimensions)
        if code is None:
            return ratings.read(reply)
        stated = from_code(reply.text, code)
        if stated is None:
            verdict = ratings.read(reply)
            return verdict if isinstance(verdict, Unreadable) else NO_CODE
        return ratings.read(replace(reply, text=stated))

    def _lowest(self, dimensions: tuple[str, ...]) -> Score:
        low, high = ONE_TO_TEN.low, ONE_TO_TEN.high
        parts = dict.fromkeys(dimensions, low)
        if self.options.reader == "upstream":
            return Score(value=low, low=0.0, high=math.inf, parts=parts)
        return Score(value=low, low=low, high=high, parts=parts)


def make(settings: JudgeSettings) -> DimensionsJudge:
    """A judge of dimensions.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option or prompt, a benchmark that has no answer types or
        another scale, and an official prompt without the official definitions.
    """
    chosen = check(Options, dict(settings.options), "judge dimensions: options")
    given = checked_content("dimensions", settings.content)
    official = settings.prompts
    prompt = chosen_prompt("dimensions", chosen.prompt, OWN_PROMPTS, official)
    needed = {"question": QUESTION, "reference": REFERENCE, "answer": ANSWER}
    check_placeholders("dimensions", prompt, PLACEHOLDERS, needed | {"dimensions": DIMENSIONS})
    _check_together(chosen, given, prompt)
    texts = _definitions(given, official if prompt.official else None)
    defined = {
        subcategory: {name: texts[name] for name in one.dimensions}
        for one in given.answer_types
        for subcategory in one.subcategories
    }
    asked = answerer("dimensions", settings, max_tokens=MAX_TOKENS)
    spec = asked.spec(
        "dimensions",
        reader_version=f"{chosen.reader}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={
            "prompt": chosen.prompt,
            **chosen.model_dump(exclude_defaults=True),
            "defined": {"sha256": content_key("dimensions", _in_order(defined)).hex()},
        },
        prompt_sha=prompt.sha,
        official_prompt=prompt.official,
    )
    return DimensionsJudge(
        spec=spec, answerer=asked, prompt=prompt, options=chosen, defined=defined
    )


def _check_together(options: Options, content: Content, prompt: PromptText) -> None:
    if not content.answer_types:
        raise ConfigError(
            "judge dimensions: the benchmark does not say which dimensions its answers are rated "
            "on ('answer_types' in its description); use another way of judging, rubric for one"
        )
    if content.scale != (ONE_TO_TEN.low, ONE_TO_TEN.high):
        raise ConfigError(
            f"judge dimensions: it rates from 1 to 10, and the scale of the benchmark is "
            f"{content.scale[0]:g} to {content.scale[1]:g}; use another way of judging"
        )
    if options.reader == "upstream" and not prompt.official:
        raise ConfigError(
            "judge dimensions: 'reader: upstream' reads replies to the official prompt; name it as "
            "'prompt'"
        )
    if options.format != "dictionary" and prompt.official:
        raise ConfigError(
            "judge dimensions: an official prompt says itself how to reply; remove 'format', or "
            "use our own wording: prompt: default"
        )


def _definitions(content: Content, official: Mapping[str, PromptText] | None) -> dict[str, str]:
    """What each dimension means: in our words, or all of them in the official ones."""
    if official is None:
        return {one.name: one.text for one in content.definitions}
    if missing := [one.name for one in content.definitions if one.official not in official]:
        raise ConfigError(
            "judge dimensions: the official prompt is here, but not the official definitions of "
            f"{', '.join(missing)}; fetch them with `judgebench data pull` or `data import`, or "
            "use our own wording: prompt: default"
        )
    return {one.name: official[str(one.official)].text for one in content.definitions}


def _in_order(defined: Mapping[str, Mapping[str, str]]) -> dict[str, list[list[str]]]:
    """As lists: the order of dimensions is part of the question, and a key forgets it in names."""
    return {
        subcategory: [[name, means] for name, means in dimensions.items()]
        for subcategory, dimensions in defined.items()
    }


def _as_formatted(prompt: PromptText) -> PromptText:
    """An official prompt is filled by Python's ``format``, where two braces mean one."""
    if not prompt.official:
        return prompt
    return replace(prompt, text=prompt.text.replace("{{", "{").replace("}}", "}"))


# How our prompt shows the texts and asks for the scores -------------------------------------------


def _texts(shown: Shown) -> str:
    named = {"问题": shown.question, "参考回答": shown.references, "待评回答": shown.answers[0]}
    blocks = [
        f"<<{shown.code}: {name}开始>>\n{text}\n<<{shown.code}: {name}结束>>"
        for name, text in named.items()
    ]
    if shown.instructions:  # the benchmark's own, not an answer's: said, not framed
        blocks.insert(0, f"对这道题另有要求：{shown.instructions}")
    return "\n\n".join(blocks)


def _ask(options: Options, dimensions: tuple[str, ...], code: str) -> str:
    names = (*dimensions, OVERALL)
    if options.format == "json":
        reason = f'"{REASON}": "评语", ' if options.explains else ""
        members = ", ".join(f'"{name}": ?' for name in names)
        return (
            "请只回复下面这个JSON对象，每个问号换成一个整数分，此外不写任何内容。\n"
            f"{{{reason}{members}}}"
        )
    members = ", ".join(f"'{name}': ?" for name in names)
    how = "写出评语，然后以下面这个字典结尾" if options.explains else "只写下面这个字典"
    return (
        f"请{how}：编号照抄，每个问号换成一个分数，字典之后不再写任何内容。\n"
        f"{{'编号': '{code}', {members}}}"
    )


def _read_json(reply: Reply, names: tuple[str, ...], *, explain: bool) -> Verdict:
    scores = read_scores_json(reply, names, WHOLE, explain=explain)
    if isinstance(scores, Unreadable):
        return scores
    parts = {name: score for name, score in scores.items() if name != OVERALL}
    return Score(value=scores[OVERALL], low=WHOLE.low, high=WHOLE.high, parts=parts)


__all__ = ["DimensionsJudge", "Options", "make"]
