"""What a command computed of a large store is shown again while nothing has changed."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from judgebench.reports import disk_cache
from judgebench.reports.disk_cache import Answer, kept, read, written
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Figure

DOCUMENT = Document(
    tables=[
        Table(
            title="a",
            subtitle="b",
            columns=[Column(title="x", align="right", spare=True)],
            rows=[["text"], [Figure("0.5 [0.4, 0.6]", low=0.4, value=0.5, high=0.6)]],
            notes=["n"],
        )
    ],
    records=[{"value": 0.1 + 0.2, "none": None}],
    data={"boards": []},
    exchanged=True,
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(disk_cache, "usual_folder", lambda name: tmp_path / "cache" / name)
    path = tmp_path / "s.db"
    path.write_bytes(bytes(disk_cache.KEPT_FROM))
    return path


def computed(calls: list[str]) -> Answer:
    calls.append("once")
    return Answer(["said"], DOCUMENT)


def test_an_answer_comes_back_as_it_was_with_the_numbers_of_its_cells() -> None:
    notes, document = read(written(Answer(["said"], DOCUMENT)))
    assert (notes, document) == (["said"], DOCUMENT)
    (_, (cell,)) = document.tables[0].rows
    assert isinstance(cell, Figure)
    assert (cell.low, cell.value, cell.high) == (0.4, 0.5, 0.6)


def test_the_same_question_to_the_same_state_is_answered_from_the_disk(store: Path) -> None:
    calls: list[str] = []
    answers = [kept(str(store), {"by": []}, lambda: computed(calls)) for _ in range(2)]
    assert answers == [Answer(["said"], DOCUMENT)] * 2
    assert calls == ["once"]
    kept(str(store), {"by": ["category"]}, lambda: computed(calls))
    assert calls == ["once"] * 2
    with store.open("ab") as file:
        file.write(b"more")
    kept(str(store), {"by": []}, lambda: computed(calls))
    assert calls == ["once"] * 3


@pytest.mark.parametrize("spoilt", ["", "{", "[]", json.dumps([1, 2, 3, 4, 5]), "[" * 10**5])
def test_what_is_no_answer_of_ours_is_computed_again(store: Path, spoilt: str) -> None:
    calls: list[str] = []
    kept(str(store), {}, lambda: computed(calls))
    (file,) = store.parent.rglob("*.json")
    file.write_text(spoilt)
    assert kept(str(store), {}, lambda: computed(calls)) == Answer(["said"], DOCUMENT)
    assert calls == ["once"] * 2


def test_nothing_is_kept_of_a_small_store_or_of_none(store: Path, tmp_path: Path) -> None:
    small, calls = tmp_path / "small.db", list[str]()
    small.write_bytes(b"x")
    for path in (small, tmp_path / "nowhere.db"):
        for _ in range(2):
            kept(str(path), {}, lambda: computed(calls))
    assert calls == ["once"] * 4
    assert not list(tmp_path.rglob("*.json"))


def test_what_raises_is_raised_and_not_kept(store: Path, tmp_path: Path) -> None:
    def refuse() -> Answer:
        raise ValueError("no such metric")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such metric"):
            kept(str(store), {}, refuse)
    assert not list(tmp_path.rglob("*.json"))


def test_what_was_written_to_meanwhile_is_not_kept(store: Path, tmp_path: Path) -> None:
    def slow() -> Answer:
        with store.open("ab") as file:
            file.write(b"more")
        return Answer(["said"], DOCUMENT)

    assert kept(str(store), {}, slow) == Answer(["said"], DOCUMENT)
    assert not list(tmp_path.rglob("*.json"))


def test_answers_follow_from_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {name.replace("-", "_"): version(name) for name in ("numpy", "scipy", "scikit-learn")}
    before = disk_cache._installed()
    assert {f"{name}-{its}.dist-info" for name, its in known.items()} <= {*before}
    (tmp_path / "numpy-9.9.dist-info").mkdir()
    (tmp_path / "other-9.9.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert disk_cache._installed() == sorted([*before, "numpy-9.9.dist-info"])


def test_a_metric_of_a_package_that_was_edited_is_computed_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, folder = tmp_path / "gauge-1.dist-info", tmp_path / "gauge_code"
    for made in (info, folder):
        made.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gauge\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[judgebench.metrics]\ntop = gauge_code.top:top\n")
    for name in ("__init__", "top", "shares"):
        (folder / f"{name}.py").write_text("raise RuntimeError('nobody asked for it')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    calls: list[str] = []
    for _ in range(2):
        kept(str(store), {}, lambda: computed(calls))
    assert calls == ["once"]
    (folder / "shares.py").write_text("another = 1\n")
    kept(str(store), {}, lambda: computed(calls))
    assert calls == ["once"] * 2


def test_what_leads_nowhere_beside_data_hinders_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data" / "loop")
    assert kept(str(store), {}, lambda: computed([])) == Answer(["said"], DOCUMENT)
