"""Reads a judge's ratings exactly as AlignBench's own script does, with its -1 for a score.

The published boards rest on this reading. It takes one spelling of the dictionary (single quotes,
one space after the colon, on one line), cuts decimals off, and knows no scale: 0 and 100 are scores
to it. `judgebench.judges._dimension_ratings` reads what was meant. Both are needed to say what the
reading does to a board.

Source: THUDM/AlignBench at 5b79d4a, ``post_process`` in ``judge.py``; rewritten to take time linear
in a reply's length, where the original's grows with its square or worse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from judgebench.judges._dimension_ratings import NO_SCORE, OVERALL
from judgebench.judges._replies import unfinished
from judgebench.records import Reply, Score, Verdict

UNPARSED = -1.0
MAX_DIGITS = 300
"""What is longer, no float holds; upstream ends with an error at 4301 digits."""

_VALUE = re.compile(r"': (\d+)")
_OVERALL = re.compile(rf"'{OVERALL}': (\d+(?:\.\d{{1,2}})?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRatings:
    """What upstream stores: the dictionary's numbers, and the score or `UNPARSED`."""

    ratings: Mapping[str, int]
    score: float


def upstream_ratings(text: str) -> UpstreamRatings:
    """The ratings of any text.

    A text with a number of more than `MAX_DIGITS` digits in one of its places is unparsed.
    """
    pairs = _pairs(_last_group(text))
    in_words = _OVERALL.search(text)
    digits = [digits for _, digits in pairs] + ([in_words[1]] if in_words else [])
    if any(len(number) > MAX_DIGITS for number in digits):
        return UpstreamRatings(ratings={}, score=UNPARSED)
    ratings = {name: int(number) for name, number in pairs}
    if OVERALL in ratings:
        return UpstreamRatings(ratings=ratings, score=ratings[OVERALL])
    return UpstreamRatings(ratings=ratings, score=float(in_words[1]) if in_words else UNPARSED)


def read_upstream(reply: Reply, dimensions: Sequence[str]) -> Verdict:
    """Upstream's reading as a verdict, on a scale without an upper end.

    A reply that was refused or cut off is no verdict, nor is `UNPARSED`: aggregation puts it back
    where the published figure is wanted (`judgebench.stats.category_scores`).
    """
    if reason := unfinished(reply):
        return reason
    found = upstream_ratings(reply.text)
    if found.score == UNPARSED:
        return NO_SCORE
    rated = {name: float(found.ratings[name]) for name in dimensions if name in found.ratings}
    return Score(value=float(found.score), low=0.0, high=math.inf, parts=rated)


def _last_group(text: str) -> str:
    """From the first brace on the line of the text's last one, up to the first that closes it."""
    last = text.rfind("{")
    closing = text.find("}", last + 1) if last >= 0 else -1
    line = text.rfind("\n", 0, max(closing, 0)) + 1
    if closing < 0 or last < line:
        return ""
    return text[text.find("{", line) + 1 : closing]


def _pairs(group: str) -> list[tuple[str, str]]:
    """Names and digits: from any single quote to the next one that ends in a colon and a number."""
    found = []
    at = group.find("'")
    while at >= 0 and (value := _VALUE.search(group, at + 1)):
        found.append((group[at + 1 : value.start()], value[1]))
        at = group.find("'", value.end())
    return found
