"""What is taken for a model's answer, and when there is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from judgebench.records import NOT_SAID, ResponseStatus
from judgebench.workers.backends import Generated
from judgebench.workers.final_answer import FinalAnswer, cut_at, read_answer
from tests.table import over_rows

PROMPT = "<|user|>Which river?<|assistant|>"


def read(
    raw: str, finish: str | None = "stop", *, prompt: str = PROMPT, end: str | None = None
) -> FinalAnswer:
    return read_answer(Generated(raw=raw, finish_reason=finish), prompt=prompt, think_end=end)


@over_rows(
    ("raw", "finish", "text", "reasoning", "status"),
    [
        (" The Danube.\n", "stop", "The Danube.", None, "ok"),
        ("The Danube is a", "length", "The Danube is a", None, "truncated"),
        ("The Danube", None, "The Danube", None, "ok"),
        (" \n", "stop", "", None, "empty"),
        ("", "length", "", None, "empty"),
        ("<think>Rhine? No.</think>\n\nDanube", "stop", "Danube", "Rhine? No.", "ok"),
        ("<think></think>Danube", "length", "Danube", "", "truncated"),
        ("<think>Rhine?</think> \n", "stop", "", "Rhine?", "empty"),
        ("<think>Rhine? No, the", "length", "", "Rhine? No, the", "no_final_answer"),
        ("\n<think>Rhine?", "stop", "", "Rhine?", "no_final_answer"),
        ("so it is.</think>Danube", "stop", "Danube", "so it is.", "ok"),
        ("<think>a</think>b<think>c</think>d", "stop", "d", "a</think>b<think>c", "ok"),
        ("<think>a</think>\n<think>b", "stop", "", "a</think>\n<think>b", "no_final_answer"),
        ("Models write <think> first.", "stop", "Models write <think> first.", None, "ok"),
    ],
)
def test_reasoning_and_status(
    raw: str, finish: str | None, text: str, reasoning: str | None, status: ResponseStatus
) -> None:
    assert read(raw, finish) == FinalAnswer(text=text, reasoning=reasoning, status=status)


def test_a_template_may_open_the_reasoning() -> None:
    opened = PROMPT + "<think>\n"
    assert read("Rhine? No.</think>Danube", prompt=opened).text == "Danube"
    cut = read("Rhine? No, the Danube is", "length", prompt=opened)
    assert (cut.status, cut.text) == ("no_final_answer", "")


def test_another_end_of_reasoning() -> None:
    end = "<|channel|>final<|message|>"
    raw = f"<|channel|>analysis<|message|>Rhine?<|end|>{end}Danube"
    answer = read(raw, end=end)
    assert (answer.text, answer.status) == ("Danube", "ok")
    assert answer.reasoning is not None
    assert "Rhine?" in answer.reasoning
    assert read("<|channel|>analysis<|message|>Rhi", "length", end=end).status == "no_final_answer"
    assert read("Danube", "stop", end=end).text == "Danube"


def test_stops_cut_the_answer_and_leave_the_reasoning() -> None:
    generated = Generated(
        raw="<think>One.\n\nTwo.</think>\nDanube\n\nQ: next", finish_reason="stop"
    )
    answer = read_answer(generated, prompt=PROMPT, think_end="</think>", stops=["\n\nQ:"])
    assert (answer.text, answer.reasoning) == ("Danube", "One.\n\nTwo.")


def test_the_first_stop_counts_whatever_its_place_in_the_list() -> None:
    assert cut_at("a. b\nc", ["\n", "."]) == "a"
    assert cut_at("a", []) == "a"
    assert cut_at("a", [""]) == "a"


@given(st.text(), st.sampled_from(["stop", "length", None]))
def test_any_text_is_read_and_no_reasoning_is_judged(raw: str, finish: str | None) -> None:
    answer = read(raw, finish)
    assert (answer.text == "") == (answer.status in {"empty", "no_final_answer"})
    assert "</think>" not in answer.text


@over_rows(
    ("ended", "status"),
    [("stop", "ok"), ("length", "truncated"), ("abort", "end_unknown"), (NOT_SAID, "end_unknown"),
     (None, "ok")],
)  # fmt: skip
def test_an_answer_is_whole_where_somebody_says_so(ended: str | None, status: str) -> None:
    """None: a file, where nobody was to say it."""
    found = read_answer(Generated(raw="The Danube.", finish_reason=ended), prompt="")
    assert (found.text, found.status) == ("The Danube.", status)
