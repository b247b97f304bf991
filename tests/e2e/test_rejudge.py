"""``judgebench rejudge`` and ``judge replace``: what another judge would change, and the break."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import judgebench
from judgebench.metrics.judge_change import Pilot, bridge, decision_changes, model_changes
from tests.e2e.runs import store_url, typed
from tests.loopback import Ask, Loopback, Reaction

MINI = Path(__file__).parents[2] / "tasks/trivia_judging_mini"
MODELS = ("model-careful", "model-terse", "model-verbose", "model-weak")


def suite(folder: Path, url: str) -> Path:
    """Four models' answers that people labelled, and two judges at a price."""
    at = {"provider": "openai_compatible", "base_url": url, "kind": "reference"}
    price = {"input": 1.0, "output": 1.0}
    written = {
        "name": "replaced",
        "models": [{"name": n, "responses": str(MINI / "answers.jsonl")} for n in MODELS],
        "judges": [{"name": n, "model": n, "price": price, **at} for n in ("old", "new")],
        "benchmarks": [
            {
                "name": "trivia_judging_mini",
                "judges": ["old", "new"],
                "limit": 24,
                "labels": [str(MINI / "labels.jsonl")],
            }
        ],
        "limits": {"max_retries": 0, "timeout_s": 5},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


def says(ask: Ask) -> Reaction:
    """The old judge likes a full stop; the new one as well, and a third of everything."""
    answer = ask.text.split(">>\n")[-2].rsplit("\n<<", 1)[0]
    third = ask.body["model"] == "new" and not len(answer) % 3
    return Reaction(text="correct" if answer.strip()[-1] in ".!" or third else "incorrect")


def test_a_pilot_says_what_would_change_and_a_replacement_is_shown(tmp_path: Path) -> None:
    with Loopback(says) as server:
        path = suite(tmp_path, server.url)
        assert typed("run", path, "--quiet", "--judge", "old").code == 0
        at = {"suite": path, "pilot": 40}
        before = len(server.asks)
        dry = judgebench.rejudge("new", "old", **at)  # type: ignore[arg-type]
        assert (len(server.asks), dry.asked, dry.metrics) == (before, False, {})
        assert dry.cost_usd is not None
        assert 30 <= dry.calls <= 40  # equal answers are asked about once
        with pytest.raises(judgebench.api.UsageError, match="too little for one pilot: "):
            judgebench.rejudge("new", "old", max_cost=dry.cost_usd.high / 9, **at)  # type: ignore[arg-type]
        found = judgebench.rejudge("new", "old", max_cost=1, **at)  # type: ignore[arg-type]
        assert len(server.asks) == before + found.calls == before + dry.calls
        asked = len(server.asks)
        again = judgebench.rejudge("new", "old", max_cost=1, **at)  # type: ignore[arg-type]
        assert (len(server.asks), again.calls) == (asked, 0)
        assert again.to_dict()["metrics"] == found.to_dict()["metrics"]
        assert typed("baseline", "set", "main", "--model", "model-terse",
                     "--store", store_url(tmp_path)).code == 0  # fmt: skip
        done = typed("judge", "replace", "old", "new", "--suite", path, "--max-cost", "1")
        assert done.code == 0, done.err
        assert "main" in done.out
    _compares_as_stored(tmp_path, found)
    assert {row.model for row in found.models} == {*MODELS}
    assert found.of == 96
    assert found.whole_usd is not None
    assert 0 < found.whole_usd < 1
    assert found.bridge is not None
    assert found.bridge.left_out == "model"
    assert "kappa_new_human" in found.metrics
    _shows_the_break(tmp_path)


def _compares_as_stored(folder: Path, found: Any) -> None:
    """Flips and offset again from the verdicts that the store has; the pilot alone."""
    frame = judgebench.verdicts("trivia_judging_mini", store=store_url(folder))
    both = frame[frame.judge.isin(["old", "new"])]
    wide = both.pivot_table(
        index=["item_id", "model"], columns="judge", values="label", aggfunc="first"
    ).dropna()
    pilot = found.metrics["flips"]
    assert pilot.n == 40
    share = (wide.new != wide.old).mean()
    assert 0 <= pilot.value <= 1
    assert abs(pilot.value - share) < 0.2  # the baseline's answers came after the pilot's
    assert found.metrics["score_offset"].value >= 0  # the new judge is never stricter


def _shows_the_break(folder: Path) -> None:
    store = store_url(folder)
    board = typed("leaderboard", "trivia_judging_mini", "--judge", "old", "--store", store)
    assert "the judge was replaced on " in board.out + board.err
    assert "× old score, off by " in board.out + board.err
    for judge in ("old", "new"):
        found = judgebench.nights("model-terse", judge=judge, store=store)
        assert [one.new for one in found.replaced] == ["new"]
        assert any("the judge was replaced: old (" in one.line for one in found.changes)
        assert "replaced" in found.to_dict()
    listed = json.loads(typed("baseline", "list", "--history", "--store", store, "--format",
                              "json").out)["baselines"]  # fmt: skip
    assert [one["name"] for one in listed] == ["main", "main"]
    assert len({one["run"] for one in listed}) == 2
    plain = judgebench.nights("model-terse", judge="human/authors", store=store)
    assert "replaced" not in plain.to_dict()


FAULTS: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "the same": (lambda p: ["rejudge", "--judge", "old", "--against", "old"], "for itself"),
    "not in the store": (
        lambda p: ["rejudge", "--judge", "contains", "--against", "odl"],
        "no judge called 'odl'; did you mean 'old'?",
    ),
    "not in the suite": (
        lambda p: ["rejudge", "--judge", "nwe", "--against", "contains"],
        "no judge called 'nwe'; did you mean 'new'?",
    ),
    "too large a pilot": (
        lambda p: ["rejudge", "--judge", "exact_match", "--against", "contains", "--pilot", "99"],
        "contains has judged 96 answers here, fewer than --pilot 99; --pilot 96 takes all",
    ),
    "no baseline": (
        lambda p: ["judge", "replace", "contains", "exact_match"],
        "no baseline on trivia_judging_mini@1 was judged by contains",
    ),
}


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = suite(tmp_path, "http://127.0.0.1:9/v1")
    text = path.read_text().replace("- old\n", "- contains\n")
    path.write_text(text, encoding="utf-8")
    assert typed("run", path, "--quiet", "--judge", "contains").code == 0
    text = text.replace("- contains\n", "- contains\n  - old\n")
    for name, (words, message) in FAULTS.items():
        done = typed(*words(path), "--suite", path)
        assert done.code == 64, (name, done.err)
        if name == "not in the store":
            assert "no judge called 'odl'" in done.err
        else:
            assert message in done.err, name
    done = typed("rejudge", "--judge", "exact_match", "--against", "contains", "--suite", path,
                 "--pilot", "50", "--format", "json")  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["asked"] is True  # it asks nobody, so it costs nothing


# the numbers --------------------------------------------------------------------------------------


def test_a_bridge_is_least_squares_and_its_error_is_of_a_model_left_out() -> None:
    rng = np.random.default_rng(3)
    models = np.repeat(["a", "b", "c", "d"], 50)
    old = rng.integers(1, 11, 200).astype(float)
    new = 1.5 + 0.7 * old + rng.normal(0, 1, 200)
    items = [str(n % 50) for n in range(200)]
    found = bridge(items, [*models], old, new)
    slope, intercept = np.polyfit(old, new, 1)
    assert found.slope == pytest.approx(slope, abs=1e-9)
    assert found.intercept == pytest.approx(intercept, abs=1e-9)
    off = []
    for one in "abcd":
        out = models == one
        line = np.polyfit(old[~out], new[~out], 1)
        off.append(np.polyval(line, old[out]).mean() - new[out].mean())
    assert found.error == pytest.approx(np.sqrt(np.mean(np.square(off))), abs=1e-9)
    constant = bridge(items, [*models], np.full(200, 3.0), np.full(200, 5.0))
    assert (constant.intercept, constant.slope, constant.error) == (2.0, 1.0, 0.0)


def pilot_of(old: Any, new: Any, unit_of: Any = None) -> Pilot:
    """Models a, b, … by columns."""
    rows = np.arange(len(old)) if unit_of is None else unit_of
    return Pilot(models=tuple("abcd"[: old.shape[1]]), unit_of=rows, old=old, new=new)


def test_the_offset_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        of_item = rng.normal(0, 1, 60)[:, None]
        new = 0.3 + of_item * 0.5 + rng.normal(0, 0.5, (60, 2))
        found = pilot_of(np.zeros((60, 2)), new).offset()
        assert (found.n, found.units) == (120, 60)
        assert found.value == pytest.approx(new.mean())
        held += found.low <= 0.3 <= found.high
    assert 88 <= held <= 99


def test_turns_of_a_question_are_drawn_together() -> None:
    """Each turn counts once, and one question stays one, whatever its turns."""
    rng = np.random.default_rng(1)
    old, new = (np.repeat(rng.normal(0, 1, (40, 1)), 2, axis=0) for _ in range(2))
    once = pilot_of(old[::2], new[::2]).offset()
    twice = pilot_of(old, new, np.repeat(np.arange(40), 2)).offset()
    assert (twice.n, twice.units, twice.value) == (80, 40, pytest.approx(once.value))
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.02)
    lacks = np.where(np.arange(80)[:, None] % 4 == 3, np.nan, new)
    (row,) = model_changes(
        pilot_of(old, lacks), bridge(["1", "2"], ["a", "a"], old[:2, 0], new[:2, 0])
    )
    kept = ~np.isnan(lacks[:, 0])
    assert (row.n, row.old_n) == (60, 80)
    assert row.new - row.old == pytest.approx((lacks - old)[kept].mean())


def test_a_gate_that_would_decide_otherwise_is_named() -> None:
    before = np.full((400, 2), 0.5)
    before[1::2, 0] += 0.02
    pilot = np.arange(400)[:, None] < 50
    lower = np.where(pilot, before - [0.2, 0.0], np.nan)
    n, changed = decision_changes(pilot_of(before, lower), 1.0)
    assert n == 2
    assert [(one.candidate, one.baseline, one.before, one.after) for one in changed] == [
        ("a", "b", "pass", "regression")
    ]
    same = pilot_of(before, np.where(pilot, before, np.nan))
    assert decision_changes(same, 1.0) == (2, ())
    few = pilot_of(before[:9], before[:9] - [0.9, 0.0])
    assert decision_changes(few, 1.0) == (2, ()), "so few decide nothing, as in a gate"
    alone = pilot_of(before, np.where(np.arange(400)[:, None] < 1, before, np.nan))
    assert decision_changes(alone, 1.0) == (0, ())


# what did not come to pass ------------------------------------------------------------------------


def test_a_replacement_that_failed_breaks_nothing_and_the_same_once_more_is_one(
    tmp_path: Path,
) -> None:
    down = True

    def at_first_down(ask: Ask) -> Reaction:
        return Reaction(status=500) if down and ask.body["model"] == "new" else says(ask)

    def line() -> list[str]:
        data = typed("leaderboard", "trivia_judging_mini", "--judge", "old", "--store", store)
        return [one for one in data.out.splitlines() if "the judge was replaced" in one]

    store = store_url(tmp_path)
    with Loopback(at_first_down) as server:
        path = suite(tmp_path, server.url)
        assert typed("run", path, "--quiet", "--judge", "old").code == 0
        set_to = ("baseline", "set", "main", "--model", "model-terse", "--store", store)
        assert typed(*set_to).code == 0
        replaced = ("judge", "replace", "old", "new", "--suite", path, "--max-cost")
        assert typed(*replaced, "1").code == 69
        assert not line()
        for amount in ("nan", "inf"):
            refused = typed(*replaced, amount)
            assert (refused.code, "--max-cost is an amount of US dollars" in refused.err) == (
                64,
                True,
            )
        down = False
        for _ in range(2):
            assert typed(*replaced, "1").code == 0
    [said] = line()
    assert "× old score" in said  # of the second time, when both had judged


def test_no_baseline_is_set_whose_answers_the_new_judge_cannot_see(tmp_path: Path) -> None:
    rows = [
        {"benchmark": "trivia_judging_mini", "item_id": str(n), "model": "gone", "judge": "old",
         "kind": "label", "value": "correct"}
        for n in range(3)
    ]  # fmt: skip
    verdicts = tmp_path / "verdicts.jsonl"
    verdicts.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    store, path = store_url(tmp_path), suite(tmp_path, "http://127.0.0.1:9/v1")
    brought = typed("import", "verdicts", verdicts, "--store", store, "--allow-unknown-items")
    assert brought.code == 0, brought.err
    assert typed("baseline", "set", "main", "--model", "gone", "--store", store).code == 0
    done = typed("judge", "replace", "old", "contains", "--suite", path)
    assert (done.code, "the answers of main that old has judged" in done.err) == (64, True)
