"""Who leads, by how much, and how sure that is: one board at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import badges
import board_charts
import board_reads
import board_rows
import charts
import pandas as pd
import reads
import streamlit as st
import widgets
from board_reads import FORMS, MIME, SUFFIXES, Which
from board_rows import BESIDE
from compare_reads import meetings
from long_text import verbatim

from judgebench.reports.board_tables import EXCLUDED, EXPLAINED, ONE_ORDER

ALT = "The models' sets of ranks, and estimates with intervals; the table has the numbers."


def page() -> None:
    st.title("Leaderboard")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    chosen = widgets.choose_benchmark(
        reads.benchmarks(url, mark),
        [3, 2, 4, 3],
        lambda: meetings(url, mark).telling(lambda judged: 1),
    )
    if chosen is None:
        return
    places, benchmark, version = chosen
    boards = reads.boards(url, mark, benchmark, version)
    if not boards:
        identity.text(f"{benchmark}@{version}")
        widgets.empty("Nothing has been judged on this benchmark yet.", widgets.FIRST_STEPS)
        return
    names = widgets.distinct(reads.board_names(boards))
    with places[0]:
        start = next((name for name, its in zip(names, boards, strict=True) if its["rows"]), None)
        judge = widgets.choose("Judge", names, "judge", default=start)
    board = boards[names.index(judge)]
    identity.text(whose(url, mark, board))
    if not board["rows"]:
        widgets.notes([f"⚠ {warning}" for warning in board["warnings"]])
        return
    filters = st.columns([5, 3, 3, 2], vertical_alignment="bottom")
    preview = st.empty()
    with filters[2]:
        board, which = as_asked(url, mark, board, preview)
    with filters[3]:
        behind(url, mark, which)
    metrics = list(dict.fromkeys(name for row in board["rows"] for name in row["metrics"]))
    with places[1]:
        metric = widgets.choose("Metric", metrics, "metric")
    everyone = rows_of(url, mark, board, metric, which)
    models, words = filtered(filters, list(everyone["model"]))
    rows = board_rows.only(everyone, models, words)
    preview.empty()
    if rows.empty:
        st.info("No model on this board is called so.", icon="🔍")
        return
    axis = charts.axis_of(metric, drawn(rows), board["scale"])
    draw(board, rows, axis, metric)
    if len(rows) < len(everyone):
        st.text(f"{len(rows)} of {len(everyone)} models; ranks are among all, whoever is shown.")
    parts = "\0".join([*models, words]) if models or words else ""
    key = "\0".join(["rows", benchmark, version, judge, *([parts] if parts else [])])
    tables(board, rows, axis, key)
    legend(url, mark, board, which)
    widgets.notes([*(f"⚠ {warning}" for warning in board["warnings"]), *board["notes"]])
    take_along(url, mark, which)


def whose(url: str, mark: str, board: reads.Json) -> str:
    """One line: which data, which judge with which prompt and reader, how many items."""
    reader = board_reads.readers(url, mark).get(board["judge_id"] or "", "")
    return reads.identity(board) + (f" · reader {reader}" if reader else "")


# what is asked ----------------------------------------------------------------------------------


def as_asked(
    url: str, mark: str, board: reads.Json, preview: st.delta_generator.DeltaGenerator
) -> tuple[reads.Json, Which]:
    """The board as the switches say; length control may take a while."""
    plain, controlled, ranked = Which.of(board), False, False
    if board_reads.can_be_controlled(board):
        controlled = switch(
            "Length-controlled", "lc", plain, usual=board_reads.is_usual(url, mark, board),
            says="The win rate that the model would have if its answers were as long as the "
            "opponent's. On large boards it takes seconds.",
        )  # fmt: skip
    if any(badges.is_apart(row) for row in board["rows"]):
        ranked = switch(
            "Rank suspicious", "suspicious", plain, usual=False,
            says="Rank models whose answers may be meant for the judge among the others.",
        )  # fmt: skip
    which = Which.of(board, "exact" if controlled else "off", rank_suspicious=ranked)
    if which == plain:
        return board, plain
    seen = st.session_state.setdefault("boards seen", set())
    if (mark, which) not in seen:  # the plain numbers need not wait for it
        metric = next(iter(board["rows"][0]["metrics"]))
        rows = rows_of(url, mark, board, metric, plain)
        axis = charts.axis_of(metric, rows, board["scale"])
        widgets.drawing(draws(board, rows, axis, metric), alt=ALT, place=preview)
    found = board_reads.board(url, mark, which)
    seen.add((mark, which))
    return found, which


def switch(label: str, param: str, which: Which, *, usual: bool, says: str) -> bool:
    """A switch that the URL remembers where it is not as usual."""
    wanted = st.toggle(
        label, value=st.query_params.get(param, "01"[usual]) == "1",
        key="\0".join([param, *map(str, [which, usual])]), help=says,
    )  # fmt: skip
    if wanted == usual:
        st.query_params.pop(param, None)
    else:
        st.query_params[param] = "01"[wanted]
    return wanted


def filtered(
    places: Sequence[st.delta_generator.DeltaGenerator], names: Sequence[str]
) -> tuple[list[str], str]:
    """Models and words that the rows are narrowed to, both in the URL."""
    wanted = [name for name in st.query_params.get_all("models") if name in names]
    models = places[0].multiselect(
        "Models", names, default=wanted, placeholder="all", key="\0".join(["models", *names])
    )
    words = places[1].text_input(
        "Filter by name", st.query_params.get("find", ""), key="find", max_chars=100,
        placeholder="part of it",
    )  # fmt: skip
    for key, value in (("models", models), ("find", words or [])):
        if value:
            st.query_params[key] = value
        else:
            st.query_params.pop(key, None)
    return models, words or ""


# what is shown ----------------------------------------------------------------------------------


def rows_of(url: str, mark: str, board: reads.Json, metric: str, which: Which) -> pd.DataFrame:
    floor = board_reads.floor(url, mark, board["benchmark"], board["version"])
    beside = {board_reads.LENGTH_CONTROLLED: "raw", board_reads.WIN_RATE: "lc"}.get(metric)
    return board_rows.table(board, metric, floor, beside=beside if which.control != "off" else None)


def drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """All that has a place on the axis, as if it were one number each."""
    ends = ["value", "low", "high"]
    more = [rows[[f"{one} {end}" for end in ends]].set_axis(ends, axis=1) for one in BESIDE]
    published = pd.DataFrame({"value": rows["published"]})
    return pd.concat([rows[ends], *more, published], ignore_index=True)


def draws(
    board: reads.Json, rows: pd.DataFrame, axis: charts.Axis, metric: str
) -> partial[charts.Drawing]:
    ranked = sum(row["rank"] is not None for row in board["rows"])
    line_at = charts.line_of(metric)
    return partial(board_charts.board, rows, axis, widgets.ink(), n_ranks=ranked, line_at=line_at)


def draw(board: reads.Json, rows: pd.DataFrame, axis: charts.Axis, metric: str) -> None:
    level = next(iter(board["rows"][0]["metrics"].values())).get("level", 0.95)
    widgets.chart(
        draws(board, rows, axis, metric),
        f"{axis.title} with {100 * level:g} % intervals · {reads.identity(board)}",
        alt=ALT,
        name=f"leaderboard {board['benchmark']} {board['judge']} {metric}",
    )
    tones = set(rows["tone"])
    marks = [
        "● blue: may be first (its set of ranks holds 1)" if "first" in tones else "",
        "● grey: behind" if "rest" in tones else "",
        "▲ vermillion: too much is missing" if "alarm" in tones else "",
        "✚ grey, below the line: suspicious, excluded from the ranking" if "apart" in tones else "",
        *(
            f"◆ orange: {beside.words}"
            for name, beside in BESIDE.items()
            if rows[f"{name} value"].notna().any()
        ),
        "□ as published" if rows["published"].notna().any() else "",
    ]
    st.caption(
        f"{' · '.join(filter(None, marks))}. Bars are {100 * level:g} % intervals over questions; "
        f"at the left, sets of ranks that hold for all models at once ({100 * level:g} %)."
    )


def tables(board: reads.Json, rows: pd.DataFrame, axis: charts.Axis, key: str) -> None:
    """The numbers, and those of suspicious models in a table of their own."""
    apart = rows["tone"] == "apart"
    chosen = numbers(rows[~apart], axis, key) if not apart.all() else []
    if apart.any():
        st.text(f"{EXCLUDED}: their answers may be meant for the judge.")
        chosen += numbers(rows[apart], axis, f"{key}\0apart")
    ids = {row["model"]: row["model_id"] for row in board["rows"]}
    compare([ids[model] for model in chosen], board)


def numbers(rows: pd.DataFrame, axis: charts.Axis, key: str) -> list[str]:
    """A table that its headers sort; the models whose rows are chosen in it."""
    quiet = [tone == "alarm" for tone in rows["tone"]]
    picked = widgets.table(
        widgets.greyed(board_rows.tabled(rows), quiet, axis.digits, widgets.ink()),
        column_config=widgets.columns_of(axis) | explained(),
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
    )
    return [str(rows["model"].iloc[at]) for at in picked["selection"]["rows"]]


def explained() -> dict[str, object]:
    """Columns whose heads say on hovering what they are, as the report does below its tables."""
    columns = {"worst case": "worst case", "in one order only": ONE_ORDER}
    return {
        name: st.column_config.Column(help=f"{EXPLAINED[words].capitalize()}.")
        for name, words in columns.items()
    }


def compare(models: Sequence[str], board: reads.Json) -> None:
    """A way to the comparison of the rows chosen, the first with the others."""
    if len(models) < 2:
        st.caption("Choose two rows or more to compare them.")
        return
    asked = {
        "first": models[0],
        "second": list(models[1:]),
        "benchmark": f"{board['benchmark']}@{board['version']}",
    }
    st.page_link("views/compare.py", label="Compare the rows chosen", query_params=asked)


def legend(url: str, mark: str, board: reads.Json, which: Which) -> None:
    """What each flag means that is here; why there is no length-controlled rate."""
    floor = board_reads.floor(url, mark, which.benchmark, which.version)
    found = badges.legend(badges.badges(row, floor) for row in board["rows"])
    if found:
        with st.expander("What the flags mean"):
            widgets.table(
                pd.DataFrame(found, columns=["flag", "means"]),
                column_config={"flag": st.column_config.TextColumn(width=180)},
            )
    if which.control == "off":
        return
    estimates = [row["metrics"].get(board_reads.LENGTH_CONTROLLED) for row in board["rows"]]
    if not any(estimates):
        st.text(
            "Not length-controlled: there is no calibration for this judge and this opponent; "
            "judgebench calibrate-length fits one."
        )
    reasons = dict.fromkeys(one["undefined"] for one in estimates if one and one.get("undefined"))
    widgets.notes([f"{charts.GAP} length-controlled: {reason}" for reason in reasons])


# what is taken along, and what is behind it -----------------------------------------------------


def take_along(url: str, mark: str, which: Which) -> None:
    """The whole board in every form, whoever is shown of it."""
    with st.container(horizontal=True):
        for form, label in FORMS.items():
            st.download_button(
                f"Download {label}",
                board_reads.rendered(url, mark, which, form),
                file_name=f"{which.benchmark}.{SUFFIXES.get(form, form)}",
                mime=MIME[form],
                key=f"download {form}",
                on_click="ignore",
            )
    st.caption("The whole board, whoever is shown, as this writes it with --format:")
    verbatim(which.command, "command")


def behind(url: str, mark: str, which: Which) -> None:
    """The manifests of the runs that the board was made of, read when they are asked for."""
    with st.popover("Runs behind it", on_change="rerun", key="behind", width="stretch") as panel:
        if not panel.open:
            return
        told = board_reads.manifests(url, mark, which)
        st.text(f"{len(told)} run{'' if len(told) == 1 else 's'}, the newest first")
        for text in told:
            st.code(text, language=None, height=300, width=640)


widgets.or_say_what_is_wrong(page)
