"""How far judges agree, as it is kept and as tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.order_consistency import ONE_ORDER, UPSTREAM
from judgebench.report import estimates
from judgebench.report.table import Column, Table
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
    reference's.
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


def tables_of(report: AgreementReport) -> Iterable[Table]:
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
                strangers = report.nothing_in_common if scope == "pooled" else ()
                yield _table(rows, against, says, shown, strangers)
    if report.between:
        what = "answers" if report.outcomes is None else "pairs"
        yield matrix(report.between, at, what, rule)


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
        "other": "of one readable order that one counts",
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


def _table(
    rows: Sequence[AgreementRow],
    title: str,
    subtitle: str,
    shown: Mapping[str, str],
    strangers: Sequence[str],
) -> Table:
    by_model = rows[0].model is not None
    # Model by model, the judges stay in their order; else the best comes first.
    ordered = rows if by_model else sorted(rows, key=_by_kappa)
    columns = [Column(title="judge", wraps=True)]
    columns += [Column(title="model", wraps=True)] if by_model else []
    # One opponent needs no column of its own.
    apart = len({row.opponent for row in rows}) > 1
    columns += [Column(title="opponent", wraps=True)] if apart else []
    columns += [
        Column(title=title, align="right", spare=name != KAPPA) for name, title in shown.items()
    ]
    columns += [Column(title="n", align="right"), Column(title="missing", align="right")]
    return Table(
        title=title,
        subtitle=subtitle,
        columns=columns,
        rows=[_cells(row, shown, apart=apart) for row in ordered],
        notes=[*_about_pairs(shown, strangers), *_notes(ordered, shown)],
    )


def _about_pairs(shown: Mapping[str, str], strangers: Sequence[str]) -> list[str]:
    """What a reader of comparisons may miss."""
    said = [f"no pair in common with the reference: {', '.join(strangers)}"] if strangers else []
    if shown == SHOWN_OF_OUTCOMES:
        said.append(f"no consistency: {ONE_ORDER}")
    return said


def _by_kappa(row: AgreementRow) -> tuple[float, str]:
    value = row.metrics[KAPPA].value
    return (math.inf if math.isnan(value) else -value), row.judge


def _cells(row: AgreementRow, shown: Mapping[str, str], *, apart: bool) -> list[str]:
    kappa = row.metrics[KAPPA]
    numbers = [
        estimates.text(e if name in WITH_INTERVAL else replace(e, low=math.nan))
        for name in shown
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


def matrix(
    rows: Sequence[AgreementRow],
    at: str,
    what: str,
    rule: str,
    *,
    shown: tuple[str, str] = (KAPPA, "kappa, pooled"),
) -> Table:
    """Every two judges twice; where all rows are of one judge, that judge's column alone.

    ``shown`` is the metric that stands in the cells, by its name and in words.
    """
    of_one = set.intersection(*({row.judge, row.reference} for row in rows)) if rows[1:] else set()
    names = sorted({name for row in rows for name in (row.judge, row.reference)})
    across = sorted(of_one) or names
    down = [name for name in names if name not in of_one]
    cells = {frozenset((row.judge, row.reference)): row.metrics[shown[0]] for row in rows}
    alike = len({e.n for e in cells.values()}) == 1

    def cell(one: str, other: str) -> str:
        found = cells.get(frozenset((one, other))) if one != other else None
        if found is None:
            return ""
        said = estimates.text(replace(found, low=math.nan), digits=2)
        return said if alike else f"{said} ({found.n})"

    n = f", on {rows[0].metrics[shown[0]].n} {what} each" if alike else f" (on how many {what})"
    titles = sorted(of_one) or [str(i) for i in range(1, len(names) + 1)]
    return Table(
        title=f"{at}, judges against each other",
        subtitle=f"{shown[1]}{n}{rule}",
        columns=[
            Column(title="judge", wraps=True),
            *(Column(title=title, align="right") for title in titles),
        ],
        rows=[
            [one if of_one else f"{i} {one}", *(cell(one, other) for other in across)]
            for i, one in enumerate(down, 1)
        ],
    )
