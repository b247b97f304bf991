"""The files of lm-eval's output folders, by the run that wrote them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.errors import InputError

_WHEN = r"(?P<when>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)"
_SAMPLES = re.compile(rf"samples_(?P<task>.+?)(?:_{_WHEN})?\.jsonl")
_RESULTS = re.compile(rf".+_{_WHEN}\.json")
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """What one run of lm-eval wrote: its results, and the samples of each task by its name.

    when
        As in the files' names; empty for samples of an lm-eval that did not write it there.
    results
        None where only samples are here.
    """

    folder: Path
    when: str
    results: Path | None
    samples: tuple[tuple[str, Path], ...]


def find_runs(paths: Sequence[Path]) -> list[RunFiles]:
    """The runs whose files these are, or lie in these folders or below, the earliest first.

    A file of results stands for all samples of its run.

    Raises
    ------
    InputError
        For what is no file of lm-eval's, and where there are no samples at all.
    """
    results: dict[tuple[Path, str], Path] = {}
    samples: dict[tuple[Path, str], dict[str, Path]] = {}
    for path in dict.fromkeys(file for given in paths for file in _files(given)):
        if task := _SAMPLES.fullmatch(path.name):
            run = path.parent, task["when"] or ""
            samples.setdefault(run, {})[task["task"]] = path
        elif run_of := _RESULTS.fullmatch(path.name):
            results[path.parent, run_of["when"]] = path
    if not samples:
        raise InputError(
            f"{paths[0]}: no samples_<task>_<time>.jsonl here or below; lm-eval writes them with "
            "--log_samples and --output_path"
        )
    lacking = sorted(set(results) - set(samples))
    if lacking:
        raise InputError(
            f"{results[lacking[0]]}: there are no samples beside it (samples_<task>_<time>.jsonl "
            "of the same time); what a run printed is no verdict: leave the file out, or run "
            "lm-eval with --log_samples"
        )
    return [
        RunFiles(
            folder=folder,
            when=when,
            results=results.get((folder, when)) or _beside(folder, when),
            samples=tuple(sorted(tasks.items())),
        )
        for (folder, when), tasks in sorted(
            samples.items(), key=lambda run: (run[0][1], str(run[0][0]))
        )
    ]


def read_results(path: Path) -> dict[str, Any]:
    """What a file of results says.

    Raises
    ------
    InputError
        For what is no JSON object.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: larger than {_MOST_BYTES >> 20} MB; no results are")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: is no whole JSON file ({error}); it was not written or copied to its end: "
            "fetch it again, or leave it out (then of the model only the name is known)"
        ) from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: an object has to stand here; is it a file of lm-eval's?")
    return found


def _files(given: Path) -> Iterator[Path]:
    if given.is_dir():
        yield from (p for p in sorted(given.rglob("*.json*")) if p.is_file())
        return
    if not given.is_file():
        raise InputError(f"{given}: there is no such file or folder")
    named = _SAMPLES.fullmatch(given.name) or _RESULTS.fullmatch(given.name)
    if named is None:
        raise InputError(
            f"{given}: lm-eval's files are called results_<time>.json and "
            "samples_<task>_<time>.jsonl, and their names say what they are about"
        )
    yield given
    if given.suffix == ".json":
        yield from sorted(given.parent.glob(f"samples_*_{named['when']}.jsonl"))


def _beside(folder: Path, when: str) -> Path | None:
    found = sorted(folder.glob(f"*_{when}.json")) if when else []
    return found[0] if found else None
