"""``run`` and ``plan`` with ``--model``, ``--judge`` and ``--limit``: a part of any suite."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction, verdict

RULES = {"free_form": "rule", "multiple_choice": "rule"}
NOBODY = "http://127.0.0.1:1/v1"
TAKERS = ("model-careful", "model-terse", "model-weak")


def react(ask: Ask) -> Reaction:
    return Reaction(text=verdict(ask))


def wide(folder: Path, url: str) -> Path:
    """Three models, a judge that compares with the first, one that does not, and two rules."""
    path = runs.suite(
        folder,
        url,
        takers=TAKERS,
        more_judges=[{"name": "comparer", "kind": "pairwise"}],
        benchmark={
            "models": [*TAKERS],
            "baseline": "model-careful",
            "panel": ["exact_match", "contains"],
        },
    )
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    written["benchmarks"].append(
        {"name": "mixeval_mini", "models": ["model-curt"], "judges": ["rules"], "limit": 9}
    )
    written["judges"].append({"name": "rules", "kind": "graded", "options": RULES})
    answers = runs.ROOT / "tasks" / "mixeval_mini" / "answers.jsonl"
    written["models"].append({"name": "model-curt", "responses": str(answers)})
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


def judged(folder: Path) -> Counter[tuple[str, str, str]]:
    """Verdicts in the store by benchmark, judge and model."""
    with open_store(runs.store_url(folder), read_only=True) as store:
        found: Counter[tuple[str, str, str]] = Counter()
        for name, version in store.benchmarks():
            columns = store.verdicts(name, version)
            rows = zip(columns["judge"], columns["model"], strict=True)
            found.update((name, judge, model) for judge, model in rows)
        return found


def manifest(folder: Path) -> Any:
    with open_store(runs.store_url(folder), read_only=True) as store:
        return store.runs()[-1].configuration


def test_one_judge_one_model_and_the_first_items(tmp_path: Path) -> None:
    with Loopback(react) as server:
        path = wide(tmp_path, server.url)
        words = ("--model", "model-weak", "--judge", "small", "--judge", "contains", "--limit", 2)
        done = runs.typed("run", path, "--quiet", *map(str, words))
        assert done.code == 0, done.err
        assert judged(tmp_path) == {
            ("trivia_judging_mini", "contains", "model-weak"): 2,
            ("trivia_judging_mini", "small", "model-weak"): 2,
        }
        narrowed = {"limit": 2, "models": ["model-weak"], "judges": ["small", "contains"]}
        assert manifest(tmp_path)["narrowed"] == narrowed
        before = len(server.asks)
        # The comparer's replies are no comparisons, which a whole run says with its exit code.
        assert runs.typed("run", path, "--quiet").code == 75
        assert "narrowed" not in manifest(tmp_path)
        asked_again = Counter(ask.sha for ask in server.asks)
    assert before == 2
    assert set(asked_again.values()) == {1}, "the whole run asks only what is missing"


def test_a_baseline_that_is_not_named_is_compared_with_and_not_judged(tmp_path: Path) -> None:
    with Loopback(react) as server:
        path = wide(tmp_path, server.url)
        words = ("--model", "model-weak", "--judge", "comparer", "--judge", "small")
        done = runs.typed("run", path, "--quiet", *words)
    assert done.code == 0, done.err
    assert judged(tmp_path) == {
        ("trivia_judging_mini", "comparer", "model-weak"): 6,
        ("trivia_judging_mini", "small", "model-weak"): 6,
    }


def test_a_limit_never_asks_more_than_the_suite(tmp_path: Path) -> None:
    path = wide(tmp_path, NOBODY)
    done = runs.typed("run", path, "--quiet", "--judge", "rules", "--limit", "400")
    assert done.code == 0, done.err
    assert judged(tmp_path) == {("mixeval_mini", "rules", "model-curt"): 9}


def test_the_first_of_those_that_are_chosen_by_category(tmp_path: Path) -> None:
    path = runs.suite(tmp_path, takers=("model-curt",))
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    written["models"][0]["responses"] = str(runs.ROOT / "tasks" / "mixeval_mini" / "answers.jsonl")
    benchmark = {"name": "mixeval_mini", "judges": ["rules"], "limit_by_category": 1}
    written["benchmarks"] = [benchmark]
    written["judges"] = [{"name": "rules", "kind": "graded", "options": RULES}]
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    whole = json.loads(runs.typed("plan", path, "--format", "json").out)["rows"]
    some = json.loads(runs.typed("plan", path, "--format", "json", "--limit", "2").out)["rows"]
    assert [row["items"] for row in whole if row["judge"]] == [9]
    assert [row["items"] for row in some if row["judge"]] == [2]


def test_plan_takes_the_same_and_says_what_it_plans(tmp_path: Path) -> None:
    path = wide(tmp_path, NOBODY)
    words = ("--model", "model-weak", "--judge", "small", "--limit", "3")
    rows = json.loads(runs.typed("plan", path, *words, "--format", "json").out)["rows"]
    asked = {(row["benchmark"], row["model"], row["judge"]) for row in rows}
    assert asked == {
        ("trivia_judging_mini", "model-weak", None),
        ("trivia_judging_mini", "model-weak", "small"),
    }
    assert {row["items"] for row in rows} == {3}
    said = runs.typed("plan", path, *words).out
    assert f"what `judgebench run {path} {' '.join(words)}` would do now" in said


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--model", "model-week"),
            "--model: no model called 'model-week'; did you mean 'model-weak'",
        ),
        (("--judge", "contians"), "--judge: no judge called 'contians'; did you mean 'contains'"),
        (
            ("--judge", "rules", "--model", "model-weak"),
            "no benchmark of the suite is judged by rules with answers of model-weak",
        ),
        (("--limit", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_asked(
    tmp_path: Path, command: str, words: tuple[str, ...], says: str
) -> None:
    done = runs.typed(command, wide(tmp_path, NOBODY), *words)
    assert done.code == 64
    assert says in done.err
    assert not (tmp_path / "store.db").exists()


def test_what_is_left_out_need_not_be_there(tmp_path: Path) -> None:
    """A checkpoint that is still to come, a judge whose server is down, answers not written yet."""
    path = wide(tmp_path, NOBODY)
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    del written["benchmarks"][0]["models"]
    written["models"] += [
        {"name": "to-come", "lm_eval": {"model_args": {"pretrained": str(tmp_path / "none")}}},
        {"name": "next-week", "responses": str(tmp_path / "none.jsonl")},
    ]
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert runs.typed("run", path, "--quiet").code != 0
    done = runs.typed("run", path, "--quiet", "--judge", "contains", "--model", "model-terse")
    assert done.code == 0, done.err
    assert judged(tmp_path) == {("trivia_judging_mini", "contains", "model-terse"): 6}


def test_asking_afresh_takes_no_part_of_a_suite(tmp_path: Path) -> None:
    gate = tmp_path / "gate.json"
    done = runs.typed("run", wide(tmp_path, NOBODY), "--confirm", gate, "--limit", "3")
    assert done.code == 64
    assert "--confirm asks afresh and nothing else" in done.err
