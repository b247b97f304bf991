"""The verdicts of a benchmark for holding judges against each other, under the names of reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from judgebench.columns import counted, marked
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.judged_values import JudgedValues, of_labels, of_outcomes, of_scores
from judgebench.reports.boards import Columns, meant, renamed, told_apart, where, with_units
from judgebench.store import Store

KINDS: tuple[Kind, ...] = ("label", "preference", "score")


def kinds_of(stored: Columns) -> tuple[Kind, ...]:
    """The sorts of verdicts that two judges or more have given.

    Parameters
    ----------
    stored
        As of `Store.board_verdicts`.
    """
    judges: dict[str, set[str]] = {}
    for kind, judge in counted(stored["kind"], stored["judge_id"]):
        judges.setdefault(kind, set()).add(judge)
    return tuple(kind for kind in KINDS if len(judges.get(kind, ())) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What everybody said, and id -> name of judges and models."""

    values: JudgedValues
    judges: Mapping[str, str]
    models: Mapping[str, str]


def judged_values(
    store: Store, benchmark: str, version: str, kind: Kind, *, stored: Columns | None = None
) -> Judged:
    """What everybody said in one sort of verdict, under the names that agreement reports have.

    Parameters
    ----------
    stored
        What `Store.board_verdicts` has of the benchmark, where that was read before.

    Raises
    ------
    UsageError
        For a benchmark that the store does not hold.
    """
    which = meant(store, f"{benchmark}@{version}")
    stored = stored or store.board_verdicts(which.name, which.version)
    failures: Columns = store.failures(which.name, which.version)
    tables = [stored] if kind == "label" else [failures, stored]
    models, judges = (told_apart(tables, who) for who in ("model", "judge"))
    if kind == "label":
        columns = renamed(stored, models, judges)
    else:
        columns = with_failures(*(renamed(c, models, judges) for c in (stored, failures)))
    if kind == "preference":
        columns = where(columns, marked(columns["opponent"], lambda one: one is not None))
    columns = with_units(columns, store, which)
    values = (
        of_labels(columns, which.labels)
        if kind == "label"
        else of_outcomes(columns)
        if kind == "preference"
        else of_scores(columns)
    )
    return Judged(values=values, judges=judges, models=models)
