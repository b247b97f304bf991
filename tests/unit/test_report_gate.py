"""The regression gate: what passes, what fails, what stays open, and how it says so."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from judgebench.errors import ConfigError, UsageError
from judgebench.records import Failure, ModelSpec, VerdictSlot
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy, read_policy
from judgebench.reports.gate_result import GateReport, GateResult
from judgebench.reports.gate_suggest import usual_policy
from judgebench.reports.pair_tests import Texts
from judgebench.reports.render import render
from judgebench.reports.versions import set_baseline
from judgebench.stats.paired_tests import score_worse, tango_bounds
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.unit.exchanged import coded, import_verdicts, label, rows_file
from tests.unit.hostile import HOSTILE

MANY = 200


def put(store: Store, folder: Path, *rows: Sequence[Any]) -> None:
    all_rows = [row for some in rows for row in some]
    import_verdicts(store, rows_file(folder / "v.jsonl", all_rows))


def policy(*tests: dict[str, Any], **more: Any) -> Policy:
    asked = tests or ({},)
    usual = {"benchmark": "made_up", "max_drop": 0.05}
    return Policy(tests=[GateTest(**{**usual, **test}) for test in asked], **more)


def gated(store: Store, *tests: dict[str, Any], **more: Any) -> GateReport:
    return gate_report(store, candidate="new", baseline="old", policy=policy(*tests, **more))


def only(store: Store, *tests: dict[str, Any], **more: Any) -> GateResult:
    (one,) = gated(store, *tests, **more).tests
    return one


def test_as_good_passes_and_much_worse_fails(store: Store, tmp_path: Path) -> None:
    good, bad = "+" * 150 + "-" * 50, "+" * 110 + "-" * 90
    put(store, tmp_path, coded("old", "J", good), coded("new", "J", good), coded("bad", "J", bad))
    assert only(store).decision == "pass"
    report = gate_report(store, candidate="bad", baseline="old", policy=policy())
    (one,) = report.tests
    assert (report.verdict, one.decision, one.because) == ("regression", "regression", None)
    assert (one.candidate_value, one.baseline_value) == pytest.approx((0.55, 0.75))
    assert one.difference.value == pytest.approx(-0.2)
    assert one.difference.level == pytest.approx(0.9)
    assert one.p_value < 1e-9
    assert one.flips.difference.tolist() == [-1.0] * 40


def test_worse_within_the_allowed_drop_passes(store: Store, tmp_path: Path) -> None:
    old = "+" * 1000
    new = "+" * 985 + "-" * 15
    put(store, tmp_path, coded("old", "J", old), coded("new", "J", new))
    one = only(store, {"max_drop": 0.05})
    assert one.decision == "pass"
    assert one.p_value < 0.001
    assert one.in_words().endswith("15 items worse, 0 better; worse, but within the allowed drop")
    assert only(store, {"max_drop": 0.01}).decision == "regression"


def test_few_items_decide_nothing_and_it_says_how_many_would(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "++++++++-+-+"), coded("new", "J", "+++++-++-+-+"))
    one = only(store)
    assert one.decision == "inconclusive"
    assert one.to_decide is not None
    assert one.because == (
        "if the true difference is as observed, about "
        f"{-(-one.to_decide.fewest // 1) - 12:,.0f} more items give an 80 % chance of a decision"
    )
    assert one.detectable_difference > 0.15
    asked = only(store, {"min_n": 50})
    assert asked.because == "12 items have a verdict on both, and 50 are asked"


def test_a_handful_of_items_calls_nothing_and_lets_nothing_pass(
    store: Store, tmp_path: Path
) -> None:
    put(
        store, tmp_path, coded("old", "J", "+" * 30), coded("nine", "J", "-" * 9),
        coded("ten", "J", "-" * 10), coded("as_good", "J", "+" * 19), coded("twenty", "J", "+" * 20)
    )  # fmt: skip

    def said(candidate: str, max_drop: float = 0.5) -> tuple[str, str | None]:
        asked = policy({"coverage_floor": 0.0, "max_drop": max_drop})
        (one,) = gate_report(store, candidate=candidate, baseline="old", policy=asked).tests
        return one.decision, one.because

    few = "9 items have a verdict on both: nothing is decided with fewer than 10"
    assert said("nine", 0.05) == ("inconclusive", few)
    assert said("ten", 0.05) == ("regression", None)
    few = "19 items have a verdict on both: nothing passes with fewer than 20"
    assert said("as_good") == ("inconclusive", few)
    assert said("twenty") == ("pass", None)


def test_a_bound_at_what_it_decides_promises_nothing(store: Store, tmp_path: Path) -> None:
    old = [
        {**row, "kind": "score", "value": 0.5, "low": 0, "high": 1}
        for row in coded("old", "J", "+" * 30)
    ]
    values = [0.0] * 4 + [0.5] * 26
    new = [
        {**row, "kind": "score", "value": value, "low": 0, "high": 1}
        for row, value in zip(coded("new", "J", "+" * 30), values, strict=True)
    ]
    put(store, tmp_path, old, new)
    one = only(store, {"max_drop": 0.02})
    assert one.difference.high == 0.0
    assert (one.decision, one.because) == ("inconclusive", "a bound stands at what it decides at")
    assert gated(store, {"max_drop": 0.02}).to_dict()["tests"][0]["items_to_decide"] is None


def test_a_difference_of_the_allowed_drop_itself_may_be_a_regression_with_more_items(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, coded("old", "J", "+" * 100), coded("new", "J", "-" * 2 + "+" * 98))
    one = only(store, {"max_drop": 0.02})
    assert one.to_decide is not None
    assert "more items give an 80 % chance of a decision" in str(one.because)


def test_a_drop_of_the_whole_scale_is_a_slip(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+" * MANY), coded("new", "J", "-" * MANY))
    with pytest.raises(UsageError, match=r"max_drop: 2 is all there is of accuracy.*are 0\.02"):
        gated(store, {"max_drop": 2})
    with pytest.raises(UsageError, match="max_drop: 2 is all there is"):
        gated(store, {"max_drop": 0.5}, {"max_drop": 2})  # also where the same was asked before


def test_a_regression_at_the_smaller_drop_says_at_which_it_would_pass(
    store: Store, tmp_path: Path
) -> None:
    old = "+" * 1000
    put(store, tmp_path, coded("old", "J", old), coded("new", "J", "-" * 15 + "+" * 985))
    one = only(store, {"max_drop": 0.05, "strict_drop": 0.02})
    assert one.decision == "regression"
    assert "a regression at 2 points; it would pass at 5 points" in one.in_words()
    test = gated(store, {"max_drop": 0.05, "strict_drop": 0.02}).to_dict()["tests"][0]
    assert test["regression_at_default_only"] is True


def test_missing_verdicts_never_turn_a_decision_silently(store: Store, tmp_path: Path) -> None:
    """With all bad answers unreadable the candidate looks as good as the baseline."""
    old, bad = "+" * 150 + "-" * 50, "+" * 120 + "?" * 30 + "-" * 50
    put(store, tmp_path, coded("old", "J", old), coded("new", "J", bad))
    refused = only(store)
    assert refused.decision == "inconclusive"
    assert (
        "85.0 % of the verdicts on new are there, and 95 % have to be; missing: 30 unreadable"
        in str(refused.because)
    )
    at_the_floor = only(store, {"coverage_floor": refused.coverage.candidate})
    assert "have to be" not in str(at_the_floor.because)
    open_ = only(store, {"coverage_floor": 0.5})
    assert open_.decision == "inconclusive"
    assert str(open_.because).startswith("missing verdicts: at their worst or best")
    assert (open_.difference.worst_low, open_.difference.worst_high) == (
        pytest.approx(-0.15),
        pytest.approx(0.0),
    )


def test_a_missing_verdict_that_cannot_matter_does_not(store: Store, tmp_path: Path) -> None:
    old, bad = "+" * 180 + "-" * 20, "+" * 100 + "?" * 4 + "-" * 96
    put(store, tmp_path, coded("old", "J", old), coded("new", "J", bad))
    assert only(store).decision == "regression"


def test_p_values_are_adjusted_over_the_policy(store: Store, tmp_path: Path) -> None:
    old = "+" * MANY
    rows = [coded("old", judge, old) for judge in "ABC"]
    rows.append(coded("new", "A", "-" * 6 + "+" * (MANY - 6)))
    rows += [coded("new", judge, old) for judge in "BC"]
    put(store, tmp_path, *rows)
    alone = only(store, {"judge": "A", "max_drop": 0.01})
    p = score_worse(0, 6)
    assert (alone.p_value, alone.p_adjusted) == (pytest.approx(p),) * 2
    assert (alone.level_low, alone.level_high) == (0.95, 0.95)
    assert alone.difference.level == pytest.approx(0.9)
    tests = [{"judge": judge, "max_drop": 0.01} for judge in "ABC"]
    together = gated(store, *tests)
    first = together.tests[0]
    assert first.p_adjusted == pytest.approx(3 * p)
    assert first.decision == "regression"
    # What is printed is what decides: of three tests the first at a third of alpha.
    assert (first.level_low, first.level_high) == pytest.approx((0.95, 1 - 0.05 / 3))
    low, high = tango_bounds(0, 6, MANY, alpha=0.05 / 3)
    assert first.difference.high == pytest.approx(high, abs=1e-9)
    assert alone.difference.high < first.difference.high < 0.0
    assert first.difference.low > low
    assert (together.tests[1].level_low, together.tests[1].level_high) == pytest.approx(
        (0.95, 1 - 0.05 / 2)
    )
    # and what these items find is said for the hardest of them
    assert first.detectable_difference > alone.detectable_difference
    strict = gated(store, *tests, alpha=0.01)
    assert strict.tests[0].decision == "inconclusive"
    assert strict.verdict == "inconclusive"


def test_one_regression_is_one_and_an_open_question_keeps_a_pass_back(
    store: Store, tmp_path: Path
) -> None:
    old = "+" * MANY
    rows = [coded("old", judge, old) for judge in "AB"]
    put(store, tmp_path, *rows, coded("new", "A", "-" * MANY), coded("new", "B", old[:10]))
    report = gated(store, {"judge": "A"}, {"judge": "B"})
    assert [one.decision for one in report.tests] == ["regression", "inconclusive"]
    assert report.verdict == "regression"


def test_a_judge_served_by_another_model_is_no_regression(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+" * MANY), coded("new", "J", "-" * MANY))
    one = only(store, {"served_models": ["gpt-x"]})
    assert one.decision == "regression"  # nobody is known to have served them


def test_kappa_against_people_is_asked_for(store: Store, tmp_path: Path) -> None:
    people = "+-" * (MANY // 2)
    rows = [
        coded("old", "J", "+" * MANY), coded("new", "J", "+" * MANY),
        coded("old", "human/a", people), coded("new", "human/a", people),
    ]  # fmt: skip
    put(store, tmp_path, *rows)
    assert only(store, {"judge": "J"}).decision == "pass"
    one = only(store, {"judge": "J", "min_kappa": 0.4})
    assert (one.decision, one.because) == (
        "inconclusive", "the judge's kappa is 0.000, and 0.4 is asked",
    )  # fmt: skip
    nobody = only(store, {"judge": "J", "min_kappa": 0.4, "reference": "human/b"})
    assert str(nobody.because).startswith("the judge's kappa is not known")


def test_few_labels_say_how_many_more_would_tell(store: Store, tmp_path: Path) -> None:
    """Kappa 0.5 of 20 labels on each model, and a little more is asked."""
    said, people = "++++++++++----------", "+++++++++++++++-----"
    for model in ("old", "new"):
        put(store, tmp_path, coded(model, "J", said), coded(model, "human/a", people))
    because = str(only(store, {"judge": "J", "min_kappa": 0.6}).because)
    kappa, low, high = (float(x.strip("[],")) for x in because.split()[4:7])
    assert kappa == 0.5
    assert low < kappa < 0.6 < high
    more = int(because.split("asked; ")[1].split()[0])
    assert more == pytest.approx(40 * (((high - 0.5) / 0.1) ** 2 - 1), rel=0.02)
    assert f"{more} more labels would tell whether it is" in because


def test_who_is_meant_has_to_be_there(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "++"), coded("old", "K", "++"), coded("new", "J", "++"))
    with pytest.raises(UsageError, match="no model called 'newer'; did you mean 'new'"):
        gate_report(store, candidate="newer", baseline="old", policy=policy())
    with pytest.raises(UsageError, match="candidate and baseline are one and the same model"):
        gate_report(store, candidate="new", baseline="new", policy=policy())
    with pytest.raises(UsageError, match="K has not judged both new and old; these have: J"):
        only(store, {"judge": "K"})
    with pytest.raises(UsageError, match="no metric of a gate called 'acuracy'"):
        only(store, {"metric": "acuracy"})
    assert only(store).judge == "J"


def test_tonights_model_is_not_taken_for_last_nights(store: Store, tmp_path: Path) -> None:
    """No judge could be reached: the verdicts on an earlier model of its name say nothing of it."""
    put(store, tmp_path, coded("old", "J", "+" * MANY), coded("new", "J", "+" * MANY))
    assert only(store).decision == "pass"
    (judge,) = store.judges()
    place = VerdictSlot(
        benchmark="made_up", version="unversioned", item_id="0", judge_key=judge.key,
        model_key=store.put_model("new", ModelSpec(weights="tonight's")),
    )  # fmt: skip
    store.put_failure(
        Failure(
            key=b"k" * 32, boundary="provider", message="503", retriable=True, attempts=3,
            place=place, at=time.time() + 1.0,
        )
    )  # fmt: skip
    one = only(store)
    assert (one.decision, one.candidate_id) == ("inconclusive", place.model_key.hex()[:12])
    assert str(one.because).startswith("0.0 % of the verdicts on new@")
    with pytest.raises(UsageError, match="the newest model called 'new' was not judged on it yet"):
        set_baseline(store, "main", "new")


def test_several_boards_have_to_be_told_apart(store: Store, tmp_path: Path) -> None:
    rows = [coded(model, judge, "++++") for model in ("old", "new") for judge in ("J", "K")]
    put(store, tmp_path, *rows)
    with pytest.raises(
        UsageError, match=r"say which judge and metric are meant: J \(accuracy\), K"
    ):
        only(store)


def test_a_gate_says_which_category_nobody_can_compare(store: Store, tmp_path: Path) -> None:
    scored = [
        {"benchmark": "codal_bench_mini", "version": "1", "item_id": str(n), "model": model,
         "judge": "j", "kind": "score", "value": 5, "low": 1, "high": 10}
        for n in range(8) for model in ("old", "new")
    ]  # fmt: skip
    put(store, tmp_path, scored)
    report = gated(store, {"benchmark": "codal_bench_mini", "max_drop": 1.0})
    why = "no item of explanation has a readable verdict on both, and categories count equally"
    (one,) = report.tests
    assert (one.decision, one.because) == ("inconclusive", why)
    assert math.isnan(one.candidate_value)
    assert why in str(report.document().tables[0].notes)


def test_without_a_policy_every_common_board_is_tested(store: Store, tmp_path: Path) -> None:
    scores = [
        label(i, model, "S", "") | {"kind": "score", "value": 5 + i % 3, "low": 1, "high": 10}
        for i in range(20)
        for model in ("old", "new")
    ]
    put(store, tmp_path, coded("old", "J", "++++"), coded("new", "J", "++++"), scores)
    made = usual_policy(store, "new", "old", share=0.02, alpha=0.1)
    assert [(t.judge, t.max_drop) for t in made.tests] == [("J", 0.02), ("S", pytest.approx(0.18))]
    assert made.level == 0.1
    with pytest.raises(UsageError, match="no benchmark on which one judge has judged both"):
        usual_policy(store, "new", "nobody", share=0.02, alpha=0.1)


def test_a_policy_is_read_with_its_faults_named(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text("tests:\n  - {benchmark: b, max_dorp: 1}\n")
    with pytest.raises(ConfigError, match="no key called 'max_dorp'; did you mean 'max_drop'"):
        read_policy(file)
    file.write_text("alpha: 0.05\nfalse_alarms_per_year: 2\ntests: [{benchmark: b, max_drop: 1}]\n")
    with pytest.raises(ConfigError, match="say 'alpha' or 'false_alarms_per_year', not both"):
        read_policy(file)
    file.write_text("false_alarms_per_year: 2\ntests: [{benchmark: b, max_drop: 1}]\n")
    assert read_policy(file).level == pytest.approx(2 / 365)
    file.write_text("- 1\n")
    with pytest.raises(ConfigError, match="a policy is a mapping with the key 'tests'"):
        read_policy(file)


def test_json_has_no_nan_and_words_are_those_of_the_contract(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "?+"), coded("new", "J", "+?"))
    data = gated(store, {"coverage_floor": 0.0}).to_dict()
    (test,) = data["tests"]
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["verdict"], test["decision"]) == ("inconclusive", "inconclusive")
    assert (test["difference"]["value"], test["p_value"]) == (None, None)
    assert test["because"]


def test_junit_names_what_fell_and_hostile_texts_stay_text(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+" * MANY), coded("new", "J", "-" * MANY))
    report = gated(store)
    asked = {("made_up", "unversioned", str(i)): text for i, text in enumerate(HOSTILE)}
    texts = Texts(questions=asked)
    parsed = ET.fromstring(report.junit(texts))
    (failure,) = parsed.iter("failure")
    assert failure.attrib["message"] == report.tests[0].in_words()
    assert failure.attrib["message"].startswith(
        "REGRESSION: accuracy fell from 1.000 (old) to 0.000 (new): -1.000, 90 % CI [-1.000, -0.9"
    )
    assert failure.text is not None
    assert len(failure.text.splitlines()) == 11
    suite = next(parsed.iter("testsuite"))
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == (
        "1", "1", "0",
    )  # fmt: skip
    for form in ("table", "md", "html", "latex", "csv"):
        assert render(report.document(texts), form)


def test_exit_codes_and_the_summary_of_a_workflow(store: Store, tmp_path: Path) -> None:
    good, bad = "+" * MANY, "-" * MANY
    put(store, tmp_path, coded("old", "J", good), coded("new", "J", good), coded("bad", "J", bad),
        coded("few", "J", good[:5]))  # fmt: skip
    summary = tmp_path / "summary.md"
    at = ["--store", str(tmp_path / "s.db"), "--baseline", "old"]
    codes = {}
    for name in ("new", "bad", "few"):
        done = typed(
            "gate", *at, "--candidate", name, "--junit", tmp_path / f"{name}.xml",
            environment={"GITHUB_STEP_SUMMARY": str(summary)},
        )  # fmt: skip
        codes[name] = done.code
    assert codes == {"new": 0, "bad": 1, "few": 2}
    text = summary.read_text()
    assert text.index("PASS: new") < text.index("REGRESSION: bad") < text.index("INCONCLUSIVE: few")
    assert ET.parse(tmp_path / "bad.xml").getroot().tag == "testsuites"


def test_the_model_of_a_run_is_a_baseline(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+" * MANY))
    put(store, tmp_path, coded("new", "J", "-" * MANY), coded("other", "J", "-" * MANY))
    first, second = (run.id for run in store.runs())

    def against(baseline: str) -> GateResult:
        found = gate_report(store, candidate="new", baseline=baseline, policy=policy())
        return found.tests[0]

    assert against(f"run:{first}").baseline == "old"
    assert against(f"run:{first}").decision == "regression"
    assert against(f"run:{second}/other").baseline == "other"
    with pytest.raises(UsageError, match=r"has judged new, other; a baseline is one model: run:"):
        against(f"run:{second}")
    with pytest.raises(UsageError, match="has judged none called 'nobody'"):
        against(f"run:{first}/nobody")
    with pytest.raises(UsageError, match="no run called 'nothing'"):
        against("run:nothing")


def compared(model: str, p: Sequence[float | None], order: str = "model_first") -> list[Any]:
    """Comparisons with old, an item each; None could not be read."""
    about = {"benchmark": "made_up", "model": model, "judge": "P", "opponent": "old"}
    return [
        {**about, "item_id": f"{i}", "kind": "preference", "value": value, "order": order}
        if value is not None
        else {**about, "item_id": f"{i}", "kind": "unreadable", "value": "", "reason": "no verdict",
              "order": order}
        for i, value in enumerate(p)
    ]  # fmt: skip


def test_head_to_head_is_tested_beside_one_half(store: Store, tmp_path: Path) -> None:
    """A judge that goes by the place alone says nothing of either."""
    place = compared("new", [1.0] * MANY) + compared("new", [0.0] * MANY, "opponent_first")
    lost = compared("bad", [0.0] * 130 + [1.0] * 70)
    put(store, tmp_path, place, lost)
    one = only(store, {"head_to_head": True, "max_drop": 3.0})
    assert (one.metric, one.baseline, one.decision) == ("head_to_head", "old", "pass")
    assert (one.candidate_value, one.baseline_value) == pytest.approx((50.0, 50.0))
    assert one.difference.value == 0.0
    report = gate_report(
        store, candidate="bad", baseline="old",
        policy=policy({"head_to_head": True, "max_drop": 3.0}),
    )  # fmt: skip
    (bad,) = report.tests
    assert bad.decision == "regression"
    assert bad.difference.value == pytest.approx(-15.0)
    made = usual_policy(store, "bad", "old", share=0.02, alpha=0.05, head_to_head=True)
    assert [(t.judge, t.max_drop, t.head_to_head) for t in made.tests] == [("P", 2.0, True)]
    with pytest.raises(UsageError, match="Q has not compared new with old; a run with baseline:"):
        only(store, {"head_to_head": True, "judge": "Q"})


def test_comparisons_that_could_not_be_read_are_put_at_their_ends(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, compared("new", [0.5] * 100 + [None] * 20))
    test = {"head_to_head": True, "max_drop": 3.0, "coverage_floor": 0.5}
    one = only(store, test)
    assert one.decision == "inconclusive"
    assert one.coverage == (pytest.approx(100 / 120), 1.0)
    assert one.difference.worst_low == pytest.approx(-50 * 20 / 120)
    assert one.difference.worst_high == pytest.approx(50 * 20 / 120)
