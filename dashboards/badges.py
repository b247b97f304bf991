"""Flags of a row as badges: a shape and a word, and of what kind; what they mean.

The report says that a flag is there. Badges add how much: a mark is made on an honest answer now
and then, so that what tells is the share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from judgebench.metrics.win_rate import WIN_RATE
from judgebench.reports.answer_flags import COUNTED, SUSPECT, SUSPICIOUS, SUSPICIOUS_SHARE
from judgebench.reports.board_warnings import LENGTHS_APART, LONGER, SHORTER

Kind = Literal["alarm", "apart", "notice"]

SHAPES: Mapping[Kind, str] = {"alarm": "▲", "apart": "◆", "notice": "●"}

CONSTANT, COVERAGE = "constant answers", "coverage"

MEANS = {
    COVERAGE: "Too many verdicts are missing: the share of those that are there is below the "
    "benchmark's floor. The row is grey, and its number may be anything in “worst case”.",
    SUSPICIOUS: "Its answers may be meant for the judge: one text for nine in ten (no "
    "refusal), or for a fifth and marked; or marks (of imitating, addressing, hiding) on more than "
    f"one answer in {1 / SUSPICIOUS_SHARE:.0f}, and two at least. "
    "Outside the ranking unless it is asked for.",
    CONSTANT: "A fifth of the answers or more are one and the same text, whatever was asked.",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """One flag, as it is shown."""

    flag: str
    kind: Kind
    amount: str = ""

    @property
    def text(self) -> str:
        return " ".join(filter(None, (SHAPES[self.kind], self.flag, self.amount)))


def badges(row: Mapping[str, Any], floor: float) -> list[Badge]:
    """Those of a row of the report's JSON, the gravest first.

    Parameters
    ----------
    floor
        The share of verdicts that has to be there.
    """
    made = [_badge(flag, row, floor) for flag in row["flags"]]
    return sorted(made, key=lambda badge: list(SHAPES).index(badge.kind))


def is_apart(row: Mapping[str, Any]) -> bool:
    """Whether a model is suspicious and outside the ranking, so that it stands below the line."""
    return SUSPICIOUS in row["flags"] and row["rank"] is None


def legend(rows: Iterable[Iterable[Badge]]) -> list[tuple[str, str]]:
    """Each badge that is there, without its amount, and what it means."""
    found = {(badge.kind, badge.flag) for of in rows for badge in of}
    order = list(SHAPES)
    return [
        (f"{SHAPES[kind]} {flag}", MEANS.get(flag, "See the documentation of leaderboards."))
        for kind, flag in sorted(found, key=lambda one: (order.index(one[0]), one[1]))
    ]


def _badge(flag: str, row: Mapping[str, Any], floor: float) -> Badge:
    kinds: Mapping[str, Kind] = {COVERAGE: "alarm", SUSPICIOUS: "apart"}
    return Badge(flag=flag, kind=kinds.get(flag, "notice"), amount=_amount(flag, row, floor))


def _marked(flag: str, row: Mapping[str, Any]) -> int:
    return int(row["counts"].get(f"{COUNTED}{_MARKS[flag]}", 0))


def _answers(row: Mapping[str, Any]) -> int:
    """How many answers there are; of judges of elsewhere the store may have none of the texts."""
    return int(row["counts"].get("answers") or row["counts"]["items"])


def _amount(flag: str, row: Mapping[str, Any], floor: float) -> str:
    if flag == COVERAGE:
        judged = row["metrics"].get(WIN_RATE) or next(iter(row["metrics"].values()))
        there, expected = judged["n"], judged["n"] + judged["missing"]
        return f"{100 * there / expected:.0f} % of {100 * floor:.0f} %" if expected else ""
    if flag in _MARKS:
        return f"{_marked(flag, row)} of {_answers(row)}"
    status = flag.removesuffix(" answers").replace(" ", "_")
    return f"{row['counts'][status]}" if status in row["counts"] else ""
