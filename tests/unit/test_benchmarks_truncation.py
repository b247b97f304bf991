"""Where an answer ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.benchmarks.description import MODES, truncate
from judgebench.errors import ConfigError
from tests.table import over_rows

RUN_ON = " The Danube, I say.\nIt is long.\n\nQ: And the next?\nA: Rhine\nQuestion: one more"


@over_rows(
    ("mode", "judged"),
    [
        ("at_next_question", "The Danube, I say.\nIt is long."),
        ("at_question_word", RUN_ON.partition("\nQuestion:")[0].strip()),
        ("first_line", "The Danube, I say."),
        ("lm_eval", "danube"),
        ("at_next_example", RUN_ON),
        ("none", RUN_ON),
    ],
)
def test_modes(mode: str, judged: str) -> None:
    assert truncate(RUN_ON, mode) == judged


def test_a_question_at_the_very_start_is_no_next_question() -> None:
    assert truncate("Q: what?", "at_next_question") == "Q: what?"
    assert truncate("\nQ: what?", "at_next_question") == ""


@given(st.text(), st.sampled_from(sorted(set(MODES) - {"lm_eval"})), st.booleans())
def test_nothing_is_added_and_cutting_twice_changes_nothing(
    text: str, mode: str, chooses: bool
) -> None:
    once = truncate(text, mode, chooses=chooses)
    assert once in text
    assert truncate(once, mode, chooses=chooses) == once


def test_a_choice_may_end_elsewhere_than_a_free_answer() -> None:
    text = "B\n\nWhich next?\n\n\nQuestion: and then?"
    assert truncate(text, "at_next_example") == "B\n\nWhich next?"
    assert truncate(text, "at_next_example", chooses=True) == "B"
    assert truncate(text, "first_line", chooses=True) == "B"


def test_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="did you mean 'first_line'"):
        truncate("", "firstline")
