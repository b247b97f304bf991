"""An unchanged model at a gate: how often it passes, and what the allowed drop is chosen by."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.errors import ConfigError, UsageError
from judgebench.records import ModelSpec
from judgebench.reports.compare import comparison
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy, read_policy
from judgebench.reports.gate_result import GateReport
from judgebench.reports.gate_suggest import boards_in_common, suggested, usual_policy
from judgebench.reports.pair_tests import NO_TEXTS, drop_words
from judgebench.reports.render import render
from judgebench.stats.gate_rule import decide
from judgebench.stats.paired_tests import paired_test
from judgebench.stats.unchanged import margin_to_pass, passes_unchanged, units_to_pass
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.unit.exchanged import coded, import_verdicts, label, rows_file

ITEMS = 400


def put(store: Store, folder: Path, *rows: Sequence[Any]) -> None:
    import_verdicts(store, rows_file(folder / "v.jsonl", [row for some in rows for row in some]))


def drawn(seed: int, n: int = ITEMS, *, worse: float = 0.0) -> str:
    """Verdicts of a model that has eight items in ten right, each with a chance of its own."""
    chances = np.random.default_rng(0).beta(1.6, 0.4, n)
    draws = np.random.default_rng([1, seed]).random(n)
    return "".join(
        "+" if u < p * (1.0 - worse) else "-" for u, p in zip(draws, chances, strict=True)
    )


def gated(store: Store, policy: Policy, candidate: str = "new") -> GateReport:
    return gate_report(store, candidate=candidate, baseline="old", policy=policy)


def one_test(**more: Any) -> Policy:
    test = {"benchmark": "made_up", "judge": "J", "max_drop": 0.02, **more}
    return Policy(tests=[GateTest(**test)])


# what is said -----------------------------------------------------------------------------------


def test_every_form_says_how_often_an_unchanged_model_passes(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)))
    report = gated(store, one_test())
    d = np.array([a == "+" for a in drawn(2)], float) - [a == "+" for a in drawn(1)]
    spread = math.sqrt(float((d**2).mean()))
    found = report.tests[0].unchanged
    assert found is not None
    chance = passes_unchanged(spread, ITEMS, 0.02, alpha=0.05, binary=True)
    assert found.chance == pytest.approx(chance, abs=2e-3)
    assert report.chance_unchanged_passes == found.chance
    margin = margin_to_pass(spread, ITEMS, alpha=0.05, binary=True)
    items = units_to_pass(spread, 0.02, alpha=0.05, binary=True)
    assert found.margin == pytest.approx(margin, rel=2e-3)
    assert found.items == pytest.approx(items, rel=5e-3)
    sentence = (
        f"an unchanged model passes this gate with {100 * found.chance:.0f} % chance; 80 % needs "
        f"an allowed drop of {math.ceil(1000 * found.margin) / 10:g} points or "
        f"{found.items:,.0f} items"
    )
    for form in ("table", "md", "html", "latex"):
        shown = " ".join(render(report.document(), form).split())
        assert sentence.replace("%", r"\%" if form == "latex" else "%") in shown, form
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["chance_unchanged_passes"] == pytest.approx(found.chance)
    (test,) = data["tests"]
    assert test["margin_for_80"] == pytest.approx(found.margin)
    assert test["items_for_80"] == found.items
    assert test["unchanged"] == {"means": "exchanged", "answers": 1.0, "nights": 1.0}
    assert (test["margin_source"], test["passes_at_default"]) == ("policy", None)
    assert "verdicts exchanged at random, item by item" in render(report.document(), "md")


def test_several_tests_have_to_pass_together(store: Store, tmp_path: Path) -> None:
    """Two judges that say the same count once; on two benchmarks chances multiply."""
    put(
        store, tmp_path,
        *(coded(m, j, drawn(s)) for m, s in (("old", 1), ("new", 2)) for j in "JK"),
        *(
            [row | {"benchmark": "other"} for row in coded(m, "J", drawn(s))]
            for m, s in (("old", 3), ("new", 4))
        ),
    )  # fmt: skip
    tests = [
        GateTest(benchmark=b, judge=j, max_drop=0.04)
        for b, j in (("made_up", "J"), ("made_up", "K"), ("other", "J"))
    ]
    report = gated(store, Policy(tests=tests))
    first, second, third = (one.unchanged.chance for one in report.tests if one.unchanged)
    assert first == second
    assert report.chance_unchanged_passes == pytest.approx(first * third, abs=0.012)
    assert "this gate's 3 tests together" in render(report.document(), "md")
    twice = gated(store, Policy(tests=[tests[0], tests[0]]))
    assert twice.chance_unchanged_passes == pytest.approx(first)


def test_few_items_never_pass_and_what_was_not_measured_is_not_said(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1, 12)), coded("new", "J", drawn(2, 12)))
    (test,) = gated(store, one_test()).to_dict()["tests"]
    assert (test["chance_unchanged_passes"], test["margin_for_80"]) == (0.0, None)
    assert test["items_for_80"] >= 20
    (test,) = gated(store, one_test(min_n=5000)).to_dict()["tests"]
    assert (test["chance_unchanged_passes"], test["items_for_80"]) == (0.0, 5000)


def with_missing(answers: str, every: int, start: int) -> str:
    return "".join("?" if i % every == start else one for i, one in enumerate(answers))


def test_missing_verdicts_are_counted_in(store: Store, tmp_path: Path) -> None:
    """A pass has to hold in the worst view, where an unchanged model lacks what it lacks."""
    old, new = with_missing(drawn(1), 80, 0), with_missing(drawn(2), 80, 7)
    put(store, tmp_path, coded("old", "J", old), coded("new", "J", new))
    found = gated(store, one_test(max_drop=0.06)).tests[0].unchanged
    assert found is not None
    d = np.array([a == "+" for a in drawn(2)], float) - [a == "+" for a in drawn(1)]
    without = passes_unchanged(
        math.sqrt(float((d**2).mean())), ITEMS, 0.06, alpha=0.05, binary=True
    )
    assert without > 0.8
    assert found.chance < without - 0.1
    assert found.margin > 0.0125 + margin_to_pass(
        math.sqrt(float((d**2).mean())), ITEMS, alpha=0.05, binary=True
    ) - 0.005  # fmt: skip
    again = gated(store, one_test(max_drop=found.margin)).tests[0].unchanged
    assert again is not None
    assert again.chance == pytest.approx(0.8, abs=1e-6)


def test_a_baseline_of_which_too_little_could_be_read_never_passes(
    store: Store, tmp_path: Path
) -> None:
    old, new = with_missing(drawn(1), 10, 0), with_missing(drawn(2), 10, 0)
    put(store, tmp_path, coded("old", "J", old), coded("new", "J", new))
    report = gated(store, one_test(max_drop=0.9))
    found = report.tests[0].unchanged
    assert found is not None
    assert (found.chance, report.chance_unchanged_passes) == (0.0, 0.0)
    assert math.isnan(found.margin)
    said = "nothing passes, made_up, J, accuracy: 90.0 % of the verdicts on old are there"
    assert said in render(report.document(), "md").replace("\\_", "_")
    low = gated(store, one_test(max_drop=0.9, coverage_floor=0.5)).tests[0].unchanged
    assert low is not None
    assert low.chance > 0.99


def test_a_strict_drop_calls_an_unchanged_model_as_often_as_it_says(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)))
    wide = gated(store, one_test(max_drop=0.3)).tests[0].unchanged
    held = gated(store, one_test(max_drop=0.3, strict_drop=0.02)).tests[0].unchanged
    assert wide is not None
    assert held is not None
    assert wide.chance > 0.999
    assert held.chance == pytest.approx(0.95)
    strict = gated(store, one_test(max_drop=0.3, strict_drop=0.3)).tests[0].unchanged
    assert strict is not None
    assert strict.chance == wide.chance


def test_one_item_says_that_nothing_is_known(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+"), coded("new", "J", "-"))
    data = gated(store, one_test()).to_dict()
    assert data["chance_unchanged_passes"] is None
    assert data["tests"][0]["unchanged"] == {
        "undefined": "too few items to know how far the two differ"
    }
    assert "is not known" in render(gated(store, one_test()).document(), "md")


def heads(model: str, values: Sequence[float]) -> list[dict[str, Any]]:
    """Comparisons with old by P, the same in both orders."""
    about = {"benchmark": "made_up", "model": model, "judge": "P", "opponent": "old"}
    return [
        about | {"item_id": str(i), "kind": "preference", "value": value, "order": order}
        for i, value in enumerate(values)
        for order in ("model_first", "opponent_first")
    ]


def test_drops_head_to_head_are_points_of_a_percentage(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, heads("new", [1.0, 0.5, 0.0, 0.5] * 100))
    test = one_test(judge="P", head_to_head=True, max_drop=8.0, strict_drop=2.0)
    report = gated(store, test)
    assert (report.verdict, report.tests[0].passes_at_strict) == ("pass", False)
    shown = render(report.document(), "md")
    assert "passes at 8 points, not at 2" in shown
    assert "50.0 " in shown
    found = gated(store, one_test(judge="P", head_to_head=True, max_drop=2.0)).tests[0].unchanged
    assert found is not None
    assert (
        drop_words(found.margin, "head_to_head") == f"{math.ceil(10 * found.margin) / 10:g} points"
    )
    assert 3.0 < found.margin < 6.0


# the drop that is chosen ------------------------------------------------------------------------


def chosen(store: Store, candidate: str = "new", **more: Any) -> Any:
    (test,) = usual_policy(store, candidate, "old", **more).tests
    return test


def one_more(spread: float) -> float:
    """Of two more items, one of which differs."""
    return math.sqrt((ITEMS * spread**2 + 1.0) / (ITEMS + 2.0))


def test_what_the_drop_rests_on_is_said(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)))
    source = chosen(store).source
    assert "assumed, as nothing earlier is known" in source
    assert "chosen from what was known before: 80 % for an unchanged model by that spread" in source
    sd = float(np.std([a == "+" for a in drawn(1)], ddof=1))
    points = 100 * margin_to_pass(one_more(sd), ITEMS, alpha=0.05, binary=True)
    assert 100 * chosen(store).max_drop == pytest.approx(math.ceil(10 * points) / 10)
    put(store, tmp_path, coded("a", "J", drawn(3)), coded("b", "J", drawn(4)))
    assert "the median of 2 earlier pairs of old with other models" in chosen(store).source
    data = gated(store, usual_policy(store, "new", "old")).to_dict()
    assert data["tests"][0]["margin_source"] == chosen(store).source
    assert chosen(store).source in render(
        gated(store, usual_policy(store, "new", "old")).document(), "md"
    )
    put(store, tmp_path, version(store, "old", "answers:1", drawn(7)))
    put(store, tmp_path, version(store, "old", "answers:2", drawn(8)))
    assert "old@" in chosen(store).source
    assert "asked again: 2 answers an item" in chosen(store).source


@pytest.mark.parametrize("opposite", [False, True])
def test_a_candidate_that_differs_everywhere_is_allowed_the_same_drop(
    tmp_path: Path, opposite: bool
) -> None:
    answers = drawn(1)
    with open_store(str(tmp_path / f"{opposite}.db")) as store:
        mine = answers.translate({43: 45, 45: 43}) if opposite else answers
        put(
            store, tmp_path,
            coded("old", "J", answers), coded("before", "J", drawn(5)), coded("new", "J", mine),
        )  # fmt: skip
        test = chosen(store)
        (one,) = boards_in_common(store, "new", "old")
    d = np.array([a == "+" for a in drawn(5)], float) - [a == "+" for a in answers]
    spread = one_more(float(d.std(ddof=1)))
    points = 100 * margin_to_pass(spread, ITEMS, alpha=0.05, binary=True)
    assert one.known.points_to_pass(0.05, 0.8) == pytest.approx(math.ceil(10 * points) / 10)
    assert 100 * test.max_drop == pytest.approx(6.0)
    assert test.strict_drop == pytest.approx(0.02)


def test_models_that_did_not_differ_are_no_certainty(store: Store, tmp_path: Path) -> None:
    """No item of 40 differed: the next night one may."""
    for model in ("old", "before", "new"):
        scored = [
            label(i, model, "S", "") | {"kind": "score", "value": 5, "low": 1, "high": 10}
            for i in range(40)
        ]
        put(store, tmp_path, coded(model, "J", "+-" * 20), scored)
    of_labels, _ = usual_policy(store, "new", "old").tests
    assert "80 % for an unchanged model would need" in of_labels.margin_source
    for one in boards_in_common(store, "new", "old"):
        assert one.known.views[0].spread > 0.1 * one.known.width
    text = suggested(store, "new", "old")
    assert "passes with 100 %" not in text
    assert "with 0 %" not in text


def test_what_the_baseline_lacks_is_part_of_the_drop(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)))
    whole = chosen(store).max_drop
    with open_store(str(tmp_path / "less.db")) as less:
        answers = with_missing(drawn(1), 50, 3)
        put(less, tmp_path, coded("old", "J", answers), coded("new", "J", drawn(2)))
        assert chosen(less).max_drop > whole + 0.005
        text = suggested(less, "new", "old")
        assert float(text.split("max_drop: ")[1].split()[0]) > whole + 0.015
        few = with_missing(drawn(1), 8, 3)
        put(less, tmp_path, coded("few", "J", few))
        said = "87.5 % of the verdicts on few are there, and 95 % have to be"
        (test,) = usual_policy(less, "new", "few").tests
        assert said in test.margin_source
        with pytest.raises(UsageError, match=said):
            suggested(less, "new", "few")


def test_at_least_two_and_at_most_six_points(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+" * 2000), coded("new", "J", "+" * 2000))
    least = chosen(store)
    assert (least.max_drop, least.strict_drop) == (pytest.approx(0.02), None)
    assert "the least there is" in least.source
    with open_store(str(tmp_path / "few.db")) as few:
        put(few, tmp_path, coded("old", "J", "+-" * 20), coded("new", "J", "+-" * 20))
        most = chosen(few)
        assert (most.max_drop, most.strict_drop) == (pytest.approx(0.06), pytest.approx(0.02))
        assert (
            "the most there is: by that spread 80 % for an unchanged model would need "
            in most.source
        )
        stated = chosen(few, share=0.3)
    assert (stated.max_drop, stated.strict_drop) == (pytest.approx(0.3), None)
    assert stated.margin_source == "--max-drop"


def test_a_pass_that_needs_more_than_two_points_says_so(store: Store, tmp_path: Path) -> None:
    answers = drawn(1)
    moved = {a: [at for at, one in enumerate(answers) if one == a][:15] for a in "+-"}
    flipped = list(answers)
    for a, b in ("+-", "-+"):
        for at in moved[a]:
            flipped[at] = b
    put(store, tmp_path, coded("old", "J", answers), coded("before", "J", drawn(5)),
        coded("new", "J", "".join(flipped)))  # fmt: skip
    report = gated(store, usual_policy(store, "new", "old"))
    (one,) = report.tests
    assert (one.decision, one.passes_at_strict) == ("pass", False)
    said = f"passes at {100 * one.max_drop:g} points, not at 2"
    assert said in render(report.document(), "md")
    assert said in one.in_words()
    (notice,) = report.annotations(NO_TEXTS)
    assert notice.startswith("::notice title=made_up@unversioned%2C accuracy by J::PASS")
    assert said in notice


def test_the_words_of_such_a_pass(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+" * 300 + "-" * 100),
        coded("new", "J", "-" * 6 + "+" * 300 + "-" * 94))  # fmt: skip
    policy = one_test(max_drop=0.057, strict_drop=0.005)
    report = gated(store, policy)
    assert report.verdict == "pass"
    said = "passes at 5.7 points, not at 0.5"
    for form in ("table", "md", "html"):
        assert said in " ".join(render(report.document(), form).split()), form
    data = report.to_dict()["tests"][0]
    assert (data["passes_at_default"], data["default_drop"]) == (False, 0.005)
    wide = gated(store, one_test(max_drop=0.057, strict_drop=0.05))
    assert wide.to_dict()["tests"][0]["passes_at_default"] is True
    assert "not at" not in render(wide.document(), "md")
    assert "an unchanged model" not in report.junit(NO_TEXTS)  # a line for each test, and no more


def test_a_regression_at_two_points_stays_one(store: Store, tmp_path: Path) -> None:
    """Worse by three points beyond chance: six points would let it through."""
    put(store, tmp_path, coded("old", "J", "+" * 1000), coded("new", "J", "-" * 30 + "+" * 970))
    assert gated(store, one_test(max_drop=0.06)).verdict == "pass"
    assert gated(store, one_test(max_drop=0.02)).verdict == "regression"
    assert gated(store, one_test(max_drop=0.06, strict_drop=0.02)).verdict == "regression"


def test_the_strict_drop_is_the_smaller_one(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text("tests: [{benchmark: b, max_drop: 1, strict_drop: 2}]\n")
    with pytest.raises(ConfigError, match="strict_drop: it is not larger than max_drop"):
        read_policy(file)
    file.write_text("baseline_nights: 0\ntests: [{benchmark: b, max_drop: 1}]\n")
    with pytest.raises(ConfigError, match="baseline_nights"):
        read_policy(file)


# nights of the baseline -------------------------------------------------------------------------


def version(store: Store, name: str, weights: str, answers: str, judge: str = "J") -> Any:
    """Verdicts on one of several models of a name."""
    key = store.put_model(name, ModelSpec(weights=weights))
    return [row | {"model_id": key.hex()[:12]} for row in coded(name, judge, answers)]


def five_nights(store: Store, folder: Path, weights: str = "answers:{}") -> list[str]:
    nights = [drawn(10 + night) for night in range(5)]
    for night, answers in enumerate(nights):
        put(store, folder, version(store, "old", weights.format(night), answers))
        time.sleep(0)
    put(store, folder, version(store, "new", "answers:new", drawn(2)))
    return nights


@pytest.mark.parametrize("weights", ["answers:{}", "name:old run:2026-11-0{}"])
def test_the_baseline_is_the_mean_of_its_nights(store: Store, tmp_path: Path, weights: str) -> None:
    nights = five_nights(store, tmp_path, weights)
    policy = one_test().model_copy(update={"baseline_nights": 5})
    (one,) = gated(store, policy).tests
    right = np.array([[a == "+" for a in night] for night in nights], float)
    mine = np.array([a == "+" for a in drawn(2)], float)
    assert (one.candidate_value, one.baseline_value)[1] == pytest.approx(right.mean())
    assert one.difference.value == pytest.approx(mine.mean() - right.mean())
    found = one.unchanged
    assert found is not None
    assert (found.meaning, found.answers, found.nights) == ("asked again", 1.0, pytest.approx(5.0))
    within = math.sqrt(float(right.var(axis=0, ddof=1).mean()))
    expected = passes_unchanged(within * math.sqrt(1.2), ITEMS, 0.02, alpha=0.05)
    assert found.chance == pytest.approx(expected)
    single = gated(store, one_test()).tests[0]
    assert single.difference.units == ITEMS
    assert single.baseline_value == pytest.approx(right[4].mean())
    said = render(gated(store, policy).document(), "md")
    assert "the baseline is the mean of 5 nights" in said
    assert "the baseline itself asked again" in said
    assert "1 answer an item against 5" in said
    text = suggested(store, "new", "old")
    assert "\nbaseline_nights: 5\n" in text
    drop = margin_to_pass(within * math.sqrt(1.2), ITEMS, alpha=0.05)
    its = float(text.split("max_drop: ")[1].split()[0])
    assert its == pytest.approx(drop, abs=0.002)  # of that many nights, not of one
    assert chosen(store).max_drop == pytest.approx(drop * math.sqrt(2.0 / 1.2), abs=0.002)
    three = gated(store, policy.model_copy(update={"baseline_nights": 3})).tests[0]
    assert three.baseline_value == pytest.approx(right[2:].mean())


def test_checkpoints_are_no_nights(store: Store, tmp_path: Path) -> None:
    """The candidate goes by the baseline's name: other versions are other checkpoints."""
    nights = five_nights(store, tmp_path)
    put(store, tmp_path, version(store, "old", "answers:tonight", drawn(40)))
    policy = one_test().model_copy(update={"baseline_nights": 5})
    report = gate_report(store, candidate="old", baseline="old", policy=policy)
    (one,) = report.tests
    assert (one.candidate_value, one.baseline_value)[1] == pytest.approx(
        nights[4].count("+") / ITEMS
    )
    assert any("the candidate goes by that name too" in note for note in report.notes)
    assert any("was asked on one night only" in note for note in report.notes)


def test_other_weights_are_another_model(store: Store, tmp_path: Path) -> None:
    nights = five_nights(store, tmp_path, "sha256:{}")
    policy = one_test().model_copy(update={"baseline_nights": 5})
    (one,) = gated(store, policy).tests
    assert (one.candidate_value, one.baseline_value)[1] == pytest.approx(
        nights[4].count("+") / ITEMS
    )


def test_a_night_that_another_judge_saw_does_not_count(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, version(store, "old", "answers:0", drawn(10), judge="K"))
    put(store, tmp_path, version(store, "old", "answers:1", drawn(11)))
    put(store, tmp_path, version(store, "new", "answers:2", drawn(2)))
    report = gated(store, one_test().model_copy(update={"baseline_nights": 5}))
    assert (report.tests[0].candidate_value, report.tests[0].baseline_value)[1] == pytest.approx(
        drawn(11).count("+") / ITEMS
    )
    assert any("is not averaged with the baseline: J has not judged it" in n for n in report.notes)


def test_several_answers_an_item_are_averaged_and_said(store: Store, tmp_path: Path) -> None:
    rows = [
        row | {"sample": sample}
        for model, samples, seed in (("old", 8, 60), ("new", 2, 80))
        for sample in range(samples)
        for row in coded(model, "J", drawn(seed + sample))
    ]
    put(store, tmp_path, rows)
    (one,) = gated(store, one_test()).tests
    assert one.unchanged is not None
    found = one.unchanged
    assert (found.meaning, found.answers, found.nights) == ("asked again", 2.0, pytest.approx(8.0))
    right = [np.mean([a == "+" for a in drawn(60 + sample)]) for sample in range(8)]
    assert (one.candidate_value, one.baseline_value)[1] == pytest.approx(np.mean(right))
    assert "2 answers an item against 8" in render(gated(store, one_test()).document(), "md")


# suggestions, and too many tests ----------------------------------------------------------------


def test_a_suggested_policy_can_be_read_and_has_the_drops_of_its_spread(
    store: Store, tmp_path: Path
) -> None:
    scores = [
        label(i, m, "S", "") | {"kind": "score", "value": 5 + (i * k) % 3, "low": 1, "high": 10}
        for i in range(300)
        for k, m in enumerate(("old", "new", "before"), start=1)
    ]
    three = [coded(m, "J", drawn(s)) for m, s in (("old", 1), ("new", 2), ("before", 5))]
    put(store, tmp_path, scores, *three, coded("old", "F", "+-+"), coded("new", "F", "+++"))
    file = tmp_path / "out" / "gate.yaml"
    at = ["--baseline", "old", "--candidate", "new", "--store", str(tmp_path / "s.db")]
    done = typed("gate", "suggest", *at, "--output", file)
    assert (done.code, done.out) == (0, "")
    text = file.read_text()
    assert typed("gate", "suggest", *at).out == text == suggested(store, "new", "old")
    policy = read_policy(file)
    assert [(one.judge, one.metric, one.min_n) for one in policy.tests] == [
        ("J", "accuracy", 380), ("S", "score", 285),
    ]  # fmt: skip
    assert "F: left out, 3 items; a pass takes 20: ask more items" in text
    assert "passes all 2 tests" in text
    d = np.array([a == "+" for a in drawn(5)], float) - [a == "+" for a in drawn(1)]
    spread, drop = one_more(float(d.std(ddof=1))), policy.tests[0].max_drop
    each = 0.8 ** (1 / 2)
    assert passes_unchanged(spread, ITEMS, drop, alpha=0.05, binary=True) >= each
    assert passes_unchanged(spread, ITEMS, drop - 0.001, alpha=0.05, binary=True) < each
    sure = typed("gate", "suggest", *at, "--chance", "0.95").out
    (tmp_path / "sure.yaml").write_text(sure)
    assert read_policy(tmp_path / "sure.yaml").tests[0].max_drop > drop
    assert typed("gate", *at, "--policy", file).code in (0, 2)
    assert (
        typed("gate", "suggest", "--baseline", "old", "--store", str(tmp_path / "s.db")).code == 64
    )


def test_a_suggestion_says_where_missing_verdicts_leave_the_chance_below(
    store: Store, tmp_path: Path
) -> None:
    marks = "+-" * 240 + "?" * 20
    put(store, tmp_path, coded("old", "J", marks), coded("new", "J", marks))
    text = suggested(store, "new", "old")
    drop, strict = (re.search(f"{key}: ([0-9.]+)", text) for key in ("max_drop", "strict_drop"))
    assert drop and strict and float(drop[1]) > float(strict[1])
    assert "# Not with 80 %: what is missing may turn a pass into a regression at 2 points" in text
    whole = marks.replace("?", "+")
    put(store, tmp_path, coded("old", "K", whole), coded("new", "K", whole))
    assert suggested(store, "new", "old").count("# Not with") == 1


def test_where_nothing_can_pass_nothing_is_suggested(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", "+-" * 5), coded("new", "J", "+-" * 5))
    at = ["--baseline", "old", "--candidate", "new", "--store", str(tmp_path / "s.db")]
    file = tmp_path / "gate.yaml"
    done = typed("gate", "suggest", *at, "--output", file)
    assert done.code == 64
    assert "10 items; a pass takes 20: ask more items" in done.err
    assert not file.exists()


def test_a_suggested_drop_passes_unchanged_models_as_often_as_it_promises(
    store: Store, tmp_path: Path
) -> None:
    """Night after night by the gate's own test: the baseline's and the candidate's answers anew."""
    earlier = [coded(f"m{s}", "J", drawn(s)) for s in range(100, 105)]
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)), *earlier)
    (tmp_path / "gate.yaml").write_text(suggested(store, "new", "old"))
    (one,) = read_policy(tmp_path / "gate.yaml").tests
    assert one.strict_drop == pytest.approx(0.02)
    passed, nights = 0, 200
    for night in range(nights):
        mine, theirs = (
            np.array([a == "+" for a in drawn(1000 + 2 * night + k)], float) for k in (0, 1)
        )
        test = paired_test(mine - theirs, alpha=0.05, width=1.0)
        called = decide(test.low, test.high, margin=one.strict_drop or 0.0, units=ITEMS)
        passes = decide(test.low, test.high, margin=one.max_drop, units=ITEMS) == "pass"
        passed += passes and called != "regression"
    assert passed / nights == pytest.approx(0.8, abs=0.09)


def test_the_gate_still_stands_by_itself(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(1)))
    at = ["--store", str(tmp_path / "s.db")]
    assert typed("gate", *at, "--baseline", "old", "--candidate", "new").code == 0
    for given in ([], ["--baseline", "old"], ["--candidate", "new"]):
        done = typed("gate", *at, *given)
        assert done.code == 64
        assert "Missing option" in done.err


def test_what_a_policy_says_is_not_said_beside_it(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(1)))
    file = tmp_path / "gate.yaml"
    file.write_text("tests: [{benchmark: made_up, judge: J, max_drop: 0.05}]\n")
    at = ["--store", str(tmp_path / "s.db"), "--baseline", "old", "--candidate", "new"]
    assert typed("gate", *at, "--policy", file).code == 0
    for given in (["--max-drop", "0.02"], ["--alpha", "0.05"], ["--head-to-head"]):
        done = typed("gate", *at, "--policy", file, *given)
        assert done.code == 64
        assert f"{given[0]} would be ignored" in done.err


def test_one_version_is_not_gated_by_itself(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)))
    with pytest.raises(UsageError, match="candidate and baseline are one and the same model, old"):
        usual_policy(store, "old", "old")


def test_hostile_names_stay_on_one_line_of_a_suggestion(store: Store, tmp_path: Path) -> None:
    judge = 'J"\n  - {evil: 1}\u2028#'
    put(store, tmp_path, coded("old", judge, drawn(1)), coded("new", judge, drawn(2)))
    (tmp_path / "gate.yaml").write_text(suggested(store, "new", "old"), encoding="utf-8")
    (test,) = read_policy(tmp_path / "gate.yaml").tests
    assert test.judge is not None
    assert test.judge.startswith('J"')


def test_hundreds_of_tests_are_one_question_where_they_ask_the_same(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1, 60)), coded("new", "J", drawn(2, 60)))
    tests = [GateTest(benchmark="made_up", judge="J", max_drop=0.05 + n / 1e6) for n in range(200)]
    report = gated(store, Policy(tests=tests))
    assert len(report.tests) == 200
    assert report.tests[0].unchanged is not None
    assert report.chance_unchanged_passes == pytest.approx(report.tests[0].unchanged.chance)
    sentence, _ = report.unchanged_words()
    assert "this gate's 200 tests together" in sentence
    assert "and 196 more tests" in sentence


def test_a_comparison_says_what_a_gate_would_make_of_it(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, coded("old", "J", drawn(1)), coded("new", "J", drawn(2)))
    (one,) = comparison(store, "new", "old").tests
    found = gated(store, one_test()).tests[0].unchanged
    assert found is not None
    assert one.unchanged == found
    assert one.max_drop == pytest.approx(0.02)
    words = one.gate_words
    assert words is not None
    assert words.startswith("an unchanged model passes a gate that allows a drop of 2 points with ")
    assert "; 80 % needs an allowed drop of " in words
    (test,) = comparison(store, "new", "old").to_dict()["tests"]
    assert test["chance_unchanged_passes"] == pytest.approx(found.chance)
    assert test["margin_for_80"] == pytest.approx(found.margin)
