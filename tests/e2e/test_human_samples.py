"""Judges on what people have judged: whole runs, then agreement against a count of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from judgebench.benchmarks.data import import_data
from tests import alignbench_gold
from tests.e2e.runs import ROOT, store_url, typed
from tests.loopback import Ask, Loopback, Reaction

MINI = ROOT / "tasks" / "alignbench_mini"
NAMES = ("pearson", "spearman", "kendall")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def suite(folder: Path, url: str, *benchmarks: Mapping[str, Any], **parts: Any) -> Path:
    judge = {"kind": "critique", "provider": "openai_compatible", "model": "critic"}
    written = {
        "name": "judges",
        "judges": [{"name": "critic", **judge, "base_url": url}],
        "benchmarks": [{"judges": ["critic"], **benchmark} for benchmark in benchmarks],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written | parts, allow_unicode=True), encoding="utf-8")
    return path


def number(text: str, n: int) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % n


def code(ask: Ask) -> str:
    return re.findall("'编号': '([0-9a-f]{6})'", ask.text)[-1]


def shown(ask: Ask, *names: str) -> list[str]:
    """The texts between their lines."""
    return [
        re.findall(rf"<<{code(ask)}: {n}开始>>\n(.*?)\n<<{code(ask)}: {n}结束>>", ask.text, re.S)[0]
        for name in names
        for n in (re.escape(name),)
    ]


def score_of(question: str, answer: str) -> int | None:
    """What the scripted judge gives an answer; it cannot be read on one in eleven."""
    drawn = number(question + answer, 11)
    return None if drawn == 0 else drawn


def scores(ask: Ask) -> Reaction:
    found = score_of(*shown(ask, "问题", "待评回答"))
    if found is None:
        return Reaction(text="说不好。")
    return Reaction(text=f"评语。\n{{'编号': '{code(ask)}', '综合得分': {found}}}")


def compared_as(first: str, second: str) -> int:
    """0 for the answer shown first, 1 for the other, 2 for a tie, -1 for nothing readable."""
    drawn = number(first + second, 9)
    if drawn == 8:
        return -1
    return 2 if drawn == 7 else int(len(second) > len(first)) if drawn > 2 else 0


def compares(ask: Ask) -> Reaction:
    label = compared_as(*shown(ask, "助手1的回答", "助手2的回答"))
    if label < 0:
        return Reaction(text="各有所长。")
    word = ("助手1", "助手2", "质量相当")[label]
    return Reaction(text=f"比较。\n{{'编号': '{code(ask)}', '综合比较结果': '{word}'}}")


def agreement(folder: Path, benchmark: str, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pooled row of the judge, and what is said of this kind of verdict."""
    done = typed("agreement", benchmark, "--store", store_url(folder), "--format", "json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    (row,) = [
        row
        for row in found["rows"]
        if (row["judge"], row["kind"], row["scope"]) == ("critic", kind, "pooled")
    ]
    (said,) = [one for one in found["kinds"] if one["kind"] == kind]
    return row, said


def by_scipy(x: Sequence[float], y: Sequence[float]) -> list[float]:
    from scipy.stats import kendalltau, pearsonr, spearmanr

    return [float(f(x, y).statistic) for f in (pearsonr, spearmanr, kendalltau)]


def mean_correlation(groups: Sequence[tuple[Any, Any]]) -> tuple[list[float], int]:
    """Over the groups in which both tell answers apart."""
    varied = [(x, y) for x, y in groups if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0]
    return np.mean([by_scipy(x, y) for x, y in varied], axis=0).tolist(), len(varied)


def found_values(row: Mapping[str, Any], begins: str = "", ends: str = "") -> list[float]:
    return [row["metrics"][f"{begins}{name}{ends}"]["value"] for name in NAMES]


def test_scores_of_the_gold_sample_against_scipy(tmp_path: Path) -> None:
    alignbench_gold.needed()
    import pandas as pd

    name = "alignbench_pointwise"
    import_data(name, alignbench_gold.GOLD)
    with Loopback(scores) as server:
        path = suite(tmp_path, server.url, {"name": name})
        done = typed("run", path)
        assert done.code == 0, done.err
        assert len(server.asks) == 100
        assert all("参考回答开始" in ask.text for ask in server.asks)
        assert "has no answer for" not in done.err
        assert (again := typed("run", path)).code == 0
        assert len(server.asks) == 100, again.err
    table = pd.read_parquet(alignbench_gold.GOLD / "human_pointwise_reference_based.parquet")
    table = table.sort_values("id").reset_index(drop=True)
    said = [score_of(q, a) for q, a in zip(table.question, table.response, strict=True)]
    table["judge"] = [np.nan if one is None else float(one) for one in said]
    row, about = agreement(tmp_path, name, "score")
    unread = int(table.judge.isna().sum())
    assert unread > 3
    for ends, read in (("", table.dropna()), ("_upstream", table.fillna(5.0))):
        questions = [(g.judge, g.human_score) for _, g in read.groupby("question")]
        expected, n = mean_correlation(questions)
        assert found_values(row, "sample_", ends) == pytest.approx(expected, abs=1e-9)
        assert about["counts"]["critic"][f"compared{ends}"] == n
        means = read.groupby("model")[["judge", "human_score"]].mean()
        expected = by_scipy(means.judge, means.human_score)
        assert found_values(row, "", ends) == pytest.approx(expected, abs=1e-9)
        blocks = [read[(read.id >= at) & (read.id < at + 8)] for at in range(0, 96, 8)]
        expected, n = mean_correlation([(b.judge, b.human_score) for b in blocks])
        assert found_values(row, "block_", ends) == pytest.approx(expected, abs=1e-9)
        assert about["counts"]["critic"][f"blocks_compared{ends}"] == n
        assert row["metrics"][f"pearson{ends}"]["missing"] == (0 if ends else unread)
    counts = about["counts"]["critic"]
    assert {n: counts[n] for n in ("answers", "unreadable", "failed", "not_asked")} == {
        "answers": 100, "unreadable": unread, "failed": 0, "not_asked": 0,
    }  # fmt: skip
    assert (counts["questions"], counts["with_several"], counts["systems"]) == (86, 14, 8)
    assert (counts["blocks"], counts["after_blocks"]) == (12, 4)
    assert (about["raters"], about["unparsed"]) == (["human/critiquellm"], 5)
    assert row["metrics"]["pearson"]["units"] == table.dropna().question.nunique()
    text = typed("agreement", name, "--store", store_url(tmp_path)).out
    assert f"missing: {unread} unreadable" in text
    assert "an unreadable score counts as 5" in text
    board = typed("leaderboard", name, "--store", store_url(tmp_path), "--format", "json")
    boards = {one["judge"]: one for one in json.loads(board.out)["boards"]}
    people = {r["model"]: r["metrics"]["score"] for r in boards["human/critiquellm"]["rows"]}
    for model, expected_mean in table.groupby("model").human_score.mean().items():
        assert people[str(model)]["value"] == pytest.approx(expected_mean)
        assert people[str(model)]["missing"] == 0


def test_comparisons_of_the_gold_sample_counted_again(tmp_path: Path) -> None:
    alignbench_gold.needed()
    import pandas as pd

    name = "alignbench_pairwise"
    import_data(name, alignbench_gold.GOLD)
    with Loopback(compares) as server:
        done = typed("run", suite(tmp_path, server.url, {"name": name, "orders": "both"}))
        assert done.code == 0, done.err
        assert len(server.asks) == 200
    table = pd.read_parquet(alignbench_gold.GOLD / "human_pairwise_reference_based.parquet")
    con = agr = read = con_read = agr_read = 0
    outcomes = []
    for first, second, label in zip(table.response_1, table.response_2, table.label, strict=True):
        one, swapped = compared_as(first, second), compared_as(second, first)
        same = (one, swapped) in {(0, 1), (1, 0), (2, 2)}
        con += same
        agr += same and one == label
        if -1 not in (one, swapped):
            read += 1
            con_read += same
            agr_read += same and one == label
        won = [{0: 1.0, 1: 0.0, 2: 0.5}.get(one), {0: 0.0, 1: 1.0, 2: 0.5}.get(swapped)]
        known = [p for p in won if p is not None]
        outcomes.append((np.sign(np.mean(known) - 0.5), 1 - 2 * label) if known else None)
    row, about = agreement(tmp_path, name, "preference")
    metrics = {name: one["value"] for name, one in row["metrics"].items()}
    expected = {
        "consistency": con_read / read,
        "consistent_agreement": agr_read / read,
        "consistency_upstream": con / 100,
        "consistent_agreement_upstream": agr / 100,
        "agreement": np.mean([one == two for one, two in filter(None, outcomes)]),
    }
    assert 0 < agr < con < 100
    assert read < 100
    assert {n: metrics[n] for n in expected} == pytest.approx(expected, abs=1e-9)
    assert row["metrics"]["consistency"]["missing"] == 100 - read
    assert row["metrics"]["consistency"]["low"] < metrics["consistency"]
    assert row["metrics"]["consistency_upstream"]["units"] == table.question.nunique()
    assert about["raters"] == ["human/critiquellm"]
    text = typed("agreement", name, "--store", store_url(tmp_path)).out
    assert "consistent agreement, upstream" in text
    assert "macro" not in text  # there is one model


def test_without_both_orders_there_is_no_consistency(tmp_path: Path) -> None:
    alignbench_gold.needed()
    import_data("alignbench_pairwise", alignbench_gold.GOLD)
    with Loopback(compares) as server:
        asked = {"name": "alignbench_pairwise", "limit": 12}
        assert typed("run", suite(tmp_path, server.url, asked)).code == 0
        assert len(server.asks) == 12
    row, _ = agreement(tmp_path, "alignbench_pairwise", "preference")
    assert row["metrics"]["consistency"]["value"] is None
    assert "orders: both" in row["metrics"]["consistency"]["undefined"]
    text = typed("agreement", "alignbench_pairwise", "--store", store_url(tmp_path)).out
    assert "no consistency: no pair was shown in both orders; a suite says orders: both" in text


def test_critiques_of_open_questions_against_the_authors_scores(tmp_path: Path) -> None:
    """alignbench_mini brings no answers: the suite names them, and the labels."""
    models = [
        {"name": f"model-{how}", "responses": str(MINI / "answers.jsonl")}
        for how in ("thorough", "rambling", "sloppy")
    ]
    asked = {"name": "alignbench_mini", "labels": [str(MINI / "scores.jsonl")]}
    with Loopback(scores) as server:
        done = typed("run", suite(tmp_path, server.url, asked, models=models))
        assert done.code == 0, done.err
        assert len(server.asks) == 143  # one answer is blank
        body = server.asks[0].body
        assert (body["temperature"], body["max_tokens"]) == (0, 1024)
    row, about = agreement(tmp_path, "alignbench_mini", "score")
    counts = about["counts"]["critic"]
    assert (counts["answers"], counts["questions"], counts["systems"]) == (144, 48, 3)
    assert (about["block"], counts["with_several"]) == (None, 48)
    assert row["metrics"]["sample_spearman"]["units"] == counts["compared"]
    assert "block_pearson" not in row["metrics"]
    assert {one["kind"] for one in done_kinds(tmp_path)} == {"score"}


def done_kinds(folder: Path) -> list[dict[str, Any]]:
    done = typed("agreement", "alignbench_mini", "--store", store_url(folder), "--format", "json")
    kinds: list[dict[str, Any]] = json.loads(done.out)["kinds"]
    return kinds


def test_a_suite_without_models_needs_a_benchmark_that_brings_answers(tmp_path: Path) -> None:
    done = typed("run", suite(tmp_path, "http://127.0.0.1:9/v1", {"name": "alignbench_mini"}))
    assert done.code == 78
    assert "no model answers it; name one below 'models'" in done.err


def test_a_suites_own_models_take_part_where_they_are_named(tmp_path: Path) -> None:
    alignbench_gold.needed()
    import_data("alignbench_pointwise", alignbench_gold.GOLD)
    answers = tmp_path / "mine.jsonl"
    lines = [{"item_id": str(n), "text": f"回答{n}。"} for n in range(4)]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    asked = {"name": "alignbench_pointwise", "limit": 4}
    mine = {"name": "mine", "responses": str(answers)}
    calls = {}
    for models in (None, ["mine"]):
        named = {**asked, **({"models": models} if models else {})}
        path = suite(tmp_path, "http://127.0.0.1:9/v1", named, models=[mine])
        done = typed("plan", path, "--format", "json")
        assert done.code == 0, done.err
        calls[str(models)] = json.loads(done.out)["total"]["judge_calls"]
    assert calls == {"None": 4, "['mine']": 8}
    path = suite(tmp_path, "http://127.0.0.1:9/v1", asked, models=[{**mine, "name": "GPT_4"}])
    assert "brings answers of a model called 'GPT_4'" in typed("plan", path).err
