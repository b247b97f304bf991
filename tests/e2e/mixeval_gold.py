"""The gold's MixEval-Hard, and a judge of our own making that replies to the official prompts."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.e2e.runs import ROOT
from tests.loopback import Ask, Reaction

GOLD = ROOT.parent / "shared" / "gold" / "mixeval"
ABSENT = "the gold data (../shared/gold/mixeval beside the repository) is absent"
FILES = ("hard_freeform_2024-06-01.parquet", "hard_multichoice_2024-06-01.parquet")


def rows() -> list[dict[str, Any]]:
    """All rows in upstream's order, free-form first."""
    from pyarrow import parquet

    return [row for file in FILES for row in parquet.read_table(GOLD / file).to_pylist()]


def item_id(row: dict[str, Any]) -> str:
    return f"{row['problem_type']}/{row['id']}"


def expected() -> Any:
    return json.loads((GOLD / "expected.json").read_text(encoding="utf-8"))


def parser_cases(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((GOLD / "parser_cases.json").read_text())[kind]
    return found


def as_judge(ask: Ask) -> Reaction:
    """Half a point for every free answer; of options B where the answer ends so, else A."""
    answer = ask.text.rsplit("Model's Answer: ", 1)[1].removesuffix("\nYour Judgment: \n")
    if "Golden Answer(s)" in ask.text:
        return Reaction(text="It is half right. The correctness score: [[0.5]].")
    letter = "B" if re.search(r"B\W*$", answer) else "A"
    return Reaction(text=f"The option chosen by the model: [[{letter}]].")
