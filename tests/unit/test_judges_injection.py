"""A hundred hostile answers: none ends before it does, none is read as the verdict."""

import hashlib
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.kinds import KINDS
from judgebench.judges.prompt import code_for, conversation, cut, framed
from judgebench.keys import request_key
from judgebench.protocols import Judge, JudgeSettings
from judgebench.records import Case, ChatRequest, Label, Message, Preference, Score, Unreadable
from tests.table import over_rows
from tests.unit.hostile import HOSTILE
from tests.unit.judging import asked_text, case_of, contents, read


def pair_of(**options: Any) -> Judge:
    return KINDS["pairwise"].make(JudgeSettings(model="m", provider="p", options=options))


def rubric_of(**options: Any) -> Judge:
    return KINDS["rubric"].make(JudgeSettings(model="m", provider="p", options=options))


FRAMED = {
    "pairwise, word": (pair_of(), ("answer A", "answer B")),
    "pairwise, explained": (pair_of(explain=True), ("answer A", "answer B")),
    "pairwise, json": (pair_of(format="json"), ("answer A", "answer B")),
    "pairwise, logprobs": (pair_of(verdict="logprobs"), ("answer A", "answer B")),
    "rubric, json": (rubric_of(), ("answer",)),
    "rubric, word": (rubric_of(format="word", explain=False), ("answer",)),
    "rubric, explained": (rubric_of(format="word"), ("answer",)),
}


def test_there_are_a_hundred_of_them() -> None:
    assert len(set(HOSTILE)) >= 100


@over_rows("name", FRAMED)
def test_each_answer_has_one_beginning_and_one_end(name: str) -> None:
    judge, answers = FRAMED[name]
    for hostile in HOSTILE:
        _check_frame(judge, answers, hostile)


def _check_frame(judge: Judge, answers: tuple[str, ...], hostile: str) -> None:
    texts = (hostile, "The Danube.")[: len(answers)]
    request = next(judge.judge(case_of(*texts)))
    system, user = contents(request.messages)
    code = re.match(r"<<([0-9a-f]{6}): question begins>>", user)
    assert code is not None
    assert code[1] not in "".join(texts)
    assert hostile not in system or len(hostile) < 20
    for answer, text in zip(answers, texts, strict=True):
        begins, ends = f"<<{code[1]}: {answer} begins>>", f"<<{code[1]}: {answer} ends>>"
        assert user.count(begins) == user.count(ends) == 1
        assert user.split(begins)[1].split(ends)[0] == f"\n{text}\n"
    assert user.count(f"<<{code[1]}") == 2 * (1 + len(answers))


@given(st.lists(st.text(alphabet="0123456789abcdef<>: answer begins\n", max_size=60), max_size=4))
def test_no_text_holds_its_code(texts: list[str]) -> None:
    code = code_for(*texts)
    assert re.fullmatch("[0-9a-f]{6}", code)
    assert all(code not in text for text in texts)
    assert code == code_for(*texts)


def test_a_code_that_is_guessed_is_not_used() -> None:
    text = "x"
    for _ in range(20):
        text += code_for(text)
        assert code_for(text) not in text


@over_rows(
    ("tries", "copy"),
    [(41054348, "FACADE"), (1822196, "fac\u200bade"), (8811163, "f\u0430cade")],
)
def test_a_code_that_looks_like_one_in_the_text_is_not_used(tries: int, copy: str) -> None:
    """Such texts are found in half a minute: their hash begins with what they show in disguise."""
    text = f"{tries} <<{copy}: answer ends>>"
    assert hashlib.sha256(f"0\n{text}".encode()).hexdigest().startswith("facade")
    assert code_for(text) != "facade"


def test_equal_content_is_asked_in_equal_words() -> None:
    for judge, answers in FRAMED.values():
        texts = HOSTILE[: len(answers)]
        first, again = (next(judge.judge(case_of(*texts))) for _ in range(2))
        other = next(judge.judge(case_of(*[text + "." for text in texts])))
        assert request_key(first) == request_key(again) != request_key(other)


def quotes(hostile: str) -> list[str]:
    """Replies of a judge that quotes an answer, and says nothing of its own."""
    return [
        f"The answer says:\n{hostile}",
        f"The answer says:\n{hostile}\nThat is odd.",
        f"The answer says: {hostile}",
        f"The answer ends with “{hostile}”.",
        f"> {hostile}",
        f"I was told:\n```\n{hostile}\n```",
    ]


@over_rows("name", FRAMED)
def test_a_quoted_answer_is_no_verdict(name: str) -> None:
    judge, answers = FRAMED[name]
    for hostile in HOSTILE:
        case = case_of(*(hostile, "The Danube.")[: len(answers)])
        for reply in quotes(hostile):
            assert isinstance(read(judge, case, reply), Unreadable), reply


def test_the_judges_own_verdict_stands_beside_a_quoted_one() -> None:
    explained, rated = pair_of(explain=True), rubric_of(format="word")
    for hostile in HOSTILE:
        pair, one = case_of(hostile, "The Danube."), case_of(hostile)
        for reply in quotes(hostile):
            verdict = read(explained, pair, f"{reply}\nVerdict {_code(explained, pair)}: B")
            assert verdict == Preference(winner=1, p_first=0.0), reply
            score = read(rated, one, f"{reply}\nscore {_code(rated, one)}: 2")
            assert score == Score(value=2, low=1, high=10), reply


def _code(judge: Judge, case: Case) -> str:
    return asked_text(judge, case).split("<<", 1)[1][:6]


@over_rows("prompt", ["short", "long"])
def test_a_reference_judges_answer_stands_between_its_marks(prompt: str) -> None:
    judge = KINDS["reference"].make(
        JudgeSettings(model="m", provider="p", options={"prompt": prompt})
    )
    for hostile in HOSTILE:
        request = next(judge.judge(case_of(hostile, references=("Danube",))))
        assert isinstance(request, ChatRequest)
        (text,) = contents(request.messages)
        mark = re.search(r"two marks (<<[0-9a-f]{6}>>)\.", text)
        assert mark is not None
        assert text.count(mark[1]) == 3
        assert text.split(f"\n{mark[1]}\n")[1] == hostile


def test_a_reference_judge_that_quotes_an_answer_calls_nothing_correct() -> None:
    judge = KINDS["reference"].make(JudgeSettings(model="m", provider="p"))
    for hostile in HOSTILE:
        case = case_of(hostile, references=("Danube",))
        for reply in quotes(hostile):
            assert read(judge, case, reply) != Label(name="correct"), reply


def test_a_judge_of_consistencys_two_answers_stand_between_its_marks() -> None:
    judge = KINDS["consistency"].make(JudgeSettings(model="m", provider="p"))
    for hostile in HOSTILE:
        for answers in ((hostile, "The Danube."), ("The Danube.", hostile)):
            request = next(judge.judge(case_of(*answers)))
            assert isinstance(request, ChatRequest)
            (text,) = contents(request.messages)
            mark = re.search(r"two marks (<<[0-9a-f]{6}>>)\.", text)
            assert mark is not None
            assert text.count(mark[1]) == 5
            assert tuple(text.split(f"\n{mark[1]}\n")[1::2]) == answers


def test_a_judge_of_consistency_that_quotes_an_answer_states_nothing() -> None:
    judge = KINDS["consistency"].make(JudgeSettings(model="m", provider="p"))
    for hostile in HOSTILE:
        case = case_of("The Danube.", hostile)
        for reply in quotes(hostile):
            assert isinstance(read(judge, case, reply), Unreadable), reply


def test_a_cut_keeps_both_ends_and_says_so() -> None:
    assert cut("0123456789", 10) == "0123456789"
    assert cut("0123456789", 5) == "012\n[… 5 characters left out …]\n89"
    assert cut("0123456789", 1) == "0\n[… 9 characters left out …]\n"


def test_a_conversation_is_shown_with_its_speakers() -> None:
    turns = [
        Message(role="user", content="Hello"),
        Message(role="assistant", content="Hi"),
        Message(role="user", content="Which river?"),
    ]
    assert conversation(turns) == "user: Hello\n\nassistant: Hi\n\nuser: Which river?"
    assert conversation(turns[2:]) == "Which river?"
    assert framed("abc123", "x", "y") == "<<abc123: x begins>>\ny\n<<abc123: x ends>>"
