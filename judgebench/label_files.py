"""Answers drawn for people, as one file that they label anywhere, and what comes back of it.

A draw is kept in the store with the probability of every answer in it (`metrics.correction`), under
the id that its file carries; nothing in the file says whose an answer is, or what judges said.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from judgebench import keys
from judgebench.api import Results, reading, writing
from judgebench.errors import InputError, UsageError, refuse_unknown, unknown_name
from judgebench.exchange.pipeline import ImportReport
from judgebench.exchange.tables import VerdictAt, VerdictRow, take_in
from judgebench.exchange.tables import read_label_files as read_labels
from judgebench.execution.manifest import new_manifest
from judgebench.labels import (
    Cell,
    Kind,
    LabelScale,
    LabelTask,
    labelable,
    place_of,
    presented,
    queue,
    rater_name,
    usual_scale,
    verdict_keys,
)
from judgebench.metrics.correction import SAMPLING, drawn_cells
from judgebench.metrics.intervals import Intervals
from judgebench.plain_text import counted, written_out
from judgebench.progress import shown
from judgebench.protocols import Progress
from judgebench.records import HUMAN, JsonObject, Preference, Score, Verdict, is_human
from judgebench.reports.boards import BenchmarkRef, benchmark_ref
from judgebench.reports.document import Document
from judgebench.reports.labels import LabelDraw, LabelReport, label_draw, label_report
from judgebench.reports.render import render, write_whole
from judgebench.reports.render.csv import harmless
from judgebench.rows import Row, each_row
from judgebench.stats.sampling import allocation
from judgebench.store.codec import readable
from judgebench.store.store import Store

Design: TypeAlias = Literal["random", "stratified", "informative"]
GROUPINGS = ("model", "category", "verdict")

LEVELS = 5
"""Strata of an informative sample, by how far judges disagree or are unsure."""

LEAST_DOUBT = 0.02
"""Where judges agree they can all be wrong: what such answers count in an informative sample."""

SIDES = {"left": 1.0, "tie": 0.5, "right": 0.0}


# a draw -------------------------------------------------------------------------------------------


def draw_labels(
    store: Store,
    benchmark: str,
    *,
    n: int = 100,
    sample: Design = "random",
    by: Sequence[str] = ("model", "category"),
    judge: str | None = None,
    models: Collection[str] = (),
    against: str | None = None,
    kind: Kind | None = None,
    raters: int = 2,
    overlap: int | None = None,
    seed: int = 0,
) -> LabelDraw:
    """Draw answers for people, and keep with which probability each was drawn.

    The same draw again is the same, and a larger one with the same seed holds the smaller.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    sample
        ``random``; ``stratified``: as many of each stratum ``by``; ``informative``: more of where
        judges disagree or are unsure (Neyman's allocation by the spread of what they said).
    by, judge
        ``model`` and ``category``, or ``verdict``, which is that of ``judge``.
    models, against
        Whose answers, all if empty; whom they are compared with, where preferences are asked for.
    kind
        ``label``, ``preference`` or ``score``; what most judges give if None.
    raters, overlap
        How many people, and how many answers all of them label; each of the others is one
        person's. All if None.

    Raises
    ------
    UsageError
        For a name that is not there, more answers than there are, fewer than there are strata, and
        where there is nothing to label or nothing that says where judges disagree.
    """
    which = benchmark_ref(store, benchmark)
    there = labelable(store, which.name, which.version)
    if not there.models:
        raise UsageError(f"{which}: the store has no answers to it, so there is nothing to label")
    kind = kind or there.kind
    key_of = {name: key for key, name in there.models.items()}
    named = (*models, *([against] if against else []))
    refuse_unknown("model", named, key_of, error=UsageError, about=f"{which}: ")
    opponent = None
    if kind == "preference":
        opponent = key_of[against] if against else there.opponent
    asked = LabelTask(
        benchmark=which.name, version=which.version, rater=HUMAN, opponent=opponent,
        models=tuple(sorted(key_of[name] for name in models or key_of)),
    )  # fmt: skip
    cells = queue(replace(asked, rater=f"{HUMAN}/{seed}"), there.answered)
    if not cells:
        raise UsageError(f"{which}: no two models have answered one item: nothing can be compared")
    if n > len(cells):
        raise UsageError(
            f"{which}: {counted(n, 'answer')} cannot be drawn, there are {len(cells):,}; "
            f"--n {len(cells)} labels them all"
        )
    if not 0 <= (n if overlap is None else overlap) <= n:
        raise UsageError(f"an overlap of {overlap} answers cannot be had of {n}")
    strata, weights = _strata(store, which, asked, cells, sample, by, judge)
    if n < len(strata):
        raise UsageError(
            f"{which}: {counted(n, 'answer')} cannot be drawn of {len(strata)} strata, of each at "
            "least one; draw more, or --by fewer"
        )
    sizes = [len(its) for its in strata.values()]
    drawn = allocation(sizes, [w * s for w, s in zip(weights, sizes, strict=True)]
                       if sample == "informative" else [1.0] * len(sizes), n)  # fmt: skip
    place = {cell: at for at, cell in enumerate(cells)}
    chosen = [
        (cell, at) for at, (its, k) in enumerate(zip(strata.values(), drawn, strict=True))
        for cell in its[:k]
    ]  # fmt: skip
    chosen.sort(key=lambda one: place[one[0]])
    scale = usual_scale(store, which.name, which.version) if kind == "score" else None
    record: JsonObject = {
        "benchmark": which.name, "version": which.version,
        "opponent": None if opponent is None else opponent.hex()[:12],
        "design": sample, "by": list(by) if sample == "stratified" else [], "judge": judge,
        "kind": kind, "labels": list(which.labels), "seed": seed,
        "scale": None if scale is None else [scale.low, scale.high, list(scale.parts)],
        "raters": raters, "overlap": n if overlap is None else overlap,
        "strata": [
            {"name": name, "model": model, "of": of, "drawn": k}
            for (name, model), of, k in zip(strata, sizes, drawn, strict=True)
        ],
        "cells": [[item, model.hex()[:12], at] for (item, model), at in chosen],
    }  # fmt: skip
    record = {**record, "queue": f"q{keys.content_key('label draw', record).hex()[:11]}"}
    run_id = f"queue-{record['queue']}"
    if store.run(run_id) is None:
        manifest = new_manifest(f"labels to be given on {which}", {SAMPLING: record}, data_sha={},
                                seed=seed)  # fmt: skip
        store.start_run(replace(manifest, id=run_id, state="done", ended=manifest.started))
    return label_draw(store, record)


def _strata(
    store: Store, which: BenchmarkRef, asked: LabelTask, cells: Sequence[Cell], sample: Design,
    by: Sequence[str], judge: str | None,
) -> tuple[dict[tuple[str, str | None], list[Cell]], list[float]]:  # fmt: skip
    """The cells of each stratum, by its name and the one model in it, in their order; weights."""
    found: dict[tuple[str, str | None], list[Cell]] = {}
    if sample == "random":
        return {("all", None): list(cells)}, [1.0]
    if sample == "informative":
        doubt = _doubts(store, asked)
        if not doubt:
            raise UsageError(
                f"{which}: nothing says where judges disagree or are unsure: it takes two judges, "
                "or one that says how sure it is; draw them with --sample random"
            )
        top = max(*doubt.values(), LEAST_DOUBT)
        sums: dict[tuple[str, str | None], float] = {}
        for cell in cells:
            given = doubt.get(cell)
            name: tuple[str, str | None] = ("judged by too few", None)
            if given is not None:
                level = min(LEVELS - 1, math.floor(LEVELS * given / top))
                ends = [top * end / LEVELS for end in (level, level + 1)]
                name = (f"doubt {ends[0]:.2f} to {ends[1]:.2f}", None)
            found.setdefault(name, []).append(cell)
            sums[name] = sums.get(name, 0.0) + (top if given is None else given)
        return found, [math.sqrt(sums[one] / len(its) + LEAST_DOUBT) for one, its in found.items()]
    refuse_unknown("grouping", by, GROUPINGS, error=UsageError)
    said = _said_by(store, asked, judge) if "verdict" in by else {}
    category = {item.id: item.category for item in store.items(which.name, which.version)}
    names = {model.key: model.name for model in store.models()}
    for item, key in cells:
        words = {
            "model": names[key],
            "category": category.get(item) or "no category",
            "verdict": said.get((item, key), "not judged"),
        }
        alone = key.hex()[:12] if "model" in by else None
        found.setdefault((", ".join(words[one] for one in by), alone), []).append((item, key))
    return found, [1.0] * len(found)


def _rows(store: Store, asked: LabelTask) -> list[tuple[Cell, Mapping[str, Any]]]:
    """What judges that are no people said of first answers, or of pairs with the opponent."""
    key_of = {key.hex()[:12]: key for key in asked.models}
    against = None if asked.opponent is None else asked.opponent.hex()[:12]
    table: Mapping[str, Any] = store.verdicts(asked.benchmark, asked.version)
    found: list[tuple[Cell, Mapping[str, Any]]] = []
    for row in range(len(table["kind"])):
        one = {name: values[row] for name, values in table.items()}
        first = one["sample"] == one["turn"] == 0 and one["kind"] != "unreadable"
        its = first and one["opponent_id"] == against and one["model_id"] in key_of
        if its and not is_human(one["judge"]):
            found.append(((one["item_id"], key_of[one["model_id"]]), one))
    return found


def _said_by(store: Store, asked: LabelTask, judge: str | None) -> dict[Cell, str]:
    rows = _rows(store, asked)
    judges = sorted({one["judge"] for _, one in rows})
    if judge is None and len(judges) == 1:
        [judge] = judges
    if judge not in judges:
        said = "whose verdict? --judge NAME" if judge is None else ""
        raise UsageError(said or unknown_name("judge", judge or "", judges))
    return {cell: _words(one) for cell, one in rows if one["judge"] == judge}


def _words(one: Mapping[str, Any]) -> str:
    if one["kind"] == "label":
        return str(one["label"])
    if one["kind"] == "preference":
        return "tie" if one["value"] == 0.5 else "better" if one["value"] > 0.5 else "worse"
    return f"{one['value']:g}"


def _doubts(store: Store, asked: LabelTask) -> dict[Cell, float]:
    """How far judges disagree or are unsure of each answer that at least two judged, or one softly.

    Of labels and preferences the Gini impurity of their mean distribution, of scores their variance
    over the square of half the scale; 0 to 1.
    """
    said: dict[Cell, list[dict[str, float]]] = {}
    soft: set[Cell] = set()
    scores: dict[Cell, list[float]] = {}
    for cell, one in _rows(store, asked):
        if one["kind"] == "score":
            width = one["high"] - one["low"]
            if math.isfinite(width):
                scores.setdefault(cell, []).append((one["value"] - one["low"]) / width)
            continue
        p = one["value"] if one["kind"] == "preference" else one["p"]
        name = "better" if one["kind"] == "preference" else str(one["label"])
        if p is not None and 0.0 < p < 1.0:
            soft.add(cell)
        share = 1.0 if p is None or math.isnan(p) else float(p)
        said.setdefault(cell, []).append({name: share, "": 1.0 - share})
    found = {c: float(4.0 * np.var(its)) for c, its in scores.items() if len(its) > 1}
    for cell, its in said.items():
        if len(its) > 1 or cell in soft:
            names = {name for one in its for name in one}
            means = [sum(one.get(name, 0.0) for one in its) / len(its) for name in names]
            found[cell] = 1.0 - sum(mean * mean for mean in means)
    return found


# the file -----------------------------------------------------------------------------------------


def queue_rows(store: Store, record: JsonObject) -> list[dict[str, Any]]:
    """What people are shown of each answer drawn: texts, and an id that says nothing of a model.

    Controls, characters without width and those that turn a text round are written out.
    """
    asked, found = _task(store, record), []
    for cell in drawn_cells(record, asked.models):
        seen = presented(store, asked, cell, "label")
        item = seen.item
        turns = () if item is None else item.turns
        found.append(
            {
                "id": _token(record, cell),
                "question": [{"role": turn.role, "text": _shown(turn.content)} for turn in turns],
                "references": [_shown(one) for one in (item.references if item else ())],
                "answers": [_shown(answer.text) for answer in seen.answers],
            }
        )
    return found


def _shown(text: str) -> str:
    return readable(written_out(text))


def _token(record: JsonObject, cell: Cell) -> str:
    """It begins with a letter: a spreadsheet takes ``12e456`` for a number, and writes another."""
    item, model = cell
    token = keys.content_key("label cell", [record["queue"], item, model.hex()]).hex()
    return f"a{token[:15]}"


def _task(store: Store, record: JsonObject) -> LabelTask:
    """Of whom nobody is the rater: which answer of a pair is left follows from the draw."""
    key_of = {model.id: model.key for model in store.models()}
    drawn = sorted({model for _, model, _ in record["cells"]})
    opponent = record["opponent"]
    return LabelTask(
        benchmark=record["benchmark"], version=record["version"],
        rater=f"{HUMAN}/{record['queue']}",
        models=tuple(key_of[one] for one in drawn if one in key_of),
        opponent=None if opponent is None else key_of[opponent],
    )  # fmt: skip


def scale_of(record: JsonObject) -> LabelScale | None:
    if record["scale"] is None:
        return None
    low, high, parts = record["scale"]
    return LabelScale(low=low, high=high, parts=tuple(parts))


def label_page(store: Store, record: JsonObject) -> str:
    """One page of HTML that needs no network, keeps labels in the browser, and gives them back."""
    scale = scale_of(record)
    data = {
        "queue": record["queue"], "benchmark": record["benchmark"], "kind": record["kind"],
        "overlap": record["overlap"], "raters": record["raters"],
        "keys": [] if scale else _keys(record),
        "scale": None if scale is None else {"low": scale.low, "high": scale.high,
                                             "asked": list(scale.asked)},
        "rows": queue_rows(store, record),
    }  # fmt: skip
    page = resources.files("judgebench.exchange").joinpath("label_page.html").read_text("utf-8")
    filled = {
        "title": escape(f"Labels for {record['benchmark']}"),
        # Nothing in a text ends the element that holds it.
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        **{f"{one}_is": _digest(page, one) for one in ("script", "style")},
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], page)


def _digest(page: str, element: str) -> str:
    """What a policy calls the page's own script or style, so that no other one works."""
    own = page.rpartition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return f"sha256-{base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()}"


def _keys(record: JsonObject) -> list[tuple[str, str, str]]:
    """Each key, what its button says, and what is written."""
    options = verdict_keys(record["kind"], record["labels"])
    words = [said for said, _ in options.values()]
    written = [*SIDES] if record["kind"] == "preference" else words
    return list(zip(options, words, written, strict=True))


def label_sheet(store: Store, record: JsonObject) -> str:
    """The same as CSV for a spreadsheet, with empty columns ``rater`` and ``value``."""
    scale = scale_of(record)
    said = [*SIDES] if record["kind"] == "preference" else record["labels"]
    how = f"{scale.low} to {scale.high}" if scale else " or ".join(said)
    rows = [
        {
            "queue": record["queue"], "id": row["id"],
            "question": "\n".join(turn["text"] for turn in row["question"]),
            "references": "\n".join(row["references"]),
            **dict(zip(("answer",) if len(row["answers"]) == 1 else ("left", "right"),
                       row["answers"], strict=True)),
            "value is": how, "rater": "", "value": "",
        }
        for row in queue_rows(store, record)
    ]  # fmt: skip
    cells = [{name: harmless(text, lines=True) for name, text in row.items()} for row in rows]
    return render(Document(tables=(), records=cells, data=None, exchanged=True), "csv")


# and back -----------------------------------------------------------------------------------------


def read_returned(path: Path, rater: str | None = None) -> list[Row] | None:
    """The rows of a file of labels that a draw's file gave back; None for any other file.

    Its first row tells which: others may be of any size, and are read once, as what they are.

    Raises
    ------
    InputError
        As `each_row`, and for a row that names no rater where nobody else does.
    """
    rows = each_row(path, ())
    first = next(rows, None)
    if first is None or "queue" not in first.values:
        return None
    found = []
    for row in chain([first], rows):
        if not row.has("value"):
            continue  # of a spreadsheet, not labelled yet
        if not row.has("rater"):
            if rater is None:
                raise row.wrong("rater", "is missing; --rater NAME says whose labels these are")
            row = Row(row.where, {**row.values, "rater": rater})
        found.append(row)
    return found


def resolved(store: Store, rows: Sequence[Row]) -> list[VerdictRow]:
    """What the rows of a returned file are about, as the store that drew them knows it.

    Raises
    ------
    InputError
        For a draw of another store, an id that is not in it, and a value that is none of its
        labels or outside its scale; names line and field.
    """
    held = (run.configuration.get(SAMPLING) for run in store.runs())
    records: dict[str, JsonObject] = {one["queue"]: one for one in held if isinstance(one, dict)}
    names = {model.key: model.name for model in store.models()}
    known: dict[str, tuple[JsonObject, LabelTask, Mapping[str, Cell]]] = {}
    found = []
    for row in rows:
        queue_id = row.text("queue")
        if queue_id not in records:
            raise row.wrong(
                "queue",
                f"{queue_id!r} was not drawn from {store.name}; import the file into the store "
                "that `judgebench labels export` read",
            )
        if queue_id not in known:
            record = records[queue_id]
            asked = _task(store, record)
            drawn = drawn_cells(record, asked.models)
            known[queue_id] = record, asked, {_token(record, cell): cell for cell in drawn}
        record, asked, cells = known[queue_id]
        token = row.text("id")
        if token not in cells:
            raise row.wrong("id", f"{token!r} is no answer of queue {queue_id}; was it edited?")
        try:
            rater = rater_name(row.text("rater"))
        except InputError as error:
            raise row.wrong("rater", str(error)) from None
        place = place_of(asked, cells[token])
        key, other = place.model_key, place.opponent_key
        told = Row(
            row.where,
            {"model": names[key], "model_id": key.hex()[:12], "judge": rater}
            | (
                {} if other is None else {"opponent": names[other], "opponent_id": other.hex()[:12]}
            ),
        )
        where = VerdictAt(
            benchmark=place.benchmark, version=place.version, item_id=place.item_id,
            model=names[key], judge=rater, opponent=None if other is None else names[other],
            order=place.order,
        )  # fmt: skip
        verdict = _verdict(row, record)
        found.append(VerdictRow(row=told, where=where, verdict=verdict))
    return found


def _verdict(row: Row, record: JsonObject) -> Verdict:
    if (scale := scale_of(record)) is not None:
        given: Any = row.values.get("parts") or {}
        if not isinstance(given, dict):
            raise row.wrong("parts", f"an object of numbers, not {given!r:.40}")
        parts = Row(row.where, given)
        read = {name: _point(parts, name, scale) for name in scale.parts if parts.has(name)}
        value = _point(row, "value", scale)
        return Score(value=value, low=scale.low, high=scale.high, parts=read)
    said = row.text("value").strip()
    if record["kind"] == "preference":
        if said not in SIDES:
            raise row.wrong("value", unknown_name("answer", said, SIDES))
        return Preference.from_probability(SIDES[said])
    declared = dict(verdict_keys("label", record["labels"]).values())
    if said not in declared:
        raise row.wrong("value", unknown_name("label", said, record["labels"]))
    return declared[said]


def _point(row: Row, field: str, scale: LabelScale) -> float:
    point = row.number(field)
    if not (scale.low <= point <= scale.high and point.is_integer()):
        raise row.wrong(field, f"{point:g} is outside the scale, {scale.low} to {scale.high}")
    return point


# from and to an address ---------------------------------------------------------------------------


def export_labels(
    benchmark: str, output: Path, *, store: Results = None, form: str | None = None, **asked: Any
) -> LabelDraw:
    """Draw answers and write the file for raters; ``asked`` is as of `draw_labels`.

    Parameters
    ----------
    form
        ``html`` or ``csv``; as the suffix says if None.

    Raises
    ------
    UsageError
        As `draw_labels`, for a suffix that says neither, and a place that cannot be written.
    """
    form = form or output.suffix.lower().lstrip(".")
    if form not in ("html", "csv"):
        raise UsageError(f"{output}: a file for raters is .html or .csv; --format says which")
    with writing(store, create=False) as its:
        found = draw_labels(its, benchmark, **asked)
        written = (label_page if form == "html" else label_sheet)(its, found.record)
    write_whole(output, written)
    return found


def import_labels(
    paths: Sequence[Path],
    *,
    rater: str | None = None,
    store: Results = None,
    progress: Progress | None = None,
) -> dict[str, ImportReport]:
    """Take in files that raters gave back, or of `judgebench.import_labels`; what came of each.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used; then nothing of any file is stored.
    """
    returned = {path: read_returned(path, rater) for path in paths}
    drawn = {path: rows for path, rows in returned.items() if rows is not None}
    taking = {path: read_labels([path])[0].take_in for path in paths if path not in drawn}
    found = {}
    with writing(store, create=not drawn) as its, shown(progress) as told:
        for path, rows in drawn.items():
            taking[path] = partial(
                take_in, path=path, what="labels", rows=resolved(its, rows),
                may_change=True, allow_unknown_items=True,
            )  # fmt: skip
        for path in returned:
            report = found[str(path)] = taking[path](its, progress=told)
            for warning in report.warnings:
                told.say(f"warning: {path}: {warning}")
            told.say(f"{path}: {report.summary('labels')}")
            if not report.rows:
                told.say(f"warning: {path}: no row has a label: raters fill in the column 'value'")
    return found


def judged_by_people(
    benchmark: str, judge: str, *, level: float = 0.95, store: Results = None, **asked: Any
) -> LabelReport:
    """`judgebench.reports.labels.label_report` of a store."""
    with reading(store) as its:
        return label_report(its, benchmark, judge, intervals=Intervals(level=level), **asked)
