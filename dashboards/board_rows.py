"""The rows of a leaderboard as they are tabled and drawn, from the report's JSON of a board."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import charts
import pandas as pd
import reads
import widgets
from badges import badges, is_apart
from board_reads import LENGTH_CONTROLLED, WIN_RATE

from judgebench.metrics import registry


class Beside(NamedTuple):
    """A win rate that stands beside the metric that is shown, and what it is called there."""

    metric: str
    words: str


BESIDE = {
    "lc": Beside(LENGTH_CONTROLLED, "length-controlled"),
    "raw": Beside(WIN_RATE, "plain win rate"),
}
"""By what their columns begin with."""

SAID = ("items", "verdicts")
"""Counts that stand above the table, and that n says."""

COUNTS = {
    "n_wins": "won", "n_losses": "lost", "n_ties": "tied", "half": "in one order only",
    "judge_truncated": "judge cut off", "judge_refused": "judge refused",
}  # fmt: skip
"""How counts are headed where their names do not say it."""

ALWAYS = ("rank", "rank_low", "rank_high", "model", "value", "low", "high", "n", "missing",
          "unreadable")  # fmt: skip
"""Columns that stand there even if all is zero; the others come when they have something to say."""

DRAWN = ("tone", "name", "note", "beside note", "badges")
"""Columns that are only drawn."""


def table(
    board: reads.Json, metric: str, floor: float, *, beside: str | None = None
) -> pd.DataFrame:
    """One row for each model in the order of the report, which has suspicious ones at the end.

    Parameters
    ----------
    beside
        A key of `BESIDE`: the win rate that stands beside the metric, if one does. Where no model
        has it, none does: the page says once why.
    """
    wanted = BESIDE[beside].metric if beside else ""
    known = (row["metrics"].get(wanted, reads.NO_ESTIMATE)["value"] for row in board["rows"])
    beside = beside if any(value is not None for value in known) else None
    counted = dict.fromkeys(name for row in board["rows"] for name in row["counts"])
    names = [name for name in counted if name not in SAID]
    return pd.DataFrame([_row(row, metric, names, floor, beside) for row in board["rows"]])


def _row(
    row: reads.Json, metric: str, counted: Sequence[str], floor: float, beside: str | None
) -> dict[str, Any]:
    scale, digits = registry.metric(metric).drawn_times, registry.metric(metric).drawn_digits
    estimate = row["metrics"].get(metric, reads.NO_ESTIMATE)
    numbers = widgets.numbers(estimate, scale)
    undefined = numbers.pop("undefined")
    counts = row["counts"]
    said = ", ".join(badge.text for badge in badges(row, floor))
    published = row.get("published", {}).get(metric)
    told = {
        "rank": row["rank"],
        "rank_low": row["rank_low"],
        "rank_high": row["rank_high"],
        "model": row["model"],
        **{name: numbers.pop(name) for name in ("value", "low", "high")},
        **_beside(row, "lc", beside),
        **_beside(row, "raw", beside),
        **numbers,
        "flags": said,
        "published": math.nan if published is None else published * scale,
        "worst case": widgets.worst_case(estimate, scale, digits),
        **{COUNTS.get(name, name.replace("_", " ")): counts.get(name, 0) for name in counted},
        "undefined": undefined,
        "tone": tone(row),
        "name": f"{rank_text(row)}\u2002{row['model']}",
        "badges": said,
    }
    marks = said.split(" ", 1)[0] if said else ""
    note = widgets.note(told, digits)
    note = f"{note} · {marks}" if marks else note
    return told | {"note": note, "beside note": "" if beside is None else _note(told, beside)}


def _beside(row: reads.Json, which: str, wanted: str | None) -> dict[str, Any]:
    """A win rate beside the metric; nan, with the reason, where it has no value."""
    estimate = row["metrics"].get(BESIDE[which].metric) if which == wanted else None
    numbers = widgets.numbers(reads.NO_ESTIMATE if estimate is None else estimate, 1.0)
    told = {f"{which} {name}": numbers[name] for name in ("value", "low", "high")}
    return told | {f"{which} undefined": numbers["undefined"] if estimate is not None else ""}


def _note(row: Mapping[str, Any], which: str) -> str:
    if not math.isnan(row[f"{which} value"]):
        ends = ", ".join(charts.number(row[f"{which} {end}"], 1) for end in ("low", "high"))
        return f"{charts.number(row[f'{which} value'], 1)} [{ends}] {BESIDE[which].words}"
    undefined = row[f"{which} undefined"]
    return f"{charts.GAP} {undefined}" if undefined else ""


def rank_text(row: reads.Json) -> str:
    """``1–3``: the model's set of ranks, which holds with those of all others."""
    low, high = row["rank_low"], row["rank_high"]
    if row["rank"] is None:
        return charts.GAP
    return f"{low}" if low == high else f"{low}–{high}"


def tone(row: reads.Json) -> str:
    """How the row is drawn: a field of `board_charts.TONES`."""
    if is_apart(row):
        return "apart"
    if "coverage" in row["flags"]:
        return "alarm"
    return "first" if row["rank_low"] == 1 else "rest"


def only(rows: pd.DataFrame, models: Sequence[str], words: str) -> pd.DataFrame:
    """The rows of some models, all where none are named, with all of some words in their names."""
    names = rows["model"].str.casefold()
    wanted = rows["model"].isin(models) if models else pd.Series(True, index=rows.index)
    for word in words.casefold().split():
        wanted &= names.str.contains(word, regex=False)
    return rows[wanted]


def tabled(rows: pd.DataFrame) -> pd.DataFrame:
    """What stands in the table: without columns that say nothing."""
    silent = [
        name
        for name in rows
        if name in DRAWN
        or (name not in ALWAYS and not any(pd.notna(one) and one for one in rows[name]))
    ]
    ranks = rows[["rank", "rank_low", "rank_high"]].astype("Int64")
    return rows.assign(**ranks).drop(columns=silent)
