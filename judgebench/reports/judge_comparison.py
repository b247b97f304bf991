"""Judges compared with judges, for people and programs: differences, costs, and who is constant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from judgebench.metrics.judge_differences import KAPPA, JudgeDifference
from judgebench.metrics.near_constant import NearConstant
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.document import Column, Table
from judgebench.reports.judge_costs import JudgeCost

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


# differences ------------------------------------------------------------------------------------


def difference_tables(
    differences: Sequence[JudgeDifference], at: str, *, level: float
) -> Iterator[Table]:
    """A table for each coefficient in which judges are compared.

    Parameters
    ----------
    level
        The one that was asked for.
    """
    families: dict[tuple[str, str], list[JudgeDifference]] = {}
    for one in differences:
        families.setdefault((one.metric, one.scope), []).append(one)
    for (metric, scope), family in families.items():
        coefficient, over = OVER[metric, scope]
        yield Table(
            title=f"{at}, judges compared by agreement with {family[0].reference}",
            subtitle=f"{over}; on the answers that both have judged",
            columns=[
                Column(title="judge", wraps=True),
                Column(title="against", wraps=True),
                Column(title=f"difference of {coefficient}", align="right"),
                Column(title="level", align="right", spare=True),
                Column(title="p", align="right", spare=True),
                Column(title="p adjusted", align="right"),
                Column(title="n", align="right"),
                Column(title="missing", align="right"),
            ],
            rows=[_cells(one) for one in family],
            notes=[*_reasons(family), *_rules(family, level)],
        )


def _cells(one: JudgeDifference) -> list[str]:
    e = one.estimate
    tested = not math.isnan(one.p_value)
    return [
        one.judge, one.versus, estimates.text(e, signed=True),
        f"{100 * e.level:.4g} %" if tested else estimates.UNDEFINED,
        estimates.p_text(one.p_value), estimates.p_text(one.p_adjusted), str(e.n), str(e.missing),
    ]  # fmt: skip


def _reasons(family: Sequence[JudgeDifference]) -> Iterator[str]:
    """Why there is no value, or no interval; pairs with one reason in one note."""
    pairs: dict[str, list[str]] = {}
    for one in family:
        if math.isnan(one.p_value):
            why = one.estimate.undefined or one.estimate.method
            pairs.setdefault(why, []).append(f"{one.judge} against {one.versus}")
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


def difference_json(one: JudgeDifference) -> dict[str, Any]:
    return {
        "judge": one.judge,
        "versus": one.versus,
        "reference": one.reference,
        "scope": one.scope,
        "metric": one.metric,
        "difference": estimates.to_json(one.estimate),
        "p_value": estimates.finite(one.p_value),
        "p_adjusted": estimates.finite(one.p_adjusted),
        "tests": one.tests,
    }


# costs ------------------------------------------------------------------------------------------


def cost_columns(costs: Sequence[JudgeCost]) -> list[tuple[Column, Mapping[str, str]]]:
    """Columns beside kappa, with the cell of each judge; none where nothing is known."""
    found: list[tuple[Column, Mapping[str, str]]] = []
    if any(not math.isnan(one.usd) for one in costs):
        said = {c.judge: _dash(c.usd) or f"{c.usd:.6f}" for c in costs}
        found.append((Column(title="USD a verdict", align="right", spare=True), said))
    if any(not math.isnan(one.seconds_median) for one in costs):
        said = {
            c.judge: _dash(c.seconds_median) or f"{c.seconds_median:.2f} ({c.seconds_mean:.2f})"
            for c in costs
        }
        title = "s a verdict: median (mean)"
        found.append((Column(title=title, align="right", spare=True), said))
    return found


def _dash(value: float) -> str:
    return estimates.UNDEFINED if math.isnan(value) else ""


def cost_notes(costs: Sequence[JudgeCost]) -> Iterator[str]:
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


def cost_records(costs: Iterable[JudgeCost]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Judge, name of the metric, and its line of a tidy table."""
    for one in costs:
        for name, value, why, n in (
            ("usd_per_verdict", one.usd, one.no_usd, one.verdicts),
            ("seconds_median", one.seconds_median, one.no_seconds, one.verdicts),
            ("seconds_mean", one.seconds_mean, one.no_seconds, one.verdicts),
        ):
            estimate = Estimate(
                value=value, low=math.nan, high=math.nan, n=n, units=n, missing=0, level=math.nan,
                method="of what is on record", undefined=why,
            )  # fmt: skip
            found = estimates.record(estimate)
            yield one.judge, name, {**found, "level": None, "units": None}


# flags ------------------------------------------------------------------------------------------


def flag_json(one: NearConstant) -> dict[str, Any]:
    return {
        "flag": "near_constant",
        "judge": one.judge,
        "model": one.model,
        "opponent": one.opponent,
        "says": one.says,
        "share": one.share,
        "n": one.n,
        "reference": one.reference,
        "reference_share": one.reference_share,
    }


def flag_warnings(flags: Sequence[NearConstant]) -> tuple[str, ...]:
    """A line for each judge that says nearly always the same, with the models on which it does."""
    of_judge: dict[str, list[NearConstant]] = {}
    for one in flags:
        of_judge.setdefault(one.judge, []).append(one)
    apart = len({one.opponent for one in flags}) > 1
    return tuple(
        f"{judge} says nearly always the same: "
        + "; ".join(_flag_text(one, apart=apart) for one in its)
        for judge, its in of_judge.items()
    )


def _flag_text(one: NearConstant, *, apart: bool) -> str:
    where = "all answers" if one.model is None else one.model
    if apart and one.opponent is not None:
        where += f" against {one.opponent}"
    return (
        f"{one.says} on {100 * one.share:.4g} % of {one.n} verdicts on {where} "
        f"({one.reference}: {100 * one.reference_share:.4g} %)"
    )
