"""The published verdicts, imported and reported by the command line: every figure comes out.

11 judges and one person on 9 exam takers and 400 questions (arXiv 2406.12624). The figures alone,
without any text, are in the repository.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import judgebench
from judgebench.reports.judge_card import CardMeasure, JudgeCard, family_of
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
    some = folder / "some.jsonl"  # of all judges and models, as seven has no part in their numbers
    some.write_text("".join(long.read_text(encoding="utf-8").splitlines(keepends=True)[::7]))
    again = well("import", "verdicts", some, "--store", store)
    assert "6145 verdicts, 0 new, 6145 known already" in again.err
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


# the card: what is wrong with these verdicts, found without being told ---------------------------


@pytest.fixture(scope="module")
def card(case: Any) -> Callable[[str], JudgeCard]:
    return cache(lambda judge: judgebench.judge_card(judge, store=case[2]))


Card: TypeAlias = Callable[[str], JudgeCard]


def measure(card: JudgeCard, name: str) -> CardMeasure:
    (section,) = card.sections
    return next(one for one in section.measures if one.name == name)


def test_the_missing_rows_of_a_judge_on_one_model_are_found(card: Card) -> None:
    found = card("Llama-70B")
    missing = measure(found, "missing")
    assert missing.state == "failed"
    assert dict(missing.fails) == {"llama2-13b-base": "130 of 400"}
    assert measure(card("JudgeLM"), "missing").state == "passed"


def test_the_corrupted_block_is_found_and_no_other_of_that_judge(card: Card) -> None:
    found = card("GPT-4")
    outlier = measure(found, "block_outlier")
    assert outlier.state == "failed"
    assert [*outlier.fails] == ["llama2-13b-chat"]
    kappa = measure(found, "model_kappa").models["llama2-13b-chat"]
    assert kappa.value == pytest.approx(0.2495, abs=5e-5)
    (section,) = found.sections
    assert [*section.excluded] == ["llama2-13b-chat"]
    assert [one.believed for one in section.decisions] == ["yes", "yes"]
    assert "believe it for scores and ranking; not on llama2-13b-chat, because" in found.verdict


def test_the_pairs_that_cannot_be_are_found(card: Card) -> None:
    expected = {
        "mistral-7B": "24 of 237", "gpt-4t": "17 of 233", "llama2-7b-chat": "8 of 95",
    }  # fmt: skip
    for judge, other in (("EM", "Contains"), ("Contains", "EM")):
        one = measure(card(judge), "impossible")
        assert one.against == other
        assert one.state == "failed"
        assert {m: int(said.split(" of ")[0]) for m, said in one.fails.items()} == {
            m: int(said.split(" of ")[0]) for m, said in expected.items()
        }
    assert measure(card("JudgeLM"), "impossible").state == "unknown"


def test_the_judge_that_says_yes_to_everything_is_found(card: Card) -> None:
    found = card("Gemma-2B")
    assert {"mistral-7B", "llama2-7b-chat"} <= measure(found, "near_constant").fails.keys()
    assert {"mistral-7B", "llama2-7b-chat"} <= measure(found, "model_kappa").fails.keys()
    assert {one.believed for one in found.sections[0].decisions} == {"no"}


def test_agreement_is_that_of_the_agreement_report(card: Card, case: Any) -> None:
    rows = judgebench.agreement("trivia_judging", judges=["GPT-4"], store=case[2]).rows
    pooled = next(row for row in rows if row.scope == "pooled").metrics
    one = card("GPT-4")
    for name in ("cohen_kappa", "mcc", "gwet_ac1", "p_c", "p_plus"):
        ours, theirs = measure(one, name).estimate, pooled[name]
        assert (ours.value, ours.low, ours.high, ours.n) == (
            theirs.value, theirs.low, theirs.high, theirs.n,
        )  # fmt: skip
    for name in ("kendall", "spearman", "score_delta"):
        assert measure(one, name).estimate.value == pytest.approx(pooled[name].value, abs=1e-12)


@pytest.mark.parametrize("judge", ["Llama-7B", "GPT-4", "human"])
def test_self_preference_is_the_mean_error_on_its_own_family_less_that_on_others(
    card: Card, judge: str
) -> None:
    found = card(judge)
    one = measure(found, "own_family")
    family = family_of(judge)
    if family is None:
        assert one.estimate.undefined
        return
    errors: dict[bool, list[int]] = {True: [], False: []}
    with (FIGURES / "verdicts.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row[judge]:
                errors[family_of(row["exam_taker"]) == family].append(
                    int(row[judge]) - int(row["human"])
                )
    assert all(errors.values())
    assert one.estimate.value == pytest.approx(np.mean(errors[True]) - np.mean(errors[False]))
