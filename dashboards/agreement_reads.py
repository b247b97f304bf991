"""What the Agreement page reads: judges against a reference, every two of them, and their items.

The verdicts of a benchmark are read once for all of it, and kept while a page needs them; what is
made of them is small and kept longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import charts
import shown
import streamlit as st
from computations import people_first
from computed import answer
from folded import visible
from opened import computing
from reads import KEPT, Json

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.disagreement import Disagreements, disagreements
from judgebench.metrics.judge_pair import Confusion, JudgePair, judge_pair
from judgebench.records import HUMAN, Label, Preference, Score, Verdict, is_human
from judgebench.report.estimates import to_json
from judgebench.report.judge_pairs import Judged, judged_values
from judgebench.store.item_history import ItemHistory, ToldVerdict

LABEL: Kind = "label"

SHOWN = {"label": "cohen_kappa", "preference": "cohen_kappa", "score": "spearman"}
"""What stands in the cells of the heat map, as in the printed matrix."""

WORDS = {
    "label": "labels of answers",
    "preference": "comparisons of two answers",
    "score": "scores of answers",
}
MOST_JUDGES = 12
"""Columns of what each judge said of an item."""


@st.cache_resource(max_entries=1, show_spinner="Reading verdicts …")
def _stored(url: str, mark: str, benchmark: str, version: str) -> Mapping[str, Any]:
    """Every verdict of a benchmark as codes: a hundred megabytes a million, so of one alone."""
    with computing(url) as store:
        return store.board_verdicts(benchmark, version)


@st.cache_data(max_entries=KEPT, show_spinner="Computing intervals …")
def among(url: str, mark: str, benchmark: str, version: str) -> dict[str, dict[str, Any]]:
    """As `agreement_computations.between`: its keys are the sorts of verdicts there are."""
    question = ("agreement_computations.between", benchmark, version)
    found: dict[str, dict[str, Any]] = answer(url, mark, *question)
    return found


@st.cache_data(max_entries=KEPT, show_spinner="Computing intervals …")
def agreement(
    url: str, mark: str, benchmark: str, version: str, reference: str, kind: str = LABEL
) -> dict[str, Any]:
    """As `agreement_computations.agreement`."""
    question = ("agreement_computations.agreement", benchmark, version, reference, kind)
    found: dict[str, Any] = answer(url, mark, *question)
    return found


def between(url: str, mark: str, benchmark: str, version: str, kind: str = LABEL) -> dict[str, Any]:
    """Every two judges that have judged the same answers, pooled; people first."""
    return among(url, mark, benchmark, version)[kind]


def references(judges: Sequence[str]) -> list[str]:
    """What judges can be compared with: people, of several also their majority; judges."""
    people = [judge for judge in judges if is_human(judge)]
    majority = [HUMAN] if len(people) > 1 and HUMAN not in judges else []
    return sorted([*judges, *majority], key=people_first)


def identity(report: Json) -> str:
    """One line: which data, which reference, of whom it is made."""
    made_of = [rater for rater in report["raters"] if rater != report["reference"]]
    together = "mean" if report["kinds"][0]["kind"] == "score" else "majority"
    majority = f" ({together} of {', '.join(made_of)})" if made_of else ""
    return f"{report['benchmark']}@{report['version']} · reference {report['reference']}{majority}"


# two judges -------------------------------------------------------------------------------------


@st.cache_resource(max_entries=2, show_spinner=False)
def judged(url: str, mark: str, benchmark: str, version: str, kind: str) -> Judged:
    """What everybody said, as numbers."""
    stored = _stored(url, mark, benchmark, version)
    with computing(url) as store:
        return judged_values(store, benchmark, version, kind, stored=stored)  # type: ignore[arg-type]


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def pair(
    url: str, mark: str, benchmark: str, version: str, judge: str, reference: str,
    kind: str = LABEL,
) -> JudgePair:  # fmt: skip
    """One judge beside another: what was called what, and who is lenient with whom."""
    board = judged(url, mark, benchmark, version, kind)
    return judge_pair(board.values, judge, reference)


def confusion_table(found: Confusion) -> list[dict[str, Any]]:
    """A row for each thing that the reference says, the best first, as the columns are."""
    last = len(found.columns)
    names = shown.distinct(["reference", *reversed(found.columns), "unreadable", "no verdict"])
    order = [*reversed(range(last)), last, last + 1]
    return [
        dict(zip(names, [found.rows[row], *found.counts[row, order].tolist()], strict=True))
        for row in reversed(range(len(found.rows)))
    ]


def confusion_cells(found: Confusion) -> list[dict[str, Any]]:
    """The table as it is drawn, each count with its share of what the reference called so."""
    cells = []
    columns = [*found.columns, "unreadable", "no verdict"]
    for row, truly in enumerate(found.rows):
        n = int(found.counts[row].sum())
        for column, said in enumerate(columns):
            count = int(found.counts[row, column])
            share = count / n if n else None
            percent = "" if share is None else f"{100 * share:.0f} %"
            cells.append(
                {
                    "reference": truly,
                    "judge": said,
                    "count": count,
                    "share": share,
                    "text": f"{count:,}",
                    "percent": percent,
                    "note": f"{count:,} of {n:,} that the reference calls so: {percent}",
                }
            )
    return cells


def lenient_rows(found: JudgePair) -> list[dict[str, Any]]:
    """How much better the judge thinks of each model; shares in percentage points."""
    scale = 1.0 if found.unit == "points" else 100.0
    several = len({one.opponent for one in found.leniency if one.model is not None}) > 1
    rows = []
    for one in found.leniency:
        line = shown.numbers(to_json(one.estimate), scale)
        name = "all models" if one.model is None else one.model
        if one.opponent is not None and several:
            name += f" against {one.opponent}"
        rows.append({"name": visible(name), "test": visible(name), "tone": _tone(line), **line})
    head, rest = rows[0], rows[1:]
    return [head, *sorted(rest, key=lambda row: (row["value"] != row["value"], -row["value"]))]


def _tone(line: Mapping[str, Any]) -> str:
    """Whose side it is on, as far as the interval says so."""
    return "first" if line["low"] > 0 else "second" if line["high"] < 0 else "rest"


# where they differ ------------------------------------------------------------------------------


@st.cache_resource(max_entries=8, show_spinner=False)
def differences(
    url: str, mark: str, benchmark: str, version: str, kind: str, judges: tuple[str, ...]
) -> Disagreements:
    """Items on which these judges differ most, all of them where none is named."""
    return disagreements(judged(url, mark, benchmark, version, kind).values, judges)


def rule(found: Disagreements) -> str:
    """How the items are ordered, in our own words."""
    if found.labels and len(found.judges) == 2:
        return (
            "Items by the number of answers of which the two say different things; of equally "
            "many, the larger share of the answers that both have judged first."
        )
    if found.labels:
        return (
            "Items by the number of pairs of judges that say different things of an answer, added "
            "up over its answers; of equally many, the larger share of all pairs first."
        )
    scaled = ", each score as a share of its own judge's scale" if found.on_scale else ""
    return (
        "Items by the distance between the highest and the lowest score of an answer, averaged "
        f"over the answers that two judges or more have scored{scaled}."
    )


def differing(found: Disagreements, place: int) -> str:
    """How much they differ on an item."""
    differ, compared = found.differ[place], found.compared[place]
    if not found.labels:
        return f"{differ:.2f} over {compared:.0f}"
    return f"{differ:.0f} of {compared:.0f}"


def said_there(found: Disagreements, place: int) -> dict[str, str]:
    """What each judge said of an item, in a word where it was asked once."""
    return {judge: _said(found, at, place) for at, judge in enumerate(found.judges[:MOST_JUDGES])}


def _said(found: Disagreements, judge: int, place: int) -> str:
    votes = found.votes[judge, place]
    n = int(votes.sum())
    if not n:
        return ""
    if not found.labels:
        mean = f"{found.means[judge, place]:.4g}"
        return mean if n == 1 else f"{mean} (mean of {n})"
    if n == 1:
        return found.labels[int(votes.argmax())]
    given = [
        f"{count} {label}"
        for label, count in reversed(list(zip(found.labels, votes.tolist(), strict=True)))
        if count
    ]
    return ", ".join(given)


def ids_of(board: Judged, judges: Collection[str]) -> set[str]:
    """The ids of judges by name; of people together, those of all of them."""
    return {
        one
        for one, name in board.judges.items()
        if name in judges or (HUMAN in judges and is_human(name))
    }


def disputed(history: ItemHistory, judges: Collection[str]) -> list[str]:
    """Ids of the models of whom these judges, by id, say different things on an item."""
    said: dict[str, dict[str, set[object]]] = {}
    for told in history.verdicts:
        if told.counts and told.judge.id in judges and (gist := _gist(told)) is not None:
            said.setdefault(told.model.id, {}).setdefault(told.judge.id, set()).add(gist)
    return [
        model
        for model, by_judge in said.items()
        if len({frozenset(gists) for gists in by_judge.values()}) > 1
    ]


def _gist(told: ToldVerdict) -> object:
    """What a verdict comes to, of a pair from the side of its model; None where to nothing."""
    verdict: Verdict = told.verdict
    match verdict:
        case Label(name=name):
            return name
        case Score(value=value):
            return value
        case Preference(winner=None):
            return "tie"
        case Preference(winner=winner):
            return (winner == 0) == (told.order != "opponent_first")
        case _:
            return None


def in_cell(row: Json, metric: str) -> dict[str, Any]:
    """One pair of judges as a cell of the heat map, and as a row of the table below it."""
    estimate = row["metrics"].get(metric)
    cell = shown.numbers(estimate, 1.0)
    undefined = cell["value"] != cell["value"]
    ends = "" if undefined else shown.in_brackets(estimate).partition(" ")[2]
    return {
        **cell,
        "row": row["judge"],
        "column": row["reference"],
        "text": charts.GAP if undefined else charts.number(cell["value"], 2),
        "ends": ends,
        "counts": f"n {cell['n']:,}",
        "detail": shown.note(cell, 2),
    }
