"""What ran, newest first, and one run in detail; what is running; and a way to start one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import access
import children
import page
import pandas as pd
import planning
import run_parts
import starting
import streamlit as st
import widgets
import yaml
from answers import State
from item_parts import when
from long_text import visible
from open_store import NoStoreError
from planning import Plan
from streamlit.delta_generator import DeltaGenerator

from judgebench.records import RunManifest
from judgebench.reports.cost import cost_table
from judgebench.reports.runs import failures
from judgebench.secret import redact
from judgebench.store.store import Store

PLACE = ("Work", 100)

PAGE = 25
ELSEWHERE = "another file …"
WHY_A_CODE = (
    "The dashboard said it where it was started. Asked once in a tab: a web page of somebody else "
    "that gets hold of this one does not know it."
)
MOST_CHARS = 200_000


def runs(shown: State, _: DeltaGenerator) -> None:
    url = shown.url
    starting.of_late(url)
    try:
        n = shown.read(Store.last_numbers)["runs"]
    except NoStoreError:
        n = 0
    else:
        starting.live(url)
    with st.expander("Start a run", expanded=not n):
        start(url)
    if n:
        detail(shown, listed(shown, n))
    else:
        page.empty("Nothing has run on this store yet.")


# start ------------------------------------------------------------------------------------------


@st.fragment  # planning takes seconds, which are none of the page's
def start(url: str) -> None:
    """Choose a suite, see what it would do and cost, then start it."""
    if off := access.why_nothing_starts():
        st.text(f"Starting runs from this page is off: {off}. On a command line:")
        st.code("judgebench run SUITE.yaml", language=None)
        return
    if not_here := children.writable(url):
        st.text(f"Nothing can be started on this store: {visible(not_here)}.")
        return
    suite = choose_suite()
    if not suite:
        return
    if not Path(suite).is_file():
        st.text(f"There is no file {visible(suite)}.")
        return
    st.caption(
        "A suite names models, judges and programs; start none that you have not read. Results go "
        "into this store, and keys come from the environment of the dashboard."
    )
    asked = (url, suite, Path(suite).stat().st_mtime)
    if st.button("What it would do", help="As judgebench plan: sends nothing."):
        with st.spinner("Planning …"):
            st.session_state["planned"] = asked, planning.plan(url, suite)
    planned: tuple[object, Plan] | None = st.session_state.get("planned")
    if planned is not None and planned[0] == asked:
        confirm(url, suite, planned[1])


def choose_suite() -> str:
    here = planning.suites()
    chosen = page.choose("Suite", [*here, ELSEWHERE], "suite") if here else ELSEWHERE
    if chosen != ELSEWHERE:
        return chosen
    typed: str = st.text_input("Path of a suite", placeholder="nightly.yaml", max_chars=4096)
    return typed.strip()


def confirm(url: str, suite: str, found: Plan) -> None:
    """What the run would do, and the button that starts it."""
    if found.why_not:
        st.text("This cannot be run:")
        st.code(found.why_not, language=None, wrap_lines=True)
        return
    st.text(found.line)
    if found.rows:
        widgets.table(pd.DataFrame(found.rows))
    if found.lacking:
        st.text("It would lack here:\n" + "\n".join(map(visible, found.lacking)))
    limit, code, button = st.columns([4, 3, 3], vertical_alignment="bottom")
    most = limit.number_input(
        "Stop before it costs more than (USD)", min_value=0.0, value=None, step=1.0,
        placeholder="no limit but the suite's",
    )  # fmt: skip
    capped = ("--max-cost", f"{most:g}") if most else ()
    words = ("--quiet", *capped, "--", suite)
    if not st.session_state.get("confirmed"):
        code.text_input("Code from the terminal", key=starting.CODE, max_chars=20, help=WHY_A_CODE)
    button.button("Start this run", type="primary", on_click=begin, args=(url, words))


def begin(url: str, words: tuple[str, ...]) -> None:
    starting.begin_run(url, words)
    if st.session_state.get("confirmed"):
        st.session_state.pop("planned", None)


# what ran ---------------------------------------------------------------------------------------


def listed(shown: State, n: int) -> str | None:
    """A page of runs, newest first; the run that was chosen there or in the link."""
    last = (n - 1) // PAGE + 1
    number = min(max(1, _whole(st.query_params.get("part"))), last)
    runs = shown.read(Store.newest_runs, PAGE, after=PAGE * (number - 1))
    st.caption(f"{n:,} kept, imports among them, the newest first. Choose one to see all of it.")
    picked = widgets.table(
        pd.DataFrame(run_parts.rows(runs)),
        on_select="rerun",
        selection_mode="single-row",
        key="\0".join(["runs", *(run.id for run in runs)]),
    )
    if last > 1:
        newer, where, older = st.columns([2, 6, 2], vertical_alignment="center")
        newer.button("Newer", on_click=_turn, args=(number - 1,), disabled=number == 1)
        where.text(f"page {number} of {last}")
        older.button("Older", on_click=_turn, args=(number + 1,), disabled=number == last)
    for at in picked["selection"]["rows"]:
        st.query_params["run"] = runs[at].id
    return st.query_params.get("run") or (runs[0].id if runs else None)


def _turn(to: int) -> None:
    st.query_params["part"] = f"{to}"
    st.query_params.pop("run", None)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 1


def detail(shown: State, run_id: str | None) -> None:
    """Everything that is kept of one run."""
    run = next(iter(shown.read(Store.newest_runs, run_id=run_id)), None) if run_id else None
    if run is None:
        st.text(f"This store has no run {visible(run_id or '')}.")
        return
    st.subheader("One run")
    st.text(
        visible(f"{run.name} · {run.id}")
        + f"\n{run_parts.state_of(run)} · started {when(run.started)} · took "
        f"{run_parts.took(run)}"
    )
    if said := run_parts.AFTERWARDS.get(run.state):
        st.text(said)
    counts(run)
    spent(shown, run)
    failed(shown, run)
    fields = {
        "git": run.git_sha,
        "seeds": dict(run.seeds),
        "data": dict(run.data_sha),
        "versions": dict(run.versions),
    }
    left, right = st.columns(2)
    with left:
        st.caption("What it was asked, as written; variables are named and not filled in")
        as_text(dict(run.configuration))
    with right:
        st.caption("Commit, seeds, data and versions")
        as_text(fields)


def counts(run: RunManifest) -> None:
    told = {name: n for name, n in run.counts.items() if n}
    if told:
        st.caption("What it did")
        names = [name.replace("_", " ") for name in told]
        widgets.table(pd.DataFrame([dict(zip(names, told.values(), strict=True))]))
    elif run.progress:
        progress = run.progress
        so_far = run_parts.going(run) if run.state == "running" else None
        said = so_far.line if so_far else f"{run_parts.did(run)} when last heard of"
        st.text(f"{visible(progress['stage'])}: {said}")


def spent(shown: State, run: RunManifest) -> None:
    """By who was asked, in what way; and against the budget."""
    if here := run_parts.on_this_machine(run):
        st.caption("On this machine")
        widgets.notes(here)
    columns = shown.read(Store.spend, run.id)
    if not columns["calls"]:
        return
    table = cost_table(columns)
    budget = run_parts.budget(run.configuration)
    st.caption("What it took, by who was asked" + (f"; it might cost {budget}" if budget else ""))
    titles = [column.title for column in table.columns]
    widgets.table(pd.DataFrame([dict(zip(titles, row, strict=True)) for row in table.rows]))
    widgets.notes(table.notes)


def failed(shown: State, run: RunManifest) -> None:
    """Failures are kept where a verdict or an answer is missing, until it is there."""
    if not (run.counts.get("failed") or run.progress.get("failed")):
        return
    by_kind = failures(run.progress.get("failed") or {})
    n = run.counts.get("failed")
    st.caption("Failures")
    lines = [by_kind or f"{n:,} failed in this run."]
    if kinds := shown.read(Store.failure_kinds):
        lines += ["Of all runs, on record and not done since:", *run_parts.failure_lines(kinds)]
    else:
        lines.append("All of them were done since.")
    widgets.notes(lines)


def as_text(value: Mapping[str, Any]) -> None:
    """As in a suite, in a block that is no markup."""
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=90)
    st.code(visible(redact(text))[:MOST_CHARS], language=None, wrap_lines=True)


page.show("Runs", runs)
