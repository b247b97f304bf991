"""The sequential test beside a gate: which nights take part, what it decides, how it is said."""

from __future__ import annotations

import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from judgebench.assertions import assert_no_regression
from judgebench.errors import ConfigError, UsageError
from judgebench.metrics.paired import PairedModels, normalised
from judgebench.records import (
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Runtime,
    RunVerdict,
    Score,
    Unreadable,
)
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy, read_policy
from judgebench.reports.gate_result import GateReport
from judgebench.reports.model_pairs import PairData
from judgebench.reports.nights import nights
from judgebench.reports.pair_tests import NO_TEXTS
from judgebench.reports.render import render
from judgebench.reports.slide import policy_slide
from judgebench.reports.versions import nights_of
from judgebench.store.opening import open_store
from judgebench.store.read import StoredBaseline
from judgebench.store.store import Store
from tests.dashboards import item_stores, stores
from tests.dashboards.night_stores import DAY, FIRST
from tests.dashboards.stores import BENCHMARK, VERSION
from tests.e2e.runs import typed

ITEMS = 150
OLD, NEW = (
    Runtime(backend="vllm", versions={"vllm": one}, dtype="bfloat16") for one in ("0.9", "1")
)


class Team:
    """A store that a team fills night by night."""

    def __init__(self, store: Store, items: int = ITEMS) -> None:
        self.store, self.items = store, items
        store.put_items(item_stores.questions(items))
        self.judge = store.put_judge("reader", JudgeSpec(kind="reference", model="gpt"))
        self.number = 0

    def night(
        self,
        right: float,
        *,
        weights: str | None = None,
        name: str = "nightly",
        stack: Runtime | None = None,
        served: str = "gpt-2026-08",
        only: Sequence[int] | None = None,
        unreadable: Sequence[int] = (),
    ) -> bytes:
        """A model that has this share right, on items of its own choice."""
        store, at = self.store, FIRST + self.number * DAY
        run = replace(stores.manifest(f"night-{self.number:02}"), started=at)
        store.start_run(run)
        weights = weights or f"{name} {self.number}"
        model = store.put_model(name, ModelSpec(weights=f"sha256:{weights}"))
        draw = random.Random(weights)
        with store.transaction():
            for i in range(self.items):
                hit = draw.random() < right
                if only is not None and i not in only:
                    continue
                key, response = item_stores.answer(model, str(i), f"{weights} on {i}")
                store.put_responses({key: replace(response, stack=stack)})
                verdict: Any = Label(name="correct" if hit else "incorrect")
                if i in unreadable:
                    verdict = Unreadable(reason="no verdict")
                place = item_stores.place(model, self.judge, str(i))
                store.put_judgment(
                    Judgment(
                        key=key, judge_key=self.judge, case_key=key, verdict=verdict,
                        served_model=served, at=at + 60,
                    ),
                    [RunVerdict(run_id=run.id, place=place, judgment_key=key)],
                )  # fmt: skip
        self.number += 1
        return model

    def call(self, name: str, model: bytes) -> StoredBaseline:
        run = f"night-{self.number - 1:02}"
        return self.store.put_baseline(name, BENCHMARK, VERSION, model=model, run_id=run)

    def slid(self, rights: Sequence[float]) -> None:
        """The first night is the fixed baseline, and each the moving one of the next."""
        for at, right in enumerate(rights):
            model = self.night(right)
            if at == 0:
                self.call("main", model)
            if at < len(rights) - 1:
                self.call("last-green", model)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        yield Team(store)


def policy(fixed: str | None = "main", *tests: dict[str, Any], **more: Any) -> Policy:
    usual = {"benchmark": BENCHMARK, "judge": "reader", "max_drop": 0.15}
    return Policy(
        tests=[GateTest(**{**usual, **one}) for one in tests or ({},)],
        fixed_baseline=fixed,
        **more,
    )


def gated(team: Team, asked: Policy | None = None, candidate: str = "nightly") -> GateReport:
    return gate_report(
        team.store, candidate=candidate, baseline="last-green", policy=asked or policy()
    )


def only(team: Team, asked: Policy | None = None, candidate: str = "nightly") -> Any:
    (one,) = gated(team, asked, candidate).tests
    assert one.slide is not None
    return one.slide


SLOW = [0.80 - 0.02 * night for night in range(16)]
"""Two points a night, which no night sees in 150 items."""


# what is decided --------------------------------------------------------------------------------


def test_a_slide_that_every_night_passes_is_a_regression(team: Team, tmp_path: Path) -> None:
    team.slid(SLOW)
    report = gated(team)
    (one,) = report.tests
    assert (one.decision, one.verdict, report.verdict) == ("pass", "regression", "regression")
    without = gated(team, policy(None))
    assert without.verdict == "pass"
    assert "slide" not in without.to_dict()["tests"][0]
    slide = one.slide
    assert slide is not None
    assert (slide.outcome, slide.because, slide.threshold) == ("slide", None, 20.0)
    assert slide.e_value > 20.0
    assert slide.slope == pytest.approx(-0.02, abs=0.006)
    assert slide.level_now == pytest.approx(0.50, abs=0.05)
    assert slide.baseline_value == pytest.approx(0.80, abs=0.06)
    assert len(slide.evidence) == 15
    assert slide.evidence[-1].difference == pytest.approx(
        gate_report(team.store, candidate="nightly", baseline="main", policy=policy())
        .tests[0].difference.value
    )  # fmt: skip
    assert slide.called_s is not None
    assert slide.since_s is not None
    assert slide.since_s <= slide.called_s < FIRST + 15 * DAY
    said = report.to_dict()["tests"][0]["slide"]
    json.dumps(said, allow_nan=False)
    assert (said["outcome"], said["baseline"], said["nights"]) == ("slide", "main", 15)
    assert (said["shape"], said["called"][:8]) == ("slope", "2026-11-")
    words = one.in_words()
    assert words.startswith("REGRESSION: accuracy ")
    assert "; slide: accuracy fell from" in words
    assert "(fixed baseline main); evidence" in words
    assert "over 15 nights, 20 calls a slide" in words
    assert "slide: accuracy fell from" in render(report.document(), "table")
    assert ",slide" in render(report.document(), "csv").splitlines()[0]
    (failure,) = ET.fromstring(report.junit(NO_TEXTS)).iter("failure")
    assert failure.get("type") == "regression"
    (line,) = report.annotations(NO_TEXTS)
    assert line.startswith("::error title=REGRESSION")
    with pytest.raises(AssertionError, match="slide: accuracy fell"):
        assert_no_regression(
            candidate="nightly",
            baseline="last-green",
            store=str(team.store.url),
            policy=policy(),
        )


def test_an_unchanged_model_passes_and_says_what_was_looked_at(team: Team) -> None:
    team.slid([0.8] * 16)
    report = gated(team)
    (one,) = report.tests
    assert (report.verdict, one.slide and one.slide.outcome) == ("pass", "none")
    text = render(report.document(), "table")
    assert "no slide against 0." in text
    assert "over 15 nights, 20 calls a slide" in text
    assert "slide" not in one.in_words()


def test_evidence_is_asked_of_all_tests_together(team: Team) -> None:
    team.slid(SLOW[:4])
    report = gated(team, policy("main", {}, {"max_drop": 0.2}, alpha=0.1))
    assert [one.slide and one.slide.threshold for one in report.tests] == [20.0, 20.0]
    # of tests that differ in their drops alone it is worked out once
    asked = policy("main", {}, {"max_drop": 0.2}, {"min_n": 20})
    first, second, other = gated(team, asked).tests
    assert first.slide is second.slide is not other.slide
    yearly = policy("main", false_alarms_per_year=2)
    assert yearly.slide_threshold == 20.0  # over all nights, not of one


def test_a_model_that_came_back_is_let_pass(team: Team) -> None:
    team.slid([*SLOW[:10], *[0.85] * 12])
    found = only(team)
    assert (found.outcome, found.called is not None) == ("none", True)


@pytest.mark.parametrize(("right", "outcome"), [(0.65, "none"), (0.2, "slide")])
def test_a_slide_that_missing_verdicts_could_explain_is_not_called(
    team: Team, right: float, outcome: str
) -> None:
    """A third is missing: all right, they would make up for a fall to 0.65, not for one to 0.2."""
    team.slid([0.8] * 8)
    for _ in range(5):
        team.night(right, unreadable=range(50))
    found = only(team, policy("main", {"coverage_floor": 0.5}))
    assert found.e_value > 20.0
    assert found.outcome == outcome
    said = "missing verdicts: at their best for the candidate there is no slide"
    assert found.because == (said if outcome == "none" else None)


# which nights take part -------------------------------------------------------------------------


def test_nights_that_cannot_be_compared_are_left_out_and_counted(team: Team) -> None:
    model = team.night(0.8, stack=OLD)
    team.call("main", model)
    team.call("last-green", model)
    team.night(0.1, stack=NEW)
    team.night(0.1, stack=OLD, served="gpt-2026-11")
    team.night(0.1, stack=OLD, served="gpt-2026-11")
    team.night(0.1, stack=OLD, unreadable=range(50))
    team.night(0.1, stack=OLD, only=range(5))
    team.night(0.8, stack=OLD)
    found = only(team)
    assert found.outcome == "none"
    assert len(found.evidence) == 1
    assert dict(found.left_out) == {
        "another model served the judge": 2,
        "answers from another stack": 1,
        "too many of its verdicts are missing": 1,
        "fewer than 10 items in common with the fixed baseline": 1,
    }
    assert "2 nights left out: another model served the judge" in found.in_words


def test_a_night_without_the_baselines_items_is_said(team: Team) -> None:
    model = team.night(0.8, only=range(100))
    team.call("main", model)
    team.call("last-green", model)
    team.night(0.8, only=range(100))
    team.night(0.8, only=range(100, 150))
    with pytest.raises(UsageError):  # the moving baseline has none of them either
        gated(team, policy("main", {"judge": "nobody"}))
    found = only(team)
    assert found.outcome == "not tested"
    assert found.because == (
        "tonight cannot be compared with it: fewer than 10 items in common with the fixed baseline"
    )
    assert "; until then evidence" in found.in_words
    assert len(found.evidence) == 1


def test_judges_that_may_not_serve_are_another_judge(team: Team) -> None:
    team.slid([0.8] * 4)
    found = only(team, policy("main", {"served_models": ["gpt-2027"]}))
    assert found.outcome == "not tested"
    assert dict(found.left_out) == {"another model served the judge": 3}


def test_a_version_that_comes_back_takes_part_once(team: Team) -> None:
    team.slid([0.8, 0.8])
    model = team.night(0.7, weights="b")
    team.night(0.8, weights="c")
    team.night(0.7, weights="b")
    its = nights_of(team.store, BENCHMARK, VERSION, team.store.judges()[0].id)["nightly"]
    assert its[2].model_id == its[4].model_id == team.call("last-green", model).model_id
    found = only(team, candidate=its[4].model_id)
    assert [one.at for one in found.evidence] == [FIRST + at * DAY for at in (1, 3, 4)]


def test_nights_before_the_fixed_baseline_and_of_other_names_take_no_part(team: Team) -> None:
    team.night(0.9)
    team.night(0.9)
    model = team.night(0.8)
    team.call("main", model)
    team.call("last-green", model)
    team.night(0.2, name="sibling")
    team.night(0.8)
    assert [one.at for one in only(team).evidence] == [FIRST + 4 * DAY]


def test_the_candidate_may_be_an_earlier_night(team: Team) -> None:
    team.slid(SLOW[:6])
    ids = [one.id for one in team.store.models()]
    found = only(team, candidate=ids[3])
    assert len(found.evidence) == 3
    assert found.evidence[-1].model_id == ids[3]


def test_the_baseline_itself_has_no_slide(team: Team) -> None:
    model = team.night(0.8)
    team.call("main", model)
    team.call("last-green", model)
    report = gated(team)
    assert report.verdict == "pass"
    (one,) = report.tests
    assert one.slide is not None
    assert (one.slide.outcome, one.slide.because) == (
        "not tested", "the candidate is the fixed baseline",
    )  # fmt: skip
    json.dumps(report.to_dict(), allow_nan=False)


def test_one_night_and_nights_that_are_all_equal(team: Team) -> None:
    model = team.night(1.0)
    team.call("main", model)
    team.call("last-green", model)
    team.night(1.0)
    one = only(team)
    assert (one.outcome, one.e_value, len(one.evidence)) == ("none", 1.0, 1)
    for _ in range(5):
        team.night(1.0)
    equal = only(team)
    assert (equal.outcome, equal.since, len(equal.evidence)) == ("none", None, 6)
    assert equal.e_value == pytest.approx(1.0)
    assert math.isnan(equal.slope)
    assert [night.difference for night in equal.evidence] == [0.0] * 6


# the fixed baseline -----------------------------------------------------------------------------


def test_it_may_be_a_model_or_that_of_a_run(team: Team) -> None:
    team.night(0.8, name="release")
    team.slid(SLOW)
    by_name = only(team, policy("release"))
    assert (by_name.outcome, len(by_name.evidence)) == ("slide", 16)
    by_run = only(team, policy("run:night-01"))
    assert by_run.evidence == only(team).evidence
    assert by_run.baseline == "run:night-01"


def test_set_anew_it_begins_anew(team: Team) -> None:
    team.slid(SLOW)
    model = team.night(0.5)
    team.call("main", model)
    team.night(0.5)
    found = only(team)
    assert (found.outcome, len(found.evidence)) == ("none", 1)


def gone(team: Team) -> None:
    path = str(team.store.url).removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM baselines WHERE name = 'main'")
        connection.commit()


@pytest.mark.parametrize(
    ("fixed", "before", "said"),
    [
        ("never", None, "fixed_baseline: .*no model called 'never'.*baseline set"),
        ("main", gone, "fixed_baseline: .*no model called 'main'"),
        ("nightly", None, "fixed_baseline: .*'nightly' is the candidate's own name.*moves every"),
        ("run:none", None, "fixed_baseline: .*no run called 'none'"),
    ],
)
def test_one_that_is_not_there_is_an_error(
    team: Team, fixed: str, before: Callable[[Team], None] | None, said: str
) -> None:
    team.slid([0.8] * 3)
    if before is not None:
        before(team)
    with pytest.raises(UsageError, match=said):
        gated(team, policy(fixed))


def test_by_another_judge_it_cannot_be_tested(team: Team) -> None:
    team.slid([0.8] * 3)
    team.judge = team.store.put_judge("stranger", JudgeSpec(kind="reference", model="other"))
    team.call("last-green", team.night(0.8))
    team.night(0.8)
    found = only(team, policy("main", {"judge": "stranger"}))
    assert found.outcome == "not tested"
    assert "has no verdict on" in str(found.because)


def test_a_metric_without_a_value_of_each_item_is_not_tested(team: Team) -> None:
    team.slid([0.8] * 3)
    data = PairData(team.store, BENCHMARK)
    two = data.two("nightly", "last-green")
    asked = policy("main", {"judge": None, "metric": "ece"})
    found = policy_slide(data, asked, 0, two, "nightly", (None, "j"), None)
    assert found is not None
    assert found.outcome == "not tested"
    assert "no sequential test against main: only an accuracy" in found.in_words


def test_a_scale_without_ends_and_something_missing_calls_nothing(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        store.put_items(stores.items(40))
        judge = store.put_judge("reward", JudgeSpec(kind="reward", model="r"))
        draw = random.Random(1)
        for night in range(8):
            store.start_run(replace(stores.manifest(f"n{night}"), started=FIRST + night * DAY))
            model = store.put_model("nightly", ModelSpec(weights=f"sha256:{night}"))
            for i in range(40):
                score = Score(value=i - 2.0 * night + draw.random(), low=-math.inf, high=math.inf)
                lacks = Unreadable(reason="none") if i == 0 else score
                verdict = lacks if night == 3 else score
                stores.put_one(store, model, judge, i, verdict, f"n{night}")
            if night == 0:
                store.put_baseline("main", BENCHMARK, VERSION, model=model, run_id="n0")
        test = GateTest(benchmark=BENCHMARK, judge="reward", max_drop=0.5)
        report = gate_report(
            store,
            candidate="nightly",
            baseline="main",
            policy=Policy(tests=[test], fixed_baseline="main"),
        )
    found = report.tests[0].slide
    assert found is not None
    assert found.e_value > 20.0
    assert (found.outcome, str(found.because)[:20]) == ("none", "verdicts are missing")


def test_categories_that_count_equally_do_so_with_items_missing() -> None:
    pair = PairedModels(
        judge="J", metric="score", unit=1.0, width=1.0, items=("a", "b", "c", "d"),
        unit_of=np.arange(4), weight=np.array([0.5, 0.5, 0.5, 0.0]),
        stratum=np.array([1, 1, 2, -1]), mean=np.array([[0.1, 0.1]] * 4), worst=None, best=None,
        missing=np.zeros(2, dtype=np.int64), expected=np.full(2, 4),
    )  # fmt: skip
    assert list(normalised(pair, pair.stratum >= 0)) == [0.25, 0.25, 0.5]
    assert list(normalised(pair, np.array([True, False, True, False]))) == [0.5, 0.5]


# nights, policies and the command ---------------------------------------------------------------


def test_nights_are_followed_from_the_first_one_or_a_baseline(team: Team) -> None:
    team.slid(SLOW)
    judge = team.store.judges()[0].id
    found = nights(team.store, BENCHMARK, VERSION, judge, "nightly")
    assert found.slide is not None
    assert (found.slide.baseline, found.slide.outcome) == ("the first night", "slide")
    named = nights(team.store, BENCHMARK, VERSION, judge, "nightly", fixed="main")
    assert named.slide is not None
    assert named.slide.evidence == found.slide.evidence == only(team).evidence
    assert [one.model_id for one in named.slide.evidence] == [
        one.model_id for one in named.nights[1:]
    ]
    assert nights(team.store, BENCHMARK, VERSION, judge, "nightly", fixed="x").slide is None


def test_a_policy_names_it(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("fixed_baseline: main\ntests: [{benchmark: b, max_drop: 0.1}]\n")
    assert read_policy(path).fixed_baseline == "main"
    path.write_text("fixed_baseline: ''\ntests: [{benchmark: b, max_drop: 0.1}]\n")
    with pytest.raises(ConfigError, match="fixed_baseline"):
        read_policy(path)
    assert read_policy(Path("suites/nightly/gate.yaml")).fixed_baseline is not None


def test_the_command_ends_with_1_or_64(team: Team, tmp_path: Path) -> None:
    team.slid(SLOW)
    path = tmp_path / "gate.yaml"
    test = f"tests: [{{benchmark: {BENCHMARK}, judge: reader, max_drop: 0.15}}]\n"
    asked = ["gate", "--baseline", "last-green", "--candidate", "nightly", "--policy", str(path)]
    asked += ["--store", str(team.store.url)]
    path.write_text(f"fixed_baseline: main\n{test}")
    done = typed(*asked)
    assert done.code == 1
    assert "slide: accuracy fell from" in done.out
    path.write_text(f"fixed_baseline: gone\n{test}")
    done = typed(*asked)
    assert done.code == 64
    assert "the policy's fixed_baseline" in done.err
    path.write_text(test)
    assert typed(*asked).code == 0
