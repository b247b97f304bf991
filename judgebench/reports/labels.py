"""What was drawn for people, how well kappa will be known, and what a reviewer asks of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from judgebench.columns import counted as counted_columns
from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.correction import sample_design
from judgebench.metrics.intervals import Floats, Intervals, wilson
from judgebench.metrics.judged_values import OUTCOMES, JudgedValues
from judgebench.plain_text import counted, holding
from judgebench.records import HUMAN, Estimate, JsonObject, is_human
from judgebench.reports.boards import benchmark_ref, find_reference
from judgebench.reports.document import (
    Cells,
    Chart,
    Each,
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    json_field,
    table,
)
from judgebench.reports.estimates import UNDEFINED, p_text, text
from judgebench.reports.judge_pairs import judged_values, label_weights, labelled_kind, on_labels
from judgebench.reports.render.latex import escaped
from judgebench.stats.agreement import Weighting, cohen_kappa_of, percent_agreement, why_undefined
from judgebench.stats.sampling import (
    EPSILON,
    FEWEST,
    AnnotatorTest,
    alternative_annotator,
    effective_number,
    kappa_standard_error,
)
from judgebench.store.store import Store

KAPPAS = (0.4, 0.6, 0.8)
"""For which the width is foretold: moderate, substantial and almost perfect agreement."""

FEW = 30
"""Under so many answers in common it is said that they are few."""


# before -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Answers among which were drawn at random, each with the same probability."""

    name: str
    of: int
    drawn: int

    @property
    def probability(self) -> float:
        return self.drawn / self.of


@dataclass(frozen=True, slots=True, kw_only=True)
class KappaWidth:
    """How wide a 95 % interval will be if kappa is ``kappa``; nan where it cannot be told.

    judge, people
        Of judge and one person on all answers drawn, and of two people on those that both label.
    """

    kappa: float
    judge: float
    people: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDraw(Report):
    """Answers that were drawn for people."""

    ROWS: ClassVar = (
        Rows(of="strata", shared=("queue", "design"), row=("name", "of", "drawn", "probability")),
    )

    queue: str
    benchmark: str
    version: str
    kind: Kind
    design: str
    n: int
    raters: int
    overlap: int
    effective: float
    strata: tuple[Stratum, ...]
    widths: tuple[KappaWidth, ...]
    record: JsonObject = json_field(hidden=True)

    def tables(self) -> list[Table]:
        weighted = (
            "" if self.effective > self.n - 0.5 else f", worth {self.effective:.0f} equal ones"
        )
        notes = [
            f"{counted(self.overlap, 'answer')} are labelled by all of "
            f"{counted(self.raters, 'person', 'people')}; {counted(self.n, 'answer')} drawn"
            f"{weighted}.",
            "95 % intervals by the large-sample error of Fleiss, Cohen and Everitt (1969), if both "
            "use the labels as judges do.",
        ]
        nothing = all(math.isnan(one.judge) for one in self.widths)
        notes += holding({
            "judges here give one label only, so that nothing can be said of kappa.": nothing,
            "no answer is labelled by two people, who then have no kappa.": (
                not nothing and all(math.isnan(one.people) for one in self.widths)
            ),
        })  # fmt: skip
        return [
            table(
                f"{self.design} sample {self.queue}",
                self.strata,
                [
                    column("stratum", lambda one: one.name, wraps=True),
                    column("answers", lambda one: f"{one.of:,}", align="right"),
                    column("drawn", lambda one: f"{one.drawn:,}", align="right"),
                    column("probability", lambda one: f"{one.probability:.3f}", align="right"),
                ],
            ),
            table(
                "how well kappa will be known",
                self.widths,
                [
                    column("if kappa is", lambda one: f"{one.kappa:.1f}", align="right"),
                    column(
                        "judge and person", lambda one: _ends(one.kappa, one.judge), align="right"
                    ),
                    column("two people", lambda one: _ends(one.kappa, one.people), align="right"),
                ],
                notes=notes,
            ),
        ]


def _ends(kappa: float, width: float) -> str:
    if math.isnan(width):
        return UNDEFINED
    return f"{kappa - width / 2:.2f} to {min(1.0, kappa + width / 2):.2f}"


def label_draw(store: Store, record: JsonObject) -> LabelDraw:
    """A draw as it was recorded, and how well kappa will be known of its labels."""
    strata = tuple(
        Stratum(name=one["name"], of=one["of"], drawn=one["drawn"]) for one in record["strata"]
    )
    n, overlap = len(record["cells"]), record["overlap"]
    effective = effective_number([strata[at].probability for _, _, at in record["cells"]])
    shares = _shares(store, record)
    points = np.arange(len(shares), dtype=np.float64)
    apart = np.subtract.outer(points, points)
    distance = np.square(apart) if record["kind"] == "score" else np.sign(np.abs(apart))
    z = 2.0 * NormalDist().inv_cdf(0.975)

    def width(kappa: float, share: float) -> float:
        if not share:
            return math.nan
        return z * kappa_standard_error(shares, distance, kappa, effective * share)

    return LabelDraw(
        queue=record["queue"], benchmark=record["benchmark"], version=record["version"],
        kind=record["kind"], design=record["design"], n=n, raters=record["raters"],
        overlap=overlap, effective=effective, strata=strata, record=record,
        widths=tuple(
            KappaWidth(kappa=kappa, judge=width(kappa, 1.0),
                       people=width(kappa, overlap / n if record["raters"] > 1 else 0.0))
            for kappa in KAPPAS
        ),
    )  # fmt: skip


def _shares(store: Store, record: JsonObject) -> Floats:
    """How often judges say what; all alike where they have said nothing."""
    stored = store.board_verdicts(record["benchmark"], record["version"])
    kind, labels = record["kind"], record["labels"]
    if kind == "score":
        low, high, _ = record["scale"]
        labels = range(low, high + 1)
    elif kind == "preference":
        labels = OUTCOMES
    places: dict[Any, int] = {one: at for at, one in enumerate(labels)}
    found = Counter[Any]()
    said = counted_columns(stored["kind"], stored["label"], stored["value"], stored["judge"])
    for (its, label, value, judge), n in said.items():
        if its == kind and not is_human(judge):
            whole = math.floor(value + 0.5) if kind == "score" else label
            outcome = 1 + (value > 0.5) - (value < 0.5)
            found[OUTCOMES[outcome] if kind == "preference" else whole] += n
    counts = np.array([found[one] for one in places], dtype=np.float64)
    total = counts.sum()
    return np.asarray(counts / total if total else np.full(len(places), 1.0 / len(places)))


# after --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterPair:
    """Two raters on the answers that both have labelled, weighted back to all there are.

    scope
        ``judge`` and people together, ``judge_person``, or ``people`` among themselves.
    metrics
        ``cohen_kappa``, quadratic of scores, and ``agreement``.
    confusion
        Shares of the answers by label, the first rater's in rows; of unweighted labels counts.
    """

    judge: str
    reference: str
    scope: str
    metrics: Mapping[str, Estimate]
    confusion: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport(OfBenchmark, Report):
    """What a reviewer asks of a judge that was held against people.

    design
        How the answers were drawn; None where that is not known.
    sentence, latex
        For the methods section, and a row of a table: judge, kappa with people, kappa of people,
        agreement, answers.
    annotators
        The alternative annotator test; None with fewer than three people.
    """

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("benchmark", "version", "kind"),
            row=("judge", "reference", "scope", Each("metrics")),
        ),
    )
    CHART: ClassVar = Chart(along="judge, reference", by="metric")

    kind: Kind
    judge: str
    raters: tuple[str, ...]
    labels: tuple[str, ...]
    design: str | None
    weighted: bool
    rows: tuple[RaterPair, ...]
    annotators: AnnotatorTest | None
    latex: str
    sentence: str
    warnings: tuple[str, ...] = ()

    def tables(self) -> list[Table]:
        notes = [*self.warnings, *_reasons(self.rows)]
        found = [table(f"{self.judge} and people on {self.place}", self.rows,
                       [
            column("rater", lambda row: row.judge, wraps=True),
            column("against", lambda row: row.reference, wraps=True),
            column("kappa", lambda row: text(row.metrics["cohen_kappa"]), align="right"),
            column("agreement", lambda row: text(row.metrics["agreement"]), align="right"),
            column("n", lambda row: f"{row.metrics['agreement'].n:,}", align="right"),
        ], notes=notes)]  # fmt: skip
        if self.rows and self.rows[0].scope == "judge":
            found.append(_confusion(self))
        if (test := self.annotators) is not None:
            found.append(_annotators(test, self.raters))
        quoted = [("LaTeX row", self.latex), ("methods", self.sentence)]
        return [
            *found,
            table(
                "to quote",
                quoted,
                [
                    column("for", lambda one: one[0]),
                    column("", lambda one: one[1], wraps=True),
                ],
            ),
        ]


def _reasons(rows: Sequence[RaterPair]) -> list[str]:
    whys = {(row.judge, row.reference): row.metrics["cohen_kappa"].undefined for row in rows}
    return [f"{one} and {other}: {why}" for (one, other), why in whys.items() if why]


def _confusion(report: LabelReport) -> Table:
    row = report.rows[0]
    rows = list(zip(report.labels, row.confusion, strict=True))
    how = "{:.1%}" if report.weighted else "{:,.0f}"

    def said(at: int) -> Cells[tuple[str, tuple[float, ...]]]:
        def cell(one: tuple[str, tuple[float, ...]]) -> str:
            return how.format(one[1][at])

        return column(f"{row.reference}: {report.labels[at]}", cell, align="right")

    return table(
        "who says what",
        rows,
        [
            column(f"{row.judge} says", lambda one: one[0], wraps=True),
            *map(said, range(len(report.labels))),
        ],
    )


def _annotators(test: AnnotatorTest, raters: Sequence[str]) -> Table:
    rows = list(zip(raters, test.p_values, test.units, strict=True))
    may = "may" if test.winning_rate >= 0.5 else "was not shown to"
    word = (
        f"cannot be told: {FEWEST} questions a person are needed"
        if math.isnan(test.winning_rate)
        else f"winning rate {test.winning_rate:.2f} (0.5 is needed): the judge {may} stand in for "
        "a person"
    )
    return table(
        "alternative annotator test",
        rows,
        [
            column("person left out", lambda one: one[0], wraps=True),
            column("p", lambda one: p_text(one[1]), align="right"),
            column("n", lambda one: f"{one[2]:,}", align="right"),
        ],
        notes=[
            f"{word}; epsilon {test.epsilon:g}, advantage {test.advantage:.2f}. arXiv 2501.10970."
        ],
    )


def label_report(
    store: Store,
    benchmark: str,
    judge: str,
    *,
    kind: Kind | None = None,
    epsilon: float = EPSILON,
    intervals: Intervals | None = None,
) -> LabelReport:
    """A judge and people on what people have labelled: kappas, who says what, and how to write it.

    Where the answers were drawn with unequal probabilities, each counts one over its own.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    kind
        Of verdicts; that of most labels if None.
    epsilon
        Of the alternative annotator test.

    Raises
    ------
    UsageError
        Where there is no such judge, nobody has labelled, or people and judge have nothing in
        common.
    """
    which = benchmark_ref(store, benchmark)
    at, wanted = (which.name, which.version), intervals or Intervals()
    kind = kind or labelled_kind(store, *at)
    nobody = f"{which}: nobody has labelled it; `judgebench labels export {which}` draws answers"
    if kind is None:
        raise UsageError(nobody)
    its = judged_values(store, *at, kind)
    if not (raters := tuple(one for one in its.values.judges if is_human(one))):
        raise UsageError(nobody)
    name = find_reference(judge, its.judges, store, which)
    if name not in its.values.judges:
        raise UsageError(f"{which}: {name} has given no {kind} here")
    values = on_labels(its.values, (name, *raters))
    weights = label_weights(store, at, values, its.models)
    pairs: list[tuple[str, str, str]] = [("judge", name, raters[0])]
    if len(raters) > 1:
        pairs = [("judge", name, HUMAN), *(("judge_person", name, one) for one in raters)]
        pairs += [("people", one, other) for one, other in combinations(raters, 2)]
    rows = [_pair(values, *one, weights=weights, wanted=wanted) for one in pairs]
    said = np.stack([values.of(one).values for one in (name, *raters)])
    no_majority = np.isnan(values.of(HUMAN).values) & ~np.isnan(said[1:]).all(axis=0)
    if not rows[0].metrics["agreement"].n:
        if split := int((no_majority & ~np.isnan(said[0])).sum()):
            raise UsageError(
                f"{which}: people are split over {counted(split, 'answer')} that {name} has "
                "judged, and have a majority on none"
            )
        raise UsageError(f"{which}: {name} has judged nothing that people have labelled")
    warnings = [
        f"{row.judge} and {row.reference} have no answer in common, so nothing is known of them"
        for row in rows if not row.metrics["agreement"].n
    ]  # fmt: skip
    design = sample_design(store, *at)
    units, numeric = values.unit_of[values.item_of], kind == "score"
    test = (
        alternative_annotator(said[0], said[1:], units, numeric=numeric, epsilon=epsilon)
        if len(raters) > 2
        else None
    )
    n, torn, uneven = rows[0].metrics["agreement"].n, int(no_majority.sum()), _uneven(weights)
    warnings += holding({
        "one person has labelled: there is no human ceiling to hold the judge to": len(raters) == 1,
        "how the labelled answers were drawn is not known: they may be no random sample, and the "
        "kappas are those of what was labelled": weights is None and design is None,
        "nothing is labelled yet of a stratum that was drawn, or of a model nothing was drawn: the "
        "kappas are those of what was labelled": weights is None and design is not None,
        f"{counted(n, 'answer')} in common are few": n < FEW,
        f"people are split over {counted(torn, 'answer')}, without a majority to hold {name} to": (
            torn
        ),
        "the alternative annotator test counts every answer once, whatever its probability": (
            uneven and test is not None
        ),
    })  # fmt: skip
    design = None if weights is None else design
    return LabelReport(
        benchmark=which.name, version=which.version, kind=kind, judge=name, raters=raters,
        labels=values.labels, design=design, weighted=uneven, rows=tuple(rows), annotators=test,
        warnings=tuple(warnings), latex=_latex(name, rows),
        sentence=_sentence(which.name, name, kind, raters, design, uneven, rows, wanted),
    )  # fmt: skip


def _pair(
    values: JudgedValues, scope: str, first: str, second: str, *, weights: Floats | None,
    wanted: Intervals,
) -> RaterPair:  # fmt: skip
    a, b = values.of(first).values, values.of(second).values
    weight = np.ones(len(a)) if weights is None else weights
    both = ~np.isnan(a) & ~np.isnan(b) & (weight > 0)
    k, n_units = len(values.labels), len(values.units)
    unit = values.unit_of[values.item_of[both]]
    cell = (unit * k + a[both].astype(np.int64)) * k + b[both].astype(np.int64)
    tables = np.bincount(cell, weight[both], n_units * k * k).astype(np.float64)
    tables = tables.reshape(n_units, k, k)
    [sums] = wanted.resamples(values.units).sums([tables])
    units = int(np.count_nonzero(tables.sum(axis=(1, 2))))
    weighting: Weighting = "quadratic" if values.kind == "score" else "nominal"
    found = {
        "cohen_kappa": cohen_kappa_of(sums, weighting=weighting),
        "agreement": percent_agreement(sums),
    }
    metrics = {}
    for name, of in found.items():
        low, high, method = math.nan, math.nan, "no interval, a single item" if units else ""
        if units > 1:
            low, high, method = wanted.ends(of, None).at()
        if name == "agreement" and units == both.sum() and not _uneven(weights):
            found_by = wilson(float(of[0]), units, level=wanted.level)
            low, high, method = found_by or (low, high, method)
        metrics[name] = Estimate(
            value=float(of[0]), low=low, high=high, n=int(both.sum()), units=units,
            level=wanted.level, method=method,
            undefined=why_undefined(name, sums[0]) if np.isnan(of[0]) else None,
        )  # fmt: skip
    shares = sums[0] / sums[0].sum() if units and _uneven(weights) else sums[0]
    return RaterPair(
        judge=first, reference=second, scope=scope, metrics=metrics,
        confusion=tuple(tuple(map(float, row)) for row in shares),
    )  # fmt: skip


def _uneven(weights: Floats | None) -> bool:
    drawn = np.zeros(0) if weights is None else weights[weights > 0]
    return len(drawn) > 0 and bool(np.ptp(drawn) > 1e-9)


def _human_kappa(rows: Sequence[RaterPair]) -> str:
    """Of two people with its interval, of more the mean."""
    kappas = [row.metrics["cohen_kappa"] for row in rows if row.scope == "people"]
    found = [one for one in kappas if not math.isnan(one.value)]
    if len(found) == 1:
        return text(found[0], digits=2)
    return f"{np.mean([one.value for one in found]):.2f}" if found else UNDEFINED


def _latex(judge: str, rows: Sequence[RaterPair]) -> str:
    first = rows[0].metrics
    cells = [judge, text(first["cohen_kappa"], digits=2), _human_kappa(rows),
             text(first["agreement"], digits=2), str(first["agreement"].n)]  # fmt: skip
    return " & ".join(escaped(one) for one in cells) + r" \\"


def _sentence(
    benchmark: str, judge: str, kind: Kind, raters: Sequence[str], design: str | None,
    uneven: bool, rows: Sequence[RaterPair], wanted: Intervals,
) -> str:  # fmt: skip
    first = rows[0].metrics
    kappa, n = first["cohen_kappa"], first["agreement"].n
    how = f"a {design} sample of " if design else ""
    # What was not drawn here may have been labelled anywhere, by people who saw anything.
    blind = " without knowing the model or the judge's verdict" if design else ""
    weighted = "; answers are weighted by one over their sampling probability" if uneven else ""
    quadratic = "quadratic " if kind == "score" else ""
    among = (
        ""
        if len(raters) == 1
        else (
            f"; {'the two' if len(raters) == 2 else 'two'} people agreed with kappa = "
            f"{_human_kappa(rows)}{' in the mean' if len(raters) > 2 else ''}"
        )
    )
    how_sure = f"{wanted.level:.0%} interval, bootstrap over questions"
    if math.isnan(kappa.low):
        how_sure = kappa.undefined or "no interval"
    people = "their majority" if len(raters) > 1 else "this person"
    return (
        f"{counted(len(raters), 'person', 'people')} labelled {how}{counted(n, 'answer')} to "
        f"{counted(kappa.units, 'question')} of {benchmark}{blind}; "
        f"{judge} agreed with {people} with {quadratic}Cohen's kappa = {text(kappa, digits=2)} "
        f"({how_sure}) and on {first['agreement'].value:.0%} of them{among}{weighted}."
    )
