"""Published models on AlpacaEval 2, imported as rows of verdicts and ranked by the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import ROOT, typed

GOLD = ROOT.parent / "shared" / "gold" / "alpaca_eval"
BASELINE = "gpt4_1106_preview"
MODELS = (
    "FuseChat-Llama-3.1-8B-Instruct", "FuseChat-Llama-3.2-3B-Instruct", BASELINE, "claude-2",
    "gpt35_turbo_instruct", "gpt4_gamed", "Qwen-14B-Chat", "text_davinci_001", "text_davinci_003",
    "falcon-7b-instruct",
)  # fmt: skip
"""Better and worse than the baseline, by little and by much, some without all verdicts."""
VERDICTS = 9 * 805 - 1 - 2

pytestmark = pytest.mark.skipif(
    not (GOLD / "annotations.parquet").exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    import pandas as pd

    folder = tmp_path_factory.mktemp("gold")
    table = pd.read_parquet(
        GOLD / "annotations.parquet",
        columns=["model", "index", "preference", "output_2"],
        filters=[("model", "in", MODELS)],
    ).dropna(subset=["preference"])
    table = table[table.model != BASELINE]
    verdicts, answers = folder / "verdicts.jsonl", folder / "answers.jsonl"
    with verdicts.open("w") as said, answers.open("w") as written:
        for model, item, preference, output in zip(
            table.model, table["index"], table.preference, table.output_2, strict=True
        ):
            row = {"benchmark": "alpaca_pairs", "item_id": str(item), "model": model}
            verdict = {"kind": "preference", "value": preference - 1, "opponent": BASELINE}
            said.write(json.dumps(row | verdict | {"judge": "gpt4_turbo"}) + "\n")
            written.write(json.dumps(row | {"text": output}) + "\n")
        asked = pd.read_parquet(GOLD / "instructions.parquet")
        for item, output in zip(asked["index"], asked.baseline_output, strict=True):
            row = {"benchmark": "alpaca_pairs", "item_id": str(item), "model": BASELINE}
            written.write(json.dumps(row | {"text": output}) + "\n")
    url = f"sqlite:///{folder / 's.db'}"
    well("import", "verdicts", verdicts, "--store", url)
    well("import", "responses", answers, "--store", url)
    return url


def well(*arguments: str | Path) -> Any:
    done = typed(*arguments)
    assert done.code == 0, done.err
    return done


def ranked(store: str, *more: str) -> dict[str, Any]:
    done = well("ranking", "alpaca_pairs", "--format", "json", "--store", store, *more)
    (found,) = json.loads(done.out)["rankings"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def ranking(store: str) -> dict[str, Any]:
    return ranked(store)


def test_every_expected_win_rate_is_the_published_one(ranking: dict[str, Any]) -> None:
    """Where all meet one baseline, Bradley-Terry repeats the win rates against it."""
    import pandas as pd

    published = pd.read_csv(GOLD / "expected.csv").set_index("model")
    assert ranking["reference"] == BASELINE
    checked = 0
    for row in ranking["rows"]:
        expected, strength = (row["metrics"][n] for n in ("expected_win_rate", "strength"))
        if row["model"] == BASELINE or math.isnan(published.n_total[row["model"]]):
            continue
        win_rate = published.win_rate[row["model"]]
        assert expected["value"] == pytest.approx(win_rate, abs=1e-6), row["model"]
        odds = win_rate / (100 - win_rate)
        assert strength["value"] == pytest.approx(math.log(odds), abs=1e-6)
        assert strength["n"] == published.n_total[row["model"]]
        assert strength["missing"] == 805 - strength["n"]
        width = expected["high"] - expected["low"]
        error = published.standard_error[row["model"]]
        assert width == pytest.approx(2 * 1.96 * error, rel=0.15), row["model"]
        checked += 1
    assert checked == 8


def test_ranks_and_chances_fit_together(ranking: dict[str, Any]) -> None:
    rows = ranking["rows"]
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert all(row["rank_low"] <= row["rank"] <= row["rank_high"] for row in rows)
    assert [row["model"] for row in rows].index(BASELINE) == 2
    assert ranking["groups"] == [[row["model"] for row in rows]]
    assert ranking["warnings"] == ["answers that imitate a verdict: text_davinci_003 (1 of 805)"]
    assert len(ranking["pairs"]) == 10 * 9 / 2
    met = [pair for pair in ranking["pairs"] if BASELINE in (pair["model"], pair["opponent"])]
    assert sum(pair["win_rate"]["n"] for pair in ranking["pairs"]) == VERDICTS
    assert sum(pair["win_rate"]["n"] for pair in met) == VERDICTS
    for pair in ranking["pairs"]:
        assert (
            pair["difference"]["low"] <= pair["difference"]["value"] <= pair["difference"]["high"]
        )
        if pair["difference"]["low"] > 0:
            assert pair["probability_above"] > 0.95
        assert pair["probability_above"] > 0.4  # the better placed one stands first


def test_length_control_lifts_short_answers(store: str, ranking: dict[str, Any]) -> None:
    controlled = ranked(store, "--control", "length")
    length = controlled["coefficients"]["length"]
    assert 0 < length["low"] < length["value"]
    rates = [
        {row["model"]: row["metrics"]["expected_win_rate"]["value"] for row in one["rows"]}
        for one in (ranking, controlled)
    ]
    plain, equal = (one["gpt4_gamed"] for one in rates)
    assert equal > 3 * plain  # 68 characters an answer


def test_the_printed_tables(store: str, ranking: dict[str, Any]) -> None:
    text = well("ranking", "alpaca_pairs", "--store", store).out
    models, rates, chances = text.split("\n\n")
    lines = models.splitlines()
    assert lines[0] == "alpaca_pairs@unversioned, judged by gpt4_turbo, models ranked from pairs"
    assert lines[1].endswith(
        f"log-odds and win rate against {BASELINE}; 805 prompts, which the intervals resample"
    )
    assert len(lines) == 4 + 10 + 2
    assert lines[-2].startswith("ranks in brackets: sets that hold for all models at once")
    for line, row in zip(lines[4:-2], ranking["rows"], strict=True):
        assert f"   {row['model']} " in line
        expected = row["metrics"]["expected_win_rate"]
        if row["model"] == BASELINE:  # against itself it varies in no draw
            assert (expected["low"], expected["high"]) == (None, None)
            continue
        shown = f"{expected['value']:.1f} [{expected['low']:.1f}, {expected['high']:.1f}]"
        assert shown in line
    assert rates.splitlines()[2].split() == ["model", "3", BASELINE]
    assert len(rates.splitlines()) == len(chances.splitlines()) == 4 + 10
    first, last = (chances.splitlines()[i].split() for i in (4, -1))
    assert first[2:] == [">.99"] * 9
    assert last[:2] == ["10", ranking["rows"][-1]["model"]]
    assert len(last[2:]) == 9
