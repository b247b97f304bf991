"""The gold's AlpacaEval models written as AlpacaEval writes its results, in a temporary folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tests.e2e.runs import ROOT

GOLD = ROOT.parent / "shared" / "gold" / "alpaca_eval"
JUDGE = "weighted_alpaca_eval_gpt4_turbo"
ABSENT = "the gold data (../shared/gold/alpaca_eval beside the repository) is absent"


def rows(name: str, only: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Of the models given, or of all."""
    from pyarrow import parquet

    filters = [("model", "in", [*only])] if only else None
    found: list[dict[str, Any]] = parquet.read_table(GOLD / name, filters=filters).to_pylist()
    return found


def expected() -> dict[str, dict[str, str]]:
    with (GOLD / "expected.csv").open(encoding="utf-8", newline="") as lines:
        return {row["model"]: row for row in csv.DictReader(lines)}


def write_results(
    folder: Path, *, new_names: bool = False, only: Collection[str] | None = None
) -> list[str]:
    """``<model>/model_outputs.json`` and ``<model>/<judge>/annotations.json``; the models' names.

    ``only`` says of which models, where it is not all of them. Old files name ``raw_completion``
    what newer ones call ``preference_raw_completion``.
    """
    prefix = "preference_" if new_names else ""
    items = {row["index"]: row for row in rows("instructions.parquet")}
    models: dict[str, list[dict[str, Any]]] = {}
    for row in rows("annotations.parquet", only):
        models.setdefault(row["model"], []).append(row)
    for model, judged in models.items():
        outputs, annotations = [], []
        for row in judged:
            item = items[row["index"]]
            outputs.append(
                {
                    "dataset": item["dataset"],
                    "instruction": item["instruction"],
                    "output": row["output_2"],
                    "generator": row["generator_2"],
                }
            )
            annotations.append(
                {
                    "instruction": item["instruction"],
                    "output_1": item["baseline_output"],
                    "generator_1": item["baseline_generator"],
                    "dataset": item["dataset"],
                    "output_2": row["output_2"],
                    "generator_2": row["generator_2"],
                    "annotator": row["annotator"],
                    "preference": row["preference"],
                    f"{prefix}price_per_example": row["price_per_example"],
                    f"{prefix}time_per_example": row["time_per_example"],
                    f"{prefix}raw_completion": _choice(row),
                }
            )
        place = folder / model
        (place / JUDGE).mkdir(parents=True)
        _write(place / "model_outputs.json", outputs)
        _write(place / JUDGE / "annotations.json", annotations)
    return list(models)


def _choice(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["judge_text"] is None:
        return None
    tokens = zip(row["top_tokens"], row["top_logprobs"], strict=True)
    top = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in tokens]
    said = {one["token"]: one["logprob"] for one in top}
    return {
        "finish_reason": row["finish_reason"],
        "index": 0,
        "logprobs": {
            "content": [
                {
                    "token": row["judge_text"],
                    "bytes": None,
                    "logprob": said.get(row["judge_text"], top[0]["logprob"]),
                    "top_logprobs": top,
                }
            ]
        },
        "message": {"content": row["judge_text"], "role": "assistant"},
        "text": row["judge_text"],
        "total_tokens": row["total_tokens"],
    }


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(records), encoding="utf-8")
