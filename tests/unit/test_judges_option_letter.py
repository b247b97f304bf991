"""Which option an answer chooses, by rule: both rules, and upstream's against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.option_letters import (
    NO_OPTION,
    Rule,
    chosen_option,
)
from judgebench.records import Label, Verdict
from tests.table import over_rows

OPTIONS = ["a likely cause", "a rare cause", "no cause at all", "all of these"]
RULES: list[Rule] = ["upstream", "rescue"]


def name(verdict: Verdict) -> str | None:
    if isinstance(verdict, Label):
        return verdict.name
    assert verdict == NO_OPTION
    return None


@over_rows(
    ("answer", "upstream", "rescued"),
    [
        ("A", "A", "A"),
        ("**D.** because", None, "D"),
        ("**D**", None, "D"),
        ("**(D)** all of these", "D", "D"),
        ("B, since …", None, "B"),
        ("[B]", None, "B"),
        ("C) no cause at all", None, "C"),
        ("`C`", None, "C"),
        ("c", None, "C"),
        ("(c).", None, "C"),
        ("Option: **C** is best", None, "C"),
        ("The correct answer is **C**.", None, "C"),
        ("So the best answer is: [C]", None, "C"),
        ("**Answer:** B", "B", "B"),
        ("Answer: (B) a rare cause", "B", "B"),
        ("D: unlike (A), it covers all", "A", "D"),
        ("**D.** rather than a rare cause, I would think", "B", "D"),
        ("**B.** A rare cause", "A", "B"),
        ("**A** is wrong, so it is D", "D", "D"),
        ("A) isn't it", None, None),
        ("A: Not likely", None, None),
        ("A's claim", None, None),
        ("A.D. 1066", None, None),
        ("A, B and C", "B", "B"),
        ("A) or B)", None, None),
        ("A or B?", "A", "A"),
        ("C++ is a language", None, None),
        ("E. none", None, None),
        ("a claim", None, None),
        ("", None, None),
        ("I would say that there is no cause at all", "C", "C"),
        ("is no cause at all", None, None),
    ],
)
def test_answers(answer: str, upstream: str | None, rescued: str | None) -> None:
    assert name(chosen_option(answer, OPTIONS, rule="upstream")) == upstream
    assert name(chosen_option(answer, OPTIONS)) == rescued


def by_definition(answer: str, options: list[str]) -> str | None:
    """Upstream's rule as it is described: every place of every shape, and the earliest of all."""
    for mark in (",", ".", "!", "?", ";", ":", "'"):
        answer = answer.strip(mark)
    answer = f" {answer} "
    places = []
    for letter in "ABCDEFGHIJ"[: len(options)]:
        shapes = [before + letter + dot + after for before in " \n" for dot in ("", ".")
                  for after in " \n"]  # fmt: skip
        shapes += [f"({letter})", f"**{letter} ", f" {letter}**", f"**{letter}. ", f" {letter}.**"]
        assert len(shapes) == 13
        places += [(answer.index(shape), letter) for shape in shapes if shape in answer]
    if not places and len(answer.split()) > 5:
        lower = answer.lower()
        for letter, text in zip("ABCDEFGHIJ", options, strict=False):
            if text.lower() in lower:
                places.append((lower.index(text.lower()), letter))
    return min(places)[1] if places else None


pieces = st.sampled_from(
    [*"ABCDabI .,!?;:'*()[]\n", "**", ". ", " the ", "cause", "a likely cause", "İ", "ﬁ"]
)
answers = st.one_of(st.text(), st.lists(pieces, max_size=16).map("".join))
some_options = st.lists(
    st.one_of(st.sampled_from(["", "cause", "A", "(A) the", "a likely cause"]), st.text()),
    min_size=1,
    max_size=10,
)


@given(answers, some_options)
def test_upstreams_rule_is_its_definition(answer: str, options: list[str]) -> None:
    assert name(chosen_option(answer, options, rule="upstream")) == by_definition(answer, options)


@given(answers, some_options)
def test_any_answer_names_an_option_or_none(answer: str, options: list[str]) -> None:
    found = name(chosen_option(answer, options))
    assert found is None or found in "ABCDEFGHIJ"[: len(options)]
    if found is None:
        assert name(chosen_option(answer, options, rule="upstream")) is None


def test_there_have_to_be_options() -> None:
    with pytest.raises(ValueError, match="options have letters"):
        chosen_option("A", [])
