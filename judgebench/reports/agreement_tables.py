"""How far judges agree, as it is kept and as tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.judge_differences import JudgeDifference
from judgebench.metrics.near_constant import NearConstant
from judgebench.metrics.order_consistency import ONE_ORDER, UPSTREAM
from judgebench.metrics.registry import meanings
from judgebench.reports import estimates
from judgebench.reports.document import Column, Table
from judgebench.reports.judge_comparison import cost_columns, cost_notes, difference_tables
from judgebench.reports.judge_costs import JudgeCost
from judgebench.stats.agreement import Weighting
from judgebench.stats.pair_outcomes import OutcomeRule

KAPPA = "cohen_kappa"
SHOWN = {
    "cohen_kappa": "kappa",
    "agreement": "agreement",
    "scott_pi": "pi",
    "p_c": "p_c",
    "p_plus": "p_plus",
    "precision": "precision",
    "recall": "recall",
    "score_delta": "delta",
}
"""What the printed table shows; JSON and CSV have every coefficient."""

SHOWN_OF_MODELS = {"spearman": "Spearman", "kendall": "Kendall"}
"""And of all answers together: how alike judge and reference put the models in order."""

SHOWN_OF_OUTCOMES = {
    "cohen_kappa": "kappa",
    "agreement": "agreement",
    "cohen_kappa_no_ties": "kappa without ties",
    "agreement_no_ties": "agreement without ties",
    "preference_correlation": "correlation",
}
"""The same of preferences, where a pair is lost, tied or won."""

SHOWN_OF_BOTH_ORDERS = {
    "consistency": "consistency",
    "consistent_agreement": "consistent agreement",
}
"""And of pairs that were shown in both orders, where there are such."""

SHOWN_AS_UPSTREAM = {f"{name}{UPSTREAM}": f"{title}, upstream"
                     for name, title in SHOWN_OF_BOTH_ORDERS.items()}  # fmt: skip
"""The same where upstream counts otherwise: pairs that could not be read are inconsistent."""

WITH_INTERVAL = (
    *("cohen_kappa", "agreement", "cohen_kappa_no_ties", "agreement_no_ties"),
    *SHOWN_OF_BOTH_ORDERS,
)
MOST_NOTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReport:
    """Judges of one benchmark against a reference, and every two against each other.

    ``reference`` is None where nobody was named and no person has labelled anything: then there
    is only ``between``. ``raters`` are those whose labels the reference is made of. ``kind`` says
    what they agree on: labels of answers, or scores of them, of which ``scores`` says what they
    rest on, or the outcomes of preferences, and then ``outcomes`` says how preferences became
    those, and ``nothing_in_common`` names the judges that were asked about no pair of the
    reference's. ``differences`` compares judges with judges, ``flags`` are those that say nearly
    always the same, and ``costs`` what their verdicts took; they are empty where nobody asked.
    ``suspicious`` are the models that correlations over models leave out.
    """

    benchmark: str
    version: str
    reference: str | None
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]
    between: tuple[AgreementRow, ...]
    warnings: tuple[str, ...] = ()
    kind: Kind = "label"
    outcomes: Outcomes | None = None
    scores: Scores | None = None
    nothing_in_common: tuple[str, ...] = ()
    differences: tuple[JudgeDifference, ...] = ()
    flags: tuple[NearConstant, ...] = ()
    costs: tuple[JudgeCost, ...] = ()
    level: float = 0.95
    suspicious: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """By which rule preferences became outcomes, and how many of which each judge has."""

    rule: OutcomeRule
    weighting: Weighting
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What correlations of scores rest on.

    ``counts`` are by judge, as in `judgebench.metrics.score_agreement.ScoreTable`; ``block`` and
    ``unparsed`` are upstream's, None where it has none.
    """

    block: int | None
    unparsed: float | None
    counts: Mapping[str, Mapping[str, int]]


def without_models(report: AgreementReport) -> AgreementReport:
    """The report without its rows for single models, nor for their mean where there is but one."""
    one = len({(row.model, row.opponent) for row in report.rows if row.scope == "model"}) == 1
    gone = ("model", "macro") if one else ("model",)
    return replace(report, rows=tuple(row for row in report.rows if row.scope not in gone))


def tables_of(whole: AgreementReport, *, by_model: bool) -> Iterable[Table]:
    """Judges against the reference, with each other by that, and every two among themselves.

    Parameters
    ----------
    by_model
        Whether single models have a table.
    """
    report = whole if by_model else without_models(whole)
    models = _models_ranked(whole)
    at = f"{report.benchmark}@{report.version}"
    if report.outcomes is not None:
        at += ", preferences"
    rule = "" if report.outcomes is None else f"; {rule_line(report.outcomes)}"
    if report.reference is not None:
        against = f"{at}, judges against {report.reference}"
        of, shown = _made_of(report), shown_of(report)
        for scope, says in (
            ("pooled", "pooled: all answers together"),
            ("macro", "macro: the unweighted mean over models, as papers print it"),
            ("model", "model by model"),
        ):
            rows = [row for row in report.rows if row.scope == scope]
            if rows:
                says = f"{of}{says}; intervals resample questions{rule}"
                table = _table(
                    report, rows, against, says, shown, models if scope == "pooled" else {}
                )
                # Once, under the first table: the others have the same columns.
                once = [meanings(shown)] if scope == "pooled" else []
                yield replace(table, notes=[*table.notes, *once])
        yield from difference_tables(report.differences, at, level=report.level)
    if report.between:
        what = "answers" if report.outcomes is None else "pairs"
        yield from between_tables(report.between, at, what, rule)


def shown_of(report: AgreementReport) -> Mapping[str, str]:
    """The metrics that a table has room for, by name, and what they are called there."""
    if report.outcomes is None:
        return SHOWN
    n = [(row.metrics["consistency"].n, row.metrics[f"consistency{UPSTREAM}"].n)
         for row in report.rows]  # fmt: skip
    both_orders = SHOWN_OF_BOTH_ORDERS if any(upstream for _, upstream in n) else {}
    unread = SHOWN_AS_UPSTREAM if any(read < upstream for read, upstream in n) else {}
    return {**SHOWN_OF_OUTCOMES, **both_orders, **unread}


def rule_line(outcomes: Outcomes) -> str:
    """The rule in words, as it stands above every number that depends on it."""
    rule = outcomes.rule
    band = f"within {rule.tie_band:g} of one half" if rule.tie_band else "at one half exactly"
    conflict = {
        "mean": "orders that disagree count with their mean",
        "tie": "orders that disagree are a tie",
        "drop": "pairs on which the orders disagree are left out",
    }[rule.conflict]
    unreadable = {
        "other": "if one order is unreadable, the other is used",
        "drop": "pairs of which one order is unreadable are left out",
    }[rule.unreadable]
    weighted = f"; {outcomes.weighting} kappa" if outcomes.weighting != "nominal" else ""
    return f"a tie is {band}, {conflict}, {unreadable}{weighted}"


def _made_of(report: AgreementReport) -> str:
    if report.raters == (report.reference,):
        return ""
    if len(report.raters) == 1:
        return f"labels of {report.raters[0]}; "
    return f"the majority of {', '.join(report.raters)}, ties left out; "


def beside_others(report: AgreementReport) -> list[str]:
    """That raters of the reference are compared with the others; nothing where there are none."""
    its = sorted({row.judge for row in report.rows} & set(report.raters))
    what = "mean" if report.kind == "score" else "majority"
    return [f"{', '.join(its)}: compared with the {what} of the other people"] if its else []


def _table(
    report: AgreementReport,
    rows: Sequence[AgreementRow],
    title: str,
    subtitle: str,
    shown: Mapping[str, str],
    models: Mapping[str, int],
) -> Table:
    by_model, pooled = rows[0].model is not None, rows[0].scope == "pooled"
    # Model by model, the judges stay in their order; else the best comes first.
    ordered = rows if by_model else sorted(rows, key=_by_kappa)
    costs = report.costs if pooled else ()
    beside = cost_columns(costs)
    columns = [Column(title="judge", wraps=True)]
    columns += [Column(title="model", wraps=True)] if by_model else []
    # One opponent needs no column of its own.
    apart = len({row.opponent for row in rows}) > 1
    columns += [Column(title="opponent", wraps=True)] if apart else []
    for name, text in shown.items():
        columns.append(Column(title=text, align="right", spare=name != KAPPA))
        columns += [column for column, _ in beside] if name == KAPPA else []
    ranked = {} if max(models.values(), default=0) < 2 else SHOWN_OF_MODELS
    titles = [*ranked.values(), "models"] if ranked else []
    columns += [Column(title=text, align="right", spare=True) for text in titles]
    columns += [Column(title="n", align="right"), Column(title="missing", align="right")]
    cells = [_cells(row, shown, ranked, apart=apart) for row in ordered]
    for row, line in zip(ordered, cells, strict=True):
        if ranked:
            line.insert(len(line) - 2, str(models[row.judge]))
        at = len(line) - 2 - len(titles) - len(shown) + 1
        line[at:at] = [said[row.judge] for _, said in beside]
    strangers = report.nothing_in_common if pooled else ()
    return Table(
        title=title,
        subtitle=subtitle,
        columns=columns,
        rows=cells,
        notes=[
            *beside_others(replace(report, rows=tuple(rows))),
            *_about_pairs(shown, strangers),
            *_notes(ordered, {**shown, **ranked}),
            *([RANKED_BY[report.kind]] if ranked else []),
            *cost_notes(costs),
        ],
    )


RANKED_BY = {
    "label": "Spearman, Kendall: of the models' shares of the positive label",
    "preference": "Spearman, Kendall: of the models' win rates",
}


def _models_ranked(report: AgreementReport) -> dict[str, int]:
    """By judge, how many models its ranking correlations rest on."""
    named: dict[str, list[tuple[str, str | None]]] = {}
    for row in report.rows:
        its = named.setdefault(row.judge, [])
        if row.model in report.suspicious:
            continue
        if row.model is not None and row.model != row.opponent and row.metrics[KAPPA].n:
            its.append((row.model, row.opponent))
    return {
        judge: len(
            {model for model, _ in pairs}
            if len({opponent for _, opponent in pairs}) < 2
            else {name for pair in pairs for name in pair}
        )
        for judge, pairs in named.items()
    }


def _about_pairs(shown: Mapping[str, str], strangers: Sequence[str]) -> list[str]:
    """What a reader of comparisons may miss."""
    said = [f"no pair in common with the reference: {', '.join(strangers)}"] if strangers else []
    if shown == SHOWN_OF_OUTCOMES:
        said.append(f"no consistency: {ONE_ORDER}")
    return said


def _by_kappa(row: AgreementRow) -> tuple[float, str]:
    value = row.metrics[KAPPA].value
    return (math.inf if math.isnan(value) else -value), row.judge


def _cells(
    row: AgreementRow, shown: Mapping[str, str], ranked: Mapping[str, str], *, apart: bool
) -> list[str]:
    kappa = row.metrics[KAPPA]
    numbers = [
        estimates.text(e) if name in WITH_INTERVAL else estimates.text(replace(e, low=math.nan))
        for name in (*shown, *ranked)
        for e in (row.metrics[name],)
    ]
    names = [row.judge] if row.model is None else [row.judge, row.model]
    names += [row.opponent or ""] if apart else []
    return [*names, *numbers, str(kappa.n), str(kappa.missing)]


def _notes(rows: Sequence[AgreementRow], shown: Mapping[str, str]) -> list[str]:
    """Why a dash stands where it stands; coefficients with one reason in one note."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        who = row.judge if row.model is None else f"{row.judge} on {row.model}"
        for name, title in shown.items():
            if why := row.metrics[name].undefined:
                reasons.setdefault((who, why), []).append(title)
    notes = [
        f"{estimates.UNDEFINED} {who}: {', '.join(titles)}: {why}"
        for (who, why), titles in reasons.items()
    ]
    more = len(notes) - MOST_NOTES
    return notes if more <= 0 else [*notes[:MOST_NOTES], f"and {more} more: --format json"]


def between_tables(
    rows: Sequence[AgreementRow],
    at: str,
    what: str,
    rule: str,
    *,
    shown: tuple[str, str] = (KAPPA, "kappa, pooled"),
    beside: Mapping[str, str] = MappingProxyType({"agreement": "agreement"}),
) -> Iterator[Table]:
    """Every two judges as a matrix, where there are three or more, and then with their intervals.

    Parameters
    ----------
    shown
        The metric that stands in the cells, by its name and in words.
    beside
        What is listed besides, by name.
    """
    names = {name for row in rows for name in (row.judge, row.reference)}
    if len(names) > 2 and len(rows) >= len(names):  # not one judge with every other
        yield matrix(rows, at, what, rule, shown=shown)
    metrics = {shown[0]: shown[1].removesuffix(", pooled"), **beside}
    yield Table(
        title=f"{at}, every two judges",
        subtitle=f"pooled; intervals resample questions{rule}",
        columns=[
            Column(title="judge", wraps=True),
            Column(title="and", wraps=True),
            *(Column(title=title, align="right", spare=n > 0)
              for n, title in enumerate(metrics.values())),
            Column(title="n", align="right"),
            Column(title="missing", align="right"),
        ],
        rows=[
            [
                row.judge, row.reference,
                *(estimates.text(row.metrics[name]) for name in metrics),
                str(row.metrics[shown[0]].n), str(row.metrics[shown[0]].missing),
            ]
            for row in rows
        ],
        notes=_between_notes(rows, metrics),
    )  # fmt: skip


def _between_notes(rows: Sequence[AgreementRow], metrics: Mapping[str, str]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for name, title in metrics.items():
            if why := row.metrics[name].undefined:
                reasons.setdefault(f"{title}: {why}", []).append(f"{row.judge} and {row.reference}")
    said = [f"{estimates.UNDEFINED} {', '.join(who)}: {why}" for why, who in reasons.items()]
    more = len(said) - MOST_NOTES
    return said if more <= 0 else [*said[:MOST_NOTES], f"and {more} more: --format json"]


def matrix(
    rows: Sequence[AgreementRow],
    at: str,
    what: str,
    rule: str,
    *,
    shown: tuple[str, str] = (KAPPA, "kappa, pooled"),
) -> Table:
    """Every two judges twice; ``shown`` is what stands in the cells, as in `between_tables`."""
    names = sorted({name for row in rows for name in (row.judge, row.reference)})
    cells = {frozenset((row.judge, row.reference)): row.metrics[shown[0]] for row in rows}
    alike = len({e.n for e in cells.values()}) == 1

    def cell(one: str, other: str) -> str:
        found = cells.get(frozenset((one, other))) if one != other else None
        if found is None:
            return ""
        return estimates.text(replace(found, low=math.nan), digits=2)

    n = f", on {rows[0].metrics[shown[0]].n} {what} each" if alike else ""
    titles = [str(i) for i in range(1, len(names) + 1)]
    return Table(
        title=f"{at}, judges against each other",
        subtitle=f"{shown[1]}{n}{rule}",
        columns=[
            Column(title="judge", wraps=True),
            *(Column(title=title, align="right") for title in titles),
        ],
        rows=[
            [f"{i} {one}", *(cell(one, other) for other in names)] for i, one in enumerate(names, 1)
        ],
    )
