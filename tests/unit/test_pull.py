"""Pulling: said first, only what is missing, whole or not at all; nothing that came is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.data import DataState, alone, import_data, verify
from judgebench.benchmarks.description import HubSource
from judgebench.benchmarks.pull import megabytes, offers, pull
from judgebench.errors import ConfigError, InputError, ProviderUnavailableError
from judgebench.protocols import Progress
from tests.file_host import FileHost
from tests.unit.pulled import FILES, PROMPT, ROWS, Noted, sha, write_benchmark


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost(FILES) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home" / "small"


@pytest.fixture
def paths(tmp_path: Path, host: FileHost, home: Path) -> list[Path]:
    return write_benchmark(tmp_path / "tasks", host.url)


def complete(state: DataState) -> bool:
    return (state.state, state.items, state.prompts, state.calibration, state.damaged) == (
        "ready",
        len(ROWS),
        ("plain",),
        ("calibration.csv",),
        False,
    )


def asked(host: FileHost) -> list[str]:
    """What was asked since the last look."""
    names = [one.path.lstrip("/") for one in host.asked]
    host.asked.clear()
    return names


def in_the_home(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_it_brings_all_of_it_and_leaves_nothing_else(
    host: FileHost, home: Path, paths: list[Path]
) -> None:
    progress = Noted()
    assert complete(pull("small", progress))
    assert in_the_home(home) == [
        "1/items.jsonl",
        "1/manifest.json",
        "calibration/calibration.csv",
        "prompts/plain.txt",
    ]
    assert (home / "prompts" / "plain.txt").read_text() == PROMPT
    assert sorted(path.name for path in home.iterdir()) == ["1", "calibration", "prompts"]
    assert sorted(progress.stages) == sorted(
        (f"bytes of {name}", len(content)) for name, content in FILES.items()
    )


def test_how_much_it_is_and_whose_is_said_before_anything_is_fetched(
    host: FileHost, paths: list[Path]
) -> None:
    before: list[str] = []

    class Told(Noted):
        def say(self, message: str) -> None:
            if not host.asked:
                before.append(message)

    pull("small", Told())
    size = megabytes(sum(map(len, FILES.values())))
    place = host.url.removeprefix("http://")
    assert before == [f"small@1: 3 files from {place}, {size}; licence: CC0"]


def test_what_does_not_say_its_size(host: FileHost, home: Path, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "tasks", host.url, pinned=False)
    (small,) = (one for one in offers() if one.benchmark == "small")
    assert (small.files, small.unsized, small.size) == (3, 2, "at least 2 kB")


def test_again_asks_for_nothing(host: FileHost, paths: list[Path]) -> None:
    pull("small", Noted())
    asked(host)
    progress = Noted()
    assert complete(pull("small", progress))
    assert progress.said == ["small@1 is here as it is pinned; there is nothing to pull"]
    assert asked(host) == []


def test_questions_without_a_hash_of_their_own_are_those_of_the_pinned_files(
    host: FileHost, home: Path, tmp_path: Path
) -> None:
    write_benchmark(tmp_path / "tasks", host.url, content_sha=None)
    pull("small", Noted())
    asked(host)
    assert complete(pull("small", Noted()))
    assert asked(host) == []


@pytest.mark.parametrize(
    ("file", "missing"),
    [
        ("1/items.jsonl", ["questions.json", "prompts.py"]),
        ("1/manifest.json", ["questions.json", "prompts.py"]),
        ("prompts/plain.txt", ["questions.json", "prompts.py"]),
        ("calibration/calibration.csv", ["calibration.csv"]),
    ],
)
def test_what_was_damaged_is_found_and_fetched_again(
    host: FileHost, home: Path, paths: list[Path], file: str, missing: list[str]
) -> None:
    pull("small", Noted())
    asked(host)
    (home / file).write_bytes((home / file).read_bytes()[:-3])
    assert verify("small").damaged
    assert complete(pull("small", Noted()))
    assert asked(host) == missing


def test_changed_questions_without_a_pin_are_found(
    host: FileHost, home: Path, tmp_path: Path
) -> None:
    write_benchmark(tmp_path / "tasks", host.url, content_sha=None)
    pull("small", Noted())
    items = home / "1" / "items.jsonl"
    items.write_text(items.read_text().replace("1 + 1", "1 + 2"))
    state = verify("small")
    assert state.state == "damaged"
    assert "not the questions that were put here" in state.note
    assert complete(pull("small", Noted()))


def test_files_that_came_before_one_failed_are_kept(
    host: FileHost, home: Path, paths: list[Path]
) -> None:
    prompts = host.files.pop("prompts.py")
    with pytest.raises(ProviderUnavailableError, match="404") as error:
        pull("small", Noted())
    assert error.value.exit_code == 69
    assert asked(host) == ["calibration.csv", "questions.json", "prompts.py"]
    state = verify("small")
    assert (state.state, state.prompts, state.calibration) == ("missing", (), ())
    host.files["prompts.py"] = prompts
    assert complete(pull("small", Noted()))
    assert asked(host) == ["prompts.py"]


def test_ctrl_c_loses_nothing(host: FileHost, home: Path, paths: list[Path]) -> None:
    class Impatient(Noted):
        def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
            if n and self.stages[-1][0] == "bytes of questions.json":
                raise KeyboardInterrupt

    host.cuts = [None, 1_000]
    with pytest.raises(KeyboardInterrupt):
        pull("small", Impatient())
    assert [path.name for path in home.iterdir()] == [".partial"]
    host.cuts.clear()
    host.asked.clear()
    assert complete(pull("small", Noted()))
    assert [(one.path, one.range) for one in host.asked] == [
        ("/questions.json", "bytes=1000-"),
        ("/prompts.py", None),
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_another_hash_changes_nothing(
    host: FileHost, home: Path, tmp_path: Path, paths: list[Path], name: str
) -> None:
    pull("small", Noted())
    before = {file: (home / file).read_bytes() for file in in_the_home(home)}
    (home / "calibration" / "calibration.csv").unlink()
    write_benchmark(
        tmp_path / "tasks", host.url, content_sha=None, shas={name: sha(b"another file")}
    )
    with pytest.raises(InputError, match=f"{name}: this is not the file") as error:
        pull("small", Noted())
    assert error.value.exit_code == 65
    now = {file: (home / file).read_bytes() for file in in_the_home(home) if file[0] != "."}
    before.pop("calibration/calibration.csv")
    assert now == before
    assert list(home.glob(".new-*")) == []


def test_other_questions_in_files_without_pins(host: FileHost, home: Path, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "tasks", host.url, pinned=False)
    host.files["questions.json"] = json.dumps(ROWS[1:]).encode()
    with pytest.raises(InputError, match="these are not the questions of small@1"):
        pull("small", Noted())
    assert verify("small").state == "missing"
    host.files["questions.json"] = FILES["questions.json"]
    assert complete(pull("small", Noted()))


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
def test_offline_nothing_is_asked(
    host: FileHost, home: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match="judgebench data import"):
        pull("small", Noted())
    assert asked(host) == []
    monkeypatch.delenv("HF_ENDPOINT")  # the host is not the Hub any more
    assert complete(pull("small", Noted()))


def test_a_dataset_of_the_hub_is_not_loaded_offline(
    host: FileHost, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = 'kind = "hub"\ndataset = "a/b"\nrevision = "0"'
    write_benchmark(tmp_path / "tasks", host.url, source=source)
    (small,) = (one for one in offers() if one.benchmark == "small")
    assert small.hosts == tuple(sorted([host.url.removeprefix("http://"), "huggingface.co"]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"a/b: HF_HUB_OFFLINE is set.*judgebench data import"):
        pull("small", Noted())
    assert asked(host) == []  # what could be had is not had in part


def test_a_folder_is_not_taken_for_a_dataset_of_the_hub(
    host: FileHost, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = 'kind = "hub"\ndataset = "a/b"\nrevision = "0"'
    write_benchmark(tmp_path / "tasks", host.url, source=source)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="a folder of this name is here"):
        pull("small", Noted())


def test_a_dataset_of_the_hub_is_pinned_by_its_first_pull(
    host: FileHost, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its revision is a branch: when that goes on, what was pulled stays, and it is said."""
    source = 'kind = "hub"\ndataset = "a/b"\nrevision = "main"'
    write_benchmark(tmp_path / "tasks", host.url, source=source, content_sha=None)
    monkeypatch.chdir(tmp_path)
    now = [*ROWS]

    def fetched(source: HubSource, folder: Path, progress: Progress) -> dict[str, Any]:
        (folder / "questions.json").write_text(json.dumps(now))
        return {"dataset": source.dataset, "revision": source.revision, "split": source.split}

    monkeypatch.setattr("judgebench.benchmarks.pull.fetch_dataset", fetched)
    first = pull("small", Noted())
    assert first.items == len(ROWS)
    assert pull("small", Noted()).sha == first.sha  # the same rows, once more
    now.pop()
    said = r"a/b@main has other questions now.*revision main, has met .*a version of their own"
    with pytest.raises(InputError, match=said):
        pull("small", Noted())
    (home / "1" / "items.jsonl").write_text("torn")  # nor do they come in place of damaged ones
    with pytest.raises(InputError, match=said):
        pull("small", Noted())
    now.append(ROWS[-1])
    assert pull("small", Noted()).sha == first.sha
    now.pop()
    shutil.rmtree(home / "1")
    assert pull("small", Noted()).items == len(ROWS) - 1


@pytest.mark.parametrize("second", ["{url}/other/questions.json", "{url}/x/", "{url}/.."])
def test_each_file_needs_a_name_of_its_own(
    host: FileHost, home: Path, tmp_path: Path, second: str
) -> None:
    urls = [f"{host.url}/questions.json", second.format(url=host.url)]
    files = ", ".join(f'{{ url = "{url}" }}' for url in urls)
    source = f'kind = "files"\nfiles = [{files}]'
    write_benchmark(tmp_path / "tasks", host.url, source=source)
    with pytest.raises(ConfigError, match="a name of its own"):
        pull("small", Noted())
    assert asked(host) == []


def test_what_a_killed_process_left_is_swept(home: Path, paths: list[Path]) -> None:
    (home / ".new-dead" / "old").mkdir(parents=True)
    pull("small", Noted())
    assert list(home.glob(".new-*")) == []


def test_a_version_that_a_killed_process_was_replacing_comes_back(
    home: Path, paths: list[Path]
) -> None:
    complete(pull("small", Noted()))
    stage = home / ".new-dead"
    (stage / "old").mkdir(parents=True)
    (home / "1").rename(stage / "old" / "1")
    (stage / "new").mkdir()
    with alone(home, str):
        pass
    assert sorted(path.name for path in home.iterdir()) == ["1", "calibration", "prompts"]


# carried to a machine without a network ----------------------------------------------------------


@pytest.mark.parametrize("part", [".", "small"])
def test_a_data_home_is_imported(home: Path, paths: list[Path], tmp_path: Path, part: str) -> None:
    pull("small", Noted())
    shutil.move(home.parent, tmp_path / "carried")
    assert verify("small").state == "missing"
    assert complete(import_data("small", tmp_path / "carried" / part))


def test_upstreams_files_are_imported(home: Path, paths: list[Path], tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name, content in FILES.items():
        (given / name).write_bytes(content)
    (given / "large.json").write_text('["' + "x" * 4_000_001 + '"]')
    (given / "torn.py").write_text("def (")
    assert complete(import_data("small", given))


def test_one_version_of_a_home_at_a_time(home: Path, paths: list[Path], tmp_path: Path) -> None:
    pull("small", Noted())
    shutil.move(home.parent, tmp_path / "carried")
    state = import_data("small", tmp_path / "carried" / "small" / "1")
    assert (state.state, state.prompts, state.calibration) == ("ready", (), ())
    assert state.calibration_missing == ("calibration.csv",)


def test_a_carried_file_that_was_damaged_is_refused(
    home: Path, paths: list[Path], tmp_path: Path
) -> None:
    pull("small", Noted())
    shutil.move(home.parent, tmp_path / "carried")
    items = tmp_path / "carried" / "small" / "1" / "items.jsonl"
    items.write_text(items.read_text().replace("1 + 1", "1 + 2"))
    with pytest.raises(InputError, match="these are not the questions"):
        import_data("small", tmp_path / "carried")
    assert in_the_home(home) == []
