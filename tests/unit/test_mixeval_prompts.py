"""How MixEval's questions are put, in our wording; official texts are in the gold tests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.benchmarks.description import judged_part
from judgebench.benchmarks.task_folder import (
    OWN,
    STEP_BY_STEP,
    Split,
    free_form_prompt,
    multiple_choice_prompt,
)
from judgebench.judges.kinds import (
    free_form_placeholders,
    multiple_choice_placeholders,
)
from judgebench.template import lettered, letters
from tests.table import over_rows


def test_a_question_with_options() -> None:
    prompt = multiple_choice_prompt("Is it wet?", ["Yes", "No"], context="Rain.")
    assert prompt == f"Rain.\nIs it wet?\nA. Yes\nB. No\n{OWN.multiple_choice}"


def test_a_question_without_options() -> None:
    asked = free_form_prompt("Which river?", context=None, dataset="TriviaQA")
    assert asked == f"Question: Which river?\n{OWN.free_form}"
    with_text = free_form_prompt("Which river?", context="On Vienna.", dataset="DROP")
    assert with_text == f"Question: On Vienna.\nWhich river?\n{OWN.free_form}"


@over_rows("dataset", STEP_BY_STEP)
def test_what_has_to_be_thought_through(dataset: str) -> None:
    asked = free_form_prompt("2 + 2?", context=None, dataset=dataset)
    assert asked.endswith(OWN.by_dataset[dataset])


@over_rows("context", [None, "", "   ", "none", "None", "NULL"])
def test_what_is_no_context(context: str | None) -> None:
    asked = free_form_prompt("Which river?", context=context, dataset="DROP")
    assert asked == f"Question: Which river?\n{OWN.free_form}"


@given(st.text(), st.text(), st.lists(st.text(), min_size=1, max_size=10))
def test_whatever_a_question_holds_stays_what_it_is(
    question: str, context: str, options: list[str]
) -> None:
    prompt = multiple_choice_prompt(question, options, context=context)
    assert prompt.endswith(f"{question}\n{lettered(options)}\n{OWN.multiple_choice}")
    placeholders = multiple_choice_placeholders(question, options, context)
    assert (placeholders["prompt"], placeholders["response"]) == (question, context)


def test_a_hole_in_a_question_is_text() -> None:
    asked = free_form_prompt("{instruction} {question}", context="{question}", dataset="BBH")
    assert asked.startswith("Question: {question}\n{instruction} {question}\n")


def test_accepted_answers_are_numbered() -> None:
    placeholders = free_form_placeholders("Which?", ["Danube", "Donau"], "the Rhine")
    assert placeholders["gold_ans"] == "<answer 1> Danube; <answer 2> Donau"


@over_rows("n", [0, 27])
def test_letters_end(n: int) -> None:
    with pytest.raises(ValueError, match="options have letters"):
        letters(n)


@over_rows(
    ("split", "reply", "part"),
    [
        ("multiple-choice", "B\n\nWhat next?\nA. one", "B"),
        ("multiple-choice", "\n\nWhat next?", "\n\nWhat next?"),
        ("multiple-choice", "...\n\nB", "...\n\nB"),
        ("free-form", "Step 1\n\nStep 2\n\n\nQuestion: next", "Step 1\n\nStep 2"),
        ("free-form", "\n\n\nQuestion: next", "\n\n\nQuestion: next"),
        ("free-form", "多瑙河\n\n\nQuestion: next", "多瑙河"),
        ("free-form", "42", "42"),
    ],
)
def test_the_part_of_a_base_models_reply_that_is_judged(
    split: Split, reply: str, part: str
) -> None:
    assert judged_part(reply, split=split) == part
