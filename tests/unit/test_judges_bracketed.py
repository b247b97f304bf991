"""Verdicts in double brackets: what is read, what is not and why, strictly and as upstream."""

import re

from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.brackets import read_graded_score, read_option
from judgebench.records import Label, Reply, Score, Unreadable, Verdict
from tests.table import over_rows

NONE = "(no verdict in double brackets)"
TWO = "(two verdicts)"
OUTSIDE = "(a score outside 0 to 1)"
SINGLE = "(verdict in single brackets)"
WIDE = "(verdict in full-width brackets, digits or letters)"
NO_NUMBER = "(no plain number in the brackets)"
NO_LETTER = "(no single capital letter in the brackets)"
FAILS = "(a number that upstream fails on)"


def shown(verdict: Verdict) -> float | str:
    match verdict:
        case Score(value=value, low=0, high=1):
            return value
        case Label(name=name):
            return name
        case Unreadable(reason=reason):
            return f"({reason})"
    raise AssertionError(verdict)


@over_rows(
    ("reply", "strict", "upstream"),
    [
        ("The correctness score: [[0.5]].", 0.5, 0.5),
        ("[[1]]", 1.0, 1.0),
        ("[[0.85]]", 0.85, 0.85),
        ("[[ 0.5 ]]", 0.5, NONE),
        ("[[0.8]] … as I said, [[0.80]]", 0.8, 0.8),
        ("[[1.0]], it claims. [[0.0]]", TWO, 1.0),
        ("[[0.8]] or [[0.8/1.0]]", TWO, 0.8),
        ("In the form [[score]]: [[0.8]]", 0.8, 0.8),
        ("[[[0.3]]]", 0.3, 0.3),
        ("[0.7]", SINGLE, 0.7),
        ("[[0.8]", SINGLE, 0.8),
        ("[[0.8", NONE, NONE),
        ("score 0.8", NONE, NONE),
        ("[[.5]]", NO_NUMBER, NONE),
        ("[[1.]]", NO_NUMBER, 1.0),
        ("[[0.8/1.0]]", NO_NUMBER, NONE),
        ("[[0,8]]", NO_NUMBER, NONE),
        ("[[8]]", OUTSIDE, OUTSIDE),
        ("[[1.01]]", OUTSIDE, OUTSIDE),
        ("[[-0.1]]", OUTSIDE, NONE),
        ("[[nan]]", NO_NUMBER, NONE),
        ("［［０．８］］", WIDE, NONE),
        ("［［0.8］］", WIDE, NONE),
        ("[[０．８]]", WIDE, NONE),
        ("[[０.８]]", WIDE, FAILS),
        ("【【0.8】】", WIDE, NONE),
        ("[[0.8]] ［［０．２］］", TWO, 0.8),
        ("[[0.8]] ［［０．８］］", 0.8, 0.8),
        ("[[٠.٨]]", NO_NUMBER, FAILS),
        ("[[08]]", OUTSIDE, FAILS),
        ("{'score': 0.8}", NONE, NONE),
        ('{"score": [[0.8]]}', 0.8, 0.8),
        ("得分：[[0.8]]。", 0.8, 0.8),
        ("", "(empty reply)", NONE),
        ("[[A]]", NO_NUMBER, NONE),
    ],
)
def test_scores(reply: str, strict: float | str, upstream: float | str) -> None:
    assert shown(read_graded_score(Reply(text=reply))) == strict
    assert shown(read_graded_score(Reply(text=reply), upstream=True)) == upstream


@over_rows(
    ("reply", "strict", "upstream"),
    [
        ("The option chosen by the model: [[A]].", "A", "A"),
        ("[[ D ]]", "D", NONE),
        ("[[A]] … so [[A]]", "A", "A"),
        ("[[A]], not [[B]]", TWO, "A"),
        ("[[A]] or [[b]]", TWO, "A"),
        ("Asked for an [[option letter]]: [[C]]", "C", "C"),
        ("[[b]]", NO_LETTER, NONE),
        ("[[AB]]", NO_LETTER, NONE),
        ("[[A, B]]", NO_LETTER, NONE),
        ("[[A or B]], perhaps [[A]]", TWO, "A"),
        ("[B]", SINGLE, "B"),
        ("[[J]]", "(a letter that is no option)", "J"),
        ("[[Ａ]]", WIDE, NONE),
        ("［［Ａ］］", WIDE, NONE),
        ("B", NONE, NONE),
        ("[[0.5]]", NO_LETTER, NONE),
        (" ", "(empty reply)", NONE),
    ],
)
def test_options(reply: str, strict: str, upstream: str) -> None:
    assert shown(read_option(Reply(text=reply), 4)) == strict
    assert shown(read_option(Reply(text=reply), 4, upstream=True)) == upstream


@over_rows(("reason", "said"), [("length", "truncated"), ("refusal", "refused")])
@over_rows("upstream", [False, True])
def test_what_is_no_whole_reply_states_nothing(reason: str, said: str, upstream: bool) -> None:
    score, option = (Reply(text=text, finish_reason=reason) for text in ("[[0.5]]", "[[A]]"))
    assert read_graded_score(score, upstream=upstream) == Unreadable(reason=said)
    assert read_option(option, 4, upstream=upstream) == Unreadable(reason=said)


pieces = st.sampled_from([*"[]0158.AbJ０［］【】 ", "[[", "]]", "[[0.5]]", "[[A]]", "½", "\n"])
replies = st.one_of(st.text(), st.lists(pieces, max_size=14).map("".join))


@given(replies)
def test_any_reply_has_a_verdict_or_is_unreadable(text: str) -> None:
    reply = Reply(text=text)
    for upstream in (False, True):
        score = read_graded_score(reply, upstream=upstream)
        assert isinstance(score, Unreadable) or (
            isinstance(score, Score) and 0 <= score.value <= 1 and (score.low, score.high) == (0, 1)
        )
        option = read_option(reply, 4, upstream=upstream)
        assert isinstance(option, Unreadable | Label)
        assert upstream or isinstance(option, Unreadable) or option.name in "ABCD"


@given(replies)
def test_upstreams_score_is_the_first_in_brackets(text: str) -> None:
    """Its two expressions as the benchmark describes them."""
    found = re.search(r"\[\[(\d+\.?\d*)\]\]", text) or re.search(r"\[(\d+\.?\d*)\]", text)
    verdict = read_graded_score(Reply(text=text), upstream=True)
    if isinstance(verdict, Score):
        assert found is not None
        assert float(found[1]) == verdict.value
    else:
        assert found is None or shown(verdict) in (OUTSIDE, FAILS)
