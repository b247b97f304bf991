"""The verdicts of "Judging the Judges" against people: kappa, pi and leniency of eleven judges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from judgebench.metrics.agreement import AgreementRow, LabelAgreement
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judged_values import read_labels
from judgebench.records import BINARY, HUMAN, Estimate
from judgebench.reports.reproduce import (
    FigureTable,
    Recomputation,
    Reproduction,
    read_json,
)
from judgebench.rows import read_rows

NAMES = {"percent_agreement": "agreement", "delta": "score_delta", "kendall_tau_b": "kendall"}
"""What the figures call otherwise than judgebench does."""

EXACT = 1e-9
WHOLE = 0.5
ENDS = 0.01

PAPER = "cohen_kappa/paper"
DAMAGED = ("GPT-4", "llama2-13b-chat")
LEVEL = 0.95
"""Of the intervals in the figures."""


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every coefficient of every judge against the human labels."""
    expected = read_json(
        folder / "expected.json", "source", "judges", "exam_takers", "judges_vs_human"
    )
    columns = _columns(folder / "verdicts.csv", [*expected["judges"], HUMAN])
    found = {
        (row.judge, row.model or row.scope): row
        for row in LabelAgreement(read_labels(columns), intervals).against(HUMAN).rows
    }
    same_level = intervals.level == LEVEL
    figures = [
        figure
        for judge, theirs in expected["judges_vs_human"].items()
        for figure in _figures(judge, theirs, found, ends=same_level)
    ]
    paper = read_json(folder / "paper.json", "source", "cohen_kappa_percent")
    figures += [
        _printed(judge, percent, found) for judge, percent in paper["cohen_kappa_percent"].items()
    ]
    source = expected["source"]
    return Reproduction(
        table="trivia_judging",
        title=f"verdicts of {len(expected['judges'])} judges on {len(expected['exam_takers'])} "
        "exam takers (arXiv 2406.12624), against people",
        source=f"{source['repository']} at {source['commit']}, {source['path']}",
        licence="MIT by its pyproject.toml; figures as numbers, not in the package",
        theirs="compared with other implementations on the same verdicts, and with the paper",
        who="judge",
        figures=figures,
        shown=[
            FigureTable(
                title="kappa as the paper prints it, %, mean over exam takers",
                metric=PAPER,
                scope="macro",
                theirs="paper",
                digits=2,
            ),
            *(
                FigureTable(title=title, metric=metric, scope=scope, theirs="elsewhere")
                for title, metric, scope in (
                    ("kappa, pooled", "cohen_kappa", "pooled"),
                    ("kappa, mean over exam takers", "cohen_kappa", "macro"),
                    ("pi, pooled", "scott_pi", "pooled"),
                    ("leniency: how often a judge knows (p_c), pooled", "p_c", "pooled"),
                    (
                        "leniency: how often it says correct else (p_plus), pooled",
                        "p_plus",
                        "pooled",
                    ),
                )
            ),
        ],
        notes=[
            "GPT-4 on llama2-13b-chat: the published verdicts are damaged (kappa "
            f"{found[DAMAGED].metrics['cohen_kappa'].value:.2f} there)",
            f"paper: {paper['source']}, in whole per cent",
            "ends of intervals come from another draw: they agree within "
            f"{ENDS}, those of rank correlations within one step"
            if same_level
            else f"intervals elsewhere are at {LEVEL}: their ends are not compared",
        ],
    )


def _columns(path: Path, judges: Sequence[str]) -> dict[str, list[Any]]:
    """The verdicts in the long form that boards are made of."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("item_id", "model", "judge", "sample", "kind", "label")
    }
    for row in read_rows(path, ("exam_taker", "question_id", *judges)):
        for judge in judges:
            if not row.has(judge):
                continue
            said = row.text(judge)
            if said not in {"0", "1"}:
                raise row.wrong(judge, f"0, 1 or nothing, not {said!r}")
            values = (row.text("question_id"), row.text("exam_taker"), judge)
            for name, value in zip(columns, (*values, 0, "label", BINARY[int(said)]), strict=True):
                columns[name].append(value)
    return columns


def _figures(
    judge: str,
    theirs: Mapping[str, Any],
    found: Mapping[tuple[str, str], AgreementRow],
    *,
    ends: bool,
) -> Iterator[Recomputation]:
    scopes = {
        "pooled": {**theirs["pooled"], **theirs["ranking"]},
        "macro": theirs["macro"],
        **theirs["by_exam_taker"],
    }
    # Rank correlations of models have no interval here: draws of items do not hold them.
    intervals = {"pooled": theirs["pooled_ci95"], "macro": theirs["macro_ci95"]}
    for scope, values in scopes.items():
        row = found[judge, scope]
        for name, value in values.items():
            metric = NAMES.get(name, name)
            if name == "n":
                continue
            ours = row.metrics[metric]
            yield Recomputation(
                who=judge,
                scope=scope,
                metric=metric,
                ours=ours,
                theirs=math.nan if value is None else float(value),
                tolerance=EXACT,
                because=ours.undefined or "",
            )
            both = intervals.get(scope, {}).get(name, ()) if ends else ()
            if len(set(both)) < 2:  # a point: all draws are equal, and no interval is made of them
                continue
            for end, theirs_end in zip(("low", "high"), both, strict=False):
                yield Recomputation(
                    who=judge,
                    scope=scope,
                    metric=f"{metric}/{end}",
                    ours=Estimate(
                        value=getattr(ours, end),
                        n=ours.n,
                        units=ours.units,
                        missing=ours.missing,
                        level=ours.level,
                        method=ours.method,
                    ),
                    theirs=float(theirs_end),
                    tolerance=ENDS + EXACT,
                )


def _printed(
    judge: str, percent: float, found: Mapping[tuple[str, str], AgreementRow]
) -> Recomputation:
    """The paper's number; where verdicts are damaged, ours without them says what they do."""
    kappa = found[judge, "macro"].metrics["cohen_kappa"]
    ours = replace(
        kappa, value=100 * kappa.value, low=100 * kappa.low, high=100 * kappa.high,
        worst_low=None, worst_high=None,
    )  # fmt: skip
    because = ""
    if judge == DAMAGED[0]:
        sound = [
            row.metrics["cohen_kappa"].value
            for (who, _), row in found.items()
            if who == judge and row.model not in (None, DAMAGED[1])
        ]
        because = f"damaged verdicts on {DAMAGED[1]}; {100 * fmean(sound):.2f} without them"
    elif abs(ours.value - percent) > WHOLE:
        because = "not what the published verdicts give"
    return Recomputation(
        who=judge, scope="macro", metric=PAPER, ours=ours, theirs=float(percent), tolerance=WHOLE,
        because=because,
    )  # fmt: skip
