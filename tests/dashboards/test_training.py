"""The Training page: the report's numbers, what is said of the best and the last, its states."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from judgebench.config import ModelConfig
from judgebench.metrics.win_rate import WEIGHTED
from judgebench.records import ModelSpec
from judgebench.reports.training import Training, training
from judgebench.reports.versions import RUN as RUN_TAG
from judgebench.reports.versions import STEP
from judgebench.store.opening import open_store
from tests.dashboards import night_stores, stores
from tests.dashboards.test_pages import MARKUP, boxes, texts
from tests.unit.test_one_pair_of_benchmarks import BENCHES, put

RUN = "apo-november"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return night_stores.train(tmp_path_factory.mktemp("training") / "s.db")


@pytest.fixture(scope="module")
def report(store: str) -> Training:
    with open_store(store, read_only=True) as opened:
        return training(opened, stores.BENCHMARK, RUN, judge=opened.judges()[0].id)


def test_the_numbers_are_those_of_the_report(seen: Any, store: str, report: Training) -> None:
    app = seen("training", store)
    assert not app.exception
    shown = app.dataframe[0].value
    assert list(shown["step"]) == [one.step for one in report.checkpoints]
    assert list(shown["value"]) == pytest.approx(
        [100 * one.estimate.value for one in report.checkpoints]
    )
    for line, one in zip(shown.to_dict("records"), report.checkpoints, strict=True):
        estimate = one.estimate
        assert line["alone"] == f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
        assert line["band"] == f"[{100 * one.band.low:.1f}, {100 * one.band.high:.1f}]"
        assert (line["n"], line["missing"]) == (estimate.n, estimate.missing)
    assert list(shown["is"]) == ["", "", "", "", "", "best", "", "last"]
    assert shown["above the last"].iloc[-1] == "–"


def test_the_best_and_the_last_are_said(seen: Any, store: str, report: Training) -> None:
    said = texts(seen("training", store))
    best = report.best
    assert best is not None
    assert f"Highest: apo-1200 at step 1,200, {100 * best.picked:.1f} % as observed." in said
    assert (
        f"Corrected for selection (winner's curse): {100 * best.corrected.value:.1f} % "
        f"[{100 * best.corrected.low:.1f}, {100 * best.corrected.high:.1f}]." in said
    )
    above = report.checkpoints[5].above_last
    assert above is not None
    assert f"apo-1600 at step 1,600, is worse than the best by {100 * above[0]:.1f} points" in said
    assert "⚠ 92.0 % of the verdicts on apo-400 are there" in said
    assert "8 checkpoints" in said


def test_a_run_and_a_judge_are_chosen_by_link(open_page: Any, tmp_path: Path) -> None:
    night_stores.train(tmp_path / "s.db")
    url = night_stores.train(
        tmp_path / "s.db", run="dpo", model="dpo", skills=(0.4, 0.5, 0.6), judge="second"
    )
    app = open_page("training", url, training_run="dpo")
    assert not app.exception
    assert len(app.dataframe[0].value) == 3
    assert boxes(app)["Training run"].options == [RUN, "dpo"]
    assert "The last checkpoint is the highest." in texts(app)
    app = open_page("training", url, training_run="gone", judge="gone")
    assert not app.exception
    assert len(app.dataframe[0].value) == 8


def test_scores_are_in_their_own_units(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_kinds(tmp_path / "s.db")
    with open_store(url) as opened:
        for step, name in enumerate(stores.STRENGTH):
            tags = {"training_run": "r", "step": str(step)}
            opened.put_model(name, ModelSpec(weights=f"name:{name}"), tags)
        judges = {judge.name: judge.id for judge in opened.judges()}
        told = training(opened, stores.BENCHMARK, "r", judge=judges["rubric"])
    app = open_page("training", url, judge="rubric")
    assert not app.exception
    assert boxes(app)["Judge"].options == [
        f"claude · against {stores.BASELINE}", f"gpt · against {stores.BASELINE}", "rubric"
    ]  # fmt: skip
    assert told.best is not None
    assert f"{told.best.picked:.2f} as observed" in texts(app)


def test_without_tags_it_says_how_to_tag(open_page: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"plain": {"judge": stores.labels("+-")}})
    app = open_page("training", url)
    assert not app.exception
    assert app.info[0].value.startswith("No checkpoint that was judged here is tagged")
    # It is read as a suite's models are, and the tags are those that the report looks for.
    (model,) = yaml.safe_load(app.code[0].value)["models"]
    tags = ModelConfig.model_validate(model).tags
    assert (tags[RUN_TAG], tags[STEP]) == ("apo-november", 1200)


def test_a_step_that_is_no_number_and_one_checkpoint_are_said(
    open_page: Any, tmp_path: Path
) -> None:
    url = night_stores.train(tmp_path / "s.db", skills=(0.5,))
    with open_store(url) as opened:
        spec = ModelSpec(weights=f"sha256:{RUN} untagged")
        opened.put_model("untagged", spec, {"training_run": RUN, "step": "final"})
    app = open_page("training", url)
    assert not app.exception
    assert "⚠ untagged: the step 'final' is no number" in texts(app)
    assert len(app.dataframe[0].value) == 1
    assert "Corrected" not in texts(app)


def test_hostile_names_runs_and_tags_are_text(open_page: Any, tmp_path: Path) -> None:
    first, second, third, fourth = stores.HOSTILE
    url = night_stores.train(
        tmp_path / "s.db", skills=(0.4, 0.6), run=first, judge=second, model=third,
        tags={fourth: first}, n_items=30,
    )  # fmt: skip
    with open_store(url) as opened:
        opened.put_model(fourth, ModelSpec(weights=f"sha256:{first} untagged"), {"step": third})
    app = open_page("training", url)
    assert not app.exception
    assert boxes(app)["Training run"].value == first
    assert first in texts(app)
    assert fourth in app.dataframe[0].value["tags"][0]
    for element in app:
        if element.type in MARKUP:
            assert not any(name in str(element.value) for name in stores.HOSTILE), element


def test_the_download_is_the_report(
    open_page: Any, store: str, report: Training, downloads: dict[str, str]
) -> None:
    open_page("training", store)
    rows = pd.read_csv(io.StringIO(downloads[f"{stores.BENCHMARK}_training.csv"]))
    assert list(rows["band_low"]) == pytest.approx([one.band.low for one in report.checkpoints])
    assert set(rows["training_run"]) == {RUN}


def test_why_a_checkpoint_has_no_weighted_rate_is_said_once(open_page: Any, tmp_path: Path) -> None:
    bench, url = BENCHES[WEIGHTED], f"sqlite:///{tmp_path / 's.db'}"
    with open_store(url) as store:
        for n in range(2):
            said = bench.said(n, missing=False)
            if n == 0:
                said = {at: one for at, one in said.items() if at[2] == "model_first"}
            put(store, bench, str(n), f"step {n}", str(n), said)
    app = open_page("training", url)
    assert not app.exception
    assert texts(app).count("step 0: no item was read in both orders") == 1
