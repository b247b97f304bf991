"""Commands that messages suggest can be typed as they stand, whatever names are in them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from judgebench.cli.main import EPILOG, run
from judgebench.errors import UsageError
from judgebench.reports.length_calibrations import calibrate_length
from judgebench.store.opening import open_store
from tests.unit.compared import verdict
from tests.unit.exchanged import import_verdicts, rows_file

ODD = "it's; echo $HOME"


@pytest.mark.parametrize("option", ["judge", "baseline"])
def test_names_are_quoted(tmp_path: Path, option: str) -> None:
    rows = [
        verdict(
            0, "m", name if option == "judge" else "j", 1.0, benchmark="made_up",
            opponent=name if option == "baseline" else "base",
        )
        for name in ("plain", ODD)
    ]  # fmt: skip
    with open_store(str(tmp_path / "s.db")) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        with pytest.raises(UsageError) as raised:
            calibrate_length(store, "made_up")
    said = str(raised.value).split(f"--{option} ")[1]
    assert shlex.split(said) in ([ODD, "or", "plain"], ["plain", "or", ODD])


def test_the_first_commands_are_there_and_need_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [shlex.split(line) for line in EPILOG.splitlines() if line.startswith("  judgebench ")]
    root = Path(__file__).parents[2]
    for name in ("suites", "tasks"):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUDGEBENCH_STORE", raising=False)
    monkeypatch.delenv("DEMO_MODEL", raising=False)
    assert lines
    for _, *words in lines:
        assert run(words) == 0, (words, capsys.readouterr().err)
