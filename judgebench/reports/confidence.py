"""How well confidences tell correct answers from wrong ones, by model and confidence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.confidence_board import Figures, QuestionSet, estimates_of, figures
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.risk_curve import TENTHS, RiskCurve, risk_curve, set_curve
from judgebench.records import Estimate
from judgebench.reports.boards import meant
from judgebench.reports.confidence_data import Confidence, ConfidenceData, Unread
from judgebench.reports.confidence_sets import question_sets
from judgebench.stats.answer_confidence import RougeL
from judgebench.stats.calibration_error import ReliabilityBins, reliability_bins
from judgebench.stats.confidence import RiskCoverage, risk_coverage
from judgebench.stats.resample import Resamples
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
