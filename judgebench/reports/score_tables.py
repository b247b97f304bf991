"""How far scores follow a reference's, as tables for people: a line for each judge and level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.score_agreement import BLOCK, SAMPLE, SYSTEM, UPSTREAM
from judgebench.reports import estimates
from judgebench.reports.agreement_tables import (
    AgreementReport,
    Scores,
    beside_others,
    between_tables,
)
from judgebench.reports.document import Column, Table
from judgebench.reports.judge_comparison import cost_columns, cost_notes, difference_tables
from judgebench.stats.judge_quality import CORRELATIONS

RANKED_BY = "spearman"
"""Of the models; where it is undefined, a judge comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One level of one judge: which metrics, and what they rest on in words."""

    begins: str
    ends: str
    level: str
    over: str


def score_tables(report: AgreementReport) -> Iterable[Table]:
    """Judges against the reference, and every two against each other."""
    at = f"{report.benchmark}@{report.version}, scores"
    if report.rows and report.scores is not None:
        yield _against(report, report.scores, at)
        yield from difference_tables(report.differences, at, level=report.level)
    if report.between:
        yield from between_tables(
            _without_ends(report.between), at, "answers", "", shown=BETWEEN, beside=BETWEEN_TOO
        )


BETWEEN = (RANKED_BY, "Spearman's correlation of the models' mean scores")
BETWEEN_TOO = {f"{SAMPLE}{RANKED_BY}": "Spearman's, among the answers to one question"}


def _without_ends(rows: Iterable[AgreementRow]) -> list[AgreementRow]:
    """Correlations of few models have no interval here."""
    found = []
    for row in rows:
        models = replace(row.metrics[RANKED_BY], low=math.nan, high=math.nan)
        found.append(replace(row, metrics={**row.metrics, RANKED_BY: models}))
    return found


def _against(report: AgreementReport, scores: Scores, at: str) -> Table:
    ordered = sorted(report.rows, key=_by_ranking)
    beside = cost_columns(report.costs)
    cells, notes = [], []
    for row in ordered:
        counts = scores.counts[row.judge]
        for n, line in enumerate(_lines(scores, counts)):
            found = [row.metrics[f"{line.begins}{name}{line.ends}"] for name in CORRELATIONS]
            who = [row.judge if n == 0 else "", line.level]
            took = [said[row.judge] if n == 0 else "" for _, said in beside]
            cells.append([*who, *(estimates.text(e) for e in found), line.over, *took])
            if why := found[0].undefined:
                notes.append(f"{estimates.UNDEFINED} {row.judge}, {line.level}: {why}")
    return Table(
        title=f"{at}, judges against {report.reference}",
        subtitle=f"{_made_of(report)}intervals resample questions",
        columns=[
            Column(title="judge", wraps=True),
            Column(title="among"),
            Column(title="Pearson", align="right"),
            Column(title="Spearman", align="right"),
            Column(title="Kendall", align="right"),
            Column(title="over"),
            *(column for column, _ in beside),
        ],
        rows=cells,
        notes=[
            *notes,
            *beside_others(report),
            "over: where judge and reference both tell answers apart, else there is no correlation",
            *_coverage(ordered, scores),
            *cost_notes(report.costs),
        ],
    )


def _by_ranking(row: AgreementRow) -> tuple[float, str]:
    value = row.metrics[RANKED_BY].value
    return (math.inf if math.isnan(value) else -value), row.judge


def _lines(scores: Scores, counts: Mapping[str, int]) -> list[_Line]:
    """What is said of one judge; upstream's reading only where it is another."""
    unread = scores.unparsed is not None and counts["unreadable"]
    found = []
    for ends in ("", UPSTREAM) if unread else ("",):
        said = ", upstream" if ends else ""
        questions = f"{counts[f'compared{ends}']} of {counts['with_several']} questions"
        levels = [
            (SAMPLE, "answers to one question", questions),
            (SYSTEM, "models", f"{counts['systems']} models"),
        ]
        if scores.block is not None:
            blocks = f"{counts[f'blocks_compared{ends}']} of {counts['blocks']} blocks"
            levels.append((BLOCK, f"{scores.block} answers in a row", blocks))
        found += [
            _Line(begins=begins, ends=ends, level=f"{level}{said}", over=over)
            for begins, level, over in levels
        ]
    return found


def _made_of(report: AgreementReport) -> str:
    if report.raters == (report.reference,):
        return ""
    if len(report.raters) == 1:
        return f"scores of {report.raters[0]}; "
    return f"the mean of {', '.join(report.raters)}; "


def _coverage(rows: Iterable[AgreementRow], scores: Scores) -> Iterable[str]:
    for row in rows:
        counts = scores.counts[row.judge]
        reasons = ("unreadable", "failed", "not_asked")
        said = [f"{counts[why]} {why.replace('_', ' ')}" for why in reasons if counts[why]]
        missing = f"; missing: {', '.join(said)}" if said else ""
        yield (
            f"{row.judge}: {counts['answers']} answers to {counts['questions']} questions, "
            f"{counts['with_several']} of which have several{missing}"
        )
    if scores.block is not None:
        yield (
            f"{scores.block} answers in a row, by id, is what upstream takes for those to one "
            "question; no interval, since such blocks cut across questions"
        )
    if scores.unparsed is not None and any(c["unreadable"] for c in scores.counts.values()):
        yield f"upstream: an unreadable score counts as {scores.unparsed:g}; else it is left out"
