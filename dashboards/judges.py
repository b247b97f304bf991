"""What the Agreement page asks: four questions in a row about the same verdicts, read once for all.

They are answered where numbers are computed (`answers.State.compute`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open_store import mark_of

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.reports.agreement import AgreementReport, agreement_report
from judgebench.reports.judge_pairs import (
    Disputes,
    JudgeMatrix,
    TwoJudges,
    disputes,
    judge_matrices,
    two_judges,
)
from judgebench.store import Store

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


def matrices(store: Store, *at: str) -> tuple[JudgeMatrix, ...]:
    """Every two judges; ``at``: benchmark and version."""
    return judge_matrices(store, *at, stored=_verdicts(store, *at))


def against(
    store: Store, benchmark: str, version: str, reference: str, kind: Kind
) -> AgreementReport:
    """Every judge against one of them, compared with each other by it, and what they took."""
    at = benchmark, version
    stored, checks = _verdicts(store, *at), JudgeChecks()
    return agreement_report(
        store, *at, kind=kind, reference=reference, stored=stored, checks=checks
    )


def two(store: Store, benchmark: str, version: str, kind: Kind, *judges: str) -> TwoJudges:
    """One judge beside another."""
    at, (judge, reference) = (benchmark, version), judges
    return two_judges(store, *at, judge, reference, kind, stored=_verdicts(store, *at))


def differing(store: Store, benchmark: str, version: str, kind: Kind, *judges: str) -> Disputes:
    """The items on which some of them differ."""
    at = benchmark, version
    return disputes(store, *at, kind, judges, stored=_verdicts(store, *at))
