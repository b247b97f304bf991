"""MixEval-Hard 2024-06-01: every rendered prompt, parser case, count and published correlation."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.benchmarks.task_folder import (
    STEP_BY_STEP,
    Instructions,
    Split,
    free_form_prompt,
    multiple_choice_prompt,
)
from judgebench.judges.kinds import (
    free_form_placeholders,
    multiple_choice_placeholders,
)
from judgebench.judges.readers.brackets import read_graded_score, read_option
from judgebench.judges.readers.option_letters import NO_OPTION, chosen_option, parts, states
from judgebench.keys import text_sha
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.scores import scores
from judgebench.records import Label, Reply, Score, Unreadable
from judgebench.stats.rank_correlation import board_correlation
from judgebench.stats.resample import effective_n
from judgebench.template import PromptText, fill, letters

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


def test_the_judges_prompts_have_no_other_placeholders(official: Any) -> None:
    filled = {
        "gpt_judge_for_closeended_freeform": free_form_placeholders(
            "Which?", ["Danube"], "the Danube"
        ),
        "gpt_judge_for_closeended_multiplechoice": multiple_choice_placeholders(
            "Wet?", ["yes"], "A"
        ),
    }
    for name, values in filled.items():
        system, user = official[f"{JUDGING}{name}"]
        assert PromptText(name=name, text=system["content"]).placeholders == frozenset()
        text = PromptText(name=name, text=user["content"])
        assert text.placeholders == values.keys()
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
    first = {content(row): row["benchmark_name"] for row in reversed(of_split)}
    assert len(of_split) == wanted["n"]
    assert len(first) == wanted["distinct_items"]
    datasets = [row["benchmark_name"] for row in of_split]
    assert dict(Counter(datasets)) == wanted["by_dataset"]
    assert dict(Counter(first.values())) == wanted["distinct_by_dataset"]
    assert sum(row["context"] is not None for row in of_split) == wanted["with_context"]
    if split == "free-form":
        assert sum(len(row["target"]) for row in of_split) == wanted["targets_total"]
    else:
        options = Counter(str(len(row["options"])) for row in of_split)
        assert dict(options) == wanted["options_per_item"]
        right = Counter(letters(26)[row["target"][0]] for row in of_split)
        assert dict(right) == wanted["gold_letter_counts"]


def test_all_rows_are_446_items_of_unequal_weight(rows: Any) -> None:
    times = Counter(content(row) for split in SPLITS for row in rows[split])
    assert (times.total(), len(times)) == (1000, 446)
    assert sum(n > 1 for n in times.values()) == 419
    assert max(times.values()) == 10
    assert 330 < effective_n(list(times.values())) < 446


def test_the_worked_example_of_the_aggregation(expected: Any) -> None:
    """As a board shows it: the scores of the example's rows, under its own grouping by split."""
    example = expected["aggregation_example"]
    scored: list[tuple[str, str, float]] = []
    for split in ("freeform", "multichoice"):
        for dataset, (n, mean) in example[split].items():
            if dataset != "overall":
                right = round(mean * n)
                scored += [(split, dataset, float(k < right)) for k in range(n)]
    for dataset, mean in example["combined"].items():
        rows = [row for row in scored if dataset in ("overall", row[1])]
        assert official_score(rows) == pytest.approx(mean, abs=1e-9), dataset


def official_score(rows: Sequence[tuple[str, str, float]]) -> float:
    """``score/official`` of one model, whose rows are (split, dataset, score)."""
    n = len(rows)
    columns: dict[str, list[Any]] = {
        "item_id": [str(k) for k in range(n)],
        "model": ["m"] * n,
        "judge": ["j"] * n,
        "sample": [0] * n,
        "kind": ["score"] * n,
        "value": [score for _, _, score in rows],
        "low": [0.0] * n,
        "high": [1.0] * n,
        "judge_kind": ["graded"] * n,
    }
    splits = {str(k): split for k, (split, _, _) in enumerate(rows)}
    (row,) = scores(columns, splits=splits, intervals=Intervals(n_replicates=20))
    return row.metrics["score/official"].value


def test_a_board_of_all_rows_is_officially_within_half_a_thousandth(rows: Any) -> None:
    """Scores of the distinct items, made up: repeated as their rows are."""
    generator = np.random.default_rng(5)
    drawn: dict[Any, float] = {}
    scored = [
        (
            split,
            str(row["benchmark_name"]),
            drawn.setdefault(content(row), float(generator.integers(0, 11)) / 10),
        )
        for split in SPLITS
        for row in rows[split]
    ]
    means = [np.mean([s for split, _, s in scored if split == one]) for one in SPLITS]
    assert official_score(scored) == pytest.approx(np.mean([round(m, 3) for m in means]), abs=1e-9)
    assert official_score(scored) == pytest.approx(np.mean(means), abs=5e-4 + 1e-9)


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
