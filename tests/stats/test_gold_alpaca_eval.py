"""The published annotations of 29 models on AlpacaEval 2: win rates, outcomes, standard errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.metrics.win_rate import win_rates

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
BASELINE = "gpt4_1106_preview"

pytestmark = pytest.mark.skipif(
    not (GOLD / "annotations.parquet").exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)


@pytest.fixture(scope="module")
def columns() -> dict[str, list[Any]]:
    import pandas as pd

    table = pd.read_parquet(GOLD / "annotations.parquet").dropna(subset=["preference"])
    n = len(table)
    return {
        "item_id": table["index"].astype(str).tolist(),
        "model": table.model.tolist(),
        "judge": ["weighted_alpaca_eval_gpt4_turbo"] * n,
        "opponent": [BASELINE] * n,
        "sample": [0] * n,
        "kind": ["preference"] * n,
        "value": (table.preference - 1).tolist(),
    }


def test_every_win_rate_of_the_published_board(columns: dict[str, list[Any]]) -> None:
    import pandas as pd

    published = pd.read_csv(GOLD / "expected.csv").set_index("model")
    rows = {row.model: row for row in win_rates(columns, BASELINE)}
    checked = 0
    for model, expected in published.dropna(subset=["n_total"]).iterrows():
        row = rows[str(model)]
        for name in ("win_rate", "discrete_win_rate"):
            assert row.metrics[name].value == pytest.approx(expected[name], abs=1e-9), (model, name)
        for ours, theirs in {
            "n_wins": "n_wins",
            "n_losses": "n_wins_base",
            "n_ties": "n_draws",
        }.items():
            assert row.counts[ours] == expected[theirs], (model, ours)
        assert row.leading.n == expected.n_total
        width = row.leading.high - row.leading.low
        if model == BASELINE:  # against itself it varies in no draw
            assert np.isnan(width)
        elif row.leading.method != "wilson":
            assert width == pytest.approx(2 * 1.96 * expected.standard_error, rel=0.06), model
        checked += 1
    assert checked >= 27
