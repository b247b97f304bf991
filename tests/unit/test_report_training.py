"""Checkpoints of a training run: found by their tags, on a board's numbers, the best put right."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.errors import UsageError
from judgebench.records import ModelSpec
from judgebench.reports.board_data import BoardData
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.render import render
from judgebench.reports.training import Training, training
from judgebench.reports.versions import NO_OTHER_TAGS, training_runs
from judgebench.stats.winner import best_share_of
from judgebench.store.opening import open_store
from tests.dashboards import night_stores, stores

RUN = "apo-november"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return night_stores.train(tmp_path_factory.mktemp("training") / "s.db")


@pytest.fixture(scope="module")
def report(url: str) -> Training:
    with open_store(url, read_only=True) as store:
        (judge,) = store.judges()
        return training(store, stores.BENCHMARK, RUN, judge=judge.id)


def test_checkpoints_come_by_step_with_the_boards_own_numbers(url: str, report: Training) -> None:
    with open_store(url, read_only=True) as store:
        (board,) = leaderboards(store, stores.BENCHMARK)
    rows = {row.model: row for row in board.rows}
    assert [one.step for one in report.checkpoints] == [
        200.0 * n for n in range(1, 1 + len(night_stores.CURVE))
    ]
    assert "untagged" in rows
    assert "untagged" not in {one.model for one in report.checkpoints}
    for one in report.checkpoints:
        assert one.estimate == rows[one.model].leading
    assert report.checkpoints[1].estimate.missing == 12
    assert report.metric == board.metric


def test_what_is_not_read_would_not_have_counted(
    url: str, report: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the verdicts on checkpoints are read; a model without a tag has some too."""
    from judgebench.reports import training as module

    asked: list[Any] = []

    def whole(store: Any, which: Any, panels: Any, only: Any) -> BoardData:
        asked.append(only)
        return BoardData(store, which, panels)

    monkeypatch.setattr(module, "BoardData", whole)
    with open_store(url, read_only=True) as store:
        everything = training(store, stores.BENCHMARK, RUN, judge=store.judges()[0].id)
        names = {model.id: model.name for model in store.models()}
    assert {"untagged"} == set(names.values()) - {names[one] for one in asked[0]}
    assert repr(everything) == repr(report)


def test_a_suspicious_checkpoint_is_named(
    url: str, report: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgebench.reports import training as module

    name = report.checkpoints[0].model
    assert not any("suspicious" in note for note in report.notes)

    def suspected(*its: Any) -> BoardData:
        data = BoardData(*its)
        data.suspicious = {name: "one text"}
        return data

    monkeypatch.setattr(module, "BoardData", suspected)
    with open_store(url, read_only=True) as store:
        found = training(store, stores.BENCHMARK, RUN, judge=store.judges()[0].id)
    assert found.notes[0].startswith(f"{name} is suspicious: one text.")
    assert found.checkpoints == report.checkpoints


def test_the_band_is_wider_than_each_interval_alone(report: Training) -> None:
    assert 2.0 < report.critical < 2.9
    for one in report.checkpoints:
        assert (
            one.band.low < one.estimate.low < one.estimate.value < one.estimate.high < one.band.high
        )


def test_the_best_is_corrected_and_the_last_is_behind_it(url: str, report: Training) -> None:
    """Against the covariance of the verdicts themselves, of which none is missing but twelve."""
    best = report.best
    assert best is not None
    value = max(one.estimate.value for one in report.checkpoints)
    assert (best.picked, best.step) == (value, 1200)
    table = right(url, [one.model for one in report.checkpoints])
    known = ~np.isnan(table).any(axis=1)
    sigma = np.cov(table[known].T) / known.sum()
    other = best_share_of(np.nanmean(table, axis=0), sigma, units=known.sum(), step=1 / 150)
    assert best.corrected.value == pytest.approx(other.value, abs=0.01)
    assert best.corrected.low == pytest.approx(other.low, abs=0.02)
    assert best.corrected.high == pytest.approx(other.high, abs=0.02)
    assert best.corrected.value < best.picked
    assert report.last == "worse"
    above = next(one.above_last for one in report.checkpoints if one.model == best.model)
    assert above is not None
    assert above[0] == pytest.approx(best.picked - report.checkpoints[-1].estimate.value)
    spread = np.nanstd(table[:, 5] - table[:, 7], ddof=1) / math.sqrt(150)
    assert (above[2] - above[0]) / spread == pytest.approx(2.6, abs=0.35)
    assert report.checkpoints[-1].above_last is None


def right(url: str, models: list[str]) -> np.ndarray:
    """1 where a model is right, nan where nobody knows; shape (items, models)."""
    with open_store(url, read_only=True) as store:
        said = store.verdicts(stores.BENCHMARK, stores.VERSION)
    table = np.full((150, len(models)), np.nan)
    columns = (said[name] for name in ("item_id", "model", "kind", "label"))
    for item, model, kind, label in zip(*columns, strict=True):
        if model in models and kind == "label":
            table[int(item), models.index(model)] = label == "correct"
    return table


def test_the_last_one_may_be_the_best_or_undecided(tmp_path: Path) -> None:
    for skills, said in (((0.3, 0.5, 0.7), "the best"), ((0.5, 0.62, 0.6), "undecided")):
        url = night_stores.train(tmp_path / f"{said}.db", skills=skills)
        with open_store(url, read_only=True) as store:
            report = training(store, stores.BENCHMARK, RUN, judge=store.judges()[0].id)
        assert report.last == said


def test_a_handful_of_items_does_not_say_that_the_last_one_is_worse(tmp_path: Path) -> None:
    last = []
    for n_items in (9, 40):
        url = night_stores.train(
            tmp_path / f"{n_items}.db", skills=(0.8, 0.5, 0.1), n_items=n_items
        )
        with open_store(url, read_only=True) as store:
            last.append(training(store, stores.BENCHMARK, RUN, judge=store.judges()[0].id).last)
    assert last == ["undecided", "worse"]


def test_one_checkpoint_is_no_curve_and_one_that_is_always_right_has_a_band(tmp_path: Path) -> None:
    url = night_stores.train(tmp_path / "one.db", skills=(9.0,))
    with open_store(url, read_only=True) as store:
        report = training(store, stores.BENCHMARK, RUN, judge=store.judges()[0].id)
    (one,) = report.checkpoints
    assert one.estimate.value == one.band.high == 1.0
    assert 0.97 < one.band.low < 1.0
    assert report.last == "the best"
    assert report.best is not None
    assert report.best.corrected[1:3] == one.band


def test_scores_and_win_rates_have_their_boards_numbers_too(tmp_path: Path) -> None:
    url = stores.fill_kinds(tmp_path / "s.db")
    with open_store(url) as store:
        for step, name in enumerate(stores.STRENGTH):
            spec = ModelSpec(weights=f"name:{name}")
            store.put_model(name, spec, {"training_run": "r", "step": str(step)})
        boards = [board for board in leaderboards(store, stores.BENCHMARK) if board.judge_id]
        for board in boards:
            assert board.judge_id is not None
            report = training(
                store, stores.BENCHMARK, "r", judge=board.judge_id, opponent=board.opponent_id
            )
            rows = {row.model: row.leading for row in board.rows}
            assert {one.model: one.estimate for one in report.checkpoints} == rows
            assert report.metric == board.metric
            assert report.opponent == board.opponent
            best = report.best
            assert best is not None
            assert best.corrected.low < best.corrected.value < best.corrected.high
            assert best.picked == max(one.value for one in rows.values())
    assert {board.metric for board in boards} == {"score", "win_rate"}


def test_what_a_run_is_called_and_what_is_no_step(tmp_path: Path) -> None:
    tagged = {
        "a": {"training_run": "first", "step": "1e3"},
        "b": {"algorithm": "apo", "step": "20"},
        "c": {"algorithm": "apo", "step": "3"},
        "d": {"algorithm": "dpo", "step": "3"},
        "e": {"step": "5"},
        "f": {"step": "last"},
        "g": {"step": "nan"},
        "h": {"algorithm": "apo"},
    }
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        for name, tags in tagged.items():
            store.put_model(name, ModelSpec(weights=f"name:{name}"), tags)
        found = training_runs(store)
        names = {run: [one.name for one in its] for run, its in found.runs.items()}
        assert names == {
            "first": ["a"],
            "algorithm apo": ["c", "b"],
            "algorithm dpo": ["d"],
            NO_OTHER_TAGS: ["e"],
        }
        assert found.runs["first"][0].step == 1000
        assert found.faults == (
            "f: the step 'last' is no number",
            "g: the step 'nan' is no number",
        )
        # A new name without tags leaves the old one's; new tags of the name count.
        store.put_model("release", ModelSpec(weights="name:a"), {})
        assert [one.name for one in training_runs(store).runs["first"]] == ["a"]
        store.put_model("a", ModelSpec(weights="name:a"), {"training_run": "other", "step": "7"})
        assert [one.step for one in training_runs(store).runs["other"]] == [7]
        ids = {model.name: model.id for model in store.models()}
        assert list(training_runs(store, {ids["d"]}).runs) == ["algorithm dpo"]


def test_a_run_or_a_judge_that_is_not_there_is_said(url: str) -> None:
    with open_store(url, read_only=True) as store:
        with pytest.raises(UsageError, match="apo-november"):
            training(store, stores.BENCHMARK, "apo-novembre", judge=store.judges()[0].id)
        with pytest.raises(UsageError, match="no such board"):
            training(store, stores.BENCHMARK, RUN, judge="0" * 12)


def test_it_can_be_printed_and_sent(report: Training) -> None:
    data = report.to_dict()
    json.dumps(data, allow_nan=False)
    assert (
        data["best"]["corrected"]["value"] == report.best.corrected.value if report.best else None
    )
    assert data["checkpoints"][-1]["above_last"] is None
    for form in ("table", "md", "csv", "html", "latex", "json"):
        assert "apo-1200" in render(report.document(), form)
    assert "92.0 % of the verdicts on apo-400 are there; missing: 12 unreadable" in report.notes
