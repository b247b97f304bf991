"""``critique``: a model comments on one answer and scores it, or compares two, in Chinese.

With the official forms it is CritiqueLLM's way [1]_: the model was trained on a bracketed answer
type, the question, the reference where there is one, and one answer or two, and on nothing that
says what to do with them. With our own wording any model can be asked the same; the answers are
then data between lines that carry a code (see `frame`), and only a dictionary that holds the code
states the verdict. A blank answer has the lowest score or loses, and two equal ones are a tie,
without a call.

References
----------
.. [1] P. Ke et al. (2024), CritiqueLLM: Towards an Informative Critique Generation Model for
   Evaluation of Large Language Model Generation, ACL 2024, arXiv 2311.18702; ``inference/`` of
   thu-coai/CritiqueLLM at e1e0241.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody, ask_once
from judgebench.errors import ConfigError
from judgebench.judges.frame import Shown
from judgebench.judges.pairwise import without_asking
from judgebench.judges.prompt import Answerer, answerer, check_placeholders, messages, own_prompt
from judgebench.judges.readers.dictionaries import (
    COMPARISON,
    ONE_TO_TEN,
    OVERALL,
    from_code,
    read_critique_comparison,
    read_critique_score,
    read_upstream_comparison,
    read_upstream_score,
)
from judgebench.keys import text_sha
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
MAX_TOKENS = 1024
OWN: Final = "default"
OFFICIAL: Final = "official/critique"

FORMS = ("critique", "critique_free", "critique_pair", "critique_pair_free")
"""One answer and two, each with a reference and without: the names of the official forms."""

OWN_FILES = ("critique", "critique", "critique_pair", "critique_pair")

QUESTION = frozenset({"texts", "question"})
ANSWERS = {
    1: {"the answer": {"texts", "response"}},
    2: {"the first": {"texts", "response_1"}, "the second": {"texts", "response_2"}},
}

AnswerType: TypeAlias = Literal["事实与解释型回答", "逻辑推理型回答", "生成型回答", "建议型回答"]
FACT, REASONING, GENERATION, ADVICE = get_args(AnswerType)
TYPES: Mapping[str, str] = {
    "基本能力": FACT,
    "基本任务": FACT,  # as AlignBench calls what CritiqueLLM calls 基本能力
    "中文理解": FACT,
    "综合问答": ADVICE,
    "文本写作": GENERATION,
    "逻辑推理": REASONING,
    "数学计算": REASONING,
    "角色扮演": GENERATION,
    "专业能力": FACT,
    "多语言能力": GENERATION,
    "代码": REASONING,
}
"""The answer type of each category: upstream's ``category2type.json``."""

ANY_CATEGORY = "default"
NO_TYPE = Unreadable(reason="no answer type is known for the item's category")
NO_CODE = Unreadable(reason="a verdict without the code of the texts")


class Options(Section):
    """What a suite may say about a judge that writes critiques."""

    prompt: Literal["default", "official/critique"] = Field(
        OWN, description="ours, or CritiqueLLM's four forms from the data home"
    )
    reader: Literal["strict", "upstream"] = Field(
        "strict", description="upstream reads few spellings, and scores from 0 to 10"
    )
    reference: Literal["given", "never"] = Field(
        "given", description="shown where an item has one, or never"
    )
    types: dict[str, AnswerType] = Field(
        default_factory=dict,
        description="answer types of further categories; 'default' is for all others",
    )
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueJudge:
    """Asks one question about one answer or two. ``prompts`` are by the names in `FORMS`."""

    spec: JudgeSpec
    answerer: Answerer
    prompts: Mapping[str, PromptText]
    options: Options

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer", "with_baseline"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    @property
    def official(self) -> bool:
        return self.options.prompt == OFFICIAL

    def answer_type(self, item: Item) -> str | None:
        """What kind of answer an item asks for, by its category."""
        known: Mapping[str, str] = {**TYPES, **self.options.types}
        return known.get(item.category or "", known.get(ANY_CATEGORY))

    def judge(self, case: Case) -> Dialogue:
        answer_type = self.answer_type(case.item)
        if answer_type is None:
            return ask_nobody(NO_TYPE)
        if (known := self._without_asking(case)) is not None:
            return ask_nobody(known)
        shown = Shown.of(self._as_shown(case), max_answer_chars=self.max_answer_chars)
        asked = self.answerer.chat(self.question(answer_type, shown))
        code = None if self.official else shown.code
        return ask_once(asked, self.reader(len(shown.answers), code))

    def question(self, answer_type: str, shown: Shown) -> tuple[Message, ...]:
        """The filled form."""
        pair = len(shown.answers) == 2
        form = FORMS[2 * pair + (not shown.references.strip())]
        first, second = (*shown.answers, "")[:2]
        of_case = {
            "type": answer_type,
            "question": shown.question,
            "reference": shown.references,
            "response": first,
            "response_1": first,
            "response_2": second,
            "texts": _texts(shown),
            "ask": _ask(shown.code, pair=pair),
        }
        return messages(self.prompts[form], {}, of_case)

    def reader(self, n_answers: int, code: str | None) -> Callable[[Reply], Verdict]:
        """What reads a reply; with a code, only what begins with its dictionary counts."""
        upstream = self.options.reader == "upstream"
        if n_answers == 1:
            read = read_upstream_score if upstream else read_critique_score
        else:
            read = read_upstream_comparison if upstream else read_critique_comparison
        return read if code is None else lambda reply: _with_code(reply, code, read)

    def _as_shown(self, case: Case) -> Case:
        if self.options.reference == "given":
            return case
        return replace(case, item=replace(case.item, references=()))

    def _without_asking(self, case: Case) -> Verdict | None:
        if len(case.responses) == 2:
            return without_asking(case)
        if case.responses[0].text.strip():
            return None
        low = 0.0 if self.options.reader == "upstream" else ONE_TO_TEN.low
        return Score(value=ONE_TO_TEN.low, low=low, high=ONE_TO_TEN.high)


def _with_code(reply: Reply, code: str, read: Callable[[Reply], Verdict]) -> Verdict:
    stated = from_code(reply.text, code)
    if stated is not None:
        return read(replace(reply, text=stated))
    verdict = read(reply)
    return verdict if isinstance(verdict, Unreadable) else NO_CODE


def make(settings: JudgeSettings) -> CritiqueJudge:
    """A judge that writes critiques.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option, or official forms that are not here.
    """
    chosen = check(Options, dict(settings.options), "judge critique: options")
    forms = _forms(chosen, settings.prompts)
    if chosen.reader == "upstream" and chosen.prompt != OFFICIAL:
        raise ConfigError(
            "judge critique: 'reader: upstream' reads replies to the official forms; say "
            f"prompt: {OFFICIAL}"
        )
    asked = answerer("critique", settings, max_tokens=MAX_TOKENS)
    spec = asked.spec(
        "critique",
        reader_version=f"{chosen.reader}/{READER_VERSION}",
        # Defaults stay out, so that a new option of a later version changes no old key.
        options={"prompt": chosen.prompt, **chosen.model_dump(exclude_defaults=True)},
        prompt_sha=text_sha("\n".join(form.sha for form in forms.values())),
        official_prompt=chosen.prompt == OFFICIAL,
    )
    return CritiqueJudge(spec=spec, answerer=asked, prompts=forms, options=chosen)


def _forms(options: Options, official: Mapping[str, PromptText]) -> dict[str, PromptText]:
    """The four forms, all of one kind."""
    if options.prompt == OWN:
        found = {form: own_prompt(file) for form, file in zip(FORMS, OWN_FILES, strict=True)}
    else:
        if missing := [form for form in FORMS if form not in official]:
            raise ConfigError(
                f"judge critique: official forms are not in the data home ({', '.join(missing)}); "
                "fetch them with `judgebench data pull alignbench_pointwise` or `data import`, or "
                f"use our own: prompt: {OWN}"
            )
        found = {form: official[form] for form in FORMS}
    for form, prompt in found.items():
        n_answers = 2 if form.startswith("critique_pair") else 1
        needed = {"the question": QUESTION, "the answer type": {"type"}, **ANSWERS[n_answers]}
        shown = set().union(*needed.values())
        check_placeholders("critique", prompt, shown | {"reference", "ask"}, needed)
    return found


# How our own prompt shows the texts and asks for the verdict --------------------------------------


def _texts(shown: Shown) -> str:
    answers = (
        {"待评回答": shown.answers[0]}
        if len(shown.answers) == 1
        else {"助手1的回答": shown.answers[0], "助手2的回答": shown.answers[1]}
    )
    reference = {"参考回答": shown.references} if shown.references.strip() else {}
    blocks = [
        f"<<{shown.code}: {name}开始>>\n{text}\n<<{shown.code}: {name}结束>>"
        for name, text in ({"问题": shown.question} | reference | answers).items()
    ]
    if shown.instructions:  # the benchmark's own, not an answer's: said, not framed
        blocks.insert(0, f"对这道题另有要求：{shown.instructions}")
    return "\n\n".join(blocks)


def _ask(code: str, *, pair: bool) -> str:
    if pair:
        return (
            "请写出比较，然后以下面这个字典结尾：编号照抄，问号换成'助手1'、'助手2'或'质量相当'，"
            f"字典之后不再写任何内容。\n{{'编号': '{code}', '{COMPARISON}': ?}}"
        )
    return (
        "请写出评语，然后以下面这个字典结尾：编号照抄，问号换成分数，字典之后不再写任何内容。\n"
        f"{{'编号': '{code}', '{OVERALL}': ?}}"
    )


__all__ = ["CritiqueJudge", "Options", "make"]
