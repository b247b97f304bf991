"""Anchors: a judge that changes under its name is told from a model that got worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import runs
from tests.e2e.test_engine import PLAIN, judge
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import coded, label, rows_file

ITEMS = 60


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def set_to(day: str) -> None:
        monkeypatch.setattr("judgebench.execution.recheck.recheck_of_today", lambda: day)

    return set_to


def written(folder: Path, url: str) -> Path:
    """A suite of two models, judged by a model."""
    answers = folder / "answers.jsonl"
    answers.write_text(
        "".join(
            json.dumps({"item_id": f"q{n}", "model": model, "text": f"{model} answer {n}"}) + "\n"
            for model in ("old", "new")
            for n in range(ITEMS)
        )
    )
    items = folder / "prompts.jsonl"
    items.write_text(
        "".join(json.dumps({"id": f"q{n}", "prompt": f"question {n}"}) + "\n" for n in range(ITEMS))
    )
    return runs.suite(
        folder,
        models=[{"name": m, "responses": str(answers)} for m in ("old", "new")],
        judges=[judge(url, kind="rubric", options=PLAIN)],
        benchmarks=[{"name": "own", "items": str(items), "scale": [1, 10], "judges": ["j"]}],
    )


class Server:
    """Says 7, or what it is told to, of every answer."""

    def __init__(self) -> None:
        self.score = 7

    def __call__(self, ask: Ask) -> Reaction:
        return Reaction(text=json.dumps({"score": self.score}))


def typed(folder: Path, *words: str | Path) -> runs.Done:
    return runs.typed(*words, "--store", runs.store_url(folder))


def anchors(folder: Path) -> Any:
    done = typed(folder, "anchors", "list", "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)["anchors"]


def test_a_judge_is_asked_again_once_a_day_and_boards_do_not_move(
    tmp_path: Path, today: Callable[[str], None]
) -> None:
    reaction = Server()
    with Loopback(reaction) as server:
        suite = written(tmp_path, server.url)
        assert runs.typed("run", suite).code == 0
        before = typed(tmp_path, "leaderboard", "own", "--format", "csv").out
        asked = len(server.asks)
        pinned = typed(tmp_path, "anchors", "pin", "own", "--judge", "j", "--answers", "40")
        assert pinned.code == 0, pinned.err
        assert len(server.asks) == asked  # pinning asks nobody
        today("2026-11-26")
        planned = runs.typed("plan", suite, "--refresh-anchors", "--format", "json")
        (row,) = [r for r in json.loads(planned.out)["rows"] if r["model"] == "(anchors)"]
        assert (row["judge"], row["judge_calls"], row["items"]) == ("j", 40, 40)
        first = runs.typed("run", suite, "--refresh-anchors")
        assert first.code == 0, first.err
        assert len(server.asks) == asked + 40
        again = runs.typed("run", suite, "--refresh-anchors")
        assert again.code == 0, again.err
        assert len(server.asks) == asked + 40  # not twice a day
        today("2026-11-27")
        reaction.score = 4
        assert runs.typed("run", suite, "--refresh-anchors").code == 0
        assert len(server.asks) == asked + 80
    bodies = [ask.body for ask in server.asks]
    assert bodies[-1] in bodies[:asked]  # the very same question, with the same seed
    (found,) = anchors(tmp_path)
    assert [look["changed"] for look in found["looks"]] == [0.0, 1.0]
    assert [look["shift"] for look in found["looks"]] == [0.0, -3.0]
    assert (found["answers"], found["drift"]) == (40, True)
    assert typed(tmp_path, "leaderboard", "own", "--format", "csv").out == before


def test_the_gate_says_that_the_judge_changed(tmp_path: Path, today: Callable[[str], None]) -> None:
    """The new model is judged after the judge has become stricter."""
    reaction = Server()
    with Loopback(reaction) as server:
        suite = written(tmp_path, server.url)
        whole = suite.read_text()
        suite.write_text(json.dumps(_without(whole, "new")))
        assert runs.typed("run", suite).code == 0
        assert typed(tmp_path, "anchors", "pin", "own", "--judge", "j").code == 0
        today("2026-11-26")
        assert runs.typed("run", suite, "--refresh-anchors").code == 0
        today("2026-11-27")
        reaction.score = 4
        suite.write_text(whole)
        assert runs.typed("run", suite).code == 0
        blind = _gate(tmp_path)
        assert runs.typed("run", suite, "--refresh-anchors").code == 0
        seeing = _gate(tmp_path)
    assert blind["verdict"] == "regression"
    assert blind["alarms"] == []
    (test,) = seeing["tests"]
    assert (seeing["verdict"], test["decision"]) == ("inconclusive", "inconclusive")
    assert test["because"].startswith("judge changed: judge drift since")
    (alarm,) = seeing["alarms"]
    assert (alarm["kind"], alarm["judge"]) == ("judge_drift", "j")
    assert "of 60 anchors 100.0 % are now judged otherwise" in alarm["text"]


def _without(whole: str, model: str) -> Any:
    suite = yaml.safe_load(whole)
    suite["models"] = [one for one in suite["models"] if one["name"] != model]
    return suite


def _gate(folder: Path) -> Any:
    done = typed(folder, "gate", "--baseline", "old", "--candidate", "new", "--format", "json")
    assert done.code in (0, 1, 2), done.err
    return json.loads(done.out)


def test_a_policy_can_ask_for_fresh_anchors(tmp_path: Path) -> None:
    rows = coded("old", "J", "+-" * 30) + coded("new", "J", "+-" * 30)
    assert typed(tmp_path, "import", "verdicts", rows_file(tmp_path / "v.jsonl", rows)).code == 0
    policy = tmp_path / "gate.yaml"
    policy.write_text(
        "tests:\n  - {benchmark: made_up, judge: J, max_drop: 0.2, fresh_anchors: true}\n"
    )
    wanted = ("--baseline", "old", "--candidate", "new", "--policy", policy, "--format", "json")
    none = json.loads(typed(tmp_path, "gate", *wanted).out)
    assert none["tests"][0]["because"] == "J has no anchors here, and the policy asks for them"
    assert typed(tmp_path, "anchors", "pin", "made_up", "--judge", "J").code == 0
    assert json.loads(typed(tmp_path, "gate", *wanted).out)["verdict"] == "pass"


def test_a_file_of_verdicts_is_another_look_at_what_is_pinned(tmp_path: Path) -> None:
    first = coded("old", "J", "+-" * 20)
    assert typed(tmp_path, "import", "verdicts", rows_file(tmp_path / "a.jsonl", first)).code == 0
    other = rows_file(tmp_path / "b.jsonl", coded("old", "J", "-+" * 20))
    refused = typed(tmp_path, "import", "verdicts", other)
    assert refused.code == 65
    assert "but the store has 'correct'" in refused.err
    assert typed(tmp_path, "anchors", "pin", "made_up", "--judge", "J").code == 0
    for day in ("same", "other"):
        codes = "+-" * 20 if day == "same" else "-+" * 20
        night = coded("old", "J", codes) + coded(f"new-{day}", "J", codes)
        file = rows_file(tmp_path / f"{day}.jsonl", night)
        done = typed(tmp_path, "import", "verdicts", file, "--anchors")
        assert done.code == 0, done.err
        assert "80 verdicts, 80 new (40 another look at anchors), 0 known already" in done.err
        again = typed(tmp_path, "import", "verdicts", file, "--anchors")
        assert "80 verdicts, 0 new, 80 known already" in again.err
    (found,) = anchors(tmp_path)
    assert [look["changed"] for look in found["looks"]] == [0.0, 1.0]
    assert found["drift"] is True  # though the mean did not move
    assert found["looks"][1]["shift"] == 0.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--judge", "nobody"), "made_up@unversioned: no judge called 'nobody'"),
        (("--judge", "human/ann"), "human/ann cannot have anchors: it is a person"),
        (("--judge", "J", "--model", "odl"), "did you mean 'old'?"),
        (("--judge", "mute"), "mute has no readable verdict that could be pinned"),
    ],
)
def test_what_cannot_be_pinned_is_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    rows = [
        *coded("old", "J", "+-+"),
        *coded("old", "human/ann", "+-+"),
        *coded("old", "mute", "???"),
        label("0", "other", "J", "correct"),
    ]
    assert typed(tmp_path, "import", "verdicts", rows_file(tmp_path / "v.jsonl", rows)).code == 0
    done = typed(tmp_path, "anchors", "pin", "made_up", *words)
    assert done.code == 64
    assert said in done.err, done.err


def test_a_judge_that_goes_by_a_rule_has_no_anchors(tmp_path: Path) -> None:
    suite = runs.suite(tmp_path)
    assert runs.typed("run", suite).code == 0
    done = typed(tmp_path, "anchors", "pin", "trivia_judging_mini", "--judge", "contains")
    assert done.code == 64
    assert "it goes by a rule and asks nobody" in done.err


def test_refreshing_without_anchors_says_what_to_do(tmp_path: Path) -> None:
    with Loopback(Server()) as server:
        done = runs.typed("run", written(tmp_path, server.url), "--refresh-anchors")
    assert done.code == 0, done.err
    assert "has no anchors on own@" in done.err
    assert "--judge j` pins some" in done.err


def test_another_served_model_is_an_alarm_of_its_own(
    tmp_path: Path, today: Callable[[str], None]
) -> None:
    def reply(served: str) -> Callable[[Ask], Reaction]:
        text = json.dumps({"score": 7})
        choice = {"index": 0, "finish_reason": "stop",
                  "message": {"role": "assistant", "content": text}}  # fmt: skip
        payload = {"id": "1", "object": "chat.completion", "created": 1, "model": served,
                   "choices": [choice]}  # fmt: skip
        return lambda ask: Reaction(payload=payload)

    state = {"served": "judge-2026-01"}
    with Loopback(lambda ask: reply(state["served"])(ask)) as server:
        suite = written(tmp_path, server.url)
        assert runs.typed("run", suite).code == 0
        assert typed(tmp_path, "anchors", "pin", "own", "--judge", "j", "--answers", "30").code == 0
        state["served"] = "judge-2026-11"
        today("2026-11-27")
        assert runs.typed("run", suite, "--refresh-anchors").code == 0
    found = _gate(tmp_path)
    assert found["verdict"] == "inconclusive"
    (alarm,) = found["alarms"]
    assert alarm["kind"] == "served_model"
    assert alarm["text"].startswith("another model serves the judge: judge-2026-11 on ")
    assert found["tests"][0]["because"].startswith("judge changed: another model serves")
