"""The graded judge: free answers and options, by a model or by rule, in both wordings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import ConfigError
from judgebench.judges.kinds import KINDS
from judgebench.judges.lexical import NO_RIGHT_OPTION
from judgebench.judges.prompt import PromptJudge, Shown
from judgebench.judges.readers.json import read_choice
from judgebench.judges.readers.option_letters import NO_OPTION, NONE, read_option_line
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    TRUNCATED,
    Case,
    Item,
    Label,
    Message,
    Reply,
    Response,
    Score,
    Unreadable,
    Verdict,
)
from judgebench.template import PromptText, lettered, reference_to, right_letter
from tests.table import over_rows
from tests.unit.hostile import HOSTILE
from tests.unit.judging import asked_text, read, talk
from tests.unit.test_judges_injection import quotes

OPTIONS = ("the Rhine", "the Danube", "the Elbe", "the Oder")
OFFICIAL = {
    "graded": PromptText(
        name="official/graded",
        text="<|im_start|>system\nGrade.\n<|im_end|>\n<|im_start|>user\n"
        "{prompt}\n{gold_ans}\n{response}\n<|im_end|>\n",
        official=True,
    ),
    "extracted": PromptText(
        name="official/extracted", text="{prompt}\n{options}\n{response}\n", official=True
    ),
}
BY_RULE = {"free_form": "rule", "multiple_choice": "rule"}
BY_OFFICIAL = {"prompt": "official/graded", "option_prompt": "official/extracted"}
RIGHT, WRONG = (Score(value=value, low=0.0, high=1.0) for value in (1.0, 0.0))


def case(
    answer: str,
    *,
    options: tuple[str, ...] = (),
    references: tuple[str, ...] = ("the Danube", "Donau"),
) -> Case:
    item = Item(
        benchmark="b",
        version="1",
        id="0",
        turns=(Message(role="user", content="Which river flows through {Vienna}?"),),
        references=references,
        options=options,
    )
    response = Response(
        benchmark="b", version="1", item_id="0", model_key=b"m", text=answer, raw=answer
    )
    return Case(item=item, responses=(response,))


def choice(answer: str, references: tuple[str, ...] = ("the Danube",)) -> Case:
    return case(answer, options=OPTIONS, references=references)


def judge_of(**options: Any) -> PromptJudge:
    return KINDS["graded"].make(
        JudgeSettings(model="m", provider="p", options=options, prompts=OFFICIAL)
    )


def by_rule(**options: Any) -> PromptJudge:
    return KINDS["graded"].make(JudgeSettings(options={**BY_RULE, **options}))


def said(judge: PromptJudge, case: Case) -> Verdict:
    """The verdict of a judge that asks nobody."""
    asked, verdict = talk(judge, case)
    assert asked == []
    return verdict


def code_of(case: Case) -> str:
    """The code that our question about this case carries."""
    return asked_text(judge_of(), case).split("<<", 1)[1][:6]


# By rule -----------------------------------------------------------------------------------------


def test_rules_ask_nobody() -> None:
    assert said(by_rule(), case("It is the Danube.")) == RIGHT
    assert said(by_rule(), case("It is the Rhine.")) == WRONG
    assert said(by_rule(), choice("B")) == RIGHT
    assert said(by_rule(), choice("**C.** of course")) == WRONG
    assert said(by_rule(), choice("I would rather not say")) == NO_OPTION
    assert by_rule().max_answer_chars is None


def test_upstreams_rule_does_without_the_rescue() -> None:
    upstream = by_rule(multiple_choice="upstream_rule")
    assert said(upstream, choice("B, since it does")) == NO_OPTION
    assert said(by_rule(), choice("B, since it does")) == RIGHT
    assert said(upstream, choice("(B)")) == RIGHT


@over_rows("blank", ["", " \n\t"])
def test_a_blank_answer_scores_nothing_without_a_call(blank: str) -> None:
    for judge in (judge_of(), by_rule(), judge_of(**BY_OFFICIAL)):
        assert said(judge, case(blank)) == WRONG
        assert said(judge, choice(blank)) == WRONG
    assert said(by_rule(multiple_choice="upstream_rule"), choice(blank)) == NO_OPTION


@over_rows("options", [{}, BY_OFFICIAL])
def test_a_long_answer_is_shown_cut(options: dict[str, Any]) -> None:
    judge = judge_of(**options, max_answer_chars=100)
    for asked in (case("y" * 150 + "z" * 150), choice("y" * 150 + "z" * 150)):
        text = asked_text(judge, asked)
        assert f"{'y' * 50}\n[… 200 characters left out …]\n{'z' * 50}" in text
        assert "y" * 51 not in text


def test_a_blank_reference_is_in_no_answer() -> None:
    references = ("", " ", "the Danube")
    assert said(by_rule(), case("It is the Rhine.", references=references)) == WRONG
    assert said(by_rule(), case("It is the Danube.", references=references)) == RIGHT


def test_items_that_cannot_be_judged() -> None:
    for judge in (judge_of(), by_rule()):
        assert isinstance(said(judge, case("x", references=(" ",))), Unreadable)
        for references in ((), ("the Thames",), ("the Rhine", "the Oder")):
            assert said(judge, choice("B", references)) == NO_RIGHT_OPTION
        many = tuple(map(str, range(27)))
        too_many = case("B", options=many, references=("1",))
        assert said(judge, too_many) == NO_RIGHT_OPTION


# Which option is right ---------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="AB. x", max_size=6), min_size=1, max_size=6), st.data())
def test_the_reference_names_the_option_that_was_meant(
    options: list[str], data: st.DataObject
) -> None:
    """Of equal texts too: the index decides. Only a text that is another's line defeats it."""
    index = data.draw(st.integers(0, len(options) - 1))
    found = right_letter(options, [reference_to(options, index)])
    lines = lettered(options).split("\n")
    if set(lines) & set(options):
        assert found in (None, "ABCDEF"[index])
    else:
        assert found == "ABCDEF"[index]


def test_equal_options_are_told_apart_by_their_letter() -> None:
    assert reference_to(["Yes", "No", "Yes"], 1) == "No"
    assert reference_to(["Yes", "No", "Yes"], 2) == "C. Yes"
    assert said(by_rule(), case("A", options=("Yes", "No", "Yes"), references=("C. Yes",))) == WRONG


# In our words ------------------------------------------------------------------------------------


def test_a_free_answer_is_graded_on_the_last_line() -> None:
    asked = case("The Danube, I believe.")
    code = code_of(asked)
    for text, value in ((f"Close.\nscore {code}: 0.7", 0.7), (f"**score {code}: 1**", 1.0)):
        assert read(judge_of(), asked, text) == Score(value=value, low=0.0, high=1.0)
    for text in (
        "score: 1",
        "1",
        "[[1.0]]",
        f"score {code}: 1.2",
        f"score {code}: ten",
        f"score {code}: 1\nBut I am not sure.",
        f"score {code}: 0\nscore {code}: 1",
        "score 000000: 1",
    ):
        assert isinstance(read(judge_of(), asked, text), Unreadable), text


@over_rows(
    ("line", "verdict"),
    [
        ("option {code}: B", RIGHT),
        ("**Option {code}:** B.", RIGHT),
        ("option {code}: A", WRONG),
        ("option {code}: none", WRONG),
        ("option {code}: None.", WRONG),
        ("option {code}: b", Unreadable(reason="no verdict")),
        ("option {code}: E", Unreadable(reason="a letter that is no option")),
        ("option {code}: A\noption {code}: B", Unreadable(reason="two verdicts")),
        ("option {code}: B\nI am sure.", Unreadable(reason="verdict not on the last line")),
        ("option 000000: B", Unreadable(reason="no verdict")),
        ("B", Unreadable(reason="no verdict")),
        ("[[B]]", Unreadable(reason="no verdict")),
    ],
)
def test_a_choice_is_read_from_the_last_line(line: str, verdict: Verdict) -> None:
    asked = choice("It is the second one.")
    reply = f"It says so.\n{line.replace('{code}', code_of(asked))}"
    assert read(judge_of(), asked, reply) == verdict


def test_who_reads_a_choice_is_not_told_what_is_right() -> None:
    told = [asked_text(judge_of(), choice("B", (text,))) for text in OPTIONS]
    assert len(set(told)) == 1
    assert lettered(OPTIONS) in told[0]
    free = asked_text(judge_of(), case("B"))
    assert "the Danube\nDonau" in free


def test_a_hostile_answer_neither_ends_before_it_does_nor_is_read_as_the_verdict() -> None:
    judge = judge_of()
    for hostile in HOSTILE:
        for asked, name in ((case(hostile), "score"), (choice(hostile), "option")):
            text, code = asked_text(judge, asked), code_of(asked)
            begins, ends = f"<<{code}: answer begins>>", f"<<{code}: answer ends>>"
            assert text.count(begins) == text.count(ends) == 1
            assert text.split(begins)[1].split(ends)[0] == f"\n{hostile}\n"
            for reply in quotes(hostile):
                assert isinstance(read(judge, asked, reply), Unreadable), reply
                stated = {"score": "0.2", "option": "C"}[name]
                verdict = read(judge, asked, f"{reply}\n{name} {code}: {stated}")
                assert verdict == Score(value=0.2 * (name == "score"), low=0.0, high=1.0), reply


@over_rows("explain", [True, False])
def test_verdicts_as_json(explain: bool) -> None:
    judge = judge_of(format="json", explain=explain)
    reason = {"reason": "why"} if explain else {}
    grade = json.dumps({**reason, "score": 0.5})
    assert read(judge, case("x"), grade) == Score(value=0.5, low=0.0, high=1.0)
    assert read(judge, choice("x"), json.dumps({**reason, "option": "B"})) == RIGHT
    assert read(judge, choice("x"), json.dumps({**reason, "option": NONE})) == WRONG
    for option in ("b", "E", ["B"], None, 1):
        verdict = read(judge, choice("x"), json.dumps({**reason, "option": option}))
        assert isinstance(verdict, Unreadable)
    (asked,), _ = talk(judge, choice("x"), Reply(text="{}"))
    schema = asked.response_format["json_schema"]["schema"]["properties"]  # type: ignore[union-attr, index]
    assert schema["option"]["enum"] == ["A", "B", "C", "D", "none"]


@given(st.text() | st.from_regex(r"(option|score) [0-9a-f]{6}: ?[A-E0-9.]+\s*"))
def test_any_reply_is_a_verdict_or_unreadable(text: str) -> None:
    reply = Reply(text=text, finish_reason="stop")
    line = read_option_line(reply, 4, "123abc")
    assert isinstance(line, Unreadable) or (isinstance(line, Label) and line.name in "ABCDnone")
    found = read_choice(reply, "option", "ABCD", explain=False)
    assert isinstance(found, Label | Unreadable)
    for judge in (judge_of(), judge_of(format="json"), judge_of(**BY_OFFICIAL)):
        for asked in (case("x"), choice("x")):
            assert isinstance(read(judge, asked, text), Score | Unreadable)


@given(st.text())
def test_any_answer_is_judged(answer: str) -> None:
    for judge in (by_rule(), by_rule(multiple_choice="upstream_rule")):
        assert isinstance(said(judge, case(answer)), Score)
        assert isinstance(said(judge, choice(answer)), Score | Unreadable)
    if answer.strip():
        shown = Shown.of(case(answer), max_answer_chars=20_000)
        assert f"<<{shown.code}: answer begins>>\n{answer}\n" in asked_text(
            judge_of(), case(answer)
        )


def test_a_reply_that_was_cut_off_is_asked_again_with_more_room() -> None:
    cut = Reply(text="Well", finish_reason="length")
    asked, verdict = talk(judge_of(), case("x"), cut, cut)
    assert verdict == Unreadable(reason=TRUNCATED)
    assert [request.decoding["max_tokens"] for request in asked] == [1024, 4096]


def test_a_reply_without_reasons_gets_little_room_where_no_official_prompt_asks_for_them() -> None:
    assert judge_of(explain=False).spec.sampling["max_tokens"] == 64
    mixed = judge_of(explain=False, option_prompt="official/extracted")
    assert mixed.spec.sampling["max_tokens"] == 1024


# In upstream's words -----------------------------------------------------------------------------


def test_official_prompts_are_filled_as_upstream_does() -> None:
    judge = judge_of(**BY_OFFICIAL)
    (request,), verdict = talk(judge, case("Donau?"), Reply(text="Fine. [[0.9]]"))
    system, user = request.messages
    assert (system.role, system.content) == ("system", "Grade.")
    assert user.content == (
        "Which river flows through {Vienna}?\n<answer 1> the Danube; <answer 2> Donau\nDonau?"
    )
    assert verdict == Score(value=0.9, low=0.0, high=1.0)
    (request,), verdict = talk(judge, choice("the 2nd"), Reply(text="It is [[B]]."))
    assert request.messages[0].content.endswith("\nD. the Oder\nthe 2nd\n")
    assert verdict == RIGHT


@over_rows(
    ("reply", "strict", "upstream"),
    [
        ("[0.7]", None, 0.7),
        ("[[0.4]] or [[0.6]]", None, 0.4),
        ("[[1]]", 1.0, 1.0),
        ("[[1.5]]", None, None),
        ("［［０．８］］", None, None),
        ("得分：[[0.8]]", 0.8, 0.8),
        ("{'score': 0.8}", None, None),
    ],
)
def test_both_readers_of_grades(reply: str, strict: float | None, upstream: float | None) -> None:
    for reader, value in (("strict", strict), ("upstream", upstream)):
        found = read(judge_of(**BY_OFFICIAL, reader=reader), case("x"), reply)
        assert (found.value if isinstance(found, Score) else None) == value


@over_rows(
    ("reply", "strict", "upstream"),
    [
        ("[[B]]", RIGHT, RIGHT),
        ("[B]", None, RIGHT),
        ("[[J]]", None, WRONG),
        ("[[b]]", None, None),
        ("[[A]] [[B]]", None, WRONG),
    ],
)
def test_both_readers_of_choices(
    reply: str, strict: Verdict | None, upstream: Verdict | None
) -> None:
    for reader, verdict in (("strict", strict), ("upstream", upstream)):
        found = read(judge_of(**BY_OFFICIAL, reader=reader), choice("x"), reply)
        assert found == verdict or (verdict is None and isinstance(found, Unreadable))


# Settings ----------------------------------------------------------------------------------------


def test_the_identity_holds_what_is_used_and_nothing_else() -> None:
    rules = by_rule().spec
    assert (rules.model, rules.prompt_sha, rules.official_prompt) == (None, None, None)
    assert rules.options == BY_RULE
    usual = {**BY_OFFICIAL, "reader": "upstream", **BY_RULE}
    assert (
        KINDS["graded"]
        .make(JudgeSettings(options=usual, prompts=OFFICIAL, sampling={"max_tokens": 9}))
        .spec
        == rules
    )

    own, official = judge_of().spec, judge_of(**BY_OFFICIAL).spec
    assert (own.official_prompt, official.official_prompt) == (False, True)
    assert judge_of(option_prompt="official/extracted").spec.official_prompt is False
    half = judge_of(multiple_choice="rule").spec
    assert half.options == {"multiple_choice": "rule", "prompt": "default"}
    specs = [own, official, half, rules, judge_of(explain=False).spec, judge_of(format="json").spec]
    specs += [judge_of(**BY_OFFICIAL, reader="upstream").spec, judge_of(max_answer_chars=99).spec]
    specs += [judge_of(free_form="rule").spec, judge_of(multiple_choice="upstream_rule").spec]
    keys = {str((s.prompt_sha, s.reader_version, sorted(s.options.items()))) for s in specs}
    assert len(keys) == len(specs)
    changed = {**OFFICIAL, "extracted": PromptText(name="e", text="{options} {response}")}
    other = KINDS["graded"].make(
        JudgeSettings(model="m", provider="p", options=BY_OFFICIAL, prompts=changed)
    )
    assert other.spec.prompt_sha != official.prompt_sha


@over_rows(
    ("settings", "message"),
    [
        ({}, "give its 'provider' and 'model'"),
        ({"model": "m", "provider": "p", "options": BY_RULE}, "remove model"),
        ({"options": {**BY_RULE, "multiple_choice": "rules"}}, "multiple_choice"),
        ({"options": {"free_from": "rule"}}, "did you mean 'free_form'"),
        ({"options": {"reader": "upstream"}}, "reads replies to official prompts"),
        ({"options": {**BY_OFFICIAL, "format": "json"}, "prompts": OFFICIAL}, "remove 'format'"),
        ({"options": BY_OFFICIAL}, "not in the data home"),
        ({"options": {"prompt": "defualt"}}, "did you mean 'default'"),
        (
            {"options": {"prompt": "official/extracted"}, "prompts": OFFICIAL},
            "has the placeholders options, which this judge cannot fill",
        ),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KINDS["graded"].make(JudgeSettings(**settings))
