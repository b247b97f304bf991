"""RewardBench 1's sections out of its subsets, and RewardBench 2's averages out of its six."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.metrics.intervals import Intervals
from judgebench.reports.reproduce.recomputed import (
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    on_scale,
    once,
    read_json,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.judge_accuracy import section_scores

ROUNDED = 0.1 + 1e-9
"""A mean of six that are printed to a tenth, beside one that is."""

AVERAGE, WITH_PRIOR = "average", "average/with prior sets"
PRIOR = "Prior Sets"
SUBSETS = ("factuality", "precise_if", "math", "safety", "focus", "ties")
HIGHEST = 101.0  # the score of ties may exceed 1
FIRST, SECOND = "RewardBench 1", "RewardBench 2"


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """The worked example of the first version, and the table of the second."""
    expected = read_json(
        folder / "expected.json",
        *("source", "example_counts", "subset_mapping", "section_weights", "example"),
    )
    columns = ("model", "average_published", *SUBSETS)
    rows = once(read_rows(folder / "table3.csv", columns), "model")
    source = expected["source"]
    return Reproduction(
        table="rewardbench",
        title=f"RewardBench: sections of one reward model, averages of {len(rows)} judges",
        source=f"{source['repository']} at {source['commit']}; table 3 of arXiv 2506.01937, every "
        "second row",
        licence="Apache-2.0: figures as numbers, not in the package",
        theirs="compared with what upstream's code prints, and with the paper",
        who="judge",
        figures=[
            *_first(expected),
            *(figure for (model,), row in rows.items() for figure in _second(model, row)),
        ],
        shown=[
            FigureTable(title="average of the sections, 2,985 pairs", metric=AVERAGE, scope=FIRST),
            FigureTable(title="mean of six subsets, %", metric=AVERAGE, scope=SECOND, digits=1),
        ],
        notes=[
            "a section weights its subsets by their prompts, but math-prm, 447 prompts, by 984",
            "averages of RewardBench 2 agree to what rounding to a tenth leaves open",
        ],
    )  # fmt: skip


def _first(expected: Mapping[str, Any]) -> Iterator[Recomputation]:
    example, weights = expected["example"], expected["section_weights"]
    subsets, prior = example["subset_accuracy"], example["example_with_prior"]
    scores = section_scores(subsets, expected["subset_mapping"], expected["example_counts"])
    all_five = {**scores, PRIOR: float(np.mean(prior["prior_accuracy"]))}
    averages = {
        AVERAGE: np.mean([*scores.values()]),
        WITH_PRIOR: np.average([*all_five.values()], weights=[weights[one] for one in all_five]),
    }
    theirs = {
        **example["expected_sections"],
        AVERAGE: example["expected_average_without_prior_sets"],
        WITH_PRIOR: prior["expected_average"],
    }
    yield from each(example["model"], {**scores, **averages}, theirs, n=len(subsets), scope=FIRST)


def _second(model: str, row: Row) -> Iterator[Recomputation]:
    subsets = [on_scale(row, name, high=HIGHEST) for name in SUBSETS]
    theirs = {AVERAGE: on_scale(row, "average_published", high=HIGHEST)}
    mean = {AVERAGE: np.mean(subsets)}
    yield from each(model, mean, theirs, n=len(subsets), scope=SECOND, tolerance=ROUNDED)
