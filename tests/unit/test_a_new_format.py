"""What adding a format takes: one file that reads it, and one entry (CONTRIBUTING.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from judgebench import api
from judgebench.cli import import_
from judgebench.exchange.formats import FORMATS, Format, loaded
from tests.e2e.runs import typed
from tests.table import over_rows

FILE = '''
"""``import stars``: a line for each answer, with stars from 1 to 5."""

from judgebench.exchange.pipeline import files_in
from judgebench.exchange.tables import VerdictAt, checked, row_of
from judgebench.records import Score
from judgebench.rows import each_row


def read_stars(paths, *, benchmark="starred", version="1", judge="users"):
    def rows(path):
        for row in each_row(path, ("item", "model", "stars")):
            where = VerdictAt(
                benchmark=benchmark, version=version, item_id=row.text("item"),
                model=row.text("model"), judge=judge,
            )
            stars = row.number("stars")
            if not 1 <= stars <= 5:
                raise row.wrong("stars", f"1 to 5, not {stars:g}")
            yield row_of(row, where, Score(value=stars, low=1.0, high=5.0))

    read = [(path, list(rows(path))) for path in files_in(paths, (".jsonl",))]
    return checked("stars", read, None)
'''
ENTRY = Format(
    read="stars:read_stars",
    options=("benchmark", "judge"),
    help=("<shop>.jsonl: item, model, stars",),
)


@pytest.fixture(autouse=True)
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The diff: the file, and its entry."""
    (tmp_path / "stars.py").write_text(FILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(FORMATS, "stars", ENTRY)  # type: ignore[arg-type]  # read by all as it is
    choice = import_.command.params[0].type
    monkeypatch.setattr(choice, "choices", tuple(FORMATS))


def written(path: Path, *stars: float) -> Path:
    rows = [{"item": f"{n}", "model": "m", "stars": value} for n, value in enumerate(stars)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_it_is_imported_once_from_files_and_folders(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    written(tmp_path / "shop.jsonl", 5, 1)
    for new in (2, 0):
        done = typed("import", "stars", tmp_path, "--judge", "buyers", "--store", url)
        assert (done.code, f"2 verdicts, {new} new" in done.err) == (0, True), done.err
    table = api.verdicts("starred", store=url)
    assert list(table["value"]) == [5.0, 1.0]
    assert set(table["judge"]) == {"buyers"}


def test_a_wrong_row_is_named_before_anything_is_stored(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    done = typed("import", "stars", written(tmp_path / "a.jsonl", 5, 6), "--store", url)
    assert (done.code, "a.jsonl:2: stars: 1 to 5, not 6" in done.err) == (65, True)
    assert not (tmp_path / "s.db").exists()


def test_options_without_a_use_are_refused_and_errors_say_it_goes_with_it(tmp_path: Path) -> None:
    done = typed("import", "stars", tmp_path, "--baseline", "b")
    assert (done.code, "--baseline goes with `import alpaca-eval|arena-hard`" in done.err) == (
        64,
        True,
    )
    done = typed("import", "mt-bench", tmp_path, "--judge", "b")
    assert (done.code, "|stars`" in done.err) == (64, True)


@over_rows("name", list(FORMATS))
def test_every_entry_names_what_is_there_and_says_what_it_reads(name: str) -> None:
    entry = FORMATS[name]
    assert callable(loaded(entry.read))
    assert entry.help and entry.rows
    assert not entry.fields or "model" in loaded(entry.fields)
    assert f"\n    {name:<13}{entry.help[0]}" in str(import_.command.help)
