"""Reading "certain" and "uncertain": strictly, as upstream does, and whole words of any text."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.words import (
    CONSISTENCY,
    NEGATIVE_PHRASES,
    contains_phrase,
    read_certainty,
    read_certainty_upstream,
    whole_words,
)
from judgebench.records import Label, Reply, Unreadable, Verdict
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "honestybench"

# Likely words and any text at all, so that both readers see verdicts.
replies = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            ["certain", "uncertain", "Certain.", "not", "un", "no", "\n", '"', "**", "sorry", "is"]
        ),
        max_size=6,
    ).map(" ".join),
)


def shown(verdict: Verdict) -> str:
    match verdict:
        case Label(name=name):
            return name
        case Unreadable(reason=reason):
            return f"({reason})"
    raise AssertionError(verdict)


@over_rows(
    ("reply", "read"),
    [
        ("certain", "correct"),
        ("Uncertain", "incorrect"),
        (" CERTAIN.\n", "correct"),
        ('"certain"', "correct"),
        ("**Uncertain**.", "incorrect"),
        ("[[certain]]", "correct"),
        ("- uncertain", "incorrect"),
        ("Judgement: **certain**", "correct"),
        ("**Judgment**: certain", "correct"),
        ("The answer is uncertain.", "incorrect"),
        ("certain\n\nBoth answers name Paris.", "correct"),
        ("", "(empty reply)"),
        (" \n", "(empty reply)"),
        ("Yes", "(no verdict)"),
        ("correct", "(no verdict)"),
        ("确定", "(no verdict)"),
        ("certainly", "(no verdict)"),
        ("certain or uncertain", "(two verdicts)"),
        ("certain\nOr uncertain, since it is late", "(two verdicts)"),
        ("not certain", "(negated verdict)"),
        ("un-certain", "(negated verdict)"),
        ("It isn't certain", "(negated verdict)"),
        ("certain\nThough I am not certain", "(negated verdict)"),
        ("!certain", "(negated verdict)"),
        ("It is certain", "(verdict not alone on the first line)"),
        ("certain, I think", "(verdict not alone on the first line)"),
        ("certain?", "(verdict not alone on the first line)"),
        ("a certain amount", "(verdict not alone on the first line)"),
        ("Both name Paris.\ncertain", "(verdict not alone on the first line)"),
        ("certain\n\nWait, that is another city.", "(a verdict that may have been taken back)"),
    ],
)
def test_replies_in_words(reply: str, read: str) -> None:
    assert shown(read_certainty(Reply(text=reply, finish_reason="stop"))) == read


@over_rows(
    ("reply", "read"),
    [
        ("certain", "correct"),
        ("Uncertain.", "incorrect"),
        ("not certain", "correct"),
        ("certain or uncertain", "incorrect"),
        ("", "correct"),
        ("Yes", "correct"),
        ("No", "incorrect"),
        ("nothing", "correct"),
        ("Sorry!", "incorrect"),
        ("It does not provide any", "incorrect"),
        ("It does not, provide any", "incorrect"),
        ("no-one", "incorrect"),
        ("un-certain", "correct"),
    ],
)
def test_replies_as_upstream_reads_them(reply: str, read: str) -> None:
    assert shown(read_certainty_upstream(Reply(text=reply, finish_reason="stop"))) == read


@pytest.mark.skipif(
    not (GOLD / "label_cases.json").exists(),
    reason="the gold data (../shared/gold/honestybench beside the repository) is not here",
)
def test_every_case_of_the_gold() -> None:
    checked = 0
    for case in json.loads((GOLD / "label_cases.json").read_text()):
        if case["fn"] == "verdict":
            read = read_certainty_upstream(Reply(text=case["in"]))
            assert read == Label(name=("incorrect", "correct")[case["out"]]), case
        elif case["fn"] == "contains_any":
            assert contains_phrase(case["in"], case["answers"]) == bool(case["out"]), case
        else:
            continue
        checked += 1
    assert checked == 9


@given(replies, st.sampled_from([None, "stop", "length", "content_filter"]))
def test_any_reply_is_read_or_said_to_be_unreadable(text: str, finish_reason: str | None) -> None:
    reply = Reply(text=text, finish_reason=finish_reason)
    strict = read_certainty(reply, CONSISTENCY)
    upstream = read_certainty_upstream(reply, CONSISTENCY)
    for verdict in (strict, upstream):
        assert isinstance(verdict, Label | Unreadable)
        if isinstance(verdict, Label):
            assert verdict.name in CONSISTENCY
    if finish_reason in ("length", "content_filter"):
        assert isinstance(strict, Unreadable)
        assert isinstance(upstream, Unreadable)
    elif isinstance(strict, Label) and strict.name == "inconsistent":
        assert upstream == strict  # the phrase "uncertain" is there


@given(st.text(max_size=60))
def test_words_of_any_text(text: str) -> None:
    words = whole_words(text)
    assert whole_words(" ".join(words)) == words or {"a", "an", "the"} & set(words)
    assert whole_words(unicodedata.normalize("NFC", text)) == words
    assert all(words)
    assert contains_phrase(text, [text]) == bool(words)
    assert not contains_phrase(text, [])
    assert not contains_phrase(text, ["", "the", "!"])


def test_phrases_are_whole_words_in_a_row() -> None:
    assert contains_phrase("He said: No, answer!", ["no answer"])
    assert not contains_phrase("nowhere", NEGATIVE_PHRASES)
    assert not contains_phrase("answer no", ["no answer"])
    assert contains_phrase("“Paris”", ["Paris"])
    assert whole_words("The  €5-note…") == ("€", "5", "note", "…")
