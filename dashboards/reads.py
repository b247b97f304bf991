"""What the pages read: the numbers of `judgebench.reports`, cached by the state of the store.

The store is opened read-only for the moment of a read, so that a run beside it is never held up.
Nothing is computed here but counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from answers import State
from boards import boards as all_boards
from open_store import mark_of as mark_of

from judgebench.store import Store

KEPT = 64

Json = Mapping[str, Any]


# what is there ----------------------------------------------------------------------------------


def benchmarks(url: str, mark: str) -> list[tuple[str, str]]:
    """Names and versions, in the order in which the store met them."""
    return State(url, mark).read(Store.benchmarks)


# numbers ----------------------------------------------------------------------------------------

NO_ESTIMATE: Json = {
    "value": None, "low": None, "high": None, "n": 0, "missing": 0, "undefined": "not reported",
}  # fmt: skip


def boards(url: str, mark: str, benchmark: str, version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _boards(url, mark, benchmark, version).to_dict()["boards"]
    return found


def _boards(url: str, mark: str, benchmark: str, version: str) -> Any:
    return State(url, mark).compute(all_boards, benchmark, version)


# words ------------------------------------------------------------------------------------------


def board_names(boards: Sequence[Json]) -> list[str]:
    """What each board is called: its judge, and where that has several, what it says of whom."""
    n_boards = Counter(board["judge"] for board in boards)
    return [
        f"{board['judge']} · {_says(board)}" if n_boards[board["judge"]] > 1 else board["judge"]
        for board in boards
    ]


def _says(board: Json) -> str:
    return _against(board) or (board["metric"] or "").replace("_", " ")


def _against(board: Json) -> str:
    return "" if board["opponent"] is None else f"against {board['opponent']}"


def identity(board: Json) -> str:
    """One line: which data, which judge, compared with whom, what it is, how many items."""
    served = ", ".join(board["served_models"])
    items = max((row["counts"]["items"] for row in board["rows"]), default=0)
    return " · ".join(
        part
        for part in (
            f"{board['benchmark']}@{board['version']}",
            f"judge {board['judge']}",
            _against(board),
            board["judge_is"],
            f"served by {served}" if served else "",
            f"{items:,} items" if items else "",
        )
        if part
    )
