"""Through the board or head to head: which of the two needs fewer judgments for the same power.

What either takes follows from the store: the spread of differences on the board, the win rate at
which models stand there, and how much comparisons in both orders vary. Where nobody compared in
both orders, the spread is put at the most that it can be, and what follows is said to be the most.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from judgebench.execution.forecast import Designs, PlanRow
from judgebench.execution.plan import verdicts_each
from judgebench.execution.resolve import JudgeAssignment
from judgebench.metrics.head_spread import BOTH, head_spreads
from judgebench.reports.document import Column, Table
from judgebench.reports.estimates import UNDEFINED, finite
from judgebench.reports.metric_words import digits
from judgebench.reports.model_pairs import PairData
from judgebench.stats.head_to_head_power import MOST_SPREAD, Fewer, TwoDesigns, two_designs

ALONE = "answers are judged alone, and that does not say which of two is preferred"
LINKED = 0.05
"""Win rates nearer to 0 or 1 did not tell who wins head to head: see docs/comparing.md."""

ALL_TIED = "all comparisons in both orders ended in ties"

_WORDS: dict[Fewer | None, str] = {
    "head_to_head": "head to head",
    "board": "the board",
    "equal": "equal",
    None: "not known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """The median spread of so many models that were compared in both orders, by these judges."""

    spread: float
    pairs: int
    judges: tuple[str, ...]


def heads(
    data: PairData, judges: Sequence[str], opponent: str | None, *, least: int
) -> Heads | None:
    """Over comparisons with others than the board's opponent; with that one, if there are none."""
    found: dict[bool, list[tuple[float, str]]] = {False: [], True: []}
    for kind, verdicts in data.board.verdicts.items():
        if kind.kind == "preference":
            found[kind.opponent == opponent] += head_spreads(verdicts, kind, judges, least=least)
    pairs = found[False] or found[True]
    if not pairs:
        return None
    return Heads(
        spread=median(spread for spread, _ in pairs),
        pairs=len(pairs),
        judges=tuple(sorted({judge for _, judge in pairs})),
    )


def compared(
    assignment: JudgeAssignment,
    *,
    drop: float,
    level: float,
    board_items: float,
    heads: Heads | None,
    metric: str,
    unit: float,
    alpha: float,
) -> Designs:
    """Both designs for a judge that compares.

    Parameters
    ----------
    drop, level, board_items
        As for `two_designs`.
    metric, unit
        What the board shows, and what a share is multiplied with there.
    """
    asked = len(assignment.samples)
    found = two_designs(
        drop=drop,
        level=level,
        board_items=board_items,
        spread=None if heads is None else heads.spread,
        board_each=asked * verdicts_each(assignment),
        head_each=asked
        * len(BOTH)
        * (assignment.asked.config.judge_samples if assignment.asks else 1),
        alpha=alpha,
    )
    undefined = None
    if not LINKED <= level - drop <= level <= 1.0 - LINKED:
        undefined = (
            f"with less than {LINKED * unit:g} or more than {(1.0 - LINKED) * unit:g} % won, a "
            f"board says too little of who wins head to head (here {level * unit:.3g}, and "
            f"{(level - drop) * unit:.3g} after the drop)"
        )
    elif math.isnan(found.head_items):
        undefined = ALL_TIED
    return Designs(
        found=found if undefined is None else None,
        undefined=undefined,
        metric=metric,
        unit=unit,
        pairs=0 if heads is None else heads.pairs,
        judges=() if heads is None else heads.judges,
    )


def table(rows: Iterable[PlanRow]) -> Table | None:
    """What both designs take, a row for each benchmark and judge of whom it is known."""
    cells, notes = [], []
    for row, designs in _each(rows):
        found = designs.found
        if found is None:
            continue
        places = digits(designs.metric)
        most = "≤ " if found.at_most else ""
        cells.append(
            [
                row.benchmark,
                str(row.judge),
                f"{found.drop * designs.unit:.{places}f}",
                _count(found.board_judgments),
                _count(found.board_recorded),
                f"{found.head_drop * designs.unit:.{places}f}",
                f"{most}{_count(found.head_judgments)}",
                _said(found),
            ]
        )
        notes.append(_note(row, designs, found))
    if not cells:
        return None
    return Table(
        title="judgments that find the same drop: through the board, or head to head",
        columns=[
            Column(title="benchmark"),
            Column(title="judge", wraps=True),
            Column(title="drop on the board", align="right"),
            Column(title="board", align="right"),
            Column(title="board, baseline recorded", align="right"),
            Column(title="drop head to head", align="right"),
            Column(title="head to head", align="right"),
            Column(title="fewer", wraps=True),
        ],
        rows=cells,
        notes=notes,
    )


def notes(rows: Iterable[PlanRow]) -> list[str]:
    """Why it is not known which needs fewer, where it is known what can be detected."""
    why: dict[str, list[str]] = {}
    for row, designs in _each(rows):
        if designs.undefined is not None and row.detectable is not None and row.detectable.pairs:
            why.setdefault(designs.undefined, []).append(f"{row.judge} ({row.benchmark})")
    return [
        f"what head to head takes is not known, since {reason}: {', '.join(whose)}"
        for reason, whose in why.items()
    ]


def records(rows: Iterable[PlanRow]) -> list[dict[str, Any]]:
    """As JSON: null where it is not known, and then why."""
    return [
        {
            "benchmark": row.benchmark,
            "version": row.version,
            "judge": row.judge,
            **_figures(designs),
            **({} if designs.undefined is None else {"undefined": designs.undefined}),
        }
        for row, designs in _each(rows)
    ]


def _figures(designs: Designs) -> dict[str, Any]:
    found, unit = designs.found, designs.unit
    if found is None:
        return dict.fromkeys(("drop", "win_rate", "board", "head_to_head", "fewer"))
    return {
        "drop": found.drop * unit,
        "win_rate": found.level * unit,
        "board": {
            "items": _whole(found.board_items),
            "judgments": _whole(found.board_judgments),
            "judgments_baseline_recorded": _whole(found.board_recorded),
        },
        "head_to_head": {
            "drop": found.head_drop * unit,
            "even_drop": _scaled(found.even_drop, unit),
            "items": _whole(found.head_items),
            "judgments": _whole(found.head_judgments),
            "at_most": found.at_most,
            "pairs": designs.pairs,
            "judges": list(designs.judges),
        },
        "fewer": {"baseline_not_recorded": found.fewer, "baseline_recorded": found.fewer_recorded},
    }


def _each(rows: Iterable[PlanRow]) -> list[tuple[PlanRow, Designs]]:
    """The first row of each benchmark and judge of whom it is asked."""
    first: dict[tuple[str, str, str | None], tuple[PlanRow, Designs]] = {}
    for row in rows:
        if row.detectable is not None and (designs := row.detectable.designs) is not None:
            first.setdefault((row.benchmark, row.version, row.judge), (row, designs))
    return list(first.values())


def _note(row: PlanRow, designs: Designs, found: TwoDesigns) -> str:
    unit, places = designs.unit, digits(designs.metric)
    spread = (
        f"nobody has compared in both orders here, so its spread is put at the most there can be, "
        f"{MOST_SPREAD * unit:g}"
        if found.at_most
        else f"its spread is the median over {designs.pairs:,} "
        f"pair{'s' * (designs.pairs != 1)} of models that {' and '.join(designs.judges)} compared "
        f"in both orders"
    )
    even = (
        ""
        if math.isnan(found.even_drop)
        else f"above {found.even_drop * unit:.{places}f} head to head needs fewer, also where the "
        f"baseline's verdicts are recorded; "
    )
    return (
        f"{row.benchmark}, {row.judge}: at a win rate of {found.level * unit:.{places}f} on the "
        f"board, a drop of {found.drop * unit:.{places}f} is taken to be one of "
        f"{found.head_drop * unit:.{places}f} head to head (Bradley–Terry); {even}{spread}"
    )


def _said(found: TwoDesigns) -> str:
    if found.fewer == found.fewer_recorded:
        return _WORDS[found.fewer]
    return f"{_WORDS[found.fewer]}; baseline recorded: {_WORDS[found.fewer_recorded]}"


def _count(n: float) -> str:
    return UNDEFINED if finite(n) is None else f"{math.ceil(n):,}"


def _scaled(share: float, unit: float) -> float | None:
    return None if (known := finite(share)) is None else known * unit


def _whole(n: float) -> int | None:
    return None if finite(n) is None else math.ceil(n)
