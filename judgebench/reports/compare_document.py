"""A comparison of two models for people and for scripts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from judgebench.metrics.paired import HEAD_TO_HEAD
from judgebench.metrics.registry import metric, of_confidence
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.reports import estimates
from judgebench.reports.compare import Comparison, Difference
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.gate_document import head
from judgebench.reports.gate_unchanged import Said, drop_words, in_words
from judgebench.reports.model_pairs import Flip

Texts = Mapping[tuple[str, str, str], str]
"""The questions of items, by benchmark, version and id."""


def document(report: Comparison, texts: Texts | None = None, *, most_flips: int = 0) -> Document:
    """The comparison for printing, with so many of the items that decided each test."""
    whole = [one for one in report.tests if one.group is None] if most_flips else []
    shown = [_flips(one, texts or {}, most_flips) for one in whole if one.flips]
    return Document(
        tables=[_table(report), *shown],
        records=[_record(one) for one in report.tests],
        data=to_json(report),
    )


def to_json(report: Comparison) -> dict[str, Any]:
    """As the contract has it: the first model is the candidate; what is undefined is null."""
    return {
        "verdict": report.verdict,
        "candidate": report.first,
        "baseline": report.second,
        "level": report.level,
        "tests": [_json(one) for one in report.tests],
        "notes": list(report.notes),
    }


DIRECTLY = (
    "directly: a judge compared their answers with each other; the orders of an item are averaged, "
    "and the first one's win rate is tested against 50 %, a draw"
)
"""What the rows of comparisons with each other are."""

PLUG_IN = "plug-in"
"""What an ``ece`` is tested by: not the corrected error of boards."""


def most_telling(one: Difference, most: int) -> list[Flip]:
    """The items that differ most; of those that differ as much, those that speak for the result."""
    sign = -1.0 if one.difference.value < 0.0 else 1.0
    ranked = sorted(one.flips, key=lambda f: (-abs(f.difference), -sign * f.difference, f.item_id))
    return ranked[:most]


def _json(one: Difference) -> dict[str, Any]:
    return {
        "benchmark": one.benchmark,
        "version": one.version,
        "metric": one.metric,
        **({"estimator": PLUG_IN} if one.metric == "ece" else {}),
        "confidence": one.confidence,
        "higher_is_better": one.higher_is_better,
        "judge": one.judge,
        "opponent": one.opponent,
        "baseline": one.second,
        "candidate": one.first,
        "baseline_value": estimates.finite(one.values[1]),
        "candidate_value": estimates.finite(one.values[0]),
        "difference": estimates.to_json(one.difference),
        "p_value": estimates.finite(one.p_value),
        "p_adjusted": estimates.finite(one.p_adjusted),
        "decision": one.decision,
        "because": one.because,
        "detectable_difference": estimates.finite(one.detectable),
        "chance_unchanged_passes": None
        if one.unchanged is None
        else estimates.finite(one.unchanged.chance),
        "margin_for_80": None if one.unchanged is None else estimates.finite(one.unchanged.margin),
        "coverage": {"candidate": one.coverage[0], "baseline": one.coverage[1]},
        "notes": list(one.notes),
        "flips": [
            {"item_id": f.item_id, "candidate": f.candidate, "baseline": f.baseline}
            for f in one.flips
        ],
    }


def _record(one: Difference) -> dict[str, Any]:
    found = _json(one)
    found.pop("flips")
    difference, coverage = found.pop("difference"), found.pop("coverage")
    better, worse = moved(one)
    return (
        found
        | {"notes": "; ".join(one.notes), "n_better": better, "n_worse": worse}
        | {f"difference_{name}": difference[name] for name in ("value", "low", "high", "missing")}
        | {f"coverage_{name}": value for name, value in coverage.items()}
    )


def moved(one: Difference) -> tuple[int, int]:
    """On how many items the first model is better, and on how many worse."""
    return (
        sum(flip.gain > 0.0 for flip in one.flips),
        sum(flip.gain < 0.0 for flip in one.flips),
    )


def _table(report: Comparison) -> Table:
    return Table(
        title=f"{report.first} against {report.second}: {report.verdict}",
        subtitle=_rule(report),
        columns=[
            Column(title="decision"),
            Column(title="benchmark", wraps=True),
            Column(title="judge", wraps=True),
            Column(title="metric", wraps=True),
            Column(title="first", align="right"),
            Column(title="second", align="right"),
            Column(title="difference", align="right"),
            Column(title="p adjusted", align="right"),
            Column(title="better", align="right"),
            Column(title="worse", align="right"),
            Column(title="items", align="right", spare=True),
            Column(title="p", align="right", spare=True),
            Column(title="detectable", align="right", spare=True),
        ],
        rows=[_row(one) for one in report.tests],
        notes=[*_notes(report), *report.notes],
    )


def _rule(report: Comparison) -> str:
    """How sure each decision is, and that what is printed is what decides."""
    level = f"{100 * report.level:g} %"
    how = (
        f"at {level} over all {len(report.tests)} tests: the decision uses the adjusted p value, "
        "and the interval is at its level (Holm)"
        if len(report.tests) > 1
        else f"with its interval at {level}, which decides; p two-sided"
    )
    return f"difference: the first minus the second, {how}; detectable with a chance of 80 %"


def _row(one: Difference) -> list[str]:
    better, worse = moved(one)
    return [
        one.decision,
        f"{one.benchmark}@{one.version}",
        one.judge,
        measured(one) if one.higher_is_better else f"{measured(one)}, lower is better",
        _number(one.values[0], one),
        _number(one.values[1], one),
        estimates.text(one.difference, digits=metric(one.metric).digits),
        estimates.p_text(one.p_adjusted),
        f"{better:,}",
        f"{worse:,}",
        f"{one.difference.units:,}",
        estimates.p_text(one.p_value),
        _number(one.detectable, one),
    ]


def _notes(report: Comparison) -> list[str]:
    """Why whole benchmarks are undecided, and what has to be known of any row."""
    return [
        f"{one.benchmark}, {one.judge}, {measured(one)}: {said}"
        for one in report.tests
        for said in (*([one.because] if one.because and one.group is None else []), *one.notes)
    ] + ([DIRECTLY] if any(one.direct for one in report.tests) else [])


def gate_words(one: Difference) -> str | None:
    """How often a gate that allows two points passes an unchanged model; None if nobody knows."""
    if one.unchanged is None or math.isnan(one.unchanged.chance):
        return None
    said = Said(
        about="",
        metric=one.metric,
        max_drop=one.gate_drop,
        units=one.difference.units,
        unchanged=one.unchanged,
        higher_is_better=one.higher_is_better,
    )
    words, _ = in_words([said], one.unchanged.chance)
    what = "drop" if one.higher_is_better else "rise"
    allowed = f"a gate that allows a {what} of {drop_words(one.gate_drop, one.metric)}"
    return words.replace("this gate", allowed, 1)


def _flips(one: Difference, texts: Texts, most: int) -> Table:
    better, worse = moved(one)
    return Table(
        title=(
            f"{one.benchmark}@{one.version}, {one.judge}, {measured(one)}: items that decided it"
        ),
        subtitle=f"{len(one.flips)} differ: {better} for {one.first}, {worse} for {one.second}",
        columns=[
            Column(title="item"),
            Column(title="first", align="right"),
            Column(title="second", align="right"),
            Column(title="question", wraps=True),
        ],
        rows=[
            [
                flip.item_id,
                _number(flip.candidate, one),
                _number(flip.baseline, one),
                head(texts.get((one.benchmark, one.version, flip.item_id), "")),
            ]
            for flip in most_telling(one, most)
        ],
    )


def measured(one: Difference) -> str:
    """The metric, of which confidence, and against whom: a judge may have compared with several."""
    name = f"ece ({PLUG_IN})" if one.metric == "ece" else one.metric
    if one.direct:
        name = name.replace(HEAD_TO_HEAD, WIN_RATE, 1)
        return f"{name}, {one.first} against {one.second}, directly"
    said = of_confidence(name, one.confidence)
    return said if one.opponent is None else f"{said} against {one.opponent}"


def _number(value: float, one: Difference) -> str:
    return f"{value:.{metric(one.metric).digits}f}" if math.isfinite(value) else estimates.UNDEFINED
