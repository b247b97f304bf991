"""What the Training page reads: runs by their tags, their boards, and the report on one of them.

Nothing is computed here but counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import charts
import compare_reads
import streamlit as st
from codec import read
from computed import answer
from long_text import visible
from open_store import opened
from reads import KEPT

from judgebench.metrics import registry
from judgebench.reports.render import render
from judgebench.reports.training import AtStep, Training
from judgebench.reports.versions import Checkpoint, training_runs

JudgeAssignment = tuple[str, str | None]
"""The ids of a judge, and of whom it compares with, if anybody."""


@dataclass(frozen=True, slots=True)
class Known:
    """The training runs with checkpoints judged on a benchmark, and who judged them.

    boards
        By run: the boards that have a checkpoint of it, by the name that the page calls them; the
        one with most checkpoints first.
    """

    runs: Mapping[str, tuple[Checkpoint, ...]]
    boards: Mapping[str, Mapping[str, JudgeAssignment]]
    faults: tuple[str, ...]


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def known(url: str, mark: str, benchmark: str, version: str) -> Known:
    meetings = compare_reads.meetings(url, mark)
    here = [one for one in meetings.all if (one.benchmark, one.version) == (benchmark, version)]
    with opened(url) as store:
        found = training_runs(store, {one.model.id for one in here})
    boards = {}
    for run, its in found.runs.items():
        ids = {one.model_id for one in its}
        judged: dict[str, list[JudgeAssignment]] = {}
        for one in here:
            if one.model.id in ids:
                against = "" if one.opponent is None else f" · against {one.opponent.name}"
                assignment = one.judge.id, None if one.opponent is None else one.opponent.id
                judged.setdefault(f"{meetings.judges[one.judge.id]}{against}", []).append(
                    assignment
                )
        most_first = sorted(judged.items(), key=lambda one: (-len(one[1]), one[0]))
        boards[run] = {name: assignments[0] for name, assignments in most_first}
    return Known(found.runs, boards, found.faults)


def most_checkpoints(
    url: str, mark: str, benchmarks: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those with training runs, the one with the longest first."""
    longest = {
        one: max(map(len, known(url, mark, *one).runs.values()), default=0) for one in benchmarks
    }
    return sorted(filter(longest.get, benchmarks), key=lambda one: -longest[one])


@st.cache_resource(max_entries=KEPT, show_spinner="Computing bands …")
def report(
    url: str, mark: str, benchmark: str, version: str, run: str, assignment: JudgeAssignment
) -> Training:
    judge, opponent = assignment
    asked = {
        "benchmark": f"{benchmark}@{version}", "run": run, "judge": judge, "opponent": opponent,
    }  # fmt: skip
    return read(Training, answer(url, mark, "computed_reports.trained", json.dumps(asked)))


def csv(told: Training) -> str:
    return render(told.document(), "csv")


def row(told: Training, one: AtStep) -> dict[str, Any]:
    """A checkpoint as it is drawn and tabled; shares in percent, as boards show them."""
    scale = registry.metric(told.metric).drawn_times
    estimate = one.estimate
    above = one.above_last or (math.nan,) * 3
    return {
        "step": one.step,
        "model": one.model,
        "value": estimate.value * scale,
        "low": estimate.low * scale,
        "high": estimate.high * scale,
        "band low": one.band.low * scale,
        "band high": one.band.high * scale,
        "n": estimate.n,
        "missing": estimate.missing,
        "above the last": above[0] * scale,
        "above low": above[1] * scale,
        "above high": above[2] * scale,
        "tags": visible(tags(one)),
        "undefined": estimate.undefined or "",
        "is": _is(told, one),
    }


def _is(told: Training, one: AtStep) -> str:
    if told.best is not None and one.model == told.best.model:
        return "best"
    return "last" if one is told.checkpoints[-1] else "other"


def tags(checkpoint: AtStep) -> str:
    """Those that say more than the axis and the page do."""
    shown = {k: v for k, v in checkpoint.tags.items() if k not in ("step", "training_run")}
    return ", ".join(f"{name} {value}" for name, value in sorted(shown.items()))


def sentences(told: Training) -> list[str]:
    """What the best one is worth, and what the last one is beside it."""
    if told.best is None:
        return ["No checkpoint has a readable verdict of this judge."]
    best, last = told.best, told.checkpoints[-1]
    scale, digits = (
        registry.metric(told.metric).drawn_times,
        registry.metric(told.metric).drawn_digits,
    )

    percent = registry.metric(told.metric).in_points
    unit, points = (" %", " points") if percent else ("", "")

    def number(value: float) -> str:
        return charts.number(value * scale, digits)

    said = [
        f"Highest: {best.model} at step {best.step:,g}, {number(best.picked)}{unit} as observed."
    ]
    if best.corrected.undefined:
        said.append(f"Not corrected for selection: {best.corrected.undefined}.")
    elif len(told.checkpoints) > 1:
        said.append(
            f"Corrected for selection (winner's curse): {number(best.corrected.value)}{unit} "
            f"[{number(best.corrected.low)}, {number(best.corrected.high)}]."
        )
    if told.last == "the best":
        said.append("The last checkpoint is the highest.")
    elif told.last is not None:
        above = next((one.above_last for one in told.checkpoints if one.model == best.model), None)
        by = ""
        if above is not None:
            by = " by {}{} [{}, {}]".format(
                number(above[0]), points, *(number(end) for end in above[1:])
            )
        said.append(
            f"The last, {last.model} at step {last.step:,g}, is worse than the best{by}."
            if told.last == "worse"
            else f"Whether the last, {last.model} at step {last.step:,g}, is worse than "
            f"the best is undecided: the best is above it{by}."
        )
    return [visible(line) for line in said]


def identity(told: Training) -> str:
    """One line: which data, which run, which judge, how sure."""
    parts = [
        f"{told.benchmark}@{told.version}",
        told.run,
        f"judge {told.judge}",
        "" if told.opponent is None else f"against {told.opponent}",
        f"{len(told.checkpoints)} checkpoints",
        f"band at {100 * told.level:g} %"
        + ("" if math.isnan(told.critical) else f", {told.critical:.2f} standard errors"),
    ]
    return visible(" · ".join(part for part in parts if part))
