"""How well confidences tell correct answers from wrong ones, by model and confidence."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.confidence_board import Figures, QuestionSet, estimates_of, figures
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.registry import meanings, metric
from judgebench.metrics.risk_curve import TENTHS, RiskCurve, risk_curve, set_curve
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.boards import meant
from judgebench.reports.confidence_data import Confidence, ConfidenceData, Unread, question_sets
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Figure
from judgebench.stats.answer_confidence import RougeL
from judgebench.stats.calibration_error import ReliabilityBins, reliability_bins
from judgebench.stats.confidence import RiskCoverage, risk_coverage
from judgebench.stats.resample import Resamples, wilson_interval
from judgebench.store import Store

Scope = Literal["all", "domain", "set"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceRow:
    """One confidence of one model, over some sets.

    scope, over
        ``all``; a ``domain`` or a ``set`` by name.
    threshold
        That ``alignment`` was found at; nan over several sets, each of which has its own.
    samples
        The least and the largest number of samples that an answer's confidence rests on; None
        where it rests on none.
    reliability, risk
        Of all its answers together: in exact bins; what is wrong among the most confident ones, at
        every tenth of the answers given.
    curve
        Where curves were asked for and there is one: over several sets the mean of theirs, as the
        metrics are.
    """

    model: str
    confidence: str
    judge: str | None
    scope: Scope
    over: str
    sets: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    threshold: float
    samples: tuple[int, int] | None
    reliability: ReliabilityBins
    risk: RiskCoverage
    curve: RiskCurve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceReport:
    """The confidences of a benchmark.

    correct
        The judge whose labels count, and ``positive`` its word for a correct answer.
    sizes, full
        The weights of the sets; whether they are those of the whole benchmark, or of the
        questions that the store holds.
    unread
        Of each judge concerned.
    """

    benchmark: str
    version: str
    correct: str
    positive: str
    sizes: Mapping[str, int]
    full: bool
    domains: Mapping[str, str]
    rouge: RougeL
    rows: tuple[ConfidenceRow, ...]
    unread: tuple[Unread, ...]
    warnings: tuple[str, ...]


def confidence_report(
    store: Store,
    benchmark: str,
    *,
    correct: str | None = None,
    confidences: Collection[str] = (),
    judges: Collection[str] | None = None,
    models: Collection[str] | None = None,
    rouge: RougeL = "lin",
    curves: bool = False,
    intervals: Intervals | None = None,
) -> ConfidenceReport:
    """Every confidence of every model, against one judge's labels.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    correct
        The judge whose labels say what is correct; the only one that labels if not given.
    confidences
        Only these, by name; all if empty.
    judges
        Only what these judges said, by id; all if not given.
    models
        Rows of these models only, as they are shown; all if not given. What others have answered
        still says what the sets of questions are.
    rouge
        Which ROUGE-L Consis-Lex is made of.
    curves
        Whether rows have curves of risk with intervals, which takes as long again.

    Raises
    ------
    UsageError
        For a benchmark, judge or confidence that the store does not hold; where nobody, or more
        than one judge, says what is correct.
    """
    which = meant(store, benchmark)
    wanted = intervals or Intervals()
    data = ConfidenceData(store, which, rouge=rouge, judges=judges)
    judge = data.labelling(correct)
    labels = data.correct(judge)
    chosen = _chosen(data, confidences)
    answers = data.answers().union(labels, *(one.of for one in chosen if one.of))
    sets, full = question_sets(data, answers)
    draws = [wanted.resamples(questions.units) for questions in sets]
    rows: list[ConfidenceRow] = []
    for model in sorted({model for model, _ in answers if models is None or model in models}):
        its = {item: labels.get((m, item), math.nan) for m, item in answers if m == model}
        of_model = [
            row
            for one in chosen
            for row in _rows(model, one, its, judge, sets, draws, wanted, curves=curves)
        ]
        rows += sorted(of_model, key=_best_first)
    domains = {q.name: q.domain for q in sets if q.domain is not None}
    judges = {one.judge: "confidence" for one in chosen if one.judge is not None}
    return ConfidenceReport(
        benchmark=which.name,
        version=which.version,
        correct=judge,
        positive=which.labels[-1],
        sizes={questions.name: questions.size for questions in sets},
        full=full,
        domains=domains,
        rouge=rouge,
        rows=tuple(rows),
        unread=(
            data.unread(judge, "correctness"),
            *(data.unread(name, role) for name, role in judges.items() if name != judge),
        ),
        warnings=_warnings(data, chosen),
    )


def _chosen(data: ConfidenceData, names: Collection[str]) -> list[Confidence]:
    known = data.confidences()
    for name in names:
        if name not in known:
            raise UsageError(f"{data.which}: {unknown_name('confidence', name, known)}")
    return [make() for name, make in known.items() if not names or name in names]


def _rows(
    model: str,
    confidence: Confidence,
    labels: Mapping[str, float],
    judge: str,
    sets: Sequence[QuestionSet],
    draws: Sequence[Resamples],
    intervals: Intervals,
    *,
    curves: bool,
) -> list[ConfidenceRow]:
    """Over all sets, over each domain and over each set, as far as these are different things."""
    found = [
        figures(
            questions,
            confidence=np.array([confidence.of.get((model, i), math.nan) for i in questions.items]),
            correct=np.array([labels.get(i, math.nan) for i in questions.items]),
            expected=np.array([i in labels for i in questions.items]),
            resamples=resamples,
            seed=intervals.seed,
            why_none=_why_none(model, confidence, labels, judge, questions),
            level=intervals.level,
        )
        for questions, resamples in zip(sets, draws, strict=True)
    ]
    domains = {questions.domain for questions in sets} - {None}
    drawn = {
        one.name: set_curve(one, resamples)
        for one, resamples in zip(found, draws if curves else (), strict=curves)
    }
    scopes: list[tuple[Scope, str, list[Figures]]] = [("all", "all", found)]
    if len(domains) > 1:
        for domain in sorted(map(str, domains)):
            inside = [one for one, q in zip(found, sets, strict=True) if q.domain == domain]
            scopes.append(("domain", domain, inside))
    if len(sets) > 1:
        scopes += [("set", one.name, [one]) for one in found]
    n = [n for (m, _), n in confidence.samples.items() if m == model]
    rows = []
    for scope, over, some in scopes:
        given = np.concatenate([one.confidence for one in some])
        right = np.concatenate([one.correct for one in some])
        rows.append(
            ConfidenceRow(
                model=model,
                confidence=confidence.name,
                judge=confidence.judge,
                scope=scope,
                over=over,
                sets=tuple(one.name for one in some),
                metrics=estimates_of(some, intervals),
                threshold=some[0].threshold if len(some) == 1 else math.nan,
                samples=(min(n), max(n)) if n else None,
                reliability=reliability_bins(given, right, binning="exact"),
                risk=risk_coverage(given, right).at(TENTHS),
                curve=(
                    risk_curve(some, [drawn[one.name] for one in some], intervals)
                    if curves
                    else None
                ),
            )
        )
    return rows


def _why_none(
    model: str,
    confidence: Confidence,
    labels: Mapping[str, float],
    judge: str,
    questions: QuestionSet,
) -> str:
    if not any(item in labels for item in questions.items):
        return "the model has answered nothing here"
    if all(math.isnan(labels.get(item, math.nan)) for item in questions.items):
        return f"no label of {judge} could be had"
    if not any((model, item) in confidence.of for item in questions.items):
        return confidence.why_none
    return "no answer has both a label and a confidence"


def _best_first(row: ConfidenceRow) -> tuple[bool, float]:
    """Among the rows of one model and one stretch, by AUROC; what has none comes last."""
    auroc = row.metrics["auroc"].value
    return (math.isnan(auroc), 0.0 if math.isnan(auroc) else -auroc)


def _warnings(data: ConfidenceData, chosen: Sequence[Confidence]) -> tuple[str, ...]:
    found = [
        f"{judge} does not score from 0 to 1; what it says is no confidence"
        for judge in data.other_scales()
    ]
    if data.impossible:
        found.append(
            f"{data.impossible} greedy answers have a positive log-probability, which is none; "
            "they count as having none"
        )
    for one in chosen:
        n = set(one.samples.values())
        if len(n) > 1:
            found.append(f"{one.name} rests on {min(n)} to {max(n)} samples of an answer")
    return tuple(found)


FIRST_ROWS = 12
"""Rows that are looked at of each judge on each model, of a question's samples the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What can be held against the labels of one judge.

    judges
        Ids of all whose verdicts matter: that judge's, and those that give confidences.
    models
        Whose answers there are, or were judged.
    confidences
        Those that there are, by the name that reports give them.
    lacking
        The other ones, and why there are none.
    """

    judges: frozenset[str]
    models: tuple[str, ...]
    confidences: tuple[str, ...]
    lacking: Mapping[str, str]


def labelling(store: Store, benchmark: str) -> dict[str, str]:
    """The judges that have said which first answers are correct: the name shown -> the id.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    """
    data = ConfidenceData(store, meant(store, benchmark), rouge="lin", first=FIRST_ROWS)
    known = set(data.labelling_judges())
    ids = sorted(data.judges.items(), key=lambda one: (one[1], one[0]))
    return {name: judge for judge, name in ids if name in known}


def choice(store: Store, benchmark: str, correct: str | None) -> Choice:
    """The models and confidences of a benchmark.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    correct
        The judge whose labels count, by id; None where nobody labels.
    """
    which = meant(store, benchmark)
    everybody = ConfidenceData(store, which, rouge="lin", first=FIRST_ROWS)
    giving = everybody.confidence_judges()
    ids = {judge for judge, name in everybody.judges.items() if name in giving}
    judges = frozenset(ids if correct is None else ids | {correct})
    # Again with these alone, since what they are called depends on who else is there.
    data = ConfidenceData(store, which, rouge="lin", judges=judges, first=FIRST_ROWS)
    found = {name: make() for name, make in data.confidences().items()}
    answers = data.answers().union(*(one.of for one in found.values()))
    if correct is not None and (judge := data.judges.get(correct)) in data.labelling_judges():
        answers |= set(data.correct(judge))
    return Choice(
        judges=judges,
        models=tuple(sorted({model for model, _ in answers})),
        confidences=tuple(name for name, one in found.items() if one.of or one.judge),
        lacking={name: one.why_none for name, one in found.items() if not one.of and not one.judge},
    )


TITLES = {
    name: metric(name).title for name in ("auroc", "ece", "alignment", "brier", "accuracy", "aurc")
}
_FIRST = ("auroc", "ece", "alignment")


def to_json(report: ConfidenceReport) -> dict[str, Any]:
    """All rows, those of single sets too; what is undefined is null with its reason."""
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "correct": report.correct,
        "positive": report.positive,
        "rouge": report.rouge,
        "sizes": dict(report.sizes),
        "sizes_of": "benchmark" if report.full else "store",
        "domains": dict(report.domains),
        "rows": [_row_json(row, report) for row in report.rows],
        "unread": [
            {"judge": one.judge, "role": one.role, "n": one.n, "of": one.of, "share": _share(one)}
            for one in report.unread
        ],
        "warnings": list(report.warnings),
    }


def _share(one: Unread) -> float | None:
    return one.n / one.of if one.of else None


def _row_json(row: ConfidenceRow, report: ConfidenceReport) -> dict[str, Any]:
    bins = row.reliability
    return {
        "model": row.model,
        "confidence": row.confidence,
        "judge": row.judge,
        "version": report.version,
        "scope": row.scope,
        "over": row.over,
        "sets": list(row.sets),
        "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
        "alignment_threshold": estimates.finite(row.threshold),
        "samples": None if row.samples is None else list(row.samples),
        "reliability": [
            {
                "low": float(bins.low[i]),
                "high": float(bins.high[i]),
                "n": int(bins.n[i]),
                "confidence": estimates.finite(float(bins.confidence[i])),
                "accuracy": estimates.finite(float(bins.accuracy[i])),
            }
            for i in range(len(bins.n))
        ],
        "risk_coverage": [
            {"coverage": float(coverage), "threshold": float(threshold), "risk": float(risk)}
            for coverage, threshold, risk in _points(row)
        ],
    }


def _points(row: ConfidenceRow) -> Iterator[tuple[Any, Any, Any]]:
    return zip(row.risk.coverage, row.risk.threshold, row.risk.risk, strict=True)


def document(report: ConfidenceReport, *, by_set: bool = False, bins: bool = False) -> Document:
    """The report for printing.

    Parameters
    ----------
    by_set
        Whether single sets have a table each.
    bins
        Whether tables show the reliability diagram of each confidence, and the risk that is left
        where only the most confident answers are given, over all sets.
    """
    tables = [_table(report, over) for over in _stretches(report, by_set)]
    if tables:  # once, under the first
        tables[0] = replace(tables[0], notes=[*tables[0].notes, meanings(TITLES)])
    if bins:
        tables += [
            table(row, report)
            for row in report.rows
            if row.scope == "all" and row.reliability.n.any()
            for table in (_bins_table, _risk_table)
        ]
    return Document(
        tables=tables,
        records=[record for row in report.rows for record in _records(row, report)],
        data=to_json(report),
    )


def _stretches(report: ConfidenceReport, by_set: bool) -> list[tuple[str, str]]:
    scopes = ("all", "domain", "set") if by_set else ("all", "domain")
    found = {(row.scope, row.over) for row in report.rows if row.scope in scopes}
    return sorted(found, key=lambda one: (scopes.index(one[0]), one[1]))


def _table(report: ConfidenceReport, stretch: tuple[str, str]) -> Table:
    scope, over = stretch
    rows = [row for row in report.rows if (row.scope, row.over) == stretch]
    shown = [row for row in rows if row.metrics["auroc"].n]
    columns = [Column(title="model", wraps=True), Column(title="confidence", wraps=True)]
    columns += [
        Column(title=title, align="right", spare=name not in _FIRST)
        for name, title in TITLES.items()
    ]
    columns += [Column(title=title, align="right", spare=True) for title in ("n", "missing")]
    which = "" if scope == "all" else f", {over}"
    return Table(
        title=f"{report.benchmark}@{report.version}{which}: confidence against {report.correct}",
        subtitle=_subtitle(report, rows),
        columns=columns,
        rows=[
            [
                row.model,
                row.confidence,
                *(_text(name, row.metrics[name]) for name in TITLES),
                str(row.metrics["auroc"].n),
                str(row.metrics["auroc"].missing),
            ]
            for row in shown
        ],
        notes=[
            *reasons(rows),
            *without_interval(rows),
            *(said_besides(report) if scope == "all" else ()),
        ],
    )


def _text(name: str, estimate: Estimate) -> str:
    at_most = estimates.bounded(name, estimate)
    return estimates.text(estimate, digits=metric(name).digits, at_most=at_most)


def _subtitle(report: ConfidenceReport, rows: Sequence[ConfidenceRow]) -> str:
    said = "ECE is corrected for the bias of its bins; at most: nothing rules out 0"
    sets = rows[0].sets if rows else ()
    if len(sets) < 2:
        return said
    of = "in full" if report.full else "as far as the store has them"
    return f"mean of {len(sets)} sets, weighted with their sizes {of}; {said}"


def reasons(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a dash stands where it stands; confidences and metrics of one reason in one note."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        reasons: dict[str, list[str]] = {}
        for name, title in TITLES.items():
            if (why := row.metrics[name].undefined) is not None:
                reasons.setdefault(why, []).append(title)
        for why, titles in reasons.items():
            metrics = "" if len(titles) == len(TITLES) else f" {', '.join(titles)}"
            places.setdefault((why, row.confidence + metrics), []).append(row.model)
    models = list(dict.fromkeys(row.model for row in rows))
    return [
        f"{estimates.UNDEFINED} {what}"
        + ("" if of == models or len(of) == len(models) else f" of {', '.join(of)}")
        + f": {why}"
        for (why, what), of in places.items()
    ]


def without_interval(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a figure stands without an interval; those of one metric and reason in one note."""
    places: dict[tuple[str, str], list[str]] = {}
    given = [row for row in rows if row.metrics["accuracy"].n]
    for row in given:
        for name, title in TITLES.items():
            estimate = row.metrics[name]
            if estimate.undefined is None and estimates.finite(estimate.low) is None:
                why = estimate.method.partition("no interval")[2].lstrip(",: ")
                places.setdefault((title, why), []).append(f"{row.confidence} of {row.model}")
    return [
        f"{title} without an interval"
        + ("" if len(of) == len(given) else f" ({', '.join(of)})")
        + f": {why}"
        for (title, why), of in places.items()
    ]


def said_besides(report: ConfidenceReport) -> list[str]:
    """What could not be read of the judges' replies, and warnings."""
    found = [
        f"{one.judge}: {one.n} of {one.of} replies could not be read ({100 * one.n / one.of:.1f} %)"
        for one in report.unread
        if one.n
    ]
    return [*found, *(f"warning: {warning}" for warning in report.warnings)]


def bin_intervals(row: ConfidenceRow) -> tuple[Floats, Floats]:
    """Wilson's interval of the share of correct answers in each bin, shape (bins,) each."""
    bins = row.reliability
    low, high = wilson_interval(bins.n * bins.accuracy, bins.n, level=row.metrics["accuracy"].level)
    return low, high


def _bins_table(row: ConfidenceRow, report: ConfidenceReport) -> Table:
    bins = row.reliability
    low, high = bin_intervals(row)
    rows = []
    for i, n in enumerate(bins.n):
        if not n:
            continue
        value = float(bins.accuracy[i])
        said = f"{value:.3f} [{low[i]:.3f}, {high[i]:.3f}]"
        end = "]" if i == len(bins.n) - 1 else ")"
        rows.append(
            [
                f"[{bins.low[i]:.1f}, {bins.high[i]:.1f}{end}",
                str(n),
                f"{bins.confidence[i]:.3f}",
                Figure(said, low=float(low[i]), value=value, high=float(high[i])),
            ]
        )
    return Table(
        title=f"{report.benchmark}@{report.version}: {row.confidence} of {row.model}, in bins",
        subtitle="calibrated is where accuracy is the mean confidence; intervals are Wilson's",
        columns=[
            Column(title="bin"),
            Column(title="n", align="right"),
            Column(title="mean confidence", align="right"),
            Column(title="share correct", align="right"),
        ],
        rows=rows,
    )


def _risk_table(row: ConfidenceRow, report: ConfidenceReport) -> Table:
    n = row.metrics["accuracy"].n
    level = row.metrics["accuracy"].level
    given = np.rint(row.risk.coverage * n)
    low, high = wilson_interval(row.risk.risk * given, given, level=level)
    rows = []
    for i, (coverage, threshold, risk) in enumerate(_points(row)):
        said = f"{risk:.3f} [{low[i]:.3f}, {high[i]:.3f}]"
        figure = Figure(said, low=float(low[i]), value=float(risk), high=float(high[i]))
        rows.append([f"{100 * coverage:.0f} %", f"{given[i]:.0f}", f"{threshold:.3f}", figure])
    return Table(
        title=f"{report.benchmark}@{report.version}: {row.confidence} of {row.model}, by coverage",
        subtitle="what is wrong among the answers of at least some confidence; Wilson's intervals",
        columns=[
            Column(title="given"),
            Column(title="n", align="right"),
            Column(title="confidence from", align="right"),
            Column(title="share wrong", align="right"),
        ],
        rows=rows,
    )


def _records(row: ConfidenceRow, report: ConfidenceReport) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": report.benchmark,
            "version": report.version,
            "correct": report.correct,
            "model": row.model,
            "confidence": row.confidence,
            "scope": row.scope,
            "over": row.over,
            "metric": name,
            **estimates.record(e),
        }
        for name, e in row.metrics.items()
    ]
