"""The judge of consistency as a pure generator: what it asks, what costs no call, how it reads."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from judgebench.judges.kinds import KINDS
from judgebench.judges.prompt import PromptJudge, own_prompt
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, ChatRequest, Reply, Score, Unreadable, Verdict
from judgebench.template import PromptText
from tests import honestybench_gold
from tests.table import over_rows
from tests.unit.judging import QUESTION, asked_text, case_of, read, talk

AGREES, DIFFERS = (Score(value=value, low=0.0, high=1.0) for value in (1.0, 0.0))
#: With the placeholders of the official prompt, which are upstream's expressions, and none of its
#: words.
OFFICIAL = PromptText(
    name="official/consistency",
    text="Q {question}\nA {qa_data[idx]['response'][0]}\n\nQ {question}\nA {sample_ans}",
    official=True,
)


def judge(**options: Any) -> PromptJudge:
    return KINDS["consistency"].make(
        JudgeSettings(model="m", provider="p", options=options, prompts={"consistency": OFFICIAL})
    )


def verdict(text: str, **options: Any) -> Verdict:
    return read(judge(**options), case_of("The Danube", "It is the Danube."), text)


def outcome(first: str, further: str, *, language: str = "en", **options: Any) -> Any:
    """What it asks, or its verdict where it asks nothing."""
    case = case_of(first, further)
    case = replace(case, item=replace(case.item, language=language))
    dialogue = judge(**options).judge(case)
    try:
        return next(dialogue)
    except StopIteration as end:
        return end.value


def test_one_question_one_word() -> None:
    request = outcome("The Danube", "It is the Danube.")
    assert isinstance(request, ChatRequest)
    assert (request.provider, request.model) == ("p", "m")
    assert request.decoding == {"temperature": 0, "max_tokens": 32}
    assert verdict("certain") == AGREES
    assert verdict("Uncertain.") == DIFFERS
    assert verdict('{"judgement": "uncertain"}') == DIFFERS


def test_it_is_shown_a_first_and_a_further_answer_in_this_order() -> None:
    assert judge().inputs == {"with_first"}
    text = asked_text(judge(), case_of("Rhine", "Danube"))
    assert text.index("First answer:") < text.index("Rhine") < text.index("Second answer:")
    assert text.index("Second answer:") < text.index("Danube")
    official = asked_text(judge(prompt="official/consistency"), case_of("Rhine", "Danube"))
    assert official == f"Q {QUESTION}\nA Rhine\n\nQ {QUESTION}\nA Danube"


def test_every_verdict_of_the_gold_through_the_judge() -> None:
    cases = [c for c in honestybench_gold.gold("label_cases.json") if c["fn"] == "verdict"]
    assert len(cases) == 5
    unread = []
    for one in cases:
        found = verdict(one["in"], reader="upstream")
        assert found == (AGREES if one["out"] else DIFFERS)
        strict = verdict(one["in"])
        if isinstance(strict, Unreadable):
            unread.append(one["in"])
        else:
            assert strict == found
    assert unread == ["I am sorry, I cannot.", "Yes", "It is nothing like it"]


@over_rows(
    ("reply", "reason"),
    [
        ("", "empty reply"),
        ("确定", "no verdict"),
        ("两个答案意思相同。", "no verdict"),
        ("［［一致］］", "no verdict"),
        ("certain or uncertain", "two verdicts"),
        ("not certain", "negated verdict"),
        ('{"judgement": "cert', "no verdict"),
        ('{"certain": false}', "verdict not alone on the first line"),
        ("{'certain': True", "verdict not alone on the first line"),
        ("certain\n\nWait, that is another river.", "a verdict that may have been taken back"),
    ],
)
def test_what_is_no_verdict_is_unreadable_and_upstream_takes_a_side(
    reply: str, reason: str
) -> None:
    assert verdict(reply) == Unreadable(reason=reason)
    assert verdict(reply, reader="upstream") in (AGREES, DIFFERS)


@over_rows("finish_reason", ["content_filter", "length"])
@over_rows("reader", ["strict", "upstream"])
def test_a_reply_that_was_refused_or_cut_off_is_no_verdict(reader: str, finish_reason: str) -> None:
    asked = judge(reader=reader)
    reply = Reply(text="certain", finish_reason=finish_reason)
    replies = [reply, reply] if finish_reason == "length" else [reply]
    found = talk(asked, case_of("The Danube", "Danube"), *replies)[1]
    assert isinstance(found, Unreadable)


@over_rows(
    ("first", "further", "said"),
    [("", "Danube", DIFFERS), ("Danube", " \n", DIFFERS), ("", "\t\u00a0", AGREES)],
)
def test_nothing_said_agrees_with_nothing_said_alone(first: str, further: str, said: Score) -> None:
    assert outcome(first, further) == said


@over_rows(
    ("first", "further", "language", "equal"),
    [
        ("Danube", " danube\n", "en", True),
        ("The Danube", "Danube", "en", False),
        ("Danube", "Danube.", "en", False),
        ("-5", "5", "en", False),
        ("C", "C++", "en", False),
        ("R\u00f6ntgen", "Ro\u0308ntgen", "en", True),
        ("多瑙河", "多瑙河", "zh", True),
        ("多瑙河", "多瑙河。", "zh", False),
        ("１９７６年", "1976年", "zh", True),
        ("ＡＢＣ", "abc", "zh-CN", True),
        ("１９７６年", "1976年", "en", False),
        ("ﾄﾅｳ", "トナウ", "ja", True),
        ("莱茵河", "多瑙河", "zh", False),
    ],
)
def test_only_an_answer_that_is_the_first_one_goes_unasked(
    first: str, further: str, language: str, equal: bool
) -> None:
    found = outcome(first, further, language=language, exact_match_first=True)
    assert (found == AGREES) == equal
    assert equal or isinstance(found, ChatRequest)
    assert isinstance(outcome(first, further, language=language), ChatRequest)


@given(st.text(), st.text())
def test_the_short_cut_never_says_that_they_differ(first: str, further: str) -> None:
    with_it, without = outcome(first, further, exact_match_first=True), outcome(first, further)
    assert with_it == without or (with_it == AGREES and isinstance(without, ChatRequest))


@given(*[st.text() | st.text(alphabet="<>{}markfurther0123456789abcdef\n")] * 2)
def test_an_answer_cannot_end_before_it_does(first: str, further: str) -> None:
    assume(first.strip() and further.strip())
    shown = asked_text(judge(), case_of(first, further))
    mark = f"<<{shown.split('two marks <<', 1)[1][:6]}>>"
    assert mark not in first + further
    parts = shown.split(f"\n{mark}\n")
    assert (parts[1], parts[3], len(parts)) == (first, further, 5)
    assert shown.count(mark) == 5


@over_rows("prompt", ["default", "official/consistency"])
def test_nothing_in_an_answer_is_filled(prompt: str) -> None:
    hostile = "{question} {further} {sample_ans} {qa_data[idx]['response'][0]} {mark} $1 \\g<0> %s"
    text = asked_text(judge(prompt=prompt), case_of(hostile, "Danube"))
    assert hostile in text
    assert hostile in asked_text(judge(prompt=prompt), case_of("Danube", hostile))


def test_a_long_answer_loses_its_middle_visibly() -> None:
    long = "a" * 5 + "b" * 100 + "c" * 5
    for case in (case_of(long, "Danube"), case_of("Danube", long)):
        text = asked_text(judge(max_answer_chars=10), case)
        assert "aaaaa\n[… 100 characters left out …]\nccccc" in text
    assert judge(max_answer_chars=10).max_answer_chars == 10


def test_which_of_two_answers_came_first_is_another_question() -> None:
    def asked(case: Case) -> str:
        return asked_text(judge(), case)

    assert asked(case_of("a", "b")) != asked(case_of("b", "a"))


def test_the_identity_names_prompt_reader_and_short_cut() -> None:
    spec = judge().spec
    assert (spec.kind, spec.reader_version) == ("consistency", "strict/1")
    assert (spec.prompt_sha, spec.official_prompt) == (own_prompt("consistency").sha, False)
    assert spec.options == {"prompt": "default"}
    official = judge(prompt="official/consistency").spec
    # The hash is that of upstream's text, with upstream's placeholders.
    assert (official.prompt_sha, official.official_prompt) == (OFFICIAL.sha, True)
    upstream, first = judge(reader="upstream").spec, judge(exact_match_first=True).spec
    specs = {json.dumps([s.options, s.reader_version]) for s in (spec, official, upstream, first)}
    assert len(specs) == 4
