"""What the Agreement page reads: judges against a reference, every two of them, and their items.

All numbers and counts come from `agreement_computations`; here they become rows and words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import charts
import pandas as pd
import streamlit as st
import widgets
from computations import people_first
from computed import answer
from long_text import visible
from reads import KEPT, Json

from judgebench.metrics.board_kinds import Kind
from judgebench.records import HUMAN, Label, Preference, Score, Verdict, is_human
from judgebench.reports.estimates import p_text
from judgebench.store.read import ItemHistory, ToldVerdict

LABEL: Kind = "label"

SHOWN = {"label": "cohen_kappa", "preference": "cohen_kappa", "score": "spearman"}
"""What stands in the cells of the heat map, as in the printed matrix."""

WORDS = {
    "label": "labels of answers",
    "preference": "comparisons of two answers",
    "score": "scores of answers",
}


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


# judges compared --------------------------------------------------------------------------------


def compared(report: Json, scope: str) -> list[Json]:
    """The differences of judges in a scope; model by model there are none, so those of all."""
    wanted = scope if scope == "macro" else "pooled"
    return [one for one in report["differences"] if one["scope"] == wanted]


def difference_row(one: Json, digits: int = 3) -> dict[str, Any]:
    """A line of the table: by how much the first agrees better, and how sure that is."""
    difference = one["difference"]
    value, low, high = (difference[name] for name in ("value", "low", "high"))
    said = None if value is None else f"{value:+.{digits}f}"
    if low is not None and high is not None:
        said = f"{said} [{low:+.{digits}f}, {high:+.{digits}f}]"
    return {
        "judge": one["judge"],
        "against": one["versus"],
        "difference": said,
        "level": None if one["p_value"] is None else f"{100 * difference['level']:.4g} %",
        "p adjusted": None if one["p_adjusted"] is None else p_text(one["p_adjusted"]),
        "n": difference["n"],
        "missing": difference["missing"],
        "no interval because": (
            difference.get("undefined") or difference["method"].removeprefix("no interval, ")
            if one["p_value"] is None
            else None
        ),
    }


def took(report: Json, judge: str) -> dict[str, Any]:
    """What a verdict of a judge took, in words; a dash with the reason where it is not known."""
    (cost,) = (one for one in report["costs"] if one["judge"] == judge)
    usd, seconds = cost["usd_per_verdict"], cost["seconds_median"]
    return {
        "USD a verdict": (f"{charts.GAP} {cost['usd_undefined']}" if usd is None else f"{usd:.6f}"),
        "seconds a verdict, median (mean)": (
            f"{charts.GAP} {cost['seconds_undefined']}"
            if seconds is None
            else f"{seconds:.2f} ({cost['seconds_mean']:.2f})"
        ),
    }


# two judges -------------------------------------------------------------------------------------


@st.cache_data(max_entries=KEPT, show_spinner="Computing intervals …")
def pair(
    url: str, mark: str, benchmark: str, version: str, judge: str, reference: str,
    kind: str = LABEL,
) -> dict[str, Any]:  # fmt: skip
    """As `agreement_computations.pair`: what was called what, and who is lenient with whom."""
    question = ("agreement_computations.pair", benchmark, version, judge, reference, kind)
    found: dict[str, Any] = answer(url, mark, *question)
    return found


def confusion_table(found: Json) -> list[dict[str, Any]]:
    """A row for each thing that the reference says, the best first, as the columns are."""
    last = len(found["columns"])
    names = widgets.distinct(["reference", *reversed(found["columns"]), "unreadable", "no verdict"])
    order = [*reversed(range(last)), last, last + 1]
    rows = zip(found["rows"], found["counts"], strict=True)
    return [
        dict(zip(names, [truly, *(counts[column] for column in order)], strict=True))
        for truly, counts in reversed(list(rows))
    ]


def lenient_axis(rows: pd.DataFrame, unit: str) -> charts.Axis:
    """As wide as the intervals on either side of nothing."""
    drawn = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna().abs()
    end = 1.08 * float(drawn.max()) if len(drawn) and drawn.max() > 0 else 1.0
    points = "points of the scale" if unit == "points" else "percentage points"
    return charts.Axis(
        title=points, short="leniency", low=-end, high=end, digits=2 if unit == "points" else 1
    )


def confusion_cells(found: Json) -> list[dict[str, Any]]:
    """The table as it is drawn, each count with its share of what the reference called so."""
    cells = []
    columns = [*found["columns"], "unreadable", "no verdict"]
    order = [*reversed(range(len(found["columns"]))), -2, -1]
    for truly, counts in reversed(list(zip(found["rows"], found["counts"], strict=True))):
        n = sum(counts)
        for said, count in ((columns[at], counts[at]) for at in order):
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


def lenient_rows(found: Json) -> list[dict[str, Any]]:
    """How much better the judge thinks of each model; shares in percentage points."""
    scale = 1.0 if found["unit"] == "points" else 100.0
    against = {one["opponent"] for one in found["leniency"] if one["model"] is not None}
    rows = []
    for one in found["leniency"]:
        line = widgets.numbers(one["estimate"], scale)
        name = "all models" if one["model"] is None else one["model"]
        if one["opponent"] is not None and len(against) > 1:
            name += f" against {one['opponent']}"
        rows.append({"name": visible(name), "test": visible(name), "tone": _tone(line), **line})
    head, rest = rows[0], rows[1:]
    return [head, *sorted(rest, key=lambda row: (row["value"] != row["value"], -row["value"]))]


def _tone(line: Mapping[str, Any]) -> str:
    """Whose side it is on, as far as the interval says so."""
    return "first" if line["low"] > 0 else "second" if line["high"] < 0 else "rest"


# where they differ ------------------------------------------------------------------------------


@st.cache_resource(max_entries=8, show_spinner="Reading verdicts …")
def differences(
    url: str, mark: str, benchmark: str, version: str, kind: str, judges: tuple[str, ...]
) -> Json:
    """As `agreement_computations.differences`: the items on which these judges differ most."""
    question = ("agreement_computations.differences", benchmark, version, kind, *judges)
    found: Json = answer(url, mark, *question)
    return found


def rule(found: Json) -> str:
    """How the items are ordered, in our own words."""
    if found["labels"] and len(found["judges"]) == 2:
        return (
            "Items by the number of answers of which the two say different things; of equally "
            "many, the larger share of the answers that both have judged first."
        )
    if found["labels"]:
        return (
            "Items by the number of pairs of judges that say different things of an answer, added "
            "up over its answers; of equally many, the larger share of all pairs first."
        )
    scaled = ", each score as a share of its own judge's scale" if found["on_scale"] else ""
    return (
        "Items by the distance between the highest and the lowest score of an answer, averaged "
        f"over the answers that two judges or more have scored{scaled}."
    )


def said_there(found: Json, place: int) -> dict[str, str]:
    """What each judge that has a column said of an item."""
    return dict(zip(found["columns"], found["said"][place], strict=True))


def ids_of(names: Mapping[str, str], judges: Collection[str]) -> set[str]:
    """The ids of judges by name; of people together, those of all of them."""
    return {
        one for one, name in names.items() if name in judges or (HUMAN in judges and is_human(name))
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
    cell = widgets.numbers(estimate, 1.0)
    undefined = cell["value"] != cell["value"]
    ends = "" if undefined else widgets.in_brackets(estimate).partition(" ")[2]
    return {
        **cell,
        "row": row["judge"],
        "column": row["reference"],
        "text": charts.GAP if undefined else charts.number(cell["value"], 2),
        "ends": ends,
        "counts": f"n {cell['n']:,}",
        "detail": widgets.note(cell, 2),
    }
