"""Reading a verdict: what is read, what is not, and that nothing makes the reader fall over."""

import json

from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.json import read_choice
from judgebench.judges.readers.words import VERDICTS, read_upstream, read_word
from judgebench.records import Label, Reply, Unreadable, Verdict
from tests.table import over_rows


def read_json(reply: Reply) -> Verdict:
    return read_choice(reply, "verdict", VERDICTS, explain=False)


def words(text: str, **settings: bool) -> str:
    return shown(read_word(Reply(text=text, finish_reason="stop"), **settings))


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
        ("correct", "correct"),
        ("Incorrect", "incorrect"),
        (" CORRECT.\n", "correct"),
        ('"correct"', "correct"),
        ("**Incorrect**", "incorrect"),
        ("**Correct.**", "correct"),
        ("`correct`", "correct"),
        ("[[incorrect]]", "incorrect"),
        ("- correct", "correct"),
        ("Verdict: **correct**", "correct"),
        ("The answer is incorrect.", "incorrect"),
        ("Evaluation: correct", "correct"),
        ("incorrect because it names another river", "incorrect"),
        ("Correct. It names the Danube.", "correct"),
        ("Correct - same river", "correct"),
        ("Incorrect. The correct answer is Bonn.", "incorrect"),
        ("correct\n\nThe answer matches.", "correct"),
        ("", "(empty reply)"),
        (" \n", "(empty reply)"),
        ("Yes", "(no verdict)"),
        ("The answer names the Danube", "(no verdict)"),
        ("correctly answered", "(no verdict)"),
        ("uncorrectable", "(no verdict)"),
        ("correct answer: Paris", "(no verdict)"),
        ("Correct: no", "(no verdict)"),
        ("correct?", "(no verdict)"),
        ("correct/incorrect", "(two verdicts)"),
        ("correct or incorrect", "(two verdicts)"),
        ("Correct. No, incorrect.", "(two verdicts)"),
        ("Correct, since no answer is incorrect", "(two verdicts)"),
        ('Incorrect. It says "correct" itself', "(two verdicts)"),
        ("not correct", "(negated verdict)"),
        ("The answer is not correct", "(negated verdict)"),
        ("The answer isn't correct", "(negated verdict)"),
        ("in-correct", "(negated verdict)"),
        ("in correct", "(negated verdict)"),
        ("!correct", "(negated verdict)"),
        ("not incorrect", "(negated verdict)"),
        ("Correct. Or rather not correct", "(negated verdict)"),
        ("maybe correct", "(hedged)"),
        ("Probably incorrect", "(hedged)"),
        ("partially correct", "(hedged)"),
        ("Correct, I think", "(hedged)"),
        ("Correct, maybe", "(hedged)"),
        ("Correct, if one believes the answer", "(hedged)"),
        ("Correct... or wrong", "(hedged)"),
        ('"Correct!" it says. That is wrong.', "(a quoted verdict)"),
        ("“Correct.” is what the answer claims", "(a quoted verdict)"),
        ("**'Correct'** — so the answer says", "(a quoted verdict)"),
        ('"correct" because it names the Danube', "correct"),
        ('"Correct."\n\nIt names the Danube.', "correct"),
        ("'Correct. It names the Danube.'", "correct"),
        ("Correct\n\nWait, that is wrong.", "(a verdict that may have been taken back)"),
        ("Correct — no, false.", "(a verdict that may have been taken back)"),
        ("Incorrect. Sorry, it is right.", "(a verdict that may have been taken back)"),
        ("Incorrect. The right answer is actually Bonn.", "incorrect"),
        ("Correct, although the first name is wrong", "correct"),
        ("Let me see. It is the same river, so: correct", "(verdict not at the start)"),
        ("Is it correct", "(verdict not at the start)"),
    ],
)
def test_replies_in_words(reply: str, read: str) -> None:
    assert words(reply) == read


def test_a_reply_cut_short_states_nothing() -> None:
    cut = Reply(text="correct", finish_reason="length")
    assert read_word(cut) == Unreadable(reason="truncated")
    assert read_json(cut) == Unreadable(reason="truncated")


def test_maybe_is_read_only_if_asked_for() -> None:
    assert words("maybe correct", accept_maybe=True) == "correct"
    assert words("Maybe incorrect.", accept_maybe=True) == "incorrect"
    assert words("probably correct", accept_maybe=True) == "(hedged)"


@over_rows(
    ("reply", "read"),
    [
        ("Correct answer: Paris", "correct"),
        (" maybe incorrect", "incorrect"),
        ("incorrectly", "incorrect"),
        ("The answer is correct", "(no verdict)"),
        ("", "(no verdict)"),
    ],
)
def test_upstreams_reader_looks_at_the_beginning_alone(reply: str, read: str) -> None:
    assert shown(read_upstream(Reply(text=reply))) == read
    expected = "incorrect" if read.startswith("(") else read
    assert shown(read_upstream(Reply(text=reply), unparsed_is_incorrect=True)) == expected


@over_rows(
    ("reply", "read"),
    [
        ('{"verdict": "correct"}', "correct"),
        (' {"verdict":"incorrect"}\n', "incorrect"),
        ('{"verdict": "correct", "verdict": "incorrect"}', "(two verdicts)"),
        (
            '{"verdict": "Correct"}',
            "(not the JSON that was asked for: 'verdict' is none of correct, incorrect)",
        ),
        (
            '{"verdict": ["correct"]}',
            "(not the JSON that was asked for: 'verdict' is none of correct, incorrect)",
        ),
        (
            '{"verdict": "correct", "why": ""}',
            "(not the JSON that was asked for: 'why' was not asked for)",
        ),
        ("{}", "(not the JSON that was asked for: no 'verdict')"),
        ('["correct"]', "(not one JSON object)"),
        ("correct", "(not one JSON object)"),
        ('{"verdict": "correct"} {"verdict": "correct"}', "(not one JSON object)"),
        ('{"verdict": "corr', "(not one JSON object)"),
        ("[" * 100_000, "(not one JSON object)"),
        ("9" * 5_000, "(not one JSON object)"),
        ("", "(empty reply)"),
    ],
)
def test_replies_in_json(reply: str, read: str) -> None:
    assert shown(read_json(Reply(text=reply))) == read


ANY = (
    st.text()
    | st.text(alphabet="correctin maybe.!*\"'\n{}[]:")
    | st.from_regex(r"(?i)(not |maybe |the answer is |\*\*)?(in)?correct(ly|\.|\?| or incorrect)?")
)


@given(ANY)
def test_any_reply_is_read_or_given_a_reason(text: str) -> None:
    for verdict in (
        read_word(Reply(text=text)),
        read_word(Reply(text=text), accept_maybe=True),
        read_upstream(Reply(text=text)),
        read_json(Reply(text=text)),
    ):
        assert isinstance(verdict, Label | Unreadable)
        if isinstance(verdict, Label):
            assert verdict.name in {"correct", "incorrect"}
            assert verdict.name in text.lower()
        else:
            assert verdict.reason


@given(st.text())
def test_correct_is_never_read_where_incorrect_stands(text: str) -> None:
    for reply in (f"incorrect {text}", f"{text} incorrect", f"Correct. {text} incorrect"):
        assert read_word(Reply(text=reply)) != Label(name="correct")


@given(st.text(), st.integers(0, 3))
def test_only_the_object_itself_is_a_json_verdict(text: str, where: int) -> None:
    pieces = ["{", json.dumps("verdict"), ":", '"correct"}']
    pieces.insert(where + 1, text)
    if text.strip():
        assert read_json(Reply(text="".join(pieces))) != Label(name="incorrect")


def test_the_right_answer_is_named_only_beside_a_verdict_of_incorrect() -> None:
    """There "the correct answer" is no verdict. Elsewhere both words stand, and state two."""
    assert words("Incorrect. The correct answer is Bonn.") == "incorrect"
    assert words("The correct answer is Bonn, so it is incorrect.") == "(two verdicts)"
