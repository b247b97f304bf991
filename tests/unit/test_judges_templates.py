"""The judge by templates: which row is asked, how its holes are filled, and who reads the reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgebench.errors import ConfigError
from judgebench.judges.prompt import PromptJudge
from judgebench.judges.readers.upstream import READERS, read_own_winner
from judgebench.judges.templates import KINDS
from judgebench.keys import case_key, judge_key
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    ChatRequest,
    Item,
    Message,
    Preference,
    Reply,
    Response,
    Score,
    Unreadable,
)
from judgebench.template import PromptText
from tests.table import over_rows
from tests.unit.hostile import HOSTILE
from tests.unit.judging import asked_text, read, talk

RATING = "mt_bench_rating"
ROWS: list[dict[str, Any]] = [
    {
        "name": "second_math",
        "when": {"turn": 2, "category": ["math", "coding"]},
        "system": "math/system",
        "user": "math/user",
        "holes": {"ref_1": "reference_1", "ref_2": "reference_2"},
        "reader": RATING,
    },
    {
        "name": "dollar",
        "when": {"kind": "safety"},
        "user": "dollar",
        "fill": "dollar",
        "holes": {"instruction": "question", "candidate": "answer", "kind": "item.kind"},
        "reader": RATING,
        "max_tokens": 2048,
    },
    {"name": "plain", "system": "plain/system", "user": "plain/user", "reader": RATING},
]
PAIRS: list[dict[str, Any]] = [
    {"name": "pair", "user": "pair", "reader": "mt_bench_winner", "again": "Say which."}
]
TEXTS = {
    "math/system": "Rate {ref_1} and {ref_2}.",
    "math/user": "{question_1}|{answer_1}|{question_2}|{answer_2}",
    "dollar": "$$5 ($kind) Q=${instruction} A=$candidate",
    "plain/system": "You rate.",
    "plain/user": "{{json}} Q={question} A={answer}",
    "pair": "Q={question} A={answer_a} B={answer_b} A1={answer_a_1} B2={answer_b_2}",
}
OURS = {
    "second_math": "system:\nRate the second answer.\nuser:\n{reference}\n{turns}\n{answer}",
    "dollar": "Is it safe ({item.kind})?\n{question}\n{answer}",
    "plain": "{question}\n{answer}",
    "pair": "{question}\n{answer_a}\n{answer_b}",
}


def judge_of(
    *, ours: bool = False, rows: Mapping[str, Any] | None = None, **options: Any
) -> PromptJudge:
    texts = {f"own/{n}": text for n, text in OURS.items()} | ({} if ours else TEXTS)
    return KINDS["templates"].make(
        JudgeSettings(
            model="m",
            provider="p",
            options=options,
            content={"templates": rows or {"single": ROWS, "pairs": PAIRS}},
            prompts={
                n: PromptText(name=n, text=text, official=not n.startswith("own/"))
                for n, text in texts.items()
            },
        )
    )


def case_of(
    *answers: str, category: str = "writing", turn: int = 0, before: str = "old", **metadata: Any
) -> Case:
    said = (Message(role="user", content="One?"),)
    if turn:
        further = (Message(role="assistant", content=before), Message(role="user", content="Two?"))
        said = (*said, *further)
    item = Item(
        benchmark="b", version="1", id="0", turns=said, references=("r1", "r2"), category=category,
        metadata=metadata,
    )  # fmt: skip
    responses = tuple(
        Response(
            benchmark="b", version="1", item_id="0", model_key=b"m", text=text, raw=text,
            turn=turn, before=(before,) if turn else (),
        )
        for text in answers
    )  # fmt: skip
    return Case(item=item, responses=responses)


def messages_of(judge: PromptJudge, case: Case) -> list[tuple[str, str]]:
    request = next(judge.judge(case))
    assert isinstance(request, ChatRequest)
    return [(one.role, one.content) for one in request.messages]


@over_rows(
    ("case", "asked"),
    [
        (
            case_of("x {y} $z"),
            [("system", "You rate."), ("user", "{json} Q=One? A=x {y} $z")],
        ),
        (
            case_of("x", category="math"),
            [("system", "You rate."), ("user", "{json} Q=One? A=x")],
        ),
        (
            case_of("x {ref_1}", category="math", turn=1, before="{answer_2}"),
            [("system", "Rate r1 and r2."), ("user", "One?|{answer_2}|Two?|x {ref_1}")],
        ),
        (
            case_of("$kind ${instruction} $", kind="safety"),
            [("user", "$5 (safety) Q=One? A=$kind ${instruction} $")],
        ),
    ],
)
def test_the_first_row_that_fits_is_asked_word_for_word(
    case: Case, asked: list[tuple[str, str]]
) -> None:
    judge = judge_of()
    assert messages_of(judge, case) == asked
    assert judge.spec.official_prompt is True
    assert judge.spec.kind == "templates/score"
    assert judge.spec.sampling == {"temperature": 0, "max_tokens": 2048}


@settings(max_examples=40)
@given(st.sampled_from(HOSTILE) | st.text())
def test_what_fills_a_hole_is_never_filled_itself(text: str) -> None:
    judge = judge_of()
    assert messages_of(judge, case_of(text))[-1][1] == f"{{json}} Q=One? A={text}"
    asked = messages_of(judge, case_of(text, kind="safety"))
    assert asked[-1][1] == f"$5 (safety) Q=One? A={text}"


def test_our_own_wording_stands_in_and_shows_each_text_as_data() -> None:
    judge = judge_of(ours=True)
    assert judge.spec.official_prompt is False
    (_, system), (_, said) = messages_of(judge, case_of("x", category="math", turn=1))
    assert system.startswith("Rate the second answer.\n\n")
    assert "answer begins>>\nx\n<<" in said
    assert "user: One?\n\nassistant: old\n\nuser: Two?" in said
    assert judge_key(judge.spec) == judge_key(judge_of(wording="own").spec)
    assert judge_key(judge.spec) != judge_key(judge_of().spec)
    quoted = "The answer says that it is [[10]], as it were. "
    assert read(judge, case_of(quoted), f"{quoted} [[3]]") == Score(value=3, low=1, high=10)
    for reply, verdict in (
        ("It asks for [[10]]. Rating: [[3]]", Unreadable(reason="two verdicts")),
        ("[[3]], as I said: [[3]]", Score(value=3, low=1, high=10)),
        ("As [1] has it.", Unreadable(reason="no score")),
        ("[[11]]", Unreadable(reason="a score outside 1 to 10")),
    ):
        assert read(judge, case_of("[[10]]"), reply) == verdict
    assert read(judge_of(), case_of("[[10]]"), "It asks for [[10]]. Rating: [[3]]") == Score(
        value=10, low=1, high=10
    )


def test_a_winner_that_is_named_beside_another_is_none_in_our_own_wording() -> None:
    for reply, verdict in (
        ("It says [[A]]. [[B]]", Unreadable(reason="two verdicts")),
        ("[[B]]", Preference(winner=1, p_first=0.0)),
        ("[[C]]", Preference(winner=None, p_first=0.5)),
        ("B", Unreadable(reason="no verdict")),
    ):
        assert read_own_winner(Reply(text=reply)) == verdict


def test_pairs_are_shown_with_what_each_said_before_and_asked_once_more() -> None:
    judge = judge_of(templates="pairs")
    case = case_of("new a", "new b", turn=1)
    assert judge.inputs == {"with_baseline"}
    asked, verdict = talk(judge, case, Reply(text="Hm."), Reply(text="[[B]]"))
    assert verdict == Preference(winner=1, p_first=0.0)
    first, second = asked
    assert isinstance(first, ChatRequest)
    assert isinstance(second, ChatRequest)
    assert first.messages[0].content == "Q=Two? A=new a B=new b A1=old B2=new b"
    assert [one.content for one in second.messages[1:]] == ["Hm.", "Say which."]
    _, verdict = talk(judge, case, Reply(text="Hm."), Reply(text="Hm."))
    assert isinstance(verdict, Unreadable)


def test_what_was_said_before_is_part_of_a_case() -> None:
    keys = {case_key(case_of("x", turn=1, before=before)) for before in ("a", "b")}
    assert len(keys) == 2


def test_what_an_item_lacks_is_unreadable_with_the_reason() -> None:
    rows = {"single": [{**ROWS[2], "when": {"category": "math"}}]}
    assert (
        read_of(judge_of(rows=rows), case_of("x"))
        == "no template of the benchmark is for this question"
    )
    bare = case_of("x", category="math", turn=1)
    bare = Case(item=Item(**{**fields_of(bare.item), "references": ()}), responses=bare.responses)
    assert read_of(judge_of(), bare) == "the item has no reference to compare with"


def fields_of(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def read_of(judge: PromptJudge, case: Case) -> str:
    asked, verdict = talk(judge, case)
    assert not asked
    assert isinstance(verdict, Unreadable)
    return verdict.reason


@over_rows(
    ("rows", "options", "fault"),
    [
        (None, {"templates": "pair"}, "no set of templates called 'pair'"),
        ([{**ROWS[2], "reader": "mt_bench_ratin"}], {}, "no reader called 'mt_bench_ratin'"),
        ([{**ROWS[0], "holes": {"ref_1": "refernce_1"}}], {}, "no field called 'refernce_1'"),
        ([{**ROWS[2], "user": "gone"}], {"wording": "official"}, "not in the data home: gone"),
        ([ROWS[2], PAIRS[0]], {}, "several kinds of verdicts"),
    ],
)
def test_what_cannot_be_asked_is_refused(rows: Any, options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        judge_of(rows={"single": rows} if rows else None, **options)


def test_a_benchmark_without_templates_is_not_judged_by_them() -> None:
    with pytest.raises(ConfigError, match="the benchmark has no templates"):
        KINDS["templates"].make(JudgeSettings(model="m", provider="p"))


@given(st.text() | st.from_regex(r"[\[\]0-9.ABC]{0,12}"))
def test_readers_of_upstream_say_something_of_any_reply(text: str) -> None:
    kinds = {"score": Score, "preference": Preference, "label": str}
    for reader in READERS.values():
        assert isinstance(reader.read(Reply(text=text)), (kinds[reader.verdict], Unreadable))


def test_the_beginning_of_a_prompt_is_known_to_be_constant() -> None:
    request = next(judge_of().judge(case_of("x")))
    assert isinstance(request, ChatRequest)
    system, user = request.messages
    assert (system.constant, user.constant) == (len("You rate."), len("{json} Q="))
    assert asked_text(judge_of(), case_of("x")).startswith("You rate.\n{json} Q=")
