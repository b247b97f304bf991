"""The card of a judge: for what it can be believed, on which models, and what says so."""

from __future__ import annotations

from functools import partial

import charts
import markdown_text
import page
import pandas as pd
import streamlit as st
import widgets
from answers import State
from long_text import visible
from streamlit.delta_generator import DeltaGenerator

from judgebench import explore
from judgebench.plain_text import counted
from judgebench.records import is_human
from judgebench.reports.judge_card import USES, CardMeasure, CardSection, section_tables

PLACE = ("Judges", 55)

SIGNS = {"failed": "✗", "unknown": "?", "passed": "✓", "no": "✗", "yes": "✓"}
EVERYTHING = "all that it has judged"
ACROSS = 3


def body(shown: State, identity: DeltaGenerator) -> None:
    met = shown.soon(explore.met)
    judges = sorted(met.judges.values(), key=lambda name: (is_human(name), name))
    if not judges:
        page.empty("The store is empty, so that nobody has judged. A run fills it:")
        return
    left, right, _ = st.columns([3, 4, 5])
    with left:
        best = met.best_labelled()
        judge = page.choose("Judge", judges, "judge", default=best, kept_as="card judge")
    with right:
        its = {
            f"{one.benchmark}@{one.version}": None
            for one in met.all
            if met.judges[one.judge.id] == judge
        }
        at = page.optional("Benchmark", its, "on", EVERYTHING, kept_as="card on")
    card = shown.compute(explore.judge_card, judge, at or None)
    said = f"{card.judge} · {at or EVERYTHING}"
    identity.text(visible(said))
    states = {one.believed for of in card.sections for one in of.decisions}
    verdict(card.verdict, states | {"no" for of in card.sections if of.excluded})
    widgets.notes([visible(f"⚠ {warning}") for warning in card.warnings])
    for number, section in enumerate(card.sections):
        st.header(markdown_text.escaped(visible(f"{section.place}, {section.judge}")))
        panels(section, number)
        by_model(section, number)
        for found in section_tables(section):
            st.subheader(markdown_text.escaped(visible(found.title)))
            if found.subtitle:
                st.text(visible(found.subtitle))
            widgets.listed(found)
    page.offer("judge_card", lambda: [card.document()])


def verdict(sentence: str, states: set[str]) -> None:
    """The one sentence on top; what it rests on is below."""
    said = markdown_text.escaped(visible(sentence))
    if states == {"yes"}:
        st.success(said)
    elif "yes" in states or "unknown" in states:
        st.warning(said)
    else:
        st.error(said)


def panels(section: CardSection, number: int) -> None:
    """A panel for each use, and for each measure that fails or is in doubt."""
    doubted = [
        one
        for one in section.measures
        if one.state == "failed" or (one.state == "unknown" and not one.estimate.undefined)
    ]
    told = [
        *((f"{one.use}: {one.believed}", SIGNS[one.believed], one.because, USES[one.use])
          for one in section.decisions),
        *((f"{one.title}: {state(one)}", SIGNS[one.state], numbers(one), one.means)
          for one in doubted),
    ]  # fmt: skip
    for first in range(0, len(told), ACROSS):
        with st.container(key=f"{widgets.SMALL} {number} {first}"):
            for place, (title, sign, value, means) in zip(
                st.columns(ACROSS), told[first : first + ACROSS], strict=False
            ):
                with place.container(border=True):
                    st.markdown(f"**{markdown_text.escaped(visible(f'{sign} {title}'))}**")
                    st.text(visible(value.replace("; ", "\n")))
                    if means:
                        st.caption(markdown_text.escaped(visible(means)))


def state(one: CardMeasure) -> str:
    """Where it fails on single models alone, its number may well be as wanted."""
    return one.state + (f" on {counted(len(one.fails), 'model')}" if one.fails else "")


def numbers(one: CardMeasure) -> str:
    """The value, what is wanted, and the models that fail."""
    fails = "; ".join(f"{model}: {value}" for model, value in one.fails.items())
    return "; ".join(filter(None, [f"{one.value}, wanted {one.wanted}", fails]))


def by_model(section: CardSection, number: int) -> None:
    """Kappa on each model: a judge that is good on the whole may be at chance on one."""
    kappa = next(one for one in section.measures if one.name == "model_kappa")
    if not kappa.models:
        return
    st.subheader("Kappa on each model")
    rows = pd.DataFrame(
        [
            {"name": model, "tone": "chosen" if model in section.excluded else "first",
             **widgets.numbers(one, 1.0)}
            for model, one in kappa.models.items()
        ]
    ).sort_values("value", ascending=False, kind="stable")  # fmt: skip
    axis = charts.axis_of("cohen_kappa", rows)
    rows["note"] = [widgets.note(row, axis.digits) for row in widgets.records(rows)]
    with st.container(key=f"{widgets.WIDE} {number}"):
        widgets.chart(
            partial(charts.intervals, rows, axis, widgets.ink(), line_at=0.0, names_px=200),
            f"{section.judge} against {kappa.against} · {section.place}",
            alt="Kappa of the judge on each model; the table below has what is wrong with some.",
            name=f"card {section.judge} {section.place} {number}",
        )
    st.caption(
        "◆ orange: models that it is not to be believed on. docs/judge-card.md has every measure."
    )


page.show("Judges", body)
