"""Nothing that users can type, set, click or read goes without a line in the changelog."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from perf import inventory
from tests.table import over_rows


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of a first release with three lines, and a changelog that says something."""
    monkeypatch.setattr(inventory, "ROOT", tmp_path)
    for name in ("FIRST", "GONE", "CHANGELOG"):
        monkeypatch.setattr(inventory, name, tmp_path / name)
    (tmp_path / "FIRST").write_text(
        "command\tjudgebench run | Run it.\n"
        "error\tthe file {} is not there\n"
        "option\tjudgebench run --quiet | Say less.\n"
    )
    (tmp_path / "CHANGELOG").write_text("- Errors name\n  the line.\n- `run` has no --quiet.\n")
    return tmp_path


TODAY = [
    "command\tjudgebench run | Carry it out.",
    "error\tthe file {} is not there: {}",
    "option\tjudgebench run --loud",
]


@pytest.mark.timeout(120)
def test_whatever_is_gone_is_in_the_changelog() -> None:
    wrong = inventory.complaints(inventory.inventory())
    assert not wrong, "\n".join(wrong)


def test_what_is_gone_is_named_with_what_to_do_and_what_it_may_be_now(kept: Path) -> None:
    told, *lines = inventory.complaints(TODAY)
    assert "2 lines of FIRST are gone" in told
    assert "--gone" in told
    assert lines == [
        "  error\tthe file {} is not there\n      reworded? the file {} is not there: {}",
        "  option\tjudgebench run --quiet\n      reworded? judgebench run --loud",
    ]


def test_one_sentence_of_the_changelog_stands_for_many_lines(kept: Path) -> None:
    (kept / "GONE").write_text(
        "error\tthe file {} is not there\tErrors name the line.\n"
        "option\tjudgebench run --quiet\t`run` has no --quiet.\n"
    )
    assert inventory.complaints(TODAY) == []


def test_a_sentence_that_the_changelog_does_not_have_is_refused(kept: Path) -> None:
    (kept / "GONE").write_text(
        "error\tthe file {} is not there\tErrors are better.\noption\tjudgebench run --quiet\t\n"
    )
    first, second = inventory.complaints(TODAY)
    assert first.startswith("CHANGELOG.md does not say 'Errors are better.'")
    assert second.startswith("CHANGELOG.md does not say ''")


def test_what_came_back_is_not_gone(kept: Path) -> None:
    (kept / "GONE").write_text("command\tjudgebench run\tErrors name the line.\n")
    assert any("not gone any more" in line for line in inventory.complaints(TODAY))


@over_rows(
    ("written", "text"),
    [
        ("'a b'", "a b"),
        ("f'a {b} c'", "a {} c"),
        ("'a ' + b + 'c'", "a {}c"),
        ("f'a {b}' if c else 'd'", "a {} / d"),
        ("'{x} of {y}'.format(x=1, y=2)", "{} of {}"),
        ("unknown_name('judge', name, known)", "no judge called {}; did you mean {}?"),
        ("str(error)", "{}"),
    ],
)
def test_the_words_of_an_error(written: str, text: str) -> None:
    expression = ast.parse(written, mode="eval").body
    assert inventory.text_of(expression) == text
