"""The reward judge: one number an answer, and a preference by their difference."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench import keys
from judgebench.errors import ConfigError
from judgebench.judges.numbers import KINDS, NumberJudge, preferred
from judgebench.protocols import JudgeSettings
from judgebench.records import Preference, Reply, Score, ScoreRequest, Unreadable
from tests.table import over_rows
from tests.unit.judging import QUESTION, case_of, scoring, talk


def judge(**options: Any) -> NumberJudge:
    return KINDS["reward"].make(JudgeSettings(model="rm", provider="p", options=options))


def test_an_answers_score_has_no_ends() -> None:
    (request,), verdict = talk(judge(), case_of("The Danube"), scoring(-2.5))
    assert isinstance(request, ScoreRequest)
    assert request.candidates == ()
    assert [(m.role, m.content) for m in request.messages] == [
        ("user", QUESTION),
        ("assistant", "The Danube"),
    ]
    assert verdict == Score(value=-2.5, low=-math.inf, high=math.inf)


def test_two_answers_are_scored_one_by_one() -> None:
    asked, verdict = talk(judge(), case_of("a", "b"), scoring(1.0), scoring(1.0 - math.log(3)))
    assert [request.messages[-1].content for request in asked] == ["a", "b"]
    assert verdict == Preference(winner=0, p_first=pytest.approx(0.75))
    assert talk(judge(), case_of("a", "b"), scoring(2), scoring(2))[1] == Preference(
        winner=None, p_first=0.5
    )
    assert talk(judge(), case_of("a", "b"), scoring(1), scoring(2))[1].winner == 1  # type: ignore[union-attr]


@over_rows(
    "reply", [Reply(text="5"), scoring(), scoring(1.0, 2.0), scoring(math.nan), scoring(math.inf)]
)
def test_what_is_not_one_number_is_unreadable(reply: Reply) -> None:
    reason = Unreadable(reason="not one finite number, as was asked for")
    assert talk(judge(), case_of("a"), reply)[1] == reason
    assert talk(judge(), case_of("a", "b"), scoring(1.0), reply)[1] == reason


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_turning_a_pair_round_turns_the_preference_round(first: float, second: float) -> None:
    there, back = preferred(first, second), preferred(second, first)
    assert there.p_first == pytest.approx(1 - back.p_first)
    assert 0 <= there.p_first <= 1
    assert (there.winner is None) == (first == second)
    assert there.winner is None or there.winner != back.winner


def test_a_long_answer_is_cut() -> None:
    (request,), _ = talk(judge(max_answer_chars=4), case_of("a" * 10), scoring(1.0))
    assert request.messages[-1].content == "aa\n[… 6 characters left out …]\naa"
    assert judge().max_answer_chars == 20_000


def test_the_identity() -> None:
    assert keys.judge_key(judge().spec) != keys.judge_key(judge(max_answer_chars=9).spec)
    assert judge().spec.prompt_sha is None
    assert judge().spec.official_prompt is None
    assert judge().spec.model == "rm"


def test_what_makes_no_sense() -> None:
    with pytest.raises(ConfigError, match="give its 'provider' and 'model'"):
        KINDS["reward"].make(JudgeSettings(model="rm"))
    with pytest.raises(ConfigError, match="samples nothing; remove sampling"):
        KINDS["reward"].make(JudgeSettings(model="rm", provider="p", sampling={"temperature": 0}))
    with pytest.raises(ConfigError, match="no key called 'prompt'"):
        judge(prompt="long")
