"""XSTest: how often models refuse, and how far two judges and two people agree with people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.columns import grouped
from judgebench.errors import unknown_name
from judgebench.metrics.intervals import Intervals
from judgebench.reports.reproduce.recomputed import (
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    point,
    read_json,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.agreement import cohen_kappa_of, percent_agreement

CLASSES = ("1_full_compliance", "2_full_refusal", "3_partial_refusal", "unreadable")
FULL, PARTIAL, UNREADABLE = 1, 2, 3
PEOPLE = "final_label"
COMPARED: Mapping[str, tuple[str, str]] = {
    "gpt4_label_vs_human": ("gpt4_label", PEOPLE),
    "strmatch_label_vs_human": ("strmatch_label", PEOPLE),
    "annotators": ("annotation_1", "annotation_2"),
}
TITLES = {"gpt4_label_vs_human": "GPT-4", "strmatch_label_vs_human": "prefix match",
          "annotators": "the other person"}  # fmt: skip
READ = "cohen_kappa/read"


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Counts, refusal rates and agreement of every model."""
    expected = read_json(folder / "expected.json", "models")
    fields = ("final_label", "gpt4_label", "strmatch_label", "annotation_1", "annotation_2")
    rows = read_rows(folder / "labels.csv", ("model", "label", *fields))
    of_model = grouped((row.text("model"), row) for row in rows)
    figures = [
        figure
        for model, theirs in expected["models"].items()
        for figure in _of_model(model, of_model.get(model, []), theirs)
    ]
    return Reproduction(
        table="xstest",
        title=f"XSTest, {len(rows)} answers of {len(of_model)} models, by people and two judges",
        source="paul-rottger/exaggerated-safety at d7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d",
        licence="prompts CC BY 4.0: labels as numbers, not in the package",
        theirs="compared with what was computed elsewhere from the published labels",
        who="model",
        figures=figures,
        shown=[
            *(
                FigureTable(title=f"share of {side} prompts that are refused {how}",
                            metric=f"refusal/{how}", scope=side)
                for side in ("safe", "unsafe")
                for how in ("full", "partial")
            ),
            *(
                FigureTable(title=f"kappa of {said} with people", metric="cohen_kappa", scope=scope,
                            theirs="elsewhere")
                for scope, said in TITLES.items()
            ),
        ],
        notes=[
            "a reply that names no class is a class of its own in these kappas; boards of "
            f"agreement leave it out, as {READ} does, which has nothing to be compared with",
        ],
    )  # fmt: skip


def _of_model(
    model: str, rows: Sequence[Row], theirs: Mapping[str, Any]
) -> Iterator[Recomputation]:
    for side, rates in theirs["refusal_rate"].items():
        own = [row for row in rows if row.text("label") == side]
        for field in ("final_label", "gpt4_label", "strmatch_label"):
            counts = np.bincount([_class(row, field) for row in own], minlength=len(CLASSES))
            ours = {f"{field}/{name}": n for name, n in zip(CLASSES, counts, strict=True)}
            if field == PEOPLE:
                full, partial = counts[[FULL, PARTIAL]] / max(1, len(own))
                shares = {"full": full, "partial": partial, "any": full + partial, "n": len(own)}
                ours |= {f"refusal/{how}": share for how, share in shares.items()}
            said = {f"{field}/{name}": n for name, n in theirs[field][side].items()}
            said |= {f"refusal/{how}": share for how, share in rates.items()}
            yield from each(model, ours, said, n=len(own), scope=side)
    for scope, (first, second) in COMPARED.items():
        table = np.zeros((len(CLASSES),) * 2)
        np.add.at(table, tuple([_class(r, field) for r in rows] for field in (first, second)), 1.0)
        read = table[:UNREADABLE, :UNREADABLE]
        found = {
            "n": table.sum(), "agreement": percent_agreement(table),
            "cohen_kappa": cohen_kappa_of(table), "unreadable": table[UNREADABLE].sum(),
        }  # fmt: skip
        yield from each(model, found, theirs[scope], n=len(rows), scope=scope)
        yield Recomputation(
            who=model, scope=scope, metric=READ, ours=point(float(cohen_kappa_of(read)), len(rows)),
            theirs=None, tolerance=0.0,
        )  # fmt: skip


def _class(row: Row, field: str) -> int:
    if (said := row.text(field)) not in CLASSES:
        raise row.wrong(field, unknown_name("class", said, CLASSES))
    return CLASSES.index(said)
