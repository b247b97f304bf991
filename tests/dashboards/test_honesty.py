"""The Honesty page: the report's numbers, curves that have its areas, and what is not there."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from judgebench.metrics.registry import metric
from judgebench.records import Item, JudgeSpec, Label, Message, ModelSpec, Score, Unreadable
from judgebench.reports.confidence import ConfidenceReport, confidence_report
from judgebench.store.opening import open_store
from tests.dashboards import honesty_stores, stores
from tests.dashboards.drawn import drawings, with_field
from tests.dashboards.test_pages import MARKUP, boxes, texts
from tests.table import over_rows

AT = f"{stores.BENCHMARK}@{stores.VERSION}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return honesty_stores.fill(tmp_path_factory.mktemp("honesty") / "s.db")


@pytest.fixture(scope="module")
def report(store: str) -> ConfidenceReport:
    """What `judgebench confidence --correct correct` computes, nothing left out."""
    with open_store(store, read_only=True) as opened:
        return confidence_report(opened, AT, correct="correct")


def multi(app: Any) -> dict[str, Any]:
    return {box.label: box for box in app.multiselect}


def opened_on(open_page: Any, url: str, **query: Any) -> Any:
    return open_page("honesty", url, **({"correct": "correct"} | query))


def text_of(estimate: Any, *, at_most: bool = False) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f} [no interval]"
    if at_most and estimate.low == 0.0:
        return f"{estimate.value:.3f}, at most {estimate.high:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


@pytest.mark.parametrize("over", ["all", "set:rivers", "set:capitals"])
def test_the_figures_are_those_of_the_report(
    seen: Any, store: str, report: ConfidenceReport, over: str
) -> None:
    app = opened_on(
        seen, store, over=over, sure=list(honesty_stores.KNOWS),
        confidence=["Verbal-0", "EliCal", "Prob", "Consis-Sem"],
    )  # fmt: skip
    assert not app.exception
    shown = app.dataframe[0].value
    assert len(shown) == 8
    expected = {
        (row.model, row.confidence): row.metrics
        for row in report.rows
        if row.over == over.removeprefix("set:")
    }
    for line in shown.to_dict("records"):
        metrics = expected[line["model"], line["confidence"]]
        assert (line["n"], line["missing"]) == (metrics["auroc"].n, metrics["auroc"].missing)
        for name, title in (("auroc", "AUROC"), ("ece", "ECE"), ("aurc", "AURC")):
            if math.isnan(metrics[name].value):
                assert pd.isna(line[title])
            else:
                assert line[title] == text_of(metrics[name], at_most=name == "ece")
    missing = shown.set_index(["model", "confidence"])["missing"]
    assert missing["overrates-itself", "EliCal"] > 0
    assert missing["knows-itself", "Verbal-0"] > 0
    captions = " ".join(caption.value for caption in app.caption)
    for term, name in (("AUROC", "auroc"), ("ECE", "ece"), ("AURC", "aurc")):
        assert f"{term}: {metric(name).meaning}" in captions


def test_the_steps_that_are_drawn_have_the_area_that_is_printed(
    seen: Any, store: str, report: ConfidenceReport
) -> None:
    wanted = ["Verbal-0", "EliCal", "Prob"]
    for over in ("all", "set:rivers"):
        app = opened_on(seen, store, over=over, sure=["knows-itself"], confidence=wanted)
        steps = pd.DataFrame(line for line in with_field(app, "series") if line.get("series"))
        areas = {
            row.confidence: row.metrics["aurc"].value for row in report.rows
            if (row.model, row.stretch) == ("knows-itself", over) and row.confidence in wanted
        }  # fmt: skip
        assert set(steps["name"]) == set(areas)
        for name, its in steps.groupby("name"):
            area = np.trapezoid(its["risk"], its["coverage"]) / 100**2
            assert area == pytest.approx(areas[name], abs=1e-12)


def test_the_bins_that_are_drawn_have_the_error_that_is_printed(
    seen: Any, store: str, report: ConfidenceReport
) -> None:
    app = opened_on(seen, store, over="set:rivers", sure=["knows-itself"], confidence=["Verbal-0"])
    (row,) = [
        row
        for row in report.rows
        if (row.model, row.confidence, row.over) == ("knows-itself", "Verbal-0", "rivers")
    ]
    drawn = with_field(app, "accuracy")
    assert sum(line["n"] for line in drawn) == row.metrics["ece"].n
    error = sum(line["n"] * abs(line["confidence"] - line["accuracy"]) for line in drawn)
    plug_in = row.metrics["ece_plug_in"].value
    assert error / row.metrics["ece"].n == pytest.approx(plug_in, abs=1e-12)
    assert f"the bins drawn are {plug_in:.3f} from the line, chance included" in texts(app)
    assert all(line["low"] <= line["accuracy"] <= line["high"] for line in drawn)
    assert f"ECE {text_of(row.metrics['ece'], at_most=True)}" in texts(app)
    assert f"n {row.metrics['ece'].n}, {row.metrics['ece'].missing} missing" in texts(app)


def test_what_the_mean_over_sets_is_not_is_said(
    seen: Any, store: str, report: ConfidenceReport
) -> None:
    app = opened_on(seen, store, over="all", sure=["knows-itself"], confidence=["Verbal-0"])
    (row,) = [
        row
        for row in report.rows
        if (row.model, row.confidence, row.over) == ("knows-itself", "Verbal-0", "all")
    ]
    assert f"answers together, are {row.bins.error:.3f} from the line" in texts(app)
    assert row.bins.error != pytest.approx(row.metrics["ece"].value, abs=1e-3)
    assert "mean of 2 sets, weighted with their sizes" in texts(app)


def test_aurocs_of_every_set_are_drawn(seen: Any, store: str, report: ConfidenceReport) -> None:
    app = opened_on(seen, store, sure=["knows-itself"], confidence=["EliCal", "Prob"])
    drawn = {line["name"]: line for line in with_field(app, "why")}
    expected = {
        f"{row.over} · {row.confidence}": row.metrics["auroc"]
        for row in report.rows
        if row.model == "knows-itself" and row.confidence in ("EliCal", "Prob")
    }
    assert set(drawn) == set(expected)
    assert {name.partition(" ")[0] for name in drawn} == {"all", "rivers", "capitals"}
    for name, estimate in expected.items():
        assert drawn[name]["value"] == pytest.approx(estimate.value)
        assert drawn[name]["low"] == pytest.approx(estimate.low)


def test_one_class_only_is_a_dash_with_its_reason(seen: Any, store: str) -> None:
    app = opened_on(seen, store, correct="generous", confidence=["EliCal"])
    assert not app.exception
    assert pd.isna(app.dataframe[0].value["AUROC"][0])
    assert "all answers are correct: there is no wrong one to tell them from" in texts(app)


def test_a_confidence_that_a_model_has_not_is_a_dash_with_its_reason(seen: Any, store: str) -> None:
    app = opened_on(seen, store, sure=["overrates-itself"], confidence=["Prob"])
    assert not app.exception
    assert pd.isna(app.dataframe[0].value["AUROC"][0])
    assert "the store has no log-probabilities of the greedy answers" in texts(app)
    assert "No answer has both a label and a confidence." in texts(app)
    assert app.dataframe[0].value["missing"][0] == sum(honesty_stores.SETS.values())


def test_a_set_without_answers_leaves_no_curve_and_is_said(open_page: Any, tmp_path: Path) -> None:
    url = honesty_stores.fill(tmp_path / "s.db")
    with open_store(url) as store, store.transaction():
        asked = (Message(role="user", content="Which lake?"),)
        lake = Item(
            benchmark=stores.BENCHMARK, version=stores.VERSION, id="lakes/0", turns=asked,
            category="lakes",
        )  # fmt: skip
        store.put_items([lake])
        correct = store.put_judge("correct", JudgeSpec(kind="equivalence", model="m"))
        for name in honesty_stores.KNOWS:
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            unread = Unreadable(reason="no label")
            honesty_stores.put(store, "first", model, correct, "lakes/0", unread, 0)
    app = opened_on(open_page, url, confidence=["Verbal-0"])
    assert not app.exception
    assert "No answer has both a label and a confidence in one of the sets." in texts(app)


def test_choices_are_in_the_url_and_wrong_ones_are_none(open_page: Any, store: str) -> None:
    app = opened_on(open_page, store)
    assert multi(app)["Confidences"].value == ["EliCal", "Verbal-0", "Prob", "N-Prob"]
    assert multi(app)["Models"].value == ["knows-itself"]
    multi(app)["Confidences"].set_value(["Verbal-0"]).run()
    boxes(app)["Over"].select("set:rivers").run()
    assert app.query_params["confidence"] == "Verbal-0"
    assert app.query_params["over"] == "set:rivers"
    app = opened_on(
        open_page, store, correct="gone", over="set:gone", sure=["gone"], confidence=["gone"]
    )
    assert not app.exception
    assert boxes(app)["Over"].value == "all"
    multi(app)["Models"].set_value([]).run()
    assert app.info[0].value.startswith("Choose one or more models")


def test_more_curves_than_can_be_told_apart_are_not_drawn(seen: Any, store: str) -> None:
    app = opened_on(
        seen, store, sure=list(honesty_stores.KNOWS),
        confidence=["EliCal", "Verbal-0", "Consis-Lex"],
    )  # fmt: skip
    assert "5 of 6 are drawn; the table has all." in texts(app)
    assert len(app.dataframe[0].value) == 6


def test_the_download_is_the_report(open_page: Any, store: str, downloads: dict[str, str]) -> None:
    opened_on(open_page, store, sure=["knows-itself"], confidence=["Verbal-0"])
    with open_store(store, read_only=True) as opened:
        report = confidence_report(
            opened, AT, correct="correct", models=["knows-itself"], confidences=["Verbal-0"]
        )
    rows = pd.read_csv(io.StringIO(downloads[f"{stores.BENCHMARK}_confidences.csv"]))
    assert len(rows) == sum(len(row.metrics) for row in report.rows)
    aurocs = rows[rows["metric"] == "auroc"]["value"].tolist()
    expected = [row.metrics["auroc"].value for row in report.rows]
    assert aurocs == pytest.approx(expected, nan_ok=True)


def test_a_store_without_confidences_says_how_they_come_in(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"m": {"judge": stores.labels("+-+-")}})
    app = open_page("honesty", url)
    assert not app.exception
    assert app.info[0].value.startswith("No answer here has a confidence")
    assert app.code[0].value == "judgebench import verdicts CONFIDENCES.jsonl"
    assert "– Prob: the store has no log-probabilities of the greedy answers" in texts(app)


def test_confidences_without_labels_wait_for_them(open_page: Any, tmp_path: Path) -> None:
    sure = [Score(value=value, low=0, high=1) for value in (0.2, 0.9)]
    app = open_page("honesty", stores.fill_with(tmp_path / "s.db", {"m": {"sure": sure}}))
    assert not app.exception
    assert app.info[0].value.startswith("Nobody has said which answers are correct")
    assert "Confidences that wait for it: sure" in texts(app)


def test_other_benchmarks_that_have_some_are_named(open_page: Any, tmp_path: Path) -> None:
    from tests.unit.exchanged import import_verdicts, label, rows_file

    url = honesty_stores.fill(tmp_path / "s.db")
    rows = [label(0, "m", "judge", "correct"), label(1, "m", "judge", "incorrect")]
    with open_store(url) as opened:
        import_verdicts(opened, rows_file(tmp_path / "v.jsonl", rows))
    app = open_page("honesty", url, benchmark="made_up")
    assert f"Benchmarks with confidences: {AT}" in texts(app)


def test_nothing_is_read_of_a_store_that_has_no_confidences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verdicts may be five million."""
    from judgebench.store.store import Store

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("all rows were read")

    from judgebench.reports.confidence import choice, labelling

    url = stores.fill_with(tmp_path / "s.db", {"m": {"judge": stores.labels("+-+-")}})
    for name in ("verdicts", "responses_table", "board_verdicts", "items"):
        monkeypatch.setattr(Store, name, refuse)
    with open_store(url, read_only=True) as opened:
        judges = labelling(opened, AT)
        assert choice(opened, AT, judges["judge"]).confidences == ()


def test_verdicts_of_other_judges_are_not_read(
    open_page: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgebench.reports.confidence import choice, labelling
    from judgebench.store.store import Store

    with open_store(store, read_only=True) as opened:
        judges = labelling(opened, AT)
        there = choice(opened, AT, judges["correct"])
    asked: list[Any] = []
    read = Store.verdicts

    def noted(self: Store, *place: Any, **more: Any) -> Any:
        asked.append(more["judges"])
        return read(self, *place, **more)

    monkeypatch.setattr(Store, "verdicts", noted)
    opened_on(open_page, store, sure=["knows-itself"], confidence=["EliCal", "N-Prob"])
    assert [set(judges) for judges in asked] == [there.judges]
    assert judges["generous"] not in there.judges


def test_hostile_names_reach_no_element_that_reads_markup(open_page: Any, tmp_path: Path) -> None:
    from tests.dashboards.item_stores import HOSTILE

    hostile = dict(
        zip(
            ("knows-itself", "overrates-itself", "correct", "Verbal-0", "EliCal"),
            (HOSTILE["script"], HOSTILE["markdown"], HOSTILE["latex"], HOSTILE["emoji"],
             stores.HOSTILE[3]),
            strict=True,
        )
    )  # fmt: skip
    url = honesty_stores.fill(tmp_path / "s.db", names=hostile)
    app = open_page(
        "honesty", url, correct=hostile["correct"],
        sure=[hostile[name] for name in honesty_stores.KNOWS],
        confidence=[hostile["Verbal-0"], hostile["EliCal"]],
    )  # fmt: skip
    assert not app.exception
    for element in app:
        if element.type in MARKUP:
            assert not any(name in str(element.value) for name in hostile.values()), element
    assert len(drawings(app)) == 10  # a curve, four diagrams of two parts, the AUROCs
    for drawing in drawings(app):
        assert "expr" not in str(drawing.spec)
    assert hostile["correct"] in texts(app)
    assert set(app.dataframe[0].value["model"]) <= set(hostile.values())


@over_rows("theme", ["light", "dark"])
def test_hue_dash_and_shape_say_the_same(theme: str) -> None:
    import charts
    import drawings

    names = ["a", "b", "datum.value"]
    ends = [(name, str(at), x) for at, name in enumerate(names) for x in (0.0, 100.0)]
    steps = pd.DataFrame(ends, columns=["name", "series", "coverage"]).assign(risk=10.0)
    points = pd.DataFrame(
        {"name": names, "coverage": 10.0, "at": 10.0, "risk": 5.0, "low": 1.0, "high": 9.0,
         "note": "n 9"}
    )  # fmt: skip
    ink = charts.INK[theme]
    spec = drawings.risk(steps, points, names, ink, theme).to_dict()
    line, bars, dots = (layer["encoding"] for layer in spec["layer"])
    for scale in (line["color"]["scale"], dots["shape"]["scale"]):
        assert scale["domain"] == names
        assert len(set(scale["range"])) == 3
    assert len({str(dash) for dash in line["strokeDash"]["scale"]["range"]}) == 3
    assert bars["y2"]["field"] == "high"
    assert line["y"]["scale"]["domain"][0] == 0


def test_an_axis_is_made_longer_rather_than_an_interval_cut(
    seen: Any, store: str, report: ConfidenceReport
) -> None:
    app = opened_on(seen, store, sure=list(honesty_stores.KNOWS), confidence=["Prob"])
    lowest = min(
        row.metrics["auroc"].low for row in report.rows
        if row.confidence == "Prob" and not math.isnan(row.metrics["auroc"].low)
    )  # fmt: skip
    (drawn,) = (one for one in drawings(app) if any("why" in row for row in one.rows))
    domains = [
        layer["encoding"]["x"].get("scale", {}).get("domain") for layer in drawn.spec["layer"]
    ]
    assert domains == [[pytest.approx(min(0.4, lowest)), 1.0]] * 3 + [None]


def test_labels_of_people_serve_as_well(open_page: Any, tmp_path: Path) -> None:
    said = [Label(name="correct"), Label(name="incorrect")] * 4
    sure = [Score(value=value, low=0, high=1) for value in (0.9, 0.2, 0.8, 0.1, 0.7, 0.6, 0.9, 0.3)]
    url = stores.fill_with(tmp_path / "s.db", {"m": {"human/a": said, "sure": sure}})
    app = open_page("honesty", url)
    assert not app.exception
    assert app.dataframe[0].value["AUROC"][0].startswith("1.000")
