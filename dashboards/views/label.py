"""A person labels answers whose models they do not know, one key a label."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import labels
import markdown_text
import pandas as pd
import raters
import reads
import streamlit as st
import widgets
from long_text import visible

from judgebench.errors import JudgebenchError, UsageError
from judgebench.labels import TAKEN_BACK, Asked, Cell, place_of
from judgebench.records import Item, Response, Verdict, VerdictSlot

KINDS = {
    "label": "each answer by itself",
    "preference": "two answers: which is better",
    "score": "each answer: a score",
}
ANSWERS = "judgebench import responses OUTPUTS.jsonl"

FOLD_LINES, FOLD_CHARACTERS = 20, 2000

# A key that is held down repeats, and what appears under it has not been read by anybody.
UNREAD_S = 0.4
HURRIED = "That key was not taken: this had only just appeared."


def page() -> None:
    st.title("Label")
    above, beside = st.columns([8, 2], vertical_alignment="center")
    identity = above.empty()
    url = st.session_state["store"]
    # Not the state that other pages hold for a while: the label before this one has to count.
    mark = reads.mark_of(url)
    known = reads.benchmarks(url, mark)
    with beside if raters.name_given() else above:
        rater = raters.who()
    if not known:
        widgets.empty("The store is empty. A run fills it:", widgets.FIRST_STEPS)
        return
    with st.expander("What is labelled", expanded=not rater.name):
        asked, kind, choices = choose(url, mark, known, rater.name)
    if asked is None:
        widgets.empty("There is nothing to label: the store has no answers to it.", ANSWERS)
        return
    if not rater.name:
        st.text(rater.why_not)
        return
    vouched = f" ({rater.vouched})" if rater.vouched else ""
    identity.text(
        f"{asked.benchmark}@{asked.version} · {KINDS[kind]} · labels of {rater.name}{vouched}"
    )
    work(url, mark, asked, kind, choices)


# what is asked ----------------------------------------------------------------------------------


def choose(
    url: str, mark: str, known: Sequence[tuple[str, str]], rater: str
) -> tuple[Asked | None, labels.Kind, Sequence[str]]:
    """What the person wants to label, of the benchmark with its declared labels."""
    places, benchmark, version = widgets.choose_among(
        known,
        [3, 2, 4],
        lambda: (one for one in known if labels.answered(url, labels.answers_state(url), *one)),
    )
    ground = labels.ground(url, mark, labels.answers_state(url), benchmark, version)
    if not ground.models:
        return None, "label", ()
    kinds = [kind for kind in KINDS if kind != "preference" or len(ground.models) > 1]
    shows = KINDS | {"label": f"{KINDS['label']}: {' / '.join(reversed(ground.labels))}"}
    with places[0]:
        kind = widgets.choose("Asked for", kinds, "asked", default=ground.kind, shows=shows)
    names = {key.hex()[:12]: name for key, name in ground.models.items()}
    key_of = {key.hex()[:12]: key for key in ground.models}
    opponent = None
    if kind == "preference":
        usual = None if ground.opponent is None else ground.opponent.hex()[:12]
        against = widgets.choose("Against", list(names), "against", default=usual, shows=names)
        opponent = key_of.pop(against)
    chosen = choose_models({one: names[one] for one in key_of})
    asked = Asked(
        benchmark=benchmark,
        version=version,
        rater=rater,
        models=tuple(sorted(key_of[one] for one in chosen)),
        opponent=opponent,
    )
    return asked, kind, ground.labels


def choose_models(names: dict[str, str]) -> list[str]:
    """Several models, all if the URL names none of them."""
    wanted = [one for one in st.query_params.get_all("model") if one in names]
    chosen: list[str] = st.multiselect(
        "Models",
        list(names),
        default=wanted or list(names),
        format_func=names.__getitem__,
        key="\0".join(["models", *names]),
    )
    if set(chosen) != set(names):
        st.query_params["model"] = chosen
    else:
        st.query_params.pop("model", None)
    return chosen


# one cell after another -------------------------------------------------------------------------


def work(url: str, mark: str, asked: Asked, kind: labels.Kind, declared: Sequence[str]) -> None:
    now = labels.standing(url, labels.answers_state(url), asked, kind)
    left, right = st.columns([7, 3], gap="medium")
    cell = the_cell(asked, now)
    with left:
        tell_what_went_wrong()
        if cell is None:
            nothing_left(url, asked, now)
        else:
            seen = labels.look_at(url, asked, cell, kind)
            ask(url, asked, kind, declared, seen, now)
            read(seen)
    with right:
        progress(now)
        agreement(url, mark, asked, kind)
    if math.isinf(st.session_state["since"]):
        st.session_state["since"] = time.monotonic()


def the_cell(asked: Asked, now: labels.Standing) -> Cell | None:
    """The one before the person's eyes, until it is labelled or skipped; then the next."""
    state = st.session_state
    if state.get("labelling") != asked:
        state["labelling"], state["cell"], state["skipped"] = asked, None, []
    cell: Cell | None = state["cell"]
    if cell is None or cell in now.done:
        cell = now.next(state["skipped"])
        state["given"] = []
    if cell != state["cell"] or "since" not in state:
        state["cell"], state["since"] = cell, math.inf  # until all of it is shown
    return cell


def ask(
    url: str,
    asked: Asked,
    kind: labels.Kind,
    declared: Sequence[str],
    seen: labels.Shown,
    now: labels.Standing,
) -> None:
    """The buttons, each with its key. They stand above the texts, and so in one place."""
    this = token(seen.place)
    if seen.scale is None:
        options = labels.verdicts_of(kind, declared)
        for place, (key, (words, verdict)) in zip(
            st.columns(len(options)), options.items(), strict=True
        ):
            place.button(
                escaped(words), key=f"{this} {key}", shortcut=key, width="stretch",
                on_click=give, args=(url, asked, seen.place, verdict),
            )  # fmt: skip
    else:
        ask_for_points(url, asked, seen.place, seen.scale, this)
    back, skip, rest = st.columns([2, 2, 6], vertical_alignment="center")
    undo = (url, asked, now.last)
    nothing = now.last is None and not st.session_state["given"]
    back.button("Undo", shortcut="u", on_click=undo_last, args=undo, disabled=nothing,
                width="stretch")  # fmt: skip
    skip.button("Skip", shortcut="s", on_click=skip_it, args=(asked,), width="stretch")
    with rest:
        hurried = st.session_state.pop("hurried", False)
        st.caption(HURRIED if hurried else "One key a label. What is labelled is stored at once.")


def ask_for_points(
    url: str, asked: Asked, place: VerdictSlot, scale: labels.Scale, this: str
) -> None:
    """One number for each dimension, and one for the whole."""
    given: list[int] = st.session_state["given"]
    at = min(len(given), len(scale.asked) - 1)
    told = [f"{name} {points}" for name, points in zip(scale.asked, given, strict=False)]
    name = f"{scale.asked[at]} ({at + 1} of {len(scale.asked)})" if scale.parts else scale.asked[at]
    st.text(" · ".join([*told, f"{name}:"]))
    points = range(scale.low, scale.high + 1)
    for column, point in zip(st.columns(len(points)), points, strict=True):
        key = str(point) if point < 10 else "0" if point == 10 else None
        if key == "0" and point == 0 and scale.high >= 10:
            key = None  # 0 is the key of 10
        column.button(
            str(point), key=f"{this} {at} {point}", shortcut=key, width="stretch",
            on_click=give_point, args=(url, asked, place, scale, at, point),
        )  # fmt: skip


def nothing_left(url: str, asked: Asked, now: labels.Standing) -> None:
    if now.cells:
        st.success("All of it is labelled.", icon="✅")
    else:
        st.info("There is nothing to label in this choice.", icon="📭")
    if now.last is not None:
        st.button("Undo", shortcut="u", on_click=undo_last, args=(url, asked, now.last))


# what a key does --------------------------------------------------------------------------------


def give(url: str, asked: Asked, place: VerdictSlot, verdict: Verdict) -> None:
    if not too_soon():
        stored(url, asked, place, verdict)


def give_point(
    url: str, asked: Asked, place: VerdictSlot, scale: labels.Scale, at: int, point: int
) -> None:
    given: list[int] = st.session_state["given"]
    if too_soon() or len(given) != at:  # a press that came twice
        return
    given.append(point)
    if len(given) == len(scale.asked):
        stored(url, asked, place, scale.verdict(given))


def undo_last(url: str, asked: Asked, last: Cell | None) -> None:
    """The last number of a score that is not whole yet; else the last label, shown again."""
    if too_soon():
        return
    if st.session_state["given"]:
        st.session_state["given"].pop()
    elif last is not None and stored(url, asked, place_of(asked, last), TAKEN_BACK):
        st.session_state["cell"] = last


def skip_it(asked: Asked) -> None:
    if too_soon():
        return
    st.session_state["skipped"].append(st.session_state["cell"])
    st.session_state["cell"] = None


def stored(url: str, asked: Asked, place: VerdictSlot, verdict: Verdict) -> bool:
    """Whether the store has it now; if not, the page says why, and the cell stays."""
    try:
        labels.write(url, asked.rater, place, verdict)
    except JudgebenchError as error:
        st.session_state["went_wrong"] = str(error)
        st.session_state["given"] = []
        return False
    st.session_state["cell"] = None
    st.session_state["given"] = []
    return True


def too_soon() -> bool:
    """Whether nobody can have read what is shown; then the time begins anew."""
    since = st.session_state["since"]
    if time.monotonic() - since >= UNREAD_S or st.session_state["given"]:
        return False
    st.session_state["since"] = math.inf
    st.session_state["hurried"] = True
    return True


def tell_what_went_wrong() -> None:
    if error := st.session_state.pop("went_wrong", None):
        st.error("Your label was not stored. Press the key again.", icon="⛔")
        st.text(error)


# what is seen -----------------------------------------------------------------------------------


def read(seen: labels.Shown) -> None:
    """Question, references and answers; nothing of this is read as anything but text, unless the
    reader has it formatted.
    """
    this = token(seen.place)
    markdown_text.choose_by_button()
    if seen.item is None or not seen.item.turns:
        st.subheader("Question")
        st.text(f"Its text is not in the store; its id is {visible(seen.place.item_id)}.")
    else:
        question(seen.item, this)
    names = ["Answer"] if len(seen.answers) == 1 else ["Left", "Right"]
    columns = st.columns(len(names), gap="medium")
    for side, name, answer in zip(columns, names, seen.answers, strict=True):
        with side:
            st.subheader(name)
            shown_answer(answer, f"{this} {name}")


def question(item: Item, this: str) -> None:
    st.subheader("Question")
    for i, turn in enumerate(item.turns):
        if len(item.turns) > 1:
            st.caption(turn.role)
        folded(turn.content, f"{this} turn {i}")
    if item.options:
        letters = (chr(ord("A") + i) for i in range(len(item.options)))
        said = [f"{letter}. {one}" for letter, one in zip(letters, item.options, strict=True)]
        folded("\n".join(said), f"{this} options")
    if item.references:
        n = len(item.references)
        with st.expander(f"{n} reference answers" if n > 1 else "Reference answer", expanded=True):
            folded("\n".join(item.references), f"{this} references")


def shown_answer(answer: Response, this: str) -> None:
    if answer.text.strip():
        folded(answer.text, this)
    else:
        st.caption("The answer is empty.")
    if answer.status not in ("ok", "empty"):
        st.caption(f"This answer is not a usual one: {answer.status.replace('_', ' ')}.")


def folded(text: str, this: str) -> None:
    """A text as it is; of a long one its beginning, its length and a button to see the rest.

    A button and no switch: keys are not heard while a switch has the focus.
    """
    text = visible(text)
    if markdown_text.is_wanted(text):
        st.html(markdown_text.as_html(text))
        return
    lines = text.splitlines()
    short = "\n".join(lines[:FOLD_LINES])[:FOLD_CHARACTERS]
    if len(lines) <= FOLD_LINES and len(text) <= FOLD_CHARACTERS:
        st.text(text)
        return
    how_long = f"{len(text):,} characters, {len(lines):,} lines"
    if st.session_state.get("unfolded") == this:
        st.text(text)
        return
    st.text(f"{short} …")
    st.button(
        f"Show all: {how_long}", key=f"{this} all", type="tertiary",
        on_click=lambda: st.session_state.update(unfolded=this),
    )  # fmt: skip


def progress(now: labels.Standing) -> None:
    done, n = len(now.done), len(now.cells)
    st.subheader("Progress")
    st.progress(done / n if n else 0.0)
    st.text(f"{done:,} of {n:,} labelled")
    if now.counts:
        st.text("You: " + ", ".join(f"{name} {count}" for name, count in now.counts.items()))


def agreement(url: str, mark: str, asked: Asked, kind: labels.Kind) -> None:
    """Kappa with everybody else, on what the rater has labelled so far."""
    st.subheader("You and the others")
    try:
        rows = labels.agreement(url, mark, asked.benchmark, asked.version, asked.judge_key, kind)
    except UsageError as error:
        st.text(str(error))
        return
    if not rows:
        st.text("Nobody else has judged what you have labelled.")
        return
    widgets.table(pd.DataFrame([agreement_row(row) for row in rows]))
    weighted = ", quadratic: the further apart, the worse" if kind == "score" else ""
    st.caption(
        f"Cohen's kappa{weighted}, with a 95 % interval over questions, on what both have judged."
        f" Under {labels.FEW} it is too little to tell."
    )


def agreement_row(row: dict[str, Any]) -> dict[str, Any]:
    kappa = row["cohen_kappa"]
    told = widgets.in_brackets(kappa) or kappa.get("undefined")
    few = kappa["n"] < labels.FEW
    return {"who": row["judge"], "kappa": "too few" if few else told, "n": kappa["n"]}


def token(place: VerdictSlot) -> str:
    """Names the place in keys of widgets, which a browser sees, without naming its model."""
    return sha256(repr(place).encode()).hexdigest()[:12]


def escaped(words: str) -> str:
    """Labels are the benchmark's words, and buttons read Markdown."""
    return "".join(f"\\{c}" if c.isascii() and not (c.isalnum() or c == " ") else c for c in words)


widgets.or_say_what_is_wrong(page)
