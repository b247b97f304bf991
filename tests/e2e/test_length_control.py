"""AlpacaEval's published results, imported: their length-controlled values are on the board."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.reports.length_calibrations import read_recovered
from judgebench.stats import length_control as lc
from tests.e2e import alpaca_gold
from tests.e2e.runs import ROOT, typed

LC = "length_controlled_win_rate"
FULL = ("FuseChat-Llama-3.1-8B-Instruct", "claude-2", "gpt4_gamed", "alpaca-7b")
LACKING = ("gpt35_turbo_instruct", "text_davinci_001")
BASELINE = "gpt4_1106_preview"

pytestmark = pytest.mark.skipif(
    not (alpaca_gold.GOLD / "annotations.parquet").exists(), reason=alpaca_gold.ABSENT
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Seven models in a store that the environment names."""
    folder = tmp_path_factory.mktemp("length")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGEBENCH_DATA", str(folder / "data"))
        patch.setenv("JUDGEBENCH_STORE", f"sqlite:///{folder / 's.db'}")
        models = (*FULL, *LACKING, BASELINE)
        alpaca_gold.write_results(folder / "results", only=models)
        paths = [folder / "results" / model for model in models]
        done = typed("import", "alpaca-eval", *paths)
        assert done.code == 0, done.err
        yield folder


@pytest.fixture(scope="module")
def board(folder: Path) -> dict[str, Any]:
    """The board of seven models, ranked by the length-controlled win rate, in both modes."""
    done = typed(
        "leaderboard", "alpaca_eval", "--format", "json", "--length-control", "both",
        "--rank-by", LC,
    )  # fmt: skip
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)["boards"]
    return dict(found)


def estimates(board: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return {row["model"]: row["metrics"][name] for row in board["rows"]}


def test_exact_is_the_converged_fit_with_stable_folds(board: dict[str, Any]) -> None:
    found, gold = estimates(board, LC), alpaca_gold.expected()
    for model in FULL:
        assert found[model]["value"] == pytest.approx(
            float(gold[model]["lc_exact_stable_cv"]), abs=1e-6
        )
        assert (found[model]["n"], found[model]["units"], found[model]["missing"]) == (805, 805, 0)
    assert [found[BASELINE][end] for end in ("value", "low", "high")] == [50.0, None, None]


def test_exact_looks_difficulty_up_by_instruction_where_rows_lack(board: dict[str, Any]) -> None:
    found, gold = estimates(board, LC), alpaca_gold.expected()
    calibration = read_recovered(ROOT / "tasks" / "alpaca_eval" / "figures")
    for model in LACKING:
        rows = [r for r in alpaca_gold.rows("annotations.parquet") if r["model"] == model]
        preference, difference = np.full((2, 805), np.nan)
        for row in rows:
            at = row["index"]
            preference[at] = row["preference"] - 1
            difference[at] = calibration.baseline_length[at] - len(row["output_2"])
        fit = lc.exact(preference, difference, calibration.difficulty, anchors=calibration.anchors)
        assert found[model]["value"] == pytest.approx(fit.value, abs=1e-6)
        # Published by row position, which is another instruction's difficulty.
        assert abs(found[model]["value"] - float(gold[model]["lc_exact_stable_cv"])) > 2
        assert found[model]["missing"] == 805 - len(rows)


def test_compat_is_the_published_value(board: dict[str, Any]) -> None:
    gold = alpaca_gold.expected()
    for model, found in estimates(board, f"{LC}/compat").items():
        published = float(gold[model]["length_controlled_winrate"])
        assert found["value"] == pytest.approx(published, abs=1e-3), model
        assert (found["low"], found["high"]) == (None, None)
        assert "no interval" in found["method"]


def test_intervals_are_wider_than_upstreams_error_and_ranks_follow(board: dict[str, Any]) -> None:
    gold, found = alpaca_gold.expected(), estimates(board, LC)
    for model in (*FULL, *LACKING):
        if error := gold[model]["lc_standard_error"]:
            width = found[model]["high"] - found[model]["low"]
            assert width > 2 * 1.96 * 1.5 * float(error), model
        assert found[model]["low"] < found[model]["value"] < found[model]["high"]
    values = [row["metrics"][LC]["value"] for row in board["rows"]]
    assert values == sorted(values, reverse=True)
    assert board["metric"] == LC
    assert [row["rank"] for row in board["rows"]] == [1, 2, 3, 4, 5, 6, 7]
    assert all(row["rank_low"] <= row["rank"] <= row["rank_high"] for row in board["rows"])


def test_the_board_says_what_it_rests_on(board: dict[str, Any]) -> None:
    assert board["notes"] == [
        "length is controlled for with the calibration: recovered from published results, in "
        "place of the published files",
        "AlpacaEval's published standard errors of length-controlled rates are 1.8 to 5.2 times "
        "too small",
    ]


def test_a_gate_at_equal_length_is_of_the_published_verdicts(folder: Path) -> None:
    """claude-2 answers shorter than the first one, which a plain win rate holds against it."""
    better, worse = FULL[:2]
    policy = folder / "gate.yaml"
    policy.write_text(
        f"tests: [{{benchmark: alpaca_eval, metric: {LC}, max_drop: 2}},\n"
        "  {benchmark: alpaca_eval, metric: win_rate, max_drop: 2}]\n"
    )
    at = ("gate", "--policy", policy, "--format", "json")
    done = typed(*at, "--baseline", better, "--candidate", worse)
    assert done.code == 1, done.err
    controlled, plain = json.loads(done.out)["tests"]
    gold = alpaca_gold.expected()
    lc = [float(gold[model]["lc_exact_stable_cv"]) for model in (worse, better)]
    assert controlled["difference"]["value"] == pytest.approx(lc[0] - lc[1], abs=1e-6)
    assert controlled["difference"]["units"] == 805
    assert (controlled["decision"], plain["decision"]) == ("regression", "regression")
    assert abs(controlled["difference"]["value"]) < abs(plain["difference"]["value"])
    done = typed(*at, "--baseline", worse, "--candidate", better)
    assert done.code == 0, done.err
