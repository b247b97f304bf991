"""MixEval-Hard 2024-06-01: every rendered prompt, parser case, count and published correlation."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.benchmarks.mixeval_prompts import (
    STEP_BY_STEP,
    Instructions,
    Split,
    base_prompt,
    free_form_prompt,
    multiple_choice_prompt,
)
from judgebench.judges._bracketed import read_graded_score, read_option
from judgebench.judges._free_form_rule import parts, states
from judgebench.judges._mixeval_holes import free_form_holes, multiple_choice_holes
from judgebench.judges._option_letter import NO_OPTION, chosen_option
from judgebench.keys import text_sha
from judgebench.option_letters import letters
from judgebench.records import Label, Reply, Score, Unreadable
from judgebench.stats.board_correlation import board_correlation
from judgebench.stats.repeated_items import (
    OVERALL,
    RowMean,
    at_ends,
    cell_means,
    combined,
    contributions,
    effective_n,
    overall_mean,
    repeats,
    split_means,
)
from judgebench.template import PromptText, fill

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "mixeval"
FILES: dict[Split, str] = {
    "free-form": "hard_freeform_2024-06-01.parquet",
    "multiple-choice": "hard_multichoice_2024-06-01.parquet",
}
SPLITS = list(FILES)
EVALUATION = "mix_eval/prompts/evaluation_prompts.py#"
JUDGING = "mix_eval/prompts/judge_prompts.py#"
N_OPTIONS = 4  # of the parser cases

pytestmark = pytest.mark.skipif(
    not (GOLD / "expected.json").exists(),
    reason="the gold data (../shared/gold/mixeval beside the repository) is not here",
)


def gold(name: str) -> Any:
    return json.loads((GOLD / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def expected() -> Any:
    return gold("expected.json")


@pytest.fixture(scope="module")
def official() -> Any:
    return gold("official_prompts.json")["prompts"]


@pytest.fixture(scope="module")
def instructions(official: Any) -> Instructions:
    return Instructions(
        multiple_choice=official[f"{EVALUATION}MULTI_CHOICE_PROMPT"],
        free_form=official[f"{EVALUATION}FREE_FORM_PROMPT"],
        by_dataset={
            dataset: official[f"{EVALUATION}FREE_FORM_PROMPT_{dataset}"] for dataset in STEP_BY_STEP
        },
    )


@pytest.fixture(scope="module")
def rows() -> dict[Split, list[dict[str, Any]]]:
    from pyarrow import parquet

    return {split: parquet.read_table(GOLD / file).to_pylist() for split, file in FILES.items()}


def prompt(row: dict[str, Any], split: Split, instructions: Instructions) -> str:
    question, context = row["prompt"], row["context"]
    if split == "multiple-choice":
        return multiple_choice_prompt(
            question, row["options"], context=context, instructions=instructions
        )
    dataset = row["benchmark_name"]
    return free_form_prompt(question, context=context, dataset=dataset, instructions=instructions)


def content(row: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in row.items() if k not in ("id", "rendered_sha256")})


# Prompts -----------------------------------------------------------------------------------------


def test_the_official_texts_are_the_pinned_ones() -> None:
    texts = gold("official_prompts.json")
    for name, text in texts["prompts"].items():
        written = text if isinstance(text, str) else json.dumps(text)
        assert hashlib.sha256(written.encode()).hexdigest() == texts["sha256"][name], name


@pytest.mark.parametrize("split", SPLITS)
def test_every_prompt(split: Split, rows: Any, instructions: Instructions, expected: Any) -> None:
    hashes = [text_sha(prompt(row, split, instructions)) for row in rows[split]]
    assert hashes == [row["rendered_sha256"] for row in rows[split]]
    assert len(hashes) == 500
    assert text_sha("\n".join(hashes)) == expected["set"][split]["rendered_sha256_of_all"]


@pytest.mark.parametrize(
    ("split", "name"),
    [("free-form", "FREEFORM"), ("multiple-choice", "MULTIPLECHOICE")],
)
def test_a_base_model_sees_five_examples_in_the_same_layout(
    split: Split, name: str, rows: Any, official: Any, instructions: Instructions
) -> None:
    examples = official[f"{EVALUATION}FIVE_SHOT_PREFIX_{name}"]
    endings = {instructions.multiple_choice, instructions.free_form}
    endings |= set(instructions.by_dataset.values())
    assert sum(examples.count(f"\n{one}\n") for one in endings) == 5
    asked = prompt(rows[split][0], split, instructions)
    assert base_prompt(asked, examples=examples) == f"{examples}{asked}\n"


def test_the_judges_prompts_have_no_other_holes(official: Any) -> None:
    filled = {
        "gpt_judge_for_closeended_freeform": free_form_holes("Which?", ["Danube"], "the Danube"),
        "gpt_judge_for_closeended_multiplechoice": multiple_choice_holes("Wet?", ["yes"], "A"),
    }
    for name, values in filled.items():
        system, user = official[f"{JUDGING}{name}"]
        assert PromptText(name=name, text=system["content"]).holes == frozenset()
        text = PromptText(name=name, text=user["content"])
        assert text.holes == values.keys()
        assert fill(text, values).endswith(
            f"Model's Answer: {values['response']}\nYour Judgment: \n"
        )


# Parsers -----------------------------------------------------------------------------------------


def test_every_case_of_the_multiple_choice_rule() -> None:
    cases = gold("parser_cases.json")["multichoice"]
    for case in cases:
        found = chosen_option(case["response"], case["options"], rule="upstream")
        wanted = NO_OPTION if case["choice"] is None else Label(name=case["choice"])
        assert found == wanted, case["response"]
        if case["choice"] is not None:
            assert chosen_option(case["response"], case["options"]) == wanted
    assert len(cases) == 14


def test_what_the_rescue_reads_of_the_cases_that_upstream_guesses() -> None:
    cases = gold("parser_cases.json")["multichoice"]
    guessed = [case for case in cases if case["choice"] is None]
    read = {case["response"]: chosen_option(case["response"], case["options"]) for case in guessed}
    named = {text: one.name for text, one in read.items() if isinstance(one, Label)}
    assert sorted(named.values()) == ["B", "B", "C", "C", "D"]
    assert set(read) - set(named) == {"It is none of the listed ones", "A's claim"}


def test_every_case_of_the_free_form_rule() -> None:
    for case in gold("parser_cases.json")["freeform"]:
        assert sorted(map(str, parts(case["response"]))) == case["predictions"]
        assert states(case["response"], case["targets"]) == case["correct"], case["response"]


def test_every_reply_of_a_judge() -> None:
    for case in gold("parser_cases.json")["judge"]:
        reply = Reply(text=case["reply"])
        if "score" in case:
            verdict = read_graded_score(reply, upstream=True)
            found: float | str | None = verdict.value if isinstance(verdict, Score) else None
            assert found == case["score"], case["reply"]
        else:
            verdict = read_option(reply, N_OPTIONS, upstream=True)
            found = verdict.name if isinstance(verdict, Label) else None
            assert found == case["option"], case["reply"]
        assert found is not None or isinstance(verdict, Unreadable)


def test_strictly_no_reply_is_read_otherwise_than_upstream_does() -> None:
    for case in gold("parser_cases.json")["judge"]:
        reply = Reply(text=case["reply"])
        strict = read_graded_score(reply) if "score" in case else read_option(reply, N_OPTIONS)
        upstream = (
            read_graded_score(reply, upstream=True)
            if "score" in case
            else read_option(reply, N_OPTIONS, upstream=True)
        )
        assert isinstance(strict, Unreadable) or strict == upstream


# Rows and items ----------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
def test_the_counts_of_rows_and_of_distinct_items(split: Split, rows: Any, expected: Any) -> None:
    of_split, wanted = rows[split], expected["set"][split]
    found = repeats([content(row) for row in of_split])
    assert len(of_split) == found.times.sum() == wanted["n"]
    assert len(found.first) == wanted["distinct_items"]
    datasets = [row["benchmark_name"] for row in of_split]
    assert dict(Counter(datasets)) == wanted["by_dataset"]
    distinct = Counter(datasets[at] for at in found.first)
    assert dict(distinct) == wanted["distinct_by_dataset"]
    assert sum(row["context"] is not None for row in of_split) == wanted["with_context"]
    if split == "free-form":
        assert sum(len(row["target"]) for row in of_split) == wanted["targets_total"]
    else:
        options = Counter(str(len(row["options"])) for row in of_split)
        assert dict(options) == wanted["options_per_item"]
        right = Counter(letters(26)[row["target"][0]] for row in of_split)
        assert dict(right) == wanted["gold_letter_counts"]


def test_all_rows_are_446_items_of_unequal_weight(rows: Any) -> None:
    found = repeats([content(row) for split in SPLITS for row in rows[split]])
    assert (len(found.item_of), len(found.first)) == (1000, 446)
    assert (found.times > 1).sum() == 419
    assert found.times.max() == 10
    assert 330 < effective_n(found.times) < 446


def test_the_worked_example_of_the_aggregation(expected: Any) -> None:
    example = expected["aggregation_example"]
    splits = [
        {name: RowMean(mean=mean, rows=n) for name, (n, mean) in example[split].items()}
        for split in ("freeform", "multichoice")
    ]
    found = combined(splits)
    assert found.keys() == example["combined"].keys()
    for name, mean in example["combined"].items():
        assert found[name].mean == pytest.approx(mean, abs=1e-9), name


def test_items_weighted_are_the_rows(rows: Any) -> None:
    """Scores of the distinct items, made up: the official mean over 1000 rows, and its ends."""
    generator = np.random.default_rng(5)
    splits, sums, names, split_of_cell = [], [], [], []
    for number, split in enumerate(SPLITS):
        found = repeats([content(row) for row in rows[split]])
        datasets = [row["benchmark_name"] for row in rows[split]]
        scores = generator.integers(0, 11, len(found.first)) / 10
        splits.append(split_means(scores[found.item_of].tolist(), datasets))
        here = sorted(set(datasets))
        cells = [here.index(datasets[at]) for at in found.first]
        sums.append(contributions(scores, found.times, cells, n_cells=len(here)).sum(axis=0))
        names += [(number, name) for name in here]
        split_of_cell += [number] * len(here)
    of_cells = np.concatenate(sums)
    for (number, name), mean in zip(names, cell_means(of_cells), strict=True):
        assert splits[number][name].mean == pytest.approx(mean, abs=0.0005 + 1e-9)
    official = combined(splits)
    assert official[OVERALL].rows == 1000
    overall = overall_mean(of_cells, split_of_cell, [500, 500])
    assert official[OVERALL].mean == pytest.approx(overall, abs=0.0005 + 1e-9)


def test_what_upstream_guesses_has_three_scores(rows: Any) -> None:
    """An answer that names no option anywhere is worth one over the number of options."""
    of_split = rows["multiple-choice"]
    assert all(
        chosen_option("no idea", row["options"], rule="upstream") == NO_OPTION for row in of_split
    )
    worth = [1 / len(row["options"]) for row in of_split]
    low, middle, high = at_ends(np.full(500, np.nan), worth).mean(axis=1)
    assert (low, high) == (0, 1)
    n = {int(k): v for k, v in gold("expected.json")["set"]["multiple-choice"][
        "options_per_item"
    ].items()}  # fmt: skip
    assert middle == pytest.approx(sum(v / k for k, v in n.items()) / 500, abs=1e-9)


# The published board -----------------------------------------------------------------------------


def test_every_correlation_of_the_published_board(expected: Any) -> None:
    import pandas as pd

    board = pd.read_csv(GOLD / "published_leaderboard.csv").set_index("model")
    assert len(board) == 47
    elo = {str(model): float(value) for model, value in board.arena_elo_0527.items()}
    for column, wanted in expected["published_leaderboard_correlation_with_arena_elo"].items():
        scores = {str(model): float(value) for model, value in board[column].items()}
        found = board_correlation(scores, elo)
        assert len(found.models) == wanted["n"]
        for name in ("spearman", "pearson", "kendall_b"):
            # The file has four decimals.
            assert round(getattr(found, name), 4) == pytest.approx(wanted[name], abs=1e-9), column


def test_a_board_on_itself() -> None:
    import pandas as pd

    board = pd.read_csv(GOLD / "published_leaderboard.csv").set_index("model")
    scores = {str(model): float(value) for model, value in board.mixeval_hard.items()}
    found = board_correlation(scores, scores)
    assert len(found.models) == 47
    assert all(math.isclose(one, 1) for one in (found.spearman, found.pearson, found.kendall_b))
