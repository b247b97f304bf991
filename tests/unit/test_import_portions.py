"""Imports that take several commits: who gets between, and what is left of one that was cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError, at_once
from judgebench.exchange import evaluations, pipeline
from judgebench.exchange.lm_eval import read_lm_eval
from judgebench.exchange.pipeline import ImportReport
from judgebench.exchange.tables import import_labels, read_response_files, read_verdict_files
from judgebench.execution.manifest import end_dead_runs
from judgebench.protocols import NoProgress
from judgebench.records import ChatRequest, Item, Message, Reply
from judgebench.store import database
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.evaluated import lm_eval_line, lm_eval_results, lm_eval_run
from tests.unit.exchanged import import_verdicts, label, rows_file

ROWS = 23
PORTION = 5

Import = Callable[..., ImportReport]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PORTION", PORTION)
    monkeypatch.setattr(database, "CHUNK", PORTION)
    monkeypatch.setattr(evaluations, "PORTION", PORTION)
    monkeypatch.setattr(pipeline, "_pause", lambda _: None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "x.db")) as opened:
        yield opened


def verdicts(folder: Path) -> Import:
    rows = [label(n, "model", "judge", "correct" if n % 2 else "incorrect") for n in range(ROWS)]
    file = rows_file(folder / "verdicts.jsonl", rows)
    return read_verdict_files([file])[0].take_in


def labels(folder: Path) -> Import:
    rows = [label(n, "model", "human/anna", "correct") for n in range(ROWS)]
    file = rows_file(folder / "labels.jsonl", rows)
    return lambda store: import_labels(store, file)


def responses(folder: Path) -> Import:
    rows = [
        {"benchmark": "made_up", "item_id": f"{n}", "model": "model", "text": f"answer {n}"}
        for n in range(ROWS)
    ]
    file = rows_file(folder / "answers.jsonl", rows)
    return read_response_files([file])[0].take_in


def lm_eval(folder: Path) -> Import:
    lm_eval_run(folder / "out", map(lm_eval_line, range(ROWS)), lm_eval_results(ROWS))

    [read] = read_lm_eval([folder / "out"], known_items=lambda *_: None)
    return read.take_in


KINDS = [verdicts, labels, responses, lm_eval]


DIFFERENT = {"run_id", "at"}
"""Columns that say when something came, and with what."""


def held(store: Store) -> dict[str, Any]:
    """All that a store has to say, but for when it came."""
    tables = ("verdicts", "responses")
    found: dict[str, Any] = {}
    for name, version in store.benchmarks():
        columns = store.verdicts(name, version), store.responses_table(name, version)
        for table, its in zip(tables, columns, strict=True):
            kept = {at: list(its[at]) for at in its if at not in DIFFERENT}
            found[f"{table} {name}@{version}"] = kept
        found[f"items {name}@{version}"] = [item.id for item in store.items(name, version)]
    return found


def whole(folder: Path, take: Import) -> dict[str, Any]:
    """What a store holds after an import that nobody cut, in one commit."""
    with pytest.MonkeyPatch.context() as patch, open_store(str(folder / "whole.db")) as store:
        patch.setattr(pipeline, "PORTION", 1_000_000)
        report = take(store)
        [run] = store.runs()
        assert run.id == report.run_id
        return held(store) | {"counts": dict(run.counts)}


def cut_at(monkeypatch: pytest.MonkeyPatch, portion: int, error: BaseException) -> None:
    """The pause before that commit never ends well."""
    pauses = [0]

    def pause(_: float) -> None:
        pauses[0] += 1
        if pauses[0] == portion:
            raise error

    monkeypatch.setattr(pipeline, "_pause", pause)


@pytest.mark.parametrize("kind", [verdicts, lm_eval])
def test_who_waits_gets_between_two_portions(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path], Import]
) -> None:
    take = kind(tmp_path)
    expected = whole(tmp_path, take)
    rows, states = [0], []

    def write(_: float) -> None:
        rows[0] += 1
        with open_store(str(store.path)) as other, at_once():
            key = rows[0].to_bytes(32)
            other.put_reply(key, ChatRequest(provider="p", model="m", messages=()), Reply(text="r"))
            states.append(other.runs()[-1].state)

    monkeypatch.setattr(pipeline, "_pause", write)
    take(store)
    assert rows[0] >= ROWS // PORTION - 1
    assert set(states) == {"running"}
    [run] = store.runs()
    assert (run.state, run.progress) == ("done", {})
    assert held(store) | {"counts": dict(run.counts)} == expected


@pytest.mark.parametrize(
    ("kind", "how"),
    [*((kind, "interrupted") for kind in KINDS), (verdicts, "killed")],
)
def test_an_import_that_was_cut_says_so_and_is_completed_by_the_same_again(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[Path], Import],
    how: str,
) -> None:
    take = kind(tmp_path)
    expected = whole(tmp_path, take)
    # Twice, and after some of the verdicts or answers; items come first where they are put apart.
    for portion in (2 if kind is lm_eval else 7, 1):
        cut_at(monkeypatch, portion, KeyboardInterrupt() if how == "interrupted" else SystemExit())
        with pytest.raises((KeyboardInterrupt, SystemExit)) as cut:
            take(store)
        if how == "killed":  # who was killed told nobody; the next run tells of it
            assert store.runs()[-1].state == "running"
            end_dead_runs(store)
        else:
            assert "import the same again, which stores the rest" in str(cut.value)
        [run] = store.runs()
        assert (run.state, run.counts) == ("interrupted", {})
        some = held(store)
        assert some != expected
        assert any(len(rows["model"]) for at, rows in some.items() if "items" not in at)
    monkeypatch.setattr(pipeline, "_pause", lambda _: None)
    report = take(store)
    [run] = store.runs()
    assert (run.id, run.state) == (report.run_id, "done")
    assert held(store) | {"counts": dict(run.counts)} == expected
    assert take(store).new == 0
    assert len(store.runs()) == 1


def test_one_that_was_cut_after_its_last_row_is_ended_by_the_same_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = verdicts(tmp_path)
    expected = whole(tmp_path, take)
    before, told = Store.update_run, []

    def update(self: Store, manifest: Any) -> None:
        told.append(manifest.state)
        if manifest.state == "done":
            raise SystemExit
        before(self, manifest)

    monkeypatch.setattr(Store, "update_run", update)
    with pytest.raises(SystemExit):
        take(store)
    assert told[-1] == "done"
    monkeypatch.setattr(Store, "update_run", before)
    assert take(store).new == 0
    [run] = store.runs()
    assert run.state == "done"
    assert held(store) | {"counts": dict(run.counts)} == expected


def test_labels_that_change_earlier_ones_are_completed_as_well(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = [label(n, "model", "human/anna", "incorrect") for n in range(ROWS)]
    import_labels(store, rows_file(tmp_path / "earlier.jsonl", earlier))
    take = labels(tmp_path)
    cut_at(monkeypatch, 7, SystemExit())
    with pytest.raises(SystemExit):
        take(store)
    assert set(store.verdicts("made_up")["label"]) == {"correct", "incorrect"}
    monkeypatch.setattr(pipeline, "_pause", lambda _: None)
    assert 0 < take(store).changed < ROWS
    assert set(store.verdicts("made_up")["label"]) == {"correct"}


def test_another_file_does_not_complete_one_that_was_cut(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = verdicts(tmp_path)
    cut_at(monkeypatch, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        take(store)
    monkeypatch.setattr(pipeline, "_pause", lambda _: None)
    other = rows_file(tmp_path / "other.jsonl", [label(0, "model", "another", "correct")])
    import_verdicts(store, other)
    assert [run.state for run in store.runs()] == ["interrupted", "done"]


def test_what_is_wrong_with_the_last_row_is_found_before_the_first_is_written(
    store: Store, tmp_path: Path
) -> None:
    rows = [label(n, "model", "judge", "correct") for n in range(ROWS)]
    rows[-1]["value"] = ""
    with pytest.raises(InputError, match=f":{ROWS}: value"):
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
    assert (store.runs(), store.benchmarks()) == ([], [])


def test_an_item_that_is_another_one_in_the_store_is_found_before_anything_is_written(
    store: Store, tmp_path: Path
) -> None:
    last = f"{ROWS - 1}"
    other = Item(
        benchmark="made_up", version="2", id=last, turns=(Message(role="user", content="Another?"),)
    )
    store.put_items([other])
    take = lm_eval(tmp_path)
    with pytest.raises(InputError, match=f"item '{last}' of made_up@2 differs.*--benchmark"):
        take(store)
    assert store.runs() == []
    assert [item.id for item in store.items("made_up", "2")] == [last]


def test_two_questions_under_one_id_in_a_log_are_found_before_anything_is_written(
    store: Store, tmp_path: Path
) -> None:
    """They are further apart than what is looked at together."""
    lines = [lm_eval_line(n) for n in range(ROWS)]
    lines[-1]["doc_id"] = 0
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(ROWS))
    with pytest.raises(InputError):
        [taking] = read_lm_eval([tmp_path / "out"], known_items=lambda *_: None)
        taking.take_in(store)
    assert (store.runs(), store.benchmarks()) == ([], [])


def test_checking_items_agrees_with_putting_them(store: Store) -> None:
    def item(number: int, text: str | None) -> Item:
        turns = () if text is None else (Message(role="user", content=text),)
        return Item(benchmark="b", version="1", id=f"{number}", turns=turns)

    store.put_items([item(1, "one"), item(2, None)])
    for items in (
        [item(1, "one")],
        [item(1, None)],
        [item(2, "two")],
        [item(2, "two"), item(2, None), item(2, "two")],
        [item(3, "three"), item(3, "three")],
    ):
        store.check_items(items)
    for items in (
        [item(1, "another")],
        [item(4, "x"), *(item(n, "y") for n in range(100, 110)), item(4, "y")],
    ):
        with pytest.raises(InputError, match="differs"):
            store.check_items(items)
        with pytest.raises(InputError, match="differs"):
            store.put_items(items)
    assert json.dumps([one.id for one in store.items("b", "1")]) == '["1", "2"]'


@pytest.mark.parametrize("kind", [verdicts, responses, lm_eval])
def test_how_far_an_import_is_can_be_seen(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path], Import]
) -> None:
    """By who asked for it, and in the store by everybody else."""
    seen: list[tuple[int, int]] = []

    def look(_: float) -> None:
        progress = store.runs()[-1].progress
        seen.append((progress["done"], progress["total"]))

    monkeypatch.setattr(pipeline, "_pause", look)
    told: list[Any] = []

    class Told(NoProgress):
        def stage(self, name: str, total: int | None) -> None:
            told.append(total)

        def advance(self, n: int = 1, **_: Any) -> None:
            told.append(n)

    report = kind(tmp_path)(store, progress=Told())
    assert report.new
    total = told[0]
    assert sum(told[1:]) == total >= ROWS
    assert len(told) > 3
    assert seen == sorted(seen)
    assert {all_of_it for _, all_of_it in seen} == {total}
    assert 0 < seen[0][0] < seen[-1][0] < total
