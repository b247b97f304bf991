"""What pages ask: answered alike beside the server and in it, and from the store as it is."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench import explore
from judgebench.metrics.judge_pair import judge_pair
from judgebench.reports.confidence import confidence_report, labelling
from judgebench.reports.judge_pairs import judged_values
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import agreement_stores, compare_stores, honesty_stores, stores
from tests.dashboards.conftest import DASHBOARDS, until

AT = (stores.BENCHMARK, stores.VERSION)
BOTH = "@".join(AT)
ALL = ("human/a", "human/b", "lenient", "strict")

ASKED = [
    ("labels", ("judgebench.explore.matrices", *AT)),
    ("labels", ("judgebench.explore.against", *AT, "human/a", "label")),
    ("labels", ("judgebench.explore.two", *AT, "label", "lenient", "human")),
    ("labels", ("judgebench.explore.differing", *AT, "label", "lenient", "human")),
    ("labels", ("judgebench.explore.differing", *AT, "label", *ALL)),
    ("scores", ("judgebench.explore.two", *AT, "score", "mild", "human/a")),
    ("scores", ("judgebench.explore.differing", *AT, "score", "mild", "human/a")),
    ("kinds", ("judgebench.explore.two", *AT, "preference", "gpt", "claude")),
    ("kinds", ("judgebench.explore.differing", *AT, "preference", "gpt", "claude")),
    ("sure", ("judgebench.reports.confidence.labelling", BOTH)),
    ("sure", ("judgebench.reports.confidence.with_confidences",)),
    ("sure", ("judgebench.explore.verdicts_used",)),
    ("sure", ("judgebench.explore.met",)),
    ("kinds", ("judgebench.explore.met",)),
    ("samples", ("judgebench.explore.scorers", *AT)),
    ("samples", ("judgebench.explore.best_of", *AT, "grader", None, "reward")),
]  # fmt: skip


def question_of(parts: Any, name: str, *its: str) -> Any:
    module, _, function = name.rpartition(".")
    return parts.worker.Question(getattr(importlib.import_module(module), function), its)


def plain(answer: Any) -> Any:
    """Without classes, so that nan is what it is."""
    if isinstance(answer, tuple):
        return [plain(one) for one in answer]
    return asdict(answer) if is_dataclass(answer) and not isinstance(answer, type) else answer


def answer(parts: Any, url: str, question: Any, mark: str = "mark") -> Any:
    return parts.answers.desk().answer(parts.answers.State(url, mark), question)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("questions")
    return {
        "labels": agreement_stores.fill(folder / "labels.db", n_items=30),
        "scores": agreement_stores.fill_scores(folder / "scores.db", n_items=12),
        "kinds": stores.fill_kinds(folder / "kinds.db", n_items=12),
        "samples": stores.fill_samples(folder / "samples.db"),
        "sure": honesty_stores.fill(folder / "sure.db"),
    }


@pytest.fixture
def correct(urls: dict[str, str]) -> str:
    with open_store(urls["sure"], read_only=True) as store:
        return labelling(store, BOTH)["correct"]


@pytest.mark.parametrize("number", range(len(ASKED)))
def test_what_is_computed_beside_is_what_is_computed_here(
    parts: Any, desk: Any, urls: dict[str, str], number: int
) -> None:
    name, asked = ASKED[number]
    question = question_of(parts, *asked)
    beside = answer(parts, urls[name], question)
    assert desk.workers.front.process is not None
    with open_store(urls[name], read_only=True) as store:
        np.testing.assert_equal(plain(question.of(store)), plain(beside))
    assert beside


def test_arrays_come_back_as_what_they_were(parts: Any, urls: dict[str, str], correct: str) -> None:
    asked = {"correct": correct, "models": ["knows-itself"]}
    with open_store(urls["sure"], read_only=True) as store:
        asking = parts.worker.Question(confidence_report, (BOTH,), asked | {"curves": True})
        report = asking.of(store)
    found = parts.worker.read(parts.worker.written(report))
    np.testing.assert_equal(asdict(found), asdict(report))
    bins = found.rows[0].bins
    assert (bins.n.dtype, bins.confidence.dtype) == (np.int64, np.float64)
    assert any(np.isnan(row.bins.accuracy).any() for row in found.rows)
    assert any(row.curve is not None for row in found.rows)


def test_judges_beside_judges_are_reports(urls: dict[str, str]) -> None:
    with open_store(urls["labels"], read_only=True) as store:
        (matrix,) = explore.matrices(store, *AT)
        two = explore.two(store, *AT, "label", "lenient", "human")
        disputes = explore.differing(store, *AT, "label", "lenient", "human")
    cells = matrix.to_frame()
    assert {*cells["judge"], *cells["reference"]} == {*matrix.judges}
    (kappa,) = {
        row.metrics["cohen_kappa"].value
        for row in matrix.rows
        if {row.judge, row.reference} == {"lenient", "human/a"}
    }
    both = cells[cells["metric"] == "cohen_kappa"].set_index(["judge", "reference"])["value"]
    assert kappa in [both.get(("lenient", "human/a")), both.get(("human/a", "lenient"))]
    assert two.to_frame()["value"].tolist() == [row.estimate.value for row in two.leniency]
    assert two.to_dict()["cells"][0]["count"] == two.cells[0].count
    confusion, leniency = two.tables()
    assert len(confusion.rows) == len(two.cells)
    assert [row[0] for row in leniency.rows] == [row.name for row in two.leniency]
    assert disputes.to_frame()["item"].tolist() == [one.item for one in disputes.items]
    (table,) = disputes.tables()
    assert [one.title for one in table.columns] == ["item", "differ", *disputes.columns]
    assert list(table.rows[0][2:]) == list(disputes.items[0].said)


@pytest.mark.parametrize("large", [True, False])
def test_who_met_whom_and_how_many_verdicts_there_are(
    parts: Any, desk: Any, urls: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, large: bool,
) -> None:  # fmt: skip
    import streamlit as st

    url = compare_stores.fill(tmp_path / "s.db")
    honesty_stores.fill(tmp_path / "s.db", run_id="second")
    monkeypatch.setattr(parts.answers, "LARGE", 0 if large else 2**40)
    st.cache_data.clear()
    st.cache_resource.clear()
    with open_store(url, read_only=True) as store:
        state = parts.answers.State(url, "mark")
        known, expected = state.soon(explore.met).all, store.boards_met()
        used = state.soon(explore.verdicts_used)
        assert {(name, version): its for name, version, its in used} == store.verdicts_used()
    for one, other in zip(known, expected, strict=True):
        assert (one.benchmark, one.version) == (other.benchmark, other.version)
        for name in ("judge", "model", "opponent"):
            ours, theirs = getattr(one, name), getattr(other, name)
            assert (ours is None) == (theirs is None)
            assert ours is None or (ours.id, ours.name) == (theirs.id, theirs.name)
    assert any(one.opponent for one in known)
    assert desk.workers.front.process is None
    assert desk.disk.folder.exists() == large


def test_what_is_soon_found_waits_for_nobody_and_is_kept(
    parts: Any, desk: Any, urls: dict[str, str], slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    waiting = question_of(parts, "waiting.until", str(slow), "word")
    long = threading.Thread(target=answer, args=(parts, urls["labels"], waiting))
    long.start()
    until(Path(f"{slow}.begun").exists)
    state = parts.answers.State(urls["labels"], "soon")
    found = state.soon(explore.verdicts_used)
    assert found
    assert long.is_alive()
    slow.touch()
    long.join(timeout=30)
    asked = [one.name for one in desk.lately(urls["labels"])]
    assert any("verdicts_used" in one for one in asked), "another state is made ready beside"
    monkeypatch.setattr(parts.answers, "opened", None)
    assert answer(parts, urls["labels"], question_of(parts, *VERDICTS_USED), "soon") == found


VERDICTS_USED = ("judgebench.explore.verdicts_used",)


# verdicts that are read once --------------------------------------------------------------------


def test_verdicts_are_read_once_until_the_store_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    read = []
    board_verdicts = Store.board_verdicts

    def noted(self: Store, *place: str) -> Any:
        read.append(place)
        return board_verdicts(self, *place)

    said = {"one": stores.labels("+-+-+-"), "two": stores.labels("++--+-")}
    url = stores.fill_with(tmp_path / "s.db", {"m": said})
    monkeypatch.setattr(Store, "board_verdicts", noted)
    for number in (1, 2):
        with open_store(url, read_only=True) as store:
            explore.matrices(store, *AT)
            explore.against(store, *AT, "two", "label")
            found = explore.two(store, *AT, "label", "one", "two")
            differ = explore.differing(store, *AT, "label", "one", "two")
        assert read == [AT] * number
        assert sum(cell.count for cell in found.cells) == 6 * number
        assert [one.differ for one in differ.items[:2]] == [f"{number} of {number}"] * 2
        stores.fill_with(tmp_path / "s.db", {"n": said}, run_id=f"more {number}")


def test_a_pair_is_of_the_store_as_it_is(parts: Any, desk: Any, tmp_path: Path) -> None:
    """The process has read its verdicts before."""
    said = {"one": stores.labels("+-+-+-"), "two": stores.labels("++--+-")}
    question = question_of(parts, "judgebench.explore.two", *AT, "label", "one", "two")
    url = stores.fill_with(tmp_path / "s.db", {"m": said})
    first = answer(parts, url, question, parts.open_store.mark_of(url))
    process = desk.workers.front.process
    more = {"one": stores.labels("++++++"), "two": stores.labels("------")}
    stores.fill_with(tmp_path / "s.db", {"n": more}, run_id="second")
    second = answer(parts, url, question, parts.open_store.mark_of(url))
    assert desk.workers.front.process is process
    with open_store(url, read_only=True) as store:
        expected = judge_pair(judged_values(store, *AT, "label").values, "one", "two")
    named = {one.model or "all models": asdict(one.estimate) for one in expected.leniency}
    np.testing.assert_equal({one.name: asdict(one.estimate) for one in second.leniency}, named)
    assert len(second.leniency) == len(first.leniency) + 1


# what a name has to say -------------------------------------------------------------------------

_OPENED = """
import importlib, json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
sys.path.insert(0, sys.argv[1])
from judgebench.store.opening import open_store
asked = []
for name, *its in json.loads(sys.argv[3]):
    module, _, function = name.rpartition(".")
    named = its.pop() if its and isinstance(its[-1], dict) else {}
    asked.append((getattr(importlib.import_module(module), function), its, named))
opened.clear()
with open_store(sys.argv[2], read_only=True) as store:
    for function, its, named in asked:
        function(store, *its, **named)
print("\\n".join(opened))
"""


def not_named(parts: Any, url: str, questions: Sequence[Sequence[Any]]) -> list[Path]:
    """What is opened for an answer and is neither the store, nor code, nor looked at by a name."""
    done = subprocess.run(
        [sys.executable, "-c", _OPENED, str(DASHBOARDS), url, json.dumps(questions)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    opened = {Path(line).resolve() for line in done.stdout.splitlines() if line.startswith("/")}
    code = tuple(Path(place).resolve() for place in (sys.prefix, sys.base_prefix))
    known = tuple(parts.disk_cache.registry.benchmark_folders().values())
    package = DASHBOARDS.parent / "judgebench"
    seen = [file for file in opened if any(file.is_relative_to(folder) for folder in known)]
    assert seen, "no description was read: this test sees nothing"
    return [
        file
        for file in opened - set(seen)
        if not (
            file.name.startswith(Path(url).name)
            or any(file.is_relative_to(place) for place in code)
            or (file.is_relative_to(package) and file.suffix in (".py", ".pyc"))
            or file.is_relative_to("/proc")
        )
    ]


@pytest.mark.usefixtures("forked")
def test_boards_read_nothing_that_is_not_in_the_name(
    parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    path = tmp_path / "s.db"
    published = [
        ("alpaca_eval", "v2"),
        ("trivia_judging_mini", "v1"),
        ("mixeval_hard", "2024-06-01"),
    ]
    for number, (benchmark, version) in enumerate(published):
        monkeypatch.setattr(stores, "BENCHMARK", benchmark)
        monkeypatch.setattr(stores, "VERSION", version)
        said = {"m": {"gpt": stores.labels("+-+-")}, "n": {"gpt": stores.labels("++--")}}
        stores.fill_with(path, said, run_id=f"run {number}")
    boards = [("judgebench.explore.boards", *one) for one in published]
    assert not_named(parts, f"sqlite:///{path}", boards) == []


@pytest.mark.usefixtures("forked")
def test_other_questions_read_nothing_that_is_not_in_the_name(
    parts: Any, urls: dict[str, str], correct: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    by = {"correct": correct}
    for name in ("labels", "sure"):
        its: list[Sequence[Any]] = [question for url, question in ASKED if url == name]
        if name == "sure":
            its.append((f"{confidence_report.__module__}.confidence_report", BOTH, by))
        assert not_named(parts, urls[name], its) == []
