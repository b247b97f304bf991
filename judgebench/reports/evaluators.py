"""How good judges that compare are beside people, by AlpacaEval's measures of evaluators."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgebench.columns import grouped
from judgebench.errors import UsageError
from judgebench.metrics.evaluators import (
    Evaluators,
    PairLabels,
    Written,
    centre_size,
    described,
    equal_texts,
    known_texts,
    nobody,
    of_equal_texts,
    pair_labels,
    with_gaps,
)
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.registry import heading, metric
from judgebench.records import HUMAN, Estimate, is_human
from judgebench.reports import estimates
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    benchmark_ref,
    disambiguate,
    find_judges,
    find_reference,
    renamed,
    where,
)
from judgebench.reports.cost import paid
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
from judgebench.stats.evaluators import (
    METRICS,
    QUIRKS,
    UPSTREAM_METRICS,
    Labels,
    upstream_evaluator_metrics,
)
from judgebench.store.store import Store

TITLES = {name: heading(f"evaluators:{name}") for name in (*METRICS, "n_parsed")}
WITH_INTERVAL = ("agreement",)
RIGHT: dict[str, Any] = {"align": "right"}
SPARE: dict[str, Any] = {"align": "right", "spare": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainNumber:
    """A number without an interval; nan with the reason."""

    value: float
    n: int | None = None
    undefined: str | None = json_field(omit_empty=True, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorRow:
    """One judge, or all people together.

    labels
        How many it gave; of ``pairs``.
    usd_per_1000
        What a thousand questions to it cost here; None where no call with a known price is in the
        store.
    upstream
        The numbers as AlpacaEval computes them; None where not asked for.
    """

    judge: str
    reference: str | None
    version: str
    labels: int
    pairs: int
    metrics: Mapping[str, Estimate]
    usd_per_1000: float | None = json_field(omit_empty=True)
    upstream: Mapping[str, PlainNumber] | None = json_field(omit_empty=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorReport(OfBenchmark, Report):
    """The judges of a benchmark that compare.

    reference
        None where nobody was named and no person has compared anything.
    raters
        Whose labels the reference is made of.
    others
        How many labels a label is compared with.
    quirks
        What upstream's names do not say; empty where its numbers were not asked for.
    """

    ROWS: ClassVar = (
        Rows(
            of="measured",
            shared=("benchmark", "version", ("judge", ""), "reference"),
            row=("judge", "how", Each("metrics")),
        ),
    )
    CHART: ClassVar = Chart(along="judge", by="metric")

    reference: str | None
    raters: tuple[str, ...]
    others: int
    pairs: int
    rows: tuple[EvaluatorRow, ...]
    warnings: tuple[str, ...]
    quirks: Mapping[str, str] = json_field(omit_empty=True, default_factory=dict)

    @property
    def ordered(self) -> list[EvaluatorRow]:
        """The one that agrees best first."""
        return sorted(
            self.rows,
            key=lambda row: (estimates.best_first(row.metrics["agreement"].value), row.judge),
        )

    @property
    def measured(self) -> Iterator[dict[str, Any]]:
        """What each judge's metrics are, by us and as upstream computes them."""
        for row in self.ordered:
            usd = row.usd_per_1000
            price = {} if usd is None else {"usd_per_1000": PlainNumber(value=usd)}
            ours = {**row.metrics, **price}
            yield {"judge": row.judge, "how": "judgebench", "metrics": ours}
            yield {"judge": row.judge, "how": "upstream", "metrics": row.upstream or {}}

    def tables(self) -> list[Table]:
        """The judges by our measures, and as upstream computes them where that was asked for."""
        people = f" ({', '.join(self.raters)})" if self.raters != (self.reference,) else ""
        against = "" if self.reference is None else f", against {self.reference}{people}"
        at = self.place
        priced = any(row.usd_per_1000 is not None for row in self.rows)
        columns: list[Cells[EvaluatorRow]] = [
            column("judge", lambda row: row.judge, wraps=True),
            *(_metric(name) for name in METRICS),
            column(
                "USD/1000",
                lambda row: estimates.number(row.usd_per_1000, ".2f") if priced else "",
                optional=True,
                **SPARE,
            ),
            column("pairs", lambda row: str(row.pairs), **RIGHT),
            column("labels", lambda row: str(row.labels), **RIGHT),
        ]
        found = table(
            f"{at}, judges that compare{against}",
            self.ordered,
            columns,
            subtitle=(
                f"a label is held against the centre of {self.others}; longer, lists, opponent: "
                "shares of preference on the longer answer, the one with a list, the opponent's; "
                "bias, variance: distance of its centre from the reference's, of its labels from "
                "the centre of its others; distance: of its labels from the reference's, beyond "
                "what each varies; read: share of replies that could be read; intervals resample "
                "questions"
            ),
            notes=[*_notes(self.ordered), *(f"warning: {warning}" for warning in self.warnings)],
        )
        if not self.quirks:
            return [found]
        upstream = table(
            f"{at}, as AlpacaEval computes it",
            self.ordered,
            [columns[0], *(_upstream_metric(name) for name in UPSTREAM_METRICS)],
            subtitle=(
                "for comparing with published tables alone: the names say more than the numbers "
                "do, as told below; in brackets, on how many pairs variance rests"
            ),
            notes=[f"{name.replace('_', ' ')}: {words}" for name, words in self.quirks.items()],
        )
        return [found, upstream]


def _metric(name: str) -> Cells[EvaluatorRow]:
    digits = metric(f"evaluators:{name}").digits

    def cell(row: EvaluatorRow) -> str:
        return estimates.text(row.metrics[name], digits=digits, alone=name not in WITH_INTERVAL)

    return column(TITLES[name], cell, align="right", spare=name != "agreement")


def _upstream_metric(name: str) -> Cells[EvaluatorRow]:
    digits = 0 if name == "n_parsed" else metric(f"evaluators:{name}").digits

    def cell(row: EvaluatorRow) -> str:
        found = (row.upstream or {})[name]
        if math.isnan(found.value):
            return estimates.UNDEFINED
        return f"{found.value:.{digits}f}" + (f" ({found.n})" if name == "variance" else "")

    return column("variance % (pairs)" if name == "variance" else TITLES[name], cell, **SPARE)


def _notes(rows: Sequence[EvaluatorRow]) -> list[str]:
    """Why a dash stands where it stands; judges and metrics with one reason in one note."""
    judges_of = grouped(
        ((", ".join(titles), why), row.judge)
        for row in rows
        for why, titles in grouped(
            (e.undefined, TITLES[name]) for name, e in row.metrics.items() if e.undefined
        ).items()
    )
    return estimates.first_notes(
        f"{estimates.UNDEFINED} {', '.join(judges)}: {titles}: {why}"
        for (titles, why), judges in judges_of.items()
    )


def evaluator_report(
    store: Store,
    benchmark: str,
    *,
    reference: str | None = None,
    judges: Collection[str] = (),
    others: int | None = None,
    upstream: bool = False,
    intervals: Intervals | None = None,
) -> EvaluatorReport:
    """AlpacaEval's metrics of evaluators, of every judge that compares.

    A pair is an item with the answers of a model and its opponent; the labels of one judge are its
    repeats, those of people one for each person.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    reference
        Whom judges are held against: a judge by name or id, or ``human``, all people. If not
        given, people if any have compared answers.
    judges
        Only these; a person by name, or ``human`` for all. If empty, all judges and all people.
    others
        How many labels make a centre; if not given, as `centre_size` says.
    upstream
        Whether to compute AlpacaEval's own numbers as well.

    Raises
    ------
    UsageError
        For a benchmark, judge or reference that the store does not hold, and for a reference that
        has compared nothing.
    """
    which = benchmark_ref(store, benchmark)
    data = _Data(store, which)
    raters, reference = data.raters(reference)
    theirs = data.labels.together(raters) if reference is not None else None
    size = others or centre_size(theirs)
    evaluators = Evaluators(
        data.labels,
        described(data.labels, data.texts),
        others=size,
        intervals=intervals or Intervals(),
    )
    published = _Upstream(data, theirs) if upstream else None
    rows = []
    for name, members in data.evaluators(judges, raters, reference).items():
        mine = data.labels.together(members)
        itself = members == raters
        # A person among several is held against the others.
        rest = [rater for rater in raters if itself or rater not in members]
        held_against = None if theirs is None else data.labels.together(rest)
        rows.append(
            EvaluatorRow(
                judge=name,
                reference=reference,
                version=which.version,
                labels=len(mine.pair),
                pairs=len(set(mine.pair.tolist())),
                metrics=evaluators.estimates(
                    mine, held_against, itself=itself, people=is_human(members[0])
                ),
                usd_per_1000=data.usd_per_1000.get(name),
                upstream=published.metrics(mine, itself=itself) if published else None,
            )
        )
    return EvaluatorReport(
        benchmark=which.name,
        version=which.version,
        reference=reference,
        raters=raters,
        others=size,
        pairs=len(data.labels),
        rows=tuple(rows),
        warnings=data.warnings(),
        quirks=QUIRKS if published and rows else {},
    )


class _Data:
    """What the store has of a benchmark's pairs: labels, the answers, what calls cost."""

    def __init__(self, store: Store, which: BenchmarkRef) -> None:
        self.store, self.which = store, which
        stored: Columns = store.verdicts(which.name, which.version)
        failures: Columns = store.failures(which.name, which.version)
        answers: Columns = store.responses_table(which.name, which.version)
        answers = where(answers, answers["newest"])
        models = disambiguate([answers, failures, stored], "model")
        self.judges = disambiguate([failures, stored], "judge")
        verdicts = with_failures(*(renamed(c, models, self.judges) for c in (stored, failures)))
        self.labels: PairLabels = pair_labels(verdicts)
        columns = (answers[name] for name in ("model_id", "item_id", "sample", "turn", "text"))
        self.texts = {
            Written(models[model], item, sample, turn): text
            for model, item, sample, turn, text in zip(*columns, strict=True)
        }
        self.usd_per_1000 = {
            self.judges[one]: 1000.0 * usd / n
            for one, (usd, n) in paid(store, (which.name, which.version)).items()
            if one in self.judges
        }

    @property
    def people(self) -> tuple[str, ...]:
        """Who compared, human/2 before human/10."""
        found = (judge for judge in self.labels.of if is_human(judge))
        return tuple(sorted(found, key=lambda name: (len(name), name)))

    def raters(self, reference: str | None) -> tuple[tuple[str, ...], str | None]:
        """Whose labels the reference is made of, and its name."""
        people = self.people
        if reference is None and not people:
            return (), None
        if reference in (None, HUMAN) and people:
            return people, HUMAN
        found = find_reference(str(reference), self.judges, self.store, self.which)
        if found not in self.labels.of:
            raise UsageError(
                f"{found!r} has compared no answers here, so nothing can be held against it"
            )
        return (found,), found

    def evaluators(
        self, wanted: Collection[str], raters: tuple[str, ...], reference: str | None
    ) -> dict[str, tuple[str, ...]]:
        """Who is measured, by name, and whose labels that are."""
        # Whom a person is held against is not that person.
        people = raters if reference == HUMAN else tuple(p for p in self.people if p not in raters)
        found: dict[str, tuple[str, ...]] = {}
        if not wanted:
            found |= {judge: (judge,) for judge in self.labels.of if not is_human(judge)}
            found |= {HUMAN: people} if people else {}
            return found if reference is None else {**found, reference: raters}
        for name in wanted:
            if name == HUMAN and people:
                found[HUMAN] = people
                continue
            called = find_judges(name, self.judges, self.store, self.which)
            found |= {judge: (judge,) for judge in called if judge in self.labels.of}
        return found

    def warnings(self) -> tuple[str, ...]:
        lacking = int((~known_texts(self.labels, self.texts)).sum())
        if not lacking:
            return ()
        return (
            f"of {lacking} of {len(self.labels)} pairs the store has not both answers; they say "
            "nothing of lengths and lists (`judgebench import responses FILE` brings answers)",
        )


class _Upstream:
    """AlpacaEval's own numbers, for which pairs of equal texts are one pair."""

    def __init__(self, data: _Data, reference: Labels | None) -> None:
        self._pairs = described(data.labels, data.texts, upstream=True)
        self._number = equal_texts(data.labels, data.texts)
        self._reference, self._merged = of_equal_texts(
            with_gaps(nobody() if reference is None else reference), self._pairs, self._number
        )

    def metrics(self, evaluator: Labels, *, itself: bool) -> dict[str, PlainNumber]:
        mine, _ = of_equal_texts(with_gaps(evaluator), self._pairs, self._number)
        reference = None if itself else self._reference
        found = upstream_evaluator_metrics(mine, reference, self._merged)
        return {
            name: PlainNumber(value=value, n=found.n[name], undefined=found.why_undefined.get(name))
            for name, value in found.values.items()
        }
