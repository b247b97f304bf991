"""``exact_match`` and ``contains``: what is overlooked, and what is not."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import ConfigError
from judgebench.judges.lexical import KINDS, Normalisation, contains, exact_match
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, Item, Label, Message, Response, Unreadable, Verdict
from tests.table import over_rows

MINI = Path(__file__).parents[2] / "tasks" / "trivia_judging_mini"


def case(answer: str, *references: str) -> Case:
    turns = (Message(role="user", content="Which?"),)
    item = Item(benchmark="b", version="1", id="0", turns=turns, references=references)
    response = Response(
        benchmark="b", version="1", item_id="0", model_key=b"m", text=answer, raw=answer
    )
    return Case(item=item, responses=(response,))


def verdict(judge: Any, asked: Case) -> Verdict:
    dialogue = judge.judge(asked)
    with pytest.raises(StopIteration) as end:
        next(dialogue)
    found: Verdict = end.value.value
    return found


@over_rows(
    ("answer", "options", "exact", "contained"),
    [
        ("Paris", {}, True, True),
        ("  pARIS \n", {}, True, True),
        ("paris", {"case": "sensitive"}, False, False),
        ("It is Paris.", {}, False, True),
        ("Paris.", {}, False, True),
        ("Paris.", {"punctuation": "drop"}, True, True),
        ("the  Paris", {"articles": "drop"}, True, True),
        (" Paris", {"whitespace": "keep"}, False, True),
        ("London", {}, False, False),
        ("", {}, False, False),
        (" \n", {}, False, False),
    ],
)
def test_normalisation(answer: str, options: dict[str, str], exact: bool, contained: bool) -> None:
    name = {True: "correct", False: "incorrect"}
    for kind, right in (("exact_match", exact), ("contains", contained)):
        judge = KINDS[kind].make(JudgeSettings(options=options))
        assert verdict(judge, case(answer, "Paris")) == Label(name=name[right])
        assert judge.spec.options == Normalisation(**options).model_dump(exclude_none=True)


def test_an_accent_is_one_character_or_two() -> None:
    assert exact_match("Sa\u0303o Tome\u0301", ["São Tomé"])
    assert exact_match("STRASSE", ["Straße"])


@over_rows(
    ("language", "options", "right"),
    [
        ("zh", {}, True),
        ("ja-JP", {}, True),
        ("en", {}, False),
        ("en", {"width": "fold"}, True),
        ("zh", {"width": "keep"}, False),
    ],
)
def test_full_width_is_another_way_to_type_in_chinese(
    language: str, options: dict[str, str], right: bool
) -> None:
    asked = case("ＧＤＰ是２０％。", "GDP是20%。")
    asked = replace(asked, item=replace(asked.item, language=language))
    for kind in ("exact_match", "contains"):
        said = verdict(KINDS[kind].make(JudgeSettings(options=options)), asked)
        assert said == Label(name="correct" if right else "incorrect")


def test_chinese_has_no_word_boundaries() -> None:
    asked = case("答案是北京市。", "北京")
    asked = replace(asked, item=replace(asked.item, language="zh"))
    assert verdict(KINDS["contains"].make(JudgeSettings()), asked) == Label(name="correct")


def test_a_run_of_marks_takes_no_longer_than_text() -> None:
    began = time.process_time()
    assert not exact_match("e" + "\u0301\u0327" * 200_000, ["é"])
    assert time.process_time() - began < 5  # minutes, were it the square


def test_a_blank_reference_is_contained_in_nothing() -> None:
    assert verdict(
        KINDS["contains"].make(JudgeSettings()), case("anything", "", " ", "Rome")
    ) == Label(name="incorrect")
    assert verdict(
        KINDS["contains"].make(JudgeSettings()), case("anything", "", " ")
    ) == Unreadable(reason="the item has no reference to compare with")


def test_what_a_benchmark_offers_to_judges_that_read_is_overlooked() -> None:
    offered = {"prompts": {}, "content": {"rubric": "Be brief."}, "reasoning": None}
    judge = KINDS["contains"].make(JudgeSettings(**offered))
    assert judge.spec == KINDS["contains"].make(JudgeSettings()).spec
    assert judge.max_answer_chars is None


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="asks no model; remove reasoning"):
        KINDS["contains"].make(JudgeSettings(reasoning="high"))
    with pytest.raises(ConfigError, match="asks no model; remove model"):
        KINDS["contains"].make(JudgeSettings(model="gpt", options={}))
    with pytest.raises(ConfigError, match="did you mean 'case'"):
        KINDS["exact_match"].make(JudgeSettings(options={"cases": "sensitive"}))
    with pytest.raises(ConfigError, match="options: case"):
        KINDS["exact_match"].make(JudgeSettings(options={"case": "maybe"}))


@given(st.text(), st.lists(st.text()), st.builds(Normalisation))
def test_an_exact_match_is_contained(
    answer: str, references: list[str], normalisation: Normalisation
) -> None:
    if exact_match(answer, references, normalisation):
        assert contains(answer, references, normalisation)


def test_the_mini_set_counts_as_its_readme_says() -> None:
    rows = [json.loads(line) for line in (MINI / "items.jsonl").read_text().split("\n") if line]
    references = {row["id"]: row["references"] for row in rows}
    answers = [json.loads(li) for li in (MINI / "answers.jsonl").read_text().split("\n") if li]
    counts = [
        sum(matches(row["text"], references[row["item_id"]]) for row in answers)
        for matches in (exact_match, contains)
    ]
    readme = (MINI / "README.md").read_text()
    assert f"| exact match | {counts[0]} |" in readme
    assert f"| contains | {counts[1]} |" in readme
