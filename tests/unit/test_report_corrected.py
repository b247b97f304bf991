"""Scores as people would have them: on boards, in comparisons and gates; panels that weigh."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from judgebench import api, keys
from judgebench.cli.boards import leaderboard
from judgebench.config import check
from judgebench.errors import ConfigError, UsageError
from judgebench.execution.manifest import new_manifest
from judgebench.metrics.correction import SEVERAL
from judgebench.metrics.intervals import Intervals
from judgebench.records import (
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Preference,
    RunVerdict,
    Score,
    Verdict,
    VerdictSlot,
)
from judgebench.reports.board import Board, Row
from judgebench.reports.boards import parse_panel
from judgebench.reports.compare import Difference, comparison
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import Policy
from judgebench.reports.leaderboard import leaderboards
from judgebench.stats.correction import corrected_mean, rogan_gladen
from judgebench.stats.resample import content_seed
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows

N = 180
LABELLED = range(0, N, 3)
QUICK = Intervals(n_replicates=50)
RIGHT = {"good": 0.85, "weak": 0.55}


def truth(model: str) -> Any:
    return np.random.default_rng(sum(map(ord, model))).random(N) < RIGHT[model]


def said_by(judge: str, model: str) -> Any:
    """What a judge says: it calls a third of the wrong answers right."""
    lenient = np.random.default_rng(sum(map(ord, judge + model))).random(N) < 0.35
    return truth(model) | lenient


def put(
    store: Store, judge: str, model: str, item: int, verdict: Verdict, opponent: str | None = None,
    sample: int = 0,
) -> None:  # fmt: skip
    kind = "human" if judge.startswith("human") else "lexical"
    place = VerdictSlot(
        benchmark="made_up", version="1", item_id=str(item), sample=sample,
        model_key=store.put_model(model, ModelSpec(weights=model)),
        judge_key=store.put_judge(judge, JudgeSpec(kind=kind, model=judge)),
        opponent_key=store.put_model(opponent, ModelSpec(weights=opponent)) if opponent else None,
    )  # fmt: skip
    key = keys.content_key("judgment", [place])
    judgment = Judgment(key=key, judge_key=place.judge_key, case_key=key, verdict=verdict)
    store.put_judgment(judgment, [RunVerdict(run_id="r", place=place, judgment_key=key)])


def label(right: bool) -> Label:
    return Label(name="correct" if right else "incorrect")


def drawn(store: Store, opponent: str | None = None, n: int = N) -> None:
    """That people were given these answers at random."""
    ids = [model.id for model in store.models() if model.id != opponent]
    cells = [[str(item), one, 0] for item in range(0, n, 3) for one in ids]
    sampling = {
        "queue": "q", "benchmark": "made_up", "version": "1", "opponent": opponent,
        "design": "random", "cells": cells,
        "strata": [{"name": "all", "model": None, "of": n * len(ids), "drawn": len(cells)}],
    }  # fmt: skip
    store.start_run(replace(new_manifest("q", {"sampling": sampling}, data_sha={}, seed=0)))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, three judges, and people who labelled a third of the answers."""
    path = tmp_path_factory.mktemp("corrected") / "s.db"
    with open_store(str(path)) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for model in RIGHT:
            for judge in ("a", "b", "c"):
                for item, right in enumerate(said_by(judge, model)):
                    put(store, judge, model, item, label(bool(right)))
            for item in LABELLED:
                put(store, "human/ada", model, item, label(bool(truth(model)[item])))
                put(store, "human/bob", model, item, label(bool(truth(model)[item])))
                put(store, "human/eve", model, item, label(item % 2 == 0))
        drawn(store)
    return path


@pytest.fixture
def store(kept: Path) -> Iterator[Store]:
    with open_store(str(kept), read_only=True) as opened:
        yield opened


def boards(store: Store, **more: Any) -> tuple[Board, ...]:
    return leaderboards(store, "made_up", intervals=QUICK, corrected=True, **more)


def row_of(found: tuple[Board, ...], judge: str, model: str) -> Row:
    (board,) = (one for one in found if one.judge == judge)
    return next(row for row in board.rows if row.model == model)


# boards -------------------------------------------------------------------------------------------


def test_raw_and_corrected_stand_side_by_side(store: Store) -> None:
    found = boards(store, width=0.2)
    for model in RIGHT:
        row = row_of(found, "a", model)
        labels = np.where(np.arange(N) % 3 == 0, truth(model), np.nan)
        judge, order = said_by("a", model).astype(float), np.argsort(np.arange(N).astype(str))
        seed = content_seed("a", model)
        expected = corrected_mean(judge[order], labels[order], seed=seed)
        corrected, alone = row.metrics["corrected"], row.metrics["labels_alone"]
        assert corrected.value == pytest.approx(expected.value)
        assert (corrected.low, corrected.high) == pytest.approx(expected.interval())
        assert alone.value == pytest.approx(np.nanmean(labels))
        assert corrected.n == row.counts["labels"] == len(LABELLED)
        by_rates = rogan_gladen(judge, labels)
        assert row.metrics["rogan_gladen"].value == pytest.approx(by_rates.value)
        worth = (alone.high - alone.low) ** 2 / (corrected.high - corrected.low) ** 2
        assert row.metrics["labels_count_as"].value == pytest.approx(len(LABELLED) * worth)
        assert row.metrics["more_labels"].value == max(
            expected.labels_for(0.2) - len(LABELLED), 0.0
        )
        assert row.leading.value == pytest.approx(judge.mean())
        assert abs(corrected.value - truth(model).mean()) < abs(judge.mean() - truth(model).mean())
    assert "corrected" not in row_of(found, "human/ada", "good").metrics
    plain = leaderboards(store, "made_up", intervals=QUICK)
    assert "corrected" not in row_of(plain, "a", "good").metrics


def test_where_items_have_several_samples_error_rates_say_nothing(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for item, right in enumerate(said_by("a", "good")):
            for sample in range(2):
                put(
                    store, "a", "good", item, label(bool(right) ^ (sample > item % 3)), None, sample
                )
        for item in LABELLED:
            put(store, "human/ada", "good", item, label(bool(truth("good")[item])))
        drawn(store)
        its = row_of(boards(store), "a", "good").metrics
    assert its["corrected"].undefined is None
    assert its["rogan_gladen"].undefined == SEVERAL
    assert np.isnan(its["rogan_gladen"].value)


@over_rows(("whole", "samples"), [("good", 1), ("weak", 1), ("good", 2)])
def test_a_board_of_which_people_labelled_one_model_wholly_is_printed(
    tmp_path: Path, whole: str, samples: int
) -> None:
    url = str(tmp_path / f"{whole}{samples}.db")
    with open_store(url) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for model in RIGHT:
            for item, right in enumerate(said_by("a", model)):
                for sample in range(samples):
                    says = bool(right) ^ (sample > item % 3)
                    put(store, "a", model, item, label(says), sample=sample)
                if model == whole or item in LABELLED:
                    put(store, "human/ada", model, item, label(bool(truth(model)[item])))
        its = {model: row_of(boards(store), "a", model).metrics for model in RIGHT}
    assert [model for model in RIGHT if "rogan_gladen" in its[model]] == [whole]
    printed = CliRunner().invoke(
        leaderboard, ["made_up", "--corrected", "--judge", "a", "--format", "md", "--store", url]
    )
    assert printed.exit_code == 0
    assert ("| by error rates |" in printed.stdout) == (samples == 1)


def test_more_items_are_needed_only_where_all_labels_are_too_few(store: Store) -> None:
    labels = np.where(np.arange(N) % 3 == 0, truth("weak"), np.nan)
    alone = corrected_mean(np.zeros(N), labels, power=0.0)
    width = next(w for w in np.arange(0.1, 0.3, 0.001) if alone.labels_for(w) < N)
    found = row_of(boards(store, width=width), "a", "weak").metrics["more_labels"]
    assert found.undefined is None
    assert 0 < found.value <= N - len(LABELLED)
    narrow = boards(store, width=width / 2)
    few = row_of(narrow, "a", "weak").metrics["more_labels"]
    assert any("weak: labels of all items" in note for board in narrow for note in board.notes)
    assert few.undefined == "labels of all items would not be enough: more items are needed"


def test_the_command_says_what_labels_are_worth(kept: Path) -> None:
    asked = ["made_up", "--store", str(kept), "--corrected", "--judge", "a"]
    done = CliRunner().invoke(leaderboard, [*asked, "--width", "0.2"], standalone_mode=False)
    assert done.exit_code == 0
    for words in ("corrected", "labels alone", "by error rates", "labels count as", "more needed"):
        assert words in done.stdout
    with pytest.raises(UsageError, match="no record of how labels were drawn"):
        api.leaderboard("made_up", store=str(kept), corrected=True, bundle=kept.parent / "b.zip")
    with pytest.raises(UsageError, match="--width is of corrected intervals"):
        api.leaderboard("made_up", store=str(kept), width=0.1)
    with pytest.raises(UsageError, match="--width is of corrected intervals"):
        api.leaderboard("made_up", store=str(kept), width=0.0, corrected=True)


def small(tmp_path: Path, judge: Any, people: Any, *, random: bool, n: int = 60) -> Row:
    """The row of a board of so many items, whose verdicts two functions of the item give."""
    with open_store(str(tmp_path / "small.db")) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for item in range(n):
            put(store, "a", "good", item, judge(item))
        if random:
            drawn(store, n=n)
        for item in range(0, n, 3):
            put(store, "human/ada", "good", item, people(item))
        return row_of(boards(store), "a", "good")


def compared(p: float) -> Preference:
    return Preference(winner=0 if p > 0.5 else 1, p_first=p)


def scored(value: float, high: float = 10) -> Score:
    return Score(value=value, low=1, high=high)


def test_a_sample_that_is_not_random_has_no_interval(tmp_path: Path) -> None:
    row = small(tmp_path, lambda i: label(i % 2 == 0), lambda i: label(i % 4 == 0), random=False)
    corrected = row.metrics["corrected"]
    assert not math.isnan(corrected.value)
    assert math.isnan(corrected.low)
    assert "not known to be a random sample" in corrected.method
    assert "rogan_gladen" not in row.metrics
    assert math.isnan(row.metrics["labels_count_as"].value)
    with open_store(str(tmp_path / "small.db")) as store:
        (board,) = (one for one in boards(store) if one.judge == "a")
        assert any("not known to be a random sample" in note for note in board.notes)


def test_scores_are_corrected_on_the_scale_of_people(tmp_path: Path) -> None:
    row = small(tmp_path, lambda i: scored(5 + i % 3), lambda i: scored(4 + i % 2), random=True)
    assert row.metrics["corrected"].value == pytest.approx(4.5, abs=0.5)
    assert not math.isnan(row.metrics["corrected"].low)
    assert "rogan_gladen" not in row.metrics


def test_other_scales_and_few_labels_are_refused(tmp_path: Path) -> None:
    row = small(tmp_path, lambda i: scored(5), lambda i: scored(3, high=5), random=True)
    assert row.metrics["corrected"].undefined == "the judge and people score on different scales"
    (tmp_path / "few").mkdir()
    few = small(
        tmp_path / "few", lambda i: label(i % 2 == 0), lambda i: label(i % 4 == 0),
        random=True, n=30,
    )  # fmt: skip
    assert "under 20 labels" in few.metrics["corrected"].method
    assert "under 20 labels" in few.metrics["rogan_gladen"].method
    assert not math.isnan(few.metrics["rogan_gladen"].value)
    assert math.isnan(few.metrics["rogan_gladen"].low)


def test_nothing_is_shown_beyond_the_scale(tmp_path: Path) -> None:
    row = small(
        tmp_path, lambda i: label(i % 9 != 0 or i > 150), lambda i: label(i != 90), random=True,
        n=N,
    )  # fmt: skip
    judge = np.array([i % 9 != 0 or i > 150 for i in map(int, sorted(map(str, range(N))))], float)
    people = np.array(
        [np.nan if i % 3 else i != 90 for i in map(int, sorted(map(str, range(N))))], float
    )
    beyond = corrected_mean(judge, people, seed=content_seed("a", "good"))
    corrected = row.metrics["corrected"]
    assert corrected.low <= corrected.value <= corrected.high == 1.0
    assert corrected.low == pytest.approx(beyond.interval()[0])


def test_labels_that_are_not_declared_are_none(tmp_path: Path) -> None:
    row = small(
        tmp_path,
        lambda i: label(i % 2 == 0),
        lambda i: Label(name="maybe") if i < 9 else label(i % 4 == 0),
        random=True,
        n=90,
    )
    assert row.counts["labels"] == 27
    assert not math.isnan(row.metrics["corrected"].low)


def test_a_board_that_people_did_not_label_says_so(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for item in range(30):
            put(store, "a", "good", item, label(item % 2 == 0))
        (board,) = boards(store)
    assert board.notes[-1] == ("nothing to correct by: people have labelled none of these answers")


# two models ---------------------------------------------------------------------------------------


def difference(store: Store, **more: Any) -> Difference:
    (found,) = comparison(store, "good", "weak", judges=["a"], corrected=True, **more).tests
    return found


def test_two_models_are_compared_as_people_would(store: Store) -> None:
    found = difference(store)
    assert (found.metric, found.decision) == ("accuracy/corrected", "better")
    assert found.difference.units == len(LABELLED)
    order = np.argsort(np.arange(N).astype(str))
    labels = np.where(np.arange(N) % 3 == 0, truth("good") * 1.0 - truth("weak"), np.nan)
    judge = said_by("a", "good") * 1.0 - said_by("a", "weak")
    expected = corrected_mean(judge[order], labels[order], seed=content_seed("a", "accuracy"))
    assert found.difference.value == pytest.approx(expected.value)
    assert (found.difference.low, found.difference.high) == pytest.approx(expected.interval())
    assert any("estimated by itself" in note for note in found.notes)
    for wrong in ({"by": "category"}, {"metrics": ["auroc"]}):
        with pytest.raises(UsageError, match="--corrected"):
            difference(store, **wrong)


def test_labels_drawn_apart_and_unevenly_are_two_samples(tmp_path: Path) -> None:
    """Both were labelled where all were, and hardly elsewhere: those weigh what nobody knows."""
    apart = {"good": range(150, 160), "weak": range(159, 169)}
    with open_store(str(tmp_path / "s.db")) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for model in RIGHT:
            for item in range(N):
                put(store, "a", model, item, label(bool(said_by("a", model)[item])))
            for item in (*range(150), *apart[model]):
                put(store, "human/ada", model, item, label(bool(truth(model)[item])))
        ids = {model.name: model.id for model in store.models()}
        cells = [
            [str(item), ids[model], at]
            for model, its in apart.items() for at, items in enumerate((range(150), its))
            for item in items
        ]  # fmt: skip
        strata = [
            {"name": "all", "model": None, "of": 300, "drawn": 300},
            {"name": "few", "model": None, "of": 60, "drawn": 20},
        ]
        sampling = {
            "queue": "q", "benchmark": "made_up", "version": "1", "opponent": None,
            "design": "stratified", "cells": cells, "strata": strata,
        }  # fmt: skip
        store.start_run(replace(new_manifest("q", {"sampling": sampling}, data_sha={}, seed=0)))
        found = difference(store)
    of_each = found.candidate_value - found.baseline_value
    assert found.difference.value == pytest.approx(of_each)
    assert found.difference.units == 160


def policy(**test: Any) -> Policy:
    asked = {"benchmark": "made_up", "judge": "a", "max_drop": 0.1, "corrected": True, **test}
    return check(Policy, {"tests": [asked]}, "policy")


def test_a_gate_decides_as_people_would(store: Store) -> None:
    worse = gate_report(store, candidate="weak", baseline="good", policy=policy())
    assert worse.verdict == "regression"
    assert worse.tests[0].metric == "accuracy/corrected"
    better = gate_report(store, candidate="good", baseline="weak", policy=policy())
    assert better.verdict == "pass"
    few = gate_report(store, candidate="good", baseline="weak", policy=policy(min_n=100))
    assert few.verdict == "inconclusive"
    with pytest.raises(ConfigError, match="on all items together"):
        policy(metric="auroc", confidence="x")


def test_without_probabilities_two_models_are_not_compared(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        for model in RIGHT:
            for item in range(60):
                put(store, "a", model, item, label(bool(said_by("a", model)[item])))
                if item % 2 or model == "good":
                    put(store, "human/ada", model, item, label(bool(truth(model)[item])))
        found = difference(store)
        assert found.decision == "undecided"
        assert found.because is not None
        assert "not known to be a random sample" in found.because
        said = gate_report(store, candidate="weak", baseline="good", policy=policy())
    assert said.verdict == "inconclusive"


def test_comparisons_with_each_other_are_corrected(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as store:
        store.start_run(replace(new_manifest("r", {}, data_sha={}, seed=0), id="r"))
        won = np.random.default_rng(1).random(N) < 0.7
        for item in range(N):
            judged = 0.9 if won[item] or item % 5 == 0 else 0.2
            put(store, "a", "good", item, compared(judged), opponent="weak")
        for item in LABELLED:
            put(store, "human/ada", "good", item, compared(float(won[item])), "weak")
        opponent = next(model.id for model in store.models() if model.name == "weak")
        drawn(store, opponent)
        found = difference(store)
        row = row_of(boards(store), "a", "good")
    assert found.metric == "head_to_head/corrected"
    assert found.decision == "better"
    assert found.candidate_value == pytest.approx(100 * won.mean(), abs=8)
    assert row.metrics["corrected"].value == pytest.approx(100 * won.mean(), abs=8)


# panels -------------------------------------------------------------------------------------------


def test_a_panel_weighs_its_judges(store: Store) -> None:
    panel = parse_panel("dawid_skene(a,b,c)")
    found = leaderboards(store, "made_up", panels=[panel], intervals=QUICK)
    (board,) = (one for one in found if one.judge == "panel/dawid_skene(a,b,c)")
    assert any(note.startswith("by their agreement alone") for note in board.notes)
    majority = parse_panel("a,b,c")
    of_most = leaderboards(store, "made_up", panels=[majority], intervals=QUICK)
    weighed = {row.model: row.leading.value for row in board.rows}
    plain = {r.model: r.leading.value for b in of_most if b.judge == majority.name for r in b.rows}
    assert weighed.keys() == plain.keys()
    corrected = row_of(boards(store, panels=[panel]), panel.name, "good")
    assert not math.isnan(corrected.metrics["corrected"].low)


def test_two_judges_are_no_panel_that_weighs(store: Store) -> None:
    panel = parse_panel("dawid_skene(a,b)")
    found = leaderboards(store, "made_up", panels=[panel], intervals=QUICK)
    (board,) = (one for one in found if one.judge == panel.name)
    assert "who errs cannot be told without a truth under 3" in board.warnings[0]
