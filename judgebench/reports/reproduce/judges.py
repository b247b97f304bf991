"""Benchmarks of judges: JudgeBench, RewardBench and XSTest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.columns import grouped
from judgebench.metrics.intervals import Intervals
from judgebench.records import REFUSAL_CLASSES, Estimate
from judgebench.reports.reproduce import (
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    on_scale,
    once,
    read_json,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.agreement import (
    cohen_kappa_of,
    pair_figures,
    percent_agreement,
    section_scores,
)
from judgebench.stats.resample import wilson_interval

# JudgeBench ---------------------------------------------------------------------------------------

TWO_DECIMALS = 5e-3 + 1e-9
ACCURACY, OVERALL = "accuracy/paper", "overall"
VOTES: Mapping[str, float] = {"A>B": 1.0, "B>A": -1.0, "A=B": 0.0}
LEVEL = 0.95
"""Of the intervals in the figures."""

NAMES: Mapping[str, str] = {
    "n": "n",
    "upstream_correct": "n_right",
    "upstream_wrong": "n_wrong",
    "upstream_tie": "n_undecided",
    "upstream_accuracy_percent": "accuracy",
    "single_game_accuracy_percent": "first_order_accuracy",
    "both_orders_correct": "n_right_twice",
    "mean_over_orders_accuracy_percent": "mean_order_accuracy",
    "null_verdicts": "n_unreadable",
    "tie_verdicts": "n_ties",
    "swap_consistent": "n_same",
    "swap_contradiction": "n_contradictory",
    "first_position_wins": "n_first",
    "second_position_wins": "n_second",
    "first_position_share_of_decisive": "first_shown",
    "order_kappa": "order_kappa",
    "longer_preferred_share_of_decisive": "longer",
    "accuracy_when_correct_is_longer": "accuracy_longer",
    "accuracy_when_correct_is_shorter": "accuracy_shorter",
    "n_correct_is_longer": "n_longer",
    "n_correct_is_shorter": "n_shorter",
}
"""What the figures call otherwise than `pair_figures`; those in per cent say so."""


def judgebench_pairs(folder: Path, intervals: Intervals) -> Reproduction:
    """Every figure of every judge of JudgeBench, overall and by category."""
    expected = read_json(folder / "expected.json", "source", "judges")
    columns = ("judge", "category", "label", "decision_1", "decision_2", "len_A", "len_B")
    rows = read_rows(folder / "decisions.csv", columns)
    of_judge = grouped((row.text("judge"), row) for row in rows)
    figures = [
        figure
        for judge, theirs in expected["judges"].items()
        for scope, values in {OVERALL: theirs[OVERALL], **theirs["by_category"]}.items()
        for figure in _of_pairs(
            judge,
            scope,
            [row for row in of_judge.get(judge, []) if scope in (OVERALL, row.text("category"))],
            {**values, ACCURACY: theirs["published_percent"][scope]},
            intervals.level,
        )
    ]
    source = expected["source"]
    return Reproduction(
        table="judgebench_pairs",
        title=f"JudgeBench, {len(of_judge)} judges, {len(rows)} pairs of answers of "
        "gpt-4o-2024-05-13 judged in two orders",
        source=f"{source['repository']} at {source['commit']}",
        licence="none stated: decisions as numbers, not in the package",
        theirs="compared with the paper, and with what was computed elsewhere",
        who="judge",
        figures=figures,
        shown=[
            FigureTable(title=f"right in two orders, %, {scope}", metric=ACCURACY, scope=scope,
                        theirs="paper", digits=2)
            for scope in dict.fromkeys(figure.scope for figure in figures)
        ],
        notes=[
            "a pair is right where one verdict more is for the right answer than for the other",
            "a reward model's exact tie is B>A in both orders upstream, which contradicts itself",
        ],
    )  # fmt: skip


def _of_pairs(
    judge: str, scope: str, rows: Sequence[Row], theirs: Mapping[str, Any], level: float
) -> Iterator[Recomputation]:
    def vote(row: Row, field: str) -> float:
        return VOTES[row.one_of(field, "decision", VOTES)] if row.has(field) else np.nan

    votes = np.array([[vote(r, "decision_1"), -vote(r, "decision_2")] for r in rows])
    truth = [VOTES[row.one_of("label", "label", VOTES)] for row in rows]
    longer = np.sign([row.number("len_A") - row.number("len_B") for row in rows])
    found = pair_figures(votes.reshape(-1, 2), truth, longer)
    factor = {name: 100.0 if name.endswith("_percent") else 1.0 for name in NAMES}
    ours = {name: factor[name] * found[NAMES[name]] for name in NAMES}
    ends = [float(end) for end in wilson_interval(found["n_right"], found["n"], level=level)]
    names = ("wilson/low", "wilson/high") if level == LEVEL else ()
    said = {**theirs, **dict(zip(names, theirs["wilson95"], strict=False))}
    yield from each(
        judge, ours | dict(zip(names, ends, strict=False)), said, n=len(rows), scope=scope
    )
    accuracy = Estimate(
        value=100 * found["accuracy"], low=100 * ends[0], high=100 * ends[1], n=len(rows),
        units=len(rows), level=level, method="wilson",
    )  # fmt: skip
    yield from each(
        judge, {ACCURACY: accuracy}, {ACCURACY: theirs[ACCURACY]}, scope=scope,
        tolerance=TWO_DECIMALS,
    )  # fmt: skip


# RewardBench --------------------------------------------------------------------------------------

TENTHS = 0.1 + 1e-9
"""A mean of six that are printed to a tenth, beside one that is."""

AVERAGE, WITH_PRIOR, PRIOR = "average", "average/with prior sets", "Prior Sets"
SUBSETS = ("factuality", "precise_if", "math", "safety", "focus", "ties")
HIGHEST = 101.0  # the score of ties may exceed 1
FIRST, SECOND = "RewardBench 1", "RewardBench 2"


def rewardbench(folder: Path, intervals: Intervals) -> Reproduction:
    """Sections of version 1 out of its subsets, and averages of version 2 out of its six."""
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
            *_of_sections(expected, expected["example"]),
            *(figure for (model,), row in rows.items() for figure in _of_subsets(model, row)),
        ],
        shown=[
            FigureTable(title="average of the sections, 2,985 pairs", metric=AVERAGE, scope=FIRST),
            FigureTable(title="mean of six subsets, %", metric=AVERAGE, scope=SECOND, digits=1),
        ],
        notes=[
            "a section weights its subsets by their prompts, but math-prm, 447 prompts, by 984",
            "averages of RewardBench 2 agree to what rounding to a tenth leaves open",
        ],
    )


def _of_sections(
    expected: Mapping[str, Any], example: Mapping[str, Any]
) -> Iterator[Recomputation]:
    subsets, prior = example["subset_accuracy"], example["example_with_prior"]
    scores = section_scores(subsets, expected["subset_mapping"], expected["example_counts"])
    five = {**scores, PRIOR: float(np.mean(prior["prior_accuracy"]))}
    weights = [expected["section_weights"][name] for name in five]
    averages = {
        AVERAGE: np.mean([*scores.values()]),
        WITH_PRIOR: np.average([*five.values()], weights=weights),
    }
    theirs = {
        **example["expected_sections"],
        AVERAGE: example["expected_average_without_prior_sets"],
        WITH_PRIOR: prior["expected_average"],
    }
    yield from each(example["model"], {**scores, **averages}, theirs, n=len(subsets), scope=FIRST)


def _of_subsets(model: str, row: Row) -> Iterator[Recomputation]:
    mean = {AVERAGE: np.mean([on_scale(row, name, high=HIGHEST) for name in SUBSETS])}
    theirs = {AVERAGE: on_scale(row, "average_published", high=HIGHEST)}
    yield from each(model, mean, theirs, n=len(SUBSETS), scope=SECOND, tolerance=TENTHS)


# XSTest -------------------------------------------------------------------------------------------

CLASSES = (*REFUSAL_CLASSES, "unreadable")
CODES: Mapping[str, int] = {name: code for code, name in enumerate(CLASSES)}
FULL, PARTIAL, UNREADABLE = 1, 2, 3
PEOPLE = "final_label"
COMPARED: Mapping[str, tuple[str, str, str]] = {
    "gpt4_label_vs_human": ("gpt4_label", PEOPLE, "GPT-4 with people"),
    "strmatch_label_vs_human": ("strmatch_label", PEOPLE, "prefix match with people"),
    "annotators": ("annotation_1", "annotation_2", "two people"),
}
READ = "cohen_kappa/read"


def xstest(folder: Path, intervals: Intervals) -> Reproduction:
    """Counts, refusal rates, and how far two judges and two people agree with people."""
    expected = read_json(folder / "expected.json", "models")
    fields = ("final_label", "gpt4_label", "strmatch_label", "annotation_1", "annotation_2")
    rows = read_rows(folder / "labels.csv", ("model", "label", *fields))
    of_model = grouped((row.text("model"), row) for row in rows)
    return Reproduction(
        table="xstest",
        title=f"XSTest, {len(rows)} answers of {len(of_model)} models, by people and two judges",
        source="paul-rottger/exaggerated-safety at d7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d",
        licence="prompts CC BY 4.0: labels as numbers, not in the package",
        theirs="compared with what was computed elsewhere from the published labels",
        who="model",
        figures=[
            figure
            for model, theirs in expected["models"].items()
            for figure in _of_labels(model, of_model.get(model, []), theirs)
        ],
        shown=[
            *(
                FigureTable(title=f"share of {side} prompts that are refused, {how}",
                            metric=f"refusal/{how}", scope=side)
                for side in ("safe", "unsafe")
                for how in ("full", "partial")
            ),
            *(
                FigureTable(title=f"kappa of {said}", metric="cohen_kappa", scope=scope,
                            theirs="elsewhere")
                for scope, (_, _, said) in COMPARED.items()
            ),
        ],
        notes=[
            "a reply that names no class is a class of its own in these kappas; boards of "
            f"agreement leave it out, as {READ} does, which has nothing to be compared with",
        ],
    )  # fmt: skip


def _of_labels(
    model: str, rows: Sequence[Row], theirs: Mapping[str, Any]
) -> Iterator[Recomputation]:
    for side, rates in theirs["refusal_rate"].items():
        own = [row for row in rows if row.text("label") == side]
        ours: dict[str, float] = {}
        said = {f"refusal/{how}": share for how, share in rates.items()}
        for field in ("gpt4_label", "strmatch_label", PEOPLE):
            codes = [CODES[row.one_of(field, "class", CODES)] for row in own]
            counts = np.bincount(codes, minlength=len(CLASSES))
            ours |= {f"{field}/{name}": n for name, n in zip(CLASSES, counts, strict=True)}
            said |= {f"{field}/{name}": n for name, n in theirs[field][side].items()}
        full, partial = counts[[FULL, PARTIAL]] / max(1, len(own))  # of people, who come last
        shares = {"full": full, "partial": partial, "any": full + partial, "n": len(own)}
        ours |= {f"refusal/{how}": share for how, share in shares.items()}
        yield from each(model, ours, said, n=len(own), scope=side)
    for scope, (first, second, _) in COMPARED.items():
        table = np.zeros((len(CLASSES),) * 2)
        for row in rows:
            table[tuple(CODES[row.one_of(of, "class", CODES)] for of in (first, second))] += 1
        found = {
            "n": table.sum(), "agreement": percent_agreement(table),
            "cohen_kappa": cohen_kappa_of(table), "unreadable": table[UNREADABLE].sum(),
        }  # fmt: skip
        yield from each(model, found, theirs[scope], n=len(rows), scope=scope)
        read = {READ: cohen_kappa_of(table[:UNREADABLE, :UNREADABLE])}
        yield from each(model, read, {READ: None}, n=len(rows), scope=scope, tolerance=0.0)
