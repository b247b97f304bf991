"""A silent change of AlpacaEval's judge, as its published verdicts show it, is told as what it is.

Two configurations of one model have judged the same answers. The second one's verdicts come in
under the first one's name, as those of a provider that changed something would. The candidate is
the baseline's twin: what makes it look worse is the judge.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import compute, parquet

from tests.e2e import runs
from tests.e2e.alpaca_gold import ABSENT, GOLD
from tests.unit.exchanged import rows_file

MODEL, OPPONENT = "gpt-3.5-turbo-0301", "gpt4_1106_preview"
OTHER = "alpaca_eval_cot_gpt4_turbo_fn"

pytestmark = pytest.mark.skipif(not GOLD.is_dir(), reason=ABSENT)


def verdicts(file: str, **wanted: str) -> dict[str, float]:
    """Probabilities that the model wins, by item."""
    table = parquet.read_table(GOLD / file)
    for name, value in {**wanted, "model": MODEL}.items():
        table = table.filter(compute.equal(table[name], value))
    rows = zip(table["index"].to_pylist(), table["preference"].to_pylist(), strict=True)
    return {str(item): said - 1.0 for item, said in rows if said and 1.0 <= said <= 2.0}


def rows(said: dict[str, float], model: str) -> list[dict[str, Any]]:
    about = {"benchmark": "alpaca_eval", "judge": "gpt", "kind": "preference"}
    return [
        {**about, "item_id": item, "model": model, "opponent": OPPONENT, "value": value}
        for item, value in said.items()
    ]


def typed(folder: Path, *words: str | Path) -> runs.Done:
    return runs.typed(*words, "--store", runs.store_url(folder))


def gate(folder: Path, candidate: str) -> Any:
    named = ("--baseline", MODEL, "--candidate", candidate, "--format", "json")
    return json.loads(typed(folder, "gate", *named).out)


def test_a_silent_change_is_drift_and_no_regression(tmp_path: Path) -> None:
    before = verdicts("annotations.parquet")
    after = verdicts("other_judges.parquet", judge=OTHER, generator_1=OPPONENT)
    assert len(before) == 805
    first = rows_file(tmp_path / "first.jsonl", rows(before, MODEL))
    assert typed(tmp_path, "import", "verdicts", first).code == 0
    pinned = typed(tmp_path, "anchors", "pin", "alpaca_eval", "--judge", "gpt", "--answers", "805")
    assert pinned.code == 0, pinned.err

    quiet = rows_file(tmp_path / "quiet.jsonl", rows(before, MODEL) + rows(before, "twin"))
    assert typed(tmp_path, "import", "verdicts", quiet, "--anchors").code == 0
    assert (gate(tmp_path, "twin")["verdict"], gate(tmp_path, "twin")["alarms"]) == ("pass", [])

    moved = rows_file(tmp_path / "moved.jsonl", rows(after, MODEL) + rows(after, "tonight"))
    assert typed(tmp_path, "import", "verdicts", moved, "--anchors").code == 0
    said = gate(tmp_path, "tonight")
    (test,) = said["tests"]
    assert test["p_value"] < 0.001  # without the anchors this was a regression
    assert test["difference"]["value"] == pytest.approx(-2.98, abs=0.01)
    assert (said["verdict"], test["decision"]) == ("inconclusive", "inconclusive")
    assert test["because"].startswith("judge changed: judge drift since")
    assert [alarm["kind"] for alarm in said["alarms"]] == ["judge_drift"]
