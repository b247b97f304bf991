"""Whether the judges can be believed: kappa, what one says where another does, and where not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import agreement_reads
import charts
import compare_charts
import drawings
import item_parts
import markdown_text
import narrow
import pagination
import pandas as pd
import reads
import streamlit as st
import widgets
from agreement_reads import SHOWN, WORDS
from answers import State
from compare_reads import heads, meetings, n_judges, signed
from item_parts import Names
from long_text import visible

from judgebench.metrics.registry import meanings
from judgebench.records import is_human
from judgebench.store import Store

SCOPES = {"pooled": "pooled", "macro": "macro (mean of models)", "model": "each model"}
LEGEND = {
    "pooled": "All answers together.",
    "macro": "Unweighted mean over models, the figure papers print.",
    "model": "The judge chosen above, model by model.",
}
MEASURES = {"cohen_kappa": "Cohen's kappa", "spearman": "Spearman of the models' means"}
LENIENT = {
    "label": "How much more often it gives the positive label",
    "preference": "How much more often it lets the model win, a tie counting half",
    "score": "How much higher it scores",
}
AMONG = {"two": "the two judges chosen", "all": "all judges"}
BESIDE = 7
"""Judges whose cells are wide enough in half a page; of more the heat map has the whole of it."""

MAP = "judges among themselves"
"""The key of the heat map that is clicked into."""


def page() -> None:
    st.title("Agreement")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    chosen = widgets.choose_benchmark(
        reads.benchmarks(url, mark),
        [3, 2, 3, 3, 3],
        lambda: meetings(url, mark).telling(n_judges, 2),
    )
    if chosen is None:
        return
    places, benchmark, version = chosen
    at = (url, mark, benchmark, version)
    kinds = list(agreement_reads.among(*at))
    if not kinds:
        too_few(identity, benchmark, version)
        return
    kind = max(kinds, key=lambda one: len(agreement_reads.between(*at, one)["judges"]))
    if len(kinds) > 1:
        place, _ = st.columns([3, 7])
        with place:
            kind = widgets.choose("What they gave", kinds, "kind", default=kind, shows=WORDS)
    between = agreement_reads.between(*at, kind)
    references = agreement_reads.references(between["judges"])
    if len(references) < 2:
        too_few(identity, benchmark, version)
        return
    with places[0]:
        reference = widgets.choose("Reference", references, "reference")
    scopes = ["pooled"] if kind == "score" else list(SCOPES)
    with places[1]:
        scope = widgets.choose("Scope", scopes, "scope", shows=SCOPES)
    report = agreement_reads.agreement(*at, reference, kind)
    said = visible(agreement_reads.identity(report))
    identity.text(said)
    judges = list(dict.fromkeys(row["judge"] for row in report["rows"]))
    if not judges:
        widgets.empty("No other judge has judged what this reference has.", widgets.FIRST_STEPS)
        return
    with places[2]:
        start = next((name for name in judges if not is_human(name)), None)
        judge = widgets.choose("Judge", judges, "shown", default=start)
    share = 0.5 if len(between["judges"]) <= BESIDE else 1.0
    if share < 1:
        with st.container(key=f"{narrow.WIDE} of all"):
            left, right = st.columns(2, gap="medium")
    else:
        left, right = st.container(), st.container()
    with left:
        st.subheader("Judges against the reference")
        against(report, scope, judge, SHOWN[kind], said, share)
    with right:
        st.subheader("Judges among themselves, pooled")
        among_judges(between, SHOWN[kind], (judge, reference), f"{benchmark}@{version}", share)
    widgets.notes([visible(f"⚠ {warning}") for warning in report["warnings"]])
    judges_compared(report, scope)
    two_judges(agreement_reads.pair(*at, judge, reference, kind), kind, f"{benchmark}@{version}")
    where_they_differ(at, kind, judge, reference, between["judges"])
    st.subheader("All coefficients")
    coefficients(report, scope, SHOWN[kind])
    widgets.download(
        "Download CSV",
        f"{benchmark}_agreement.csv",
        report["csv"],
        key="agreement_csv",
    )


def too_few(identity: Any, benchmark: str, version: str) -> None:
    identity.text(visible(f"{benchmark}@{version}"))
    widgets.empty(
        "Agreement needs two judges, or a judge and a person, on the same answers.",
        "judgebench import labels LABELS.jsonl",
    )


# all judges -------------------------------------------------------------------------------------


def against(
    report: reads.Json, scope: str, judge: str, metric: str, said: str, share: float
) -> None:
    """A dot with a bar for every judge; by model, for every model of the judge chosen."""
    if scope == "model":
        chosen = [r for r in report["rows"] if r["scope"] == "model" and r["judge"] == judge]
        rows = pd.DataFrame([_row(r, _answered(r), "first", metric) for r in chosen])
    else:
        chosen = [r for r in report["rows"] if r["scope"] == scope]
        rows = pd.DataFrame(
            [
                _row(r, r["judge"], "chosen" if r["judge"] == judge else "first", metric)
                for r in chosen
            ]
        )
    if rows.empty:
        st.text("This judge has no model in common with the reference.")
        return
    if scope != "model":
        rows = rows.sort_values("value", ascending=False, kind="stable")
    axis = charts.axis_of(metric, rows)
    rows["note"] = [widgets.note(row, axis.digits) for row in widgets.records(rows)]
    widgets.chart(
        partial(charts.intervals, rows, axis, widgets.ink(), line_at=0.0, names_px=150),
        f"{MEASURES[metric]}, {SCOPES[scope]} · {said}",
        alt=f"{MEASURES[metric]} with its interval, a row each; the table below has the numbers.",
        name=f"agreement {said}",
        share=share,
    )
    chosen_mark = "" if scope == "model" else " ◆ orange: the judge chosen above."
    st.caption(f"{LEGEND[scope]} Bars are 95 % intervals over questions.{chosen_mark}")


def _answered(row: reads.Json) -> str:
    return row["model"] if row["opponent"] is None else f"{row['model']} against {row['opponent']}"


def _row(row: reads.Json, name: str, tone: str, metric: str) -> dict[str, Any]:
    estimate = row["metrics"].get(metric, reads.NO_ESTIMATE)
    return {"name": name, **widgets.numbers(estimate, 1.0), "tone": tone}


def among_judges(
    between: reads.Json, metric: str, chosen: tuple[str, str], place: str, share: float
) -> None:
    """The heat map, whose cells can be clicked, and every pair with its interval in a table."""
    cells = [agreement_reads.in_cell(row, metric) for row in between["rows"]]
    if not cells:
        st.text("No two judges have judged the same answers.")
        return
    both_ways = cells + [{**c, "row": c["column"], "column": c["row"]} for c in cells]
    pairs = pd.DataFrame(
        [{**cell, "chosen": {cell["row"], cell["column"]} == set(chosen)} for cell in both_ways]
    )
    widgets.chart(
        partial(
            drawings.heat_map, pairs, between["judges"], widgets.ink(), measure=MEASURES[metric]
        ),
        visible(f"{MEASURES[metric]} of every two judges, pooled · {place}"),
        name=f"judges among themselves {place}",
        share=share,
        alt=f"{MEASURES[metric]} of every two judges; the table below has the numbers.",
        on_select=partial(cell_clicked, MAP),
        key=MAP,
    )
    st.caption("A click on a cell, or the boxes above, choose the two judges that follow below.")
    with st.expander("Every two judges"):
        widgets.table(
            pd.DataFrame(
                [
                    {
                        "judge": cell["row"],
                        "and": cell["column"],
                        MEASURES[metric]: widgets.in_brackets(row["metrics"][metric]),
                        "n": cell["n"],
                        "missing": cell["missing"],
                    }
                    for cell, row in zip(cells, between["rows"], strict=True)
                ]
            )
        )
    widgets.notes(
        [
            visible(f"– {cell['row']} × {cell['column']}: {cell['undefined']}")
            for cell in cells
            if cell["undefined"]
        ]
    )


def cell_clicked(key: str) -> None:
    """The two judges of a cell are those of the boxes; a click beside all cells changes nothing."""
    picked = st.session_state[key]["selection"].get(drawings.CELL) or []
    if picked:
        st.query_params.update({"shown": picked[0]["row"], "reference": picked[0]["column"]})
        st.query_params.pop("item", None)
        widgets.forget("shown", "reference")


# judges compared --------------------------------------------------------------------------------


def judges_compared(report: reads.Json, scope: str) -> None:
    """By how much one judge agrees with the reference better than another, on the same answers."""
    differences = agreement_reads.compared(report, scope)
    if not differences:
        return
    st.subheader("Judges compared with judges")
    rows = [agreement_reads.difference_row(one) for one in differences]
    metrics = list(dict.fromkeys(one["metric"] for one in differences))
    if len(metrics) > 1:
        rows = [{"of": DIFFERENCE_OF[one["metric"]], **row}
                for one, row in zip(differences, rows, strict=True)]  # fmt: skip
    table = pd.DataFrame(rows)
    reasons = table["no interval because"]
    widgets.table(table if reasons.notna().any() else table.drop(columns=reasons.name))
    what = f"Difference of {DIFFERENCE_OF[metrics[0]]}, on the answers that both have judged."
    tested = [one for one in differences if one["p_value"] is not None]
    if not tested:
        st.caption(what)
        return
    tests, shown_pairs = tested[0]["tests"], sum(one["metric"] == metrics[0] for one in tested)
    best = (
        " Each is compared with the best, which is seen from the same verdicts, so that every two "
        "judges count."
        if tests > shown_pairs
        else ""
    )
    st.caption(
        f"{what} The decision uses the adjusted p value and the interval is at its level "
        f"(Holm over {tests} pairs, family-wise error rate 5 %).{best}"
    )


DIFFERENCE_OF = {
    "cohen_kappa": "Cohen's kappa",
    "sample_spearman": "Spearman's correlation among the answers to one question",
    "spearman": "Spearman's correlation of the models' mean scores",
}


# two judges -------------------------------------------------------------------------------------


def two_judges(found: reads.Json, kind: str, place: str) -> None:
    """What one calls what, and by how much it is the more lenient one, model by model."""
    st.subheader("The two judges chosen")
    with st.container(key=f"{narrow.WIDE} of two"):
        left, right = st.columns([2, 3], gap="medium")
    with left:
        judge, reference = found["judge"], found["reference"]
        st.text(visible(f"{judge} (columns) and {reference} (rows): counts of answers"))
        confusion(found, place)
    with right:
        st.text(visible(f"How much more lenient {judge} is than {reference}"))
        leniency(found, kind, place)


def confusion(found: reads.Json, place: str) -> None:
    counted = found["confusion"]
    if counted is None:
        st.text("Scores on a scale without ends, or on several, have no table.")
        return
    cells = pd.DataFrame(agreement_reads.confusion_cells(counted))
    two = visible(found["judge"]), visible(found["reference"])
    widgets.chart(
        partial(drawings.confusion, cells, widgets.ink(), two),
        visible(f"{two[0]} (columns) and {two[1]} (rows), counts of answers · {place}"),
        alt="How many answers each of the two called what; the table below has the counts.",
        name=f"confusion {two[0]} {two[1]}",
        share=0.4,
    )
    st.caption("Shares are of what the reference called so; so is the shade.")
    table = pd.DataFrame(agreement_reads.confusion_table(counted))
    if len(counted["columns"]) + 2 > drawings.MOST_WRITTEN:
        with st.expander("The same as a table"):
            widgets.table(table)
    else:
        widgets.table(table)


def leniency(found: reads.Json, kind: str, place: str) -> None:
    rows = pd.DataFrame(agreement_reads.lenient_rows(found))
    axis = agreement_reads.lenient_axis(rows, found["unit"])
    rows["note"] = [_lenient_note(row, axis.digits) for row in widgets.records(rows)]
    two = visible(found["judge"]), visible(found["reference"])
    room = compare_charts.Room.of(rows["name"], rows["note"], tally=False)
    widgets.chart(
        partial(
            compare_charts.forest, rows, axis, widgets.ink(), two, room, says="is more lenient"
        ),
        visible(f"How much more lenient {two[0]} is than {two[1]} · {place}"),
        alt="Leniency with its interval, a row for each model.",
        name=f"leniency {two[0]} {two[1]}",
        share=0.6,
    )
    if len(rows) > compare_charts.MOST_ROWS:
        st.text(f"{compare_charts.MOST_ROWS} of {len(rows):,} are drawn; the table has all.")
    st.caption(
        f"{LENIENT[kind]}, on the same answers; every question of a model counts once. "
        "▲ blue: more lenient · ▼ orange: stricter · ● grey: the 95 % interval over questions "
        "reaches over zero."
    )
    table = rows.assign(leniency=rows["note"].str.partition(" · ")[0])
    with st.expander("Leniency as a table"):
        widgets.table(
            table[["name", "leniency", "n", "missing", "undefined"]].rename(
                columns={"name": "model", "undefined": "undefined because"}
            )
        )


def _lenient_note(row: dict[str, Any], digits: int) -> str:
    counts = f"n {row['n']:,}" + (f", {row['missing']:,} missing" if row["missing"] else "")
    if math.isnan(row["value"]):
        return f"{charts.GAP} {row['undefined']} · {counts}"
    if math.isnan(row["low"]):
        return f"{signed(row['value'], digits)} [no interval] · {counts}"
    ends = [signed(row[end], digits) for end in ("low", "high")]
    return f"{signed(row['value'], digits)} [{ends[0]}, {ends[1]}] · {counts}"


# items ------------------------------------------------------------------------------------------


def where_they_differ(
    at: tuple[str, str, str, str], kind: str, judge: str, reference: str, judges: Sequence[str]
) -> None:
    st.subheader("Items on which they disagree most")
    place, _ = st.columns([3, 7])
    with place:
        among = widgets.choose("Among", list(AMONG), "among", shows=AMONG)
    asked = (judge, reference) if among == "two" else tuple(judges)
    found = agreement_reads.differences(*at, kind, asked)
    st.caption(agreement_reads.rule(found))
    if not found["items"]:
        st.text("There is no item on which they say different things.")
    item = st.query_params.get("item")
    told = State(*at[:2]).read(Store.item_history, *at[2:], item) if item else None
    if told is None:
        item = _first(found)
        told = State(*at[:2]).read(Store.item_history, *at[2:], item) if item else None
    if item is None:
        return
    pagination.steps(found["items"], item, at[2:], "they do not differ on it")
    listed(at, found, item)
    if told is not None:
        one_item(at, told, found)


def _first(found: reads.Json) -> str | None:
    """The first item of the page that the URL asks for."""
    items: list[str] = found["items"]
    return items[pagination.start_of(pagination.number("part"), items)] if items else None


def listed(at: tuple[str, str, str, str], found: reads.Json, item: str) -> None:
    """A page of the items; who chooses a row sees that item below."""
    items: list[str] = found["items"]
    if not items:
        return
    here = items.index(item) if item in items else None
    page = pagination.number("part") if here is None else here // pagination.PAGE + 1
    start = pagination.start_of(page, items)
    some = items[start : start + pagination.PAGE]
    texts = heads(*at, tuple(some))
    titles = {f"said {number}": judge for number, judge in enumerate(found["judges"])}
    name_of = {judge: title for title, judge in titles.items()}
    rows = pd.DataFrame(
        [
            {
                "item": one,
                "differ": found["differ"][start + place],
                **{
                    name_of[judge]: said
                    for judge, said in agreement_reads.said_there(found, start + place).items()
                },
                "question": texts.get(one, ""),
            }
            for place, one in enumerate(some)
        ]
    )
    chosen_row = [] if here is None else [here - start]
    picked = st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": chosen_row}},
        # A key of its own for what is chosen: the next choice starts from there.
        key="\0".join(["differing", *at[2:], *found["judges"], f"{start}", item]),
        column_config={
            "differ": st.column_config.TextColumn("differ" if found["labels"] else "spread"),
            "question": st.column_config.TextColumn("question", width="large"),
            **{
                title: st.column_config.TextColumn(visible(judge))
                for title, judge in titles.items()
                if title in rows
            },
        },
    )
    columns, judges = len(found["columns"]), len(found["judges"])
    if judges > columns:
        st.text(f"{columns} of {judges} judges have a column.")
    chosen = picked["selection"]["rows"]
    if chosen and chosen != chosen_row:
        pagination.go_to("item", some[chosen[0]])
        st.rerun()
    pagination.pages(start, len(some), len(items))


def one_item(at: tuple[str, str, str, str], told: Any, found: reads.Json) -> None:
    """The question, then the answers that these judges differ about, and what they wrote."""
    names = Names(**found["names"])
    ids = agreement_reads.ids_of(names.judges, found["judges"])
    markdown_text.choose()
    item_parts.question(told.item)
    item_parts.who_said_what(told, names, judges=ids)
    models = agreement_reads.disputed(told, ids)

    def here(one: Any) -> bool:
        return one.model.id in models

    st.subheader("Answers that they differ about")
    item_parts.show_answers(
        State(*at[:2]), [one for one in told.answers if one.newest and here(one)], names
    )
    st.subheader("What they wrote")
    item_parts.show_verdicts(
        State(*at[:2]),
        [one for one in told.verdicts if one.judge.id in ids and one.counts and here(one)],
        names,
    )


# the numbers ------------------------------------------------------------------------------------


def coefficients(report: reads.Json, scope: str, first: str) -> None:
    """Every coefficient of the scope with its interval; a dash where it is undefined, and why."""
    rows, reasons = [], []
    for row in report["rows"]:
        if row["scope"] != scope:
            continue
        name = row["judge"] if row["model"] is None else f"{row['judge']} on {_answered(row)}"
        counts = widgets.numbers(row["metrics"].get(first, reads.NO_ESTIMATE), 1.0)
        rows.append(
            {"judge": name, "n": counts["n"], "missing": counts["missing"]}
            | (agreement_reads.took(report, row["judge"]) if scope == "pooled" else {})
            | {m: widgets.in_brackets(row["metrics"][m]) for m in with_first(row["metrics"], first)}
        )
        reasons += [
            visible(f"– {name}, {metric}: {estimate['undefined']}")
            for metric, estimate in row["metrics"].items()
            if estimate.get("undefined")
        ]
    widgets.table(pd.DataFrame(rows))
    widgets.notes(reasons)
    if said := meanings({name: name for row in rows for name in row}):
        st.caption(f"{said}.")


def with_first(metrics: Iterable[str], first: str) -> list[str]:
    return sorted(metrics, key=lambda name: name != first)


widgets.or_say_what_is_wrong(page)
