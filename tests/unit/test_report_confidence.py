"""Confidences against correctness: gold values through the store, sets, and what is undefined."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import InputError, UsageError
from judgebench.exchange.honestybench import read_honestybench
from judgebench.metrics.confidence import METRICS, Confidences, QuestionSet, estimates_of, figures
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.registry import metric as entry
from judgebench.reports.confidence import (
    TITLES,
    ConfidenceReport,
    ConfidenceRow,
    choice,
    confidence_report,
    labelling,
    with_confidences,
)
from judgebench.reports.render import render
from judgebench.stats.confidence import auroc, brier
from judgebench.stats.resample import wilson_interval
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.unit.exchanged import Rows, import_responses, import_verdicts, label, rows_file
from tests.unit.reports import HOSTILE

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "honestybench"
QUICK = Intervals(n_replicates=60)


def score(item: object, judge: str, value: float, *, model: str = "m", **more: Any) -> Any:
    scale = {"kind": "score", "low": 0, "high": 1, "value": value}
    return label(item, model, judge, "") | scale | more


def said(item: object, correct: object, *, model: str = "m", judge: str = "J") -> Any:
    return label(item, model, judge, "correct" if correct else "incorrect")


def put(store: Store, folder: Path, rows: Rows) -> None:
    import_verdicts(store, rows_file(folder / "v.jsonl", rows))


def report(store: Store, **more: Any) -> ConfidenceReport:
    return confidence_report(store, "made_up", **{"intervals": QUICK, **more})


def row(found: ConfidenceReport, confidence: str, over: str = "all") -> ConfidenceRow:
    (one,) = [r for r in found.rows if (r.confidence, r.over) == (confidence, over)]
    return one


@pytest.mark.skipif(
    not (GOLD / "expected.json").exists(),
    reason="the gold data (../shared/gold/honestybench beside the repository) is not here",
)
def test_every_metric_of_the_fixture_through_the_store(store: Store, tmp_path: Path) -> None:
    rows = []
    for one in json.loads((GOLD / "metric_fixture.json").read_text()):
        for i, (c, y) in enumerate(zip(one["confidence"], one["correct"], strict=True)):
            rows += [said(f"nq/{i}", y, model=one["kind"])]
            rows += [score(f"nq/{i}", "EliCal", c, model=one["kind"])]
    put(store, tmp_path, reversed(rows))  # the order of rows is that of the ids, not of the file
    data = report(store).to_dict()
    found = {r["model"]: r for r in data["rows"] if r["confidence"] == "EliCal"}
    for gold in json.loads((GOLD / "expected.json").read_text())["metric_fixture"]:
        ours = found[gold["kind"]]
        metrics = ours["metrics"]
        for name, value in (
            ("accuracy", gold["accuracy"]),
            ("auroc", gold["auroc"]),
            ("brier", gold["brier"]),
            ("ece_upstream", gold["ece_upstream"]),
            ("ece_closed", gold["ece_with_1.0_in_last_bin"]),
            ("alignment", gold["alignment_percent"] / 100),
        ):
            assert metrics[name]["value"] == pytest.approx(value, abs=1e-9), name
            assert metrics[name]["n"] == gold["n"]
            assert metrics[name]["missing"] == 0
        assert ours["alignment_threshold"] == pytest.approx(gold["alignment_threshold"], abs=1e-9)
        assert sum(one["n"] for one in ours["reliability"]) == gold["n"]
        assert metrics["auroc"]["low"] < gold["auroc"] < metrics["auroc"]["high"]
    steps = found["consistency20"]["metrics"]["ece_plug_in"]["value"]
    assert steps == pytest.approx(0.1458, abs=1e-9)


def test_answers_without_label_or_confidence_are_missing(store: Store, tmp_path: Path) -> None:
    unread = {"kind": "unreadable", "reason": "neither word"}
    rows = [
        said(0, 1), said(1, 0), said(2, 1), label(3, "m", "J", "") | unread,
        score(0, "C", 0.9), score(1, "C", 0.2), score(3, "C", 0.5), score(4, "C", 0.5),
        label(5, "m", "C", "") | unread,
    ]  # fmt: skip
    put(store, tmp_path, rows)
    found = report(store)
    e = row(found, "C").metrics["auroc"]
    assert (e.value, e.n, e.units, e.missing) == (1.0, 2, 2, 4)
    assert [(one.judge, one.n, one.of) for one in found.unread] == [("J", 1, 4), ("C", 1, 5)]
    text = render(found.document(), "table")
    assert "J: 1 of 4 replies could not be read (25.0 %)" in text


@pytest.mark.parametrize(("y", "which"), [(1, "correct"), (0, "wrong")])
def test_one_class_has_no_auroc_and_says_so(
    store: Store, tmp_path: Path, y: int, which: str
) -> None:
    put(store, tmp_path, [r for i in range(6) for r in (said(i, y), score(i, "C", i / 5))])
    data = report(store).to_dict()
    (one,) = [r for r in data["rows"] if r["confidence"] == "C"]
    assert one["metrics"]["auroc"]["value"] is None
    assert f"all answers are {which}" in one["metrics"]["auroc"]["undefined"]
    assert one["metrics"]["accuracy"]["value"] == y
    assert one["metrics"]["accuracy"]["method"] == "wilson"
    json.dumps(data, allow_nan=False)
    for form in ("table", "md", "html", "latex", "csv"):
        assert render(report(store).document(bins=True), form)


def test_repeats_of_a_judge_vote_and_a_torn_one_says_nothing(store: Store, tmp_path: Path) -> None:
    rows = [said(0, k != 1) | {"repeat": k} for k in range(3)]
    rows += [said(1, k) | {"repeat": k} for k in range(2)]
    rows += [score(0, "C", value, repeat=k) for k, value in enumerate((0.2, 0.4))]
    rows += [score(1, "C", 0.5)]
    put(store, tmp_path, rows)
    found = row(report(store), "C")
    assert found.metrics["brier"].value == pytest.approx((1 - 0.3) ** 2)
    assert (found.metrics["brier"].n, found.metrics["brier"].missing) == (1, 1)
    assert found.metrics["brier"].method == "no interval, a single question"


def test_one_confidence_said_in_another_order_of_repeats_is_a_tie(
    store: Store, tmp_path: Path
) -> None:
    orders = [(0.7, 0.8, 0.9), (0.9, 0.8, 0.7)] * 4
    assert len({sum(one) for one in orders}) == 2
    rows = [said(i, i % 2) for i in range(8)]
    rows += [score(i, "C", c) | {"repeat": k} for i in range(8) for k, c in enumerate(orders[i])]
    put(store, tmp_path, rows)
    assert row(report(store), "C").metrics["auroc"].value == 0.5


def test_first_answers_alone_are_correct_or_sure(store: Store, tmp_path: Path) -> None:
    rows = [said(i, i < 2) for i in range(4)] + [said(i, i > 1) | {"sample": 1} for i in range(4)]
    for i in range(4):
        rows += [score(i, "C", float(i < 2)), score(i, "C", float(i > 1), sample=1)]
    put(store, tmp_path, rows)
    found = row(report(store), "C").metrics
    assert (found["auroc"].value, found["accuracy"].value, found["accuracy"].n) == (1.0, 0.5, 4)


def test_samples_count_once_however_often_a_judge_was_asked_about_them(
    store: Store, tmp_path: Path
) -> None:
    agrees: list[list[float | None]] = [[1.0, 1.0, 1.0], [0.0], [None], [1.0, None]]
    rows = [said(0, 1), said(1, 0)]
    for i in range(2):
        for sample, told in enumerate(agrees[: 4 - i], start=1):
            for k, one in enumerate(told):
                at = {"sample": sample, "repeat": k}
                unread = label(i, "m", "S", "") | {"kind": "unreadable", "reason": "?"} | at
                rows.append(unread if one is None else score(i, "S", one) | at)
    put(store, tmp_path, rows)
    (semantic,) = [one for one in report(store).rows if one.confidence == "Consis-Sem"]
    assert semantic.samples == (2, 3)
    assert semantic.metrics["brier"].value == pytest.approx(((2 / 3 - 1) ** 2 + 0.5**2) / 2)


def test_who_says_what_is_correct_must_be_known(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [score(0, "C", 0.5)])
    with pytest.raises(UsageError, match="nobody has said which answers"):
        report(store)
    put(store, tmp_path, [said(0, 1), said(0, 0, judge="K")])
    with pytest.raises(UsageError, match=r"2 judges have labelled .* --correct NAME: J, K"):
        report(store)
    assert row(report(store, correct="K"), "C").metrics["accuracy"].value == 0.0
    with pytest.raises(UsageError, match="'C' has labelled no first answer"):
        report(store, correct="C")
    with pytest.raises(UsageError, match=r"no confidence called 'D'.*Known: C"):
        report(store, correct="J", confidences=("D",))


def test_nothing_to_measure_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    file = rows_file(tmp_path / "v.jsonl", [said(0, 1)])
    assert typed("import", "verdicts", file, "--store", url).code == 0
    done = typed("confidence", "made_up", "--store", url)
    assert done.code == 64
    assert "no answer to made_up has both a label of J and a confidence" in done.err


@pytest.mark.parametrize("value", [-0.01, 1.5, 80])
def test_a_confidence_outside_its_scale_is_refused_naming_the_row(
    store: Store, tmp_path: Path, value: float
) -> None:
    with pytest.raises(InputError, match=r"v.jsonl:2: value: .* is outside its scale, 0 to 1"):
        put(store, tmp_path, [score(0, "C", 0.5), score(1, "C", value)])
    assert store.benchmarks() == []


def test_unknown_ids_are_refused(store: Store, tmp_path: Path) -> None:
    rows = [score("nq/999999", "C", 0.5) | {"benchmark": "trivia_judging_mini"}]
    with pytest.raises(InputError, match=r"v.jsonl:1: item_id: 'nq/999999' is no item of"):
        put(store, tmp_path, rows)


def test_a_score_on_another_scale_is_no_confidence(store: Store, tmp_path: Path) -> None:
    ten = {"low": 1, "high": 10}
    put(store, tmp_path, [said(0, 1), score(0, "C", 0.5), score(0, "ten", 5, **ten)])
    found = report(store)
    assert "ten" not in {r.confidence for r in found.rows}
    assert found.warnings == ("ten does not score from 0 to 1; what it says is no confidence",)


def test_who_scores_only_further_samples_says_how_far_they_agree(
    store: Store, tmp_path: Path
) -> None:
    answers = [
        {"benchmark": "made_up", "item_id": str(i), "model": "m", "text": text, "sample": sample}
        for i in range(4)
        for sample, text in enumerate(("a b", "a b", "a c", ""))
    ]
    import_responses(store, rows_file(tmp_path / "a.jsonl", answers))
    rows = [said(i, i < 2) for i in range(4)]
    for i in range(4):
        rows += [score(i, "agree", float(i < 2), sample=k) for k in (1, 2)]
    rows += [label(0, "m", "agree", "", sample=3) | {"kind": "unreadable", "reason": "?"}]
    put(store, tmp_path, rows)
    found = report(store)
    assert "agree" not in {r.confidence for r in found.rows}
    semantic = row(found, "Consis-Sem")
    assert (semantic.judge, semantic.samples) == ("agree", (2, 2))
    assert semantic.metrics["auroc"].value == 1.0
    lexical = row(found, "Consis-Lex").metrics["brier"]
    assert lexical.value == pytest.approx((2 * 0.5**2 + 2 * 0.5**2) / 4)  # (1 + 1/2 + 0) / 3
    assert "no log-probabilities" in str(row(found, "Prob").metrics["auroc"].undefined)
    assert "Prob: the store has no log-probabilities" in render(found.document(), "table")


def records(n: int, flip: int) -> list[dict[str, Any]]:
    return [
        {
            "question": f"{flip} {i % (n - 1)}?",  # the first and the last are the same question
            "answer": ["a"],
            "greedy_response": "a",
            "greedy_correctness": int((i % flip) == 0),
            "sampling_response": ["a", "b"],
            "consistency_judgement": [1, int(i % 3 == 0)],
        }
        for i in range(n)
    ]


def test_averages_over_sets_are_weighted_and_domains_apart(store: Store, tmp_path: Path) -> None:
    sizes = {"nq": 30, "hq": 12, "popqa": 20}
    for flip, (name, n) in enumerate(sizes.items(), 2):
        path = rows_file(tmp_path / f"{name}.jsonl", records(n, flip))
        for _, take_in in read_honestybench([path], model="m", known_items=lambda *_: None):
            take_in(store)
    found = confidence_report(store, "honestybench", intervals=QUICK)
    assert (dict(found.sizes), found.sizes_of) == (sizes, "store")
    of = {over: row(found, "Consis-Sem", over).metrics for over in ("all", "in-domain", *sizes)}
    ece = of["all"]["ece"]  # of the bins of all sets, and not the mean of three that are cut at 0
    assert ece.low <= ece.value <= ece.high
    assert ece.value <= of["all"]["ece_plug_in"].value
    for metric in set(METRICS) - {"ece"}:
        total = sum(sizes[name] * of[name][metric].value for name in sizes)
        assert of["all"][metric].value == pytest.approx(total / 62, abs=1e-12)
        inside = 30 * of["nq"][metric].value + 12 * of["hq"][metric].value
        assert of["in-domain"][metric].value == pytest.approx(inside / 42, abs=1e-12)
        assert not of["all"][metric].low > of["all"][metric].high
    assert (of["all"]["auroc"].n, of["all"]["auroc"].units) == (62, 59)
    text = render(found.document(by_set=True), "table")
    assert "mean of 3 sets, weighted with their sizes as far as the store has them" in text
    titles = [line for line in text.splitlines() if line.endswith("against Qwen2.5-32B-Instruct")]
    said = [title.partition(":")[0] for title in titles]
    over = ("", ", in-domain", ", ood", ", hq", ", nq", ", popqa")
    assert said == [f"honestybench@1{name}" for name in over]


def test_sets_weigh_what_they_have_in_full_where_the_data_is_here(
    store: Store, tmp_path: Path
) -> None:
    from judgebench.benchmarks.folder import load_benchmark

    items = load_benchmark("trivia_judging_mini").data.items
    sets = sorted({str(item.category) for item in items})[:2]
    chosen = [[i.id for i in items if i.category == name][:3] for name in sets]
    rows = []
    for k, ids in enumerate(chosen):
        for j, item in enumerate(ids):
            rows += [said(item, j != k), score(item, "C", 0.5)]
    put(store, tmp_path, [one | {"benchmark": "trivia_judging_mini"} for one in rows])
    found = confidence_report(store, "trivia_judging_mini", intervals=QUICK)
    assert found.sizes_of == "benchmark"
    full = {name: sum(item.category == name for item in items) for name in sets}
    assert dict(found.sizes) == full


def test_an_average_has_no_value_where_a_set_has_none(store: Store, tmp_path: Path) -> None:
    for name, wrong in (("nq", 2), ("squad", 1)):
        path = rows_file(tmp_path / f"{name}.jsonl", records(9, wrong))
        for _, take_in in read_honestybench([path], model="m", known_items=lambda *_: None):
            take_in(store)
    found = confidence_report(store, "honestybench", intervals=QUICK)
    everything = row(found, "Consis-Sem").metrics
    assert math.isnan(everything["auroc"].value)
    assert "no value on squad: all answers are correct" in str(everything["auroc"].undefined)
    assert not math.isnan(everything["brier"].value)
    assert not math.isnan(row(found, "Consis-Sem", "nq").metrics["auroc"].value)


def questions(n: int) -> QuestionSet:
    items = tuple(f"s/{i}" for i in range(n))
    return QuestionSet(
        name="s", domain=None, size=n, items=items, units=items, unit_of=np.arange(n)
    )


def measured(c: Sequence[float], y: Sequence[int]) -> dict[str, Any]:
    one, sure, right = questions(len(c)), np.array(c, dtype=float), np.array(y, dtype=float)
    found = figures(
        Confidences(questions=one, confidence=sure[:, np.newaxis], correct=right[:, np.newaxis]),
        expected=np.ones(len(c), dtype=bool),
        resamples=QUICK.resamples(one.units),
        seed=0,
        why_none="nothing",
    )
    return estimates_of([found], QUICK)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_values_are_the_statistics_and_lie_in_their_range(
    answers: list[tuple[float, int]],
) -> None:
    c, y = zip(*answers, strict=True)
    found = measured(c, y)
    assert found["brier"].value == pytest.approx(float(brier(c, y)), abs=1e-12)
    expected = float(auroc(c, y))
    assert found["auroc"].value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    for name, e in found.items():
        if math.isnan(e.value):
            assert e.undefined, name
            continue
        assert -1e-12 <= e.value <= 1 + 1e-12
        if not math.isnan(e.low):
            assert e.low <= e.high
        assert (e.n, e.missing) == (len(answers), 0)


def test_names_stay_text(store: Store, tmp_path: Path) -> None:
    names = [name for name in HOSTILE if "\0" not in name and "\ud800" not in name]
    rows = [
        r
        for k, name in enumerate(names)
        for i in range(3)
        for r in (said(i, (i + k) % 2, model=name), score(i, f"C {name}", 0.3 * i, model=name))
    ]
    put(store, tmp_path, rows)
    page = render(report(store).document(bins=True, by_set=True), "html")
    assert "<script>" not in page
    assert "<img" not in page


def test_every_metric_is_explained_once_where_it_is_shown(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [r for i in range(3) for r in (said(i, i % 2), score(i, "C", 0.3 * i))])
    for form in ("table", "md", "html"):
        text = " ".join(render(report(store).document(by_set=True), form).split())
        for name, title in TITLES.items():
            assert text.count(f"{title}: {entry(name).meaning}") == 1, (form, name)


def test_drawn_curves_have_the_area_that_is_printed_over_one_set_and_over_several(
    store: Store, tmp_path: Path
) -> None:
    """The curve of several sets is the mean of theirs, by the same weights as the AURC."""
    for flip, (name, n) in enumerate({"nq": 30, "hq": 12, "popqa": 20}.items(), 2):
        path = rows_file(tmp_path / f"{name}.jsonl", records(n, flip))
        for _, take_in in read_honestybench([path], model="m", known_items=lambda *_: None):
            take_in(store)
    found = confidence_report(store, "honestybench", intervals=QUICK, curves=True)
    mine = [one for one in found.rows if one.confidence == "Consis-Sem"]
    assert {one.over for one in mine} == {"all", "in-domain", "ood", "nq", "hq", "popqa"}
    for one in mine:
        assert one.curve is not None
        area = float((one.curve.risk * np.diff(one.curve.edges)).sum())
        assert area == pytest.approx(one.metrics["aurc"].value, abs=1e-12)
        last = one.curve.points[-1]
        assert last.value == pytest.approx(1 - one.metrics["accuracy"].value, abs=1e-12)
        assert last.n == one.metrics["accuracy"].n
        assert all(point.low <= point.value <= point.high for point in one.curve.points)
        if len(one.sets) == 1:
            plug_in = one.metrics["ece_plug_in"].value
            assert one.bins.error == pytest.approx(plug_in, abs=1e-12)
    plain = confidence_report(store, "honestybench", intervals=QUICK)
    assert found.to_dict() == plain.to_dict()
    assert all(one.curve is None for one in plain.rows)


def test_intervals_of_a_curve_are_wilsons_where_few_answers_are_given(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, [r for i in range(20) for r in (said(i, i >= 2), score(i, "C", i / 20))])
    curve = row(report(store, curves=True), "C").curve
    assert curve is not None
    assert [point.method for point in curve.points] == ["wilson"] * 10
    low, high = wilson_interval(0, 10, level=0.95)  # nothing of the surest half is wrong
    assert (curve.points[4].value, curve.points[4].n) == (0.0, 10)
    assert (curve.points[4].low, curve.points[4].high) == pytest.approx((float(low), float(high)))
    empty = row(report(store, confidences=("Prob",), curves=True), "Prob")
    assert empty.curve is None


def test_rows_of_some_models_are_as_they_are_beside_all_the_others(
    store: Store, tmp_path: Path
) -> None:
    rows = [
        one
        for model, n in (("m", 40), ("other", 60))
        for i in range(n)
        for one in (
            said(i, i % 3, model=model),
            score(i, "C", i % 7 / 7, model=model),
            score(i, "D", 0.5, model=model),
            label(i, model, "K", "correct"),
        )
    ]
    put(store, tmp_path, rows)
    chosen = choice(store, "made_up@unversioned", labelling(store, "made_up@unversioned")["J"])
    assert (chosen.models, chosen.confidences) == (("m", "other"), ("C", "D"))
    assert chosen.lacking["Prob"] == "the store has no log-probabilities of the greedy answers"
    whole = report(store, correct="J")
    some = report(
        store, correct=labelling(store, "made_up@unversioned")["J"], judges=chosen.judges,
        models=["m"], confidences=["D"],
    )  # fmt: skip
    assert len(chosen.judges) == 3  # K says nothing that matters here
    (mine,) = some.rows
    (same,) = [one for one in whole.rows if (one.model, one.confidence) == ("m", "D")]
    assert mine.metrics == same.metrics


def test_a_store_without_labels_or_confidences_has_nothing_to_choose(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, [label(0, "m", "judge", "correct")])
    judge = labelling(store, "made_up@unversioned")["judge"]
    assert choice(store, "made_up@unversioned", judge).confidences == ()
    put(store, tmp_path, [score(0, "C", 0.5) | {"benchmark": "unlabelled"}])
    assert labelling(store, "unlabelled@unversioned") == {}
    assert choice(store, "unlabelled@unversioned", None).confidences == ("C",)
    assert with_confidences(store) == ()


@pytest.mark.parametrize("first", [True, False])
def test_benchmarks_with_confidences_are_found_by_few_rows(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Where the first rows of a judge do not tell it, those on each model do."""
    unread = {"kind": "unreadable", "value": "", "reason": "no number"}
    rows: list[Any] = []
    for item in range(13):
        rows += [said(item, item % 2, model=model) for model in ("a", "b")]
        rows.append(score(item, "C", 0.5, model="a") if first else said(item, 1, model="a"))
        rows[-1] |= {"judge": "C"} | ({} if first else unread)
        rows.append(score(item, "C", 0.5, model="b"))
    put(store, tmp_path, rows)
    read: list[str] = []
    whole = Store.first_verdicts

    def first_verdicts(self: Store, benchmark: str, *rest: Any, **more: Any) -> Any:
        read.append(benchmark)
        return whole(self, benchmark, *rest, **more)

    monkeypatch.setattr(Store, "first_verdicts", first_verdicts)
    assert with_confidences(store) == (("made_up", "unversioned"),)
    assert read == ([] if first else ["made_up"])


def test_the_risk_that_is_left_where_only_sure_answers_are_given(
    store: Store, tmp_path: Path
) -> None:
    rows = [r for i in range(8) for r in (said(i, i >= 2), score(i, "C", i / 10))]
    put(store, tmp_path, rows)
    found = report(store)
    (data,) = [r for r in found.to_dict()["rows"] if r["confidence"] == "C"]
    points = data["risk_coverage"]
    assert [p["coverage"] for p in points] == pytest.approx([n / 8 for n in range(1, 9)])
    assert [p["threshold"] for p in points] == pytest.approx([n / 10 for n in range(7, -1, -1)])
    assert [p["risk"] for p in points] == pytest.approx([0] * 6 + [1 / 7, 2 / 8])
    text = render(found.document(bins=True), "table")
    assert "C of m, by coverage" in text
    assert "100 %   8             0.000   0.250 [0.071, 0.591]" in text


@pytest.mark.parametrize(("c", "y"), [(1.0, 1), (0.0, 0), (1.0, 0), (0.5, 1)])
def test_where_nothing_varies_no_interval_is_a_point(
    store: Store, tmp_path: Path, c: float, y: int
) -> None:
    put(store, tmp_path, [r for i in range(25) for r in (said(i, y), score(i, "C", c))])
    found = row(report(store), "C").metrics
    for name, e in found.items():
        assert e.low != e.high, name
        assert math.isnan(e.low) == math.isnan(e.high), name
    for name in ("brier", "alignment"):
        assert found[name].method.endswith("no interval: all draws are equal"), name
    assert found["ece"].value == pytest.approx(abs(c - y))


def test_an_error_that_may_be_0_is_at_most_something_in_every_form(
    store: Store, tmp_path: Path
) -> None:
    rows = [r for i in range(60) for r in (said(i, i % 4 > 0), score(i, "C", 0.75))]
    rows += [
        r
        for i in range(60)
        for r in (said(i, i % 4 > 0, model="sure"), score(i, "C", 1.0, model="sure"))
    ]
    put(store, tmp_path, rows)
    found = report(store)
    of = {one.model: one.metrics["ece"] for one in found.rows if one.confidence == "C"}
    assert of["m"].low == 0.0 < of["m"].high
    assert 0.0 < of["sure"].low < of["sure"].value == pytest.approx(0.25)
    for form in ("table", "md", "html", "latex"):
        text = render(found.document(), form)
        assert f"0.000, at most {of['m'].high:.3f}" in text, form
        assert f"{of['sure'].low:.3f}, {of['sure'].high:.3f}" in text, form
        assert "ECE is corrected for the bias of its bins" in text, form
    numbers = render(found.document(), "csv")
    assert "at most" not in numbers
    assert str(of["m"].high) in numbers
    record = found.to_dict()["rows"]
    shown = next(r for r in record if (r["model"], r["confidence"]) == ("m", "C"))["metrics"]
    assert shown["ece"]["low"] == 0.0
    for name in ("ece_plug_in", "ece_upstream", "ece_closed"):
        assert shown[name]["low"] is None
        assert "biased upwards" in shown[name]["method"]
    assert "few wrong answers, or sure ones" in shown["aurc"]["method"]


def test_one_wrong_answer_has_an_auroc_without_an_interval(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [r for i in range(30) for r in (said(i, i), score(i, "C", i / 30))])
    whole = report(store)
    found = row(whole, "C").metrics["auroc"]
    assert found.value == 1.0
    assert math.isnan(found.low)
    assert found.method == "no interval, 1 wrong answer; it takes two"
    text = " ".join(render(whole.document(), "table").split())
    assert "AUROC without an interval: 1 wrong answer; it takes two" in text
    assert "AURC without an interval: those tried did not hold" in text


def test_a_notebook_draws_every_metric_on_a_scale_of_its_own(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [r for i in range(30) for r in (said(i, i % 3), score(i, "C", i / 30))])
    found = report(store)
    drawn = found.plot().to_dict()
    assert drawn["facet"]["row"]["field"] == "metric"
    assert drawn["resolve"]["scale"] == {"x": "independent"}
    frame = found.to_frame()
    assert set(METRICS) == set(frame["metric"])
    value = frame[(frame["metric"] == "auroc") & (frame["confidence"] == "C")]["value"].item()
    assert value == row(found, "C").metrics["auroc"].value
