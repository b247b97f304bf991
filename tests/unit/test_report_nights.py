"""Nights: which there are, that they are decided as a gate decides, what changed beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import UsageError
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.gate_suggest import usual_policy
from judgebench.reports.nights import Nights, board_test, nights
from judgebench.reports.versions import nights_of, ran_at
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import night_stores, stores
from tests.dashboards.night_stores import DAY, FIRST
from tests.table import over_rows

DECISIONS = [None, "inconclusive", "pass", "regression", "pass"]
"""Of the first nights; those after it have another stack, another judge."""


def of(store: Store, **more: Any) -> Nights:
    (judge,) = store.judges()
    return nights(store, stores.BENCHMARK, stores.VERSION, judge.id, "nightly", **more)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Without anchors."""
    return night_stores.fill(tmp_path_factory.mktemp("nights") / "quiet.db", drifts=False)


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> str:
    return night_stores.fill(tmp_path_factory.mktemp("nights") / "drifting.db")


def test_a_night_is_a_version_for_as_long_as_it_is_evaluated(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        found = nights_of(store, stores.BENCHMARK, stores.VERSION, store.judges()[0].id)
        ids = {model.spec.weights: model.id for model in store.models()}
    assert list(found) == ["nightly", "sibling"]
    its = found["nightly"]
    weights = ["a", "b", "c", "d", "c", "e", "f", "g"]
    assert [one.model_id for one in its] == [ids[f"sha256:nightly {one}"] for one in weights]
    assert its[1].runs == ("night-1", "night-2")
    assert (its[1].first, its[1].last) == (FIRST + DAY, FIRST + 2 * DAY)
    assert [one.runs for one in found["sibling"]] == [
        ("night-0",), ("night-2",), ("night-4",), ("night-6",), ("night-8",)
    ]  # fmt: skip


def test_each_is_decided_as_a_gate_decides(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        found = of(store, share=0.02)
        policy = Policy(tests=[GateTest(benchmark=stores.BENCHMARK, judge="reader", max_drop=0.02)])
        said = [
            gate_report(
                store, candidate=night.model_id, baseline=before.model_id, policy=policy
            ).tests[0]
            for before, night in zip(found.nights, found.nights[1:], strict=False)
        ]
    assert [one.decided for one in found.nights[1:]] == [
        replace(one, unchanged=None) for one in said
    ]
    assert found.nights[0].decided is None
    assert found.nights[0].because == "the first night: there is none before it"
    decisions = [one.decided and one.decided.decision for one in found.nights]
    assert decisions[: len(DECISIONS)] == DECISIONS
    assert decisions[5:7] == ["inconclusive", "inconclusive"]
    reasons = [one.decided.because or "" for one in found.nights if one.decided]
    assert reasons[4].startswith("stack changed")
    assert reasons[5].startswith("judge changed: replies about the two were served by")
    assert found.policy is not None
    assert found.policy.tests[0].max_drop == 0.02
    assert found.margin_source == "chosen here"


def test_the_drop_is_that_of_the_policy_or_what_a_gate_would_choose(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        newest, before = of(store).nights[-1], of(store).nights[-2]
        usual = usual_policy(store, newest.model_id, before.model_id).tests[0]
        unstated = of(store)
        test = GateTest(benchmark=stores.BENCHMARK, max_drop=0.08, min_n=1000)
        stated = Policy(tests=[GateTest(benchmark="another", max_drop=0.5), test], alpha=0.01)
        by_policy = of(store, policy=stated)
        as_json = of(store, policy=stated.model_dump(exclude_unset=True))
        of_another = of(store, policy=Policy(tests=[stated.tests[0]]))
    assert unstated.policy is not None
    assert unstated.policy.tests[0].max_drop == usual.max_drop != 0.02
    assert unstated.margin_source == usual.margin_source
    assert by_policy.nights == as_json.nights
    assert by_policy.policy is not None
    assert (by_policy.policy.tests[0].max_drop, by_policy.policy.level) == (0.08, 0.01)
    assert by_policy.margin_source == "policy"
    reasons = [one.decided.because for one in by_policy.nights if one.decided]
    assert any("1000 are asked" in (reason or "") for reason in reasons)
    assert of_another.policy is not None
    assert of_another.policy.tests[0].max_drop == usual.max_drop


def test_a_test_of_a_policy_is_of_a_board() -> None:
    def named(**more: Any) -> GateTest | None:
        policy = Policy(tests=[GateTest(benchmark="b", max_drop=0.1).model_copy(update=more)])
        return board_test(policy, "b", "1", "J", "accuracy")

    assert named() is not None
    assert named(benchmark="b@1", judge="J", metric="accuracy") is not None
    for other in (
        {"benchmark": "b@2"}, {"benchmark": "c"}, {"judge": "K"}, {"metric": "accuracy/rivers"},
        {"metric": "auroc"}, {"head_to_head": True},
    ):  # fmt: skip
        assert named(**other) is None, other


def test_a_larger_drop_that_is_borne_passes_more(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        found = of(store, share=0.1)
    decisions = [one.decided and one.decided.decision for one in found.nights]
    assert decisions[1] == "pass"
    assert decisions[3] == "regression"


def test_a_baseline_is_the_one_that_stood_that_night(quiet: str) -> None:
    """It was set after the nights of a, b and c."""
    with open_store(quiet, read_only=True) as store:
        found = of(store, against="last-green")
        names = {model.spec.weights[-1]: model.id for model in store.models()
                 if model.name == "nightly"}  # fmt: skip
    held = [one.decided and one.decided.baseline_id for one in found.nights]
    assert held == [None, *(names[one] for one in "abccccc")]
    assert found.nights[0].because == "last-green was not set yet"
    assert [one.became for one in found.nights[:4]] == [
        ("last-green",), ("last-green",), ("last-green",), ()
    ]  # fmt: skip


def test_what_changed_beside_the_model(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        found = of(store)
    assert [one.changed for one in found.nights] == [
        (), (), (), (), (), ("stack",), ("judge",), ()
    ]  # fmt: skip
    assert found.nights[6].served == ("gpt-2026-11",)
    assert '"vllm":"0.9"' in found.nights[0].stacks[0]


def test_what_a_night_took_is_its_own(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        found = of(store)
    took = [one.spent for one in found.nights]
    assert [one.calls["live"] for one in took] == [9, 18, 9, 9, 9, 9, 9, 9]
    assert took[0].known_cost == pytest.approx(0.001)
    assert (took[1].known_cost, took[1].unpriced) == (pytest.approx(0.002), 9)


def test_a_judge_that_drifted_had_not_drifted_before(quiet: str, drifting: str) -> None:
    with open_store(drifting, read_only=True) as store:
        found = of(store)
    assert found.drift is not None
    assert found.drift.since is not None
    assert found.drift.since == FIRST + 7 * DAY + 120
    because = [one.decided.because or "" for one in found.nights if one.decided]
    assert because[-1].startswith("judge changed: judge drift since 2026-11-08")
    assert not any("drift" in one for one in because[:-2])
    with open_store(quiet, read_only=True) as store:
        undrifted = of(store)
    assert [one.decided for one in found.nights[:6]] == [
        one.decided for one in undrifted.nights[:6]
    ]


def test_of_many_nights_the_newest_are_told(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        every, some = of(store), of(store, most=3)
    assert some.nights[-2:] == every.nights[-2:]
    assert some.nights[0].decided == every.nights[5].decided


def test_a_scale_without_ends_has_no_usual_policy(tmp_path: Path) -> None:
    from judgebench.records import JudgeSpec, ModelSpec, Score

    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        store.put_items(stores.items(5))
        judge = store.put_judge("reward", JudgeSpec(kind="reward", model="r"))
        for night in range(2):
            store.start_run(replace(stores.manifest(f"n{night}"), started=FIRST + night * DAY))
            model = store.put_model("nightly", ModelSpec(weights=f"sha256:{night}"))
            for i in range(5):
                score = Score(value=float(i + night), low=float("-inf"), high=float("inf"))
                stores.put_one(store, model, judge, i, score, f"n{night}")
        found = of(store)
    assert found.policy is None
    assert found.nights[1].decided is None
    assert (
        found.nights[1].because
        == "a scale without ends has no share of which a drop could be allowed"
    )


def test_a_name_that_is_not_there_is_said(quiet: str) -> None:
    with open_store(quiet, read_only=True) as store:
        judge = store.judges()[0].id
        with pytest.raises(UsageError, match="no model called 'no such'"):
            nights(store, stores.BENCHMARK, stores.VERSION, judge, "no such")
        assert not nights_of(store, stores.BENCHMARK, stores.VERSION, "0" * 12)


@over_rows(
    ("when", "seconds"),
    [
        ("2026-11-01T03-00-00.250000", FIRST + 0.25),
        ("2026-11-01T03-00-00", FIRST),
        ("2026-11-01T03:00:00+00:00", FIRST),
        ("2026-11-01T04:00:00+01:00", FIRST),
        ("", 5.0),
        ("some night", 5.0),
        (None, 5.0),
    ],
)
def test_an_imported_night_was_when_its_log_says(when: str | None, seconds: float) -> None:
    run = replace(stores.manifest(), started=5.0, configuration={"import": "lm-eval", "when": when})
    assert ran_at(run) == pytest.approx(seconds)


def test_a_run_of_ones_own_was_when_it_was_started() -> None:
    run = replace(stores.manifest(), started=5.0, configuration={"when": "2026-11-01T03:00:00"})
    assert ran_at(run) == 5.0
