"""Official prompts and published calibrations in the data home, each file known by its hash."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from judgebench.benchmarks.data_home import data_home, keep
from judgebench.benchmarks.description import Description, Judging, RemoteFile, find
from judgebench.benchmarks.partial_file import file_sha
from judgebench.benchmarks.prompt_text import read_texts
from judgebench.errors import InputError
from judgebench.keys import text_sha
from judgebench.template import PromptText

PROMPTS = "prompts"
CALIBRATION = "calibration"
_PROMPT_SUFFIXES = {".json", ".py", ".txt"}


def official_judging(description: Description) -> Judging:
    """What is said about official prompts; a small benchmark takes that of the one it is like."""
    judging = description.judging
    return judging if judging.official_from is None else find(judging.official_from)[0].judging


def official_prompts(description: Description) -> dict[str, PromptText]:
    """The official prompts that are here, by name; only texts whose hash is the pinned one.

    They are in the data home, or in an installed package whose files hold them.
    """
    found = {}
    folder = _prompt_folder(description)
    judging = official_judging(description)
    package = _package_folder(judging.package)
    for name, official in judging.official.items():
        files = [folder / f"{name}.txt"]
        if package is not None and official.source.endswith(".txt"):
            files.append(package / official.source)
        for file in files:
            if not file.is_file():
                continue
            text = file.read_bytes().decode("utf-8", errors="replace")
            if text_sha(text) == official.sha256:
                found[name] = PromptText(name=f"official/{name}", text=text, official=True)
    return found


def prompt_hashes(description: Description) -> dict[str, str]:
    """The pinned hashes of the official prompts, by name."""
    return {name: prompt.sha256 for name, prompt in official_judging(description).official.items()}


def calibration_files(description: Description) -> dict[str, Path]:
    """The files of the published calibration that the data home has, by name.

    Only those whose content is what is pinned.
    """
    folder = _calibration_folder(description)
    return {
        name: folder / name
        for name, sha in calibration_hashes(description).items()
        if (folder / name).is_file() and file_sha(folder / name) == sha
    }


def calibration_hashes(description: Description) -> dict[str, str]:
    """The pinned hashes of the files of the published calibration, by name."""
    return {file.name: file.sha256 for file in published_files(description) if file.sha256}


def published_files(description: Description) -> list[RemoteFile]:
    """Where the files of the published calibration are fetched from."""
    boards = [] if description.published is None else description.published.boards
    return [file for board in boards for file in board.calibration]


def other_than_pinned(description: Description) -> list[str]:
    """Files of the data home that go by a pinned file's name and hold something else.

    Prompts taken from another benchmark are that one's.
    """
    folder, own = _prompt_folder(description), description.judging.official
    prompts = {folder / f"{name}.txt": prompt.sha256 for name, prompt in own.items()}
    calibration = {
        _calibration_folder(description) / name: sha
        for name, sha in calibration_hashes(description).items()
    }
    return [
        str(file)
        for file, sha in (prompts | calibration).items()
        if file.is_file() and file_sha(file) != sha
    ]


def keep_prompts(description: Description, files: Iterable[Path]) -> list[str]:
    """Take in the official prompts among the texts of files, by what they are; their names."""
    wanted = {sha: name for name, sha in prompt_hashes(description).items()}
    found = {wanted[text_sha(text)]: text for text in _texts(files) if text_sha(text) in wanted}
    for name, text in found.items():
        keep(_prompt_folder(description) / f"{name}.txt", text.encode("utf-8"))
    return list(found)


def keep_calibration(description: Description, files: Iterable[Path]) -> list[str]:
    """Take in the files of the published calibration, by what they are; their names."""
    wanted = {sha: name for name, sha in calibration_hashes(description).items()}
    found: Mapping[str, Path] = {
        wanted[sha]: file for file in files if wanted and (sha := file_sha(file)) in wanted
    }
    for name, file in found.items():
        keep(_calibration_folder(description) / name, file.read_bytes())
    return list(found)


def _texts(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        if file.suffix in _PROMPT_SUFFIXES:
            # Data comes in files of these kinds as well: what is no file of prompts has none.
            with suppress(InputError):
                texts = read_texts(file)
                yield from (*texts.found.values(), *texts.composed.values())


def _prompt_folder(description: Description) -> Path:
    return data_home() / (description.judging.official_from or description.name) / PROMPTS


def _calibration_folder(description: Description) -> Path:
    return data_home() / description.name / CALIBRATION


def _package_folder(name: str | None) -> Path | None:
    """Where a package is installed, without importing it; None if it is not."""
    spec = None if name is None else importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
