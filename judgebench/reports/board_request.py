"""What somebody asks of leaderboards, as one value: it can be written down and asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from judgebench.metrics.intervals import Intervals
from judgebench.reports.board import Board
from judgebench.reports.board_choice import chosen
from judgebench.reports.board_set import boards_of
from judgebench.reports.length_boards import LengthControl
from judgebench.reports.panels import parse_panel
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRequest:
    """The options of `judgebench leaderboard`, by their names there."""

    benchmarks: tuple[str, ...]
    judges: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sort: str | None = None
    panels: tuple[str, ...] = ()
    length_control: str = "exact"
    rank_by: str | None = None
    rank_suspicious: bool = False
    by: tuple[str, ...] = ()
    level: float = 0.95
    published_as: Mapping[str, str] = field(default_factory=dict)

    def found(self, store: Store) -> dict[str, tuple[Board, ...]]:
        """The boards of each benchmark with all their rows."""
        return boards_of(
            store,
            self.benchmarks,
            judges=self.judges,
            panels=[parse_panel(written) for written in self.panels],
            intervals=Intervals(level=self.level),
            length_control=cast("LengthControl", self.length_control),
            rank_by=self.rank_by,
            rank_suspicious=self.rank_suspicious,
            by=self.by,
            published_names=self.published_as,
        )

    def chosen(self, store: Store, found: Mapping[str, tuple[Board, ...]]) -> list[Board]:
        """Of these boards the rows and columns that are asked for, in the order asked for."""
        boards = [board for its in found.values() for board in its]
        return list(
            chosen(store, boards, models=self.models, columns=list(self.columns), sort=self.sort)
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> BoardRequest:
        """What `to_json` wrote, as it was.

        Raises
        ------
        ValueError
            For fields that a request does not have, and values of another type.
        """
        from pydantic import TypeAdapter

        if unknown := set(written) - {one.name for one in fields(cls)}:
            raise ValueError(f"no field of a request: {', '.join(sorted(map(str, unknown)))}")
        return TypeAdapter(cls).validate_python(dict(written))
