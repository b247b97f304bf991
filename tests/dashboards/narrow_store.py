"""One store with something for every page, under names as long as those of real models."""

from __future__ import annotations

import random
from pathlib import Path
from unittest import mock

from tests.dashboards import agreement_stores, honesty_stores, item_stores, night_stores, stores

ALONE, MANY = "one_judge_alone", "judged_by_many"
SURE, TEXTS = "with_confidences", "with_answers"
NIGHTS = stores.BENCHMARK
JUDGE = "weighted_alpaca_eval_gpt4_turbo"
MODELS = ("Mixtral-8x7B-Instruct-v0.1_concise", "FuseChat-Llama-3.1-8B-Instruct", "gpt-4t")
JUDGES = (
    "human", JUDGE, "claude", "Llama3-70B", "Gemma-2B", "Contains", "EM", "JudgeLM", "Mistral-7B",
    "Llama-7B", "Llama-13B", "Llama-70B",
)  # fmt: skip


def fill(path: Path, *, n_items: int = 60) -> str:
    """Its URL. The benchmark that came first has one judge, and nothing that other pages show."""
    boards(path, n_items=n_items)
    with (
        mock.patch.multiple(stores, BENCHMARK=TEXTS),
        mock.patch.multiple(item_stores, BENCHMARK=TEXTS),
        mock.patch.multiple(agreement_stores, BENCHMARK=TEXTS),
    ):
        agreement_stores.fill(path, n_items=n_items)
    night_stores.fill(path, n_items=40)
    night_stores.train(path, n_items=40)
    with mock.patch.multiple(honesty_stores, BENCHMARK=SURE):
        return honesty_stores.fill(path, run_id="confidences")


def boards(path: Path, *, n_items: int = 60) -> None:
    """A benchmark with one judge, and one with a dozen."""
    draw = random.Random(2)

    def said(lenient: float) -> str:
        return "".join("+" if draw.random() < lenient else "-" for _ in range(n_items))

    with mock.patch.multiple(stores, BENCHMARK=ALONE):
        stores.fill_with(path, {"gpt-4t": {JUDGE: stores.labels(said(0.5))}}, run_id="alone")
    table = {
        model: {judge: stores.labels(said(0.4 + 0.03 * at)) for at, judge in enumerate(JUDGES)}
        for model in MODELS
    }
    with mock.patch.multiple(stores, BENCHMARK=MANY):
        stores.fill_with(path, table, run_id="many")
