"""Runs that judge no further than it takes to say which model is better."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.metrics.sequential import SequentialPlan
from judgebench.records import PLANS
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.e2e.test_batch_runs import asked, batch_judge
from tests.e2e.test_engine import judge
from tests.loopback import Ask, Loopback, Reaction
from tests.wire.batch_servers import KEY, OpenAIServer

ITEMS = 100
RULE = {"baseline": "old", "candidates": ["new"]}
PRICE = {"input": 1000.0, "output": 0.0}


def write(folder: Path, models: tuple[str, ...] = ("old", "new"), **parts: Any) -> Path:
    """A suite over many questions; of a model called ``new`` all but every fifth are better."""
    lines = [{"id": f"q{n:03}", "prompt": f"Question {n}?"} for n in range(ITEMS)]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name in models:
        said = [
            {"item_id": f"q{n:03}", "model": name, "text": f"{name} says {_mark(name, n)} to {n}"}
            for n in range(ITEMS)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, said)))
    rule = parts.pop("rule", RULE)
    suite = {
        "name": "early",
        "models": [{"name": n, "responses": str(folder / f"{n}.jsonl")} for n in models],
        "benchmarks": [
            {
                "name": "own",
                "items": str(folder / "prompts.jsonl"),
                "scale": [1, 10],
                "judges": ["j"],
                **({} if rule is None else {"stop_when_decided": rule}),
                **parts.pop("benchmark", {}),
            }
        ],
        "limits": {"max_connections": 4, "max_retries": 0, "timeout_s": 20},
        "store": runs.store_url(folder),
        **parts,
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def _mark(name: str, n: int) -> str:
    if name == "new":
        return "well" if n % 5 else "badly"
    return "badly" if n % 3 else "well"


def rates(ask: Ask) -> Reaction:
    answer = ask.text[ask.text.index(" says ") :]
    return Reaction(text=json.dumps({"score": 8 if answer.startswith(" says well") else 3}))


def rater(url: str, **fields: Any) -> dict[str, Any]:
    return judge(url, kind="rubric", options={"explain": False}, **fields)


def plans(folder: Path) -> list[Any]:
    """What each run has kept of its plans, in order."""
    with open_store(runs.store_url(folder), read_only=True) as store:
        return [list(run.configuration.get(PLANS, {}).values()) for run in store.runs()]


def judged(folder: Path) -> list[tuple[str, str]]:
    with open_store(runs.store_url(folder), read_only=True) as store:
        found = store.verdicts("own")
    return list(zip(found["model"], found["item_id"], strict=True))


def test_a_clear_difference_is_decided_early_and_the_rest_judged_later(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        judges = [rater(server.url, price=PRICE)]
        done = runs.typed("run", write(tmp_path, judges=judges), "--quiet")
        assert done.code == 0, done.err
        few, first = len(server.asks), judged(tmp_path)
        again = runs.typed("run", write(tmp_path, judges=judges), "--quiet")
        assert len(server.asks) == few
        compared = runs.typed("compare", "new", "old", "--store", runs.store_url(tmp_path))
        board = runs.typed("leaderboard", "own", "--store", runs.store_url(tmp_path))
        gate = runs.typed(
            "gate", "--candidate", "new", "--baseline", "old", "--store", runs.store_url(tmp_path)
        )
        told = runs.typed(
            "compare", "new", "old", "--store", runs.store_url(tmp_path), "--format", "json"
        )
        whole = runs.typed("run", write(tmp_path, judges=judges, rule=None), "--quiet")
        after = runs.typed(
            "compare", "new", "old", "--store", runs.store_url(tmp_path), "--stop-when-decided",
            "--format", "json",
        )  # fmt: skip
    (plan,), (same,), () = plans(tmp_path)
    (ended,) = plan["ended"].values()
    assert ended["decision"] == "better"
    assert ended["low"] > 0.0
    assert ended["items"] < ITEMS / 2
    # What is begun before the look has its verdicts is all that is asked for beyond it.
    assert 2 * ended["items"] <= few <= 2 * ended["items"] + 3 * 4
    assert same == plan
    ids = [f"q{n:03}" for n in range(ITEMS)]
    order = [ids[place] for place in SequentialPlan.of(plan).order(ids)]
    assert order != ids
    assert {item for _, item in first} == set(order[: len(first) // 2])
    assert "new is better than old, decided after" in done.err
    assert f"{2 * ITEMS - few} judgments not asked for, about " in done.err
    assert "decided after" in again.err
    assert len(judged(tmp_path)) == len(server.asks) == 2 * ITEMS
    assert whole.code == 0
    assert "stopped early" in compared.out
    cut = f"new was judged until it was decided, {ended['items']} of {ITEMS} items"
    assert cut in board.out
    assert cut in gate.out
    (test,) = json.loads(told.out)["tests"]
    assert test["difference"]["low"] == ended["low"]
    assert test["decision"] == "better"
    assert test["stop"]["items"] == ended["items"]
    (test,) = json.loads(after.out)["tests"]
    assert test["stop"]["decision"] == "better"
    assert test["stop"]["items"] < test["stop"]["of"] == ITEMS
    assert test["difference"]["units"] == ITEMS


def test_what_was_judged_before_a_plan_was_not_cut_short_by_it(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        judges, store = [rater(server.url)], ("--store", runs.store_url(tmp_path))
        runs.typed("run", write(tmp_path, judges=judges, rule=None), "--quiet")
        done = runs.typed("run", write(tmp_path, judges=judges), "--quiet")
        assert len(server.asks) == 2 * ITEMS
    assert "new is better than old, decided after" in done.err
    assert "until it was decided" not in runs.typed("leaderboard", "own", *store).out
    told = runs.typed("compare", "new", "old", *store, "--format", "json")
    (test,) = json.loads(told.out)["tests"]
    assert "stop" not in test
    assert test["difference"]["units"] == ITEMS


def test_the_board_of_a_panel_says_once_that_its_judges_stopped(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        other = {**rater(server.url), "name": "k", "sampling": {"temperature": 0.5}}
        panel = {"judges": ["j", "k"], "panel": {"judges": ["j", "k"], "rule": "mean"}}
        suite = write(tmp_path, judges=[rater(server.url), other], benchmark=panel)
        done = runs.typed("run", suite, "--quiet")
    assert done.code == 0, done.err
    shown = runs.typed("leaderboard", "own", "--store", runs.store_url(tmp_path)).out
    of_panel = shown[shown.index("judged by panel/") :]
    assert of_panel.count("new was judged until it was decided") == 1


def test_models_that_are_alike_are_judged_to_the_end(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        suite = write(tmp_path, ("old", "old2"), rule={}, judges=[rater(server.url)])
        done = runs.typed("run", suite, "--quiet")
    assert done.code == 0, done.err
    assert len(server.asks) == 2 * ITEMS
    assert "old2 against old, undecided after 100 of 100 items" in done.err


def test_several_models_share_the_error_rate_and_leave_one_by_one(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        suite = write(
            tmp_path, ("old", "new", "old2"), rule=None, judges=[rater(server.url)],
        )  # fmt: skip
        done = runs.typed("run", suite, "--quiet", "--stop-when-decided")
    assert done.code == 0, done.err
    ((plan,),) = plans(tmp_path)
    levels = sorted(its["level"] for its in plan["ended"].values())
    assert levels == [0.95, 0.975]  # decided first, with two open; then one
    models = [model for model, _ in judged(tmp_path)]
    assert models.count("new") < ITEMS / 2
    assert models.count("old") == models.count("old2") == ITEMS
    assert f"{ITEMS - models.count('new')} judgments not asked for" in done.err


def test_answers_that_are_compared_with_each_other(tmp_path: Path) -> None:
    def prefers(ask: Ask) -> Reaction:
        at = [ask.text.index(f"{name} says") for name in ("new", "old")]
        well = [ask.text[one + 9 :].startswith("well") for one in at]
        first = at[0] < at[1] if well[0] >= well[1] else at[1] < at[0]
        return Reaction(text="A" if first else "B")

    with Loopback(prefers) as server:
        suite = write(
            tmp_path,
            rule={},
            judges=[judge(server.url, kind="pairwise", options={"format": "word"})],
            benchmark={"baseline": "old", "scale": None, "orders": "both"},
        )
        done = runs.typed("run", suite, "--quiet")
    assert done.code == 0, done.err
    assert "new is better than old" in done.err
    assert len(server.asks) < ITEMS
    assert f"{2 * ITEMS - len(server.asks)} judgments not asked for" in done.err


@pytest.mark.usefixtures("forked")
def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    held = 30
    with Loopback(
        lambda ask: Reaction(text=rates(ask).text, until=lambda: len(server.asks) < held + ready[0])
    ) as server:
        ready = [0]
        suite = write(tmp_path, judges=[rater(server.url)])
        process = runs.start("run", suite, "--quiet")
        runs.eventually(lambda: len(server.asks) >= held)
        process.send_signal(signal.SIGINT)
        ready[0] = 10_000
        process.communicate(timeout=60)
        assert process.returncode == 130
        paid = len(server.asks)
        assert len(judged(tmp_path)) == paid
        done = runs.typed("run", suite, "--quiet")
        assert done.code == 0, done.err
        few = len(server.asks)
    assert "new is better than old" in done.err
    assert len({ask.text for ask in server.asks}) == few  # nothing was paid for twice
    (cut,), (whole,) = plans(tmp_path)
    assert not cut["ended"]
    assert whole == cut | {"ended": whole["ended"]}


def test_a_plan_is_not_changed_half_way(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        judges = [rater(server.url)]
        runs.typed("run", write(tmp_path, judges=judges), "--quiet")
        few = len(server.asks)
        for other in ({"alpha": 0.01}, {"covariates": True}, {"open_ended": True}):
            done = runs.typed("run", write(tmp_path, judges=judges, rule=RULE | other), "--quiet")
            assert done.code == 78
            (name,) = other
            assert f"began to judge by another plan ({name} " in done.err
        done = runs.typed("run", write(tmp_path, judges=judges), "--quiet", "--limit", "50")
        assert done.code == 78
        assert "(sizes 100, now 50)" in done.err
        turned = {"baseline": "new", "candidates": ["old"]}
        done = runs.typed("run", write(tmp_path, judges=judges, rule=turned), "--quiet")
        assert done.code == 78
        assert "(baseline old, now new; candidates new, now old)" in done.err
    assert len(server.asks) == few


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"baseline": "odl"}, "no model called 'odl'"),
        ({"baseline": "old", "candidates": ["old"]}, "there is no model beside the baseline, old"),
        ({"candidates": []}, "name candidates once each"),
        ({"alpha": 0.7}, "alpha"),
    ],
)
def test_a_rule_that_cannot_be(tmp_path: Path, rule: dict[str, Any], said: str) -> None:
    suite = write(tmp_path, rule=rule, judges=[rater("http://127.0.0.1:9/v1")])
    done = runs.typed("run", suite, "--quiet")
    assert done.code == 78
    assert said in done.err


def test_shards_are_refused(tmp_path: Path) -> None:
    suite = write(tmp_path, judges=[rater("http://127.0.0.1:9/v1")])
    done = runs.typed("run", suite, "--quiet", "--shard", "1/2")
    assert done.code == 78
    assert "stop_when_decided looks at the items of all shards together" in done.err


def test_items_that_are_added_go_on_an_open_plan_with_covariates(tmp_path: Path) -> None:
    with Loopback(rates) as server:
        judges, rule = [rater(server.url)], {"open_ended": True, "covariates": True}
        suite = write(tmp_path, ("old", "old2"), rule=rule, judges=judges)
        assert runs.typed("run", suite, "--quiet", "--limit", "60").code == 0
        more = runs.typed("run", suite, "--quiet", "--limit", "90")
    assert more.code == 0, more.err
    assert len(server.asks) == 2 * 90
    (first,), (second,) = plans(tmp_path)
    assert (first["sizes"], second["sizes"]) == ([60], [60, 90])
    assert "undecided after 90 of 90 items" in more.err


def test_batches_are_as_large_as_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_KEY", KEY)
    store = ("--store", runs.store_url(tmp_path))
    with OpenAIServer() as server:
        suite = write(tmp_path, judges=[batch_judge("openai", server.url, name="j")])

        def answered(number: int, line: Any) -> Any:
            text = json.dumps(line)
            return server.answered(line, json.dumps({"score": 8 if " says well to" in text else 3}))

        sent = []
        for _ in range(5):
            done = runs.typed("run", suite, "--batch", "--quiet")
            if done.code == 0:
                break
            assert done.code == 75, done.err
            sent.append(asked(server))
            waits = runs.typed("run", suite, "--quiet")  # nothing is asked beyond what waits
            assert waits.code == 75, waits.err
            server.end(answered)
            assert runs.typed("batches", "collect", *store).code == 0
    assert "new is better than old" in done.err
    assert sent[-1] == [40] * len(sent)
    assert len(sent) < 5
