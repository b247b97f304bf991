"""MixEval's rule for free answers, with what it gets wrong: it is kept for comparison."""

import math

from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.option_letters import parts, states
from tests.table import over_rows


@over_rows(
    ("answer", "found"),
    [
        ("So it is 42", {42.0}),
        ("x = 1/2", {"1/2", 1.0, 2.0}),
        ("x = 1\nthe end", {"x = 1\nthe end", 1.0}),
        ("It is 12.\nTherefore 1,250 of them", {12.0, "1,250 of them", 1250.0, 250.0}),
        ("the result is -3.14159", {-3.14}),
        ("is 1.5e3 or 2E-2", {"1.5e3 or 2e-2", 1500.0, 0.02, 1.0, 3.0, -2.0}),
        ("The answer is :", {"the answer is :"}),
        ("", {""}),
        ("so ", {"so"}),
        ("so A", {" a", "a "}),
    ],
)
def test_what_of_an_answer_is_compared(answer: str, found: set[str | float]) -> None:
    assert parts(answer) == found


def test_it_takes_more_for_stated_than_is() -> None:
    assert states("I do not know", ["No"])
    assert states("Zambian", ["Zambia"])
    assert not states("three", ["3"])
    assert not states("The final answer: London", ["Paris"])


pieces = st.sampled_from(
    ["so ", "is ", "answer ", "=", "1", "2,", "345", ".", "e", "-", "\n", "x", "nan", "_", "٣", ":"]
)
answers = st.one_of(st.text(), st.lists(pieces, max_size=16).map("".join))


@given(answers, st.lists(st.text(), max_size=4))
def test_any_answer_is_compared(answer: str, references: list[str]) -> None:
    """With each reference by itself, and by nothing but its own words and numbers."""
    assert states(answer, references) == any(states(answer, [one]) for one in references)
    assert not states(answer, [])
    said = answer.strip().strip(".").lower()
    for part in parts(answer):
        if isinstance(part, str):
            assert part.strip() in said
        else:
            assert math.isnan(part) or part == round(part, 2)


@given(st.text(st.characters(categories=["Ll"]), min_size=2), st.text(st.sampled_from("bcdfgh")))
def test_a_text_in_the_tail_is_stated(reference: str, before: str) -> None:
    reference = reference.lower().strip()
    if len(reference) > 1 and reference not in ("inf", "nan", "infinity"):
        assert states(f"{before} is {reference}", [reference])
