"""What a suite can ask for, end to end: remote models, pairs in both orders, repeats, prices."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction

PLAIN = {"explain": False}
QUESTIONS = ("Which river flows through Vienna?", "Who wrote Faust?", "How many legs has a spider?")


def write(folder: Path, **parts: Any) -> Path:
    """A suite over three questions of our own; ``parts`` are its sections."""
    items = folder / "prompts.jsonl"
    items.write_text(
        "\n".join(
            json.dumps({"id": f"q{n}", "prompt": q, "reference": f"answer {n}"})
            for n, q in enumerate(QUESTIONS)
        )
    )
    for name in ("old", "new"):
        (folder / f"{name}.jsonl").write_text(
            "\n".join(
                json.dumps({"item_id": f"q{n}", "model": name, "text": f"{name} answer {n}"})
                for n in range(len(QUESTIONS))
            )
        )
    suite = {
        "name": "engine",
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 10},
        "store": runs.store_url(folder),
        **parts,
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def recorded(folder: Path, *names: str) -> list[dict[str, Any]]:
    return [{"name": name, "responses": str(folder / f"{name}.jsonl")} for name in names]


def own(folder: Path, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": "own", "items": str(folder / "prompts.jsonl"), **fields}]


def judge(url: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": "j",
        "provider": "openai_compatible",
        "base_url": url,
        "model": "judge",
        "identity": "judge",
        **fields,
    }


def columns(folder: Path, *names: str) -> list[tuple[Any, ...]]:
    with open_store(runs.store_url(folder), read_only=True) as store:
        found = store.verdicts("own")
    return sorted(zip(*(found[name] for name in names), strict=True))


# Models behind an API ---------------------------------------------------------------------------


def test_a_remote_model_is_asked_once_and_judged(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text='{"score": 7}')) as server:
        models = [
            {
                "name": "remote",
                "api": {
                    "provider": "openai_compatible",
                    "base_url": server.url,
                    "model": "candidate",
                    "identity": "there",
                    "system": "Be brief.",
                },
            }
        ]
        suite = write(
            tmp_path,
            models=models,
            judges=[judge(server.url, kind="rubric", options=PLAIN)],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["j"], max_tokens=50),
        )
        planned = json.loads(runs.typed("plan", suite, "--format", "json").out)
        assert planned["total"]["generations"] == 3
        assert planned["total"]["judge_calls"] == 3
        assert planned["total"]["prompt_tokens"] > 100
        done = runs.typed("run", suite)
        asked = [ask for ask in server.asks if ask.body["model"] == "candidate"]
        again = runs.typed("run", suite)
    assert again.code == 0, again.err
    assert len(asked) == 3
    assert {a.body["messages"][0]["content"] for a in asked} == {"Be brief."}
    assert {a.body["max_tokens"] for a in asked} == {50}
    assert len(server.asks) == 6
    assert "3 generations, 3 judge calls made" in done.err
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        answers = store.responses_table("own")
        spend = store.spend()
    assert answers["text"] == ['{"score": 7}'] * 3
    assert answers["source"] == ["api:candidate-served"] * 3
    assert Counter(zip(spend["how"], spend["judge"], spend["calls"], strict=True)) == {
        ("live", None, 3): 1,
        ("live", "j", 3): 1,
    }


def test_samples_of_a_remote_model_have_seeds_of_their_own(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text=f"seed {ask.body['seed']}")) as server:
        api = {"provider": "openai_compatible", "base_url": server.url, "model": "candidate"}
        models = [{"name": "remote", "api": {**api, "sampling": {"temperature": 1.0}}}]
        suite = write(
            tmp_path,
            models=models,
            benchmarks=own(tmp_path, judges=["contains"], samples=3),
            seed=7,
        )
        done = runs.typed("run", suite, "--quiet")
    assert done.code == 0, done.err
    assert Counter(ask.body["seed"] for ask in server.asks) == {7: 3, 8: 3, 9: 3}


def test_several_samples_at_temperature_zero_are_refused(tmp_path: Path) -> None:
    api = {"provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": "c"}
    suite = write(
        tmp_path,
        models=[{"name": "remote", "api": api}],
        benchmarks=own(tmp_path, judges=["contains"], samples=2),
    )
    done = runs.typed("run", suite)
    assert done.code == 78
    assert "2 samples at temperature 0 are one answer paid for 2 times" in done.err


def test_one_model_that_is_down_does_not_stop_the_others(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text="fine")) as server:
        api = {"provider": "openai_compatible", "model": "c", "max_retries": 0}
        models = [
            {"name": "down", "api": {**api, "identity": "d", "base_url": "http://127.0.0.1:9/v1"}},
            {"name": "up", "api": {**api, "identity": "u", "base_url": server.url}},
            *recorded(tmp_path, "old"),
        ]
        suite = write(tmp_path, models=models, benchmarks=own(tmp_path, judges=["contains"]))
        done = runs.typed("run", suite, "--quiet")
    assert done.code == 69
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        answers = Counter(store.responses_table("own")["model"])
        failures = store.failures("own")
    assert answers == {"up": 3, "old": 3}
    assert failures["kind"] == ["connection"] * 3


# Ways of judging --------------------------------------------------------------------------------


def _prefers_new(ask: Ask) -> Reaction:
    text = ask.text
    return Reaction(text="A" if text.index("new answer") < text.index("old answer") else "B")


def test_pairs_are_judged_in_both_orders(tmp_path: Path) -> None:
    with Loopback(_prefers_new) as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[judge(server.url, options={"format": "word"})],
            benchmarks=own(tmp_path, baseline="old", orders="both", judges=["j"]),
        )
        done = runs.typed("run", suite)
        assert done.code == 0, done.err
        again = runs.typed("run", suite, "--quiet")
    assert len(server.asks) == 6
    assert "0 judge calls made, 6 recorded" in again.err
    assert columns(tmp_path, "model", "opponent", "order", "kind", "value") == [
        ("new", "old", order, "preference", 1.0)
        for order in ("model_first", "opponent_first")
        for _ in QUESTIONS
    ]
    board = json.loads(runs.typed("leaderboard", "own", "--store", runs.store_url(tmp_path),
                                  "--format", "json").out)["boards"][0]  # fmt: skip
    assert board["rows"][0]["metrics"]["win_rate"]["value"] == 100.0


def test_a_drawn_order_is_the_same_for_every_model(tmp_path: Path) -> None:
    with Loopback(_prefers_new) as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[judge(server.url, options={"format": "word"})],
            benchmarks=own(tmp_path, baseline="old", judges=["j"]),
        )
        runs.typed("run", suite, "--quiet")
    assert len(server.asks) == 3
    assert {value for (value,) in columns(tmp_path, "value")} == {1.0}


def test_a_judge_asked_several_times_is_asked_anew_each_time(tmp_path: Path) -> None:
    def says(ask: Ask) -> Reaction:
        return Reaction(text=json.dumps({"score": ask.body["seed"] % 10}))

    with Loopback(says) as server:
        sampling = {"temperature": 1, "seed": 3, "max_tokens": 20}
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=[judge(server.url, kind="rubric", options=PLAIN, sampling=sampling)],
            benchmarks=own(tmp_path, scale=[1, 10], judge_samples=3, judges=["j"]),
        )
        done = runs.typed("run", suite, "--quiet")
        assert done.code == 0, done.err
    assert Counter(ask.body["seed"] for ask in server.asks) == {3: 3, 4: 3, 5: 3}
    found = columns(tmp_path, "repeat", "value")
    assert Counter(found) == {(0, 3.0): 3, (1, 4.0): 3, (2, 5.0): 3}


def test_a_comparing_judge_without_a_baseline_is_told_what_to_say(tmp_path: Path) -> None:
    suite = write(
        tmp_path,
        models=recorded(tmp_path, "old"),
        judges=[judge("http://127.0.0.1:9/v1", kind="pairwise")],
        benchmarks=own(tmp_path, judges=["j"]),
    )
    done = runs.typed("run", suite)
    assert done.code == 78
    assert "judge j compares answers: say with which model's, as the baseline" in done.err


def test_a_panel_stands_on_the_boards_and_is_no_verdict(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text=json.dumps({"score": len(ask.body["model"])}))) as url:
        three = [
            judge(url.url, name=name, model=name, identity=name, kind="rubric", options=PLAIN)
            for name in ("aa", "bbbb", "cccccc")
        ]
        names = [one["name"] for one in three]
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=three,
            benchmarks=own(
                tmp_path,
                scale=[1, 10],
                judges=names,
                panel={"judges": names, "rule": "mean", "min_valid": 2},
            ),
        )
        done = runs.typed("run", suite)
    assert done.code == 0, done.err
    assert "panel/mean(aa,bbbb,cccccc;min_valid=2)" in done.out
    assert {name for (name,) in columns(tmp_path, "judge")} == set(names)


# Money ------------------------------------------------------------------------------------------


def test_a_price_of_the_suite_is_forecast_and_spent(tmp_path: Path) -> None:
    price = {"input": 1000, "output": 2000}  # a thousandth of a cent would not show
    with Loopback(lambda ask: Reaction(text=json.dumps({"score": 5}))) as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=[judge(server.url, kind="rubric", price=price)],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["j"]),
        )
        total = json.loads(runs.typed("plan", suite, "--format", "json").out)["total"]
        done = runs.typed("run", suite, "--quiet")
        again = runs.typed("run", suite, "--quiet")
    assert 0 < total["cost_usd"]["low"] <= total["cost_usd"]["expected"] < total["cost_usd"]["high"]
    assert "forecast: j " in done.err
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        spend = store.spend()
    assert spend["how"] == ["live"]
    tokens = spend["prompt_tokens"][0], spend["completion_tokens"][0]
    assert spend["cost_usd"][0] == (tokens[0] * 1000 + tokens[1] * 2000) / 1e6
    assert "nothing that costs money is missing" in again.err
