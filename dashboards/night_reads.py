"""What the Nights page reads: which nights there are, and what the report says of each.

Values are those of the boards, decisions those of `judgebench.reports.nights`. Nothing
is computed here but counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import charts
import pandas as pd
import streamlit as st
from codec import read
from computed import answer
from long_text import visible
from open_store import opened
from reads import KEPT, NO_ESTIMATE, Json
from widgets import numbers

from judgebench.metrics import registry
from judgebench.plain_text import counted
from judgebench.reports.document import Document
from judgebench.reports.estimates import p_text
from judgebench.reports.nights import DecidedNight, Nights
from judgebench.reports.render import render
from judgebench.reports.slide import in_words
from judgebench.reports.versions import Night, nights_of


@dataclass(frozen=True, slots=True)
class Drop:
    """Which drop is allowed: a share of the scale, that of a policy as JSON, or a gate's choice."""

    share: float | None = None
    policy: str | None = None


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def timelines(
    url: str, mark: str, benchmark: str, version: str, judge: str, opponent: str | None
) -> Mapping[str, tuple[Night, ...]]:
    """The nights of every name on a board, judge and opponent by id; most nights first."""
    with opened(url) as store:
        return nights_of(store, benchmark, version, judge, opponent)


@st.cache_data(max_entries=KEPT, show_spinner=False)
def baselines(url: str, mark: str, benchmark: str, version: str) -> list[str]:
    """The names of baselines that were ever set here, those that were set first first."""
    with opened(url) as store:
        return list(dict.fromkeys(one.name for one in store.baselines(benchmark, version)))


@st.cache_resource(max_entries=KEPT, show_spinner="Deciding each night …")
def told(
    url: str,
    mark: str,
    board: tuple[str, str, str, str | None],
    name: str,
    against: str,
    fixed: str,
    drop: Drop,
    most: int,
) -> Nights:
    """The report on one name; ``board``: benchmark, version, judge and opponent by id."""
    benchmark, version, judge, opponent = board
    asked = {
        "benchmark": benchmark, "version": version, "judge_id": judge, "opponent_id": opponent,
        "name": name, "against": against, "fixed": fixed, "share": drop.share, "most": most,
        "policy": None if drop.policy is None else json.loads(drop.policy),
    }  # fmt: skip
    return read(Nights, answer(url, mark, "computed_reports.told", json.dumps(asked)))


def points(its: Sequence[Night], board: Json, metric: str) -> list[dict[str, Any]]:
    """Of each night when it was and what the board says of its model; nan where it does not."""
    found = {row["model_id"]: row for row in board["rows"]}
    scale = registry.metric(metric).drawn_times
    return [
        {
            "when": datetime.fromtimestamp(night.first, UTC),
            "model": found[night.model_id]["model"] if night.model_id in found else night.model,
            **numbers(
                found.get(night.model_id, {"metrics": {}})["metrics"].get(metric, NO_ESTIMATE),
                scale,
            ),
        }
        for night in its
    ]


def row(night: DecidedNight, point: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """A night as it is drawn and tabled."""
    decided = night.decided
    cost = night.spent.known_cost
    return {
        **point,
        "decision": "" if decided is None else decided.decision,
        "against": night.against or "",
        "difference": "" if decided is None else _difference(decided, digits),
        "p": "" if decided is None else p_text(decided.p_value),
        "because": visible((decided.because if decided else night.because) or ""),
        "became": ", ".join(night.became),
        "changed": ", ".join(night.changed),
        "served by": ", ".join(night.served),
        "runs": len(night.runs),
        "until": datetime.fromtimestamp(night.last, UTC),
        "calls": sum(night.spent.calls[how] for how in ("live", "batch", "wasted")),
        "USD": math.nan if cost is None else cost,
        "unpriced": night.spent.unpriced,
        "tone": "" if decided is None else decided.decision,
    }


def differences(found: Nights, metric: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of the nights shown, as `timelines.differences` draws them; empty for another metric."""
    scale, slide = registry.metric(metric).drawn_times, found.slide
    if metric != found.metric:
        return pd.DataFrame(), pd.DataFrame()
    rows = []
    for night in found.nights:
        sides = []
        if night.decided is not None and night.against is not None:
            sides.append(("moving", night.decided.difference.value, night.against))
        if slide is not None and night.slide is not None:
            sides.append(("fixed", night.slide.difference, slide.baseline))
        rows += [
            {
                "when": datetime.fromtimestamp(night.first, UTC), "model": night.model,
                "value": value * scale, "from": side, "words": visible(words),
            }
            for side, value, words in sides
            if not math.isnan(value)
        ]  # fmt: skip
    called = []
    if slide is not None and slide.outcome == "slide" and slide.called_s is not None:
        first = found.nights[0].first
        called.append(
            {
                "when": datetime.fromtimestamp(max(slide.called_s, first), UTC),
                "label": "slide called" if slide.called_s >= first else "slide called before",
                "words": visible(in_words(slide)),
            }
        )
    return pd.DataFrame(rows), pd.DataFrame(called)


def evidence(found: Nights, digits: int) -> dict[str, list[Any]]:
    """Of each night shown its difference to the fixed baseline, and the evidence of a slide."""
    scale = registry.metric(found.metric).drawn_times
    those = [night.slide for night in found.nights]
    return {
        "from fixed": [
            "" if one is None or math.isnan(one.difference)
            else ("+" if one.difference > 0 else "") + charts.number(one.difference * scale, digits)
            for one in those
        ],
        "e-value": [math.nan if one is None else one.e_value for one in those],
    }  # fmt: skip


def slide_lines(found: Nights) -> list[str]:
    """What the sequential test of all nights says."""
    if found.slide is None or alone(found):
        return []
    mark = "⚠ " if found.slide.outcome == "slide" else ""
    return [visible(f"{mark}{in_words(found.slide)}")]


def _difference(decided: Any, digits: int) -> str:
    scale = registry.metric(decided.metric).drawn_times
    estimate = decided.difference
    if math.isnan(estimate.value):
        return charts.GAP
    value, low, high = (
        ("+" if end > 0 else "") + charts.number(end, digits)
        for end in (estimate.value * scale, estimate.low * scale, estimate.high * scale)
    )
    return f"{value} [{low}, {high}]"


def csv(found: Nights, rows: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The table with what every row has in common, numbers as they are."""
    records = [
        {
            "benchmark": found.benchmark,
            "version": found.version,
            "judge": found.judge,
            "name": found.name,
            "metric": metric,
            **{name: _plain(value) for name, value in line.items() if name not in ("tone", "note")},
        }
        for line in rows
    ]
    return render(Document(tables=[], records=records, data=records), "csv")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return None if isinstance(value, float) and math.isnan(value) else value


def policy_line(found: Nights) -> str:
    """By what the nights were decided, in one line."""
    if alone(found):
        return "With the next night there is something to compare this one with."
    if found.policy is None:
        return "Nothing could be decided here; the table says why."
    test = found.policy.tests[0]
    metric = found.metric
    allowed = f"{test.max_drop * registry.metric(metric).drawn_times:g}"
    if registry.metric(metric).in_points:
        allowed += " points"
    against = f"baseline {found.against}, as it then stood" if found.against else "the one before"
    said = {"policy": "as the policy says", "chosen here": "chosen here"}
    source = said.get(found.margin_source, found.margin_source.removeprefix("default, "))
    return visible(
        f"Decided here from the verdicts, each night against {against}: one test of "
        f"{metric.replace('_', ' ')} at alpha {100 * found.policy.level:g} %, an allowed drop of "
        f"{allowed} ({source}). A gate by another policy, or with further tests, may have said "
        "otherwise."
    )


def alone(found: Nights) -> bool:
    """Whether this is a first night, which nothing is held against yet."""
    return len(found.nights) == 1 and found.nights[0].against is None


def changes(found: Nights) -> list[dict[str, Any]]:
    """What changed between nights beside the model, each with its words."""
    marks = []
    for before, night in zip(found.nights, found.nights[1:], strict=False):
        for what in night.changed:
            words = (
                f"{', '.join(before.served)} → {', '.join(night.served)}"
                if what == "judge"
                else _other_stack(before.stacks, night.stacks)
            )
            when = datetime.fromtimestamp(night.first, UTC)
            marks.append({"when": when, "what": what, "words": visible(words)})
    return marks


def _other_stack(before: Sequence[str], now: Sequence[str]) -> str:
    """What of the stack is another; of several stacks at once how many there are."""
    if len(before) != 1 or len(now) != 1:
        return f"{counted(len(before), 'stack')} → {counted(len(now), 'stack')}"
    old, new = (_flat(json.loads(one)) for (one,) in (before, now))
    return ", ".join(
        f"{name} {old.get(name, charts.GAP)} → {new.get(name, charts.GAP)}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _flat(stack: Mapping[str, Any]) -> dict[str, Any]:
    """The versions of its parts beside what else it is."""
    versions = stack.get("versions") or {}
    return {name: value for name, value in stack.items() if name != "versions"} | dict(versions)


def change_lines(marks: Sequence[Mapping[str, Any]]) -> list[str]:
    names = {"judge": "another model serves the judge", "stack": "answers from another stack"}
    return [f"⚠ {mark['when']:%Y-%m-%d}: {names[mark['what']]}: {mark['words']}" for mark in marks]


def drift_lines(found: Nights) -> list[str]:
    """What the judge's anchors say."""
    drift = found.drift
    if drift is None:
        return []
    if drift.alarm is not None:
        return [visible(f"⚠ {drift.alarm}")]
    if not drift.looks:
        return [f"{drift.answers} anchors are pinned for this judge, and were not looked at since."]
    return [
        f"{drift.answers} anchors of this judge, looked at {len(drift.looks)} times: no drift "
        f"(always-valid p {drift.p_value:.2g})."
    ]


def identity(found: Nights, board: Json) -> str:
    """One line: which data, whose nights, which judge, served by whom."""
    served = ", ".join(board["served_models"])
    parts = [
        f"{found.benchmark}@{found.version}",
        found.name,
        f"judge {found.judge}",
        "" if found.opponent is None else f"against {found.opponent}",
        board["judge_is"],
        f"served by {served}" if served else "",
        f"{len(found.nights)} nights" if len(found.nights) != 1 else "1 night",
    ]
    return visible(" · ".join(part for part in parts if part))
