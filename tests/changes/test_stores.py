"""Stores of the first release, opened today: the same values, and nothing asked again.

`tests/changes/stores/README.md` says what they hold and what to do where a test here fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.changes.stores import keep, make
from tests.e2e.runs import typed
from tests.loopback import Ask, Loopback, Reaction
from tests.table import over_rows

REGENERATE = "python tests/changes/stores/keep.py --shown"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What every command of `keep.COMMANDS` says of a store; each store is asked once."""

    @lru_cache
    def of(store: str) -> dict[str, Any]:
        path = keep.unpacked(store, tmp_path_factory.mktemp(store))
        return {words: keep.answer(words, path) for words in keep.COMMANDS[store]}

    return of


# what was measured --------------------------------------------------------------------------------


def test_every_value_of_the_first_release_is_found(answers: Any) -> None:
    rules = keep.Rules.read()
    wrong = []
    for store in keep.COMMANDS:
        kept = keep.kept_values(store)
        assert kept.keys() <= set(keep.COMMANDS[store])
        for words, facts in kept.items():
            now = keep.facts_of(answers(store)[words], whole=words in keep.WHOLE)
            wrong += [f"{store}: {words}: {line}" for line in keep.lost(store, facts, now, rules)]
    assert not wrong, f"{len(wrong)} values; the first of them:\n" + "\n".join(wrong[:20])
    idle = [r for r in (*rules.values, *rules.words) if str(r) not in rules.used]
    assert not idle, f"superseded.toml: nothing needs these rules: {idle}"


@over_rows("store", keep.COMMANDS)
def test_a_store_has_something_of_everything(store: str) -> None:
    kept = keep.kept_values(store)
    addresses = [address for facts in kept.values() for address in facts]
    assert len(addresses) > 500
    assert any("judge=" in address for address in addresses)
    assert any(
        fact.get("value") is not None and fact.get("n")
        for facts in kept.values()
        for some in facts.values()
        for fact in some
    )


# what is shown ------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", keep.COMMANDS)
def test_what_is_shown_beside_the_values(answers: Any, store: str) -> None:
    wrong = []
    for words, said in answers(store).items():
        if words in keep.WHOLE or words.startswith("export"):
            continue
        path = keep.shown_path(store, words)
        kept = json.loads(path.read_text(encoding="utf-8"))
        differ = list(keep.differences(kept, keep.shown_of(said), relative=2e-6))
        wrong += [f"{words}: {one}" for one in differ[:3]]
    advice = f"Where that is meant, write them anew and read the diff: {REGENERATE}"
    assert not wrong, "\n".join([*wrong, advice])


def test_no_file_is_left_of_a_command_that_is_not_asked_any_more() -> None:
    wanted = {
        keep.shown_path(store, words)
        for store, commands in keep.COMMANDS.items()
        for words in commands
        if words not in keep.WHOLE and not words.startswith("export")
    }
    assert {*keep.SHOWN.rglob("*.json")} == wanted


# asked again --------------------------------------------------------------------------------------


def test_the_demo_asks_nobody_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = keep.unpacked("demo", tmp_path)
    hub = tmp_path / "hub"
    make.lay_out(hub, make.DEMO_COMMIT, None)
    environment = {"DEMO_MODEL": make.HUB_MODEL, "DEMO_GGUF": "nowhere", "HF_HUB_OFFLINE": "1"}
    run_again(monkeypatch, "demo", store, {**environment, "HF_HUB_CACHE": str(hub)})


@pytest.mark.parametrize(
    ("suite", "night"), [("kinds", 0), ("candidates", 0), ("nights", 0), ("nights", 2)]
)
def test_no_kind_of_judge_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str, night: int
) -> None:
    store = keep.unpacked("kinds", tmp_path)
    own = tmp_path / "own"
    make.write_answers(own)
    asked = []

    def refuse(ask: Ask) -> Reaction:
        asked.append(ask.text)
        return Reaction(status=500)

    with Loopback(refuse) as server:
        environment = {"SERVER": server.url, "NIGHT": str(own / f"night-{night}.jsonl")}
        run_again(monkeypatch, suite, store, {**environment, "OWN": str(own)})
    assert not asked


def run_again(
    monkeypatch: pytest.MonkeyPatch, suite: str, store: Path, environment: Mapping[str, str]
) -> None:
    """Plan and run a suite on a store that has all of it."""
    monkeypatch.chdir(make.ROOT)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    words = (make.HERE / f"{suite}.yaml", "--store", f"sqlite:///{store}")
    planned = typed("plan", *words, "--format", "json")
    assert planned.code == 0, planned.err
    total = json.loads(planned.out)["total"]
    assert (total["generations"], total["judge_calls"]) == (0, 0), planned.out
    assert total["recorded"] > 0
    done = typed("run", *words, "--quiet")
    assert done.code == 0, done.err
    assert "0 generations, 0 judge calls made" in done.err
    assert ", 0 failed" in done.err


# the keeping itself -------------------------------------------------------------------------------

ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "units": 9, "missing": 0}
UNDEFINED = {**ESTIMATE, "value": None, "undefined": "one answer only"}


def board(*rows: tuple[str, Mapping[str, Any]], **parts: Any) -> dict[str, Any]:
    told = [{"model": model, "metrics": {"accuracy": one}, "rank": 1} for model, one in rows]
    return {"boards": [{"judge": "j", "rows": told, **parts}]}


NO_RULES = keep.Rules([], [])
KEPT = keep.facts_of(board(("a", ESTIMATE), ("b", UNDEFINED)))


def lost(now: Any, rules: keep.Rules = NO_RULES) -> list[str]:
    return keep.lost("s", KEPT, keep.facts_of(now), rules)


def test_order_shape_intervals_and_further_numbers_are_no_values() -> None:
    further = {**ESTIMATE, "low": 0.0, "method": "another"}
    rows = [("c", further), ("b", {**UNDEFINED, "high": 1.0}), ("a", further)]
    assert lost(board(*rows, notes=["new"])) == []


@over_rows(
    "change", [{"value": 0.5 + 1e-8}, {"n": 8}, {"missing": 1}, {"units": 3}, {"value": None}]
)
def test_a_value_that_moved_is_told(change: Mapping[str, Any]) -> None:
    (told,) = lost(board(("a", {**ESTIMATE, **change}), ("b", UNDEFINED)))
    assert told.startswith("judge=j model=a | accuracy")


def test_a_model_that_is_gone_and_a_reason_that_is_another_are_told() -> None:
    reworded = {**UNDEFINED, "undefined": "there is one answer"}
    assert [line.split(" |")[0] for line in lost(board(("b", reworded)))] == [
        "judge=j model=a",
        "judge=j model=b",
    ]


def test_what_is_superseded_is_looked_for_where_it_is_now() -> None:
    reworded = {**UNDEFINED, "undefined": "there is one answer"}
    words = {"was": "one answer only", "now": "there is one answer", "reason": "clearer"}
    value = {"address": "model=a .*accuracy$", "now": "accuracy_first", "reason": "corrected"}
    now = board(("a", {**ESTIMATE, "value": 0.4}), ("b", reworded))
    rules = keep.Rules([value], [words])
    assert len(lost(now, rules)) == 1  # the old value is nowhere
    now["boards"][0]["rows"][0]["metrics"]["accuracy_first"] = ESTIMATE
    assert lost(now, rules) == []
    assert rules.used == {str(value), str(words)}
