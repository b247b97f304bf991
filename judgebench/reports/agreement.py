"""Agreement: judges against a reference judge, people for one, and against each other.

So is a person who is labelling, on what they have labelled so far.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from judgebench.benchmarks.description import Right
from judgebench.columns import counted, marked
from judgebench.errors import UsageError
from judgebench.metrics.accuracy import undeclared
from judgebench.metrics.agreement import (
    KAPPA,
    AgreementBoard,
    AgreementTable,
    LabelAgreement,
    label_kappa,
    score_kappa,
)
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import RANKINGS, AgreementRow
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_accuracy import judge_accuracies, right_answers, right_pairs
from judgebench.metrics.judge_differences import (
    ALL,
    BEST,
    JudgeChecks,
    JudgeDifference,
    NearConstant,
)
from judgebench.metrics.judged_values import (
    JudgedValues,
    read_outcomes,
    read_values,
)
from judgebench.metrics.outcome_agreement import OutcomeAgreement
from judgebench.metrics.score_agreement import BLOCK, SAMPLE, ScoreAgreement
from judgebench.records import HUMAN, is_human
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    benchmark_ref,
    disambiguate,
    find_judges,
    find_reference,
    renamed,
    undeclared_labels,
    where,
    with_units,
)
from judgebench.reports.cost import JudgeCost, judge_costs
from judgebench.reports.document import (
    Chart,
    Document,
    Each,
    OfBenchmark,
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.reports.estimates import text
from judgebench.stats.agreement import Weighting
from judgebench.stats.pair_outcomes import OutcomeRule
from judgebench.store.store import Store

KINDS: tuple[Kind, ...] = ("label", "preference", "score")

OfKind = TypeVar("OfKind", AgreementRow, JudgeDifference, NearConstant, JudgeCost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """By which rule preferences became outcomes, and how many of which each judge has.

    ``nothing_in_common`` names the judges that were asked about no pair of the reference's.
    """

    rule: OutcomeRule
    weighting: Weighting
    outcomes: Mapping[str, Mapping[str, int]]
    nothing_in_common: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What correlations of scores rest on.

    ``counts`` are by judge, as of `judgebench.metrics.score_agreement.ScoreAgreement`; ``block``
    and ``unparsed`` are upstream's, None where it has none.
    """

    block: int | None
    unparsed: float | None
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementKind:
    """What judges agree on in one kind of verdicts.

    reference
        None where nobody was named and no person has given such verdicts: then every two judges are
        compared.
    raters
        Those whose verdicts the reference is made of.
    basis
        Of preferences and of scores, what their numbers rest on.
    suspicious
        The models that correlations over models leave out.
    """

    kind: Kind
    reference: str | None
    raters: tuple[str, ...]
    basis: Outcomes | Scores | None = json_field(inline=True, default=None)
    level: float = json_field(hidden=True)
    warnings: tuple[str, ...] = json_field(hidden=True, default=())
    suspicious: tuple[str, ...] = json_field(hidden=True, default=())


AT = ("benchmark", "version")
OF_ONE = ("judge", "reference", "kind", "scope")
NOT_TESTED = (("versus", ""), ("p_value", ""), ("p_adjusted", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReport(OfBenchmark, Report):
    """Judges of one benchmark against a reference, and every two against each other.

    Where kinds of verdicts have different references, that of the first that has any stands above;
    every row has its own. ``between`` compares every two judges, pooled; ``differences`` judges
    with judges by their agreement with the reference; ``flags`` are those that say nearly always
    the same, and ``costs`` what their verdicts took. The last three are empty where nobody asked.
    ``accuracies`` are there of a benchmark of judges: a row a judge, of how often it is right.
    """

    ROWS: ClassVar = (
        Rows(
            of="listed",
            shared=AT,
            row=(*OF_ONE, "model", "opponent", Each("metrics"), *NOT_TESTED),
        ),
        Rows(
            of="differences",
            shared=AT,
            row=(
                *OF_ONE, ("model", ""), ("opponent", ""), ("metric", "column"), Spread("estimate"),
                "versus", "p_value", "p_adjusted",
            ),
        ),
        Rows(
            of="costs",
            shared=AT,
            row=(
                *OF_ONE, ("model", ""), ("opponent", ""), Each("metrics"), ("level", ""),
                ("units", ""), *NOT_TESTED,
            ),
        ),
    )  # fmt: skip
    CHART: ClassVar = Chart(along="judge", by="metric")

    reference: str | None
    raters: tuple[str, ...]
    kinds: tuple[AgreementKind, ...]
    rows: tuple[AgreementRow, ...] = ()
    between: tuple[AgreementRow, ...] = ()
    differences: tuple[JudgeDifference, ...] = ()
    costs: tuple[JudgeCost, ...] = ()
    flags: tuple[NearConstant, ...] = ()
    accuracies: tuple[AgreementRow, ...] = json_field(omit_empty=True, default=())

    @property
    @json_after("flags")
    def warnings(self) -> tuple[str, ...]:
        return tuple(warning for one in self.kinds for warning in one.warnings)

    @property
    def listed(self) -> tuple[AgreementRow, ...]:
        """What is said of single judges: with the reference, else with each other."""
        return (self.rows or self.between) + self.accuracies

    def records(self) -> list[dict[str, Any]]:
        """Those of each kind after another."""
        return [r for one in self.kinds for r in Report.records(self.of(one.kind))]

    def of(self, kind: Kind) -> AgreementReport:
        """The part on one kind of verdicts."""

        def its(ones: tuple[OfKind, ...]) -> tuple[OfKind, ...]:
            return tuple(one for one in ones if one.kind == kind)

        (found,) = (one for one in self.kinds if one.kind == kind)
        return replace(
            self, reference=found.reference, raters=found.raters, kinds=(found,),
            rows=its(self.rows), between=its(self.between), differences=its(self.differences),
            costs=its(self.costs), flags=its(self.flags), accuracies=its(self.accuracies),
        )  # fmt: skip

    def without_models(self) -> AgreementReport:
        """Without rows for single models, nor for the mean of a kind where there is but one."""
        models: dict[Kind, set[tuple[str | None, str | None]]] = {}
        for row in self.rows:
            if row.scope == "model":
                models.setdefault(row.kind, set()).add((row.model, row.opponent))
        one = {kind for kind, its in models.items() if len(its) == 1}
        rows = (row for row in self.rows if row.scope != "model")
        return replace(
            self, rows=tuple(row for row in rows if row.scope != "macro" or row.kind not in one)
        )

    def tables(self, *, by_model: bool = False) -> list[Table]:
        """Judges against the reference, with each other by that, and every two among themselves.

        Parameters
        ----------
        by_model
            Whether single models have a table; JSON has them in any case.
        """
        from judgebench.reports.agreement_tables import tables_of

        return [table for kind in self.kinds for table in tables_of(self.of(kind.kind), by_model)]

    def document(self, *, by_model: bool = False) -> Document:
        shown = self if by_model else self.without_models()
        tables = self.tables(by_model=by_model)
        return Document(tables=tables, records=shown.records(), data=self.to_dict())


# from the store -----------------------------------------------------------------------------------


def agreement_report(
    store: Store,
    benchmark: str,
    version: str | None = None,
    *,
    kind: Kind = "label",
    reference: str | None = None,
    judges: Collection[str] = (),
    between: bool = False,
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
    given: JudgeValues | None = None,
) -> AgreementReport:
    """How far the judges of a benchmark agree in one kind of verdicts.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``; ``version`` may stand apart.
    reference
        A judge by name or id; ``human`` is a judge of that name, or else ``human/*`` together: the
        majority of their labels and outcomes with ties left out, the mean of their scores. Where
        not given: ``human``, if people have given any such verdict.
    judges
        Only these, by name (as shown, or without what tells them apart) or id; all if empty.
    between
        Whether to compare every two judges as well (each pair costs as much as a judge does), or
        the ``judges`` asked for with every other; where there is no reference that is all there is.
    rule
        How probabilities in one order or two become outcomes.
    weighting
        Of Cohen's kappa of outcomes with ties.
    checks
        With them, judges are compared with judges, those that say nearly always the same are named,
        and what verdicts took is read.
    given
        What everybody gave, where that was read before.

    Raises
    ------
    UsageError
        For a benchmark, judge or reference that the store does not hold, and for a reference
        that several judges are called.
    """
    which = benchmark_ref(store, benchmark if version is None else f"{benchmark}@{version}")
    given = given or JudgeValues(store, which, kind)
    columns, named = given.columns, given.judges
    reference, wanted = _asked_for(columns, reference, judges, named, store, which, kind)
    checks, wanted = _with_versus(checks, reference, wanted, named, store, which)
    rule = rule or OutcomeRule()

    def board(its: Columns) -> AgreementBoard:
        found = given.board if its is columns and rule == OutcomeRule() else given.made(its, rule)
        compared: dict[Kind, Callable[[], AgreementBoard]] = {
            "label": lambda: LabelAgreement(found, intervals),
            "preference": lambda: OutcomeAgreement(found, weighting, intervals),
            "score": lambda: ScoreAgreement(found, which.report.block, intervals),
        }
        return compared[kind]()

    held = _only(columns, wanted, reference)
    table, every = AgreementTable(reference="", raters=(), rows=()), None
    if reference is not None:
        table = board(held).against(reference, checks)
    if between or reference is None:
        every = board(columns)
    pairs = every.between(wanted) if every is not None else ()
    flags = table.flags
    if reference is None and checks is not None and isinstance(every, LabelAgreement):
        flags = every.near_constant_between(wanted, checks)
    basis: Outcomes | Scores | None = None
    if kind == "preference":
        basis = Outcomes(
            rule=rule,
            weighting=weighting,
            outcomes=every.counts if every is not None and reference is None else table.counts,
            nothing_in_common=table.nothing_in_common,
        )
    elif kind == "score":
        basis = Scores(
            block=which.report.block, unparsed=which.report.unparsed, counts=table.counts
        )
    unread = undeclared(held if every is None else columns, which.labels)
    warnings = [
        f"{judge}: {undeclared_labels(n, which)}"
        for judge, n in sorted(unread.items())
        if kind == "label"
    ]
    costs: tuple[JudgeCost, ...] = ()
    if checks is not None:
        compared = dict.fromkeys(row.judge for row in table.rows) or dict.fromkeys(
            name for row in pairs for name in (row.judge, row.reference)
        )
        costs = judge_costs(store, which.name, which.version, named, compared)
        warnings += flag_warnings(flags)
    about: dict[str, Any] = {"version": which.version, "kind": kind}
    return AgreementReport(
        benchmark=which.name,
        version=which.version,
        reference=reference,
        raters=table.raters,
        kinds=(
            AgreementKind(
                kind=kind, reference=reference, raters=table.raters, basis=basis,
                level=(intervals or Intervals()).level, warnings=tuple(warnings),
            ),
        ),
        rows=tuple(replace(row, **about) for row in table.rows),
        between=tuple(replace(row, **about) for row in pairs),
        differences=tuple(replace(one, **about) for one in table.differences),
        costs=tuple(replace(one, kind=kind, reference=reference) for one in costs),
        flags=tuple(replace(one, kind=kind) for one in flags),
    )  # fmt: skip


class JudgeValues:
    """What everybody gave in one kind of verdicts, under the names that agreement reports have.

    As columns, and made of them once where somebody asks, as a board and as numbers.

    Parameters
    ----------
    stored
        What `Store.board_verdicts` has of the benchmark, where that was read before.
    """

    def __init__(
        self, store: Store, which: BenchmarkRef, kind: Kind, stored: Columns | None = None
    ) -> None:
        self.which, self.kind = which, kind
        self.columns, self.judges, self.models = columns_of(store, which, kind, stored)

    @cached_property
    def board(self) -> JudgedValues:
        """With what a model is against itself."""
        return self.made(self.columns)

    def made(self, columns: Columns, rule: OutcomeRule | None = None) -> JudgedValues:
        """What some of the columns say."""
        unparsed = self.which.report.unparsed
        return read_values(columns, self.kind, self.which.labels, rule=rule, unparsed=unparsed)

    @cached_property
    def values(self) -> JudgedValues:
        return self.board.without_itself() if self.kind == "preference" else self.board


def columns_of(
    store: Store, which: BenchmarkRef, kind: Kind, stored: Columns | None = None
) -> tuple[Columns, dict[str, str], dict[str, str]]:
    """Verdicts as judges are compared by them, and id -> shown name of judges and of models.

    Of outcomes and scores with what failed, which says what was asked.
    """
    stored = stored or store.board_verdicts(which.name, which.version)
    tables: list[Columns] = [stored]
    if kind != "label":
        tables.append(store.failures(which.name, which.version))
    judges, models = (disambiguate(reversed(tables), who) for who in ("judge", "model"))
    columns, *failed = (renamed(one, models, judges) for one in tables)
    if failed:
        columns = with_failures(columns, *failed)
    if kind == "preference":
        columns = where(columns, marked(columns["opponent"], lambda one: one is not None))
    return with_units(columns, store, which), judges, models


def agreement_reports(
    store: Store,
    benchmark: str,
    *,
    reference: str | None = None,
    between: bool = False,
    checks: JudgeChecks | None = None,
    **asked: Any,
) -> AgreementReport | None:
    """One report over all kinds of verdicts in which there is something to compare; None for none.

    Parameters
    ----------
    checks
        As for `agreement_report`; the usual ones where not given.
    **asked
        As for `agreement_report`.

    Raises
    ------
    UsageError
        For a name that the store does not hold, where the reference has no verdict of any kind that
        can be compared, and where no judge can be compared with the one that is named for it.
    """
    checks = checks or JudgeChecks()
    which = benchmark_ref(store, benchmark)
    stored: Columns = store.board_verdicts(which.name, which.version)
    suspicious = BoardData(store, which, ())
    said = counted(stored["kind"], stored["judge"])
    people = {kind for kind, judge in said if is_human(judge)}
    how = {"reference": reference, "between": between, "checks": checks, **asked}
    found: list[AgreementReport] = []
    refused: list[UsageError] = []
    for kind in KINDS:
        if kind not in {one for one, _ in said}:
            continue
        if kind == "score" and found and not (reference or between or kind in people):
            continue  # every confidence in an answer is a score: compared only where asked for
        try:
            given = JudgeValues(store, which, kind, stored)
            report = agreement_report(store, benchmark, kind=kind, given=given, **how)
        except UsageError as error:
            refused.append(error)
        else:
            found.append(_without_suspicious(report, suspicious, kind, stored, how))
    told = [report for report in found if report.rows or report.between]
    if which.report.right is not None:
        try:
            told = _with_accuracies(told, store, which, which.report.right, stored, **how)
        except UsageError as error:  # nobody has said what is right
            refused.append(error)
    if not told and refused:
        raise refused[0]
    if checks.versus not in (None, ALL, BEST) and not any(one.differences for one in told):
        raise UsageError(
            f"--versus: no judge can be compared with {checks.versus}: that takes a reference, and "
            "another judge, with verdicts of one kind"
        )
    return _joined(told) if told else None


def _with_accuracies(
    reports: list[AgreementReport],
    store: Store,
    which: BenchmarkRef,
    right: Right,
    stored: Columns,
    *,
    reference: str | None,
    judges: Collection[str] = (),
    intervals: Intervals | None = None,
    **others: Any,
) -> list[AgreementReport]:
    """Of a benchmark of judges: how often each is right, in the report on the same verdicts."""
    kind: Kind = "preference" if right.rule == "pairs" else "score"
    columns, named, _ = columns_of(store, which, kind, stored)
    if reference not in (None, HUMAN):
        reference = find_reference(str(reference), named, store, which)
    truth = reference or HUMAN
    wanted = {judge for name in judges for judge in find_judges(name, named, store, which)}
    category_of = {item.id: item.category for item in store.items(which.name, which.version)}
    if right.rule == "pairs":
        said = right_pairs(columns, truth)
    else:
        ties = {item for item, category in category_of.items() if category == right.ties}
        labels = columns_of(store, which, "label", stored)[0]
        said = right_answers(labels, columns, truth, which.labels, ties)
    level = (intervals or Intervals()).level
    rows = tuple(
        AgreementRow(
            judge=found.judge, reference=truth, version=which.version, kind=kind, scope="pooled",
            model=None, metrics=judge_accuracies(found, right, category_of, level),
        )
        for found in said
        if not wanted or found.judge in wanted
    )  # fmt: skip
    nothing_else = AgreementReport(
        benchmark=which.name, version=which.version, reference=truth, raters=(),
        kinds=(AgreementKind(kind=kind, reference=truth, raters=(), level=level),),
    )  # fmt: skip
    first = next((one for one in reports if one.kinds[0].kind == kind), nothing_else)
    others_first = [one for one in reports if one is not first]
    return [*others_first, replace(first, accuracies=rows)] if rows else reports


def _joined(reports: list[AgreementReport]) -> AgreementReport:
    first = next((report for report in reports if report.reference is not None), reports[0])
    names = ("kinds", "rows", "between", "differences", "costs", "flags", "accuracies")
    parts: dict[str, Any] = {
        name: tuple(one for report in reports for one in getattr(report, name)) for name in names
    }
    return replace(first, **parts)


def or_refused(report: AgreementReport | None, benchmark: str) -> AgreementReport:
    """The report.

    Raises
    ------
    UsageError
        Where there is none.
    """
    if report is None:
        raise UsageError(
            f"{benchmark} has no two judges with labels or scores of the same answers, or with "
            "preferences about the same pairs; `judgebench import labels FILE` brings what people "
            "say"
        )
    return report


def _asked_for(
    columns: Columns,
    reference: str | None,
    judges: Collection[str],
    named: Mapping[str, str],
    store: Store,
    which: BenchmarkRef,
    kind: Kind,
) -> tuple[str | None, frozenset[str]]:
    """The reference and the judges asked for, as they are shown; no judges where all are meant.

    People with such verdicts are the reference where nobody is named.
    """
    if reference is None:
        said = counted(columns["judge"], columns["kind"])
        people = any(is_human(judge) and one == kind for judge, one in said)
        reference = HUMAN if people else None
    elif reference != HUMAN or not any(is_human(judge) for judge in named.values()):
        if reference == HUMAN and HUMAN not in named.values():
            raise UsageError(
                f"{which}: nobody has labelled it; `judgebench labels export {which}` draws answers"
            )
        reference = find_reference(reference, named, store, which)
    wanted = (judge for name in judges for judge in find_judges(name, named, store, which))
    return reference, frozenset(wanted)


def _with_versus(
    checks: JudgeChecks | None,
    reference: str | None,
    wanted: frozenset[str],
    named: Mapping[str, str],
    store: Store,
    which: BenchmarkRef,
) -> tuple[JudgeChecks | None, frozenset[str]]:
    """The judge with which others are compared as it is shown, and it among those asked for.

    Raises
    ------
    UsageError
        For a judge that is not known, and for the reference itself.
    """
    if checks is None or checks.versus in (None, ALL, BEST):
        return checks, wanted
    versus = find_reference(str(checks.versus), named, store, which)
    if versus == reference:
        raise UsageError(
            f"--versus: {versus} is the reference, with which every judge is compared; name "
            "another judge, or another --reference"
        )
    return replace(checks, versus=versus), wanted and wanted | {versus}


def _only(columns: Columns, wanted: Collection[str], reference: str | None) -> Columns:
    """Verdicts of the judges asked for and of the reference, all where none is asked for."""
    if not wanted:
        return columns

    def compared(judge: str) -> bool:
        return judge in wanted or judge == reference or (reference == HUMAN and is_human(judge))

    return where(columns, marked(columns["judge"], compared))


def flag_warnings(flags: Collection[NearConstant]) -> list[str]:
    """A line for each judge that says nearly always the same, with the models on which it does."""
    apart = len({one.opponent for one in flags}) > 1
    of_judge: dict[str, list[str]] = {}
    for one in flags:
        where = "all answers" if one.model is None else one.model
        if apart and one.opponent is not None:
            where += f" against {one.opponent}"
        of_judge.setdefault(one.judge, []).append(
            f"{one.says} on {100 * one.share:.4g} % of {one.n} verdicts on {where} "
            f"({one.reference}: {100 * one.reference_share:.4g} %)"
        )
    return [
        f"{judge} says nearly always the same: {'; '.join(its)}" for judge, its in of_judge.items()
    ]


# suspicious models --------------------------------------------------------------------------------


def _without_suspicious(
    report: AgreementReport, data: BoardData, kind: Kind, stored: Columns, how: Mapping[str, Any]
) -> AgreementReport:
    """The report with correlations over models that leave suspicious ones out, and a line on it."""
    if not data.suspicious:
        return report
    ids = {data.model_ids[model] for model in data.suspicious}
    rest = where(stored, marked(stored["model_id"], lambda one: one not in ids))
    others: AgreementReport | None = None
    with suppress(UsageError):  # of the other models alone there may be nothing to compare
        given = JudgeValues(data.store, data.which, kind, rest)
        others = agreement_report(data.store, str(data.which), kind=kind, given=given, **how)
    again = {_who(row): row for row in (*others.rows, *others.between)} if others else {}
    differences = {_of(one): one for one in others.differences} if others else {}

    def row_without(row: AgreementRow) -> AgreementRow:
        if row.scope != "pooled":
            return row
        instead = again[_who(row)].metrics if _who(row) in again else {}
        why = "only suspicious models have verdicts of both"
        nothing = {name: one.lost(why) for name, one in row.metrics.items()}
        return replace(
            row,
            metrics={
                name: instead.get(name, nothing[name]) if _over_models(kind, name) else one
                for name, one in row.metrics.items()
            },
        )

    why = "; ".join(f"{model}: {said}" for model, said in sorted(data.suspicious.items()))
    said = (
        f"correlations over models leave out those that are suspicious, which count in all else "
        f"({why})"
    )
    (its,) = report.kinds
    its = replace(its, suspicious=tuple(sorted(data.suspicious)), warnings=(*its.warnings, said))
    return replace(
        report,
        kinds=(its,),
        rows=tuple(map(row_without, report.rows)),
        between=tuple(map(row_without, report.between)),
        differences=tuple(
            differences.get(_of(one), one)
            if _over_models(kind, one.metric)
            else one
            for one in report.differences
            if not _over_models(kind, one.metric) or _of(one) in differences
        ),
    )  # fmt: skip


def _over_models(kind: Kind, metric: str) -> bool:
    return not metric.startswith((SAMPLE, BLOCK)) if kind == "score" else metric in RANKINGS


def _who(row: AgreementRow) -> tuple[str | None, ...]:
    return row.judge, row.reference, row.scope, row.model, row.opponent


def _of(one: JudgeDifference) -> tuple[str | None, ...]:
    return one.judge, one.versus, one.metric, one.scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterAgreement(Report):
    """Everybody who has judged what a rater has labelled, people first: a row ``pooled`` for each.

    There is none where the rater has no label of that kind or scores on no scale of whole numbers,
    or nobody else has judged the same.
    """

    ROWS: ClassVar = (Rows(of="rows", row=("judge", "reference", Each("metrics"))),)
    CHART: ClassVar = Chart(along="judge", by="metric")

    rows: tuple[AgreementRow, ...] = ()

    def tables(self) -> list[Table]:
        return [
            table(
                "agreement with a rater",
                self.rows,
                [
                    column("judge", lambda row: row.judge, wraps=True),
                    column("kappa", lambda row: text(row.metrics[KAPPA]), align="right"),
                    column("n", lambda row: f"{row.metrics[KAPPA].n:,}", align="right"),
                ],
            )
        ]


def rater_agreement(
    store: Store,
    benchmark: str,
    version: str,
    rater: bytes,
    kind: Kind,
    *,
    intervals: Intervals | None = None,
) -> RaterAgreement:
    """How far everybody who has judged what a rater has labelled agrees with the rater.

    The numbers are those of the agreement report with the rater as the reference; of scores, kappa
    is quadratic. Only what was said of the same answers is read, however much the store holds.

    Parameters
    ----------
    rater
        The key of a judge.
    kind
        Of the labels that are compared.
    intervals
        Percentile bootstrap over items unless asked otherwise.

    Raises
    ------
    UsageError
        Where the benchmark is not in the store, and where none of the labels is a declared one.
    """
    which = benchmark_ref(store, f"{benchmark}@{version}")
    columns: Columns = store.verdicts_beside(benchmark, version, rater)
    named = disambiguate([columns], "judge")
    columns = renamed(columns, disambiguate([columns], "model"), named)
    columns = with_units(columns, store, which)
    name = named.get(rater.hex()[:12])
    own = where(columns, marked(columns["judge"], lambda judge: judge == name))
    if name is None or kind not in own["kind"]:
        return RaterAgreement()
    rows: tuple[AgreementRow, ...]
    if kind == "label":
        rows = label_kappa(columns, reference=name, labels=which.labels, intervals=intervals)
    elif kind == "preference":
        pairs = where(columns, marked(columns["opponent"], lambda one: one is not None))
        board = OutcomeAgreement(read_outcomes(pairs), intervals=intervals)
        rows = board.against(name).rows
    else:
        low, high = _scale(own)
        if not (low.is_integer() and high.is_integer()):  # nor is an endless one
            return RaterAgreement()
        ends = {"low": int(low), "high": int(high)}
        rows = score_kappa(columns, reference=name, **ends, intervals=intervals)
    pooled = (row for row in rows if row.scope == "pooled")
    first = sorted(pooled, key=lambda row: (not is_human(row.judge), row.judge))
    return RaterAgreement(rows=tuple(first))


def _scale(own: Columns) -> tuple[float, float]:
    """That of the rater's newest score."""
    scores = [row for row, kind in enumerate(own["kind"]) if kind == "score"]
    newest = max(scores, key=lambda row: float(own["at"][row]))
    return float(own["low"][newest]), float(own["high"][newest])
