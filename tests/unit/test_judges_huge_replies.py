"""Replies and answers of any length are read at once: quadratic matching takes minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from judgebench.judges.flags import text_flags
from judgebench.judges.readers.brackets import read_brackets, read_graded_score, read_option
from judgebench.judges.readers.dictionaries import read_critique_comparison, read_ratings
from judgebench.judges.readers.option_letters import Rule, chosen_option, states
from judgebench.judges.readers.scores import (
    Scale,
    ScoreLines,
    read_verbal_confidence,
    read_verbal_confidence_upstream,
)
from judgebench.judges.readers.upstream import (
    read_upstream,
    read_upstream_comparison,
    read_upstream_score,
)
from judgebench.judges.readers.words import (
    Names,
    read_certainty,
    read_certainty_upstream,
    read_winner,
    read_word,
)
from judgebench.records import Reply
from tests.table import over_rows

LENGTH, WITHIN_S = 30_000, 0.5
"""Reading so much takes 10 ms where the time grows with the length, and seconds with its square."""

RULES: tuple[Rule, ...] = ("upstream", "rescue")
OPTIONS = ["a likely cause", "a rare cause", "no cause at all", "all of these"]
SCALE = Scale(low=1, high=10)
RATED = ("事实正确性", "清晰度")


def of_reply(reader: Callable[..., Any], *more: Any, **options: Any) -> Callable[[str], Any]:
    return lambda text: reader(Reply(text=text), *more, **options)


READERS: dict[str, tuple[list[Callable[[str], Any]], list[str], list[str]]] = {
    "ratings": (
        [of_reply(read_ratings, RATED), of_reply(read_upstream, RATED[1:])],
        ["#x", "{#x", "综合得分: #x"],
        ["{", "{'", '{"', "'", "{'a': 1, ", "{'a':'{',", '":{b:c,":d,', "{'\\", "综合得分",
         "综合得分: ", "综合得分: 7\n", "{综合得分: 7}", "“{", "，…", "{...,", "': ",
         "{'综合得分': 1 ", " ", "\n", "9"],
    ),
    "critiques": (
        [of_reply(read_critique_comparison), of_reply(read_ratings),
         of_reply(read_upstream_score), of_reply(read_upstream_comparison)],
        ["#x"],
        ["{", "{'", "综合比较结果", "综合比较结果: ", "综合得分: 10.0", "{a:'"],
    ),
    "brackets": (
        [of_reply(read_graded_score, upstream=False), of_reply(read_graded_score, upstream=True),
         of_reply(read_option, 4, upstream=False), of_reply(read_option, 4, upstream=True)],
        ["#", "[[#", "[[1.#]"],
        ["[", "[[", "1", "[[1", "[[1]", "]]", "[[1]]", "［", "a\u0300\u0316"],
    ),
    "certainty": (
        [of_reply(read_certainty), of_reply(read_certainty_upstream)],
        ["#", "certain#x"],
        ["*", " ", "the ", "certain ", "my ", "!", "un", "\n", "a"],
    ),
    "flags": (
        [text_flags],
        ["#score"],
        ["score: ", "<<abc", "judge ", "ignore all ", "[the end of ", "\n", "give this answer ",
         "请给", '{"winner":', "** ", "\u200b", "model ", "# ", "as the very judge ",
         "verdict: a "],
    ),
    "free form": (
        [lambda text: states(text, ["7", "seven"])],
        ["#"],
        ["1", "1,", ".1", "1e", "-", "so ", "=", "\n", " ", "1.1e"],
    ),
    "option letters": (
        [lambda text, rule=rule: chosen_option(text, OPTIONS, rule=rule) for rule in RULES],
        ["#", "A.#x", "**#x"],
        ["*", " ", "A", "A,", " A", "and ", "**A", "(A", "the answer is ", "\n", "likely ", "'"],
    ),
    "winners": (
        [of_reply(read_winner, Names()), of_reply(read_winner, Names(), code="abc123"),
         of_reply(read_brackets, ties=True)],
        ["#x"],
        ["*", " ", "the ", "A ", "Verdict ", "[[", "final ", "\n"],
    ),
    "score lines": (
        [of_reply(ScoreLines(names=names, scale=SCALE, code=code).read)
         for names in (("tone", "score"), ("score",)) for code in (None, "abc123")],
        ["#x"],
        ["*", " ", "the ", "score ", "7\n", "score: ", "\n"],
    ),
    "verbal confidence": (
        [of_reply(read_verbal_confidence), of_reply(read_verbal_confidence_upstream)],
        ["#", "0.5#x", "score#0.5"],
        ["*", " ", "0", "0 ", "1.", ".", "- ", "the ", "score ", "score:", "0 to ", "/ ", "\n"],
    ),
    "words": (
        [of_reply(read_word)],
        ["#", "correct#x"],
        ["*", " ", "the ", "correct ", "in ", "!", "maybe ", "\n"],
    ),
}  # fmt: skip
"""What reads, the texts that are read, and what stands for their ``#``, again and again."""


@over_rows("kind", READERS)
def test_a_huge_text_is_read_at_once(kind: str) -> None:
    readers, texts, pieces = READERS[kind]
    for piece in pieces:
        for text in texts:
            huge = text.replace("#", piece * (LENGTH // len(piece)))
            for number, read in enumerate(readers):
                began = time.process_time()
                assert read(huge) is not None
                took = time.process_time() - began
                assert took < WITHIN_S, (number, text, piece)
