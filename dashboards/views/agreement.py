"""Whether the judges can be believed: kappa against a reference, and of every two judges."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import agreement_reads
import charts
import pandas as pd
import reads
import shown
import streamlit as st

KAPPA = "cohen_kappa"
SCOPES = {"pooled": "pooled", "macro": "macro (mean of models)", "model": "each model"}
LEGEND = {
    "pooled": "All answers together.",
    "macro": "Unweighted mean over models, the figure papers print.",
    "model": "The judge chosen above, model by model.",
}


def page() -> None:
    st.title("Agreement")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    chosen = shown.choose_benchmark(reads.benchmarks(url, mark), [3, 2, 3, 3, 3])
    if chosen is None:
        return
    places, benchmark, version = chosen
    between = agreement_reads.between(url, mark, benchmark, version)
    references = agreement_reads.references(between["judges"])
    if len(references) < 2:
        identity.text(f"{benchmark}@{version}")
        shown.empty(
            "Agreement needs two judges, or a judge and a person, on the same answers.",
            "judgebench import labels LABELS.jsonl",
        )
        return
    with places[0]:
        reference = shown.choose("Reference", references, "reference")
    with places[1]:
        scope = shown.choose("Scope", list(SCOPES), "scope", shows=SCOPES)
    report = agreement_reads.agreement(url, mark, benchmark, version, reference)
    identity.text(agreement_reads.identity(report))

    judges = list(dict.fromkeys(row["judge"] for row in report["rows"]))
    if not judges:
        shown.empty("No other judge has judged what this reference has.", shown.FIRST_STEPS)
        return
    with places[2]:
        judge = shown.choose("Judge", judges, "shown")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("Judges against the reference")
        kappas(report, scope, judge)
        st.text(f"{judge} (columns) and {reference} (rows): counts of answers")
        shown.table(
            pd.DataFrame(agreement_reads.confusion(url, mark, benchmark, version, judge, reference))
        )
    with right:
        st.subheader("Judges among themselves, pooled")
        among_judges(between)

    st.subheader("All coefficients")
    coefficients(report, scope)
    shown.notes([f"⚠ {warning}" for warning in report["warnings"]])
    shown.download(
        "Download CSV",
        f"{benchmark}_agreement.csv",
        report["csv"],
        key="agreement_csv",
    )


def kappas(report: reads.Json, scope: str, judge: str) -> None:
    """A dot with a bar for every judge; by model, for every model of the judge chosen."""
    if scope == "model":
        chosen = [r for r in report["rows"] if r["scope"] == "model" and r["judge"] == judge]
        rows = pd.DataFrame([_row(r, r["model"], "first") for r in chosen])
    else:
        chosen = [r for r in report["rows"] if r["scope"] == scope]
        rows = pd.DataFrame(
            [_row(r, r["judge"], "chosen" if r["judge"] == judge else "first") for r in chosen]
        ).sort_values("value", ascending=False, kind="stable")
    axis = charts.axis_of(KAPPA, rows)
    rows["note"] = [shown.note(row, axis.digits) for row in shown.records(rows)]
    st.altair_chart(
        charts.intervals(rows, axis, shown.ink(), line_at=0.0),
        theme=None,
        alt="Kappa with its interval, a row each; the table of coefficients has the numbers.",
    )
    chosen_mark = "" if scope == "model" else " ◆ orange: the judge chosen above."
    st.caption(f"{LEGEND[scope]} Bars are 95 % intervals over questions.{chosen_mark}")


def _row(row: reads.Json, name: str, tone: str) -> dict[str, Any]:
    estimate = row["metrics"].get(KAPPA, reads.NO_ESTIMATE)
    return {"name": name, **shown.numbers(estimate, 1.0), "tone": tone}


def among_judges(between: reads.Json) -> None:
    names = between["judges"]
    pairs = pd.DataFrame([_cell(row) for row in between["rows"]])
    if pairs.empty:
        st.text("No two judges have judged the same answers.")
        return
    mirrored = pairs.rename(columns={"row": "column", "column": "row"})
    st.altair_chart(
        charts.heat_map(pd.concat([pairs, mirrored]), names, shown.ink()),
        theme=None,
        alt="Kappa of every two judges.",
    )
    reasons = [
        f"– {r['row']} × {r['column']}: {r['undefined']}"
        for r in shown.records(pairs)
        if r["undefined"]
    ]
    shown.notes(reasons)


def _cell(row: reads.Json) -> dict[str, Any]:
    estimate = row["metrics"].get(KAPPA, reads.NO_ESTIMATE)
    cell: dict[str, Any] = {
        **shown.numbers(estimate, 1.0),
        "undefined": estimate.get("undefined") or "",
    }
    value = cell["value"]
    return {
        **cell,
        "row": row["judge"],
        "column": row["reference"],
        "text": charts.GAP if math.isnan(value) else charts.number(value, 2),
        "counts": f"n {cell['n']}",
        "detail": shown.note(cell, 2),
    }


def coefficients(report: reads.Json, scope: str) -> None:
    """Every coefficient of the scope with its interval; a dash where it is undefined, and why."""
    rows, reasons = [], []
    for row in report["rows"]:
        if row["scope"] != scope:
            continue
        name = row["judge"] if row["model"] is None else f"{row['judge']} on {row['model']}"
        counts = shown.numbers(row["metrics"].get(KAPPA, reads.NO_ESTIMATE), 1.0)
        rows.append(
            {"judge": name, "n": counts["n"], "missing": counts["missing"]}
            | {m: shown.in_brackets(row["metrics"][m]) for m in kappa_first(row["metrics"])}
        )
        reasons += [
            f"– {name}, {metric}: {estimate['undefined']}"
            for metric, estimate in row["metrics"].items()
            if estimate.get("undefined")
        ]
    shown.table(pd.DataFrame(rows))
    shown.notes(reasons)


def kappa_first(metrics: Iterable[str]) -> list[str]:
    return sorted(metrics, key=lambda name: name != KAPPA)


shown.or_say_what_is_wrong(page)
