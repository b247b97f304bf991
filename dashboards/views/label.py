"""A person labels answers whose models they do not know, one key a label."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import item_parts
import labels
import markdown_text
import page
import pandas as pd
import streamlit as st
import widgets
from answers import State
from long_text import folded_by_button, visible
from open_store import mark_of, opened
from streamlit.delta_generator import DeltaGenerator

from judgebench import explore
from judgebench.errors import UsageError
from judgebench.labels import Kind, LabelItem, LabelProgress, LabelTask, verdict_keys
from judgebench.records import VerdictSlot
from judgebench.reports.estimates import to_json
from judgebench.store.store import Store

PLACE = ("Work", 90)

KINDS: dict[Kind, str] = {
    "label": "each answer by itself",
    "preference": "two answers: which is better",
    "score": "each answer: a score",
}
ANSWERS = "judgebench import responses OUTPUTS.jsonl"

FEW = 10
"""Under so many answers in common no kappa is shown."""

HURRIED = "That key was not taken: this had only just appeared."


def label(shown: State, _: DeltaGenerator) -> None:
    above, beside = st.columns([8, 2], vertical_alignment="center")
    identity, url = above.empty(), shown.url
    # Not the state that other pages hold for a while: the label before this one has to count.
    known = State(url, mark_of(url)).read(Store.benchmarks)
    with beside if labels.name_given() else above:
        rater = labels.who()
    if not known:
        page.empty("The store is empty. A run fills it:")
        return
    with st.expander("What is labelled", expanded=not rater.name):
        desk = choose(url, known, rater.name)
    if desk is None:
        page.empty("There is nothing to label: the store has no answers to it.", ANSWERS)
        return
    if not rater.name:
        st.text(rater.why_not)
        return
    vouched = f" ({rater.vouched})" if rater.vouched else ""
    place = f"{desk.asked.benchmark}@{desk.asked.version}"
    identity.text(f"{place} · {KINDS[desk.kind]} · labels of {rater.name}{vouched}")
    now = desk.progress()
    left, right = st.columns([7, 3], gap="medium")
    with left:
        work(desk, now)
    with right:
        n = len(now.cells)
        st.subheader("Progress")
        st.progress(len(now.done) / n if n else 0.0)
        st.text(f"{len(now.done):,} of {n:,} labelled")
        if now.counts:
            st.text("You: " + ", ".join(f"{name} {count}" for name, count in now.counts.items()))
        agreement(desk)
    labels.all_is_shown()


def choose(url: str, known: Sequence[tuple[str, str]], rater: str) -> labels.Desk | None:
    """What the person wants to label; None where nothing of the benchmark can be."""
    places, benchmark, version = page.choose_among(
        known, [3, 2, 4], lambda: (one for one in known if labels.there(url, *one).models)
    )
    there = labels.there(url, benchmark, version)
    if not there.models:
        return None
    kinds = [kind for kind in KINDS if kind != "preference" or len(there.models) > 1]
    shows = {str(kind): said for kind, said in KINDS.items()}
    shows["label"] += ": " + " / ".join(reversed(labels.declared(url, benchmark, version)))
    with places[0]:
        kind: Any = page.choose("Asked for", kinds, "asked", default=there.kind, shows=shows)
    names = {key.hex()[:12]: name for key, name in there.models.items()}
    key_of = {key.hex()[:12]: key for key in there.models}
    opponent = None
    if kind == "preference":
        usual = None if there.opponent is None else there.opponent.hex()[:12]
        against = page.choose("Against", list(names), "against", default=usual, shows=names)
        opponent = key_of.pop(against)
    wanted = [one for one in st.query_params.get_all("model") if one in key_of]
    chosen = st.multiselect(
        "Models",
        list(key_of),
        default=wanted or list(key_of),  # all if the URL names none of them
        format_func=names.__getitem__,
        key="\0".join(["models", *key_of]),
    )
    if set(chosen) != set(key_of):
        st.query_params["model"] = chosen
    else:
        st.query_params.pop("model", None)
    models = tuple(sorted(key_of[one] for one in chosen))
    at: dict[str, Any] = {"benchmark": benchmark, "version": version, "opponent": opponent}
    return labels.desk(url, LabelTask(**at, rater=rater, models=models), kind)


# one cell after another -------------------------------------------------------------------------


def work(desk: labels.Desk, now: LabelProgress) -> None:
    cell = desk.cell(now)
    if error := st.session_state.pop("went_wrong", None):
        st.error("Your label was not stored. Press the key again.", icon="⛔")
        st.text(error)
    if cell is not None:
        seen = desk.shown(cell)
        ask(desk, seen, now)
        read(seen)
        return
    if now.cells:
        st.success("All of it is labelled.", icon="✅")
    else:
        st.info("There is nothing to label in this choice.", icon="📭")
    if now.last is not None:
        undo(desk, now)


def ask(desk: labels.Desk, seen: LabelItem, now: LabelProgress) -> None:
    """The buttons, each with its key. They stand above the texts, and so in one place."""
    this, asked = token(seen.place), desk.asked
    if seen.scale is not None:
        ask_for_points(desk, seen)
    else:
        declared = labels.declared(desk.url, asked.benchmark, asked.version)
        options = verdict_keys(desk.kind, declared)
        for place, (key, (words, verdict)) in zip(
            st.columns(len(options)), options.items(), strict=True
        ):
            place.button(
                markdown_text.escaped(words), key=f"{this} {key}", shortcut=key, width="stretch",
                on_click=desk.give, args=(seen.place, verdict),
            )  # fmt: skip
    back, skip, rest = st.columns([2, 2, 6], vertical_alignment="center")
    with back:
        undo(desk, now, width="stretch")
    skip.button("Skip", shortcut="s", on_click=desk.skip, width="stretch")
    hurried = st.session_state.pop("hurried", False)
    rest.caption(HURRIED if hurried else "One key a label. What is labelled is stored at once.")


def undo(desk: labels.Desk, now: LabelProgress, **how: Any) -> None:
    nothing = now.last is None and not st.session_state["given"]
    st.button(
        "Undo", shortcut="u", on_click=desk.undo, args=(now.last,), disabled=nothing, **how
    )  # fmt: skip


def ask_for_points(desk: labels.Desk, seen: LabelItem) -> None:
    """One number for each dimension, and one for the whole."""
    given, scale = st.session_state["given"], seen.scale
    assert scale is not None
    at = min(len(given), len(scale.asked) - 1)
    told = [f"{name} {points}" for name, points in zip(scale.asked, given, strict=False)]
    name = f"{scale.asked[at]} ({at + 1} of {len(scale.asked)})" if scale.parts else scale.asked[at]
    st.text(" · ".join([*told, f"{name}:"]))
    points = range(scale.low, scale.high + 1)
    for column, point in zip(st.columns(len(points)), points, strict=True):
        # 0 is the key of 10, where there is one.
        key = None if point > 10 or (point == 0 and scale.high >= 10) else str(point % 10)
        column.button(
            str(point), key=f"{token(seen.place)} {at} {point}", shortcut=key, width="stretch",
            on_click=desk.give_point, args=(seen.place, scale, at, point),
        )  # fmt: skip


# what is seen -----------------------------------------------------------------------------------


def read(seen: LabelItem) -> None:
    """Question, references and answers; nothing of this is read as anything but text, unless the
    reader has it formatted.
    """
    this = token(seen.place)
    markdown_text.choose_by_button()
    st.subheader("Question")
    if seen.item is None:
        st.text(f"Its text is not in the store; its id is {visible(seen.place.item_id)}.")
    else:
        item_parts.question(
            seen.item, lambda text, which: folded_by_button(text, f"{this} {which}")
        )
    names = ["Answer"] if len(seen.answers) == 1 else ["Left", "Right"]
    columns = st.columns(len(names), gap="medium")
    for side, name, answer in zip(columns, names, seen.answers, strict=True):
        with side:
            st.subheader(name)
            if answer.text.strip():
                folded_by_button(answer.text, f"{this} {name}")
            else:
                st.caption("The answer is empty.")
            if answer.status not in ("ok", "empty"):
                how = answer.status.replace("_", " ")
                st.caption(f"This answer is not a usual one: {how}.")


def agreement(desk: labels.Desk) -> None:
    """Kappa with everybody else, on what the rater has labelled so far; people first."""
    st.subheader("You and the others")
    asked = desk.asked
    try:
        with opened(desk.url) as store:
            rows = explore.rater_agreement(
                store, asked.benchmark, asked.version, asked.judge_key, desk.kind
            ).rows
    except UsageError as error:
        st.text(str(error))
        return
    if not rows:
        st.text("Nobody else has judged what you have labelled.")
        return
    table = []
    for row in rows:
        kappa = to_json(row.metrics["cohen_kappa"])
        told = widgets.in_brackets(kappa) or kappa.get("undefined")
        few = kappa["n"] < FEW
        table.append({"who": row.judge, "kappa": "too few" if few else told, "n": kappa["n"]})
    widgets.table(pd.DataFrame(table))
    weighted = ", quadratic: the further apart, the worse" if desk.kind == "score" else ""
    st.caption(
        f"Cohen's kappa{weighted}, with a 95 % interval over questions, on what both have judged."
        f" Under {FEW} it is too little to tell."
    )


def token(place: VerdictSlot) -> str:
    """Names the place in keys of widgets, which a browser sees, without naming its model."""
    return sha256(repr(place).encode()).hexdigest()[:12]


page.show("Label", label)
