"""How far judges agree, as tables for people. Each takes a report on one kind of verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from judgebench.columns import grouped
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.judge_accuracy import ACCURACY, OF_SUBSET
from judgebench.metrics.judge_differences import KAPPA, JudgeDifference
from judgebench.metrics.outcome_agreement import ONE_ORDER, UPSTREAM
from judgebench.metrics.registry import meanings, titles
from judgebench.metrics.score_agreement import BLOCK, SAMPLE, SYSTEM
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.agreement import AgreementReport, Outcomes, Scores
from judgebench.reports.cost import JudgeCost
from judgebench.reports.document import Cells, Table, column, table
from judgebench.stats.rank_correlation import CORRELATIONS

SHOWN = titles(
    *("cohen_kappa", "agreement", "scott_pi", "p_c", "p_plus", "precision", "recall"),
    "score_delta",
)
"""What the printed table shows; JSON and CSV have every coefficient."""

SHOWN_OF_MODELS = {"spearman": "Spearman", "kendall": "Kendall"}
"""And of all answers together: how alike judge and reference put the models in order."""

SHOWN_OF_OUTCOMES = titles(
    *("cohen_kappa", "agreement", "cohen_kappa_no_ties", "agreement_no_ties"),
    "preference_correlation",
)
"""The same of preferences, where a pair is lost, tied or won."""

SHOWN_OF_BOTH_ORDERS = titles("consistency", "consistent_agreement")
"""And of pairs that were shown in both orders, where there are such."""

SHOWN_AS_UPSTREAM = titles(*(f"{name}{UPSTREAM}" for name in SHOWN_OF_BOTH_ORDERS))
"""The same where upstream counts otherwise: pairs that could not be read are inconsistent."""

WITH_INTERVAL = (
    *("cohen_kappa", "agreement", "cohen_kappa_no_ties", "agreement_no_ties"),
    *SHOWN_OF_BOTH_ORDERS,
)

SCOPES = {
    "pooled": "pooled: all answers together",
    "macro": "macro: the unweighted mean over models, as papers print it",
    "model": "model by model",
}
RANKED_BY: dict[Kind, str] = {
    "label": "Spearman, Kendall: of the models' shares of the positive label",
    "preference": "Spearman, Kendall: of the models' win rates",
}
"""What the models are ranked by that these correlations are of."""

RIGHT: dict[str, Any] = {"align": "right"}
SPARE: dict[str, Any] = {"align": "right", "spare": True}

IS_RIGHT: Mapping[Kind, str] = {
    "preference": "right where the verdicts of both orders together are for the right answer: one "
    "beside a tie or what could not be read is enough, two that contradict each other are not",
    "score": "right where the right answer has the highest score of all; of several that have it, "
    "as large a share",
}


def tables_of(whole: AgreementReport, by_model: bool) -> list[Table]:
    """Judges against the reference, with each other by that, and every two among themselves.

    Parameters
    ----------
    whole
        On one kind of verdicts.
    by_model
        Whether single models have a table.
    """
    (kind,) = whole.kinds
    report = whole if by_model else whole.without_models()
    at = report.place
    at += {"label": "", "preference": ", preferences", "score": ", scores"}[kind.kind]
    tables: list[Table] = []
    if isinstance(kind.basis, Scores):
        if report.rows:
            tables.append(_score_table(report, kind.basis, at))
    elif report.reference is not None:
        for scope in SCOPES:
            if rows := [row for row in report.rows if row.scope == scope]:
                models = _models_ranked(whole) if scope == "pooled" else {}
                tables.append(_table(report, rows, at, models))
    if report.rows:
        tables += difference_tables(report.differences, at, level=kind.level)
    if report.between:
        tables += _between_tables(report, at)
    if report.accuracies:
        tables.insert(0, _accuracies(report.accuracies, at))
    if tables:
        said = [f"warning: {warning}" for warning in report.warnings]
        tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *said])
    return tables


# against the reference ----------------------------------------------------------------------------


def _accuracies(rows: Sequence[AgreementRow], at: str) -> Table:
    """A row for each judge, the best first: the whole, then sections."""

    def cell(name: str) -> Cells[AgreementRow]:
        title = name.partition("/")[2] or name
        return column(
            title, lambda row: estimates.text(row.metrics[name]), align="right", spare=title != name
        )

    names = dict.fromkeys(n for row in rows for n in row.metrics if not n.startswith(OF_SUBSET))
    return table(
        f"{at}, how often judges are right against {rows[0].reference}",
        sorted(rows, key=lambda row: estimates.best_first(row.metrics[ACCURACY].value)),
        [
            column("judge", lambda row: row.judge, wraps=True),
            *(cell(name) for name in names if all(name in row.metrics for row in rows)),
            column("items", lambda row: str(row.metrics[ACCURACY].n), align="right"),
        ],
        subtitle=IS_RIGHT[rows[0].kind],
    )


def _table(
    report: AgreementReport, rows: Sequence[AgreementRow], at: str, models: Mapping[str, int]
) -> Table:
    (kind,) = report.kinds
    shown = shown_of(report)
    pooled, by_model = rows[0].scope == "pooled", rows[0].model is not None
    # Model by model, the judges stay in their order; else the best comes first.
    ordered = rows if by_model else sorted(rows, key=_by(KAPPA))
    costs = report.costs if pooled else ()
    ranked = {} if max(models.values(), default=0) < 2 else SHOWN_OF_MODELS

    def metric(name: str, title: str) -> Cells[AgreementRow]:
        def cell(row: AgreementRow) -> str:
            return estimates.text(row.metrics[name], alone=name not in WITH_INTERVAL)

        return column(title, cell, align="right", spare=name != KAPPA)

    columns: list[Cells[AgreementRow]] = [column("judge", lambda row: row.judge, wraps=True)]
    if by_model:
        columns.append(column("model", lambda row: row.model or "", wraps=True))
    if len({row.opponent for row in rows}) > 1:  # one opponent needs no column of its own
        columns.append(column("opponent", lambda row: row.opponent or "", wraps=True))
    for name, title in shown.items():
        columns.append(metric(name, title))
        columns += _cost_columns(costs) if name == KAPPA else []
    columns += [metric(name, title) for name, title in ranked.items()]
    if ranked:
        columns.append(column("models", lambda row: str(models[row.judge]), **SPARE))
    columns += [
        column("n", lambda row: str(row.metrics[KAPPA].n), **RIGHT),
        column("missing", lambda row: str(row.metrics[KAPPA].missing), **RIGHT),
    ]
    notes = [*_beside_others(report, rows), *_about_pairs(report, shown, pooled=pooled)]
    notes += _undefined(
        (row.judge if row.model is None else f"{row.judge} on {row.model}", title, why)
        for row in ordered
        for name, title in {**shown, **ranked}.items()
        if (why := row.metrics[name].undefined)
    )
    notes += [RANKED_BY[kind.kind]] if ranked else []
    # What the columns mean once, under the first table: the others have the same columns.
    notes += [*_cost_notes(costs), meanings(shown)] if pooled else []
    return table(
        f"{at}, judges against {report.reference}",
        ordered,
        columns,
        subtitle=f"{_made_of(report)}{SCOPES[rows[0].scope]}; intervals resample questions"
        f"{_rule(report)}",
        notes=notes,
    )


def shown_of(report: AgreementReport) -> Mapping[str, str]:
    """The metrics that a table has room for, by name, and what they are called there."""
    if report.kinds[0].kind == "label":
        return SHOWN
    n = [(row.metrics["consistency"].n, row.metrics[f"consistency{UPSTREAM}"].n)
         for row in report.rows]  # fmt: skip
    both_orders = SHOWN_OF_BOTH_ORDERS if any(upstream for _, upstream in n) else {}
    unread = SHOWN_AS_UPSTREAM if any(read < upstream for read, upstream in n) else {}
    return {**SHOWN_OF_OUTCOMES, **both_orders, **unread}


def _rule(report: AgreementReport) -> str:
    basis = report.kinds[0].basis
    return f"; {rule_line(basis)}" if isinstance(basis, Outcomes) else ""


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
    """Whose verdicts the reference is made of, where that is not its name."""
    if report.raters == (report.reference,):
        return ""
    scores = report.kinds[0].kind == "score"
    if len(report.raters) == 1:
        return f"{'scores' if scores else 'labels'} of {report.raters[0]}; "
    raters = ", ".join(report.raters)
    return f"the mean of {raters}; " if scores else f"the majority of {raters}, ties left out; "


def _beside_others(report: AgreementReport, rows: Sequence[AgreementRow]) -> list[str]:
    """That raters of the reference are compared with the others; nothing where there are none."""
    its = sorted({row.judge for row in rows} & set(report.raters))
    what = "mean" if report.kinds[0].kind == "score" else "majority"
    return [f"{', '.join(its)}: compared with the {what} of the other people"] if its else []


def _models_ranked(report: AgreementReport) -> dict[str, int]:
    """By judge, how many models its ranking correlations rest on."""
    named: dict[str, list[tuple[str, str | None]]] = {}
    for row in report.rows:
        its = named.setdefault(row.judge, [])
        if row.model in report.kinds[0].suspicious:
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


def _about_pairs(report: AgreementReport, shown: Mapping[str, str], *, pooled: bool) -> list[str]:
    """What a reader of comparisons may miss."""
    basis = report.kinds[0].basis
    strangers = basis.nothing_in_common if isinstance(basis, Outcomes) and pooled else ()
    said = [f"no pair in common with the reference: {', '.join(strangers)}"] if strangers else []
    return [*said, f"no consistency: {ONE_ORDER}"] if shown == SHOWN_OF_OUTCOMES else said


def _by(metric: str) -> Callable[[AgreementRow], tuple[float, str]]:
    """The best first; a judge without a value comes last."""
    return lambda row: (estimates.best_first(row.metrics[metric].value), row.judge)


def _undefined(found: Iterable[tuple[str, str, str]]) -> list[str]:
    """Why a dash stands where it stands: whose, of what, why; what has one reason in one note."""
    reasons = grouped(((who, why), title) for who, title, why in found)
    return estimates.first_notes(
        f"{estimates.UNDEFINED} {who}: {', '.join(titles)}: {why}"
        for (who, why), titles in reasons.items()
    )


# every two judges ---------------------------------------------------------------------------------


class Between(NamedTuple):
    """What is shown of every two judges: in the cells of a matrix, and beside that in a list."""

    metric: str
    title: str
    beside: Mapping[str, str]
    what: str


BETWEEN: dict[Kind, Between] = {
    "label": Between(KAPPA, "kappa", {"agreement": "agreement"}, "answers"),
    "preference": Between(KAPPA, "kappa", {"agreement": "agreement"}, "pairs"),
    "score": Between(
        "spearman",
        "Spearman's correlation of the models' mean scores",
        {f"{SAMPLE}spearman": "Spearman's, among the answers to one question"},
        "answers",
    ),
}


def _between_tables(report: AgreementReport, at: str) -> Iterator[Table]:
    """Every two judges as a matrix, where there are three or more, then with their intervals."""
    kind, rows = report.kinds[0].kind, report.between
    shown, rule = BETWEEN[kind], _rule(report)
    names = {name for row in rows for name in (row.judge, row.reference)}
    if len(names) > 2 and len(rows) >= len(names):  # not one judge with every other
        yield _matrix(rows, at, shown, rule, pooled="" if kind == "score" else ", pooled")
    metrics = {shown.metric: shown.title, **shown.beside}

    def metric(name: str, title: str) -> Cells[AgreementRow]:
        # Correlations of few models have no interval here.
        bare = kind == "score" and name == shown.metric

        def cell(row: AgreementRow) -> str:
            return estimates.text(row.metrics[name], alone=bare)

        return column(title, cell, align="right", spare=name != shown.metric)

    reasons = grouped(
        (f"{title}: {why}", f"{row.judge} and {row.reference}")
        for row in rows
        for name, title in metrics.items()
        if (why := row.metrics[name].undefined)
    )
    yield table(
        f"{at}, every two judges",
        rows,
        [
            column("judge", lambda row: row.judge, wraps=True),
            column("and", lambda row: row.reference, wraps=True),
            *(metric(name, title) for name, title in metrics.items()),
            column("n", lambda row: str(row.metrics[shown.metric].n), **RIGHT),
            column("missing", lambda row: str(row.metrics[shown.metric].missing), **RIGHT),
        ],
        subtitle=f"pooled; intervals resample questions{rule}",
        notes=estimates.first_notes(
            f"{estimates.UNDEFINED} {', '.join(who)}: {why}" for why, who in reasons.items()
        ),
    )


def _matrix(
    rows: Sequence[AgreementRow], at: str, shown: Between, rule: str, *, pooled: str
) -> Table:
    """Every two judges twice."""
    names = sorted({name for row in rows for name in (row.judge, row.reference)})
    cells = {frozenset((row.judge, row.reference)): row.metrics[shown.metric] for row in rows}
    n = {estimate.n for estimate in cells.values()}

    def with_other(other: str) -> Callable[[str], str]:
        def cell(one: str) -> str:
            found = cells.get(frozenset((one, other))) if one != other else None
            return "" if found is None else estimates.text(found, digits=2, alone=True)

        return cell

    each = f", on {n.pop()} {shown.what} each" if len(n) == 1 else ""
    columns: list[Cells[str]] = [
        column("judge", lambda one: f"{names.index(one) + 1} {one}", wraps=True)
    ]
    columns += [column(str(i), with_other(name), **RIGHT) for i, name in enumerate(names, 1)]
    return table(
        f"{at}, judges against each other",
        names,
        columns,
        subtitle=f"{shown.title}{pooled}{each}{rule}",
    )


# scores -------------------------------------------------------------------------------------------


class _Level(NamedTuple):
    """One level of one judge: whether it is the first, its metrics, and what they rest on."""

    row: AgreementRow
    first: bool
    found: Sequence[Estimate]
    level: str
    over: str


def _score_table(report: AgreementReport, scores: Scores, at: str) -> Table:
    """A line for each judge and level."""
    ordered = sorted(report.rows, key=_by("spearman"))
    levels = [level for row in ordered for level in _levels(row, scores)]

    def correlation(title: str, place: int) -> Cells[_Level]:
        return column(title, lambda line: estimates.text(line.found[place]), align="right")

    return table(
        f"{at}, judges against {report.reference}",
        levels,
        [
            column("judge", lambda line: line.row.judge if line.first else "", wraps=True),
            column("among", lambda line: line.level),
            *(correlation(name.capitalize(), n) for n, name in enumerate(CORRELATIONS)),
            column("over", lambda line: line.over),
            *(
                (head, _of_first(cell), optional)
                for head, cell, optional in _cost_columns(report.costs)
            ),
        ],
        subtitle=f"{_made_of(report)}intervals resample questions",
        notes=[
            *(
                f"{estimates.UNDEFINED} {line.row.judge}, {line.level}: {why}"
                for line in levels
                if (why := line.found[0].undefined)
            ),
            *_beside_others(report, report.rows),
            "over: where judge and reference both tell answers apart, else there is no correlation",
            *_coverage(ordered, scores),
            *_cost_notes(report.costs),
        ],
    )


def _of_first(cell: Callable[[AgreementRow], str]) -> Callable[[_Level], str]:
    return lambda line: cell(line.row) if line.first else ""


def _levels(row: AgreementRow, scores: Scores) -> Iterator[_Level]:
    """What is said of one judge; upstream's reading only where it is another."""
    counts = scores.counts[row.judge]
    unread = scores.unparsed is not None and counts["unreadable"]
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
        for begins, level, over in levels:
            found = [row.metrics[f"{begins}{name}{ends}"] for name in CORRELATIONS]
            yield _Level(row, begins == SAMPLE and not ends, found, f"{level}{said}", over)


def _coverage(rows: Iterable[AgreementRow], scores: Scores) -> Iterator[str]:
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


# judges compared ----------------------------------------------------------------------------------

OVER = {
    ("cohen_kappa", "pooled"): ("kappa", "pooled: all answers together"),
    ("cohen_kappa", "macro"): ("kappa", "macro: the unweighted mean over models"),
    ("sample_spearman", "pooled"): (
        "Spearman's correlation", "among the answers to one question, averaged over questions",
    ),
    ("spearman", "pooled"): ("Spearman's correlation", "of the models' mean scores"),
}  # fmt: skip
"""What is compared, by metric and scope."""

DECIDES = (
    "the decision uses the adjusted p value and the interval is at its level "
    "(Holm over {tests}, family-wise error rate {rate:g} %)"
)
BEST = (
    "each against the best in pooled {coefficient}, which is seen from the same verdicts, so that "
    "every two judges count: "
    "--versus JUDGE names another, --versus all shows every two"
)


def difference_tables(
    differences: Sequence[JudgeDifference], at: str, *, level: float
) -> Iterator[Table]:
    """A table for each coefficient in which judges are compared.

    Parameters
    ----------
    level
        The one that was asked for.
    """
    columns: list[Cells[JudgeDifference]] = [
        column("judge", lambda one: one.judge, wraps=True),
        column("against", lambda one: one.versus, wraps=True),
        column("", lambda one: estimates.text(one.estimate, signed=True), **RIGHT),
        column(
            "level",
            lambda one: (
                estimates.UNDEFINED
                if math.isnan(one.p_value)
                else f"{100 * one.estimate.level:.4g} %"
            ),
            **SPARE,
        ),
        column("p", lambda one: estimates.p_text(one.p_value), **SPARE),
        column("p adjusted", lambda one: estimates.p_text(one.p_adjusted), **RIGHT),
        column("n", lambda one: str(one.estimate.n), **RIGHT),
        column("missing", lambda one: str(one.estimate.missing), **RIGHT),
    ]
    families = grouped(((one.metric, one.scope), one) for one in differences)
    for at_scope, family in families.items():
        coefficient, over = OVER[at_scope]
        columns[2] = (replace(columns[2][0], title=f"difference of {coefficient}"), *columns[2][1:])
        yield table(
            f"{at}, judges compared by agreement with {family[0].reference}",
            family,
            columns,
            subtitle=f"{over}; on the answers that both have judged",
            notes=[*_reasons(family), *_rules(family, level)],
        )


def _reasons(family: Sequence[JudgeDifference]) -> Iterator[str]:
    """Why there is no value, or no interval; pairs with one reason in one note."""
    pairs = grouped(
        (one.estimate.undefined or one.estimate.method, f"{one.judge} against {one.versus}")
        for one in family
        if math.isnan(one.p_value)
    )
    for why, who in pairs.items():
        said = "every two" if len(who) == len(family) > 1 else ", ".join(who)
        yield f"{estimates.UNDEFINED} {said}: {why}"


def _rules(family: Sequence[JudgeDifference], level: float) -> Iterator[str]:
    shown = sum(not math.isnan(one.p_value) for one in family)
    tests = family[0].tests
    if shown and tests > 1:
        yield DECIDES.format(tests=f"{tests} pairs", rate=round(100 * (1 - level), 6))
    if shown and tests > shown:
        picked = "kappa" if family[0].metric == KAPPA else "Spearman's correlation"
        yield BEST.format(coefficient=picked)


# costs --------------------------------------------------------------------------------------------


def _cost_columns(costs: Sequence[JudgeCost]) -> list[Cells[AgreementRow]]:
    """Columns beside kappa; none where nothing is known."""
    of = {one.judge: one for one in costs}

    def usd(row: AgreementRow) -> str:
        value = of[row.judge].usd
        return estimates.UNDEFINED if math.isnan(value) else f"{value:.6f}"

    def seconds(row: AgreementRow) -> str:
        one = of[row.judge]
        if math.isnan(one.seconds_median):
            return estimates.UNDEFINED
        return f"{one.seconds_median:.2f} ({one.seconds_mean:.2f})"

    found: list[Cells[AgreementRow]] = []
    if any(not math.isnan(one.usd) for one in costs):
        found.append(column("USD a verdict", usd, **SPARE))
    if any(not math.isnan(one.seconds_median) for one in costs):
        found.append(column("s a verdict: median (mean)", seconds, **SPARE))
    return found


def _cost_notes(costs: Sequence[JudgeCost]) -> Iterator[str]:
    """Why dollars or seconds are not known; judges with one reason in one note."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in costs:
        what = {"USD": one.no_usd, "seconds": one.no_seconds}
        for why in dict.fromkeys(filter(None, what.values())):
            named = " and ".join(name for name, reason in what.items() if reason == why)
            reasons.setdefault((named, why), []).append(one.judge)
    for (named, why), judges in reasons.items():
        yield f"{estimates.UNDEFINED} {named} a verdict of {', '.join(judges)}: {why}"
    if unpriced := [one for one in costs if one.unpriced_calls and not math.isnan(one.usd)]:
        said = (f"{one.judge} {one.unpriced_calls} of {one.calls}" for one in unpriced)
        yield f"calls without a known price, left out of USD a verdict: {', '.join(said)}"
