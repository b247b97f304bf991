"""Bundles of leaderboards: every cell follows from the verdicts, or is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from judgebench.errors import InputError
from judgebench.reports.bundle import _apart, verify_bundle, write_bundle
from judgebench.reports.leaderboard import BoardRequest
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.table import over_rows
from tests.unit.exchanged import coded, import_responses, import_verdicts, rows_file

OTHER = "a-text-of-another-benchmark"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 's.db'}"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    rows = [*coded("a", "J", "++-+-?"), *coded("b", "J", "+-----"), *coded("a", "K", "++++++")]
    others = [{**row, "benchmark": "other"} for row in coded("c", "L", "+-")]
    answers = [
        {"benchmark": name, "item_id": f"{i}", "model": model, "text": text}
        for name, model, text in (("made_up", "a", "short"), ("other", "c", OTHER))
        for i in range(2)
    ]
    with open_store(url) as opened:
        import_verdicts(opened, rows_file(tmp_path / "v.jsonl", [*rows, *others]))
        import_responses(opened, rows_file(tmp_path / "r.jsonl", answers))
        yield opened


@pytest.fixture
def bundle(store: Store, url: str, tmp_path: Path) -> Path:
    path = tmp_path / "board.zip"
    write_bundle(path, store, url, BoardRequest(benchmarks=("made_up",)))
    return path


def changed(bundle: Path, member: str, change: Callable[[Path], None], folder: Path) -> Path:
    """A copy of a bundle with one member changed."""
    inside, found = folder / "inside", folder / "changed.zip"
    with zipfile.ZipFile(bundle) as source:
        source.extractall(inside)
    change(inside / member)
    with zipfile.ZipFile(found, "w") as target:
        for file in sorted(inside.iterdir()):
            target.write(file, file.name)
    shutil.rmtree(inside)
    return found


def sql(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as part:
            assert part.execute(statement).rowcount == 1
            part.commit()

    return change


def test_every_cell_follows(bundle: Path) -> None:
    found = verify_bundle(bundle)
    assert found.differs is None
    assert found.cells > 50
    assert found.to_dict() == {"cells": found.cells, "differs": None, "version": found.version}
    assert found.to_frame()["cells"].tolist() == [found.cells]
    assert list(found.tables()[0].rows[0][:2]) == [f"{found.cells:,}", "none"]


def test_the_same_store_gives_the_same_bundle(
    bundle: Path, store: Store, url: str, tmp_path: Path
) -> None:
    again = tmp_path / "again.zip"
    write_bundle(again, store, url, BoardRequest(benchmarks=("made_up",)))
    assert again.read_bytes() == bundle.read_bytes()


def test_one_verdict_that_was_changed_is_named_by_its_cell(bundle: Path, tmp_path: Path) -> None:
    turned = sql(
        "UPDATE judgments SET label_id = (SELECT id FROM names WHERE name = 'correct') WHERE id = "
        "(SELECT judgment_id FROM uses u JOIN items i ON i.id = u.item_id JOIN judge_names j ON "
        "j.judge_id = u.judge_id JOIN model_names m ON m.model_id = u.model_id WHERE "
        "i.item_id = '4' AND j.name = 'J' AND m.name = 'a')"
    )
    found = verify_bundle(changed(bundle, "store.db", turned, tmp_path))
    assert found.differs is not None
    assert "made_up@unversioned, judged by J: rows: a: metrics: accuracy: value:" in found.differs
    assert "0.6 does not follow from its verdicts, which give 0.8" in found.differs


def test_one_cell_that_was_changed_is_named(bundle: Path, tmp_path: Path) -> None:
    def better(path: Path) -> None:
        data = json.loads(path.read_text())
        row = next(r for b in data["boards"] for r in b["rows"] if r["model"] == "b")
        row["metrics"]["accuracy"]["high"] = 0.9
        path.write_text(json.dumps(data))

    found = verify_bundle(changed(bundle, "boards.json", better, tmp_path))
    assert found.differs is not None
    assert "judged by J: rows: b: metrics: accuracy: high: 0.9 does not follow" in found.differs


def test_a_row_that_was_left_out_is_missed(bundle: Path, tmp_path: Path) -> None:
    def shorter(path: Path) -> None:
        data = json.loads(path.read_text())
        board = next(b for b in data["boards"] if b["judge"] == "J")
        board["rows"] = board["rows"][:1]
        path.write_text(json.dumps(data))

    found = verify_bundle(changed(bundle, "boards.json", shorter, tmp_path))
    assert "judged by J: rows: 1 are there, and the verdicts give 2" in str(found.differs)


def test_nothing_of_other_benchmarks_goes_along(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as source:
        source.extract("store.db", tmp_path / "inside")
    raw = (tmp_path / "inside" / "store.db").read_bytes()
    assert OTHER.encode() not in raw
    with open_store(str(tmp_path / "inside" / "store.db"), read_only=True) as part:
        assert part.benchmarks() == [("made_up", "unversioned")]
        assert {model.name for model in part.models()} == {"a", "b"}
        assert {judge.name for judge in part.judges()} == {"J", "K"}


def test_what_was_asked_for_is_asked_again(store: Store, url: str, tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    asked = BoardRequest(benchmarks=("made_up",), judges=("J",), models=("b",), level=0.8)
    write_bundle(path, store, url, asked)
    assert verify_bundle(path).differs is None
    with zipfile.ZipFile(path) as bundle:
        (board,) = json.loads(bundle.read("boards.json"))["boards"]
    assert [row["model"] for row in board["rows"]] == ["b"]
    assert board["rows"][0]["metrics"]["accuracy"]["level"] == 0.8


@over_rows(
    ("members", "said"),
    [
        ({}, "no bundle of leaderboards; it has no request.json"),
        ({"request.json": "{"}, "request.json: no JSON"),
        ({"request.json": "{}", "boards.json": "{}"}, "it has no store.db"),
        (
            {"request.json": '{"request": {"benchmark": 1}}', "boards.json": "{}", "store.db": ""},
            "request.json: no request of boards",
        ),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, members: dict[str, str], said: str) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name, text in members.items():
            target.writestr(name, text)
    with pytest.raises(InputError, match=said):
        verify_bundle(path)


def test_other_files_are_refused_and_a_broken_store_is_no_proof(
    bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.zip").write_bytes(b"no zip")
    for name, said in (("text.zip", "cannot be read as a bundle"), ("absent.zip", "no such file")):
        with pytest.raises(InputError, match=said):
            verify_bundle(tmp_path / name)
    broken = changed(bundle, "store.db", lambda p: p.write_bytes(b"nothing") or None, tmp_path)
    assert "the boards cannot be made of its verdicts" in str(verify_bundle(broken).differs)


def test_by_the_command_line(store: Store, url: str, tmp_path: Path) -> None:
    path = tmp_path / "board.zip"
    done = typed("leaderboard", "made_up", "--bundle", path, "--store", url)
    assert done.code == 0, done.err
    done = typed("verify", path)
    assert (done.code, done.out) == (0, "")
    assert "values follow from its verdicts" in done.err
    done = typed("verify", changed(path, "boards.json", _worse, tmp_path))
    assert done.code == 65
    assert "does not follow from its verdicts" in done.err


def _worse(path: Path) -> None:
    path.write_text(path.read_text().replace('"n": 6', '"n": 7'))


@over_rows("panels", [[5], "abc", {"a": 1}])
def test_a_request_of_another_make_is_no_request(panels: object) -> None:
    with pytest.raises(ValueError, match="panels"):
        BoardRequest.from_json({"benchmarks": ["made_up"], "panels": panels})


def test_a_fault_of_ours_is_not_told_as_one_of_the_bundle(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("judgebench.reports.bundle._boards", faulty)
    with pytest.raises(KeyError, match="ours"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("metric", "found", "follows"),
    [
        ("length_controlled_win_rate", 31.644894316, True),  # what another processor gives
        ("length_controlled_win_rate", 31.646, False),
        ("win_rate", 31.644894316, False),
    ],
)
def test_a_fit_may_end_a_little_elsewhere_on_another_processor(
    metric: str, found: float, follows: bool
) -> None:
    claimed, given = ({"metrics": {metric: {"high": end}}} for end in (31.644893744, found))
    assert ([*_apart(claimed, given, "")] == [None]) == follows
