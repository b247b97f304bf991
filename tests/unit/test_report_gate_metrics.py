"""Gates and comparisons by length-controlled win rates and by what confidences are worth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from judgebench.errors import ConfigError, UsageError
from judgebench.exchange.honestybench import read_honestybench
from judgebench.keys import content_key
from judgebench.metrics.intervals import Intervals
from judgebench.records import JudgeSpec, Judgment, ModelSpec, Preference, RunVerdict, VerdictSlot
from judgebench.reports.compare import comparison
from judgebench.reports.confidence import confidence_report
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy, read_policy
from judgebench.reports.gate_result import GateResult
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.length_calibrations import calibrate_length
from judgebench.reports.model_pairs import PairData
from judgebench.reports.pair_tests import NO_TEXTS
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.unit.compared import BASELINE, answer, take_in, verdict
from tests.unit.exchanged import import_responses, import_verdicts, label, rows_file

LC = "length_controlled_win_rate"
N = 300


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six models against one baseline, with their answers and a calibration of length."""
    folder = tmp_path_factory.mktemp("six")
    with open_store(str(folder / "six.db")) as opened:
        take_in(opened, folder)
        calibrate_length(opened, "made_up")
    return folder / "six.db"


@pytest.fixture
def compared(six: Path, tmp_path: Path) -> Iterator[Store]:
    with open_store(str(shutil.copy(six, tmp_path / "six.db"))) as opened:
        yield opened


def put(store: Store, folder: Path, rows: Sequence[Any]) -> None:
    import_verdicts(store, rows_file(folder / "rows.jsonl", rows))


def asked(store: Store, candidate: str, baseline: str, **test: Any) -> GateResult:
    policy = Policy(tests=[GateTest(**{"benchmark": "made_up", "max_drop": 0.05, **test})])
    (one,) = gate_report(store, candidate=candidate, baseline=baseline, policy=policy).tests
    return one


# at equal length --------------------------------------------------------------------------------


def test_the_difference_at_equal_length_is_the_boards(compared: Store) -> None:
    one = asked(compared, "m4", "m1", metric=LC, max_drop=2.0)
    (board,) = leaderboards(compared, "made_up", intervals=Intervals(n_replicates=40))
    of = {row.model: row.metrics[LC].value for row in board.rows}
    assert (one.candidate_value, one.baseline_value) == pytest.approx((of["m4"], of["m1"]))
    assert one.difference.value == pytest.approx(of["m4"] - of["m1"])
    assert one.difference.low < one.difference.value < one.difference.high
    assert (one.metric, one.decision, one.difference.units) == (LC, "regression", 220)
    assert "paired bootstrap over items, 2,000 replicates" in one.difference.method
    assert one.detectable_difference == pytest.approx(
        2.487 * (one.difference.high - one.difference.low) / 2 / 1.645, rel=0.1
    )  # at a power of 80 %
    assert one.coverage == (1.0, 1.0)
    better = asked(compared, "m1", "m4", metric=LC, max_drop=2.0)
    assert (better.decision, better.difference.value) == ("pass", -one.difference.value)


@pytest.mark.parametrize(
    ("drop", "shown"),
    [(2.0, "2.0"), (2.25, "2.25"), (0.04, "0.04"), (100.0 * 0.07, "7.0"), (0.12345, "0.1")],
)
def test_an_allowed_drop_is_shown_as_it_was_said(compared: Store, drop: float, shown: str) -> None:
    one = asked(compared, "m1", "m4", metric="win_rate", max_drop=drop)
    assert f"; allowed drop {shown}; " in f"{one.in_words()}; "
    assert one.allowed == shown


def test_without_a_calibration_it_is_refused_in_the_boards_words(
    store: Store, tmp_path: Path
) -> None:
    take_in(store, tmp_path)
    said = "no calibration for this judge and baseline; `judgebench calibrate-length made_up"
    with pytest.raises(UsageError, match=said):
        asked(store, "m1", "m2", metric=LC)
    with pytest.raises(UsageError, match=said):
        comparison(store, "m1", "m2", benchmarks=["made_up"], metrics=[LC])


def test_of_several_judges_the_one_with_a_calibration_is_meant(
    compared: Store, tmp_path: Path
) -> None:
    rows = [
        verdict(i, model, "k", 0.5, benchmark="made_up", opponent=BASELINE)
        for i in range(220)
        for model in ("m1", "m2")
    ]
    put(compared, tmp_path, rows)
    assert asked(compared, "m2", "m1", metric=LC).judge == "j"
    with pytest.raises(UsageError, match=r"several boards .* j \(win_rate\), k \(win_rate\)"):
        asked(compared, "m2", "m1", metric="win_rate")
    with pytest.raises(UsageError, match="no calibration for this judge and baseline"):
        asked(compared, "m2", "m1", metric=LC, judge="k")


def test_missing_comparisons_are_put_at_their_ends(compared: Store, tmp_path: Path) -> None:
    def said(i: int) -> dict[str, Any]:
        if i < 6:
            return {"kind": "unreadable", "value": "", "reason": "no verdict"}
        return {"kind": "preference", "value": 0.3 + 0.4 * (i % 2)}

    about = {"benchmark": "made_up", "opponent": BASELINE, "model": "m9", "judge": "j"}
    put(compared, tmp_path, [{**about, "item_id": str(i), **said(i)} for i in range(220)])
    unknown = asked(compared, "m9", "m1", metric=LC, max_drop=2.0, coverage_floor=0.0)
    assert unknown.decision == "inconclusive"
    assert str(unknown.because).startswith("the store has no answers of m9, so their lengths")
    texts = [answer("made_up", i, "m9", 200 + 7 * (i % 50)) for i in range(220)]
    import_responses(compared, rows_file(tmp_path / "texts.jsonl", texts))
    one = asked(compared, "m9", "m1", metric=LC, max_drop=2.0)
    assert (one.difference.missing, one.difference.units) == (6, 214)
    worst, best = one.difference.worst_low, one.difference.worst_high
    assert worst is not None
    assert best is not None
    assert worst < one.difference.value < best
    assert best - worst < 100 * 6 / 214 * 1.5


def test_a_judge_that_changed_under_its_name_is_no_regression(compared: Store) -> None:
    """Not even one without a calibration: nobody is to fit one before the judge is looked at."""
    models = {model.name: model.key for model in compared.models()}
    changed = compared.put_judge("j", JudgeSpec(kind="pairwise", model="another"))
    new = compared.put_model("new", ModelSpec(weights="new"))
    for i in range(10):
        key = content_key("test", i)
        place = VerdictSlot(
            benchmark="made_up", version="unversioned", item_id=str(i), model_key=new,
            judge_key=changed, opponent_key=models[BASELINE], order="model_first",
        )  # fmt: skip
        judgment = Judgment(
            key=key, judge_key=changed, case_key=key, verdict=Preference(winner=1, p_first=0.1)
        )
        (run, *_) = compared.runs()
        compared.put_judgment(judgment, [RunVerdict(run_id=run.id, place=place, judgment_key=key)])
    one = asked(compared, "new", "m1", metric=LC, judge="j")
    assert one.decision == "inconclusive"
    assert str(one.because).startswith("judge changed: j@")
    assert str(one.because).endswith("has no verdict on m1")
    assert (one.metric, one.difference.units) == (LC, 0)


# confidences ------------------------------------------------------------------------------------


def sure(model: str, c: Sequence[Any], y: Sequence[Any], confidence: str = "C") -> list[Any]:
    """Labels of J, None where it could not be read, and confidences, None where there is none."""
    words = {0: "incorrect", 1: "correct"}
    rows = []
    for i, (one, right) in enumerate(zip(c, y, strict=True)):
        unread = {"kind": "unreadable", "reason": "neither"}
        rows.append(label(i, model, "J", words.get(right, "")) | ({} if right in words else unread))
        scale = {"kind": "score", "low": 0, "high": 1, "value": one}
        if one is not None:
            rows.append(label(i, model, confidence, "") | scale)
    return rows


def two_models(store: Store, folder: Path, **lacking: Any) -> None:
    """The old one says how often it is right; the new one is as often right and always surer."""
    generator = np.random.default_rng(5)
    chance = generator.integers(1, 20, N) / 20
    old, new = (generator.random((2, N)) < chance).astype(int).tolist()
    surer = np.clip(np.round(0.6 + 0.4 * generator.random(N), 2), 0, 1).tolist()
    for i in range(lacking.get("unread", 0)):
        new[i] = None
    put(store, folder, [*sure("old", chance.tolist(), old), *sure("new", surer, new)])


@pytest.mark.parametrize("metric", ["auroc", "ece", "brier", "alignment"])
def test_a_metric_of_confidences_is_the_boards(store: Store, tmp_path: Path, metric: str) -> None:
    two_models(store, tmp_path)
    one = asked(store, "new", "old", metric=metric)
    found = confidence_report(store, "made_up", intervals=Intervals(n_replicates=20))
    shown = "ece_plug_in" if metric == "ece" else metric
    of = {r.model: r.metrics[shown].value for r in found.rows if r.confidence == "C"}
    assert (one.candidate_value, one.baseline_value) == pytest.approx((of["new"], of["old"]))
    assert one.difference.value == pytest.approx(of["new"] - of["old"])
    assert (one.judge, one.confidence, one.metric) == ("J", "C", metric)
    lower = metric in ("ece", "brier")
    assert one.higher_is_better == (not lower)
    assert one.decision == "regression"
    assert (one.difference.value > 0.0) == lower
    assert one.difference.low < one.difference.value < one.difference.high
    assert ("bootstrap" in one.difference.method) == (metric != "brier")
    assert bool(one.flips) == (metric == "brier")
    better = asked(store, "old", "new", metric=metric)
    assert better.decision == "pass"
    assert better.difference.value == pytest.approx(-one.difference.value)
    if metric == "ece":  # the bound that says how much worse is also one of corrected errors
        assert better.difference.low >= -one.difference.high
        return
    # Draws are the same, so that the bounds change places.
    assert better.difference.low == pytest.approx(
        -one.difference.high, rel=0.05 if metric == "brier" else 1e-9
    )  # of a mean what lets pass is another bound than what calls


def test_a_rise_that_is_allowed_passes(store: Store, tmp_path: Path) -> None:
    two_models(store, tmp_path)
    one = asked(store, "new", "old", metric="ece", max_drop=0.9)
    assert (one.decision, one.because) == ("pass", None)
    assert one.p_value < 0.01


def test_no_difference_has_no_sign(store: Store, tmp_path: Path) -> None:
    c, y = [0.9, 0.2, 0.6, 0.4] * 50, [1, 0, 0, 1] * 50
    put(store, tmp_path, [*sure("old", c, y), *sure("new", c, y)])
    for metric in ("ece", "brier", "auroc"):
        one = asked(store, "new", "old", metric=metric, max_drop=0.03)
        assert str(one.difference.value) == "0.0"
        assert (one.p_value, one.decision) == (1.0, "pass"), metric


def test_missing_labels_could_turn_it(store: Store, tmp_path: Path) -> None:
    two_models(store, tmp_path, unread=100)
    for metric in ("auroc", "ece", "brier"):
        low = asked(store, "new", "old", metric=metric)
        said = "66.7 % of the answers of new have a label and a confidence, and 95 % have to"
        assert low.because == said
        one = asked(store, "new", "old", metric=metric, coverage_floor=0.5, max_drop=0.0001)
        assert one.difference.missing == 100
        worst, best = one.difference.worst_low, one.difference.worst_high
        assert worst is not None
        assert best is not None
        assert worst < one.difference.value < best
    assert asked(store, "new", "old", metric="auroc", coverage_floor=0.5).because == (
        "missing verdicts: at their worst or best for the candidate, it decides otherwise"
    )
    unknown = asked(store, "new", "old", metric="alignment", coverage_floor=0.5)
    assert unknown.decision == "inconclusive"
    assert str(unknown.because).startswith("100 answers lack a label or a confidence")


def test_whose_labels_and_which_confidence_have_to_be_said(store: Store, tmp_path: Path) -> None:
    y = [1, 0] * 20
    rows = [
        *sure("old", [0.9, 0.2] * 20, y), *sure("new", [0.8, 0.3] * 20, y),
        *sure("alone", [0.8, 0.3] * 20, y, "E"),
    ]  # fmt: skip
    put(store, tmp_path, rows)
    assert asked(store, "new", "old", metric="auroc").confidence == "C"
    with pytest.raises(UsageError, match="no confidence called 'Porb'; did you mean 'Prob'"):
        asked(store, "new", "old", metric="auroc", confidence="Porb")
    with pytest.raises(UsageError, match="neither of new and old has the confidence E: E has give"):
        asked(store, "new", "old", metric="auroc", confidence="E")
    with pytest.raises(UsageError, match="both alone and old have no confidences"):
        asked(store, "alone", "old", metric="auroc")
    one_sided = asked(store, "alone", "old", metric="auroc", confidence="C")
    assert one_sided.because == "no question has a label and a confidence of both"
    scored = {"kind": "score", "low": 0, "high": 1, "value": 0.5}
    more = [label(i, m, "D", "") | scored for i in range(40) for m in ("old", "new")]
    more += [label(i, m, "K", "correct") for i in range(40) for m in ("old", "new")]
    put(store, tmp_path, more)
    with pytest.raises(UsageError, match=r"several judges have labelled both new and old.*: J, K"):
        asked(store, "new", "old", metric="auroc", confidence="C")
    with pytest.raises(UsageError, match="have 2 confidences; say which confidence is meant: C, D"):
        asked(store, "new", "old", metric="auroc", judge="J")
    with pytest.raises(UsageError, match="no judge called 'L'"):
        asked(store, "new", "old", metric="auroc", judge="L", confidence="C")
    with pytest.raises(UsageError, match=r"D has not said which answers .* these have: J, K"):
        asked(store, "new", "old", metric="auroc", judge="D", confidence="C")
    one = asked(store, "new", "old", metric="auroc", judge="K", confidence="C")
    assert str(one.because).startswith("no AUROC of the candidate: all answers are correct")


def test_a_confidence_of_another_served_model_is_no_regression(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_models(store, tmp_path)

    def served(self: PairData, judge: str, model: str) -> set[str]:
        return {f"{judge}-for-{model}"} if judge == "C" else set()

    monkeypatch.setattr(PairData, "served", served)
    one = asked(store, "new", "old", metric="ece")
    assert (one.decision, one.because) == (
        "inconclusive",
        "judge changed: replies about the two were served by C-for-new and C-for-old",
    )


def test_one_set_of_questions_alone(store: Store, tmp_path: Path) -> None:
    for model, flip in (("new", 4), ("old", 3)):
        for name in ("nq", "hq"):
            path = rows_file(tmp_path / f"{name}.jsonl", records(40, flip))
            for _, taking in read_honestybench([path], model=model, known_items=lambda *_: None):
                taking(store)
    about = {"benchmark": "honestybench", "confidence": "Consis-Sem", "max_drop": 0.1}
    whole = asked(store, "new", "old", metric="brier", **about)
    alone = asked(store, "new", "old", metric="brier/nq", **about)
    assert (whole.metric, alone.metric) == ("brier", "brier/nq")
    # The first and the last question of a set are one.
    assert (whole.difference.units, alone.difference.units) == (78, 39)
    assert (whole.difference.n, alone.difference.n) == (160, 80)
    with pytest.raises(UsageError, match=r"called 'nQ'; did you mean 'nq'\? Known: hq, nq"):
        asked(store, "new", "old", metric="brier/nQ", **about)


def records(n: int, flip: int) -> list[dict[str, Any]]:
    return [
        {
            "question": f"{i % (n - 1)}?",
            "answer": ["a"],
            "greedy_response": "a",
            "greedy_correctness": int(i % flip == 0),
            "sampling_response": ["a", "b"],
            "consistency_judgement": [1, int(i % 3 == 0)],
        }
        for i in range(n)
    ]


def test_a_policy_says_what_belongs_together(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    for test, said in (
        ("{metric: accuracy, confidence: C}", "only a metric of confidences has one: auroc, ece"),
        ("{confidence: C}", "only a metric of confidences has one"),
        ("{metric: auroc, head_to_head: true}", "what is won is a win_rate, not auroc"),
        (f"{{metric: {LC}/math}}", "is of all items together, of no group"),
    ):
        more = test.replace("{", "{benchmark: b, max_drop: 1, ", 1)
        file.write_text(f"tests:\n  - {more}\n")
        with pytest.raises(ConfigError, match=said):
            read_policy(file)


def test_tables_json_and_junit_say_that_lower_is_better(store: Store, tmp_path: Path) -> None:
    two_models(store, tmp_path)
    tests = [GateTest(benchmark="made_up", metric=m, max_drop=0.01) for m in ("ece", "brier")]
    report = gate_report(store, candidate="new", baseline="old", policy=Policy(tests=tests))
    table = render(report.document(), "csv")
    assert "higher_is_better" in table.splitlines()[0]
    shown = " ".join(render(report.document(NO_TEXTS), "md").split())
    assert shown.count("], lower is better |") == 2
    assert "ece (C) |" in shown
    data = report.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    for test in data["tests"]:
        assert (test["confidence"], test["higher_is_better"]) == ("C", False)
        assert test["difference"]["value"] == pytest.approx(
            test["candidate_value"] - test["baseline_value"]
        )
        assert test["difference"]["value"] > 0.0
        assert (test["decision"], test["max_drop"]) == ("regression", 0.01)
    names = [case.attrib["name"] for case in ET.fromstring(report.junit(NO_TEXTS)).iter("testcase")]
    assert names == ["ece (C) by J", "brier (C) by J"]
    said = report.tests[0].in_words()
    assert said.startswith("REGRESSION: ece (C) rose from 0.")
    assert said.endswith("allowed rise 0.010")
    brier = report.tests[1]
    assert brier.flips.difference[0] > 0.5  # the first is the one that costs most
    against = sum(flip.candidate > flip.baseline for flip in brier.flips)
    assert f"{against} against the candidate" in shown


def test_the_command_gates_by_them(store: Store, tmp_path: Path) -> None:
    two_models(store, tmp_path)
    file = tmp_path / "gate.yaml"
    file.write_text(
        "tests:\n"
        "  - {benchmark: made_up, judge: J, metric: accuracy, max_drop: 0.2}\n"
        "  - {benchmark: made_up, judge: J, metric: ece, confidence: C, max_drop: 0.02}\n"
    )
    at = ["--store", str(tmp_path / "s.db"), "--baseline", "old", "--candidate", "new"]
    xml = tmp_path / "gate.xml"
    done = typed("gate", *at, "--policy", file, "--junit", xml, "--format", "json")
    assert done.code == 1, done.err
    data = json.loads(done.out)
    assert [(t["metric"], t["decision"]) for t in data["tests"]] == [
        ("accuracy", "pass"), ("ece", "regression"),
    ]  # fmt: skip
    (failure,) = ET.parse(xml).getroot().iter("failure")
    assert "allowed rise 0.020" in failure.attrib["message"]


# comparisons ------------------------------------------------------------------------------------


def test_a_comparison_has_them_when_they_are_asked_for(compared: Store, tmp_path: Path) -> None:
    (plain,) = comparison(compared, "m1", "m4", benchmarks=["made_up"]).tests
    assert plain.metric == "win_rate"
    report = comparison(compared, "m1", "m4", benchmarks=["made_up"], metrics=["win_rate", LC])
    assert [(t.metric, t.opponent, t.decision) for t in report.tests] == [
        ("win_rate", BASELINE, "better"), (LC, BASELINE, "better"),
    ]  # fmt: skip
    gated = asked(compared, "m4", "m1", metric=LC)
    assert report.tests[1].difference.value == pytest.approx(-gated.difference.value)
    with pytest.raises(UsageError, match="no metric of a comparison called 'winrate'"):
        comparison(compared, "m1", "m4", metrics=["winrate"])
    with pytest.raises(UsageError, match="nothing gives both m1 and m4 auroc"):
        comparison(compared, "m1", "m4", benchmarks=["made_up"], metrics=["auroc"])


def test_better_is_better_also_where_lower_is_better(store: Store, tmp_path: Path) -> None:
    two_models(store, tmp_path)
    report = comparison(store, "old", "new", metrics=["ece", "brier", "auroc"])
    assert [(t.metric, t.confidence, t.decision) for t in report.tests] == [
        ("auroc", "C", "better"), ("ece", "C", "better"), ("brier", "C", "better"),
    ]  # fmt: skip
    assert report.verdict == "better"
    ece = report.tests[1]
    assert ece.difference.value < 0.0
    assert ece.candidate_value < ece.baseline_value
    text = render(report.document(), "md")
    assert "| ece (plug-in) (C) |" in text
    assert [
        line.count("], lower is better |") for line in text.splitlines() if " (C) |" in line
    ] == [0, 1, 1]
    tests = json.loads(render(report.document(), "json"))["tests"]
    estimators = {one["metric"]: one.get("estimator") for one in tests}
    assert estimators == {"auroc": None, "ece": "plug-in", "brier": None}
    done = typed(
        "compare", "old", "new", "--metric", "ece", "--format", "json",
        "--store", str(tmp_path / "s.db"),
    )  # fmt: skip
    (test,) = json.loads(done.out)["tests"]
    assert (test["decision"], test["higher_is_better"], test["confidence"]) == (
        "better",
        False,
        "C",
    )
