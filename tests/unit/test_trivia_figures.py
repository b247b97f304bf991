"""The committed figures are the published verdicts, as codes alone."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[2] / "tasks" / "trivia_judging" / "figures"
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "trivia_judging"


def rows() -> list[dict[str, str]]:
    with (FIGURES / "verdicts.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_codes_and_counts() -> None:
    expected = json.loads((FIGURES / "expected.json").read_text())
    found = rows()
    assert len(found) == expected["rows_used"] == 3595
    judges = [*expected["judges"], "human"]
    assert list(found[0]) == ["exam_taker", "question_id", *judges]
    assert {row[name] for row in found for name in judges} == {"", "0", "1"}
    missing = Counter({name: sum(row[name] == "" for row in found) for name in judges})
    assert missing == Counter({**expected["missing"], "human": 0})
    assert {row["exam_taker"] for row in found} == set(expected["exam_takers"])


def test_the_four_counts_of_a_judge_give_its_agreement() -> None:
    expected = json.loads((FIGURES / "expected.json").read_text())
    for judge, figures in expected["judges_vs_human"].items():
        pairs = [(r[judge], r["human"]) for r in rows() if r[judge]]
        share = sum(a == b for a, b in pairs) / len(pairs)
        assert share == pytest.approx(figures["pooled"]["percent_agreement"], abs=1e-12)


@pytest.mark.skipif(
    not (GOLD / "judgments.parquet").exists(),
    reason="the gold data (../shared/gold/trivia_judging beside the repository) is not here",
)
def test_they_are_those_of_the_full_table() -> None:
    from pyarrow import parquet

    full = [r for r in parquet.read_table(GOLD / "judgments.parquet").to_pylist() if not r["stale"]]
    for short, long in zip(rows(), full, strict=True):
        assert (short["exam_taker"], int(short["question_id"])) == (
            long["exam_taker"],
            long["question_id"],
        )
        for name in list(short)[2:]:
            assert short[name] == ("" if long[name] is None else str(int(long[name]))), name
