"""``dimensions`` and ``critique``: judges in Chinese, of one answer or two.

``dimensions``
    A model rates an answer on the dimensions of its kind, then the whole. Which dimensions these
    are follows from the item's subcategory, as the benchmark says. With the official prompt and
    definitions it is AlignBench's rule-calibrated judge [1]_.
``critique``
    A model comments on one answer and scores it, or compares two. With the official forms it is
    CritiqueLLM's way [2]_: the model was trained on a bracketed answer type, the question, the
    reference where there is one, and one answer or two, and on nothing that says what to do with
    them. With our own wording any model can be asked the same.

In our own wording answers are data between lines that carry a code (`judgebench.template`),
and only a dictionary that holds the code states the verdict, or the one JSON object that is the
whole reply. A blank answer has the lowest score or loses, and two equal ones are a tie, without a
call.

References
----------
.. [1] THUDM/AlignBench at 5b79d4a, ``prompt_construct`` in ``judge.py``.
.. [2] P. Ke et al. (2024), CritiqueLLM: Towards an Informative Critique Generation Model for
   Evaluation of Large Language Model Generation, ACL 2024, arXiv 2311.18702; ``inference/`` of
   thu-coai/CritiqueLLM at e1e0241.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import Field

from judgebench.errors import refuse
from judgebench.judges.lexical import NO_REFERENCE, clear_winner
from judgebench.judges.prompt import (
    Cut,
    Kind,
    Plan,
    Question,
    Setup,
    Shown,
    check_placeholders,
    messages,
    own_prompt,
)
from judgebench.judges.readers.dictionaries import (
    COMPARISON,
    ONE_TO_TEN,
    OVERALL,
    read_coded,
    read_critique_comparison,
    read_ratings,
)
from judgebench.judges.readers.json import REASON
from judgebench.judges.readers.scores import Scale, read_scores, score_schema
from judgebench.judges.readers.upstream import (
    read_upstream,
    read_upstream_comparison,
    read_upstream_score,
)
from judgebench.keys import content_key
from judgebench.records import Case, Score, Unreadable, Verdict
from judgebench.template import PromptText

QUESTION: Final = ("texts", "question")


def _texts(shown: Shown) -> str:
    answers = ("待评回答",) if len(shown.answers) == 1 else ("助手1的回答", "助手2的回答")
    named = {"问题": shown.question}
    named |= {"参考回答": shown.references} if shown.references.strip() else {}
    named |= dict(zip(answers, shown.answers, strict=True))
    blocks = [
        f"<<{shown.code}: {name}开始>>\n{text}\n<<{shown.code}: {name}结束>>"
        for name, text in named.items()
    ]
    if shown.instructions:  # the benchmark's own, not an answer's: said, not framed
        blocks.insert(0, f"对这道题另有要求：{shown.instructions}")
    return "\n\n".join(blocks)


# dimensions ---------------------------------------------------------------------------------------

SHORT: Final = "short"

WHOLE = Scale(low=ONE_TO_TEN.low, high=ONE_TO_TEN.high)
"""What is asked for as JSON, where each score can be listed."""

NO_DIMENSIONS = Unreadable(reason="no dimensions are known for the item's subcategory")


class DimensionsOptions(Cut):
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

    @property
    def explains(self) -> bool:
        """Whether scores come after comments."""
        return self.prompt != SHORT


def _dimensions(setup: Setup[DimensionsOptions]) -> Plan:
    options = setup.options
    upstream, explain = options.reader == "upstream", options.explains
    needed = {
        "question": QUESTION,
        "reference": ("texts", "reference"),
        "answer": ("texts", "answer"),
        "dimensions": ("dimensions", "ask"),
    }
    own = {"default": "dimensions", SHORT: "dimensions_short"}
    prompt = setup.prompt(options.prompt, own, needed, ["category"])
    _check_dimensions(setup, prompt)
    defined = _defined(setup, prompt)
    # An official prompt is filled by Python's ``format``, where two braces mean one.
    plain = prompt.text.replace("{{", "{").replace("}}", "}") if prompt.official else prompt.text
    sent = replace(prompt, text=plain)

    def ask(case: Case) -> Question | Verdict:
        meant = defined.get(case.item.subcategory or "", {})
        dimensions = tuple(meant)
        if not dimensions:
            return NO_DIMENSIONS
        if not any(reference.strip() for reference in case.item.references):
            return NO_REFERENCE
        if not case.responses[0].text.strip():
            low, high = (0.0, math.inf) if upstream else (ONE_TO_TEN.low, ONE_TO_TEN.high)
            parts = dict.fromkeys(dimensions, ONE_TO_TEN.low)
            return Score(value=ONE_TO_TEN.low, low=low, high=high, parts=parts)
        shown = Shown.of(case, max_answer_chars=options.max_answer_chars)
        listed = "".join(f"{n}. {name}: {meant[name]}\n" for n, name in enumerate(dimensions, 1))
        names = (*dimensions, OVERALL)
        of_case = {
            "category": case.item.category or "",
            "dimensions": listed if prompt.official else listed.rstrip("\n"),
            "question": case.item.question,
            "reference": shown.references,
            "answer": shown.answers[0],
            "texts": _texts(shown),
            "ask": _dimensions_ask(options, names, shown.code),
        }
        asked = messages(sent, {}, of_case)
        if options.format == "json":
            read = partial(read_scores, names=names, scale=WHOLE, as_json=True, overall=OVERALL)
            form = score_schema(names, WHOLE, explain=explain)
            read = partial(read, explain=explain)
            return Question(messages=asked, read=read, response_format=form)
        if upstream:
            return Question(messages=asked, read=partial(read_upstream, dimensions=dimensions))
        read = partial(read_ratings, dimensions=dimensions)
        if not prompt.official:
            read = partial(read_coded, code=shown.code, read=read, what="score")
        return Question(messages=asked, read=read)

    # As lists: the order of dimensions is part of the question, and a key forgets it in names.
    order = {name: [[*pair] for pair in means.items()] for name, means in defined.items()}
    return Plan(
        ask=ask,
        version=f"{options.reader}/1",
        prompts=((prompt, {}),),
        room=2048,
        told={"defined": {"sha256": content_key("dimensions", order).hex()}},
    )


def _check_dimensions(setup: Setup[DimensionsOptions], prompt: PromptText) -> None:
    options, content = setup.options, setup.content
    refuse(
        setup.fault,
        {
            "the benchmark does not say which dimensions its answers are rated on "
            "('answer_types' in its description); use another way of judging, rubric for one": (
                not content.answer_types
            ),
            f"it rates from 1 to 10, and the scale of the benchmark is {content.scale[0]:g} to "
            f"{content.scale[1]:g}; use another way of judging": (
                content.scale != (ONE_TO_TEN.low, ONE_TO_TEN.high)
            ),
            "'reader: upstream' reads replies to the official prompt; name it as 'prompt'": (
                options.reader == "upstream" and not prompt.official
            ),
            "an official prompt says itself how to reply; remove 'format', or use our own "
            "wording: prompt: default": options.format != "dictionary" and prompt.official,
        },
    )


def _defined(
    setup: Setup[DimensionsOptions], prompt: PromptText
) -> Mapping[str, Mapping[str, str]]:
    """For each subcategory its dimensions, with what each means: all in our words, or official."""
    content, official = setup.content, setup.settings.prompts
    texts = {one.name: one.text for one in content.definitions}
    if prompt.official:
        missing = [one.name for one in content.definitions if one.official not in official]
        refuse(
            setup.fault,
            {
                "the official prompt is here, but not the official definitions of "
                f"{', '.join(missing)}; fetch them with `judgebench data pull` or `data import`, "
                "or use our own wording: prompt: default": bool(missing)
            },
        )
        texts = {one.name: official[str(one.official)].text for one in content.definitions}
    return {
        subcategory: {name: texts[name] for name in one.dimensions}
        for one in content.answer_types
        for subcategory in one.subcategories
    }


def _dimensions_ask(options: DimensionsOptions, names: tuple[str, ...], code: str) -> str:
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


# critique -----------------------------------------------------------------------------------------

OWN: Final = "default"
OFFICIAL: Final = "official/critique"

FORMS = {
    "critique": "critique",
    "critique_free": "critique",
    "critique_pair": "critique_pair",
    "critique_pair_free": "critique_pair",
}
"""One answer and two, each with a reference and without: the official forms, and ours for them."""

_ANSWERS = {
    "critique": {"the answer": ("texts", "response")},
    "critique_pair": {
        "the first": ("texts", "response_1"),
        "the second": ("texts", "response_2"),
    },
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


class CritiqueOptions(Cut):
    """What a suite may say about a judge that writes critiques."""

    prompt: Literal["default", "official/critique"] = Field(
        "default", description="ours, or CritiqueLLM's four forms from the data home"
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


def _critique(setup: Setup[CritiqueOptions]) -> Plan:
    options = setup.options
    upstream, official = options.reader == "upstream", options.prompt == OFFICIAL
    forms = _forms(setup)
    refuse(
        setup.fault,
        {
            "'reader: upstream' reads replies to the official forms; say prompt: "
            f"{OFFICIAL}": upstream and not official
        },
    )
    known: Mapping[str, str] = {**TYPES, **options.types}

    def ask(case: Case) -> Question | Verdict:
        answer_type = known.get(case.item.category or "", known.get(ANY_CATEGORY))
        if answer_type is None:
            return NO_TYPE
        pair = len(case.responses) == 2
        if pair and (clear := clear_winner(case)) is not None:
            return clear
        if not (pair or case.responses[0].text.strip()):
            low = 0.0 if upstream else ONE_TO_TEN.low
            return Score(value=ONE_TO_TEN.low, low=low, high=ONE_TO_TEN.high)
        if options.reference == "never":
            case = replace(case, item=replace(case.item, references=()))
        shown = Shown.of(case, max_answer_chars=options.max_answer_chars)
        form = list(FORMS)[2 * pair + (not shown.references.strip())]
        of_case = {
            "type": answer_type,
            "question": shown.question,
            "reference": shown.references,
            "response": shown.answers[0],
            "response_1": shown.answers[0],
            "response_2": shown.answers[-1],
            "texts": _texts(shown),
            "ask": _critique_ask(shown.code, pair=pair),
        }
        if pair:
            read = read_upstream_comparison if upstream else read_critique_comparison
        else:
            read = read_upstream_score if upstream else read_ratings
        if not official:
            read = partial(read_coded, code=shown.code, read=read, what="verdict")
        return Question(messages=messages(forms[form], {}, of_case), read=read)

    return Plan(
        ask=ask,
        version=f"{options.reader}/1",
        prompts=[(form, {}) for form in forms.values()],
        room=1024,
    )


def _forms(setup: Setup[CritiqueOptions]) -> Mapping[str, PromptText]:
    """The four forms, all of one kind."""
    if setup.options.prompt == OFFICIAL:
        found = {form: text for form in FORMS if (text := setup.settings.prompts.get(form))}
        missing = ", ".join(form for form in FORMS if form not in found)
        refuse(
            setup.fault,
            {
                f"official forms are not in the data home ({missing}); fetch them with "
                "`judgebench data pull alignbench_pointwise` or `data import`, or use our own: "
                f"prompt: {OWN}": bool(missing)
            },
        )
    else:
        found = {form: own_prompt(file) for form, file in FORMS.items()}
    for form, prompt in found.items():
        needed = {"the question": QUESTION, "the answer type": ("type",), **_ANSWERS[FORMS[form]]}
        shown = {"reference", "ask"}.union(*needed.values())
        check_placeholders(setup.kind, prompt, shown, needed)
    return found


def _critique_ask(code: str, *, pair: bool) -> str:
    if pair:
        return (
            "请写出比较，然后以下面这个字典结尾：编号照抄，问号换成'助手1'、'助手2'或'质量相当'，"
            f"字典之后不再写任何内容。\n{{'编号': '{code}', '{COMPARISON}': ?}}"
        )
    return (
        "请写出评语，然后以下面这个字典结尾：编号照抄，问号换成分数，字典之后不再写任何内容。\n"
        f"{{'编号': '{code}', '{OVERALL}': ?}}"
    )


KINDS: Final[Mapping[str, Kind[Any]]] = {
    "dimensions": Kind(name="dimensions", options=DimensionsOptions, plan=_dimensions),
    "critique": Kind(
        name="critique",
        options=CritiqueOptions,
        plan=_critique,
        inputs=frozenset({"answer", "with_baseline"}),
    ),
}
