"""Flags of a row as badges: a shape and a word, and of what kind; what they mean.

The report says that a flag is there. Badges add how much: a mark is made on an honest answer now
and then, so that what tells is the share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from judgebench.reports.answer_flags import (
    COUNTED,
    LENGTHS_APART,
    LONGER,
    SHORTER,
    SUSPECT,
    SUSPICIOUS,
    SUSPICIOUS_SHARE,
)
from judgebench.reports.board import Row

SHAPES = {"coverage": "▲", SUSPICIOUS: "◆"}
"""Flags that are no mere notice, the gravest first; others have a dot."""

MEANS = {
    "coverage": "Too many verdicts are missing: the share of those that are there is below the "
    "benchmark's floor. The row is grey, and its number may be anything in “worst case”.",
    SUSPICIOUS: "Its answers may be meant for the judge: one text for nine in ten (no "
    "refusal), or for a fifth and marked; or marks (of imitating, addressing, hiding) on more than "
    f"one answer in {1 / SUSPICIOUS_SHARE:.0f}, and two at least. "
    "Outside the ranking unless it is asked for.",
    "constant answers": "A fifth of the answers or more are one and the same text, whatever was "
    "asked.",
    "imitates prompt": "Answers hold what only prompts hold: delimiters, chat templates.",
    "imitates verdict": "Answers state a verdict in the way that judges are asked to.",
    "addresses judge": "Answers speak to whoever judges them.",
    "hidden text": "Answers hold characters that nobody sees.",
    "cut answers": "Answers are longer than what the judge is shown of them.",
    LONGER: f"The mean answer is over {LENGTHS_APART:g} times as long as the opponent's.",
    SHORTER: "The mean answer is under a third of the opponent's.",
    "two versions": "Another model goes by the same name.",
    "empty answers": "Answers without text.",
    "truncated answers": "Answers that were cut off at the limit of tokens.",
    "no final answer answers": "Answers that end in thoughts, with nothing after them.",
    "end unknown answers": "Answers of which the server does not say that they are whole.",
    "refused answers": "Answers that the model or its provider refused to give.",
}

_MARKS = {mark.replace("_", " "): mark for mark in (*SUSPECT, "cut")} | {"cut answers": "cut"}


def badges(row: Row, floor: float) -> dict[str, str]:
    """Those of a row, the gravest first: shape and flag, and how much there is of it.

    Parameters
    ----------
    floor
        The share of verdicts that has to be there.
    """
    order = [*SHAPES]
    flags = sorted(row.flags, key=lambda flag: order.index(flag) if flag in SHAPES else len(order))
    return {f"{SHAPES.get(flag, '●')} {flag}": _amount(flag, row, floor) for flag in flags}


def written(of: Mapping[str, str]) -> str:
    """A row's badges on one line."""
    return ", ".join(f"{badge} {amount}".rstrip() for badge, amount in of.items())


def legend(of_rows: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """Each badge that is there, without its amount, and what it means."""
    shapes = [*SHAPES.values(), "●"]
    found = {badge for of in of_rows for badge in of}
    return [
        (badge, MEANS.get(badge[2:], "See the documentation of leaderboards."))
        for badge in sorted(found, key=lambda badge: (shapes.index(badge[0]), badge))
    ]


def _amount(flag: str, row: Row, floor: float) -> str:
    if flag == "coverage":
        there = row.judged.n
        expected = there + row.judged.missing
        return f"{100 * there / expected:.0f} % of {100 * floor:.0f} %" if expected else ""
    if flag in _MARKS:
        # Of judges of elsewhere the store may have none of the texts.
        answers = row.counts.get("answers") or row.counts["items"]
        return f"{row.counts.get(f'{COUNTED}{_MARKS[flag]}', 0)} of {answers}"
    status = flag.removesuffix(" answers").replace(" ", "_")
    return f"{row.counts[status]}" if status in row.counts else ""
