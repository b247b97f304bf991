"""Reading a confidence that a model states: strictly, and as upstream does."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.scores import (
    read_verbal_confidence,
    read_verbal_confidence_upstream,
)
from judgebench.records import Reply, Score, Unreadable
from tests.table import over_rows


def upstream(text: str) -> float:
    read = read_verbal_confidence_upstream(Reply(text=text))
    assert isinstance(read, Score)
    return read.value


GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "honestybench"

# Likely pieces and any text at all, so that some hold a confidence.
replies = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                "0.8",
                "1",
                "0",
                ".5",
                "-",
                "%",
                "score",
                "is",
                ":",
                "/1",
                "to",
                "\n",
                "**",
                "０．７",
                "1.2.3",
            ]
        ),
        max_size=6,
    ).map("".join),
)


def shown(text: str) -> float | str:
    read = read_verbal_confidence(Reply(text=text, finish_reason="stop"))
    match read:
        case Score(value=value, low=0.0, high=1.0):
            return value
        case Unreadable(reason=reason):
            return reason
    raise AssertionError(read)


@over_rows(
    ("reply", "read"),
    [
        ("0.85", 0.85),
        (" 1\n", 1.0),
        ("0", 0.0),
        (".5", 0.5),
        ("**0.9**.", 0.9),
        ("[[0.8]]", 0.8),
        ("［［０．８］］", 0.8),
        ("０．８。", 0.8),
        ("- 0.5", 0.5),
        ("0.85/1", 0.85),
        ("0.85 out of 1.0", 0.85),
        ("Score: 0.8", 0.8),
        ("**Confidence score:** 0.8", 0.8),
        ("My confidence is 0.7.", 0.7),
        ("On a scale from 0 to 1, I would give a score of 0.9.", 0.9),
        ("I know this one.\n\n0.9", 0.9),
        ("0.9\n\nI know this one.", 0.9),
        ("0.9\n0.90", 0.9),
        ("", "empty reply"),
        ("I am quite sure.", "no score"),
        ("a number between 0 and 1", "no score"),
        ("很高", "no score"),
        ("٠.٥", "no score"),
        ("nan", "no score"),
        ("85%", "a percentage"),
        ("0.85 percent", "a percentage"),
        ("８５％", "a percentage"),
        ("1.5", "a score outside 0 to 1"),
        ("100", "a score outside 0 to 1"),
        ("-0.5", "a score outside 0 to 1"),
        ("Score: −0.5", "a score outside 0 to 1"),
        ("0,8", "digits that are no decimal number"),
        ("1.2.3", "digits that are no decimal number"),
        ("8/10", "more than one number"),
        ("0.8-0.9", "more than one number"),
        ("0.8, or rather 0.3", "more than one number"),
        ("Score: 0.8\n\nIt was 1969.", "more than one number"),
        ("The river is 0.8 km long.", "a number that is not stated as the score"),
        ("There is 1 answer.", "a number that is not stated as the score"),
        ("My confidence is not 0.8", "a number that is not stated as the score"),
        ("Is my confidence 0.8?", "a number that is not stated as the score"),
    ],
)
def test_replies_in_words(reply: str, read: float | str) -> None:
    assert shown(reply) == read


@over_rows(
    ("text", "read"),
    [
        ("0.85", 0.85),
        ("0.85/1", 1.0),
        ("between 0 and 1: 0.3", 0.3),
        ("0.3, between 0 and 1", 1.0),
        ("1.5", 0.5),
        ("100", 0.0),
        ("10", 0.0),
        ("score .7", 0.0),  # no word boundary stands before the point
        ("v.7", 0.7),
        ("85%", 0.0),
        ("sure", 0.0),
        ("", 0.0),
    ],
)
def test_texts_as_upstream_reads_them(text: str, read: float) -> None:
    assert upstream(text) == read


@pytest.mark.skipif(
    not (GOLD / "label_cases.json").exists(),
    reason="the gold data (../shared/gold/honestybench beside the repository) is not here",
)
def test_every_case_of_the_gold() -> None:
    cases = json.loads((GOLD / "label_cases.json").read_text())
    scores = [case for case in cases if case["fn"] == "verbal_score"]
    assert len(scores) == 4
    for case in scores:
        assert upstream(case["in"]) == case["out"], case


@given(replies, st.sampled_from([None, "stop", "length", "content_filter"]))
def test_any_reply_is_read_or_said_to_be_unreadable(text: str, finish_reason: str | None) -> None:
    read = read_verbal_confidence(Reply(text=text, finish_reason=finish_reason))
    assert 0.0 <= upstream(text) <= 1.0
    if isinstance(read, Score):
        assert finish_reason in (None, "stop")
        assert 0.0 <= read.value <= 1.0
    else:
        assert read.reason


@given(st.integers(0, 1000), st.sampled_from(["{}", "Score: {}", "**{}**", "[[{}]]", "{}/1"]))
def test_a_plain_confidence_is_read_by_both(thousandths: int, form: str) -> None:
    spelt = f"{thousandths / 1000:.3f}"
    assert shown(form.format(spelt)) == float(spelt)
    if form != "{}/1":
        assert upstream(form.format(spelt)) == float(spelt)
