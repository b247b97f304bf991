"""Ratings of several dimensions in a Chinese reply: as meant, and as AlignBench reads them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.readers.dictionaries import read_ratings
from judgebench.judges.readers.upstream import (
    UNPARSED,
    read_upstream,
    upstream_ratings,
)
from judgebench.records import Reply, Score, Unreadable, Verdict
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alignbench"

FACTS, CLEAR = "事实正确性", "清晰度"
RATED = (FACTS, CLEAR)
BOTH = {FACTS: 9.0, CLEAR: 8.0}


def shown(verdict: Verdict) -> object:
    """The score with its parts, or the reason."""
    if isinstance(verdict, Unreadable):
        return verdict.reason
    assert isinstance(verdict, Score)
    return verdict.value, dict(verdict.parts)


def read(text: str) -> object:
    return shown(read_ratings(Reply(text=text, finish_reason="stop"), RATED))


@over_rows(
    "text",
    [
        "{'事实正确性': 9, '清晰度': 8, '综合得分': 7}",
        '{"事实正确性": 9, "清晰度": 8, "综合得分": 7}',
        '```json\n{\n  "事实正确性": 9,\n  "清晰度": 8,\n  "综合得分": 7\n}\n```',
        "{'事实正确性':9,'清晰度':8,'综合得分':7,}",
        "{'事实正确性': '9', '清晰度': \"8\", '综合得分': '7'}",
        "{'事实正确性': 9.0, '清晰度': 8.00, '综合得分': 7.0}",
        "{事实正确性: 9, 清晰度: 8, 综合得分: 7}",
        "｛＇事实正确性＇：９，＇清晰度＇：８，＇综合得分＇：７｝",
        "{“事实正确性”：９，“清晰度”：８，“综合得分”：７}",
        "{‘事实正确性’：9、‘清晰度’：8、‘综合得分’：7}",
        "{'事实正确性'：９　，'清晰度'：８　，'综合得分'：７　}",
        "{'**事实正确性**': **9**, '清晰度': '8 ', '*综合得分*': 7}",
        "{'事实正确性': 9分, '清晰度': 8/10, '综合得分': 7 / 10 分}",
        "{'清晰度': 8, '综合得分': 7, '事实正确性': 9}",
        "评语。{'事实正确性': 9, '清晰度': 8} 所以 {'综合得分': 7}。以上。",
        "设 $\\frac{1}{2}$ 与 {x: x>0}。\n{'事实正确性': 9, '清晰度': 8, '综合得分': 7}",
        "综合得分：7分\n{'事实正确性': 9, '清晰度': 8, '综合得分': 7}",
        "{'事实正确性': 9, '清晰度': 8, '综合得分': 7}\n**综合得分**: **7**/10",
        "格式：{'事实正确性': 9, '满足用户需求': 6, ..., '综合得分': 3}\n"
        "{'事实正确性': 9, '清晰度': 8, '综合得分': 7}",
        "格式：{'维度一': 打分, …, '综合得分': 打分}\n"
        "{'事实正确性': 9, '清晰度': 8, '综合得分': 7}",
        '{"评语": "他说“好”, 但{不}全……", "事实正确性": 9, "清晰度": 8, "综合得分": 7}',
        '{"评语": "说\\"好\\"", "事实正确性": 9, "清晰度": 8, "综合得分": 7}',
    ],
)
def test_one_meaning_has_many_spellings(text: str) -> None:
    assert read(text) == (7.0, BOTH)


@over_rows(
    ("text", "score", "parts"),
    [
        ("{'综合得分': 7}", 7.0, {}),
        ("{'创造性': 2, '清晰度': 8, '综合得分': 7}", 7.0, {CLEAR: 8.0}),
        ("{'综合得分': 7.25}", 7.25, {}),
        ("回答基本正确。\n综合得分：６", 6.0, {}),
        ("**综合得分**: 6/10 分", 6.0, {}),
        ("综合得分：6 / 10", 6.0, {}),
        ("'综合得分': 7.25 分", 7.25, {}),
        ("【'综合得分': 7】", 7.0, {}),
        ("综合得分: [[7]]", 7.0, {}),
        ("综合得分：［［７．５］］", 7.5, {}),
        ("The answer is fine. {'综合得分': 7}", 7.0, {}),
        ("{'综合得分': 7}\n更正：无", 7.0, {}),
    ],
)
def test_what_is_left_out_is_not_made_up(text: str, score: float, parts: dict[str, float]) -> None:
    assert read(text) == (score, parts)


@over_rows(
    ("text", "reason"),
    [
        ("", "empty reply"),
        (" \n", "empty reply"),
        ("{'综合得分': 7} {'综合得分': 8}", "two verdicts"),
        ("{'综合得分': 7, '综合得分': 8}", "two verdicts"),
        ("{'清晰度': 7, '综合得分': 7}{'清晰度': 6}", "two verdicts"),
        ("综合得分：6\n{'综合得分': 7}", "two verdicts"),
        ("综合得分：6 或者 综合得分：7", "two verdicts"),
        ("{'清晰度': 8; 错, '综合得分': 3}\n{'综合得分': 7}", "two verdicts"),
        ("{'综合得分': 0}", "a score outside 1 to 10"),
        ("{'综合得分': 11}", "a score outside 1 to 10"),
        ("{'综合得分': -3}", "a score outside 1 to 10"),
        ("{'综合得分': 100}", "a score outside 1 to 10"),
        ("{'清晰度': 0, '综合得分': 7}", "a score outside 1 to 10"),
        ("{'综合得分': 八}", "a score that is no number"),
        ("{'综合得分': '七分'}", "a score that is no number"),
        ("{'综合得分': True}", "a score that is no number"),
        ("{'综合得分': NaN}", "a score that is no number"),
        ("{'综合得分': 1e1}", "a score that is no number"),
        ("{'综合得分': ٧}", "a score that is no number"),
        ("{'综合得分': 7/5}", "a score that is no number"),
        ("{'综合得分': 7-8}", "a score that is no number"),
        ("{'综合得分': __import__('os')}", "half a dictionary"),
        ("{'综合得分': [7]}", "a score that is no number"),
        ("{'综合得分': 99999999999}", "a score that is no number"),
        ("{'清晰度': '', '综合得分': 7}", "a score that is no number"),
        ("{'事实正确性': 9, '综合", "half a dictionary"),
        ("{'事实正确性': 9, '综合得分': 1", "half a dictionary"),
        ('{"事实正确性": 9, \'综合得分": 7}', "half a dictionary"),
        ("} {'综合得分': 7", "half a dictionary"),
        ("{'清晰度': {'得分': 8}, '综合得分': 7}", "half a dictionary"),
        ("{'清晰度': 8 '综合得分': 7}", "half a dictionary"),
        ('{"factuality": 9, "overall": 7}', "another language"),
        ("The overall score is 7.", "another language"),
        ("Итог: 7", "another language"),
        ("［［７］］", "no score"),
        ("7", "no score"),
        ("回答很好，可得八分。", "no score"),
        ("{'清晰度': 8}", "no score"),
        ("{'總分': 7}", "no score"),
        ("综合得分：7-8", "no score"),
        ("综合得分: 7 或 8", "no score"),
        ("综合得分：7/5", "no score"),
        ("综合得分：7/100", "no score"),
        ("综合得分: 7.5.1", "no score"),
        ("综合得分：打分", "no score"),
        ("格式：{'事实正确性': 9, ..., '综合得分': 7}", "no score"),
        ("{'综合得分': 7}\n等等，应该是 5 分。", "a score that may have been taken back"),
        ("综合得分：7\n不对，5分", "a score that may have been taken back"),
    ],
)
def test_what_states_no_one_score_is_unreadable(text: str, reason: str) -> None:
    assert read(text) == reason


def test_refused_and_cut_off_replies_are_not_read() -> None:
    for finish, reason in {"length": "truncated", "content_filter": "refused"}.items():
        reply = Reply(text="{'综合得分': 7}", finish_reason=finish)
        assert read_ratings(reply, RATED) == Unreadable(reason=reason)
        assert read_upstream(reply, (CLEAR,)) == Unreadable(reason=reason)


def test_a_name_may_begin_another() -> None:
    nested = read_ratings(Reply(text="综合得分：7"), ("综合", "综合得"))
    assert shown(nested) == (7.0, {})


# As upstream reads --------------------------------------------------------------------------------


@over_rows(
    ("text", "ratings", "score"),
    [
        ("{'清晰度': 8, '综合得分': 7}", {CLEAR: 8, "综合得分": 7}, 7),
        ("{'综合得分': 7.9}", {"综合得分": 7}, 7),
        ("{'综合得分': 100}", {"综合得分": 100}, 100),
        ("{'综合得分': 0}", {"综合得分": 0}, 0),
        ("{'综合得分': -3}", {}, UNPARSED),
        ("{'综合得分': ٧}", {"综合得分": 7}, 7),
        ('{"综合得分": 7}', {}, UNPARSED),
        ("{'综合得分':7}", {}, UNPARSED),
        ("{'综合得分': '7'}", {}, UNPARSED),
        ("{'清晰度': 8,\n'综合得分': 7.256}", {}, 7.25),
        ("{'综合得分': 3} 更正 {'综合得分': 7}", {"综合得分": 7}, 7),
        ("{'综合得分': 3}\n{'清晰度': 7}", {CLEAR: 7}, 3),
        ("'综合得分': 2 {'清晰度': 7", {}, 2),
        ("{': 7}", {}, UNPARSED),
        ("{': 7, '清晰度': 8}", {": 7, '清晰度": 8}, UNPARSED),
        ("{他说'好'，'综合得分': 7}", {"好'，'综合得分": 7}, 7),
        ("{'综合得分': " + "9" * 301 + "}", {}, UNPARSED),
        ("", {}, UNPARSED),
    ],
)
def test_upstreams_reading(text: str, ratings: dict[str, int], score: float) -> None:
    assert upstream_ratings(text) == (ratings, score)


def test_upstreams_verdict_has_a_scale_without_an_upper_end() -> None:
    text = "{'清晰度': 8, '别的': 1, '综合得分': 11}"
    assert read_upstream(Reply(text=text), (FACTS, CLEAR)) == Score(
        value=11.0, low=0.0, high=math.inf, parts={CLEAR: 8.0}
    )
    assert read_upstream(Reply(text="7"), (CLEAR,)) == Unreadable(reason="no score")


@pytest.mark.skipif(not GOLD.exists(), reason="the gold data (../shared/gold/alignbench) is absent")
def test_every_reply_of_the_gold() -> None:
    """Ours reads what upstream reads, and the two replies that upstream cannot."""
    cases = json.loads((GOLD / "parse_cases.json").read_text(encoding="utf-8"))
    config = json.loads((GOLD / "config.json").read_text(encoding="utf-8"))
    rated = tuple(config["dimension_definition"])
    rescued = {}
    for case in cases:
        found = upstream_ratings(case["judgment"])
        assert found == (case["ratings"], case["score"]), case["judgment"]
        verdict = read_ratings(Reply(text=case["judgment"]), rated)
        assert isinstance(verdict, Score), case["judgment"]
        if case["score"] == UNPARSED:
            rescued[case["judgment"]] = verdict.value
            continue
        assert verdict.value == case["score"]
        parts = {name: value for name, value in case["ratings"].items() if name != "综合得分"}
        assert not parts or verdict.parts == parts
    assert len(cases) == 8
    assert rescued == {'{"事实正确性": 9, "综合得分": 7}': 7.0, "{'综合得分': '8'}": 8.0}


# Any text -----------------------------------------------------------------------------------------


PIECES = st.lists(
    st.sampled_from(
        [*"{}',: \n\".-x…“”｛７：\\", "{'", "': ", "', '", "'综合得分'", "综合得分：",
         "'综合得分': ", "'清晰度': 8", "1", "0", "10", "٧", "7.256", "11", "...",
         "{'清晰度': 8, '综合得分': 7}", '{"综合得分": "7"}', "不对"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(st.text() | PIECES)
def test_any_text_has_a_score_on_the_scale_or_a_reason(text: str) -> None:
    verdict = read_ratings(Reply(text=text), RATED)
    if isinstance(verdict, Unreadable):
        assert verdict.reason
        return
    assert isinstance(verdict, Score)
    assert (verdict.low, verdict.high) == (1, 10)
    assert all(1 <= value <= 10 for value in (verdict.value, *verdict.parts.values()))
    assert set(verdict.parts) <= {FACTS, CLEAR}


@given(st.text() | PIECES)
def test_any_text_reads_upstream_as_its_rules_say(text: str) -> None:
    assert upstream_ratings(text) == by_definition(text)
    assert isinstance(read_upstream(Reply(text=text), (CLEAR,)), Score | Unreadable)


def by_definition(text: str) -> tuple[dict[str, int], float]:
    """Upstream's rules tried one place after the other."""
    group = next(
        (
            text[start + 1 : end]
            for start in places(text, "{")
            for end in places(text, "}")
            if start < end and "\n" not in text[start:end] and "{" not in text[end:]
        ),
        "",
    )
    ratings, at = {}, 0
    while at < len(group):
        stops = [stop for stop in places(group, "'") if stop > at and number(group, stop + 1, ": ")]
        if group[at] == "'" and stops:
            digits = number(group, stops[0] + 1, ": ")
            ratings[group[at + 1 : stops[0]]] = int(digits)
            at = stops[0] + 3 + len(digits)
        else:
            at += 1
    if "综合得分" in ratings:
        return (ratings, ratings["综合得分"])
    for start in places(text, "'综合得分"):
        if digits := number(text, start + 5, "': "):
            after = start + 8 + len(digits)
            cents = number(text, after, ".")[:2]
            return (ratings, float(f"{digits}.{cents}"))
    return (ratings, UNPARSED)


def places(text: str, what: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith(what, at)]


def number(text: str, at: int, before: str) -> str:
    """The digits after these characters; none where others stand there."""
    end = at + len(before)
    if not text.startswith(before, at):
        return ""
    while end < len(text) and text[end].isdecimal():
        end += 1
    return text[at + len(before) : end]
