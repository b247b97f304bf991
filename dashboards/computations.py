"""What takes long to compute: a store in, plain JSON out, without Streamlit.

Each can run in a process beside the server (`computer`), which imports this module and no page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from judgebench.records import is_human
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.boards import panels_in
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.length_boards import LengthControl
from judgebench.reports.render import render
from judgebench.store import Store

FORMS = ("csv", "md", "latex", "json")
"""How a board can be taken along."""


def boards(store: Store, benchmark: str, version: str) -> list[dict[str, Any]]:
    """The leaderboards of a benchmark as the report has them, in all `FORMS`, panels last.

    Not length-controlled, which takes its time.
    """
    return _boards(store, benchmark, version, control="off")


def boards_of_judge(
    store: Store,
    benchmark: str,
    version: str,
    judge: str,
    control: LengthControl,
    suspicious: Literal["excluded", "ranked"],
) -> list[dict[str, Any]]:
    """Those of a judge, given by its id, or of a panel, by its name."""
    return _boards(
        store,
        benchmark,
        version,
        judges=[judge],
        control=control,
        rank_suspicious=suspicious == "ranked",
    )


def _boards(
    store: Store,
    benchmark: str,
    version: str,
    *,
    judges: Sequence[str] = (),
    control: LengthControl,
    rank_suspicious: bool = False,
) -> list[dict[str, Any]]:
    panels = panels_in(store, f"{benchmark}@{version}")
    found = leaderboards(
        store,
        benchmark,
        version,
        judges=judges,
        panels=panels,
        length_control=control,
        rank_suspicious=rank_suspicious,
    )
    found = tuple(sorted(found, key=lambda board: board.judge_id is None))
    shown = Leaderboard.of(found).to_dict()["boards"]
    forms = [
        {form: render(Leaderboard.of([board]).document(), form) for form in FORMS}
        for board in found
    ]
    return [board | {"forms": its} for board, its in zip(shown, forms, strict=True)]


def verdicts_used(store: Store) -> list[dict[str, Any]]:
    """Of every benchmark that has any, how many, and when the newest one was."""
    return [
        {"benchmark": benchmark, "version": version, "verdicts": asdict(verdicts)}
        for (benchmark, version), verdicts in store.verdicts_used().items()
    ]


def people_first(judge: str) -> tuple[bool, str]:
    """By what judges are sorted where people stand among them."""
    return not is_human(judge), judge
