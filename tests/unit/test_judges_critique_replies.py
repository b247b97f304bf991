"""What CritiqueLLM writes, as meant and as its own scripts read it. The replies are our own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.dictionaries import (
    COMPARISONS,
    read_critique_comparison,
    read_ratings,
)
from judgebench.judges.readers.upstream import read_upstream_comparison, read_upstream_score
from judgebench.records import Preference, Reply, Score, Unreadable, Verdict
from tests.table import over_rows


def upstream_score(text: str) -> float:
    """As upstream's script says it: 5 for what it cannot read."""
    verdict = read_upstream_score(Reply(text=text))
    return verdict.value if isinstance(verdict, Score) else 5.0


def upstream_comparison(text: str) -> int:
    """As upstream's script says it: 0 for the first, 1 for the second, 2 for a tie, or -1."""
    verdict = read_upstream_comparison(Reply(text=text))
    known = list(COMPARISONS.values())
    return known.index(verdict) if isinstance(verdict, Preference) else -1


POINTWISE = (
    "与参考答案相比，助手的回答说对了河名，但没有说明支流。\n事实正确性：8分。\n清晰度：9分。\n"
    "综上，{'事实正确性': 8, '清晰度': 9, '综合得分': 7}"
)
PAIRWISE = "助手1答对了，助手2把年份写错了，因此助手1更好。\n{'综合比较结果': '助手1'}"


def shown(verdict: Verdict) -> object:
    match verdict:
        case Score(value=value):
            return value
        case Preference(winner=winner):
            return {0: "first", 1: "second", None: "tie"}[winner]
        case Unreadable(reason=reason):
            return reason
    return None


@over_rows(
    ("text", "score", "upstream"),
    [
        (POINTWISE, 7.0, 7.0),
        ("综合得分: 7", 7.0, 7.0),
        ("综合得分：7.5", 7.5, 7.5),
        ('{"综合得分": 7}', 7.0, 5.0),
        ("{'综合得分':7}", 7.0, 5.0),
        ("{'综合得分': 10}", 10.0, 10.0),
        ("{'综合得分': 10.5}", "a score outside 1 to 10", 10.0),
        ("{'综合得分': 11}", "a score outside 1 to 10", 1.0),
        ("{'综合得分': 100}", "a score outside 1 to 10", 10.0),
        ("{'综合得分': 0}", "a score outside 1 to 10", 0.0),
        ("{'综合得分': 0.5}", "a score outside 1 to 10", 0.0),
        ("综合得分：3\n{'综合得分': 7}", "two verdicts", 7.0),
        ("综合得分：3；综合得分: 4", "two verdicts", 4.0),
        ("无法评价。", "no score", 5.0),
        ("", "empty reply", 5.0),
    ],
)
def test_scores(text: str, score: float | str, upstream: float) -> None:
    assert shown(read_ratings(Reply(text=text))) == score
    assert upstream_score(text) == upstream


@over_rows(
    ("text", "verdict", "upstream"),
    [
        (PAIRWISE, "first", 0),
        ("{'综合比较结果': '助手2'}", "second", 1),
        ("{'综合比较结果': '质量相当'}", "tie", 2),
        ('{"综合比较结果": "助手2"}', "second", -1),
        ("｛“综合比较结果”：“助手２”｝", "second", -1),
        ("{'综合比较结果':\n'助手1'}", "first", -1),
        ("综合比较结果：助手1", "first", -1),
        ("综合比较结果：助手1\n{'综合比较结果': '助手1'}", "first", 0),
        ("{'综合比较结果': '助手2'} {'综合比较结果': '助手1'}", "two verdicts", 0),
        ("综合比较结果：助手2\n{'综合比较结果': '助手1'}", "two verdicts", 0),
        ("{'综合比较结果': '助手3'}", "a verdict that was not asked for", -1),
        ("{'综合比较结果': '助手12'}", "a verdict that was not asked for", -1),
        ("综合比较结果：助手12", "no verdict", -1),
        ("{'综合比较结果': '助手1", "half a dictionary", -1),
        ("{'综合比较结果': '助手1'}\n不对，助手2", "a verdict that may have been taken back", 0),
        ("Assistant 1 is better.", "another language", -1),
        ("助手1更好。", "no verdict", -1),
        ("", "empty reply", -1),
    ],
)  # fmt: skip
def test_comparisons(text: str, verdict: str, upstream: int) -> None:
    assert shown(read_critique_comparison(Reply(text=text))) == verdict
    assert upstream_comparison(text) == upstream


def test_refused_and_cut_off_replies_are_not_read() -> None:
    for finish, reason in {"length": "truncated", "refusal": "refused"}.items():
        for text, reader in (
            (POINTWISE, read_ratings),
            (PAIRWISE, read_critique_comparison),
        ):
            assert reader(Reply(text=text, finish_reason=finish)) == Unreadable(reason=reason)


PIECES = st.lists(
    st.sampled_from(
        [*"{}',:：. \n017٧", "'综合得分': ", "综合得分：", "综合比较结果", "'综合比较结果': ",
         "'助手1'", "助手2", "质量相当", "{'综合比较结果': '助手1'}", "10", "不对"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@given(st.text() | PIECES)
def test_any_text_has_a_verdict_or_a_reason(text: str) -> None:
    verdict = shown(read_ratings(Reply(text=text)))
    assert verdict and (isinstance(verdict, str) or 1 <= verdict <= 10)
    assert shown(read_critique_comparison(Reply(text=text)))
    assert 0 <= upstream_score(text) <= 10
    assert upstream_comparison(text) in (-1, 0, 1, 2)
