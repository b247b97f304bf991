"""The published verdicts, imported and reported by the command line: every figure comes out.

11 judges and one person on 9 exam takers and 400 questions (arXiv 2406.12624). The figures alone,
without any text, are in the repository.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import ROOT, typed

FIGURES = ROOT / "tasks" / "trivia_judging" / "figures"
GOLD = ROOT.parent / "shared" / "gold" / "trivia_judging"
NAMES = {"percent_agreement": "agreement", "delta": "score_delta", "kendall_tau_b": "kendall"}
COUNTS = ("n", "tp", "fp", "fn", "tn", "judge_score", "human_score")


def figures_rows() -> Iterator[tuple[str, str, str, str]]:
    with (FIGURES / "verdicts.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for judge in list(row)[2:]:
                if row[judge]:
                    yield row["exam_taker"], row["question_id"], judge, row[judge]


def gold_rows() -> Iterator[tuple[str, str, str, str]]:
    from pyarrow import parquet

    judges = json.loads((GOLD / "expected.json").read_text())["judges"]
    for row in parquet.read_table(GOLD / "judgments.parquet").to_pylist():
        for judge in (*judges, "human") if not row["stale"] else ():
            if row[judge] is not None:
                yield row["exam_taker"], str(row["question_id"]), judge, str(int(row[judge]))


def test_the_figures_are_those_of_the_full_table() -> None:
    if not (GOLD / "judgments.parquet").exists():
        pytest.skip("the gold data (../shared/gold/trivia_judging beside the repository) is absent")
    assert sorted(gold_rows()) == sorted(figures_rows())


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Report and expected figures."""
    folder = tmp_path_factory.mktemp("gold")
    long = folder / "verdicts.jsonl"
    with long.open("w", encoding="utf-8") as out:
        for model, item, judge, code in figures_rows():
            row = {
                "benchmark": "trivia_judging",
                "item_id": item,
                "model": model,
                "judge": judge,
                "kind": "label",
                "value": "correct" if code == "1" else "incorrect",
            }
            out.write(json.dumps(row) + "\n")
    store = f"sqlite:///{folder / 'gold.db'}"
    well("import", "verdicts", long, "--store", store)
    again = well("import", "verdicts", long, "--store", store)
    assert "43010 verdicts, 0 new, 43010 known already" in again.err
    done = well(
        *("agreement", "trivia_judging", "--reference", "human"),
        *("--format", "json", "--store", store),
    )
    expected = json.loads((FIGURES / "expected.json").read_text())
    return json.loads(done.out), expected, store


def well(*arguments: str | Path) -> Any:
    done = typed(*arguments)
    assert done.code == 0, done.err
    return done


def found(
    report: Mapping[str, Any], judge: str, scope: str, model: str | None = None
) -> dict[str, dict[str, Any]]:
    (row,) = [
        row
        for row in report["rows"]
        if (row["judge"], row["scope"], row["model"]) == (judge, scope, model)
    ]
    metrics: dict[str, dict[str, Any]] = row["metrics"]
    return metrics


def test_every_coefficient(case: Any) -> None:
    report, expected, _ = case
    assert (report["benchmark"], report["version"]) == ("trivia_judging", "v1")
    assert {row["judge"] for row in report["rows"]} == set(expected["judges"])
    checked = 0
    for judge, figures in expected["judges_vs_human"].items():
        scopes = [("pooled", None, figures["pooled"])]
        scopes += [("model", model, f) for model, f in figures["by_exam_taker"].items()]
        for scope, model, gold in scopes:
            metrics = found(report, judge, scope, model)
            for name in gold.keys() - set(COUNTS):
                estimate = metrics[NAMES.get(name, name)]
                assert estimate["n"] == gold["n"]
                if gold[name] is None:
                    assert estimate["value"] is None
                    assert estimate["undefined"]
                else:
                    assert estimate["value"] == pytest.approx(gold[name], abs=1e-9), (judge, name)
                checked += 1
        assert found(report, judge, "pooled")["agreement"]["missing"] == expected["missing"][judge]
        macro = found(report, judge, "macro")
        for name, gold in figures["macro"].items():
            assert macro[NAMES.get(name, name)]["value"] == pytest.approx(gold, abs=1e-9)
            checked += 1
        for name, gold in figures["ranking"].items():
            if name in ("spearman", "kendall_tau_b"):
                estimate = found(report, judge, "pooled")[NAMES.get(name, name)]
                assert estimate["value"] == pytest.approx(gold, abs=1e-9)
                checked += 1
    assert checked > 11 * 11 * 9


def test_every_interval(case: Any) -> None:
    """Our draws are others, so the ends differ by Monte-Carlo error."""
    report, expected, _ = case
    for judge, figures in expected["judges_vs_human"].items():
        for scope, key in (("pooled", "pooled_ci95"), ("macro", "macro_ci95")):
            metrics = found(report, judge, scope)
            for name, ends in figures[key].items():
                estimate = metrics[NAMES.get(name, name)]
                shown = [estimate["low"], estimate["high"]]
                if ends[0] == ends[1]:  # a point there is no interval here
                    assert shown == [None, None]
                else:
                    assert shown == pytest.approx(ends, abs=0.01)
        for name in ("spearman", "kendall"):  # over nine models none was measured to hold
            estimate = found(report, judge, "pooled")[name]
            assert (estimate["low"], estimate["high"]) == (None, None)


def test_the_leaderboard_has_every_human_score(case: Any) -> None:
    _, expected, store = case
    done = well(
        *("leaderboard", "trivia_judging", "--judge", "human", "--format", "json"),
        *("--store", store),
    )
    (board,) = json.loads(done.out)["boards"]
    scores = {row["model"]: row["metrics"]["accuracy"]["value"] for row in board["rows"]}
    assert scores == pytest.approx(expected["human_score"], abs=1e-12)
    assert [row["rank"] for row in board["rows"]] == list(range(1, 10))
