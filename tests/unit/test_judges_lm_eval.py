"""A metric of an lm-eval task as a judge: what it asks of the task, and how values are read."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from judgebench import keys, registry
from judgebench.benchmarks.own_prompts import OwnPrompts
from judgebench.config import BenchmarkConfig
from judgebench.errors import ConfigError
from judgebench.execution.resolve import JudgeAssignment, ResolvedBenchmark
from judgebench.judges.numbers import NumberJudge
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    Item,
    Message,
    Reply,
    Response,
    Score,
    ScoreRequest,
    Unreadable,
    Verdict,
)
from tests.table import over_rows


def judge(metric: str, **options: object) -> NumberJudge:
    settings = JudgeSettings(model=metric, provider="sums@2+abc", options=options)
    made = registry.load("judges", "lm_eval").make(settings)
    assert isinstance(made, NumberJudge)
    return made


ITEM = Item(benchmark="sums", version="2", id="7", turns=(Message(role="user", content="2 + 2?"),))


def shown(raw: str, *, reasoning: str | None = None) -> Case:
    """What the judge sees of the answer 4, where this was generated."""
    section = BenchmarkConfig(name="sums", lm_eval_task="sums")
    its = OwnPrompts(name="sums", path=Path("sums.jsonl"), questions=())
    assignment = JudgeAssignment(
        name="lm_eval/exact_match",
        asked=ResolvedBenchmark(config=section, benchmark=its, items=(ITEM,), every_item=(ITEM,)),
        judge=judge("exact_match,none"),
        key=b"j",
    )
    answer = Response(
        benchmark="sums",
        version="2",
        item_id="7",
        model_key=b"m",
        text="4",
        raw=raw,
        reasoning=reasoning,
    )
    return assignment.case(ITEM, [answer])


def asked(
    metric: str, *scores: float, reasoning: str | None = None
) -> tuple[ScoreRequest, Verdict]:
    """The question about an answer, and what is read from these scores."""
    dialogue = judge(metric).judge(shown(" 4", reasoning=reasoning))
    question = next(dialogue)
    assert isinstance(question, ScoreRequest)
    with pytest.raises(StopIteration) as end:
        dialogue.send(Reply(text="", scores=scores))
    return question, end.value.value


def test_the_task_is_asked_about_the_answer_as_it_was_generated() -> None:
    question, verdict = asked("exact_match,none", 1.0)
    assert (question.provider, question.model) == ("sums@2+abc", "exact_match,none")
    assert [message.content for message in question.messages] == ["2 + 2?", " 4"]
    assert question.extra == {"item": "7"}
    assert verdict == Score(value=1.0, low=0.0, high=1.0)


def test_what_was_thought_aloud_is_no_part_of_the_answer() -> None:
    question, _ = asked("exact_match,none", 1.0, reasoning="2 and 2, hm.")
    assert question.messages[-1].content == "4"


def test_answers_that_differ_by_outer_white_space_alone_have_a_verdict_each() -> None:
    plain, *others = (keys.case_key(shown(raw)) for raw in ("4", " 4", "4\n"))
    assert len({plain, *others}) == 3
    # One without any is known by the key that it had, so that nobody is asked anew.
    answer = replace(shown("4").responses[0], raw="whatever")
    assert plain == keys.case_key(Case(item=ITEM, responses=(answer,)))
    assert keys.case_key(shown("hm.</think> 4", reasoning="hm.")) == plain


@over_rows(("metric", "value"), [("length,none", 0.5), ("exact_match,none", 3.0)])
def test_what_is_no_share_has_a_scale_without_ends(metric: str, value: float) -> None:
    assert asked(metric, value)[1] == Score(value=value, low=-math.inf, high=math.inf)


def test_what_is_no_number_is_unreadable() -> None:
    verdict = asked("exact_match,none")[1]
    assert isinstance(verdict, Unreadable)
    assert "no number" in verdict.reason


def test_it_has_no_options() -> None:
    with pytest.raises(ConfigError, match="no key called 'scale'"):
        judge("exact_match,none", scale=[1, 2])
