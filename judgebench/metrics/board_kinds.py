"""Which board a verdict belongs to: labels, scores, or comparisons with one opponent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from judgebench.columns import Ints, counted, paired, same, select_rows
from judgebench.metrics.registry import OF_VERDICTS, Metric
from judgebench.metrics.verdict_table import FAILED, Columns, VerdictTable, read_table
from judgebench.records import BINARY, SCORING

Kind = Literal["label", "score", "preference"]

_SINGLE: Mapping[str, Kind] = {"label": "label", "score": "score"}
"""What is said of one answer."""

NO_ROWS: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, order=True)
class BoardKind:
    """What is counted on a board, and of comparisons with whom."""

    kind: Kind
    opponent: str | None = None

    @property
    def metric(self) -> Metric:
        """What its verdicts make, and what ranks it unless something fitted or weighted does."""
        return OF_VERDICTS[self.kind]


def by_board(columns: Columns) -> dict[BoardKind, Ints]:
    """The numbers of the rows of each board there is, in order of kind and opponent.

    A comparison names its opponent, whether or not it came to a verdict. An unreadable or failed
    verdict on one answer is on the board where the judge's others are; of one who has no other, on
    that of what such judges give.

    Parameters
    ----------
    columns
        ``kind``, ``judge``, and where they are known ``opponent`` and ``judge_kind``.
    """
    kinds, codes = _sorted_out(columns)
    return {which: np.flatnonzero(codes == number) for number, which in enumerate(kinds)}


def boards(columns: Columns) -> dict[BoardKind, Columns]:
    """The columns of each board there is, as `by_board` tells them apart."""
    kinds, codes = _sorted_out(columns)
    found = {}
    for number, which in enumerate(kinds):
        its = codes == number
        found[which] = columns if its.all() else select_rows(columns, np.flatnonzero(its))
    return found


def _sorted_out(columns: Columns) -> tuple[list[BoardKind], Ints]:
    """The boards there are, in order, and of each row the place of its own; -1 if it has none."""
    nothing = same(None, len(columns["kind"]))
    about = paired(columns["kind"], columns["judge"], columns.get("opponent", nothing))
    said = set(about.values)
    scoring = {
        judge
        for judge, way in counted(columns["judge"], columns.get("judge_kind", nothing))
        if ("score", judge, None) in said or way in SCORING
    }
    found: list[BoardKind | None] = []
    for kind, judge, opponent in about.values:
        if opponent is not None:
            found.append(None if kind in _SINGLE else BoardKind("preference", opponent))
        elif kind in ("unreadable", FAILED):  # where the judge's others are: labels if there is one
            scores = judge in scoring and ("label", judge, None) not in said
            found.append(BoardKind("score" if scores else "label"))
        else:
            found.append(BoardKind(_SINGLE[kind]) if kind in _SINGLE else None)
    kinds = sorted(
        {which for which in found if which is not None},
        key=lambda which: (which.kind, which.opponent or ""),
    )
    place = {which: number for number, which in enumerate(kinds)}
    code_of = [-1 if one is None else place[one] for one in found]
    return kinds, np.array(code_of, np.min_scalar_type(-1 - len(kinds)))[about.codes]


def board(columns: Columns, which: BoardKind) -> Columns:
    """The rows of one board."""
    found = boards(columns).get(which)
    return select_rows(columns, NO_ROWS) if found is None else found


def read_board(columns: Columns, which: BoardKind, labels: Sequence[str] = BINARY) -> VerdictTable:
    """The verdicts of one board, with their values."""
    return read_table(board(columns, which), kind=which.kind, labels=labels)
