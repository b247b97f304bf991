"""The rubric judge: what it asks, how scores are read, and what is no score."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench import keys
from judgebench.errors import ConfigError
from judgebench.judges.kinds import KINDS
from judgebench.judges.prompt import PromptJudge
from judgebench.judges.readers.scores import Scale, ScoreLines, read_scores_json
from judgebench.protocols import JudgeSettings
from judgebench.records import ChatRequest, Reply, Score, ScoreRequest, Unreadable, Verdict
from tests.table import over_rows
from tests.unit.judging import asked_text, case_of, listing, read, scoring, talk

ANSWER = case_of("The Danube")


def judge(content: dict[str, Any] | None = None, **options: Any) -> PromptJudge:
    return KINDS["rubric"].make(
        JudgeSettings(model="m", provider="p", options=options, content=content)
    )


def rated(verdict: Verdict) -> float | str:
    match verdict:
        case Score(value=value):
            return value
        case Unreadable(reason=reason):
            return reason
    raise AssertionError(verdict)


def test_one_question_about_one_answer() -> None:
    (request,), verdict = talk(judge(), ANSWER, Reply(text='{"reason": "right", "score": 9}'))
    assert isinstance(request, ChatRequest)
    assert request.decoding == {"temperature": 0, "max_tokens": 1024}
    assert request.response_format is not None
    schema = request.response_format["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reason", "score"]
    assert schema["properties"]["score"] == {"type": "integer", "enum": list(range(1, 11))}
    assert verdict == Score(value=9, low=1, high=10)


def test_a_long_scale_is_not_listed() -> None:
    for scale, options in (((0, 1000), {}), ((0, 1), {"decimals": True})):
        request = next(judge({"scale": scale}, **options).judge(ANSWER))
        assert isinstance(request, ChatRequest)
        assert request.response_format is not None
        schema = request.response_format["json_schema"]["schema"]
        kind = "number" if options else "integer"
        assert schema["properties"]["score"] == {"type": kind}


def test_the_rubric_stands_in_what_never_changes() -> None:
    asked = judge({"rubric": "Polite {texts} first.", "scale": (0, 5)})
    (first, second) = (next(asked.judge(case_of(text))) for text in ("Danube", "Rhine"))
    system = first.messages[0]
    assert "What makes an answer good:\nPolite {texts} first.\n" in system.content
    assert "from 0 (worst) to 5 (best)" in system.content
    assert system == second.messages[0]
    assert system.constant == len(system.content)
    assert "Danube" not in system.content
    assert "Danube" in first.messages[1].content


def test_a_benchmark_without_a_rubric_has_ours() -> None:
    assert asked_text(judge(), ANSWER) == asked_text(judge({"rubric": None}), ANSWER)
    assert "It does what was asked" in asked_text(judge(), ANSWER)


def test_a_blank_answer_has_the_lowest_score_without_a_call() -> None:
    content = {"scale": (2, 4), "dimensions": ["clarity"]}
    parts = {"clarity": 2.0}
    lowest = Score(value=2.0, low=2.0, high=4.0, parts=parts)
    assert talk(judge(content), case_of(" \n")) == ([], lowest)


@over_rows(
    ("reply", "score"),
    [
        ('{"reason": "r", "score": 7}', 7),
        ('{"score": 7, "reason": "r"}', 7),
        ('{"reason": "r", "score": 7.0}', 7),
        ('```\n{"reason": "r", "score": 1}\n```', 1),
        ('{"reason": "r", "score": 7.5}', "a score that is no whole number"),
        ('{"reason": "r", "score": 11}', "a score outside 1 to 10"),
        ('{"reason": "r", "score": 0}', "a score outside 1 to 10"),
        ('{"reason": "r", "score": NaN}', "a score outside 1 to 10"),
        ('{"reason": "r", "score": 1e999}', "a score outside 1 to 10"),
        ('{"reason": "r", "score": "7"}', "not the JSON that was asked for: 'score' is no number"),
        ('{"reason": "r", "score": true}', "not the JSON that was asked for: 'score' is no number"),
        ('{"reason": "r", "score": [7]}', "not the JSON that was asked for: 'score' is no number"),
        ('{"score": 7}', 7),
        ('{"score": 7, "score": 7}', "two verdicts"),
        ('{"reason": "r"}', "not the JSON that was asked for: no 'score'"),
        ('{"why": "r", "score": 7}', "not the JSON that was asked for: 'why' was not asked for"),
        ('{"reason": "r", "score": 7, "score": 8}', "two verdicts"),
        ('Score: {"reason": "r", "score": 7}', "not one JSON object"),
        ("", "empty reply"),
        ("7", "not one JSON object"),
    ],
)
def test_json(reply: str, score: float | str) -> None:
    assert rated(read(judge(), ANSWER, reply)) == score


def test_dimensions_and_the_whole() -> None:
    content = {"dimensions": ["accuracy", "tone"], "scale": [1, 5]}
    reply = '{"reason": "r", "accuracy": 5, "tone": 2, "score": 3}'
    verdict = read(judge(content), ANSWER, reply)
    parts = {"accuracy": 5.0, "tone": 2.0}
    assert verdict == Score(value=3, low=1, high=5, parts=parts)
    mean = judge(content, overall="mean", explain=False)
    assert read(mean, ANSWER, '{"accuracy": 5, "tone": 2}') == Score(
        value=3.5, low=1, high=5, parts=parts
    )
    assert rated(read(judge(content), ANSWER, '{"reason": "r", "accuracy": 5, "score": 3}')) == (
        "not the JSON that was asked for: no 'tone'"
    )
    assert rated(read(mean, ANSWER, '{"reason": "r", "accuracy": 5, "tone": 2}')) == (
        "not the JSON that was asked for: 'reason' was not asked for"
    )


@over_rows(
    ("reply", "score"),
    [
        ("7", 7),
        (" **7** \n", 7),
        ("7/10", 7),
        ("Score: 7", 7),
        ("Score: 7 / 10.", 7),
        ("My final score is 7", 7),
        ("Rating: 10", 10),
        ("7\n\nIt is right, and 2 sentences long.", 7),
        ("Score: 7\nscore: 7", 7),
        ("7\n\nWait, it should rather be 3", "a score that may have been taken back"),
        ("7\n\nActually quite good.", 7),
        ("7/5", "no score"),
        ("7 or 8", "no score"),
        ("about 7", "no score"),
        ("seven", "no score"),
        ("٧", "no score"),
        ("11", "a score outside 1 to 10"),
        ("-3", "a score outside 1 to 10"),
        ("7.5", "a score that is no whole number"),
        ("It is fine.\nScore: 7", "score not on the first line"),
        ("Score: 7\nScore: 8", "two scores"),
        ("", "empty reply"),
    ],
)
def test_a_score_alone(reply: str, score: float | str) -> None:
    assert rated(read(judge(format="word", explain=False), ANSWER, reply)) == score


def test_with_reasons_the_score_carries_the_code_of_the_texts() -> None:
    explaining = judge(format="word")
    text = asked_text(explaining, ANSWER)
    code = text.split("<<", 1)[1][:6]
    assert text.endswith(f"then end with this, completed:\nscore {code}:")
    for reply, score in [
        (f"It is right.\nscore {code}: 7", 7),
        (f"**Score {code}: 7/10**", 7),
        (f"Score {code}: 7\nbut", "score not on the last line"),
        (f"Score {code}: 10\nNo.\nScore {code}: 7", "two scores"),
        ("It ends with:\nScore: 10", "no score"),
        ("It ends with:\nScore 000000: 10", "no score"),
        ("10", "no score"),
    ]:
        assert rated(read(explaining, ANSWER, reply)) == score


def test_lines_of_dimensions() -> None:
    content = {"dimensions": ["事实正确性", "tone"]}
    plain = judge(content, format="word", explain=False)
    verdict = read(plain, ANSWER, "事实正确性: 9\ntone: 3\nScore: 5")
    assert verdict == Score(value=5, low=1, high=10, parts={"事实正确性": 9.0, "tone": 3.0})
    for reply, reason in {
        "tone: 3\n事实正确性: 9\nscore: 5": "score not on the first line",
        "事实正确性: 9\ntone: 3": "score not on the first line",
        "事实正确性: 9\ntone: 3\nscore: 5\ntone: 4": "two scores",
        "9\n3\n5": "no score",
    }.items():
        assert read(plain, ANSWER, reply) == Unreadable(reason=reason)
    explaining = judge(content, format="word")
    code = asked_text(explaining, ANSWER).split("<<", 1)[1][:6]
    coded = f"Well.\n事实正确性 {code}: 9\ntone {code}: 3\nscore {code}: 5"
    assert read(explaining, ANSWER, coded) == verdict
    assert isinstance(read(explaining, ANSWER, coded.replace(code, "")), Unreadable)


def test_decimals() -> None:
    decimals = judge({"scale": (0, 1)}, decimals=True)
    assert rated(read(decimals, ANSWER, '{"reason": "r", "score": 0.25}')) == 0.25
    assert (
        rated(read(decimals, ANSWER, '{"reason": "r", "score": 1.5}')) == "a score outside 0 to 1"
    )
    assert "a number (decimals are fine) from 0 to 1" in asked_text(decimals, ANSWER)


def test_soft_scores_by_the_first_token() -> None:
    soft = judge({"scale": (1, 5)}, verdict="logprobs")
    top = (("4", math.log(0.5)), ("5", math.log(0.25)), ("1", math.log(0.25)))
    (request,), verdict = talk(soft, ANSWER, listing(*top))
    assert isinstance(request, ChatRequest)
    assert (request.logprobs, request.response_format) == (20, None)
    assert isinstance(verdict, Score)
    assert verdict.value == pytest.approx(3.5)
    assert (verdict.low, verdict.high, verdict.parts) == (1, 5, {})


def test_soft_scores_are_spelt_so_that_none_begins_another() -> None:
    soft = judge(verdict="logprobs")
    assert "written with 2 digits" in asked_text(soft, ANSWER)
    top = (("10", math.log(0.5)), ("08", math.log(0.5 - 1e-9)), ("1", math.log(1e-9)))
    verdict = talk(soft, ANSWER, listing(*top))[1]
    assert isinstance(verdict, Score)
    assert verdict.value == pytest.approx(9)
    one_digit_a_token = listing(("0", math.log(0.9)), ("1", math.log(0.1)))
    assert isinstance(talk(soft, ANSWER, one_digit_a_token)[1], Unreadable)


def test_soft_scores_by_likelihood() -> None:
    soft = judge(verdict="likelihood")
    scores = [-1000.0] * 10
    scores[6] = scores[8] = -3.0
    (request,), verdict = talk(soft, ANSWER, scoring(*scores))
    assert isinstance(request, ScoreRequest)
    assert request.candidates == tuple(f"{n:02d}" for n in range(1, 11))
    assert isinstance(verdict, Score)
    assert verdict.value == pytest.approx(8)
    assert isinstance(talk(soft, ANSWER, scoring(-1.0))[1], Unreadable)


def test_a_soft_score_stays_on_the_scale() -> None:
    """Of shares that add up to 1 + 1e-16, the mean is above the highest score."""
    whole = Scale(low=1, high=10)
    for least in (1e-16, 1.5e-16, 2e-16):
        assert whole.expected({"10": 1.0, "09": least}) == 10


def test_a_reference_is_shown() -> None:
    case = case_of("x", references=("Danube",), instructions="Mind the spelling.")
    text = asked_text(judge(), case)
    assert "reference begins>>\nDanube\n<<" in text
    assert "For this question in particular: Mind the spelling." in text


def test_a_long_answer_is_cut() -> None:
    asked = judge(max_answer_chars=4)
    assert "aa\n[… 6 characters left out …]\naa" in asked_text(asked, case_of("a" * 10))
    assert asked.max_answer_chars == 4


def test_the_identity_holds_what_changes_the_question_or_its_reading() -> None:
    def key(content: dict[str, Any] | None = None, **options: Any) -> bytes:
        return keys.judge_key(judge(content, **options).spec)

    variants = [
        key(),
        key({"rubric": "Short."}),
        key({"scale": (1, 5)}),
        key({"dimensions": ["tone"]}),
        key({"dimensions": ["tone"]}, overall="mean"),
        key(format="word"),
        key(explain=False),
        key(decimals=True),
        key(verdict="logprobs"),
        key(verdict="likelihood"),
        key(max_answer_chars=5),
    ]
    assert len(set(variants)) == len(variants)
    assert key({"scale": (1, 10), "dimensions": ()}) == key()
    assert judge().spec.official_prompt is False


@over_rows(
    ("content", "options", "message"),
    [
        ({"scale": (5, 1)}, {}, "a scale goes upwards, not from 5 to 1"),
        ({"scale": (0.5, 1)}, {}, "no whole numbers at its ends; .*'decimals: true'"),
        ({"dimensions": ["Score"]}, {}, "'Score' has the name of the whole"),
        ({"dimensions": ["a: b"]}, {}, "content: dimensions"),
        ({"dimensions": ["a", "a"]}, {}, "named twice: a"),
        ({}, {"verdict": "logprobs", "explain": True}, "without 'explain'"),
        ({}, {"verdict": "likelihood", "format": "json"}, "'format: json'"),
        ({"dimensions": ["tone"]}, {"verdict": "logprobs"}, "has the dimensions tone"),
        ({"scale": (1, 100)}, {"verdict": "logprobs"}, "at most 11 whole numbers"),
        ({"scale": (-2, 2)}, {"verdict": "likelihood"}, "from 0 upwards"),
        ({}, {"scale": [1, 5]}, "no key called 'scale'"),
    ],
)
def test_what_makes_no_sense(
    content: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        judge(content, **options)


SCALE = Scale(low=1, high=10)
ANY = st.text() | st.text(alphabet='score tone:.0123456789/*"{}\n')


@given(ANY)
def test_any_reply_is_read_or_given_a_reason(text: str) -> None:
    for names in (("score",), ("tone", "score")):
        for found in (
            ScoreLines(names=names, scale=SCALE).read(Reply(text=text)),
            ScoreLines(names=names, scale=SCALE, code="abc123").read(Reply(text=text)),
            read_scores_json(Reply(text=text), names, SCALE, explain=False),
        ):
            if isinstance(found, Unreadable):
                assert found.reason
            else:
                assert tuple(found) == names
                assert all(1 <= value <= 10 for value in found.values())


@given(st.floats() | st.integers())
def test_a_number_is_on_the_scale_or_none(number: float) -> None:
    found = read_scores_json(Reply(text=f'{{"score": {number}}}'), ("score",), SCALE, explain=False)
    on_scale = 1 <= number <= 10 and number == int(number)
    assert isinstance(found, Unreadable) != on_scale
