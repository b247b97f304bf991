"""just-eval: one model's row, eight safety means, tables by tag, and two judges, from scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from judgebench.judges.readers.upstream import ASPECTS, NOT_APPLICABLE, ONE_TO_FIVE, SAFETY
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import OFFICIAL, SCORE, scores
from judgebench.reports.reproduce import (
    ROUNDING,
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    read_json,
)
from judgebench.rows import Row, read_rows

PARTS = {"multi": ASPECTS, "safety": SAFETY}
MODEL, JUDGE, OTHER = "gpt-3.5-turbo-0301", "gpt-4-1106-preview", "gpt-3.5-turbo-0613"
"""Whose answers were judged whole, by whom, and who else judged safety."""
ROW = "gpt_3_5_turbo_0301_by_gpt_4_1106"
TWO = "safety_two_judges"
LEFT_OUT = "upstream counts N/A as 5; here it is left out"

WAYS = ("task", "topic", "source")

_Tags = Mapping[str, Mapping[str, str]]


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every number of ``expected.json``, what boards show as they show it."""
    theirs = read_json(folder / "expected.json", "models", ROW, TWO, "counts")
    tags: _Tags = {
        row.text("id"): {name: row.text(name, None) or "" for name in (*WAYS, "lite")}
        for row in read_rows(folder.parent / "tags.csv", ("id", *WAYS, "lite"))
    }
    by: dict[tuple[str, str], list[Row]] = {}
    for row in read_rows(folder / "scores.csv", ("judge", "model", "id", "words")):
        if row.text("id") not in tags:
            raise row.wrong("id", f"{row.text('id')} is none of just-eval's instructions")
        by.setdefault((row.text("judge"), row.text("model")), []).append(row)
    board = _board([row for rows in by.values() for row in rows], tags, intervals)
    figures = [
        figure
        for model, its in theirs["models"].items()
        for judge, parts in its.items()
        for part, wanted in parts.items()
        for figure in _part(model, f"{judge}, {part}", by[judge, model], PARTS[part], wanted)
    ]
    figures += _shown(board, theirs["models"], theirs[ROW])
    lite = [row for row in by[JUDGE, MODEL] if tags[row.text("id")]["lite"]]
    figures += _part(MODEL, f"{JUDGE}, lite", lite, ASPECTS, theirs[ROW]["lite_subset"])
    figures += each(
        MODEL, _flat(_two_judges(by[OTHER, MODEL], by[JUDGE, MODEL])), _flat(theirs[TWO]),
        n=200, scope="two judges",
    )  # fmt: skip
    counts = ({"instructions": one} for one in (_counts(tags.values()), theirs["counts"]))
    figures += each("just-eval", *map(_flat, counts), n=len(tags))
    return Reproduction(
        table="just_eval",
        title=f"just-eval, {sum(map(len, by.values())):,} judged answers of 8 models",
        source="Re-Align/just-eval at 3e1a1265e210be1d6ad71624c91da3efc36493ca (2024-01)",
        licence="MIT: scores as numbers, not in the package",
        theirs="computed elsewhere from the same scores, with N/A as 5",
        who="model",
        figures=figures,
        shown=[
            FigureTable(title=f"{name}, by {judge}", metric=name, scope=judge)
            for judge, names in ((OTHER, SAFETY), (JUDGE, ("average", *ASPECTS, *SAFETY)))
            for name in names
        ],
        notes=[
            "the paper's table and the project's page are in no snapshot: what is compared is made "
            "of the judgments that upstream has published",
            "an instruction counts in each of its tags; upstream's script, as published, counts it "
            "in its last one only",
            "safety of one model by two judges is two figures: never compare across judges",
        ],
    )


def _board(rows: Sequence[Row], tags: _Tags, intervals: Intervals) -> dict[tuple[str, str], Any]:
    """What a board shows of each judge and model."""
    parts = {name: np.array([_number(row, name) for row in rows]) for name in (*ASPECTS, *SAFETY)}
    stated = np.array([*parts.values()])
    n, ends = len(rows), (ONE_TO_FIVE.low, ONE_TO_FIVE.high)
    columns = {name: [row.text(name) for row in rows] for name in ("judge", "model")} | {
        "item_id": [row.text("id") for row in rows],
        "sample": [0] * n,
        "kind": ["score"] * n,
        "low": [ends[0]] * n,
        "high": [ends[1]] * n,
        "value": np.nanmean(stated, axis=0),
        **{f"{SCORE}/{name}": values for name, values in parts.items()},
    }
    categories = {"regular": ASPECTS, "safety": SAFETY}
    found: Iterable[Standing] = scores(
        columns,
        groups=[{id_: tag[way].split() for id_, tag in tags.items()} for way in WAYS],
        balance=Balance(
            category_of={id_: "regular" if tag["task"] else "safety" for id_, tag in tags.items()},
            sides={name: [of] for of, names in categories.items() for name in names},
            not_applicable=ends[1],
        ),
        grouped=["helpfulness"],
        intervals=intervals,
    )
    return {(one.judge, one.model): one.metrics for one in found}


def _number(row: Row, name: str) -> float:
    """The score; nan where there is none, or the aspect does not apply."""
    if not row.has(name) or row.text(name) == NOT_APPLICABLE:
        return math.nan
    value = row.number(name)
    if not ONE_TO_FIVE.low <= value <= ONE_TO_FIVE.high:
        raise row.wrong(name, f"from 1 to 5, not {value:g}")
    return value


def _shown(
    board: Mapping[tuple[str, str], Any], models: Mapping[str, Any], row: Mapping[str, Any]
) -> Iterator[Recomputation]:
    """Figures of boards beside upstream's."""
    for model, its in models.items():
        for judge, parts in its.items():
            metrics = board[judge, model]
            wanted = {
                name: (metrics[f"{SCORE}/{name}"], parts[part][name])
                for part, names in PARTS.items()
                if part in parts
                for name in names
            }
            for name, (ours, of) in wanted.items():
                yield Recomputation(
                    who=model, scope=judge, metric=name, ours=ours, theirs=of["official_na_as_5"],
                    tolerance=ROUNDING, because=LEFT_OUT if of["na"] else "",
                )  # fmt: skip
    metrics = board[JUDGE, MODEL]
    yield Recomputation(
        who=MODEL, scope=JUDGE, metric="average", ours=metrics[OFFICIAL],
        theirs=row["average_of_six"], tolerance=ROUNDING,
    )  # fmt: skip
    for way, groups in row["helpfulness_by"].items():
        for group, (mean, _) in groups.items():
            yield Recomputation(
                who=group, scope=f"{JUDGE}, by {way}", metric="helpfulness",
                ours=metrics[f"{SCORE}/helpfulness/{group}"], theirs=mean, tolerance=ROUNDING,
            )  # fmt: skip


def _part(
    model: str, scope: str, rows: Sequence[Row], aspects: Sequence[str], theirs: Mapping[str, Any]
) -> Iterator[Recomputation]:
    """Of answers rated on some aspects: their number, words, and each aspect in every reading."""
    rows = [row for row in rows if row.has(aspects[0])]
    ours = {"n": len(rows), "avg_words": fmean(row.number("words") for row in rows)}
    yield from each(model, ours, theirs, n=len(rows), scope=scope)
    for name in aspects:
        values = np.array([_number(row, name) for row in rows])
        silent = np.isnan(values)
        read = {
            "official_na_as_5": np.where(silent, 5.0, values).mean(),
            "without_na": values[~silent].mean(),
            "na": silent.sum(),
            "na_as_1": np.where(silent, 1.0, values).mean(),
            "counts": Counter(row.text(name) for row in rows),
        }
        where = f"{scope}, {name}"
        yield from each(model, _flat(read), _flat(theirs[name]), n=len(rows), scope=where)


def _two_judges(first: Sequence[Row], second: Sequence[Row]) -> dict[str, Any]:
    """Two judges' safety of the same answers."""
    of = [{r.text("id"): _number(r, "safety") for r in rows} for rows in (first, second)]
    pairs = [(of[0][id_], of[1][id_]) for id_ in of[0] if not math.isnan(of[1].get(id_, math.nan))]
    return {
        "n": len(pairs),
        "exact_agreement": fmean(one == other for one, other in pairs),
        "mean_difference": fmean(one - other for one, other in pairs),
        "table": Counter(f"{one:g}|{other:g}" for one, other in pairs),
    }


def _counts(tags: Iterable[Mapping[str, str]]) -> Counter[str]:
    kinds = [("multi" if one["task"] else "safety", one["lite"]) for one in tags]
    whole, lite = Counter(kind for kind, _ in kinds), [kind for kind, lite in kinds if lite]
    return whole + Counter(f"lite_{kind}" for kind in lite) + Counter(items=len(kinds))


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers by the path that leads to them, ``depth/counts/5``; what is no number is left out."""
    found: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{inner}": one for inner, one in _flat(value).items()}
        elif isinstance(value, int | float | np.number):
            found[name] = value
    return found
