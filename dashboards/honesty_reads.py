"""What the Honesty page reads: who says what is correct, which confidences there are, the report.

The numbers are those of `judgebench confidence`; of a large store only the verdicts of the judges
that matter are read, and nothing where there is no confidence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import charts
import streamlit as st
from codec import read
from computed import answer
from long_text import visible
from reads import KEPT

from judgebench.records import Estimate
from judgebench.reports.confidence import (
    TITLES,
    Choice,
    ConfidenceReport,
    ConfidenceRow,
)
from judgebench.reports.estimates import bounded, finite
from judgebench.reports.render import render

MOST_DRAWN = 5
"""Curves on one drawing; tables have all that were chosen."""

DIGITS = 3

ALL = "all"


@st.cache_data(max_entries=KEPT, show_spinner="Looking for labels …")
def who_labels(url: str, mark: str, benchmark: str, version: str) -> dict[str, str]:
    """The judges that have said which answers are correct: name -> id."""
    found: dict[str, str] = answer(url, mark, "computations.who_labels", benchmark, version)
    return found


@st.cache_data(max_entries=KEPT, show_spinner="Looking for confidences …")
def what_there_is(url: str, mark: str, benchmark: str, version: str, correct: str | None) -> Choice:
    asked = {"benchmark": f"{benchmark}@{version}", "correct": correct}
    return read(Choice, answer(url, mark, "computed_reports.chosen", json.dumps(asked)))


@st.cache_data(max_entries=KEPT, show_spinner="Looking for confidences …")
def that_have_some(url: str, mark: str, benchmarks: tuple[str, ...]) -> list[str]:
    """Those that have labels and confidences, as ``NAME@VERSION``."""
    found: list[str] = answer(url, mark, "computations.with_confidences", *benchmarks)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reader chose: a judge by id, models and confidences as they are shown."""

    benchmark: str
    version: str
    correct: str
    models: tuple[str, ...]
    confidences: tuple[str, ...]


@st.cache_resource(max_entries=8, show_spinner="Computing intervals …")
def report(url: str, mark: str, asked: Asked, judges: frozenset[str]) -> ConfidenceReport:
    """The report on what was chosen. It is frozen: all readers look at one and the same."""
    given = {
        "benchmark": f"{asked.benchmark}@{asked.version}",
        "correct": asked.correct,
        "confidences": asked.confidences,
        "judges": sorted(judges),
        "models": asked.models,
    }
    return read(ConfidenceReport, answer(url, mark, "computed_reports.sure", json.dumps(given)))


def csv(found: ConfidenceReport) -> str:
    return render(found.document(by_set=True), "csv")


# words ------------------------------------------------------------------------------------------


def stretches(found: ConfidenceReport) -> dict[str, str]:
    """Over what there are figures, the whole first: a name for the link, and what it says."""
    seen = dict.fromkeys((row.scope, row.over, row.sets) for row in found.rows)
    said = {}
    for scope in ("all", "domain", "set"):
        for its, over, sets in seen:
            if its == scope == "all":
                said[ALL] = "all questions" if len(sets) < 2 else f"all {len(sets)} sets"
            elif its == scope:
                said[f"{scope}:{over}"] = over if scope == "set" else f"{over} (domain)"
    return said


def over(row: ConfidenceRow) -> str:
    """The name of its stretch in a link."""
    return ALL if row.scope == "all" else f"{row.scope}:{row.over}"


def series(found: ConfidenceReport) -> dict[tuple[str, str], str]:
    """Model and confidence -> what a curve is called, no longer than it has to be."""
    pairs = list(dict.fromkeys((row.model, row.confidence) for row in found.rows))
    models, confidences = ({pair[side] for pair in pairs} for side in (0, 1))
    return {
        (model, confidence): visible(
            confidence
            if len(models) < 2
            else model
            if len(confidences) < 2
            else f"{confidence} · {model}"
        )
        for model, confidence in pairs
    }


def identity(found: ConfidenceReport, stretch: str) -> str:
    """One line: which data, who says what is correct, over what the figures are."""
    rows = [row for row in found.rows if over(row) == stretch]
    parts = [
        f"{found.benchmark}@{found.version}",
        f"{found.positive}: what {found.correct} calls so",
    ]
    if rows and (averaged := found.averaged(rows[0])):
        parts.append(averaged)
    return visible(" · ".join(parts))


def said(estimate: Estimate, digits: int = DIGITS, *, at_most: bool = False) -> str | None:
    """``0.620 [0.482, 0.751]``; None where undefined, which a table shows as a dash.

    ``at_most`` as in `judgebench.reports.estimates.text`.
    """
    if math.isnan(estimate.value):
        return None
    value = charts.number(estimate.value, digits)
    if math.isnan(estimate.low):
        return f"{value} [no interval]"
    if at_most:
        return f"{value}, at most {charts.number(estimate.high, digits)}"
    ends = (charts.number(end, digits) for end in (estimate.low, estimate.high))
    return f"{value} [{', '.join(ends)}]"


def figure(name: str, estimate: Estimate) -> str | None:
    """A metric as it is said; of an ECE that may be 0, what it is at most."""
    return said(estimate, at_most=bounded(name, estimate))


def counts(estimate: Estimate) -> str:
    missing = f", {estimate.missing:,} missing" if estimate.missing else ""
    return f"n {estimate.n:,}{missing}"


# drawings as rows -------------------------------------------------------------------------------


def auroc_rows(
    rows: Sequence[ConfidenceRow], names: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]]:
    """An AUROC with its interval for each row, named after its stretch where there are several."""
    several = len({over(row) for row in rows}) > 1
    found = []
    for row in rows:
        estimate = row.metrics["auroc"]
        name = names[row.model, row.confidence]
        value = said(estimate) or f"{charts.GAP} undefined"
        found.append(
            {
                "name": visible(f"{row.over} · {name}") if several else name,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "note": visible(f"{value} · {counts(estimate)}"),
                "why": visible(estimate.undefined or ""),
                "tone": name,
            }
        )
    return found


def step_rows(row: ConfidenceRow, name: str, tone: str) -> list[dict[str, Any]]:
    """The curve of risk as a line of steps, in percent."""
    if row.curve is None:
        return []
    ends = zip(row.curve.edges[:-1], row.curve.edges[1:], row.curve.risk, strict=True)
    return [
        {"name": name, "series": tone, "coverage": 100 * float(edge), "risk": 100 * float(risk)}
        for start, end, risk in ends
        for edge in (start, end)
    ]


def point_rows(row: ConfidenceRow, name: str, beside: float) -> list[dict[str, Any]]:
    """Its points with intervals, in percent; ``beside`` keeps curves from covering each other."""
    if row.curve is None:
        return []
    return [
        {
            "name": name,
            "coverage": 10.0 * tenth,
            "at": min(100.0, 10.0 * tenth + beside),
            "risk": 100 * point.value,
            "low": 100 * finite_or(point.low, point.value),
            "high": 100 * finite_or(point.high, point.value),
            "note": visible(f"{said(point)} · {point.n:,} answers given"),
        }
        for tenth, point in enumerate(row.curve.points, 1)
    ]


def finite_or(end: float, other: float) -> float:
    return other if finite(end) is None else end


def bin_rows(row: ConfidenceRow) -> list[dict[str, Any]]:
    """The bins of the reliability diagram; empty ones keep their place and have no point."""
    bins, (low, high) = row.bins, row.bin_intervals()
    found = []
    for i, n in enumerate(bins.n.tolist()):
        end = "]" if i == len(bins.n) - 1 else ")"
        place = f"[{bins.low[i]:.1f}, {bins.high[i]:.1f}{end}"
        right = f"{bins.accuracy[i]:.3f} [{low[i]:.3f}, {high[i]:.3f}]" if n else charts.GAP
        found.append(
            {
                "from": float(bins.low[i]),
                "to": float(bins.high[i]),
                "n": n,
                "confidence": finite(float(bins.confidence[i])),
                "accuracy": finite(float(bins.accuracy[i])),
                "low": finite(float(low[i])),
                "high": finite(float(high[i])),
                "bin": place,
                "note": f"{right} correct, n {n:,}",
            }
        )
    return found


def table_rows(rows: Sequence[ConfidenceRow]) -> list[dict[str, Any]]:
    """Every figure with its interval."""
    return [
        {
            "model": row.model,
            "confidence": row.confidence,
            "n": row.metrics["auroc"].n,
            "missing": row.metrics["auroc"].missing,
            **{title: figure(name, row.metrics[name]) for name, title in TITLES.items()},
            "alignment from": finite(row.threshold),
            "samples": "" if row.samples is None else _samples(*row.samples),
        }
        for row in rows
    ]


def _samples(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least}–{most}"
