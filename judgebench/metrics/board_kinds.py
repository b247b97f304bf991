"""Which board a verdict belongs to: labels, scores, or comparisons with one opponent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from judgebench.metrics.verdict_table import FAILED, Columns
from judgebench.records import SCORING

Kind = Literal["label", "score", "preference"]

_SINGLE: Mapping[str, Kind] = {"label": "label", "score": "score"}
"""What is said of one answer."""


@dataclass(frozen=True, slots=True, order=True)
class BoardKind:
    """What is counted on a board, and of comparisons with whom."""

    kind: Kind
    opponent: str | None = None


def by_board(columns: Columns) -> dict[BoardKind, list[int]]:
    """The rows of each board there is, in order of kind and opponent.

    A comparison names its opponent, whether or not it came to a verdict. An unreadable or failed
    verdict on one answer is on the board where the judge's others are; of one who has no other, on
    that of what such judges give.

    Parameters
    ----------
    columns
        ``kind``, ``judge``, and where they are known ``opponent`` and ``judge_kind``.
    """
    about = list(zip(columns["kind"], columns["judge"], _column(columns, "opponent"), strict=True))
    alone = _alone(columns, about)
    board_of = {one: _board(*one, alone) for one in set(about)}
    found: dict[BoardKind, list[int]] = {
        which: []
        for which in sorted(
            {which for which in board_of.values() if which is not None},
            key=lambda which: (which.kind, which.opponent or ""),
        )
    }
    for row, one in enumerate(about):
        if (which := board_of[one]) is not None:
            found[which].append(row)
    return found


def _board(
    kind: str, judge: str, opponent: str | None, alone: Mapping[str, Kind]
) -> BoardKind | None:
    if opponent is not None:
        return None if kind in _SINGLE else BoardKind("preference", opponent)
    if kind in ("unreadable", FAILED):
        return BoardKind(alone[judge])
    return BoardKind(_SINGLE[kind]) if kind in _SINGLE else None


def board(columns: Columns, which: BoardKind) -> Columns:
    """The rows of one board."""
    rows = by_board(columns).get(which, [])
    if len(rows) == len(columns["kind"]):
        return columns
    return {name: [values[row] for row in rows] for name, values in columns.items()}


def _alone(columns: Columns, about: Iterable[tuple[str, str, str | None]]) -> dict[str, Kind]:
    """What each judge says of one answer: a label where it has given any."""
    said = set(about)
    scoring = {
        judge
        for judge, way in set(zip(columns["judge"], _column(columns, "judge_kind"), strict=True))
        if ("score", judge, None) in said or way in SCORING
    }
    return {
        judge: "score" if judge in scoring and ("label", judge, None) not in said else "label"
        for _, judge, _ in said
    }


def _column(columns: Columns, name: str) -> Sequence[Any] | NDArray[Any]:
    return columns[name] if name in columns else [None] * len(columns["kind"])
