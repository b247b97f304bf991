"""What the Agreement page shows, computed where `computer` computes: plain JSON out.

A page asks four questions in a row about the same verdicts, which are read once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computations import people_first
from open_store import mark_of

from judgebench.metrics.agreement import kappa_map
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.disagreement import Disagreements, disagreements
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.judge_pair import Confusion, judge_pair
from judgebench.reports.agreement import agreement_report
from judgebench.reports.estimates import to_json
from judgebench.reports.judge_pairs import judged_values, kinds_of
from judgebench.reports.render import render
from judgebench.store import Store

MOST_JUDGES = 12
"""Columns of what each judge said of an item."""

_read: dict[tuple[str, ...], Mapping[str, Any]] = {}
"""The verdicts that were read last."""


def _verdicts(store: Store, benchmark: str, version: str) -> Mapping[str, Any]:
    """Those of a benchmark as codes, read anew when the store has changed.

    A hundred megabytes a million, so of one benchmark alone; they go with the process.
    """
    at = (store.url, mark_of(store.url), benchmark, version)
    if at not in _read:
        _read.clear()
        _read[at] = store.board_verdicts(benchmark, version)
    return _read[at]


def agreement(
    store: Store, benchmark: str, version: str, reference: str, kind: Kind
) -> dict[str, Any]:
    """Every judge against a reference and with each other, as the report has it, with its CSV."""
    stored = _verdicts(store, benchmark, version)
    report = agreement_report(
        store, benchmark, version, kind=kind, reference=reference, stored=stored,
        checks=JudgeChecks(),
    )  # fmt: skip
    document = report.document(by_model=True)
    return {**document.data, "csv": render(document, "csv")}


def between(store: Store, benchmark: str, version: str) -> dict[str, dict[str, Any]]:
    """By the sort of verdicts that two judges or more have given: every two of them, pooled.

    People first; of the coefficients what stands in a cell of the heat map alone.
    """
    stored = _verdicts(store, benchmark, version)
    return {kind: _between(store, benchmark, version, kind, stored) for kind in kinds_of(stored)}


def _between(
    store: Store, benchmark: str, version: str, kind: Kind, stored: Mapping[str, Any]
) -> dict[str, Any]:
    if kind == "score":
        report = agreement_report(store, benchmark, version, kind=kind, stored=stored, between=True)
        rows = report.to_dict()["between"]
    else:
        values = judged_values(store, benchmark, version, kind, stored=stored).values
        rows = [
            {
                "judge": row.judge,
                "reference": row.reference,
                "metrics": {name: to_json(estimate) for name, estimate in row.metrics.items()},
            }
            for row in kappa_map(values)
        ]
    names = {row[side] for row in rows for side in ("judge", "reference")}
    return {"judges": sorted(names, key=people_first), "rows": rows}


def pair(
    store: Store, benchmark: str, version: str, judge: str, reference: str, kind: Kind
) -> dict[str, Any]:
    """One judge beside another: what was called what, and who is lenient with whom."""
    stored = _verdicts(store, benchmark, version)
    board = judged_values(store, benchmark, version, kind, stored=stored)
    found = judge_pair(board.values, judge, reference)
    return {
        "judge": found.judge,
        "reference": found.reference,
        "unit": found.unit,
        "confusion": None if found.confusion is None else _confusion(found.confusion),
        "leniency": [
            {"model": one.model, "opponent": one.opponent, "estimate": to_json(one.estimate)}
            for one in found.leniency
        ],
    }


def _confusion(found: Confusion) -> dict[str, Any]:
    return {
        "rows": list(found.rows),
        "columns": list(found.columns),
        "counts": found.counts.tolist(),
    }


def differences(
    store: Store, benchmark: str, version: str, kind: Kind, *judges: str
) -> dict[str, Any]:
    """Items on which these judges differ, those on which they differ most first, in words.

    With what each of the first `MOST_JUDGES`, which are ``columns``, said of an item; and with id
    -> name of all models and judges.
    """
    stored = _verdicts(store, benchmark, version)
    board = judged_values(store, benchmark, version, kind, stored=stored)
    found = disagreements(board.values, judges)
    places, columns = range(len(found.items)), found.judges[:MOST_JUDGES]
    return {
        "labels": bool(found.labels),
        "on_scale": found.on_scale,
        "judges": list(found.judges),
        "columns": list(columns),
        "items": list(found.items),
        "differ": [_differing(found, place) for place in places],
        "said": [[_said(found, judge, place) for judge in range(len(columns))] for place in places],
        "names": {"models": dict(board.models), "judges": dict(board.judges)},
    }


def _differing(found: Disagreements, place: int) -> str:
    """How much they differ on an item."""
    differ, compared = found.differ[place], found.compared[place]
    if not found.labels:
        return f"{differ:.2f} over {compared:.0f}"
    return f"{differ:.0f} of {compared:.0f}"


def _said(found: Disagreements, judge: int, place: int) -> str:
    """What a judge said of an item, in a word where it was asked once."""
    votes = found.votes[judge, place]
    n = int(votes.sum())
    if not n:
        return ""
    if not found.labels:
        mean = f"{found.means[judge, place]:.4g}"
        return mean if n == 1 else f"{mean} (mean of {n})"
    if n == 1:
        return found.labels[int(votes.argmax())]
    given = [
        f"{count} {label}"
        for label, count in reversed(list(zip(found.labels, votes.tolist(), strict=True)))
        if count
    ]
    return ", ".join(given)
