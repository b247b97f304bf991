"""Files of a published calibration in the data home: known by their hash, whole or absent."""

import hashlib
import shutil
from pathlib import Path

import pytest

from judgebench import registry
from judgebench.benchmarks.data import calibration, import_data, official_prompts
from judgebench.benchmarks.description import Description, find, read
from judgebench.errors import InputError

FILES = {"df_gamed.csv": b"preference,index\n0.5,0\n", "instruction_difficulty.csv": b",d\n0,1.5\n"}


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with alpaca_eval, its calibration pinned to the files above."""
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    folder = tmp_path / "tasks" / "alpaca_eval"
    ignored = shutil.ignore_patterns("figures", "__pycache__")
    shutil.copytree(registry.tasks_root() / "alpaca_eval", folder, ignore=ignored)
    text = (folder / "benchmark.toml").read_text()
    published = read(folder).published
    assert published is not None
    for file in published.boards[0].calibration:
        assert file.sha256 is not None
        text = text.replace(file.sha256, hashlib.sha256(FILES[file.name]).hexdigest())
    (folder / "benchmark.toml").write_text(text)
    registry.include([tmp_path / "tasks"])
    return tmp_path / "tasks"


def description(benchmarks: Path) -> Description:
    return find("alpaca_eval")[0]


def test_they_are_imported_under_their_names(benchmarks: Path, tmp_path: Path) -> None:
    assert calibration(description(benchmarks)).here() == {}
    given = tmp_path / "given"
    given.mkdir()
    for name, content in FILES.items():
        (given / f"copy-of-{name}").write_bytes(content)
    (given / "other.csv").write_bytes(b"something else")
    state = import_data("alpaca_eval", given)
    assert state.state == "missing"  # the instructions are still to come
    found = calibration(description(benchmarks)).here()
    assert {name: path.read_bytes() for name, path in found.items()} == FILES


def test_a_changed_file_is_not_taken(benchmarks: Path, tmp_path: Path) -> None:
    file = tmp_path / "df_gamed.csv"
    file.write_bytes(FILES["df_gamed.csv"])
    import_data("alpaca_eval", file)
    (kept,) = calibration(description(benchmarks)).here().values()
    kept.write_bytes(b"preference,index\n1.0,0\n")
    assert calibration(description(benchmarks)).here() == {}
    file.write_bytes(b"torn")
    with pytest.raises(InputError, match="nothing in it belongs to alpaca_eval"):
        import_data("alpaca_eval", file)
    assert official_prompts(description(benchmarks)) == {}
