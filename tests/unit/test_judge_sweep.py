"""Which judge to use: what is clearly worse is asked little, and the pick is good enough."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import judgebench
from judgebench.errors import UsageError
from judgebench.label_files import draw_labels, import_labels, queue_rows
from judgebench.providers.prices import billions_of
from judgebench.stats.elimination import Codes, Elimination, successive_elimination
from judgebench.store.opening import open_store
from perf.judge_sweep import BILLIONS, MARGIN, kappas, labels, replay
from tests.dashboards import label_stores, stores
from tests.dashboards.label_stores import MODELS, RIGHT, WRONG
from tests.e2e.runs import typed
from tests.e2e.test_rejudge import says, suite
from tests.loopback import Loopback
from tests.table import over_rows

N = 60
WHERE = f"{stores.BENCHMARK}@{stores.VERSION}"
TASKS = Path(__file__).resolve().parents[2] / "tasks"


def test_a_third_of_the_verdicts_finds_a_good_judge_in_replays_of_published_labels() -> None:
    said, truth, question = labels()
    known = kappas(said, truth)
    for seed in range(6):
        found = replay(said, truth, question, seed, budget=1 / 3)
        assert known[found.pick] >= known.max() - MARGIN
        assert found.verdicts <= found.grid / 3
        assert not found.standings[int(known.argmax())].out
        worst = found.standings[[*BILLIONS].index("Gemma-2B")]
        assert worst.out
        assert worst.n < len(truth) / 5


def swept(rates: list[float], costs: list[float], n: int = 2000, **how: Any) -> Elimination:
    """Judges that are right so often, on answers of two labels."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, n)
    said = np.array([np.where(rng.random(n) < rate, truth, 1 - truth) for rate in rates])

    def ask(judges: Any, upto: int) -> Codes:
        return said[list(judges), :upto]

    return successive_elimination(ask, truth, np.arange(n), costs, n_labels=2, **how)


def test_the_cheapest_within_the_margin_is_picked() -> None:
    found = swept([0.95, 0.95, 0.8, 0.6], [10.0, 1.0, 0.5, 0.1], n=8000)
    assert (found.pick, found.sure, found.decided) == (1, True, True)
    assert [one.out for one in found.standings] == [False, False, True, True]
    assert found.standings[3].n <= found.standings[2].n < 8000
    assert found.verdicts < found.grid


def test_little_budget_leaves_it_open_and_says_so() -> None:
    found = swept([0.9, 0.9], [2.0, 1.0], budget=0.1)
    assert found.looks == (150, 200)
    assert (found.sure, found.decided) == (False, False)
    assert found.verdicts <= found.grid * 0.1


def test_an_unknown_cost_is_the_dearest() -> None:
    assert swept([0.95, 0.95], [math.nan, 5.0]).pick == 1


def test_a_panel_takes_the_verdicts_of_its_members() -> None:
    def most(codes: Codes) -> Codes:
        return np.asarray(codes.sum(axis=0) * 2 > len(codes), dtype=np.int64)

    found = swept([0.85, 0.85, 0.85], [1.0, 1.0, 1.0, 3.0], panels=[(0, 1, 2)], combine=most)
    assert found.best == found.pick == 3
    assert found.verdicts == 3 * found.looks[-1]


def test_one_judge_and_no_labels() -> None:
    assert swept([0.9], [1.0]).pick == 0
    with pytest.raises(ValueError, match="needed"):
        swept([0.9], [1.0], n=0)


@over_rows(
    ("name", "billions"),
    [("Qwen2.5-72B-Instruct", 72), ("SmolLM2-135M", 0.135), ("mixtral-8x22b", 39), ("gpt-4", None),
     ("qwen3-30b-a3b", 3.3), ("command-r-plus", 104), ("llama-3.1", None)],
)  # fmt: skip
def test_names_say_how_large_a_model_is(name: str, billions: float | None) -> None:
    assert billions_of(name) == billions


# from a store -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three judges, of which one is good, one copies it and one guesses; anna is the truth."""
    folder = tmp_path_factory.mktemp("sweep")
    url = label_stores.fill(folder / "s.db", n_items=N)
    rng = np.random.default_rng(1)
    with open_store(url) as store:
        found = draw_labels(store, WHERE, n=2 * N)
        rows = queue_rows(store, found.record)
        truth = rng.random(2 * N) < 0.5
        lines = [
            {"queue": found.queue, "id": row["id"], "rater": "anna",
             "value": "correct" if right else "incorrect"}
            for row, right in zip(rows, truth, strict=True)
        ]  # fmt: skip
        file = folder / "l.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        import_labels([file], store=store)
    names = {label_stores.model(name).hex()[:12]: name for name in MODELS}
    cells = [(int(item), names[model]) for item, model, _ in found.record["cells"]]
    for judge, rate in (("good-70b", 0.95), ("cheap-7b", 0.95), ("guess-1b", 0.5)):
        right = truth == (rng.random(2 * N) < rate)
        said = {cell: RIGHT if yes else WRONG for cell, yes in zip(cells, right, strict=True)}
        label_stores.say(url, judge, said)
    return url


def test_a_replay_of_a_store(url: str) -> None:
    found = judgebench.judge_sweep(WHERE, store=url, margin=0.4)
    assert (found.unit, found.pick, found.labelled) == ("billions", "cheap-7b", 2 * N)
    assert {row.judge: row.cost for row in found.rows} == {
        "guess-1b": 1.0, "cheap-7b": 7.0, "good-70b": 70.0
    }  # fmt: skip
    assert next(row for row in found.rows if row.judge == "guess-1b").standing == "out"
    assert yaml.safe_load(found.suite)["benchmarks"][0]["judges"] == ["cheap-7b"]
    assert "at most 0.4 below the best" in found.tables()[0].notes[0]
    dear = judgebench.judge_sweep(
        WHERE, store=url, margin=0.4, costs={"good-70b": 0.1, "cheap-7b": 0.2, "guess-1b": 0.1}
    )
    assert (dear.unit, dear.pick) == ("usd", "good-70b")


def test_without_labels_nothing_is_picked(url: str) -> None:
    found = judgebench.judge_sweep(WHERE, store=url, reference="good-70b")
    assert found.pick is None
    assert not found.suite
    assert any("not whether either is right" in one for one in found.warnings)
    assert all(row.judge != "good-70b" for row in found.rows)


def test_names_that_are_not_there(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--panel"):
        judgebench.judge_sweep(WHERE, store=url, panels=["cheap-7b,nobody"])
    with pytest.raises(UsageError, match="--cost"):
        judgebench.judge_sweep(WHERE, store=url, costs={"nobody": 1.0})
    other = label_stores.fill(tmp_path / "o.db", n_items=3)
    with pytest.raises(UsageError, match="nobody has labelled"):
        judgebench.judge_sweep(WHERE, store=other)


def test_a_suite_is_asked_once_about_what_is_labelled(tmp_path: Path) -> None:
    answers = TASKS / "trivia_judging_mini" / "answers.jsonl"
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        f"""
name: sweep
models: [{{name: model-careful, responses: {answers}}}]
judges: [{{name: dice, kind: reference, provider: scripted, model: dice}}]
benchmarks: [{{name: trivia_judging_mini, judges: [contains, dice]}}]
"""
    )
    url = f"sqlite:///{tmp_path / 's.db'}"
    judgebench.run(suite, store=url, judges=["contains"])
    with open_store(url) as store:
        found = draw_labels(store, "trivia_judging_mini", n=40)
        table = store.verdicts("trivia_judging_mini", judges=["contains"])
        said = dict(zip(table["item_id"], table["label"], strict=True))
        rows = queue_rows(store, found.record)
        lines = [
            {"queue": found.queue, "id": row["id"], "rater": "anna", "value": said[item]}
            for row, (item, _, _) in zip(rows, found.record["cells"], strict=True)
        ]
        file = tmp_path / "l.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        import_labels([file], store=store)
    how: dict[str, Any] = {
        "suite": suite,
        "temperatures": [0.0, 0.7],
        "store": url,
        "kind": "label",
    }
    swept = judgebench.judge_sweep("trivia_judging_mini", **how)
    assert {row.judge for row in swept.rows} == {"contains", "dice/t0", "dice/t0.7"}
    assert swept.pick == "contains"
    with open_store(url) as store:
        judged = {name: len(store.verdicts("trivia_judging_mini", judges=[name])["kind"])
                  for name in ("dice/t0", "dice/t0.7")}  # fmt: skip
        before = len(store.runs())
        assert set(judged.values()) == {40}
        judgebench.judge_sweep("trivia_judging_mini", **how)
        new = sorted(store.runs(), key=lambda run: run.started)[before:]
        assert sum(run.counts["judge_calls"] for run in new) == 0
        assert new


def test_out_of_money_a_sweep_says_what_was_judged(tmp_path: Path) -> None:
    with Loopback(says) as server:
        path = suite(tmp_path, server.url)  # its store is the one that is meant
        assert typed("run", path, "--quiet", "--judge", "old").code == 0
        before = len(server.asks)
        swept = ("judge-sweep", "trivia_judging_mini", "--suite", path, "--format", "json")
        assert typed(*swept, "--max-cost", "nan").code == 64
        done = typed(*swept, "--max-cost", "0.001")
        assert done.code == 75, done.err
        asked = len(server.asks) - before
    assert "the sweep takes 100% of them at most" in done.err
    found = json.loads(done.out)
    n_of = {row["judge"]: row["n"] for row in found["rows"]}
    assert 0 < asked <= n_of["new"] < found["labelled"] / 2  # equal answers are asked about once
    assert found["verdicts"] == sum(n_of.values())
    assert not found["sure"]
    assert "pick" not in {row["standing"] for row in found["rows"]}
