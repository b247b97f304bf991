"""A regression is called once the judge, asked afresh, says so again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import runs
from tests.e2e.test_anchors import written
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import coded, rows_file

POLICY = "confirm: true\ntests:\n  - {benchmark: own, judge: j, max_drop: 0.5}\n"


def moody(worse: Callable[[int], bool]) -> Callable[[Ask], Reaction]:
    """Says 8; of the new model 4, while ``worse`` of how often it was asked before."""

    def reaction(ask: Ask) -> Reaction:
        low = "new answer" in json.dumps(ask.body["messages"]) and worse(ask.body["seed"])
        return Reaction(text=json.dumps({"score": 4 if low else 8}))

    return reaction


def gate(folder: Path) -> Any:
    (folder / "gate.yaml").write_text(POLICY)
    done = runs.typed(
        *("gate", "--baseline", "old", "--candidate", "new", "--policy", folder / "gate.yaml"),
        *("--output", folder / "gate.json", "--store", runs.store_url(folder)),
    )
    said = json.loads((folder / "gate.json").read_text())
    assert done.code == {"pass": 0, "regression": 1, "inconclusive": 2}[said["verdict"]], done.err
    return said


def seeded(folder: Path, url: str) -> Path:
    suite = written(folder, url)
    text = suite.read_text().replace("  kind: rubric", "  kind: rubric\n  sampling: {seed: 0}")
    suite.write_text(text)
    return suite


@pytest.mark.parametrize(
    ("again", "verdict", "confirmation"),
    [(True, "regression", "confirmed"), (False, "inconclusive", "refuted")],
)
def test_a_regression_is_heard_twice(
    tmp_path: Path, again: bool, verdict: str, confirmation: str
) -> None:
    with Loopback(moody(lambda seed: again or seed == 0)) as server:
        suite = seeded(tmp_path, server.url)
        assert runs.typed("run", suite).code == 0
        first = gate(tmp_path)
        (test,) = first["tests"]
        assert (first["verdict"], test["confirmation"]) == ("inconclusive", "wanted")
        assert "`judgebench run SUITE --confirm GATE.json` asks j afresh" in test["because"]
        asked = len(server.asks)
        done = runs.typed("run", suite, "--confirm", tmp_path / "gate.json")
        assert done.code == 0, done.err
        assert len(server.asks) == 2 * asked
        once_more = runs.typed("run", suite, "--confirm", tmp_path / "gate.json")
        assert once_more.code == 0, once_more.err
        assert len(server.asks) == 2 * asked  # it is known by now
        usual = runs.typed("run", suite)
        assert usual.code == 0, usual.err
        assert len(server.asks) == 2 * asked
        second = gate(tmp_path)
    assert (second["verdict"], second["tests"][0]["confirmation"]) == (verdict, confirmation)
    nothing = runs.typed("run", suite, "--confirm", tmp_path / "gate.json")
    assert (nothing.code, "nothing waits to be confirmed" in nothing.err) == (0, True)


def test_what_was_interrupted_is_asked_to_the_end(tmp_path: Path) -> None:
    """A part of the answers was asked afresh: the gate waits, and the rest is asked."""
    state = {"failing": False}
    reaction = moody(lambda seed: True)

    def unsteady(ask: Ask) -> Reaction:
        if state["failing"] and int(ask.sha, 16) % 2:
            return Reaction(status=400, raw=b'{"error": {"message": "no"}}')
        return reaction(ask)

    with Loopback(unsteady) as server:
        suite = seeded(tmp_path, server.url)
        assert runs.typed("run", suite).code == 0
        assert gate(tmp_path)["tests"][0]["confirmation"] == "wanted"
        state["failing"] = True
        asked = len(server.asks)
        assert runs.typed("run", suite, "--confirm", tmp_path / "gate.json").code != 0
        halfway = gate(tmp_path)
        (test,) = halfway["tests"]
        assert test["confirmation"] == "wanted"
        state["failing"] = False
        answered = {a.sha for a in server.asks[asked:] if not int(a.sha, 16) % 2}
        before = len(server.asks)
        assert runs.typed("run", suite, "--confirm", tmp_path / "gate.json").code == 0
        assert not answered & {ask.sha for ask in server.asks[before:]}
        assert gate(tmp_path)["verdict"] == "regression"


def test_models_need_not_be_in_the_suite_any_more(tmp_path: Path) -> None:
    with Loopback(moody(lambda seed: True)) as server:
        suite = seeded(tmp_path, server.url)
        assert runs.typed("run", suite).code == 0
        gate(tmp_path)
        whole = suite.read_text()
        suite.write_text(whole.replace("- name: old\n", "- name: unheard\n").replace("old", "old"))
        (tmp_path / "answers.jsonl").write_text(
            (tmp_path / "answers.jsonl").read_text()
            + json.dumps({"item_id": "q0", "model": "unheard", "text": "x"})
            + "\n"
        )
        done = runs.typed("run", suite, "--confirm", tmp_path / "gate.json")
        assert done.code == 0, done.err
        assert gate(tmp_path)["verdict"] == "regression"


def test_another_judge_cannot_confirm(tmp_path: Path) -> None:
    with Loopback(moody(lambda seed: True)) as server:
        suite = seeded(tmp_path, server.url)
        assert runs.typed("run", suite).code == 0
        gate(tmp_path)
        suite.write_text(suite.read_text().replace("identity: judge", "identity: another"))
        done = runs.typed("run", suite, "--confirm", tmp_path / "gate.json")
    assert done.code == 78
    assert "j is another judge in this suite than the one that judged own@" in done.err


def test_a_judge_that_cannot_be_asked_is_believed_at_once(tmp_path: Path) -> None:
    rows = coded("old", "J", "+" * 100) + coded("new", "J", "+" * 60 + "-" * 40)
    store = ("--store", runs.store_url(tmp_path))
    file = rows_file(tmp_path / "v.jsonl", rows)
    assert runs.typed("import", "verdicts", file, *store).code == 0
    policy = tmp_path / "gate.yaml"
    policy.write_text("confirm: true\ntests:\n  - {benchmark: made_up, max_drop: 0.1}\n")
    named = ("--baseline", "old", "--candidate", "new", "--policy", policy)
    done = runs.typed("gate", *named, *store)
    assert done.code == 1
    assert "called without being confirmed: no judge can be asked afresh for it" in done.out
