"""Whether the judges can be believed: kappa, what one says where another does, and where not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import charts
import item_parts
import judge_parts
import markdown_text
import page
import pagination
import pandas as pd
import streamlit as st
import widgets
from answers import State
from item_parts import Names
from judge_parts import MEASURES
from long_text import visible
from streamlit.delta_generator import DeltaGenerator

from judgebench import explore
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.registry import meanings
from judgebench.records import is_human
from judgebench.reports.agreement import AgreementReport
from judgebench.reports.agreement_tables import difference_tables
from judgebench.reports.judge_pairs import Disputes, disputed_models
from judgebench.store.read import ItemHistory

PLACE = ("Judges", 50)

GIVEN = {
    "label": "labels of answers",
    "preference": "comparisons of two answers",
    "score": "scores of answers",
}
SCOPES = {"pooled": "pooled", "macro": "macro (mean of models)", "model": "each model"}
LEGEND = {
    "pooled": "All answers together.",
    "macro": "Unweighted mean over models, the figure papers print.",
    "model": "The judge chosen above, model by model.",
}
AMONG = {"two": "the two judges chosen", "all": "all judges"}
NAMED = 5
"""Raters that a reference is said to be made of, by name; of more their number is."""

BESIDE = 7
"""Judges whose cells are wide enough in half a page; of more the heat map has the whole of it."""


def body(shown: State, identity: DeltaGenerator) -> None:
    chosen = page.choose_benchmark(
        shown, [3, 2, 3, 3, 3], lambda: shown.soon(explore.met).telling(explore.n_judges, 2)
    )
    if chosen is None:
        return
    places, *at = chosen
    matrices = {one.kind: one for one in shown.compute(explore.matrices, *at)}
    kind = next(iter(matrices), None)
    if len(matrices) > 1:
        kind = page.choose(
            "What they gave", list(matrices), "kind", shows=GIVEN, at=st.columns([3, 7])[0]
        )  # type: ignore[assignment]
    if kind is None or len(matrices[kind].references) < 2:
        identity.text(visible("@".join(at)))
        page.empty(
            "Agreement needs two judges, or a judge and a person, on the same answers.",
            "judgebench import labels LABELS.jsonl",
        )
        return
    matrix = matrices[kind]
    reference = page.choose("Reference", matrix.references, "reference", at=places[0])
    scopes = ["pooled"] if kind == "score" else list(SCOPES)
    scope = page.choose("Scope", scopes, "scope", shows=SCOPES, at=places[1])
    share = 0.5 if len(matrix.judges) <= BESIDE else 1.0
    with st.container(key=f"{widgets.WIDE} of all"):
        left, right = st.columns(2, gap="medium") if share < 1 else (st.container(), st.container())
    among = right.empty()
    if not shown.known(explore.against, *at, reference, kind):
        with among.container():  # what is known stands on the screen meanwhile
            judge_parts.heat_map(matrix)
    report = shown.compute(explore.against, *at, reference, kind)
    said = visible(about(report))
    identity.text(said)
    others = list(dict.fromkeys(row.judge for row in report.rows))
    if not others:
        page.empty("No other judge has judged what this reference has.")
        return
    start = next((name for name in others if not is_human(name)), None)
    judge = page.choose("Judge", others, "shown", default=start, at=places[2])
    rows = [row for row in report.rows if row.scope == scope]
    with left:
        st.subheader("Judges against the reference")
        against(rows, scope, judge, matrix.metric, said, share)
    with among.container():
        judge_parts.among_judges(matrix, (judge, reference), "@".join(at), share)
    widgets.notes([visible(f"⚠ {warning}") for warning in report.warnings])
    compared(report, scope)
    judge_parts.two_judges(shown.compute(explore.two, *at, kind, judge, reference), "@".join(at))
    st.subheader("Items on which they disagree most")
    who = page.choose("Among", list(AMONG), "among", shows=AMONG, at=st.columns([3, 7])[0])
    asked = (judge, reference) if who == "two" else matrix.judges
    items(shown, (at[0], at[1]), shown.compute(explore.differing, *at, kind, *asked))
    st.subheader("All coefficients")
    coefficients(report, rows, matrix.metric)
    page.offer(f"{at[0]}_agreement", lambda: [report.document(by_model=True)])


def about(report: AgreementReport) -> str:
    """One line: which data, which reference, of whom it is made."""
    made_of = [rater for rater in report.raters if rater != report.reference]
    together = "mean" if report.kinds[0].kind == "score" else "majority"
    whom = ", ".join(made_of) if len(made_of) <= NAMED else f"{len(made_of)} raters"
    of = f" ({together} of {whom})" if made_of else ""
    return f"{report.benchmark}@{report.version} · reference {report.reference}{of}"


# all judges -------------------------------------------------------------------------------------


def named(row: AgreementRow) -> str:
    """Whom the judge looks at, and whom the model is compared with."""
    return f"{row.model}" if row.opponent is None else f"{row.model} against {row.opponent}"


def against(
    rows: Sequence[AgreementRow], scope: str, judge: str, metric: str, said: str, share: float
) -> None:
    """A dot with a bar for every judge; by model, for every model of the judge chosen."""
    each = scope == "model"
    drawn = pd.DataFrame(
        [
            {"name": named(row) if each else row.judge,
             "tone": "first" if each or row.judge != judge else "chosen",
             **widgets.numbers(row.metrics[metric], 1.0)}
            for row in rows
            if row.judge == judge or not each
        ]
    )  # fmt: skip
    if drawn.empty:
        st.text("This judge has no model in common with the reference.")
        return
    if not each:
        drawn = drawn.sort_values("value", ascending=False, kind="stable")
    axis = charts.axis_of(metric, drawn)
    drawn["note"] = [widgets.note(row, axis.digits) for row in widgets.records(drawn)]
    widgets.chart(
        partial(charts.intervals, drawn, axis, widgets.ink(), line_at=0.0, names_px=150),
        f"{MEASURES[metric]}, {SCOPES[scope]} · {said}",
        alt=f"{MEASURES[metric]} with its interval, a row each; the table below has the numbers.",
        name=f"agreement {said}",
        share=share,
    )
    chosen_mark = "" if each else " ◆ orange: the judge chosen above."
    st.caption(f"{LEGEND[scope]} Bars are 95 % intervals over questions.{chosen_mark}")


def compared(report: AgreementReport, scope: str) -> None:
    """By how much one judge agrees with the reference better than another, on the same answers."""
    wanted = "macro" if scope == "macro" else "pooled"  # model by model there are none
    differences = [one for one in report.differences if one.scope == wanted]
    place, level = f"{report.benchmark}@{report.version}", report.kinds[0].level
    for number, table in enumerate(difference_tables(differences, place, level=level)):
        if not number:
            st.subheader("Judges compared with judges")
        st.text(visible(table.subtitle))
        widgets.listed(table)


# items ------------------------------------------------------------------------------------------


def items(shown: State, place: tuple[str, str], found: Disputes) -> None:
    """A page of the items on which judges differ, and one of them."""
    st.caption(found.rule)
    if not found.items:
        st.text("There is no item on which they say different things.")
    titles = {f"said {at}": visible(judge) for at, judge in enumerate(found.columns)}

    def columns(which: slice) -> dict[str, list[str]]:
        some = found.items[which]
        said = {name: [one.said[at] for one in some] for at, name in enumerate(titles)}
        return {"differ": [one.differ for one in some], **said}

    told = pagination.walk(
        shown,
        place,
        [one.item for one in found.items],
        columns,
        otherwise="they do not differ on it",
        key="\0".join(["differing", *place, *found.judges]),
        config={name: st.column_config.TextColumn(judge) for name, judge in titles.items()},
    )
    if found.items and len(found.judges) > len(titles):
        st.text(f"{len(titles)} of {len(found.judges)} judges have a column.")
    if told is not None:
        one_item(shown, told, found)


def one_item(shown: State, told: ItemHistory, found: Disputes) -> None:
    """The question, then the answers that these judges differ about, and what they wrote."""
    names, ids = Names(found.model_names, found.judge_names), found.judge_ids
    models = disputed_models(told, ids)
    markdown_text.choose()
    st.subheader("Question")
    item_parts.question(told.item)
    item_parts.who_said_what(told, names, judges=ids)
    st.subheader("Answers that they differ about")
    answers = [one for one in told.answers if one.newest and one.model.id in models]
    item_parts.show_answers(shown, answers, names)
    st.subheader("What they wrote")
    its = [one for one in told.verdicts if one.counts and one.model.id in models]
    item_parts.show_verdicts(shown, [one for one in its if one.judge.id in ids], names)


# the numbers ------------------------------------------------------------------------------------


def coefficients(report: AgreementReport, rows: Sequence[AgreementRow], first: str) -> None:
    """Every coefficient with its interval; a dash where it is undefined, and why."""
    costs = {one.judge: one for one in report.costs}
    table, reasons = [], list[tuple[str, str]]()
    for row in rows:
        name = row.judge if row.model is None else f"{row.judge} on {named(row)}"
        e = row.metrics[first]
        metrics = sorted(row.metrics, key=lambda one: one != first)
        table.append(
            {"judge": name, "n": e.n, "missing": e.missing}
            | {one: widgets.in_brackets(row.metrics[one]) for one in metrics}
            | (costs[row.judge].in_words if row.scope == "pooled" else {})
        )
        reasons += [(f"{name}, {one}", row.metrics[one].undefined or "") for one in metrics]
    widgets.table(pd.DataFrame(table))
    widgets.reasons(reasons)
    if said := meanings({name: name for row in table for name in row}):
        st.caption(f"{said}.")


page.show("Agreement", body)
