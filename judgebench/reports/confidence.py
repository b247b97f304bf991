"""How well confidences tell correct answers from wrong ones, by model and confidence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from judgebench.columns import grouped
from judgebench.errors import UsageError, refuse_unknown
from judgebench.metrics.confidence import (
    TENTHS,
    Figures,
    QuestionSet,
    RiskCurve,
    SetCurve,
    estimates_of,
    figures,
    risk_curve,
    set_curve,
)
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.probes import without_probes
from judgebench.metrics.registry import meanings, metric
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.confidence_data import (
    Answer,
    Confidence,
    ConfidenceData,
    Unread,
    given,
    question_sets,
)
from judgebench.reports.document import (
    Chart,
    Each,
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.stats.calibration_error import ReliabilityBins, reliability_bins
from judgebench.stats.confidence import RiskCoverage, RougeL, risk_coverage
from judgebench.stats.resample import Resamples, wilson_interval
from judgebench.store.store import Store

Scope = Literal["all", "domain", "set"]

TITLES = {
    name: metric(name).title for name in ("auroc", "ece", "alignment", "brier", "accuracy", "aurc")
}
_FIRST = ("auroc", "ece", "alignment")

FIRST_ROWS = 12
"""Rows that are looked at of each judge on each model, of a question's samples the first ones."""


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
    bins, risk
        Of all its answers together: in exact bins; what is wrong among the most confident ones, at
        every tenth of the answers given.
    curve
        Where curves were asked for and there is one: over several sets the mean of theirs, as the
        metrics are.
    """

    model: str
    confidence: str
    judge: str | None
    version: str
    scope: Scope
    over: str
    sets: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    threshold: float = json_field(name="alignment_threshold")
    samples: tuple[int, int] | None
    bins: ReliabilityBins = json_field(hidden=True)
    risk: RiskCoverage = json_field(hidden=True)
    curve: RiskCurve | None = json_field(hidden=True, default=None)

    @property
    def stretch(self) -> str:
        """What it is over, by a name of its own: ``all``, ``domain:rivers``, ``set:capitals``."""
        return "all" if self.scope == "all" else f"{self.scope}:{self.over}"

    @property
    @json_after("samples")
    def reliability(self) -> list[dict[str, float]]:
        """The bins, one by one."""
        return _by_element(self.bins, ("low", "high", "n", "confidence", "accuracy"))

    @property
    @json_after("reliability")
    def risk_coverage(self) -> list[dict[str, float]]:
        """The points of the risk, one by one."""
        return _by_element(self.risk, ("coverage", "threshold", "risk"))

    def bin_intervals(self) -> tuple[Floats, Floats]:
        """Wilson's interval of the share of correct answers in each bin, shape (bins,) each."""
        level = self.metrics["accuracy"].level
        low, high = wilson_interval(self.bins.n * self.bins.accuracy, self.bins.n, level=level)
        return low, high


def _by_element(arrays: object, names: Sequence[str]) -> list[dict[str, float]]:
    columns = (getattr(arrays, name).tolist() for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceReport(OfBenchmark, Report):
    """The confidences of a benchmark.

    correct
        The judge whose labels count, and ``positive`` its word for a correct answer.
    sizes, sizes_of
        The weights of the sets; whether they are those of the whole ``benchmark``, or of the
        questions that the ``store`` holds.
    unread
        Of each judge concerned.
    """

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("benchmark", "version", "correct"),
            row=("model", "confidence", "scope", "over", Each("metrics")),
        ),
    )
    CHART: ClassVar = Chart(along="model, confidence, over", by="metric")

    correct: str
    positive: str
    rouge: RougeL
    sizes: Mapping[str, int]
    sizes_of: Literal["benchmark", "store"]
    domains: Mapping[str, str]
    rows: tuple[ConfidenceRow, ...]
    unread: tuple[Unread, ...]
    warnings: tuple[str, ...]

    def tables(self, *, by_set: bool = False, bins: bool = False) -> list[Table]:
        """A table over all sets and one for each domain.

        Parameters
        ----------
        by_set
            Whether single sets have a table each.
        bins
            Whether tables show the reliability diagram of each confidence, and the risk that is
            left where only the most confident answers are given, over all sets.
        """
        scopes = ("all", "domain", "set") if by_set else ("all", "domain")
        over = sorted(
            {(scopes.index(row.scope), row.over) for row in self.rows if row.scope in scopes}
        )
        found = [
            self._table([row for row in self.rows if (row.scope, row.over) == (scopes[at], name)])
            for at, name in over
        ]
        if found:  # once, under the first
            found[0] = replace(found[0], notes=[*found[0].notes, meanings(TITLES)])
        if bins:
            for row in self.rows:
                if row.scope == "all" and row.bins.n.any():
                    of = f"{self.place}: {row.confidence} of {row.model}"
                    found += [_bins_table(row, of), _risk_table(row, of)]
        return found

    def _table(self, rows: Sequence[ConfidenceRow]) -> Table:
        whole, over = rows[0].scope == "all", rows[0].over
        said = "ECE is corrected for the bias of its bins; at most: nothing rules out 0"
        if averaged := self.averaged(rows[0]):
            said = f"{averaged}; {said}"
        return table(
            f"{self.place}{'' if whole else f', {over}'}: confidence against {self.correct}",
            [row for row in rows if row.metrics["auroc"].n],
            [
                column("model", lambda row: row.model, wraps=True),
                column("confidence", lambda row: row.confidence, wraps=True),
                *(
                    column(title, partial(_text, name), align="right", spare=name not in _FIRST)
                    for name, title in TITLES.items()
                ),
                column("n", lambda row: str(row.metrics["auroc"].n), align="right", spare=True),
                column(
                    "missing",
                    lambda row: str(row.metrics["auroc"].missing),
                    align="right",
                    spare=True,
                ),
            ],
            subtitle=said,
            notes=[
                *reasons(rows),
                *without_interval(rows),
                *(self.notes() if whole else ()),
            ],
        )

    @property
    def stretches(self) -> dict[str, str]:
        """Over what there are rows, by name, in words; the whole first, then domains, then sets."""
        scopes = get_args(Scope)
        rows = sorted(self.rows, key=lambda row: scopes.index(row.scope))
        n = max((len(row.sets) for row in rows if row.scope == "all"), default=0)
        words = {"all": "all questions" if n < 2 else f"all {n} sets", "domain": "{} (domain)"}
        return {row.stretch: words.get(row.scope, "{}").format(row.over) for row in rows}

    @property
    def series(self) -> dict[tuple[str, str], str]:
        """Model and confidence of each curve, and what it is called, as shortly as can be."""
        pairs = list(dict.fromkeys((row.model, row.confidence) for row in self.rows))
        models, confidences = ({pair[side] for pair in pairs} for side in (0, 1))
        return {
            (model, confidence): confidence
            if len(models) < 2
            else model
            if len(confidences) < 2
            else f"{confidence} · {model}"
            for model, confidence in pairs
        }

    def averaged(self, row: ConfidenceRow) -> str:
        """How a row is made of several sets; empty of one."""
        full = self.sizes_of == "benchmark"
        of = "in full" if full else "as far as the store has them"
        n = len(row.sets)
        return f"mean of {n} sets, weighted with their sizes {of}" if n > 1 else ""

    def notes(self) -> list[str]:
        """What could not be read of the judges' replies, and warnings."""
        return [
            f"{one.judge}: {one.n} of {one.of} replies could not be read "
            f"({100 * one.n / one.of:.1f} %)"
            for one in self.unread
            if one.n
        ] + [f"warning: {warning}" for warning in self.warnings]


def _text(name: str, row: ConfidenceRow) -> str:
    estimate = row.metrics[name]
    at_most = estimates.bounded(name, estimate)
    return estimates.text(estimate, digits=metric(name).digits, at_most=at_most)


def reasons(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a dash stands where it stands; confidences and metrics of one reason in one note."""
    places: list[tuple[tuple[str, str], str]] = []
    for row in rows:
        lacking = grouped(
            (why, title)
            for name, title in TITLES.items()
            if (why := row.metrics[name].undefined) is not None
        )
        for why, titles in lacking.items():
            metrics = "" if len(titles) == len(TITLES) else f" {', '.join(titles)}"
            places.append(((why, row.confidence + metrics), row.model))
    models = len({row.model for row in rows})
    return [
        f"{estimates.UNDEFINED} {what}"
        + ("" if len(of) == models else f" of {', '.join(of)}")
        + f": {why}"
        for (why, what), of in grouped(places).items()
    ]


def without_interval(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a figure stands without an interval; those of one metric and reason in one note."""
    given = [row for row in rows if row.metrics["accuracy"].n]
    places = grouped(
        (
            (title, estimate.method.partition("no interval")[2].lstrip(",: ")),
            f"{row.confidence} of {row.model}",
        )
        for row in given
        for name, title in TITLES.items()
        for estimate in (row.metrics[name],)
        if estimate.undefined is None and estimates.finite(estimate.low) is None
    )
    return [
        f"{title} without an interval"
        + ("" if len(of) == len(given) else f" ({', '.join(of)})")
        + f": {why}"
        for (title, why), of in places.items()
    ]


def _bins_table(row: ConfidenceRow, of: str) -> Table:
    bins, (low, high), last = row.bins, row.bin_intervals(), len(row.bins.n) - 1
    return table(
        f"{of}, in bins",
        np.flatnonzero(bins.n).tolist(),
        [
            column(
                "bin",
                lambda i: f"[{bins.low[i]:.1f}, {bins.high[i]:.1f}{']' if i == last else ')'}",
            ),
            column("n", lambda i: str(bins.n[i]), align="right"),
            column("mean confidence", lambda i: f"{bins.confidence[i]:.3f}", align="right"),
            column(
                "share correct", lambda i: _figure(bins.accuracy[i], low[i], high[i]), align="right"
            ),
        ],
        subtitle="calibrated is where accuracy is the mean confidence; intervals are Wilson's",
    )


def _risk_table(row: ConfidenceRow, of: str) -> Table:
    accuracy, risk = row.metrics["accuracy"], row.risk
    given = np.rint(risk.coverage * accuracy.n)
    low, high = wilson_interval(risk.risk * given, given, level=accuracy.level)
    return table(
        f"{of}, by coverage",
        range(len(given)),
        [
            column("given", lambda i: f"{100 * risk.coverage[i]:.0f} %"),
            column("n", lambda i: f"{given[i]:.0f}", align="right"),
            column("confidence from", lambda i: f"{risk.threshold[i]:.3f}", align="right"),
            column("share wrong", lambda i: _figure(risk.risk[i], low[i], high[i]), align="right"),
        ],
        subtitle="what is wrong among the answers of at least some confidence; Wilson's intervals",
    )


def _figure(value: float, low: float, high: float) -> str:
    return estimates.text(
        Estimate(value=float(value), low=float(low), high=float(high), n=1, units=1)
    )


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
    which = benchmark_ref(store, benchmark)
    wanted = intervals or Intervals()
    data = ConfidenceData(store, which, rouge=rouge, judges=judges)
    judge = data.labelling(correct)
    labels = data.correct(judge)
    chosen = _chosen(data, confidences)
    answers = data.answers().union(labels, *(one.of for one in chosen if one.of))
    sets, full = question_sets(data, answers)
    drawn = [(questions, wanted.resamples(questions.units)) for questions in sets]
    rows: list[ConfidenceRow] = []
    for model in sorted({model for model, _ in answers if models is None or model in models}):
        its = {item: labels.get((m, item), math.nan) for m, item in answers if m == model}
        of_model = [
            row
            for one in chosen
            for row in _rows(which.version, model, one, its, judge, drawn, wanted, curves=curves)
        ]
        rows += sorted(of_model, key=lambda row: estimates.best_first(row.metrics["auroc"].value))
    judges = {one.judge: "confidence" for one in chosen if one.judge is not None}
    return ConfidenceReport(
        benchmark=which.name,
        version=which.version,
        correct=judge,
        positive=which.labels[-1],
        sizes={questions.name: questions.size for questions in sets},
        sizes_of="benchmark" if full else "store",
        domains={q.name: q.domain for q in sets if q.domain is not None},
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
    refuse_unknown("confidence", names, known, error=UsageError, about=f"{data.which}: ")
    return [make() for name, make in known.items() if not names or name in names]


def _rows(
    version: str,
    model: str,
    confidence: Confidence,
    labels: Mapping[str, float],
    judge: str,
    sets: Sequence[tuple[QuestionSet, Resamples]],
    intervals: Intervals,
    *,
    curves: bool,
) -> list[ConfidenceRow]:
    """Over all sets, over each domain and over each set, as far as these are different things."""
    of_answers = {(model, item): label for item, label in labels.items()}
    found: list[tuple[Figures, SetCurve | None]] = []
    for questions, draws in sets:
        one = figures(
            given(questions, [model], confidence, of_answers),
            expected=np.array([i in labels for i in questions.items]),
            resamples=draws,
            seed=intervals.seed,
            why_none=_why_none(model, confidence, labels, judge, questions),
            level=intervals.level,
        )
        found.append((one, set_curve(one, draws) if curves else None))
    scopes: list[tuple[Scope, str, list[tuple[Figures, SetCurve | None]]]] = [("all", "all", found)]
    by_domain = grouped((one[0].answers.questions.domain, one) for one in found)
    domains = {name: inside for name, inside in by_domain.items() if name is not None}
    if len(domains) > 1:
        scopes += [("domain", name, inside) for name, inside in sorted(domains.items())]
    if len(found) > 1:
        scopes += [("set", one[0].answers.questions.name, [one]) for one in found]
    n = [n for (m, _), n in confidence.samples.items() if m == model]
    rows = []
    for scope, over, inside in scopes:
        some = [one for one, _ in inside]
        sure, right = (
            np.concatenate([getattr(one.answers, which)[:, 0] for one in some])
            for which in ("confidence", "correct")
        )
        drawn = [curve for _, curve in inside if curve is not None]
        rows.append(
            ConfidenceRow(
                model=model,
                confidence=confidence.name,
                judge=confidence.judge,
                version=version,
                scope=scope,
                over=over,
                sets=tuple(one.answers.questions.name for one in some),
                metrics=estimates_of(some, intervals),
                threshold=some[0].threshold if len(some) == 1 else math.nan,
                samples=(min(n), max(n)) if n else None,
                bins=reliability_bins(sure, right, binning="exact"),
                risk=risk_coverage(sure, right).at(TENTHS),
                curve=risk_curve(some, drawn, intervals) if drawn else None,
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


def _warnings(data: ConfidenceData, chosen: Sequence[Confidence]) -> tuple[str, ...]:
    impossible = (
        f"{data.impossible} greedy answers have a positive log-probability, which is none; they "
        "count as having none"
    )
    samples = {one.name: {*one.samples.values()} for one in chosen}
    return (
        *(
            f"{judge} does not score from 0 to 1; what it says is no confidence"
            for judge in data.other_scales()
        ),
        *([impossible] if data.impossible else []),
        *(
            f"{name} rests on {min(n)} to {max(n)} samples of an answer"
            for name, n in samples.items()
            if len(n) > 1
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What can be held against the labels of one judge.

    judges
        Ids of all whose verdicts matter: that judge's, and those that give confidences.
    models
        Whose answers there are, or were judged; those of whom there is a confidence first.
    confidences
        Those that there are, by the name that reports give them.
    lacking
        The other ones, and why there are none.
    """

    judges: frozenset[str]
    models: tuple[str, ...]
    confidences: tuple[str, ...]
    lacking: Mapping[str, str]


def _first_rows(store: Store, benchmark: str, **some: Any) -> ConfidenceData:
    which = benchmark_ref(store, benchmark)
    return ConfidenceData(store, which, rouge="lin", first=FIRST_ROWS, **some)


def labelling(store: Store, benchmark: str) -> dict[str, str]:
    """The judges that have said which first answers are correct: the name shown -> the id.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    """
    data = _first_rows(store, benchmark)
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
    everybody = _first_rows(store, benchmark)
    giving = everybody.confidence_judges()
    ids = {judge for judge, name in everybody.judges.items() if name in giving}
    judges = frozenset(ids if correct is None else ids | {correct})
    # Again with these alone, since what they are called depends on who else is there.
    data = _first_rows(store, benchmark, judges=judges)
    found = {name: make() for name, make in data.confidences().items()}
    given = frozenset[Answer]().union(*(one.of for one in found.values()))
    sure, answers = {model for model, _ in given}, data.answers() | given
    if correct is not None and (judge := data.judges.get(correct)) in data.labelling_judges():
        answers |= set(data.correct(judge))
    return Choice(
        judges=judges,
        models=tuple(
            sorted({model for model, _ in answers}, key=lambda one: (one not in sure, one))
        ),
        confidences=tuple(name for name, one in found.items() if one.of or one.judge),
        lacking={name: one.why_none for name, one in found.items() if not one.of and not one.judge},
    )


MOST_LOOKED_AT = 20
"""Benchmarks of which it is asked whether they have confidences."""


def with_confidences(store: Store) -> tuple[tuple[str, str], ...]:
    """The benchmarks, of the first ones, that have labels and confidences: names and versions.

    The first rows of a judge tell it mostly; only where they do not, those on each model are read.
    """
    return tuple(
        one
        for one in without_probes(store.benchmarks())[:MOST_LOOKED_AT]
        if _first_rows(store, "@".join(one), any_model=True).has_some()
        or _first_rows(store, "@".join(one)).has_some()
    )
