"""What the Overview reads: counts at once, and who leads each benchmark as boards are computed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import board_reads
import computations
import pandas as pd
import reads
import streamlit as st
import widgets
from answers import State, snapshot
from badges import is_apart
from board_rows import rank_text
from long_text import visible
from open_store import opened
from reads import KEPT

from judgebench.errors import JudgebenchError
from judgebench.metrics import registry
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.plain_text import counted
from judgebench.records import is_human
from judgebench.store.read import At, Holding, Verdicts

TOP = 3
"""How many of a board are drawn."""


@st.cache_data(max_entries=KEPT, show_spinner=False)
def held_of_each(url: str, mark: str) -> list[Holding]:
    with opened(url) as store:
        return store.holdings()


@st.cache_data(max_entries=KEPT, show_spinner=False)
def _verdicts(url: str, mark: str) -> Mapping[At, Verdicts]:
    used = State(url, mark).soon(computations.verdicts_used)
    return {(one["benchmark"], one["version"]): Verdicts(**one["verdicts"]) for one in used}


@st.cache_resource(max_entries=16, show_spinner=False)
def counted_before(url: str) -> dict[At, Verdicts]:
    """What stands until verdicts are counted anew."""
    return {}


def verdicts(url: str, mark: str) -> Mapping[At, Verdicts]:
    """A pass over the key of all verdicts, 0.1 s a million: drawn when it is there."""
    used = _verdicts(url, mark)
    counted_before(url).update(used)
    return used


def counts(one: Holding, used: Mapping[At, Verdicts] | None) -> str:
    """What there is of a benchmark, in a line; ``used`` is None until it is known."""
    people = f" ({one.people:,} of them people)" if one.people else ""
    parts = [
        counted(one.items, "item"),
        counted(one.models, "model"),
        counted(one.judges, "judge") + people,
    ]
    if used is None:
        parts.append("… verdicts")
    elif (known := used.get((one.benchmark, one.version))) is None:
        parts.append("no verdicts")
    else:
        ago = reads.duration(max(0.0, time.time() - known.newest))
        parts.append(f"{counted(known.used, 'verdict')}, the newest {ago} ago")
    return " · ".join(parts)


# who leads --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The head of a benchmark's first board; ``rows`` are empty where ``line`` says why.

    ``excluded`` are the models that are suspicious, and so not ranked.
    """

    mark: str
    line: str
    judge: str = ""
    metric: str = ""
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    scale: tuple[float, float] | None = None
    others: int = 0
    excluded: tuple[str, ...] = ()


@st.cache_resource(max_entries=16, show_spinner=False)
def leaders(url: str) -> dict[At, Leader]:
    """Those that were worked out, for all who look at a store."""
    return {}


def work_out(url: str, mark: str, at: At) -> Leader:
    """Compute a benchmark's boards, and remember who leads the first one."""
    with snapshot(url).timed():
        try:
            found = _leader(url, mark, reads.boards(url, mark, *at))
        except JudgebenchError as error:
            found = Leader(mark=mark, line=visible(str(error)))
    leaders(url)[at] = found
    return found


def _leader(url: str, mark: str, boards: Sequence[reads.Json]) -> Leader:
    named = list(zip(widgets.distinct(reads.board_names(boards)), boards, strict=True))
    judge, board = min(named, key=lambda one: _preference(one[1]), default=("", None))
    if board is None or not board["rows"]:
        return Leader(mark=mark, line="Nothing has been judged yet.")
    board = board_reads.as_reported(url, mark, board)
    ranked = [row for row in board["rows"] if row["rank"] is not None]
    excluded = tuple(visible(row["model"]) for row in board["rows"] if is_apart(row))
    if not ranked:
        line = visible(f"Nobody is ranked by {judge}.")
        return Leader(mark=mark, line=line, judge=judge, excluded=excluded)
    metric = next(iter(ranked[0]["metrics"]))
    rows = pd.DataFrame([_row(row, metric) for row in ranked[:TOP]])
    digits = registry.metric(metric).drawn_digits
    unranked = [row for row in board["rows"] if row["rank"] is None and not is_apart(row)]
    who = _who(ranked, len(board["rows"]), rated=any(map(_has_win_rate, unranked)))
    rows["note"] = [widgets.note(row, digits) for row in widgets.records(rows)]
    return Leader(
        mark=mark,
        line=visible(who),
        judge=judge,
        metric=metric,
        rows=rows,
        scale=board["scale"],
        others=len(ranked) - len(rows),
        excluded=excluded,
    )


def _preference(board: reads.Json) -> tuple[bool, bool, bool]:
    """Which board says most: one on which nobody lacks too much, of people before of judges."""
    rows = board["rows"]
    return not rows, any("coverage" in row["flags"] for row in rows), not is_human(board["judge"])


def _row(row: reads.Json, metric: str) -> dict[str, object]:
    return {
        "name": f"{rank_text(row)}\u2002{row['model']}",
        "tone": _tone(row),
        **widgets.numbers(
            row["metrics"].get(metric, reads.NO_ESTIMATE), registry.metric(metric).drawn_times
        ),
    }


def _tone(row: reads.Json) -> str:
    """As on the leaderboard."""
    if "coverage" in row["flags"]:
        return "alarm"
    return "first" if row["rank_low"] == 1 else "rest"


def _has_win_rate(row: reads.Json) -> bool:
    return row["metrics"].get(WIN_RATE, reads.NO_ESTIMATE)["value"] is not None


def _who(ranked: Sequence[reads.Json], n_models: int, *, rated: bool = False) -> str:
    """Who leads, in words that the sets of ranks allow: one is first where its set is {1}.

    ``rated`` says that a model without a rank has a win rate: then nobody is first of all.
    """
    if rated:
        return f"{len(ranked)} of {n_models} models are ranked; nobody is first of all"
    if len(ranked) == 1:
        return f"{ranked[0]['model']} is the only model{' with a rank' * (n_models > 1)}"
    may_be = [row["model"] for row in ranked if row["rank_low"] == 1]
    if any(row["rank_high"] == 1 for row in ranked):
        return f"{may_be[0]} is first"
    if len(may_be) > TOP:
        return f"{len(may_be)} of {len(ranked)} models may be first"
    return f"{', '.join(may_be[:-1])} or {may_be[-1]} may be first"


def by_whom(leader: Leader) -> str:
    """What is measured, and by whom."""
    return visible(f"{_words(leader.metric)}, judged by {leader.judge}")


def _words(metric: str) -> str:
    return metric.replace("_", " ").replace("score/", "score: ")
