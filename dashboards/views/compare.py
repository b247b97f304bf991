"""Whether one model is better than others, on what, and which items decided it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import compare_charts
import compare_reads
import markdown_text
import pagination
import pandas as pd
import streamlit as st
import text_diff
import widgets
from compare_reads import Asked, Meetings
from item_reads import Names, answer_line, answers, history, said, verdict_line
from long_text import beginning, folded, visible

from judgebench.metrics import registry
from judgebench.reports.compare import COMPARISON_METRICS, Comparison, Difference
from judgebench.reports.compare_document import DIRECTLY
from judgebench.store.read import ItemHistory, JudgeCall, ToldAnswer, ToldVerdict

ALL = ""
"""In the URL: no choice was made."""

GROUPINGS = {ALL: "whole benchmarks", "category": "category", "language": "language"}

SAMPLES, SAID = 4, 12
"""Pairs of answers, and verdicts on one side, that are shown of an item at once."""

HIDDEN = ["value", "low", "high", "name", "test", "tone", "undefined", "because"]
"""Columns for drawing."""


def page() -> None:
    st.title("Compare")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    known = compare_reads.meetings(url, mark)
    if len(known.models) < 2:
        widgets.empty(
            "Two models are needed that were judged on one benchmark.", widgets.FIRST_STEPS
        )
        return
    asked, seconds = chosen(known)
    if not seconds:
        st.info("Choose one or more models to compare the first one with.", icon="⚖️")
        return
    found, faults = compare_reads.reports(url, mark, asked, seconds, known.models)
    widgets.notes([visible(fault) for fault in faults])
    if not found:
        return
    several = len(found) > 1
    tests = [test for report in found.values() for test in report.tests]
    identity.text(compare_reads.identity(list(found.values()), tests))
    draw(found, tests)
    table(list(found.values()), several=several)
    items(url, mark, known, asked, found)


# what is asked ----------------------------------------------------------------------------------


def chosen(known: Meetings) -> tuple[Asked, list[str]]:
    """Models, benchmark, judge, metric and grouping, all of them in the URL."""
    top = st.columns([3, 5, 3])
    with top[0]:
        ids = known.newest_first()
        start = next((one for one in ids if known.beside(one)), None)
        first = one_of("First", ids, "first", known.models, default=start)
    with top[1]:
        seconds = some_of("Compared with", known.beside(first), "second", known.models)
    shared = known.shared(first, seconds)
    benchmarks = compare_reads.benchmarks_of(shared)
    linked = st.query_params.get("benchmark")
    for short, pair in benchmarks.items():
        if linked == "@".join(pair):
            st.query_params["benchmark"] = short
    with top[2]:
        benchmark = narrowed("Benchmark", list(benchmarks), "benchmark", "all they have in common")
    below = st.columns([3, 3, 2, 3])
    judges = {
        known.judges[one.judge.id]: one.judge.id
        for one in shared
        if benchmark == ALL or benchmarks[benchmark] == (one.benchmark, one.version)
    }
    with below[0]:
        judge = narrowed("Judge", list(judges), "judge", "every judge")
    with below[1]:
        metric = narrowed("Metric", COMPARISON_METRICS, "metric", "those of boards")
    with below[2]:
        ways = list(dict.fromkeys([*GROUPINGS, st.query_params.get("by", ALL)]))
        by = widgets.choose("By", ways, "by", shows=GROUPINGS)
    asked = Asked(
        first=first,
        benchmark=benchmarks.get(benchmark),
        judge=judges.get(judge),
        metric=metric or None,
        by=by or None,
    )
    return asked, seconds


def narrowed(label: str, options: Sequence[str], key: str, no_choice: str) -> str:
    """One of the options, or `ALL`; other pages always have one of theirs chosen."""
    shows = {ALL: no_choice}
    return widgets.choose(label, [ALL, *options], key, shows=shows, kept_as=f"compare {key}")


def one_of(
    label: str, ids: Sequence[str], key: str, names: Mapping[str, str], default: str | None
) -> str:
    """A model; a link names it as it is shown, or by its id."""
    linked = st.query_params.get(key)
    if linked in names:
        st.query_params[key] = names[linked]
    by_name = {names[one]: one for one in ids}
    start = None if default is None else names[default]
    return by_name[widgets.choose(label, list(by_name), key, default=start)]


def some_of(label: str, ids: Sequence[str], key: str, names: Mapping[str, str]) -> list[str]:
    """Models, as `one_of`; the first there is where a link names none."""
    by_name = {names[one]: one for one in ids}
    kept = st.session_state.setdefault("kept", {})
    linked = st.query_params.get_all(key) or kept.get(key, [])
    wanted = [names.get(one, one) for one in linked]
    start = [name for name in wanted if name in by_name] or list(by_name)[:1]
    picked = st.multiselect(label, list(by_name), default=start, key="\0".join([key, *by_name]))
    kept[key] = picked
    if st.query_params.get_all(key) != picked:
        st.query_params[key] = picked
    return [by_name[name] for name in picked]


# the numbers ------------------------------------------------------------------------------------


def draw(found: Mapping[str, Comparison], tests: Sequence[Difference]) -> None:
    """A forest for each metric, since their units differ, and beside it how the items fell."""
    several = len(found) > 1
    first = next(iter(found.values())).first
    second = "the other" if several else next(iter(found.values())).second
    lines = [compare_reads.row(test, several=several) for test in tests]
    families = [compare_reads.family(test) for test in tests]
    digits = [registry.metric(metric).drawn_digits for metric in families]
    notes = [compare_reads.note(*pair) for pair in zip(lines, digits, strict=True)]
    alone = len({(test.benchmark, test.version) for test in tests}) == 1
    boards = {(test.judge, test.opponent) for test in tests}
    names = [
        compare_reads.short(
            test, several=several, one_benchmark=alone, one_board=alone and len(boards) == 1
        )
        for test in tests
    ]
    everything = pd.DataFrame(lines).assign(note=notes, name=names)
    room = compare_charts.Room.of(everything["name"], notes)
    said = compare_reads.identity(list(found.values()), tests)
    benchmark = f"{tests[0].benchmark}@{tests[0].version} · " if alone else ""
    if alone and len(boards) == 1:
        benchmark += visible(f"judge {tests[0].judge} · ")
    for metric in dict.fromkeys(families):
        rows = everything[[family == metric for family in families]]
        axis = compare_charts.axis_of(metric, rows)
        widgets.chart(
            partial(
                compare_charts.forest,
                rows,
                axis,
                widgets.ink(),
                (visible(first), visible(second)),
                room,
            ),
            f"Difference of {axis.short} · {benchmark}{said}",
            alt=f"Differences of {axis.short} with their intervals, and on how many items the "
            "first is better, equal, worse; the table below has the numbers.",
            name=" ".join(
                ["comparison", first, *(report.second for report in found.values()), metric]
            ),
        )
        if len(rows) > compare_charts.MOST_ROWS:
            st.text(f"{compare_charts.MOST_ROWS} of {len(rows):,} are drawn; the table has all.")
    st.caption(
        "▲ blue: the first is better · ▼ orange: it is worse · ● grey: undecided. The "
        "decision uses the p value adjusted over all rows of a pair, and the interval is at its "
        "level (Holm)." + (f" {DIRECTLY.capitalize()}." if any(t.direct for t in tests) else "")
    )


def table(found: Sequence[Comparison], *, several: bool) -> None:
    """The same numbers, and the report of `judgebench compare` to take along."""
    tests = [test for report in found for test in report.tests]
    lines = [compare_reads.row(test, several=several) for test in tests]
    rows = pd.DataFrame(lines)
    rows.insert(
        list(rows).index("second") + 1,
        "difference",
        [
            compare_reads.signed(line["value"], 2)
            + f" [{compare_reads.signed(line['low'], 2)}, {compare_reads.signed(line['high'], 2)}]"
            for line in lines
        ],
    )
    idle = [] if several else ["against"]
    widgets.table(
        rows.drop(columns=[*HIDDEN, *idle]),
        column_config={
            name: st.column_config.NumberColumn(name, format="%.2f")
            for name in ("first", "second", "detectable")
        },
    )
    widgets.notes(compare_reads.notes(found, several=several))
    if gates := compare_reads.gate_notes(found, several=several):
        with st.expander("How often a gate would pass an unchanged model"):
            widgets.notes(gates)
            st.caption(
                "Unchanged: the two models' verdicts exchanged at random, item by item. One model "
                "asked twice can differ less, by up to √2, and pass more often. Of each row alone."
            )
    with st.container(horizontal=True):
        for form, label in (("csv", "Download CSV"), ("md", "Download Markdown")):
            st.download_button(
                label,
                compare_reads.rendered(found, form),
                file_name=f"comparison.{form}",
                mime="text/csv" if form == "csv" else "text/markdown",
                key=f"comparison {form}",
                on_click="ignore",
            )


# the items that decided -------------------------------------------------------------------------


def items(
    url: str, mark: str, known: Meetings, asked: Asked, found: Mapping[str, Comparison]
) -> None:
    """Of one row of the table, the items by how much they decided, and one of them in full."""
    st.subheader("Items that decided it")
    several = len(found) > 1
    of = [(second, test) for second, report in found.items() for test in report.tests]
    names = widgets.distinct([compare_reads.called(test, several=several) for _, test in of])
    test_of = dict(zip(names, of, strict=True))
    second, test = test_of[widgets.choose("Of which row", names, "test")]
    telling = [flip.item_id for flip in compare_reads.telling(test)]
    if not telling:
        st.text("There is no item on which the two differ.")
    place = (test.benchmark, test.version)
    item = st.query_params.get("item")
    told = history(url, mark, *place, item) if item else None
    if told is None:
        item = telling[pagination.start_of(pagination.number("part"), telling)] if telling else None
        told = history(url, mark, *place, item) if item else None
    if item is not None:
        pagination.steps(telling, item, place, "the two do not differ on it")
        listed(url, mark, test, telling, item)
    if told is not None:
        two = (asked.first, second)
        one_item(url, mark, known, told, two, test)


def listed(url: str, mark: str, test: Difference, telling: Sequence[str], item: str) -> None:
    """A page of the ranking; who chooses a row sees that item below."""
    if not telling:
        return
    page = (
        telling.index(item) // pagination.PAGE + 1 if item in telling else pagination.number("part")
    )
    start = pagination.start_of(page, telling)
    some = compare_reads.telling(test)[start : start + pagination.PAGE]
    texts = compare_reads.heads(
        url, mark, test.benchmark, test.version, tuple(flip.item_id for flip in some)
    )
    scale = compare_reads.scale_of(test)
    rows = pd.DataFrame(
        {
            "item": [flip.item_id for flip in some],
            "difference": [flip.difference * scale for flip in some],
            "first": [flip.candidate * scale for flip in some],
            "second": [flip.baseline * scale for flip in some],
            "question": [texts.get(flip.item_id, "") for flip in some],
        }
    )
    here = [at for at, flip in enumerate(some) if flip.item_id == item]
    picked = st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": here}},
        # A key of its own for what is chosen: the next choice starts from there.
        key=f"ranking {test.benchmark} {test.judge} {test.metric} {start} {item}",
        column_config={
            "question": st.column_config.TextColumn("question", width="large"),
            "difference": st.column_config.NumberColumn(format="%+.4g"),
            "first": st.column_config.NumberColumn(visible(test.first), format="%.4g"),
            "second": st.column_config.NumberColumn(visible(test.second), format="%.4g"),
        },
    )
    chosen = picked["selection"]["rows"]
    if chosen and chosen != here:
        pagination.go_to("item", some[chosen[0]].item_id)
        st.rerun()
    pagination.pages(start, len(some), len(telling))


# one item ---------------------------------------------------------------------------------------


def one_item(
    url: str, mark: str, known: Meetings, told: ItemHistory, two: tuple[str, str], test: Difference
) -> None:
    """The question, both answers, and what every judge said of either."""
    item = told.item
    names = Names(known.models, known.judges)
    markdown_text.choose()
    st.text(visible(" · ".join(filter(None, (f"Question of item {item.id}", item.category)))))
    for turn_number, turn in enumerate(item.turns):
        folded(turn.content, f"question {item.id} {turn_number}")
    if not item.turns:
        st.text("Only the id of this item is known; its question never came with an import.")
    if item.references:
        st.text("Reference" if len(item.references) == 1 else "References")
        folded("\n".join(item.references), f"references {item.id}")
    answers_of(url, mark, told, two, names)
    opponents(url, mark, told, two, names)
    verdicts(url, mark, told, two, names)


def answers_of(url: str, mark: str, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """The newest answers of the two, sample by sample, side by side with differences marked."""
    places: dict[tuple[int, int], dict[str, ToldAnswer]] = {}
    for answer in told.answers:
        if answer.newest and answer.model.id in two:
            places.setdefault((answer.sample, answer.turn), {})[answer.model.id] = answer
    some = sorted(places)[:SAMPLES]
    numbers = tuple(answer.number for place in some for answer in places[place].values())
    texts = answers(url, mark, numbers)
    for place in some:
        pair = [places[place].get(model) for model in two]
        written = [None if one is None else texts[one.number].text for one in pair]
        with st.container(border=True):
            lines = [
                visible(f"{names.models[model]} has no such answer here")
                if one is None
                else answer_line(one, names)
                for model, one in zip(two, pair, strict=True)
            ]
            side_by_side(lines, written, f"{told.item.id} {place}")
    if len(places) > len(some):
        st.text(f"{len(some)} of {len(places):,} samples are shown.")
    if not places:
        st.text("No answer of either is kept here: their verdicts came without.")


def side_by_side(lines: Sequence[str], texts: Sequence[str | None], key: str) -> None:
    """Two columns; words that only one has are marked, if both are there and not too long."""
    first, second = texts
    columns = st.columns(2)
    for column, line in zip(columns, lines, strict=True):
        column.text(line)
    pair = None
    as_written = not any(text and markdown_text.is_wanted(text) for text in texts)
    if first and second and as_written:
        long = [text for text in map(visible, (first, second)) if beginning(text) != text]
        whole = False
        if long and len(first) + len(second) <= text_diff.MOST_CHARS:
            size = " and ".join(
                f"{text.count(chr(10)) + 1:,} lines, {len(text):,} characters" for text in long
            )
            whole = st.toggle(f"Show all: {size}", key=f"whole {key}")
        pair = text_diff.side_by_side(first, second, whole=whole)
    if pair is not None:
        for column, html in zip(columns, pair, strict=True):
            column.html(html)
        if first == second:
            st.text("The two answers are the same, letter by letter.")
        return
    for number, (column, text) in enumerate(zip(columns, texts, strict=True)):
        if text is not None:
            with column:
                folded(text, f"{key} {number}")
    if first and second:
        st.text(
            f"Differences are marked up to {text_diff.MOST_CHARS:,} characters of both together."
            if as_written
            else "Differences are marked in answers as they are written."
        )


def opponents(url: str, mark: str, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """The answers that those of the two were compared with."""
    met = {one.opponent.id for one in told.verdicts if one.opponent and one.model.id in two}
    theirs = [one for one in told.answers if one.newest and one.model.id in met - set(two)]
    texts = answers(url, mark, tuple(one.number for one in theirs[:SAMPLES]))
    if not texts:
        return
    with st.expander("What judges compared them with"):
        for one in theirs[:SAMPLES]:
            st.text(answer_line(one, names))
            folded(texts[one.number].text, f"opponent {told.item.id} {one.number}")


def verdicts(url: str, mark: str, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """Every judge on either, both orders and all repeats, in one table and then in its words."""
    sides = [compare_reads.said_of(told.verdicts, model, names.judges) for model in two]
    rows = compare_reads.beside(*sides)
    if not rows:
        st.text("No judge has said anything of this item.")
        return
    table = pd.DataFrame(rows)
    idle = [name for name in ("against", "order", "repeat") if not table[name].any()]
    titles = dict(zip(("first", "second"), (names.models[model] for model in two), strict=True))
    widgets.table(
        table.drop(columns=idle),
        column_config={
            side: st.column_config.TextColumn(visible(title)) for side, title in titles.items()
        },
    )
    keys = tuple(
        dict.fromkeys(key for side in sides for _, one in side[:SAID] for key in one.reply_keys)
    )
    texts = said(url, mark, keys)
    with st.expander("What the judges wrote", expanded=True):
        for column, side, which in zip(st.columns(2), sides, ("first", "second"), strict=True):
            with column:
                for place, (_, one) in enumerate(side[:SAID]):
                    st.text(verdict_line(one, names))
                    wrote(one, texts, f"{told.item.id} {which} {place}")
                if len(side) > SAID:
                    st.text(f"{SAID} of {len(side):,} verdicts are shown.")


def wrote(one: ToldVerdict, texts: Mapping[bytes, JudgeCall], key: str) -> None:
    """The replies that a verdict was read from, with what was thought before."""
    for number, reply in enumerate(texts[k] for k in one.reply_keys if k in texts):
        if reply.reasoning:
            with st.expander(f"What it thought before: {len(reply.reasoning):,} characters"):
                folded(reply.reasoning, f"thoughts {key} {number}")
        folded(reply.reply, f"reply {key} {number}")


widgets.or_say_what_is_wrong(page)
